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
# shellcheck source=seed.sh
. "$HERE/seed.sh"
# shellcheck source=fault.sh
. "$HERE/fault.sh"

usage() {
    cat <<'TEXT'
usage: lab.sh up DIR [--hosts N] [--sshds M] [--modern] [--podman] [--disk HOST=SIZE]
       lab.sh seed DIR                        a known set of containers on all hosts
       lab.sh fill DIR COUNT [HOST…]          COUNT tiny containers per host
       lab.sh image DIR make REPO:TAG [SALT]  build and push; another salt gives another digest
       lab.sh image DIR pull HOST REPO:TAG
       lab.sh docker DIR HOST ARG…            docker against that host's engine
       lab.sh run DIR HOST COMMAND…           a command inside that host, as root
       lab.sh fault DIR kill9|restart|stop|cont|link-down|link-up|netem-clear|off|on HOST
       lab.sh fault DIR netem HOST 'delay 200ms loss 2%' | slow HOST 256kbit
       lab.sh fault DIR sshd-kill|sshd-start|sshd-drop|hostkey-change HOST
       lab.sh fault DIR registry-kill|registry-start
       lab.sh fault DIR disk-full|disk-free HOST
       lab.sh private DIR USER:BCRYPT         a second registry, on port 5001, for that user only
       lab.sh down DIR
       lab.sh sweep                           ends labs whose DIR was deleted under them
exit: 0 done · 1 failed · 2 usage · 3 this machine cannot run a lab · 4 --modern · 5 --podman · 6 netem cannot be had
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
    local hosts=3 sshds=0 modern='' podman='' disk='' usr=''
    while (($#)); do
        case $1 in
            --hosts) hosts=${2:-}; shift 2 || die 2 "--hosts needs a number" ;;
            --sshds) sshds=${2:-}; shift 2 || die 2 "--sshds needs a number" ;;
            --modern) modern=1; shift ;;
            --podman) podman=1; shift ;;
            --disk) disk=${2:-}; shift 2 || die 2 "--disk needs HOST=SIZE" ;;
            *) usage >&2; die 2 "up: unknown option $1" ;;
        esac
    done
    if ! [[ $hosts =~ ^[1-9][0-9]?$ ]] || ((hosts > 40)); then die 2 "--hosts $hosts: a number from 1 to 40"; fi
    if ! [[ $sshds =~ ^(0|[1-9][0-9]{0,2})$ ]] || ((sshds > 150)); then die 2 "--sshds $sshds: a number from 0 to 150"; fi
    [[ -z $disk || $disk =~ ^app-[0-9]+=[0-9]+[km]$ ]] || die 2 "--disk $disk: HOST=SIZE, as in app-02=64m"
    require_machine
    [[ -z $podman ]] || command -v podman >/dev/null || die 5 "--podman cannot be had here: there is no podman; run $HERE/install.sh --podman"
    if [[ -n $modern ]]; then
        usr=$(bash "$HERE/modern.sh") || die 4 "--modern cannot be had here (the reason stands above)"
    fi
    if [[ -e $LAB/lab.json ]] && lab_is_alive; then
        die 1 "$LAB holds a lab that is up; end it first: lab.sh down $LAB"
    fi
    # The longest socket path must fit sun_path (108 bytes with its NUL).
    ((${#LAB} + 20 <= 107)) || die 2 "$LAB: too long a path for Unix sockets below it; take one of at most 87 characters"
    down
    rm -f "$LAB/failed-up.log"
    mkdir -p "$LAB"/{state/procs,log,tls,ssh,registry,images}
    state_lock
    trap 'up_failed $? "$BASH_COMMAND"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    [[ -z $modern ]] || printf '%s\n' "$usr" >"$LAB/state/modern"
    [[ -z $disk ]] || printf '%s\n' "${disk#*=}" >"$LAB/state/disk-${disk%%=*}"
    net_up
    certs_create "$hosts"
    ssh_create
    registry_start
    local name
    for name in $(host_names "$hosts") ${modern:+new-01} ${podman:+pod-01}; do
        host_create "$name"
    done
    in_parallel host_start "$(host_list)"
    images_base
    sshds_start "$sshds"
    manifest_write
    trap - EXIT INT TERM
    say "up: $(host_list | wc -l) hosts and $sshds more SSH servers on $(net_prefix).0/24, see $LAB/lab.json"
}

# A lab that came up half is worth nothing: say why, take it down, keep the ends of its logs.
up_failed() {
    local code=$1 failing=$2 log kept=$LAB/failed-up.log
    trap - EXIT
    trap '' INT TERM
    set +e
    say "up failed (exit $code): $failing"
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null
    wait
    for log in "$LAB"/log/*.log; do
        printf '== %s\n' "$log"
        tail -n 15 "$log"
    done >"$kept.tmp" 2>/dev/null
    lab_remove
    mkdir -p "$LAB"
    mv "$kept.tmp" "$kept"
    tail -n 40 "$kept" >&2
    say "taken down again; the ends of the logs are in $kept"
    ((code)) || code=1
    exit "$code"
}

down() {
    [[ -d $LAB/state ]] || return 0
    state_lock
    lab_remove
    exec 9>&-
}

# Ends everything that the state directory names. Missing pieces are no error: this also cleans a half-made lab.
lab_remove() {
    local name left=()
    for name in $(proc_names); do proc_kill "$name" KILL; done
    net_processes_kill
    cgroups_thaw
    for name in $(proc_names); do proc_gone "$name" || left+=("$name"); done
    ((${#left[@]} == 0)) || die 1 "still running after SIGKILL: ${left[*]}; their records stay in $LAB/state/procs"
    cgroups_remove
    net_down
    ledger_remove
    for name in $(host_list); do rm -rf "${LAB:?}/$name"; done
    rm -rf "$LAB"/{lab.json,lab.json.tmp,log,tls,ssh,registry,images,failed-up.log}
    rm -rf "$LAB/state"
    rmdir "$LAB" 2>/dev/null || true
}

# A verb on a lab that is up.
on_lab() { # VERB NEEDED-ARGS ARGS…
    local verb=$1 needed=$2
    shift 2
    (($# >= needed)) || { usage >&2; die 2 "lab.sh ${verb//_/ }: too few arguments"; }
    require_machine
    [[ -e $LAB/lab.json ]] || die 1 "$LAB holds no lab that is up"
    "$verb" "$@"
}

main() {
    local verb=${1:-} dir=${2:-}
    if [[ $verb == sweep && -z $dir ]]; then
        require_machine
        sweep
        return
    fi
    [[ -n $verb && -n $dir ]] || { usage >&2; exit 2; }
    shift 2
    LAB=$(realpath -m -- "$dir")
    readonly LAB
    case $verb in
        up) up "$@" ;;
        down) require_machine; down ;;
        seed | fill | fault) state_lock_if_up; on_lab "$verb" "$([[ $verb == seed ]] && echo 0 || echo 1)" "$@" ;;
        image) on_lab image 1 "$@" ;;
        private) state_lock_if_up; on_lab private_start 1 "$@" ;;
        docker) on_lab docker_on 1 "$@" ;;
        run) on_lab host_run 2 "$@" ;;
        *) usage >&2; die 2 "unknown verb $verb" ;;
    esac
}

main "$@"
