/* order.c: what an order is about, and the file that remembers it. */
#include "acme.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>


/* One of the request's names in its canonical form; the caller frees. */
static char *
name_of(const GENERAL_NAME *g, const char *path)
{
	const unsigned char *p;
	char text[INET6_ADDRSTRLEN], *name = NULL, *s;
	const char *why = "not a name that a CA can be asked for";
	int n;

	if (g->type == GEN_DNS) {
		n = ASN1_STRING_length(g->d.dNSName);
		p = ASN1_STRING_get0_data(g->d.dNSName);
		s = memchr(p, '\0', (size_t)n) == NULL ? strndup((const char *)p, (size_t)n) : NULL;
		if (s != NULL)
			name = name_canon(s, &why);
		free(s);
	} else if (g->type == GEN_IPADD) {
		n = ASN1_STRING_length(g->d.iPAddress);
		p = ASN1_STRING_get0_data(g->d.iPAddress);
		if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6, p, text,
		    sizeof(text)) != NULL)
			name = xstrdup(text);
	}
	if (name == NULL) {
		s = text_san(g);
		die(EX_USE, "%s: '%s': %s", path, s, why);
	}
	return name;
}

static void
take_names(struct order *o)
{
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(o->csr);
	GENERAL_NAMES *names = X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);

	if (n < 1)
		pem_die("%s: asks for no name", o->path[ORDER_CSR]);
	if (n > ORDER_NAMES)
		die(EX_USE, "%s: asks for more than %d names", o->path[ORDER_CSR], ORDER_NAMES);
	o->name = xreallocarray(NULL, (size_t)n, sizeof(*o->name));
	for (int i = 0; i < n; i++) {
		char *name = name_of(sk_GENERAL_NAME_value(names, i), o->path[ORDER_CSR]);

		for (size_t j = 0; j < o->names && name != NULL; j++)
			if (strcmp(o->name[j], name) == 0) {
				free(name);
				name = NULL;
			}
		if (name != NULL)
			o->name[o->names++] = name;
	}
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
}

static void
take_der(struct order *o)
{
	unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE];
	int len = i2d_X509_REQ(o->csr, &der);
	unsigned int n;

	if (len < 0 || !EVP_Digest(der, (size_t)len, hash, &n, EVP_sha256(), NULL))
		pem_die("%s: cannot be encoded", o->path[ORDER_CSR]);
	o->csr_b64 = b64url(der, (size_t)len);
	o->csr_hash = xmalloc(2 * n + 1);
	for (unsigned int i = 0; i < n; i++)
		snprintf(o->csr_hash + 2 * i, 3, "%02x", hash[i]);
	OPENSSL_free(der);
}

void
order_open(struct order *o, const char *set)
{
	static const char *const names[] = {"order.json", "csr.pem", "cert.pem"};

	*o = (struct order){.set = xstrdup(set)};
	for (int i = 0; i < 3; i++)
		o->path[i] = xasprintf("%s/%s", set, names[i]);
	if ((o->csr = pem_csr(o->path[ORDER_CSR], false)) == NULL)
		finish(EX_PERM);
	take_names(o);
	take_der(o);
}

void
order_close(struct order *o)
{
	for (int i = 0; i < 3; i++)
		free(o->path[i]);
	for (size_t i = 0; i < o->names; i++)
		free(o->name[i]);
	free(o->name);
	free(o->set);
	free(o->csr_b64);
	free(o->csr_hash);
	X509_REQ_free(o->csr);
	json_decref(o->file);
}

/* As make sees it. */
bool
order_done(const char *set)
{
	char *paths[2] = {xasprintf("%s/cert.pem", set), xasprintf("%s/csr.pem", set)};
	struct stat cert, csr;
	bool both = stat(paths[0], &cert) == 0 && stat(paths[1], &csr) == 0;

	free(paths[0]);
	free(paths[1]);
	return both && (cert.st_mtim.tv_sec > csr.st_mtim.tv_sec ||
	    (cert.st_mtim.tv_sec == csr.st_mtim.tv_sec &&
	    cert.st_mtim.tv_nsec >= csr.st_mtim.tv_nsec));
}

static bool
same(const json_t *file, const char *key, const char *want)
{
	const char *have = json_str(file, key);

	return have != NULL && strcmp(have, want) == 0;
}

bool
order_read(struct order *o, const struct acme *a)
{
	size_t len;
	char *text = slurp_try(o->path[ORDER_FILE], &len);

	json_decref(o->file);
	o->file = NULL;
	if (text == NULL)
		return false;
	o->file = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (same(o->file, "directory", a->url) && same(o->file, "account", a->account) &&
	    same(o->file, "csr", o->csr_hash) && json_url(o->file, "url") != NULL &&
	    json_url(o->file, "finalize") != NULL && json_url(o->file, "newNonce") != NULL)
		return true;
	json_decref(o->file);
	o->file = NULL;
	return false;
}

void
order_write(const struct order *o, const struct acme *a)
{
	json_t *nonces = json_array();
	char *text;
	int bad;

	for (size_t i = 0; i < a->nonces; i++)
		json_array_append_new(nonces, json_string(a->nonce[i]));
	bad = json_object_set_new(o->file, "directory", json_string(a->url)) |
	    json_object_set_new(o->file, "account", json_string(a->account)) |
	    json_object_set_new(o->file, "csr", json_string(o->csr_hash)) |
	    json_object_set_new(o->file, "newNonce", json_string(a->new_nonce)) |
	    json_object_set_new(o->file, "nonces", nonces) |
	    json_object_set_new(o->file, "saved", json_integer(time(NULL)));
	if (bad != 0 || (text = json_dumps(o->file, JSON_INDENT(1))) == NULL)
		die(EX_TEMP, "out of memory");
	if (out_file(o->path[ORDER_FILE], 0600, text, strlen(text)) == -1)
		finish(EX_TEMP);
	free(text);
}

void
order_forget(struct order *o)
{
	if (unlink(o->path[ORDER_FILE]) == -1 && errno != ENOENT)
		complain("cannot remove '%s':", o->path[ORDER_FILE]);
	json_decref(o->file);
	o->file = NULL;
}

/* Two digits; -1 if they are not such. */
static int
two(const char *s)
{
	return isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) ?
	    (s[0] - '0') * 10 + s[1] - '0' : -1;
}

time_t
order_time(const char *s)
{
	struct tm tm = {0};
	const char *rest = s != NULL ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int h, m;
	time_t t;

	if (rest == NULL)
		return -1;
	t = timegm(&tm);
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcasecmp(rest, "Z") == 0)
		return t;
	if (strlen(rest) != strlen("+00:00") || strchr("+-", rest[0]) == NULL || rest[3] != ':' ||
	    (h = two(rest + 1)) == -1 || (m = two(rest + 4)) == -1)
		return -1;
	return rest[0] == '+' ? t - h * 3600 - m * 60 : t + h * 3600 + m * 60;
}
