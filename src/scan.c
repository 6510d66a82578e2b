/* scan.c: the few facts of a certificate, without parsing all of it.
 *
 * A scan over a site looks at thousands of certificates and wants five things
 * of each; d2i_X509 decodes everything and takes ten times as long.  OpenSSL
 * still reads every tag and length here (ASN1_get_object checks them against
 * what is left), and whoever believes a certificate uses set_check instead. */
#include "site.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

/* What is left of a run of DER. */
struct der {
	const unsigned char *p, *end;
};

enum { ANY = -1, CONTEXT = 0x100 };

/*
 * Step over the next element: its content in *in.  tag is a universal tag, a
 * context-specific one plus CONTEXT, or ANY.  False, and nothing stepped over,
 * if the next element is another or broken.
 */
static bool
next(struct der *d, int tag, struct der *in)
{
	const unsigned char *p = d->p;
	long len;
	int got, class;

	if (d->p >= d->end ||
	    (ASN1_get_object(&p, &len, &got, &class, d->end - d->p) & 0x81) != 0)
		return false;
	if (tag != ANY && tag != (class == V_ASN1_CONTEXT_SPECIFIC ? got + CONTEXT : got))
		return false;
	in->p = p;
	in->end = d->p = p + len;
	return true;
}

static bool
digits(const unsigned char *p, size_t n, int *value)
{
	for (*value = 0; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return false;
		*value = 10 * *value + (*p - '0');
	}
	return true;
}

/* UTCTime or GeneralizedTime as RFC 5280 (4.1.2.5) allows them: to the second,
 * in UTC. */
static bool
next_time(struct der *d, time_t *t)
{
	struct der in;
	struct tm tm = {0};
	bool utc = next(d, V_ASN1_UTCTIME, &in);
	size_t year = utc ? 2 : 4;

	if (!utc && !next(d, V_ASN1_GENERALIZEDTIME, &in))
		return false;
	if ((size_t)(in.end - in.p) != year + 11 || in.p[year + 10] != 'Z' ||
	    !digits(in.p, year, &tm.tm_year) || !digits(in.p + year, 2, &tm.tm_mon) ||
	    !digits(in.p + year + 2, 2, &tm.tm_mday) || !digits(in.p + year + 4, 2, &tm.tm_hour) ||
	    !digits(in.p + year + 6, 2, &tm.tm_min) || !digits(in.p + year + 8, 2, &tm.tm_sec))
		return false;
	if (utc)
		tm.tm_year += tm.tm_year < 50 ? 100 : 0;
	else
		tm.tm_year -= 1900;
	tm.tm_mon--;
	*t = timegm(&tm);
	return true;
}

static int
next_nid(struct der *d)
{
	struct der in, at = *d;
	ASN1_OBJECT *o;
	int nid;

	if (!next(&at, V_ASN1_OBJECT, &in))
		return NID_undef;
	o = d2i_ASN1_OBJECT(NULL, &d->p, at.p - d->p);
	nid = o != NULL ? OBJ_obj2nid(o) : NID_undef;
	ASN1_OBJECT_free(o);
	return nid;
}

/* CN, else O, of a Name; text that is not printable shows as '?'. */
static void
take_name(struct der name, char *buf, size_t size)
{
	struct der set, attr, text;
	bool found = false;
	int nid;

	buf[0] = '\0';
	while (next(&name, V_ASN1_SET, &set))
		while (next(&set, V_ASN1_SEQUENCE, &attr)) {
			nid = next_nid(&attr);
			if ((nid != NID_commonName && (found || nid != NID_organizationName)) ||
			    !next(&attr, ANY, &text))
				continue;
			snprintf(buf, size, "%.*s", (int)(text.end - text.p), (const char *)text.p);
			found = nid == NID_commonName;
		}
	for (char *c = buf; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == '\177')
			*c = '?';
}

/* SubjectPublicKeyInfo: the same words as key_kind(). */
static void
take_kind(struct der spki, char *buf, size_t size)
{
	struct der alg, bits, key, n;
	size_t len;
	int nid, top = 0;

	snprintf(buf, size, "?");
	if (!next(&spki, V_ASN1_SEQUENCE, &alg))
		return;
	switch (nid = next_nid(&alg)) {
	case NID_X9_62_id_ecPublicKey:
		nid = next_nid(&alg);
		snprintf(buf, size, "EC:%s", nid == NID_undef ? "?" : OBJ_nid2sn(nid));
		return;
	case NID_rsaEncryption:
	case NID_rsassaPss:
		if (!next(&spki, V_ASN1_BIT_STRING, &bits) || bits.p++ == bits.end ||
		    !next(&bits, V_ASN1_SEQUENCE, &key) || !next(&key, V_ASN1_INTEGER, &n))
			return;
		while (n.p < n.end && *n.p == 0)
			n.p++;
		if ((len = (size_t)(n.end - n.p)) == 0)
			return;
		while (*n.p >> top != 0)
			top++;
		snprintf(buf, size, "RSA:%zu", 8 * (len - 1) + (size_t)top);
		return;
	default:
		snprintf(buf, size, "%s", nid == NID_undef ? "?" : OBJ_nid2sn(nid));
	}
}

static void
add_name(struct cert *c, char *name)
{
	if ((c->nnames & (c->nnames - 1)) == 0)
		c->names = xreallocarray(c->names, c->nnames == 0 ? 1 : 2 * c->nnames,
		    sizeof(*c->names));
	c->names[c->nnames++] = name;
}

