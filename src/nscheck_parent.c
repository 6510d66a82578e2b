/* nscheck_parent.c: what the zones above say. */
#include "nscheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dns_set *
find_set(const struct dns_lines *l, const char *owner, ldns_rr_type type)
{
	for (size_t i = 0; i < l->nset; i++)
		if (l->set[i].type == type && strcmp(l->set[i].owner, owner) == 0)
			return &l->set[i];
	return NULL;
}

/* ---- who can be asked ------------------------------------------------------------- */

/* Find the zones above, and their servers. */
static void
find_parents(const struct site *site, struct parent *p, size_t n, long port, int64_t until)
{
	struct dns_place *place = xmalloc(n * sizeof(*place));
	struct dns_zone *z = xmalloc(n * sizeof(*z));
	char **why = xmalloc(n * sizeof(*why));
	size_t *of = xmalloc(n * sizeof(*of)), m = 0, known = 0;

	for (size_t i = 0; i < n; i++) {
		const char *dot = strchr(p[i].name, '.');

		p[i].zone = (struct dns_zone){.apex = NULL};
		p[i].view = NULL;
		if (dot == NULL) {
			p[i].zone.why = xstrdup("the root is not asked");
			continue;
		}
		of[m] = i;
		place[m++] = (struct dns_place){.owner = dot + 1};
	}
	dns_place_try(site, place, why, m, until);
	for (size_t i = 0; i < m; i++) {
		free(place[i].target);
		if (place[i].zone == NULL) {
			p[of[i]].zone.why = why[i];
			continue;
		}
		free(why[i]);
		of[known] = of[i];
		z[known++] = (struct dns_zone){.apex = place[i].zone, .some = true};
	}
	dns_zones(site, z, known, port, until);
	for (size_t i = 0; i < known; i++)
		p[of[i]].zone = z[i];
	free(of);
	free(why);
	free(z);
	free(place);
}

/* ---- what they say ------------------------------------------------------------------ */

/* The NS records of a zone in an answer or referral. */
static ldns_rr_list *
delegation(const ldns_pkt *answer, const ldns_rdf *zone)
{
	const ldns_rr_list *section[] = {ldns_pkt_answer(answer), ldns_pkt_authority(answer)};
	ldns_rr_list *set = NULL;

	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < ldns_rr_list_rr_count(section[s]); i++)
			ldns_rr2canonical(ldns_rr_list_rr(section[s], i));
		set = dns_rrset(section[s], zone, LDNS_RR_TYPE_NS);
		if (ldns_rr_list_rr_count(set) > 0 || s == 1)
			break;
		ldns_rr_list_free(set);
	}
	return set;
}

static void
add(FILE *f, const char *what, const char *name)
{
	fprintf(f, "%s%s", ftell(f) > 0 ? "\n" : "", what);
	fprintf(f, " '%s'", name);
}

static void
add_rr(FILE *f, const char *what, const ldns_rr *rr)
{
	char *text = ldns_rr2str(rr);

	if (text == NULL)
		return;
	text[strcspn(text, "\n")] = '\0';
	for (char *tab = text; (tab = strchr(tab, '\t')) != NULL;)
		*tab = ' ';
	fprintf(f, "%s%s: %s", ftell(f) > 0 ? "\n" : "", what, text);
	free(text);
}

static bool
same_data(const ldns_rr *a, const ldns_rr *b)
{
	return ldns_rr_rd_count(a) == 1 && ldns_rr_rd_count(b) == 1 &&
	    ldns_rdf_compare(ldns_rr_rdf(a, 0), ldns_rr_rdf(b, 0)) == 0;
}

static bool
list_has(const ldns_rr_list *l, const ldns_rr *rr)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(l); i++)
		if (same_data(ldns_rr_list_rr(l, i), rr))
			return true;
	return false;
}

static bool
set_has(const struct dns_set *set, const ldns_rr *rr)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (same_data(set->line[i]->rr, rr))
			return true;
	return false;
}

/* The addresses that the parent has of a server in the zone, which has to have one;
 * how many. */
static size_t
compare_glue(FILE *f, const struct dns_lines *l, const ldns_pkt *answer, const char *host,
    ldns_rr_type type)
{
	ldns_rr_list *extra = ldns_pkt_additional(answer), *glue;
	const struct dns_set *set = find_set(l, host, type);
	ldns_rdf *name = ldns_dname_new_frm_str(host);
	size_t n;

	if (name == NULL)
		return 0;
	for (size_t i = 0; i < ldns_rr_list_rr_count(extra); i++)
		ldns_dname2canonical(ldns_rr_owner(ldns_rr_list_rr(extra, i)));
	glue = dns_rrset(extra, name, type);
	n = ldns_rr_list_rr_count(glue);
	for (size_t i = 0; i < n; i++)
		if (!set_has(set, ldns_rr_list_rr(glue, i)))
			add_rr(f, "has glue that the zone has not", ldns_rr_list_rr(glue, i));
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (!list_has(glue, set->line[i]->rr))
			add_rr(f, "lacks the glue", set->line[i]->rr);
	ldns_rr_list_free(glue);
	ldns_rdf_deep_free(name);
	return n;
}

