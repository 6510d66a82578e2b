setup() { load helper; load site; workdir; site; web=certs/example.com/web-ec; }

@test "-renew and -roll, with one dash or two" {
	run -0 sslm-mgr -renew
	[ -e $web/next/bundle.pem ]
	run -0 sslm-mgr --roll
	[ -e $web/curr/bundle.pem ]
	run -0 sslm-mgr --renew -f example.com:web-ec
	[ -L $web/next ]
	[ ! -L certs/example.com/mail-ec/next ]
	run -0 sslm-mgr -roll --force
	[ ! -L $web/next ]
}

@test "group:service,service and group:ALL" {
	run -0 sslm-mgr -renew ca:my-root,my-int
	[ ! -e certs/example.com ]
	run -0 sslm-mgr -renew example.com:ALL
	[ -e $web/next/bundle.pem ]
}

@test "the exit status is that of the manual, not make's" {
	sslm-mgr -renew
	sslm-mgr -roll
	sslm-mgr -f -renew
	run -75 sslm-mgr -roll
	[[ $output == *"too soon to roll"* ]]
	run -0 sslm-mgr -roll -roll-mins 0
	echo broken >>conf.d/example.com/web-ec
	run -2 sslm-mgr -renew
	cp "$TOP/conf.d/example.com/web-ec" conf.d/example.com/
	: >certs/ca/my-int/curr/privkey.pem
	run -1 sslm-mgr -renew -f example.com:web-ec
	run -2 sslm-mgr -renew example.com:nothing
}

@test "another run at work: 75 at once, or -w waits" {
	mkdir certs
	exec 9>>certs/.lock
	flock 9
	run -75 sslm-mgr -renew 9>&-
	[[ $output == *"another run is at work"* ]]
	sslm-mgr -w -renew 9>&- &
	until pgrep -f 'flock 9' >/dev/null; do :; done
	exec 9>&-
	wait $!
	[ -e $web/next/bundle.pem ]
	exec 9>>certs/.lock
	flock 9
	run -0 sslm-mgr -s 9>&-
	# A lock that leads elsewhere is none.
	mv certs/.lock lock
	ln -s ../lock certs/.lock
	run -75 sslm-mgr -renew 9>&-
	[[ $output == *"'certs/.lock' is not a regular file"* ]]
}

@test "-s shows the table, -v more" {
	run -0 sslm-mgr -s
	[[ $output == *"example.com/web-ec"*due* ]]
	run -0 sslm-mgr -status -verb example.com:web-ec
	[[ $output == *"no certificate yet"* ]]
}

@test "without -v nothing is said, whatever verb and sslm_auth_hook say; with it each step" {
	sed -i "s|^\[globals\]|&\nverb = true\nsslm_auth_hook = '$PWD/hook'|" conf.d/ssl-mgr.conf
	printf '#!/bin/sh\ntouch "%s/hooked"\n' "$PWD" >hook
	chmod 755 hook
	run -0 sslm-mgr -renew
	[ -z "$output" ]
	run -0 sslm-mgr --roll
	[ -z "$output" ]
	run -0 sslm-mgr -renew -f --verb example.com:web-ec
	for step in genkey csr sign bundle; do
		[[ $output == *"sslm-$step "*certs/example.com/web-ec/next* ]]
	done
	[[ $output == *"example.com/web-ec	installed next"* ]]
	[ ! -e hooked ]
}

@test "help, behind dev too; parts of long names; services before options" {
	sslm-mgr -h >short
	for h in -help --help 'dev -h' 'dev --help'; do
		# shellcheck disable=SC2086
		sslm-mgr $h | diff short -
	done
	grep -q -e '-roll-mins' short
	grep -q -e '-certs-prod' short
	run -0 sslm-mgr ca:my-root --ren
	[ "$(ls certs/ca)" = my-root ]
	[ -e certs/ca/my-root/next/bundle.pem ]
	run -0 sslm-mgr ca:my-root --roll -min-roll-mins=0
	run -0 sslm-mgr --renew -f ca:my-root
	run -75 sslm-mgr --roll --min-roll-mins 1 ca:my-root
	run -0 sslm-mgr --roll --min-roll-mins 0 ca:my-root
	run -0 sslm-mgr --status ca:my-root
	[ "${#lines[@]}" = 2 ]
}

@test "-dns tells the name server of the zones of the groups, which the CAs are not" {
	printf "[dns]\n    restart_cmd = './resign'\n" >>conf.d/ssl-mgr.conf
	printf '#!/bin/sh\necho "$@" >>told\n' >resign
	chmod 755 resign
	run -0 sslm-mgr -dns
	[ "$(cat told)" = '--serial_bump example.com' ]
	run -0 sslm-mgr --dns-refresh example.com:mail-ec
	[ "$(wc -l <told)" = 2 ]
	run -0 sslm-mgr -d -dns
	[[ $output == *'make dns'* ]]
	[ "$(wc -l <told)" = 2 ]
	printf '#!/bin/sh\nexit 3\n' >resign
	run -1 sslm-mgr -dns
	[[ $output == *"'./resign': exit status 3"* ]]
}

