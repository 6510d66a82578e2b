/*
 * update.h - dynamic updates of zones (RFC 2136), signed by TSIG (RFC 8945).
 *
 * ldns is asked for the form of records and of answers.  Signatures are ours: ldns
 * looks at neither the time nor the names in them.
 */
#ifndef UPDATE_H
#define UPDATE_H

#include "dns.h"

/* ---- tsig_key.c: keys ------------------------------------------------------------ */

enum {
	TSIG_SECRET_MAX = 512,	/* octets of a secret */
	TSIG_MAC_MAX = 64,	/* octets of a signature */
	WIRE_NAME_MAX = 255	/* octets of a name in a message */
};

struct tsig_alg {
	const char *name;	/* "hmac-sha256", also in messages */
	const char *digest;	/* OpenSSL's name of it */
	size_t len;		/* octets of a signature */
};

struct tsig_key {
	char *name;		/* as text */
	uint8_t wire[WIRE_NAME_MAX];	/* as octets, in small letters */
	size_t wire_len;
	const struct tsig_alg *alg;
	uint8_t secret[TSIG_SECRET_MAX];
	size_t len;
};

/*
 * Read a file with one key as tsig-keygen(8) of BIND writes it, and which nobody but
 * its owner may read.  NULL after a complaint.  What held the secret is wiped.
 */
struct tsig_key *tsig_key_load(const char *path);

/* Wipe and free a key.  NULL is allowed. */
void tsig_key_free(struct tsig_key *key);

/* ---- update_wire.c: octets of messages --------------------------------------------- */

enum {
	WIRE_HEADER = 12,
	WIRE_MAX = 65535,	/* octets of a message */
	WIRE_ARCOUNT = 10	/* where the count of additional records is */
};

struct wire {			/* what is being written */
	uint8_t *p;		/* room for WIRE_MAX octets */
	size_t n;
	bool full;		/* there was no room; n is where it ended */
};

/* An empty one; the caller frees p. */
struct wire wire_new(void);

/* Add octets, or a number of 2, 4, or 6 octets. */
void wire_put(struct wire *w, const void *p, size_t n);
void wire_put16(struct wire *w, unsigned n);
void wire_put32(struct wire *w, uint32_t n);
void wire_put48(struct wire *w, uint64_t n);

/* Add a record of this class and TTL, or its owner and type without data. */
void wire_put_rr(struct wire *w, const ldns_rr *rr, unsigned class, uint32_t ttl);
void wire_put_type(struct wire *w, const ldns_rdf *owner, unsigned type, unsigned class);

/* The number of two octets. */
unsigned wire_get16(const uint8_t *p);

/* Read the name at *at of a message of n octets, and go behind it: its octets in small
 * letters, without pointers, to name.  Their count, or 0 if it is none. */
size_t wire_name(const uint8_t *p, size_t n, size_t *at, uint8_t name[WIRE_NAME_MAX]);

/* ---- tsig.c: signatures --------------------------------------------------------------- */

enum { TSIG_FUDGE = 300 };	/* seconds that clocks may differ */

struct tsig_mac {
	uint8_t p[TSIG_MAC_MAX];
	size_t n;
};

/* Add a signature to a message, made at now, and give it back in *mac: the answer's
 * is made over it. */
void tsig_sign(const struct tsig_key *key, struct wire *w, time_t now, struct tsig_mac *mac);

/*
 * Is a message of *n octets the answer, signed by the key, to the request that has that
 * signature?  EX_YES, and the message is without signature, *n octets then.  Otherwise
 * EX_PERM, or EX_TEMP if clocks are to blame, with *why, which the caller frees: words
 * that go behind the server's name.
 */
int tsig_verify(const struct tsig_key *key, const struct tsig_mac *asked, uint8_t *p, size_t *n,
    time_t now, char **why);

/* ---- update_talk.c: a conversation with a server ---------------------------------------- */

