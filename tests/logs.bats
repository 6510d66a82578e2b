# What is logged, and the files for cron, systemd and logrotate that come with it.
setup() { load helper; load site; workdir; site; E=$TOP/doc/examples; }

teardown() { [ -z "${LAB-}" ] || { lab_stop; dns_stop_all; }; }

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

@test "a log that is no file, a link or anybody's stops nothing, and nothing is written there" {
	logdir logs
	told() {
		run -0 sslm-mgr -renew -f example.com:web-ec
		[[ $output == *"no log in logdir '$PWD/logs'"* ]]
	}
	sslm-mgr -renew ca
	sslm-mgr -roll ca
	rm -r logs
	mkdir -p logs/sslm
	told
	rmdir logs/sslm
	mkfifo logs/sslm
	told
	rm logs/sslm
	echo mine >other
	ln -s ../other logs/sslm
	told
	ln -sfn ../fresh logs/sslm
	told
	[ "$(cat other)" = mine ]
	[ ! -e fresh ]
	# Who can write there could make it one at any time.
	rm logs/sslm
	chmod 1777 logs
	told
	[ -z "$(ls -A logs)" ]
	chmod 755 logs
	[ "$(id -u)" = 0 ] || skip "only root can be somebody else"
	chown 65534 logs
	told
	[ -z "$(ls -A logs)" ]
	# Nor does one that may not be written end the run, nor a lock its status.
	chown 0 logs
	chmod -R a+rX . && chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	rm -rf certs prod-certs
	mkdir certs prod-certs
	chown 65534 certs prod-certs
	setpriv --reuid=65534 --clear-groups test -r "$TOP/mk/site.mk" || skip "nobody else can read '$TOP'"
	run -0 setpriv --reuid=65534 --clear-groups sslm-mgr -renew
	[[ $output == *"no log in logdir '$PWD/logs'"* ]]
	[ -e certs/example.com/web-ec/next/bundle.pem ]
	chown 0 certs/.lock
	chmod 600 certs/.lock
	run -75 setpriv --reuid=65534 --clear-groups sslm-mgr -renew
	[[ $output == *"sslm-mgr: cannot open 'certs/.lock'"* ]]
	run -75 setpriv --reuid=65534 --clear-groups sslm-import
	[[ $output == *"sslm-import: cannot open 'certs/.lock'"* ]]
}

@test "a log of one's own may be relative, and is the same in the test tree; import is logged" {
	SSLM_LOG=mine run -0 sslm-mgr -t -renew
	grep -q 'sslm-mgr: renew, in the test tree: begins' mine
	sed -i "s/^service = 'web-ec'/service = 'other'/" conf.d/example.com/web-ec
	SSLM_LOG=mine run ! sslm-mgr -t -renew -f
	grep -q 'sslm-[a-z]*: conf.d/example.com/web-ec' mine
	[ "$(find . -name mine)" = ./mine ]
	cp "$TOP/conf.d/example.com/web-ec" conf.d/example.com/
	logdir logs
	sslm-mgr import
	grep -q '^20[0-9]\{6\}T[0-9]\{6\}Z sslm-import: example.com/web-ec: no curr' logs/sslm
}

@test "a real CA, an account that is bound, signed updates: quiet, and none of the secrets in the logs" {
	load dns
	load acme
	CA_EAB='kid-1=zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' \
	    dns_update_site "ca_eab_kid = 'kid-1'" "ca_eab_hmac_file = 'hmac'"
	(umask 077; echo zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W >hmac)
	logdir logs
	run -0 sslm-mgr -renew
	[ -z "$output" ]
	# And with faults: another TSIG key, another account key, a CA that is gone.
	sed 's/secret ".*"/secret "bm90IHRoZSBzZWNyZXQgb2YgdGhhdCBrZXkgYXQgYWxs"/' tsig.key >other.key
	chmod 600 other.key
	sed -i 's/ tsig.key/ other.key/' conf.d/ssl-mgr.conf
	run ! sslm-mgr -renew -f -v example.com:web-ec
	echo 'key "x" { secret "bm90IHRoZSBzZWNyZXQgb2YgdGhhdCBrZXkgYXQgYWxs' >other.key
	run ! sslm-mgr -renew -f example.com:web-ec
	echo 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W !' >hmac
	rm -r certs/.acme
	run ! sslm-mgr -renew -f example.com:web-ec
	ca_stop
	run ! sslm-mgr -renew -f
	[ "$(wc -l <logs/sslm)" -gt 10 ]
	[ -s logs/acme ]
	run ! grep -hvE '^20[0-9]{6}T[0-9]{6}Z [a-z-]+: ' logs/sslm logs/acme
	for secret in "$(key_part tsig.key secret)" bm90IHRo zWNDZM6e 'PRIVATE KEY' \
	    $(find certs -name privkey.pem -exec sed -n 2p {} +); do
		run ! grep -rF -- "$secret" logs
	done
}

@test "logs are cut while a run is at work: no line is lost" {
	command -v logrotate >/dev/null || PATH=$PATH:/usr/sbin
	command -v logrotate >/dev/null || skip "no logrotate"
	logdir logs
	sslm-mgr -renew
	sslm-mgr -roll
	(for i in 1 2 3 4 5 6; do sslm-mgr -w -renew -f; sslm-mgr -w -roll || true; done) >/dev/null 2>&1 &
	sed "s|/var/log/ssl-mgr/|\"$PWD/logs\"/|g; s|\"\([^\"]*\)\"/\([a-z]*\)|\"\1/\2\"|g" "$E/sslm.logrotate" >rotate
	for n in 3 5 8; do
		until [ "$(cat logs/sslm* | grep -c ': begins')" -ge $n ]; do kill -0 $!; done
		logrotate -f -s state rotate
	done
	wait $! || true
	[ -e logs/sslm.3 ]
	cat logs/sslm* >all
	run ! grep -vE '^20[0-9]{6}T[0-9]{6}Z [a-z-]+: ' all
	[ "$(grep -c ': begins$' all)" = 14 ]
	[ "$(grep -c ': status [0-9]*$' all)" = 14 ]
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
