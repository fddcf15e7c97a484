#!/usr/bin/env bash
# test.sh [lint|matrix]: all that has to hold before a change goes in, cheapest first,
# its style alone, or the Go tests on four versions of Dovecot.
# What cannot run here is a line that begins with SKIP, and with CI=true a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
only=${1:-all}
# One version for all builds of this run, or each would compile anew.
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
export VERSION

if ! command -v go >/dev/null; then
	echo "${0##*/}: Go is missing; $(grep '^go ' go.mod) or newer is needed, see https://go.dev/dl" >&2
	exit 1
fi

step() {
	echo "== $* (at ${SECONDS}s)"
}

skip() {
	if [[ ${CI:-} == true ]]; then
		echo "FAIL: $*, and CI=true allows no gap" >&2
		exit 1
	fi
	echo "SKIP: $*"
}

lint() {
	step "lint"
	tools/need.sh shellcheck git
	shellcheck tools/*.sh deploy/*/*.sh .ci/run
	local unformatted
	unformatted=$(go tool gofumpt -l .)
	if [[ -n $unformatted ]]; then
		echo "gofumpt would change: $unformatted" >&2
		return 1
	fi
	go vet ./...
	go tool staticcheck ./...
	# What it knows lies on the network, which is not everywhere.
	if curl -fs -o /dev/null --max-time 5 https://vuln.go.dev/index/db.json; then
		go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...
	else
		echo "not run: govulncheck, whose database does not answer"
	fi
}

# rootfs SUITE SUITE: one with Dovecot 2.3, one with 2.4.
rootfs() {
	step "root file systems of Debian $1 and $2"
	local out
	out=$(mktemp -d)
	tools/rootfs.sh dovecot "$1" >"$out/2.3" &
	local other=$! bad=
	tools/rootfs.sh dovecot "$2" >"$out/2.4" || bad=yes
	wait "$other" || bad=yes
	PIDGEON_ROOTFS_BOOKWORM=$(cat "$out/2.3")
	PIDGEON_ROOTFS_TRIXIE=$(cat "$out/2.4")
	rm -rf "$out"
	[[ -z $bad ]]
	export PIDGEON_ROOTFS_BOOKWORM PIDGEON_ROOTFS_TRIXIE
}

# unraced are the packages whose tests run the program that is built, or that start no
# goroutines: with the race detector they take up to three times as long.
unraced='pidgeon(/certificate|/command|/config|/container|/dovecot/lint|/dovecot/upgrade|/finding|/lifecycle|/render|/settings|/shard|/sizing|/tests/.*|/bench/.*)?'

# tests REPORT PACKAGES [FLAG]...: a test that fails where processors are short is run
# once more. More than three of them, a panic or a data race are no accident.
tests() {
	# Under nohup SIGHUP is ignored, and so would pidgeon, which keeps that, ignore it.
	CGO_ENABLED=1 env --default-signal go tool gotestsum --format pkgname-and-test-fails --hide-summary skipped,output \
		--rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-abort-on-data-race --rerun-fails-report "$1" \
		--packages "$2" -- -shuffle=on -timeout 30m -vet=off "${@:3}"
}

gotest() {
	step "go test"
	local as=()
	if [[ $(id -u) -ne 0 ]]; then
		# A root file system is entered with chroot. HOME moves along, or root's
		# files would end up in the user's Go cache.
		echo "running the tests with sudo: they enter root file systems"
		as=(-exec "sudo -E env HOME=/root PATH=$PATH")
	fi
	# Both halves at once: the one that runs the program waits much.
	local dir all raced failed='' lines line
	dir=$(mktemp -d)
	all=$(go list ./...)
	tests "$dir/raced" "$(grep -vxE "$unraced" <<<"$all" | xargs)" -race "${as[@]}" >"$dir/log" 2>&1 &
	raced=$!
	tests "$dir/plain" "$(grep -xE "$unraced" <<<"$all" | xargs)" -p 3 "${as[@]}" || failed=yes
	wait "$raced" || failed=yes
	cat "$dir/log"
	mapfile -t lines < <(cat "$dir"/{raced,plain} 2>/dev/null)
	for line in "${lines[@]}"; do
		if [[ $line =~ :\ ([0-9]+)\ runs,\ ([0-9]+)\ failures$ && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]]; then
			failed=yes # as it was not found again, gotestsum took it for passed
		elif ! printf '%s\n' "${lines[@]}" | grep -qF "${line%%:*}/"; then # not the parent of another
			retried+=("$line")
		fi
	done
	rm -r "$dir"
	[[ -z $failed ]]
}

# again names at the very end what failed at first: there it is seen.
again() {
	if [[ ${#retried[@]} -gt 0 ]]; then
		printf 'PASSED ONLY AT THE SECOND TRY: %s\n' "${retried[@]}" >&2
	fi
}

images() {
	step "images"
	if ! docker version >/dev/null 2>&1; then
		skip "the images: no Docker engine answers"
		return
	fi
	# One image with each builder.
	DOCKER_BUILDKIT=0 tools/images.sh bookworm
	tools/images.sh trixie
	if ! tools/buildkit.sh >/dev/null; then
		echo "SKIP: no docker client here has BuildKit; both images came from the classic builder"
	fi
	local suite
	for suite in bookworm trixie; do
		step "image pidgeon:$suite"
		tools/image-test.sh "pidgeon:$suite"
	done
	step "examples"
	tools/examples-test.sh
	step "compose"
	tools/compose-test.sh
	step "Swarm"
	tools/swarm-test.py
}

retried=()
tools_needed=(mmdebstrap curl python3 openssl isync dnsmasq-base slapd postgresql mariadb-server-core mariadb-client-core prometheus chromium-headless-shell git util-linux gcc libc6-dev shellcheck)

case $only in
lint) lint ;;
all)
	tools/need.sh "${tools_needed[@]}"
	lint
	# Beside what waits for packages. -mod=mod: what pidgeon requires, its go.mod follows.
	step "manifests for Kubernetes, and a build for arm64"
	go -C tests/kubernetes test -mod=mod ./... &
	manifests=$!
	GOARCH=arm64 go build -o /dev/null . &
	arm64=$!
	rootfs bookworm trixie
	wait "$manifests"
	wait "$arm64"
	gotest
	images
	step "done"
	again
	;;
matrix)
	tools/need.sh "${tools_needed[@]}"
	# 2.3.19 and 2.4.1, then the oldest and the newest that Debian has: 2.3.13, 2.4.5.
	failed=
	for pair in "bookworm trixie" "bullseye forky"; do
		read -ra pair <<<"$pair"
		rootfs "${pair[@]}"
		gotest || failed+=" ${pair[*]}"
	done
	[[ -z $failed ]] || { echo "failed on:$failed" >&2 && exit 1; }
	step "done"
	again
	;;
*)
	echo "usage: ${0##*/} [lint|matrix]" >&2
	exit 64
	;;
esac
