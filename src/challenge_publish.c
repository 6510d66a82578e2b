/* challenge_publish.c: what the orders want is put into zone files and web roots.
 * What is changed is known to certs/.challenges, and zones to certs/.push, before. */
#include "challenge.h"
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct zone {
	char *name;
	struct words records;
	bool old;		/* the files do not have these records yet */
};

int
job_load(struct session *s, struct job *job, const struct service_id *id)
{
	char *dir = service_dir(id), *set = xasprintf("%s/next", dir);
	char *path = xasprintf("%s/order.json", set);
	struct service service;
	int ret = order_done(set) ? 0 : order_load(&job->order, path);
	bool acme;

	free(path);
	free(set);
	free(dir);
	job->id = id;
	if (ret == -1)
		failed(s, EX_PERM);
	if (ret != 1)
		return ret;
	if (!service_load(&service, &s->site, id)) {
		failed(s, EX_USE);
		order_free(&job->order);
		return -1;
	}
	acme = service.ca->kind == CA_ACME;
	service_free(&service);
	if (acme)
		return 1;
	order_free(&job->order);
	return 0;
}

static bool
record(struct session *s)
{
	words_sort(&s->lines);
	if (make_dir("certs", 0755) == 0 && words_save(&s->lines, PUBLISHED) == 0)
		return true;
	failed(s, EX_TEMP);
	return false;
}

/* ---- DNS ------------------------------------------------------------------------- */

/* Open challenges that are met by a record. */
static size_t
count_dns(const struct job *job, size_t n, bool *publish)
{
	size_t found = 0;

	*publish = false;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < job[i].order.n; k++) {
			found += job[i].order.challenge[k].type != CHALLENGE_HTTP;
			*publish = *publish || job[i].order.challenge[k].type == CHALLENGE_DNS;
		}
	return found;
}

/* Can a place that DNS has told be written to a file and a command line? */
static bool
place_ok(const struct dns_place *p)
{
	const char *why;
	char *target = name_canon(p->target, &why), *zone = zone_canon(p->zone);
	bool ok = target != NULL && strcmp(target, p->target) == 0 && zone != NULL &&
	    strcmp(zone, p->zone) == 0;

	if (!ok)
		complain("'%s': its place '%s' in zone '%s' is no name for us", p->owner,
		    p->target, p->zone);
	free(zone);
	free(target);
	return ok;
}

/* Remember where an owner has its place. */
static void
record_owner(struct words *lines, const char *owner, const char *target)
{
	const char *was = published_target(lines, owner);
	char *line;

	if (was != NULL) {
		line = xasprintf("owner %s %s", owner, was);
		words_drop(lines, line);
		free(line);
	}
	words_add(lines, xasprintf("owner %s %s", owner, target));
}

/* Of "zone\trecord", sorted, the zones with their records. */
static size_t
split(const struct words *all, struct zone **zones)
{
	size_t n = 0, len;
	struct zone *z = NULL;

	for (size_t i = 0; i < all->n; i++) {
		len = strcspn(all->w[i], "\t");
		if (n == 0 || strlen(z[n - 1].name) != len ||
		    strncmp(z[n - 1].name, all->w[i], len) != 0) {
			z = xreallocarray(z, n + 1, sizeof(*z));
			z[n++] = (struct zone){.name = xasprintf("%.*s", (int)len, all->w[i])};
		}
		words_add(&z[n - 1].records, xstrdup(all->w[i] + len + 1));
	}
	*zones = z;
	return n;
}

/* All records of this run, "zone\trecord". */
static void
publish_zones(struct session *s, const struct words *all, struct words *expect)
{
	struct words changed = {NULL, 0};
	struct zone *z;
	size_t n = split(all, &z);
	bool go;

	for (size_t i = 0; i < n; i++) {
		z[i].old = !zone_file_same(&s->site, z[i].name, &z[i].records);
		if (z[i].old)
			words_add(&changed, xstrdup(z[i].name));
		words_add(&s->lines, xasprintf("zone %s", z[i].name));
	}
	go = record(s);
	if (go && changed.n > 0)
		switch (push_add(&changed)) {
		case 0: break;
		case 1: failed(s, EX_PERM); break;
		default:
			failed(s, EX_TEMP);
			go = false;
		}
	words_free(&changed);
	for (size_t i = 0; i < n; i++) {
		if (go && zone_file_write(&s->site, z[i].name, &z[i].records) == 0) {
			if (z[i].old && !s->quiet)
				printf("%s: %zu record%s\n", z[i].name, z[i].records.n,
				    z[i].records.n == 1 ? "" : "s");
			for (size_t k = 0; k < z[i].records.n; k++)
				words_add(expect, xstrdup(z[i].records.w[k]));
		} else if (go) {
			failed(s, EX_TEMP);
		}
		words_free(&z[i].records);
		free(z[i].name);
	}
	free(z);
}

static void
publish_dns(struct session *s, const struct job *job, size_t njob, struct words *expect,
    struct words *persist)
{
	bool wanted, can;
	size_t n = count_dns(job, njob, &wanted), at = 0;
	const struct challenge **c = xreallocarray(NULL, n, sizeof(struct challenge *));
	struct dns_place *p = xreallocarray(NULL, n, sizeof(*p));
	struct words all = {NULL, 0};

