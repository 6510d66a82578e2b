/* makefile.c: what make is told of a service.
 *
 * Only words that have been checked get into a Makefile: names that name_safe()
 * let pass, numbers, and our own words for curves, digests and usages.  What
 * an administrator may write freely (subjects, names) goes to the request
 * file, which neither make nor a shell ever reads. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAYS_DEFAULT = 90, DAYS_ROOT = 3650, DEPTH_MAX = 8 };

static FILE *
memory(char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	return f;
}

/* Write what the memory stream holds; false after a complaint. */
static bool
write_out(FILE *f, char **text, size_t *len, const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool ok;

	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	ok = out_file(path, 0644, *text, *len) != -1;
	free(path);
	free(*text);
	return ok;
}

/* How many CAs can stand between a CA and the certificates under it: what the
 * group ca says now.  Negative after a complaint about a circle. */
static long
ca_depth(const struct site *site, const char *name, int level)
{
	struct site cas = *site;
	long depth = 0, below;

	if (level > DEPTH_MAX) {
		complain("group ca: '%s' is signed by a CA that it signs", name);
		return -1;
	}
	cas.id = NULL;
	cas.n = 0;
	if (!site_add_group(&cas, "ca"))
		return -1;
	for (size_t i = 0; i < cas.n; i++) {
		struct service s;

		if (depth != -1 && service_load(&s, site, &cas.id[i])) {
			if (s.ca->kind == CA_LOCAL && strcmp(s.ca->name, name) == 0) {
				below = ca_depth(site, s.id->service, level + 1);
				depth = below < 0 ? -1 : below + 1 > depth ? below + 1 : depth;
			}
			service_free(&s);
		}
		free(cas.id[i].group);
		free(cas.id[i].service);
	}
	free(cas.id);
	return depth;
}

/* What the [CA] table of a service says of what it signs. */
struct rule {
	char *ca;
	bool ok;		/* could be read; if so: */
	long days;
	const char *digest;
};

/* That of a CA of the site.  The last one is kept: mostly one CA signs all, and
 * its faults need not be told for each. */
static const struct rule *
rule_of(const struct site *site, const char *ca)
{
	static struct rule last;
	char group[] = "ca";
	struct service signer;

	if (last.ca != NULL && strcmp(last.ca, ca) == 0)
		return &last;
	free(last.ca);
	last = (struct rule){.ca = xstrdup(ca)};
	last.ok = service_load(&signer, site, &(struct service_id){group, last.ca});
	if (last.ok) {
		last.days = signer.sign_end_days;
		last.digest = signer.digest;	/* a word of service.c's own */
		service_free(&signer);
	}
	return &last;
}

static bool
put_validity(FILE *f, const struct site *site, const struct service *s)
{
	const char *digest = s->digest;
	long days = s->sign_end_days;
	const struct rule *r;

	if (s->ca->kind == CA_LOCAL) {
		r = rule_of(site, s->ca->name);
		if (!r->ok) {
			complain("%s: signed by 'ca:%s', which cannot be used", s->path,
			    s->ca->name);
			return false;
		}
		digest = r->digest;
		days = r->days;
	}
	if (days < 1)
		days = s->ca->kind == CA_SELF ? DAYS_ROOT : DAYS_DEFAULT;
	fprintf(f, " -d %s -e %ld", digest, days);
	return true;
}

static void
put_usage(FILE *f, const struct toml *usage)
{
	const struct toml *at = NULL;
	const char *word, *sep = " -u ";

	for (; (word = conf_next(usage, &at)) != NULL; sep = ",")
		fprintf(f, "%s%s", sep, word);
}

