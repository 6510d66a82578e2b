/* window.c: what CAs have said of when they want certificates to be renewed. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DIR_NAME[] = "certs/.acme", FILE_NAME[] = "certs/.acme/windows";

enum { FIELDS = 7, SOON = 10 };

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct window *)a)->id, ((const struct window *)b)->id);
}

/* A line "id serial at start end good next", the times as stamps or "-". */
static bool
take_line(struct window *w, char *line)
{
	char *field[FIELDS], *save = NULL;
	time_t *times[] = {&w->at, &w->start, &w->end, &w->good, &w->next};
	int n = 0;

	for (char *p = strtok_r(line, " ", &save); p != NULL && n < FIELDS;
	    p = strtok_r(NULL, " ", &save))
		field[n++] = p;
	if (n != FIELDS || strlen(field[1]) >= sizeof(w->serial))
		return false;
	w->id = field[0];
	snprintf(w->serial, sizeof(w->serial), "%s", field[1]);
	for (int i = 0; i < 5; i++)
		if ((*times[i] = stamp_time(field[i + 2])) == -1)
			*times[i] = 0;
	return true;
}

void
windows_load(struct windows *all)
{
	char *save = NULL;

	*all = (struct windows){.text = slurp_try(FILE_NAME, NULL)};
	if (all->text == NULL)
		return;
	for (char *p = strtok_r(all->text, "\n", &save); p != NULL; p = strtok_r(NULL, "\n", &save)) {
		all->window = xreallocarray(all->window, all->n + 1, sizeof(*all->window));
		if (take_line(&all->window[all->n], p))
			all->n++;
	}
	/* As it was written; but it is a file. */
	qsort(all->window, all->n, sizeof(*all->window), by_id);
}

void
windows_free(struct windows *all)
{
	free(all->window);
	free(all->text);
}

const struct window *
window_find(const struct windows *all, const char *id, const char *serial)
{
	struct window key = {.id = id};
	const struct window *w;

	if (all->n == 0)
		return NULL;
	w = bsearch(&key, all->window, all->n, sizeof(key), by_id);
	return w != NULL && strcmp(w->serial, serial) == 0 ? w : NULL;
}

time_t
window_time(const struct window *w, const struct cert *c, time_t now)
{
	time_t last = c->until - (c->until - c->from) / SOON;

	if (w == NULL || w->at == 0 || w->good < now - WINDOW_KEPT)
		return -1;
	return w->at < last ? w->at : last;
}

int
windows_write(const struct windows *all)
{
	char when[5][STAMP_SIZE], *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	qsort(all->window, all->n, sizeof(*all->window), by_id);
	for (size_t i = 0; i < all->n; i++) {
		const struct window *w = &all->window[i];
		const time_t times[] = {w->at, w->start, w->end, w->good, w->next};

		for (int j = 0; j < 5; j++)
			if (times[j] == 0)
				snprintf(when[j], STAMP_SIZE, "-");
			else
				stamp(when[j], times[j]);
		fprintf(f, "%s %s %s %s %s %s %s\n", w->id, w->serial, when[0], when[1], when[2],
		    when[3], when[4]);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	/* A site that comes from certbot has certificates of a CA, but no account yet. */
	ret = make_dir(DIR_NAME, 0700) == -1 || out_file(FILE_NAME, 0644, text, len) == -1 ? -1 : 0;
	free(text);
	return ret;
}
