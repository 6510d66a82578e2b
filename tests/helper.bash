# shellcheck shell=bash
# Loaded by every .bats file.  The programs under test are those in SSLM_BIN
# (make check sets it), found by PATH; the oracle is never our own code.
bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
SSLM_BIN=${SSLM_BIN:-$TOP/bin}
PATH=$SSLM_BIN:$PATH
export TOP SSLM_BIN PATH

# A directory of the test's own, with a space in its path.
workdir() {
	mkdir -p "$BATS_TEST_TMPDIR/a site" && cd "$BATS_TEST_TMPDIR/a site" || return
}

# For tests of sites that `sslm-mgr init' makes: it refuses where make could not
# include the rules.
plain_top() {
	case $TOP in
	*[!A-Za-z0-9/._+-]*) skip "make cannot include from '$TOP'" ;;
	esac
}

# For tests that look at system calls: a program that may not dump core shows its
# memory to root alone.
traceable() {
	command -v strace >/dev/null || skip "no strace"
	[ "$(id -u)" = 0 ] || skip "only root can look into these programs"
}

# cert NAME [openssl req option...]: a throw-away self-signed certificate for
# the DNS name NAME, in NAME.key and NAME.pem here.
cert() {
	local name=$1
	shift
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$name.key" -out "$name.pem" -subj "/CN=$name" \
	    -addext "subjectAltName=DNS:$name" -days 30 "$@" 2>/dev/null
}

# damage FILE N: another octet than there is at the Nth place from the end.
damage() {
	local at was
	at=$(($(stat -c %s "$1") - $2))
	was=$(od -An -tu1 -j "$at" -N 1 "$1")
	printf '%b' "\\0$(printf %o $((was ^ 1)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

# dates FILE: notBefore and notAfter of a certificate in seconds.
dates() {
	local d
	for d in -startdate -enddate; do
		date -d "$(openssl x509 -in "$1" -noout "$d" | cut -d= -f2)" +%s
	done
}
