# sslm-dane: which TLSA records are published, and when a set may roll by them.  The
# keys' digests are openssl's, what is served is what knotd serves.
setup() {
	load helper
	load site
	load dns
	workdir
	port=$(free_port)
	site
	m SERVICES=ca renew && m SERVICES=ca roll
	mkdir zones two
	cat >>conf.d/ssl-mgr.conf <<-END
	[dns]
	    tlsa_dirs = ['zones']
	    restart_cmd = './resign'
	[[dns_primary]]
	    domain = 'default'
	    server = '127.0.0.11'
	    port = $port
	END
	printf '#!/bin/sh\necho "$@" >>pushed\n' >resign
	chmod +x resign
	wants mail-ec "[[25, 'tcp', 3, 1, 1]]"
}
teardown() { dns_stop_all; }

# wants SERVICE DANE_TLS [TTL]: put them into its file, and remove what was there.
wants() {
	sed -i '/^dane_tls/d' "conf.d/example.com/$1"
	[ -z "$2" ] || sed -i "s|^signing_ca.*|&\ndane_tls = $2|" "conf.d/example.com/$1"
	[ -z "${3-}" ] || sed -i "s|^signing_ca.*|&\ndane_tls_ttl = $3|" "conf.d/example.com/$1"
}

# servers [LINE...]: a primary, and a secondary that reads a copy of its own.
servers() {
	local n
	touch zones/tlsa.example.com two/tlsa.example.com
	for n in zones two; do
		{
			dns_zone example.com '@ NS ns1' '@ NS ns2' 'ns1 A 127.0.0.11' 'ns2 A 127.0.0.12' "$@"
			echo "\$INCLUDE $(echo "$PWD" | sed 's/ /\\040/g')/$n/tlsa.example.com"
		} >$n/example.com.zone
		# knotd takes no path with a blank in $INCLUDE.
		sed -i "s|^\$INCLUDE.*|\$INCLUDE tlsa.example.com|" $n/example.com.zone
	done
	knot_start ns1 127.0.0.11 "$port" zones/example.com.zone
	knot_start ns2 127.0.0.12 "$port" two/example.com.zone
	cat >resign <<-'END'
	#!/bin/sh
	echo "$@" >>pushed
	n=$(($(cat serial 2>/dev/null || echo 1) + 1))
	echo $n >serial
	sed -i "s/hostmaster [0-9]* /hostmaster $n /" zones/example.com.zone
	kill -HUP "$(cat ns1/pid)"
	[ ! -e lag ] || exit 0
	cp zones/tlsa.example.com two/tlsa.example.com
	sed -i "s/hostmaster [0-9]* /hostmaster $n /" two/example.com.zone
	[ ! -e ns2/pid ] || kill -HUP "$(cat ns2/pid)"
	END
}

# make_next SERVICE: a complete next, published as a renewal does it; no look.
make_next() {
	m keys csr cert SERVICES="example.com:$1" -j1 >/dev/null
}

# put_in_use SERVICE: the first set, rolled.
put_in_use() {
	make_next "$1" && sslm-roll -q "example.com:$1" && sslm-install -q && sslm-dane -q && sslm-dnspush -q
}

# roll_it SERVICE: what `make roll' does after its look.
roll_it() {
	sslm-roll "example.com:$1" -m 0 && sslm-install -q && sslm-deploy -q && sslm-dane -q && sslm-dnspush -q
}

# key FILE: SHA-256 of the public key of a certificate, by openssl.
key() {
	openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
}
curr() { key "certs/example.com/$1/curr/cert.pem"; }
next() { key "certs/example.com/$1/next/cert.pem"; }

# published [FILE]: owner and data of what is in the zone's file, sorted.
published() {
	awk '/^[^;]/ { print $1, $NF }' "${1-zones/tlsa.example.com}" | sort
}

# served NAME: the data that the primary serves at an owner, sorted.
served() {
	kdig +short "@127.0.0.11" -p "$port" "$1" TLSA | tr -d ' ' | sed 's/^311//' | tr A-F a-f | sort
}

# until_served ADDR OWNER DATA: until a server has it; knotd loads in its own time.
until_served() {
	local _
	for _ in $(seq 200); do
		if kdig +short "@$1" -p "$port" "$2" TLSA | tr -d ' ' | tr A-F a-f | grep -q "$3"; then
			return 0
		fi
		sleep 0.05
	done
	return 1
}

# seen_ago SECONDS: as if the records had been seen so long ago.
seen_ago() {
	sed -i "s/^seen .*/seen $(date -u -d "@$(($(date +%s) - $1))" +%Y%m%dT%H%M%SZ)/" \
	    certs/example.com/mail-ec/next/evidence
}

