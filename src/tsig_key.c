/* tsig_key.c: a key file as BIND's tsig-keygen(8) writes it.
 *
 *	key "name" {
 *		algorithm hmac-sha256;
 *		secret "base64";
 *	};
 *
 * Words may have quotes or not; comments are those of named.conf(5). */
#include "update.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { KEY_FILE_MAX = 8192 };

static const struct tsig_alg algs[] = {
    {"hmac-sha256", "SHA256", 32}, {"hmac-sha384", "SHA384", 48}, {"hmac-sha512", "SHA512", 64}};

struct lex {
	const char *path, *p;
	unsigned line;
};

struct token {
	char kind;		/* 'w' a word, '{', '}', ';', '\0' the end, '?' not closed */
	const char *s;		/* of a word, without quotes */
	size_t n;
	unsigned line;
};

/* The content of the file, which is the caller's to wipe; NULL after a complaint. */
static char *
read_key(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n = -1;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		complain("cannot open the key file '%s':", path);
		return NULL;
	}
	if (fstat(fd, &st) == -1) {
		complain("cannot read '%s':", path);
	} else if (!S_ISREG(st.st_mode)) {
		complain("the key file '%s' is not a regular file", path);
	} else if ((st.st_mode & 077) != 0) {
		complain("the key file '%s' is open to others: its mode is %04o, and has to be "
		    "0600 or 0400", path, (unsigned)(st.st_mode & 07777));
	} else {
		text = xmalloc(KEY_FILE_MAX + 1);
		while (len < KEY_FILE_MAX && ((n = read(fd, text + len, KEY_FILE_MAX - len)) > 0 ||
		    (n == -1 && errno == EINTR)))
			len += n > 0 ? (size_t)n : 0;
		if (n == -1)
			complain("cannot read '%s':", path);
		else if (len == KEY_FILE_MAX)
			complain("the key file '%s' is larger than %d bytes", path,
			    KEY_FILE_MAX - 1);
	}
	close(fd);
	if (text != NULL && n != 0) {
		wipe(text, KEY_FILE_MAX + 1);
		return NULL;
	}
	if (text != NULL)
		text[len] = '\0';	/* a NUL in it is its end: what is behind is missed */
	return text;
}

static void
skip_line(struct lex *l)
{
	l->p += strcspn(l->p, "\n");
}

/* Go to the next token; false at a comment without end. */
static bool
skip_blank(struct lex *l)
{
	for (;;) {
		if (*l->p == '\n')
			l->line++;
		if (*l->p != '\0' && isspace((unsigned char)*l->p)) {
			l->p++;
		} else if (*l->p == '#' || (l->p[0] == '/' && l->p[1] == '/')) {
			skip_line(l);
		} else if (l->p[0] == '/' && l->p[1] == '*') {
			for (l->p += 2; *l->p != '\0' && (l->p[0] != '*' || l->p[1] != '/'); l->p++)
				l->line += *l->p == '\n';
			if (*l->p == '\0')
				return false;
			l->p += 2;
		} else {
			return true;
		}
	}
}

static struct token
next(struct lex *l)
{
	struct token t = {'?', l->p, 0, l->line};

	if (!skip_blank(l))
		return t;
	t.line = l->line;
	if (*l->p == '\0') {
		t.kind = '\0';
	} else if (strchr("{};", *l->p) != NULL) {
		t.kind = *l->p++;
	} else if (*l->p == '"') {
		t.s = l->p + 1;
		t.n = strcspn(t.s, "\"\n");
		if (t.s[t.n] == '"') {
			t.kind = 'w';
			l->p = t.s + t.n + 1;
		}
	} else {
		t.kind = 'w';
		t.s = l->p;
		t.n = strcspn(t.s, " \t\r\n\v\f{};\"#");
		l->p += t.n > 0 ? t.n : 1;
	}
	return t;
}

static bool
is(const struct token *t, const char *word)
{
	return t->kind == 'w' && t->n == strlen(word) && strncmp(t->s, word, t->n) == 0;
}

static bool
fault(const struct lex *l, unsigned line, const char *what)
{
	complain("%s:%u: %s", l->path, line, what);
	return false;
}

