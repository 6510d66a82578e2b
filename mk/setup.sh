#!/bin/sh
# Install what sslm needs from Debian's packages: to build and run, or with the
# word "test" what the tests need in addition.  Uses sudo when not root.
set -eu

build='make gcc libc6-dev libssl-dev libcurl4-openssl-dev libldns-dev libjansson-dev libidn2-dev
	util-linux ca-certificates'
check='bats openssl gnutls-bin jq mandoc shellcheck clang clang-tidy libclang-rt-dev strace
	procps python3 python3-prometheus-client xxd iproute2 pebble knot knot-dnsutils knot-dnssecutils nsd ldnsutils
	bind9 bind9-utils bind9-dnsutils faketime unbound nginx-light openssh-server openssh-client
	rsync postfix curl time certbot bsdutils zsh fish systemd logrotate build-essential debhelper'

fail() {
	printf 'setup.sh: %s\n' "$1" >&2
	exit 1
}

case ${1-} in
'') want=$build ;;
test) want="$build $check" ;;
*) echo "usage: sh mk/setup.sh [test]" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	fail "no apt-get here: install what \"What it needs\" in README.md says by other means; on Arch Linux:
	pacman -S --needed base-devel ca-certificates curl jansson ldns libidn2 openssl"
fi

# Nothing to do is the usual case, and needs no network.
missing=''
for p in $want; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

root=''
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || fail "only root can install, and there is no sudo; missing:$missing"
	root=sudo
fi
$root apt-get update
# shellcheck disable=SC2086	# a list of packages
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
