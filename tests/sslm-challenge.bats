# sslm-challenge: what CAs want to see is published where it belongs, withdrawn, and
# known in between, whenever a run is killed.
setup_file() {
	load helper
	load dns
	cd "$BATS_FILE_TMPDIR"
	export PORT
	PORT=$(free_port)
	dns_zone example.com 'ns1 A 127.0.0.1' '_acme-challenge.alias CNAME alias.acme.example.org.' \
	    '_acme-challenge.loop CNAME loop2' 'loop2 CNAME _acme-challenge.loop' \
	    >example.com.zone
	dns_zone example.org 'ns1 A 127.0.0.1' >example.org.zone
	knot_start knot 127.0.0.1 "$PORT" example.com.zone example.org.zone
}

teardown_file() {
	load dns
	cd "$BATS_FILE_TMPDIR"
	dns_stop_all
}

setup() {
	load helper
	load dns
	workdir
	mkdir -p conf.d 'zones 1' zones2 www cmds
	conf
	printf '%s\n' '[le]' 'ca_type = "acme"' 'ca_url = "https://ca.example/dir"' \
	    '[my]' 'ca_type = "local"' >conf.d/ca-info.conf
	service example.com/web
	service example.com/mail
	service example.com/own my
	service example.org/www
}

teardown() {
	if [ -e "$BATS_TEST_TMPDIR/sshd.pid" ]; then
		kill "$(cat "$BATS_TEST_TMPDIR/sshd.pid")" || :
	fi
	dns_stop_all
}

# conf [LINE...]: ssl-mgr.conf, with these lines for [dns] and [web] instead of ours.
conf() {
	[ $# -gt 0 ] || set -- '[dns]' 'acme_dir = ["zones 1", "zones2"]' '[web]' 'server_dir = "www"'
	printf '%s\n' "$@" '[[dns_primary]]' 'domain = "default"' 'server = "127.0.0.1"' \
	    "port = $PORT" '[[groups]]' 'active = true' 'domain = "example.com"' \
	    'services = "ALL"' '[[groups]]' 'active = true' 'domain = "example.org"' \
	    'services = "ALL"' >conf.d/ssl-mgr.conf
}

service() {
	mkdir -p "conf.d/${1%/*}"
	printf '%s\n' "name = '$1'" "group = '${1%/*}'" "service = '${1#*/}'" \
	    "signing_ca = '${2-le}'" '[KeyOpts]' '[X509]' "CN = '${1%/*}'" >"conf.d/$1"
}

# value N, token N: a digest in base64url, and a token.
value() { printf '%043d' "$1"; }
token() { printf 'Token_-%020d' "$1"; }

# dns NAME N, http NAME N, persist NAME: a challenge.
dns() {
	jq -n --arg n "$1" --arg v "$(value "$2")" --arg t "$(token "$2")" '{type: "dns-01",
	    identifier: $n, url: "https://ca.example/c/1", authorization: "https://ca.example/a/1",
	    token: $t, owner: "_acme-challenge.\($n)", txt: $v}'
}
http() {
	jq -n --arg n "$1" --arg v "$(value "$2")" --arg t "$(token "$2")" '{type: "http-01",
	    identifier: $n, url: "https://ca.example/c/1", authorization: "https://ca.example/a/1",
	    token: $t, content: "\($t).\($v)"}'
}
persist() {
	jq -n --arg n "$1" --arg v "ca.example; accounturi=https://ca.example/acct/1" \
	    '{type: "dns-persist-01", identifier: $n, url: "https://ca.example/c/1",
	    authorization: "https://ca.example/a/1", owner: "_validation-persist.\($n)", txt: $v}'
}

# order SERVICE CHALLENGE...: its next, with an order.
order() {
	local dir=certs/$1
	shift
	mkdir -p "$dir/db/g"
	ln -sfn db/g "$dir/next"
	printf '%s\n' "$@" | jq -s '{directory: "https://ca.example/dir",
	    url: "https://ca.example/o/1", account: "https://ca.example/acct/1",
	    finalize: "https://ca.example/o/1/f", newNonce: "https://ca.example/nonce",
	    expires: "2026-11-28T00:00:00Z", csr: ("0123456789abcdef" * 4), challenges: .,
	    nonces: ["abc-_1"], saved: 1795000000}' >"$dir/next/order.json"
}

# zone ZONE [RECORD...]: is that what every acme_dir has?
zone() {
	local d
	for d in 'zones 1' zones2; do
		printf '%s\n' ";; acme-challenge for : $1" ";; acme-challenge : $1" "${@:2}" |
		    diff - "$d/acme-challenge.$1"
		[ "$(stat -c %a "$d/acme-challenge.$1")" = 644 ]
	done
}

# txt OWNER N
txt() { printf '%s. 60 IN TXT "%s"\n' "$1" "$(value "$2")"; }

# everything DIR...: names, types, modes, links, contents.
everything() { find "$@" -printf '%p %y %m %l\n' -type f -exec cat {} + | sort; }

# times DIR...: when any file was changed last.
times() { find "$@" -printf '%p %C@ %i\n' | sort; }

