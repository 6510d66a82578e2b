# sslm-acme with pebble, step by step; the certificates are judged by openssl.
setup_file() { load helper; load site; load acme; CHALL_HTTP=1 ca_start; }
teardown_file() { load acme; lab_stop; }
setup() { load helper; load site; load acme; workdir; acme_site; }
teardown() { lab_stop; }

# set NAME...: key and request for these names, in ./set.
request() {
	local name list=()
	for name; do list+=(-n "$name"); done
	mkdir -p set
	[ -e set/privkey.pem ] || sslm-genkey -o set/privkey.pem
	sslm-csr -k set/privkey.pem -o set/csr.pem "${list[@]}"
}

# Tell challtestsrv what `sslm-acme order' printed.
meet() {
	local kind name what more
	while IFS=$'\t' read -r kind name what more; do
		case $kind in
		http-01) chall add-http01 "{\"token\": \"${what##*/}\", \"content\": \"$more\"}" ;;
		dns-01) chall set-txt "{\"host\": \"${what%% *}\", \"value\": \"$(cut -d'"' -f2 <<<"$what")\"}" ;;
		esac
	done <"$1"
}

# The whole way for the request in ./set.
issue() {
	sslm-acme order -c pebble set >challenges
	meet challenges
	sslm-acme finish -c pebble set
}

