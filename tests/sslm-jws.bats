# Signatures and JSON are judged by openssl, python3 and jq.
setup_file() {
	load helper
	cd "$BATS_FILE_TMPDIR"
	umask 077
	for c in P-256 P-384 P-521; do
		openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:$c -out $c 2>/dev/null
	done
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out RSA 2>/dev/null
	openssl genpkey -quiet -algorithm ED25519 -out ED25519 2>/dev/null
	oracle >jws.py
}

setup() {
	load helper
	workdir
	K=$BATS_FILE_TMPDIR
	URL=https://ca.example/acme/new-order
	umask 077
}

teardown() {
	[ -z "${TRACER-}" ] || kill -9 "$TRACER" 2>/dev/null || :
	[ -z "${S_PID-}" ] || kill "$S_PID" 2>/dev/null || :
}

KINDS="P-256 P-384 P-521 RSA ED25519"
jws() { python3 "$K/jws.py" "$@"; }

oracle() {
	cat <<'PY'
import base64, hashlib, hmac, json, re, subprocess, sys, tempfile

def enc(b):
	return base64.urlsafe_b64encode(b).decode().rstrip('=')

def dec(s):
	assert re.fullmatch('[A-Za-z0-9_-]*', s), s
	b = base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))
	assert enc(b) == s, s
	return b

