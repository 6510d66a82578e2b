/* sslm-due: which services want a renewal, and why? */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-due [-fqr] [-C dir] [-o file] [service ...]\n"
    "       sslm-due -h | -V\n";

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *out = NULL;
	bool force = false, quiet = false, reuse = false, bad;
	time_t now = time(NULL);
	size_t len = 0, n = 0;
	struct service s;
	struct site site;
	struct due d;
	char *list = NULL;
	FILE *f;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:fho:qrV")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'f': force = true; break;
		case 'o': out = optarg; break;
		case 'q': quiet = true; break;
		case 'r': reuse = true; break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, argv + optind);
	bad = site.bad;
	if ((f = open_memstream(&list, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < site.n; i++) {
		if (!service_load(&s, &site, &site.id[i])) {
			bad = true;
			continue;
		}
		if (!due_judge(&d, &s, now, reuse))
			bad = true;
		if (d.due || force) {
			if (!quiet)
				printf("%s/%s\t%s\n", s.id->group, s.id->service,
				    d.due ? d.why : "forced");
			fprintf(f, "%s/%s\n", s.id->group, s.id->service);
			n++;
		}
		due_free(&d);
		service_free(&s);
	}
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	if (out != NULL && out_file(out, 0644, list, len) == -1)
		finish(EX_TEMP);
	free(list);
	site_free(&site);
	out_done();
	if (bad)
		finish(EX_USE);
	return n > 0 ? EX_YES : EX_NO;
}
