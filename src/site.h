/*
 * site.h - a site: its configuration, its services, and what is to be done.
 */
#ifndef SITE_H
#define SITE_H

#include "sslm.h"

/* ---- toml.c and its parts toml_*.c: TOML 1.0 ----------------------------- */

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_DATETIME,	/* with offset, */
	TOML_DATETIME_LOCAL,	/* without, */
	TOML_DATE_LOCAL,	/* and their parts; the text is in str */
	TOML_TIME_LOCAL,
	TOML_ARRAY,
	TOML_TABLE
};

/* One value, and its place in the array or table that holds it. */
struct toml {
	enum toml_type type;
	unsigned line;		/* where its key, or it itself, stands; from 1 */
	const char *key;	/* in a table: its key, NUL-terminated, else NULL */
	size_t keylen;		/* octets in key, which may hold NULs */
	const char *str;	/* string, or date and time as RFC 3339 text, with 'T' and
				 * 'Z'; NUL-terminated; NULL for the others */
	size_t len;		/* octets in str, which may hold NULs */
	int64_t num;		/* integer; bool as 0 or 1 */
	double real;		/* float */
	struct toml *first;	/* array or table: its first value, in file order */
	struct toml *next;	/* the next value of the same array or table */
};

/* Limits of one file: how deep tables and arrays may be in one another, and how
 * many keys (and tables in arrays) it may have. */
enum { TOML_DEPTH = 32, TOML_KEYS = 10000 };

/*
 * Read a file (at most FILE_MAX bytes).  The root table, to be freed with
 * toml_free; NULL after a complaint "path:line: what is wrong".  Line ends
 * within strings are LF, whatever they are in the file.
 */
struct toml *toml_load(const char *path);

/* Free a root table and all that hangs on it.  NULL is allowed. */
void toml_free(struct toml *root);

/* The value of a key in a table, or NULL; nothing is in NULL, or in what is not a
 * table, so that calls can be nested. */
const struct toml *toml_get(const struct toml *table, const char *key);

/* Print a root table as JSON and a newline: dates and times, inf, -inf and nan as
 * strings, all floats with a point or exponent and as many digits as it takes to
 * read the same number back. */
void toml_print_json(const struct toml *root);

/* ---- conf.c: a table of configuration, checked against its list of keys -- */

enum conf_want {
	WANT_STRING,	/* const char *; no control characters */
	WANT_INT,	/* long in [min, max]; a string of digits will do */
	WANT_BOOL,	/* bool */
	WANT_STRINGS,	/* const struct toml *: a string, or an array of strings */
	WANT_VALUE,	/* const struct toml *: anything, for the caller to check */
	WANT_TABLE,	/* const struct toml *: a table */
	WANT_TABLES,	/* const struct toml *: an array of tables */
	WANT_DEAD	/* known, without effect */
};

struct conf_key {
	const char *name;	/* NULL ends the list */
	enum conf_want want;
	size_t at;		/* offset of the member that takes the value */
	long min, max;
};

/*
 * Fill the structure at into from a table.  An unknown key is a warning with
 * the key that may have been meant, a value of the wrong kind an error; both
 * as "path:line: message".  False if there was an error.  What the table does
 * not have is left as it is.
 */
bool conf_table(const char *path, const struct toml *table, const struct conf_key *keys,
    void *into);

/* Complain of a value as "path:line: what"; false. */
bool conf_fault(const char *path, const struct toml *v, const char *what);

/* Warn of an unknown key, once however often its file is read; the nearest of n
 * names, if near, is proposed. */
void conf_unknown(const char *path, const struct toml *v, const char *const *names, size_t n);

/* " (did you mean 'near'?)", or "" if none of the n names is near; static. */
const char *conf_hint(const char *word, const char *const *names, size_t n);

/* The next string of a WANT_STRINGS value; *at is NULL before the first call.
 * NULL at the end. */
const char *conf_next(const struct toml *strings, const struct toml **at);

/* ---- renew.c: when to renew ---------------------------------------------- */

enum { RENEW_MAX = 40 };	/* points of the table */

struct renew_rule {
	size_t n;
	struct renew_point {
		double life;	/* days from notBefore to notAfter */
		double left;	/* renew when so many days are left ... */
		double spread;	/* ... give or take so many, at random */
	} point[RENEW_MAX];	/* by life, ascending */
	double days, days_spread;	/* renew_expire_days; < 0: by the table */
};

