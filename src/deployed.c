/* deployed.c: certs/.deployed, what servers have been given and told. */
#include "site.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { GEN_MAX = 64, WORDS_MAX = 5 };

bool
deployed_gen(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-");

	return isalnum((unsigned char)s[0]) && s[n] == '\0' && n <= GEN_MAX;
}

static bool
is_id(char *s)
{
	char *slash = strchr(s, '/');
	bool yes;

	if (slash == NULL)
		return false;
	*slash = '\0';
	yes = name_safe(s) && name_safe(slash + 1);
	*slash = '/';
	return yes;
}

static bool
is_hash(const char *s)
{
	return strcmp(s, "-") == 0 || (strlen(s) == 64 && s[strspn(s, "0123456789abcdef")] == '\0');
}

/* What the words of a line have to be: a remote host, any host, the name of a section
 * or group, a service, a generation, one or "-", a hash. */
static bool
word_ok(char kind, char *s)
{
	switch (kind) {
	case 'r': return host_safe(s);
	case 'h': return strcmp(s, HERE) == 0 || host_safe(s);
	case 'n': return name_safe(s);
	case 's': return is_id(s);
	case 'g': return deployed_gen(s);
	case 'o': return strcmp(s, "-") == 0 || deployed_gen(s);
	default: return is_hash(s);
	}
}

static const struct {
	const char *kind, *words;
} known[] = {{"copy", "rsoo"}, {"group", "rnx"}, {"old", "r"}, {"post", "r"}, {"seen", "hsg"},
    {"tlsa", "hnnx"}, {"use", "hnsg"}};

/* What a damaged file holds comes to no rsync, and counts for nothing. */
static char *
checked(const char *line)
{
	char *copy = xstrdup(line), *rest = copy, *word = strsep(&rest, " ");
	const char *want = NULL;
	bool ok;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(word, known[i].kind) == 0)
			want = known[i].words;
	ok = want != NULL;
	while (ok && *want != '\0' && (word = strsep(&rest, " ")) != NULL)
		ok = word_ok(*want++, word);
	ok = ok && *want == '\0' && rest == NULL;
	free(copy);
	return ok ? xstrdup(line) : NULL;
}

int
deployed_load(struct words *lines)
{
	return words_load(lines, DEPLOYED, checked, "a line of ours");
}

int
deployed_save(const struct words *lines)
{
	return words_save(lines, DEPLOYED);
}

/* ---- lines by their keys --------------------------------------------------- */

/* A line beside a key and the blank behind it. */
static int
order(const char *line, const char *key)
{
	size_t n = strlen(key);
	int d = strncmp(line, key, n);

	return d != 0 ? d : (unsigned char)line[n] - ' ';
}

size_t
deployed_find(const struct words *lines, const char *key)
{
	size_t lo = 0, hi = lines->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (order(lines->w[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
deployed_has(const struct words *lines, size_t at, const char *key)
{
	return at < lines->n && order(lines->w[at], key) == 0;
}

const char *
deployed_get(const struct words *lines, const char *key)
{
	size_t at = deployed_find(lines, key);

	return deployed_has(lines, at, key) ? lines->w[at] + strlen(key) + 1 : NULL;
}

void
deployed_drop(struct words *lines, const char *key)
{
	size_t from = deployed_find(lines, key), to = from;

	for (; deployed_has(lines, to, key); to++)
		free(lines->w[to]);
	if (to == from)
		return;
	memmove(lines->w + from, lines->w + to, (lines->n - to + 1) * sizeof(*lines->w));
	lines->n -= to - from;
}

void
deployed_add(struct words *lines, const char *key, const char *value)
{
	char *line = *value != '\0' ? xasprintf("%s %s", key, value) : xstrdup(key);
	size_t at;

	if (words_has(lines, line)) {
		free(line);
		return;
	}
	words_add(lines, line);
	for (at = lines->n - 1; at > 0 && strcmp(lines->w[at - 1], line) > 0; at--)
		;
	memmove(lines->w + at + 1, lines->w + at, (lines->n - 1 - at) * sizeof(*lines->w));
	lines->w[at] = line;
}

void
deployed_put(struct words *lines, const char *key, const char *value)
{
	deployed_drop(lines, key);
	deployed_add(lines, key, value);
}

/* ---- what servers may be using ----------------------------------------------- */

/* The generation that a link of the service in certs leads to, "" if none. */
static void
linked(const struct service_id *id, const char *link, char gen[GEN_MAX + 1])
{
	char *path = xasprintf("certs/%s/%s/%s", id->group, id->service, link), target[300];
	const char *to = link_target(path, target, sizeof(target)), *slash;

	if (to != NULL && (slash = strrchr(to, '/')) != NULL)
		to = slash + 1;
	gen[0] = '\0';
	if (to != NULL && deployed_gen(to))
		memcpy(gen, to, strlen(to) + 1);
	free(path);
}

/* The first word of what stands behind each line of the key, to gens. */
static void
collect(const struct words *lines, const char *key, struct words *gens)
{
	for (size_t at = deployed_find(lines, key); deployed_has(lines, at, key); at++) {
		const char *gen = lines->w[at] + strlen(key) + 1;

		if (strncmp(gen, "- ", 2) != 0)
			words_add(gens, xasprintf("%.*s", (int)strcspn(gen, " "), gen));
	}
}

struct user {
	const struct words *lines;
	const struct service_id *id;
	struct words *gens;
	const char *curr;
	bool behind, unknown;
};

/* A section on one of its hosts. */
static void
ask(struct user *u, const struct server *s, const char *host)
{
	char *use = xasprintf("use %s %s %s/%s", host, s->section, u->id->group, u->id->service);
	char *seen = xasprintf("seen %s %s/%s", host, u->id->group, u->id->service);
	char *copy = xasprintf("copy %s %s/%s", host, u->id->group, u->id->service);
	const char *told = deployed_get(u->lines, use);

	if (told == NULL && section_cmd(s))
		u->unknown = true;
	if (told == NULL || strcmp(told, u->curr) != 0)
		u->behind = true;
	collect(u->lines, use, u->gens);
	collect(u->lines, seen, u->gens);
	collect(u->lines, copy, u->gens);
	free(copy);
	free(seen);
	free(use);
}

bool
deployed_gens(const struct site *site, const struct service_id *id, struct words *gens,
    bool *unknown, bool *none)
{
	static struct words lines;
	static int loaded = 2;
	char curr[GEN_MAX + 1], prev[GEN_MAX + 1];
	struct user u = {&lines, id, gens, curr, false, false};

	*unknown = false;
	*none = true;
	if (site->test)
		return true;
	if (loaded == 2)
		loaded = deployed_load(&lines);
	if (loaded == -1)
		return false;
	linked(id, "curr", curr);
	for (size_t i = 0; i < site->nserver; i++) {
		const struct server *s = &site->server[i];
		struct words hosts = {NULL, 0};

		/* Who is told of TLSA records alone has no keys. */
		if (!section_uses(s, id) || !section_certs(s))
			continue;
		if (section_cmd(s))
			*none = false;
		if (!section_hosts(s, &hosts))
			u.unknown = true;
		for (size_t h = 0; h < hosts.n; h++)
			ask(&u, s, hosts.w[h]);
		words_free(&hosts);
	}
	/* Rolled, and servers not yet told: the run was killed in between, perhaps. */
	linked(id, "prev", prev);
	if (u.behind && prev[0] != '\0')
		words_add(gens, xstrdup(prev));
	words_sort(gens);
	/* A line that is lost may have been of any server. */
	*unknown = u.unknown || (loaded == 1 && !*none);
	return true;
}
