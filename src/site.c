/* site.c: conf.d/ssl-mgr.conf and the list of services. */
#include "sslm.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SITE_CONF[] = "conf.d/ssl-mgr.conf";

struct group {
	const char *domain;
	const struct toml *services;
	bool active;
};

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
	GLOBAL(logdir, WANT_STRING, 0, 0),                                           \
	GLOBAL(clean_keep, WANT_INT, -1000000, 1000000),                             \
	GLOBAL(min_roll_mins, WANT_INT, 0, 525600),                                  \
	GLOBAL(dns_check_delay, WANT_INT, -86400, 86400),                            \
	GLOBAL(dns_xtra_ns, WANT_STRINGS, 0, 0),                                     \
	GLOBAL(post_copy_cmd, WANT_VALUE, 0, 0),                                     \
	MEMBER(renew_expire_days, WANT_INT, 0, 36500),                               \
	MEMBER(renew_expire_days_spread, WANT_INT, 0, 36500)

static const struct conf_key global_keys[] = {GLOBALS, {NULL, WANT_DEAD, 0, 0, 0}};

static const struct conf_key group_keys[] = {
    {"domain", WANT_STRING, offsetof(struct group, domain), 0, 0},
    {"services", WANT_STRINGS, offsetof(struct group, services), 0, 0},
    {"active", WANT_BOOL, offsetof(struct group, active), 0, 0},
    {NULL, WANT_DEAD, 0, 0, 0}};

#define SERVER(name, kind) {#name, kind, offsetof(struct server, name), 0, 0}
static const struct conf_key server_keys[] = {
    SERVER(servers, WANT_STRINGS),
    SERVER(restart_cmd, WANT_STRINGS),
    SERVER(depends, WANT_STRINGS),
    SERVER(acme_dir, WANT_STRINGS),
    SERVER(tlsa_dirs, WANT_STRINGS),
    SERVER(svc_depends, WANT_VALUE),
    SERVER(server_dir, WANT_STRING),
    SERVER(update, WANT_VALUE),
    SERVER(skip_prod_copy, WANT_BOOL),
    {NULL, WANT_DEAD, 0, 0, 0}};

/* [[dns_primary]]: which name server is asked for a zone. */
struct primary {
	const char *domain, *server;
	long port;
};
static const struct conf_key primary_keys[] = {
    {"domain", WANT_STRING, offsetof(struct primary, domain), 0, 0},
    {"server", WANT_STRING, offsetof(struct primary, server), 0, 0},
    {"port", WANT_INT, offsetof(struct primary, port), 1, 65535},
    {NULL, WANT_DEAD, 0, 0, 0}};

static bool
fault(const struct toml *v, const char *what)
{
	complain("%s:%u: %s", SITE_CONF, v->line, what);
	return false;
}

static bool
is_all(const char *s)
{
	return strcasecmp(s, "all") == 0 || strcasecmp(s, "any") == 0 || strcmp(s, "*") == 0;
}

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
take_server(struct site *site, const struct toml *v)
{
	static const char *const changes[] = {"cert", "dns", "tlsa"};
	struct server s = {.section = v->key};
	const struct toml *at = NULL;
	const char *word;
	bool ok = conf_table(SITE_CONF, v, server_keys, &s);

	if (!name_safe(v->key))
		ok = fault(v, "not a name for a server section");
	if (s.svc_depends != NULL && !pairs_ok(s.svc_depends))
		ok = fault(s.svc_depends, "'svc_depends' has to be a list of "
		    "[group, [service, ...]]");
	while (ok && (word = conf_next(s.depends, &at)) != NULL)
		if (strcmp(word, "cert") != 0 && strcmp(word, "dns") != 0 &&
		    strcmp(word, "tlsa") != 0) {
			complain("%s:%u: 'depends' knows cert, dns and tlsa, not '%s'%s", SITE_CONF,
			    at->line, word, conf_hint(word, changes, 3));
			ok = false;
		}
	site->server = xreallocarray(site->server, site->nserver + 1, sizeof(s));
	site->server[site->nserver++] = s;
	return ok;
}

