/* sslm-dhparm: Diffie-Hellman parameters for servers: the groups of RFC 7919, and
 * generated ones that are made anew when they are old. */
#include "cert.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const char usage[] =
    "usage: sslm-dhparm [-fsv] [-a days] [-k list] dir ...\n"
    "       sslm-dhparm -h | -V\n";

enum {
	BITS_MIN = 2048,
	BITS_MAX = 8192,
	DAYS = 120,
	DAYS_MAX = 36500,
	KEYS_MAX = 8,
	SECONDS_MAX = 6 * 3600,	/* for the making of one size */
	DAY = 86400
};

/* RFC 7919, appendix A. */
static const char *const named[] = {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144",
    "ffdhe8192"};
enum { NAMED_N = sizeof(named) / sizeof(named[0]) };

struct wish {
	bool force, below, talk;
	time_t now, oldest;	/* generated ones that are older are made anew */
	long bits[KEYS_MAX];	/* of those to generate */
	size_t n;
	char *first;		/* the file that dhparam.pem leads to */
};

/* The parameters in PEM; the caller frees. */
static char *
in_pem(EVP_PKEY *params, size_t *len)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char *data, *text;
	long n;

	if (mem == NULL || !PEM_write_bio_Parameters(mem, params))
		pem_die("cannot encode the parameters");
	n = BIO_get_mem_data(mem, &data);
	text = xmalloc((size_t)n + 1);
	memcpy(text, data, (size_t)n);
	text[n] = '\0';
	*len = (size_t)n;
	BIO_free(mem);
	return text;
}

static EVP_PKEY *
named_group(const char *name)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *params = NULL;

	if (ctx == NULL || EVP_PKEY_paramgen_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_group_name(ctx, name) <= 0 || EVP_PKEY_paramgen(ctx, &params) <= 0)
		pem_die("cannot make group %s", name);
	EVP_PKEY_CTX_free(ctx);
	return params;
}

/* A sign of life on a terminal, and the end of what takes too long. */
static int
going_on(EVP_PKEY_CTX *ctx)
{
	const time_t *end = EVP_PKEY_CTX_get_app_data(ctx);

	if (isatty(STDERR_FILENO))
		fputc(EVP_PKEY_CTX_get_keygen_info(ctx, 0) == 0 ? '.' : '+', stderr);
	return time(NULL) < *end;
}

/* A safe prime of so many bits, and the generator 2. */
static EVP_PKEY *
generate(long bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	time_t end = time(NULL) + SECONDS_MAX;
	EVP_PKEY *params = NULL;

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%ld bits, which may take minutes ", bits);
	if (ctx == NULL || EVP_PKEY_paramgen_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_dh_paramgen_prime_len(ctx, (int)bits) <= 0 ||
	    EVP_PKEY_CTX_set_dh_paramgen_generator(ctx, 2) <= 0)
		pem_die("cannot make parameters of %ld bits", bits);
	EVP_PKEY_CTX_set_app_data(ctx, &end);
	EVP_PKEY_CTX_set_cb(ctx, going_on);
	if (EVP_PKEY_paramgen(ctx, &params) <= 0) {
		if (time(NULL) >= end)
			die(EX_TEMP, "no parameters of %ld bits within %d hours", bits,
			    SECONDS_MAX / 3600);
		pem_die("cannot make parameters of %ld bits", bits);
	}
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	EVP_PKEY_CTX_free(ctx);
	return params;
}

/* Does the file hold parameters of that size, younger than the oldest allowed?  The time
 * of one from a day that is still to come says nothing. */
