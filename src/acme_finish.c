/* acme_finish.c: the step from an order to its certificate (RFC 8555, 7.4, 7.5.1). */
#include "acme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum {
	FRESH = 60,		/* seconds; older nonces are not worth a try */
	LOOK_CLOSER = 5		/* seconds until the authorizations are asked for */
};

static const char PEM_CHAIN[] = "application/pem-certificate-chain";

/* The order cannot come to a good end: say so, remember, and forget the order. */
static noreturn void
lost(struct order *o, const char *why, int status)
{
	failure_note(o, why, -1);
	order_forget(o);
	finish(status);
}

/* What the order's step left of its conversation. */
static void
take_over(struct acme *a, const struct order *o)
{
	const json_t *v;
	const char *s;
	size_t i;

	a->new_nonce = xstrdup(json_str(o->file, "newNonce"));
	if (json_integer_value(json_object_get(o->file, "saved")) < time(NULL) - FRESH)
		return;
	json_array_foreach(json_object_get(o->file, "nonces"), i, v)
		if ((s = json_string_value(v)) != NULL)
			acme_keep_nonce(a, s);
}

/* ---- challenges ---------------------------------------------------------------- */

/* Tell the CA that it may look.  One that was told before may answer with an error;
 * whether that matters shows in the order.  The first error is kept. */
static char *
answer(struct acme *a, const struct order *o)
{
	const json_t *list = json_object_get(o->file, "challenges"), *v;
	size_t i, n = json_array_size(list);
	struct acme_req *r = xreallocarray(NULL, n, sizeof(*r));
	char *why = NULL, *text;

	json_array_foreach(list, i, v) {
		r[i] = (struct acme_req){.url = json_url(v, "url"), .payload = "{}"};
		if (r[i].url == NULL)
			die(EX_PERM, "'%s' is damaged; remove it", o->path[ORDER_FILE]);
	}
	acme_post(a, r, n);
	json_array_foreach(list, i, v) {
		if (problem_passes(&r[i]))
			finish(problem_complain(&r[i], "%s: %s", o->set, json_str(v, "identifier")));
		if (r[i].h.status != 200 && why == NULL) {
			text = problem_of(&r[i]);
			why = xasprintf("%s: %s", json_str(v, "identifier"), text);
			free(text);
		}
		acme_free(&r[i]);
	}
	free(r);
	return why;
}

/* Is an authorization pending, and the CA at work on none of its challenges? */
static bool
is_idle(const json_t *authorization)
{
	const json_t *c;
	const char *status = json_str(authorization, "status");
	size_t i;

	if (status == NULL || strcmp(status, "pending") != 0)
		return false;
	json_array_foreach(json_object_get(authorization, "challenges"), i, c)
		if ((status = json_str(c, "status")) != NULL && strcmp(status, "processing") == 0)
			return false;
	return true;
}

/* The reason that an authorization of the order is not valid, for each that is not;
 * the first of these, which the caller frees, or NULL if there are none.  *idle: one
 * waits, and not for the CA. */
static char *
complain_of_invalid(struct acme *a, const struct order *o, bool *idle)
{
	const json_t *list = json_object_get(o->file, "challenges"), *v, *c;
	size_t i, j, n = json_array_size(list);
	struct acme_req *r = xreallocarray(NULL, n, sizeof(*r));
	char *text, *why, *first = NULL;
	const char *status;

	json_array_foreach(list, i, v)
		r[i] = (struct acme_req){.url = json_str(v, "authorization")};
	acme_post(a, r, n);
	*idle = false;
	json_array_foreach(list, i, v) {
		*idle = *idle || is_idle(r[i].json);
		status = json_str(r[i].json, "status");
		if (status != NULL && strcmp(status, "pending") != 0 && strcmp(status, "valid") != 0) {
			text = NULL;
			json_array_foreach(json_object_get(r[i].json, "challenges"), j, c)
				if (text == NULL && json_is_object(json_object_get(c, "error")))
					text = problem_text(json_object_get(c, "error"));
			why = xasprintf("%s: not validated by %s: %s", json_str(v, "identifier"),
			    json_str(v, "type"), text != NULL ? text : "no reason given");
			complain("%s: %s", o->set, why);
			if (first == NULL)
				first = xstrdup(why);
			free(why);
			free(text);
		}
		acme_free(&r[i]);
	}
	free(r);
	return first;
}

static noreturn void
invalid(struct acme *a, struct order *o, const struct acme_req *r)
{
	const json_t *error = json_object_get(r->json, "error");
	char *text = r->h.status == 200 ? problem_text(error) : problem_of(r);
	bool idle;
	char *why = complain_of_invalid(a, o, &idle);

	if (why == NULL)	/* else it says the same */
		complain("%s: the order is invalid: %s", o->set, text);
	lost(o, why != NULL ? why : text, EX_PERM);
}

