#!/usr/bin/env bash
# need.sh PACKAGE...: installs the Debian packages that are missing, and starts
# none of the services they bring.
#
# Debian starts a service as soon as it is installed, and dovecot-core would
# take port 143 that way. policy-rc.d is Debian's own switch against that; it
# stands only while apt-get runs.
set -euo pipefail

missing=()
for package in "$@"; do
	# "install ok installed" and "hold ok installed" both count.
	status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	[[ $status == ?i* ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "${0##*/}: missing: ${missing[*]}; only Debian's apt-get is known here, install them by hand" >&2
	exit 1
fi

sudo=()
if [[ $(id -u) -ne 0 ]]; then
	if ! command -v sudo >/dev/null; then
		echo "${0##*/}: missing: ${missing[*]}; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	sudo=(sudo)
fi
echo "installing${sudo[*]:+ with sudo}: ${missing[*]}"

policy=/usr/sbin/policy-rc.d
log=$(mktemp)
placed=
restore() {
	if [[ -n $placed ]]; then
		"${sudo[@]}" rm -f "$policy"
		if [[ -e $policy.before-pidgeon ]]; then
			"${sudo[@]}" mv "$policy.before-pidgeon" "$policy"
		fi
	fi
	rm -f "$log"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Two of us at once would restore each other's policy.
exec 9</usr/sbin
flock 9

if ! [[ -x $policy ]] || "$policy" dovecot start >/dev/null 2>&1; then
	placed=yes
	if [[ -e $policy ]]; then
		"${sudo[@]}" mv "$policy" "$policy.before-pidgeon"
	fi
	printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
	"${sudo[@]}" chmod 755 "$policy"
fi

dovecot_before=$(dpkg-query -W -f '${db:Status-Abbrev}' dovecot-core 2>/dev/null || true)
apt() {
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 9<&-
}
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; }; then
	tail -n 20 "$log" >&2
	echo "${0##*/}: apt-get could not install ${missing[*]}" >&2
	exit 1
fi

# The service would still start at the next boot: whoever had no Dovecot before
# did not ask for one on port 143.
if [[ $dovecot_before != ?i* && -d /run/systemd/system ]] && systemctl -q is-enabled dovecot.service 2>/dev/null; then
	"${sudo[@]}" systemctl -q disable dovecot.service dovecot.socket 2>/dev/null || true
	echo "dovecot.service is installed but disabled; 'systemctl enable --now dovecot' turns it on"
fi
