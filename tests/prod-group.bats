# prod_group: who may read production, here and on other machines.

setup() {
	load helper; load site; load acme; load deploy; workdir
	[ "$(id -u)" = 0 ] || skip "only root can give files to any group"
	d=certs/example.com/web-ec p=prod-certs/example.com/web-ec
	# A group that is everywhere.
	group=daemon gid=$(getent group daemon | cut -d: -f3)
}

teardown() { lab_stop; }

# in_group LINE...: the sample site, ready, and production yet to be made; its group.
in_group() {
	ready_site
	rm -rf prod-certs
	sed -i "s/^\[globals\]/&\nprod_group = '${1-$group}'/" conf.d/ssl-mgr.conf
}

# as GROUP COMMAND...: by a user who is in this group alone.
as() { setpriv --reuid=65534 --regid="$1" --clear-groups "${@:2}"; }

# rights PATH...: mode and group of each.
rights() { stat -c '%a %G' "$@" | xargs; }

# closed: no private key is open to others, or to a group that it has not.
closed() {
	[ -z "$(find prod-certs \( -name '*privkey*' -o -name '*bundle*' \) -type f \
	    \( -perm /037 -o \( -perm /040 ! -gid "$gid" \) \))" ]
}

@test "members of prod_group read what is in production, nobody else does, and a server starts" {
	in_group
	umask 0
	run -0 sslm-install
	as "$group" openssl pkey -in $p/curr/privkey.pem -noout
	as "$group" openssl pkey -in $p/curr/bundle.pem -noout
	run -1 as nogroup cat $p/curr/privkey.pem
	run -1 as nogroup cat $p/curr/cert.pem
	[ "$(rights prod-certs $p $p/db $p/curr/ | sort -u)" = "750 $group 750 $group 750 $group 750 $group" ]
	[ "$(rights prod-certs/example.com)" = "755 $group" ]
	[ "$(rights $p/curr/privkey.pem $p/curr/bundle.pem)" = "640 $group 640 $group" ]
	[ "$(rights $p/curr/cert.pem $p/curr/info)" = "644 root 644 root" ]
	[ "$(rights $d/curr/privkey.pem)" = "600 root" ]
	[ -z "$(find certs -gid "$gid")" ]
	run -0 sslm-install -n
	[ -z "$output" ]
	find prod-certs -printf '%p %T@ %C@ %i\n' | sort >before
	run -0 sslm-install -f
	[ -z "$output" ]
	find prod-certs -printf '%p %T@ %C@ %i\n' | sort | diff - before
	# One that never was root.
	as "$group" openssl s_server -accept 127.0.0.1:0 -naccept 1 -www -cert $p/curr/cert.pem -cert_chain $p/curr/chain.pem \
	    -key $p/curr/privkey.pem >server 2>&1 3>&- &
	until grep -q '^ACCEPT' server; do kill -0 $!; sleep 0.05; done
	printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -quiet -connect "$(sed -n 's/^ACCEPT //p' server)" \
	    -CAfile certs/ca/my-root/curr/cert.pem -verify_return_error
	wait $!
}

@test "a key has the group before it has the group's rights, and is 0600 from birth" {
	traceable
	in_group
	strace -y -s 300 -o trace -e trace=openat,fchown,fchmod,chmod,chown,rename "$(command -v sslm-install)" -q
	for f in privkey bundle; do
		grep -E "/web-ec/db/[^/]*/[.]${f}[.]pem[.]new" trace | grep -oE '^[a-z]+|\b0[0-7]{3}\b' | xargs >calls
		[ "$(cat calls)" = "openat 0600 fchown fchmod 0640 rename" ]
	done
	# The set is not under its name before that.
	run ! sh -c "sed -n '/rename.*web-ec.db.[^.]/,\$p' trace | grep -E 'fch(own|mod).*web-ec.db'"
	closed
}