@test "-d shows what would be done and does nothing" {
	run -0 sslm-mgr -d -renew
	[[ $output == *"example.com/web-ec	no certificate yet"* ]]
	[ ! -e certs ]
	sslm-mgr -renew
	run -0 sslm-mgr -d -roll
	[[ $output == *"example.com/web-ec	would roll"* ]]
	[ ! -L $web/curr ]
	run -0 sslm-mgr dev -d -keys -csr example.com:web-ec
	[[ $output == *"would run: make keys"*"would run: make csr"* ]]
}

@test "-r keeps the key" {
	sslm-mgr -renew; sslm-mgr -roll
	run -0 sslm-mgr -r -f -renew example.com:web-ec
	cmp $web/curr/privkey.pem $web/next/privkey.pem
}

@test "dev: the steps one by one, each going on with the last" {
	sslm-mgr -renew ca; sslm-mgr -roll ca
	run -0 sslm-mgr dev -keys example.com:web-ec
	key=$(sha256sum <$web/next/privkey.pem)
	[ "$(ls $web/next/)" = privkey.pem ]
	run -0 sslm-mgr dev -csr example.com:web-ec
	[ "$(ls $web/next/ | xargs)" = "csr.pem privkey.pem" ]
	run -0 sslm-mgr dev -cert example.com:web-ec
	[ "$(sha256sum <$web/next/privkey.pem)" = "$key" ]
	openssl verify -CAfile certs/ca/my-root/curr/cert.pem -untrusted $web/next/chain.pem $web/next/cert.pem
	run -0 sslm-mgr dev -ntoc example.com:web-ec
	[ "$(sha256sum <$web/curr/privkey.pem)" = "$key" ]
	[ ! -e prod-certs/example.com/web-ec/curr ]
	run -0 sslm-mgr dev -certs-prod
	cmp $web/curr/bundle.pem prod-certs/example.com/web-ec/curr/bundle.pem
	run -0 sslm-mgr dev --copy-csr --new-csr --new-cert example.com:web-ec
	cmp $web/curr/privkey.pem $web/next/privkey.pem
	run -2 sslm-mgr -keys
	[[ $output == *"unknown option '-keys'"* ]]
}

@test "-clean-keep and -clean-all" {
	sslm-mgr -renew; sslm-mgr -roll
	for i in 1 2 3; do sslm-mgr -renew -f example.com:web-ec; sslm-mgr -roll -f; done
	[ "$(ls $web/db | wc -l)" = 4 ]
	run -0 sslm-mgr -clean-keep 1
	[ "$(ls $web/db | wc -l)" = 3 ]
	sed -i '/example.com/,$ s/active = true/active = false/; s/services = .*mail.*/services = []/' conf.d/ssl-mgr.conf
	mkdir $web/db/20200101T000000Z $web/db/20200102T000000Z
	run -0 sslm-mgr -clean-keep 1 -clean-all
	[ "$(ls $web/db | wc -l)" = 3 ]
}

@test "the site: SSL_MGR_TOPDIR, then here" {
	mkdir elsewhere
	cd elsewhere
	SSL_MGR_TOPDIR=.. run -0 sslm-mgr -s
	[[ $output == *example.com/web-ec* ]]
	[ -d /etc/ssl-mgr/conf.d ] && skip "there is a site in /etc/ssl-mgr"
	run -2 sslm-mgr -s
	[[ $output == *"no conf.d"* ]]
}

@test "the site in /etc/ssl-mgr, where the lines of cron find it; its logs, if there is a place for them" {
	[ "$(id -u)" = 0 ] || skip "only root can have an /etc of its own"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir -p etc/ssl-mgr home log
	cp -r conf.d etc/ssl-mgr/
	cp /etc/passwd /etc/group etc/
	# As cron does: in the home directory, with an environment of its own.
	# shellcheck disable=SC2016
	as_cron() {
		unshare -m env -i HOME="$PWD/home" SSLM_BIN="$SSLM_BIN" ASAN_OPTIONS="${ASAN_OPTIONS-}" PATH=/usr/bin:/bin sh -c \
		    'mount --bind "$1/etc" /etc && mount --bind "$1/log" /var/log && cd "$HOME" && shift && exec "$@"' \
		    sh "$PWD" "$@"
	}
	run -0 as_cron "$TOP/bin/sslm-mgr" -renew
	[ -z "$(ls log)" ]
	mkdir log/ssl-mgr
	run -0 as_cron "$TOP/bin/sslm-mgr" -roll
	[ -z "$output" ]
	grep -q 'roll: status 0' log/ssl-mgr/sslm
	openssl x509 -in etc/ssl-mgr/prod-certs/example.com/web-ec/curr/cert.pem -noout
	# One that is where we are comes before it.
	cp -r conf.d home/
	run -0 as_cron "$TOP/bin/sslm-mgr" -renew ca
	[ -d home/certs/ca ]
}

