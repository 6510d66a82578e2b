/*
 * probe.h - what servers show on their TLS ports, asked for each type of key.
 * What uses it links libssl and ldns.
 */
#ifndef PROBE_H
#define PROBE_H

#include "cert.h"
#include "dns.h"

#include <openssl/types.h>

/* ---- probe_talk.c: what is said before TLS ------------------------------------- */

enum talk_state {
	TALK_MORE,	/* the server has to say more */
	TALK_SAY,	/* say is to be sent */
	TALK_TLS,	/* TLS begins */
	TALK_FAULT,	/* it will never; why says more */
	TALK_LATER	/* not now; why says more */
};

struct talk;

struct talk_kind {		/* a protocol */
	const char *name;	/* "smtp" ... "tls", as -x says it */
	const char *title;	/* as people say it; NULL: TLS from the first octet */
	const char *bye;	/* what is said at the end, within TLS; or NULL */
	/* A line of the server, without its end: see talk_put(). */
	enum talk_state (*take)(struct talk *t, const char *line);
};

/* The protocol of that name, or the usual one of a port; NULL if there is none. */
const struct talk_kind *talk_named(const char *name);
const struct talk_kind *talk_of_port(long port);

/* The usual port of a protocol. */
long talk_port(const struct talk_kind *kind);

enum { TALK_LINE = 4096, TALK_LINES = 200, TALK_OCTETS = 65536 };	/* at most */

struct talk {			/* begins as {kind} */
	const struct talk_kind *kind;
	char say[300];		/* the whole of it; a NUL ends it */
	char *why;		/* fit for people; the caller frees */
	unsigned step;
	bool offers;		/* STARTTLS is in the answer to EHLO */
	unsigned lines;
	size_t octets;
	char code[4];		/* of the lines of an answer by SMTP */
	char line[TALK_LINE];
	size_t len;
};

/*
 * Take n octets of the server.  What stands behind its answer to STARTTLS is a
 * fault: somebody has put it there, to be taken for what TLS has protected.
 */
enum talk_state talk_put(struct talk *t, const char *p, size_t n);

/* ---- probe_host.c: what is to be probed ------------------------------------------ */

enum { PROBE_ADDRS = 16 };	/* of a host */

struct probe_tlsa {
	uint8_t usage, selector, match;
	const uint8_t *data;	/* as long as what it was read from */
	size_t len;
};

struct probe_host {
	char *host;		/* where to connect to: a name, or an address */
	char *name;		/* as it has to be named; the same, or -n */
	bool name_is_ip;
	long port;
	const struct talk_kind *kind;
	struct dns_addr addr[PROBE_ADDRS];
	size_t naddr;
	bool owner;		/* of records in a file: it may have no address */
	bool quiet;		/* which is then not told */
	bool dane;		/* it has to fit one of these: */
	struct probe_tlsa *tlsa;
	size_t ntlsa;
	ldns_pkt *answer;	/* where they are from, or NULL */
	int status;		/* what has come of it: EX_YES, EX_NO or EX_TEMP */
};

/* Read "host", "host:port" or "[address]:port"; name is NULL, or that of -n, kind
 * is NULL, or that of -x.  die(EX_USE) if it is none of these. */
void probe_host_read(struct probe_host *h, const char *arg, const char *name,
    const struct talk_kind *kind);

/* "example.com:25", "[2001:db8::1]:25"; the caller frees. */
char *probe_host_text(const struct probe_host *h);

/* Free what it holds. */
void probe_host_free(struct probe_host *h);

struct probe_dns {		/* who is asked */
	struct dns_addr server[DNS_WHO_MAX];
	size_t n;
};

/* The resolver "host" or "host#port", or, if NULL, those of /etc/resolv.conf that
 * are on this machine.  die(EX_USE) if there is none. */
void probe_dns_find(struct probe_dns *d, const char *resolver);

/*
 * Find the addresses of n hosts, of that family or AF_UNSPEC: by these servers, or,
 * with d NULL, by the system.  A host without any is a complaint, and its status
 * EX_TEMP.
 */
