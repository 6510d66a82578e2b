/*
 * cert.h - keys, requests, certificates, and the sets that they make.
 */
#ifndef CERT_H
#define CERT_H

#include "sslm.h"

#include <openssl/types.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* ---- pem.c: keys, requests and certificates in PEM ---------------------- */

enum { CHAIN_MAX = 10 };	/* certificates in one file */

/* All return NULL after a complaint that names the file and the reason. */
EVP_PKEY *pem_key(const char *path);	/* never prompts for a passphrase */
X509_REQ *pem_csr(const char *path, bool verify);	/* its own signature */
X509 *pem_cert(const char *path);	/* the first one in the file */

/* All the certificates, at least 1 and at most CHAIN_MAX, in file order; only
 * blocks of type CERTIFICATE are allowed.  Free with sk_X509_pop_free(certs, X509_free). */
STACK_OF(X509) *pem_certs(const char *path);

/* The same of len octets of text that ends in a NUL, with nothing in it but these
 * blocks and white space between them (RFC 8555, 9.1); name is for messages. */
STACK_OF(X509) *pem_certs_text(const char *name, const char *text, size_t len);

/* The same, but no text is allowed behind the first block; that may be a
 * private key if key is not NULL, in *key then; else *key is NULL. */
STACK_OF(X509) *pem_bundle(const char *path, EVP_PKEY **key);

/* complain() with OpenSSL's own reason behind the message; clears its queue. */
void pem_complain(const char *fmt, ...) PRINTF(1, 2);

/* The same, then exit EX_PERM. */
noreturn void pem_die(const char *fmt, ...) PRINTF(1, 2);

/* ---- block.c: the blocks of a PEM file, one by one ---------------------- */

struct block {
	char *type;		/* "CERTIFICATE" */
	char *header;		/* "Proc-Type: 4,ENCRYPTED\n..." or "" */
	unsigned char *der;
	long len;
	bool text;		/* more than white space stood before it */
};

/*
 * The next block of the text [*at, end), and *at behind it.  1, and *b is to
 * be freed; 0 if there is none; -1 if it is malformed or cut short: say so by
 * pem_complain(), then go on or not.
 */
int block_next(struct block *b, const char **at, const char *end);

/* Wipe and free what b holds; a second time does no harm. */
void block_free(struct block *b);

/* ---- x509.c: what a certificate says, fit for people -------------------- */

/*
 * len octets of UTF-8 as text that does nothing to a terminal: what controls
 * it, turns the direction of text, or is not UTF-8, as "\1B" for each octet;
 * likewise the characters in also.  The caller frees.
 */
char *text_safe(const void *s, size_t len, const char *also);

/* A distinguished name as in RFC 4514, but ", " between its parts, and a name
 * of a certificate: "www.example.com", "192.0.2.1", "email:a@b", ...  Both are
 * text_safe; the caller frees. */
char *text_dn(const X509_NAME *name);
char *text_san(const GENERAL_NAME *name);

/* The moment that t names in *when; false if it names none. */
bool x509_time(const ASN1_TIME *t, time_t *when);

/* ---- show.c and show_ext.c: for people, in lines "  label:   value" ------ */

/* A label and its value, and the end of the line. */
void show_line(const char *label, const char *fmt, ...) PRINTF(2, 3);

/* The ith of several values of one label; the caller ends the line. */
void show_item(const char *label, int i, const char *item);

/* Octets, in hex. */
void show_hex(const char *label, const unsigned char *p, int len);

/* A point in time, in UTC. */
void show_time(const char *label, const ASN1_TIME *t);

/* The kind of a key ("unknown" for NULL) and, with verbose, the SHA-256 of its
 * public half, its len octets of SubjectPublicKeyInfo; these are freed. */
void show_key(const EVP_PKEY *key, unsigned char *spki, int len, bool verbose);

/* The algorithm of a signature. */
void show_sigalg(const X509_ALGOR *alg);

/* What extensions say; without verbose, only names and CA. */
void show_exts(const STACK_OF(X509_EXTENSION) *exts, bool verbose);

/* The whole thing. */
void show_cert(X509 *x, bool verbose, time_t now);
void show_csr(X509_REQ *csr);

/* ---- key.c: kinds of keys ----------------------------------------------- */

/*
 * What a key is, in one word: "ED25519", "RSA:4096", "EC:secp384r1" (the
 * OpenSSL name of the curve; "EC:?" if it is not a named one, or if the key
 * spells out its parameters).  The caller frees.
 */
char *key_kind(const EVP_PKEY *key);

/* The OpenSSL short name of a curve by any name that OpenSSL, SECG or NIST
 * know it by, in any case ("SECP256R1" is "prime256v1"); NULL if unknown, or of
 * no use for certificates ("SM2"). */
const char *curve_name(const char *name);

/* Has a curve of that OpenSSL name 112 bits of security or more? */
bool key_strong_curve(const char *curve);

/* The digest of a signature: sha256, sha384 or sha512 in any case; NULL if it
 * is another.  An Ed25519 key takes none. */
const EVP_MD *key_digest(const char *name);

/* Is private the private half of public?  By a signature, for what the two
 * files say of the public half may be right where the private one is not. */
bool key_fits(EVP_PKEY *private, EVP_PKEY *public);

/* ---- request.c: what a certificate is asked for -------------------------- */

enum { SUBJECT_N = 7 };	/* CN, C, ST, L, O, OU, emailAddress: in this order */

struct request {
	const char *subject[SUBJECT_N];	/* NULL: not said; "": to be left out */
	char **name;		/* canonical, each once */
	size_t names;
	const EVP_MD *digest;	/* NULL: not said */
	bool ca, staple;
};

