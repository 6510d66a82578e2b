/* tlsa_file.c: lists of TLSA records, and files of them. */
#include "dane.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
tlsa_free(struct tlsa *rr)
{
	free(rr->owner);
	free(rr->data);
}

void
tlsas_add(struct tlsas *l, struct tlsa rr)
{
	if (tlsas_has(l, &rr)) {
		tlsa_free(&rr);
		return;
	}
	/* Room doubles. */
	if ((l->n & (l->n - 1)) == 0)
		l->rr = xreallocarray(l->rr, l->n == 0 ? 1 : 2 * l->n, sizeof(*l->rr));
	l->rr[l->n++] = rr;
}

void
tlsas_copy(struct tlsas *l, const struct tlsa *rr)
{
	struct tlsa copy = *rr;

	copy.owner = xstrdup(rr->owner);
	copy.data = xstrdup(rr->data);
	tlsas_add(l, copy);
}

bool
tlsas_has(const struct tlsas *l, const struct tlsa *rr)
{
	for (size_t i = 0; i < l->n; i++)
		if (tlsa_same(&l->rr[i], rr))
			return true;
	return false;
}

bool
tlsas_owner(const struct tlsas *l, const char *owner)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->rr[i].owner, owner) == 0)
			return true;
	return false;
}

long
tlsas_ttl(const struct tlsas *l, long least)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->rr[i].ttl > least)
			least = l->rr[i].ttl;
	return least;
}

void
tlsas_free(struct tlsas *l)
{
	for (size_t i = 0; i < l->n; i++)
		tlsa_free(&l->rr[i]);
	free(l->rr);
	*l = (struct tlsas){0};
}

/* A whole number in [0, hi]; -1 if the word is none. */
static long
small(const char *word, long hi)
{
	size_t n = word == NULL ? 0 : strlen(word);
	long v;

	if (n == 0 || n > 9 || strspn(word, "0123456789") != n)
		return -1;
	v = strtol(word, NULL, 10);
	return v <= hi ? v : -1;
}

/* Hex digits of so many octets as the matching type has. */
static bool
data_ok(const char *hex, long match)
{
	static const size_t octets[MATCHES] = {[MATCH_SHA256] = 32, [MATCH_SHA512] = 64};
	size_t n = hex == NULL ? 0 : strlen(hex);

	return n > 0 && n % 2 == 0 && strspn(hex, "0123456789abcdefABCDEF") == n &&
	    (octets[match] == 0 || n == 2 * octets[match]);
}

/* A copy of a name that ends in a dot, without it; NULL if it is not canonical. */
static char *
owner_of(const char *word)
{
	size_t n = word == NULL ? 0 : strlen(word);
	unsigned char addr[16];
	const char *why;
	char *owner;

	if (n < 2 || word[n - 1] != '.' || (owner = name_canon(word, &why)) == NULL)
		return NULL;
	if (name_ip(owner, addr) == 0 && strlen(owner) == n - 1 &&
	    strncasecmp(owner, word, n - 1) == 0)
		return owner;
	free(owner);
	return NULL;
}

bool
tlsa_parse(char *line, struct tlsa *rr)
{
	char *save, *word, *owner = strtok_r(line, " \t\r", &save), *data;

	word = strtok_r(NULL, " \t\r", &save);
	*rr = (struct tlsa){0};
	if (word != NULL && strcmp(word, "IN") != 0) {
		if ((rr->ttl = small(word, INT32_MAX)) == -1)
			return false;
		word = strtok_r(NULL, " \t\r", &save);
	}
	if (word == NULL || strcmp(word, "IN") != 0 ||
	    (word = strtok_r(NULL, " \t\r", &save)) == NULL || strcmp(word, "TLSA") != 0)
		return false;
	rr->usage = small(strtok_r(NULL, " \t\r", &save), USAGES - 1);
	rr->selector = small(strtok_r(NULL, " \t\r", &save), SELECTORS - 1);
	rr->match = small(strtok_r(NULL, " \t\r", &save), MATCHES - 1);
	data = strtok_r(NULL, " \t\r", &save);
	if (rr->usage == -1 || rr->selector == -1 || rr->match == -1 ||
	    strtok_r(NULL, " \t\r", &save) != NULL || !data_ok(data, rr->match) ||
	    (rr->owner = owner_of(owner)) == NULL)
		return false;
	rr->data = xstrdup(data);
	for (char *p = rr->data; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return true;
}

char *
tlsas_count(const struct tlsas *l)
{
	return xasprintf(";; records %zu", l->n);
}

/* Does a comment of that kind (NULL: none) say another number? */
static bool
miscounted(const struct tlsas *l, const char *note)
{
	char *count = tlsas_count(l);
	bool yes = note != NULL && strcmp(note, count) != 0;

	free(count);
	return yes;
}

int
tlsas_load(struct tlsas *l, const char *path, struct words *notes)
{
	char *text = slurp_upto(path, LIST_MAX, NULL), *rest = text, *line;
	const char *count = NULL;
	struct tlsas all = {0};
	bool ok = true;
	struct tlsa rr;

	if (text == NULL)
		return errno == ENOENT ? 0 : -1;
	while (ok && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == ';' && notes != NULL)
			words_add(notes, xstrdup(line));
		if (strncmp(line, ";; records ", 11) == 0)
			count = line;
		if (line[strspn(line, " \t\r")] == '\0' || line[0] == ';')
			continue;
		if ((ok = tlsa_parse(line, &rr)))
			tlsas_add(&all, rr);
	}
	ok = ok && !miscounted(&all, count);
	for (size_t i = 0; i < all.n; i++)
		if (ok)
			tlsas_add(l, all.rr[i]);
		else
			tlsa_free(&all.rr[i]);
	free(all.rr);
	free(text);
	return ok ? 1 : -1;
}

char *
tlsa_rr_path(const char *dir)
{
	return xasprintf("%s/tlsa.rr", dir);
}

char *
tlsa_group_path(const char *group)
{
	return xasprintf("certs/%s/tlsa.%s", group, group);
}
