/* sslm-install: bring curr and next of each service to where the servers read
 * them, every set as a whole. */
#include "cert.h"
#include "install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-install [-cfnq] [-C dir] [-d prod_cert_dir] [service ...]\n"
    "       sslm-install -h | -V\n";

/* One file of a set, if it is there, with the mode that it has; 0 or -1. */
static int
copy_file(const struct place *p, const char *from, const char *to, const char *file)
{
	char *in = xasprintf("%s/%s", from, file), *out = xasprintf("%s/%s", to, file), *buf;
	gid_t gid = file_private(file) ? p->gid : NO_GROUP;
	mode_t mode = !file_private(file) ? 0644 : gid == NO_GROUP ? 0600 : 0640;
	size_t len;
	int ret = 0;

	if (access(in, F_OK) == -1 && errno == ENOENT) {
		;
	} else if ((buf = slurp(in, &len)) == NULL) {
		ret = -1;
	} else {
		ret = out_file_group(out, mode, gid, buf, len) == -1 ? -1 : 0;
		wipe(buf, len);
	}
	free(in);
	free(out);
	return ret;
}

/* Who may read a set that is there: as it has to be where a link is switched to it, or
 * all is compared. */
static int
open_set(const struct place *p, const char *set)
{
	int ret = dir_mend(p, set);

	for (size_t i = 0; i < SET_N && ret == 0; i++)
		if (file_private(set_name[i]) && (p->gid != NO_GROUP || p->how == BY_CONTENT)) {
			char *path = xasprintf("%s/%s", set, set_name[i]);

			ret = key_mend(p, path);
			free(path);
		}
	return ret;
}

/*
 * The generation gen of from/db as to/db/gen: filled under another name, which
 * what a killed run left of it has to give way to, and renamed when it is
 * complete.  If it is there, what differs is replaced, file by file: that is
 * info, to which a roll adds, or something damaged.  A CA's private key stays
 * where it is.
 */
static int
copy_set(const struct place *p, const char *from, const char *to, const char *gen, bool is_ca)
{
	char *set = xasprintf("%s/db/%s", from, gen), *whole = xasprintf("%s/db/%s", to, gen);
	char *half = xasprintf("%s/db/.%s.new", to, gen);
	struct stat st;
	bool there = lstat(whole, &st) == 0, bad = false;
	bool whole_there = there && set_same(p, set, whole, is_ca);
	const char *into = there ? whole : half;

	if (!there)
		bad = remove_set(half) == -1 || make_dir(half, 0750) == -1 ||
		    dir_mend(p, half) == -1;
	else if (!whole_there)	/* a damaged set must not replace a good one */
		bad = set_check(set, time(NULL)) != EX_YES;
	if (there)
		bad = open_set(p, whole) == -1 || bad;
	for (size_t i = 0; !bad && !whole_there && i < SET_N; i++)
		if (!is_ca || !file_private(set_name[i]))
			bad = copy_file(p, set, into, set_name[i]) == -1;
	for (size_t i = 0; !bad && set_more[i] != NULL; i++)
		bad = copy_file(p, set, into, set_more[i]) == -1;
	if (!there)
		bad = bad || out_rename(half, whole) == -1;
	free(half);
	free(whole);
	free(set);
	return bad ? -1 : 0;
}

/*
 * The link path -> target where there is a directory with files, as ssl-mgr
 * made it: the two change places by one rename, and the directory is removed.
 */
static int
replace_dir(const char *prod, const char *target, const char *path)
{
	char *old = xasprintf("%s.old", path);
	int ret = -1;

	/* The set that the link leads to has to be there first. */
	if (out_commit(prod) == -1) {
		ret = -1;
	} else if ((unlink(old) == -1 && errno != ENOENT) || symlink(target, old) == -1 ||
	    renameat2(AT_FDCWD, old, AT_FDCWD, path, RENAME_EXCHANGE) == -1) {
		complain("cannot put a link in place of directory '%s':", path);
		unlink(old);
	} else {
		ret = remove_set(old);
	}
	out_defer();
	free(old);
	return ret;
}

/* What a run that was killed in there has left: the link is in place, and what was there
 * before it has not gone. */
static int
drop_replaced(const char *path)
{
	char *old = xasprintf("%s.old", path);
	struct stat st, link;
	int ret = 0;

	if (lstat(old, &st) == 0 && S_ISDIR(st.st_mode) && lstat(path, &link) == 0 &&
	    S_ISLNK(link.st_mode))
		ret = remove_set(old);
	free(old);
	return ret;
}

static int
put_link(const char *prod, const char *target, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return replace_dir(prod, target, path);
	return out_link(target, path);
}

/* Is the production link, and what it leads to, what it should be? */
static bool
current(const struct place *p, const char *source, const char *path, const char *target,
    bool is_ca)
{
	char have[300];
	bool yes = link_target(path, have, sizeof(have)) != NULL && strcmp(have, target) == 0;

	if (p->how == BY_LINK)
		return yes;
	yes = yes && set_same(p, source, path, is_ca);
	for (size_t i = 0; yes && set_more[i] != NULL; i++)
		yes = file_differs(p, source, path, set_more[i]) == NULL;
	return yes;
}

/* 1 if it is gone now, 0 if it was not there, -1 after a complaint. */
static int
drop_link(const char *path, const char *dir)
{
	struct stat st;

	if (lstat(path, &st) == -1 && errno == ENOENT)
		return 0;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return remove_set(path) == -1 ? -1 : 1;
	if (unlink(path) == -1) {
		complain("cannot remove '%s':", path);
		return -1;
	}
	return sync_dir(dir) == -1 ? -1 : 1;
}

