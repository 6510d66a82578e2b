/*
 * dns_deny.c: that there is nothing, by NSEC (RFC 4035, 5.4) and NSEC3 (RFC 5155, 8).
 *
 * A record counts here if a signature holds for it, and it is not itself made from a
 * wildcard.  Names of servers' records may have any octets, so that they are compared
 * as ldns has them; the name that was asked for is text.
 */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum {
	RECORDS_MAX = 8,	/* of an answer that are looked at */
	NSEC_FIELDS = 2,
	NSEC3_FIELDS = 5,	/* and a bitmap, if the name has any record */
	N3_ALG = 0, N3_ROUNDS = 2, N3_SALT, N3_NEXT, N3_BITMAP,
	ROUNDS_MAX = 50,	/* validators take no more (RFC 9276; CVE-2023-50868) */
	HASH = 20,		/* octets of SHA-1, the only one that there is */
	SPARE = 4		/* ldns wants room for more */
};

struct proof {
	const char *zone;
	const ldns_rr *rr[RECORDS_MAX];
	size_t n;
	bool nsec3;
};

/* ---- bitmaps ---------------------------------------------------------------------- */

static const ldns_rdf *
bitmap_of(const ldns_rr *rr)
{
	size_t at = ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC ? 1 : N3_BITMAP;

	return at < ldns_rr_rd_count(rr) ? ldns_rr_rdf(rr, at) : NULL;
}

/* Does the owner of the NSEC or NSEC3 record have that type? */
static bool
has_type(const ldns_rr *rr, unsigned type)
{
	const ldns_rdf *map = bitmap_of(rr);
	const uint8_t *p = map == NULL ? NULL : ldns_rdf_data(map);
	size_t left = map == NULL ? 0 : ldns_rdf_size(map), octet = (type & 0xff) / 8;

	while (left >= 2 && left >= 2U + p[1]) {
		if (p[0] == type >> 8)
			return octet < p[1] && (p[2 + octet] & 0x80 >> (type & 7)) != 0;
		left -= 2U + p[1];
		p += 2 + p[1];
	}
	return false;
}

/* The owner belongs to a zone below, as far as other types than DS go. */
static bool
is_cut(const ldns_rr *rr)
{
	return has_type(rr, LDNS_RR_TYPE_NS) && !has_type(rr, LDNS_RR_TYPE_SOA);
}

/* Names below the owner are not in this zone. */
static bool
is_end(const ldns_rr *rr)
{
	return is_cut(rr) || has_type(rr, LDNS_RR_TYPE_DNAME);
}

/* The owner has neither that type nor an alias. */
static bool
lacks(const ldns_rr *rr, ldns_rr_type type)
{
	return !is_cut(rr) && !has_type(rr, type) && !has_type(rr, LDNS_RR_TYPE_CNAME);
}

/* ---- names --------------------------------------------------------------------------- */

static ldns_rdf *
dname(const char *text)
{
	ldns_rdf *d = ldns_dname_new_frm_str(text);

	if (d == NULL)
		die(EX_TEMP, "out of memory");
	return d;
}

/* One label less, or NULL if nothing is left. */
static const char *
up(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL ? NULL : dot + 1;
}

static char *
wildcard(const char *name)
{
	return xasprintf("*.%s", name);
}

static bool
in_or_below(const ldns_rdf *name, const ldns_rdf *top)
{
	return ldns_dname_compare(name, top) == 0 || ldns_dname_is_subdomain(name, top);
}

/* ---- NSEC ------------------------------------------------------------------------------ */

/* The name behind an NSEC record's owner, in small letters; the caller frees. */
static ldns_rdf *
next_of(const ldns_rr *nsec)
{
	ldns_rdf *next = ldns_rdf_clone(ldns_rr_rdf(nsec, 0));

	if (next == NULL)
		die(EX_TEMP, "out of memory");
	ldns_dname2canonical(next);
	return next;
}

static const ldns_rr *
nsec_at(const struct proof *p, const char *name)
{
	ldns_rdf *d = dname(name);
	const ldns_rr *found = NULL;

	for (size_t i = 0; i < p->n && found == NULL; i++)
		if (ldns_dname_compare(ldns_rr_owner(p->rr[i]), d) == 0)
			found = p->rr[i];
	ldns_rdf_deep_free(d);
	return found;
}

/* The name is between the record's and the next; with *parent set if there are names
 * below it. */
static bool
nsec_covers(const struct proof *p, const ldns_rr *nsec, const ldns_rdf *d, bool *parent)
{
	const ldns_rdf *owner = ldns_rr_owner(nsec);
	ldns_rdf *next = next_of(nsec), *zone = dname(p->zone);
	bool last = ldns_dname_compare(next, zone) == 0;
	bool yes = ldns_dname_compare(owner, d) < 0 && (last || ldns_dname_compare(d, next) < 0) &&
	    !(ldns_dname_is_subdomain(d, owner) && is_end(nsec));

	*parent = ldns_dname_is_subdomain(next, d);
	ldns_rdf_deep_free(zone);
	ldns_rdf_deep_free(next);
	return yes;
}

