/*
 * probe_talk.c: what is said before TLS, by SMTP, IMAP and POP3.
 *
 * No socket is known here: octets come in, and what is to be said goes out.
 */
#include "probe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { GREETING, HELLO, STARTTLS };	/* which answer is waited for */
enum { SHOWN = 100 };			/* octets of what a server said, in a message */

/* An end, for that reason; of a line of the server, its beginning is told. */
static enum talk_state
stop(struct talk *t, enum talk_state state, const char *what, const char *line)
{
	size_t len = line == NULL ? 0 : strnlen(line, SHOWN);
	char *text = line == NULL ? NULL : text_safe(line, len, "");

	free(t->why);
	t->why = line == NULL ? xstrdup(what) : xasprintf("%s: %s", what, text);
	free(text);
	return state;
}

static enum talk_state
strange(struct talk *t, const char *line)
{
	char what[64];

	snprintf(what, sizeof(what), "does not speak %s", t->kind->title);
	return stop(t, TALK_FAULT, what, line);
}

static enum talk_state
say(struct talk *t, unsigned step, const char *text)
{
	t->step = step;
	t->code[0] = '\0';
	snprintf(t->say, sizeof(t->say), "%s\r\n", text);
	return TALK_SAY;
}

/* ---- SMTP (RFC 5321, 3207) ------------------------------------------------------ */

/* A name of this machine that is one with dots, or "localhost". */
static enum talk_state
hello(struct talk *t)
{
	char host[256], text[sizeof(host) + sizeof("EHLO ")];

	if (gethostname(host, sizeof(host)) == -1 || memchr(host, '\0', sizeof(host)) == NULL ||
	    !dns_plain(host) || strchr(host, '.') == NULL || strpbrk(host, "*_") != NULL)
		snprintf(host, sizeof(host), "localhost");
	snprintf(text, sizeof(text), "EHLO %s", host);
	return say(t, HELLO, text);
}

/* The last line of an answer. */
static enum talk_state
smtp_answer(struct talk *t, const char *line)
{
	static const char *const fault[] = {
		[GREETING] = "refuses every client",
		[HELLO] = "refuses EHLO",
		[STARTTLS] = "refuses STARTTLS"
	};
	static const char *const good[] = {
		[GREETING] = "220", [HELLO] = "250", [STARTTLS] = "220"
	};

	if (line[0] == '4')
		return stop(t, TALK_LATER, "cannot serve now", line);
	if (strcmp(t->code, good[t->step]) != 0)
		return stop(t, TALK_FAULT, fault[t->step], line);
	if (t->step == GREETING)
		return hello(t);
	if (t->step == STARTTLS)
		return TALK_TLS;
	if (!t->offers)
		return stop(t, TALK_FAULT, "does not offer STARTTLS", NULL);
	return say(t, STARTTLS, "STARTTLS");
}

static enum talk_state
smtp_take(struct talk *t, const char *line)
{
	bool digits = isdigit((unsigned char)line[0]) && isdigit((unsigned char)line[1]) &&
	    isdigit((unsigned char)line[2]);
	bool first = t->code[0] == '\0';

	if (!digits || (line[3] != '\0' && line[3] != ' ' && line[3] != '-'))
		return strange(t, line);
	if (first)
		memcpy(t->code, line, 3);
	else if (strncmp(t->code, line, 3) != 0)
		return strange(t, line);
	/* The first line of an answer to EHLO is the server's name. */
	if (t->step == HELLO && !first && line[3] != '\0' &&
	    strcasecmp(line + 4, "STARTTLS") == 0)
		t->offers = true;
	return line[3] == '-' ? TALK_MORE : smtp_answer(t, line);
}

/* ---- IMAP (RFC 9051) -------------------------------------------------------------- */

static bool
begins(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(line, word, n) == 0 && (line[n] == ' ' || line[n] == '\0');
}

static enum talk_state
imap_take(struct talk *t, const char *line)
{
	if (begins(line, "* BYE"))
		return stop(t, TALK_LATER, "cannot serve now", line);
	if (t->step == GREETING) {
		if (begins(line, "* PREAUTH"))
			return stop(t, TALK_FAULT, "has no use for STARTTLS", line);
		return begins(line, "* OK") ? say(t, STARTTLS, "a STARTTLS") : strange(t, line);
	}
	if (strncmp(line, "* ", 2) == 0)
		return TALK_MORE;
	if (begins(line, "a OK"))
		return TALK_TLS;
	if (begins(line, "a NO") || begins(line, "a BAD"))
		return stop(t, TALK_FAULT, "refuses STARTTLS", line);
	return strange(t, line);
}

/* ---- POP3 (RFC 1939, 2595) ---------------------------------------------------------- */

static enum talk_state
pop3_take(struct talk *t, const char *line)
{
	if (begins(line, "+OK"))
		return t->step == GREETING ? say(t, STARTTLS, "STLS") : TALK_TLS;
	if (!begins(line, "-ERR"))
		return strange(t, line);
	if (begins(line, "-ERR [SYS/TEMP]") || begins(line, "-ERR [IN-USE]"))
		return stop(t, TALK_LATER, "cannot serve now", line);
	return stop(t, TALK_FAULT, t->step == GREETING ? "refuses every client" :
	    "refuses STLS", line);
}

/* ---- */

static const struct {
	struct talk_kind kind;
	long port;
} kinds[] = {
	{{"tls", NULL, NULL, NULL}, 443},
	{{"smtp", "SMTP", "QUIT\r\n", smtp_take}, 25},
	{{"submission", "SMTP", "QUIT\r\n", smtp_take}, 587},
	{{"imap", "IMAP", "a LOGOUT\r\n", imap_take}, 143},
	{{"pop3", "POP3", "QUIT\r\n", pop3_take}, 110},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const struct talk_kind *
talk_named(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(name, kinds[i].kind.name) == 0)
			return &kinds[i].kind;
	return NULL;
}

const struct talk_kind *
talk_of_port(long port)
{
	for (size_t i = 0; i < KINDS; i++)
		if (port == kinds[i].port)
			return &kinds[i].kind;
	return &kinds[0].kind;
}

long
talk_port(const struct talk_kind *kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kind == &kinds[i].kind)
			return kinds[i].port;
	return 0;
}

/* A line has come, whole, in t->line. */
static enum talk_state
take(struct talk *t)
{
	if (t->len > 0 && t->line[t->len - 1] == '\r')
		t->len--;
	t->line[t->len] = '\0';
	if (strlen(t->line) != t->len)
		return strange(t, "NUL octets");
	t->len = 0;
	if (++t->lines > TALK_LINES)
		return stop(t, TALK_FAULT, "sends lines without end", NULL);
	return t->kind->take(t, t->line);
}

enum talk_state
talk_put(struct talk *t, const char *p, size_t n)
{
	enum talk_state state = TALK_MORE;

	for (size_t i = 0; i < n; i++) {
		if (state == TALK_TLS)
			return stop(t, TALK_FAULT, "sends more behind its answer to STARTTLS, "
			    "which TLS does not protect", NULL);
		/* Who speaks before it is asked does so once more at the next line. */
		if (state != TALK_MORE)
			return strange(t, "it answers before it is asked");
		if (++t->octets > TALK_OCTETS)
			return stop(t, TALK_FAULT, "sends text without end", NULL);
		if (p[i] == '\n') {
			if ((state = take(t)) == TALK_FAULT || state == TALK_LATER)
				return state;
		} else if (t->len == sizeof(t->line) - 1) {
			return stop(t, TALK_FAULT, "sends a line without end", NULL);
		} else {
			t->line[t->len++] = p[i];
		}
	}
	return state;
}