/*
 * Add to a request, which begins as {0}: "subject" with "CN=example.com",
 * "name" with a DNS name or address, "digest" with its name, "must-staple" and
 * "ca" with "".  value is not copied.  NULL, or what is wrong with it.
 */
const char *request_say(struct request *r, const char *word, const char *value);

/*
 * Add what a file says: such a word on each line, and behind one space its
 * value, taken literally; '#' begins a comment line.  What was said before
 * prevails.  EX_YES, or EX_PERM or EX_USE after a complaint.
 */
int request_file(struct request *r, const char *path);

/*
 * All has been said: a common name that is a host's becomes one of the names
 * and takes their form; a CA loses its names.  EX_YES, or EX_USE after a
 * complaint if a CA has no subject, or anything else no name.
 */
int request_settle(struct request *r);

/* The subject; the caller frees.  NULL after a complaint. */
X509_NAME *request_subject(const struct request *r);

/* ---- ext.c: the extensions of a certificate that we sign ----------------- */

/* The extended key usages that there are, by OpenSSL's names. */
enum { EXT_USAGES = 6 };
extern const char *const ext_usage[EXT_USAGES];

/* What is wrong with a comma list of these; or NULL. */
const char *ext_usage_fault(const char *list);

/*
 * Add to a certificate, which has its subject and key, all the extensions of a
 * CA, or of anything else.  issuer is its signer, or x itself.  Of the request,
 * read from path, only DNS names, addresses and must-staple are used; a name
 * of another kind is an error.  0, or -1 after a complaint.
 */
int ext_ca(X509 *x, X509 *issuer, long pathlen);
int ext_leaf(X509 *x, X509 *issuer, X509_REQ *csr, const char *usage, const char *path);

/* ---- signer.c: the CA that signs ----------------------------------------- */

struct signer {			/* begins as {0} */
	const char *dir;
	EVP_PKEY *key;
	X509 *cert;
	STACK_OF(X509) *chain;	/* cert, and those above it */
};

/*
 * Read the set in directory dir; or, if there is no privkey.pem in it, that in
 * dir/curr, or else in dir/next once that is complete.  EX_YES; EX_TEMP if
 * there is none of these yet, EX_PERM if the set is not whole, both after a
 * complaint.
 */
int signer_load(struct signer *s, const char *dir);

/* Is it a CA, valid at that time, that allows so many levels of CAs below it
 * (0: a leaf)?  0, with the time in *end when the first certificate of its
 * chain ends; or -1 after a complaint. */
int signer_check(const struct signer *s, long levels, time_t now, time_t *end);

/* Free what it holds, the key wiped. */
void signer_free(struct signer *s);

/* ---- chain.c: certificates in a row ------------------------------------- */

/*
 * Is each certificate in the row issued by the next one, and are they valid at
 * that time, up to a certificate in anchors, or up to the last one if anchors
 * is NULL?  A single certificate has to be self-signed then.  path is the
 * file of the first one, above that of the others.  False after a complaint.
 */
bool chain_check(const char *path, const char *above, STACK_OF(X509) *row,
    X509_STORE *anchors, time_t now);

/* ---- set.c: the files of one issuance ----------------------------------- */

enum { SET_KEY, SET_CSR, SET_CERT, SET_CHAIN, SET_FULLCHAIN, SET_BUNDLE, SET_N };

/* "privkey.pem" ... "bundle.pem", in the order in which they are made: where
 * there is a bundle, all the others are there. */
extern const char *const set_name[SET_N];

/*
 * Does the set in directory dir fit together at time now?  All six files are
 * there; key, request and certificate have one public key; the certificate
 * has the names of the request; the chain is in order, each certificate
 * signed by the next (RFC 8555, 9.1) and, as a whole, valid at that time up
 * to its last one; fullchain is cert and chain, bundle is key and fullchain.
 * EX_YES, or EX_NO after a complaint for each misfit.
 */
int set_check(const char *dir, time_t now);

/* The first four files of a set. */
struct set {
	char *dir;		/* where it is, if the name was a link */
	char *path[SET_N];	/* of each file in it */
	EVP_PKEY *key;
	X509_REQ *csr;
	X509 *cert;
	STACK_OF(X509) *full;	/* cert and chain, a root that is its chain once */
};

/* Do request, certificate and chain in *s fit together at time now?  The paths in
 * it are for messages.  False after a complaint for each misfit. */
bool set_issued(const struct set *s, time_t now);

/*
 * set_check in two parts.  set_open: read the four files into *s; do they fit
 * together?  set_made: are the other two made of them?  EX_YES, or EX_NO after
 * a complaint for each misfit; then members may be NULL.  set_close in any case.
 */
int set_open(struct set *s, const char *dir, time_t now);
int set_made(const struct set *s);
void set_close(struct set *s);

/* Is key, from path, that of cert, and path its owner's alone?  False after a
 * complaint. */
bool set_key_check(const char *path, EVP_PKEY *key, const X509 *cert);

/* ---- info.c: the record of a generation --------------------------------- */

/*
 * The record that a generation keeps of itself, in dir/info, a line an event:
 * "# <event> : <stamp>".  info_get: when the last line whose event ends in
 * event happened, 0 if another program wrote it in its own way, -1 if there is
 * none.  info_issued: when the set was issued, by that record, or where that
 * does not tell by the time of its certificate's file.  info_put: add a
 * line; 0, or -1 after a complaint.
 */
time_t info_get(const char *dir, const char *event);
time_t info_issued(const char *dir);
int info_put(const char *dir, const char *event, time_t t);

#endif
