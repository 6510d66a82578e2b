setup() { load helper; load pki; workdir; pki; whole root int leaf; }

# again [DIR [CA]]: the certificate of the set DIR by CA again, with $EXT, and its other files.
again() { issue "${1:-leaf}" "${2:-int}" && whole "${1:-leaf}"; }

# no PATH PATTERN: sslm-verify says no, for that reason, in a line that begins so.
no() {
	run -1 sslm-verify "$1"
	[[ $output == *"sslm-verify: "$2* ]] || { echo "not: $2"; return 1; }
	[[ $output != *": ok"* ]]
}

@test "sets of a root, an intermediate and a leaf fit" {
	run -0 sslm-verify root int leaf
	[ "$output" = $'root: ok\nint: ok\nleaf: ok' ]
	run -0 sslm-verify -q root int leaf/
	[ -z "$output" ]
}

@test "single files: certificate, chain, fullchain, bundle" {
	run -0 sslm-verify leaf/cert.pem leaf/chain.pem leaf/fullchain.pem leaf/bundle.pem root/cert.pem
	cp leaf/cert.pem alone.pem
	no alone.pem "alone.pem: 'CN=www.example.com' stands alone: the certificate of its issuer is missing"
	cp leaf/cert.pem leaf/fullchain.pem
	no leaf/fullchain.pem "leaf/fullchain.pem: 'CN=www.example.com' stands alone"
	run -2 sslm-verify leaf/csr.pem
	run -2 sslm-verify leaf/privkey.pem
}

@test "what fits together here fits for openssl and certtool" {
	openssl verify -CAfile root/cert.pem -untrusted leaf/chain.pem leaf/cert.pem
	certtool --verify-chain --infile leaf/fullchain.pem
}

@test "a set whose chain ends below the root, as those of public CAs do" {
	cp int/cert.pem leaf/chain.pem
	whole leaf
	run -0 sslm-verify leaf leaf/cert.pem leaf/fullchain.pem leaf/bundle.pem
	run -0 sslm-verify -a root/cert.pem leaf leaf/cert.pem leaf/bundle.pem
}

@test "a self-signed certificate of a server" {
	request self www.example.com -addext "subjectAltName=$SANS"
	EXT=$EXT_LEAF$SANS again self self
	run -0 sslm-verify self self/bundle.pem
}

@test "RSA and Ed25519 keys" {
	KEY='-newkey rsa:2048' request rsa r.example.com -addext subjectAltName=DNS:r.example.com
	EXT=${EXT_LEAF}DNS:r.example.com again rsa int
	KEY='-newkey ed25519' request ed e.example.com -addext subjectAltName=DNS:e.example.com
	EXT=${EXT_LEAF}DNS:e.example.com again ed int
	run -0 sslm-verify rsa ed
	cp rsa/privkey.pem ed/privkey.pem
	no ed "ed/privkey.pem: the key is not that of the certificate"
}

@test "somebody else's key" {
	cp int/privkey.pem leaf/privkey.pem
	no leaf "leaf/privkey.pem: the key is not that of the certificate"
	cat leaf/privkey.pem leaf/fullchain.pem > leaf/bundle.pem
	no leaf/bundle.pem "leaf/bundle.pem: the key is not that of the certificate"
}

@test "a key whose private half is damaged" {
	openssl pkcs8 -topk8 -nocrypt -in leaf/privkey.pem -outform DER -out k.der
	printf '\x5a\xa5\x5a' | dd of=k.der bs=1 seek=50 conv=notrunc 2>/dev/null
	{ echo '-----BEGIN PRIVATE KEY-----'; base64 -w64 k.der; echo '-----END PRIVATE KEY-----'; } > leaf/privkey.pem
	[ "$(openssl pkey -in leaf/privkey.pem -pubout)" = "$(openssl x509 -in leaf/cert.pem -pubkey -noout)" ]
	no leaf "leaf/privkey.pem: the private half of the key is damaged"
}

