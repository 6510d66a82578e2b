# The examples for the zone's side, as they are shipped, with the name servers that they
# are for: what sslm puts beside a zone is published, signed, and waited for.
setup() {
	load helper
	load dns
	workdir
	root=$BATS_TEST_TMPDIR/root		# NSD reads no $INCLUDE with a blank
	mkdir "$root" && ln -s "$root" root && ln -s "$TOP/doc" root/doc
	port=$(free_port)
	mkdir -p root/etc/{bind,knot,nsd} root/var/lib/{bind,knot} root/run/{knot,nsd}
	for part in begin bind knot nsd; do manual $part | sh -e; done
	cp "$TOP"/doc/examples/zones/*.{conf,cron} root/etc/zones/
	# What is shipped, with other places for things and nothing else.
	sed -i -e "s|^\([a-z]*\)=\(/[^ \t]*\)|\1='$PWD/root\2'|" -e "s|^port=53\$|port=$port|" \
	    root/etc/zones/resign-*
	sed -i -e "s|\"/|\"$root/|" -e '/user: knot:knot/d' \
	    -e "s|listen: .*|listen: 127.0.0.1@$port|" -e "/^remote:/,/^acl:/s|address: 192.0.2.2|&@$port|" \
	    -e "s|notify: 192.0.2.2|&@$port|" -e 's|192\.0\.2\.|127.0.0.|' root/etc/zones/*.conf
	sed -i -e "s|^\(.INCLUDE \)|\1$root|" -e 's|192\.0\.2\.|127.0.0.|' \
	    root/etc/zones/example.com.zone
}
teardown() { dns_stop_all; }

# manual PART: what sslm-zones(7) has people type, for the directories of a test.
manual() {
	sed -n "/zones.bats: $1\$/,/^\.Ed/p" "$TOP/doc/sslm-zones.7" | grep -v '^\.' |
	    sed -e "s|/etc/|$root&|g; s|/var/|$root&|g" -e "s|/usr/local/share/sslm|$root/doc|"
}

# The three, each for a zone that it has never seen.
up() {
	mkdir -p "$1"
	"up_$1"
	script=root/etc/zones/resign-$1
	until kdig +time=1 +retry=0 @127.0.0.1 -p "$port" example.com SOA >/dev/null 2>&1; do
		kill -0 "$(cat "$1/pid")" || { cat "$1/log"; return 1; }
		sleep 0.05
	done
}

up_bind() {	# [configuration]
	tsig-keygen rndc-key >root/etc/bind/rndc.key
	rndc_port=${rndc_port:-$(free_port)}
	{
		cat root/etc/bind/rndc.key
		echo "options { default-key rndc-key; default-server 127.0.0.1; default-port $rndc_port; };"
	} >root/etc/bind/rndc.conf
	{
		echo "options { directory \"$root/var/lib/bind\"; recursion no; dnssec-validation no;"
		echo "listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };"
		echo 'pid-file none; session-keyfile none; };'
		echo "include \"$root/etc/bind/rndc.key\";"
		echo "controls { inet 127.0.0.1 port $rndc_port allow { 127.0.0.1; } keys { rndc-key; }; };"
		echo "include \"$root/etc/zones/${1:-named.conf}\";"
	} >root/etc/bind/named.conf
	named -g -c root/etc/bind/named.conf >bind/log 2>&1 3>&- &
	echo $! >bind/pid
	until rndc -c root/etc/bind/rndc.conf status >/dev/null 2>&1; do
		kill -0 "$(cat bind/pid)" || { cat bind/log; return 1; }
		sleep 0.05
	done
}

up_knot() {	# [configuration]
	cp "root/etc/zones/${1:-knot.conf}" root/etc/knot/knot.conf
	sed -i 's/target: syslog/target: stderr/' root/etc/knot/knot.conf
	knotd -c root/etc/knot/knot.conf >knot/log 2>&1 3>&- &
	echo $! >knot/pid
}

up_nsd() {
	{
		sed -e '/ip-address: ::0/d' -e "s|ip-address: .*|ip-address: 127.0.0.1@$port|" \
		    root/etc/zones/nsd.conf
		printf '%s\n' server: 'server-count: 1' 'username: ""' 'database: ""' \
		    "pidfile: \"$PWD/nsd/nsd.pid\"" "xfrdfile: \"$PWD/nsd/xfrd\"" \
		    "zonelistfile: \"$PWD/nsd/list\"" "xfrdir: \"$PWD/nsd\""
	} >root/etc/nsd/nsd.conf
	nsd -d -c root/etc/nsd/nsd.conf >nsd/log 2>&1 3>&- &
	echo $! >nsd/pid
}

# eventually COMMAND...: within ten seconds.
eventually() {
	local _
	for _ in {1..200}; do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.05
	done
	"$@"
}

serial() { kdig +short "@${1:-127.0.0.1}" -p "$port" example.com SOA | cut -d' ' -f3; }

# validated NAME TYPE: the answer, if delv can follow it from the zone's own key.
validated() {
	kdig +short @127.0.0.1 -p "$port" example.com DNSKEY | grep '^257 ' |
	    sed 's/^\([0-9]*\) \([0-9]*\) \([0-9]*\) \(.*\)/"example.com." static-key \1 \2 \3 "\4";/' |
	    { echo 'trust-anchors {'; cat; echo '};'; } >anchor
	delv @127.0.0.1 -p "$port" -a anchor +root=example.com "$@" >answer 2>&1 || { cat answer; return 1; }
	grep -Eq '^; (negative response, )?fully validated' answer
	cat answer
}

tlsa() {	# hex digit: what sslm would write
	printf ';;\n;; tlsa example.com\n;;\n_25._tcp.mx1.example.com. 1800  IN TLSA 3 1 1 %s\n' \
	    "$(printf "$1%.0s" {1..64})" >root/etc/zones/sslm/tlsa.example.com
}
txt() {
	printf ';; acme-challenge for : example.com\n_acme-challenge.www.example.com. 60 IN TXT "%s"\n' \
	    "$1" >root/etc/zones/sslm/acme-challenge.example.com
}

# tlsa, txt and this much are tried with each server.  Whatever happens, the administrator's file is not touched.
works() {
	up "$1"
	sha256sum root/etc/zones/example.com.zone >sum
	run -0 "$script" --serial_bump example.com
	[ -z "$output" ]
	first=$(serial)
	[ "$first" -ge "$(($(date +%s) - 60))" ]
	validated mx1.example.com A | grep -q 127.0.0.25
	# The answers are there when the script returns, not some time later.
	tlsa a
	txt one
	run -0 "$script" --serial_bump example.com
	kdig +short @127.0.0.1 -p "$port" _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	kdig +short @127.0.0.1 -p "$port" _acme-challenge.www.example.com TXT | grep -qx '"one"'
	second=$(serial)
	[ "$second" -gt "$first" ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	validated _acme-challenge.www.example.com TXT | grep -q '"one"'
	validated none.example.com A | grep -q 'negative response, fully validated'
	# The whole zone, from beginning to end, by another tool.
	tlsa b
	run -0 "$script" --serial-bump EXAMPLE.COM.
	[ "$(serial)" -gt "$second" ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 bbbb'
	sha256sum -c --quiet sum
}

# What the manual has for a zone that is bogus: new signatures, at once.
signs_anew() {
	was=$(kdig +dnssec @127.0.0.1 -p "$port" mx1.example.com A | grep RRSIG)
	sleep 1		# signatures count in seconds
	run -0 "$@"
	eventually validated mx1.example.com A
	resigned() { [ "$(kdig +dnssec @127.0.0.1 -p "$port" mx1.example.com A | grep RRSIG)" != "$was" ]; }
	eventually resigned
}

refuses() {
	up "$1"
	tlsa a
	run -0 "$script" -s example.com
	was=$(serial)
	ls -la root/var/lib/*/example.com.zone
	cksum root/var/lib/*/example.com.zone >sum
	echo '_25._tcp.mx1.example.com. 1800 IN TLSA 3 1 1 zz' >root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	[[ $output == *"example.com.zone' is not fit for use; what is served stays" ]]
	rm root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	cksum root/var/lib/*/example.com.zone | diff sum -
	[ "$(serial)" = "$was" ]
	# Started now, it has the zone that was good.
	dns_stop "$1"
	up "$1"
	eventually validated example.com SOA
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	# One zone that is not right does not keep the others.
	run -1 "$script" --serial_bump nosuch.example example.com
	[[ $output == *"cannot find the zone's file"* ]]
	tlsa c
	run -1 "$script" --serial_bump nosuch.example example.com
	kdig +short @127.0.0.1 -p "$port" _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 cccc'
}

