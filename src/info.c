/* info.c: the record of a generation. */
#include "cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *
info_path(const char *dir)
{
	return xasprintf("%s/info", dir);
}

time_t
info_get(const char *dir, const char *event)
{
	char *path = info_path(dir), *want = xasprintf(" %s : ", event);
	char *text = slurp_try(path, NULL), *rest = text, *line, *at;
	time_t last = -1, t;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] == '#' && (at = strstr(line, want)) != NULL) {
			t = stamp_time(at + strlen(want));
			last = t != -1 ? t : 0;
		}
	free(text);
	free(want);
	free(path);
	return last;
}

time_t
info_issued(const char *dir)
{
	char *cert = xasprintf("%s/%s", dir, set_name[SET_CERT]);
	time_t t = info_get(dir, "issued");
	struct stat st;

	if (t <= 0)	/* none, or one that says nothing */
		t = stat(cert, &st) == 0 ? st.st_mtime : time(NULL);
	free(cert);
	return t;
}

int
info_put(const char *dir, const char *event, time_t t)
{
	char *path = info_path(dir), when[STAMP_SIZE], *old, *text;
	size_t len = 0;
	int ret = -1;

	old = slurp_try(path, &len);
	if (old == NULL && errno != ENOENT) {
		if (errno != 0)
			complain("cannot open '%s':", path);
		goto out;
	}
	stamp(when, t);
	text = xasprintf("%s%s# %s : %s\n", old != NULL ? old : "",
	    old != NULL && len > 0 && old[len - 1] != '\n' ? "\n" : "", event, when);
	if (out_file(path, 0644, text, strlen(text)) != -1)
		ret = 0;
	free(text);
out:
	free(old);
	free(path);
	return ret;
}
