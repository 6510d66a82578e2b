# What the shells propose for sslm-mgr.
setup() { load helper; load site; workdir; site; C=$TOP/mk/completions; }

# What bash proposes for the last of these words.
bash_says() {
	bash --norc -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sslm_mgr
	    printf "%s\n" "${COMPREPLY[@]}" | sort | xargs' "$C/sslm-mgr.bash" "$@"
}

@test "bash: options, those of dev, and services" {
	bash -n "$C/sslm-mgr.bash"
	[ "$(bash_says sslm-mgr -re)" = "-renew -reuse" ]
	[ "$(bash_says sslm-mgr -k)" = "" ]
	[ "$(bash_says sslm-mgr dev -k)" = "-keys" ]
	[ "$(bash_says sslm-mgr -renew exa)" = "example.com example.com/mail-ec example.com/web-ec" ]
	[ "$(bash_says sslm-mgr '')" = "ca ca/my-int ca/my-root dev example.com example.com/mail-ec example.com/web-ec import init" ]
	[ "$(bash_says sslm-mgr -s example.com : w)" = web-ec ]
	[ "$(bash_says sslm-mgr -s example.com :)" = "ALL mail-ec web-ec" ]
	mkdir sub
	[ "$(bash_says sslm-mgr init s)" = sub ]
	[ "$(bash_says sslm-mgr import example.com/web-ec s)" = sub ]
	[ "$(bash_says sslm-mgr -clean-keep '')" = "" ]
	# From elsewhere, and where nothing is.
	site=$PWD
	cd sub
	[ "$(SSL_MGR_TOPDIR=$site bash_says sslm-mgr -s ca/)" = "ca/my-int ca/my-root" ]
}

@test "bash: a name in conf.d runs nothing" {
	touch 'conf.d/example.com/x;touch pwned' 'conf.d/example.com/$(touch pwned)'
	mkdir 'conf.d/`touch pwned`'
	[ "$(bash_says sslm-mgr -s exa)" = "example.com example.com/mail-ec example.com/web-ec" ]
	[ ! -e pwned ]
}

