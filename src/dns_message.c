/* dns_message.c: a question as octets, and what is an answer to it. */
#include "dns_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

enum {
	HEADER = 12,
	TYPE_CLASS = 4,
	OPT = 11,		/* octets of an EDNS record without options */
	UDP_SIZE = 1232,	/* what passes everywhere (DNS flag day 2020) */
	FLAG_RD = 0x01,		/* of the third octet */
	FLAG_TC = 0x02,
	FLAG_AD = 0x20,		/* of the fourth one (RFC 6840, 5.7) */
	FLAG_CD = 0x10,
	EDNS_DO = 0x8000,	/* of the flags of the OPT record */
	QR_OPCODE = 0xf8,
	QR = 0x80
};

static void
put16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

size_t
dns_compose(uint8_t out[DNS_ASK_MAX], const struct dns_query *q)
{
	uint8_t id[2], *p = out;
	ldns_rdf *name;
	size_t n;

	if (ldns_str2rdf_dname(&name, q->name) != LDNS_STATUS_OK)
		return 0;
	n = ldns_rdf_size(name);
	if (n > LDNS_MAX_DOMAINLEN || RAND_bytes(id, sizeof(id)) != 1) {
		ldns_rdf_deep_free(name);
		return 0;
	}
	memset(out, 0, DNS_ASK_MAX);
	memcpy(p, id, sizeof(id));
	p[2] = q->recurse ? FLAG_RD : 0;
	p[3] = q->secure ? FLAG_AD : q->dnssec && q->recurse ? FLAG_CD : 0;
	put16(p + 4, 1);	/* a question, */
	put16(p + 10, 1);	/* and an additional record */
	memcpy(p + HEADER, ldns_rdf_data(name), n);
	ldns_rdf_deep_free(name);
	p += HEADER + n;
	put16(p, (unsigned)q->type);
	put16(p + 2, LDNS_RR_CLASS_IN);
	p += TYPE_CLASS;
	put16(p + 1, LDNS_RR_TYPE_OPT);	/* at the root */
	put16(p + 3, UDP_SIZE);
	put16(p + 7, q->secure || q->dnssec ? EDNS_DO : 0);
	return HEADER + n + TYPE_CLASS + OPT;
}

bool
dns_is_answer(const uint8_t *asked, size_t n, const uint8_t *p, size_t len)
{
	size_t end = n - OPT, name = end - TYPE_CLASS;

	if (len < end || memcmp(p, asked, 2) != 0)
		return false;
	if ((p[2] & QR_OPCODE) != QR || p[4] != 0 || p[5] != 1)
		return false;
	/* An octet that counts the letters of a label is never itself a letter. */
	for (size_t i = HEADER; i < end; i++)
		if (i < name ? tolower(p[i]) != tolower(asked[i]) : p[i] != asked[i])
			return false;
	return true;
}

bool
dns_is_cut(const uint8_t *p)
{
	return (p[2] & FLAG_TC) != 0;
}

const char *
dns_rcode(const ldns_pkt *answer)
{
	static char text[16];
	const ldns_lookup_table *t;

	t = ldns_lookup_by_id(ldns_rcodes, (int)ldns_pkt_get_rcode(answer));
	if (t != NULL)
		return t->name;
	snprintf(text, sizeof(text), "RCODE%d", (int)ldns_pkt_get_rcode(answer));
	return text;
}

bool
dns_tells(const struct dns_query *q)
{
	ldns_pkt_rcode rcode;

	if (q->fate != DNS_ANSWER)
		return false;
	rcode = ldns_pkt_get_rcode(q->answer);
	return (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) &&
	    (q->recurse || ldns_pkt_aa(q->answer));
}
