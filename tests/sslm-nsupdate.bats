# sslm-nsupdate: zones of real name servers (knot, BIND) changed, and nothing but what it
# has added; answers of a server that lies; kills.
setup() {
	load helper
	load dns
	workdir
	PATH=$PATH:/usr/sbin
	IP=127.0.0.1	# named listens where an interface has an address
	PORT=$(free_port)
	tsig-keygen -a hmac-sha256 up.example >key
	chmod 600 key
}
teardown() { dns_stop_all; }

# server KIND [ZONELINE...]: a server of that kind with the zone example.com.
server() {
	local kind=$1
	shift
	dns_zone example.com '@ NS ns1' "ns1 A $IP" 'www 3600 TXT "theirs"' '*.wild TXT "any"' \
	    'alias CNAME www' 'child NS ns.child' 'ns.child A 192.0.2.1' "$@" >example.com.zone
	update_start "$kind" "$kind" "$IP" "$PORT" key example.com.zone
}

# up [OPTION...] ZONE [FILE...]: the program, with key, server and list.
up() { sslm-nsupdate -k key -s "$IP#$PORT" -l list "$@"; }

# zone [PATTERN]: the zone's records but SOA, NS and the like, as kdig has them.
zone() {
	kdig +noall +answer @"$IP" -p "$PORT" example.com AXFR |
	    awk '$4 != "SOA" && $4 != "NS" && $4 != "A" && $4 != "CNAME"' |
	    tr -s '\t ' ' ' | tr 'A-F' 'a-f' | LC_ALL=C sort | { grep -v '^[*.]*wild\|^www.*theirs' || :; }
}
serial() { kdig +short @"$IP" -p "$PORT" example.com SOA | cut -d' ' -f3; }

tlsa=$(printf '0123456789abcdef%.0s' 1 2 3 4)

# records: what is wanted, as kdig shows it too.
records() {
	printf '%s\n' "_25._tcp.mx.example.com. 60 IN TLSA 3 1 1 $tlsa" \
	    '_acme-challenge.example.com. 60 IN TXT "one"' '_acme-challenge.example.com. 60 IN TXT "two"'
}
# The letters that zone() makes small are small here too.
shown() { tr 'A-F' 'a-f' | LC_ALL=C sort; }

@test "records are added, once, and removed again: knot and BIND" {
	for kind in knot named; do
		server $kind
		records >lines
		run -0 --separate-stderr up example.com lines
		[ -z "$stderr" ]
		sed 's/^/add /' lines | LC_ALL=C sort | diff - <(echo "$output" | LC_ALL=C sort)
		zone | diff <(shown <lines) -
		LC_ALL=C sort lines | diff - list
		was=$(serial)
		before=$(stat -c '%i %y' list)
		# Again: nothing is sent but questions.
		run -0 up example.com lines
		[ -z "$output" ]
		[ "$(serial)" = "$was" ]
		[ "$(stat -c '%i %y' list)" = "$before" ]
		# One is not wanted any more, another one is new.
		grep -v two lines >less
		echo '_acme-challenge.www.example.com. 60 IN TXT "three"' >>less
		run -0 up example.com less
		[ "$(LC_ALL=C sort <<<"$output")" = "$(printf '%s\n' \
		    'add _acme-challenge.www.example.com. 60 IN TXT "three"' 'delete _acme-challenge.example.com. 60 IN TXT "two"')" ]
		zone | diff <(shown <less) -
		LC_ALL=C sort less | diff - list
		run -0 up -q example.com </dev/null
		[ -z "$output" ]
		[ -z "$(zone)" ]
		[ ! -e list ]
		# Without a list there is nothing to be removed, nor anybody to be asked.
		dns_stop $kind
		run -0 up example.com </dev/null
		rm -rf $kind
	done
}

