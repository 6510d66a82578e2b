setup() {
	load helper; load acme; load deploy; workdir
	G1=20260101T000000Z G2=20260201T000000Z G3=20260301T000000Z G4=20260401T000000Z
	mail=example.com/mail-ec reload=$BATS_TEST_TMPDIR/bin/reload web=example.com/web-ec
}

teardown() {
	lab_stop
	umount far/* 2>/dev/null || :
}

@test "sets arrive whole, with their modes, and just those that a host's sections use" {
	far_start mail www
	deploy_site '[smtp]' 'servers = ["mail"]' "restart_cmd = '$reload smtp'" \
	    'svc_depends = [["example.com", ["mail-ec"]]]' \
	    '[web]' 'servers = "www"' "restart_cmd = '$reload web'" \
	    'svc_depends = [["any", "web-ec"]]'
	prod $mail $G1
	prod $mail $G2 next
	prod $web $G1
	prod ca/my-root $G1
	mkdir -m 750 p/prod/example.com/dh
	echo dh >p/prod/example.com/dh/ffdhe.pem
	ln -s ffdhe.pem p/prod/example.com/dh/dhparam.pem
	echo '; tlsa' >p/prod/example.com/tlsa.example.com
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nwww\tcopied\nmail\tsmtp reloaded\nwww\tweb reloaded' ]
	[ "$(reloads)" = $'mail: smtp\nwww: web' ]
	same mail $mail
	same www $web
	[ ! -e far/mail/prod/$web ]
	[ ! -e far/www/prod/$mail ]
	[ ! -e far/www/prod/ca ]
	for h in mail www; do
		diff -r --no-dereference p/prod/example.com/dh far/$h/prod/example.com/dh
		cmp p/prod/example.com/tlsa.example.com far/$h/prod/example.com/tlsa.example.com
	done
	(cd p && find prod prod/example.com/dh prod/$mail -maxdepth 0 -printf '%p %m\n' && find prod/$mail -printf '%p %m\n') >here
	(cd far/mail && find prod prod/example.com/dh prod/$mail -maxdepth 0 -printf '%p %m\n' && find prod/$mail -printf '%p %m\n') >there
	diff here there
	# Three calls for each host, and one for each reload.
	[ "$(wc -l <ssh.log)" = 8 ]
}

@test "a second run opens no connection, starts nothing and writes nothing" {
	traceable
	far_start mail
	deploy_site '[smtp]' 'servers = ["mail", "localhost"]' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	prod $web $G1
	sslm-deploy -q
	[ "$(reloads)" = $'here: smtp\nmail: smtp' ]
	run -0 strace -f -o trace "$(command -v sslm-deploy)"
	[ -z "$output" ]
	[ "$(grep -c execve trace)" = 1 ]
	run ! sh -c "grep -v /dev/null trace | grep -E 'clone|fork|socket|O_WRONLY|O_RDWR|rename'"
	[ -z "$(reloads)" ]
}

# mail_site [LINE...]: [smtp] on the host mail, and more lines.
mail_site() {
	deploy_site '[smtp]' 'servers = ["mail"]' "restart_cmd = '$reload smtp'" \
	    "svc_depends = [['example.com', ['mail-ec']]]" "$@"
}

@test "a roll: one reload, the last set stays for who is reading it, what is older goes" {
	far_start mail
	mail_site
	prod $mail $G1
	sslm-deploy -q
	[ "$(reloads)" = 'mail: smtp' ]
	prod $mail $G2 next
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied' ]
	same mail $mail
	[ -z "$(reloads)" ]
	prod $mail $G2
	rm p/prod/$mail/next
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nmail\tsmtp reloaded' ]
	same mail $mail
	[ ! -L far/mail/prod/$mail/next ]
	[ "$(ls far/mail/prod/$mail/db)" = "$G1"$'\n'"$G2" ]
	[ "$(reloads)" = 'mail: smtp' ]
	prod $mail $G3
	rm -r p/prod/$mail/db/$G1
	# What a killed rsync left goes too.
	echo key >far/mail/prod/$mail/db/$G2/.privkey.pem.abc123
	sslm-deploy -q
	same mail $mail
	[ "$(cut -d' ' -f1 certs/.deployed | xargs)" = 'copy group use' ]
}

@test "curr there is switched by one rename, after its set is complete, and never gone" {
	far_start mail
	mail_site
	prod $mail $G1
	sslm-deploy -q
	traceable
	prod $mail $G2
	strace -f -qq -s 300 -o trace -p "$(cat "$LAB/mail.pid")" -e trace=%file 3>&- &
	tracer=$!
	until grep -q "^TracerPid:.*[1-9]" "/proc/$(cat "$LAB/mail.pid")/status"; do sleep 0.02; done
	sslm-deploy -q
	kill $tracer
	wait $tracer || :
	[ "$(grep -cE 'rename.*, "(.*/)?curr"' trace)" = 1 ]
	run ! grep -E '(unlink|rmdir).*"(.*/)?curr"' trace
	# All files are renamed into place before the link is.
	[ "$(grep -cE 'rename.*[.]pem"' trace)" = 6 ]
	run ! sh -c "sed -n '/rename.*curr\"/,\$p' trace | grep -E 'rename.*[.]pem\"'"
}

