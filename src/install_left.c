/* install_left.c: what is in production of services that the site does not have. */
#include "install.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
named(const struct dirent *e)
{
	return name_safe(e->d_name);
}

/* Those of a group: where there is a set, a service has to be. */
static int
check_left(const struct place *p, const char *group)
{
	char *conf = xasprintf("conf.d/%s", group);
	char *dir = xasprintf("%s/%s", p->prod, group);
	struct dirent **e;
	int n = scandir(dir, &e, named, alphasort), ret = EX_YES;

	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, e[i]->d_name);

		if (!has_file(conf, e[i]->d_name) && (has_file(path, "db") ||
		    has_file(path, "curr/cert.pem") || has_file(path, "next/cert.pem"))) {
			printf("localhost\t%s\tis of a service that is not configured\t"
			    "remove it by hand\n", path);
			ret = EX_NO;
		}
		free(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	free(conf);
	free(dir);
	return ret;
}

int
check_lefts(const struct place *p)
{
	struct dirent **e;
	int n = scandir(p->prod, &e, named, alphasort), ret = EX_YES;

	for (int i = 0; i < n; i++) {
		/* Of another site with the same directory nothing is said. */
		if ((has_file("conf.d", e[i]->d_name) || has_file("certs", e[i]->d_name)) &&
		    check_left(p, e[i]->d_name) == EX_NO)
			ret = EX_NO;
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	return ret;
}
