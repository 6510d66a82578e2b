/*
 * sslm.h - what two or more files share, and nothing else.  Sections are named
 * by the file that implements them.
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
 * First call of every main(): umask 077, no core dumps, SIGPIPE and SIGXFSZ
 * ignored so that a lost reader, or a file above ulimit -f, is a reported
 * write error, and descriptors 0 to 2 open (on /dev/null where the caller had
 * closed them).
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
enum { SPAN_SIZE = 48 };
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

/* rename(2), and sync the directory; 0, or -1 after a complaint. */
int out_rename(const char *from, const char *to);

/*
 * For who writes many files: from here on out_file, out_link and out_rename
 * write their spool files and put off the renames.  out_commit syncs what was
 * written, does the renames in the order in which they were asked for, and
 * syncs the directories; with fs not NULL both syncs are one syncfs(2) of the
 * file system that holds the directory fs, however many files there are.  What
 * is put off between two calls of out_defer stands or falls together: after a
 * rename that fails, the rest of those is dropped.  0, or -1 after complaints.
 */
void out_defer(void);
int out_commit(const char *fs);

/* mkdir -m mode, whatever the umask; an existing directory is left as it is.
 * 0 or -1 after a complaint. */
int make_dir(const char *path, mode_t mode);

/* Sync the directory dir itself; 0, or -1 after a complaint. */
int sync_dir(const char *dir);

/* ---- in.c: files read whole --------------------------------------------- */

enum { FILE_MAX = 1 << 20 };	/* bytes; no file of ours comes near */

/*
 * The content of a regular file, or of whatever stdin is for "-", of at most
 * FILE_MAX bytes, NUL-terminated, its length in *len unless NULL.  NULL after
 * a complaint.  The caller frees; a private key is wiped first: wipe().
 */
char *slurp(const char *path, size_t *len);

/* The same, but silent, with errno, where it cannot be opened (EINVAL: is no
 * regular file); where it was opened and cannot be read, errno is 0. */
char *slurp_try(const char *path, size_t *len);

/* Wipe len bytes and free them.  NULL is allowed. */
void wipe(void *p, size_t len);

/* The target of a symbolic link into buf, NUL-terminated; NULL with errno. */
char *link_target(const char *path, char *buf, size_t size);

/* ---- pem.c: keys, requests and certificates in PEM ---------------------- */

enum { CHAIN_MAX = 10 };	/* certificates in one file */

/* All return NULL after a complaint that names the file and the reason. */
EVP_PKEY *pem_key(const char *path);	/* never prompts for a passphrase */
X509_REQ *pem_csr(const char *path, bool verify);	/* its own signature */
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

/* ---- toml.c and its parts toml_*.c: TOML 1.0 ----------------------------- */

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
	const char *str;	/* string, or date and time as RFC 3339 text, with 'T' and
				 * 'Z'; NUL-terminated; NULL for the others */
	size_t len;		/* octets in str, which may hold NULs */
	int64_t num;		/* integer; bool as 0 or 1 */
	double real;		/* float */
	struct toml *first;	/* array or table: its first value, in file order */
	struct toml *next;	/* the next value of the same array or table */
};

/* Limits of one file: how deep tables and arrays may be in one another, and how
 * many keys (and tables in arrays) it may have. */
enum { TOML_DEPTH = 32, TOML_KEYS = 10000 };

/*
 * Read a file (at most FILE_MAX bytes).  The root table, to be freed with
 * toml_free; NULL after a complaint "path:line: what is wrong".  Line ends
 * within strings are LF, whatever they are in the file.
 */
struct toml *toml_load(const char *path);

/* Free a root table and all that hangs on it.  NULL is allowed. */
void toml_free(struct toml *root);

/* The value of a key in a table, or NULL; nothing is in NULL, or in what is not a
 * table, so that calls can be nested. */
const struct toml *toml_get(const struct toml *table, const char *key);

/* Print a root table as JSON and a newline: dates and times, inf, -inf and nan as
 * strings, all floats with a point or exponent and as many digits as it takes to
 * read the same number back. */
void toml_print_json(const struct toml *root);

/* ---- conf.c: a table of configuration, checked against its list of keys -- */

enum conf_want {
	WANT_STRING,	/* const char *; no control characters */
	WANT_INT,	/* long in [min, max]; a string of digits will do */
	WANT_BOOL,	/* bool */
	WANT_STRINGS,	/* const struct toml *: a string, or an array of strings */
	WANT_VALUE,	/* const struct toml *: anything, for the caller to check */
	WANT_TABLE,	/* const struct toml *: a table */
	WANT_TABLES,	/* const struct toml *: an array of tables */
	WANT_DEAD	/* known, without effect */
};

