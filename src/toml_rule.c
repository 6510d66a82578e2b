/* toml_rule.c: what may be defined where, and added to what. */
#include "toml_priv.h"

#include <stdio.h>
#include <string.h>

/* A value's full name for a message, "a.b.c", cut where it gets long. */
enum { NAME_SIZE = 80 };

static const char *
name(const struct node *n, char buf[NAME_SIZE])
{
	const struct node *path[TOML_DEPTH + 1];
	size_t at = 0, depth = 0;

	buf[0] = '\0';
	for (; n->parent != NULL; n = n->parent)
		if (n->v.key != NULL)
			path[depth++] = n;
	while (depth-- > 0) {
		at += (size_t)snprintf(buf + at, NAME_SIZE - at, at > 0 ? ".%s" : "%s",
		    path[depth]->v.key);
		if (at >= NAME_SIZE) {
			for (at = NAME_SIZE - 4; at > 0 && (buf[at] & 0xc0) == 0x80;)
				at--;
			memcpy(buf + at, "...", 4);
			break;
		}
	}
	return buf;
}

/* Why n cannot be defined (again) on this line. */
static void
twice(const struct parser *ps, const struct node *n, const char *what)
{
	char buf[NAME_SIZE];

	toml_fail(ps, "%s '%s' is defined twice (first on line %u)", what, name(n, buf),
	    n->v.line);
}

/* Why nothing can be added to n on this line. */
static void
complete(const struct parser *ps, const struct node *n)
{
	char buf[NAME_SIZE];

	if (n->v.type == TOML_TABLE && n->made == MADE_VALUE)
		toml_fail(ps, "inline table '%s' (line %u) is complete", name(n, buf),
		    n->v.line);
	else if (n->v.type == TOML_TABLE)
		toml_fail(ps, "table '%s' has its own header (line %u): a dotted key cannot "
		    "add to it", name(n, buf), n->v.line);
	else
		toml_fail(ps, "'%s' (line %u) is not a table", name(n, buf), n->v.line);
}

static struct node *
add_container(struct parser *ps, struct node *table, const struct text *key, uint32_t h,
    enum toml_type type, enum made how)
{
	struct node *n = toml_add(ps, table, key, h);

	return n != NULL && toml_contain(ps, n, type, how) ? n : NULL;
}

/* The table that part of a header leads to. */
static struct node *
descend(struct parser *ps, struct node *table, const struct text *key)
{
	uint32_t h = toml_hash(table, key);
	struct node *n = toml_find(ps, table, key, h);

	if (n == NULL)
		return add_container(ps, table, key, h, TOML_TABLE, MADE_ABOVE);
	if (n->made == MADE_VALUE) {
		complete(ps, n);
		return NULL;
	}
	return n->v.type == TOML_ARRAY ? n->last : n;
}

static struct node *
array_element(struct parser *ps, struct node *table, const struct text *key)
{
	uint32_t h = toml_hash(table, key);
	struct node *n = toml_find(ps, table, key, h);

	if (n == NULL)
		n = add_container(ps, table, key, h, TOML_ARRAY, MADE_HEADER);
	else if (n->v.type != TOML_ARRAY || n->made != MADE_HEADER) {
		twice(ps, n, n->made == MADE_VALUE ? "key" : "table");
		return NULL;
	}
	if (n == NULL)
		return NULL;
	n = toml_append(ps, n);
	return toml_contain(ps, n, TOML_TABLE, MADE_HEADER) ? n : NULL;
}

struct node *
toml_header(struct parser *ps, struct node *root, const struct text *key, size_t parts,
    bool array)
{
	struct node *n = root, *table;
	char buf[NAME_SIZE];
	uint32_t h;

	for (; parts > 1; parts--, key++)
		if ((n = descend(ps, n, key)) == NULL)
			return NULL;
	if (array)
		return array_element(ps, n, key);
	h = toml_hash(n, key);
	if ((table = toml_find(ps, n, key, h)) == NULL)
		return add_container(ps, n, key, h, TOML_TABLE, MADE_HEADER);
	if (table->made == MADE_ABOVE) {
		table->made = MADE_HEADER;
		table->v.line = ps->line;
		return table;
	}
	if (table->v.type == TOML_ARRAY && table->made == MADE_HEADER)
		toml_fail(ps, "'%s' is an array of tables (line %u) and needs [[ ]]",
		    name(table, buf), table->v.line);
	else
		twice(ps, table, table->made == MADE_VALUE ? "key" : "table");
	return NULL;
}

struct node *
toml_entry(struct parser *ps, struct node *table, const struct text *key, size_t parts)
{
	struct node *n;
	uint32_t h;

	for (;; parts--, key++) {
		h = toml_hash(table, key);
		n = toml_find(ps, table, key, h);
		if (parts == 1)
			break;
		if (n == NULL) {
			n = add_container(ps, table, key, h, TOML_TABLE, MADE_DOTTED);
			if (n == NULL)
				return NULL;
		} else if (n->v.type != TOML_TABLE || n->made == MADE_VALUE ||
		    n->made == MADE_HEADER) {
			complete(ps, n);
			return NULL;
		}
		n->made = MADE_DOTTED;
		table = n;
	}
	if (n == NULL)
		return toml_add(ps, table, key, h);
	twice(ps, n, "key");
	return NULL;
}
