/* due.c: is a renewal wanted, and why? */
#include "cert.h"
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
 * read.  Each is read once. */
static bool
signer(const char *name, uint64_t *subject_id)
{
	static struct known {
		char *name;
		uint64_t id;
		bool known;
	} *all;
	static size_t n;
	const char *why;
	struct cert c;
	char *path;
	size_t i;

	for (i = 0; i < n && strcmp(all[i].name, name) != 0; i++)
		;
	if (i == n) {
		all = xreallocarray(all, ++n, sizeof(*all));
		path = xasprintf("certs/ca/%s/curr/cert.pem", name);
		all[i] = (struct known){.name = xstrdup(name), .known = cert_load(&c, path, &why)};
		if (all[i].known) {
			all[i].id = c.subject_id;
			cert_free(&c);
		}
		free(path);
	}
	*subject_id = all[i].id;
	return all[i].known;
}

bool
due_for_tests(const struct cert *c, const char *dir)
{
	if (has_file(dir, "order.json"))
		return false;
	return strncmp(c->issuer, "(STAGING) ", 10) == 0 || strncmp(c->issuer, "Fake LE ", 8) == 0;
}

/* Of an ACME CA nobody knows by which of its names it signs; but the set in dir
 * tells who was asked for it.  One that does not, because another program got it,
 * is a CA's of our own only if that has signed it. */
static bool
other_acme(const struct cert *c, const struct service *s, const char *dir)
{
	char *path = xasprintf("%s/order.json", dir), *order = slurp_try(path, NULL), *want;
	const struct site *site = s->site;
	const char *key, *url = ca_directory(site, s->ca, &key);
	bool other = false;
	uint64_t id;

	if (order != NULL && url != NULL) {
		want = xasprintf("\"directory\": \"%s\"", url);
		other = strstr(order, want) == NULL;
		free(want);
	}
	for (size_t i = 0; i < site->nca && order == NULL && !other; i++)
		other = site->ca[i].kind == CA_LOCAL && signer(site->ca[i].name, &id) &&
		    c->issuer_id == id;
	free(order);
	free(path);
	return other || (order == NULL && c->issuer_id == c->subject_id) || due_for_tests(c, dir);
}

/* Is it signed by another than the service asks for? */
static bool
other_signer(const struct cert *c, const struct service *s, const char *dir, char why[WHY_SIZE])
{
	uint64_t id = c->subject_id;

	if (s->ca->kind == CA_ACME ? !other_acme(c, s, dir) :
	    (s->ca->kind == CA_LOCAL && !signer(s->ca->name, &id)) || c->issuer_id == id)
		return false;
	snprintf(why, WHY_SIZE, "signed by '%s', wanted %s", c->issuer, s->ca->name);
	return true;
}

static bool
differs(const struct cert *c, const struct service *s, const char *dir, bool reuse,
    char why[WHY_SIZE])
{
	return other_content(c, s, reuse, why) || other_signer(c, s, dir, why);
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

/* When the set in dir is due by its dates; not before a third of what it had left when
 * it was issued.  A CA that gives an old certificate, or a clock far ahead of the CA's,
 * would have it made anew in every run. */
static time_t
due_time(const struct service *s, const char *dir, const struct cert *c)
{
	time_t t = renew_time(&s->renew, c->from, c->until, c->draw), issued = info_get(dir, "issued");

	if (issued > c->from && issued < c->until && t < issued + (c->until - issued) / 3)
		t = issued + (c->until - issued) / 3;
	return t;
}

/* Does a complete set fit together?  Who may not read its key cannot tell: then yes. */
static bool
fits(const char *dir, time_t now)
{
	static const int private[] = {SET_KEY, SET_BUNDLE};
	bool ours = true;

	for (size_t i = 0; i < 2 && ours; i++) {
		char *path = xasprintf("%s/%s", dir, set_name[private[i]]);

		ours = access(path, R_OK) == 0 || errno != EACCES;
		free(path);
	}
	return !ours || set_check(dir, now) == EX_YES;
}

/* A complete next is what we wait for, unless it is not what is wanted now, or would
 * never be rolled. */
static bool
next_stale(const struct service *s, const char *dir, const char *path, time_t now, bool reuse,
    char why[WHY_SIZE])
{
	char what[WHY_SIZE];
	const char *fault;
	struct cert c;
	bool stale;

	if (!cert_load(&c, path, &fault)) {
		snprintf(why, WHY_SIZE, "next: %s", fault);
		return true;
	}
	stale = differs(&c, s, dir, reuse, what) ||
	    late(&c, due_time(s, dir, &c), now, what);
	if (!stale && !fits(dir, now)) {
		snprintf(what, sizeof(what), "does not fit together");
		stale = true;
	}
	if (stale)
		snprintf(why, WHY_SIZE, "next: %.*s", WHY_SIZE - 8, what);
	cert_free(&c);
	return stale;
}

/* When it is due: by its dates; or as its CA wants it, then true. */
static bool
take_window(struct due *d, const struct service *s, const struct windows *windows, time_t now)
{
	const struct window *w;
	time_t at;
	char *id;

	if (s->ca->kind != CA_ACME || !d->have_curr)
		return false;
	id = xasprintf("%s/%s", s->id->group, s->id->service);
	w = window_find(windows, id, d->curr.serial);
	if ((at = window_time(w, &d->curr, now)) != -1)
		d->renew = at;
	d->ask = d->next == NEXT_NONE && (w == NULL || w->next <= now || w->next > now + WINDOW_KEPT);
	free(id);
	return at != -1;
}

bool
due_judge(struct due *d, const struct service *s, const struct windows *windows, time_t now,
    bool reuse)
{
	char *dir = service_dir(s->id), target[300];
	char *next = xasprintf("%s/next", dir), *next_cert = xasprintf("%s/cert.pem", next);
	char *curr = xasprintf("%s/curr", dir), *curr_cert = xasprintf("%s/cert.pem", curr);
	const char *to, *fault = NULL;
	bool ok = true, by_ca;

	memset(d, 0, sizeof(*d));
	if ((to = link_target(next, target, sizeof(target))) != NULL) {
		d->next = next_state(dir);
		snprintf(d->next_gen, sizeof(d->next_gen), "%s",
		    strrchr(to, '/') != NULL ? strrchr(to, '/') + 1 : to);
	}
	d->have_curr = cert_load(&d->curr, curr_cert, &fault);
	if (d->have_curr)
		d->renew = due_time(s, curr, &d->curr);
	by_ca = take_window(d, s, windows, now);

	if (d->next == NEXT_WHOLE) {
		d->due = next_stale(s, next, next_cert, now, reuse, d->why);
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
		d->due = differs(&d->curr, s, curr, reuse, d->why) ||
		    late(&d->curr, by_ca ? d->curr.until : d->renew, now, d->why);
		if (!d->due && now >= d->renew) {
			snprintf(d->why, WHY_SIZE, "its CA wants it renewed");
			d->due = true;
		}
		if (!d->due && d->next == NEXT_PART) {
			snprintf(d->why, WHY_SIZE, "the last run was interrupted");
			d->due = true;
		}
	}
	d->ask = d->ask && !d->due;
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
