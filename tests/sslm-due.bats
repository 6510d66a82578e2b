setup() {
	load helper; load site; workdir; site
	web=example.com:web-ec
}

# Days left at which the certificate in use of web-ec will be renewed.
days_left() {
	sslm-status -j "$web" | jq -r '.[0] | [.renew, .not_after] | .[]' |
	    sed 's/^\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z$/\1-\2-\3 \4:\5:\6Z/' |
	    while read -r d; do date -u -d "$d" +%s; done | xargs |
	    awk '{ printf "%.2f\n", ($2 - $1) / 86400 }'
}
lives() { in_use example.com/web-ec 0 "$(awk "BEGIN { printf \"%d\", $1 * 86400 }")"; }

# set_conf KEY=VALUE...: in [globals].
set_conf() {
	for kv; do sed -i "/^\[globals\]/a $kv" conf.d/ssl-mgr.conf; done
}

@test "without a certificate all are due, and it says why" {
	run -0 sslm-due
	[ "${#lines[@]}" = 4 ]
	[ "${lines[0]}" = "ca/my-root	no certificate yet" ]
	run -0 sslm-due -q
	[ -z "$output" ]
}

@test "a certificate with time left is not due: status 1, no word" {
	lives 90
	run -1 sslm-due $web
	[ -z "$output" ]
}

@test "the days left at which a lifetime is renewed" {
	# lifetime and days left as ssl-mgr 7.8 computes them.
	while read -r life left; do
		lives "$life"
		got=$(days_left)
		echo "$life days: $got, expected $left"
		awk "BEGIN { d = $got - $left; exit !(d < 0.02 && d > -0.02) }"
	done <<-'END'
	6.67 3.00
	10 5
	45 10
	64 21.33
	90 30
	365 73
	3650 730
	END
}

@test "a lifetime under a day is renewed before its end, not after" {
	lives 0.5
	got=$(days_left)
	awk "BEGIN { exit !($got > 0.1 && $got < 0.4) }"
}

@test "[renew_info] replaces and adds points of the table" {
	printf '[renew_info]\ntarget_90 = 40\ntarget_70 = 33\n' >>conf.d/ssl-mgr.conf
	lives 90; [ "$(days_left)" = 40.00 ]
	lives 70; [ "$(days_left)" = 33.00 ]
	lives 80; [ "$(days_left)" = 36.50 ]
	printf '[renew_info]\ntarget_80 = 25\n' >>conf.d/example.com/web-ec
	lives 80; [ "$(days_left)" = 25.00 ]
	# The names of ssl-mgr's own example, which it does not read itself.
	sed -i 's/^target_80 = 25/renew_target_80 = 26/' conf.d/example.com/web-ec
	lives 80; [ "$(days_left)" = 26.00 ]
	printf 'renew_rand_adj_80 = 2\n' >>conf.d/example.com/web-ec
	lives 80
	awk "BEGIN { exit !($(days_left) >= 24 && $(days_left) <= 28 && $(days_left) != 26) }"
}

@test "renew_expire_days, of the site and of the service" {
	set_conf 'renew_expire_days = 20'
	lives 90; [ "$(days_left)" = 20.00 ]
	sed -i '1i renew_expire_days = 15' conf.d/example.com/web-ec
	[ "$(days_left)" = 15.00 ]
}

@test "renew_expire_days that would renew a short-lived certificate at once gives way" {
	set_conf 'renew_expire_days = 30'
	lives 6.67; [ "$(days_left)" = 3.00 ]
	lives 46; [ "$(days_left)" = 30.00 ]
}

@test "the spread is drawn once for each certificate, and lies where it should" {
	set_conf 'renew_expire_days = 30' 'renew_expire_days_spread = 5'
	seen=
	for _ in 1 2 3 4 5 6; do
		lives 90
		a=$(days_left)
		[ "$a" = "$(days_left)" ]
		awk "BEGIN { exit !($a >= 25 && $a <= 35) }"
		seen="$seen $a"
	done
	[ "$(echo "$seen" | xargs -n1 | sort -u | wc -l)" -gt 2 ]
	# That of the service counts for more.
	sed -i '1i renew_expire_days_spread = 0' conf.d/example.com/web-ec
	[ "$(days_left)" = 30.00 ]
}

@test "between 90 and 300 days there is a spread by default" {
	lives 100
	got=$(days_left)
	awk "BEGIN { exit !($got >= 33.3 && $got <= 36.7) }"
}

@test "due at the moment and not before" {
	in_use example.com/web-ec $((-60 * day)) $((30 * day + 60))
	run -1 sslm-due $web
	in_use example.com/web-ec $((-60 * day - 60)) $((30 * day - 60))
	run -0 sslm-due $web
	[[ $output == *"expires in 29d 23h" ]]
}

@test "expired, and not valid yet" {
	in_use example.com/web-ec $((-90 * day)) $((-2 * day - 60))
	run -0 sslm-due $web
	[[ $output == *"expired 2d ago" ]]
	in_use example.com/web-ec $((2 * day + 60)) $((90 * day))
	run -0 sslm-due $web
	[[ $output == *"not valid for another 2d"* ]]
}

@test "a name added or taken away makes due, a comment does not" {
	lives 90
	echo '# a comment' >>conf.d/example.com/web-ec
	run -1 sslm-due $web
	sed -i "s/sans = .*/sans = ['example.com', 'www.example.com', 'new.example.com']/" conf.d/example.com/web-ec
	run -0 sslm-due $web
	[[ $output == *"new name new.example.com" ]]
	sed -i "s/sans = .*/sans = []/" conf.d/example.com/web-ec
	run -0 sslm-due $web
	[[ $output == *"name www.example.com not wanted any more" ]]
}

@test "names are compared as certificates hold them: case, IDN, IPv6, order" {
	SANS='DNS:b.example.com,DNS:example.com,DNS:xn--bcher-kva.example,IP:2001:db8::1,IP:192.0.2.1' \
	    in_use example.com/web-ec 0 $((90 * day))
	sed -i "s/sans = .*/sans = ['192.0.2.1', 'B.Example.COM.', 'bücher.example', '2001:DB8:0::1']/" conf.d/example.com/web-ec
	run -1 sslm-due $web
}

@test "another kind of key makes due, but not if the key is reused" {
	in_use example.com/web-ec 0 $((90 * day)) -algorithm RSA -pkeyopt rsa_keygen_bits:2048
	run -0 sslm-due $web
	[[ $output == *"key is RSA:2048, wanted EC:secp384r1" ]]
	run -1 sslm-due -r $web
	in_use example.com/web-ec 0 $((90 * day)) -algorithm ED25519
	run -0 sslm-due $web
	[[ $output == *"key is ED25519, wanted EC:secp384r1" ]]
	in_use example.com/web-ec 0 $((90 * day)) -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	run -0 sslm-due $web
	[[ $output == *"key is EC:prime256v1, wanted EC:secp384r1" ]]
	sed -i "s/secp384r1/SECP256R1/" conf.d/example.com/web-ec
	run -1 sslm-due $web
}

@test "another signer than the one in use makes due" {
	m renew && m roll
	run -1 sslm-due
	sed -i "s/signing_ca = .*/signing_ca = 'my-root'/" conf.d/example.com/web-ec
	run -0 sslm-due
	[ "$output" = "example.com/web-ec	signed by 'Sample Intermediate CA', wanted my-root" ]
	m renew
	openssl verify -x509_strict -CAfile certs/ca/my-root/curr/cert.pem certs/example.com/web-ec/next/cert.pem
	run -1 sslm-due
	sed -i "s/signing_ca = .*/signing_ca = 'self'/" conf.d/example.com/mail-ec
	run -0 sslm-due
	[[ $output == *"mail-ec	signed by 'Sample Intermediate CA', wanted self" ]]
}

# A certificate that some CA out there has signed, by way of certbot.
from_elsewhere() {
	in_use example.com/web-ec 0 $((90 * day))
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
	    -subj "/CN=${1:-Another CA}" -days 100 2>/dev/null
	openssl x509 -req -in certs/example.com/web-ec/curr/csr.pem -CA ca.pem -CAkey ca.key -days 90 \
	    -copy_extensions copy -out certs/example.com/web-ec/curr/cert.pem 2>/dev/null
}

@test "from a CA of our own to an ACME CA, and from one of these to another" {
	m renew && m roll
	printf "[le]\nca_type = 'acme'\nca_url = 'https://a.test/dir'\n" >>conf.d/ca-info.conf
	sed -i "s/signing_ca = .*/signing_ca = 'le'/" conf.d/example.com/web-ec
	run -0 sslm-due
	[ "$output" = "example.com/web-ec	signed by 'Sample Intermediate CA', wanted le" ]
	# What was got from there tells so; what is there from before does not, and is left.
	from_elsewhere
	run -1 sslm-due example.com:web-ec
	echo '{ "directory": "https://a.test/dir", "account": "https://a.test/1"}' >certs/example.com/web-ec/curr/order.json
	run -1 sslm-due example.com:web-ec
	sed -i "s|//a.test|//b.test|" conf.d/ca-info.conf
	run -0 sslm-due example.com:web-ec
	[ "$output" = "example.com/web-ec	signed by 'Another CA', wanted le" ]
	# No client trusts these.
	for ca in '(STAGING) Pseudo Plum E5' 'Fake LE Intermediate X1'; do
		rm certs/example.com/web-ec/curr/order.json
		from_elsewhere "$ca"
		run -0 sslm-due example.com:web-ec
		[ "$output" = "example.com/web-ec	signed by '$ca', wanted le" ]
		echo '{ "directory": "https://b.test/dir", "account": "https://b.test/1"}' >certs/example.com/web-ec/curr/order.json
		run -1 sslm-due example.com:web-ec
	done
}

@test "certbot and letsencrypt mean Let's Encrypt, in the test tree its staging service" {
	from_elsewhere
	sed -i "s/signing_ca = .*/signing_ca = 'le'/" conf.d/example.com/web-ec
	for type in certbot LetsEncrypt; do
		printf "[le]\nca_type = '%s'\n" $type >conf.d/ca-info.conf
		for tree in live staging; do
			[ $tree = live ] || : >.staging
			for from in live staging; do
				url=https://acme-v02.api.letsencrypt.org/directory
				[ $from = live ] || url=${url/-v02/-staging-v02}
				echo "{ \"directory\": \"$url\", \"account\": \"https://a.test/1\"}" >certs/example.com/web-ec/curr/order.json
				if [ $from = $tree ]; then
					run -1 sslm-due example.com:web-ec
				else
					run -0 sslm-due example.com:web-ec
					[ "$output" = "example.com/web-ec	signed by 'Another CA', wanted le" ]
				fi
			done
		done
		rm .staging
	done
}

# A line of certs/.acme/windows for web-ec: chosen moment, last answer and next
# question in seconds from now.
window() {
	mkdir -p certs/.acme
	echo "example.com/web-ec $(openssl x509 -in certs/example.com/web-ec/curr/cert.pem -noout -serial |
	    cut -d= -f2 | tr A-F a-f) $(at "$1") $(at "$1") $(at $(($1 + 1))) $(at "$2") $(at "$3")" >certs/.acme/windows
}
at() { date -u -d "@$(($(date +%s) + $1))" +%Y%m%dT%H%M%SZ; }

