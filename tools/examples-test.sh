#!/usr/bin/env bash
# examples-test.sh: the image of each Dockerfile in examples/ that puts pidgeon in front
# of a configuration, on both Debian suites: it builds, serves a login, is healthy, and
# stops. pidgeon:trixie has to be there, from which they take the program.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
work=$(mktemp -d)
chmod 755 "$work"
name=pidgeon-example-$$
cleanup() {
	local left
	mapfile -t left < <(docker ps -aq --filter "name=$name-")
	[[ ${#left[@]} -eq 0 ]] || docker rm -f -v "${left[@]}" >/dev/null 2>&1
	docker image rm "${images[@]}" >/dev/null 2>&1
	rm -rf "$work"
}
images=()
trap cleanup EXIT
if client=$(tools/buildkit.sh); then
	export DOCKER_BUILDKIT=1 PATH=$client:$PATH
else
	export DOCKER_BUILDKIT=0
fi

mkdir "$work/certs"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=example \
	-keyout "$work/certs/tls.key" -out "$work/certs/tls.crt" 2>/dev/null
chmod 644 "$work/certs/tls.key" # it is nobody's
echo 'alice:secret' >"$work/lua"
echo 'alice:secret:5000:5000::/srv/mail/alice' >"$work/passwd-file-imapsieve"
cp "$work/passwd-file-imapsieve" "$work/proxy-in-front"
python3 - "$work/sql-quota-sieve" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT, quota INTEGER)")
	db.execute("INSERT INTO users VALUES ('alice', 'secret', 50000000)")
	db.commit()
END

# within SECONDS COMMAND...: until it succeeds.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || {
			echo "not within ${end} s: $*"
			return 1
		}
		sleep 0.5
	done
}

healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

login() {
	case $2 in
	ldap) # whose users are in a directory that is not here
		docker exec "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/143; head -n 1 <&3' | grep '^\* OK' ;;
	proxy-in-front) # from a network that may say who comes
		docker exec "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/10143
			printf "PROXY TCP4 192.0.2.7 192.0.2.1 40000 993\r\na LOGIN alice secret\r\nb LOGOUT\r\n" >&3; timeout 5 cat <&3' | grep '^a OK' ;;
	*) curl -sSk --max-time 10 -u alice:secret "imaps://$(docker port "$1" 993/tcp | head -n 1)/INBOX" ;;
	esac
}

# try EXAMPLE IMAGE: a container of it from its start to its end.
try() {
	local container=$name-${2//:/-} users=/srv/mail/users
	[[ $1 == sql-quota-sieve ]] && users=/srv/mail/users.db
	docker create --name "$container" --health-cmd 'pidgeon health' --health-interval 1s -p 127.0.0.1::993 \
		-e IMAP_CONCURRENCY=500 -v "$work/certs:/certs:ro" "$2" >/dev/null || return 1
	[[ ! -e $work/$1 ]] || docker cp "$work/$1" "$container:$users" >/dev/null || return 1
	docker start "$container" >/dev/null || return 1
	[[ $1 != system-users-mbox ]] || docker exec "$container" sh -c 'useradd -m alice && echo alice:secret | chpasswd' || return 1
	if ! within 40 login "$container" "$1" || ! within 40 healthy "$container"; then
		docker logs "$container" 2>&1 | tail -n 20
		return 1
	fi
	docker stop "$container" >/dev/null
	[[ $(docker inspect -f '{{.State.ExitCode}}' "$container") == 0 ]]
}

# one SUITE DIALECT EXAMPLE: its image, which shares all but the last layers.
one() {
	local image=$name:$3-$1
	docker build -q --build-arg DEBIAN="$1" --build-arg DIALECT="$2" -t "$image" "examples/$3" >/dev/null && try "$3" "$image"
}

failed=0
for suite in "bookworm 2.3" "trixie 2.4"; do
	read -r suite dialect <<<"$suite"
	declare -A running=()
	for file in examples/*/Dockerfile; do
		example=$(basename "$(dirname "$file")")
		images+=("$name:$example-$suite")
		one "$suite" "$dialect" "$example" >"$work/$example.log" 2>&1 &
		running[$example]=$!
		# What all of them install is installed once.
		[[ ${#running[@]} -gt 1 ]] || within 300 docker image inspect "$name:$example-$suite" || break
	done
	for example in "${!running[@]}"; do
		if wait "${running[$example]}"; then
			echo "ok    $example on $suite"
		else
			failed=1
			echo "FAIL  $example on $suite"
			sed 's/^/      | /' "$work/$example.log"
		fi
	done
	unset running
done
[[ $failed -eq 0 ]]
