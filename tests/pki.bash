# shellcheck shell=bash
# Loaded by the tests that want sets made by openssl alone.

# issue DIR CA [openssl ca option...]: DIR/cert.pem for the request DIR/csr.pem,
# signed by the key of the set CA (DIR itself: self-signed), valid from
# $BEGIN to $END, with the extensions in $EXT; and the chain.pem that goes with it.
issue() {
	local dir=$1 ca=$2
	shift 2
	mkdir -p "$dir/.ca" && : > "$dir/.ca/index.txt"
	cat > "$dir/.ca/conf" <<-END
		[ca]
		default_ca = d
		[d]
		database = $dir/.ca/index.txt
		new_certs_dir = $dir/.ca
		rand_serial = yes
		unique_subject = no
		email_in_dn = yes
		default_md = sha256
		preserve = yes
		policy = p
		[p]
		commonName = optional
	END
	printf '%s\n' "$EXT" > "$dir/.ca/ext"
	if [ "$dir" = "$ca" ]; then
		set -- -selfsign "$@"
	else
		set -- -cert "$ca/cert.pem" "$@"
	fi
	openssl ca -batch -notext -config "$dir/.ca/conf" -extfile "$dir/.ca/ext" \
	    -keyfile "$ca/privkey.pem" -in "$dir/csr.pem" -out "$dir/cert.pem" \
	    -startdate "${BEGIN:-20200101000000Z}" -enddate "${END:-20990101000000Z}" "$@" \
	    2> "$dir/.ca/log" || { cat "$dir/.ca/log"; return 1; }
	if [ "$dir" = "$ca" ]; then
		cp "$dir/cert.pem" "$dir/chain.pem"
	elif cmp -s "$ca/cert.pem" "$ca/chain.pem"; then
		cp "$ca/cert.pem" "$dir/chain.pem"
	else
		cat "$ca/cert.pem" "$ca/chain.pem" > "$dir/chain.pem"
	fi
	rm -r "$dir/.ca"
}

# request DIR NAME [openssl req option...]: DIR/privkey.pem and DIR/csr.pem.
# $KEY says how openssl req makes the key.
request() {
	local dir=$1 name=$2
	shift 2
	# shellcheck disable=SC2086
	mkdir -p "$dir" && openssl req -new ${KEY:--newkey ec -pkeyopt ec_paramgen_curve:P-256} -nodes \
	    -keyout "$dir/privkey.pem" -out "$dir/csr.pem" -subj "/CN=$name" "$@" 2>/dev/null &&
	    chmod 600 "$dir/privkey.pem"
}

EXT_CA=$'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid'
EXT_LEAF=$'basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName='
SANS='DNS:www.example.com,DNS:*.example.com,IP:192.0.2.1,IP:2001:db8::1'

# pki: the sets root, int (signed by root) and leaf (by int) here, each with the
# four files that sslm-bundle takes, all made by openssl.
pki() {
	local ca_csr='basicConstraints=critical,CA:TRUE'
	request root Root -addext "$ca_csr" && EXT=$EXT_CA issue root root &&
	    request int Int -addext "$ca_csr" && EXT=$EXT_CA issue int root &&
	    request leaf www.example.com -addext "subjectAltName=$SANS" &&
	    EXT=$EXT_LEAF$SANS issue leaf int
}

# whole SET...: what sslm-bundle would make, made by hand.
whole() {
	local dir
	for dir; do
		cp "$dir/cert.pem" "$dir/fullchain.pem"
		cmp -s "$dir/cert.pem" "$dir/chain.pem" || cat "$dir/chain.pem" >> "$dir/fullchain.pem"
		(umask 077 && cat "$dir/privkey.pem" "$dir/fullchain.pem" > "$dir/bundle.pem")
	done
}
