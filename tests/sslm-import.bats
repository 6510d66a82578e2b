# Trees as other programs leave them; every certificate in them is openssl's.
setup() { load helper; load site; load pki; workdir; site; pki; conf; }

web=example.com/web-ec

# The sample site, whose web service has an ACME CA, and needs none of it here.
conf() {
	sed -i "s/'my-int'/'le'/; s/^    CN = .*/    CN = 'www.example.com'/; s/sans = .*/sans = ['www.example.com', '*.example.com', '192.0.2.1', '2001:db8::1']/
	    s/secp384r1/secp256r1/" \
	    conf.d/$web
	printf "[le]\n    ca_type = 'letsencrypt'\n" >>conf.d/ca-info.conf
	printf "[dns]\n    acme_dir = 'zones'\n    restart_cmd = 'true'\n" >>conf.d/ssl-mgr.conf
	printf "[web]\n    server_dir = 'web'\n" >>conf.d/ssl-mgr.conf
	mkdir zones
}

# set_of DIR [BEGIN [END]]: a certificate for what the service file says, by the lab's CA.
set_of() {
	request "$1" www.example.com -addext "subjectAltName=$SANS" &&
	    BEGIN=${2:-20260901000000Z} END=${3:-20990101000000Z} EXT=$EXT_LEAF$SANS issue "$1" int
}

# ssl_mgr GENERATION: a set of ssl-mgr's making in the service's db.
ssl_mgr() {
	set_of "certs/$web/db/$1"
	whole "certs/$web/db/$1"
	chmod 600 "certs/$web/db/$1/privkey.pem"
	echo ";; tlsa" >"certs/$web/db/$1/tlsa.rr"
}

# The service as ssl-mgr leaves it: all three links, and one in the making if asked for.
ssl_mgr_site() {
	ssl_mgr 20260701-02:30:00
	ssl_mgr 20260901-02:30:00
	ssl_mgr 20261101-02:30:00
	chmod 750 certs/example.com certs/$web/db
	ln -s db/20260701-02:30:00 certs/$web/prev
	ln -s db/20260901-02:30:00 certs/$web/curr
	ln -s db/20261101-02:30:00 certs/$web/next
	echo "# web-ec rolled to curr : 20260901-05:30:00" >certs/$web/curr/info
	mkdir -p prod-certs/$web
	cp -r certs/$web/db/20260901-02:30:00 prod-certs/$web/curr
	mkdir .flags
	touch .flags/6_1_updated
}

links() { (cd certs/$web && readlink curr next prev | xargs); }

@test "a site of ssl-mgr goes on with its curr and its next" {
	ssl_mgr_site
	chmod 644 certs/$web/next/privkey.pem
	before=$(links)
	run -0 sslm-import
	[[ $output == *"$web	curr is taken over"*"$web	next is taken over"* ]]
	[[ $output == *"20261101-02:30:00/privkey.pem' could be read by others"* ]]
	[ "$(stat -Lc %a certs/$web/next/privkey.pem)" = 600 ]
	[ "$(links)" = "$before" ]
	# Neither is due; next waits from when its certificate came.
	run -0 sslm-mgr -renew $web
	[ "$(links)" = "$before" ]
	run -75 sslm-mgr -roll $web
	[[ $output == *"too soon to roll"* ]]
	touch -d '3 hours ago' certs/$web/next/cert.pem
	run -0 sslm-mgr -roll $web
	[ "$(links)" = "db/20261101-02:30:00 db/20260901-02:30:00" ]
	# Production was a directory of files.
	[ -L prod-certs/$web/curr ]
	cmp certs/$web/curr/cert.pem prod-certs/$web/curr/cert.pem
	# And again: there is nothing to say against it.
	run -0 sslm-import -q
	[ -z "$output" ]
}

@test "a next that was only begun is gone on with, by its key" {
	ssl_mgr_site
	rm certs/$web/next/{cert,chain,fullchain,bundle}.pem
	cp certs/$web/next/privkey.pem key
	run -0 sslm-import
	[[ $output == *"$web	next was begun: the next renewal goes on with it"* ]]
	cmp key certs/$web/next/privkey.pem
}

