# sslm-nscheck -k: zones signed by ldns-signzone, and what delv makes of them.
setup() {
	load helper; load dns; workdir
	port=$(free_port)
}

teardown() {
	dns_stop_all
}

# primaries DOMAIN=ADDR...: a site with these.
primaries() {
	local one
	mkdir -p conf.d
	echo 'dns_xtra_ns = []' >conf.d/ssl-mgr.conf
	for one; do
		printf '[[dns_primary]]\ndomain = "%s"\nserver = "%s"\nport = %d\n' \
		    "${one%%=*}" "${one#*=}" "$port" >>conf.d/ssl-mgr.conf
	done
}

# keys ZONE [ALGORITHM]: two keys for it; their names are in ZONE.ksk and ZONE.zsk.
keys() {
	ldns-keygen -k -b 2048 -a "${2-ECDSAP256SHA256}" "$1" >"$1.ksk"
	ldns-keygen -b 2048 -a "${2-ECDSAP256SHA256}" "$1" >"$1.zsk"
}

# sign ZONE OUT [ldns-signzone option...] <FILE: with its keys.
sign() {
	local zone=$1 out=$2
	shift 2
	cat >unsigned
	ldns-signzone "$@" -o "$zone" -f "$out" unsigned "$(cat "$zone.zsk")" "$(cat "$zone.ksk")"
}

# What the zone has.
example() {
	dns_zone example.com '@ NS ns1' '@ NS ns2' 'ns1 A 127.0.0.2' 'ns2 A 127.0.0.3' \
	    'a TXT "one"' '*.w TXT "wild"' 'a.b.c TXT "deep"' '_25._tcp.mx TLSA 3 1 1 abcdef' \
	    'sub NS ns.sub' 'ns.sub A 127.0.0.9'
}

lines() {
	cat <<-'END'
	a.example.com. TXT "one"
	x.w.example.com. TXT "wild"
	z.y.x.w.example.com. TXT "wild"
	a.b.c.example.com. TXT "deep"
	_25._tcp.mx.example.com. TLSA 3 1 1 abcdef
	END
}

# both FIRST SECOND: these zone files at the two servers.
both() {
	local n
	for n in first second; do
		mkdir -p "zones.$n"
		cp "$1" "zones.$n/example.com.zone"
		[ ! -e "$n/pid" ] || dns_stop "$n"
		knot_start "$n" "127.0.0.$([ $n = first ] && echo 2 || echo 3)" "$port" \
		    "zones.$n/example.com.zone"
		shift
	done
}

# delv's word on a name of the second server: is it fully validated?
delv_ok() {
	awk '{ printf "trust-anchors { example.com. static-key %s %s %s \"%s\"; };\n", $4, $5, $6, $7 }' \
	    "$(cat example.com.ksk).key" >anchors
	delv @127.0.0.3 -p "$port" -a anchors +root=example.com "$1" "$2" 2>&1 |
	    grep -E '^; (fully|negative response, fully) validated'
}

@test "signed by every algorithm, with NSEC and NSEC3: yes, from a DS or DNSKEY record" {
	primaries example.com=127.0.0.2
	lines >z
	for alg in ECDSAP256SHA256 ECDSAP384SHA384 ED25519 ED448 RSASHA256 RSASHA512; do
		keys example.com $alg
		example | sign example.com nsec
		example | sign example.com nsec3 -n -t 7 -s c0ffee
		both nsec nsec3
		echo "$alg"
		run -0 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <z
		[ -z "$output" ]
		run -0 sslm-nscheck -k "$(cat example.com.ksk).key" -p "$port" <z
		run -0 sslm-nscheck -k "$(cat example.com.ksk).key" -p "$port" example.com
		run -1 sslm-nscheck -k "$(cat example.com.zsk).key" -p "$port" <<<'a.example.com. A 192.0.2.1'
	done
}

@test "that something is not there is proved, as delv says too" {
	primaries example.com=127.0.0.2
	keys example.com
	example | sign example.com nsec
	example | sign example.com nsec3 -n
	for name in nope a c 0 zz nope.nope.a x.w b.c '*.w' _tcp.mx; do
		echo "$name.example.com. A 192.0.2.1"
	done >z
	for file in nsec nsec3; do
		both nsec $file
		run -1 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <z
		[[ $output != *bogus* ]]
		[ "$(grep -c 'ns2.*lacks: ' <<<"$output")" = "$(wc -l <z)" ]
		while read -r name _; do delv_ok "$name" A; done <z
	done
	# And without the records that prove it, it is not.
	grep -v 'NSEC' nsec >none
	both nsec none
	run -1 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <z
	[ "$(grep -c 'ns2.*is bogus: that .*is not proved' <<<"$output")" = "$(wc -l <z)" ]
	run ! delv_ok nope.example.com A
	lines >y
	run -1 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <y
	[ "${#lines[@]}" = 2 ]
	[[ $output == *"ns2.example.com (127.0.0.3#$port) is bogus: 'x.w.example.com' is made from a wildcard, without a proof"* ]]
	run ! delv_ok x.w.example.com TXT
}

