/* http.c: requests over one connection.
 *
 * What a server may do to us is bounded: https and nothing else, its certificate
 * verified, no redirects, no proxy and no file of the caller's environment, sizes
 * and times limited. */
#include "acme.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <curl/curl.h>

enum {
	CONNECT_SECONDS = 10,
	REQUEST_SECONDS = 60,
	HEADER_MAX = 1 << 16,	/* octets of an answer's header */
	RETRY_MAX = 366 * 86400	/* seconds; later than this is never */
};

struct http {
	CURLM *multi;
	char *cafile, *capath;
	time_t deadline;
	bool parallel;
};

struct http_work {
	CURL *easy;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	size_t header_len, room;
	time_t date;		/* the server's clock; -1 if not said */
	char *retry_after;
	bool too_big;
	const char *unsent;	/* of a body that is sent once */
};

static void
must(bool ok)
{
	if (!ok)
		die(EX_TEMP, "out of memory");
}

/* The trust anchors.  A hashed directory is preferred: of a bundle all the
 * certificates are parsed, of a directory only the one that is needed. */
static void
set_anchors(struct http *h, const char *anchors)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
	struct stat st;

	if (anchors == NULL && v->capath != NULL && stat(v->capath, &st) == 0)
		h->capath = xstrdup(v->capath);
	else if (anchors == NULL && v->cainfo != NULL)
		h->cafile = xstrdup(v->cainfo);
	else if (anchors == NULL)
		die(EX_USE, "no trust anchors of the system are known; set ca_bundle");
	else if (stat(anchors, &st) == -1)
		die(EX_USE, "cannot find the trust anchors '%s':", anchors);
	else if (S_ISDIR(st.st_mode))
		h->capath = xstrdup(anchors);
	else
		h->cafile = xstrdup(anchors);
}

struct http *
http_open(const char *anchors, time_t deadline)
{
	struct http *h = xmalloc(sizeof(*h));

	*h = (struct http){.deadline = deadline};
	unsetenv("SSLKEYLOGFILE");
	must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	set_anchors(h, anchors);
	must((h->multi = curl_multi_init()) != NULL);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 2L);
	return h;
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h->cafile);
	free(h->capath);
	free(h);
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_req *r = arg;
	struct http_work *w = r->work;

	n *= size;
	if (n > BODY_MAX - r->len) {
		w->too_big = true;
		return 0;
	}
	if (r->len + n + 1 > w->room) {
		w->room = 2 * (r->len + n + 1);
		r->body = xreallocarray(r->body, w->room, 1);
	}
	memcpy(r->body + r->len, p, n);
	r->len += n;
	r->body[r->len] = '\0';
	return n;
}

/* What libcurl has read of this it cannot get again: on a connection that the server
 * has just closed it would send the request once more, on its own account. */
static size_t
give_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_work *w = arg;
	size_t len = strnlen(w->unsent, size * n);

	memcpy(p, w->unsent, len);
	w->unsent += len;
	return len;
}

/* A copy of the value if the line of n octets is this header, else NULL. */
static char *
value_of(const char *line, size_t n, const char *name)
{
	size_t len = strlen(name);

	if (n <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	for (len++; len < n && (line[len] == ' ' || line[len] == '\t'); len++)
		;
	while (n > len && isspace((unsigned char)line[n - 1]))
		n--;
	return memchr(line + len, '\0', n - len) == NULL ? strndup(line + len, n - len) : NULL;
}

/* "<https://ca.example/cert/1/alt>;rel="alternate"", one or, behind commas, more
 * (RFC 8288, 3). */
static void
take_links(struct http_req *r, const char *value)
{
	const char *end, *next;

	for (; (value = strchr(value, '<')) != NULL; value = next) {
		if ((end = strchr(value, '>')) == NULL)
			return;
		next = end + strcspn(end, "<");
		if (r->nalternate < LINK_MAX && memmem(end, (size_t)(next - end), "alternate", 9))
			must((r->alternate[r->nalternate++] = strndup(value + 1,
			    (size_t)(end - value - 1))) != NULL);
	}
}

static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_req *r = arg;
	struct http_work *w = r->work;
	char *value;

	n *= size;
	if ((w->header_len += n) > HEADER_MAX) {
		w->too_big = true;
		return 0;
	}
	if ((value = value_of(p, n, "Replay-Nonce")) != NULL) {
		free(r->nonce);
		r->nonce = value;
	} else if ((value = value_of(p, n, "Location")) != NULL) {
		free(r->location);
		r->location = value;
	} else if ((value = value_of(p, n, "Retry-After")) != NULL) {
		free(w->retry_after);
		w->retry_after = value;
	} else if ((value = value_of(p, n, "Date")) != NULL) {
		w->date = curl_getdate(value, NULL);
		free(value);
	} else if ((value = value_of(p, n, "Link")) != NULL) {
		take_links(r, value);
		free(value);
	}
	return n;
}

