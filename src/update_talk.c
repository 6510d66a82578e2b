/* update_talk.c: one conversation with one server, by TCP, within a time. */
#include "update.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LENGTH = 2,		/* octets before a message */
	CONNECT_MS = 5000,	/* for an address, if there is another one */
	QR = 0x80,		/* of the third octet */
	OPCODE = 0x78,
	TC = 0x02
};

void
talk_end(struct talk *t)
{
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
}

/* Wait for the socket; false, with errno, if the time is over. */
static bool
ready(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;

	while ((left = until - dns_now()) > 0)
		if (poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX) == 1)
			return true;
	errno = ETIMEDOUT;
	return false;
}

/* A connection to that address in t->fd; false with errno. */
static bool
dial(struct talk *t, const struct dns_addr *a, int64_t until)
{
	socklen_t size = sizeof(errno);
	int why = 0;

	t->fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd == -1)
		return false;
	if (connect(t->fd, &a->at.any, a->len) == -1) {
		if (errno != EINPROGRESS && errno != EINTR)
			why = errno;
		else if (!ready(t->fd, POLLOUT, until) ||
		    getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &why, &size) == -1)
			why = errno;
	}
	if (why != 0)
		talk_end(t);
	errno = why;
	return why == 0;
}

/* A connection to one of the addresses; false after a complaint. */
static bool
dial_any(struct talk *t)
{
	int64_t until;

	for (size_t i = 0; i < t->n; i++) {
		until = i + 1 < t->n && dns_now() + CONNECT_MS < t->until ?
		    dns_now() + CONNECT_MS : t->until;
		if (dial(t, &t->addr[i], until))
			return true;
	}
	complain("cannot connect to the server '%s':", t->server);
	return false;
}

/* Send n octets; false with errno. */
static bool
push(const struct talk *t, const uint8_t *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		if (!ready(t->fd, POLLOUT, t->until))
			return false;
		if ((got = send(t->fd, p, n, MSG_NOSIGNAL)) > 0) {
			p += got;
			n -= (size_t)got;
		} else if (errno != EAGAIN && errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* Receive n octets; their number may be less, then with errno, which is 0 if the server
 * has hung up. */
static size_t
pull(const struct talk *t, uint8_t *p, size_t n)
{
	size_t at = 0;
	ssize_t got;

	while (at < n) {
		if (!ready(t->fd, POLLIN, t->until))
			break;
		got = recv(t->fd, p + at, n - at, 0);
		if (got > 0) {
			at += (size_t)got;
		} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
			errno = got == 0 || errno == ECONNRESET ? 0 : errno;
			break;
		}
	}
	return at;
}

/* Send the message and receive one. */
static enum talk_fate
exchange(struct talk *t, const struct wire *w, uint8_t *answer, size_t *n)
{
	uint8_t *out = xmalloc(LENGTH + w->n), length[LENGTH] = {0};
	size_t got = 0;
	bool sent;

	out[0] = (uint8_t)(w->n >> 8);
	out[1] = (uint8_t)w->n;
	memcpy(out + LENGTH, w->p, w->n);
	errno = 0;
	sent = push(t, out, LENGTH + w->n);
	free(out);
	if (sent && (got = pull(t, length, LENGTH)) == LENGTH) {
		*n = wire_get16(length);
		if (pull(t, answer, *n) == *n)
			return TALK_ANSWER;
	}
	/* It may hang up between two messages, but not within one. */
	if (got == 0 && errno != ETIMEDOUT)
		return TALK_LOST;
	if (errno == 0)
		complain("the server '%s' hangs up", t->server);
	else
		complain("no answer from the server '%s':", t->server);
	return TALK_FAILED;
}

/* Is this an answer to that message, as far as header and question tell?  NULL, or what
 * is wrong. */
static const char *
fault(const struct wire *asked, const uint8_t *p, size_t n)
{
	uint8_t ours[WIRE_NAME_MAX], theirs[WIRE_NAME_MAX];
	size_t a = WIRE_HEADER, b = WIRE_HEADER, len;
	unsigned count;

	if (n < WIRE_HEADER || memcmp(p, asked->p, 2) != 0)
		return "answers something that was not asked";
	if ((p[2] & QR) == 0 || (p[2] & OPCODE) != (asked->p[2] & OPCODE))
		return "answers something of another kind";
	if ((p[2] & TC) != 0)
		return "truncates its answer";
	count = wire_get16(p + 4);
	if (count == 0)		/* allowed in an answer to an update, and in a refusal */
		return (asked->p[2] & OPCODE) != 0 || (p[3] & 15) != 0 ? NULL :
		    "answers without the question";
	len = wire_name(asked->p, asked->n, &a, ours);
	if (count != 1 || wire_name(p, n, &b, theirs) != len || memcmp(ours, theirs, len) != 0 ||
	    n - b < 4 || memcmp(asked->p + a, p + b, 4) != 0)
		return "answers another question, or for another zone";
	return NULL;
}

enum talk_fate
talk_ask(struct talk *t, struct wire *w, uint8_t *answer, size_t *n, int *status)
{
	struct tsig_mac mac;
	enum talk_fate fate;
	const char *odd;
	char *why;

	*status = EX_TEMP;
	tsig_sign(t->key, w, time(NULL), &mac);
	if (w->full) {
		complain("what is to be said to the server '%s' is larger than a message",
		    t->server);
		*status = EX_PERM;
		return TALK_FAILED;
	}
	if (t->fd == -1 && !dial_any(t))
		return TALK_FAILED;
	if ((fate = exchange(t, w, answer, n)) != TALK_ANSWER) {
		talk_end(t);
		return fate;
	}
	if ((odd = fault(w, answer, *n)) != NULL) {
		complain("the server '%s' %s", t->server, odd);
	} else if ((*status = tsig_verify(t->key, &mac, answer, n, time(NULL), &why)) != EX_YES) {
		/* Knot DNS says so of what its rules do not allow. */
		if (*status == EX_PERM && ((answer[3] & 15) == LDNS_RCODE_NOTAUTH ||
		    (answer[3] & 15) == LDNS_RCODE_REFUSED))
			fate = TALK_REFUSED;
		if (fate != TALK_REFUSED || !t->bear)
			complain("the server '%s' %s", t->server, why);
		free(why);
	} else {
		return TALK_ANSWER;
	}
	talk_end(t);
	return fate == TALK_REFUSED ? fate : TALK_FAILED;
}
