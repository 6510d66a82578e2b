# shellcheck shell=bash
# Loaded, after helper and site, by the tests that want real peers: a CA that
# speaks ACME (pebble), a web server (nginx), an sshd, and a CA that lies.
#
# A lab is a directory (LAB) and a loopback address of its own (LAB_IP, out of
# 127/8), so that files that are tested side by side never meet at a port.  It is
# opened by the first server that is started, by setup_file or by a test; what a
# test adds to the lab of its file goes with the test.  Every server is waited for
# by asking, and is stopped by lab_stop, which belongs into teardown, and into
# teardown_file if setup_file started one; one whose test was killed goes too.

# Set by lab_open: LAB LAB_IP HTTP_PORT TLS_PORT CA_BUNDLE CA_PATH.

lab_scope() { echo "${BATS_TEST_TMPDIR:-${BATS_FILE_TMPDIR:?}}"; }

# The lab's directory, address and ports, and a CA for the servers' own TLS:
# $CA_BUNDLE as a file, $CA_PATH as a hashed directory.
lab_open() {
	[ ! -d "${LAB-}" ] || return 0
	LAB=$(lab_scope)/lab
	LAB_IP=127.$((RANDOM % 250 + 2)).$((RANDOM % 256)).$((RANDOM % 250 + 2))
	HTTP_PORT=$((RANDOM % 9000 + 10000)) TLS_PORT=$((RANDOM % 9000 + 20000))
	CA_BUNDLE=$LAB/ca.pem CA_PATH=$LAB/ca.d
	export LAB LAB_IP HTTP_PORT TLS_PORT CA_BUNDLE CA_PATH
	mkdir -p "$LAB/bin" "$CA_PATH"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
	    -keyout "$LAB/ca.key" -out "$CA_BUNDLE" -subj '/CN=lab' \
	    -addext keyUsage=keyCertSign 2>/dev/null
	cp "$CA_BUNDLE" "$CA_PATH/lab.pem"
	openssl rehash "$CA_PATH"
	lab_cert tls "DNS:localhost,IP:127.0.0.1,IP:::1,IP:$LAB_IP"
}

