/* sslm-tlsa: TLSA records for a certificate, a request or a key. */
#include "dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-tlsa [-m match] [-s selector] [-t ttl] [-u usage] file [owner ...]\n"
    "       sslm-tlsa -h | -V\n";

enum { TTL_MAX = 604800 };

/* An owner in any spelling; the caller frees.  die() if it is none. */
static char *
owner_of(const char *s)
{
	unsigned char addr[16];
	const char *why;
	char *owner = name_canon(s, &why);

	if (owner == NULL)
		die(EX_USE, "'%s' cannot be an owner: %s", s, why);
	if (name_ip(owner, addr) != 0)
		die(EX_USE, "'%s' cannot be an owner: it is an address", s);
	return owner;
}

/* The words of standard input. */
static void
read_owners(struct words *owners)
{
	char *text = slurp("-", NULL), *rest = text, *word;

	if (text == NULL)
		finish(EX_PERM);
	while ((word = strsep(&rest, " \t\r\n")) != NULL)
		if (*word != '\0')
			words_add(owners, owner_of(word));
	free(text);
}

int
main(int argc, char *argv[])
{
	struct tlsa rr = {.ttl = 1800, .usage = USAGE_DANE_EE, .selector = SELECTOR_SPKI,
	    .match = MATCH_SHA256};
	struct words owners = {NULL, 0};
	struct tlsa_source from;
	const char *file;
	char *line;
	int c;

	start();
	while ((c = getopt(argc, argv, "hm:s:t:u:V")) != -1)
		switch (c) {
		case 'm': rr.match = num(optarg, 0, MATCHES - 1, "-m"); break;
		case 's': rr.selector = num(optarg, 0, SELECTORS - 1, "-s"); break;
		case 't': rr.ttl = num(optarg, 0, TTL_MAX, "-t"); break;
		case 'u': rr.usage = num(optarg, 0, USAGES - 1, "-u"); break;
		default: opt_other(c, usage);
		}
	if (optind == argc)
		opt_other('?', usage);
	file = argv[optind++];
	if (optind == argc)
		read_owners(&owners);
	for (; optind < argc; optind++)
		words_add(&owners, owner_of(argv[optind]));
	if (!tlsa_source(&from, file, rr.usage == USAGE_PKIX_TA || rr.usage == USAGE_DANE_TA))
		finish(EX_PERM);
	if ((rr.data = tlsa_data(&from, rr.selector, rr.match)) == NULL)
		die(EX_PERM, "'%s' holds no certificate, which selector 0 is about", file);
	for (size_t i = 0; i < owners.n; i++) {
		rr.owner = owners.w[i];
		line = tlsa_line(&rr);
		puts(line);
		free(line);
	}
	free(rr.data);
	tlsa_source_free(&from);
	words_free(&owners);
	out_done();
	return EX_YES;
}
