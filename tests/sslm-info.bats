setup() { load helper; load pki; workdir; }

# has "label: value": a line of the output, the room between them aside.
has() { grep -qxE " *$(sed 's/[][().*+?^$|\\{}]/\\&/g; s/: /: +/' <<< "$1")" <<< "$output" || { echo "missing: $1"; return 1; }; }
hasnt() { [[ $output != *"$1"* ]] || { echo "there: $1"; return 1; }; }
# What openssl calls the fingerprints.
spki() { openssl pkey "$@" -pubout -outform DER | sha256sum | cut -d' ' -f1; }
print() { openssl x509 -in "$1" -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f; }

@test "a certificate" {
	cert www.example.com -addext keyUsage=digitalSignature
	run -0 sslm-info www.example.com.pem
	[ "${lines[0]}" = "www.example.com.pem: certificate" ]
	has "subject: CN=www.example.com"
	has "issuer: CN=www.example.com"
	has "serial: $(openssl x509 -in www.example.com.pem -noout -serial | cut -d= -f2)"
	{ read -r from; read -r to; } < <(dates www.example.com.pem)
	has "not before: $(date -u -d "@$from" '+%Y-%m-%d %H:%M UTC')"
	has "not after: $(date -u -d "@$to" '+%Y-%m-%d %H:%M UTC')"
	has "lifetime: 30d"
	grep -qE 'time left: +(30d|29d 23h)' <<< "$output"
	has "names: www.example.com"
	has "key: EC:prime256v1"
	has "signature: ecdsa-with-SHA256"
	has "CA: yes"
	hasnt "key usage"
	run -0 sslm-info - < www.example.com.pem
	[ "${lines[0]}" = "standard input: certificate" ]
}

@test "a certificate in full" {
	printf '%s\n' subjectAltName=DNS:a.example.com,DNS:*.b.example.com,IP:192.0.2.1,IP:2001:db8::25,email:me@example.com,URI:https://a/,dirName:dn,RID:1.2.3.4 \
	    basicConstraints=critical,CA:TRUE,pathlen:2 keyUsage=critical,digitalSignature,keyCertSign \
	    extendedKeyUsage=serverAuth,1.2.3.4 subjectKeyIdentifier=hash authorityKeyIdentifier=keyid tlsfeature=status_request \
	    'authorityInfoAccess=OCSP;URI:http://o.example.com/,caIssuers;URI:http://i.example.com/x.cer' \
	    'crlDistributionPoints=URI:http://c.example.com/' '1.2.3.4.5=ASN1:UTF8:x' '[dn]' CN=dir > ext
	openssl req -new -newkey rsa:2048 -nodes -keyout k -subj '/C=DE/O=Ex, Inc./CN=a.example.com' -out r 2>/dev/null
	openssl x509 -req -in r -signkey k -sha384 -days 90 -extfile ext -out c 2>/dev/null
	run -0 sslm-info -v c
	has "subject: CN=a.example.com, O=Ex\\, Inc., C=DE"
	has "lifetime: 90d"
	has "names: a.example.com, *.b.example.com, 192.0.2.1, 2001:db8::25, email:me@example.com, URI:https://a/, dir:CN=dir, OID:1.2.3.4"
	has "key: RSA:2048"
	has "key SHA-256: $(spki -in k)"
	has "signature: sha384WithRSAEncryption"
	has "CA: yes, path length 2"
	has "key usage: Digital Signature, Certificate Sign"
	has "extended usage: TLS Web Server Authentication, 1.2.3.4"
	local ski
	ski=$(openssl x509 -in c -noout -ext subjectKeyIdentifier | tail -1 | tr -d ' :' | tr A-F a-f)
	has "key id: $ski"
	has "must-staple: yes"
	has "OCSP: http://o.example.com/"
	has "CA issuers: http://i.example.com/x.cer"
	has "others: crlDistributionPoints, 1.2.3.4.5"
	has "SHA-256: $(print c)"
	pki
	run -0 sslm-info -v leaf/cert.pem
	has "issuer's key id: $(openssl x509 -in int/cert.pem -noout -ext subjectKeyIdentifier | tail -1 | tr -d ' :' | tr A-F a-f)"
}

