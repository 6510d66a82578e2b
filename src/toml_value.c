/* toml_value.c: TOML's numbers, booleans, dates and times. */
#include "toml_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DATE_LEN = 10, SHOWN = 40 };	/* SHOWN: of a wrong value in a message */

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* v->str, v->len is not what it seems to be. */
static bool
not_a(const struct parser *ps, const struct toml *v, const char *what)
{
	bool cut = v->len > SHOWN;

	return toml_fail(ps, "'%.*s%s' is not %s", cut ? SHOWN : (int)v->len, v->str,
	    cut ? "..." : "", what);
}

/*
 * Dates and times.  Each function takes its part from p on, moves it behind
 * that and returns NULL, or says what is wrong with it.  They rely on the NUL
 * at the end.
 */
static int
number(const char **p, int n)
{
	int value = 0;

	for (; n > 0; n--, ++*p) {
		if (!digit(**p))
			return -1;
		value = 10 * value + **p - '0';
	}
	return value;
}

static const char *
date(const char **p)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const int year = number(p, 4);
	int month, day, last;

	if (year == -1 || *(*p)++ != '-' || (month = number(p, 2)) == -1 ||
	    *(*p)++ != '-' || (day = number(p, 2)) == -1)
		return "a date: those are written 2026-01-31";
	if (month < 1 || month > 12)
		return "a date: no such month";
	last = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last++;
	return day < 1 || day > last ? "a date: no such day in that month" : NULL;
}

static const char *
time_of_day(const char **p)
{
	int hour, minute, second;

	if ((hour = number(p, 2)) == -1 || *(*p)++ != ':' || (minute = number(p, 2)) == -1 ||
	    *(*p)++ != ':' || (second = number(p, 2)) == -1)
		return "a time: those are written 23:59:59";
	/* RFC 3339, 5.7: 60 in a leap second, and when those are, nobody knows. */
	if (hour > 23 || minute > 59 || second > 60)
		return "a time: no such hour, minute or second";
	if (**p != '.')
		return NULL;
	if (!digit(*++*p))
		return "a time: no digit after the point";
	while (digit(**p))
		++*p;
	return NULL;
}

static const char *
offset(const char **p)
{
	int hour, minute;

	if (**p == 'Z' || **p == 'z') {
		++*p;
		return NULL;
	}
	if ((**p != '+' && **p != '-') || (++*p, hour = number(p, 2)) == -1 ||
	    *(*p)++ != ':' || (minute = number(p, 2)) == -1)
		return "a time: the offset after it is written Z or +01:00";
	return hour > 23 || minute > 59 ? "a time: no such offset" : NULL;
}

static bool
date_time(const struct parser *ps, struct toml *v, char *text)
{
	const char *p = text, *why = NULL;

	if (text[2] == ':') {
		v->type = TOML_TIME_LOCAL;
		why = time_of_day(&p);
	} else if ((why = date(&p)) == NULL) {
		v->type = TOML_DATE_LOCAL;
		if (*p == 'T' || *p == 't' || *p == ' ') {
			text[DATE_LEN] = 'T';
			p++;
			v->type = TOML_DATETIME_LOCAL;
			if ((why = time_of_day(&p)) == NULL && *p != '\0') {
				v->type = TOML_DATETIME;
				why = offset(&p);
			}
		}
	}
	if (why == NULL && *p != '\0')
		why = "a date or time";
	if (why != NULL)
		return not_a(ps, v, why);
	if (v->type == TOML_DATETIME && p[-1] == 'z')
		text[v->len - 1] = 'Z';
	return true;
}

/*
 * Numbers.  These take the characters up to the NUL and say what is wrong,
 * or return NULL.
 */

static int
digit_of(char c, int base)
{
	int d = digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : base;

	return d < base ? d : -1;
}

/* Skip digits, with single underscores between them; false if there are none. */
static bool
digits(const char **p, int base)
{
	const char *from = *p;

	for (; digit_of(**p, base) != -1; ++*p)
		if ((*p)[1] == '_' && digit_of((*p)[2], base) != -1)
			++*p;
	return *p != from;
}

