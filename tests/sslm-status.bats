setup() { load helper; load site; workdir; site; web=certs/example.com/web-ec; }

@test "a table: a line a service, dates as openssl has them" {
	in_use example.com/web-ec $((-10 * day)) $((80 * day + 100))
	run -0 sslm-status
	[ "${#lines[@]}" = 5 ]
	[[ ${lines[0]} =~ ^service\ +expires\ +lifetime\ +left\ +renewal\ +next$ ]]
	end=$(date -u -d "$(openssl x509 -in $web/curr/cert.pem -noout -enddate | cut -d= -f2)" '+%F %H:%M')
	row=$(grep web-ec <<<"$output")
	[[ $row == *" $end "* ]]
	[[ $row == *" 90d"*" 80d "*"in 50d"* ]]
	[[ $(grep mail-ec <<<"$output") == *" due "* ]]
}

@test "JSON has the same, for programs" {
	in_use example.com/web-ec 0 $((90 * day))
	run -0 sslm-status -j
	[ "$(jq -r '.[3] | .group + " " + .service + " " + .key + " " + (.due|tostring) + " " + .next' <<<"$output")" = \
	    "example.com web-ec EC:secp384r1 false none" ]
	[ "$(jq -r '.[3].names | join(",")' <<<"$output")" = example.com,www.example.com ]
	[ "$(jq -r '.[3].not_after' <<<"$output")" = \
	    "$(date -u -d "$(openssl x509 -in $web/curr/cert.pem -noout -enddate | cut -d= -f2)" +%Y%m%dT%H%M%SZ)" ]
	serial=$(openssl x509 -in $web/curr/cert.pem -noout -serial | cut -d= -f2 | tr A-F a-f)
	[ "$(jq -r '.[3].serial' <<<"$output")" = "$serial" ]
	[ "$(jq -r '.[0].reason' <<<"$output")" = "no certificate yet" ]
}

@test "what is pending, and when it can roll" {
	m renew && m roll && m renew FORCE=1 SERVICES=example.com:web-ec
	run -0 sslm-status example.com:web-ec
	[[ $output == *"rolls in 1h "* ]]
	sed -i 's/issued : .*/issued : 20200101T000000Z/' $web/next/info
	run -0 sslm-status example.com:web-ec
	[[ $output == *"ready to roll" ]]
	rm $web/next/bundle.pem
	run -0 sslm-status example.com:web-ec
	[[ $output == *"begun" ]]
}

@test "-v adds issuer, key, names and the reason" {
	in_use example.com/web-ec $((-89 * day)) $day
	run -0 sslm-status -v example.com:web-ec
	[[ $output == *"due:"*"expires in "* ]]
	[[ $output == *"issuer:"*"example.com"* ]]
	[[ $output == *"key:"*"EC:secp384r1"* ]]
	[[ $output == *"www.example.com"* ]]
}

@test "colour on a terminal alone, and not against the user's wish" {
	script -qec true /dev/null || skip "no terminal to be had here"
	in_use example.com/web-ec $((-90 * day)) -60
	run -0 sslm-status
	[[ $output != *$'\e['* ]]
	run -0 script -qec 'TERM=xterm sslm-status' /dev/null
	[[ $output == *$'\e[31m'* ]]
	run -0 script -qec 'TERM=xterm NO_COLOR=1 sslm-status' /dev/null
	[[ $output != *$'\e['* ]]
}

@test "status changes nothing and needs no lock" {
	m renew
	find . -printf '%p %T@ %i\n' | sort >/tmp/before.$$
	(exec 9>>certs/.lock && flock 9 && sslm-status >/dev/null)
	find . -printf '%p %T@ %i\n' | sort | diff - /tmp/before.$$
	rm /tmp/before.$$
}

@test "a broken service is shown with the others, and the status is 2" {
	echo x >>conf.d/example.com/web-ec
	run -2 --separate-stderr sslm-status
	[ "${#lines[@]}" = 5 ]
	[[ $stderr == *"conf.d/example.com/web-ec:"* ]]
	run -2 --separate-stderr sslm-status -j
	[ "$(jq -r '.[3].ok' <<<"$output")" = false ]
}

@test "escape sequences in a certificate do not reach the terminal" {
	dated certs/example.com/web-ec/db/20200101T000000Z 0 $day
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
	    -subj "$(printf '/CN=evil\033[31mred')" -days 30 -out $web/db/20200101T000000Z/cert.pem 2>/dev/null
	ln -s db/20200101T000000Z $web/curr
	run sslm-status -v example.com:web-ec
	[[ $output == *evil* ]]
	[[ $output != *$'\e'* ]]
}

