/* dns_check.c: do all servers of its zone serve a set? */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MAX = 50 };	/* lines about one server */

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

/* Find the servers of zones that are not known. */
static void
find_servers(struct dns_check *c, int64_t until)
{
	struct dns_zone *z = xmalloc(c->n * sizeof(*z));
	size_t *of = xmalloc(c->n * sizeof(*of)), n = 0;

	for (size_t i = 0; i < c->nzone; i++)
		if (c->zone[i]->n == 0) {
			free(c->zone[i]->why);
			of[n] = i;
			z[n++].apex = c->zone[i]->apex;
		}
	dns_zones(c->site, z, n, c->port, until);
	for (size_t i = 0; i < n; i++)
		*c->zone[of[i]] = z[i];
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

/* What an answer that counts lacks, or has beyond the set. */
static char *
differences(const struct dns_query *q, const struct dns_set *set, bool superset)
{
	char *text, *beyond = NULL;
	const char *gone = "";
	size_t len, n = 0;
	FILE *f;

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

bool
dns_tells(const struct dns_query *q)
{
	ldns_pkt_rcode rcode;

	if (q->fate != DNS_ANSWER)
		return false;
	rcode = ldns_pkt_get_rcode(q->answer);
	return (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) &&
	    (q->recurse || ldns_pkt_aa(q->answer));
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

static void
judge(struct dns_check *c, const struct dns_query *q, struct dns_target *t, struct dns_view *v)
{
	uint32_t ttl;

	free(v->fault);
	v->fault = dns_fault(q, t->set, c->superset);
	v->serves = v->fault == NULL;
	v->no_route = q->fate == DNS_NO_ROUTE;
	v->silent = !dns_tells(q);
	if (!v->silent && (ttl = dns_ttl(q->answer, q->name, q->type)) > t->ttl)
		t->ttl = ttl;
}

bool
dns_check_round(struct dns_check *c, int64_t until)
{
	struct {
		struct dns_target *target;
		struct dns_view *view;
	} *of = NULL;
	struct dns_query *q = NULL;
	size_t n = 0, room = 0;

	locate(c, until);
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];

		if (t->zone == NULL || t->served)
			continue;
		room += t->zone->n;
		q = xreallocarray(q, room, sizeof(*q));
		of = xreallocarray(of, room, sizeof(*of));
		for (size_t s = 0; s < t->zone->n; s++) {
			if (t->view[s].serves || t->view[s].no_route)
				continue;
			q[n] = (struct dns_query){.name = t->place.target, .type = t->set->type,
			    .server = t->zone->ns[s].addr};
			of[n].target = t;
			of[n++].view = &t->view[s];
		}
	}
	dns_ask(q, n, until);
	for (size_t i = 0; i < n; i++)
		judge(c, &q[i], of[i].target, of[i].view);
	dns_free(q, n);
	free(of);
	free(q);
	c->left = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct dns_target *t = &c->target[i];

		t->served = t->zone != NULL && all_serve(t);
		c->left += !t->served;
	}
	return c->left == 0;
}

/* ---- and how it is told -------------------------------------------------------- */

/* The lines of a fault, but for those that were the last to be said. */
static void
report_lines(const struct dns_ns *ns, const char *fault, char **said, size_t *n)
{
	const char *end;
	char *line;

	for (; fault != NULL; fault = *end == '\n' ? end + 1 : NULL) {
		end = fault + strcspn(fault, "\n");
		line = xasprintf("%.*s", (int)(end - fault), fault);
		if (*said != NULL && strcmp(*said, line) == 0) {
			free(line);
			continue;
		}
		free(*said);
		*said = line;
		if (++*n <= REPORT_MAX)
			complain("%s (%s) %s", ns->host, dns_addr_text(&ns->addr), line);
	}
}

static void
report_server(const struct dns_check *c, const struct dns_zone *z, size_t s)
{
	char *said = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct dns_target *t = &c->target[i];

		if (t->zone == z && !t->served && !t->view[s].serves)
			report_lines(&z->ns[s], t->view[s].fault, &said, &n);
	}
	if (n > REPORT_MAX)
		complain("%s (%s) has %zu more faults", z->ns[s].host,
		    dns_addr_text(&z->ns[s].addr), n - REPORT_MAX);
	free(said);
}

/* What is to be said of the places of those that are served, or of the others. */
static void
report_places(const struct dns_check *c, bool served)
{
	const char *said = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const char *why = c->target[i].why;

		if (why == NULL || c->target[i].served != served)
			continue;
		if (said == NULL || strcmp(said, why) != 0)
			complain("%s", why);
		said = why;
	}
}

void
dns_check_report(const struct dns_check *c)
{
	report_places(c, false);
	for (size_t i = 0; i < c->nzone; i++) {
		if (c->zone[i]->why != NULL)
			complain("%s", c->zone[i]->why);
		for (size_t s = 0; s < c->zone[i]->n; s++)
			report_server(c, c->zone[i], s);
	}
}

/* Is there no way to that server? */
static bool
cut_off(const struct dns_check *c, const struct dns_zone *z, size_t s)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->target[i].zone == z && c->target[i].served && c->target[i].view[s].no_route)
			return true;
	return false;
}

void
dns_check_notes(const struct dns_check *c)
{
	report_places(c, true);
	for (size_t i = 0; i < c->nzone; i++)
		for (size_t s = 0; s < c->zone[i]->n; s++)
			if (cut_off(c, c->zone[i], s))
				complain("%s (%s) does not count: it cannot be reached from here",
				    c->zone[i]->ns[s].host,
				    dns_addr_text(&c->zone[i]->ns[s].addr));
}

char *
dns_check_why(const struct dns_check *c, size_t target)
{
	const struct dns_target *t = &c->target[target];
	const struct dns_view *v, *worst = NULL;
	const struct dns_ns *ns;
	const char *why = t->why;

	if (t->served)
		return NULL;
	/* A server that there is no way to counts if there is no other. */
	for (size_t s = 0; t->zone != NULL && s < t->zone->n; s++) {
		v = &t->view[s];
		if (!v->serves && v->fault != NULL &&
		    (worst == NULL || (worst->no_route && !v->no_route)))
			worst = v;
	}
	if (worst != NULL) {
		ns = &t->zone->ns[worst - t->view];
		return xasprintf("%s (%s) %.*s", ns->host, dns_addr_text(&ns->addr),
		    (int)strcspn(worst->fault, "\n"), worst->fault);
	}
	for (size_t i = 0; why == NULL && t->place.zone != NULL && i < c->nzone; i++)
		if (strcmp(c->zone[i]->apex, t->place.zone) == 0)
			why = c->zone[i]->why;
	return why != NULL ? xstrdup(why) : xasprintf("'%s' was not asked for", t->set->owner);
}

char *
dns_check_lag(const struct dns_check *c)
{
	const struct dns_ns *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->nzone; i++)
		for (size_t s = 0; s < c->zone[i]->n; s++) {
			bool lags = false;

			for (size_t t = 0; t < c->n && !lags; t++)
				lags = c->target[t].zone == c->zone[i] && !c->target[t].served &&
				    !c->target[t].view[s].serves && !c->target[t].view[s].no_route;
			if (lags && n++ == 0)
				first = &c->zone[i]->ns[s];
		}
	if (n == 0)
		return xstrdup("the primary");
	if (n == 1)
		return xasprintf("%s (%s)", first->host, dns_addr_text(&first->addr));
	return xasprintf("%s (%s) and %zu more", first->host, dns_addr_text(&first->addr), n - 1);
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
