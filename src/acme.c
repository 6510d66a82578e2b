/* acme.c: a conversation with an ACME CA (RFC 8555, 6). */
#include "acme.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES = 5,		/* of one request, */
	NONCE_TRIES = 10,	/* where a nonce was refused */
	PATIENCE = 60,		/* seconds to wait for a CA that is busy */
	NONCE_MAX = 256,	/* octets */
	NONCES = 100,		/* that are kept */
	PAUSE_MS = 20,		/* the first pause; each is longer by a quarter */
	PAUSE_MAX_MS = 10000,
	CPU_SECONDS = 60	/* for what comes from elsewhere */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
sleep_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* ---- the CA and its account ---------------------------------------------- */

/* One directory for each CA that a URL leads to and each binding to an account
 * that somebody has there. */
static char *
account_dir(const struct site *site, const struct ca *ca, const char *url)
{
	char *name = xasprintf("%s%s%s", url + strlen("https://"),
	    ca->eab_kid != NULL ? "_" : "", ca->eab_kid != NULL ? ca->eab_kid : "");
	char *path, *dir;

	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr(".-", *p) == NULL)
			*p = '_';
	path = xasprintf("certs/.acme/%.200s", name);
	dir = site_path(site, path);
	free(path);
	free(name);
	return dir;
}

void
acme_open(struct acme *a, const struct step_options *opt, size_t names)
{
	struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	char *anchors = NULL;
	const char *key;

	*a = (struct acme){.deadline = time(NULL) + CONVERSATION + (time_t)names};
	site_load_conf(&a->site, NULL);
	a->ca = cainfo_find(&a->site, opt->ca);
	if (a->ca == NULL || a->ca->kind != CA_ACME)
		die(EX_USE, "'%s' is no ACME CA in conf.d/ca-info.conf", opt->ca);
	if ((a->url = ca_directory(&a->site, a->ca, &key)) == NULL || !url_ok(a->url))
		die(EX_USE, "conf.d/ca-info.conf: '%s' has no good %s", opt->ca, key);
	a->dir = account_dir(&a->site, a->ca, a->url);
	a->most = 60 + 6 * (unsigned)names;
	if (a->ca->bundle != NULL)
		anchors = site_path(&a->site, a->ca->bundle);
	setrlimit(RLIMIT_CPU, &cpu);
	a->http = http_open(anchors, a->deadline);
	free(anchors);
}

void
acme_close(struct acme *a)
{
	http_close(a->http);
	jws_close(a->jws);
	json_decref(a->directory);
	for (size_t i = 0; i < a->nonces; i++)
		free(a->nonce[i]);
	free(a->nonce);
	free(a->new_nonce);
	free(a->account);
	free(a->dir);
	site_free(&a->site);
}

char *
acme_key_path(const struct acme *a)
{
	return xasprintf("%s/privkey.pem", a->dir);
}

char *
acme_account_path(const struct acme *a)
{
	return xasprintf("%s/account.json", a->dir);
}

char *
acme_next_path(const struct acme *a)
{
	return xasprintf("%s/next.pem", a->dir);
}

void
acme_read_account(struct acme *a)
{
	char *path = acme_account_path(a), *text;
	const char *url;
	json_t *account;
	size_t len;

	if (access(path, F_OK) == -1)
		die(EX_USE, "no account at '%s' yet: sslm-acme account -c '%s' makes one",
		    a->ca->name, a->ca->name);
	if ((text = slurp(path, &len)) == NULL)
		finish(EX_PERM);
	account = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if ((url = json_url(account, "url")) == NULL)
		die(EX_PERM, "'%s' is damaged: remove it, and sslm-acme account finds the "
		    "account again", path);
	a->account = xstrdup(url);
	a->leaving = json_is_true(json_object_get(account, "deactivated"));
	json_decref(account);
	free(text);
	free(path);
}

void
acme_use_account(struct acme *a, bool new_key)
{
	char *key = acme_key_path(a), *next = acme_next_path(a);

	acme_read_account(a);
	if (a->leaving)
		die(EX_USE, "the account at '%s' was being deactivated: sslm-acme account -d "
		    "-c '%s' brings that to its end", a->ca->name, a->ca->name);
	if (!new_key && access(next, F_OK) == 0)
		complain("warning: the account at '%s' was being given another key: sslm-acme "
		    "account -k -c '%s' brings that to its end", a->ca->name, a->ca->name);
	a->jws = jws_open(key, '\0', NULL);
	free(key);
	free(next);
}

/* ---- nonces ----------------------------------------------------------------- */

static bool
nonce_ok(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return n > 0 && n <= NONCE_MAX;
}

