# shellcheck shell=bash
# Loaded by the tests that want a whole site.

# The sample site here, as an administrator would set it up: conf.d, and a
# Makefile of three lines that leads to the rules.
site() {
	cp -r "$TOP/conf.d" .
	ln -sfn "$TOP/mk" mk
	printf 'MK := mk\n\ninclude $(MK)/site.mk\n' >Makefile
}

# make, without what a make around the tests has told us.
m() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKE_TERMOUT make "$@"
}

# The sample site with everything issued and rolled.
ready_site() {
	site
	m -j2 renew && m roll
}

# stamped SECONDS: a moment relative to now, as openssl ca wants it.
stamped() { date -u -d "@$(($(date +%s) + $1))" +%Y%m%d%H%M%SZ; }

# dated DIR FROM UNTIL [KEYOPTION...]: in DIR a self-signed certificate for
# example.com and www.example.com, valid from FROM to UNTIL (seconds from now).
dated() {
	local dir=$1 from=$2 until=$3
	shift 3
	[ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-384
	mkdir -p "$dir"
	openssl genpkey "$@" -out "$dir/privkey.pem" 2>/dev/null
	printf '%s\n' '[ca]' 'default_ca = d' '[d]' "database = $dir/.db" "new_certs_dir = $dir" \
	    'rand_serial = yes' 'default_md = sha256' 'policy = p' 'x509_extensions = x' \
	    'unique_subject = no' '[p]' 'commonName = supplied' '[x]' \
	    "subjectAltName = ${SANS:-DNS:example.com,DNS:www.example.com}" \
	    '[req]' 'distinguished_name = n' '[n]' >"$dir/.cnf"
	: >"$dir/.db"
	openssl req -new -key "$dir/privkey.pem" -subj /CN=example.com -config "$dir/.cnf" \
	    -addext "subjectAltName=${SANS:-DNS:example.com,DNS:www.example.com}" \
	    -out "$dir/csr.pem"
	openssl ca -batch -selfsign -config "$dir/.cnf" -keyfile "$dir/privkey.pem" -in "$dir/csr.pem" \
	    -startdate "$(stamped "$from")" -enddate "$(stamped "$until")" \
	    -notext -out "$dir/cert.pem" 2>/dev/null
	rm -f "$dir"/.db* "$dir/.cnf" "$dir"/[0-9A-F]*.pem
}

# in_use SERVICE FROM UNTIL [KEYOPTION...]: such a certificate as its curr.
in_use() {
	local dir=certs/$1
	shift
	dated "$dir/db/20200101T000000Z" "$@"
	ln -sfn db/20200101T000000Z "$dir/curr"
}

export day=86400

# Programs that die with their whole run: the Nth program that is started dies
# by SIGKILL at its Mth change to the file system, and everything around it too.
deadly() {	# n m
	mkdir -p deadly
	rm -f deadly/*
	echo 0 >deadly.n
	for p in "$SSLM_BIN"/sslm-*; do
		cat >"deadly/${p##*/}" <<-END
		#!/bin/bash
		exec 8>>deadly.lock; flock 8
		n=\$((\$(cat deadly.n) + 1)); echo \$n >deadly.n.new; mv deadly.n.new deadly.n
		flock -u 8; exec 8>&-
		[ \$n = $1 ] || exec '$p' "\$@"
		strace -qq -o /dev/null -e trace=rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,unlink,unlinkat,rmdir,fsync,syncfs,fchmod \
		    -e inject=rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,unlink,unlinkat,rmdir,fsync,syncfs,fchmod:signal=KILL:when=$2 '$p' "\$@"
		[ \$? = 137 ] || exit 0
		touch killed
		kill -9 -- -\$(ps -o pgid= \$\$ | tr -d ' ')
		END
		chmod +x "deadly/${p##*/}"
	done
}

# killed_run N M TARGET: false when there is no Nth program any more.
killed_run() {
	deadly "$1" "$2"
	rm -f killed
	SSLM_BIN=$PWD/deadly setsid env -u MAKEFLAGS make -j2 "$3" >/dev/null 2>&1 || true
	# The run is over when the last of its processes is gone, not the first.
	[ ! -e certs/.lock ] || flock certs/.lock true
	[ "$(cat deadly.n)" -ge "$1" ]
}
