# The TOML reader, by way of sslm-conf -j.  toml/NAME.toml means toml/NAME.json,
# and toml/refused lists what is not TOML; both are from the specification
# (https://toml.io/en/v1.0.0), not from what our reader says.  Where there is a
# Python with tomllib, that is asked, too.
# shellcheck disable=SC2154,SC2317 # output and stderr are of bats; cases() calls one()

setup() { load helper; workdir; }

# means TOML JSON: as printf %b takes the first one, in exactly this text.
means() {
	printf %b "$1" > f.toml
	run -0 --separate-stderr sslm-conf -j f.toml
	echo "wanted: $2"
	[ "$output" = "$2" ]
	[ -z "$stderr" ]
}

# refuses LINE PART: sslm-conf says so about that line of f.toml, once.
refuses() {
	run -2 --separate-stderr sslm-conf -j f.toml
	echo "line $1, '$2'; said: $stderr"
	[[ $stderr == "sslm-conf: f.toml:$1: "*"$2"* ]]
	[[ $stderr != *$'\n'* ]]
	[ -z "$output" ]
}

has_tomllib() {
	python3 -c 'import tomllib' 2>/dev/null || skip "no python3 with tomllib"
}

# cases COMMAND: run it with line, part and content of each case in toml/refused.
cases() {
	local n=0 line part content
	while IFS=$'\t' read -r line part content; do
		[[ -z $line || $line == "#"* ]] && continue
		n=$((n + 1))
		"$1" "$line" "$part" "$content"
	done < "$TOP/tests/toml/refused"
	[ "$n" -gt 200 ]
}

