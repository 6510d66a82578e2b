/*
 * acme.h - speaking to an ACME CA (RFC 8555): keys and signatures, HTTP, orders.
 */
#ifndef ACME_H
#define ACME_H

#include "cert.h"
#include "site.h"

#include <jansson.h>
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

/* ---- http.c: requests over one connection -------------------------------- */

enum {
	BODY_MAX = 1 << 20,	/* octets of an answer's body */
	LINK_MAX = 10		/* links to other chains that are looked at */
};

struct http_req {
	/* set by the caller, all of it there until the answer is */
	const char *url;
	const char *post;	/* JSON, a flattened JWS; NULL: GET */
	bool head;		/* HEAD instead */
	bool once;		/* not sent again, not by libcurl either */
	const char *accept;	/* media type, or NULL */
	void *who;		/* the caller's */
	/* the answer; strings are NULL if not said */
	long status;		/* 0: there was none, why tells; if so: */
	bool again;		/* the connection was lost, which may help */
	bool wrong;		/* the server does what it must not */
	char why[256];
	char *body;		/* NUL-terminated */
	size_t len;
	char *location, *nonce;
	long retry_after;	/* seconds from now; -1 if not said */
	char *alternate[LINK_MAX];	/* Link: rel="alternate" */
	size_t nalternate;
	struct http_work *work;	/* http.c's own */
};

struct http;

/* anchors: a file of certificates or a directory of them by hash, NULL for
 * those of the system.  deadline: when the whole conversation has to be over.
 * die(EX_TEMP) if there is no memory. */
struct http *http_open(const char *anchors, time_t deadline);
void http_close(struct http *h);

/* Begin a request.  Any number may be under way; what a connection does not
 * carry side by side waits its turn. */
void http_start(struct http *h, struct http_req *r);

/* Wait until one is answered, or has failed; NULL if none is under way. */
struct http_req *http_wait(struct http *h);

/* Does the server take many requests at a time (HTTP/2)?  Known after the first
 * answer. */
bool http_parallel(const struct http *h);

/* Free what an answer holds. */
void http_free(struct http_req *r);

/* ---- jws.c: the process that has the account key -------------------------- */

struct jws;

/* The path of a program of ours, beside this one; the caller frees. */
char *program_beside(const char *program);

/*
 * Start sslm-jws, which stands beside this program, on a private key; with
 * extra, its option of that name (RFC 8555: 'e' the file of an external account
 * binding, 'n' the key of a rollover) with that file.  Only that process opens
 * the keys, and it never speaks to the network.  die() if it cannot be started.
 */
struct jws *jws_open(const char *key, char extra, const char *file);
void jws_close(struct jws *j);

/* Ask it, in the words of sslm-jws(1); its answer, which the caller frees.
 * finish() if it has ended, with its status; die(EX_PERM) if it cannot answer. */
char *jws_ask(struct jws *j, const char *fmt, ...) PRINTF(2, 3);

/* ---- acme.c: a conversation with a CA ------------------------------------- */

struct step_options;

struct acme {
	struct site site;
	const struct ca *ca;
	const char *url;	/* of the directory */
	char *dir;		/* where the account is: certs/.acme/... */
	char *account;		/* its URL, or NULL */
	bool leaving;		/* the CA was told to deactivate it, or nearly so */
	struct http *http;
	struct jws *jws;
	json_t *directory;	/* NULL until it was asked for */
	char *new_nonce;
	char **nonce;		/* those to be used, n of them */
	size_t nonces;
	size_t want;		/* so many requests will go out side by side */
	unsigned asked, most;	/* requests until now, and at most */
	time_t deadline;
};

struct acme_req {
	/* set by the caller */
	const char *url;
	const char *payload;	/* JSON; NULL: POST-as-GET */
	const char *accept;	/* as in struct http_req */
	bool with_key;		/* signed with the key itself, not as the account */
	bool once;		/* not repeated if its answer is lost */
	bool spare;		/* we can do without an answer: h.status 0 */
	void (*before)(void *arg);	/* if set, called before it is sent */
	void *arg;
	/* the answer, with the members of an HTTP answer in h */
	struct http_req h;
	char *signed_post;	/* acme.c's own */
	json_t *json;		/* if the body is a JSON object */
	unsigned tries;
	bool done, busy;
	int64_t not_before;	/* ms, of a retry */
};