@test "what does not fit is told, by status 1 too, and the rest is taken over" {
	ssl_mgr_site
	cp certs/$web/prev/privkey.pem certs/$web/next/privkey.pem
	run -1 sslm-import
	[[ $output == *"curr is taken over"* ]]
	[[ $output == *"$web: next does not fit together: the next renewal makes another"* ]]
	run -0 sslm-due $web
	cp certs/$web/prev/privkey.pem certs/$web/curr/privkey.pem
	run -1 sslm-import
	[[ $output == *"$web: curr stays in use, but does not fit together: sslm-mgr -renew -f $web"* ]]
	[ -e certs/$web/curr/cert.pem ]
}

@test "curr that is not complete, leads nowhere or is no link; a next without a good key" {
	ssl_mgr_site
	rm certs/$web/next
	mv certs/$web/curr/bundle.pem .
	run -1 sslm-import
	[[ $output == *"$web: curr is not complete: sslm-mgr -renew -f $web makes another"* ]]
	mv bundle.pem certs/$web/curr/
	ln -sfn db/20010101-00:00:00 certs/$web/curr
	run -1 sslm-import
	[[ $output == *"$web: curr is not complete"* ]]
	rm certs/$web/curr
	cp -r certs/$web/db/20260901-02:30:00 certs/$web/curr
	run -1 sslm-import
	[[ $output == *"'certs/$web/curr' is not a link"* ]]
	rm -r certs/$web/curr
	ln -s db/20260901-02:30:00 certs/$web/curr
	mkdir certs/$web/db/20261102-02:30:00
	ln -s db/20261102-02:30:00 certs/$web/next
	(umask 077; : >certs/$web/next/privkey.pem)
	run -1 sslm-import
	[[ $output == *"$web: next has no good key: sslm-mgr -renew -f $web makes another"* ]]
	# Nothing has been rolled yet.
	rm certs/$web/curr
	ln -sfn db/20261101-02:30:00 certs/$web/next
	run -0 sslm-import
	[[ $output == *"$web	no curr: next will be the first"*"$web	next is taken over"* ]]
	ln -s db/20260901-02:30:00 certs/$web/curr
	ln -sfn db/20261102-02:30:00 certs/$web/next
	# An empty one is gone on with.
	rm certs/$web/next/privkey.pem
	run -0 sslm-import
	[[ $output == *"$web	next was begun"* ]]
}

@test "a next of the CA for tests, where ssl-mgr -t has put it, is told and made again" {
	ssl_mgr_site
	request int '(STAGING) Pseudo Plum E5' -addext basicConstraints=critical,CA:TRUE
	EXT=$EXT_CA issue int root
	ssl_mgr 20261102-02:30:00
	ln -sfn db/20261102-02:30:00 certs/$web/next
	run -1 sslm-import
	[[ $output == *"$web: next is not taken over (signed by '(STAGING) Pseudo Plum E5', wanted le): the next renewal makes another"* ]]
	[[ $output == *"$web	curr is taken over"* ]]
	run -0 sslm-due $web
	# The line of cron that comes after a renewal that failed.
	run -1 sslm-roll -m 0 $web
	[[ $output == *"$web: not rolled: next is of a CA for tests" ]]
	[ "$(readlink certs/$web/curr)" = db/20260901-02:30:00 ]
	# In use it is no better.
	rm certs/$web/next
	ln -sfn db/20261102-02:30:00 certs/$web/curr
	run -0 sslm-import
	[[ $output == *"$web	curr is taken over; it is due: signed by '(STAGING) Pseudo Plum E5', wanted le"* ]]
}

@test "a tree that certs is a link to: open keys are found there too" {
	ssl_mgr_site
	chmod 644 certs/$web/curr/privkey.pem
	mv certs tree
	ln -s tree certs
	run -0 sslm-import
	[[ $output == *"20260901-02:30:00/privkey.pem' could be read by others"* ]]
	[ "$(stat -Lc %a certs/$web/curr/privkey.pem)" = 600 ]
}

# records FILE: owner and data of each TLSA record in it, sorted.
records() { sed -nE 's/^([^ ;]+) .* TLSA (3 1 1 .*)/\1 \2/p' "$1" | sort; }

