/*
 * status.h - the site as numbers for Prometheus; a part of sslm-status.
 */
#ifndef STATUS_H
#define STATUS_H

#include "site.h"

enum metric {
	METRIC_OK, METRIC_DUE, METRIC_FROM, METRIC_UNTIL, METRIC_RENEW, METRIC_INFO, METRIC_NEXT,
	METRIC_WHOLE, METRIC_ROLLS, METRIC_WAITS, METRIC_FAILURES, METRIC_RETRY, METRICS
};

struct sample {			/* of one service */
	const struct service_id *id;
	bool have[METRICS];	/* what is not known is left out */
	int64_t value[METRICS];
	char *info;		/* further labels of METRIC_INFO, with a comma before each */
};

/* Note a value. */
void sample_put(struct sample *s, enum metric m, int64_t value);

/* A label and its value, which may be any text, behind the others of METRIC_INFO. */
void sample_label(struct sample *s, const char *label, const char *value);

/* Note what the next set remembers of orders that failed; 0 where there is nothing. */
void sample_failures(struct sample *s);

/* Print all of them, metric by metric, in Prometheus' text format; and what the last run
 * came to, if that is known.  What is in the samples is freed. */
void samples_print(struct sample *sample, size_t n);

#endif