@test "an order whose certificate is there is published no more, and its service goes on" {
	order example.com/web "$(dns example.com 1)"
	order example.com/mail "$(dns mail.example.com 2)"
	touch -d yesterday certs/example.com/{web,mail}/next/csr.pem
	echo >certs/example.com/web/next/cert.pem
	run -0 sslm-challenge -q -o expect
	txt _acme-challenge.mail.example.com 2 | cmp - expect
	zone example.com "$(txt _acme-challenge.mail.example.com 2)"
	printf '%s\n' example.com/mail example.com/web >list
	run -0 sslm-challenge -r expect -i list
	[ "$output" = "$(cat list)" ]
	# With another request it is as if there were none.
	touch -d tomorrow certs/example.com/web/next/csr.pem
	run -0 sslm-challenge -q -o expect
	[ "$(wc -l <expect)" = 2 ]
	# An order that is done need not even be readable.
	touch -d yesterday certs/example.com/web/next/csr.pem
	echo rubbish >certs/example.com/web/next/order.json
	run -0 sslm-challenge -q -o expect
	[ "$(wc -l <expect)" = 1 ]
}

@test "records of all services of a zone are in one file, in every directory" {
	order example.com/web "$(dns example.com 3)" "$(dns example.com 1)" "$(dns www.example.com 2)"
	order example.com/mail "$(dns mail.example.com 4)" "$(dns www.example.com 2)"
	order example.org/www "$(dns example.org 5)"
	# One of the two at the apex is the wildcard's.
	f=certs/example.com/web/next/order.json
	jq '.challenges[0].identifier = "*.example.com"' $f >o
	mv o $f
	run -0 --separate-stderr sslm-challenge -o expect
	[ -z "$stderr" ]
	[ "$output" = $'example.com: 4 records\nexample.org: 1 record' ]
	zone example.com "$(txt _acme-challenge.example.com 1)" "$(txt _acme-challenge.example.com 3)" \
	    "$(txt _acme-challenge.mail.example.com 4)" "$(txt _acme-challenge.www.example.com 2)"
	zone example.org "$(txt _acme-challenge.example.org 5)"
	[ "$(cat certs/.push)" = $'example.com\nexample.org' ]
	grep -hv '^;;' zones2/* | LC_ALL=C sort | diff - expect
	[ "$(stat -c %a expect)" = 644 ]
	[ -z "$(find . -name '.*.new')" ]
}

@test "a record has its place where its CNAME leads" {
	order example.com/web "$(dns alias.example.com 1)" "$(dns example.com 2)"
	run -0 sslm-challenge -q -o expect
	[ -z "$output" ]
	zone example.org "$(txt alias.acme.example.org 1)"
	zone example.com "$(txt _acme-challenge.example.com 2)"
	[ "$(cat certs/.push)" = $'example.com\nexample.org' ]
	{ txt _acme-challenge.example.com 2; txt alias.acme.example.org 1; } | diff - expect
	# It is known by the service's own name.
	run -0 sslm-challenge -r expect
	[ "$output" = example.com/web ]
}

@test "a second run changes nothing, and nothing is pushed again" {
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	run -0 sslm-challenge -q -o expect
	rm certs/.push
	before=$(times .)
	sleep 0.01
	run -0 sslm-challenge -o expect
	[ "$output" = 'localhost: 1 file' ]
	[ "$(times .)" = "$before" ]
	# Another value is pushed.
	order example.com/web "$(dns example.com 3)"
	run -0 sslm-challenge -q
	[ "$(cat certs/.push)" = example.com ]
	zone example.com "$(txt _acme-challenge.example.com 3)"
}

@test "the same where one of the directories had been cleared by somebody" {
	order example.com/web "$(dns example.com 1)"
	run -0 sslm-challenge -q
	rm certs/.push 'zones 1'/*
	run -0 sslm-challenge -q
	[ "$(cat certs/.push)" = example.com ]
	zone example.com "$(txt _acme-challenge.example.com 1)"
}

@test "-d empties the files, and has the zones pushed, once" {
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	order example.org/www "$(dns example.org 5)"
	run -0 sslm-challenge -q
	rm certs/.push
	run -0 sslm-challenge -d
	[ "$output" = $'example.com: withdrawn\nexample.org: withdrawn\nlocalhost: withdrawn' ]
	zone example.com
	zone example.org
	[ "$(cat certs/.push)" = $'example.com\nexample.org' ]
	[ ! -e certs/.challenges ]
	[ -z "$(find www -type f)" ]
	rm certs/.push
	run -0 sslm-challenge -d
	[ -z "$output" ]
	[ ! -e certs/.push ]
}

@test "-d where nothing was ever published" {
	run -0 sslm-challenge -d
	[ ! -e certs ]
}

@test "only the services that are named, or listed" {
	order example.com/web "$(dns example.com 1)"
	order example.com/mail "$(dns mail.example.com 2)"
	order example.org/www "$(dns example.org 3)"
	run -0 sslm-challenge -q example.com:web
	zone example.com "$(txt _acme-challenge.example.com 1)"
	echo example.com/mail >certs/.due
	run -0 sslm-challenge -q -i certs/.due
	zone example.com "$(txt _acme-challenge.mail.example.com 2)"
	[ ! -e zones2/acme-challenge.example.org ]
	run -2 sslm-challenge -q example.com:none
}

@test "those that are not listed are not even looked at" {
	traceable
	order example.com/web "$(dns example.com 1)"
	echo example.com/web >list
	run -0 strace -f -o trace -e trace=%file sslm-challenge -q -i list
	grep -q 'certs/example.com/web/next/order.json' trace
	run ! grep -E 'certs/example.(com/mail|org)' trace
}

@test "a service whose CA is not ACME, one without an order, and orders with nothing open" {
	order example.com/own "$(dns example.com 1)"
	order example.com/web
	printf '%s\n' example.com/own example.com/web example.com/mail >list
	run -0 sslm-challenge -i list -o expect -p there
	[ -z "$output" ]
	[ ! -s expect ]
	[ ! -s there ]
	[ ! -e certs/.push ]
	[ ! -e certs/.challenges ]
	# mail is one of an ACME CA that has neither order nor certificate.
	run -75 --separate-stderr sslm-challenge -r expect -i list
	[ "$output" = $'example.com/own\nexample.com/web' ]
	[[ $stderr == *"example.com/mail: not to be validated now: there is no order" ]]
	mkdir -p certs/example.com/mail/db/g
	ln -s db/g certs/example.com/mail/next
	touch certs/example.com/mail/next/cert.pem
	run -0 --separate-stderr sslm-challenge -r expect -i list -o ready
	[ -z "$output" ]
	diff list ready
	# Without a list: those that have an order.
	run -0 sslm-challenge -r expect
	[ "$output" = example.com/web ]
}

@test "no acme_dir, or one that is missing: status 2, the key is named, the web goes on" {
	order example.com/web "$(dns example.com 1)"
	order example.org/www "$(http example.org 2)"
	conf '[dns]' 'acme_dir = ["zones 1", "none"]' '[web]' 'server_dir = "www"'
	run -2 sslm-challenge -q -o expect
	[ "$output" = "sslm-challenge: conf.d/ssl-mgr.conf:2: [dns] acme_dir 'none': No such file or directory" ]
	[ ! -s expect ]
	[ -z "$(ls 'zones 1')" ]
	[ -s "www/example.org/.well-known/acme-challenge/$(token 2)" ]
	conf '[web]' 'server_dir = "www"'
	run -2 sslm-challenge -q -o expect
	[[ $output == *"'acme_dir'"* ]]
	# What was published before its directory vanished stays known.
	conf
	run -0 sslm-challenge -q
	conf '[dns]' 'acme_dir = "none"' '[web]' 'server_dir = "www"'
	run -2 sslm-challenge -d
	grep -qx 'zone example.com' certs/.challenges
	conf
	run -0 sslm-challenge -d
	zone example.com
}

@test "no server_dir, or one that is missing: named, and DNS goes on" {
	order example.com/web "$(dns example.com 1)"
	order example.org/www "$(http example.org 2)"
	conf '[dns]' 'acme_dir = ["zones 1", "zones2"]'
	run -2 sslm-challenge -q -o expect
	[[ $output == *"conf.d/ssl-mgr.conf: [web] has no 'server_dir'"* ]]
	zone example.com "$(txt _acme-challenge.example.com 1)"
	run -75 sslm-challenge -r expect -o ready
	[ "$(cat ready)" = example.com/web ]
	conf '[dns]' 'acme_dir = ["zones 1", "zones2"]' '[web]' 'server_dir = "none"'
	run -2 sslm-challenge -q
	[ "$output" = "sslm-challenge: conf.d/ssl-mgr.conf: [web] server_dir 'none': No such file or directory" ]
}

@test "http-01: the file, its mode and its directories', in the group's web root" {
	umask 077
	chmod 755 www
	order example.com/web "$(http example.com 1)" "$(http www.example.com 2)"
	run -0 sslm-challenge
	[ "$output" = 'localhost: 2 files' ]
	for n in 1 2; do
		f=www/example.com/.well-known/acme-challenge/$(token $n)
		echo "$(token $n).$(value $n)" | diff - "$f"
		[ "$(stat -c %a "$f")" = 644 ]
	done
	[ "$(find www -type d -printf '%m ')" = '755 755 755 755 ' ]
	echo other >www/example.com/.well-known/acme-challenge/other
	run -0 sslm-challenge -d -q
	[ "$(ls -A www/example.com/.well-known/acme-challenge)" = other ]
	[ ! -e certs/.push ]
}

@test "links in a web root lead nowhere" {
	order example.com/web "$(http example.com 1)"
	order example.org/www "$(http example.org 2)"
	mkdir -p out/.well-known/acme-challenge
	touch "out/$(token 1)" "out/.well-known/acme-challenge/$(token 1)"
	for at in www/example.com www/example.com/.well-known \
	    www/example.com/.well-known/acme-challenge; do
		rm -rf www/example.com
		mkdir -p "$(dirname "$at")"
		ln -s "$PWD/out" "$at"
		before=$(times out)
		run -1 sslm-challenge -q
		[[ $output == *"'$(basename "$at")' of 'www/example.com' is not a directory, or is a link"* ]]
		[ -s "www/example.org/.well-known/acme-challenge/$(token 2)" ]
		run -75 --separate-stderr sslm-challenge -r - </dev/null
		[ "$output" = example.org/www ]
		# Withdrawal does not follow it either, and is tried again.
		run -1 sslm-challenge -d -q
		[ "$(cat certs/.challenges)" = "web - example.com $(token 1)" ]
		[ "$(times out)" = "$before" ]
		rm "$at"
		run -0 sslm-challenge -d -q
		[ ! -e certs/.challenges ]
	done
	# In the place of the file itself it is replaced.
	rm -rf www/example.com
	mkdir -p www/example.com/.well-known/acme-challenge
	ln -s "$PWD/out/x" "www/example.com/.well-known/acme-challenge/$(token 1)"
	ln -s "$PWD/out/y" "www/example.com/.well-known/acme-challenge/.$(token 1).new"
	run -0 sslm-challenge -q
	[ "$(times out)" = "$before" ]
	[ -f "www/example.com/.well-known/acme-challenge/$(token 1)" ]
	[ ! -L "www/example.com/.well-known/acme-challenge/$(token 1)" ]
	run -0 sslm-challenge -d -q
	[ -z "$(ls -A www/example.com/.well-known/acme-challenge)" ]
}

# spoil JQ-EXPRESSION: make an order of example.com/web that is not to be accepted.
spoil() { jq "$1" good >certs/example.com/web/next/order.json; }

@test "an order that is not what it has to be is refused, and others go on" {
	order example.org/www "$(dns example.org 9)"
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)" "$(persist example.com)"
	cp certs/example.com/web/next/order.json good
	run -0 sslm-challenge -q
	long=$(printf 'a%.0s' {1..129})
	while IFS= read -r change; do
		echo "$change"
		spoil "$change"
		rm -rf zones*/* 'zones 1'/* www/* certs/.push certs/.challenges
		run -1 sslm-challenge -q -o expect
		[[ $output == "sslm-challenge: 'certs/example.com/web/next/order.json'"* ]]
		[ "$(wc -l <<<"$output")" = 1 ]
		[ -z "$(ls -A www)" ]
		[ "$(ls zones2)" = acme-challenge.example.org ]
		[ "$(cat expect)" = "$(txt _acme-challenge.example.org 9)" ]
		run -1 sslm-challenge -r expect -o ready
		[ "$(cat ready)" = example.org/www ]
	done <<-END
		.challenges[1].token = "../../../../etc/cron.d/x0000000"
		.challenges[1].token = "short"
		.challenges[1].token = "$long"
		.challenges[1].token = "with blank 0123456789"
		.challenges[1].token = "quote\\"0123456789abcd"
		.challenges[1].token = "line\\n0123456789abcdef"
		.challenges[1].token = 12345678901234567890
		.challenges[1].token = null
		.challenges[1].content = "x"
		.challenges[1].content += "\\n"
		.challenges[1].content += "0"
		.challenges[1].content = {}
		.challenges[0].txt = "\\"; evil"
		.challenges[0].txt += "0"
		.challenges[0].txt = "0123456789012345678901234567890123456789012\\n"
		.challenges[0].owner = "_acme-challenge.example.org"
		.challenges[0].owner = "_acme-challenge.example.com. IN A 192.0.2.1\\n"
		.challenges[0].owner = "example.com"
		.challenges[0].identifier = "EXAMPLE.com"
		.challenges[0].identifier = "*.*.example.com"
		.challenges[0].identifier = "*.www.example.com"
		.challenges[0].identifier = "*."
		.challenges[0] |= (.identifier = "a b.com" | .owner = "_acme-challenge.a b.com")
		.challenges[0] |= (.identifier = "\$(id).com" | .owner = "_acme-challenge.\$(id).com")
		.challenges[0].url = "http://ca.example/"
		.challenges[0].url = "https://ca.example/\\"x"
		.challenges[0].url = "https://"
		.challenges[0].authorization = "file:///etc/passwd"
		.challenges[0].type = "tls-alpn-01"
		.challenges[0].type = 1
		del(.challenges[0].type)
		del(.challenges[0].owner)
		del(.challenges[1].identifier)
		.challenges[2].txt = "a\\"b"
		.challenges[2].txt = "a\\\\b"
		.challenges[2].txt = "\\u00e9"
		.challenges[2].txt = ""
		.challenges[2].owner = "_acme-challenge.example.com"
		.challenges = {}
		.challenges = null
		.challenges = [[]]
		.challenges = [range(1001)]
		del(.challenges)
		.url = "https://ca.example/a b"
		.directory = "ftp://ca.example"
		.account = ["https://ca.example"]
		.finalize = "HTTPS://ca.example"
		.newNonce = "https://ca.example/\\u0001"
		.csr = "xyz"
		.csr = 1
		.expires = "tomorrow"
		.expires = "2026-11-28T00:00:00Z\\n"
		.nonces = "a"
		.nonces = ["a b"]
		.nonces = [1]
		.saved = "now"
		.saved = -1
		[]
		"text"
		.pad = "x" * 2000000
	END
}

@test "what is not JSON at all" {
	order example.com/web "$(dns example.com 1)"
	f=certs/example.com/web/next/order.json
	whole=$(cat $f)
	for bad in '' '{' '{}' 'null' "${whole%?}" "$whole x" \
	    "${whole/\{/{\"account\": \"https://ca.example/x\",}" $'\xff\xfe' \
	    "$(printf '[%.0s' {1..5000})" '{"a": "\u0000"}'; do
		printf '%s' "$bad" >$f
		run -1 sslm-challenge -q
		[[ $output == "sslm-challenge: '$f': "* ]]
	done
	rm $f
	mkfifo $f
	run -1 timeout 10 sslm-challenge -q
	rm $f
	mkdir $f
	run -1 sslm-challenge -q
	[ ! -e certs/.push ]
}

@test "-r: those all of whose records are seen and whose files are placed" {
	order example.com/web "$(dns example.com 1)" "$(dns example.com 2)" "$(http example.com 3)"
	order example.com/mail "$(dns mail.example.com 4)"
	run -0 sslm-challenge -q -o expect
	run -0 sslm-challenge -r expect
	[ "$output" = $'example.com/mail\nexample.com/web' ]
	# The form of a line does not count, what it says does.
	{ printf '_ACME-challenge.Example.COM 300 TXT "%s"\n' "$(value 1)"
	  printf '_acme-challenge.mail.example.com.\t60\tIN\tTXT\t"%s" "%s"\n' \
	      "$(value 4 | cut -c-20)" "$(value 4 | cut -c21-)"; } >seen
	run -75 --separate-stderr sslm-challenge -r seen
	[ "$output" = example.com/mail ]
	[ "$stderr" = "sslm-challenge: example.com/web: not to be validated now: '_acme-challenge.example.com' is not in DNS yet" ]
	grep -v mail expect >seen
	run -75 --separate-stderr sslm-challenge -r seen
	[ "$output" = example.com/web ]
	# A value of another owner is not one of this.
	sed s/mail/www/ expect >seen
	run -75 --separate-stderr sslm-challenge -r seen
	[ "$output" = example.com/web ]
	sslm-challenge -r - <expect
	# A file that was not placed.
	sed -i /^placed/d certs/.challenges
	run -75 --separate-stderr sslm-challenge -r expect
	[ "$output" = example.com/mail ]
	[[ $stderr == *"the file of 'example.com' is not placed on host 'localhost'" ]]
	# Nothing published: nothing is ready.
	run -0 sslm-challenge -q -d
	run -75 --separate-stderr sslm-challenge -r expect
	[ -z "$output" ]
	run -2 sslm-challenge -r none
}

@test "dns-persist-01: nothing is published, the line goes to the file of -p" {
	order example.com/web "$(persist example.com)"
	run -0 sslm-challenge -o expect -p there
	[ -z "$output" ]
	[ ! -s expect ]
	[ "$(cat there)" = '_validation-persist.example.com. 60 IN TXT "ca.example; accounturi=https://ca.example/acct/1"' ]
	[ -z "$(find zones* -type f)" ]
	[ ! -e certs/.push ]
	run -0 sslm-challenge -r there
	[ "$output" = example.com/web ]
	run -75 --separate-stderr sslm-challenge -r expect
	[ -z "$output" ]
	# A long one is cut as RFC 1035 wants it, and is still known.
	pad=$(printf 'x%.0s' {1..300})
	jq --arg p "$pad" '.challenges[0].txt += $p' certs/example.com/web/next/order.json >o
	mv o certs/example.com/web/next/order.json
	run -0 sslm-challenge -p there
	sed 's/^[^"]*"//; s/"$//; s/" "//' there |
	    diff - <(jq -r '.challenges[0].txt' certs/example.com/web/next/order.json)
	[ "$(sed 's/^[^"]*"//; s/".*//' there | wc -c)" = 256 ]
	run -0 sslm-challenge -r there
	[ "$output" = example.com/web ]
	run -0 sslm-challenge -d
}