static bool
still_good(const struct wish *w, const char *path, long bits)
{
	EVP_PKEY *params = NULL;
	EVP_PKEY_CTX *ctx;
	struct stat st;
	bool good;
	size_t len;
	char *text;
	BIO *mem;

	if (w->force || stat(path, &st) == -1 || st.st_mtime <= w->oldest ||
	    st.st_mtime > w->now + DAY || (text = slurp_try(path, &len)) == NULL)
		return false;
	if ((mem = BIO_new_mem_buf(text, (int)len)) == NULL)
		die(EX_TEMP, "out of memory");
	params = PEM_read_bio_Parameters(mem, NULL);
	ctx = params == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	good = ctx != NULL && EVP_PKEY_is_a(params, "DH") && EVP_PKEY_get_bits(params) == bits &&
	    EVP_PKEY_param_check_quick(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	BIO_free(mem);
	free(text);
	return good;
}

/* Put a file in place; false after a complaint. */
static bool
put(const struct wish *w, const char *path, const char *text, size_t len)
{
	int done = out_file(path, 0644, text, len);

	if (done == 1 && w->talk)
		puts(path);
	return done != -1;
}

/* One file name in all directories; false after complaints. */
static bool
put_named(const struct wish *w, const struct words *dirs, const char *name)
{
	EVP_PKEY *params = named_group(name);
	bool ok = true;
	char *text;
	size_t len;

	text = in_pem(params, &len);
	for (size_t i = 0; i < dirs->n; i++) {
		char *path = xasprintf("%s/dh-%s.pem", dirs->w[i], name);

		ok = put(w, path, text, len) && ok;
		free(path);
	}
	free(text);
	EVP_PKEY_free(params);
	return ok;
}

/* The same of what has to be generated: once, for all the directories that want it. */
static bool
put_generated(const struct wish *w, const struct words *dirs, long bits)
{
	EVP_PKEY *params = NULL;
	char *text = NULL;
	bool ok = true;
	size_t len = 0;

	for (size_t i = 0; i < dirs->n; i++) {
		char *path = xasprintf("%s/dh%ld.pem", dirs->w[i], bits);

		if (!still_good(w, path, bits)) {
			if (text == NULL) {
				params = generate(bits);
				text = in_pem(params, &len);
			}
			ok = put(w, path, text, len) && ok;
		}
		free(path);
	}
	free(text);
	EVP_PKEY_free(params);
	return ok;
}

/* dir/dhparam.pem, where it does not lead there yet; never to nowhere. */
static bool
put_link(const struct wish *w, const char *dir)
{
	char *path = xasprintf("%s/dhparam.pem", dir), *to = xasprintf("%s/%s", dir, w->first);
	bool ok = true;
	char have[300];

	if (access(to, R_OK) == 0 && (link_target(path, have, sizeof(have)) == NULL ||
	    strcmp(have, w->first) != 0)) {
		ok = out_link(w->first, path) == 0;
		if (ok && w->talk)
			puts(path);
	}
	free(to);
	free(path);
	return ok;
}

/* dir/dh, made if need be, goes to the list; false after a complaint. */
static bool
add_dir(struct words *dirs, const char *dir)
{
	char *path = xasprintf("%s/dh", dir);
	struct stat st;

	if (make_dir(path, 0750) == 0) {
		if (stat(path, &st) == -1) {
			complain("cannot find '%s':", path);
		} else if (!S_ISDIR(st.st_mode)) {
			complain("'%s' is not a directory", path);
		} else {
			words_add(dirs, path);
			return true;
		}
	}
	free(path);
	return false;
}

/* Every sub-directory but that of CAs, which serve nobody. */
static bool
add_below(struct words *dirs, const char *dir)
{
	struct dirent *e;
	struct stat st;
	bool ok = true;
	DIR *d;

	if ((d = opendir(dir)) == NULL) {
		complain("cannot open directory '%s':", dir);
		return false;
	}
	while (errno = 0, (e = readdir(d)) != NULL) {
		char *path = xasprintf("%s/%s", dir, e->d_name);

		if (e->d_name[0] != '.' && strcmp(e->d_name, "ca") != 0 &&
		    lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			ok = add_dir(dirs, path) && ok;
		free(path);
	}
	if (errno != 0) {
		complain("cannot read directory '%s':", dir);
		ok = false;
	}
	closedir(d);
	return ok;
}

/* One word of -k: the name of a group, or a number of bits to generate. */
static void
add_wish(struct wish *w, const char *word)
{
	char *file = NULL;

	for (size_t i = 0; i < NAMED_N && file == NULL; i++)
		if (strcasecmp(word, named[i]) == 0)
			file = xasprintf("dh-%s.pem", named[i]);
	if (file == NULL) {
		if (*word < '0' || *word > '9')
			die(EX_USE, "-k '%s': neither a group of RFC 7919 nor a number of bits", word);
		if (w->n == KEYS_MAX)
			die(EX_USE, "-k: more than %d sizes", KEYS_MAX);
		w->bits[w->n] = num(word, BITS_MIN, BITS_MAX, "-k");
		file = xasprintf("dh%ld.pem", w->bits[w->n++]);
	}
	if (w->first == NULL)
		w->first = file;
	else
		free(file);
}

static void
add_wishes(struct wish *w, const char *list)
{
	char *copy = xstrdup(list), *at = copy, *word;

	while ((word = strsep(&at, ", ")) != NULL)
		if (*word != '\0')
			add_wish(w, word);
	free(copy);
}

int
main(int argc, char *argv[])
{
	struct wish w = {0};
	struct words dirs = {0};
	long days = DAYS;
	bool found = true, ok = true;
	int c;

	start();
	while ((c = getopt(argc, argv, "a:fhk:sVv")) != -1)
		switch (c) {
		case 'a': days = num(optarg, 0, DAYS_MAX, "-a"); break;
		case 'f': w.force = true; break;
		case 'k': add_wishes(&w, optarg); break;
		case 's': w.below = true; break;
		case 'v': w.talk = true; break;
		default: opt_other(c, usage);
		}
	if (optind == argc)
		opt_other('?', usage);
	if (w.first == NULL)
		add_wish(&w, named[NAMED_N - 1]);
	w.now = time(NULL);
	w.oldest = w.now - days * DAY;

	for (argv += optind; *argv != NULL; argv++)
		found = (w.below ? add_below(&dirs, *argv) : add_dir(&dirs, *argv)) && found;
	words_sort(&dirs);
	for (size_t i = 0; i < NAMED_N && dirs.n > 0; i++)
		ok = put_named(&w, &dirs, named[i]) && ok;
	for (size_t i = 0; i < w.n; i++)
		ok = put_generated(&w, &dirs, w.bits[i]) && ok;
	for (size_t i = 0; i < dirs.n; i++)
		ok = put_link(&w, dirs.w[i]) && ok;

	words_free(&dirs);
	free(w.first);
	out_done();
	if (!ok || !found)
		finish(found ? EX_TEMP : EX_PERM);
	return EX_YES;
}
