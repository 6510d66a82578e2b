/* sslm-info: what a PEM file is, for people. */
#include "cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

static const char usage[] =
    "usage: sslm-info [-v] [file ...]\n"
    "       sslm-info -h | -V\n";

static bool verbose;
static time_t now;

/* The content of one kind of block: false if it is malformed. */
static bool
cert(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	X509 *x = d2i_X509(NULL, &p, len);
	bool ok = x != NULL && p == der + len;

	if (ok)
		show_cert(x, verbose, now);
	X509_free(x);
	return ok;
}

/* OpenSSL's own form: the certificate, and behind it for what it is trusted. */
static bool
trusted(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	X509 *x = d2i_X509_AUX(NULL, &p, len);
	bool ok = x != NULL && p == der + len;

	if (ok)
		show_cert(x, verbose, now);
	X509_free(x);
	return ok;
}

static bool
csr(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, len);
	bool ok = req != NULL && p == der + len;

	if (ok)
		show_csr(req);
	X509_REQ_free(req);
	return ok;
}

static bool
key_lines(EVP_PKEY *key, bool ok)
{
	unsigned char *spki = NULL;
	int n;

	if (ok) {
		n = i2d_PUBKEY(key, &spki);
		show_key(key, spki, n, true);
	}
	EVP_PKEY_free(key);
	return ok;
}

static bool
private(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, len);

	return key_lines(key, key != NULL && p == der + len);
}

static bool
public(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, len);

	return key_lines(key, key != NULL && p == der + len);
}

static bool
dh(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	EVP_PKEY *key = d2i_KeyParams(EVP_PKEY_DH, NULL, &p, len);
	bool ok = key != NULL && p == der + len;
	char group[64];

	if (ok) {
		show_line("size", "%d bits", EVP_PKEY_get_bits(key));
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL))
			show_line("group", "%s", group);
	}
	EVP_PKEY_free(key);
	return ok;
}

static bool
crl(const unsigned char *der, long len)
{
	const unsigned char *p = der;
	X509_CRL *c = d2i_X509_CRL(NULL, &p, len);
	bool ok = c != NULL && p == der + len;
	const X509_ALGOR *alg;
	char *issuer;
	int revoked;

	if (ok) {
		issuer = text_dn(X509_CRL_get_issuer(c));
		show_line("issuer", "%s", issuer);
		free(issuer);
		show_time("last update", X509_CRL_get0_lastUpdate(c));
		if (X509_CRL_get0_nextUpdate(c) != NULL)
			show_time("next update", X509_CRL_get0_nextUpdate(c));
		revoked = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(c));
		show_line("revoked", "%d", revoked > 0 ? revoked : 0);
		X509_CRL_get0_signature(c, NULL, &alg);
		show_sigalg(alg);
	}
	X509_CRL_free(c);
	return ok;
}

static const struct kind {
	const char *type, *name;
	bool (*show)(const unsigned char *der, long len);	/* NULL: the name is all */
} kinds[] = {
	{"CERTIFICATE", "certificate", cert},
	{"X509 CERTIFICATE", "certificate", cert},
	{"TRUSTED CERTIFICATE", "trusted certificate (OpenSSL)", trusted},
	{"CERTIFICATE REQUEST", "certificate request", csr},
	{"NEW CERTIFICATE REQUEST", "certificate request", csr},
	{"PRIVATE KEY", "private key", private},
	{"RSA PRIVATE KEY", "private key", private},
	{"EC PRIVATE KEY", "private key", private},
	{"DSA PRIVATE KEY", "private key", private},
	{"ENCRYPTED PRIVATE KEY", "encrypted private key", NULL},
	{"PUBLIC KEY", "public key", public},
	{"RSA PUBLIC KEY", "RSA public key (PKCS#1)", NULL},
	{"DH PARAMETERS", "DH parameters", dh},
	{"EC PARAMETERS", "EC parameters", NULL},
	{"X509 CRL", "certificate revocation list", crl},
	{"PKCS7", "PKCS#7 container", NULL},
	{"CMS", "CMS container", NULL},
};

static const struct kind *
kind_of(const struct block *b)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(b->type, kinds[i].type) == 0)
			return &kinds[i];
	return NULL;
}

/* The heading of a block and its lines: false if it is malformed. */
static bool
show(const struct block *b, const char *before)
{
	const struct kind *k = kind_of(b);
	char *type;

	if (k == NULL) {
		type = text_safe(b->type, strlen(b->type), "");
		printf("%sunknown block '%s'\n", before, type);
		free(type);
		return true;
	}
	if (strstr(b->header, "ENCRYPTED") != NULL) {
		printf("%sencrypted %s\n", before, k->name);
		return true;
	}
	printf("%s%s\n", before, k->name);
	return k->show == NULL || k->show(b->der, b->len);
}

/* How many blocks there are, and what they are as a whole in *what. */
static int
survey(const char *at, const char *end, const char **what)
{
	int n = 0, certs = 0, got;
	bool key_first = false, ca_first = false;
	struct block b;

	for (; (got = block_next(&b, &at, end)) != 0; block_free(&b), n++) {
		const struct kind *k = got == 1 ? kind_of(&b) : NULL;
		const unsigned char *p = b.der;
		X509 *x;

		if (k == NULL)
			continue;
		if (k->show == cert && certs++ == 0) {
			x = d2i_X509(NULL, &p, b.len);
			ca_first = x != NULL && X509_check_ca(x) > 0;
			X509_free(x);
		}
		if (k->show == private && n == 0)
			key_first = true;
	}
	if (key_first && certs == n - 1)
		*what = "bundle (key, certificate and chain)";
	else if (certs == n && n > 0)
		*what = ca_first ? "chain" : "full chain (certificate and chain)";
	else
		*what = "several things";
	ERR_clear_error();
	return n;
}

/* false after a complaint: it cannot be read, holds nothing, or malformed blocks. */
static bool
info(const char *path)
{
	const char *at, *end, *what, *name = strcmp(path, "-") == 0 ? "standard input" : path;
	char *head = NULL, *title;
	struct block b;
	size_t len;
	char *buf = slurp(path, &len);
	int n, got, blocks;
	bool ok = true;

	if (buf == NULL)
		return false;
	at = buf;
	end = buf + len;
	title = text_safe(name, strlen(name), "");
	blocks = survey(at, end, &what);
	if (blocks > 1)
		printf("%s: %s, %d blocks\n", title, what, blocks);
	for (n = 1; (got = block_next(&b, &at, end)) != 0; block_free(&b), n++) {
		head = blocks > 1 ? xasprintf("%d. ", n) : xasprintf("%s: ", title);
		if (got == -1 || !show(&b, head)) {
			if (blocks > 1)
				pem_complain("'%s': block %d is malformed", name, n);
			else
				pem_complain("'%s' is malformed", name);
			ok = false;
		}
		free(head);
	}
	if (blocks == 0) {
		complain("'%s' holds no PEM", name);
		ok = false;
	}
	free(title);
	wipe(buf, len);
	return ok;
}

int
main(int argc, char *argv[])
{
	bool ok = true;
	int c;

	start();
	while ((c = getopt(argc, argv, "hvV")) != -1)
		switch (c) {
		case 'v': verbose = true; break;
		default: opt_other(c, usage);
		}
	now = time(NULL);
	if (optind == argc)
		ok = info("-");
	for (; optind < argc; optind++)
		ok &= info(argv[optind]);
	out_done();
	finish(ok ? EX_YES : EX_PERM);
}