account() { echo certs/.acme/*_dir; }
order_url() { jq -r .url set/order.json; }

# judged [NAMES]: is the certificate in ./set for our key, for these names, and good
# up to the root of the Nth chain?
judged() {
	ca_root root.pem "${2:-0}"
	openssl verify -CAfile root.pem -untrusted set/chain.pem set/cert.pem
	[ "$(openssl x509 -in set/cert.pem -noout -pubkey)" = "$(openssl pkey -in set/privkey.pem -pubout)" ]
	[ "$(openssl x509 -in set/cert.pem -noout -ext subjectAltName | tail -n +2 | tr -d ' \n')" = "$1" ]
}

@test "an account is made once, its key is the owner's alone, and other tables share it" {
	run -0 sslm-acme account -c pebble
	url=$output
	[[ $url == "https://$LAB_IP:"* ]]
	[ "$(stat -c %a "$(account)/privkey.pem")" = 600 ]
	openssl pkey -in "$(account)/privkey.pem" -noout -text | grep -q prime256v1
	n=$(ca_requests | wc -l)
	sed 's/^\[pebble\]/[twin]/' conf.d/ca-info.conf | sed -n '/twin/,$p' >>conf.d/ca-info.conf
	run -0 sslm-acme account -c twin
	[ "$output" = "$url" ]
	[ "$(ca_requests | wc -l)" = "$n" ]
	run -0 sslm-acme account -s -c pebble
	[[ $output == *valid* ]]
	# The file is lost, the key is not: the CA tells.
	rm "$(account)/account.json"
	run -0 sslm-acme account -c pebble
	[ "$output" = "$url" ]
	run -2 sslm-acme account -c my-root
	run -2 sslm-acme account -c nosuch
}

@test "http-01: order, finish, and a certificate that others believe" {
	sslm-acme account -q -c pebble
	request example.com www.example.com
	issue
	judged DNS:example.com,DNS:www.example.com
	sslm-bundle set
	run -0 sslm-verify set
	# Both steps are done; nothing is asked any more.
	n=$(ca_requests | wc -l)
	run -0 sslm-acme order -c pebble set
	run -0 sslm-acme finish -c pebble set
	[ "$(ca_requests | wc -l)" = "$n" ]
}

@test "dns-01: a domain and its wildcard, two records of one name" {
	sed -i "s/http-01/dns-01/" conf.d/ca-info.conf
	sslm-acme account -q -c pebble
	request '*.example.com' example.com
	issue
	[ "$(cut -f3 challenges | cut -d' ' -f1 | sort -u)" = _acme-challenge.example.com. ]
	[ "$(wc -l <challenges)" = 2 ]
	judged 'DNS:*.example.com,DNS:example.com'
}

@test "a wildcard is validated by DNS whatever is preferred, an address by http" {
	sslm-acme account -q -c pebble
	request '*.example.com' www.example.net
	run -0 sslm-acme order -c pebble set
	[ "$(cut -f1,2 <<<"$output" | sort)" = $'dns-01\t*.example.com\nhttp-01\twww.example.net' ]
	sed -i "s/http-01/dns-01/" conf.d/ca-info.conf
	rm -r set
	request "$LAB_IP"
	issue
	[ "$(cut -f1 challenges)" = http-01 ]
	judged "IPAddress:$LAB_IP"
}

@test "an order that is good is gone on with, also with another's challenges met" {
	sslm-acme account -q -c pebble
	request a.example.com
	sslm-acme order -c pebble set >one
	url=$(order_url)
	sslm-acme order -c pebble set >two
	cmp one two
	[ "$(order_url)" = "$url" ]
	# Another request, another order.
	request a.example.com b.example.com
	sslm-acme order -c pebble set >three
	[ "$(order_url)" != "$url" ]
	url=$(order_url)
	# Expired, or said so: another one.
	jq '.expires = "2020-01-01T00:00:00Z"' set/order.json >o
	mv o set/order.json
	sslm-acme order -q -c pebble set
	[ "$(order_url)" != "$url" ]
	# Cut short at any place, it is an order that is not there.
	cp set/order.json whole
	for cut in 0 1 50 200 400 600; do
		head -c $cut whole >set/order.json
		run -1 sslm-acme finish -c pebble set
		[[ $output == *"there is no order for this request"* ]]
	done
	issue
	judged DNS:a.example.com,DNS:b.example.com
}

@test "a finish that was killed after the CA's answer goes on from there" {
	traceable
	sslm-acme account -q -c pebble
	request a.example.com
	sslm-acme order -c pebble set >challenges
	meet challenges
	# When the certificate is about to be renamed into its place.
	run strace -f -o trace -e trace=rename,renameat,renameat2 -e inject=rename,renameat,renameat2:signal=KILL sslm-acme finish -c pebble set
	[ ! -e set/cert.pem ]
	n=$(ca_issued)
	sslm-acme order -q -c pebble set
	sslm-acme finish -c pebble set
	[ "$(ca_issued)" = "$n" ]
	judged DNS:a.example.com
}

@test "killed at any word to the CA, a finish goes on with the order and loses no certificate" {
	traceable
	sslm-acme account -q -c pebble
	kills=0
	for name in sendto write; do
		for ((n = 1; n < 60; n++)); do
			rm -rf set
			request a.example.com
			sslm-acme order -c pebble set >challenges
			meet challenges
			orders=$(ca_orders) issued=$(ca_issued || :)
			run strace -o trace -e trace=$name -e inject=$name:signal=KILL:when=$n sslm-acme finish -c pebble set
			[ "$status" != 0 ] || break
			kills=$((kills + 1))
			sslm-acme order -q -c pebble set
			sslm-acme finish -c pebble set
			judged DNS:a.example.com
			[ "$(ca_orders)" = "$orders" ]
			[ "$(ca_issued)" = $((issued + 1)) ]
		done
	done
	echo "$kills kills"
	[ $kills -gt 10 ]
}

@test "a name that is not validated: what the CA says, and no other try too soon" {
	sslm-acme account -q -c pebble
	request good.example.com bad.example.com
	sslm-acme order -c pebble set >challenges
	grep good challenges >some
	meet some
	run -1 sslm-acme finish -c pebble set
	[[ $output == *"bad.example.com: not validated by http-01: "*"(unauthorized)"* ]]
	[[ $output != *good.example.com* ]]
	[ ! -e set/cert.pem ]
	[ ! -e set/order.json ]
	n=$(ca_requests | wc -l)
	run -75 sslm-acme order -c pebble set
	[[ $output == *"failed 1 time; not asked again before"* ]]
	[ "$(ca_requests | wc -l)" = "$n" ]
	# -f asks at once, and so does another request; the count goes on.
	sslm-acme order -f -c pebble set >challenges
	run -1 sslm-acme finish -c pebble set
	run -75 sslm-acme order -c pebble set
	[[ $output == *"failed 2 times"* ]]
	until=$(sed -n 's/^until //p' set/failed)
	[ "$until" \> "$(date -u -d '9 minutes' +%Y%m%dT%H%M%SZ)" ]
	[ "$until" \< "$(date -u -d '11 minutes' +%Y%m%dT%H%M%SZ)" ]
	request good.example.com
	issue
	judged DNS:good.example.com
	[ ! -e set/failed ]
}

@test "the CA is told how to reach us, in words that are fit for it" {
	sed -i "s/ca_validation/ca_email = 'hostmaster@example.com'\n    &/" conf.d/ca-info.conf
	sslm-acme account -q -c pebble
	run -0 sslm-acme account -s -c pebble
	[[ $output == *mailto:hostmaster@example.com* ]]
}

@test "a CA that is far away: the round trips do not grow with the names" {
	port=$((RANDOM % 900 + 62000))
	lab_serve far "$port" python3 "$TOP/tests/far_away.py" "$LAB_IP:$port" "$LAB_IP:$ACME_PORT" 0.1 "$PWD/lines"
	sed -i "s|ca_url = .*|ca_url = 'https://$LAB_IP:$port/dir'|; s/http-01/dns-01/" conf.d/ca-info.conf
	sslm-acme account -q -c pebble
	# shellcheck disable=SC2046
	request $(seq -f 'n%g.example.com' 60)
	SECONDS=0
	issue
	# 13 or so of 0.2 s each; one behind the other they would be 130.
	[ "$SECONDS" -lt 13 ]
	[ "$(wc -l <lines)" -le 3 ]
}

@test "a damaged or absurd memory of failures hinders nothing for ever" {
	sslm-acme account -q -c pebble
	request a.example.com
	hash=$(openssl req -in set/csr.pem -outform DER | openssl sha256 -r | cut -d' ' -f1)
	printf 'count 99999999999999999999\nuntil 20991231T235959Z\ncsr %s\nwhy x\n' "$hash" >set/failed
	run -0 sslm-acme order -c pebble set
	# Four failures and more: a day.
	printf 'count 1000000\nuntil 20200101T000000Z\ncsr %s\nwhy x\n' "$hash" >set/failed
	run -1 sslm-acme finish -c pebble set
	[ "$(sed -n 's/^until //p' set/failed)" \> "$(date -u -d '23 hours' +%Y%m%dT%H%M%SZ)" ]
	printf 'count' >set/failed
	run -0 sslm-acme order -c pebble set
}

@test "revoked by the account, and by the certificate's own key" {
	sslm-acme account -q -c pebble
	request a.example.com
	issue
	sslm-acme revoke -r superseded -c pebble set/cert.pem
	serial=$(openssl x509 -in set/cert.pem -noout -serial | cut -d= -f2)
	curl -sS --cacert "$CA_BUNDLE" "$ACME_MGMT/cert-status-by-serial/${serial,,}" >status
	jq -e '.Status == "Revoked" and .Reason == 4' status
	run -0 sslm-acme revoke -c pebble set/cert.pem
	[[ $output == *"has been revoked before"* ]]
	rm set/*
	request b.example.com
	issue
	run -1 sslm-acme revoke -c pebble -k other.pem set/cert.pem
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out other.pem
	chmod 600 other.pem
	run -1 sslm-acme revoke -c pebble -k other.pem set/cert.pem
	sslm-acme revoke -c pebble -k set/privkey.pem -r keyCompromise set/cert.pem
	run -2 sslm-acme revoke -c pebble -r because set/cert.pem
}

@test "another key for the account, also after a run that was killed" {
	sslm-acme account -q -c pebble
	key=$(account)/privkey.pem
	cp "$key" old.pem
	run -0 sslm-acme account -k -c pebble
	run -0 sslm-acme account -s -c pebble
	run ! cmp "$key" old.pem
	[ "$(stat -c %a "$key")" = 600 ]
	[ ! -e "$(account)/next.pem" ]
	# Killed after the CA took it: the new key is the one beside.
	mv "$key" "$(account)/next.pem"
	cp old.pem "$key"
	run -1 sslm-acme account -s -c pebble
	[[ $output == *"being given another key: sslm-acme account -k -c 'pebble' brings that to its end"* ]]
	run -0 sslm-acme account -k -c pebble
	run -0 sslm-acme account -s -c pebble
	# Killed before: the CA does not know it yet.
	sslm-genkey -c prime256v1 -o "$(account)/next.pem"
	cp "$(account)/next.pem" new.pem
	run -0 sslm-acme account -k -c pebble
	cmp "$key" new.pem
	run -0 sslm-acme account -s -c pebble
}

@test "a deactivated account is none, and its key is kept" {
	sslm-acme account -q -c pebble
	cp "$(account)/account.json" was
	cp "$(account)/privkey.pem" key.pem
	run -0 sslm-acme account -d -c pebble
	cmp key.pem "$(account)"/privkey.pem.*
	request a.example.com
	run -2 sslm-acme order -c pebble set
	[[ $output == *"no account at 'pebble' yet: sslm-acme account -c 'pebble' makes one"* ]]
	# As if another client had done it: every way out is told.
	cp -p key.pem "$(account)/privkey.pem"
	run -1 sslm-acme account -c pebble
	[[ $output == *"without '$(account)/privkey.pem' another one is made"* ]]
	cp was "$(account)/account.json"
	run -1 sslm-acme order -c pebble set
	[[ $output == *unauthorized*"sslm-acme account -d -c 'pebble' puts it away here too"* ]]
	run -0 sslm-acme account -d -c pebble
	[[ $output == *"'pebble' does not accept the account any more"* ]]
	run -2 sslm-acme account -d -c pebble
	sslm-acme account -q -c pebble
	run -0 sslm-acme order -f -c pebble set
}

@test "killed while an account is deactivated: told what to do, and done by that" {
	traceable
	request a.example.com
	for name in rename unlink fsync sendto,write; do
		for ((n = 1; n < 30; n++)); do
			rm -rf certs
			sslm-acme account -q -c pebble
			run strace -f -qq -o trace -e trace=$name -e inject=$name:signal=KILL:when=$n sslm-acme account -d -c pebble
			[ -e "$(account)/account.json" ] || break
			if grep -q deactivated "$(account)/account.json"; then
				for words in 'order -q -c pebble set' 'account -c pebble' 'account -s -c pebble' 'account -k -c pebble'; do
					# shellcheck disable=SC2086
					run -2 sslm-acme $words
					[[ $output == *"the account at 'pebble' was being deactivated: sslm-acme account -d -c 'pebble' brings that to its end" ]]
				done
				kills=$((${kills-0} + 1))
			fi
			run -0 sslm-acme account -d -c pebble
			[ ! -e "$(account)/account.json" ]
			[ ! -e "$(account)/privkey.pem" ]
		done
	done
	echo "$kills kills"
	[ "$kills" -ge 4 ]
	# One that is not sent at all is no deactivation.
	sslm-acme account -q -c pebble
	cp "$(account)/account.json" was
	sed -i "/ca_bundle/d" conf.d/ca-info.conf
	run -75 sslm-acme account -d -c pebble
	cmp was "$(account)/account.json"
}

@test "the key of another client's account" {
	openssl genrsa -out rsa.pem 2048 2>/dev/null
	mkdir -p "cb/accounts/$LAB_IP:$ACME_PORT/dir/0123"
	openssl pkey -in rsa.pem -noout -text | python3 -c '
import base64, json, re, sys
text = sys.stdin.read()
names = {"modulus": "n", "privateExponent": "d", "prime1": "p", "prime2": "q", "exponent1": "dp",
    "exponent2": "dq", "coefficient": "qi"}
b64 = lambda b: base64.urlsafe_b64encode(b.lstrip(b"\0")).rstrip(b"=").decode()
jwk = {names[k]: b64(bytes.fromhex(v.replace(":", "").replace("\n", "").replace(" ", "")))
    for k, v in re.findall(r"^(\w+):\n((?: +[0-9a-f:]+\n)+)", text, re.M) if k in names}
print(json.dumps({"kty": "RSA", "e": "AQAB", **jwk}))' >"cb/accounts/$LAB_IP:$ACME_PORT/dir/0123/private_key.json"
	chmod 600 cb/accounts/*/dir/0123/private_key.json
	# Not known there: nothing is made in its name.
	run -1 sslm-acme account -i cb -c pebble
	[[ $output == *accountDoesNotExist* ]]
	[ ! -e "$(account)/privkey.pem" ]
	# Known, as another client would have made it.
	rm -r certs
	mkdir -p "certs/.acme/${LAB_IP}_${ACME_PORT}_dir"
	cp rsa.pem "$(account)/privkey.pem"
	chmod 600 "$(account)/privkey.pem"
	sslm-acme account -c pebble >url
	rm -r certs
	run -0 sslm-acme account -i cb -c pebble
	[ "$output" = "$(cat url)" ]
	request a.example.com
	issue
	judged DNS:a.example.com
	# A run that was killed before the answer is made up for by another.
	rm "$(account)/account.json"
	run -0 sslm-acme account -i cb -c pebble
	[ "$output" = "$(cat url)" ]
	# Another key that is there is not replaced.
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$(account)/privkey.pem" 2>/dev/null
	cp "$(account)/privkey.pem" was
	run -1 sslm-acme account -i cb -c pebble
	[[ $output == *"a key is never replaced"* ]]
	cmp was "$(account)/privkey.pem"
}

