/* site.c: conf.d/ssl-mgr.conf. */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the file holds besides what struct site keeps. */
struct file {
	struct site site;
	const struct toml *globals, *groups, *dns_primary, *renew_info;
	long renew_expire_days, renew_expire_days_spread;
};

#define GLOBAL(name, kind, ...) {#name, kind, offsetof(struct file, site.name), __VA_ARGS__}
#define MEMBER(name, kind, ...) {#name, kind, offsetof(struct file, name), __VA_ARGS__}
#define GLOBALS                                                                      \
	{"verb", WANT_DEAD, 0, 0, 0},                                                \
	{"preferred_acme_profile", WANT_DEAD, 0, 0, 0},                              \
	GLOBAL(sslm_auth_hook, WANT_STRING, 0, 0),                                   \
	GLOBAL(prod_cert_dir, WANT_STRING, 0, 0),                                    \
	GLOBAL(prod_group, WANT_STRING, 0, 0),                                       \
	GLOBAL(logdir, WANT_STRING, 0, 0),                                           \
	GLOBAL(dane_probe, WANT_BOOL, 0, 0),                                         \
	GLOBAL(clean_keep, WANT_INT, -1000000, 1000000),                             \
	GLOBAL(min_roll_mins, WANT_INT, 0, 525600),                                  \
	GLOBAL(dns_check_delay, WANT_INT, -86400, 86400),                            \
	GLOBAL(dns_xtra_ns, WANT_STRINGS, 0, 0),                                     \
	GLOBAL(post_copy_cmd, WANT_VALUE, 0, 0),                                     \
	MEMBER(renew_expire_days, WANT_INT, 0, 36500),                               \
	MEMBER(renew_expire_days_spread, WANT_INT, 0, 36500)

static const struct conf_key global_keys[] = {GLOBALS, {NULL, WANT_DEAD, 0, 0, 0}};

#define SERVER(name, kind) {#name, kind, offsetof(struct server, name), 0, 0}
static const struct conf_key server_keys[] = {
    SERVER(servers, WANT_STRINGS),
    SERVER(restart_cmd, WANT_STRINGS),
    SERVER(depends, WANT_STRINGS),
    SERVER(acme_dir, WANT_STRINGS),
    SERVER(tlsa_dirs, WANT_STRINGS),
    SERVER(svc_depends, WANT_VALUE),
    SERVER(server_dir, WANT_STRING),
    SERVER(update, WANT_STRING),
    SERVER(skip_prod_copy, WANT_BOOL),
    {NULL, WANT_DEAD, 0, 0, 0}};

static const struct conf_key primary_keys[] = {
    {"domain", WANT_STRING, offsetof(struct primary, domain), 0, 0},
    {"server", WANT_STRING, offsetof(struct primary, server), 0, 0},
    {"port", WANT_INT, offsetof(struct primary, port), 1, 65535},
    {NULL, WANT_DEAD, 0, 0, 0}};

/* Public resolvers, where dns_xtra_ns does not say which. */
#define RESOLVER(text, then) {.type = TOML_STRING, .str = (text), .len = sizeof(text) - 1, .next = (then)}
static struct toml resolvers[] = {
    RESOLVER("1.1.1.1", &resolvers[1]),
    RESOLVER("8.8.8.8", &resolvers[2]),
    RESOLVER("9.9.9.9", &resolvers[3]),
    RESOLVER("208.67.222.222", NULL)};
static const struct toml xtra_ns = {.type = TOML_ARRAY, .first = resolvers};

/* A list of [string, string or list of strings]. */
static bool
pairs_ok(const struct toml *v)
{
	const struct toml *a, *b;

	if (v->type != TOML_ARRAY)
		return false;
	for (const struct toml *e = v->first; e != NULL; e = e->next) {
		if (e->type != TOML_ARRAY || (a = e->first) == NULL ||
		    a->type != TOML_STRING || (b = a->next) == NULL || b->next != NULL)
			return false;
		if (b->type == TOML_ARRAY) {
			for (b = b->first; b != NULL; b = b->next)
				if (b->type != TOML_STRING)
					return false;
		} else if (b->type != TOML_STRING) {
			return false;
		}
	}
	return true;
}

