/*
 * deploy_copy.c: sets to other machines, by rsync over ssh.  A set arrives whole before a
 * link is switched to it, by one rename, and goes only when no link leads to it any more;
 * so it takes up to three calls, each for all services together.
 */
#include "deploy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char from[] = "--files-from=" COPY_LIST;
static const char rules[] = "--filter=. " COPY_LIST;

bool
copy_serves(const struct deploy *d, const char *host, size_t i)
{
	for (size_t s = 0; s < d->site.nserver; s++)
		if (!d->site.server[s].skip_prod_copy && deploy_uses(d, s, host, i))
			return true;
	return false;
}

static char *
copy_key(const char *host, const struct prod *p)
{
	return xasprintf("copy %s %s", host, p->name);
}

static char *
copy_value(const struct prod *p)
{
	return xasprintf("%s %s", p->curr != NULL ? p->curr : "-",
	    p->next != NULL ? p->next : "-");
}

/* Is all to be copied once more?  TLSA records went with the sets. */
static bool
again(const struct deploy *d)
{
	return d->force && d->part != PART_TLSA;
}

bool
copy_set_wanted(const struct deploy *d, const char *host, size_t i)
{
	const struct prod *p = &d->service[i];
	char *key, *value;
	const char *have;
	bool yes;

	if (p->bad || (p->curr == NULL && p->next == NULL) || !copy_serves(d, host, i))
		return false;
	key = copy_key(host, p);
	value = copy_value(p);
	have = deployed_get(&d->state, key);
	yes = again(d) || have == NULL || strcmp(have, value) != 0;
	free(value);
	free(key);
	return yes;
}

bool
copy_group_wanted(const struct deploy *d, const char *host, size_t g)
{
	char *key = xasprintf("group %s %s", host, d->group[g].name);
	const char *have = deployed_get(&d->state, key);
	bool yes = again(d) || have == NULL || strcmp(have, d->group[g].hash) != 0;

	free(key);
	return yes;
}

/* What is to go to a host. */
struct load {
	bool *set, *group;
	size_t sets, groups;
};

static struct load
load_for(struct deploy *d, const char *host)
{
	struct load l = {xreallocarray(NULL, d->site.n, sizeof(bool)),
	    xreallocarray(NULL, d->ngroup, sizeof(bool)), 0, 0};

	memset(l.group, 0, d->ngroup * sizeof(bool));
	for (size_t i = 0; i < d->site.n; i++) {
		const struct prod *p = &d->service[i];

		if ((l.set[i] = copy_set_wanted(d, host, i)))
			l.sets++;
		if (!l.group[p->group] && (p->curr != NULL || p->next != NULL) &&
		    copy_serves(d, host, i) && copy_group_wanted(d, host, p->group)) {
			l.group[p->group] = true;
			l.groups++;
		}
	}
	/* Where nothing else is to be copied, they are the other part. */
	if (d->part == PART_CERT && l.sets == 0) {
		memset(l.group, 0, d->ngroup * sizeof(bool));
		l.groups = 0;
	}
	return l;
}

static void
load_free(struct load *l)
{
	free(l->set);
	free(l->group);
}

/* May there be sets to remove?  They are no part of the records. */
static bool
old_wanted(const struct deploy *d, const char *host)
{
	char *old = xasprintf("old %s", host);
	bool yes = d->part != PART_TLSA && words_has(&d->state, old);

	free(old);
	return yes;
}

bool
copy_behind(const struct deploy *d, const char *host)
{
	for (size_t i = 0; i < d->site.n; i++)
		if (copy_set_wanted(d, host, i))
			return true;
	return false;
}

bool
copy_wanted(struct deploy *d, const char *host, bool print)
{
	struct load l = load_for(d, host);
	bool yes = l.sets > 0 || l.groups > 0 || old_wanted(d, host);

	for (size_t i = 0; print && i < d->site.n; i++)
		if (l.set[i])
			deploy_say(d, host, "would get %s", d->service[i].name);
	for (size_t g = 0; print && g < d->ngroup; g++)
		if (l.group[g])
			deploy_say(d, host, "would get what is beside the services of %s",
			    d->group[g].name);
	load_free(&l);
	return yes;
}

/* ---- the three passes --------------------------------------------------------- */