void probe_addresses(struct probe_host *h, size_t n, int family, const struct probe_dns *d,
    int64_t until);

/* ---- probe_dane.c: TLSA records ----------------------------------------------------- */

/* Ask for the TLSA records of n hosts.  No answer, one that is not secure, or one
 * without any is a complaint, and the host's status EX_TEMP or EX_NO. */
void probe_tlsa_ask(struct probe_host *h, size_t n, const struct probe_dns *d, int64_t until);

/* Take a host's TLSA records from zone lines; without any it is a complaint and
 * EX_NO. */
void probe_tlsa_take(struct probe_host *h, const struct dns_lines *l);

/*
 * All owners of TLSA records in these lines as hosts, in *hosts, which the caller
 * frees; how many is returned.  kind is NULL, or that of -x.  Wildcards, and what is
 * not over TCP, are passed over with a note unless quiet.
 */
size_t probe_owners(struct probe_host **hosts, const struct dns_lines *l,
    const struct talk_kind *kind, bool quiet);

/* Hand the records to a connection that is to be made, by the rules of its protocol.
 * False, with a reason in *why, if none of them is of use. */
bool probe_tlsa_use(SSL *ssl, const struct probe_host *h, const char **why);

/* ---- probe_tls.c: one connection ------------------------------------------------------ */

enum probe_key { PROBE_RSA, PROBE_ECDSA, PROBE_EDDSA, PROBE_KEYS };

/* "RSA" ...; static. */
const char *probe_key_name(enum probe_key k);

/* The type of a key; PROBE_KEYS if it is another. */
enum probe_key probe_key_of(const EVP_PKEY *key);

struct probe_want {		/* what everything has to fit */
	STACK_OF(X509) *shown;	/* one of these, by its key; or NULL */
	bool chain;		/* a trusted chain, and the name, unless there is DANE */
	X509_STORE *anchors;
};

enum probe_fate {
	PROBE_UNASKED,
	PROBE_SEEN,		/* chain is set */
	PROBE_HAS_NONE,		/* the server has no certificate with such a key */
	PROBE_FAULT,		/* it does what it should not; why says more */
	PROBE_LATER,		/* it does not answer, or not now; why says more */
	PROBE_NO_ROUTE		/* this machine cannot send to such an address */
};

struct probe_seen {		/* what a server has shown for one type of key */
	enum probe_fate fate;
	char *why;		/* what is wrong, fit for people; NULL: nothing */
	STACK_OF(X509) *chain;	/* as it was sent */
	const char *version, *cipher;	/* static */
	bool by_dane;		/* it fits this record: */
	uint8_t usage, selector, match;
};

/* A connection to the host at fd, for that type of key; NULL, with *why, if there can
 * be none. */
SSL *probe_tls_new(const struct probe_host *h, enum probe_key k, const struct probe_want *w,
    int fd, const char **why);

/* What has come of a handshake that is done, or has failed with that result. */
void probe_tls_done(struct probe_seen *s, SSL *ssl, const struct probe_host *h,
    const struct probe_want *w);
void probe_tls_failed(struct probe_seen *s, SSL *ssl, int result);

/* ---- probe_run.c: all addresses at the same time ------------------------------------- */

struct probe {			/* one address of a host */
	const struct probe_host *host;
	const struct dns_addr *addr;
	struct probe_seen seen[PROBE_KEYS];
};

/*
 * Probe n addresses, all at the same time, one type of key after the other, until that
 * moment of dns_now() at most.  Types are those of w->shown, or else RSA and ECDSA, and
 * Ed25519 where a server has neither of them.
 */
void probe_run(struct probe *p, size_t n, const struct probe_want *w, int64_t until);

/* Free what has been seen. */
void probe_free(struct probe *p, size_t n);

/* ---- probe_show.c: for people ----------------------------------------------------------- */

/*
 * Print what an address has shown, unless quiet, and complain of what does not fit;
 * EX_YES, EX_NO or EX_TEMP.  That there was no way to it is a note, unless quiet, and
 * sets *gone.
 */
int probe_show(const struct probe *p, const struct probe_want *w, bool quiet, bool verbose,
    bool *gone);

#endif
