/* update.c: the difference between what a zone has and what it shall have, as updates.
 *
 * A set of records is changed only if it still is what the server has shown: its
 * prerequisites say all that was there.  So nothing is added twice, nothing of others
 * is touched, and an update whose answer was lost can be asked for again. */
#include "update.h"

#include <stdlib.h>
#include <string.h>

enum {
	AA = 0x04,		/* of the third octet */
	NONE = 254		/* a class */
};

/* ---- what is wanted ------------------------------------------------------------------ */

/* By type and owner: a message has records of one type, for there are servers that ask
 * for each message whether one of their rules allows all of it. */
static int
by_set(const ldns_rr *a, const ldns_rr *b)
{
	int c = (ldns_rr_get_type(a) > ldns_rr_get_type(b)) -
	    (ldns_rr_get_type(a) < ldns_rr_get_type(b));

	return c != 0 ? c : ldns_dname_compare(ldns_rr_owner(a), ldns_rr_owner(b));
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
		w = update_message(0, ldns_rr_owner(rr), ldns_rr_get_type(rr));
		fate = talk_ask(u->talk, &w, answer, &n, &u->status);
		free(w.p);
	}
	if (fate == TALK_LOST) {
		complain("the server '%s' hangs up", u->talk->server);
	} else if (fate == TALK_ANSWER) {
		unsigned rcode = answer[3] & 15;

		u->status = EX_PERM;
		if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
			update_refused(u, answer, "a question");
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

bool
update_adds(const struct update_set *s, const struct update_record *r)
{
	return r->wanted && (!r->there || s->again);
}

bool
update_drops(const struct update_set *s, const struct update_record *r)
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
		if (update_adds(s, &s->record[i]) || update_drops(s, &s->record[i]))
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
		if (update_drops(s, &s->record[i])) {
			wire_put_rr(&s->change, s->record[i].rr, NONE, 0);
			s->nchange++;
		}
	for (size_t i = 0; i < s->n; i++)
		if (update_adds(s, &s->record[i])) {
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

void
update_tell(const struct update *u, const struct update_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct update_record *r = &s->record[i];

		if (update_drops(s, r) && r->there && !update_adds(s, r))
			u->tell(r, s->has_ttl, false);
		if (update_adds(s, r))
			u->tell(r, s->ttl, true);
	}
}

void
update_show(const struct update *u)
{
	for (size_t i = 0; i < u->nset; i++)
		if (u->set[i].busy)
			update_tell(u, &u->set[i]);
}
