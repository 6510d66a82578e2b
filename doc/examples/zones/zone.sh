# shellcheck shell=sh
# zone.sh - what resign-bind, resign-knot and resign-nsd share; they read it.
#
# Their variables: zones, live, wait.  Their functions:
#
#	prepare zone file new	from the administrator's file to the one that the name
#				server is to read; fails, having said why, if it is not
#				fit for use.  What else it writes is named new.*
#	load zone		have the name server read $live/zone.zone
#	served zone		print the serial with which the name server answers;
#				nothing if it does not
#
# Status: 0 done; 1 a zone was not fit for use, and the old one stays; 2 wrong usage;
# 75 the name server cannot be reached or does not answer with the new zone yet.

: "${zones:?}" "${live:?}" "${wait:?}"
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022
me=${0##*/}
work=$zones/.work		# nobody else's

say() { printf '%s: %s\n' "$me" "$*" >&2; }

# quietly COMMAND...: what it prints is of interest only if it fails.
quietly() {
	told=$("$@" 2>&1) || { printf '%s\n' "$told" >&2; return 1; }
}

# Nothing else ever becomes part of a path or an argument.
zone_name() {
	case $1 in
	'' | [!A-Za-z0-9_]* | *[!A-Za-z0-9._-]* | *..*) return 1 ;;
	esac
	[ "${#1}" -le 253 ]
}

# newer A B: is serial A after serial B, as RFC 1982 counts?
newer() {
	ahead=$((($1 - $2) & 4294967295))
	[ "$ahead" -gt 0 ] && [ "$ahead" -lt 2147483648 ]
}

# serial_of FILE: of a zone with one record a line.
serial_of() {
	[ ! -f "$1" ] || awk '$4 == "SOA" { print $7; exit }' "$1"
}

# next_serial SERIAL...: a step after the last of them, or the time if that is later.
step=1
next_serial() {
	last=0
	for was; do
		case $was in '' | *[!0-9]*) continue ;; esac
		was=${was#"${was%%[!0]*}"}
		if [ "$last" = 0 ] || newer "${was:-0}" "$last"; then last=${was:-0}; fi
	done
	next=$(((last + step) & 4294967295)) now=$(date +%s)
	if [ "$last" = 0 ] || newer "$now" "$next"; then next=$now; fi
	echo $((next == 0 ? 1 : next))
}

# numbered ZONE FILE: a zone with one record a line, with its next serial.
numbered() {
	serial=$(next_serial "$(serial_of "$2")" "$(serial_of "$live/$1.zone")" "$(served "$1")")
	awk -v serial="$serial" '
	$4 == "SOA" && !done { $7 = serial; done = 1 }
	{ print }
	END { exit !done }' "$2"
}

# caught_up ZONE: does the name server answer with what is in the file, or later?
caught_up() {
	want=$(serial_of "$live/$1.zone")
	have=$(served "$1")
	[ -n "$have" ] && { [ "$have" = "$want" ] || newer "$have" "$want"; }
}

# settled ZONE: is it all done?  For some servers there is more to it.
settled() { caught_up "$1"; }

# place FILE TO: on disk before it appears, and whole.  named may write where it reads:
# nothing there is trusted, and no link followed.
place() {
	rm -f -- "$2.new" && (set -C && cat <"$1" >"$2.new") && sync -- "$2.new" &&
	    mv -fT -- "$2.new" "$2" && sync -- "$live"
}

# From the administrator's file to a new one in use.
publish() {
	file=$zones/$1.zone new=$work/$1
	[ -f "$file" ] || { say "cannot find the zone's file '$file'"; return 1; }
	if ! prepare "$1" "$file" "$new"; then
		say "zone '$1': '$file' is not fit for use; what is served stays"
		return 1
	fi
	place "$new" "$live/$1.zone" || { say "cannot write '$live/$1.zone'"; return 1; }
	rm -f -- "$new" "$new".*
}

usage() {
	printf 'usage: %s --serial_bump zone ...\n' "$me" >&2
	exit 2
}

main() {
	case ${1-} in
	-s | --serial_bump | --serial-bump) shift ;;
	*) usage ;;
	esac
	[ $# -gt 0 ] || usage
	list=''
	for zone; do
		zone_name "${zone%.}" || { say "'$zone' is not the name of a zone"; exit 2; }
		list="$list $(printf %s "${zone%.}" | tr '[:upper:]' '[:lower:]')"
	done
	[ -d "$live" ] || { say "there is no directory '$live'"; exit 2; }
	cd -- "$zones" || exit 2
	[ -d "$work" ] || mkdir -m 700 -- "$work" || exit 75

	# Whoever is killed leaves no lock; a second run waits for the first.
	exec 9>>"$work/lock"
	flock -w "$wait" 9 || { say "another run is at work"; exit 75; }

	failed=0 late=0 loaded=''
	for zone in $list; do
		publish "$zone" || { failed=1; continue; }
		if quietly load "$zone"; then
			loaded="$loaded $zone"
		else
			say "zone '$zone': the name server was not told"
			late=1
		fi
	done
	end=$(($(date +%s) + wait))
	for zone in $loaded; do
		until settled "$zone"; do
			[ "$(date +%s)" -lt "$end" ] || {
				say "zone '$zone': not served within $wait seconds"
				late=1
				break
			}
			sleep 0.1
		done
	done
	[ "$failed" = 0 ] || exit 1
	[ "$late" = 0 ] || exit 75
	exit 0
}
