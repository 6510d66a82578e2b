/* update.c: the difference between what a zone has and what it shall have, as updates.
 *
 * A set of records is changed only if it still is what the server has shown: its
 * prerequisites say all that was there.  So nothing is added twice, nothing of others
 * is touched, and an update whose answer was lost can be asked for again. */
#include "update.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

enum {
	OPCODE_UPDATE = 5 << 3,	/* in the third octet, */
	AA = 0x04,		/* as this */
	NONE = 254,		/* a class */
	NSET_AT = 6,		/* where the count of prerequisites is, */
	NCHANGE_AT = 8,		/* and that of updates */
	SIGNATURE_MAX = 512	/* octets */
};

/* ---- what is wanted ------------------------------------------------------------------ */

static int
by_set(const ldns_rr *a, const ldns_rr *b)
{
	int c = ldns_dname_compare(ldns_rr_owner(a), ldns_rr_owner(b));

	if (c == 0)
		c = (ldns_rr_get_type(a) > ldns_rr_get_type(b)) -
		    (ldns_rr_get_type(a) < ldns_rr_get_type(b));
	return c;
}

/* By set and data, the wanted ones first. */
static int
by_data(const void *a, const void *b)
{
	const struct update_record *x = a, *y = b;
	int c = by_set(x->rr, y->rr);

	if (c == 0)
		c = ldns_rr_compare(x->rr, y->rr);
	return c != 0 ? c : y->wanted - x->wanted;
}

static void
add_lines(struct update *u, const struct dns_lines *l, bool wanted)
{
	u->record = xreallocarray(u->record, u->n + l->n + 1, sizeof(*u->record));
	for (size_t i = 0; i < l->n; i++)
		u->record[u->n++] = (struct update_record){
		    .rr = l->line[i].rr, .wanted = wanted, .own = !wanted};
}

/* Each record once. */
static void
merge(struct update *u)
{
	struct update_record *r = u->record;
	size_t kept = 0;

	for (size_t i = 1; i < u->n; i++)
		if (by_set(r[kept].rr, r[i].rr) == 0 && ldns_rr_compare(r[kept].rr, r[i].rr) == 0) {
			if (r[i].wanted && ldns_rr_ttl(r[i].rr) < ldns_rr_ttl(r[kept].rr))
				r[kept].rr = r[i].rr;
			r[kept].own = r[kept].own || r[i].own;
		} else {
			r[++kept] = r[i];
		}
	if (u->n > 0)
		u->n = kept + 1;
}

void
update_begin(struct update *u, const struct dns_lines *wanted, size_t nwanted,
    const struct dns_lines *own)
{
	struct update_set *set = NULL;

	u->record = NULL;
	u->n = u->nset = 0;
	for (size_t i = 0; i < nwanted; i++)
		add_lines(u, &wanted[i], true);
	add_lines(u, own, false);
	if (u->n > 0)
		qsort(u->record, u->n, sizeof(*u->record), by_data);
	merge(u);
	u->set = xreallocarray(NULL, u->n + 1, sizeof(*u->set));
	for (size_t i = 0; i < u->n; i++) {
		if (set == NULL || by_set(set->record->rr, u->record[i].rr) != 0) {
			set = &u->set[u->nset++];
			*set = (struct update_set){.record = &u->record[i], .busy = true,
			    .owner = dns_text(ldns_rr_owner(u->record[i].rr))};
		}
		set->n++;
	}
}

static void
forget(struct update_set *s)
{
	for (size_t i = 0; i < s->nhave; i++)
		ldns_rr_free(s->have[i]);
	free(s->have);
	free(s->before.p);
	free(s->change.p);
	s->have = NULL;
	s->nhave = 0;
	s->before = s->change = (struct wire){NULL, 0, false};
	s->nbefore = s->nchange = 0;
}

void
update_free(struct update *u)
{
	for (size_t i = 0; i < u->nset; i++) {
		forget(&u->set[i]);
		free(u->set[i].owner);
	}
	free(u->set);
	free(u->record);
}

bool
update_busy(const struct update *u)
{
	for (size_t i = 0; i < u->nset; i++)
		if (u->set[i].busy)
			return true;
	return false;
}

/* ---- messages ------------------------------------------------------------------------- */

/* Begin a message with its header, and its question or zone. */
static struct wire
begin(unsigned flags, const ldns_rdf *name, unsigned type)
{
	struct wire w = wire_new();
	uint8_t head[WIRE_HEADER] = {0};

	if (RAND_bytes(head, 2) != 1)
		die(EX_TEMP, "no random numbers can be had");
	head[2] = (uint8_t)flags;
	head[5] = 1;
	wire_put(&w, head, sizeof(head));
	wire_put(&w, ldns_rdf_data(name), ldns_rdf_size(name));
	wire_put16(&w, type);
	wire_put16(&w, LDNS_RR_CLASS_IN);
	return w;
}

