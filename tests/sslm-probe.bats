setup() {
	load helper
	load dns
	load tls
	workdir
	export HOST=mx.example.com
	PORT=$(free_port)
	ca
}
teardown() { dns_stop_all; }

# both NAME ADDR [option...]: a server with an RSA and an ECDSA certificate.
both() {
	local name=$1 addr=$2
	shift 2
	[ -e rsa.pem ] || leaf rsa "$RSA"
	[ -e ec.pem ] || leaf ec "$EC"
	s_server "$name" "$addr:$PORT" -cert rsa.pem -key rsa.key -dcert ec.pem -dkey ec.key "$@"
}

# probe ...: of mx.example.com at 127.0.0.2.
probe() { sslm-probe -n $HOST -A ca.pem "$@" "127.0.0.2:$PORT"; }

@test "an RSA and an ECDSA certificate are asked for each, and shown" {
	for version in -tls1_2 -tls1_3; do
		both "s$version" 127.0.0.2 $version
		run -0 --separate-stderr probe
		[ -z "$stderr" ]
		[ "${#lines[@]}" = 2 ]
		v=TLSv${version#-tls}
		end=$(date -u -d "$(openssl x509 -in rsa.pem -noout -enddate | cut -d= -f2)" '+%Y-%m-%d %H:%M')
		[ "${lines[0]}" = "127.0.0.2:$PORT ${v/_/.} RSA:2048: mx.example.com, expires $end: ok" ]
		[[ ${lines[1]} == "127.0.0.2:$PORT ${v/_/.} EC:prime256v1: mx.example.com, expires "*": ok" ]]
		run -0 --separate-stderr probe -q
		[ -z "$output$stderr" ]
		dns_stop "s$version"
	done
}

@test "a server with one type of key is no fault, of either TLS" {
	leaf rsa "$RSA"
	leaf ec "$EC"
	leaf ed "$ED"
	for version in -tls1_2 -tls1_3; do
		for k in rsa ec ed; do
			s_server s "127.0.0.2:$PORT" -cert $k.pem -key $k.key $version
			run -0 --separate-stderr probe
			echo "$k $version: $output $stderr"
			[ "${#lines[@]}" = 1 ]
			[ -z "$stderr" ]
			case $k in
			rsa) [[ $output == *" RSA:2048: "* ]] ;;
			ec) [[ $output == *" EC:prime256v1: "* ]] ;;
			ed) [[ $output == *" ED25519: "* ]] ;;
			esac
			dns_stop s
		done
	done
}

@test "gnutls and nginx as servers, and an EC key below an RSA CA" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=CA -days 30 2>/dev/null
	leaf rsa "$RSA"
	leaf ec "$EC"
	tls_start gnutls "127.0.0.3:$PORT" '' gnutls-serv --echo -q -p "$PORT" \
	    --x509certfile rsa.pem --x509keyfile rsa.key --x509certfile ec.pem --x509keyfile ec.key
	run -0 probe
	[[ ${lines[0]} == *" TLSv1.3 RSA:2048: "*": ok" ]]
	[[ ${lines[1]} == *" TLSv1.3 EC:prime256v1: "*": ok" ]]
	dns_stop gnutls
	mkdir -p nginx
	cat >nginx.conf <<-END
	daemon off; master_process off; pid nginx/nginx.pid; error_log stderr; events {}
	http { access_log off; client_body_temp_path nginx/b; proxy_temp_path nginx/p; fastcgi_temp_path nginx/f;
	    uwsgi_temp_path nginx/u; scgi_temp_path nginx/s;
	    server { listen 127.0.0.2:$PORT ssl; ssl_certificate ../rsa.pem; ssl_certificate_key ../rsa.key;
	    ssl_certificate ../ec.pem; ssl_certificate_key ../ec.key; } }
	END
	sed -i 's|\.\./||; s|\.\./||' nginx.conf
	tls_start nginx "127.0.0.2:$PORT" '' nginx -e stderr -p "$PWD/" -c nginx.conf
	run -0 probe
	[ "${#lines[@]}" = 2 ]
}

@test "names, dates and trust anchors, as openssl judges them" {
	both s 127.0.0.2
	run -1 --separate-stderr sslm-probe -n $HOST "127.0.0.2:$PORT"
	[[ ${lines[0]} == *": does not fit" ]]
	[[ $stderr == *"the RSA certificate does not fit: unable to get local issuer certificate"* ]]
	run -1 --separate-stderr sslm-probe -n www.example.com -A ca.pem "127.0.0.2:$PORT"
	[[ $stderr == *"the ECDSA certificate does not fit: hostname mismatch"* ]]
	run -1 --separate-stderr sslm-probe -A ca.pem "127.0.0.2:$PORT"
	[[ $stderr == *"IP address mismatch"* ]]
	dns_stop s
	AT='2 days ago' leaf old "$EC" -days 1
	s_server s "127.0.0.2:$PORT" -cert old.pem -key old.key
	run -1 --separate-stderr probe
	[[ $stderr == *"certificate has expired"* ]]
	[[ $output == *"expires $(date -u -d "$(openssl x509 -in old.pem -noout -enddate | cut -d= -f2)" '+%Y-%m-%d %H:%M'): does not fit" ]]
}

