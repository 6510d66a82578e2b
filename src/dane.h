/*
 * dane.h - TLSA records (RFC 6698), and which of them have to be published so that
 * nobody is ever shown a key that they do not allow (RFC 7671, 8).
 *
 * Owners are canonical names without the final dot: "_25._tcp.mx1.example.com".
 */
#ifndef DANE_H
#define DANE_H

#include "cert.h"
#include "site.h"

/* ---- tlsa.c: one record ----------------------------------------------------- */

/* RFC 7218 has the words. */
enum { USAGE_PKIX_TA, USAGE_PKIX_EE, USAGE_DANE_TA, USAGE_DANE_EE, USAGES };
enum { SELECTOR_CERT, SELECTOR_SPKI, SELECTORS };
enum { MATCH_FULL, MATCH_SHA256, MATCH_SHA512, MATCHES };

struct tlsa {
	char *owner;
	long ttl;		/* seconds; 0: not said */
	long usage, selector, match;
	char *data;		/* certificate association data, in small hex digits */
};

/* What a record can be made of: the octets of a certificate and of its public key
 * (SubjectPublicKeyInfo).  cert is NULL where there is only a key. */
struct tlsa_source {
	unsigned char *cert, *spki;
	int cert_len, spki_len;
};

/*
 * Read the first certificate, request or private key of a PEM file.  With above, it
 * is the certificate behind the first one, or the first if there is no other: what
 * usages 0 and 2 are about.  False after a complaint; tlsa_source_free() after
 * success.
 */
bool tlsa_source(struct tlsa_source *from, const char *path, bool above);
void tlsa_source_free(struct tlsa_source *from);

/* The association data (RFC 6698, 2.1.4) of that selector and matching type; the
 * caller frees.  NULL if there is no certificate for SELECTOR_CERT. */
char *tlsa_data(const struct tlsa_source *from, long selector, long match);

/* The record as a line of a zone file; the caller frees. */
char *tlsa_line(const struct tlsa *rr);

/* The same record, whatever its TTL? */
bool tlsa_same(const struct tlsa *a, const struct tlsa *b);

/* ---- tlsa_file.c: files of records, as tlsa_line() writes them ---------------- */

struct tlsas {			/* begins as {0} */
	struct tlsa *rr;
	size_t n;
};

/* Add a record, whose strings are the list's from now on, unless it has the same. */
void tlsas_add(struct tlsas *l, struct tlsa rr);

/* Add a copy of a record in the same way. */
void tlsas_copy(struct tlsas *l, const struct tlsa *rr);

/* Does the list have that record, whatever its TTL?  Has it any at that owner? */
bool tlsas_has(const struct tlsas *l, const struct tlsa *rr);
bool tlsas_owner(const struct tlsas *l, const char *owner);

/* The greatest TTL in seconds of its records, at least least. */
long tlsas_ttl(const struct tlsas *l, long least);
void tlsas_free(struct tlsas *l);

/*
 * Add the records of a file.  1; 0 if there is no such file; -1 if it cannot be read
 * or holds anything but records of ours and comments, which another program may have
 * written, or not as many as it says: nothing is added then, and nothing said.  The comments, a line each, are
 * added to notes unless that is NULL.
 */
int tlsas_load(struct tlsas *l, const char *path, struct words *notes);

/* The comment that says how many records a file has, for what is cut off at the end of
 * a line cannot be seen; the caller frees. */
char *tlsas_count(const struct tlsas *l);

/* Take a line as tlsa_line() writes it apart, and change it by that; false if it is
 * none.  The strings of *rr are the caller's. */
bool tlsa_parse(char *line, struct tlsa *rr);

/* The path of the records of a generation, DIR/tlsa.rr, and of those of a group,
 * certs/GROUP/tlsa.GROUP; the caller frees. */
char *tlsa_rr_path(const char *dir);
char *tlsa_group_path(const char *group);

/* ---- evidence.c: what has been seen of pending records --------------------------- */

/*
 * What is known of the records of a pending set, in next/evidence:
 *   seen STAMP	since then all servers of the zone have been serving the records
 *   ttl N		seconds for which older ones may be cached
 *   since STAMP	since then something has been missing:
 *   fault TEXT		... this
 *   record LINE	what was looked for, a line each
 */
struct evidence {		/* begins as {0} */
	time_t seen, since;	/* 0: not */
	long ttl;
	char *fault;		/* or NULL */
	struct tlsas records;
};

/* Read it; what is damaged or missing is no evidence. */
void evidence_load(struct evidence *e, const char *dir);

/* Replace it; 0, or -1 after a complaint. */
int evidence_save(const struct evidence *e, const char *dir);
void evidence_free(struct evidence *e);

/* Does it speak of all these records? */
bool evidence_covers(const struct evidence *e, const struct tlsas *records);

/* Seconds that have to pass from seen on, until no cache has older records: twice
 * their TTL (RFC 7671, 8.1). */
long evidence_wait(const struct evidence *e);

/* ---- dane_gate.c: may next be rolled? ------------------------------------------- */

/*
 * The records of the set in DIR/next that those of DIR/curr do not have: they have to
 * be everywhere before next is used.  There are none if there is no curr, unless
 * other services have records at the same owners.  False if the records of next are
 * not known although there are some of curr: then nothing may be used.
 */
bool dane_needed(const struct service_id *id, struct tlsas *needed);

