/* dns_who.c: who is asked about a zone. */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RESOLVERS = 3, PRIMARY_ADDRS = 4, DNS_PORT = 53 };

static void
add(struct dns_who *who, const struct dns_addr *a, size_t n, bool recurse)
{
	for (size_t i = 0; i < n && who->n < DNS_WHO_MAX; i++) {
		who->server[who->n] = a[i];
		who->recurse[who->n++] = recurse;
	}
}

/* The first servers of resolv.conf(5); none is the local one, as libc has it. */
static void
add_resolvers(struct dns_who *who)
{
	char *text = slurp_try("/etc/resolv.conf", NULL), *line, *rest = text, *word, *save;
	struct dns_addr a[RESOLVERS];
	size_t n = 0;

	while (text != NULL && n < RESOLVERS && (line = strsep(&rest, "\n")) != NULL) {
		if ((word = strtok_r(line, " \t\r", &save)) == NULL ||
		    strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r", &save);
		/* An address: nothing that would have to be asked for. */
		if (word != NULL && strspn(word, "0123456789.") == strlen(word))
			n += dns_addr_find(&a[n], 1, word, DNS_PORT);
		else if (word != NULL && strchr(word, ':') != NULL)
			n += dns_addr_find(&a[n], 1, word, DNS_PORT);
	}
	free(text);
	if (n == 0)
		n = dns_addr_find(a, 1, "127.0.0.1", DNS_PORT);
	add(who, a, n, true);
}

static bool
is_default(const char *domain)
{
	return strcmp(domain, "*") == 0 || strcasecmp(domain, "default") == 0;
}

static const struct primary *
find_primary(const struct site *site, const char *zone)
{
	const struct primary *found = NULL;

	for (size_t i = 0; site != NULL && i < site->nprimary; i++) {
		const struct primary *p = &site->primary[i];
		char *domain = dns_canon(p->domain);
		bool same = zone != NULL && !is_default(domain) && strcmp(domain, zone) == 0;

		if (found == NULL && is_default(domain))
			found = p;
		free(domain);
		if (same)
			return p;
	}
	return found;
}

const char *
dns_site_zone(const struct site *site, const char *name)
{
	const char *best = NULL;

	for (size_t i = 0; site != NULL && i < site->n + site->nprimary; i++) {
		bool group = i < site->n;
		char *domain = dns_canon(group ? site->id[i].group :
		    site->primary[i - site->n].domain);

		/* The group of the CAs is not the zone of Canada. */
		if (!(group ? strcmp(domain, "ca") == 0 : is_default(domain)) &&
		    dns_below(name, domain) && (best == NULL || strlen(domain) > strlen(best)))
			best = name + strlen(name) - strlen(domain);
		free(domain);
	}
	return best;
}

/* What has been found for a primary (NULL: none), and whether the resolvers come
 * after it. */
struct known {
	struct known *next;
	const struct primary *primary;
	bool resolvers;
	struct dns_who who;
};

const struct dns_who *
dns_who(const struct site *site, const char *zone)
{
	static struct known *all;
	const struct primary *p = find_primary(site, zone);
	struct dns_addr a[PRIMARY_ADDRS];
	const char *ours = zone == NULL ? NULL : dns_site_zone(site, zone);
	bool resolvers = p == NULL || ours == NULL || strcmp(ours, zone) != 0;
	struct known *k;
	size_t n;

	for (k = all; k != NULL; k = k->next)
		if (k->primary == p && k->resolvers == resolvers)
			return &k->who;
	k = xmalloc(sizeof(*k));
	*k = (struct known){.next = all, .primary = p, .resolvers = resolvers};
	all = k;
	if (p != NULL) {
		if ((n = dns_addr_find(a, PRIMARY_ADDRS, p->server, p->port)) == 0)
			complain("the primary name server '%s' has no address", p->server);
		add(&k->who, a, n, false);
	}
	if (resolvers)
		add_resolvers(&k->who);
	return &k->who;
}

/* What one server is to blame for, behind what others are. */
static void
blame(struct dns_lookup *l, const struct dns_query *q, const char *what, const char *more)
{
	char *before = l->why;

	l->why = xasprintf("%s%s%s %s%s", before != NULL ? before : "", before != NULL ? ", " : "",
	    dns_addr_text(&q->server), what, more);
	free(before);
}

/* Take an answer of a server that knows, or say why it is none. */
static void
settle(struct dns_lookup *l, struct dns_query *q)
{
	ldns_pkt_rcode rcode;

	if (dns_tells(q)) {
		l->answer = q->answer;
		l->recursed = q->recurse;
		q->answer = NULL;
		free(l->why);
		l->why = NULL;
		return;
	}
	if (q->fate != DNS_ANSWER) {
		blame(l, q, q->why, "");
		return;
	}
	rcode = ldns_pkt_get_rcode(q->answer);
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		blame(l, q, "answers ", dns_rcode(q->answer));
	else
		blame(l, q, "is not authoritative", "");
}

void
dns_look(struct dns_lookup *l, size_t n, int64_t until)
{
	struct dns_query *q = xmalloc(n * sizeof(*q));
	size_t *of = xmalloc(n * sizeof(*of)), m = 1;

	for (size_t i = 0; i < n; i++) {
		l[i].answer = NULL;
		l[i].why = l[i].who->n > 0 ? NULL : xstrdup("there is no server to ask");
	}
	for (size_t turn = 0; turn < DNS_WHO_MAX && m > 0; turn++) {
		m = 0;
		for (size_t i = 0; i < n; i++) {
			if (l[i].answer != NULL || turn >= l[i].who->n)
				continue;
			q[m] = (struct dns_query){.name = l[i].name, .type = l[i].type,
			    .server = l[i].who->server[turn],
			    .recurse = l[i].who->recurse[turn], .dnssec = l[i].dnssec};
			of[m++] = i;
		}
		dns_ask(q, m, until);
		for (size_t i = 0; i < m; i++)
			settle(&l[of[i]], &q[i]);
		dns_free(q, m);
	}
	free(of);
	free(q);
}

void
dns_look_free(struct dns_lookup *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ldns_pkt_free(l[i].answer);
		free(l[i].why);
		l[i].answer = NULL;
		l[i].why = NULL;
	}
}
