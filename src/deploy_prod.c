/* deploy_prod.c: what is in production. */
#include "cert.h"
#include "deploy.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The generation that a production link leads to; NULL, and bad if it is damaged. */
static char *
generation(struct deploy *d, struct prod *p, const char *link)
{
	char *path = xasprintf("%s/%s/%s", d->prod, p->name, link), target[300], *gen = NULL;
	const char *to = link_target(path, target, sizeof(target));
	struct stat st;

	if (to == NULL) {
		p->bad = errno != ENOENT && errno != ENOTDIR;
		if (p->bad)
			complain("cannot read the link '%s':", path);
	} else if (strncmp(to, "db/", 3) != 0 || !deployed_gen(to + 3)) {
		complain("'%s' leads to '%s', which is no generation", path, to);
		p->bad = true;
	} else if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode)) {
		complain("'%s' leads to '%s', which is not there", path, to);
		p->bad = true;
	} else {
		gen = xstrdup(to + 3);
	}
	if (p->bad)
		deploy_failed(d, EX_TEMP);
	free(path);
	return gen;
}

/* ---- beside the services ---------------------------------------------------- */

static void
add(EVP_MD_CTX *md, const void *p, size_t len)
{
	if (!EVP_DigestUpdate(md, p, len))
		die(EX_TEMP, "cannot compute a hash");
}

/* In hex; the context is freed. */
static char *
hex(EVP_MD_CTX *md)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len;
	char *text;

	if (!EVP_DigestFinal_ex(md, sum, &len))
		die(EX_TEMP, "cannot compute a hash");
	EVP_MD_CTX_free(md);
	text = xmalloc(2 * (size_t)len + 1);
	for (unsigned i = 0; i < len; i++) {
		text[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	text[2 * (size_t)len] = '\0';
	return text;
}

static EVP_MD_CTX *
sha256(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		die(EX_TEMP, "cannot compute a hash");
	return md;
}

/* Not of comments, nor of how it is laid out: what a name server reads. */
static char *
records(char *text)
{
	EVP_MD_CTX *md = sha256();
	char *rest = text, *line;
	size_t n;

	while ((line = strsep(&rest, "\n")) != NULL) {
		line += strspn(line, " \t\r");
		for (n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]) != NULL; n--)
			;
		if (n > 0 && *line != ';') {
			add(md, line, n);
			add(md, "\n", 1);
		}
	}
	return hex(md);
}

