# mk/check.mk - how the whole is tried.
#
# Reads:    PROGS, BIN, T (the .bats files to run; all if empty)
# Provides: check, check-san, lint, bench, bench-acme
#
# A phony target for each file, so that -j runs files side by side; each test
# has a directory of its own.

# Files that take minutes are begun first, so that none of them is left at the end.
SLOW := $(wildcard $(patsubst %,tests/%.bats,site sslm-deploy acme-site acme-hostile dane-cycles sslm-dane \
	sslm-dhparm acme-slow zones sslm-nsupdate))
BATS := $(or $(T),$(SLOW) $(filter-out $(SLOW),$(wildcard tests/*.bats)))
.PHONY: check check-san lint bench bench-acme $(BATS)

check: $(BATS:%=%.ok)	## run tests/; -j runs files side by side, T=file some
	@cat $(BATS:%=$O/%.tap) | awk '/^ok/ { p++ } /^not ok/ { f++ } \
	    END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
.PHONY: $(BATS:%=%.ok)
$(BATS:%=%.ok): %.ok: all
	@mkdir -p $(dir $O/$*)
	@LC_ALL=C.UTF-8 SSLM_BIN='$(CURDIR)/$(BIN)' bats --tap $* > $O/$*.tap 2>&1; sed 's|^|$(notdir $*): |' $O/$*.tap | \
	    grep -v ': ok ' || :

# What builds for itself, or tries no program of ours, is the same under sanitizers.
OWN := $(patsubst %,tests/%.bats,build install package completions parity)
# A program that exits on error frees nothing, and LeakSanitizer would replace
# the exit status under test: no leak detection here.
check-san:		## the same, under ASan and UBSan
	ASAN_OPTIONS=detect_leaks=0 $(MAKE) check O=build/san BIN=build/san/bin T='$(or $(T),$(filter-out $(OWN),$(BATS)))' \
	    CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'

bench: all		## how long things take, beside openssl(1); RUNS=5
	@SSLM_BIN='$(CURDIR)/$(BIN)' tests/bench.sh

bench-acme: all		## beside other ACME clients; RUNS=3 CLIENTS='ours lego'
	@SSLM_BIN='$(CURDIR)/$(BIN)' tests/bench-acme.sh

SH := bin/sslm-mgr bin/sslm-import bin/sslm-auth-hook mk/common.sh mk/setup.sh .ci/run tests/bench.sh tests/bench-acme.sh \
	$(addprefix doc/examples/zones/,zone.sh resign-bind resign-knot resign-nsd)
lint:			## compilers, clang-tidy, shell, manuals
	$(MAKE) all O=build/lint BIN=build/lint/bin CFLAGS='-O2 -Werror'
	$(MAKE) all CC=clang O=build/clang BIN=build/clang/bin CFLAGS='-O2 -Werror'
	printf '%s\n' src/*.c | xargs -P2 -n6 sh -c 'clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE 2>&1' sh | \
	    { ! grep -E 'warning:|error:'; }
	shellcheck $(SH) tests/*.bash
	shellcheck -s bash mk/completions/sslm-mgr.bash
	shellcheck -s bats -S error tests/*.bats
	mandoc -Tlint -Wwarning doc/*.[1-8]
