/* tsig.c: signatures of messages (RFC 8945). */
#include "update.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum {
	TYPE_TSIG = 250,
	CLASS_ANY = 255,
	RR_FIXED = 10,		/* octets of type, class, TTL, length */
	TIME = 6,		/* octets */
	ERROR_BADSIG = 16,
	ERROR_BADKEY = 17,
	ERROR_BADTIME = 18,
	ERROR_BADTRUNC = 22
};

struct tsig {			/* the record, as it has come */
	size_t at;		/* where it begins */
	uint8_t name[WIRE_NAME_MAX], alg[WIRE_NAME_MAX];
	size_t name_len, alg_len;
	uint64_t time;
	unsigned fudge, id, error;
	const uint8_t *mac, *other;
	size_t mac_len, other_len;
};

struct piece {			/* of what is signed */
	const void *p;
	size_t n;
};

/* ---- making them ------------------------------------------------------------------- */

/* The name of an algorithm as octets: one label. */
static void
put_alg(struct wire *w, const struct tsig_alg *alg)
{
	uint8_t n = (uint8_t)strlen(alg->name);

	wire_put(w, &n, 1);
	wire_put(w, alg->name, n + 1U);
}

/* What is signed besides the message. */
static void
put_variables(struct wire *w, const struct tsig_key *key, uint64_t time, unsigned fudge,
    unsigned error, const uint8_t *other, size_t other_len)
{
	wire_put(w, key->wire, key->wire_len);
	wire_put16(w, CLASS_ANY);
	wire_put32(w, 0);
	put_alg(w, key->alg);
	wire_put48(w, time);
	wire_put16(w, fudge);
	wire_put16(w, error);
	wire_put16(w, (unsigned)other_len);
	wire_put(w, other, other_len);
}

/* The signature of some pieces, one after the other. */
static void
sign(const struct tsig_key *key, const struct piece *piece, size_t n, struct tsig_mac *mac)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	char digest[16];
	OSSL_PARAM params[] = {
	    OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
	bool ok;

	stpcpy(digest, key->alg->digest);
	ok = ctx != NULL && EVP_MAC_init(ctx, key->secret, key->len, params) == 1;
	for (size_t i = 0; ok && i < n; i++)
		ok = piece[i].n == 0 || EVP_MAC_update(ctx, piece[i].p, piece[i].n) == 1;
	ok = ok && EVP_MAC_final(ctx, mac->p, &mac->n, sizeof(mac->p)) == 1 &&
	    mac->n == key->alg->len;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
	if (!ok)
		die(EX_TEMP, "cannot compute %s", key->alg->name);
}

void
tsig_sign(const struct tsig_key *key, struct wire *w, time_t now, struct tsig_mac *mac)
{
	struct wire variables = wire_new();
	unsigned id = wire_get16(w->p), count = wire_get16(w->p + WIRE_ARCOUNT) + 1;

	put_variables(&variables, key, (uint64_t)now, TSIG_FUDGE, 0, NULL, 0);
	sign(key, (const struct piece[]){{w->p, w->n}, {variables.p, variables.n}}, 2, mac);
	free(variables.p);

	wire_put(w, key->wire, key->wire_len);
	wire_put16(w, TYPE_TSIG);
	wire_put16(w, CLASS_ANY);
	wire_put32(w, 0);
	wire_put16(w, (unsigned)(strlen(key->alg->name) + 2 + TIME + 2 + 2 + mac->n + 2 + 2 + 2));
	put_alg(w, key->alg);
	wire_put48(w, (uint64_t)now);
	wire_put16(w, TSIG_FUDGE);
	wire_put16(w, (unsigned)mac->n);
	wire_put(w, mac->p, mac->n);
	wire_put16(w, id);
	wire_put16(w, 0);
	wire_put16(w, 0);
	w->p[WIRE_ARCOUNT] = (uint8_t)(count >> 8);
	w->p[WIRE_ARCOUNT + 1] = (uint8_t)count;
}

/* ---- reading them -------------------------------------------------------------------- */

static uint64_t
get48(const uint8_t *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TIME; i++)
		n = n << 8 | p[i];
	return n;
}

/* The data of the record, which are n octets at p; false if they are not. */
static bool
read_data(struct tsig *t, const uint8_t *p, size_t n)
{
	size_t at = 0;

	if ((t->alg_len = wire_name(p, n, &at, t->alg)) == 0 || n - at < TIME + 4)
		return false;
	t->time = get48(p + at);
	t->fudge = wire_get16(p + at + TIME);
	t->mac_len = wire_get16(p + at + TIME + 2);
	at += TIME + 4;
	if (n - at < t->mac_len + 6)
		return false;
	t->mac = p + at;
	at += t->mac_len;
	t->id = wire_get16(p + at);
	t->error = wire_get16(p + at + 2);
	t->other_len = wire_get16(p + at + 4);
	t->other = p + at + 6;
	return n - at - 6 == t->other_len;
}

/* Walk through a message: 1 if its last record, and no other, is a signature; 0 if it has
 * none; -1 if it is no message. */
