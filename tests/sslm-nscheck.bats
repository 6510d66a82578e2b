setup() {
	load helper; load site; load dns; workdir
	port=$(free_port)
}

teardown() {
	dns_stop_all
}

# example.com with two servers, and what else is given.
example() {
	dns_zone example.com '@ NS ns1' '@ NS ns2' 'ns1 A 127.0.0.2' 'ns2 A 127.0.0.3' "$@"
}

# conf [LINE...]: a site whose default primary is 127.0.0.2.
conf() {
	mkdir -p conf.d
	printf '%s\n' 'dns_xtra_ns = []' "$@" '[[dns_primary]]' 'domain = "default"' \
	    'server = "127.0.0.2"' "port = $port" '[[dns_primary]]' 'domain = "example.com"' \
	    'server = "127.0.0.2"' "port = $port" >conf.d/ssl-mgr.conf
}

# The records of a challenge, as lines.
lines() {
	printf '_acme-challenge.%s.example.com. 60 IN TXT "one"\n' a b
}

# all_serve [LINE...]: the zone at a knotd and an nsd.
all_serve() {
	conf
	mkdir old
	example '_acme-challenge.a TXT "one"' '_acme-challenge.b TXT "one"' "$@" >example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
}

# one_lags: the second, a knotd, has the zone of old/, without the record of b.
one_lags() {
	conf
	mkdir old
	example '_acme-challenge.a TXT "one"' '_acme-challenge.b TXT "one"' >example.com.zone
	grep -v 'challenge.b' example.com.zone >old/example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	knot_start second 127.0.0.3 "$port" old/example.com.zone
}

# seen FILE WORDS: until they are in the file.
seen() {
	local _
	for _ in $(seq 200); do
		if grep -q "$2" "$1"; then return 0; fi
		sleep 0.05
	done
	cat "$1"
	return 1
}

@test "all servers serve all records: yes, without a word" {
	all_serve
	lines >z
	run -0 sslm-nscheck -p "$port" -o out <z
	[ -z "$output" ]
	cmp z out
	[ "$(ls -A)" = "$(printf '%s\n' conf.d example.com.zone first old out second z)" ]
}

@test "nothing to check: yes" {
	conf
	run -0 sslm-nscheck -o out </dev/null
	printf '; a comment\n\n   \n' >z
	run -0 sslm-nscheck -w 5 -o out <z
	[ ! -s out ]
}

@test "one that lacks a record is named, with its address and the record" {
	one_lags
	lines >z
	run -1 sslm-nscheck -p "$port" -o out <z
	[ "$output" = "sslm-nscheck: ns2.example.com (127.0.0.3#$port) has no such name and lacks: \
$(tail -1 z)" ]
	head -1 z | cmp - out
	run -1 sslm-nscheck -q -p "$port" <z
	[[ $output == *"lacks: $(tail -1 z)"* ]]
}

@test "-w: yes as soon as the last one serves it, and only that one is asked again" {
	one_lags
	lines >z
	sslm-nscheck -v -w 60 -p "$port" -o out <z 2>err 3>&- &
	pid=$!
	seen err "1 of 2 sets wait for ns2.example.com (127.0.0.3#$port)"
	[ ! -e out ]
	dns_stop first
	sed 's/ 1 3600/ 2 3600/' example.com.zone >old/example.com.zone
	dns_reload second
	wait $pid
	cmp z out
	run ! grep -v 'wait for ns2.example.com' err
}

@test "-w: 75 when its time is over, and what was missing then" {
	one_lags
	lines >z
	began=$EPOCHSECONDS
	run -75 sslm-nscheck -w 1 -p "$port" -o out <z
	[ $((EPOCHSECONDS - began)) -le 4 ]
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"ns2.example.com (127.0.0.3#$port) has no such name and lacks: $(tail -1 z)"* ]]
	head -1 z | cmp - out
}

