/* challenge_host.c: files below the web roots of other machines.  What is to be there
 * is laid out in a directory of ours; rsync gets a list of it in a file, and the path
 * by its protocol, so that nothing has to be quoted for a shell. */
#include "challenge.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGE "certs/.acme/web"
#define ROOT STAGE "/root"
#define LIST STAGE "/list"

enum { SECONDS = 120 };

static const char from[] = "--files-from=" LIST, rules[] = "--filter=merge " LIST,
	tree[] = ROOT "/";

char *
web_root(const struct site *site, const char *host)
{
	const struct server *web = site_server(site, "web");
	bool here = strcmp(host, HERE) == 0;

	if (web == NULL || web->server_dir == NULL || web->server_dir[0] == '\0')
		complain("%s: [web] has no 'server_dir', where http-01 challenges are put",
		    SITE_CONF);
	else if (!here && web->server_dir[0] != '/')
		complain("%s: [web] server_dir '%s' is not absolute, and host '%s' another one",
		    SITE_CONF, web->server_dir, host);
	else
		return here ? site_path(site, web->server_dir) : xstrdup(web->server_dir);
	return NULL;
}

bool
web_hosts(const struct site *site, struct words *hosts)
{
	const struct server *web = site_server(site, "web");

	if (web != NULL)
		return section_hosts(web, hosts);
	words_add(hosts, xstrdup(HERE));
	return true;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Not with FTW_MOUNT: on an overlay, a container's, files and directories may be of
 * different devices. */
static int
unstage(void)
{
	if (nftw(STAGE, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return 0;
	complain("cannot remove '%s':", STAGE);
	return -1;
}

/* What rsync is to look at, from ROOT; directories of ours get a mode, the group's
 * has been there before us.  Or what it may remove, because it is not in ROOT, and
 * that the rest is protected. */
static int
write_list(const struct web_file *f, size_t n)
{
	struct words list = {NULL, 0};
	bool place = n > 0 && f[0].content != NULL;
	char *text, *all;
	int ret;

	for (size_t i = 0; i < n; i++) {
		if (place) {
			words_add(&list, xasprintf("%s/.well-known/", f[i].group));
			words_add(&list, xasprintf("%s/.well-known/acme-challenge/", f[i].group));
		}
		words_add(&list, xasprintf("%s%s/.well-known/acme-challenge/%s",
		    place ? "" : "R /", f[i].group, f[i].token));
	}
	words_sort(&list);
	text = words_join(&list, "\n", NULL);
	all = xasprintf("%s%s", text, place ? "" : "P *\n");
	ret = out_file(LIST, 0600, all, strlen(all));
	free(all);
	free(text);
	words_free(&list);
	return ret == -1 ? -1 : 0;
}

static int
stage(const struct web_file *f, size_t n)
{
	if (make_dir("certs/.acme", 0700) == -1 || unstage() == -1 || make_dir(STAGE, 0700) == -1 ||
	    make_dir(ROOT, 0700) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((f[i].content != NULL ?
		    web_place(ROOT, f[i].group, f[i].token, f[i].content) :
		    web_dirs(ROOT, f[i].group)) == -1)
			return -1;
	return write_list(f, n);
}

int
host_web(const char *host, const char *root, const struct web_file *f, size_t n)
{
	char *to, *dir, *text;
	struct ran r = {RAN_NOT, 0};

	if (stage(f, n) == -1) {
		unstage();
		return EX_TEMP;
	}
	dir = xasprintf("%s/", root);
	to = host_path(host, dir);
	r = run(f[0].content != NULL ?
	    (const char *[]){"rsync", "-ptOs", "--no-implied-dirs", "--mkpath", "--chmod=D755,F644",
		"--timeout=30", "-e", HOST_SSH, from, tree, to, NULL} :
	    (const char *[]){"rsync", "-rs", "--existing", "--delete", rules, "--timeout=30", "-e",
		HOST_SSH, tree, to, NULL}, SECONDS);
	free(to);
	free(dir);
	unstage();
	if (ran_well(r))
		return EX_YES;
	text = ran_text(r);
	complain("[web] servers '%s': rsync: %s", host, text);
	free(text);
	return host_unreached(r) ? EX_TEMP : EX_PERM;
}