@test "no options, unknown ones, bad numbers and hostile names are usage errors" {
	run -2 sslm-mgr
	[[ $output == usage:* ]]
	run -2 sslm-mgr -renwe
	[[ $output == *"unknown option '-renwe'"* ]]
	run -2 sslm-mgr -roll -roll-mins soon
	run -2 sslm-mgr -re
	# shellcheck disable=SC2016
	for bad in 'example.com:$(touch pwned)' 'a;touch pwned' 'a b' '`touch pwned`' "a'b"; do
		run -2 sslm-mgr -renew "$bad"
	done
	[ ! -e pwned ]
}

@test "-t and -n work in trees of their own, and leave the site as it was" {
	run -0 sslm-mgr -t -renew
	[ -e certs/.test/$web/next/bundle.pem ]
	[ ! -e $web ]
	[ ! -e prod-certs ]
	[ -e prod-certs.test/example.com/web-ec/next/bundle.pem ]
	run -0 sslm-mgr -t -roll -f
	[ -e certs/.test/$web/curr/bundle.pem ]
	run -0 sslm-mgr -t -s
	[[ $output == *example.com/web-ec*"in "* ]]
	run -0 sslm-mgr -s
	[[ $output != *example.com/web-ec*"in "* ]]
	rm -r prod-certs.test
	run -0 sslm-mgr -n -renew
	[ ! -e certs/.dry ]
	[ ! -e prod-certs.test ]
	[ ! -e $web ]
	run -0 sslm-mgr -n -roll
	[ ! -e $web/curr ]
	rm -r certs/.test
	run -2 sslm-mgr -t -s
}

@test "nothing in the environment reaches make" {
	printf '$(shell touch pwned)\n' >evil.mk
	MAKEFILES=$PWD/evil.mk MAKEFLAGS='--eval=$(shell${IFS}touch${IFS}pwned)' GNUMAKEFLAGS=-n \
	    SERVICES='$(shell touch pwned)' run -0 sslm-mgr -renew
	[ ! -e pwned ]
	[ -e $web/next/bundle.pem ]
}

@test "the status of an earlier run is not that of one that could not begin" {
	site
	mkdir -p own/bin own/mk certs
	cp "$TOP/bin/sslm-mgr" own/bin
	cp "$TOP/mk/common.sh" own/mk
	echo 'no makefile' >own/mk/site.mk
	echo 75 >certs/.exit
	run -1 own/bin/sslm-mgr -renew
}

@test "init makes a site that works as it is, in three lines" {
	plain_top
	run -0 sslm-mgr init new/site
	[ -z "$output" ]
	[ "$(wc -l <new/site/Makefile)" = 3 ]
	diff -r "$TOP/conf.d" new/site/conf.d
	[ "$(stat -c %a new/site new/site/conf.d new/site/conf.d/ssl-mgr.conf | xargs)" = "755 755 644" ]
	cd new/site
	[[ $(m help) == *renew*status* ]]
	m -j2 renew
	m roll
	openssl verify -CAfile certs/ca/my-root/curr/cert.pem -untrusted $web/curr/chain.pem $web/curr/cert.pem
}

@test "init touches nothing that is there" {
	plain_top
	mkdir one two
	echo mine >one/Makefile
	run -1 sslm-mgr init one
	[[ $output == *"'one' has a Makefile"* ]]
	[ "$(ls -A one)" = Makefile ]
	mkdir two/conf.d
	run -1 sslm-mgr init two
	[[ $output == *"'two' has a conf.d"* ]]
	[ "$(ls -A two)" = conf.d ]
	# A run that was killed is ended by the next.
	sslm-mgr init three
	rm -r three/conf.d
	run -0 sslm-mgr init three
	[ -f three/conf.d/ssl-mgr.conf ]
	[ "$(ls -A three | xargs)" = "Makefile conf.d" ]
	# Links that lead nowhere are something, too.
	mkdir four five
	ln -s nowhere four/conf.d
	run -1 sslm-mgr init four
	[ "$(ls -A four)" = conf.d ]
	ln -s nowhere five/Makefile
	run -1 sslm-mgr init five
	[ "$(ls -A five)" = Makefile ]
	# It is made where it is said, not where CDPATH leads.
	mkdir -p far/six
	CDPATH=$PWD/far run -0 sslm-mgr init six
	[ -z "$output" ]
	[ -f six/conf.d/ssl-mgr.conf ]
	[ -z "$(ls -A far/six)" ]
	run -2 sslm-mgr init
	run -2 sslm-mgr init a b
	run -75 sslm-mgr init /dev/null/site
}
