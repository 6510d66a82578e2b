/* dane_owner.c: where a service's TLSA records have to be. */
#include "dane.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAIL = 25 };	/* the port that MX records are about */

struct dane_item *
dane_items(const struct service *s, size_t *n)
{
	struct dane_item *items = NULL;
	const struct toml *v;

	*n = 0;
	/* service_load() has checked the form. */
	for (const struct toml *e = s->dane_tls != NULL ? s->dane_tls->first : NULL; e != NULL;
	    e = e->next) {
		struct dane_item item = {0};

		v = e->first;
		item.port = v->num;
		v = v->next;
		item.proto = strcasecmp(v->str, "tcp") == 0 ? "tcp" :
		    strcasecmp(v->str, "udp") == 0 ? "udp" : "sctp";
		v = v->next;
		item.usage = v->num;
		v = v->next;
		item.selector = v->num;
		v = v->next;
		item.match = v->num;
		item.mx = v->next != NULL ? strcasecmp(v->next->str, "MX") == 0 : item.port == MAIL;
		items = xreallocarray(items, *n + 1, sizeof(*items));
		items[(*n)++] = item;
	}
	return items;
}

void
dane_notes(const struct service *s, struct words *notes)
{
	struct dane_item *item;
	size_t n;

	item = dane_items(s, &n);
	for (size_t i = 0; i < n; i++)
		words_add(notes, xasprintf(";; dane_tls %ld %s %ld %ld %ld %s ttl %ld",
		    item[i].port, item[i].proto, item[i].usage, item[i].selector, item[i].match,
		    item[i].mx ? "MX" : "SANS", s->dane_tls_ttl));
	free(item);
}

/* Is name the zone, or below it? */
static bool
in_zone(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcasecmp(name + n - z, zone) == 0 && (n == z || name[n - z - 1] == '.');
}

/* The owner of a host's record; of a wildcard's, which no port can stand before
 * (RFC 4592, 2.1.1), the wildcard.  What is outside of the zone is complained of. */
static void
add_owner(const struct service *s, const struct dane_item *item, const char *host,
    struct words *owners)
{
	unsigned char addr[16];

	if (name_ip(host, addr) != 0)
		return;
	if (!in_zone(host[0] == '*' ? host + 2 : host, s->id->group))
		complain("%s: no TLSA record for '%s', which is not in the zone %s: it has to be "
		    "published where that is", s->path, host, s->id->group);
	else if (host[0] == '*')
		words_add(owners, xstrdup(host));
	else
		words_add(owners, xasprintf("_%ld._%s.%s", item->port, item->proto, host));
}

void
dane_owners(const struct service *s, const struct dane_item *item, const struct words *mx,
    struct words *owners)
{
	const char *why;
	char *apex;

	if (!item->mx) {
		for (size_t i = 0; i < s->nnames; i++)
			add_owner(s, item, s->names[i], owners);
	} else if ((apex = name_canon(s->id->group, &why)) != NULL) {
		add_owner(s, item, apex, owners);
		free(apex);
		for (size_t i = 0; i < mx->n; i++)
			add_owner(s, item, mx->w[i], owners);
	}
	words_sort(owners);
}
