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
