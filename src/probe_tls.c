/*
 * probe_tls.c: one TLS connection, that asks for one type of key.
 *
 * The handshake goes on whatever the certificate is, so that it can be shown; what
 * OpenSSL thought of it is asked for when it is done.
 */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { CHAIN_OCTETS = 65536, CHAIN_DEPTH = 10 };

/*
 * A server takes the signature of its handshake from the list of TLS 1.3, and the
 * cipher of TLS 1.2.  RSA+SHA256 and so on are, with TLS 1.3, for certificates alone:
 * an EC key may have been signed by an RSA key.
 */
#define CERT_ALGS "RSA+SHA256:RSA+SHA384:RSA+SHA512"
static const struct {
	const char *name, *algs, *ciphers;
} keys[PROBE_KEYS] = {
	[PROBE_RSA] = {"RSA", "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
	    "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:" CERT_ALGS,
	    "HIGH+aRSA"},
	[PROBE_ECDSA] = {"ECDSA", "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:" CERT_ALGS,
	    "HIGH+aECDSA"},
	[PROBE_EDDSA] = {"Ed25519", "ed25519:" CERT_ALGS, "HIGH+aECDSA"},
};

const char *
probe_key_name(enum probe_key k)
{
	return keys[k].name;
}

enum probe_key
probe_key_of(const EVP_PKEY *key)
{
	switch (key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS: return PROBE_RSA;
	case EVP_PKEY_EC: return PROBE_ECDSA;
	case EVP_PKEY_ED25519: return PROBE_EDDSA;
	default: return PROBE_KEYS;
	}
}

/* ---- before ----------------------------------------------------------------------- */

static SSL_CTX *
context(enum probe_key k, const struct probe_want *w)
{
	static SSL_CTX *all[PROBE_KEYS];
	SSL_CTX *ctx = all[k];

	if (ctx != NULL)
		return ctx;
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, keys[k].algs) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, keys[k].ciphers) != 1 ||
	    SSL_CTX_dane_enable(ctx) <= 0)
		pem_die("cannot prepare TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_OCTETS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (w->anchors != NULL)
		SSL_CTX_set1_cert_store(ctx, w->anchors);
	return all[k] = ctx;
}

/* The name that the certificate has to have; DANE brings its own. */
static bool
expect_name(SSL *ssl, const struct probe_host *h)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (h->name_is_ip)
		return X509_VERIFY_PARAM_set1_ip_asc(param, h->name) == 1;
	return SSL_set_tlsext_host_name(ssl, h->name) == 1 &&
	    (h->dane || SSL_set1_host(ssl, h->name) == 1);
}

SSL *
probe_tls_new(const struct probe_host *h, enum probe_key k, const struct probe_want *w,
    int fd, const char **why)
{
	SSL *ssl = SSL_new(context(k, w));

	*why = NULL;
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || !expect_name(ssl, h))
		die(EX_TEMP, "out of memory");
	if (h->dane && !probe_tlsa_use(ssl, h, why)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

/* ---- after ------------------------------------------------------------------------ */

/* Is it the key of one of those that are to be shown? */
static bool
is_shown(X509 *leaf, STACK_OF(X509) *shown)
{
	const EVP_PKEY *key = X509_get0_pubkey(leaf);

	for (int i = 0; key != NULL && i < sk_X509_num(shown); i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(shown, i)), key) == 1)
			return true;
	ERR_clear_error();
	return false;
}

static void
judge(struct probe_seen *s, SSL *ssl, const struct probe_host *h, const struct probe_want *w)
{
	long result = SSL_get_verify_result(ssl);
	EVP_PKEY *key = NULL;

	if (h->dane && result == X509_V_OK && SSL_get0_dane_authority(ssl, NULL, &key) >= 0) {
		SSL_get0_dane_tlsa(ssl, &s->usage, &s->selector, &s->match, NULL, NULL);
		s->by_dane = true;
	} else if (h->dane && result == X509_V_ERR_DANE_NO_MATCH) {
		s->why = xstrdup("it fits none of the TLSA records");
	} else if (h->dane || w->chain) {
		if (result != X509_V_OK)
			s->why = xstrdup(X509_verify_cert_error_string(result));
		else if (h->dane)
			s->why = xstrdup("it fits none of the TLSA records");
	}
	if (s->why == NULL && w->shown != NULL && !is_shown(sk_X509_value(s->chain, 0), w->shown))
		s->why = xstrdup("it has another key than that which is looked for");
}

void
probe_tls_done(struct probe_seen *s, SSL *ssl, const struct probe_host *h,
    const struct probe_want *w)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	s->fate = PROBE_FAULT;
	if (chain == NULL || sk_X509_num(chain) == 0) {
		s->why = xstrdup("shows no certificate");
		return;
	}
	if ((s->chain = X509_chain_up_ref(chain)) == NULL)
		die(EX_TEMP, "out of memory");
	s->fate = PROBE_SEEN;
	s->version = SSL_get_version(ssl);
	s->cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
	judge(s, ssl, h, w);
}

/* Does the error say that there is no certificate with such a key? */
static bool
has_none(int reason)
{
	return reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
	    reason == SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY ||
	    reason == SSL_R_WRONG_SIGNATURE_TYPE || reason == SSL_R_WRONG_CERTIFICATE_TYPE;
}

void
probe_tls_failed(struct probe_seen *s, SSL *ssl, int result)
{
	int how = SSL_get_error(ssl, result);
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
	const char *text = ERR_reason_error_string(e);

	s->fate = PROBE_FAULT;
	if (how == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		s->fate = PROBE_LATER;
		s->why = xstrdup("ends the connection in the TLS handshake");
	} else if (has_none(reason)) {
		s->fate = PROBE_HAS_NONE;
	} else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
		s->why = xstrdup("does not speak TLS here");
	} else if (reason == SSL_R_EXCESSIVE_MESSAGE_SIZE) {
		s->why = xstrdup("sends a chain without end");
	} else {
		s->why = xasprintf("TLS handshake: %s", text != NULL ? text : "failed");
	}
	ERR_clear_error();
}