/* The flags of sslm-sign; false after a complaint. */
static bool
put_sign_flags(FILE *f, const struct site *site, const struct service *s)
{
	const char *group = s->id->group, *service = s->id->service;
	long depth;

	if (s->ca->kind == CA_SELF)
		fprintf(f, "-t %s -k certs/%s/%s/next/privkey.pem", s->is_ca ? "root" : "leaf",
		    group, service);
	else
		fprintf(f, "-t %s -s certs/ca/%s", s->is_ca ? "ca" : "leaf", s->ca->name);
	if (!put_validity(f, site, s))
		return false;
	if (s->is_ca) {
		if ((depth = ca_depth(site, service, 0)) == -1)
			return false;
		fprintf(f, " -l %ld", s->ca->kind == CA_SELF && depth < 1 ? 1 : depth);
	} else {
		put_usage(f, s->ext_key_usage);
	}
	return true;
}

/* How csr.pem becomes cert.pem: signed by a key of ours, or ordered from a CA; false
 * after a complaint. */
static bool
put_issue(FILE *f, const struct site *site, const struct service *s)
{
	bool ok;

	if (s->ca->kind == CA_ACME) {
		fprintf(f, "order/$S $D/next/cert.pem: private FLAGS := -c %s\n"
		    "order/$S: $D/next/csr.pem | account/%s ; $(order)\n"
		    "$D/next/cert.pem: $D/next/csr.pem ; $(finish)\n", s->ca->name, s->ca->name);
		return true;
	}
	fprintf(f, "order/$S: $D/next/csr.pem\n"
	    "$D/next/cert.pem: private FLAGS := ");
	ok = put_sign_flags(f, site, s);
	fprintf(f, "\n$D/next/cert.pem: $D/next/csr.pem");
	if (s->ca->kind == CA_LOCAL)
		fprintf(f, " | $(call signer,ca/%s)", s->ca->name);
	fprintf(f, " ; $(sign)\n");
	return ok;
}

static int
write_makefile(const struct site *site, const struct service *s, const char *dir)
{
	const char *group = s->id->group, *service = s->id->service;
	const char *ca = s->ca->kind == CA_LOCAL ? s->ca->name : NULL;
	char *text;
	size_t len;
	FILE *f = memory(&text, &len);
	bool ok = true;

	fprintf(f, "# Generated by sslm-conf from conf.d/%s/%s; edits will be lost.\n"
	    "#\n"
	    "# Which file comes from which.  The commands are in mk/service.mk.  Here, by\n"
	    "# hand: `make next', `make roll', `make status', FORCE=1 REUSE=1 as for all.\n"
	    "S := %s/%s\n"
	    "ifndef SSLM_SITE\n"
	    "include ../../.mk/alone.mk\n"
	    "else\n"
	    "D := certs/$S\n\n",
	    group, service, group, service);
	fprintf(f, ".PHONY: key/$S csr/$S order/$S issue/$S%s%s\n"
	    "key/$S: $D/next/privkey.pem\n"
	    "csr/$S: $D/next/csr.pem\n"
	    "issue/$S: $D/next/bundle.pem\n\n",
	    ca != NULL ? " issue/ca/" : "", ca != NULL ? ca : "");
	fprintf(f, "$D/next/privkey.pem: private FLAGS := -t %s", s->ktype);
	if (strcmp(s->ktype, "rsa") == 0)
		fprintf(f, " -b %ld", s->rsa_bits);
	else if (strcmp(s->ktype, "ec") == 0)
		fprintf(f, " -c %s", s->ec_algo);
	fprintf(f, "\n$D/next/privkey.pem: ; $(genkey)\n"
	    "$D/next/csr.pem: $D/request | $D/next/privkey.pem ; $(csr)\n");
	ok = put_issue(f, site, s);
	fprintf(f, "$D/next/bundle.pem: $D/next/cert.pem ; $(bundle)\n"
	    "\n"
	    "undefine D\n"
	    "endif\n"
	    "undefine S\n");
	if (!ok) {
		fclose(f);
		free(text);
		return EX_USE;
	}
	return write_out(f, &text, &len, dir, "Makefile") ? EX_YES : EX_TEMP;
}