# cached_until SECONDS: as if caches had what was withdrawn for so long from now.
cached_until() {
	sed -i "s/cached until : .*/cached until : $(date -u -d "@$(($(date +%s) + $1))" +%Y%m%dT%H%M%SZ)/" \
	    certs/example.com/mail-ec/curr/info
}

owners3='_25._tcp.example.com. _25._tcp.mx1.example.com. _25._tcp.mx2.example.com.'

# lines OWNERS DATA...: what published() says of these.
lines() {
	local o d
	for o in $1; do for d in "${@:2}"; do echo "$o $d"; done; done | sort
}

@test "first use: nothing before the first roll, then the key that is in use" {
	servers '@ MX 10 mx1' '@ MX 10 mx2' 'mx1 A 127.0.0.1' 'mx2 A 127.0.0.1'
	make_next mail-ec
	[ -z "$(published)" ]
	[ ! -e pushed ]
	roll_it mail-ec
	published | diff - <(lines "$owners3" "$(curr mail-ec)")
	[ "$(cat pushed)" = '--serial_bump example.com' ]
	until_served 127.0.0.11 _25._tcp.mx2.example.com "$(curr mail-ec)"
	[ "$(served _25._tcp.mx2.example.com)" = "$(curr mail-ec)" ]
}

@test "MX hosts of equal preference all count, and those of other zones are named and left out" {
	servers '@ MX 10 mx1' '@ MX 10 mx2' '@ MX 20 mail.example.net.' '@ MX 30 MX2'
	run -0 put_in_use mail-ec
	[[ $output == *"no TLSA record for 'mail.example.net', which is not in the zone example.com"* ]]
	published | diff - <(lines "$owners3" "$(curr mail-ec)")
}

@test "names of the certificate: wildcards as they are, addresses never, MX for another port" {
	sed -i "s/sans = .*/sans = ['example.com', '*.example.com', '192.0.2.1', '2001:db8::1', 'www.example.com']/" \
	    conf.d/example.com/mail-ec
	wants mail-ec "[[443, 'tcp', 3, 1, 1], [25, 'TCP', 3, 1, 1, 'SANS'], [587, 'tcp', 3, 1, 1, 'MX']]"
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	published | cut -d' ' -f1 | diff - <(printf '%s\n' _443._tcp.{,www.}example.com. \
	    _25._tcp.{,www.}example.com. '*.example.com.' _587._tcp.{,mx1.}example.com. | sort)
}

@test "a renewal publishes both keys everywhere, also at an MX host that is new" {
	servers '@ MX 10 mx1' 'mx1 A 127.0.0.1'
	put_in_use mail-ec
	printf '@ MX 10 mx2\n' >>zones/example.com.zone
	./resign
	for _ in $(seq 100); do
		[ "$(kdig +short @127.0.0.11 -p "$port" example.com MX | wc -l)" != 2 ] || break
		sleep 0.05
	done
	make_next mail-ec
	published | diff - <(lines "$owners3" "$(curr mail-ec)" "$(next mail-ec)")
	for f in certs/example.com prod-certs/example.com; do
		published "$f/tlsa.example.com" | diff - <(published)
	done
}

@test "a set rolls when all servers have shown its records for twice the TTL" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'mail-ec: not rolled: no name server has been asked'* ]]
	run -0 sslm-dane -e -p "$port" -w 10
	run -75 sslm-roll -m 0 example.com:mail-ec
	[ "${#lines[@]}" = 1 ]
	[[ $output == *'not rolled: its TLSA records are visible since '*', waits 3600 s (2 x TTL) until '* ]]
	seen_ago 3590
	run -75 sslm-roll -m 0 example.com:mail-ec
	seen_ago 3601
	new=$(next mail-ec)
	run -0 roll_it mail-ec
	[ "$(curr mail-ec)" = "$new" ]
}

@test "the wait is shown by status, and min_roll_mins counts beside it" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	run -0 sslm-status example.com:mail-ec
	[[ $output == *'waits for DNS'* ]]
	sslm-dane -e -p "$port" -w 10
	run -0 sslm-status -v example.com:mail-ec
	[[ $output == *'rolls in 1h '* ]]
	[[ $output == *'waits:'*'visible since'* ]]
	seen_ago 3601
	run -75 sslm-roll example.com:mail-ec
	[[ $output == *'too soon to roll'* ]]
	run -0 sslm-status -j example.com:mail-ec
	[ "$(jq '.[0] | has("waits")' <<<"$output")" = false ]
}

@test "force rolls at once, and says what that may cost" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	run -0 sslm-roll -f example.com:mail-ec
	[[ $output == *'rolled by force, mail may be refused: no name server has been asked'* ]]
}

