/* b64.c: base64url without padding. */
#include "acme.h"

#include <stdlib.h>
#include <string.h>

static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *
b64url(const void *p, size_t len)
{
	const unsigned char *in = p;
	char *s = xmalloc(len + len / 3 + 3), *out = s;
	uint32_t bits = 0;
	int n = 0;		/* bits that are waiting */

	for (; len > 0; len--) {
		bits = bits << 8 | *in++;
		for (n += 8; n >= 6; n -= 6)
			*out++ = digit[bits >> (n - 6) & 63];
	}
	if (n > 0)
		*out++ = digit[bits << (6 - n) & 63];
	*out = '\0';
	return s;
}

unsigned char *
b64url_decode(const char *s, size_t *len)
{
	size_t size = strlen(s), at = 0;
	unsigned char *out = xmalloc(size);
	const char *d = digit;
	uint32_t bits = 0;
	int n = 0;

	for (; *s != '\0' && (d = strchr(digit, *s)) != NULL; s++) {
		bits = bits << 6 | (uint32_t)(d - digit);
		n += 6;
		if (n >= 8) {
			n -= 8;
			out[at++] = (unsigned char)(bits >> n & 255);
		}
	}
	if (d == NULL || n == 6 || (bits & ((1U << n) - 1)) != 0) {
		wipe(out, size);
		return NULL;
	}
	*len = at;
	return out;
}