# metrics [SERVICE...]: what -p prints, by the parser of Prometheus' own client, a sample a
# line; the rules of the format that it does not insist on are checked here.
metrics() {
	sslm-status -p "$@" >metrics.prom || return
	/usr/bin/python3 "$TOP/tests/metrics.py" metrics.prom
}

# sample NAME SERVICE: its value.
sample() { grep "^sslm_$1|group=example.com service=$2" <<<"$output" | cut -d'|' -f3; }

@test "-p: metrics that Prometheus' own parser takes, with the dates as openssl has them" {
	in_use example.com/web-ec $((-10 * day)) $((80 * day))
	run -0 metrics
	{ read -r from; read -r until; } < <(dates $web/curr/cert.pem)
	[ "$(sample certificate_not_before_seconds web-ec)" = "$from" ]
	[ "$(sample certificate_not_after_seconds web-ec)" = "$until" ]
	at=$(($(sample certificate_renewal_seconds web-ec) - $(date +%s)))
	[ "$at" -gt $((49 * day)) ]
	[ "$at" -lt $((51 * day)) ]
	[ "$(sample renewal_due web-ec)" = 0 ]
	[ "$(sample renewal_due mail-ec)" = 1 ]
	[ -z "$(sample certificate_not_after_seconds mail-ec)" ]
	[ "$(sample next_pending web-ec)$(sample next_complete web-ec)" = 00 ]
	[ "$(sample order_failures web-ec)" = 0 ]
	[ "$(grep -c '^sslm_service_ok|' <<<"$output")" = 4 ]
	serial=$(openssl x509 -in $web/curr/cert.pem -noout -serial | cut -d= -f2 | tr A-F a-f)
	[ "$(sample certificate_info web-ec)" = 1 ]
	grep "^sslm_certificate_info|.* issuer=example.com key=EC:secp384r1 serial=$serial ca=my-" <<<"$output"
	run -0 metrics example.com:mail-ec
	run ! grep web-ec metrics.prom
}

@test "-p: what is pending, what has failed, what is broken, and the last run" {
	m renew && m roll && m renew FORCE=1 SERVICES=example.com:web-ec
	run -0 metrics
	[ "$(sample next_pending web-ec)$(sample next_complete web-ec)" = 11 ]
	[ "$(sample next_waits_for_dns web-ec)" = 0 ]
	at=$(($(sample next_roll_seconds web-ec) - $(date +%s)))
	[ "$at" -gt 5000 ]
	[ "$at" -le 5400 ]
	grep -qx 'sslm_last_run_status||0' <<<"$output"
	rm $web/next/bundle.pem
	printf 'count 3\nuntil 20300101T000000Z\ncsr x\nwhy no\n' >$web/next/failed
	echo 75 >certs/.exit
	echo 'no key at all' >conf.d/example.com/mail-ec
	sslm-status -p >metrics.prom || [ $? = 2 ]
	run -0 metrics example.com:web-ec
	[ "$(sample next_pending web-ec)$(sample next_complete web-ec)" = 10 ]
	[ "$(sample order_failures web-ec)" = 3 ]
	[ "$(sample order_retry_seconds web-ec)" = "$(date -d 2030-01-01T00:00:00Z +%s)" ]
	[ -z "$(sample next_roll_seconds web-ec)" ]
	grep -qx 'sslm_last_run_status||75' <<<"$output"
	: >certs/.exit
	run -2 sslm-status -p
	[[ $output == *'sslm_service_ok{group="example.com",service="mail-ec"} 0'* ]]
	[[ $output != *sslm_last_run* ]]
	[ "$(grep -c 'service="mail-ec"' <<<"$output")" = 1 ]
	run -2 sslm-status -jp
}

@test "-p: an issuer of any name is one label" {
	mkdir -p $web/db/1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -utf8 -keyout $web/db/1/privkey.pem \
	    -out $web/db/1/cert.pem -addext 'subjectAltName=DNS:example.com' -subj $'/CN=a "b"} 1\nx{c="\\\\\\\\", \xc3\xa9' 2>/dev/null
	ln -s db/1 $web/curr
	openssl x509 -in $web/curr/cert.pem -noout -subject -nameopt utf8,sep_multiline
	run -0 metrics
	[ "$(grep -c '^sslm_certificate_info' <<<"$output")" = 1 ]
	[[ $output == *'issuer=a "b"} 1?x{c="\\", é key=EC:prime256v1 '* ]]
	[ "$(sample certificate_info web-ec)" = 1 ]
}