@test "the account key is opened by one process, and that one knows no network" {
	traceable
	request a.example.com
	strace -ff -o trace -e trace=openat,connect,socket sslm-acme account -q -c pebble
	sslm-acme order -c pebble set >challenges
	meet challenges
	strace -ff -o trace -e trace=openat,connect,socket sslm-acme finish -c pebble set
	grep -l 'privkey.pem' trace.* >keys
	[ -s keys ]
	grep -l 'AF_INET' trace.* >nets
	[ -s nets ]
	run ! grep -Fxf keys nets
}

@test "one connection for each step, and few requests" {
	traceable
	sslm-acme account -q -c pebble
	request a.example.com
	n=$(ca_requests | wc -l)
	strace -f -o trace -e trace=connect sslm-acme order -c pebble set >challenges
	[ "$(grep -c AF_INET trace)" = 1 ]
	meet challenges
	strace -f -o trace -e trace=connect sslm-acme finish -c pebble set
	[ "$(grep -c AF_INET trace)" = 1 ]
	ca_requests | tail -n +$((n + 1)) >asked
	cat asked
	[ "$(wc -l <asked)" -ge 8 ]
}

@test "a CA that cannot be reached, or whom nobody vouches for, is tried later" {
	sed -i "/ca_bundle/d" conf.d/ca-info.conf
	run -75 sslm-acme account -c pebble
	[[ $output == *certificate* ]]
	[ ! -e "$(account)/account.json" ]
	sed -i "s|ca_url = .*|ca_url = 'https://$LAB_IP:1/dir'|" conf.d/ca-info.conf
	run -75 sslm-acme account -c pebble
	sed -i "s|ca_url = .*|ca_url = '$ACME_URL'\nca_bundle = 'nosuch.pem'|" conf.d/ca-info.conf
	run -2 sslm-acme account -c pebble
	[[ $output == *nosuch.pem* ]]
	# A hashed directory does as well as a file.
	sed -i "s|ca_bundle = .*|ca_bundle = '$CA_PATH'|" conf.d/ca-info.conf
	run -0 sslm-acme account -c pebble
}

