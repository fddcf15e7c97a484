#!/usr/bin/env bash
# certificates.sh [NAME]: a CA of your own, with which the proxies know the backends
# mail-1 to mail-64, and a certificate for NAME, the one that clients connect to. What
# clients trust comes from elsewhere: put it in the place of secrets/proxy.crt and .key.
# The backends move mail among each other with the password in secrets/doveadm.
set -euo pipefail
umask 077
mkdir -p "$(dirname "${BASH_SOURCE[0]}")/secrets"
cd "$(dirname "${BASH_SOURCE[0]}")/secrets"

make() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
		-subj "/CN=$2" -keyout "$1.key" -out "$1.crt" "${@:3}" 2>/dev/null
}
make ca "pidgeon CA" -addext keyUsage=critical,keyCertSign
names=$(printf 'DNS:mail-%d,' {1..64})
by_ca=(-CA ca.crt -CAkey ca.key -addext "basicConstraints=critical,CA:FALSE")
make backend mail "${by_ca[@]}" -addext "subjectAltName=${names%,}"
make proxy "${1:-localhost}" "${by_ca[@]}" -addext "subjectAltName=DNS:${1:-localhost}"
openssl rand -hex 32 >doveadm
