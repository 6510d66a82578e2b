/* ari.c: when the CA wants a certificate to be renewed (RFC 9773). */
#include "acme.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* The key identifier of the issuer and the octets of the serial number's DER, with
 * the leading zero that it may have (RFC 9773, 4.1). */
static char *
identify(X509 *x)
{
	const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(x);
	unsigned char *der = NULL;
	char *key, *serial, *id = NULL;
	int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(x), &der);

	/* A serial number has at most 20 octets: tag and length are one each. */
	if (aki != NULL && len > 2 && len < 128) {
		key = b64url(ASN1_STRING_get0_data(aki), (size_t)ASN1_STRING_length(aki));
		serial = b64url(der + 2, (size_t)len - 2);
		id = xasprintf("%s.%s", key, serial);
		free(key);
		free(serial);
	}
	OPENSSL_free(der);
	return id;
}

char *
ari_id(const char *path)
{
	size_t len;
	char *text = slurp_try(path, &len), *id = NULL;
	BIO *mem;
	X509 *x = NULL;

	if (text != NULL && (mem = BIO_new_mem_buf(text, (int)len)) != NULL) {
		x = PEM_read_bio_X509(mem, NULL, NULL, NULL);
		BIO_free(mem);
	}
	free(text);
	if (x != NULL)
		id = identify(x);
	X509_free(x);
	ERR_clear_error();
	return id;
}
