/* service.c: conf.d/<group>/<service>, one certificate. */
#include "cert.h"
#include "site.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RSA_MIN = 2048, RSA_MAX = 8192, RSA_BITS = 4096, NAMES_MAX = 1000 };

/* What the file holds besides what struct service keeps. */
struct file {
	struct service s;
	const char *group, *service;
	const struct toml *key_opts, *x509, *ca, *renew_info;
	long renew_expire_days, renew_expire_days_spread;
};

#define MEMBER(name, want, member, ...) {name, want, offsetof(struct file, member), __VA_ARGS__}
static const struct conf_key top_keys[] = {
    MEMBER("name", WANT_STRING, s.name, 0, 0),
    MEMBER("group", WANT_STRING, group, 0, 0),
    MEMBER("service", WANT_STRING, service, 0, 0),
    MEMBER("signing_ca", WANT_STRING, s.signing_ca, 0, 0),
    MEMBER("dane_tls", WANT_VALUE, s.dane_tls, 0, 0),
    MEMBER("dane_tls_ttl", WANT_INT, s.dane_tls_ttl, 0, 604800),
    MEMBER("key_days", WANT_INT, s.key_days, 0, 36500),
    MEMBER("renew_expire_days", WANT_INT, renew_expire_days, 0, 36500),
    MEMBER("renew_expire_days_spread", WANT_INT, renew_expire_days_spread, 0, 36500),
    MEMBER("renew_info", WANT_TABLE, renew_info, 0, 0),
    MEMBER("KeyOpts", WANT_TABLE, key_opts, 0, 0),
    MEMBER("X509", WANT_TABLE, x509, 0, 0),
    MEMBER("CA", WANT_TABLE, ca, 0, 0),
    {NULL, WANT_DEAD, 0, 0, 0}};

static const struct conf_key key_keys[] = {
    MEMBER("ktype", WANT_STRING, s.ktype, 0, 0),
    MEMBER("ec_algo", WANT_STRING, s.ec_algo, 0, 0),
    MEMBER("rsa_bits", WANT_INT, s.rsa_bits, RSA_MIN, RSA_MAX),
    MEMBER("bits", WANT_INT, s.rsa_bits, RSA_MIN, RSA_MAX),
    {NULL, WANT_DEAD, 0, 0, 0}};

static const struct conf_key x509_keys[] = {
    MEMBER("CN", WANT_STRING, s.cn, 0, 0),
    MEMBER("O", WANT_STRING, s.o, 0, 0),
    MEMBER("OU", WANT_STRING, s.ou, 0, 0),
    MEMBER("L", WANT_STRING, s.l, 0, 0),
    MEMBER("ST", WANT_STRING, s.st, 0, 0),
    MEMBER("C", WANT_STRING, s.c, 0, 0),
    MEMBER("email", WANT_STRING, s.email, 0, 0),
    MEMBER("sans", WANT_STRINGS, s.sans, 0, 0),
    MEMBER("ext_key_usage", WANT_STRINGS, s.ext_key_usage, 0, 0),
    MEMBER("must_staple", WANT_BOOL, s.must_staple, 0, 0),
    {NULL, WANT_DEAD, 0, 0, 0}};

static const struct conf_key ca_keys[] = {
    MEMBER("sign_end_days", WANT_INT, s.sign_end_days, -1, 36500),
    MEMBER("digest", WANT_STRING, s.digest, 0, 0),
    {NULL, WANT_DEAD, 0, 0, 0}};

static bool
fault(const struct service *s, const struct toml *table, const char *key, const char *what)
{
	const struct toml *v = table == NULL ? NULL : toml_get(table, key);

	complain("%s:%u: '%s' %s", s->path, v != NULL ? v->line : 1u, key, what);
	return false;
}

/* One of the words, in any case: the word as it is listed here, or NULL. */
static const char *
one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(s, words[i]) == 0)
			return words[i];
	return NULL;
}

static bool
check_word(const struct service *s, const struct toml *v, const char *have, const char **word,
    const char *const *words, size_t n)
{
	if ((*word = one_of(have, words, n)) != NULL)
		return true;
	complain("%s:%u: unknown %s '%s'%s", s->path, v->line, v->key != NULL ? v->key :
	    "word", have, conf_hint(have, words, n));
	return false;
}

