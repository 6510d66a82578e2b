/* signer.c: the CA that signs: its set, and what it may sign. */
#include "cert.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* Where there is the one, the set is the other. */
static const char *const where[][2] = {
	{"privkey.pem", "."},
	{"curr", "curr"},
	{"next/bundle.pem", "next"},
};

/* The set that signs, or NULL with errno, which is 0 if there is none yet.
 * Resolved once, so that all files come from one set even if somebody rolls
 * meanwhile. */
static char *
find_set(const char *dir)
{
	char *path, *real;
	struct stat st;
	int there;

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		path = xasprintf("%s/%s", dir, where[i][0]);
		there = lstat(path, &st) == 0;
		free(path);
		if (!there && errno != ENOENT)
			return NULL;
		if (!there)
			continue;
		path = xasprintf("%s/%s", dir, where[i][1]);
		real = realpath(path, NULL);
		free(path);
		return real;
	}
	errno = 0;
	return NULL;
}

/* Read a set, whose key, certificate and chain have to fit together. */
static bool
load(struct signer *s, const char *set)
{
	char *key = xasprintf("%s/privkey.pem", set), *cert = xasprintf("%s/cert.pem", set);
	char *full = xasprintf("%s/fullchain.pem", set);
	bool good = false;

	if ((s->cert = pem_cert(cert)) == NULL || (s->chain = pem_certs(full)) == NULL ||
	    (s->key = pem_key(key)) == NULL)
		goto out;
	if (X509_cmp(s->cert, sk_X509_value(s->chain, 0)) != 0)
		complain("'%s' does not begin with the certificate in '%s'", full, cert);
	else if (X509_check_private_key(s->cert, s->key) != 1)
		pem_complain("the key in '%s' is not that of '%s'", key, cert);
	else
		good = true;
out:
	free(key);
	free(cert);
	free(full);
	return good;
}

int
signer_load(struct signer *s, const char *dir)
{
	char *set = find_set(dir);
	bool good;

	*s = (struct signer){.dir = dir};
	if (set == NULL && errno == 0) {
		complain("the signer '%s' has no certificate yet", dir);
		return EX_TEMP;
	}
	if (set == NULL) {
		complain("cannot open the signer '%s':", dir);
		return EX_PERM;
	}
	good = load(s, set);
	free(set);
	if (good)
		return EX_YES;
	signer_free(s);
	return EX_PERM;
}

void
signer_free(struct signer *s)
{
	EVP_PKEY_free(s->key);	/* wipes it */
	X509_free(s->cert);
	sk_X509_pop_free(s->chain, X509_free);
	*s = (struct signer){0};
}

/* How many CAs may stand between the signer and a leaf: as its chain says, and
 * as a file of CHAIN_MAX certificates has room for.  Negative: not even a leaf. */
static long
depth_left(const struct signer *s)
{
	long left = CHAIN_MAX - 1 - sk_X509_num(s->chain), len;

	for (int i = 0; i < sk_X509_num(s->chain); i++) {
		len = X509_get_pathlen(sk_X509_value(s->chain, i));
		if (len >= 0 && len - i < left)
			left = len - i;
	}
	return left;
}

/* Is each of its chain valid now?  The first end of one is in *end. */
static bool
in_time(const struct signer *s, time_t now, time_t *end)
{
	struct tm from, to;
	char when[STAMP_SIZE];
	time_t t;

	for (int i = 0; i < sk_X509_num(s->chain); i++) {
		const X509 *x = sk_X509_value(s->chain, i);

		if (!ASN1_TIME_to_tm(X509_get0_notBefore(x), &from) ||
		    !ASN1_TIME_to_tm(X509_get0_notAfter(x), &to)) {
			pem_complain("malformed time in the chain of the signer '%s'", s->dir);
			return false;
		}
		if ((t = timegm(&from)) > now) {
			stamp(when, t);
			complain("the signer '%s' is not valid before %s", s->dir, when);
			return false;
		}
		if ((t = timegm(&to)) <= now) {
			stamp(when, t);
			complain("the signer '%s' expired at %s", s->dir, when);
			return false;
		}
		*end = i == 0 || t < *end ? t : *end;
	}
	return true;
}

/* Do the key identifiers of its chain lead from each to the next?  Those of
 * ssl-mgr's own CAs did not, and nobody can build a chain over them. */
static bool
in_row(const struct signer *s)
{
	for (int i = 1; i < sk_X509_num(s->chain); i++)
		if (X509_check_issued(sk_X509_value(s->chain, i),
		    sk_X509_value(s->chain, i - 1)) == X509_V_ERR_AKID_SKID_MISMATCH) {
			complain("the signer '%s' names a wrong key as its issuer's: "
			    "renew and roll it first", s->dir);
			return false;
		}
	return true;
}

int
signer_check(const struct signer *s, long levels, time_t now, time_t *end)
{
	long left = depth_left(s);

	if (X509_check_ca(s->cert) != 1) {
		complain("the signer '%s' is not a CA, or may not sign certificates", s->dir);
		return -1;
	}
	if (left < 0) {
		complain("the chain above the signer '%s' allows nothing below it", s->dir);
		return -1;
	}
	if (levels > left) {
		complain("the signer '%s' allows %ld levels of CAs below it, not %ld", s->dir,
		    left, levels);
		return -1;
	}
	return in_row(s) && in_time(s, now, end) ? 0 : -1;
}
