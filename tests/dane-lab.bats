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
	# A key that nobody signed for is not believed.
	run -1 secure nothing.example.com TLSA
}
