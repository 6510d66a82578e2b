/* status_prom.c: the text format of Prometheus, version 0.0.4: all that belongs to one
 * metric in one place, and its help and type before it. */
#include "cert.h"
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All are gauges: they are what they are now. */
static const struct {
	const char *name, *help;
} known[METRICS] = {
    [METRIC_OK] = {"service_ok", "1 if the service file has no fault and curr can be read."},
    [METRIC_DUE] = {"renewal_due", "1 if a renewal is due."},
    [METRIC_FROM] = {"certificate_not_before_seconds", "notBefore of curr, Unix time."},
    [METRIC_UNTIL] = {"certificate_not_after_seconds", "notAfter of curr, Unix time."},
    [METRIC_RENEW] = {"certificate_renewal_seconds", "When curr becomes due, Unix time."},
    [METRIC_INFO] = {"certificate_info", "What curr is; always 1."},
    [METRIC_NEXT] = {"next_pending", "1 if there is a next, complete or not."},
    [METRIC_WHOLE] = {"next_complete", "1 if next is complete."},
    [METRIC_ROLLS] = {"next_roll_seconds", "When next may roll, Unix time."},
    [METRIC_WAITS] = {"next_waits_for_dns", "1 if next waits for its TLSA records to be seen."},
    [METRIC_FAILURES] = {"order_failures", "Orders for next that have failed in a row."},
    [METRIC_RETRY] = {"order_retry_seconds", "When the CA is asked again, Unix time."}};

void
sample_put(struct sample *s, enum metric m, int64_t value)
{
	s->have[m] = true;
	s->value[m] = value;
}

void
sample_label(struct sample *s, const char *label, const char *value)
{
	char *safe = text_safe(value, strlen(value), ""), *to, *escaped, *all;

	escaped = to = xmalloc(2 * strlen(safe) + 1);
	for (const char *c = safe; *c != '\0'; c++) {
		if (*c == '\\' || *c == '"')
			*to++ = '\\';
		*to++ = *c;
	}
	*to = '\0';
	all = xasprintf("%s,%s=\"%s\"", s->info != NULL ? s->info : "", label, escaped);
	free(s->info);
	s->info = all;
	free(escaped);
	free(safe);
}

/* The rest of the line that begins with a word and a blank, or NULL. */
static const char *
line_of(const char *text, const char *word)
{
	size_t n = strlen(word);

	while (text != NULL && (strncmp(text, word, n) != 0 || text[n] != ' ')) {
		text = strchr(text, '\n');
		if (text != NULL)
			text++;
	}
	return text != NULL ? text + n + 1 : NULL;
}

void
sample_failures(struct sample *s)
{
	char *path = xasprintf("certs/%s/%s/next/failed", s->id->group, s->id->service);
	char *text = slurp_try(path, NULL), when[STAMP_SIZE];
	const char *count = line_of(text, "count"), *until = line_of(text, "until");
	long n = count != NULL ? strtol(count, NULL, 10) : 0;
	time_t retry = 0;

	if (until != NULL) {
		snprintf(when, sizeof(when), "%.*s", (int)strcspn(until, "\n"), until);
		retry = stamp_time(when);
	}
	sample_put(s, METRIC_FAILURES, text == NULL ? 0 : n > 0 ? n : 1);
	if (retry > 0)
		sample_put(s, METRIC_RETRY, (int64_t)retry);
	free(text);
	free(path);
}

static void
head(const char *name, const char *help)
{
	printf("# HELP sslm_%s %s\n# TYPE sslm_%s gauge\n", name, help, name);
}

/* certs/.exit; it is empty while a run is at work. */
static void
print_last_run(void)
{
	char *text = slurp_try("certs/.exit", NULL), *end;
	long status = text != NULL ? strtol(text, &end, 10) : -1;

	if (text != NULL && end != text && *end == '\n' && status >= 0 && status <= 255) {
		head("last_run_status", "Exit status of the last run that changed something.");
		printf("sslm_last_run_status %ld\n", status);
	}
	free(text);
}

void
samples_print(struct sample *sample, size_t n)
{
	for (size_t m = 0; m < METRICS; m++) {
		bool begun = false;

		for (size_t i = 0; i < n; i++) {
			const struct sample *s = &sample[i];

			if (!s->have[m])
				continue;
			if (!begun)
				head(known[m].name, known[m].help);
			begun = true;
			/* Names of groups and services have nothing that had to be escaped. */
			printf("sslm_%s{group=\"%s\",service=\"%s\"%s} %" PRId64 "\n", known[m].name,
			    s->id->group, s->id->service,
			    m == METRIC_INFO && s->info != NULL ? s->info : "", s->value[m]);
		}
	}
	print_last_run();
	for (size_t i = 0; i < n; i++)
		free(sample[i].info);
}