@test "whoever looks while sets are copied finds a key and a certificate that fit" {
	far_start mail
	mail_site
	prod $mail $G1
	sslm-deploy -q
	(
		n=0 top=$PWD
		while [ ! -e "$top/stop" ]; do
			# One look at the link, as a server that opens both files does.
			cd -P "$top/far/mail/prod/$mail/curr" || { echo gone >>"$top/bad"; exit; }
			[ "$(openssl pkey -in privkey.pem -pubout)" = "$(openssl x509 -in cert.pem -noout -pubkey)" ] ||
			    pwd >>"$top/bad"
			n=$((n + 1))
		done
		echo $n >"$top/looks"
	) 2>errors 3>&- &
	reader=$!
	for n in $(seq 10 29); do
		prod $mail 202602${n}T000000Z
		sslm-deploy -q
		same mail $mail
	done
	touch stop
	wait $reader
	cat errors
	[ ! -s errors ]
	[ ! -e bad ]
	[ "$(cat looks)" -ge 20 ]
}

@test "the real directories that ssl-mgr left give way to links" {
	far_start mail
	mail_site
	prod $mail $G1
	for l in curr next; do
		mkdir -p far/mail/prod/$mail/$l
		echo old >far/mail/prod/$mail/$l/privkey.pem
	done
	sslm-deploy -q
	same mail $mail
}

@test "no private key of a CA leaves, even if it is in production" {
	far_start mail
	deploy_site '[other]' 'servers = "mail"' "svc_depends = [['*', ['*']]]"
	prod $mail $G1
	prod ca/my-root $G1
	sslm-deploy -q
	[ -e far/mail/prod/ca/my-root/curr/cert.pem ]
	same mail ca/my-root
	rm -r far/mail/prod certs/.deployed
	echo 'PRIVATE KEY' >p/prod/ca/my-root/curr/privkey.pem
	run -75 sslm-deploy
	[[ $output == *"ca/my-root/db/$G1/privkey.pem' is the private key of a CA, which stays where it is"* ]]
	same mail $mail
	[ ! -e far/mail/prod/ca/my-root ]
}

@test "svc_depends: every pair counts, and each of its words for all" {
	for depends in "[['example.com', ['mail-ec']], ['example.com', 'web-ec']]" "[['ANY', ['mail-ec', 'web-ec']]]" \
	    "[['All', 'ALL']]" "[['*', ['*']]]" "[['example.com', ['any']], ['ca', ['my-int']]]"; do
		rm -rf certs p
		deploy_site '[imap]' "restart_cmd = '$reload imap'" "svc_depends = $depends"
		prod $mail $G1
		prod $web $G1
		sslm-deploy -q
		[ "$(reloads)" = 'here: imap' ]
		for s in $mail $web; do
			prod $s $G2
			sslm-deploy -q
			[ "$(reloads)" = 'here: imap' ]
		done
	done
	for depends in "[['example.net', 'ALL']]" "[['example.com', 'nothing']]" '[]'; do
		rm -rf certs p
		deploy_site '[imap]' "restart_cmd = '$reload imap'" "svc_depends = $depends"
		prod $mail $G1
		sslm-deploy -q
		[ -z "$(reloads)" ]
	done
	# Without: all but the site's own CAs.
	deploy_site '[imap]' "restart_cmd = '$reload imap'"
	prod ca/my-root $G1
	prod $web $G1
	sslm-deploy -q
	[ "$(reloads)" = 'here: imap' ]
	prod ca/my-root $G2
	sslm-deploy -q
	[ -z "$(reloads)" ]
}

@test "sections in their order, each once, and a command that several have once for a host" {
	deploy_site '[voip]' "restart_cmd = '$reload voip'" '[other]' "restart_cmd = '$reload same'" \
	    '[dns]' "restart_cmd = '$reload dns'" '[web]' "restart_cmd = '$reload same'" \
	    '[imap]' "restart_cmd = ['$reload imap', '$reload more']" '[smtp]' "restart_cmd = ['$reload smtp', '']"
	prod $mail $G1
	prod $web $G1
	run -0 sslm-deploy
	[ "$(reloads | xargs)" = 'here: smtp here: imap here: more here: same here: voip' ]
	[ "$output" = "$(printf 'localhost\t%s reloaded\n' smtp imap web other voip)" ]
	run -0 sslm-deploy -f
	[ "$(reloads | xargs)" = 'here: smtp here: imap here: more here: same here: voip' ]
}

@test "a reload that fails is said, and tried until it succeeds; what was in use stays noted" {
	deploy_site '[smtp]' "restart_cmd = ['$reload smtp', '$reload more']" '[web]' "restart_cmd = '${reload}2 web'"
	sed s/fail/bad/ "$reload" >"${reload}2"
	chmod 755 "${reload}2"
	prod $mail $G1
	sslm-deploy -q
	: >reload.log
	touch fail.here
	prod $mail $G2
	run -1 sslm-deploy
	[[ $output == *"[smtp] restart_cmd '$reload smtp': exit status 1"* ]]
	[[ $output == *$'localhost\tweb reloaded' ]]
	[ "$(reloads)" = $'here: smtp\nhere: web' ]
	grep -qx "use - smtp $mail $G1" certs/.deployed
	grep -qx "use - web $mail $G2" certs/.deployed
	grep -qx "seen - $mail $G2" certs/.deployed
	prod $mail $G3
	run -1 sslm-deploy -q
	[ "$(grep -c "^seen - $mail" certs/.deployed)" = 2 ]
	grep -qx "use - smtp $mail $G1" certs/.deployed
	: >reload.log
	rm fail.here
	run -0 sslm-deploy
	[ "$output" = $'localhost\tsmtp reloaded' ]
	[ "$(reloads)" = $'here: smtp\nhere: more' ]
	grep -qx "use - smtp $mail $G3" certs/.deployed
	run ! grep -q ^seen certs/.deployed
}

