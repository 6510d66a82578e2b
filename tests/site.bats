# The whole site, through make: the phases, failures, kills and the lock.
setup() { load helper; load site; workdir; }

root=certs/ca/my-root int=certs/ca/my-int web=certs/example.com/web-ec mail=certs/example.com/mail-ec

# whole LINK: the set of each service under that link fits together, says
# openssl, up to the root that it names.
whole() {
	local s
	for s in $root $int $web $mail; do
		tac "$s/$1/chain.pem" | sed '/BEGIN/q' | tac >anchor.pem
		openssl verify -x509_strict -CAfile anchor.pem -untrusted "$s/$1/chain.pem" "$s/$1/cert.pem" >/dev/null
		[ "$(openssl pkey -in "$s/$1/privkey.pem" -pubout)" = "$(openssl x509 -in "$s/$1/cert.pem" -noout -pubkey)" ]
		cat "$s/$1/privkey.pem" "$s/$1/fullchain.pem" | cmp - "$s/$1/bundle.pem"
	done
}
no_leftovers() { run ! sh -c "find certs prod-certs -name '.*.new' | grep ."; }
keys_private() { run ! sh -c "find certs prod-certs \( -name privkey.pem -o -name bundle.pem \) -perm /077 | grep ."; }

@test "from nothing: root, intermediate, leaves, in this order, in parallel" {
	site
	m -j2 renew
	whole next
	[ ! -L $web/curr ]
	m roll
	whole curr
	openssl verify -x509_strict -CAfile $root/curr/cert.pem -untrusted $int/curr/cert.pem $web/curr/cert.pem
	[ ! -L $web/next ]
	keys_private
	no_leftovers
	# No dane_tls, no file.
	[ -z "$(find . -name 'tlsa*')" ]
	# PEM blocks of each file, as ssl-mgr has them.
	count() { grep -c -- '-----BEGIN' "$1"; }
	[ "$(for s in $root $int $web; do for f in chain fullchain bundle; do count $s/curr/$f.pem; done; done | xargs)" = \
	    "1 1 2 1 2 3 2 3 4" ]
}

@test "a second run does nothing: no file changes, no word" {
	ready_site
	find certs prod-certs ! -name '.*' -printf '%p %T@ %i\n' | sort >before
	m renew >out 2>&1
	m roll >>out 2>&1
	[ ! -s out ]
	find certs prod-certs ! -name '.*' -printf '%p %T@ %i\n' | sort | diff - before
}

@test "a quiet run costs one scan, not a process for each service" {
	command -v strace || skip "no strace"
	ready_site
	count() { strace -f -o trace -e trace=execve env -u MAKEFLAGS make renew && grep -c 'execve(.*= 0' trace; }
	small=$(count)
	for i in 1 2 3 4 5 6; do
		sed "s/web-ec/w$i/" conf.d/example.com/web-ec >conf.d/example.com/w$i
	done
	sed -i "s/services = \['mail-ec', 'web-ec'\]/services = '*'/" conf.d/ssl-mgr.conf
	m renew && m roll
	[ "$(count)" = "$small" ]
}

@test "production holds what is in use, and what comes" {
	ready_site
	cmp $web/curr/bundle.pem prod-certs/example.com/web-ec/curr/bundle.pem
	m renew FORCE=1 SERVICES=example.com:web-ec
	cmp $web/next/bundle.pem prod-certs/example.com/web-ec/next/bundle.pem
	cmp $web/curr/bundle.pem prod-certs/example.com/web-ec/curr/bundle.pem
}

@test "a leaf is signed by the CA's curr while the CA's next waits" {
	ready_site
	m -j2 renew FORCE=1
	openssl verify -x509_strict -CAfile $root/curr/cert.pem -untrusted $int/curr/cert.pem $web/next/cert.pem
	cmp $web/next/chain.pem $int/curr/fullchain.pem
}

@test "SERVICES chooses; a service by hand in its own directory" {
	site
	m renew SERVICES='ca'
	[ -e $int/next/bundle.pem ]
	[ ! -e certs/example.com ]
	m renew SERVICES='example.com:web-ec'
	[ -e $web/next/bundle.pem ]
	[ ! -e $mail ]
	m -C $web roll
	[ -e $web/curr/bundle.pem ]
	m -C $web next
	[ ! -L $web/next ]
	m -C $web next FORCE=1
	[ -e $web/next/bundle.pem ]
	run -0 m -C $web status
	[[ $output == *example.com/web-ec* && $output != *my-root* ]]
}

