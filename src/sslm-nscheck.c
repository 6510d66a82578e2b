/* sslm-nscheck: does every authoritative server serve these records? */
#include "nscheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-nscheck [-jqsv] [-C dir] [-k file] [-o file] [-p port] [-w seconds]\n"
    "                    [zone ...]\n"
    "       sslm-nscheck -h | -V\n";

enum {
	ONCE_MS = 60000,	/* for all questions, without -w */
	LAST_MS = 1000,		/* for the last ones, when the time of -w is over */
	PARENTS_MS = 10000,	/* for the zones above */
	POLL_FIRST_MS = 50,	/* between two rounds, to begin with, */
	POLL_LAST_MS = 10000,	/* and at most */
	WAIT_MAX = 86400,
	ZONES_MAX = 1000,
	DNS_PORT = 53
};

static bool quiet, verbose;

struct job {
	struct dns_check c;
	struct dns_lines lines;
	bool begun;		/* c and lines are set */
	struct apex *apex;	/* the zones that were named */
	struct parent *parent;	/* of each of them */
	size_t n;
	char *text;		/* the lines of them all */
	const struct site *site;
	long wait;
};

/* ---- what is seen while it waits ------------------------------------------------ */

/* On a terminal, in place; else a line each, with -v. */
static void
progress(const struct job *j, int64_t began)
{
	bool tty = isatty(STDERR_FILENO);
	const struct dns_check *c = &j->c;
	char *lag;

	if (quiet || !(tty || verbose))
		return;
	lag = j->begun && c->left == 0 ? xstrdup("the zones above") :
	    j->begun ? dns_check_lag(c) : xstrdup("the primary");
	fprintf(stderr, "%ssslm-nscheck: %llds: %zu of %zu sets wait for %s%s", tty ? "\r" : "",
	    (long long)(dns_now() - began) / 1000, c->left, c->n, lag, tty ? "\033[K" : "\n");
	free(lag);
}

static void
progress_over(void)
{
	if (!quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* ---- zones that are named ----------------------------------------------------------- */

static void
end_check(struct job *j)
{
	if (j->begun) {
		dns_check_free(&j->c);
		dns_lines_free(&j->lines);
	}
	j->begun = false;
}

/* Check what the zones are now; what was seen before counts if that is the same. */
static bool
refresh(struct job *j, int64_t until)
{
	struct words all = {NULL, 0};
	bool ok = true;
	char *text;

	apex_find(j->site, j->apex, j->n, j->c.port, until);
	for (size_t i = 0; i < j->n; i++) {
		ok = ok && j->apex[i].why == NULL;
		if (j->apex[i].lines != NULL)
			words_add(&all, xstrdup(j->apex[i].lines));
	}
	text = words_join(&all, "", NULL);
	words_free(&all);
	if (j->begun && strcmp(text, j->text) == 0) {
		free(text);
		return ok;
	}
	end_check(j);
	free(j->text);
	j->text = text;
	ok = dns_lines_read(&j->lines, xstrdup(text), "the records of the primary") && ok;
	for (size_t i = 0; i < j->lines.nset; i++)
		for (size_t a = 0; a < j->n; a++)
			if (strcmp(j->lines.set[i].owner, j->apex[a].name) == 0)
				j->lines.set[i].source = j->apex[a].source;
	dns_check_begin(&j->c, &j->lines);
	j->begun = true;
	return ok;
}

/* Compare with the zones above, when there is nothing else to wait for. */
static bool
ask_parents(struct job *j, int64_t until)
{
	if (until > dns_now() + PARENTS_MS)
		until = dns_now() + PARENTS_MS;
	parents_free(j->parent, j->n);
	return parents_ask(j->site, j->parent, j->n, &j->lines, j->c.port, until);
}

/* ---- the servers of the zones ----------------------------------------------------- */

static bool
one_round(struct job *j, int64_t until)
{
	bool ok = j->n == 0 || refresh(j, until);

	ok = dns_check_round(&j->c, until) && ok;
	if (j->n > 0 && (ok || j->wait == 0))
		ok = ask_parents(j, until) && ok;
	return ok;
}

/* Ask again and again, with growing pauses, what is missing still; true when nothing
 * is. */
static bool
wait_all(struct job *j, int64_t began)
{
	int64_t end = began + j->wait * 1000, step = POLL_FIRST_MS, now, until = end;
	bool all;

	while (!(all = one_round(j, until)) && (now = dns_now()) < end) {
		progress(j, began);
		pause_ms(step < end - now ? step : end - now);
		step = step * 3 / 2 < POLL_LAST_MS ? step * 3 / 2 : POLL_LAST_MS;
		until = end > dns_now() + LAST_MS ? end : dns_now() + LAST_MS;
	}
	progress_over();
	return all;
}

/* The lines that all servers serve, as they were given. */
static bool
write_served(const struct job *j, const char *file)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok;

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < j->lines.n; i++)
		if (j->c.target[j->lines.line[i].set].served)
			fprintf(f, "%s\n", j->lines.line[i].text);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ok = out_file(file, 0644, text, len) != -1;
	free(text);
	return ok;
}