@test "what somebody else has put there is left alone, and counts" {
	for kind in knot named; do
		server $kind '_acme-challenge TXT "theirs"' '_acme-challenge TXT "one"'
		records >lines
		run -0 up -q example.com lines
		run ! grep one list
		[ "$(zone | grep -c _acme)" = 3 ]
		run -0 up -q example.com </dev/null
		[ "$(zone)" = $'_acme-challenge.example.com. 60 IN TXT "one"\n_acme-challenge.example.com. 60 IN TXT "theirs"' ]
		dns_stop $kind
		rm -rf $kind example.com.zone*
	done
}

@test "a record gets the TTL of the others of its set; alone, that which is wanted" {
	for kind in knot named; do
		server $kind
		echo 'www.example.com. 60 IN TXT "ours"' >lines
		run -0 up example.com lines
		[ "$output" = 'add www.example.com. 3600 IN TXT "ours"' ]
		kdig +noall +answer @"$IP" -p "$PORT" www.example.com TXT >shown
		grep -c '3600.*"ours"\|3600.*"theirs"' shown | grep -qx 2
		run -0 up example.com lines
		[ -z "$output" ]
		run -0 up -q example.com </dev/null
		records >lines
		run -0 up -q example.com lines
		was=$(serial)
		sed 's/ 60 / 120 /' lines >other
		run -0 up example.com other
		sed 's/^/add /' other | LC_ALL=C sort | diff - <(LC_ALL=C sort <<<"$output")
		zone | diff <(shown <other) -
		LC_ALL=C sort other | diff - list
		[ "$(serial)" != "$was" ]
		was=$(serial)
		# Of two TTLs in one set the smaller one counts, for it can have only one.
		sed '/"one"/s/ 120 / 30 /' other >mixed
		run -0 up -q example.com mixed
		[ "$(zone | grep -c ' 30 IN TXT')" = 2 ]
		was=$(serial)
		run -0 up example.com mixed
		[ -z "$output" ]
		[ "$(serial)" = "$was" ]
		run -0 up -q example.com </dev/null
		[ -z "$(zone)" ]
		dns_stop $kind
		rm -rf $kind example.com.zone*
	done
}

@test "-n says what would be done, and does nothing" {
	server knot
	records >lines
	was=$(serial)
	run -0 up -n example.com lines
	sed 's/^/add /' lines | LC_ALL=C sort | diff - <(LC_ALL=C sort <<<"$output")
	[ ! -e list ]
	[ "$(serial)" = "$was" ]
	up -q example.com lines
	was=$(serial)
	run -0 up -n example.com </dev/null
	sed 's/^/delete /' lines | LC_ALL=C sort | diff - <(LC_ALL=C sort <<<"$output")
	[ "$(wc -l <list)" = 3 ]
	[ "$(serial)" = "$was" ]
}

@test "several files are one; a record that is there twice counts once" {
	server knot
	records | head -n 1 >tlsa
	records | tail -n 2 >acme
	{ echo ';; a comment'; echo; records; } >all
	run -0 up -q example.com tlsa acme all
	records | shown | diff - <(zone)
	run -0 up example.com - <all
	[ -z "$output" ]
	# Case and notation do not matter.
	{
		echo "_25._TCP.MX.example.com. 60 TLSA 3 1 1 ${tlsa^^}"
		records | tail -n 2 | sed 's/^_acme/_ACME/; s/"//g'
	} >all
	run -0 up example.com all
	[ -z "$output" ]
}

@test "no list: added, and never removed" {
	server knot
	records >lines
	run -0 sslm-nsupdate -q -k key -s "$IP#$PORT" example.com lines
	[ "$(zone | wc -l)" = 3 ]
	run -0 sslm-nsupdate -k key -s "$IP#$PORT" example.com </dev/null
	[ -z "$output" ]
	[ "$(zone | wc -l)" = 3 ]
}