@test "files mean what the specification says" {
	set -- "$TOP"/tests/toml/*.toml
	[ $# -ge 8 ]
	for f; do
		run -0 sslm-conf -j "$f"
		# Numbers as jq has them, not as they are written.
		numbers='walk(if type == "number" then . + 0 else . end)'
		diff <(jq -S "$numbers" <<<"$output") <(jq -S "$numbers" "${f%.toml}.json")
	done
}

@test "tomllib reads the same from them" {
	has_tomllib
	cat > same.py <<-'END'
		import json, math, sys, tomllib
		def plain(v):
		    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
		    if isinstance(v, list): return [plain(x) for x in v]
		    if isinstance(v, float) and not math.isfinite(v): return str(v)
		    if isinstance(v, (str, bool, int, float)): return v
		    return v.isoformat().replace("+00:00", "Z")
		def typed(v):
		    if isinstance(v, dict): return {k: typed(x) for k, x in v.items()}
		    if isinstance(v, list): return [typed(x) for x in v]
		    # isoformat() always has six digits in a fraction.
		    s = v.replace(".500000", ".5") if isinstance(v, str) else v
		    return [type(v).__name__, s]
		for name in sys.argv[1:]:
		    with open(name, "rb") as f: want = typed(plain(tomllib.load(f)))
		    with open(name[:-4] + "json") as f: told = typed(json.load(f))
		    assert want == told, (name, want, told)
	END
	run -0 python3 same.py "$TOP"/tests/toml/*.toml
	mkdir ours
	for f in "$TOP"/tests/toml/*.toml; do
		cp "$f" ours
		b=${f##*/}
		sslm-conf -j "$f" > "ours/${b%.toml}.json"
	done
	run -0 python3 same.py ours/*.toml
}

@test "what is not TOML is refused, by line and reason" {
	one() {
		printf %b "$3" > f.toml
		refuses "$1" "$2"
	}
	cases one
}

@test "tomllib refuses the same" {
	has_tomllib
	one() {
		printf %b "$3" > "$(mktemp -u XXXXXXXX).toml"
	}
	cases one
	# It knows no limit of depth; nothing else may pass.
	run -0 python3 - <<-'END'
		import glob, tomllib
		for name in glob.glob("*.toml"):
		    try: tomllib.load(open(name, "rb"))
		    except (tomllib.TOMLDecodeError, UnicodeDecodeError): continue
		    print(open(name).read().strip())
	END
	[ "$(grep -cvE '(a\.){32}|\[{32}' <<< "$output")" = 0 ] || { echo "$output"; false; }
}

@test "a file may be empty, or end anywhere between its words" {
	for t in '' '\n' ' \t' '# c' '#' '\r\n' '# c\r\n\r\n'; do
		means "$t" '{}'
	done
	for t in 'a=1' 'a = 1 ' 'a = 1 # c' 'a = 1\n' 'a = 1\r\n' ' \n\t a = 1\t#\n\n'; do
		means "$t" '{"a":1}'
	done
	means '[a]' '{"a":{}}'
	means '[[a]]' '{"a":[{}]}'
}

@test "a mark of byte order is for the start of the file" {
	means '\0357\0273\0277a = 1' '{"a":1}'
	means '\0357\0273\0277' '{}'
	means '# \0357\0273\0277\na = "\0357\0273\0277"' $'{"a":"\ufeff"}'
}

@test "lines that end in CR LF" {
	means 'a = [ # c\r\n1,\r\n]\r\n\r\n[b]\r\n' '{"a":[1],"b":{}}'
	means 'a = """\r\nx\r\ny\\  \r\n \r\n z"""\r\n' '{"a":"x\u000ayz"}'
	means "a = '''\r\nx\r\n'''\r\nb = 1" '{"a":"x\u000a","b":1}'
	means 'a = """x\\\t \ny"""' '{"a":"xy"}'
	printf 'a = """\r\n\r\n"""\r\nb = [\r\n]\r\n\r\nb = 1\r\n' > f.toml
	refuses 7 "first on line 4"
}

@test "all characters of UTF-8, and escapes of them all" {
	means '# \0302\0200 \0337\0277 \0340\0240\0200 \0355\0237\0277 \0356\0200\0200 \0357\0277\0277 \0360\0220\0200\0200 \0364\0217\0277\0277' '{}'
	means 'a = "\\u0000\\u001F\\"\\\\"' '{"a":"\u0000\u001f\"\\"}'
	means '"\\u0000" = 1\n"\\u0000\\u0000" = 2' '{"\u0000":1,"\u0000\u0000":2}'
	means 'a = "\\u007F"' '{"a":"\u007f"}'
	means 'a = "\\u0080\\u07FF\\u0800\\uFFFF\\U00010000\\U0010FFFF"' \
	    $'{"a":"\u0080\u07ff\u0800\uffff\U00010000\U0010ffff"}'
}

@test "integers of 64 bits, exact; one more is refused" {
	means 'a = 9223372036854775807' '{"a":9223372036854775807}'
	means 'a = -9223372036854775808' '{"a":-9223372036854775808}'
	means 'a = 0x7fff_ffff_ffff_ffff' '{"a":9223372036854775807}'
	means 'a = 0o777777777777777777777' '{"a":9223372036854775807}'
	means "a = 0b$(printf '1%.0s' {1..63})" '{"a":9223372036854775807}'
	means 'a = 9007199254740993' '{"a":9007199254740993}'
	for n in 9223372036854775808 -9223372036854775809 0x8000000000000000 \
	    0xffffffffffffffff 0o1000000000000000000000 "0b1$(printf '0%.0s' {1..63})" \
	    18446744073709551616 100000000000000000000000; do
		echo "a = $n" > f.toml
		refuses 1 "is not an integer of 64 bits: too large"
	done
}

@test "floats read back as they were, and never look like integers" {
	means 'a = 1.0' '{"a":1.0}'
	means 'a = -0.0' '{"a":-0.0}'
	means 'a = 1e2' '{"a":100.0}'
	means 'a = 0.1' '{"a":0.1}'
	means 'a = 0.30000000000000004' '{"a":0.30000000000000004}'
	means 'a = 123456789012345678.0' '{"a":1.2345678901234568e+17}'
	means 'a = 1e400' '{"a":"inf"}'
	means 'a = -1e400' '{"a":"-inf"}'
	means 'a = 1e-400' '{"a":0.0}'
	LC_ALL=de_DE.UTF-8 means 'a = 1.5' '{"a":1.5}'
}

@test "dates and times keep their fraction; a minute may have 61 seconds" {
	means 'a = 2026-01-01 23:59:60.120z' '{"a":"2026-01-01T23:59:60.120Z"}'
	means 'a = 00:00:00.1234567890' '{"a":"00:00:00.1234567890"}'
	means 'a = 2026-01-01t00:00:00-00:00' '{"a":"2026-01-01T00:00:00-00:00"}'
	means 'a = 0000-02-29' '{"a":"0000-02-29"}'
	means 'a = [2026-01-01 ,2026-01-01 01:02:03]' '{"a":["2026-01-01","2026-01-01T01:02:03"]}'
}

@test "the order of the file is kept" {
	means 'z = 1\na = 2\n[m]\n[b]\n[m.c]' '{"z":1,"a":2,"m":{"c":{}},"b":{}}'
}

@test "standard input, and a file that is not there" {
	run -0 sslm-conf -j - <<< 'a = 1'
	[ "$output" = '{"a":1}' ]
	run -2 sslm-conf -j - <<< $'\na'
	[[ $output == "sslm-conf: standard input:2: '=' expected"* ]]
	run -2 sslm-conf -j none.toml
	[[ $output == "sslm-conf: cannot open 'none.toml': No such file or directory" ]]
	run -2 sslm-conf -j .
	run -2 sslm-conf -j
	run -2 sslm-conf f.toml
	echo > f.toml
	run -2 sslm-conf -j f.toml f.toml
	run -0 sslm-conf -h
	[[ $output == *"sslm-conf -j file"* ]]
}

@test "JSON that cannot be written is a failure" {
	[ -e /dev/full ] || skip "no /dev/full"
	echo 'a = 1' > f.toml
	run -75 sh -c 'exec sslm-conf -j f.toml > /dev/full'
}

@test "messages are one line of bounded length, whatever they quote" {
	for v in "a = $(printf 'x%.0s' {1..5000})" "$(printf 'é%.0s' {1..3000}) = 1" \
	    "$(printf '"\033[31m%s" = 1' x)"; do
		printf '%s\n' "$v" > f.toml
		run -2 sslm-conf -j f.toml
		[ "${#output}" -lt 400 ]
		[[ $output != *$'\033'* ]]
	done
	printf 'a = %s' "$(printf 'x%.0s' {1..100})" > f.toml
	refuses 1 "xxx...' is not a value"
	for k in "$(printf 'k%.0s' {1..5000})" "$(printf 'é%.0s' {1..500})" \
	    "x$(printf 'é%.0s' {1..500})" '\n\t\u001b[31m' '\u0000'; do
		printf '["%s"]\n["%s"]\n' "$k" "$k" > f.toml
		run -2 sslm-conf -j f.toml
		[ "${#lines[@]}" = 1 ]
		[ "${#output}" -lt 400 ]
		[[ $output != *$'\033'* ]]
		iconv -f UTF-8 -t UTF-16 <<< "$output" > out
	done
}

@test "limits: 32 deep, in any manner, and not 33" {
	dot() { printf 'a%.0s' 1; printf '.a%.0s' $(seq 2 "$1"); }
	open() { printf '[%.0s' $(seq "$1"); }
	shut() { printf ']%.0s' $(seq "$1"); }
	brace() { printf '{a=%.0s' $(seq "$1"); echo -n 1; printf '}%.0s' $(seq "$1"); }
	# shellcheck disable=SC2059
	ok() {
		printf "$@" > f.toml
		run -0 sslm-conf -j f.toml
	}
	# shellcheck disable=SC2059
	no() {
		printf "$@" > f.toml
		refuses "${line:-1}" "more than 32"
	}
	ok 'a = %s%s' "$(open 32)" "$(shut 32)"
	no 'a = %s%s' "$(open 33)" "$(shut 33)"
	ok 'a = %s' "$(brace 32)"
	no 'a = %s' "$(brace 33)"
	ok '%s = 1' "$(dot 32)"
	no '%s = 1' "$(dot 33)"
	ok '[%s]\na = 1' "$(dot 32)"
	no '[%s]\na = 1' "$(dot 33)"
	ok '[[%s]]' "$(dot 31)"
	no '[[%s]]' "$(dot 32)"
	ok '[%s]\n%s = %s%s' "$(dot 10)" "$(dot 10)" "$(open 13)" "$(shut 13)"
	line=2
	no '[%s]\n%s = %s%s' "$(dot 10)" "$(dot 10)" "$(open 14)" "$(shut 14)"
}

@test "limits: 10000 keys, tables in arrays among them, and not one more" {
	seq -f 'k%.0f = 1' 10000 > f.toml
	run -0 sslm-conf -j f.toml
	[ "$(jq length <<< "$output")" = 10000 ]
	seq -f 'k%.0f = 1' 10001 > f.toml
	refuses 10001 "more than 10000 keys"
	seq -f '[k%.0f]' 10001 > f.toml
	refuses 10001 "more than 10000 keys"
	seq 9999 | sed 's/.*/[[a]]/' > f.toml
	run -0 sslm-conf -j f.toml
	echo '[[a]]' >> f.toml
	refuses 10000 "more than 10000 keys"
	{ echo "a = ["; seq 10001 | sed 's/.*/{},/'; echo "]"; } > f.toml
	refuses 10001 "more than 10000 keys"
}