/* The table that holds where nothing is configured. */
void renew_default(struct renew_rule *r);

/* Take the [renew_info] table of path into the rule; false after an error. */
bool renew_table(struct renew_rule *r, const char *path, const struct toml *table);

/* The moment from which a certificate of those dates is due; draw in [0, 1)
 * is the certificate's own random number. */
time_t renew_time(const struct renew_rule *r, time_t from, time_t until, double draw);

/* ---- site.c: conf.d/ssl-mgr.conf ------------------------------------------- */

#define SITE_CONF "conf.d/ssl-mgr.conf"

/* A directory with this file in it is the test tree of the site above it, which
 * has the same conf.d: CAs are asked for certificates by their ca_test_url. */
#define SITE_TEST ".staging"
#define SITE_ABOVE "../../"	/* from there to the site */

struct server {			/* [smtp], [imap], [web], [other], [dns] ... */
	const char *section;
	const struct toml *servers, *restart_cmd, *depends;	/* strings */
	const struct toml *acme_dir, *tlsa_dirs;		/* strings, [dns] */
	const struct toml *svc_depends;	/* array of [group, [service ...]] */
	const char *server_dir;
	const char *update;				/* update_parts() knows it */
	bool skip_prod_copy;
};

struct primary {		/* [[dns_primary]] */
	const char *domain, *server;	/* an apex, "default" or "*"; a host or address */
	long port;
};

struct service_id {
	char *group, *service;
};

enum ca_kind { CA_SELF, CA_LOCAL, CA_ACME };

struct ca {			/* a table of conf.d/ca-info.conf */
	const char *name, *desc, *type, *validation, *preferred_chain, *profile;
	const char *url, *test_url, *bundle, *email, *eab_kid, *eab_hmac_file;
	enum ca_kind kind;
};

struct site {
	struct toml *root;	/* all strings below are its */
	char *test_prod_dir;	/* but for this one, in the test tree */
	const char *prod_cert_dir, *logdir, *sslm_auth_hook;
	const char *prod_group;	/* that may read production, or NULL */
	long clean_keep, min_roll_mins, dns_check_delay;
	bool dane_probe;	/* old TLSA records go when servers are seen to do without */
	const struct toml *dns_xtra_ns, *post_copy_cmd;
	struct renew_rule renew;
	struct server *server;
	size_t nserver;
	struct primary *primary;
	size_t nprimary;
	struct toml *ca_root;	/* all strings of ca are its */
	struct ca *ca;
	size_t nca;
	struct service_id *id;	/* in the order of the file */
	size_t n;
	bool bad;		/* a name that was asked for is not there */
	bool test;		/* this is the site's test tree */
};

/*
 * Go to the site's directory dir (NULL: stay), read conf.d/ssl-mgr.conf and
 * conf.d/ca-info.conf (which may be missing), and list the services: those of
 * the active groups, or those named, as site_add_named() knows them.
 * die(EX_USE) if a file is wrong; a name that does not exist is a complaint and
 * sets bad.
 */
void site_load(struct site *site, const char *dir, char *const names[]);
void site_free(struct site *site);

/* The same without services, for who works on files and needs the CAs. */
void site_load_conf(struct site *site, const char *dir);

/* A path that conf.d tells, as it is reached from here: a relative one begins in
 * the site's directory, which is above that of its test tree.  The caller frees. */
char *site_path(const struct site *site, const char *path);

/* The section of that name, or NULL. */
const struct server *site_server(const struct site *site, const char *section);

/* ---- group.c: who may read production ---------------------------------------- */

/* Can it be the name of a group?  Not a number, and nothing in it means anything to a
 * shell or to rsync. */
bool group_safe(const char *name);

/* The number of a group; false after a complaint, with EX_USE or EX_TEMP in *status. */
bool group_find(const char *name, gid_t *gid, int *status);

/* ---- update_conf.c: where updates go ----------------------------------------- */

/* The parts of "host[#port]", port 53 if not said; false if it is not that.  The caller
 * frees. */
bool update_server(const char *s, char **host, long *port);

/* The parts of [dns] update, "host[#port] keyfile"; false if it is not that.  The caller
 * frees both. */
bool update_parts(const char *update, char **server, char **keyfile);

/* Where the files acme-challenge.<zone> are that are published so; mode 0755. */
#define ZONES_DIR "certs/.zones"

/* Where what updates have added to a zone is told, a file each; mode 0700. */
#define UPDATE_DIR "certs/.update"