@test "a host that is down, one that hangs: the others are served, and what is missing comes later" {
	far_start mail
	far_hangs mute
	deploy_site '[smtp]' 'servers = ["later", "mute", "mail"]' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	run -75 timeout 60 "$(command -v sslm-deploy)" -w 3
	echo "$output"
	[[ $output == *"'later': copy of sets: rsync: "* ]]
	[[ $output == *"'mute': copy of sets: rsync: "* ]]
	[ "$(reloads)" = 'mail: smtp' ]
	same mail $mail
	: >ssh.log
	far_start later
	run -75 timeout 60 "$(command -v sslm-deploy)" -w 3
	[ "$(reloads)" = 'later: smtp' ]
	same later $mail
	run ! grep -w mail ssh.log
}

@test "a host that is down when it is to be reloaded has its copy, and is reloaded later" {
	far_start mail
	mail_site
	prod $mail $G1
	touch fail.mail
	run -1 sslm-deploy
	[[ $output == *"'mail': [smtp] restart_cmd '$reload smtp': exit status 1" ]]
	same mail $mail
	far_down mail
	run -75 sslm-deploy
	[[ $output == *"'mail': [smtp] restart_cmd '$reload smtp': exit status 255" ]]
	rm fail.mail
	far_up mail
	run -0 sslm-deploy
	[ "$output" = $'mail\tsmtp reloaded' ]
}

@test "a full disk there: an error, the old set in place, no reload, and the next run mends it" {
	mkdir -p far/mail
	mount -t tmpfs -o size=128k tmpfs far/mail || skip "no mount here"
	far_start mail www
	mail_site '[web]' 'servers = "www"' "restart_cmd = '$reload web'"
	prod $mail $G1
	sslm-deploy -q
	: >reload.log
	prod $mail $G2
	head -c 128k /dev/zero >far/mail/fill || :
	run -75 sslm-deploy
	echo "$output"
	# What rsync says of it there does not always get here before it ends.
	[[ $output == *"'mail': copy of sets: rsync: exit status "* ]]
	[ "$(readlink far/mail/prod/$mail/curr)" = db/$G1 ]
	[ "$(reloads)" = 'www: web' ]
	grep -qx "use mail smtp $mail $G1" certs/.deployed
	rm far/mail/fill
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nmail\tsmtp reloaded' ]
	same mail $mail
}

@test "user, key, port and further options are those of ssh_config; a user may stand before the host" {
	far_user mail
	far_start mail
	ssh-keygen -q -t ed25519 -N '' -f "$LAB/other"
	cp "$LAB/other.pub" "$LAB/id.pub"
	mail_site
	printf '#!/bin/sh\ncd "%s" && echo "$(id -un): $*" >>reload.log\n' "$PWD" >"$reload"
	chmod 666 reload.log
	prod $mail $G1
	# The key that is for all hosts does not do.
	run -75 sslm-deploy
	[ ! -e far/mail/prod ]
	printf '\t%s\n' "IdentityFile \"$LAB/other\"" 'PermitLocalCommand yes' \
	    "LocalCommand echo '%n %r' >>'$PWD/options.log'" >>"$LAB/ssh_host.mail"
	far_config
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nmail\tsmtp reloaded' ]
	same mail $mail
	[ "$(reloads)" = 'copier: smtp' ]
	[ -z "$(find far/mail/prod ! -uid 4243)" ]
	run -0 sslm-deploy -c
	[ "$(sort -u options.log)" = 'mail copier' ]
	[ "$(wc -l <options.log)" = 6 ]
	sed -i '/User copier/d' "$LAB/ssh_host.mail"
	far_config
	sed -i 's/"mail"/"copier@mail"/' conf.d/ssl-mgr.conf
	prod $mail $G2
	run -0 sslm-deploy
	[ "$output" = $'copier@mail\tcopied\ncopier@mail\tsmtp reloaded' ]
	same mail $mail
	[ "$(reloads)" = 'copier: smtp' ]
	[ -z "$(find far/mail/prod ! -uid 4243)" ]
	grep -qx "use copier@mail smtp $mail $G2" certs/.deployed
}

@test "words of a command mean nothing to a shell, neither here nor there" {
	far_start mail
	words='$(id) `id` it'"'"'s "x;id" * ~ $HOME && | > x \\ #'
	deploy_site '[smtp]' 'servers = ["mail", "localhost"]' "restart_cmd = \"\"\"$reload ${words//\\/\\\\}\"\"\""
	prod $mail $G1
	sslm-deploy -q
	printf '%s\n' "here: $words" "mail: $words" | diff - reload.log
	[ ! -e x ]
	[ ! -e far/mail/x ]
}

@test "post_copy_cmd: here, with the host as its argument, before the reloads; a failure is tried again" {
	far_start mail www
	mkdir "post it"
	POST="[['mail', 'post it/mail'], ['www', '$PWD/post it/www'], ['mail', '$reload'], ['voip', 'post it/voip']]" \
	    mail_site '[other]' 'servers = "www"'
	for h in mail www voip; do
		printf '#!/bin/sh\necho "post:" "$@" >>reload.log\n[ ! -e bad ]\n' >"post it/$h"
		chmod 755 "post it/$h"
	done
	prod $mail $G1
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nwww\tcopied\nmail\tsmtp reloaded' ]
	[ "$(reloads)" = $'post: mail\nhere: mail\npost: www\npost: voip\nmail: smtp' ]
	sslm-deploy -q
	[ -z "$(reloads)" ]
	touch bad
	prod $mail $G2
	run -1 sslm-deploy -q
	[[ $output == *"'mail': post_copy_cmd 'post it/mail': exit status 1"* ]]
	[ "$(reloads)" = $'post: mail\nhere: mail\npost: www\npost: voip\nmail: smtp' ]
	rm bad
	run -0 sslm-deploy -q
	[ "$(reloads)" = $'post: mail\nhere: mail\npost: www\npost: voip' ]
}

