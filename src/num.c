/* num.c: numbers and times, read and written. */
#include "sslm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long
num(const char *s, long lo, long hi, const char *what)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(s, &end, 10);
	if (end == s || *end != '\0' || errno != 0 || n < lo || n > hi)
		die(EX_USE, "%s '%s': not a number from %ld to %ld", what, s, lo, hi);
	return n;
}

void
stamp(char buf[STAMP_SIZE], time_t t)
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(buf, STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		die(EX_TEMP, "no date for the time %lld", (long long)t);
}

void
day_hour(char buf[STAMP_SIZE], time_t t)
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(buf, STAMP_SIZE, "%Y-%m-%d %H:%M", &tm) == 0)
		die(EX_TEMP, "no date for the time %lld", (long long)t);
}

time_t
stamp_time(const char *s)
{
	struct tm tm = {0};
	const char *end = strptime(s, "%Y%m%dT%H%M%SZ", &tm);

	return end == NULL ? -1 : timegm(&tm);
}

void
span(char buf[SPAN_SIZE], int64_t seconds)
{
	static const struct {
		int64_t size;
		char name;
	} unit[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	enum { LAST = sizeof(unit) / sizeof(unit[0]) - 1 };
	const char *sign = seconds < 0 ? "-" : "";
	int64_t n = seconds < 0 ? -seconds : seconds;
	size_t i = 0;

	while (i < LAST && n < unit[i].size)
		i++;
	if (i == LAST || n % unit[i].size / unit[i + 1].size == 0)
		snprintf(buf, SPAN_SIZE, "%s%lld%c", sign, (long long)(n / unit[i].size),
		    unit[i].name);
	else
		snprintf(buf, SPAN_SIZE, "%s%lld%c %lld%c", sign,
		    (long long)(n / unit[i].size), unit[i].name,
		    (long long)(n % unit[i].size / unit[i + 1].size), unit[i + 1].name);
}