/* ---- list.c: the list of services that a site has, or that are named ------- */

/* Add those of the active [[groups]], in the order of the file; of two groups for
 * one domain the last counts.  False after an error. */
bool site_add_groups(struct site *site, const struct toml *groups);

/* Add every service file of a group, by name; false after a complaint. */
bool site_add_group(struct site *site, const char *group);

/* Add those named as "group:service,service", "group:ALL", "group",
 * "group/service" or by the path of a directory in certs; false after a
 * complaint that there is no such thing. */
bool site_add_named(struct site *site, const char *arg);

/* Is it one of the words for all of them: "*", "all", "any"? */
bool means_all(const char *s);

/* A service that is listed twice counts once, where it comes first. */
void site_drop_twins(struct site *site);

/* List the services named in a file instead, "group/service" a line. */
void site_only(struct site *site, const char *file);

/* "certs/group/service"; the caller frees. */
char *service_dir(const struct service_id *id);

/* ---- cainfo.c: conf.d/ca-info.conf ------------------------------------------ */

/* Fill site->ca from conf.d/ca-info.conf; false after an error. */
bool cainfo_load(struct site *site);

/* The URL of an ACME CA's directory, that for tests in the test tree; NULL with
 * the key that is missing, or wrong, in *key. */
const char *ca_directory(const struct site *site, const struct ca *ca, const char **key);

/* The CA of that name ("" and "self": the certificate's own key), or NULL. */
const struct ca *cainfo_find(const struct site *site, const char *name);

/* ---- service.c: conf.d/<group>/<service> ---------------------------------- */

struct service {
	const struct site *site;
	const struct service_id *id;
	char *path;		/* conf.d/group/service */
	struct toml *root;	/* the strings below are its */
	const char *name, *signing_ca;
	const char *ktype, *ec_algo;
	long rsa_bits;
	const char *cn, *o, *c, *ou, *l, *st, *email;
	const struct toml *sans, *ext_key_usage, *dane_tls;
	long dane_tls_ttl;
	long key_days;		/* how long a key is kept; 0: not at all */
	bool must_staple, is_ca;
	long sign_end_days;	/* what this service signs, when it is a CA; days */
	const char *digest;
	struct renew_rule renew;
	const struct ca *ca;	/* who signs it */
	char *kind;		/* of key, as key_kind() says it */
	char **names;		/* canonical; the CN first if it is one */
	size_t nnames;
};

/* Read and check a service; false after complaints, and nothing to free. */
bool service_load(struct service *s, const struct site *site, const struct service_id *id);
void service_free(struct service *s);

/* ---- scan.c: the few facts of a certificate, without parsing all of it ---- */

struct cert {
	time_t from, until;	/* notBefore, notAfter */
	char kind[64];		/* of key, as key_kind() says it */
	char issuer[128];	/* the issuer's CN, else O, else "" */
	uint64_t issuer_id, subject_id;	/* the same for the same name */
	char serial[48];	/* hex */
	double draw;		/* in [0, 1), the same for ever, from its signature */
	char **names;		/* canonical, unsorted; printable ASCII */
	size_t nnames;
};

/* The first certificate of a PEM file; false with *why: errno text or what is
 * wrong with it.  cert_free after success. */
bool cert_load(struct cert *c, const char *path, const char **why);
void cert_free(struct cert *c);

/* ---- window.c: when CAs want certificates to be renewed (RFC 9773) ---------- */

enum { WINDOW_KEPT = 3 * 86400 };	/* seconds that an answer counts */

struct window {
	const char *id;		/* "group/service" */
	char serial[48];	/* of the certificate that was asked for, hex */
	time_t at;		/* the moment that was chosen in the window; 0: none */
	time_t start, end;	/* the window; 0: none */
	time_t good;		/* when the CA answered last; 0: never */
	time_t next;		/* not to be asked again before */
};

struct windows {
	struct window *window;
	size_t n;
	char *text;		/* the ids are in it */
};

/* What is known; nothing, where there is no file. */
void windows_load(struct windows *all);
void windows_free(struct windows *all);

/* Replace the file; 0, or -1 after a complaint. */
int windows_write(const struct windows *all);

/* The window of a service's certificate, or NULL. */
const struct window *window_find(const struct windows *all, const char *id, const char *serial);

/* The moment from which the CA wants it to be renewed, but never in the last tenth
 * of its life; -1 if it has not said so for WINDOW_KEPT. */
