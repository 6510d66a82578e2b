/* sslm-sign: a certificate and the chain above it, by the site's own CA. */
#include "cert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum type { ROOT, CA, LEAF };
enum { DAY = 86400, DAYS_MAX = 36500, SERIAL_BITS = 128 };
enum { STRENGTH_MIN = 112 };	/* bits: RSA 2048, EC 224 */

/* What is to be made. */
struct wish {
	enum type type;
	long days, pathlen;
	const char *usage;
	const EVP_MD *digest;
};

static const char usage[] =
    "usage: sslm-sign [-d digest] [-e days] [-l pathlen] [-o dir] [-t type]\n"
    "                 [-u usage,...] -s signer csr.pem\n"
    "       sslm-sign [-d digest] [-e days] [-l pathlen] [-o dir] [-t type]\n"
    "                 [-u usage,...] -k privkey.pem csr.pem\n"
    "       sslm-sign -h | -V\n";

static enum type
type_of(const char *s)
{
	static const char *const name[] = {[ROOT] = "root", [CA] = "ca", [LEAF] = "leaf"};

	for (enum type t = ROOT; t <= LEAF; t++)
		if (strcmp(s, name[t]) == 0)
			return t;
	die(EX_USE, "-t '%s': not root, ca or leaf", s);
}

/* ---- what is asked -------------------------------------------------------- */

static void
check_subject(const X509_NAME *subject, enum type type, const char *path)
{
	unsigned char *text;
	int len;

	if (type != LEAF && X509_NAME_entry_count(subject) == 0)
		die(EX_PERM, "the request in '%s' has no subject, which a CA needs", path);
	for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
		if (len < 0)
			pem_die("malformed subject in '%s'", path);
		for (int j = 0; j < len; j++)
			if (text[j] < ' ' || text[j] == '\177')
				die(EX_PERM, "control character in the subject in '%s'", path);
		OPENSSL_free(text);
	}
}

static void
check_key(const EVP_PKEY *key, const char *path)
{
	char *kind = key_kind(key);

	if (strcmp(kind, "EC:?") == 0)
		die(EX_PERM, "the key in '%s' is not on a named curve", path);
	if (strncmp(kind, "RSA:", 4) != 0 && strncmp(kind, "EC:", 3) != 0 &&
	    strcmp(kind, "ED25519") != 0)
		die(EX_PERM, "the key in '%s' is neither RSA, EC nor Ed25519: %s", path, kind);
	if (EVP_PKEY_get_security_bits(key) < STRENGTH_MIN)
		die(EX_PERM, "the key in '%s' is too weak: %s", path, kind);
	free(kind);
}

/* ---- the certificate ------------------------------------------------------ */

static bool
set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	bool good = n != NULL;

	while (good && BN_is_zero(n))
		good = BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1;
	good = good && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return good;
}

static X509 *
make_cert(X509_REQ *csr, const char *path, const struct signer *s, const struct wish *w)
{
	X509_NAME *subject = X509_REQ_get_subject_name(csr);
	time_t now = time(NULL), end = now + w->days * DAY, limit = end;
	X509 *x = X509_new(), *issuer = s->cert != NULL ? s->cert : x;
	char when[STAMP_SIZE];

	if (s->cert != NULL &&
	    signer_check(s, w->type == LEAF ? 0 : w->pathlen + 1, now, &limit) == -1)
		finish(EX_PERM);
	/* Less than a day is no surprise to anybody. */
	if (limit + DAY < end) {
		stamp(when, limit);
		complain("warning: '%s' is signed until %s only, as its signer '%s'", path, when,
		    s->dir);
	}
	if (limit < end)
		end = limit;
	if (x == NULL || !X509_set_version(x, X509_VERSION_3) || !set_serial(x) ||
	    !X509_set_subject_name(x, subject) ||
	    !X509_set_pubkey(x, X509_REQ_get0_pubkey(csr)) ||
	    !X509_set_issuer_name(x, X509_get_subject_name(issuer)) ||
	    ASN1_TIME_set(X509_getm_notBefore(x), now) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(x), end) == NULL)
		pem_die("cannot make a certificate");
	if ((w->type == LEAF ? ext_leaf(x, issuer, csr, w->usage, path) :
	    ext_ca(x, issuer, w->pathlen)) == -1)
		finish(EX_PERM);
	if (!X509_sign(x, s->key, EVP_PKEY_is_a(s->key, "ED25519") ? NULL : w->digest))
		pem_die("cannot sign the certificate");
	return x;
}

/* ---- what comes out ------------------------------------------------------- */