# lab_cert NAME SANS [openssl x509 option...]: $LAB/NAME.pem and NAME.key, by the
# lab's CA.
lab_cert() {
	local to=$LAB/$1 sans=$2
	shift 2
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$to.key" \
	    -out "$to.csr" -subj "/CN=${to##*/}" -addext "subjectAltName=$sans" 2>/dev/null &&
	    openssl x509 -req -in "$to.csr" -CA "$CA_BUNDLE" -CAkey "$LAB/ca.key" \
	    -copy_extensions copy -days 30 -out "$to.pem" "$@" 2>/dev/null
}

# lab_serve NAME PORT[/udp],... COMMAND...: run a server in the background until
# its own process listens on all these ports; words in $LAB/NAME.log.  Fails if it
# ends before.  pdeathsig: it never outlives a test that was killed.
lab_serve() {
	local name=$1 ports=$2 pid p until
	shift 2
	setpriv --pdeathsig KILL "$@" </dev/null >"$LAB/$name.log" 2>&1 3>&- 9>&- &
	pid=$!
	echo "$pid" >"$LAB/$name.pid"
	echo "$LAB/$name.pid" >>"$(lab_scope)/lab.started"
	until=$((SECONDS + 20))
	for p in ${ports//,/ }; do
		until lab_listens "$pid" "$p"; do
			if ! kill -0 "$pid" 2>/dev/null || [ $SECONDS -ge $until ]; then
				lab_end "$LAB/$name.pid"
				return 1
			fi
			sleep 0.02
		done
	done
}

# Does this process listen on the port?  Asked of the kernel: the answer of a
# stranger at the same port would count for nothing.
lab_listens() {
	local proto=-t
	case $2 in */udp) proto=-u ;; esac
	ss -Hlnp "$proto" "sport = :${2%/*}" | grep -q "pid=$1,"
}

# lab_try N COMMAND...: N times, until it succeeds; for ports that are taken in
# between.
lab_try() {
	local n=$1
	shift
	while ! "$@"; do
		n=$((n - 1))
		if [ "$n" -le 0 ]; then
			echo "lab: cannot start: $*" >&2
			tail -n 5 "$LAB"/*.log >&2
			return 1
		fi
	done
}

# lab_end PIDFILE: stop that server, and wait until it is gone.
lab_end() {
	local pid until=$((SECONDS + 5))
	[ -s "$1" ] || return 0
	pid=$(cat "$1")
	rm "$1"
	kill "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null; do
		if [ $SECONDS -ge $until ]; then
			kill -9 "$pid" 2>/dev/null || :
		fi
		sleep 0.02
	done
}

# Stop all that was started here: by this test, or by setup_file.
lab_stop() {
	local started f
	started=$(lab_scope)/lab.started
	[ -f "$started" ] || return 0
	while read -r f; do
		lab_end "$f"
	done <"$started"
	rm "$started"
}

# ---- pebble -------------------------------------------------------------------

# ca_start [VARIABLE=VALUE...]: pebble and pebble-challtestsrv; with variables of
# pebble's, over these defaults: PEBBLE_VA_NOSLEEP=1, 5 % of good nonces rejected,
# no authorization used twice.  Sets ACME_URL (the directory), ACME_MGMT (pebble's
# management, https), CHALL (that of challtestsrv, http) and DNS_SERVER.
#
# Every name has the address LAB_IP; challtestsrv answers for http-01 only if
# CHALL_HTTP=1, else $HTTP_PORT is free for web_start.
#	CA_EAB='kid=key ...'	external account binding is required (base64url keys)
#	CA_CONFIG=JSON		more of pebble's configuration, e.g.
#				{"certificateValidityPeriod": 86400, "domainBlocklist": ["no.test"]}
#	PEBBLE_NONCES=PERCENT	so many good nonces are rejected
#	CA_DNS=ADDRESS:PORT	pebble asks this server instead of challtestsrv
#
# A CA that is started again in the same lab has the same URL, but knows no account.
# shellcheck disable=SC2120	# tests pass some
ca_start() {
	lab_open
	lab_try 5 ca_ports "$@"
}

ca_ports() {
	local port=${ACME_PORT:-$((RANDOM % 9000 + 30000))}
	local mgmt=$((RANDOM % 4000 + 40000)) chall=$((RANDOM % 4000 + 44000)) dns=$((RANDOM % 4000 + 48000))
	local http=''
	[ -z "${CHALL_HTTP-}" ] || http=$LAB_IP:$HTTP_PORT
	lab_serve challtestsrv "$chall,$dns,$dns/udp" pebble-challtestsrv -defaultIPv4 "$LAB_IP" \
	    -defaultIPv6 '' -management "$LAB_IP:$chall" -dns01 "$LAB_IP:$dns" \
	    -http01 "$http" -https01 '' -tlsalpn01 '' || return
	jq -n --arg ip "$LAB_IP" --arg port "$port" --arg mgmt "$mgmt" --arg dir "$LAB" --arg eab "${CA_EAB-}" \
	    --argjson http "$HTTP_PORT" --argjson tls "$TLS_PORT" --argjson more "${CA_CONFIG:-{\}}" '{pebble: ({
		listenAddress: "\($ip):\($port)", managementListenAddress: "\($ip):\($mgmt)",
		certificate: "\($dir)/tls.pem", privateKey: "\($dir)/tls.key",
		httpPort: $http, tlsPort: $tls, externalAccountBindingRequired: ($eab != ""),
		externalAccountMACKeys: ($eab / " " | map(select(. != "") / "=" | {key: .[0], value: .[1]}) |
		    from_entries)} + $more)}' >"$LAB/pebble.json"
	if ! lab_serve pebble "$port,$mgmt" env PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT="${PEBBLE_NONCES:-5}" PEBBLE_AUTHZREUSE=0 \
	    "$@" pebble -config "$LAB/pebble.json" -dnsserver "${CA_DNS:-$LAB_IP:$dns}"; then
		lab_end "$LAB/challtestsrv.pid"
		return 1
	fi
	ACME_PORT=$port ACME_URL=https://$LAB_IP:$port/dir ACME_MGMT=https://$LAB_IP:$mgmt
	CHALL=http://$LAB_IP:$chall DNS_SERVER=$LAB_IP:$dns
	export ACME_PORT ACME_URL ACME_MGMT CHALL DNS_SERVER
}

ca_stop() {
	lab_end "$LAB/pebble.pid"
	lab_end "$LAB/challtestsrv.pid"
}

# ca_root FILE [N]: the root certificate of pebble's Nth chain.
ca_root() { curl -sS --fail --cacert "$CA_BUNDLE" "$ACME_MGMT/roots/${2:-0}" -o "$1"; }

# ca_issued: how many certificates pebble has issued; ca_orders: how many orders
# it has taken; ca_accounts: how many accounts it has made.  Requests are not counted for
# that: it refuses some of them for their nonces.
ca_accounts() { grep -c 'accounts in memory' "$LAB/pebble.log"; }
ca_issued() { grep -c 'Issued certificate serial' "$LAB/pebble.log"; }
ca_orders() { grep -c 'Added order' "$LAB/pebble.log"; }

# ca_requests: the requests that pebble had, a line each: "METHOD /path".
ca_requests() { sed -nE 's,.* (GET|HEAD|POST) (/[^ ]*) -> calling handler.*,\1 \2,p' "$LAB/pebble.log"; }

# chall WORD JSON: tell challtestsrv, e.g. chall set-txt '{"host": "a.", "value": "b"}';
# add-a, clear-a, set-default-ipv4, add-http01, set-servfail ... do the same.
chall() { curl -sS --fail -d "$2" "$CHALL/$1"; }

# ---- nginx ----------------------------------------------------------------------

# web_start DIR: a web server on $HTTP_PORT for DIR/<apex>/.well-known/acme-challenge,
# where the apex of any host are its last two labels, and example.com for an address.
web_start() {
	local dir=$1
	lab_open
	mkdir -p "$LAB/web"
	cat >"$LAB/nginx.conf" <<-END
		daemon off;
		master_process off;
		pid "$LAB/web/pid";
		error_log stderr;
		events {}
		http {
			access_log "$LAB/web.access";
			client_body_temp_path "$LAB/web/1";
			proxy_temp_path "$LAB/web/2";
			fastcgi_temp_path "$LAB/web/3";
			uwsgi_temp_path "$LAB/web/4";
			scgi_temp_path "$LAB/web/5";
			map \$host \$apex {
				default			example.com;
				'~(?<two>[^.]+[.][a-z]+)\$'	\$two;
			}
			server {
				listen $LAB_IP:$HTTP_PORT;
				location /.well-known/acme-challenge/ {
					root "$dir/\$apex";
				}
			}
		}
	END
	lab_try 5 lab_serve nginx "$HTTP_PORT" /usr/sbin/nginx -e stderr -p "$LAB/web" -c "$LAB/nginx.conf"
}

# ---- sshd -----------------------------------------------------------------------

# sshd_start [HOST...]: an sshd that `ssh HOST' and rsync reach as the user who runs
# the tests, for these host names (webhost) and no other.  OpenSSH takes the home
# directory from passwd(5), so the way is an `ssh' early in PATH.
sshd_start() {
	lab_open
	[ $# -gt 0 ] || set -- webhost
	ssh-keygen -q -t ed25519 -N '' -f "$LAB/hostkey"
	ssh-keygen -q -t ed25519 -N '' -f "$LAB/id"
	cp "$LAB/id.pub" "$LAB/authorized"
	# Where sshd as root insists on it: Debian makes it when the service starts.
	[ "$(id -u)" != 0 ] || [ -d /run/sshd ] || mkdir -m 755 /run/sshd
	lab_try 5 sshd_port "$@"
	printf '#!/bin/sh\nexec /usr/bin/ssh -F "%s" "$@"\n' "$LAB/ssh_config" >"$LAB/bin/ssh"
	chmod 755 "$LAB/bin/ssh"
	PATH=$LAB/bin:$PATH
	export PATH
}

sshd_port() {
	local port=$((RANDOM % 8000 + 52000))
	cat >"$LAB/sshd_config" <<-END
		ListenAddress $LAB_IP:$port
		HostKey "$LAB/hostkey"
		AuthorizedKeysFile "$LAB/authorized"
		PidFile none
		UsePAM no
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin prohibit-password
		Subsystem sftp internal-sftp
		LogLevel VERBOSE
	END
	lab_serve sshd "$port" /usr/sbin/sshd -D -e -f "$LAB/sshd_config" || return
	echo "lab $(cat "$LAB/hostkey.pub")" >"$LAB/known_hosts"
	cat >"$LAB/ssh_config" <<-END
		Host $*
			HostName $LAB_IP
			Port $port
			IdentityFile "$LAB/id"
			IdentitiesOnly yes
			HostKeyAlias lab
			UserKnownHostsFile "$LAB/known_hosts"
			StrictHostKeyChecking yes
			BatchMode yes
		Host *
			HostName 0.0.0.0
			Port 1
			BatchMode yes
	END
}

# ---- sites ----------------------------------------------------------------------

# acme_site [VALIDATION [LINE...]]: the sample site here, whose mail-ec and web-ec are
# by the CA [pebble], by http-01 or as told, with more lines for its table; tokens
# go to web/<apex>, where `web_start "$PWD/web"' finds them.
acme_site() {
	local how=${1:-http-01}
	[ $# -eq 0 ] || shift
	site
	{
		printf "\n[pebble]\n    ca_type = 'acme'\n    ca_url = '%s'\n    ca_bundle = '%s'\n" "$ACME_URL" "$CA_BUNDLE"
		printf "    ca_validation = '%s'\n    ca_preferred_acme_profile = ''\n" "$how"
		[ $# -eq 0 ] || printf '    %s\n' "$@"
	} >>conf.d/ca-info.conf
	sed -i "s/^signing_ca = .*/signing_ca = 'pebble'/" conf.d/example.com/*
	mkdir -p web
	printf "\n[web]\n    server_dir = '%s'\n" "$PWD/web" >>conf.d/ssl-mgr.conf
}

# ---- a CA that lies -------------------------------------------------------------

# ca_hostile [FAULT...]: a new CA with these faults (tests/hostile_faults.py); all of
# a lab are one process.  Sets ACME_URL and ACME_LOG (its requests, a line each, as
# tests/hostile_ca.py says).  $LAB/hostile/root.pem is the root of what it issues.
# A fault connect:KIND is one of the connection, and takes a process of its own:
# garbage, silence, http, close, old; untrusted, expired, wrong-host (its certificate).
ca_hostile() {
	lab_open
	local dir how='' server=hostile
	case ${1-} in connect:*) how=${1#connect:} server=hostile-$how ;; esac
	if [ ! -s "$LAB/$server.pid" ]; then
		lab_try 5 hostile_port "$server" "$how"
	fi
	dir=$(mktemp -d "$LAB/$server/XXXXXXXX")
	printf '%s\n' "$@" | grep -v '^connect:' >"$dir/faults" || :
	ACME_URL=https://$LAB_IP:$(cat "$LAB/$server/port")/${dir##*/}/dir ACME_LOG=$dir/log
	export ACME_URL ACME_LOG
}

hostile_port() {
	local port=$((RANDOM % 900 + 60000))
	local tls=tls
	mkdir -p "$LAB/$1"
	echo "$port" >"$LAB/$1/port"
	case $2 in
	untrusted|expired|wrong-host) hostile_cert "$2" && tls=$2 && set -- "$1" ;;
	esac
	lab_serve "$1" "$port" python3 -B "$TOP/tests/hostile_ca.py" -l "$LAB_IP:$port" -t "$LAB/$tls" \
	    -d "$LAB/$1" ${2:+-c "$2"}
}

