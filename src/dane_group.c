/* dane_group.c: what is published of a group: tlsa.GROUP, wherever it has to be. */
#include "dane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file in memory. */
struct page {
	struct tlsas all;	/* the records, each once */
	struct words label;	/* "mail-ec curr", of each part */
	size_t *from;		/* the first record of each part */
	long old_ttl;		/* of records from before that caches may have; 0: none */
	time_t old_at;		/* when they were replaced */
};

/* Add the records of a generation; with have, those at owners that are in that list or
 * on the page. */
static void
add_part(struct page *p, const struct dane_member *m, const struct dane_gen *g,
    const struct tlsas *have)
{
	p->from = xreallocarray(p->from, p->label.n + 1, sizeof(*p->from));
	p->from[p->label.n] = p->all.n;
	words_add(&p->label, xasprintf("%s %s", m->id.service, g->label));
	for (size_t i = 0; i < g->all.n; i++)
		if (have == NULL || tlsas_owner(have, g->all.rr[i].owner) ||
		    tlsas_owner(&p->all, g->all.rr[i].owner))
			tlsas_copy(&p->all, &g->all.rr[i]);
}

/* Has somebody else records at an owner of these? */
static bool
meets(const struct tlsas *all, const struct tlsas *records)
{
	for (size_t i = 0; i < records->n; i++)
		if (tlsas_owner(all, records->rr[i].owner))
			return true;
	return false;
}

/* A set of records has one TTL (RFC 2181, 5.2): the least that is said. */
static void
one_ttl(struct tlsas *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->n; k++)
			if (l->rr[k].ttl > 0 && strcmp(l->rr[k].owner, l->rr[i].owner) == 0 &&
			    (l->rr[i].ttl == 0 || l->rr[k].ttl < l->rr[i].ttl))
				l->rr[i].ttl = l->rr[k].ttl;
}

/* What is in use first, and of what a server was never told only what goes to owners that
 * have records; then what is to be used for the first time, and what may be in use though
 * its service is gone: only where others have records at the same owners, which would not
 * allow its key. */
static void
collect(struct page *p, struct dane_member *m, size_t n, const struct site *site)
{
	struct tlsas have = {0}, *known = &have;

	if (n > 0 && !dane_published(site, m->id.group, &have))
		known = NULL;
	for (int untold = 0; untold <= 1; untold++)
		for (size_t i = 0; i < n; i++)
			for (size_t g = 0; g < m[i].n && m[i].in_use && m[i].untold == untold; g++)
				add_part(p, &m[i], &m[i].gen[g], untold ? known : NULL);
	for (size_t i = 0; i < n; i++)
		if (!m[i].in_use && m[i].n > 0 && meets(&p->all, &m[i].gen[0].all)) {
			add_part(p, &m[i], &m[i].gen[0], NULL);
			m[i].clear = false;
		}
	one_ttl(&p->all);
	tlsas_free(&have);
}

/* ---- kinds of records -------------------------------------------------------- */

/* Of two digests of one usage and selector, clients look at the stronger one alone
 * (RFC 7671, 9): a key that has only the other is refused. */
static void
warn_mixed(const struct page *p, const char *group)
{
	for (size_t i = 0; i < p->all.n; i++) {
		const struct tlsa *a = &p->all.rr[i];
		bool every = true;

		for (size_t part = 0; part < p->label.n && every; part++) {
			size_t end = part + 1 < p->label.n ? p->from[part + 1] : p->all.n;
			bool at = false, same = false;

			for (size_t k = p->from[part]; k < end; k++) {
				const struct tlsa *b = &p->all.rr[k];

				if (strcmp(a->owner, b->owner) != 0 || a->usage != b->usage ||
				    a->selector != b->selector)
					continue;
				at = true;
				same = same || a->match == b->match;
			}
			every = !at || same;
		}
		if (!every) {
			complain("%s: services differ in the matching types of dane_tls at '%s': clients "
			    "take the strongest and refuse the others", group, a->owner);
			return;
		}
	}
}