@test "an owner that has no place: try again later, and all others go on" {
	order example.com/web "$(dns loop.example.com 1)" "$(dns example.com 3)"
	order example.org/www "$(dns example.org 4)" "$(http example.org 2)"
	run -75 sslm-challenge -q -o expect
	[[ $output == *"_acme-challenge.loop.example.com"* ]]
	zone example.com "$(txt _acme-challenge.example.com 3)"
	zone example.org "$(txt _acme-challenge.example.org 4)"
	run -75 --separate-stderr sslm-challenge -r expect
	[ "$output" = example.org/www ]
	[[ $stderr == *"'_acme-challenge.loop.example.com' is not published" ]]
}

@test "a damaged certs/.challenges gets nothing anywhere" {
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	run -0 sslm-challenge -q
	cp certs/.challenges good
	mkdir -p keep/.well-known/acme-challenge
	touch "keep/.well-known/acme-challenge/$(token 7)" "www/$(token 7)"
	printf '%s\n' 'zone ca' 'zone ../x' 'zone a b' 'zone' "web - ../keep $(token 7)" \
	    'web - example.com ../../../0123456789abcdef' "web -oProxyCommand=x example.com $(token 7)" \
	    "web - example.com $(token 7) more" 'owner x' 'else' "web - . $(token 7)" \
	    "web \$(touch pwned) example.com $(token 7)" >>certs/.challenges
	printf 'zone nul\0\n' >>certs/.challenges
	run -1 sslm-challenge -q -d
	[ "$(grep -c "is not a line of ours" <<<"$output")" = 13 ]
	[ ! -e certs/.challenges ]
	zone example.com
	[ -e "keep/.well-known/acme-challenge/$(token 7)" ]
	[ -e "www/$(token 7)" ]
	[ "$(ls zones2)" = acme-challenge.example.com ]
	mkfifo certs/.challenges
	run -1 timeout 10 sslm-challenge -q -d
}

