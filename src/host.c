/* host.c: other machines. */
#include "site.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { HOST_SIZE = 256 };

bool
host_safe(const char *host)
{
	unsigned char addr[16];

	if (name_ip(host, addr) != 0)
		return true;
	if (!isalnum((unsigned char)host[0]) || strlen(host) >= HOST_SIZE)
		return false;
	for (; *host != '\0'; host++)
		if ((unsigned char)*host >= 0x80 ||
		    (!isalnum((unsigned char)*host) && strchr("._-@", *host) == NULL))
			return false;
	return true;
}

bool
host_here(const char *host)
{
	char name[HOST_SIZE];
	size_t label;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (gethostname(name, sizeof(name)) == -1)
		return false;
	name[sizeof(name) - 1] = '\0';
	label = strcspn(name, ".");
	return strcasecmp(host, name) == 0 ||
	    (strlen(host) == label && strncasecmp(host, name, label) == 0);
}

char *
host_path(const char *host, const char *path)
{
	return xasprintf(strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, path);
}

bool
host_unreached(struct ran r)
{
	static const int code[] = {10, 12, 30, 35, 255};	/* rsync(1), ssh(1) */

	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		if (r.how == RAN_EXIT && r.code == code[i])
			return true;
	return r.how == RAN_LATE;
}