hostile_cert() {
	case $1 in
	untrusted) openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=tls \
		-keyout "$LAB/$1.key" -out "$LAB/$1.pem" -addext "subjectAltName=IP:$LAB_IP" 2>/dev/null ;;
	expired) lab_cert "$1" "IP:$LAB_IP" -days 0 ;;
	wrong-host) lab_cert "$1" DNS:other.example,IP:192.0.2.1 ;;
	esac
}

# ---- a site whose zones are served by knot; needs dns.bash too ---------------------

# dns_zone_site [LINE...]: knot with the zones example.com and example.net, pebble that
# asks it, and acme_site dns-01 (with these lines for its CA).  Each zone includes
# zones/acme-challenge.<zone>, and has the address LAB_IP for every name, its own name
# server's too: that has to be asked at port 53, which only root can have.  The
# restart_cmd, ./dns-restart, writes its arguments to restart.log, and makes knot read
# the zones that it is told, with new serials.  Sets DNS_PORT.  Before pebble is
# stopped by lab_stop, dns_stop_all stops knot.
dns_zone_site() {
	local zone
	[ "$(id -u)" = 0 ] || skip "only root can serve at port 53"
	DNS_PORT=53
	lab_open
	mkdir -p zones
	for zone in example.com example.net; do
		echo ';; nothing' >"zones/acme-challenge.$zone"
		dns_zone "$zone" '@ NS ns1' "@ A $LAB_IP" "* A $LAB_IP" "www A $LAB_IP" "\$INCLUDE acme-challenge.$zone" \
		    >"zones/$zone.zone"
	done
	lab_try 5 dns_zone_knot
	export DNS_PORT
	# shellcheck disable=SC2119
	CA_DNS=${CA_DNS:-$LAB_IP:$DNS_PORT} ca_start
	acme_site dns-01 "$@"
	{
		printf "\n[dns]\n    acme_dir = '%s'\n    restart_cmd = '%s'\n" "$PWD/zones" "$PWD/dns-restart"
		printf "\n[[dns_primary]]\n    domain = 'default'\n    server = '%s'\n    port = %s\n" "$LAB_IP" "$DNS_PORT"
	} >>conf.d/ssl-mgr.conf
	sed -i "s/^\[globals\]/&\n    dns_check_delay = 0\n    dns_xtra_ns = []/" conf.d/ssl-mgr.conf
	dns_restart_script
}

