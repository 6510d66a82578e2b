/* sslm-conf: check the configuration, print it, and write what make needs. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-conf [-C dir] [service ...]\n"
    "       sslm-conf -g [-C dir] [-i file] [-m mkdir] [-o file] [service ...]\n"
    "       sslm-conf -l [-C dir] [service ...]\n"
    "       sslm-conf -p key [-C dir]\n"
    "       sslm-conf -j file\n"
    "       sslm-conf -h | -V\n";

static bool
write_list(FILE *f, char **text, size_t *len, const char *path)
{
	bool ok;

	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ok = out_file(path, 0644, *text, *len) != -1;
	free(*text);
	return ok;
}

/* certs/services, a service a line, and certs/servers, "section<TAB>host". */
static bool
write_lists(const struct site *site)
{
	const struct toml *at;
	const char *host;
	char *text;
	size_t len;
	FILE *f;
	bool ok;

	if ((f = open_memstream(&text, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < site->n; i++)
		fprintf(f, "%s/%s\n", site->id[i].group, site->id[i].service);
	ok = write_list(f, &text, &len, "certs/services");
	if ((f = open_memstream(&text, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < site->nserver; i++)
		for (at = NULL; (host = conf_next(site->server[i].servers, &at)) != NULL;)
			fprintf(f, "%s\t%s\n", site->server[i].section, host);
	return write_list(f, &text, &len, "certs/servers") && ok;
}

/* certs/.mk leads to the rules, wherever the programs are installed. */
static bool
link_rules(const char *mkdir_path)
{
	char old[4096], *target = xasprintf("%s%s", mkdir_path[0] == '/' ? "" : "../", mkdir_path);
	bool ok = true;

	if (link_target("certs/.mk", old, sizeof(old)) == NULL || strcmp(old, target) != 0)
		ok = out_link(target, "certs/.mk") == 0;
	free(target);
	return ok;
}

/* The list of what can be made now. */
static bool
list_written(const char *file, const struct site *site, const bool *written)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < site->n; i++)
		if (written[i])
			fprintf(f, "%s/%s\n", site->id[i].group, site->id[i].service);
	return write_list(f, &text, &len, file);
}

static void
print_strings(const struct toml *strings)
{
	const struct toml *at = NULL;
	const char *s;

	while ((s = conf_next(strings, &at)) != NULL)
		puts(s);
}

static void
print_key(const struct site *site, const char *key)
{
	static const char *const names[] = {"clean_keep", "dns_check_delay", "dns_xtra_ns",
	    "logdir", "min_roll_mins", "prod_cert_dir", "prod_group", "sslm_auth_hook"};

	if (strcmp(key, "clean_keep") == 0)
		printf("%ld\n", site->clean_keep);
	else if (strcmp(key, "dns_check_delay") == 0)
		printf("%ld\n", site->dns_check_delay);
	else if (strcmp(key, "dns_xtra_ns") == 0)
		print_strings(site->dns_xtra_ns);
	else if (strcmp(key, "logdir") == 0)
		puts(site->logdir);
	else if (strcmp(key, "min_roll_mins") == 0)
		printf("%ld\n", site->min_roll_mins);
	else if (strcmp(key, "prod_cert_dir") == 0)
		puts(site->prod_cert_dir);
	else if (strcmp(key, "prod_group") == 0)
		puts(site->prod_group != NULL ? site->prod_group : "");
	else if (strcmp(key, "sslm_auth_hook") == 0)
		puts(site->sslm_auth_hook);
	else
		die(EX_USE, "-p: no value '%s'%s", key, conf_hint(key, names,
		    sizeof(names) / sizeof(names[0])));
}

/* What sslm-deploy would stumble over at the end of a run. */
static bool
check_hosts(const struct site *site)
{
	const struct toml *pair = site->post_copy_cmd;
	bool ok = true;

	for (size_t i = 0; i < site->nserver; i++) {
		const struct server *s = &site->server[i];
		struct words hosts = {NULL, 0};

		if (strcmp(s->section, "dns") == 0)
			continue;
		ok = section_hosts(s, &hosts) && ok;
		for (size_t h = 0; h < hosts.n && !s->skip_prod_copy; h++)
			if (strcmp(hosts.w[h], HERE) != 0 && site->prod_cert_dir[0] != '/') {
				complain("%s: prod_cert_dir '%s' is not absolute, and '%s' another "
				    "machine", SITE_CONF, site->prod_cert_dir, hosts.w[h]);
				ok = false;
				break;
			}
		words_free(&hosts);
	}
	for (pair = pair == NULL ? NULL : pair->first; pair != NULL; pair = pair->next)
		if (!host_safe(pair->first->str)) {
			complain("%s:%u: post_copy_cmd: not a host", SITE_CONF, pair->line);
			ok = false;
		}
	return ok;
}

static bool
check_all(const struct site *site)
{
	bool ok = check_hosts(site);
	struct service s;
	int status;
	gid_t gid;

	if (site->prod_group != NULL)
		ok = group_find(site->prod_group, &gid, &status) && ok;

	for (size_t i = 0; i < site->n; i++)
		if (service_load(&s, site, &site->id[i]))
			service_free(&s);
		else
			ok = false;
	return ok;
}

/* A server whose svc_depends is mistyped would never hear of its certificate. */
static void
check_depends(const struct site *site, const struct server *server)
{
	const struct toml *pair = server->svc_depends, *at;
	const char *service, *group;
	size_t i;

	for (pair = pair == NULL ? NULL : pair->first; pair != NULL; pair = pair->next) {
		group = pair->first->str;
		for (at = NULL; (service = conf_next(pair->first->next, &at)) != NULL;) {
			for (i = 0; i < site->n; i++)
				if ((means_all(group) || strcmp(group, site->id[i].group) == 0) &&
				    (means_all(service) || strcmp(service, site->id[i].service) == 0))
					break;
			if (i == site->n)
				complain("%s:%u: [%s] svc_depends names '%s:%s', which is no service "
				    "of an active group", SITE_CONF, at->line, server->section,
				    group, service);
		}
	}
}

static int
generate(struct site *site, const char *in, const char *out, const char *rules, bool all)
{
	int one, ret = EX_YES;
	struct service s;
	bool *written;

	if (make_dir("certs", 0755) == -1)
		finish(EX_TEMP);
	out_defer();
	if (all && !write_lists(site))
		ret = EX_TEMP;
	if (all && in == NULL && out == NULL && !check_hosts(site))
		ret = EX_USE;
	if (in != NULL)
		site_only(site, in);
	written = xreallocarray(NULL, site->n, sizeof(*written));
	for (size_t i = 0; i < site->n; i++) {
		out_defer();
		one = EX_USE;
		if (service_load(&s, site, &site->id[i])) {
			one = makefile_write(site, &s);
			service_free(&s);
		}
		written[i] = one == EX_YES;
		if (ret == EX_YES || one == EX_USE)
			ret = one == EX_YES ? ret : one;
	}
	out_defer();
	if (out != NULL && !list_written(out, site, written) && ret == EX_YES)
		ret = EX_TEMP;
	/* Reached through the link itself, there is nothing to set right. */
	if (rules != NULL && strcmp(rules, "certs/.mk") != 0 && !link_rules(rules))
		ret = ret == EX_YES ? EX_TEMP : ret;
	if (out_commit("certs") == -1)
		ret = ret == EX_YES ? EX_TEMP : ret;
	free(written);
	return ret;
}

int
main(int argc, char *argv[])
{
	const char *dir = NULL, *in = NULL, *json = NULL, *key = NULL, *out = NULL, *rules = NULL;
	bool write = false, list = false;
	struct toml *root;
	struct site site;
	int c, ret = EX_YES;

	start();
	while ((c = getopt(argc, argv, "C:ghi:j:lm:o:p:V")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'g': write = true; break;
		case 'i': in = optarg; break;
		case 'j': json = optarg; break;
		case 'l': list = true; break;
		case 'm': rules = optarg; break;
		case 'o': out = optarg; break;
		case 'p': key = optarg; break;
		default: opt_other(c, usage);
		}
	if (write + list + (json != NULL) + (key != NULL) > 1 ||
	    ((json != NULL || key != NULL) && argv[optind] != NULL) ||
	    (json != NULL && dir != NULL) ||
	    (!write && (in != NULL || out != NULL || rules != NULL)))
		opt_other('?', usage);
	if (json != NULL) {
		if ((root = toml_load(json)) == NULL)
			finish(EX_USE);
		toml_print_json(root);
		toml_free(root);
		out_done();
		return EX_YES;
	}

	site_load(&site, dir, argv + optind);
	if (key == NULL && !list && in == NULL && argv[optind] == NULL) {
		if (site.n == 0)
			complain("warning: 'conf.d/ssl-mgr.conf' has no services in active groups");
		for (size_t i = 0; i < site.nserver && site.n > 0; i++)
			check_depends(&site, &site.server[i]);
	}
	if (key != NULL)
		print_key(&site, key);
	else if (list)
		for (size_t i = 0; i < site.n; i++)
			printf("%s/%s\n", site.id[i].group, site.id[i].service);
	else if (write)
		ret = generate(&site, in, out, rules, argv[optind] == NULL);
	else if (!check_all(&site))
		ret = EX_USE;
	if (site.bad)
		ret = EX_USE;
	site_free(&site);
	out_done();
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
