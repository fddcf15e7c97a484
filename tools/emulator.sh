#!/usr/bin/env bash
# emulator.sh: has the kernel run programs for arm64 with the qemu of Debian 13, up to the
# next start of the machine. That of Debian 12 refuses PR_SET_CHILD_SUBREAPER, without
# which pidgeon does not start. Needs root.
set -euo pipefail

registered=/proc/sys/fs/binfmt_misc
[[ $(uname -m) != aarch64 ]] || exit 0
[[ -e $registered/register ]] || mount -t binfmt_misc binfmt_misc "$registered"
if [[ -e $registered/qemu-aarch64 ]]; then
	exit 0
fi
"$(dirname "${BASH_SOURCE[0]}")/base-images.sh" trixie
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
docker run --rm -v "$work:/out" debian:trixie-slim sh -ec 'cd /tmp; apt-get update -qq; apt-get download -qq qemu-user
	dpkg-deb --fsys-tarfile qemu-user_*.deb | tar -x -C /out ./usr/bin/qemu-aarch64'
# F: the kernel keeps the file open, for containers that do not have it.
# shellcheck disable=SC2028 # the kernel reads the escapes
echo ":qemu-aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$work/usr/bin/qemu-aarch64:OCF" >"$registered/register"
