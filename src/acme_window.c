/* acme_window.c: the step that asks CAs when they want certificates to be renewed
 * (RFC 9773), for all services in one go. */
#include "acme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MINUTE = 60, HOUR = 3600, DAY = 86400,	/* seconds */
	ASK_AGAIN = 6 * HOUR,	/* where the CA does not say when */
	TOGETHER = 100		/* questions under way */
};

/* One certificate to be asked about. */
struct question {
	const struct service_id *id;
	char *name;		/* "group/service" */
	const struct ca *ca;
	struct cert cert;
	char *ari_id;
	const struct window *old;
	struct window answer;
	char *url;
	struct http_req h;
};

/* 1 hour, 2, 4 ... a day after the last good answer. */
static long
back_off(const struct question *q, time_t now)
{
	time_t since = q->old != NULL && q->old->good != 0 ? now - q->old->good : 0;

	return since < HOUR ? HOUR : since > DAY ? DAY : (long)since;
}

/* Read what the site says of a service; false if there is nothing to be asked. */
static bool
prepare(struct question *q, const struct site *site, const struct windows *known)
{
	char *dir = service_dir(q->id), *path = xasprintf("%s/curr/cert.pem", dir);
	struct service s;
	const char *why;
	bool yes = false;

	if (service_load(&s, site, q->id)) {
		yes = s.ca->kind == CA_ACME && cert_load(&q->cert, path, &why);
		q->ca = s.ca;
		service_free(&s);
	}
	if (yes) {
		q->name = xasprintf("%s/%s", q->id->group, q->id->service);
		q->ari_id = ari_id(path);
		q->old = window_find(known, q->name, q->cert.serial);
		if (q->old != NULL)
			q->answer = *q->old;
		q->answer.id = q->name;
		snprintf(q->answer.serial, sizeof(q->answer.serial), "%s", q->cert.serial);
	}
	free(path);
	free(dir);
	return yes;
}

/* The moment in a window that is the certificate's own: drawn once, for its
 * number never changes. */
static bool
take_window(struct question *q, const json_t *json, time_t now)
{
	const json_t *w = json_object_get(json, "suggestedWindow");
	time_t start = order_time(json_str(w, "start")), end = order_time(json_str(w, "end"));
	const char *url = json_str(json, "explanationURL");
	bool moved = q->answer.start != start || q->answer.end != end;

	if (start == -1 || end == -1 || end <= start)
		return false;
	q->answer.start = start;
	q->answer.end = end;
	q->answer.at = start + (time_t)(q->cert.draw * (double)(end - start));
	q->answer.good = now;
	if (moved && url != NULL && url_ok(url))
		complain("%s: its CA explains when to renew: %s", q->name, url);
	return true;
}

static void
take_answer(struct question *q, time_t now, bool quiet)
{
	long wait = q->h.retry_after;
	json_t *json = q->h.status == 200 ?
	    json_loadb(q->h.body, q->h.len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (q->h.status == 200 && take_window(q, json, now))
		wait = wait < 0 ? ASK_AGAIN : wait < MINUTE ? MINUTE : wait > DAY ? DAY : wait;
	else if (q->h.status == 429 || q->h.status == 503)
		wait = wait < MINUTE ? back_off(q, now) : wait > DAY ? DAY : wait;
	else
		wait = q->h.status == 0 || q->h.status >= 500 ? back_off(q, now) : ASK_AGAIN;
	q->answer.next = now + wait;
	if (!quiet && q->answer.good != now)
		complain("%s: its CA does not say when to renew (%s)", q->name,
		    q->h.status == 0 ? q->h.why : q->h.status == 200 ? "no window" : "an error");
	json_decref(json);
}

/* All the questions to one CA; those without an answer are left with the time of
 * the next one. */
static void
ask(struct acme *a, struct question *q, size_t n, bool quiet)
{
	bool reached = acme_reach(a, true);
	const char *base = reached ? acme_resource(a, "renewalInfo") : NULL;
	time_t now = time(NULL);
	struct http_req *h;
	size_t sent = 0, done = 0;

	if (!reached && !quiet)
		complain("%s: cannot be reached; what it said of renewals stands", a->url);
	while (done < n) {
		for (; sent < n && sent - done < TOGETHER; sent++) {
			q[sent].url = base != NULL && q[sent].ari_id != NULL ?
			    xasprintf("%s/%s", base, q[sent].ari_id) : NULL;
			q[sent].h = (struct http_req){.url = q[sent].url, .who = &q[sent]};
			if (q[sent].url == NULL) {
				q[sent].answer.next = now + (reached ? DAY : back_off(&q[sent], now));
				done++;
				continue;
			}
			http_start(a->http, &q[sent].h);
		}
		if (done < n && (h = http_wait(a->http)) != NULL) {
			take_answer(h->who, now, quiet);
			http_free(h);
			done++;
		}
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct question *)a)->name, ((const struct question *)b)->name);
}

static int
is_name(const void *name, const void *b)
{
	return strcmp(name, ((const struct question *)b)->name);
}

/* The known windows, with the answers in the place of what was known of these. */
static int
remember(const struct windows *known, struct question *q, size_t n)
{
	struct windows all = {.window = xreallocarray(NULL, known->n + n, sizeof(*all.window))};
	int ret;

	qsort(q, n, sizeof(*q), by_name);
	for (size_t i = 0; i < n; i++)
		all.window[all.n++] = q[i].answer;
	for (size_t i = 0; i < known->n; i++) {
		if (bsearch(known->window[i].id, q, n, sizeof(*q), is_name) == NULL)
			all.window[all.n++] = known->window[i];
	}
	ret = windows_write(&all) == 0 ? EX_YES : EX_TEMP;
	windows_free(&all);
	return ret;
}

static int
by_ca(const void *a, const void *b)
{
	const struct question *x = a, *y = b;

	return x->ca < y->ca ? -1 : x->ca > y->ca;
}

int
step_window(const struct step_options *opt)
{
	struct step_options one = *opt;
	struct question *q;
	struct windows known;
	struct site site;
	struct acme a;
	size_t n = 0, m;
	int ret;

	site_load(&site, NULL, opt->operands);
	if (opt->in != NULL)
		site_only(&site, opt->in);
	windows_load(&known);
	q = xreallocarray(NULL, site.n, sizeof(*q));
	for (size_t i = 0; i < site.n; i++) {
		q[n] = (struct question){.id = &site.id[i]};
		n += prepare(&q[n], &site, &known);
	}
	qsort(q, n, sizeof(*q), by_ca);
	for (size_t i = 0; i < n; i += m) {
		for (m = 1; i + m < n && q[i + m].ca == q[i].ca; m++)
			;
		one.ca = q[i].ca->name;
		acme_open(&a, &one, m);
		ask(&a, q + i, m, opt->quiet);
		acme_close(&a);
	}
	ret = remember(&known, q, n);
	for (size_t i = 0; i < n; i++) {
		cert_free(&q[i].cert);
		free(q[i].name);
		free(q[i].ari_id);
		free(q[i].url);
	}
	free(q);
	windows_free(&known);
	if (site.bad && ret == EX_YES)
		ret = EX_USE;
	site_free(&site);
	return ret;
}
