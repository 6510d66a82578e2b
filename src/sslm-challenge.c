/* sslm-challenge: publish what CAs want to see, withdraw it, and tell what may be
 * validated. */
#include "challenge.h"

#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-challenge [-q] [-C dir] [-i file] [-o file] [-p file] [service ...]\n"
    "       sslm-challenge -d [-q] [-C dir]\n"
    "       sslm-challenge -r seen [-C dir] [-i file] [-o file] [service ...]\n"
    "       sslm-challenge -h | -V\n";

void
failed(struct session *s, int status)
{
	s->status = s->status == EX_YES || s->status == status ? status : EX_PERM;
}

/* Flags that do not go together are wrong usage. */
static void
check(bool wrong)
{
	if (wrong)
		opt_other('?', usage);
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *in = NULL, *out = NULL, *persist = NULL, *seen = NULL;
	struct session s = {.status = EX_YES};
	bool end = false;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:dhi:o:p:qr:V")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'd': end = true; break;
		case 'i': in = optarg; break;
		case 'o': out = optarg; break;
		case 'p': persist = optarg; break;
		case 'q': s.quiet = true; break;
		case 'r': seen = optarg; break;
		default: opt_other(c, usage);
		}
	check(end && (in != NULL || out != NULL || persist != NULL || seen != NULL ||
	    optind < argc));
	check(seen != NULL && (persist != NULL || s.quiet));
	s.all = in == NULL && optind == argc;
	site_load(&s.site, dir, argv + optind);
	if (in != NULL)
		site_only(&s.site, in);
	if (s.site.bad)
		s.status = EX_USE;
	switch (published_load(&s.lines)) {
	case 0: break;
	case 1: failed(&s, EX_PERM); break;
	default: finish(EX_PERM);
	}
	if (end)
		withdraw(&s);
	else if (seen != NULL)
		ready(&s, seen, out);
	else
		publish(&s, out, persist);
	words_free(&s.lines);
	site_free(&s.site);
	out_done();
	if (s.status != EX_YES)
		finish(s.status);
	return EX_YES;
}
