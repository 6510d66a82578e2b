/* sslm-nsupdate: make a zone of a name server hold these records.
 *
 * It opens a key, and speaks to the network: a secret that is shared with that very
 * server, and that no certificate hangs on. */
#include "update.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: sslm-nsupdate [-nq] [-l list] [-w seconds] -k keyfile -s server[#port]\n"
    "                     zone [file ...]\n"
    "       sslm-nsupdate -h | -V\n";

enum {
	WAIT = 60, WAIT_MAX = 86400,	/* seconds */
	PAUSE_FIRST_MS = 50	/* until the server shows what it has taken */
};

static bool quiet;
static const char *list;

/* ---- what is read ----------------------------------------------------------------------- */

/* A record of a kind, and of a zone, that can be added and removed again? */
static bool
record_ok(const ldns_rr *rr, const char *zone, const char **why)
{
	ldns_rr_type type = ldns_rr_get_type(rr);
	char *owner = dns_text(ldns_rr_owner(rr));

	*why = NULL;
	if (owner == NULL || !dns_below(owner, zone))
		*why = "is not in the zone";
	else if (type == LDNS_RR_TYPE_SOA || type == LDNS_RR_TYPE_OPT ||
	    type == LDNS_RR_TYPE_RRSIG || type == LDNS_RR_TYPE_NSEC ||
	    type == LDNS_RR_TYPE_NSEC3 || (type >= LDNS_RR_TYPE_TKEY && type <= LDNS_RR_TYPE_ANY))
		*why = "is of a type that the server makes itself";
	free(owner);
	return *why == NULL;
}

/* The records of a text, which is taken over; false after complaints. */
static bool
read_records(struct dns_lines *l, char *text, size_t len, const char *path, const char *zone)
{
	const char *why;
	bool ok;

	if (strlen(text) != len) {
		complain("%s: has a NUL octet", path);
		free(text);
		*l = (struct dns_lines){.text = NULL};
		return false;
	}
	ok = dns_lines_read(l, text, path);
	for (size_t i = 0; i < l->n; i++)
		if (!record_ok(l->line[i].rr, zone, &why)) {
			complain("%s: '%.80s' %s", path, l->line[i].text, why);
			ok = false;
		}
	return ok;
}

/* What is wanted: of all files, or of standard input.  Their number; the program ends if
 * one cannot be read. */
static size_t
read_wanted(struct dns_lines **l, char *const files[], const char *zone)
{
	static char dash[] = "-", *const standard_input[] = {dash, NULL};
	size_t n = 0, len;
	bool ok = true;
	char *text;

	if (*files == NULL)
		files = standard_input;
	for (*l = NULL; *files != NULL; files++) {
		*l = xreallocarray(*l, n + 1, sizeof(**l));
		if ((text = slurp(*files, &len)) == NULL)
			finish(EX_USE);
		ok = read_records(&(*l)[n++], text, len,
		    strcmp(*files, "-") == 0 ? "standard input" : *files, zone) && ok;
	}
	if (!ok)
		finish(EX_USE);
	return n;
}

/* What we have added; the program ends if that is not known. */
static void
read_list(struct dns_lines *l, const char *zone)
{
	size_t len = 0;
	char *text = NULL;

	if (list != NULL && (text = slurp_try(list, &len)) == NULL && errno != ENOENT) {
		if (errno != 0)
			complain("cannot read '%s':", list);
		finish(EX_PERM);
	}
	if (text == NULL)
		text = xstrdup("");
	if (!read_records(l, text, len, list == NULL ? "-" : list, zone)) {
		complain("'%s' has to tell which records are ours, and does not", list);
		finish(EX_PERM);
	}
}

/* ---- what is written ---------------------------------------------------------------------- */

static bool
remove_list(void)
{
	char *path = xstrdup(list);
	bool ok = true;

	if (unlink(list) == 0) {
		ok = sync_dir(dirname(path)) == 0;
	} else if (errno != ENOENT) {
		complain("cannot remove '%s':", list);
		ok = false;
	}
	free(path);
	return ok;
}

