# shellcheck shell=bash
# Loaded, with helper and acme, by the tests of sslm-acme at a CA that lies.

# A request for two names, made once for a file: setup_file() calls this.
lies_begin() {
	cd "$BATS_FILE_TMPDIR" || return
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout privkey.pem -out csr.pem \
	    -subj /CN=example.com -addext subjectAltName=DNS:example.com,DNS:www.example.com 2>/dev/null
	ca_hostile
}

# lies <<END, with lines `STATUS STEP FAULT... | PATTERN': at a CA with these faults
# sslm-acme ends in this STEP (account, order, finish) with that STATUS, with a message
# that the extended regular expression matches; or goes to the end: `0 done FAULT...'.
# Whatever happens, it leaves nothing behind that should not be there.  Side by side.
lies() {
	rm -rf lie[0-9]*
	local n=0 line bad
	while read -r line; do
		n=$((n + 1))
		mkdir -p "lie$n"
		(cd "lie$n" && lie "$line" >says 2>&1) &
		while [ "$(jobs -pr | wc -l)" -ge "${LIES:-8}" ]; do
			wait -n || :
		done
	done
	wait
	cat lie*/says
	bad=$(cat lie*/says | wc -c)
	# A fault that the CA itself stumbled over is none.
	run ! grep -A20 Traceback "$LAB"/hostile*.log
	[ "$n" -gt 0 ]
	[ "$bad" -eq 0 ]
}

# wrong TEXT: something that should not be, and what there was to see.
wrong() {
	printf '\n%s\n    %s\n' "$line" "$1"
	sed 's/^/    | /' err | cut -c1-300 | head -n 12
}

lie() {
	local line=$1 want step faults pattern status=0 at="done"
	pattern=${line#* | }
	[ "$pattern" != "$line" ] || pattern=
	read -r want step faults <<<"${line%% | *}"
	lie_site
	for s in account order finish; do
		set -- -c liar
		[ $s = account ] || set -- -c liar certs/example.com/web/next
		status=0
		/usr/bin/time -f %M -a -o kib timeout "${LIMIT:-100}" sslm-acme $s "$@" >>out 2>>err || status=$?
		[ $status = 0 ] || { at=$s; break; }
	done
	[ "$at $status" = "$step $want" ] || wrong "ends with $status in $at"
	grep -Eq -e "$pattern" err || [ -z "$pattern" ] || wrong "says something else"
	lie_checks
}

lie_site() {
	local set=certs/example.com/web/next
	mkdir -p conf.d "$set"
	cp "$BATS_FILE_TMPDIR/privkey.pem" "$BATS_FILE_TMPDIR/csr.pem" $set/
	: >conf.d/ssl-mgr.conf
	: >err
	# shellcheck disable=SC2086	# words
	ca_hostile $faults
	printf "[liar]\nca_type = 'acme'\nca_url = '%s'\nca_bundle = '%s'\n%s\n" "$ACME_URL" "$CA_BUNDLE" \
	    "${CA_LINES-ca_validation = 'http-01'}" >conf.d/ca-info.conf
	touch "$ACME_LOG" "${ACME_LOG%/*}/nonces"
}

lie_checks() {
	local set=certs/example.com/web/next most
	if [ "$status" = 0 ]; then
		openssl verify -CAfile "$LAB/hostile/root.pem" -untrusted $set/chain.pem $set/cert.pem >verified 2>&1 ||
		    wrong "a certificate that openssl does not verify: $(cat verified)"
	else
		[ ! -e $set/cert.pem ] || wrong "there is a cert.pem"
		[ -s err ] || wrong "says nothing"
	fi
	if [ "$status" = 75 ] && grep -q /authz/ "$ACME_LOG"; then
		[ -e $set/order.json ] || wrong "forgets an order that can be gone on with"
	fi
	find certs -type f | grep -vE '^certs/\.acme/[^/]*/(privkey\.pem|account\.json)$' |
	    grep -vE '/next/((csr|privkey|cert|chain)\.pem|order\.json|failed)$' >rest && wrong "leaves $(cat rest)"
	[ "$(wc -l <"$ACME_LOG")" -le 100 ] || wrong "asks $(wc -l <"$ACME_LOG") times"
	! LC_ALL=C grep -q '[^ -~]' err || wrong "control characters: $(head -c 2000 err | cat -v)"
	! grep -vq '^sslm-[a-z]*: ' err || wrong "a line that is not a message"
	[ "$(wc -c <err)" -le 8000 ] || wrong "says $(wc -c <err) octets"
	! cat certs/.acme/*/privkey.pem $set/privkey.pem 2>/dev/null | grep -qFf - out err || wrong "shows a key"
	! grep -qFf "${ACME_LOG%/*}/nonces" err out || wrong "shows a nonce"
	most=$(grep -v '[^0-9]' kib | sort -n | tail -n 1)
	case $SSLM_BIN in *san*) most=0 ;; esac	# which takes what it likes
	[ "$most" -le 32768 ] || wrong "takes $most KiB"
}