@test "a server that lags is named, and holds the roll until it has caught up" {
	servers '@ MX 10 mx1' 'mx1 A 127.0.0.1'
	put_in_use mail-ec
	touch lag
	make_next mail-ec
	until_served 127.0.0.11 _25._tcp.example.com "$(next mail-ec)"
	run -75 sslm-dane -e -p "$port" -w 1
	[[ $output == *"mail-ec: ns2.example.com (127.0.0.12#$port) lacks: _25._tcp."*"$(next mail-ec)"* ]]
	run -75 sslm-roll -m 0 example.com:mail-ec
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"not rolled: ns2.example.com (127.0.0.12#$port) lacks"*"(since "* ]]
	was=$(sed -n 's/^since //p' certs/example.com/mail-ec/next/evidence)
	run -0 sslm-dane -eq -p "$port"
	[ -z "$output" ]
	[ "$(sed -n 's/^since //p' certs/example.com/mail-ec/next/evidence)" = "$was" ]
	rm lag
	./resign
	run -0 sslm-dane -e -p "$port" -w 10
	grep -q '^seen ' certs/example.com/mail-ec/next/evidence
}

@test "a server that answers without a record voids what was seen, one that is silent does not" {
	servers '@ MX 10 mx1' 'mx1 A 127.0.0.1'
	put_in_use mail-ec
	make_next mail-ec
	sslm-dane -e -p "$port" -w 10
	seen_ago 3601
	seen=$(grep '^seen' certs/example.com/mail-ec/next/evidence)
	dns_stop ns2
	run -75 sslm-dane -e -p "$port"
	[[ $output == *'127.0.0.12'* ]]
	[ "$(grep '^seen' certs/example.com/mail-ec/next/evidence)" = "$seen" ]
	run -0 sslm-roll -n -m 0 example.com:mail-ec
	: >two/tlsa.example.com
	knot_start ns2 127.0.0.12 "$port" two/example.com.zone
	run -75 sslm-dane -e -p "$port"
	run -1 grep '^seen' certs/example.com/mail-ec/next/evidence
	run -75 sslm-roll -m 0 example.com:mail-ec
}

@test "a server that was never seen to have the records holds the roll though it is silent" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	dns_stop ns2
	make_next mail-ec
	run -75 sslm-dane -e -p "$port" -w 1
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'127.0.0.12'* ]]
}

@test "what was seen of other records, or by a clock that was ahead, is nothing" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	sslm-dane -e -p "$port" -w 10
	seen_ago -7200
	run -75 sslm-roll -m 0 example.com:mail-ec
	run -0 sslm-dane -e -p "$port"
	seen=$(stamp=$(sed -n 's/^seen //p' certs/example.com/mail-ec/next/evidence)
	    date -u -d "$(sed -E 's/(.{4})(..)(..)T(..)(..)(..)Z/\1-\2-\3 \4:\5:\6/' <<<"$stamp")" +%s)
	[ "$seen" -le "$(date +%s)" ]
	seen_ago 9999
	sed -i "s/$(next mail-ec)/$(curr mail-ec)/" certs/example.com/mail-ec/next/evidence
	run -75 sslm-roll -m 0 example.com:mail-ec
}

@test "the old key stays until the server that uses it has been reloaded" {
	printf '[smtp]\n    restart_cmd = "./reload"\n' >>conf.d/ssl-mgr.conf
	printf '#!/bin/sh\n[ ! -e broken ]\n' >reload
	chmod +x reload
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	sslm-deploy -q
	old=$(curr mail-ec)
	make_next mail-ec
	sslm-dane -e -p "$port" -w 10
	seen_ago 3601
	sslm-roll -m 0 example.com:mail-ec
	sslm-install -q
	touch broken
	run -1 sslm-deploy -q
	sslm-dane -q
	published | grep _25._tcp.mx1 | diff - <(lines _25._tcp.mx1.example.com. "$old" "$(curr mail-ec)")
	rm broken
	sslm-deploy -q
	sslm-dane -q
	published | grep _25._tcp.mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)")
}