# until_done CALL N ARG...: run sslm-challenge killed at the Nth such call; false if
# there is none.
killed_at() {
	local rc=0 call=$1 n=$2
	shift 2
	strace -o trace -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
	    sslm-challenge -q "$@" >out 2>&1 || rc=$?
	[ $rc -gt 128 ]
}

@test "killed at any point: the next run leaves what an unharmed one does" {
	traceable
	# What make does before a run that follows one that was killed.
	sweep() { find certs/ ! -type d -name '.*.new' -delete; }
	fresh() {
		rm -rf certs www 'zones 1' zones2
		cp -a "$BATS_TEST_TMPDIR/fresh/." .
	}
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	order example.org/www "$(dns example.org 3)" "$(http example.org 4)"
	mkdir "$BATS_TEST_TMPDIR/fresh"
	cp -a certs www 'zones 1' zones2 "$BATS_TEST_TMPDIR/fresh"
	sslm-challenge -q
	published=$(everything .)
	sslm-challenge -q -d
	withdrawn=$(everything .)
	kills=0
	for call in fsync fchmod rename renameat mkdir mkdirat unlink unlinkat; do
		for n in {1..40}; do
			fresh
			killed_at $call $n || break
			kills=$((kills + 1))
			sweep
			# Withdrawn at once by a run that has nothing to publish: known to all.
			mkdir bak
			cp -a certs www 'zones 1' zones2 bak
			run -0 sslm-challenge -q -d
			[ -z "$(find www -type f)" ] || { echo "$call $n"; false; }
			run ! grep -r TXT zones2 'zones 1'
			[ ! -e certs/.challenges ]
			rm -rf certs www 'zones 1' zones2
			mv bak/* .
			rmdir bak
			# Or gone on with.
			run -0 sslm-challenge -q
			rm -f trace out
			[ "$(everything .)" = "$published" ] || { echo "$call $n"; diff <(everything .) - <<<"$published"; false; }
			# The zones of files that were changed have been pushed, or will be.
			grep -qx example.com certs/.push
			sslm-challenge -q -d
			[ "$(everything .)" = "$withdrawn" ] || { echo "$call $n"; false; }
		done
		[ "$n" -lt 40 ]
	done
	echo "$kills kills"
	[ $kills -gt 30 ]
	# The same of withdrawals.
	kills=0
	for call in fsync fchmod rename unlink unlinkat; do
		for n in {1..40}; do
			fresh
			sslm-challenge -q
			rm certs/.push
			killed_at $call $n -d || break
			kills=$((kills + 1))
			sweep
			run -0 sslm-challenge -q -d
			zone example.com
			zone example.org
			[ "$(cat certs/.push)" = $'example.com\nexample.org' ]
			[ -z "$(find www -type f)" ]
			[ ! -e certs/.challenges ]
			[ -z "$(find . -name '.*.new')" ]
		done
		[ "$n" -lt 40 ]
	done
	echo "$kills kills"
	[ $kills -gt 12 ]
}

@test "the zones are known before a file of theirs is changed, tokens before they are written" {
	traceable
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	run -0 strace -o trace -e trace=rename,renameat,fsync,unlink,unlinkat sslm-challenge -q
	sed -n 's/^\(rename\|renameat\)(.*"\([^"]*\)").*/\2/p' trace >order
	printf '%s\n' certs/.challenges certs/.push 'zones 1/acme-challenge.example.com' \
	    zones2/acme-challenge.example.com certs/.challenges "$(token 2)" certs/.challenges |
	    diff - order
	# Every rename is between two syncs.
	[ "$(sed 's/(.*//' trace | grep -A1 -B1 rename | grep -c fsync)" -ge 8 ]
}

