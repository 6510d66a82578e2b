setup() { load helper; load pki; workdir; pki; }

# left DIR: DIR holds the four files that it began with, and nothing else.
left() { [ "$(ls -A "$1" | xargs)" = "cert.pem chain.pem csr.pem privkey.pem" ]; }

# no DIR PATTERN: sslm-bundle refuses, for that reason, and writes nothing.
no() {
	run -1 sslm-bundle "$1"
	[[ $output == *"sslm-bundle: "$2* ]] || { echo "not: $2"; return 1; }
	[ -z "$(ls -A "$1" 2> /dev/null | grep -e '^\.' -e fullchain -e bundle -e info)" ]
}

@test "fullchain, info and bundle of a root, an intermediate and a leaf" {
	local from to dir when
	from=$(date +%s)
	run -0 sslm-bundle root int leaf
	[ -z "$output" ]
	to=$(date +%s)
	cmp root/fullchain.pem root/cert.pem
	cat int/cert.pem root/cert.pem | cmp - int/fullchain.pem
	cat leaf/cert.pem int/cert.pem root/cert.pem | cmp - leaf/fullchain.pem
	for dir in root int leaf; do
		openssl pkey -in $dir/privkey.pem | cat - $dir/fullchain.pem | cmp - $dir/bundle.pem
		[ "$(stat -c %a $dir/bundle.pem)" = 600 ]
		[ "$(stat -c %a $dir/fullchain.pem)" = 644 ]
		[ "$(stat -c %a $dir/info)" = 644 ]
		[ "$(wc -l < $dir/info)" = 1 ]
		[[ $(cat $dir/info) =~ ^'# issued : '(....)(..)(..)T(..)(..)(..)Z$ ]]
		when=$(date -d "$(printf '%s-%s-%s %s:%s:%s UTC' "${BASH_REMATCH[@]:1}")" +%s)
		((when >= from && when <= to))
		[ "$(ls -A $dir | wc -l)" = 7 ]
	done
	openssl verify -CAfile root/cert.pem -untrusted leaf/fullchain.pem leaf/fullchain.pem
	certtool --verify-chain --infile leaf/bundle.pem
}

@test "a public CA's chain, without its root" {
	cp int/cert.pem leaf/chain.pem
	run -0 sslm-bundle leaf
	cat leaf/cert.pem int/cert.pem | cmp - leaf/fullchain.pem
}

@test "a second run changes nothing" {
	sslm-bundle leaf
	find leaf -printf '%p %i %T@ %C@\n' | sort > before
	run -0 sslm-bundle leaf
	find leaf -printf '%p %i %T@ %C@\n' | sort | diff before -
}

@test "nothing but the blocks themselves gets into the products" {
	local dirty
	cp -r leaf clean
	sslm-bundle clean
	openssl x509 -in leaf/cert.pem -text > t && mv t leaf/cert.pem
	{ echo '# the chain'; cat int/cert.pem; echo; echo 'and its root:'; sed 's/$/\r/' root/cert.pem; } > leaf/chain.pem
	openssl ec -in leaf/privkey.pem -out leaf/privkey.pem 2>/dev/null
	sed -i '1i a key' leaf/privkey.pem
	grep -q 'BEGIN EC PRIVATE KEY' leaf/privkey.pem
	chmod 600 leaf/privkey.pem
	run -0 sslm-bundle leaf
	cmp clean/fullchain.pem leaf/fullchain.pem
	cmp clean/bundle.pem leaf/bundle.pem
	for dirty in cert chain privkey; do
		run -1 cmp clean/$dirty.pem leaf/$dirty.pem
	done
}

@test "killed anywhere, the next run ends what was begun" {
	cp -r leaf new
	sslm-bundle leaf
	# Behind each of its steps, and with half a file spooled for the next one.
	for spool in '' yes; do
		for there in '' 'fullchain.pem' 'fullchain.pem info'; do
			rm -rf try && cp -r new try
			for f in $there; do cp -p leaf/$f try/; done
			[ ! -e try/info ] || echo '# issued : 20260101T000000Z' > try/info
			[ -z "$spool" ] || for f in fullchain.pem info bundle.pem; do
				[ -e try/$f ] || { head -c 100 leaf/$f > try/.$f.new; break; }
			done
			run -0 sslm-bundle try
			diff -r -x info leaf try
			[ "$(stat -c %a try/bundle.pem)" = 600 ]
			[ "$(grep -c issued try/info)" = 1 ]
			[ "$there" != 'fullchain.pem info' ] || grep -q 20260101 try/info
		done
	done
}

