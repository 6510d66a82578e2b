setup() {
	load helper
	workdir
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k 2>/dev/null
}

# What openssl(1) reads in a request: its names, its subject line by line
# (nothing escaped), its whole text.
names() { openssl req -in "${1:-csr}" -noout -text | sed -n '/Alternative Name/{n;s/^ *//p}'; }
subject() { openssl req -in "${1:-csr}" -noout -subject -nameopt sep_multiline,sname,utf8 | sed 's/^ *//;1d'; }
text() { openssl req -in "${1:-csr}" -noout -text; }

# refused WHAT FLAG...: exit 2, a message with WHAT, and no file.
refused() {
	local what=$1
	shift
	run -2 sslm-csr -k k -o csr "$@"
	[[ $output == "sslm-csr: "*"$what"* ]]
	[ "${#lines[@]}" = 1 ]
	[ ! -e csr ]
}

@test "openssl and certtool read and verify a request" {
	run -0 sslm-csr -k k -o csr -s CN=example.com -n www.example.com
	[ -z "$output" ]
	openssl req -in csr -noout -verify
	certtool --crq-info --infile csr > info
	grep -q 'Self signature: verified' info
	grep -q 'DNSname: www.example.com' info
	[ "$(names)" = "DNS:example.com, DNS:www.example.com" ]
	text | grep -q 'Version: 1 (0x0)'
	text | grep -q 'Signature Algorithm: ecdsa-with-SHA384'
	[ "$(openssl req -in csr -noout -pubkey)" = "$(openssl pkey -in k -pubout)" ]
	[ "$(head -1 csr)" = "-----BEGIN CERTIFICATE REQUEST-----" ]
	[ "$(grep -c BEGIN csr)" = 1 ]
}

@test "the subject has its order, whatever the order of the flags, and no empty values" {
	sslm-csr -k k -o csr -s emailAddress=a@example.com -s OU=Unit -s O=Org -s L=Town \
	    -s ST=State -s C=DE -s CN=example.com
	[ "$(subject)" = "$(printf '%s\n' CN=example.com C=DE ST=State L=Town O=Org OU=Unit \
	    emailAddress=a@example.com)" ]
	sslm-csr -k k -o csr -s OU= -s O=Org -s L= -s C= -s CN=example.com -s emailAddress=
	[ "$(subject)" = "$(printf '%s\n' CN=example.com O=Org)" ]
	sslm-csr -k k -o csr -s cn=example.com -s EMAILADDRESS=a@example.com
	[ "$(subject | wc -l)" = 2 ]
}

@test "each value has the string type of RFC 5280" {
	sslm-csr -k k -o csr -s emailAddress=a@example.com -s O=Org -s C=DE -s CN=example.com
	openssl asn1parse -in csr > tree
	for t in commonName:UTF8STRING countryName:PRINTABLESTRING \
	    organizationName:UTF8STRING emailAddress:IA5STRING; do
		grep -A1 ":${t%:*}\$" tree | grep -q "${t#*:}  *:"
	done
}

@test "values are taken literally, from flags and from a file" {
	local v
	for v in 'two  words ' ' "quoted" ' "it's" '$HOME $(touch pwned) ${x}' '`touch pwned`' \
	    '#1; a|b&c' 'a:b%s%n%d' 'a/b/CN=evil.example' 'a+b,c=d\e' '=' '*' '<>' 'Grüße 日本 🎺' \
	    '-n' '--' '~root' '\x00\n'; do
		sslm-csr -k k -o csr -s CN=example.com -s "O=$v"
		[ "$(subject)" = "CN=example.com"$'\n'"O=$v" ]
		printf 'subject O=%s\nname example.com\n' "$v" > request
		sslm-csr -k k -o csr -f request
		[ "$(subject)" = "O=$v" ]
	done
	[ "$(ls | xargs)" = "csr k request" ]
}

@test "lengths are counted in characters" {
	local long wide
	long=$(printf 'x%.0s' {1..64})
	wide=$(printf 'ü%.0s' {1..64})
	for a in CN O OU; do
		run -0 sslm-csr -k k -o csr -n example.com -s "$a=$wide"
		[ "$(subject)" = "$a=$wide" ]
		rm csr
		refused 'longer than 64 characters' -n example.com -s "$a=${long}x"
		refused 'longer than 64 characters' -n example.com -s "$a=${wide}x"
	done
	refused 'longer than 128 characters' -n example.com -s "ST=$long${long}x"
	refused 'longer than 128 characters' -n example.com -s "L=$long${long}x"
	refused 'longer than 255 characters' -n example.com -s "emailAddress=$long$long$long$long"
	run -0 sslm-csr -k k -o csr -s "CN=${long:0:56}.example" -s "L=$long$long" -s "ST=$long$long"
	rm csr
	# 62 characters of UTF-8, and more in A-labels.
	refused 'longer than 64 characters' -s "CN=ü${long:0:40}.${long:0:13}.example"
}

