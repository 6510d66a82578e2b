/* name.c: names that a certificate can be for, and names of our own. */
#include "sslm.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

enum { LABEL_MAX = 63, DNS_MAX = 253, SAFE_MAX = 64 };

/* Lower-case letters, digits and inner hyphens, 1 to 63 of them. */
static bool
label_ok(const char *s, size_t n)
{
	if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) &&
		    s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

static const char *
dns_fault(const char *s)
{
	const char *label = s;
	size_t labels = 0, n;

	if (strlen(s) > DNS_MAX)
		return "longer than 253 octets";
	if (strncmp(s, "*.", 2) == 0) {
		label += 2;
		if (strchr(label, '.') == NULL)
			return "a wildcard needs two labels behind it";
	}
	for (;; label += n + 1, labels++) {
		n = strcspn(label, ".");
		if (!label_ok(label, n))
			return "not a DNS name or IP address";
		if (label[n] == '\0')
			break;
	}
	/* A last label of digits is a mistyped IPv4 address (RFC 3696, 2). */
	if (labels > 0 && strspn(label, "0123456789") == n)
		return "not a DNS name or IP address";
	return NULL;
}

char *
name_canon(const char *s, const char **why)
{
	unsigned char addr[16];
	char text[INET6_ADDRSTRLEN], *ace;
	size_t n = strlen(s);
	bool ascii = true;
	char *name;

	for (int family = AF_INET;; family = AF_INET6) {
		if (inet_pton(family, s, addr) == 1 &&
		    inet_ntop(family, addr, text, sizeof(text)) != NULL)
			return xstrdup(text);
		if (family == AF_INET6)
			break;
	}
	for (size_t i = 0; i < n; i++)
		ascii = ascii && (unsigned char)s[i] < 0x80;
	if (ascii) {
		name = xstrdup(s);
		for (size_t i = 0; i < n; i++)
			name[i] = (char)tolower((unsigned char)name[i]);
	} else {
		int wild = strncmp(s, "*.", 2) == 0 ? 2 : 0;
		int rc = idn2_to_ascii_8z(s + wild, &ace, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

		if (rc != IDN2_OK) {
			*why = idn2_strerror(rc);
			return NULL;
		}
		name = xasprintf("%s%s", wild ? "*." : "", ace);
		idn2_free(ace);
	}
	n = strlen(name);
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	if ((*why = dns_fault(name)) != NULL) {
		free(name);
		return NULL;
	}
	return name;
}

size_t
name_ip(const char *name, unsigned char addr[16])
{
	if (inet_pton(AF_INET, name, addr) == 1)
		return 4;
	return inet_pton(AF_INET6, name, addr) == 1 ? 16 : 0;
}

bool
name_safe(const char *s)
{
	static const char *const taken[] = {"all", "cb", "clean", "curr", "db", "define",
	    "dh", "endif", "export", "ifdef", "include", "makefile", "next", "override", "prev",
	    "renew", "roll", "servers", "services", "status", "undefine", "unexport", "vpath"};
	size_t n = strlen(s);

	if (n == 0 || n > SAFE_MAX || !isalnum((unsigned char)s[0]) || strstr(s, "..") != NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80 ||
		    (!isalnum((unsigned char)s[i]) && strchr("._-", s[i]) == NULL))
			return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcasecmp(s, taken[i]) == 0)
			return false;
	return true;
}
