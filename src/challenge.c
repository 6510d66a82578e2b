/* challenge.c: the kinds of challenges that we can meet.
 *
 * Another kind is another row of the table, and a function that says what is to
 * be published for it. */
#include "acme.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MIN = 22, TOKEN_MAX = 128, ISSUERS_MAX = 10 };

/* The token, or NULL: nothing but what cannot mean anything in a path, a zone
 * file or a shell (RFC 8555, 8.1: 128 bits at least). */
static const char *
token_of(const json_t *c)
{
	const char *token = json_str(c, "token");
	size_t n = token != NULL ? strlen(token) : 0;

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)token[i]) && token[i] != '-' && token[i] != '_')
			n = 0;
	if (n >= TOKEN_MIN && n <= TOKEN_MAX)
		return token;
	complain("the CA's token is not one: %s", token == NULL ? "there is none" :
	    "not 22 to 128 characters of base64url");
	return NULL;
}

/* RFC 8555, 8.1; the caller frees. */
static char *
key_authorization(struct acme *a, const char *token)
{
	char *thumbprint = jws_ask(a->jws, "thumbprint");
	char *text = xasprintf("%s.%s", token, thumbprint);

	free(thumbprint);
	return text;
}

static void
set(json_t *o, const char *key, const char *value)
{
	if (json_object_set_new(o, key, json_string(value)) == -1)
		die(EX_TEMP, "out of memory");
}

/* RFC 8555, 8.3 */
static bool
http_01(struct acme *a, const json_t *c, const char *name, json_t *out)
{
	const char *token = token_of(c);
	char *content;

	(void)name;
	if (token == NULL)
		return false;
	content = key_authorization(a, token);
	set(out, "token", token);
	set(out, "content", content);
	free(content);
	return true;
}

/* RFC 8555, 8.4 */
static bool
dns_01(struct acme *a, const json_t *c, const char *name, json_t *out)
{
	const char *token = token_of(c);
	char *text, *txt, *owner;

	if (token == NULL)
		return false;
	text = key_authorization(a, token);
	txt = jwk_hash(text);
	owner = xasprintf("_acme-challenge.%s", strncmp(name, "*.", 2) == 0 ? name + 2 : name);
	set(out, "token", token);
	set(out, "owner", owner);
	set(out, "txt", txt);
	free(owner);
	free(txt);
	free(text);
	return true;
}

/* draft-ietf-acme-dns-persist-01: the record names the CA and our account, and
 * stays in the zone. */
static bool
dns_persist_01(struct acme *a, const json_t *c, const char *name, json_t *out)
{
	const json_t *issuers = json_object_get(c, "issuer-domain-names");
	const char *issuer = json_string_value(json_array_get(issuers, 0)), *why;
	bool wild = strncmp(name, "*.", 2) == 0;
	char *canon, *txt, *owner;

	if (json_array_size(issuers) > ISSUERS_MAX || issuer == NULL ||
	    (canon = name_canon(issuer, &why)) == NULL) {
		complain("the CA's dns-persist-01 challenge names no issuer");
		return false;
	}
	txt = xasprintf("%s; accounturi=%s%s", canon, a->account, wild ? "; policy=wildcard" : "");
	owner = xasprintf("_validation-persist.%s", wild ? name + 2 : name);
	set(out, "owner", owner);
	set(out, "txt", txt);
	free(owner);
	free(txt);
	free(canon);
	return true;
}

static const struct kind {
	const char *type;
	bool wildcards, addresses;
	bool (*fill)(struct acme *a, const json_t *c, const char *name, json_t *out);
} kinds[] = {
    {"dns-01", true, false, dns_01},
    {"http-01", false, true, http_01},
    {"dns-persist-01", true, false, dns_persist_01}};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The kind to be used for a name: the one that ca_validation says, or where that
 * cannot be, because it is a wildcard or an address, the first that can. */
static const struct kind *
kind_for(const char *validation, const char *name)
{
	unsigned char addr[16];
	bool ip = name_ip(name, addr) != 0, wild = name[0] == '*';
	const struct kind *first = NULL;

	for (size_t i = 0; i < KINDS; i++) {
		if ((ip && !kinds[i].addresses) || (wild && !kinds[i].wildcards))
			continue;
		if (strcmp(kinds[i].type, validation) == 0)
			return &kinds[i];
		if (first == NULL)
			first = &kinds[i];
	}
	return first;
}

/* What there is instead of the challenge that was looked for. */
static void
complain_of_offer(const json_t *offered, const char *type, const char *name)
{
	const json_t *c;
	const char *have;
	char *list = xstrdup(""), *text, *more;
	size_t i;

	json_array_foreach(offered, i, c) {
		if ((have = json_str(c, "type")) == NULL || i == KINDS * 2)
			continue;
		text = text_safe(have, strnlen(have, 40), "");
		more = xasprintf("%s%s%s", list, *list != '\0' ? ", " : "", text);
		free(text);
		free(list);
		list = more;
	}
	complain("%s: the CA does not offer %s, but: %s", name, type,
	    *list != '\0' ? list : "nothing");
	free(list);
}

json_t *
challenge_choose(struct acme *a, const json_t *authorization, const char *name)
{
	const json_t *offered = json_object_get(authorization, "challenges"), *c;
	const struct kind *k = kind_for(a->ca->validation, name);
	json_t *out;
	const char *url;
	size_t i;

	json_array_foreach(offered, i, c) {
		const char *type = json_str(c, "type");

		if (type == NULL || strcmp(type, k->type) != 0)
			continue;
		if ((url = json_url(c, "url")) == NULL) {
			complain("%s: the CA's %s challenge has no URL", name, type);
			return NULL;
		}
		if ((out = json_object()) == NULL)
			die(EX_TEMP, "out of memory");
		set(out, "type", type);
		set(out, "identifier", name);
		set(out, "url", url);
		if (k->fill(a, c, name, out))
			return out;
		json_decref(out);
		return NULL;
	}
	complain_of_offer(offered, k->type, name);
	return NULL;
}

void
challenge_print(const json_t *c)
{
	const char *type = json_str(c, "type"), *name = json_str(c, "identifier");
	bool v6 = strchr(name, ':') != NULL;

	if (json_str(c, "owner") != NULL)
		printf("%s\t%s\t%s. IN TXT \"%s\"\n", type, name, json_str(c, "owner"),
		    json_str(c, "txt"));
	else
		printf("%s\t%s\thttp://%s%s%s/.well-known/acme-challenge/%s\t%s\n", type, name,
		    v6 ? "[" : "", name, v6 ? "]" : "", json_str(c, "token"),
		    json_str(c, "content"));
}
