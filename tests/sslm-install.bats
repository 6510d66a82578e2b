setup() {
	load helper; load site; workdir; ready_site
	rm -rf prod-certs
	d=certs/example.com/web-ec p=prod-certs/example.com/web-ec
}

@test "curr arrives whole, with its modes" {
	umask 0
	run -0 sslm-install
	for f in privkey csr cert chain fullchain bundle; do
		cmp $d/curr/$f.pem $p/curr/$f.pem
	done
	cmp $d/curr/info $p/curr/info
	[ "$(stat -L -c %a $p/curr/privkey.pem $p/curr/bundle.pem $p/curr/cert.pem | xargs)" = "600 600 644" ]
	[ "$(stat -c %a prod-certs prod-certs/example.com $p | xargs)" = "750 755 750" ]
	[ ! -e $p/next ]
	[ ! -L $p/next ]
}

@test "a second run writes nothing" {
	sslm-install -q
	find prod-certs -printf '%p %T@ %i\n' | sort >before
	run -0 sslm-install
	[ -z "$output" ]
	find prod-certs -printf '%p %T@ %i\n' | sort | diff - before
}

@test "no private key of a CA leaves certs" {
	run -0 sslm-install
	cmp certs/ca/my-root/curr/cert.pem prod-certs/ca/my-root/curr/cert.pem
	run ! grep -rl 'PRIVATE KEY' prod-certs/ca
}

@test "next comes when it is complete, and goes with the roll" {
	sslm-install -q
	m renew FORCE=1 SERVICES=example.com:web-ec
	cmp $d/next/bundle.pem $p/next/bundle.pem
	[ "$(readlink $p/next)" = "$(readlink $d/next)" ]
	sslm-roll -qf example.com:web-ec
	run -0 sslm-install
	[ ! -L $p/next ]
	cmp $d/curr/bundle.pem $p/curr/bundle.pem
	cmp $d/curr/info $p/curr/info
	# The one before stays, for who is reading it, and goes with the next.
	[ "$(ls $p/db | wc -l)" = 2 ]
	for _ in 1 2; do
		m renew FORCE=1 SERVICES=example.com:web-ec
		sslm-roll -qf example.com:web-ec
		sslm-install -q
	done
	[ "$(ls $p/db | wc -l)" = 2 ]
}

@test "a half-made next stays at home" {
	sslm-install -q
	sslm-next -a example.com:web-ec
	cp $d/curr/privkey.pem $d/next/
	run -0 sslm-install
	[ ! -L $p/next ]
}

@test "a broken or missing curr leaves production as it is" {
	sslm-install -q
	rm $d/curr
	run -0 sslm-install
	[ -e $p/curr/bundle.pem ]
	ln -s db/nowhere $d/curr
	run -75 sslm-install
	[[ $output == *"is left as it is"* ]]
	openssl x509 -in $p/curr/cert.pem -noout
}

@test "what is damaged in production is brought again, and damage at home is not" {
	sslm-install -q
	for f in privkey csr cert chain fullchain bundle; do
		: >$p/curr/$f.pem
		run -0 sslm-install -c
		cmp $d/curr/$f.pem $p/curr/$f.pem
		rm $p/curr/$f.pem
		run -0 sslm-install -c
		cmp $d/curr/$f.pem $p/curr/$f.pem
	done
	[ "$(stat -L -c %a $p/curr/privkey.pem $p/curr/cert.pem | xargs)" = "600 644" ]
	echo '# more' >>$d/curr/info
	run -0 sslm-install -c
	cmp $d/curr/info $p/curr/info
	cp -rL $p/curr kept
	for f in privkey csr cert chain fullchain bundle; do
		cp $d/curr/$f.pem good
		: >$d/curr/$f.pem
		run -75 sslm-install -c
		[[ $output == *"$f.pem"* ]]
		diff -r kept $p/curr
		cat good >$d/curr/$f.pem
	done
	run -0 sslm-install -c
	[ -z "$output" ]
}

@test "a link that cannot be read is an error, and nothing in production goes" {
	traceable
	sslm-install -q
	m renew FORCE=1 SERVICES=example.com:web-ec
	find prod-certs | sort >before
	for link in $d/curr $d/next; do
		run -75 strace -o trace -P $link -e inject=readlink:error=EIO "$(command -v sslm-install)"
		[[ $output == *"cannot read the link '$link': Input/output error"* ]]
	done
	find prod-certs | sort | diff before -
	strace -o trace -P $p/curr -e inject=readlink:error=EIO "$(command -v sslm-install)"
	find prod-certs | sort | diff before -
	sslm-roll -qf example.com:web-ec
	run -75 strace -o trace -P $p/next -e inject=%lstat:error=EIO -e inject=unlink:error=EIO "$(command -v sslm-install)"
	[[ $output == *"cannot remove '$p/next': Input/output error"* ]]
}

@test "the real directories of ssl-mgr give way to links, and nothing is lost before" {
	mkdir -p $p
	cp -rL $d/curr $p/curr
	cp -rL $d/curr $p/next
	run -0 sslm-install
	[ -L $p/curr ]
	cmp $d/curr/bundle.pem $p/curr/bundle.pem
	[ ! -e $p/next ]
	[ ! -e $p/curr.old ]
}

@test "what a killed run left is cleaned up by the next that changes something" {
	mkdir -p $p/db/.20200101T000000Z.new
	echo key >$p/db/.20200101T000000Z.new/privkey.pem
	run -0 sslm-install
	[ "$(ls -A $p/db)" = "$(basename "$(readlink $d/curr)")" ]
}

@test "a directory that cannot be written fails for this service alone" {
	mkdir -p prod-certs/example.com
	: >prod-certs/example.com/web-ec
	run -75 sslm-install
	[[ $output == *"prod-certs/example.com/web-ec"* ]]
	[ -e prod-certs/example.com/mail-ec/curr/bundle.pem ]
}

@test "a full disk: an error, the old set in place, and the next run mends it" {
	[ "$(id -u)" = 0 ] || skip "needs root for a tmpfs"
	sslm-install -q
	mkdir small
	mount -t tmpfs -o size=256k tmpfs small || skip "no mount here"
	run -0 sslm-install -d small
	m renew FORCE=1
	head -c 256k /dev/zero >small/fill || true
	run -75 sslm-install -d small
	[[ $output == *"No space left on device"* ]]
	cmp $d/curr/bundle.pem small/example.com/web-ec/curr/bundle.pem
	[ ! -L small/example.com/web-ec/next ]
	rm small/fill
	run -0 sslm-install -d small
	cmp $d/next/bundle.pem small/example.com/web-ec/next/bundle.pem
	umount small
}

teardown() { umount small 2>/dev/null || true; }

@test "a set is never seen half-switched by who follows curr once" {
	traceable
	sslm-install -q
	m renew FORCE=1 SERVICES=example.com:web-ec
	sslm-install -q
	sslm-roll -qf
	strace -o trace -e trace=rename,renameat,renameat2,openat "$(command -v sslm-install)"
	# Nothing is opened for writing below the live link, which changes once.
	run ! grep -E 'openat.*web-ec/curr/.*O_(WRONLY|RDWR)' trace
	[ "$(grep -cE 'rename.*web-ec/curr"' trace)" = 1 ]
}