@test "a run that makes up for a reload withdraws the old record, and tells who depends on records" {
	servers '@ MX 10 mx1' 'mx1 A 127.0.0.1'
	printf '#!/bin/sh\necho "$1 $(grep -c "^_25._tcp.mx1" zones/tlsa.example.com)" >>told\n[ ! -e fail ]\n' >reload
	chmod +x reload
	cat >>conf.d/ssl-mgr.conf <<-END
	[smtp]
	    restart_cmd = './reload smtp'
	    svc_depends = [['example.com', ['mail-ec']]]
	[other]
	    restart_cmd = './reload records'
	    depends = ['tlsa']
	END
	# Name servers that are not at port 53.
	mkdir near
	ln -s "$SSLM_BIN"/sslm-* near/
	printf '#!/bin/sh\n[ "$1" != -e ] || set -- -p %s "$@"\nexec "%s/sslm-dane" "$@"\n' "$port" "$SSLM_BIN" >near/dane
	chmod +x near/dane
	mv near/dane near/sslm-dane
	SSLM_BIN=$PWD/near
	make_next mail-ec
	# The first records: after the servers, and before who depends on them, in one run.
	m roll SERVICES=example.com:mail-ec
	[ "$(cat told)" = $'smtp 0\nrecords 1' ]
	[ "$(wc -l <pushed)" = 1 ]
	first=$(curr mail-ec)
	m renew FORCE=1 SERVICES=example.com:mail-ec
	[ "$(sed 1,2d told)" = 'records 2' ]
	[ "$(wc -l <pushed)" = 2 ]
	seen_ago 100000
	touch fail
	run -2 m roll SERVICES=example.com:mail-ec ROLL_MINS=0
	[ "$(sed 1,3d told)" = 'smtp 2' ]
	[ "$(wc -l <pushed)" = 2 ]
	published | grep -q "mx1.example.com. $first"
	rm fail
	m renew SERVICES=example.com:mail-ec
	[ "$(sed 1,4d told)" = $'smtp 2\nrecords 1' ]
	[ "$(wc -l <pushed)" = 3 ]
	published | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(curr mail-ec)")
	m renew && m roll
	[ "$(wc -l <told)" = 6 ]
}

@test "a key that a server uses still is published, and its set kept, over three rolls" {
	printf '[smtp]\n    restart_cmd = "false"\n' >>conf.d/ssl-mgr.conf
	sed -i 's/clean_keep = .*/clean_keep = 1/' conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	gen=$(basename "$(readlink certs/example.com/mail-ec/curr)")
	old=$(curr mail-ec)
	echo "use - smtp example.com/mail-ec $gen" >certs/.deployed
	for _ in 1 2 3; do
		make_next mail-ec
		sslm-roll -qf -k 1 example.com:mail-ec 2>/dev/null
		sslm-dane -q
	done
	[ -e "certs/example.com/mail-ec/db/$gen/cert.pem" ]
	published | grep -q "_25._tcp.mx1.example.com. $old"
	published | grep -q "_25._tcp.mx1.example.com. $(curr mail-ec)"
}

@test "a set that a server uses and that is gone: what is published stays, and it is said" {
	printf '[smtp]\n    restart_cmd = "false"\n' >>conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	echo "use - smtp example.com/mail-ec 20200101T000000Z" >certs/.deployed
	published >before
	make_next mail-ec 2>err || :
	grep -q "db/20200101T000000Z/cert.pem' is missing: what is published of group example.com stays" err
	published | diff before -
	run -75 sslm-roll -m 0 example.com:mail-ec
	sed -i 's/"false"/"true"/' conf.d/ssl-mgr.conf
	sslm-deploy -q
	run -0 sslm-dane -q
	published | grep -q "$(next mail-ec)"
}

@test "the key before counts as long as a server that depends on it has never been told" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	printf '[smtp]\n    restart_cmd = "false"\n' >>conf.d/ssl-mgr.conf
	old=$(curr mail-ec)
	make_next mail-ec
	sslm-roll -qf example.com:mail-ec 2>/dev/null
	rm -f certs/.deployed
	sed -i "s/rolled to curr : .*/rolled to curr : 20200101T000000Z/" certs/example.com/mail-ec/curr/info
	sslm-dane -q
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$old" "$(curr mail-ec)")
}

