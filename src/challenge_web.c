/* challenge_web.c: files below a web root, where nobody is to lead us astray: every
 * step is taken from the directory before it, and no link is followed. */
#include "challenge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One step down, from at, which is closed; -1 with errno. */
static int
step(int at, const char *name, bool make)
{
	int fd = -1, why;
	mode_t was;
	bool ok = true;

	if (make) {
		/* The right mode from birth: a killed run leaves none that is wrong. */
		was = umask(022);
		ok = mkdirat(at, name, 0755) == -1 ? errno == EEXIST : fsync(at) == 0;
		umask(was);
	}
	if (ok)
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	why = errno;
	close(at);
	errno = why;
	return fd;
}

/* The directory of a group's tokens; -1 with errno, and after a complaint unless
 * errno is ENOENT. */
static int
token_dir(const char *root, const char *group, bool make)
{
	const char *const down[] = {group, ".well-known", "acme-challenge"};
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why;
	const char *at = "";

	for (size_t i = 0; fd != -1 && i < sizeof(down) / sizeof(down[0]); i++) {
		fd = step(fd, down[i], make);
		at = down[i];
	}
	if (fd == -1 && (make || errno != ENOENT)) {
		why = errno;
		if (*at != '\0' && (errno == ELOOP || errno == ENOTDIR))
			complain("'%s' of '%s/%s' is not a directory, or is a link", at, root,
			    group);
		else if (*at != '\0')
			complain("cannot open '%s' of '%s/%s':", at, root, group);
		else
			complain("cannot open directory '%s':", root);
		errno = why == ENOENT ? EIO : why;
	}
	return fd;
}

/* Is that what the file holds, and may it be read by all? */
static bool
same(int dir, const char *name, const char *text, size_t len)
{
	char buf[512];
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool eq = fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 07777) == 0644 && st.st_size == (off_t)len && len <= sizeof(buf) &&
	    read(fd, buf, len) == (ssize_t)len && memcmp(buf, text, len) == 0;

	if (fd != -1)
		close(fd);
	return eq;
}

/* Write name in dir, whole or not at all; false with errno. */
static bool
put(int dir, const char *name, const char *text, size_t len)
{
	enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
	char *spool = xasprintf(".%s.new", name);
	int fd = openat(dir, spool, FLAGS, 0600), why;
	bool ok;

	if (fd == -1 && errno == EEXIST && unlinkat(dir, spool, 0) == 0)
		fd = openat(dir, spool, FLAGS, 0600);	/* a killed run's */
	ok = fd != -1 && write(fd, text, len) == (ssize_t)len && fchmod(fd, 0644) == 0 &&
	    fsync(fd) == 0 && renameat(dir, spool, dir, name) == 0 && fsync(dir) == 0;
	why = errno;
	if (fd != -1) {
		close(fd);
		if (!ok)
			unlinkat(dir, spool, 0);
	}
	free(spool);
	errno = why;
	return ok;
}

int
web_place(const char *root, const char *group, const char *token, const char *content)
{
	char *text = xasprintf("%s\n", content);
	int dir = token_dir(root, group, true), ret = -1;

	if (dir != -1 && same(dir, token, text, strlen(text))) {
		ret = 0;
	} else if (dir != -1) {
		errno = EIO;	/* of a short write */
		if (put(dir, token, text, strlen(text)))
			ret = 1;
		else
			complain("cannot write '%s/%s/.well-known/acme-challenge/%s':", root,
			    group, token);
	}
	if (dir != -1)
		close(dir);
	free(text);
	return ret;
}

int
web_remove(const char *root, const char *group, const char *token)
{
	int dir = token_dir(root, group, false);
	char *spool;
	bool bad;

	if (dir == -1)
		return errno == ENOENT ? 0 : -1;
	spool = xasprintf(".%s.new", token);
	bad = (unlinkat(dir, token, 0) == -1 && errno != ENOENT) ||
	    (unlinkat(dir, spool, 0) == -1 && errno != ENOENT) || fsync(dir) == -1;
	if (bad)
		complain("cannot remove '%s/%s/.well-known/acme-challenge/%s':", root, group,
		    token);
	free(spool);
	close(dir);
	return bad ? -1 : 0;
}

int
web_dirs(const char *root, const char *group)
{
	int dir = token_dir(root, group, true);

	if (dir != -1)
		close(dir);
	return dir == -1 ? -1 : 0;
}
