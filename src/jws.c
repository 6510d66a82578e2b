/* jws.c: the process that has the account key, as this one sees it. */
#include "acme.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct jws {
	pid_t pid;
	FILE *to, *from;
};

char *
program_beside(const char *program)
{
	char self[PATH_MAX], *slash;

	if (link_target("/proc/self/exe", self, sizeof(self)) == NULL ||
	    (slash = strrchr(self, '/')) == NULL)
		die(EX_PERM, "cannot find myself:");
	return xasprintf("%.*s/%s", (int)(slash - self), self, program);
}

static noreturn void
become(char *const argv[], int fd)
{
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		_exit(127);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	execv(argv[0], argv);
	complain("cannot run '%s':", argv[0]);
	_exit(127);
}

struct jws *
jws_open(const char *key, char extra, const char *file)
{
	struct jws *j = xmalloc(sizeof(*j));
	char option[] = {'-', extra, '\0'}, *program = program_beside("sslm-jws"), k[] = "-k";
	char *path = xstrdup(key), *more = file != NULL ? xstrdup(file) : NULL;
	char *argv[] = {program, k, path, extra != '\0' ? option : NULL, more, NULL};
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		die(EX_TEMP, "cannot make a socket pair:");
	if ((j->pid = fork()) == -1)
		die(EX_TEMP, "cannot fork:");
	if (j->pid == 0)
		become(argv, fd[1]);
	close(fd[1]);
	if ((j->from = fdopen(fd[0], "r")) == NULL ||
	    (j->to = fdopen(fcntl(fd[0], F_DUPFD_CLOEXEC, 3), "w")) == NULL)
		die(EX_TEMP, "cannot open a stream:");
	free(program);
	free(path);
	free(more);
	return j;
}

/* It has ended; how? */
static noreturn void
ended(struct jws *j)
{
	int status;

	if (waitpid(j->pid, &status, 0) == -1)
		die(EX_PERM, "cannot wait for sslm-jws:");
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 127)
		finish(WEXITSTATUS(status));	/* which has said why */
	die(EX_PERM, "sslm-jws ended too early");
}

char *
jws_ask(struct jws *j, const char *fmt, ...)
{
	char *answer = NULL;
	size_t room = 0;
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(j->to, fmt, ap);
	va_end(ap);
	putc('\n', j->to);
	if (fflush(j->to) == EOF || (n = getline(&answer, &room, j->from)) == -1)
		ended(j);
	if (n > 0 && answer[n - 1] == '\n')
		answer[n - 1] = '\0';
	if (strncmp(answer, "error ", 6) == 0)
		die(EX_PERM, "sslm-jws: %s", answer + 6);
	return answer;
}

void
jws_close(struct jws *j)
{
	if (j == NULL)
		return;
	fclose(j->to);
	fclose(j->from);
	waitpid(j->pid, NULL, 0);
	free(j);
}