@test "under a wildcard, at a CNAME, in a zone below" {
	for kind in knot named; do
		server $kind
		echo 'a.wild.example.com. 60 IN TXT "ours"' >lines
		echo 'b.example.com. 60 IN TXT "ours"' >>lines
		run -0 up -q example.com lines
		zone | grep -F '"ours"' | diff - lines
		run -0 up example.com lines
		[ -z "$output" ]
		run -0 up -q example.com </dev/null
		[ "$(kdig +short @"$IP" -p "$PORT" a.wild.example.com TXT)" = '"any"' ]
		echo 'alias.example.com. 60 IN TXT "ours"' >lines
		run -1 up example.com lines
		[[ $output == *"'alias.example.com' is a CNAME, and can have no other records" ]]
		echo 'x.child.example.com. 60 IN TXT "ours"' >lines
		run -1 up example.com lines
		[[ $output == *"has no authority over 'x.child.example.com'" ]]
		[ ! -e list ]
		dns_stop $kind
		rm -rf $kind example.com.zone*
	done
}

@test "keys of all three algorithms, written in all ways" {
	for kind in knot named; do
		for alg in hmac-sha256 hmac-sha384 hmac-sha512; do
			rm -f key
			tsig-keygen -a $alg K-1.example >key
			chmod 600 key
			server $kind
			secret=$(key_part key secret)
			printf '# a\n// b */\n/* c\nkey "x" { */ key k-1.EXAMPLE.{secret %s;# d\n\talgorithm "%s"; // e\n} ;' \
			    "$secret" "${alg^^}" >other
			chmod 400 other
			records >lines
			run -0 sslm-nsupdate -q -k other -s "$IP#$PORT" -l list example.com lines
			[ "$(zone | wc -l)" = 3 ]
			run -0 up -q example.com </dev/null
			dns_stop $kind
			rm -rf $kind example.com.zone* other
		done
	done
}

@test "another key, another secret, a wrong clock: told, status, nothing is changed" {
	for kind in knot named; do
		server $kind
		records >lines
		was=$(serial)
		mv key right
		tsig-keygen -a hmac-sha256 up.example >key
		chmod 600 key
		run -1 up example.com lines
		[ "$output" = "sslm-nsupdate: the server '$IP#$PORT' has another secret for the key 'up.example' (BADSIG)" ]
		tsig-keygen -a hmac-sha256 other.example >key
		run -1 up example.com lines
		# Knot from 3.4 on signs no answer and says no more than that.
		[ "$output" = "sslm-nsupdate: the server '$IP#$PORT' does not know the key 'other.example' with hmac-sha256, or does not let it do this (BADKEY)" ] ||
		    [ "$output" = "sslm-nsupdate: the server '$IP#$PORT' answers NOTAUTH, unsigned; has it the zone, and does it know the key 'other.example'?" ]
		tsig-keygen -a hmac-sha512 up.example >key
		run -1 up example.com lines
		mv right key
		export ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0	# faketime comes first
		for off in +3600 -3600; do
			run -75 faketime -f "${off}s" sslm-nsupdate -k key -s "$IP#$PORT" -l list example.com lines
			[[ $output == *"has a clock that differs from ours by "*" seconds (BADTIME)"* ]]
		done
		[ ! -e list ]
		[ "$(serial)" = "$was" ]
		# A few minutes do no harm.
		run -0 faketime -f -200s sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com lines
		[ "$(zone | wc -l)" = 3 ]
		dns_stop $kind
		rm -rf $kind example.com.zone* list
	done
}

@test "a zone that the server does not have, a key that may not" {
	echo 'a.example.net. 60 IN TXT "x"' >lines
	for kind in knot named; do
		server $kind
		run -1 up example.net lines
		[[ $output == "sslm-nsupdate: "*"the server '$IP#$PORT' answers "*REFUSED* ]]
		dns_stop $kind
		rm -rf $kind example.com.zone*
	done
	# May ask, and not update.
	server named
	sed -i 's/allow-update .*;$/allow-update { none; };/' named/named.conf
	dns_stop named
	named -g -n 1 -c named/named.conf >named/log 2>&1 3>&- &
	echo $! >named/pid
	dns_wait named "$IP" "$PORT" example.com
	records >lines
	run -1 up example.com lines
	[[ $output == "sslm-nsupdate: zone 'example.com': the server '$IP#$PORT' answers an update with REFUSED; "* ]]
	# It has said that it has not been done: nothing is ours.
	[ ! -e list ]
}

