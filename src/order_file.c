/* order_file.c: order.json, the order of a set in the making. */
#include "acme.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { URL_MAX = 2048, TXT_MAX = 2048, TOKEN_MIN = 16, TOKEN_MAX = 128, HASH_CHARS = 43,
	NONCE_MAX = 1024, HEX_CHARS = 64 };

/* A string that an object has to hold, or may. */
struct field {
	const char *key;	/* NULL ends the list */
	size_t at;		/* offset of the member that takes it */
	bool (*ok)(const char *s);
	bool optional;
};

/* ---- what strings have to be ------------------------------------------------- */

static bool
is_b64(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	return s[n] == '\0' && n >= min && n <= max;
}

/* Printable ASCII but for those in not. */
static bool
is_printable(const char *s, const char *not, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~' || strchr(not, s[i]) != NULL)
			return false;
	return n > 0 && n <= max;
}

static bool
is_url(const char *s)
{
	return strncmp(s, "https://", 8) == 0 && is_printable(s, " \"'\\<>`", URL_MAX) &&
	    (isalnum((unsigned char)s[8]) || s[8] == '[');
}

static bool
is_token(const char *s)
{
	return is_b64(s, TOKEN_MIN, TOKEN_MAX);
}

static bool
is_hash(const char *s)
{
	return is_b64(s, HASH_CHARS, HASH_CHARS);
}

static bool
is_txt(const char *s)
{
	return is_printable(s, "\"\\", TXT_MAX);
}

static bool
is_nonce(const char *s)
{
	return is_b64(s, 1, NONCE_MAX);
}

static bool
is_hex(const char *s)
{
	return strlen(s) == HEX_CHARS && strspn(s, "0123456789abcdef") == HEX_CHARS;
}

static bool
is_time(const char *s)
{
	static const char form[] = "0000-00-00T00:00:00";

	for (const char *f = form; *f != '\0'; f++, s++)
		if (*f == '0' ? !isdigit((unsigned char)*s) : *s != *f)
			return false;
	return strspn(s, ".:+-0123456789Z") == strlen(s) && strlen(s) < 20;
}

/* A name that a certificate can be for, as we would write it. */
static bool
is_name(const char *s)
{
	const char *why;
	char *name = name_canon(s, &why);
	bool same = name != NULL && strcmp(name, s) == 0 && s[0] != '*';

	free(name);
	return same;
}

/* That, or a wildcard. */
static bool
is_identifier(const char *s)
{
	return is_name(strncmp(s, "*.", 2) == 0 ? s + 2 : s);
}

/* ---- reading -------------------------------------------------------------------- */

static bool
fault(const char *path, size_t i, const char *key, const char *what)
{
	if (i == 0)
		complain("'%s': '%s' %s", path, key, what);
	else
		complain("'%s': '%s' of challenge %zu %s", path, key, i, what);
	return false;
}

/* The strings of an object; i is 0, or the number of the challenge that it is. */
static bool
take(const char *path, size_t i, const json_t *object, const struct field *f, void *into)
{
	for (; f->key != NULL; f++) {
		const json_t *v = json_object_get(object, f->key);
		const char *s = json_string_value(v);

		if (v == NULL && f->optional)
			continue;
		if (v == NULL)
			return fault(path, i, f->key, "is missing");
		if (s == NULL || !f->ok(s))
			return fault(path, i, f->key, "is not what it has to be");
		*(const char **)((char *)into + f->at) = s;
	}
	return true;
}

#define ORDER(key, member, ...) {key, offsetof(struct order_file, member), __VA_ARGS__}
static const struct field order_fields[] = {
    ORDER("directory", directory, is_url, false),
    ORDER("url", url, is_url, false),
    ORDER("account", account, is_url, false),
    ORDER("finalize", finalize, is_url, false),
    ORDER("newNonce", new_nonce, is_url, false),
    ORDER("csr", csr, is_hex, false),
    ORDER("expires", expires, is_time, true),
    {NULL, 0, NULL, false}};

#define MEMBER(name, ok) {#name, offsetof(struct challenge, name), ok, false}
#define COMMON MEMBER(identifier, is_identifier), MEMBER(url, is_url), MEMBER(authorization, is_url)
static const struct field dns_fields[] = {COMMON, MEMBER(token, is_token),
    MEMBER(owner, is_name), MEMBER(txt, is_hash), {NULL, 0, NULL, false}};
static const struct field http_fields[] = {COMMON, MEMBER(token, is_token),
    MEMBER(content, is_txt), {NULL, 0, NULL, false}};
