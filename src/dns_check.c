/* dns_check.c: do all servers of its zone serve a set? */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
dns_check_begin(struct dns_check *c, const struct dns_lines *l)
{
	c->n = c->left = l->nset;
	c->target = xmalloc(c->n * sizeof(*c->target));
	c->zone = NULL;
	c->nzone = 0;
	for (size_t i = 0; i < c->n; i++)
		c->target[i] = (struct dns_target){.set = &l->set[i],
		    .place = {.owner = l->set[i].owner}};
}

/* ---- where the sets have their places --------------------------------------- */

static void
drop_views(struct dns_target *t)
{
	for (size_t i = 0; t->zone != NULL && i < t->zone->n; i++)
		free(t->view[i].fault);
	free(t->view);
	t->view = NULL;
	t->zone = NULL;
}

/* The zone of that apex, a new one if there is none. */
static struct dns_zone *
zone_of(struct dns_check *c, const char *apex)
{
	struct dns_zone *z;

	for (size_t i = 0; i < c->nzone; i++)
		if (strcmp(c->zone[i]->apex, apex) == 0)
			return c->zone[i];
	z = xmalloc(sizeof(*z));
	*z = (struct dns_zone){.apex = xstrdup(apex)};
	c->zone = xreallocarray(c->zone, c->nzone + 1, sizeof(struct dns_zone *));
	c->zone[c->nzone++] = z;
	return z;
}

/* Find places that are not known, or not for sure. */
static void
find_places(struct dns_check *c, int64_t until)
{
	struct dns_place *p = xmalloc(c->n * sizeof(*p));
	char **why = xmalloc(c->n * sizeof(*why));
	size_t *of = xmalloc(c->n * sizeof(*of)), n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!c->target[i].served &&
		    (c->target[i].place.target == NULL || c->target[i].why != NULL)) {
			of[n] = i;
			p[n++].owner = c->target[i].place.owner;
		}
	dns_place_try(c->site, p, why, n, until);
	for (size_t i = 0; i < n; i++) {
		struct dns_target *t = &c->target[of[i]];

		drop_views(t);
		free(t->place.target);
		free(t->place.zone);
		free(t->why);
		t->place = p[i];
		t->why = why[i];
	}
	free(of);
	free(why);
	free(p);
}

/* A zone that nothing leads to is at fault as a whole, as one without servers. */
static void
find_trust(struct dns_check *c, struct dns_zone *z, int64_t until)
{
	char *why;

	if ((z->trust = dns_trust(c->anchors, c->site, z->apex, until, &why)) != NULL)
		return;
	dns_zones_free(z, 1);
	z->why = xasprintf("the zone '%s' is not secure: %s", z->apex, why);
	free(why);
}

/* Find the servers of zones that are not known, or not all. */
static void
find_servers(struct dns_check *c, int64_t until)
{
	struct dns_zone *z = xmalloc(c->n * sizeof(*z));
	size_t *of = xmalloc(c->n * sizeof(*of)), n = 0;

	for (size_t i = 0; i < c->nzone; i++) {
		if (c->zone[i]->n > 0 && c->zone[i]->why == NULL)
			continue;
		for (size_t t = 0; t < c->n; t++)
			if (c->target[t].zone == c->zone[i])
				drop_views(&c->target[t]);
		dns_zones_free(c->zone[i], 1);
		of[n] = i;
		z[n++] = (struct dns_zone){.apex = c->zone[i]->apex, .some = true};
	}
	dns_zones(c->site, z, n, c->port, until);
	for (size_t i = 0; i < n; i++) {
		if (z[i].n > 0 && c->anchors != NULL)
			find_trust(c, &z[i], until);
		*c->zone[of[i]] = z[i];
	}
	free(of);
	free(z);
}

