/* failure.c: the memory of failed orders, so that a broken site does not use up
 * what a CA allows. */
#include "acme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MINUTE = 60, DAY = 86400, COUNT_MAX = 1000000 };

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

void
failure_recall(const struct order *o, struct failure *f)
{
	char *path = file_of(o), *text = slurp_try(path, NULL), word[64];

	free(path);
	*f = (struct failure){0};
	if (text == NULL)
		return;
	line_of(text, "count", word, sizeof(word));
	f->count = strtol(word, NULL, 10);
	line_of(text, "until", word, sizeof(word));
	f->until = stamp_time(word);
	line_of(text, "csr", f->csr, sizeof(f->csr));
	line_of(text, "asked", word, sizeof(word));
	f->asked = *word != '\0';
	f->before = stamp_time(word);
	line_of(text, "why", f->why, sizeof(f->why));
	free(text);
	if (f->count < 1 || f->count > COUNT_MAX)
		f->count = 1;
	if (strcmp(f->csr, o->csr_hash) != 0)
		*f = (struct failure){0};
}

static void
keep(const struct order *o, const struct failure *f)
{
	char when[STAMP_SIZE], before[STAMP_SIZE], *path = file_of(o), *line, *asked, *text;

	stamp(when, f->until);
	stamp(before, f->before);
	asked = f->asked ? xasprintf("asked %s\n", f->before > 0 ? before : "-") : xstrdup("");
	line = text_safe(f->why, strlen(f->why), "");
	text = xasprintf("count %ld\nuntil %s\n%scsr %s\nwhy %s\n", f->count, when, asked,
	    o->csr_hash, line);
	if (out_file(path, 0644, text, strlen(text)) == -1)
		finish(EX_TEMP);
	free(text);
	free(line);
	free(asked);
	free(path);
}

/* One more, and how long to wait. */
static void
more(struct failure *f, const char *why, long retry_after)
{
	static const long wait[] = {MINUTE, 10 * MINUTE, 100 * MINUTE, DAY};
	long seconds;

	if (f->count < COUNT_MAX)
		f->count++;
	seconds = wait[f->count < 4 ? f->count - 1 : 3];
	if (retry_after > seconds)
		seconds = retry_after < DAY ? retry_after : DAY;
	f->until = time(NULL) + seconds;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

void
failure_wait(const struct order *o, const struct failure *f)
{
	char when[STAMP_SIZE];
	time_t now = time(NULL);

	/* A day at the most: what is further away is a clock that was wrong. */
	if (f->count == 0 || f->until <= now || f->until > now + 2 * DAY)
		return;
	stamp(when, f->until);
	die(EX_TEMP, "%s: failed %ld time%s; not asked again before %s; last: %s", o->set,
	    f->count, f->count == 1 ? "" : "s", when, f->why);
}

void
failure_asking(const struct order *o)
{
	struct failure f;

	failure_recall(o, &f);
	f.before = f.until;
	more(&f, "the CA's answer to a new order was not seen", -1);
	f.asked = true;
	keep(o, &f);
}

void
failure_known(const struct order *o)
{
	struct failure f;

	failure_recall(o, &f);
	if (!f.asked)
		return;
	f.asked = false;
	f.until = f.before;
	if (--f.count == 0)
		failure_forget(o);
	else
		keep(o, &f);
}

void
failure_note(const struct order *o, const char *why, long retry_after)
{
	struct failure f;

	failure_recall(o, &f);
	/* What was counted when it was asked for is not counted twice. */
	f.count -= f.asked;
	f.asked = false;
	more(&f, why, retry_after);
	keep(o, &f);
}

void
failure_forget(const struct order *o)
{
	char *path = file_of(o);

	if (unlink(path) == -1 && errno != ENOENT)
		complain("cannot remove '%s':", path);
	free(path);
}
