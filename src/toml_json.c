/* toml_json.c: a TOML file's meaning, as JSON. */
#include "site.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
put_string(const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c;

	putchar('"');
	for (; len > 0; len--, s++) {
		c = (unsigned char)*s;
		if (c < ' ' || c == 0x7f) {
			fputs("\\u00", stdout);
			putchar(hex[c >> 4]);
			putchar(hex[c & 0xf]);
		} else {
			if (c == '"' || c == '\\')
				putchar('\\');
			putchar(c);
		}
	}
	putchar('"');
}

/* The fewest digits that read back as the same number. */
static void
put_real(double x)
{
	char buf[32];

	if (isnan(x) || isinf(x)) {
		fputs(isnan(x) ? "\"nan\"" : x < 0 ? "\"-inf\"" : "\"inf\"", stdout);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, sizeof(buf), "%.*g", digits, x);
		if (strtod(buf, NULL) == x)
			break;
	}
	fputs(buf, stdout);
	if (strpbrk(buf, ".e") == NULL)
		fputs(".0", stdout);
}

/* As deep as TOML_DEPTH allows. */
static void
put(const struct toml *v)
{
	const char *brackets = v->type == TOML_TABLE ? "{}" : "[]";

	switch (v->type) {
	case TOML_INTEGER:
		printf("%" PRId64, v->num);
		break;
	case TOML_FLOAT:
		put_real(v->real);
		break;
	case TOML_BOOL:
		fputs(v->num ? "true" : "false", stdout);
		break;
	case TOML_ARRAY:
	case TOML_TABLE:
		putchar(brackets[0]);
		for (const struct toml *e = v->first; e != NULL; e = e->next) {
			if (e != v->first)
				putchar(',');
			if (e->key != NULL) {
				put_string(e->key, e->keylen);
				putchar(':');
			}
			put(e);
		}
		putchar(brackets[1]);
		break;
	default:
		put_string(v->str, v->len);
	}
}

void
toml_print_json(const struct toml *root)
{
	put(root);
	putchar('\n');
}
