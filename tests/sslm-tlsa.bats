setup() {
	load helper
	load tls
	workdir
	export HOST=mx.example.com
	ca
	leaf ec "$EC"
	cat ec.pem ca.pem >chain.pem
	o=_25._tcp.$HOST
}

# line OWNER.TTL... of ldns or danetool in our form, one blank between words.
plain() { tr -s ' \t' ' ' | tr -d '()' | sed 's/ $//; s/ 0\([0-3]\)\b/ \1/g' | tr -s ' '; }

@test "all usages, selectors and matching types, as openssl, ldns-dane and danetool have them" {
	command -v ldns-dane danetool
	for u in 0 1 2 3; do
		for s in 0 1; do
			for m in 0 1 2; do
				run -0 --separate-stderr sslm-tlsa -u $u -s $s -m $m chain.pem $o
				[ -z "$stderr" ]
				[ "${#lines[@]}" = 1 ]
				of=ec.pem
				case $u in 0 | 2) of=ca.pem ;; esac
				[ "$(plain <<<"$output")" = "$(tlsa $o. $of $u $s $m)" ]
				ldns-dane -c chain.pem -f ca.pem create $HOST 25 $u $s $m | plain >ldns
				[ "$(plain <<<"$output")" = "$(sed 's/ 3600 / 1800 /' ldns)" ]
				# danetool has digests alone.
				[ $m != 0 ] || continue
				set -- --tlsa-rr --host $HOST --port 25 --load-certificate $of --hash sha$((m * 256))
				[ $s = 1 ] || set -- "$@" --x509
				case $u in 0 | 2) set -- "$@" --ca ;; esac
				case $u in 0 | 1) set -- "$@" --no-domain ;; esac
				danetool "$@" | plain >gnutls
				[ "$(plain <<<"$output" | sed 's/ 1800//')" = "$(cat gnutls)" ]
			done
		done
	done
}

@test "3 1 1 and 1800 seconds if nothing is said, and the blanks that ssl-mgr has" {
	run -0 sslm-tlsa ec.pem $o
	[ "$output" = "$o. 1800  IN TLSA 3 1 1 $(tlsa . ec.pem 3 1 1 | cut -d' ' -f8)" ]
}

@test "of a certificate, its request and its key, the same; of every type of key" {
	for k in ec rsa ed p384; do
		case $k in
		rsa) leaf rsa "$RSA" ;;
		ed) leaf ed "$ED" ;;
		p384) leaf p384 'ec -pkeyopt ec_paramgen_curve:P-384' ;;
		esac
		openssl req -new -key $k.key -subj /CN=other -out $k.csr
		openssl pkey -in $k.key -traditional -out $k.old 2>/dev/null || cp $k.key $k.old
		for m in 0 1 2; do
			for f in pem csr key old; do
				[ "$(sslm-tlsa -m $m $k.$f $o | plain)" = "$(tlsa $o. $k.pem 3 1 $m)" ]
			done
		done
		for f in csr key; do
			run -1 --separate-stderr sslm-tlsa -s 0 $k.$f $o
			[ -z "$output" ]
			[ "$stderr" = "sslm-tlsa: '$k.$f' holds no certificate, which selector 0 is about" ]
		done
	done
}

@test "usages 0 and 2 are about the certificate above the first, if there is one" {
	for u in 0 2; do
		[ "$(sslm-tlsa -u $u chain.pem $o | plain)" = "$(tlsa $o. ca.pem $u 1 1)" ]
		[ "$(sslm-tlsa -u $u ca.pem $o | plain)" = "$(tlsa $o. ca.pem $u 1 1)" ]
	done
	for u in 1 3; do
		[ "$(sslm-tlsa -u $u chain.pem $o | plain)" = "$(tlsa $o. ec.pem $u 1 1)" ]
	done
	# An intermediate one is nearest.
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout int.key -subj /CN=Int 2>/dev/null |
	    openssl x509 -req -CA ca.pem -CAkey ca.key -out int.pem -days 30 \
	    -extfile <(echo basicConstraints=CA:TRUE) 2>/dev/null
	cat ec.pem int.pem ca.pem >three.pem
	[ "$(sslm-tlsa -u 2 three.pem $o | plain)" = "$(tlsa $o. int.pem 2 1 1)" ]
}

