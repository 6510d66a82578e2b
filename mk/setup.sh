#!/bin/sh
# Install what sslm needs from Debian's packages: to build and run, or with the
# word "test" what the tests need in addition.  Uses sudo when not root.
set -eu

build='make gcc libc6-dev libssl-dev libcurl4-openssl-dev libldns-dev libjansson-dev libidn2-dev
	util-linux ca-certificates'
check='bats openssl gnutls-bin jq mandoc shellcheck clang clang-tidy libclang-rt-14-dev strace
	procps python3 python3-prometheus-client xxd iproute2 pebble knot knot-dnsutils knot-dnssecutils nsd ldnsutils
	bind9 bind9-utils bind9-dnsutils faketime unbound nginx-light openssh-server openssh-client
	rsync postfix curl time certbot bsdutils zsh fish systemd logrotate build-essential debhelper'

root=''
[ "$(id -u)" = 0 ] || root=sudo
case ${1-} in
'') want=$build ;;
test) want="$build $check" ;;
*) echo "usage: sh mk/setup.sh [test]" >&2; exit 2 ;;
esac

# Nothing to do is the usual case, and needs no network.
missing=''
for p in $want; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
$root apt-get update
# shellcheck disable=SC2086	# a list of packages
DEBIAN_FRONTEND=noninteractive $root apt-get install -y --no-install-recommends $missing
