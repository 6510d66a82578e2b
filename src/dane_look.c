/* dane_look.c: what name servers serve of the records of pending sets. */
#include "dane.h"
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	ONCE_MS = 30000,	/* for one look */
	LAST_MS = 1000,		/* for the last one, when the time to wait is over */
	POLL_FIRST_MS = 50,	/* between two looks, to begin with, */
	POLL_LAST_MS = 10000	/* and at most */
};

/* A service whose next waits for name servers. */
struct pending {
	const struct service_id *id;
	char *dir;
	struct tlsas needed;
	bool published;		/* all that is needed is in the zone's file */
};

static bool
whole(const char *dir)
{
	char *path = xasprintf("%s/next/%s", dir, set_name[SET_BUNDLE]);
	bool yes = access(path, F_OK) == 0;

	free(path);
	return yes;
}

/* The services that wait; the records at their owners are added to all. */
static struct pending *
find(const struct site *site, size_t *n, struct tlsas *all)
{
	struct pending *p = NULL;

	*n = 0;
	for (size_t i = 0; i < site->n; i++) {
		struct pending one = {.id = &site->id[i], .dir = service_dir(&site->id[i])};
		struct tlsas zone = {0};
		char *path;

		if (!whole(one.dir) || !dane_needed(one.id, &one.needed) || one.needed.n == 0) {
			free(one.dir);
			continue;
		}
		path = tlsa_group_path(one.id->group);
		tlsas_load(&zone, path, NULL);
		one.published = true;
		for (size_t k = 0; k < one.needed.n; k++)
			one.published = one.published && tlsas_has(&zone, &one.needed.rr[k]);
		for (size_t k = 0; k < zone.n && one.published; k++)
			if (tlsas_owner(&one.needed, zone.rr[k].owner))
				tlsas_copy(all, &zone.rr[k]);
		tlsas_free(&zone);
		free(path);
		p = xreallocarray(p, *n + 1, sizeof(*p));
		p[(*n)++] = one;
	}
	return p;
}

static char *
zone_lines(const struct tlsas *all)
{
	char *text, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < all->n; i++) {
		line = tlsa_line(&all->rr[i]);
		fprintf(f, "%s\n", line);
		free(line);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	return text;
}

/* Look until all is there, or the time is over. */
static void
look(struct dns_check *c, long wait)
{
	int64_t end = dns_now() + wait * 1000, step = POLL_FIRST_MS, now, until;

	until = wait > 0 ? end : dns_now() + ONCE_MS;
	while (!dns_check_round(c, until) && (now = dns_now()) < end) {
		int64_t ms = step < end - now ? step : end - now;
		struct timespec t = {ms / 1000, ms % 1000 * 1000000};

		nanosleep(&t, NULL);
		step = step * 3 / 2 < POLL_LAST_MS ? step * 3 / 2 : POLL_LAST_MS;
		until = end > dns_now() + LAST_MS ? end : dns_now() + LAST_MS;
	}
}

/* ---- what comes of it -------------------------------------------------------------- */

/* How the sets of one service fare. */
struct outcome {
	bool served, absent;	/* by all; some server has proved that it lacks one */
	long ttl;		/* the greatest that was seen */
	char *fault;		/* what the first one lacks, or NULL */
};

static bool
any_absent(const struct dns_target *t)
{
	for (size_t i = 0; t->zone != NULL && i < t->zone->n; i++)
		if (!t->view[i].serves && !t->view[i].silent && !t->view[i].no_route)
			return true;
	return false;
}

static struct outcome
judge(const struct dns_check *c, const struct pending *p)
{
	struct outcome o = {.served = p->published};

	if (!p->published)
		o.fault = xstrdup("its TLSA records are not published yet: sslm-dane failed, "
		    "or a server that depends on it was never reloaded with success");
	for (size_t i = 0; i < c->n && p->published; i++) {
		const struct dns_target *t = &c->target[i];

		if (!tlsas_owner(&p->needed, t->set->owner))
			continue;
		o.ttl = (long)t->ttl > o.ttl ? (long)t->ttl : o.ttl;
		if (t->served)
			continue;
		o.served = false;
		o.absent = o.absent || any_absent(t);
		if (o.fault == NULL)
			o.fault = dns_check_why(c, i);
	}
	return o;
}

/* The TTL of the records from before, if the zone's file tells of a greater one. */
static long
old_ttl(const char *group)
{
	char *path = tlsa_group_path(group);
	struct words notes = {NULL, 0};
	struct tlsas l = {0};
	long ttl;

	tlsas_load(&l, path, &notes);
	ttl = tlsas_ttl(&l, 0);
	for (size_t i = 0; i < notes.n; i++)
		if (strncmp(notes.w[i], ";; ttl ", 7) == 0 && strtol(notes.w[i] + 7, NULL, 10) > ttl)
			ttl = strtol(notes.w[i] + 7, NULL, 10);
	words_free(&notes);
	tlsas_free(&l);
	free(path);
	return ttl;
}

/*
 * Write down what was seen.  A server that has answered without a record voids what was
 * seen before; one that is silent does not, for it tells nobody anything.  A moment
 * that is still to come was written by a clock that was wrong.
 */
static bool
record(const struct pending *p, const struct outcome *o, time_t now)
{
	struct evidence was, e = {.since = now, .fault = o->fault};
	bool ok, same;

	evidence_load(&was, p->dir);
	same = evidence_covers(&was, &p->needed);
	if (same && was.seen > 0 && was.seen <= now && !o->absent && p->published) {
		e.seen = was.seen;
		e.ttl = was.ttl;
	} else if (o->served) {
		e.seen = now;
		e.ttl = old_ttl(p->id->group);
		e.ttl = o->ttl > e.ttl ? o->ttl : e.ttl;
	}
	if (same && was.fault != NULL && was.since > 0 && was.since <= now)
		e.since = was.since;
	for (size_t i = 0; i < p->needed.n; i++)
		tlsas_copy(&e.records, &p->needed.rr[i]);
	ok = evidence_save(&e, p->dir) == 0;
	e.fault = NULL;
	evidence_free(&e);
	evidence_free(&was);
	return ok;
}

int
dane_look(const struct site *site, long port, long wait, bool quiet)
{
	struct dns_check c = {.site = site, .port = port, .superset = true};
	struct tlsas all = {0};
	struct dns_lines lines;
	struct pending *p;
	int ret = EX_YES;
	size_t n;

	if ((p = find(site, &n, &all)) == NULL)
		return EX_YES;
	if (!dns_lines_read(&lines, zone_lines(&all), "TLSA records"))
		die(EX_PERM, "TLSA records of our own cannot be read");
	dns_check_begin(&c, &lines);
	look(&c, wait);
	for (size_t i = 0; i < n; i++) {
		struct outcome o = judge(&c, &p[i]);

		if (!record(&p[i], &o, time(NULL)))
			ret = EX_TEMP;
		if (o.fault != NULL && !quiet) {
			complain("%s/%s: %s", p[i].id->group, p[i].id->service, o.fault);
			ret = EX_TEMP;
		}
		free(o.fault);
		tlsas_free(&p[i].needed);
		free(p[i].dir);
	}
	dns_check_free(&c);
	dns_lines_free(&lines);
	tlsas_free(&all);
	free(p);
	return ret;
}
