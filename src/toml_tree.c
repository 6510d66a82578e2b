/* toml_tree.c: a TOML file's values in memory, and its keys by hash. */
#include "toml_priv.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	alignas(max_align_t) char data[];
};

struct doc {
	struct node root;	/* first: toml_free gets its address */
	struct arena_block *blocks;	/* the newest one first; the last one holds this */
};

enum { BLOCK_MIN = 2048, BLOCK_GUESS = 1 << 16 };

static struct arena_block *
new_block(struct arena_block *next, size_t size)
{
	struct arena_block *b = xmalloc(sizeof(*b) + size);

	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

static void *
take(struct parser *ps, size_t n, size_t align)
{
	struct arena_block *b = ps->doc->blocks;
	size_t at = (b->used + align - 1) & ~(align - 1);

	if (at > b->size || n > b->size - at) {
		size_t size = 2 * b->size;

		b = ps->doc->blocks = new_block(b, n > size ? n : size);
		at = 0;
	}
	b->used = at + n;
	return b->data + at;
}

char *
toml_chars(struct parser *ps, size_t n)
{
	return take(ps, n, 1);
}

struct node *
toml_root(struct parser *ps, size_t len)
{
	/* A line "key = value" of 20 bytes becomes a node of 104: mostly, the first
	 * block is the only one. */
	size_t guess = BLOCK_MIN + 6 * (len < BLOCK_GUESS ? len : BLOCK_GUESS);
	struct arena_block *b = new_block(NULL, guess);
	struct doc *doc = (struct doc *)(void *)b->data;

	memset(doc, 0, sizeof(*doc));
	b->used = sizeof(*doc);
	doc->blocks = b;
	doc->root.v.type = TOML_TABLE;
	doc->root.v.line = 1;
	doc->root.made = MADE_HEADER;
	ps->doc = doc;
	ps->bucket = ps->few;
	ps->buckets = BUCKETS;
	return &doc->root;
}

void
toml_parsed(struct parser *ps)
{
	if (ps->bucket != ps->few)
		free(ps->bucket);
}

void
toml_free(struct toml *root)
{
	struct arena_block *b, *next;

	if (root == NULL)
		return;
	for (b = ((struct doc *)(void *)root)->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
}

/* FNV-1a, begun with the table. */
uint32_t
toml_hash(const struct node *table, const struct text *key)
{
	uint32_t h = 2166136261U ^ (uint32_t)((uintptr_t)table >> 4);

	for (size_t i = 0; i < key->len; i++)
		h = (h ^ (unsigned char)key->str[i]) * 16777619U;
	return h ^ h >> 15;
}

struct node *
toml_find(const struct parser *ps, const struct node *table, const struct text *key,
    uint32_t h)
{
	struct node *n;

	for (n = ps->bucket[h & (ps->buckets - 1)]; n != NULL; n = n->chain)
		if (n->hash == h && n->parent == table && n->v.keylen == key->len &&
		    memcmp(n->v.key, key->str, key->len) == 0)
			break;
	return n;
}

static void
more_buckets(struct parser *ps)
{
	size_t size = 4 * ps->buckets;
	struct node **to = xreallocarray(NULL, size, sizeof(struct node *)), *n, *next;

	memset(to, 0, size * sizeof(struct node *));
	for (size_t i = 0; i < ps->buckets; i++)
		for (n = ps->bucket[i]; n != NULL; n = next) {
			next = n->chain;
			n->chain = to[n->hash & (size - 1)];
			to[n->hash & (size - 1)] = n;
		}
	toml_parsed(ps);
	ps->bucket = to;
	ps->buckets = size;
}

struct node *
toml_append(struct parser *ps, struct node *parent)
{
	struct node *n = take(ps, sizeof(*n), alignof(struct node));

	memset(n, 0, sizeof(*n));
	n->v.line = ps->line;
	n->parent = parent;
	n->depth = (uint8_t)(parent->depth + 1);
	if (parent->last != NULL)
		parent->last->v.next = &n->v;
	else
		parent->v.first = &n->v;
	parent->last = n;
	return n;
}

/* Keys are limited, and so are tables without one, which are in arrays. */
static bool
count(struct parser *ps)
{
	return ++ps->keys <= TOML_KEYS ||
	    toml_fail(ps, "more than %d keys and tables", TOML_KEYS);
}

bool
toml_contain(struct parser *ps, struct node *value, enum toml_type type, enum made how)
{
	if (value->depth > TOML_DEPTH)
		return toml_fail(ps, "nested more than %d deep", TOML_DEPTH);
	value->v.type = type;
	value->made = (uint8_t)how;
	return type != TOML_TABLE || value->v.key != NULL || count(ps);
}

struct node *
toml_add(struct parser *ps, struct node *table, const struct text *key, uint32_t h)
{
	struct node *n, **bucket;

	if (!count(ps))
		return NULL;
	if (ps->keys > ps->buckets)
		more_buckets(ps);
	n = toml_append(ps, table);
	n->v.key = key->str;
	n->v.keylen = key->len;
	n->hash = h;
	bucket = &ps->bucket[h & (ps->buckets - 1)];
	n->chain = *bucket;
	*bucket = n;
	return n;
}