enum { CONVERSATION = 100 };	/* seconds, at most, that one may take; and one for each name */

/* Read the site's configuration, find the CA of that name and where its account
 * is.  names is how many identifiers the work is about; more of them allow more
 * requests.  die(EX_USE) if the CA cannot be asked. */
void acme_open(struct acme *a, const struct step_options *opt, size_t names);
void acme_close(struct acme *a);

/* The paths of the account's files; the caller frees. */
char *acme_key_path(const struct acme *a);
char *acme_account_path(const struct acme *a);
char *acme_next_path(const struct acme *a);

/* Take the account from its files and start the signer; die(EX_USE) if there is
 * none, or if it is about to be deactivated.  If its key is about to be changed, by
 * somebody else than the caller: a warning. */
void acme_use_account(struct acme *a, bool new_key);

/* Just read account.json. */
void acme_read_account(struct acme *a);

/* Get the directory, unless it is there.  False quietly, or finish() after a
 * complaint. */
bool acme_reach(struct acme *a, bool quiet);

/* The URL that the directory has under this name, asked for once; NULL if it has
 * none.  (RFC 8555, 7.1.1) */
const char *acme_resource(struct acme *a, const char *name);

/* The same, but die(EX_PERM) if it has none. */
const char *acme_need(struct acme *a, const char *name);

/*
 * Send n requests, side by side as far as the connection and the nonces allow,
 * and wait for all the answers.  A nonce that was refused is replaced, a CA that
 * says "later" is waited for, for a short time; then and if there is no answer at
 * all: die(EX_TEMP).  Anything else is for the caller, in h.status.
 */
void acme_post(struct acme *a, struct acme_req *r, size_t n);
void acme_free(struct acme_req *r);

/* Use a nonce that an earlier conversation has left over. */
void acme_keep_nonce(struct acme *a, const char *nonce);

/* A GET without signature, of JSON; the caller frees.  NULL after a complaint, or
 * quietly. */
json_t *acme_get(struct acme *a, const char *url, struct http_req *h, bool quiet);

/* Sleep before the next look at what is under way, the nth: shortly at first, longer
 * each time, and at least as long as the CA says.  False when the time is over. */
bool acme_pause(struct acme *a, unsigned *n, long retry_after);

/* ---- problem.c: what a CA says ---------------------------------------------- */

/* Is this a URL that may be asked: https, of printable characters, not too long, and
 * nobody's name in it? */
bool url_ok(const char *url);

/* The string, URL (complained of if it is not such) or array at key; or NULL. */
const char *json_str(const json_t *object, const char *key);
const char *json_url(const json_t *object, const char *key);

/* Is the answer a problem of that type ("badNonce")? */
bool problem_is(const struct acme_req *r, const char *type);

/* Is it one that passes by itself: the CA is busy, or likes none of our nonces? */
bool problem_passes(const struct acme_req *r);

/* What a problem document (RFC 7807; RFC 8555, 6.7) says, with its subproblems,
 * fit for people; the caller frees.  That of an answer also where it is none. */
char *problem_text(const json_t *problem);
char *problem_of(const struct acme_req *r);

/* complain() of an answer, "what: problem", and the exit status that it means:
 * EX_TEMP if it passes, else EX_PERM. */
int problem_complain(const struct acme_req *r, const char *fmt, ...) PRINTF(2, 3);

/* ---- account.c: the account at a CA (RFC 8555, 7.3) ------------------------- */

/* Find the account of the key, or make one unless only_existing, and write its
 * file.  The signer is running, the URL in a->account afterwards.  EX_YES, or a
 * status after a complaint. */
int account_register(struct acme *a, bool only_existing);

/* Write account.json, with a->leaving. */
int account_write(const struct acme *a);

/* ---- order.c: what an order is about ---------------------------------------- */

enum { ORDER_NAMES = 1000 };