@test "every option of sslm-mgr is proposed by all three, and no other" {
	# The first long name of each in the manual.
	options=$(awk '/^\.It Fl/ { for (i = 3; i <= NF; i++) if (length($i) > 2) { print $i; break } }' "$TOP/doc/sslm-mgr.1" | sort)
	[ "$(wc -w <<<"$options")" -gt 20 ]
	for o in $options; do
		grep -qE -- "-$o\>" "$C/sslm-mgr.bash"
		grep -q -- "'-$o\[" "$C/_sslm-mgr"
		grep -qE -- "-o $o( |\$)" "$C/sslm-mgr.fish"
	done
	want=$(xargs <<<"$options")
	[ "$(sed -n 's/.* -o \([a-z-]*\).*/\1/p' "$C/sslm-mgr.fish" | sort | xargs)" = "$want" ]
	[ "$(grep -oE "'-[a-z-]{3,}\[" "$C/_sslm-mgr" | tr -d "'[" | sed 's/-//' | sort | xargs)" = "$want" ]
	# The script knows all of them.
	for o in $options; do
		run sslm-mgr dev "-$o" -V </dev/null
		[[ $output != *"unknown option"* ]]
	done
}

@test "zsh reads its file" {
	command -v zsh >/dev/null || skip "no zsh"
	zsh -n "$C/_sslm-mgr"
	# The services that it would propose.
	run -0 zsh -fc 'compadd() { print -l $groups $services; }; compset() { false; }; _arguments() { :; }
	    source "$0" >/dev/null; _sslm_mgr_services' "$C/_sslm-mgr"
	[ "$(sort <<<"$output" | xargs)" = "ca ca/my-int ca/my-root example.com example.com/mail-ec example.com/web-ec" ]
}

@test "fish proposes options and services" {
	command -v fish >/dev/null || skip "no fish"
	export HOME=$PWD XDG_CONFIG_HOME=$PWD/.config
	fish --no-execute "$C/sslm-mgr.fish"
	says() { fish --no-config -c "source '$C/sslm-mgr.fish'; complete -C '$1'" | cut -f1 | sort | xargs; }
	[ "$(says 'sslm-mgr -s example')" = "example.com example.com/mail-ec example.com/web-ec" ]
	[ "$(says 'sslm-mgr -s example.com:')" = "example.com:ALL example.com:mail-ec example.com:web-ec" ]
	[ "$(says 'sslm-mgr -s example.com:web-ec,')" = "example.com:web-ec,mail-ec example.com:web-ec,web-ec" ]
	[[ " $(says 'sslm-mgr -ren') " == *" -renew "* ]]
	[ "$(says 'sslm-mgr imp')" = import ]
}

# The shells, and the files for them, that are here.
shells() {
	for s in bash=sslm-mgr.bash zsh=_sslm-mgr fish=sslm-mgr.fish; do
		command -v "${s%%=*}" >/dev/null && echo "$s" || :
	done
}

# typed TEXT WANTED: this, at a terminal, ends as these arguments, in each shell.
typed() {
	local s
	for s in $(shells); do
		run -0 timeout 90 python3 "$TOP/tests/typed.py" "$C/${s#*=}" "${s%%=*}" "$1"
		echo "${s%%=*}: $1: $output"
		# The slash behind a directory is taken away by zsh.
		[ "$(xargs <<<"${output%/}")" = "$2" ]
	done
}

@test "typed at a terminal: options, groups and services" {
	typed '-ren\t' -renew
	typed 'dev -k\t ca:my-r\t' 'dev -keys ca:my-root'
	typed '-s example.com:w\t' '-s example.com:web-ec'
	typed '-s example.com:web-ec,m\t' '-s example.com:web-ec,mail-ec'
	typed 'imp\texample.com/m\t' 'import example.com/mail-ec'
	mkdir 'new place'
	typed 'init ne\t' 'init new place'
}

@test "typed at a terminal: nothing of what conf.d holds is run, and no other name proposed" {
	cd conf.d/example.com
	touch 'web;touch pwned' 'we$(touch pwned)' 'we`touch pwned`' "we'b" 'we b' 'web-ec~' ./-we $'we\nb'
	mkdir '../exa;touch pwned' '../exa$(touch pwned)' "../exa'm"
	cd ../..
	typed '-s example.com:w\t' '-s example.com:web-ec'
	typed '-s example.com/w\t' '-s example.com/web-ec'
	[ -z "$(find . -name pwned)" ]
	# Where there is no site there is nothing to propose, and nothing to complain of.
	mkdir empty
	cd empty
	[ -d /etc/ssl-mgr/conf.d ] || typed '-s exa\t' '-s exa'
}

@test "bash: where a colon parts no words" {
	bash_says() {
		bash --norc -c '. "$0"; COMP_WORDBREAKS=" "; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sslm_mgr
		    printf "%s\n" "${COMPREPLY[@]}" | sort | xargs' "$C/sslm-mgr.bash" "$@"
	}
	[ "$(bash_says sslm-mgr -s example.com:w)" = example.com:web-ec ]
	[ "$(bash_says sslm-mgr -s example.com:web-ec,m)" = example.com:web-ec,mail-ec ]
	[ "$(bash_says sslm-mgr -s exa)" = "example.com example.com/mail-ec example.com/web-ec" ]
}

@test "installed where the shells look" {
	run -0 make -C "$TOP" install DESTDIR="$PWD/root" PREFIX=/usr BIN="${SSLM_BIN#"$TOP"/}"
	for f in bash-completion/completions/sslm-mgr zsh/site-functions/_sslm-mgr fish/vendor_completions.d/sslm-mgr.fish; do
		[ -f "root/usr/share/$f" ]
	done
	run -0 make -C "$TOP" uninstall DESTDIR="$PWD/root" PREFIX=/usr
	[ -z "$(find root -type f)" ]
}