def num(n, size=0):
	return enc(n.to_bytes(size or (n.bit_length() + 7) // 8, 'big'))

def openssl(*args, data=b''):
	return subprocess.run(('openssl',) + args, input=data, check=True, capture_output=True).stdout

def compact(x):
	return json.dumps(x, sort_keys=True, separators=(',', ':'))

def jwk(key, private=False):
	text = openssl('pkey', '-in', key, '-noout', '-text').decode()
	part = {k: re.sub(r'[\s:]', '', v) for k, v in re.findall(r'^(\w+):\n((?:    .*\n)+)', text, re.M)}
	if 'modulus' in part:
		name = {'n': 'modulus', 'd': 'privateExponent', 'p': 'prime1', 'q': 'prime2',
		    'dp': 'exponent1', 'dq': 'exponent2', 'qi': 'coefficient'}
		j = {k: num(int(part[v], 16)) for k, v in name.items() if private or k == 'n'}
		e = int(re.search(r'publicExponent: (\d+)', text).group(1))
		return {'kty': 'RSA', 'e': num(e), **j}
	point = bytes.fromhex(part['pub'])
	if 'ED25519' in text:
		return {'crv': 'Ed25519', 'kty': 'OKP', 'x': enc(point)}
	crv = re.search(r'NIST CURVE: (\S+)', text).group(1)
	size = len(point) // 2
	j = {'crv': crv, 'kty': 'EC', 'x': enc(point[1:1 + size]), 'y': enc(point[1 + size:])}
	return {**j, 'd': num(int(part['priv'], 16), size)} if private else j

def rsa(p, q, e=65537):		# a JWK of two primes
	d = pow(e, -1, (p - 1) * (q - 1))
	part = {'n': p * q, 'e': e, 'd': d, 'p': p, 'q': q, 'dp': d % (p - 1), 'dq': d % (q - 1),
	    'qi': pow(q, -1, p)}
	return {'kty': 'RSA', **{k: num(v) for k, v in part.items()}}

def der(n):
	b = n.to_bytes(n.bit_length() // 8 + 1, 'big')
	return b'\2' + bytes([len(b)]) + b

def good(key, alg, text, sig):
	with tempfile.TemporaryDirectory() as d:
		for name, data in ('text', text), ('pub', openssl('pkey', '-in', key, '-pubout')):
			open(f'{d}/{name}', 'wb').write(data)
		if alg == 'EdDSA':
			# Of these there is one only for each text; likewise RS256.
			assert sig == openssl('pkeyutl', '-sign', '-rawin', '-inkey', key, '-in', d + '/text')
			return
		if alg == 'RS256':
			assert sig == openssl('dgst', '-sha256', '-sign', key, d + '/text')
		else:
			size = {'ES256': 32, 'ES384': 48, 'ES512': 66}[alg]
			assert len(sig) == 2 * size, len(sig)
			rs = b''.join(der(int.from_bytes(x, 'big')) for x in (sig[:size], sig[size:]))
			sig = b'\x30' + (b'\x81' if len(rs) > 127 else b'') + bytes([len(rs)]) + rs
		open(d + '/sig', 'wb').write(sig)
		openssl('dgst', '-sha' + alg[2:], '-verify', d + '/pub', '-signature', d + '/sig', d + '/text')

# One JWS on stdin; its header, payload and number of members on stdout.
def verify(key=None, mac=None):
	line = sys.stdin.read()
	assert line.endswith('}\n') and line.count('\n') == 1, line
	j = json.loads(line)
	assert sorted(j) == ['payload', 'protected', 'signature'], j
	header, sig = json.loads(dec(j['protected'])), dec(j['signature'])
	text = (j['protected'] + '.' + j['payload']).encode()
	if mac is not None:
		assert header['alg'] == 'HS256'
		assert sig == hmac.new(mac, text, 'sha256').digest()
	else:
		good(key, header['alg'], text, sig)
	print(compact({'header': header, 'payload': dec(j['payload']).decode()}))

what, args = sys.argv[1], sys.argv[2:]
if what == 'jwk':
	print(compact(jwk(args[0])))
elif what == 'private':
	print(json.dumps(jwk(args[0], True), indent=1))
elif what == 'thumbprint':
	print(enc(hashlib.sha256(compact(jwk(args[0])).encode()).digest()))
elif what == 'rsa':
	print(compact(rsa(*(int.from_bytes(dec(a), 'big') for a in args))))
elif what == 'verify':
	verify(key=args[0])
elif what == 'mac':
	verify(mac=bytes.fromhex(args[0]))
elif what == 'enc':
	print(enc(sys.stdin.buffer.read()))
PY
}

# ask KEY REQUEST [option...]: one answer.
ask() {
	local key=$1 request=$2
	shift 2
	printf '%s\n' "$request" | sslm-jws -k "$key" "$@"
}

# answers LINES: so many were printed, and the last is a thumbprint.
answers() {
	cat out
	[ "$(wc -l <out)" = "$1" ]
	[ "$(tail -n 1 out)" = "$(jws thumbprint "$K/P-256")" ]
}

# The key of RFC 7517, A.2, by its primes.
rfc7517() {
	jws rsa 83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs \
	    3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk
}

@test "the thumbprint of RFC 7638, 3.1" {
	rfc7517 >j
	sslm-jws -i j -o k
	[ "$(ask k thumbprint)" = NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs ]
}

@test "the thumbprint of RFC 8037, A.3" {
	{
		printf 302e020100300506032b657004220420
		printf 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
	} | xxd -r -p | openssl pkey -inform DER -out k
	[ "$(ask k thumbprint)" = kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k ]
}

@test "thumbprints of all kinds of keys" {
	for k in $KINDS; do
		echo "$k"
		[ "$(ask "$K/$k" thumbprint)" = "$(jws thumbprint "$K/$k")" ]
	done
}

@test "a JWS with the key in it, by all kinds of keys" {
	payload='{"termsOfServiceAgreed":true}'
	for k in $KINDS; do
		ask "$K/$k" "jws $URL n0nce-_ - $(printf %s "$payload" | jws enc)" >out
		jws verify "$K/$k" <out >got
		case $k in
		P-256) alg=ES256 ;; P-384) alg=ES384 ;; P-521) alg=ES512 ;;
		RSA) alg=RS256 ;; ED25519) alg=EdDSA ;;
		esac
		jq -cS -n --arg a $alg --arg p "$payload" --arg u "$URL" --argjson j "$(jws jwk "$K/$k")" \
		    '{header: {alg: $a, jwk: $j, nonce: "n0nce-_", url: $u}, payload: $p}' >want
		diff want got
		# The members of the key in the order of the thumbprint.
		jq -r .protected out | tr -- -_ +/ | { base64 -d 2>/dev/null || :; } | grep -F "$(jws jwk "$K/$k")"
	done
}

@test "a JWS with the account in it, and an empty payload" {
	for k in $KINDS; do
		ask "$K/$k" "jws $URL abc https://ca.example/acct/1?a=b&c='d' -" >out
		[ "$(jq -r .payload out)" = "" ]
		jws verify "$K/$k" <out >got
		jq -cS -n --arg u "$URL" '{alg: "", kid: "https://ca.example/acct/1?a=b&c='"'d'"'", nonce: "abc", url: $u}' >want
		diff want <(jq -c '.header | .alg = ""' got)
	done
}