static bool
check_key(struct service *s, const struct toml *table)
{
	static const char *const types[] = {"ec", "rsa", "ed25519"};
	const char *curve;

	if (table != NULL && toml_get(table, "ktype") != NULL &&
	    !check_word(s, toml_get(table, "ktype"), s->ktype, &s->ktype, types, 3))
		return false;
	if (strcmp(s->ktype, "rsa") == 0) {
		s->kind = xasprintf("RSA:%ld", s->rsa_bits);
	} else if (strcmp(s->ktype, "ed25519") == 0) {
		s->kind = xstrdup("ED25519");
	} else if ((curve = curve_name(s->ec_algo)) != NULL && key_strong_curve(curve)) {
		s->kind = xasprintf("EC:%s", curve);
		s->ec_algo = curve;
	} else {
		complain("%s:%u: %s curve '%s'", s->path, toml_get(table, "ec_algo")->line,
		    curve != NULL ? "too weak a" : "unknown", s->ec_algo);
		return false;
	}
	return true;
}

/* Characters of UTF-8, which is valid. */
static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Upper bounds of RFC 5280, appendix A.1. */
static bool
check_subject(const struct service *s, const struct toml *table)
{
	const struct {
		const char *key, *value;
		size_t most;
	} part[] = {{"CN", s->cn, 64}, {"O", s->o, 64}, {"OU", s->ou, 64}, {"L", s->l, 128},
	    {"ST", s->st, 128}, {"email", s->email, 255}};
	bool ok = true;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (part[i].value != NULL && characters(part[i].value) > part[i].most)
			ok = fault(s, table, part[i].key, "is too long for a certificate");
	if (s->c != NULL && s->c[0] != '\0' && (strlen(s->c) != 2 ||
	    !isalpha((unsigned char)s->c[0]) || !isalpha((unsigned char)s->c[1])))
		ok = fault(s, table, "C", "has to be a country's two letters");
	return ok;
}

static bool
add_name(struct service *s, char *name)
{
	for (size_t i = 0; i < s->nnames; i++)
		if (strcmp(s->names[i], name) == 0) {
			free(name);
			return true;
		}
	if ((s->nnames & (s->nnames - 1)) == 0)
		s->names = xreallocarray(s->names, s->nnames == 0 ? 1 : 2 * s->nnames,
		    sizeof(*s->names));
	s->names[s->nnames++] = name;
	if (s->nnames <= NAMES_MAX)
		return true;
	complain("%s: more than %d names", s->path, NAMES_MAX);
	return false;
}

static bool
check_names(struct service *s, const struct toml *table)
{
	const struct toml *at = NULL;
	const char *san, *why;
	bool ok = true;
	char *name;

	if (s->is_ca && (s->cn == NULL || s->cn[0] == '\0'))
		return fault(s, table, "CN", "is missing");
	if (!s->is_ca && s->cn != NULL && (name = name_canon(s->cn, &why)) != NULL)
		ok = add_name(s, name);
	while (!s->is_ca && s->nnames <= NAMES_MAX && (san = conf_next(s->sans, &at)) != NULL) {
		if (san[0] == '\0')
			continue;
		if ((name = name_canon(san, &why)) == NULL) {
			complain("%s:%u: '%s' cannot be in a certificate: %s", s->path, at->line,
			    san, why);
			ok = false;
		} else {
			ok = add_name(s, name) && ok;
		}
	}
	if (ok && !s->is_ca && s->nnames == 0) {
		complain("%s: no name: give [X509] a CN that is a host name, or 'sans'", s->path);
		ok = false;
	}
	return ok;
}

/* An item of dane_tls: [port, proto, usage, selector, match] and perhaps which
 * owners (RFC 6698, 2.1 and 3). */
static bool
dane_ok(const struct toml *item)
{
	static const struct {
		enum toml_type type;
		int64_t lo, hi;
	} part[] = {{TOML_INTEGER, 1, 65535}, {TOML_STRING, 0, 0}, {TOML_INTEGER, 0, 3},
	    {TOML_INTEGER, 0, 1}, {TOML_INTEGER, 0, 2}, {TOML_STRING, 0, 0}};
	static const char *const protos[] = {"tcp", "udp", "sctp"};
	static const char *const owners[] = {"MX", "SANS"};
	const struct toml *v = item->first;
	size_t i;

	if (item->type != TOML_ARRAY)
		return false;
	for (i = 0; i < 6 && v != NULL; i++, v = v->next)
		if (v->type != part[i].type || (v->type == TOML_INTEGER &&
		    (v->num < part[i].lo || v->num > part[i].hi)) ||
		    (i == 1 && one_of(v->str, protos, 3) == NULL) ||
		    (i == 5 && one_of(v->str, owners, 2) == NULL))
			return false;
	return i >= 5 && v == NULL;
}

static bool
check_dane(const struct service *s)
{
	const struct toml *v = s->dane_tls;

	if (v == NULL)
		return true;
	if (v->type == TOML_ARRAY)
		for (v = v->first; v != NULL && dane_ok(v); v = v->next)
			;
	if (v == NULL)
		return true;
	complain("%s:%u: dane_tls has to be a list of [port, 'tcp', usage 0-3, selector 0-1, "
	    "match 0-2] with 'MX' or 'SANS' behind it or not", s->path, v->line);
	return false;
}

