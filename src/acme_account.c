/* acme_account.c: the step about the account (RFC 8555, 7.3). */
#include "acme.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run a program of ours that makes a key: this process does not open one. */
static void
make_key(const char *name, const char *const words[])
{
	char *program = program_beside(name), *argv[8] = {program};
	int n = 1, status;
	pid_t pid;

	for (; words[n - 1] != NULL; n++)
		argv[n] = xstrdup(words[n - 1]);
	if ((pid = fork()) == -1)
		die(EX_TEMP, "cannot fork:");
	if (pid == 0) {
		execv(program, argv);
		complain("cannot run '%s':", program);
		_exit(EX_PERM);
	}
	if (waitpid(pid, &status, 0) == -1)
		die(EX_TEMP, "cannot wait for '%s':", program);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		finish(WIFEXITED(status) ? WEXITSTATUS(status) : EX_PERM);
	while (n-- > 1)
		free(argv[n]);
	free(program);
}

static void
new_key(const char *path)
{
	make_key("sslm-genkey", (const char *[]){"-t", "ec", "-c", "prime256v1", "-o", path, NULL});
}

static void
make_dirs(const struct acme *a)
{
	char *certs = site_path(&a->site, "certs"), *acme = site_path(&a->site, "certs/.acme");

	if (make_dir(certs, 0755) == -1 || make_dir(acme, 0700) == -1 ||
	    make_dir(a->dir, 0700) == -1)
		finish(EX_TEMP);
	free(certs);
	free(acme);
}

/* The account key that certbot has below a directory, for this CA; or path itself,
 * if it is a file.  The caller frees. */
static char *
find_jwk(const struct acme *a, const char *path)
{
	const char *server = a->url + strlen("https://");
	char *pattern, *found;
	struct stat st;
	glob_t g;

	if (stat(path, &st) == -1)
		die(EX_PERM, "cannot find '%s':", path);
	if (!S_ISDIR(st.st_mode))
		return xstrdup(path);
	pattern = xasprintf("accounts/%s/*/private_key.json", server);
	if (chdir(path) == -1)
		die(EX_PERM, "cannot go to '%s':", path);
	if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0 || g.gl_pathc < 1)
		die(EX_PERM, "'%s' has no account at %s", path, server);
	if (g.gl_pathc > 1)
		die(EX_PERM, "'%s' has %zu accounts there; name the private_key.json of one", path,
		    g.gl_pathc);
	found = xasprintf("%s/%s", path, g.gl_pathv[0]);
	globfree(&g);
	free(pattern);
	return found;
}

/* glob(3) cannot take a pattern and a path apart, so it works from there. */
static char *
find_jwk_from_here(const struct acme *a, const char *path)
{
	char *here = realpath(".", NULL), *jwk;

	if (here == NULL)
		die(EX_PERM, "cannot find this directory:");
	jwk = find_jwk(a, path);
	if (chdir(here) == -1)
		die(EX_PERM, "cannot go back to '%s':", here);
	free(here);
	return jwk;
}

/* Two tables of one CA share an account: whoever comes second waits, and finds it.
 * The lock goes with the process. */
