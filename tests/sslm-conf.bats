setup() { load helper; load site; workdir; site; }

web=conf.d/example.com/web-ec

@test "the sample site is right, and silent" {
	run -0 sslm-conf
	[ -z "$output" ]
}

@test "the configuration of the user's manual of ssl-mgr is read without an error" {
	rm -r conf.d
	mkdir -p conf.d/example.com conf.d/example.net conf.d/ca
	cat >conf.d/ca-info.conf <<-'END'
	[le-dns] # Used to sign client certs
	    ca_desc = 'Letsencrypt: dns-01 validation'
	    ca_type = 'certbot'
	    ca_validation = 'dns-01'
	[le-http]
	    ca_desc = 'Letsencrypt: http-01 validation'
	    ca_type = 'certbot'
	    ca_validation = 'http-01'
	[my-root]
	    ca_desc = 'My Self signed root : EC signs my intermediate certs'
	    ca_type = 'self'
	[my-sub]
	    ca_desc = 'My intermediate : EC signs client certs'
	    ca_type = 'local'
	END
	cat >conf.d/ssl-mgr.conf <<-'END'
	[globals]
	   verb = true
	   sslm_auth_hook = '/usr/lib/ssl-mgr/sslm-auth-hook'
	   prod_cert_dir = '/etc/ssl-mgr/prod-certs'
	   logdir = '/var/log/ssl-mgr/ssl-mgr/Logs'
	  clean_keep = 5
	   min_roll_mins = 90
	   renew_expire_days = 30
	   dns_check_delay = 240
	   dns_xtra_ns = ['1.1.1.1', '8.8.8.8', '9.9.9.9', '208.67.222.222']
	   post_copy_cmd = [['example.com', '/etc/ssl-mgr/tools/update-permissions'],
	                     ['voip.example.com', '/etc/ssl-mgr/tools/voip-checker']]
	[[groups]]
	   active=true
	   domain='example.net'
	   services=['web-ec']
	[[groups]]
	   active=true
	   domain = 'example.com'
	   services = ['mail-ec', 'mail-rsa', 'web-ec']
	[[groups]]
	   active=true
	   domain = 'ca'
	   services = ['my-root', 'my-sub']
	[[dns_primary]]
	   domain = 'default'
	   server = '10.1.2.3'
	   port = 11153
	[[dns_primary]]
	   domain = 'example.com'
	   server = '10.1.2.3'
	   port = 11153
	[dns]
	   restart_cmd = '/etc/dns_tools/scripts/resign.sh'
	   acme_dir = '/etc/dns_tool/dns/external/staging/zones/include-acme'
	   tlsa_dirs = ['/etc/dns_tool/internal/staging/zones/include-tlsa',
	                '/etc/dns_tool/external/staging/zones/include-tlsa',
	   ]
	   depends = ['dns']
	[smtp]
	   servers = ['smtp1.internal.example.com', 'smtp2.internal.example.com']
	   restart_cmd = ['/usr/bin/postmap -F lmdb:/etc/postfix/sni_maps', '/usr/bin/postfix reload']
	   svc_depends = [['example.com', ['mail-rsa', 'mail-ec']]]
	   depends = ['dns']
	[imap]
	   servers = ['imap.internal.example.com']
	   restart_cmd = '/usr/bin/systemctl restart dovecot'
	   svc_depends = [['example.com', ['mail-rsa', 'mail-ec']]]
	[web]
	   servers = ['web.internal.example.com']
	   restart_cmd = '/usr/bin/systemctl reload nginx'
	   server_dir = '/srv/http/Sites'
	   svc_depends = [['any', ['web-ec']]]
	[other]
	   servers = ['backup.internal.example.com', 'voip.internal.example.com']
	   restart_cmd = ''
	END
	cat >conf.d/example.com/mail-ec <<-'END'
	name = 'Example.com Mail'
	group = 'example.com'
	service = 'mail-ec'
	signing_ca = 'le-dns'
	renew_expire_days = 30
	dane_tls = [[25, 'tcp', 3, 1, 1]]
	[KeyOpts]
	    ktype = 'ec'
	    ec_algo = 'secp384r1'
	[X509]
	    CN = 'example.com'
	    O = 'Example Company'
	    OU = 'IT Mail'
	    L = ''
	    ST = ''
	    C = 'US'
	    email = 'hostmaster@example.com' # required to register with letsencrypt
	    sans = ['example.com', 'smtp.example.com', 'imap.example.com', 'mail.example.com']
	END
	for s in com/mail-rsa com/web-ec net/web-ec; do
		sed "s/mail-ec/${s#*/}/; s/example.com/example.${s%/*}/; s/'le-dns'/'le-http'/; /^dane_tls/d" \
		    conf.d/example.com/mail-ec >conf.d/example.$s
	done
	sed -i "s/ktype = 'ec'/ktype = 'rsa'/; s/ec_algo.*/rsa_bits = 4096/" conf.d/example.com/mail-rsa
	for s in my-root my-sub; do
		sed "s/'mail-ec'/'$s'/; s/'example.com'/'ca'/; s/'le-dns'/'my-root'/; /^dane_tls/d; /sans/d" \
		    conf.d/example.com/mail-ec >conf.d/ca/$s
	done
	sed -i "s/signing_ca = .*/signing_ca = 'self'/" conf.d/ca/my-root
	run -0 sslm-conf
	[ -z "$output" ]
	[ "$(sslm-conf -l | xargs)" = 'example.net/web-ec example.com/mail-ec example.com/mail-rsa example.com/web-ec ca/my-root ca/my-sub' ]
	run -0 sslm-conf -p logdir
	[ "$output" = /var/log/ssl-mgr/ssl-mgr/Logs ]
	run -0 sslm-conf -p dns_xtra_ns
	[ "${lines[3]}" = 208.67.222.222 ]
	run -0 sslm-conf -g
	grep -qx 'order/$S $D/next/cert.pem: private FLAGS := -c le-dns' certs/example.com/mail-ec/Makefile
	grep -qx "smtp	smtp2.internal.example.com" certs/servers
	[ "$(wc -l <certs/servers)" = 6 ]
}

