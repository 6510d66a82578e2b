/*
 * deploy_rsync.c: one call of rsync, over ssh.  It is given a list of paths, and hands
 * them on by its protocol: nothing has to be quoted for a shell.
 */
#include "deploy.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
write_list(struct words *list)
{
	size_t len;
	char *text;
	int ret;

	words_sort(list);
	text = words_join(list, "\n", &len);
	ret = out_file(COPY_LIST, 0600, text, len) == -1 ? -1 : 0;
	free(text);
	return ret;
}

static struct ran
rsync(const struct deploy *d, const char *to, const char *const option[], const char *first)
{
	char *tree = xasprintf("%s/", d->prod);
	const char *argv[20] = {"rsync", "-s", "--timeout=30", "-e", HOST_SSH};
	size_t n = 5;
	struct ran r;

	if (first != NULL)
		argv[n++] = first;
	while (*option != NULL)
		argv[n++] = *option++;
	argv[n++] = tree;
	argv[n] = to;
	r = run(argv, d->seconds);
	free(tree);
	return r;
}

/* rsync 3.2.3 does not know it; at the other end that is an error of the stream. */
static bool
may_not_know(struct ran r)
{
	return r.how == RAN_EXIT && (r.code == 1 || r.code == 12);
}

/* Full disks and lost connections may be better next time. */
int
rsync_status(struct ran r)
{
	return host_unreached(r) || (r.how == RAN_EXIT && r.code == 11) ? EX_TEMP : EX_PERM;
}

/* One pass over what is listed; false after a complaint.  An empty list is done. */
bool
copy_pass(struct deploy *d, const char *host, struct words *list, const char *what,
    const char *const option[], bool sync)
{
	char *dir, *to, *text;
	struct ran r;

	if (list->n == 0)
		return true;
	if (write_list(list) == -1) {
		deploy_failed(d, EX_TEMP);
		return false;
	}
	dir = xasprintf("%s/", d->prod);
	to = host_path(host, dir);
	r = rsync(d, to, option, sync ? "--fsync" : NULL);
	if (sync && may_not_know(r))
		r = rsync(d, to, option, NULL);
	if (!ran_well(r)) {
		text = ran_text(r);
		complain("'%s': %s: rsync: %s", host, what, text);
		free(text);
		deploy_failed(d, rsync_status(r));
	}
	if (unlink(COPY_LIST) == -1 && errno != ENOENT)
		complain("cannot remove '%s':", COPY_LIST);
	free(to);
	free(dir);
	return ran_well(r);
}