@test "what no subject may hold is refused by name" {
	refused "'CN=a?b': control character" -n example.com -s $'CN=a\nb'
	refused 'control character' -n example.com -s $'O=a\x7f'
	refused 'control character' -n example.com -s $'O=a\xc2\x85'
	refused "'O=a" -n example.com -s $'O=a\xff\xfe'
	refused "'O=a" -n example.com -s $'O=a\xed\xa0\x80'
	refused "'C=DEU': a country is two letters" -n example.com -s C=DEU
	refused 'two letters' -n example.com -s C=D
	refused 'two letters' -n example.com -s C=D1
	refused 'two letters' -n example.com -s C=ü
	refused 'emailAddress=ü' -n example.com -s emailAddress=ü@example.com
	refused "'X=1': not CN, C, ST" -n example.com -s X=1
	refused "'CNN=1': not CN, C, ST" -n example.com -s CNN=1
	refused "'=1'" -n example.com -s =1
	refused "'CN': not attribute=value" -s CN
	refused "'O=b': given twice" -n example.com -s O=a -s O=b
}

@test "the common name is the first of the names if it is one" {
	sslm-csr -k k -o csr -n b.example.com -s CN=a.example.com -n c.example.com
	[ "$(names)" = "DNS:a.example.com, DNS:b.example.com, DNS:c.example.com" ]
	sslm-csr -k k -o csr -n b.example.com -n a.example.com -s CN=a.example.com
	[ "$(names)" = "DNS:b.example.com, DNS:a.example.com" ]
	sslm-csr -k k -o csr -s CN=192.0.2.1
	[ "$(names)" = "IP Address:192.0.2.1" ]
	sslm-csr -k k -o csr -s 'CN=Our Server' -n b.example.com
	[ "$(names)" = "DNS:b.example.com" ]
	[ "$(subject)" = "CN=Our Server" ]
	sslm-csr -k k -o csr -s CN=WWW.Example.com
	[ "$(names)" = "DNS:www.example.com" ]
	[ "$(subject)" = "CN=www.example.com" ]
}

@test "no name, no request" {
	refused 'no name'
	refused 'no name' -s 'CN=Our Server' -s O=Org
	refused 'no name' -s CN= -s O=example.com
}

@test "IDNs become A-labels, in the common name as well" {
	sslm-csr -k k -o csr -s CN=Bücher.example -n 日本語.example -n '*.bücher.example'
	[ "$(names)" = "DNS:xn--bcher-kva.example, DNS:xn--wgv71a119e.example, DNS:*.xn--bcher-kva.example" ]
	[ "$(subject)" = "CN=xn--bcher-kva.example" ]
	[ "$(certtool --crq-info --infile csr | grep -c 'DNSname: .*xn--')" = 3 ]
}

@test "addresses, wildcards, upper case and duplicates" {
	sslm-csr -k k -o csr -n 192.0.2.1 -n 2001:DB8:0::0:1 -n '*.example.com' -n EXAMPLE.com. \
	    -n example.com -n 2001:db8::1 -n 192.0.2.1 -n xn--bcher-kva.example -n bücher.example
	[ "$(names)" = "IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, DNS:*.example.com, DNS:example.com, DNS:xn--bcher-kva.example" ]
	certtool --crq-info --infile csr | grep -q 'IPAddress: 2001:db8::1$'
	openssl asn1parse -in csr -strparse "$(openssl asn1parse -in csr |
	    awk -F: '/OCTET STRING/ {print $1}')" > tree
	[ "$(grep -c 'l=   4 prim: cont \[ 7 \]' tree)" = 1 ]
	[ "$(grep -c 'l=  16 prim: cont \[ 7 \]' tree)" = 1 ]
}

@test "names that are none are refused by name" {
	local n
	for n in '' . a..b '*' '*.com' 'a.*.example.com' 'w*.example.com' '-a.example.com' 'a b.example.com' \
	    192.0.2.256 2001:db8::g 'https://example.com' a@example.com 'x;touch pwned' '$(id).example.com' \
	    "$(printf 'x%.0s' {1..64}).example.com"; do
		refused "-n '$n': " -s CN=example.com -n "$n"
	done
	refused "'a?b.example.com'" -n $'a\nb.example.com'
}