@test "a group that cannot be set: an error, and no key with rights for another group" {
	traceable
	in_group
	for how in error=EPERM error=EIO retval=0; do
		for n in $(seq 12); do
			rm -rf prod-certs
			run -75 strace -qq -o trace -e inject=fchown:$how:when="$n" "$(command -v sslm-install)"
			[[ $output == *"sslm-install: cannot set the group of 'prod-certs"* ]]
			closed
		done
	done
	sslm-install -q
	sslm-install -n
	# Nor of those that are there.
	for n in $(seq 12); do
		find prod-certs -exec chgrp -h root {} + -name '*.pem' -perm 640 -exec chmod 600 {} +
		run -75 strace -qq -o trace -e inject=fchown:error=EPERM:when="$n+" "$(command -v sslm-install)" -f
		[[ $output == *"cannot set the group of 'prod-certs"*"Operation not permitted"* ]]
		closed
		[ "$(stat -c %a prod-certs $p $p/db $p/curr/ | xargs)" = '750 750 750 750' ]
	done
	sslm-install -qf
	run -0 sslm-install -n
	# One that another group reads is closed first.
	chgrp mail $p/curr/privkey.pem
	run -75 strace -qq -o trace -e inject=fchown:error=EPERM "$(command -v sslm-install)" -f
	[[ $output == *"cannot set the group of '$p/"*"/privkey.pem': Operation not permitted"* ]]
	closed
	sslm-install -qf
	# A user who owns it all, and is in no such group.
	chown -R nobody:nogroup .
	chmod -R u+rwX .
	find prod-certs -name '*.pem' -perm /040 -exec chmod 600 {} +
	cp -r "$SSLM_BIN" progs
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	run -75 as nogroup progs/sslm-install -f
	[[ $output == *"cannot set the group of 'prod-certs': Operation not permitted"* ]]
	closed
}

@test "killed at any call: no key is open to others, and the next run ends right" {
	traceable
	in_group
	points=0
	for call in fchown fchmod rename chmod openat; do
		for n in $(seq 1 3 400); do
			rm -rf prod-certs
			status=0
			strace -qq -o trace -e trace=$call -e inject=$call:signal=KILL:when="$n" \
			    "$(command -v sslm-install)" -q >words 2>&1 || status=$?
			[ $status != 0 ] || break
			[ $status = 137 ]
			points=$((points + 1))
			closed
			sslm-install -q
			closed
			run -0 sslm-install -n
		done
	done
	[ $points -ge 30 ]
}

# differ WHAT SAID: it is found by -n, which changes nothing, and mended by -f; SAID are
# the lines that tell it, without "localhost" and "make prod".
differ() {
	eval "$1"
	find prod-certs -printf '%p %m %g %T@ %i %l\n' | sort >before
	run -1 sslm-install -nq
	find prod-certs -printf '%p %m %g %T@ %i %l\n' | sort | diff before -
	[ "$output" = "$(sed 's/^/localhost\tprod-certs/; s/ /\t/; s/$/\tmake prod/' <<<"$2")" ]
	sslm-install -qf
	run -0 sslm-install -n
	[ -z "$output" ]
	closed
}