@test "the fingerprint of the key is that of certtool, too" {
	cert x
	run -0 sslm-info -v x.pem
	grep 'key SHA-256:' <<< "$output" | sed 's/.*: */sha256:/' > ours
	certtool --infile x.pem -i | grep -qFf ours
}

@test "dates: not valid yet, expired, far away" {
	request s x
	BEGIN=20200101000000Z END=20200201120000Z EXT=basicConstraints=CA:FALSE issue s s
	run -0 sslm-info s/cert.pem
	has "not after: 2020-02-01 12:00 UTC"
	has "lifetime: 31d 12h"
	has "CA: no"
	local days
	days=$((($(date +%s) - $(date -u -d '2020-02-01 12:00' +%s)) / 86400))
	grep -qE "time left: +none, expired ($days|$((days - 1)))d( [0-9]+h)? ago" <<< "$output"
	BEGIN=20980101000000Z END=99991231235959Z EXT=basicConstraints=CA:FALSE issue s s
	run -0 sslm-info s/cert.pem
	has "not after: 9999-12-31 23:59 UTC"
	days=$((($(date -u -d 2098-01-01 +%s) - $(date +%s)) / 86400))
	grep -qE "time left: +not yet valid, begins in ($days|$((days + 1)))d" <<< "$output"
	hasnt "names:"
}

@test "chain, full chain, bundle: each block in turn" {
	pki
	whole root int leaf
	run -0 sslm-info leaf/chain.pem
	[ "${lines[0]}" = "leaf/chain.pem: chain, 2 blocks" ]
	[ "${lines[1]}" = "1. certificate" ]
	has "2. certificate"
	run -0 sslm-info leaf/fullchain.pem
	[ "${lines[0]}" = "leaf/fullchain.pem: full chain (certificate and chain), 3 blocks" ]
	run -0 sslm-info leaf/bundle.pem
	[ "${lines[0]}" = "leaf/bundle.pem: bundle (key, certificate and chain), 4 blocks" ]
	[ "${lines[1]}" = "1. private key" ]
	has "4. certificate"
	[ "$(grep subject <<< "$output" | sed 's/.*: *//' | xargs)" = "CN=www.example.com CN=Int CN=Root" ]
	cat leaf/cert.pem leaf/csr.pem > mix.pem
	run -0 sslm-info mix.pem
	[ "${lines[0]}" = "mix.pem: several things, 2 blocks" ]
}

@test "a request and what it asks for" {
	request s www.example.com -addext subjectAltName=DNS:www.example.com,IP:192.0.2.1 -addext tlsfeature=status_request \
	    -addext keyUsage=digitalSignature -addext extendedKeyUsage=serverAuth -addext nsComment=x
	run -0 sslm-info s/csr.pem
	[ "${lines[0]}" = "s/csr.pem: certificate request" ]
	has "subject: CN=www.example.com"
	has "names: www.example.com, 192.0.2.1"
	has "key: EC:prime256v1"
	has "key SHA-256: $(spki -in s/privkey.pem)"
	has "key usage: Digital Signature"
	has "extended usage: TLS Web Server Authentication"
	has "must-staple: yes"
	has "others: nsComment"
	hasnt "NOT by this key"
	openssl req -in s/csr.pem -outform DER -out r.der
	damage r.der 2
	openssl req -inform DER -in r.der -out r.pem
	run -0 sslm-info r.pem
	has "signed: NOT by this key"
}

@test "private keys are told by kind and fingerprint, never shown" {
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa 2>/dev/null
	openssl rsa -in rsa -traditional -out oldrsa 2>/dev/null
	openssl ecparam -name secp384r1 -genkey -noout -out ec
	openssl genpkey -algorithm ed25519 -out ed
	openssl ecparam -name brainpoolP256r1 -genkey -out two
	for f in rsa:RSA:2048 oldrsa:RSA:2048 ec:EC:secp384r1 ed:ED25519; do
		run -0 sslm-info "${f%%:*}"
		[ "${lines[0]}" = "${f%%:*}: private key" ]
		has "key: ${f#*:}"
		has "key SHA-256: $(spki -in "${f%%:*}")"
		[ "${#lines[@]}" = 3 ]
		run -0 sslm-info -v "${f%%:*}"
		[ "${#lines[@]}" = 3 ]
	done
	run -0 sslm-info two
	has "1. EC parameters"
	has "2. private key"
	has "key: EC:brainpoolP256r1"
}