@test "owners in the command line or on standard input, a line each, in their order" {
	run -0 sslm-tlsa ec.pem $o _465._tcp.MX2.Example.Com. '*._tcp.www.example.com'
	[ "$(cut -d' ' -f1 <<<"$output")" = "$(printf '%s\n' $o. _465._tcp.mx2.example.com. '*._tcp.www.example.com.')" ]
	printf ' %s\n\n%s\t%s\r\n' $o _465._tcp.mx2.example.com '*._tcp.www.example.com' |
	    sslm-tlsa ec.pem >in
	[ "$(cat in)" = "$output" ]
	run -0 --separate-stderr sslm-tlsa ec.pem </dev/null
	[ -z "$output" ]
}

@test "-t is the TTL, and 0 leaves it to the zone" {
	[[ $(sslm-tlsa -t 60 ec.pem $o) == "$o. 60  IN TLSA 3 1 1 "* ]]
	[[ $(sslm-tlsa -t 604800 ec.pem $o) == "$o. 604800  IN TLSA "* ]]
	[[ $(sslm-tlsa -t 0 ec.pem $o) == "$o. IN TLSA 3 1 1 "* ]]
}

@test "BIND, Knot and ldns read the lines, a whole RSA certificate too" {
	leaf rsa 'rsa:4096'
	{
		printf '%s\n' '$TTL 60' 'example.com. SOA ns1.example.com. h.example.com. 1 3600 600 86400 60' \
		    'example.com. NS ns1.example.com.' 'ns1.example.com. A 192.0.2.1'
		for m in 0 1 2; do
			for s in 0 1; do
				sslm-tlsa -s $s -m $m rsa.pem $o '_443._tcp.www.example.com'
			done
		done
		sslm-tlsa -t 0 ec.pem '*._tcp.example.com'
	} >example.com.zone
	named-checkzone -q example.com example.com.zone
	kzonecheck -o example.com example.com.zone
	ldns-read-zone example.com.zone >read
	[ "$(grep -c 'IN[[:space:]]TLSA' read)" = 13 ]
	named-checkzone -q -o bind -D example.com example.com.zone
	[ "$(grep -c TLSA bind)" = 13 ]
}

@test "what is no owner is refused, and nothing is printed" {
	for bad in 192.0.2.1 ::1 'a b' 'a;b' 'a$b.c' '' . '_25._tcp..x' "$(printf 'a%.0s' {1..64}).x" $'a\nb.c'; do
		run -2 --separate-stderr sslm-tlsa ec.pem $o "$bad"
		[ -z "$output" ]
		[[ $stderr == *"cannot be an owner: "* ]]
	done
	echo "$o 192.0.2.1" | run -2 --separate-stderr sslm-tlsa ec.pem
	[ -z "$output" ]
}

@test "files that are no source are refused with status 1" {
	: >empty
	echo text >text
	printf -- '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n' >bad
	openssl pkey -in ec.key -aes128 -passout pass:x -out locked.key
	sed '/END/d' ec.pem >cut
	for f in empty text bad locked.key cut missing .; do
		run -1 --separate-stderr sslm-tlsa $f $o </dev/null
		[ -z "$output" ]
		[[ $stderr == "sslm-tlsa: "*"'$f'"* ]]
	done
}

@test "numbers that there are not are wrong usage" {
	for f in -u4 -u-1 -s2 -m3 -mx -t604801 -t-1 -t; do
		run -2 sslm-tlsa $f ec.pem $o
	done
	run -2 sslm-tlsa
	run -2 sslm-tlsa -u 3
}

@test "a key is read and not shown, and stdout that is full is a failure" {
	run -0 sslm-tlsa -m 0 ec.key $o
	secret=$(openssl pkey -in ec.key -noout -text | sed -n '/^priv:/,/^pub:/{//!p}' | tr -d ' :\n')
	[ ${#secret} -ge 64 ]
	[[ $output != *"$secret"* ]]
	run -75 bash -c "sslm-tlsa ec.pem $o >/dev/full"
}
