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

# What changes files.  One that is killed before it has synced them leaves what it would
# leave before its next change.
export CHANGES=rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,unlink,unlinkat,rmdir,fchmod,ftruncate

# In ./deadly a stand-in for each program.  It takes a number, does what is on standard
# input, in the words of a shell that has the number in n, the program in p and an
# option for strace in f, and becomes the program.
stand_ins() {
	local p what
	what=$(cat)
	mkdir -p deadly
	rm -f deadly/* calls.*
	echo 0 >deadly.n
	for p in "$SSLM_BIN"/sslm-*; do
		cat >"deadly/${p##*/}" <<-END
		#!/bin/bash
		exec 6>>deadly.lock; flock 6
		n=\$((\$(cat deadly.n) + 1)); echo \$n >deadly.n.new; mv deadly.n.new deadly.n
		flock -u 6; exec 6>&-
		p='$p' f=
		# With the programs that this one starts itself; not with a restart_cmd.
		case \$p in *acme) f=-f ;; esac
		$what
		exec "\$p" "\$@"
		END
		chmod +x "deadly/${p##*/}"
	done
}

# with_stand_ins COMMAND...: to the end, which is when the last process is gone.
with_stand_ins() {
	SSLM_BIN=$PWD/deadly setsid env -u MAKEFLAGS "$@" >/dev/null 2>&1 || true
	[ ! -e certs/.lock ] || flock certs/.lock true
}

# points COMMAND...: all the places where a run of it can be killed, `N NAME K PROGRAM':
# the Nth program at its Kth call of NAME.  strace counts each name, and each process, by
# itself.  The command is run once for that.
points() {
	local f
	stand_ins <<-'END'
	strace $f -qq -o "calls.$n.${p##*/}" -e signal=none -e trace="$CHANGES" "$p" "$@"; exit
	END
	with_stand_ins "$@"
	for f in calls.*; do
		sed -nE 's/^([0-9]+ +)?([a-z0-9_]+)\(.*/\1 \2/p' "$f" |
		    awk -v f="$f" '{ k = ++seen[$0]; name = $NF; if (k > most[name]) most[name] = k }
			END { split(f, part, "."); for (name in most) for (k = 1; k <= most[name]; k++)
			    print part[2], name, k, part[3] }'
	done | sort -k1n -k2 -k3n
}

# Of these the first and the last place of each program that is the same otherwise.
ends() {
	awk '{ line[NR] = $0; way[NR] = $2 " " $3 " " $4; last[way[NR]] = NR }
	    END { for (i = 1; i <= NR; i++) if (!seen[way[i]]++ || last[way[i]] == i) print line[i] }'
}

# killed_run N NAME K COMMAND...: dies there by SIGKILL, with all that is around it;
# false if it did not come so far.
killed_run() {
	rm -f killed
	stand_ins <<-END
	if [ \$n = $1 ]; then
		strace \$f -q -o calls -e signal=KILL -e trace=$2 -e inject=$2:signal=KILL:when=$3 "\$p" "\$@"
		was=\$?
		grep -q '+++ killed by SIGKILL' calls || exit \$was
		touch killed
		kill -9 -- -\$(ps -o pgid= \$\$ | tr -d ' ')
	fi
	END
	with_stand_ins "${@:4}"
	[ -e killed ]
}
