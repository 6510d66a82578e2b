/*
 * dns_sec.c: signatures of records (RFC 4035, 5.3).
 *
 * ldns checks that a signature is one of those octets by that key, and nothing else:
 * whose it is, for what, from when to when, and which records are put together, is
 * decided here.
 */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

/* Work that one set can make, whatever a server sends (CVE-2023-50387). */
enum { SIGS_MAX = 8, KEYS_MAX = 4 };

enum {				/* places of an RRSIG's, a DNSKEY's and a DS's data */
	SIG_TYPE, SIG_ALG, SIG_LABELS, SIG_TTL, SIG_UNTIL, SIG_FROM, SIG_TAG, SIG_SIGNER,
	SIG_FIELDS = 9,
	KEY_FLAGS = 0, KEY_PROTO, KEY_ALG, KEY_FIELDS = 4,
	DS_DIGEST_TYPE = 2, DS_FIELDS = 4
};

enum { FLAG_ZONE = 0x0100, FLAG_REVOKED = 0x0080, PROTO_DNSSEC = 3 };

unsigned
dns_labels(const ldns_rdf *name)
{
	const uint8_t *p = ldns_rdf_data(name);
	unsigned n = ldns_dname_label_count(name);

	return ldns_rdf_size(name) > 2 && p[0] == 1 && p[1] == '*' ? n - 1 : n;
}

/* The algorithms that validators have to know (RFC 8624), and ldns does. */
static bool
alg_known(unsigned alg)
{
	return alg == LDNS_RSASHA1 || alg == LDNS_RSASHA1_NSEC3 || alg == LDNS_RSASHA256 ||
	    alg == LDNS_RSASHA512 || alg == LDNS_ECDSAP256SHA256 || alg == LDNS_ECDSAP384SHA384 ||
	    alg == LDNS_ED25519 || alg == LDNS_ED448;
}

static unsigned
field8(const ldns_rr *rr, size_t at)
{
	return ldns_rdf2native_int8(ldns_rr_rdf(rr, at));
}

static unsigned
field16(const ldns_rr *rr, size_t at)
{
	return ldns_rdf2native_int16(ldns_rr_rdf(rr, at));
}

/* Small letters, so that names can be compared. */
static void
small_letters(const ldns_rr_list *l)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(l); i++) {
		ldns_rr *rr = ldns_rr_list_rr(l, i);

		ldns_dname2canonical(ldns_rr_owner(rr));
		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG && ldns_rr_rd_count(rr) == SIG_FIELDS)
			ldns_dname2canonical(ldns_rr_rdf(rr, SIG_SIGNER));
	}
}

static bool
is_at(const ldns_rr *rr, const ldns_rdf *owner, ldns_rr_type type)
{
	return ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
	    ldns_dname_compare(ldns_rr_owner(rr), owner) == 0;
}

ldns_rr_list *
dns_rrset(const ldns_rr_list *from, const ldns_rdf *owner, ldns_rr_type type)
{
	ldns_rr_list *all = ldns_rr_list_new(), *once = ldns_rr_list_new();

	if (all == NULL || once == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < ldns_rr_list_rr_count(from); i++)
		if (is_at(ldns_rr_list_rr(from, i), owner, type))
			ldns_rr_list_push_rr(all, ldns_rr_list_rr(from, i));
	ldns_rr_list_sort(all);
	for (size_t i = 0; i < ldns_rr_list_rr_count(all); i++)
		if (i == 0 || ldns_rr_compare(ldns_rr_list_rr(all, i - 1), ldns_rr_list_rr(all, i)) != 0)
			ldns_rr_list_push_rr(once, ldns_rr_list_rr(all, i));
	ldns_rr_list_free(all);
	return once;
}

static bool
same_name(const ldns_rdf *name, const char *text)
{
	ldns_rdf *other = ldns_dname_new_frm_str(text);
	bool same = other != NULL && ldns_dname_compare(name, other) == 0;

	ldns_rdf_deep_free(other);
	return same;
}

/* The keys that a signature may be of. */
static ldns_rr_list *
keys_of(const struct dns_keys *k, const ldns_rr *sig)
{
	ldns_rr_list *l = ldns_rr_list_new();

	if (l == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < ldns_rr_list_rr_count(k->rr) &&
	     ldns_rr_list_rr_count(l) < KEYS_MAX; i++) {
		ldns_rr *key = ldns_rr_list_rr(k->rr, i);

		if (field8(key, KEY_ALG) == field8(sig, SIG_ALG) &&
		    ldns_calc_keytag(key) == field16(sig, SIG_TAG))
			ldns_rr_list_push_rr(l, key);
	}
	return l;
}

