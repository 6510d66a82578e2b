/* ext.c: the extensions of a certificate that we sign. */
#include "cert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum { STATUS_REQUEST = 5 };	/* RFC 6066, 1.1 */

const char *const ext_usage[EXT_USAGES] = {"serverAuth", "clientAuth", "emailProtection",
    "codeSigning", "timeStamping", "OCSPSigning"};

/* The key of so many, the first ones, enciphers other keys (RFC 5280, 4.2.1.12). */
enum { ENCIPHER = 3 };

/* NULL, or what is wrong with a list of usages; does one of them encipher? */
static const char *
read_usage(const char *list, bool *enciphers)
{
	bool seen[EXT_USAGES] = {false};
	const char *at = list;
	size_t len, i;

	for (*enciphers = false;; at += len + 1) {
		len = strcspn(at, ",");
		for (i = 0; i < EXT_USAGES; i++)
			if (strlen(ext_usage[i]) == len && memcmp(ext_usage[i], at, len) == 0)
				break;
		if (i == EXT_USAGES)
			return xasprintf("no such usage '%.*s'", (int)len, at);
		if (seen[i])
			return xasprintf("%s is given twice", ext_usage[i]);
		seen[i] = true;
		*enciphers = *enciphers || i < ENCIPHER;
		if (at[len] == '\0')
			return NULL;
	}
}

const char *
ext_usage_fault(const char *list)
{
	bool enciphers;

	return read_usage(list, &enciphers);
}

/* Add an extension in OpenSSL's words.  They are always ours: nothing that
 * comes from a request is ever part of value. */
static bool
add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx = {0};
	X509_EXTENSION *ext;
	bool good;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	good = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	if (!good)
		pem_complain("cannot make the extension '%s'", OBJ_nid2ln(nid));
	X509_EXTENSION_free(ext);
	return good;
}

/* The key identifiers, which let a client build the chain (4.2.1.1 and .2). */
static bool
add_ids(X509 *x, X509 *issuer)
{
	return add(x, issuer, NID_subject_key_identifier, "hash") &&
	    add(x, issuer, NID_authority_key_identifier, "keyid:always");
}

int
ext_ca(X509 *x, X509 *issuer, long pathlen)
{
	char *basic = xasprintf("critical,CA:TRUE,pathlen:%ld", pathlen);
	bool good = add(x, issuer, NID_basic_constraints, basic) &&
	    add(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_ids(x, issuer);

	free(basic);
	return good ? 0 : -1;
}

/* Is it a DNS name as we write them, or an address? */
static bool
name_good(const GENERAL_NAME *g)
{
	const ASN1_STRING *s;
	const char *why;
	unsigned char addr[16];
	char *text, *name;
	bool good;
	int type, len;

	s = GENERAL_NAME_get0_value(g, &type);
	len = type == GEN_DNS || type == GEN_IPADD ? ASN1_STRING_length(s) : 0;
	if (type == GEN_IPADD)
		return len == 4 || len == 16;
	if (type != GEN_DNS)
		return false;
	text = xasprintf("%.*s", len, (const char *)ASN1_STRING_get0_data(s));
	name = strlen(text) == (size_t)len ? name_canon(text, &why) : NULL;
	good = name != NULL && strcasecmp(name, text) == 0 && name_ip(name, addr) == 0;
	free(name);
	free(text);
	return good;
}

/* Copy the names, critical where there is no subject (4.2.1.6). */
static bool
add_names(X509 *x, const GENERAL_NAMES *san, const char *path)
{
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;
	int n = san == NULL ? 0 : sk_GENERAL_NAME_num(san);

	if (critical && n == 0) {
		complain("the request in '%s' has neither a subject nor a name", path);
		return false;
	}
	for (int i = 0; i < n; i++)
		if (!name_good(sk_GENERAL_NAME_value(san, i))) {
			complain("name %d in '%s' is neither a DNS name nor an address", i + 1,
			    path);
			return false;
		}
	if (n == 0 || X509_add1_ext_i2d(x, NID_subject_alt_name, (void *)san, critical,
	    X509V3_ADD_DEFAULT) == 1)
		return true;
	pem_complain("cannot encode the names");
	return false;
}

/* Find an extension of the request, if it is there; false after a complaint if
 * it is malformed or repeated. */
static bool
find(const STACK_OF(X509_EXTENSION) *exts, int nid, void **ext, const char *path)
{
	int found;

	*ext = X509V3_get_d2i(exts, nid, &found, NULL);
	if (*ext != NULL || found == -1)
		return true;
	pem_complain("malformed or repeated '%s' in '%s'", OBJ_nid2ln(nid), path);
	return false;
}

int
ext_leaf(X509 *x, X509 *issuer, X509_REQ *csr, const char *usage, const char *path)
{
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(csr);
	void *san = NULL, *feature = NULL;
	char *extended;
	const char *key_usage;
	bool enciphers, good = false;

	if (exts == NULL && X509_REQ_get_attr_by_NID(csr, NID_ext_req, -1) != -1) {
		pem_complain("malformed extensions in '%s'", path);
		return -1;
	}
	read_usage(usage, &enciphers);
	key_usage = enciphers && EVP_PKEY_is_a(X509_get0_pubkey(x), "RSA") ?
	    "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";
	/* RFC 3161, 2.3: alone, and critical. */
	extended = xasprintf("%s%s",
	    strcmp(usage, "timeStamping") == 0 ? "critical," : "", usage);

	if (!find(exts, NID_subject_alt_name, &san, path) ||
	    !find(exts, NID_tlsfeature, &feature, path) ||
	    !add(x, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add(x, issuer, NID_key_usage, key_usage) ||
	    !add(x, issuer, NID_ext_key_usage, extended) || !add_ids(x, issuer) ||
	    !add_names(x, san, path))
		goto out;
	good = feature == NULL || sk_ASN1_INTEGER_num(feature) != 1 ||
	    ASN1_INTEGER_get(sk_ASN1_INTEGER_value(feature, 0)) != STATUS_REQUEST ||
	    add(x, issuer, NID_tlsfeature, "status_request");
out:
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	GENERAL_NAMES_free(san);
	TLS_FEATURE_free(feature);
	free(extended);
	return good ? 0 : -1;
}
