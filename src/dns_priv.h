/*
 * dns_priv.h - what dns.c and dns_message.c share.
 */
#ifndef DNS_PRIV_H
#define DNS_PRIV_H

#include "dns.h"

/* Octets of a question as a message: header, name, type and class, OPT record. */
enum { DNS_ASK_MAX = 12 + LDNS_MAX_DOMAINLEN + 4 + 11 };

/* The question as a message with an id of its own; its octets, or 0 if the name is
 * none. */
size_t dns_compose(uint8_t out[DNS_ASK_MAX], const struct dns_query *q);

/* Are these len octets an answer to that message of n, as far as header and question
 * tell? */
bool dns_is_answer(const uint8_t *asked, size_t n, const uint8_t *p, size_t len);

/* Is such an answer truncated? */
bool dns_is_cut(const uint8_t *p);

#endif