static bool
check_primaries(const struct toml *primaries)
{
	bool ok = true;

	for (const struct toml *v = primaries == NULL ? NULL : primaries->first; v != NULL;
	    v = v->next) {
		struct primary p = {NULL, NULL, 53};

		ok = conf_table(SITE_CONF, v, primary_keys, &p) && ok;
		if (p.domain == NULL || p.server == NULL)
			ok = fault(v, "[[dns_primary]] needs 'domain' and 'server'");
	}
	return ok;
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
	ok = check_primaries(f->dns_primary) && ok;
	if (f->site.post_copy_cmd != NULL && !pairs_ok(f->site.post_copy_cmd))
		ok = fault(f->site.post_copy_cmd, "'post_copy_cmd' has to be a list of "
		    "[host, command]");
	if (f->site.prod_cert_dir[0] == '\0') {
		complain("%s: 'prod_cert_dir' is empty", SITE_CONF);
		ok = false;
	}
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

static void
add(struct site *site, const char *group, const char *service)
{
	struct service_id *id;

	if ((site->n & (site->n - 1)) == 0)
		site->id = xreallocarray(site->id, site->n == 0 ? 1 : 2 * site->n,
		    sizeof(*site->id));
	id = &site->id[site->n++];
	id->group = xstrdup(group);
	id->service = xstrdup(service);
}

/* Does a file look like a service file?  Those that an administrator keeps
 * beside them (notes, copies of other things) do not. */
static bool
looks_like_service(const char *path)
{
	static const char *const sign[] = {"name=", "group=", "service=", "[KeyOpts]", "[X509]"};
	enum { SIGNS = sizeof(sign) / sizeof(sign[0]), ALL = (1 << SIGNS) - 1 };
	char *buf, *rest, *line, start[16];
	struct stat st;
	unsigned seen = 0;
	size_t n;

	if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode) || (buf = slurp(path, NULL)) == NULL)
		return false;
	rest = buf;
	while ((line = strsep(&rest, "\n")) != NULL) {
		for (n = 0; *line != '\0' && n < sizeof(start) - 1; line++)
			if (strchr(" \t\r", *line) == NULL)
				start[n++] = *line;
		start[n] = '\0';
		for (unsigned i = 0; i < SIGNS; i++)
			if (strncmp(start, sign[i], strlen(sign[i])) == 0)
				seen |= 1u << i;
	}
	free(buf);
	return seen == ALL;
}

static int
visible(const struct dirent *e)
{
	return name_safe(e->d_name);
}

bool
site_add_group(struct site *site, const char *group)
{
	char *dir = xasprintf("conf.d/%s", group), *path;
	struct dirent **entry;
	int n = scandir(dir, &entry, visible, alphasort);

	if (n == -1)
		complain("cannot read directory '%s':", dir);
	for (int i = 0; i < n; i++) {
		path = xasprintf("%s/%s", dir, entry[i]->d_name);
		if (looks_like_service(path))
			add(site, group, entry[i]->d_name);
		free(path);
		free(entry[i]);
	}
	if (n != -1)
		free(entry);
	free(dir);
	return n != -1;
}

/* Groups in the order of the file; of two for one domain the last counts. */
static bool
add_groups(struct site *site, const struct toml *groups)
{
	const struct toml *v, *later, *at;
	const char *service;
	bool ok = true;

	for (v = groups == NULL ? NULL : groups->first; v != NULL; v = v->next) {
		struct group g = {NULL, NULL, false};
		bool all = false;

		if (!conf_table(SITE_CONF, v, group_keys, &g)) {
			ok = false;
			continue;
		}
		if (g.domain == NULL || !name_safe(g.domain)) {
			ok = fault(v, "[[groups]] needs a 'domain' that can be the name of a "
			    "directory: letters, digits, '.', '_' and '-'");
			continue;
		}
		if (strcasecmp(g.domain, "ca") == 0 && strcmp(g.domain, "ca") != 0) {
			ok = fault(v, "the group of the site's own CAs is 'ca', in small letters");
			continue;
		}
		for (later = v->next; later != NULL; later = later->next) {
			const struct toml *d = toml_get(later, "domain");

			if (d != NULL && d->type == TOML_STRING && strcmp(d->str, g.domain) == 0)
				break;
		}
		if (later != NULL || !g.active)
			continue;
		for (at = NULL; (service = conf_next(g.services, &at)) != NULL;)
			all = all || is_all(service);
		if (all)
			site->bad = !site_add_group(site, g.domain) || site->bad;
		for (at = NULL; !all && (service = conf_next(g.services, &at)) != NULL;)
			if (name_safe(service))
				add(site, g.domain, service);
			else
				ok = fault(at, "not a name for a service: letters, digits, '.', '_' "
				    "and '-' only, and no word of our own");
	}
	return ok;
}

