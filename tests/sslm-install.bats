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

@test "killed while a real directory gives way: what is left of it goes with the next run" {
	traceable
	points=0
	for call in renameat2 symlink unlinkat rmdir rename; do
		for n in $(seq 1 3 20); do
			rm -rf prod-certs
			mkdir -p $p
			cp -rL $d/curr $p/curr
			cp -rL $d/curr $p/next
			status=0
			strace -qq -o trace -e inject=$call:signal=KILL:when="$n" "$(command -v sslm-install)" -q \
			    >words 2>&1 || status=$?
			[ $status != 0 ] || break
			[ $status = 137 ]
			points=$((points + 1))
			openssl x509 -in $p/curr/cert.pem -noout
			sslm-install -q
			cmp $d/curr/bundle.pem $p/curr/bundle.pem
			[ "$(ls -A $p | xargs)" = "curr db" ]
			run -0 sslm-install -n
		done
	done
	[ $points -ge 6 ]
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

# differ COMMAND...: the command, done to production, is found by -n, which changes
# nothing, and mended by -f; then they agree.
differ() {
	eval "$1"
	find prod-certs -printf '%p %m %T@ %i %l\n' | sort >before
	run -1 sslm-install -nq
	echo "$output"
	find prod-certs -printf '%p %m %T@ %i %l\n' | sort | diff before -
	sslm-install -qf
	run -0 sslm-install -n
	[ -z "$output" ]
}

@test "-n: each difference to production is said, with what mends it, and nothing is changed" {
	sslm-install -q
	run -0 sslm-install -n
	[ -z "$output" ]
	m renew FORCE=1 SERVICES=example.com:web-ec
	rm -r $p/next
	for f in privkey csr cert chain fullchain bundle; do
		# Of the same length, which -c does not see.
		cp $p/curr/$f.pem was
		damage $p/curr/$f.pem 100
		run -1 sslm-install -n
		[[ $output == *"localhost"$'\t'"prod-certs/example.com/web-ec/curr/$f.pem"$'\t'"has another content"$'\t'"make prod"* ]]
		mv was $p/curr/$f.pem
	done
	run -1 sslm-install -n
	[ "$output" = $'localhost\tprod-certs/example.com/web-ec/next\tis not there\tmake prod' ]
	differ 'damage $p/curr/cert.pem 100; cut -f2,3 <<<x'
	cmp $d/curr/cert.pem $p/curr/cert.pem
	differ 'rm $p/curr/chain.pem'
	differ 'chmod 644 $p/curr/privkey.pem'
	[ "$(stat -L -c %a $p/curr/privkey.pem)" = 600 ]
	differ 'ln -sfn db/19990101T000000Z $p/curr'
	differ 'rm $p/curr'
	differ 'rm -r $p'
	differ 'rm -r prod-certs'
	differ 'echo x >>$p/next/info'
	differ 'rm $p/next && mkdir $p/next && echo x >$p/next/x'
	# A next that the site does not have any more.
	rm $d/next
	differ true
	[ ! -L $p/next ]
}

@test "-n: a private key of a CA that is in production, and what cannot be compared" {
	sslm-install -q
	cp certs/ca/my-root/curr/privkey.pem prod-certs/ca/my-root/curr/
	run -1 sslm-install -n
	[ "$output" = $'localhost\tprod-certs/ca/my-root/curr/privkey.pem\tis the private key of a CA\tremove it by hand' ]
	rm prod-certs/ca/my-root/curr/privkey.pem
	rm $d/curr/bundle.pem
	run -75 sslm-install -n
	[ "$output" = "sslm-install: '$d/curr' is not complete" ]
	run -2 sslm-install -n example.com:none
}

@test "-n: what is in production of services that are no more, but not what is another site's" {
	sslm-install -q
	rm conf.d/example.com/mail-ec
	sed -i "s/'mail-ec', //" conf.d/ssl-mgr.conf
	mkdir -p prod-certs/example.com/{dh,old/curr,notes} prod-certs/example.net/mail/db
	cp $d/curr/*.pem prod-certs/example.com/old/curr/
	# A group that is not active has its services.
	sed -i "/^    active/{N;/'ca'/s/true/false/}" conf.d/ssl-mgr.conf
	run -1 sslm-install -n
	[ "$output" = "$(printf 'localhost\tprod-certs/example.com/%s\tis of a service that is not configured\tremove it by hand\n' mail-ec old)" ]
	run -0 sslm-install -n example.com:web-ec
	[ -z "$output" ]
	rm -r prod-certs/example.com/{mail-ec,old}
	run -0 sslm-install -n
	[ -z "$output" ]
}

@test "-n: TLSA records that are not those of the site; comments are nothing" {
	sslm-install -q
	printf '; one\n_25._tcp.example.com. 1800 IN TLSA 3 1 1 00\n' >certs/example.com/tlsa.example.com
	run -1 sslm-install -n
	[ "$output" = $'localhost\tprod-certs/example.com/tlsa.example.com\tis not there\tmake prod' ]
	printf '; two\n\n_25._tcp.example.com. 1800 IN TLSA 3 1 1 00\n' >prod-certs/example.com/tlsa.example.com
	run -0 sslm-install -n
	echo '_25._tcp.example.com. 1800 IN TLSA 3 1 1 01' >prod-certs/example.com/tlsa.example.com
	run -1 sslm-install -n
	[[ $output == *$'\thas other records\tmake prod' ]]
}

@test "make check-prod, and make prod mends" {
	m prod
	run -0 m check-prod
	[ -z "$output" ]
	damage $p/curr/privkey.pem 100
	find . -printf '%p %T@ %i\n' | sort >../before
	run -2 m check-prod
	find . -printf '%p %T@ %i\n' | sort | diff ../before -
	[[ $output == *$'/curr/privkey.pem\thas another content\tmake prod'* ]]
	# Not kept from looking by a run that is at work.
	flock certs/.lock env -u MAKEFLAGS make check-prod >out 2>&1 || :
	grep -q "another content" out
	m prod
	run -0 m check-prod
	run -0 m check-prod TEST= SERVICES=example.com:web-ec
}