@test "encrypted keys are named, without a question" {
	openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out k
	openssl pkey -in k -aes128 -passout pass:secret -out e8
	openssl ec -in k -aes128 -passout pass:secret -out e1 2>/dev/null
	grep -q ENCRYPTED e1
	run -0 sslm-info e8 e1 < /dev/null
	[ "$output" = $'e8: encrypted private key\ne1: encrypted private key' ]
}

@test "whatever else comes in PEM is named" {
	cert ca
	openssl pkey -in ca.key -pubout -out pub
	openssl x509 -in ca.pem -trustout -addtrust serverAuth -setalias x -out trusted
	openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out dh
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=i\ndefault_md=sha256\ndefault_crl_days=7\n' > conf
	: > i
	openssl ca -gencrl -config conf -keyfile ca.key -cert ca.pem -out crl 2>/dev/null
	openssl crl2pkcs7 -nocrl -certfile ca.pem -out p7
	run -0 sslm-info pub
	has "pub: public key"
	has "key: EC:prime256v1"
	has "key SHA-256: $(spki -in ca.key)"
	run -0 sslm-info trusted
	has "trusted: trusted certificate (OpenSSL)"
	has "subject: CN=ca"
	run -0 sslm-info dh
	has "dh: DH parameters"
	has "size: 2048 bits"
	has "group: ffdhe2048"
	run -0 sslm-info crl
	has "crl: certificate revocation list"
	has "issuer: CN=ca"
	has "revoked: 0"
	run -0 sslm-info p7
	[ "$output" = "p7: PKCS#7 container" ]
	printf -- '-----BEGIN A \e[31mFOO-----\nQUJD\n-----END A \e[31mFOO-----\n' > foo
	run -0 sslm-info foo
	[ "$output" = "foo: unknown block 'A \\1B[31mFOO'" ]
}

@test "text around the blocks is passed over" {
	cert a
	cert b
	{ echo 'dear sir'; openssl x509 -in a.pem -text; echo '-- '; sed 's/$/\r/' b.pem; echo regards; } > mail
	run -0 sslm-info mail
	[ "${lines[0]}" = "mail: full chain (certificate and chain), 2 blocks" ] || [ "${lines[0]}" = "mail: chain, 2 blocks" ]
	has "subject: CN=a"
	has "subject: CN=b"
}

@test "several files; those that cannot be read do not hide the others" {
	cert a
	cert b
	run -1 sslm-info a.pem none b.pem
	[[ $output == *"sslm-info: cannot open 'none': No such file or directory"* ]]
	has "a.pem: certificate"
	has "b.pem: certificate"
	run -1 sslm-info .
	echo hello > t
	run -1 sslm-info t
	[[ $output == *"sslm-info: 't' holds no PEM"* ]]
	run -1 sslm-info < /dev/null
	[[ $output == *"'standard input' holds no PEM"* ]]
}

@test "a malformed block is told of by number, the others are shown" {
	cert a
	cert b
	openssl x509 -in a.pem -outform DER -out a.der
	body() { echo '-----BEGIN CERTIFICATE-----'; base64 -w64; echo '-----END CERTIFICATE-----'; }
	for bad in "head -c 200 a.der | body" "cat a.der a.der | body" "sed 5s/./!/ a.pem" "head -4 a.pem" "head -c 30 /dev/urandom | body" "sed s/END.CERT/END_CERT/ a.pem"; do
		{ cat a.pem; eval "$bad"; cat b.pem; } > three
		run -1 sslm-info three
		[[ $output == *"'three': block 2 is malformed"* ]] || { echo "$bad"; return 1; }
		[[ ${lines[0]} == "three: "*", 3 blocks" || ${lines[1]} == "three: "*", 3 blocks" ]]
		has "subject: CN=a"
		has "subject: CN=b"
		[ "$(grep -c subject <<< "$output")" = 2 ]
	done
}

