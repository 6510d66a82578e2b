/* nscheck_apex.c: the records that make a zone what it is. */
#include "nscheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NS, SOA, TYPES };	/* what is asked for, at the apex */
static const ldns_rr_type apex_type[TYPES] = {LDNS_RR_TYPE_NS, LDNS_RR_TYPE_SOA};
static const ldns_rr_type addr_type[] = {LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_A};
enum { ADDR_TYPES = sizeof(addr_type) / sizeof(addr_type[0]) };

struct source {			/* of one zone's records */
	struct apex *apex;
	const struct dns_who *who;
	struct dns_who one;	/* the newest server, if who is that */
	ldns_pkt *answer[TYPES];
	const char *what;
};

static void
fail(struct apex *a, char *why)
{
	free(a->why);
	a->why = why;
}

/* ---- who has the records ---------------------------------------------------------- */

/* Is a newer than b, by RFC 1982? */
static bool
newer(uint32_t a, uint32_t b)
{
	return a != b && a - b < UINT32_C(1) << 31;
}

/* The server of a zone whose SOA record is the newest; q has TYPES questions for each. */
static void
take_newest(struct source *s, const struct dns_zone *z, struct dns_query *q)
{
	const ldns_rr *soa, *best = NULL;
	size_t at = 0;

	for (size_t i = 0; i < z->n; i++) {
		struct dns_query *one = &q[i * TYPES];

		if (!dns_tells(&one[NS]) || !dns_tells(&one[SOA]) ||
		    (soa = dns_first(one[SOA].answer, z->apex, LDNS_RR_TYPE_SOA)) == NULL)
			continue;
		if (best == NULL || newer(dns_serial(soa), dns_serial(best))) {
			best = soa;
			at = i;
		}
	}
	if (best == NULL) {
		fail(s->apex, z->why != NULL ? xstrdup(z->why) :
		    xasprintf("none of the servers of the zone '%s' has it", z->apex));
		return;
	}
	for (size_t t = 0; t < TYPES; t++) {
		s->answer[t] = q[at * TYPES + t].answer;
		q[at * TYPES + t].answer = NULL;
	}
	s->one = (struct dns_who){.n = 1, .server = {z->ns[at].addr}};
	s->who = &s->one;
	s->what = "newest";
}

/* Of zones that no primary is known of: ask all their servers. */
static void
find_newest(const struct site *site, struct source **s, size_t n, long port, int64_t until)
{
	struct dns_zone *z = xmalloc(n * sizeof(*z));
	struct dns_query *q = NULL;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		z[i] = (struct dns_zone){.apex = s[i]->apex->name, .some = true};
	dns_zones(site, z, n, port, until);
	for (size_t i = 0; i < n; i++) {
		q = xreallocarray(q, m + z[i].n * TYPES + 1, sizeof(*q));
		for (size_t a = 0; a < z[i].n; a++)
			for (size_t t = 0; t < TYPES; t++)
				q[m++] = (struct dns_query){.name = z[i].apex,
				    .type = apex_type[t], .server = z[i].ns[a].addr};
	}
	dns_ask(q, m, until);
	for (size_t i = 0, at = 0; i < n; i++) {
		take_newest(s[i], &z[i], &q[at]);
		at += z[i].n * TYPES;
	}
	dns_free(q, m);
	free(q);
	dns_zones_free(z, n);
	free(z);
}

/* What the primaries say; the others are added to rest. */
static size_t
find_primary(struct source *s, size_t n, struct source **rest,
    int64_t until)
{
	struct dns_lookup *l = xmalloc(n * TYPES * sizeof(*l)), *one;
	size_t m = 0;

	for (size_t i = 0; i < n * TYPES; i++)
		l[i] = (struct dns_lookup){.name = s[i / TYPES].apex->name,
		    .type = apex_type[i % TYPES], .who = s[i / TYPES].who};
	dns_look(l, n * TYPES, until);
	for (size_t i = 0; i < n; i++) {
		one = &l[i * TYPES];
		if (one[NS].answer == NULL || one[SOA].answer == NULL) {
			fail(s[i].apex, xasprintf("the zone '%s' cannot be asked for: %s",
			    s[i].apex->name, one[one[NS].answer == NULL ? NS : SOA].why));
		} else if (one[NS].recursed || one[SOA].recursed) {
			rest[m++] = &s[i];
		} else {
			for (size_t t = 0; t < TYPES; t++) {
				s[i].answer[t] = one[t].answer;
				one[t].answer = NULL;
			}
			s[i].what = "primary";
		}
	}
	dns_look_free(l, n * TYPES);
	free(l);
	return m;
}