@test "the trust anchors of the environment do not count" {
	both s 127.0.0.2
	SSL_CERT_FILE=$PWD/ca.pem run -1 sslm-probe -q -n $HOST "127.0.0.2:$PORT"
}

@test "the name is sent, and -v shows the whole chain" {
	leaf rsa "$RSA"
	HOST=other.example.com leaf other "$RSA"
	s_server s "127.0.0.2:$PORT" -cert other.pem -key other.key -servername mx.example.com \
	    -cert2 rsa.pem -key2 rsa.key
	probe -q
	dns_stop s
	s_server s "127.0.0.2:$PORT" -cert rsa.pem -key rsa.key -cert_chain ca.pem
	run -0 probe -v
	for f in rsa ca; do
		grep -qE "^  serial: +$(openssl x509 -in $f.pem -noout -serial | cut -d= -f2)$" <<<"$output"
	done
	[[ $output == *"cipher:          TLS_"* ]]
}

@test "-c: the server shows the key of this certificate, whatever else is with it" {
	both s 127.0.0.2
	leaf other "$EC"
	openssl req -x509 -key ec.key -subj /CN=x -days 3 -out same.pem 2>/dev/null
	run -0 --separate-stderr sslm-probe -c ec.pem "127.0.0.2:$PORT"
	[ "${#lines[@]}" = 1 ]
	sslm-probe -q -c same.pem "127.0.0.2:$PORT"
	sslm-probe -q -c rsa.pem -c ec.pem "127.0.0.2:$PORT"
	sslm-probe -q -c other.pem -c ec.pem "127.0.0.2:$PORT"
	run -1 --separate-stderr sslm-probe -q -c other.pem "127.0.0.2:$PORT"
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: the ECDSA certificate does not fit: it has another key than that which is looked for" ]
	run -1 sslm-probe -q -c other.pem -c rsa.pem "127.0.0.2:$PORT"
	leaf ed "$ED"
	run -1 --separate-stderr sslm-probe -q -c ed.pem "127.0.0.2:$PORT"
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: has no certificate with a key of type Ed25519" ]
	run -1 sslm-probe -q -c ec.pem -A ca.pem "127.0.0.2:$PORT"	# the name
	run -2 sslm-probe -q -c missing.pem "127.0.0.2:$PORT"
	dns_stop s
	run -75 --separate-stderr sslm-probe -q -c ec.pem "127.0.0.2:$PORT"
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: Connection refused" ]
}

@test "DANE: every usage, selector and match, as openssl s_client judges them" {
	both s 127.0.0.2 -cert_chain ca.pem -dcert_chain ca.pem
	leaf other "$EC"
	openssl req -x509 -key other.key -subj /CN=CA -days 3 -out otherca.pem 2>/dev/null
	for u in 0 1 2 3; do
		for s in 0 1; do
			for m in 0 1 2; do
				f=ec.pem
				w=other.pem
				case $u in 0 | 2) f=ca.pem w=otherca.pem ;; esac
				for file in $f $w; do
					tlsa "_$PORT._tcp.$HOST." $file $u $s $m >rr
					want=1
					if openssl s_client -connect "127.0.0.2:$PORT" -CAfile ca.pem -sigalgs ECDSA+SHA256 \
					    -dane_tlsa_domain $HOST -dane_tlsa_rrdata "$(cut -d' ' -f5- rr)" \
					    -verify_return_error </dev/null 2>/dev/null | grep -q '^Verification: OK'; then
						want=0
					fi
					[ $want = "$([ $file = $w ] && echo 1 || echo 0)" ]
					# Of the digests of one usage and selector only the strongest counts.
					{ cat rr; tlsa "_$PORT._tcp.$HOST." rsa.pem 3 1 $m; } >rrs
					echo "$u $s $m of $file: $want"
					run -$want --separate-stderr probe -D rrs
					[ $want = 1 ] || [[ $output == *"EC:prime256v1: "*", DANE $u $s $m: ok"* ]]
					[ $want = 0 ] || [[ $stderr == *"ECDSA certificate does not fit"* ]]
				done
			done
		done
	done
}