/* What a server says that does not do what it shall; false. */
static bool
refused(struct update *u, const uint8_t *answer, const char *what)
{
	unsigned rcode = answer[3] & 15;
	const ldns_lookup_table *t = ldns_lookup_by_id(ldns_rcodes, (int)rcode);
	const char *hint = "";

	switch (rcode) {
	case LDNS_RCODE_SERVFAIL: hint = "; its log may say why"; break;
	case LDNS_RCODE_REFUSED: hint = "; has the key the right to it there?"; break;
	case LDNS_RCODE_NOTAUTH:
	case LDNS_RCODE_NXDOMAIN: hint = "; is it the primary server of that zone?"; break;
	case LDNS_RCODE_NOTZONE: hint = "; a record is not in that zone"; break;
	case LDNS_RCODE_FORMERR:
	case LDNS_RCODE_NOTIMPL: hint = "; does it allow updates at all?"; break;
	default: break;
	}
	complain("zone '%s': the server '%s' answers %s with %s%s", u->zone, u->talk->server, what,
	    t == NULL ? "an unknown RCODE" : t->name, hint);
	u->status = rcode == LDNS_RCODE_SERVFAIL ? EX_TEMP : EX_PERM;
	return false;
}

/* ---- what there is ---------------------------------------------------------------------- */

/* Ask for a set; the answer, or NULL after a complaint. */
static ldns_pkt *
ask(struct update *u, const struct update_set *s)
{
	const ldns_rr *rr = s->record->rr;
	uint8_t *answer = xmalloc(WIRE_MAX);
	enum talk_fate fate = TALK_LOST;
	ldns_pkt *pkt = NULL;
	struct wire w;
	size_t n = 0;

	for (int i = 0; i < 2 && fate == TALK_LOST; i++) {
		w = begin(0, ldns_rr_owner(rr), ldns_rr_get_type(rr));
		fate = talk_ask(u->talk, &w, answer, &n, &u->status);
		free(w.p);
	}
	if (fate == TALK_LOST) {
		complain("the server '%s' hangs up", u->talk->server);
	} else if (fate == TALK_ANSWER) {
		unsigned rcode = answer[3] & 15;

		u->status = EX_PERM;
		if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
			refused(u, answer, "a question");
		else if ((answer[2] & AA) == 0)
			complain("zone '%s': the server '%s' has no authority over '%s'", u->zone,
			    u->talk->server, s->owner);
		else if (ldns_wire2pkt(&pkt, answer, n) != LDNS_STATUS_OK)
			complain("the server '%s' answers what is no message", u->talk->server);
	}
	free(answer);
	return pkt;
}

/* Has the set that record, as the server shows it? */
static bool
has(const struct update_set *s, const ldns_rr *rr)
{
	for (size_t i = 0; i < s->nhave; i++)
		if (dns_same_data(s->have[i], rr))
			return true;
	return false;
}

/* Is a record that the server has one that we have added? */
static bool
is_own(const struct update_set *s, const ldns_rr *rr)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->record[i].own && dns_same_data(s->record[i].rr, rr))
			return true;
	return false;
}

/* Take what the answer says of a set.  The number of records that are not ours. */
static size_t
take(struct update_set *s, const ldns_pkt *answer)
{
	ldns_rr_type type = ldns_rr_get_type(s->record->rr);
	size_t at = 0, others = 0;
	ldns_rr *rr;

	while ((rr = dns_next(answer, s->owner, type, &at)) != NULL) {
		if (has(s, rr))
			continue;
		s->have = xreallocarray(s->have, s->nhave + 1, sizeof(*s->have));
		s->have[s->nhave++] = ldns_rr_clone(rr);
		s->has_ttl = ldns_rr_ttl(rr);
		others += !is_own(s, rr);
	}
	/* What a wildcard makes is not there, for prerequisites; what we have added is. */
	if (s->wild && others == s->nhave) {
		while (s->nhave > 0)
			ldns_rr_free(s->have[--s->nhave]);
		others = 0;
	}
	for (size_t i = 0; i < s->n; i++)
		s->record[i].there = has(s, s->record[i].rr);
	return others;
}

/* ---- what is to be done ----------------------------------------------------------------- */

static bool
adds(const struct update_set *s, const struct update_record *r)
{
	return r->wanted && (!r->there || s->again);
}

