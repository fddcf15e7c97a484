#!/usr/bin/env bash
# rootfs.sh base SUITE [ARCHITECTURE]: a minimal Debian as a tar, for an image. Another
# architecture than this machine's needs an emulator (tools/emulator.sh).
# rootfs.sh dovecot SUITE: a Debian with Dovecot as a directory, for tests that
# enter it with in-rootfs.sh.
# rootfs.sh clean: removes all of them.
#
# Prints the path. It lies outside the clone, so a second clone finds it, under
# a name made of this recipe's hash, so a changed recipe makes a new one.
set -euo pipefail

usage() {
	echo "usage: ${0##*/} base SUITE [ARCHITECTURE] | dovecot SUITE | clean" >&2
	exit 64
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pidgeon
sudo=()
if [[ $(id -u) -ne 0 ]]; then
	sudo=(sudo)
fi

if [[ $* == clean ]]; then
	exec "${sudo[@]}" rm -rf --one-file-system "$cache"
fi
[[ $# -eq 2 || $# -eq 3 && $1 == base ]] || usage
native=$(dpkg --print-architecture)
kind=$1 suite=$2 architecture=${3:-$native}

recipe=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
name=$kind-$suite-$architecture-$recipe
mkdir -p "$cache"

slim=(
	--dpkgopt='path-exclude=/usr/share/man/*'
	--dpkgopt='path-exclude=/usr/share/info/*'
	--dpkgopt='path-exclude=/usr/share/locale/*'
	--dpkgopt='path-exclude=/usr/share/doc/*'
	--dpkgopt='path-include=/usr/share/doc/*/copyright'
)
# A suite before its release or after its end: its index may be older than apt
# likes, and the files of its security updates may be gone while their index is not.
dated=()
# shellcheck disable=SC2016 # $1 is the hook's
case $suite in
bookworm | trixie) ;;
*) dated=(--aptopt='Acquire::Check-Valid-Until "false"' --setup-hook='sed -i /security/d "$1/etc/apt/sources.list"') ;;
esac
case $kind in
base)
	target=$cache/$name.tar
	format=tar
	options=(--variant=minbase "${slim[@]}")
	# Else a suite that could still be unmerged gets a package that does it, and perl
	# with it: 47 MB that no image of a registry has.
	case $suite in
	bookworm) options+=(--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr) ;;
	esac
	# It looks for the emulators of its own suite.
	[[ $architecture == "$native" ]] || options+=(--architectures="$architecture" --skip=check/qemu)
	;;
dovecot)
	target=$cache/$name
	format=directory
	case $suite in
	bullseye | bookworm) fts=dovecot-fts-xapian ;;
	*) fts=dovecot-flatcurve ;;
	esac
	packages=(
		ca-certificates libnss-extrausers
		dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd
		dovecot-managesieved dovecot-sieve dovecot-submissiond
		dovecot-ldap dovecot-mysql dovecot-pgsql dovecot-sqlite dovecot-auth-lua
		"$fts"
	)
	# shellcheck disable=SC2016 # $1 is the hook's
	options=(
		--variant=minbase "${slim[@]}"
		--include="$(IFS=,; echo "${packages[*]}")"
		--customize-hook='chroot "$1" groupadd --gid 5000 vmail'
		--customize-hook='chroot "$1" useradd --uid 5000 --gid 5000 --home-dir /srv/mail --no-create-home --shell /usr/sbin/nologin vmail'
		--customize-hook='install -d -o 5000 -g 5000 "$1/srv/mail"'
		--customize-hook='sed -i -E "/^(passwd|group):/s/\$/ extrausers/" "$1/etc/nsswitch.conf"'
		--customize-hook='rm -rf "$1/var/lib/extrausers"'
		--customize-hook='ln -s /run/pidgeon/extrausers "$1/var/lib/extrausers"'
		--customize-hook='install -d "$1/overrides" "$1/certs" "$1/var/lib/pidgeon"'
	)
	;;
*) usage ;;
esac

if [[ -e $target ]]; then
	echo "$target"
	exit 0
fi

# Whoever comes second waits and then finds the first one's work.
exec 9>"$cache/.$name.lock"
flock 9
if [[ -e $target ]]; then
	echo "$target"
	exit 0
fi

"$(dirname "${BASH_SOURCE[0]}")/need.sh" mmdebstrap >&2
if [[ ${#sudo[@]} -gt 0 ]]; then
	echo "making $name with sudo: a root file system has files of several users" >&2
else
	echo "making $name" >&2
fi

work=$(mktemp -d "$cache/.making.XXXXXX")
cleanup() { "${sudo[@]}" rm -rf --one-file-system "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$work" # apt's sandbox user has to get through

# No mirror is named: mmdebstrap then takes its own default, with the suites for
# updates and security.
# In a mount namespace of its own, what it mounts is gone however it ends; a
# cleanup must never walk into a /sys or /dev that was left mounted.
if ! "${sudo[@]}" env TMPDIR="$work" unshare --mount mmdebstrap --mode=root --format="$format" \
	"${dated[@]}" "${options[@]}" "$suite" "$work/rootfs" >"$work/log" 2>&1 </dev/null 9<&-; then
	tail -n 30 "$work/log" >&2
	echo "${0##*/}: mmdebstrap could not make $name" >&2
	exit 1
fi
if [[ $kind == base && ${#sudo[@]} -gt 0 ]]; then
	sudo chown "$(id -u):$(id -g)" "$work/rootfs"
fi
# To move a directory one has to own it.
"${sudo[@]}" mv -T "$work/rootfs" "$target"
echo "$target"