@test "what an ACME CA will want to see has to have a place before it is asked" {
	printf "[le]\nca_type = 'acme'\nca_url = 'https://ca.test/dir'\nca_validation = '%s'\n" dns-01 >>conf.d/ca-info.conf
	sed -i "s/^signing_ca = .*/signing_ca = 'le'/" $web
	run -2 sslm-conf -g example.com:web-ec
	[ "$output" = "sslm-conf: $web: dns-01 challenges need [dns] with 'acme_dir' or 'update' in conf.d/ssl-mgr.conf" ]
	[ ! -e certs/example.com/web-ec ]
	# That is what is meant if nothing is said.
	for said in '' DNS dns-01; do
		sed -i "s/ca_validation = .*/ca_validation = '$said'/" conf.d/ca-info.conf
		run -2 sslm-conf -g example.com:web-ec
		[[ $output == *"dns-01 challenges need [dns]"* ]]
	done
	printf "[dns]\nacme_dir = 'zones'\n" >>conf.d/ssl-mgr.conf
	run -0 sslm-conf -g example.com:web-ec
	sed -i "s/dns-01/http-01/" conf.d/ca-info.conf
	run -2 sslm-conf -g example.com:web-ec
	[[ $output == *"http-01 challenges need [web] with 'server_dir'"* ]]
	# What is validated by a record that stays needs no place.
	sed -i "s/http-01/dns-persist-01/" conf.d/ca-info.conf
	run -0 sslm-conf -g example.com:web-ec
	sed -i "/ca_url/d" conf.d/ca-info.conf
	run -2 sslm-conf -g example.com:web-ec
	[[ $output == *"CA 'le' has no ca_url"* ]]
}

@test "the URL of a CA has https, its name and its kind of challenge are known" {
	for bad in "ca_url = 'http://ca.test/dir'" "ca_test_url = 'https://ca.test/a b'" \
	    "ca_validation = 'tls-alpn-01'"; do
		cp conf.d/ca-info.conf was
		printf "[le]\nca_type = 'acme'\n%s\n" "$bad" >>conf.d/ca-info.conf
		run -2 sslm-conf
		[[ $output == *conf.d/ca-info.conf:* ]]
		mv was conf.d/ca-info.conf
	done
	printf "['le dns']\nca_type = 'acme'\n" >>conf.d/ca-info.conf
	run -2 sslm-conf
	[[ $output == *"'le dns' cannot be the name of a CA"* ]]
}

