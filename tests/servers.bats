# Real servers that read the production directory, and are told by their own commands.
setup() { load helper; load site; workdir; site; }

teardown() {
	local f
	for f in ./*.pid; do
		[ ! -s "$f" ] || kill "$(cat "$f")" 2>/dev/null || :
	done
}

# command_of NAME LINE: a restart_cmd, which notes that it was run; before the server is
# there it has nothing to do.
command_of() {
	mkdir -p cmds
	printf '#!/bin/sh\necho %s >>"%s/reload.log"\n[ -s "%s/%s.pid" ] || exit 0\n%s\n' "$1" "$PWD" "$PWD" "$1" "$2" \
	    >"cmds/$1"
	chmod 755 "cmds/$1"
}

# shown PORT [option...]: the serial number of what a server shows.
shown() {
	timeout 20 openssl s_client -connect "127.0.0.1:$1" "${@:2}" </dev/null 2>/dev/null | openssl x509 -noout -serial
}

serial() { openssl x509 -in "$1" -noout -serial; }

# soon COMMAND...: until it succeeds, for 20 seconds.
soon() {
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "not in time: $*"; return 1; }
		sleep 0.05
	done
}

shows() { [ "$(shown "${@:2}")" = "$1" ]; }
reloads() { xargs <reload.log && : >reload.log; }

# cycle SERVICE PORT [option...], and $told, the reloads of one run: the server shows the old certificate until it is told,
# and the new one then.
cycle() {
	local s=$1 old new
	shift
	old=$(serial "$prod/$s/curr/cert.pem")
	shows "$old" "$@"
	m renew FORCE=1 SERVICES=example.com
	new=$(serial "$prod/$s/next/cert.pem")
	[ "$old" != "$new" ]
	shows "$old" "$@"
	[ -z "$(reloads)" ]
	# In production and not told: it is the reload that counts.
	sslm-roll -qf
	sslm-install -q
	[ "$(serial "$prod/$s/curr/cert.pem")" = "$new" ]
	shows "$old" "$@"
	[ -z "$(reloads)" ]
	m roll
	soon shows "$new" "$@"
	[ "$(reloads)" = "$told" ]
	# Again, by make alone; and a run that has nothing to tell tells nobody.
	m renew FORCE=1 SERVICES=example.com
	m roll FORCE=1
	soon shows "$(serial "$prod/$s/curr/cert.pem")" "$@"
	run ! shows "$new" "$@"
	[ "$(reloads)" = "$told" ]
	m roll
	m renew
	[ -z "$(reloads)" ]
}

# conf SECTION NAME SERVICE [SERVICE]: a section whose restart_cmd is cmds/NAME, and first
# sets in production.
conf() {
	prod=$BATS_TEST_TMPDIR/prod
	sed -i "s|^ *prod_cert_dir.*|prod_cert_dir = '$prod'|; s|^ *min_roll_mins.*|min_roll_mins = 0|" conf.d/ssl-mgr.conf
	printf "%s\n" "[$1]" "restart_cmd = '$PWD/cmds/$2'" "svc_depends = [['example.com', ['$3', '${4-$3}']]]" >>conf.d/ssl-mgr.conf
	: >reload.log
	m renew
	m roll
	reloads
}

@test "nginx shows the new certificate after the roll, by one reload for two services" {
	command -v nginx >/dev/null || PATH=$PATH:/usr/sbin
	command -v nginx >/dev/null || skip "no nginx"
	local port=$((RANDOM % 20000 + 10000)) told=nginx
	command_of nginx "exec nginx -s reload -p '$PWD/' -c '$PWD/nginx.conf' -e stderr"
	conf web nginx web-ec mail-ec
	mkdir tmp
	cat >nginx.conf <<-END
		pid "$PWD/nginx.pid"; error_log stderr; events {} worker_processes 2;
		http { access_log off; client_body_temp_path "$PWD/tmp/b"; proxy_temp_path "$PWD/tmp/p";
		    fastcgi_temp_path "$PWD/tmp/f"; uwsgi_temp_path "$PWD/tmp/u"; scgi_temp_path "$PWD/tmp/s";
		    server { listen 127.0.0.1:$port ssl;
		    ssl_certificate $prod/example.com/web-ec/curr/fullchain.pem;
		    ssl_certificate_key $prod/example.com/web-ec/curr/privkey.pem; } }
	END
	setpriv --pdeathsig TERM nginx -e stderr -p "$PWD/" -c "$PWD/nginx.conf" -g 'daemon off;' >nginx.log 2>&1 3>&- &
	soon test -n "$(shown $port || :)"
	cycle example.com/web-ec $port
	# The whole chain comes from there, and is right.
	run -0 timeout 20 openssl s_client -connect "127.0.0.1:$port" -CAfile certs/ca/my-root/curr/cert.pem \
	    -verify_return_error -verify_hostname www.example.com </dev/null
}

@test "postfix shows the new certificate after the roll, by one 'postfix reload'" {
	[ "$(id -u)" = 0 ] || skip "only root can run postfix"
	[ -x /usr/lib/postfix/sbin/master ] || skip "no postfix"
	# A path without a space, which postfix could not have.
	local mail=$BATS_TEST_TMPDIR/mail port=$((RANDOM % 20000 + 10000)) told=postfix
	PATH=$PATH:/usr/sbin
	mkdir -p "$mail/etc" "$mail/lib" "$mail/queue"
	chown postfix "$mail/lib"
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$mail"
	command_of postfix "exec postfix -c '$mail/etc' reload"
	conf smtp postfix mail-ec
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
	max_idle = 600
	smtpd_tls_chain_files = $prod/example.com/mail-ec/curr/bundle.pem
	smtpd_tls_security_level = may
	tls_random_source = dev:/dev/urandom
	END
	printf '%s\n' "127.0.0.1:$port inet n - n - 1 smtpd" 'anvil unix - - n - 1 anvil' \
	    'tlsmgr unix - - n 1000? 1 tlsmgr' 'postlog unix-dgram n - n - 1 postlogd' 'cleanup unix n - n - 0 cleanup' \
	    'rewrite unix - - n - - trivial-rewrite' 'proxymap unix - - n - - proxymap' >"$mail/etc/master.cf"
	setpriv --pdeathsig TERM postfix -c "$mail/etc" start-fg >postfix.log 2>&1 3>&- &
	echo $! >starter.pid
	soon test -s "$mail/queue/pid/master.pid" || { cat postfix.log; false; }
	ln -s "$mail/queue/pid/master.pid" postfix.pid
	soon grep -q started postfix.log
	cycle example.com/mail-ec $port -starttls smtp
}
