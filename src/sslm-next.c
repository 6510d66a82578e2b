/* sslm-next: open the next generation of a service, or go on with the one that
 * an interrupted run left. */
#include "cert.h"
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-next [-afr] [-C dir] [-i file] [-o file] [service ...]\n"
    "       sslm-next -h | -V\n";

enum { DAY = 86400 };

/* A directory of its own in db, named for now, whatever the clock does; its
 * path from dir, which the caller frees, or NULL after a complaint. */
static char *
new_generation(const char *dir)
{
	char when[STAMP_SIZE], *path, *gen;
	bool made = false, taken;

	stamp(when, time(NULL));
	for (int twin = 1; !made; twin++) {
		gen = twin == 1 ? xasprintf("db/%s", when) : xasprintf("db/%s-%d", when, twin);
		path = xasprintf("%s/%s", dir, gen);
		/* A name that a dangling link has would bring that link to life. */
		taken = gen_linked(dir, gen + 3);
		made = !taken && mkdir(path, 0700) == 0;
		if (made && chmod(path, 0750) == -1)
			complain("cannot set the mode of '%s':", path);
		if (!made && ((!taken && errno != EEXIST) || twin == 1000)) {
			complain("cannot make directory '%s':", path);
			free(path);
			free(gen);
			return NULL;
		}
		free(path);
		if (!made)
			free(gen);
	}
	return gen;
}

/* Since when there has been the key of the set in dir, by its record. */
static time_t
key_since(const char *dir)
{
	time_t t = info_get(dir, "key");

	return t > 0 ? t : info_issued(dir);
}

/* Is the key in use young enough for key_days, and of the kind that is wanted? */
static bool
key_young(const struct service *s, const char *dir, time_t now)
{
	char *curr = xasprintf("%s/curr", dir), *path = xasprintf("%s/%s", curr, set_name[SET_CERT]);
	bool yes = false;
	const char *why;
	struct cert c;
	time_t since;

	if (s->key_days > 0 && cert_load(&c, path, &why)) {
		since = key_since(curr);
		yes = strcmp(c.kind, s->kind) == 0 && since <= now &&
		    now - since < (time_t)s->key_days * DAY;
		cert_free(&c);
	}
	free(path);
	free(curr);
	return yes;
}

/* The key that is in use, for the next certificate too; how old it is goes along. */
static int
reuse_key(const char *dir, const char *gen)
{
	char *curr = xasprintf("%s/curr", dir), *into = xasprintf("%s/%s", dir, gen);
	char *from = xasprintf("%s/curr/%s", dir, set_name[SET_KEY]);
	char *to = xasprintf("%s/%s/%s", dir, gen, set_name[SET_KEY]), *key;
	size_t len;
	int ret = -1;

	if (access(from, F_OK) == -1 && errno == ENOENT) {
		ret = 0;	/* nothing to reuse yet: a new key */
	} else if ((key = slurp(from, &len)) != NULL) {
		ret = out_new(to, 0600, key, len) != 1 ? -1 : info_get(into, "key") != -1 ? 0 :
		    info_put(into, "key", key_since(curr));
		wipe(key, len);
	}
	free(from);
	free(to);
	free(into);
	free(curr);
	return ret;
}

struct order {
	bool anew, force, reuse;
};

/* The order for one service, whose file may want its key to be kept.  False after a
 * complaint. */
static bool
order_for(struct order *o, const struct site *site, const struct service_id *id, const char *dir)
{
	char *curr = xasprintf("%s/curr/.", dir);
	bool any = access(curr, F_OK) == 0;
	struct service s;

	free(curr);
	if (o->anew || o->reuse || !any)
		return true;
	if (!service_load(&s, site, id))
		return false;
	o->reuse = key_young(&s, dir, time(NULL));
	service_free(&s);
	return true;
}

/* One service: 1 if its next is to be worked on, 0 if it is complete, -1 after
 * a complaint. */
static int
open_next(const char *dir, const struct order *o)
{
	char *db = xasprintf("%s/db", dir), *link = xasprintf("%s/next", dir), *gen = NULL;
	char *key = xasprintf("%s/%s", link, set_name[SET_KEY]);
	enum next_state state = next_state(dir);
	int ret = -1;

	if (!link_or_none(link))
		ret = -1;
	else if (state == NEXT_WHOLE && !o->force && !o->anew)
		ret = 0;
	else if (state == NEXT_PART && !o->anew)
		ret = o->reuse && access(key, F_OK) == -1 && reuse_key(dir, "next") == -1 ? -1 : 1;
	else if (make_dir(dir, 0755) == 0 && make_dir(db, 0750) == 0 &&
	    (gen = new_generation(dir)) != NULL && (!o->reuse || reuse_key(dir, gen) == 0) &&
	    out_link(gen, link) == 0)
		ret = 1;
	free(gen);
	free(key);
	free(link);
	free(db);
	return ret;
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *in = NULL, *out = NULL;
	struct order o = {false, false, false};
	char *path, *group, *list;
	struct site site;
	size_t len;
	bool bad;
	FILE *f;
	int c, got;

	start();
	while ((c = getopt(argc, argv, "aC:fhi:o:rV")) != -1)
		switch (c) {
		case 'a': o.anew = true; break;
		case 'C': dir = optarg; break;
		case 'f': o.force = true; break;
		case 'i': in = optarg; break;
		case 'o': out = optarg; break;
		case 'r': o.reuse = true; break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, argv + optind);
	if (in != NULL)
		site_only(&site, in);
	if ((f = open_memstream(&list, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	bad = make_dir("certs", 0755) == -1;
	for (size_t i = 0; i < site.n; i++) {
		struct order its = o;

		out_defer();
		group = xasprintf("certs/%s", site.id[i].group);
		path = service_dir(&site.id[i]);
		got = 0;
		if (!order_for(&its, &site, &site.id[i], path))
			site.bad = true;
		else
			got = make_dir(group, 0750) == -1 ? -1 : open_next(path, &its);
		if (got == 1)
			fprintf(f, "%s/%s\n", site.id[i].group, site.id[i].service);
		bad = bad || got == -1;
		free(path);
		free(group);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	out_defer();
	if (out != NULL)
		bad = out_file(out, 0644, list, len) == -1 || bad;
	bad = out_commit("certs") == -1 || bad;
	free(list);
	c = site.bad ? EX_USE : bad ? EX_TEMP : EX_YES;
	site_free(&site);
	if (c != EX_YES)
		finish(c);
	return EX_YES;
}
