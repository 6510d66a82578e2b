setup() {
	load helper; load site; workdir; site
	d=certs/example.com/web-ec
}

@test "a generation of its own, named in UTC, with a relative link and modes" {
	before=$(date -u +%Y%m%dT%H%M%SZ)
	umask 0
	run -0 sslm-next example.com:web-ec
	gen=$(readlink $d/next)
	[[ $gen =~ ^db/[0-9]{8}T[0-9]{6}Z$ ]]
	[[ ! ${gen#db/} < $before ]]
	[ "$(stat -c %a certs/example.com $d $d/db "$d/$gen" | xargs)" = "750 755 750 750" ]
}

@test "two generations within a second have two names" {
	for _ in 1 2 3 4 5; do sslm-next -a example.com:web-ec; done
	[ "$(ls $d/db | wc -l)" = 5 ]
	[ "$(readlink $d/next)" = "db/$(ls -v $d/db | tail -1)" ] || ls $d/db
}

@test "what was begun is gone on with, what is complete is left" {
	sslm-next example.com:web-ec
	gen=$(readlink $d/next)
	run -0 sslm-next -o list example.com:web-ec
	[ "$(readlink $d/next)" = "$gen" ]
	[ "$(cat list)" = example.com/web-ec ]
	touch $d/next/bundle.pem
	run -0 sslm-next -o list example.com:web-ec
	[ "$(readlink $d/next)" = "$gen" ]
	[ ! -s list ]
	run -0 sslm-next -f -o list example.com:web-ec
	[ "$(readlink $d/next)" != "$gen" ]
	[ -d "$d/$gen" ]
	[ "$(cat list)" = example.com/web-ec ]
}

@test "a dangling next is replaced" {
	mkdir -p $d
	ln -s db/gone $d/next
	run -0 sslm-next example.com:web-ec
	[ -d $d/next/. ]
}

@test "-r brings the key of curr, 0600 whatever the umask" {
	mkdir -p $d/db/old
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out $d/db/old/privkey.pem
	chmod 644 $d/db/old/privkey.pem
	ln -s db/old $d/curr
	umask 0
	run -0 sslm-next -r example.com:web-ec
	cmp $d/curr/privkey.pem $d/next/privkey.pem
	[ "$(stat -c %a $d/next/privkey.pem)" = 600 ]
}

@test "-r without a key in use: a new one will be made" {
	run -0 sslm-next -r example.com:web-ec
	[ -z "$(ls -A $d/next/)" ]
}

@test "key_days: the key stays while it is young and of the kind that is wanted, over renewals" {
	ready_site
	s=conf.d/example.com/web-ec n=0
	sed -i '1i key_days = 30' $s
	# again: another name makes it due, and it is renewed.
	again() {
		n=$((n + 1))
		sed -i "s/sans = .*/sans = ['example.com', 'n$n.example.com']/" $s
		m renew SERVICES=example.com:web-ec
		openssl x509 -in $d/next/cert.pem -noout -ext subjectAltName | grep -q "n$n"
	}
	key_is() { echo "# key : $(date -u -d "$1 days ago" +%Y%m%dT%H%M%SZ)"; }
	was=$(sha256sum <$d/curr/privkey.pem)
	again
	[ "$(sha256sum <$d/next/privkey.pem)" = "$was" ]
	[ "$(stat -L -c %a $d/next/privkey.pem)" = 600 ]
	[ "$(grep '^# key' $d/next/info)" = "$(sed -n 's/issued/key/p' $d/curr/info)" ]
	sslm-roll -qf example.com:web-ec
	# Its age is that of the key, not that of the set.
	sed -i "s/^# key.*/$(key_is 29)/" $d/curr/info
	again
	[ "$(sha256sum <$d/next/privkey.pem)" = "$was" ]
	diff <(grep '^# key' $d/curr/info) <(grep '^# key' $d/next/info)
	# A kind that is not wanted any more, force, and its days.
	for why in kind force old future; do
		rm $d/next
		case $why in
		kind) sed -i "s/'secp384r1'/'secp256r1'/" $s; again; sed -i "s/'secp256r1'/'secp384r1'/" $s ;;
		force) m renew FORCE=1 SERVICES=example.com:web-ec ;;
		old) sed -i "s/^# key.*/$(key_is 31)/" $d/curr/info; again ;;
		future) sed -i "s/^# key.*/$(key_is -2)/" $d/curr/info; again ;;
		esac
		[ "$(sha256sum <$d/next/privkey.pem)" != "$was" ]
		run ! grep '^# key' $d/next/info
	done
	# By hand, -r keeps an old one too, and its age.
	m renew FORCE=1 REUSE=1 SERVICES=example.com:web-ec
	[ "$(sha256sum <$d/next/privkey.pem)" = "$was" ]
	diff <(grep '^# key' $d/curr/info) <(grep '^# key' $d/next/info)
	echo broken >>$s
	next=$(readlink $d/next)
	run -2 sslm-next -f example.com:web-ec example.com:mail-ec
	[ -d certs/example.com/mail-ec/next/. ]
	[ "$(readlink $d/next)" = "$next" ]
}

@test "a directory that cannot be written fails for this service alone" {
	mkdir -p certs/example.com
	: >certs/example.com/web-ec
	run -75 sslm-next -o list
	[[ $output == *"certs/example.com/web-ec"* ]]
	[ "$(wc -l <list)" = 3 ]
	[ -d certs/example.com/mail-ec/next/. ]
}

@test "a service that does not exist" {
	run -2 sslm-next example.com:nothing
	[[ $output == *"'example.com:nothing': no such service"* ]]
	run -2 sslm-next ../x
	run -2 sslm-next 'example.com:$(touch pwned)'
	[ ! -e pwned ]
}

@test "a list with -i" {
	echo example.com/web-ec >in
	run -0 sslm-next -i in -o out
	[ "$(cat out)" = example.com/web-ec ]
	[ ! -e certs/ca ]
}
