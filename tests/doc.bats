# What the manuals say of names that the sources have: keys, targets, variables,
# messages; and the examples that need nothing but the programs.
setup() { load helper; workdir; }

# keys FILE TABLE: the keys of a table in src/FILE, one a line, as they are written there.
keys() {
	sed -n "/$2/,/NULL, WANT_DEAD/p" "$TOP/src/$1" |
	    sed -nE 's/^[[:space:]]*(GLOBAL|SERVER|MEMBER|KEY)\("?([A-Za-z_0-9]+)"?,.*/\2/p
		s/^[[:space:]]*\{"([A-Za-z_0-9]+)", WANT_.*/\1/p' | sort -u
}

# told PAGE SECTION: what .It Cm says in that section of a manual, commas or not.
told() {
	sed -n "/^\.Ss $2\$/,/^\.S[hs] /p" "$TOP/doc/$1" | sed -nE '/^\.It Cm /!d; s/^\.It Cm //; s/ (Pq|Ns) .*//; s/ , /\n/g; p' |
	    sort -u
}

same() {
	[ -s source ]
	diff source manual
}

@test "every key of the configuration is in its manual, and no other" {
	keys site.c 'define GLOBALS' >source; told ssl-mgr.conf.5 '\[globals\]' >manual; same
	keys list.c 'group_keys\[\]' >source; told ssl-mgr.conf.5 '\[\[groups\]\]' >manual; same
	keys site.c 'primary_keys\[\]' >source; told ssl-mgr.conf.5 '\[\[dns_primary\]\]' >manual; same
	keys site.c 'server_keys\[\]' >source; told ssl-mgr.conf.5 '\[dns\].*' >manual; same
	# Tables have sections of their own.
	keys service.c 'top_keys\[\]' | grep -vx 'renew_info\|KeyOpts\|X509\|CA' >source
	told sslm-service.5 'Top of the file' >manual; same
	keys service.c 'key_keys\[\]' >source; told sslm-service.5 '\[KeyOpts\]' >manual; same
	keys service.c 'x509_keys\[\]' >source; told sslm-service.5 '\[X509\]' >manual; same
	keys service.c 'ca_keys\[\]' >source; told sslm-service.5 '\[CA\]' >manual; same
	keys cainfo.c ' keys\[\]' >source
	{ told ca-info.conf.5 'Every CA'; told ca-info.conf.5 'ACME CAs'; } | grep '^ca_' | sort >manual; same
}

@test "the defaults that the manuals state are those of the programs" {
	mkdir -p conf.d/g
	touch conf.d/ssl-mgr.conf
	for key in clean_keep dns_check_delay logdir min_roll_mins prod_cert_dir sslm_auth_hook; do
		want=$(sed -nE "s/^\.It Cm $key Pq .*, default (Pa )?(.*)/\2/p" "$TOP/doc/ssl-mgr.conf.5")
		[ -n "$want" ]
		[ "$(sslm-conf -p $key)" = "$want" ]
	done
	want=$(sed -nE 's/^\.It Cm dns_xtra_ns Pq .*, default \[(.*)\]/\1/p' "$TOP/doc/ssl-mgr.conf.5")
	[ "$(sslm-conf -p dns_xtra_ns | xargs)" = "${want//,/}" ]
	# A service of which nothing is said but its name.
	printf '[X509]\n    CN = "a.example"\n' >conf.d/g/s
	sslm-conf -g g:s
	want=$(sed -nE 's/^\.It Cm ec_algo Pq .*, default Dq (.*)/\1/p' "$TOP/doc/sslm-service.5")
	grep -q -- "-t ec -c $want" certs/g/s/Makefile
	want=$(sed -nE 's/^\.It Cm digest Pq .*, default Dq (.*)/\1/p' "$TOP/doc/sslm-service.5")
	grep -q -- "-d $want" certs/g/s/Makefile
	printf '[KeyOpts]\n    ktype = "rsa"\n' >>conf.d/g/s
	sslm-conf -g g:s
	want=$(sed -nE 's/^\.It Cm rsa_bits , bits Pq .*, default (.*)/\1/p' "$TOP/doc/sslm-service.5")
	grep -q -- "-t rsa -b $want" certs/g/s/Makefile
}

@test "every target and variable of a site is in sslm(7), and no other" {
	sed -nE 's/^## ([a-z-]+): .*/\1/p; s/^(help): *$/\1/p' "$TOP/mk/site.mk" | sort -u >source
	told sslm.7 'Targets of make' >manual
	same
	# The head of site.mk says what it reads; what sets the stage is not for people.
	sed -n '/^# Reads:/,/^# Provides:/p' "$TOP/mk/site.mk" | grep -oE '\b[A-Z][A-Z_]+\b|\bV\b' |
	    grep -vx 'MK\|CA\|SSLM_BIN' | sort -u >source
	sed -n '/^\.Ss Targets of make/,/^\.Ss The test tree/p' "$TOP/doc/sslm.7" |
	    sed -nE 's/^\.It Ev ([A-Z_]+) .*/\1/p' | sort -u >manual
	same
}

@test "every environment variable that a program reads is in its manual or sslm(7)" {
	grep -ohE 'getenv\("[A-Z_]+"\)' "$TOP"/src/*.c | grep -oE '[A-Z_]{3,}' | sort -u >source
	[ -s source ]
	while read -r name; do
		grep -q "^\.It Ev $name\$" "$TOP/doc/sslm.7" "$TOP/doc/sslm-status.1"
	done <source
}

@test "the messages that sslm(7) explains are those of the sources" {
	cat "$TOP"/src/*.c "$TOP/mk/site.mk" "$TOP/bin/sslm-mgr" >all
	sed -n '/doc.bats: messages/,/^\.El/p' "$TOP/doc/sslm.7" | sed -n 's/^\.It //p' >said
	[ "$(wc -l <said)" -ge 10 ]
	# What another function says stands for itself.
	sed 's/\.\.\./\n/g; s/exit status/\n&\n/' said | sed 's/^ *//; s/ *$//' | grep . >parts
	while IFS= read -r part; do
		echo "$part"
		grep -qF -- "$part" all
	done <parts
}

@test "every program is named in the README, in sslm(7) and in the changelog" {
	for p in "$TOP"/src/sslm-*.c "$TOP"/bin/sslm-{mgr,import,auth-hook}; do
		p=${p##*/} p=${p%.c}
		grep -q "$p(1)" "$TOP/README.md"
		grep -q "^\.\(It \)\?Xr $p 1" "$TOP/doc/sslm.7"
		grep -qw -- "$p" "$TOP/CHANGELOG.md"
	done
}

@test "what manuals and README refer to is there" {
	cd "$TOP"
	sed -nE 's/^\.(It |Dq )?Xr ((sslm|ssl-mgr|ca-info)[a-z.-]*) ([0-9]).*/\2.\4/p' doc/*.[1-8] | sort -u |
	    while read -r page; do ls "doc/$page"; done
	grep -ohE '\]\([^)#]+\)' README.md CONTRIBUTING.md CHANGELOG.md | tr -d '()]' | grep -v '^http' |
	    while read -r file; do ls -d "$file"; done
}

# good ROOT LEAF: to another program.
good() { openssl verify -CAfile "$1" -untrusted "${2%/*}/chain.pem" "$2"; }

@test "by hand, as the README and sslm(7) have it" {
	sed -n '/^By hand, without a site/,/^## /p' "$TOP/README.md" | sed -n 's/^    //p' >readme
	[ "$(grep -c ^sslm- readme)" = 9 ]
	mkdir 1 2
	(cd 1 && sh -e ../readme && good root/cert.pem web/cert.pem)
	sed -n '/^\.Ss By hand/,/^\.Ed/p' "$TOP/doc/sslm.7" | sed -n '/^\.Bd/,$p' | grep -v '^\.' |
	    sed 's/\\e$/\\/' >manual
	[ "$(grep -c ^sslm- manual)" = 14 ]
	(cd 2 && sh -e ../manual && good root/cert.pem web/cert.pem)
}

@test "what a run leaves in a site is in sslm(7), with its mode" {
	load site
	ready_site
	m renew FORCE=1 TEST=1
	sed -n '/^\.Sh FILES/,/^\.Ed/p' "$TOP/doc/sslm.7" | grep -v '^\.' >files
	# A line has names, a mode perhaps, and what it is; sets stand for every set.
	awk '{ mode = ""; for (i = 1; i <= NF; i++) if ($i ~ /^0[0-7][0-7][0-7]$/) mode = $i
		for (i = 1; i <= NF && $i != mode; i++) { n = split($i, part, "/"); name = part[n]
			if (name == "") name = part[n - 1]
			sub(/,$/, "", name); print name, mode; if ($i !~ /,$/) break } }' files |
	    sed 's/20261121T023000Z/GENERATION/; s/^db GEN/GEN/' | sort -u >told
	find certs prod-certs -path certs/.test -prune -o ! -type l -printf '%f 0%m\n' -o -type l -printf '%f \n' |
	    sed -E 's/^[0-9]{8}T[0-9]{6}Z(-[0-9]+)?/GENERATION/; s/^(ca|example.com) /example.com /; s/^(my-int|my-root|mail-ec) /web-ec /' |
	    sort -u >there
	while read -r name mode; do
		echo "$name $mode"
		grep -qx -- "$name \?\($mode\)\?" told
	done <there
	[ "$(stat -c %a certs/.test)" = 700 ]
}

# typed WHAT: the lines of root behind that mark in sslm(7), for a test.
typed() {
	sed -n "/doc.bats: $1\$/,/^\.[EP]/p" "$TOP/doc/sslm.7" | sed -nE 's/^(\.Dl )?# //p' | sed "s|/root/|../|"
}

@test "a backup, and back to it after a roll, as sslm(7) has it" {
	load site
	mkdir was new
	cd was
	site
	printf '%s\n' '[web]' "restart_cmd = '$PWD/../told'" >>conf.d/ssl-mgr.conf
	printf '#!/bin/sh\ncat prod-certs/example.com/web-ec/curr/cert.pem >served\n' >../told
	chmod 755 ../told
	m renew && m roll
	cmp served certs/example.com/web-ec/curr/cert.pem
	cp served ../cert.pem
	typed backup | sh -e
	m renew FORCE=1 SERVICES=example.com
	m roll FORCE=1
	cp -r prod-certs served ../new
	cd ../new
	ln -s "$TOP/mk" mk
	typed restore | sed 's/make/env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL &/' | sh -e
	cmp ../cert.pem prod-certs/example.com/web-ec/curr/cert.pem
	cmp ../cert.pem served
	run -0 m verify check-prod
	run -0 m due
	[ -z "$output" ]
}

# examples PAGE: the blocks of its EXAMPLES, as PAGE.1 and so on.
examples() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$TOP/doc/$1" |
	    awk -v to="$1" '/^\.Bd -literal/ { n++; f = 1; next } /^\.Ed/ { f = 0 } f { print >(to "." n) }'
}

@test "the configuration in the manuals and in the README is taken without a word" {
	load site
	site
	for page in ssl-mgr.conf.5 ca-info.conf.5 sslm-service.5; do examples $page; done
	cat ca-info.conf.5.[1-9] >conf.d/ca-info.conf
	for f in sslm-service.5.[1-9]; do
		cp "$f" "conf.d/$(sed -n "s/^group = '\(.*\)'/\1/p" "$f")/$(sed -n "s/^service = '\(.*\)'/\1/p" "$f")"
	done
	run -0 sslm-conf ca example.com
	[ -z "$output" ]
	# Blocks that begin with a table; each is a file of its own here.
	awk '/^    \[/ && !f { n++; f = 1 } /^[^ ]/ { f = 0 } f { sub(/^    /, ""); print >("readme." n) }' "$TOP/README.md"
	[ "$(cat readme.* | grep -c '^\[')" -ge 6 ]
	for f in ssl-mgr.conf.5.[1-9] readme.[1-9]; do
		echo "$f: $(cat "$f")"
		if grep -q ca_type "$f"; then
			cat "$f" >>conf.d/ca-info.conf
			true >more
		else
			# A group that every machine has.
			sed "s/'ssl-cert'/'$(id -gn)'/" "$f" >more
		fi
		{
			printf "[[groups]]\nactive = true\ndomain = '%s'\nservices = 'ALL'\n" ca example.com
			cat more
		} >conf.d/ssl-mgr.conf
		run -0 sslm-conf
		[ -z "$output" ]
	done
}
