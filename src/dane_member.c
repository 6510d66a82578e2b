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

	if (!has_file(dir, set_name[SET_CERT])) {
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

	m->in_use = curr != NULL && has_file(m->dir, "curr/cert.pem");
	if (m->in_use)
		ret = add_gen(m, curr, "curr", s, mx);
	if (!deployed_gens(site, &m->id, &used, &unknown, &none))
		unknown = true;
	m->untold = unknown;
	if (prev != NULL && (!m->in_use || prev_counts(m, unknown, none)))
		words_add(&used, xstrdup(prev));
	/* A link that leads nowhere has been removed by hand, or by another program. */
	if (prev != NULL && !has_file(m->dir, "prev/."))
		words_drop(&used, prev);
	/* Somebody has removed curr, and servers have what was in it. */
	if (!m->in_use && used.n > 0) {
		complain("'%s/curr' is missing, and servers have been told of it", m->dir);
		m->in_use = true;
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

/* ---- one by one ------------------------------------------------------------------ */

/* Does the service file say anything of TLSA records?  Most do not, and are not read
 * any further. */
static enum said { SAID_FAILED, SAID_GONE, SAID_NOTHING, SAID_SOMETHING }
mentions(const char *path)
{
	enum said said;
	char *text;

	if (access(path, F_OK) == -1 && (errno == ENOENT || errno == ENOTDIR))
		return SAID_GONE;
	if ((text = slurp(path, NULL)) == NULL)
		return SAID_FAILED;
	said = strstr(text, "dane_tls") != NULL ? SAID_SOMETHING : SAID_NOTHING;
	free(text);
	return said;
}

/* Its file is gone, and servers may have its key: the records are what they were. */
static int
take_gone(struct dane_member *m)
{
	char *path = xasprintf("%s/curr/tlsa.rr", m->dir);
	struct dane_gen g = {0};

	if (tlsas_load(&g.rr, path, NULL) == 1) {
		g.label = xstrdup("curr");
		m->gen = xreallocarray(m->gen, 1, sizeof(*m->gen));
		m->gen[m->n++] = g;
	}
	m->gone = m->clear = true;
	free(path);
	return EX_YES;
}

static int
take(const struct site *site, struct dane_member *m, struct dane_mx *mx)
{
	char *path = xasprintf("conf.d/%s/%s", m->id.group, m->id.service);
	enum said said = mentions(path);
	int ret = EX_YES;
	struct service s;

	if (said == SAID_FAILED) {
		ret = EX_TEMP;
	} else if (said == SAID_GONE) {
		ret = take_gone(m);
	} else if (said == SAID_NOTHING) {
		m->clear = true;
	} else if (!has_file(m->dir, "curr/.") && !has_file(m->dir, "next/.")) {
		ret = EX_YES;
	} else if (!service_load(&s, site, &m->id)) {
		ret = EX_USE;
	} else {
		struct words notes = {NULL, 0};

		dane_notes(&s, &notes);
		if (notes.n == 0)
			m->clear = true;
		else if ((ret = add_gens(site, m, &s, mx)) == EX_YES)
			dane_keep_kinds(m, &s);
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
		ret = dane_join(*members, *n);
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
