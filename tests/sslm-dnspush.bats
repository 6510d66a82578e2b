# sslm-dnspush: which zones the name server is told of, when, and how its commands
# are run.
setup() {
	load helper
	workdir
	mkdir -p conf.d certs cmds
}

# conf LINE...: ssl-mgr.conf with some groups, and these lines in [dns].
conf() {
	printf "[[groups]]\ndomain = '%s'\nactive = true\nservices = ['web']\n" {a,b,c}.example example.com >conf.d/ssl-mgr.conf
	printf '%s\n' '[dns]' "$@" >>conf.d/ssl-mgr.conf
}

# script NAME LINE...: a program cmds/NAME.
script() {
	printf '%s\n' '#!/bin/bash' "${@:2}" >"cmds/$1"
	chmod 755 "cmds/$1"
}

# gone PID: wait until a process is no more.
gone() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ -e "/proc/$1" ] || return 0
		sleep 0.05
	done
	return 1
}

# until_file FILE
until_file() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$1" ] || return 0
		sleep 0.05
	done
	return 1
}

@test "each command gets --serial_bump and all zones, sorted, each once" {
	conf "restart_cmd = ['cmds/one', '$PWD/cmds/two']"
	for c in one two; do
		script $c "printf '$c:%s\n' \"\$@\" >>log"
	done
	printf 'b.example\nExample.COM\n' >certs/.push
	run -0 --separate-stderr sslm-dnspush c.example b.example. example.com
	[ -z "$stderr" ]
	[ "$output" = $'b.example\nc.example\nexample.com' ]
	printf '%s\n' one:{--serial_bump,b.example,c.example,example.com} \
	    two:{--serial_bump,b.example,c.example,example.com} | diff - log
	[ ! -e certs/.push ]
}

@test "-q says nothing; nothing to push runs nothing" {
	conf "restart_cmd = 'cmds/one'"
	script one 'echo run >>log'
	run -0 sslm-dnspush -q example.com
	[ -z "$output" ]
	run -0 sslm-dnspush
	[ -z "$output" ]
	[ "$(cat log)" = run ]
}

@test "without a command there is nothing to run, and the zones are forgotten" {
	for c in 'acme_dir = "x"' 'restart_cmd = []' 'restart_cmd = ""'; do
		conf "$c"
		echo example.com >certs/.push
		run -0 --separate-stderr sslm-dnspush -q
		[ -z "$output$stderr" ]
		[ ! -e certs/.push ]
	done
	echo >conf.d/ssl-mgr.conf
	run -0 sslm-dnspush -q example.com
	[ ! -e certs/.push ]
}

@test "a command that fails: told, the zones stay, the next one is not run" {
	conf "restart_cmd = ['cmds/one', 'cmds/two']"
	script two 'echo two >>log'
	script one 'exit 3'
	run -1 sslm-dnspush example.com
	[ "$output" = "sslm-dnspush: [dns] restart_cmd 'cmds/one': exit status 3" ]
	[ "$(cat certs/.push)" = example.com ]
	script one 'kill -9 $$'
	run -1 sslm-dnspush a.example
	[[ $output == *"'cmds/one': killed by signal 9 (Killed)" ]]
	[ ! -e log ]
	[ "$(cat certs/.push)" = $'a.example\nexample.com' ]
	rm cmds/one
	run -1 sslm-dnspush
	[[ $output == *"'cmds/one': cannot be run: No such file or directory" ]]
	script one 'printf "%s\n" "$*" >>log'
	run -0 sslm-dnspush -q
	[ "$(cat log)" = $'--serial_bump a.example example.com\ntwo' ]
	[ ! -e certs/.push ]
}

@test "a zone that the site does not know is pushed once, and not kept" {
	conf "restart_cmd = 'cmds/one'"
	script one 'printf "%s\n" "$*" >>log; grep -v exmaple certs/.push; [[ $* != *exmaple* ]]'
	echo child.example.com >certs/.push
	run -1 sslm-dnspush -q www.exmaple child.example.com example.com
	[ "${lines[0]}" = child.example.com ]
	[ "$(cat certs/.push)" = $'child.example.com\nexample.com' ]
	run -0 sslm-dnspush
	[ "$(cat log)" = $'--serial_bump child.example.com example.com www.exmaple\n--serial_bump child.example.com example.com' ]
	[ ! -e certs/.push ]
}