/* "group:service,service" and its other spellings; false if there is no such
 * thing. */
static bool
add_named(struct site *site, const char *arg)
{
	char *copy, *group, *service, *path;
	bool ok = true;

	if (strncmp(arg, "certs/", 6) == 0)
		arg += 6;
	copy = service = xstrdup(arg);
	group = strsep(&service, ":/");
	if (service != NULL && *service != '\0' && service[strlen(service) - 1] == '/')
		service[strlen(service) - 1] = '\0';
	if (!name_safe(group)) {
		complain("'%s': not a group", arg);
		ok = false;
	} else if (service == NULL || *service == '\0') {
		ok = site_add_group(site, group);
	}
	while (ok && service != NULL && *service != '\0') {
		char *one = strsep(&service, ",");

		if (is_all(one)) {
			ok = site_add_group(site, group);
			continue;
		}
		path = xasprintf("conf.d/%s/%s", group, one);
		if (!name_safe(one) || access(path, F_OK) == -1) {
			complain("'%s:%s': no such service", group, one);
			ok = false;
		} else {
			add(site, group, one);
		}
		free(path);
	}
	free(copy);
	return ok;
}

static int
by_name(const void *a, const void *b)
{
	const struct service_id *x = *(struct service_id *const *)a;
	const struct service_id *y = *(struct service_id *const *)b;
	int d = strcmp(x->group, y->group);

	if (d == 0)
		d = strcmp(x->service, y->service);
	return d != 0 ? d : (x > y) - (x < y);
}

/* A service that is listed twice counts once, where it comes first. */
static void
drop_twins(struct site *site)
{
	struct service_id **sorted = xreallocarray(NULL, site->n, sizeof(*sorted));
	size_t kept = 0;

	for (size_t i = 0; i < site->n; i++)
		sorted[i] = &site->id[i];
	qsort(sorted, site->n, sizeof(*sorted), by_name);
	for (size_t i = 1, first = 0; i < site->n; i++)
		if (strcmp(sorted[first]->group, sorted[i]->group) != 0 ||
		    strcmp(sorted[first]->service, sorted[i]->service) != 0) {
			first = i;
		} else {
			free(sorted[i]->group);
			free(sorted[i]->service);
			sorted[i]->group = sorted[i]->service = NULL;
		}
	free(sorted);
	for (size_t i = 0; i < site->n; i++)
		if (site->id[i].group != NULL)
			site->id[kept++] = site->id[i];
	site->n = kept;
}

void
site_load(struct site *site, const char *dir, char *const names[])
{
	struct file f = {.site = {.prod_cert_dir = "/etc/ssl-mgr/prod-certs",
	    .logdir = "/var/log/ssl-mgr", .sslm_auth_hook = "/usr/lib/ssl-mgr/sslm-auth-hook",
	    .clean_keep = 10, .min_roll_mins = 90, .dns_check_delay = 240},
	    .renew_expire_days = -1};
	bool ok;

	if (dir != NULL && chdir(dir) == -1)
		die(EX_USE, "cannot go to '%s':", dir);
	renew_default(&f.site.renew);
	if ((f.site.root = toml_load(SITE_CONF)) == NULL)
		finish(EX_USE);
	ok = take_file(&f);
	ok = cainfo_load(&f.site) && ok;
	if (names == NULL || *names == NULL)
		ok = add_groups(&f.site, f.groups) && ok;
	else
		for (; *names != NULL; names++)
			f.site.bad = !add_named(&f.site, *names) || f.site.bad;
	if (!ok)
		finish(EX_USE);
	drop_twins(&f.site);
	*site = f.site;
}

void
site_only(struct site *site, const char *file)
{
	char *buf = slurp(file, NULL), *rest = buf, *line;

	for (size_t i = 0; i < site->n; i++) {
		free(site->id[i].group);
		free(site->id[i].service);
	}
	site->n = 0;
	if (buf == NULL)
		finish(EX_USE);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			site->bad = !add_named(site, line) || site->bad;
	free(buf);
}

void
site_free(struct site *site)
{
	for (size_t i = 0; i < site->n; i++) {
		free(site->id[i].group);
		free(site->id[i].service);
	}
	free(site->id);
	free(site->server);
	free(site->ca);
	toml_free(site->ca_root);
	toml_free(site->root);
}

char *
service_dir(const struct service_id *id)
{
	return xasprintf("certs/%s/%s", id->group, id->service);
}