@test "a key that may change TXT at one name, TLSA in the zone, and nothing else" {
	records >lines
	for kind in knot named; do
		server $kind
		dns_stop $kind
		if [ $kind = knot ]; then
			sed -i '/^  - id: updates/,/^  - id: all/{/^  - id: all/!d}' knot/knot.conf
			sed -i 's/^acl:/&\n  - id: txt\n    key: up.example\n    action: update\n    update-type: TXT\n    update-owner: name\n    update-owner-match: equal\n    update-owner-name: [ _acme-challenge ]\n  - id: tlsa\n    key: up.example\n    action: update\n    update-type: TLSA\n    update-owner: zone\n    update-owner-match: sub/; s/\[updates, all\]/[txt, tlsa, all]/; s/action: .query, transfer.$/action: [transfer]/' knot/knot.conf
			sed -n '/^acl/,/^zone/p' knot/knot.conf
			knotd -c knot/knot.conf >knot/log 2>&1 3>&- &
		else
			sed -i 's/allow-update .*;$/update-policy { grant up.example name _acme-challenge.example.com. TXT; grant up.example zonesub TLSA; };/' named/named.conf
			named -g -n 1 -c named/named.conf >named/log 2>&1 3>&- &
		fi
		echo $! >$kind/pid
		dns_wait $kind "$IP" "$PORT" example.com
		run -0 up -q example.com lines
		zone | diff <(shown <lines) -
		# What it may not is told, and keeps nothing else from being done.
		{ grep -v one lines; echo 'other.example.com. 60 IN TXT "x"'; } >more
		run -1 up -q example.com more
		[[ $output == *"REFUSED; has the key the right"* ]] || [[ $output == *"or does not let it do this (BADKEY)" ]] ||
		    [[ $output == *"answers NOTAUTH, unsigned; "* ]]
		[ "$(wc -l <<<"$output")" = 1 ]
		zone | diff <(grep -v one lines | shown) -
		run up -q example.com </dev/null
		[ -z "$(zone)" ]
		# Knot says so without a signature, so that it may have been done.
		[ ! -e list ] || [ "$(cat list)" = 'other.example.com. 60 IN TXT "x"' ]
		dns_stop $kind
		rm -rf $kind example.com.zone* list
	done
}

@test "thousands of records: several messages, all of them done" {
	server knot
	for i in $(seq 1500); do
		echo "r$i.example.com. 60 IN TXT \"$(printf '%060d' "$i")\""
	done >lines
	run -0 up -q example.com lines
	shown <lines | diff - <(zone)
	[ "$(grep -c 'DDNS, finished' knot/log)" -gt 2 ]
	LC_ALL=C sort lines | diff - list
	run -0 up -q example.com </dev/null
	[ -z "$(zone)" ]
	# One set that no message can hold with what was there before: nothing of it is sent.
	for i in $(seq 600); do
		echo "big.example.com. 60 IN TXT \"$(printf '%0120d' "$i")\""
	done >lines
	run -1 up -q example.com lines
	[[ $output == *"the records of 'big.example.com' are too many for one message" ]]
	[ ! -e list ]
}

