/* dns_anchor.c: whose keys are trusted, and the way from there down to a zone. */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 65535 };

static bool
is_root(const char *name)
{
	return strcmp(name, ".") == 0;
}

/* ---- what is known ------------------------------------------------------------- */

static struct dns_anchor *
find(struct dns_anchors *a, const char *zone)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->zone[i].zone, zone) == 0)
			return &a->zone[i];
	return NULL;
}

static struct dns_anchor *
add(struct dns_anchors *a, const char *zone)
{
	struct dns_anchor *new = find(a, zone);

	if (new != NULL)
		return new;
	a->zone = xreallocarray(a->zone, a->n + 1, sizeof(*a->zone));
	new = &a->zone[a->n++];
	*new = (struct dns_anchor){xstrdup(zone), ldns_rr_list_new()};
	if (new->trust == NULL)
		die(EX_TEMP, "out of memory");
	return new;
}

/* The nearest one above a zone. */
static struct dns_anchor *
nearest(struct dns_anchors *a, const char *zone)
{
	struct dns_anchor *best = NULL;

	for (size_t i = 0; i < a->n; i++) {
		struct dns_anchor *one = &a->zone[i];

		if (!is_root(one->zone) && !dns_below(zone, one->zone))
			continue;
		if (best == NULL || is_root(best->zone) ||
		    (!is_root(one->zone) && strlen(one->zone) > strlen(best->zone)))
			best = one;
	}
	return best;
}

/* ---- the file ---------------------------------------------------------------------- */

/* Take a line; NULL, or what is wrong with it. */
static const char *
take_line(struct dns_anchors *a, const char *line)
{
	ldns_rr *rr = NULL;
	ldns_status status;
	ldns_rr_type type;
	char *owner;
	bool root;

	if (strlen(line) > LINE_MAX_LEN)
		return "is too long";
	if ((status = ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL)) != LDNS_STATUS_OK || rr == NULL)
		return ldns_get_errorstr_by_id(status);
	type = ldns_rr_get_type(rr);
	root = ldns_dname_label_count(ldns_rr_owner(rr)) == 0;
	owner = root ? xstrdup(".") : dns_text(ldns_rr_owner(rr));
	if ((type != LDNS_RR_TYPE_DS && type != LDNS_RR_TYPE_DNSKEY) ||
	    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN || owner == NULL) {
		ldns_rr_free(rr);
		free(owner);
		return "is not a DS or DNSKEY record of a zone";
	}
	ldns_rr2canonical(rr);
	ldns_rr_list_push_rr(add(a, owner)->trust, rr);
	free(owner);
	return NULL;
}

bool
dns_anchors_read(struct dns_anchors *a, const char *path)
{
	char *text = slurp(path, NULL), *rest = text, *line;
	const char *why;
	bool ok = true;

	*a = (struct dns_anchors){.zone = NULL};
	if (text == NULL)
		return false;
	for (unsigned no = 1; (line = strsep(&rest, "\n")) != NULL; no++) {
		const char *word = line + strspn(line, " \t\r");

		if (*word == '\0' || *word == ';')
			continue;
		if ((why = take_line(a, line)) != NULL) {
			complain("%s:%u: the record %s", path, no, why);
			ok = false;
		}
	}
	free(text);
	if (ok && a->n == 0) {
		complain("'%s' has no DS or DNSKEY record", path);
		ok = false;
	}
	return ok;
}

void
dns_anchors_free(struct dns_anchors *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->zone[i].zone);
		ldns_rr_list_deep_free(a->zone[i].trust);
	}
	free(a->zone);
	*a = (struct dns_anchors){.zone = NULL};
}

/* ---- the way down -------------------------------------------------------------------- */

/* Those of who that recurse. */
static struct dns_who
resolvers(const struct dns_who *who)
{
	struct dns_who some = {.n = 0};

	for (size_t i = 0; i < who->n; i++)
		if (who->recurse[i]) {
			some.server[some.n] = who->server[i];
			some.recurse[some.n++] = true;
		}
	return some;
}

static bool
has_any(const ldns_pkt *answer, const char *name, ldns_rr_type type)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr_list *set;
	bool any;

	if (answer == NULL || owner == NULL) {
		ldns_rdf_deep_free(owner);
		return false;
	}
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(answer)); i++)
		ldns_dname2canonical(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_answer(answer), i)));
	set = dns_rrset(ldns_pkt_answer(answer), owner, type);
	any = ldns_rr_list_rr_count(set) > 0;
	ldns_rr_list_free(set);
	ldns_rdf_deep_free(owner);
	return any;
}

/* Ask who serves a zone.  A server of the zone below knows of no DS record, so that the
 * resolvers are asked too. */
