/* sslm-verify: do key, request, certificate, chain, names and dates fit? */
#include "cert.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static const char usage[] =
    "usage: sslm-verify [-a anchors.pem] [-n name] ... [-q] path ...\n"
    "       sslm-verify -h | -V\n";

/* What is asked of each path. */
struct question {
	X509_STORE *anchors;	/* or NULL */
	char **name;
	size_t names;
	time_t now;
};

static bool
is_for(const char *path, X509 *x, const char *name)
{
	static const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	unsigned char addr[16];
	size_t n = name_ip(name, addr);
	int yes = n != 0 ? X509_check_ip(x, addr, n, 0) :
	    X509_check_host(x, name, 0, flags, NULL);

	if (yes == 1)
		return true;
	pem_complain("%s: the certificate is not for '%s'", path, name);
	return false;
}

static bool
names_fit(const struct question *q, const char *path, X509 *x)
{
	bool ok = true;

	for (size_t i = 0; i < q->names; i++)
		ok &= is_for(path, x, q->name[i]);
	return ok;
}

static int
verify_dir(const struct question *q, const char *dir)
{
	struct set s;
	bool ok = set_open(&s, dir, q->now) == EX_YES;
	X509_REQ *csr = NULL;

	if (ok && q->anchors != NULL)
		ok = chain_check(s.path[SET_CERT], s.path[SET_CHAIN], s.full, q->anchors,
		    q->now);
	if (s.cert != NULL)
		ok &= names_fit(q, s.path[SET_CERT], s.cert);
	/* Of no matter to a server, and so not to a roll. */
	if (s.csr != NULL && (csr = pem_csr(s.path[SET_CSR], true)) == NULL)
		ok = false;
	X509_REQ_free(csr);
	ok &= set_made(&s) == EX_YES;
	set_close(&s);
	return ok ? EX_YES : EX_NO;
}

/* The chain.pem beside path behind its only certificate, if there is one, and
 * its path in *above; false after a complaint.  A fullchain.pem has to be full. */
static bool
add_chain(const char *path, STACK_OF(X509) *row, char **above)
{
	const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
	STACK_OF(X509) *chain;
	struct stat st;
	X509 *x;

	*above = xasprintf("%.*s%s", (int)(base - path), path, set_name[SET_CHAIN]);
	if (strcmp(base, set_name[SET_FULLCHAIN]) == 0 || stat(*above, &st) == -1)
		return true;
	if ((chain = pem_certs(*above)) == NULL)
		return false;
	if (sk_X509_num(chain) == 1 &&
	    X509_cmp(sk_X509_value(chain, 0), sk_X509_value(row, 0)) == 0)
		X509_free(sk_X509_pop(chain));	/* a root, or the chain itself */
	while ((x = sk_X509_shift(chain)) != NULL)
		if (!sk_X509_push(row, x))
			die(EX_TEMP, "out of memory");
	sk_X509_free(chain);
	return true;
}

static int
verify_file(const struct question *q, const char *path)
{
	EVP_PKEY *key;
	STACK_OF(X509) *row = pem_bundle(path, &key);
	char *above = NULL;
	int ret = EX_USE;
	bool ok = true;
	X509 *x;

	if (row == NULL)
		return EX_USE;
	x = sk_X509_value(row, 0);
	if (key != NULL)
		ok = set_key_check(path, key, x);
	if (key != NULL || sk_X509_num(row) > 1 || add_chain(path, row, &above)) {
		ok &= chain_check(path, above != NULL ? above : path, row, q->anchors, q->now);
		ok &= names_fit(q, path, x);
		ret = ok ? EX_YES : EX_NO;
	}
	free(above);
	EVP_PKEY_free(key);
	sk_X509_pop_free(row, X509_free);
	return ret;
}

static int
verify(const struct question *q, const char *path)
{
	char target[PATH_MAX];
	struct stat st;
	int why;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? verify_dir(q, path) : verify_file(q, path);
	why = errno;
	if (link_target(path, target, sizeof(target)) == NULL)
		target[0] = '\0';
	errno = why;
	if (target[0] != '\0')
		complain("cannot open '%s', a link to '%s':", path, target);
	else
		complain("cannot open '%s':", path);
	return EX_USE;
}

int
main(int argc, char *argv[])
{
	struct question q = {.now = time(NULL)};
	const char *why;
	int c, one, ret = EX_YES;
	bool quiet = false;

	start();
	while ((c = getopt(argc, argv, "a:hn:qV")) != -1)
		switch (c) {
		case 'a':
			if (access(optarg, R_OK) == -1)
				die(EX_USE, "-a '%s':", optarg);
			if (q.anchors == NULL && (q.anchors = X509_STORE_new()) == NULL)
				die(EX_TEMP, "out of memory");
			if (!X509_STORE_load_file(q.anchors, optarg)) {
				pem_complain("-a '%s': no certificates", optarg);
				finish(EX_USE);
			}
			break;
		case 'n':
			q.name = xreallocarray(q.name, q.names + 1, sizeof(*q.name));
			if ((q.name[q.names++] = name_canon(optarg, &why)) == NULL)
				die(EX_USE, "-n '%s': %s", optarg, why);
			break;
		case 'q': quiet = true; break;
		default: opt_other(c, usage);
		}
	if (optind == argc)
		opt_other('?', usage);

	for (; optind < argc; optind++) {
		one = verify(&q, argv[optind]);
		if (one == EX_YES && !quiet)
			printf("%s: ok\n", argv[optind]);
		if (one > ret)
			ret = one;
	}
	while (q.names > 0)
		free(q.name[--q.names]);
	free(q.name);
	X509_STORE_free(q.anchors);
	out_done();
	finish(ret);
}