@test "production that is there: -n tells who may read what, -f sets it right, and takes it back" {
	in_group
	sed -i /prod_group/d conf.d/ssl-mgr.conf
	sslm-install -q
	mkdir -m 750 prod-certs/example.com/dh
	find prod-certs -printf '%p %m %g %T@ %i %l\n' | sort >was
	sed -i "s/^\[globals\]/&\nprod_group = '$group'/" conf.d/ssl-mgr.conf
	# Not by a renewal, nor by a roll, that has nothing for it.
	run -0 sslm-install -c
	find prod-certs -printf '%p %m %g %T@ %i %l\n' | sort | diff was -
	run -1 sslm-install -n
	for f in '' /example.com /example.com/dh /example.com/web-ec{,/db,/curr,/curr/privkey.pem,/curr/bundle.pem} \
	    /ca/my-root/curr; do
		[[ $output == *$'localhost\tprod-certs'"$f"$'\thas another group\tmake prod'* ]]
	done
	[[ $output != *cert.pem* ]]
	sslm-install -qf
	closed
	as "$group" cat $p/curr/privkey.pem prod-certs/example.com/dh/. 2>errors >key || :
	openssl pkey -in key -noout
	grep -q 'Is a directory' errors
	run -0 sslm-install -n
	[ -z "$output" ]
	differ 'chmod 600 $p/curr/privkey.pem' '/example.com/web-ec/curr/privkey.pem has another mode'
	differ 'chmod 660 $p/curr/bundle.pem' '/example.com/web-ec/curr/bundle.pem has another mode'
	differ 'chmod 644 $p/curr/privkey.pem' '/example.com/web-ec/curr/privkey.pem has another mode'
	differ 'chgrp mail $p/curr/privkey.pem' '/example.com/web-ec/curr/privkey.pem has another group'
	differ 'chgrp mail $p/curr/' '/example.com/web-ec/curr has another group'
	differ 'chmod 700 $p/db' '/example.com/web-ec/db has another mode'
	differ 'chmod 770 $p' '/example.com/web-ec has another mode'
	differ 'chgrp mail prod-certs/example.com' '/example.com has another group'
	differ 'chmod 700 prod-certs/example.com/dh' '/example.com/dh has another mode'
	differ 'chmod 700 prod-certs' ' has another mode'
	# What is open to all stays so.
	chmod 755 prod-certs
	run -0 sslm-install -n
	sslm-install -qf
	[ "$(rights prod-certs)" = "755 $group" ]
	sed -i /prod_group/d conf.d/ssl-mgr.conf
	run -1 sslm-install -n
	[[ $output == *$'/web-ec/curr/privkey.pem\tis not its owner'"'s alone"$'\tmake prod'* ]]
	sslm-install -qf
	[ "$(stat -L -c %a $p/curr/privkey.pem $p/curr/bundle.pem | xargs)" = "600 600" ]
}

@test "prod_group that comes between a renewal and a roll: the set is readable with the roll" {
	in_group
	sed -i /prod_group/d conf.d/ssl-mgr.conf
	sslm-install -q
	m renew FORCE=1 SERVICES=example.com:web-ec
	sed -i "s/^\[globals\]/&\nprod_group = '$group'/" conf.d/ssl-mgr.conf
	sslm-roll -qf example.com:web-ec
	sslm-install -q example.com:web-ec
	as "$group" openssl pkey -in $p/curr/privkey.pem -noout
	closed
}

@test "the test tree has it too" {
	in_group
	m TEST=1 renew
	[ "$(rights prod-certs.test/example.com/web-ec/next/privkey.pem prod-certs.test)" = "640 $group 750 $group" ]
}

@test "no such group, and no name of one: status 2, before anything is changed" {
	in_group no_such_group
	for cmd in sslm-install 'sslm-install -n' 'sslm-install -f' sslm-conf; do
		run -2 $cmd
		[[ $output == "${cmd%% *}: conf.d/ssl-mgr.conf: 'prod_group': there is no group 'no_such_group' here" ]]
	done
	[ ! -e prod-certs ]
	for name in 1 -x 'a b' 'a:b' '*' '$(id)' "x'y" "$(printf 'a%.0s' {1..65})"; do
		sed -i "s/^prod_group.*/prod_group = \"$name\"/" conf.d/ssl-mgr.conf
		run -2 sslm-install
		[[ $output == *"conf.d/ssl-mgr.conf:"*": 'prod_group' is not the name of a group" ]]
	done
	sed -i "s/^prod_group.*/prod_group = ''/" conf.d/ssl-mgr.conf
	run -0 sslm-install
	[ "$(rights $p/curr/privkey.pem)" = "600 root" ]
	[ -z "$(sslm-conf -p prod_group)" ]
	sed -i "s/^prod_group.*/prod_group = 'mail'/" conf.d/ssl-mgr.conf
	[ "$(sslm-conf -p prod_group)" = mail ]
}

