#!/usr/bin/env bash
# base-images.sh SUITE...: makes sure that Docker has the images the Dockerfile
# starts from. Where a registry answers they are pulled; where none does, images
# of the same names are made from Debian's packages and this machine's Go.
set -euo pipefail

[[ $# -gt 0 ]] || {
	echo "usage: ${0##*/} SUITE..." >&2
	exit 64
}
tools=$(dirname "${BASH_SOURCE[0]}")
go_image=$(sed -n 's/^ARG GO_IMAGE=//p' "$tools/../Dockerfile")

# Names it needs, or fails: a tag that is there is never replaced.
have() {
	if docker image inspect "$1" >/dev/null 2>&1; then
		return 0
	fi
	if timeout 300 docker pull -q "$1" >/dev/null 2>&1; then
		echo "pulled $1"
		return 0
	fi
	return 1
}

debian() {
	local suite=$1 tar
	if have "debian:$suite-slim"; then
		return
	fi
	tar=$("$tools/rootfs.sh" base "$suite")
	docker import -c 'CMD ["bash"]' -m "made locally: no registry answers" "$tar" "debian:$suite-slim" >/dev/null
	echo "made debian:$suite-slim locally, as it cannot be pulled"
}

golang() {
	if have "$go_image"; then
		return
	fi
	local suite=${go_image##*-} work
	debian "$suite"
	# Go in the build stage has to trust and ask what Go on this machine trusts and
	# asks, or no module arrives from behind a company's proxy. None of it reaches
	# the final image, which takes only the binary from that stage.
	work=$(mktemp -d)
	mkdir -p "$work/etc/ssl/certs"
	cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$work/etc/ssl/certs/ca-certificates.crt"
	cp "$("$tools/rootfs.sh" base "$suite")" "$work/tar"
	tar -r -f "$work/tar" --owner=root --group=root -C "$work" ./etc/ssl
	tar -r -f "$work/tar" --owner=root --group=root -C "$(go env GOROOT)" \
		--exclude=./api --exclude=./doc --exclude=./test --exclude=testdata --transform='s,^\.,./usr/local/go,' .
	docker import -m "made locally: no registry answers" \
		-c 'CMD ["bash"]' -c 'WORKDIR /go' -c 'ENV GOPATH=/go GOTOOLCHAIN=local' \
		-c "ENV GOPROXY=$(go env GOPROXY) GOSUMDB=$(go env GOSUMDB)" \
		-c 'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		"$work/tar" "$go_image" >/dev/null
	rm -rf "$work"
	echo "made $go_image locally from $(go env GOVERSION), as it cannot be pulled"
}

for suite in "$@"; do
	debian "$suite"
done
golang