	can = wanted && acme_dirs_ok(&s->site);
	if (wanted && !can)
		failed(s, EX_USE);
	for (size_t i = 0; i < njob; i++)
		for (size_t k = 0; k < job[i].order.n; k++) {
			const struct challenge *one = &job[i].order.challenge[k];

			if (one->type == CHALLENGE_PERSIST || (one->type == CHALLENGE_DNS && can)) {
				p[at] = (struct dns_place){.owner = one->owner};
				c[at++] = one;
			}
		}
	if (at > 0 && !dns_place(&s->site, p, at))
		failed(s, EX_TEMP);
	for (size_t i = 0; i < at; i++) {
		if (p[i].target == NULL || p[i].zone == NULL)
			continue;
		if (place_ok(&p[i])) {
			char *line = txt_line(p[i].target, c[i]->txt);

			record_owner(&s->lines, c[i]->owner, p[i].target);
			if (c[i]->type == CHALLENGE_DNS)
				words_add(&all, xasprintf("%s\t%s", p[i].zone, line));
			else
				words_add(persist, xstrdup(line));
			free(line);
		} else {
			failed(s, EX_PERM);
		}
		free(p[i].target);
		free(p[i].zone);
	}
	words_sort(&all);
	publish_zones(s, &all, expect);
	words_free(&all);
	free(p);
	free(c);
}

/* ---- web -------------------------------------------------------------------------- */

static size_t
web_files(const struct job *job, size_t njob, struct web_file **files)
{
	struct web_file *f = NULL;
	size_t n = 0;

	for (size_t i = 0; i < njob; i++)
		for (size_t k = 0; k < job[i].order.n; k++) {
			const struct challenge *c = &job[i].order.challenge[k];

			if (c->type != CHALLENGE_HTTP)
				continue;
			f = xreallocarray(f, n + 1, sizeof(*f));
			f[n++] = (struct web_file){job[i].id->group, c->token, c->content};
		}
	*files = f;
	return n;
}

/* Place the files on a host and note which are there. */
static void
publish_host(struct session *s, const char *host, const char *root, const struct web_file *f,
    size_t n)
{
	bool here = strcmp(host, HERE) == 0, ok;
	int status = here ? EX_YES : host_web(host, root, f, n);
	size_t placed = 0;
	char *line;

	if (status != EX_YES)
		failed(s, status);
	for (size_t i = 0; i < n; i++) {
		ok = status == EX_YES;
		if (here && web_place(root, f[i].group, f[i].token, f[i].content) == -1) {
			failed(s, EX_PERM);
			ok = false;
		}
		placed += ok;
		line = xasprintf("placed %s %s %s", host, f[i].group, f[i].token);
		if (ok) {
			words_add(&s->lines, line);
		} else {
			words_drop(&s->lines, line);
			free(line);
		}
	}
	if (placed > 0 && !s->quiet)
		printf("%s: %zu file%s\n", here ? "localhost" : host, placed, placed == 1 ? "" : "s");
}

/* Where the web roots are; NULL after a complaint. */
static char *
root_of(const struct site *site, const char *host)
{
	char *root = web_root(site, host);

	if (root != NULL && strcmp(host, HERE) == 0 && access(root, X_OK) == -1) {
		complain("%s: [web] server_dir '%s':", SITE_CONF, root);
		free(root);
		return NULL;
	}
	return root;
}

static void
publish_web(struct session *s, const struct web_file *f, size_t n)
{
	struct words hosts = {NULL, 0};
	bool go = web_hosts(&s->site, &hosts);
	char **root = xreallocarray(NULL, hosts.n, sizeof(*root));

	for (size_t h = 0; h < hosts.n; h++) {
		root[h] = go ? root_of(&s->site, hosts.w[h]) : NULL;
		go = root[h] != NULL;
	}
	if (!go)
		failed(s, EX_USE);
	for (size_t h = 0; go && h < hosts.n; h++)
		for (size_t i = 0; i < n; i++)
			words_add(&s->lines, xasprintf("web %s %s %s", hosts.w[h], f[i].group,
			    f[i].token));
	if (go && record(s)) {
		for (size_t h = 0; h < hosts.n; h++)
			publish_host(s, hosts.w[h], root[h], f, n);
		record(s);
	}
	for (size_t h = 0; h < hosts.n; h++)
		free(root[h]);
	free(root);
	words_free(&hosts);
}

/* ---- all of it ----------------------------------------------------------------------- */

static void
write_lines(struct session *s, const char *path, struct words *lines)
{
	size_t len;
	char *text;

	if (path == NULL)
		return;
	words_sort(lines);
	text = words_join(lines, "\n", &len);
	if (out_file(path, 0644, text, len) == -1)
		failed(s, EX_TEMP);
	free(text);
}

void
publish(struct session *s, const char *expect, const char *persist)
{
	struct words lines = {NULL, 0}, there = {NULL, 0};
	struct job *job = NULL, one;
	struct web_file *f;
	size_t njob = 0, n;
	bool any;

	for (size_t i = 0; i < s->site.n; i++)
		if (job_load(s, &one, &s->site.id[i]) == 1) {
			job = xreallocarray(job, njob + 1, sizeof(*job));
			job[njob++] = one;
		}
	if (count_dns(job, njob, &any) > 0)
		publish_dns(s, job, njob, &lines, &there);
	n = web_files(job, njob, &f);
	if (n > 0)
		publish_web(s, f, n);
	write_lines(s, expect, &lines);
	write_lines(s, persist, &there);
	for (size_t i = 0; i < njob; i++)
		order_free(&job[i].order);
	free(job);
	free(f);
	words_free(&lines);
	words_free(&there);
}
