/* block.c: the blocks of a PEM file, one by one. */
#include "cert.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* The first line in [s, end) that begins a block; end if none does. */
static const char *
begin_line(const char *s, const char *end)
{
	static const char begin[] = "-----BEGIN ";
	const char *p = s;

	for (; (p = memmem(p, (size_t)(end - p), begin, sizeof(begin) - 1)) != NULL; p++)
		if (p == s || p[-1] == '\n')
			return p;
	return end;
}

static bool
blank(const char *s, const char *end)
{
	while (s < end && strchr(" \t\r\n", *s) != NULL && *s != '\0')
		s++;
	return s == end;
}

/* Is there a line in this text that begins as those around a block do, or the
 * start of one where the file was cut short?  Then a block was there. */
static bool
debris(const char *s, const char *end)
{
	static const char dashes[] = "-----";
	const size_t n = sizeof(dashes) - 1;
	const char *nl;

	for (; (nl = memchr(s, '\n', (size_t)(end - s))) != NULL; s = nl + 1)
		if (strncmp(s, dashes, n) == 0)
			return true;
	return s < end && memcmp(s, dashes, (size_t)(end - s) < n ? (size_t)(end - s) : n) == 0;
}

int
block_next(struct block *b, const char **at, const char *end)
{
	const char *begin = begin_line(*at, end), *stop;
	bool broken = debris(*at, begin);
	int got = -1;
	BIO *bio;

	*b = (struct block){.text = !blank(*at, begin)};
	*at = begin;
	ERR_clear_error();
	if (broken || begin == end)
		return broken ? -1 : 0;
	/* No further than the next one begins: what lacks its end is not to
	 * swallow its neighbour, and a file of beginnings is read but once. */
	stop = begin_line(begin + 1, end);
	if ((bio = BIO_new_mem_buf(begin, (int)(stop - begin))) == NULL)
		die(EX_TEMP, "out of memory");
	*at = stop;
	if (PEM_read_bio(bio, &b->type, &b->header, &b->der, &b->len)) {
		*at -= BIO_ctrl_pending(bio);
		got = 1;
	}
	BIO_free(bio);
	return got;
}

void
block_free(struct block *b)
{
	OPENSSL_free(b->type);
	OPENSSL_free(b->header);
	OPENSSL_clear_free(b->der, (size_t)b->len);
	*b = (struct block){0};
}