static void
report(const struct job *j)
{
	const char *why;

	for (size_t i = 0; i < j->n; i++)
		if ((why = j->apex[i].why) != NULL)
			complain("%s", why);
	dns_check_report(&j->c);
}

/* The whole of it; is all as it has to be? */
static bool
check(struct job *j)
{
	int64_t began = dns_now();
	bool all = j->wait > 0 ? wait_all(j, began) : one_round(j, began + ONCE_MS);

	if (!all)
		report(j);
	else if (!quiet)
		dns_check_notes(&j->c);
	parents_report(j->parent, j->n, verbose);
	if (all && j->wait > 0 && j->site != NULL && j->n == 0 && j->c.n > 0) {
		extras_wait(&j->c, j->site, began + j->wait * 1000, quiet);
		pause_ms(began + j->site->dns_check_delay * 1000 - dns_now());
	}
	return all;
}

/* ---- */

static void
take_zones(struct job *j, char *const names[], size_t n)
{
	if (n > ZONES_MAX)
		die(EX_USE, "more than %d zones", ZONES_MAX);
	j->n = n;
	j->apex = xmalloc(n * sizeof(*j->apex));
	j->parent = xmalloc(n * sizeof(*j->parent));
	for (size_t i = 0; i < n; i++) {
		if (!dns_plain(names[i]))
			die(EX_USE, "'%s' is not the name of a zone", names[i]);
		j->apex[i] = (struct apex){.name = dns_canon(names[i])};
		j->parent[i] = (struct parent){.name = j->apex[i].name};
		for (size_t k = 0; k < i; k++)
			if (strcmp(j->apex[k].name, j->apex[i].name) == 0)
				die(EX_USE, "the zone '%s' is named twice", j->apex[i].name);
	}
}

static void
take_lines(struct job *j)
{
	size_t len;
	char *text = slurp("-", &len);

	if (text == NULL)
		finish(EX_USE);
	if (strlen(text) != len)
		die(EX_USE, "standard input: has a NUL octet");
	if (!dns_lines_read(&j->lines, text, "standard input"))
		finish(EX_USE);
	dns_check_begin(&j->c, &j->lines);
	j->begun = true;
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *out = NULL, *keys = NULL;
	struct job j = {.c.port = DNS_PORT};
	struct dns_anchors anchors;
	struct site site;
	bool json = false, all;
	int o, ret;

	start();
	while ((o = getopt(argc, argv, "C:hjk:o:p:qsVvw:")) != -1)
		switch (o) {
		case 'C': dir = optarg; break;
		case 'j': json = true; break;
		case 'k': keys = optarg; break;
		case 'o': out = optarg; break;
		case 'p': j.c.port = num(optarg, 1, 65535, "-p"); break;
		case 'q': quiet = true; break;
		case 's': j.c.superset = true; break;
		case 'v': verbose = true; break;
		case 'w': j.wait = num(optarg, 0, WAIT_MAX, "-w"); break;
		default: opt_other(o, usage);
		}
	if (dir != NULL || access(SITE_CONF, F_OK) == 0) {
		site_load(&site, dir, NULL);
		j.site = j.c.site = &site;
	}
	if (keys != NULL) {
		if (!dns_anchors_read(&anchors, keys))
			finish(EX_USE);
		j.c.anchors = &anchors;
	}
	if (optind < argc)
		take_zones(&j, argv + optind, (size_t)(argc - optind));
	else
		take_lines(&j);
	all = check(&j);
	ret = all ? EX_YES : j.wait > 0 ? EX_TEMP : EX_NO;
	if (json)
		json_print(&j.c, j.apex, j.parent, j.n, all);
	if (out != NULL && !write_served(&j, out))
		ret = EX_TEMP;
	end_check(&j);
	parents_free(j.parent, j.n);
	apex_free(j.apex, j.n);
	free(j.parent);
	free(j.apex);
	free(j.text);
	if (keys != NULL)
		dns_anchors_free(&anchors);
	if (j.site != NULL)
		site_free(&site);
	out_done();
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
