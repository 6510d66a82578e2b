/* sslm-csr: a certificate request, from a private key and names. */
#include "cert.h"

#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static const char usage[] =
    "usage: sslm-csr [-am] [-d digest] [-f request] [-n name] ...\n"
    "                [-s attribute=value] ... -k privkey.pem -o csr.pem\n"
    "       sslm-csr -h | -V\n";

static void
say(struct request *r, int flag, const char *word, const char *value)
{
	const char *why = request_say(r, word, value);

	if (why != NULL)
		die(EX_USE, "-%c '%s': %s", flag, value, why);
}

static GENERAL_NAME *
general_name(const char *name)
{
	unsigned char addr[16];
	int len = (int)name_ip(name, addr);
	ASN1_STRING *s = len > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	GENERAL_NAME *g = GENERAL_NAME_new();

	if (g == NULL || s == NULL ||
	    !(len > 0 ? ASN1_STRING_set(s, addr, len) : ASN1_STRING_set(s, name, -1)))
		pem_die("cannot encode the name '%s'", name);
	GENERAL_NAME_set0_value(g, len > 0 ? GEN_IPADD : GEN_DNS, s);
	return g;
}

/* The names, critical where there is no subject (RFC 5280, 4.2.1.6), and the
 * must-staple extension.  Nothing else is for the applicant to decide. */
static void
add_extensions(X509_REQ *csr, const struct request *r)
{
	bool critical = X509_NAME_entry_count(X509_REQ_get_subject_name(csr)) == 0;
	STACK_OF(X509_EXTENSION) *exts = NULL;
	GENERAL_NAMES *san = GENERAL_NAMES_new();
	X509_EXTENSION *feature;

	for (size_t i = 0; i < r->names; i++)
		if (!sk_GENERAL_NAME_push(san, general_name(r->name[i])))
			pem_die("cannot encode the name '%s'", r->name[i]);
	if (r->names > 0 && X509V3_add1_i2d(&exts, NID_subject_alt_name, san, critical,
	    X509V3_ADD_DEFAULT) != 1)
		pem_die("cannot encode the names");
	if (r->staple) {
		feature = X509V3_EXT_nconf_nid(NULL, NULL, NID_tlsfeature, "status_request");
		if (feature == NULL || X509v3_add_ext(&exts, feature, -1) == NULL)
			pem_die("cannot encode must-staple");
		X509_EXTENSION_free(feature);
	}
	if (exts != NULL && !X509_REQ_add_extensions(csr, exts))
		pem_die("cannot encode the extensions");
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	GENERAL_NAMES_free(san);
}

static X509_REQ *
make_csr(const struct request *r, EVP_PKEY *key)
{
	const EVP_MD *md = r->digest != NULL ? r->digest : key_digest("sha384");
	X509_NAME *subject = request_subject(r);
	X509_REQ *csr = X509_REQ_new();

	if (subject == NULL)
		finish(EX_PERM);
	if (csr == NULL || !X509_REQ_set_version(csr, X509_REQ_VERSION_1) ||
	    !X509_REQ_set_subject_name(csr, subject) || !X509_REQ_set_pubkey(csr, key))
		pem_die("cannot make a request");
	add_extensions(csr, r);
	if (!X509_REQ_sign(csr, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : md))
		pem_die("cannot sign the request");
	X509_NAME_free(subject);
	return csr;
}

int
main(int argc, char *argv[])
{
	const char *keyfile = NULL, *out = NULL, *file = NULL;
	struct request r = {0};
	EVP_PKEY *key;
	X509_REQ *csr;
	BIO *mem;
	char *pem;
	long len;
	int c, status = EX_YES;

	start();
	while ((c = getopt(argc, argv, "ad:f:hk:mn:o:s:V")) != -1)
		switch (c) {
		case 'a': say(&r, c, "ca", ""); break;
		case 'd': say(&r, c, "digest", optarg); break;
		case 'f': file = optarg; break;
		case 'k': keyfile = optarg; break;
		case 'm': say(&r, c, "must-staple", ""); break;
		case 'n': say(&r, c, "name", optarg); break;
		case 'o': out = optarg; break;
		case 's': say(&r, c, "subject", optarg); break;
		default: opt_other(c, usage);
		}
	if (optind != argc || keyfile == NULL || out == NULL)
		opt_other('?', usage);
	if (file != NULL)
		status = request_file(&r, file);
	if (status != EX_YES || (status = request_settle(&r)) != EX_YES)
		finish(status);

	if ((key = pem_key(keyfile)) == NULL)
		finish(EX_PERM);
	csr = make_csr(&r, key);
	EVP_PKEY_free(key);
	if ((mem = BIO_new(BIO_s_mem())) == NULL || !PEM_write_bio_X509_REQ(mem, csr))
		pem_die("cannot encode the request");
	len = BIO_get_mem_data(mem, &pem);
	if (out_file(out, 0644, pem, (size_t)len) == -1)
		finish(EX_TEMP);
	X509_REQ_free(csr);
	BIO_free(mem);
	return EX_YES;
}
