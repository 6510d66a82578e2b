/* jwk_read.c: a private key that is a JWK. */
#include "acme.h"
#include "cert.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { JWK_MAX = 1 << 16 };	/* octets of the file */
enum { NUMBER_MAX = 1024 };	/* octets of a number: 8192 bits */
enum { FIELD_MAX = 66 };	/* octets of a coordinate: P-521 */

/* Whatever jansson frees may hold a part of the key. */
static void
json_wipe(void *p)
{
	wipe(p, malloc_usable_size(p));
}

/* The number that a member is, of 1 to max octets, to be wiped; NULL after a
 * complaint.  Nothing of the file is quoted in messages: it may be the key. */
static unsigned char *
member(const json_t *jwk, const char *name, size_t max, size_t *len, const char *path)
{
	const json_t *value = json_object_get(jwk, name);
	unsigned char *p;

	if (value == NULL) {
		complain("'%s': no \"%s\", which a private key has", path, name);
		return NULL;
	}
	p = json_is_string(value) ? b64url_decode(json_string_value(value), len) : NULL;
	if (p != NULL && *len > 0 && *len <= max)
		return p;
	complain("'%s': \"%s\" is not a number of %zu octets at most in base64url", path, name,
	    max);
	wipe(p, p == NULL ? 0 : *len);
	return NULL;
}

/* The same as a parameter for OpenSSL, whose numbers are in the machine's order;
 * what is at param->data is to be wiped. */
static bool
parameter(OSSL_PARAM *param, const char *name, const json_t *jwk, const char *key, size_t max,
    const char *path)
{
	unsigned char *p;
	BIGNUM *n;
	size_t len;

	if ((p = member(jwk, key, max, &len, path)) == NULL)
		return false;
	if ((n = BN_bin2bn(p, (int)len, NULL)) == NULL || BN_bn2nativepad(n, p, (int)len) == -1)
		die(EX_TEMP, "out of memory");
	BN_clear_free(n);
	*param = OSSL_PARAM_construct_BN(name, p, len);
	return true;
}

/* The key of that type with these parameters; NULL after a complaint. */
static EVP_PKEY *
make(const char *type, OSSL_PARAM *param, const char *path)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, param) != 1) {
		pem_complain("'%s': no %s key", path, type);
	} else if (jwk_alg(key) == NULL) {
		complain("'%s': the key is too weak or too large", path);
	} else if ((check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL)) == NULL ||
	    EVP_PKEY_check(check) != 1) {
		pem_complain("'%s': the members do not belong together", path);
	} else {
		EVP_PKEY_CTX_free(check);
		EVP_PKEY_CTX_free(ctx);
		return key;
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
rsa(const json_t *jwk, const char *path)
{
	static const struct {
		const char *jwk, *openssl;
	} part[] = {{"n", OSSL_PKEY_PARAM_RSA_N}, {"e", OSSL_PKEY_PARAM_RSA_E},
	    {"d", OSSL_PKEY_PARAM_RSA_D}, {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
	    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2}, {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
	    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
	enum { N = sizeof(part) / sizeof(part[0]) };
	OSSL_PARAM param[N + 1];
	EVP_PKEY *key = NULL;
	size_t n = 0;

	while (n < N &&
	    parameter(&param[n], part[n].openssl, jwk, part[n].jwk, NUMBER_MAX, path))
		n++;
	param[n] = OSSL_PARAM_construct_end();
	if (n == N)
		key = make("RSA", param, path);
	while (n-- > 0)
		wipe(param[n].data, param[n].data_size);
	return key;
}

/* A coordinate into the size octets at buf; false after a complaint.  Some have
 * written them without the zeros in front. */
static bool
coordinate(unsigned char *buf, size_t size, const json_t *jwk, const char *name, const char *path)
{
	size_t len;
	unsigned char *p = member(jwk, name, size, &len, path);

	if (p == NULL)
		return false;
	memset(buf, 0, size - len);
	memcpy(buf + size - len, p, len);
	free(p);
	return true;
}

static EVP_PKEY *
ec(const json_t *jwk, const char *path)
{
	static const struct {
		const char *crv;
		size_t size;
	} curve[] = {{"P-256", 32}, {"P-384", 48}, {"P-521", FIELD_MAX}};
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	unsigned char point[1 + 2 * FIELD_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM param[4];
	EVP_PKEY *key;
	size_t i = 0, size;
	char name[8];

	while (crv != NULL && i < 3 && strcmp(crv, curve[i].crv) != 0)
		i++;
	if (crv == NULL || i == 3) {
		complain("'%s': \"crv\" is not P-256, P-384 or P-521", path);
		return NULL;
	}
	size = curve[i].size;
	memcpy(name, curve[i].crv, sizeof("P-256"));
	param[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0);
	param[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size);
	param[3] = OSSL_PARAM_construct_end();
	if (!coordinate(point + 1, size, jwk, "x", path) ||
	    !coordinate(point + 1 + size, size, jwk, "y", path) ||
	    !parameter(&param[2], OSSL_PKEY_PARAM_PRIV_KEY, jwk, "d", size, path))
		return NULL;
	key = make("EC", param, path);
	wipe(param[2].data, param[2].data_size);
	return key;
}

EVP_PKEY *
jwk_private(const char *path)
{
	EVP_PKEY *key = NULL;
	json_error_t error;
	const char *kty;
	json_t *jwk;
	size_t len;
	char *buf = slurp(path, &len);

	if (buf == NULL)
		return NULL;
	json_set_alloc_funcs(malloc, json_wipe);
	jwk = len > JWK_MAX ? NULL : json_loadb(buf, len, JSON_REJECT_DUPLICATES, &error);
	kty = json_string_value(json_object_get(jwk, "kty"));
	if (len > JWK_MAX)
		complain("'%s' is larger than %d bytes", path, JWK_MAX);
	else if (jwk == NULL)
		complain("'%s': malformed JSON in line %d", path, error.line);
	else if (kty != NULL && strcmp(kty, "RSA") == 0)
		key = rsa(jwk, path);
	else if (kty != NULL && strcmp(kty, "EC") == 0)
		key = ec(jwk, path);
	else
		complain("'%s': is not a JWK whose \"kty\" is RSA or EC", path);
	json_decref(jwk);
	explicit_bzero(&error, sizeof(error));
	wipe(buf, len);
	return key;
}
