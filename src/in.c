/* in.c: files read whole. */
#include "sslm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
wipe(void *p, size_t len)
{
	if (p == NULL)
		return;
	explicit_bzero(p, len);
	free(p);
}

/* Up to max bytes of fd, which is closed.  A buffer that is outgrown is
 * wiped: it may hold a key.  Of a regular file a short read is the last one. */
static char *
take(int fd, size_t guess, bool regular, const char *path, size_t max, size_t *len)
{
	size_t size = guess, at = 0;
	char *buf = xmalloc(size + 1), *more;
	ssize_t n;

	for (;;) {
		if (at == size) {
			more = xmalloc(2 * size + 1);
			memcpy(more, buf, at);
			wipe(buf, at);
			buf = more;
			size *= 2;
		}
		n = read(fd, buf + at, size - at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || (at += (size_t)n) > max)
			break;
		if (regular && at < size) {
			n = 0;
			break;
		}
	}
	if (n == -1)
		complain("cannot read '%s':", path);
	else if (n > 0)
		complain("'%s' is larger than %zu bytes", path, max);
	if (fd != STDIN_FILENO)
		close(fd);
	if (n != 0) {
		wipe(buf, at);
		errno = 0;
		return NULL;
	}
	buf[at] = '\0';
	if (len != NULL)
		*len = at;
	return buf;
}

char *
slurp_upto(const char *path, size_t max, size_t *len)
{
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0)
		return take(STDIN_FILENO, 4096, false, "standard input", max, len);
	/* Not blocked by a FIFO that somebody put there in place of the file. */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return NULL;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	/* One byte more than the size, so that the end is seen at once. */
	return take(fd, st.st_size < (off_t)max ? (size_t)st.st_size + 1 : 4096, true, path, max,
	    len);
}

char *
slurp_try(const char *path, size_t *len)
{
	return slurp_upto(path, FILE_MAX, len);
}

char *
slurp(const char *path, size_t *len)
{
	char *buf;

	if ((buf = slurp_try(path, len)) == NULL && errno == EINVAL)
		complain("cannot read '%s': not a regular file", path);
	else if (buf == NULL && errno != 0)
		complain("cannot open '%s':", path);
	return buf;
}

bool
has_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool yes = access(path, F_OK) == 0;

	free(path);
	return yes;
}

char *
link_target(const char *path, char *buf, size_t size)
{
	ssize_t n = readlink(path, buf, size);

	if (n == -1)
		return NULL;
	if ((size_t)n >= size) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	buf[n] = '\0';
	return buf;
}
