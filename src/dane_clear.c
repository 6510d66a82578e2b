/* dane_clear.c: records that are not wanted any more. */
#include "dane.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Until when caches may have records of the set in use, which are about to be forgotten:
 * written down in it, as the roll waits for that. */
static int
note_cached(const char *curr, const struct tlsas *rr, long ttl)
{
	enum { UNKNOWN = 43200 };	/* if the TTL is the zone's own; seconds */

	ttl = tlsas_ttl(rr, ttl);
	return info_put(curr, DANE_CACHED, time(NULL) + 2 * (ttl > 0 ? ttl : UNKNOWN));
}

int
dane_clear(const struct dane_member *m, long ttl)
{
	static const char *const links[] = {"curr", "next"};
	char *group = tlsa_group_path(m->id.group);
	bool published = access(group, F_OK) == 0;	/* once at least */
	int ret = EX_YES;

	for (int i = 0; i < 2 && ret == EX_YES; i++) {
		char *gen = xasprintf("%s/%s", m->dir, links[i]), *path = tlsa_rr_path(gen);
		struct tlsas rr = {0};

		if (access(path, F_OK) == 0) {
			tlsas_load(&rr, path, NULL);
			if (i == 0 && published && note_cached(gen, &rr, ttl) == -1) {
				ret = EX_TEMP;
			} else if (unlink(path) == -1) {
				complain("cannot remove '%s':", path);
				ret = EX_TEMP;
			}
		}
		tlsas_free(&rr);
		free(path);
		free(gen);
	}
	free(group);
	return ret;
}