@test "[globals] may be left out, and counts for more than the top level" {
	sed -i 's/^\[globals\]//; s/^ *clean_keep.*/clean_keep = 3/' conf.d/ssl-mgr.conf
	run -0 sslm-conf -p clean_keep
	[ "$output" = 3 ]
	printf '[globals]\nclean_keep = 4\n' >>conf.d/ssl-mgr.conf
	run -0 sslm-conf -p clean_keep
	[ "$output" = 4 ]
}

@test "defaults" {
	printf '[[groups]]\ndomain = "ca"\nactive = true\nservices = ["my-root"]\n' >conf.d/ssl-mgr.conf
	for kv in clean_keep=10 min_roll_mins=90 dns_check_delay=0 \
	    prod_cert_dir=/etc/ssl-mgr/prod-certs logdir=/var/log/ssl-mgr; do
		[ "$(sslm-conf -p "${kv%%=*}")" = "${kv#*=}" ]
	done
	[ "$(sslm-conf -p dns_xtra_ns | xargs)" = "1.1.1.1 8.8.8.8 9.9.9.9 208.67.222.222" ]
	sed -i '1i dns_xtra_ns = []' conf.d/ssl-mgr.conf
	[ -z "$(sslm-conf -p dns_xtra_ns)" ]
}

@test "an unknown key is a warning with its place and what was meant" {
	sed -i "s/sans = /sanz = /" $web
	run -0 sslm-conf example.com:web-ec
	n=$(grep -n sanz $web | cut -d: -f1)
	[ "$output" = "sslm-conf: $web:$n: unknown key 'sanz' (did you mean 'sans'?)" ]
	sed -i "s/clean_keep = .*/clean_keeep = 3/" conf.d/ssl-mgr.conf
	run -0 sslm-conf example.com:mail-ec
	[[ $output == *"conf.d/ssl-mgr.conf:"*": unknown key 'clean_keeep' (did you mean 'clean_keep'?)" ]]
	printf '[unheard]\nof = 1\n' >>conf.d/ssl-mgr.conf
	run -0 sslm-conf example.com:mail-ec
	[[ $output == *"unknown table 'unheard'"* ]]
}

@test "hosts that sslm-deploy would refuse after a renewal are refused before" {
	cp conf.d/ssl-mgr.conf was
	for bad in "servers = ['a b']|[smtp] servers: not a host" "servers = ['localhost', '-x']|[smtp] servers: not a host" \
	    "servers = 'mx1'|prod_cert_dir 'prod-certs' is not absolute, and 'mx1' another machine"; do
		printf '[smtp]\nrestart_cmd = "true"\n%s\n' "${bad%|*}" | cat was - >conf.d/ssl-mgr.conf
		run -2 sslm-conf
		[[ $output == "sslm-conf: conf.d/ssl-mgr.conf:"*"${bad#*|}" ]]
		m renew >/dev/null || :
		run -2 sslm-deploy -n
		[[ $output == *"${bad#*|}"* ]]
	done
	sed "s|^\[globals\]|&\npost_copy_cmd = [['-x', 'true']]|" was >conf.d/ssl-mgr.conf
	run -2 sslm-conf
	[[ $output == *'post_copy_cmd: not a host' ]]
	# Whom it sends nothing, and who is here.
	printf '[smtp]\nrestart_cmd = "true"\nservers = ["mx1"]\nskip_prod_copy = true\n[imap]\nservers = "localhost"\n' |
	    cat was - >conf.d/ssl-mgr.conf
	run -0 sslm-conf
	[ -z "$output" ]
}

