/* sslm-deploy: bring what is in production to other machines, and have the servers
 * that depend on it reload. */
#include "deploy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-deploy [-cfnq] [-C dir] [-o cert | tlsa] [-w seconds] [service ...]\n"
    "       sslm-deploy -h | -V\n";

enum { SECONDS = 600, SECONDS_MAX = 86400 };

void
deploy_failed(struct deploy *d, int status)
{
	if (d->ret == EX_YES || d->ret == EX_TEMP)
		d->ret = status;
}

bool
deploy_save(struct deploy *d)
{
	if (deployed_save(&d->state) != -1)
		return true;
	deploy_failed(d, EX_TEMP);
	return false;
}

bool
deploy_uses(const struct deploy *d, size_t s, const char *host, size_t i)
{
	return words_has(&d->where[s], host) &&
	    section_uses(&d->site.server[s], d->service[i].id);
}

bool
deploy_missed(const struct deploy *d, const char *host)
{
	for (size_t i = 0; i < d->failed.n; i++)
		if (strcmp(d->failed.w[i], host) == 0)
			return true;
	return false;
}

void
deploy_say(const struct deploy *d, const char *host, const char *fmt, ...)
{
	va_list ap;

	if (d->quiet)
		return;
	printf("%s\t", strcmp(host, HERE) == 0 ? "localhost" : host);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Hosts that are told of new sets, and fetch them themselves or have no need to. */
static bool
find_posts(struct deploy *d)
{
	const struct toml *pair = d->site.post_copy_cmd;
	bool ok = true;

	for (pair = pair == NULL ? NULL : pair->first; pair != NULL; pair = pair->next) {
		const char *host = pair->first->str;

		if (words_has(&d->copies, host))
			continue;
		if (host_safe(host)) {
			words_add(&d->posts, xstrdup(host));
		} else {
			complain("%s:%u: post_copy_cmd: not a host", SITE_CONF, pair->line);
			ok = false;
		}
	}
	words_sort(&d->posts);
	return ok;
}

/* Who is where; die(EX_USE) if something cannot be meant. */
static void
find_hosts(struct deploy *d)
{
	bool ok = true;

	d->where = xreallocarray(NULL, d->site.nserver, sizeof(*d->where));
	for (size_t s = 0; s < d->site.nserver; s++) {
		const struct server *section = &d->site.server[s];

		d->where[s] = (struct words){NULL, 0};
		if (strcmp(section->section, "dns") == 0)
			continue;
		ok = section_hosts(section, &d->where[s]) && ok;
		for (size_t h = 0; h < d->where[s].n; h++) {
			words_add(&d->all, xstrdup(d->where[s].w[h]));
			if (!section->skip_prod_copy && strcmp(d->where[s].w[h], HERE) != 0)
				words_add(&d->copies, xstrdup(d->where[s].w[h]));
		}
	}
	words_sort(&d->all);
	words_sort(&d->copies);
	ok = find_posts(d) && ok;
	if (ok && d->copies.n > 0 && d->prod[0] != '/') {
		complain("%s: prod_cert_dir '%s' is not absolute, and '%s' another machine",
		    SITE_CONF, d->prod, d->copies.w[0]);
		ok = false;
	}
	if (!ok)
		finish(EX_USE);
}

/* ---- lines of what is not configured any more --------------------------------- */

/* Is a section of that name, if one is named, there, and does it use the service, if
 * one is named? */
static bool
configured(const struct deploy *d, const char *host, const char *section, char *service)
{
	char *slash = service != NULL ? strchr(service, '/') : NULL;
	struct service_id id = {service, slash != NULL ? slash + 1 : NULL};
	bool yes = false;

	if (slash != NULL)
		*slash = '\0';
	for (size_t s = 0; s < d->site.nserver && !yes; s++)
		yes = (section == NULL || strcmp(d->site.server[s].section, section) == 0) &&
		    words_has(&d->where[s], host) &&
		    (slash == NULL || section_uses(&d->site.server[s], &id));
	if (slash != NULL)
		*slash = '/';
	return yes;
}

static bool
line_counts(const struct deploy *d, const struct words *services, const char *line)
{
	char *copy = xstrdup(line), *rest = copy, *kind = strsep(&rest, " ");
	const char *host = strsep(&rest, " "), *section = NULL;
	char *service = NULL;
	bool copied, yes, told;

	if (strcmp(kind, "use") == 0 || strcmp(kind, "tlsa") == 0)
		section = strsep(&rest, " ");
	if (strcmp(kind, "use") == 0 || strcmp(kind, "copy") == 0 || strcmp(kind, "seen") == 0)
		service = strsep(&rest, " ");
	copied = section == NULL && strcmp(kind, "seen") != 0;
	told = words_has(&d->posts, host) &&
	    (strcmp(kind, "copy") == 0 || strcmp(kind, "post") == 0);
	yes = (told || ((!copied || words_has(&d->copies, host)) &&
	    configured(d, host, section, service))) && (service == NULL || services->n == 0 || words_has(services, service));
	free(copy);
	return yes;
}

/* True if there were some. */
static bool
forget(struct deploy *d)
{
	struct words kept = {NULL, 0}, services = {NULL, 0};
	bool some = false;

	for (size_t i = 0; i < d->site.n && d->service != NULL && !d->named; i++)
		words_add(&services, xstrdup(d->service[i].name));
	words_sort(&services);
	for (size_t i = 0; i < d->state.n; i++)
		if (line_counts(d, &services, d->state.w[i])) {
			words_add(&kept, xstrdup(d->state.w[i]));
		} else {
			left_say(d, d->state.w[i]);
			some = true;
		}
	words_free(&services);
	words_free(&d->state);
	d->state = kept;
	return some;
}

/* ---- a part of it --------------------------------------------------------------- */

static enum part
part(const char *word)
{
	if (strcmp(word, "cert") == 0)
		return PART_CERT;
	if (strcmp(word, "tlsa") == 0)
		return PART_TLSA;
	die(EX_USE, "-o '%s': neither cert nor tlsa", word);
}

/* The active services of the groups that named ones are of are meant, too: a group has
 * one file of TLSA records. */
static void
all_of_groups(struct site *site)
{
	struct words groups = {NULL, 0};
	size_t kept = 0;

	for (size_t i = 0; i < site->n; i++)
		words_add(&groups, xstrdup(site->id[i].group));
	words_sort(&groups);
	site_add_groups(site, toml_get(site->root, "groups"));
	site_drop_twins(site);
	for (size_t i = 0; i < site->n; i++)
		if (words_has(&groups, site->id[i].group)) {
			site->id[kept++] = site->id[i];
		} else {
			free(site->id[i].group);
			free(site->id[i].service);
		}
	site->n = kept;
	words_free(&groups);
}

/* What was not done for certificates is not tried again by the same run. */
static void
leave_those_behind(struct deploy *d)
{
	for (size_t h = 0; h < d->copies.n; h++)
		if (copy_behind(d, d->copies.w[h]))
			words_add(&d->failed, xstrdup(d->copies.w[h]));
}

/* ---- all of it --------------------------------------------------------------------- */

static void
show(struct deploy *d)
{
	d->quiet = false;
	for (size_t h = 0; h < d->copies.n; h++)
		if (!deploy_missed(d, d->copies.w[h]))
			copy_wanted(d, d->copies.w[h], true);
	for (size_t h = 0; h < d->copies.n; h++)
		if (post_wanted(d, d->copies.w[h]))
			deploy_say(d, d->copies.w[h], "would have its post_copy_cmd");
	for (size_t h = 0; h < d->posts.n; h++)
		if (post_news(d, d->posts.w[h], false) || post_wanted(d, d->posts.w[h]))
			deploy_say(d, d->posts.w[h], "would have its post_copy_cmd");
	restart_all(d);
}

static void
compare(struct deploy *d)
{
	d->force = false;
	for (size_t h = 0; h < d->copies.n; h++)
		check_host(d, d->copies.w[h]);
}

/* What is new for those that get no copies. */
static void
tell_posts(struct deploy *d)
{
	bool news = false;

	for (size_t h = 0; h < d->posts.n; h++)
		if (post_news(d, d->posts.w[h], true)) {
			deployed_add(&d->state, "post", d->posts.w[h]);
			news = true;
		}
	if (news && !deploy_save(d))
		return;
	for (size_t h = 0; h < d->posts.n; h++)
		if (post_wanted(d, d->posts.w[h]))
			post_host(d, d->posts.w[h]);
}

static void
deploy(struct deploy *d)
{
	size_t lines;
	bool some = forget(d) || d->damaged;
	struct words copied = {NULL, 0};

	lines = d->state.n;
	restart_seen(d);
	/* What servers can see from now on is written down first. */
	if ((some || d->state.n != lines) && !deploy_save(d))
		return;
	for (size_t h = 0; h < d->copies.n; h++)
		if (!deploy_missed(d, d->copies.w[h]) && copy_wanted(d, d->copies.w[h], false)) {
			copy_host(d, d->copies.w[h]);
			words_add(&copied, xstrdup(d->copies.w[h]));
		}
	/* A command that failed for the certificates is not run again in this run. */
	for (size_t h = 0; h < d->copies.n; h++)
		if (post_wanted(d, d->copies.w[h]) &&
		    (d->part != PART_TLSA || words_has(&copied, d->copies.w[h])))
			post_host(d, d->copies.w[h]);
	words_free(&copied);
	if (d->part != PART_TLSA)
		tell_posts(d);
	restart_all(d);
}

static void
free_all(struct deploy *d)
{
	prod_free(d);
	for (size_t s = 0; d->where != NULL && s < d->site.nserver; s++)
		words_free(&d->where[s]);
	free(d->where);
	words_free(&d->all);
	words_free(&d->copies);
	words_free(&d->posts);
	words_free(&d->state);
	words_free(&d->failed);
	site_free(&d->site);
}

int
main(int argc, char *argv[])
{
	struct deploy d = {.seconds = SECONDS};
	const char *dir = NULL;
	int c, loaded;

	start();
	while ((c = getopt(argc, argv, "C:cfhno:qVw:")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'c': d.check = true; break;
		case 'f': d.force = true; break;
		case 'n': d.dry = true; break;
		case 'o': d.part = part(optarg); break;
		case 'q': d.quiet = true; break;
		case 'w': d.seconds = (int)num(optarg, 1, SECONDS_MAX, "-w"); break;
		default: opt_other(c, usage);
		}
	site_load(&d.site, dir, argv + optind);
	if (d.part == PART_TLSA && argv[optind] != NULL)
		all_of_groups(&d.site);
	d.named = argv[optind] != NULL || d.site.bad;
	d.prod = d.site.prod_cert_dir;
	/* What is tried is for no server. */
	if (!d.site.test) {
		find_hosts(&d);
		if ((loaded = deployed_load(&d.state)) == -1)
			finish(EX_PERM);
		if ((d.damaged = loaded == 1))
			deploy_failed(&d, EX_PERM);
		/* Without servers, lines of an earlier configuration may have to go. */
		if (d.all.n > 0 || d.posts.n > 0)
			prod_read(&d);
		if (d.part == PART_TLSA)
			leave_those_behind(&d);
		if (d.check)
			compare(&d);
		else if (d.dry)
			show(&d);
		else
			deploy(&d);
	}
	c = d.site.bad && d.ret == EX_YES ? EX_USE : d.ret;
	free_all(&d);
	out_done();
	if (c != EX_YES)
		finish(c);
	return EX_YES;
}