static const char *
integer(struct toml *v, const char *p, int base, bool minus)
{
	const uint64_t limit = (uint64_t)INT64_MAX + minus;
	uint64_t n = 0, d;

	for (; *p != '\0'; p++) {
		if (*p == '_')
			continue;
		d = (uint64_t)digit_of(*p, base);
		if (n > (limit - d) / (uint64_t)base)
			return "an integer of 64 bits: too large";
		n = n * (uint64_t)base + d;
	}
	v->type = TOML_INTEGER;
	v->num = minus && n != 0 ? -(int64_t)(n - 1) - 1 : (int64_t)n;
	return NULL;
}

/* The characters have been seen to be a decimal; no locale is set, so that
 * strtod() reads a point as one. */
static void
real(struct parser *ps, struct toml *v, const char *p)
{
	char *buf = toml_chars(ps, v->len + 1), *to = buf;

	for (; *p != '\0'; p++)
		if (*p != '_')
			*to++ = *p;
	*to = '\0';
	v->type = TOML_FLOAT;
	v->real = strtod(buf, NULL);
}

static const char *
decimal(struct parser *ps, struct toml *v)
{
	const char *p = v->str;
	const bool minus = *p == '-';
	const char *from = p += minus || *p == '+';

	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0) {
		v->type = TOML_FLOAT;
		v->real = *p == 'n' ? NAN : minus ? -INFINITY : INFINITY;
		return NULL;
	}
	if (!digits(&p, 10))
		return from != v->str || *p == '.' ? "a number" :
		    "a value (a string needs quotes)";
	if (*from == '0' && p - from > 1)
		return "a number: leading zero";
	if (*p == '\0')
		return integer(v, from, 10, minus);
	if (*p == '.' && (p++, !digits(&p, 10)))
		return "a number: no digit after the point";
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		if (!digits(&p, 10))
			return "a number: no digit in the exponent";
	}
	if (*p == '_')
		return "a number: an underscore has a digit on both sides";
	if (*p != '\0')
		return "a number (a string needs quotes)";
	real(ps, v, v->str);
	return NULL;
}

static const char *
based(struct toml *v, int base)
{
	const char *p = v->str + 2;

	if (!digits(&p, base) || *p != '\0')
		return base == 16 ? "a hexadecimal number" : base == 8 ? "an octal number" :
		    "a binary number";
	return integer(v, v->str + 2, base, false);
}

/* Is there 2026-01-31 at p, as far as its looks go? */
static bool
like_date(const char *p, const char *end)
{
	return end - p > 4 && p[4] == '-' && digit(p[0]) && digit(p[1]) && digit(p[2]) &&
	    digit(p[3]);
}

static bool
in_scalar(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	    c == '_' || c == '.' || c == '+' || c == ':';
}

/* Take the next word to v->str; with a date, the time behind a space is of it. */
static char *
word(struct parser *ps, struct toml *v)
{
	const char *from = ps->p, *p = from;
	char *text;

	while (p < ps->end && in_scalar(*p))
		p++;
	if (p - from == DATE_LEN && like_date(from, p) && ps->end - p > 1 && *p == ' ' &&
	    digit(p[1]))
		while (++p < ps->end && in_scalar(*p))
			;
	v->len = (size_t)(p - from);
	v->str = text = toml_chars(ps, v->len + 1);
	memcpy(text, from, v->len);
	text[v->len] = '\0';
	ps->p = p;
	return text;
}

bool
toml_scalar(struct parser *ps, struct toml *v)
{
	char buf[WORDS_SIZE], *s;
	const char *why;

	if (!in_scalar(toml_peek(ps)))
		return toml_fail(ps, "value expected, not %s", toml_next(ps, buf));
	s = word(ps, v);
	if (like_date(s, s + v->len) || (digit(s[0]) && digit(s[1]) && s[2] == ':'))
		return date_time(ps, v, s);
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0) {
		v->type = TOML_BOOL;
		v->num = *s == 't';
		why = NULL;
	} else if (strcasecmp(s, "true") == 0 || strcasecmp(s, "false") == 0) {
		why = "a value: true and false are written in lower case";
	} else if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o' || s[1] == 'b')) {
		why = based(v, s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : 2);
	} else {
		why = decimal(ps, v);
	}
	if (why != NULL)
		return not_a(ps, v, why);
	v->str = NULL;
	v->len = 0;
	return true;
}
