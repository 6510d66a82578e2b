/* dane_gate.c: may next be rolled, as far as DANE is concerned? */
#include "dane.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The records of a generation that DIR/link leads to; as tlsas_load(). */
static int
load(struct tlsas *l, const char *dir, const char *link)
{
	char *gen = xasprintf("%s/%s", dir, link), *path = tlsa_rr_path(gen);
	int ret = tlsas_load(l, path, NULL);

	free(path);
	free(gen);
	return ret;
}

/* Has anybody records at the owners of these? */
static bool
twin(const char *group, const struct tlsas *records)
{
	char *path = tlsa_group_path(group);
	struct tlsas all = {0};
	bool yes = false;

	/* A file that is not ours may hold anything. */
	if (tlsas_load(&all, path, NULL) == -1)
		yes = true;
	for (size_t i = 0; i < records->n && !yes; i++)
		yes = tlsas_owner(&all, records->rr[i].owner);
	tlsas_free(&all);
	free(path);
	return yes;
}

bool
dane_needed(const struct service_id *id, struct tlsas *needed)
{
	char *dir = service_dir(id), *cert = xasprintf("%s/curr/%s", dir, set_name[SET_CERT]);
	struct tlsas curr = {0}, next = {0};
	bool in_use = access(cert, F_OK) == 0;
	int have = load(&curr, dir, "curr"), want = load(&next, dir, "next");
	bool known = want == 1 || (want == 0 && (have == 0 || (have == 1 && curr.n == 0)));

	if (known && (in_use || twin(id->group, &next)))
		for (size_t i = 0; i < next.n; i++)
			if (!in_use || !tlsas_has(&curr, &next.rr[i]))
				tlsas_copy(needed, &next.rr[i]);
	tlsas_free(&next);
	tlsas_free(&curr);
	free(cert);
	free(dir);
	return known;
}

/* "2026-11-21 14:02:10Z" */
static char *
moment(time_t t)
{
	char buf[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		return xstrdup("?");
	return xstrdup(buf);
}

/* Why what has been seen is not enough, and from when on it is; NULL if it is. */
static char *
lacking(const struct evidence *e, const struct tlsas *needed, time_t now, time_t *at)
{
	char *since, *until, *why;

	if (e->seen == 0 || e->seen > now || !evidence_covers(e, needed)) {
		if (e->fault == NULL || !evidence_covers(e, needed))
			return xstrdup("no name server has been asked for its TLSA records yet");
		since = moment(e->since);
		why = xasprintf("%s (since %s)", e->fault, since);
		free(since);
		return why;
	}
	*at = e->seen + evidence_wait(e);
	if (now >= *at)
		return NULL;
	since = moment(e->seen);
	until = moment(*at);
	why = xasprintf("its TLSA records are visible since %s, waits %ld s (2 x TTL) until %s",
	    since, evidence_wait(e), until);
	free(since);
	free(until);
	return why;
}

/* Records that were withdrawn, since none are wanted any more, are in caches for a while
 * and do not allow the key of next.  Why it has to wait, or NULL. */
static char *
withdrawn(const struct service_id *id, const char *dir, time_t now, time_t *at)
{
	enum { LONGEST = 2 * 604800 };	/* seconds; more was written by a wrong clock */
	char *curr = xasprintf("%s/curr", dir), *zone = zone_canon(id->group);
	time_t until = info_get(curr, DANE_CACHED);
	char *when, *why = NULL;
	struct words untold = {NULL, 0};

	if (until > 0 && until - now <= LONGEST)
		push_load(&untold);
	if (zone != NULL && words_has(&untold, zone)) {
		why = xstrdup("the name server has not been told yet that its TLSA records are "
		    "withdrawn");
	} else if (until > now && until - now <= LONGEST) {
		*at = until;
		when = moment(until);
		why = xasprintf("its TLSA records were withdrawn, and caches may have them until %s",
		    when);
		free(when);
	}
	words_free(&untold);
	free(zone);
	free(curr);
	return why;
}

bool
dane_may_roll(const struct service_id *id, time_t now, char **why, time_t *at)
{
	char *dir = service_dir(id), *path = xasprintf("%s/next/tlsa.rr", dir);
	struct tlsas needed = {0};
	struct evidence e;

	*why = NULL;
	*at = 0;
	if (!dane_needed(id, &needed)) {
		*why = xstrdup("the TLSA records of next are not known; sslm-dane writes them");
	} else if (needed.n > 0) {
		evidence_load(&e, dir);
		*why = lacking(&e, &needed, now, at);
		evidence_free(&e);
	} else if (access(path, F_OK) == -1) {
		*why = withdrawn(id, dir, now, at);
	}
	tlsas_free(&needed);
	free(path);
	free(dir);
	return *why == NULL;
}