/* ---- the order ------------------------------------------------------------------- */

enum state { PENDING, READY, PROCESSING, VALID, INVALID, STATES };

static enum state
state_of(struct order *o, const struct acme_req *r)
{
	static const char *const names[STATES] = {"pending", "ready", "processing", "valid",
	    "invalid"};
	const char *status = json_str(r->json, "status");
	int s;

	if (r->h.status == 404 || problem_is(r, "orderNotFound"))
		return INVALID;
	if (r->h.status != 200 || status == NULL)
		finish(problem_complain(r, "%s: the order", o->set));
	for (s = 0; s < STATES && strcmp(names[s], status) != 0; s++)
		;
	if (s == STATES) {
		complain("%s: the order is in a state that is none", o->set);
		lost(o, "the order is in a state that is none", EX_PERM);
	}
	return (enum state)s;
}

/* Ask for the order, after a pause, until it is in another state than that. */
static enum state
wait_while(struct acme *a, struct order *o, enum state old, struct acme_req *r, const char *why)
{
	time_t begin = time(NULL), closer = begin + LOOK_CLOSER;
	unsigned pauses = 0;
	char *invalid_name;
	bool idle, doubt = why != NULL;
	enum state s;
	long retry = r->h.retry_after;

	for (;;) {
		if (!acme_pause(a, &pauses, retry))
			die(EX_TEMP, "%s: the order is still %s after %ld s%s%s", o->set,
			    old == PENDING ? "pending" : "processing", (long)(time(NULL) - begin),
			    why != NULL ? ": " : "", why != NULL ? why : "");
		acme_free(r);
		r->url = json_str(o->file, "url");
		acme_post(a, r, 1);
		s = state_of(o, r);
		if (s != old)
			return s;
		retry = r->h.retry_after;
		if (old != PENDING || (time(NULL) < closer && (!doubt || pauses <= 5)))
			continue;
		doubt = false;
		/* A CA may leave the order as it is when a name is lost. */
		if ((invalid_name = complain_of_invalid(a, o, &idle)) != NULL)
			lost(o, invalid_name, EX_PERM);
		/* An answer that was refused because the CA has it from a run that was
		 * killed does not count. */
		if (why != NULL && idle) {
			complain("%s: %s", o->set, why);
			lost(o, why, EX_PERM);
		}
		closer = time(NULL) + 2 * (closer - begin);
	}
}

static enum state
finalize(struct acme *a, struct order *o, struct acme_req *r)
{
	char *payload = xasprintf("{\"csr\":\"%s\"}", o->csr_b64), *why;
	int status;

	acme_free(r);
	r->url = json_str(o->file, "finalize");
	r->payload = payload;
	acme_post(a, r, 1);
	free(payload);
	r->payload = NULL;
	if (r->h.status == 200 && r->json != NULL)
		return state_of(o, r);
	if (problem_is(r, "orderNotReady"))
		return PROCESSING;	/* it has been finalized before */
	why = problem_of(r);
	status = problem_complain(r, "%s: the request was refused", o->set);
	if (status == EX_TEMP)
		finish(status);
	lost(o, why, status);
}

/* From what the order is now to a certificate's URL in it. */
static void
complete(struct acme *a, struct order *o, struct acme_req *r)
{
	char *why = answer(a, o);
	unsigned pauses = 0;
	enum state s;

	if (json_array_size(json_object_get(o->file, "challenges")) > 0)
		acme_pause(a, &pauses, -1);
	r->url = json_str(o->file, "url");
	acme_post(a, r, 1);
	s = state_of(o, r);
	if (s == PENDING)
		s = wait_while(a, o, PENDING, r, why);
	free(why);
	if (s == READY)
		s = finalize(a, o, r);
	if (s == PROCESSING)
		s = wait_while(a, o, PROCESSING, r, NULL);
	if (s == INVALID)
		invalid(a, o, r);
	if (s != VALID)
		die(EX_TEMP, "%s: the order went back to an earlier state", o->set);
	if (json_url(r->json, "certificate") == NULL) {
		complain("%s: the CA's valid order is without a certificate", o->set);
		lost(o, "a valid order without a certificate", EX_PERM);
	}
}

/* ---- the certificate --------------------------------------------------------------- */

/* Is this the CN of the issuer of the last certificate? */
static bool
topped_by(STACK_OF(X509) *chain, const char *cn)
{
	const X509 *top = sk_X509_value(chain, sk_X509_num(chain) - 1);
	const X509_NAME *name = X509_get_issuer_name(top);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	bool yes;

	if (at < 0 || ASN1_STRING_to_UTF8(&text,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) < 0)
		return false;
	yes = strcmp((char *)text, cn) == 0;
	OPENSSL_free(text);
	return yes;
}

