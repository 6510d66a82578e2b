/* conf.c: a table of configuration, checked against its list of keys. */
#include "site.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 48, NAMES_MAX = 64, SAID_MAX = 200 };

/* Edit distance (Levenshtein), upper and lower case alike; words longer than
 * WORD_MAX are far from everything. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b), diag, up, best;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			up = row[j];
			best = diag + (tolower((unsigned char)a[i - 1]) !=
			    tolower((unsigned char)b[j - 1]));
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diag = up;
		}
	}
	return row[lb];
}

const char *
conf_hint(const char *word, const char *const *names, size_t n)
{
	static char hint[WORD_MAX + 32];
	size_t best = strlen(word) / 3 + 1, d;

	hint[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((d = distance(word, names[i])) < best || (d == best && hint[0] == '\0')) {
			best = d;
			snprintf(hint, sizeof(hint), " (did you mean '%s'?)", names[i]);
		}
	return hint;
}

bool
conf_fault(const char *path, const struct toml *v, const char *what)
{
	complain("%s:%u: %s", path, v->line, what);
	return false;
}

void
conf_unknown(const char *path, const struct toml *v, const char *const *names, size_t n)
{
	/* A CA's file is read once for each that it signs, and told of once. */
	static char *said[SAID_MAX];
	static size_t nsaid;
	char *what = xasprintf("%s:%u: unknown %s '%s'%s", path, v->line,
	    v->type == TOML_TABLE ? "table" : "key", v->key, conf_hint(v->key, names, n));

	for (size_t i = 0; i < nsaid; i++)
		if (strcmp(said[i], what) == 0) {
			free(what);
			return;
		}
	complain("%s", what);
	if (nsaid < SAID_MAX)
		said[nsaid++] = what;
	else
		free(what);
}

static bool
wrong(const char *path, const struct toml *v, const char *what)
{
	complain("%s:%u: '%s' has to be %s", path, v->line, v->key, what);
	return false;
}

/* A string that can be a file name, an argument or a part of a name. */
static bool
is_text(const struct toml *v)
{
	if (v->type != TOML_STRING)
		return false;
	for (size_t i = 0; i < v->len; i++)
		if ((unsigned char)v->str[i] < ' ' || v->str[i] == '\177')
			return false;
	return true;
}

static bool
take_int(const char *path, const struct toml *v, const struct conf_key *key, long *to)
{
	char what[80], *end;
	long n;

	if (v->type == TOML_INTEGER) {
		n = (long)v->num;
	} else if (v->type == TOML_STRING && v->len > 0) {
		errno = 0;
		n = strtol(v->str, &end, 10);
		if (end != v->str + v->len || errno != 0)
			return wrong(path, v, "a number");
	} else {
		return wrong(path, v, "a number");
	}
	if (n < key->min || n > key->max) {
		snprintf(what, sizeof(what), "from %ld to %ld, not %ld", key->min, key->max, n);
		return wrong(path, v, what);
	}
	*to = n;
	return true;
}

static bool
all_of(const struct toml *array, enum toml_type type)
{
	for (const struct toml *e = array->first; e != NULL; e = e->next)
		if (e->type != type || (type == TOML_STRING && !is_text(e)))
			return false;
	return true;
}

static bool
take(const char *path, const struct toml *v, const struct conf_key *key, void *into)
{
	void *to = (char *)into + key->at;

	switch (key->want) {
	case WANT_STRING:
		if (!is_text(v))
			return wrong(path, v, "a string without control characters");
		*(const char **)to = v->str;
		return true;
	case WANT_INT:
		return take_int(path, v, key, to);
	case WANT_BOOL:
		if (v->type != TOML_BOOL)
			return wrong(path, v, "true or false");
		*(bool *)to = v->num != 0;
		return true;
	case WANT_STRINGS:
		if (!is_text(v) && (v->type != TOML_ARRAY || !all_of(v, TOML_STRING)))
			return wrong(path, v, "a string or a list of strings, without "
			    "control characters");
		break;
	case WANT_TABLE:
		if (v->type != TOML_TABLE)
			return wrong(path, v, "a table");
		break;
	case WANT_TABLES:
		if (v->type != TOML_ARRAY || !all_of(v, TOML_TABLE))
			return wrong(path, v, "a list of tables");
		break;
	case WANT_DEAD:
		return true;
	case WANT_VALUE:
		break;
	}
	*(const struct toml **)to = v;
	return true;
}

bool
conf_table(const char *path, const struct toml *table, const struct conf_key *keys, void *into)
{
	const char *names[NAMES_MAX];
	const struct conf_key *k;
	size_t n = 0;
	bool ok = true;

	for (k = keys; k->name != NULL && n < NAMES_MAX; k++)
		names[n++] = k->name;
	for (const struct toml *v = table->first; v != NULL; v = v->next) {
		for (k = keys; k->name != NULL && strcmp(k->name, v->key) != 0; k++)
			;
		if (k->name == NULL)
			conf_unknown(path, v, names, n);
		else
			ok = take(path, v, k, into) && ok;
	}
	return ok;
}

const char *
conf_next(const struct toml *strings, const struct toml **at)
{
	if (strings == NULL)
		return NULL;
	if (strings->type == TOML_ARRAY)
		*at = *at == NULL ? strings->first : (*at)->next;
	else
		*at = *at == NULL ? strings : NULL;
	return *at == NULL ? NULL : (*at)->str;
}
