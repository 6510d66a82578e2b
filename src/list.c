/* list.c: the list of services that a site has, or that are named. */
#include "site.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct group {
	const char *domain;
	const struct toml *services;
	bool active;
};

static const struct conf_key group_keys[] = {
    {"domain", WANT_STRING, offsetof(struct group, domain), 0, 0},
    {"services", WANT_STRINGS, offsetof(struct group, services), 0, 0},
    {"active", WANT_BOOL, offsetof(struct group, active), 0, 0},
    {NULL, WANT_DEAD, 0, 0, 0}};

bool
means_all(const char *s)
{
	return strcasecmp(s, "all") == 0 || strcasecmp(s, "any") == 0 || strcmp(s, "*") == 0;
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
	static const char *const sign[] = {"name=", "group=", "service=", "[KeyOpts]",
	    "[X509]"};
	enum { SIGNS = sizeof(sign) / sizeof(sign[0]), ALL = (1 << SIGNS) - 1 };
	char *buf, *rest, *line, start[16];
	struct stat st;
	unsigned seen = 0;
	size_t n;

	if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (buf = slurp(path, NULL)) == NULL)
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

static bool
group_ok(const struct toml *v, const struct group *g)
{
	if (g->domain == NULL || !name_safe(g->domain))
		return conf_fault(SITE_CONF, v, "[[groups]] needs a 'domain' that can be the "
		    "name of a directory: letters, digits, '.', '_' and '-'");
	if (strcasecmp(g->domain, "ca") == 0 && strcmp(g->domain, "ca") != 0)
		return conf_fault(SITE_CONF, v, "the group of the site's own CAs is 'ca', in "
		    "small letters");
	return true;
}

/* Is there a later table for the same domain? */
static bool
replaced(const struct toml *v, const char *domain)
{
	const struct toml *d;

	while ((v = v->next) != NULL)
		if ((d = toml_get(v, "domain")) != NULL && d->type == TOML_STRING &&
		    strcmp(d->str, domain) == 0)
			return true;
	return false;
}

static bool
add_listed(struct site *site, const struct group *g)
{
	const struct toml *at;
	const char *service;
	bool ok = true;

	for (at = NULL; (service = conf_next(g->services, &at)) != NULL;)
		if (means_all(service)) {
			site->bad = !site_add_group(site, g->domain) || site->bad;
			return true;
		}
	for (at = NULL; (service = conf_next(g->services, &at)) != NULL;)
		if (name_safe(service))
			add(site, g->domain, service);
		else
			ok = conf_fault(SITE_CONF, at, "not a name for a service: letters, "
			    "digits, '.', '_' and '-' only, and no word of our own");
	return ok;
}

bool
site_add_groups(struct site *site, const struct toml *groups)
{
	const struct toml *v = groups == NULL ? NULL : groups->first;
	bool ok = true;

	for (; v != NULL; v = v->next) {
		struct group g = {NULL, NULL, false};

		if (!conf_table(SITE_CONF, v, group_keys, &g) || !group_ok(v, &g))
			ok = false;
		else if (g.active && !replaced(v, g.domain))
			ok = add_listed(site, &g) && ok;
	}
	return ok;
}

bool
site_add_named(struct site *site, const char *arg)
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

		if (means_all(one)) {
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

void
site_drop_twins(struct site *site)
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
			site->bad = !site_add_named(site, line) || site->bad;
	free(buf);
}

char *
service_dir(const struct service_id *id)
{
	return xasprintf("certs/%s/%s", id->group, id->service);
}
