/* acme_order.c: the step that asks for a certificate (RFC 8555, 7.4). */
#include "acme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOON = 300 };	/* seconds; an order that ends sooner is not gone on with */

/* What a CA may refuse without the order being lost. */
struct wish {
	const char *profile;
	char *replaces;		/* the certificate's identifier, RFC 9773, 4.1 */
};

static json_t *
identifiers(const struct order *o)
{
	json_t *list = json_array();
	unsigned char addr[16];

	for (size_t i = 0; i < o->names; i++)
		if (json_array_append_new(list, json_pack("{s:s, s:s}", "type",
		    name_ip(o->name[i], addr) != 0 ? "ip" : "dns", "value", o->name[i])) == -1)
			die(EX_TEMP, "out of memory");
	return list;
}

static char *
new_order_payload(const struct order *o, const struct wish *w)
{
	json_t *order = json_pack("{s:o}", "identifiers", identifiers(o));
	char *text;

	if (order != NULL && w->profile != NULL)
		json_object_set_new(order, "profile", json_string(w->profile));
	if (order != NULL && w->replaces != NULL)
		json_object_set_new(order, "replaces", json_string(w->replaces));
	if (order == NULL || (text = json_dumps(order, JSON_COMPACT)) == NULL)
		die(EX_TEMP, "out of memory");
	json_decref(order);
	return text;
}

/* The profile, if the CA offers it; that which nobody asked for is not missed. */
static const char *
profile(struct acme *a)
{
	const json_t *offered;
	bool said = a->ca->profile != NULL;
	const char *want = said ? a->ca->profile : "tlsserver";

	if (*want == '\0')
		return NULL;
	acme_need(a, "newOrder");
	offered = json_object_get(json_object_get(a->directory, "meta"), "profiles");
	if (json_object_get(offered, want) != NULL)
		return want;
	if (said)
		complain("warning: '%s' offers no profile '%s'; its default is used", a->ca->name,
		    want);
	return NULL;
}

/* The certificate that the new one is to replace, if the CA has ARI and both are
 * of one account there. */
static char *
replaces(struct acme *a, const char *set)
{
	char *path, *cert, *text, *id = NULL;
	json_t *file;
	size_t len;

	if (set == NULL || acme_resource(a, "renewalInfo") == NULL)
		return NULL;
	path = xasprintf("%s/order.json", set);
	cert = xasprintf("%s/cert.pem", set);
	if ((text = slurp_try(path, &len)) != NULL) {
		file = json_loadb(text, len, 0, NULL);
		if (json_str(file, "account") != NULL &&
		    strcmp(json_str(file, "account"), a->account) == 0)
			id = ari_id(cert);
		json_decref(file);
		free(text);
	}
	free(cert);
	free(path);
	return id;
}

/* An answer that another question may change. */
static bool
refuses(const struct acme_req *r)
{
	return r->h.status >= 400 && r->h.status < 500 && r->h.status != 429 &&
	    !problem_is(r, "accountDoesNotExist");
}

static void
before(void *order)
{
	failure_asking(order);
}

/* Ask, and where a wish is the reason for a refusal once more without it. */
static void
ask(struct acme *a, struct order *o, const char *old, struct acme_req *r)
{
	struct wish w = {profile(a), replaces(a, old)};
	char *payload;
	bool known = true, first = true;

	for (;;) {
		payload = new_order_payload(o, &w);
		*r = (struct acme_req){.url = acme_need(a, "newOrder"), .payload = payload,
		    .once = true, .before = first ? before : NULL, .arg = o};
		first = false;
		acme_post(a, r, 1);
		free(payload);
		r->payload = NULL;
		if (w.profile != NULL && problem_is(r, "invalidProfile")) {
			problem_complain(r, "warning: without the profile '%s'", w.profile);
			w.profile = NULL;
		} else if (w.replaces != NULL && refuses(r)) {
			/* alreadyReplaced, or it does not know it */
			free(w.replaces);
			w.replaces = NULL;
		} else if (w.profile != NULL && a->ca->profile == NULL && refuses(r)) {
			/* Nobody has asked for it, and it may be for fewer names. */
			w.profile = NULL;
		} else if (known && problem_is(r, "accountDoesNotExist")) {
			known = false;
			if (account_register(a, false) != EX_YES)
				finish(EX_PERM);
		} else {
			free(w.replaces);
			return;
		}
		acme_free(r);
	}
}

static noreturn void
refused(const struct acme *a, const struct order *o, const struct acme_req *r)
{
	char *why = problem_of(r);
	int status = problem_complain(r, "%s: the order was refused", o->set);

	failure_note(o, why, r->h.retry_after);
	if (problem_is(r, "unauthorized"))
		complain("if the account is deactivated: sslm-acme account -d -c '%s' puts it "
		    "away here too, and then another one is made", a->ca->name);
	finish(status);
}