/* ---- and what they are -------------------------------------------------------------- */

/* Add the records at an owner; how many. */
static size_t
put(FILE *f, const ldns_pkt *answer, const char *owner, ldns_rr_type type)
{
	ldns_rdf *name = ldns_dname_new_frm_str(owner);
	ldns_rr_list *set;
	size_t n;

	if (name == NULL || dns_first(answer, owner, type) == NULL) {
		ldns_rdf_deep_free(name);
		return 0;
	}
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(answer)); i++)
		ldns_dname2canonical(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_answer(answer), i)));
	set = dns_rrset(ldns_pkt_answer(answer), name, type);
	n = ldns_rr_list_rr_count(set);
	for (size_t i = 0; i < n; i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(set, i));

		for (char *tab = text; tab != NULL && (tab = strchr(tab, '\t')) != NULL;)
			*tab = ' ';
		fprintf(f, "%s", text != NULL ? text : "");
		free(text);
	}
	ldns_rr_list_free(set);
	ldns_rdf_deep_free(name);
	return n;
}

/* The addresses of servers that are in the zone itself. */
static void
put_hosts(FILE *f, const struct source *s, int64_t until)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(s->answer[NS]);
	struct dns_lookup l[DNS_HOSTS * ADDR_TYPES];
	char *host[DNS_HOSTS];
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs) && n < DNS_HOSTS; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_NS || ldns_rr_rd_count(rr) != 1 ||
		    (host[n] = dns_text(ldns_rr_rdf(rr, 0))) == NULL)
			continue;
		if (!dns_below(host[n], s->apex->name)) {
			free(host[n]);
			continue;
		}
		for (size_t t = 0; t < ADDR_TYPES; t++)
			l[n * ADDR_TYPES + t] = (struct dns_lookup){.name = host[n],
			    .type = addr_type[t], .who = s->who};
		n++;
	}
	dns_look(l, n * ADDR_TYPES, until);
	for (size_t i = 0; i < n * ADDR_TYPES; i++)
		if (l[i].answer != NULL)
			put(f, l[i].answer, l[i].name, l[i].type);
	dns_look_free(l, n * ADDR_TYPES);
	for (size_t i = 0; i < n; i++)
		free(host[i]);
}

static void
take_lines(struct source *s, int64_t until)
{
	struct apex *a = s->apex;
	size_t len, has[TYPES];
	char *text;
	FILE *f;

	if (a->why != NULL)
		return;
	if ((f = open_memstream(&text, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t t = 0; t < TYPES; t++)
		has[t] = put(f, s->answer[t], a->name, apex_type[t]);
	put_hosts(f, s, until);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	if (has[NS] == 0 || has[SOA] != 1) {
		fail(a, xasprintf("'%s' is not a zone: it has no %s records", a->name,
		    has[NS] == 0 ? "NS" : "SOA"));
		free(text);
		return;
	}
	free(a->lines);
	a->lines = text;
	a->source = s->what;
}

void
apex_find(const struct site *site, struct apex *a, size_t n, long port, int64_t until)
{
	struct source *s = xmalloc(n * sizeof(*s)), **rest = xmalloc(n * sizeof(struct source *));
	size_t m;

	for (size_t i = 0; i < n; i++) {
		s[i] = (struct source){.apex = &a[i], .who = dns_who(site, a[i].name)};
		fail(&a[i], NULL);
	}
	m = find_primary(s, n, rest, until);
	find_newest(site, rest, m, port, until);
	for (size_t i = 0; i < n; i++) {
		take_lines(&s[i], until);
		for (size_t t = 0; t < TYPES; t++)
			ldns_pkt_free(s[i].answer[t]);
	}
	free(rest);
	free(s);
}

void
apex_free(struct apex *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(a[i].name);
		free(a[i].lines);
		free(a[i].why);
	}
}
