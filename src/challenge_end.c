/* challenge_end.c: withdrawal of all that certs/.challenges tells of.  What cannot be
 * withdrawn stays there. */
#include "challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Empty the files of zones; those of which it fails are added to left. */
static void
withdraw_zones(struct session *s, const struct words *zones, struct words *left)
{
	const struct words none = {NULL, 0};
	struct words changed = {NULL, 0};
	bool go = acme_dirs_ok(&s->site);

	if (!go)
		failed(s, EX_USE);
	for (size_t i = 0; go && i < zones->n; i++)
		if (!zone_file_same(&s->site, zones->w[i], &none))
			words_add(&changed, xstrdup(zones->w[i]));
	if (go && changed.n > 0)
		switch (push_add(&changed)) {
		case 0: break;
		case 1: failed(s, EX_PERM); break;
		default:
			failed(s, EX_TEMP);
			go = false;
		}
	for (size_t i = 0; i < zones->n; i++) {
		if (go && zone_file_write(&s->site, zones->w[i], &none) == 0) {
			if (!s->quiet)
				printf("%s: withdrawn\n", zones->w[i]);
			continue;
		}
		if (go)
			failed(s, EX_TEMP);
		words_add(left, xasprintf("zone %s", zones->w[i]));
	}
	words_free(&changed);
}

/* Remove files from a host; those of which it fails are added to left. */
static void
withdraw_host(struct session *s, const char *host, const struct web_file *f, size_t n,
    struct words *left)
{
	struct words hosts = {NULL, 0};
	bool here = strcmp(host, HERE) == 0, known = web_hosts(&s->site, &hosts);
	char *root;
	int status;

	known = !known || here || words_has(&hosts, host);
	words_free(&hosts);
	if (!known) {
		complain("host '%s' is not in [web] servers any more: what is published there is "
		    "forgotten", host);
		return;
	}
	root = web_root(&s->site, host);
	status = root == NULL ? EX_USE : here ? EX_YES : host_web(host, root, f, n);
	if (status != EX_YES)
		failed(s, status);
	for (size_t i = 0; i < n; i++) {
		if (root != NULL && here && web_remove(root, f[i].group, f[i].token) == -1)
			failed(s, EX_PERM);
		else if (status == EX_YES)
			continue;
		words_add(left, xasprintf("web %s %s %s", host, f[i].group, f[i].token));
	}
	if (status == EX_YES && !s->quiet)
		printf("%s: withdrawn\n", here ? "localhost" : host);
	free(root);
}

void
withdraw(struct session *s)
{
	struct words zones = {NULL, 0}, left = {NULL, 0};
	struct web_file *f = xreallocarray(NULL, s->lines.n, sizeof(*f));
	char *(*part)[3] = xreallocarray(NULL, s->lines.n, sizeof(*part));
	size_t n = 0;

	for (size_t i = 0; i < s->lines.n; i++) {
		if (published_parts(s->lines.w[i], "zone", part[n]) > 0)
			words_add(&zones, part[n][0]);
		else if (published_parts(s->lines.w[i], "web", part[n]) > 0)
			n++;
	}
	if (zones.n > 0)
		withdraw_zones(s, &zones, &left);
	/* Lines are sorted: those of a host are side by side. */
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && strcmp(part[k][0], part[i][0]) == 0; k++)
			f[k] = (struct web_file){part[k][1], part[k][2], NULL};
		withdraw_host(s, part[i][0], f + i, k - i, &left);
	}
	words_sort(&left);
	if (s->lines.n > 0 && words_save(&left, PUBLISHED) == -1)
		failed(s, EX_TEMP);
	for (size_t i = 0; i < n; i++)
		free(part[i][0]);
	free(part);
	free(f);
	words_free(&zones);
	words_free(&left);
}