static int
plain(const struct dirent *e)
{
	size_t n = strspn(e->d_name,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return e->d_name[0] != '.' && e->d_name[n] == '\0';
}

/* The files and links of a group's dh: for each one its name, and what it holds or leads
 * to. */
static void
add_dh(EVP_MD_CTX *md, const char *dir)
{
	struct dirent **e;
	int n = scandir(dir, &e, plain, alphasort);
	char target[300], *path, *buf;
	const char *to;
	size_t len;

	for (int i = 0; i < n; i++) {
		path = xasprintf("%s/%s", dir, e[i]->d_name);
		if ((to = link_target(path, target, sizeof(target))) != NULL) {
			add(md, e[i]->d_name, strlen(e[i]->d_name) + 1);
			add(md, to, strlen(to) + 1);
		} else if ((buf = slurp_try(path, &len)) != NULL) {
			add(md, e[i]->d_name, strlen(e[i]->d_name) + 1);
			add(md, buf, len);
			free(buf);
		}
		free(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

static void
read_group(const struct deploy *d, struct prod_group *g)
{
	char *path = xasprintf("%s/%s/tlsa.%s", d->prod, g->name, g->name);
	char *dh = xasprintf("%s/%s/dh", d->prod, g->name);
	EVP_MD_CTX *md = sha256();
	size_t len;
	char *text = slurp_upto(path, LIST_MAX, &len);

	if (text != NULL)
		add(md, text, len);
	add(md, "", 1);
	add_dh(md, dh);
	/* Another group is to be given these, and each host is asked for it. */
	if (d->site.prod_group != NULL)
		add(md, d->site.prod_group, strlen(d->site.prod_group));
	g->hash = hex(md);
	g->tlsa = text != NULL ? records(text) : xstrdup("-");
	free(text);
	free(dh);
	free(path);
}

static bool
groups_matter(const struct deploy *d)
{
	for (size_t i = 0; i < d->site.nserver; i++)
		if (section_tlsa(&d->site.server[i]) && d->where[i].n > 0)
			return true;
	return d->copies.n > 0;
}

/* The group's place; the services of a group mostly stand together. */
static size_t
group_at(struct deploy *d, const char *name)
{
	size_t i = d->ngroup;

	while (i > 0)
		if (strcmp(d->group[--i].name, name) == 0)
			return i;
	d->group = xreallocarray(d->group, d->ngroup + 1, sizeof(*d->group));
	d->group[d->ngroup] = (struct prod_group){name, NULL, NULL};
	return d->ngroup++;
}

void
prod_read(struct deploy *d)
{
	const struct service_id *id = d->site.id;

	d->service = xreallocarray(NULL, d->site.n, sizeof(*d->service));
	for (size_t i = 0; i < d->site.n; i++) {
		struct prod *p = &d->service[i];

		*p = (struct prod){.id = &id[i]};
		p->name = xasprintf("%s/%s", id[i].group, id[i].service);
		p->curr = generation(d, p, "curr");
		p->next = generation(d, p, "next");
		p->group = group_at(d, id[i].group);
	}
	if (groups_matter(d))
		for (size_t i = 0; i < d->ngroup; i++)
			read_group(d, &d->group[i]);
}

void
prod_free(struct deploy *d)
{
	for (size_t i = 0; d->service != NULL && i < d->site.n; i++) {
		free(d->service[i].name);
		free(d->service[i].curr);
		free(d->service[i].next);
	}
	for (size_t i = 0; i < d->ngroup; i++) {
		free(d->group[i].hash);
		free(d->group[i].tlsa);
	}
	free(d->service);
	free(d->group);
}

/* ---- what there is to copy --------------------------------------------------- */

static bool
regular(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool
set_whole(const struct deploy *d, const struct prod *p, const char *gen)
{
	bool is_ca = strcmp(p->id->group, "ca") == 0, yes = true;

	for (size_t i = 0; yes && i < SET_N; i++) {
		char *path = xasprintf("%s/%s/db/%s/%s", d->prod, p->name, gen, set_name[i]);
		bool private = i == SET_KEY || i == SET_BUNDLE;

		if (is_ca && private)
			yes = access(path, F_OK) == -1;
		else
			yes = regular(path);
		if (!yes)
			complain(is_ca && private ? "'%s' is the private key of a CA, which stays "
			    "where it is" : "'%s' is not there, or no file", path);
		free(path);
	}
	return yes;
}

bool
prod_whole(struct deploy *d, size_t i)
{
	struct prod *p = &d->service[i];

	if (p->bad || ((p->curr == NULL || set_whole(d, p, p->curr)) &&
	    (p->next == NULL || set_whole(d, p, p->next))))
		return !p->bad;
	p->bad = true;
	deploy_failed(d, EX_TEMP);
	return false;
}

void
prod_set_paths(const struct prod *p, const char *gen, struct words *list)
{
	/* Which of these there are is seen by rsync: --ignore-missing-args. */
	static const char *const more[] = {"tlsa.rr", "info"};
	bool is_ca = strcmp(p->id->group, "ca") == 0;

	words_add(list, xstrdup(p->name));
	words_add(list, xasprintf("%s/db", p->name));
	words_add(list, xasprintf("%s/db/%s", p->name, gen));
	for (size_t i = 0; i < SET_N; i++)
		if (!is_ca || (i != SET_KEY && i != SET_BUNDLE))
			words_add(list, xasprintf("%s/db/%s/%s", p->name, gen, set_name[i]));
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		words_add(list, xasprintf("%s/db/%s/%s", p->name, gen, more[i]));
}

/* The files and links in a directory; what else is there is not for servers. */
static void
dir_paths(const char *dir, const char *name, struct words *list, struct words *links)
{
	char target[300], *path;
	struct dirent **e;
	int n = scandir(dir, &e, plain, alphasort);

	for (int i = 0; i < n; i++) {
		path = xasprintf("%s/%s", dir, e[i]->d_name);
		if (list != links && regular(path))
			words_add(list, xasprintf("%s/%s", name, e[i]->d_name));
		if (regular(path) || link_target(path, target, sizeof(target)) != NULL)
			words_add(links, xasprintf("%s/%s", name, e[i]->d_name));
		free(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

void
prod_group_paths(const struct deploy *d, const struct prod_group *g, struct words *list,
    struct words *links)
{
	char *tlsa = xasprintf("%s/tlsa.%s", g->name, g->name), *dh = xasprintf("%s/dh", g->name);
	char *dir = xasprintf("%s/%s", d->prod, dh), *path = xasprintf("%s/%s", d->prod, tlsa);
	struct words none = {NULL, 0};
	struct stat st;

	words_add(regular(path) ? list : links, tlsa);
	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
		words_add(list, xstrdup(dh));
		words_add(links, xasprintf("%s/", dh));
		dir_paths(dir, dh, list, links);
	} else if (list != links && stat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
		/* Through a link: the files come, what has gone stays there. */
		words_add(list, xstrdup(dh));
		dir_paths(dir, dh, list, &none);
	}
	words_free(&none);
	free(path);
	free(dir);
	free(dh);
}
