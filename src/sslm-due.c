/* sslm-due: which services want a renewal, and why? */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-due [-fqr] [-C dir] [-o file] [-w file] [service ...]\n"
    "       sslm-due -h | -V\n";

/* Services, a line each, for a file and with the reasons for people. */
struct list {
	char *text, *reasons;
	size_t len, reasons_len, n;
	FILE *f, *g;
};

static void
list_open(struct list *l)
{
	*l = (struct list){.n = 0};
	if ((l->f = open_memstream(&l->text, &l->len)) == NULL ||
	    (l->g = open_memstream(&l->reasons, &l->reasons_len)) == NULL)
		die(EX_TEMP, "out of memory");
}

static void
list_add(struct list *l, const struct service_id *id, const char *why)
{
	fprintf(l->f, "%s/%s\n", id->group, id->service);
	fprintf(l->g, "%s/%s\t%s\n", id->group, id->service, why);
	l->n++;
}

static void
list_print(struct list *l)
{
	if (fflush(l->g) != 0)
		die(EX_TEMP, "out of memory");
	fwrite(l->reasons, 1, l->reasons_len, stdout);
}

/* Write the file, unless it is NULL; finish() if that fails. */
static void
list_close(struct list *l, const char *path)
{
	if (fclose(l->f) != 0 || fclose(l->g) != 0)
		die(EX_TEMP, "out of memory");
	if (path != NULL && out_file(path, 0644, l->text, l->len) == -1)
		finish(EX_TEMP);
	free(l->text);
	free(l->reasons);
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *out = NULL, *ask = NULL;
	bool force = false, quiet = false, reuse = false, bad;
	time_t now = time(NULL);
	struct list due, unknown;
	struct windows windows;
	struct service s;
	struct site site;
	struct due d;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:fho:qrVw:")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'f': force = true; break;
		case 'o': out = optarg; break;
		case 'q': quiet = true; break;
		case 'r': reuse = true; break;
		case 'w': ask = optarg; break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, argv + optind);
	bad = site.bad;
	windows_load(&windows);
	list_open(&due);
	list_open(&unknown);
	for (size_t i = 0; i < site.n; i++) {
		if (!service_load(&s, &site, &site.id[i])) {
			bad = true;
			continue;
		}
		if (!due_judge(&d, &s, &windows, now, reuse))
			bad = true;
		if (d.due || force)
			list_add(&due, s.id, d.due ? d.why : "forced");
		else if (d.ask)
			list_add(&unknown, s.id, "");
		due_free(&d);
		service_free(&s);
	}
	/* Who is told what has to be asked for first will come back. */
	if (!quiet && (ask == NULL || unknown.n == 0))
		list_print(&due);
	list_close(&due, out);
	list_close(&unknown, ask);
	windows_free(&windows);
	site_free(&site);
	out_done();
	if (bad)
		finish(EX_USE);
	return due.n > 0 ? EX_YES : EX_NO;
}
