# The examples for the zone's side, as they are shipped, with the name servers that they
# are for: what sslm puts beside a zone is published, signed, and waited for.
setup() {
	load helper
	load dns
	workdir
	root=$BATS_TEST_TMPDIR/root		# NSD reads no $INCLUDE with a blank
	mkdir "$root" && ln -s "$root" root
	port=$(free_port)
	mkdir -p root/etc/zones/sslm root/etc/{bind,knot,nsd} root/var/lib/{bind,knot,zones} \
	    root/run/{knot,nsd}
	cp "$TOP"/doc/examples/zones/* root/etc/zones/
	# What is shipped, with other places for things and nothing else.
	sed -i -e "s|^\([a-z]*\)=\(/[^ \t]*\)|\1='$PWD/root\2'|" -e "s|^port=53\$|port=$port|" \
	    root/etc/zones/resign-*
	sed -i -e "s|\"/|\"$root/|" -e '/user: knot:knot/d' \
	    -e "s|listen: .*|listen: 127.0.0.1@$port|" -e "/^remote:/,/^acl:/s|address: 192.0.2.2|&@$port|" \
	    -e "s|notify: 192.0.2.2|&@$port|" -e 's|192\.0\.2\.|127.0.0.|' root/etc/zones/*.conf
	sed -i -e "s|^\(.INCLUDE \)|\1$root|" -e 's|192\.0\.2\.|127.0.0.|' \
	    root/etc/zones/example.com.zone
	touch root/etc/zones/sslm/{acme-challenge,tlsa}.example.com
}
teardown() { dns_stop_all; }

# The three, each for a zone that it has never seen.
up() {
	mkdir -p "$1"
	"up_$1"
	script=root/etc/zones/resign-$1
	until kdig +time=1 +retry=0 @127.0.0.1 -p "$port" example.com SOA >/dev/null 2>&1; do
		kill -0 "$(cat "$1/pid")" || { cat "$1/log"; return 1; }
		sleep 0.05
	done
}

up_bind() {	# [configuration]
	tsig-keygen rndc-key >root/etc/bind/rndc.key
	rndc_port=${rndc_port:-$(free_port)}
	{
		cat root/etc/bind/rndc.key
		echo "options { default-key rndc-key; default-server 127.0.0.1; default-port $rndc_port; };"
	} >root/etc/bind/rndc.conf
	{
		echo "options { directory \"$root/var/lib/bind\"; recursion no; dnssec-validation no;"
		echo "listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };"
		echo 'pid-file none; session-keyfile none; };'
		echo "include \"$root/etc/bind/rndc.key\";"
		echo "controls { inet 127.0.0.1 port $rndc_port allow { 127.0.0.1; } keys { rndc-key; }; };"
		echo "include \"$root/etc/zones/${1:-named.conf}\";"
	} >root/etc/bind/named.conf
	named -g -c root/etc/bind/named.conf >bind/log 2>&1 3>&- &
	echo $! >bind/pid
	until rndc -c root/etc/bind/rndc.conf status >/dev/null 2>&1; do
		kill -0 "$(cat bind/pid)" || { cat bind/log; return 1; }
		sleep 0.05
	done
}

up_knot() {	# [configuration]
	cp "root/etc/zones/${1:-knot.conf}" root/etc/knot/knot.conf
	sed -i 's/target: syslog/target: stderr/' root/etc/knot/knot.conf
	knotd -c root/etc/knot/knot.conf >knot/log 2>&1 3>&- &
	echo $! >knot/pid
}

up_nsd() {
	{
		sed -e '/ip-address: ::0/d' -e "s|ip-address: .*|ip-address: 127.0.0.1@$port|" \
		    root/etc/zones/nsd.conf
		printf '%s\n' server: 'server-count: 1' 'username: ""' 'database: ""' \
		    "pidfile: \"$PWD/nsd/nsd.pid\"" "xfrdfile: \"$PWD/nsd/xfrd\"" \
		    "zonelistfile: \"$PWD/nsd/list\"" "xfrdir: \"$PWD/nsd\""
	} >root/etc/nsd/nsd.conf
	mkdir -p root/etc/zones/keys/example.com
	if [ -z "$(ls root/etc/zones/keys/example.com)" ]; then
		(cd root/etc/zones/keys/example.com && ldns-keygen -a ECDSAP256SHA256 -k example.com &&
		    ldns-keygen -a ECDSAP256SHA256 example.com)
	fi
	nsd -d -c root/etc/nsd/nsd.conf >nsd/log 2>&1 3>&- &
	echo $! >nsd/pid
}

serial() { kdig +short "@${1:-127.0.0.1}" -p "$port" example.com SOA | cut -d' ' -f3; }

# validated NAME TYPE: the answer, if delv can follow it from the zone's own key.
validated() {
	kdig +short @127.0.0.1 -p "$port" example.com DNSKEY | grep '^257 ' |
	    sed 's/^\([0-9]*\) \([0-9]*\) \([0-9]*\) \(.*\)/"example.com." static-key \1 \2 \3 "\4";/' |
	    { echo 'trust-anchors {'; cat; echo '};'; } >anchor
	delv @127.0.0.1 -p "$port" -a anchor +root=example.com "$@" >answer 2>&1 || { cat answer; return 1; }
	grep -Eq '^; (negative response, )?fully validated' answer
	cat answer
}

tlsa() {	# hex digit: what sslm would write
	printf ';;\n;; tlsa example.com\n;;\n_25._tcp.mx1.example.com. 1800  IN TLSA 3 1 1 %s\n' \
	    "$(printf "$1%.0s" {1..64})" >root/etc/zones/sslm/tlsa.example.com
}
txt() {
	printf ';; acme-challenge for : example.com\n_acme-challenge.www.example.com. 60 IN TXT "%s"\n' \
	    "$1" >root/etc/zones/sslm/acme-challenge.example.com
}

# Whatever happens to the rest, the administrator's file is not touched.
works() {
	up "$1"
	sha256sum root/etc/zones/example.com.zone >sum
	run -0 "$script" --serial_bump example.com
	[ -z "$output" ]
	first=$(serial)
	[ "$first" -ge "$(($(date +%s) - 60))" ]
	validated mx1.example.com A | grep -q 127.0.0.25
	# The answers are there when the script returns, not some time later.
	tlsa a
	txt one
	run -0 "$script" --serial_bump example.com
	kdig +short @127.0.0.1 -p "$port" _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	kdig +short @127.0.0.1 -p "$port" _acme-challenge.www.example.com TXT | grep -qx '"one"'
	second=$(serial)
	[ "$second" -gt "$first" ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	validated _acme-challenge.www.example.com TXT | grep -q '"one"'
	validated none.example.com A | grep -q 'negative response, fully validated'
	# The whole zone, from beginning to end, by another tool.
	tlsa b
	run -0 "$script" --serial-bump EXAMPLE.COM.
	[ "$(serial)" -gt "$second" ]
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 bbbb'
	sha256sum -c --quiet sum
}

refuses() {
	up "$1"
	tlsa a
	run -0 "$script" -s example.com
	was=$(serial)
	ls -la root/var/lib/*/example.com.zone
	cksum root/var/lib/*/example.com.zone >sum
	echo '_25._tcp.mx1.example.com. 1800 IN TLSA 3 1 1 zz' >root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	[[ $output == *"example.com.zone' is not fit for use; what is served stays" ]]
	rm root/etc/zones/sslm/tlsa.example.com
	run -1 "$script" --serial_bump example.com
	cksum root/var/lib/*/example.com.zone | diff sum -
	[ "$(serial)" = "$was" ]
	# Started now, it has the zone that was good.
	dns_stop "$1"
	up "$1"
	until [ -n "$(serial)" ]; do sleep 0.05; done
	validated _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 aaaa'
	# One zone that is not right does not keep the others.
	run -1 "$script" --serial_bump nosuch.example example.com
	[[ $output == *"cannot find the zone's file"* ]]
	tlsa c
	run -1 "$script" --serial_bump nosuch.example example.com
	kdig +short @127.0.0.1 -p "$port" _25._tcp.mx1.example.com TLSA | grep -qi '3 1 1 cccc'
}

@test "BIND: published, signed, and there when the script returns" { works bind; }
@test "Knot: published, signed, and there when the script returns" { works knot; }
@test "NSD: published, signed, and there when the script returns" { works nsd; }
@test "BIND: a zone that is not right is not put into use" { refuses bind; }
@test "Knot: a zone that is not right is not put into use" { refuses knot; }
@test "NSD: a zone that is not right is not put into use" { refuses nsd; }
