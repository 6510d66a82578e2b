/*
 * sslm.h - what two or more programs share, and nothing else.  Sections are
 * named by the file that implements them.
 *
 * Exit status, for every program:
 *   0    done, or the answer is yes
 *   1    failed; for a question (sslm-due, sslm-verify): no
 *   2    wrong usage or wrong configuration; a question's failure too
 *   75   may work later: full disk, too soon to roll, another run at work
 *
 * Two manners of failing, never mixed in one function: what a program cannot
 * go on without ends in die(); what concerns one service of many complains
 * and returns a failure, so that the others are still served.
 */
#ifndef SSLM_H
#define SSLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <time.h>

#include <openssl/types.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define SSLM_VERSION "0.1.0"

enum { EX_YES = 0, EX_NO = 1, EX_PERM = 1, EX_USE = 2, EX_TEMP = 75 };

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* ---- msg.c: how a program begins, speaks and ends ---------------------- */

/*
 * First call of every main(): umask 077, no core dumps, SIGPIPE ignored so
 * that a lost reader is a reported write error, and descriptors 0 to 2 open
 * (on /dev/null where the caller had closed them).
 */
void start(void);

/*
 * The getopt letters that all programs share: 'h' prints usage on stdout and
 * exits 0, 'V' prints the version and exits 0, anything else prints usage on
 * stderr and exits EX_USE.  usage is the manual's SYNOPSIS, a line for each
 * form, the first one beginning "usage: ".
 */
noreturn void opt_other(int c, const char *usage);

/*
 * One line on stderr, "program: message".  A format that ends in a colon gets
 * the text of errno after it.  Control characters are shown as '?'.  With
 * SSLM_LOG set, the line goes to that file too, behind a UTC time stamp.
 */
void complain(const char *fmt, ...) PRINTF(1, 2);

/* The same, then exit with that status; with SSLM_STATUS set, the status is
 * appended to that file, for make knows only 0 and 2. */
noreturn void die(int status, const char *fmt, ...) PRINTF(2, 3);

/* Exit with a status, after complaints; recorded in SSLM_STATUS as above. */
noreturn void finish(int status);

