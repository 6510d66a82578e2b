/* evidence.c: what has been seen of the records of a pending set. */
#include "dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MAX = 86400 * 365 };

static char *
path_of(const char *dir)
{
	return xasprintf("%s/next/evidence", dir);
}

/* The records are read as a file of their own, behind their word. */
static void
load_records(struct evidence *e, char *line)
{
	struct tlsa rr;

	if (tlsa_parse(line, &rr))
		tlsas_add(&e->records, rr);
}

void
evidence_load(struct evidence *e, const char *dir)
{
	char *path = path_of(dir), *text = slurp_upto(path, LIST_MAX, NULL), *rest = text, *line;

	*e = (struct evidence){0};
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "seen ", 5) == 0)
			e->seen = stamp_time(line + 5);
		else if (strncmp(line, "since ", 6) == 0)
			e->since = stamp_time(line + 6);
		else if (strncmp(line, "ttl ", 4) == 0)
			e->ttl = strtol(line + 4, NULL, 10);
		else if (strncmp(line, "record ", 7) == 0)
			load_records(e, line + 7);
		else if (strncmp(line, "fault ", 6) == 0 && e->fault == NULL)
			e->fault = xstrdup(line + 6);
	}
	/* What cannot be is no evidence. */
	if (e->seen < 0 || e->ttl < 0 || e->ttl > TTL_MAX)
		e->seen = 0;
	if (e->since < 0)
		e->since = 0;
	free(text);
	free(path);
}

int
evidence_save(const struct evidence *e, const char *dir)
{
	char *path = path_of(dir), *text, *line, when[STAMP_SIZE];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	if (e->seen != 0) {
		stamp(when, e->seen);
		fprintf(f, "seen %s\nttl %ld\n", when, e->ttl);
	}
	if (e->fault != NULL) {
		stamp(when, e->since);
		fprintf(f, "since %s\nfault %.*s\n", when, (int)strcspn(e->fault, "\n"), e->fault);
	}
	for (size_t i = 0; i < e->records.n; i++) {
		line = tlsa_line(&e->records.rr[i]);
		fprintf(f, "record %s\n", line);
		free(line);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ret = out_file(path, 0644, text, len) == -1 ? -1 : 0;
	free(text);
	free(path);
	return ret;
}

void
evidence_free(struct evidence *e)
{
	free(e->fault);
	tlsas_free(&e->records);
	*e = (struct evidence){0};
}

bool
evidence_covers(const struct evidence *e, const struct tlsas *records)
{
	for (size_t i = 0; i < records->n; i++)
		if (!tlsas_has(&e->records, &records->rr[i]))
			return false;
	return true;
}

long
evidence_wait(const struct evidence *e)
{
	enum { ROUNDING = 5 };	/* a cache may keep a record a little longer */

	return 2 * e->ttl > e->ttl + ROUNDING ? 2 * e->ttl : e->ttl + ROUNDING;
}