/* What the CA answers makes no sense. */
static noreturn void
broken(const struct order *o, const char *what)
{
	complain("%s: %s", o->set, what);
	failure_note(o, what, -1);
	finish(EX_PERM);
}

/* Has an order that was answered the names that we want, and nothing else? */
static bool
names_fit(const struct order *o, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "identifiers"), *id;
	const char *have, *why;
	size_t i, j, n = 0;
	char *name;

	json_array_foreach(list, i, id) {
		have = json_str(id, "value");
		if (have == NULL || (name = name_canon(have, &why)) == NULL)
			return false;
		for (j = 0; j < o->names && strcmp(o->name[j], name) != 0; j++)
			;
		free(name);
		if (j == o->names || ++n > o->names)
			return false;
	}
	return n == o->names;
}

static void
new_order(struct acme *a, struct order *o, const char *old)
{
	struct acme_req r;
	const char *url;

	ask(a, o, old, &r);
	/* 201; a CA that hands out one that it has may say 200. */
	if ((r.h.status != 201 && r.h.status != 200) || r.json == NULL)
		refused(a, o, &r);
	url = r.h.location;
	if (url == NULL || !url_ok(url))
		broken(o, "the CA's answer to a new order has no Location with https");
	if (!names_fit(o, r.json))
		broken(o, "the CA's order is for other names than ours");
	if (json_url(r.json, "finalize") == NULL)
		broken(o, "the CA's order has no 'finalize' with https");
	json_decref(o->file);
	o->file = json_pack("{s:s, s:s}", "url", url, "finalize", json_url(r.json, "finalize"));
	if (o->file == NULL)
		die(EX_TEMP, "out of memory");
	if (json_str(r.json, "expires") != NULL)
		json_object_set(o->file, "expires", json_object_get(r.json, "expires"));
	json_object_set(o->file, "authorizations", json_object_get(r.json, "authorizations"));
	order_write(o, a);
	failure_known(o);
	acme_free(&r);
}

/* ---- authorizations ---------------------------------------------------------- */

/* The canonical name that an authorization is about; NULL after a complaint if it
 * is none that we want.  Static. */
static const char *
authorized_name(const struct order *o, const json_t *authorization)
{
	const json_t *id = json_object_get(authorization, "identifier");
	const char *have = json_str(id, "value"), *type = json_str(id, "type"), *why;
	bool wild = json_is_true(json_object_get(authorization, "wildcard")), is_ip;
	char *name = have != NULL ? name_canon(have, &why) : NULL, *full;
	const char *found = NULL;
	unsigned char addr[16];

	if (name == NULL || type == NULL) {
		complain("%s: an authorization of the CA is for no name", o->set);
		free(name);
		return NULL;
	}
	is_ip = name_ip(name, addr) != 0;
	full = xasprintf("%s%s", wild && !is_ip ? "*." : "", name);
	for (size_t i = 0; i < o->names && found == NULL; i++)
		if (strcmp(o->name[i], full) == 0 && strcmp(type, is_ip ? "ip" : "dns") == 0)
			found = o->name[i];
	if (found == NULL)
		complain("%s: the CA wants an authorization for '%s', which was not asked for",
		    o->set, full);
	free(full);
	free(name);
	return found;
}

/* What is to be done for one: 1, and added to list; 0 if nothing; -1 if the order
 * cannot come to a good end. */
static int
take_authorization(struct acme *a, const struct order *o, const char *url,
    const struct acme_req *r, json_t *list)
{
	const char *status = json_str(r->json, "status"), *name;
	json_t *c;

	if (r->h.status != 200 || status == NULL) {
		problem_complain(r, "%s: authorization %s", o->set, url);
		return -1;
	}
	if ((name = authorized_name(o, r->json)) == NULL)
		return -1;
	if (strcmp(status, "valid") == 0)
		return 0;
	if (strcmp(status, "pending") != 0) {
		char *text = text_safe(status, strnlen(status, 40), "");

		complain("%s: the authorization of '%s' is '%s'", o->set, name, text);
		free(text);
		return -1;
	}
	if ((c = challenge_choose(a, r->json, name)) == NULL)
		return -1;
	json_object_set_new(c, "authorization", json_string(url));
	if (json_array_append_new(list, c) == -1)
		die(EX_TEMP, "out of memory");
	return 1;
}