static const ldns_rr *
nsec_around(const struct proof *p, const char *name, bool *parent)
{
	ldns_rdf *d = dname(name);
	const ldns_rr *found = NULL;

	for (size_t i = 0; i < p->n && found == NULL; i++)
		if (nsec_covers(p, p->rr[i], d, parent))
			found = p->rr[i];
	ldns_rdf_deep_free(d);
	return found;
}

/* The longest name above, of which the record around a name shows that it is there. */
static const char *
nsec_closest(const ldns_rr *nsec, const char *name)
{
	ldns_rdf *next = next_of(nsec), *d;
	bool there = false;

	while (!there && (name = up(name)) != NULL) {
		d = dname(name);
		there = in_or_below(ldns_rr_owner(nsec), d) || in_or_below(next, d);
		ldns_rdf_deep_free(d);
	}
	ldns_rdf_deep_free(next);
	return name;
}

static bool
nsec_denied(const struct proof *p, const char *name, ldns_rr_type type, bool nxdomain)
{
	const ldns_rr *around, *at = nsec_at(p, name);
	bool parent = false, other;
	const char *closest;
	char *wild;
	bool yes;

	if (at != NULL)
		return !nxdomain && lacks(at, type);
	if ((around = nsec_around(p, name, &parent)) == NULL)
		return false;
	if (parent)
		return !nxdomain;	/* it is there, without any record */
	if ((closest = nsec_closest(around, name)) == NULL)
		return false;
	wild = wildcard(closest);
	if (nxdomain)
		yes = nsec_around(p, wild, &other) != NULL;
	else
		yes = (at = nsec_at(p, wild)) != NULL && lacks(at, type);
	free(wild);
	return yes;
}

static bool
nsec_wild(const struct proof *p, const char *name, unsigned labels)
{
	bool parent = false, yes = false;
	const ldns_rr *around = nsec_around(p, name, &parent);
	const char *closest;
	ldns_rdf *d;

	if (around != NULL && !parent && (closest = nsec_closest(around, name)) != NULL) {
		d = dname(closest);
		yes = ldns_dname_label_count(d) == labels;
		ldns_rdf_deep_free(d);
	}
	return yes;
}

/* ---- NSEC3 -------------------------------------------------------------------------------- */

