#!/usr/bin/env bash
# compose-test.sh: compose.yaml from nothing to a login and away again, with each
# Compose that is here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export COMPOSE_PROJECT_NAME=pidgeon-test-$$ PUBLISH_IMAP=0 PUBLISH_IMAPS=0 USERS=demo:demo
compose=()
log=$(mktemp)
cleanup() {
	[[ ${#compose[@]} -eq 0 ]] || "${compose[@]}" down -v >/dev/null 2>&1 || true
	rm -f "$log"
}
trap cleanup EXIT

try() {
	local started=$SECONDS port
	if ! "${compose[@]}" up -d --build >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		echo "FAIL  ${compose[*]} up" >&2
		return 1
	fi
	port=$("${compose[@]}" port pidgeon 993)
	if ! curl -sSk --retry 20 --retry-delay 1 --retry-all-errors --max-time 30 \
		"imaps://$port/INBOX" -u demo:demo >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		"${compose[@]}" logs | tail -n 30 >&2
		echo "FAIL  ${compose[*]}: no login" >&2
		return 1
	fi
	"${compose[@]}" down -v >"$log" 2>&1
	echo "ok    ${compose[*]} up and down, $((SECONDS - started)) s"
}

# BuildKit where there is one; images.sh has tried both builders. Compose 1 asks
# the docker client to build only when told so.
if client=$(tools/buildkit.sh); then
	export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1 PATH=$client:$PATH
else
	export DOCKER_BUILDKIT=0
fi
found=
for candidate in "docker compose" "docker-compose"; do
	read -ra compose <<<"$candidate"
	"${compose[@]}" version >/dev/null 2>&1 || continue
	found=yes
	try
done
compose=()
if [[ -z $found ]]; then
	if [[ ${CI:-} == true ]]; then
		echo "FAIL: no Compose is here, and CI=true allows no gap" >&2
		exit 1
	fi
	echo "SKIP: no Compose is here"
fi
