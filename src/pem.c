/* pem.c: keys, requests and certificates in PEM. */
#include "sslm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

static void
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

EVP_PKEY *
pem_key(const char *path)
{
	EVP_PKEY *key = NULL;
	size_t len;
	char *buf = slurp(path, &len);
	BIO *b;

	if (buf == NULL)
		return NULL;
	if ((b = BIO_new_mem_buf(buf, (int)len)) != NULL)
		key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
	if (key == NULL)
		pem_complain("no private key in '%s'", path);
	BIO_free(b);
	wipe(buf, len);
	return key;
}

X509_REQ *
pem_csr(const char *path)
{
	X509_REQ *csr = NULL;
	size_t len;
	char *buf = slurp(path, &len);
	BIO *b;

	if (buf == NULL)
		return NULL;
	if ((b = BIO_new_mem_buf(buf, (int)len)) != NULL)
		csr = PEM_read_bio_X509_REQ(b, NULL, no_passphrase, NULL);
	if (csr == NULL) {
		pem_complain("no certificate request in '%s'", path);
	} else if (X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)) != 1) {
		pem_complain("the request in '%s' is not signed by its own key", path);
		X509_REQ_free(csr);
		csr = NULL;
	}
	BIO_free(b);
	wipe(buf, len);
	return csr;
}

X509 *
pem_cert(const char *path)
{
	X509 *x = NULL;
	size_t len;
	char *buf = slurp(path, &len);
	BIO *b;

	if (buf == NULL)
		return NULL;
	if ((b = BIO_new_mem_buf(buf, (int)len)) != NULL)
		x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);
	if (x == NULL)
		pem_complain("no certificate in '%s'", path);
	BIO_free(b);
	wipe(buf, len);
	return x;
}

/* The next PEM block of b, which has to be a certificate: 1 with it in *x, 0 at
 * the end, -1 after a complaint. */
static int
next_cert(BIO *b, const char *path, X509 **x)
{
	char *type = NULL, *header = NULL;
	unsigned char *der = NULL;
	const unsigned char *p;
	long len;
	int ret = -1;

	if (!PEM_read_bio(b, &type, &header, &der, &len)) {
		if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
			pem_complain("malformed PEM in '%s'", path);
			return -1;
		}
		ERR_clear_error();
		return 0;
	}
	p = der;
	*x = NULL;
	if (strcmp(type, PEM_STRING_X509) != 0)
		complain("'%s' holds a %s where only certificates belong", path, type);
	else if ((*x = d2i_X509(NULL, &p, len)) == NULL || p != der + len)
		pem_complain("malformed certificate in '%s'", path);
	else
		ret = 1;
	if (ret == -1)
		X509_free(*x);
	OPENSSL_free(type);
	OPENSSL_free(header);
	OPENSSL_clear_free(der, (size_t)len);
	return ret;
}

STACK_OF(X509) *
pem_certs(const char *path)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	size_t len = 0;
	char *buf = slurp(path, &len);
	BIO *b = buf != NULL ? BIO_new_mem_buf(buf, (int)len) : NULL;
	X509 *x;
	int got = b == NULL || certs == NULL ? -1 : 1;

	while (got == 1 && (got = next_cert(b, path, &x)) == 1) {
		if (sk_X509_num(certs) == CHAIN_MAX) {
			complain("more than %d certificates in '%s'", CHAIN_MAX, path);
			got = -1;
		}
		if (got == -1 || sk_X509_push(certs, x) == 0) {
			X509_free(x);
			got = -1;
		}
	}
	if (got == 0 && sk_X509_num(certs) == 0) {
		complain("no certificate in '%s'", path);
		got = -1;
	}
	BIO_free(b);
	wipe(buf, len);
	if (got == -1) {
		sk_X509_pop_free(certs, X509_free);
		return NULL;
	}
	return certs;
}