@test "really killed, at each system call that changes a file" {
	traceable
	cp -r leaf new
	sslm-bundle leaf
	local call n
	for call in openat write fsync fchmod rename; do
		for ((n = 1; n < 100; n++)); do
			rm -rf try && cp -r new try
			ASAN_OPTIONS=detect_leaks=0 strace -qq -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n sslm-bundle try 2>/dev/null && break
			[ ! -e try/bundle.pem ] || cmp try/bundle.pem leaf/bundle.pem
			run -0 sslm-bundle try
			diff -r -x info leaf try
			[ "$(grep -c issued try/info)" = 1 ]
		done
		((n > 1 && n < 100))
	done
}

@test "an info file with other lines keeps them, whatever its end" {
	printf '# renewed : 20250101T000000Z\n# something issued later' > leaf/info
	run -0 sslm-bundle leaf
	[ "$(head -2 leaf/info)" = $'# renewed : 20250101T000000Z\n# something issued later' ]
	[[ $(sed -n '3,$p' leaf/info) =~ ^'# issued : '[0-9T]+Z$ ]]
}

@test "a bundle is its owner's alone at every system call, whatever the umask" {
	traceable
	umask 0
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,open,creat,chmod,fchmod,fchmodat,rename sslm-bundle leaf
	grep -q 'bundle.pem.new.*O_CREAT|O_EXCL.*0600' trace
	[ -z "$(grep O_CREAT trace | grep -v 0600)" ]
	grep 'chmod(' trace | grep -c 0644 | grep -qx 2
	[ "$(stat -c %a leaf/bundle.pem)" = 600 ]
	# and it comes last
	grep 'rename(' trace | tail -1 | grep -q '"leaf/bundle.pem"'
}

@test "all is on disk before it has its name, and the directory behind it" {
	traceable
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=fsync,rename sslm-bundle leaf
	[ "$(sed 's/^[0-9]* *//; s/(.*//' trace | grep -v '[^a-z]' | xargs)" = "fsync rename fsync fsync rename fsync fsync rename fsync" ]
}

@test "what does not fit is not bundled" {
	cp leaf/privkey.pem key && cp leaf/csr.pem csr && cp leaf/cert.pem cert && cp leaf/chain.pem chain
	restore() { cp key leaf/privkey.pem; cp csr leaf/csr.pem; cp cert leaf/cert.pem; cp chain leaf/chain.pem; chmod 600 leaf/privkey.pem; }
	cp int/privkey.pem leaf/privkey.pem
	no leaf "leaf/privkey.pem: the key is not that of the certificate"
	restore
	chmod 0644 leaf/privkey.pem
	no leaf "leaf/privkey.pem: is readable by others"
	restore
	cp int/csr.pem leaf/csr.pem
	no leaf "leaf/csr.pem: the key is not that of the certificate"
	restore
	EXT=$EXT_LEAF$SANS,DNS:evil.example.org issue leaf int
	no leaf "leaf/cert.pem: the certificate is also for 'evil.example.org'"
	END=20200201000000Z EXT=$EXT_LEAF$SANS issue leaf int
	no leaf "leaf/cert.pem: 'CN=www.example.com' expired on"
	BEGIN=20980101000000Z EXT=$EXT_LEAF$SANS issue leaf int
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not valid before"
	restore
	cat root/cert.pem int/cert.pem > leaf/chain.pem
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one"
	cp root/cert.pem leaf/chain.pem
	no leaf "leaf/cert.pem: 'CN=www.example.com' is not issued by the next one"
	for _ in {1..11}; do cat root/cert.pem; done > leaf/chain.pem
	no leaf "more than 10 certificates in 'leaf/chain.pem'"
	cat int/cert.pem leaf/privkey.pem > leaf/chain.pem
	no leaf "'leaf/chain.pem' holds a PRIVATE KEY"
	echo '<html><body>503 Service Unavailable</body></html>' > leaf/chain.pem
	no leaf "no certificate in 'leaf/chain.pem'"
	restore
	echo '<html><body>503 Service Unavailable</body></html>' > leaf/cert.pem
	no leaf "no certificate in 'leaf/cert.pem'"
	cat cert cert > leaf/cert.pem
	no leaf "leaf/cert.pem: holds 2 certificates"
	restore
	for f in privkey csr cert chain; do
		rm leaf/$f.pem
		no leaf "cannot open 'leaf/$f.pem': No such file or directory"
		restore
	done
	no nowhere "cannot open 'nowhere': No such file or directory"
	left leaf
	no leaf/cert.pem "cannot open 'leaf/cert.pem': Not a directory"
	run -0 sslm-bundle leaf
}