@test "SERVICES holds names and nothing else" {
	ready_site
	for s in -h -f '$(shell touch pwned)' '$(touch pwned)' '`touch pwned`' ';touch pwned' '*' ../..; do
		for t in renew roll status due verify conf prod prune; do
			run -2 m $t SERVICES="$s" FORCE=1
		done
	done
	[ ! -L $web/next ]
	run -2 m renew SERVICES='example.com:web-ec $(shell touch pwned)' FORCE=1
	[ -e $web/next/bundle.pem ]
	[ ! -e pwned ]
	run -0 m due SERVICES='example.com:* ca:my-int' FORCE=1
	[ "${#lines[@]}" = 3 ]
}

@test "make verify fails where the configuration does" {
	ready_site
	echo broken >>conf.d/ssl-mgr.conf
	run -2 m verify
	[[ $output == *"conf.d/ssl-mgr.conf:"* ]]
}

@test "a new name makes a new certificate; a comment does not" {
	ready_site
	echo '# new comment' >>conf.d/example.com/web-ec
	m renew
	[ ! -L $web/next ]
	sed -i "s/'www.example.com'/'www.example.com', 'new.example.com'/" conf.d/example.com/web-ec
	m renew
	openssl x509 -in $web/next/cert.pem -noout -checkhost new.example.com | grep -q 'does match'
	[ ! -L $mail/next ]
	gen=$(readlink $web/next)
	m renew
	[ "$(readlink $web/next)" = "$gen" ]
}

@test "REUSE keeps the key, FORCE alone does not" {
	ready_site
	m renew FORCE=1 REUSE=1 SERVICES=example.com:web-ec
	cmp $web/curr/privkey.pem $web/next/privkey.pem
	[ "$(stat -L -c %a $web/next/privkey.pem)" = 600 ]
	run ! cmp -s $web/curr/cert.pem $web/next/cert.pem
	m renew FORCE=1 SERVICES=example.com:web-ec
	run ! cmp -s $web/curr/privkey.pem $web/next/privkey.pem
}

@test "one service that fails leaves the others done, and the status tells" {
	site
	echo 'broken' >>conf.d/example.com/web-ec
	run -2 m renew
	[[ $output == *"conf.d/example.com/web-ec:"* ]]
	[ -e $mail/next/bundle.pem ]
	[ ! -e $web/next ]
	[ "$(cat certs/.exit)" = 2 ]
	cp "$TOP/conf.d/example.com/web-ec" conf.d/example.com/
	m renew
	whole next
}

@test "a CA that cannot sign fails its leaves alone, and the next run goes on with the same keys" {
	ready_site
	mv $int/curr/privkey.pem kept
	run -2 m renew FORCE=1 SERVICES='example.com'
	[[ $output == *"my-int"* ]]
	[ "$(cat certs/.exit)" = 1 ]
	key=$(sha256sum <$web/next/privkey.pem)
	mv kept $int/curr/privkey.pem
	m renew
	[ "$(sha256sum <$web/next/privkey.pem)" = "$key" ]
	whole next 2>/dev/null || openssl verify -CAfile $root/curr/cert.pem -untrusted $web/next/chain.pem $web/next/cert.pem
}

@test "a directory in the way, a dangling curr, an unwritable place: said, and the others done" {
	site
	mkdir -p certs/example.com
	: >certs/example.com/web-ec
	run -2 m renew
	[[ $output == *"certs/example.com/web-ec"* ]]
	[ -e $mail/next/bundle.pem ]
	rm certs/example.com/web-ec
	m renew && m roll
	rm -r "$web/$(readlink $web/curr)"
	run -2 m renew
	[[ $output == *"$web/curr/cert.pem': No such file or directory"* ]]
	m roll
	whole curr
}

@test "a full disk: an error, nothing half-made taken for whole, and the next run completes" {
	[ "$(id -u)" = 0 ] || skip "needs root for a tmpfs"
	mkdir small
	mount -t tmpfs -o size=200k tmpfs small || skip "no mount here"
	cd small
	site
	head -c 1m /dev/zero >fill 2>/dev/null || true
	run -2 m renew
	[[ $output == *"No space left on device"* ]]
	rm fill
	umount -l "$PWD"
	cd ..
	mount -t tmpfs -o size=2m tmpfs small
	cd small
	site
	m renew SERVICES=ca
	head -c 4m /dev/zero >fill 2>/dev/null || true
	run -2 m renew
	[ ! -e $web/next/bundle.pem ] || [ ! -e $mail/next/bundle.pem ]
	rm fill
	m renew
	whole next
	no_leftovers
}

