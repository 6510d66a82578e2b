setup() {
	load helper; load site; workdir; site
	d=certs/example.com/web-ec
	web=example.com:web-ec
}

# Issue in next, by the whole pipeline.
issue() { m -j2 renew FORCE=1 "$@"; }

# issued_ago SECONDS: what next says of its issuance.
issued_ago() {
	sed -i "s/issued : .*/issued : $(date -u -d "@$(($(date +%s) - $1))" +%Y%m%dT%H%M%SZ)/" \
	    "${2:-$d}/next/info"
}

@test "next becomes curr, curr becomes prev, next is gone, the roll is on record" {
	issue
	first=$(readlink $d/next)
	before=$(date -u +%Y%m%dT%H%M%SZ)
	run -0 sslm-roll $web
	[ "$output" = "example.com/web-ec	rolled" ]
	[ "$(readlink $d/curr)" = "$first" ]
	[ ! -L $d/next ]
	[ ! -L $d/prev ]
	when=$(sed -n 's/^# web-ec rolled to curr : //p' $d/curr/info)
	[[ ! $when < $before && $when =~ Z$ ]]
	issue
	second=$(readlink $d/next)
	run -0 sslm-roll -m 0 $web
	[ "$(readlink $d/curr) $(readlink $d/prev)" = "$second $first" ]
	openssl verify -CAfile certs/ca/my-root/next/cert.pem -untrusted $d/curr/chain.pem $d/curr/cert.pem
}

@test "without anything pending there is nothing to do" {
	issue; sslm-roll
	run -0 sslm-roll
	[ -z "$output" ]
}

@test "a set that is too young waits, with status 75 and the time; -f and -m go past" {
	issue; sslm-roll; issue SERVICES=$web
	gen=$(readlink $d/curr)
	issued_ago $((89 * 60))
	run -75 sslm-roll $web
	[[ $output == *"too soon to roll: in "[0-9]* ]]
	[ "$(readlink $d/curr)" = "$gen" ]
	run -75 sslm-roll -m 100 $web
	run -0 sslm-roll -n -m 89 $web
	[[ $output == *'would roll'* ]]
	# Without -m the configuration says so.
	sed -i 's/min_roll_mins = .*/min_roll_mins = 100/' conf.d/ssl-mgr.conf
	run -75 sslm-roll $web
	sed -i 's/min_roll_mins = .*/min_roll_mins = 89/' conf.d/ssl-mgr.conf
	run -0 sslm-roll $web
	[ "$(readlink $d/curr)" != "$gen" ]
	issue SERVICES=$web
	run -0 sslm-roll -f $web
}

@test "the wait ends with the configured minutes, days ago counting in full" {
	issue; sslm-roll; issue SERVICES=$web
	issued_ago $((90 * 60))
	run -0 sslm-roll $web
	issue SERVICES=$web
	issued_ago $((25 * 3600))
	run -0 sslm-roll $web
}

@test "the wait is measured from our record, not from notBefore" {
	issue; sslm-roll
	dated certs/example.com/web-ec/db/20200202T000000Z -86400 $((30 * day))
	g=$d/db/20200202T000000Z
	cp $g/cert.pem $g/chain.pem; cp $g/cert.pem $g/fullchain.pem
	cat $g/privkey.pem $g/cert.pem >$g/bundle.pem
	chmod 600 $g/bundle.pem $g/privkey.pem
	echo "# issued : $(date -u +%Y%m%dT%H%M%SZ)" >$g/info
	ln -s db/20200202T000000Z $d/next
	run -75 sslm-roll $web
	[[ $output == *"too soon"* ]]
}

@test "a record from the future starts the wait anew instead of lasting for years" {
	issue; sslm-roll; issue SERVICES=$web
	issued_ago $((-400 * 86400))
	run -75 sslm-roll $web
	[[ $output == *"the clock has changed"* ]]
	[[ $output == *"in 1h 30m"* || $output == *"in 1h 29m"* ]]
	run -75 sslm-roll $web
	[[ $output != *"the clock has changed"* ]]
}

@test "a record that was cut short does not end the wait" {
	issue; sslm-roll; issue SERVICES=$web
	cp $d/next/info kept
	for n in $(seq 0 "$(stat -c %s kept)"); do
		head -c "$n" kept >$d/next/info
		run -75 sslm-roll -n $web
		[[ $output == *"too soon"* ]] || { echo "$n octets: $output"; false; }
	done
}

@test "an incomplete set is not rolled, whatever is missing" {
	issue; sslm-roll; issue SERVICES=$web
	gen=$(readlink $d/curr)
	for f in privkey csr cert chain fullchain bundle; do
		mv $d/next/$f.pem kept
		run sslm-roll -f $web
		[ "$(readlink $d/curr)" = "$gen" ] || { echo "rolled without $f"; false; }
		[ -L $d/next ]
		mv kept $d/next/$f.pem
	done
	run -0 sslm-roll -f $web
}

