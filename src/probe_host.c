/* probe_host.c: what is to be probed, and where it is. */
#include "probe.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53 };

/* "host", "host:port", "[address]:port" or a bare address, in *host and *port (0:
 * none); the caller frees. */
static char *
split(const char *arg, long *port)
{
	const char *colon = strrchr(arg, ':'), *end;
	bool bracket = arg[0] == '[';

	*port = 0;
	if (bracket && (end = strchr(arg, ']')) != NULL) {
		if (end[1] == ':')
			*port = num(end + 2, 1, UINT16_MAX, "port");
		else if (end[1] != '\0')
			die(EX_USE, "'%s': not a host and a port", arg);
		return xasprintf("%.*s", (int)(end - arg - 1), arg + 1);
	}
	if (colon == NULL || strchr(arg, ':') != colon)
		return xstrdup(arg);
	*port = num(colon + 1, 1, UINT16_MAX, "port");
	return xasprintf("%.*s", (int)(colon - arg), arg);
}

/* In the form in which names are compared. */
static char *
canon(const char *name)
{
	unsigned char ip[16];
	const char *why;
	char *s = name_canon(name, &why);

	if (s == NULL)
		die(EX_USE, "'%s': %s", name, why);
	if (strchr(s, '*') != NULL && name_ip(s, ip) == 0)
		die(EX_USE, "'%s': not the name of a host", name);
	return s;
}

void
probe_host_read(struct probe_host *h, const char *arg, const char *name,
    const struct talk_kind *kind)
{
	unsigned char ip[16];
	char *host;

	memset(h, 0, sizeof(*h));
	host = split(arg, &h->port);
	h->host = canon(host);
	free(host);
	h->name = name == NULL ? xstrdup(h->host) : canon(name);
	h->name_is_ip = name_ip(h->name, ip) > 0;
	if (h->port == 0)
		h->port = talk_port(kind == NULL ? talk_named("tls") : kind);
	h->kind = kind == NULL ? talk_of_port(h->port) : kind;
}

char *
probe_host_text(const struct probe_host *h)
{
	return xasprintf(strchr(h->host, ':') != NULL ? "[%s]:%ld" : "%s:%ld", h->host, h->port);
}

void
probe_host_free(struct probe_host *h)
{
	free(h->host);
	free(h->name);
	free(h->tlsa);
	ldns_pkt_free(h->answer);
}

/* ---- who is asked ---------------------------------------------------------------- */

static bool
on_this_machine(const struct dns_addr *a)
{
	if (a->at.any.sa_family == AF_INET)
		return ntohl(a->at.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&a->at.v6.sin6_addr);
}

void
probe_dns_find(struct probe_dns *d, const char *resolver)
{
	const struct dns_who *who;
	const char *mark;
	long port = DNS_PORT;
	char *host;

	d->n = 0;
	if (resolver != NULL) {
		mark = strchr(resolver, '#');
		host = mark == NULL ? xstrdup(resolver) :
		    xasprintf("%.*s", (int)(mark - resolver), resolver);
		if (mark != NULL)
			port = num(mark + 1, 1, UINT16_MAX, "port");
		if ((d->n = dns_addr_find(d->server, DNS_WHO_MAX, host, port)) == 0)
			die(EX_USE, "the resolver '%s' has no address", resolver);
		free(host);
		return;
	}
	who = dns_who(NULL, NULL);
	for (size_t i = 0; i < who->n; i++)
		if (on_this_machine(&who->server[i]))
			d->server[d->n++] = who->server[i];
	if (d->n == 0)
		die(EX_USE, "'/etc/resolv.conf' names no resolver on this machine, and another "
		    "one is trusted only with -r");
}

/* ---- addresses ------------------------------------------------------------------- */

static void
add(struct probe_host *h, int family, const void *ip, size_t len)
{
	struct dns_addr *a = &h->addr[h->naddr], new = {.len = 0};

	if (h->naddr == PROBE_ADDRS)
		return;
	if (family == AF_INET && len == sizeof(new.at.v4.sin_addr)) {
		new.len = sizeof(new.at.v4);
		new.at.v4.sin_family = AF_INET;
		new.at.v4.sin_port = htons((uint16_t)h->port);
		memcpy(&new.at.v4.sin_addr, ip, len);
	} else if (family == AF_INET6 && len == sizeof(new.at.v6.sin6_addr)) {
		new.len = sizeof(new.at.v6);
		new.at.v6.sin6_family = AF_INET6;
		new.at.v6.sin6_port = htons((uint16_t)h->port);
		memcpy(&new.at.v6.sin6_addr, ip, len);
	} else {
		return;
	}
	for (size_t i = 0; i < h->naddr; i++)
		if (dns_addr_same(&h->addr[i], &new))
			return;
	*a = new;
	h->naddr++;
}

static void
no_address(struct probe_host *h, const char *why)
{
	complain("the host '%s' has no address: %s", h->host, why);
	h->status = EX_TEMP;
}

/* The name is there, and has no address.  A zone's own name has TLSA records beside the
 * hosts of its MX records, and often no address: nobody can connect to it. */
static void
nowhere(struct probe_host *h, const char *why)
{
	if (!h->owner)
		no_address(h, why);
	else if (!h->quiet)
		complain("'%s' is passed over: it has no address", h->host);
}

/* A host that is itself an address. */
static bool
is_address(struct probe_host *h, int family)
{
	unsigned char ip[16];
	size_t len = name_ip(h->host, ip);
	int kind = len == 4 ? AF_INET : AF_INET6;

	if (len == 0)
		return false;
	if (family == AF_UNSPEC || family == kind)
		add(h, kind, ip, len);
	else
		no_address(h, "of that kind");
	return true;
}

