/*
 * dns.h - questions to name servers, many at a time, and what is known of zones.
 * What uses it links ldns, which is for the form of packets and of records alone:
 * whether a packet answers a question is decided in dns.c.
 *
 * Names are text, without the final dot and in small letters, unless said
 * otherwise.  What servers have sent is as long as its limits allow, and nothing
 * else is known of it.
 */
#ifndef DNS_H
#define DNS_H

#include "site.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <ldns/ldns.h>

/* ---- dns_addr.c: addresses of servers --------------------------------------- */

struct dns_addr {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
};

/* "192.0.2.1" or "2001:db8::1", with "#port" where it is not 53; static, good
 * until the fourth call after this one. */
const char *dns_addr_text(const struct dns_addr *a);

/* Is it the same address and port? */
bool dns_addr_same(const struct dns_addr *a, const struct dns_addr *b);

/* Up to max addresses of a host, or the one that it is itself; asks the system, and
 * waits for it.  0, and no word, if there is none. */
size_t dns_addr_find(struct dns_addr *a, size_t max, const char *host, long port);

/* ---- dns.c: many questions at a time ----------------------------------------- */

enum dns_fate {
	DNS_NONE,	/* not asked yet */
	DNS_ANSWER,	/* answer is set, whatever its RCODE and its AA bit */
	DNS_SILENT,	/* no answer that could be used; why says more */
	DNS_NO_ROUTE	/* this machine cannot send to such an address */
};

struct dns_query {
	const char *name;	/* of the question, text; a final dot is allowed */
	ldns_rr_type type;
	struct dns_addr server;
	bool recurse;		/* with the RD bit */
	bool secure;		/* ask for the AD bit: with it, and DO, in the question */
	bool dnssec;		/* with the DO bit, and the CD bit if it is to recurse */
	enum dns_fate fate;	/* from here on: what came of it */
	const char *why;	/* "does not answer" ...: static text, unless DNS_ANSWER */
	ldns_pkt *answer;	/* the caller frees by dns_free() */
};

/*
 * Ask n questions, each of its server, all at the same time, and wait until each
 * one has its fate, until that moment of dns_now() at most.  An answer has come from the
 * server's address and port, to ours, with our id and our question, and is well
 * formed; whatever else comes is not looked at.  By UDP, some tries with growing
 * patience, and by TCP if the answer is truncated or none has come.  An answer has
 * 65535 octets at most.  A server that has not answered one question at all is not
 * asked the rest.
 */
void dns_ask(struct dns_query *q, size_t n, int64_t until);

/* Free the answers of n questions; they may be asked again. */
void dns_free(struct dns_query *q, size_t n);

/* Milliseconds on a clock that nobody sets. */
int64_t dns_now(void);

/* ---- dns_message.c: octets --------------------------------------------------- */

/* The RCODE of an answer as text, "NOERROR" ...; static. */
const char *dns_rcode(const ldns_pkt *answer);

/* Does it tell what there is and what not: an answer NOERROR or NXDOMAIN, with the AA
 * bit unless it was asked to recurse? */
bool dns_tells(const struct dns_query *q);

/* ---- dns_who.c: who is asked about a zone --------------------------------------- */

enum { DNS_WHO_MAX = 8 };

struct dns_who {		/* in the order in which they are asked */
	size_t n;
	struct dns_addr server[DNS_WHO_MAX];
	bool recurse[DNS_WHO_MAX];
};

/*
 * Whom to ask about names in a zone: its [[dns_primary]]; without one the default
 * one, or else the resolvers of /etc/resolv.conf.  Of a zone that the site does
 * not know, or NULL, the default one and then the resolvers.  site may be NULL:
 * there are only the resolvers.  A primary without an address is a complaint, once.
 * Good as long as the site is.
 */
const struct dns_who *dns_who(const struct site *site, const char *zone);

/* The longest domain of the site's groups and primaries that name is, or is
 * below; NULL if there is none. */
