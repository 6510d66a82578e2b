/*
 * probe_run.c: all addresses at the same time.
 *
 * An address is asked for one type of key after the other, by a connection each: mail
 * servers count how many a client has.
 */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
	LINKS = 100,		/* connections at the same time */
	READ_MAX = 4096
};

struct link {			/* a connection at work */
	struct probe *probe;
	enum probe_key key;
	enum { CONNECTING, TALKING, SHAKING, OVER } state;
	int fd;
	short want;		/* POLLIN or POLLOUT */
	struct talk talk;
	SSL *ssl;
};

struct batch {
	struct link link[LINKS];
	struct pollfd fd[LINKS];
	size_t live;
	const struct probe_want *want;
};

static struct probe_seen *
seen(const struct link *l)
{
	return &l->probe->seen[l->key];
}

static void
hang_up(struct link *l)
{
	SSL_free(l->ssl);
	free(l->talk.why);
	if (l->fd != -1)
		close(l->fd);
	l->ssl = NULL;
	l->talk.why = NULL;
	l->fd = -1;
	l->state = OVER;
}

static void
end(struct link *l, enum probe_fate fate, const char *why)
{
	struct probe_seen *s = seen(l);

	s->fate = fate;
	s->why = xstrdup(why);
	hang_up(l);
}

/* ---- which types of key -------------------------------------------------------------- */

/* Is one of those that are to be shown of that type? */
static bool
is_wanted(const struct probe_want *w, enum probe_key k)
{
	for (int i = 0; i < sk_X509_num(w->shown); i++)
		if (probe_key_of(X509_get0_pubkey(sk_X509_value(w->shown, i))) == k)
			return true;
	return false;
}

/* Is there a type to ask an address for, after what it has shown?  It is in *k. */
static bool
next_key(const struct probe *p, const struct probe_want *w, enum probe_key *k)
{
	const struct probe_seen *s = p->seen;

	for (*k = 0; *k < PROBE_KEYS; (*k)++) {
		if (s[*k].fate == PROBE_SEEN || s[*k].fate == PROBE_HAS_NONE)
			continue;
		if (s[*k].fate != PROBE_UNASKED)
			return false;	/* it would be the same again */
		if (w->shown != NULL ? is_wanted(w, *k) : *k != PROBE_EDDSA ||
		    (s[PROBE_RSA].fate == PROBE_HAS_NONE && s[PROBE_ECDSA].fate == PROBE_HAS_NONE))
			return true;
	}
	return false;
}

/* ---- a connection, step by step ---------------------------------------------------- */

static void
dial(struct link *l)
{
	const struct dns_addr *a = l->probe->addr;

	l->fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	l->state = CONNECTING;
	l->want = POLLOUT;
	if (l->fd != -1 && (connect(l->fd, &a->at.any, a->len) == 0 || errno == EINPROGRESS))
		return;
	/* Known at once: it is this machine that has no way. */
	if (errno == ENETUNREACH || errno == EHOSTUNREACH || errno == EAFNOSUPPORT ||
	    errno == EADDRNOTAVAIL)
		end(l, PROBE_NO_ROUTE, "cannot be reached from here");
	else
		end(l, PROBE_LATER, strerror(errno));
}

static void
shake(struct link *l, const struct probe_want *w)
{
	const char *bye = l->probe->host->kind->bye;
	int got, how;

	ERR_clear_error();
	got = SSL_connect(l->ssl);
	how = got == 1 ? SSL_ERROR_NONE : SSL_get_error(l->ssl, got);
	if (how == SSL_ERROR_WANT_READ || how == SSL_ERROR_WANT_WRITE) {
		l->want = how == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		return;
	}
	if (got != 1) {
		probe_tls_failed(seen(l), l->ssl, got);
	} else {
		probe_tls_done(seen(l), l->ssl, l->probe->host, w);
		/* Out of politeness: nobody waits for what comes of it. */
		if (bye != NULL)
			SSL_write(l->ssl, bye, (int)strlen(bye));
		SSL_shutdown(l->ssl);
		ERR_clear_error();
	}
	hang_up(l);
}

static void
begin_tls(struct link *l, const struct probe_want *w)
{
	const char *why;

	l->ssl = probe_tls_new(l->probe->host, l->key, w, l->fd, &why);
	if (l->ssl == NULL) {
		end(l, PROBE_FAULT, why);
		return;
	}
	l->state = SHAKING;
	shake(l, w);
}

