/* gen.c: a service's generations: db/<stamp>, and the links to them. */
#include "cert.h"
#include "site.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum next_state
next_state(const char *dir)
{
	char *whole = xasprintf("%s/next/%s", dir, set_name[SET_BUNDLE]);
	char *begun = xasprintf("%s/next/.", dir);
	enum next_state state = access(whole, F_OK) == 0 ? NEXT_WHOLE :
	    access(begun, F_OK) == 0 ? NEXT_PART : NEXT_NONE;

	free(whole);
	free(begun);
	return state;
}

/* "20261120T235959Z", with a suffix or not, or the older "20261120-23:59:59". */
static bool
is_generation(const char *s)
{
	static const char *const shape[] = {"ddddddddTddddddZ", "dddddddd-dd:dd:dd"};

	for (size_t i = 0, at; i < 2; i++) {
		for (at = 0; shape[i][at] != '\0' && (shape[i][at] == 'd' ?
		    isdigit((unsigned char)s[at]) : s[at] == shape[i][at]); at++)
			;
		if (shape[i][at] == '\0' && (s[at] == '\0' || s[at] == '-'))
			return true;
	}
	return false;
}

int
remove_set(const char *dir)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	int bad = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			bad |= unlinkat(dirfd(d), e->d_name, 0);
	if (d == NULL || bad || rmdir(dir) == -1) {
		complain("cannot remove '%s':", dir);
		bad = -1;
	}
	if (d != NULL)
		closedir(d);
	return bad;
}

/* What a killed run left of a copy: ".<generation>.new". */
static bool
is_half(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' && n > 5 && strcmp(name + n - 4, ".new") == 0;
}

bool
link_or_none(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1 || S_ISLNK(st.st_mode))
		return true;
	complain("'%s' is not a link", path);
	return false;
}

bool
gen_linked(const char *dir, const char *generation)
{
	static const char *const links[] = {"curr", "next", "prev"};
	char target[300];
	bool yes = false;

	for (size_t i = 0; i < 3 && !yes; i++) {
		char *path = xasprintf("%s/%s", dir, links[i]);
		const char *to = link_target(path, target, sizeof(target)), *slash;

		if (to != NULL && (slash = strrchr(to, '/')) != NULL)
			to = slash + 1;
		/* A link that cannot be read may lead anywhere. */
		yes = to != NULL ? strcmp(to, generation) == 0 :
		    errno != ENOENT && errno != EINVAL;
		free(path);
	}
	return yes;
}

static int
prunable(const struct dirent *e)
{
	return is_generation(e->d_name) || is_half(e->d_name);
}

int
prune(const char *dir, long keep, const struct words *used)
{
	char *db = xasprintf("%s/db", dir), *path;
	struct dirent **e;
	int n = scandir(db, &e, prunable, versionsort), bad = 0;
	bool removed = false;

	if (n == -1 && errno != ENOENT) {
		complain("cannot read directory '%s':", db);
		bad = -1;
	}
	for (int i = n - 1; i >= 0; i--) {
		if (is_half(e[i]->d_name) || (!gen_linked(dir, e[i]->d_name) &&
		    (used == NULL || !words_has(used, e[i]->d_name)) && keep-- <= 0)) {
			path = xasprintf("%s/%s", db, e[i]->d_name);
			bad |= remove_set(path);
			removed = true;
			free(path);
		}
		free(e[i]);
	}
	if (removed && sync_dir(db) == -1)
		bad = -1;
	if (n >= 0)
		free(e);
	free(db);
	return bad;
}