@test "svc_depends that names nothing is a warning, since a server would never be told" {
	printf '[smtp]\nrestart_cmd = "true"\nsvc_depends = [["example.com", ["mail-ec",\n"mail-rs"]], ["ANY", "web-ec"],\n["ca", "all"], ["example.org", ["ALL"]], ["any", "x"]]\n' >>conf.d/ssl-mgr.conf
	n=$(wc -l <conf.d/ssl-mgr.conf)
	cat >expect <<-END
	sslm-conf: conf.d/ssl-mgr.conf:$((n - 1)): [smtp] svc_depends names 'example.com:mail-rs', which is no service of an active group
	sslm-conf: conf.d/ssl-mgr.conf:$n: [smtp] svc_depends names 'example.org:ALL', which is no service of an active group
	sslm-conf: conf.d/ssl-mgr.conf:$n: [smtp] svc_depends names 'any:x', which is no service of an active group
	END
	for how in '' -g; do
		run -0 sslm-conf $how
		diff expect - <<<"$output"
	done
	# Not again with every run, nor of a part.
	run -0 sslm-conf example.com
	[ -z "$output" ]
	m renew >out 2>&1
	run ! grep svc_depends out
	sed -i '0,/active = true/s//active = false/' conf.d/ssl-mgr.conf
	run -0 sslm-conf
	[[ $output == *"'ca:all'"* ]]
	sed -i 's/active = true/active = false/' conf.d/ssl-mgr.conf
	run -0 sslm-conf
	[ "${#lines[@]}" = 1 ]
}

# wrong SED-EXPRESSION MESSAGE-PART [FILE]: an impossible value: status 2, the
# place, the reason, and nothing made.
wrong() {
	local file=${3:-$web} kept
	kept=$(cat "$file")
	sed -i "$1" "$file"
	[ "$kept" != "$(cat "$file")" ] || { echo "no change by $1"; false; }
	run -2 sslm-conf
	echo "$1: $output"
	[[ $output == *"$file"*"$2"* ]]
	run -2 sslm-conf -g
	[ ! -e certs/example.com/web-ec/Makefile ]
	printf '%s\n' "$kept" >"$file"
	rm -rf certs
}

@test "impossible values in a service file" {
	wrong "s/'secp384r1'/'secp999r1'/" "unknown curve 'secp999r1'"
	wrong "s/ktype = 'ec'/ktype = 'ecc'/" "unknown ktype 'ecc' (did you mean 'ec'?)"
	wrong "s/ktype = 'ec'/ktype = 'rsa'\nrsa_bits = 1024/" "from 2048 to 8192, not 1024"
	wrong "s/ktype = 'ec'/ktype = 'rsa'\nbits = '4096x'/" "has to be a number"
	wrong "s/C = 'US'/C = 'USA'/" "two letters"
	wrong "s/sans = .*/sans = ['a b']/" "'a b' cannot be in a certificate"
	wrong "s/sans = .*/sans = ['ex..ample.com']/" "'ex..ample.com' cannot"
	wrong "s/sans = .*/sans = ['*.com']/" "wildcard"
	wrong "s/sans = .*/sans = ['192.0.2.300']/" "'192.0.2.300' cannot"
	wrong "s/sans = .*/sans = [1]/" "list of strings"
	wrong "s/signing_ca = .*/signing_ca = 'nobody'/" "'signing_ca' is not in conf.d/ca-info.conf"
	wrong "s/^group = .*/group = 'example.org'/" "'group' is not the directory"
	wrong "s/^service = .*/service = 'web'/" "'service' is not the name of the file"
	wrong "1i dane_tls = [[25, 'tcp', 3, 1]]" "dane_tls has to be"
	wrong "1i dane_tls = [[70000, 'tcp', 3, 1, 1]]" "dane_tls has to be"
	wrong "1i dane_tls = [[25, 'tcp', 4, 1, 1]]" "dane_tls has to be"
	wrong "1i dane_tls = [[25, 'tcp', 3, 1, 1, 'ALL']]" "dane_tls has to be"
	wrong "s/O = .*/O = '$(printf 'x%.0s' {1..65})'/" "too long"
	wrong 's/O = .*/O = "a\\nb"/' "without control characters"
	wrong "s/C = 'US'/C = 'US'\next_key_usage = ['serverauth']/" "did you mean 'serverAuth'"
	wrong "s/C = 'US'/C = 'US'\next_key_usage = ['serverAuth', 'serverAuth']/" "'serverAuth' is given twice"
	wrong 's/secp384r1/SM2/' "unknown curve 'SM2'"
	wrong "1i renew_expire_days = -1" "from 0 to"
	wrong "1i [renew_info]\ntarget_x = 3" "number of days"
	wrong "/CN = /d; /sans = /d" "no name"
}