@test "an owner gets its first record when the servers have been told, and not before" {
	printf '[smtp]\n    restart_cmd = "false"\n' >>conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	make_next mail-ec
	run -1 roll_it mail-ec
	run -0 --separate-stderr sslm-dane
	[ -z "$output$stderr" ]
	[ ! -s zones/tlsa.example.com ]
	# Not the set after it, either, and that does not roll without its record.
	make_next mail-ec
	sslm-dane -q
	[ ! -s zones/tlsa.example.com ]
	run -75 sslm-dane -e -p "$port"
	run -75 sslm-roll -m 0 example.com:mail-ec
	sed -i 's/"false"/"true"/' conf.d/ssl-mgr.conf
	sslm-deploy -q
	sslm-dane -q
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(next mail-ec)")
	# What is lost of what servers were told does not withdraw what is published, in
	# whatever place that is; an owner that is new waits.
	rm certs/.deployed certs/example.com/tlsa.example.com
	sed -i 's/"true"/"false"/' conf.d/ssl-mgr.conf
	sed -i 's/^@ MX .*/&\n@ MX 20 mx2/' zones/example.com.zone
	dns_stop ns1
	knot_start ns1 127.0.0.11 "$port" zones/example.com.zone
	rm certs/example.com/mail-ec/*/tlsa.rr
	sslm-dane -q
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(next mail-ec)")
	run ! grep mx2 zones/tlsa.example.com
	sed -i 's/"false"/"true"/' conf.d/ssl-mgr.conf
	sslm-deploy -q
	sslm-dane -q
	published | grep mx2 | diff - <(lines _25._tcp.mx2.example.com. "$(curr mail-ec)" "$(next mail-ec)")
}

@test "where nobody of ours tells the servers, the old key counts for a day after the roll" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	old=$(curr mail-ec)
	make_next mail-ec
	sslm-roll -qf example.com:mail-ec 2>/dev/null
	sslm-dane -q
	published | grep -q "$old"
	sed -i "s/rolled to curr : .*/rolled to curr : $(date -u -d '-86401 seconds' +%Y%m%dT%H%M%SZ)/" \
	    certs/example.com/mail-ec/curr/info
	sslm-dane -q
	published | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(curr mail-ec)")
}

@test "with dane_probe a record goes when the servers are seen to do without it" {
	sed -i 's/^\[globals\]/&\n    dane_probe = true/' conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	old=$(curr mail-ec)
	make_next mail-ec
	mkdir cmds
	printf '#!/bin/sh\necho "$@" >>asked\neval file=\\${$#}\ncp "$file" records\n[ -e shown ]\n' >cmds/sslm-probe
	chmod +x cmds/sslm-probe
	sslm-roll -qf example.com:mail-ec 2>/dev/null
	sed -i "s/rolled to curr : .*/rolled to curr : 20200101T000000Z/" certs/example.com/mail-ec/curr/info
	run -75 env PATH="$PWD/cmds:$PATH" sslm-dane -q
	[[ $output == *'example.com: TLSA records stay that servers may need still: sslm-probe: exit status 1' ]]
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$old" "$(curr mail-ec)")
	published records | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(curr mail-ec)")
	[ "$(cat asked)" = '-q -t 60 -D certs/example.com/.probe' ]
	touch shown
	run -0 env PATH="$PWD/cmds:$PATH" sslm-dane -q
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)")
	rm asked
	run -0 env PATH="$PWD/cmds:$PATH" sslm-dane -q
	[ ! -e asked ]
}

@test "when dane_tls goes the records go, and the zone is pushed" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	: >pushed
	wants mail-ec ''
	run -0 sslm-dane
	[[ $output == 'example.com'*'changed' ]]
	[ -z "$(published)" ]
	[ -f zones/tlsa.example.com ]
	[ "$(cat certs/.push)" = example.com ]
	[ ! -e certs/example.com/mail-ec/curr/tlsa.rr ]
	run -0 sslm-dane
	[ -z "$output" ]
	make_next mail-ec
	run -0 sslm-roll -n -f example.com:mail-ec
	# Caches have the records of the old key still.
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'not rolled: its TLSA records were withdrawn, and caches may have them until '* ]]
	run -0 sslm-status example.com:mail-ec
	[[ $output == *'rolls in 59m'* || $output == *'rolls in 1h '* ]]
	cached_until 3590
	run -75 sslm-roll -m 0 example.com:mail-ec
	cached_until -1
	echo example.com >certs/.push
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'not rolled: the name server has not been told yet that its TLSA records are withdrawn' ]]
	rm certs/.push
	run -0 sslm-roll -m 0 example.com:mail-ec
}

@test "other records are made for all sets at once, and have to be seen anew" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	sslm-dane -e -p "$port" -w 10
	seen_ago 3601
	wants mail-ec "[[25, 'tcp', 3, 1, 2]]"
	sslm-dane -q
	want() {
		openssl x509 -in "certs/example.com/mail-ec/$1/cert.pem" -noout -pubkey |
		    openssl pkey -pubin -outform DER | sha512sum | cut -d' ' -f1
	}
	published | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(want curr)" "$(want next)")
	run -75 sslm-roll -m 0 example.com:mail-ec
}

@test "of a TTL that was greater, caches are waited for" {
	wants mail-ec "[[25, 'tcp', 3, 1, 1]]" 7200
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	wants mail-ec "[[25, 'tcp', 3, 1, 1]]" 60
	make_next mail-ec
	grep -q '^_25._tcp.mx1.example.com. 60 ' zones/tlsa.example.com
	# The servers have forgotten it, and caches have not.
	until_served 127.0.0.11 _25._tcp.mx1.example.com "$(next mail-ec)"
	until_served 127.0.0.12 _25._tcp.mx1.example.com "$(next mail-ec)"
	sslm-dane -e -p "$port" -w 10
	seen_ago 14390
	run -75 sslm-roll -m 0 example.com:mail-ec
	seen_ago 14401
	run -0 sslm-roll -m 0 example.com:mail-ec
}

