# Builds with the classic builder and with BuildKit, for every architecture that
# Debian's image has. DEBIAN picks the Dovecot: trixie has 2.4, bookworm 2.3.
ARG DEBIAN=trixie
ARG DEBIAN_IMAGE=debian:${DEBIAN}-slim
ARG GO_IMAGE=golang:1.26-trixie

FROM ${DEBIAN_IMAGE} AS system
ARG DEBIAN=trixie
# Debian makes a key for Dovecot and one called snakeoil while it installs, which every
# container of the image would share.
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    case $DEBIAN in bookworm) search=dovecot-fts-xapian ;; *) search=dovecot-flatcurve ;; esac; \
    apt-get update; \
    apt-get install -y --no-install-recommends \
        ca-certificates libnss-extrausers \
        dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd \
        dovecot-managesieved dovecot-sieve dovecot-submissiond \
        dovecot-ldap dovecot-mysql dovecot-pgsql dovecot-sqlite $search; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
        /var/lib/dpkg/*-old /var/log/apt /var/log/*.log /tmp/* \
        /etc/dovecot/private/* /etc/ssl/private/* /etc/ssl/certs/ssl-cert-snakeoil.pem; \
    find /etc/ssl/certs /etc/dovecot -xtype l -delete; \
    # Character sets of mainframes, in which nobody writes mail.
    rm -f /usr/lib/*/gconv/EBCDIC* /usr/lib/*/gconv/IBM[0-357-9]* /usr/lib/*/gconv/IBM4[!3]*; \
    # The classic builder copies hard links as files.
    find /usr/bin -name 'perl5*' -links +1 -exec ln -sf perl {} \;; \
    # Dovecot wants a name for every user, and a -u of any number has none: pidgeon
    # writes one into its run directory.
    sed -i -E '/^(passwd|group):/s/$/ extrausers/' /etc/nsswitch.conf; \
    rm -rf /var/lib/extrausers; \
    ln -s /run/pidgeon/extrausers /var/lib/extrausers; \
    # Mail, state and /run may be written by any -u, as /tmp is: a new volume or
    # tmpfs takes over its mode from here.
    groupadd --gid 5000 vmail; \
    useradd --uid 5000 --gid 5000 --home-dir /srv/mail --no-create-home --shell /usr/sbin/nologin vmail; \
    install -d -o vmail -g vmail -m 1777 /srv/mail; \
    install -d -m 1777 /var/lib/pidgeon /run /run/pidgeon; \
    install -d /overrides /certs

# Go compiles for another architecture faster than an emulated Go does. The classic builder
# has no BUILDPLATFORM, and takes linux for this machine's.
FROM --platform=${BUILDPLATFORM:-linux} ${GO_IMAGE} AS build
# Modules before sources: a change of code downloads nothing.
COPY go.mod go.sum /src/
RUN go -C /src mod download
COPY . /src/
COPY --from=system /var/lib/dpkg/status /out/status
ARG VERSION=devel
ARG DEBIAN=trixie
ARG TARGETARCH
RUN CGO_ENABLED=0 GOARCH=${TARGETARCH} go build -C /src -buildvcs=false -trimpath -tags nethttpomithttp2 \
        -ldflags "-s -w -X main.version=${VERSION}" -o /out/usr/bin/pidgeon . \
    && install -D -m 644 /src/LICENSE /out/usr/share/doc/pidgeon/copyright \
    && go run -C /src ./tools/sbom -binary /out/usr/bin/pidgeon -status /out/status -suite "${DEBIAN}" -out /out/usr/share/doc/pidgeon \
    && rm /out/status

# One layer: what was taken away takes no room, and what was changed is there once.
FROM scratch
ARG DEBIAN=trixie
COPY --from=system / /
COPY --from=build /out/ /

# CONFIG_FILE is for doveadm and the other tools of Dovecot, which would read Debian's own.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CONFIG_FILE=/run/pidgeon/current/dovecot.conf

# A container that is removed without a thought for its mail should leave it
# behind: an anonymous volume too many is the smaller nuisance. It also keeps both
# directories writable under --read-only. Name the volumes to have them back.
VOLUME ["/srv/mail", "/var/lib/pidgeon"]

EXPOSE 143 993 110 995 24 4190 587 465
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/usr/bin/pidgeon", "health"]
ENTRYPOINT ["/usr/bin/pidgeon"]

ARG VERSION=devel
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="pidgeon" \
      org.opencontainers.image.description="PID 1 for Dovecot in a container" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="debian:${DEBIAN}-slim"
