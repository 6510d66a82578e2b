/* words.c: lists of strings. */
#include "sslm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
words_add(struct words *l, char *s)
{
	/* Room doubles; one more for the NULL. */
	if ((l->n & (l->n + 1)) == 0)
		l->w = xreallocarray(l->w, 2 * l->n + 2, sizeof(*l->w));
	l->w[l->n++] = s;
	l->w[l->n] = NULL;
}

static int
by_octets(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
words_sort(struct words *l)
{
	size_t kept = 0;

	if (l->n == 0)
		return;
	qsort(l->w, l->n, sizeof(*l->w), by_octets);
	for (size_t i = 1; i < l->n; i++)
		if (strcmp(l->w[kept], l->w[i]) == 0)
			free(l->w[i]);
		else
			l->w[++kept] = l->w[i];
	l->n = kept + 1;
	l->w[l->n] = NULL;
}

bool
words_has(const struct words *l, const char *s)
{
	return l->n > 0 && bsearch(&s, l->w, l->n, sizeof(*l->w), by_octets) != NULL;
}

void
words_drop(struct words *l, const char *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->w[i], s) == 0)
			free(l->w[i]);
		else
			l->w[kept++] = l->w[i];
	if (l->n > 0)
		l->w[kept] = NULL;
	l->n = kept;
}

char *
words_join(const struct words *l, const char *end, size_t *len)
{
	size_t size = 0, m = strlen(end);
	char *text, *p;

	for (size_t i = 0; i < l->n; i++)
		size += strlen(l->w[i]) + m;
	p = text = xmalloc(size + 1);
	for (size_t i = 0; i < l->n; i++)
		p = stpcpy(stpcpy(p, l->w[i]), end);
	*p = '\0';
	if (len != NULL)
		*len = size;
	return text;
}

void
words_free(struct words *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->w[i]);
	free(l->w);
	l->w = NULL;
	l->n = 0;
}

int
words_load(struct words *l, const char *path, char *(*take)(const char *line), const char *what)
{
	char *buf, *rest, *line, *word;
	size_t len;
	int ret = 0;

	if ((buf = rest = slurp_upto(path, LIST_MAX, &len)) == NULL) {
		if (errno == ENOENT)
			return 0;
		if (errno != 0)
			complain("cannot read '%s':", path);
		return -1;
	}
	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\0')
			buf[i] = '?';
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if ((word = take(line)) != NULL) {
			words_add(l, word);
		} else {
			complain("'%s': '%.80s' is not %s", path, line, what);
			ret = 1;
		}
	}
	free(buf);
	words_sort(l);
	return ret;
}

int
words_save(const struct words *l, const char *path)
{
	size_t len;
	char *text;
	int ret;

	if (l->n == 0) {
		if (unlink(path) == 0)
			return sync_dir("certs");
		if (errno == ENOENT)
			return 0;
		complain("cannot remove '%s':", path);
		return -1;
	}
	text = words_join(l, "\n", &len);
	ret = out_file(path, 0644, text, len) == -1 ? -1 : 0;
	free(text);
	return ret;
}