@test "wrong usage, wrong lines, lines of other zones" {
	records >lines
	run -2 sslm-nsupdate -k key example.com
	run -2 sslm-nsupdate -s "$IP" example.com
	run -2 sslm-nsupdate -s "$IP" -k key
	run -2 sslm-nsupdate -s "$IP" -k key -w 0 example.com
	for zone in ca '*.example.com' 192.0.2.1 'a b' ''; do
		run -2 sslm-nsupdate -s "$IP" -k key "$zone" lines
	done
	for server in '' '#53' 'a b' "$IP#" "$IP#0" "$IP#65536" "$IP#+5" "$IP#5x" -- 'a/b' 'a$b'; do
		run -2 sslm-nsupdate -k key -s "$server" example.com lines
	done
	run -2 up example.com none
	[[ $output == *"cannot open 'none': No such file or directory" ]]
	# Nothing listens: that nobody is asked is seen by the status.
	for line in 'a.example.com. TXT' 'a.example.com TXT "x"' 'a.example.net. TXT "x"' \
	    'aexample.com. TXT "x"' 'com. TXT "x"' 'example.com. SOA a. b. 1 2 3 4 5' \
	    'a.example.com. CH TXT "x"' 'a\032b.example.com. TXT "x"' 'a.example.com. NSEC b. TXT'; do
		{ records; echo "$line"; } >wrong
		run -2 up example.com wrong
		[[ $output == *wrong* ]]
	done
	printf 'a.example.com. TXT "x"\0\n' >wrong
	run -2 up example.com wrong
	[ ! -e list ]
	run -75 up example.com lines
	[[ $output == *"cannot connect to the server '$IP#$PORT': Connection refused" ]]
}

@test "a list that does not say what is ours is not believed, and not replaced" {
	server knot
	records >lines
	for damage in 'a.example.com. TXT' 'a.example.net. 60 IN TXT "x"' 'x'; do
		echo "$damage" >list
		run -1 up example.com lines
		[[ $output == *"'list' has to tell which records are ours, and does not" ]]
		[ "$(cat list)" = "$damage" ]
	done
	rm list
	mkdir list
	run -1 up example.com lines
	rmdir list
	mkfifo list
	run -1 timeout 20 sslm-nsupdate -k key -s "$IP#$PORT" -l list example.com lines
	rm list
	# Where none can be written, nothing is sent.
	run -75 sslm-nsupdate -k key -s "$IP#$PORT" -l none/list example.com lines
	[ -z "$(zone)" ]
}

@test "key files that are none" {
	records >lines
	good=$(cat key)
	key() {
		printf '%s\n' "$1" >key
		run -2 up example.com lines
		[[ $output == "sslm-nsupdate: key:"*": $2"* ]]
		# What is wrong with it is said without the secret.
		[[ $output != *"$(sed -n 's/.*secret "\(.*\)";/\1/p' <<<"$good")"* ]]
	}
	key '' "does not begin with 'key'"
	key 'options { };' "does not begin with 'key'"
	key 'key { };' 'the key has no name'
	key 'key "a b" { };' 'the name of the key is not a name'
	key "key \"$(printf 'a.%.0s' {1..200})\" { };" 'the name of the key is not a name'
	key "${good/hmac-sha256/hmac-md5}" 'the algorithm has to be'
	key "${good/hmac-sha256/hmac-sha1}" 'the algorithm has to be'
	key "${good/hmac-sha256;/hmac-sha256}" "';' is missing"
	key "${good/algorithm hmac-sha256;/}" "the key has no 'algorithm'"
	key "key k { algorithm hmac-sha256; };" "the key has no 'secret'"
	key "key k { algorithm hmac-sha256; secret \"\"; };" 'the secret is not base64'
	key "key k { algorithm hmac-sha256; secret \"abc\"; };" 'the secret is not base64'
	key "key k { algorithm hmac-sha256; secret \"a===\"; };" 'the secret is not base64'
	key "key k { algorithm hmac-sha256; secret \"ab==ab==\"; };" 'the secret is not base64'
	key "key k { algorithm hmac-sha256; secret \"abc-\"; };" 'the secret is not base64'
	key "key k { algorithm hmac-sha256; secret \"$(printf 'abcd%.0s' {1..200})\"; };" 'the secret is too long'
	key "${good%\};*}" "'}' is missing"
	key "${good%;*}" "';' is missing"
	key "$good $good" 'there is more than one key'
	key "key k { algorithm hmac-sha256; algorithm hmac-sha256; };" "a second 'algorithm'"
	key "key k { secret \"abcd\"; secret \"abcd\"; };" "a second 'secret'"
	key "key k { port 53; };" "a key has 'algorithm' and 'secret'"
	key "key k { algorithm; };" 'a value is missing'
	key "key k \"x\" { };" "'{' is missing"
	key "key \"k { };" 'the key has no name'
	key '/* key' "does not begin with 'key'"
	{ echo "$good"; printf '#%.0s' {1..9000}; } >key
	run -2 up example.com lines
	[[ $output == *"is larger than"* ]]
	echo "$good" >key
	for mode in 640 604 622 660 777; do
		chmod $mode key
		run -2 up example.com lines
		[[ $output == "sslm-nsupdate: the key file 'key' is open to others: its mode is 0$mode, and has to be 0600 or 0400" ]]
	done
	rm key
	run -2 up example.com lines
	[[ $output == *"cannot open the key file 'key': No such file or directory" ]]
	mkfifo -m 600 key
	run -2 timeout 20 sslm-nsupdate -k key -s "$IP#$PORT" example.com lines
	[[ $output == *"not a regular file" ]]
}