teardown() { umount -l "$BATS_TEST_TMPDIR/a site/small" 2>/dev/null || true; }

@test "two runs at once: the second says so and goes, or waits if asked to" {
	site
	mkdir certs
	exec 9>>certs/.lock
	flock 9
	run -2 m renew 9>&-
	[[ $output == *"another run is at work"*"Error 75"* ]]
	[ ! -e certs/ca ]
	m renew WAIT=1 9>&- &
	until pgrep -f "flock +9" >/dev/null; do :; done
	[ ! -e certs/ca ]
	exec 9>&-
	wait $!
	whole next
}

@test "what is not a file in place of one of a run is neither waited for nor written to" {
	ready_site
	for f in .lock .due .status .exit; do
		mv certs/$f kept
		mkfifo certs/$f
		run timeout 10 env -u MAKEFLAGS make renew
		[ "$status" = 2 ]
		[[ $output == *"'certs/$f' is not a regular file"* ]]
		SSL_MGR_TOPDIR=$PWD run timeout 10 "$TOP/bin/sslm-mgr" -renew
		[ "$status" != 0 ]
		[ "$status" != 124 ]
		rm certs/$f
		echo precious >outside
		ln -s ../outside certs/$f
		run ! m renew
		[ "$(cat outside)" = precious ]
		rm certs/$f
		mv kept certs/$f
	done
	m renew
}

@test "a directory where a link belongs is said, not built in and passed over" {
	site
	mkdir -p $web/next
	run -2 m renew
	[[ $output == *"'$web/next' is not a link"* ]]
	rmdir $web/next
	m renew
	cp -rL $web/next kept
	rm $web/next
	mv kept $web/next
	run -2 m roll
	[[ $output == *"'$web/next' is not a link"* ]]
	[ -e $mail/curr/bundle.pem ]
	mv $web/next $web/curr
	run -2 m prod
	[[ $output == *"'$web/curr' is not a link"* ]]
}

@test "the job server of make keeps its descriptors, whichever they are" {
	site
	run -0 m -j2 renew 3<&- 4<&-
	[ -z "$output" ]
	whole next
	rm -r certs
	# Down to those of the lock.
	run -0 m -j2 renew 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null
	[ -z "$output" ]
	whole next
	[ ! -s certs/.lock ]
}

@test "a renewal killed at any point is finished by the next run" {
	traceable
	site
	points make -j1 renew >points
	n=0 kills=0
	while read -r at; do
		rm -rf certs prod-certs
		n=$((n + 1))
		# shellcheck disable=SC2086	# words
		killed_run $at make -j1 renew || { echo "not killed: $at"; continue; }
		kills=$((kills + 1))
		keys_private
		before=$(cat certs/*/*/next/privkey.pem 2>/dev/null | sha256sum)
		n1=$(ls -d certs/*/*/next/privkey.pem 2>/dev/null | wc -l)
		m -j2 renew >log 2>&1 || { cat log; echo "kill $at"; false; }
		whole next || { echo "kill $at"; false; }
		no_leftovers
		[ "$n1" != 4 ] || [ "$before" = "$(cat certs/*/*/next/privkey.pem | sha256sum)" ]
		[ "$(ls -d certs/*/*/db/* | wc -l)" -le 8 ]
	done < <(ends <points | cut -d' ' -f-3)
	echo "$kills kills at $n points"
	[ $kills -gt 60 ]
	[ $kills -ge $((n - 2)) ]
}

@test "a forced renewal killed at any point leaves nothing behind after a run that is not forced" {
	traceable
	ready_site
	cp -a . ../ready
	points make -j1 renew FORCE=1 >points
	kills=0
	while read -r at; do
		rm -rf certs prod-certs
		cp -a ../ready/certs ../ready/prod-certs .
		# shellcheck disable=SC2086	# words
		killed_run $at make -j1 renew FORCE=1 || continue
		kills=$((kills + 1))
		m renew WAIT=1
		whole curr
		no_leftovers
	done < <(grep sslm-next points | cut -d' ' -f-3)
	echo "$kills kills"
	[ $kills -gt 10 ]
}

