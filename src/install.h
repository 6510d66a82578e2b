/*
 * install.h - is what is in production what the site has?  The parts of sslm-install.
 */
#ifndef INSTALL_H
#define INSTALL_H

#include "site.h"

#include <sys/stat.h>

enum compare {
	BY_LINK,	/* a set that a link leads to is believed */
	BY_LENGTH,	/* whoever cuts a file short or adds to it is found */
	BY_CONTENT	/* and whoever changes it, or opens a private key to others */
};

/* Where to, whether what is there is compared or just its name, and the group that may
 * read it, or NO_GROUP. */
struct place {
	const char *prod;
	enum compare how;
	gid_t gid;
};

/* Which files of a set nobody else may read. */
bool file_private(const char *file);

/* What a set may hold besides the files of its issuance; NULL ends the list. */
extern const char *const set_more[];

/* What is wrong with a file of the set in directory path, compared with that in
 * source; NULL if nothing is.  Static text. */
const char *file_differs(const struct place *p, const char *source, const char *path,
    const char *file);

/* Are all the files of its issuance there as they should be?  A CA's private key is
 * none of these. */
bool set_same(const struct place *p, const char *source, const char *path, bool is_ca);

/* The last part of a path. */
const char *path_base(const char *path);

/*
 * Print each difference between curr and next of a service and what is in production, by
 * content: a line of "localhost", the path, what is wrong and what mends it, with tabs
 * between.  EX_YES; EX_NO if there are some; EX_TEMP after a complaint.  Changes nothing.
 */
int check_service(const struct place *p, const struct service_id *id);

/* The same of the TLSA records of a group, and of its directories. */
int check_group(const struct place *p, const char *group);

/* The same of production itself. */
int check_prod(const struct place *p);

/* The same of what is there of services that are not in conf.d, in groups of the site. */
int check_lefts(const struct place *p);

/* ---- install_group.c: who may read what is in production ------------------------ */

/* What is wrong with the rights to a private file, or to a directory; NULL if nothing
 * is.  Without a group, directories are as they are.  Static text. */
const char *key_fault(const struct place *p, const struct stat *st);
const char *dir_fault(const struct place *p, const char *path);

/* Set them right, the group before its rights; 0, or -1 after a complaint.  What is not
 * there, or is something else, is passed over. */
int key_mend(const struct place *p, const char *path);
int dir_mend(const struct place *p, const char *path);

/* Make the directories that a service needs, for the group; 0, or -1 after a complaint. */
int dirs_made(const struct place *p, const struct service_id *id);

/* May the group enter these, and that of a set, where that is compared? */
bool dirs_current(const struct place *p, const struct service_id *id, const char *set);

#endif
