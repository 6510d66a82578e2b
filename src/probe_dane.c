/* probe_dane.c: TLSA records (RFC 6698, 7671, 7672). */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { TLSA_PARTS = 4 };

/* The rule of mail between servers: usages 2 and 3 only (RFC 7672, 3.1.3). */
static bool
is_mx(const struct probe_host *h)
{
	return strcmp(h->kind->name, "smtp") == 0;
}

static char *
owner_of(const struct probe_host *h)
{
	return xasprintf("_%ld._tcp.%s", h->port, h->name);
}

/* ---- records ------------------------------------------------------------------- */

static void
add(struct probe_host *h, const ldns_rr *rr)
{
	const ldns_rdf *rd[TLSA_PARTS];

	if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_TLSA || ldns_rr_rd_count(rr) != TLSA_PARTS)
		return;
	for (size_t i = 0; i < TLSA_PARTS; i++)
		rd[i] = ldns_rr_rdf(rr, i);
	h->tlsa = xreallocarray(h->tlsa, h->ntlsa + 1, sizeof(*h->tlsa));
	h->tlsa[h->ntlsa++] = (struct probe_tlsa){ldns_rdf2native_int8(rd[0]),
	    ldns_rdf2native_int8(rd[1]), ldns_rdf2native_int8(rd[2]), ldns_rdf_data(rd[3]),
	    ldns_rdf_size(rd[3])};
}

static void
no(struct probe_host *h, int status, const char *what)
{
	char *owner = owner_of(h);

	complain("the TLSA record '%s' %s", owner, what);
	free(owner);
	h->status = status;
}

/* What the first resolver says that has an answer. */
static void
settle(struct probe_host *h, struct dns_query *q, size_t n)
{
	ldns_pkt_rcode rcode;
	size_t i = 0;

	while (i < n && q[i].fate != DNS_ANSWER)
		i++;
	if (i == n) {
		no(h, EX_TEMP, "is not known: the resolver does not answer");
		return;
	}
	rcode = ldns_pkt_get_rcode(q[i].answer);
	if (rcode == LDNS_RCODE_SERVFAIL) {
		no(h, EX_NO, "is not to be had: SERVFAIL, so it is bogus, or no server has it");
	} else if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
		no(h, EX_TEMP, "is not known: the resolver refuses the question");
	} else if (!ldns_pkt_ad(q[i].answer)) {
		no(h, EX_NO, "is not secure: the resolver has not validated the answer");
	} else {
		const ldns_rr_list *rrs = ldns_pkt_answer(q[i].answer);

		/* Whatever its owner: the resolver has followed the aliases. */
		for (size_t r = 0; r < ldns_rr_list_rr_count(rrs); r++)
			add(h, ldns_rr_list_rr(rrs, r));
		h->answer = q[i].answer;
		q[i].answer = NULL;
		if (h->ntlsa == 0)
			no(h, EX_NO, "is not there");
	}
}

void
probe_tlsa_ask(struct probe_host *h, size_t n, const struct probe_dns *d, int64_t until)
{
	struct dns_query *q = xmalloc(n * d->n * sizeof(*q));
	char **owner = xmalloc(n * sizeof(*owner));
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		owner[i] = owner_of(&h[i]);
		for (size_t s = 0; s < d->n; s++)
			q[m++] = (struct dns_query){.name = owner[i], .type = LDNS_RR_TYPE_TLSA,
			    .server = d->server[s], .recurse = true, .secure = true};
	}
	dns_ask(q, m, until);
	for (size_t i = 0; i < n; i++) {
		h[i].dane = true;
		settle(&h[i], &q[i * d->n], d->n);
		free(owner[i]);
	}
	dns_free(q, m);
	free(owner);
	free(q);
}

void
probe_tlsa_take(struct probe_host *h, const struct dns_lines *l)
{
	char *owner = owner_of(h);

	h->dane = true;
	for (size_t i = 0; i < l->nset; i++)
		if (l->set[i].type == LDNS_RR_TYPE_TLSA && strcmp(l->set[i].owner, owner) == 0)
			for (size_t r = 0; r < l->set[i].n; r++)
				add(h, l->set[i].line[r]->rr);
	free(owner);
	if (h->ntlsa == 0)
		no(h, EX_NO, "is not in the lines");
}

/* ---- owners ---------------------------------------------------------------------- */

/* The host of "_25._tcp.host", and its port in *port; NULL, with *why, if it cannot
 * be probed. */
static const char *
host_of(const char *owner, long *port, const char **why)
{
	const char *host;
	char *end;

	*why = NULL;
	if (owner[0] == '*')
		*why = "a wildcard is no host";
	else if (owner[0] != '_' || owner[1] < '0' || owner[1] > '9')
		*why = "it begins with no port";
	if (*why != NULL)
		return NULL;
	*port = strtol(owner + 1, &end, 10);
	if (*port < 1 || *port > UINT16_MAX || end[0] != '.')
		*why = "it begins with no port";
	else if (strncmp(end, "._tcp.", strlen("._tcp.")) != 0)
		*why = "it is not about TCP";
	if (*why != NULL)
		return NULL;
	host = end + strlen("._tcp.");
	if (strchr(host, '*') != NULL)
		*why = "a wildcard is no host";
	else if (host[0] == '\0' || strchr(host, '_') != NULL)
		*why = "it is not the name of a host";
	return *why == NULL ? host : NULL;
}

size_t
probe_owners(struct probe_host **hosts, const struct dns_lines *l,
    const struct talk_kind *kind, bool quiet)
{
	const char *why, *host;
	size_t n = 0;
	char *arg;
	long port;

	*hosts = xmalloc(l->nset * sizeof(**hosts));
	for (size_t i = 0; i < l->nset; i++) {
		if (l->set[i].type != LDNS_RR_TYPE_TLSA)
			continue;
		if ((host = host_of(l->set[i].owner, &port, &why)) == NULL) {
			if (!quiet)
				complain("'%s' is passed over: %s", l->set[i].owner, why);
			continue;
		}
		arg = xasprintf("%s:%ld", host, port);
		probe_host_read(&(*hosts)[n], arg, NULL, kind);
		free(arg);
		(*hosts)[n].owner = true;
		(*hosts)[n].quiet = quiet;
		probe_tlsa_take(&(*hosts)[n++], l);
	}
	return n;
}

/* ---- */

bool
probe_tlsa_use(SSL *ssl, const struct probe_host *h, const char **why)
{
	size_t used = 0;

	if (SSL_dane_enable(ssl, h->name) <= 0)
		die(EX_TEMP, "out of memory");
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < h->ntlsa; i++) {
		const struct probe_tlsa *t = &h->tlsa[i];

		if (is_mx(h) && t->usage < LDNS_TLSA_USAGE_DANE_TA)
			continue;
		if (SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->match, t->data, t->len) == 1)
			used++;
	}
	ERR_clear_error();
	*why = is_mx(h) ? "none of its TLSA records is of use: with SMTP they begin with 2 or 3" :
	    "none of its TLSA records is of use";
	return used > 0;
}
