/* toml.c: a reader of TOML 1.0.0, all of it and nothing else. */
#include "toml_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_SIZE = 256 };

static void PRINTF(3, 0)
vfail(const struct parser *ps, unsigned line, const char *fmt, va_list ap)
{
	char text[MESSAGE_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	complain("%s:%u: %s", ps->path, line, text);
}

bool
toml_fail(const struct parser *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(ps, ps->line, fmt, ap);
	va_end(ap);
	return false;
}

bool
toml_fail_at(const struct parser *ps, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(ps, line, fmt, ap);
	va_end(ap);
	return false;
}

const char *
toml_next(const struct parser *ps, char buf[WORDS_SIZE])
{
	const unsigned char c = (unsigned char)toml_peek(ps);
	const int n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c == '\0')
		return "the end of the file";
	if (c == '\n' || c == '\r')
		return "the end of the line";
	if (c == '\t')
		return "a tab";
	snprintf(buf, WORDS_SIZE, c == '\'' ? "\"%.*s\"" : "'%.*s'", n, ps->p);
	return buf;
}

static void
space(struct parser *ps)
{
	while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\t'))
		ps->p++;
}

/* Space, a comment, and the end of the line; false if there is none. */
static bool
line_end(struct parser *ps)
{
	const char *nl;

	space(ps);
	if (toml_peek(ps) == '#') {
		nl = memchr(ps->p, '\n', (size_t)(ps->end - ps->p));
		ps->p = nl != NULL ? nl : ps->end;
	}
	if (toml_peek(ps) == '\r')
		ps->p++;
	if (toml_peek(ps) != '\n')
		return false;
	ps->p++;
	ps->line++;
	return true;
}

static bool
bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '_';
}

static bool
key_part(struct parser *ps, struct text *part)
{
	const char *from = ps->p;
	char buf[WORDS_SIZE], *str;

	if (toml_peek(ps) == '"' || toml_peek(ps) == '\'') {
		if (ps->end - from > 2 && from[1] == *from && from[2] == *from)
			return toml_fail(ps, "a key cannot be a multi-line string");
		return toml_string(ps, part);
	}
	while (ps->p < ps->end && bare(*ps->p))
		ps->p++;
	if (ps->p == from)
		return toml_fail(ps, "key expected, not %s", toml_next(ps, buf));
	part->len = (size_t)(ps->p - from);
	part->str = str = toml_chars(ps, part->len + 1);
	memcpy(str, from, part->len);
	str[part->len] = '\0';
	return true;
}

/* A key of one or more parts, and the space behind it. */
static bool
key(struct parser *ps, struct text part[TOML_DEPTH], size_t *parts)
{
	for (*parts = 0; *parts < TOML_DEPTH;) {
		if (!key_part(ps, &part[(*parts)++]))
			return false;
		space(ps);
		if (toml_peek(ps) != '.')
			return true;
		ps->p++;
		space(ps);
	}
	return toml_fail(ps, "key of more than %d parts", TOML_DEPTH);
}

static bool value(struct parser *ps, struct node *n);

static bool
key_value(struct parser *ps, struct node *table)
{
	struct text part[TOML_DEPTH];
	char buf[WORDS_SIZE];
	struct node *n;
	size_t parts;

	if (!key(ps, part, &parts))
		return false;
	if (toml_peek(ps) != '=')
		return toml_fail(ps, "'=' expected after the key, not %s", toml_next(ps, buf));
	ps->p++;
	space(ps);
	return (n = toml_entry(ps, table, part, parts)) != NULL && value(ps, n);
}

static bool
array(struct parser *ps, struct node *n)
{
	char buf[WORDS_SIZE];

	if (!toml_contain(ps, n, TOML_ARRAY, MADE_VALUE))
		return false;
	for (ps->p++;; ps->p++) {
		while (line_end(ps))
			;
		if (toml_peek(ps) != ']') {
			if (ps->p == ps->end)
				break;
			if (!value(ps, toml_append(ps, n)))
				return false;
			while (line_end(ps))
				;
		}
		if (toml_peek(ps) == ']') {
			ps->p++;
			return true;
		}
		if (ps->p == ps->end)
			break;
		if (*ps->p != ',')
			return toml_fail(ps, "',' or ']' expected in the array, not %s",
			    toml_next(ps, buf));
	}
	return toml_fail(ps, "array not closed (it begins on line %u)", n->v.line);
}

