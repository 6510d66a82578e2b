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
	standard='clean-all clean-keep debug dns dry-run force help renew reuse roll roll-mins status test verb version wait'
	steps='cert certs-prod copy csr keys ntoc'
	for o in $standard $steps; do
		grep -qE -- "-$o\>" "$C/sslm-mgr.bash"
		grep -q -- "'-$o\[" "$C/_sslm-mgr"
		grep -qE -- "-o $o( |\$)" "$C/sslm-mgr.fish"
	done
	want=$(printf '%s\n' $standard $steps | sort | xargs)
	[ "$(sed -n 's/.* -o \([a-z-]*\).*/\1/p' "$C/sslm-mgr.fish" | sort | xargs)" = "$want" ]
	[ "$(grep -oE "'-[a-z-]{3,}\[" "$C/_sslm-mgr" | tr -d "'[" | sed 's/-//' | sort | xargs)" = "$want" ]
	# The script knows all of them.
	for o in $standard; do
		run sslm-mgr "-$o" </dev/null
		[[ $output != *"unknown option"* ]]
	done
}

@test "zsh reads its file" {
	command -v zsh >/dev/null || skip "no zsh"
	zsh -n "$C/_sslm-mgr"
	# The services that it would propose.
	run -0 zsh -fc 'compadd() { print -l $groups $services; }; _arguments() { :; }
	    source "$0" >/dev/null; _sslm_mgr_services' "$C/_sslm-mgr"
	[ "$(sort <<<"$output" | xargs)" = "ca ca/my-int ca/my-root example.com example.com/mail-ec example.com/web-ec" ]
}

@test "fish proposes options and services" {
	command -v fish >/dev/null || skip "no fish"
	export HOME=$PWD XDG_CONFIG_HOME=$PWD/.config
	fish --no-execute "$C/sslm-mgr.fish"
	says() { fish --no-config -c "source '$C/sslm-mgr.fish'; complete -C '$1'" | cut -f1 | sort | xargs; }
	[ "$(says 'sslm-mgr -s example')" = "example.com example.com/mail-ec example.com/web-ec" ]
	[[ " $(says 'sslm-mgr -ren') " == *" -renew "* ]]
	[ "$(says 'sslm-mgr imp')" = import ]
}

@test "installed where the shells look" {
	run -0 make -C "$TOP" install DESTDIR="$PWD/root" PREFIX=/usr BIN="${SSLM_BIN#"$TOP"/}"
	for f in bash-completion/completions/sslm-mgr zsh/site-functions/_sslm-mgr fish/vendor_completions.d/sslm-mgr.fish; do
		[ -f "root/usr/share/$f" ]
	done
	run -0 make -C "$TOP" uninstall DESTDIR="$PWD/root" PREFIX=/usr
	[ -z "$(find root -type f)" ]
}
