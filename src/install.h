/*
 * install.h - is what is in production what the site has?  The parts of sslm-install.
 */
#ifndef INSTALL_H
#define INSTALL_H

#include "site.h"

enum compare {
	BY_LINK,	/* a set that a link leads to is believed */
	BY_LENGTH,	/* whoever cuts a file short or adds to it is found */
	BY_CONTENT	/* and whoever changes it, or opens a private key to others */
};

/* Which files of a set nobody else may read. */
bool file_private(const char *file);

/* What a set may hold besides the files of its issuance; NULL ends the list. */
extern const char *const set_more[];

/* What is wrong with a file of the set in directory path, compared with that in
 * source; NULL if nothing is.  Static text. */
const char *file_differs(const char *source, const char *path, const char *file,
    enum compare how);

/* Are all the files of its issuance there as they should be?  A CA's private key is
 * none of these. */
bool set_same(const char *source, const char *path, bool is_ca, enum compare how);

/* The last part of a path. */
const char *path_base(const char *path);

/*
 * Print each difference between curr and next of a service and what is in production, by
 * content: a line of "localhost", the path, what is wrong and what mends it, with tabs
 * between.  EX_YES; EX_NO if there are some; EX_TEMP after a complaint.  Changes nothing.
 */
int check_service(const char *prod, const struct service_id *id);

/* The same of the TLSA records of a group. */
int check_group(const char *prod, const char *group);

#endif
