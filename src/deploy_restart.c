/* deploy_restart.c: servers are told of their new certificates. */
#include "deploy.h"

#include <stdlib.h>
#include <string.h>

static char *
use_key(const struct deploy *d, size_t s, const char *host, size_t i)
{
	return xasprintf("use %s %s %s", host, d->site.server[s].section, d->service[i].name);
}

static char *
tlsa_key(const struct deploy *d, size_t s, const char *host, size_t i)
{
	return xasprintf("tlsa %s %s %s", host, d->site.server[s].section,
	    d->service[i].id->group);
}

/* Has the section been told there of what service i has now? */
static bool
told(const struct deploy *d, size_t s, const char *host, size_t i)
{
	char *key = use_key(d, s, host, i);
	const char *have = deployed_get(&d->state, key);
	bool yes = have != NULL && strcmp(have, d->service[i].curr) == 0;

	free(key);
	return yes;
}

static bool
told_tlsa(const struct deploy *d, size_t s, const char *host, size_t i)
{
	char *key = tlsa_key(d, s, host, i);
	const char *have = deployed_get(&d->state, key);
	bool yes = have != NULL && strcmp(have, d->group[d->service[i].group].tlsa) == 0;

	free(key);
	return yes;
}

/* Has every section that reads service i there been told? */
static bool
all_told(const struct deploy *d, const char *host, size_t i)
{
	for (size_t s = 0; s < d->site.nserver; s++)
		if (section_certs(&d->site.server[s]) && deploy_uses(d, s, host, i) &&
		    !told(d, s, host, i))
			return false;
	return true;
}

void
restart_seen(struct deploy *d)
{
	char *key;

	for (size_t h = 0; h < d->all.n; h++)
		for (size_t i = 0; i < d->site.n; i++)
			if (d->service[i].curr != NULL && !all_told(d, d->all.w[h], i)) {
				key = xasprintf("seen %s %s", d->all.w[h], d->service[i].name);
				deployed_add(&d->state, key, d->service[i].curr);
				free(key);
			}
}

bool
restart_wanted(const struct deploy *d, size_t s, const char *host)
{
	const struct server *section = &d->site.server[s];
	bool certs = section_certs(section), wanted = false;

	if (d->part != PART_ALL && certs != (d->part == PART_CERT))
		return false;

	for (size_t i = 0; i < d->site.n; i++) {
		if (!deploy_uses(d, s, host, i))
			continue;
		/* Who reads a set that is not complete does not come up again. */
		if (d->service[i].bad)
			return false;
		if (d->service[i].curr != NULL)
			wanted = wanted || d->force ||
			    (certs && !told(d, s, host, i)) ||
			    (section_tlsa(section) && !told_tlsa(d, s, host, i));
	}
	return wanted;
}

/* ---- commands ------------------------------------------------------------------ */

static void
complain_ran(const char *host, const char *what, const char *cmd, struct ran r)
{
	char *text = ran_text(r);

	if (strcmp(host, HERE) == 0)
		complain("%s '%s': %s", what, cmd, text);
	else
		complain("'%s': %s '%s': %s", host, what, cmd, text);
	free(text);
}

bool
post_cmds(const struct deploy *d, const char *host)
{
	const struct toml *pair = d->site.post_copy_cmd;

	for (pair = pair == NULL ? NULL : pair->first; pair != NULL; pair = pair->next)
		if (strcmp(pair->first->str, host) == 0)
			return true;
	return false;
}

bool
post_news(struct deploy *d, const char *host, bool note)
{
	bool news = false;

	for (size_t i = 0; i < d->site.n; i++) {
		const struct prod *p = &d->service[i];
		char *key, *value;
		const char *have;

		if (p->bad || p->curr == NULL || strcmp(p->id->group, "ca") == 0)
			continue;
		key = xasprintf("copy %s %s", host, p->name);
		value = xasprintf("%s %s", p->curr, p->next != NULL ? p->next : "-");
		have = deployed_get(&d->state, key);
		news = news || d->force || have == NULL || strcmp(have, value) != 0;
		if (note)
			deployed_put(&d->state, key, value);
		free(value);
		free(key);
	}
	return news;
}

bool
post_wanted(const struct deploy *d, const char *host)
{
	char *line = xasprintf("post %s", host);
	bool yes = words_has(&d->state, line) && !deploy_missed(d, host);

	free(line);
	return yes;
}

/* The path of a program, which may hold blanks, and the host. */
static bool
post(struct deploy *d, const char *cmd, const char *host)
{
	char *path = strchr(cmd, '/') != NULL ? site_path(&d->site, cmd) : xstrdup(cmd);
	struct ran r = run((const char *[]){path, host, NULL}, d->seconds);

	if (!ran_well(r)) {
		complain_ran(host, "post_copy_cmd", cmd, r);
		deploy_failed(d, EX_PERM);
	}
	free(path);
	return ran_well(r);
}

void
post_host(struct deploy *d, const char *host)
{
	const struct toml *pair = d->site.post_copy_cmd, *at;
	char *line = xasprintf("post %s", host);
	const char *cmd;
	bool ok = true;

	for (pair = pair == NULL ? NULL : pair->first; pair != NULL; pair = pair->next)
		for (at = NULL; strcmp(pair->first->str, host) == 0 &&
		    (cmd = conf_next(pair->first->next, &at)) != NULL;)
			ok = (*cmd == '\0' || post(d, cmd, host)) && ok;
	if (ok)
		words_drop(&d->state, line);
	deploy_save(d);
	free(line);
}