struct conf_key {
	const char *name;	/* NULL ends the list */
	enum conf_want want;
	size_t at;		/* offset of the member that takes the value */
	long min, max;
};

/*
 * Fill the structure at into from a table.  An unknown key is a warning with
 * the key that may have been meant, a value of the wrong kind an error; both
 * as "path:line: message".  False if there was an error.  What the table does
 * not have is left as it is.
 */
bool conf_table(const char *path, const struct toml *table, const struct conf_key *keys,
    void *into);

/* Complain of a value as "path:line: what"; false. */
bool conf_fault(const char *path, const struct toml *v, const char *what);

/* Warn of an unknown key, once however often its file is read; the nearest of n
 * names, if near, is proposed. */
void conf_unknown(const char *path, const struct toml *v, const char *const *names, size_t n);

/* " (did you mean 'near'?)", or "" if none of the n names is near; static. */
const char *conf_hint(const char *word, const char *const *names, size_t n);

/* The next string of a WANT_STRINGS value; *at is NULL before the first call.
 * NULL at the end. */
const char *conf_next(const struct toml *strings, const struct toml **at);

/* ---- renew.c: when to renew ---------------------------------------------- */

enum { RENEW_MAX = 40 };	/* points of the table */

struct renew_rule {
	size_t n;
	struct renew_point {
		double life;	/* days from notBefore to notAfter */
		double left;	/* renew when so many days are left ... */
		double spread;	/* ... give or take so many, at random */
	} point[RENEW_MAX];	/* by life, ascending */
	double days, days_spread;	/* renew_expire_days; < 0: by the table */
};

/* The table that holds where nothing is configured. */
void renew_default(struct renew_rule *r);

/* Take the [renew_info] table of path into the rule; false after an error. */
bool renew_table(struct renew_rule *r, const char *path, const struct toml *table);

/* The moment from which a certificate of those dates is due; draw in [0, 1)
 * is the certificate's own random number. */
time_t renew_time(const struct renew_rule *r, time_t from, time_t until, double draw);

/* ---- site.c: conf.d/ssl-mgr.conf ------------------------------------------- */

#define SITE_CONF "conf.d/ssl-mgr.conf"

struct server {			/* [smtp], [imap], [web], [other], [dns] ... */
	const char *section;
	const struct toml *servers, *restart_cmd, *depends;	/* strings */
	const struct toml *acme_dir, *tlsa_dirs;		/* strings, [dns] */
	const struct toml *svc_depends;	/* array of [group, [service ...]] */
	const char *server_dir, *update;
	bool skip_prod_copy;
};

struct service_id {
	char *group, *service;
};

enum ca_kind { CA_SELF, CA_LOCAL, CA_ACME };

struct ca {			/* a table of conf.d/ca-info.conf */
	const char *name, *desc, *type, *validation, *preferred_chain, *profile;
	const char *url, *test_url, *bundle, *email, *eab_kid, *eab_hmac_file;
	enum ca_kind kind;
};

struct site {
	struct toml *root;	/* all strings below are its */
	const char *prod_cert_dir, *logdir, *sslm_auth_hook;
	long clean_keep, min_roll_mins, dns_check_delay;
	const struct toml *dns_xtra_ns, *post_copy_cmd;
	struct renew_rule renew;
	struct server *server;
	size_t nserver;
	struct toml *ca_root;	/* all strings of ca are its */
	struct ca *ca;
	size_t nca;
	struct service_id *id;	/* in the order of the file */
	size_t n;
	bool bad;		/* a name that was asked for is not there */
};

/*
 * Go to the site's directory dir (NULL: stay), read conf.d/ssl-mgr.conf and
 * conf.d/ca-info.conf (which may be missing), and list the services: those of
 * the active groups, or those named, as site_add_named() knows them.
 * die(EX_USE) if a file is wrong; a name that does not exist is a complaint and
 * sets bad.
 */
void site_load(struct site *site, const char *dir, char *const names[]);
void site_free(struct site *site);

/* ---- list.c: the list of services that a site has, or that are named ------- */

/* Add those of the active [[groups]], in the order of the file; of two groups for
 * one domain the last counts.  False after an error. */
bool site_add_groups(struct site *site, const struct toml *groups);

/* Add every service file of a group, by name; false after a complaint. */
bool site_add_group(struct site *site, const char *group);

