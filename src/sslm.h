/*
 * sslm.h - what all programs share: how they speak, and how they treat files.
 * cert.h has what is about keys and certificates, site.h what is about a site,
 * acme.h what is about ACME.
 * Sections are named by the file that implements them.
 *
 * Exit status, for every program:
 *   0    done, or the answer is yes
 *   1    failed; for a question (sslm-due, sslm-nscheck, sslm-probe, sslm-verify): no
 *   2    wrong usage or wrong configuration; a question's failure too
 *   75   may work later: full disk, too soon to roll, another run at work
 *
 * Two manners of failing, never mixed in one function: what a program cannot
 * go on without ends in die(); what concerns one service of many complains
 * and returns a failure, so that the others are still served.
 */
#ifndef SSLM_H
#define SSLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <time.h>

#define SSLM_VERSION "0.1.0"

enum { EX_YES = 0, EX_NO = 1, EX_PERM = 1, EX_USE = 2, EX_TEMP = 75 };

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* ---- msg.c: how a program begins, speaks and ends ---------------------- */

/*
 * First call of every main(): umask 077, no core dumps, SIGPIPE and SIGXFSZ
 * ignored so that a lost reader, or a file above ulimit -f, is a reported
 * write error, and descriptors 0 to 2 open (on /dev/null where the caller had
 * closed them).
 */
void start(void);

/*
 * The getopt letters that all programs share: 'h' prints usage on stdout and
 * exits 0, 'V' prints the version and exits 0, anything else prints usage on
 * stderr and exits EX_USE.  usage is the manual's SYNOPSIS, a line for each
 * form, the first one beginning "usage: ".
 */
noreturn void opt_other(int c, const char *usage);

/*
 * One line on stderr, "program: message".  A format that ends in a colon gets
 * the text of errno after it.  Control characters are shown as '?'.  With
 * SSLM_LOG set, the line goes to that file too, behind a UTC time stamp; that of
 * sslm-acme and sslm-challenge to SSLM_LOG_ACME instead, if that is set.
 */
void complain(const char *fmt, ...) PRINTF(1, 2);

/* The same, then exit with that status; with SSLM_STATUS set, the status is
 * appended to that file, for make knows only 0 and 2. */
noreturn void die(int status, const char *fmt, ...) PRINTF(2, 3);

/* Exit with a status, after complaints; recorded in SSLM_STATUS as above. */
noreturn void finish(int status);

/* Memory or die(EX_TEMP); the caller frees. */
void *xmalloc(size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);
void *xreallocarray(void *p, size_t n, size_t size);

/* ---- num.c: numbers and times ------------------------------------------ */

/* A decimal in [lo, hi], or die(EX_USE) naming the option. */
long num(const char *s, long lo, long hi, const char *what);

/* "20261120T235959Z", UTC; buf holds at least STAMP_SIZE bytes. */
enum { STAMP_SIZE = 24 };
void stamp(char buf[STAMP_SIZE], time_t t);

/* The time a stamp names, or -1 if s does not begin with one. */
time_t stamp_time(const char *s);

/* "2026-11-20 23:59", UTC; buf holds at least STAMP_SIZE bytes. */
void day_hour(char buf[STAMP_SIZE], time_t t);

/* A span for people, in its two largest units: "29d 4h", "3h 5m", "12s";
 * negative ones begin with '-'.  buf holds at least SPAN_SIZE bytes. */
enum { SPAN_SIZE = 48 };
void span(char buf[SPAN_SIZE], int64_t seconds);

/* ---- out.c: files, whole or not at all --------------------------------- */

/* stdout reached its reader, or die(EX_TEMP).  Last call of main(). */
void out_done(void);

/*
 * Replace path with len bytes, all or nothing.  The bytes go to a spool file
 * beside it (".<name>.new", 0600 from birth, taken over if a killed run left
 * one), which gets the mode, is synced and renamed over path; then the
 * directory is synced.  If path already holds exactly these bytes it is left
 * alone, mtime included, and 0 is returned; 1 if it was written; -1 after a
 * complaint, with path as it was and no spool file left behind.
 */
int out_file(const char *path, mode_t mode, const void *buf, size_t len);

/* The same; the spool file gets the group before the mode, unless that is NO_GROUP. */
#define NO_GROUP ((gid_t)-1)
int out_file_group(const char *path, mode_t mode, gid_t gid, const void *buf, size_t len);

/* Give an open file to a group, and look whether it has it; false with errno. */
bool out_give(int fd, gid_t gid);

