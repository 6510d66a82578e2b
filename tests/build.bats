# How src becomes bin: what is rebuilt, and what is not.
setup() {
	load helper; load site; workdir
	unset O BIN CC CFLAGS CPPFLAGS LDFLAGS V	# of a make around the tests
	mkdir src
	cp "$TOP/mk/build.mk" .
	echo '#define STATUS 3' >src/h.h
	printf '#include "h.h"\nint s(void);\nint s(void) { return STATUS; }\n' >src/s.c
	printf 'int s(void);\nint main(void) { return s(); }\n' >src/p.c
	printf '%s\n' 'all:' 'MAKEFLAGS += --no-builtin-rules' 'PROGS := p' 'SHARED := s' 'CC = cc' \
	    'include build.mk' '.PHONY: FORCE' 'FORCE:' >Makefile
}

@test "a second make does nothing, a changed header rebuilds what includes it" {
	m BIN=bin
	run -3 bin/p
	m -q
	echo '#define STATUS 4' >src/h.h
	until [ src/h.h -nt build/s.o ]; do touch src/h.h; done
	m >out
	grep -q 'cc src/s.c' out
	run ! grep -q 'cc src/p.c' out
	run -4 bin/p
}

@test "other flags rebuild all, the same ones nothing" {
	m
	m CFLAGS=-O1 >out
	grep -q 'cc src/s.c' out
	grep -q 'cc src/p.c' out
	m -q CFLAGS=-O1
}

@test "make -n says what other flags would rebuild, and changes nothing" {
	m
	cp build/flags before
	m -n CFLAGS=-O1 | grep -q src/p.c
	cmp before build/flags
	m -q
}
