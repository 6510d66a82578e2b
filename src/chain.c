/* chain.c: certificates in a row. */
#include "cert.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

/* What to call a certificate: its subject, or where that is empty its first name. */
static char *
title(const X509 *x)
{
	char *text = text_dn(X509_get_subject_name(x));
	GENERAL_NAMES *names;

	if (*text != '\0')
		return text;
	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	if (sk_GENERAL_NAME_num(names) > 0) {
		free(text);
		text = text_san(sk_GENERAL_NAME_value(names, 0));
	}
	GENERAL_NAMES_free(names);
	return text;
}

static void
misfit(const char *path, const X509 *x, const char *what)
{
	char *name = title(x);

	complain("%s: '%s' %s", path, name, what);
	free(name);
}

/* By its names and extensions, and with signature true by that too. */
static bool
issued(const char *path, X509 *x, X509 *issuer, bool signature)
{
	int why = X509_check_issued(issuer, x);
	char *name, *what;

	if (why == X509_V_OK && !signature)
		return true;
	if (why == X509_V_OK && X509_verify(x, X509_get0_pubkey(issuer)) == 1)
		return true;
	ERR_clear_error();
	name = title(issuer);
	what = xasprintf("is not issued by the next one, '%s': %s", name,
	    why == X509_V_OK ? "wrong signature" : X509_verify_cert_error_string(why));
	misfit(path, x, what);
	free(what);
	free(name);
	return false;
}

/* Each by the next, and a last one that is self-signed by itself. */
static bool
in_order(const char *path, const char *above, STACK_OF(X509) *row, bool signature)
{
	X509 *x = sk_X509_value(row, 0);
	bool ok = true;

	for (int i = 1; i < sk_X509_num(row); i++, path = above) {
		ok &= issued(path, x, sk_X509_value(row, i), signature);
		x = sk_X509_value(row, i);
	}
	if (X509_self_signed(x, 0) == 1 && X509_verify(x, X509_get0_pubkey(x)) != 1) {
		misfit(path, x, "is not signed by itself: wrong signature");
		ok = false;
	}
	ERR_clear_error();
	return ok;
}

/* What X509_verify_cert found, about the certificate that it found it in. */
static void
invalid(const char *path, const char *above, X509_STORE_CTX *ctx, X509 *first)
{
	int why = X509_STORE_CTX_get_error(ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	const char *text = X509_verify_cert_error_string(why);
	const ASN1_TIME *t = NULL;
	char when[STAMP_SIZE], *what;
	time_t at;

	if (x == NULL)
		x = first;
	if (why == X509_V_ERR_CERT_HAS_EXPIRED)
		t = X509_get0_notAfter(x);
	else if (why == X509_V_ERR_CERT_NOT_YET_VALID)
		t = X509_get0_notBefore(x);
	if (t != NULL && x509_time(t, &at)) {
		day_hour(when, at);
		what = xasprintf("%s %s UTC", why == X509_V_ERR_CERT_HAS_EXPIRED ?
		    "expired on" : "is not valid before", when);
	} else {
		what = xasprintf("is not valid: %s", text);
	}
	misfit(X509_cmp(x, first) == 0 ? path : above, x, what);
	free(what);
}

/* The certificates above the first one in the row that was found good last, and
 * when: on a site all have the same CAs above them, and each signature there
 * needs to be verified but once.  Never freed. */
static struct {
	STACK_OF(X509) *row;
	time_t now;
} good;

static bool
same(const STACK_OF(X509) *a, const STACK_OF(X509) *b, int from)
{
	int n = sk_X509_num(a);

	if (sk_X509_num(b) != n + from)
		return false;
	for (int i = 0; i < n; i++)
		if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i + from)) != 0)
			return false;
	return true;
}

/* Is the row above its first certificate that one? */
static bool
known(const STACK_OF(X509) *row, time_t now)
{
	return good.row != NULL && good.now == now && same(good.row, row, 1);
}

static void
remember(STACK_OF(X509) *row, time_t now)
{
	if (sk_X509_num(row) < 2)
		return;
	/* These bind what is far below them. */
	for (int i = 1; i < sk_X509_num(row); i++)
		if (X509_get_ext_by_NID(sk_X509_value(row, i), NID_name_constraints, -1) != -1)
			return;
	sk_X509_pop_free(good.row, X509_free);
	good.now = now;
	good.row = X509_chain_up_ref(row);
	X509_free(sk_X509_shift(good.row));
}

bool
chain_check(const char *path, const char *above, STACK_OF(X509) *row,
    X509_STORE *anchors, time_t now)
{
	X509 *first = sk_X509_value(row, 0), *last = sk_X509_value(row, sk_X509_num(row) - 1);
	bool shortcut = anchors == NULL && known(row, now), ok = false;
	X509_STORE_CTX *ctx = NULL;
	X509_STORE *store = anchors;

	/* The signatures are verified below, if the row is what is used there. */
	if (!shortcut && !in_order(path, above, row, anchors != NULL))
		return false;
	if (shortcut)
		last = sk_X509_value(row, 1);
	if (anchors == NULL && first == last && X509_self_signed(first, 0) != 1) {
		misfit(path, first, "stands alone: the certificate of its issuer is missing");
		return false;
	}
	if ((anchors == NULL && ((store = X509_STORE_new()) == NULL ||
	    !X509_STORE_add_cert(store, last))) || (ctx = X509_STORE_CTX_new()) == NULL ||
	    !X509_STORE_CTX_init(ctx, store, first, row)) {
		pem_complain("cannot verify '%s'", path);
		goto out;
	}
	/* A public CA's chain ends below its root. */
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_CTX_set_time(ctx, 0, now);
	ok = X509_verify_cert(ctx) == 1;
	if (!shortcut && anchors == NULL &&
	    (!ok || !same(X509_STORE_CTX_get0_chain(ctx), row, 0)) &&
	    !in_order(path, above, row, true))
		ok = false;
	else if (!ok)
		invalid(path, above, ctx, first);
	else if (anchors == NULL)
		remember(row, now);
	ERR_clear_error();
out:
	X509_STORE_CTX_free(ctx);
	if (anchors == NULL)
		X509_STORE_free(store);
	return ok;
}
