/* sslm-acme: ask an ACME CA (RFC 8555), one step at a time. */
#include "acme.h"

#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-acme account [-dkqs] [-C dir] [-i path] -c ca\n"
    "       sslm-acme order [-fq] [-C dir] [-p set] -c ca set\n"
    "       sslm-acme finish [-C dir] -c ca set\n"
    "       sslm-acme revoke [-C dir] [-k key] [-r reason] -c ca cert.pem\n"
    "       sslm-acme window [-q] [-C dir] [-i list] [service ...]\n"
    "       sslm-acme -h | -V\n";

static const struct step {
	const char *name, *letters;
	int operands;		/* -1: any number */
	int (*run)(const struct step_options *o);
} steps[] = {
    {"account", "C:c:dhi:kqsV", 0, step_account},
    {"order", "C:c:fhp:qV", 1, step_order},
    {"finish", "C:c:hV", 1, step_finish},
    {"revoke", "C:c:hk:r:V", 1, step_revoke},
    {"window", "C:hi:qV", -1, step_window}};

static const struct step *
find(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(name, steps[i].name) == 0)
			return &steps[i];
	return NULL;
}

/* Options of all the steps; a letter means the same wherever it is one, but for
 * -k, which takes a value where the step's letters say so. */
static void
take(struct step_options *o, int c)
{
	switch (c) {
	case 'C': o->dir = optarg; break;
	case 'c': o->ca = optarg; break;
	case 'd': o->deactivate = true; break;
	case 'f': o->force = true; break;
	case 'i': o->in = optarg; break;
	case 'k': o->key = optarg; o->new_key = optarg == NULL; break;
	case 'p': o->old = optarg; break;
	case 'q': o->quiet = true; break;
	case 'r': o->reason = optarg; break;
	case 's': o->show = true; break;
	default: opt_other(c, usage);
	}
}

int
main(int argc, char *argv[])
{
	struct step_options o = {0};
	const struct step *step;
	int c, ret;

	start();
	if ((step = find(argv[1])) == NULL) {
		while ((c = getopt(argc, argv, "hV")) != -1)
			opt_other(c, usage);
		opt_other('?', usage);
	}
	while ((c = getopt(argc - 1, argv + 1, step->letters)) != -1)
		take(&o, c);
	o.operands = argv + 1 + optind;
	if ((step->operands != -1 && argc - 1 - optind != step->operands) ||
	    (o.ca == NULL && strstr(step->letters, "c:") != NULL) ||
	    o.deactivate + o.new_key + o.show + (o.in != NULL && step->operands == 0) > 1)
		opt_other('?', usage);
	if (o.dir != NULL && chdir(o.dir) == -1)
		die(EX_USE, "cannot go to '%s':", o.dir);
	ret = step->run(&o);
	out_done();
	finish(ret);
}