const char *dns_site_zone(const struct site *site, const char *name);

struct dns_lookup {
	const char *name;
	ldns_rr_type type;
	const struct dns_who *who;
	bool dnssec;		/* as in struct dns_query */
	ldns_pkt *answer;	/* by dns_look(), or NULL; the caller frees by */
	char *why;		/* ... dns_look_free(); "192.0.2.1 does not answer" ... */
	bool recursed;		/* it is the answer of a resolver */
};

/*
 * n lookups at the same time, each at its servers, one after the other until one of
 * them knows: its answer has RCODE NOERROR or NXDOMAIN, and the AA bit unless it
 * was asked to recurse.
 */
void dns_look(struct dns_lookup *l, size_t n, int64_t until);

/* Free what n lookups have found; not l itself. */
void dns_look_free(struct dns_lookup *l, size_t n);

/* ---- dns_place.c: where a record has its place ---------------------------------- */

struct dns_place {
	const char *owner;	/* any case, a final dot is allowed */
	char *target;		/* owner after its CNAMEs; the caller frees */
	char *zone;		/* apex of the zone that target is in; the caller frees */
};

enum { DNS_CNAMES = 8 };	/* more of them, or a loop, are an error */

/*
 * Find the places of n owners, all at the same time.  The zone is the longest
 * domain of the site's groups and primaries, or else what the SOA records say.
 * A server that cannot be asked for CNAMEs is a complaint, and the owner has none.
 * False after a complaint that an owner has no place; those have target and zone
 * NULL, the others are set.  site may be NULL.
 */
bool dns_place(const struct site *site, struct dns_place *p, size_t n);

/* The same, without complaints: why[i] is what was to be said of the owner, to be
 * freed, or NULL.  With a target it is a warning. */
void dns_place_try(const struct site *site, struct dns_place *p, char **why, size_t n,
    int64_t until);

/* ---- dns_sec.c: signatures (RFC 4035, 5.3) -------------------------------------------- */

struct dns_keys {		/* of a zone, as one of its servers has them */
	ldns_rr_list *rr;	/* NULL if they are not to be trusted, */
	char *why;		/* for this reason */
};

/* Take the DNSKEY records of a zone ("." is the root) from the answer about them, if
 * one of trust, its DS and DNSKEY records that are known to be right, is for a key
 * that signs them.  Freed by dns_keys_free(). */
void dns_keys_take(struct dns_keys *k, const char *zone, const ldns_pkt *answer,
    const ldns_rr_list *trust);
void dns_keys_free(struct dns_keys *k);

/* The records of that owner (canonical) and type, each once, as a list of what is in
 * the other list still; never NULL, ldns_rr_list_free(). */
ldns_rr_list *dns_rrset(const ldns_rr_list *from, const ldns_rdf *owner, ldns_rr_type type);

/* Does a signature in the list hold for the zone's records of that owner (canonical)
 * and type in there now?  NULL if one does; *labels, unless
 * NULL, is what it says of the owner, fewer than that has if it was a wildcard.
 * Else what is wrong, which the caller frees. */
char *dns_unsigned(const struct dns_keys *k, const char *zone, const ldns_rr_list *from,
    const ldns_rdf *owner, ldns_rr_type type, unsigned *labels);

/* Labels of a name, without the root and a "*" in front. */
unsigned dns_labels(const ldns_rdf *name);

/* What is bogus about an answer of one of the zone's servers, that it knows of or not;
 * the caller frees.  NULL if nothing is. */
char *dns_bogus(const struct dns_keys *k, const char *zone, const struct dns_query *q);

/* ---- dns_deny.c: that there is nothing (RFC 4035, 5.4; RFC 5155, 8) --------------------- */

/* Does the answer prove that name has no record of that type, or with nxdomain, that
 * there is no such name? */
bool dns_denied(const struct dns_keys *k, const char *zone, const ldns_pkt *answer,
    const char *name, ldns_rr_type type, bool nxdomain);

