# sslm-nscheck with the names of zones, and its JSON.
setup() {
	load helper; load dns; workdir
	port=$(free_port)
	mkdir -p conf.d above first.d second.d
}

teardown() {
	dns_stop_all
}

# primaries DOMAIN=ADDR...: a site with these.
primaries() {
	local one
	echo 'dns_xtra_ns = []' >conf.d/ssl-mgr.conf
	for one; do
		printf '[[dns_primary]]\ndomain = "%s"\nserver = "%s"\nport = %d\n' \
		    "${one%%=*}" "${one#*=}" "$port" >>conf.d/ssl-mgr.conf
	done
}

# serial N: the zone example.com with it, and two servers.
serial() {
	dns_zone example.com '@ NS ns1' '@ NS ns2' 'ns1 A 127.0.0.2' 'ns2 A 127.0.0.3' 'x TXT "one"' |
	    sed "s/hostmaster 1 /hostmaster $1 /"
}

# The delegation of it, and what else is given, at 127.0.0.4.
above() {
	dns_zone com '@ NS ns' 'ns A 127.0.0.4' 'example NS ns1.example' 'example NS ns2.example' "$@" \
	    >above/com.zone
	[ ! -e top/pid ] || dns_stop top
	knot_start top 127.0.0.4 "$port" above/com.zone
}

# serve NAME ADDR SERIAL: the zone with that serial.
serve() {
	[ ! -e "$1/pid" ] || dns_stop "$1"
	serial "$3" >"$1.d/example.com.zone"
	knot_start "$1" "$2" "$port" "$1.d/example.com.zone"
}

glue=('ns1.example A 127.0.0.2' 'ns2.example A 127.0.0.3')

@test "all agree: yes, without a word; with -o what they agree on" {
	primaries example.com=127.0.0.2 com=127.0.0.4
	serve first 127.0.0.2 1
	serve second 127.0.0.3 1
	above "${glue[@]}"
	run -0 sslm-nscheck -v -p "$port" -o out example.com </dev/null
	[ -z "$output" ]
	[ "$(cut -d' ' -f1,4 out | sort | xargs)" = "example.com. NS example.com. NS example.com. SOA \
ns1.example.com. A ns2.example.com. A" ]
	run -0 sslm-nscheck -p "$port" EXAMPLE.com. com
}

@test "a server that is behind, by RFC 1982, or ahead" {
	primaries example.com=127.0.0.2
	serve first 127.0.0.2 9
	at="sslm-nscheck: ns2.example.com (127.0.0.3#$port)"
	serve second 127.0.0.3 7
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at is behind: serial 7, primary 9" ]
	serve second 127.0.0.3 4294967290
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at is behind: serial 4294967290, primary 9" ]
	serve second 127.0.0.3 10
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at is ahead: serial 10, primary 9" ]
	serve second 127.0.0.3 2147483657
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at is neither behind nor ahead: serial 2147483657, primary 9" ]
	run -1 sslm-nscheck -p "$port" <<<'example.com. SOA ns1.example.com. hostmaster.example.com. 11 3600 600 86400 60'
	[[ $output == *"ns1.example.com (127.0.0.2#$port) is behind: serial 9, wanted 11"* ]]
}

@test "-w waits for the secondary, whatever the primary does meanwhile" {
	primaries example.com=127.0.0.2
	serve first 127.0.0.2 9
	serve second 127.0.0.3 7
	run -75 sslm-nscheck -w 3 -p "$port" example.com
	[[ $output =~ "is behind: serial 7, primary 9 (asked for "[1-9]" s)"$ ]]
	sslm-nscheck -v -w 60 -p "$port" example.com 2>err 3>&- &
	pid=$!
	for _ in $(seq 200); do
		if grep -q 'wait for ns2.example.com' err; then break; fi
		sleep 0.05
	done
	serial 12 >first.d/example.com.zone
	dns_reload first
	serial 12 >second.d/example.com.zone
	dns_reload second
	wait $pid
}