static bool
send_sets(struct deploy *d, const char *host, const struct load *l)
{
	struct words files = {NULL, 0}, links = {NULL, 0};
	char *map = group_map(d);
	const char *option[8] = {from, map != NULL ? "-ptOg" : "-ptO", "--mkpath",
	    "--ignore-missing-args"};
	size_t n = 4;
	bool ok;

	if (map != NULL)
		option[n++] = map;
	if (d->force)
		option[n++] = "--checksum";

	for (size_t i = 0; i < d->site.n; i++) {
		const struct prod *p = &d->service[i];

		if (!l->set[i])
			continue;
		/* The dot has production itself sent along, with its mode. */
		words_add(&files, xasprintf("./%s", p->id->group));
		if (p->curr != NULL)
			prod_set_paths(p, p->curr, &files);
		if (p->next != NULL)
			prod_set_paths(p, p->next, &files);
		if (p->curr != NULL)
			words_add(&links, xasprintf("%s/curr", p->name));
		words_add(&links, xasprintf("%s/next", p->name));
	}
	for (size_t g = 0; g < d->ngroup; g++)
		if (l->group[g]) {
			words_add(&files, xasprintf("./%s", d->group[g].name));
			prod_group_paths(d, &d->group[g], &files, &links);
		}
	copy_rules(&links, true);
	ok = copy_pass(d, host, &files, "copy of sets", option, true) &&
	    copy_pass(d, host, &links, "switch of links", (const char *[]){rules,
	    "--filter=- *", "-rl", "--force", "--delete-after", NULL}, false);
	free(map);
	words_free(&links);
	words_free(&files);
	return ok;
}

/* Has production what a copy line says, so that nothing in use there is missing here? */
static bool
is_mirror(const struct deploy *d, const char *name, const char *value)
{
	static const char *const link[] = {"curr", "next"};
	char target[300], *path, *have[2];
	bool yes;

	for (size_t i = 0; i < 2; i++) {
		path = xasprintf("%s/%s/%s", d->prod, name, link[i]);
		have[i] = xstrdup(link_target(path, target, sizeof(target)) != NULL &&
		    access(path, F_OK) == 0 && strncmp(target, "db/", 3) == 0 ? target + 3 : "-");
		free(path);
	}
	path = xasprintf("%s %s", have[0], have[1]);
	yes = strcmp(path, value) == 0;
	free(path);
	free(have[0]);
	free(have[1]);
	return yes;
}

/* Generations that production does not have any more go there too. */
static bool
remove_old(struct deploy *d, const char *host)
{
	char *key = xasprintf("copy %s", host);
	struct words dirs = {NULL, 0};
	bool ok;

	for (size_t at = deployed_find(&d->state, key); deployed_has(&d->state, at, key); at++) {
		const char *name = d->state.w[at] + strlen(key) + 1;
		size_t n = strcspn(name, " ");
		char *copy = xasprintf("%.*s", (int)n, name);

		if (is_mirror(d, copy, name + n + 1))
			words_add(&dirs, xasprintf("%s/db/", copy));
		free(copy);
	}
	ok = copy_pass(d, host, &dirs, "removal of old sets", (const char *[]){from, "-r",
	    "--existing", "--ignore-existing", "--delete", NULL}, false);
	words_free(&dirs);
	free(key);
	return ok;
}

static void
note(struct deploy *d, const char *host, const struct load *l)
{
	char *key, *value;

	for (size_t i = 0; i < d->site.n; i++)
		if (l->set[i]) {
			key = copy_key(host, &d->service[i]);
			value = copy_value(&d->service[i]);
			deployed_put(&d->state, key, value);
			free(value);
			free(key);
		}
	for (size_t g = 0; g < d->ngroup; g++)
		if (l->group[g]) {
			key = xasprintf("group %s %s", host, d->group[g].name);
			deployed_put(&d->state, key, d->group[g].hash);
			free(key);
		}
}

void
copy_host(struct deploy *d, const char *host)
{
	struct load l = load_for(d, host);
	char *old = xasprintf("old %s", host);

	for (size_t i = 0; i < d->site.n; i++)
		if (l.set[i] && !prod_whole(d, i)) {
			l.set[i] = false;
			l.sets--;
		}
	if (l.sets > 0 || l.groups > 0) {
		if (l.sets > 0)
			deployed_add(&d->state, "old", host);
		if (post_cmds(d, host))
			deployed_add(&d->state, "post", host);
		if (!deploy_save(d) || group_there(d, host) != EX_YES || !send_sets(d, host, &l)) {
			words_add(&d->failed, xstrdup(host));
			goto out;
		}
		note(d, host, &l);
		deploy_say(d, host, "copied");
	}
	if (old_wanted(d, host) && remove_old(d, host))
		words_drop(&d->state, old);
	if (!deploy_save(d))
		words_add(&d->failed, xstrdup(host));
out:
	free(old);
	load_free(&l);
}