/* ... that name had to be made from the wildcard below its last so many labels? */
bool dns_wild(const struct dns_keys *k, const char *zone, const ldns_pkt *answer,
    const char *name, unsigned labels);

/* ---- dns_zone.c: the servers of a zone --------------------------------------------- */

enum { DNS_HOSTS = 32, DNS_HOST_ADDRS = 16 };	/* of a zone, of a host */

struct dns_zone {
	const char *apex;
	bool some;		/* given: a host without an address is no fault, it has a word */
	struct dns_ns {
		char *host;
		struct dns_addr addr;
		struct dns_keys keys;	/* for dns_check.c: as they are in this round, */
		bool asked;		/* and whether they are asked for */
	} *ns;			/* every address once */
	size_t n;
	char *why;		/* what is wrong, if n is 0, or with some, otherwise */
	const ldns_rr_list *trust;	/* for dns_check.c */
};

/*
 * Find the servers of n zones, all at the same time: the NS records that the
 * zone's primary has, with all their addresses (there, or as the system knows
 * them), at that port.  A host without an address is a fault of its zone.
 */
void dns_zones(const struct site *site, struct dns_zone *z, size_t n, long port,
    int64_t until);

/* Free what dns_zones() has found; not z itself. */
void dns_zones_free(struct dns_zone *z, size_t n);

/* ---- dns_set.c: records, as lines and as sets --------------------------------------- */

struct dns_line {
	const char *text;	/* as it was given, without the newline */
	ldns_rr *rr;		/* canonical */
	size_t set;		/* which of the sets it is in */
};

struct dns_set {		/* all lines of one owner and type */
	char *owner;
	ldns_rr_type type;
	const struct dns_line **line;
	size_t n;
	const char *source;	/* of a SOA record: whose it is, for messages; or NULL */
};

struct dns_lines {
	char *text;
	struct dns_line *line;
	size_t n;
	struct dns_set *set;
	size_t nset;
};

/*
 * Read zone lines (RFC 1035, 5.1): one record a line, owners with a final dot;
 * empty lines and comments count for nothing.  text is taken over; path is its name in
 * complaints.  False after a complaint for each line that is wrong.
 */
bool dns_lines_read(struct dns_lines *l, char *text, const char *path);
void dns_lines_free(struct dns_lines *l);

/* Are two records of one type the same but for owner and TTL?  Both canonical. */
bool dns_same_data(const ldns_rr *a, const ldns_rr *b);

/* The next record of the answer at owner, of that type, from *at on, made canonical;
 * NULL at the end. */
ldns_rr *dns_next(const ldns_pkt *answer, const char *owner, ldns_rr_type type, size_t *at);

/* A record as a zone line; the caller frees.  NULL if it cannot be shown. */
char *dns_rr_text(const ldns_rr *rr);

/* Does the answer hold the record, whatever its TTL, at that owner? */
bool dns_has(const ldns_pkt *answer, const char *owner, const ldns_rr *rr);

/* The answer's first record of that owner and type, canonical; NULL if there is none. */
const ldns_rr *dns_first(const ldns_pkt *answer, const char *owner, ldns_rr_type type);

/* The serial of a SOA record, or 0. */
uint32_t dns_serial(const ldns_rr *soa);

/* The greatest TTL of the answer's records at that owner, of that type; 0 if it has
 * none. */
uint32_t dns_ttl(const ldns_pkt *answer, const char *owner, ldns_rr_type type);

/* A record that the answer has at the owner of a set's type, and the set has not;
 * as text, which the caller frees; NULL if there is none. */
char *dns_beyond(const ldns_pkt *answer, const char *owner, const struct dns_set *set);

/* ---- dns_anchor.c: whose keys are trusted ------------------------------------------------ */

struct dns_anchors {
	struct dns_anchor {	/* what is known to be right of a zone */
		char *zone;	/* "." is the root */
		ldns_rr_list *trust;	/* its DS and DNSKEY records */
	} *zone;
	size_t n;
};

