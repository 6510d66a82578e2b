/*
 * acme.h - the words in which clients and CAs speak: base64url, keys, signatures.
 */
#ifndef ACME_H
#define ACME_H

#include "sslm.h"

#include <openssl/types.h>

/* ---- b64.c: base64url (RFC 4648, 5) without padding --------------------- */

/* len octets in base64url; the caller frees. */
char *b64url(const void *p, size_t len);

/*
 * The octets that s stands for, their number in *len.  NULL if it is malformed:
 * padding, any other character, a length that cannot be, or bits behind the last
 * octet that are not zero.  The caller frees, or wipes what is secret.
 */
unsigned char *b64url_decode(const char *s, size_t *len);

/* ---- jwk.c: account keys as JSON has them (RFC 7517, 7518, 8037) --------- */

/*
 * The algorithm of a key's signatures: "ES256" with P-256, "ES384" with P-384,
 * "ES512" with P-521, "RS256" with RSA of 2048 to 8192 bits, "EdDSA" with
 * Ed25519.  NULL if it is another key, which is none for an account.
 */
const char *jwk_alg(const EVP_PKEY *key);

/* The rest is for keys that have an algorithm, and returns NULL where OpenSSL
 * fails, with the reason in its queue.  The caller frees. */

/* The public half, without white space and with the members, and the order of
 * them, that RFC 7638 wants for a thumbprint. */
char *jwk_public(const EVP_PKEY *key);

/* The signature over a text as RFC 7518 wants it, in base64url. */
char *jwk_sign(EVP_PKEY *key, const char *text);

/* The SHA-256 of a text, in base64url; of jwk_public(): the thumbprint. */
char *jwk_hash(const char *text);

/* ---- jwk_read.c: a private key that is a JWK ----------------------------- */

/* The RSA or EC key in the JSON file path, with all the members that RFC 7518
 * has, its parts checked against each other; NULL after a complaint. */
EVP_PKEY *jwk_private(const char *path);

/* ---- order_file.c: order.json, the order of a set in the making ---------- */

enum challenge_type { CHALLENGE_DNS, CHALLENGE_HTTP, CHALLENGE_PERSIST };

/* One that is still to be met; every string is checked, and none can hurt in a zone
 * file, a file name, a header or a message. */
struct challenge {
	enum challenge_type type;	/* dns-01, http-01, dns-persist-01 */
	const char *identifier;	/* a canonical name */
	const char *url, *authorization;
	const char *token;	/* not with dns-persist-01; base64url */
	const char *owner, *txt;	/* with DNS: where and what the record is */
	const char *content;	/* with http-01: token, '.' and thumbprint */
};

struct order {
	struct json_t *root;	/* the strings are its */
	const char *directory, *url, *account, *finalize, *new_nonce;
	const char *expires;	/* RFC 3339, or NULL */
	const char *csr;	/* hex of the SHA-256 of its DER */
	struct challenge *challenge;
	size_t n;
	const char **nonce;
	size_t nnonce;
	time_t saved;		/* or 0 */
};

enum { ORDER_CHALLENGES = 1000, ORDER_NONCES = 1000 };	/* at most */

/* Read and check an order: 1; 0 if there is no such file; -1 after a complaint.
 * order_free after 1. */
int order_load(struct order *o, const char *path);
void order_free(struct order *o);

#endif