static void
locate(struct dns_check *c, int64_t until)
{
	find_places(c, until);
	for (size_t i = 0; i < c->n; i++)
		if (c->target[i].place.target != NULL)
			zone_of(c, c->target[i].place.zone);
	find_servers(c, until);
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];
		struct dns_zone *z;

		if (t->place.target == NULL || t->zone != NULL)
			continue;
		if ((z = zone_of(c, t->place.zone))->n == 0)
			continue;
		t->zone = z;
		t->view = xmalloc(z->n * sizeof(*t->view));
		for (size_t s = 0; s < z->n; s++)
			t->view[s] = (struct dns_view){.silent = true};
	}
}

/* ---- what the servers say ---------------------------------------------------- */

/* How serials differ, by RFC 1982; NULL if they do not. */
static char *
serial_fault(const ldns_rr *has, const struct dns_set *set)
{
	uint32_t is = dns_serial(has), want = dns_serial(set->line[0]->rr);
	const char *how = "is behind", *of = set->source != NULL ? set->source : "wanted";

	if (is == want)
		return NULL;
	if (is - want == UINT32_C(1) << 31)
		how = "is neither behind nor ahead";
	else if (is - want < UINT32_C(1) << 31)
		how = "is ahead";
	return xasprintf("%s: serial %lu, %s %lu", how, (unsigned long)is, of, (unsigned long)want);
}

/* What an answer that counts lacks, or has beyond the set. */
static char *
differences(const struct dns_query *q, const struct dns_set *set, bool superset)
{
	const ldns_rr *soa = NULL;
	char *text, *beyond = NULL;
	const char *gone = "";
	size_t len, n = 0;
	FILE *f;

	if (set->type == LDNS_RR_TYPE_SOA && set->n == 1)
		soa = dns_first(q->answer, q->name, set->type);
	if (soa != NULL && (text = serial_fault(soa, set)) != NULL)
		return text;
	if (ldns_pkt_get_rcode(q->answer) == LDNS_RCODE_NXDOMAIN)
		gone = "has no such name and ";
	if ((f = open_memstream(&text, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < set->n; i++)
		if (!dns_has(q->answer, q->name, set->line[i]->rr))
			fprintf(f, "%s%slacks: %s", n++ > 0 ? "\n" : "", gone, set->line[i]->text);
	if (!superset && (beyond = dns_beyond(q->answer, q->name, set)) != NULL)
		fprintf(f, "%shas another record: %s", n++ > 0 ? "\n" : "", beyond);
	free(beyond);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	if (n > 0)
		return text;
	free(text);
	return NULL;
}

char *
dns_fault(const struct dns_query *q, const struct dns_set *set, bool superset)
{
	ldns_pkt_rcode rcode;

	if (q->fate != DNS_ANSWER)
		return xstrdup(q->why);
	rcode = ldns_pkt_get_rcode(q->answer);
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		return xasprintf("answers %s for '%s'", dns_rcode(q->answer), q->name);
	if (!q->recurse && !ldns_pkt_aa(q->answer))
		return xasprintf("is not authoritative for '%s'", q->name);
	return differences(q, set, superset);
}

/* All servers that there is a way to serve it, and there is one. */
static bool
all_serve(const struct dns_target *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->zone->n; i++) {
		if (!t->view[i].serves && !t->view[i].no_route)
			return false;
		n += t->view[i].serves;
	}
	return n > 0;
}

/* What a server is asked for in one round. */
struct round {
	struct dns_query *q;	/* for sets, and then for keys */
	struct {
		struct dns_target *target;
		struct dns_view *view;
		struct dns_ns *ns;
	} *of;			/* for each question */
	size_t n, nset;		/* questions, and those of them for sets */
};

/* Put "is bogus: ..." before the fault, if it is. */
static void
validate(const struct dns_query *q, const struct dns_target *t, const struct dns_ns *ns,
    struct dns_view *v)
{
	char *why = dns_bogus(&ns->keys, t->zone->apex, q), *other = v->fault;

	if (why == NULL)
		return;
	v->silent = true;
	v->fault = xasprintf("is bogus: %s%s%s", why, other != NULL ? "\n" : "",
	    other != NULL ? other : "");
	free(other);
	free(why);
}

static void
judge(struct dns_check *c, const struct round *r, size_t i)
{
	const struct dns_query *q = &r->q[i];
	struct dns_target *t = r->of[i].target;
	struct dns_view *v = r->of[i].view;
	bool served = v->serves;
	uint32_t ttl;

	free(v->fault);
	v->fault = dns_fault(q, t->set, c->superset);
	v->silent = !dns_tells(q);
	v->no_route = q->fate == DNS_NO_ROUTE;
	if (!v->silent && c->anchors != NULL)
		validate(q, t, r->of[i].ns, v);
	v->serves = v->fault == NULL;
	if (!v->silent && (ttl = dns_ttl(q->answer, q->name, q->type)) > t->ttl)
		t->ttl = ttl;
	v->last = dns_now();
	if (v->since == 0 || v->serves != served)
		v->since = v->last;
}

static void
add(struct round *r, const struct dns_query *q, struct dns_target *t, struct dns_view *v,
    struct dns_ns *ns)
{
	if ((r->n & (r->n - 1)) == 0) {		/* 0, or a power of 2 */
		size_t room = r->n == 0 ? 1 : 2 * r->n;

		r->q = xreallocarray(r->q, room, sizeof(*r->q));
		r->of = xreallocarray(r->of, room, sizeof(*r->of));
	}
	r->q[r->n] = *q;
	r->of[r->n].target = t;
	r->of[r->n].view = v;
	r->of[r->n++].ns = ns;
}

/* Who has not served a set yet, and can be asked. */
static void
add_sets(const struct dns_check *c, struct round *r)
{
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];

		for (size_t s = 0; t->zone != NULL && !t->served && s < t->zone->n; s++) {
			struct dns_query q = {.name = t->place.target, .type = t->set->type,
			    .server = t->zone->ns[s].addr, .dnssec = c->anchors != NULL};

			if (!t->view[s].serves && !t->view[s].no_route)
				add(r, &q, t, &t->view[s], &t->zone->ns[s]);
		}
	}
	r->nset = r->n;
}