static void
connected(struct link *l, const struct probe_want *w)
{
	int why = 0;
	socklen_t len = sizeof(why);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1)
		why = errno;
	if (why == ENETUNREACH) {
		end(l, PROBE_NO_ROUTE, "cannot be reached from here");
	} else if (why != 0) {
		end(l, PROBE_LATER, strerror(why));
	} else if (l->probe->host->kind->title == NULL) {
		begin_tls(l, w);
	} else {
		l->state = TALKING;
		l->want = POLLIN;
		l->talk = (struct talk){.kind = l->probe->host->kind};
	}
}

static void
talk(struct link *l, const struct probe_want *w)
{
	char buf[READ_MAX];
	ssize_t n = recv(l->fd, buf, sizeof(buf), 0);
	enum talk_state state;
	size_t len;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(l, PROBE_LATER, "ends the connection before TLS");
		return;
	}
	state = talk_put(&l->talk, buf, (size_t)n);
	if (state == TALK_FAULT || state == TALK_LATER) {
		end(l, state == TALK_FAULT ? PROBE_FAULT : PROBE_LATER, l->talk.why);
	} else if (state == TALK_TLS) {
		begin_tls(l, w);
	} else if (state == TALK_SAY) {
		/* Some octets, and nothing is under way: they fit. */
		len = strlen(l->talk.say);
		if (send(l->fd, l->talk.say, len, MSG_NOSIGNAL) != (ssize_t)len)
			end(l, PROBE_LATER, "ends the connection before TLS");
	}
}

static void
step(struct link *l, const struct probe_want *w)
{
	switch (l->state) {
	case CONNECTING: connected(l, w); break;
	case TALKING: talk(l, w); break;
	case SHAKING: shake(l, w); break;
	case OVER: break;
	}
}

/* ---- all of them ------------------------------------------------------------------- */

/* Begin with the next type of key; false if there is none. */
static bool
begin(struct link *l, struct probe *p, const struct probe_want *w)
{
	enum probe_key k;

	while (next_key(p, w, &k)) {
		*l = (struct link){.probe = p, .key = k, .fd = -1};
		dial(l);
		if (l->state != OVER)
			return true;
	}
	return false;
}

static void
wait_for(struct batch *b, int64_t until)
{
	int64_t left = until - dns_now();

	for (size_t i = 0; i < b->live; i++)
		b->fd[i] = (struct pollfd){.fd = b->link[i].fd, .events = b->link[i].want};
	if (poll(b->fd, b->live, left > 0 ? (int)left : 0) == -1)
		for (size_t i = 0; i < b->live; i++)
			b->fd[i].revents = 0;
}

static void
work(struct batch *b)
{
	for (size_t i = 0; i < b->live; i++) {
		if (b->fd[i].revents == 0)
			continue;
		step(&b->link[i], b->want);
	}
	for (size_t i = b->live; i-- > 0;) {
		struct link *l = &b->link[i];

		if (l->state == OVER && !begin(l, l->probe, b->want))
			*l = b->link[--b->live];
	}
}

static const char *
late(const struct link *l)
{
	static const char *const why[] = {
		[CONNECTING] = "does not answer in time",
		[TALKING] = "does not come to STARTTLS in time",
		[SHAKING] = "does not end the TLS handshake in time",
		[OVER] = ""
	};

	return why[l->state];
}

void
probe_run(struct probe *p, size_t n, const struct probe_want *w, int64_t until)
{
	struct batch *b = xmalloc(sizeof(*b));
	enum probe_key k;
	size_t next = 0;

	b->live = 0;
	b->want = w;
	while ((next < n || b->live > 0) && dns_now() < until) {
		for (; next < n && b->live < LINKS; next++)
			if (begin(&b->link[b->live], &p[next], w))
				b->live++;
		if (b->live > 0) {
			wait_for(b, until);
			work(b);
		}
	}
	for (size_t i = 0; i < b->live; i++)
		end(&b->link[i], PROBE_LATER, late(&b->link[i]));
	for (; next < n; next++)
		if (next_key(&p[next], w, &k))
			p[next].seen[k] = (struct probe_seen){.fate = PROBE_LATER,
			    .why = xstrdup("was not asked, for the time was over")};
	free(b);
}

void
probe_free(struct probe *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < PROBE_KEYS; k++) {
			free(p[i].seen[k].why);
			sk_X509_pop_free(p[i].seen[k].chain, X509_free);
		}
}