/* A table that we do not know by name is a server section if it has a key
 * that makes it one. */
static bool
is_server(const struct toml *v)
{
	static const char *const known[] = {"dns", "smtp", "imap", "web", "other"};

	if (v->type != TOML_TABLE)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(v->key, known[i]) == 0)
			return true;
	return toml_get(v, "servers") != NULL || toml_get(v, "restart_cmd") != NULL;
}

static bool
update_ok(const struct toml *section, const char *update)
{
	char *server, *keyfile;

	if (!update_parts(update, &server, &keyfile))
		return conf_fault(SITE_CONF, toml_get(section, "update"),
		    "'update' has to be 'server[#port] keyfile'");
	free(server);
	free(keyfile);
	return true;
}

static bool
take_server(struct site *site, const struct toml *v)
{
	static const char *const changes[] = {"cert", "dns", "tlsa"};
	struct server s = {.section = v->key};
	const struct toml *at = NULL;
	const char *word;
	size_t i;
	bool ok = conf_table(SITE_CONF, v, server_keys, &s);

	if (!name_safe(v->key))
		ok = conf_fault(SITE_CONF, v, "not a name for a server section");
	if (s.svc_depends != NULL && !pairs_ok(s.svc_depends))
		ok = conf_fault(SITE_CONF, s.svc_depends, "'svc_depends' has to be a list of "
		    "[group, [service, ...]]");
	if (ok && s.update != NULL && !update_ok(v, s.update))
		ok = false;
	while (ok && (word = conf_next(s.depends, &at)) != NULL) {
		for (i = 0; i < 3 && strcmp(word, changes[i]) != 0; i++)
			;
		if (i < 3)
			continue;
		complain("%s:%u: 'depends' knows cert, dns and tlsa, not '%s'%s", SITE_CONF,
		    at->line, word, conf_hint(word, changes, 3));
		ok = false;
	}
	site->server = xreallocarray(site->server, site->nserver + 1, sizeof(s));
	site->server[site->nserver++] = s;
	return ok;
}

static bool
take_primaries(struct site *site, const struct toml *primaries)
{
	bool ok = true;

	for (const struct toml *v = primaries == NULL ? NULL : primaries->first; v != NULL;
	    v = v->next) {
		struct primary p = {NULL, NULL, 53};

		ok = conf_table(SITE_CONF, v, primary_keys, &p) && ok;
		if (p.domain == NULL || p.server == NULL)
			ok = conf_fault(SITE_CONF, v,
			    "[[dns_primary]] needs 'domain' and 'server'");
		site->primary = xreallocarray(site->primary, site->nprimary + 1, sizeof(p));
		site->primary[site->nprimary++] = p;
	}
	return ok;
}

/* Who may read production; "" is nobody, as it is without. */
static bool
prod_group_ok(struct file *f)
{
	const struct toml *v = toml_get(f->globals, "prod_group");

	if (f->site.prod_group == NULL || f->site.prod_group[0] == '\0')
		f->site.prod_group = NULL;
	else if (!group_safe(f->site.prod_group))
		return conf_fault(SITE_CONF, v != NULL ? v : toml_get(f->site.root, "prod_group"),
		    "'prod_group' is not the name of a group");
	return true;
}

