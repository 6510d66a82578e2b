# The house style, checked: what a reader may rely on in every program.
setup() { load helper; workdir; }

programs() { (cd "$TOP/src" && ls sslm-*.c) | sed 's/\.c$//'; echo sslm-mgr; echo sslm-import; echo sslm-auth-hook; }

# The usage of a program and the SYNOPSIS of its manual, white space folded.
used() { "$1" -h | sed 's/^usage: //' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'; }
told() {
	mandoc -Tascii "$TOP/doc/$1.1" | sed $'s/.\b//g' |
	    sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed '1d;$d' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

@test "usage and SYNOPSIS are the same text" {
	for p in $(programs); do
		echo "$p: $(used "$p")"
		echo "$p: $(told "$p")"
		[ -n "$(used "$p")" ]
		[ "$(used "$p")" = "$(told "$p")" ]
	done
}

@test "every letter in the usage is explained in the manual, and the other way round" {
	for p in $(programs); do
		[ "$p" != sslm-mgr ] || continue
		u=$("$p" -h | grep -oE '[[ ]-[A-Za-z]+' | tr -d ' [-' | fold -w1 | sort -u | xargs)
		m=$(sed -n 's/^\.It Fl \([A-Za-z]\).*/\1/p' "$TOP/doc/$p.1" | sort -u | xargs)
		echo "$p: usage $u, manual $m"
		[ "$u" = "$m" ]
	done
}

@test "-h goes to stdout with status 0, wrong usage to stderr with 2" {
	for p in $(programs); do
		"$p" -h >out 2>err
		[ -s out ]
		[ ! -s err ]
		run -2 --separate-stderr "$p" -0
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
}

@test "-V names the program and one version" {
	for p in $(programs); do
		"$p" -V
	done | awk '{ print $2 }' | sort -u | wc -l | grep -qx 1
}

@test "every program has a manual with EXIT STATUS and EXAMPLES, and a test file" {
	for p in $(programs); do
		grep -q '^\.Sh EXIT STATUS' "$TOP/doc/$p.1"
		grep -q '^\.Sh EXAMPLES' "$TOP/doc/$p.1"
		[ -f "$TOP/tests/$p.bats" ]
	done
}

@test "stdout that cannot be written is a failure" {
	for p in $(programs); do
		[ "$p" != sslm-mgr ] || continue
		run -75 bash -c "$p -V >/dev/full"
	done
}

@test "constructs that the project has sworn off" {
	cd "$TOP"
	# A shell or make must never expand data; a live file is never opened for
	# writing; EVP only; a constant date or path of somebody's machine.
	run ! grep -nE '\b(system|popen|execl|strcpy|strcat|sprintf|gets)\(' src/*.c
	run ! grep -nE '\b(EC_KEY|RSA_|SHA1_|MD5)[A-Za-z_]*\(' src/*.c
	run ! grep -nE 'fopen\([^)]*"[wa]' src/*.c
	run ! grep -nE '\beval\b' bin/sslm-mgr mk/*.mk mk/*.sh
	run ! grep -rnE 'curl[^|]*\| *(ba)?sh' README.md mk doc
}

@test "the tree holds no links, which would lead to somebody's machine" {
	cd "$TOP"
	run ! sh -c "find Makefile bin conf.d doc mk src tests -type l | grep ."
}

@test "no line of a test that cannot fail" {
	# set -e looks away from all of a && b but the last, and from ! a.
	run ! grep -nE '^[[:space:]]*(\[.*\] && \[|! )' "$TOP"/tests/*.bats
}

@test "every function in the headers says what it does" {
	# A prototype follows a comment, or another prototype that does.
	awk '/^\/\*|^ \*|\*\/$/ { c = 1; next }
	    /^[a-z].*\(.*/ && !/^#/ { if (!c) { print NR ": " $0; bad = 1 } next }
	    /^$/ { c = 0 }
	    END { exit bad }' "$TOP"/src/*.h
}
