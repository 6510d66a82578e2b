/* dane_member.c: a service of a group, and the sets whose keys servers may show.
 *
 * Which sets these are follows from what is on disk, and so do the records: a run that
 * was killed at any point is made up for by the next one. */
#include "dane.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where no server section uses a service, somebody else tells the servers: so long
 * after a roll the key from before it may be in use; seconds. */
enum { UNTOLD = 86400 };

/* The generation that a link leads to; the caller frees.  NULL if there is none. */
static char *
generation(const char *dir, const char *link)
{
	char *path = xasprintf("%s/%s", dir, link), target[300];
	const char *to = link_target(path, target, sizeof(target)), *slash;

	free(path);
	if (to == NULL)
		return NULL;
	slash = strrchr(to, '/');
	return xstrdup(slash != NULL ? slash + 1 : to);
}

static bool
there(const char *dir, const char *file)
{
	char *path = xasprintf("%s/%s", dir, file);
	bool yes = access(path, F_OK) == 0;

	free(path);
	return yes;
}

/* May the key of prev be in use although no line of ours says so?  A roll that was not
 * noted, as the run was killed, or for a time that is still to come, was just now. */
static bool
prev_counts(const struct dane_member *m, bool unknown, bool none)
{
	char *curr = xasprintf("%s/curr", m->dir);
	time_t now = time(NULL), rolled = info_get(curr, "rolled to curr");

	free(curr);
	return unknown || (none && (rolled <= 0 || rolled > now || now - rolled < UNTOLD));
}

/* Take the set at dir/db/gen.  One that is not there any more has records that cannot
 * be made again. */
static int
add_gen(struct dane_member *m, const char *gen, const char *label, const struct service *s,
    struct dane_mx *mx)
{
	char *dir = xasprintf("%s/db/%s", m->dir, gen), *path = tlsa_rr_path(dir);
	struct dane_gen g = {0};
	int ret = EX_YES;

	if (!there(dir, set_name[SET_CERT])) {
		complain("'%s/%s' is missing: what is published of group %s stays as it is", dir,
		    set_name[SET_CERT], m->id.group);
		ret = EX_PERM;
	} else if (dane_set(dir, s, mx) == -1) {
		ret = EX_TEMP;
	} else if (tlsas_load(&g.rr, path, NULL) == -1) {
		complain("cannot read '%s'", path);
		ret = EX_TEMP;
	} else {
		g.label = xstrdup(label);
		m->gen = xreallocarray(m->gen, m->n + 1, sizeof(*m->gen));
		m->gen[m->n++] = g;
	}
	free(path);
	free(dir);
	return ret;
}

/* All sets of a service that count: what is in use, what will be, and what a server
 * may still be using. */
static int
add_gens(const struct site *site, struct dane_member *m, const struct service *s,
    struct dane_mx *mx)
{
	char *curr = generation(m->dir, "curr"), *next = generation(m->dir, "next");
	char *prev = generation(m->dir, "prev");
	struct words used = {NULL, 0};
	bool unknown = false, none = false;
	int ret = EX_YES, one;

	m->in_use = curr != NULL && there(m->dir, "curr/cert.pem");
	if (m->in_use) {
		ret = add_gen(m, curr, "curr", s, mx);
		if (!deployed_gens(site, &m->id, &used, &unknown, &none))
			unknown = true;
		m->untold = unknown;
		if (prev != NULL && prev_counts(m, unknown, none))
			words_add(&used, xstrdup(prev));
		/* A link that leads nowhere has been removed by hand, or by another program. */
		if (prev != NULL && !there(m->dir, "prev/."))
			words_drop(&used, prev);
	}
	if (next != NULL && next_state(m->dir) == NEXT_WHOLE &&
	    (one = add_gen(m, next, "next", s, mx)) != EX_YES)
		ret = one;
	words_sort(&used);
	for (size_t i = 0; i < used.n; i++)
		if ((curr == NULL || strcmp(used.w[i], curr) != 0) &&
		    (next == NULL || strcmp(used.w[i], next) != 0) &&
		    (one = add_gen(m, used.w[i], used.w[i], s, mx)) != EX_YES)
			ret = one;
	words_free(&used);
	free(prev);
	free(next);
	free(curr);
	return ret;
}

/* ---- every key at every owner -------------------------------------------------- */

/* Note the kinds of records that are for MX hosts. */
static void
keep_kinds(struct dane_member *m, const struct service *s)
{
	struct dane_item *item;
	size_t n;

	item = dane_items(s, &n);
	for (size_t i = 0; i < n; i++)
		if (item[i].mx)
			tlsas_add(&m->mx, (struct tlsa){.ttl = s->dane_tls_ttl,
			    .owner = xasprintf("_%ld._%s.", item[i].port, item[i].proto),
			    .usage = item[i].usage, .selector = item[i].selector,
			    .match = item[i].match, .data = xstrdup("")});
	free(item);
}

/* Is the owner that of a record of such a kind? */
static bool
of_kind(const char *owner, const struct tlsa *kind)
{
	return strncmp(owner, kind->owner, strlen(kind->owner)) == 0;
}

/* The owners of a service's records for MX hosts. */
static void
mx_owners(const struct dane_member *m, struct words *owners)
{
	for (size_t g = 0; g < m->n; g++)
		for (size_t i = 0; i < m->gen[g].rr.n; i++)
			for (size_t k = 0; k < m->mx.n; k++)
				if (of_kind(m->gen[g].rr.rr[i].owner, &m->mx.rr[k]))
					words_add(owners, xstrdup(m->gen[g].rr.rr[i].owner));
}

/*
 * Every generation has a record for every owner that any of them has: an MX host that
 * only next knows is served with the key of curr until the roll.  So it is with MX
 * hosts that only another service knows, as its set is newer: all serve them.
 */
