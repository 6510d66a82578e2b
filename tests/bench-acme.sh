#!/usr/bin/env bash
# bench-acme.sh - a certificate from a CA by http-01, side by side with other ACME
# clients, from the key to the files: the median of several runs, at pebble and in one
# run on one machine.  For each client: seconds, times ours, requests to the CA (those
# for nonces apart) and connections.  All have an account before.  Those that are not
# installed are left out.  make bench-acme; RUNS=3 CLIENTS='ours lego'.
set -euo pipefail

TOP=$(cd "$(dirname "$0")/.." && pwd)
runs=${RUNS:-3}
clients=${CLIENTS:-ours uacme acme-tiny lego dehydrated certbot}
PATH=${SSLM_BIN:-$TOP/bin}:$PATH
unset MAKEFLAGS MFLAGS MAKELEVEL

# uacme knows the trust anchors of the system alone, so the lab's CA is put among
# them, in a mount namespace of our own.
anchors=/etc/ssl/certs/ca-certificates.crt
if [ "$(id -u)" = 0 ] && [ -z "${BENCH_NS-}" ] && unshare -m true 2>/dev/null; then
	BENCH_NS=1 exec unshare -m "$0"
fi

BATS_FILE_TMPDIR=$(mktemp -d)
tmp=$BATS_FILE_TMPDIR
export TOP BATS_FILE_TMPDIR
# shellcheck disable=SC1091	# has been looked at
. "$TOP/tests/site.bash" && . "$TOP/tests/acme.bash"
trap 'lab_stop; rm -rf "$tmp"' EXIT

# ---- the clients: CLIENT_new DIRECTORY, then CLIENT NAME... ------------------------

ours_new() {
	ACME_URL=$1 acme_site
	rm -r conf.d/ca conf.d/example.com/mail-ec
	printf "[globals]\nprod_cert_dir = 'prod-certs'\n[[groups]]\nactive = true\ndomain = 'example.com'
		services = ['web-ec']\n[web]\nserver_dir = '%s'\n" "$tmp/web" >conf.d/ssl-mgr.conf
	cp conf.d/example.com/web-ec template
	sslm-acme account -q -c pebble
}
ours_ready() {
	local names
	rm -rf certs/example.com prod-certs
	names=$(printf "'%s', " "$@")
	sed "s/^ *sans = .*/sans = [$names]/" template >conf.d/example.com/web-ec
}
ours() { make renew; }

uacme_new() {
	[ -n "${BENCH_NS-}" ] || return 1
	url=$1
	printf '#!/bin/sh\n[ "$1 $2" != "begin http-01" ] || exec printf %%s "$5" >"%s/$4"\n[ $2 = http-01 ]\n' \
	    "$well_known" >hook
	chmod 755 hook
	mkdir -p conf/private
	command uacme -y -a "$url" -c conf new
}
uacme() { command uacme -f -a "$url" -c conf -t EC -b 384 -h ./hook issue "$@"; }

acme-tiny_new() {
	url=$1
	openssl genrsa -out account.key 2048
}
acme-tiny() {
	local sans
	sans=$(printf ',DNS:%s' "$@")
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout privkey.pem -out csr.pem \
	    -subj / -addext "subjectAltName=${sans#,}"
	SSL_CERT_FILE=$CA_BUNDLE command acme-tiny --disable-check --directory-url "$url" \
	    --account-key account.key --csr csr.pem --acme-dir "$well_known" >cert.pem
}

lego_new() { url=$1; }
lego() {
	local names=() n
	for n; do
		names+=(-d "$n")
	done
	LEGO_CA_CERTIFICATES=$CA_BUNDLE command lego --path . -s "$url" -m a@example.com -a -k ec384 \
	    --http --http.webroot "$tmp/web/example.com" "${names[@]}" run
}

dehydrated_new() {
	printf '%s\n' "CA=$1" "BASEDIR='$PWD'" "WELLKNOWN='$well_known'" KEY_ALGO=secp384r1 \
	    "CURL_OPTS='--cacert $CA_BUNDLE'" >config
	dehydrated_run --register --accept-terms
}
dehydrated_run() { command dehydrated --config config "$@"; }
dehydrated() { dehydrated_run -c -x -d "$*"; }

certbot_new() { url=$1; }
certbot() {
	local names
	names=$(printf ',%s' "$@")
	REQUESTS_CA_BUNDLE=$CA_BUNDLE command certbot certonly -n --force-renewal --agree-tos -m a@example.com \
	    --no-eff-email --config-dir . --work-dir w --logs-dir l --server "$url" --webroot \
	    -w "$tmp/web/example.com" -d "${names#,}" --cert-name "bench$#" --key-type ecdsa \
	    --elliptic-curve secp384r1
}

# ---- measuring ----------------------------------------------------------------------

installed() { [ "$1" = ours ] || type -P "$1" >/dev/null; }

