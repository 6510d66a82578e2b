/* sslm-dnspush: tell the name server of the zones whose files have changed. */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-dnspush [-q] [-C dir] [-w seconds] [zone ...]\n"
    "       sslm-dnspush -h | -V\n";

enum {
	SECONDS = 600, SECONDS_MAX = 86400,
	UPDATE_SECONDS = 60,	/* that an update may wait for the server, */
	GRACE = 10		/* and this more before it is stopped */
};

/* ---- [dns] update --------------------------------------------------------------- */

/* Add a file, if there is one, to the command; false after a complaint. */
static bool
add_file(struct words *argv, char *path)
{
	bool ok = true;

	if (access(path, F_OK) == 0) {
		words_add(argv, path);
		return true;
	}
	if (errno != ENOENT) {
		complain("cannot read '%s':", path);
		ok = false;
	}
	free(path);
	return ok;
}

/* The command that makes the zone hold its challenges and TLSA records; what is in no
 * file is removed.  No server uses the keys of a test tree: its TLSA records stay where
 * they are.  False after a complaint. */
static bool
update_command(struct words *argv, const struct site *site, const char *server,
    const char *keyfile, const char *zone, long seconds)
{
	const char *fixed[] = {"sslm-nsupdate", "-q", "-s", server, "-k"};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		words_add(argv, xstrdup(fixed[i]));
	words_add(argv, site_path(site, keyfile));
	words_add(argv, xstrdup("-l"));
	words_add(argv, xasprintf("%s/%s", UPDATE_DIR, zone));
	words_add(argv, xstrdup("-w"));
	words_add(argv, xasprintf("%ld", seconds));
	words_add(argv, xstrdup("--"));
	words_add(argv, xstrdup(zone));
	return add_file(argv, xasprintf("%s/acme-challenge.%s", ZONES_DIR, zone)) &&
	    (site->test || add_file(argv, xasprintf("certs/%s/tlsa.%s", zone, zone)));
}

/* Update a zone; a status. */
static int
update(const struct site *site, const char *server, const char *keyfile, const char *zone,
    int64_t left)
{
	long seconds = left < UPDATE_SECONDS ? (long)left : UPDATE_SECONDS;
	struct words argv = {NULL, 0};
	struct ran r;
	char *text;

	if (seconds < 1) {
		complain("zone '%s': no time is left for its update", zone);
		return EX_TEMP;
	}
	if (!update_command(&argv, site, server, keyfile, zone, seconds)) {
		words_free(&argv);
		return EX_PERM;
	}
	r = run((const char *const *)argv.w, (int)seconds + GRACE);
	words_free(&argv);
	/* Its own failures it has told itself. */
	if (r.how == RAN_EXIT)
		return r.code == EX_TEMP || r.code == EX_USE ? r.code : r.code == 0 ? EX_YES : EX_PERM;
	text = ran_text(r);
	complain("zone '%s': sslm-nsupdate: %s", zone, text);
	free(text);
	return r.how == RAN_LATE ? EX_TEMP : EX_PERM;
}

/* Update all zones, in so many seconds.  Those of which it fails are added to left; a
 * status, of two different ones EX_PERM. */
static int
update_all(const struct site *site, const char *conf, const struct words *zones, int seconds,
    struct words *left)
{
	int64_t end = (int64_t)time(NULL) + seconds;
	int ret = EX_YES, one;
	char *server, *keyfile;

	if (!update_parts(conf, &server, &keyfile) || make_dir(UPDATE_DIR, 0700) == -1)
		finish(EX_TEMP);
	for (size_t i = 0; i < zones->n; i++) {
		one = update(site, server, keyfile, zones->w[i], end - (int64_t)time(NULL));
		if (one == EX_YES)
			continue;
		words_add(left, xstrdup(zones->w[i]));
		ret = ret == EX_YES || ret == one ? one : EX_PERM;
	}
	free(server);
	free(keyfile);
	return ret;
}

/* ---- [dns] restart_cmd ----------------------------------------------------------- */