/* Seconds, or a date by the server's own clock (RFC 9110, 10.2.3). */
static long
retry_seconds(const struct http_work *w)
{
	char *end;
	long n;
	time_t at;

	if (w->retry_after == NULL)
		return -1;
	if (isdigit((unsigned char)w->retry_after[0])) {
		n = strtol(w->retry_after, &end, 10);
		if (*end == '\0')
			return n > RETRY_MAX ? RETRY_MAX : n;
	}
	if ((at = curl_getdate(w->retry_after, NULL)) == -1)
		return -1;
	at -= w->date != -1 ? w->date : time(NULL);
	return at < 0 ? 0 : at > RETRY_MAX ? RETRY_MAX : at;
}

static void
add_header(struct http_work *w, const char *line)
{
	struct curl_slist *more = curl_slist_append(w->headers, line);

	must(more != NULL);
	w->headers = more;
}

/* Verified, https alone, nothing of the environment, and all of it bounded. */
static void
set_limits(const struct http *h, CURL *e)
{
	time_t left = h->deadline - time(NULL);

	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_CAINFO, h->cafile);
	curl_easy_setopt(e, CURLOPT_CAPATH, h->capath);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT,
	    left < 1 ? 1L : left < REQUEST_SECONDS ? (long)left : (long)REQUEST_SECONDS);
	curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)BODY_MAX);
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
}

void
http_start(struct http *h, struct http_req *r)
{
	struct http_work *w = xmalloc(sizeof(*w));
	CURL *e = curl_easy_init();
	char *accept;

	must(e != NULL);
	*w = (struct http_work){.easy = e, .date = -1};
	r->work = w;
	r->status = 0;
	r->why[0] = '\0';
	r->retry_after = -1;
	set_limits(h, e);
	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, w->error);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "sslm/" SSLM_VERSION);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	must(curl_easy_setopt(e, CURLOPT_URL, r->url) == CURLE_OK);
	if (r->post != NULL) {
		add_header(w, "Content-Type: application/jose+json");
		add_header(w, "Expect:");
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)strlen(r->post));
		w->unsent = r->post;
		if (r->once)
			curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body);
		else
			curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->post);
		curl_easy_setopt(e, CURLOPT_READDATA, w);
	} else if (r->head) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	}
	if (r->accept != NULL) {
		accept = xasprintf("Accept: %s", r->accept);
		add_header(w, accept);
		free(accept);
	}
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, w->headers);
	must(curl_multi_add_handle(h->multi, e) == CURLM_OK);
}

/* CURLE_TOO_LARGE, which libcurl has from 8.6 on. */
enum { HEADER_TOO_LARGE = 100 };

/* What came of a transfer. */
static void
settle(struct http *h, struct http_req *r, CURLcode code)
{
	struct http_work *w = r->work;
	long version = 0;

	if (code == CURLE_OK) {
		curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &r->status);
		curl_easy_getinfo(w->easy, CURLINFO_HTTP_VERSION, &version);
		h->parallel = version == CURL_HTTP_VERSION_2_0;
		r->retry_after = retry_seconds(w);
		if (r->body == NULL)
			r->body = xstrdup("");
	} else if (w->too_big || code == CURLE_FILESIZE_EXCEEDED) {
		snprintf(r->why, sizeof(r->why), "the answer is larger than an answer may be");
		r->wrong = true;
	} else if ((int)code == HEADER_TOO_LARGE) {
		snprintf(r->why, sizeof(r->why), "the answer's header is larger than an answer may be");
		r->wrong = true;
	} else if (code == CURLE_OUT_OF_MEMORY) {
		/* What libcurl said of a line of the header that is too long, before 8.6. */
		snprintf(r->why, sizeof(r->why), "a line of the answer's header is too long, or memory is short");
	} else {
		snprintf(r->why, sizeof(r->why), "%s",
		    w->error[0] != '\0' ? w->error : curl_easy_strerror(code));
		r->again = code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING ||
		    code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
		    code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 ||
		    code == CURLE_HTTP2_STREAM;
		r->wrong = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT ||
		    code == CURLE_WEIRD_SERVER_REPLY;
	}
	curl_multi_remove_handle(h->multi, w->easy);
	curl_easy_cleanup(w->easy);
	curl_slist_free_all(w->headers);
	free(w->retry_after);
	free(w);
	r->work = NULL;
}

struct http_req *
http_wait(struct http *h)
{
	struct http_req *r;
	CURLMsg *msg;
	int running, left;

	for (;;) {
		must(curl_multi_perform(h->multi, &running) == CURLM_OK);
		while ((msg = curl_multi_info_read(h->multi, &left)) != NULL)
			if (msg->msg == CURLMSG_DONE) {
				CURLcode code = msg->data.result;

				curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
				settle(h, r, code);
				return r;
			}
		if (running == 0)
			return NULL;
		must(curl_multi_poll(h->multi, NULL, 0, 1000, NULL) == CURLM_OK);
	}
}

bool
http_parallel(const struct http *h)
{
	return h->parallel;
}

void
http_free(struct http_req *r)
{
	free(r->body);
	free(r->location);
	free(r->nonce);
	for (size_t i = 0; i < r->nalternate; i++)
		free(r->alternate[i]);
	*r = (struct http_req){0};
}
