/* dns_addr.c: addresses of servers. */
#include "dns.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
dns_addr_text(const struct dns_addr *a)
{
	enum { TURNS = 4, PORT_SIZE = sizeof("#65535"), DNS_PORT = 53 };
	static char text[TURNS][NI_MAXHOST + PORT_SIZE];
	static unsigned turn;
	char *t = text[turn++ % TURNS], port[NI_MAXSERV];
	size_t len;

	if (getnameinfo(&a->at.any, a->len, t, NI_MAXHOST, port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return "an unknown address";
	len = strlen(t);
	if (strtol(port, NULL, 10) != DNS_PORT)
		snprintf(t + len, sizeof(text[0]) - len, "#%s", port);
	return t;
}

bool
dns_addr_same(const struct dns_addr *a, const struct dns_addr *b)
{
	if (a->at.any.sa_family != b->at.any.sa_family)
		return false;
	if (a->at.any.sa_family == AF_INET)
		return a->at.v4.sin_port == b->at.v4.sin_port &&
		    a->at.v4.sin_addr.s_addr == b->at.v4.sin_addr.s_addr;
	return a->at.v6.sin6_port == b->at.v6.sin6_port &&
	    a->at.v6.sin6_scope_id == b->at.v6.sin6_scope_id &&
	    memcmp(&a->at.v6.sin6_addr, &b->at.v6.sin6_addr, sizeof(a->at.v6.sin6_addr)) == 0;
}

size_t
dns_addr_find(struct dns_addr *a, size_t max, const char *host, long port)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *list;
	char service[24];
	size_t n = 0;

	snprintf(service, sizeof(service), "%ld", port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return 0;
	for (const struct addrinfo *i = list; i != NULL && n < max; i = i->ai_next) {
		if ((i->ai_family != AF_INET && i->ai_family != AF_INET6) ||
		    i->ai_addrlen > sizeof(a->at))
			continue;
		memset(&a[n], 0, sizeof(a[n]));
		memcpy(&a[n].at, i->ai_addr, i->ai_addrlen);
		a[n++].len = i->ai_addrlen;
	}
	freeaddrinfo(list);
	return n;
}
