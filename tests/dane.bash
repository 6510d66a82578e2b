# shellcheck shell=bash
# Loaded by the tests that want mail servers, name servers and clients that believe
# DANE alone: the real ones, on their own ports, in namespaces made for the test.
#
#	127.0.0.11	knot, the primary, which signs example.com
#	127.0.0.12	nsd, a secondary
#	127.0.0.13	knot, a secondary that is not notified, and so is slow
#	127.0.0.53	unbound, which validates; the resolver of all that is in there,
#	127.0.0.61	and those of clients who see the zone by one server alone: 61 by
#			the primary, 62 by nsd, 63 by the slow one
#	127.0.0.21	postfix, mx1; 127.0.0.22 mx2 as soon as it has a line in lab/mx
#
# The zone and its key are in zone/, all else in lab/.  ttl is that of all records,
# in seconds.  teardown() calls lab_stop.

export ttl=2

# ns COMMAND...: run it in there, here.
ns() {
	# shellcheck disable=SC2016	# for the inner shell
	nsenter -t "$(cat lab/pid)" -m -n -p -r -w /bin/sh -c 'cd "$1" && shift && exec "$@"' ns "$PWD" "$@"
}

# ns_start NAME COMMAND...: a server in there.  Its output is in lab/NAME/log, its
# pid, as it is in there, in lab/NAME/pid.
ns_start() {
	local name=$1
	shift
	mkdir -p "lab/$name"
	rm -f "lab/$name/pid"
	# shellcheck disable=SC2016
	ns sh -c 'echo $$ >"$1.new" && mv "$1.new" "$1" && shift && exec "$@"' sh "lab/$name/pid" \
	    "$@" >"lab/$name/log" 2>&1 </dev/null 3>&- &
}

# ns_kill NAME [SIGNAL]
ns_kill() { ns kill "-${2-TERM}" "$(cat "lab/$1/pid")"; }

# soon SECONDS COMMAND...: until it succeeds; false if it does not in that time.
soon() {
	local end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		if [ "$(date +%s)" -ge "$end" ]; then
			echo "not in time: $*"
			return 1
		fi
		sleep 0.05
	done
}

# What the lab needs of this machine, or skip.
lab_needs() {
	local p
	[ "$(id -u)" = 0 ] || skip "only root can make network and mount namespaces"
	for p in knotd knotc kdig nsd unbound postfix posttls-finger ip unshare nsenter pgrep; do
		command -v "$p" >/dev/null || skip "no $p"
	done
	unshare -mnpf --mount-proc ip link set lo up 2>/dev/null ||
	    skip "network, mount and process namespaces cannot be made here"
}

# The namespaces: what is in there is seen by nobody, collides with nobody, and ends
# when the first process in there does.
lab_namespaces() {
	mkdir -p lab/postfix
	printf 'nameserver 127.0.0.53\noptions timeout:5 attempts:3\n' >lab/resolv.conf
	# shellcheck disable=SC2016
	unshare -mnpf --mount-proc --kill-child bash -euc '
		ip link set lo up
		mount --bind lab/resolv.conf /etc/resolv.conf
		mount -t tmpfs -o mode=755 lab /var/spool/postfix
		mount -t tmpfs -o mode=755 lab /var/lib/postfix
		chown postfix /var/lib/postfix
		: >lab/ready
		sleep infinity & wait' >lab/log 2>&1 </dev/null 3>&- &
	lab_pid=$!
	disown "$lab_pid"
	soon 20 test -e lab/ready || { cat lab/log; return 1; }
	pgrep -P "$lab_pid" >lab/pid
}

lab_stop() {
	[ -n "${lab_pid-}" ] || return 0
	kill -9 "$lab_pid" 2>/dev/null || :
	soon 20 eval '! kill -0 "$(cat lab/pid)" 2>/dev/null'
	lab_pid=''
}