# lies STATUS TEXT MODE...: a server with these faults; what is said, and the list after
# it: nothing if only questions were asked.
lies() {
	local status=$1 text=$2
	shift 2
	rm -f list
	tsig_start lies "$IP" "$PORT" key "$@"
	run -"$status" timeout 30 sslm-nsupdate -q -w 5 -k key -s "$IP#$PORT" -l list example.com lines
	echo "$*: $output"
	[[ $output == "sslm-nsupdate: "*"$text"* ]]
	[ "$(wc -l <<<"$output")" = 1 ]
	run ! grep bad lies/requests
	case $1 in
	u:*) grep TXT lines | LC_ALL=C sort | diff - list ;;	# those of the first update
	*) [ ! -e list ] ;;
	esac
	dns_stop lies
}

@test "a server of our own making is understood" {
	records >lines
	tsig_start ours "$IP" "$PORT" key
	run -0 up -q example.com lines
	LC_ALL=C sort lines | diff - list
	# Questions for two sets, an update for each type, and the look at what has come of it.
	printf '%s\n' 'query _acme-challenge.example.com. 16' 'query _25._tcp.mx.example.com. 52' \
	    'update example.com. +2 -0' 'update example.com. +1 -0' \
	    'query _acme-challenge.example.com. 16' 'query _25._tcp.mx.example.com. 52' | diff - ours/requests
	run -0 up -q example.com </dev/null
	[ ! -e list ]
	grep -qx 'update example.com. +0 -2' ours/requests
	grep -qx 'update example.com. +0 -1' ours/requests
	run ! grep bad ours/requests
}

@test "answers that are not signed as they have to be are not believed" {
	records | grep TXT >lines
	for who in q: u:; do
		lies 1 'answers without a signature' ${who}unsigned
		lies 1 'whose signature is wrong' ${who}badmac
		lies 1 'whose signature is wrong' ${who}noreq
		lies 1 'whose signature is wrong' ${who}changed
		lies 1 'with 16 octets instead of 32' ${who}short=16
		lies 1 'with 31 octets instead of 32' ${who}short=31
		lies 1 'with 0 octets instead of 32' ${who}nomac
		lies 1 "by another key than 'up.example'" ${who}otherkey
		lies 1 'by another algorithm than hmac-sha256' ${who}otheralg
		lies 1 'signed an answer to something else' ${who}origid
		lies 75 'signed its answer at another time' ${who}time=400
		lies 75 'signed its answer at another time' ${who}time=-400 ${who}fudge
		lies 75 'differs from ours by 5000 seconds (BADTIME)' ${who}badtime ${who}rcode=9
		lies 1 'does not take the signature (error 99)' ${who}tsigerror=99
		lies 1 '(BADSIG)' ${who}tsigerror=16 ${who}nomac ${who}rcode=9
		lies 1 '(BADKEY)' ${who}tsigerror=17 ${who}nomac ${who}rcode=9
		lies 1 '(BADTRUNC)' ${who}tsigerror=22 ${who}nomac ${who}rcode=9
	done
}