@test "impossible values in ssl-mgr.conf and ca-info.conf" {
	f=conf.d/ssl-mgr.conf
	wrong "s/min_roll_mins = .*/min_roll_mins = 'soon'/" "has to be a number" $f
	wrong "s/prod_cert_dir = .*/prod_cert_dir = ''/" "is empty" $f
	wrong "s/domain = 'example.com'/domain = '..\/etc'/" "domain" $f
	wrong "s/'web-ec'/'web ec'/" "not a name for a service" $f
	wrong "\$a [smtp]\nservers = 'a'\ndepends = ['certs']" "did you mean 'cert'" $f
	wrong "\$a [smtp]\nservers = 'a'\nsvc_depends = ['any']" "svc_depends" $f
	wrong "\$a [[dns_primary]]\nport = 53" "domain" $f
	wrong "\$a [[dns_primary]]\ndomain='default'\nserver='::1'\nport = 0" "from 1 to 65535" $f
	f=conf.d/ca-info.conf
	wrong "s/ca_type = 'local'/ca_type = 'locall'/" "did you mean 'local'" $f
	wrong "s/ca_type = 'local'/ca_type = 'acme'\nca_validation = 'tls'/" "dns-01" $f
}

@test "one bad service leaves the others written, and the status says so" {
	echo 'x' >>$web
	run -2 sslm-conf -g
	[ -f certs/example.com/mail-ec/Makefile ]
	[ ! -e certs/example.com/web-ec/Makefile ]
}

@test "a file whose content would be the same is left alone, its time too" {
	sslm-conf -g -m ../mk
	find certs -printf '%p %T@ %i\n' | sort >before
	echo '# a comment' >>$web
	run -0 sslm-conf -g -m ../mk
	find certs -printf '%p %T@ %i\n' | sort | diff - before
	sed -i "s/'www.example.com'/'www2.example.com'/" $web
	run -0 sslm-conf -g -m ../mk
	[ "$(find certs -printf '%p %T@ %i\n' | sort | diff - before | grep -c '^<')" = 2 ]
	grep -qx 'name www2.example.com' certs/example.com/web-ec/request
}

@test "services by group:list, ALL, *, path, and a bare group" {
	run -0 sslm-conf -l
	[ "$(echo "$output" | xargs)" = "ca/my-root ca/my-int example.com/mail-ec example.com/web-ec" ]
	run -0 sslm-conf -l example.com:web-ec,mail-ec ca:my-int
	[ "$(echo "$output" | xargs)" = "example.com/web-ec example.com/mail-ec ca/my-int" ]
	for all in ALL all '*' ''; do
		run -0 sslm-conf -l "example.com:$all"
		[ "$(echo "$output" | xargs)" = "example.com/mail-ec example.com/web-ec" ]
	done
	run -0 sslm-conf -l example.com certs/ca/my-int/
	[ "${lines[2]}" = ca/my-int ]
	run -0 sslm-conf -l example.com:web-ec example.com/web-ec
	[ "$output" = example.com/web-ec ]
	run -2 sslm-conf -l example.com:nothing ca:my-int
	[ "${lines[1]}" = ca/my-int ] || [ "${lines[0]}" = ca/my-int ]
}

@test "services = '*' takes what looks like a service, and nothing else" {
	sed -i "s/services = \['mail-ec', 'web-ec'\]/services = '*'/" conf.d/ssl-mgr.conf
	echo 'notes of mine' >conf.d/example.com/README
	cp $web conf.d/example.com/web-ec~
	cp $web conf.d/example.com/.web-ec.swp
	ln -s web-ec conf.d/example.com/a-link
	mkdir conf.d/example.com/a-dir
	run -0 sslm-conf -l
	[ "$(echo "$output" | xargs)" = "ca/my-root ca/my-int example.com/mail-ec example.com/web-ec" ]
}

