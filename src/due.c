/* due.c: is a renewal wanted, and why? */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
has(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Does the certificate have other names, or another kind of key, than the
 * service asks for?  What is other goes to why. */
static bool
other_content(const struct cert *c, const struct service *s, bool reuse, char why[WHY_SIZE])
{
	if (!reuse && strcmp(c->kind, s->kind) != 0) {
		snprintf(why, WHY_SIZE, "key is %s, wanted %s", c->kind, s->kind);
		return true;
	}
	if (s->is_ca)
		return false;
	/* Mostly both lists are in one order, then this is quick. */
	for (size_t i = 0; i < s->nnames; i++)
		if ((i >= c->nnames || strcmp(c->names[i], s->names[i]) != 0) &&
		    !has(c->names, c->nnames, s->names[i])) {
			snprintf(why, WHY_SIZE, "new name %s", s->names[i]);
			return true;
		}
	for (size_t i = 0; i < c->nnames; i++)
		if ((i >= s->nnames || strcmp(c->names[i], s->names[i]) != 0) &&
		    !has(s->names, s->nnames, c->names[i])) {
			snprintf(why, WHY_SIZE, "name %s not wanted any more", c->names[i]);
			return true;
		}
	return false;
}

/* The CA that signs, as it is in use; false if it has no certificate that can be
 * read.  The last one is kept: mostly one CA signs all. */
static bool
signer(const char *name, uint64_t *subject_id)
{
	static char *last;
	static uint64_t id;
	static bool known;
	const char *why;
	struct cert c;
	char *path;

	if (last == NULL || strcmp(last, name) != 0) {
		free(last);
		last = xstrdup(name);
		path = xasprintf("certs/ca/%s/curr/cert.pem", name);
		if ((known = cert_load(&c, path, &why))) {
			id = c.subject_id;
			cert_free(&c);
		}
		free(path);
	}
	*subject_id = id;
	return known;
}

/* Is it signed by another than the service asks for?  Of an ACME CA nobody knows
 * by which of its names it will sign. */
static bool
other_signer(const struct cert *c, const struct service *s, char why[WHY_SIZE])
{
	uint64_t id = c->subject_id;

	if (s->ca->kind == CA_ACME || (s->ca->kind == CA_LOCAL && !signer(s->ca->name, &id)) ||
	    c->issuer_id == id)
		return false;
	snprintf(why, WHY_SIZE, "signed by '%s', wanted %s", c->issuer, s->ca->name);
	return true;
}

static bool
differs(const struct cert *c, const struct service *s, bool reuse, char why[WHY_SIZE])
{
	return other_content(c, s, reuse, why) || other_signer(c, s, why);
}

/* A clock may be a little behind that of the CA; not more than this. */
enum { SKEW = 300 };

/* Is it time, by the dates of the certificate? */
static bool
late(const struct cert *c, time_t renew, time_t now, char why[WHY_SIZE])
{
	char left[SPAN_SIZE];

	if (c->from > now + SKEW) {
		span(left, c->from - now);
		snprintf(why, WHY_SIZE, "not valid for another %s", left);
		return true;
	}
	if (now < renew)
		return false;
	span(left, c->until > now ? c->until - now : now - c->until);
	snprintf(why, WHY_SIZE, c->until > now ? "expires in %s" : "expired %s ago", left);
	return true;
}

/* A complete next is what we wait for, unless it is not what is wanted now. */
static bool
next_stale(const struct service *s, const char *path, time_t now, bool reuse, char why[WHY_SIZE])
{
	char what[WHY_SIZE];
	const char *fault;
	struct cert c;
	bool stale;

	if (!cert_load(&c, path, &fault)) {
		snprintf(why, WHY_SIZE, "next: %s", fault);
		return true;
	}
	stale = differs(&c, s, reuse, what) ||
	    late(&c, renew_time(&s->renew, c.from, c.until, c.draw), now, what);
	if (stale)
		snprintf(why, WHY_SIZE, "next: %.*s", WHY_SIZE - 8, what);
	cert_free(&c);
	return stale;
}

bool
due_judge(struct due *d, const struct service *s, time_t now, bool reuse)
{
	char *dir = service_dir(s->id), target[300];
	char *next = xasprintf("%s/next", dir), *next_cert = xasprintf("%s/cert.pem", next);
	char *curr = xasprintf("%s/curr", dir), *curr_cert = xasprintf("%s/cert.pem", curr);
	const char *to, *fault = NULL;
	bool ok = true;

	memset(d, 0, sizeof(*d));
	if ((to = link_target(next, target, sizeof(target))) != NULL) {
		d->next = next_state(dir);
		snprintf(d->next_gen, sizeof(d->next_gen), "%s",
		    strrchr(to, '/') != NULL ? strrchr(to, '/') + 1 : to);
	}
	d->have_curr = cert_load(&d->curr, curr_cert, &fault);
	if (d->have_curr)
		d->renew = renew_time(&s->renew, d->curr.from, d->curr.until, d->curr.draw);

	if (d->next == NEXT_WHOLE) {
		d->due = next_stale(s, next_cert, now, reuse, d->why);
	} else if (!d->have_curr && link_target(curr, target, sizeof(target)) != NULL) {
		/* Better a new certificate than none, but not in silence. */
		complain("'%s': %s", curr_cert, fault);
		snprintf(d->why, WHY_SIZE, "curr: %s", fault);
		d->due = true;
		ok = false;
	} else if (!d->have_curr) {
		snprintf(d->why, WHY_SIZE, "no certificate yet");
		d->due = true;
	} else {
		d->due = differs(&d->curr, s, reuse, d->why) ||
		    late(&d->curr, d->renew, now, d->why);
		if (!d->due && d->next == NEXT_PART) {
			snprintf(d->why, WHY_SIZE, "the last run was interrupted");
			d->due = true;
		}
	}
	free(curr_cert);
	free(curr);
	free(next_cert);
	free(next);
	free(dir);
	return ok;
}

void
due_free(struct due *d)
{
	if (d->have_curr)
		cert_free(&d->curr);
}
