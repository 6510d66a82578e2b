/* dns_set.c: records, as lines and as sets. */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

enum {
	LINE_MAX_LEN = 65535,
	TTL_MAX = INT32_MAX	/* a greater one counts as 0 (RFC 2181, 8) */
};

/* A record of a line, or NULL with what is wrong with it. */
static ldns_rr *
parse(const char *text, const char **why)
{
	size_t owner = strcspn(text, " \t;");
	ldns_status status;
	ldns_rr *rr = NULL;
	char *name;

	*why = NULL;
	if (strlen(text) > LINE_MAX_LEN)
		*why = "is too long";
	else if (owner == 0 || text[owner - 1] != '.')
		*why = "does not begin with a name that ends in a dot";
	if (*why != NULL)
		return NULL;
	if ((status = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL)) != LDNS_STATUS_OK ||
	    rr == NULL) {
		*why = ldns_get_errorstr_by_id(status);
		return NULL;
	}
	name = dns_text(ldns_rr_owner(rr));
	if (name == NULL)
		*why = "has an owner that is not a name for us";
	else if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
		*why = "is of a class other than IN";
	free(name);
	if (*why != NULL) {
		ldns_rr_free(rr);
		return NULL;
	}
	ldns_rr2canonical(rr);
	return rr;
}

static bool
read_lines(struct dns_lines *l, const char *path)
{
	char *rest = l->text, *line;
	const char *why;
	bool ok = true;

	for (unsigned no = 1; (line = strsep(&rest, "\n")) != NULL; no++) {
		const char *word = line + strspn(line, " \t\r");
		ldns_rr *rr;

		if (*word == '\0' || *word == ';')
			continue;
		if ((rr = parse(line, &why)) == NULL) {
			complain("%s:%u: the record %s", path, no, why);
			ok = false;
			continue;
		}
		l->line = xreallocarray(l->line, l->n + 1, sizeof(*l->line));
		l->line[l->n++] = (struct dns_line){.text = line, .rr = rr};
	}
	return ok;
}

/* By owner and type, and then as they were given. */
static int
by_set(const void *a, const void *b)
{
	const struct dns_line *x = *(const struct dns_line *const *)a;
	const struct dns_line *y = *(const struct dns_line *const *)b;
	int c = ldns_dname_compare(ldns_rr_owner(x->rr), ldns_rr_owner(y->rr));

	if (c == 0)
		c = (ldns_rr_get_type(x->rr) > ldns_rr_get_type(y->rr)) -
		    (ldns_rr_get_type(x->rr) < ldns_rr_get_type(y->rr));
	return c != 0 ? c : (x > y) - (x < y);
}

static bool
same_set(const ldns_rr *a, const ldns_rr *b)
{
	return ldns_rr_get_type(a) == ldns_rr_get_type(b) &&
	    ldns_dname_compare(ldns_rr_owner(a), ldns_rr_owner(b)) == 0;
}

static void
make_sets(struct dns_lines *l)
{
	const struct dns_line **order = xmalloc(l->n * sizeof(*order));
	struct dns_set *set = NULL;

	for (size_t i = 0; i < l->n; i++)
		order[i] = &l->line[i];
	if (l->n > 0)
		qsort(order, l->n, sizeof(*order), by_set);
	l->set = xmalloc(l->n * sizeof(*l->set));
	for (size_t i = 0; i < l->n; i++) {
		const ldns_rr *rr = order[i]->rr;

		if (set == NULL || !same_set(set->line[0]->rr, rr)) {
			set = &l->set[l->nset++];
			*set = (struct dns_set){.owner = dns_text(ldns_rr_owner(rr)),
			    .type = ldns_rr_get_type(rr), .line = &order[i]};
		}
		set->n++;
		l->line[order[i] - l->line].set = l->nset - 1;
	}
	if (l->nset == 0)
		free(order);
}

bool
dns_lines_read(struct dns_lines *l, char *text, const char *path)
{
	bool ok;

	*l = (struct dns_lines){.text = text};
	ok = read_lines(l, path);
	make_sets(l);
	return ok;
}

void
dns_lines_free(struct dns_lines *l)
{
	if (l->nset > 0)
		free(l->set[0].line);	/* the first of all: they are one array */
	for (size_t i = 0; i < l->nset; i++)
		free(l->set[i].owner);
	for (size_t i = 0; i < l->n; i++)
		ldns_rr_free(l->line[i].rr);
	free(l->set);
	free(l->line);
	free(l->text);
}

bool
dns_same_data(const ldns_rr *a, const ldns_rr *b)
{
	if (ldns_rr_rd_count(a) != ldns_rr_rd_count(b))
		return false;
	for (size_t i = 0; i < ldns_rr_rd_count(a); i++)
		if (ldns_rdf_compare(ldns_rr_rdf(a, i), ldns_rr_rdf(b, i)) != 0)
			return false;
	return true;
}

ldns_rr *
dns_next(const ldns_pkt *answer, const char *owner, ldns_rr_type type, size_t *at)
{
	const ldns_rr_list *rrs = ldns_pkt_answer(answer);

	while (*at < ldns_rr_list_rr_count(rrs)) {
		ldns_rr *rr = ldns_rr_list_rr(rrs, (*at)++);
		char *name;
		bool same;

		if (ldns_rr_get_type(rr) != type || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
			continue;
		name = dns_text(ldns_rr_owner(rr));
		same = name != NULL && strcmp(name, owner) == 0;
		free(name);
		if (same) {
			ldns_rr2canonical(rr);
			return rr;
		}
	}
	return NULL;
}

bool
dns_has(const ldns_pkt *answer, const char *owner, const ldns_rr *rr)
{
	const ldns_rr *has;
	size_t at = 0;

	while ((has = dns_next(answer, owner, ldns_rr_get_type(rr), &at)) != NULL)
		if (dns_same_data(has, rr))
			return true;
	return false;
}

const ldns_rr *
dns_first(const ldns_pkt *answer, const char *owner, ldns_rr_type type)
{
	size_t at = 0;

	return dns_next(answer, owner, type, &at);
}

uint32_t
dns_serial(const ldns_rr *soa)
{
	enum { SERIAL = 2, SOA_FIELDS = 7 };

	return ldns_rr_rd_count(soa) != SOA_FIELDS ? 0 :
	    ldns_rdf2native_int32(ldns_rr_rdf(soa, SERIAL));
}

uint32_t
dns_ttl(const ldns_pkt *answer, const char *owner, ldns_rr_type type)
{
	const ldns_rr *has;
	uint32_t most = 0;
	size_t at = 0;

	while ((has = dns_next(answer, owner, type, &at)) != NULL)
		if (ldns_rr_ttl(has) > most && ldns_rr_ttl(has) <= TTL_MAX)
			most = ldns_rr_ttl(has);
	return most;
}

char *
dns_rr_text(const ldns_rr *rr)
{
	char *text = ldns_rr2str(rr);

	if (text == NULL)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (char *tab = text; (tab = strchr(tab, '\t')) != NULL;)
		*tab = ' ';
	return text;
}

char *
dns_beyond(const ldns_pkt *answer, const char *owner, const struct dns_set *set)
{
	const ldns_rr *has;
	size_t at = 0, i;
	char *text;

	while ((has = dns_next(answer, owner, set->type, &at)) != NULL) {
		for (i = 0; i < set->n && !dns_same_data(has, set->line[i]->rr); i++)
			;
		if (i < set->n)
			continue;
		text = dns_rr_text(has);
		return text != NULL ? text : xstrdup("one that cannot be shown");
	}
	return NULL;
}