/* Every server that is asked for a set says by which keys it is signed. */
static void
add_keys(struct round *r)
{
	for (size_t i = 0; i < r->nset; i++) {
		struct dns_ns *ns = r->of[i].ns;
		struct dns_query q = {.name = r->of[i].target->zone->apex,
		    .type = LDNS_RR_TYPE_DNSKEY, .server = ns->addr, .dnssec = true};

		if (!ns->asked)
			add(r, &q, r->of[i].target, r->of[i].view, ns);
		ns->asked = true;
	}
}

static void
take_keys(struct round *r)
{
	for (size_t i = r->nset; i < r->n; i++) {
		const struct dns_zone *z = r->of[i].target->zone;
		struct dns_ns *ns = r->of[i].ns;

		dns_keys_free(&ns->keys);
		ns->asked = false;
		if (dns_tells(&r->q[i]))
			dns_keys_take(&ns->keys, z->apex, r->q[i].answer, z->trust);
		else
			ns->keys.why = xasprintf("its keys of '%s' cannot be had", z->apex);
	}
}

bool
dns_check_round(struct dns_check *c, int64_t until)
{
	struct round r = {.n = 0};

	locate(c, until);
	add_sets(c, &r);
	if (c->anchors != NULL)
		add_keys(&r);
	dns_ask(r.q, r.n, until);
	take_keys(&r);
	for (size_t i = 0; i < r.nset; i++)
		judge(c, &r, i);
	dns_free(r.q, r.n);
	free(r.of);
	free(r.q);
	c->left = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];

		t->served = t->zone != NULL && t->zone->why == NULL && all_serve(t);
		c->left += !t->served;
	}
	return c->left == 0;
}

void
dns_check_free(struct dns_check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];

		drop_views(t);
		free(t->place.target);
		free(t->place.zone);
		free(t->why);
	}
	for (size_t i = 0; i < c->nzone; i++) {
		free((char *)c->zone[i]->apex);
		dns_zones_free(c->zone[i], 1);
		free(c->zone[i]);
	}
	free(c->zone);
	free(c->target);
}
