/* push.c: zones that the name server has to be told of. */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *
zone_canon(const char *s)
{
	unsigned char addr[16];
	const char *why;
	char *zone = name_canon(s, &why);

	if (zone != NULL && (zone[0] == '*' || strcmp(zone, "ca") == 0 ||
	    name_ip(zone, addr) != 0)) {
		free(zone);
		return NULL;
	}
	return zone;
}

int
push_load(struct words *zones)
{
	char *buf, *rest, *line, *zone;
	size_t len;
	int ret = 0;

	errno = 0;
	if ((buf = rest = slurp_try(PUSH_FILE, &len)) == NULL) {
		if (errno == ENOENT)
			return 0;
		complain("cannot read '%s':", PUSH_FILE);
		return -1;
	}
	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\0')
			buf[i] = '?';
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if ((zone = zone_canon(line)) != NULL) {
			words_add(zones, zone);
		} else {
			complain("'%s': '%.80s' is not a zone", PUSH_FILE, line);
			ret = 1;
		}
	}
	free(buf);
	words_sort(zones);
	return ret;
}

int
push_save(const struct words *zones)
{
	size_t len;
	char *text;
	int ret;

	if (zones->n == 0) {
		if (unlink(PUSH_FILE) == 0)
			return sync_dir("certs");
		if (errno == ENOENT)
			return 0;
		complain("cannot remove '%s':", PUSH_FILE);
		return -1;
	}
	text = words_join(zones, "\n", &len);
	ret = out_file(PUSH_FILE, 0644, text, len) == -1 ? -1 : 0;
	free(text);
	return ret;
}

int
push_add(const struct words *zones)
{
	struct words all = {NULL, 0};
	int ret = push_load(&all);

	if (ret != -1 && zones->n > 0) {
		for (size_t i = 0; i < zones->n; i++)
			words_add(&all, xstrdup(zones->w[i]));
		words_sort(&all);
		if (push_save(&all) == -1)
			ret = -1;
	}
	words_free(&all);
	return ret;
}
