/*
 * dns.c: many questions at a time.
 *
 * Every question has a socket of its own, connected to its server, so that the
 * kernel drops what others send, and an id of its own.  A packet that is not the
 * answer changes nothing: the wait goes on, or else whoever guesses a port could
 * end a question.
 */
#include "dns_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SOCKETS = 200,		/* at the same time */
	TCP_WAIT = 3000,	/* milliseconds for all of it */
	UDP_ODD = 100,		/* what is looked at that is no answer; then it is TCP's turn, */
	TCP_ODD = 8,		/* where no stranger can put it in */
	LENGTH = 2,		/* octets before a message by TCP */
	MESSAGE_MAX = 65535
};

/* How long an answer by UDP is waited for, each time that it is asked. */
static const int udp_wait[] = {400, 800, 1600};
enum { UDP_TRIES = sizeof(udp_wait) / sizeof(udp_wait[0]) };

struct job {
	struct dns_query *q;
	int fd;
	bool tcp;
	bool cut;		/* a truncated answer has come */
	bool odd;		/* something has come that is no answer, */
	unsigned nodd;		/* so often by UDP, or by TCP */
	bool closed;		/* nobody listens for UDP */
	unsigned tries;
	int64_t until;		/* of this try */
	uint8_t out[LENGTH + DNS_ASK_MAX];
	size_t len, sent;	/* len is without LENGTH */
	uint8_t *in;		/* by TCP: what has come of the answer */
	size_t got;
};

struct batch {
	struct job job[SOCKETS];
	struct pollfd fd[SOCKETS];
	size_t live, room;	/* jobs at work, and how many there may be */
	int64_t end;
	struct dns_query *q;
	size_t next;		/* of q: the first that is not begun */
	struct dns_addr *dead;	/* servers that are not asked again */
	size_t ndead;
	uint8_t buf[MESSAGE_MAX];
};

int64_t
dns_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
hang_up(struct job *j)
{
	if (j->fd != -1)
		close(j->fd);
	free(j->in);
	j->fd = -1;
	j->in = NULL;
}

static void
end(struct job *j, enum dns_fate fate, const char *why)
{
	hang_up(j);
	j->q->fate = fate;
	j->q->why = why;
}

/* Has a server answered any of the questions? */
static bool
has_answered(const struct batch *b, const struct dns_addr *a)
{
	for (size_t i = 0; i < b->next; i++)
		if (b->q[i].fate == DNS_ANSWER && dns_addr_same(&b->q[i].server, a))
			return true;
	return false;
}

static void
give_up(struct batch *b, struct job *j)
{
	const char *why = "does not answer";

	if (j->cut)
		why = "truncates its answer, and gives no whole one by TCP";
	else if (j->odd)
		why = "sends nothing that answers the question";
	else if (j->closed)
		why = "refuses the connection";
	if (!j->cut && !j->odd && !has_answered(b, &j->q->server)) {
		b->dead = xreallocarray(b->dead, b->ndead + 1, sizeof(*b->dead));
		b->dead[b->ndead++] = j->q->server;
	}
	end(j, DNS_SILENT, why);
}

/* A socket to the server; -1 after the end of the job, or, with errno EMFILE, if
 * there are too many. */
static int
dial(struct batch *b, struct job *j, int type)
{
	const struct dns_addr *a = &j->q->server;
	int fd = socket(a->at.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd != -1 && (connect(fd, &a->at.any, a->len) == 0 || errno == EINPROGRESS))
		return fd;
	if (fd == -1 && (errno == EMFILE || errno == ENFILE)) {
		errno = EMFILE;
		return -1;
	}
	if (fd != -1)
		close(fd);
	if (errno == ENETUNREACH || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) {
		end(j, DNS_NO_ROUTE, "cannot be reached from here");
	} else {
		give_up(b, j);
	}
	errno = 0;
	return -1;
}

static void
try_tcp(struct batch *b, struct job *j)
{
	hang_up(j);
	j->tcp = true;
	j->sent = j->got = 0;
	j->nodd = 0;
	if ((j->fd = dial(b, j, SOCK_STREAM)) == -1) {
		if (errno == EMFILE)
			give_up(b, j);
		return;
	}
	j->in = xmalloc(LENGTH + MESSAGE_MAX);
	j->out[0] = (uint8_t)(j->len >> 8);
	j->out[1] = (uint8_t)j->len;
	j->until = dns_now() + TCP_WAIT;
}

static void
try_udp(struct job *j)
{
	/* What cannot be sent now is lost, as on the way. */
	if (send(j->fd, j->out + LENGTH, j->len, 0) == -1 && errno == ECONNREFUSED)
		j->closed = true;
	j->until = dns_now() + udp_wait[j->tries++];
}

/* The time of a try is over. */
static void
try_next(struct batch *b, struct job *j)
{
	if (j->tcp)
		give_up(b, j);
	else if (j->tries < UDP_TRIES)
		try_udp(j);
	else
		try_tcp(b, j);
}

/* Something has come that is no answer. */
static void
pass_over(struct batch *b, struct job *j)
{
	j->odd = true;
	if (++j->nodd < (j->tcp ? TCP_ODD : UDP_ODD))
		return;
	if (j->tcp)
		give_up(b, j);
	else
		try_tcp(b, j);
}

