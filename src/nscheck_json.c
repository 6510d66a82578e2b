/* nscheck_json.c: all of it for programs. */
#include "nscheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

/* Text of somebody else: what is not printable ASCII is '?'. */
static json_t *
plain(const char *s, size_t n)
{
	char *copy = xasprintf("%.*s", (int)n, s);
	json_t *v;

	for (char *p = copy; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	v = json_string(copy);
	free(copy);
	return v;
}

static json_t *
text(const char *s)
{
	return s == NULL ? json_null() : plain(s, strlen(s));
}

/* Each line a string; NULL has none. */
static json_t *
lines(const char *s)
{
	json_t *a = json_array();

	for (size_t n; s != NULL; s = s[n] == '\n' ? s + n + 1 : NULL) {
		n = strcspn(s, "\n");
		json_array_append_new(a, plain(s, n));
	}
	return a;
}

/* The records that a fault says are lacking. */
static json_t *
lacks(const char *s)
{
	static const char word[] = "lacks: ";
	json_t *a = json_array();
	size_t n;

	while (s != NULL && (s = strstr(s, word)) != NULL) {
		s += sizeof(word) - 1;
		n = strcspn(s, "\n");
		json_array_append_new(a, plain(s, n));
		s += n;
	}
	return a;
}

static json_t *
rr_type(ldns_rr_type type)
{
	char *s = ldns_rr_type2str(type);
	json_t *v = text(s);

	free(s);
	return v;
}

/* A moment of dns_now() as "2026-11-20T23:59:58Z"; null for none. */
static json_t *
moment(int64_t t)
{
	enum { SECOND = 1000, SIZE = sizeof("2026-11-20T23:59:58Z") + 8 };
	time_t at = time(NULL) - (time_t)((dns_now() - t) / SECOND);
	char s[SIZE];
	struct tm tm;

	if (t == 0 || gmtime_r(&at, &tm) == NULL ||
	    strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(s);
}

static json_t *
server(const struct dns_ns *ns)
{
	const char *s = dns_addr_text(&ns->addr);
	json_t *o = json_object();
	in_port_t port = ns->addr.at.any.sa_family == AF_INET ? ns->addr.at.v4.sin_port :
	    ns->addr.at.v6.sin6_port;

	json_object_set_new(o, "host", text(ns->host));
	json_object_set_new(o, "address", plain(s, strcspn(s, "#")));
	json_object_set_new(o, "port", json_integer(ntohs(port)));
	return o;
}

/* A set, and what is known of it as a whole. */
static json_t *
record(const struct dns_check *c, size_t i)
{
	const struct dns_target *t = &c->target[i];
	json_t *o = json_object(), *data = json_array();
	char *why = dns_check_why(c, i);

	json_object_set_new(o, "owner", text(t->set->owner));
	json_object_set_new(o, "type", rr_type(t->set->type));
	json_object_set_new(o, "place", text(t->place.target));
	json_object_set_new(o, "zone", text(t->place.zone));
	json_object_set_new(o, "ttl", json_integer(t->ttl));
	json_object_set_new(o, "served", json_boolean(t->served));
	json_object_set_new(o, "why", text(why));
	for (size_t l = 0; l < t->set->n; l++)
		json_array_append_new(data, text(t->set->line[l]->text));
	json_object_set_new(o, "lines", data);
	free(why);
	return o;
}

/* What a server has of a set. */
static json_t *
view(const struct dns_target *t, const struct dns_view *v)
{
	json_t *o = json_object();

	json_object_set_new(o, "owner", text(t->set->owner));
	json_object_set_new(o, "type", rr_type(t->set->type));
	json_object_set_new(o, "serves", json_boolean(v->serves));
	json_object_set_new(o, "since", moment(v->since));
	json_object_set_new(o, "asked", moment(v->last));
	json_object_set_new(o, "silent", json_boolean(v->silent));
	json_object_set_new(o, "reachable", json_boolean(!v->no_route));
	json_object_set_new(o, "lacks", lacks(v->fault));
	json_object_set_new(o, "faults", lines(v->fault));
	return o;
}

static json_t *
servers(const struct dns_check *c, const struct dns_zone *z)
{
	json_t *all = json_array();

	for (size_t s = 0; s < z->n; s++) {
		json_t *o = server(&z->ns[s]), *sets = json_array();
		bool serves = true;

		for (size_t i = 0; i < c->n; i++) {
			const struct dns_target *t = &c->target[i];

			if (t->zone != z)
				continue;
			serves = serves && t->view[s].serves;
			json_array_append_new(sets, view(t, &t->view[s]));
		}
		json_object_set_new(o, "serves", json_boolean(serves));
		json_object_set_new(o, "records", sets);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *
zone(const struct dns_check *c, const struct dns_zone *z)
{
	json_t *o = json_object();

	json_object_set_new(o, "zone", text(z->apex));
	json_object_set_new(o, "why", text(z->why));
	json_object_set_new(o, "servers", servers(c, z));
	return o;
}

/* A zone that was asked for by its name, and what is above it. */
static json_t *
apex(const struct apex *a, const struct parent *p)
{
	json_t *o = json_object(), *all = json_array();

	json_object_set_new(o, "zone", text(a->name));
	json_object_set_new(o, "why", text(a->why));
	json_object_set_new(o, "source", text(a->source));
	json_object_set_new(o, "parent", text(p->zone.apex));
	for (size_t s = 0; p->view != NULL && s < p->zone.n; s++) {
		json_t *one = server(&p->zone.ns[s]);

		json_object_set_new(one, "told", json_boolean(p->view[s].told));
		json_object_set_new(one, "faults", lines(p->view[s].fault));
		json_array_append_new(all, one);
	}
	json_object_set_new(o, "parents", all);
	return o;
}

void
json_print(const struct dns_check *c, const struct apex *a, const struct parent *p, size_t n,
    bool all)
{
	json_t *o = json_object(), *records = json_array(), *zones = json_array();
	json_t *named = json_array();

	json_object_set_new(o, "time", moment(dns_now()));
	json_object_set_new(o, "served", json_boolean(all));
	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(records, record(c, i));
	json_object_set_new(o, "records", records);
	for (size_t i = 0; i < c->nzone; i++)
		json_array_append_new(zones, zone(c, c->zone[i]));
	json_object_set_new(o, "zones", zones);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(named, apex(&a[i], &p[i]));
	if (n > 0)
		json_object_set_new(o, "named", named);
	else
		json_decref(named);
	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}