@test "depends: TLSA records of its groups, or certificates, or both" {
	deploy_site '[other]' "depends = ['dns']" "restart_cmd = '$reload dns'" \
	    '[imap]' "depends = ['cert']" "restart_cmd = '$reload cert'" \
	    '[smtp]' "depends = ['tlsa']" "restart_cmd = '$reload both'" "svc_depends = [['any', 'any']]"
	prod $mail $G1
	sslm-deploy -q
	[ "$(reloads)" = $'here: both\nhere: cert\nhere: dns' ]
	printf ';; x\n_25._tcp.example.com. IN TLSA 3 1 1 00\n' >p/prod/example.com/tlsa.example.com
	sslm-deploy -q
	[ "$(reloads)" = $'here: both\nhere: dns' ]
	printf ';; y\n\n_25._tcp.example.com. IN TLSA 3 1 1 00\n' >p/prod/example.com/tlsa.example.com
	sslm-deploy -q
	[ -z "$(reloads)" ]
	prod $mail $G2
	sslm-deploy -q
	[ "$(reloads)" = $'here: both\nhere: cert' ]
}

@test "-o: certificates and who reads them; TLSA records and who depends on these alone" {
	far_start mail
	tlsa=prod/example.com/tlsa.example.com
	mail_site '[web]' 'servers = "mail"' "depends = ['tlsa']" "restart_cmd = '$reload tlsa'"
	prod $mail $G1
	echo 1 >p/$tlsa
	run -0 sslm-deploy -o cert
	[ "$output" = $'mail\tcopied\nmail\tsmtp reloaded' ]
	same mail $mail
	cmp p/$tlsa far/mail/$tlsa
	run ! grep -E '^(use|seen) mail (web )?example' certs/.deployed
	run -0 sslm-deploy -o tlsa
	[ "$output" = $'mail\tweb reloaded' ]
	# Records alone; those of a group come to all of its services' hosts.
	echo 2 >p/$tlsa
	run -0 sslm-deploy -o cert
	[ -z "$output" ]
	run -0 sslm-deploy -n -o tlsa example.com:web-ec
	[ "$output" = $'mail\twould get what is beside the services of example.com\nmail\twould reload web' ]
	run -0 sslm-deploy -o tlsa example.com:web-ec
	[ "$output" = $'mail\tcopied\nmail\tweb reloaded' ]
	cmp p/$tlsa far/mail/$tlsa
	run -0 sslm-deploy
	[ -z "$output" ]
	# Who did not get its certificates is not tried again.
	: >reload.log
	prod $mail $G2
	echo 3 >p/$tlsa
	far_down mail
	run -75 sslm-deploy -o cert
	: >ssh.log
	run -0 sslm-deploy -o tlsa
	[ -z "$output" ]
	[ ! -s ssh.log ]
	far_up mail
	sslm-deploy -q -o cert
	sslm-deploy -q -o tlsa
	[ "$(reloads)" = $'mail: smtp\nmail: tlsa' ]
	# A post_copy_cmd that fails, and sets that cannot be removed, are no reason to wait.
	POST="[['mail', './post']]" mail_site '[web]' 'servers = "mail"' "depends = ['tlsa']" "restart_cmd = '$reload tlsa'"
	printf '#!/bin/sh\necho post >>reload.log\nexit 3\n' >post
	chmod +x post
	prod $mail $G1
	run -1 sslm-deploy -q -o cert
	run -0 sslm-deploy -q -o tlsa
	[ "$(reloads)" = $'post\nmail: smtp' ]
	echo 'old mail' | sort -o certs/.deployed - certs/.deployed
	echo 4 >p/$tlsa
	run -1 sslm-deploy -q -o cert
	run -1 sslm-deploy -q -o tlsa
	cmp p/$tlsa far/mail/$tlsa
	[ "$(reloads)" = $'post\npost\nmail: tlsa' ]
	mail_site '[web]' 'servers = "mail"' "depends = ['tlsa']" "restart_cmd = '$reload tlsa'"
	# All once more, each once.
	sslm-deploy -qf -o cert
	: >ssh.log
	sslm-deploy -qf -o tlsa
	[ "$(wc -l <ssh.log)" = 1 ]
	[ "$(reloads)" = $'mail: smtp\nmail: tlsa' ]
	run -2 sslm-deploy -o dns
	[[ $output == *"-o 'dns'"* ]]
}

@test "files beside the services: copied when they change, gone when they are gone" {
	far_start mail
	mail_site
	prod $mail $G1
	mkdir p/prod/example.com/dh
	echo 1 >p/prod/example.com/tlsa.example.com
	echo 1 >p/prod/example.com/dh/one.pem
	ln -s one.pem p/prod/example.com/dh/dhparam.pem
	sslm-deploy -q
	for change in 'echo 22 >tlsa.example.com' 'echo 22 >dh/one.pem' 'ln -sfn two.pem dh/dhparam.pem' 'rm tlsa.example.com'; do
		(cd p/prod/example.com && sh -c "$change")
		run -0 sslm-deploy
		[ "$output" = $'mail\tcopied' ]
		diff -r --no-dereference p/prod/example.com far/mail/prod/example.com
		run -0 sslm-deploy
		[ -z "$output" ]
	done
}

