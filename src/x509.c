/* x509.c: what a certificate says, fit for people. */
#include "cert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>

/* Does this character steer the terminal, or change the direction of text?
 * Separators of lines and paragraphs too: one label is one line. */
static bool
steers(unsigned long c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0xfeff ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f);
}

char *
text_safe(const void *s, size_t len, const char *also)
{
	const unsigned char *p = s, *end = p + len;
	char *out = xmalloc(3 * len + 1), *o = out;
	unsigned long c;
	int n;

	while (p < end) {
		n = UTF8_getc(p, (int)(end - p), &c);
		if (n < 1 || steers(c) || (c < 0x80 && strchr(also, (int)c) != NULL)) {
			for (n = n < 1 ? 1 : n; n > 0; n--)
				o += snprintf(o, 4, "\\%02X", *p++);
			continue;
		}
		memcpy(o, p, (size_t)n);
		o += n;
		p += n;
	}
	*o = '\0';
	return out;
}

char *
text_dn(const X509_NAME *name)
{
	/* Not ESC_MSB, so that people can read it. */
	static const unsigned long how = (XN_FLAG_RFC2253 & ~(unsigned long)XN_FLAG_SEP_MASK &
	    ~(unsigned long)ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC;
	BIO *b = BIO_new(BIO_s_mem());
	char *buf, *text;
	long len;

	if (b == NULL)
		die(EX_TEMP, "out of memory");
	if (X509_NAME_print_ex(b, name, 0, how) == -1) {
		(void)BIO_reset(b);
		BIO_puts(b, "(malformed)");
		ERR_clear_error();
	}
	len = BIO_get_mem_data(b, &buf);
	text = text_safe(buf, len > 0 ? (size_t)len : 0, "");
	BIO_free(b);
	return text;
}

/* What stands before a name that is neither DNS name nor address. */
static const char *
san_prefix(int type)
{
	static const char *const prefix[] = {
		[GEN_OTHERNAME] = "other:",
		[GEN_EMAIL] = "email:",
		[GEN_DNS] = "",
		[GEN_X400] = "X400:",
		[GEN_DIRNAME] = "dir:",
		[GEN_EDIPARTY] = "EDI:",
		[GEN_URI] = "URI:",
		[GEN_IPADD] = "",
		[GEN_RID] = "OID:",
	};

	return type >= 0 && type <= GEN_RID ? prefix[type] : "other:";
}

char *
text_san(const GENERAL_NAME *name)
{
	char ip[INET6_ADDRSTRLEN], oid[128], *part, *text;
	const unsigned char *data;
	const ASN1_STRING *s;
	int type, len;
	void *value = GENERAL_NAME_get0_value(name, &type);

	switch (type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
	case GEN_IPADD:
		s = value;
		data = ASN1_STRING_get0_data(s);
		len = ASN1_STRING_length(s);
		if (type != GEN_IPADD)
			part = text_safe(data, (size_t)len, " ,\\");
		else if ((len == 4 || len == 16) &&
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, data, ip, sizeof(ip)) != NULL)
			part = xstrdup(ip);
		else
			part = xstrdup("(an address of no known kind)");
		break;
	case GEN_DIRNAME:
		part = text_dn(value);
		break;
	case GEN_RID:
		OBJ_obj2txt(oid, sizeof(oid), value, 1);
		part = xstrdup(oid);
		break;
	default:
		part = xstrdup("(not shown)");
	}
	text = xasprintf("%s%s", san_prefix(type), part);
	free(part);
	return text;
}

bool
x509_time(const ASN1_TIME *t, time_t *when)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return false;
	*when = timegm(&tm);
	return true;
}
