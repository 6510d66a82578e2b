# What `make install' puts where, and what `make uninstall' leaves.
setup() {
	load helper; load site; workdir
	unset O CC CFLAGS CPPFLAGS LDFLAGS V DESTDIR PREFIX	# of a make around the tests
	umask 022
}

# make, with the programs that there are; make knows no blank in BIN.
placed() { m -o all BIN="${SSLM_BIN#"$TOP"/}" "$@" >log; }

# A checkout of our own, with the same programs.
checkout() {
	mkdir -p "$1/conf.d" "$1/$(dirname "${SSLM_BIN#"$TOP"/}")"
	(cd "$TOP" && cp -r Makefile ./*.md LICENSE src mk doc tests bin .ci .clang-format .clang-tidy \
	    .editorconfig .gitignore .shellcheckrc "$OLDPWD/$1")
	cp -r "$SSLM_BIN" "$1/$(dirname "${SSLM_BIN#"$TOP"/}")"
	(cd "$TOP/conf.d" && cp -r --parents ssl-mgr.conf ca-info.conf ca/my-* example.com/*-ec "$OLDPWD/$1/conf.d")
}

@test "whoever installs, all can read it, and run the programs" {
	(umask 077 && placed -C "$TOP" install DESTDIR="$PWD/root" PREFIX=/usr)
	[ -z "$(find root/usr \( -type d ! -perm 755 -o -type f ! -perm 644 ! -perm 755 \))" ]
	for f in "$SSLM_BIN"/sslm-*; do
		[ "$(stat -c %a "root/usr/bin/${f##*/}")" = 755 ]
		[ "$(stat -c %a "root/usr/share/man/man1/${f##*/}.1")" = 644 ]
	done
	[ "$(stat -c %a root/usr/share/sslm/examples/zones/resign-nsd)" = 755 ]
}

@test "the manuals say where it was installed" {
	placed -C "$TOP" install DESTDIR="$PWD/root" PREFIX=/opt/our-sslm
	man=root/opt/our-sslm/share/man
	run ! grep -rE '/usr/local/(bin|share)/' $man
	cd root
	for f in $(sed -n 's/^cd \(.*examples.*\)/\1/p' opt/our-sslm/share/man/man7/sslm-zones.7) \
	    $(grep -oh '/[^ ]*/bin/sslm-[a-z]*' opt/our-sslm/share/man/man?/*); do
		[ -e ".$f" ]
	done
	# And nothing else is changed.
	for f in "$TOP"/doc/*.[1-7]; do
		cmp <(sed 's|/opt/our-sslm/|/usr/local/|' "opt/our-sslm/share/man/man${f##*.}/${f##*/}") "$f"
	done
}

@test "a PREFIX with a blank; uninstall leaves what others have put there" {
	mkdir -p "a prefix/share/man/man8"
	placed -C "$TOP" install PREFIX="$PWD/a prefix"
	placed -C "$TOP" install PREFIX="$PWD/a prefix"
	mkdir site
	cp -r "a prefix/share/sslm/examples/conf.d" site/
	(cd site && env -u SSLM_BIN "../a prefix/bin/sslm-mgr" -renew && [ -s certs/ca/my-root/next/cert.pem ])
	# Make could not include the rules from there.
	run -2 env -u SSLM_BIN "a prefix/bin/sslm-mgr" init new
	[[ $output == *"make cannot include from"* ]]
	touch "a prefix/share/zsh/site-functions/_another"
	placed -C "$TOP" uninstall PREFIX="$PWD/a prefix"
	[ "$(cd "a prefix" && find . | sort | xargs)" = \
	    ". ./share ./share/man ./share/man/man8 ./share/zsh ./share/zsh/site-functions ./share/zsh/site-functions/_another" ]
	# Once more is no error.
	placed -C "$TOP" uninstall PREFIX="$PWD/a prefix"
}

@test "uninstall leaves no directory that install has made" {
	placed -C "$TOP" install PREFIX="$PWD/deep/er"
	placed -C "$TOP" install PREFIX="$PWD/deep/er"
	placed -C "$TOP" uninstall PREFIX="$PWD/deep/er"
	[ ! -e deep ]
	# What a package has is known to who installs it.
	placed -C "$TOP" install DESTDIR="$PWD/root" PREFIX=/usr
	[ ! -e root/usr/share/sslm/made ]
}

@test "a PREFIX that is no absolute path would be made in the checkout: refused" {
	for p in '~/.local' local ''; do
		run -2 m -C "$TOP" -o all install PREFIX="$p" DESTDIR="$PWD/root"
		[[ $output == *"PREFIX '$p' is not an absolute path"* ]]
	done
	[ ! -e root ]
	[ ! -e "$TOP/~" ]
}

@test "of conf.d only the sample is installed and packed: a checkout in use has secrets there" {
	checkout "a tree"
	echo "for nobody to read" >"a tree/conf.d/tsig.key"
	mkdir "a tree/conf.d/example.net"
	echo "for nobody to read" >"a tree/conf.d/example.net/web ec"
	(umask 077 && placed -C "a tree" install DESTDIR="$PWD/root" PREFIX=/usr && placed -C "a tree" dist O="$BATS_TEST_TMPDIR/o")
	tar -xpzf "$BATS_TEST_TMPDIR"/o/sslm-*.tar.gz
	run ! grep -rqx "for nobody to read" root sslm-*
	# All of the sample.
	find sslm-*/conf.d -type f -printf '%P\n' | sort >packed
	find root/usr/share/sslm/examples/conf.d -type f -printf '%P\n' | sort >installed
	cmp packed installed
	(cd "$TOP" && git ls-files conf.d 2>/dev/null) | sed 's|conf.d/||' | sort >tracked
	[ ! -s tracked ] || cmp tracked packed
	# For all to read, too.
	[ -z "$(find sslm-* \( -type d ! -perm 755 -o -type f ! -perm 644 ! -perm 755 \))" ]
}

@test "setup.sh says what is wanted where there is no apt-get, or nobody who may use it" {
	mkdir some
	ln -s "$(command -v grep)" "$(command -v env)" some/
	printf '#!/bin/sh\necho 1000\n' >some/id
	chmod +x some/id
	sh=$(command -v sh)
	PATH=$PWD/some run -1 "$sh" "$TOP/mk/setup.sh"
	[[ ${lines[0]} == "setup.sh: no apt-get here: "* ]]
	# Nothing is installed, to dpkg-query; apt-get and sudo would tell.
	printf '#!/bin/sh\nexit 1\n' >some/dpkg-query
	printf '#!/bin/sh\necho "$0 $*" >>called\n' >some/apt-get
	chmod +x some/dpkg-query some/apt-get
	PATH=$PWD/some run -1 "$sh" "$TOP/mk/setup.sh" test
	[[ $output == "setup.sh: only root can install, and there is no sudo; missing: make gcc "* ]]
	[ ! -e called ]
	printf '#!/bin/sh\nexec "$@"\n' >some/sudo
	chmod +x some/sudo
	PATH=$PWD/some run -0 "$sh" "$TOP/mk/setup.sh"
	[ "$(sed 's|.*/||' called | cut -d' ' -f1,2 | xargs)" = "apt-get update apt-get install" ]
	PATH=$PWD/some run -2 "$sh" "$TOP/mk/setup.sh" all
}
