# shellcheck shell=bash
# Loaded, after helper, site and acme, by the tests that want other machines.

# A machine is an sshd in a mount namespace of its own, in which far/NAME is where the
# site has its directory p: so production here and there have the same path, which
# holds a blank, and are not the same files.  Commands find the machine's name in
# p/name.

# far_start NAME...: such machines; others are down.
far_start() {
	local name
	[ "$(id -u)" = 0 ] || skip "only root can have machines of its own"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	if [ ! -e p ]; then
		lab_open
		mkdir -p p
		echo here >p/name
		ssh-keygen -q -t ed25519 -N '' -f "$LAB/hostkey"
		ssh-keygen -q -t ed25519 -N '' -f "$LAB/id"
		[ -d /run/sshd ] || mkdir -m 755 /run/sshd
		printf '#!/bin/sh\necho "$*" >>"%s"\nexec /usr/bin/ssh -F "%s" "$@"\n' "$PWD/ssh.log" \
		    "$LAB/ssh_config" >"$LAB/bin/ssh"
		chmod 755 "$LAB/bin/ssh"
		PATH=$LAB/bin:$PATH
		echo "lab $(cat "$LAB/hostkey.pub")" >"$LAB/known_hosts"
		printf '%s\n' 'Host *' "IdentityFile \"$LAB/id\"" 'IdentitiesOnly yes' 'HostKeyAlias lab' \
		    "UserKnownHostsFile \"$LAB/known_hosts\"" 'StrictHostKeyChecking yes' \
		    "HostName $LAB_IP" >"$LAB/ssh_rest"
	fi
	for name; do
		mkdir -p "far/$name" "etc/$name"
		echo "$name" >"far/$name/name"
		lab_try 5 far_port "$name"
		far_config
	done
}

# far_etc NAME FILE SED: what is other in /etc/FILE of a machine; before far_start, and
# afterwards too.
far_etc() {
	mkdir -p "etc/$1"
	[ -e "etc/$1/$2" ] || cp "/etc/$2" "etc/$1/$2"
	sed "$3" "etc/$1/$2" >etc/new
	cat etc/new >"etc/$1/$2"
}

# far_user NAME: on that machine ssh logs in as `copier', who owns what is there; before
# far_start.
far_user() {
	far_etc "$1" passwd '$a copier:x:4243:4243::/:/bin/sh'
	far_etc "$1" group "\$a copier:x:4243:"
	far_etc "$1" shadow '$a copier:*:19000::::::'
	mkdir -p "far/$1"
	chown 4243:4243 "far/$1"
	# His way there.
	chmod go+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	touch "etc/$1/.user"
}

far_config() {
	cat "$LAB"/ssh_host.* "$LAB/ssh_rest" >"$LAB/ssh_config"
	printf 'Host *\n\tPort 1\n' >>"$LAB/ssh_config"
}

far_port() {
	local port=$((RANDOM % 8000 + 52000))
	printf '%s\n' "ListenAddress $LAB_IP:$port" "HostKey \"$LAB/hostkey\"" \
	    "AuthorizedKeysFile \"$LAB/id.pub\"" 'PidFile none' 'UsePAM no' 'StrictModes no' \
	    'PasswordAuthentication no' 'PermitRootLogin prohibit-password' >"$LAB/$1.sshd"
	# shellcheck disable=SC2016
	lab_serve "$1" "$port" unshare -m sh -c 'mount --bind "$1" "$2" && cd "$4" && for f in *; do
	    [ ! -f "$f" ] || mount --bind "$f" "/etc/$f" || exit; done && exec /usr/sbin/sshd -D -e -f "$3"' sh \
	    "$PWD/far/$1" "$PWD/p" "$LAB/$1.sshd" "$PWD/etc/$1" || return
	printf 'Host %s\n\tPort %s\n' "$1" "$port" >"$LAB/ssh_host.$1"
	[ ! -e "etc/$1/.user" ] || printf '\tUser copier\n' >>"$LAB/ssh_host.$1"
}

# far_down NAME, far_up NAME: nobody is there any more; somebody is there again.
far_down() { lab_end "$LAB/$1.pid"; }
far_up() { lab_try 5 far_port "$1" && far_config; }