/* One restart_cmd, for all zones. */
static int
push(const struct site *site, const char *cmd, const struct words *zones, int seconds)
{
	struct words argv = command_words(site, cmd);
	struct ran r;
	char *text;

	words_add(&argv, xstrdup("--serial_bump"));
	for (size_t i = 0; i < zones->n; i++)
		words_add(&argv, xstrdup(zones->w[i]));
	r = run((const char *const *)argv.w, seconds);
	words_free(&argv);
	if (ran_well(r))
		return EX_YES;
	text = ran_text(r);
	complain("[dns] restart_cmd '%s': %s", cmd, text);
	free(text);
	return r.how == RAN_LATE ? EX_TEMP : EX_PERM;
}

/* All commands for the zones; those of which it fails are added to left.  A status. */
static int
push_all(const struct site *site, const struct words *zones, int seconds, struct words *left)
{
	const struct server *dns = site_server(site, "dns");
	struct words done = {NULL, 0};
	const struct toml *at = NULL;
	int ret = EX_YES, pushed = EX_YES;
	const char *cmd;

	if (dns != NULL && dns->update != NULL)
		ret = update_all(site, dns->update, zones, seconds, left);
	for (size_t i = 0; i < zones->n; i++)
		if (!words_has(left, zones->w[i]))
			words_add(&done, xstrdup(zones->w[i]));
	while (done.n > 0 && pushed == EX_YES && dns != NULL &&
	    (cmd = conf_next(dns->restart_cmd, &at)) != NULL)
		if (*cmd != '\0')
			pushed = push(site, cmd, &done, seconds);
	for (size_t i = 0; pushed != EX_YES && i < done.n; i++)
		words_add(left, xstrdup(done.w[i]));
	words_sort(left);
	words_free(&done);
	return ret == EX_YES || ret == pushed ? pushed : pushed == EX_YES ? ret : EX_PERM;
}

/* ---- what is kept ----------------------------------------------------------------- */

static bool
is_group(const struct site *site, const char *zone)
{
	for (size_t i = 0; i < site->n; i++)
		if (strcmp(site->id[i].group, zone) == 0)
			return true;
	return false;
}

/* Add those that are named; once is for those that neither the site knows nor
 * certs/.push, which zones holds. */
static void
take(const struct site *site, char *const names[], struct words *zones, struct words *once)
{
	size_t n = zones->n;

	for (; *names != NULL; names++) {
		struct words known = {zones->w, n};
		char *zone = zone_canon(*names);

		if (zone == NULL)
			die(EX_USE, "'%s': not a zone", *names);
		if (!is_group(site, zone) && !words_has(&known, zone))
			words_add(once, xstrdup(zone));
		words_add(zones, zone);
	}
	words_sort(zones);
	words_sort(once);
}

/* Zones, as certs/.push has them: not those that were mistyped, perhaps, with which
 * restart_cmd would fail for all others in every run. */
static int
keep(const struct words *zones, const struct words *once)
{
	struct words kept = {NULL, 0};
	int ret;

	for (size_t i = 0; i < zones->n; i++)
		if (!words_has(once, zones->w[i]))
			words_add(&kept, xstrdup(zones->w[i]));
	ret = push_save(&kept);
	words_free(&kept);
	return ret;
}

int
main(int argc, char *argv[])
{
	struct words zones = {NULL, 0}, left = {NULL, 0}, once = {NULL, 0};
	const char *dir = NULL;
	int c, loaded, ret, seconds = SECONDS;
	bool quiet = false;
	struct site site;

	start();
	while ((c = getopt(argc, argv, "C:hqVw:")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'q': quiet = true; break;
		case 'w': seconds = (int)num(optarg, 1, SECONDS_MAX, "-w"); break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, NULL);
	if ((loaded = push_load(&zones)) == -1)
		finish(EX_PERM);
	take(&site, argv + optind, &zones, &once);
	/* What is not done now is known to the next run. */
	if (zones.n > 0 && (make_dir("certs", 0755) == -1 || keep(&zones, &once) == -1))
		finish(EX_TEMP);
	ret = zones.n > 0 ? push_all(&site, &zones, seconds, &left) : EX_YES;
	if (keep(&left, &once) == -1)
		ret = ret == EX_YES ? EX_TEMP : ret;
	for (size_t i = 0; !quiet && i < zones.n; i++)
		if (!words_has(&left, zones.w[i]))
			puts(zones.w[i]);
	if (ret == EX_YES && loaded == 1)
		ret = EX_PERM;
	words_free(&zones);
	words_free(&left);
	words_free(&once);
	site_free(&site);
	out_done();
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
