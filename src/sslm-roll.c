/* sslm-roll: next becomes curr, by one rename. */
#include "dane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-roll [-fnq] [-C dir] [-k keep] [-m minutes] [service ...]\n"
    "       sslm-roll -c [-C dir] [-k keep] [service ...]\n"
    "       sslm-roll -h | -V\n";

struct order {
	const struct site *site;
	long minutes, keep;
	bool force, quiet, clean, dry;
	time_t now;
};

/*
 * How long the set in next has been there, by the record of its issuance.  If
 * the clock was ahead then, the record is set right, so that the wait starts
 * again and does not last for years.
 */
static time_t
age(const char *next, time_t now, bool dry)
{
	time_t issued = info_issued(next);

	if (issued <= now)
		return now - issued;
	complain("'%s' was issued in the future, says its record: the clock has changed; "
	    "the wait starts now", next);
	if (!dry)
		info_put(next, "issued", now);
	return 0;
}

/* May it roll now?  EX_YES, or EX_TEMP after a word on when. */
static int
gate(const char *name, const char *dir, const char *next, const struct order *o)
{
	char *curr = xasprintf("%s/curr/%s", dir, set_name[SET_CERT]);
	char left[SPAN_SIZE], when[STAMP_SIZE];
	bool in_use = access(curr, F_OK) == 0;
	time_t have, wait = o->minutes * 60;

	free(curr);
	if (!in_use || (have = age(next, o->now, o->dry)) >= wait)
		return EX_YES;
	span(left, wait - have);
	day_hour(when, o->now + wait - have);
	complain("%s: too soon to roll: in %s, at %sZ", name, left, when);
	return EX_TEMP;
}

/* May resolvers know the key in next by now?  EX_YES, or EX_TEMP after a word on what
 * is missing, unless it is forced. */
static int
dane_gate(const char *name, const struct service_id *id, const struct order *o)
{
	time_t at;
	char *why;
	int ret = EX_YES;

	if (o->site->test || dane_may_roll(id, o->now, &why, &at))
		return EX_YES;
	if (o->force) {
		complain("%s: rolled by force, mail may be refused: %s", name, why);
	} else {
		complain("%s: not rolled: %s", name, why);
		ret = EX_TEMP;
	}
	free(why);
	return ret;
}

/* Remove old generations, but for those that servers may be using. */
static int
prune_unused(const struct service_id *id, const char *dir, const struct order *o)
{
	struct words used = {NULL, 0};
	bool unknown = false, none = false;
	int ret = EX_YES;

	if (deployed_gens(o->site, id, &used, &unknown, &none)) {
		words_sort(&used);
		ret = prune(dir, o->keep, &used) == 0 ? EX_YES : EX_TEMP;
	}
	words_free(&used);
	return ret;
}

/* The links: prev to what was in use, then curr, by one rename of next. */
static int
switch_links(const char *dir)
{
	char *curr = xasprintf("%s/curr", dir), *next = xasprintf("%s/next", dir);
	char *prev = xasprintf("%s/prev", dir), old[300];
	int ret = EX_YES;

	if (!link_or_none(next) || !link_or_none(curr)) {
		ret = EX_PERM;
	} else if (link_target(curr, old, sizeof(old)) != NULL && out_link(old, prev) == -1) {
		ret = EX_TEMP;
	} else if (rename(next, curr) == -1) {
		complain("cannot rename '%s' to '%s':", next, curr);
		ret = EX_TEMP;
	} else if (sync_dir(dir) == -1) {
		ret = EX_TEMP;
	}
	free(prev);
	free(next);
	free(curr);
	return ret;
}

/* The record of the roll, in the set itself; also what is left to do when a
 * run was killed behind the rename. */
static int
note_roll(const char *dir, const char *service, time_t now)
{
	char *curr = xasprintf("%s/curr", dir);
	char *cert = xasprintf("%s/%s", curr, set_name[SET_CERT]);
	char *event = xasprintf("%s rolled to curr", service);
	int ret = EX_YES;

	if (access(cert, F_OK) == 0 && info_get(curr, "rolled to curr") == -1 &&
	    info_put(curr, event, now) == -1)
		ret = EX_TEMP;
	free(event);
	free(cert);
	free(curr);
	return ret;
}

/* No client trusts what ssl-mgr -t has left in next. */
static bool
for_tests(const char *next, const struct order *o)
{
	char *path = xasprintf("%s/%s", next, set_name[SET_CERT]);
	const char *why;
	struct cert c;
	bool yes = false;

	if (!o->site->test && !o->force && cert_load(&c, path, &why)) {
		yes = due_for_tests(&c, next);
		cert_free(&c);
	}
	free(path);
	return yes;
}

static int
roll(const struct service_id *id, const struct order *o)
{
	char *dir = service_dir(id), *next = xasprintf("%s/next", dir);
	char *name = xasprintf("%s/%s", id->group, id->service);
	int ret = EX_YES;

	if (o->clean) {
		ret = prune_unused(id, dir, o);
	} else if (next_state(dir) != NEXT_WHOLE) {
		ret = o->dry ? EX_YES : note_roll(dir, id->service, o->now);
	} else if (set_check(next, o->now) != EX_YES) {
		complain("%s: not rolled: the set in next does not fit together", name);
		ret = EX_PERM;
	} else if (for_tests(next, o)) {
		complain("%s: not rolled: next is of a CA for tests", name);
		ret = EX_PERM;
	} else if ((o->force || (ret = gate(name, dir, next, o)) == EX_YES) &&
	    (ret = dane_gate(name, id, o)) == EX_YES) {
		if (!o->dry && (ret = switch_links(dir)) == EX_YES &&
		    (ret = note_roll(dir, id->service, o->now)) == EX_YES)
			ret = prune_unused(id, dir, o);
		if (ret == EX_YES && !o->quiet)
			printf("%s\t%s\n", name, o->dry ? "would roll" : "rolled");
	}
	free(name);
	free(next);
	free(dir);
	return ret;
}

int
main(int argc, char *argv[])
{
	struct order o = {.minutes = -1, .keep = -1, .now = time(NULL)};
	const char *dir = NULL;
	struct site site;
	int c, one, worst = EX_YES;

	start();
	while ((c = getopt(argc, argv, "C:cfhk:m:nqV")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'c': o.clean = true; break;
		case 'f': o.force = true; break;
		case 'k': o.keep = num(optarg, 1, 1000000, "-k"); break;
		case 'm': o.minutes = num(optarg, 0, 525600, "-m"); break;
		case 'n': o.dry = true; break;
		case 'q': o.quiet = true; break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, argv + optind);
	o.site = &site;
	if (o.minutes == -1)
		o.minutes = site.min_roll_mins;
	if (o.keep == -1)
		o.keep = site.clean_keep;
	if (site.bad)
		worst = EX_USE;
	for (size_t i = 0; i < site.n; i++) {
		one = roll(&site.id[i], &o);
		/* A real failure counts for more than a roll that has to wait. */
		if (worst == EX_YES || (worst == EX_TEMP && one != EX_YES))
			worst = one;
	}
	site_free(&site);
	out_done();
	if (worst != EX_YES)
		finish(worst);
	return EX_YES;
}
