/* dane_set.c: the TLSA records of a generation, for what its service wants. */
#include "dane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
above(const struct dane_item *item)
{
	return item->usage == USAGE_PKIX_TA || item->usage == USAGE_DANE_TA;
}

/* The octets that records are made of: of the certificate, and of the one above. */
struct sources {
	const char *dir;
	struct tlsa_source from[2];
	bool have[2];
};

/* The data of an item; the caller frees.  NULL after a complaint. */
static char *
data_of(struct sources *src, const struct dane_item *item)
{
	bool up = above(item);

	if (!src->have[up]) {
		char *path = xasprintf("%s/%s", src->dir, set_name[SET_FULLCHAIN]);

		src->have[up] = tlsa_source(&src->from[up], path, up);
		free(path);
	}
	return src->have[up] ? tlsa_data(&src->from[up], item->selector, item->match) : NULL;
}

static void
sources_free(struct sources *src)
{
	for (int i = 0; i < 2; i++)
		if (src->have[i])
			tlsa_source_free(&src->from[i]);
}

/* The records of an item at all its owners; false after a complaint. */
static bool
add_item(struct tlsas *l, const struct service *s, const struct dane_item *item,
    struct sources *src, struct dane_mx *mx)
{
	struct words owners = {NULL, 0};
	char *data;

	if (item->mx && !dane_mx_ask(mx))
		return false;
	if ((data = data_of(src, item)) == NULL)
		return false;
	dane_owners(s, item, &mx->hosts, &owners);
	for (size_t i = 0; i < owners.n; i++)
		tlsas_add(l, (struct tlsa){.owner = xstrdup(owners.w[i]),
		    .ttl = s->dane_tls_ttl, .usage = item->usage, .selector = item->selector,
		    .match = item->match, .data = xstrdup(data)});
	words_free(&owners);
	free(data);
	return true;
}

static int
write_set(const char *path, const struct service *s, const struct words *notes,
    const struct tlsas *l)
{
	char *text, *line, *said = words_join(notes, "\n", NULL), *count = tlsas_count(l);
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	fprintf(f, ";;\n;; tlsa %s %s\n%s%s\n;;\n", s->id->group, s->id->service, said, count);
	for (size_t i = 0; i < l->n; i++) {
		line = tlsa_line(&l->rr[i]);
		fprintf(f, "%s\n", line);
		free(line);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ret = out_file(path, 0644, text, len) == -1 ? -1 : 0;
	free(text);
	free(count);
	free(said);
	return ret;
}

char *
dane_data(const char *dir, long usage, long selector, long match)
{
	const struct dane_item item = {.usage = usage, .selector = selector, .match = match};
	struct sources src = {.dir = dir};
	char *data = data_of(&src, &item);

	sources_free(&src);
	return data;
}

/* Is the file there, and for the same? */
static bool
up_to_date(const char *path, const struct words *notes)
{
	struct words have = {NULL, 0};
	struct tlsas l = {0};
	bool same = tlsas_load(&l, path, &have) == 1;
	size_t at = 0;

	for (size_t i = 0; i < have.n; i++)
		if (strncmp(have.w[i], ";; dane_tls ", 12) == 0) {
			same = same && at < notes->n && strcmp(have.w[i], notes->w[at]) == 0;
			at++;
		}
	same = same && at == notes->n;
	words_free(&have);
	tlsas_free(&l);
	return same;
}

static int
make(const char *dir, const char *path, const struct service *s, const struct words *notes,
    struct dane_mx *mx)
{
	struct sources src = {.dir = dir};
	struct tlsas l = {0};
	struct dane_item *item;
	bool ok = true;
	size_t n;

	item = dane_items(s, &n);
	for (size_t i = 0; i < n && ok; i++)
		ok = add_item(&l, s, &item[i], &src, mx);
	if (ok)
		ok = write_set(path, s, notes, &l) == 0;
	sources_free(&src);
	tlsas_free(&l);
	free(item);
	return ok ? 0 : -1;
}

int
dane_set(const char *dir, const struct service *s, struct dane_mx *mx)
{
	struct words notes = {NULL, 0};
	char *path = tlsa_rr_path(dir);
	int ret = 0;

	dane_notes(s, &notes);
	if (notes.n == 0) {
		if (unlink(path) == 0) {
			ret = sync_dir(dir);
		} else if (errno != ENOENT) {
			complain("cannot remove '%s':", path);
			ret = -1;
		}
	} else if (!up_to_date(path, &notes)) {
		ret = make(dir, path, s, &notes, mx);
	}
	words_free(&notes);
	free(path);
	return ret;
}