@test "a roll killed at any point is finished by the next run, with a curr at every moment" {
	traceable
	ready_site
	to_roll
	points make -j2 roll >points
	kills=0
	while read -r at; do
		to_roll
		want=$(readlink certs/*/*/next | xargs)
		# shellcheck disable=SC2086	# words
		killed_run $at make -j2 roll || { echo "not killed: $at"; continue; }
		kills=$((kills + 1))
		whole curr || { echo "kill $at"; false; }
		m roll >log 2>&1 || { cat log; echo "kill $at"; false; }
		whole curr
		[ "$(readlink certs/*/*/curr | xargs)" = "$want" ]
		no_leftovers
		[ "$(grep -l 'rolled to curr' certs/*/*/curr/info | wc -l)" = 4 ]
		cmp $web/curr/bundle.pem prod-certs/example.com/web-ec/curr/bundle.pem
	done < <(cut -d' ' -f-3 points)
	echo "$kills kills"
	[ $kills -gt 40 ]
	[ $kills -ge $(($(wc -l <points) - 2)) ]
}

# Sets in next that may be rolled.
to_roll() {
	m renew FORCE=1
	find certs -name info -exec sed -i 's/issued : .*/issued : 20200101T000000Z/' {} +
}

@test "make -n and DRY say what is due and do nothing" {
	site
	run -0 m -n renew
	[[ $output == *"example.com/web-ec	no certificate yet"* ]]
	[ ! -e certs ]
	run -0 m renew DRY=1
	[[ $output == *"example.com/web-ec	no certificate yet"* ]]
	[ ! -e certs ]
}

@test "several targets at once: one after the other, and each of them in parallel" {
	site
	m -j4 renew roll verify
	whole curr
	# Two keys are made at the same time.
	mkdir slow
	ln -s "$SSLM_BIN"/sslm-* slow/
	rm slow/sslm-genkey
	printf '#!/bin/sh\n: >"$$.at"; mv "$$.at" here.$$; for i in $(seq 100); do [ "$(ls here.* | wc -l)" -gt 1 ] && : >both; [ ! -e both ] || break; sleep 0.05; done; exec "%s/sslm-genkey" "$@"\n' "$SSLM_BIN" >slow/sslm-genkey
	chmod +x slow/sslm-genkey
	SSLM_BIN=$PWD/slow m -j4 renew roll FORCE=1 SERVICES=example.com
	[ -e both ]
}

@test "options that a Makefile adds are not taken for make -n" {
	site
	# As the checkout's own Makefile begins.
	grep '^MAKEFLAGS' "$TOP/Makefile" | cat - Makefile >M
	[ "$(wc -l <M)" -gt "$(wc -l <Makefile)" ]
	mv M Makefile
	m renew
	whole next
	m roll FORCE=1
	whole curr
	run -0 m -n renew FORCE=1
	[ ! -e $web/next ]
}

@test "make alone shows the table and does nothing" {
	site
	run -0 m
	[[ $output == *"example.com/web-ec"*due* ]]
	[ ! -e certs ]
}

@test "what a service file says is in its certificate: subject, names, address, wildcard, lifetime" {
	site
	sed -i "/^\[X509\]/,\$d" conf.d/example.com/web-ec
	cat >>conf.d/example.com/web-ec <<-'END'
	[X509]
	    email = 'hostmaster@example.com'
	    OU = 'IT, Web'
	    ST = 'Bayern'
	    L = ''
	    O = 'Example Company'
	    C = 'DE'
	    CN = 'example.com'
	    sans = ['*.example.com', 'www.example.net', '192.0.2.1', '2001:db8::1']
	END
	sed -i "s/sign_end_days = .*/sign_end_days = 47/; s/digest = .*/digest = 'sha512'/" conf.d/ca/my-int
	m renew
	openssl x509 -in $web/next/cert.pem -noout -subject -nameopt sep_multiline,utf8,sname |
	    sed 1d | tr -d ' ' | diff - <(printf '%s\n' CN=example.com C=DE ST=Bayern O=ExampleCompany \
	    OU=IT,Web emailAddress=hostmaster@example.com)
	[ "$(openssl x509 -in $web/next/cert.pem -noout -ext subjectAltName | sed -n '2s/^ *//p')" = \
	    'DNS:example.com, DNS:*.example.com, DNS:www.example.net, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1' ]
	[ "$(openssl x509 -in $web/next/cert.pem -noout -text | grep -c 'ecdsa-with-SHA512')" = 2 ]
	[ $((($(dates $web/next/cert.pem | tail -1) - $(dates $web/next/cert.pem | head -1)) / 86400)) = 47 ]
	for host in a.example.com www.example.net; do
		openssl verify -verify_hostname $host -CAfile $root/next/cert.pem -untrusted $int/next/cert.pem $web/next/cert.pem
	done
	run ! openssl verify -verify_hostname www.example.org -CAfile $root/next/cert.pem \
	    -untrusted $int/next/cert.pem $web/next/cert.pem
}

