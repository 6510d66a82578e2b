/*
 * deploy_check.c: is what is on other machines what is in production?  rsync compares, by
 * checksums, and is told to copy nothing; it has its list on stdin and says what it found
 * on stdout, both of them files that have no name: no other run is in the way of this.
 */
#include "deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CODE = 11 };	/* octets of rsync's %i */

static int
nameless(const void *text, size_t len)
{
	int fd = memfd_create("sslm", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) == -1)
		die(EX_TEMP, "cannot make a file in memory:");
	return fd;
}

/* All that was written to it. */
static char *
content(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text;
	ssize_t n;

	if (size < 0 || size > LIST_MAX)
		die(EX_TEMP, "cannot read what rsync has said");
	text = xmalloc((size_t)size + 1);
	n = pread(fd, text, (size_t)size, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* ---- what to compare ----------------------------------------------------------- */

static void
add_service(const struct prod *p, struct words *list)
{
	words_add(list, xasprintf("./%s", p->id->group));
	if (p->curr != NULL) {
		prod_set_paths(p, p->curr, list);
		words_add(list, xasprintf("%s/curr", p->name));
	}
	if (p->next != NULL)
		prod_set_paths(p, p->next, list);
	words_add(list, xasprintf("%s/next", p->name));
}

/* Sets that are not complete here are nothing to compare with. */
static struct words
paths(struct deploy *d, const char *host)
{
	struct words list = {NULL, 0};
	bool *seen = xreallocarray(NULL, d->ngroup, sizeof(*seen));

	memset(seen, 0, d->ngroup * sizeof(*seen));
	for (size_t i = 0; i < d->site.n; i++) {
		const struct prod *p = &d->service[i];

		if ((p->curr == NULL && p->next == NULL) || !copy_serves(d, host, i) ||
		    !prod_whole(d, i))
			continue;
		add_service(p, &list);
		if (!seen[p->group])
			prod_group_paths(d, &d->group[p->group], &list, &list);
		seen[p->group] = true;
	}
	free(seen);
	words_sort(&list);
	return list;
}

/* ---- what rsync says -------------------------------------------------------------- */

/* Is one of the paths the other, or above it?  "" is above all. */
static bool
related(const char *a, const char *b)
{
	if (*a == '\0')
		return true;
	for (; *a != '\0' && *a == *b; a++)
		b++;
	return (*a == '\0' && (*b == '\0' || *b == '/')) || (*b == '\0' && *a == '/');
}

/* Will the next run copy all of it, or does it believe that some is there? */
static bool
wanted(const struct deploy *d, const char *host, const char *path)
{
	for (size_t i = 0; i < d->site.n; i++)
		if (related(path, d->service[i].name) && copy_serves(d, host, i) &&
		    !copy_set_wanted(d, host, i))
			return false;
	for (size_t g = 0; g < d->ngroup; g++) {
		char *tlsa = xasprintf("%s/tlsa.%s", d->group[g].name, d->group[g].name);
		char *dh = xasprintf("%s/dh", d->group[g].name);
		bool its = related(path, tlsa) || related(path, dh);

		free(dh);
		free(tlsa);
		if (its && !copy_group_wanted(d, host, g))
			return false;
	}
	return true;
}

static const char *
meaning(const char *code)
{
	if (strncmp(code, "*deleting", strlen("*deleting")) == 0)
		return "should not be there";
	if (code[2] == '+')
		return "is not there";
	if (code[1] == 'L')
		return "leads elsewhere";
	if (code[2] != '.' || code[3] != '.')
		return "has another content";
	return code[7] == 'g' ? "has another group" : "has another mode";
}

static bool
is_code(const char *line)
{
	return strlen(line) > CODE + 1 && line[CODE] == ' ' && strchr("<>ch.*", line[0]) != NULL;
}

/* Below a directory that is not there nothing is: that is said once.  Is there a copy? */
static bool
print_differences(struct deploy *d, const char *host, char *text)
{
	const char *missing = NULL;
	char *line, *path;
	bool there = true;
	size_t n;

	while ((line = strsep(&text, "\n")) != NULL) {
		/* Nobody asks who owns a link. */
		if (!is_code(line) || (line[1] == 'L' && line[2] == '.'))
			continue;
		path = line + CODE + 1;
		n = strlen(path);
		if (strcmp(path, "./") == 0)
			n = 0;
		else if (path[n - 1] == '/')
			n--;
		path[n] = '\0';
		if (missing != NULL && related(missing, path))
			continue;
		if (line[1] == 'd' && line[2] == '+')
			missing = path;
		there = there && (missing == NULL || *missing != '\0');
		printf("%s\t%s%s%s\t%s\tmake deploy%s\n", host, d->prod, n > 0 ? "/" : "", path,
		    meaning(line), wanted(d, host, path) ? "" : " FORCE=1");
		deploy_failed(d, EX_NO);
	}
	return there;
}

static struct ran
ask_rsync(const struct deploy *d, const char *host, int in, int out)
{
	char *tree = xasprintf("%s/", d->prod), *to = host_path(host, tree);
	char *map = group_map(d);
	const char *argv[20] = {"rsync", "-s", "-n", "-clp", "--timeout=30", "-e", HOST_SSH,
	    "--mkpath", "--force", "-r", "--delete", "--filter=. -", "--filter=- *",
	    "--out-format=%i %n"};
	size_t n = 14;
	struct ran r;

	if (map != NULL) {
		argv[n++] = "-g";
		argv[n++] = map;
	}
	argv[n++] = tree;
	argv[n] = to;
	r = run_with(argv, d->seconds, in, out);
	free(map);
	free(to);
	free(tree);
	return r;
}

/* The private keys there, of whatever service. */
static struct ran
list_keys(const struct deploy *d, const char *host, int out)
{
	char *tree = xasprintf("%s/", d->prod), *from = host_path(host, tree);
	const char *argv[] = {"rsync", "-s", "-r", "--list-only", "--timeout=30", "-e", HOST_SSH,
	    "--filter=+ */", "--filter=+ privkey.pem", "--filter=+ bundle.pem", "--filter=- *",
	    from, NULL};
	struct ran r = run_with(argv, d->seconds, -1, out);

	free(from);
	free(tree);
	return r;
}

/* What rsync has to say, at the host's first question or its second. */
static char *
answer(struct deploy *d, const char *host, struct ran r, int out)
{
	char *said;

	if (!ran_well(r)) {
		said = ran_text(r);
		complain("'%s': comparison: rsync: %s", host, said);
		free(said);
		deploy_failed(d, rsync_status(r));
	}
	return host_unreached(r) ? NULL : content(out);
}

void
check_host(struct deploy *d, const char *host)
{
	struct words list = paths(d, host);
	size_t len;
	char *text, *said;
	int in, out = nameless("", 0), keys = nameless("", 0);
	bool there = list.n > 0 && group_there(d, host) != EX_TEMP;

	copy_rules(&list, false);
	words_sort(&list);
	text = words_join(&list, "\n", &len);
	in = nameless(text, len);
	said = there ? answer(d, host, ask_rsync(d, host, in, out), out) : NULL;
	there = said != NULL && print_differences(d, host, said);
	free(said);
	said = there ? answer(d, host, list_keys(d, host, keys), keys) : NULL;
	if (said != NULL)
		left_print(d, host, said);
	free(said);
	close(in);
	close(out);
	close(keys);
	free(text);
	words_free(&list);
}