static STACK_OF(X509) *
chain_in(const struct acme_req *r)
{
	if (r->h.status == 200)
		return pem_certs_text(r->url, r->h.body, r->h.len);
	problem_complain(r, "%s", r->url);
	return NULL;
}

/* The chain that ca_preferred_chain names, among those that the CA has besides the
 * first one; NULL if there is none. */
static STACK_OF(X509) *
preferred(struct acme *a, const struct acme_req *first)
{
	struct acme_req r[LINK_MAX];
	STACK_OF(X509) *chain = NULL, *one;
	size_t n = 0;

	for (size_t i = 0; i < first->h.nalternate; i++)
		if (url_ok(first->h.alternate[i]))
			r[n++] = (struct acme_req){.url = first->h.alternate[i], .accept = PEM_CHAIN,
			    .spare = true};
	acme_post(a, r, n);
	for (size_t i = 0; i < n; i++) {
		one = chain == NULL && r[i].h.status == 200 ? chain_in(&r[i]) : NULL;
		if (one != NULL && topped_by(one, a->ca->preferred_chain))
			chain = one;
		else
			sk_X509_pop_free(one, X509_free);
		acme_free(&r[i]);
	}
	return chain;
}

/* Is the chain in order, its certificate for our key and our names, and are the
 * dates true now? */
static bool
good(const struct order *o, STACK_OF(X509) *chain, const char *url)
{
	struct set s = {.csr = o->csr, .full = chain, .cert = sk_X509_value(chain, 0)};

	for (int i = 0; i < SET_N; i++)
		s.path[i] = xstrdup(i == SET_CSR ? o->path[ORDER_CSR] : url);
	bool ok = set_issued(&s, time(NULL));
	for (int i = 0; i < SET_N; i++)
		free(s.path[i]);
	return ok;
}

/* Write count of the certificates from that on. */
static int
write_certs(const char *set, int file, STACK_OF(X509) *chain, int from, int count)
{
	char *path = xasprintf("%s/%s", set, set_name[file]), *text;
	BIO *mem = BIO_new(BIO_s_mem());
	bool ok = mem != NULL;
	int ret = EX_TEMP;
	long len;

	for (int i = from; ok && i < from + count; i++)
		ok = PEM_write_bio_X509(mem, sk_X509_value(chain, i)) == 1;
	if (!ok)
		pem_complain("cannot encode '%s'", path);
	else if ((len = BIO_get_mem_data(mem, &text)) >= 0 &&
	    out_file(path, 0644, text, (size_t)len) != -1)
		ret = EX_YES;
	BIO_free(mem);
	free(path);
	return ret;
}

static void
download(struct acme *a, struct order *o, const struct acme_req *order)
{
	struct acme_req r = {.url = json_url(order->json, "certificate"), .accept = PEM_CHAIN};
	STACK_OF(X509) *chain, *other = NULL;
	const char *want = a->ca->preferred_chain;
	int n;

	acme_post(a, &r, 1);
	if (problem_passes(&r))
		finish(problem_complain(&r, "%s", r.url));
	if ((chain = chain_in(&r)) == NULL)
		lost(o, "the CA gave something else than certificates", EX_PERM);
	if (want != NULL && *want != '\0' && !topped_by(chain, want)) {
		if ((other = preferred(a, &r)) == NULL)
			complain("warning: '%s' offers no chain that ends below '%s'; its first "
			    "one is used", a->ca->name, want);
		if (other != NULL && good(o, other, r.url)) {
			sk_X509_pop_free(chain, X509_free);
			chain = other;
		} else {
			sk_X509_pop_free(other, X509_free);
		}
	}
	if (!good(o, chain, r.url))
		lost(o, "the CA gave a certificate that is not what was ordered", EX_PERM);
	n = sk_X509_num(chain);
	/* cert.pem last: it tells that both are there. */
	if (write_certs(o->set, SET_CHAIN, chain, 1, n - 1) != EX_YES ||
	    write_certs(o->set, SET_CERT, chain, 0, 1) != EX_YES)
		finish(EX_TEMP);
	failure_forget(o);
	sk_X509_pop_free(chain, X509_free);
	acme_free(&r);
}

int
step_finish(const struct step_options *opt)
{
	struct acme_req r = {0};
	struct order o;
	struct acme a;

	order_open(&o, opt->operands[0]);
	if (order_done(o.set))
		return EX_YES;
	acme_open(&a, opt, o.names);
	acme_use_account(&a, false);
	if (!order_read(&o, &a))
		die(EX_PERM, "%s: there is no order for this request: sslm-acme order makes one",
		    o.set);
	take_over(&a, &o);
	complete(&a, &o, &r);
	download(&a, &o, &r);
	acme_free(&r);
	acme_close(&a);
	order_close(&o);
	return EX_YES;
}