@test "make verify looks at what is in use" {
	ready_site
	run -0 m verify
	[[ $output == *"$web/curr: ok"* ]]
	cp $mail/curr/cert.pem $web/curr/cert.pem
	run -2 m verify
}

@test "make verify fails where the list of services cannot be had" {
	ready_site
	run -2 m verify SERVICES='example.com:nosuch example.com:web-ec'
	[[ $output == *"$web/curr: ok"* ]]
	echo '[globals' >conf.d/ssl-mgr.conf
	run -2 m verify
}

@test "ssl-mgr's own example of a self-signed site runs as it is" {
	mkdir -p conf.d/ca conf.d/example.com
	ln -s "$TOP/mk" mk
	printf 'MK := mk\n\ninclude $(MK)/site.mk\n' >Makefile
	cat >conf.d/ssl-mgr.conf <<-'END'
	[globals]
	    prod_cert_dir = 'prod-certs'
	[[groups]]
	    active=true
	    domain = 'ca'
	    services = ['my-root', 'my-int']
	[[groups]]
	    active=true
	    domain = 'example.com'
	    services = ['web-self']
	[[dns_primary]]
	    domain = 'default'
	    server = '127.0.0.1'
	    port = 53
	END
	cat >conf.d/ca-info.conf <<-'END'
	[my-root]
	    ca_desc = 'My Self signed root : EC signs my intermediate certs'
	    ca_type = 'self'
	[my-int]
	    ca_desc = 'My intermediate : EC signs client certs'
	    ca_type = 'local'
	END
	for s in 'my-root ca 3650 My-Root' 'my-int ca 1825 My-Int my-root' 'web-self example.com - example.com my-int'; do
		set -- $s
		cat >"conf.d/$2/$1" <<-END
		name = '$1'
		group = '$2'
		service = '$1'
		signing_ca = '${5-}'
		renew_expire_days = 30
		[KeyOpts]
		    ktype = 'ec'
		    ec_algo = 'secp384r1'
		[X509]
		    CN = '$4'
		    O = 'Example'
		    OU = ''
		    L = ''
		    ST = ''
		    C = 'US'
		    email = ''
		    sans = []
		END
		[ "$3" = - ] || printf '[CA]\n sign_end_days = %s\n digest = "sha384"\n' "$3" >>"conf.d/$2/$1"
	done
	m -j2 renew
	m roll
	openssl verify -x509_strict -CAfile $root/curr/cert.pem -untrusted $int/curr/cert.pem certs/example.com/web-self/curr/cert.pem
	life() { echo $((($(dates "$1" | tail -1) - $(dates "$1" | head -1)) / 86400)); }
	[ "$(life $root/curr/cert.pem) $(life certs/example.com/web-self/curr/cert.pem)" = "3650 1825" ]
}

@test "a run tells each fault of the configuration once, and the next run again" {
	ready_site
	sed -i '1i nmae = "x"' conf.d/example.com/web-ec
	sed -i 's/^\[globals\]/&\n    prod_cert_dri = "x"/' conf.d/ssl-mgr.conf
	for _ in 1 2; do
		m renew FORCE=1 SERVICES=example.com 2>&1 | grep -v '^make' >said
		cut -d' ' -f2- said | grep '^conf.d/' | sort >faults
		[ "$(wc -l <faults)" = 2 ]
		grep -q "^conf.d/example.com/web-ec:1: unknown key 'nmae'" faults
		grep -q "^conf.d/ssl-mgr.conf:[0-9]*: unknown key 'prod_cert_dri'" faults
	done
	# What ends a program is no less a failure for that.
	sed -i '1i = 3' conf.d/ssl-mgr.conf
	run -2 --separate-stderr m renew
	[ "$(grep -c '^sslm-.*: conf.d/' <<<"$stderr")" = 1 ]
	[ "$(cat certs/.exit)" = 2 ]
}
