/* sslm-status: the certificates of the site, their dates, and what comes next. */
#include "dane.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

static const char usage[] =
    "usage: sslm-status [-jpv] [-C dir] [service ...]\n"
    "       sslm-status -h | -V\n";

enum colour { PLAIN, RED, GREEN, YELLOW, COLOURS };

/* One service; what is not known is empty. */
struct row {
	char name[160];
	char expires[STAMP_SIZE], life[SPAN_SIZE], left[SPAN_SIZE], renew[SPAN_SIZE + 8];
	char next[80];
	enum colour colour;
};

/* How all of them are shown. */
struct view {
	bool more, tty;
	int width;		/* of the longest name */
	time_t now;
	json_t *rows;		/* not NULL: JSON */
	struct sample *samples;	/* not NULL: for Prometheus */
	struct windows windows;
};

static const char *
paint(enum colour c, bool tty)
{
	static const char *const code[COLOURS] = {
	    [PLAIN] = "\033[0m", [RED] = "\033[31m", [GREEN] = "\033[32m", [YELLOW] = "\033[33m"};

	return tty ? code[c] : "";
}

/* What a complete next waits for. */
struct wait {
	time_t at;		/* when it can roll at the earliest; 0: that is not known */
	char *why;		/* what is missing in DNS, or NULL */
};

static struct wait
wait_of(const struct service_id *id, const struct due *d, const struct site *site, time_t now)
{
	char *dir = service_dir(id), *next = xasprintf("%s/next", dir);
	time_t wait = d->have_curr ? info_issued(next) + site->min_roll_mins * 60 : now, seen;
	struct wait w = {.at = wait};

	if (d->next == NEXT_WHOLE && !site->test && !dane_may_roll(id, now, &w.why, &seen))
		w.at = seen == 0 ? 0 : seen > wait ? seen : wait;
	free(next);
	free(dir);
	return w;
}

static void
say_next(struct row *r, const struct due *d, const struct wait *w, time_t now)
{
	char left[SPAN_SIZE];

	if (d->next == NEXT_NONE) {
		snprintf(r->next, sizeof(r->next), "-");
	} else if (d->next == NEXT_PART) {
		snprintf(r->next, sizeof(r->next), "begun");
	} else if (w->at == 0) {
		snprintf(r->next, sizeof(r->next), "waits for DNS");
	} else if (w->at > now) {
		span(left, w->at - now);
		snprintf(r->next, sizeof(r->next), "rolls in %s", left);
	} else {
		snprintf(r->next, sizeof(r->next), "ready to roll");
	}
}

static void
say_dates(struct row *r, const struct due *d, time_t now)
{
	if (!d->have_curr) {
		snprintf(r->renew, sizeof(r->renew), "%s", d->due ? "due" : "-");
		r->colour = RED;
		return;
	}
	day_hour(r->expires, d->curr.until);
	span(r->life, d->curr.until - d->curr.from);
	span(r->left, d->curr.until - now);
	if (d->due) {
		snprintf(r->renew, sizeof(r->renew), "due");
	} else if (d->renew <= now) {
		snprintf(r->renew, sizeof(r->renew), "-");
	} else {
		char left[SPAN_SIZE];

		span(left, d->renew - now);
		snprintf(r->renew, sizeof(r->renew), "in %s", left);
	}
	r->colour = d->curr.until <= now || d->curr.from > now ? RED : d->due ? YELLOW : GREEN;
}

static void
print_row(const struct row *r, const struct view *v)
{
	printf("%-*s  %-16s  %9s  %s%9s%s  %-12s  %s\n", v->width, r->name,
	    r->expires[0] != '\0' ? r->expires : "-", r->life[0] != '\0' ? r->life : "-",
	    paint(r->colour, v->tty), r->left[0] != '\0' ? r->left : "-",
	    paint(PLAIN, v->tty), r->renew, r->next);
}

