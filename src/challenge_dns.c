/* challenge_dns.c: records in zone files. */
#include "challenge.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STRING_MAX = 255 };	/* octets in one string of a TXT record */

char *
txt_line(const char *owner, const char *txt)
{
	char *line = xasprintf("%s. 60 IN TXT", owner), *more;
	size_t n;

	do {
		n = strnlen(txt, STRING_MAX);
		more = xasprintf("%s \"%.*s\"", line, (int)n, txt);
		free(line);
		line = more;
		txt += n;
	} while (*txt != '\0');
	return line;
}

char *
txt_key(const char *line)
{
	size_t n = strcspn(line, " \t"), at;
	const char *p = strchr(line, '"');
	char *key;

	if (n == 0 || p == NULL)
		return NULL;
	key = xmalloc(strlen(line) + 2);
	for (at = 0; at < n; at++)
		key[at] = (char)tolower((unsigned char)line[at]);
	if (key[at - 1] == '.')
		at--;
	key[at++] = ' ';
	for (bool in = false; *p != '\0'; p++)
		if (*p == '"')
			in = !in;
		else if (in)
			key[at++] = *p;
	key[at] = '\0';
	return key;
}

static const struct toml *
acme_dirs(const struct site *site)
{
	const struct server *dns = site_server(site, "dns");

	return dns == NULL ? NULL : dns->acme_dir;
}

/* Where zones' files are, as they are reached from here; the caller frees. */
static struct words
zone_dirs(const struct site *site)
{
	const struct server *dns = site_server(site, "dns");
	struct words dirs = {NULL, 0};
	const struct toml *at = NULL;
	const char *dir;

	while ((dir = conf_next(acme_dirs(site), &at)) != NULL)
		words_add(&dirs, site_path(site, dir));
	if (dns != NULL && dns->update != NULL)
		words_add(&dirs, xstrdup(ZONES_DIR));
	return dirs;
}

/* The directory for updates is ours to make. */
static bool
update_dir_ok(const struct site *site)
{
	const struct server *dns = site_server(site, "dns");

	return dns == NULL || dns->update == NULL ||
	    (make_dir("certs", 0755) == 0 && make_dir(ZONES_DIR, 0755) == 0);
}

bool
acme_dirs_ok(const struct site *site)
{
	const struct server *dns = site_server(site, "dns");
	bool ok = true, any = dns != NULL && dns->update != NULL;
	const struct toml *at = NULL;
	const char *dir;
	struct stat st;
	char *path;

	while ((dir = conf_next(acme_dirs(site), &at)) != NULL) {
		any = true;
		path = site_path(site, dir);
		errno = 0;
		if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode)) {
			if (errno == 0)
				errno = ENOTDIR;
			complain("%s:%u: [dns] acme_dir '%s':", SITE_CONF, at->line, dir);
			ok = false;
		}
		free(path);
	}
	if (!any)
		complain("%s: [dns] has no 'acme_dir' and no 'update', where dns-01 challenges are "
		    "put", SITE_CONF);
	return ok && any && update_dir_ok(site);
}

/* What a zone's file is to hold; the caller frees. */
static char *
zone_text(const char *zone, const struct words *lines, size_t *len)
{
	char *body = words_join(lines, "\n", NULL);
	char *text = xasprintf(";; acme-challenge for : %s\n;; acme-challenge : %s\n%s", zone,
	    zone, body);

	free(body);
	*len = strlen(text);
	return text;
}

bool
zone_file_same(const struct site *site, const char *zone, const struct words *lines)
{
	struct words dirs = zone_dirs(site);
	char *path, *old, *text;
	bool same = true;
	size_t len, n;

	text = zone_text(zone, lines, &len);
	for (size_t i = 0; same && i < dirs.n; i++) {
		path = xasprintf("%s/acme-challenge.%s", dirs.w[i], zone);
		old = slurp_try(path, &n);
		same = old != NULL && n == len && memcmp(old, text, len) == 0;
		free(old);
		free(path);
	}
	free(text);
	words_free(&dirs);
	return same;
}

int
zone_file_write(const struct site *site, const char *zone, const struct words *lines)
{
	struct words dirs = zone_dirs(site);
	char *path, *text;
	size_t len;
	int ret = 0;

	text = zone_text(zone, lines, &len);
	for (size_t i = 0; i < dirs.n; i++) {
		path = xasprintf("%s/acme-challenge.%s", dirs.w[i], zone);
		if (out_file(path, 0644, text, len) == -1)
			ret = -1;
		free(path);
	}
	free(text);
	words_free(&dirs);
	return ret;
}