@test "servers that name others, are lame, down, or without an address" {
	primaries example.com=127.0.0.2 www.example.com=127.0.0.2
	serve first 127.0.0.2 1
	serial 1 | sed 's/NS ns2/NS ns9/' >second.d/example.com.zone
	knot_start second 127.0.0.3 "$port" second.d/example.com.zone
	run -1 sslm-nscheck -p "$port" example.com
	[[ $output == *"ns2.example.com (127.0.0.3#$port) lacks: example.com. 60 IN NS ns2.example.com."* ]]
	[[ $output == *"ns2.example.com (127.0.0.3#$port) has another record: example.com. 60 IN NS ns9.example.com."* ]]
	dns_stop second
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "sslm-nscheck: ns2.example.com (127.0.0.3#$port) refuses the connection" ]
	dns_zone example.net '@ NS ns.example.com.' >second.d/example.net.zone
	knot_start second 127.0.0.3 "$port" second.d/example.net.zone
	run -1 sslm-nscheck -p "$port" example.com
	[[ $output == *"ns2.example.com (127.0.0.3#$port) answers REFUSED for 'example.com'"* ]]
	dns_stop second
	dns_stop first
	serial 1 | sed '/^ns2/d' >first.d/example.com.zone
	knot_start first 127.0.0.2 "$port" first.d/example.com.zone
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "sslm-nscheck: the name server 'ns2.example.com' of the zone 'example.com' has no address" ]
	run -1 sslm-nscheck -p "$port" www.example.com
	[ "$output" = "sslm-nscheck: 'www.example.com' is not a zone: it has no NS records" ]
	dns_stop first
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "sslm-nscheck: the zone 'example.com' cannot be asked for: 127.0.0.2#$port refuses the connection" ]
}