# once CLIENT NAME...: its seconds, or nothing if it came to no certificate.
once() {
	local client=$1 before t0 t1
	shift
	[ "$client" != ours ] || ours_ready "$@"
	before=$(ca_issued || :)
	t0=$EPOCHREALTIME
	"$client" "$@" >out 2>&1 </dev/null || :
	t1=$EPOCHREALTIME
	[ "$(ca_issued || :)" -le "$before" ] || awk "BEGIN { printf \"%.3f\\n\", $t1 - $t0 }"
}

# Those that take long are not asked again and again.
median() {
	local i t
	for ((i = 0; i < runs; i++)); do
		t=$(once "$@")
		[ -n "$t" ] || { cp out failed; return; }
		echo "$t"
		[ "${t%.*}" -lt 10 ] || break
	done | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

# counts CLIENT NAME...: requests, those for nonces, connections of one run.
counts() {
	local before=$tmp/before
	ca_requests >"$before"
	: >"$tmp/connections"
	once "$@" >/dev/null
	ca_requests | tail -n +$(($(wc -l <"$before") + 1)) | awk -v c="$(wc -l <"$tmp/connections")" '
	    / .nonce-plz/ { n++; next } { r++ } END { print r + 0, n + 0, c }'
}

# scene TITLE URL N TARGETS: all clients, N names, at a directory.
scene() {
	local title=$1 url=$2 n=$3 client names=(example.com) ours='' t requests nonces connections
	shift 3
	while [ ${#names[@]} -lt "$n" ]; do
		names+=("h${#names[@]}.example.com")
	done
	printf '\n%s\n%-12s %9s %8s %9s %7s %12s   %s\n' "$title" '' seconds ratio requests nonces connections "$*"
	for client in $clients; do
		installed "$client" || continue
		t=$(in_its_dir "$client" "$url" median "${names[@]}")
		if [ -z "$t" ]; then
			printf '%-12s %9s\n' "$client" failed
			[ -z "${V-}" ] || tail -n 5 "$tmp/$client/"*/{new,out} >&2 || :
			continue
		fi
		[ "$client" != ours ] || ours=$t
		read -r requests nonces connections <<<"$(in_its_dir "$client" "$near" counts "${names[@]}")"
		printf '%-12s %9s %8s %9s %7s %12s\n' "$client" "$t" \
		    "$(awk "BEGIN { printf \"%.1f\", $t / ${ours:-$t} }")" "$requests" "$nonces" "$connections"
	done
}

# in_its_dir CLIENT URL COMMAND NAME...: with the account of CLIENT at URL.
in_its_dir() {
	local client=$1 url=$2 do=$3 dir
	dir=$tmp/$client/${url//[^0-9a-z]/_}
	shift 3
	if [ ! -d "$dir" ]; then
		mkdir -p "$dir"
		cd "$dir"
		"${client}_new" "$url" >new 2>&1 </dev/null || return 0
		once "$client" warm.example.com >/dev/null
	fi
	cd "$dir"
	"$do" "$client" "$@"
}

# web DELAY: a web server that thinks for so long.
web() {
	lab_end "$LAB/nginx.pid"
	lab_try 5 lab_serve slow "$HTTP_PORT" python3 -c "
import functools, http.server, time
class Slow(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        time.sleep($1)
        super().do_GET()
http.server.ThreadingHTTPServer.request_queue_size = 100
http.server.ThreadingHTTPServer(('$LAB_IP', $HTTP_PORT), functools.partial(Slow, directory='$tmp/web/example.com')).serve_forever()"
}

# far SECONDS: sets far, the URL of the directory by way of a line of that length.
far() {
	local port=$((RANDOM % 900 + 62000))
	lab_serve "far$1" "$port" python3 "$TOP/tests/far_away.py" "$LAB_IP:$port" "$LAB_IP:$ACME_PORT" "$1" \
	    "$tmp/connections"
	far=https://$LAB_IP:$port/dir
}

well_known=$tmp/web/example.com/.well-known/acme-challenge
mkdir -p "$well_known"
ca_start PEBBLE_WFE_NONCEREJECT=0 PEBBLE_AUTHZREUSE=0
web_start "$tmp/web"
if [ -n "${BENCH_NS-}" ]; then
	cat "$anchors" "$CA_BUNDLE" >"$tmp/anchors"
	mount --bind "$tmp/anchors" "$anchors"
fi
far 0
near=$far
printf 'http-01 with P-384 at pebble, median of %s runs on %s cores\n' "$runs" "$(nproc)"
scene 'one name' "$ACME_URL" 1 '(ours to be: 0.15 s, 11 requests, 2 connections)'
scene '50 names in one certificate' "$ACME_URL" 50 '(ours to be: 0.4 s, 115 requests, 2 connections)'
far 0.02
scene '50 names, 40 ms away' "$far" 50 '(ours to be: 1.5 s)'
web 1
scene 'one name, a CA that validates in 1 s' "$ACME_URL" 1 '(ours to be: 1.3 s)'