@test "without a TTL of ours the zone's own is seen and waited for" {
	wants mail-ec "[[25, 'tcp', 3, 1, 1]]" 0
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	grep -q '^_25._tcp.mx1.example.com. IN TLSA' zones/tlsa.example.com
	sslm-dane -e -p "$port" -w 10
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'waits 120 s'* ]]
}

@test "a second service at the same owner is published before its first roll" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	sed 's/mail-ec/mail-rsa/; s/ktype = .*/ktype = "rsa"/; /ec_algo/d; /dane_tls/d' conf.d/example.com/mail-ec >conf.d/example.com/mail-rsa
	sed -i "s/'mail-ec', /&'mail-rsa', /" conf.d/ssl-mgr.conf
	wants mail-rsa "[[25, 'tcp', 3, 1, 1]]"
	make_next mail-rsa
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(next mail-rsa)")
	run -75 sslm-roll -m 0 example.com:mail-rsa
	sslm-dane -e -p "$port" -w 10
	sed -i "s/^seen .*/seen 20200101T000000Z/" certs/example.com/mail-rsa/next/evidence
	run -0 roll_it mail-rsa
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(curr mail-rsa)")
}

@test "services at one owner with different digests are warned of" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	wants web-ec "[[25, 'tcp', 3, 1, 2]]"
	make_next web-ec
	rm -f zones/tlsa.example.com
	run -0 sslm-dane -q
	[[ $output == *"services differ in the matching types of dane_tls at '_25._tcp"* ]]
}

@test "a key that is kept, and a CA that stays, need no wait" {
	wants mail-ec "[[25, 'tcp', 3, 1, 1], [25, 'tcp', 2, 0, 1]]"
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	published >before
	m copy csr cert SERVICES=example.com:mail-ec -j1 >/dev/null
	published | diff before -
	run -0 sslm-roll -m 0 example.com:mail-ec
	want=$(openssl x509 -in certs/ca/my-int/curr/cert.pem -outform DER | sha256sum | cut -d' ' -f1)
	published | grep -q "_25._tcp.mx1.example.com. $want"
}

@test "a second run changes nothing and pushes nothing" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	: >pushed
	find . -name 'tlsa*' -printf '%p %T@ %i\n' | sort >before
	run -0 sslm-dane
	[ -z "$output" ]
	find . -name 'tlsa*' -printf '%p %T@ %i\n' | sort | diff before -
	[ ! -e certs/.push ]
	strace -f -qq -e trace=network -o net sslm-dane
	run -1 grep -E 'connect|sendto' net
}

@test "a primary that does not answer: nothing is changed, and nothing rolls" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	cp zones/tlsa.example.com before
	dns_stop ns1
	run -2 make_next mail-ec
	run -75 sslm-dane
	[[ $output == *"the MX records of 'example.com' are not known: 127.0.0.11#$port "* ]]
	cmp before zones/tlsa.example.com
	run -75 sslm-roll -m 0 example.com:mail-ec
	[[ $output == *'the TLSA records of next are not known'* ]]
}

@test "a service file that is wrong leaves the records of its group alone" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	cp zones/tlsa.example.com before
	wants mail-ec "[[25, 'tcp', 3, 1, 7]]"
	run -2 sslm-dane -q
	cmp before zones/tlsa.example.com
}

@test "damaged files are made anew" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	published >before
	for f in zones/tlsa.example.com certs/example.com/tlsa.example.com \
	    certs/example.com/mail-ec/{curr,next}/tlsa.rr; do
		for damage in 'truncate -s 100' 'truncate -s 0' 'rm'; do
			$damage "$f"
			[ "$damage" = rm ] || echo 'x 1 IN TLSA 3 1' >>"$f"
			run -0 sslm-dane -q
			published | diff before -
		done
	done
	for damage in 'truncate -s 30' 'truncate -s 0' 'rm -f'; do
		$damage certs/example.com/mail-ec/next/evidence
		run -75 sslm-roll -m 0 example.com:mail-ec
		sslm-dane -e -p "$port" -w 10
		seen_ago 9999
	done
	run -0 sslm-roll -n -m 0 example.com:mail-ec
}

@test "what ssl-mgr has written, in several lines, is written anew" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	printf '%s\n' ';; tlsa' '_25._tcp.example.com. 1800  IN TLSA ( 3 1 2' \
	    '                    00' '                    11 )' >certs/example.com/mail-ec/curr/tlsa.rr
	run -0 sslm-dane
	published | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(curr mail-ec)")
}