/* The whole file but for its groups; false after an error. */
static bool
take_file(struct file *f)
{
	static const struct conf_key keys[] = {GLOBALS,
	    MEMBER(globals, WANT_TABLE, 0, 0),
	    MEMBER(groups, WANT_TABLES, 0, 0),
	    MEMBER(dns_primary, WANT_TABLES, 0, 0),
	    MEMBER(renew_info, WANT_TABLE, 0, 0),
	    {NULL, WANT_DEAD, 0, 0, 0}};
	struct toml rest = *f->site.root, **last = &rest.first;
	bool ok = true;

	/* Servers go by their content, the other keys by their names. */
	for (struct toml *v = f->site.root->first, *next; v != NULL; v = next) {
		next = v->next;
		if (is_server(v)) {
			ok = take_server(&f->site, v) && ok;
		} else {
			*last = v;
			last = &v->next;
		}
	}
	*last = NULL;
	ok = conf_table(SITE_CONF, &rest, keys, f) && ok;
	if (f->globals != NULL)
		ok = conf_table(SITE_CONF, f->globals, global_keys, f) && ok;
	ok = take_primaries(&f->site, f->dns_primary) && ok;
	if (f->site.post_copy_cmd != NULL && !pairs_ok(f->site.post_copy_cmd))
		ok = conf_fault(SITE_CONF, f->site.post_copy_cmd,
		    "'post_copy_cmd' has to be a list of [host, command]");
	if (f->site.prod_cert_dir[0] == '\0') {
		complain("%s: 'prod_cert_dir' is empty", SITE_CONF);
		ok = false;
	}
	ok = prod_group_ok(f) && ok;
	if (f->site.clean_keep < 1) {
		complain("%s: 'clean_keep' is less than 1; 1 is used", SITE_CONF);
		f->site.clean_keep = 1;
	}
	if (f->renew_info != NULL)
		ok = renew_table(&f->site.renew, SITE_CONF, f->renew_info) && ok;
	else if (f->renew_expire_days >= 0)
		f->site.renew.days = (double)f->renew_expire_days;
	f->site.renew.days_spread = (double)f->renew_expire_days_spread;
	return ok;
}

/* Both files into *f; false after an error. */
static bool
read_files(struct file *f, const char *dir)
{
	char *path;
	bool ok;

	*f = (struct file){.site = {.prod_cert_dir = "/etc/ssl-mgr/prod-certs",
	    .logdir = "/var/log/ssl-mgr", .sslm_auth_hook = "/usr/lib/ssl-mgr/sslm-auth-hook",
	    .clean_keep = 10, .min_roll_mins = 90, .dns_xtra_ns = &xtra_ns},
	    .renew_expire_days = -1};
	if (dir != NULL && chdir(dir) == -1)
		die(EX_USE, "cannot go to '%s':", dir);
	f->site.test = access(SITE_TEST, F_OK) == 0;
	renew_default(&f->site.renew);
	if ((f->site.root = toml_load(SITE_CONF)) == NULL)
		finish(EX_USE);
	ok = take_file(f);
	if (f->site.test) {
		path = site_path(&f->site, f->site.prod_cert_dir);
		f->site.test_prod_dir = xasprintf("%s.test", path);
		f->site.prod_cert_dir = f->site.test_prod_dir;
		free(path);
	}
	return cainfo_load(&f->site) && ok;
}

void
site_load(struct site *site, const char *dir, char *const names[])
{
	struct file f;
	bool ok = read_files(&f, dir);

	if (names == NULL || *names == NULL)
		ok = site_add_groups(&f.site, f.groups) && ok;
	else
		for (; *names != NULL; names++)
			f.site.bad = !site_add_named(&f.site, *names) || f.site.bad;
	if (!ok)
		finish(EX_USE);
	site_drop_twins(&f.site);
	*site = f.site;
}

void
site_load_conf(struct site *site, const char *dir)
{
	struct file f;

	if (!read_files(&f, dir))
		finish(EX_USE);
	*site = f.site;
}

const struct server *
site_server(const struct site *site, const char *section)
{
	for (size_t i = 0; i < site->nserver; i++)
		if (strcmp(site->server[i].section, section) == 0)
			return &site->server[i];
	return NULL;
}

char *
site_path(const struct site *site, const char *path)
{
	return xasprintf("%s%s", site->test && path[0] != '/' ? SITE_ABOVE : "", path);
}

void
site_free(struct site *site)
{
	for (size_t i = 0; i < site->n; i++) {
		free(site->id[i].group);
		free(site->id[i].service);
	}
	free(site->id);
	free(site->test_prod_dir);
	free(site->server);
	free(site->primary);
	free(site->ca);
	toml_free(site->ca_root);
	toml_free(site->root);
}
