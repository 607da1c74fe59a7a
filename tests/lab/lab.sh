#!/usr/bin/env bash
# A real fleet of Docker hosts on one Linux machine, for tests. See README.md beside this file.
# This file reads the command line; each noun of the lab has a file of its own.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
# shellcheck source=state.sh
. "$HERE/state.sh"
# shellcheck source=net.sh
. "$HERE/net.sh"
# shellcheck source=certs.sh
. "$HERE/certs.sh"
# shellcheck source=host.sh
. "$HERE/host.sh"
# shellcheck source=manifest.sh
. "$HERE/manifest.sh"
# shellcheck source=images.sh
. "$HERE/images.sh"

usage() {
    cat <<'TEXT'
usage: lab.sh up DIR [--hosts N] [--sshds M]
       lab.sh down DIR
TEXT
}

# What must be there before anything is touched. Exit 3: this machine cannot run a lab.
require_machine() {
    [[ $(uname -s) == Linux ]] || die 3 "CANNOT RUN THE REAL LAB: it needs Linux (network namespaces), this is $(uname -s)"
    ((EUID == 0)) || die 3 "CANNOT RUN THE REAL LAB: it needs root for network namespaces, mounts and dockerd; you are uid $EUID"
    local tool missing=()
    for tool in dockerd containerd docker sshd ssh-keygen docker-registry busybox ip iptables nsenter unshare openssl curl jq tar flock; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || die 3 "CANNOT RUN THE REAL LAB: missing ${missing[*]}: run $HERE/install.sh as root"
}

up() {
    local hosts=3 sshds=0
    while (($#)); do
        case $1 in
            --hosts) hosts=$2; shift 2 ;;
            --sshds) sshds=$2; shift 2 ;;
            *) usage >&2; die 2 "up: unknown option $1" ;;
        esac
    done
    [[ $hosts =~ ^[1-9][0-9]?$ ]] && ((hosts <= 40)) || die 2 "--hosts $hosts: a number from 1 to 40"
    [[ $sshds =~ ^[0-9]{1,3}$ ]] && ((sshds <= 150)) || die 2 "--sshds $sshds: a number from 0 to 150"
    require_machine
    if [[ -e $LAB/lab.json ]] && lab_is_alive; then
        die 1 "$LAB holds a lab that is up; end it first: $0 down $LAB"
    fi
    # The longest socket path must fit sun_path (108 bytes with its NUL).
    ((${#LAB} + 20 <= 107)) || die 2 "$LAB: too long a path for Unix sockets below it; take one of at most 87 characters"
    down
    mkdir -p "$LAB"/{state/procs,log,tls,ssh,registry}
    exec 9>"$LAB/state/lock"
    flock 9
    trap 'up_failed $? "$BASH_COMMAND"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    net_up
    certs_create "$hosts"
    ssh_create
    registry_start
    local name jobs=()
    for name in $(host_names "$hosts"); do
        host_create "$name"
        host_start "$name" &
        jobs+=($!)
    done
    local job
    for job in "${jobs[@]}"; do
        wait "$job"
    done
    sshds_start "$hosts" "$sshds"
    images_base
    manifest_write
    trap - EXIT INT TERM
    say "up: $(jq -r '.hosts | length' "$LAB/lab.json") hosts on $(net_address 0)/24, see $LAB/lab.json"
}

# A lab that came up half is worth nothing: say why, take it down, keep the logs.
up_failed() {
    local code=$1 command=$2 kept
    trap - EXIT
    trap '' INT TERM
    set +e
    say "up failed (exit $code): $command"
    kept=$LAB/failed-up.log
    tail -n 15 "$LAB"/log/*.log >"$kept.tmp" 2>/dev/null
    tail -n 60 "$kept.tmp" >&2
    down
    mkdir -p "$LAB"
    mv "$kept.tmp" "$kept" 2>/dev/null
    say "taken down again; the ends of the logs are in $kept"
    ((code)) || code=1
    exit "$code"
}

# Ends everything that the state directory names. Missing pieces are no error: this also cleans a half-made lab.
down() {
    [[ -d $LAB/state ]] || return 0
    local record
    for record in "$LAB"/state/procs/*; do
        [[ -e $record ]] && proc_kill "$(basename "$record")" KILL
    done
    for record in "$LAB"/state/procs/*; do
        [[ -e $record ]] && proc_gone "$(basename "$record")"
    done
    cgroups_remove
    net_down
    rm -rf "$LAB/state" "$LAB"/{lab.json,log,tls,ssh,registry,images} "$LAB"/*-[0-9][0-9]
}

main() {
    local verb=${1:-} dir=${2:-}
    [[ -n $verb && -n $dir ]] || { usage >&2; exit 2; }
    shift 2
    LAB=$(realpath -m -- "$dir")
    readonly LAB
    case $verb in
        up) up "$@" ;;
        down) require_machine; down ;;
        *) usage >&2; die 2 "unknown verb $verb" ;;
    esac
}

main "$@"
