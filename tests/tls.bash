# shellcheck shell=bash
# Loaded by the tests that want servers with TLS.  tests/dns.bash has free_port and
# dns_stop_all, which stops these too.

# leaf NAME KEY [openssl x509 option...]: NAME.key and NAME.pem, for the DNS name
# $HOST, of a key of that kind, signed by the CA in ca.key and ca.pem; AT='2 days ago' for
# another time than now.
leaf() {
	local name=$1 key=$2
	shift 2
	# shellcheck disable=SC2086
	openssl req -new -newkey $key -nodes -keyout "$name.key" -subj "/CN=$HOST" 2>/dev/null |
	    ${AT:+faketime "$AT"} openssl x509 -req -CA ca.pem -CAkey ca.key -out "$name.pem" -days 30 "$@" \
	    -extfile <(printf 'subjectAltName=DNS:%s\n' "$HOST") 2>/dev/null
}
export RSA='rsa:2048' EC='ec -pkeyopt ec_paramgen_curve:P-256' ED='ed25519'

# A CA, in ca.key and ca.pem.
ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
	    -out ca.pem -subj /CN=CA -days 30 2>/dev/null
}

# tls_start NAME ADDR:PORT WORD COMMAND...: a server, in the background, its pid in
# NAME/pid, what it says in NAME/log.  Returns when that has the word, or, if that is
# empty, when the port is open.
tls_start() {
	local name=$1 at=$2 word=$3 _
	shift 3
	mkdir -p "$name"
	: >"$name/log"	# not what the one before has said
	"$@" >"$name/log" 2>&1 3>&- </dev/null &
	echo $! >"$name/pid"
	for _ in $(seq 400); do
		if [ -n "$word" ]; then
			! grep -q "$word" "$name/log" || return 0
		else
			! (exec 9<>"/dev/tcp/${at%:*}/${at##*:}") 2>/dev/null || return 0
		fi
		kill -0 "$(cat "$name/pid")" || break
		sleep 0.02
	done
	cat "$name/log"
	return 1
}

# s_server NAME ADDR:PORT [option...]: openssl's.
s_server() {
	local name=$1 at=$2
	shift 2
	tls_start "$name" "$at" ACCEPT openssl s_server -www -accept "$at" "$@"
}

# hostile_tls NAME PORT ADDR=MODE...: tests/hostile_tls.py, with ec.pem.
hostile_tls() {
	local name=$1
	shift
	tls_start "$name" - ^ready python3 "$TOP/tests/hostile_tls.py" ec.pem ec.key "$@"
}

# tlsa OWNER FILE USAGE SELECTOR MATCH: the record of a certificate, made by openssl.
tlsa() {
	local hash
	case $4 in
	0) openssl x509 -in "$2" -outform der >.der ;;
	1) openssl x509 -in "$2" -pubkey -noout | openssl pkey -pubin -outform der >.der ;;
	esac
	case $5 in
	0) hash=$(xxd -p .der | tr -d '\n') ;;
	1) hash=$(openssl dgst -sha256 -r .der | cut -d' ' -f1) ;;
	2) hash=$(openssl dgst -sha512 -r .der | cut -d' ' -f1) ;;
	esac
	printf '%s 1800 IN TLSA %s %s %s %s\n' "$1" "$3" "$4" "$5" "$hash"
}
