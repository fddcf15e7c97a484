#!/usr/bin/env bash
# compose-test.sh: each compose.yaml from nothing to what it is for and away again, with
# each Compose that is here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export COMPOSE_PROJECT_NAME=pidgeon-test-$$ PUBLISH_IMAP=0 PUBLISH_IMAPS=0 \
	PUBLISH_SMTP=0 PUBLISH_SUBMISSION=0 USERS=demo:demo
compose=()
work=$(mktemp -d)
chmod 755 "$work"
log=$work/log
cleanup() {
	[[ ${#compose[@]} -eq 0 ]] || "${compose[@]}" down -v >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

# published SERVICE PORT: where Compose has put it on this machine.
published() { "${compose[@]}" port "$1" "$2"; }

login() {
	curl -sSk --retry 20 --retry-delay 1 --retry-all-errors --max-time 30 \
		"imaps://$(published pidgeon 993)/INBOX" -u demo:demo
}

# The one for others to use has a certificate, users and an override beside it, and its
# ports where Docker puts them: those it names may be taken here.
mkdir "$work/certs" "$work/secrets" "$work/overrides"
sed -E 's/^( +- "(143|993|4190)):[0-9]+"/\1"/' deploy/compose.yaml >"$work/compose.yaml"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=mail.example.org \
	-keyout "$work/certs/tls.key" -out "$work/certs/tls.crt" 2>/dev/null
chmod 644 "$work/certs/tls.key"
echo 'demo:{PLAIN}demo' >"$work/secrets/users"
echo 'login_greeting = overridden' >"$work/overrides/greeting.conf"

login_and_override() {
	login && { sleep 1 && printf 'a LOGOUT\r\n'; } | timeout 10 openssl s_client -quiet -connect "$(published pidgeon 993)" 2>/dev/null | grep overridden
}

submit_and_read() {
	python3 tools/submit-and-read.py "$(published postfix 587)" "$(published pidgeon 993)"
}

# try FILE CHECK: from nothing to a check that holds.
try() {
	local started=$SECONDS engine=("${compose[@]}")
	compose+=(-f "$1")
	if ! "${compose[@]}" up -d --build >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		echo "FAIL  ${compose[*]} up" >&2
		return 1
	fi
	if ! "$2" >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		"${compose[@]}" logs | tail -n 30 >&2
		echo "FAIL  ${compose[*]}: $2" >&2
		return 1
	fi
	"${compose[@]}" down -v >"$log" 2>&1
	echo "ok    ${compose[*]} up and down, $((SECONDS - started)) s"
	compose=("${engine[@]}")
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
	try compose.yaml login
	try "$work/compose.yaml" login_and_override
	try examples/postfix/compose.yaml submit_and_read
done
compose=()
if [[ -z $found ]]; then
	if [[ ${CI:-} == true ]]; then
		echo "FAIL: no Compose is here, and CI=true allows no gap" >&2
		exit 1
	fi
	echo "SKIP: no Compose is here"
fi
