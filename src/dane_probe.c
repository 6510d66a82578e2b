/* dane_probe.c: do servers show what the records will allow?  Asked before old ones go. */
#include "dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 120, PROBE_SECONDS = 60 };

/* Is a record withdrawn there, and others are not? */
static bool
shrinks(const struct tlsas *old, const struct tlsas *new, const char *owner)
{
	if (!tlsas_owner(new, owner))
		return false;
	for (size_t i = 0; i < old->n; i++)
		if (strcmp(old->rr[i].owner, owner) == 0 && !tlsas_has(new, &old->rr[i]))
			return true;
	return false;
}

/* The new records of the owners where others go, in a file; their number. */
static size_t
write_records(const char *path, const struct tlsas *old, const struct tlsas *new)
{
	struct words lines = {NULL, 0};
	size_t len, n;
	char *text;

	for (size_t i = 0; i < new->n; i++)
		if (shrinks(old, new, new->rr[i].owner))
			words_add(&lines, tlsa_line(&new->rr[i]));
	n = lines.n;
	text = words_join(&lines, "\n", &len);
	if (n > 0 && out_file(path, 0644, text, len) == -1)
		finish(EX_TEMP);
	free(text);
	words_free(&lines);
	return n;
}

bool
dane_probed(const char *group, const struct tlsas *old, const struct tlsas *new)
{
	char *path = xasprintf("certs/%s/.probe", group), *seconds, *text;
	bool ok = true;
	struct ran r;

	if (write_records(path, old, new) > 0) {
		seconds = xasprintf("%d", PROBE_SECONDS);
		r = run((const char *[]){"sslm-probe", "-q", "-t", seconds, "-D", path, NULL}, SECONDS);
		ok = ran_well(r);
		if (!ok) {
			text = ran_text(r);
			complain("%s: TLSA records stay that servers may need still: sslm-probe: %s",
			    group, text);
			free(text);
		}
		free(seconds);
		unlink(path);
	}
	free(path);
	return ok;
}
