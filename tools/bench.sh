#!/usr/bin/env bash
# bench.sh [WHAT] [SUITE] [-FLAG...]: measures pidgeon beside others and prints
# tables. WHAT is sessions, logins, start, edit, pid1, or all of these; or wake,
# which asks for a sysctl of the host. SUITE is bookworm (Dovecot 2.3) or trixie
# (2.4), by default both, one after the other. Flags are those of bench/compare:
# -rounds 5 -sessions 10000 -duration 1m -only NAME …
# Without flags the sizes are small: all takes half an hour.
# Everything runs on loopback, inside root file systems; numbers mean something
# on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=all suites=(bookworm trixie)
while [[ $# -gt 0 && $1 != -* ]]; do
	case $1 in
	all | sessions | logins | start | edit | pid1 | wake) what=$1 ;;
	bookworm | trixie) suites=("$1") ;;
	*)
		echo "usage: ${0##*/} [all|sessions|logins|start|edit|pid1|wake] [bookworm|trixie] [-FLAG...]" >&2
		exit 64
		;;
	esac
	shift
done
if [[ $what == all ]]; then
	what="sessions logins start edit pid1"
fi

tools/need.sh mmdebstrap util-linux tini dumb-init
bin=$(mktemp -d)
as=()
trap '"${as[@]}" rm -rf "$bin"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$bin"
tools/build.sh "$bin/pidgeon"
for program in load compare; do
	CGO_ENABLED=0 go build -buildvcs=false -o "$bin/$program" "./bench/$program"
done
cp /usr/bin/tini /usr/bin/dumb-init "$bin/"

# These are compared as far as they can be had; their row says so where not.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/pidgeon/bench
install() {
	local program=$1 package=$2
	if ! [[ -x $tools/${package##*@}/$program ]]; then
		GOBIN=$tools/${package##*@} go install "$package" >"$bin/log" 2>&1 ||
			echo "$program could not be had: $(tail -n 1 "$bin/log")" >&2
	fi
	cp "$tools/${package##*@}/$program" "$bin/" 2>/dev/null || true
}
mkdir -p "$tools"
install consul-template github.com/hashicorp/consul-template@v0.41.1
install gomplate github.com/hairyhenderson/gomplate/v4/cmd/gomplate@v4.3.3

if [[ $(id -u) -ne 0 ]]; then
	as=(sudo -E env "PATH=$PATH")
fi
for suite in "${suites[@]}"; do
	case $suite in
	bookworm) dialect=2.3 ;;
	trixie) dialect=2.4 ;;
	esac
	root=$(tools/rootfs.sh dovecot "$suite")
	for one in $what; do
		small=()
		case $one in
		sessions) small=(-rounds 1 -sessions 300) ;;
		logins) small=(-rounds 3 -duration 5s) ;;
		start | edit) small=(-rounds 5) ;;
		pid1) small=(-rounds 1 -duration 1m) ;;
		wake) small=(-rounds 1 -sessions 2000) ;;
		esac
		printf '\n'
		"${as[@]}" env TMPDIR="$bin" "$bin/compare" -root "$root" -bin "$bin" -dialect "$dialect" "${small[@]}" "$@" "$one"
	done
done