@test "the test tree publishes nothing" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	cp zones/tlsa.example.com before
	: >pushed
	m renew TEST=1 >/dev/null
	m roll TEST=1 >/dev/null
	cmp before zones/tlsa.example.com
	[ ! -s pushed ]
	[ ! -e certs/.test/certs/.push ]
}

@test "a tlsa_dir that is missing is named; the others are written" {
	sed -i "s/tlsa_dirs = .*/tlsa_dirs = ['zones', 'nowhere']/" conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	make_next mail-ec || :
	sslm-roll -q example.com:mail-ec
	run -2 sslm-dane -q
	[[ $output == *"[dns] tlsa_dirs 'nowhere': No such file or directory" ]]
	[ -n "$(published)" ]
}

@test "killed at any change to the file system, the next run ends as if nothing had been" {
	traceable
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	cp -a zones zones.was
	make_next mail-ec
	published >want
	rm -rf pushed certs/.push
	for call in rename renameat renameat2 link linkat unlink unlinkat mkdir fsync syncfs fchmod; do
		for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
			cp zones.was/tlsa.example.com zones/
			cp zones.was/tlsa.example.com certs/example.com/
			rm -f certs/example.com/mail-ec/next/tlsa.rr prod-certs/example.com/tlsa.example.com
			run strace -qq -o trace -e trace=$call -e inject=$call:signal=KILL:when=$n sslm-dane -q
			[ "$status" = 137 ] || break
			# What was changed has been noted before.
			cmp -s zones.was/tlsa.example.com zones/tlsa.example.com || grep -qx example.com certs/.push
			run -0 sslm-dane -q
			published | diff want -
			published certs/example.com/tlsa.example.com | diff want -
			[ "$(cat certs/.push)" = example.com ]
			run -1 sh -c "find . -name '.*.new' | grep ."
			rm certs/.push
			echo "$call $n" >>killed
		done
	done
	[ "$(wc -l <killed)" -ge 8 ]
}

@test "all MX hosts count, however many" {
	mapfile -t mx < <(seq -f '@ MX 10 mx%g' 300)
	servers "${mx[@]}" '@ MX 10 mail_1'
	run put_in_use mail-ec
	echo "$output"
	published | wc -l
	[ "$(published | wc -l)" = 302 ]
}

@test "a file of records that was cut at a line is made anew" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	make_next mail-ec
	published >before
	cp certs/example.com/mail-ec/curr/tlsa.rr was
	sed -i '$d' certs/example.com/mail-ec/{curr,next}/tlsa.rr
	sslm-dane -q
	published | diff before -
}

# add_service NAME: beside mail-ec, of the same names.
add_service() {
	sed "s/mail-ec/$1/; /dane_tls/d" conf.d/example.com/mail-ec >"conf.d/example.com/$1"
	sed -i "s/'mail-ec', /&'$1', /" conf.d/ssl-mgr.conf
	wants "$1" "[[25, 'tcp', 3, 1, 1]]"
}

# add_mx LINE...: to the primary's zone, and wait until it is there.
add_mx() {
	local n _
	printf '%s\n' "$@" >>zones/example.com.zone
	n=$(grep -c ' MX ' zones/example.com.zone)
	./resign
	for _ in $(seq 200); do
		[ "$(kdig +short @127.0.0.11 -p "$port" example.com MX | wc -l)" != "$n" ] || return 0
		sleep 0.05
	done
	return 1
}

@test "dane_tls that goes before anything was published leaves nothing behind" {
	servers '@ MX 10 mx1'
	make_next mail-ec
	wants mail-ec ''
	roll_it mail-ec
	cached_until -1
	make_next mail-ec
	run -0 sslm-roll -m 0 example.com:mail-ec
}

@test "a roll that was not noted, or by a clock that was ahead, is one of now" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	old=$(curr mail-ec)
	make_next mail-ec
	sslm-roll -qf example.com:mail-ec 2>/dev/null
	sed -i 's/rolled to curr : .*/rolled to curr : 20990101T000000Z/' certs/example.com/mail-ec/curr/info
	sslm-dane -q
	published | grep -q "$old"
	sed -i '/rolled to curr/d' certs/example.com/mail-ec/curr/info
	sslm-dane -q
	published | grep -q "$old"
}

@test "at an MX host that one service knows, all have records that are for MX hosts" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	add_service mail-two
	make_next mail-two
	sslm-roll -qf example.com:mail-two
	sslm-dane -q
	add_mx '@ MX 10 mx2'
	make_next mail-ec
	published | grep mx2 | diff - <(lines _25._tcp.mx2.example.com. "$(curr mail-ec)" "$(next mail-ec)" "$(curr mail-two)")
}

