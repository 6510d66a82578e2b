# Is mail refused because of a renewal?  Real name servers, a validating resolver, a
# mail server, and a client that believes DANE alone and asks all the time.
setup() {
	load helper
	load site
	load dane
	lab_needs
	# No space in its path: postfix could not have one.
	mkdir "$BATS_TEST_TMPDIR/site"
	cd "$BATS_TEST_TMPDIR/site"
}
teardown() { lab_stop; }


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
	sed -i "s/^sans = .*/&/; s/'mx1.example.com'/&, 'mx2.example.com'/" conf.d/example.com/mail-ec
	tlsa mail-ec "[25, 'tcp', 3, 1, 1]"
}

# tlsa SERVICE ITEMS: its dane_tls.
tlsa() {
	local f=conf.d/example.com/$1
	sed -i '/^dane_tls/d' "$f"
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
roll() { made roll "$@"; }

# rolled [ARG...]: roll until nothing is pending; as long as it is not time to, that is
# told by the status 75.
rolled() {
	local end=$(($(date +%s) + 60)) was
	note roll "$@"
	until was=0; roll "$@" >rolled.out || was=$?; [ "$was" = 0 ] && [ ! -L "$mail/next" ]; do
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

@test "the lab itself: what is right is verified, what is wrong is not" {
	cert mx1.example.com
	cat mx1.example.com.key mx1.example.com.pem >bundle.pem
	cert other
	right=$(key mx1.example.com.pem) wrong=$(key other.pem)
	lab_start "$PWD/bundle.pem"
	run -1 probe '[mx1.example.com]'	# connection refused
	mail_start
	# No record; a wrong one; the right one; both, and by the MX record.
	run -1 probe '[mx1.example.com]'
	record() {
		printf "_25._tcp.mx1 $ttl TLSA %s\n" "$@" >zone/tlsa.example.com
		ns cmds/resign --serial_bump example.com
		want=$(printf '%s\n' "$@" | sort)
		for a in 127.0.0.{11,12,13,53}; do
			soon 20 eval '[ "$(served $a mx1)" = "$want" ]'
		done
	}
	record "$wrong"
	run -1 probe '[mx1.example.com]'
	grep -q 'Untrusted\|not verified\|mismatch\|Server certificate not' lab/probe
	record "$right"
	probe '[mx1.example.com]'
	record "$wrong" "$right"
	probe example.com
	# The probes see what happens to one of many, and their last line is the last.
	probes_start '[mx1.example.com]' 'example.com'
	soon 20 eval '[ "$(cat lab/probes.* | grep -c " ok ")" -gt 40 ]'
	record "$wrong"
	for n in 53 61 62 63; do
		soon 20 grep -q ' failed ' lab/probes.$n
	done
	record "$right"
	probes_end
	[ "$ok" -gt 40 ]
	[ "$failed" -gt 0 ]
}

@test "renewals and rolls, whatever happens: no mail is refused" {
	dane_start "restart_cmd = 'cmds/resign'
		    tlsa_dirs = ['zone']"

	note "killed again and again"
	n=1
	while killed_at "$n" middle renew FORCE=1; do n=$((n + 1)); done
	[ "$n" -gt 5 ]
	renew FORCE=
	old=$(readlink "$mail/curr")
	sleep $((ttl + 5))	# it may roll now, so that these are killed at work
	n=1
	while killed_at "$n" before roll && killed_at "$n" middle roll; do n=$((n + 1)); done
	[ "$n" -gt 5 ]
	[ "$(readlink "$mail/curr")" != "$old" ]
	rolled
	shown mx1 mail-ec/curr
	no_failure

	note "a reload that fails"
	renew
	shown mx1 mail-ec/{curr,next}
	old=$(readlink "$mail/curr")
	first=$(key "$mail/curr/cert.pem")
	run -75 roll
	[ "${#lines[@]}" = 1 ]
	[ "$(readlink "$mail/curr")" = "$old" ]
	echo 100 >lab/fail
	run rolled
	[ "$status" = 1 ]
	[ "$(readlink "$mail/curr")" != "$old" ]
	shown mx1 mail-ec/{curr,prev}
	# And it fails for the whole of the next renewal.
	run -1 renew
	shown mx1 mail-ec/{curr,next,prev}
	sleep $((ttl + 5))
	run -1 roll
	[ ! -L "$mail/next" ]
	shown mx1 mail-ec/{curr,prev} "$first"
	[ "$(cat lab/fail)" -gt 90 ]	# tried, and not again and again
	echo 0 >lab/fail
	rolled
	shown mx1 mail-ec/curr
	no_failure

	note "a secondary that lags"
	lagging
	run -75 renew DNS_WAIT=2
	run -75 roll
	[ "${#lines[@]}" = 1 ]
	[[ $output == *127.0.0.13* ]]
	sleep $((ttl + 5))	# time is not what it lacks
	run -75 roll
	[[ $output == *127.0.0.13* ]]
	caught_up
	rolled
	shown mx1 mail-ec/curr
	no_failure

	note "an RSA twin"
	sed "s/mail-ec/mail-rsa/; s/ktype = .*/ktype = 'rsa'/; s/ec_algo = .*/rsa_bits = 2048/" \
	    conf.d/example.com/mail-ec >conf.d/example.com/mail-rsa
	renew FORCE=
	rolled
	shown mx1 mail-{ec,rsa}/curr
	soon 10 eval '[ "$(served 127.0.0.53 mx1 | wc -l)" = 2 ]'
	bundle mail-rsa >>lab/chain
	mail_conf
	ns cmds/reload
	rsa="-p <=TLSv1.2 -o tls_medium_cipherlist=aRSA"
	soon 10 probe $rsa '[mx1.example.com]'
	targets '[mx1.example.com]' example.com "$rsa [mx1.example.com]"
	no_failure

	note "another MX; records for the CA, too, which is renewed with the others"
	for s in mail-ec mail-rsa; do
		tlsa $s "[25, 'tcp', 3, 1, 1], [25, 'tcp', 2, 0, 1]"
	done
	sed -i 's/^@ MX .*/&\n@ MX 20 mx2/' zone/example.com.zone
	ns cmds/resign --serial_bump example.com
	echo 127.0.0.22 >>lab/mx
	mail_conf
	ns cmds/reload
	renew SERVICES=
	shown mx2 mail-{ec,rsa}/{curr,next}
	soon 10 probe '[mx2.example.com]'
	targets '[mx1.example.com]' example.com "$rsa [mx1.example.com]" '[mx2.example.com]' \
	    "$rsa [mx2.example.com]"
	old=$(ca certs/ca/my-int/curr/cert.pem)
	rolled
	shown mx2 mail-{ec,rsa}/curr
	[ "$(ca certs/ca/my-int/curr/cert.pem)" != "$old" ]
	no_failure

	note "by the CA alone, and a new one signs"
	for s in mail-ec mail-rsa; do
		tlsa $s "[25, 'tcp', 2, 0, 1]"
	done
	renew
	shown mx1 "$old" "$(ca certs/ca/my-int/curr/cert.pem)"
	rolled
	shown mx1 "$(ca certs/ca/my-int/curr/cert.pem)"
	no_failure

	probes_end
	[ "$failed" = 0 ]
	[ "$ok" -gt 500 ]
}

@test "renewals and rolls by dynamic update: no mail is refused" {
	dane_start "update = '127.0.0.11 lab/update.key'"
	renew
	shown mx1 mail-ec/{curr,next}
	run -75 roll
	rolled
	shown mx1 mail-ec/curr
	no_failure
	echo 1 >lab/fail
	lagging
	run -75 renew DNS_WAIT=1
	caught_up
	run rolled
	[ "$status" = 1 ]
	shown mx1 mail-ec/{curr,prev}
	rolled
	shown mx1 mail-ec/curr
	probes_end
	[ "$failed" = 0 ]
	[ "$ok" -gt 200 ]
}

@test "the same without the evidence: mail is refused" {
	dane_start "restart_cmd = 'cmds/resign'
		    tlsa_dirs = ['zone']"
	lagging
	run -75 renew DNS_WAIT=1
	run -75 roll
	[[ $output == *127.0.0.13* ]]
	no_failure
	roll FORCE=1
	soon 30 grep -q ' failed ' lab/probes.63
	caught_up
	probes_end
	[ "$failed" -gt 0 ]
	grep ' failed ' lab/probes.63 | grep -q 'Untrusted TLS connection\|not verified'
}
