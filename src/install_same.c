/* install_same.c: are files in production those of the site? */
#include "cert.h"
#include "install.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const set_more[] = {"tlsa.rr", "info", NULL};

const char *
path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

bool
file_private(const char *file)
{
	return strcmp(file, set_name[SET_KEY]) == 0 || strcmp(file, set_name[SET_BUNDLE]) == 0;
}

/* NULL, or the fault of the file out, which is as long as in. */
static const char *
content_differs(const char *in, const char *out)
{
	size_t have, want;
	char *a = slurp_try(in, &want), *b = slurp_try(out, &have);
	const char *fault = NULL;

	if (a == NULL || b == NULL)
		fault = "cannot be compared";
	else if (have != want || memcmp(a, b, have) != 0)
		fault = "has another content";
	if (a != NULL)
		wipe(a, want);
	if (b != NULL)
		wipe(b, have);
	return fault;
}

const char *
file_differs(const struct place *p, const char *source, const char *path, const char *file)
{
	char *in = xasprintf("%s/%s", source, file), *out = xasprintf("%s/%s", path, file);
	const char *fault = NULL;
	struct stat a, b;
	bool in_there = stat(in, &a) == 0, out_there = lstat(out, &b) == 0;

	if (in_there != out_there)
		fault = in_there ? "is not there" : "should not be there";
	else if (in_there && !S_ISREG(b.st_mode))
		fault = "is no file";
	else if (in_there && a.st_size != b.st_size)
		fault = "has another content";
	else if (in_there && p->how == BY_CONTENT && file_private(file))
		fault = key_fault(p, &b);
	if (fault == NULL && in_there && p->how == BY_CONTENT)
		fault = content_differs(in, out);
	free(in);
	free(out);
	return fault;
}

bool
set_same(const struct place *p, const char *source, const char *path, bool is_ca)
{
	bool yes = true;

	for (size_t i = 0; yes && i < SET_N; i++)
		yes = (is_ca && file_private(set_name[i])) ||
		    file_differs(p, source, path, set_name[i]) == NULL;
	return yes;
}