/* What the next set remembers of orders that failed: words and values in lines. */
static void
print_failure(const struct service_id *id)
{
	char *path = xasprintf("certs/%s/%s/next/failed", id->group, id->service), *save = NULL;
	char *text = slurp_try(path, NULL), *safe;

	for (char *p = text != NULL ? strtok_r(text, "\n", &save) : NULL; p != NULL;
	    p = strtok_r(NULL, "\n", &save)) {
		safe = text_safe(p, strlen(p), "");
		if (strncmp(safe, "csr ", 4) != 0)
			printf("    %-10s %s\n", "failed:", safe);
		free(safe);
	}
	free(text);
	free(path);
}

/* What -v adds, a line each below the row. */
static void
print_more(const struct service *s, const struct due *d, const struct wait *w)
{
	char *issuer;

	if (d->due)
		printf("    %-10s %s\n", "due:", d->why);
	print_failure(s->id);
	if (w->why != NULL)
		printf("    %-10s %s\n", "waits:", w->why);
	if (!d->have_curr)
		return;
	issuer = text_safe(d->curr.issuer, strlen(d->curr.issuer), "");
	printf("    %-10s %s\n", "issuer:", issuer);
	free(issuer);
	printf("    %-10s %s\n", "key:", d->curr.kind);
	printf("    %-10s %s\n", "serial:", d->curr.serial);
	for (size_t i = 0; i < d->curr.nnames; i++)
		printf("    %-10s %s\n", i == 0 ? "names:" : "", d->curr.names[i]);
	printf("    %-10s %s\n", "ca:", s->ca->name);
	if (d->next != NEXT_NONE)
		printf("    %-10s db/%s\n", "next:", d->next_gen);
}

static json_t *
stamp_json(time_t t)
{
	char buf[STAMP_SIZE];

	stamp(buf, t);
	return json_string(buf);
}

static json_t *
row_json(const struct service_id *id, const struct due *d, const struct wait *w, bool ok)
{
	static const char *const state[] = {
	    [NEXT_NONE] = "none", [NEXT_PART] = "begun", [NEXT_WHOLE] = "ready"};
	json_t *o = json_pack("{s:s, s:s, s:b}", "group", id->group, "service", id->service,
	    "ok", ok), *names;

	if (o == NULL)
		die(EX_TEMP, "out of memory");
	if (!ok)
		return o;
	json_object_set_new(o, "due", json_boolean(d->due));
	if (d->due)
		json_object_set_new(o, "reason", json_string(d->why));
	json_object_set_new(o, "next", json_string(state[d->next]));
	if (d->next == NEXT_WHOLE && w->at != 0)
		json_object_set_new(o, "rolls", stamp_json(w->at));
	if (w->why != NULL)
		json_object_set_new(o, "waits", json_string(w->why));
	if (!d->have_curr)
		return o;
	json_object_set_new(o, "not_before", stamp_json(d->curr.from));
	json_object_set_new(o, "not_after", stamp_json(d->curr.until));
	json_object_set_new(o, "renew", stamp_json(d->renew));
	json_object_set_new(o, "issuer", json_string(d->curr.issuer));
	json_object_set_new(o, "serial", json_string(d->curr.serial));
	json_object_set_new(o, "key", json_string(d->curr.kind));
	json_object_set_new(o, "names", names = json_array());
	for (size_t i = 0; i < d->curr.nnames; i++)
		json_array_append_new(names, json_string(d->curr.names[i]));
	return o;
}

