/* challenge_ready.c: which services may be validated now. */
#include "challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is the record in DNS?  Else what is missing, for the caller to free. */
static char *
missing_record(const struct session *s, const struct challenge *c, const struct words *seen)
{
	const char *target = published_target(&s->lines, c->owner);
	char *key;
	bool there;

	if (target == NULL)
		return xasprintf("'%s' is not published", c->owner);
	key = xasprintf("%s %s", target, c->txt);
	there = words_has(seen, key);
	free(key);
	return there ? NULL : xasprintf("'%s' is not in DNS yet", target);
}

static char *
missing_file(const struct session *s, const char *group, const struct challenge *c,
    const struct words *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		char *line = xasprintf("placed %s %s %s", hosts->w[i], group, c->token);
		bool there = words_has(&s->lines, line);

		free(line);
		if (!there)
			return xasprintf("the file of '%s' is not placed on host '%s'",
			    c->identifier, strcmp(hosts->w[i], HERE) == 0 ? "localhost" :
			    hosts->w[i]);
	}
	return hosts->n > 0 ? NULL : xasprintf("the file of '%s' is not placed", c->identifier);
}

/* No order: that is fine unless an ACME CA is to sign what is not signed yet. */
static char *
missing_order(struct session *s, const struct service_id *id)
{
	char *dir = service_dir(id), *cert = xasprintf("%s/next/cert.pem", dir), *why = NULL;
	struct service service;

	if (access(cert, F_OK) == -1) {
		if (!service_load(&service, &s->site, id)) {
			failed(s, EX_USE);
			why = xstrdup("its configuration is wrong");
		} else {
			if (service.ca->kind == CA_ACME) {
				why = xstrdup("there is no order");
				failed(s, EX_TEMP);
			}
			service_free(&service);
		}
	}
	free(cert);
	free(dir);
	return why;
}

/* What a service waits for, or NULL.  No order and no word of this service: it is
 * not to be listed. */
static char *
missing(struct session *s, const struct service_id *id, const struct words *seen,
    const struct words *hosts, bool *listed)
{
	struct job job;
	char *why = NULL;

	switch (job_load(s, &job, id)) {
	case 0:
		*listed = !s->all;
		return *listed ? missing_order(s, id) : NULL;
	case 1: break;
	default: return xstrdup("its order cannot be read");
	}
	for (size_t i = 0; i < job.order.n && why == NULL; i++) {
		const struct challenge *c = &job.order.challenge[i];

		why = c->type == CHALLENGE_HTTP ? missing_file(s, id->group, c, hosts) :
		    missing_record(s, c, seen);
	}
	if (why != NULL)
		failed(s, EX_TEMP);
	order_free(&job.order);
	return why;
}

void
ready(struct session *s, const char *path, const char *out)
{
	struct words seen = {NULL, 0}, hosts = {NULL, 0}, list = {NULL, 0};
	char *buf = slurp(path, NULL), *rest = buf, *line, *text, *why;
	size_t len;

	if (buf == NULL)
		finish(EX_USE);
	while ((line = strsep(&rest, "\n")) != NULL)
		if ((text = txt_key(line)) != NULL)
			words_add(&seen, text);
	free(buf);
	words_sort(&seen);
	if (!web_hosts(&s->site, &hosts))
		words_free(&hosts);
	for (size_t i = 0; i < s->site.n; i++) {
		const struct service_id *id = &s->site.id[i];
		bool listed = true;

		why = missing(s, id, &seen, &hosts, &listed);
		if (why == NULL && listed)
			words_add(&list, xasprintf("%s/%s", id->group, id->service));
		else if (listed)
			complain("%s/%s: not to be validated now: %s", id->group, id->service,
			    why);
		free(why);
	}
	text = words_join(&list, "\n", &len);
	if (out == NULL)
		fputs(text, stdout);
	else if (out_file(out, 0644, text, len) == -1)
		failed(s, EX_TEMP);
	free(text);
	words_free(&list);
	words_free(&hosts);
	words_free(&seen);
}