@test "of dh: files and links, no directory; what has gone here goes there, nothing else does" {
	far_near mail
	mail_site
	prod $mail $G1
	here=p/prod/example.com/dh there=far/mail/prod/example.com/dh
	mkdir -p $here/sub
	echo key | tee $here/sub/x.pem >$here/.hidden
	echo 1 | tee $here/one.pem >$here/two.pem
	ln -s one.pem $here/dhparam.pem
	ln -s nowhere $here/dangling
	mkfifo $here/fifo
	chmod 640 $here/one.pem
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied\nmail\tsmtp reloaded' ]
	[ "$(ls -A $there | xargs)" = 'dangling dhparam.pem one.pem two.pem' ]
	[ "$(stat -c %a $there/one.pem)" = 640 ]
	run -0 sslm-deploy -c
	[ -z "$output" ]
	echo 2 >$here/sub/x.pem
	run -0 sslm-deploy
	[ -z "$output" ]
	mkdir $there/sub
	touch $there/old.pem $there/sub/old.pem far/mail/prod/example.com/other
	run -1 sslm-deploy -c
	[ "$(cut -f2- <<<"$output" | sort)" = "$(printf "$PWD/p/prod/example.com/dh/%s\tshould not be there\tmake deploy FORCE=1\n" old.pem sub sub/old.pem)" ]
	rm $here/two.pem
	run -0 sslm-deploy
	[ "$output" = $'mail\tcopied' ]
	[ "$(ls -A $there | xargs)" = 'dangling dhparam.pem one.pem' ]
	[ -e far/mail/prod/example.com/other ]
	rm -r $here
	sslm-deploy -q
	[ -e $there/one.pem ]
	# One that is a link: its files.
	mkdir shared
	echo 3 >shared/three.pem
	ln -s "$PWD/shared" $here
	sslm-deploy -q
	cmp shared/three.pem $there/three.pem
	run -0 sslm-deploy -c
	[ -z "$output" ]
}