static const struct field persist_fields[] = {COMMON, MEMBER(owner, is_name),
    MEMBER(txt, is_txt), {NULL, 0, NULL, false}};

static const struct {
	const char *name;	/* "type" in the file */
	enum challenge_type type;
	const struct field *fields;
	const char *label;	/* of the owner, before the identifier */
} types[] = {
    {"dns-01", CHALLENGE_DNS, dns_fields, "_acme-challenge."},
    {"http-01", CHALLENGE_HTTP, http_fields, NULL},
    {"dns-persist-01", CHALLENGE_PERSIST, persist_fields, "_validation-persist."},
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static bool
owner_ok(const struct challenge *c, const char *label)
{
	size_t n = strlen(label);
	const char *name = strncmp(c->identifier, "*.", 2) == 0 ? c->identifier + 2 : c->identifier;

	return strncmp(c->owner, label, n) == 0 && strcmp(c->owner + n, name) == 0;
}

/* token "." thumbprint of the account's key (RFC 8555, 8.1) */
static bool
content_ok(const struct challenge *c)
{
	size_t n = strlen(c->token);

	return strncmp(c->content, c->token, n) == 0 && c->content[n] == '.' &&
	    is_hash(c->content + n + 1);
}

static bool
take_challenge(struct challenge *c, const char *path, size_t i, const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "type"));
	size_t t = 0;

	while (type != NULL && t < TYPES && strcmp(types[t].name, type) != 0)
		t++;
	if (type == NULL || t == TYPES)
		return fault(path, i, "type", "is not what it has to be");
	c->type = types[t].type;
	if (!take(path, i, v, types[t].fields, c))
		return false;
	if (types[t].label != NULL && !owner_ok(c, types[t].label))
		return fault(path, i, "owner", "is not that of its identifier");
	if (c->type == CHALLENGE_HTTP && !content_ok(c))
		return fault(path, i, "content", "is not that of its token");
	return true;
}

static bool
take_challenges(struct order_file *o, const char *path)
{
	const json_t *list = json_object_get(o->root, "challenges");
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > ORDER_CHALLENGES)
		return fault(path, 0, "challenges", "is not what it has to be");
	o->challenge = xreallocarray(NULL, n, sizeof(*o->challenge));
	memset(o->challenge, 0, n * sizeof(*o->challenge));
	for (o->n = 0; o->n < n; o->n++)
		if (!take_challenge(&o->challenge[o->n], path, o->n + 1,
		    json_array_get(list, o->n)))
			return false;
	return true;
}

static bool
take_nonces(struct order_file *o, const char *path)
{
	const json_t *list = json_object_get(o->root, "nonces");
	size_t n = json_array_size(list);
	const char *s;

	if (list == NULL)
		return true;
	if (!json_is_array(list) || n > ORDER_NONCES)
		return fault(path, 0, "nonces", "is not what it has to be");
	o->nonce = xreallocarray(NULL, n, sizeof(*o->nonce));
	for (o->nnonce = 0; o->nnonce < n; o->nnonce++) {
		s = json_string_value(json_array_get(list, o->nnonce));
		if (s == NULL || !is_nonce(s))
			return fault(path, 0, "nonces", "is not what it has to be");
		o->nonce[o->nnonce] = s;
	}
	return true;
}

static bool
take_saved(struct order_file *o, const char *path)
{
	const json_t *v = json_object_get(o->root, "saved");

	if (v != NULL && (!json_is_integer(v) || json_integer_value(v) < 0))
		return fault(path, 0, "saved", "is not what it has to be");
	o->saved = (time_t)json_integer_value(v);
	return true;
}

int
order_load(struct order_file *o, const char *path)
{
	json_error_t e;
	size_t len;
	char *buf;

	memset(o, 0, sizeof(*o));
	if ((buf = slurp_try(path, &len)) == NULL) {
		if (errno == ENOENT)
			return 0;
		if (errno != 0)
			complain("cannot read '%s':", path);
		return -1;
	}
	o->root = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &e);
	free(buf);
	if (o->root == NULL) {
		complain("'%s': line %d: not JSON: %s", path, e.line, e.text);
		return -1;
	}
	if (take(path, 0, o->root, order_fields, o) && take_challenges(o, path) &&
	    take_nonces(o, path) && take_saved(o, path))
		return 1;
	order_free(o);
	return -1;
}

void
order_free(struct order_file *o)
{
	free(o->challenge);
	free(o->nonce);
	json_decref(o->root);
	memset(o, 0, sizeof(*o));
}
