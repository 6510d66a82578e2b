/* sslm-bundle: the last step of a renewal, a set made whole. */
#include "cert.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>

static const char usage[] =
    "usage: sslm-bundle dir ...\n"
    "       sslm-bundle -h | -V\n";

/* The key and, behind it, the certificates in PEM; the length of the key in
 * *keylen.  NULL after a complaint. */
static BIO *
encode(const struct set *s, size_t *keylen)
{
	BIO *mem = BIO_new(BIO_s_secmem());
	bool ok = mem != NULL &&
	    PEM_write_bio_PrivateKey(mem, s->key, NULL, NULL, 0, NULL, NULL);

	*keylen = BIO_ctrl_pending(mem);
	for (int i = 0; ok && i < sk_X509_num(s->full); i++)
		ok = PEM_write_bio_X509(mem, sk_X509_value(s->full, i));
	if (ok)
		return mem;
	pem_complain("cannot encode the files of '%s'", s->dir);
	BIO_free(mem);
	return NULL;
}

/* The files that are missing; bundle.pem last, for it says that all are there. */
static int
make(const struct set *s, time_t now)
{
	size_t keylen, len;
	BIO *mem = encode(s, &keylen);
	int ret = EX_TEMP;
	char *pem;

	if (mem == NULL)
		return EX_PERM;
	len = (size_t)BIO_get_mem_data(mem, &pem);
	if (out_file(s->path[SET_FULLCHAIN], 0644, pem + keylen, len - keylen) != -1 &&
	    (info_get(s->dir, "issued") != -1 || info_put(s->dir, "issued", now) != -1) &&
	    out_file(s->path[SET_BUNDLE], 0600, pem, len) != -1)
		ret = EX_YES;
	OPENSSL_cleanse(pem, len);
	BIO_free(mem);
	return ret;
}

static int
bundle(const char *dir, time_t now)
{
	struct set s;
	struct stat st;
	int ret = set_open(&s, dir, now);

	if (ret == EX_YES) {
		if (lstat(s.path[SET_BUNDLE], &st) == 0)
			ret = set_made(&s);
		else
			ret = make(&s, now);
	}
	set_close(&s);
	return ret;
}

int
main(int argc, char *argv[])
{
	int c, one, ret = EX_YES;
	time_t now = time(NULL);

	start();
	while ((c = getopt(argc, argv, "hV")) != -1)
		opt_other(c, usage);
	if (optind == argc)
		opt_other('?', usage);
	/* What trying again does not mend outweighs what it may. */
	for (; optind < argc; optind++)
		if ((one = bundle(argv[optind], now)) != EX_YES && ret != EX_PERM)
			ret = one;
	finish(ret);
}