@test "an ACME CA's window counts for three days, and a lifetime always" {
	printf "[le]\nca_type = 'acme'\nca_url = 'https://a.test/dir'\n" >>conf.d/ca-info.conf
	sed -i "s/signing_ca = .*/signing_ca = 'le'/" conf.d/example.com/web-ec
	from_elsewhere
	# Not known: to be asked for.
	run -1 sslm-due -w ask example.com:web-ec
	[ "$(cat ask)" = example.com/web-ec ]
	# In the future, past; old; in the last tenth of its life.
	window 3600 -60 3600
	run -1 sslm-due -w ask example.com:web-ec
	[ ! -s ask ]
	window -1 -60 3600
	run -0 sslm-due example.com:web-ec
	[ "$output" = "example.com/web-ec	its CA wants it renewed" ]
	window -1 $((-4 * day)) 3600
	run -1 sslm-due example.com:web-ec
	window $((89 * day)) -60 3600
	# shellcheck disable=SC2046
	set -- $(dates certs/example.com/web-ec/curr/cert.pem)
	[ "$(sslm-status -j example.com:web-ec | jq -r '.[].renew')" = \
	    "$(date -u -d "@$(($2 - ($2 - $1) / 10))" +%Y%m%dT%H%M%SZ)" ]
	# Time to ask again, and a moment that nobody can have meant.
	window 3600 -60 -1
	run -1 sslm-due -w ask example.com:web-ec
	[ -s ask ]
	window 3600 -60 $((400 * day))
	run -1 sslm-due -w ask example.com:web-ec
	[ -s ask ]
	# The window of another certificate is none.
	window -1 -60 3600
	sed -i 's/^\([^ ]*\) ../\1 ff/' certs/.acme/windows
	run -1 sslm-due -w ask example.com:web-ec
	[ -s ask ]
	for cut in $(seq 0 "$(wc -c <certs/.acme/windows)"); do
		head -c "$cut" certs/.acme/windows >w
		mv w certs/.acme/windows
		run -1 sslm-due example.com:web-ec
	done
}