@test "environment and proxies of others lead nowhere" {
	export https_proxy=http://127.0.0.1:1 ALL_PROXY=socks5h://127.0.0.1:1 HTTPS_PROXY=http://127.0.0.1:1
	export SSLKEYLOGFILE=$PWD/keys.log SSL_CERT_FILE=/dev/null OPENSSL_CONF=/nonexistent NETRC=/dev/null
	run -0 sslm-acme account -c pebble
	[ ! -e keys.log ]
}

@test "a CA that refuses a quarter of all nonces, and one that forgot the account" {
	# Of ten tries for each request; of half of all, one run in thirty would fail.
	LAB='' BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR ca_start PEBBLE_WFE_NONCEREJECT=25
	rm -rf conf.d Makefile mk
	CHALL_HTTP=1 acme_site
	sed -i "s/http-01/dns-01/" conf.d/ca-info.conf
	sslm-acme account -q -c pebble
	for name in a b c d; do
		rm -rf set
		request $name.example.com
		issue
		judged DNS:$name.example.com
	done
	lab_end "$LAB/pebble.pid"
	lab_end "$LAB/challtestsrv.pid"
	ca_start
	rm -rf set
	was=$(cat "$(account)/account.json")
	request e.example.com
	issue
	judged DNS:e.example.com
	[ "$(cat "$(account)/account.json")" != "$was" ]
}

