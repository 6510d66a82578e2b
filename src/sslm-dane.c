/* sslm-dane: the TLSA records of the site, published before they are needed. */
#include "dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-dane [-q] [-C dir] [service ...]\n"
    "       sslm-dane -e [-q] [-C dir] [-p port] [-w seconds] [service ...]\n"
    "       sslm-dane -h | -V\n";

enum { WAIT_MAX = 86400, DNS_PORT = 53 };

/* Every group of the services once; what fails in one leaves the others. */
static int
publish(const struct site *site, bool quiet)
{
	struct words groups = {NULL, 0};
	int one, ret = EX_YES;
	bool changed;

	for (size_t i = 0; i < site->n; i++)
		if (strcmp(site->id[i].group, "ca") != 0 &&
		    (i == 0 || strcmp(site->id[i].group, site->id[i - 1].group) != 0))
			words_add(&groups, xstrdup(site->id[i].group));
	words_sort(&groups);
	for (size_t i = 0; i < groups.n; i++) {
		one = dane_group(site, groups.w[i], &changed);
		if (changed && !quiet)
			printf("%s\tTLSA records changed\n", groups.w[i]);
		if (one != EX_YES)
			ret = ret == EX_YES || ret == one ? one : EX_PERM;
	}
	words_free(&groups);
	return ret;
}

int
main(int argc, char *argv[])
{
	bool evidence = false, quiet = false;
	const char *dir = NULL;
	struct site site;
	long port = DNS_PORT, wait = 0;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:ehp:qVw:")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'e': evidence = true; break;
		case 'p': port = num(optarg, 1, UINT16_MAX, "-p"); break;
		case 'q': quiet = true; break;
		case 'w': wait = num(optarg, 0, WAIT_MAX, "-w"); break;
		default: opt_other(c, usage);
		}
	if (!evidence && (wait > 0 || port != DNS_PORT))
		opt_other('?', usage);
	site_load(&site, dir, argv + optind);
	c = evidence ? dane_look(&site, port, wait, quiet) : publish(&site, quiet);
	if (c == EX_YES && site.bad)
		c = EX_USE;
	site_free(&site);
	out_done();
	if (c != EX_YES)
		finish(c);
	return EX_YES;
}