@test "answers that are none end the conversation" {
	records >lines
	for who in q: u:; do
		lies 1 'what is no message' ${who}twice
		lies 1 'what is no message' ${who}notlast
		lies 1 'what is no message' ${who}trailing
		lies 1 'what is no message' ${who}counts
		lies 75 'something that was not asked' ${who}id
		lies 75 'something that was not asked' ${who}garbage
		lies 75 'something that was not asked' ${who}empty
		lies 75 'of another kind' ${who}noqr
		lies 75 'of another kind' ${who}opcode
		lies 75 'truncates its answer' ${who}tc
		lies 75 'another question, or for another zone' ${who}question
		lies 75 'another question, or for another zone' ${who}type
	done
	lies 75 'without the question' q:noquestion
	lies 1 'has no authority over' q:noaa
}

@test "a server that says nothing, or not enough, or slowly, is waited for as long as -w says" {
	records >lines
	for mode in silent half drip; do
		for who in q: u:; do
			tsig_start lies "$IP" "$PORT" key $who$mode
			rm -f list
			began=$SECONDS
			run -75 timeout 20 sslm-nsupdate -q -w 2 -k key -s "$IP#$PORT" -l list example.com lines
			[ $((SECONDS - began)) -le 5 ]
			[ "$output" = "sslm-nsupdate: no answer from the server '$IP#$PORT': Connection timed out" ]
			dns_stop lies
		done
	done
	# It takes them, and never shows them.
	tsig_start lies "$IP" "$PORT" key forget
	run -75 timeout 20 sslm-nsupdate -q -w 2 -k key -s "$IP#$PORT" -l list example.com lines
	[[ $output == *"does not show what it was asked for"* ]]
	LC_ALL=C sort lines | diff - list
	dns_stop lies
	# It hangs up after each answer, as it may; or without one.
	tsig_start lies "$IP" "$PORT" key once
	run -0 sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com lines
	dns_stop lies
	tsig_start lies "$IP" "$PORT" key hangup
	run -75 sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com lines
	[ "$output" = "sslm-nsupdate: the server '$IP#$PORT' hangs up" ]
}

# rcode STATUS N TEXT: in an answer to an update, with what is ours after it.
rcode() {
	rm -f list
	tsig_start lies "$IP" "$PORT" key "u:rcode=$2"
	run -"$1" sslm-nsupdate -q -w 2 -k key -s "$IP#$PORT" -l list example.com lines
	[[ $output == "sslm-nsupdate: zone 'example.com': the server '$IP#$PORT' "*"$3"* ]]
	dns_stop lies
}

@test "what a server says instead of doing it" {
	records >lines
	rcode 1 5 'an update with REFUSED; has the key the right to it there?'
	[ ! -e list ]
	rcode 1 9 'an update with NOTAUTH; is it the primary server of that zone?'
	rcode 1 10 'an update with NOTZONE'
	rcode 1 4 'an update with NOTIMPL'
	rcode 1 1 'an update with FORMERR'
	rcode 1 3 'an update with NXDOMAIN'
	rcode 75 7 'somebody else changes the same records'
	[ ! -e list ]
	# What has come of it is not known.
	rcode 75 2 'an update with SERVFAIL; its log may say why'
	grep TXT lines | LC_ALL=C sort | diff - list
	tsig_start lies "$IP" "$PORT" key q:rcode=2
	run -75 up example.com lines
	[[ $output == *"a question with SERVFAIL"* ]]
}

@test "what somebody else adds at the same moment is seen, and stays" {
	echo '_acme-challenge.example.com. 60 IN TXT "one"' >lines
	tsig_start race "$IP" "$PORT" key u1:foreign=other
	run -0 up example.com lines
	[ "$output" = 'add _acme-challenge.example.com. 60 IN TXT "one"' ]
	[ "$(grep -c update race/requests)" = 2 ]
	[ "$(cat list)" = '_acme-challenge.example.com. 60 IN TXT "one"' ]
	dns_stop race
	# Even if it is the same one: then it is theirs.
	rm list
	tsig_start race "$IP" "$PORT" key u1:foreign=one
	run -0 up example.com lines
	[ -z "$output" ]
	[ ! -e list ]
	run -0 up example.com </dev/null
	[ "$(grep -c update race/requests)" = 1 ]
}

