/* dane_first.c: records that an owner would get for the first time.
 *
 * Where nothing is published, mail is delivered whatever key a server shows.  So there is
 * no hurry; and a record of a key that no server was told of would end that. */
#include "dane.h"

#include <stdlib.h>

/* Add the records of a file; false if it may hold what is not understood. */
static bool
add_file(struct tlsas *l, char *path)
{
	bool ok = tlsas_load(l, path, NULL) != -1;

	free(path);
	return ok;
}

bool
dane_published(const struct site *site, const char *group, struct tlsas *l)
{
	const struct server *dns = site->test ? NULL : site_server(site, "dns");
	bool ok = add_file(l, tlsa_group_path(group)) &&
	    add_file(l, xasprintf("%s/%s/tlsa.%s", site->prod_cert_dir, group, group));
	const struct toml *at = NULL;
	const char *name;

	while (ok && dns != NULL && (name = conf_next(dns->tlsa_dirs, &at)) != NULL) {
		char *dir = site_path(site, name);

		ok = add_file(l, xasprintf("%s/tlsa.%s", dir, group));
		free(dir);
	}
	return ok;
}
