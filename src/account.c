/* account.c: find or make the account at a CA (RFC 8555, 7.3). */
#include "acme.h"

#include <stdlib.h>
#include <string.h>

/* The binding to an account that somebody has at the CA (RFC 8555, 7.3.4), or
 * NULL. */
static json_t *
binding(struct acme *a)
{
	char *file, *key, *text;
	struct jws *j;
	json_t *jws;

	if (a->ca->eab_kid == NULL)
		return NULL;
	if (a->ca->eab_hmac_file == NULL)
		die(EX_USE, "conf.d/ca-info.conf: '%s' has ca_eab_kid, but no ca_eab_hmac_file",
		    a->ca->name);
	if (strpbrk(a->ca->eab_kid, " \"\\") != NULL)
		die(EX_USE, "conf.d/ca-info.conf: ca_eab_kid of '%s' is malformed", a->ca->name);
	file = site_path(&a->site, a->ca->eab_hmac_file);
	key = acme_key_path(a);
	j = jws_open(key, 'e', file);
	text = jws_ask(j, "eab %s %s", acme_need(a, "newAccount"), a->ca->eab_kid);
	if ((jws = json_loads(text, 0, NULL)) == NULL)
		die(EX_PERM, "sslm-jws gave no JSON");
	jws_close(j);
	free(text);
	free(key);
	free(file);
	return jws;
}

/* What is asked for: who registers at a CA with its URL in the configuration has
 * agreed to its terms; sslm-acme(1) says so. */
static char *
payload(struct acme *a, bool only_existing)
{
	json_t *o = json_pack("{s:b}", "termsOfServiceAgreed", 1), *eab;
	char *contact, *text;

	if (only_existing)
		json_object_set_new(o, "onlyReturnExisting", json_true());
	if (a->ca->email != NULL && a->ca->email[0] != '\0' && !only_existing) {
		contact = xasprintf("mailto:%s", a->ca->email);
		json_object_set_new(o, "contact", json_pack("[s]", contact));
		free(contact);
	}
	if (!only_existing && (eab = binding(a)) != NULL)
		json_object_set_new(o, "externalAccountBinding", eab);
	if (o == NULL || (text = json_dumps(o, JSON_COMPACT)) == NULL)
		die(EX_TEMP, "out of memory");
	json_decref(o);
	return text;
}

int
account_write(const struct acme *a)
{
	char *path = acme_account_path(a), *text;
	json_t *o = json_pack("{s:s, s:s}", "directory", a->url, "url", a->account);
	char *json;
	int ret;

	if (o != NULL && a->leaving)
		json_object_set_new(o, "deactivated", json_true());
	if (o == NULL || (json = json_dumps(o, JSON_INDENT(1))) == NULL)
		die(EX_TEMP, "out of memory");
	text = xasprintf("%s\n", json);
	free(json);
	ret = out_file(path, 0644, text, strlen(text)) == -1 ? EX_TEMP : EX_YES;
	json_decref(o);
	free(text);
	free(path);
	return ret;
}

int
account_register(struct acme *a, bool only_existing)
{
	const char *terms, *url;
	char *body = payload(a, only_existing), *text;
	struct acme_req r = {.url = acme_need(a, "newAccount"), .payload = body,
	    .with_key = true};
	int ret;

	acme_post(a, &r, 1);
	free(body);
	r.payload = NULL;
	url = r.h.location;
	if (r.h.status != 200 && r.h.status != 201) {
		ret = problem_complain(&r, "no account at '%s'", a->ca->name);
		if (problem_is(&r, "unauthorized") && !only_existing)
			complain("if the account of this key is deactivated: without '%s/privkey.pem' "
			    "another one is made", a->dir);
		terms = json_str(json_object_get(a->directory, "meta"), "termsOfService");
		if (problem_is(&r, "userActionRequired") && terms != NULL) {
			text = text_safe(terms, strnlen(terms, 300), "");
			complain("its terms of service: %s", text);
			free(text);
		}
	} else if (url == NULL || !url_ok(url)) {
		complain("the account at '%s' has no Location with https", a->ca->name);
		ret = EX_PERM;
	} else if (json_str(r.json, "status") != NULL &&
	    strcmp(json_str(r.json, "status"), "valid") != 0) {
		complain("the account at '%s' is not valid: %s", a->ca->name, url);
		ret = EX_PERM;
	} else {
		free(a->account);
		a->account = xstrdup(url);
		ret = account_write(a);
	}
	acme_free(&r);
	return ret;
}