# knot_conf NAME ADDRESS, and the zone's part on stdin: lab/NAME/knot.conf.
knot_conf() {
	mkdir -p "lab/$1/db"
	{
		printf 'server:\n    rundir: "%s"\n    listen: "%s@53"\n' "$PWD/lab/$1" "$2"
		printf '    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 2\n'
		printf 'database:\n    storage: "%s"\n' "$PWD/lab/$1/db"
		printf '    journal-db-max-size: 16M\n    kasp-db-max-size: 16M\n    timer-db-max-size: 1M\n'
		printf 'log:\n  - target: stderr\n    any: info\n'
		cat
	} >"lab/$1/knot.conf"
}

# knot NAME COMMAND...: knotc.
knot() { ns knotc -b -c "lab/$1/knot.conf" "${@:2}"; }

# The zone as its administrator writes it: the records of the certificates are
# included from the file that is brought there.
lab_zone() {
	mkdir -p zone
	: >zone/tlsa.example.com
	printf '%s\n' '$ORIGIN example.com.' "\$TTL $ttl" \
	    "@ SOA ns1 hostmaster 100 1 1 86400 $ttl" \
	    '@ NS ns1' '@ NS ns2' '@ NS ns3' 'ns1 A 127.0.0.11' 'ns2 A 127.0.0.12' 'ns3 A 127.0.0.13' \
	    '@ MX 10 mx1' 'mx1 A 127.0.0.21' 'mx2 A 127.0.0.22' \
	    '$INCLUDE tlsa.example.com' >zone/example.com.zone
}

# cmds/resign, the [dns] restart_cmd: it gets --serial_bump and the zones.
lab_resign() {
	mkdir -p cmds
	cat >cmds/resign <<-'END'
		#!/bin/bash
		set -eu
		[ "$1" = --serial_bump ]
		shift
		for zone; do
			file=zone/$zone.zone
			serial=$(awk '$2 == "SOA" { print $5 }' "$file")
			sed "s/\(SOA .*\) $serial /\1 $((serial + 100)) /" "$file" >"$file.new"
			mv "$file.new" "$file"
			knotc -b -c lab/primary/knot.conf zone-reload "$zone"
		done
	END
	chmod 755 cmds/resign
}

# lab/update.key: who signs with it may change the TLSA records of the zone.
lab_key() {
	local secret
	secret=$(openssl rand -base64 32)
	(umask 077 && printf 'key "lab" {\n\talgorithm hmac-sha256;\n\tsecret "%s";\n};\n' "$secret" >lab/update.key)
	printf 'key:\n  - id: lab\n    algorithm: hmac-sha256\n    secret: "%s"\n' "$secret" >lab/update.conf
}

# answers ADDRESS [NAME [TYPE]]: does that server answer at all?
answers() {
	ns kdig +short +time=1 +retry=0 "@$1" "${2-example.com}" "${3-SOA}" 2>/dev/null | grep -q '^[^;]'
}

# up NAME COMMAND...: until it succeeds; else what the server NAME has said.
up() {
	if ! soon 30 alive_and "$@" || ! "${@:2}"; then
		cat "lab/$1/log"
		return 1
	fi
}

# alive_and NAME COMMAND...: has it succeeded, or is there no hope?
alive_and() {
	"${@:2}" || { [ -s "lab/$1/pid" ] && ! ns_kill "$1" 0 2>/dev/null; }
}

