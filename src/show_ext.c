/* show_ext.c: the extensions of a certificate or request in lines for people. */
#include "cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

enum { TLS_STATUS_REQUEST = 5 };

/* The value of an extension; NULL if it is not there, or malformed, which is
 * shown. */
static void *
extension(const char *label, const STACK_OF(X509_EXTENSION) *exts, int nid)
{
	int crit;
	void *value = X509V3_get_d2i(exts, nid, &crit, NULL);

	if (value == NULL && crit != -1)
		show_line(label, "(malformed)");
	ERR_clear_error();
	return value;
}

static void
show_names(const STACK_OF(X509_EXTENSION) *exts)
{
	GENERAL_NAMES *names = extension("names", exts, NID_subject_alt_name);
	char *name;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		name = text_san(sk_GENERAL_NAME_value(names, i));
		show_item("names", i, name);
		free(name);
	}
	if (sk_GENERAL_NAME_num(names) > 0)
		putchar('\n');
	GENERAL_NAMES_free(names);
}

static void
show_ca(const STACK_OF(X509_EXTENSION) *exts)
{
	BASIC_CONSTRAINTS *bc = extension("CA", exts, NID_basic_constraints);

	if (bc == NULL && X509v3_get_ext_by_NID(exts, NID_basic_constraints, -1) != -1)
		return;
	if (bc == NULL || !bc->ca)
		show_line("CA", "no");
	else if (bc->pathlen == NULL)
		show_line("CA", "yes");
	else
		show_line("CA", "yes, path length %ld", ASN1_INTEGER_get(bc->pathlen));
	BASIC_CONSTRAINTS_free(bc);
}

/* An extension in OpenSSL's own words, if it is there. */
static void
show_words(const char *label, const STACK_OF(X509_EXTENSION) *exts, int nid)
{
	int at = X509v3_get_ext_by_NID(exts, nid, -1);
	BIO *b;
	char *buf, *text;
	long len;

	if (at == -1)
		return;
	if ((b = BIO_new(BIO_s_mem())) == NULL)
		die(EX_TEMP, "out of memory");
	if (X509V3_EXT_print(b, X509v3_get_ext(exts, at), 0, 0) != 1)
		BIO_puts(b, "(malformed)");
	len = BIO_get_mem_data(b, &buf);
	text = text_safe(buf, (size_t)len, "");
	show_line(label, "%s", text);
	free(text);
	BIO_free(b);
	ERR_clear_error();
}

static void
show_key_ids(const STACK_OF(X509_EXTENSION) *exts)
{
	ASN1_OCTET_STRING *ski = extension("key id", exts, NID_subject_key_identifier);
	AUTHORITY_KEYID *aki =
	    extension("issuer's key id", exts, NID_authority_key_identifier);

	if (ski != NULL)
		show_hex("key id", ASN1_STRING_get0_data(ski), ASN1_STRING_length(ski));
	if (aki != NULL && aki->keyid != NULL)
		show_hex("issuer's key id", ASN1_STRING_get0_data(aki->keyid),
		    ASN1_STRING_length(aki->keyid));
	else if (aki != NULL)
		show_line("issuer's key id", "(by name and serial)");
	ASN1_OCTET_STRING_free(ski);
	AUTHORITY_KEYID_free(aki);
}

static void
show_must_staple(const STACK_OF(X509_EXTENSION) *exts)
{
	TLS_FEATURE *f = extension("must-staple", exts, NID_tlsfeature);
	bool yes = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(f); i++)
		yes |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(f, i)) == TLS_STATUS_REQUEST;
	if (f != NULL)
		show_line("must-staple", yes ? "yes" : "no");
	sk_ASN1_INTEGER_pop_free(f, ASN1_INTEGER_free);
}

static void
show_access(const STACK_OF(X509_EXTENSION) *exts)
{
	AUTHORITY_INFO_ACCESS *aia = extension("issuer's URLs", exts, NID_info_access);
	const ACCESS_DESCRIPTION *d;
	char *where;
	int method;

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(aia); i++) {
		d = sk_ACCESS_DESCRIPTION_value(aia, i);
		method = OBJ_obj2nid(d->method);
		if (method != NID_ad_OCSP && method != NID_ad_ca_issuers)
			continue;
		where = text_san(d->location);
		show_line(method == NID_ad_OCSP ? "OCSP" : "CA issuers", "%s",
		    d->location->type == GEN_URI ? where + strlen("URI:") : where);
		free(where);
	}
	AUTHORITY_INFO_ACCESS_free(aia);
}

/* The short names of those that have no line of their own. */
static void
show_others(const STACK_OF(X509_EXTENSION) *exts)
{
	static const int shown[] = {NID_subject_alt_name, NID_basic_constraints, NID_key_usage,
	    NID_ext_key_usage, NID_subject_key_identifier, NID_authority_key_identifier,
	    NID_tlsfeature, NID_info_access};
	const ASN1_OBJECT *obj;
	char oid[128];
	int others = 0, nid;
	size_t k;

	for (int i = 0; i < sk_X509_EXTENSION_num(exts); i++) {
		obj = X509_EXTENSION_get_object(sk_X509_EXTENSION_value(exts, i));
		nid = OBJ_obj2nid(obj);
		for (k = 0; k < sizeof(shown) / sizeof(shown[0]) && shown[k] != nid; k++)
			;
		if (k < sizeof(shown) / sizeof(shown[0]))
			continue;
		OBJ_obj2txt(oid, sizeof(oid), obj, 1);
		show_item("others", others++, nid != NID_undef ? OBJ_nid2sn(nid) : oid);
	}
	if (others > 0)
		putchar('\n');
}

void
show_exts(const STACK_OF(X509_EXTENSION) *exts, bool verbose)
{
	show_names(exts);
	show_ca(exts);
	if (!verbose)
		return;
	show_words("key usage", exts, NID_key_usage);
	show_words("extended usage", exts, NID_ext_key_usage);
	show_key_ids(exts);
	show_must_staple(exts);
	show_access(exts);
	show_others(exts);
}
