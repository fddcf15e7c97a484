#!/usr/bin/env bash
# torture.sh [PATTERN]: the whole torture test against Dovecot 2.3 and 2.4, which
# takes more than an hour: all bad overrides, with a table, attacks, a thousand
# rehearsals, and all that is done to disks and processes. PATTERN takes the overrides whose name matches,
# and nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/need.sh mmdebstrap openssl util-linux
PIDGEON_ROOTFS_BOOKWORM=$(tools/rootfs.sh dovecot bookworm)
PIDGEON_ROOTFS_TRIXIE=$(tools/rootfs.sh dovecot trixie)
export PIDGEON_ROOTFS_BOOKWORM PIDGEON_ROOTFS_TRIXIE
as=()
if [[ $(id -u) -ne 0 ]]; then
	as=(-exec "sudo -E env HOME=/root PATH=$PATH")
fi
if [[ $# -gt 0 ]]; then
	exec env --default-signal go test "${as[@]}" -count=1 -timeout 2h -v -run '^TestOverrides$' ./tests/torture -args -whole -only "$1"
fi
exec env --default-signal go test "${as[@]}" -count=1 -timeout 2h -v ./tests/torture -args -whole
