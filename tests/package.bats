# The sources in one file, and the Debian package that is made of them.
setup() {
	load helper; load site; workdir
	unset O BIN CC CFLAGS CPPFLAGS LDFLAGS V	# of a make around the tests
}

# What `make install' puts under PREFIX, as the package has to have it.
version() { "$SSLM_BIN/sslm-conf" -V | awk '{ print $2 }'; }

@test "dist: all that is needed to build and to run, and nothing that was built" {
	O=$BATS_TEST_TMPDIR/o
	m -C "$TOP" dist O="$O"
	tar -xzf "$O/sslm-$(version).tar.gz"
	cd "sslm-$(version)"
	[ ! -e build ]
	[ "$(ls bin | xargs)" = "sslm-auth-hook sslm-import sslm-mgr" ]
	for f in $(cd "$TOP" && git ls-files 2>/dev/null); do
		cmp "$TOP/$f" "$f"
	done
	# The same sources make the same file.
	m -C "$TOP" dist O="$O.2"
	cmp "$O/sslm-$(version).tar.gz" "$O.2/sslm-$(version).tar.gz"
}

@test "deb: installs under a root, and runs there from init to the roll" {
	command -v dh >/dev/null || skip "no debhelper"
	dpkg-query -s build-essential >/dev/null 2>&1 || skip "no build-essential"
	O="$BATS_TEST_TMPDIR/an o"
	DEBFULLNAME="D. O'Brien & Sons | Co" DEBEMAIL=d@sslm.example m -C "$TOP" deb O="$O" >log 2>&1 || { tail -20 log; false; }
	deb=$(ls "$O"/deb/sslm_*.deb)
	dpkg-deb -x "$deb" root
	for f in "$TOP"/src/sslm-*.c; do
		f=${f##*/}
		[ -x "root/usr/bin/${f%.c}" ]
		[ -f "root/usr/share/man/man1/${f%.c}.1.gz" ]
	done
	[ -f root/usr/share/zsh/vendor-completions/_sslm-mgr ]
	[ "$(stat -c %a root/usr/bin/sslm-mgr root/etc/logrotate.d/sslm | xargs)" = "755 644" ]
	dpkg-deb -f "$deb" Depends | grep -q 'libssl3.*make (>= 4.3)'
	[ "$(dpkg-deb -f "$deb" Version)" = "$(version)" ]
	[ "$(dpkg-deb -f "$deb" Maintainer)" = "D. O'Brien & Sons | Co <d@sslm.example>" ]
	zcat root/usr/share/doc/sslm/changelog.gz | tail -1 | grep -qF "$(dpkg-deb -f "$deb" Maintainer)"
	# What its own changelog refers to, and the examples where Debian has them.
	cmp "$TOP/CHANGELOG.md" root/usr/share/doc/sslm/CHANGELOG.md
	[ -s root/usr/share/doc/sslm/examples/sslm.cron ]
	[ ! -e root/usr/share/sslm/made ]
	# Of a package nothing is in use until somebody says so.
	run ! sh -c "dpkg-deb -c '$deb' | grep -E 'cron.d|systemd'"
	ln -s "$PWD/root/usr" "$BATS_TEST_TMPDIR/usr"
	env -u SSLM_BIN "$BATS_TEST_TMPDIR/usr/bin/sslm-mgr" -V
	mkdir site
	cp -r root/usr/share/sslm/examples/conf.d site/
	cd site
	env -u SSLM_BIN "$BATS_TEST_TMPDIR/usr/bin/sslm-mgr" -renew
	env -u SSLM_BIN "$BATS_TEST_TMPDIR/usr/bin/sslm-mgr" -roll
	openssl verify -CAfile certs/ca/my-root/curr/cert.pem \
	    -untrusted certs/example.com/web-ec/curr/chain.pem certs/example.com/web-ec/curr/cert.pem
}

@test "PKGBUILD: packages what dist makes" {
	bash -n "$TOP/mk/arch/PKGBUILD"
	[ "$(. "$TOP/mk/arch/PKGBUILD"; echo "$pkgver")" = "$(version)" ]
	# Its package(), without its build(): what was built is here.
	m -C "$TOP" dist O="$BATS_TEST_TMPDIR/o"
	tar -xzf "$BATS_TEST_TMPDIR/o/sslm-$(version).tar.gz"
	cp "$SSLM_BIN"/sslm-* "sslm-$(version)/bin/"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL pkgdir="$PWD/pkg" bash -euc '. "$0/mk/arch/PKGBUILD"
	    make() { command make -o all "$@"; }; package' "$TOP"
	[ -x pkg/usr/bin/sslm-mgr ]
	[ -f pkg/usr/share/licenses/sslm/LICENSE ]
	[ -d pkg/var/log/ssl-mgr ]
	for f in $(. "$TOP/mk/arch/PKGBUILD"; echo "${backup[@]}"); do
		[ -f "pkg/$f" ]
	done
	# Whatever the programs are linked with is a dependency, and what the rules run.
	depends=" $(. "$TOP/mk/arch/PKGBUILD"; echo "${depends[@]}") "
	objdump -p pkg/usr/bin/sslm-* 2>/dev/null | sed -n 's/.*NEEDED *\(.*\)\.so.*/\1/p' | grep -Ev '^lib(a|ub)san$' | sort -u |
	    sed 's/^libc$/glibc/; s/^libcurl$/curl/; s/^libjansson$/jansson/; s/^libldns$/ldns/; s/^lib\(crypto\|ssl\)$/openssl/' >needed
	[ -s needed ]
	for d in $(cat needed) make util-linux; do
		[[ $depends == *" $d "* ]]
	done
}