/*
 * May the set in next of a service be rolled, as far as name servers and resolvers
 * are concerned (RFC 7671, 8.1)?  If not, the reason in *why, which the caller frees,
 * and in *at the moment from which it may, or 0 where that is not known.
 */
bool dane_may_roll(const struct service_id *id, time_t now, char **why, time_t *at);

/* ---- dane_owner.c: where records have to be ----------------------------------------- */

/* An item of a service's dane_tls. */
struct dane_item {
	long port, usage, selector, match;
	const char *proto;	/* "tcp", "udp", "sctp" */
	bool mx;		/* for the apex and the hosts of its MX records; else for the names */
};

/* The items of a service, *n of them; the caller frees. */
struct dane_item *dane_items(const struct service *s, size_t *n);

/* The same as comments of tlsa.rr: another text, other records. */
void dane_notes(const struct service *s, struct words *notes);

/*
 * The owners of the records of an item, sorted.  mx are the hosts of the zone's MX
 * records; not used unless the item wants them.  What is outside of the group's zone
 * is left out, with a complaint.
 */
void dane_owners(const struct service *s, const struct dane_item *item, const struct words *mx,
    struct words *owners);

/* ---- dane_set.c: the records of a generation ------------------------------------------ */

/* The MX hosts of a group's zone, asked for when they are wanted. */
struct dane_mx {
	const struct site *site;
	const char *group;
	bool asked, known;
	struct words hosts;
};

/*
 * Have dir/tlsa.rr be that of the set in dir, for what the service wants now: it is
 * written if it is missing or was for something else, removed if nothing is wanted.
 * 0, or -1 after a complaint: then it is as it was.
 */
int dane_set(const char *dir, const struct service *s, struct dane_mx *mx);

/* The data of the set in dir for a record of that usage, selector and matching type;
 * the caller frees.  NULL after a complaint. */
char *dane_data(const char *dir, long usage, long selector, long match);

/* ---- dane_mx.c ----------------------------------------------------------------------- */

/* Ask the zone's primary for them; false after a complaint, once. */
bool dane_mx_ask(struct dane_mx *mx);

/* ---- dane_member.c: a service of a group, and the sets that count --------------------- */

struct dane_member {
	struct service_id id;
	char *dir;		/* certs/GROUP/SERVICE */
	bool in_use;		/* it has a curr; if not, only a next is in gen */
	bool untold;		/* some server that depends on it was never told of it */
	bool gone;		/* its file is; curr is in gen, if it has records */
	bool clear;		/* it wants no records: what is there of them can go */
	struct tlsas mx;	/* the kinds that are for MX hosts, of owner "_25._tcp.", no data */
	struct dane_gen {
		char *label;	/* "curr", "next" or the name of a generation */
		struct tlsas rr;	/* its own tlsa.rr */
		struct tlsas all;	/* for all owners of all, and all MX hosts of the group */
	} *gen;
	size_t n;
};

/*
 * The services of a group that have sets and TLSA records, with all generations whose
 * keys servers may show now or will next; each tlsa.rr is brought up to date before.
 * The caller frees by dane_members_free(), whatever the outcome: an exit status, not
 * EX_YES after a complaint, and then the list is not complete.
 */
int dane_members(const struct site *site, const char *group, struct dane_member **m, size_t *n);
void dane_members_free(struct dane_member *m, size_t n);

/* ---- dane_first.c: records that an owner would get for the first time ------------------ */

/* Add what is published of a group, in any of the places where it is; false, without a
 * word, if that cannot be told. */
bool dane_published(const struct site *site, const char *group, struct tlsas *l);

/* ---- dane_join.c: every key at every owner ---------------------------------------------- */

/* Note in mx the kinds of records that a service has for MX hosts. */
void dane_keep_kinds(struct dane_member *m, const struct service *s);

/* Fill all of all generations of a group; an exit status, not EX_YES after a complaint. */
int dane_join(struct dane_member *m, size_t n);

/* ---- dane_clear.c: records that are not wanted any more --------------------------------- */

/*
 * Remove the records of sets whose service wants none, when they are not published any
 * more; info of curr tells by DANE_CACHED until when caches may have them.  ttl is one
 * that they may have beside their own.  An exit status, not EX_YES after a complaint.
 */
#define DANE_CACHED "tlsa cached until"
int dane_clear(const struct dane_member *m, long ttl);

/* ---- dane_group.c: what is published of a group --------------------------------------- */

/*
 * Bring tlsa.GROUP to what has to be published now, in certs, in [dns] tlsa_dirs and
 * in production, where it differs; the zone is noted for sslm-dnspush before.  An
 * exit status, not EX_YES after a complaint; *changed if records were changed.
 */
int dane_group(const struct site *site, const char *group, bool *changed);

/* ---- dane_probe.c: what servers show -------------------------------------------------- */

/*
 * At the owners where records of old are not among the new ones: do the servers show
 * keys that the new ones allow?  By sslm-probe; true too if there is no such owner.
 * False after a complaint.
 */
bool dane_probed(const char *group, const struct tlsas *old, const struct tlsas *new);

/* ---- dane_look.c: what name servers serve ------------------------------------------------ */

/*
 * Look for the records of all pending sets of the site's services at all servers of
 * their zones, at that port, for so many seconds at most while some are missing (0:
 * once), and write down what is seen.  An exit status: EX_YES if all is there, EX_TEMP, after a
 * complaint for each service unless quiet.
 */
int dane_look(const struct site *site, long port, long wait, bool quiet);

#endif
