setup() {
	load helper
	workdir
	printf '[req]\ndistinguished_name=dn\n[dn]\n[ca]\ndefault_ca=d\n' > cnf
	printf '[d]\ndatabase=db/index\nserial=db/serial\nnew_certs_dir=db\npolicy=p\ndefault_md=sha256\n' >> cnf
	printf 'unique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n' >> cnf
}

# ---- what the tests sign, and what signs: all of it made by openssl(1) ------

# key FILE [KIND]
key() {
	case ${2:-ec} in
	ec) set -- "$1" EC -pkeyopt ec_paramgen_curve:P-256 ;;
	rsa*) set -- "$1" RSA -pkeyopt "rsa_keygen_bits:${2#rsa}" ;;
	*) set -- "$1" "$2" ;;
	esac
	openssl genpkey -out "$1" -algorithm "${@:2}" 2>/dev/null
}

# csr NAME SUBJECT [EXTENSION...]: NAME.csr, by NAME.key, which is made if missing.
csr() {
	local name=$1 subject=$2 ext=()
	shift 2
	[ -e "$name.key" ] || key "$name.key"
	for e; do ext+=(-addext "$e"); done
	openssl req -new -config cnf -key "$name.key" -subj "$subject" "${ext[@]}" -utf8 \
	    -out "$name.csr"
}

# leaf: leaf.csr for leaf.example.
leaf() { csr leaf /CN=leaf.example "subjectAltName=DNS:leaf.example"; }

