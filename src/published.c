/* published.c: certs/.challenges, what is published now. */
#include "challenge.h"

#include <stdlib.h>
#include <string.h>

static bool
is_token(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	return s[n] == '\0' && n >= 16 && n <= 128;
}

static bool
is_name(const char *s)
{
	const char *why;
	char *name = name_canon(s, &why);
	bool same = name != NULL && strcmp(name, s) == 0;

	free(name);
	return same;
}

static bool
is_zone(const char *s)
{
	char *zone = zone_canon(s);
	bool same = zone != NULL && strcmp(zone, s) == 0;

	free(zone);
	return same;
}

size_t
published_parts(const char *line, const char *kind, char *part[3])
{
	size_t n = strlen(kind), parts = 0;
	char *rest;

	if (strncmp(line, kind, n) != 0 || line[n] != ' ')
		return 0;
	rest = xstrdup(line + n + 1);
	while (parts < 3 && rest != NULL)
		part[parts++] = strsep(&rest, " ");
	if (rest == NULL)
		return parts;
	free(part[0]);
	return 0;
}

/* What a damaged file holds comes to no zone file and no rsync. */
static char *
checked(const char *line)
{
	char *part[3];
	bool ok = false;
	size_t n;

	if ((n = published_parts(line, "zone", part)) > 0)
		ok = n == 1 && is_zone(part[0]);
	else if ((n = published_parts(line, "owner", part)) > 0)
		ok = n == 2 && is_name(part[0]) && is_name(part[1]);
	else if ((n = published_parts(line, "web", part)) > 0 ||
	    (n = published_parts(line, "placed", part)) > 0)
		ok = n == 3 && (strcmp(part[0], HERE) == 0 || host_safe(part[0])) &&
		    name_safe(part[1]) && is_token(part[2]);
	if (n > 0)
		free(part[0]);
	return ok ? xstrdup(line) : NULL;
}

int
published_load(struct words *lines)
{
	return words_load(lines, PUBLISHED, checked, "a line of ours");
}

const char *
published_target(const struct words *lines, const char *owner)
{
	size_t n = strlen(owner);

	for (size_t i = 0; i < lines->n; i++)
		if (strncmp(lines->w[i], "owner ", 6) == 0 &&
		    strncmp(lines->w[i] + 6, owner, n) == 0 && lines->w[i][6 + n] == ' ')
			return lines->w[i] + 6 + n + 1;
	return NULL;
}
