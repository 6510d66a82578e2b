/* push.c: zones that the name server has to be told of. */
#include "site.h"

#include <stdlib.h>
#include <string.h>

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
	return words_load(zones, PUSH_FILE, zone_canon, "a zone");
}

int
push_save(const struct words *zones)
{
	return words_save(zones, PUSH_FILE);
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

int
push_add_one(const char *name)
{
	struct words zones = {NULL, 0};
	char *zone = zone_canon(name);
	int ret = 0;

	if (zone != NULL) {
		words_add(&zones, zone);
		ret = push_add(&zones);
	}
	words_free(&zones);
	return ret;
}