static void
lock_dir(const struct acme *a)
{
	int fd;

	make_dirs(a);
	if ((fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 || flock(fd, LOCK_EX) == -1)
		die(EX_TEMP, "cannot lock '%s':", a->dir);
}

static int
create(struct acme *a, const char *import)
{
	char *key = acme_key_path(a), *path = acme_account_path(a), *jwk;
	bool had = access(key, F_OK) == 0;
	int ret = EX_YES;

	if (import != NULL || access(path, F_OK) == -1)
		lock_dir(a);
	if (import == NULL && access(path, F_OK) == 0) {
		acme_use_account(a, false);
		goto out;
	}
	if (import != NULL) {
		jwk = find_jwk_from_here(a, import);
		make_key("sslm-jws", (const char *[]){"-i", jwk, "-o", key, NULL});
		free(jwk);
	} else if (access(key, F_OK) == -1) {
		new_key(key);
	}
	a->jws = jws_open(key, '\0', NULL);
	ret = account_register(a, import != NULL);
	/* With the key of no account, no other would ever be made. */
	if (import != NULL && !had && ret == EX_PERM && unlink(key) == -1)
		complain("cannot remove '%s':", key);
out:
	free(key);
	free(path);
	return ret;
}

/* What is about to be said to the CA is on disk before: a run that is killed leaves an
 * account that is of no use, and that can be seen. */
static void
mark_leaving(void *arg)
{
	struct acme *a = arg;

	a->leaving = true;
	if (account_write(a) != EX_YES)
		finish(EX_TEMP);
}

/* Tell the CA that the account is to be deactivated.  EX_YES if it is, now or before. */
static int
tell_deactivated(struct acme *a, const char *key)
{
	struct acme_req r = {.payload = "{\"status\":\"deactivated\"}",
	    .before = mark_leaving, .arg = a};
	int ret = EX_YES;

	a->jws = jws_open(key, '\0', NULL);
	r.url = a->account;
	acme_post(a, &r, 1);
	r.payload = NULL;
	if (problem_is(&r, "unauthorized") || problem_is(&r, "accountDoesNotExist"))
		problem_complain(&r, "warning: '%s' does not accept the account any more",
		    a->ca->name);
	else if (r.h.status != 200)
		ret = problem_complain(&r, "the account is not deactivated");
	a->leaving = ret == EX_YES || r.h.status >= 500;
	if (!a->leaving && account_write(a) != EX_YES)
		ret = EX_TEMP;
	acme_free(&r);
	return ret;
}

/* The key goes first: without account.json it would be taken for that of an account. */
static int
deactivate(struct acme *a)
{
	char *path = acme_account_path(a), *key = acme_key_path(a), *old, when[STAMP_SIZE];
	int ret;

	acme_read_account(a);
	stamp(when, time(NULL));
	old = xasprintf("%s.%s", key, when);
	ret = access(key, F_OK) == 0 ? tell_deactivated(a, key) : EX_YES;
	if (ret == EX_YES && access(key, F_OK) == 0 && out_rename(key, old) == -1)
		ret = EX_TEMP;
	if (ret == EX_YES && unlink(path) == -1) {
		complain("cannot remove '%s':", path);
		ret = EX_TEMP;
	}
	free(old);
	free(key);
	free(path);
	return ret;
}

/* Tell the CA of the new key; true if it took it.  The complaint is the caller's. */
static bool
change_key(struct acme *a, const char *key, const char *next, struct acme_req *r)
{
	struct jws *j = jws_open(key, 'n', next);
	char *inner = jws_ask(j, "rollover %s %s", acme_need(a, "keyChange"), a->account);
	bool ok;

	*r = (struct acme_req){.url = acme_need(a, "keyChange"), .payload = inner};
	acme_post(a, r, 1);
	ok = r->h.status == 200;
	r->payload = NULL;
	free(inner);
	jws_close(j);
	return ok;
}

/* Does the CA know the account by this key already?  EX_YES, or why not. */
static int
known_by(struct acme *a, const char *key)
{
	jws_close(a->jws);
	a->jws = jws_open(key, '\0', NULL);
	return account_register(a, true);
}

/*
 * Another key for the account (RFC 8555, 7.3.5).  The new one is on disk before
 * the CA hears of it, and takes the place of the old one after.  If a run was
 * killed in between, or an answer was lost, the CA knows one of them and refuses
 * the other.
 */
static int
roll_key(struct acme *a)
{
	char *key = acme_key_path(a), *next = acme_next_path(a);
	bool had = access(next, F_OK) == 0;
	struct acme_req r;
	int ret = EX_YES;

	acme_use_account(a, true);
	if (!had)
		new_key(next);
	if (!change_key(a, key, next, &r)) {
		ret = problem_complain(&r, "the key is not changed");
		if (ret == EX_PERM && (had || r.tries > 1))
			ret = known_by(a, next);
		if (!had && ret == EX_PERM && unlink(next) == -1)
			complain("cannot remove '%s':", next);
	}
	acme_free(&r);
	if (ret == EX_YES && out_rename(next, key) == -1)
		ret = EX_TEMP;
	free(next);
	free(key);
	return ret;
}

static void
show_strings(const char *label, const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_string_value(v) != NULL) {
			char *text = text_safe(json_string_value(v), json_string_length(v), "");

			show_line(label, "%s", text);
			free(text);
		}
}

/* What the CA knows of the account. */
static int
show(struct acme *a)
{
	struct acme_req r = {0};
	const char *status;
	char *thumbprint, *text;
	int ret = EX_YES;

	acme_use_account(a, false);
	r.url = a->account;
	acme_post(a, &r, 1);
	if (r.h.status == 200 && (status = json_str(r.json, "status")) != NULL) {
		thumbprint = jws_ask(a->jws, "thumbprint");
		text = text_safe(status, strlen(status), "");
		printf("%s\n", a->account);
		show_line("directory", "%s", a->url);
		show_line("status", "%s", text);
		show_line("key", "%s", thumbprint);
		show_strings("contact", json_object_get(r.json, "contact"));
		free(text);
		free(thumbprint);
	} else {
		ret = problem_complain(&r, "the account");
	}
	acme_free(&r);
	return ret;
}

int
step_account(const struct step_options *opt)
{
	struct acme a;
	int ret;

	acme_open(&a, opt, 1);
	if (opt->deactivate)
		ret = deactivate(&a);
	else if (opt->new_key)
		ret = roll_key(&a);
	else if (opt->show)
		ret = show(&a);
	else if ((ret = create(&a, opt->in)) == EX_YES && !opt->quiet)
		printf("%s\n", a.account);
	acme_close(&a);
	return ret;
}
