/* set.c: the files of one issuance, and whether they fit together. */
#include "cert.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <openssl/evp.h>

const char *const set_name[SET_N] = {
	[SET_KEY] = "privkey.pem",
	[SET_CSR] = "csr.pem",
	[SET_CERT] = "cert.pem",
	[SET_CHAIN] = "chain.pem",
	[SET_FULLCHAIN] = "fullchain.pem",
	[SET_BUNDLE] = "bundle.pem",
};

/*
 * The directory itself where dir is a link to it: a roll may switch the link
 * between one file and the next.  NULL after a complaint; the caller frees.
 */
static char *
generation(const char *dir)
{
	char target[PATH_MAX], *path = xstrdup(dir), *slash, *real;
	size_t n = strlen(path);
	struct stat st;
	bool there;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	there = stat(path, &st) == 0;
	if (there && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	if (!there || !S_ISDIR(st.st_mode)) {
		complain("cannot open '%s':", dir);
		free(path);
		return NULL;
	}
	if (link_target(path, target, sizeof(target)) == NULL)
		return path;
	slash = strrchr(path, '/');
	if (target[0] == '/' || slash == NULL)
		real = xstrdup(target);
	else
		real = xasprintf("%.*s%s", (int)(slash - path) + 1, path, target);
	free(path);
	return real;
}

bool
set_key_check(const char *path, EVP_PKEY *key, const X509 *cert)
{
	EVP_PKEY *public = X509_get0_pubkey(cert);
	struct stat st;
	bool ok = true;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		complain("%s: is readable by others", path);
		ok = false;
	}
	if (public == NULL || EVP_PKEY_eq(key, public) != 1) {
		pem_complain("%s: the key is not that of the certificate", path);
		ok = false;
	} else if (!key_fits(key, public)) {
		pem_complain("%s: the private half of the key is damaged", path);
		ok = false;
	}
	return ok;
}

/* DNS names regardless of case, and addresses. */
static int
by_name(const GENERAL_NAME *const *a, const GENERAL_NAME *const *b)
{
	int ta, tb, la, lb;
	const ASN1_STRING *sa = GENERAL_NAME_get0_value(*a, &ta);
	const ASN1_STRING *sb = GENERAL_NAME_get0_value(*b, &tb);
	const unsigned char *pa = ASN1_STRING_get0_data(sa), *pb = ASN1_STRING_get0_data(sb);
	int c = 0;

	if (ta != tb)
		return ta - tb;
	la = ASN1_STRING_length(sa);
	lb = ASN1_STRING_length(sb);
	if (la != lb)
		return la - lb;
	for (int i = 0; i < la && c == 0; i++)
		c = ta == GEN_DNS && pa[i] < 0x80 && pb[i] < 0x80 ?
		    strncasecmp((const char *)&pa[i], (const char *)&pb[i], 1) : pa[i] - pb[i];
	return c;
}

/* The DNS names and addresses that these extensions hold, sorted; NULL if they
 * are malformed.  Free with GENERAL_NAMES_free. */
static GENERAL_NAMES *
names(const STACK_OF(X509_EXTENSION) *exts)
{
	int crit;
	GENERAL_NAMES *all = X509V3_get_d2i(exts, NID_subject_alt_name, &crit, NULL);
	GENERAL_NAMES *some = NULL;
	GENERAL_NAME *g;

	if (all == NULL && crit != -1)
		return NULL;
	if ((some = sk_GENERAL_NAME_new(by_name)) == NULL)
		die(EX_TEMP, "out of memory");
	while ((g = sk_GENERAL_NAME_pop(all)) != NULL)
		if ((g->type != GEN_DNS && g->type != GEN_IPADD) ||
		    !sk_GENERAL_NAME_push(some, g))
			GENERAL_NAME_free(g);
	GENERAL_NAMES_free(all);
	sk_GENERAL_NAME_sort(some);
	return some;
}