@test "signatures of EC keys have one length, whatever the numbers in them" {
	# One byte of two in front of these is 0.
	for i in {1..24}; do echo "jws $URL n a $(printf $i | jws enc)"; done | sslm-jws -k "$K/P-521" >out
	[ "$(wc -l <out)" = 24 ]
	while read -r line; do
		jws verify "$K/P-521" <<<"$line"
	done <out
	yes "jws $URL n a -" | head -n 500 | sslm-jws -k "$K/P-256" | jq -r '.signature | length' | sort -u >len
	[ "$(cat len)" = 86 ]
}

@test "coordinates with a zero in front keep it, and may come without it" {
	y=mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0,ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc
	x=AFVDiUrz0A7X10Cr29dclrBod7eH219w7qeLkKjXwAo,u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I
	for k in Kw,$y AXs,$x; do
		IFS=, read -r d x y <<<"$k"
		echo '{"kty":"EC","crv":"P-256","x":"'$x'","y":"'$y'","d":"'$d'"}' >j
		rm -f k k2
		sslm-jws -i j -o k
		[ "$(jws jwk k)" = '{"crv":"P-256","kty":"EC","x":"'$x'","y":"'$y'"}' ]
		ask k "jws $URL n - -" | jws verify k | jq -e --arg x $x --arg y $y \
		    '.header.jwk.x == $x and .header.jwk.y == $y'
		# Without the zero: other base64 altogether.
		python3 - j >j2 <<-'PY'
			import base64, json, sys
			j = json.load(open(sys.argv[1]))
			for c in 'xy':
			    b = base64.urlsafe_b64decode(j[c] + '=').lstrip(b'\0')
			    j[c] = base64.urlsafe_b64encode(b).decode().rstrip('=')
			print(json.dumps(j))
		PY
		run ! cmp j j2
		sslm-jws -i j2 -o k2
		cmp k k2
	done
}

@test "external account binding" {
	# The key of RFC 7515, A.1.
	key=AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow
	hex=0323354b2b0fa5bc837e0665777ba68f5ab328e6f054c928a90f84b2d2502ebfd3fb5a92d20647ef968ab4c377623d223d2e2172052e4f08c0cd9af567d080a3
	printf %s $key >url
	printf '\n \t%s \r\n' $key >spaces
	xxd -r -p <<<$hex | base64 -w 0 >standard
	grep -q '[+/].*==$' standard
	for f in url spaces standard; do
		ask "$K/P-384" "eab $URL kid-1" -e $f | jws mac $hex >got
		jq -cS -n --arg u "$URL" --arg p "$(jws jwk "$K/P-384")" \
		    '{header: {alg: "HS256", kid: "kid-1", url: $u}, payload: $p}' >want
		diff want got
	done
}

@test "keys for external accounts that are refused" {
	good=AAECAwQFBgcICQoLDA0ODw	# 16 octets
	printf %s $good >f
	ask "$K/P-256" "eab u k" -e f | jws mac 000102030405060708090a0b0c0d0e0f
	printf %s== $good >f
	ask "$K/P-256" "eab u k" -e f | jws mac 000102030405060708090a0b0c0d0e0f
	for bad in AAECAwQFBgcICQoLDA0O '' == "$good=" "$good===" "${good}====" "${good%w}x" "$good.$good" \
	    "AAEC $good" "${good}AA====" "$good\\0" "$good\\0$good" "A$good$good"; do
		printf "$bad" >f
		run -1 ask "$K/P-256" thumbprint -e f
		echo "$bad: $output"
		[[ $output == "sslm-jws: "*"'f'"* ]]
		[[ $output != *AAEC* ]]
	done
	printf %s $good >f
	chmod 640 f
	run -1 ask "$K/P-256" thumbprint -e f
	[ "$output" = "sslm-jws: 'f' is readable by others" ]
	run -1 ask "$K/P-256" thumbprint -e none
	[[ $output == *"'none': No such file or directory" ]]
}

