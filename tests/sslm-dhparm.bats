setup() { load helper; workdir; mkdir -p prod/example.com prod/example.net prod/ca; }

groups='ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192'

# A file with parameters of 2048 bits, by openssl, as if it had been generated.
made() {	# file age-in-days
	mkdir -p "${1%/*}"
	openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out "$1" 2>/dev/null
	touch -d "$2 days ago" "$1"
}

# What is in a directory, with times.
state() { find "$1" -printf '%p %m %s %T@ %l\n' | sort; }

@test "every group of RFC 7919, as openssl knows them, and the link" {
	run -0 sslm-dhparm prod/example.com
	[ -z "$output" ]
	for g in $groups; do
		openssl dhparam -in "prod/example.com/dh/dh-$g.pem" -text -noout >text
		grep -q "GROUP: $g" text
		openssl genpkey -genparam -algorithm DH -pkeyopt "group:$g" -out theirs 2>/dev/null
		cmp theirs "prod/example.com/dh/dh-$g.pem"
	done
	[ "$(readlink prod/example.com/dh/dhparam.pem)" = dh-ffdhe8192.pem ]
	openssl dhparam -check -noout -in prod/example.com/dh/dh-ffdhe2048.pem 2>&1 | grep -q ok
	[ "$(ls -A prod/example.com/dh | wc -l)" = 6 ]
}

@test "-s: every directory but that of CAs, links and hidden ones" {
	mkdir prod/.old
	mkdir elsewhere
	ln -s ../elsewhere prod/linked
	touch prod/file
	run -0 sslm-dhparm -s prod
	[ "$(find . -name dhparam.pem | sort | xargs)" = \
	    "./prod/example.com/dh/dhparam.pem ./prod/example.net/dh/dhparam.pem" ]
	rm -rf prod/example.net/dh
	run -0 sslm-dhparm -v -s prod
	[ "$(grep -c '^prod/example.net/dh/' <<<"$output")" = 6 ]
	run ! grep example.com <<<"$output"
}

@test "modes, whatever the umask" {
	for mask in 000 077; do
		rm -rf prod/example.com/dh
		(umask $mask && sslm-dhparm prod/example.com)
		[ "$(stat -c %a prod/example.com/dh)" = 750 ]
		[ "$(stat -Lc %a prod/example.com/dh/*.pem | sort -u)" = 644 ]
	done
}

@test "a second run changes nothing; what is damaged is mended" {
	sslm-dhparm -s prod
	state prod >before
	run -0 sslm-dhparm -v -s prod
	[ -z "$output" ]
	state prod | diff before -
	truncate -s 100 prod/example.com/dh/dh-ffdhe4096.pem
	ln -sfn nowhere prod/example.com/dh/dhparam.pem
	run -0 sslm-dhparm -s prod
	openssl dhparam -in prod/example.com/dh/dh-ffdhe4096.pem -noout -text | grep -q 'GROUP: ffdhe4096'
	[ "$(readlink prod/example.com/dh/dhparam.pem)" = dh-ffdhe8192.pem ]
}

@test "-k: the first one is in use" {
	sslm-dhparm prod/example.com
	run -0 sslm-dhparm -k ffdhe3072 prod/example.com
	[ "$(readlink prod/example.com/dh/dhparam.pem)" = dh-ffdhe3072.pem ]
	made prod/example.com/dh/dh2048.pem 5
	run -0 sslm-dhparm -k '2048, FFDHE4096' prod/example.com
	[ "$(readlink prod/example.com/dh/dhparam.pem)" = dh2048.pem ]
}