/* A word for the shell that sshd starts: nothing in it means anything. */
static char *
quoted(const char *word)
{
	struct words l = {NULL, 0};
	char *copy = xstrdup(word), *rest = copy, *part, *text, *all;
	bool first = true;

	while ((part = strsep(&rest, "'")) != NULL) {
		words_add(&l, xasprintf("%s%s", first ? "" : "\\'", *part != '\0' ? "'" : ""));
		words_add(&l, xasprintf("%s%s", part, *part != '\0' ? "'" : ""));
		first = false;
	}
	text = words_join(&l, "", NULL);
	all = *text != '\0' ? xstrdup(text) : xstrdup("''");
	free(text);
	words_free(&l);
	free(copy);
	return all;
}

/* Split at blanks, as what ran here would be if there is no such file. */
static struct ran
run_there(const struct deploy *d, const char *host, const char *cmd)
{
	static const char *const ssh[] = {"-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-n",
	    "--"};
	char *copy = xstrdup(cmd), *rest = copy, *word;
	struct words argv = {NULL, 0};
	struct ran r;

	words_add(&argv, xstrdup("ssh"));
	for (size_t i = 0; i < sizeof(ssh) / sizeof(ssh[0]); i++)
		words_add(&argv, xstrdup(ssh[i]));
	words_add(&argv, xstrdup(host));
	while ((word = strsep(&rest, " \t")) != NULL)
		if (*word != '\0')
			words_add(&argv, quoted(word));
	r = run((const char *const *)argv.w, d->seconds);
	words_free(&argv);
	free(copy);
	return r;
}

static struct ran
run_here(const struct deploy *d, const char *cmd)
{
	struct words argv = command_words(&d->site, cmd);
	struct ran r = run((const char *const *)argv.w, d->seconds);

	words_free(&argv);
	return r;
}

/* ---- reloads ----------------------------------------------------------------------- */

/* done: what has been run on a host, and how that ended, "+HOST CMD" or "-HOST CMD". */
static bool
command(struct deploy *d, struct words *done, size_t s, const char *host, const char *cmd)
{
	char *well = xasprintf("+%s %s", host, cmd), *ill = xasprintf("-%s %s", host, cmd);
	char *what = xasprintf("[%s] restart_cmd", d->site.server[s].section);
	bool here = strcmp(host, HERE) == 0, ok = words_has(done, well);
	struct ran r;

	if (!ok && !words_has(done, ill)) {
		r = here ? run_here(d, cmd) : run_there(d, host, cmd);
		ok = ran_well(r);
		if (!ok) {
			complain_ran(host, what, cmd, r);
			deploy_failed(d, r.how == RAN_LATE ||
			    (!here && r.how == RAN_EXIT && r.code == 255) ? EX_TEMP : EX_PERM);
		}
		words_add(done, xstrdup(ok ? well : ill));
		words_sort(done);
	}
	free(what);
	free(ill);
	free(well);
	return ok;
}

/* What the section has been told of, there. */
static void
note(struct deploy *d, size_t s, const char *host)
{
	char *key;

	for (size_t i = 0; i < d->site.n; i++) {
		const struct prod *p = &d->service[i];

		if (p->curr == NULL || !deploy_uses(d, s, host, i))
			continue;
		if (section_certs(&d->site.server[s])) {
			key = use_key(d, s, host, i);
			deployed_put(&d->state, key, p->curr);
			free(key);
		}
		if (section_tlsa(&d->site.server[s])) {
			key = tlsa_key(d, s, host, i);
			deployed_put(&d->state, key, d->group[p->group].tlsa);
			free(key);
		}
		if (all_told(d, host, i)) {
			key = xasprintf("seen %s %s", host, p->name);
			deployed_drop(&d->state, key);
			free(key);
		}
	}
}

static void
restart(struct deploy *d, struct words *done, size_t s, const char *host)
{
	const struct server *section = &d->site.server[s];
	const struct toml *at = NULL;
	const char *cmd;
	bool ok = true;

	while (ok && (cmd = conf_next(section->restart_cmd, &at)) != NULL)
		if (cmd[strspn(cmd, " \t")] != '\0')
			ok = command(d, done, s, host, cmd);
	if (!ok)
		return;
	note(d, s, host);
	if (deploy_save(d) && section_cmd(section))
		deploy_say(d, host, "%s reloaded", section->section);
}

/* The section in its place: those with a name of their own, then the others. */
static size_t
in_order(const struct deploy *d, size_t nth)
{
	static const char *const first[] = {"smtp", "imap", "web", "other"};
	size_t at = 0;

	for (size_t pass = 0; pass < 5; pass++)
		for (size_t s = 0; s < d->site.nserver; s++) {
			size_t f = 0;

			while (f < 4 && strcmp(first[f], d->site.server[s].section) != 0)
				f++;
			if (f == pass && at++ == nth)
				return s;
		}
	return 0;
}

void
restart_all(struct deploy *d)
{
	struct words done = {NULL, 0};

	for (size_t n = 0; n < d->site.nserver; n++) {
		size_t s = in_order(d, n);

		for (size_t h = 0; h < d->where[s].n; h++) {
			const char *host = d->where[s].w[h];

			if (!restart_wanted(d, s, host) || deploy_missed(d, host))
				continue;
			if (!d->dry)
				restart(d, &done, s, host);
			else if (section_cmd(&d->site.server[s]))
				deploy_say(d, host, "would reload %s", d->site.server[s].section);
		}
	}
	words_free(&done);
}