@test "a test tree has its own records, in the site's directories" {
	mkdir -p certs/.test
	touch certs/.test/.staging
	ln -s ../../conf.d certs/.test/conf.d
	cd certs/.test
	order example.com/web "$(dns example.com 1)" "$(http example.com 2)"
	run -0 sslm-challenge -q
	[ -e certs/.push ]
	cd ../..
	zone example.com "$(txt _acme-challenge.example.com 1)"
	[ -s "www/example.com/.well-known/acme-challenge/$(token 2)" ]
	run -0 sslm-challenge -q -C certs/.test -d
	zone example.com
	[ "$(ls -A certs)" = .test ]
}

@test "flags that do not go together" {
	run -2 sslm-challenge -d -o x
	run -2 sslm-challenge -d example.com
	run -2 sslm-challenge -d -r x
	run -2 sslm-challenge -r x -p y
}

# ---- other machines ---------------------------------------------------------------

# sshd_start: a server of our own, and an ssh that reaches it as web1.
sshd_start() {
	local d=$BATS_TEST_TMPDIR port
	port=$(free_port)
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$d/hostkey"
	ssh-keygen -q -t ed25519 -N '' -f "$d/id"
	cp "$d/id.pub" "$d/keys"
	printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' "HostKey $d/hostkey" \
	    "AuthorizedKeysFile $d/keys" "PidFile $d/sshd.pid" 'StrictModes no' 'UsePAM no' \
	    'PermitRootLogin yes' 'PasswordAuthentication no' >"$d/sshd_config"
	printf '%s\n' 'Host web1 web2' 'HostName 127.0.0.1' "Port $port" 'Host down' \
	    'HostName 127.0.0.1' "Port $(free_port)" 'Host *' "IdentityFile $d/id" \
	    "UserKnownHostsFile $d/known" 'StrictHostKeyChecking accept-new' 'LogLevel ERROR' \
	    >"$d/ssh_config"
	mkdir "$d/path"
	printf '#!/bin/sh\necho "$*" >>%s\nexec /usr/bin/ssh -F %s "$@"\n' "$d/ssh.log" \
	    "$d/ssh_config" >"$d/path/ssh"
	chmod 755 "$d/path/ssh"
	PATH=$d/path:$PATH
	/usr/sbin/sshd -f "$d/sshd_config" -E "$d/sshd.log"
	for _ in $(seq 100); do
		[ ! -s "$d/sshd.pid" ] || return 0
		sleep 0.05
	done
	cat "$d/sshd.log"
	return 1
}