@test "inactive groups are left out, the last of two for a domain counts" {
	sed -i '0,/active = true/s//active = false/' conf.d/ssl-mgr.conf
	run -0 sslm-conf -l
	[ "${lines[0]}" = example.com/mail-ec ]
	printf "[[groups]]\nactive = true\ndomain = 'example.com'\nservices = ['web-ec']\n" >>conf.d/ssl-mgr.conf
	run -0 sslm-conf -l
	[ "$output" = example.com/web-ec ]
	run -0 sslm-conf
	[ -z "$output" ]
	# None at all is mostly a mistake.
	sed -i 's/active = true/active = false/' conf.d/ssl-mgr.conf
	for how in '' -g; do
		run -0 sslm-conf $how
		[ "$output" = "sslm-conf: warning: 'conf.d/ssl-mgr.conf' has no services in active groups" ]
	done
	run -0 sslm-conf example.com
	[ -z "$output" ]
}

@test "names that make or a shell would act on are refused everywhere" {
	for bad in 'x;touch pwned' '$(shell touch pwned)' 'a b' 'a:b' 'a#b' 'a%b' 'a=b' '../up' '-x' \
	    'a`id`' "a'b" 'define' 'include' 'Makefile' 'ALL' '~root' 'a..b' $'a\tb' "$(printf 'x%.0s' {1..65})"; do
		cp $web "conf.d/example.com/${bad//\//_}" 2>/dev/null || true
		[ "$bad" = ALL ] || run -2 sslm-conf -l "example.com:$bad,"
		printf '[[groups]]\nactive = true\ndomain = "x"\nservices = [%s]\n' \
		    "$(jq -n --arg s "$bad" '$s')" >conf.d/ssl-mgr.conf
		case $bad in
		ALL) ;;
		*) run -2 sslm-conf ;;
		esac
		site >/dev/null 2>&1 || true
		cp "$TOP/conf.d/ssl-mgr.conf" conf.d/
	done
	[ ! -e pwned ]
}

@test "every printable byte in a service name is refused or harmless to make" {
	for i in $(seq 33 126); do
		# shellcheck disable=SC2059
		c=$(printf "\\$(printf %03o "$i")")
		[ "$c" != / ] || continue
		name="a${c}b"
		sed "s/^service = .*//" $web >"conf.d/example.com/$name"
		if sslm-conf -g "example.com:$name" 2>/dev/null; then
			(cd "certs/example.com/$name" && : && make -rRn -f Makefile MK=x SSLM_SITE=yes -p 2>/dev/null |
			    grep -qF "certs/example.com/$name/next/cert.pem") || { echo "$name is lost"; false; }
		else
			[[ $c != [A-Za-z0-9._-] ]] || { echo "$name is refused"; false; }
		fi
	done
}

@test "hostile values stay what they are: no shell and no make sees them" {
	# shellcheck disable=SC2016
	O='$(shell touch pw) $$(touch pw) `touch pw` ; # : % \ "q" '"'"'ü'
	printf "s/O = .*/O = %s/\n" "$(jq -n --arg s "$O" '$s' | sed 's/[\\/&]/\\&/g')" >expr
	sed -i -f expr $web
	m renew SERVICES='ca example.com:web-ec'
	[ -z "$(ls pw 2>/dev/null)" ]
	openssl x509 -in certs/example.com/web-ec/next/cert.pem -noout -subject -nameopt sep_multiline,utf8 |
	    sed -n 's/^ *O=//p' >got
	printf '%s\n' "$O" | diff - got
	grep -qF "$O" certs/example.com/web-ec/request
	run ! grep -rF pw certs/example.com/web-ec/Makefile
}

@test "the Makefile of a service says which file comes from which" {
	sslm-conf -g
	make -rR -p -n -f certs/example.com/web-ec/Makefile SSLM_SITE=yes 2>/dev/null >db
	grep -q '^certs/example.com/web-ec/next/cert.pem: certs/example.com/web-ec/next/csr.pem' db
	grep -q '^certs/example.com/web-ec/next/csr.pem: certs/example.com/web-ec/request | certs/example.com/web-ec/next/privkey.pem' db
}