lab_dns() {
	lab_zone
	lab_resign
	lab_key
	knot_conf primary 127.0.0.11 <<-END
		include: "$PWD/lab/update.conf"
		remote:
		  - id: nsd
		    address: 127.0.0.12
		acl:
		  - id: transfer
		    address: 127.0.0.0/8
		    action: transfer
		  - id: update
		    key: lab
		    action: update
		    update-type: TLSA
		policy:
		  - id: short
		    algorithm: ECDSAP256SHA256
		    single-type-signing: on
		    ksk-lifetime: 0
		    dnskey-ttl: $ttl
		    propagation-delay: 1
		zone:
		  - domain: example.com
		    file: "$PWD/zone/example.com.zone"
		    zonefile-sync: -1
		    zonefile-load: difference-no-serial
		    journal-content: all
		    dnssec-signing: on
		    dnssec-policy: short
		    notify: nsd
		    acl: [ transfer, update ]
	END
	knot_conf slow 127.0.0.13 <<-END
		remote:
		  - id: primary
		    address: 127.0.0.11
		zone:
		  - domain: example.com
		    file: "$PWD/lab/slow/example.com.zone"
		    zonefile-sync: -1
		    journal-content: none
		    master: primary
		    refresh-min-interval: 2
	END
	mkdir -p lab/nsd
	cat >lab/nsd/nsd.conf <<-END
		server:
		    ip-address: 127.0.0.12
		    server-count: 1
		    username: ""
		    database: ""
		    zonesdir: "$PWD/lab/nsd"
		    pidfile: "$PWD/lab/nsd/nsd.pid"
		    xfrdfile: "$PWD/lab/nsd/xfrd"
		    zonelistfile: "$PWD/lab/nsd/list"
		    xfrdir: "$PWD/lab/nsd"
		    xfrd-reload-timeout: 0
		remote-control:
		    control-enable: no
		zone:
		    name: example.com
		    zonefile: example.com.zone
		    allow-notify: 127.0.0.11 NOKEY
		    request-xfr: 127.0.0.11 NOKEY
	END
	ns_start primary knotd -c lab/primary/knot.conf
	up primary answers 127.0.0.11 example.com DNSKEY
	ns_start slow knotd -c lab/slow/knot.conf
	ns_start nsd nsd -d -c lab/nsd/nsd.conf
	up slow answers 127.0.0.13
	up nsd answers 127.0.0.12
}

# unbound, which believes the key that the primary has now.
lab_resolvers() {
	ns kdig +short @127.0.0.11 example.com DNSKEY | sed "s/^/example.com. $ttl IN DNSKEY /" \
	    >lab/anchor
	resolver 53 11 12 13
	resolver 61 11
	resolver 62 12
	resolver 63 13
}

# resolver N SERVER...: at 127.0.0.N, for what these have.
resolver() {
	local n=$1 dir=lab/unbound$1
	shift
	mkdir -p "$dir"
	cat >"$dir/unbound.conf" <<-END
		server:
		    interface: 127.0.0.$n
		    access-control: 127.0.0.0/8 allow
		    chroot: ""
		    username: ""
		    directory: "$PWD/$dir"
		    pidfile: ""
		    use-syslog: no
		    do-daemonize: no
		    num-threads: 1
		    do-not-query-localhost: no
		    module-config: "validator iterator"
		    trust-anchor-file: ../anchor
		    val-log-level: 2
		    root-hints: ""
		    cache-min-ttl: 0
		remote-control:
		    control-enable: no
		stub-zone:
		    name: example.com
	END
	printf '    stub-addr: 127.0.0.%s\n' "$@" >>"$dir/unbound.conf"
	ns_start "unbound$n" unbound -c "$dir/unbound.conf"
	up "unbound$n" secure example.com SOA "127.0.0.$n"
	echo "nameserver 127.0.0.$n" >"lab/resolv.$n"
}

# secure NAME TYPE [RESOLVER]: does it have that, and believe it?
secure() {
	ns kdig +adflag +time=2 +retry=0 "@${3-127.0.0.53}" "$1" "$2" 2>/dev/null |
	    awk '/Flags:.* ad/ { ad = 1 } /^;; Flags/ { split($0, f, /ANSWER: /); n = f[2] + 0 }
		END { exit !(ad && n) }'
}

# postfix, receiving; lab/mx holds its addresses, lab/chain the files of its keys and
# certificates.  Not started yet.
lab_mail() {
	echo 127.0.0.21 >lab/mx
	printf '%s\n' "$@" >lab/chain
	cat >lab/postfix/main.cf <<-END
		compatibility_level = 3.6
		queue_directory = /var/spool/postfix
		data_directory = /var/lib/postfix
		maillog_file = /dev/stdout
		myhostname = mail.example.com
		mydestination = example.com
		inet_protocols = ipv4
		local_recipient_maps =
		alias_maps =
		alias_database =
		smtpd_relay_restrictions = permit_mynetworks, reject
		smtpd_peername_lookup = no
		smtpd_client_connection_count_limit = 0
		smtpd_tls_security_level = may
		smtpd_tls_loglevel = 1
		smtputf8_enable = no
	END
	mkdir -p cmds
	cat >cmds/reload <<-'END'
		#!/bin/bash
		# What [smtp] restart_cmd is.  It fails as often as lab/fail says.
		set -eu
		if [ -s lab/fail ] && read -r n <lab/fail && [ "$n" -gt 0 ]; then
			echo $((n - 1)) >lab/fail
			echo "reload: no" >&2
			exit 1
		fi
		# Not yet started: it will read what is there.
		! postfix status 2>/dev/null || exec postfix reload
	END
	chmod 755 cmds/reload
	mail_conf
}

