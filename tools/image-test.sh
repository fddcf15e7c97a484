#!/usr/bin/env bash
# image-test.sh IMAGE: the image as its users meet it.
set -uo pipefail
[[ $# -eq 1 ]] || {
	echo "usage: ${0##*/} IMAGE" >&2
	exit 64
}
image=$1
passed=0 failed=0
containers=()
work=$(mktemp -d)
chmod 755 "$work"
trap 'docker rm -f -v "${containers[@]}" >/dev/null 2>&1; rm -rf "$work"' EXIT

# start NAME ARGUMENT...: a container in the background, probed every second.
start() {
	current=pidgeon-test-$$-$1
	shift
	containers+=("$current")
	docker run -d --name "$current" --health-interval 1s -p 127.0.0.1::993 "$@" >/dev/null
}

# within SECONDS COMMAND...: until it succeeds.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.2
	done
}

check() {
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		echo "FAIL  $name"
		tail -n 5 "$work/out" | sed 's/^/      | /'
		docker logs "$current" 2>&1 | tail -n 15 | sed 's/^/      log | /'
	fi
}

address() { docker port "$current" 993/tcp | head -n 1; }
url() { echo "imaps://$(address)"; }
imap() { curl -sSk --max-time 10 -u demo:demo "$@"; }
login() { imap "$(url)/INBOX" >/dev/null; }
# No grep -q: it leaves early, and the writer then fails with a broken pipe. The
# pause keeps the session open until the greeting is here; curl does not show it.
greeting() {
	{ sleep 0.5 && printf 'a LOGOUT\r\n'; } |
		timeout 10 openssl s_client -quiet -connect "$(address)" 2>/dev/null | grep -- "$1" >/dev/null
}
logged() { docker logs "$current" 2>&1 | grep -- "$1" >/dev/null; }
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$current") == healthy ]]; }
ends() {
	local want=$1
	shift
	containers+=("pidgeon-test-$$-once")
	docker run --rm --name "pidgeon-test-$$-once" "$@"
	local got=$?
	[[ $got -eq $want ]] || {
		echo "exit code $got instead of $want"
		return 1
	}
}

# stops LIMIT: docker stop is done in time, with nothing killed.
stops() {
	local before=$SECONDS code
	docker stop "$current" >/dev/null
	code=$(docker inspect -f '{{.State.ExitCode}}' "$current")
	echo "$((SECONDS - before)) s, exit code $code"
	[[ $code -eq 0 && $((SECONDS - before)) -lt 10 ]]
}

