/*
 * toml_priv.h - what the files of the TOML reader share, and nobody else.
 *
 * toml.c         the language: lines, headers, keys, arrays, inline tables
 * toml_rule.c    what may be defined where, and added to what
 * toml_tree.c    the values in memory, and the keys by hash
 * toml_string.c  UTF-8 and the four kinds of strings
 * toml_value.c   numbers, booleans, dates and times
 *
 * A function that returns false has complained; its callers only pass that on.
 */
#ifndef TOML_PRIV_H
#define TOML_PRIV_H

#include "site.h"

/* How a table or array came to be, which decides what may be added to it. */
enum made {
	MADE_VALUE,	/* as a value, { } or [ ]: nothing, it is complete */
	MADE_ABOVE,	/* as part of the header of a table below it: anything */
	MADE_DOTTED,	/* by a dotted key: other dotted keys, tables below it */
	MADE_HEADER	/* by [its] or [[its]] own header: tables below it */
};

struct node {
	struct toml v;
	struct node *parent;
	struct node *last;	/* end of the list that begins at v.first */
	struct node *chain;	/* next in the same bucket of parser.bucket */
	uint32_t hash;
	uint8_t depth;		/* 0 is the root table */
	uint8_t made;
};

struct text {
	const char *str;	/* NUL-terminated */
	size_t len;		/* but may hold NULs */
};

enum { BUCKETS = 64 };

struct parser {
	const char *path;
	const char *p, *end;	/* what is left; well-formed UTF-8, no NUL in it */
	unsigned line;
	unsigned keys;		/* counted against TOML_KEYS */
	struct doc *doc;
	struct node **bucket;	/* all keys of the file, by table and name */
	size_t buckets;		/* a power of two */
	struct node *few[BUCKETS];
};

/* ---- toml.c -------------------------------------------------------------- */

/* The next character, or NUL at the end. */
static inline char
toml_peek(const struct parser *ps)
{
	return ps->p < ps->end ? *ps->p : '\0';
}

/* complain() about the current line, or another one; false. */
bool toml_fail(const struct parser *ps, const char *fmt, ...) PRINTF(2, 3);
bool toml_fail_at(const struct parser *ps, unsigned line, const char *fmt, ...) PRINTF(3, 4);

/* The next character in words: "'x'", "the end of the line". */
enum { WORDS_SIZE = 32 };
const char *toml_next(const struct parser *ps, char buf[WORDS_SIZE]);

/* ---- toml_rule.c --------------------------------------------------------- */

/* The table that a header [key] or [[key]] opens; NULL after a complaint. */
struct node *toml_header(struct parser *ps, struct node *root, const struct text *key,
    size_t parts, bool array);

/* A fresh value for a key in a table; NULL after a complaint. */
struct node *toml_entry(struct parser *ps, struct node *table, const struct text *key,
    size_t parts);

/* ---- toml_tree.c --------------------------------------------------------- */

/* An empty root table for ps, which is otherwise blank. */
struct node *toml_root(struct parser *ps, size_t len);

/* Forget what only the parser needs. */
void toml_parsed(struct parser *ps);

/* Room for n characters that live as long as the root table. */
char *toml_chars(struct parser *ps, size_t n);

/* The value of a key in a table, whose hash is h, or NULL; a fresh one, or NULL
 * after a complaint; a fresh last value of an array. */
uint32_t toml_hash(const struct node *table, const struct text *key);
struct node *toml_find(const struct parser *ps, const struct node *table,
    const struct text *key, uint32_t h);
struct node *toml_add(struct parser *ps, struct node *table, const struct text *key,
    uint32_t h);
struct node *toml_append(struct parser *ps, struct node *array);

/* Make a fresh value an array or a table. */
bool toml_contain(struct parser *ps, struct node *value, enum toml_type type, enum made how);

/* ---- toml_string.c -------------------------------------------------------- */

/* Is the whole file text as TOML wants it?  Then a CR is followed by LF, and
 * there is no other control character than these and TAB. */
bool toml_clean(const struct parser *ps);

/* The string that begins at the next character, a quote. */
bool toml_string(struct parser *ps, struct text *out);

/* ---- toml_value.c --------------------------------------------------------- */

/* The number, boolean, date or time that should begin at the next character. */
bool toml_scalar(struct parser *ps, struct toml *v);

#endif