@test "rollover: the new key signs, and names the old one" {
	for k in $KINDS; do
		ask "$K/P-384" "rollover https://ca.example/key-change https://ca.example/acct/1" -n "$K/$k" >inner
		jws verify "$K/$k" <inner >got
		jq -cS -n --argjson new "$(jws jwk "$K/$k")" --argjson old "$(jws jwk "$K/P-384")" \
		    --argjson alg "$(jq .header.alg got)" \
		    '{header: {alg: $alg, jwk: $new, url: "https://ca.example/key-change"},
		      payload: {account: "https://ca.example/acct/1", oldKey: $old}}' >want
		diff want <(jq -c '.payload |= fromjson' got)
		# And around it the old one.
		ask "$K/P-384" "jws $URL n https://ca.example/acct/1 $(jws enc <inner)" -n "$K/$k" |
		    jws verify "$K/P-384" | jq -r .payload >outer
		diff <(cat inner; echo) outer
	done
}

@test "what was not given cannot be used" {
	printf '%s\n' "eab u k" "rollover u a" thumbprint | sslm-jws -k "$K/P-256" >out
	answers 3
	[[ $(sed -n 1p out) == "error "*"-e"* ]]
	[[ $(sed -n 2p out) == "error "*"-n"* ]]
}

@test "a request that is none is an error, and the next one is answered" {
	printf '%s\n' '' ' ' thumbprint: Thumbprint 'thumbprint ' ' thumbprint' 'thumbprint x' jws "jws $URL n k" \
	    "jws $URL n k - -" "jws $URL n  k -" "jws  n k -" "jws $URL n k " "jws $URL n k - " 'eab u' 'eab u k x' 'rollover u' \
	    'rollover u a x' 'a b c d e f g h' "jws $URL\" n k -" "jws $URL n\\ k -" 'jws u n a"b -' 'eab u "' \
	    "jws $URL n k é" $'thumbprint\t' $'thumbprint\r' $'\033[2J' \
	    $'jws u n k\033 -' $'jws u n k\177 -' $'jws u\t n k -' >in
	n=$(wc -l <in)
	echo thumbprint >>in
	printf AAECAwQFBgcICQoLDA0ODw >mac
	sslm-jws -k "$K/P-256" -n "$K/P-256" -e mac <in >out
	answers $((n + 1))
	[ "$(grep -c '^error [ -~]*$' out)" = "$n" ]
	# NUL, before and behind.
	printf 'thumb\0print\n\0\nthumbprint\0\n\0thumbprint\nthumbprint\n' | sslm-jws -k "$K/P-256" >out
	answers 5
	[ "$(grep -c ^error out)" = 4 ]
}

@test "a payload that is not base64url is an error" {
	for p in A AAAAA AB AAB AAAAAB AA== AAA= AA+A AA/A AA.A '*' --AA-= e30%; do echo "jws $URL n k $p"; done >in
	n=$(wc -l <in)
	echo thumbprint >>in
	sslm-jws -k "$K/P-256" <in >out
	answers $((n + 1))
	[ "$(grep -c ^error out)" = "$n" ]
	for p in AA AAA AAAA _-8 -A --A; do
		ask "$K/P-256" "jws $URL n k $p" | jq -e --arg p $p '.payload == $p'
	done
}

@test "lines of 65536 bytes, and longer ones" {
	word() { head -c "$1" /dev/zero | tr '\0' A; }
	for n in 65536 65537 200000 3000000; do
		{ word $n; echo; word $n; echo; echo thumbprint; } | sslm-jws -k "$K/P-256" >out
		answers 3
		long=$(grep -c "^error the line is longer than 65536 bytes" out) || :
		[ "$long" = $((n > 65536 ? 2 : 0)) ]
	done
	# The answer is the longer one.
	room=$((65537 - $(ask "$K/ED25519" "jws u n k -" | wc -c)))
	n=$((room - room % 4))
	ask "$K/ED25519" "jws u n k $(word $n)" | jq -e --argjson n $n '.payload | length == $n'
	[[ $(ask "$K/ED25519" "jws u n k $(word $((n + 4)))") == "error the answer is longer"* ]]
}

