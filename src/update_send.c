/* update_send.c: updates as messages, and what comes of them. */
#include "update.h"

#include <stdlib.h>

#include <openssl/rand.h>

enum {
	OPCODE_UPDATE = 5 << 3,	/* in the third octet */
	NSET_AT = 6,		/* where the count of prerequisites is, */
	NCHANGE_AT = 8,		/* and that of updates */
	SIGNATURE_MAX = 512	/* octets */
};

/* ---- messages ------------------------------------------------------------------------- */

struct wire
update_message(unsigned flags, const ldns_rdf *name, unsigned type)
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

bool
update_refused(struct update *u, const uint8_t *answer, const char *what)
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

/* ---- doing it ------------------------------------------------------------------------------ */

/* Does a set go into the message that begins with an earlier one, and has that size? */
static bool
fits(const struct update_set *first, const struct update_set *s, size_t size)
{
	return !first->alone && !s->alone &&
	    ldns_rr_get_type(first->record->rr) == ldns_rr_get_type(s->record->rr) &&
	    size + s->before.n + s->change.n <= WIRE_MAX;
}

static void
put_count(struct wire *w, size_t at, unsigned n)
{
	w->p[at] = (uint8_t)(n >> 8);
	w->p[at + 1] = (uint8_t)n;
}

/* The sets from first on that go into one message, *w: the one behind the last of them;
 * first itself if there is none. */
static size_t
pack(const struct update *u, size_t first, const ldns_rdf *zone, struct wire *w)
{
	const struct update_set *begin = NULL, *s;
	unsigned nbefore = 0, nchange = 0;
	size_t end, size;

	*w = update_message(OPCODE_UPDATE, zone, LDNS_RR_TYPE_SOA);
	size = w->n + SIGNATURE_MAX;
	for (end = first; end < u->nset; end++) {
		if (!(s = &u->set[end])->busy)
			continue;
		if (begin != NULL && !fits(begin, s, size))
			break;
		if (begin == NULL)
			begin = s;
		size += s->before.n + s->change.n;
		w->full = w->full || s->before.full || s->change.full;
		nbefore += s->nbefore;
		nchange += s->nchange;
	}
	for (size_t i = first; i < end; i++)
		if (u->set[i].busy)
			wire_put(w, u->set[i].before.p, u->set[i].before.n);
	for (size_t i = first; i < end; i++)
		if (u->set[i].busy)
			wire_put(w, u->set[i].change.p, u->set[i].change.n);
	w->full = w->full || size > WIRE_MAX;
	put_count(w, NSET_AT, nbefore);
	put_count(w, NCHANGE_AT, nchange);
	return begin == NULL ? first : end;
}

/* It was done. */
static void
done(const struct update *u, struct update_set *s)
{
	update_tell(u, s);
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
	const char *owner = u->set[first].owner;

	for (; first < end; first++) {
		not_done(&u->set[first]);
		if (u->set[first].busy)
			owner = u->set[first].owner;
	}
	complain("zone '%s': the records of '%s' are too many for one message", u->zone, owner);
	u->status = EX_PERM;
	return TALK_FAILED;
}

/* An update with that set was refused: if it was in it alone, it is left as it is. */
static void
give_up(struct update *u, struct update_set *s, size_t in_message)
{
	if (s->busy && in_message == 1) {
		s->busy = false;
		u->refused = true;
	}
	s->alone = true;
}

/* One message; false after a complaint that is about more than its records. */
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
	u->talk->bear = sets > 1;
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
	if (fate == TALK_ANSWER && rcode != LDNS_RCODE_NOERROR && !other &&
	    !(u->talk->bear && rcode == LDNS_RCODE_REFUSED)) {
		update_refused(u, answer, "an update");
		fate = TALK_FAILED;
	}
	/* Perhaps the key may not change one of these names: each by itself, then. */
	if (fate == TALK_REFUSED || rcode == LDNS_RCODE_REFUSED) {
		for (size_t i = first; i < end; i++)
			give_up(u, &u->set[i], sets);
		fate = TALK_ANSWER;
	}
	u->talk->bear = false;
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

			r->fresh = s->busy && update_adds(s, r) && !r->own;
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
