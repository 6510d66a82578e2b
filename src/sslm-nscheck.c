/* sslm-nscheck: does every authoritative server serve these records? */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-nscheck [-qsv] [-C dir] [-k file] [-o file] [-p port] [-w seconds]\n"
    "       sslm-nscheck -h | -V\n";

enum {
	ONCE_MS = 60000,	/* for all questions, without -w */
	LAST_MS = 1000,		/* for the last ones, when the time of -w is over */
	POLL_FIRST_MS = 50,	/* between two rounds, to begin with, */
	POLL_LAST_MS = 10000,	/* and at most */
	EXTRA_MS = 20000,	/* for all that public resolvers are waited for */
	EXTRA_NS = 16,
	WAIT_MAX = 86400,
	DNS_PORT = 53
};

static bool quiet, verbose;

static void
pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* ---- what is seen while it waits ------------------------------------------------ */

/* On a terminal, in place; else a line each, with -v. */
static void
progress(const struct dns_check *c, int64_t began)
{
	bool tty = isatty(STDERR_FILENO);
	char *lag;

	if (quiet || !(tty || verbose))
		return;
	lag = dns_check_lag(c);
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

/* ---- the servers of the zones ----------------------------------------------------- */

/* Ask again and again, with growing pauses, what is missing still; true when nothing
 * is. */
static bool
wait_all(struct dns_check *c, int64_t began, long seconds)
{
	int64_t end = began + seconds * 1000, step = POLL_FIRST_MS, now, until = end;
	bool all;

	while (!(all = dns_check_round(c, until)) && (now = dns_now()) < end) {
		progress(c, began);
		pause_ms(step < end - now ? step : end - now);
		step = step * 3 / 2 < POLL_LAST_MS ? step * 3 / 2 : POLL_LAST_MS;
		until = end > dns_now() + LAST_MS ? end : dns_now() + LAST_MS;
	}
	progress_over();
	return all;
}

/* ---- public resolvers ---------------------------------------------------------------- */

struct extra {
	const char *name;
	struct dns_addr addr;
	char *fault;		/* what it said last that was wrong */
	bool silent;
};

/* "host" or "host#port", as in the file. */
static size_t
find_extras(const struct site *site, struct extra *e)
{
	const struct toml *at = NULL;
	const char *name, *mark;
	size_t n = 0;
	long port;
	char *host;

	while (n < EXTRA_NS && (name = conf_next(site->dns_xtra_ns, &at)) != NULL) {
		mark = strchr(name, '#');
		host = mark == NULL ? xstrdup(name) : xasprintf("%.*s", (int)(mark - name), name);
		port = mark == NULL ? DNS_PORT : strtol(mark + 1, NULL, 10);
		e[n] = (struct extra){.name = name};
		if (port > 0 && port <= UINT16_MAX && dns_addr_find(&e[n].addr, 1, host, port) == 1)
			n++;
		else if (!quiet)
			complain("the resolver '%s' has no address", name);
		free(host);
	}
	return n;
}

/* Ask a resolver for all sets; does it serve them? */
static void
ask_extras(const struct dns_check *c, struct extra *e, size_t n, int64_t until)
{
	struct dns_query *q = xmalloc(n * c->n * sizeof(*q));
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < c->n; t++)
			q[m++] = (struct dns_query){.name = c->target[t].place.target,
			    .type = c->target[t].set->type, .server = e[i].addr, .recurse = true};
	dns_ask(q, m, until);
	for (size_t i = 0; i < n; i++) {
		free(e[i].fault);
		e[i].fault = NULL;
		for (size_t t = 0; t < c->n && e[i].fault == NULL; t++) {
			const struct dns_query *one = &q[i * c->n + t];

			e[i].fault = dns_fault(one, c->target[t].set, c->superset);
			e[i].silent = one->fate != DNS_ANSWER;
		}
	}
	dns_free(q, m);
	free(q);
}