/* A message has come. */
static void
take(struct batch *b, struct job *j, const uint8_t *p, size_t len)
{
	ldns_pkt *answer = NULL;

	if (!dns_is_answer(j->out + LENGTH, j->len, p, len)) {
		pass_over(b, j);
	} else if (dns_is_cut(p) && !j->tcp) {
		j->cut = true;
		try_tcp(b, j);
	} else if (dns_is_cut(p) || ldns_wire2pkt(&answer, p, len) != LDNS_STATUS_OK ||
	    answer == NULL) {
		pass_over(b, j);
	} else {
		j->q->answer = answer;
		end(j, DNS_ANSWER, NULL);
	}
}

static void
read_udp(struct batch *b, struct job *j)
{
	ssize_t n = recv(j->fd, b->buf, sizeof(b->buf), 0);

	if (n >= 0) {
		take(b, j, b->buf, (size_t)n);
	} else if (errno == ECONNREFUSED) {
		j->closed = true;
		try_tcp(b, j);
	}
	/* Other errors are a message of some router, or pass. */
}

static void
write_tcp(struct batch *b, struct job *j)
{
	ssize_t n = send(j->fd, j->out + j->sent, LENGTH + j->len - j->sent, MSG_NOSIGNAL);

	if (n > 0)
		j->sent += (size_t)n;
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		give_up(b, j);
}

static void
read_tcp(struct batch *b, struct job *j)
{
	ssize_t n = recv(j->fd, j->in + j->got, LENGTH + MESSAGE_MAX - j->got, 0);
	size_t len;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		give_up(b, j);
		return;
	}
	j->got += (size_t)n;
	while (j->fd != -1 && j->got >= LENGTH) {
		len = (size_t)j->in[0] << 8 | j->in[1];
		if (j->got < LENGTH + len)
			break;
		take(b, j, j->in + LENGTH, len);
		if (j->fd == -1)
			break;
		j->got -= LENGTH + len;
		memmove(j->in, j->in + LENGTH + len, j->got);
	}
}

static bool
is_dead(const struct batch *b, const struct dns_addr *a)
{
	for (size_t i = 0; i < b->ndead; i++)
		if (dns_addr_same(a, &b->dead[i]))
			return true;
	return false;
}

/* Begin a question; false if it has to wait for a socket. */
static bool
begin(struct batch *b, struct dns_query *q)
{
	struct job *j = &b->job[b->live];

	*j = (struct job){.q = q, .fd = -1};
	q->answer = NULL;
	if (is_dead(b, &q->server)) {
		end(j, DNS_SILENT, "does not answer");
	} else if ((j->len = dns_compose(j->out + LENGTH, q)) == 0) {
		end(j, DNS_SILENT, "cannot be asked for that name");
	} else if ((j->fd = dial(b, j, SOCK_DGRAM)) != -1) {
		try_udp(j);
		b->live++;
	} else if (errno == EMFILE) {
		b->room = b->live;
		if (b->live > 0)
			return false;
		end(j, DNS_SILENT, "cannot be asked: too many open files");
		b->room = 1;
	}
	return true;
}

/* What has come, and what is late; jobs that have ended give their places away. */
static void
work(struct batch *b)
{
	int64_t now = dns_now();

	for (size_t i = 0; i < b->live; i++) {
		struct job *j = &b->job[i];

		if (b->fd[i].revents != 0) {
			if (!j->tcp)
				read_udp(b, j);
			else if (j->sent < LENGTH + j->len)
				write_tcp(b, j);
			else
				read_tcp(b, j);
		}
		if (j->fd != -1 && now >= j->until)
			try_next(b, j);
	}
	for (size_t i = b->live; i-- > 0;)
		if (b->job[i].fd == -1)
			b->job[i] = b->job[--b->live];
}

/* Wait for the next thing to happen. */
static void
wait_for(struct batch *b)
{
	int64_t until = b->end, left;

	for (size_t i = 0; i < b->live; i++) {
		const struct job *j = &b->job[i];
		bool writing = j->tcp && j->sent < LENGTH + j->len;

		b->fd[i] = (struct pollfd){.fd = j->fd, .events = writing ? POLLOUT : POLLIN};
		if (j->until < until)
			until = j->until;
	}
	left = until - dns_now();
	if (poll(b->fd, b->live, left > 0 ? (int)left : 0) == -1)
		for (size_t i = 0; i < b->live; i++)
			b->fd[i].revents = 0;
}

void
dns_ask(struct dns_query *q, size_t n, int64_t until)
{
	struct batch *b = xmalloc(sizeof(*b));

	b->q = q;
	b->next = b->live = b->ndead = 0;
	b->room = SOCKETS;
	b->dead = NULL;
	b->end = until;
	while ((b->next < n || b->live > 0) && dns_now() < b->end) {
		while (b->next < n && b->live < b->room && begin(b, &q[b->next]))
			b->next++;
		if (b->live > 0) {
			wait_for(b);
			work(b);
		}
	}
	for (size_t i = 0; i < b->live; i++)
		give_up(b, &b->job[i]);
	for (; b->next < n; b->next++) {
		q[b->next].fate = DNS_SILENT;
		q[b->next].why = "was not asked, for the time was over";
	}
	free(b->dead);
	free(b);
}

void
dns_free(struct dns_query *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ldns_pkt_free(q[i].answer);
		q[i].answer = NULL;
		q[i].fate = DNS_NONE;
	}
}