static bool
drops(const struct update_set *s, const struct update_record *r)
{
	return r->own && (!r->wanted || (s->again && r->there));
}

/* The TTL of ours: the least that is wanted; but where others have records, theirs, for a
 * set has one. */
static void
choose_ttl(struct update_set *s, size_t others)
{
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t ttl = ldns_rr_ttl(s->record[i].rr);

		if (s->record[i].wanted && (!any || ttl < s->ttl)) {
			s->ttl = ttl;
			any = true;
		}
	}
	s->again = any && others == 0 && s->nhave > 0 && s->has_ttl != s->ttl;
	if (others > 0)
		s->ttl = s->has_ttl;
}

/* A set's part of a message, and whether it has one. */
static void
write_part(struct update_set *s)
{
	const ldns_rr *rr = s->record->rr;

	s->busy = false;
	for (size_t i = 0; i < s->n; i++)
		if (adds(s, &s->record[i]) || drops(s, &s->record[i]))
			s->busy = true;
	if (!s->busy)
		return;
	s->before = wire_new();
	s->change = wire_new();
	for (size_t i = 0; i < s->nhave; i++)
		wire_put_rr(&s->before, s->have[i], LDNS_RR_CLASS_IN, 0);
	if (s->nhave == 0)
		wire_put_type(&s->before, ldns_rr_owner(rr), ldns_rr_get_type(rr), NONE);
	s->nbefore = s->nhave == 0 ? 1 : (unsigned)s->nhave;
	for (size_t i = 0; i < s->n; i++)
		if (drops(s, &s->record[i])) {
			wire_put_rr(&s->change, s->record[i].rr, NONE, 0);
			s->nchange++;
		}
	for (size_t i = 0; i < s->n; i++)
		if (adds(s, &s->record[i])) {
			wire_put_rr(&s->change, s->record[i].rr, LDNS_RR_CLASS_IN, s->ttl);
			s->nchange++;
		}
}

bool
update_plan(struct update *u)
{
	for (size_t i = 0; i < u->nset; i++) {
		struct update_set *s = &u->set[i];
		ldns_pkt *answer;
		size_t at = 0;
		bool alias;

		if (!s->busy)
			continue;
		forget(s);
		if ((answer = ask(u, s)) == NULL)
			return false;
		choose_ttl(s, take(s, answer));
		write_part(s);
		alias = ldns_rr_get_type(s->record->rr) != LDNS_RR_TYPE_CNAME &&
		    dns_next(answer, s->owner, LDNS_RR_TYPE_CNAME, &at) != NULL;
		ldns_pkt_free(answer);
		if (alias && s->busy) {
			complain("zone '%s': '%s' is a CNAME, and can have no other records",
			    u->zone, s->owner);
			u->status = EX_PERM;
			return false;
		}
	}
	return true;
}

/* ---- doing it ------------------------------------------------------------------------------ */

/* The sets from first on that go into one message: the one behind the last, with *w the
 * message, unless it has none of them. */
static size_t
pack(const struct update *u, size_t first, const ldns_rdf *zone, struct wire *w)
{
	size_t end, size;
	unsigned nbefore = 0, nchange = 0;

	*w = begin(OPCODE_UPDATE, zone, LDNS_RR_TYPE_SOA);
	size = w->n + SIGNATURE_MAX;
	for (end = first; end < u->nset; end++) {
		const struct update_set *s = &u->set[end];

		if (!s->busy)
			continue;
		if (nbefore > 0 && (s->alone || size + s->before.n + s->change.n > WIRE_MAX))
			break;
		size += s->before.n + s->change.n;
		w->full = w->full || s->before.full || s->change.full;
		nbefore += s->nbefore;
		nchange += s->nchange;
		if (s->alone) {
			end++;
			break;
		}
	}
	for (size_t i = first; i < end; i++)
		if (u->set[i].busy)
			wire_put(w, u->set[i].before.p, u->set[i].before.n);
	for (size_t i = first; i < end; i++)
		if (u->set[i].busy)
			wire_put(w, u->set[i].change.p, u->set[i].change.n);
	w->full = w->full || size > WIRE_MAX;
	w->p[NSET_AT] = (uint8_t)(nbefore >> 8);
	w->p[NSET_AT + 1] = (uint8_t)nbefore;
	w->p[NCHANGE_AT] = (uint8_t)(nchange >> 8);
	w->p[NCHANGE_AT + 1] = (uint8_t)nchange;
	return nbefore == 0 ? first : end;
}

static void
tell(const struct update *u, const struct update_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct update_record *r = &s->record[i];

		if (drops(s, r) && r->there && !adds(s, r))
			u->tell(r, s->has_ttl, false);
		if (adds(s, r))
			u->tell(r, s->ttl, true);
	}
}