static void
keep_nonce(struct acme *a, char **nonce)
{
	if (*nonce == NULL || !nonce_ok(*nonce) || a->nonces == NONCES)
		return;
	if (a->nonce == NULL)
		a->nonce = xreallocarray(NULL, NONCES, sizeof(*a->nonce));
	a->nonce[a->nonces++] = *nonce;
	*nonce = NULL;
}

void
acme_keep_nonce(struct acme *a, const char *nonce)
{
	char *copy = xstrdup(nonce);

	keep_nonce(a, &copy);
	free(copy);
}

static void
count(struct acme *a)
{
	if (++a->asked > a->most)
		die(EX_PERM, "%s: no end after %u requests", a->url, a->most);
}

static void
ask_nonce(struct acme *a)
{
	struct http_req *h = xmalloc(sizeof(*h));

	if (a->new_nonce == NULL)
		a->new_nonce = xstrdup(acme_need(a, "newNonce"));
	*h = (struct http_req){.url = a->new_nonce, .head = true};
	count(a);
	http_start(a->http, h);
}

static void
got_nonce(struct acme *a, struct http_req *h)
{
	size_t had = a->nonces;

	keep_nonce(a, &h->nonce);
	if (h->status == 0 && !h->again)
		die(h->wrong ? EX_PERM : EX_TEMP, "%s: %s", h->url, h->why);
	if ((h->status == 200 || h->status == 204) && a->nonces == had)
		die(EX_PERM, "%s: an answer without a nonce", h->url);
	http_free(h);
	free(h);
}

/* ---- requests ---------------------------------------------------------------- */

static bool
is_object(const char *body)
{
	return body != NULL && body[strspn(body, " \t\r\n")] == '{';
}

static void
sign_and_send(struct acme *a, struct acme_req *r)
{
	char *nonce = a->nonce[--a->nonces], *payload = NULL;

	count(a);
	if (r->payload != NULL)
		payload = b64url(r->payload, strlen(r->payload));
	r->signed_post = jws_ask(a->jws, "jws %s %s %s %s", r->url, nonce,
	    r->with_key ? "-" : a->account, payload != NULL ? payload : "-");
	free(payload);
	free(nonce);
	http_free(&r->h);
	json_decref(r->json);
	r->json = NULL;
	r->h = (struct http_req){.url = r->url, .post = r->signed_post, .once = r->once,
	    .accept = r->accept, .who = r};
	if (r->before != NULL && r->tries == 0)
		r->before(r->arg);
	r->busy = true;
	r->tries++;
	http_start(a->http, &r->h);
}

/* How long to wait before this is asked again, in ms; -1: not any more. */
static int64_t
again_in(const struct acme *a, const struct acme_req *r)
{
	int64_t wait = (int64_t)200 << (2 * (r->tries < TRIES ? r->tries - 1 : TRIES));	/* 0.2 s, 0.8 s, 3.2 s ... */

	if (problem_is(r, "badNonce"))
		return r->tries < NONCE_TRIES ? 0 : -1;
	if (r->tries >= TRIES)
		return -1;
	if (r->h.status == 0)
		return r->h.again && !r->once && r->tries < 4 ? wait : -1;
	if (r->h.status == 429 || r->h.status == 503) {
		if (r->h.retry_after >= 0)
			wait = (int64_t)r->h.retry_after * 1000;
		else if (r->h.status == 429)
			return -1;
		return wait <= PATIENCE * 1000 && time(NULL) + wait / 1000 < a->deadline ? wait : -1;
	}
	return r->h.status >= 500 && r->tries < 4 ? wait : -1;
}

static void
take_answer(struct acme *a, struct acme_req *r)
{
	int64_t wait;

	r->busy = false;
	free(r->signed_post);
	r->signed_post = NULL;
	keep_nonce(a, &r->h.nonce);
	if (is_object(r->h.body))
		r->json = json_loadb(r->h.body, r->h.len, JSON_REJECT_DUPLICATES, NULL);
	wait = again_in(a, r);
	if (wait == -1 && r->h.status == 0 && !r->spare)
		die(r->h.wrong ? EX_PERM : EX_TEMP, "%s: %s", r->url, r->h.why);
	r->done = wait == -1;
	r->not_before = now_ms() + wait;
}

/* Where a conversation is, counted anew for each step. */
struct flow {
	size_t left, busy, waiting;	/* requests: not done, on the way, without a nonce */
	size_t fetching;		/* nonces on the way */
	unsigned failed;		/* nonces that did not come */
	int64_t next;			/* when the first retry is to be sent; -1 */
};