deliver_and_read() {
	printf 'From: a@example.org\r\nTo: demo\r\nSubject: pidgeon-test\r\n\r\nkept\r\n' >"$work/mail"
	imap "$(url)/INBOX" -T "$work/mail" && read_again
}
read_again() { imap "$(url)/INBOX;UID=1" | grep 'Subject: pidgeon-test'; }
no_keys() {
	ends 0 --entrypoint /bin/sh "$image" -c \
		'! find /etc/dovecot /etc/ssl -type f \( -name "*.key" -o -name "*snakeoil*" -o -path "*/private/*" \) | grep .'
}
small() { (($(docker image inspect -f '{{.Size}}' "$image") < 150000000)); }
# Scanners read it, with the versions that are there.
told_of() {
	docker run --rm --entrypoint cat "$image" /usr/share/doc/pidgeon/sbom.cdx.json | python3 -c 'if True:
		import json, sys
		bom = json.load(sys.stdin)
		parts = {c["name"]: c for c in bom["components"]}
		assert bom["bomFormat"] == "CycloneDX", bom["bomFormat"]
		assert parts["dovecot-core"]["version"] == sys.argv[1], parts["dovecot-core"]
		fsnotify = parts["github.com/fsnotify/fsnotify"]
		assert fsnotify["version"][0] == "v" and fsnotify["licenses"][0]["license"]["id"] == "BSD-3-Clause", fsnotify' \
		"$(docker run --rm --entrypoint dpkg-query "$image" -Wf '${Version}' dovecot-core)" &&
		ends 0 --entrypoint test "$image" -s /usr/share/doc/pidgeon/licences/github.com/fsnotify/fsnotify/LICENSE
}
from_where() { docker image inspect -f '{{index .Config.Labels "org.opencontainers.image.revision"}}' "$image" | grep -E '^[0-9a-f]{40}$'; }
reloads() { docker logs "$current" 2>&1 | grep -cE 'msg=(reloaded |"reloaded without the change")'; }
reloaded_since() { [[ $(reloads) -gt $1 ]]; }
# The login waits for the reload: one that is under way while Dovecot reloads fails.
hup_reloads() {
	local before count
	before=$(docker inspect -f '{{.State.Pid}}' "$current")
	count=$(reloads)
	docker kill -s HUP "$current" >/dev/null
	within 10 reloaded_since "$count" && login || return 1
	[[ $before == "$(docker inspect -f '{{.State.Pid}}' "$current")" ]]
}
doveadm() { docker exec "$current" doveadm "$@"; }
doveadm_reads_what_runs() {
	doveadm user demo | grep ^home && doveadm mailbox list -u demo | grep INBOX && doveadm who &&
		doveadm quota get -u demo | grep STORAGE && doveadm backup -u demo maildir:/tmp/backup && doveadm reload
}
override_takes_effect() {
	echo 'login_greeting = changed-by-override' >"$work/overrides/10-greeting.conf"
	within 15 greeting changed-by-override
}
override_refused() {
	echo 'no_such_setting = yes' >"$work/overrides/20-broken.conf"
	within 15 logged no_such_setting && login && greeting changed-by-override
}

current=none
check "a command of the user's is run and its exit code kept" ends 7 "$image" sh -c 'exit 7'
check "a command that does not exist gives 127" ends 127 "$image" no-such-command
check "a bad variable gives 78" ends 78 -e IMAP_CONCURRENCY=many "$image"
check "no private key is in the image" no_keys
check "it is smaller than 150 MB" small
check "its bill of materials names Dovecot and Go modules, with licences" told_of
check "its label names the commit" from_where

start bare "$image"
check "with nothing set, one line says how to add a user" within 20 logged USERS
docker rm -f -v "$current" >/dev/null

mkdir "$work/overrides"
start users --tmpfs /run -e USERS=demo:demo -e QUOTA=1G -v "$work/overrides:/overrides:ro" "$image"
check "login over IMAPS" within 20 login
check "healthy" within 20 healthy
check "mail goes in and comes out" deliver_and_read
check "docker exec doveadm reads what runs" doveadm_reads_what_runs
check "an override takes effect" override_takes_effect
check "a broken override is refused" override_refused
check "HUP reloads, the process stays" hup_reloads
check "docker stop: in time, exit code 0" stops
rm -f "$work/overrides/20-broken.conf"
docker start "$current" >/dev/null
check "mail survives a restart" within 20 read_again
docker rm -f -v "$current" >/dev/null

start bound -u 1000:1000 --read-only --cap-drop ALL --security-opt no-new-privileges \
	--tmpfs /run --tmpfs /tmp -e USERS=demo:demo -e QUOTA=1G "$image"
check "no root, no capability, read-only: login" within 20 login
check "no root, no capability, read-only: healthy" within 20 healthy
check "no root, no capability, read-only: mail goes in and comes out" deliver_and_read
check "no root, no capability, read-only: docker exec doveadm" doveadm_reads_what_runs
check "no root, no capability, read-only: docker stop" stops
docker rm -f -v "$current" >/dev/null

start few --pids-limit 140 -e USERS=demo:demo "$image"
check "a small container says that processes are too few" within 20 logged 'limit=pids.max is=140 .*cure="docker run --pids-limit'
check "a small container: login" within 20 login
docker rm -f -v "$current" >/dev/null

start short --memory 256m -e USERS=demo:demo "$image"
check "a container with little memory shares processes, and says so" within 20 logged 'session processes are shared.* limit=memory.max'
check "a container with little memory: login" within 20 login

echo "$image: $passed passed, $failed failed"
[[ $failed -eq 0 ]]