static void
look(struct dns_lookup *l, const struct site *site, const char *zone, const char *name,
    ldns_rr_type type, int64_t until)
{
	const char *ours = is_root(zone) ? NULL : dns_site_zone(site, zone);
	const struct dns_who *who = dns_who(site, ours);
	struct dns_who some;

	*l = (struct dns_lookup){.name = name, .type = type, .who = who, .dnssec = true};
	dns_look(l, 1, until);
	some = resolvers(who);
	if (some.n > 0 && some.n < who->n && (l->answer == NULL || !l->recursed) &&
	    !has_any(l->answer, name, type)) {
		dns_look_free(l, 1);
		l->who = &some;
		dns_look(l, 1, until);
	}
	l->who = who;
}

/* The keys of a zone, by its trust. */
static void
zone_keys(struct dns_keys *k, const struct site *site, const struct dns_anchor *at,
    int64_t until)
{
	struct dns_lookup l;

	look(&l, site, at->zone, at->zone, LDNS_RR_TYPE_DNSKEY, until);
	*k = (struct dns_keys){.rr = NULL};
	if (l.answer == NULL)
		k->why = xasprintf("the keys of '%s' are not known: %s", at->zone, l.why);
	else
		dns_keys_take(k, at->zone, l.answer, at->trust);
	dns_look_free(&l, 1);
}

/* A copy of the DS records of an answer, which are signed. */
static ldns_rr_list *
copy_ds(const ldns_pkt *answer, const ldns_rdf *owner)
{
	ldns_rr_list *set = dns_rrset(ldns_pkt_answer(answer), owner, LDNS_RR_TYPE_DS), *copy;

	for (size_t i = 0; i < ldns_rr_list_rr_count(set); i++)
		ldns_rr2canonical(ldns_rr_list_rr(set, i));
	if ((copy = ldns_rr_list_clone(set)) == NULL)
		die(EX_TEMP, "out of memory");
	ldns_rr_list_free(set);
	return copy;
}

/* The DS records of name, by the keys of the zone above; NULL if there are none, with
 * *why set if that is an error. */
static ldns_rr_list *
step(const struct site *site, const char *above, const struct dns_keys *k, const char *name,
    int64_t until, char **why)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr_list *ds = NULL;
	struct dns_lookup l;

	look(&l, site, above, name, LDNS_RR_TYPE_DS, until);
	if (l.answer == NULL) {
		*why = xasprintf("the DS records of '%s' are not known: %s", name, l.why);
	} else if (owner != NULL && has_any(l.answer, name, LDNS_RR_TYPE_DS)) {
		*why = dns_unsigned(k, above, ldns_pkt_answer(l.answer), owner, LDNS_RR_TYPE_DS, NULL);
		if (*why == NULL)
			ds = copy_ds(l.answer, owner);
	}
	dns_look_free(&l, 1);
	ldns_rdf_deep_free(owner);
	return ds;
}

/* The name below top that is the next one on the way down from `from' to zone. */
static const char *
next_down(const char *from, const char *zone)
{
	size_t n = strlen(zone), f = is_root(from) ? 0 : strlen(from) + 1;
	const char *p;

	if (n <= f)
		return NULL;
	for (p = zone + n - f - (f > 0 ? 1 : 0); p > zone && p[-1] != '.'; p--)
		;
	return p;
}

/* Go down from a zone above; true if the DS records of zone have been found. */
static bool
descend(struct dns_anchors *a, const struct site *site, const char *top, const char *zone,
    int64_t until, char **why)
{
	const char *name = top, *above = top;
	struct dns_keys k;
	ldns_rr_list *ds;

	zone_keys(&k, site, find(a, above), until);
	while (k.rr != NULL && *why == NULL && (name = next_down(name, zone)) != NULL) {
		if ((ds = step(site, above, &k, name, until, why)) == NULL)
			continue;	/* no zone begins there, or not a secure one */
		ldns_rr_list_deep_free(add(a, name)->trust);
		find(a, name)->trust = ds;
		above = name;
		dns_keys_free(&k);
		if (strcmp(name, zone) == 0)
			return true;
		zone_keys(&k, site, find(a, above), until);
	}
	if (*why == NULL && k.rr == NULL && k.why != NULL)
		*why = xstrdup(k.why);
	else if (*why == NULL)
		*why = xasprintf("there is no DS record for it, below '%s'", above);
	dns_keys_free(&k);
	return false;
}

const ldns_rr_list *
dns_trust(struct dns_anchors *a, const struct site *site, const char *zone, int64_t until,
    char **why)
{
	struct dns_anchor *at = nearest(a, zone);
	char *top;
	bool ok;

	*why = NULL;
	if (at == NULL) {
		*why = xstrdup("there is no trust anchor for it, or for a zone above");
		return NULL;
	}
	if (strcmp(at->zone, zone) == 0)
		return at->trust;
	top = xstrdup(at->zone);
	ok = descend(a, site, top, zone, until, why);
	free(top);
	return ok ? find(a, zone)->trust : NULL;
}
