#!/usr/bin/env bash
# images.sh [SUITE...]: builds pidgeon:SUITE for each Debian suite, by default for
# both dialects of Dovecot, with BuildKit where there is one. DOCKER_BUILDKIT=0
# asks for the classic builder. SOURCE is the address of the repository, for the label.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $# -gt 0 ]] || set -- bookworm trixie

tools/base-images.sh "$@"
if [[ ${DOCKER_BUILDKIT:-1} == 1 ]] && client=$(tools/buildkit.sh); then
	export DOCKER_BUILDKIT=1 PATH=$client:$PATH
	builder=BuildKit
else
	export DOCKER_BUILDKIT=0
	builder="the classic builder"
fi
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
revision=$(git rev-parse HEAD 2>/dev/null || true)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for suite in "$@"; do
	started=$SECONDS
	if ! docker build --build-arg DEBIAN="$suite" --build-arg VERSION="$version" \
		--build-arg REVISION="$revision" --build-arg SOURCE="${SOURCE:-}" -t "pidgeon:$suite" . >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		echo "${0##*/}: pidgeon:$suite did not build" >&2
		exit 1
	fi
	size=$(docker image inspect -f '{{.Size}}' "pidgeon:$suite" | numfmt --to=si)
	echo "built pidgeon:$suite with $builder: $size, $((SECONDS - started)) s"
done
