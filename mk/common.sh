# shellcheck shell=sh
# common.sh - what the scripts share: messages and logs.
#
# Reads:    program (the script's name), bin (where the programs are); SSLM_BIN,
#           SSLM_LOG, SSLM_LOG_ACME from the environment
# Provides: complain, fail, log, absolute, open_log

log() {	# message
	[ -n "${SSLM_LOG-}" ] || return 0
	# shellcheck disable=SC2154	# of who reads this
	case $program in
	sslm-auth-hook) file=${SSLM_LOG_ACME:-$SSLM_LOG} ;;
	*) file=$SSLM_LOG ;;
	esac
	printf '%s %s: %s\n' "$(date -u +%Y%m%dT%H%M%SZ)" "$program" "$1" >>"$file"
}

complain() {	# message
	printf '%s: %s\n' "$program" "$1" >&2
	log "$1"
}

fail() {	# status message
	complain "$2"
	exit "$1"
}

# The programs work in more than one directory.
absolute() {	# path
	case $1 in
	/*) printf '%s\n' "$1" ;;
	*) printf '%s/%s\n' "$PWD" "$1" ;;
	esac
}
[ -z "${SSLM_LOG-}" ] || SSLM_LOG=$(absolute "$SSLM_LOG")
[ -z "${SSLM_LOG_ACME-}" ] || SSLM_LOG_ACME=$(absolute "$SSLM_LOG_ACME")

# A log is a regular file, or none yet: root writes through no link of somebody else's.
log_ok() {	# file
	[ ! -L "$1" ] || return 1
	[ ! -e "$1" ] || [ -f "$1" ] || return 1
	# command: or the shell would end where it cannot.
	command : 2>/dev/null >>"$1"
}

# In the site's directory: the log files in logdir, unless SSLM_LOG says otherwise; where
# ssl-mgr has them, if that directory is there, and elsewhere if it is configured.  A
# directory in which others can write would let them lead us anywhere.
open_log() {
	[ -z "${SSLM_LOG-}" ] || return 0
	logdir=$("${SSLM_BIN:-$bin}/sslm-conf" -p logdir 2>/dev/null) || return 0
	case $logdir in
	'') return 0 ;;
	/var/log/ssl-mgr) [ -d "$logdir" ] || return 0 ;;
	*) logdir=$(absolute "$logdir") ;;
	esac
	if ! mkdir -p -- "$logdir" || [ -z "$(find "$logdir/" -maxdepth 0 \( -uid 0 -o \
	    -uid "$(id -u)" \) ! -perm -o=w)" ] || ! log_ok "$logdir/sslm" || ! log_ok "$logdir/acme"; then
		printf '%s: no log in logdir \047%s\047\n' "$program" "$logdir" >&2
		return 0
	fi
	SSLM_LOG=$logdir/sslm SSLM_LOG_ACME=$logdir/acme
}