/* Read a file of DS and DNSKEY records, a line each.  False after complaints. */
bool dns_anchors_read(struct dns_anchors *a, const char *path);
void dns_anchors_free(struct dns_anchors *a);

/* What the keys of a zone are to be measured by: an anchor of its own, or else the DS
 * records that lead there from the nearest one above, which are asked for.  Lasts as
 * long as a; NULL with *why, which the caller frees, if there is no such way. */
const ldns_rr_list *dns_trust(struct dns_anchors *a, const struct site *site, const char *zone,
    int64_t until, char **why);

/* ---- dns_check.c: do all servers of its zone serve a set? --------------------------- */

struct dns_target {		/* a set, and what is known of it */
	const struct dns_set *set;
	struct dns_place place;
	char *why;		/* what is to be said of its place, or NULL */
	const struct dns_zone *zone;	/* NULL as long as its servers are not known */
	struct dns_view {	/* for each of the zone's servers */
		bool serves, no_route;
		bool silent;	/* no answer that proves a record's absence: none at all (yet),
				 * not authoritative, neither NOERROR nor NXDOMAIN, or bogus */
		char *fault;	/* lines that go behind the server's name */
		int64_t since, last;	/* dns_now() when it was first and last seen to serve,
					 * or not to; 0: it was not asked */
	} *view;
	bool served;		/* by all of them */
	uint32_t ttl;		/* seconds, the greatest that any answer has had at the place
				 * and type of the set; 0 if there was none */
};

struct dns_check {
	const struct site *site;	/* or NULL */
	long port;		/* of the servers of zones */
	bool superset;		/* a server may have other records too */
	struct dns_anchors *anchors;	/* or NULL: signatures are not looked at */
	struct dns_target *target;
	size_t n, left;		/* targets, and those that are not served yet */
	struct dns_zone **zone;
	size_t nzone;
};

/* Begin to check these sets, which have to last as long. */
void dns_check_begin(struct dns_check *c, const struct dns_lines *l);

/* Find the servers that are not known yet, and ask those that have not served yet
 * what they lack.  True if everything is served. */
bool dns_check_round(struct dns_check *c, int64_t until);

/* Free what hangs on a check. */
void dns_check_free(struct dns_check *c);

/* What is wrong with what a server has answered about a set at owner, as lines that go
 * behind its name: "lacks: ...", "does not answer"; NULL if nothing is.  The caller
 * frees. */
char *dns_fault(const struct dns_query *q, const struct dns_set *set, bool superset);

/* ---- dns_report.c: and what is told of it ------------------------------------------ */

/* Complain of all that is missing, and where, with how long it was asked for. */
void dns_check_report(const struct dns_check *c);

/* Complain of what did not count: servers that there is no way to, and CNAMEs that
 * could not be asked for. */
void dns_check_notes(const struct dns_check *c);

/* Why a target is not served: the first server that does not, and the first line of
 * what is wrong there ("ns2.example.com (192.0.2.53) lacks: ..."), or why its servers
 * are not known; one line, the caller frees.  NULL if it is served. */
char *dns_check_why(const struct dns_check *c, size_t target);

/* A server that lags, and how many more; the caller frees. */
char *dns_check_lag(const struct dns_check *c);

/* ---- dns_place.c: names ---------------------------------------------------------------- */

/* Is it a name of letters, digits, '-', '_', '*' and dots, as those of our records
 * and servers are?  A final dot is allowed. */
bool dns_plain(const char *name);

/* A copy in small letters, without the final dot; the caller frees. */
char *dns_canon(const char *name);

/* Is name the zone itself, or below it?  Both canonical. */
bool dns_below(const char *name, const char *zone);

/* A name of ldns as text, canonical; the caller frees.  NULL if it is not plain. */
char *dns_text(const ldns_rdf *dname);

#endif