@test "an answer that is lost: what was done is seen, and known as ours" {
	records | grep TXT >lines
	# The connection breaks behind the update, which is done.
	tsig_start lost "$IP" "$PORT" key u1:hangup
	run -0 up -q example.com lines
	LC_ALL=C sort lines | diff - list
	[ "$(grep -c update lost/requests)" = 1 ]
	run -0 up -q example.com </dev/null
	[ ! -e list ]
	grep -qx 'update example.com. +0 -2' lost/requests
	dns_stop lost
	# Killed between the update and the list.
	tsig_start lost "$IP" "$PORT" key u1:kill
	sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com lines 3>&- &
	echo $! >lost/requests.pid
	rc=0
	wait $! || rc=$?
	[ $rc = 137 ]
	LC_ALL=C sort lines | diff - list
	run -0 up -q example.com </dev/null
	[ ! -e list ]
	grep -qx 'update example.com. +0 -2' lost/requests
}

@test "the list is on disk before an update is sent" {
	traceable
	server knot
	records >lines
	run -0 strace -o trace -e trace=rename,fsync,sendto sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com lines
	# Two questions, the list, two updates, and two questions.
	sed -n 's/^\([a-z]*\)(.*= [0-9]*$/\1/p' trace | xargs | grep -qx 'sendto sendto fsync rename fsync sendto sendto sendto sendto'
}

@test "killed at any point, the next run repairs" {
	traceable
	server knot '_acme-challenge TXT "theirs"'
	records >first
	{ records | grep -v two; echo 'new.example.com. 60 IN TXT "new"'; } >then
	kills=0
	for call in socket connect sendto recvfrom poll fsync fchmod rename unlink; do
		for n in {1..40}; do
			up -q example.com first
			rc=0
			strace -o trace -e trace=$call -e inject=$call:signal=KILL:when=$n \
			    sslm-nsupdate -q -k key -s "$IP#$PORT" -l list example.com then 2>/dev/null || rc=$?
			[ $rc != 0 ] || break
			kills=$((kills + 1))
			rm -f .*.new
			if [ $((n % 2)) = 0 ]; then
				run -0 up -q example.com then
				[ "$(zone | grep -v theirs)" = "$(shown <then)" ]
				LC_ALL=C sort then | diff - list
			fi
			run -0 up -q example.com </dev/null
			[ "$(zone)" = '_acme-challenge.example.com. 60 IN TXT "theirs"' ]
			[ ! -e list ]
		done
		[ $n -lt 40 ]
	done
	echo "$kills kills"
	[ $kills -gt 20 ]
}

@test "by IPv6, and by name" {
	dns_zone example.com '@ NS ns1' >example.com.zone
	mkdir six
	update_knot six ::1 "$PORT" "$PWD/key" example.com.zone
	sed -i 's/127.0.0.0.8/::1/' six/knot.conf
	knotd -c six/knot.conf >six/log 2>&1 3>&- &
	echo $! >six/pid
	dns_wait six ::1 "$PORT" example.com
	records >lines
	run -0 sslm-nsupdate -q -k key -s "::1#$PORT" -l list example.com lines
	[ "$(kdig +short @::1 -p "$PORT" _acme-challenge.example.com TXT | wc -l)" = 2 ]
	run -0 sslm-nsupdate -q -k key -s "::1#$PORT" -l list example.com </dev/null
	[ -z "$(kdig +short @::1 -p "$PORT" _acme-challenge.example.com TXT)" ]
	dns_stop six
	rm example.com.zone
	server knot
	run -0 sslm-nsupdate -q -k key -s "localhost#$PORT" -l list example.com lines
	[ "$(zone | wc -l)" = 3 ]
	run -75 sslm-nsupdate -k key -s "none.invalid#$PORT" example.com lines
	[[ $output == *"the server 'none.invalid#$PORT' has no address" ]]
}