# remote HOST...: [web] servers, with a server_dir that has a blank and a quote.
remote() {
	far=$PWD/"far's away"
	mkdir -p "$far"
	conf '[web]' "servers = [$(printf "'%s'," "$@")]" "server_dir = \"$far\""
}

@test "other hosts get all files by one rsync, and lose them by another" {
	sshd_start
	remote web1
	order example.com/web "$(http example.com 1)" "$(http www.example.com 2)"
	order example.org/www "$(http example.org 3)"
	mkdir -m 2770 "$far/example.com"
	umask 077
	run -0 sslm-challenge
	[ "$output" = 'web1: 3 files' ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ssh.log")" = 1 ]
	for n in 1 2; do
		f=$far/example.com/.well-known/acme-challenge/$(token $n)
		echo "$(token $n).$(value $n)" | diff - "$f"
		[ "$(stat -c %a "$f")" = 644 ]
	done
	[ -s "$far/example.org/.well-known/acme-challenge/$(token 3)" ]
	[ "$(stat -c %a "$far/example.com/.well-known" "$far/example.com/.well-known/acme-challenge" | xargs)" = '755 755' ]
	# A web root that was there keeps its mode.
	[ "$(stat -c %a "$far/example.com")" = 2770 ]
	[ -z "$(ls -A certs/.acme)" ]
	run -0 sslm-challenge -r - </dev/null
	[ "$output" = $'example.com/web\nexample.org/www' ]
	touch "$far/example.com/.well-known/acme-challenge/other"
	# What is gone there already does not come back.
	rm -r "$far/example.org"
	run -0 sslm-challenge -d
	[ "$output" = 'web1: withdrawn' ]
	[ ! -e "$far/example.org" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ssh.log")" = 2 ]
	[ "$(find "$far" -type f)" = "$far/example.com/.well-known/acme-challenge/other" ]
	[ ! -e certs/.challenges ]
	[ -z "$(ls -A certs/.acme)" ]
}