@test "a CA renewed under its own name makes nothing due" {
	m renew && m roll
	m renew FORCE=1 SERVICES=ca && m roll ROLL_MINS=0
	run -1 sslm-due
}

# The files that make a set of a self-signed certificate complete.
complete() {
	chmod 600 "$1/privkey.pem"
	cp "$1/cert.pem" "$1/chain.pem"
	cp "$1/cert.pem" "$1/fullchain.pem"
	(umask 077; cat "$1/privkey.pem" "$1/cert.pem" >"$1/bundle.pem")
}

pending() {	# a complete next for web-ec
	dated certs/example.com/web-ec/db/20200202T000000Z "$@"
	complete certs/example.com/web-ec/db/20200202T000000Z
	ln -sfn db/20200202T000000Z certs/example.com/web-ec/next
}

@test "what waits in next is not made again, unless it is not what is wanted" {
	in_use example.com/web-ec $((-89 * day)) $day
	pending 0 $((90 * day))
	run -1 sslm-due $web
	sed -i "s/'www.example.com'/'www2.example.com'/" conf.d/example.com/web-ec
	run -0 sslm-due $web
	[[ $output == *"next: new name www2.example.com" ]]
}

@test "a complete next that does not fit together would never roll: it is made again" {
	pending 0 $((90 * day))
	run -1 sslm-due $web
	set -- certs/example.com/web-ec/next
	cp "$1/privkey.pem" key
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1/privkey.pem" 2>/dev/null
	run -0 --separate-stderr sslm-due $web
	[ "$output" = "example.com/web-ec	next: does not fit together" ]
	[[ $stderr == *"/privkey.pem"* ]]
	run -0 --separate-stderr sslm-status
	[[ $output == *"example.com/web-ec "*" due"* ]]
	# Who may not read the key is told nothing of it.
	[ "$(id -u)" = 0 ] || skip "only root can be somebody else"
	chmod -R a+rX . && chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	chmod 600 "$1/privkey.pem" "$1/bundle.pem"
	run -1 --separate-stderr setpriv --reuid=65534 --clear-groups sslm-due $web
	[ -z "$output$stderr" ]
	cp key "$1/privkey.pem"
	run -1 sslm-due $web
}

