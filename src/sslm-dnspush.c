/* sslm-dnspush: tell the name server of the zones whose files have changed. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-dnspush [-q] [-C dir] [-w seconds] [zone ...]\n"
    "       sslm-dnspush -h | -V\n";

enum { SECONDS = 600, SECONDS_MAX = 86400 };

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

static int
push_all(const struct site *site, const struct words *zones, int seconds)
{
	const struct server *dns = site_server(site, "dns");
	const struct toml *at = NULL;
	const char *cmd;
	int ret = EX_YES;

	while (ret == EX_YES && dns != NULL && (cmd = conf_next(dns->restart_cmd, &at)) != NULL)
		if (*cmd != '\0')
			ret = push(site, cmd, zones, seconds);
	return ret;
}

int
main(int argc, char *argv[])
{
	const struct words none = {NULL, 0};
	struct words zones = {NULL, 0};
	const char *dir = NULL;
	int c, loaded, ret, seconds = SECONDS;
	bool quiet = false;
	struct site site;
	char *zone, *text;

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
	for (argv += optind; *argv != NULL; argv++) {
		if ((zone = zone_canon(*argv)) == NULL)
			die(EX_USE, "'%s': not a zone", *argv);
		words_add(&zones, zone);
	}
	words_sort(&zones);
	/* What is not done now is known to the next run. */
	if (zones.n > 0 && (make_dir("certs", 0755) == -1 || push_save(&zones) == -1))
		finish(EX_TEMP);
	ret = zones.n > 0 ? push_all(&site, &zones, seconds) : EX_YES;
	if (ret == EX_YES && push_save(&none) == -1)
		ret = EX_TEMP;
	if (ret == EX_YES && !quiet && zones.n > 0) {
		text = words_join(&zones, "\n", NULL);
		fputs(text, stdout);
		free(text);
	}
	if (ret == EX_YES && loaded == 1)
		ret = EX_PERM;
	words_free(&zones);
	site_free(&site);
	out_done();
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