void
update_show(const struct update *u)
{
	for (size_t i = 0; i < u->nset; i++)
		if (u->set[i].busy)
			tell(u, &u->set[i]);
}

/* It was done. */
static void
done(const struct update *u, struct update_set *s)
{
	tell(u, s);
	for (size_t i = 0; i < s->n; i++) {
		s->record[i].own = s->record[i].own && s->record[i].wanted;
		s->record[i].fresh = false;
	}
}

/* It was not done, and nothing will come of it. */
static void
not_done(struct update_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct update_record *r = &s->record[i];

		r->own = r->own && !r->fresh;
		r->fresh = false;
	}
}

/* It does not hold any more what the server has shown. */
static void
changed(struct update_set *s, size_t in_message)
{
	size_t own = 0;

	for (size_t i = 0; i < s->n; i++)
		own += s->record[i].own && s->record[i].there;
	/* Somebody else was at it meanwhile, or it is not there but by a wildcard. */
	if (in_message == 1 && s->nhave > 0 && own == 0)
		s->wild = true;
	else
		s->wild = false;
	s->alone = true;
}

static size_t
busy_sets(const struct update *u, size_t first, size_t end)
{
	size_t n = 0;

	for (; first < end; first++)
		n += u->set[first].busy;
	return n;
}

/* The records of one set do not fit into a message: it is not sent. */
static enum talk_fate
too_large(struct update *u, size_t first, size_t end)
{
	const char *owner = NULL;

	for (; first < end; first++) {
		not_done(&u->set[first]);
		if (u->set[first].busy)
			owner = u->set[first].owner;
	}
	complain("zone '%s': the records of '%s' are too many for one message", u->zone, owner);
	u->status = EX_PERM;
	return TALK_FAILED;
}

/* One message; false after a complaint. */
static bool
send_update(struct update *u, struct wire *w, size_t first, size_t end)
{
	uint8_t *answer = xmalloc(WIRE_MAX);
	size_t n, sets = busy_sets(u, first, end);
	enum talk_fate fate;
	unsigned rcode;
	bool other;

	/* By a new connection: one that the server has closed meanwhile takes it, too. */
	talk_end(u->talk);
	fate = w->full ? too_large(u, first, end) : talk_ask(u->talk, w, answer, &n, &u->status);
	rcode = fate == TALK_ANSWER ? answer[3] & 15 : LDNS_RCODE_SERVFAIL;
	other = rcode == LDNS_RCODE_YXRRSET || rcode == LDNS_RCODE_NXRRSET;

	for (size_t i = first; i < end; i++) {
		struct update_set *s = &u->set[i];

		if (s->busy && rcode == LDNS_RCODE_NOERROR)
			done(u, s);
		else if (s->busy && rcode != LDNS_RCODE_SERVFAIL)
			not_done(s);
		if (s->busy && other)
			changed(s, sets);
	}
	if (fate == TALK_ANSWER && rcode != LDNS_RCODE_NOERROR && !other) {
		refused(u, answer, "an update");
		fate = TALK_FAILED;
	}
	free(answer);
	return fate != TALK_FAILED;
}

/* From now on all that is added counts as ours; so says the list, before it is. */
static void
own_all(struct update *u)
{
	for (size_t i = 0; i < u->nset; i++) {
		struct update_set *s = &u->set[i];

		for (size_t k = 0; k < s->n; k++) {
			struct update_record *r = &s->record[k];

			r->fresh = s->busy && adds(s, r) && !r->own;
			r->own = r->own || r->fresh;
		}
	}
}

bool
update_do(struct update *u)
{
	ldns_rdf *zone = NULL;
	struct wire w;
	size_t end = 0;
	bool ok;

	if (ldns_str2rdf_dname(&zone, u->zone) != LDNS_STATUS_OK)
		die(EX_USE, "'%s': not a zone", u->zone);
	own_all(u);
	ok = u->save(u);
	if (!ok)
		u->status = EX_TEMP;
	for (size_t i = 0; ok && i < u->nset; i = end) {
		if ((end = pack(u, i, zone, &w)) == i)
			end = u->nset;
		else
			ok = send_update(u, &w, i, end);
		free(w.p);
	}
	ldns_rdf_deep_free(zone);
	/* What has not been sent is not ours. */
	for (; !ok && end < u->nset; end++)
		not_done(&u->set[end]);
	if (!u->save(u)) {
		if (ok)
			u->status = EX_TEMP;
		ok = false;
	}
	return ok;
}
