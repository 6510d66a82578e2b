setup() {
	load helper; load acme; load deploy; workdir
	G1=20260101T000000Z G2=20260201T000000Z G3=20260301T000000Z G4=20260401T000000Z
	mail=example.com/mail-ec web=example.com/web-ec
}

teardown() {
	lab_stop
	umount far/* 2>/dev/null || :
}

@test "sets arrive whole, with their modes, and just those that a host's sections use" {
	far_start mail www
	deploy_site '[smtp]' 'servers = ["mail"]' "restart_cmd = '$BATS_TEST_TMPDIR/bin/reload smtp'" \
	    'svc_depends = [["example.com", ["mail-ec"]]]' \
	    '[web]' 'servers = "www"' "restart_cmd = '$BATS_TEST_TMPDIR/bin/reload web'" \
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
	deploy_site '[smtp]' 'servers = ["mail", "localhost"]' "restart_cmd = '$BATS_TEST_TMPDIR/bin/reload smtp'"
	prod $mail $G1
	prod $web $G1
	sslm-deploy -q
	[ "$(reloads)" = $'here: smtp\nmail: smtp' ]
	run -0 strace -f -o trace "$(command -v sslm-deploy)"
cp trace /tmp/h/deploy-try/
	[ -z "$output" ]
	[ "$(grep -c execve trace)" = 1 ]
	run ! grep -E "clone|fork|socket|O_WRONLY|O_RDWR|rename" trace
	[ -z "$(reloads)" ]
}