static void
send_what_can_be(struct acme *a, struct acme_req *r, size_t n, struct flow *f)
{
	int64_t now = now_ms();

	f->left = f->busy = f->waiting = 0;
	f->next = -1;
	for (size_t i = 0; i < n; i++) {
		if (!r[i].done && !r[i].busy && r[i].not_before > now &&
		    (f->next == -1 || r[i].not_before < f->next))
			f->next = r[i].not_before;
		if (!r[i].done && !r[i].busy && r[i].not_before <= now) {
			if (a->nonces > 0)
				sign_and_send(a, &r[i]);
			else
				f->waiting++;
		}
		f->left += !r[i].done;
		f->busy += r[i].busy;
	}
}

/* Nonces for all that wait, and for what is to come, if they can be asked for side
 * by side; else one to begin with: each answer brings the next. */
static void
fetch_nonces(struct acme *a, struct flow *f)
{
	size_t want = f->waiting > f->busy ? f->waiting - f->busy : 0;

	if (http_parallel(a->http) && want < a->want)
		want = a->want;
	else if (!http_parallel(a->http))
		want = f->busy == 0;
	a->want = 0;
	for (; f->fetching < want && f->fetching < NONCES; f->fetching++)
		ask_nonce(a);
}

void
acme_post(struct acme *a, struct acme_req *r, size_t n)
{
	struct flow f = {0};
	struct http_req *h;

	if (a->new_nonce == NULL && n > 0)
		a->new_nonce = xstrdup(acme_need(a, "newNonce"));
	for (;;) {
		send_what_can_be(a, r, n, &f);
		if (f.left == 0 && f.fetching == 0)
			return;
		if (f.waiting > 0 && f.fetching == 0)
			fetch_nonces(a, &f);
		if (f.busy == 0 && f.fetching == 0) {
			sleep_ms(f.next - now_ms());
			continue;
		}
		if ((h = http_wait(a->http)) == NULL)
			die(EX_PERM, "a request got lost");
		if (h->who != NULL) {
			take_answer(a, h->who);
			continue;
		}
		f.fetching--;
		if (h->status != 200 && h->status != 204 && ++f.failed > 3)
			die(EX_TEMP, "%s: no nonce: %s", a->new_nonce,
			    h->status == 0 ? h->why : "the CA is busy");
		got_nonce(a, h);
	}
}

void
acme_free(struct acme_req *r)
{
	http_free(&r->h);
	json_decref(r->json);
	*r = (struct acme_req){0};
}

json_t *
acme_get(struct acme *a, const char *url, struct http_req *h, bool quiet)
{
	struct acme_req r = {.url = url};

	for (r.done = false; !r.done;) {
		*h = (struct http_req){.url = url};
		r.tries++;
		count(a);
		http_start(a->http, h);
		http_wait(a->http);
		r.h = *h;
		r.json = is_object(h->body) ?
		    json_loadb(h->body, h->len, JSON_REJECT_DUPLICATES, NULL) : NULL;
		r.not_before = again_in(a, &r);
		r.done = r.not_before == -1;
		if (!r.done) {
			sleep_ms(r.not_before);
			json_decref(r.json);
			http_free(h);
		}
	}
	if (h->status == 200 && r.json != NULL)
		return r.json;
	if (!quiet && h->status == 0)
		complain("%s: %s", url, h->why);
	else if (!quiet)
		problem_complain(&r, "%s", url);
	json_decref(r.json);
	return NULL;
}

/* ---- the directory ------------------------------------------------------------ */

bool
acme_reach(struct acme *a, bool quiet)
{
	struct http_req h;

	if (a->directory != NULL)
		return true;
	if ((a->directory = acme_get(a, a->url, &h, quiet)) == NULL && !quiet)
		finish(h.status == 0 ? (h.wrong ? EX_PERM : EX_TEMP) :
		    h.status == 429 || h.status >= 500 ? EX_TEMP : EX_PERM);
	http_free(&h);
	return a->directory != NULL;
}

const char *
acme_resource(struct acme *a, const char *name)
{
	acme_reach(a, false);
	if (json_object_get(a->directory, name) == NULL)
		return NULL;
	return json_url(a->directory, name);
}

const char *
acme_need(struct acme *a, const char *name)
{
	const char *url = acme_resource(a, name);

	if (url == NULL)
		die(EX_PERM, "%s: is no ACME directory: it has no '%s'", a->url, name);
	return url;
}

bool
acme_pause(struct acme *a, unsigned *n, long retry_after)
{
	int64_t ms = PAUSE_MS, left = (int64_t)(a->deadline - time(NULL)) * 1000;

	for (unsigned i = 0; i < *n && ms < PAUSE_MAX_MS; i++)
		ms += ms / 4;
	if (ms < (int64_t)retry_after * 1000)
		ms = (int64_t)retry_after * 1000;
	if (ms > PATIENCE * 1000)
		ms = PATIENCE * 1000;
	(*n)++;
	/* Looking again is not going in circles. */
	a->most++;
	if (ms > left)
		return false;
	sleep_ms(ms);
	return true;
}
