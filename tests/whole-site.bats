# A site as the user's manual of ssl-mgr has it, with all of its sections, hosts and
# services, run by the lines of cron.  pebble is the CA that it wants, knot its primary;
# servers' commands are stand-ins that note what they are told, and where.
setup() {
	load helper; load site; load dns; load acme; load deploy; workdir
	# Commands of conf.d are split at blanks.
	bin=$BATS_TEST_TMPDIR/bin
}
teardown() { lab_stop; dns_stop_all; }

mx='smtp1.internal.example.com smtp2.internal.example.com'
imap=imap.internal.example.com web=web.internal.example.com
others='backup.internal.example.com voip.internal.example.com'

# A service file, with the keys that the manual's has.
service() {	# group service ca kind dane SAN...
	mkdir -p "conf.d/$1"
	{
		printf "name = '%s'\ngroup = '%s'\nservice = '%s'\nsigning_ca = '%s'\nrenew_expire_days = 30\n" "$1 $2" "$1" "$2" "$3"
		[ -z "$5" ] || printf 'dane_tls = %s\n' "$5"
		case $4 in
		ec) printf "[KeyOpts]\nktype = 'ec'\nec_algo = 'secp384r1'\n" ;;
		rsa) printf "[KeyOpts]\nktype = 'rsa'\nrsa_bits = 2048\n" ;;
		esac
		printf "[X509]\nCN = '%s'\nO = 'Example Company'\nOU = 'IT Mail'\nL = ''\nST = ''\nC = 'US'\n" "${6-$2}"
		[ $# -lt 6 ] || printf "email = 'hostmaster@example.com'\nsans = [%s]\n" "$(printf "'%s'," "${@:6}")"
		[ "$1" != ca ] || printf "[CA]\nsign_end_days = 3650\ndigest = 'sha384'\n"
	} >"conf.d/$1/$2"
}

# ca-info.conf; what certbot is in the manual asks pebble here.
ca_info() {
	local how
	for how in dns http; do
		printf "[le-%s]\nca_desc = 'Letsencrypt: %s-01 validation'\nca_type = 'certbot'\nca_validation = '%s-01'\n" $how $how $how
		printf "ca_url = '%s'\nca_bundle = '%s'\nca_preferred_acme_profile = ''\n" "$ACME_URL" "$CA_BUNDLE"
	done
	printf "[my-root]\nca_desc = 'root'\nca_type = 'self'\n[my-sub]\nca_desc = 'sub'\nca_type = 'local'\n"
}

quoted() { printf "'%s'," "$@"; }

ssl_mgr_conf() {
	cat <<-END
	[globals]
	verb = true
	sslm_auth_hook = '/usr/lib/ssl-mgr/sslm-auth-hook'
	prod_cert_dir = '$PWD/p/prod'
	logdir = '$PWD/Logs'
	clean_keep = 5
	min_roll_mins = 90
	renew_expire_days = 30
	dns_check_delay = 0
	dns_xtra_ns = []
	post_copy_cmd = [['example.com', '$bin/update-permissions'], ['voip.internal.example.com', '$bin/voip-checker']]
	[[groups]]
	active=true
	domain='example.net'
	services=['web-ec']
	[[groups]]
	active=true
	domain='example.com'
	services=['mail-ec', 'mail-rsa', 'web-ec']
	[[groups]]
	active=true
	domain='ca'
	services=['my-root', 'my-sub']
	[[dns_primary]]
	domain = 'default'
	server = '$LAB_IP'
	port = 53
	[[dns_primary]]
	domain = 'example.com'
	server = '$LAB_IP'
	port = 53
	[dns]
	restart_cmd = '$bin/resign.sh'
	acme_dir = '$PWD/zones'
	tlsa_dirs = ['$PWD/internal', '$PWD/zones',]
	depends = ['dns']
	[smtp]
	servers = [$(quoted $mx)]
	restart_cmd = ['$bin/postmap -F lmdb:/etc/postfix/sni_maps', '$bin/postfix reload']
	svc_depends = [['example.com', ['mail-rsa', 'mail-ec']]]
	depends = ['dns']
	[imap]
	servers = ['$imap']
	restart_cmd = '$bin/systemctl restart dovecot'
	svc_depends = [['example.com', ['mail-rsa', 'mail-ec']]]
	[web]
	servers = ['$web']
	restart_cmd = '$bin/systemctl reload nginx'
	server_dir = '$PWD/web'
	svc_depends = [['any', ['web-ec']]]
	[other]
	servers = [$(quoted $others)]
	restart_cmd = ''
	END
}

