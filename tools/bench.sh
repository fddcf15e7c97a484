#!/usr/bin/env bash
# bench.sh [WHAT] [SUITE] [-FLAG...]: measures pidgeon beside others and prints
# tables. WHAT is sessions, logins, start, edit, reloads, pid1, or all of these; or
# wake, which asks for a sysctl of the host, limits, which makes cgroups, or proxied. SUITE is
# bookworm (Dovecot 2.3) or trixie (2.4), by default both, one after the other. Flags
# are those of bench/compare:
# -rounds 10 -sessions 10000 -duration 1m -only NAME -before FILE …
# Without flags the sizes are small: all takes half an hour.
# What was measured, as lines of Go's benchmark format, is kept in .pidgeon/bench.
# Everything runs on loopback, inside root file systems; numbers mean something
# on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=all suites=(bookworm trixie)
while [[ $# -gt 0 && $1 != -* ]]; do
	case $1 in
	all | sessions | logins | start | edit | reloads | pid1 | wake | limits | proxied) what=$1 ;;
	bookworm | trixie) suites=("$1") ;;
	*)
		echo "usage: ${0##*/} [all|sessions|logins|start|edit|reloads|pid1|wake|limits|proxied] [bookworm|trixie] [-FLAG...]" >&2
		exit 64
		;;
	esac
	shift
done
if [[ $what == all ]]; then
	what="sessions logins start edit reloads pid1"
fi

tools/need.sh mmdebstrap util-linux tini dumb-init
bin=$(mktemp -d)
as=()
trap '"${as[@]}" rm -rf "$bin"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$bin"
tools/build.sh "$bin/pidgeon"
CGO_ENABLED=0 go build -buildvcs=false -o "$bin/compare" ./bench/compare
cp /usr/bin/tini /usr/bin/dumb-init "$bin/"

# What is not Debian's is installed once, in a version of its own.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pidgeon/bench
install() {
	local program=$1 package=$2
	if ! [[ -x $cache/${package##*@}/$program ]]; then
		GOBIN=$cache/${package##*@} go install "$package" >"$bin/log" 2>&1 ||
			echo "$program could not be had: $(tail -n 1 "$bin/log")" >&2
	fi
	cp "$cache/${package##*@}/$program" "$bin/" 2>/dev/null
}
mkdir -p "$cache"
install benchstat golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# These are compared as far as they can be had.
install consul-template github.com/hashicorp/consul-template@v0.41.1 || true
install gomplate github.com/hairyhenderson/gomplate/v4/cmd/gomplate@v4.3.3 || true

# tables prints each row of a file beside the first one. benchstat compares columns, and
# a screen has room for two: so what the first row measured goes into a column of its
# own, under the name of each row. -alpha 1 has the difference printed whatever its p,
# of a single round too; a mean over all rows would say nothing.
tables() {
	local lines=$1 rows row
	mapfile -t rows < <(grep -o '/row=[^ ]*' "$lines" | awk '!seen[$0]++')
	[[ ${#rows[@]} -gt 0 ]] || return 0
	{
		grep -v /row= "$lines"
		for row in "${rows[@]}"; do
			sed -n "s|${rows[0]} |$row |p" "$lines"
		done
	} >"$bin/first"
	"$bin/benchstat" -alpha 1 -row /row "${rows[0]#/row=}=$bin/first" "each=$lines" | sed /geomean/d
}

if [[ $(id -u) -ne 0 ]]; then
	as=(sudo -E env "PATH=$PATH")
fi
kept=.pidgeon/bench
mkdir -p "$kept"
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
		logins) small=(-rounds 4 -duration 5s) ;;
		start) small=(-rounds 6) ;;
		edit) small=(-rounds 4) ;;
		reloads) small=(-rounds 3 -duration 14s) ;;
		pid1) small=(-rounds 1 -duration 1m) ;;
		wake) small=(-rounds 1 -sessions 2000) ;;
		limits) small=(-rounds 1 -sessions 1000) ;;
		proxied) small=(-rounds 4 -sessions 200 -duration 8s) ;;
		esac
		printf '\n%s, Dovecot %s\n' "$one" "$dialect"
		"${as[@]}" env TMPDIR="$bin" "$bin/compare" -root "$root" -bin "$bin" -dialect "$dialect" "${small[@]}" "$@" "$one" |
			tee "$kept/$one-$dialect.txt"
		printf '\n'
		tables "$kept/$one-$dialect.txt"
	done
done