@test "DANE: each certificate has to fit, and one of a hundred records will do" {
	both s 127.0.0.2
	tlsa "_$PORT._tcp.$HOST." ec.pem 3 1 1 >ec.rr
	run -1 --separate-stderr probe -D ec.rr
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: the RSA certificate does not fit: it fits none of the TLSA records" ]
	{
		for n in $(seq 100); do
			printf '_%s._tcp.%s. 1800  IN TLSA 3 1 1 %064x\n' "$PORT" $HOST "$n"
		done
		tlsa "_$PORT._tcp.$HOST." rsa.pem 3 0 1
		printf ';; a comment\n\n'
		cat ec.rr
	} >rrs
	run -0 --separate-stderr probe -D - <rrs
	[ -z "$stderr" ]
	[[ ${lines[0]} == *", DANE 3 0 1: ok" ]]
	[[ ${lines[1]} == *", DANE 3 1 1: ok" ]]
	echo "_25._tcp.$HOST. IN TLSA 3 1 1 00" >rrs
	run -1 --separate-stderr probe -D rrs
	[ "$stderr" = "sslm-probe: the TLSA record '_$PORT._tcp.$HOST' is not in the lines" ]
}

@test "DANE: with usage 3 name and dates do not count, with 2 they do" {
	AT='2 days ago' leaf old "$EC" -days 1
	HOST=other.example.com leaf other "$EC"
	for k in old other; do
		s_server s "127.0.0.2:$PORT" -cert $k.pem -key $k.key -cert_chain ca.pem
		tlsa "_$PORT._tcp.$HOST." $k.pem 3 1 1 >rr
		probe -q -D rr
		tlsa "_$PORT._tcp.$HOST." ca.pem 2 0 1 >rr
		run -1 --separate-stderr probe -q -D rr
		case $k in
		old) [[ $stderr == *"certificate has expired"* ]] ;;
		other) [[ $stderr == *"hostname mismatch"* ]] ;;
		esac
		dns_stop s
	done
}

@test "DANE: usages 0 and 1 want a chain too, and are nothing to smtp" {
	leaf ec "$EC"
	s_server s "127.0.0.2:$PORT" -cert ec.pem -key ec.key
	tlsa "_$PORT._tcp.$HOST." ec.pem 1 1 1 >rr
	probe -q -D rr
	run -1 sslm-probe -q -n $HOST -D rr "127.0.0.2:$PORT"
	dns_stop s
	hostile_tls s "$PORT" 127.0.0.2=smtp
	probe -q -D rr -x submission
	run -1 --separate-stderr probe -q -D rr -x smtp
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: none of its TLSA records is of use: with SMTP they begin with 2 or 3" ]
	tlsa "_$PORT._tcp.$HOST." ec.pem 3 1 1 >>rr
	run -0 probe -D rr -x smtp
	[[ $output == *", DANE 3 1 1: ok" ]]
}