# Stand-ins: each writes its name and its arguments, and the machine, to log.
stand_for() {
	local c
	mkdir -p "$bin"
	for c; do
		printf '#!/bin/sh\ncd "%s"\necho "$(cat p/name): %s${*:+ $*}" >>log\n' "$PWD" "$c" >"$bin/$c"
	done
	printf 'exec "%s" "$@"\n' "$PWD/dns-restart" >>"$bin/resign.sh"
	# Copies are seen where they come by: at ssh, once for each that rsync makes.
	sed -i "s|^exec unshare|case \$CMD in rsync*) echo \"copy \$HOST\" >>'$PWD/log' ;; esac\n&|" near/ssh
	chmod 755 "$bin"/*
}

whole_site() {
	dns_zone_site
	rm -r conf.d
	mkdir -p conf.d internal p
	# shellcheck disable=SC2086
	far_near $mx $imap $web $others
	stand_for update-permissions voip-checker postmap postfix systemctl resign.sh
	ca_info >conf.d/ca-info.conf
	ssl_mgr_conf >conf.d/ssl-mgr.conf
	service example.com mail-ec le-dns ec "[[25, 'tcp', 3, 1, 1]]" example.com smtp.example.com imap.example.com mail.example.com
	service example.com mail-rsa le-dns rsa "[[25, 'tcp', 3, 1, 1]]" example.com smtp.example.com imap.example.com mail.example.com
	service example.com web-ec le-http ec '' example.com www.example.com
	service example.net web-ec le-http ec '' example.net www.example.net
	service ca my-root self ec ''
	service ca my-sub my-root ec ''
	web_start "$PWD/web"
	# The mail host that the TLSA records are of, and the file that they come in.
	echo ';' >zones/tlsa.example.com
	printf '@ MX 10 smtp\n$INCLUDE tlsa.example.com\n' >>zones/example.com.zone
	knotc -c knot/knot.conf -b zone-reload example.com
	# sslm-mgr hands on no PATH, but says where programs are.
	ln -s "$SSLM_BIN"/sslm-* near/
	ln -s "$(command -v knotc)" near/ 2>/dev/null || :
	SSLM_BIN=$PWD/near
	: >log
}

# What has been noted since the last call: the three calls that a copy may take as one.
noted() { uniq log; : >log; }

# lines OF...: "HOST: OF" for both mail servers and so on, as a run has them.
# published LINK...: the name server has the records of these two keys, by openssl.
published() {
	local s l
	kdig +short @"$LAB_IP" _25._tcp.smtp.example.com TLSA | tr A-F a-f | tr -d ' ' | sort >served
	for l; do
		for s in ec rsa; do
			printf 311
			openssl x509 -in p/prod/example.com/mail-$s/$l/cert.pem -noout -pubkey |
			    openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
		done
	done | sort | diff - served
	cmp zones/tlsa.example.com internal/tlsa.example.com
}

rows() { printf '%s\n' "$@"; }

# settle: the next run, which is about TLSA records alone.
settle() {
	sslm-mgr -renew
	noted >settled
	[ "$(grep -v -e ^copy -e voip settled)" = "$(for h in $mx; do
		rows "$h: postmap -F lmdb:/etc/postfix/sni_maps" "$h: postfix reload"
	done)" ]
}

copies() { printf 'copy %s\n' "$@" | sort; }

@test "copies, post_copy, mail, web, DNS, in this order; each host has what it uses, and is told once" {
	whole_site
	run -0 sslm-conf
	[ -z "$output" ]
	# The first set, which has nothing to wait for.
	sslm-mgr -renew
	run -0 sslm-mgr -status
	[ "$(grep -cE 'ready to roll|rolls in|waits for DNS' <<<"$output")" = 6 ]
	# shellcheck disable=SC2086
	[ "$(grep ^copy log | sort -u)" = "$(copies $mx $imap $web $others)" ]
	# DNS was told of challenges, and last of their end and of the records; groups, and
	# never 'ca'.
	[ "$(grep resign log)" = "$(rows 'here: resign.sh --serial_bump example.com' 'here: resign.sh --serial_bump example.com')" ]
	[ "$(sed '1,/resign/d' log | grep -v '^copy')" = "$(rows 'here: voip-checker voip.internal.example.com' \
	    'here: resign.sh --serial_bump example.com')" ]
	[ "$(sed '/resign/q' log)" = $'copy web.internal.example.com\nhere: resign.sh --serial_bump example.com' ]
	noted
	sslm-mgr -roll -f
	for f in example.com/{mail-ec,mail-rsa,web-ec} example.net/web-ec; do
		openssl x509 -in p/prod/$f/curr/cert.pem -noout
	done
	noted >first
	cat first
	# Who has which service; no key of a CA anywhere.
	for h in $mx $imap; do
		same $h example.com/mail-ec
		same $h example.com/mail-rsa
		[ ! -e far/$h/prod/example.com/web-ec ]
		[ ! -e far/$h/prod/example.net ]
	done
	for s in example.com example.net; do same $web $s/web-ec; done
	[ ! -e far/$web/prod/example.com/mail-ec ]
	for h in $others; do
		for s in example.com/{mail-ec,mail-rsa,web-ec} example.net/web-ec; do same "$h" $s; done
	done
	[ -z "$(find far -path '*/ca/*')" ]
	[ "$(ls far/$imap/prod/example.com/mail-ec/curr/ | xargs)" = 'bundle.pem cert.pem chain.pem csr.pem fullchain.pem info privkey.pem tlsa.rr' ]
	# In that order: copies, post_copy_cmd, smtp, imap, web, DNS; 'example.com' gets no copies.
	# The TLSA records, which follow from the reloads, come to all in between.
	# shellcheck disable=SC2086
	[ "$(sed '/voip-checker/q' first | grep ^copy | sort -u)" = "$(copies $mx $imap $web $others)" ]
	# shellcheck disable=SC2086
	[ "$(sed '1,/nginx/d' first | grep ^copy | sort -u)" = "$(copies $mx $imap $web $others)" ]
	for h in $mx $imap $web; do
		cmp p/prod/example.com/tlsa.example.com far/$h/prod/example.com/tlsa.example.com
	done
	[ "$(grep -v ^copy first)" = "$(rows 'here: voip-checker voip.internal.example.com' \
	    'here: update-permissions example.com' \
	    'smtp1.internal.example.com: postmap -F lmdb:/etc/postfix/sni_maps' 'smtp1.internal.example.com: postfix reload' \
	    'smtp2.internal.example.com: postmap -F lmdb:/etc/postfix/sni_maps' 'smtp2.internal.example.com: postfix reload' \
	    "$imap: systemctl restart dovecot" "$web: systemctl reload nginx" \
	    'here: voip-checker voip.internal.example.com' 'here: resign.sh --serial_bump example.com')" ]
	[ "$(grep -c 'systemctl reload nginx' first)" = 1 ]
	[ "$(grep -c 'postfix reload' first)" = 2 ]
	published curr
	# The records came after the reload, so who depends on them has it in the next run;
	# then nothing is due, and the lines of cron touch nobody.
	settle
	for line in -renew -roll -status; do
		sslm-mgr $line
	done
	noted >idle
	[ ! -s idle ]
	# The keys of next are published, and nobody reloads for them.
	sslm-mgr -renew -f example.com:mail-ec,mail-rsa
	published curr next
	noted >second
	run ! grep -E 'nginx|dovecot' second
	[ "$(grep -c 'postfix reload' second)" = 2 ]	# for the records: depends
	[ "$(tail -n 1 second)" = 'here: resign.sh --serial_bump example.com' ]
	# One service alone: only its servers.
	sslm-mgr -renew -f example.net:web-ec
	noted >second
	run ! grep -E 'systemctl|postfix' second
	grep -q "copy $web" second
	run ! grep -E 'copy (smtp|imap)' second
	sslm-mgr -roll -f example.net:web-ec
	noted >third
	[ "$(grep -v -e ^copy -e voip -e update-permissions third)" = "$web: systemctl reload nginx" ]
	ln -sfn "$TOP/mk" mk
	printf 'MK := mk\ninclude $(MK)/site.mk\n' >Makefile
	# What is beside the services has come to the others' hosts, too.
	run -0 m check-prod
	[ -z "$output" ]
	: >far/$imap/prod/example.com/mail-rsa/curr/privkey.pem
	run -2 m check-prod
	[[ ${lines[0]} == "$imap"$'\t'*/mail-rsa/db/*$'/privkey.pem\thas another content\tmake deploy FORCE=1' ]]
}
