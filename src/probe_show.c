/* probe_show.c: what has been seen, for people. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 4 };		/* of a certificate, in its line */

/* "example.com:25 192.0.2.1", or the address alone; the caller frees. */
static char *
place(const struct probe *p)
{
	char *host = probe_host_text(p->host), *text;
	unsigned char ip[16];
	struct dns_addr a = *p->addr;

	if (name_ip(p->host->host, ip) > 0)
		return host;
	if (a.at.any.sa_family == AF_INET)
		a.at.v4.sin_port = htons(53);	/* which is not shown */
	else
		a.at.v6.sin6_port = htons(53);
	text = xasprintf("%s %s", host, dns_addr_text(&a));
	free(host);
	return text;
}

/* The first names, and how many more there are; the caller frees. */
static char *
names_of(const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);
	char *text = NULL, *old, *one;

	for (int i = 0; i < n && i < NAMES; i++) {
		old = text;
		one = text_san(sk_GENERAL_NAME_value(names, i));
		text = xasprintf("%s%s%s", old == NULL ? "" : old, old == NULL ? "" : " ", one);
		free(one);
		free(old);
	}
	if (text == NULL) {
		text = text_dn(X509_get_subject_name(x));
	} else if (n > NAMES) {
		old = text;
		text = xasprintf("%s and %d more", old, n - NAMES);
		free(old);
	}
	GENERAL_NAMES_free(names);
	return text;
}

static void
show_dane(const struct probe_seen *s)
{
	if (s->by_dane)
		printf(", DANE %u %u %u", s->usage, s->selector, s->match);
}

/* The certificate in a line; with verbose, the whole chain too. */
static void
show_seen(const char *where, const struct probe_seen *s, bool verbose)
{
	X509 *leaf = sk_X509_value(s->chain, 0);
	const EVP_PKEY *key = X509_get0_pubkey(leaf);
	char *kind = key == NULL ? xstrdup("unknown") : key_kind(key), *names = names_of(leaf);
	char until[STAMP_SIZE] = "never to be read";
	time_t when;

	if (x509_time(X509_get0_notAfter(leaf), &when))
		day_hour(until, when);
	printf("%s %s %s: %s, expires %s", where, s->version, kind, names, until);
	show_dane(s);
	printf(": %s\n", s->why == NULL ? "ok" : "does not fit");
	if (verbose) {
		show_line("cipher", "%s", s->cipher);
		for (int i = 0; i < sk_X509_num(s->chain); i++) {
			printf(" %d.\n", i);
			show_cert(sk_X509_value(s->chain, i), true, time(NULL));
		}
	}
	free(names);
	free(kind);
}

/* One type of key: EX_YES, EX_NO or EX_TEMP. */
static int
one(const char *where, enum probe_key k, const struct probe_seen *s, bool wanted)
{
	const char *name = probe_key_name(k);

	switch (s->fate) {
	case PROBE_SEEN:
		if (s->why != NULL)
			complain("%s: the %s certificate does not fit: %s", where, name, s->why);
		return s->why == NULL ? EX_YES : EX_NO;
	case PROBE_HAS_NONE:
		if (wanted)
			complain("%s: has no certificate with a key of type %s", where, name);
		return wanted ? EX_NO : EX_YES;
	case PROBE_FAULT:
		complain("%s: %s", where, s->why);
		return EX_NO;
	case PROBE_LATER:
		complain("%s: %s", where, s->why);
		return EX_TEMP;
	case PROBE_UNASKED:
	case PROBE_NO_ROUTE:
		break;
	}
	return EX_YES;
}

int
probe_show(const struct probe *p, const struct probe_want *w, bool quiet, bool verbose,
    bool *gone)
{
	char *where = place(p);
	bool any = false;
	int ret = EX_YES, got;

	*gone = false;
	for (enum probe_key k = 0; k < PROBE_KEYS; k++) {
		const struct probe_seen *s = &p->seen[k];

		if (s->fate == PROBE_SEEN && !quiet)
			show_seen(where, s, verbose);
		any = any || (s->fate != PROBE_UNASKED && s->fate != PROBE_HAS_NONE);
		if (s->fate == PROBE_NO_ROUTE) {
			*gone = true;
			if (!quiet)
				complain("%s: %s", where, s->why);
		}
		got = one(where, k, s, w->shown != NULL);
		if (ret != EX_NO && got != EX_YES)
			ret = got;
	}
	if (!any && ret == EX_YES) {
		complain("%s: refuses TLS, whatever the type of key", where);
		ret = EX_NO;
	}
	free(where);
	return ret;
}