/* ---- writing ---------------------------------------------------------------------- */

static char *
page_text(const struct page *p, const char *group, size_t *len)
{
	char *text, *line, *count = tlsas_count(&p->all), when[STAMP_SIZE];
	FILE *f = open_memstream(&text, len);

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	fprintf(f, ";;\n;; TLSA %s\n%s\n;;\n", group, count);
	free(count);
	if (p->old_ttl > 0) {
		stamp(when, p->old_at);
		fprintf(f, ";; ttl %ld %s\n", p->old_ttl, when);
	}
	for (size_t i = 0, part = 0; i < p->all.n || part < p->label.n; i++) {
		for (; part < p->label.n && p->from[part] == i; part++)
			fprintf(f, ";;\n;; %s\n;;\n", p->label.w[part]);
		if (i == p->all.n)
			break;
		line = tlsa_line(&p->all.rr[i]);
		fprintf(f, "%s\n", line);
		free(line);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	return text;
}

/* Does the file hold just these records, with their TTLs? */
static bool
same_records(const char *path, const struct tlsas *want)
{
	struct tlsas have = {0};
	int got = tlsas_load(&have, path, NULL);
	bool same = (got == 1 || (got == 0 && want->n == 0)) && have.n == want->n;

	for (size_t i = 0; i < want->n && same; i++) {
		same = false;
		for (size_t k = 0; k < have.n && !same; k++)
			same = tlsa_same(&want->rr[i], &have.rr[k]) &&
			    want->rr[i].ttl == have.rr[k].ttl;
	}
	tlsas_free(&have);
	return same;
}

/* The directories of a list in [dns] that are there; false after a complaint of one
 * that is not. */
static bool
tlsa_dirs(const struct site *site, struct words *dirs)
{
	const struct server *dns = site_server(site, "dns");
	const struct toml *at = NULL;
	const char *dir;
	struct stat st;
	bool ok = true;
	char *path;

	while (dns != NULL && (dir = conf_next(dns->tlsa_dirs, &at)) != NULL) {
		path = site_path(site, dir);
		errno = ENOTDIR;
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			words_add(dirs, path);
			continue;
		}
		complain("%s:%u: [dns] tlsa_dirs '%s':", SITE_CONF, at->line, dir);
		free(path);
		ok = false;
	}
	return ok;
}

/* The greatest TTL of the records that are being replaced, and of those before them
 * if that is not long ago: caches may have them. */
static void
look_back(struct page *p, const char *path, const char *group, time_t now)
{
	enum { SLACK = 86400 };	/* for servers that are told late */
	struct words notes = {NULL, 0}, zones = {NULL, 0};
	char *zone = zone_canon(group);
	struct tlsas old = {0};
	bool untold;
	char *end;
	long ttl;

	push_load(&zones);
	untold = zone != NULL && words_has(&zones, zone);
	tlsas_load(&old, path, &notes);
	p->old_ttl = tlsas_ttl(&old, 0);
	p->old_at = now;
	for (size_t i = 0; i < notes.n; i++)
		if (strncmp(notes.w[i], ";; ttl ", 7) == 0) {
			time_t at;

			ttl = strtol(notes.w[i] + 7, &end, 10);
			at = *end == ' ' ? stamp_time(end + 1) : -1;
			if (ttl > p->old_ttl && at != -1 && (untold || now < at + 2 * ttl + SLACK))
				p->old_ttl = ttl;
		}
	if (p->old_ttl <= tlsas_ttl(&p->all, 0))
		p->old_ttl = 0;
	tlsas_free(&old);
	words_free(&notes);
	words_free(&zones);
	free(zone);
}

/* One copy of the file; what it holds now is looked at if its records differ. */
static int
put(const char *path, const char *text, size_t len, const struct tlsas *want, bool *changed)
{
	if (same_records(path, want))
		return 0;
	*changed = true;
	return out_file(path, 0644, text, len) == -1 ? -1 : 0;
}

