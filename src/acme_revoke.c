/* acme_revoke.c: the step that ends a certificate before its time (RFC 8555, 7.6). */
#include "acme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 5280, 5.3.1; those that a subscriber may give. */
static const struct {
	const char *word;
	int code;
} reasons[] = {{"unspecified", 0}, {"keyCompromise", 1}, {"affiliationChanged", 3},
    {"superseded", 4}, {"cessationOfOperation", 5}};

static int
reason_code(const char *word)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcasecmp(word, reasons[i].word) == 0)
			return reasons[i].code;
	die(EX_USE, "-r '%s': not unspecified, keyCompromise, affiliationChanged, superseded or "
	    "cessationOfOperation", word);
}

/* The payload; the caller frees. */
static char *
payload(const char *path, int reason)
{
	X509 *x = pem_cert(path);
	unsigned char *der = NULL;
	char *b64, *text;
	int len;

	if (x == NULL)
		finish(EX_PERM);
	if ((len = i2d_X509(x, &der)) < 0)
		pem_die("'%s' cannot be encoded", path);
	b64 = b64url(der, (size_t)len);
	text = xasprintf("{\"certificate\":\"%s\",\"reason\":%d}", b64, reason);
	free(b64);
	OPENSSL_free(der);
	X509_free(x);
	return text;
}

int
step_revoke(const struct step_options *opt)
{
	const char *path = opt->operands[0];
	int reason = opt->reason != NULL ? reason_code(opt->reason) : 0, ret = EX_YES;
	char *text = payload(path, reason);
	struct acme_req r;
	struct acme a;

	acme_open(&a, opt, 1);
	if (opt->key != NULL)
		a.jws = jws_open(opt->key, '\0', NULL);
	else
		acme_use_account(&a, false);
	r = (struct acme_req){.url = acme_need(&a, "revokeCert"), .payload = text,
	    .with_key = opt->key != NULL};
	acme_post(&a, &r, 1);
	if (problem_is(&r, "alreadyRevoked"))
		complain("'%s' has been revoked before", path);
	else if (r.h.status != 200)
		ret = problem_complain(&r, "'%s' is not revoked", path);
	acme_free(&r);
	free(text);
	acme_close(&a);
	return ret;
}