@test "a line that has no end is an error, and the end of it all status 0" {
	printf 'thumbprint\nthumbprint' | sslm-jws -k "$K/P-256" >out
	[ "$(tail -n 1 out)" = "error the line has no end" ]
	[ "$(wc -l <out)" = 2 ]
	sslm-jws -k "$K/P-256" </dev/null >out
	[ ! -s out ]
}

@test "each answer comes at once" {
	coproc S { exec sslm-jws -k "$K/P-256"; }
	for request in thumbprint nonsense thumbprint; do
		echo $request >&"${S[1]}"
		read -r -t 20 line <&"${S[0]}"
		[ -n "$line" ]
	done
	[ "$line" = "$(jws thumbprint "$K/P-256")" ]
	kill "$S_PID"
}

@test "keys that are none for an account" {
	weak() {
		run -1 ask weak thumbprint
		echo "$1: $output"
		[[ $output == "sslm-jws: the key in 'weak' cannot be that of an account: $1" ]]
		run -1 ask "$K/P-256" thumbprint -n weak
		[[ $output == *"cannot be that of an account: $1" ]]
	}
	openssl genrsa -out weak 1024 2>/dev/null
	weak RSA:1024
	openssl genrsa -out weak 2047 2>/dev/null
	weak RSA:2047
	openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out weak
	weak RSA:2048
	for c in secp224r1 secp256k1 brainpoolP256r1; do
		openssl ecparam -name $c -genkey -noout -out weak
		weak EC:$c
	done
	openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out weak
	weak "EC:?"
	openssl genpkey -algorithm ED448 -out weak
	weak ED448
	openssl genpkey -algorithm X25519 -out weak
	weak X25519
}

@test "key files that are refused" {
	cp "$K/P-256" k
	for mode in 604 640 610 666; do
		chmod $mode k
		run -1 ask k thumbprint
		[ "$output" = "sslm-jws: 'k' is readable by others" ]
		run -1 ask "$K/P-256" thumbprint -n k
		[ "$output" = "sslm-jws: 'k' is readable by others" ]
	done
	chmod 400 k
	[ -n "$(ask k thumbprint)" ]
	run -1 ask none thumbprint
	[ "$output" = "sslm-jws: cannot open 'none': No such file or directory" ]
	openssl pkey -in "$K/P-256" -pubout -out pub
	run -1 ask pub thumbprint
	[[ $output == "sslm-jws: no private key in 'pub'"* ]]
	openssl pkey -in "$K/P-256" -aes128 -passout pass:abcd -out enc
	run -1 ask enc thumbprint
	[[ $output == "sslm-jws: no private key in 'enc'"* ]]
	# Its private half is that of another key.
	openssl pkey -in "$K/P-256" -outform DER -out der
	damage der 90
	openssl pkey -inform DER -in der -out damaged
	run -1 ask damaged thumbprint
	[[ $output == "sslm-jws: the private half of the key in 'damaged' is damaged"* ]]
}

@test "no network, and no file once it has begun to read requests" {
	traceable
	printf AAECAwQFBgcICQoLDA0ODw >mac
	printf '%s\n' thumbprint "jws $URL n - -" "eab u k" "rollover u a" nonsense >in
	for k in $KINDS; do
		ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -s 8 "$(command -v sslm-jws)" -k "$K/$k" -n "$K/$k" -e mac <in >out
		[ "$(wc -l <out)" = 5 ]
		grep -q '"thumbpri"' trace
		run ! grep -E '\b(socket|connect|execve|clone|fork)' <(sed 1d trace)
		run ! grep -E '\bopen(at)?2?\(' <(sed '1,/"thumbpri"/d' trace)
	done
}

# inmemory PID FILE: lines of the file, each octets in hex, that are in its memory.
inmemory() {
	python3 - "$@" <<-'PY'
		import re, sys
		pid, file = sys.argv[1:]
		need = [bytes.fromhex(line) for line in open(file).read().split()]
		for m in open(f'/proc/{pid}/maps'):
		    a, b, mode = re.match(r'(\w+)-(\w+) (\S+)', m).groups()
		    a, size = int(a, 16), int(b, 16) - int(a, 16)
		    if mode[:2] != 'rw' or size > 1 << 26:	# larger ones are the sanitizer's
		        continue
		    with open(f'/proc/{pid}/mem', 'rb') as f:
		        f.seek(a)
		        data = f.read(size)
		    for n in need:
		        if n in data:
		            print(n.hex())
	PY
}
hex() { xxd -p | tr -d '\n'; echo; }