static bool
want(struct lex *l, char kind)
{
	static const struct { char kind; const char *what; } words[] = {
	    {'{', "'{' is missing"}, {'}', "'}' is missing"}, {';', "';' is missing"}};
	struct token t = next(l);

	for (size_t i = 0; t.kind != kind && i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].kind == kind)
			return fault(l, t.line, words[i].what);
	return true;
}

static bool
take_name(struct tsig_key *key, const struct lex *l, const struct token *t)
{
	ldns_rdf *name = NULL;
	bool ok;

	key->name = xasprintf("%.*s", (int)t->n, t->s);
	ok = dns_plain(key->name) && ldns_str2rdf_dname(&name, key->name) == LDNS_STATUS_OK &&
	    ldns_rdf_size(name) <= sizeof(key->wire);
	if (ok) {
		key->wire_len = ldns_rdf_size(name);
		for (size_t i = 0; i < key->wire_len; i++)
			key->wire[i] = (uint8_t)tolower(ldns_rdf_data(name)[i]);
	}
	ldns_rdf_deep_free(name);
	return ok || fault(l, t->line, "the name of the key is not a name for us");
}

static bool
take_alg(struct tsig_key *key, const struct lex *l, const struct token *t)
{
	if (key->alg != NULL)
		return fault(l, t->line, "a second 'algorithm'");
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (t->n == strlen(algs[i].name) && strncasecmp(t->s, algs[i].name, t->n) == 0)
			key->alg = &algs[i];
	return key->alg != NULL ||
	    fault(l, t->line, "the algorithm has to be hmac-sha256, hmac-sha384 or hmac-sha512");
}

static bool
take_secret(struct tsig_key *key, const struct lex *l, const struct token *t)
{
	size_t digits = strspn(t->s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/"), pad = t->n - digits;

	if (key->len != 0)
		return fault(l, t->line, "a second 'secret'");
	if (digits == 0 || digits > t->n || pad > 2 || t->n % 4 != 0 ||
	    strncmp(t->s + digits, "==", pad) != 0)
		return fault(l, t->line, "the secret is not base64");
	if (t->n / 4 * 3 > sizeof(key->secret))
		return fault(l, t->line, "the secret is too long");
	if (EVP_DecodeBlock(key->secret, (const unsigned char *)t->s, (int)t->n) == -1)
		return fault(l, t->line, "the secret is not base64");
	key->len = t->n / 4 * 3 - pad;
	return true;
}

/* What is between the braces. */
static bool
take_body(struct tsig_key *key, struct lex *l)
{
	struct token t, value;
	bool ok;

	while ((t = next(l)).kind == 'w') {
		value = next(l);
		if (value.kind != 'w')
			return fault(l, value.line, "a value is missing");
		if (is(&t, "algorithm"))
			ok = take_alg(key, l, &value);
		else if (is(&t, "secret"))
			ok = take_secret(key, l, &value);
		else
			ok = fault(l, t.line, "a key has 'algorithm' and 'secret', and nothing else");
		if (!ok || !want(l, ';'))
			return false;
	}
	if (t.kind != '}')
		return fault(l, t.line, "'}' is missing");
	if (key->alg == NULL || key->len == 0)
		return fault(l, t.line, key->alg == NULL ? "the key has no 'algorithm'" :
		    "the key has no 'secret'");
	return want(l, ';');
}

static bool
take_key(struct tsig_key *key, struct lex *l)
{
	struct token t = next(l);

	if (!is(&t, "key"))
		return fault(l, t.line, "does not begin with 'key', as a key of BIND does");
	t = next(l);
	if (t.kind != 'w')
		return fault(l, t.line, "the key has no name");
	if (!take_name(key, l, &t) || !want(l, '{') || !take_body(key, l))
		return false;
	t = next(l);
	return t.kind == '\0' || fault(l, t.line, "there is more than one key");
}

struct tsig_key *
tsig_key_load(const char *path)
{
	struct tsig_key *key;
	struct lex l = {path, NULL, 1};
	char *text = read_key(path);

	if (text == NULL)
		return NULL;
	key = xmalloc(sizeof(*key));
	memset(key, 0, sizeof(*key));
	l.p = text;
	if (!take_key(key, &l)) {
		tsig_key_free(key);
		key = NULL;
	}
	wipe(text, KEY_FILE_MAX + 1);
	return key;
}

void
tsig_key_free(struct tsig_key *key)
{
	if (key == NULL)
		return;
	free(key->name);
	wipe(key, sizeof(*key));
}
