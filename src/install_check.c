/* install_check.c: what differs between the site and production, said and not mended. */
#include "cert.h"
#include "install.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mend[] = "make prod";

static int
differs(const char *path, const char *what)
{
	printf("localhost\t%s\t%s\t%s\n", path, what, mend);
	return EX_NO;
}

/* The rights of a directory, if it is there. */
static int
check_dir(const struct place *p, const char *path)
{
	const char *what = dir_fault(p, path);

	return what != NULL ? differs(path, what) : EX_YES;
}

/* The files of the set that a link of the site leads to, and those of production. */
static int
check_set(const struct place *p, const struct service_id *id, const char *source,
    const char *path)
{
	bool is_ca = strcmp(id->group, "ca") == 0;
	const char *what, *file;
	int ret = check_dir(p, path);
	char *at;

	for (size_t i = 0; i < SET_N || set_more[i - SET_N] != NULL; i++) {
		file = i < SET_N ? set_name[i] : set_more[i - SET_N];
		at = xasprintf("%s/%s", path, file);
		if (is_ca && file_private(file)) {
			struct stat st;

			if (lstat(at, &st) == 0) {
				printf("localhost\t%s\tis the private key of a CA\tremove it by hand\n", at);
				ret = EX_NO;
			}
		} else if ((what = file_differs(p, source, path, file)) != NULL) {
			ret = differs(at, what);
		}
		free(at);
	}
	return ret;
}

/* The link in production to the generation gen. */
static int
check_link(const char *gen, const char *path)
{
	char have[300], *want = xasprintf("db/%s", gen), *what = NULL;
	const char *to = link_target(path, have, sizeof(have));
	struct stat st;
	int ret = EX_YES;

	if (to == NULL && errno != ENOENT && errno != ENOTDIR && errno != EINVAL) {
		complain("cannot read the link '%s':", path);
		ret = EX_TEMP;
	} else if (to == NULL) {
		ret = differs(path, lstat(path, &st) == 0 ? "is no link" : "is not there");
	} else if (strcmp(to, want) != 0) {
		what = text_safe(to, strlen(to), "");
		free(want);
		want = xasprintf("leads to %s, not to db/%s", what, gen);
		ret = differs(path, want);
	}
	free(what);
	free(want);
	return ret;
}

/* curr or next. */
static int
check(const struct place *p, const struct service_id *id, const char *link)
{
	char *from = service_dir(id), *source = xasprintf("%s/%s", from, link), gen[300];
	char *path = xasprintf("%s/%s/%s/%s", p->prod, id->group, id->service, link);
	char *bundle = xasprintf("%s/%s", source, set_name[SET_BUNDLE]);
	bool is_curr = strcmp(link, "curr") == 0;
	bool there = link_target(source, gen, sizeof(gen)) != NULL;
	bool unknown = !there && errno != ENOENT && errno != EINVAL;
	struct stat st;
	int ret = EX_YES;

	if (unknown) {
		complain("cannot read the link '%s':", source);
		ret = EX_TEMP;
	} else if (!link_or_none(source)) {
		ret = EX_TEMP;
	} else if (there && access(bundle, F_OK) == 0) {
		ret = check_link(path_base(gen), path);
		if (ret == EX_YES)
			ret = check_set(p, id, source, path);
	} else if (is_curr && there) {
		complain("'%s' is not complete", source);
		ret = EX_TEMP;
	} else if (!is_curr && lstat(path, &st) == 0) {
		ret = differs(path, "should not be there");
	}
	free(bundle);
	free(path);
	free(source);
	free(from);
	return ret;
}

int
check_service(const struct place *p, const struct service_id *id)
{
	char *dir = xasprintf("%s/%s/%s", p->prod, id->group, id->service);
	char *db = xasprintf("%s/db", dir);
	bool no = check_dir(p, dir) == EX_NO;
	int curr, next;

	no = check_dir(p, db) == EX_NO || no;
	curr = check(p, id, "curr");
	next = check(p, id, "next");
	free(db);
	free(dir);
	return no || curr == EX_NO || next == EX_NO ? EX_NO : curr != EX_YES ? curr : next;
}

/* The records in a file, sorted, without comments; "" if there is none. */
static char *
records(const char *path)
{
	struct words l = {NULL, 0};
	char *text = slurp_try(path, NULL), *rest = text, *line;
	size_t n;

	while (text != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line += strspn(line, " \t\r");
		for (n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]) != NULL; n--)
			;
		if (n > 0 && *line != ';')
			words_add(&l, xasprintf("%.*s", (int)n, line));
	}
	free(text);
	words_sort(&l);
	text = words_join(&l, "\n", NULL);
	words_free(&l);
	return text;
}

int
check_group(const struct place *p, const char *group)
{
	char *in = xasprintf("certs/%s/tlsa.%s", group, group);
	char *dir = xasprintf("%s/%s", p->prod, group), *dh = xasprintf("%s/dh", dir);
	char *out = xasprintf("%s/tlsa.%s", dir, group);
	char *want = records(in), *have = records(out);
	int ret = check_dir(p, dir);

	if (check_dir(p, dh) == EX_NO)
		ret = EX_NO;
	if (strcmp(want, have) != 0)
		ret = differs(out, access(out, F_OK) == -1 ? "is not there" : "has other records");
	free(have);
	free(want);
	free(out);
	free(dh);
	free(dir);
	free(in);
	return ret;
}

int
check_prod(const struct place *p)
{
	return check_dir(p, p->prod);
}