@test "the signer's [CA] gives days and digest" {
	sslm-conf -g
	grep -q -- '-d sha384 -e 90$' certs/example.com/web-ec/Makefile
	sed -i "s/sign_end_days = .*/sign_end_days = 47/; s/digest = .*/digest = 'SHA256'/" conf.d/ca/my-int
	sslm-conf -g
	grep -q -- '-d sha256 -e 47$' certs/example.com/web-ec/Makefile
	grep -q -- '-d sha384 -e 3650 -l 0$' certs/ca/my-int/Makefile
	# Its own, of who signs itself; and what is meant if nothing is said.
	sed -i "s/sign_end_days = .*/sign_end_days = 777/; s/digest = .*/digest = 'sha512'/" conf.d/ca/my-root
	sslm-conf -g
	grep -q -- '-d sha512 -e 777 -l 1$' certs/ca/my-root/Makefile
	grep -q -- '-d sha512 -e 777 -l 0$' certs/ca/my-int/Makefile
	for none in '/sign_end_days/d; s/digest = .*/digest = ""/' '$a sign_end_days = 0'; do
		sed -i "$none" conf.d/ca/my-root
		sslm-conf -g
		grep -q -- '-d sha384 -e 3650 -l 1$' certs/ca/my-root/Makefile
		grep -q -- '-d sha384 -e 90 -l 0$' certs/ca/my-int/Makefile
	done
}

@test "a service file that says little: EC on P-384, RSA of 4096 bits, its own key signs" {
	flags() { sed -n 's/^$D\/next\/privkey.pem: private FLAGS := //p' "certs/$1/Makefile"; }
	sed -i '/ktype/d; /ec_algo/d' $web
	sed -i "s/ktype = .*/ktype = 'RSA'/; /ec_algo/d" conf.d/example.com/mail-ec
	sslm-conf -g
	[ "$(flags example.com/web-ec)" = '-t ec -c secp384r1' ]
	[ "$(flags example.com/mail-ec)" = '-t rsa -b 4096' ]
	# 'bits' is what an example of ssl-mgr has.
	for bits in rsa_bits bits; do
		sed -i "/bits/d; s/^ktype.*\|^ *ktype.*/&\n    $bits = 3072/" conf.d/example.com/mail-ec
		sslm-conf -g
		[ "$(flags example.com/mail-ec)" = '-t rsa -b 3072' ]
	done
	# Of the ways to say that a root is one, and what a CA below it is.
	cp certs/ca/my-root/Makefile root
	cp certs/ca/my-int/Makefile int
	for said in '' "signing_ca = ''" "signing_ca = 'SELF'"; do
		{ echo "$said"; grep -v ^signing_ca conf.d/ca/my-root; } >new
		mv new conf.d/ca/my-root
		for type in self SELF local; do
			sed -i "s/ca_type = '\(self\|SELF\|local\)'/ca_type = '$type'/" conf.d/ca-info.conf
			sslm-conf -g
			cmp root certs/ca/my-root/Makefile
			cmp int certs/ca/my-int/Makefile
		done
	done
	grep -q 'root -k certs/ca/my-root/next/privkey.pem' root
	grep -q 'ca -s certs/ca/my-root ' int
}

@test "CAs that sign each other in a circle are refused" {
	sed -i "s/signing_ca = .*/signing_ca = 'my-int'/" conf.d/ca/my-root
	run -2 sslm-conf -g
	[[ $output == *"signed by a CA that it signs"* ]]
}

@test "-j prints a file as JSON" {
	printf 'a = 1\nd = 2020-01-01\n[t]\nx = [inf, "s"]\n' >f.toml
	run -0 sslm-conf -j f.toml
	[ "$(jq -cS . <<<"$output")" = '{"a":1,"d":"2020-01-01","t":{"x":["inf","s"]}}' ]
	run -2 sslm-conf -j nowhere
	run -2 sslm-conf -j f.toml extra
	run -75 bash -c 'sslm-conf -j f.toml >/dev/full'
	run -2 sslm-conf -C . -j conf.d/ssl-mgr.conf
}

@test "a value by name, or what may have been meant" {
	run -0 sslm-conf -p prod_cert_dir
	[ "$output" = prod-certs ]
	run -2 sslm-conf -p prod_cert_dirs
	[[ $output == *"did you mean 'prod_cert_dir'"* ]]
}

@test "a FIFO or a directory in place of a file does not hang" {
	rm conf.d/ca-info.conf
	mkfifo conf.d/ca-info.conf
	run -2 timeout 10 sslm-conf
	rm conf.d/ca-info.conf
	mkdir conf.d/ca-info.conf
	run -2 sslm-conf
}