/* Memory or die(EX_TEMP); the caller frees. */
void *xmalloc(size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
void *xreallocarray(void *p, size_t n, size_t size);

/* ---- num.c: numbers and times ------------------------------------------ */

/* A decimal in [lo, hi], or die(EX_USE) naming the option. */
long num(const char *s, long lo, long hi, const char *what);

/* "20261120T235959Z", UTC; buf holds at least STAMP_SIZE bytes. */
enum { STAMP_SIZE = 24 };
void stamp(char buf[STAMP_SIZE], time_t t);

/* The time a stamp names, or -1 if s does not begin with one. */
time_t stamp_time(const char *s);

/* "2026-11-20 23:59", UTC; buf holds at least STAMP_SIZE bytes. */
void day_hour(char buf[STAMP_SIZE], time_t t);

/* A span for people, in its two largest units: "29d 4h", "3h 5m", "12s";
 * negative ones begin with '-'.  buf holds at least SPAN_SIZE bytes. */
enum { SPAN_SIZE = 32 };
void span(char buf[SPAN_SIZE], int64_t seconds);

/* ---- out.c: files, whole or not at all --------------------------------- */

/* stdout reached its reader, or die(EX_TEMP).  Last call of main(). */
void out_done(void);

/*
 * Replace path with len bytes, all or nothing.  The bytes go to a spool file
 * beside it (".<name>.new", 0600 from birth, taken over if a killed run left
 * one), which gets the mode, is synced and renamed over path; then the
 * directory is synced.  If path already holds exactly these bytes it is left
 * alone, mtime included, and 0 is returned; 1 if it was written; -1 after a
 * complaint, with path as it was and no spool file left behind.
 */
int out_file(const char *path, mode_t mode, const void *buf, size_t len);

/* The same, but never replaces: -1 after a complaint if path exists. */
int out_new(const char *path, mode_t mode, const void *buf, size_t len);

/*
 * Make the symbolic link path -> target, or switch it there, by one rename,
 * and sync the directory.  0, or -1 after a complaint.
 */
int out_link(const char *target, const char *path);

/* Sync the directory dir itself; 0, or -1 after a complaint. */
int sync_dir(const char *dir);

/* ---- in.c: files read whole --------------------------------------------- */

enum { FILE_MAX = 1 << 20 };	/* bytes; no file of ours comes near */

/*
 * The content of a regular file (or of a pipe; "-" is stdin) of at most
 * FILE_MAX bytes, NUL-terminated, its length in *len unless NULL.  NULL after
 * a complaint.  The caller frees; a private key is wiped first: wipe().
 */
char *slurp(const char *path, size_t *len);

/* The same, but silent, errno set, where it cannot be opened. */
char *slurp_try(const char *path, size_t *len);

/* Wipe len bytes and free them.  NULL is allowed. */
void wipe(void *p, size_t len);

/* The target of a symbolic link into buf, NUL-terminated; NULL with errno. */
char *link_target(const char *path, char *buf, size_t size);

/* ---- pem.c: keys, requests and certificates in PEM ---------------------- */

enum { CHAIN_MAX = 10 };	/* certificates in one file */

/* All return NULL after a complaint that names the file and the reason. */
EVP_PKEY *pem_key(const char *path);	/* never prompts for a passphrase */
X509_REQ *pem_csr(const char *path);	/* its own signature verified */
X509 *pem_cert(const char *path);	/* the first one in the file */

/* All the certificates, at least 1 and at most CHAIN_MAX, in file order; only
 * blocks of type CERTIFICATE are allowed.  Free with sk_X509_pop_free(certs, X509_free). */
STACK_OF(X509) *pem_certs(const char *path);

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

/* ---- name.c: names that a certificate can be for ------------------------ */

/*
 * The canonical form of a DNS name or IP address (RFC 5280, 4.2.1.6): DNS
 * names as lower-case A-labels (IDNA 2008) without the final dot, a wildcard
 * only as the whole left-most label with two labels behind it; IPv4 and IPv6
 * (RFC 5952) as inet_ntop writes them.  The caller frees.  NULL if s can be
 * neither, the reason in *why (static text).
 */
char *name_canon(const char *s, const char **why);

/* Is a canonical name an IP address?  Its 4 or 16 octets go to addr, their
 * count is returned; 0 if it is a DNS name. */
size_t name_ip(const char *name, unsigned char addr[16]);

/* Group and service names: [A-Za-z0-9][A-Za-z0-9._-]{0,63}, no "..", and not a
 * word that means something as a target, variable or file of ours. */
bool name_safe(const char *s);

/* ---- key.c: kinds of keys ----------------------------------------------- */

/*
 * What a key is, in one word: "ED25519", "RSA:4096", "EC:secp384r1" (the
 * OpenSSL name of the curve; "EC:?" if it is not a named one).  The caller
 * frees.
 */
char *key_kind(const EVP_PKEY *key);

/* The OpenSSL short name of a curve by any name that OpenSSL, SECG or NIST
 * know it by, in any case ("SECP256R1" is "prime256v1"); NULL if unknown. */
const char *curve_name(const char *name);

/* Is private the private half of public?  By a signature, for what the two
 * files say of the public half may be right where the private one is not. */
bool key_fits(EVP_PKEY *private, EVP_PKEY *public);

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
 * event happened, or -1 if there is none.  info_put: add a line; 0, or -1
 * after a complaint.
 */
time_t info_get(const char *dir, const char *event);
int info_put(const char *dir, const char *event, time_t t);

/* ---- toml.c and toml_value.c: TOML 1.0 ---------------------------------- */

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_DATETIME,	/* with offset, */
	TOML_DATETIME_LOCAL,	/* without, */
	TOML_DATE_LOCAL,	/* and their parts; the text is in str */
	TOML_TIME_LOCAL,
	TOML_ARRAY,
	TOML_TABLE
};

/* One value, and its place in the array or table that holds it. */
struct toml {
	enum toml_type type;
	unsigned line;		/* where its key, or it itself, stands; from 1 */
	const char *key;	/* in a table: its key, NUL-terminated, else NULL */
	size_t keylen;		/* octets in key, which may hold NULs */
	const char *str;	/* string, or date and time as RFC 3339 text; NUL-terminated */
	size_t len;		/* octets in str, which may hold NULs */
	int64_t num;		/* integer; bool as 0 or 1 */
	double real;		/* float */
	struct toml *first;	/* array or table: its first value, in file order */
	struct toml *next;	/* the next value of the same array or table */
};

enum { TOML_DEPTH = 32, TOML_KEYS = 10000 };	/* limits of one file */

/*
 * Read a file (at most FILE_MAX bytes).  The root table, to be freed with
 * toml_free; NULL after a complaint "path:line: what is wrong".
 */
struct toml *toml_load(const char *path);

/* The same, for len bytes at buf that came from path.  buf may be freed. */
struct toml *toml_parse(const char *path, const char *buf, size_t len);

/* Free a root table and all that hangs on it.  NULL is allowed. */
void toml_free(struct toml *root);

/* The value of a key in a table, or NULL. */
const struct toml *toml_get(const struct toml *table, const char *key);

/* Print a root table as JSON and a newline: dates and times, inf and nan as
 * strings, all floats with a point or exponent. */
void toml_print_json(const struct toml *root);

#endif
