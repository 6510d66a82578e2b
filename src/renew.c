/* renew.c: when to renew. */
#include "site.h"

#include <stdlib.h>
#include <string.h>

static const double DAY = 86400;

/* Nearer than this to a point of the table, an entry replaces it; days. */
static const double SAME = 0.1;

/* However a site is set up, a third of the lifetime passes before a renewal:
 * a rule made for 90 days shall not renew a 6 day certificate every night. */
static const double MOST = 2.0 / 3;

void
renew_default(struct renew_rule *r)
{
	static const struct renew_point point[] = {
	    {0, 0.25, 0}, {1, 0.5, 0}, {2, 1, 0}, {5, 2, 0}, {10, 5, 0}, {45, 10, 0},
	    {60, 20, 0}, {90, 30, 0}, {120, 45, 5}, {300, 60, 0}};

	r->n = sizeof(point) / sizeof(point[0]);
	memcpy(r->point, point, sizeof(point));
	r->days = -1;
	r->days_spread = 0;
}

/* The value at life on the line through a member of the points around it. */
static double
between(const struct renew_rule *r, double life, size_t member)
{
#define AT(i) (*(const double *)((const char *)&r->point[i] + member))
	size_t last = r->n - 1, i = 0;
	double part;

	if (life >= r->point[last].life)
		return r->point[last].life > 0 ? AT(last) / r->point[last].life * life : AT(last);
	if (life <= r->point[0].life)
		return AT(0);
	while (life >= r->point[i + 1].life)
		i++;
	part = (life - r->point[i].life) / (r->point[i + 1].life - r->point[i].life);
	return AT(i) + part * (AT(i + 1) - AT(i));
#undef AT
}

/* The point for a lifetime, made where there is none; NULL if there are too
 * many.  A new one lies on the line through its neighbours. */
static struct renew_point *
point_for(struct renew_rule *r, double life)
{
	struct renew_point new = {life, between(r, life, offsetof(struct renew_point, left)),
	    between(r, life, offsetof(struct renew_point, spread))};
	size_t i;

	for (i = 0; i < r->n && r->point[i].life < life - SAME; i++)
		;
	if (i < r->n && r->point[i].life <= life + SAME)
		return &r->point[i];
	if (r->n == RENEW_MAX)
		return NULL;
	memmove(&r->point[i + 1], &r->point[i], (r->n - i) * sizeof(new));
	r->n++;
	r->point[i] = new;
	return &r->point[i];
}

bool
renew_table(struct renew_rule *r, const char *path, const struct toml *table)
{
	static const char *const names[] = {"target_90", "rand_adj_90"};
	struct renew_point *p;
	double life, value;
	const char *rest;
	char *end;
	bool ok = true, target;

	for (const struct toml *v = table->first; v != NULL; v = v->next) {
		rest = strncmp(v->key, "renew_", 6) == 0 ? v->key + 6 : v->key;
		target = strncmp(rest, "target_", 7) == 0;
		if (!target && strncmp(rest, "rand_adj_", 9) != 0) {
			conf_unknown(path, v, names, 2);
			continue;
		}
		rest += target ? 7 : 9;
		life = strtod(rest, &end);
		value = v->type == TOML_INTEGER ? (double)v->num : v->real;
		if (end == rest || *end != '\0' || !(life >= 0 && life <= 36500)) {
			complain("%s:%u: '%s' has to end in a number of days", path, v->line, v->key);
			ok = false;
		} else if ((v->type != TOML_INTEGER && v->type != TOML_FLOAT) ||
		    !(value >= 0 && value <= 36500)) {
			complain("%s:%u: '%s' has to be a number of days", path, v->line, v->key);
			ok = false;
		} else if ((p = point_for(r, life)) == NULL) {
			complain("%s:%u: more than %d lifetimes in the table", path, v->line, RENEW_MAX);
			ok = false;
		} else if (target) {
			p->left = value;
		} else {
			p->spread = value;
		}
	}
	return ok;
}

time_t
renew_time(const struct renew_rule *r, time_t from, time_t until, double draw)
{
	double life = (double)(until - from) / DAY, left, spread;

	if (r->days >= 0 && r->days <= MOST * life) {
		left = r->days;
		spread = r->days_spread;
	} else {
		left = between(r, life, offsetof(struct renew_point, left));
		spread = between(r, life, offsetof(struct renew_point, spread));
	}
	left += spread * (2 * draw - 1);
	left = left < 0 ? 0 : left > MOST * life ? MOST * life : left;
	return until - (time_t)(left * DAY);
}
