/* problem.c: what a CA says, made fit for people. */
#include "acme.h"
#include "cert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 2048, DETAIL_MAX = 600, SUB_MAX = 20 };

static const char ACME_ERROR[] = "urn:ietf:params:acme:error:";

bool
url_ok(const char *url)
{
	size_t n = strlen(url);

	if (strncmp(url, "https://", 8) != 0 || n > URL_MAX ||
	    url[8 + strcspn(url + 8, "/@")] == '@')
		return false;
	for (size_t i = 0; i < n; i++)
		if (url[i] <= ' ' || url[i] > '~' || strchr("\"\\<>^`{|}", url[i]) != NULL)
			return false;
	return true;
}

const char *
json_str(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const char *
json_url(const json_t *object, const char *key)
{
	const char *url = json_str(object, key);
	char *text;

	if (url == NULL || url_ok(url))
		return url;
	text = text_safe(url, strnlen(url, DETAIL_MAX), "");
	complain("the CA says '%s' as its '%s', which is not a URL with https", text, key);
	free(text);
	return NULL;
}

static const char *
type_of(const json_t *problem)
{
	const char *type = json_str(problem, "type");

	if (type != NULL && strncmp(type, ACME_ERROR, sizeof(ACME_ERROR) - 1) == 0)
		type += sizeof(ACME_ERROR) - 1;
	return type;
}

bool
problem_is(const struct acme_req *r, const char *type)
{
	const char *have = r->h.status >= 400 ? type_of(r->json) : NULL;

	return have != NULL && strcmp(have, type) == 0;
}

bool
problem_passes(const struct acme_req *r)
{
	return r->h.status == 429 || r->h.status >= 500 || problem_is(r, "badNonce");
}

static void
put(FILE *f, const char *before, const char *s, const char *after)
{
	char *text;

	if (s == NULL)
		return;
	text = text_safe(s, strnlen(s, DETAIL_MAX), "");
	fprintf(f, "%s%s%s%s", before, text, strlen(s) > DETAIL_MAX ? "..." : "", after);
	free(text);
}

static void
put_problem(FILE *f, const json_t *problem)
{
	const json_t *subs = json_object_get(problem, "subproblems"), *sub;
	const char *type = type_of(problem), *detail = json_str(problem, "detail");
	const char *name = json_str(json_object_get(problem, "identifier"), "value");
	size_t i, n = json_array_size(subs);

	put(f, "", name, ": ");
	put(f, "", detail, "");
	put(f, detail != NULL ? " (" : "", type, detail != NULL ? ")" : "");
	if (detail == NULL && type == NULL)
		put(f, "", json_str(problem, "title"), "");
	put(f, "; see ", json_str(problem, "instance"), "");
	json_array_foreach(subs, i, sub) {
		fputs("; ", f);
		if (i == SUB_MAX) {
			fprintf(f, "and %zu more", n - i);
			break;
		}
		/* These have none of their own; a server that thinks otherwise
		 * does not make us go in circles. */
		put(f, "", json_str(json_object_get(sub, "identifier"), "value"), ": ");
		put(f, "", json_str(sub, "detail"), "");
		put(f, " (", type_of(sub), ")");
	}
}

char *
problem_text(const json_t *problem)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		die(EX_TEMP, "out of memory");
	put_problem(f, problem);
	if (fclose(f) != 0)
		die(EX_TEMP, "out of memory");
	if (len == 0) {
		free(text);
		text = xstrdup("no reason given");
	}
	return text;
}

char *
problem_of(const struct acme_req *r)
{
	char *text, *all;

	if (json_is_object(r->json) && (json_str(r->json, "detail") != NULL ||
	    type_of(r->json) != NULL)) {
		text = problem_text(r->json);
		all = xasprintf("%s [%ld]", text, r->h.status);
		free(text);
		return all;
	}
	if (r->h.status >= 300 && r->h.status < 400)
		return xasprintf("redirected [%ld], which is not followed", r->h.status);
	return xasprintf("status %ld%s", r->h.status,
	    r->json == NULL && r->h.status < 300 ? " without the JSON that belongs there" : "");
}

int
problem_complain(const struct acme_req *r, const char *fmt, ...)
{
	char *what, *text = problem_of(r), when[STAMP_SIZE];
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) == -1)
		die(EX_TEMP, "out of memory");
	va_end(ap);
	if (r->h.retry_after > 0) {
		stamp(when, time(NULL) + r->h.retry_after);
		complain("%s: %s; not before %s", what, text, when);
	} else {
		complain("%s: %s", what, text);
	}
	free(what);
	free(text);
	return problem_passes(r) ? EX_TEMP : EX_PERM;
}