static int
join(struct dane_member *m, const struct words *hosts)
{
	struct tlsas want = {0};
	char none[] = "";
	int ret = EX_YES;

	for (size_t k = 0; k < m->mx.n && m->n > 0; k++)
		for (size_t i = 0; i < hosts->n; i++)
			if (of_kind(hosts->w[i], &m->mx.rr[k])) {
				struct tlsa rr = m->mx.rr[k];

				rr.owner = hosts->w[i];
				tlsas_copy(&want, &rr);
			}
	for (size_t g = 0; g < m->n; g++)
		for (size_t i = 0; i < m->gen[g].rr.n; i++) {
			struct tlsa rr = m->gen[g].rr.rr[i];

			rr.data = none;
			tlsas_copy(&want, &rr);
		}
	for (size_t g = 0; g < m->n; g++) {
		const char *label = m->gen[g].label;
		bool link = strcmp(label, "curr") == 0 || strcmp(label, "next") == 0;
		char *dir = xasprintf("%s/%s%s", m->dir, link ? "" : "db/", label);
		struct tlsa last = {.usage = -1};

		for (size_t i = 0; i < want.n; i++) {
			struct tlsa rr = want.rr[i];

			/* Those of one kind are mostly side by side. */
			if (last.usage != rr.usage || last.selector != rr.selector ||
			    last.match != rr.match) {
				free(last.data);
				last = rr;
				last.data = dane_data(dir, rr.usage, rr.selector, rr.match);
			}
			if (last.data == NULL) {
				ret = EX_PERM;
				last.usage = -1;
				continue;
			}
			rr.data = last.data;
			tlsas_copy(&m->gen[g].all, &rr);
		}
		free(last.data);
		free(dir);
	}
	tlsas_free(&want);
	return ret;
}

static int
join_all(struct dane_member *m, size_t n)
{
	struct words hosts = {NULL, 0};
	int one, ret = EX_YES;

	for (size_t i = 0; i < n; i++)
		mx_owners(&m[i], &hosts);
	words_sort(&hosts);
	for (size_t i = 0; i < n; i++)
		if ((one = join(&m[i], &hosts)) != EX_YES)
			ret = one;
	words_free(&hosts);
	return ret;
}

/* ---- one by one ------------------------------------------------------------------ */

/* Does the service file say anything of TLSA records?  Most do not, and are not read
 * any further.  1; 0 also if there is no such file; -1 after a complaint. */
static int
mentions(const char *path)
{
	char *text;
	int yes;

	if (access(path, F_OK) == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if ((text = slurp(path, NULL)) == NULL)
		return -1;
	yes = strstr(text, "dane_tls") != NULL;
	free(text);
	return yes;
}

/* A service that does not want records, or whose file is gone, has none. */
static int
clear(const char *dir)
{
	static const char *const links[] = {"curr", "next"};
	int ret = EX_YES;

	for (int i = 0; i < 2; i++) {
		char *path = xasprintf("%s/%s/tlsa.rr", dir, links[i]);

		if (unlink(path) == -1 && errno != ENOENT && errno != ENOTDIR) {
			complain("cannot remove '%s':", path);
			ret = EX_TEMP;
		}
		free(path);
	}
	return ret;
}

static int
take(const struct site *site, struct dane_member *m, struct dane_mx *mx)
{
	char *path = xasprintf("conf.d/%s/%s", m->id.group, m->id.service);
	int said = mentions(path), ret;
	struct service s;

	if (said == -1) {
		ret = EX_TEMP;
	} else if (said == 0) {
		ret = clear(m->dir);
	} else if (!there(m->dir, "curr/.") && !there(m->dir, "next/.")) {
		ret = EX_YES;
	} else if (!service_load(&s, site, &m->id)) {
		ret = EX_USE;
	} else {
		struct words notes = {NULL, 0};

		dane_notes(&s, &notes);
		if (notes.n == 0)
			ret = clear(m->dir);
		else if ((ret = add_gens(site, m, &s, mx)) == EX_YES)
			keep_kinds(m, &s);
		words_free(&notes);
		service_free(&s);
	}
	free(path);
	return ret;
}

static int
named(const struct dirent *e)
{
	return e->d_type != DT_REG && name_safe(e->d_name);
}

int
dane_members(const struct site *site, const char *group, struct dane_member **members, size_t *n)
{
	struct dane_mx mx = {.site = site, .group = group};
	char *dir = xasprintf("certs/%s", group);
	struct dirent **entry;
	int found = scandir(dir, &entry, named, alphasort), one, ret = EX_YES;

	*members = NULL;
	*n = 0;
	if (found == -1 && errno != ENOENT) {
		complain("cannot read directory '%s':", dir);
		ret = EX_TEMP;
	}
	for (int i = 0; i < found; i++) {
		struct dane_member m = {.id = {xstrdup(group), xstrdup(entry[i]->d_name)}};

		m.dir = service_dir(&m.id);
		if ((one = take(site, &m, &mx)) != EX_YES)
			ret = one;
		*members = xreallocarray(*members, *n + 1, sizeof(**members));
		(*members)[(*n)++] = m;
		free(entry[i]);
	}
	if (found != -1)
		free(entry);
	if (ret == EX_YES)
		ret = join_all(*members, *n);
	words_free(&mx.hosts);
	free(dir);
	return ret;
}

void
dane_members_free(struct dane_member *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t g = 0; g < m[i].n; g++) {
			free(m[i].gen[g].label);
			tlsas_free(&m[i].gen[g].rr);
			tlsas_free(&m[i].gen[g].all);
		}
		tlsas_free(&m[i].mx);
		free(m[i].gen);
		free(m[i].dir);
		free(m[i].id.group);
		free(m[i].id.service);
	}
	free(m);
}
