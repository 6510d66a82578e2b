/* group.c: the group that may read production. */
#include "site.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <string.h>

enum { GROUP_MAX = 64 };	/* octets in a name */

bool
group_safe(const char *name)
{
	size_t n = strspn(name,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-");

	return (isalpha((unsigned char)name[0]) || name[0] == '_') && name[n] == '\0' &&
	    n <= GROUP_MAX;
}

bool
group_find(const char *name, gid_t *gid, int *status)
{
	const struct group *g;

	errno = 0;
	if ((g = getgrnam(name)) != NULL) {
		*gid = g->gr_gid;
		return true;
	}
	/* What else getgrnam(3) may say of a name that is in no list. */
	if (errno == 0 || errno == ENOENT || errno == ESRCH || errno == EBADF ||
	    errno == EPERM) {
		complain("%s: 'prod_group': there is no group '%s' here", SITE_CONF, name);
		*status = EX_USE;
	} else {
		complain("cannot find out about group '%s':", name);
		*status = EX_TEMP;
	}
	return false;
}