/* Times are compared on a circle (RFC 4034, 3.1.5). */
static char *
out_of_time(const ldns_rr *sig)
{
	uint32_t from = ldns_rdf2native_int32(ldns_rr_rdf(sig, SIG_FROM));
	uint32_t until = ldns_rdf2native_int32(ldns_rr_rdf(sig, SIG_UNTIL));
	time_t now = time(NULL);
	char text[STAMP_SIZE];

	if ((int32_t)((uint32_t)now - from) < 0) {
		day_hour(text, now + (int32_t)(from - (uint32_t)now));
		return xasprintf("is not valid before %s UTC", text);
	}
	if ((int32_t)(until - (uint32_t)now) < 0) {
		day_hour(text, now + (int32_t)(until - (uint32_t)now));
		return xasprintf("expired at %s UTC", text);
	}
	return NULL;
}

/* What is to be said behind "the signature of ...", or NULL if it holds. */
static char *
sig_fault(const struct dns_keys *k, const char *zone, ldns_rr_list *set, ldns_rr *sig)
{
	ldns_rr_list *keys, *good;
	ldns_status status;
	unsigned tag;
	char *why;

	if (!same_name(ldns_rr_rdf(sig, SIG_SIGNER), zone))
		return xstrdup("is by another zone");
	if (field8(sig, SIG_LABELS) > dns_labels(ldns_rr_owner(ldns_rr_list_rr(set, 0))))
		return xstrdup("is for another name");
	if (!alg_known(field8(sig, SIG_ALG)))
		return xasprintf("has the algorithm %u, which is not known here",
		    field8(sig, SIG_ALG));
	tag = field16(sig, SIG_TAG);
	keys = keys_of(k, sig);
	if (ldns_rr_list_rr_count(keys) == 0) {
		ldns_rr_list_free(keys);
		return xasprintf("is by a key (%u) that is not among those of the zone", tag);
	}
	if ((why = out_of_time(sig)) == NULL) {
		good = ldns_rr_list_new();
		status = ldns_verify_rrsig_keylist_notime(set, sig, keys, good);
		if (status != LDNS_STATUS_OK)
			why = xasprintf("is not right for the key %u", tag);
		ldns_rr_list_free(good);
	}
	ldns_rr_list_free(keys);
	return why;
}

/* "'www.example.com' A"; the caller frees. */
static char *
set_text(const ldns_rdf *owner, ldns_rr_type type)
{
	char *name = dns_text(owner), *kind = ldns_rr_type2str(type);
	char *text = xasprintf("'%s' %s", name != NULL ? name : "?", kind != NULL ? kind : "?");

	free(kind);
	free(name);
	return text;
}

char *
dns_unsigned(const struct dns_keys *k, const char *zone, const ldns_rr_list *from,
    const ldns_rdf *owner, ldns_rr_type type, unsigned *labels)
{
	ldns_rr_list *set = dns_rrset(from, owner, type);
	ldns_rr_list *sigs = dns_rrset(from, owner, LDNS_RR_TYPE_RRSIG);
	char *what = set_text(owner, type), *why = NULL, *fault;
	bool good = false;
	size_t tried = 0;

	/* There may be none: of another class, say. */
	if (ldns_rr_list_rr_count(set) == 0)
		tried = SIGS_MAX;
	for (size_t i = 0; i < ldns_rr_list_rr_count(sigs) && tried < SIGS_MAX && !good; i++) {
		ldns_rr *sig = ldns_rr_list_rr(sigs, i);

		if (ldns_rr_rd_count(sig) != SIG_FIELDS ||
		    ldns_rdf2rr_type(ldns_rr_rdf(sig, SIG_TYPE)) != type)
			continue;
		tried++;
		fault = sig_fault(k, zone, set, sig);
		good = fault == NULL;
		if (good && labels != NULL)
			*labels = field8(sig, SIG_LABELS);
		if (!good && why == NULL)
			why = xasprintf("the signature of %s %s", what, fault);
		free(fault);
	}
	if (good || why == NULL) {
		free(why);
		why = good ? NULL : xasprintf("%s is not signed", what);
	}
	free(what);
	ldns_rr_list_free(sigs);
	ldns_rr_list_free(set);
	return why;
}

/* ---- keys ---------------------------------------------------------------------- */

static bool
key_usable(const ldns_rr *key)
{
	unsigned flags;

	if (ldns_rr_rd_count(key) != KEY_FIELDS)
		return false;
	flags = field16(key, KEY_FLAGS);
	return (flags & FLAG_ZONE) != 0 && (flags & FLAG_REVOKED) == 0 &&
	    field8(key, KEY_PROTO) == PROTO_DNSSEC && alg_known(field8(key, KEY_ALG));
}