@test "what the zone above delegates, and its glue" {
	primaries example.com=127.0.0.2 com=127.0.0.4
	serve first 127.0.0.2 1
	serve second 127.0.0.3 1
	at="sslm-nscheck: ns.com (127.0.0.4#$port), of the zone above 'example.com',"
	above 'ns1.example A 127.0.0.2'
	run -1 sslm-nscheck -p "$port" example.com
	[ "$(sort <<<"$output")" = "$at has no glue for 'ns2.example.com'
$at lacks the glue: ns2.example.com. 60 IN A 127.0.0.3" ]
	above "${glue[@]}" 'ns2.example A 127.0.0.99' 'example NS ns.elsewhere.test.'
	run -1 sslm-nscheck -p "$port" example.com
	[ "$(sort <<<"$output")" = "$at delegates the zone to a server that the zone does not name: 'ns.elsewhere.test'
$at has glue that the zone has not: ns2.example.com. 60 IN A 127.0.0.99" ]
	above "${glue[@]}"
	sed -i '/example NS ns2/d' above/com.zone
	dns_stop top
	knot_start top 127.0.0.4 "$port" above/com.zone
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at does not delegate the zone to 'ns2.example.com'" ]
	sed -i '/example/d' above/com.zone
	dns_stop top
	knot_start top 127.0.0.4 "$port" above/com.zone
	run -1 sslm-nscheck -p "$port" example.com
	[ "$output" = "$at does not delegate the zone 'example.com'" ]
	# Who cannot be asked is no fault.
	dns_stop top
	began=$EPOCHSECONDS
	run -0 sslm-nscheck -p "$port" example.com
	[ -z "$output" ]
	run -0 sslm-nscheck -v -p "$port" example.com
	[[ $output == "sslm-nscheck: no server of the zone above 'example.com' has told anything: "* ]]
	[ $((EPOCHSECONDS - began)) -le 24 ]
}

@test "several servers of the zone above say it once" {
	primaries example.com=127.0.0.2 com=127.0.0.4
	serve first 127.0.0.2 1
	serve second 127.0.0.3 1
	above "${glue[@]}" '@ NS nsb' 'nsb A 127.0.0.5' 'example NS ns9.elsewhere.test.'
	nsd_start other 127.0.0.5 "$port" above/com.zone
	run -1 sslm-nscheck -p "$port" example.com
	[ "${#lines[@]}" = 1 ]
	[[ $output == *"does not name: 'ns9.elsewhere.test' (and so do 1 more)" ]]
}

@test "without a primary the newest server counts, not what a resolver has still" {
	unshare -mn true 2>/dev/null || skip "cannot have another resolv.conf"
	cat >inside <<-'END'
	ip link set lo up
	printf 'nameserver 127.0.0.53\n' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf
	. "$TOP/tests/dns.bash"
	port=53
	$serial 9 >first.d/example.com.zone
	END
	declare -f serial dns_zone >>inside
	cat >>inside <<-'END'
	serial 7 >first.d/example.com.zone
	serial 9 >second.d/example.com.zone
	knot_start first 127.0.0.2 53 first.d/example.com.zone
	knot_start second 127.0.0.3 53 second.d/example.com.zone
	cat >unbound.conf <<-EOF
	server:
	  interface: 127.0.0.53
	  username: ""
	  chroot: ""
	  directory: "$PWD"
	  pidfile: "$PWD/unbound.pid"
	  do-not-query-localhost: no
	  module-config: iterator
	  local-zone: example.com nodefault
	stub-zone:
	  name: example.com
	  stub-addr: 127.0.0.2
	remote-control:
	  control-enable: no
	EOF
	mkdir resolver
	unbound -d -c unbound.conf >resolver/log 2>&1 &
	echo $! >resolver/pid
	dns_wait resolver 127.0.0.53 53 example.com
	sslm-nscheck example.com
	status=$?
	dns_stop_all
	exit $status
	END
	sed -i '/^\$serial/d' inside
	run -1 unshare -mn bash inside
	[ "$output" = "sslm-nscheck: ns1.example.com (127.0.0.2) is behind: serial 7, newest 9" ]
}

@test "JSON: what each server serves and lacks, and since when" {
	primaries example.com=127.0.0.2 com=127.0.0.4
	serve first 127.0.0.2 9
	serve second 127.0.0.3 7
	above "${glue[@]}"
	before=$(date -u +%FT%TZ)
	run -1 --separate-stderr sslm-nscheck -j -p "$port" example.com
	after=$(date -u +%FT%TZ)
	echo "$output" >json
	[ "$(jq -r '.served, .zones[0].zone, .named[0].source, .named[0].parent' json | xargs)" = \
	    "false example.com primary com" ]
	[ "$(jq -r '.zones[0].servers[] | "\(.host) \(.address) \(.port) \(.serves)"' json)" = \
	    "ns1.example.com 127.0.0.2 $port true
ns2.example.com 127.0.0.3 $port false" ]
	[ "$(jq -r '.zones[0].servers[1].records[] | select(.serves | not) | .type, .faults[]' json)" = \
	    "SOA
is behind: serial 7, primary 9" ]
	since=$(jq -r '.zones[0].servers[1].records[1].since' json)
	[[ ! $since < $before ]]
	[[ ! $since > $after ]]
	[ "$(jq -r '.named[0].parents[] | "\(.address) \(.told) \(.faults | length)"' json)" = "127.0.0.4 true 0" ]
	printf '%s\n' 'x.example.com. 60 IN TXT "one"' 'x.example.com. TXT "t\233\\wo\""' >z
	run -75 --separate-stderr sslm-nscheck -j -w 3 -p "$port" <z
	echo "$output" >json
	[ "$(jq -r '.records[0].lines[1]' json)" = 'x.example.com. TXT "t\233\\wo\""' ]
	[ "$(jq -r '.zones[0].servers[1].records[0].lacks[]' json)" = 'x.example.com. TXT "t\233\\wo\""' ]
	[ "$(jq -r '.records[0] | "\(.owner) \(.type) \(.ttl) \(.served)"' json)" = "x.example.com TXT 60 false" ]
	[ "$(jq -r '.zones[0].servers[0].records[0] | (.asked | fromdate) - (.since | fromdate) >= 1' json)" = true ]
	run -0 --separate-stderr sslm-nscheck -j -p "$port" <<<'x.example.com. 60 IN TXT "one"'
	[ "$(jq -r .served <<<"$output")" = true ]
	run -75 bash -c "sslm-nscheck -j -p $port example.com >/dev/full"
}
