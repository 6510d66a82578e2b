/* toml_string.c: the text of a TOML file, and the four kinds of strings. */
#include "toml_priv.h"

#include <string.h>

/* How long the UTF-8 sequence at p is (Unicode, table 3-7), or 0 if it is not
 * well-formed; for a first octet of 0x80 or more. */
static size_t
sequence(const unsigned char *p, const unsigned char *end)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

	if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) < n)
		return 0;
	switch (*p) {
	case 0xe0: lo = 0xa0; break;	/* shorter would do */
	case 0xed: hi = 0x9f; break;	/* surrogates */
	case 0xf0: lo = 0x90; break;
	case 0xf4: hi = 0x8f; break;	/* more than U+10FFFF */
	}
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool
unclean(const struct parser *ps, const unsigned char *at)
{
	const char *p = ps->p, *bad = (const char *)at;
	unsigned line = ps->line;

	while ((p = memchr(p, '\n', (size_t)(bad - p))) != NULL) {
		p++;
		line++;
	}
	if (*at >= 0x80)
		return toml_fail_at(ps, line, "not UTF-8 (octet 0x%02X)", *at);
	if (*at == '\r')
		return toml_fail_at(ps, line, "carriage return without a line feed");
	return toml_fail_at(ps, line, "control character U+%04X", *at);
}

bool
toml_clean(const struct parser *ps)
{
	const unsigned char *p = (const unsigned char *)ps->p;
	const unsigned char *end = (const unsigned char *)ps->end;
	size_t n;

	while (p < end)
		if (*p >= ' ' && *p < 0x7f) {
			p++;
		} else if (*p == '\n' || *p == '\t' ||
		    (*p == '\r' && p + 1 < end && p[1] == '\n')) {
			p++;
		} else {
			if (*p < 0x80 || (n = sequence(p, end)) == 0)
				return unclean(ps, p);
			p += n;
		}
	return true;
}

/* Where the closing quotes of a string are whose content begins at p; is the
 * content plain, that is, without backslashes and line ends? */
static const char *
closing(const char *p, const char *end, char quote, bool multi, bool *plain)
{
	*plain = !multi;
	for (; p < end; p++) {
		if (*p == quote) {
			size_t run = 1;

			if (!multi)
				return p;
			while (run < 5 && p + run < end && p[run] == quote)
				run++;
			/* Up to two quotes may stand before the closing ones. */
			if (run >= 3)
				return p + run - 3;
			p += run - 1;
		} else if (*p == '\n' && !multi) {
			return NULL;
		} else if (*p == '\\' && quote == '"') {
			*plain = false;
			if (p + 1 < end && p[1] != '\n')
				p++;
		}
	}
	return NULL;
}

static char *
put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* \uXXXX or \UXXXXXXXX, from the digits on. */
static char *
unicode(struct parser *ps, const char *end, char *to, int digits)
{
	const char *from = ps->p;
	uint32_t c = 0;

	for (int i = 0; i < digits; i++, ps->p++) {
		if (ps->p == end || hex(*ps->p) == -1) {
			toml_fail(ps, "\\%c in a string needs %d hexadecimal digits", from[-1],
			    digits);
			return NULL;
		}
		c = c << 4 | (uint32_t)hex(*ps->p);
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		toml_fail(ps, "\\%c%.*s in a string is no Unicode character", from[-1], digits,
		    from);
		return NULL;
	}
	return put_utf8(to, c);
}

/* What follows a backslash; end is not the file's but the string's.  Where the
 * next octet goes, or NULL after a complaint. */
static char *
escape(struct parser *ps, const char *end, char *to, bool multi)
{
	char buf[WORDS_SIZE];

	switch (*ps->p++) {
	case 'b': *to++ = '\b'; return to;
	case 't': *to++ = '\t'; return to;
	case 'n': *to++ = '\n'; return to;
	case 'f': *to++ = '\f'; return to;
	case 'r': *to++ = '\r'; return to;
	case '"': *to++ = '"'; return to;
	case '\\': *to++ = '\\'; return to;
	case 'u': return unicode(ps, end, to, 4);
	case 'U': return unicode(ps, end, to, 8);
	}
	ps->p--;
	if (multi) {
		const char *p = ps->p;

		while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
			p++;
		if (p < end && *p == '\n') {
			for (; p < end && strchr(" \t\r\n", *p) != NULL; p++)
				ps->line += *p == '\n';
			ps->p = p;
			return to;
		}
	}
	toml_fail(ps, "%s cannot follow a backslash in a string (a backslash itself is \\\\)",
	    toml_next(ps, buf));
	return NULL;
}

/* The content of a string from ps->p up to end, with LF for CR LF. */
static char *
content(struct parser *ps, const char *end, char *to, char quote, bool multi)
{
	const char esc = quote == '"' ? '\\' : '\n';
	const char *from;
	size_t n;

	while (ps->p < end) {
		from = ps->p;
		while (ps->p < end && *ps->p != esc && *ps->p != '\n' && *ps->p != '\r')
			ps->p++;
		n = (size_t)(ps->p - from);
		memcpy(to, from, n);
		to += n;
		if (ps->p == end)
			break;
		if (*ps->p == '\n') {
			*to++ = '\n';
			ps->line++;
		}
		if (*ps->p++ == '\\' && (to = escape(ps, end, to, multi)) == NULL)
			return NULL;
	}
	return to;
}

bool
toml_string(struct parser *ps, struct text *out)
{
	const char quote = *ps->p, *end;
	const size_t left = (size_t)(ps->end - ps->p);
	const bool multi = left >= 3 && ps->p[1] == quote && ps->p[2] == quote;
	const size_t quotes = multi ? 3 : 1;
	char *str, *to;
	bool plain;

	if ((end = closing(ps->p + quotes, ps->end, quote, multi, &plain)) == NULL)
		return toml_fail(ps, multi ? "string not closed" :
		    "string not closed on its line");
	ps->p += quotes;
	if (multi && toml_peek(ps) == '\r')
		ps->p++;
	if (multi && toml_peek(ps) == '\n') {
		ps->p++;
		ps->line++;
	}
	/* No escape is shorter than what it stands for. */
	str = toml_chars(ps, (size_t)(end - ps->p) + 1);
	if (plain)
		to = mempcpy(str, ps->p, (size_t)(end - ps->p));
	else if ((to = content(ps, end, str, quote, multi)) == NULL)
		return false;
	*to = '\0';
	out->str = str;
	out->len = (size_t)(to - str);
	ps->p = end + quotes;
	return true;
}