@test "a CA that takes its time to validate" {
	LAB='' ca_start PEBBLE_VA_NOSLEEP=0 PEBBLE_VA_SLEEPTIME=4
	rm -rf conf.d Makefile mk
	acme_site dns-01
	sslm-acme account -q -c pebble
	request a.example.com b.example.com c.example.com
	issue
	judged DNS:a.example.com,DNS:b.example.com,DNS:c.example.com
}

@test "an account that is bound to another one" {
	LAB='' CA_EAB='kid-1=zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' ca_start
	rm -rf conf.d Makefile mk
	acme_site http-01
	run -1 sslm-acme account -c pebble
	[[ $output == *externalAccountRequired* ]]
	printf '    ca_eab_kid = "kid-1"\n' >>conf.d/ca-info.conf
	run -2 sslm-acme account -c pebble
	[[ $output == *ca_eab_hmac_file* ]]
	printf '    ca_eab_hmac_file = "hmac"\n' >>conf.d/ca-info.conf
	(umask 077; echo zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W >hmac)
	run -0 sslm-acme account -c pebble
	[[ $output != *zWND* ]]
}

@test "the chain that is preferred, by the issuer of its topmost certificate" {
	LAB='' ca_start PEBBLE_ALTERNATE_ROOTS=2 PEBBLE_CHAIN_LENGTH=2
	rm -rf conf.d Makefile mk
	acme_site dns-01
	sslm-acme account -q -c pebble
	ca_root alt.pem 2
	cn=$(openssl x509 -in alt.pem -noout -subject -nameopt multiline | sed -n 's/.*commonName *= //p')
	printf "    ca_preferred_chain = '%s'\n" "$cn" >>conf.d/ca-info.conf
	request a.example.com
	issue
	judged DNS:a.example.com 2
	rm -r set
	sed -i "s/ca_preferred_chain = .*/ca_preferred_chain = 'No Such Root'/" conf.d/ca-info.conf
	request b.example.com
	run -0 issue
	[[ $output == *"offers no chain that ends below 'No Such Root'; its first one is used"* ]]
	judged DNS:b.example.com 0
}