@test "too many names are one message, not one for each" {
	cp -r "$TOP/conf.d" .
	sans=$(for i in $(seq 1500); do printf "'a%d.example.com'," "$i"; done)
	sed -i "s/sans = .*/sans = [$sans]/" conf.d/example.com/web-ec
	run -2 sslm-conf
	[ "$output" = "sslm-conf: conf.d/example.com/web-ec: more than 1000 names" ]
	sans=$(for i in $(seq 999); do printf "'a%d.example.com'," "$i"; done)
	sed -i "s/sans = .*/sans = [$sans]/" conf.d/example.com/web-ec
	run -0 sslm-conf
}

@test "a group may not have the name of a list in certs" {
	cp -r "$TOP/conf.d" .
	mkdir conf.d/services
	sed -i "s/'example.com'/'services'/" conf.d/ssl-mgr.conf
	run -2 sslm-conf -g
	[[ $output == *"needs a 'domain' that can be the name of a directory"* ]]
}

@test "a fault or warning in a CA's file is told once, however many it signs" {
	sed -i '1i zork = 1' conf.d/ca/my-int
	run -0 sslm-conf -g
	[ "$(grep -c "my-int:1: unknown key 'zork'" <<<"$output")" = 1 ]
	sed -i 's/secp384r1/secp999/' conf.d/ca/my-int
	run -2 sslm-conf -g example.com
	[ "$(grep -c "unknown curve" <<<"$output")" = 1 ]
	[ "$(grep -c "signed by 'ca:my-int', which cannot be used" <<<"$output")" = 2 ]
}

@test "a log that cannot be written is said once, and changes no status" {
	rm $web
	SSLM_LOG=$PWD/no/log run -2 sslm-conf
	[ "$(grep -c "sslm-conf: cannot open '$PWD/no/log': No such file or directory" <<<"$output")" = 1 ]
}

@test "a log on a full disk is said once, by its name" {
	rm $web
	SSLM_LOG=/dev/full run -2 sslm-conf
	[ "$(grep -c "sslm-conf: cannot write '/dev/full': No space left on device" <<<"$output")" = 1 ]
	[ "${#lines[@]}" = 2 ]
}

@test "a host that is none is told with its line, and what is right is written" {
	sed -i "s|prod_cert_dir = 'prod-certs'|prod_cert_dir = '/prod-certs'|" conf.d/ssl-mgr.conf
	printf '%s\n' '[web]' "servers = ['www1.example.com'," "    'a b']" '[dns]' "servers = '#'" >>conf.d/ssl-mgr.conf
	line=$(($(wc -l <conf.d/ssl-mgr.conf) - 2))
	for how in '' -g; do
		run -2 sslm-conf $how
		[ "$output" = "sslm-conf: conf.d/ssl-mgr.conf:$line: [web] servers: not a host" ]
	done
	[ -e certs/example.com/web-ec/Makefile ]
	# A renewal goes on; who goes to that host tells.
	echo example.com/web-ec >list
	run -0 sslm-conf -g -i list
}

@test "[dns] update has to be a server and a key file" {
	cp conf.d/ssl-mgr.conf was
	for good in 'ns1.example.com /k' '192.0.2.1#5353 a key' '2001:db8::1#53  k'; do
		{ cat was; printf '\n[dns]\n    update = "%s"\n' "$good"; } >conf.d/ssl-mgr.conf
		run -0 --separate-stderr sslm-conf -p clean_keep
		[ -z "$stderr" ]
	done
	line=$(($(wc -l <was) + 3))
	for bad in '"ns1"' '""' '"ns1 "' '" key"' '"ns1#0 k"' '"ns1#65536 k"' '"ns1#x k"' '"-x k"' '"a/b k"' '["ns1 k"]' 5; do
		{ cat was; printf '\n[dns]\n    update = %s\n' "$bad"; } >conf.d/ssl-mgr.conf
		run -2 sslm-conf -p clean_keep
		echo "$bad: $output"
		[[ $output == "sslm-conf: conf.d/ssl-mgr.conf:$line: 'update' "* ]]
	done
}
