# bash completion of sslm-mgr(1): options, and the services that conf.d has.

_sslm_mgr_site() {
	local dir
	for dir in "${SSL_MGR_TOPDIR-}" . /etc/ssl-mgr; do
		if [[ -n $dir && -d $dir/conf.d ]]; then
			printf '%s\n' "$dir"
			return
		fi
	done
}

# Names in a directory of conf.d that can be those of groups and services.
_sslm_mgr_names() {	# directory test
	local path name
	for path in "$1"/*; do
		name=${path##*/}
		if [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ && $name != *.conf ]] && test "$2" "$path"; then
			printf '%s\n' "$name"
		fi
	done
}

_sslm_mgr() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local site group service words=''
	site=$(_sslm_mgr_site)

	# group:service,service is three words to bash, unless it was told otherwise.
	local word=$cur before=''
	if [[ $COMP_WORDBREAKS != *:* ]]; then
		before=${cur%%:*}:
	elif [[ $cur == : ]]; then
		word=$prev: cur=''
	elif [[ $prev == : ]]; then
		word=${COMP_WORDS[COMP_CWORD-2]}:$cur
	fi
	if [[ $word == *:* ]]; then
		group=${word%%:*} word=${word#*:}
		words=$(_sslm_mgr_names "$site/conf.d/$group" -f)
		before+=${word%"${word##*,}"}
		[[ $word == *,* ]] || words+=' ALL'
		mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words" -- "${word##*,}")
		return
	fi
	case $prev in
	-clean-keep | --clean-keep | -roll-mins | --roll-mins | -min-roll-mins | --min-roll-mins) return ;;
	esac
	if [[ $prev == init || ( $COMP_CWORD -gt 2 && ${COMP_WORDS[1]} == import && $cur != -* ) ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		words='-clean-all -clean-keep -debug -dns -dry-run -force -help -renew -reuse -roll
			-roll-mins -status -test -verb -version -wait'
		if [[ ${COMP_WORDS[1]} == dev ]]; then
			words="$words -cert -certs-prod -copy -csr -fsr -keys -ntoc"
		fi
	else
		if [[ $COMP_CWORD == 1 ]]; then
			words='dev import init'
		fi
		for group in $(_sslm_mgr_names "$site/conf.d" -d); do
			words="$words $group"
			for service in $(_sslm_mgr_names "$site/conf.d/$group" -f); do
				words="$words $group/$service"
			done
		done
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _sslm_mgr sslm-mgr
