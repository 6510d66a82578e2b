/* pem.c: keys, requests and certificates in PEM. */
#include "cert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

static void PRINTF(1, 0)
vpem_complain(const char *fmt, va_list ap)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);
	char what[1024];

	vsnprintf(what, sizeof(what), fmt, ap);
	if (ERR_SYSTEM_ERROR(code))
		why = strerror(ERR_GET_REASON(code));
	if (why == NULL)
		complain("%s", what);
	else
		complain("%s: %s", what, why);
	ERR_clear_error();
}

void
pem_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vpem_complain(fmt, ap);
	va_end(ap);
}

noreturn void
pem_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vpem_complain(fmt, ap);
	va_end(ap);
	finish(EX_PERM);
}

/* An encrypted key is an error, not a question on the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* A file in memory.  text_open: false after a complaint; text_close wipes it. */
struct text {
	char *buf;
	size_t len;
	BIO *bio;
};

static bool
text_open(struct text *t, const char *path)
{
	if ((t->buf = slurp(path, &t->len)) == NULL)
		return false;
	if ((t->bio = BIO_new_mem_buf(t->buf, (int)t->len)) == NULL)
		die(EX_TEMP, "out of memory");
	return true;
}

static void
text_close(struct text *t)
{
	BIO_free(t->bio);
	wipe(t->buf, t->len);
}

EVP_PKEY *
pem_key(const char *path)
{
	EVP_PKEY *key;
	struct text t;

	if (!text_open(&t, path))
		return NULL;
	if ((key = PEM_read_bio_PrivateKey(t.bio, NULL, no_passphrase, NULL)) == NULL)
		pem_complain("no private key in '%s'", path);
	text_close(&t);
	return key;
}

X509_REQ *
pem_csr(const char *path, bool verify)
{
	X509_REQ *csr;
	struct text t;

	if (!text_open(&t, path))
		return NULL;
	csr = PEM_read_bio_X509_REQ(t.bio, NULL, no_passphrase, NULL);
	if (csr == NULL) {
		pem_complain("no certificate request in '%s'", path);
	} else if (verify && X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)) != 1) {
		pem_complain("the request in '%s' is not signed by its own key", path);
		X509_REQ_free(csr);
		csr = NULL;
	}
	text_close(&t);
	return csr;
}

X509 *
pem_cert(const char *path)
{
	struct text t;
	X509 *x;

	if (!text_open(&t, path))
		return NULL;
	if ((x = PEM_read_bio_X509(t.bio, NULL, no_passphrase, NULL)) == NULL)
		pem_complain("no certificate in '%s'", path);
	text_close(&t);
	return x;
}

/* The certificate in a block, or NULL after a complaint. */
static X509 *
block_cert(const struct block *b, const char *path)
{
	const unsigned char *p = b->der;
	X509 *x;

	if (strcmp(b->type, PEM_STRING_X509) != 0) {
		complain("'%s' holds a %s where only certificates belong", path, b->type);
		return NULL;
	}
	x = d2i_X509(NULL, &p, b->len);
	if (x == NULL || p != b->der + b->len) {
		pem_complain("malformed certificate in '%s'", path);
		X509_free(x);
		return NULL;
	}
	return x;
}

static bool
is_key(const char *type)
{
	return strcmp(type, PEM_STRING_PKCS8INF) == 0 || strcmp(type, PEM_STRING_RSA) == 0 ||
	    strcmp(type, PEM_STRING_ECPRIVATEKEY) == 0;
}

/* The private key in a block, or NULL after a complaint. */
static EVP_PKEY *
block_key(const struct block *b, const char *path)
{
	const unsigned char *p = b->der;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, b->len);

	if (key == NULL || p != b->der + b->len) {
		pem_complain("malformed private key in '%s'", path);
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

/* The certificates in the text at buf, and the private key before them if key
 * is not NULL; NULL after a complaint.  Other text may stand before the first
 * block, and if text is true anywhere around them. */
static STACK_OF(X509) *
take_certs(const char *path, const char *buf, size_t len, EVP_PKEY **key, bool text)
{
	STACK_OF(X509) *certs = sk_X509_new_reserve(NULL, CHAIN_MAX);
	const char *at = buf, *end = buf + len;
	struct block b = {0};
	bool first = true;
	X509 *x;
	int got;

	if (certs == NULL)
		die(EX_TEMP, "out of memory");
	for (; (got = block_next(&b, &at, end)) == 1; block_free(&b), first = false) {
		if (b.text && !text && !first)
			break;
		if (first && key != NULL && is_key(b.type)) {
			if ((*key = block_key(&b, path)) == NULL)
				goto bad;
			continue;
		}
		if (sk_X509_num(certs) == CHAIN_MAX) {
			complain("more than %d certificates in '%s'", CHAIN_MAX, path);
			goto bad;
		}
		if ((x = block_cert(&b, path)) == NULL)
			goto bad;
		sk_X509_push(certs, x);	/* there is room */
	}
	if (got == -1)
		pem_complain("malformed PEM in '%s'", path);
	else if (got == 0 && sk_X509_num(certs) == 0)
		complain("no certificate in '%s'", path);
	else if (got == 1 || (b.text && !text))
		complain("'%s' holds text that belongs to no certificate", path);
	else
		return certs;
bad:
	block_free(&b);
	sk_X509_pop_free(certs, X509_free);
	return NULL;
}

STACK_OF(X509) *
pem_certs(const char *path)
{
	STACK_OF(X509) *certs;
	size_t len;
	char *buf = slurp(path, &len);

	if (buf == NULL)
		return NULL;
	certs = take_certs(path, buf, len, NULL, true);
	wipe(buf, len);
	return certs;
}

STACK_OF(X509) *
pem_certs_text(const char *name, const char *text, size_t len)
{
	if (strncmp(text, "-----BEGIN ", 11) == 0)
		return take_certs(name, text, len, NULL, false);
	complain("%s: no certificate, but something else", name);
	return NULL;
}

STACK_OF(X509) *
pem_bundle(const char *path, EVP_PKEY **key)
{
	STACK_OF(X509) *certs;
	size_t len;
	char *buf = slurp(path, &len);

	if (key != NULL)
		*key = NULL;
	if (buf == NULL)
		return NULL;
	certs = take_certs(path, buf, len, key, false);
	wipe(buf, len);
	if (certs == NULL && key != NULL) {
		EVP_PKEY_free(*key);
		*key = NULL;
	}
	return certs;
}