@test "keys and bundles that others may read" {
	for f in privkey bundle; do
		for mode in 0640 0604 0620 0610; do
			chmod $mode leaf/$f.pem
			no leaf "leaf/$f.pem: is readable by others"
		done
		chmod 0600 leaf/$f.pem
	done
	chmod 0400 leaf/privkey.pem leaf/bundle.pem
	run -0 sslm-verify leaf
	chmod 0644 leaf/bundle.pem
	no leaf/bundle.pem "leaf/bundle.pem: is readable by others"
}

@test "a request with another key, and a forged one" {
	cp leaf/cert.pem old.pem
	request other www.example.com -addext "subjectAltName=$SANS"
	cp other/csr.pem leaf/csr.pem
	no leaf "leaf/csr.pem: the key is not that of the certificate"
	openssl req -in other/csr.pem -outform DER -out r.der
	damage r.der 2
	openssl req -inform DER -in r.der -out leaf/csr.pem 2>/dev/null
	no leaf "the request in 'leaf/csr.pem' is not signed by its own key"
}

@test "names that the request does not ask for, or that are missing" {
	EXT=$EXT_LEAF$SANS,DNS:evil.example.org again
	no leaf "leaf/cert.pem: the certificate is also for 'evil.example.org', which the request does not ask for"
	EXT=${EXT_LEAF}DNS:www.example.com,DNS:*.example.com,IP:192.0.2.1 again
	no leaf "leaf/cert.pem: the certificate is not for '2001:db8::1', which the request asks for"
	EXT=$EXT_LEAF${SANS//192.0.2.1/192.0.2.2} again
	no leaf "leaf/cert.pem: the certificate is "
	EXT='basicConstraints=CA:FALSE' again
	no leaf "leaf/cert.pem: the certificate is not for "
}

@test "names are a set, and DNS names know no case; other kinds do not count" {
	EXT=${EXT_LEAF}IP:2001:db8::1,DNS:WWW.Example.COM,IP:192.0.2.1,DNS:*.example.com,DNS:www.example.com,email:a@example.com again
	run -0 sslm-verify leaf
}

@test "a CA is known by its subject, whatever names its request has" {
	request int Int -addext subjectAltName=DNS:Int
	EXT=$EXT_CA again int root
	run -0 sslm-verify int
}

@test "expired, or not valid yet" {
	END=20200201000000Z EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' expired on 2020-02-01 00:00 UTC"
	no leaf/cert.pem "leaf/cert.pem: 'CN=www.example.com' expired on 2020-02-01 00:00 UTC"
	BEGIN=20980101000000Z EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not valid before 2098-01-01 00:00 UTC"
	no leaf/bundle.pem "leaf/bundle.pem: 'CN=www.example.com' is not valid before"
}

@test "the time is now, to the hour at least" {
	at() { date -u -d "$1" +%Y%m%d%H%M%SZ; }
	BEGIN=$(at '-1 hour') END=$(at '+1 hour') EXT=$EXT_LEAF$SANS again
	run -0 sslm-verify leaf leaf/cert.pem
	BEGIN=$(at '-2 hours') END=$(at '-1 hour') EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' expired on "
	BEGIN=$(at '+1 hour') END=$(at '+2 hours') EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not valid before"
}

@test "an expired intermediate, an expired root" {
	END=20200201000000Z EXT=$EXT_CA again int root
	EXT=$EXT_LEAF$SANS again
	no leaf "leaf/chain.pem: 'CN=Int' expired on"
	no leaf/fullchain.pem "leaf/fullchain.pem: 'CN=Int' expired on"
	END=20200201000000Z EXT=$EXT_CA again root root
	EXT=$EXT_CA again int root
	no int "int/chain.pem: 'CN=Root' expired on"
	no root "root/cert.pem: 'CN=Root' expired on"
}

@test "a chain out of order, or without its intermediate" {
	cat root/cert.pem int/cert.pem > leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=Root'"
	no leaf/fullchain.pem "leaf/fullchain.pem: 'CN=www.example.com' is not issued by the next one"
	cp root/cert.pem leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=Root'"
	cat leaf/cert.pem int/cert.pem root/cert.pem > leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=www.example.com'"
	cp leaf/cert.pem leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' stands alone"
}

@test "an issuer of the same name with another key" {
	EXT=$'basicConstraints=CA:FALSE\nauthorityKeyIdentifier=none\nsubjectAltName='$SANS again
	run -0 sslm-verify leaf
	cp -r leaf leaf2
	request int Int
	EXT=$EXT_CA again int root
	cp int/fullchain.pem leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=Int': wrong signature"
	cp leaf2/chain.pem int2.pem
	EXT=$EXT_LEAF$SANS again
	run -0 sslm-verify leaf
	cp int2.pem leaf/chain.pem
	whole leaf
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=Int': authority and subject key identifier mismatch"
}

@test "a root that is not signed by itself" {
	openssl x509 -in root/cert.pem -outform DER -out r.der
	damage r.der 3
	openssl x509 -inform DER -in r.der -out root/cert.pem
	cp root/cert.pem root/chain.pem
	whole root
	no root "root/cert.pem: 'CN=Root' is not signed by itself: wrong signature"
}

@test "an issuer that is no CA, and one beyond its path length" {
	EXT=${EXT_CA/TRUE/FALSE} again int root
	EXT=$EXT_LEAF$SANS again
	no leaf "leaf/chain.pem: 'CN=Int' is not valid: invalid CA certificate"
	EXT=${EXT_CA/TRUE/TRUE,pathlen:0} again root root
	EXT=$EXT_CA again int root
	EXT=$EXT_LEAF$SANS again
	no leaf "leaf/chain.pem: 'CN=Root' is not valid: path length constraint exceeded"
	EXT=${EXT_CA/keyCertSign,/} again int root
	EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one, 'CN=Int': key usage does not include certificate signing"
}

@test "a key on a curve that is not named" {
	openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out leaf/privkey.pem
	openssl req -new -key leaf/privkey.pem -subj /CN=www.example.com -addext "subjectAltName=$SANS" -out leaf/csr.pem
	EXT=$EXT_LEAF$SANS again
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not valid: "
}

@test "fullchain and bundle of other parts" {
	cp int/fullchain.pem leaf/fullchain.pem
	no leaf "leaf/fullchain.pem: is not made of cert.pem and chain.pem"
	cp leaf/cert.pem leaf/fullchain.pem
	no leaf "leaf/fullchain.pem: is not made of"
	whole leaf
	cat root/cert.pem >> leaf/fullchain.pem
	no leaf "leaf/fullchain.pem: is not made of"
	whole leaf
	cp leaf/fullchain.pem leaf/bundle.pem
	no leaf "leaf/bundle.pem: does not begin with a private key"
	cat leaf/fullchain.pem leaf/privkey.pem > leaf/bundle.pem
	no leaf "'leaf/bundle.pem' holds a PRIVATE KEY where only certificates belong"
	cat int/privkey.pem leaf/fullchain.pem > leaf/bundle.pem
	no leaf "leaf/bundle.pem: the key is not that of the certificate"
	cat leaf/privkey.pem leaf/cert.pem > leaf/bundle.pem
	no leaf "leaf/bundle.pem: is not made of"
	cp leaf/privkey.pem leaf/bundle.pem
	no leaf "no certificate in 'leaf/bundle.pem'"
	whole leaf root
	cat root/cert.pem >> root/fullchain.pem
	no root "root/fullchain.pem: is not made of"
}

@test "text in fullchain and bundle; text before a certificate is none of our business" {
	{ cat leaf/cert.pem; echo '<html>'; cat leaf/chain.pem; } > leaf/fullchain.pem
	no leaf "'leaf/fullchain.pem' holds text that belongs to no certificate"
	run -2 sslm-verify leaf/fullchain.pem
	{ cat leaf/cert.pem leaf/chain.pem; echo '<html>'; } > leaf/fullchain.pem
	run -2 sslm-verify leaf/fullchain.pem
	whole leaf
	echo x >> leaf/bundle.pem
	no leaf "'leaf/bundle.pem' holds text"
	{ cat leaf/privkey.pem; echo x; cat leaf/fullchain.pem; } > leaf/bundle.pem
	run -2 sslm-verify leaf/bundle.pem
	openssl x509 -in leaf/cert.pem -text -out t.pem
	cp leaf/chain.pem .
	run -0 sslm-verify t.pem
	{ cat leaf/cert.pem; echo; echo; cat leaf/chain.pem; echo; } | sed 's/$/\r/' > crlf.pem
	run -0 sslm-verify crlf.pem
}

@test "a block whose first or last line is damaged is not text" {
	for f in leaf/bundle.pem leaf/fullchain.pem; do
		for at in $(grep -n -e ----- $f | cut -d: -f1); do
			for edit in "s/I/i/" "s/N/X/" 's/-$//' 's/^-//' 's/^./ &/'; do
				sed "${at}$edit" $f > x.pem
				chmod 600 x.pem
				run -2 sslm-verify x.pem
			done
		done
	done
	sed '11,$s/BEGIN/BEGIM/' leaf/chain.pem > x && mv x leaf/chain.pem
	cp int/cert.pem leaf/x.pem
	cat leaf/cert.pem leaf/x.pem > leaf/fullchain.pem
	cat leaf/privkey.pem leaf/fullchain.pem > leaf/bundle.pem
	no leaf "malformed PEM in 'leaf/chain.pem'"
}

@test "octets behind a certificate, inside its block" {
	{ openssl x509 -in root/cert.pem -outform DER; printf 'x'; } > der
	{ echo '-----BEGIN CERTIFICATE-----'; base64 -w64 der; echo '-----END CERTIFICATE-----'; } > x.pem
	run -2 sslm-verify x.pem
	[[ $output == *"malformed certificate in 'x.pem'"* ]]
	cp x.pem root/cert.pem
	no root "malformed certificate in 'root/cert.pem'"
}

@test "one certificate in cert.pem, ten in all, nothing else" {
	cp leaf/fullchain.pem leaf/cert.pem
	no leaf "leaf/cert.pem: holds 3 certificates"
	for _ in {1..11}; do cat root/cert.pem; done > r.pem
	run -2 sslm-verify r.pem
	[[ $output == *"more than 10 certificates in 'r.pem'"* ]]
	cp r.pem int/chain.pem
	no int "more than 10 certificates in 'int/chain.pem'"
	head -n -"$(wc -l < root/cert.pem)" r.pem > r10.pem
	run -0 sslm-verify r10.pem
}

@test "not PEM at all" {
	echo '<html><body>503 Service Unavailable</body></html>' > x.pem
	run -2 sslm-verify x.pem
	[[ $output == *"no certificate in 'x.pem'"* ]]
	: > x.pem
	run -2 sslm-verify x.pem
	head -c 5000 /dev/urandom > x.pem
	run -2 sslm-verify x.pem
	cp x.pem leaf/chain.pem
	no leaf "no certificate in 'leaf/chain.pem'"
	cp x.pem leaf/privkey.pem
	no leaf "no private key in 'leaf/privkey.pem'"
	openssl pkey -in int/privkey.pem -aes128 -passout pass:x -out leaf/privkey.pem
	no leaf "no private key in 'leaf/privkey.pem'"
	mkfifo f
	run -2 sslm-verify f
	head -c 2000000 /dev/zero > x.pem
	run -2 sslm-verify x.pem
	[[ $output == *"larger than"* ]]
}

@test "each of the six files is missed by name" {
	for f in privkey csr cert chain fullchain bundle; do
		mv leaf/$f.pem kept
		no leaf "cannot open 'leaf/$f.pem': No such file or directory"
		mv kept leaf/$f.pem
	done
	run -0 sslm-verify leaf
}

@test "every misfit is told, not only the first" {
	cp int/privkey.pem leaf/privkey.pem
	END=20200201000000Z EXT=$EXT_LEAF$SANS,DNS:evil.example.org issue leaf int
	run -1 sslm-verify -n mail.example.org leaf
	for what in "privkey.pem: the key" "for 'evil.example.org'" "expired on" "for 'mail.example.org'" "fullchain.pem: is not made" "bundle.pem: is not made"; do
		[[ $output == *"$what"* ]]
	done
}

@test "curr is a link; what it points to is named; a dangling one is not a no" {
	mkdir s && mv leaf s/20260101T000000Z && ln -s 20260101T000000Z s/curr
	run -0 sslm-verify s/curr s/curr/
	[ "${lines[0]}" = "s/curr: ok" ]
	rm s/20260101T000000Z/csr.pem
	no s/curr "cannot open 's/20260101T000000Z/csr.pem'"
	ln -sfn nowhere s/curr
	run -2 sslm-verify s/curr
	[[ $output == *"cannot open 's/curr', a link to 'nowhere': No such file or directory"* ]]
	run -2 sslm-verify none
	[[ $output == *"cannot open 'none': No such file or directory"* ]]
	ln -sfn "$PWD/int" s/curr
	run -0 sslm-verify s/curr
}

@test "curr is one generation throughout, however often it is switched" {
	ln -s leaf curr
	while :; do ln -s root .n; mv -T .n curr; ln -s leaf .n; mv -T .n curr; done &
	local switcher=$! i bad=0
	for ((i = 0; i < 100; i++)); do
		sslm-verify -q curr || bad=1
	done
	kill $switcher
	[ $bad = 0 ]
}

@test "anchors: the chain must end in one of them" {
	run -0 sslm-verify -a root/cert.pem leaf leaf/cert.pem leaf/bundle.pem int root
	run -0 sslm-verify -a int/cert.pem leaf
	cert other
	run -1 sslm-verify -a other.pem leaf leaf/bundle.pem root
	[[ $output == *"leaf/"*"is not valid: "*"root/"* ]]
	cat other.pem root/cert.pem > both.pem
	run -0 sslm-verify -a both.pem leaf
	run -0 sslm-verify -a other.pem -a root/cert.pem leaf
	for _ in {1..50}; do cat other.pem; done > many.pem
	cat root/cert.pem >> many.pem
	run -0 sslm-verify -a many.pem leaf
	cp leaf/cert.pem alone.pem
	run -1 sslm-verify -a root/cert.pem alone.pem
	run -0 sslm-verify -a int/cert.pem alone.pem
	run -2 sslm-verify -a none.pem leaf
	[[ $output == *"-a 'none.pem'"* ]]
	run -2 sslm-verify -a leaf/privkey.pem leaf
	head -c 900 both.pem > cut.pem
	run -2 sslm-verify -a cut.pem leaf
}

@test "anchors that cannot be opened are told so" {
	run -2 sslm-verify -a nofile leaf
	[[ $output == *"-a 'nofile': No such file or directory"* ]]
}

@test "names: as a client would look at them" {
	run -0 sslm-verify -n www.example.com -n WWW.EXAMPLE.COM. -n a.example.com -n 192.0.2.1 -n 2001:DB8:0::1 -n '*.example.com' leaf leaf/cert.pem
	for name in example.com a.b.example.com www.example.org 192.0.2.2 2001:db8::2 '*.example.org'; do
		run -1 sslm-verify -n "$name" leaf
		[[ $output == *"leaf/cert.pem: the certificate is not for '$name'"* ]]
		run -1 sslm-verify -n www.example.com -n "$name" leaf/bundle.pem
	done
	run -1 sslm-verify -n root root
	for name in 'a b' '' '-x' 'http://www.example.com/'; do
		run -2 sslm-verify -n "$name" leaf
		[[ $output == *"-n '$name'"* ]]
	done
}

@test "the common name alone is nobody's name" {
	request cn www.example.com
	EXT='basicConstraints=CA:FALSE' again cn int
	run -0 sslm-verify cn
	run -1 sslm-verify -n www.example.com cn
}

@test "of several paths the worst counts, and all are looked at" {
	cp int/privkey.pem leaf/privkey.pem
	run -1 sslm-verify leaf root
	[[ $output == *"root: ok" ]]
	run -2 sslm-verify leaf none root
	[[ $output == *"root: ok" ]]
	run -2 sslm-verify none leaf
}

@test "a certificate or bundle cut anywhere is never good" {
	local cert bundle n
	cert=$(cat leaf/cert.pem) bundle=$(cat leaf/bundle.pem)
	cp leaf/chain.pem .
	umask 077
	for ((n = 0; n < ${#cert}; n++)); do printf %s "${cert:0:n}" > cut.$n; done
	for ((n = 0; n < ${#bundle}; n++)); do printf %s "${bundle:0:n}" > bcut.$n; done
	# Behind its intermediate a bundle is whole, as a public CA's would be.
	n=$(cat leaf/privkey.pem leaf/cert.pem int/cert.pem | wc -c)
	run -0 sslm-verify bcut.$n
	rm bcut.$n bcut.$((n - 1))
	run -2 sslm-verify cut.* bcut.*
	[[ $output != *": ok"* ]]
	# None without a word about it.
	[ "$(grep -oE 'b?cut\.[0-9]+' <<< "$output" | sort -u | wc -l)" = "$(ls | grep -c cut)" ]
}

@test "a set with any of its files cut anywhere is never good" {
	local f n text
	umask 077
	for f in privkey csr cert chain fullchain bundle; do
		text=$(cat root/$f.pem)
		[ ${#text} -gt 200 ]
		for ((n = 0; n < ${#text}; n += n > 30 && n < ${#text} - 30 ? 16 : 1)); do
			printf %s "${text:0:n}" > root/$f.pem
			sslm-verify -q root 2> /dev/null && { echo "$f cut at $n"; return 1; } || [ $? = 1 ]
		done
		printf '%s\n' "$text" > root/$f.pem
	done
	run -0 sslm-verify root
	# Between the certificates of a chain, where only fullchain knows better.
	text=$(cat leaf/chain.pem)
	for ((n = $(stat -c %s int/cert.pem) - 30; n < $(stat -c %s int/cert.pem) + 40; n++)); do
		printf %s "${text:0:n}" > leaf/chain.pem
		sslm-verify -q leaf 2> /dev/null && { echo "chain cut at $n"; return 1; } || [ $? = 1 ]
	done
}

@test "names from a certificate do nothing to the terminal" {
	request evil $'a\e[31mb\xc2\x9bc\xe2\x80\xaed\nsslm-verify: evil: ok' -utf8 -multivalue-rdn -addext subjectAltName=DNS:x.example.com
	END=20200201000000Z EXT=${EXT_LEAF}DNS:x.example.com again evil int
	run -1 sslm-verify evil
	[[ $output == *'a\1B[31mb\C2\9Bc\E2\80\AEd\0Asslm-verify'*"expired"* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a reader that is gone, a full disk" {
	run -75 bash -c 'sslm-verify leaf > /dev/full'
	run -0 bash -c 'sslm-verify -q leaf > /dev/full'
}

@test "wrong usage" {
	run -2 sslm-verify
	[[ $output == "usage: sslm-verify "* ]]
	run -2 sslm-verify -x leaf
	run -0 sslm-verify -h
	run -0 sslm-verify -V
}

@test "nothing is changed, and nothing needs to be writable" {
	find . -printf '%p %T@ %C@ %m\n' | sort > before
	sslm-verify leaf int root > /dev/null
	find . ! -name before -printf '%p %T@ %C@ %m\n' | sort > after
	diff <(grep -v -e '^\./before' -e '^\. ' before) <(grep -v -e '^\./after' -e '^\. ' after)
}