@test "a megabyte of anything is refused at once" {
	fill() { head -c 1048576 < <(yes "$1" | tr -d '\n'); }
	for t in '[' 'a.' '{' '"' "'" \\ 'a={' 'a=[' '[a.' 'a = """' '0'; do
		fill "$t" > f.toml
		run -2 timeout 5 sslm-conf -j f.toml
		[ "${#lines[@]}" = 1 ]
		[ "${#output}" -lt 400 ]
	done
	head -c 1048574 < <(yes '[[a]]') > f.toml
	run -2 timeout 5 sslm-conf -j f.toml
	for t in 'a=[' '[' 'a=' 'a="' 'a=0.' '#'; do
		{ printf %s "$t"; fill x; } > f.toml
		run -2 timeout 5 sslm-conf -j f.toml
		[[ $output == *"'f.toml' is larger than 1048576 bytes" ]]
	done
}

@test "as much as fits is read, in little memory" {
	fill() { head -c "$2" < <(yes "$1" | tr -d '\n'); }
	{ printf 'a="'; fill x 1048572; printf '"'; } > f.toml
	run -0 timeout 5 sslm-conf -j f.toml
	[ "${#output}" = $((1048572 + 8)) ]
	{ printf 'a='; fill 3 1048500; printf '.5'; } > f.toml
	run -0 timeout 5 sslm-conf -j f.toml
	[ "$output" = '{"a":"inf"}' ]
	{ printf 'a=['; fill 1, 1048570; printf ']'; } > f.toml
	[ -n "${ASAN_OPTIONS:-}" ] || ulimit -v 400000
	run -0 timeout 5 sslm-conf -j f.toml
	[ "$(jq '.a | length' <<< "$output")" = 524285 ]
}
