/* dane_join.c: every key that counts at every owner. */
#include "dane.h"

#include <stdlib.h>
#include <string.h>

void
dane_keep_kinds(struct dane_member *m, const struct service *s)
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

int
dane_join(struct dane_member *m, size_t n)
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