@test "STARTTLS of every protocol, and good manners at the end" {
	leaf ec "$EC"
	hostile_tls s "$PORT" 127.0.0.2=smtp 127.0.0.3=smtp-bare 127.0.0.4=imap 127.0.0.5=pop3 \
	    127.0.0.6=imap-talk
	c() { sslm-probe -q -n $HOST -A ca.pem "$@"; }
	c -x smtp "127.0.0.2:$PORT" "127.0.0.3:$PORT"
	c -x submission "127.0.0.2:$PORT"
	c -x imap "127.0.0.4:$PORT" "127.0.0.6:$PORT"
	c -x pop3 "127.0.0.5:$PORT"
	[ "$(grep '^smtp ' s/log | sort -u)" = "smtp said 'QUIT\r\n'" ]
	[ "$(grep '^imap ' s/log | sort -u)" = "imap said 'a LOGOUT\r\n'" ]
	[ "$(grep '^pop3 ' s/log | sort -u)" = "pop3 said 'QUIT\r\n'" ]
	# openssl's client thinks so too.
	for p in 2=smtp 4=imap 5=pop3; do
		timeout 20 openssl s_client -connect "127.0.0.${p%=*}:$PORT" -starttls ${p#*=} \
		    -verify_return_error -CAfile ca.pem </dev/null
	done
}

@test "servers that refuse, or do not know STARTTLS" {
	leaf ec "$EC"
	while read -r kind mode want message; do
		hostile_tls s "$PORT" "127.0.0.2=$mode"
		run "-$want" --separate-stderr timeout 20 \
		    sslm-probe -q -t 5 -n $HOST -A ca.pem -x "$kind" "127.0.0.2:$PORT"
		dns_stop s
		echo "$mode: $stderr"
		[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: $message" ]
	done <<-'END'
	smtp smtp-421 75 cannot serve now: 421 busy
	smtp smtp-554 1 refuses every client: 554 no \1B]0;title\07\1B[31m service
	smtp smtp-ehlo-502 1 refuses EHLO: 502 what
	smtp smtp-ehlo-451 75 cannot serve now: 451 later
	smtp smtp-plain 1 does not offer STARTTLS
	smtp smtp-454 75 cannot serve now: 454 not now
	smtp smtp-no 1 refuses STARTTLS: 502 no
	smtp smtp-codes 1 does not speak SMTP: 250 two
	smtp smtp-imap 1 does not speak SMTP: * OK hello
	smtp smtp-nul 1 does not speak SMTP: NUL octets
	smtp smtp-early 1 does not speak SMTP: it answers before it is asked
	smtp smtp-early-go 1 does not speak SMTP: it answers before it is asked
	imap imap-preauth 1 has no use for STARTTLS: * PREAUTH hello
	imap imap-bye 75 cannot serve now: * BYE later
	imap imap-no 1 refuses STARTTLS: a NO no TLS
	imap imap-bad 1 refuses STARTTLS: a BAD what
	imap imap-tag 1 does not speak IMAP: b OK go
	pop3 pop3-err 1 refuses every client: -ERR no
	pop3 pop3-temp 75 cannot serve now: -ERR [SYS/TEMP] later
	pop3 pop3-no 1 refuses STLS: -ERR what
	pop3 pop3-smtp 1 does not speak POP3: 220 there
	END
}

@test "text behind the answer to STARTTLS is not taken for what TLS protects" {
	leaf ec "$EC"
	hostile_tls s "$PORT" 127.0.0.2=smtp-inject 127.0.0.3=imap-inject 127.0.0.4=smtp-inject-tls
	run -1 --separate-stderr sslm-probe -n $HOST -A ca.pem -x smtp "127.0.0.2:$PORT"
	[ -z "$output" ]
	[ "$stderr" = "sslm-probe: 127.0.0.2:$PORT: sends more behind its answer to STARTTLS, which TLS does not protect" ]
	run -1 --separate-stderr sslm-probe -n $HOST -A ca.pem -x imap "127.0.0.3:$PORT"
	[[ $stderr == *"sends more behind its answer to STARTTLS"* ]]
	run -1 --separate-stderr sslm-probe -n $HOST -A ca.pem -x smtp "127.0.0.4:$PORT"
	[ -z "$output" ]
	run ! grep said s/log
}

@test "servers that close the connection, at every stage" {
	leaf ec "$EC"
	hostile_tls s "$PORT" 127.0.0.2=close-accept 127.0.0.3=close-greeting 127.0.0.4=close-ehlo \
	    127.0.0.5=close-go 127.0.0.6=tls-close
	for n in 2 3 4; do
		run -75 --separate-stderr sslm-probe -q -x smtp "127.0.0.$n:$PORT"
		[[ $stderr == *": ends the connection before TLS" ]]
	done
	run -75 --separate-stderr sslm-probe -q -x smtp "127.0.0.5:$PORT"
	[[ $stderr == *": ends the connection in the TLS handshake" ]]
	run -75 --separate-stderr sslm-probe -q "127.0.0.6:$PORT"
	[[ $stderr == *": ends the connection in the TLS handshake" ]]
}

@test "servers that speak no TLS, or refuse it" {
	leaf ec "$EC"
	hostile_tls s "$PORT" 127.0.0.2=tls-http 127.0.0.3=tls-binary 127.0.0.4=tls-alert 127.0.0.5=tls-none
	for n in 2 3; do
		run -1 --separate-stderr sslm-probe -q "127.0.0.$n:$PORT"
		[[ $stderr == *": does not speak TLS here" ]] || [[ $stderr == *": TLS handshake: "* ]]
	done
	run -1 --separate-stderr sslm-probe -q "127.0.0.4:$PORT"
	[[ $stderr == *": TLS handshake: "*" alert illegal parameter" ]]
	run -1 --separate-stderr sslm-probe -q "127.0.0.5:$PORT"
	[[ $stderr == *": refuses TLS, whatever the type of key" ]]
	dns_stop s
	s_server s "127.0.0.2:$PORT" -cert ec.pem -key ec.key -tls1_1 -cipher ALL:@SECLEVEL=0
	run -1 --separate-stderr sslm-probe -q "127.0.0.2:$PORT"
	[[ $stderr == *"protocol version"* ]]
}

@test "servers without end have one: of time, of lines, of octets" {
	leaf ec "$EC"
	hostile_tls s "$PORT" 127.0.0.2=silent 127.0.0.3=dribble 127.0.0.4=tls-dribble \
	    127.0.0.5=endless-line 127.0.0.6=endless-lines 127.0.0.7=endless-text 127.0.0.8=endless-imap \
	    127.0.0.9=binary
	begin=$(date +%s)
	run -75 --separate-stderr sslm-probe -q -t 2 -x smtp "127.0.0.2:$PORT" "127.0.0.3:$PORT"
	[ "${stderr_lines[0]}" = "sslm-probe: 127.0.0.2:$PORT: does not come to STARTTLS in time" ]
	[ "${stderr_lines[1]}" = "sslm-probe: 127.0.0.3:$PORT: does not come to STARTTLS in time" ]
	run -75 --separate-stderr sslm-probe -q -t 1 "127.0.0.4:$PORT" "127.0.0.2:$PORT"
	[ "${stderr_lines[0]}" = "sslm-probe: 127.0.0.4:$PORT: does not end the TLS handshake in time" ]
	[ "${stderr_lines[1]}" = "sslm-probe: 127.0.0.2:$PORT: does not end the TLS handshake in time" ]
	# Those do not need that long.
	run -1 --separate-stderr sslm-probe -q -t 60 -x smtp 127.0.0.{5,6,7}:"$PORT"
	[ "${stderr_lines[0]}" = "sslm-probe: 127.0.0.5:$PORT: sends a line without end" ]
	[ "${stderr_lines[1]}" = "sslm-probe: 127.0.0.6:$PORT: sends lines without end" ]
	[ "${stderr_lines[2]}" = "sslm-probe: 127.0.0.7:$PORT: sends text without end" ]
	run -1 --separate-stderr sslm-probe -q -t 60 -x imap "127.0.0.8:$PORT"
	[[ $stderr == *": sends lines without end" ]]
	run -1 --separate-stderr sslm-probe -q -t 60 -x smtp "127.0.0.9:$PORT"
	[ $(($(date +%s) - begin)) -lt 20 ]
}

@test "a chain without end" {
	leaf ec "$EC"
	for n in $(seq 200); do cat ca.pem; done >many.pem
	s_server s "127.0.0.2:$PORT" -cert ec.pem -key ec.key -cert_chain many.pem
	run -1 --separate-stderr probe -q
	[[ $stderr == *": sends a chain without end" ]]
}

@test "what a certificate says does nothing to a terminal" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout e.key -out e.pem \
	    -subj $'/CN=a\e[31mb\nc' -addext $'subjectAltName=DNS:a\e]0;x\ab' -days 3 2>/dev/null
	s_server s "127.0.0.2:$PORT" -cert e.pem -key e.key
	run -1 sslm-probe -v "127.0.0.2:$PORT"
	[[ $output == *': a\1B]0;x\07b, expires '* ]]
	[[ $output != *$'\e'* ]]
}

# A zone in DNS with the addresses of mx.example.com, by a name server at 127.0.0.1.
zone() {
	dns_zone example.com '@ NS ns1' 'ns1 A 127.0.0.1' "$@" >example.com.zone
	DNS=$(free_port)
	knot_start knot 127.0.0.1 "$DNS" example.com.zone
}

@test "all addresses of a host, IPv4 and IPv6; each one counts" {
	zone 'mx A 127.0.0.2' 'mx A 127.0.0.3' 'mx AAAA ::1' 'four CNAME mx' 'none TXT x'
	c() { sslm-probe -A ca.pem -n $HOST -r "127.0.0.1#$DNS" "$@"; }
	both two 127.0.0.2
	both three 127.0.0.3
	s_server six "[::1]:$PORT" -cert ec.pem -key ec.key
	run -0 --separate-stderr c "mx.example.com:$PORT"
	[ "${#lines[@]}" = 5 ]
	[ "$(grep -c "^mx.example.com:$PORT ::1 TLSv1.3 EC" <<<"$output")" = 1 ]
	[ "$(grep -c "^mx.example.com:$PORT 127.0.0.2 " <<<"$output")" = 2 ]
	[ "$(grep -c "^mx.example.com:$PORT 127.0.0.3 " <<<"$output")" = 2 ]
	[ "$(c -6 "mx.example.com:$PORT" | wc -l)" = 1 ]
	[ "$(c -4 "four.example.com:$PORT" | wc -l)" = 4 ]
	dns_stop three
	run -75 --separate-stderr c "mx.example.com:$PORT"
	[ "$stderr" = "sslm-probe: mx.example.com:$PORT 127.0.0.3: Connection refused" ]
	[ "${#lines[@]}" = 3 ]
	leaf other "$EC"
	s_server three "127.0.0.3:$PORT" -cert other.pem -key other.key
	run -1 --separate-stderr c -c ec.pem "mx.example.com:$PORT"
	[[ $stderr == "sslm-probe: mx.example.com:$PORT 127.0.0.3: the ECDSA certificate does not fit: "* ]]
	run -75 --separate-stderr c "none.example.com:$PORT" "no.example.com:$PORT"
	[ "${stderr_lines[0]}" = "sslm-probe: the host 'none.example.com' has no address: there is no such record" ]
	[ "${stderr_lines[1]}" = "sslm-probe: the host 'no.example.com' has no address: there is no such name" ]
}

@test "an address that there is no way to does not count beside others" {
	[ "$(id -u)" = 0 ] || skip "only root can make a network namespace"
	zone 'mx A 127.0.0.2' 'mx AAAA 2001:db8::1' 'six AAAA 2001:db8::1'
	dns_stop knot
	leaf ec "$EC"
	cat >in-net <<-END
	set -e
	. "$TOP/tests/dns.bash"; . "$TOP/tests/tls.bash"
	trap dns_stop_all EXIT
	ip link set lo up
	knot_start knot 127.0.0.1 $DNS example.com.zone 
	s_server s 127.0.0.2:$PORT -cert ec.pem -key ec.key
	sslm-probe -A ca.pem -r '127.0.0.1#$DNS' mx.example.com:$PORT
	got=0
	sslm-probe -q -A ca.pem -r '127.0.0.1#$DNS' six.example.com:$PORT || got=\$?
	[ \$got = 75 ]
	END
	run -0 --separate-stderr unshare -n bash in-net
	[[ $output == "mx.example.com:$PORT 127.0.0.2 "*": ok" ]]
	[ "${stderr_lines[0]}" = "sslm-probe: mx.example.com:$PORT 2001:db8::1: cannot be reached from here" ]
	[ "${stderr_lines[1]}" = "sslm-probe: the host 'six.example.com' cannot be reached from here" ]
}

@test "-D alone probes all owners, and passes over what is none" {
	zone 'mx A 127.0.0.2' 'www A 127.0.0.3'
	HOST='mx.example.com' leaf ec "$EC"
	HOST='mx.example.com' leaf rsa "$RSA"
	hostile_tls mx "$PORT" 127.0.0.2=smtp
	s_server www "127.0.0.3:$PORT" -cert rsa.pem -key rsa.key
	{
		tlsa "_$PORT._tcp.mx.example.com." ec.pem 3 1 1
		tlsa "_$PORT._tcp.*.example.com." ec.pem 3 1 1
		tlsa "*._tcp.mx.example.com." ec.pem 3 1 1
		tlsa "_$PORT._udp.mx.example.com." ec.pem 3 1 1
		tlsa "_x._tcp.mx.example.com." ec.pem 3 1 1
	} >mx.rr
	run -0 --separate-stderr sslm-probe -r "127.0.0.1#$DNS" -x smtp -D - <mx.rr
	[ "${#lines[@]}" = 1 ]
	[[ $output == "mx.example.com:$PORT 127.0.0.2 "*", DANE 3 1 1: ok" ]]
	[ "${#stderr_lines[@]}" = 4 ]
	[[ $stderr == *"'_$PORT._udp.mx.example.com' is passed over: it is not about TCP"* ]]
	[[ $stderr == *"'_$PORT._tcp.*.example.com' is passed over: a wildcard is no host"* ]]
	# The zone's own name is there, and has no address; a name that is not there is a fault.
	tlsa "_$PORT._tcp.example.com." ec.pem 3 1 1 >>mx.rr
	run -0 --separate-stderr sslm-probe -r "127.0.0.1#$DNS" -x smtp -D mx.rr
	[[ $stderr == *"'example.com' is passed over: it has no address"* ]]
	run -0 --separate-stderr sslm-probe -q -r "127.0.0.1#$DNS" -x smtp -D mx.rr
	[ -z "$output$stderr" ]
	run -75 --separate-stderr sslm-probe -r "127.0.0.1#$DNS" "example.com:$PORT"
	tlsa "_$PORT._tcp.gone.example.com." ec.pem 3 1 1 >>mx.rr
	run -75 --separate-stderr sslm-probe -r "127.0.0.1#$DNS" -x smtp -D mx.rr
	{
		tlsa "_$PORT._tcp.www.example.com." ec.pem 3 1 1
		tlsa "_$PORT._tcp.www.example.com." rsa.pem 3 1 1
		tlsa "_1._tcp.www.example.com." rsa.pem 3 1 1
	} >www.rr
	run -75 --separate-stderr sslm-probe -r "127.0.0.1#$DNS" -D www.rr
	[[ $output == "www.example.com:$PORT 127.0.0.3 TLSv1.3 RSA"*", DANE 3 1 1: ok" ]]
	[[ $stderr == *"www.example.com:1 127.0.0.3: Connection refused" ]]
}

# signed ZONE LINE...: a signed zone in ZONE.zone, and its DS records in ZONE.ds.
signed() {
	local zone=$1 key
	dns_zone "$@" >"$zone.plain"
	key=$(ldns-keygen -k -a ECDSAP256SHA256 "$zone")
	ldns-signzone -f "$zone.zone" -n "$zone.plain" "$key" 
	cp "$key.ds" "$zone.ds"
}

# resolver NAME PORT ZONEPORT ZONE...: unbound at 127.0.0.1, that asks there for those
# zones and validates those that have DS records here.
resolver() {
	local name=$1 port=$2 at=$3 zone
	shift 3
	mkdir -p "$name"
	{
		printf 'server:\n interface: 127.0.0.1@%s\n username: ""\n chroot: ""\n use-syslog: no\n' "$port"
		printf ' directory: "%s"\n pidfile: ""\n do-not-query-localhost: no\n' "$PWD/$name"
		printf ' num-threads: 1\n module-config: "validator iterator"\n do-ip6: no\n'
		for zone; do
			[ ! -e "$zone.ds" ] || printf ' trust-anchor-file: "%s"\n' "$PWD/$zone.ds"
		done
		printf 'remote-control:\n control-enable: no\n'
		for zone; do
			printf 'stub-zone:\n name: %s\n stub-addr: 127.0.0.1@%s\n' "$zone" "$at"
		done
	} >"$name/conf"
	unbound -d -c "$name/conf" >"$name/log" 2>&1 3>&- &
	echo $! >"$name/pid"
	dns_wait "$name" 127.0.0.1 "$port" "$1"
}

@test "-d believes what a validating resolver has validated, and nothing else" {
	leaf ec "$EC"
	rr=$(tlsa "_$PORT._tcp.mx.example.com." ec.pem 3 1 1)
	addr='mx A 127.0.0.2'
	signed example.com '@ NS ns1' 'ns1 A 127.0.0.1' "$addr" 'no A 127.0.0.2' "$rr" \
	    'also A 127.0.0.2' "_$PORT._tcp.also CNAME _$PORT._tcp.mx"
	signed example.org '@ NS ns1' 'ns1 A 127.0.0.1' "$addr" "${rr/.com/.org}"
	dns_zone example.net '@ NS ns1' 'ns1 A 127.0.0.1' "$addr" "${rr/.com/.net}" >example.net.zone
	# Somebody has put in another record.
	leaf other "$EC"
	sed -i "s/$(tlsa . ec.pem 3 1 1 | cut -d' ' -f8)/$(tlsa . other.pem 3 1 1 | cut -d' ' -f8)/" example.org.zone
	at=$(free_port)
	DNS=$(free_port)
	knot_start knot 127.0.0.1 "$at" example.com.zone example.org.zone example.net.zone
	resolver unbound "$DNS" "$at" example.com example.org example.net
	kdig +dnssec "@127.0.0.1" -p "$DNS" "_$PORT._tcp.mx.example.com" TLSA | grep -q 'Flags: qr rd ra ad'
	s_server s "127.0.0.2:$PORT" -cert ec.pem -key ec.key
	c() { sslm-probe -d -r "127.0.0.1#$DNS" "$@"; }
	run -0 --separate-stderr c "mx.example.com:$PORT"
	[[ $output == "mx.example.com:$PORT 127.0.0.2 TLSv1.3 EC:prime256v1: "*", DANE 3 1 1: ok" ]]
	[ -z "$stderr" ]
	c -q "also.example.com:$PORT"
	run -1 --separate-stderr c "no.example.com:$PORT"
	[ "$stderr" = "sslm-probe: the TLSA record '_$PORT._tcp.no.example.com' is not there" ]
	run -1 --separate-stderr c "mx.example.net:$PORT"
	[ "$stderr" = "sslm-probe: the TLSA record '_$PORT._tcp.mx.example.net' is not secure: the resolver has not validated the answer" ]
	run -1 --separate-stderr c "mx.example.org:$PORT"
	[[ $stderr == *"'_$PORT._tcp.mx.example.org' is not to be had: SERVFAIL, so it is bogus"* ]]
	# The name server itself validates nothing.
	DNS=$at run -1 --separate-stderr c "mx.example.com:$PORT"
	[[ $stderr == *"is not secure"* ]]
	dns_stop s
	s_server s "127.0.0.2:$PORT" -cert other.pem -key other.key
	run -1 --separate-stderr c -q "mx.example.com:$PORT"
	[[ $stderr == *"the ECDSA certificate does not fit: it fits none of the TLSA records" ]]
	dns_stop unbound
	run -75 --separate-stderr c -t 8 -q -n mx.example.com "127.0.0.2:$PORT"
	[[ $stderr == *"'_$PORT._tcp.mx.example.com' is not known: the resolver does not answer" ]]
}

@test "a mail server as it is: postfix, unbound, posttls-finger" {
	[ "$(id -u)" = 0 ] || skip "only root can make a network namespace"
	command -v posttls-finger >/dev/null || skip "no postfix"
	unshare -nm true 2>/dev/null || skip "cannot have another resolv.conf"
	leaf ec "$EC"
	leaf rsa "$RSA"
	leaf other "$EC"
	signed example.com '@ NS ns1' 'ns1 A 127.0.0.1' '@ MX 10 mx' 'mx A 127.0.0.1' \
	    "$(tlsa _25._tcp.$HOST. ec.pem 3 1 1)" "$(tlsa _25._tcp.$HOST. rsa.pem 3 1 1)"
	# Its own configuration and queue, below a path without a space.
	mail=$BATS_TEST_TMPDIR/mail
	mkdir -p "$mail/etc" "$mail/lib"
	for d in active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace; do
		mkdir -p "$mail/queue/$d"
	done
	chown -R postfix "$mail"
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" "$mail"
	cp ec.key ec.pem rsa.key rsa.pem "$mail/etc"
	cat >"$mail/etc/main.cf" <<-END
	compatibility_level = 3.6
	queue_directory = $mail/queue
	data_directory = $mail/lib
	inet_interfaces = loopback-only
	inet_protocols = ipv4
	myhostname = mx.example.com
	mynetworks = 127.0.0.0/8
	smtpd_peername_lookup = no
	alias_maps =
	local_recipient_maps =
	maillog_file = /dev/stdout
	smtpd_tls_chain_files = $mail/etc/ec.key, $mail/etc/ec.pem, $mail/etc/rsa.key, $mail/etc/rsa.pem
	smtpd_tls_security_level = may
	smtpd_tls_loglevel = 1
	tls_random_source = dev:/dev/urandom
	END
	cat >"$mail/etc/master.cf" <<-'END'
	smtp inet n - n - - smtpd
	anvil unix - - n - 1 anvil
	tlsmgr unix - - n 1000? 1 tlsmgr
	postlog unix-dgram n - n - 1 postlogd
	rewrite unix - - n - - trivial-rewrite
	proxymap unix - - n - - proxymap
	END
	echo 'nameserver 127.0.0.1' >resolv.conf
	cat >in-net <<-END
	set -e
	. "$TOP/tests/dns.bash"; . "$TOP/tests/tls.bash"
	$(declare -f resolver)
	trap dns_stop_all EXIT
	ip link set lo up
	mount --bind resolv.conf /etc/resolv.conf
	knot_start knot 127.0.0.1 5353 example.com.zone
	resolver unbound 53 5353 example.com
	tls_start postfix 127.0.0.1:25 '' /usr/lib/postfix/sbin/master -c "$mail/etc" -d
	timeout 20 posttls-finger -c -t 10 -l dane-only -P "$mail" example.com >finger 2>&1 || :
	sslm-probe -t 10 -d mx.example.com:25
	sslm-probe -d -q mx.example.com:25 -c ec.pem
	sslm-probe -q -c rsa.pem mx.example.com:25
	got=0
	sslm-probe -q -c other.pem mx.example.com:25 2>/dev/null || got=\$?
	[ \$got = 1 ]
	END
	run --separate-stderr unshare -nm bash in-net
	echo "$output"; echo "$stderr"; cat finger postfix/log || :
	[ "$status" = 0 ]
	grep -q '^posttls-finger: Verified TLS connection established to mx.example.com' finger
	[ -z "$stderr" ]
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == "mx.example.com:25 127.0.0.1 TLSv1.3 RSA:2048: mx.example.com, expires "*", DANE 3 1 1: ok" ]]
	[[ ${lines[1]} == "mx.example.com:25 127.0.0.1 TLSv1.3 EC:prime256v1: "*", DANE 3 1 1: ok" ]]
}