@test "a mismatched set is not rolled, and the message names the file" {
	issue; sslm-roll; issue SERVICES=$web
	gen=$(readlink $d/curr)
	cp $d/next/privkey.pem kept
	cp $d/curr/privkey.pem $d/next/privkey.pem
	run -1 sslm-roll -f $web
	[[ $output == *"$d/db/"*"privkey.pem: the key is not that of the certificate"* ]]
	[ "$(readlink $d/curr)" = "$gen" ]
	cp kept $d/next/privkey.pem
	cp certs/example.com/mail-ec/curr/cert.pem $d/next/cert.pem
	run -1 sslm-roll -f $web
	[ "$(readlink $d/curr)" = "$gen" ]
}

@test "the others roll when one cannot" {
	issue
	: >$d/next/cert.pem
	run -1 sslm-roll
	[ -L certs/example.com/mail-ec/curr ]
	[ ! -L $d/curr ]
}

@test "a roll that was killed behind the rename is finished by the next run" {
	issue
	mv -T $d/next $d/curr
	run -0 sslm-roll $web
	grep -q 'web-ec rolled to curr' $d/curr/info
	run -0 sslm-roll $web
	[ "$(grep -c 'rolled to curr' $d/curr/info)" = 1 ]
}

@test "curr is there at every instant of a roll" {
	issue; sslm-roll; issue SERVICES=$web
	touch go
	( while [ -e go ]; do cat $d/curr/cert.pem >/dev/null || echo gap >>gaps; done ) &
	reader=$!
	for _ in $(seq 20); do
		sslm-roll -qf $web
		ln -sfn "$(readlink $d/prev)" $d/next
	done
	rm go
	wait $reader
	[ ! -e gaps ]
}

@test "old sets go but for the newest, and never one that is linked" {
	issue; sslm-roll
	for i in 1 2 3 4; do issue SERVICES=$web; sslm-roll -qf -k 1 $web; done
	[ "$(ls $d/db | wc -l)" = 3 ]
	[ -e $d/curr/cert.pem ]
	[ -e $d/prev/cert.pem ]
	issue SERVICES=$web
	run -0 sslm-roll -c -k 1
	[ "$(ls $d/db | wc -l)" = 4 ]
	[ -e $d/next/cert.pem ]
	# So many as clean_keep says, where nobody says it.
	for i in 1 2 3; do sslm-roll -qf -k 9 $web; issue SERVICES=$web; done
	[ "$(ls $d/db | wc -l)" = 7 ]
	sed -i 's/clean_keep = .*/clean_keep = 2/' conf.d/ssl-mgr.conf
	sslm-roll -c $web
	[ "$(ls $d/db | wc -l)" = 5 ]
	sslm-roll -qf $web
	[ "$(ls $d/db | wc -l)" = 4 ]
}

@test "pruning knows ssl-mgr's names, and leaves what is not a set" {
	issue; sslm-roll
	mkdir "$d/db/20240101-10:00:00" "$d/db/20230101-10:00:00" $d/db/mine
	run -0 sslm-roll -c -k 1 $web
	[ "$(ls $d/db | sort | head -1)" = "20240101-10:00:00" ]
	[ -d $d/db/mine ]
	[ ! -d "$d/db/20230101-10:00:00" ]
}

@test "a set that was removed is gone from the disk too" {
	traceable
	issue; sslm-roll
	for _ in 1 2 3; do
		issue SERVICES=$web
		strace -y -o trace -e trace=fsync,rmdir "$(command -v sslm-roll)" -qf -k 1 $web
	done
	grep -A1 'rmdir("'$d/db/ trace | grep -q 'fsync(.*/web-ec/db>)'
}

@test "where a link cannot be read, nothing is removed" {
	traceable
	issue; sslm-roll; issue SERVICES=$web; sslm-roll -qf $web
	ls $d/db >before
	strace -o trace -e trace=readlink -e inject=readlink:error=EIO "$(command -v sslm-roll)" -c -k 1 $web
	ls $d/db | diff before -
	ln -sfn "$(printf '%0400d' 1)/$(basename "$(readlink $d/prev)")" $d/prev
	sslm-roll -c -k 1 $web
	ls $d/db | diff before -
}

@test "-n says what would roll and changes nothing" {
	issue
	run -0 sslm-roll -n $web
	[ "$output" = "example.com/web-ec	would roll" ]
	[ -L $d/next ]
	[ ! -L $d/curr ]
	[ "$(wc -l <$d/next/info)" = 1 ]
}

@test "the switch is one rename, synced" {
	traceable
	issue; sslm-roll; issue SERVICES=$web
	strace -o trace -e trace=rename,renameat,renameat2,unlink,fsync,symlink "$(command -v sslm-roll)" -f $web
	[ "$(grep -c "rename.*web-ec/curr\"" trace)" = 1 ]
	run ! grep 'unlink.*curr"' trace
	grep -A2 'rename.*web-ec/curr"' trace | grep -q fsync
}
