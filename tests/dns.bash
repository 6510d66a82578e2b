# shellcheck shell=bash
# Loaded by the tests that want name servers: real ones, on loopback addresses,
# with ports of their own.  teardown() calls dns_stop_all.

# free_port: one that nothing on this machine has, for UDP and TCP, at any address.
free_port() {
	python3 - <<-'END'
	import random, socket
	while True:
	    port, held = random.randint(20000, 32000), []
	    try:
	        for family, any in (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
	            for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
	                s = socket.socket(family, kind)
	                held.append(s)
	                if family == socket.AF_INET6:
	                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
	                s.bind((any, port))
	    except OSError:
	        continue
	    finally:
	        for s in held:
	            s.close()
	    print(port)
	    break
	END
}

# dns_zone ZONE [LINE...] >file: a zone with a SOA of serial 1, and these lines.
dns_zone() {
	printf '$ORIGIN %s.\n$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n' "$1"
	shift
	printf '%s\n' "$@"
}

# knot_start NAME ADDR PORT FILE...: knotd at an address, for the zones in the
# files, each named after its zone (example.com.zone, anywhere).  Returns when it
# answers; its pid is in NAME/pid.  What it says is in NAME/log.
knot_start() {
	local name=$1 addr=$2 port=$3 file
	shift 3
	mkdir -p "$name"
	{
		printf 'server:\n    rundir: "%s"\n    listen: "%s@%s"\n' "$PWD/$name" "$addr" "$port"
		printf '    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n'
		printf 'database:\n    storage: "%s"\n' "$PWD/$name"
		printf 'log:\n  - target: stderr\n    any: info\n'
		printf 'template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none\n'
		printf '    semantic-checks: off\nzone:\n'
		for file; do
			printf '  - domain: "%s"\n    file: "%s"\n' \
			    "$(basename "$file" .zone)" "$(realpath "$file")"
		done
	} >"$name/knot.conf"
	knotd -c "$name/knot.conf" >"$name/log" 2>&1 3>&- &
	echo $! >"$name/pid"
	dns_wait "$name" "$addr" "$port" "$(basename "$1" .zone)"
}

# dns_reload NAME: read those zones again whose files have changed.
dns_reload() { kill -HUP "$(cat "$1/pid")"; }

# dns_wait NAME ADDR PORT ZONE: until it answers, or has ended.
dns_wait() {
	local _
	for _ in $(seq 200); do
		if kdig +short +time=1 +retry=0 "@$2" -p "$3" "$4" SOA 2>/dev/null | grep -q '^[^;]'; then
			return 0
		fi
		kill -0 "$(cat "$1/pid")" || break
		sleep 0.05
	done
	cat "$1/log"
	return 1
}

# dns_stop NAME: stop it, and wait until it is gone.
dns_stop() {
	local pid
	pid=$(cat "$1/pid")
	rm -f "$1/pid"
	kill "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}

# Stop all that was started here.
dns_stop_all() {
	local f
	for f in */pid; do
		[ ! -e "$f" ] || dns_stop "${f%/pid}"
	done
}

# nsd_start NAME ADDR PORT FILE...: the same with nsd.
nsd_start() {
	local name=$1 addr=$2 port=$3 file
	shift 3
	mkdir -p "$name"
	{
		printf 'server:\n    ip-address: %s@%s\n    port: %s\n' "$addr" "$port" "$port"
		printf '    server-count: 1\n    username: ""\n    database: ""\n    zonesdir: "%s"\n' "$PWD"
		printf '    pidfile: "%s"\n    xfrdfile: "%s"\n    zonelistfile: "%s"\n' \
		    "$PWD/$name/nsd.pid" "$PWD/$name/xfrd" "$PWD/$name/list"
		printf '    xfrdir: "%s"\nremote-control:\n    control-enable: no\n' "$PWD/$name"
		for file; do
			printf 'zone:\n    name: "%s"\n    zonefile: "%s"\n' \
			    "$(basename "$file" .zone)" "$(realpath "$file")"
		done
	} >"$name/nsd.conf"
	nsd -d -c "$name/nsd.conf" >"$name/log" 2>&1 3>&- &
	echo $! >"$name/pid"
	dns_wait "$name" "$addr" "$port" "$(basename "$1" .zone)"
}

# hostile_start NAME PORT ADDR=MODE...: tests/hostile_dns.py.
hostile_start() {
	local name=$1 _
	shift
	mkdir -p "$name"
	python3 "$TOP/tests/hostile_dns.py" "$@" >"$name/log" 2>&1 3>&- &
	echo $! >"$name/pid"
	for _ in $(seq 200); do
		! grep -qx ready "$name/log" || return 0
		kill -0 "$(cat "$name/pid")" || break
		sleep 0.05
	done
	cat "$name/log"
	return 1
}

# update_start KIND NAME ADDR PORT KEYFILE FILE...: knotd or named (KIND), as knot_start,
# where the key in the file may update the zones.  They keep their zones themselves: knot
# in its database, named in the files.
update_start() {
	local kind=$1 name=$2 addr=$3 port=$4 key
	key=$(realpath "$5")
	shift 5
	mkdir -p "$name"
	"update_$kind" "$name" "$addr" "$port" "$key" "$@"
	if [ "$kind" = knot ]; then
		knotd -c "$name/knot.conf" >"$name/log" 2>&1 3>&- &
	else
		named -g -n 1 -c "$name/named.conf" >"$name/log" 2>&1 3>&- &
	fi
	echo $! >"$name/pid"
	dns_wait "$name" "$addr" "$port" "$(basename "$1" .zone)"
}

# Parts of a key file.
key_name() { sed -n 's/^key "\(.*\)".*/\1/p' "$1"; }
key_part() { sed -n "s/^[[:space:]]*$2 \"*\\([^\";]*\\)\"*;.*/\\1/p" "$1"; }

update_knot() {
	local name=$1 addr=$2 port=$3 key=$4 file
	shift 4
	{
		printf 'server:\n    rundir: "%s"\n    listen: "%s@%s"\n' "$PWD/$name" "$addr" "$port"
		printf '    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n'
		printf 'database:\n    storage: "%s"\n' "$PWD/$name"
		printf 'log:\n  - target: stderr\n    any: info\n'
		printf 'key:\n  - id: %s\n    algorithm: %s\n    secret: "%s"\n' \
		    "$(key_name "$key")" "$(key_part "$key" algorithm)" "$(key_part "$key" secret)"
		printf 'acl:\n  - id: updates\n    key: %s\n    action: [update, query, transfer]\n' \
		    "$(key_name "$key")"
		printf '  - id: all\n    address: 127.0.0.0/8\n    action: [query, transfer]\n'
		printf 'template:\n  - id: default\n    zonefile-sync: -1\n    zonefile-load: whole\n'
		printf '    journal-content: changes\n    acl: [updates, all]\n    semantic-checks: off\nzone:\n'
		for file; do
			printf '  - domain: "%s"\n    file: "%s"\n' "$(basename "$file" .zone)" "$(realpath "$file")"
		done
	} >"$name/knot.conf"
}

update_named() {
	local name=$1 addr=$2 port=$3 key=$4 file
	shift 4
	{
		cat "$key"
		printf 'options {\n\tdirectory "%s";\n\tlisten-on port %s { %s; };\n' "$PWD/$name" "$port" "$addr"
		printf '\tlisten-on-v6 { none; };\n\tpid-file none;\n\tsession-keyfile none;\n\trecursion no;\n'
		printf '\tdnssec-validation no;\n\tnotify no;\n\tallow-transfer { any; };\n};\ncontrols { };\n'
		for file; do
			printf 'zone "%s" {\n\ttype primary;\n\tfile "%s";\n\tcheck-names ignore;\n' \
			    "$(basename "$file" .zone)" "$(realpath "$file")"
			printf '\tallow-update { key "%s"; };\n};\n' "$(key_name "$key")"
		done
	} >"$name/named.conf"
}

# tsig_start NAME ADDR PORT KEYFILE [MODE...]: tests/tsig_server.py; its requests are in
# NAME/requests.
tsig_start() {
	local name=$1 addr=$2 port=$3 key=$4 modes _
	shift 4
	modes=$(printf '%s,' "$@")
	mkdir -p "$name"
	: >"$name/requests"
	: >"$name/log"
	python3 -B "$TOP/tests/tsig_server.py" "$addr" "$port" "$(key_part "$key" algorithm)" \
	    "$(key_name "$key")" "$(key_part "$key" secret)" "$name/requests" "$modes" \
	    >"$name/log" 2>&1 3>&- &
	echo $! >"$name/pid"
	for _ in $(seq 200); do
		! grep -qx ready "$name/log" || return 0
		kill -0 "$(cat "$name/pid")" || break
		sleep 0.05
	done
	cat "$name/log"
	return 1
}
