/* out.c: files, whole or not at all. */
#include "sslm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void
out_done(void)
{
	if (fflush(stdout) != 0 || ferror(stdout) || fclose(stdout) != 0)
		die(EX_TEMP, "cannot write standard output:");
}

int
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int bad = fd == -1 || fsync(fd) == -1;

	if (bad)
		complain("cannot sync directory '%s':", dir);
	if (fd != -1)
		close(fd);
	return bad ? -1 : 0;
}

/* Does path hold exactly these bytes?  Silent: if in doubt, no. */
static bool
same(const char *path, const void *buf, size_t len)
{
	struct stat st;
	size_t n;
	char *old = stat(path, &st) == 0 && (size_t)st.st_size == len ?
	    slurp_upto(path, len, &n) : NULL;
	bool eq = old != NULL && n == len && memcmp(old, buf, len) == 0;

	if (old != NULL)
		wipe(old, n);
	return eq;
}

/* "dir" of "dir/name", "." of "name"; the caller frees. */
static char *
parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return xasprintf("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* "dir/.name.new" of "dir/name"; the caller frees. */
static char *
spool_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dirlen = slash == NULL ? 0 : (int)(slash - path) + 1;

	return xasprintf("%.*s.%s.new", dirlen, path, path + dirlen);
}

/*
 * Create the spool file, locked.  The name is always the same, so that what a
 * killed run left is replaced and not left lying; the lock tells such a left
 * over from one that another process is writing now.  -1 with errno.
 */
static int
claim(const char *spool)
{
	struct stat st;
	int fd, old;

	for (;;) {
		fd = open(spool, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd != -1) {
			if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
			    st.st_nlink == 1)
				return fd;
			close(fd);	/* somebody took it for a left over */
		} else if (errno != EEXIST) {
			return -1;
		}
		old = open(spool, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (old == -1 && errno == ENOENT)
			continue;
		if (old != -1 && flock(old, LOCK_EX | LOCK_NB) == -1) {
			close(old);
			errno = EBUSY;
			return -1;
		}
		if (unlink(spool) == -1 && errno != ENOENT)
			return -1;
		if (old != -1)
			close(old);
	}
}

static bool
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = write(fd, p, len)) == -1) {
			if (errno != EINTR)
				return false;
			n = 0;
		}
	return true;
}

/* ---- one sync for many ----------------------------------------------------- */

/* What out_defer() has put off: renames, in the order in which they were asked
 * for, with their directories. */
static struct {
	bool on;
	unsigned group;
	struct late {
		unsigned group;
		char *from, *to;
	} *late;
	size_t n, room;
} defer;

void
out_defer(void)
{
	defer.on = true;
	defer.group++;
}

static void
put_off(const char *from, const char *to)
{
	if (defer.n == defer.room) {
		defer.room = defer.room == 0 ? 16 : 2 * defer.room;
		defer.late = xreallocarray(defer.late, defer.room, sizeof(*defer.late));
	}
	defer.late[defer.n++] = (struct late){defer.group, xstrdup(from), xstrdup(to)};
}

static int
sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int bad = fd == -1 ? errno != ELOOP : fsync(fd) == -1;

	if (bad)
		complain("cannot sync '%s':", path);
	if (fd != -1)
		close(fd);
	return bad ? -1 : 0;
}

