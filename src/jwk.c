/* jwk.c: account keys as JSON has them. */
#include "acme.h"
#include "cert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

enum { RSA_MIN = 2048, RSA_MAX = 8192 };
enum { FIELD_MAX = 66 };	/* octets, of P-521 */

struct alg {
	const char *kind, *alg, *crv, *digest;
	size_t field;		/* octets of a coordinate */
};

/* What is not named here cannot be an account key. */
static const struct alg *
alg_of(const EVP_PKEY *key)
{
	static const struct alg table[] = {
	    {"EC:prime256v1", "ES256", "P-256", "SHA256", 32},
	    {"EC:secp384r1", "ES384", "P-384", "SHA384", 48},
	    {"EC:secp521r1", "ES512", "P-521", "SHA512", FIELD_MAX},
	    {"ED25519", "EdDSA", "Ed25519", NULL, 32},
	    {"RSA", "RS256", NULL, "SHA256", 0}};
	const struct alg *found = NULL;
	char *kind = key_kind(key);
	int bits = EVP_PKEY_get_bits(key);

	/* RSA by its type: a key that is for PSS alone does not make RS256. */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && found == NULL; i++)
		if (strcmp(kind, table[i].kind) == 0 ||
		    (table[i].crv == NULL && EVP_PKEY_is_a(key, table[i].kind) &&
		    bits >= RSA_MIN && bits <= RSA_MAX))
			found = &table[i];
	free(kind);
	return found;
}

const char *
jwk_alg(const EVP_PKEY *key)
{
	const struct alg *a = alg_of(key);

	return a == NULL ? NULL : a->alg;
}

/* A number of the public half in base64url: size octets, or as few as it takes
 * if that is 0. */
static char *
number(const EVP_PKEY *key, const char *param, size_t size)
{
	unsigned char buf[RSA_MAX / 8];
	BIGNUM *n = NULL;
	char *s = NULL;
	int len;

	if (EVP_PKEY_get_bn_param(key, param, &n)) {
		len = size != 0 ? (int)size : BN_num_bytes(n);
		if (len <= (int)sizeof(buf) && BN_bn2binpad(n, buf, len) == len)
			s = b64url(buf, (size_t)len);
	}
	BN_free(n);
	return s;
}

/* The public half of an Ed25519 key. */
static char *
raw(const EVP_PKEY *key)
{
	unsigned char buf[FIELD_MAX];
	size_t len = sizeof(buf);

	return EVP_PKEY_get_raw_public_key(key, buf, &len) ? b64url(buf, len) : NULL;
}

char *
jwk_public(const EVP_PKEY *key)
{
	const struct alg *a = alg_of(key);
	char *jwk = NULL, *x, *y = NULL;

	if (a->crv == NULL) {
		x = number(key, OSSL_PKEY_PARAM_RSA_E, 0);
		y = number(key, OSSL_PKEY_PARAM_RSA_N, 0);
		if (x != NULL && y != NULL)
			jwk = xasprintf("{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", x, y);
	} else if (a->digest == NULL) {
		x = raw(key);
		if (x != NULL)
			jwk = xasprintf("{\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%s\"}", a->crv, x);
	} else {
		x = number(key, OSSL_PKEY_PARAM_EC_PUB_X, a->field);
		y = number(key, OSSL_PKEY_PARAM_EC_PUB_Y, a->field);
		if (x != NULL && y != NULL)
			jwk = xasprintf("{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
			    a->crv, x, y);
	}
	free(x);
	free(y);
	return jwk;
}

/* r and s, of size octets each, of an ECDSA signature in DER; in base64url. */
static char *
flat(const unsigned char *der, size_t len, size_t size)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	unsigned char buf[2 * FIELD_MAX];
	char *s = NULL;
	int n = (int)size;

	if (sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), buf, n) == n &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), buf + size, n) == n)
		s = b64url(buf, 2 * size);
	ECDSA_SIG_free(sig);
	return s;
}

char *
jwk_sign(EVP_PKEY *key, const char *text)
{
	const struct alg *a = alg_of(key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = strlen(text), len = (size_t)EVP_PKEY_get_size(key);
	unsigned char *sig = xmalloc(len);
	char *s = NULL;

	if (ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text, n) == 1)
		s = a->crv != NULL && a->digest != NULL ? flat(sig, len, a->field) :
		    b64url(sig, len);
	EVP_MD_CTX_free(ctx);
	free(sig);
	return s;
}

char *
jwk_hash(const char *text)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t len;

	if (!EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), md, &len))
		return NULL;
	return b64url(md, len);
}