# ---- on other machines ------------------------------------------------------------

# far_site [LINE...]: [smtp] on the hosts mail and www, and mail-ec for the group.
far_site() {
	G1=20260101T000000Z G2=20260201T000000Z mail=example.com/mail-ec
	reload=$BATS_TEST_TMPDIR/bin/reload
	deploy_site "${@-}" '[smtp]' 'servers = ["mail", "www"]' "restart_cmd = '$reload smtp'"
	sed -i "s/^\[globals\]/&\nprod_group = '$group'/" conf.d/ssl-mgr.conf
	deal $G1
}

# deal GENERATION: such a set in production, as sslm-install would have it.
deal() {
	prod $mail "$1"
	mkdir -p -m 750 p/prod/example.com/dh
	echo dh >p/prod/example.com/dh/ffdhe.pem
	find p/prod -type d -exec chgrp "$group" {} +
	find p/prod \( -name privkey.pem -o -name bundle.pem \) -exec chgrp "$group" {} + -exec chmod 640 {} +
}

# far_closed HOST [GROUP-ID]: no key there is open to others than that group.
far_closed() {
	[ -z "$(find "far/$1/prod" \( -name '*privkey*' -o -name '*bundle*' \) -type f \
	    \( -perm /037 -o \( -perm /040 ! -gid "${2:-4294967294}" \) \))" ]
}

@test "on other machines: the group of that name, whatever its number; where there is none, no copy" {
	far_etc mail group "s/^$group:x:[0-9]*/$group:x:4242/"
	far_etc www group "/^$group:/d"
	far_start mail www
	far_site
	sed -i /prod_group/d conf.d/ssl-mgr.conf
	chmod 600 p/prod/$mail/curr/{privkey,bundle}.pem
	sslm-deploy -q
	[ "$(reloads)" = $'mail: smtp\nwww: smtp' ]
	sed -i "s/^\[globals\]/&\nprod_group = '$group'/" conf.d/ssl-mgr.conf
	deal $G2
	for _ in 1 2; do
		run -1 sslm-deploy
		[[ $output == *"sslm-deploy: 'www': prod_group: there is no group '$group' there"* ]]
		far_closed www
		far_closed mail 4242
		[ "$(readlink far/www/prod/$mail/curr)" = db/$G1 ]
		[ ! -e far/www/prod/$mail/db/$G2 ]
	done
	[ "$(reloads)" = 'mail: smtp' ]
	same mail $mail
	f=far/mail/prod
	[ "$(stat -c '%a %u %g' $f $f/example.com/dh $f/$mail $f/$mail/db $f/$mail/curr/ | sort -u)" = '750 0 4242' ]
	[ "$(stat -c '%a %u %g' $f/$mail/curr/{privkey,bundle}.pem | sort -u)" = '640 0 4242' ]
	[ "$(stat -c '%a' $f/$mail/curr/cert.pem)" = '644' ]
	far_etc www group "\$a $group:x:4244:"
	run -0 sslm-deploy
	[ "$output" = $'www\tcopied\nwww\tsmtp reloaded' ]
	same www $mail
	far_closed www 4244
	[ "$(stat -c '%a %g' far/www/prod/$mail/curr/privkey.pem)" = '640 4244' ]
}

@test "a login that is not root: a copy if it is in the group, and none if it is not" {
	far_user mail
	far_user www
	far_etc mail group "s/^$group:.*/$group:x:4242:copier/"
	far_etc www group "s/^$group:.*/$group:x:4242:/"
	far_start mail www
	far_site
	# Nor if directories hand their group on.
	mkdir -m 2770 far/www/prod
	chown 4243:4242 far/www/prod
	for _ in 1 2; do
		run -1 sslm-deploy
		[[ $output == *"'www': prod_group: who is logged in there is not in group '$group', and cannot give files to it"* ]]
		[ -z "$(find far/www/prod -name '*.pem')" ]
		same mail $mail
		[ "$(stat -c '%a %u %g' far/mail/prod/$mail/curr/privkey.pem)" = '640 4243 4242' ]
	done
	# Without a group all is as it was.
	sed -i /prod_group/d conf.d/ssl-mgr.conf
	find p/prod -name '*.pem' -perm /040 ! -perm /04 -exec chmod 600 {} +
	run -0 sslm-deploy
	far_closed www
	same www $mail
}

