/* dns_report.c: what is told of a check. */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MAX = 50 };	/* lines about one server */
enum { SECOND = 1000, SPAN_TEXT = 48 };

/* The lines of a fault, but for those that were the last to be said. */
static void
report_lines(const struct dns_ns *ns, const struct dns_view *v, char **said, size_t *n)
{
	const char *end, *fault = v->fault;
	int64_t span = (v->last - v->since) / SECOND;
	char *line, asked[SPAN_TEXT] = "";

	if (span > 0)
		snprintf(asked, sizeof(asked), " (asked for %lld s)", (long long)span);
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
			complain("%s (%s) %s%s", ns->host, dns_addr_text(&ns->addr), line, asked);
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
			report_lines(&z->ns[s], &t->view[s], &said, &n);
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
