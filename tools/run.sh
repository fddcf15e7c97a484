#!/usr/bin/env bash
# run.sh: builds pidgeon and runs it here, without Docker, as root or not.
# Variables that are set already win over the defaults below.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$clone"

tools/need.sh curl ca-certificates dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd \
	dovecot-managesieved dovecot-sieve dovecot-submissiond
tools/build.sh

data=$clone/.pidgeon
# Two clones, or two users of one, must not meet in a directory outside.
id=$(printf '%s' "$clone" | sha256sum | cut -c1-8)-$(id -u)

# As root, Dovecot hands sessions to users without rights, who have to get
# through every directory on the way: not so below a closed home.
open_to_all() {
	local dir=$1
	while [[ $dir != / ]]; do
		[[ $(stat -c %A "$dir") == *[xt] ]] || return 1
		dir=$(dirname "$dir")
	done
}
run=$data/run
if [[ $(id -u) -eq 0 ]]; then
	short=/run/pidgeon-$id
	if ! open_to_all "$clone"; then
		data=/var/lib/pidgeon-$id
		run=$short
	fi
else
	short=${XDG_RUNTIME_DIR:-/tmp}/pidgeon-$id
fi
# The path of a unix socket ends at 107 bytes, and Dovecot's sockets lie up to
# 60 bytes below.
if [[ ${#run} -gt 45 ]]; then
	run=$short
fi

export IMAP_PORT=${IMAP_PORT:-1143} IMAPS_PORT=${IMAPS_PORT:-1993}
export POP3_PORT=${POP3_PORT:-1110} POP3S_PORT=${POP3S_PORT:-1995}
export LMTP_PORT=${LMTP_PORT:-1024} SIEVE_PORT=${SIEVE_PORT:-4190}
export SUBMISSION_PORT=${SUBMISSION_PORT:-1587} SUBMISSIONS_PORT=${SUBMISSIONS_PORT:-1465}
export LISTEN=${LISTEN:-127.0.0.1}
export RUN_DIR=${RUN_DIR:-$run} STATE_DIR=${STATE_DIR:-$data/state} MAIL_DIR=${MAIL_DIR:-$data/mail}
export OVERRIDES_DIR=${OVERRIDES_DIR:-$data/overrides}
export TLS_CERT_PATH=${TLS_CERT_PATH:-$data/certs/tls.crt} TLS_KEY_PATH=${TLS_KEY_PATH:-$data/certs/tls.key}
demo=
if [[ -z ${USERS:-}${USERS_FILE:-}${AUTH:-} ]]; then
	export USERS=demo:demo
	demo=yes
fi
umask 022
mkdir -p "$OVERRIDES_DIR" "$STATE_DIR" "$MAIL_DIR" "$(dirname "$TLS_CERT_PATH")" "$RUN_DIR"
# Somebody else may own the name in /tmp.
[[ -O $RUN_DIR ]] || {
	echo "${0##*/}: $RUN_DIR belongs to another user; set RUN_DIR" >&2
	exit 1
}

echo "log in:     curl -k imaps://127.0.0.1:$IMAPS_PORT/INBOX -u ${demo:+demo:demo}"
echo "overrides:  $OVERRIDES_DIR/*.conf, in effect as soon as they are written"
echo "mail:       $MAIL_DIR"
echo "doveadm:    RUN_DIR=$RUN_DIR $clone/pidgeon doveadm who"
echo "stop:       Ctrl-C"
exec "$clone/pidgeon" run