time_t window_time(const struct window *w, const struct cert *c, time_t now);

/* ---- gen.c: a service's generations ---------------------------------------- */

enum next_state { NEXT_NONE, NEXT_PART, NEXT_WHOLE };

/* The state of dir/next: absent or dangling, begun, or complete. */
enum next_state next_state(const char *dir);

/* Is path, which is to be curr, next or prev, a link or not there?  False after
 * a complaint. */
bool link_or_none(const char *path);

/* Does curr, next or prev of dir point to that generation, there or not?  If
 * one cannot be read, yes. */
bool gen_linked(const char *dir, const char *generation);

/* Remove a directory and the plain files in it; 0 or -1 after a complaint. */
int remove_set(const char *dir);

/*
 * Remove the generations of dir (in dir/db) that no link points to, but for
 * the keep newest and those in used (sorted names; NULL: none), and what killed runs
 * left of copies; 0 or -1 after a complaint.
 */
int prune(const char *dir, long keep, const struct words *used);

/* ---- due.c: is a renewal wanted, and why? ----------------------------------- */

enum { WHY_SIZE = 400 };

struct due {
	bool due;
	bool ask;		/* the CA's window is not known, or has to be asked for again */
	char why[WHY_SIZE];	/* if due */
	bool have_curr;		/* curr holds a certificate; if so: */
	struct cert curr;
	time_t renew;		/* when it is due by its dates */
	enum next_state next;
	char next_gen[STAMP_SIZE + 8];	/* where next points to, unless NEXT_NONE */
};

/*
 * Judge a service by its files at time now.  With reuse, the kind of key may
 * be another than the service asks for.  False after a complaint: curr is
 * there but cannot be read.  due_free after success.
 */
bool due_judge(struct due *d, const struct service *s, const struct windows *windows, time_t now,
    bool reuse);
void due_free(struct due *d);

/* Is the certificate, of the set in dir, by Let's Encrypt's CA for tests, though nobody
 * here has asked that one?  No client trusts it; ssl-mgr has left such sets beside the
 * others. */
bool due_for_tests(const struct cert *c, const char *dir);

/* ---- makefile.c: what make is told of a service ----------------------------- */

/*
 * Write certs/<group>/<service>/Makefile (which file comes from which, and the
 * flags of each step) and request (subject and names, read by sslm-csr), and
 * the directories above them; each file only if its content changes.  EX_YES,
 * or EX_USE or EX_TEMP after a complaint.
 */
int makefile_write(const struct site *site, const struct service *s);

/* ---- run.c: commands of the configuration ----------------------------------- */

/*
 * A command that conf.d tells, as words; none if it is empty.  It is the path of a
 * program if it holds no blank, or has a slash and exists as it stands; otherwise
 * it is split at blanks.  A program with a slash in its name is reached as
 * site_path() says, one without is looked for in PATH.  The caller frees.
 */
struct words command_words(const struct site *site, const char *cmd);

struct ran {
	enum { RAN_EXIT, RAN_KILLED, RAN_LATE, RAN_NOT } how;
	int code;		/* exit status; signal; seconds; errno */
};

/*
 * Run a program, argv[0] by PATH, and wait for its end, so many seconds at most:
 * then its process group, which is its own, gets SIGTERM, and SIGKILL 5 seconds
 * later.  Its stdin is /dev/null, stdout and stderr are ours, all else is closed:
 * what it leaves running does not hold the lock of this run.  Its umask is 022, its
 * signals are what they were before start(), its environment is ours without
 * SSLM_LOCKED, SSLM_STATUS, SSLM_TOLD, MAKEFLAGS, MAKELEVEL and MFLAGS.  A signal that is to
 * end us is passed on, and ends us when the program is gone.
 */
struct ran run(const char *const argv[], int seconds);

/* The same with these descriptors as its stdin and stdout; -1: as above. */
struct ran run_with(const char *const argv[], int seconds, int in, int out);

/* Exit status 0? */
bool ran_well(struct ran r);

/* "exit status 3", "killed by signal 9 (Killed)" ...; the caller frees. */
char *ran_text(struct ran r);

/* ---- host.c: other machines ---------------------------------------------------- */

/* May it be handed to ssh and rsync as a host?  A name, user@name or an address. */
bool host_safe(const char *host);

/* Is it this machine: "localhost", its host name, or the first label of that? */
bool host_here(const char *host);