static bool
check_usage(const struct service *s)
{
	const struct toml *at = NULL;
	bool seen[EXT_USAGES] = {false}, ok = true;
	const char *have;
	size_t i;

	while ((have = conf_next(s->ext_key_usage, &at)) != NULL) {
		for (i = 0; i < EXT_USAGES && strcmp(have, ext_usage[i]) != 0; i++)
			;
		if (i < EXT_USAGES && !seen[i]) {
			seen[i] = true;
			continue;
		}
		if (i == EXT_USAGES)
			complain("%s:%u: unknown ext_key_usage '%s'%s", s->path, at->line, have,
			    conf_hint(have, ext_usage, EXT_USAGES));
		else
			complain("%s:%u: ext_key_usage '%s' is given twice", s->path, at->line,
			    have);
		ok = false;
	}
	return ok;
}

/* The newest and nearest word on renewal counts: the service's table, its
 * days, the site's table, its days. */
static bool
take_renew(struct file *f, const struct site *site)
{
	f->s.renew = site->renew;
	if (f->renew_expire_days_spread >= 0)
		f->s.renew.days_spread = (double)f->renew_expire_days_spread;
	if (f->renew_expire_days >= 0)
		f->s.renew.days = (double)f->renew_expire_days;
	if (f->renew_info == NULL)
		return true;
	f->s.renew.days = -1;
	return renew_table(&f->s.renew, f->s.path, f->renew_info);
}

static bool
check_place(const struct file *f)
{
	const struct service *s = &f->s;
	bool ok = true;

	if (f->group != NULL && strcmp(f->group, s->id->group) != 0)
		ok = fault(s, s->root, "group", "is not the directory that the file is in");
	if (f->service != NULL && strcmp(f->service, s->id->service) != 0)
		ok = fault(s, s->root, "service", "is not the name of the file");
	return ok;
}

static bool
check_ca(struct file *f, const struct site *site)
{
	static const char *const digests[] = {"sha256", "sha384", "sha512"};
	struct service *s = &f->s;

	if ((s->ca = cainfo_find(site, s->signing_ca)) == NULL)
		return fault(s, s->root, "signing_ca", "is not in conf.d/ca-info.conf");
	if (s->ca->kind == CA_LOCAL && s->is_ca && strcmp(s->ca->name, s->id->service) == 0)
		return fault(s, s->root, "signing_ca", "is the service itself; say 'self'");
	if (s->digest[0] == '\0')
		s->digest = "sha384";
	else if (!check_word(s, toml_get(f->ca, "digest"), s->digest, &s->digest, digests, 3))
		return false;
	return true;
}

bool
service_load(struct service *s, const struct site *site, const struct service_id *id)
{
	struct file f = {.s = {.site = site, .id = id, .name = "", .signing_ca = "", .ktype = "ec",
	    .ec_algo = "secp384r1", .rsa_bits = RSA_BITS, .dane_tls_ttl = 1800,
	    .sign_end_days = -1, .digest = ""},
	    .renew_expire_days = -1, .renew_expire_days_spread = -1};
	bool ok;

	f.s.path = xasprintf("conf.d/%s/%s", id->group, id->service);
	f.s.is_ca = strcmp(id->group, "ca") == 0;
	if ((f.s.root = toml_load(f.s.path)) == NULL) {
		free(f.s.path);
		return false;
	}
	ok = conf_table(f.s.path, f.s.root, top_keys, &f);
	if (f.key_opts != NULL)
		ok = conf_table(f.s.path, f.key_opts, key_keys, &f) && ok;
	if (f.x509 != NULL)
		ok = conf_table(f.s.path, f.x509, x509_keys, &f) && ok;
	if (f.ca != NULL)
		ok = conf_table(f.s.path, f.ca, ca_keys, &f) && ok;
	ok = ok && check_place(&f);
	ok = ok && check_key(&f.s, f.key_opts);
	ok = ok && check_subject(&f.s, f.x509);
	ok = ok && check_names(&f.s, f.x509);
	ok = ok && check_dane(&f.s);
	ok = ok && check_usage(&f.s);
	ok = ok && check_ca(&f, site);
	ok = ok && take_renew(&f, site);
	*s = f.s;
	if (!ok)
		service_free(s);
	return ok;
}

void
service_free(struct service *s)
{
	for (size_t i = 0; i < s->nnames; i++)
		free(s->names[i]);
	free(s->names);
	free(s->kind);
	free(s->path);
	toml_free(s->root);
}
