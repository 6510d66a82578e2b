/* tlsa.c: one TLSA record (RFC 6698). */
#include "dane.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* The type of the first block of a PEM file; the caller frees.  NULL after a
 * complaint. */
static char *
first_type(const char *path)
{
	struct block b = {0};
	const char *at;
	char *buf, *type = NULL;
	size_t len;

	if ((buf = slurp(path, &len)) == NULL)
		return NULL;
	at = buf;
	switch (block_next(&b, &at, buf + len)) {
	case 1: type = xstrdup(b.type); break;
	case 0: complain("nothing in PEM in '%s'", path); break;
	default: pem_complain("malformed PEM in '%s'", path);
	}
	block_free(&b);
	wipe(buf, len);
	return type;
}

static bool
take_cert(struct tlsa_source *from, X509 *x)
{
	from->cert_len = i2d_X509(x, &from->cert);
	from->spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &from->spki);
	return from->cert_len > 0 && from->spki_len > 0;
}

static bool
take_certs(struct tlsa_source *from, const char *path, bool above)
{
	STACK_OF(X509) *certs = pem_certs(path);
	bool ok;

	if (certs == NULL)
		return false;
	ok = take_cert(from, sk_X509_value(certs, above && sk_X509_num(certs) > 1 ? 1 : 0));
	if (!ok)
		pem_complain("cannot encode the certificate in '%s'", path);
	sk_X509_pop_free(certs, X509_free);
	return ok;
}

static bool
take_request(struct tlsa_source *from, const char *path)
{
	X509_REQ *csr = pem_csr(path, false);
	bool ok = false;

	if (csr != NULL) {
		from->spki_len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(csr), &from->spki);
		if (!(ok = from->spki_len > 0))
			pem_complain("cannot encode the key of the request in '%s'", path);
	}
	X509_REQ_free(csr);
	return ok;
}

static bool
take_key(struct tlsa_source *from, const char *path)
{
	EVP_PKEY *key = pem_key(path);
	bool ok = false;

	if (key != NULL) {
		from->spki_len = i2d_PUBKEY(key, &from->spki);
		if (!(ok = from->spki_len > 0))
			pem_complain("cannot encode the key in '%s'", path);
	}
	EVP_PKEY_free(key);
	return ok;
}

bool
tlsa_source(struct tlsa_source *from, const char *path, bool above)
{
	char *type = first_type(path);
	bool ok = false;

	*from = (struct tlsa_source){0};
	if (type == NULL)
		return false;
	if (strcmp(type, PEM_STRING_X509) == 0)
		ok = take_certs(from, path, above);
	else if (strcmp(type, PEM_STRING_X509_REQ) == 0 ||
	    strcmp(type, PEM_STRING_X509_REQ_OLD) == 0)
		ok = take_request(from, path);
	else
		ok = take_key(from, path);
	free(type);
	if (!ok)
		tlsa_source_free(from);
	return ok;
}

void
tlsa_source_free(struct tlsa_source *from)
{
	OPENSSL_free(from->cert);
	OPENSSL_free(from->spki);
	*from = (struct tlsa_source){0};
}

static char *
hex(const unsigned char *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char *s = xmalloc(2 * n + 1);

	for (size_t i = 0; i < n; i++) {
		s[2 * i] = digit[p[i] >> 4];
		s[2 * i + 1] = digit[p[i] & 0xf];
	}
	s[2 * n] = '\0';
	return s;
}

char *
tlsa_data(const struct tlsa_source *from, long selector, long match)
{
	const unsigned char *p = selector == SELECTOR_CERT ? from->cert : from->spki;
	int len = selector == SELECTOR_CERT ? from->cert_len : from->spki_len;
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n;

	if (p == NULL)
		return NULL;
	if (match == MATCH_FULL)
		return hex(p, (size_t)len);
	if (EVP_Digest(p, (size_t)len, md, &n, match == MATCH_SHA256 ? EVP_sha256() : EVP_sha512(),
	    NULL) != 1)
		pem_die("cannot make a digest");
	return hex(md, n);
}

char *
tlsa_line(const struct tlsa *rr)
{
	if (rr->ttl == 0)
		return xasprintf("%s. IN TLSA %ld %ld %ld %s", rr->owner, rr->usage,
		    rr->selector, rr->match, rr->data);
	/* Two blanks, as ssl-mgr has them: somebody may look for that. */
	return xasprintf("%s. %ld  IN TLSA %ld %ld %ld %s", rr->owner, rr->ttl, rr->usage,
	    rr->selector, rr->match, rr->data);
}

bool
tlsa_same(const struct tlsa *a, const struct tlsa *b)
{
	return a->usage == b->usage && a->selector == b->selector && a->match == b->match &&
	    strcmp(a->owner, b->owner) == 0 && strcmp(a->data, b->data) == 0;
}
