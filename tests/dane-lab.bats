# Is mail refused because of a renewal?  That the laboratory sees it where it is, and that
# it is not where records come by dynamic update; the rest is in dane-cycles.bats.
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

@test "the lab itself: what is right is verified, what is wrong is not" {
	cert mx1.example.com
	cat mx1.example.com.key mx1.example.com.pem >bundle.pem
	cert other
	right=$(key mx1.example.com.pem) wrong=$(key other.pem)
	lab_start "$PWD/bundle.pem"
	run -1 probe '[mx1.example.com]'	# connection refused
	mail_start
	# No record; a wrong one; the right one, by the MX record, too.
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
	probe example.com
	# The probes see what happens to one of many, and their last line is the last.
	probes_start '[mx1.example.com]' 'example.com'
	soon 20 eval '[ "$(cat lab/probes.* | grep -c " ok ")" -gt 40 ]'
	record "$wrong"
	for n in 53 61 62 63; do
		soon 20 grep -q ' failed ' lab/probes.$n
	done
	probes_end
	[ "$ok" -gt 40 ]
	[ "$failed" -gt 0 ]
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
	[ "$ok" -gt 100 ]
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
