/* deploy_rules.c: which files rsync is to bring and to remove. */
#include "deploy.h"

#include <stdlib.h>
#include <string.h>

/* Nothing in a path is a pattern. */
static char *
literal(const char *path)
{
	bool any = path[strcspn(path, "*?[")] != '\0';
	char *text = xmalloc(2 * strlen(path) + 1), *end = text;

	for (; *path != '\0'; path++) {
		if (any && strchr("*?[\\", *path) != NULL)
			*end++ = '\\';
		*end++ = *path;
	}
	*end = '\0';
	return text;
}

/* The rsync of Debian 12 has lost --delete-missing-args with a correction
 * (3.2.7-1+deb12u6: "invalid file mode 00"). */
void
copy_rules(struct words *paths, bool within)
{
	struct words out = {NULL, 0};

	for (size_t i = 0; i < paths->n; i++) {
		char *path = literal(paths->w[i]);
		bool whole = path[strlen(path) - 1] == '/';

		if (whole)
			words_add(&out, xasprintf("R /%s**", path));
		else
			words_add(&out, xasprintf("+ /%s", path));
		/* What was a directory, as ssl-mgr made it, goes with all that is in it. */
		if (within && !whole)
			words_add(&out, xasprintf("+ /%s/***", path));
		for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
			*slash = '\0';
			words_add(&out, xasprintf("S /%s/", path));
			words_add(&out, xasprintf("P /%s/", path));
		}
		free(path);
	}
	words_free(paths);
	*paths = out;
}