@test "a next that waited until it is due itself is made again" {
	pending $((-89 * day)) $day
	run -0 sslm-due $web
	[[ $output == *"next: expires in "* ]]
}

# issued_ago HOURS: what the record of the set in use tells.
issued_ago() {
	echo "# issued : $(date -u -d "-$1 hours" +%Y%m%dT%H%M%SZ)" >certs/example.com/web-ec/curr/info
}

@test "what was old when it was issued is made again after a third of what was left" {
	in_use example.com/web-ec $((-80 * day)) $((10 * day))
	issued_ago 119
	run -1 sslm-due $web
	issued_ago 121
	run -0 sslm-due $web
	# A record that cannot be true counts for nothing.
	issued_ago -1000
	run -0 sslm-due $web
	# In next, too.
	issued_ago 0
	mv certs/example.com/web-ec/curr certs/example.com/web-ec/next
	complete certs/example.com/web-ec/next
	run -1 sslm-due $web
}

@test "an interrupted renewal is due, also when its certificate is there" {
	lives 90
	pending 0 $((90 * day))
	rm certs/example.com/web-ec/next/bundle.pem
	run -0 sslm-due $web
	[[ $output == *"interrupted" ]]
}

@test "-f lists what is not due too; -o writes the names alone" {
	lives 90
	run -0 sslm-due -f -o list $web
	[ "$output" = "example.com/web-ec	forced" ]
	[ "$(cat list)" = "example.com/web-ec" ]
	run -1 sslm-due -o list $web
	[ -f list ]
	[ ! -s list ]
}