@test "odd names: generations of ssl-mgr, a group with dots and hyphens, an address as a host" {
	far_near 2001:db8::25
	deploy_site '[smtp]' 'servers = ["2001:db8::25"]' "restart_cmd = '$reload smtp'"
	name=a-b.c_d-e.co.uk/x.y-z_1
	mkdir conf.d/${name%/*}
	sed "s/example.com/${name%/*}/" conf.d/$mail >conf.d/$name
	sed -i "s/'example.com'/'${name%/*}'/" conf.d/ssl-mgr.conf
	prod $name 20250101-12:00:00
	prod $name 20250201-12:00:00 next
	run -0 sslm-deploy
	[ "$output" = $'2001:db8::25\tcopied\n2001:db8::25\tsmtp reloaded' ]
	same 2001:db8::25 $name
	run -0 sslm-deploy -c
	[ -z "$output" ]
	prod $name 20250201-12:00:00
	rm -r p/prod/$name/next p/prod/$name/db/20250101-12:00:00
	sslm-deploy -q
	same 2001:db8::25 $name
	[ "$(cat certs/.deployed | cut -d' ' -f1 | xargs)" = 'copy group use' ]
}

@test "a machine with two names, and two sites: nobody takes away what is another's" {
	far_near mail mx other
	rm -r far/mx
	ln -s mail far/mx
	deploy_site '[smtp]' 'servers = ["mail"]' "restart_cmd = '$reload smtp'" "svc_depends = [['any', 'mail-ec']]" \
	    '[web]' 'servers = ["mx"]' "restart_cmd = '$reload web'" "svc_depends = [['any', 'web-ec']]"
	prod $mail $G1
	prod $web $G1
	# Another site's.
	mkdir -p far/mail/prod/example.net/mail-ec/db/$G1
	echo key >far/mail/prod/example.net/mail-ec/db/$G1/privkey.pem
	for g in $G2 $G3; do
		run -0 sslm-deploy
		[ "$output" = $'mail\tcopied\nmx\tcopied\nmail\tsmtp reloaded\nmx\tweb reloaded' ]
		same mail $mail
		same mail $web
		[ -e far/mail/prod/example.net/mail-ec/db/$G1/privkey.pem ]
		prod $mail $g
		prod $web $g
		rm -rf p/prod/{$mail,$web}/db/$G1
	done
}

@test "this machine by a name that is not its own: copied onto itself, and nothing is lost" {
	far_near self
	rm -r far/self
	ln -s ../p far/self
	deploy_site '[smtp]' 'servers = ["self"]' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	prod $mail $G2 next
	mkdir p/prod/example.com/dh
	echo dh >p/prod/example.com/dh/one.pem
	for arg in '' -f -c; do
		cp -a p/prod was
		# shellcheck disable=SC2086
		run -0 sslm-deploy $arg
		diff -r --no-dereference was p/prod
		rm -r was
	done
	[ "$(reloads)" = $'here: smtp\nhere: smtp' ]
}

@test "production that is a link there, and a machine where nothing can be written" {
	far_near mail
	mail_site
	mkdir far/mail/real
	ln -s real far/mail/prod
	prod $mail $G1
	sslm-deploy -q
	same mail $mail
	[ -L far/mail/prod ]
	run -0 sslm-deploy -c
	[ -z "$output" ]
	prod $mail $G2
	mount --bind far/mail far/mail
	mount -o remount,ro,bind far/mail
	: >reload.log
	run -1 sslm-deploy
	[[ $output == *"'mail': copy of sets: rsync: exit status 23" ]]
	umount far/mail
	[ "$(readlink far/mail/prod/$mail/curr)" = db/$G1 ]
	[ -z "$(reloads)" ]
	run -0 sslm-deploy
	same mail $mail
}

@test "what a machine does not need any more is said, once; -c finds each key that it should not have" {
	far_near mail www
	deploy_site '[smtp]' 'servers = ["mail", "www"]'
	prod $mail $G1
	prod $web $G1
	sslm-deploy -q
	run -0 sslm-deploy -c
	[ -z "$output" ]
	mail_site
	run -0 sslm-deploy
	echo "$output"
	[ "$output" = "$(printf "sslm-deploy: '%s': no section uses %s there any more; '$PWD/p/prod/%s' stays there until it is removed\n" \
	    mail $web $web www $mail $mail www $web $web)" ]
	run -0 sslm-deploy
	[ -z "$output" ]
	# Of another site, and what ssl-mgr copied.
	for dir in example.net/mail-ec/db/$G1 ca/my-root/curr example.com/gone/curr; do
		mkdir -p far/mail/prod/$dir
		echo key >far/mail/prod/$dir/bundle.pem
		echo cert >far/mail/prod/$dir/cert.pem
	done
	mkdir -p far/mail/prod/ca/my-int/curr
	echo cert >far/mail/prod/ca/my-int/curr/cert.pem
	for names in '' example.com:mail-ec; do
		# shellcheck disable=SC2086
		run -1 sslm-deploy -c $names
		[ "$output" = "$(printf "mail\t$PWD/p/prod/%s\t%s\tremove it by hand\n" ca/my-root 'has the private key of a CA' \
		    example.com/gone 'is used by no section of this host' $web 'is used by no section of this host')" ]
	done
	rm -r far/mail/prod/{ca,example.com/gone,$web}
	run -0 sslm-deploy -c
	[ -z "$output" ]
	# A group that is not active has its services all the same.
	deploy_site '[smtp]' 'servers = ["mail"]' 'svc_depends = [["any", "all"]]'
	prod ca/my-root $G1
	sslm-deploy -q
	sed -i "/^active/{N;/example.com/s/true/false/}" conf.d/ssl-mgr.conf
	for arg in -q -c; do
		run -0 sslm-deploy $arg
		[ -z "$output" ]
	done
	run ! grep -q $mail certs/.deployed
}

@test "services by name: those alone, and the others are as they were" {
	far_start mail
	deploy_site '[smtp]' 'servers = "mail"' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	prod $web $G1
	run -0 sslm-deploy example.com:web-ec
	same mail $web
	[ ! -e far/mail/prod/$mail ]
	[ "$(reloads)" = 'mail: smtp' ]
	run -0 sslm-deploy
	same mail $mail
	[ "$(reloads)" = 'mail: smtp' ]
	prod $mail $G2
	run -0 sslm-deploy example.com:web-ec
	[ -z "$output" ]
	grep -qx "use mail smtp $mail $G1" certs/.deployed
	run -2 sslm-deploy example.com:none
}

@test "-n says what would be done, and does nothing" {
	far_start mail
	POST="[['mail', '$reload']]" mail_site '[web]' "restart_cmd = '$reload web'"
	prod $mail $G1
	run -0 sslm-deploy -nq
	[ "$output" = "$(printf '%s\t%s\n' mail "would get $mail" mail 'would get what is beside the services of example.com' \
	    mail 'would reload smtp' localhost 'would reload web')" ]
	[ ! -e certs/.deployed ]
	[ ! -e far/mail/prod ]
	[ -z "$(reloads)" ]
	sslm-deploy -q
	run -0 sslm-deploy -n
	[ -z "$output" ]
}

@test "skip_prod_copy: no copy for this section's sake, and a reload all the same" {
	far_start mail
	mail_site 'skip_prod_copy = true'
	prod $mail $G1
	run -0 sslm-deploy
	[ "$output" = $'mail\tsmtp reloaded' ]
	[ ! -e far/mail/prod ]
	# Another section of the host has its own.
	printf '%s\n' '[web]' 'servers = ["mail"]' "restart_cmd = '$reload web'" 'svc_depends = [["any", "web-ec"]]' >>conf.d/ssl-mgr.conf
	prod $web $G1
	sslm-deploy -q
	same mail $web
	[ ! -e far/mail/prod/$mail ]
}

@test "the test tree is for no server" {
	mail_site
	prod $mail $G1
	touch .staging
	run -0 sslm-deploy -f
	[ -z "$output" ]
	[ ! -e certs/.deployed ]
}

@test "hosts, sections and services that are gone lose their lines" {
	deploy_site '[smtp]' "restart_cmd = '$reload smtp'" '[web]' "restart_cmd = '$reload web'"
	prod $mail $G1
	printf '%s\n' "copy gone $mail $G1 -" "group gone example.com -" 'old gone' 'post gone' "seen gone $mail $G1" \
	    "tlsa gone smtp example.com -" "use - imap $mail $G1" "use gone smtp $mail $G1" "use - smtp example.com/gone $G1" \
	    "use - smtp ca/my-root $G1" >certs/.deployed
	run -0 sslm-deploy -q
	[ "$output" = "sslm-deploy: 'gone': no section uses $mail there any more; '$PWD/p/prod/$mail' stays there until it is removed" ]
	[ "$(cat certs/.deployed)" = "$(printf "use - %s $mail $G1\n" smtp web)" ]
}

@test "lines that are damaged are said and left out" {
	deploy_site '[smtp]' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	sslm-deploy -q
	cp certs/.deployed good
	for line in 'x' "use - smtp $mail" "use - smtp $mail $G1 $G1" "use -oProxyCommand=x smtp $mail $G1" "use - smtp ../x $G1" \
	    "use - smtp $mail ../$G1" "copy - $mail $G1 -" "seen - $mail -" 'old -x' 'tlsa - smtp example.com 0' "use  smtp $mail $G1"; do
		{ cat good; echo "$line"; } >certs/.deployed
		run -1 sslm-deploy
		[[ $output == *"'certs/.deployed': '$line' is not a line of ours" ]]
		cmp good certs/.deployed
		run -0 sslm-deploy
	done
	rm certs/.deployed
	mkdir certs/.deployed
	run -1 sslm-deploy
	[[ $output == *"cannot read 'certs/.deployed'"* ]]
	[ "$(reloads)" = 'here: smtp' ]
}

@test "what cannot be a host, and a production directory that is not the same there" {
	mkdir path
	printf '#!/bin/sh\ntouch "%s/ran"\n' "$PWD" | tee path/rsync >path/ssh
	chmod 755 path/*
	PATH=$PWD/path:$PATH
	for h in -oProxyCommand=x 'a b' 'a;b' 'host:/x' '$(x)' ''; do
		deploy_site '[smtp]' "servers = ['$h']" "restart_cmd = '$reload smtp'"
		prod $mail $G1
		run -2 sslm-deploy
		[[ $output == *"[smtp] servers: not a host" ]]
	done
	mail_site
	sed -i "s/^prod_cert_dir.*/prod_cert_dir = 'p'/" conf.d/ssl-mgr.conf
	run -2 sslm-deploy
	[[ $output == *"prod_cert_dir 'p' is not absolute, and 'mail' another machine" ]]
	[ ! -e ran ]
	[ -z "$(reloads)" ]
}

@test "production that is damaged: said, not copied, and nobody reloads for it" {
	far_start mail
	deploy_site '[smtp]' 'servers = "mail"' "restart_cmd = '$reload smtp'" "svc_depends = [['any', 'mail-ec']]" \
	    '[web]' 'servers = "mail"' "restart_cmd = '$reload web'" "svc_depends = [['any', 'web-ec']]"
	prod $web $G1
	prod $mail $G1
	mv p/prod/$mail/db/$G1/bundle.pem .
	run -75 sslm-deploy
	[[ $output == *"bundle.pem' is not there, or no file"* ]]
	[ "$(reloads)" = 'mail: web' ]
	[ ! -e far/mail/prod/$mail ]
	for to in db/nowhere ../../../x /etc; do
		ln -sfn $to p/prod/$mail/curr
		run -75 sslm-deploy
		[[ $output == *"/curr' leads to '$to', which is "* ]]
		[ -z "$(reloads)" ]
	done
	prod $mail $G1
	mv bundle.pem p/prod/$mail/db/$G1/
	run -0 sslm-deploy
	same mail $mail
}

@test "a reload that does not end is ended" {
	deploy_site '[smtp]' 'restart_cmd = "sleep 600"'
	prod $mail $G1
	run -75 timeout 30 "$(command -v sslm-deploy)" -w 1
	[[ $output == *"[smtp] restart_cmd 'sleep 600': stopped, not done within 1 seconds" ]]
}

# Everything that a run works on, to begin again from there.
keep() { rm -rf kept && mkdir kept && cp -a certs p far used kept/; }
again() { rm -rf certs p far used && cp -a kept/* .; }

# Which generation do the servers use, and is it noted?  The reload has written it down.
noted() {
	local host gen
	for host in here mail; do
		gen=$(cat "used/$host")
		[ "$gen" = "$now" ] || grep -qE "^(use|seen|copy) .* $mail ($gen|.* $gen)( |\$)" certs/.deployed || return
	done
}

@test "killed at any change: what is in use stays noted, sets fit, and the next run ends right" {
	traceable
	far_near mail
	deploy_site '[smtp]' 'servers = ["mail", "localhost"]' "restart_cmd = '$reload smtp'"
	mkdir used
	printf '#!/bin/sh\ncd "%s"\nbasename "$(readlink "p/prod/%s/curr")" >"used/new.$$" && mv "used/new.$$" "used/$(cat p/name)"\n' "$PWD" $mail >"$reload"
	prod $mail $G1
	sslm-deploy -q
	prod $mail $G2 next
	sslm-deploy -q
	prod $mail $G2
	rm p/prod/$mail/next
	keep
	points=0 now=$G2
	for call in rename unlink fsync fchmod openat clone3 vfork clone waitid wait4 rt_sigtimedwait write; do
		for n in $(seq 200); do
			again
			status=0
			strace -qq -o trace -e trace=$call -e inject=$call:signal=KILL:when=$n "$(command -v sslm-deploy)" -q \
			    >words 2>&1 || status=$?
			[ $status != 0 ] || break
			echo "$call $n: $status"
			[ $status = 137 ]
			points=$((points + 1))
			# What it has started ends without it.
			while pgrep -f "$PWD/p|$reload" >/dev/null; do sleep 0.02; done
			noted
			(cd far/mail/prod/$mail/curr && [ "$(openssl pkey -in privkey.pem -pubout)" = "$(openssl x509 -in cert.pem -noout -pubkey)" ])
			run -0 sslm-deploy
			same mail $mail
			[ "$(cat used/here used/mail | xargs)" = "$G2 $G2" ]
			[ "$(cut -d' ' -f1 certs/.deployed | xargs)" = 'copy group use use' ]
			run -0 sslm-deploy
			[ -z "$output" ]
		done
	done
	[ $points -ge 60 ]
}

@test "make renew and roll deploy; rehearsals and the test tree touch no server" {
	load site
	far_near mail
	# sslm-mgr hands on no PATH, but says where programs are.
	ln -s "$SSLM_BIN"/sslm-* near/
	SSLM_BIN=$PWD/near
	deploy_site '[smtp]' 'servers = ["mail"]' "restart_cmd = '$reload smtp'" '[web]' "restart_cmd = '$reload web'"
	ln -sfn "$TOP/mk" mk
	printf 'MK := mk\ninclude $(MK)/site.mk\n' >Makefile
	sed -i "s/^\[globals\]/&\nmin_roll_mins = 0/" conf.d/ssl-mgr.conf
	m renew
	[ -e far/mail/prod/$mail/next/bundle.pem ]
	[ -z "$(reloads)" ]
	m roll
	same mail $mail
	same mail $web
	[ "$(reloads)" = $'mail: smtp\nhere: web' ]
	m renew
	m roll
	[ -z "$(reloads)" ]
	cp certs/.deployed before
	for what in '-t -renew' '-t -roll' '-n -renew' 'dev -n -fsr' '-d -renew -f' '-d -roll -f'; do
		# shellcheck disable=SC2086
		sslm-mgr $what || :
		cmp before certs/.deployed
	done
	sslm-mgr dev -t -fsr
	[ -z "$(reloads)" ]
	run -0 sslm-mgr dev -d -fsr
	[[ $output == *$'mail\twould reload smtp'* ]]
	[ -z "$(reloads)" ]
	sslm-mgr dev -fsr
	[ "$(reloads)" = $'mail: smtp\nhere: web' ]
	mkdir p/prod/example.com/dh
	echo dh >p/prod/example.com/dh/ffdhe.pem
	sslm-mgr dev -certs-prod
	cmp p/prod/example.com/dh/ffdhe.pem far/mail/prod/example.com/dh/ffdhe.pem
	[ -z "$(reloads)" ]
	# What fails is the run's status, and the next run's work.
	touch fail.mail
	m renew FORCE=1
	sslm-roll -qf
	run -1 sslm-mgr -roll
	[[ $output == *"'mail': [smtp] restart_cmd '$reload smtp': exit status 1"* ]]
	rm fail.mail
	: >reload.log
	m renew
	[ "$(reloads)" = 'mail: smtp' ]
}

# away: what -c says, and that it has changed nothing on any machine.
away() {
	find p far certs -printf '%p %m %T@ %l\n' | sort >before
	run "-$1" sslm-deploy -c
	echo "$output"
	find p far certs -printf '%p %m %T@ %l\n' | sort | diff before -
}

@test "-c: each difference of a copy is said, with what mends it, by two connections, and nothing is changed" {
	far_start mail www
	mail_site '[web]' 'servers = "www"' "restart_cmd = '$reload web'" 'svc_depends = [["any", "web-ec"]]'
	prod $mail $G1
	prod $web $G1
	mkdir p/prod/example.com/dh
	echo dh >p/prod/example.com/dh/ffdhe.pem
	echo '; tlsa' >p/prod/example.com/tlsa.example.com
	# Nothing is there yet: once for all that is below.
	away 1
	[ "$output" = "$(printf "%s\t$PWD/p/prod\tis not there\tmake deploy\n" mail www)" ]
	sslm-deploy -q
	: >ssh.log
	away 0
	[ -z "$output" ]
	[ "$(wc -l <ssh.log)" = 4 ]
	far=far/mail/prod/$mail
	while IFS='|' read -r what path said; do
		eval "$what"
		away 1
		[ "$output" = "mail"$'\t'"$PWD/p/prod/example.com/$path"$'\t'"$said"$'\t'"make deploy FORCE=1" ]
		# A deploy alone believes what is noted; with force all is well again.
		[ "$said" != "leads elsewhere" ] || { sslm-deploy -q && away 1; }
		sslm-deploy -qf
		same mail $mail
		away 0
		[ -z "$output" ]
	done <<-END
		damage \$far/curr/cert.pem 100|mail-ec/db/$G1/cert.pem|has another content
		: >\$far/curr/privkey.pem|mail-ec/db/$G1/privkey.pem|has another content
		rm \$far/curr/chain.pem|mail-ec/db/$G1/chain.pem|is not there
		chmod 644 \$far/curr/privkey.pem|mail-ec/db/$G1/privkey.pem|has another mode
		chmod 755 \$far|mail-ec|has another mode
		ln -sfn db/19990101T000000Z \$far/curr|mail-ec/curr|leads elsewhere
		rm \$far/curr|mail-ec/curr|is not there
		ln -s db/$G1 \$far/next|mail-ec/next|should not be there
		rm -r \$far|mail-ec|is not there
		echo x >far/mail/prod/example.com/tlsa.example.com|tlsa.example.com|has another content
		rm -r far/mail/prod/example.com/dh|dh|is not there
	END
	# An old one: the next deploy knows of it.
	prod $mail $G2
	away 1
	[ "$output" = "$(printf 'mail\t%s\t%s\tmake deploy\n' "$PWD/p/prod/$mail/curr" 'leads elsewhere' \
	    "$PWD/p/prod/$mail/db/$G2" 'is not there')" ]
	sslm-deploy -q
	away 0
}

@test "-c: a host that is down, one that is silent, and a difference that counts more" {
	far_start mail
	far_hangs mute
	deploy_site '[smtp]' 'servers = ["later", "mute", "mail"]' "restart_cmd = '$reload smtp'"
	prod $mail $G1
	sslm-deploy -q -w 3 || :
	run -75 timeout 60 "$(command -v sslm-deploy)" -c -w 3
	[[ $output == *"'later': comparison: rsync: "* ]]
	[[ $output == *"'mute': comparison: rsync: "* ]]
	run ! grep -P '\t' <<<"$output"
	: >far/mail/prod/$mail/curr/cert.pem
	run -1 timeout 60 "$(command -v sslm-deploy)" -c -w 3
	[[ $output == *$'mail\t'*$'/cert.pem\thas another content\tmake deploy FORCE=1'* ]]
	[[ $output == *"'later': comparison: rsync: "* ]]
}