/* Add those named as "group:service,service", "group:ALL", "group",
 * "group/service" or by the path of a directory in certs; false after a
 * complaint that there is no such thing. */
bool site_add_named(struct site *site, const char *arg);

/* A service that is listed twice counts once, where it comes first. */
void site_drop_twins(struct site *site);

/* List the services named in a file instead, "group/service" a line. */
void site_only(struct site *site, const char *file);

/* "certs/group/service"; the caller frees. */
char *service_dir(const struct service_id *id);

/* ---- cainfo.c: conf.d/ca-info.conf ------------------------------------------ */

/* Fill site->ca from conf.d/ca-info.conf; false after an error. */
bool cainfo_load(struct site *site);

/* The CA of that name ("" and "self": the certificate's own key), or NULL. */
const struct ca *cainfo_find(const struct site *site, const char *name);

/* ---- service.c: conf.d/<group>/<service> ---------------------------------- */

struct service {
	const struct service_id *id;
	char *path;		/* conf.d/group/service */
	struct toml *root;	/* the strings below are its */
	const char *name, *signing_ca;
	const char *ktype, *ec_algo;
	long rsa_bits;
	const char *cn, *o, *c, *ou, *l, *st, *email;
	const struct toml *sans, *ext_key_usage, *dane_tls;
	long dane_tls_ttl, key_days;
	bool must_staple, is_ca;
	long sign_end_days;	/* what this service signs, when it is a CA; days */
	const char *digest;
	struct renew_rule renew;
	const struct ca *ca;	/* who signs it */
	char *kind;		/* of key, as key_kind() says it */
	char **names;		/* canonical; the CN first if it is one */
	size_t nnames;
};

/* Read and check a service; false after complaints, and nothing to free. */
bool service_load(struct service *s, const struct site *site, const struct service_id *id);
void service_free(struct service *s);

/* ---- cert.c: the few facts of a certificate, without parsing all of it ---- */

struct cert {
	time_t from, until;	/* notBefore, notAfter */
	char kind[64];		/* of key, as key_kind() says it */
	char issuer[128];	/* the issuer's CN, else O, else "" */
	uint64_t issuer_id, subject_id;	/* the same for the same name */
	char serial[48];	/* hex */
	double draw;		/* in [0, 1), the same for ever, from its signature */
	char **names;		/* canonical, unsorted; printable ASCII */
	size_t nnames;
};

/* The first certificate of a PEM file; false with *why: errno text or what is
 * wrong with it.  cert_free after success. */
bool cert_load(struct cert *c, const char *path, const char **why);
void cert_free(struct cert *c);

/* ---- gen.c: a service's generations ---------------------------------------- */

enum next_state { NEXT_NONE, NEXT_PART, NEXT_WHOLE };

/* The state of dir/next: absent or dangling, begun, or complete. */
enum next_state next_state(const char *dir);

/* Is path, which is to be curr, next or prev, a link or not there?  False after
 * a complaint. */
bool link_or_none(const char *path);

/* Does curr, next or prev of dir point to that generation, there or not?  If
 * one cannot be read, yes. */
bool gen_linked(const char *dir, const char *generation);

/* Remove a directory and the plain files in it; 0 or -1 after a complaint. */
int remove_set(const char *dir);

/*
 * Remove the generations of dir (in dir/db) that no link points to, but for
 * the keep newest, and what killed runs left of copies; 0 or -1 after a
 * complaint.
 */
int prune(const char *dir, long keep);

/* ---- due.c: is a renewal wanted, and why? ----------------------------------- */

enum { WHY_SIZE = 400 };

struct due {
	bool due;
	char why[WHY_SIZE];	/* if due */
	bool have_curr;		/* curr holds a certificate; if so: */
	struct cert curr;
	time_t renew;		/* when it is due by its dates */
	enum next_state next;
	char next_gen[STAMP_SIZE + 8];	/* where next points to, unless NEXT_NONE */
};

/*
 * Judge a service by its files at time now.  With reuse, the kind of key may
 * be another than the service asks for.  False after a complaint: curr is
 * there but cannot be read.  due_free after success.
 */
bool due_judge(struct due *d, const struct service *s, time_t now, bool reuse);
void due_free(struct due *d);

/* ---- makefile.c: what make is told of a service ----------------------------- */

/*
 * Write certs/<group>/<service>/Makefile (which file comes from which, and the
 * flags of each step) and request (subject and names, read by sslm-csr), and
 * the directories above them; each file only if its content changes.  EX_YES,
 * or EX_USE or EX_TEMP after a complaint.
 */
int makefile_write(const struct site *site, const struct service *s);

#endif