@test "DANE: the records that are published stay, for curr, for next, and for what servers may show" {
	ssl_mgr_site
	sed -i "/^signing_ca/a dane_tls = [[25, 'tcp', 3, 1, 1, 'SANS']]" conf.d/$web
	sed -i "/^\[dns\]/a tlsa_dirs = ['zones']" conf.d/ssl-mgr.conf
	sed -i "s/'mail-ec', //; 0,/active = true/s//active = false/" conf.d/ssl-mgr.conf
	printf "[smtp]\n    restart_cmd = '%s'\n" "$PWD/reload" >>conf.d/ssl-mgr.conf
	printf "[[dns_primary]]\n    domain = 'default'\n    server = '127.0.0.1'\n    port = 1\n" >>conf.d/ssl-mgr.conf
	printf '#!/bin/sh\n[ -e %s ]\n' "'$PWD/well'" >reload
	chmod +x reload
	# As ssl-mgr has written them.
	local g o key
	for g in 20260901-02:30:00 20261101-02:30:00; do
		key=$(openssl x509 -in "certs/$web/db/$g/cert.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)
		printf ';;\n;; tlsa example.com web-ec %s\n;;\n' $g >"certs/$web/db/$g/tlsa.rr"
		for o in example.com www.example.com; do
			printf '_25._tcp.%s. 1800  IN TLSA 3 1 1 %s\n' $o "${key%% *}"
		done >>"certs/$web/db/$g/tlsa.rr"
	done
	{
		printf ';;\n;; TLSA example.com : phase = normal\n;;\n;;\n;; web-ec curr\n;;\n'
		grep -v '^;' certs/$web/curr/tlsa.rr
		printf ';;\n;; web-ec next\n;;\n'
		grep -v '^;' certs/$web/next/tlsa.rr
		echo
	} >zones/tlsa.example.com
	cp zones/tlsa.example.com certs/example.com/
	cp zones/tlsa.example.com prod-certs/example.com/
	records zones/tlsa.example.com | grep www >had
	[ "$(wc -l <had)" = 2 ]
	before=$(links)
	run -0 sslm-import
	records zones/tlsa.example.com | grep www | diff had -
	# The server cannot be told.  So what was in use before may be what it shows.
	run ! m renew DNS_WAIT=1
	records zones/tlsa.example.com | grep www >have
	[ -z "$(comm -23 had have)" ]
	[ "$(wc -l <have)" = 3 ]
	[ "$(links)" = "$before" ]
	# When it has been, the oldest key goes; those of curr and next stay.
	touch well
	run ! m renew DNS_WAIT=1
	run ! m renew DNS_WAIT=1
	records zones/tlsa.example.com | grep www | diff had -
	# No roll before name servers were seen to have them.
	touch -d '3 hours ago' certs/$web/next/cert.pem
	run -75 sslm-mgr -roll
	[[ $output == *"$web: not rolled"* ]]
	[ "$(links)" = "$before" ]
}

# own_id DIR EXTENSIONS: as ssl-mgr made them, with the certificate's own key as that of
# the issuer.
own_id() {
	local id
	id=$(openssl req -in "$1/csr.pem" -noout -pubkey | openssl pkey -pubin -outform DER |
	    openssl asn1parse -inform DER -strparse 23 -noout -out - | openssl dgst -sha1 -r | cut -c1-40)
	printf '%s\n2.5.29.35=DER:30168014%s\n' "$(grep -v '^authority' <<<"$2")" "$id"
}

@test "CAs of ssl-mgr's own, with the wrong key identifiers: told, and mended as README says" {
	local gen=20260901-02:30:00 d ca
	cp "$TOP"/conf.d/example.com/* conf.d/example.com/
	rm -rf int leaf
	request int Int -addext basicConstraints=critical,CA:TRUE
	EXT=$(own_id int "$EXT_CA") issue int root
	request leaf example.com -addext subjectAltName=DNS:example.com,DNS:www.example.com
	EXT=$(own_id leaf "${EXT_LEAF}DNS:example.com,DNS:www.example.com") issue leaf int
	whole root int leaf
	run -1 sslm-verify leaf
	[[ $output == *"key identifier mismatch"* ]]
	for d in root=ca/my-root int=ca/my-int leaf=$web; do
		mkdir -p "certs/${d#*=}/db"
		cp -r "${d%%=*}" "certs/${d#*=}/db/$gen"
		ln -s "db/$gen" "certs/${d#*=}/curr"
	done
	run -1 sslm-import
	[[ $output == *"ca/my-root	curr is taken over"* ]]
	[[ $output == *"ca/my-int: curr stays in use, but does not fit together: sslm-mgr -renew -f ca/my-int"* ]]
	[[ $output == *"$web: curr stays in use, but does not fit together"* ]]
	# A next of that kind would never be rolled: it is due, and waits for its CA.
	cp -r "certs/$web/db/$gen" "certs/$web/db/20261101-02:30:00"
	ln -s db/20261101-02:30:00 certs/$web/next
	run -1 sslm-mgr -renew $web
	[[ $output == *"the signer 'certs/ca/my-int' names a wrong key as its issuer's: renew and roll it first"* ]]
	run -0 sslm-mgr -renew -f ca:my-int
	run -0 sslm-mgr -roll -f ca:my-int
	run -0 sslm-mgr -renew -f $web
	run -0 sslm-mgr -roll -f $web
	run -0 sslm-verify certs/ca/my-int/curr certs/$web/curr
	run -0 openssl verify -CAfile root/cert.pem -untrusted certs/$web/curr/chain.pem certs/$web/curr/cert.pem
}

@test "a lineage of certbot: links into an archive" {
	mkdir -p le/live/www le/archive
	set_of le/archive/www
	whole le/archive/www
	for f in privkey cert chain fullchain; do
		mv "le/archive/www/$f.pem" "le/archive/www/${f}3.pem"
		ln -s "../../archive/www/${f}3.pem" "le/live/www/$f.pem"
	done
	# In spite of a careless umask.
	umask 000
	run -0 sslm-import example.com:web-ec le/live/www
	umask 022
	[[ $output == *"$web	curr is the set of '$PWD/le/live/www'"* ]]
	for f in privkey cert chain fullchain; do
		cmp "le/live/www/$f.pem" "certs/$web/curr/$f.pem"
	done
	[ "$(stat -Lc %a certs/$web/curr/{privkey,bundle}.pem | sort -u)" = 600 ]
	openssl req -in certs/$web/curr/csr.pem -noout -verify
	cmp <(openssl req -in certs/$web/curr/csr.pem -noout -pubkey) <(openssl x509 -in le/live/www/cert.pem -noout -pubkey)
	run -0 sslm-verify certs/$web/curr
	[ ! -L certs/$web/next ]
	# It is the set in use: not due, and servers get it.
	run -1 sslm-due $web
	run -0 sslm-mgr -renew $web
	[ ! -L certs/$web/next ]
	cmp le/live/www/privkey.pem prod-certs/$web/curr/privkey.pem
	# Once is enough.
	run -1 sslm-import $web le/live/www
	[[ $output == *"has a set in use"* ]]
}

@test "lineages of other kinds: RSA, many names, international ones, a chain that is signed across" {
	local many=DNS:www.example.com,DNS:xn--bcher-kva.example.com i
	for i in $(seq 60); do many+=,DNS:h$i.example.com; done
	SANS=$many KEY='-newkey rsa:2048' set_of rsa
	request old Old -addext basicConstraints=critical,CA:TRUE
	EXT=$EXT_CA issue old old
	cp -r root across
	EXT=$EXT_CA issue across old
	cat int/cert.pem across/cert.pem >rsa/chain.pem
	run -0 sslm-import $web rsa
	cmp rsa/chain.pem certs/$web/curr/chain.pem
	openssl verify -CAfile old/cert.pem -untrusted certs/$web/curr/chain.pem certs/$web/curr/cert.pem
	diff -w <(openssl req -in certs/$web/curr/csr.pem -noout -text | grep DNS:) \
	    <(openssl x509 -in certs/$web/curr/cert.pem -noout -text | grep DNS:)
	# It is not what the service file says: that is said.
	[[ $output == *"$web	due: key is RSA:2048, wanted EC:prime256v1"* ]]
}

# The lines of the manual for who has a key and a full chain, with these in the place of
# the manual's.
recipe() {	# key fullchain
	sed -n '/mkdir -m 700/,/^\.Ed/{/^\./d;s/^# //;p}' "$TOP/doc/sslm-import.1" |
	    sed "s|/root/set[^ ]*|'$PWD&'|; s|[^ ]*example.com.key|'$1'|; s|[^ ]*fullchain.cer|'$2'|" >lines
	[ "$(wc -l <lines)" = 5 ]
	sh -eu lines
}

@test "acme.sh, lego, Caddy: a key and a full chain, by the lines of the manual" {
	set_of one
	whole one
	# acme.sh: example.com.key, example.com.cer, ca.cer, fullchain.cer.  lego and Caddy have
	# the full chain in example.com.crt.
	mkdir example.com_ecc
	cp one/privkey.pem example.com_ecc/example.com.key
	cp one/fullchain.pem example.com_ecc/fullchain.cer
	recipe "$PWD/example.com_ecc/example.com.key" "$PWD/example.com_ecc/fullchain.cer"
	for f in privkey cert chain fullchain; do
		cmp "one/$f.pem" "certs/$web/curr/$f.pem"
	done
	run -0 sslm-verify certs/$web/curr
}

@test "dehydrated: a key in the older form, by the way of sslm-mgr" {
	set_of deh
	openssl pkey -in deh/privkey.pem -traditional -out deh/privkey-1.pem
	grep -q 'BEGIN EC PRIVATE KEY' deh/privkey-1.pem
	ln -sf privkey-1.pem deh/privkey.pem
	whole deh
	rm deh/csr.pem deh/bundle.pem
	run -0 sslm-mgr import $web deh
	cmp deh/privkey.pem certs/$web/curr/privkey.pem
	run -0 sslm-verify certs/$web/curr
}

@test "other names than the service wants: taken over, and due" {
	set_of other
	sed -i "s/sans = .*/sans = ['www.example.com', 'new.example.com']/" conf.d/$web
	run -0 sslm-import $web other
	run -0 sslm-due $web
	[[ $output == *"$web	"*new.example.com* ]]
}

@test "what does not fit leaves nothing behind" {
	set_of good
	cp -r good bad
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out bad/privkey.pem 2>/dev/null
	run -1 sslm-import $web bad
	[[ $output == *"$web: not imported"* ]]
	[ ! -L certs/$web/next ]
	[ -z "$(ls -A certs/$web/db)" ]
	set_of old 20250101000000Z 20260101000000Z
	run -1 sslm-import $web old
	[[ $output == *expired* ]]
	cp -r good half
	: >half/chain.pem
	run -1 sslm-import $web half
	[[ $output == *"has no chain.pem"* ]]
	cp -r good huge
	truncate -s 2M huge/privkey.pem
	run -1 sslm-import $web huge
	[[ $output == *"is too large"* ]]
	cp -r good wild
	echo '$(touch pwned)' >wild/cert.pem
	run -1 sslm-import $web wild
	[ ! -e pwned ]
	# A next of its own making is not given up.
	sslm-next $web
	sslm-genkey -o certs/$web/next/privkey.pem
	run -1 sslm-import $web good
	[[ $output == *"has a set in next"* ]]
	rm certs/$web/next
	rm -r certs/$web/db/*
	[ -z "$(ls -A certs/$web/db)" ]
	[ ! -L certs/$web/curr ]
	run -0 sslm-import $web good
}

@test "killed at any change to the file system, it is done again; no key is ever open to others" {
	traceable
	set_of good
	umask 000
	points sslm-import -q $web good >all
	ends <all >places
	[ "$(wc -l <places)" -gt 15 ]
	while read -r n name k program; do
		rm -rf certs
		killed_run "$n" "$name" "$k" sslm-import -q $web good || continue
		echo "$n $name $k $program"
		for f in $(find certs -name '*privkey*' -o -name '*bundle*'); do
			[ "$(stat -Lc %a "$f")" = 600 ]
		done
		[ ! -L certs/$web/curr ] || sslm-verify certs/$web/curr
		sslm-import -q $web good || [ -L certs/$web/curr ]
		sslm-verify certs/$web/curr
		[ ! -L certs/$web/next ]
	done <places
}

@test "wrong usage, other runs, other places" {
	set_of good
	run -2 sslm-import one
	run -2 sslm-import ca:my-root good
	[[ $output == *"cannot be imported"* ]]
	run -2 sslm-import example.com:nothing good
	run -2 sslm-import example.com good
	[[ $output == *"more than one service"* ]]
	run -1 sslm-import $web nowhere
	[[ $output == *"'nowhere' is not a directory"* ]]
	mkdir -p elsewhere certs
	run -2 sslm-import -C elsewhere
	[[ $output == *"no conf.d in 'elsewhere'"* ]]
	run -75 flock certs/.lock sslm-import $web good
	[[ $output == *"another run is at work"* ]]
	cd elsewhere
	run -0 sslm-import -C .. $web ../good
	[ -L ../certs/$web/curr ]
	# Not where CDPATH leads.
	cd ..
	mkdir -p far/here/conf.d here
	cp -r conf.d here/
	CDPATH=$PWD/far run -0 sslm-import -C here
	[[ $output == *"$web	no curr"* ]]
	[ ! -e far/here/certs ]
}