/* curr or next of one service; 1 if something was changed, 0, or -1.  A next
 * that is not there any more goes, a curr never does: servers use it. */
static int
install_link(const struct place *p, const struct service_id *id, const char *link)
{
	char *from = service_dir(id), *to = xasprintf("%s/%s/%s", p->prod, id->group, id->service);
	char *source = xasprintf("%s/%s", from, link), *path = xasprintf("%s/%s", to, link);
	char *bundle = xasprintf("%s/%s", source, set_name[SET_BUNDLE]), gen[300];
	bool is_curr = strcmp(link, "curr") == 0, is_ca = strcmp(id->group, "ca") == 0;
	bool there = link_target(source, gen, sizeof(gen)) != NULL;
	bool unknown = !there && errno != ENOENT && errno != EINVAL;
	char *target = there ? xasprintf("db/%s", path_base(gen)) : NULL;
	bool done = there && current(p, source, path, target, is_ca) &&
	    dirs_current(p, id, path);
	bool whole = there && !done && access(bundle, F_OK) == 0;
	int ret = 0;

	if (done) {
		;
	} else if (unknown) {
		complain("cannot read the link '%s':", source);
		ret = -1;
	} else if (!link_or_none(source)) {
		ret = -1;
	} else if (whole) {
		ret = dirs_made(p, id) == -1 ||
		    copy_set(p, from, to, path_base(gen), is_ca) == -1 ||
		    put_link(p->prod, target, path) == -1 ? -1 : 1;
	} else if (!whole && is_curr && there) {
		complain("'%s' is not complete; '%s' is left as it is", source, path);
		ret = -1;
	} else if (!is_curr) {
		ret = drop_link(path, to);
	}
	if (drop_replaced(path) == -1)
		ret = -1;
	free(target);
	free(bundle);
	free(path);
	free(source);
	free(to);
	free(from);
	return ret;
}

/* What no link of the service leads to any more; but for the last one, which a
 * server that is just starting may be reading. */
static int
tidy(const char *prod, const struct service_id *id)
{
	char *dir = xasprintf("%s/%s/%s", prod, id->group, id->service);
	int ret = prune(dir, 1, NULL);

	free(dir);
	return ret;
}

struct change {
	int curr, next;		/* 1 changed, 0 not, -1 failed */
};

/* All the services, with one sync for all; false if anything failed. */
static bool
install(const struct site *site, const struct place *p, struct change *change)
{
	bool ok = true;

	for (size_t i = 0; i < site->n; i++) {
		out_defer();
		change[i].curr = install_link(p, &site->id[i], "curr");
		out_defer();
		change[i].next = install_link(p, &site->id[i], "next");
		ok = ok && change[i].curr != -1 && change[i].next != -1;
	}
	ok = out_commit(p->prod) == 0 && ok;
	for (size_t i = 0; i < site->n; i++)
		if (change[i].curr == 1 || change[i].next == 1)
			ok = tidy(p->prod, &site->id[i]) == 0 && ok;
	return ok;
}

/* The same, of which nothing is done, but said. */
static int
check(const struct site *site, const struct place *p, bool all)
{
	struct words groups = {NULL, 0};
	int ret = check_prod(p), one;

	for (size_t i = 0; i < site->n; i++) {
		one = check_service(p, &site->id[i]);
		ret = ret == EX_NO || one == EX_YES ? ret : one;
		words_add(&groups, xstrdup(site->id[i].group));
	}
	words_sort(&groups);
	for (size_t i = 0; i < groups.n; i++)
		if (check_group(p, groups.w[i]) != EX_YES)
			ret = EX_NO;
	words_free(&groups);
	return all && check_lefts(p) != EX_YES ? EX_NO : ret;
}

/* Do it, and say what was changed. */
static int
bring(const struct site *site, const struct place *p, bool quiet)
{
	struct change *change = xreallocarray(NULL, site->n, sizeof(*change));
	bool ok = install(site, p, change);

	for (size_t i = 0; i < site->n && !quiet; i++)
		if (change[i].curr == 1 || change[i].next == 1)
			printf("%s/%s\tinstalled%s%s\n", site->id[i].group, site->id[i].service,
			    change[i].curr == 1 ? " curr" : "", change[i].next == 1 ? " next" : "");
	free(change);
	return ok ? EX_YES : EX_TEMP;
}

int
main(int argc, char *argv[])
{
	struct place place = {NULL, BY_LINK, NO_GROUP};
	const char *dir = NULL;
	bool quiet = false, dry = false;
	struct site site;
	int c;

	start();
	while ((c = getopt(argc, argv, "C:cd:fhnqV")) != -1)
		switch (c) {
		case 'C': dir = optarg; break;
		case 'c': place.how = place.how == BY_LINK ? BY_LENGTH : place.how; break;
		case 'd': place.prod = optarg; break;
		case 'f': place.how = BY_CONTENT; break;
		case 'n': dry = true; break;
		case 'q': quiet = true; break;
		default: opt_other(c, usage);
		}
	site_load(&site, dir, argv + optind);
	if (place.prod == NULL)
		place.prod = site.prod_cert_dir;
	if (dry)
		place.how = BY_CONTENT;
	if (site.prod_group != NULL && !group_find(site.prod_group, &place.gid, &c))
		finish(c);
	c = dry ? check(&site, &place, argv[optind] == NULL) : bring(&site, &place, quiet);
	c = site.bad ? EX_USE : c;
	site_free(&site);
	out_done();
	if (c != EX_YES)
		finish(c);
	return EX_YES;
}