@test "a status is noted for make" {
	conf "restart_cmd = 'false'"
	SSLM_STATUS=$PWD/st run -1 sslm-dnspush example.com
	[ "$(cat st)" = "1 sslm-dnspush" ]
}

@test "the zones are on disk before a command is run" {
	traceable
	conf "restart_cmd = 'cmds/one'"
	script one 'cp certs/.push seen'
	run -0 strace -f -o trace -e trace=rename,fsync,execve sslm-dnspush -q example.com
	[ "$(cat seen)" = example.com ]
	sed -n 's/^[0-9]* *\([a-z]*\)(.*= 0$/\1/p' trace | xargs | grep -q '^execve fsync rename fsync execve'
}

@test "what certs/.push must not hold is left out, and told" {
	conf "restart_cmd = 'cmds/one'"
	script one 'printf "%s\n" "$@" >>log'
	printf '%s\n' example.com -oops '--x' 'a b' '*.example.com' ca 192.0.2.1 '$(touch x)' \
	    'x;y' '../z' "$(printf 'a%.0s' {1..300})" >certs/.push
	printf 'nul\0nul\n' >>certs/.push
	run -1 sslm-dnspush -q
	[ "$(wc -l <<<"$output")" = 11 ]
	[ "$(cat log)" = $'--serial_bump\nexample.com' ]
	[ ! -e certs/.push ]
	run -0 sslm-dnspush -q
}

@test "an argument that is no zone, and a certs/.push that is no file" {
	conf "restart_cmd = 'cmds/one'"
	for z in ca -- '*.example.com' 'a b' ../x 192.0.2.1 ''; do
		[ "$z" != -- ] || continue
		run -2 sslm-dnspush "$z"
		[ ! -e certs/.push ]
	done
	mkfifo certs/.push
	run -1 timeout 10 sslm-dnspush example.com
	[ -p certs/.push ]
}

@test "a command with blanks is split, unless it is a file; a relative path is the site's" {
	conf "restart_cmd = ['cmds/one  -x y', 'cmds/with blank', 'printf %s,']"
	script one 'echo "one $*" >>log'
	script 'with blank' 'echo "blank $*" >>log'
	run -0 sslm-dnspush -q example.com
	[ "$output" = --serial_bump,example.com, ]
	[ "$(cat log)" = $'one -x y --serial_bump example.com\nblank --serial_bump example.com' ]
	# The test tree below the site has the same commands, and its own zones.
	mkdir -p certs/.test
	touch certs/.test/.staging
	ln -s ../../conf.d certs/.test/conf.d
	rm log
	run -0 sslm-dnspush -q -C certs/.test b.example
	[ "$(cat certs/.test/log)" = $'one -x y --serial_bump b.example\nblank --serial_bump b.example' ]
}

@test "no shell comes near a command" {
	conf "restart_cmd = 'cmds/one \$(touch x) \`touch x\` ; touch x'"
	script one 'printf "%s\n" "$@" >>log'
	run -0 sslm-dnspush -q example.com
	printf '%s\n' '$(touch' 'x)' '`touch' 'x`' ';' touch x --serial_bump example.com | diff - log
	[ ! -e x ]
}

