/*
 * deploy_group.c: prod_group on other machines, by its name.  rsync alone will not do:
 * if there is no such group there, or if who is logged in may not give files to it, it
 * leaves them with another one, opens them to that, and is content.
 */
#include "deploy.h"

#include <stdlib.h>

enum { NO_SUCH_GROUP = 3, NO_MEMBER = 4 };	/* exit statuses of ask */

/* For sh, which has the name as its argument. */
static const char ask[] = "sh -c '"
    "find / -prune -group \"$1\" >/dev/null 2>&1 || exit 3; "
    "[ \"$(id -u)\" -eq 0 ] || id -Gn | tr \" \" \"\\n\" | grep -qxF -e \"$1\" || exit 4"
    "' sh";

int
group_there(struct deploy *d, const char *host)
{
	const char *group = d->site.prod_group;
	char *cmd, *text;
	struct ran r;
	int ret;

	if (group == NULL)
		return EX_YES;
	/* group_safe() has seen to it that nothing has to be quoted. */
	cmd = xasprintf("%s %s", ask, group);
	r = run((const char *const[]){"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
	    "-n", "--", host, cmd, NULL}, d->seconds);
	ret = ran_well(r) ? EX_YES : host_unreached(r) ? EX_TEMP : EX_PERM;
	if (r.how == RAN_EXIT && r.code == NO_SUCH_GROUP) {
		complain("'%s': prod_group: there is no group '%s' there", host, group);
	} else if (r.how == RAN_EXIT && r.code == NO_MEMBER) {
		complain("'%s': prod_group: who is logged in there is not in group '%s', "
		    "and cannot give files to it", host, group);
	} else if (ret != EX_YES) {
		text = ran_text(r);
		complain("'%s': prod_group: ssh: %s", host, text);
		free(text);
	}
	if (ret != EX_YES)
		deploy_failed(d, ret);
	free(cmd);
	return ret;
}

char *
group_map(const struct deploy *d)
{
	const char *group = d->site.prod_group;

	return group != NULL ? xasprintf("--groupmap=*:%s", group) : NULL;
}
