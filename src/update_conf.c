/* update_conf.c: 'server[#port] keyfile', where updates go. */
#include "site.h"

#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53, PORT_MAX = 65535, HOST_MAX = 255 };

bool
update_server(const char *s, char **host, long *port)
{
	size_t n = strcspn(s, "#");
	char *end = NULL;

	*port = DNS_PORT;
	if (s[n] == '#') {
		*port = s[n + 1] >= '0' && s[n + 1] <= '9' ? strtol(s + n + 1, &end, 10) : 0;
		if (*port < 1 || *port > PORT_MAX || *end != '\0')
			return false;
	}
	/* Names, addresses, and the zone of an IPv6 address. */
	if (n == 0 || n > HOST_MAX || s[0] == '-' ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:%") != n)
		return false;
	*host = xasprintf("%.*s", (int)n, s);
	return true;
}

bool
update_parts(const char *update, char **server, char **keyfile)
{
	size_t n = strcspn(update, " \t"), gap = strspn(update + n, " \t");
	char *host;
	long port;

	*server = xasprintf("%.*s", (int)n, update);
	if (gap == 0 || update[n + gap] == '\0' || !update_server(*server, &host, &port)) {
		free(*server);
		return false;
	}
	free(host);
	*keyfile = xstrdup(update + n + gap);
	return true;
}
