/*
 * deploy.h - how sets come to other machines, and servers to know of them; the parts
 * of sslm-deploy.
 */
#ifndef DEPLOY_H
#define DEPLOY_H

#include "site.h"

struct prod {			/* a service, in production */
	const struct service_id *id;
	char *name;		/* "group/service" */
	char *curr, *next;	/* names of generations, or NULL */
	size_t group;		/* its place in struct deploy */
	bool bad;		/* cannot be read, or is not complete: has been said */
};

struct prod_group {
	const char *name;
	char *hash, *tlsa;	/* of what is beside its services; of its TLSA records */
};

enum part {
	PART_ALL,
	PART_CERT,	/* sets and what is beside them; servers that read certificates */
	PART_TLSA	/* what is beside sets; servers that depend on TLSA records alone */
};

struct deploy {
	struct site site;
	const char *prod;	/* production, without a slash at its end */
	struct words *where;	/* the hosts of each of site.server; none of [dns] */
	struct words all;	/* of all of them */
	struct words copies;	/* those that get copies: never HERE */
	struct words posts;	/* those of post_copy_cmd that get none */
	struct prod *service;	/* in the order of site.id */
	struct prod_group *group;
	size_t ngroup;
	struct words state;	/* certs/.deployed */
	struct words failed;	/* hosts whose copies have not been made, unsorted */
	bool named;		/* services were named: there may be more of them */
	enum part part;		/* of what there is to do */
	bool force, dry, quiet, check;
	int seconds;		/* for each command */
	bool damaged;		/* the state had lines that are not ours */
	int ret;		/* exit status, so far */
};

/* Something failed: EX_TEMP, or EX_PERM, which counts more. */
void deploy_failed(struct deploy *d, int status);

/* Write the state; a failure is noted, and false. */
bool deploy_save(struct deploy *d);

/* Does a section on the host use service i? */
bool deploy_uses(const struct deploy *d, size_t server, const char *host, size_t i);

/* Has a copy to that host failed, in this run? */
bool deploy_missed(const struct deploy *d, const char *host);

/* "host<TAB>what", unless it is to be quiet. */
void deploy_say(const struct deploy *d, const char *host, const char *fmt, ...) PRINTF(3, 4);

/* ---- deploy_prod.c: what is in production ---------------------------------- */

/* Read the links of all services, and what is beside them where somebody wants it. */
void prod_read(struct deploy *d);
void prod_free(struct deploy *d);

/* Has service i, in production, all the files that a set has?  If not, or if there is
 * a private key of a CA, it is bad from now on. */
bool prod_whole(struct deploy *d, size_t i);

/* The paths below production of all that belongs to generation gen of a service, or
 * beside the services of a group: directories and files to list, links to links, what
 * has to go too.  A path with a slash at its end is that of a directory in which
 * nothing else is to be; what is in it is in both lists, for it has to stay. */
void prod_set_paths(const struct prod *p, const char *gen, struct words *list);
void prod_group_paths(const struct deploy *d, const struct prod_group *g, struct words *list,
    struct words *links);

/* ---- deploy_rules.c: which files rsync is to bring and to remove -------------------- */

/* From paths below production to rules for rsync: these are brought or, where they are
 * not here, removed there, with what is within if that is said; what is above them stays,
 * and all else if "- *" comes behind.  Of a path with a slash at its end all else that is
 * within is removed. */
void copy_rules(struct words *paths, bool within);

/* ---- deploy_group.c: prod_group on other machines ------------------------------------ */

/* Can files there be given to prod_group, if there is one?  EX_YES; EX_PERM or EX_TEMP
 * after a complaint, which is noted. */
int group_there(struct deploy *d, const char *host);

/* What rsync has to be told for that, besides -g; NULL if there is none.  The caller
 * frees. */
char *group_map(const struct deploy *d);

/* ---- deploy_rsync.c: one call of rsync ------------------------------------------------ */

/* The list of paths, or of rules.  Named like a spool file: what a killed run leaves of
 * it goes with the others. */
#define COPY_LIST "certs/.deploy.new"

/* One pass over what is listed; false after a complaint.  An empty list is done.  With
 * sync, what is written there is synced, by an rsync that knows how. */
bool copy_pass(struct deploy *d, const char *host, struct words *list, const char *what,
    const char *const option[], bool sync);

/* The exit status that a failed rsync means. */
int rsync_status(struct ran r);

/* ---- deploy_copy.c: to other machines ------------------------------------------ */

/* Is something to be copied there?  To say it: print each thing. */
bool copy_wanted(struct deploy *d, const char *host, bool print);

/* Copy it: sets, then links, then what is old goes.  The host is added to d->failed if
 * that fails. */
void copy_host(struct deploy *d, const char *host);

/* Does a section there use service i, and want it to be copied? */
bool copy_serves(const struct deploy *d, const char *host, size_t i);

/* Is there a set that the host has not been given? */
bool copy_behind(const struct deploy *d, const char *host);

/* Is there a set in production that the host has not been given? */
bool copy_set_wanted(const struct deploy *d, const char *host, size_t i);

/* Is something beside the services of the group new for the host? */
bool copy_group_wanted(const struct deploy *d, const char *host, size_t g);

/* ---- deploy_check.c: is what is there what is here? ------------------------------ */

/* Print each difference between production and its copy on that host, as rsync sees
 * them when it has to copy nothing.  Changes nothing, neither here nor there. */
void check_host(struct deploy *d, const char *host);

/* ---- deploy_left.c: keys that a machine has no use for --------------------------- */

/* Of what rsync lists of private keys on that host, print the services that no section
 * there uses, and CAs. */
void left_print(struct deploy *d, const char *host, char *list);

/* A line of the state is dropped: if it is of a copy, say that this stays there. */
void left_say(const struct deploy *d, const char *line);

/* ---- deploy_restart.c: servers are told ---------------------------------------- */

/* Note of every generation that servers can see from now on that they may use it. */
void restart_seen(struct deploy *d);

/* Has it a post_copy_cmd? */
bool post_cmds(const struct deploy *d, const char *host);

/* Is there a set in production for which a host of posts has not had its commands?
 * With note, all that is there now is noted in the state. */
bool post_news(struct deploy *d, const char *host, bool note);

/* Has a host of post_copy_cmd been copied to, without having had its commands? */
bool post_wanted(const struct deploy *d, const char *host);

/* Run them. */
void post_host(struct deploy *d, const char *host);

/* Is the section to be reloaded there? */
bool restart_wanted(const struct deploy *d, size_t server, const char *host);

/* All sections on all hosts, in their order. */
void restart_all(struct deploy *d);

#endif
