# A suite that cannot fail proves nothing: a failing test fails, and the run
# that holds it fails with it.
setup() { load helper; workdir; }

failing() { printf '@test "fails" { false; }\n' >failing.bats; }

@test "a failing test makes bats fail" {
	failing
	run -1 env -i PATH=/usr/bin:/bin bats failing.bats
	[[ $output == *"not ok 1 fails"* ]]
}

@test "a failing test makes make check fail, and is counted" {
	failing
	printf '@test "passes" { true; }\n' >passing.bats
	printf 'all:\nBIN := bin\nO := build\nT := failing.bats passing.bats\ninclude %s\n' \
	    check.mk >Makefile
	cp "$TOP/mk/check.mk" .
	run -2 env -i PATH=/usr/bin:/bin make -r check
	echo "$output"
	[[ $output == *"1 passed, 1 failed"* ]]
}

@test "a run that executed no test fails" {
	: >empty.bats
	printf 'all:\nBIN := bin\nO := build\nT := empty.bats\ninclude %s\n' check.mk >Makefile
	cp "$TOP/mk/check.mk" .
	run -2 env -i PATH=/usr/bin:/bin make -r check
	[[ $output == *"0 passed, 0 failed"* ]]
}