@test "signatures that are old, early, missing, or of other data, at one server" {
	primaries example.com=127.0.0.2
	keys example.com
	example | sign example.com good
	example | sign example.com old -i "$(date -ud '-40 days' +%Y%m%d)" -e "$(date -ud '-2 days' +%Y%m%d)"
	example | sign example.com early -i "$(date -ud '+2 days' +%Y%m%d)" -e "$(date -ud '+9 days' +%Y%m%d)"
	grep -v 'RRSIG	TXT' good >missing
	sed 's/"one"/"two"/' good >other
	example >unsigned.zone
	at="ns2.example.com (127.0.0.3#$port) is bogus: "
	ds=$(cat example.com.ksk).ds
	echo 'a.example.com. TXT "one"' >z
	for file in old early missing other unsigned.zone; do
		both good $file
		run -1 sslm-nscheck -k "$ds" -p "$port" <z
		[[ $output != *ns1.example.com* ]]
		echo "$output" >$file.said
		run ! delv_ok a.example.com TXT
	done
	grep -F "${at}the signature of 'example.com' DNSKEY expired at $(date -ud '-2 days' +%F) 00:00 UTC" old.said
	grep -F "${at}the signature of 'example.com' DNSKEY is not valid before $(date -ud '+2 days' +%F) 00:00 UTC" early.said
	grep -Fx "sslm-nscheck: ${at}'a.example.com' TXT is not signed" missing.said
	grep -F "${at}the signature of 'a.example.com' TXT is not right for the key" other.said
	grep -F ' lacks: a.example.com. TXT "one"' other.said
	grep -F "${at}'example.com' has no DNSKEY records" unsigned.zone.said
	# One that holds is enough, whatever is beside it.
	sed -n 's/^\(a\.example\.com\..*RRSIG	TXT\)/\1/p' old >beside
	[ -s beside ]
	cat good beside >more
	grep '^a\.example.*RRSIG	TXT' good >>more
	both more more
	run -0 sslm-nscheck -k "$ds" -p "$port" <z
	# Without -k nobody looks.
	both good old
	run -0 sslm-nscheck -p "$port" <z
}

@test "a server with other keys, signatures of another key, and only the new one" {
	primaries example.com=127.0.0.2
	keys example.com
	cp example.com.ksk ksk; cp example.com.zsk zsk
	example | sign example.com good
	keys example.com
	example | sign example.com others
	# Records of the one with the keys of the other.
	grep DNSKEY good >mixed
	grep -v DNSKEY others >>mixed
	ds=$(cat ksk).ds
	echo 'a.example.com. TXT "one"' >z
	both good others
	run -1 sslm-nscheck -k "$ds" -p "$port" <z
	[ "$output" = "sslm-nscheck: ns2.example.com (127.0.0.3#$port) is bogus: 'example.com' has no key that is trusted" ]
	cat "$ds" "$(cat example.com.ksk).ds" >all
	run -0 sslm-nscheck -k all -p "$port" <z
	both good mixed
	run -1 sslm-nscheck -k "$ds" -p "$port" <z
	tag=$(sed -n 's/.*+0*//p' example.com.zsk)
	[ "$output" = "sslm-nscheck: ns2.example.com (127.0.0.3#$port) is bogus: the signature of \
'a.example.com' TXT is by a key ($tag) that is not among those of the zone" ]
}