static bool
urls_ok(const struct order *o, const json_t *urls)
{
	const json_t *v;
	size_t i;

	if (json_array_size(urls) < 1 || json_array_size(urls) > o->names) {
		complain("%s: the CA's order has %zu authorizations for %zu names", o->set,
		    json_array_size(urls), o->names);
		return false;
	}
	json_array_foreach(urls, i, v)
		if (json_string_value(v) == NULL || !url_ok(json_string_value(v))) {
			complain("%s: the CA's order has an authorization without an https URL",
			    o->set);
			return false;
		}
	return true;
}

/* Ask for all the authorizations, side by side, and note what is to be done; false
 * after a complaint. */
static bool
authorize(struct acme *a, struct order *o)
{
	json_t *urls = json_incref(json_object_get(o->file, "authorizations")), *v;
	json_t *list = json_array();
	struct acme_req *r;
	size_t i, n = json_array_size(urls);
	bool ok = urls_ok(o, urls);

	if (ok) {
		r = xreallocarray(NULL, n, sizeof(*r));
		json_array_foreach(urls, i, v)
			r[i] = (struct acme_req){.url = json_string_value(v)};
		acme_post(a, r, n);
		for (i = 0; i < n; i++) {
			if (problem_passes(&r[i]))
				finish(problem_complain(&r[i], "%s: authorization %s", o->set,
				    r[i].url));
			ok = take_authorization(a, o, r[i].url, &r[i], list) != -1 && ok;
			acme_free(&r[i]);
		}
		free(r);
	}
	json_decref(urls);
	if (!ok) {
		json_decref(list);
		return false;
	}
	json_object_set_new(o->file, "challenges", list);
	order_write(o, a);
	return true;
}

/* ---- an order that is there already -------------------------------------------- */

/* The CA gave the order up behind our back: that failed too.  It is asked for another
 * one at once, unless one before has failed; the next time we wait. */
static void
note_invalid(struct order *o, const struct acme_req *r)
{
	char *why = problem_text(json_object_get(r->json, "error"));

	complain("%s: the order is invalid: %s", o->set, why);
	failure_note(o, why, -1);
	order_forget(o);
	free(why);
}

/* Can it be gone on with?  If so it is, as far as it was. */
static bool
resume(struct acme *a, struct order *o)
{
	struct acme_req r = {0};
	const char *status;
	time_t expires;
	bool good = false;

	if (!order_read(o, a))
		return false;
	expires = order_time(json_str(o->file, "expires"));
	if (expires != -1 && expires < time(NULL) + SOON)
		return false;
	a->new_nonce = xstrdup(json_str(o->file, "newNonce"));
	r.url = json_str(o->file, "url");
	acme_post(a, &r, 1);
	status = r.h.status == 200 ? json_str(r.json, "status") : NULL;
	if (status != NULL)
		failure_known(o);
	if (status != NULL && strcmp(status, "pending") == 0) {
		if (json_is_array(json_object_get(r.json, "authorizations")))
			json_object_set(o->file, "authorizations",
			    json_object_get(r.json, "authorizations"));
		if (!(good = authorize(a, o)))
			failure_note(o, "the CA's authorizations cannot be met", -1);
	} else if (status != NULL && strcmp(status, "invalid") == 0) {
		note_invalid(o, &r);
	} else if (status != NULL && (strcmp(status, "ready") == 0 ||
	    strcmp(status, "processing") == 0 || strcmp(status, "valid") == 0)) {
		json_object_set_new(o->file, "challenges", json_array());
		order_write(o, a);
		good = true;
	} else if (problem_passes(&r)) {
		finish(problem_complain(&r, "%s: the order", o->set));
	}
	acme_free(&r);
	return good;
}

int
step_order(const struct step_options *opt)
{
	const json_t *v;
	struct failure f;
	struct order o;
	struct acme a;
	size_t i;

	order_open(&o, opt->operands[0]);
	if (order_done(o.set))
		return EX_YES;
	failure_recall(&o, &f);
	if (opt->force)
		f.count = 0;
	/* One that is there can be gone on with at any time. */
	if (access(o.path[ORDER_FILE], F_OK) == -1)
		failure_wait(&o, &f);
	acme_open(&a, opt, o.names);
	acme_use_account(&a, false);
	a.want = o.names;
	if (!resume(&a, &o)) {
		failure_wait(&o, &f);
		new_order(&a, &o, opt->old);
		if (!authorize(&a, &o)) {
			failure_note(&o, "the CA's authorizations cannot be met", -1);
			order_forget(&o);
			finish(EX_PERM);
		}
	}
	if (!opt->quiet)
		json_array_foreach(json_object_get(o.file, "challenges"), i, v)
			challenge_print(v);
	acme_close(&a);
	order_close(&o);
	return EX_YES;
}