@test "generated: where missing, old, damaged or too short, once for all; others stay" {
	made prod/young/dh/dh2048.pem 119
	made prod/old/dh/dh2048.pem 121
	made prod/damaged/dh/dh2048.pem 1
	truncate -s 90 prod/damaged/dh/dh2048.pem
	mkdir -p prod/short/dh
	openssl dhparam -dsaparam -out prod/short/dh/dh2048.pem 1024 2>/dev/null
	state prod/young >before
	run -0 sslm-dhparm -v -k 2048 -s prod
	for d in example.com example.net old damaged short; do
		[[ $output == *"prod/$d/dh/dh2048.pem"* ]]
		cmp prod/example.com/dh/dh2048.pem "prod/$d/dh/dh2048.pem"
	done
	grep dh2048 before >was
	state prod/young | grep dh2048.pem | grep -v dhparam | diff was -
	openssl dhparam -in prod/old/dh/dh2048.pem -check -text -noout >text 2>&1
	grep -q '2048 bit' text
	grep -qi 'generator: 2\|G: *2' text
	grep -q 'appear to be ok' text
	run ! grep -q GROUP text

	# -a says what is old, -f does not ask.  On a terminal there is something to see.
	state prod >before
	run -0 sslm-dhparm -a 120 -k 2048 -s prod
	state prod | diff before -
	cp prod/old/dh/dh2048.pem was
	run -0 script -qec "sslm-dhparm -f -k 2048 prod/old" /dev/null
	[[ $output == *"2048 bits, which may take minutes"*.* ]]
	run ! cmp -s was prod/old/dh/dh2048.pem
	cmp was prod/example.com/dh/dh2048.pem
}

@test "a killed run leaves no half file" {
	timeout -s KILL 0.5 sslm-dhparm -k 8192 prod/example.com || true
	[ ! -e prod/example.com/dh/dh8192.pem ]
	[ ! -L prod/example.com/dh/dhparam.pem ]
	run -0 sslm-dhparm prod/example.com
	[ "$(ls -A prod/example.com/dh | wc -l)" = 6 ]
}

@test "a server uses it: DHE with 3072 bits" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout localhost.key -out localhost.pem \
	    -subj /CN=localhost 2>/dev/null
	sslm-dhparm -k ffdhe3072 prod/example.com
	openssl s_server -accept 127.0.0.1:0 -cert localhost.pem -key localhost.key -tls1_2 \
	    -dhparam prod/example.com/dh/dhparam.pem -naccept 1 -www >server 2>&1 &
	local pid=$!
	until grep -q ACCEPT server; do kill -0 $pid; done
	port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server)
	openssl s_client -connect "127.0.0.1:$port" -tls1_2 -cipher DHE </dev/null >client 2>&1 || true
	kill $pid 2>/dev/null || true
	grep -q ' Temp Key: DH, 3072 bits' client
}