/* out_file(), but it never replaces: -1 after a complaint if path exists. */
int out_new(const char *path, mode_t mode, const void *buf, size_t len);

/*
 * Make the symbolic link path -> target, or switch it there, by one rename,
 * and sync the directory.  0, or -1 after a complaint.
 */
int out_link(const char *target, const char *path);

/* rename(2), and sync the directory; 0, or -1 after a complaint. */
int out_rename(const char *from, const char *to);

/*
 * For who writes many files: from here on out_file, out_link and out_rename
 * write their spool files and put off the renames.  out_commit syncs what was
 * written, does the renames in the order in which they were asked for, and
 * syncs the directories; with fs not NULL both syncs are one syncfs(2) of the
 * file system that holds the directory fs, however many files there are.  What
 * is put off between two calls of out_defer stands or falls together: after a
 * rename that fails, the rest of those is dropped.  0, or -1 after complaints.
 */
void out_defer(void);
int out_commit(const char *fs);

/* mkdir -m mode, whatever the umask; an existing directory is left as it is.
 * 0 or -1 after a complaint. */
int make_dir(const char *path, mode_t mode);

/* Sync the directory dir itself; 0, or -1 after a complaint. */
int sync_dir(const char *dir);

/* ---- in.c: files read whole --------------------------------------------- */

enum { FILE_MAX = 1 << 20 };	/* bytes; no file of ours comes near */

/*
 * The content of a regular file, or of whatever stdin is for "-", of at most
 * FILE_MAX bytes, NUL-terminated, its length in *len unless NULL.  NULL after
 * a complaint.  The caller frees; a private key is wiped first: wipe().
 */
char *slurp(const char *path, size_t *len);

/* The same, but silent, with errno, where it cannot be opened (EINVAL: is no
 * regular file); where it was opened and cannot be read, errno is 0. */
char *slurp_try(const char *path, size_t *len);

/* The same with a limit of its own, in bytes. */
char *slurp_upto(const char *path, size_t max, size_t *len);

/* Wipe len bytes and free them.  NULL is allowed. */
void wipe(void *p, size_t len);

/* Is there a name in directory dir, behind links too?  Without permission: no. */
bool has_file(const char *dir, const char *name);

/* The target of a symbolic link into buf, NUL-terminated; NULL with errno. */
char *link_target(const char *path, char *buf, size_t size);

/* ---- words.c: lists of strings ------------------------------------------ */

struct words {			/* {NULL, 0} is an empty one */
	char **w;		/* behind the last one is a NULL; itself NULL if n never was > 0 */
	size_t n;
};

/* Add s, which from now on is the list's to free. */
void words_add(struct words *l, char *s);

/* Sort by octets; of the same ones, one is kept. */
void words_sort(struct words *l);

/* Does a sorted list hold s? */
bool words_has(const struct words *l, const char *s);

/* Take s out, wherever it is. */
void words_drop(struct words *l, const char *s);

/* All of them in one string, end behind each; its length in *len unless NULL.
 * The caller frees. */
char *words_join(const struct words *l, const char *end, size_t *len);

/* Empty the list. */
void words_free(struct words *l);

enum { LIST_MAX = 64 << 20 };	/* bytes that such a file may have */

/*
 * Read a file of lines into a list, sorted: what take() makes of each, which is NULL
 * of a line that is not what it has to be.  A file that is missing has none.  0; 1
 * after complaints of such lines, which are left out; -1 after another complaint.
 */
int words_load(struct words *l, const char *path, char *(*take)(const char *line),
    const char *what);

/* Write a list to the file path in certs, one a line, or remove the file if the list
 * is empty; 0, or -1 after a complaint. */
int words_save(const struct words *l, const char *path);

/* ---- name.c: names that a certificate can be for ------------------------ */

/*
 * The canonical form of a DNS name or IP address (RFC 5280, 4.2.1.6): DNS
 * names as lower-case A-labels (IDNA 2008) without the final dot, a wildcard
 * only as the whole left-most label with two labels behind it; IPv4 and IPv6
 * (RFC 5952) as inet_ntop writes them.  The caller frees.  NULL if s can be
 * neither, the reason in *why (static text).
 */
char *name_canon(const char *s, const char **why);

/* Is a canonical name an IP address?  Its 4 or 16 octets go to addr, their
 * count is returned; 0 if it is a DNS name. */
size_t name_ip(const char *name, unsigned char addr[16]);

/* Group and service names: [A-Za-z0-9][A-Za-z0-9._-]{0,63}, no "..", and not a
 * word that means something as a target, variable or file of ours. */
bool name_safe(const char *s);

#endif