/* Those that serve all, or do not answer, are not waited for. */
static void
wait_extras(const struct dns_check *c, const struct site *site, int64_t end)
{
	struct extra e[EXTRA_NS], swap;
	size_t n = find_extras(site, e), all = n;
	int64_t step = POLL_FIRST_MS;

	if (end > dns_now() + EXTRA_MS)
		end = dns_now() + EXTRA_MS;
	while (n > 0 && dns_now() < end) {
		ask_extras(c, e, n, end);
		for (size_t i = n; i-- > 0;)
			if (e[i].fault == NULL || e[i].silent) {
				swap = e[--n];
				e[n] = e[i];
				e[i] = swap;
			}
		if (n > 0)
			pause_ms(step < end - dns_now() ? step : end - dns_now());
		step = step * 3 / 2 < POLL_LAST_MS ? step * 3 / 2 : POLL_LAST_MS;
	}
	for (size_t i = 0; i < all; i++) {
		if (e[i].fault != NULL && !quiet)
			complain("the resolver %s %.*s", e[i].name, (int)strcspn(e[i].fault, "\n"),
			    e[i].fault);
		free(e[i].fault);
	}
}

/* ---- */

/* The lines that all servers serve, as they were given. */
static bool
write_served(const struct dns_check *c, const struct dns_lines *l, const char *file)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok;

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < l->n; i++)
		if (c->target[l->line[i].set].served)
			fprintf(f, "%s\n", l->line[i].text);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ok = out_file(file, 0644, text, len) != -1;
	free(text);
	return ok;
}

/* The whole of it: EX_YES, EX_NO or EX_TEMP. */
static int
check(struct dns_check *c, const struct site *site, long wait)
{
	int64_t began = dns_now();
	bool all = wait > 0 ? wait_all(c, began, wait) : dns_check_round(c, began + ONCE_MS);

	if (!all) {
		dns_check_report(c);
		return wait > 0 ? EX_TEMP : EX_NO;
	}
	if (!quiet)
		dns_check_notes(c);
	if (wait > 0 && site != NULL && c->n > 0) {
		wait_extras(c, site, began + wait * 1000);
		pause_ms(began + site->dns_check_delay * 1000 - dns_now());
	}
	return EX_YES;
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *out = NULL, *keys = NULL;
	struct dns_anchors anchors;
	struct dns_check c = {.port = DNS_PORT};
	struct dns_lines lines;
	struct site site;
	bool have_site;
	long wait = 0;
	size_t len;
	char *text;
	int o, ret;

	start();
	while ((o = getopt(argc, argv, "C:hk:o:p:qsVvw:")) != -1)
		switch (o) {
		case 'C': dir = optarg; break;
		case 'k': keys = optarg; break;
		case 'o': out = optarg; break;
		case 'p': c.port = num(optarg, 1, 65535, "-p"); break;
		case 'q': quiet = true; break;
		case 's': c.superset = true; break;
		case 'v': verbose = true; break;
		case 'w': wait = num(optarg, 0, WAIT_MAX, "-w"); break;
		default: opt_other(o, usage);
		}
	if (optind < argc)
		opt_other('?', usage);
	if (keys != NULL) {	/* the path is one from here */
		if (!dns_anchors_read(&anchors, keys))
			finish(EX_USE);
		c.anchors = &anchors;
	}
	have_site = dir != NULL || access(SITE_CONF, F_OK) == 0;
	if (have_site)
		site_load(&site, dir, NULL);
	if ((text = slurp("-", &len)) == NULL)
		finish(EX_USE);
	if (strlen(text) != len)
		die(EX_USE, "standard input: has a NUL octet");
	if (!dns_lines_read(&lines, text, "standard input"))
		finish(EX_USE);
	c.site = have_site ? &site : NULL;
	dns_check_begin(&c, &lines);
	ret = check(&c, c.site, wait);
	if (out != NULL && !write_served(&c, &lines, out))
		ret = EX_TEMP;
	dns_check_free(&c);
	if (keys != NULL)
		dns_anchors_free(&anchors);
	dns_lines_free(&lines);
	if (have_site)
		site_free(&site);
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