@test "links in a web root elsewhere" {
	sshd_start
	remote web1
	order example.com/web "$(http example.com 1)"
	mkdir -p out/acme-challenge "$far/example.com"
	touch "out/acme-challenge/$(token 1)"
	ln -s "$PWD/out" "$far/example.com/.well-known"
	before=$(everything out)
	run -0 sslm-challenge -q
	[ "$(everything out)" = "$before" ]
	[ -s "$far/example.com/.well-known/acme-challenge/$(token 1)" ]
	[ ! -L "$far/example.com/.well-known" ]
}

@test "a host that is down: the others go on, and it is tried again" {
	sshd_start
	remote down web1 localhost
	order example.com/web "$(http example.com 1)"
	order example.org/www "$(dns example.org 2)"
	sed -i '1i [dns]\nacme_dir = ["zones 1", "zones2"]' conf.d/ssl-mgr.conf
	run -75 sslm-challenge -q -o expect
	echo "$output"
	[[ $output =~ "[web] servers 'down': rsync: exit status "(12|255)$ ]]
	[ -s "$far/example.com/.well-known/acme-challenge/$(token 1)" ]
	zone example.org "$(txt _acme-challenge.example.org 2)"
	run -75 --separate-stderr sslm-challenge -r expect
	[ "$output" = example.org/www ]
	[[ $stderr == *"the file of 'example.com' is not placed on host 'down'" ]]
	run -75 sslm-challenge -q -d
	[ -z "$(find "$far" -type f)" ]
	[ "$(cat certs/.challenges)" = "web down example.com $(token 1)" ]
	run -75 sslm-challenge -q -d
	# It is up again: what was published when it went down is removed.
	mkdir -p "$far/example.com/.well-known/acme-challenge"
	touch "$far/example.com/.well-known/acme-challenge/$(token 1)"
	sed -i 's/Host web1 web2/Host web1 down/' "$BATS_TEST_TMPDIR/ssh_config"
	run -0 sslm-challenge -q -d
	[ -z "$(find "$far" -type f)" ]
	[ ! -e certs/.challenges ]
	# What had been placed is not taken to be there when it cannot be placed again.
	run -0 sslm-challenge -q
	run -0 sslm-challenge -r expect
	sed -i 's/Host web1 down/Host web1/' "$BATS_TEST_TMPDIR/ssh_config"
	run -75 sslm-challenge -q
	run -75 --separate-stderr sslm-challenge -r expect
	[ "$output" = example.org/www ]
	rm certs/.challenges
	# One that is not configured any more is not waited for.
	echo "web gone example.com $(token 1)" >certs/.challenges
	run -0 sslm-challenge -q -d
	[[ $output == *"host 'gone' is not in [web] servers any more"* ]]
	[ ! -e certs/.challenges ]
}