/* The first name of *g behind i that is another one. */
static int
skip(const GENERAL_NAMES *g, int i)
{
	const GENERAL_NAME *a = sk_GENERAL_NAME_value(g, i), *b;

	while (++i < sk_GENERAL_NAME_num(g)) {
		b = sk_GENERAL_NAME_value(g, i);
		if (by_name(&a, &b) != 0)
			break;
	}
	return i;
}

/* The first name that is in one of two sorted lists only: of a if *in_a. */
static const GENERAL_NAME *
odd_one(const GENERAL_NAMES *a, const GENERAL_NAMES *b, bool *in_a)
{
	int i = 0, j = 0, m = sk_GENERAL_NAME_num(a), n = sk_GENERAL_NAME_num(b), c;
	const GENERAL_NAME *x, *y;

	while (i < m || j < n) {
		x = sk_GENERAL_NAME_value(a, i);
		y = sk_GENERAL_NAME_value(b, j);
		c = i == m ? 1 : j == n ? -1 : by_name(&x, &y);
		if (c != 0) {
			*in_a = c < 0;
			return *in_a ? x : y;
		}
		i = skip(a, i);
		j = skip(b, j);
	}
	return NULL;
}

static bool
names_fit(const struct set *s)
{
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(s->csr);
	GENERAL_NAMES *asked = names(exts), *given = names(X509_get0_extensions(s->cert));
	const GENERAL_NAME *odd;
	bool in_given, ok = false;
	char *text;

	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	if (asked == NULL || given == NULL) {
		pem_complain("%s: malformed names",
		    s->path[asked == NULL ? SET_CSR : SET_CERT]);
	} else if (sk_GENERAL_NAME_num(given) == 0 &&
	    (X509_get_extension_flags(s->cert) & EXFLAG_CA) != 0) {
		ok = true;	/* a CA is known by its subject */
	} else if ((odd = odd_one(given, asked, &in_given)) != NULL) {
		text = text_san(odd);
		complain("%s: the certificate is %s for '%s', which the request %s",
		    s->path[SET_CERT], in_given ? "also" : "not", text,
		    in_given ? "does not ask for" : "asks for");
		free(text);
	} else {
		ok = true;
	}
	GENERAL_NAMES_free(asked);
	GENERAL_NAMES_free(given);
	return ok;
}

/* cert.pem alone and chain.pem into *s; false after a complaint. */
static bool
read_certs(struct set *s)
{
	STACK_OF(X509) *cert = pem_certs(s->path[SET_CERT]);

	s->full = pem_certs(s->path[SET_CHAIN]);
	if (cert != NULL && sk_X509_num(cert) == 1)
		s->cert = sk_X509_shift(cert);
	else if (cert != NULL)
		complain("%s: holds %d certificates", s->path[SET_CERT], sk_X509_num(cert));
	sk_X509_pop_free(cert, X509_free);
	if (s->cert == NULL || s->full == NULL)
		return false;
	if (sk_X509_num(s->full) == 1 && X509_cmp(s->cert, sk_X509_value(s->full, 0)) == 0)
		return true;	/* its own issuer */
	if (!X509_up_ref(s->cert) || !sk_X509_unshift(s->full, s->cert))
		die(EX_TEMP, "out of memory");
	return true;
}

bool
set_issued(const struct set *s, time_t now)
{
	bool ok = true;

	if (s->cert != NULL && s->csr != NULL) {
		if (EVP_PKEY_eq(X509_REQ_get0_pubkey(s->csr),
		    X509_get0_pubkey(s->cert)) != 1) {
			pem_complain("%s: the key is not that of the certificate",
			    s->path[SET_CSR]);
			ok = false;
		}
		ok &= names_fit(s);
	}
	if (s->cert != NULL && s->full != NULL)
		ok &= chain_check(s->path[SET_CERT], s->path[SET_CHAIN], s->full, NULL, now);
	return ok;
}