/* The list of what is ours, or may be. */
static bool
save(const struct update *u)
{
	struct words own = {NULL, 0};
	size_t len;
	char *text;
	bool ok;

	if (list == NULL)
		return true;
	for (size_t i = 0; i < u->n; i++)
		if (u->record[i].own && (text = dns_rr_text(u->record[i].rr)) != NULL)
			words_add(&own, text);
	words_sort(&own);
	text = words_join(&own, "\n", &len);
	ok = len == 0 ? remove_list() : out_file(list, 0644, text, len) != -1;
	free(text);
	words_free(&own);
	return ok;
}

/* What is done, or would be. */
static void
tell(const struct update_record *r, uint32_t ttl, bool add)
{
	ldns_rr *rr = quiet ? NULL : ldns_rr_clone(r->rr);
	char *text;

	if (rr == NULL)
		return;
	ldns_rr_set_ttl(rr, ttl);
	if ((text = dns_rr_text(rr)) != NULL)
		printf("%s %s\n", add ? "add" : "delete", text);
	free(text);
	ldns_rr_free(rr);
}

/* ---- */

static void
pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&t, NULL);
}

/* Ask, and change, until the server shows what is wanted. */
static int
make_so(struct update *u, bool dry)
{
	int64_t step = PAUSE_FIRST_MS;

	for (int round = 0; update_plan(u); round++) {
		if (!update_busy(u))
			return u->refused ? EX_PERM : EX_YES;
		if (dry) {
			update_show(u);
			return EX_YES;
		}
		if (round > 0 && dns_now() + step >= u->talk->until) {
			complain("zone '%s': the server '%s' does not show what it was asked for, "
			    "or somebody else changes the same records", u->zone, u->talk->server);
			return EX_TEMP;
		}
		if (!update_do(u))
			break;
		if (round > 0) {
			pause_ms(step);
			step *= 2;
		}
	}
	return u->status;
}

static int
run_update(const char *server, const char *keyfile, char *zone, char *const files[],
    long seconds, bool dry)
{
	struct talk talk = {.server = server, .until = dns_now() + seconds * 1000, .fd = -1};
	struct update u = {.talk = &talk, .zone = zone, .save = save, .tell = tell};
	struct tsig_key *key = tsig_key_load(keyfile);
	struct dns_lines *wanted, own;
	size_t n;
	char *host;
	long port;
	int ret = EX_YES;

	if (key == NULL)
		finish(EX_USE);
	talk.key = key;
	if (!update_server(server, &host, &port))
		die(EX_USE, "'%s': not a server", server);
	n = read_wanted(&wanted, files, zone);
	read_list(&own, zone);
	update_begin(&u, wanted, n, &own);
	if (u.nset > 0 && (talk.n = dns_addr_find(talk.addr, TALK_ADDRS, host, port)) == 0) {
		complain("the server '%s' has no address", server);
		ret = EX_TEMP;
	} else if (u.nset > 0) {
		ret = make_so(&u, dry);
	}
	if (ret == EX_YES && !dry && !save(&u))
		ret = EX_TEMP;
	talk_end(&talk);
	tsig_key_free(key);
	update_free(&u);
	while (n > 0)
		dns_lines_free(&wanted[--n]);
	free(wanted);
	dns_lines_free(&own);
	free(host);
	return ret;
}

int
main(int argc, char *argv[])
{
	const char *keyfile = NULL, *server = NULL;
	long seconds = WAIT;
	bool dry = false;
	char *zone;
	int c, ret;

	start();
	while ((c = getopt(argc, argv, "hk:l:nqs:Vw:")) != -1)
		switch (c) {
		case 'k': keyfile = optarg; break;
		case 'l': list = optarg; break;
		case 'n': dry = true; break;
		case 'q': quiet = true; break;
		case 's': server = optarg; break;
		case 'w': seconds = num(optarg, 1, WAIT_MAX, "-w"); break;
		default: opt_other(c, usage);
		}
	if (optind == argc || keyfile == NULL || server == NULL)
		opt_other('?', usage);
	if ((zone = zone_canon(argv[optind])) == NULL)
		die(EX_USE, "'%s': not a zone", argv[optind]);
	ret = run_update(server, keyfile, zone, argv + optind + 1, seconds, dry);
	free(zone);
	out_done();
	if (ret != EX_YES)
		finish(ret);
	return EX_YES;
}
