/* nscheck_extra.c: public resolvers. */
#include "nscheck.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	POLL_FIRST_MS = 50,	/* between two rounds, to begin with, */
	POLL_LAST_MS = 10000,	/* and at most */
	EXTRA_MS = 20000,	/* for all of them */
	EXTRA_NS = 16,
	DNS_PORT = 53
};

void
pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&t, NULL);
}

struct extra {
	const char *name;
	struct dns_addr addr;
	char *fault;		/* what it said last that was wrong */
	bool silent;
};

/* "host" or "host#port", as in the file. */
static size_t
find_extras(const struct site *site, struct extra *e, bool quiet)
{
	const struct toml *at = NULL;
	const char *name, *mark;
	size_t n = 0;
	long port;
	char *host;

	while (n < EXTRA_NS && (name = conf_next(site->dns_xtra_ns, &at)) != NULL) {
		mark = strchr(name, '#');
		host = mark == NULL ? xstrdup(name) : xasprintf("%.*s", (int)(mark - name), name);
		port = mark == NULL ? DNS_PORT : strtol(mark + 1, NULL, 10);
		e[n] = (struct extra){.name = name};
		if (port > 0 && port <= UINT16_MAX && dns_addr_find(&e[n].addr, 1, host, port) == 1)
			n++;
		else if (!quiet)
			complain("the resolver '%s' has no address", name);
		free(host);
	}
	return n;
}

/* Ask a resolver for all sets; does it serve them? */
static void
ask_extras(const struct dns_check *c, struct extra *e, size_t n, int64_t until)
{
	struct dns_query *q = xmalloc(n * c->n * sizeof(*q));
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t t = 0; t < c->n; t++)
			q[m++] = (struct dns_query){.name = c->target[t].place.target,
			    .type = c->target[t].set->type, .server = e[i].addr, .recurse = true};
	dns_ask(q, m, until);
	for (size_t i = 0; i < n; i++) {
		free(e[i].fault);
		e[i].fault = NULL;
		for (size_t t = 0; t < c->n && e[i].fault == NULL; t++) {
			const struct dns_query *one = &q[i * c->n + t];

			e[i].fault = dns_fault(one, c->target[t].set, c->superset);
			e[i].silent = one->fate != DNS_ANSWER;
		}
	}
	dns_free(q, m);
	free(q);
}

void
extras_wait(const struct dns_check *c, const struct site *site, int64_t end, bool quiet)
{
	struct extra e[EXTRA_NS], swap;
	size_t n = find_extras(site, e, quiet), all = n;
	int64_t step = POLL_FIRST_MS;

	if (end > dns_now() + EXTRA_MS)
		end = dns_now() + EXTRA_MS;
	while (n > 0 && dns_now() < end) {
		ask_extras(c, e, n, end);
		/* Those that serve all, or do not answer, are not waited for. */
		for (size_t i = n; i-- > 0;)
			if (e[i].fault == NULL || e[i].silent) {
				swap = e[--n];
				e[n] = e[i];
				e[i] = swap;
			}
		if (n > 0)
			pause_ms(step < end - dns_now() ? step : end - dns_now());
		step = step * 3 / 2 < POLL_LAST_MS ? step * 3 / 2 : POLL_LAST_MS;
	}
	for (size_t i = 0; i < all; i++) {
		if (e[i].fault != NULL && !quiet)
			complain("the resolver %s %.*s", e[i].name, (int)strcspn(e[i].fault, "\n"),
			    e[i].fault);
		free(e[i].fault);
	}
}