@test "what the keys were read from does not stay in memory" {
	traceable
	# In the rear of a large buffer: the front is soon used for something else.
	blank() { head -c "$1" /dev/zero | tr '\0' '\n'; }
	head -c 64 /dev/urandom | jws enc >text
	{ blank 30000; cat text; } >mac
	for k in RSA P-521; do
		{ blank 60000; cat "$K/$k"; } >key
		coproc S { exec sslm-jws -k key -e mac; }
		echo "jws $URL n - -" >&"${S[1]}"
		read -r -t 20 line <&"${S[0]}"
		[[ $line == '{'* ]]
		printf %s "$URL" | hex >seen	# the request is there: we can see
		{ cat seen; sed -n 4p "$K/$k" | cut -c 8-40 | tr -d '\n' | hex; cut -c 8-40 text | tr -d '\n' | hex; } >need
		inmemory "$S_PID" need | sort -u | diff seen -
		kill "$S_PID"
		wait "$S_PID" || :
	done
}

@test "what a JWK was read from does not stay in memory" {
	traceable
	for k in RSA P-384; do
		jws private "$K/$k" >j
		d=$(jq -r .d j)
		printf 'sslm-jws' | hex >seen
		{ cat seen; printf %s "${d: -22:20}" | hex; } >need
		rm -f trace
		# Held up where it ends.
		ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=exit_group -e inject=exit_group:delay_enter=60s \
		    "$(command -v sslm-jws)" -i j -o "$k" 3>&- &
		TRACER=$!
		until grep -q exit_group trace 2>/dev/null; do
			kill -0 $TRACER
			read -r -t 0.1 <> <(:) || :
		done
		pid=$(cut -d ' ' -f 1 trace | head -n 1)
		inmemory "$pid" need | sort -u | diff seen -
		kill -9 $TRACER
		wait $TRACER || :
		TRACER=
	done
}

@test "a JWK becomes the same file that openssl makes" {
	for k in RSA P-256 P-384 P-521; do
		jws private "$K/$k" >j
		(umask 0; sslm-jws -i j -o "$k")
		cmp "$k" <(openssl pkey -in "$K/$k")
		[ "$(stat -c %a "$k")" = 600 ]
	done
	# As RFC 7517 has it, with members that say nothing to us.
	jws private "$K/RSA" | jq '.kid = "2011-04-29" | .alg = "RS256" | .key_ops = ["sign"]' >j
	sslm-jws -i j -o k
	cmp k <(openssl pkey -in "$K/RSA")
	# RFC 7515, A.3.
	echo '{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
	    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}' >j
	sslm-jws -i j -o a3
	openssl pkey -in a3 -noout -text | tr -d ' :\n' | grep -q priv:*8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2
}

# refused PATTERN [FILE]: the import fails, and its one line matches; it shows
# nothing of the key, and there is no file.
refused() {
	run -1 sslm-jws -i "${2:-j}" -o k
	echo "$output"
	[[ $output == "sslm-jws: "$1 ]]
	[ "${#lines[@]}" = 1 ]
	[ ! -e k ]
	[ ! -e .k.new ]
}

@test "a JWK with a member missing, or that is none" {
	for k in RSA P-384; do
		jws private "$K/$k" >all
		for m in $(jq -r 'keys[] | select(. != "kty" and . != "crv")' all); do
			jq "del(.$m)" all >j
			refused "'j': no \"$m\", *"
			for v in '""' '"AAAAA"' '"AA=="' '"A+A/"' 7 null '[]' '{"a":"AQAB"}' "\"$(head -c 2000 /dev/zero | tr '\0' A)\""; do
				jq ".$m = $v" all >j
				refused "'j': \"$m\"*"
			done
		done
	done
	jq 'del(.crv)' all >j
	refused "'j': \"crv\"*"
	jq '.crv = "P-256"' all >j
	refused "'j': \"x\"*"
	jq '.crv = "secp256k1"' all >j
	refused "'j': \"crv\"*"
	for t in 'del(.kty)' '.kty = "oct"' '.kty = "OKP"' '.kty = 1' '[.]' '{}' '[]'; do
		jq "$t" all >j
		refused "'j'*kty*"
	done
}