/* What a server says that is not as the zone has it. */
static void
compare(FILE *f, const char *zone, const struct dns_lines *l, const ldns_pkt *answer,
    const ldns_rr_list *ns)
{
	const struct dns_set *set = find_set(l, zone, LDNS_RR_TYPE_NS);
	char *host;

	for (size_t i = 0; i < ldns_rr_list_rr_count(ns); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ns, i);

		host = ldns_rr_rd_count(rr) == 1 ? dns_text(ldns_rr_rdf(rr, 0)) : NULL;
		if (!set_has(set, rr))
			add(f, "delegates the zone to a server that the zone does not name:",
			    host != NULL ? host : "?");
		else if (host != NULL && !ldns_pkt_aa(answer) && dns_below(host, zone) &&
		    compare_glue(f, l, answer, host, LDNS_RR_TYPE_A) +
		    compare_glue(f, l, answer, host, LDNS_RR_TYPE_AAAA) == 0)
			add(f, "has no glue for", host);
		free(host);
	}
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		if (list_has(ns, set->line[i]->rr))
			continue;
		host = dns_text(ldns_rr_rdf(set->line[i]->rr, 0));
		add(f, "does not delegate the zone to", host != NULL ? host : "?");
		free(host);
	}
}

static void
judge(const struct parent *p, struct parent_view *v, const struct dns_query *q,
    const struct dns_lines *l)
{
	ldns_rdf *zone = ldns_dname_new_frm_str(p->name);
	ldns_pkt_rcode rcode;
	ldns_rr_list *ns;
	size_t len;
	FILE *f;

	if (zone == NULL || q->fate != DNS_ANSWER ||
	    find_set(l, p->name, LDNS_RR_TYPE_NS) == NULL) {
		ldns_rdf_deep_free(zone);
		return;
	}
	if ((f = open_memstream(&v->fault, &len)) == NULL)
		die(EX_TEMP, "out of memory");
	rcode = ldns_pkt_get_rcode(q->answer);
	ns = delegation(q->answer, zone);
	v->told = (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) &&
	    (ldns_pkt_aa(q->answer) || ldns_rr_list_rr_count(ns) > 0);
	if (v->told && ldns_rr_list_rr_count(ns) == 0)
		add(f, "does not delegate the zone", p->name);
	else if (v->told)
		compare(f, p->name, l, q->answer, ns);
	ldns_rr_list_free(ns);
	ldns_rdf_deep_free(zone);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	if (len == 0) {
		free(v->fault);
		v->fault = NULL;
	}
}

bool
parents_ask(const struct site *site, struct parent *p, size_t n, const struct dns_lines *l,
    long port, int64_t until)
{
	struct dns_query *q = NULL;
	size_t m = 0;
	bool ok = true;

	find_parents(site, p, n, port, until);
	for (size_t i = 0; i < n; i++) {
		q = xreallocarray(q, m + p[i].zone.n + 1, sizeof(*q));
		for (size_t s = 0; s < p[i].zone.n; s++)
			q[m++] = (struct dns_query){.name = p[i].name, .type = LDNS_RR_TYPE_NS,
			    .server = p[i].zone.ns[s].addr};
	}
	dns_ask(q, m, until);
	for (size_t i = m = 0; i < n; i++) {
		p[i].view = xmalloc((p[i].zone.n + 1) * sizeof(*p[i].view));
		for (size_t s = 0; s < p[i].zone.n; s++) {
			p[i].view[s] = (struct parent_view){.told = false};
			judge(&p[i], &p[i].view[s], &q[m++], l);
			ok = ok && p[i].view[s].fault == NULL;
		}
	}
	dns_free(q, m);
	free(q);
	return ok;
}

/* ---- and how it is told ------------------------------------------------------------- */

/* The faults of a server, but for those that another one before it has; how many have
 * it is told. */
static void
report(const struct parent *p, size_t s)
{
	const char *fault = p->view[s].fault, *end;
	char more[48] = "";
	size_t same = 0;

	for (size_t i = 0; i < p->zone.n; i++) {
		if (p->view[i].fault == NULL || strcmp(p->view[i].fault, fault) != 0)
			continue;
		if (i < s)
			return;
		same += i > s;
	}
	if (same > 0)
		snprintf(more, sizeof(more), " (and so do %zu more)", same);
	for (; fault != NULL; fault = *end == '\n' ? end + 1 : NULL) {
		end = fault + strcspn(fault, "\n");
		complain("%s (%s), of the zone above '%s', %.*s%s", p->zone.ns[s].host,
		    dns_addr_text(&p->zone.ns[s].addr), p->name, (int)(end - fault), fault, more);
	}
}

void
parents_report(const struct parent *p, size_t n, bool verbose)
{
	for (size_t i = 0; i < n; i++) {
		bool told = false;

		for (size_t s = 0; p[i].view != NULL && s < p[i].zone.n; s++) {
			told = told || p[i].view[s].told;
			if (p[i].view[s].fault != NULL)
				report(&p[i], s);
		}
		if (!told && verbose)
			complain("no server of the zone above '%s' has told anything%s%s", p[i].name,
			    p[i].zone.why != NULL ? ": " : "",
			    p[i].zone.why != NULL ? p[i].zone.why : "");
	}
}

void
parents_free(struct parent *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t s = 0; p[i].view != NULL && s < p[i].zone.n; s++)
			free(p[i].view[s].fault);
		free(p[i].view);
		p[i].view = NULL;
		free((char *)p[i].zone.apex);
		p[i].zone.apex = NULL;
		dns_zones_free(&p[i].zone, 1);
	}
}