@test "nginx reads them" {
	command -v nginx >/dev/null || PATH=$PATH:/usr/sbin
	cert localhost
	sslm-dhparm prod/example.com
	mkdir logs
	for f in prod/example.com/dh/*.pem; do
		cat >nginx.conf <<-END
		pid "$PWD/pid"; error_log stderr; events {}
		http { access_log off; server { listen 127.0.0.1:1 ssl;
		    ssl_certificate "$PWD/localhost.pem"; ssl_certificate_key "$PWD/localhost.key";
		    ssl_dhparam "$PWD/$f"; } }
		END
		run -0 nginx -t -p "$PWD" -c "$PWD/nginx.conf"
	done
}

@test "postfix uses them: DHE with 4096 bits" {
	[ "$(id -u)" = 0 ] || skip "only root can run postfix"
	[ -x /usr/lib/postfix/sbin/master ] || skip "no postfix"
	local mail=$BATS_TEST_TMPDIR/mail port=$((RANDOM % 20000 + 10000)) pid
	# A path without a space, which postfix could not have.
	mkdir -p "$mail/etc" "$mail/lib" "$mail/queue"/{pid,private,public,maildrop,incoming}
	chown -R postfix "$mail"
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$mail"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$mail/etc/key.pem" -out "$mail/etc/cert.pem" \
	    -subj /CN=mx.example.com 2>/dev/null
	sslm-dhparm -k ffdhe4096 "$mail/etc"
	cat >"$mail/etc/main.cf" <<-END
	compatibility_level = 3.6
	queue_directory = $mail/queue
	data_directory = $mail/lib
	myhostname = mx.example.com
	inet_protocols = ipv4
	mynetworks = 127.0.0.0/8
	alias_maps =
	local_recipient_maps =
	smtpd_peername_lookup = no
	maillog_file = /dev/stdout
	smtpd_tls_chain_files = $mail/etc/key.pem, $mail/etc/cert.pem
	smtpd_tls_dh1024_param_file = $mail/etc/dh/dhparam.pem
	smtpd_tls_security_level = may
	tls_random_source = dev:/dev/urandom
	END
	printf '%s\n' "127.0.0.1:$port inet n - n - - smtpd" 'anvil unix - - n - 1 anvil' \
	    'tlsmgr unix - - n 1000? 1 tlsmgr' 'postlog unix-dgram n - n - 1 postlogd' \
	    'rewrite unix - - n - - trivial-rewrite' 'proxymap unix - - n - - proxymap' >"$mail/etc/master.cf"
	setsid setpriv --pdeathsig TERM /usr/lib/postfix/sbin/master -c "$mail/etc" -d >log 2>&1 3>&- &
	pid=$!
	until ss -Hltn "sport = :$port" | grep -q "$port"; do kill -0 $pid; done
	timeout 20 openssl s_client -connect "127.0.0.1:$port" -starttls smtp -tls1_2 -cipher DHE \
	    </dev/null >client 2>&1 || true
	kill $pid
	wait $pid || true
	grep -q ' Temp Key: DH, 4096 bits' client || { cat client log; false; }
}

@test "impossible wishes are refused and leave nothing" {
	run -2 sslm-dhparm -k ffdhe1024 prod/example.com
	[[ $output == *"-k 'ffdhe1024'"* ]]
	run -2 sslm-dhparm -k 1024 prod/example.com
	run -2 sslm-dhparm -k 2048,2048,2048,2048,2048,2048,2048,2048,2048 prod/example.com
	run -2 sslm-dhparm -a -1 prod/example.com
	run -2 sslm-dhparm
	[ -z "$(ls -A prod/example.com)" ]
}

@test "a directory that is missing, or none: 1, and the others are served" {
	run -1 sslm-dhparm prod/none prod/example.com
	[[ $output == *"'prod/none/dh': No such file or directory"* ]]
	[ -e prod/example.com/dh/dhparam.pem ]
	run -1 sslm-dhparm -s nowhere
	[[ $output == *"cannot open directory 'nowhere'"* ]]
	touch prod/example.net/dh
	run -1 sslm-dhparm -s prod
	[[ $output == *"'prod/example.net/dh' is not a directory"* ]]
	rm prod/example.net/dh
	ln -s nowhere prod/example.net/dh
	run -1 sslm-dhparm -s prod
	[ "$output" = "sslm-dhparm: cannot find 'prod/example.net/dh': No such file or directory" ]
}

@test "a full disk: what fits is there, whole; the link leads to nothing that is not" {
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir small
	unshare -m sh -euc '
		mount -t tmpfs -o size=8k none small
		mkdir small/dh
		sslm-dhparm small 2>errors || echo $? >status
		for f in small/dh/*.pem; do
			openssl dhparam -in "$f" -noout
		done
		ls -A small/dh >left
		readlink small/dh/dhparam.pem >leads || true
	'
	[ "$(cat status)" = 75 ]
	grep -q "No space left on device" errors
	run ! grep -v '^dh-ffdhe[0-9]*.pem$' left
	[ ! -s leads ]
}

@test "-a 0: whatever its age; and a time that is still to come says nothing" {
	made prod/example.com/dh/dh2048.pem 0
	cp prod/example.com/dh/dh2048.pem was
	run -0 sslm-dhparm -a 0 -k 2048 prod/example.com
	run ! cmp -s was prod/example.com/dh/dh2048.pem
	made prod/example.com/dh/dh2048.pem -400
	run -0 sslm-dhparm -k 2048 prod/example.com
	run ! cmp -s was prod/example.com/dh/dh2048.pem
	# Clocks that are apart a little mean nothing.
	made prod/example.com/dh/dh2048.pem 0
	touch -d '+1 hour' prod/example.com/dh/dh2048.pem
	run -0 sslm-dhparm -k 2048 prod/example.com
	cmp was prod/example.com/dh/dh2048.pem
}

@test "what cannot be written: 75" {
	run -75 bash -c 'ulimit -f 0; sslm-dhparm prod/example.com'
	[[ $output == *"cannot write 'prod/example.com/dh/dh-ffdhe2048.pem'"* ]]
	[ -z "$(ls -A prod/example.com/dh)" ]
}
