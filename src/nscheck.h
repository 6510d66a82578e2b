/*
 * nscheck.h - what sslm-nscheck(1) is made of, besides dns.h.
 */
#ifndef NSCHECK_H
#define NSCHECK_H

#include "dns.h"

/* ---- nscheck_apex.c: the records that make a zone what it is -------------------- */

struct apex {
	char *name;		/* of the zone, canonical */
	char *lines;		/* its NS and SOA records, and the addresses of servers in it, as
				 * zone lines; those of before if there is a why, or NULL */
	const char *source;	/* whose they are: "primary", or "newest" of the servers */
	char *why;		/* what is wrong, or NULL */
};

/*
 * Find the records of n zones, all at the same time: those that the zone's primary
 * has, or where the site knows of none, the server with the newest serial.  The
 * servers are asked at that port.
 */
void apex_find(const struct site *site, struct apex *a, size_t n, long port, int64_t until);

/* Free what hangs on n of them; not a itself. */
void apex_free(struct apex *a, size_t n);

/* ---- nscheck_parent.c: what the zones above say ---------------------------------- */

struct parent {
	const char *name;	/* of the zone */
	struct dns_zone zone;	/* the one above; no servers if they cannot be asked, with why */
	struct parent_view {	/* for each of its servers */
		bool told;	/* it said what it delegates */
		char *fault;	/* lines that go behind its name */
	} *view;
};

/*
 * Ask the servers of the zones above for the delegations of n zones, and compare
 * them with the zones' records in l: the NS records, and the addresses of servers
 * in the zone itself (glue).  False if there is a fault; who does not answer is none.
 */
bool parents_ask(const struct site *site, struct parent *p, size_t n, const struct dns_lines *l,
    long port, int64_t until);

/* Complain of faults, each once however many servers have it; with verbose, also of
 * zones whose parents could not be asked. */
void parents_report(const struct parent *p, size_t n, bool verbose);

/* Free what hangs on n of them, which can be asked again; not p itself. */
void parents_free(struct parent *p, size_t n);

/* ---- nscheck_extra.c: public resolvers --------------------------------------------- */

/* Wait until the resolvers of dns_xtra_ns serve all sets too, or do not answer, until
 * that moment at most; complain of those that do not, unless quiet. */
void extras_wait(const struct dns_check *c, const struct site *site, int64_t end, bool quiet);

/* Sleep; at once back for 0 and less. */
void pause_ms(int64_t ms);

/* ---- nscheck_json.c: all of it for programs ----------------------------------------- */

/* Print what is known on stdout, as JSON and a newline. */
void json_print(const struct dns_check *c, const struct apex *a, const struct parent *p, size_t n,
    bool all);

#endif