static bool
inline_table(struct parser *ps, struct node *n)
{
	char buf[WORDS_SIZE];

	if (!toml_contain(ps, n, TOML_TABLE, MADE_VALUE))
		return false;
	ps->p++;
	space(ps);
	if (toml_peek(ps) == '}') {
		ps->p++;
		return true;
	}
	for (;; ps->p++) {
		space(ps);
		if (!key_value(ps, n))
			return false;
		space(ps);
		if (toml_peek(ps) == '}') {
			ps->p++;
			return true;
		}
		if (toml_peek(ps) != ',')
			return toml_fail(ps, "',' or '}' expected in the inline table, not %s",
			    toml_next(ps, buf));
	}
}

static bool
value(struct parser *ps, struct node *n)
{
	struct text text;

	switch (toml_peek(ps)) {
	case '[':
		return array(ps, n);
	case '{':
		return inline_table(ps, n);
	case '"':
	case '\'':
		if (!toml_string(ps, &text))
			return false;
		n->v.type = TOML_STRING;
		n->v.str = text.str;
		n->v.len = text.len;
		return true;
	}
	return toml_scalar(ps, &n->v);
}

/* [key] or [[key]]; the table that the next lines are about, or NULL. */
static struct node *
header(struct parser *ps, struct node *root)
{
	struct text part[TOML_DEPTH];
	char buf[WORDS_SIZE];
	size_t parts;
	bool twice;

	ps->p++;
	if ((twice = toml_peek(ps) == '['))
		ps->p++;
	space(ps);
	if (!key(ps, part, &parts))
		return NULL;
	for (int i = 0; i <= twice; i++) {
		if (toml_peek(ps) != ']') {
			toml_fail(ps, "'%s' expected after the name of the table, not %s",
			    twice ? "]]" : "]", toml_next(ps, buf));
			return NULL;
		}
		ps->p++;
	}
	return toml_header(ps, root, part, parts, twice);
}

static bool
document(struct parser *ps, struct node *root)
{
	struct node *table = root;
	char buf[WORDS_SIZE];

	for (;;) {
		while (line_end(ps))
			;
		if (ps->p == ps->end)
			return true;
		if (*ps->p == '[') {
			if ((table = header(ps, root)) == NULL)
				return false;
		} else if (!key_value(ps, table)) {
			return false;
		}
		if (!line_end(ps) && ps->p < ps->end)
			return toml_fail(ps, "end of the line expected, not %s",
			    toml_next(ps, buf));
	}
}

/* The root table of the len bytes at buf; NULL after a complaint. */
static struct toml *
parse(const char *path, const char *buf, size_t len)
{
	struct parser ps;
	struct node *root;
	bool ok;

	memset(&ps, 0, sizeof(ps));
	ps.path = path;
	ps.p = buf;
	ps.end = buf + len;
	ps.line = 1;
	if (len >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0)
		ps.p += 3;
	if (!toml_clean(&ps))
		return NULL;
	root = toml_root(&ps, len);
	ok = document(&ps, root);
	toml_parsed(&ps);
	if (ok)
		return &root->v;
	toml_free(&root->v);
	return NULL;
}

struct toml *
toml_load(const char *path)
{
	struct toml *root;
	size_t len;
	char *buf;

	if ((buf = slurp(path, &len)) == NULL)
		return NULL;
	root = parse(strcmp(path, "-") == 0 ? "standard input" : path, buf, len);
	free(buf);
	return root;
}

const struct toml *
toml_get(const struct toml *table, const char *name)
{
	const size_t len = strlen(name);
	const struct toml *v;

	if (table == NULL || table->type != TOML_TABLE)
		return NULL;
	for (v = table->first; v != NULL; v = v->next)
		if (v->keylen == len && memcmp(v->key, name, len) == 0)
			break;
	return v;
}
