#!/usr/bin/env bash
# in-rootfs.sh ROOTFS [DIR|FILE...] -- COMMAND...: runs COMMAND as PID 1 inside a
# root file system that rootfs.sh made. Each DIR or FILE is there under the same
# path, in both directions. Every other change is thrown away at the end, so any
# number of them run side by side on one root file system. The network is shared.
#
# From Go, start this script itself in new PID and mount namespaces
# (SysProcAttr.Cloneflags: CLONE_NEWPID|CLONE_NEWNS). Everything here is exec, so
# the process that Go started becomes COMMAND and can be signalled and waited for.
# From a shell it makes the namespaces with unshare, which passes no signals on.
set -euo pipefail

if [[ $# -lt 3 ]]; then
	echo "usage: ${0##*/} ROOTFS [DIR|FILE...] -- COMMAND..." >&2
	exit 64
fi
if [[ $$ -ne 1 ]]; then
	exec unshare --pid --mount --fork --kill-child -- "$0" "$@"
fi

rootfs=$1
shift
shared=()
while [[ $# -gt 0 && $1 != -- ]]; do
	shared+=("$1")
	shift
done
shift

# A directory of its own as the mount point: /mnt or /tmp would hide what is to
# be shared when it lies there.
at=$(dirname "$rootfs")/mnt
mkdir -p "$at"
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$at"
mkdir "$at/lower" "$at/upper" "$at/work" "$at/root"
chmod 755 "$at"/* # the caller's umask must not show inside
mount --bind "$rootfs" "$at/lower"
mount -t overlay -o "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work" overlay "$at/root"
mount -t proc proc "$at/root/proc"
mount --rbind /dev "$at/root/dev"
mount --rbind /sys "$at/root/sys"
for path in "${shared[@]}"; do
	if [[ -d $path ]]; then
		mkdir -p "$at/root$path"
	else
		mkdir -p "$at/root${path%/*}"
		touch "$at/root$path"
	fi
	mount --rbind "$path" "$at/root$path"
done
exec chroot "$at/root" "$@"