/* "host:path", as rsync wants it; the caller frees. */
char *host_path(const char *host, const char *path);

/* How ssh is called: it asks nobody, and does not wait for ever. */
#define HOST_SSH "ssh -o BatchMode=yes -o ConnectTimeout=10"

/* Has rsync, or ssh, not come as far as the other side's files or command? */
bool host_unreached(struct ran r);

#define HERE "-"	/* this machine, in lists of hosts and in files */

/* ---- depends.c: which servers use a service -------------------------------------- */

/*
 * Does a server of this section use the certificate?  With svc_depends: if one of its
 * pairs names it.  Without: every service but those of group 'ca'.  [dns] uses none.
 */
bool section_uses(const struct server *s, const struct service_id *id);

/* Is the section to be reloaded for a new certificate of those?  Not if it has
 * 'depends' without 'cert', and no svc_depends. */
bool section_certs(const struct server *s);

/* And for new TLSA records of their groups: 'dns' or 'tlsa' in 'depends'? */
bool section_tlsa(const struct server *s);

/* Has it a restart_cmd? */
bool section_cmd(const struct server *s);

/* Its hosts, HERE for those that are this machine, and if there is none; sorted.
 * False after a complaint of what is not a host; it is left out. */
bool section_hosts(const struct server *s, struct words *hosts);

/* ---- deployed.c: what servers have been given and told ---------------------------- */

/*
 * A line each, sorted; HOST may be HERE in some; GEN is the name of a generation.
 *   copy HOST GROUP/SERVICE GEN GEN	what its curr and next are; "-": has none
 *   group HOST GROUP HASH		and of the files beside the services
 *   old HOST				may have generations that no link leads to
 *   post HOST				post_copy_cmd is owed
 *   seen HOST GROUP/SERVICE GEN	curr has led there since a server was last told
 *   tlsa HOST SECTION GROUP HASH	told of these TLSA records
 *   use HOST SECTION GROUP/SERVICE GEN	told, with success, of this curr
 */
#define DEPLOYED "certs/.deployed"

/* Can it be the name of a generation in such a line? */
bool deployed_gen(const char *s);

/* Read and write it, as words_load() and words_save() do. */
int deployed_load(struct words *lines);
int deployed_save(const struct words *lines);

/* What stands behind a key, the first words of a line, or NULL.  Of copy, group, tlsa
 * and use there is one line for each key that ends before the first GEN or HASH; old,
 * post and seen may have several. */
const char *deployed_get(const struct words *lines, const char *key);

/* Where lines with that key begin, to go on from there while deployed_has() them. */
size_t deployed_find(const struct words *lines, const char *key);
bool deployed_has(const struct words *lines, size_t at, const char *key);

/* In place of all lines with that key, this one; one more; none. */
void deployed_put(struct words *lines, const char *key, const char *value);
void deployed_add(struct words *lines, const char *key, const char *value);
void deployed_drop(struct words *lines, const char *key);

/*
 * The generations of a service that a server which depends on it may still be using:
 * names of entries of db, added to gens, sorted.  *unknown is set if nothing is known
 * of some server that depends on it: it has never been reloaded with success.  *none is
 * set if no section with a restart_cmd uses the service; there may be gens all the
 * same, of hosts that get copies and are not told.  What is curr now need not be among
 * gens; a server that starts reads it, so it counts in any case.  False after a
 * complaint: the file cannot be read, and nothing can be ruled out.  certs/.deployed
 * is read once in a process.  In the test tree no server uses anything.
 */
bool deployed_gens(const struct site *site, const struct service_id *id, struct words *gens,
    bool *unknown, bool *none);

/* ---- push.c: zones that the name server has to be told of -------------------- */

#define PUSH_FILE "certs/.push"	/* a zone a line */

/* The canonical form of a zone's name; NULL if s is none, as the group 'ca' is
 * none.  The caller frees. */
char *zone_canon(const char *s);

/* Read certs/.push, which may be missing; zones are sorted.  0; 1 after a complaint
 * of lines that are not zones, which are left out; -1 after another one. */
int push_load(struct words *zones);

/* Write it, or remove it if there is no zone; 0, or -1 after a complaint. */
int push_save(const struct words *zones);

/* Add zones to it, before their files are changed.  As push_load(). */
int push_add(const struct words *zones);

/* The same for one zone, in any spelling; a name that is no zone's is passed over. */
int push_add_one(const char *name);

#endif
