/* sslm-conf: read the configuration. */
#include "sslm.h"

#include <unistd.h>

static const char usage[] =
    "usage: sslm-conf -j file\n"
    "       sslm-conf -h | -V\n";

int
main(int argc, char *argv[])
{
	struct toml *root;
	bool json = false;
	int c;

	start();
	while ((c = getopt(argc, argv, "hjV")) != -1)
		switch (c) {
		case 'j': json = true; break;
		default: opt_other(c, usage);
		}
	if (!json || optind + 1 != argc)
		opt_other('?', usage);

	if ((root = toml_load(argv[optind])) == NULL)
		finish(EX_USE);
	toml_print_json(root);
	toml_free(root);
	out_done();
	return EX_YES;
}
