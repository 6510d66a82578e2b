/* dns_place.c: where a record has its place. */
#include "dns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_MS = 60000 };

bool
dns_plain(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= LDNS_MAX_DOMAINLEN && name[0] != '.' && strstr(name, "..") == NULL &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*.") == n;
}

char *
dns_canon(const char *name)
{
	char *s = xstrdup(name);
	size_t n = strlen(s);

	if (n > 1 && s[n - 1] == '.')
		s[n - 1] = '\0';
	for (char *p = s; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

bool
dns_below(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcmp(name + n - z, zone) == 0 && (n == z || name[n - z - 1] == '.');
}

char *
dns_text(const ldns_rdf *dname)
{
	char *s = dname == NULL ? NULL : ldns_rdf2str(dname), *text = NULL;

	if (s != NULL && dns_plain(s))
		text = dns_canon(s);
	free(s);
	return text;
}

/* Where the first CNAME of name leads; NULL if there is none, or, with *odd, if
 * that is no name for us.  The caller frees. */
static char *
cname_of(const ldns_pkt *answer, const char *name, bool *odd)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(answer);
	char *owner, *to = NULL;

	*odd = false;
	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs) && to == NULL && !*odd; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_CNAME || ldns_rr_rd_count(rr) != 1)
			continue;
		owner = dns_text(ldns_rr_owner(rr));
		if (owner != NULL && strcmp(owner, name) == 0) {
			to = dns_text(ldns_rr_rdf(rr, 0));
			*odd = to == NULL;
		}
		free(owner);
	}
	return to;
}

/* The owner of a SOA record in answer or authority that name is, or is below; the
 * caller frees. */
static char *
apex_of(const ldns_pkt *answer, const char *name)
{
	const ldns_rr_list *section[] = {ldns_pkt_answer(answer), ldns_pkt_authority(answer)};
	char *owner;

	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; i < ldns_rr_list_rr_count(section[s]); i++) {
			const ldns_rr *rr = ldns_rr_list_rr(section[s], i);

			if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA)
				continue;
			owner = dns_text(ldns_rr_owner(rr));
			if (owner != NULL && dns_below(name, owner))
				return owner;
			free(owner);
		}
	return NULL;
}

/* What is not settled yet of a place: the name that is asked for now. */
struct step {
	struct dns_place *place;
	char **why;		/* what is to be said of it */
	struct dns_lookup look;
	const char *name;
	bool done;
};

/* Ask for all that is not done, at the same time. */
static void
ask(const struct site *site, struct step *s, size_t n, ldns_rr_type type, int64_t until)
{
	struct dns_lookup *l = xmalloc(n * sizeof(*l));
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (!s[i].done)
			l[m++] = (struct dns_lookup){.name = s[i].name, .type = type,
			    .who = dns_who(site, dns_site_zone(site, s[i].name))};
	dns_look(l, m, until);
	for (size_t i = m = 0; i < n; i++)
		if (!s[i].done)
			s[i].look = l[m++];
	free(l);
}

/* It has no place, for this reason. */
static void
fail(struct step *s, char *why)
{
	struct dns_place *p = s->place;

	free(p->target);
	free(p->zone);
	free(*s->why);
	p->target = p->zone = NULL;
	*s->why = why;
}

/* A CNAME further; false if there is none, or it leads nowhere. */
static bool
follow(struct step *s, unsigned hops)
{
	struct dns_place *p = s->place;
	char *to;
	bool odd;

	if (s->look.answer == NULL) {
		*s->why = xasprintf("'%s' is taken to be no alias: %s", p->target, s->look.why);
		return false;
	}
	to = cname_of(s->look.answer, p->target, &odd);
	if (to != NULL && hops < DNS_CNAMES) {
		free(p->target);
		s->name = p->target = to;
		return true;
	}
	if (to != NULL)
		fail(s, xasprintf("'%s' is an alias that leads nowhere: a loop, or more than %d "
		    "CNAMEs", p->owner, DNS_CNAMES));
	else if (odd)
		fail(s, xasprintf("'%s' is an alias of a name that cannot be used", p->target));
	free(to);
	return false;
}

static void
find_targets(const struct site *site, struct step *s, size_t n, int64_t until)
{
	bool more = true;

	for (unsigned hops = 0; more; hops++) {
		more = false;
		ask(site, s, n, LDNS_RR_TYPE_CNAME, until);
		for (size_t i = 0; i < n; i++) {
			if (s[i].done)
				continue;
			s[i].done = !follow(&s[i], hops);
			more = more || !s[i].done;
			dns_look_free(&s[i].look, 1);
		}
	}
}

/* The apex, or a label less of the name to ask for; true when there is an end. */
static bool
climb(struct step *s)
{
	struct dns_place *p = s->place;
	const char *dot = strchr(s->name, '.');

	if (s->look.answer != NULL && (p->zone = apex_of(s->look.answer, s->name)) != NULL)
		return true;
	if (s->look.answer != NULL && dot != NULL) {
		s->name = dot + 1;
		return false;
	}
	fail(s, xasprintf("no zone is known for '%s': %s", p->target,
	    s->look.why != NULL ? s->look.why : "there is no SOA record"));
	return true;
}

static void
find_zones(const struct site *site, struct step *s, size_t n, int64_t until)
{
	const char *zone;
	bool more = false;

	for (size_t i = 0; i < n; i++) {
		struct dns_place *p = s[i].place;

		s[i].name = p->target;
		if (p->target != NULL && (zone = dns_site_zone(site, p->target)) != NULL)
			p->zone = xstrdup(zone);
		s[i].done = p->target == NULL || p->zone != NULL;
		more = more || !s[i].done;
	}
	while (more) {
		more = false;
		ask(site, s, n, LDNS_RR_TYPE_SOA, until);
		for (size_t i = 0; i < n; i++) {
			if (s[i].done)
				continue;
			s[i].done = climb(&s[i]);
			more = more || !s[i].done;
			dns_look_free(&s[i].look, 1);
		}
	}
}

void
dns_place_try(const struct site *site, struct dns_place *p, char **why, size_t n,
    int64_t until)
{
	struct step *s = xmalloc(n * sizeof(*s));

	for (size_t i = 0; i < n; i++) {
		bool plain = dns_plain(p[i].owner);

		p[i].target = plain ? dns_canon(p[i].owner) : NULL;
		p[i].zone = NULL;
		why[i] = plain ? NULL : xasprintf("'%s' is not a name for us", p[i].owner);
		s[i] = (struct step){.place = &p[i], .why = &why[i], .name = p[i].target,
		    .done = !plain};
	}
	find_targets(site, s, n, until);
	find_zones(site, s, n, until);
	free(s);
}

bool
dns_place(const struct site *site, struct dns_place *p, size_t n)
{
	char **why = xmalloc(n * sizeof(*why));
	bool ok = true;

	dns_place_try(site, p, why, n, dns_now() + PLACE_MS);
	for (size_t i = 0; i < n; i++) {
		if (why[i] != NULL)
			complain("%s", why[i]);
		free(why[i]);
		ok = ok && p[i].target != NULL;
	}
	free(why);
	return ok;
}