@test "a file cut anywhere is told to be so, or shown in part" {
	pki
	whole leaf
	local text n
	text=$(cat leaf/bundle.pem)
	for ((n = 0; n < ${#text}; n += n % 600 < 40 ? 1 : 11)); do printf %s "${text:0:n}" > cut.$n; done
	run -1 --separate-stderr sslm-info cut.*
	# Every file but those that end behind a block.
	local whole=" " block
	n=0
	for block in leaf/privkey.pem leaf/cert.pem int/cert.pem; do
		n=$((n + $(stat -c %s $block)))
		whole+="cut.$((n - 1)) cut.$n "
	done
	for f in cut.*; do
		[[ $whole == *" $f "* ]] || grep -q "'$f'" <<< "$stderr" || { echo "$f"; return 1; }
	done
}

@test "names do nothing to the terminal" {
	request s $'a\e[31m\tb\xc2\x9bc\xe2\x80\xaed\nCA: yes' -utf8 -addext $'subjectAltName=DNS:x\e]0;y\a.example.com\x7f,DNS:a\\b'
	EXT=$'subjectAltName=DNS:x\e]0;y\a.example.com' issue s s
	run -0 sslm-info -v s/cert.pem s/csr.pem
	has 'subject: CN=a\1B[31m\09b\C2\9Bc\E2\80\AEd\0ACA: yes'
	has 'names: x\1B]0;y\07.example.com'
	[ -z "$(LC_ALL=C tr -d '\n -~' <<< "$output")" ]
	request s 'Bücher & Söhne' -utf8
	run -0 sslm-info s/csr.pem
	has "subject: CN=Bücher & Söhne"
	EXT=$'subjectAltName=otherName:1.2.3.4;UTF8:x' issue s s
	run -0 sslm-info s/cert.pem
	has "names: other:(not shown)"
	request s x -addext 'subjectAltName=DNS:a.example.com'
	printf 'subjectAltName=DER:30%02x82%02x%s' 20 18 "$(printf 'good.example, evil' | xxd -p)" > e
	openssl x509 -req -in s/csr.pem -signkey s/privkey.pem -extfile e -out c 2>/dev/null
	run -0 sslm-info c
	has 'names: good.example\2C\20evil'
}

@test "malformed extensions are said to be so" {
	request s x
	printf '%s\n' subjectAltName=DER:3003 basicConstraints=DER:31 keyUsage=DER:04 extendedKeyUsage=DER:05 \
	    authorityInfoAccess=DER:30 tlsfeature=DER:31 > e
	openssl x509 -req -in s/csr.pem -signkey s/privkey.pem -extfile e -out c 2>/dev/null
	run -0 sslm-info -v c
	for l in names CA "key usage" "extended usage" must-staple "issuer's URLs"; do
		has "$l: (malformed)"
	done
}

@test "an empty subject" {
	request s x
	openssl req -new -key s/privkey.pem -subj / -addext subjectAltName=DNS:x.example.com -out s/csr.pem
	run -0 sslm-info s/csr.pem
	has "subject: (empty)"
}

@test "what is no regular file is told to be so, what cannot be read once" {
	mkfifo fifo
	run -1 sslm-info fifo
	[ "$output" = "sslm-info: cannot read 'fifo': not a regular file" ]
	# As another user the process may not even open this.
	run -1 sslm-info /proc/self/mem
	[[ $output == "sslm-info: cannot "*" '/proc/self/mem': "* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a full disk is a failure" {
	cert a
	run -75 bash -c 'sslm-info a.pem > /dev/full'
}

@test "wrong usage" {
	run -2 sslm-info -x
	[[ $output == *"usage: sslm-info "* ]]
	run -0 sslm-info -h
	[ "${lines[0]}" = "usage: sslm-info [-v] [file ...]" ]
	run -0 sslm-info -V
}
