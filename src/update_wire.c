/* update_wire.c: octets of messages. */
#include "update.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, POINTER = 0xc0 };

struct wire
wire_new(void)
{
	return (struct wire){.p = xmalloc(WIRE_MAX)};
}

void
wire_put(struct wire *w, const void *p, size_t n)
{
	if (w->full || n > WIRE_MAX - w->n) {
		w->full = true;
		return;
	}
	if (n > 0)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

static void
put_number(struct wire *w, uint64_t n, unsigned octets)
{
	uint8_t p[8];

	for (unsigned i = octets; i-- > 0; n >>= 8)
		p[i] = (uint8_t)n;
	wire_put(w, p, octets);
}

void
wire_put16(struct wire *w, unsigned n)
{
	put_number(w, n, 2);
}

void
wire_put32(struct wire *w, uint32_t n)
{
	put_number(w, n, 4);
}

void
wire_put48(struct wire *w, uint64_t n)
{
	put_number(w, n, 6);
}

void
wire_put_type(struct wire *w, const ldns_rdf *owner, unsigned type, unsigned class)
{
	wire_put(w, ldns_rdf_data(owner), ldns_rdf_size(owner));
	wire_put16(w, type);
	wire_put16(w, class);
	wire_put32(w, 0);
	wire_put16(w, 0);
}

void
wire_put_rr(struct wire *w, const ldns_rr *rr, unsigned class, uint32_t ttl)
{
	uint8_t *octets = NULL;
	size_t n = 0, owner = ldns_rdf_size(ldns_rr_owner(rr));

	if (ldns_rr2wire(&octets, rr, LDNS_SECTION_ANSWER, &n) != LDNS_STATUS_OK || n < owner + 10) {
		free(octets);
		w->full = true;
		return;
	}
	wire_put(w, octets, owner);
	wire_put16(w, ldns_rr_get_type(rr));
	wire_put16(w, class);
	wire_put32(w, ttl);
	wire_put(w, octets + owner + 8, n - owner - 8);
	free(octets);
}

unsigned
wire_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

size_t
wire_name(const uint8_t *p, size_t n, size_t *at, uint8_t name[WIRE_NAME_MAX])
{
	size_t i = *at, first = *at, len = 0, label;
	bool jumped = false;

	for (;;) {
		if (i >= n)
			return 0;
		label = p[i];
		if ((label & POINTER) == POINTER) {
			if (i + 1 >= n)
				return 0;
			if (!jumped)
				*at = i + 2;
			jumped = true;
			/* To before where this piece began: so there is no circle. */
			i = (label & ~(size_t)POINTER) << 8 | p[i + 1];
			if (i >= first)
				return 0;
			first = i;
			continue;
		}
		if (label > LABEL_MAX || n - i <= label || len + label + 1 > WIRE_NAME_MAX)
			return 0;
		name[len++] = (uint8_t)label;
		for (size_t k = 1; k <= label; k++)
			name[len++] = (uint8_t)tolower(p[i + k]);
		i += label + 1;
		if (label == 0)
			break;
	}
	if (!jumped)
		*at = i;
	return len;
}
