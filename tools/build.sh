#!/usr/bin/env bash
# build.sh [FILE]: builds ./pidgeon, or FILE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v go >/dev/null; then
	echo "${0##*/}: Go is missing; $(grep '^go ' go.mod) or newer is needed, see https://go.dev/dl" >&2
	exit 1
fi
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}
# Nobody speaks HTTP/2 to the metrics: without it the program is 0.4 MB smaller.
CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags nethttpomithttp2 -ldflags "-s -w -X main.version=$version" -o "${1:-pidgeon}" .