int
set_open(struct set *s, const char *dir, time_t now)
{
	bool ok;

	*s = (struct set){.dir = generation(dir)};
	if (s->dir == NULL)
		return EX_NO;
	for (int i = 0; i < SET_N; i++)
		s->path[i] = xasprintf("%s/%s", s->dir, set_name[i]);
	s->key = pem_key(s->path[SET_KEY]);
	s->csr = pem_csr(s->path[SET_CSR], false);
	ok = read_certs(s) && s->key != NULL && s->csr != NULL;
	if (s->cert != NULL && s->key != NULL)
		ok &= set_key_check(s->path[SET_KEY], s->key, s->cert);
	ok &= set_issued(s, now);
	return ok ? EX_YES : EX_NO;
}

/* Are certs, which are freed, those that this file is made of?  False for NULL. */
static bool
full_check(const struct set *s, int file, STACK_OF(X509) *certs)
{
	int n = sk_X509_num(s->full), i = 0;
	bool ok = certs != NULL;

	if (ok && sk_X509_num(certs) == n)
		while (i < n &&
		    X509_cmp(sk_X509_value(certs, i), sk_X509_value(s->full, i)) == 0)
			i++;
	if (ok && i != n) {
		complain("%s: is not made of %s and %s", s->path[file], set_name[SET_CERT],
		    set_name[SET_CHAIN]);
		ok = false;
	}
	sk_X509_pop_free(certs, X509_free);
	return ok;
}

/* Is the text of a file that of two others, one behind the other?  As we write
 * them they are; then there is nothing to parse. */
static bool
joined(const struct set *s, int file, int a, int b)
{
	const int part[] = {file, a, b};
	char *text[3] = {NULL, NULL, NULL};
	size_t len[3] = {0, 0, 0};
	bool yes = true;

	for (int i = 0; i < 3 && yes; i++)
		yes = (text[i] = slurp_try(s->path[part[i]], &len[i])) != NULL;
	yes = yes && len[0] == len[1] + len[2] && memcmp(text[0], text[1], len[1]) == 0 &&
	    memcmp(text[0] + len[1], text[2], len[2]) == 0;
	for (int i = 0; i < 3; i++)
		wipe(text[i], len[i]);
	return yes;
}

int
set_made(const struct set *s)
{
	STACK_OF(X509) *certs;
	struct stat st;
	EVP_PKEY *key;
	bool ok;

	if (s->cert == NULL || s->full == NULL)
		return EX_NO;
	if (sk_X509_num(s->full) > 1 && joined(s, SET_FULLCHAIN, SET_CERT, SET_CHAIN) &&
	    joined(s, SET_BUNDLE, SET_KEY, SET_FULLCHAIN) &&
	    stat(s->path[SET_BUNDLE], &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return EX_YES;
	ok = full_check(s, SET_FULLCHAIN, pem_bundle(s->path[SET_FULLCHAIN], NULL));
	certs = pem_bundle(s->path[SET_BUNDLE], &key);
	if (certs != NULL && key == NULL) {
		complain("%s: does not begin with a private key", s->path[SET_BUNDLE]);
		ok = false;
	} else if (key != NULL) {
		ok &= set_key_check(s->path[SET_BUNDLE], key, s->cert);
	}
	EVP_PKEY_free(key);
	ok &= full_check(s, SET_BUNDLE, certs);
	return ok ? EX_YES : EX_NO;
}

void
set_close(struct set *s)
{
	for (int i = 0; i < SET_N; i++)
		free(s->path[i]);
	free(s->dir);
	EVP_PKEY_free(s->key);
	X509_REQ_free(s->csr);
	X509_free(s->cert);
	sk_X509_pop_free(s->full, X509_free);
	*s = (struct set){0};
}

int
set_check(const char *dir, time_t now)
{
	struct set s;
	int ret = set_open(&s, dir, now);

	if (set_made(&s) != EX_YES)
		ret = EX_NO;
	set_close(&s);
	return ret;
}
