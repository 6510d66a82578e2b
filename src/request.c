/* request.c: what a certificate is asked for, from flags or a file. */
#include "cert.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

enum { CN, C };

/* In the order of the subject, with the upper bounds of RFC 5280, A.1. */
static const struct {
	const char *name;
	int nid, type;
	long max;	/* characters */
} attr[SUBJECT_N] = {
	[CN] = {"CN", NID_commonName, V_ASN1_UTF8STRING, 64},
	[C] = {"C", NID_countryName, V_ASN1_PRINTABLESTRING, 2},
	{"ST", NID_stateOrProvinceName, V_ASN1_UTF8STRING, 128},
	{"L", NID_localityName, V_ASN1_UTF8STRING, 128},
	{"O", NID_organizationName, V_ASN1_UTF8STRING, 64},
	{"OU", NID_organizationalUnitName, V_ASN1_UTF8STRING, 64},
	{"emailAddress", NID_pkcs9_emailAddress, V_ASN1_IA5STRING, 255},
};

/* NULL, or what is wrong with a value. */
static const char *
attr_fault(int i, const char *value)
{
	const unsigned char *p = (const unsigned char *)value;
	const char *why;

	if (*value == '\0')
		return NULL;
	for (; *p != '\0'; p++)
		if (iscntrl(*p) || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return "control character";
	if (i == C && !(isalpha((unsigned char)value[0]) && isalpha((unsigned char)value[1]) &&
	    value[2] == '\0'))
		return "a country is two letters";
	if (ASN1_mbstring_ncopy(NULL, (const unsigned char *)value, -1, MBSTRING_UTF8,
	    ASN1_tag2bit(attr[i].type), 1, attr[i].max) > 0)
		return NULL;
	why = ERR_reason_error_string(ERR_peek_last_error());
	if (ERR_GET_REASON(ERR_peek_last_error()) == ASN1_R_STRING_TOO_LONG)
		why = xasprintf("longer than %ld characters", attr[i].max);
	ERR_clear_error();
	return why;
}

static const char *
set_attr(struct request *r, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals == NULL ? 0 : (size_t)(equals - text);

	if (equals == NULL)
		return "not attribute=value";
	for (int i = 0; i < SUBJECT_N; i++) {
		if (strlen(attr[i].name) != len || strncasecmp(attr[i].name, text, len) != 0)
			continue;
		if (r->subject[i] != NULL)
			return "given twice";
		r->subject[i] = equals + 1;
		return attr_fault(i, equals + 1);
	}
	return "not CN, C, ST, L, O, OU or emailAddress";
}

/* Take over a canonical name, unless it is there already. */
static void
add_name(struct request *r, char *name, bool first)
{
	for (size_t i = 0; i < r->names; i++)
		if (strcmp(r->name[i], name) == 0) {
			free(name);
			return;
		}
	r->name = xreallocarray(r->name, r->names + 1, sizeof(*r->name));
	if (first)
		memmove(r->name + 1, r->name, r->names * sizeof(*r->name));
	r->name[first ? 0 : r->names] = name;
	r->names++;
}

const char *
request_say(struct request *r, const char *word, const char *value)
{
	const char *why = NULL;
	char *name;

	if (strcmp(word, "subject") == 0)
		return set_attr(r, value);
	if (strcmp(word, "name") == 0) {
		if ((name = name_canon(value, &why)) != NULL)
			add_name(r, name, false);
		return name != NULL ? NULL : why;
	}
	if (strcmp(word, "digest") == 0) {
		r->digest = key_digest(value);
		return r->digest != NULL ? NULL : "not sha256, sha384 or sha512";
	}
	if (strcmp(word, "ca") == 0)
		r->ca = true;
	else if (strcmp(word, "must-staple") == 0)
		r->staple = true;
	else
		return "unknown word";
	return *value == '\0' ? NULL : "takes no value";
}

/* Add what was said last to what prevails. */
static void
merge(struct request *r, struct request *last)
{
	for (int i = 0; i < SUBJECT_N; i++)
		if (r->subject[i] == NULL)
			r->subject[i] = last->subject[i];
	for (size_t i = 0; i < last->names; i++)
		add_name(r, last->name[i], false);
	free(last->name);
	if (r->digest == NULL)
		r->digest = last->digest;
	r->ca |= last->ca;
	r->staple |= last->staple;
}

int
request_file(struct request *r, const char *path)
{
	struct request said = {0};
	size_t len, line = 1;
	char *buf = slurp(path, &len), *at = buf, *end, *value;
	const char *why;

	if (buf == NULL)
		return EX_PERM;
	for (; at < buf + len; at = end + 1, line++) {
		if ((end = memchr(at, '\n', (size_t)(buf + len - at))) == NULL)
			end = buf + len;
		*end = '\0';
		if (*at == '#' || at == end)
			continue;
		value = at + strcspn(at, " ");
		if (*value == ' ')
			*value++ = '\0';
		why = value + strlen(value) != end ? "NUL character" :
		    request_say(&said, at, value);
		if (why != NULL) {
			complain("%s:%zu: %s '%s': %s", path, line, at, value, why);
			return EX_USE;
		}
	}
	merge(r, &said);	/* buf stays: the values are in it */
	return EX_YES;
}

int
request_settle(struct request *r)
{
	const char *cn = r->subject[CN], *why = NULL;
	bool empty = true;
	char *name;

	for (int i = 0; i < SUBJECT_N; i++)
		empty = empty && (r->subject[i] == NULL || *r->subject[i] == '\0');
	if (r->ca) {
		if (empty) {
			complain("a CA needs a subject");
			return EX_USE;
		}
		if (r->names > 0 || r->staple)
			complain("warning: a CA has no names and no must-staple; left out");
		r->names = 0;
		r->staple = false;
		return EX_YES;
	}
	if (cn != NULL && *cn != '\0' && (name = name_canon(cn, &why)) != NULL) {
		if ((why = attr_fault(CN, name)) != NULL) {
			complain("CN '%s': %s", name, why);
			return EX_USE;
		}
		r->subject[CN] = xstrdup(name);
		add_name(r, name, true);
	}
	if (r->names > 0)
		return EX_YES;
	complain("no name for the certificate: neither -n nor a CN that is one");
	return EX_USE;
}

X509_NAME *
request_subject(const struct request *r)
{
	X509_NAME *subject = X509_NAME_new();
	bool good = subject != NULL;
	const char *value;

	for (int i = 0; good && i < SUBJECT_N; i++) {
		if ((value = r->subject[i]) == NULL || *value == '\0')
			continue;
		good = X509_NAME_add_entry_by_NID(subject, attr[i].nid, attr[i].type,
		    (const unsigned char *)value, -1, -1, 0) == 1;
	}
	if (good)
		return subject;
	pem_complain("cannot encode the subject");
	X509_NAME_free(subject);
	return NULL;
}