@test "-w: a primary that is being restarted is waited for" {
	conf
	example '_acme-challenge.a TXT "one"' '_acme-challenge.b TXT "one"' >example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
	lines >z
	run -1 sslm-nscheck -p "$port" <z
	[[ $output == *"name servers of the zone 'example.com' are not known: 127.0.0.2#$port refuses"* ]]
	sslm-nscheck -v -w 60 -p "$port" <z 2>err 3>&- &
	pid=$!
	seen err 'wait for the primary'
	knot_start first 127.0.0.2 "$port" example.com.zone
	wait $pid
}

@test "a server that is down, and one that is lame" {
	conf
	example '@ NS ns3' 'ns3 A 127.0.0.4' '@ NS ns4' 'ns4 A 127.0.0.4' \
	    '_acme-challenge.a TXT "one"' '_acme-challenge.b TXT "one"' >example.com.zone
	dns_zone example.net '@ NS ns' 'ns A 127.0.0.3' >example.net.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.net.zone
	hostile_start lame "$port" 127.0.0.5=lame
	lines >z
	run -1 sslm-nscheck -p "$port" <z
	# Two names, one address: asked, and said, once.
	[ "$(grep -c "(127.0.0.4#$port) refuses the connection" <<<"$output")" = 1 ]
	[[ $output == *"ns2.example.com (127.0.0.3#$port) answers REFUSED for '_acme-challenge.a.example.com'"* ]]
	sed 's/127.0.0.3$/127.0.0.5/; /ns[34]/d' example.com.zone >lame/example.com.zone
	dns_stop first
	knot_start first 127.0.0.2 "$port" lame/example.com.zone
	run -1 sslm-nscheck -p "$port" <z
	[[ $output == *"ns2.example.com (127.0.0.5#$port) is not authoritative for '_acme-challenge.a.example.com'"* ]]
}

@test "IPv6 as IPv4, every address of a host" {
	conf
	example 'ns2 AAAA ::1' 'v A 192.0.2.1' >example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
	echo 'v.example.com. A 192.0.2.1' >z
	run -1 sslm-nscheck -p "$port" <z
	[ "$output" = "sslm-nscheck: ns2.example.com (::1#$port) refuses the connection" ]
	knot_start third ::1 "$port" example.com.zone
	run -0 sslm-nscheck -p "$port" <z
}

@test "a set is compared exactly, or with -s may have more" {
	all_serve '_acme-challenge.a TXT "two"'
	lines >z
	run -1 sslm-nscheck -p "$port" -o out <z
	[ "${#lines[@]}" = 2 ]
	[[ $output == *"ns1.example.com (127.0.0.2#$port) has another record: _acme-challenge.a.example.com. 60 IN TXT "'"two"'* ]]
	[[ $output == *"ns2.example.com (127.0.0.3#$port) has another record: _acme-challenge.a.example.com. 60 IN TXT "'"two"'* ]]
	tail -1 z | cmp - out
	run -0 sslm-nscheck -s -p "$port" <z
	echo '_acme-challenge.a.example.com. TXT "two"' >>z
	run -0 sslm-nscheck -p "$port" <z
	echo '_acme-challenge.a.example.com. TXT "three"' >>z
	run -1 sslm-nscheck -s -p "$port" <z
	[ "${#lines[@]}" = 2 ]
}

@test "neither TTL, nor the case of names, nor a line given twice is a difference" {
	all_serve 'm MX 10 Mail' '_25._tcp.m TLSA 3 1 1 ABCDEF'
	cat >z <<-'END'
	_ACME-challenge.A.example.COM. 99999 IN TXT "one"
	_acme-challenge.a.example.com.	TXT	"one" ; again
	M.example.com. MX 10 mAIL.Example.com.
	_25._tcp.m.example.com. 1 IN TLSA 3 1 1 abcdef
	END
	run -0 sslm-nscheck -p "$port" -o out <z
	cmp z out
	sed 's/MX 10/MX 11/' z >y
	run -1 sslm-nscheck -p "$port" -o out <y
	[ "$(wc -l <out)" = 3 ]
}

@test "an answer that is too long for UDP comes by TCP" {
	conf
	for i in {1..200}; do echo "t TXT \"$i-0123456789012345678901234567890123456789012\""; done >txt
	{ example; cat txt; } >example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
	sed 's/^t/t.example.com./' txt >z
	run -0 sslm-nscheck -p "$port" <z
	sed -i '77d' z
	run -1 sslm-nscheck -p "$port" <z
	[[ $output == *'has another record: '*'"77-'* ]]
}

@test "a CNAME into another zone is followed, whose servers then count" {
	conf
	dns_zone example.com '@ NS ns1' 'ns1 A 127.0.0.2' '_acme-challenge.a CNAME a.b' \
	    'a.b CNAME X.example.net.' 'l CNAME m' 'm CNAME l' 'c1 CNAME c2' 'c2 CNAME c3' \
	    'c3 CNAME c4' 'c4 CNAME c5' 'c5 CNAME c6' 'c6 CNAME c7' 'c7 CNAME c8' 'c8 CNAME c9' \
	    'c0 CNAME c1' 'c9 TXT "end"' >example.com.zone
	dns_zone example.net '@ NS ns' 'ns A 127.0.0.3' 'x TXT "one"' >example.net.zone
	knot_start first 127.0.0.2 "$port" example.com.zone example.net.zone
	nsd_start second 127.0.0.3 "$port" example.net.zone
	echo '_acme-challenge.a.example.com. TXT "one"' >z
	run -0 sslm-nscheck -p "$port" <z
	dns_stop second
	run -1 sslm-nscheck -p "$port" <z
	[ "$output" = "sslm-nscheck: ns.example.net (127.0.0.3#$port) refuses the connection" ]
	run -0 sslm-nscheck -p "$port" <<<'c1.example.com. TXT "end"'
	run -1 sslm-nscheck -p "$port" <<<'c0.example.com. TXT "end"'
	[ "$output" = "sslm-nscheck: 'c0.example.com' is an alias that leads nowhere: a loop, or more than 8 CNAMEs" ]
	run -1 sslm-nscheck -p "$port" <<<'l.example.com. TXT "end"'
	[[ $output == *"'l.example.com' is an alias that leads nowhere"* ]]
}

@test "the primary of a zone, of its own or the default one" {
	conf
	dns_zone example.com '@ NS ns1' 'ns1 A 127.0.0.2' 'x TXT "one"' >example.com.zone
	dns_zone example.net '@ NS ns.example.com.' 'x TXT "one"' >example.net.zone
	dns_zone sub.example.com '@ NS ns1' 'ns1 A 127.0.0.4' 'x TXT "one"' >sub.example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	knot_start own 127.0.0.4 "$port" sub.example.com.zone
	echo 'x.sub.example.com. TXT "one"' >z
	run -1 sslm-nscheck -p "$port" <z
	printf '[[dns_primary]]\ndomain = "Sub.Example.com."\nserver = "127.0.0.4"\nport = %d\n' \
	    "$port" >>conf.d/ssl-mgr.conf
	run -0 sslm-nscheck -p "$port" <z
}

@test "the zone of a name is that of its group, and the group of the CAs is none" {
	site
	printf '[[dns_primary]]\ndomain = "*"\nserver = "127.0.0.2"\nport = %d\n' "$port" \
	    >>conf.d/ssl-mgr.conf
	dns_zone example.com '@ NS ns1' 'ns1 A 127.0.0.2' 'x.sub TXT "one"' >example.com.zone
	dns_zone sub.example.com '@ NS nowhere' 'x TXT "one"' >sub.example.com.zone
	dns_zone example.ca '@ NS ns1.example.com.' 'x TXT "one"' >example.ca.zone
	knot_start first 127.0.0.2 "$port" example.com.zone example.ca.zone
	run -0 sslm-nscheck -p "$port" <<<'x.sub.example.com. TXT "one"'
	run -0 sslm-nscheck -p "$port" <<<'x.example.ca. TXT "one"'
	# Whoever has a zone of its own in there says so.
	dns_stop first
	knot_start first 127.0.0.2 "$port" example.com.zone sub.example.com.zone
	run -0 sslm-nscheck -p "$port" <<<'x.sub.example.com. TXT "one"'
	printf '[[dns_primary]]\ndomain = "sub.example.com"\nserver = "127.0.0.2"\nport = %d\n' \
	    "$port" >>conf.d/ssl-mgr.conf
	run -1 sslm-nscheck -p "$port" <<<'x.sub.example.com. TXT "one"'
	[[ $output == *"'nowhere.sub.example.com'"* ]]
}

@test "a name server without an address is a fault that names it" {
	conf
	example '@ NS nowhere' '_acme-challenge.a TXT "one"' >example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	lines >z
	run -1 sslm-nscheck -p "$port" <z
	[[ $output == *"the name server 'nowhere.example.com' of the zone 'example.com' has no address"* ]]
}

@test "a server that there is no way to does not count beside one that answers" {
	unshare -n true 2>/dev/null || skip "cannot have a network without a way out"
	conf
	dns_zone example.com '@ NS ns1' '@ NS ns2' 'ns1 A 127.0.0.2' 'ns2 A 192.0.2.1' \
	    'ns2 AAAA 2001:db8::1' 'x TXT "one"' >example.com.zone
	cat >inside <<-'END'
	ip link set lo up
	. "$TOP/tests/dns.bash"
	knot_start first 127.0.0.2 "$port" example.com.zone
	sslm-nscheck "$@" -p "$port" <<<'x.example.com. TXT "one"'
	status=$?
	dns_stop_all
	exit $status
	END
	export port
	run -0 unshare -n bash inside
	[ "${#lines[@]}" = 2 ]
	for a in 192.0.2.1 2001:db8::1; do
		[[ $output == *"ns2.example.com ($a#$port) does not count: it cannot be reached from here"* ]]
	done
	run -0 unshare -n bash inside -q -w 5
	[ -z "$output" ]
	# Not if there is no other.
	sed -i '/NS ns1/d' example.com.zone
	run -1 unshare -n bash inside
	[[ $output == *"2001:db8::1#$port) cannot be reached from here"* ]]
	[[ $output == *"192.0.2.1#$port) cannot be reached from here"* ]]
}

@test "resolvers of dns_xtra_ns are asked with -w, and only warn" {
	conf
	example '_acme-challenge.a TXT "one"' '_acme-challenge.b TXT "one"' >example.com.zone
	mkdir old
	grep -v 'challenge.b' example.com.zone >old/example.com.zone
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
	nsd_start resolver 127.0.0.4 "$port" old/example.com.zone
	sed -i "s/^dns_xtra_ns.*/dns_xtra_ns = ['127.0.0.4#$port', '127.0.0.2#$port', '127.0.0.9#$port']/" \
	    conf.d/ssl-mgr.conf
	lines >z
	run -0 sslm-nscheck -p "$port" <z
	[ -z "$output" ]
	run -0 sslm-nscheck -w 2 -p "$port" -o out <z
	cmp z out
	[ "${#lines[@]}" = 2 ]
	[[ $output == *"the resolver 127.0.0.4#$port has no such name and lacks: $(tail -1 z)"* ]]
	[[ $output == *"the resolver 127.0.0.9#$port refuses the connection"* ]]
	run -0 sslm-nscheck -q -w 1 -p "$port" <z
	[ -z "$output" ]
	# One that is down is not waited for.
	sed -i "s/^dns_xtra_ns.*/dns_xtra_ns = '127.0.0.9#$port'/" conf.d/ssl-mgr.conf
	began=$EPOCHSECONDS
	run -0 sslm-nscheck -w 60 -p "$port" <z
	[ $((EPOCHSECONDS - began)) -le 5 ]
}

@test "dns_check_delay, if it is set, is the least time that -w takes" {
	all_serve
	conf 'dns_check_delay = 2'
	lines >z
	run -0 bash -c "time -p sslm-nscheck -w 60 -p $port <z"
	[[ $output =~ real\ [2-9] ]]
	run -0 bash -c "time -p sslm-nscheck -p $port <z"
	[[ $output =~ real\ [01] ]]
}

@test "outside of a site the system's resolvers are asked" {
	unshare -mn true 2>/dev/null || skip "cannot have another resolv.conf"
	dns_zone example.com '@ NS ns1' 'ns1 A 127.0.0.2' 'x TXT "one"' >example.com.zone
	echo 'nameserver 127.0.0.2' >resolv.conf
	cat >inside <<-'END'
	ip link set lo up
	mount --bind resolv.conf /etc/resolv.conf
	. "$TOP/tests/dns.bash"
	knot_start first 127.0.0.2 53 example.com.zone
	sslm-nscheck
	status=$?
	dns_stop_all
	exit $status
	END
	run -0 unshare -mn bash inside <<<'x.example.com. TXT "one"'
	[ -z "$output" ]
	run -1 unshare -mn bash inside <<<'x.example.com. TXT "two"'
	[[ $output == *"ns1.example.com (127.0.0.2) lacks: x.example.com. TXT "* ]]
}

@test "on a terminal the progress is one line, which is gone in the end" {
	script -qec true /dev/null >/dev/null || skip "no terminals can be made here"
	one_lags
	lines >z
	run -75 script -qec "sslm-nscheck -w 1 -p $port <z" /dev/null
	[[ $output == *$'\r'"sslm-nscheck: "?"s: 1 of 2 sets wait for ns2.example.com (127.0.0.3#$port)"$'\e[K'* ]]
	[[ $output == *$'\r\e[Ksslm-nscheck: ns2.example.com'*"lacks: "* ]]
}

@test "lines that are not records are told with their number, and nothing is asked" {
	conf
	printf '%s\n' 'x.example.com. TXT "one"' 'relative TXT "one"' ' TXT "one"' 'x.example.com. TXT' \
	    'x.example.com. NONSENSE 1' 'x.example.com. 60 CH TXT "a"' '$INCLUDE /etc/passwd' \
	    'a\;b.example.com. TXT "one"' >z
	run -2 --separate-stderr sslm-nscheck -p "$port" <z
	for n in 2 3 4 5 6 7 8; do
		[[ $stderr == *"standard input:$n: the record "* ]]
	done
	[[ $stderr != *":1:"* ]]
	printf 'x.example.com. TXT "a\0b"\n' >z
	run -2 sslm-nscheck <z
	[[ $output == *"NUL"* ]]
}

@test "wrong usage, and a site that is wrong or not there" {
	run -2 sslm-nscheck -p 0 </dev/null
	run -2 sslm-nscheck -w x </dev/null
	run -2 sslm-nscheck 'no zone' </dev/null
	run -2 sslm-nscheck example.com Example.COM. </dev/null
	run -2 sslm-nscheck -k nowhere </dev/null
	run -2 sslm-nscheck -C nowhere </dev/null
	conf 'clean_keep = "x"'
	run -2 sslm-nscheck </dev/null
}

@test "few descriptors are enough" {
	all_serve
	for i in {1..100}; do echo "$i TXT \"$i\""; done >>example.com.zone
	dns_stop first; dns_stop second
	knot_start first 127.0.0.2 "$port" example.com.zone
	nsd_start second 127.0.0.3 "$port" example.com.zone
	for i in {1..100}; do echo "$i.example.com. TXT \"$i\""; done >z
	run -0 bash -c "ulimit -n 12; sslm-nscheck -p $port <z"
}

# hostile MODE...: for each mode a zone of that name, at a server that behaves so;
# a line for each in z.
hostile() {
	local n=1 mode name all=() files=()
	conf
	mkdir zones
	: >z
	for mode; do
		name=${mode/+/-then-right}
		dns_zone "$name.test" '@ NS ns' "ns A 127.0.1.$n" >"zones/$name.test.zone"
		echo "x.$name.test. TXT \"v\"" >>z
		files+=("zones/$name.test.zone")
		all+=("127.0.1.$n=$mode")
		n=$((n + 1))
	done
	knot_start first 127.0.0.2 "$port" "${files[@]}"
	hostile_start hostile "$port" "${all[@]}"
}

# told MODE WORDS: that is what was said of the mode's server.
told() {
	local line
	line=$(grep "ns.$1.test " <<<"$output")
	echo "$1: $line"
	[ "$(wc -l <<<"$line")" = 1 ]
	[[ $line == *") $2"* ]]
}

@test "whatever a hostile server sends, it ends in time with a clear word" {
	hostile right id name type class qr opcode noquestion questions garbage empty short header loop \
	    forward length count string silent port servfail refused formerr rcode nxdomain lame \
	    lacks other beyond elsewhere many tcpright tcpbig tcpslow tcpsilent tcpclose tcphalf \
	    tcpid tcpflood tcpcut tcpnone
	began=$EPOCHSECONDS
	run -1 sslm-nscheck -p "$port" -o out <z
	[ $((EPOCHSECONDS - began)) -le 15 ]
	[ "$(cut -d. -f2 out | xargs)" = "right tcpright" ]
	for m in id name type class qr opcode noquestion questions garbage empty short header loop forward \
	    length count string many; do
		told $m "sends nothing that answers the question"
	done
	told silent "does not answer"
	told port "does not answer"
	told servfail "answers SERVFAIL for 'x.servfail.test'"
	told refused "answers REFUSED for"
	told formerr "answers FORMERR for"
	told rcode "answers RCODE13 for"
	told nxdomain 'has no such name and lacks: x.nxdomain.test. TXT "v"'
	told lame "is not authoritative for 'x.lame.test'"
	told lacks 'lacks: x.lacks.test. TXT "v"'
	told elsewhere 'lacks: x.elsewhere.test. TXT "v"'
	told beyond 'has another record: '
	[[ $output != *$'\033'* ]]
	grep -q 'ns.other.test (.*lacks: x.other.test. TXT "v"' <<<"$output"
	grep -q 'ns.other.test (.*has another record: .*"w"' <<<"$output"
	grep -q 'ns.tcpbig.test (.*lacks: ' <<<"$output"
	for m in tcpslow tcpsilent tcpclose tcphalf tcpid tcpflood tcpcut tcpnone; do
		told $m "truncates its answer, and gives no whole one by TCP"
	done
	run ! grep -iE 'sanitizer|runtime error' <<<"$output"
}

@test "what a forger sends before the right answer changes nothing" {
	hostile id+ name+ type+ class+ qr+ opcode+ noquestion+ questions+ garbage+ empty+ short+ header+ loop+ \
	    forward+ length+ count+ string+ port+
	began=$EPOCHSECONDS
	run -0 sslm-nscheck -p "$port" -o out <z
	[ -z "$output" ]
	cmp z out
	[ $((EPOCHSECONDS - began)) -le 5 ]
}

@test "packets that are lost or late, and a server without UDP" {
	hostile second late tcponly
	run -0 sslm-nscheck -p "$port" <z
}

@test "a primary that sends rubbish" {
	conf
	hostile_start hostile "$port" 127.0.0.2=garbage
	lines >z
	run -1 sslm-nscheck -p "$port" <z
	[[ $output == *"name servers of the zone 'example.com' are not known: 127.0.0.2#$port sends nothing"* ]]
	[[ $output == *"'_acme-challenge.a.example.com' is taken to be no alias: "* ]]
}
