# Is mail refused because of a renewal?  Whatever happens in some that follow each other:
# no.  What asks, and what is asked, is in dane.bash.
setup() {
	load helper
	load site
	load dane
	load dane-site
	lab_needs
	# No space in its path: postfix could not have one.
	mkdir "$BATS_TEST_TMPDIR/site"
	cd "$BATS_TEST_TMPDIR/site"
}
teardown() { lab_stop; }

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

