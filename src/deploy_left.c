/* deploy_left.c: private keys on other machines whose servers have no use for them. */
#include "deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS = 4 };	/* before the path in rsync's lists: mode, size, date, time */

/* Of another site with the same production directory nothing is said. */
static bool
is_ours(const struct deploy *d, const char *group)
{
	return has_file("conf.d", group) || has_file("certs", group) ||
	    has_file(d->prod, group);
}

/* Who is logged in makes no other machine. */
static const char *
bare(const char *host)
{
	const char *at = strchr(host, '@');

	return at != NULL ? at + 1 : host;
}

static bool
is_among(const struct words *hosts, const char *host)
{
	for (size_t i = 0; i < hosts->n; i++)
		if (strcmp(bare(hosts->w[i]), bare(host)) == 0)
			return true;
	return false;
}

/* Does a section of the host use the service, active or not? */
static bool
wanted(const struct deploy *d, const char *host, const struct service_id *id)
{
	char *conf = xasprintf("conf.d/%s/%s", id->group, id->service);
	bool yes = access(conf, F_OK) == 0, uses = false;

	for (size_t s = 0; s < d->site.nserver; s++)
		uses = uses || (is_among(&d->where[s], host) &&
		    section_uses(&d->site.server[s], id));
	free(conf);
	return yes && uses;
}

/* The path in a line of rsync's list of files, or NULL. */
static char *
path_of(char *line)
{
	if (*line != '-')
		return NULL;
	for (int i = 0; i < FIELDS && *line != '\0'; i++) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

/* "group/service" of the path below production of a key, if the host may not have it; the
 * caller frees. */
static char *
unwanted(const struct deploy *d, const char *host, const char *path)
{
	char *copy = xstrdup(path), *rest = copy, *found = NULL;
	struct service_id id;

	id.group = strsep(&rest, "/");
	id.service = strsep(&rest, "/");
	if (rest != NULL && name_safe(id.group) && name_safe(id.service) &&
	    is_ours(d, id.group) && (strcmp(id.group, "ca") == 0 || !wanted(d, host, &id)))
		found = xasprintf("%s/%s", id.group, id.service);
	free(copy);
	return found;
}

void
left_print(struct deploy *d, const char *host, char *list)
{
	struct words left = {NULL, 0};
	char *line, *path, *name;

	while ((line = strsep(&list, "\n")) != NULL)
		if ((path = path_of(line)) != NULL && (name = unwanted(d, host, path)) != NULL)
			words_add(&left, name);
	words_sort(&left);
	for (size_t i = 0; i < left.n; i++) {
		printf("%s\t%s/%s\t%s\tremove it by hand\n", host, d->prod, left.w[i],
		    strncmp(left.w[i], "ca/", 3) == 0 ? "has the private key of a CA" :
		    "is used by no section of this host");
		deploy_failed(d, EX_NO);
	}
	words_free(&left);
}

void
left_say(const struct deploy *d, const char *line)
{
	char *copy = xstrdup(line), *rest = copy, *host, *key;
	struct service_id id;

	if (strcmp(strsep(&rest, " "), "copy") == 0) {
		host = strsep(&rest, " ");
		id.group = strsep(&rest, "/");
		id.service = strsep(&rest, " ");
		key = xasprintf("group %s %s", host, id.group);
		/* Hosts that are only told of new sets have such lines too. */
		if (deployed_get(&d->state, key) != NULL && !wanted(d, host, &id))
			complain("'%s': no section uses %s/%s there any more; "
			    "'%s/%s/%s' stays there until it is removed", host, id.group,
			    id.service, d->prod, id.group, id.service);
		free(key);
	}
	free(copy);
}