/* In lower case; what is not printable ASCII, and in no name, shows as '?'. */
static char *
dns_name(struct der in)
{
	size_t n = (size_t)(in.end - in.p);
	char *name = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		name[i] = (char)(in.p[i] <= ' ' || in.p[i] >= 0x7f ? '?' : tolower(in.p[i]));
	name[n] = '\0';
	return name;
}

/* GeneralNames: the DNS names and IP addresses of RFC 5280, 4.2.1.6. */
static void
take_names(struct der names, struct cert *c)
{
	char text[INET6_ADDRSTRLEN];
	struct der in, list;
	size_t n;

	if (!next(&names, V_ASN1_SEQUENCE, &list))
		return;
	while (list.p < list.end) {
		if (next(&list, CONTEXT + 2, &in)) {
			add_name(c, dns_name(in));
		} else if (next(&list, CONTEXT + 7, &in)) {
			n = (size_t)(in.end - in.p);
			if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6, in.p,
			    text, sizeof(text)) != NULL)
				add_name(c, xstrdup(text));
		} else if (!next(&list, ANY, &in)) {
			return;
		}
	}
}

/* The same number for the same octets (FNV-1a, its bits well mixed). */
static uint64_t
mix(struct der d)
{
	uint64_t h = 14695981039346656037u;

	for (; d.p < d.end; d.p++)
		h = (h ^ *d.p) * 1099511628211u;
	return h ^ h >> 32;
}

/* A number in [0, 1) that is as random as the signature it is made of, and the
 * same whenever it is asked for. */
static double
draw(struct der signature)
{
	return (double)(mix(signature) >> 11) / 9007199254740992.0;	/* 2^53 */
}

static void
take_serial(struct der in, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	while (in.end - in.p > 1 && *in.p == 0)
		in.p++;
	for (; in.p < in.end && at + 2 < size; in.p++, at += 2)
		snprintf(buf + at, 3, "%02x", *in.p);
}

static bool
take_cert(struct der all, struct cert *c)
{
	struct der cert, tbs, in, list, ext, value, sig;

	if (!next(&all, V_ASN1_SEQUENCE, &cert) || !next(&cert, V_ASN1_SEQUENCE, &tbs))
		return false;
	next(&tbs, CONTEXT + 0, &in);				/* version */
	if (!next(&tbs, V_ASN1_INTEGER, &in))			/* serialNumber */
		return false;
	take_serial(in, c->serial, sizeof(c->serial));
	if (!next(&tbs, V_ASN1_SEQUENCE, &in) ||		/* signature */
	    !next(&tbs, V_ASN1_SEQUENCE, &in))			/* issuer */
		return false;
	take_name(in, c->issuer, sizeof(c->issuer));
	c->issuer_id = mix(in);
	if (!next(&tbs, V_ASN1_SEQUENCE, &in) ||		/* validity */
	    !next_time(&in, &c->from) || !next_time(&in, &c->until) ||
	    !next(&tbs, V_ASN1_SEQUENCE, &in))			/* subject */
		return false;
	c->subject_id = mix(in);
	if (!next(&tbs, V_ASN1_SEQUENCE, &in))			/* subjectPublicKeyInfo */
		return false;
	take_kind(in, c->kind, sizeof(c->kind));
	while (next(&tbs, CONTEXT + 1, &in) || next(&tbs, CONTEXT + 2, &in))
		;						/* unique identifiers */
	if (next(&tbs, CONTEXT + 3, &in) && next(&in, V_ASN1_SEQUENCE, &list))
		while (next(&list, V_ASN1_SEQUENCE, &ext)) {
			if (next_nid(&ext) != NID_subject_alt_name)
				continue;
			next(&ext, V_ASN1_BOOLEAN, &value);	/* critical */
			if (next(&ext, V_ASN1_OCTET_STRING, &value))
				take_names(value, c);
		}
	if (!next(&cert, V_ASN1_SEQUENCE, &in) || !next(&cert, V_ASN1_BIT_STRING, &sig))
		return false;
	c->draw = draw(sig);
	return true;
}

/* The DER of the first certificate in PEM text, over the text itself. */
static bool
decode(char *pem, struct der *d)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE";
	EVP_ENCODE_CTX *ctx;
	char *p = strstr(pem, begin), *q;
	int n, m;
	bool ok;

	if (p == NULL || (q = strstr(p, end)) == NULL || (ctx = EVP_ENCODE_CTX_new()) == NULL)
		return false;
	p += sizeof(begin) - 1;
	EVP_DecodeInit(ctx);
	/* Decoded text is shorter, and never ahead of what it is made from. */
	ok = EVP_DecodeUpdate(ctx, (unsigned char *)pem, &n, (unsigned char *)p,
	    (int)(q - p)) != -1 && EVP_DecodeFinal(ctx, (unsigned char *)pem + n, &m) == 1;
	EVP_ENCODE_CTX_free(ctx);
	d->p = (unsigned char *)pem;
	d->end = d->p + (ok ? n + m : 0);
	return ok;
}

bool
cert_load(struct cert *c, const char *path, const char **why)
{
	struct der d;
	char *pem;
	bool ok;

	memset(c, 0, sizeof(*c));
	if ((pem = slurp_try(path, NULL)) == NULL) {
		*why = errno != 0 ? strerror(errno) : "cannot be read";
		return false;
	}
	ok = decode(pem, &d) && take_cert(d, c);
	free(pem);
	if (!ok) {
		cert_free(c);
		*why = "malformed certificate";
	}
	return ok;
}

void
cert_free(struct cert *c)
{
	for (size_t i = 0; i < c->nnames; i++)
		free(c->names[i]);
	free(c->names);
	c->names = NULL;
	c->nnames = 0;
}