static void
fill(struct sample *p, const struct service *s, const struct due *d, const struct wait *w, bool ok)
{
	sample_put(p, METRIC_OK, ok);
	if (s == NULL)
		return;
	sample_put(p, METRIC_DUE, d->due);
	sample_put(p, METRIC_NEXT, d->next != NEXT_NONE);
	sample_put(p, METRIC_WHOLE, d->next == NEXT_WHOLE);
	if (d->next == NEXT_WHOLE && w->at != 0)
		sample_put(p, METRIC_ROLLS, (int64_t)w->at);
	sample_put(p, METRIC_WAITS, w->why != NULL);
	sample_failures(p);
	if (!d->have_curr)
		return;
	sample_put(p, METRIC_FROM, (int64_t)d->curr.from);
	sample_put(p, METRIC_UNTIL, (int64_t)d->curr.until);
	sample_put(p, METRIC_RENEW, (int64_t)d->renew);
	sample_put(p, METRIC_INFO, 1);
	sample_label(p, "issuer", d->curr.issuer);
	sample_label(p, "key", d->curr.kind);
	sample_label(p, "serial", d->curr.serial);
	sample_label(p, "ca", s->ca->name);
}

static void
print_json(json_t *rows)
{
	if (json_dumpf(rows, stdout, JSON_INDENT(1)) == -1)
		die(EX_TEMP, "cannot write standard output:");
	putchar('\n');
	json_decref(rows);
}

/* One service; false if something of it could not be read. */
static bool
show(const struct site *site, size_t i, const struct view *v)
{
	const struct service_id *id = &site->id[i];
	struct row r = {.next = "-", .renew = "?", .colour = RED};
	struct wait w = {0};
	struct service s;
	struct due d;
	bool loaded = service_load(&s, site, id), ok = loaded;

	snprintf(r.name, sizeof(r.name), "%s/%s", id->group, id->service);
	if (loaded) {
		ok = due_judge(&d, &s, &v->windows, v->now, false);
		say_dates(&r, &d, v->now);
		w = wait_of(id, &d, site, v->now);
		say_next(&r, &d, &w, v->now);
	}
	if (v->samples != NULL)
		fill(&v->samples[i], loaded ? &s : NULL, &d, &w, ok);
	else if (v->rows != NULL)
		json_array_append_new(v->rows, row_json(id, &d, &w, loaded));
	else
		print_row(&r, v);
	if (loaded && v->more && v->rows == NULL && v->samples == NULL)
		print_more(&s, &d, &w);
	if (loaded) {
		due_free(&d);
		service_free(&s);
	}
	free(w.why);
	return ok;
}

static bool
colours(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

static int
longest(const struct site *site)
{
	int n, width = (int)strlen("service");

	for (size_t i = 0; i < site->n; i++) {
		n = (int)(strlen(site->id[i].group) + strlen(site->id[i].service)) + 1;
		width = n > width ? n : width;
	}
	return width;
}

static struct sample *
samples(const struct site *site)
{
	struct sample *all = xreallocarray(NULL, site->n, sizeof(*all));

	for (size_t i = 0; i < site->n; i++)
		all[i] = (struct sample){.id = &site->id[i]};
	return all;
}

int
main(int argc, char *argv[])
{
	struct view v = {.now = time(NULL), .tty = colours()};
	const char *dir = NULL;
	bool json = false, prom = false, bad;
	struct site site;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:hjpvV")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'j': json = true; break;
		case 'p': prom = true; break;
		case 'v': v.more = true; break;
		default: opt_other(c, usage);
		}
	if (json && prom)
		die(EX_USE, "-j and -p: one at a time");
	site_load(&site, dir, argv + optind);
	v.width = longest(&site);
	windows_load(&v.windows);
	if (json && (v.rows = json_array()) == NULL)
		die(EX_TEMP, "out of memory");
	if (prom)
		v.samples = samples(&site);
	if (!json && !prom)
		printf("%-*s  %-16s  %9s  %9s  %-12s  %s\n", v.width, "service", "expires",
		    "lifetime", "left", "renewal", "next");
	bad = site.bad;
	for (size_t i = 0; i < site.n; i++)
		bad = !show(&site, i, &v) || bad;
	if (json)
		print_json(v.rows);
	if (prom)
		samples_print(v.samples, site.n);
	free(v.samples);
	windows_free(&v.windows);
	site_free(&site);
	out_done();
	if (bad)
		finish(EX_USE);
	return EX_YES;
}