/* Certificates, encoded anew: nothing that stood between them is passed on. */
static void
put(const char *dir, const char *name, const STACK_OF(X509) *certs)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *path = xasprintf("%s/%s", dir, name), *pem;
	long len;

	for (int i = 0; i < sk_X509_num(certs); i++)
		if (mem == NULL || !PEM_write_bio_X509(mem, sk_X509_value(certs, i)))
			pem_die("cannot encode a certificate");
	len = BIO_get_mem_data(mem, &pem);
	if (out_file(path, 0644, pem, (size_t)len) == -1)
		finish(EX_TEMP);
	BIO_free(mem);
	free(path);
}

static char *
dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? xstrdup(".") : xasprintf("%.*s", (int)(slash - path) + 1, path);
}

/* Fill in what was not said; refuse what does not go together. */
static void
settle(struct wish *w, const char *type, bool self)
{
	static const long days[] = {[ROOT] = 3650, [CA] = 1825, [LEAF] = 90};
	const char *why;

	if (type == NULL)
		type = self ? "root" : "leaf";
	w->type = type_of(type);
	if (w->type == ROOT && !self)
		die(EX_USE, "-t root: a root signs itself, with -k");
	if (w->type == CA && self)
		die(EX_USE, "-t ca: is signed with -s; what signs itself is a root");
	if (w->type == LEAF && w->pathlen != -1)
		die(EX_USE, "-l is for CAs");
	if (w->type != LEAF && w->usage != NULL)
		die(EX_USE, "-u is for leaves");
	if (w->usage == NULL)
		w->usage = "serverAuth,clientAuth";
	if ((why = ext_usage_fault(w->usage)) != NULL)
		die(EX_USE, "-u '%s': %s", w->usage, why);
	if (w->pathlen == -1)
		w->pathlen = w->type == ROOT ? 1 : 0;
	if (w->days == 0)
		w->days = days[w->type];
	if (w->digest == NULL)
		w->digest = key_digest("sha384");
}

int
main(int argc, char *argv[])
{
	const char *keyfile = NULL, *path, *signer = NULL, *type = NULL;
	struct wish w = {.pathlen = -1};
	struct signer s = {0};
	STACK_OF(X509) *certs;
	char *dir = NULL;
	X509_REQ *csr;
	X509 *x;
	int c, status = EX_YES;

	start();
	while ((c = getopt(argc, argv, "d:e:hk:l:o:s:t:u:V")) != -1)
		switch (c) {
		case 'd':
			if ((w.digest = key_digest(optarg)) == NULL)
				die(EX_USE, "-d '%s': not sha256, sha384 or sha512", optarg);
			break;
		case 'e': w.days = num(optarg, 1, DAYS_MAX, "-e"); break;
		case 'k': keyfile = optarg; break;
		case 'l': w.pathlen = num(optarg, 0, CHAIN_MAX - 2, "-l"); break;
		case 'o': dir = optarg; break;
		case 's': signer = optarg; break;
		case 't': type = optarg; break;
		case 'u': w.usage = optarg; break;
		default: opt_other(c, usage);
		}
	if (optind + 1 != argc || (keyfile == NULL) == (signer == NULL))
		opt_other('?', usage);
	settle(&w, type, keyfile != NULL);
	path = argv[optind];
	dir = dir != NULL ? xstrdup(dir) : dir_of(path);

	if ((csr = pem_csr(path, true)) == NULL)
		finish(EX_PERM);
	check_subject(X509_REQ_get_subject_name(csr), w.type, path);
	check_key(X509_REQ_get0_pubkey(csr), path);
	if (keyfile == NULL)
		status = signer_load(&s, signer);
	else if ((s.key = pem_key(keyfile)) == NULL)
		status = EX_PERM;
	else if (EVP_PKEY_eq(s.key, X509_REQ_get0_pubkey(csr)) != 1)
		die(EX_PERM, "the key in '%s' is not that of the request '%s'", keyfile, path);
	if (status != EX_YES)
		finish(status);
	x = make_cert(csr, path, &s, &w);

	/* Where there is a certificate there is its chain. */
	if ((certs = sk_X509_new_null()) == NULL || !sk_X509_push(certs, x))
		pem_die("cannot encode the certificate");
	put(dir, "chain.pem", s.chain != NULL ? s.chain : certs);
	put(dir, "cert.pem", certs);
	sk_X509_pop_free(certs, X509_free);
	signer_free(&s);
	X509_REQ_free(csr);
	free(dir);
	return EX_YES;
}