@test "root that may not give files away there: an error, keys closed, links as they were" {
	far_near mail www
	far_site
	sslm-deploy -q
	deal $G2
	cp near/ssh near/ssh.good
	sed -i 's/exec sh -c/exec setpriv --bounding-set=-chown --inh-caps=-chown sh -c/' near/ssh
	for _ in 1 2; do
		run -1 sslm-deploy
		[[ $output == *"'mail': copy of sets: rsync: exit status 23"* ]]
		far_closed mail "$gid"
		[ "$(readlink far/mail/prod/$mail/curr)" = db/$G1 ]
	done
	mv near/ssh.good near/ssh
	run -0 sslm-deploy
	same mail $mail
	far_closed mail "$gid"
}

@test "killed at any call: keys there are open to no other group" {
	traceable
	far_near mail www
	far_site
	sslm-deploy -q
	deal $G2
	cp -a far certs .. && cd .. && mkdir kept && mv far certs kept/ && cd - >/dev/null
	cp near/ssh near/ssh.good
	points=0
	for call in fchownat,lchown,chown rename chmod,fchmod,fchmodat mkdir,mkdirat; do
		for n in $(seq 40); do
			rm -rf far certs
			cp -a ../kept/* .
			sed "s/exec sh -c/exec strace -f -qq -o trace.\$HOST -e trace=$call -e inject=$call:signal=KILL:when=$n sh -c/" \
			    near/ssh.good >near/ssh
			run sslm-deploy -q
			cp near/ssh.good near/ssh
			[ "$status" != 0 ] || break
			points=$((points + 1))
			far_closed mail "$gid"
			far_closed www "$gid"
			run -0 sslm-deploy -q
			same mail $mail
			same www $mail
		done
	done
	[ $points -ge 12 ]
}

@test "-c tells another group or mode there, and make deploy FORCE=1 mends it" {
	far_etc mail group "s/^$group:x:[0-9]*/$group:x:4242/"
	far_start mail
	far_site
	sed -i 's/, "www"//' conf.d/ssl-mgr.conf
	sslm-deploy -q
	run -0 sslm-deploy -c
	[ -z "$output" ]
	f=far/mail/prod/$mail
	chgrp mail $f/curr/privkey.pem $f/curr/ $f far/mail/prod far/mail/prod/example.com/dh
	chmod 600 $f/curr/bundle.pem
	find far -printf '%p %m %g %T@ %C@ %l\n' | sort >before
	run -1 sslm-deploy -c
	find far -printf '%p %m %g %T@ %C@ %l\n' | sort | diff before -
	cat >want <<-END
		|has another group
		/example.com/dh|has another group
		/$mail|has another group
		/$mail/db/$G1|has another group
		/$mail/db/$G1/bundle.pem|has another mode
		/$mail/db/$G1/privkey.pem|has another group
	END
	sed "s:^:mail\t$PWD/p/prod:; s:|:\t:; s:\$:\tmake deploy FORCE=1:" want | sort | diff - <(sort <<<"$output")
	sslm-deploy -qf
	run -0 sslm-deploy -c
	far_closed mail 4242
	far_etc mail group "/^$group:/d"
	run -1 sslm-deploy -c
	[[ $output == *"'mail': prod_group: there is no group '$group' there"* ]]
	far_down mail
	run -75 sslm-deploy -c
	[ "$(grep -c "'mail': prod_group: ssh: exit status 255" <<<"$output")" = 1 ]
	[[ $output != *comparison* ]]
}