/* ---- by the system */

static const struct addrinfo *
hints(int family)
{
	static struct addrinfo h = {.ai_socktype = SOCK_STREAM};

	h.ai_family = family;
	return &h;
}

static void
take_list(struct probe_host *h, const struct addrinfo *list)
{
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
		struct dns_addr a = {.len = 0};

		if (i->ai_addrlen > sizeof(a.at))
			continue;
		memcpy(&a.at, i->ai_addr, i->ai_addrlen);
		if (i->ai_family == AF_INET)
			add(h, AF_INET, &a.at.v4.sin_addr, sizeof(a.at.v4.sin_addr));
		else if (i->ai_family == AF_INET6)
			add(h, AF_INET6, &a.at.v6.sin6_addr, sizeof(a.at.v6.sin6_addr));
	}
}

/* All at once, and not longer than there is time: getaddrinfo(3) knows no end.  What
 * is still asked for then lives on until the end of the program, and so do the lists. */
static void
by_system(struct probe_host *h, size_t n, int family, int64_t until)
{
	struct gaicb *all = xmalloc(n * sizeof(*all));
	const struct gaicb **list = xmalloc(n * sizeof(*list));
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	struct timespec t;
	int64_t left;
	size_t m = 0;
	int why;

	memset(all, 0, n * sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		if (h[i].naddr > 0 || h[i].status != EX_YES)
			continue;
		all[i].ar_name = h[i].host;
		all[i].ar_request = hints(family);
		list[m++] = &all[i];
	}
	if (m > 0 && getaddrinfo_a(GAI_NOWAIT, (struct gaicb **)list, (int)m, &none) != 0)
		die(EX_TEMP, "the system cannot look up names now");
	for (size_t i = 0; i < m; i++) {
		while (gai_error((struct gaicb *)list[i]) == EAI_INPROGRESS &&
		    (left = until - dns_now()) > 0) {
			t = (struct timespec){left / 1000, left % 1000 * 1000000};
			gai_suspend(&list[i], 1, &t);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (all[i].ar_name == NULL)
			continue;
		if ((why = gai_error(&all[i])) == 0)
			take_list(&h[i], all[i].ar_result);
		if (h[i].naddr == 0 && why == EAI_NODATA)
			nowhere(&h[i], gai_strerror(why));
		else if (h[i].naddr == 0)
			no_address(&h[i], why == EAI_INPROGRESS ? "no answer in time" :
			    why == 0 ? "of that kind" : gai_strerror(why));
	}
	free(list);
}

/* ---- by a resolver of our choice */

static const ldns_rr_type addr_type[] = {LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_A};
enum { ADDR_TYPES = sizeof(addr_type) / sizeof(addr_type[0]) };

/* Whatever its owner: the resolver has followed the aliases. */
static void
take_answer(struct probe_host *h, const ldns_pkt *answer, ldns_rr_type type)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(answer);

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);

		if (ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) == 1)
			add(h, type == LDNS_RR_TYPE_A ? AF_INET : AF_INET6,
			    ldns_rdf_data(ldns_rr_rdf(rr, 0)), ldns_rdf_size(ldns_rr_rdf(rr, 0)));
	}
}

static const char no_record[] = "there is no such record";

/* The answers of all servers to one question: what the first says that has an answer. */
static const char *
take_first(struct probe_host *h, const struct dns_query *q, size_t n)
{
	const char *why = "there is no server to ask";
	ldns_pkt_rcode rcode;

	for (size_t i = 0; i < n; i++) {
		if (q[i].fate != DNS_ANSWER) {
			why = "the resolver does not answer";
			continue;
		}
		rcode = ldns_pkt_get_rcode(q[i].answer);
		if (rcode == LDNS_RCODE_NOERROR)
			take_answer(h, q[i].answer, q[i].type);
		if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN)
			return rcode == LDNS_RCODE_NXDOMAIN ? "there is no such name" :
			    no_record;
		why = rcode == LDNS_RCODE_SERVFAIL ? "the resolver says SERVFAIL" :
		    "the resolver refuses the question";
	}
	return why;
}

static void
by_resolver(struct probe_host *h, size_t n, int family, const struct probe_dns *d,
    int64_t until)
{
	struct dns_query *q = xmalloc(n * ADDR_TYPES * d->n * sizeof(*q));
	size_t m = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < ADDR_TYPES; t++)
			for (size_t s = 0; s < d->n; s++)
				if (h[i].naddr == 0 && h[i].status == EX_YES)
					q[m++] = (struct dns_query){.name = h[i].host,
					    .type = addr_type[t], .server = d->server[s],
					    .recurse = true};
	dns_ask(q, m, until);
	for (size_t i = 0; i < n; i++) {
		const char *why = NULL;
		bool none = family == AF_UNSPEC;

		if (h[i].naddr > 0 || h[i].status != EX_YES)
			continue;
		for (size_t t = 0; t < ADDR_TYPES; t++, at += d->n)
			if (family == AF_UNSPEC ||
			    family == (addr_type[t] == LDNS_RR_TYPE_A ? AF_INET : AF_INET6)) {
				why = take_first(&h[i], &q[at], d->n);
				none = none && why == no_record;
			}
		if (h[i].naddr == 0 && none)
			nowhere(&h[i], why);
		else if (h[i].naddr == 0)
			no_address(&h[i], why);
	}
	dns_free(q, m);
	free(q);
}

void
probe_addresses(struct probe_host *h, size_t n, int family, const struct probe_dns *d,
    int64_t until)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		left += !is_address(&h[i], family) && h[i].status == EX_YES;
	if (left == 0)
		return;
	if (d != NULL)
		by_resolver(h, n, family, d, until);
	else
		by_system(h, n, family, until);
}
