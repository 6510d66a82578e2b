/* sslm-probe: what does a server show, and does it fit? */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

static const char usage[] =
    "usage: sslm-probe [-dqv] [-4 | -6] [-A file] [-c cert] [-D file]\n"
    "           [-n name] [-r resolver] [-t seconds] [-x protocol] [host[:port] ...]\n"
    "       sslm-probe -h | -V\n";

enum { WAIT = 60, WAIT_MAX = 3600, CPU_SECONDS = 60 };

struct flags {
	int family;
	bool dane, quiet, verbose;
	const char *anchors, *lines, *name, *resolver;
	const struct talk_kind *kind;
	long wait;
};

/* The trust anchors of a file, or of the system: of OpenSSL's directory only what is
 * needed is read.  The environment has no say. */
static X509_STORE *
anchors(const char *file)
{
	X509_STORE *store = X509_STORE_new();
	struct stat st;
	bool dir;

	if (store == NULL)
		die(EX_TEMP, "out of memory");
	if (file == NULL) {
		X509_STORE_load_path(store, X509_get_default_cert_dir());
		X509_STORE_load_file(store, X509_get_default_cert_file());
		ERR_clear_error();
		return store;
	}
	if (stat(file, &st) == -1)
		die(EX_USE, "cannot open '%s':", file);
	dir = S_ISDIR(st.st_mode);
	if ((dir ? X509_STORE_load_path(store, file) : X509_STORE_load_file(store, file)) != 1) {
		pem_complain("'%s': no trust anchors", file);
		finish(EX_USE);
	}
	return store;
}

static void
add_shown(struct probe_want *w, const char *file)
{
	X509 *x = pem_cert(file);

	if (x == NULL)
		finish(EX_USE);
	if (probe_key_of(X509_get0_pubkey(x)) == PROBE_KEYS)
		die(EX_USE, "'%s': a key of a type that TLS does not know", file);
	if ((w->shown == NULL && (w->shown = sk_X509_new_null()) == NULL) ||
	    sk_X509_push(w->shown, x) <= 0)
		die(EX_TEMP, "out of memory");
}

static void
read_lines(struct dns_lines *l, const char *file)
{
	const char *name = strcmp(file, "-") == 0 ? "standard input" : file;
	size_t len;
	char *text = slurp(file, &len);

	if (text == NULL)
		finish(EX_USE);
	if (strlen(text) != len)
		die(EX_USE, "%s: has a NUL octet", name);
	if (!dns_lines_read(l, text, name))
		finish(EX_USE);
}

/* The hosts that are named, with their records; or all that have records. */
static size_t
find_hosts(struct probe_host **hosts, char *args[], size_t n, const struct flags *f,
    const struct dns_lines *lines)
{
	bool dane = f->dane || f->lines != NULL;

	if (n == 0)
		return probe_owners(hosts, lines, f->kind, f->quiet);
	*hosts = xmalloc(n * sizeof(**hosts));
	for (size_t i = 0; i < n; i++) {
		probe_host_read(&(*hosts)[i], args[i], f->name, f->kind);
		if (dane && (*hosts)[i].name_is_ip)
			die(EX_USE, "'%s': an address has no TLSA records; -n tells the name",
			    args[i]);
		if (f->lines != NULL)
			probe_tlsa_take(&(*hosts)[i], lines);
	}
	return n;
}

/* Show what has come of the addresses of a host. */
static void
show(struct probe_host *h, const struct probe *p, const struct probe_want *w,
    const struct flags *f)
{
	size_t gone = 0;
	bool no_way;
	int got;

	for (size_t i = 0; i < h->naddr; i++) {
		got = probe_show(&p[i], w, f->quiet, f->verbose, &no_way);
		if (h->status != EX_NO && got != EX_YES)
			h->status = got;
		gone += no_way;
	}
	if (gone == 0 || gone < h->naddr)
		return;
	if (f->quiet)
		complain("the host '%s' cannot be reached from here", h->host);
	h->status = EX_TEMP;
}

/* Probe all addresses of all hosts that have any; EX_YES, EX_NO or EX_TEMP. */
static int
probe_all(struct probe_host *h, size_t n, const struct probe_want *w, const struct flags *f,
    int64_t until)
{
	struct probe *p = xmalloc(n * PROBE_ADDRS * sizeof(*p));
	size_t m = 0, at = 0;
	int ret = EX_YES;

	memset(p, 0, n * PROBE_ADDRS * sizeof(*p));
	for (size_t i = 0; i < n; i++) {
		if (h[i].status != EX_YES)
			h[i].naddr = 0;
		for (size_t a = 0; a < h[i].naddr; a++)
			p[m++] = (struct probe){.host = &h[i], .addr = &h[i].addr[a]};
	}
	probe_run(p, m, w, until);
	for (size_t i = 0; i < n; i++) {
		show(&h[i], &p[at], w, f);
		at += h[i].naddr;
		if (ret != EX_NO && h[i].status != EX_YES)
			ret = h[i].status;
	}
	probe_free(p, m);
	free(p);
	return ret;
}

static int
probe(char *args[], size_t n, const struct probe_want *w, const struct flags *f)
{
	int64_t until = dns_now() + f->wait * 1000;
	struct dns_lines lines = {.text = NULL};
	struct probe_host *hosts;
	struct probe_dns dns;
	int ret;

	if (f->dane || f->resolver != NULL)
		probe_dns_find(&dns, f->resolver);
	if (f->lines != NULL)
		read_lines(&lines, f->lines);
	n = find_hosts(&hosts, args, n, f, &lines);
	if (f->dane)
		probe_tlsa_ask(hosts, n, &dns, until);
	probe_addresses(hosts, n, f->family, f->resolver != NULL ? &dns : NULL, until);
	ret = probe_all(hosts, n, w, f, until);
	for (size_t i = 0; i < n; i++)
		probe_host_free(&hosts[i]);
	free(hosts);
	dns_lines_free(&lines);
	return ret;
}

int
main(int argc, char *argv[])
{
	const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	struct flags f = {.family = AF_UNSPEC, .wait = WAIT};
	struct probe_want w = {.shown = NULL};
	int o, ret;

	start();
	while ((o = getopt(argc, argv, "46A:c:D:dhn:qr:t:Vvx:")) != -1)
		switch (o) {
		case '4': f.family = AF_INET; break;
		case '6': f.family = AF_INET6; break;
		case 'A': f.anchors = optarg; break;
		case 'c': add_shown(&w, optarg); break;
		case 'D': f.lines = optarg; break;
		case 'd': f.dane = true; break;
		case 'n': f.name = optarg; break;
		case 'q': f.quiet = true; break;
		case 'r': f.resolver = optarg; break;
		case 't': f.wait = num(optarg, 1, WAIT_MAX, "-t"); break;
		case 'v': f.verbose = true; break;
		case 'x':
			if ((f.kind = talk_named(optarg)) == NULL)
				die(EX_USE, "-x '%s': not a protocol that is known", optarg);
			break;
		default: opt_other(o, usage);
		}
	if ((optind == argc && (f.lines == NULL || f.name != NULL)) ||
	    (f.dane && f.lines != NULL))
		opt_other('?', usage);
	setrlimit(RLIMIT_CPU, &cpu);
	w.anchors = anchors(f.anchors);
	w.chain = w.shown == NULL || f.anchors != NULL;
	ret = probe(argv + optind, (size_t)(argc - optind), &w, &f);
	X509_STORE_free(w.anchors);
	sk_X509_pop_free(w.shown, X509_free);
	out_done();
	finish(ret);
}