@test "a command has no stdin, no descriptors, no words of make's; umask 022" {
	conf "restart_cmd = 'cmds/one'"
	script one 'readlink /proc/$$/fd/0 >log; ls /proc/self/fd | xargs >>log; umask >>log' \
	    'env | grep -cE "^(SSLM_LOCKED|SSLM_STATUS|SSLM_TOLD|MAKEFLAGS|MFLAGS|MAKELEVEL)=" >>log' \
	    'echo "$KEEP" >>log; grep ^SigIgn: /proc/self/status >>log; grep ^SigBlk: /proc/self/status >>log' \
	    'ps -o pgid= $$ | tr -d " " >>log; echo $$ >>log'
	exec 9>>certs/.lock
	echo input | (
		umask 077
		export SSLM_LOCKED=1 SSLM_STATUS=$PWD/st SSLM_TOLD=$PWD/told MAKEFLAGS=n MFLAGS=-n MAKELEVEL=1 KEEP=yes
		exec 7<"$BATS_TEST_FILENAME"
		sslm-dnspush -q example.com
	)
	exec 9>&-
	cat log
	# ls has the directory that it reads open, as 3.
	sed -n 1,5p log | diff - <(printf '%s\n' /dev/null '0 1 2 3' 0022 0 yes)
	# SIGPIPE (13) and SIGXFSZ (25) are not ignored, and nothing is blocked.
	ign=$((16#$(sed -n 's/^SigIgn:[[:space:]]*//p' log)))
	[ $((ign >> 12 & 1)) = 0 ]
	[ $((ign >> 24 & 1)) = 0 ]
	[ $((16#$(sed -n 's/^SigBlk:[[:space:]]*//p' log))) = 0 ]
	[ "$(tail -n 2 log | sort -u | wc -l)" = 1 ]
}

@test "a daemon that a command starts does not hold the lock, and is left alone" {
	conf "restart_cmd = 'cmds/one'"
	script one 'sleep 100 >/dev/null 2>&1 &' 'echo $! >pid'
	exec 9>>certs/.lock
	flock -n 9
	run -0 sslm-dnspush -q example.com
	exec 9>&-
	flock -n certs/.lock true
	kill "$(cat pid)"
}

@test "a command that takes too long is stopped, with what it started" {
	conf "restart_cmd = 'cmds/one'"
	script one 'exec >/dev/null 2>&1' '(trap "" TERM; exec sleep 100) & echo $! >pid; sleep 100'
	run -75 timeout -s KILL 30 sslm-dnspush -w 1 example.com
	[[ $output == *"'cmds/one': stopped, not done within 1 seconds" ]]
	[ "$(cat certs/.push)" = example.com ]
	gone "$(cat pid)"
}

@test "one that does not mind SIGTERM gets SIGKILL" {
	conf "restart_cmd = 'cmds/one'"
	script one 'exec >/dev/null 2>&1; trap "" TERM; echo $$ >pid; while :; do sleep 1; done'
	run -75 timeout -s KILL 30 sslm-dnspush -w 1 example.com
	gone "$(cat pid)"
}

@test "a signal for us ends the command, and then us" {
	conf "restart_cmd = 'cmds/one'"
	script one 'trap "echo got >>log; exit 0" TERM; echo $$ >pid; while :; do sleep 0.1; done'
	sslm-dnspush -q example.com 3>&- &
	us=$!
	until_file pid
	kill -TERM $us
	rc=0
	wait $us || rc=$?
	[ $rc = $((128 + 15)) ]
	[ "$(cat log)" = got ]
	gone "$(cat pid)"
	[ "$(cat certs/.push)" = example.com ]
}

@test "started with SIGCHLD and SIGTERM ignored, a command's end is still seen" {
	conf "restart_cmd = 'cmds/one'"
	script one 'exit 4'
	run -1 timeout 20 env --ignore-signal=CHLD --ignore-signal=TERM sslm-dnspush -q example.com
	[[ $output == *"exit status 4" ]]
}

@test "-w wants a number" {
	conf
	run -2 sslm-dnspush -w 0
	run -2 sslm-dnspush -w x
}

@test "killed at any point, the next run pushes" {
	traceable
	conf "restart_cmd = 'cmds/one'"
	script one 'printf "%s\n" "$*" >>log'
	kills=0
	for call in fsync fchmod rename unlink; do
		for n in {1..9}; do
			rm -rf certs log
			mkdir certs
			echo a.example >certs/.push
			rc=0
			strace -o trace -e trace=$call -e inject=$call:signal=KILL:when=$n \
			    sslm-dnspush -q b.example 2>/dev/null || rc=$?
			[ $rc != 0 ] || break
			kills=$((kills + 1))
			# make begins with the removal of such files, and hands the zones in again.
			rm -f certs/.*.new
			run -0 sslm-dnspush -q b.example
			[ -z "$(ls -A certs)" ]
			# Killed before b was known or when all was done, a run for b alone is right.
			grep -q -- '^--serial_bump a.example b.example$' log
			tail -n 1 log | grep -q -- ' b.example$'
		done
		[ $n -lt 9 ]
	done
	echo "$kills kills"
	[ $kills -gt 5 ]
}

# updater LINE...: an sslm-nsupdate that does this, found before ours.
updater() {
	script sslm-nsupdate "$@"
	PATH=$PWD/cmds:$PATH
}

@test "[dns] update: each zone by itself, with its files, before the restart_cmd" {
	conf "update = 'ns1.example.com#5353  keys/my key'" "restart_cmd = 'cmds/one'"
	updater 'printf "%s|" "$@" >>log; echo >>log; cat >>stdin'
	script one 'printf "%s\n" "$*" >>log'
	mkdir -p certs/.zones certs/a.example certs/b.example
	echo x >certs/.zones/acme-challenge.a.example
	echo x >certs/a.example/tlsa.a.example
	echo x >certs/b.example/tlsa.b.example
	run -0 --separate-stderr sslm-dnspush b.example c.example a.example
	[ -z "$stderr" ]
	[ "$output" = $'a.example\nb.example\nc.example' ]
	u='-q|-s|ns1.example.com#5353|-k|keys/my key|-l|certs/.update'
	printf '%s\n' "$u/a.example|-w|60|--|a.example|certs/.zones/acme-challenge.a.example|certs/a.example/tlsa.a.example|" \
	    "$u/b.example|-w|60|--|b.example|certs/b.example/tlsa.b.example|" "$u/c.example|-w|60|--|c.example|" \
	    '--serial_bump a.example b.example c.example' | diff - log
	[ ! -s stdin ]
	[ "$(stat -c %a certs/.update)" = 700 ]
	[ ! -e certs/.push ]
}

@test "[dns] update: zones that fail stay, the others are done" {
	conf "update = 'ns1 key'" "restart_cmd = 'cmds/one'"
	script one 'printf "%s\n" "$*" >>log'
	updater 'for z; do [ "$z" != -- ] || break; shift; done; exit $(cat "$2.rc" 2>/dev/null || echo 0)'
	echo 75 >b.example.rc
	run -75 --separate-stderr sslm-dnspush a.example b.example
	[ -z "$stderr" ]
	[ "$output" = a.example ]
	[ "$(cat certs/.push)" = b.example ]
	[ "$(cat log)" = '--serial_bump a.example' ]
	echo 1 >a.example.rc
	run -1 sslm-dnspush -q a.example
	[ "$(cat certs/.push)" = $'a.example\nb.example' ]
	[ "$(wc -l <log)" = 1 ]
	echo 2 >a.example.rc
	rm b.example.rc
	run -2 sslm-dnspush -q
	[ "$(cat certs/.push)" = a.example ]
	rm *.rc
	run -0 sslm-dnspush -q
	[ ! -e certs/.push ]
	# A restart_cmd that fails keeps those zones as well.
	script one 'exit 1'
	echo 75 >b.example.rc
	run -1 sslm-dnspush -q a.example b.example
	[ "$(cat certs/.push)" = $'a.example\nb.example' ]
	[ ! -e unknown ]
}

@test "[dns] update: one that is killed, too slow, or not there; and the time for all" {
	conf "update = 'ns1 key'"
	updater 'kill -9 $$'
	run -1 sslm-dnspush a.example
	[ "$output" = "sslm-dnspush: zone 'a.example': sslm-nsupdate: killed by signal 9 (Killed)" ]
	updater 'printf "%s\n" "$*" >>log; sleep 2'
	run -75 sslm-dnspush -q -w 2 a.example b.example
	[ "$output" = "sslm-dnspush: zone 'b.example': no time is left for its update" ]
	grep -q -- '-w 2 -- a.example' log
	[ "$(cat certs/.push)" = b.example ]
	p=$SSLM_BIN
	mkdir alone
	ln -s "$p/sslm-dnspush" alone/
	PATH=$PWD/alone:/usr/bin:/bin run -1 sslm-dnspush
	[[ $output == *"zone 'b.example': sslm-nsupdate: cannot be run: No such file or directory" ]]
}

@test "[dns] update: the test tree has its own challenges, and no TLSA records" {
	conf "update = 'ns1 keys/k'"
	updater 'printf "%s\n" "$*" >>log'
	mkdir -p certs/.test/certs/.zones certs/.test/certs/a.example
	touch certs/.test/.staging
	ln -s ../../conf.d certs/.test/conf.d
	echo x >certs/.test/certs/.zones/acme-challenge.a.example
	echo x >certs/.test/certs/a.example/tlsa.a.example
	run -0 sslm-dnspush -q -C certs/.test a.example
	[ "$(cat certs/.test/log)" = '-q -s ns1 -k ../../keys/k -l certs/.update/a.example -w 60 -- a.example certs/.zones/acme-challenge.a.example' ]
}
