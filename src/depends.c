/* depends.c: which servers use a service, and where they are. */
#include "site.h"

#include <string.h>

/* One pair [group, service] or [group, [service, ...]]; they are checked in site.c. */
static bool
pair_names(const struct toml *pair, const struct service_id *id)
{
	const struct toml *group = pair->first, *at = NULL;
	const char *service;

	if (!means_all(group->str) && strcmp(group->str, id->group) != 0)
		return false;
	while ((service = conf_next(group->next, &at)) != NULL)
		if (means_all(service) || strcmp(service, id->service) == 0)
			return true;
	return false;
}

bool
section_uses(const struct server *s, const struct service_id *id)
{
	if (strcmp(s->section, "dns") == 0)
		return false;
	if (s->svc_depends == NULL)
		return strcmp(id->group, "ca") != 0;
	for (const struct toml *pair = s->svc_depends->first; pair != NULL; pair = pair->next)
		if (pair_names(pair, id))
			return true;
	return false;
}

static bool
depends_on(const struct server *s, const char *what)
{
	const struct toml *at = NULL;
	const char *word;

	while ((word = conf_next(s->depends, &at)) != NULL)
		if (strcmp(word, what) == 0)
			return true;
	return false;
}

bool
section_certs(const struct server *s)
{
	const struct toml *at = NULL;

	return s->svc_depends != NULL || conf_next(s->depends, &at) == NULL ||
	    depends_on(s, "cert");
}

bool
section_tlsa(const struct server *s)
{
	return depends_on(s, "dns") || depends_on(s, "tlsa");
}

bool
section_cmd(const struct server *s)
{
	const struct toml *at = NULL;
	const char *cmd;

	while ((cmd = conf_next(s->restart_cmd, &at)) != NULL)
		if (cmd[strspn(cmd, " \t")] != '\0')
			return true;
	return false;
}

bool
section_hosts(const struct server *s, struct words *hosts)
{
	const struct toml *at = NULL;
	const char *host;
	bool ok = true;

	while ((host = conf_next(s->servers, &at)) != NULL) {
		if (host_safe(host)) {
			words_add(hosts, xstrdup(host_here(host) ? HERE : host));
		} else {
			complain("%s:%u: [%s] servers: not a host", SITE_CONF, at->line,
			    s->section);
			ok = false;
		}
	}
	if (ok && hosts->n == 0)
		words_add(hosts, xstrdup(HERE));
	words_sort(hosts);
	return ok;
}