/* All that is written, or just the files (or just their directories) put off. */
static int
sync_late(const char *fs, bool files)
{
	int fd, bad = 0;

	if (fs != NULL) {
		fd = open(fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if ((bad = fd == -1 || syncfs(fd) == -1))
			complain("cannot sync the file system of '%s':", fs);
		if (fd != -1)
			close(fd);
		return bad ? -1 : 0;
	}
	for (size_t i = 0; i < defer.n; i++) {
		char *dir = parent(defer.late[i].to);
		char *last = i > 0 ? parent(defer.late[i - 1].to) : NULL;

		if (files)
			bad |= sync_file(defer.late[i].from);
		else if (last == NULL || strcmp(dir, last) != 0)
			bad |= sync_dir(dir);
		free(last);
		free(dir);
	}
	return bad;
}

int
out_commit(const char *fs)
{
	bool unsynced = defer.n > 0 && sync_late(fs, true) == -1;
	unsigned failed = 0;
	int bad = unsynced ? -1 : 0;

	for (size_t i = 0; i < defer.n; i++) {
		struct late *l = &defer.late[i];

		if (unsynced || l->group == failed) {
			unlink(l->from);
		} else if (rename(l->from, l->to) == -1) {
			complain("cannot replace '%s':", l->to);
			unlink(l->from);
			failed = l->group;
			bad = -1;
		}
	}
	if (!unsynced && defer.n > 0 && sync_late(fs, false) == -1)
		bad = -1;
	for (size_t i = 0; i < defer.n; i++) {
		free(defer.late[i].from);
		free(defer.late[i].to);
	}
	free(defer.late);
	memset(&defer, 0, sizeof(defer));
	return bad;
}

int
out_rename(const char *from, const char *to)
{
	char *dir;
	int ret = 0;

	if (defer.on) {
		put_off(from, to);
		return 0;
	}
	dir = parent(to);
	if (rename(from, to) == -1) {
		complain("cannot rename '%s' to '%s':", from, to);
		ret = -1;
	} else {
		ret = sync_dir(dir);
	}
	free(dir);
	return ret;
}

/* ---- files and links -------------------------------------------------------- */

bool
out_give(int fd, gid_t gid)
{
	struct stat st;

	if (fchown(fd, (uid_t)-1, gid) == -1 || fstat(fd, &st) == -1)
		return false;
	/* There are file systems that do not mean it. */
	errno = EPERM;
	return st.st_gid == gid;
}

/* Spool the bytes: the descriptor, which holds the lock on the name until it is
 * closed, or -1 with errno and what failed in *verb. */
static int
spool(const char *name, mode_t mode, gid_t gid, const void *buf, size_t len,
    const char **verb)
{
	int fd = claim(name), why;
	bool given;

	*verb = "create";
	if (fd == -1)
		return -1;
	given = gid == NO_GROUP || out_give(fd, gid);
	if (!given || !write_all(fd, buf, len) || fchmod(fd, mode) == -1 ||
	    (!defer.on && fsync(fd) == -1)) {
		*verb = given ? "write" : "set the group of";
		why = errno;
		unlink(name);
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

int
out_file(const char *path, mode_t mode, const void *buf, size_t len)
{
	return out_file_group(path, mode, NO_GROUP, buf, len);
}

int
out_file_group(const char *path, mode_t mode, gid_t gid, const void *buf, size_t len)
{
	char *name, *dir;
	const char *verb;
	struct stat st;
	int fd = -1, ret = -1;

	if (same(path, buf, len))
		return 0;
	name = spool_name(path);
	dir = parent(path);
	/* A rename would take /dev/full or /dev/stdout away from everybody. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		complain("cannot replace '%s': not a regular file", path);
	} else if ((fd = spool(name, mode, gid, buf, len, &verb)) == -1) {
		complain("cannot %s '%s':", verb, path);
	} else if (defer.on) {
		put_off(name, path);
		ret = 1;
	} else if (rename(name, path) == -1) {
		complain("cannot replace '%s':", path);
		unlink(name);
	} else if (sync_dir(dir) == 0) {
		ret = 1;
	}
	if (fd != -1)
		close(fd);
	free(dir);
	free(name);
	return ret;
}

/* rename(2) that never replaces. */
static int
rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that cannot; a kill in between leaves a second name. */
	return link(from, to) == -1 ? -1 : unlink(from);
}

int
out_new(const char *path, mode_t mode, const void *buf, size_t len)
{
	char *name = spool_name(path), *dir = parent(path);
	bool put_off_too = defer.on;
	const char *verb;
	int fd, ret = -1;

	/* Never put off: only the rename tells whether something is there. */
	defer.on = false;
	if ((fd = spool(name, mode, NO_GROUP, buf, len, &verb)) == -1) {
		complain("cannot %s '%s':", verb, path);
	} else {
		if (rename_new(name, path) == -1) {
			complain("cannot create '%s':", path);
			unlink(name);
		} else {
			ret = 1;
		}
		close(fd);
		if (ret == 1 && sync_dir(dir) == -1)
			ret = -1;
	}
	defer.on = put_off_too;
	free(dir);
	free(name);
	return ret;
}

int
out_link(const char *target, const char *path)
{
	char *name = spool_name(path);
	int ret;

	if ((unlink(name) == -1 && errno != ENOENT) || symlink(target, name) == -1) {
		complain("cannot link '%s' to '%s':", path, target);
		ret = -1;
	} else if ((ret = out_rename(name, path)) == -1) {
		unlink(name);
	}
	free(name);
	return ret;
}

int
make_dir(const char *path, mode_t mode)
{
	char *dir;
	int ret = 0;

	if (mkdir(path, 0700) == -1) {
		if (errno == EEXIST)
			return 0;
		complain("cannot make directory '%s':", path);
		return -1;
	}
	dir = parent(path);
	if (chmod(path, mode) == -1) {
		complain("cannot set the mode of '%s':", path);
		ret = -1;
	} else if (!defer.on) {
		ret = sync_dir(dir);
	}
	free(dir);
	return ret;
}