@test "BIND: published, signed, and there when the script returns" {
	works bind
	anew() {
		dns_stop bind
		rm root/var/lib/bind/example.com.zone.*
		up bind
		"$script" --serial_bump example.com
	}
	last=$(serial)
	signs_anew anew
	[ "$(serial)" -gt "$last" ]
}
@test "Knot: published, signed, and there when the script returns" {
	works knot
	signs_anew knotc -c root/etc/knot/knot.conf -b zone-sign example.com
}
@test "NSD: published, signed, and there when the script returns" {
	works nsd
	signs_anew "$script" --serial_bump example.com
}
@test "BIND: a zone that is not right is not put into use" { refuses bind; }
@test "Knot: a zone that is not right is not put into use" { refuses knot; }
@test "NSD: a zone that is not right is not put into use" { refuses nsd; }

@test "NSD: the signed file verifies, with NSEC3 and four weeks to go; keys that are missing are told" {
	up nsd
	tlsa a
	run -0 "$script" --serial_bump example.com
	dir=root/etc/zones/keys/example.com
	run -0 ldns-verify-zone -e P28D -k "$(grep -l 257 $dir/*.key)" root/var/lib/zones/example.com.zone
	run -0 dnssec-verify -z -o example.com root/var/lib/zones/example.com.zone
	kdig +short @127.0.0.1 -p "$port" example.com NSEC3PARAM | grep -qx '1 0 0 -'
	was=$(serial)
	# Weekly, from cron: nothing has changed, and there are new signatures.
	line=$(sed -n 's|^17 3 \* \* 1  root  ||p' root/etc/zones/nsd.cron)
	grep -qxF "17 3 * * 1  root  $line" "$TOP/doc/sslm-zones.7"
	run -0 sh -c "root$line"
	[ "$(serial)" -gt "$was" ]
	was=$(serial)
	# The DS for the parent, as another tool has it.
	manual ds | sh -e | cut -f5 | tr a-f A-F >ds
	dig @127.0.0.1 -p "$port" example.com DNSKEY | dnssec-dsfromkey -2 -f - example.com |
	    sed 's/.* DS //' | diff - ds
	[ "$(stat -c %a $dir/*.private | sort -u)" = 600 ]
	mv $dir keys
	run -1 "$script" --serial_bump example.com
	[[ $output == *"no keys in"* ]]
	mkdir $dir
	cp "$(grep -l 'DNSKEY.256' keys/*.key | sed 's/key$/private/')" "$(grep -l 'DNSKEY.256' keys/*.key)" $dir
	run -1 "$script" --serial_bump example.com
	[[ $output == *"no key-signing key in"* ]]
	[ "$(serial)" = "$was" ]
}