@test "a JWK whose members do not belong together" {
	openssl genrsa -out other 2048 2>/dev/null
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out otherec
	for pair in RSA,other P-384,otherec; do
		jws private "$K/${pair%,*}" >all
		jws private "${pair#*,}" >odd
		for m in $(jq -r 'keys[] | select(. != "kty" and . != "crv" and . != "e")' all); do
			jq --slurpfile o odd ".$m = \$o[0].$m" all >j
			refused "'j': *"
			[[ $output == *"do not belong together"* || $output == *"no EC key"* ]]
		done
	done
	jws private "$K/RSA" | jq '.e = "Aw"' >j
	refused "'j': the members do not belong together*"
	jws private "$K/RSA" | jq '.d = "AQ"' >j
	refused "'j': the members do not belong together*"
	# Zero is a number that no key has for its own.
	jws private "$K/P-384" | jq '.d = "AA"' >j
	refused "'j': *"
}

@test "a JWK that is too weak or too large" {
	openssl genrsa -out weak 1024 2>/dev/null
	jws private weak >j
	refused "'j': the key is too weak or too large"
	jws private "$K/RSA" | jq --arg n "$(head -c 1025 /dev/urandom | jws enc)" '.n = $n' >j
	refused "'j': \"n\"*"
	jws private "$K/RSA" >j
	head -c 70000 /dev/zero | tr '\0' ' ' >>j
	refused "'j' is larger than 65536 bytes"
}

@test "JSON that is none, and what is said of it shows no key" {
	jws private "$K/RSA" >all
	d=$(jq -r .d all)
	for n in 0 1 30 200 600 1000; do
		head -c $n all >j
		refused "'j': malformed JSON*"
		[[ $output != *"${d:0:12}"* ]]
	done
	sed "s/: \"$d\"/\"$d\"/" all >j
	refused "'j': malformed JSON*"
	[[ $output != *"${d:0:12}"* ]]
	sed "s/\"$d\"/$d/" all >j
	refused "'j': malformed JSON*"
	[[ $output != *"${d:0:12}"* ]]
	jq -c . all | sed 's/}$/,"d":"AQAB"}/' >j
	refused "'j': malformed JSON*"
	{ cat all; echo x; } >j
	refused "'j': malformed JSON*"
	{ cat all; printf '\0'; } >j
	refused "'j': malformed JSON*"
	head -c 60000 /dev/zero | tr '\0' '[' >j
	refused "'j': malformed JSON*"
	echo '"RSA"' >j
	refused "'j': malformed JSON*"
	refused "cannot open 'none'*" none
	chmod 644 all
	refused "'all' is readable by others" all
}

@test "an existing file is not replaced" {
	jws private "$K/P-256" >j
	echo precious >k
	run -1 sslm-jws -i j -o k
	[ "$output" = "sslm-jws: 'k' exists; a key is never replaced" ]
	[ "$(cat k)" = precious ]
	# What a run that was killed later has left is good.
	sslm-jws -i j -o k2
	cp -p k2 was
	run -0 sslm-jws -i j -o k2
	[ -z "$output" ]
	[ "$(stat -c %y k2)" = "$(stat -c %y was)" ]
	cmp k2 was
	run -75 sslm-jws -i j -o none/k
	[[ $output == *"'none/k': No such file or directory" ]]
}

@test "wrong usage" {
	for a in "" "-k" "-k k x" "-i j" "-o k" "-i j -k k" "-i j -o k -k k" "-i j -o k -e m" "-i j -o k -n n" \
	    "-k k -o k" "-e m" "-n n" "x" "-i j -o k x"; do
		run -2 --separate-stderr sslm-jws $a </dev/null
		[ -z "$output" ]
		[[ $stderr == *"usage: sslm-jws"* ]]
	done
}

@test "answers that nobody can get" {
	run -75 bash -c 'echo thumbprint | sslm-jws -k "$1" >/dev/full' - "$K/P-256"
	[[ $output == *"cannot write standard output: No space left on device" ]]
	run -75 bash -c 'sslm-jws -k "$1" <.' - "$K/P-256"
	[[ $output == *"cannot read standard input: Is a directory" ]]
}