@test "anchors above: the way down from com, and from the root" {
	mkdir up
	keys .; mv ..ksk up/root.ksk; mv ..zsk up/root.zsk
	keys com
	keys example.com
	example | sign example.com good
	{ dns_zone com '@ NS ns' 'ns A 127.0.0.4' 'example NS ns1.example' 'ns1.example A 127.0.0.2' \
	    'example NS ns2.example' 'ns2.example A 127.0.0.3' 'plain NS ns1.example'
	cat "$(cat example.com.ksk).ds"; } | sign com up/com.zone
	{ dns_zone '' 'com. NS ns.com.' '. NS ns.com.' 'ns.com. A 127.0.0.4'
	cat "$(cat com.ksk).ds"; } >unsigned.root
	ldns-signzone -o . -f up/..zone unsigned.root "$(cat up/root.zsk)" "$(cat up/root.ksk)"
	primaries default=127.0.0.4 com=127.0.0.4 example.com=127.0.0.2 plain.com=127.0.0.2
	both good good
	knot_start above 127.0.0.4 "$port" up/com.zone up/..zone
	lines >z
	for anchor in com.ksk up/root.ksk; do
		run -0 sslm-nscheck -k "$(cat $anchor).ds" -p "$port" <z
		run -0 sslm-nscheck -k "$(cat $anchor).key" -p "$port" example.com
	done
	run -1 sslm-nscheck -k "$(cat com.zsk).key" -p "$port" <<<'x.plain.com. TXT "one"'
	[[ $output == *"of the zone 'plain.com'"* ]]
	dns_zone plain.com '@ NS ns1.example.com.' 'x TXT "one"' >plain.com.zone
	dns_stop first
	knot_start first 127.0.0.2 "$port" zones.first/example.com.zone plain.com.zone
	run -1 sslm-nscheck -k "$(cat com.ksk).ds" -p "$port" <<<'x.plain.com. TXT "one"'
	[ "$output" = "sslm-nscheck: the zone 'plain.com' is not secure: there is no DS record for it, below 'com'" ]
	run -1 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <<<'x.plain.com. TXT "one"'
	[ "$output" = "sslm-nscheck: the zone 'plain.com' is not secure: there is no trust anchor for it, or for a zone above" ]
	# Nobody believes a DS record that is not signed right.
	sed "s/ 13 2 .*/ 13 2 $(printf '%064d' 0)/" "$(cat com.ksk).ds" >wrong
	run -1 sslm-nscheck -k wrong -p "$port" <z
	[ "$output" = "sslm-nscheck: the zone 'example.com' is not secure: 'com' has no key that is trusted" ]
	awk '$4 == "DS" { $NF = "00" substr($NF, 3) } { print }' up/com.zone >com.changed
	mv com.changed up/com.zone
	dns_stop above
	knot_start above 127.0.0.4 "$port" up/com.zone up/..zone
	run -1 sslm-nscheck -k "$(cat com.ksk).ds" -p "$port" <z
	[[ $output == *"is not secure: the signature of 'example.com' DS is not right for the key"* ]]
}

@test "a signature of the same key in the name of another zone is none" {
	primaries example.com=127.0.0.2
	keys example.com
	key=$(cat example.com.zsk)
	for part in key private; do
		sed 's/^example\.com/sub.example.com/' "$key.$part" >"Ksub.${key#K}.$part"
	done
	dns_zone sub.example.com '@ NS ns' 'a TXT "one"' >sub
	ldns-signzone -o sub.example.com -f sub.signed sub "Ksub.${key#K}"
	{ example | grep -v '^sub\|^ns.sub'; echo 'a.sub TXT "one"'; } | sign example.com good
	both good good
	run -0 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <<<'a.sub.example.com. TXT "one"'
	grep -v '^a.sub.*RRSIG	TXT' good >swapped
	grep '^a.sub.*RRSIG	TXT' sub.signed >>swapped
	both good swapped
	run -1 sslm-nscheck -k "$(cat example.com.ksk).ds" -p "$port" <<<'a.sub.example.com. TXT "one"'
	[ "$output" = "sslm-nscheck: ns2.example.com (127.0.0.3#$port) is bogus: the signature of \
'a.sub.example.com' TXT is by another zone" ]
}

@test "-w waits until the zone is signed again" {
	primaries example.com=127.0.0.2
	keys example.com
	example | sign example.com good
	grep -v 'RRSIG	TXT' good >missing
	both good missing
	echo 'a.example.com. TXT "one"' >z
	sslm-nscheck -v -w 60 -k "$(cat example.com.ksk).ds" -p "$port" <z 2>err 3>&- &
	pid=$!
	for _ in $(seq 200); do
		if grep -q 'wait for ns2.example.com' err; then break; fi
		sleep 0.05
	done
	sed 's/ 1 3600/ 2 3600/' <(example) | sign example.com zones.second/example.com.zone
	dns_reload second
	wait $pid
}

@test "files of anchors that are none" {
	primaries example.com=127.0.0.2
	for line in '' '; nothing' 'example.com. A 192.0.2.1' 'example.com. DS 1 13' 'example.com. CH DS 1 13 2 00' \
	    'example.com. DNSKEY 257 3 13'; do
		echo "$line" >anchors
		run -2 sslm-nscheck -k anchors </dev/null
		[[ $output == "sslm-nscheck: "*anchors* ]]
	done
	printf '.\t3600 IN\tDS 20326 8 2 %064d ;{id = 20326}\n' 1 >anchors
	run -0 sslm-nscheck -k anchors </dev/null
}