# What is in lab/mx and lab/chain, for postfix; a reload has to follow.
mail_conf() {
	sed 's/$/:smtp inet n - n - - smtpd/' lab/mx >lab/postfix/master.cf
	printf '%s\n' 'tlsmgr unix - - n 1000? 1 tlsmgr' 'postlog unix-dgram n - n - 1 postlogd' \
	    'cleanup unix n - n - 0 cleanup' >>lab/postfix/master.cf
	postconf -c lab/postfix -e "smtpd_tls_chain_files = $(paste -sd, lab/chain)"
}

mail_start() {
	ns_start mail postfix start-fg
	up mail banner
}

# Does each of the addresses greet?
banner() {
	local a
	while read -r a; do
		# shellcheck disable=SC2016
		ns bash -c 'exec 5<>"/dev/tcp/$1/25" && read -rt 5 line <&5 && [[ $line == 220* ]]' - "$a" \
		    2>/dev/null || return 1
	done <lab/mx
}

# lab_start CHAIN...: all but the mail server is started; that has these files with a
# key and its certificates each.
lab_start() {
	export MAIL_CONFIG=$PWD/lab/postfix
	lab_namespaces
	lab_dns
	lab_resolvers
	lab_mail "$@"
}

# lagging, caught_up: the slow secondary stays where it is, or goes on.
lagging() { knot slow zone-freeze example.com >/dev/null; }
caught_up() { knot slow zone-thaw example.com >/dev/null && knot slow zone-refresh example.com >/dev/null; }

# served ADDRESS HOST: the data of TLSA records of a mail host there, sorted.
served() {
	ns kdig +short +time=2 "@$1" "_25._tcp.$2.example.com" TLSA |
	    awk '{ d = $1 " " $2 " " $3 " "; for (i = 4; i <= NF; i++) d = d tolower($i); print d }' | sort
}

# key FILE: the data of the TLSA record 3 1 1, by openssl.
key() {
	printf '3 1 1 '
	openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
}

# ---- the probes ------------------------------------------------------------------

# probe [OPTION...] DESTINATION: one; is mail delivered?
probe() { ns posttls-finger -c -l dane-only "$@" 2>&1 | tee lab/probe | grep -q ': Verified TLS connection'; }

# probes_start DESTINATION...: all the time from now on, by each of the resolvers.
probes_start() {
	local n
	targets "$@"
	for n in 53 61 62 63; do
		# shellcheck disable=SC2016
		ns_start "probes$n" unshare -m sh -ec 'mount --bind "$1" /etc/resolv.conf; shift; exec "$@"' sh \
		    "lab/resolv.$n" python3 "$TOP/tests/dane_probe.py" "${RATE:-4}" lab/targets "lab/probes.$n"
		up "probes$n" test -s "lab/probes.$n"
	done
}

# targets DESTINATION...: what is probed, options first.
targets() {
	printf '%s\n' "$@" >lab/targets.new
	mv lab/targets.new lab/targets
}

# failed_probes: how many so far?
failed_probes() { cat lab/probes.* | grep -c '^[^ ]* [^ ]* failed ' || :; }

# probes_end: no more of them.  The counts are in $ok and $failed.
probes_end() {
	local n
	for n in 53 61 62 63; do
		ns_kill "probes$n"
	done
	for n in 53 61 62 63; do
		soon 70 grep -qx end "lab/probes.$n" || { cat "lab/probes$n/log"; return 1; }
	done
	ok=$(cat lab/probes.* | grep -c '^[^ ]* [^ ]* ok ') || :
	failed=$(failed_probes)
	echo "probes: $ok ok, $failed failed"
	grep '^[^ ]* [^ ]* failed ' lab/probes.* | cut -c1-400 | head -n 20 || :
}