/* Is it the key that a DS or DNSKEY record tells? */
static bool
key_is(const ldns_rr *key, const ldns_rr *told)
{
	ldns_rr *ds;
	bool same;

	if (ldns_rr_get_type(told) == LDNS_RR_TYPE_DNSKEY)
		return ldns_rr_compare(key, told) == 0;
	if (ldns_rr_rd_count(told) != DS_FIELDS)
		return false;
	ds = ldns_key_rr2ds(key, (ldns_hash)field8(told, DS_DIGEST_TYPE));
	same = ds != NULL && ldns_rr_rd_count(ds) == DS_FIELDS;
	for (size_t i = 0; i < DS_FIELDS && same; i++)
		same = ldns_rdf_compare(ldns_rr_rdf(ds, i), ldns_rr_rdf(told, i)) == 0;
	ldns_rr_free(ds);
	return same;
}

static bool
key_trusted(const ldns_rr *key, const ldns_rr_list *trust)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(trust); i++)
		if (key_is(key, ldns_rr_list_rr(trust, i)))
			return true;
	return false;
}

static void
take(struct dns_keys *k, const char *zone, const ldns_rdf *owner, const ldns_rr_list *answer,
    const ldns_rr_list *set, const ldns_rr_list *trust)
{
	struct dns_keys trusted = {.rr = ldns_rr_list_new()};
	ldns_rr_list *all = ldns_rr_list_new();

	if (trusted.rr == NULL || all == NULL)
		die(EX_TEMP, "out of memory");
	for (size_t i = 0; i < ldns_rr_list_rr_count(set); i++) {
		ldns_rr *key = ldns_rr_list_rr(set, i);

		if (!key_usable(key))
			continue;
		ldns_rr_list_push_rr(all, ldns_rr_clone(key));
		if (key_trusted(key, trust))
			ldns_rr_list_push_rr(trusted.rr, key);
	}
	if (ldns_rr_list_rr_count(set) == 0)
		k->why = xasprintf("'%s' has no DNSKEY records", zone);
	else if (ldns_rr_list_rr_count(all) == 0)
		k->why = xasprintf("'%s' has no key of an algorithm that is known here", zone);
	else if (ldns_rr_list_rr_count(trusted.rr) == 0)
		k->why = xasprintf("'%s' has no key that is trusted", zone);
	else
		k->why = dns_unsigned(&trusted, zone, answer, owner, LDNS_RR_TYPE_DNSKEY, NULL);
	if (k->why == NULL)
		k->rr = all;
	else
		ldns_rr_list_deep_free(all);
	ldns_rr_list_free(trusted.rr);
}

void
dns_keys_take(struct dns_keys *k, const char *zone, const ldns_pkt *answer,
    const ldns_rr_list *trust)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(zone);
	ldns_rr_list *set;

	*k = (struct dns_keys){.rr = NULL};
	if (owner == NULL)
		die(EX_TEMP, "out of memory");
	small_letters(ldns_pkt_answer(answer));
	set = dns_rrset(ldns_pkt_answer(answer), owner, LDNS_RR_TYPE_DNSKEY);
	take(k, zone, owner, ldns_pkt_answer(answer), set, trust);
	ldns_rr_list_free(set);
	ldns_rdf_deep_free(owner);
}

void
dns_keys_free(struct dns_keys *k)
{
	ldns_rr_list_deep_free(k->rr);
	free(k->why);
	*k = (struct dns_keys){.rr = NULL};
}

/* ---- an answer ------------------------------------------------------------------- */

/* Of a set that the answer has. */
static char *
bogus_set(const struct dns_keys *k, const char *zone, const struct dns_query *q,
    const ldns_rdf *owner)
{
	unsigned labels = 0;
	char *why = dns_unsigned(k, zone, ldns_pkt_answer(q->answer), owner, q->type, &labels);

	if (why == NULL && labels < dns_labels(owner) &&
	    !dns_wild(k, zone, q->answer, q->name, labels))
		why = xasprintf("'%s' is made from a wildcard, without a proof that it has to be",
		    q->name);
	return why;
}

char *
dns_bogus(const struct dns_keys *k, const char *zone, const struct dns_query *q)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(q->name);
	ldns_rr_list *set;
	char *why = NULL, *kind;
	bool gone;

	if (owner == NULL)
		die(EX_TEMP, "out of memory");
	small_letters(ldns_pkt_answer(q->answer));
	small_letters(ldns_pkt_authority(q->answer));
	set = dns_rrset(ldns_pkt_answer(q->answer), owner, q->type);
	gone = ldns_pkt_get_rcode(q->answer) == LDNS_RCODE_NXDOMAIN;
	if (k->rr == NULL) {
		why = xstrdup(k->why);
	} else if (ldns_rr_list_rr_count(set) > 0) {
		why = bogus_set(k, zone, q, owner);
	} else if (!dns_denied(k, zone, q->answer, q->name, q->type, gone)) {
		kind = ldns_rr_type2str(q->type);
		why = gone ? xasprintf("that there is no '%s' is not proved", q->name) :
		    xasprintf("that '%s' has no %s record is not proved", q->name, kind);
		free(kind);
	}
	ldns_rr_list_free(set);
	ldns_rdf_deep_free(owner);
	return why;
}
