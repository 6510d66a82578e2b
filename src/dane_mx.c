/* dane_mx.c: the hosts of a zone's MX records. */
#include "dane.h"
#include "dns.h"

#include <stdlib.h>
#include <string.h>

enum { MX_MS = 20000 };

/* The hosts of an answer, in whatever order they come; several may have the same
 * preference.  "." says that there is none (RFC 7505).  There are as many as a message
 * has room for. */
static void
take(struct words *hosts, const ldns_pkt *answer, const char *apex)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(answer);
	char *owner, *host;

	for (size_t i = 0; i < ldns_rr_list_rr_count(rrs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(rrs, i);
		const char *why = "not a name for us";
		char *name;

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_MX || ldns_rr_rd_count(rr) != 2)
			continue;
		owner = dns_text(ldns_rr_owner(rr));
		host = dns_text(ldns_rr_rdf(rr, 1));
		if (owner == NULL || strcmp(owner, apex) != 0)
			;
		else if (host != NULL && *host != '*' && (name = name_canon(host, &why)) != NULL)
			words_add(hosts, name);
		else if (ldns_dname_label_count(ldns_rr_rdf(rr, 1)) > 0)
			complain("no TLSA record for the MX host '%s' of '%s': %s",
			    host != NULL ? host : "?", apex, why);
		free(host);
		free(owner);
	}
	words_sort(hosts);
}

bool
dane_mx_ask(struct dane_mx *mx)
{
	struct dns_lookup l;
	char *apex;

	if (mx->asked)
		return mx->known;
	mx->asked = true;
	apex = dns_canon(mx->group);
	l = (struct dns_lookup){.name = apex, .type = LDNS_RR_TYPE_MX,
	    .who = dns_who(mx->site, apex)};
	dns_look(&l, 1, dns_now() + MX_MS);
	if (l.answer != NULL) {
		take(&mx->hosts, l.answer, apex);
		mx->known = true;
	} else {
		complain("the MX records of '%s' are not known: %s", apex, l.why);
	}
	dns_look_free(&l, 1);
	free(apex);
	return mx->known;
}