/* In production it is beside the services. */
static int
put_production(const struct site *site, const char *group, const char *text, size_t len,
    const struct tlsas *want)
{
	char *dir = xasprintf("%s/%s", site->prod_cert_dir, group);
	char *path = xasprintf("%s/tlsa.%s", dir, group);
	bool changed;
	int ret = 0;

	if (!same_records(path, want) &&
	    (make_dir(site->prod_cert_dir, 0750) == -1 || make_dir(dir, 0755) == -1 ||
	    put(path, text, len, want, &changed) == -1))
		ret = -1;
	free(path);
	free(dir);
	return ret;
}

static int
write_all(const struct site *site, struct page *p, const char *group, bool *changed)
{
	const struct server *dns = site->test ? NULL : site_server(site, "dns");
	char *path = tlsa_group_path(group), *text, **copy;
	struct words dirs = {NULL, 0};
	bool differs = !same_records(path, &p->all), any;
	int ret = site->test || tlsa_dirs(site, &dirs) ? EX_YES : EX_USE;
	size_t len;

	copy = xreallocarray(NULL, dirs.n, sizeof(*copy));
	any = differs;
	for (size_t i = 0; i < dirs.n; i++) {
		copy[i] = xasprintf("%s/tlsa.%s", dirs.w[i], group);
		any = any || !same_records(copy[i], &p->all);
	}
	look_back(p, path, group, time(NULL));
	text = page_text(p, group, &len);
	if (any && dns != NULL && push_add_one(group) == -1) {
		ret = EX_TEMP;
	} else {
		if (any)
			warn_mixed(p, group);
		*changed = any;
		for (size_t i = 0; i < dirs.n; i++)
			if (put(copy[i], text, len, &p->all, &any) == -1)
				ret = EX_TEMP;
		if (put(path, text, len, &p->all, &any) == -1 ||
		    put_production(site, group, text, len, &p->all) == -1)
			ret = EX_TEMP;
	}
	for (size_t i = 0; i < dirs.n; i++)
		free(copy[i]);
	free(copy);
	words_free(&dirs);
	free(text);
	free(path);
	return ret;
}

/* Where servers are looked at before records go, those stay that they need still. */
static int
keep_needed(const struct site *site, struct page *p, const char *group)
{
	char *path = tlsa_group_path(group);
	struct tlsas old = {0};
	int ret = EX_YES;

	if (site->dane_probe && !site->test && tlsas_load(&old, path, NULL) == 1 &&
	    !dane_probed(group, &old, &p->all)) {
		ret = EX_TEMP;
		p->from = xreallocarray(p->from, p->label.n + 1, sizeof(*p->from));
		p->from[p->label.n] = p->all.n;
		words_add(&p->label, xstrdup("may be needed still"));
		for (size_t i = 0; i < old.n; i++)
			tlsas_copy(&p->all, &old.rr[i]);
		one_ttl(&p->all);
	}
	tlsas_free(&old);
	free(path);
	return ret;
}

int
dane_group(const struct site *site, const char *group, bool *changed)
{
	struct dane_member *m;
	struct page p = {0};
	size_t n;
	int one;
	int ret = dane_members(site, group, &m, &n);

	*changed = false;
	/* A record too many does no harm, one too few does. */
	if (ret == EX_YES) {
		collect(&p, m, n, site);
		ret = keep_needed(site, &p, group);
		one = write_all(site, &p, group, changed);
		for (size_t i = 0; i < n && one == EX_YES; i++)
			if (m[i].clear)
				one = dane_clear(&m[i], p.old_ttl);
		ret = one != EX_YES ? one : ret;
	}
	tlsas_free(&p.all);
	words_free(&p.label);
	free(p.from);
	dane_members_free(m, n);
	return ret;
}
