/*
 * challenge.h - what sslm-challenge publishes, and where.
 */
#ifndef CHALLENGE_H
#define CHALLENGE_H

#include "acme.h"
#include "site.h"

/* ---- sslm-challenge.c ------------------------------------------------------ */

struct session {
	struct site site;
	struct words lines;	/* of certs/.challenges; sorted */
	bool all;		/* no service was named: all that have an order */
	bool quiet;
	int status;		/* to exit with */
};

/* Something failed: of two different statuses comes EX_PERM. */
void failed(struct session *s, int status);

/* ---- published.c: certs/.challenges, what is published now --------------- */

#define PUBLISHED "certs/.challenges"

/*
 * Lines, sorted:
 *   zone ZONE			acme-challenge.ZONE has records, or will have
 *   owner OWNER TARGET		where the record of OWNER has its place
 *   web HOST GROUP TOKEN	HOST has that file, or will have
 *   placed HOST GROUP TOKEN	it has been seen to be there
 * HOST is HERE for this machine.
 */

/* Read it, as words_load() does. */
int published_load(struct words *lines);

/* The words of a line behind the first one, which is kind: their number, at most 3;
 * 0 if the line is of another kind.  The caller frees part[0], which holds all. */
size_t published_parts(const char *line, const char *kind, char *part[3]);

/* Where the record of an owner has its place, or NULL. */
const char *published_target(const struct words *lines, const char *owner);

/* ---- challenge_dns.c: records in zone files ------------------------------- */

/* A TXT record as a line of a zone file, and the line as what can be compared with
 * that of others: owner in small letters, and text.  The caller frees; NULL if the
 * line is no such record. */
char *txt_line(const char *owner, const char *txt);
char *txt_key(const char *line);

/* Is there a directory for the zones' files, and is each one there?  That for updates
 * is made.  False after a complaint, which names the key. */
bool acme_dirs_ok(const struct site *site);

/* Does every acme-challenge.ZONE hold exactly these lines, below two of comment? */
bool zone_file_same(const struct site *site, const char *zone, const struct words *lines);

/* Write them where they do not; 0, or -1 after a complaint. */
int zone_file_write(const struct site *site, const char *zone, const struct words *lines);

/* ---- challenge_web.c: files below a web root ------------------------------- */

/*
 * ROOT/group/.well-known/acme-challenge/token with content and a newline, mode 0644;
 * directories below root are made where they are missing.  No link below root is
 * followed.  1 if it was written, 0 if it was there, -1 after a complaint.
 */
int web_place(const char *root, const char *group, const char *token, const char *content);

/* Remove it; what is not there is removed.  0, or -1 after a complaint. */
int web_remove(const char *root, const char *group, const char *token);

/* Just make the directories; 0, or -1 after a complaint. */
int web_dirs(const char *root, const char *group);

/* ---- challenge_host.c: the same on other machines ---------------------------- */

/* Where the web roots of the groups are on a host, or here; the caller frees.  NULL
 * after a complaint. */
char *web_root(const struct site *site, const char *host);

/* The hosts of [web] servers, HERE for those that are this machine, and if there is
 * none; sorted.  False after a complaint. */
bool web_hosts(const struct site *site, struct words *hosts);

struct web_file {
	const char *group, *token;
	const char *content;	/* NULL: to be removed */
};

/* Place (all have content) or remove (none has) files below root on a host, in one
 * rsync(1).  An exit status, not EX_YES after a complaint. */
int host_web(const char *host, const char *root, const struct web_file *f, size_t n);

/* ---- challenge_publish.c: what the orders want ------------------------------ */

struct job {			/* a service of an ACME CA, and its order */
	const struct service_id *id;
	struct order_file order;
};

/* The order of a service: 1; 0 if there is none, or its certificate is there already,
 * or another CA signs it; -1 after failed().  order_free after 1. */
int job_load(struct session *s, struct job *job, const struct service_id *id);

/* Publish what is open of the services of the site, and write the lines that are to
 * be seen in DNS to expect, those that have to be there already to persist. */
void publish(struct session *s, const char *expect, const char *persist);

/* ---- challenge_end.c: withdrawal ------------------------------------------------- */

/* Withdraw all that is published. */
void withdraw(struct session *s);

/* ---- challenge_ready.c: what may be validated ------------------------------------- */

/* Write the services of the site that may be validated to the file out, or print
 * them; of all others say why not.  The lines of the file seen are in DNS. */
void ready(struct session *s, const char *seen, const char *out);

#endif
