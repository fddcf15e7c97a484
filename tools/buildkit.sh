#!/usr/bin/env bash
# buildkit.sh: prints the directory of a docker client that can build with
# BuildKit, or fails. A client from version 23 on needs its buildx plugin for
# that, an older one has BuildKit itself; both may be installed side by side.
set -euo pipefail

while read -r client; do
	if printf 'FROM scratch\nLABEL a=b\n' | DOCKER_BUILDKIT=1 "$client" build -q - >/dev/null 2>&1; then
		dirname "$client"
		exit 0
	fi
done < <(type -ap docker)
exit 1
