/* sslm-genkey: make a private key, in a file that did not exist before. */
#include "cert.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

enum { RSA_MIN = 2048, RSA_MAX = 8192, RSA_BITS = 4096 };

static const char usage[] =
    "usage: sslm-genkey [-b bits] [-c curve] [-t type] -o file\n"
    "       sslm-genkey -h | -V\n";

static EVP_PKEY *
make_key(const char *type, const char *curve, long bits)
{
	const char *name;

	if (strcasecmp(type, "rsa") == 0)
		return EVP_RSA_gen((size_t)bits);
	if (strcasecmp(type, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (strcasecmp(type, "ec") != 0)
		die(EX_USE, "-t '%s': not ec, rsa or ed25519", type);
	if ((name = curve_name(curve)) == NULL)
		die(EX_USE, "-c '%s': no such curve", curve);
	return EVP_EC_gen(name);
}

int
main(int argc, char *argv[])
{
	const char *curve = "secp384r1", *file = NULL, *type = "ec";
	struct stat st;
	EVP_PKEY *key;
	char *pem;
	long bits = RSA_BITS, len;
	BIO *mem;
	int c;

	start();
	while ((c = getopt(argc, argv, "b:c:ho:t:V")) != -1)
		switch (c) {
		case 'b': bits = num(optarg, RSA_MIN, RSA_MAX, "-b"); break;
		case 'c': curve = optarg; break;
		case 'o': file = optarg; break;
		case 't': type = optarg; break;
		default: opt_other(c, usage);
		}
	if (optind != argc || file == NULL)
		opt_other('?', usage);
	/* Before the work: a 8192 bit key takes a while. */
	if (lstat(file, &st) == 0)
		die(EX_PERM, "'%s' exists; a key is never replaced", file);

	if ((key = make_key(type, curve, bits)) == NULL)
		pem_die("cannot make a key of type %s", type);
	if ((mem = BIO_new(BIO_s_secmem())) == NULL ||
	    !PEM_write_bio_PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL))
		pem_die("cannot encode the key");
	len = BIO_get_mem_data(mem, &pem);
	if (out_new(file, 0600, pem, (size_t)len) == -1)
		finish(EX_TEMP);

	OPENSSL_cleanse(pem, (size_t)len);
	BIO_free(mem);
	EVP_PKEY_free(key);
	return EX_YES;
}
