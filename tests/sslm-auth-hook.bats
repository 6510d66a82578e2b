# The hook, called by a real certbot that has its certificates from pebble.
setup() {
	load helper; load site; load dns; load acme; workdir
	PATH=$PWD/bin:$PATH	# certbot takes no path with a blank for a hook
	mkdir bin
}
teardown() { lab_stop; dns_stop_all; }

# certbot 2.1 stumbles over a nonce that is refused.
pebble_start() { PEBBLE_NONCES=0 ca_start; }

web=example.com/web-ec

# certbot with directories of its own here.
certbot() {
	REQUESTS_CA_BUNDLE=$CA_BUNDLE command certbot --config-dir le --work-dir le.work --logs-dir le.log "$@"
}

# get CHALLENGE SERVICE NAME...: a certificate by it, with our hook.
get() {
	local how=$1 service=$2 name list=() hook
	shift 2
	for name; do list+=(-d "$name"); done
	hook="sslm-auth-hook -C '$PWD' ${service/\// }"
	certbot certonly -n --server "$ACME_URL" --agree-tos -m hostmaster@example.com \
	    --manual --preferred-challenges "$how" --manual-auth-hook "${AUTH:-$hook}" \
	    --manual-cleanup-hook "${CLEANUP:-$hook}" --cert-name "${service#*/}" "${list[@]}" "${MORE[@]}"
}

# good LINEAGE NAMES: is it good up to pebble's root?
good() {
	ca_root root.pem
	openssl verify -CAfile root.pem -untrusted "le/live/$1/chain.pem" "le/live/$1/cert.pem"
	[ "$(openssl x509 -in "le/live/$1/cert.pem" -noout -ext subjectAltName | tail -n +2 |
	    tr -d ' \n' | tr , '\n' | LC_ALL=C sort | xargs)" = "$2" ]
}

empty_zone() {
	[ "$(cat "zones/acme-challenge.$1")" = "$(printf ';; acme-challenge for : %s\n;; acme-challenge : %s' "$1" "$1")" ]
}

unlocked() { flock -n certs/.lock true; }

