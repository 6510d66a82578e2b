setup() { load helper; workdir; }

text() { openssl pkey -in "$1" -noout -text; }

@test "the default is an EC key on P-384 that openssl reads" {
	run -0 sslm-genkey -o k
	text k | grep -q secp384r1
	[ "$(head -1 k)" = "-----BEGIN PRIVATE KEY-----" ]
}

@test "the key is its owner's alone whatever the umask" {
	for mask in 000 077 777; do
		(umask $mask && sslm-genkey -o "k$mask")
		[ "$(stat -c %a "k$mask")" = 600 ]
	done
}

@test "the key is 0600 at every system call" {
	traceable
	umask 0
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,open,creat,chmod,fchmod,fchmodat "$(command -v sslm-genkey)" -o k
	grep -q 'O_CREAT|O_EXCL.*0600' trace
	run ! sh -c "grep O_CREAT trace | grep -v 0600"
	run ! sh -c "grep chmod trace | grep -v 'fchmod([0-9]*, 0600)'"
}

@test "an existing key is never replaced, not even a dangling link" {
	echo precious > k
	run -1 sslm-genkey -o k
	[ "$(cat k)" = precious ]
	ln -s nowhere l
	run -1 sslm-genkey -o l
	[ -L l ]
	[ ! -e nowhere ]
	[ "$(ls -A | sort | xargs)" = "k l" ]
}

@test "curves by any of their names" {
	for c in secp256r1 P-256 prime256v1 SECP256R1; do
		run -0 sslm-genkey -c "$c" -o "k-$c"
		text "k-$c" | grep -q prime256v1
	done
	run -0 sslm-genkey -c secp521r1 -o k521
	text k521 | grep -q secp521r1
	run -0 sslm-genkey -c brainpoolP256r1 -o kb
	text kb | grep -q brainpoolP256r1
}

@test "curves whose keys can sign no request are no curves here" {
	for c in SM2 Oakley-EC2N-3 oakley-ec2n-4; do
		run -2 sslm-genkey -c "$c" -o key.pem
		[[ $output == *"-c '$c': no such curve"* ]]
	done
	# All the others can.
	for c in $(openssl ecparam -list_curves | sed -n 's/^ *\([^ ]*\) *:.*/\1/p'); do
		case $c in SM2 | Oakley*) continue ;; esac
		sslm-genkey -c "$c" -o "$c.pem"
		openssl req -new -key "$c.pem" -subj /CN=x -out csr.pem
	done
}

@test "RSA and Ed25519" {
	run -0 sslm-genkey -t rsa -b 2048 -o r
	text r | grep -q '2048 bit'
	run -0 sslm-genkey -t ed25519 -o e
	text e | grep -qi ed25519
}

@test "impossible wishes are refused by name and leave nothing" {
	run -2 sslm-genkey -c P-999 -o k
	[[ $output == *"'P-999'"* ]]
	run -2 sslm-genkey -t rsa -b 1024 -o k
	[[ $output == *"'1024'"* ]]
	run -2 sslm-genkey -t rsa -b 2048x -o k
	run -2 sslm-genkey -t dsa -o k
	[[ $output == *"'dsa'"* ]]
	run -2 sslm-genkey
	run -2 sslm-genkey -o k extra
	[ -z "$(ls -A)" ]
}

@test "no directory, no key, and a message that names it" {
	run -75 sslm-genkey -o none/k
	[[ $output == *"'none/k': No such file or directory"* ]]
}

@test "what a killed run left beside it does not stand in the way" {
	echo half > .k.new
	run -0 sslm-genkey -o k
	text k >/dev/null
	[ "$(ls -A)" = k ]
}

@test "a spool file that another process is writing is left to it" {
	flock .k.new sh -c 'echo ours > .k.new; sslm-genkey -o k' > out 2>&1 && false
	grep -q "cannot create 'k'" out
	[ "$(cat .k.new)" = ours ]
}

@test "a file above ulimit -f is an error with a name, and leaves nothing" {
	run -75 bash -c 'ulimit -f 0; sslm-genkey -o k'
	[[ $output == *"cannot write 'k': File too large"* ]]
	[ -z "$(ls -A)" ]
}
