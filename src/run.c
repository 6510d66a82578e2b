/* run.c: commands of the configuration, without a shell. */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE = 5 };	/* seconds from SIGTERM to SIGKILL */

/* Those that end a program are passed on, unless whoever started us lets us
 * ignore them. */
static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
enum { ENDING = sizeof(ending) / sizeof(ending[0]) };

struct words
command_words(const struct site *site, const char *cmd)
{
	struct words l = {NULL, 0};
	char *path = site_path(site, cmd), *copy, *rest, *word;

	if (strpbrk(cmd, " \t") == NULL || (strchr(cmd, '/') != NULL && access(path, F_OK) == 0)) {
		if (*cmd != '\0')
			words_add(&l, strchr(cmd, '/') != NULL ? xstrdup(path) : xstrdup(cmd));
		free(path);
		return l;
	}
	free(path);
	copy = rest = xstrdup(cmd);
	while ((word = strsep(&rest, " \t")) != NULL)
		if (*word != '\0')
			words_add(&l, l.n == 0 && strchr(word, '/') != NULL ?
			    site_path(site, word) : xstrdup(word));
	free(copy);
	return l;
}

/* What a command has no business with: the words between make and us. */
static bool
private(const char *var)
{
	static const char *const name[] = {"SSLM_LOCKED=", "SSLM_STATUS=", "SSLM_TOLD=", "MAKEFLAGS=",
	    "MAKELEVEL=", "MFLAGS="};

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (strncmp(var, name[i], strlen(name[i])) == 0)
			return true;
	return false;
}

static char **
environment(void)
{
	size_t n = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = xreallocarray(NULL, n + 1, sizeof(*env));
	n = 0;
	for (char **var = environ; *var != NULL; var++)
		if (!private(*var))
			env[n++] = *var;
	env[n] = NULL;
	return env;
}

/* The command's descriptors; 0, or errno. */
static int
give_files(posix_spawn_file_actions_t *files, int in, int out)
{
	int why = in == -1 ?
	    posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) :
	    posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);

	if (why == 0 && out != -1)
		why = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
	if (why == 0)
		why = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	return why;
}

/* 0, or errno.  mask is what the command's signal mask is to be. */
static int
spawn(pid_t *pid, const char *const argv[], const sigset_t *mask, int in, int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char **env = environment();
	sigset_t ours;
	mode_t was;
	int why;

	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);	/* ignored since start() */
	sigaddset(&ours, SIGXFSZ);
	sigaddset(&ours, SIGCHLD);
	if ((why = posix_spawn_file_actions_init(&files)) != 0) {
		free(env);
		return why;
	}
	if ((why = posix_spawnattr_init(&attr)) == 0) {
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
		    POSIX_SPAWN_SETSIGMASK);
		posix_spawnattr_setpgroup(&attr, 0);
		posix_spawnattr_setsigdefault(&attr, &ours);
		posix_spawnattr_setsigmask(&attr, mask);
		why = give_files(&files, in, out);
		was = umask(022);
		if (why == 0)
			why = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)argv, env);
		umask(was);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	free(env);
	return why;
}

/* The signals that we wait for: the child's end, and those that are to end us. */
static sigset_t
awaited(void)
{
	struct sigaction was;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < ENDING; i++)
		if (sigaction(ending[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaddset(&set, ending[i]);
	return set;
}

static int64_t
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Wait until the child pid, which leads a group, is dead; it is not reaped yet,
 * so that its number, and its group's, is nobody else's.  True if it was too
 * slow.  A signal that is to end us goes to *sig.
 */
static bool
await(pid_t pid, int seconds, const sigset_t *set, int *sig)
{
	int64_t end = milliseconds() + (int64_t)seconds * 1000, left;
	struct timespec t;
	bool stopping = false, late = false;
	siginfo_t info;
	int got;

	for (;;) {
		memset(&info, 0, sizeof(info));
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
		    info.si_pid == pid)
			break;
		left = end - milliseconds();
		if (left <= 0) {
			kill(-pid, stopping ? SIGKILL : SIGTERM);
			late = late || !stopping;
			stopping = true;
			end = milliseconds() + GRACE * 1000;
			continue;
		}
		t = (struct timespec){.tv_sec = (time_t)(left / 1000),
		    .tv_nsec = (long)(left % 1000) * 1000000};
		got = sigtimedwait(set, NULL, &t);
		if (got > 0 && got != SIGCHLD) {
			kill(-pid, got);
			*sig = got;
			if (!stopping)
				end = milliseconds() + GRACE * 1000;
			stopping = true;
		}
	}
	/* What it has started and left behind is a daemon, unless it was stopped. */
	if (stopping)
		kill(-pid, SIGKILL);
	return late;
}

struct ran
run(const char *const argv[], int seconds)
{
	return run_with(argv, seconds, -1, -1);
}

struct ran
run_with(const char *const argv[], int seconds, int in, int out)
{
	struct ran r = {RAN_NOT, 0};
	sigset_t set = awaited(), was;
	int status, sig = 0;
	bool late;
	pid_t pid;

	fflush(stdout);
	/* Whoever started us may have had it ignored: then nothing could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, &was);
	if ((r.code = spawn(&pid, argv, &was, in, out)) == 0) {
		late = await(pid, seconds, &set, &sig);
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
		if (late)
			r = (struct ran){RAN_LATE, seconds};
		else if (WIFSIGNALED(status))
			r = (struct ran){RAN_KILLED, WTERMSIG(status)};
		else
			r = (struct ran){RAN_EXIT, WEXITSTATUS(status)};
	}
	if (sig != 0)
		raise(sig);	/* blocked until now */
	sigprocmask(SIG_SETMASK, &was, NULL);
	return r;
}

bool
ran_well(struct ran r)
{
	return r.how == RAN_EXIT && r.code == 0;
}

char *
ran_text(struct ran r)
{
	switch (r.how) {
	case RAN_EXIT: return xasprintf("exit status %d", r.code);
	case RAN_KILLED: return xasprintf("killed by signal %d (%s)", r.code, strsignal(r.code));
	case RAN_LATE: return xasprintf("stopped, not done within %d seconds", r.code);
	case RAN_NOT: break;
	}
	return xasprintf("cannot be run: %s", strerror(r.code));
}
