/* show.c: a certificate or request in lines for people. */
#include "cert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum { LABEL_WIDTH = 16 };

void
show_line(const char *label, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("  %s:%*s", label, LABEL_WIDTH - (int)strlen(label), "");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

void
show_item(const char *label, int i, const char *item)
{
	if (i == 0)
		printf("  %s:%*s%s", label, LABEL_WIDTH - (int)strlen(label), "", item);
	else
		printf(", %s", item);
}

void
show_hex(const char *label, const unsigned char *p, int len)
{
	char *hex = xmalloc(2 * (size_t)len + 1);

	for (int i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	hex[2 * len] = '\0';
	show_line(label, "%s", len > 0 ? hex : "(empty)");
	free(hex);
}

static void
show_sha256(const char *label, const unsigned char *der, int len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n;

	if (len <= 0 || !EVP_Digest(der, (size_t)len, md, &n, EVP_sha256(), NULL))
		show_line(label, "unknown");
	else
		show_hex(label, md, (int)n);
}

void
show_time(const char *label, const ASN1_TIME *t)
{
	char buf[STAMP_SIZE];
	time_t when;

	if (!x509_time(t, &when)) {
		show_line(label, "(malformed)");
		return;
	}
	day_hour(buf, when);
	show_line(label, "%s UTC", buf);
}

void
show_key(const EVP_PKEY *key, unsigned char *spki, int len, bool verbose)
{
	char *kind = key != NULL ? key_kind(key) : xstrdup("unknown");

	show_line("key", "%s", kind);
	if (verbose)
		show_sha256("key SHA-256", spki, len);
	free(kind);
	OPENSSL_free(spki);
}

void
show_sigalg(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *obj;
	char name[128];

	X509_ALGOR_get0(&obj, NULL, NULL, alg);
	OBJ_obj2txt(name, sizeof(name), obj, 0);
	show_line("signature", "%s", name);
}

static void
show_dn(const char *label, const X509_NAME *name)
{
	char *text = text_dn(name);

	show_line(label, "%s", *text != '\0' ? text : "(empty)");
	free(text);
}

/* From notBefore to notAfter, and what is left of it. */
static void
show_life(const X509 *x, time_t now)
{
	char all[SPAN_SIZE], rest[SPAN_SIZE];
	const ASN1_TIME *first = X509_get0_notBefore(x), *last = X509_get0_notAfter(x);
	time_t from, to;

	show_time("not before", first);
	show_time("not after", last);
	if (!x509_time(first, &from) || !x509_time(last, &to))
		return;
	span(all, (int64_t)to - from);
	show_line("lifetime", "%s", all);
	span(rest, now < from ? (int64_t)from - now : now > to ? (int64_t)now - to :
	    (int64_t)to - now);
	show_line("time left", now < from ? "not yet valid, begins in %s" :
	    now > to ? "none, expired %s ago" : "%s", rest);
}

static void
show_serial(const ASN1_INTEGER *serial)
{
	BIGNUM *bn = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = bn != NULL ? BN_bn2hex(bn) : NULL;

	show_line("serial", "%s", hex != NULL ? hex : "(malformed)");
	OPENSSL_free(hex);
	BN_free(bn);
}

void
show_cert(X509 *x, bool verbose, time_t now)
{
	unsigned char *spki = NULL, *der = NULL;
	const X509_ALGOR *alg;
	int len;

	show_dn("subject", X509_get_subject_name(x));
	show_dn("issuer", X509_get_issuer_name(x));
	show_serial(X509_get0_serialNumber(x));
	show_life(x, now);
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	show_key(X509_get0_pubkey(x), spki, len, verbose);
	X509_get0_signature(NULL, &alg, x);
	show_sigalg(alg);
	show_exts(X509_get0_extensions(x), verbose);
	if (!verbose)
		return;
	len = i2d_X509(x, &der);
	show_sha256("SHA-256", der, len);
	OPENSSL_free(der);
}

void
show_csr(X509_REQ *csr)
{
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(csr);
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
	unsigned char *spki = NULL;
	const X509_ALGOR *alg;
	int len;

	show_dn("subject", X509_REQ_get_subject_name(csr));
	len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(csr), &spki);
	show_key(key, spki, len, true);
	X509_REQ_get0_signature(csr, NULL, &alg);
	show_sigalg(alg);
	if (key == NULL || X509_REQ_verify(csr, key) != 1)
		show_line("signed", "NOT by this key");
	show_exts(exts, true);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	ERR_clear_error();
}