@test "an unreadable certificate is reported and due; the others are judged" {
	mkdir -p certs/example.com/web-ec/db/x
	ln -s db/x certs/example.com/web-ec/curr
	echo garbage >certs/example.com/web-ec/db/x/cert.pem
	run -2 --separate-stderr sslm-due
	[[ $stderr == *"certs/example.com/web-ec/curr/cert.pem': malformed certificate"* ]]
	[[ $output == *"example.com/web-ec	curr: malformed certificate"* ]]
	[ "${#lines[@]}" = 4 ]
	rm -r certs/example.com/web-ec/db/x
	run -2 --separate-stderr sslm-due $web
	[[ $stderr == *"No such file or directory"* ]]
}

@test "a certificate too large to be read is told of as that, alone" {
	in_use example.com/web-ec 0 $((90 * day))
	head -c 2M /dev/zero >certs/example.com/web-ec/curr/cert.pem
	run -2 sslm-due "$web"
	[[ $output == *"'certs/example.com/web-ec/curr/cert.pem' is larger than 1048576 bytes"* ]]
	[[ $output == *"curr: cannot be read"* ]]
	[[ $output != *"No such file"* ]]
}

@test "names from a certificate do nothing to the terminal" {
	in_use example.com/web-ec 0 $((90 * day))
	d=certs/example.com/web-ec/curr
	openssl req -x509 -key $d/privkey.pem -subj "/CN=x" -days 90 -out $d/cert.pem -addext \
	    "subjectAltName=DNS:example.com,DNS:www.example.com,DNS:$(printf 'a\033[31mb')"
	run -0 sslm-due "$web"
	[[ $output == *"name a?[31mb not wanted any more"* ]]
	run -0 sslm-status -v "$web"
	[[ $output != *$'\033'* ]]
}

@test "a certificate cut at any length is never a crash, and never good" {
	lives 90
	f=certs/example.com/web-ec/curr/cert.pem
	cp $f whole
	n=$(stat -c %s whole)
	for ((i = 0; i < n - 27; i += 7)); do
		head -c $i whole >$f
		run sslm-due $web
		[ "$status" = 2 ] || { echo "cut at $i: $status"; false; }
	done
}

@test "a bad service file leaves the others judged, and status 2" {
	echo 'sans = ' >>conf.d/example.com/web-ec
	run -2 --separate-stderr sslm-due
	[[ $stderr == *"conf.d/example.com/web-ec:"* ]]
	[ "${#lines[@]}" = 3 ]
}

@test "a site that is not there" {
	run -2 sslm-due -C nowhere
	mkdir empty
	run -2 sslm-due -C empty
	[[ $output == *"conf.d/ssl-mgr.conf"* ]]
}

@test "a scan of many services is one process" {
	traceable
	lives 90
	strace -f -o trace -e trace=process "$(command -v sslm-due)" >/dev/null || true
	[ "$(grep -cE 'execve\(' trace)" = 1 ]
	run ! grep -E 'clone|fork' trace
}
