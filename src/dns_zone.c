/* dns_zone.c: the servers of a zone. */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

/* A host that a zone names, and what is asked about it. */
struct host {
	struct dns_zone *zone;
	char *name;
};

static const ldns_rr_type addr_type[] = {LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_A};
enum { ADDR_TYPES = sizeof(addr_type) / sizeof(addr_type[0]) };

/* The record is of that type, and at that owner. */
static bool
is_at(const ldns_rr *rr, ldns_rr_type type, const char *owner)
{
	char *s;
	bool same;

	if (ldns_rr_get_type(rr) != type || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
	    ldns_rr_rd_count(rr) != 1)
		return false;
	s = dns_text(ldns_rr_owner(rr));
	same = s != NULL && strcmp(s, owner) == 0;
	free(s);
	return same;
}

/* The hosts of a zone's NS records, after the n that there are. */
static size_t
add_hosts(struct host **hosts, size_t n, struct dns_zone *z, const ldns_pkt *answer)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(answer);
	size_t first = n;
	char *name;

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs) && n - first < DNS_HOSTS; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);

		if (!is_at(rr, LDNS_RR_TYPE_NS, z->apex) ||
		    (name = dns_text(ldns_rr_rdf(rr, 0))) == NULL)
			continue;
		*hosts = xreallocarray(*hosts, n + 1, sizeof(**hosts));
		(*hosts)[n++] = (struct host){z, name};
	}
	if (n == first)
		z->why = xasprintf("the zone '%s' has no NS records", z->apex);
	return n;
}

static void
add_addr(struct host *h, const struct dns_addr *a)
{
	struct dns_zone *z = h->zone;

	for (size_t i = 0; i < z->n; i++)
		if (dns_addr_same(&z->ns[i].addr, a))
			return;
	z->ns = xreallocarray(z->ns, z->n + 1, sizeof(*z->ns));
	z->ns[z->n++] = (struct dns_ns){.host = xstrdup(h->name), .addr = *a};
}

/* The addresses of an answer; how many. */
static size_t
add_answer(struct host *h, const ldns_pkt *answer, ldns_rr_type type, long port)
{
	const ldns_rr_list *rrs = answer == NULL ? NULL : ldns_pkt_answer(answer);
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs) && n < DNS_HOST_ADDRS; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);
		const ldns_rdf *rd;
		struct dns_addr a = {.len = 0};

		if (!is_at(rr, type, h->name))
			continue;
		rd = ldns_rr_rdf(rr, 0);
		if (type == LDNS_RR_TYPE_A && ldns_rdf_size(rd) == sizeof(a.at.v4.sin_addr)) {
			a.len = sizeof(a.at.v4);
			a.at.v4.sin_family = AF_INET;
			a.at.v4.sin_port = htons((uint16_t)port);
			memcpy(&a.at.v4.sin_addr, ldns_rdf_data(rd), ldns_rdf_size(rd));
		} else if (ldns_rdf_size(rd) == sizeof(a.at.v6.sin6_addr)) {
			a.len = sizeof(a.at.v6);
			a.at.v6.sin6_family = AF_INET6;
			a.at.v6.sin6_port = htons((uint16_t)port);
			memcpy(&a.at.v6.sin6_addr, ldns_rdf_data(rd), ldns_rdf_size(rd));
		} else {
			continue;
		}
		add_addr(h, &a);
		n++;
	}
	return n;
}

static void
free_ns(struct dns_zone *z)
{
	for (size_t i = 0; i < z->n; i++) {
		dns_keys_free(&z->ns[i].keys);
		free(z->ns[i].host);
	}
	free(z->ns);
	z->ns = NULL;
	z->n = 0;
}

/* All addresses of a host; without one its zone is at fault. */
static void
add_all(struct host *h, const struct dns_lookup *l, long port, int64_t until)
{
	struct dns_addr a[DNS_HOST_ADDRS];
	struct dns_zone *z = h->zone;
	size_t n = 0;

	for (size_t t = 0; t < ADDR_TYPES; t++)
		n += add_answer(h, l[t].answer, addr_type[t], port);
	if (n == 0 && dns_now() < until) {	/* the system takes its time */
		n = dns_addr_find(a, DNS_HOST_ADDRS, h->name, port);
		for (size_t i = 0; i < n; i++)
			add_addr(h, &a[i]);
	}
	if (n == 0 && z->why == NULL)
		z->why = xasprintf("the name server '%s' of the zone '%s' has no address", h->name,
		    z->apex);
}

static void
find_addresses(const struct site *site, struct host *h, size_t n, long port, int64_t until)
{
	struct dns_lookup *l = xmalloc(n * ADDR_TYPES * sizeof(*l));

	for (size_t i = 0; i < n; i++) {
		const char *zone = dns_site_zone(site, h[i].name);
		const struct dns_who *who = dns_who(site, zone != NULL ? zone : h[i].zone->apex);

		for (size_t t = 0; t < ADDR_TYPES; t++)
			l[i * ADDR_TYPES + t] = (struct dns_lookup){.name = h[i].name,
			    .type = addr_type[t], .who = who};
	}
	dns_look(l, n * ADDR_TYPES, until);
	for (size_t i = 0; i < n; i++)
		add_all(&h[i], &l[i * ADDR_TYPES], port, until);
	dns_look_free(l, n * ADDR_TYPES);
	free(l);
}

void
dns_zones(const struct site *site, struct dns_zone *z, size_t n, long port, int64_t until)
{
	struct dns_lookup *l = xmalloc(n * sizeof(*l));
	struct host *hosts = NULL;
	size_t nhosts = 0;

	for (size_t i = 0; i < n; i++) {
		z[i].ns = NULL;
		z[i].n = 0;
		z[i].why = NULL;
		l[i] = (struct dns_lookup){.name = z[i].apex, .type = LDNS_RR_TYPE_NS,
		    .who = dns_who(site, z[i].apex)};
	}
	dns_look(l, n, until);
	for (size_t i = 0; i < n; i++)
		if (l[i].answer != NULL)
			nhosts = add_hosts(&hosts, nhosts, &z[i], l[i].answer);
		else
			z[i].why = xasprintf("the name servers of the zone '%s' are not known: %s",
			    z[i].apex, l[i].why);
	dns_look_free(l, n);
	free(l);
	find_addresses(site, hosts, nhosts, port, until);
	for (size_t i = 0; i < n; i++)
		if (z[i].why != NULL && !z[i].some)
			free_ns(&z[i]);
	for (size_t i = 0; i < nhosts; i++)
		free(hosts[i].name);
	free(hosts);
}

void
dns_zones_free(struct dns_zone *z, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free_ns(&z[i]);
		free(z[i].why);
		z[i].why = NULL;
	}
}