# far_hangs NAME: who listens there never says a word.
far_hangs() {
	lab_try 5 far_silence "$1"
	far_config
}

far_silence() {
	local port=$((RANDOM % 8000 + 52000))
	lab_serve "$1" "$port" python3 -c 'import socket, sys, time
s = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True: c = s.accept(); time.sleep(600)' "$LAB_IP" "$port" || return
	printf 'Host %s\n\tPort %s\n' "$1" "$port" >"$LAB/ssh_host.$1"
}

# deploy_site LINE...: the sample's services, of which production is p/prod, and these
# lines in ssl-mgr.conf.  The program $reload, which is set, writes the machine and its arguments to reload.log.
deploy_site() {
	mkdir -p conf.d p certs
	[ -e p/name ] || echo here >p/name
	: "${reload:?}"
	mkdir -p "${reload%/*}"
	cat >"$reload" <<-END
		#!/bin/sh
		cd '$PWD'
		printf '%s\n' "\$(cat p/name): \$*" >>reload.log
		[ ! -e "fail.\$(cat p/name)" ]
	END
	chmod 755 "$reload"
	[ -d conf.d/example.com ] || cp -r "$TOP/conf.d" .
	{
		printf "[globals]\nprod_cert_dir = '%s'\n" "$PWD/p/prod"
		[ -z "${POST-}" ] || printf 'post_copy_cmd = %s\n' "$POST"
		printf "[[groups]]\nactive = true\ndomain = '%s'\nservices = ['*']\n" ca example.com
		printf '%s\n' "$@"
	} >conf.d/ssl-mgr.conf
	: >reload.log
	: >ssh.log
}

# prod GROUP/SERVICE GENERATION [LINK]: a set in production, and curr, or that link,
# leads to it; key and certificate by openssl.  Its generation is in the name of the
# certificate.
prod() {
	local dir=p/prod/$1/db/$2 link=${3:-curr}
	if [ ! -d "$dir" ]; then
		(umask 027 && mkdir -p "$dir")
		chmod 755 "p/prod/${1%/*}"
		(umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		    -keyout "$dir/privkey.pem" -out "$dir/cert.pem" -subj "/CN=$2" 2>/dev/null)
		(umask 022 && openssl req -new -key "$dir/privkey.pem" -subj "/CN=$2" -out "$dir/csr.pem" &&
		    cp "$dir/cert.pem" "$dir/chain.pem" && cp "$dir/cert.pem" "$dir/fullchain.pem" &&
		    echo "# ${1#*/}" >"$dir/info")
		chmod 644 "$dir/cert.pem" "$dir/chain.pem" "$dir/fullchain.pem"
		(umask 077 && cat "$dir/privkey.pem" "$dir/fullchain.pem" >"$dir/bundle.pem")
		[ "${1%/*}" != ca ] || rm "$dir/privkey.pem" "$dir/bundle.pem"
	fi
	ln -s "db/$2" "p/prod/$1/.$link" && mv -T "p/prod/$1/.$link" "p/prod/$1/$link"
}

# same HOST GROUP/SERVICE: are links and sets there what they are here?
same() { diff -r --no-dereference "p/prod/$2" "far/$1/prod/$2"; }

# reloads: what has been reloaded since the last call.
reloads() { cat reload.log && : >reload.log; }

# far_near NAME...: the same machines without an sshd: ssh runs the command in a mount
# namespace of its own, by a shell, as sshd would.
far_near() {
	local name
	[ "$(id -u)" = 0 ] || skip "only root can have machines of its own"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir -p near p
	echo here >p/name
	for name; do
		mkdir -p "far/$name"
		echo "$name" >"far/$name/name"
	done
	cat >near/ssh <<-END
		#!/bin/sh
		while :; do
			case \$1 in
			-o | -l) shift 2 ;;
			-*) shift ;;
			*) break ;;
			esac
		done
		export HOST="\$1"
		shift
		export CMD="\$*"
		exec unshare -m sh -c 'mount --bind "$PWD/far/\$HOST" "$PWD/p" && exec sh -c "\$CMD"'
	END
	chmod 755 near/ssh
	PATH=$PWD/near:$PATH
}