static bool
write_request(const struct service *s, const char *dir)
{
	const struct {
		const char *attribute, *value;
	} subject[] = {{"CN", s->cn}, {"C", s->c}, {"ST", s->st}, {"L", s->l}, {"O", s->o},
	    {"OU", s->ou}, {"emailAddress", s->email}};
	char *text;
	size_t len;
	FILE *f = memory(&text, &len);

	fprintf(f, "# Generated by sslm-conf from conf.d/%s/%s; edits will be lost.\n",
	    s->id->group, s->id->service);
	for (size_t i = 0; i < sizeof(subject) / sizeof(subject[0]); i++)
		if (subject[i].value != NULL && subject[i].value[0] != '\0')
			fprintf(f, "subject %s=%s\n", subject[i].attribute, subject[i].value);
	for (size_t i = 0; i < s->nnames; i++)
		fprintf(f, "name %s\n", s->names[i]);
	if (s->is_ca)
		fprintf(f, "ca\n");
	if (s->must_staple)
		fprintf(f, "must-staple\n");
	return write_out(f, &text, &len, dir, "request");
}

/* Is there a key for [dns] update?  False after a complaint. */
static bool
update_key_ok(const struct site *site, const struct service *s, const char *update)
{
	char *server, *keyfile, *path;
	bool ok;

	if (update == NULL || !update_parts(update, &server, &keyfile))
		return true;
	path = site_path(site, keyfile);
	ok = access(path, R_OK) == 0;
	if (!ok)
		complain("%s: [dns] update: cannot read the key file '%s':", s->path, path);
	free(path);
	free(keyfile);
	free(server);
	return ok;
}

/* Can an ACME CA be asked for this, and what it wants be published?  Better to know
 * before it is asked.  False after a complaint. */
static bool
acme_ok(const struct site *site, const struct service *s)
{
	const struct server *dns = site_server(site, "dns"), *web = site_server(site, "web");
	bool by_dns = false, by_web = false;
	unsigned char addr[16];
	const char *key;

	if (s->is_ca) {
		complain("%s: a CA is not signed by an ACME CA ('%s')", s->path, s->ca->name);
		return false;
	}
	if (ca_directory(site, s->ca, &key) == NULL) {
		complain("%s: CA '%s' has no %s in conf.d/ca-info.conf", s->path, s->ca->name, key);
		return false;
	}
	for (size_t i = 0; i < s->nnames; i++)
		if (name_ip(s->names[i], addr) != 0 ||
		    (strcmp(s->ca->validation, "http-01") == 0 && s->names[i][0] != '*'))
			by_web = true;
		else if (strcmp(s->ca->validation, "dns-persist-01") != 0)
			by_dns = true;
	if (by_dns && (dns == NULL || (dns->acme_dir == NULL && dns->update == NULL))) {
		complain("%s: dns-01 challenges need [dns] with 'acme_dir' or 'update' in %s",
		    s->path, SITE_CONF);
		return false;
	}
	if (by_dns && !update_key_ok(site, s, dns->update))
		return false;
	if (by_web && (web == NULL || web->server_dir == NULL)) {
		complain("%s: http-01 challenges need [web] with 'server_dir' in %s", s->path,
		    SITE_CONF);
		return false;
	}
	return true;
}

int
makefile_write(const struct site *site, const struct service *s)
{
	char *group = xasprintf("certs/%s", s->id->group), *dir = service_dir(s->id);
	int ret = EX_TEMP;

	if (s->ca->kind == CA_ACME && !acme_ok(site, s)) {
		ret = EX_USE;
	} else if (make_dir("certs", 0755) == 0 && make_dir(group, 0750) == 0 &&
	    make_dir(dir, 0755) == 0 && write_request(s, dir)) {
		ret = write_makefile(site, s, dir);
	}
	free(group);
	free(dir);
	return ret;
}