@test "a service that is new, and the first to know an MX host, is not alone there" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	add_service mail-two
	add_mx '@ MX 10 mx2'
	make_next mail-two
	published | grep mx2 | diff - <(lines _25._tcp.mx2.example.com. "$(curr mail-ec)" "$(next mail-two)")
}

@test "a service file that cannot be read leaves the records alone" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	published >before
	mv conf.d/example.com/mail-ec was
	mkfifo conf.d/example.com/mail-ec
	run ! sslm-dane -q
	echo "$output"
	published | diff before -
	rm conf.d/example.com/mail-ec
	head -c 1100000 /dev/zero >conf.d/example.com/mail-ec
	run ! sslm-dane -q
	echo "$output"
	published | diff before -
}

@test "wildcards are looked for, too" {
	sed -i "s/sans = .*/sans = ['*.example.com']/; s/CN = .*/CN = '*.example.com'/" conf.d/example.com/mail-ec
	wants mail-ec "[[443, 'tcp', 3, 1, 1]]"
	servers
	put_in_use mail-ec
	touch lag
	make_next mail-ec
	published
	until_served 127.0.0.11 '*.example.com' "$(next mail-ec)"
	run -75 sslm-dane -e -p "$port" -w 1
	echo "$output"
	rm lag; ./resign
	run -0 sslm-dane -e -p "$port" -w 10
}

@test "a curr that somebody has removed leaves what servers were told of published" {
	printf '[smtp]\n    restart_cmd = "true"\n' >>conf.d/ssl-mgr.conf
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	sslm-deploy -q
	make_next mail-ec
	published >before
	rm certs/example.com/mail-ec/curr
	run -0 sslm-dane
	[[ $output == "sslm-dane: 'certs/example.com/mail-ec/curr' is missing, and servers have been told of it" ]]
	published | diff before -
}

@test "more than a mebibyte of records, and a second run changes nothing" {
	sed -i "s/sans = .*/sans = [$(seq -f "'host-of-long-name-%g.example.com'" -s, 105)]/" conf.d/example.com/mail-ec
	wants mail-ec "[[443, 'tcp', 3, 0, 0]]"
	servers
	put_in_use mail-ec
	make_next mail-ec
	[ "$(stat -c %s zones/tlsa.example.com)" -gt 1048576 ]
	[ "$(published | wc -l)" = $((2 * $(published | cut -d' ' -f1 | sort -u | wc -l))) ]
	run -0 sslm-dane
	[ -z "$output" ]
	run -0 sslm-dane -e -p "$port" -w 10
}

@test "a service whose file is gone has records as long as others have some beside it" {
	servers '@ MX 10 mx1'
	put_in_use mail-ec
	add_service mail-two
	make_next mail-two
	sslm-roll -qf example.com:mail-two
	sslm-dane -q
	mv conf.d/example.com/mail-ec conf.d/example.com/mail-new
	sed -i "s/mail-ec/mail-new/" conf.d/example.com/mail-new conf.d/ssl-mgr.conf
	run -0 sslm-dane
	[ -z "$output" ]
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(curr mail-two)")
	make_next mail-new
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-ec)" "$(curr mail-two)" "$(next mail-new)")
	rm -r certs/example.com/mail-ec
	sslm-dane -q
	published | grep mx1 | diff - <(lines _25._tcp.mx1.example.com. "$(curr mail-two)" "$(next mail-new)")
	rm conf.d/example.com/mail-two
	sed -i "s/'mail-two', //" conf.d/ssl-mgr.conf
	sslm-dane -q
	[ -z "$(published)" ]
}

@test "MX hosts that are no names are told, and no MX (RFC 7505) is nothing to tell" {
	servers '@ MX 10 mx1' '@ MX 10 a\036b' '@ MX 10 we\059ird' '@ MX 10 q\034uo\039te' \
	    '@ MX 10 n\000ul' '@ MX 10 x\046y' '@ MX 10 192.0.2.1.' '@ MX 20 *'
	run -0 put_in_use mail-ec
	[ "$(grep -c "no TLSA record for the MX host '.*' of 'example.com': " <<<"$output")" -ge 6 ]
	published | diff - <(lines "_25._tcp.example.com. _25._tcp.mx1.example.com." "$(curr mail-ec)")
	sed -i '/ MX /d; $a @ MX 0 .' zones/example.com.zone
	./resign
	for _ in $(seq 200); do
		[ "$(kdig +short @127.0.0.11 -p "$port" example.com MX)" != '0 .' ] || break
		sleep 0.05
	done
	run -0 make_next mail-ec
	run -1 grep MX <<<"$output"
}