enum { TALK_ADDRS = 8 };

struct talk {
	const char *server;	/* as it was given, for complaints */
	const struct tsig_key *key;
	int64_t until;		/* the end of all waiting, by dns_now() */
	struct dns_addr addr[TALK_ADDRS];
	size_t n;
	int fd;			/* -1: no connection */
	bool bear;		/* no complaint of TALK_REFUSED */
};

enum talk_fate {
	TALK_ANSWER,		/* as it has to be */
	TALK_LOST,		/* the server has hung up: what it has done is not known */
	TALK_REFUSED,		/* after a complaint: it says no, and not signed */
	TALK_FAILED		/* after a complaint; the status is in *status */
};

/*
 * Sign a message, which begins with its header and question or zone, send it by TCP,
 * and wait for the answer: with our id and opcode, the question or zone or none, and
 * a good signature.  answer has room for WIRE_MAX octets; *n of them are the answer,
 * without signature.
 */
enum talk_fate talk_ask(struct talk *t, struct wire *w, uint8_t *answer, size_t *n, int *status);

/* Hang up. */
void talk_end(struct talk *t);

/* ---- update.c: what a zone has, what it shall have, and the difference -------------------- */

struct update_record {
	const ldns_rr *rr;
	bool wanted;
	bool own;		/* we have added it, or may have */
	bool fresh;		/* own since this round */
	bool there;		/* the server has it */
};

struct update_set {		/* all records of an owner and type that concern us */
	struct update_record *record;
	size_t n;
	char *owner;
	ldns_rr **have;		/* what the server has */
	size_t nhave;
	uint32_t has_ttl, ttl;	/* of those; and that which ours get */
	bool again;		/* ours get another TTL */
	bool alone;		/* goes by itself: an update with it and others has failed */
	bool wild;		/* what the server shows is made from a wildcard */
	bool busy;		/* there is something to be done */
	struct wire before, change;	/* its part of a message, if busy: prerequisites, */
	unsigned nbefore, nchange;	/* and updates */
};

struct update {
	struct talk *talk;
	const char *zone;
	struct update_record *record;
	struct update_set *set;
	size_t n, nset;
	int status;		/* to end with, after a complaint */
	bool refused;		/* some sets, after complaints; the others go on */
	bool (*save)(const struct update *u);	/* those that are own, before anything
					 * is sent, and after; false after a complaint */
	void (*tell)(const struct update_record *r, uint32_t ttl, bool add);	/* what was done */
};

/* Sort records into sets: those that are wanted, and those that are our own.  The lines
 * have to last as long. */
void update_begin(struct update *u, const struct dns_lines *wanted, size_t nwanted,
    const struct dns_lines *own);

/* Ask the server what it has, and find what is to be done; false after a complaint, with
 * status set.  u->set[].busy tells. */
bool update_plan(struct update *u);

/* Tell what it is, as if it were done. */
void update_show(const struct update *u);

/* Is there anything to be done? */
bool update_busy(const struct update *u);

/* Is a record to be added, or to be removed?  Both, if it gets another TTL. */
bool update_adds(const struct update_set *s, const struct update_record *r);
bool update_drops(const struct update_set *s, const struct update_record *r);

/* Tell what is done to a set. */
void update_tell(const struct update *u, const struct update_set *s);

/* Free what it holds. */
void update_free(struct update *u);

/* ---- update_send.c: updates as messages, and what comes of them ---------------------------- */

/* Begin a message: its header with these flags, and its question or zone.  The caller
 * frees. */
struct wire update_message(unsigned flags, const ldns_rdf *name, unsigned type);

/* Complain of what a server says that does not do what it shall, and set the status;
 * false. */
bool update_refused(struct update *u, const uint8_t *answer, const char *what);

/* Do it; false after a complaint, with status set.  What has failed since the zone is not
 * as it was, or of which nobody knows what came of it, is left to another plan. */
bool update_do(struct update *u);

#endif
