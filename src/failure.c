/* failure.c: the memory of failed orders, so that a broken site does not use up
 * what a CA allows. */
#include "acme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MINUTE = 60, DAY = 86400, COUNT_MAX = 1000000 };

struct failure {
	long count;
	time_t until;
	char csr[65], why[300];
};

static char *
file_of(const struct order *o)
{
	return xasprintf("%s/failed", o->set);
}

/* The text behind a word at the beginning of a line, into buf; "" if there is
 * no such line. */
static void
line_of(const char *text, const char *word, char *buf, size_t size)
{
	size_t n = strlen(word);

	buf[0] = '\0';
	for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, word, n) == 0 && at[n] == ' ')
			snprintf(buf, size, "%.*s", (int)strcspn(at + n + 1, "\n"), at + n + 1);
}

/* False if there was none for this request. */
static bool
recall(const struct order *o, struct failure *f)
{
	char *path = file_of(o), *text = slurp_try(path, NULL), word[64];

	free(path);
	*f = (struct failure){0};
	if (text == NULL)
		return false;
	line_of(text, "count", word, sizeof(word));
	f->count = strtol(word, NULL, 10);
	line_of(text, "until", word, sizeof(word));
	f->until = stamp_time(word);
	line_of(text, "csr", f->csr, sizeof(f->csr));
	line_of(text, "why", f->why, sizeof(f->why));
	free(text);
	if (f->count < 1 || f->count > COUNT_MAX)
		f->count = 1;
	return strcmp(f->csr, o->csr_hash) == 0;
}

void
failure_wait(const struct order *o)
{
	char when[STAMP_SIZE];
	struct failure f;
	time_t now = time(NULL);

	/* A day at the most: what is further away is a clock that was wrong. */
	if (!recall(o, &f) || f.until <= now || f.until > now + 2 * DAY)
		return;
	stamp(when, f.until);
	die(EX_TEMP, "%s: failed %ld time%s; not asked again before %s; last: %s", o->set,
	    f.count, f.count == 1 ? "" : "s", when, f.why);
}

void
failure_note(const struct order *o, const char *why, long retry_after)
{
	static const long wait[] = {MINUTE, 10 * MINUTE, 100 * MINUTE, DAY};
	char when[STAMP_SIZE], *path = file_of(o), *text, *line;
	struct failure f;
	long seconds;

	if (!recall(o, &f))
		f.count = 0;
	if (f.count < COUNT_MAX)
		f.count++;
	seconds = wait[f.count < 4 ? f.count - 1 : 3];
	if (retry_after > seconds)
		seconds = retry_after < DAY ? retry_after : DAY;
	stamp(when, time(NULL) + seconds);
	line = text_safe(why, strnlen(why, sizeof(f.why) - 1), "");
	text = xasprintf("count %ld\nuntil %s\ncsr %s\nwhy %s\n", f.count, when, o->csr_hash, line);
	out_file(path, 0644, text, strlen(text));
	free(text);
	free(line);
	free(path);
}

void
failure_forget(const struct order *o)
{
	char *path = file_of(o);

	if (unlink(path) == -1 && errno != ENOENT)
		complain("cannot remove '%s':", path);
	free(path);
}
