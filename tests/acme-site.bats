# A site whose certificates are from an ACME CA, through make: real name and web
# servers, one push for all, failures and kills.
setup() { load helper; load site; load dns; load acme; workdir; }
teardown() { lab_stop; dns_stop_all; }

# believed SERVICE [LINK]: its certificate is for its key, and good to pebble's root.
believed() {
	local set=certs/$1/${2:-curr}
	openssl verify -CAfile root.pem -untrusted "$set/chain.pem" "$set/cert.pem"
	[ "$(openssl x509 -in "$set/cert.pem" -noout -pubkey)" = "$(openssl pkey -in "$set/privkey.pem" -pubout)" ]
	cat "$set/privkey.pem" "$set/fullchain.pem" | cmp - "$set/bundle.pem"
}

# service GROUP NAME CA SAN...: a service file.
service() {
	mkdir -p "conf.d/$1"
	printf "name = '%s'\ngroup = '%s'\nservice = '%s'\nsigning_ca = '%s'\n[KeyOpts]\n    ktype = 'ec'\n[X509]\n    CN = '%s'\n    sans = [%s]\n" \
	    "$2" "$1" "$2" "$3" "$4" "$(printf "'%s'," "${@:4}")" >"conf.d/$1/$2"
}

# groups GROUP SERVICE,... ...: these and no others are the site's.
groups() {
	sed -i '/^\[\[groups\]\]/,/^$/d' conf.d/ssl-mgr.conf
	while [ $# -gt 0 ]; do
		printf "\n[[groups]]\n    active = true\n    domain = '%s'\n    services = ['%s']\n" "$1" "${2//,/\', \'}" >>conf.d/ssl-mgr.conf
		shift 2
	done
}

orders() { jq -r .url certs/*/*/next/order.json; }
keys() { sha256sum certs/*/*/next/privkey.pem; }

@test "two zones by DNS and one service by http: one push to publish, one to tidy" {
	dns_zone_site
	sed -n '/^\[pebble\]/,$p' conf.d/ca-info.conf | sed 's/pebble/by-web/; s/dns-01/http-01/' >>conf.d/ca-info.conf
	groups example.com mail,web,wild example.net w
	service example.com mail pebble example.com mx1.example.com
	service example.com wild pebble example.com '*.example.com'
	service example.net w pebble example.net www.example.net www.example.com
	service example.com web by-web www.example.com
	web_start "$PWD/web"
	m renew
	[ "$(cat restart.log)" = "$(printf -- '--serial_bump example.com example.net\n%.0s' 1 2)" ]
	m roll
	ca_root root.pem
	for s in example.com/mail example.com/wild example.net/w example.com/web; do
		believed $s
	done
	[ "$(ca_issued)" = 4 ]
	# One account; nothing is left of what was published.
	[ "$(ca_accounts)" = 1 ]
	for zone in example.com example.net; do
		[ "$(cat zones/acme-challenge.$zone)" = "$(printf ';; acme-challenge for : %s\n;; acme-challenge : %s' $zone $zone)" ]
		[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.$zone TXT)" ]
	done
	run ! sh -c 'find web -type f | grep .'
	[ ! -e certs/.challenges ]
	[ ! -e certs/.push ]
	# And then there is nothing to be done, nor anybody to be asked.
	m renew
	n=$(ca_requests | wc -l)
	run -0 m renew
	[ -z "$output" ]
	run -0 m roll
	[ -z "$output" ]
	[ "$(ca_requests | wc -l)" = "$n" ]
	[ "$(wc -l <restart.log)" = 2 ]
}

@test "from a CA of the site's own to an ACME CA, and nothing in use is touched until the roll" {
	ca_start
	site
	m renew && m roll
	cp -rL certs/example.com/web-ec/curr before
	conf=conf.d
	acme_conf=$(mktemp -d ./x.XXXXXX)
	(cd "$acme_conf" && acme_site)
	cp "$acme_conf/conf.d/ca-info.conf" $conf/ca-info.conf
	printf "\n[web]\n    server_dir = '%s'\n" "$PWD/web" >>conf.d/ssl-mgr.conf
	sed -i "s/^signing_ca = .*/signing_ca = 'pebble'/" conf.d/example.com/web-ec
	mkdir web
	web_start "$PWD/web"
	run -0 m renew V=1
	[[ $output == *"signed by 'Sample Intermediate CA', wanted pebble"* ]]
	diff -r before certs/example.com/web-ec/curr/
	ca_root root.pem
	believed example.com/web-ec next
	m roll ROLL_MINS=0
	believed example.com/web-ec
	run -0 m renew V=1
	[ -z "$output" ]
}

@test "a service that fails leaves the others alone, is told, and waits before it tries again" {
	ca_start
	acme_site
	groups example.com a,b
	service example.com a pebble a.example.com
	service example.com b pebble b.example.com
	web_start "$PWD/web"
	chall add-a '{"host": "b.example.com", "addresses": ["127.0.0.1"]}'
	run -2 m renew
	[[ $output == *"b.example.com: not validated by http-01: "* ]]
	[[ $output == *"sslm: example.com/b is not renewed"* ]]
	[[ $output != *example.com/a* ]]
	[ "$(cat certs/.exit)" = 1 ]
	ca_root root.pem
	believed example.com/a next
	run ! sh -c 'find web -type f | grep .'
	key=$(sha256sum certs/example.com/b/next/privkey.pem)
	n=$(ca_orders)
	run -75 sslm-mgr -renew
	[[ $output == *"failed 1 time; not asked again before"* ]]
	[ "$(ca_orders)" = "$n" ]
	run -0 sslm-status -v
	[[ $output == *"failed:    count 1"* ]]
	# Mended, and a minute later.
	chall clear-a '{"host": "b.example.com"}'
	sed -i "s/^until .*/until $(date -u -d '-1 second' +%Y%m%dT%H%M%SZ)/" certs/example.com/b/next/failed
	run -0 m renew
	believed example.com/b next
	[ "$(sha256sum certs/example.com/b/next/privkey.pem)" = "$key" ]
	[ ! -e certs/example.com/b/next/failed ]
}

@test "a restart_cmd that fails, and a name server that lags: nobody is asked, nothing is lost" {
	dns_zone_site
	groups example.com a
	service example.com a pebble example.com
	mv dns-restart works
	printf '#!/bin/sh\necho noise\nexit 3\n' >dns-restart
	chmod 755 dns-restart
	run -2 m renew
	[[ $output == *"restart_cmd '$PWD/dns-restart': exit status 3"* ]]
	[[ $output == *"$LAB_IP"*"_acme-challenge.example.com"* ]]
	[[ $output != *noise* ]]
	[ "$(grep -c 'POST /chalZ' "$LAB/pebble.log")" = 0 ]
	[ -e certs/.push ]
	url=$(orders) key=$(keys)
	# It does nothing: the server lags for as long as we care to wait.
	printf '#!/bin/sh\n' >dns-restart
	run -2 m renew DNS_WAIT=1
	[ "$(cat certs/.exit)" = 75 ]
	[[ $output == *"$LAB_IP"*"_acme-challenge.example.com"* ]]
	[ "$(grep -c 'POST /chalZ' "$LAB/pebble.log")" = 0 ]
	mv works dns-restart
	run -0 m renew
	[ -z "$output" ]
	ca_root root.pem
	believed example.com/a next
	[ "$(orders)" = "$url" ]
	[ "$(keys)" = "$key" ]
}

@test "by dynamic updates: challenges and TLSA records, on a name server that has no files of ours" {
	dns_update_site
	groups example.com mail,wild example.net w
	service example.com mail pebble example.com mx1.example.com
	service example.com wild pebble example.com '*.example.com'
	service example.net w pebble example.net www.example.net www.example.com
	tlsa="_25._tcp.mx1.example.com. 60 IN TLSA 3 1 1 $(printf '0123456789ABCDEF%.0s' 1 2 3 4)"
	m renew
	m roll
	ca_root root.pem
	for s in example.com/mail example.com/wild example.net/w; do
		believed $s
	done
	[ "$(ca_issued)" = 3 ]
	# One update for each zone to publish, and one to withdraw.
	[ "$(grep -c 'DDNS, finished' knot/log)" = 4 ]
	for zone in example.com example.net; do
		[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.$zone TXT)" ]
		[ "$(cat certs/.zones/acme-challenge.$zone)" = "$(printf ';; acme-challenge for : %s\n;; acme-challenge : %s' $zone $zone)" ]
	done
	[ ! -e certs/.update/example.com ]
	[ ! -e certs/.update/example.net ]
	[ "$(stat -c %a certs/.update certs/.zones | xargs)" = '700 755' ]
	[ ! -e certs/.push ]
	[ ! -e certs/.challenges ]
	run -0 m renew
	[ -z "$output" ]
	# TLSA records go the same way; the test tree publishes its challenges, and leaves them.
	tlsa_file=certs/example.com/tlsa.example.com
	printf '%s\n' ';; tlsa' "$tlsa" >$tlsa_file
	sslm-dnspush -q example.com
	[ "$(kdig +short @"$LAB_IP" -p 53 _25._tcp.mx1.example.com TLSA | tr -d ' ')" = "311$(printf '0123456789ABCDEF%.0s' 1 2 3 4)" ]
	[ "$(tr a-f A-F <certs/.update/example.com)" = "$(tr a-f A-F <<<"$tlsa")" ]
	sed "s/ca_url = \(.*\)/&\n    ca_test_url = \1/" -i conf.d/ca-info.conf
	m renew TEST=1
	[ "$(ca_issued)" = 6 ]
	[ "$(grep -c 'DDNS, finished' knot/log)" = 9 ]
	[ -n "$(kdig +short @"$LAB_IP" -p 53 _25._tcp.mx1.example.com TLSA)" ]
	[ -z "$(ls certs/.test/certs/.update)" ]
	# So does a rehearsal, and nothing is left of it.
	m renew TRY=1
	[ ! -e certs/.dry ]
	[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.example.com TXT)" ]
	# Without its file the TLSA record goes, when the zone is pushed.
	rm $tlsa_file
	sslm-dnspush -q example.com
	[ -z "$(kdig +short @"$LAB_IP" -p 53 _25._tcp.mx1.example.com TLSA)" ]
	[ -z "$(ls certs/.update)" ]
}

@test "by dynamic updates: no key, a wrong one, and then the right one" {
	dns_update_site
	groups example.com mail
	service example.com mail pebble example.com mx1.example.com
	mv tsig.key right
	run -2 m renew
	[[ $output == *"[dns] update: cannot read the key file 'tsig.key': No such file or directory"* ]]
	tsig-keygen -a hmac-sha256 sslm.example >tsig.key
	chmod 600 tsig.key
	run -2 m renew DNS_WAIT=1
	grep -q 'has another secret for the key' <<<"$output"
	[ "$(ca_issued)" = 0 ]
	mv right tsig.key
	m renew
	m roll
	ca_root root.pem
	believed example.com/mail
	[ ! -e certs/.push ]
	[ -z "$(ls certs/.update)" ]
	[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.example.com TXT)" ]
}

@test "a challenge that is delegated to another zone" {
	resolver_start
	CA_DNS=$LAB_IP:$RESOLVER_PORT dns_zone_site
	groups example.com a example.net ''
	service example.com a pebble deleg.example.com
	sed -i "/services = \[''\]/d" conf.d/ssl-mgr.conf
	echo '_acme-challenge.deleg CNAME deleg.example.net.' >>zones/example.com.zone
	./dns-restart --serial_bump example.com
	rm restart.log
	m renew
	[ "$(cat restart.log)" = "$(printf -- '--serial_bump example.net\n%.0s' 1 2)" ]
	ca_root root.pem
	believed example.com/a next
}

@test "a web server on another machine" {
	ca_start
	acme_site
	groups example.com a
	service example.com a pebble a.example.com
	sshd_start webhost
	sed -i "s|^    server_dir = .*|    server_dir = '$PWD/far'\n    servers = ['webhost']\n    skip_prod_copy = true|" conf.d/ssl-mgr.conf
	mkdir far
	web_start "$PWD/far"
	m renew
	ca_root root.pem
	believed example.com/a next
	run ! sh -c 'find far -type f | grep .'
}

@test "-t asks the staging directory, in a tree of its own; -n keeps nothing of it" {
	ca_start
	acme_site http-01 "ca_test_url = '$ACME_URL'"
	sed -i "s|ca_url = .*|ca_url = 'https://$LAB_IP:1/dir'|" conf.d/ca-info.conf
	groups example.com a
	service example.com a pebble a.example.com
	web_start "$PWD/web"
	run -0 sslm-mgr -n -renew
	[ "$(ca_issued)" = 1 ]
	[ ! -e certs/.dry ]
	[ ! -e certs/example.com ]
	run -0 sslm-mgr -t -renew
	run -0 sslm-mgr -t -roll -f
	[ "$(ca_issued)" = 2 ]
	[ "$(ca_accounts)" = 1 ]
	ca_root root.pem
	openssl verify -CAfile root.pem -untrusted certs/.test/certs/example.com/a/curr/chain.pem certs/.test/certs/example.com/a/curr/cert.pem
	[ ! -e certs/example.com ]
	[ ! -e prod-certs ]
	run ! sh -c 'find web -type f | grep .'
}

@test "what -n has published is withdrawn, by the next run if it cannot be by this one" {
	dns_zone_site
	sed -i "s|^    ca_url = \(.*\)|&\n    ca_test_url = \1|" conf.d/ca-info.conf
	groups example.com a
	service example.com a pebble example.com
	mv dns-restart works
	# The name server takes the first push and no other, for now.
	printf '#!/bin/sh\n[ ! -e once ] || exit 3\ntouch once\nexec ./works "$@"\n' >dns-restart
	sed -i "s|restart_cmd = .*|restart_cmd = '$PWD/dns-restart'|" conf.d/ssl-mgr.conf
	sed -i "s|^touch once|cd '$PWD' \&\& touch once|; s|-e once|-e '$PWD/once'|" dns-restart
	chmod 755 dns-restart
	run -1 sslm-mgr -n -renew
	[ -z "$(find certs/.dry -name '*.pem')" ]
	[ ! -e certs/example.com ]
	mv works dns-restart
	run -0 m tidy
	[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.example.com TXT)" ]
	[ ! -e certs/.dry ]
}

@test "many services at a time, and one that is asked for by hand, step by step" {
	ca_start
	acme_site
	names=$(seq -f s%g -s , 12)
	groups example.com "$names"
	for s in ${names//,/ }; do
		service example.com "$s" pebble "$s.example.com"
	done
	web_start "$PWD/web"
	m -j4 renew
	[ "$(ca_issued)" = 12 ]
	ca_root root.pem
	for s in ${names//,/ }; do
		believed example.com/$s next
	done
	m roll ROLL_MINS=0
	export SERVICES=example.com:s3
	m keys
	m csr
	m cert
	believed example.com/s3 next
	[ "$(ca_issued)" = 13 ]
	[ ! -L certs/example.com/s4/next ]
}

@test "a record that stays: printed until it is there, then nothing is pushed any more" {
	dns_zone_site
	ca_hostile challenges:dns-persist-01
	sed -i "s|ca_url = .*|ca_url = '$ACME_URL'|; s/dns-01/dns-persist-01/" conf.d/ca-info.conf
	groups example.com a
	service example.com a pebble a.example.com
	run -2 m renew
	[[ $output == *'_validation-persist.a.example.com'*'TXT'*'"ca.example; accounturi='* ]]
	[ ! -e restart.log ]
	[ "$(grep -c /new-order "$ACME_LOG")" = 1 ]
	# As it was told, into the zone.
	record=$(jq -r '.challenges[0] | "\(.owner). IN TXT \"\(.txt)\""' certs/example.com/a/next/order.json)
	echo "$record" >>zones/example.com.zone
	./dns-restart --serial_bump example.com
	rm restart.log
	run -0 m renew
	cp "$LAB/hostile/root.pem" root.pem
	believed example.com/a next
	m roll ROLL_MINS=0
	m renew FORCE=1
	believed example.com/a next
	[ ! -e restart.log ]
}

@test "the CA says when: its window is asked for as often as it wants, and obeyed" {
	ca_hostile ari window:future
	acme_site
	sed -i "/^ *server_dir/s|'.*'|'$PWD/web'|" conf.d/ssl-mgr.conf
	groups example.com a
	service example.com a pebble a.example.com
	m renew
	m roll ROLL_MINS=0
	cert=certs/example.com/a/curr/cert.pem
	aki=$(openssl x509 -in $cert -noout -ext authorityKeyIdentifier | tail -n +2 | sed 's/keyid//' | tr -dc 0-9A-F)
	serial=$(openssl x509 -in $cert -noout -serial | cut -d= -f2 | sed 's/^[89A-F]/00&/')
	id=$(xxd -r -p <<<"$aki" | basenc --base64url | tr -d =).$(xxd -r -p <<<"$serial" | basenc --base64url | tr -d =)
	run -0 m renew
	[ -z "$output" ]
	cat "$ACME_LOG"
	grep -q "/ari/$id" "$ACME_LOG"
	# It has said so for some hours.
	n=$(grep -c /ari/ "$ACME_LOG")
	run -0 m renew
	[ "$(grep -c /ari/ "$ACME_LOG")" = "$n" ]
	# The identifier of RFC 9773, 4.1, for the certificate that is its example.
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=x \
	    -addext subjectKeyIdentifier=69885B6B87464041E1B37B847BA0AE2CDE01C8D4 2>/dev/null
	cp -rL certs certs.now
	openssl x509 -req -in certs/example.com/a/curr/csr.pem -CA ca.pem -CAkey ca.key -set_serial 0x87654321 -days 90 \
	    -extfile <(printf 'authorityKeyIdentifier=keyid\nsubjectAltName=DNS:a.example.com') -out $cert 2>/dev/null
	sslm-acme window
	grep -q '/ari/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE	' "$ACME_LOG"
	cp certs.now/example.com/a/curr/cert.pem $cert
	cp certs.now/.acme/windows certs/.acme/
	# The moment comes.
	awk '{ $3 = "20200101T000000Z"; print }' certs/.acme/windows >w
	mv w certs/.acme/windows
	run -0 m renew V=1
	[[ $output == *"example.com/a	its CA wants it renewed"* ]]
	cp "$LAB/hostile/root.pem" root.pem
	believed example.com/a next
}

@test "killed at any point, by http: the next run goes on with the same key and order" {
	traceable
	ca_start
	acme_site
	groups example.com a
	service example.com a pebble a.example.com
	web_start "$PWD/web"
	ca_root root.pem
	points make -j2 renew >points
	kills=0 waits=0
	while read -r at; do
		rm -rf certs prod-certs web/*
		# shellcheck disable=SC2086	# words
		killed_run $at make -j2 renew || { echo "not killed: $at"; continue; }
		kills=$((kills + 1))
		after_a_kill "$at"
		run ! sh -c 'find web -type f | grep .'
	done < <(cut -d' ' -f-3 points)
	echo "$kills kills, $waits waits"
	[ $kills -gt 60 ]
	[ $kills -ge $(($(wc -l <points) - 4)) ]
	[ $waits -gt 0 ]
	[ $waits -le 4 ]
}

@test "killed at any point, by DNS: what was published is withdrawn" {
	dns_zone_site
	traceable
	groups example.com a
	service example.com a pebble example.com '*.example.com'
	ca_root root.pem
	points make -j2 renew >points
	kills=0
	while read -r at; do
		rm -rf certs prod-certs
		# shellcheck disable=SC2086	# words
		killed_run $at make -j2 renew || { echo "not killed: $at"; continue; }
		kills=$((kills + 1))
		after_a_kill "$at"
		[ "$(wc -l <zones/acme-challenge.example.com)" = 2 ]
		[ -z "$(kdig +short @"$LAB_IP" -p 53 _acme-challenge.example.com TXT)" ]
	done < <(grep -E 'sslm-(challenge|dnspush|nscheck)' points | cut -d' ' -f-3)
	echo "$kills kills"
	[ $kills -gt 15 ]
}

# The next run completes what the last one left, and makes nothing anew.
after_a_kill() {
	local key='' order='' dir=certs/example.com/a/next n
	[ ! -e $dir/privkey.pem ] || key=$(keys)
	[ ! -e $dir/order.json ] || order=$(orders)
	n=$(ca_orders || :)
	# An order whose answer was not seen: the CA may have it, and is not asked at once.
	if [ ! -e $dir/order.json ] && [ -e $dir/failed ]; then
		waits=$((${waits-0} + 1))
		run -2 m renew
		[[ $output == *"failed 1 time; not asked again before"* ]]
		[ "$(cat certs/.exit)" = 75 ]
		[ "$(ca_orders || :)" = "$n" ]
		sed -i "s/^until .*/until $(date -u -d '-1 second' +%Y%m%dT%H%M%SZ)/" $dir/failed
	fi
	m renew >log 2>&1 || { cat log; echo "kill $1"; false; }
	believed example.com/a next || { cat log; echo "kill $1"; false; }
	[ -z "$key" ] || [ "$key" = "$(keys)" ] || { echo "kill $1: another key"; false; }
	[ -z "$order" ] || [ "$order" = "$(orders)" ] || { echo "kill $1: another order"; false; }
	[ -z "$order" ] || [ "$(ca_orders)" = "$n" ] || { echo "kill $1: a second order"; false; }
	run ! sh -c "find certs prod-certs -name '.*.new' | grep ."
	[ ! -e $dir/failed ] || { echo "kill $1: it counts still"; false; }
	[ ! -e certs/.challenges ] || { echo "kill $1: still published"; false; }
	[ ! -e certs/.push ] || { echo "kill $1: not pushed"; false; }
}