# resolver_start: unbound, which asks that knot for both zones, at $LAB_IP and the port
# that is set in RESOLVER_PORT: a CA's resolver follows what one zone says of another.
resolver_start() {
	lab_open
	lab_try 5 resolver_port
}

resolver_port() {
	RESOLVER_PORT=$((RANDOM % 9000 + 10000))
	cat >"$LAB/unbound.conf" <<-END
		server:
		    interface: $LAB_IP@$RESOLVER_PORT
		    access-control: 127.0.0.0/8 allow
		    do-daemonize: no
		    do-not-query-localhost: no
		    chroot: ""
		    username: ""
		    directory: "$LAB"
		    pidfile: ""
		    use-syslog: no
		    module-config: iterator
		    cache-max-ttl: 0
		    cache-max-negative-ttl: 0
		    local-zone: "127.in-addr.arpa." nodefault
		remote-control:
		    control-enable: no
		stub-zone:
		    name: example.com
		    stub-addr: $LAB_IP@53
		stub-zone:
		    name: example.net
		    stub-addr: $LAB_IP@53
	END
	lab_serve unbound "$RESOLVER_PORT/udp" unbound -c "$LAB/unbound.conf"
}

# dns_update_site [LINE...]: the same, but for knot's zones, which it keeps itself, and
# which are changed by dynamic updates, with tsig.key; there is no restart_cmd.
dns_update_site() {
	local zone
	[ "$(id -u)" = 0 ] || skip "only root can serve at port 53"
	PATH=$PATH:/usr/sbin
	DNS_PORT=53
	export DNS_PORT
	lab_open
	mkdir -p zones
	tsig-keygen -a hmac-sha256 sslm.example >tsig.key
	chmod 600 tsig.key
	for zone in example.com example.net; do
		dns_zone "$zone" '@ NS ns1' "@ A $LAB_IP" "* A $LAB_IP" "www A $LAB_IP" >"zones/$zone.zone"
	done
	lab_try 5 update_start knot knot "$LAB_IP" "$DNS_PORT" tsig.key zones/example.com.zone zones/example.net.zone
	# shellcheck disable=SC2119
	CA_DNS=$LAB_IP:$DNS_PORT ca_start
	acme_site dns-01 "$@"
	{
		printf "\n[dns]\n    update = '%s#%s tsig.key'\n" "$LAB_IP" "$DNS_PORT"
		printf "\n[[dns_primary]]\n    domain = 'default'\n    server = '%s'\n    port = %s\n" "$LAB_IP" "$DNS_PORT"
	} >>conf.d/ssl-mgr.conf
	sed -i "s/^\[globals\]/&\n    dns_check_delay = 0\n    dns_xtra_ns = []/" conf.d/ssl-mgr.conf
}

dns_zone_knot() {
	knot_start knot "$LAB_IP" "$DNS_PORT" zones/example.com.zone zones/example.net.zone
}

dns_restart_script() {
	cat >dns-restart <<-END
		#!/bin/sh
		set -eu
		cd '$PWD'
		echo "\$*" >>restart.log
		[ "\$1" = --serial_bump ]
		shift
		for zone; do
			was=\$(sed -n 's/^@ SOA ns1 hostmaster \([0-9]*\) .*/\1/p' "zones/\$zone.zone")
			sed -i "s/^@ SOA ns1 hostmaster [0-9]*/@ SOA ns1 hostmaster \$((was + 1))/" "zones/\$zone.zone"
		done
		[ \$# -eq 0 ] || knotc -c knot/knot.conf -b zone-reload "\$@"
	END
	chmod 755 dns-restart
}