@test "the names are critical where there is no subject, and only there" {
	sslm-csr -k k -o csr -n example.com
	text | grep -q 'Subject: *$'
	text | grep -q 'Subject Alternative Name: critical'
	sslm-csr -k k -o csr -n example.com -s O=Org
	text | grep -q 'Subject Alternative Name: $'
}

@test "nothing is asked for but names and must-staple" {
	sslm-csr -k k -o csr -s CN=example.com
	[ "$(text | grep -c 'X509v3\|TLS Feature')" = 1 ]
	sslm-csr -m -k k -o csr -s CN=example.com
	[ "$(text | grep -c 'X509v3\|TLS Feature')" = 2 ]
	text | grep -A1 'TLS Feature: $' | grep -q '^ *status_request$'
	openssl asn1parse -in csr | grep -A1 ':TLS Feature' | grep -q 'HEX DUMP\]:3003020105$'
}

@test "a CA asks for nothing, needs a subject and loses its names" {
	run -0 sslm-csr -a -k k -o csr -s CN=My-Root
	[ -z "$output" ]
	[ "$(subject)" = CN=My-Root ]
	[ "$(text | grep -c 'X509v3\|TLS Feature')" = 0 ]
	[ "$(openssl asn1parse -in csr | grep -c extReq)" = 0 ]
	run -0 sslm-csr -am -k k -o csr -s CN=bücher.example -n www.example.com
	[[ $output == *warning* ]]
	[ "$(text | grep -c 'X509v3\|TLS Feature')" = 0 ]
	[ "$(subject)" = CN=bücher.example ]
	rm csr
	refused 'a CA needs a subject' -a -s CN=
}

@test "digests and kinds of keys" {
	local d
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa 2>/dev/null
	openssl genpkey -algorithm ED25519 -out ed
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out ec 2>/dev/null
	for d in sha256 sha384 sha512; do
		sslm-csr -d $d -k rsa -o csr -n example.com
		text | grep -qi "Signature Algorithm: ${d}WithRSAEncryption"
		sslm-csr -d ${d^^} -k ec -o csr -n example.com
		text | grep -qi "Signature Algorithm: ecdsa-with-$d"
		sslm-csr -d $d -k ed -o csr -n example.com
		text | grep -q 'Signature Algorithm: ED25519'
		openssl req -in csr -noout -verify
	done
	sslm-csr -k rsa -o csr -n example.com
	text | grep -q 'sha384WithRSAEncryption'
	rm csr
	for d in sha1 md5 sha224 sha3-256 ''; do
		refused "-d '$d': not sha256, sha384 or sha512" -d "$d" -n example.com
	done
}

@test "a request file" {
	printf '%s\n' '# comment' '' 'subject O=# not a comment' 'subject CN=example.com' \
	    'name www.example.com' 'digest sha512' 'must-staple' > request
	printf 'name 192.0.2.1' >> request	# no newline at its end
	run -0 sslm-csr -f request -k k -o csr
	[ -z "$output" ]
	[ "$(subject)" = "CN=example.com"$'\n'"O=# not a comment" ]
	[ "$(names)" = "DNS:example.com, DNS:www.example.com, IP Address:192.0.2.1" ]
	text | grep -q status_request
	text | grep -q ecdsa-with-SHA512
	sslm-csr -f - -k k -o piped < request
	[ "$(names piped)" = "$(names)" ]
	printf 'ca\nsubject CN=Root\n' > request
	sslm-csr -f request -k k -o csr
	[ "$(text | grep -c X509v3)" = 0 ]
}

@test "flags prevail over the file, names are added" {
	printf '%s\n' 'subject CN=example.com' 'subject O=File' 'subject C=DE' \
	    'name www.example.com' 'digest sha512' > request
	sslm-csr -s O=Flag -f request -s C= -n mail.example.com -n www.example.com -d sha256 -m -k k -o csr
	[ "$(subject)" = "CN=example.com"$'\n'"O=Flag" ]
	[ "$(names)" = "DNS:example.com, DNS:mail.example.com, DNS:www.example.com" ]
	text | grep -q status_request
	text | grep -q ecdsa-with-SHA256
}

@test "an error in the file is told with file and line" {
	local bad
	while IFS= read -r bad; do
		printf '# one\nname example.com\n%b\nname b.example.com\n' "$bad" > "a request"
		refused "a request:3: ${bad%% *} '" -f 'a request'
	done <<-'EOF'
	subjekt CN=example.com
	subject CN
	subject X=1
	subject C=DEU
	subject CN=tab\there
	subject O=carriage return\r
	name not a name
	name
	digest sha1
	must-staple yes
	EOF
	printf 'name\texample.com\n' > request
	refused "request:1: name?example.com '': unknown word" -f request
	printf 'subject O=a\nsubject O=b\nname example.com\n' > request
	refused "request:2: subject 'O=b': given twice" -f request
	printf 'name a.example.com\0.evil.example\n' > request
	refused 'request:1: ' -f request
	printf 'name a.example.com\0' > request
	refused 'request:1: ' -f request
	run -1 sslm-csr -f none -k k -o csr
	[[ $output == "sslm-csr: cannot open 'none': No such file or directory" ]]
}

