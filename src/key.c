/* key.c: kinds of keys. */
#include "cert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

char *
key_kind(const EVP_PKEY *key)
{
	char group[64];
	int explicit = 0;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return xasprintf("RSA:%d", EVP_PKEY_get_bits(key));
	case EVP_PKEY_EC:
		/* OpenSSL names a curve that it knows, however it was spelled out. */
		EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
		    &explicit);
		if (explicit || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL))
			return xstrdup("EC:?");
		return xasprintf("EC:%s", group);
	case EVP_PKEY_ED25519:
		return xstrdup("ED25519");
	default:
		return xstrdup(OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	}
}

const char *
curve_name(const char *name)
{
	static const struct {
		const char *secg, *openssl;
	} alias[] = {{"secp384r1", "secp384r1"}, {"secp256r1", "prime256v1"},
	    {"secp192r1", "prime192v1"}};
	EC_builtin_curve curve[200];
	/* Keys on these make no signatures that a request can have. */
	static const int without[] = {NID_sm2, NID_ipsec3, NID_ipsec4};
	const char *nist, *sn;
	size_t n = EC_get_builtin_curves(curve, sizeof(curve) / sizeof(curve[0]));

	for (size_t i = 0; i < sizeof(alias) / sizeof(alias[0]); i++)
		if (strcasecmp(name, alias[i].secg) == 0)
			return alias[i].openssl;
	for (size_t i = 0; i < n; i++) {
		if (curve[i].nid == without[0] || curve[i].nid == without[1] ||
		    curve[i].nid == without[2])
			continue;
		sn = OBJ_nid2sn(curve[i].nid);
		nist = EC_curve_nid2nist(curve[i].nid);
		if (strcasecmp(name, sn) == 0 || (nist != NULL && strcasecmp(name, nist) == 0))
			return sn;
	}
	return NULL;
}

bool
key_strong_curve(const char *curve)
{
	EC_GROUP *group;
	bool strong;

	if (strcmp(curve, "secp384r1") == 0)
		return true;
	group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve));
	strong = group != NULL && EC_GROUP_order_bits(group) >= 224;
	EC_GROUP_free(group);
	return strong;
}

const EVP_MD *
key_digest(const char *name)
{
	static const char *const known[] = {"sha256", "sha384", "sha512"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(name, known[i]) == 0)
			return EVP_get_digestbyname(known[i]);
	return NULL;
}

bool
key_fits(EVP_PKEY *private, EVP_PKEY *public)
{
	static const unsigned char text[] = "sslm";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *sig = NULL;
	bool ok = false;
	size_t len;

	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, private) != 1 ||
	    EVP_DigestSign(ctx, NULL, &len, text, sizeof(text)) != 1)
		goto out;
	sig = xmalloc(len);
	if (EVP_DigestSign(ctx, sig, &len, text, sizeof(text)) != 1 || !EVP_MD_CTX_reset(ctx))
		goto out;
	ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, public) == 1 &&
	    EVP_DigestVerify(ctx, sig, len, text, sizeof(text)) == 1;
out:
	free(sig);
	EVP_MD_CTX_free(ctx);
	return ok;
}
