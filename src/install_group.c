/* install_group.c: who may read what is in production: its owner, and prod_group. */
#include "install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_RIGHTS = 050, KEY_RIGHTS = 040 };	/* that the group has */

const char *
key_fault(const struct place *p, const struct stat *st)
{
	if (p->gid == NO_GROUP)
		return (st->st_mode & 077) != 0 ? "is not its owner's alone" : NULL;
	if (st->st_gid != p->gid)
		return "has another group";
	return (st->st_mode & 077) != KEY_RIGHTS ? "has another mode" : NULL;
}

static const char *
rights_fault(const struct place *p, const struct stat *st)
{
	if (st->st_gid != p->gid)
		return "has another group";
	return (st->st_mode & 070) != DIR_RIGHTS ? "has another mode" : NULL;
}

const char *
dir_fault(const struct place *p, const char *path)
{
	struct stat st;
	/* A dh that is a link leads to what is not ours. */
	bool is_dh = strcmp(path_base(path), "dh") == 0;

	if (p->gid == NO_GROUP || (is_dh ? lstat(path, &st) : stat(path, &st)) == -1 ||
	    !S_ISDIR(st.st_mode))
		return NULL;
	return rights_fault(p, &st);
}

/* The group, and then its rights; false with errno and what failed in *verb.  A file has
 * none meanwhile; who may enter a directory is not locked out, if it fails. */
static bool
give(int fd, const struct stat *st, gid_t gid, mode_t mode, const char **verb)
{
	mode_t first = st->st_mode & (S_ISDIR(st->st_mode) ? 0757 : 0700);

	*verb = "set the mode of";
	if (gid == NO_GROUP)
		return fchmod(fd, mode) == 0;
	if (st->st_gid != gid) {
		if (first != (st->st_mode & 07777) && fchmod(fd, first) == -1)
			return false;
		*verb = "set the group of";
		if (!out_give(fd, gid))
			return false;
		*verb = "set the mode of";
	}
	return fchmod(fd, mode) == 0;
}

static int
mend(const struct place *p, const char *path, bool is_dir)
{
	int kind = is_dir ? O_DIRECTORY : O_NOFOLLOW;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | kind);
	const char *verb = "open";
	struct stat st;
	bool ok = fd != -1 && fstat(fd, &st) == 0;

	if (fd == -1 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
		return 0;
	if (ok && is_dir && rights_fault(p, &st) != NULL)
		ok = give(fd, &st, p->gid, (st.st_mode & 0707) | DIR_RIGHTS, &verb);
	else if (ok && !is_dir && S_ISREG(st.st_mode) && key_fault(p, &st) != NULL)
		ok = give(fd, &st, p->gid,
		    p->gid == NO_GROUP ? 0600 : (st.st_mode & 0700) | KEY_RIGHTS, &verb);
	if (!ok)
		complain("cannot %s '%s':", verb, path);
	if (fd != -1)
		close(fd);
	return ok ? 0 : -1;
}

int
key_mend(const struct place *p, const char *path)
{
	return mend(p, path, false);
}

int
dir_mend(const struct place *p, const char *path)
{
	return dir_fault(p, path) == NULL ? 0 : mend(p, path, true);
}

/* The directories above the sets of a service, and what stands beside it. */
enum { DIRS = 5, NEEDED = 4 };

static void
dirs_of(const char *prod, const struct service_id *id, char *dir[DIRS])
{
	dir[0] = xstrdup(prod);
	dir[1] = xasprintf("%s/%s", prod, id->group);
	dir[2] = xasprintf("%s/%s", dir[1], id->service);
	dir[3] = xasprintf("%s/db", dir[2]);
	dir[4] = xasprintf("%s/dh", dir[1]);
}

static void
dirs_free(char *dir[DIRS])
{
	for (size_t i = 0; i < DIRS; i++)
		free(dir[i]);
}

int
dirs_made(const struct place *p, const struct service_id *id)
{
	char *dir[DIRS];
	bool bad = false;

	dirs_of(p->prod, id, dir);
	for (size_t i = 0; i < DIRS && !bad; i++)
		bad = (i < NEEDED && make_dir(dir[i], i == 1 ? 0755 : 0750) == -1) ||
		    dir_mend(p, dir[i]) == -1;
	dirs_free(dir);
	return bad ? -1 : 0;
}

bool
dirs_current(const struct place *p, const struct service_id *id, const char *set)
{
	char *dir[DIRS];
	bool yes = p->how != BY_CONTENT || dir_fault(p, set) == NULL;

	dirs_of(p->prod, id, dir);
	for (size_t i = 0; i < DIRS && p->how == BY_CONTENT; i++)
		yes = yes && dir_fault(p, dir[i]) == NULL;
	dirs_free(dir);
	return yes;
}