@test "authorizations that are valid ask for nothing" {
	LAB='' ca_start PEBBLE_AUTHZREUSE=100
	rm -rf conf.d Makefile mk
	acme_site dns-01
	sslm-acme account -q -c pebble
	request a.example.com b.example.com
	issue
	rm -r set
	request b.example.com a.example.com
	run -0 sslm-acme order -c pebble set
	[ -z "$output" ]
	sslm-acme finish -c pebble set
	judged DNS:b.example.com,DNS:a.example.com
}

@test "a hundred names go side by side, and are all in the certificate" {
	sed -i "s/http-01/dns-01/" conf.d/ca-info.conf
	sslm-acme account -q -c pebble
	# shellcheck disable=SC2046
	request $(seq -f 'n%g.example.com' 100)
	issue
	[ "$(wc -l <challenges)" = 100 ]
	judged "$(seq -f 'DNS:n%g.example.com' -s , 100)"
}

@test "wrong usage" {
	for words in '' 'nosuch -c pebble' order 'order -c pebble' 'order -c pebble a b' 'account' \
	    'account -c pebble x' 'account -ds -c pebble' 'finish -f -c pebble set' 'revoke -c pebble'; do
		# shellcheck disable=SC2086
		run -2 sslm-acme $words
		[[ $output == *usage:* ]]
	done
	run -1 sslm-acme order -c pebble nosuch
	mkdir set
	echo rubbish >set/csr.pem
	run -1 sslm-acme order -c pebble set
	sslm-genkey -o set/privkey.pem
	sslm-csr -a -k set/privkey.pem -o set/csr.pem -s CN=CA -s O=x 2>/dev/null || :
	run ! sslm-acme order -c pebble set
}