@test "dns-01: a wildcard and two names, one push to publish and one to withdraw" {
	PEBBLE_NONCES=0 dns_zone_site
	sed -i "s|^\[globals\]|&\n    logdir = ''|" conf.d/ssl-mgr.conf
	get dns $web example.com '*.example.com' www.example.com
	[ ! -e acme ]
	good web-ec 'DNS:*.example.com DNS:example.com DNS:www.example.com'
	[ "$(cat restart.log)" = $'--serial_bump example.com\n--serial_bump example.com' ]
	empty_zone example.com
	unlocked
	[ ! -e certs/.certbot/holder ]
	[ ! -e certs/.certbot/certs/.challenges ]

	# certbot is given up later: its lineage and its account are ours then.
	sed -i "s/^ *sans = .*/    sans = ['example.com', '*.example.com', 'www.example.com']/" conf.d/$web
	run -0 sslm-mgr import $web le/live/web-ec
	cmp le/live/web-ec/fullchain.pem certs/$web/curr/fullchain.pem
	run -0 sslm-acme account -i le -c pebble
	url=$output
	[[ $url == "https://$LAB_IP:$ACME_PORT/"* ]]

	# ssl-mgr keeps such an account for each service, and others at staging CAs, of which
	# ours may have one already.
	rm -r certs/.acme
	mkdir -p certs/$web/cb certs/example.com/mail-ec/cb/accounts certs/.acme/acme-staging.test_dir
	cp -r le/accounts certs/$web/cb/
	mkdir certs/$web/cb/accounts/acme-staging.test
	cp -r le/accounts/*/dir certs/$web/cb/accounts/acme-staging.test/
	cp -r certs/$web/cb/accounts/acme-staging.test certs/example.com/mail-ec/cb/accounts/
	echo '{}' >certs/.acme/acme-staging.test_dir/account.json
	run -0 sslm-import
	[[ $output == *"$web	its account is that of 'pebble' now"* ]]
	[ "$(grep -c "its account" <<<"$output")" = 1 ]
	run -0 sslm-acme account -c pebble
	[ "$output" = "$url" ]
	# A run that was killed before the CA's answer is made up for by another.
	rm "certs/.acme/${LAB_IP}_${ACME_PORT}_dir/account.json"
	run -0 sslm-import
	[[ $output == *"$web	its account is that of 'pebble' now"* ]]
	run -0 sslm-acme account -c pebble
	[ "$output" = "$url" ]
	# A CA that is not there: later, perhaps.
	rm "certs/.acme/${LAB_IP}_${ACME_PORT}_dir/account.json"
	ca_stop
	run -75 sslm-import
}

@test "http-01, and two lineages renewed by one certbot" {
	# shellcheck disable=SC2119
	pebble_start
	acme_site
	web_start "$PWD/web"
	get http $web example.com www.example.com
	get http example.com/mail-ec mx1.example.com
	good web-ec 'DNS:example.com DNS:www.example.com'
	was=$(openssl x509 -in le/live/mail-ec/cert.pem -noout -serial)
	certbot renew --force-renewal --no-random-sleep-on-renew
	good web-ec 'DNS:example.com DNS:www.example.com'
	good mail-ec DNS:mx1.example.com
	[ "$(openssl x509 -in le/live/mail-ec/cert.pem -noout -serial)" != "$was" ]
	[ -z "$(find web -type f)" ]
	unlocked
}

@test "dns-01 by dynamic updates" {
	PEBBLE_NONCES=0 dns_update_site
	get dns $web example.com '*.example.com'
	good web-ec 'DNS:*.example.com DNS:example.com'
	[ -z "$(kdig +short @"$LAB_IP" -p "$DNS_PORT" _acme-challenge.example.com TXT)" ]
	unlocked
}

@test "while certbot has challenges in DNS, no other run changes the zone" {
	PEBBLE_NONCES=0 dns_zone_site
	cat >bin/cleanup <<-END
		#!/bin/sh
		cd '$PWD'
		grep -c 'IN TXT' zones/acme-challenge.example.com >seen
		sslm-mgr -renew >renew.log 2>&1
		echo \$? >status
		exec sslm-auth-hook example.com web-ec
	END
	chmod +x bin/cleanup
	CLEANUP=cleanup get dns $web example.com
	good web-ec DNS:example.com
	[ "$(cat seen)" = 1 ]
	[ "$(cat status)" = 75 ]
	grep -q 'another run is at work' renew.log
	unlocked
	run -0 sslm-mgr -renew
}

@test "while another run is at work certbot waits; it is told to come again if that takes too long" {
	PEBBLE_NONCES=0 dns_zone_site
	mkdir -p certs
	exec 8>>certs/.lock
	flock 8
	AUTH="sslm-auth-hook -w 1 -C '$PWD' example.com web-ec" run -1 get dns $web example.com 8>&-
	exec 8>&-
	grep -rq 'another run is at work' le.log
	[ ! -e restart.log ]
	# A run that ends in time.
	rm -r le.log
	mkfifo go
	flock certs/.lock cat go &
	while unlocked; do sleep 0.1; done
	get dns $web example.com >got 2>&1 &
	until pgrep -f 'flock -w 1800 9' >/dev/null; do kill -0 $!; sleep 0.1; done
	[ ! -e restart.log ]
	echo >go
	wait $!
	good web-ec DNS:example.com
	unlocked
}

@test "two certbots at once: one after the other" {
	PEBBLE_NONCES=0 dns_zone_site
	certbot() { REQUESTS_CA_BUNDLE=$CA_BUNDLE command certbot --config-dir "le$N" --work-dir "le$N.work" --logs-dir "le$N.log" "$@"; }
	N=1 get dns $web example.com '*.example.com' >one 2>&1 &
	first=$!
	N=2 get dns example.com/mail-ec mx1.example.com example.com >two 2>&1
	wait $first
	ca_root root.pem
	openssl verify -CAfile root.pem -untrusted le1/live/web-ec/chain.pem le1/live/web-ec/cert.pem
	openssl verify -CAfile root.pem -untrusted le2/live/mail-ec/chain.pem le2/live/mail-ec/cert.pem
	# Never the records of both.
	[ "$(wc -l <restart.log)" = 4 ]
	empty_zone example.com
	unlocked
}

@test "a certbot that is the first process of a container" {
	PEBBLE_NONCES=0 dns_zone_site
	certbot() {
		REQUESTS_CA_BUNDLE=$CA_BUNDLE unshare -pf --mount-proc --propagation unchanged certbot --config-dir le \
		    --work-dir le.work --logs-dir le.log "$@"
	}
	# Behind a shell that stays.
	AUTH="sslm-auth-hook -w 1 -C '$PWD' example.com web-ec; exit \$?" get dns $web example.com '*.example.com'
	good web-ec 'DNS:*.example.com DNS:example.com'
	unlocked
}

@test "what no name server shows: 75, withdrawn all the same, and logged" {
	PEBBLE_NONCES=0 dns_zone_site
	sed -i "s|restart_cmd = .*|restart_cmd = 'true'|; s|^\[globals\]|&\n    logdir = 'logs'|" conf.d/ssl-mgr.conf
	AUTH="sslm-auth-hook -w 1 -C '$PWD' example.com web-ec; echo \$? >'$PWD/status'; exit 0" \
	    run -1 get dns $web example.com
	[ "$(cat status)" = 75 ]
	empty_zone example.com
	unlocked
	run ! grep -hvE '^20[0-9]{6}T[0-9]{6}Z [a-z-]+: ' logs/sslm logs/acme
	[ "$(sed 's/^[^ ]* //' logs/acme | xargs -d '\n' printf '%s|')" = \
	    'sslm-auth-hook: example.com/web-ec: published for certbot|sslm-auth-hook: example.com/web-ec: withdrawn for certbot|' ]
	grep -q 'sslm-nscheck: ns1.example.com .* lacks: _acme-challenge.example.com' logs/sslm
}

@test "a certbot that is killed leaves no lock, and the next run withdraws" {
	PEBBLE_NONCES=0 dns_zone_site
	AUTH="sslm-auth-hook -C '$PWD' example.com web-ec; kill -9 \$PPID" \
	    get dns $web example.com || true
	grep -q 'IN TXT' zones/acme-challenge.example.com
	until unlocked; do sleep 0.1; done
	run -0 m tidy
	empty_zone example.com
	[ ! -e certs/.certbot/certs/.challenges ]
	# So does the hook itself, for the next certbot.
	get dns $web example.com
	good web-ec DNS:example.com
}

@test "killed at any change to the file system: the next certbot gets what it wants, nothing is left" {
	traceable
	ACME_URL=https://127.0.0.1:1/dir CA_BUNDLE=/dev/null acme_site
	export CERTBOT_DOMAIN=www.example.com CERTBOT_TOKEN=0123456789012345678901
	export CERTBOT_VALIDATION=$CERTBOT_TOKEN.0123456789012345678901234567890123456789012
	# As far as a hook is concerned.
	cat >certbot <<-'END'
		#!/bin/sh
		CERTBOT_AUTH_OUTPUT=$(sslm-auth-hook example.com web-ec)
		[ ! -e web/example.com/.well-known/acme-challenge/$CERTBOT_TOKEN ] || touch published
		export CERTBOT_AUTH_OUTPUT
		sslm-auth-hook example.com web-ec && touch withdrawn
	END
	chmod +x certbot
	points ./certbot >all
	ends <all >places
	[ "$(wc -l <places)" -gt 10 ]
	while read -r n name k program; do
		rm -rf certs web/*
		killed_run "$n" "$name" "$k" ./certbot || continue
		echo "$n $name $k $program"
		flock -w 20 certs/.lock true
		rm -f published withdrawn
		./certbot
		[ -e published ]
		[ -e withdrawn ]
		[ -z "$(find web -type f)" ]
	done <places
	unlocked
}

@test "what certbot says is not believed" {
	# shellcheck disable=SC2119
	pebble_start
	acme_site
	hash=0123456789012345678901234567890123456789012
	token=0123456789012345678901
	hook() { env "$@" sslm-auth-hook example.com web-ec; }
	run -1 hook CERTBOT_DOMAIN='x;touch pwned' CERTBOT_VALIDATION=$hash
	[[ $output == *"CERTBOT_DOMAIN is not what it has to be"* ]]
	run -1 hook CERTBOT_DOMAIN='x", "a": "b' CERTBOT_VALIDATION=$hash
	run -1 hook CERTBOT_DOMAIN=$'example.com\nx' CERTBOT_VALIDATION=$hash
	run -1 hook CERTBOT_DOMAIN=example.com CERTBOT_VALIDATION='a" ; $(touch pwned)'
	run -1 hook CERTBOT_DOMAIN=example.com CERTBOT_VALIDATION=$token.$hash CERTBOT_TOKEN=../../../x
	[[ $output == *"CERTBOT_TOKEN is not"* ]]
	run -1 hook CERTBOT_DOMAIN=example.com CERTBOT_VALIDATION=$hash CERTBOT_REMAINING_CHALLENGES='0;x'
	run -1 hook CERTBOT_VALIDATION=$hash
	[ ! -e certs ]
	# What only looks right is refused by sslm-challenge.
	run -1 hook CERTBOT_DOMAIN=example.com CERTBOT_VALIDATION=$token.$hash CERTBOT_TOKEN=a$token
	[[ $output == *"is not that of its token"* ]]
	[ -z "$(find web -type f)" ]
	[ ! -e pwned ]
	hook CERTBOT_DOMAIN=www.example.com CERTBOT_VALIDATION=$token.$hash CERTBOT_TOKEN=$token
	[ "$(cat web/example.com/.well-known/acme-challenge/$token)" = $token.$hash ]
	hook CERTBOT_DOMAIN=www.example.com CERTBOT_VALIDATION=$token.$hash CERTBOT_TOKEN=$token \
	    CERTBOT_AUTH_OUTPUT="sslm-auth-hook: $token.$hash"
	[ -z "$(find web -type f)" ]
}

@test "wrong usage, and a service that certbot cannot be for" {
	site
	export CERTBOT_DOMAIN=example.com CERTBOT_VALIDATION=0123456789012345678901234567890123456789012
	run -2 sslm-auth-hook example.com
	run -2 sslm-auth-hook example.com web-ec bug
	run -2 sslm-auth-hook example.com nothing
	run -2 sslm-auth-hook example.com mail-ec,web-ec
	run -2 sslm-auth-hook example.com ALL
	run -2 sslm-auth-hook -w 1x example.com web-ec
	run -2 sslm-auth-hook -C nowhere example.com web-ec
	mkdir -p certs/.certbot/.staging
	run -75 sslm-auth-hook example.com web-ec debug
	[[ $output == *"sslm-auth-hook: cannot make 'certs/.certbot'"* ]]
	rmdir certs/.certbot/.staging
	run -2 sslm-auth-hook example.com web-ec debug
	[[ $output == *"the CA of example.com/web-ec is no ACME CA"* ]]
}
