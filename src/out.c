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
	size_t n;
	char *old = slurp_try(path, &n);
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

/* Spool, then publish by rename(2), or by link(2) where nothing may be there. */
static int
put(const char *path, mode_t mode, const void *buf, size_t len, bool replace)
{
	char *spool = spool_name(path), *dir = parent(path);
	const char *verb = "create";
	struct stat st;
	int fd = -1, ret = -1;

	/* A rename would take /dev/full or /dev/stdout away from everybody. */
	if (replace && stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto out;
	}
	if ((fd = claim(spool)) == -1)
		goto out;
	verb = "write";
	if (!write_all(fd, buf, len) || fchmod(fd, mode) == -1 || fsync(fd) == -1)
		goto out;
	verb = replace ? "replace" : "create";
	if ((replace ? rename(spool, path) : link(spool, path)) == -1)
		goto out;
	ret = 1;
out:
	if (ret == -1)
		complain("cannot %s '%s':", verb, path);
	if (fd != -1) {
		if (ret == -1 || !replace)
			unlink(spool);
		close(fd);
	}
	if (ret == 1 && sync_dir(dir) == -1)
		ret = -1;
	free(spool);
	free(dir);
	return ret;
}

int
out_file(const char *path, mode_t mode, const void *buf, size_t len)
{
	return same(path, buf, len) ? 0 : put(path, mode, buf, len, true);
}

int
out_new(const char *path, mode_t mode, const void *buf, size_t len)
{
	return put(path, mode, buf, len, false);
}

int
out_link(const char *target, const char *path)
{
	char *spool = spool_name(path), *dir = parent(path);
	int ret = 0;

	if ((unlink(spool) == -1 && errno != ENOENT) || symlink(target, spool) == -1 ||
	    rename(spool, path) == -1) {
		complain("cannot link '%s' to '%s':", path, target);
		unlink(spool);
		ret = -1;
	} else {
		ret = sync_dir(dir);
	}
	free(spool);
	free(dir);
	return ret;
}