@test "BIND: a TTL that named would refuse is refused before" {
	up bind
	run -0 "$script" --serial_bump example.com
	was=$(serial)
	echo 'long.example.com. 172800 IN A 192.0.2.9' >root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	[[ $output == *"TTL 172800 exceeds"* ]]
	[ "$(serial)" = "$was" ]
}

@test "Knot: an \$INCLUDE that would mean something else in its place is refused" {
	up knot
	run -0 "$script" --serial_bump example.com
	was=$(serial)
	zone=root/etc/zones/example.com.zone
	cp $zone saved
	for end in '	IN A 192.0.2.7' "\$INCLUDE $root/none" "\$INCLUDE $root/x example.com." '$INCLUDE /'; do
		{ cat saved; echo '; comment'; echo; echo "$end"; } >$zone
		run -1 "$script" --serial_bump example.com
		[[ $output == *"is not fit for use"* ]]
	done
	cp saved $zone
	echo '$ORIGIN example.net.' >root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	[[ $output == *"there is a directive in"* ]]
	[ "$(serial)" = "$was" ]
}

@test "two runs at the same time, and ten" {
	up nsd
	run -0 "$script" --serial_bump example.com
	was=$(serial)
	tlsa a
	pids=()
	for _ in {1..10}; do
		"$script" --serial_bump example.com 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	[ "$(serial)" -ge $((was + 10)) ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	[ "$(ls root/etc/zones/.work)" = lock ]
}

@test "wrong usage, and names that are none" {
	for s in bind knot nsd; do
		script=root/etc/zones/resign-$s
		for args in '' --serial_bump example.com '--bump example.com'; do
			# shellcheck disable=SC2086
			run -2 "$script" $args
			[ "$output" = "usage: resign-$s --serial_bump zone ..." ]
		done
		for z in '' . .. ../x a/b 'a b' '$(touch x)' '-s' 'a;touch x' '*' a..b "$(printf 'a%.0s' {1..254})"; do
			run -2 "$script" --serial_bump example.com "$z"
			[[ $output == *"is not the name of a zone" ]]
		done
		[ ! -e root/etc/zones/.work ]
	done
	[ ! -e x ]
}

@test "a name server that is not there: status 75, and the next run does it" {
	for s in bind knot nsd; do
		up $s
		run -0 "$script" -s example.com
		dns_stop $s
		tlsa a
		run -75 "$script" --serial_bump example.com
		[[ $output == *"zone 'example.com': the name server was not told" ]]
		up $s
		run -0 "$script" --serial_bump example.com
		validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
		dns_stop $s
	done
}

@test "a name server that was told and does not answer with it: status 75 in the end" {
	up nsd
	run -0 "$script" -s example.com
	sed -i 's/^wait=120/wait=1/; s/^load() .*/load() { :; }/' "$script"
	run -75 timeout 30 "$script" -s example.com
	[[ $output == *"zone 'example.com': not served within 1 seconds" ]]
}

@test "a name server that takes its time is waited for" {
	mkdir slow
	for t in rndc nsd-control; do
		real=$(command -v $t)
		cat >slow/$t <<-END
		#!/bin/bash
		(sleep 1; exec '$real' "\$@") </dev/null >slow.log 2>&1 9>&- &
		END
		chmod 755 slow/$t
	done
	for s in bind nsd; do
		up $s
		tlsa a
		run -0 "$script" -s example.com
		tlsa b
		PATH=$PWD/slow:$PATH run -0 "$script" -s example.com
		kdig +short @127.0.0.1 -p "$port" _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 bbbb'
		dns_stop $s
	done
}

@test "serials go on from where they are, as RFC 1982 counts" {
	next() {
		sh -c 'zones=. live=. wait=1; . root/etc/zones/zone.sh; next_serial "$@"' sh "$@"
	}
	now=$(date +%s)
	[ "$(next '' 1 x)" -ge "$now" ]
	[ "$(next 1)" -le $((now + 60)) ]
	[ "$(next 2026112101 "$now" 1)" = 2026112102 ]
	[ "$(next $((now + 1000)))" = $((now + 1001)) ]
	[ "$(next 0002026112108)" = 2026112109 ]
	# Wherever it was: after that, as others count.
	for was in 0 1 2147483647 2147483648 3900000000 4000000000 4294967295 $((RANDOM * RANDOM * 4)); do
		python3 -c 'import sys; was, got = map(int, sys.argv[1:])
assert 0 < got < 2**32 and 0 < (got - was) % 2**32 < 2**31' "$was" "$(next "$was")"
	done
	# A year-month-day serial of the zone's former life is not undercut.
	sed -i 's/1	; serial/2026112150/' root/etc/zones/example.com.zone
	grep -q 2026112150 root/etc/zones/example.com.zone
	for s in bind knot nsd; do
		up $s
		for _ in 1 2; do
			txt "$RANDOM"
			run -0 "$script" --serial_bump example.com
			echo "$s $(serial)"
			[ "$(serial)" -gt 2026112150 ]
			[ "$(serial)" -lt 2026113000 ]
		done
		dns_stop $s
	done
}

# The zone's serials are ahead of the time, and one place alone remembers.
@test "serials: the name server's counts if the file is lost, the file's if the server is down" {
	for s in bind nsd; do
		up $s
		sed -i 's/1	; serial/2026112150	; serial/' root/etc/zones/example.com.zone
		run -0 "$script" -s example.com
		sed -i 's/2026112150/1/' root/etc/zones/example.com.zone
		was=$(serial)
		[ "$was" -gt 2026112150 ]
		rm root/var/lib/*/example.com.zone
		run -0 "$script" -s example.com
		now=$(serial)
		[ "$now" -gt "$was" ]
		dns_stop $s
		# BIND 9.20 does not sign again when the serial alone is another.
		echo 'meanwhile 300 IN TXT "new"' >>root/etc/zones/example.com.zone
		run -75 "$script" -s example.com
		up $s
		eventually validated example.com SOA
		[ "$(serial)" -gt "$now" ]
		dns_stop $s
		rm root/var/lib/*/example.com.zone*
	done
}

@test "NSD: what ldns-signzone made is believed only if it verifies" {
	up nsd
	tlsa a
	run -0 "$script" -s example.com
	was=$(serial)
	# It says that all is well, and has changed an address behind its signature.
	mkdir bin
	printf '%s\n' '#!/bin/sh' "$(command -v ldns-signzone) \"\$@\" || exit" \
	    'while [ "$1" != -f ]; do shift; done' 'sed -i "s/127.0.0.25$/127.0.0.26/" "$2"' >bin/ldns-signzone
	chmod 755 bin/ldns-signzone
	PATH=$PWD/bin:$PATH run -1 "$script" -s example.com
	[[ $output == *"is not fit for use"* ]]
	sed -i 's/^days=30/days=3/' "$script"
	run -1 "$script" -s example.com
	[ "$(serial)" = "$was" ]
}

@test "links where named may write are not followed" {
	up bind
	run -0 "$script" -s example.com
	echo precious >file
	rm -f root/var/lib/bind/example.com.zone.new
	ln -s "$PWD/file" root/var/lib/bind/example.com.zone.new
	run -0 "$script" -s example.com
	[ "$(cat file)" = precious ]
	[ ! -L root/var/lib/bind/example.com.zone ]
}

# Each command that a script runs, in turn, is the last one: it and the script and all
# that they have started die at once.
@test "killed at any point, a whole zone is served, and the next run does the rest" {
	tools='awk cat chmod cut date dig drill flock grep kdig knotc kzonecheck ldns-read-zone
	    ldns-signzone ldns-verify-zone mkdir mv named-compilezone nsd-checkzone nsd-control rm rndc
	    sed sleep sync tr'
	mkdir deadly
	for t in $tools; do
		real=$(command -v "$t")
		cat >"deadly/$t" <<-END
		#!/bin/bash
		n=\$((\$(/bin/cat '$PWD/n') + 1)); echo \$n >'$PWD/n'
		[ \$n != "\$(/bin/cat '$PWD/last')" ] || kill -9 -- -\$(ps -o pgid= \$\$ | /usr/bin/tr -d ' ')
		exec '$real' "\$@"
		END
		chmod 755 "deadly/$t"
	done
	for s in bind knot nsd; do
		up $s
		run -0 "$script" -s example.com
		for nth in {1..100}; do
			echo 0 >n
			echo "$nth" >last
			txt "$s-$nth"
			rc=0
			PATH=$PWD/deadly:$PATH setsid -w "$script" -s example.com 2>/dev/null || rc=$?
			[ $rc != 0 ] || break
			[ $rc = 137 ]
			# Also by one that is started on what there is.
			if [ $((nth % 4)) = 0 ]; then
				dns_stop $s
				up $s
			fi
			eventually validated mx1.example.com A
			grep -q 127.0.0.25 answer
			# Every third time it is cleaned up; a row of killed runs does no harm.
			[ $((nth % 3)) = 0 ] || continue
			run -0 "$script" -s example.com
			validated _acme-challenge.www.example.com TXT | grep -q "\"$s-$nth\""
			[ "$(ls root/etc/zones/.work)" = lock ]
			[ -z "$(find root/var/lib -name '*.new')" ]
		done
		echo "$s: killed $((nth - 1)) times"
		[ "$nth" -gt 10 ]
		[ "$nth" -lt 100 ]
		dns_stop $s
	done
}

@test "sslm-dnspush runs it, and keeps a zone that failed for the next run" {
	up knot
	mkdir -p conf.d certs
	printf '%s\n' '[[groups]]' 'active = true' "domain = 'example.com'" "services = ['web']" \
	    '[dns]' "restart_cmd = '$PWD/root/etc/zones/resign-knot'" >conf.d/ssl-mgr.conf
	txt pushed
	echo example.com >certs/.push
	run -0 --separate-stderr sslm-dnspush
	[ "$output" = example.com ]
	[ -z "$stderr" ]
	kdig +short @127.0.0.1 -p "$port" _acme-challenge.www.example.com TXT | grep -qx '"pushed"'
	echo '_x. IN' >root/etc/zones/sslm/tlsa.example.com
	run -1 sslm-dnspush -q example.com
	[ "$(cat certs/.push)" = example.com ]
}

# updates KEY...: what the key of sslm may change, and all that it may not.
updates() {
	up_client() { printf '%s\n' "server 127.0.0.1 $port" 'zone example.com' "$1" send | nsupdate "${key[@]}"; }
	key=("$@")
	before=$(serial)
	up_client 'update add _acme-challenge.www.example.com 60 TXT "one"'
	up_client 'update add _25._tcp.mx1.example.com 1800 TLSA 3 1 1 '"$(printf 'd%.0s' {1..64})"
	kdig +short @127.0.0.1 -p "$port" _acme-challenge.www.example.com TXT | grep -qx '"one"'
	[ "$(serial)" -gt "$before" ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 dddd'
	up_client 'update delete _acme-challenge.www.example.com TXT'
	[ -z "$(kdig +short @127.0.0.1 -p "$port" _acme-challenge.www.example.com TXT)" ]
	for bad in 'add www.example.com 60 A 192.0.2.9' 'add example.com 60 TXT "v=spf1 +all"' \
	    'add x._acme-challenge.www.example.com 60 TXT "x"' 'delete mx1.example.com A' \
	    'add _acme-challenge.www.example.com 60 CNAME example.net.' 'delete www.example.com' \
	    'add example.com 60 NS ns.example.net.' 'add example.com 60 DNSKEY 257 3 13 AAAA'; do
		run -2 up_client "update $bad"
		[[ $output == *REFUSED* || $output == *NOTAUTH* ]]	# Knot says the latter
	done
	key=()
	run -2 up_client 'update add _acme-challenge.www.example.com 60 TXT "x"'
	key=(-y "hmac-sha256:sslm:$(openssl rand -base64 32)")
	run -2 up_client 'update add _acme-challenge.www.example.com 60 TXT "x"'
	validated mx1.example.com A | grep -q 127.0.0.25
}

@test "BIND: DNS UPDATE with a key that may change those records and no others" {
	sed '/INCLUDE/d' root/etc/zones/example.com.zone >root/var/lib/bind/example.com.zone
	sed -n "s|^//     ||p" root/etc/zones/named-update.conf | sed 's|/etc/|root&|g' | sh -e
	mkdir bind
	up_bind named-update.conf
	eventually validated mx1.example.com A
	updates -k root/etc/bind/sslm.key
	# A change by hand, as the manual has it.
	r() { rndc -c root/etc/bind/rndc.conf "$@"; }
	r freeze example.com
	grep -q "^[[:space:]]*$(serial)[[:space:]]*; serial" root/var/lib/bind/example.com.zone
	sed -i -e "s/$(serial)\([[:space:]]*; serial\)/$(($(serial) + 1))\1/" \
	    -e '$a hand.example.com. 60 IN A 192.0.2.77' root/var/lib/bind/example.com.zone
	r thaw example.com
	eventually validated hand.example.com A
	grep -q 192.0.2.77 answer
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 dddd'
}

@test "Knot: DNS UPDATE with a key that may change those records and no others" {
	sed '/INCLUDE/d' root/etc/zones/example.com.zone >root/var/lib/knot/example.com.zone
	sed -n "s|^#     ||p" root/etc/zones/knot-update.conf | sed 's|/etc/|root&|g' | sh -e
	mkdir knot
	up_knot knot-update.conf
	dns_wait knot 127.0.0.1 "$port" example.com
	updates -k root/etc/zones/sslm.key
	# What was put in by update survives a restart.
	dns_stop knot
	up_knot knot-update.conf
	dns_wait knot 127.0.0.1 "$port" example.com
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 dddd'
	# A change by hand, as the manual has it.
	file=root/var/lib/knot/example.com.zone
	k() { knotc -c root/etc/knot/knot.conf "$@"; }
	k -b zone-flush example.com
	k zone-freeze example.com
	edit() { sed -i -e "s/ $(serial) / $(($(serial) + 1)) /" -e '$a hand.example.com. 60 IN A 192.0.2.77' "$1"; }
	edit $file
	k zone-thaw example.com
	k -b zone-reload example.com
	validated hand.example.com A | grep -q 192.0.2.77
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 dddd'
	up_client() { printf '%s\n' "server 127.0.0.1 $port" 'zone example.com' "$1" send | nsupdate "${key[@]}"; }
	key=(-k root/etc/zones/sslm.key)
	up_client 'update add _acme-challenge.www.example.com 60 TXT "two"'
	validated hand.example.com A | grep -q 192.0.2.77
	grep -q '"two"' $file
	grep -q '192.0.2.77' $file
}

# ns2, as the examples name it: it asks for nothing by itself for two hours.
@test "a secondary is told by each of the three, and has the signed zone" {
	mkdir two
	tsig-keygen xfr >root/etc/bind/xfr.key
	secret=$(sed -n 's/.*secret "\(.*\)";/\1/p' root/etc/bind/xfr.key)
	sed -i -e '/allow-transfer { none; };/d' -e 's|// \(include\)|\1|' -e 's|// \(allow-transfer\)|\1|' \
	    -e "s|// also-notify { \(.*\); };|also-notify { \1 port $port; };|" root/etc/zones/named.conf
	same() { [ "$(serial 127.0.0.2)" = "$(serial)" ]; }
	for s in bind knot nsd; do
		up $s
		run -0 "$script" -s example.com
		cat >two/knot.conf <<-END
		server:
		    rundir: "$PWD/two"
		    listen: 127.0.0.2@$port
		database:
		    storage: "$PWD/two"
		log:
		  - target: stderr
		    any: info
		key:
		  - id: xfr
		    algorithm: hmac-sha256
		    secret: "$secret"
		remote:
		  - id: one
		    address: 127.0.0.1@$port
		    via: 127.0.0.2
		    $([ $s != bind ] || echo key: xfr)
		acl:
		  - id: notify
		    address: 127.0.0.1
		    action: notify
		zone:
		  - domain: example.com
		    file: "$PWD/two/$s.zone"
		    master: one
		    acl: notify
		END
		knotd -c two/knot.conf >two/log 2>&1 3>&- &
		echo $! >two/pid
		dns_wait two 127.0.0.2 "$port" example.com
		tlsa e
		run -0 "$script" -s example.com
		eventually same
		kdig +dnssec @127.0.0.2 -p "$port" _25._tcp.mx1.example.com TLSA >answer
		grep -qi 'TLSA.3 1 1 eeee' answer
		grep -q 'RRSIG.TLSA' answer
		dns_stop two
		rm -rf two/*
		dns_stop $s
	done
}

@test "make install puts the examples where the manual says, and uninstall takes them away" {
	m() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$TOP" -o all BIN="${SSLM_BIN#"$TOP"/}" \
	    DESTDIR="$PWD/inst" PREFIX=/usr/local "$@"; }
	m install
	there=inst$(sed -n 's|^.Pa \(/.*/examples/zones\) .$|\1|p' "$TOP/doc/sslm-zones.7")
	diff -r "$TOP/doc/examples/zones" "$there"
	for s in bind knot nsd; do
		run -2 "$there/resign-$s"
		[[ $output == usage:* ]]
	done
	m uninstall
	[ ! -e "$there" ]
	[ ! -e inst/usr/local/share/man/man7/sslm-zones.7 ]
}