static int
find(struct tsig *t, const uint8_t *p, size_t n)
{
	uint8_t name[WIRE_NAME_MAX];
	size_t at = WIRE_HEADER, records = 0, first, len;
	unsigned type;

	if (n < WIRE_HEADER)
		return -1;
	for (unsigned i = wire_get16(p + 4); i > 0; i--) {
		if (wire_name(p, n, &at, name) == 0 || n - at < 4)
			return -1;
		at += 4;
	}
	for (size_t i = 6; i <= WIRE_ARCOUNT; i += 2)
		records += wire_get16(p + i);
	for (; records > 0; records--) {
		first = at;
		if ((t->name_len = wire_name(p, n, &at, t->name)) == 0 || n - at < RR_FIXED)
			return -1;
		type = wire_get16(p + at);
		len = wire_get16(p + at + 8);
		if (n - at - RR_FIXED < len)
			return -1;
		if (type == TYPE_TSIG) {
			t->at = first;
			return records == 1 && wire_get16(p + WIRE_ARCOUNT) > 0 &&
			    wire_get16(p + at + 2) == CLASS_ANY && at + RR_FIXED + len == n &&
			    read_data(t, p + at + RR_FIXED, len) ? 1 : -1;
		}
		at += RR_FIXED + len;
	}
	return at == n ? 0 : -1;
}

/* What an answer without a signature says. */
static char *
unsigned_text(const struct tsig_key *key, const struct tsig *t, const uint8_t *p)
{
	const ldns_lookup_table *known = ldns_lookup_by_id(ldns_rcodes, p[3] & 15);
	const char *rcode = known == NULL ? "unknown RCODE" : known->name;

	if ((t == NULL || t->error == 0) && (p[3] & 15) != 0)
		return xasprintf("answers %s, unsigned; has it the zone, and does it know the "
		    "key '%s'?", rcode, key->name);
	if (t == NULL || t->error == 0)
		return xasprintf("answers without a signature; does it know the key '%s'?",
		    key->name);
	switch (t->error) {
	case ERROR_BADSIG:
		return xasprintf("has another secret for the key '%s' (BADSIG)", key->name);
	case ERROR_BADKEY:
		return xasprintf("does not know the key '%s' with %s, or does not let it do this "
		    "(BADKEY)", key->name, key->alg->name);
	case ERROR_BADTIME:
		return xasprintf("does not agree with the time here (BADTIME)");
	case ERROR_BADTRUNC:
		return xasprintf("finds the signature too short (BADTRUNC)");
	default:
		return xasprintf("does not take the signature (error %u)", t->error);
	}
}

/* Is the signature of a message that ends at t->at ours? */
static bool
holds(const struct tsig_key *key, const struct tsig_mac *asked, const uint8_t *p,
    const struct tsig *t)
{
	const uint8_t length[] = {0, (uint8_t)asked->n};
	struct wire variables = wire_new();
	struct tsig_mac mac = {.n = 0};

	put_variables(&variables, key, t->time, t->fudge, t->error, t->other, t->other_len);
	sign(key, (const struct piece[]){{length, sizeof(length)}, {asked->p, asked->n},
	    {p, t->at}, {variables.p, variables.n}}, 4, &mac);
	free(variables.p);
	return t->mac_len == mac.n && CRYPTO_memcmp(t->mac, mac.p, mac.n) == 0;
}

/* The signature is good; is it a success?  EX_YES, or a status with *why. */
static int
judge(const struct tsig *t, time_t now, char **why)
{
	int64_t off = (int64_t)t->time - (int64_t)now;

	if (t->error == ERROR_BADTIME) {
		if (t->other_len == TIME)
			off = (int64_t)get48(t->other) - (int64_t)now;
		*why = xasprintf("has a clock that differs from ours by %" PRId64 " seconds "
		    "(BADTIME): one of both is wrong", off);
		return EX_TEMP;
	}
	if (t->error != 0) {
		*why = xasprintf("does not take the signature (error %u)", t->error);
		return EX_PERM;
	}
	if (off > TSIG_FUDGE || off < -TSIG_FUDGE) {
		*why = xasprintf("has signed its answer at another time: its clock differs from "
		    "ours by %" PRId64 " seconds", off);
		return EX_TEMP;
	}
	return EX_YES;
}

int
tsig_verify(const struct tsig_key *key, const struct tsig_mac *asked, uint8_t *p, size_t *n,
    time_t now, char **why)
{
	struct tsig t = {.at = 0};
	uint8_t alg[WIRE_NAME_MAX];
	struct wire name = {.p = alg};
	unsigned count;
	int status, found = find(&t, p, *n);

	*why = NULL;
	put_alg(&name, key->alg);
	if (found == -1)
		*why = xasprintf("answers what is no message");
	else if (found == 0 || (t.mac_len == 0 && t.error != 0))
		*why = unsigned_text(key, found == 0 ? NULL : &t, p);
	else if (t.name_len != key->wire_len || memcmp(t.name, key->wire, t.name_len) != 0)
		*why = xasprintf("has signed its answer by another key than '%s'", key->name);
	else if (t.alg_len != name.n || memcmp(t.alg, alg, name.n) != 0)
		*why = xasprintf("has signed its answer by another algorithm than %s",
		    key->alg->name);
	else if (t.mac_len != key->alg->len)
		*why = xasprintf("has signed its answer with %zu octets instead of %zu", t.mac_len,
		    key->alg->len);
	else if (t.id != wire_get16(p))
		*why = xasprintf("has signed an answer to something else");
	if (*why != NULL)
		return EX_PERM;

	/* It was signed before the record was added. */
	count = wire_get16(p + WIRE_ARCOUNT) - 1;
	p[WIRE_ARCOUNT] = (uint8_t)(count >> 8);
	p[WIRE_ARCOUNT + 1] = (uint8_t)count;
	if (!holds(key, asked, p, &t)) {
		*why = xasprintf("gives an answer whose signature is wrong");
		return EX_PERM;
	}
	status = judge(&t, now, why);
	*n = t.at;
	return status;
}
