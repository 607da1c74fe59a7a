#!/usr/bin/env bash
# Installs what the real lab needs from Debian's own packages; what is there already is left alone.
# Services that come with those packages are neither started nor enabled: the lab runs its own.
#   install.sh [--podman] [--modern]
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

refuse() { printf '*** THE REAL LAB CANNOT BE INSTALLED HERE: %s\n*** Tests against real engines, SSH servers and a registry cannot be run.\n' "$1" >&2; exit 3; }

[[ $(uname -s) == Linux ]] || refuse "it needs Linux, this is $(uname -s)"
((EUID == 0)) || refuse "it needs root, you are uid $EUID"
command -v apt-get dpkg-query >/dev/null || refuse "it knows only Debian's apt-get"

packages=(docker.io docker-registry openssh-server openssh-client busybox-static haproxy iproute2 iptables openssl curl jq
    pkg-config libssl-dev librsvg2-bin tmux util-linux procps ca-certificates debian-archive-keyring postgresql)
modern=
for option in "$@"; do
    case $option in
        --podman) packages+=(podman) ;;
        --modern) modern=1 ;;
        *) printf 'usage: install.sh [--podman] [--modern]\n' >&2; exit 2 ;;
    esac
done

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# From Debian 13 on the command line of docker is a package of its own.
command -v docker >/dev/null || ! apt-cache show docker-cli >/dev/null 2>&1 || packages+=(docker-cli)

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done

# A policy-rc.d of 101 keeps maintainer scripts from starting services; it is removed again in any case.
quiet_services() {
    [[ ! -e /usr/sbin/policy-rc.d ]] || return 0
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

# Only services that this very run brought are disabled.
disable_new_services() {
    [[ -d /run/systemd/system ]] || return 0
    local package
    for package in "${missing[@]}"; do
        case $package in
            docker.io) systemctl disable --now --quiet docker.socket docker.service containerd.service || true ;;
            docker-registry) systemctl disable --now --quiet docker-registry.service || true ;;
            openssh-server) systemctl disable --now --quiet ssh.service || true ;;
            postgresql) systemctl disable --now --quiet postgresql.service || true ;;
            podman) systemctl disable --now --quiet podman.socket podman.service || true ;;
        esac
    done
}

if ((${#missing[@]})); then
    printf 'lab: installing %s\n' "${missing[*]}" >&2
    log=$(mktemp)
    quiet_services
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        printf '*** THE REAL LAB IS NOT INSTALLED: apt-get failed; its whole output is in %s\n' "$log" >&2
        exit 1
    fi
    rm -f "$log"
    disable_new_services
fi

[[ -z $modern ]] || bash "$HERE/modern.sh"