struct order {
	char *set;		/* the directory that is to hold the certificate */
	char *path[3];		/* order.json, csr.pem and cert.pem in it */
	X509_REQ *csr;
	char *csr_b64;		/* its DER in base64url, */
	char *csr_hash;		/* and the SHA-256 of that in hex */
	char **name;		/* canonical, from the request */
	size_t names;
	json_t *file;		/* what order.json holds, or NULL */
};

enum { ORDER_FILE, ORDER_CSR, ORDER_CERT };

/* The request in a set; finish() after a complaint if there is none. */
void order_open(struct order *o, const char *set);
void order_close(struct order *o);

/* Is there a certificate in a set for its request already? */
bool order_done(const char *set);

/* Read order.json, if it is for this request, this CA and this account, into
 * o->file; false if there is none. */
bool order_read(struct order *o, const struct acme *a);

/* Write o->file, and into it what the next step can use of the conversation;
 * finish() if that fails. */
void order_write(const struct order *o, const struct acme *a);

/* The order is of no use any more. */
void order_forget(struct order *o);

/* A time as RFC 3339 has it; -1 if it is none. */
time_t order_time(const char *s);

/* ---- challenge.c: the kinds of challenges that we can meet ------------------- */

/*
 * What an authorization asks for, as an object of order.json: the challenge that
 * the CA's ca_validation prefers and this name allows, with all that is to be
 * published.  NULL after a complaint.
 */
json_t *challenge_choose(struct acme *a, const json_t *authorization, const char *name);

/* One of these as a line for people, on stdout. */
void challenge_print(const json_t *challenge);

/* ---- failure.c: the memory of failed orders ---------------------------------- */

struct failure {
	long count;		/* 0: none */
	time_t until;		/* when the next order may be asked for */
	bool asked;		/* the last was asked for, and the answer is not known; */
	time_t before;		/* so it was until then */
	char csr[65], why[300];
};

/* What is remembered of orders for this request. */
void failure_recall(const struct order *o, struct failure *f);

/* Has one failed a short while ago?  Then die(EX_TEMP). */
void failure_wait(const struct order *o, const struct failure *f);

/* An order is about to be asked for.  It counts from now on, so that a CA is not
 * asked over and over again by runs that do not live to see its answer; */
void failure_asking(const struct order *o);

/* and not any more: the order is known. */
void failure_known(const struct order *o);

/* One has: the next is to wait for 1, 10, 100 minutes, then a day, or as long as the
 * CA says, in seconds. */
void failure_note(const struct order *o, const char *why, long retry_after);

/* It has come to a good end. */
void failure_forget(const struct order *o);

/* ---- ari.c: when the CA wants a certificate to be renewed (RFC 9773) --------- */

/* The identifier of the certificate in a file, the caller frees; NULL, silently,
 * if it cannot have one. */
char *ari_id(const char *path);

/* ---- order_file.c: order.json, the order of a set in the making ---------- */

/* How it is met: by a record that is published and withdrawn, by a file, by a record
 * that stays.  Kinds that are met in one way are one here. */
enum challenge_type { CHALLENGE_DNS, CHALLENGE_HTTP, CHALLENGE_PERSIST };

/* One that is still to be met; every string is checked, and none can hurt in a zone
 * file, a file name, a header or a message. */
struct challenge {
	enum challenge_type type;
	const char *identifier;	/* a canonical name */
	const char *url, *authorization;
	const char *token;	/* not of a record that stays; base64url */
	const char *owner, *txt;	/* with DNS: where and what the record is */
	const char *content;	/* of a file: token, '.' and thumbprint */
};

struct order_file {
	json_t *root;	/* the strings are its */
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
int order_load(struct order_file *o, const char *path);
void order_free(struct order_file *o);

/* ---- the steps of sslm-acme, one file each: sslm-acme(1) ---------------------- */

struct step_options {
	const char *ca, *dir;		/* -c, -C */
	const char *in, *key, *old, *reason;	/* -i, -k, -p, -r */
	bool deactivate, force, new_key, quiet, show;	/* -d, -f, -k, -q, -s */
	char **operands;
};

/* EX_YES, or the status of a failure after a complaint. */
int step_account(const struct step_options *opt);
int step_order(const struct step_options *opt);
int step_finish(const struct step_options *opt);
int step_revoke(const struct step_options *opt);
int step_window(const struct step_options *opt);

#endif