@test "a complete set that is damaged later is told of and left alone" {
	sslm-bundle leaf
	cp int/cert.pem leaf/fullchain.pem
	run -1 sslm-bundle leaf
	[[ $output == *"leaf/fullchain.pem: is not made of cert.pem and chain.pem"* ]]
	cmp leaf/fullchain.pem int/cert.pem
	rm leaf/fullchain.pem
	run -1 sslm-bundle leaf
	[ ! -e leaf/fullchain.pem ]
}

@test "one set that fails leaves the others done" {
	cp root/privkey.pem int/privkey.pem
	run -1 sslm-bundle root int none leaf
	[ -e root/bundle.pem ]
	[ -e leaf/bundle.pem ]
	left int
}

@test "through the link next, and by a path with a slash behind it" {
	mkdir s && mv leaf s/20260101T000000Z && ln -s 20260101T000000Z s/next
	run -0 sslm-bundle s/next/
	run -0 sslm-bundle s/next
	[ -L s/next ]
	[ -e s/20260101T000000Z/bundle.pem ]
	ln -s gone s/curr
	run -1 sslm-bundle s/curr
	[[ $output == *"cannot open 's/curr': No such file or directory"* ]]
}

@test "a certificate, chain, request or key cut anywhere makes no bundle" {
	local f n text
	umask 077
	for f in cert chain csr privkey; do
		text=$(cat root/$f.pem)
		for ((n = 0; n < ${#text}; n += n > 30 && n < ${#text} - 30 ? 16 : 1)); do
			mkdir cut.$f.$n
			ln root/*.pem cut.$f.$n
			rm cut.$f.$n/$f.pem
			printf %s "${text:0:n}" > cut.$f.$n/$f.pem
		done
	done
	run -1 sslm-bundle cut.*
	[ "$(grep -oE 'cut\.[a-z]+\.[0-9]+' <<< "$output" | sort -u | wc -l)" = "$(ls -d cut.* | wc -l)" ]
	[ -z "$(find cut.* -name bundle.pem -o -name fullchain.pem -o -name info)" ]
	# A chain cut where its second certificate begins is not a shorter chain.
	text=$(cat leaf/chain.pem)
	for ((n = $(stat -c %s int/cert.pem) + 1; n < ${#text}; n += n < 620 ? 1 : 20)); do
		printf %s "${text:0:n}" > leaf/chain.pem
		sslm-bundle leaf 2> /dev/null && { echo "chain cut at $n"; return 1; } || [ $? = 1 ]
	done
	left leaf
}

@test "where nothing can be written: later perhaps" {
	local less=
	if [ "$(id -u)" = 0 ]; then
		command -v setpriv || skip "root may write anywhere"
		less='setpriv --bounding-set=-all --inh-caps=-all'
	fi
	chmod 0555 leaf
	run -75 $less sslm-bundle leaf
	[[ $output == *"cannot create 'leaf/fullchain.pem': Permission denied"* ]]
	left leaf
	# What cannot be mended by trying again is the news.
	rm int/chain.pem
	run -1 $less sslm-bundle leaf int
	run -1 $less sslm-bundle int leaf
	chmod 0755 leaf
	run -0 sslm-bundle leaf
}

@test "a full disk: no bundle, no spool file, and a later run ends it" {
	traceable
	local n
	for n in 1 2 3; do
		rm -rf try && cp -r leaf try
		run -75 env ASAN_OPTIONS=detect_leaks=0 strace -qq -f -o /dev/null -e trace=fsync -e inject=fsync:error=ENOSPC:when=$((2 * n - 1)) sslm-bundle try
		[[ $output == *"cannot write 'try/"*"': No space left on device"* ]]
		[ ! -e try/bundle.pem ]
		[ -z "$(ls -A try | grep '^\.')" ]
		run -0 sslm-bundle try
	done
}

@test "ten at once on one set" {
	local i pids=()
	for i in {1..10}; do sslm-bundle leaf 2> err.$i & pids+=($!); done
	for i in "${pids[@]}"; do wait $i || :; done
	run -0 sslm-bundle leaf
	cat leaf/cert.pem int/cert.pem root/cert.pem | cmp - leaf/fullchain.pem
	[ -z "$(ls -A leaf | grep '^\.')" ]
}

@test "wrong usage" {
	run -2 sslm-bundle
	[[ $output == "usage: sslm-bundle "* ]]
	run -2 sslm-bundle -x leaf
	left leaf
	run -0 sslm-bundle -h
	run -0 sslm-bundle -V
}
