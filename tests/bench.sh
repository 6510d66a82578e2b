#!/usr/bin/env bash
# bench.sh - how long things take, side by side with openssl(1) in a loop: the
# median of several runs, and the ratio, in one run on one machine.  Sites are
# made in a temporary directory; nothing outside is touched.  make bench.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
runs=${RUNS:-5}
PATH=${SSLM_BIN:-$top/bin}:$PATH
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

# median COMMAND...: its wall clock time in seconds.
median() {
	local i t0 t1
	for ((i = 0; i < runs; i++)); do
		[ -z "${BEFORE-}" ] || $BEFORE
		t0=$EPOCHREALTIME
		"$@" >/dev/null 2>&1 || true
		t1=$EPOCHREALTIME
		echo "$t0 $t1"
	done | awk '{ printf "%.4f\n", $2 - $1 }' | sort -n | sed -n "$(((runs + 1) / 2))p"
}
row() { printf '%-52s %9s s  %s\n' "$@"; }
ratio() { awk "BEGIN { printf \"%.0f times as fast\", $2 / $1 }"; }

new_site() {	# dir
	mkdir -p "$1"
	cp -r "$top/conf.d" "$1"
	ln -s "$top/mk" "$1/mk"
	printf 'MK := mk\ninclude $(MK)/site.mk\n' >"$1/Makefile"
}

# many N: N more services of the same names, ten a group; with their sets in
# use, copied from web-ec, if there is one.
many() {
	local n=$1 i g s gen
	gen=$(readlink certs/example.com/web-ec/curr || true)
	for ((i = 0; i < n; i++)); do
		g=d$((i / 10)).example.com s=s$((i % 10))
		if [ "$s" = s0 ]; then
			mkdir "conf.d/$g"
			printf "[[groups]]\nactive = true\ndomain = '%s'\nservices = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9']\n" "$g"
		fi
		sed "s/^group = .*/group = '$g'/; s/^service = .*/service = '$s'/" \
		    conf.d/example.com/web-ec >"conf.d/$g/$s"
		[ -n "$gen" ] || continue
		mkdir -p "certs/$g/$s" "prod-certs/$g/$s"
		cp -a "certs/example.com/web-ec/db" "certs/example.com/web-ec/curr" "certs/$g/$s/"
		cp -a "prod-certs/example.com/web-ec/db" "prod-certs/example.com/web-ec/curr" "prod-certs/$g/$s/"
	done >>conf.d/ssl-mgr.conf
}

quiet() {	# services
	new_site "$tmp/q$1"
	cd "$tmp/q$1"
	make renew >/dev/null 2>&1
	make roll >/dev/null 2>&1
	many "$1"
	sync
	make renew
	ours=$(median make renew)
	row "quiet make renew, $1 services" "$ours"
	row "make status, $1 services" "$(median make status)"
}

openssl_dates() {
	for c in certs/*/*/curr/cert.pem; do
		openssl x509 -in "$c" -noout -checkend 2592000
	done
}

fresh() { rm -rf certs prod-certs; }
both() { make -j2 renew && make roll; }

# What the pipeline does for a hundred leaves, as a script would.
openssl_loop() {
	local i d
	mkdir -p certs
	for ((i = 0; i < 100; i++)); do
		d=certs/$i
		mkdir "$d"
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$d/privkey.pem"
		openssl req -new -key "$d/privkey.pem" -subj /CN=example.com \
		    -addext subjectAltName=DNS:example.com,DNS:www.example.com -out "$d/csr.pem"
		openssl x509 -req -in "$d/csr.pem" -CA ../ca.pem -CAkey ../ca.key -days 90 -sha384 \
		    -copy_extensions copy -out "$d/cert.pem"
		cat "$d/cert.pem" ../ca.pem >"$d/fullchain.pem"
		cat "$d/privkey.pem" "$d/fullchain.pem" >"$d/bundle.pem"
	done
}

printf 'median of %s runs on %s cores\n\n' "$runs" "$(nproc)"
quiet 1000
loop=$(runs=1 median openssl_dates)
row "  openssl x509 -checkend, for each of them" "$loop" "sslm is $(ratio "$ours" "$loop")"
quiet 10000

new_site "$tmp/issue"
cd "$tmp/issue"
sed -i 's/min_roll_mins = .*/min_roll_mins = 0/' conf.d/ssl-mgr.conf
many 98
BEFORE=fresh
ours=$(median both)
row "100 services from nothing, renew and roll, -j2" "$ours"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout ../ca.key -out ../ca.pem \
    -subj /CN=CA -days 30 2>/dev/null
loop=$(median openssl_loop)
row "  openssl(1) in a loop: key, request, certificate" "$loop" "sslm is $(ratio "$ours" "$loop")"
