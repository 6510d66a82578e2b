/* sslm-jws: signatures with an account key, which no other program opens. */
#include "acme.h"
#include "cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { LINE_LEN = 1 << 16 };	/* of requests and answers, without the newline */
enum { WORDS = 5 };		/* of a request, at most */
enum { MAC_MIN = 16 };		/* octets of the key for an HMAC */

static const char usage[] =
    "usage: sslm-jws [-e hmacfile] [-n newkey] -k key\n"
    "       sslm-jws -i jwkfile -o key\n"
    "       sslm-jws -h | -V\n";

struct account {
	EVP_PKEY *key;		/* NULL: not given */
	const char *alg;
	char *jwk;		/* the public half */
};

static struct {
	struct account now, next;
	unsigned char *mac;	/* NULL: not given */
	size_t maclen;
} keys;

/* ---- keys ----------------------------------------------------------------- */

static void
check_private(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		die(EX_PERM, "cannot open '%s':", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		die(EX_PERM, "'%s' is readable by others", path);
}

static void
load_account(struct account *a, const char *path)
{
	char *kind;

	check_private(path);
	if ((a->key = pem_key(path)) == NULL)
		finish(EX_PERM);
	if ((a->alg = jwk_alg(a->key)) == NULL) {
		kind = key_kind(a->key);
		die(EX_PERM, "the key in '%s' cannot be that of an account: %s", path, kind);
	}
	if (!key_fits(a->key, a->key))
		pem_die("the private half of the key in '%s' is damaged", path);
	if ((a->jwk = jwk_public(a->key)) == NULL)
		pem_die("cannot encode the key in '%s'", path);
}

/* Some CAs give out base64 with another alphabet and padding. */
static void
load_mac(const char *path)
{
	char *buf, *s;
	size_t len, n;

	check_private(path);
	if ((buf = slurp(path, &len)) == NULL)
		finish(EX_PERM);
	/* A NUL is no white space: what stands behind it is not cut off in silence. */
	s = buf + strspn(buf, " \t\r\n");
	n = len - (size_t)(s - buf);
	while (n > 0 && s[n - 1] != '\0' && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	if (n % 4 == 0)
		for (int i = 0; i < 2 && n > 0 && s[n - 1] == '='; i++)
			n--;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '+')
			s[i] = '-';
		else if (s[i] == '/')
			s[i] = '_';
	s[n] = '\0';
	keys.mac = strlen(s) == n ? b64url_decode(s, &keys.maclen) : NULL;
	wipe(buf, len);
	if (keys.mac == NULL)
		die(EX_PERM, "no base64url in '%s'", path);
	if (keys.maclen < MAC_MIN)
		die(EX_PERM, "the key in '%s' has less than %d octets", path, MAC_MIN);
}

/* Does the file hold these bytes, and no others? */
static bool
holds(const char *path, const char *text, long len)
{
	size_t n;
	char *have = slurp(path, &n);
	bool yes = have != NULL && n == (size_t)len && memcmp(have, text, n) == 0;

	wipe(have, have != NULL ? n : 0);
	return yes;
}

/* A JWK as PEM, in a new file; or in one that holds it already, as a run that was
 * killed has left it. */
static int
import(const char *from, const char *to)
{
	struct stat st;
	EVP_PKEY *key;
	char *pem;
	long len;
	BIO *mem;

	check_private(from);
	if ((key = jwk_private(from)) == NULL)
		finish(EX_PERM);
	if ((mem = BIO_new(BIO_s_secmem())) == NULL ||
	    !PEM_write_bio_PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL))
		pem_die("cannot encode the key");
	EVP_PKEY_free(key);
	len = BIO_get_mem_data(mem, &pem);
	if (lstat(to, &st) == 0) {
		if (!holds(to, pem, len))
			die(EX_PERM, "'%s' exists; a key is never replaced", to);
	} else if (out_new(to, 0600, pem, (size_t)len) == -1) {
		finish(EX_TEMP);
	}
	OPENSSL_cleanse(pem, (size_t)len);
	BIO_free(mem);
	return EX_YES;
}

/* ---- answers -------------------------------------------------------------- */

/* All return NULL with the reason in *why, or what the caller frees. */

/* The HMAC of a text, in base64url. */
static char *
authenticate(const char *text)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	size_t len;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, keys.mac, keys.maclen,
	    (const unsigned char *)text, strlen(text), md, sizeof(md), &len) == NULL)
		return NULL;
	return b64url(md, len);
}

/* A header, which is freed, and a payload in base64url, signed by a key, or by
 * the HMAC for NULL. */
static char *
signed_json(char *header, const char *payload, EVP_PKEY *key, const char **why)
{
	char *protected = b64url(header, strlen(header)), *json = NULL;
	char *text = xasprintf("%s.%s", protected, payload);
	char *sig = key != NULL ? jwk_sign(key, text) : authenticate(text);

	if (sig != NULL)
		json = xasprintf("{\"protected\":\"%s\",\"payload\":\"%s\",\"signature\":\"%s\"}",
		    protected, payload, sig);
	else
		*why = "cannot sign";
	free(header);
	free(protected);
	free(text);
	free(sig);
	return json;
}

static char *
thumbprint(char *word[], const char **why)
{
	char *hash = jwk_hash(keys.now.jwk);

	(void)word;
	if (hash == NULL)
		*why = "cannot hash";
	return hash;
}

