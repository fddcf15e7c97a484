#!/usr/bin/env bash
# arm64-image.sh [SUITE]: builds pidgeon:SUITE-arm64 on this machine, whatever it is, and
# tries it: a login over TLS, a stop, its size. Needs root and BuildKit. Emulated it takes
# minutes, so no other script runs it. Where a registry answers,
# `docker buildx build --platform linux/arm64 .` does the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
suite=${1:-trixie}
image=pidgeon:$suite-arm64
work=$(mktemp -d)
trap 'docker rm -f -v "$image_test" >/dev/null 2>&1; rm -rf "$work"' EXIT
image_test=pidgeon-arm64-$$

tools/emulator.sh
tools/base-images.sh trixie # for Go
PATH=$(tools/buildkit.sh):$PATH
# docker import of before version 23 names this machine's architecture.
layer=$(tools/rootfs.sh base "$suite" arm64)
ln -s "$layer" "$work/layer.tar"
printf '{"architecture":"arm64","os":"linux","config":{"Cmd":["bash"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$(sha256sum <"$layer" | cut -d' ' -f1)" >"$work/config.json"
printf '[{"Config":"config.json","RepoTags":["debian:%s-slim-arm64"],"Layers":["layer.tar"]}]' "$suite" >"$work/manifest.json"
tar -C "$work" -ch manifest.json config.json layer.tar | docker load -q

DOCKER_BUILDKIT=1 docker build -q --platform linux/arm64 --build-arg DEBIAN="$suite" \
	--build-arg DEBIAN_IMAGE="debian:$suite-slim-arm64" --build-arg REVISION="$(git rev-parse HEAD)" -t "$image" . >/dev/null

SECONDS=0
docker run -d --name "$image_test" --platform linux/arm64 -e USERS=demo:demo -p 127.0.0.1::993 "$image" >/dev/null
port=$(docker port "$image_test" 993/tcp)
until curl -sSk --max-time 30 -u demo:demo "imaps://$port/INBOX" >/dev/null 2>"$work/said"; do
	if ((SECONDS > 600)) || [[ $(docker inspect -f '{{.State.Running}}' "$image_test") != true ]]; then
		cat "$work/said" >&2
		docker logs "$image_test" >&2
		exit 1
	fi
	sleep 1
done
docker exec "$image_test" uname -m
docker stop -t 60 "$image_test" >/dev/null
code=$(docker inspect -f '{{.State.ExitCode}}' "$image_test")
size=$(docker image inspect -f '{{.Size}}' "$image")
echo "$image: $(docker image inspect -f '{{.Architecture}}' "$image"), a login over TLS, exit code $code, $(numfmt --to=si "$size")"
# 20 MB of it are Debian's: what it links for arm64 is filled up to 64 KiB.
[[ $code -eq 0 && $size -lt 175000000 ]]
