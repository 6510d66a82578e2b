# What is logged, and the files for cron, systemd and logrotate that come with it.
setup() { load helper; load site; workdir; site; E=$TOP/doc/examples; }

logdir() { sed -i "s|^\[globals\]|&\n    logdir = '$1'|" conf.d/ssl-mgr.conf; }

@test "logdir: what was begun, which sets came where, messages, what it came to" {
	logdir logs
	run -0 --separate-stderr sslm-mgr -renew
	run -0 --separate-stderr sslm-mgr -roll
	[ -z "$output" ]
	run -0 sslm-mgr -renew -f example.com:web-ec
	run -75 sslm-mgr -roll
	run ! grep -vE '^20[0-9]{6}T[0-9]{6}Z [a-z-]+: ' logs/sslm
	[ "$(grep -c 'sslm-mgr: renew: begins' logs/sslm)" = 1 ]
	grep -q 'sslm-mgr: renew for example.com:web-ec: begins' logs/sslm
	gen=$(readlink certs/example.com/web-ec/next)
	[ "$(grep -c "sslm-mgr: example.com/web-ec/next -> $gen\$" logs/sslm)" = 1 ]
	grep -q "sslm-mgr: example.com/mail-ec/curr -> $(readlink certs/example.com/mail-ec/curr)\$" logs/sslm
	grep -q 'sslm-roll: example.com/web-ec: too soon to roll' logs/sslm
	tail -1 logs/sslm | grep -q 'sslm-mgr: roll: status 75'
	# In UTC, and now.
	at=$(tail -1 logs/sslm | sed -E 's/^(....)(..)(..)T(..)(..)(..)Z .*/\1-\2-\3 \4:\5:\6 UTC/')
	[ $(($(date +%s) - $(date -d "$at" +%s))) -lt 60 ]
	[ "$(stat -c %a logs/sslm)" = 600 ]
}

@test "looking logs nothing, and SSLM_LOG goes before logdir" {
	logdir "$PWD/far/logs"
	sslm-mgr -s
	sslm-mgr -d -renew
	[ ! -e far ]
	SSLM_LOG=$PWD/mine sslm-mgr -renew
	[ ! -e far ]
	grep -q 'sslm-mgr: renew: status 0' mine
	sslm-mgr -renew
	[ -s far/logs/sslm ]
}

@test "a log that cannot be written stops nothing, and is told" {
	touch file
	logdir "$PWD/file/logs"
	run -0 sslm-mgr -renew
	[[ $output == *"no log in logdir '$PWD/file/logs'"* ]]
	[ -e certs/example.com/web-ec/next/bundle.pem ]
}

@test "what is about ACME CAs has a log of its own, and no secret is in either" {
	logdir logs
	printf "\n[nowhere]\n    ca_type = 'acme'\n    ca_url = 'https://127.0.0.1:9/dir'\n    ca_eab_kid = 'kid-1'\n    ca_eab_hmac_file = 'hmac'\n" >>conf.d/ca-info.conf
	(umask 077; echo c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA >hmac)
	printf "[dns]\n    acme_dir = 'conf.d'\n" >>conf.d/ssl-mgr.conf
	sed -i "s/'my-int'/'nowhere'/" conf.d/example.com/web-ec
	run ! sslm-mgr -renew -v
	grep -q 'sslm-acme: ' logs/acme
	run ! grep -q 'sslm-acme: ' logs/sslm
	run ! grep -rq 'c2VjcmV0' logs
	run ! grep -rq 'PRIVATE KEY' logs
	for key in $(find certs -name privkey.pem); do
		run ! grep -rqF "$(sed -n 2p "$key")" logs
	done
}

@test "the example for logrotate cuts them, and they go on" {
	command -v logrotate >/dev/null || PATH=$PATH:/usr/sbin
	command -v logrotate >/dev/null || skip "no logrotate"
	logdir logs
	sslm-mgr -renew
	head -c 300k /dev/zero | tr '\0' x >>logs/sslm
	sed "s|/var/log/ssl-mgr/|\"$PWD/logs\"/|g; s|\"\([^\"]*\)\"/\([a-z]*\)|\"\1/\2\"|g" "$E/sslm.logrotate" >rotate
	chmod 700 logs
	run -0 logrotate -s state rotate
	[ -s logs/sslm.1 ]
	sslm-mgr -roll
	[ "$(stat -c %s logs/sslm)" -lt 10000 ]
	grep -q 'roll: status 0' logs/sslm
}

@test "the timers are what systemd takes" {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	# A unit has no blank in the path of its program.
	mkdir units
	ln -s "$SSLM_BIN" "$BATS_TEST_TMPDIR/bin"
	ln -s "$TOP" "$BATS_TEST_TMPDIR/top"
	for f in "$E"/*.service "$E"/*.timer; do
		sed "s|^ExecStart=sslm-dhparm|ExecStart=$BATS_TEST_TMPDIR/bin/sslm-dhparm|; s|^ExecStart=sslm-mgr|ExecStart=$BATS_TEST_TMPDIR/top/bin/sslm-mgr|" \
		    "$f" >"units/${f##*/}"
	done
	run -0 --separate-stderr systemd-analyze verify --man=no units/*.service units/*.timer
	[ -z "$(grep units/ <<<"$stderr")" ]
	for t in "$E"/*.timer; do
		when=$(sed -n 's/^OnCalendar=//p' "$t")
		run -0 systemd-analyze calendar "$when"
	done
	# A timer, a service, and a line of cron for each of the three.
	for p in renew roll dhparm; do
		cmd=$(sed -n 's/^ExecStart=//p' "$E/sslm-$p.service")
		grep -q "root  $cmd\$" "$E/sslm.cron"
	done
}

@test "the lines of cron run" {
	plain_top
	sslm-mgr init new
	cd new
	grep -E '^[0-9]' "$E/sslm.cron" | awk '{ print $6 }' >users
	[ "$(sort -u users)" = root ]
	grep -E '^[0-9]' "$E/sslm.cron" | sed -E 's/^([^ ]+ +){5}root +//; s|/etc/ssl-mgr/||' >lines
	[ "$(wc -l <lines)" = 3 ]
	while read -r line; do
		run -0 --separate-stderr sh -c "$line" </dev/null
		[ -z "$output$stderr" ]
	done <lines
	[ -e prod-certs/example.com/web-ec/curr/bundle.pem ]
	[ -e prod-certs/example.com/dh/dhparam.pem ]
}
