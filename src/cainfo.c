/* cainfo.c: conf.d/ca-info.conf, the CAs that services can name. */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char FILE_NAME[] = "conf.d/ca-info.conf";

#define KEY(name, member) {name, WANT_STRING, offsetof(struct ca, member), 0, 0}
static const struct conf_key keys[] = {
    KEY("ca_desc", desc),
    KEY("ca_type", type),
    KEY("ca_validation", validation),
    KEY("ca_preferred_chain", preferred_chain),
    KEY("ca_preferred_acme_profile", profile),
    KEY("ca_url", url),
    KEY("ca_test_url", test_url),
    KEY("ca_bundle", bundle),
    KEY("ca_email", email),
    KEY("ca_eab_kid", eab_kid),
    KEY("ca_eab_hmac_file", eab_hmac_file),
    {NULL, WANT_DEAD, 0, 0, 0}};

static const struct {
	const char *type;
	enum ca_kind kind;
} types[] = {{"self", CA_SELF}, {"local", CA_LOCAL}, {"certbot", CA_ACME},
    {"letsencrypt", CA_ACME}, {"acme", CA_ACME}};

static bool
https(const char *url, const struct toml *v)
{
	if (strncmp(url, "https://", 8) == 0 && strpbrk(url, " \"\\<>^`{|}") == NULL)
		return true;
	complain("%s:%u: '%s' is not a URL with https", FILE_NAME, v->line, url);
	return false;
}

/* ssl-mgr looks at the beginning only. */
static bool
take_validation(struct ca *ca, const struct toml *v)
{
	static const struct {
		const char *begins, *type;
	} kinds[] = {{"dns-persist", "dns-persist-01"}, {"dns", "dns-01"}, {"http", "http-01"},
	    {"", "dns-01"}};
	const char *said = ca->validation;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (*kinds[i].begins == '\0' ? *said == '\0' :
		    strncasecmp(said, kinds[i].begins, strlen(kinds[i].begins)) == 0) {
			ca->validation = kinds[i].type;
			return true;
		}
	complain("%s:%u: ca_validation has to be 'dns-01', 'http-01' or 'dns-persist-01', not '%s'",
	    FILE_NAME, v->line, said);
	return false;
}

/* 'self' in ca-info.conf means a CA of our own, like 'local'; which one signs
 * itself is said by the service's own signing_ca. */
static bool
take(struct ca *ca, const struct toml *v)
{
	const char *names[sizeof(types) / sizeof(types[0])];
	size_t n = sizeof(types) / sizeof(types[0]);

	ca->name = v->key;
	ca->desc = ca->type = ca->validation = "";
	if (v->type != TOML_TABLE) {
		complain("%s:%u: '%s' has to be a table: [%s]", FILE_NAME, v->line, v->key, v->key);
		return false;
	}
	if (!conf_table(FILE_NAME, v, keys, ca))
		return false;
	for (size_t i = 0; i < n; i++) {
		names[i] = types[i].type;
		if (strcasecmp(ca->type, types[i].type) == 0) {
			ca->kind = types[i].kind == CA_SELF ? CA_LOCAL : types[i].kind;
			break;
		}
		if (i == n - 1) {
			complain("%s:%u: unknown ca_type '%s'%s", FILE_NAME, v->line, ca->type,
			    conf_hint(ca->type, names, n));
			return false;
		}
	}
	if (!name_safe(ca->name)) {
		complain("%s:%u: '%s' cannot be the name of a CA", FILE_NAME, v->line, ca->name);
		return false;
	}
	if ((ca->url != NULL && !https(ca->url, v)) ||
	    (ca->test_url != NULL && !https(ca->test_url, v)))
		return false;
	return take_validation(ca, v);
}

bool
cainfo_load(struct site *site)
{
	bool ok = true;
	struct ca ca;

	if (access(FILE_NAME, F_OK) == -1 && errno == ENOENT)
		return true;
	if ((site->ca_root = toml_load(FILE_NAME)) == NULL)
		return false;
	for (const struct toml *v = site->ca_root->first; v != NULL; v = v->next) {
		memset(&ca, 0, sizeof(ca));
		if (!take(&ca, v)) {
			ok = false;
			continue;
		}
		site->ca = xreallocarray(site->ca, site->nca + 1, sizeof(ca));
		site->ca[site->nca++] = ca;
	}
	return ok;
}

const char *
ca_directory(const struct site *site, const struct ca *ca, const char **key)
{
	/* certbot's: the only CA that ssl-mgr knows. */
	bool lets_encrypt = strcasecmp(ca->type, "acme") != 0 && ca->url == NULL;
	const char *url = site->test ? ca->test_url : ca->url;

	*key = site->test ? "ca_test_url" : "ca_url";
	if (url == NULL && lets_encrypt)
		url = site->test ? "https://acme-staging-v02.api.letsencrypt.org/directory" :
		    "https://acme-v02.api.letsencrypt.org/directory";
	return url;
}

const struct ca *
cainfo_find(const struct site *site, const char *name)
{
	static const struct ca self = {.name = "self", .desc = "its own key", .kind = CA_SELF};

	if (name[0] == '\0' || strcasecmp(name, "self") == 0)
		return &self;
	for (size_t i = 0; i < site->nca; i++)
		if (strcmp(site->ca[i].name, name) == 0)
			return &site->ca[i];
	return NULL;
}