/* jws URL NONCE KID PAYLOAD */
static char *
jws(char *word[], const char **why)
{
	const char *url = word[1], *nonce = word[2], *kid = word[3], *payload = word[4];
	unsigned char *octets;
	char *who, *header;
	size_t len;

	if (strcmp(payload, "-") == 0)
		payload = "";
	if ((octets = b64url_decode(payload, &len)) == NULL) {
		*why = "the payload is not base64url";
		return NULL;
	}
	free(octets);
	if (strcmp(kid, "-") == 0)
		who = xasprintf("\"jwk\":%s", keys.now.jwk);
	else
		who = xasprintf("\"kid\":\"%s\"", kid);
	header = xasprintf("{\"alg\":\"%s\",%s,\"nonce\":\"%s\",\"url\":\"%s\"}", keys.now.alg,
	    who, nonce, url);
	free(who);
	return signed_json(header, payload, keys.now.key, why);
}

/* eab URL KID */
static char *
eab(char *word[], const char **why)
{
	char *payload, *json;

	if (keys.mac == NULL) {
		*why = "no key for an external account (-e)";
		return NULL;
	}
	payload = b64url(keys.now.jwk, strlen(keys.now.jwk));
	json = signed_json(xasprintf("{\"alg\":\"HS256\",\"kid\":\"%s\",\"url\":\"%s\"}", word[2],
	    word[1]), payload, NULL, why);
	free(payload);
	return json;
}

/* rollover URL ACCOUNT */
static char *
rollover(char *word[], const char **why)
{
	char *change, *payload, *json;

	if (keys.next.key == NULL) {
		*why = "no new key (-n)";
		return NULL;
	}
	change = xasprintf("{\"account\":\"%s\",\"oldKey\":%s}", word[2], keys.now.jwk);
	payload = b64url(change, strlen(change));
	json = signed_json(xasprintf("{\"alg\":\"%s\",\"jwk\":%s,\"url\":\"%s\"}", keys.next.alg,
	    keys.next.jwk, word[1]), payload, keys.next.key, why);
	free(change);
	free(payload);
	return json;
}

/* ---- requests ------------------------------------------------------------- */

/* The words of a line, which is cut up; their number, or -1 with the reason. */
static int
split(char *line, char *word[WORDS], const char **why)
{
	int n = 0;

	if (strpbrk(line, "\"\\") != NULL) {
		*why = "a word with a quotation mark or a backslash";
		return -1;
	}
	do {
		if (n == WORDS || *line == ' ' || *line == '\0') {
			*why = n == WORDS ? "too many words" : "an empty word";
			return -1;
		}
		word[n++] = line;
		if ((line = strchr(line, ' ')) != NULL)
			*line++ = '\0';
	} while (line != NULL);
	return n;
}

static char *
answer(char *line, const char **why)
{
	static const struct {
		const char *name;
		int words;
		char *(*make)(char *word[], const char **why);
	} request[] = {{"thumbprint", 1, thumbprint}, {"jws", 5, jws}, {"eab", 3, eab},
	    {"rollover", 3, rollover}};
	char *word[WORDS], *json;
	int n = split(line, word, why);

	if (n == -1)
		return NULL;
	for (size_t i = 0; i < sizeof(request) / sizeof(request[0]); i++) {
		if (strcmp(word[0], request[i].name) != 0)
			continue;
		if (n != request[i].words) {
			*why = "another number of words than the request has";
			return NULL;
		}
		json = request[i].make(word, why);
		if (json != NULL && strlen(json) > LINE_LEN) {
			free(json);
			*why = "the answer is longer than 65536 bytes";
			return NULL;
		}
		return json;
	}
	*why = "no such request";
	return NULL;
}

/* The next line, without its newline, or the reason why it is none; false when
 * there are no more. */
static bool
next_line(char line[LINE_LEN + 1], const char **why)
{
	size_t n = 0;
	int c;

	*why = NULL;
	while ((c = getchar()) != EOF && c != '\n') {
		if (c < ' ' || c > '~')
			*why = "a character that is not printable ASCII";
		else if (n == LINE_LEN)
			*why = "the line is longer than 65536 bytes";
		else
			line[n++] = (char)c;
	}
	line[n] = '\0';
	if (ferror(stdin))
		die(EX_TEMP, "cannot read standard input:");
	if (c == EOF && (n > 0 || *why != NULL))
		*why = "the line has no end";
	return c != EOF || *why != NULL;
}

static void
serve(void)
{
	static char line[LINE_LEN + 1];
	const char *why;
	char *text;

	while (next_line(line, &why)) {
		text = why == NULL ? answer(line, &why) : NULL;
		if (text != NULL)
			printf("%s\n", text);
		else
			printf("error %s\n", why);
		if (fflush(stdout) != 0)
			die(EX_TEMP, "cannot write standard output:");
		free(text);
		ERR_clear_error();
	}
}

int
main(int argc, char *argv[])
{
	const char *from = NULL, *key = NULL, *mac = NULL, *next = NULL, *to = NULL;
	int c;

	start();
	while ((c = getopt(argc, argv, "e:hi:k:n:o:V")) != -1)
		switch (c) {
		case 'e': mac = optarg; break;
		case 'i': from = optarg; break;
		case 'k': key = optarg; break;
		case 'n': next = optarg; break;
		case 'o': to = optarg; break;
		default: opt_other(c, usage);
		}
	if (optind != argc || (from == NULL) != (to == NULL) || (from == NULL) == (key == NULL) ||
	    (from != NULL && (mac != NULL || next != NULL)))
		opt_other('?', usage);
	if (from != NULL)
		return import(from, to);

	load_account(&keys.now, key);
	if (next != NULL)
		load_account(&keys.next, next);
	if (mac != NULL)
		load_mac(mac);
	serve();
	out_done();
	EVP_PKEY_free(keys.now.key);
	EVP_PKEY_free(keys.next.key);
	free(keys.now.jwk);
	free(keys.next.jwk);
	wipe(keys.mac, keys.maclen);
	return EX_YES;
}