static bool
sha1(uint8_t out[HASH], const void *a, size_t na, const void *b, size_t nb)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1 &&
	    EVP_DigestUpdate(md, a, na) == 1 && EVP_DigestUpdate(md, b, nb) == 1 &&
	    EVP_DigestFinal_ex(md, out, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

/* The hash of a name, as the proof's records have it (RFC 5155, 5). */
static bool
hash(uint8_t out[HASH], const struct proof *p, const char *name)
{
	const ldns_rdf *salt = ldns_rr_rdf(p->rr[0], N3_SALT);
	unsigned rounds = ldns_rdf2native_int16(ldns_rr_rdf(p->rr[0], N3_ROUNDS));
	const uint8_t *s = ldns_rdf_data(salt) + 1;	/* behind its length */
	size_t n = ldns_rdf_size(salt) - 1;
	ldns_rdf *d = dname(name);
	bool ok = sha1(out, ldns_rdf_data(d), ldns_rdf_size(d), s, n);

	for (unsigned i = 0; i < rounds && ok; i++)
		ok = sha1(out, out, HASH, s, n);
	ldns_rdf_deep_free(d);
	return ok;
}

/* The hash that is the first label of a record's owner. */
static bool
owner_hash(uint8_t out[HASH + SPARE], const struct proof *p, const ldns_rr *rr)
{
	ldns_rdf *zone = dname(p->zone), *label = ldns_dname_label(ldns_rr_owner(rr), 0);
	ldns_rdf *rest = ldns_dname_left_chop(ldns_rr_owner(rr));
	char text[64] = "";
	bool ok = rest != NULL && label != NULL && ldns_dname_compare(rest, zone) == 0;

	if (ok && ldns_rdf_data(label)[0] < sizeof(text))
		memcpy(text, ldns_rdf_data(label) + 1, ldns_rdf_data(label)[0]);
	ok = ok && strlen(text) == HASH / 5 * 8 &&
	    ldns_b32_pton_extended_hex(text, strlen(text), out, HASH + SPARE) == HASH;
	ldns_rdf_deep_free(rest);
	ldns_rdf_deep_free(label);
	ldns_rdf_deep_free(zone);
	return ok;
}

/* The record of a name, or with around, the one whose gap the name is in. */
static const ldns_rr *
nsec3_find(const struct proof *p, const char *name, bool around)
{
	uint8_t h[HASH], own[HASH + SPARE];
	const uint8_t *next;
	bool after, before, last;

	if (!hash(h, p, name))
		return NULL;
	for (size_t i = 0; i < p->n; i++) {
		if (!owner_hash(own, p, p->rr[i]))
			continue;
		next = ldns_rdf_data(ldns_rr_rdf(p->rr[i], N3_NEXT)) + 1;
		after = memcmp(h, own, HASH) > 0;
		before = memcmp(h, next, HASH) < 0;
		last = memcmp(own, next, HASH) >= 0;
		if (around ? (last ? after || before : after && before) : memcmp(h, own, HASH) == 0)
			return p->rr[i];
	}
	return NULL;
}

/* The longest name above that there is, with nothing there on the way to name. */
static const char *
nsec3_closest(const struct proof *p, const char *name)
{
	const char *below = name;
	const ldns_rr *at;

	while ((name = up(below)) != NULL && dns_below(name, p->zone)) {
		if ((at = nsec3_find(p, name, false)) != NULL)
			return !is_end(at) && nsec3_find(p, below, true) != NULL ? name : NULL;
		below = name;
	}
	return NULL;
}

static bool
nsec3_denied(const struct proof *p, const char *name, ldns_rr_type type, bool nxdomain)
{
	const ldns_rr *at = nsec3_find(p, name, false);
	const char *closest;
	char *wild;
	bool yes;

	if (at != NULL)
		return !nxdomain && lacks(at, type);
	if ((closest = nsec3_closest(p, name)) == NULL)
		return false;
	wild = wildcard(closest);
	if (nxdomain)
		yes = nsec3_find(p, wild, true) != NULL;
	else
		yes = (at = nsec3_find(p, wild, false)) != NULL && lacks(at, type);
	free(wild);
	return yes;
}

static bool
nsec3_wild(const struct proof *p, const char *name, unsigned labels)
{
	for (; name != NULL; name = up(name)) {
		ldns_rdf *d = dname(name);
		unsigned n = ldns_dname_label_count(d);

		ldns_rdf_deep_free(d);
		if (n <= labels + 1)
			return n == labels + 1 && nsec3_find(p, name, true) != NULL;
	}
	return false;
}

/* ---- what an answer has ------------------------------------------------------------------------ */

/* An NSEC3 record that can be used together with the first one. */
static bool
nsec3_usable(const struct proof *p, const ldns_rr *rr)
{
	const ldns_rdf *salt, *next;

	if (ldns_rr_rd_count(rr) < NSEC3_FIELDS)
		return false;
	salt = ldns_rr_rdf(rr, N3_SALT);
	next = ldns_rr_rdf(rr, N3_NEXT);
	if (ldns_rdf2native_int8(ldns_rr_rdf(rr, N3_ALG)) != 1 ||
	    ldns_rdf2native_int16(ldns_rr_rdf(rr, N3_ROUNDS)) > ROUNDS_MAX ||
	    ldns_rdf_size(salt) < 1 || ldns_rdf_data(salt)[0] != ldns_rdf_size(salt) - 1 ||
	    ldns_rdf_size(next) != HASH + 1 || ldns_rdf_data(next)[0] != HASH)
		return false;
	return p->n == 0 || (ldns_rdf_compare(salt, ldns_rr_rdf(p->rr[0], N3_SALT)) == 0 &&
	    ldns_rdf_compare(ldns_rr_rdf(rr, N3_ROUNDS), ldns_rr_rdf(p->rr[0], N3_ROUNDS)) == 0);
}

/* Take the records of an answer that are signed. */
static void
gather(struct proof *p, const struct dns_keys *k, const ldns_pkt *answer, ldns_rr_type type)
{
	const ldns_rr_list *from = ldns_pkt_authority(answer);
	size_t seen = 0;

	p->n = 0;
	p->nsec3 = type == LDNS_RR_TYPE_NSEC3;
	for (size_t i = 0; i < ldns_rr_list_rr_count(from) && seen < RECORDS_MAX; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(from, i);
		unsigned labels = 0;
		char *why;

		if (ldns_rr_get_type(rr) != type || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
			continue;
		if (p->nsec3 ? !nsec3_usable(p, rr) : ldns_rr_rd_count(rr) != NSEC_FIELDS)
			continue;
		seen++;
		why = dns_unsigned(k, p->zone, from, ldns_rr_owner(rr), type, &labels);
		if (why == NULL && labels == dns_labels(ldns_rr_owner(rr)))
			p->rr[p->n++] = rr;
		free(why);
	}
}

bool
dns_denied(const struct dns_keys *k, const char *zone, const ldns_pkt *answer, const char *name,
    ldns_rr_type type, bool nxdomain)
{
	struct proof p = {.zone = zone};

	gather(&p, k, answer, LDNS_RR_TYPE_NSEC);
	if (p.n > 0)
		return nsec_denied(&p, name, type, nxdomain);
	gather(&p, k, answer, LDNS_RR_TYPE_NSEC3);
	return p.n > 0 && nsec3_denied(&p, name, type, nxdomain);
}

bool
dns_wild(const struct dns_keys *k, const char *zone, const ldns_pkt *answer, const char *name,
    unsigned labels)
{
	struct proof p = {.zone = zone};

	gather(&p, k, answer, LDNS_RR_TYPE_NSEC);
	if (p.n > 0)
		return nsec_wild(&p, name, labels);
	gather(&p, k, answer, LDNS_RR_TYPE_NSEC3);
	return p.n > 0 && nsec3_wild(&p, name, labels);
}
