# shellcheck shell=bash
# Loaded with dane.bash and site.bash: a site whose keys the lab's mail server uses.

# The site: example.com with mail-ec, by a CA of its own; in the hands of the lab's
# servers.
dane_site() {
	site
	rm conf.d/example.com/web-ec
	cat >conf.d/ssl-mgr.conf <<-END
		[globals]
		    prod_cert_dir = 'prod-certs'
		    clean_keep = 2
		    min_roll_mins = 0
		    dns_check_delay = 0
		[[groups]]
		    active = true
		    domain = 'ca'
		    services = ['my-root', 'my-int']
		[[groups]]
		    active = true
		    domain = 'example.com'
		    services = '*'
		[[dns_primary]]
		    domain = 'example.com'
		    server = '127.0.0.11'
		[smtp]
		    servers = ['localhost']
		    restart_cmd = 'cmds/reload'
		    svc_depends = [['example.com', ['mail-ec', 'mail-rsa']]]
		[dns]
		    $1
		    depends = ['dns', 'tlsa']
	END
	sed -i "s/'mx1.example.com'/&, 'mx2.example.com'/" conf.d/example.com/mail-ec
	tlsa mail-ec "[25, 'tcp', 3, 1, 1]"
}

# tlsa SERVICE ITEMS: its dane_tls.
tlsa() {
	local f=conf.d/example.com/$1
	sed -i '/^dane_tls/d' "$f"
	# shellcheck disable=SC2154	# of dane.bash
	sed -i "1i dane_tls = [$2]\ndane_tls_ttl = $ttl" "$f"
}

set_of=certs/example.com
mail=$set_of/mail-ec
bundle() { echo "$PWD/prod-certs/example.com/$1/curr/bundle.pem"; }

# note WORD...: what is at hand, for who reads the log of a test that failed.
note() { echo "== $(date +%T.%N | cut -c1-12) $*"; }

# made TARGET [ARG...]: a run.  Its status is that in certs/.exit.
made() {
	ns env -u MAKEFLAGS -u MAKELEVEL make "$@" >made.out 2>&1 || :
	grep -v '^make' made.out || :
	return "$(cat certs/.exit)"
}

# renew [ARG...]: all of example.com.  What is new waits in next.
renew() {
	note renew "$@"
	made renew FORCE=1 SERVICES=example.com "$@"
}
# roll [ARG...]: what may be rolled.
# shellcheck disable=SC2120
roll() { made roll "$@"; }

# rolled: roll until nothing is pending; as long as it is not time to, that is
# told by the status 75.
rolled() {
	local end=$(($(date +%s) + 60)) was
	note roll
	# shellcheck disable=SC2119
	until was=0; roll >rolled.out || was=$?; [ "$was" = 0 ] && [ ! -L "$mail/next" ]; do
		if [ "$was" != 75 ] || [ "$(date +%s)" -ge "$end" ]; then
			cat rolled.out
			return 1
		fi
		sleep 0.3
	done
	cat rolled.out
	note rolled
}

# shown HOST SET...: each of the name servers has the keys of these sets, or these
# records, for a mail host, and no other; soon.  With records for the CA, too, where the
# service file has them.
shown() {
	local host=$1 a s want
	shift
	want=$(for s; do
		if [[ $s == *' '* ]]; then
			echo "$s"
		else
			key "$set_of/$s/cert.pem"
			if grep -q '^dane_tls.* 2, 0, 1' conf.d/example.com/mail-ec; then
				ca_of "$set_of/$s"
			fi
		fi
	done | sort -u)
	for a in 127.0.0.{11,12,13}; do
		soon 20 shows "$a" "$host" "$want"
	done
}
shows() { [ "$(served "$1" "$2")" = "$3" ]; }

# ca FILE: the data of the record 2 0 1 for that certificate.  ca_of SET: for the one that
# has signed it.
ca() { echo "2 0 1 $(openssl x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1)"; }
ca_of() { ca "$1/chain.pem"; }

# From nothing to a mail server that has a certificate, a record, and probes.
dane_start() {
	dane_site "$1"
	lab_start "$(bundle mail-ec)"
	renew SERVICES=
	rolled
	shown mx1 mail-ec/curr
	mail_start
	soon 10 probe '[mx1.example.com]'
	probes_start '[mx1.example.com]' example.com
}

# Nothing is refused: to be called at the end of each cycle, so that it is known which
# one it was.
no_failure() {
	if [ "$(failed_probes)" != 0 ]; then
		probes_end
		tail -n 20 lab/primary/log
		return 1
	fi
}

# killed_at N WHERE TARGET: a run whose Nth program is killed, before or after its
# work or in the middle of it, and all of the run with it.  False if there is no Nth.
killed_at() {
	local p
	mkdir -p deadly
	echo 0 >deadly.n
	rm -f killed
	for p in "$SSLM_BIN"/sslm-*; do
		cat >"deadly/${p##*/}" <<-END
			#!/bin/bash
			exec 8>>deadly.lock; flock 8
			n=\$((\$(cat deadly.n) + 1)); echo \$n >deadly.n.new; mv deadly.n.new deadly.n
			flock -u 8; exec 8>&-
			[ \$n = $1 ] || exec '$p' "\$@"
			case $2 in
			middle)
			    strace -qq -o /dev/null -e trace=rename,renameat,renameat2,link,linkat,symlink,symlinkat \\
				-e inject=rename,renameat,renameat2,link,linkat,symlink,symlinkat:signal=KILL:when=$((1 + $1 % 3)) \\
				'$p' "\$@" ;;
			after) '$p' "\$@" ;;
			esac
			echo "\${0##*/} $2" >killed
			kill -9 0
		END
		chmod +x "deadly/${p##*/}"
	done
	SSLM_BIN=$PWD/deadly ns setsid env -u MAKEFLAGS -u MAKELEVEL make -j2 SERVICES=example.com \
	    "${@:3}" >killed.out 2>&1 || :
	ns flock certs/.lock true
	[ ! -e killed ] || note "killed: $(cat killed)"
	[ -e killed ]
}