# ca DIR START END [EXTENSION...]: a self-signed set, by default that of a CA.
ca() {
	local dir=$1 start=$2 end=$3
	shift 3
	[ $# != 0 ] || set -- basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign \
	    subjectKeyIdentifier=hash
	mkdir -p "$dir"
	[ -e "$dir/privkey.pem" ] || key "$dir/privkey.pem"
	openssl req -new -config cnf -key "$dir/privkey.pem" -subj "/CN=$dir" -out "$dir/csr.pem"
	mkdir -p db
	touch db/index
	openssl ca -batch -selfsign -notext -create_serial -config cnf -keyfile "$dir/privkey.pem" \
	    -startdate "$start" -enddate "$end" -extfile <(printf '%s\n' "$@") \
	    -in "$dir/csr.pem" -out "$dir/cert.pem" 2>/dev/null
	cp "$dir/cert.pem" "$dir/fullchain.pem"
}

# now [SPAN]: a time as openssl ca wants it.
now() { date -u -d "now ${1:-}" +%Y%m%d%H%M%SZ; }

# root DIR: a CA with no limits, for ten years.
root() { ca "$1" "$(now '-1 day')" "$(now '+3650 days')"; }

# ---- what openssl(1) reads in a certificate ---------------------------------

text() { openssl x509 -in "${1:-cert.pem}" -noout -text; }

# ext NAME [FILE]: an extension in one line, "critical" first if it is.
ext() {
	openssl x509 -in "${2:-cert.pem}" -noout -ext "$1" 2>/dev/null | tail -n +1 |
	    sed 's/^X509v3 [^:]*: *//;s/^ *//' | xargs
}

# exts [FILE]: how many extensions there are.
exts() {
	openssl asn1parse -in "${1:-cert.pem}" | sed '1,/d=2 .* cont \[ 3 \]/d' | grep -c 'd=5 .* OBJECT'
}

pems() { grep -c 'BEGIN CERTIFICATE' "$1"; }
days() { set -- $(dates "${1:-cert.pem}") && echo $((($2 - $1) / 86400)).$((($2 - $1) % 86400)); }

# refused STATUS WHAT FLAG...: a message with WHAT, and no file.
refused() {
	local status=$1 what=$2
	shift 2
	run "-$status" sslm-sign -o out "$@"
	[[ ${lines[0]} == "sslm-sign: "*"$what"* ]]
	[ "${#lines[@]}" = 1 ]
	[ -z "$(ls -A out)" ]
}

@test "root, intermediate and leaf of every mix of kinds verify strictly, for openssl and GnuTLS" {
	local r i l
	for k in ec rsa2048 ED25519; do
		key root-$k.key $k
		key int-$k.key $k
		csr root-$k "/CN=Root $k"
		csr int-$k "/CN=Int $k"
		key leaf-$k.key $k
		csr leaf-$k /CN=leaf.example "subjectAltName=DNS:leaf.example,IP:192.0.2.1"
	done
	for r in ec rsa2048 ED25519; do
		mkdir $r
		sslm-sign -k root-$r.key -o $r root-$r.csr
		cp $r/cert.pem $r/fullchain.pem
		cp root-$r.key $r/privkey.pem
		openssl verify -x509_strict -CAfile $r/cert.pem $r/cert.pem
		for i in ec rsa2048 ED25519; do
			mkdir $r/$i
			sslm-sign -t ca -s $r -o $r/$i int-$i.csr
			cp int-$i.key $r/$i/privkey.pem
			cat $r/$i/cert.pem $r/$i/chain.pem > $r/$i/fullchain.pem
			for l in ec rsa2048 ED25519; do
				mkdir $r/$i/$l
				sslm-sign -s $r/$i -o $r/$i/$l leaf-$l.csr
				openssl verify -x509_strict -purpose sslserver -verify_hostname leaf.example \
				    -CAfile $r/cert.pem -untrusted $r/$i/cert.pem $r/$i/$l/cert.pem
				openssl verify -x509_strict -purpose sslclient -verify_ip 192.0.2.1 \
				    -CAfile $r/cert.pem -untrusted $r/$i/cert.pem $r/$i/$l/cert.pem
				cat $r/$i/$l/cert.pem $r/$i/$l/chain.pem > full
				certtool --verify-chain --infile full 2>/dev/null |
				    grep 'Chain verification output: Verified'
			done
		done
	done
	[ "$(find . -name cert.pem | wc -l)" = 39 ]
}

@test "the chain is the signer's full chain, encoded anew; that of a root is the root" {
	mkdir root int leaf
	key root/privkey.pem
	openssl req -new -config cnf -key root/privkey.pem -subj /CN=Root -out root/csr.pem
	run -0 sslm-sign -k root/privkey.pem root/csr.pem
	[ -z "$output" ]
	[ "$(pems root/chain.pem)" = 1 ]
	cmp root/chain.pem root/cert.pem
	{ echo 'subject=/CN=Root'; cat root/cert.pem; echo junk; } > root/fullchain.pem
	csr int /CN=Int
	run -0 sslm-sign -t ca -s root -o int int.csr
	cmp int/chain.pem root/cert.pem
	mv int.key int/privkey.pem
	cat int/cert.pem root/fullchain.pem > int/fullchain.pem
	leaf
	run -0 sslm-sign -s int -o leaf leaf.csr
	[ "$(pems leaf/chain.pem)" = 2 ]
	cat int/cert.pem root/cert.pem | cmp - leaf/chain.pem
	[ "$(grep -c . leaf/cert.pem)" = "$(openssl x509 -in leaf/cert.pem | grep -c .)" ]
}

@test "a leaf: what it is and what it may do" {
	root ca
	leaf
	sslm-sign -s ca leaf.csr
	text | grep -q 'Version: 3 (0x2)'
	[ "$(openssl x509 -noout -issuer -subject -nameopt RFC2253 -in cert.pem | xargs)" = \
	    "issuer=CN=ca subject=CN=leaf.example" ]
	[ "$(openssl x509 -noout -pubkey -in cert.pem)" = "$(openssl pkey -in leaf.key -pubout)" ]
	[ "$(ext basicConstraints)" = "critical CA:FALSE" ]
	[ "$(ext keyUsage)" = "critical Digital Signature" ]
	[ "$(ext extendedKeyUsage)" = "TLS Web Server Authentication, TLS Web Client Authentication" ]
	[ "$(ext subjectAltName)" = "DNS:leaf.example" ]
	[ "$(exts)" = 6 ]
	key leaf.key ED25519
	leaf
	sslm-sign -s ca leaf.csr
	[ "$(ext keyUsage)" = "critical Digital Signature" ]
	key leaf.key rsa2048
	leaf
	sslm-sign -s ca leaf.csr
	[ "$(ext keyUsage)" = "critical Digital Signature, Key Encipherment" ]
	key leaf.key RSA-PSS
	leaf
	sslm-sign -s ca leaf.csr
	[ "$(ext keyUsage)" = "critical Digital Signature" ]
}

@test "a CA: what it is and what it may do" {
	mkdir root int
	csr root /CN=Root
	sslm-sign -k root.key -o root root.csr
	[ "$(ext basicConstraints root/cert.pem)" = "critical CA:TRUE, pathlen:1" ]
	[ "$(ext keyUsage root/cert.pem)" = "critical Certificate Sign, CRL Sign" ]
	[ "$(exts root/cert.pem)" = 4 ]
	cp root.key root/privkey.pem
	cp root/cert.pem root/fullchain.pem
	csr int /CN=Int
	sslm-sign -t ca -s root -o int int.csr
	[ "$(ext basicConstraints int/cert.pem)" = "critical CA:TRUE, pathlen:0" ]
	[ "$(ext keyUsage int/cert.pem)" = "critical Certificate Sign, CRL Sign" ]
	[ "$(exts int/cert.pem)" = 4 ]
	sslm-sign -k root.key -t root -l 8 root.csr
	[ "$(ext basicConstraints)" = "critical CA:TRUE, pathlen:8" ]
	root free
	sslm-sign -t ca -s free -l 3 int.csr
	[ "$(ext basicConstraints)" = "critical CA:TRUE, pathlen:3" ]
}

@test "the key identifiers: SHA-1 of the public key, and that of the signer" {
	local bits
	root ca
	leaf
	sslm-sign -s ca leaf.csr
	bits=$(openssl pkey -in leaf.key -pubout -outform DER | tail -c 65 | sha1sum | cut -c1-40)
	[ "$(ext subjectKeyIdentifier | tr -d : | tr A-F a-f)" = "$bits" ]
	[ "$(ext authorityKeyIdentifier)" = "$(ext subjectKeyIdentifier ca/cert.pem)" ]
	csr root /CN=Root
	sslm-sign -k root.key root.csr
	[ "$(ext authorityKeyIdentifier)" = "$(ext subjectKeyIdentifier)" ]
	# A signer that was not made by us.
	ca odd "$(now)" "$(now '+90 days')" basicConstraints=CA:TRUE subjectKeyIdentifier=01:02:03
	sslm-sign -s odd leaf.csr
	[ "$(ext authorityKeyIdentifier)" = "01:02:03" ]
}

@test "serial numbers: 128 random bits, positive, never twice" {
	local i
	root ca
	leaf
	for i in {1..24}; do
		sslm-sign -s ca leaf.csr
		openssl x509 -in cert.pem -noout -serial | cut -d= -f2 >> serials
	done
	[ "$(sort -u serials | wc -l)" = 24 ]
	[ "$(grep -c -- - serials)" = 0 ]
	[ "$(grep -cE '^.{33}' serials)" = 0 ]
	[ "$(grep -cE '^.{31,32}$' serials)" -gt 12 ]
	grep -qE '^[89A-F].{31}$' serials	# the highest bit, too, is random
}

@test "valid from now, for so many days" {
	local before after d
	root ca
	leaf
	before=$(date +%s)
	sslm-sign -s ca leaf.csr
	after=$(date +%s)
	set -- $(dates cert.pem)
	[ "$1" -ge "$before" ]
	[ "$1" -le "$after" ]
	[ "$(days)" = 90.0 ]
	for d in 1 30 397; do
		sslm-sign -e $d -s ca leaf.csr
		[ "$(days)" = $d.0 ]
	done
	sslm-sign -t ca -s ca leaf.csr
	[ "$(days)" = 1825.0 ]
	csr root /CN=Root
	for d in 36500 3650; do
		sslm-sign -k root.key -e $d root.csr
		[ "$(days)" = $d.0 ]
	done
	sslm-sign -k root.key root.csr
	[ "$(days)" = 3650.0 ]
}

@test "two digits for the year up to 2049, four from then on" {
	local left types
	left=$(((2524608000 - $(date +%s)) / 86400))	# whole days up to 2050
	[ $left -gt 0 ] || skip "too late"
	csr root /CN=Root
	sslm-sign -k root.key -e $left root.csr
	types=$(openssl asn1parse -in cert.pem | grep -oE 'UTCTIME|GENERALIZEDTIME' | xargs)
	[ "$types" = "UTCTIME UTCTIME" ]
	sslm-sign -k root.key -e $((left + 1)) root.csr
	types=$(openssl asn1parse -in cert.pem | grep -oE 'UTCTIME|GENERALIZEDTIME' | xargs)
	[ "$types" = "UTCTIME GENERALIZEDTIME" ]
	[ "$(days)" = $((left + 1)).0 ]
}

@test "nothing outlives its signer, or the signer's signer" {
	local end
	end=$(now '+10 days')
	leaf
	ca ca "$(now)" "$end"
	run -0 sslm-sign -s ca leaf.csr
	[[ $output == "sslm-sign: warning: 'leaf.csr' is signed until ${end:0:8}T${end:8} only"* ]]
	[ "$(openssl x509 -in cert.pem -noout -enddate)" = "$(openssl x509 -in ca/cert.pem -noout -enddate)" ]
	run -0 sslm-sign -s ca -e 9 leaf.csr
	[ -z "$output" ]
	[ "$(days)" = 9.0 ]
	csr int /CN=Int
	mkdir int
	sslm-sign -s ca -t ca -o int int.csr
	[ "$(openssl x509 -in int/cert.pem -noout -enddate)" = "$(openssl x509 -in ca/cert.pem -noout -enddate)" ]
	# The signer lives longer than the CA above it.
	root long
	cat long/cert.pem ca/cert.pem > long/fullchain.pem
	run -0 sslm-sign -s long leaf.csr
	[ "$(openssl x509 -in cert.pem -noout -enddate)" = "$(openssl x509 -in ca/cert.pem -noout -enddate)" ]
	# An end beyond 2050, and one that is no end at all (RFC 5280, 4.1.2.5).
	ca never "$(now)" 99991231235959Z
	run -0 sslm-sign -s never -e 36500 leaf.csr
	[ -z "$output" ]
	[ "$(days)" = 36500.0 ]
}

@test "extended key usages" {
	root ca
	leaf
	sslm-sign -s ca -u emailProtection,codeSigning,OCSPSigning leaf.csr
	[ "$(ext extendedKeyUsage)" = "E-mail Protection, Code Signing, OCSP Signing" ]
	sslm-sign -s ca -u timeStamping leaf.csr
	[ "$(ext extendedKeyUsage)" = "critical Time Stamping" ]
	key leaf.key rsa2048
	leaf
	sslm-sign -s ca -u timeStamping leaf.csr
	[ "$(ext keyUsage)" = "critical Digital Signature" ]
	openssl verify -purpose timestampsign -CAfile ca/cert.pem cert.pem
	sslm-sign -s ca -u clientAuth leaf.csr
	[ "$(ext extendedKeyUsage)" = "TLS Web Client Authentication" ]
	run -2 openssl verify -purpose sslserver -CAfile ca/cert.pem cert.pem
	mkdir out
	for u in '' , serverAuth, ,serverAuth serverauth anyExtendedKeyUsage 1.2.3 'serverAuth, clientAuth' \
	    critical,serverAuth; do
		refused 2 "-u '$u': no such usage" -s ca -u "$u" leaf.csr
	done
	refused 2 'serverAuth is given twice' -s ca -u serverAuth,clientAuth,serverAuth leaf.csr
}

@test "what the request wishes for is not granted" {
	local wish=(basicConstraints=critical,CA:TRUE,pathlen:3 keyUsage=keyCertSign,cRLSign,keyAgreement
	    extendedKeyUsage=codeSigning,anyExtendedKeyUsage subjectKeyIdentifier=01:02
	    certificatePolicies=1.2.3.4 nsComment=hello 1.2.3.4=critical,DER:0500
	    nameConstraints=permitted\;DNS:com crlDistributionPoints=URI:http://evil.example/
	    authorityInfoAccess=OCSP\;URI:http://evil.example/ issuerAltName=DNS:evil.example)
	root ca
	csr leaf /CN=leaf.example "${wish[@]}" subjectAltName=critical,DNS:leaf.example
	run -0 sslm-sign -s ca leaf.csr
	[ -z "$output" ]
	[ "$(ext basicConstraints)" = "critical CA:FALSE" ]
	[ "$(ext keyUsage)" = "critical Digital Signature" ]
	[ "$(ext extendedKeyUsage)" = "TLS Web Server Authentication, TLS Web Client Authentication" ]
	[ "$(ext subjectAltName)" = "DNS:leaf.example" ]
	[ "$(exts)" = 6 ]
	[ "$(text | grep -ci evil)" = 0 ]
	csr int /CN=Int "${wish[@]}" subjectAltName=DNS:int.example tlsfeature=status_request
	run -0 sslm-sign -t ca -s ca int.csr
	[ "$(ext basicConstraints)" = "critical CA:TRUE, pathlen:0" ]
	[ "$(exts)" = 4 ]
	csr bad /CN=Int "${wish[@]}" subjectAltName=email:a@example.com
	run -0 sslm-sign -t ca -s ca bad.csr	# no names are read for a CA
	[ "$(exts)" = 4 ]
}

@test "names that are neither DNS names nor addresses are refused" {
	local san
	root ca
	mkdir out
	for san in email:a@example.com URI:https://example.com/ RID:1.2.3.4 \
	    'otherName:1.2.3.4;UTF8:x' 'DNS:two words' DNS:192.0.2.1 DNS:2001:db8::1 'DNS:a..b' DNS:-a.example \
	    'DNS:*.com' DNS:büch.example DNS:example.com.; do
		csr leaf /CN=leaf.example "subjectAltName=DNS:leaf.example,$san"
		refused 1 "name 2 in 'leaf.csr' is neither a DNS name nor an address" -s ca leaf.csr
	done
	printf '[n]\nCN=evil\n' >> cnf
	csr leaf /CN=leaf.example subjectAltName=dirName:n
	refused 1 "name 1 in 'leaf.csr'" -s ca leaf.csr
	# A NUL in a DNS name; an address with a mask, as in name constraints.
	csr leaf /CN=leaf.example subjectAltName=DER:300f820d612e6578616d706c65002e6578
	refused 1 "name 1 in 'leaf.csr'" -s ca leaf.csr
	csr leaf /CN=leaf.example subjectAltName=DER:300a8708c0000200ffffff00
	refused 1 "name 1 in 'leaf.csr'" -s ca leaf.csr
	csr leaf /CN=leaf.example subjectAltName=DER:30028200
	refused 1 "name 1 in 'leaf.csr'" -s ca leaf.csr
	csr leaf /CN=leaf.example subjectAltName=DER:3005
	refused 1 "malformed or repeated 'X509v3 Subject Alternative Name' in 'leaf.csr'" -s ca leaf.csr
	csr leaf /CN=leaf.example subjectAltName=DNS:a.example \
	    2.5.29.17=DER:300b8209622e6578616d706c65
	# From 3.2 on, openssl leaves out the first.
	if [ "$(openssl req -in leaf.csr -noout -text | grep -c 'Subject Alternative Name')" = 2 ]; then
		refused 1 "malformed or repeated 'X509v3 Subject Alternative Name' in 'leaf.csr'" -s ca leaf.csr
	fi
	csr leaf /CN=leaf.example 'subjectAltName=DNS:Leaf.Example,DNS:*.example.com,IP:192.0.2.1,IP:2001:db8::1'
	run -0 sslm-sign -s ca -o out leaf.csr
	[ "$(ext subjectAltName out/cert.pem)" = \
	    "DNS:Leaf.Example, DNS:*.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1" ]
}

@test "without a subject the names are critical, and needed" {
	root ca
	csr leaf / subjectAltName=DNS:leaf.example
	sslm-sign -s ca leaf.csr
	[ "$(ext subjectAltName)" = "critical DNS:leaf.example" ]
	openssl verify -x509_strict -CAfile ca/cert.pem cert.pem
	mkdir out
	csr leaf /
	refused 1 'neither a subject nor a name' -s ca leaf.csr
	refused 1 "no subject, which a CA needs" -s ca -t ca leaf.csr
	refused 1 "no subject, which a CA needs" -k leaf.key leaf.csr
	csr leaf $'/CN=two\nlines'
	refused 1 'control character in the subject' -s ca leaf.csr
	csr leaf "/CN=a b'c\"\$(id)#:%\`\\+=ü"
	run -0 sslm-sign -s ca -o out leaf.csr
	openssl x509 -in out/cert.pem -noout -subject -nameopt sep_multiline,utf8 |
	    grep -qF "CN=a b'c\"\$(id)#:%\`+=ü"
}

@test "must-staple is granted to leaves, other TLS features are not" {
	root ca
	csr leaf /CN=leaf.example subjectAltName=DNS:leaf.example tlsfeature=status_request
	sslm-sign -s ca leaf.csr
	openssl asn1parse -in cert.pem | grep -A1 ':TLS Feature' | grep -q 'HEX DUMP\]:3003020105$'
	openssl verify -x509_strict -CAfile ca/cert.pem cert.pem
	for f in status_request_v2 status_request,status_request_v2 status_request,status_request; do
		csr leaf /CN=leaf.example subjectAltName=DNS:leaf.example tlsfeature=$f
		sslm-sign -s ca leaf.csr
		[ "$(text | grep -c 'TLS Feature')" = 0 ]
	done
}

@test "digests" {
	local d
	root ca
	leaf
	sslm-sign -s ca leaf.csr
	text | grep -q 'Signature Algorithm: ecdsa-with-SHA384'
	for d in sha256 SHA384 sha512; do
		sslm-sign -s ca -d $d leaf.csr
		text | grep -q "Signature Algorithm: ecdsa-with-${d^^}"
	done
	key leaf.key ED25519
	leaf
	sslm-sign -k leaf.key -d sha256 leaf.csr
	text | grep -q 'Signature Algorithm: ED25519'
	mkdir out
	refused 2 "-d 'sha1': not sha256, sha384 or sha512" -s ca -d sha1 leaf.csr
}

@test "keys that are not signed" {
	root ca
	mkdir out
	key leaf.key rsa1024
	leaf
	refused 1 "the key in 'leaf.csr' is too weak: RSA:1024" -s ca leaf.csr
	openssl ecparam -name secp112r1 -genkey -noout -out leaf.key
	leaf
	refused 1 'too weak: EC:secp112r1' -s ca leaf.csr
	openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out leaf.key
	leaf
	refused 1 'not on a named curve' -s ca leaf.csr
	refused 1 'not on a named curve' -k leaf.key leaf.csr
	key leaf.key ED448
	leaf
	refused 1 'neither RSA, EC nor Ed25519: ED448' -s ca leaf.csr
}

@test "requests that are none, or not signed by their own key" {
	root ca
	mkdir out
	refused 1 "'none.csr': No such file or directory" -s ca none.csr
	refused 1 'no certificate request' -s ca ca/cert.pem
	leaf
	openssl req -in leaf.csr -outform DER -out der
	damage der 1
	openssl req -in der -inform DER -out cut.csr
	refused 1 "'cut.csr' is not signed by its own key" -s ca cut.csr
}

@test "signers out of time" {
	leaf
	mkdir out
	ca past "$(now '-30 days')" "$(now '-1 hour')"
	refused 1 "the signer 'past' expired at 20" -s past leaf.csr
	ca future "$(now '+1 hour')" "$(now '+30 days')"
	refused 1 "the signer 'future' is not valid before 20" -s future leaf.csr
	root ca
	cat ca/cert.pem past/cert.pem > ca/fullchain.pem
	refused 1 "the signer 'ca' expired" -s ca leaf.csr
}

@test "signers that may not sign" {
	leaf
	mkdir out
	ca plain "$(now)" "$(now '+30 days')" basicConstraints=critical,CA:FALSE
	refused 1 "the signer 'plain' is not a CA" -s plain leaf.csr
	ca plain "$(now)" "$(now '+30 days')" subjectKeyIdentifier=hash keyUsage=digitalSignature
	refused 1 "the signer 'plain' is not a CA" -s plain leaf.csr
	ca nosign "$(now)" "$(now '+30 days')" basicConstraints=critical,CA:TRUE keyUsage=cRLSign
	refused 1 "the signer 'nosign' is not a CA, or may not sign" -s nosign leaf.csr
}

@test "path lengths" {
	local cakind=(keyUsage=critical,keyCertSign subjectKeyIdentifier=hash)
	leaf
	csr int /CN=Int
	mkdir out
	ca zero "$(now)" "$(now '+9999 days')" basicConstraints=critical,CA:TRUE,pathlen:0 "${cakind[@]}"
	refused 1 "the signer 'zero' allows 0 levels of CAs below it, not 1" -s zero -t ca int.csr
	run -0 sslm-sign -s zero leaf.csr
	ca two "$(now)" "$(now '+9999 days')" basicConstraints=critical,CA:TRUE,pathlen:2 "${cakind[@]}"
	refused 1 "allows 2 levels of CAs below it, not 3" -s two -t ca -l 2 int.csr
	for l in 0 1; do
		run -0 sslm-sign -s two -t ca -l $l int.csr
		[ "$(ext basicConstraints)" = "critical CA:TRUE, pathlen:$l" ]
	done
	# The limit of the root counts, whatever the signer itself may do.
	root free
	cat free/cert.pem two/cert.pem > free/fullchain.pem
	refused 1 "allows 1 levels" -s free -t ca -l 1 int.csr
	run -0 sslm-sign -s free -t ca -l 0 int.csr
	ca peer "$(now)" "$(now '+9999 days')" basicConstraints=critical,CA:TRUE,pathlen:2 "${cakind[@]}"
	cat two/cert.pem >> peer/fullchain.pem
	refused 1 "the signer 'peer' allows 1 levels" -s peer -t ca -l 1 int.csr
	cat free/cert.pem zero/cert.pem > free/fullchain.pem
	refused 1 "the chain above the signer 'free' allows nothing below it" -s free leaf.csr
}

@test "as many CAs as a file has room for" {
	local l up=root
	mkdir root out
	csr root /CN=Root
	sslm-sign -k root.key -l 8 -o root root.csr
	cp root/cert.pem root/fullchain.pem
	mv root.key root/privkey.pem
	for l in 7 6 5 4 3 2 1 0; do
		mkdir ca$l
		csr ca$l "/CN=CA $l"
		sslm-sign -t ca -l $l -s $up -o ca$l ca$l.csr
		cat ca$l/cert.pem ca$l/chain.pem > ca$l/fullchain.pem
		mv ca$l.key ca$l/privkey.pem
		up=ca$l
	done
	leaf
	sslm-sign -s ca0 leaf.csr
	[ "$(pems chain.pem)" = 9 ]
	openssl verify -x509_strict -CAfile root/cert.pem -untrusted chain.pem cert.pem
	root free
	for l in {1..8}; do cat free/cert.pem >> free/fullchain.pem; done
	run -0 sslm-sign -s free leaf.csr
	refused 1 "the signer 'free' allows 0 levels" -s free -t ca ca0.csr
	cat free/cert.pem >> free/fullchain.pem
	refused 1 "the chain above the signer 'free' allows nothing below it" -s free leaf.csr
	refused 2 "-l '9'" -k leaf.key -l 9 leaf.csr
}

@test "signers that do not fit together" {
	root ca
	root other
	leaf
	mkdir out
	cp -r ca c && cp other/privkey.pem c
	refused 1 "the key in '$PWD/c/privkey.pem' is not that of '$PWD/c/cert.pem'" -s c leaf.csr
	rm -r c && cp -r ca c && key c/privkey.pem rsa2048
	refused 1 "the key in '$PWD/c/privkey.pem' is not that of '$PWD/c/cert.pem'" -s c leaf.csr
	rm -r c && cp -r ca c && cp other/cert.pem c
	refused 1 "'$PWD/c/fullchain.pem' does not begin with the certificate in '$PWD/c/cert.pem'" -s c leaf.csr
	for f in cert.pem fullchain.pem privkey.pem; do
		rm -r c && cp -r ca c && rm c/$f && touch c/keep
		[ $f = privkey.pem ] || refused 1 "c/$f': No such file or directory" -s c leaf.csr
		echo junk > c/$f
		refused 1 "in '$PWD/c/$f'" -s c leaf.csr
	done
	rm -r c && cp -r ca c && openssl pkey -in ca/privkey.pem -aes128 -passout pass:x -out c/privkey.pem
	run -1 timeout 10 setsid sslm-sign -s c -o out leaf.csr < /dev/null
	rm -r c && cp -r ca c && cat ca/privkey.pem >> c/fullchain.pem
	refused 1 "where only certificates belong" -s c leaf.csr
}

@test "a service signs by curr, or by a next that is complete" {
	mkdir -p svc/db out db
	leaf
	root a
	root b
	mv a b svc/db
	refused 75 "the signer 'none' has no certificate yet" -s none leaf.csr
	refused 75 "the signer 'svc' has no certificate yet" -s svc leaf.csr
	ln -s db/a svc/next
	refused 75 "the signer 'svc' has no certificate yet" -s svc leaf.csr
	echo > svc/db/a/bundle.pem
	run -0 sslm-sign -s svc leaf.csr
	[ "$(openssl x509 -in cert.pem -noout -issuer -nameopt RFC2253)" = issuer=CN=a ]
	ln -s db/b svc/curr
	run -0 sslm-sign -s svc leaf.csr
	[ "$(openssl x509 -in cert.pem -noout -issuer -nameopt RFC2253)" = issuer=CN=b ]
	run -0 sslm-sign -s svc/next/ leaf.csr
	[ "$(openssl x509 -in cert.pem -noout -issuer -nameopt RFC2253)" = issuer=CN=a ]
	ln -sfn db/gone svc/curr
	refused 1 "cannot open the signer 'svc': No such file or directory" -s svc leaf.csr
}

@test "a leaf may sign itself, and is no CA" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out self.key
	openssl req -new -key self.key -subj /CN=self.example.com \
	    -addext subjectAltName=DNS:self.example.com -out self.csr
	run -0 sslm-sign -t leaf -k self.key self.csr
	openssl verify -x509_strict -CAfile cert.pem cert.pem
	cmp cert.pem chain.pem
	[ "$(ext basicConstraints)" = "critical CA:FALSE" ]
	[ "$(ext subjectAltName)" = "DNS:self.example.com" ]
	[ "$(ext extendedKeyUsage)" = "TLS Web Server Authentication, TLS Web Client Authentication" ]
}

@test "a root is signed by its own key" {
	mkdir out
	csr root /CN=Root
	csr other /CN=Other
	refused 1 "the key in 'other.key' is not that of the request 'root.csr'" -k other.key root.csr
	refused 1 "'none': No such file or directory" -k none root.csr
	refused 2 '-t ca: is signed with -s' -t ca -k root.key root.csr
	root ca
	refused 2 '-t root: a root signs itself' -t root -s ca root.csr
}

@test "where the files go" {
	root ca
	mkdir 'a dir' out
	leaf
	(umask 000 && sslm-sign -s ca leaf.csr)
	[ -e cert.pem ]
	[ -e chain.pem ]
	mv leaf.csr 'a dir/csr.pem'
	(umask 777 && sslm-sign -s ca 'a dir/csr.pem')
	[ "$(ls -A 'a dir' | xargs)" = "cert.pem chain.pem csr.pem" ]
	sslm-sign -s ca -o out 'a dir/csr.pem'
	[ "$(ls -A out | xargs)" = "cert.pem chain.pem" ]
	[ "$(stat -c %a ./*.pem out/* 'a dir'/c[eh]*.pem | sort -u)" = 644 ]
	run -75 sslm-sign -s ca -o none 'a dir/csr.pem'
	[[ $output == *"'none/chain.pem': No such file or directory"* ]]
	run -75 sh -c 'trap "" XFSZ; ulimit -f 0; sslm-sign -s ca -o out "a dir/csr.pem"'
	[ "$(ls -A out | xargs)" = "cert.pem chain.pem" ]
	openssl verify -CAfile ca/cert.pem out/cert.pem
}

@test "a kill between the files leaves no certificate without its chain" {
	traceable
	root ca
	leaf
	mkdir out
	ASAN_OPTIONS=detect_leaks=0 strace -o trace -e trace=rename,renameat,renameat2,fsync,fdatasync \
	    "$(command -v sslm-sign)" -s ca -o out leaf.csr
	[ "$(sed -n 's/^rename.*"\(.*\)").*/\1/p' trace | xargs -n1 basename | xargs)" = "chain.pem cert.pem" ]
	[ "$(grep -c sync trace)" = 4 ]		# each file and its directory once
	rm out/cert.pem
	sslm-sign -s ca -o out leaf.csr
	openssl verify -CAfile out/chain.pem out/cert.pem
}

@test "a signer that is no directory will not be one later" {
	leaf
	key file
	run -1 sslm-sign -s file leaf.csr
	[[ $output == *"cannot open the signer 'file': Not a directory"* ]]
	run -75 sslm-sign -s nothing leaf.csr
}

@test "wrong usage" {
	root ca
	leaf
	mkdir out
	run -2 sslm-sign leaf.csr
	run -2 sslm-sign -s ca
	run -2 sslm-sign -s ca leaf.csr leaf.csr
	run -2 sslm-sign -s ca -k leaf.key leaf.csr
	run -2 sslm-sign -x -s ca leaf.csr
	for e in 0 36501 -1 x 1d ''; do
		refused 2 "-e '$e': not a number from 1 to 36500" -e "$e" -s ca leaf.csr
	done
	refused 2 "-t 'CA': not root, ca or leaf" -t CA -s ca leaf.csr
	refused 2 '-l is for CAs' -l 0 -s ca leaf.csr
	refused 2 '-u is for leaves' -t ca -u serverAuth -s ca leaf.csr
	refused 2 '-u is for leaves' -u serverAuth -k leaf.key leaf.csr
	run -0 sslm-sign -h
	[[ $output == "usage: sslm-sign [-d digest]"* ]]
}