@test "a key that is none, or needs a passphrase" {
	run -1 sslm-csr -k none -o csr -n example.com
	[[ $output == *"'none': No such file or directory"* ]]
	echo junk > junk
	run -1 sslm-csr -k junk -o csr -n example.com
	[[ $output == *"no private key in 'junk'"* ]]
	head -c 100 k > cut
	run -1 sslm-csr -k cut -o csr -n example.com
	openssl pkey -in k -pubout -out pub
	run -1 sslm-csr -k pub -o csr -n example.com
	openssl pkey -in k -aes128 -passout pass:x -out locked
	run -1 timeout 10 setsid sslm-csr -k locked -o csr -n example.com < /dev/null
	openssl genpkey -algorithm X25519 -out x
	run -1 sslm-csr -k x -o csr -n example.com
	[[ $output == *"cannot sign"* ]]
	[ ! -e csr ]
}

@test "readable by all whatever the umask, replaced, and left alone if nothing changed" {
	local mask
	openssl genpkey -algorithm ED25519 -out k
	for mask in 000 077 777; do
		(umask $mask && sslm-csr -k k -o csr$mask -n example.com)
		[ "$(stat -c %a csr$mask)" = 644 ]
	done
	touch -d 2020-01-01 csr000
	sslm-csr -k k -o csr000 -n example.com
	[ "$(date -r csr000 +%Y)" = 2020 ]
	sslm-csr -k k -o csr000 -n www.example.com
	[ "$(names csr000)" = "DNS:www.example.com" ]
	[ "$(ls -A | xargs)" = "csr000 csr077 csr777 k" ]
}

@test "a write that fails leaves the old request and nothing else" {
	sslm-csr -k k -o csr -n example.com
	cp csr old
	run -75 sh -c 'trap "" XFSZ; ulimit -f 0; sslm-csr -k k -o csr -n www.example.com'
	[[ $output == *"cannot write 'csr': File too large"* ]]
	cmp csr old
	[ "$(ls -A | xargs)" = "csr k old" ]
	run -75 sslm-csr -k k -o none/csr -n example.com
	[[ $output == *"'none/csr': No such file or directory"* ]]
}

@test "a device, a pipe or a directory is not replaced" {
	mkfifo pipe
	mkdir dir
	run -75 sslm-csr -k k -o pipe -n example.com
	[ -p pipe ]
	run -75 sslm-csr -k k -o dir -n example.com
	if [ "$(id -u)" = 0 ]; then
		mknod full c 1 7 || skip "no mknod"
		run -75 sslm-csr -k k -o full -n example.com
		[[ $output == *"'full'"* ]]
		[ -c full ]
		rm full
	fi
	[ "$(ls -A | xargs)" = "dir k pipe" ]
}

@test "a full disk, and one that is read-only" {
	[ "$(id -u)" = 0 ] || skip "not root"
	mkdir disk
	mount -t tmpfs -o size=4k tmpfs disk || skip "no mount"
	head -c 4096 /dev/zero > disk/filler
	run sslm-csr -k k -o disk/csr -n example.com
	[ "$(ls -A disk)" = filler ] || status=left
	mount -o remount,ro disk && ro=$(sslm-csr -k k -o disk/csr -n example.com 2>&1) || ro=$?$ro
	umount disk
	[ "$status" = 75 ]
	[[ $output == *"cannot write 'disk/csr': No space left on device"* ]]
	[[ $ro == 75*"'disk/csr': Read-only file system"* ]]
}

@test "a directory that may not be written" {
	mkdir ro
	chmod 555 ro
	[ ! -w ro ] || skip "root writes everywhere"
	run -75 sslm-csr -k k -o ro/csr -n example.com
	[[ $output == *"'ro/csr': Permission denied"* ]]
}

@test "wrong usage" {
	run -2 sslm-csr -n example.com -k k
	run -2 sslm-csr -n example.com -o csr
	run -2 sslm-csr -n example.com -k k -o csr extra
	run -2 sslm-csr -x -n example.com -k k -o csr
	[[ ${lines[0]} == *"invalid option"* ]]
	[ ! -e csr ]
	run -0 sslm-csr -h
	[[ $output == "usage: sslm-csr [-am] "* ]]
}
