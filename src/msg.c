/* msg.c: how a program begins, speaks and ends. */
#include "sslm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { LINE_SIZE = 4096 };

void
start(void)
{
	const struct rlimit none = {0, 0};
	int fd;

	umask(077);
	/* Nobody's openssl.cnf decides what a certificate is, nor is it read. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
		;
	if (fd != -1)
		close(fd);
}

noreturn void
opt_other(int c, const char *usage)
{
	if (c == 'V') {
		printf("%s %s\n", program_invocation_short_name, SSLM_VERSION);
	} else {
		fputs(usage, c == 'h' ? stdout : stderr);
		if (c != 'h')
			finish(EX_USE);
	}
	out_done();
	exit(EX_YES);
}

/* A line to a log that others may write too: one write(), at the end. */
static void
append(const char *file, const char *line, size_t len)
{
	static bool told;
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool wrote;

	errno = fd == -1 ? errno : ENOSPC;	/* a part was written */
	wrote = fd != -1 && write(fd, line, len) == (ssize_t)len;
	if (!wrote && !told)
		fprintf(stderr, "%s: cannot %s '%s': %s\n", program_invocation_short_name,
		    fd == -1 ? "open" : "write", file, strerror(errno));
	told = told || !wrote;
	if (fd != -1)
		close(fd);
}

/* What has to do with ACME CAs may have a log of its own. */
static const char *
log_file(void)
{
	static const char *const acme[] = {"sslm-acme", "sslm-challenge"};
	const char *file = getenv("SSLM_LOG_ACME");

	for (size_t i = 0; i < 2 && file != NULL && *file != '\0'; i++)
		if (strcmp(program_invocation_short_name, acme[i]) == 0)
			return file;
	return getenv("SSLM_LOG");
}

/* The programs of a run read one configuration: what one of them has said of it, with a
 * newline, the others do not say again.  SSLM_TOLD is the file where that is kept. */
static bool
said_before(const char *text, size_t len)
{
	static const char conf[] = "conf.d/";
	const char *file = getenv("SSLM_TOLD"), *at;
	char *told;
	bool yes = false;

	if (file == NULL || *file == '\0' || strncmp(text, conf, strlen(conf)) != 0)
		return false;
	told = slurp_try(file, NULL);
	for (at = told; at != NULL && !yes; at = strchr(at, '\n')) {
		at += at != told;
		yes = strncmp(at, text, len) == 0;
	}
	free(told);
	if (!yes)
		append(file, text, len);
	return yes;
}

static void PRINTF(1, 0)
vsay(const char *fmt, va_list ap)
{
	const char *log = log_file();
	int why = errno;
	char line[STAMP_SIZE + 1 + LINE_SIZE], *text = line + STAMP_SIZE + 1;
	size_t at, name, room = LINE_SIZE - 1;	/* one for the newline */
	int n;

	at = name = (size_t)snprintf(text, room, "%s: ", program_invocation_short_name);
	n = vsnprintf(text + at, room - at, fmt, ap);
	at = n < 0 || (size_t)n >= room - at ? room - 1 : at + (size_t)n;
	if (at > 0 && fmt[0] != '\0' && fmt[strlen(fmt) - 1] == ':') {
		n = snprintf(text + at, room - at, " %s", strerror(why));
		at = (size_t)n >= room - at ? room - 1 : at + (size_t)n;
	}
	for (size_t i = 0; i < at; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == '\177')
			text[i] = '?';
	text[at++] = '\n';
	text[at] = '\0';
	if (said_before(text + name, at - name)) {
		errno = why;
		return;
	}
	fwrite(text, 1, at, stderr);
	if (log != NULL && *log != '\0') {
		char when[STAMP_SIZE];
		size_t len;

		stamp(when, time(NULL));
		len = strlen(when);
		text[-1] = ' ';
		memcpy(text - 1 - len, when, len);
		append(log, text - 1 - len, at + 1 + len);
	}
	errno = why;
}

void
complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

noreturn void
die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	finish(status);
}

noreturn void
finish(int status)
{
	const char *file = getenv("SSLM_STATUS");
	char line[64];
	int n;

	if (status != EX_YES && file != NULL && *file != '\0') {
		n = snprintf(line, sizeof(line), "%d %s\n", status, program_invocation_short_name);
		append(file, line, (size_t)n);
	}
	exit(status);
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n != 0 ? n : 1);

	if (p == NULL)
		die(EX_TEMP, "out of memory");
	return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	if ((p = reallocarray(p, n != 0 ? n : 1, size)) == NULL)
		die(EX_TEMP, "out of memory");
	return p;
}

char *
xstrdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		die(EX_TEMP, "out of memory");
	return p;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n == -1)
		die(EX_TEMP, "out of memory");
	return p;
}
