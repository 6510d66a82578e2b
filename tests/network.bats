# Other machines behind a network: each an sshd in a network namespace of its own.
setup() {
	load helper; load acme; load deploy; workdir
	G1=20260101T000000Z G2=20260201T000000Z
	mail=example.com/mail-ec reload=$BATS_TEST_TMPDIR/bin/reload
}

teardown() {
	lab_stop
	umount far/* 2>/dev/null || :
	local n
	for n in $nets; do ip netns del "$n" 2>/dev/null || :; done
}

# network NAME...: a namespace for each, reached from one for this side by a pair of
# Ethernet devices.  All of it is named by the process, and gone with the namespaces.
network() {
	local n i=1
	[ "$(id -u)" = 0 ] || skip "only root can have networks"
	command -v ip >/dev/null || skip "no ip"
	here=sslm$$here nets=''
	ip netns add "$here" 2>/dev/null || skip "no network namespaces here"
	nets=$here
	ip -n "$here" link add type veth 2>/dev/null || skip "no veth here"
	ip -n "$here" link del veth0
	far_start	# the lab's keys, and its ssh
	LAB_IP=127.0.0.1
	for n; do
		ip netns add "sslm$$$n"
		nets="$nets sslm$$$n"
		ip -n "$here" link add "to$n" type veth peer name eth0 netns "sslm$$$n"
		ip -n "$here" addr add "192.0.2.$i/31" dev "to$n"
		ip -n "sslm$$$n" addr add "192.0.2.$((i - 1))/31" dev eth0
		ip -n "$here" link set "to$n" up
		ip -n "sslm$$$n" link set lo up
		ip -n "sslm$$$n" link set eth0 up
		printf 'Host %s\n\tHostName 192.0.2.%s\n' "$n" $((i - 1)) >"$LAB/ssh_host.$n"
		mkdir -p "far/$n"
		echo "$n" >"far/$n/name"
		machine "$n"
		i=$((i + 2))
	done
	# As far_config() does, but all listen at ssh's own port.
	cat "$LAB"/ssh_host.* "$LAB/ssh_rest" >"$LAB/ssh_config"
}

# machine NAME: its sshd, waited for.
machine() {
	printf '%s\n' 'ListenAddress 0.0.0.0:22' "HostKey \"$LAB/hostkey\"" "AuthorizedKeysFile \"$LAB/id.pub\"" \
	    'PidFile none' 'UsePAM no' 'StrictModes no' 'PermitRootLogin prohibit-password' >"$LAB/$1.sshd"
	# shellcheck disable=SC2016
	setpriv --pdeathsig KILL ip netns exec "sslm$$$1" unshare -m sh -c \
	    'mount --bind "$1" "$2" && exec /usr/sbin/sshd -D -e -f "$3"' sh "$PWD/far/$1" "$PWD/p" "$LAB/$1.sshd" \
	    </dev/null >"$LAB/$1.log" 2>&1 3>&- &
	echo $! >"$LAB/$1.pid"
	echo "$LAB/$1.pid" >>"$(lab_scope)/lab.started"
	local end=$((SECONDS + 20))
	until grep -q 'Server listening' "$LAB/$1.log"; do
		[ $SECONDS -lt $end ] || { cat "$LAB/$1.log"; return 1; }
		sleep 0.02
	done
}

# deploy OPTION...: from this side.
deploy() { ip netns exec "$here" "$(command -v sslm-deploy)" "$@"; }

# mail_on HOST...: [smtp] on these.
mail_on() {
	local list
	list=$(printf "'%s'," "$@")
	deploy_site '[smtp]' "servers = [${list%,}]" "restart_cmd = '$reload smtp'" "svc_depends = [['example.com', ['mail-ec']]]"
	prod $mail $G1
}

@test "two machines behind a network: each gets its set, and is told by its own sshd" {
	network one two
	mail_on one two
	run -0 deploy
	[ "$output" = "$(printf '%s\t%s\n' one copied two copied one 'smtp reloaded' two 'smtp reloaded')" ]
	[ "$(reloads)" = $'one: smtp\ntwo: smtp' ]
	same one $mail
	same two $mail
	run -0 deploy -c
	[ -z "$output" ]
	# From outside of that network nobody is reached.
	run -75 sslm-deploy -c
}

@test "a machine that falls off the network: the other is served, and the next run serves it alone" {
	network one two
	mail_on one two
	deploy -q
	reloads
	prod $mail $G2
	ip -n "$here" link set totwo down
	run -75 timeout 60 ip netns exec "$here" "$(command -v sslm-deploy)"
	[[ $output == *"'two': copy of sets: rsync: exit status "* ]]
	[[ $output == *$'one\tsmtp reloaded' ]]
	[ "$(reloads)" = 'one: smtp' ]
	run -75 deploy -c
	[[ $output == *"'two': comparison: rsync: "* ]]
	ip -n "$here" link set totwo up
	run -1 deploy -c
	[[ $output == $'two\t'* ]]
	run ! grep ^one <<<"$output"
	: >ssh.log
	run -0 deploy
	[ "$output" = $'two\tcopied\ntwo\tsmtp reloaded' ]
	[ "$(reloads)" = 'two: smtp' ]
	run ! grep -w one ssh.log
	same two $mail
	run -0 deploy
	[ -z "$output" ]
}

@test "a line that answers nobody any more while files are sent: an end, and the next run mends it" {
	network one two
	mail_on one two
	deploy -q
	reloads
	prod $mail $G2
	# ssh says that it is there, and then its packets are lost.
	printf '#!/bin/sh\ncase "$*" in *two*rsync*) ip -n %s addr flush dev totwo ;; esac\nexec /usr/bin/ssh -F "%s" "$@"\n' \
	    "$here" "$LAB/ssh_config" >"$LAB/bin/ssh"
	run -75 timeout 60 ip netns exec "$here" "$(command -v sslm-deploy)" -w 4
	[[ $output == *"'two': copy of sets: rsync: "* ]]
	[ "$(reloads)" = 'one: smtp' ]
	[ "$(readlink far/two/prod/$mail/curr)" = db/$G1 ]
	printf '#!/bin/sh\nexec /usr/bin/ssh -F "%s" "$@"\n' "$LAB/ssh_config" >"$LAB/bin/ssh"
	ip -n "$here" addr add 192.0.2.3/31 dev totwo
	run -0 deploy
	[ "$output" = $'two\tcopied\ntwo\tsmtp reloaded' ]
	same two $mail
}

@test "a slow machine is served like any other; one that is too slow is tried again" {
	network one slow
	# 4 kB at a time, each after a moment: the way there is long, and so is that back.
	cat >"$LAB/crawl" <<-'END'
	import os, socket, sys, threading, time
	s = socket.create_connection((sys.argv[1], 22))
	def pump(take, give, end):
	    while data := take():
	        time.sleep(float(sys.argv[2]))
	        give(data)
	    end()
	threading.Thread(target=pump, daemon=True, args=(lambda: os.read(0, 4096), s.sendall, lambda: s.shutdown(1))).start()
	pump(lambda: s.recv(4096), lambda d: os.write(1, d), lambda: None)
	END
	crawl() {
		sed -i '/ProxyCommand/d' "$LAB/ssh_config"
		sed -i "s|^Host slow|&\n\tProxyCommand python3 \"$LAB/crawl\" %h $1|" "$LAB/ssh_config"
	}
	crawl 0.03
	mail_on one slow
	begin=$(date +%s%N)
	run -0 deploy
	took=$((($(date +%s%N) - begin) / 1000000))
	echo "$took ms"
	[ "$took" -gt 500 ]
	[ "$output" = "$(printf '%s\t%s\n' one copied slow copied one 'smtp reloaded' slow 'smtp reloaded')" ]
	same slow $mail
	reloads
	prod $mail $G2
	crawl 5
	run -75 timeout 60 ip netns exec "$here" "$(command -v sslm-deploy)" -w 2
	[[ $output == *"'slow': copy of sets: rsync: stopped, not done within 2 seconds"* ]]
	[ "$(reloads)" = 'one: smtp' ]
	crawl 0
	: >ssh.log
	run -0 deploy
	[ "$output" = $'slow\tcopied\nslow\tsmtp reloaded' ]
	[ "$(reloads)" = 'slow: smtp' ]
	same slow $mail
}

@test "one down, one with a full disk, one well: the next run serves the two that were missed" {
	mkdir -p far/full
	mount -t tmpfs -o size=128k tmpfs far/full || skip "no mount here"
	network one full down
	mail_on one full down
	deploy -q
	reloads
	prod $mail $G2
	head -c 128k /dev/zero >far/full/fill || :
	ip -n "$here" link set todown down
	run -75 timeout 60 ip netns exec "$here" "$(command -v sslm-deploy)"
	[[ $output == *"'full': copy of sets: rsync: exit status "* ]]
	[[ $output == *"'down': copy of sets: rsync: exit status "* ]]
	[ "$(reloads)" = 'one: smtp' ]
	[ "$(readlink far/full/prod/$mail/curr)" = db/$G1 ]
	rm far/full/fill
	run -75 timeout 60 ip netns exec "$here" "$(command -v sslm-deploy)"
	[ "$(reloads)" = 'full: smtp' ]
	ip -n "$here" link set todown up
	: >ssh.log
	run -0 deploy
	[ "$output" = $'down\tcopied\ndown\tsmtp reloaded' ]
	[ "$(reloads)" = 'down: smtp' ]
	run ! grep -wE 'one|full' ssh.log
	for n in one full down; do same $n $mail; done
}