@test "a resolver on another machine is not believed without -r" {
	if grep -q '^nameserver *\(127\.\|::1\)' /etc/resolv.conf; then
		skip "this machine has a resolver"
	fi
	run -2 --separate-stderr sslm-probe -d mx.example.com:25
	[[ $stderr == *"names no resolver on this machine"* ]]
}

@test "make probe asks the servers of all services with TLSA records in use" {
	load site
	site
	run -0 m probe
	[ "$output" = "no service has TLSA records in use" ]
	zone 'mx A 127.0.0.2'
	leaf ec "$EC"
	leaf other "$EC"
	hostile_tls s "$PORT" 127.0.0.2=smtp
	mkdir -p certs/example.com/mail-ec/curr
	tlsa "_$PORT._tcp.$HOST." ec.pem 3 1 1 >certs/example.com/mail-ec/curr/tlsa.rr
	{ printf ';; a comment\n'; cat certs/example.com/mail-ec/curr/tlsa.rr; } >certs/example.com/tlsa.example.com
	flags="-x smtp -r 127.0.0.1#$DNS"
	run -0 --separate-stderr m probe PROBE_FLAGS="$flags"
	[[ $output == "mx.example.com:$PORT 127.0.0.2 "*", DANE 3 1 1: ok" ]]
	[ -z "$stderr" ]
	tlsa "_$PORT._tcp.$HOST." other.pem 3 1 1 >certs/example.com/tlsa.example.com
	run -2 --separate-stderr m probe PROBE_FLAGS="$flags"
	[[ $stderr == *"it fits none of the TLSA records"* ]]
	run -0 m probe SERVICES=ca
	[ "$output" = "no service has TLSA records in use" ]
}

@test "what is wrong in a command line" {
	run -2 sslm-probe
	run -2 sslm-probe -d
	run -2 sslm-probe -d -D x mx.example.com
	run -2 sslm-probe -D missing mx.example.com
	run -2 sslm-probe -D /dev/null -n mx.example.com
	run -2 sslm-probe -x ftp mx.example.com
	run -2 sslm-probe -t 0 mx.example.com
	run -2 sslm-probe -A missing mx.example.com
	run -2 sslm-probe -A ca.key mx.example.com
	run -2 sslm-probe mx.example.com:0
	run -2 sslm-probe mx.example.com:65536
	run -2 sslm-probe '[::1]x'
	run -2 sslm-probe '*.example.com'
	run -2 sslm-probe $'a\nb.example.com'
	run -2 --separate-stderr sslm-probe -d -r 127.0.0.1 192.0.2.1:25
	[[ $stderr == *"-n tells the name" ]]
	echo 'no record' | run -2 sslm-probe -D - mx.example.com
	printf 'a.\0\n' | run -2 sslm-probe -D - mx.example.com
}