@test "a failure at a host that answers is not one of the network" {
	sshd_start
	remote web1
	order example.com/web "$(http example.com 1)"
	rmdir "$far"
	touch "$far"
	run -1 sslm-challenge -q
	[[ $output == *"[web] servers 'web1': rsync: exit status "* ]]
	run -75 sslm-challenge -r - </dev/null
}

@test "names of hosts that would be options or commands" {
	order example.com/web "$(http example.com 1)"
	mkdir path
	printf '#!/bin/sh\ntouch "%s/ran"\n' "$PWD" >path/rsync
	cp path/rsync path/ssh
	chmod 755 path/*
	PATH=$PWD/path:$PATH
	for h in -oProxyCommand=x 'a b' 'a;b' 'a:b' 'host:/x' 'rsync://x' '$(x)' ''; do
		remote "$h"
		run -2 sslm-challenge -q
		[[ $output == *"[web] servers: not a host" ]]
		[ ! -e ran ]
	done
	remote web1
	sed -i 's/^server_dir.*/server_dir = "www"/' conf.d/ssl-mgr.conf
	run -2 sslm-challenge -q
	[ ! -e ran ]
	# This machine, by its names.
	for h in "$(hostname)" "$(hostname | cut -d. -f1)" LOCALHOST; do
		remote "$h"
		run -0 sslm-challenge -q
		[ -s "$far/example.com/.well-known/acme-challenge/$(token 1)" ]
		run -0 sslm-challenge -q -d
	done
	[ ! -e ran ]
}

# ---- the whole way ------------------------------------------------------------------

@test "with a real name server: published, pushed, seen, withdrawn" {
	port=$(free_port)
	dns_zone example.com 'ns1 A 127.0.0.1' \
	    "\$INCLUDE \"$PWD/zones2/acme-challenge.example.com\"" >example.com.zone
	printf ';;\n' >zones2/acme-challenge.example.com
	knot_start own 127.0.0.1 "$port" example.com.zone
	printf '%s\n' '#!/bin/sh' 'echo "$*" >>log; shift' 'for z; do' \
	    '	serial=$(sed -n "s/.*hostmaster \([0-9]*\) .*/\1/p" $z.zone)' \
	    '	sed -i "s/hostmaster $serial /hostmaster $((serial + 1)) /" $z.zone' 'done' \
	    'kill -HUP "$(cat own/pid)"' >cmds/push
	chmod 755 cmds/push
	conf '[dns]' 'acme_dir = "zones2"' 'restart_cmd = "cmds/push"'
	sed -i "s/^port = .*/port = $port/" conf.d/ssl-mgr.conf
	ask() { kdig +short @127.0.0.1 -p "$port" _acme-challenge.example.com TXT | sort; }
	order example.com/web "$(dns example.com 1)" "$(dns example.com 2)"
	run -0 sslm-challenge -q -o expect
	run -0 sslm-dnspush -q
	[ "$(cat log)" = '--serial_bump example.com' ]
	for _ in $(seq 100); do
		[ -z "$(ask)" ] || break
		sleep 0.05
	done
	[ "$(ask)" = "$(printf '"%s"\n' "$(value 1)" "$(value 2)")" ]
	run -0 sslm-challenge -q -d
	run -0 sslm-dnspush -q
	for _ in $(seq 100); do
		[ -n "$(ask)" ] || break
		sleep 0.05
	done
	[ -z "$(ask)" ]
	[ "$(wc -l <log)" = 2 ]
}

@test "on an overlay, as in a container, nothing of what is copied stays behind" {
	mkdir upper
	printf '%s\n' 'mount -t tmpfs t upper && mkdir upper/files upper/work &&' \
	    'mount -t overlay -o "lowerdir=$PWD,upperdir=upper/files,workdir=upper/work" o "$PWD" || exit 9' \
	    'cd "$PWD" && exec "$@"' >inside
	unshare -m sh inside true 2>/dev/null || skip "cannot mount"
	sshd_start
	remote web1
	order example.com/web "$(http example.com 1)"
	run -0 unshare -m sh inside sh -c 'sslm-challenge && ls -A certs/.acme && sslm-challenge -d && ls -A certs/.acme'
	[ "$output" = $'web1: 1 file\nweb1: withdrawn' ]
}
