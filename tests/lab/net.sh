# shellcheck shell=bash
# One bridge per lab, one network namespace and one veth pair per host. Every name holds the lab's id, so labs do not meet.

net_prefix() { cat "$LAB/state/prefix"; }
net_address() { printf '%s.%s' "$(net_prefix)" "$(($1 + 1))"; }   # 0 is the bridge
net_bridge() { printf 'qdl%s' "$(lab_id)"; }
net_ns() { printf 'qdl%s-%s' "$(lab_id)" "$1"; }

declare -A HOST_OFFSET=([app]=0 [new]=50 [pod]=60)
# host_octet app-01 → 11 … ; the bridge is .1, extra SSH servers start at .101
host_octet() { local n=${1##*-}; printf '%s' "$((10#$n + 10 + ${HOST_OFFSET[${1%-*}]:-0}))"; }
host_address() { printf '%s.%s' "$(net_prefix)" "$(host_octet "$1")"; }

prefix_is_free() {
    local taken
    taken=$(ip -4 -o addr show; ip -4 route show table all)
    [[ $taken != *[[:space:]]"$1".* ]]
}

net_up() {
    local id prefix third bridge
    # Two labs must not choose the same subnet: the choice is made under a lock of the machine.
    mkdir -p "$LEDGER"
    exec 8>"$LEDGER/lock"
    flock 8
    id=$(od -An -N3 -tx1 /dev/urandom | tr -d ' \n')
    for third in $(seq 0 255); do
        prefix=10.77.$third
        prefix_is_free "$prefix" && break
        prefix=
    done
    [[ -n $prefix ]] || { say "no free subnet in 10.77.0.0/16"; return 1; }
    printf '%s\n' "$id" >"$LAB/state/id"
    printf '%s\n' "$prefix" >"$LAB/state/prefix"
    ledger_add
    bridge=$(net_bridge)
    ip link add "$bridge" type bridge forward_delay 0 stp_state 0
    ip addr add "$prefix.1/24" dev "$bridge"
    ip link set "$bridge" up
    exec 8>&-
    # Hosts reach each other and this machine; no packet of a lab leaves the machine.
    net_rules -I
}

net_rules() { # -I | -D
    local bridge
    bridge=$(net_bridge)
    net_rule "$1" FORWARD -i "$bridge" ! -o "$bridge" -j DROP
    net_rule "$1" FORWARD -i "$bridge" -o "$bridge" -j ACCEPT
    net_rule "$1" INPUT -i "$bridge" -j ACCEPT
}

net_rule() { # -I | -D CHAIN RULE…
    if [[ $1 == -D ]]; then
        iptables -w 10 -C "${@:2}" 2>/dev/null || return 0
    fi
    iptables -w 10 "$@"
}

net_veth() { printf 'qdl%sv%s' "$(lab_id)" "$(host_octet "$1")"; }

net_attach() { # HOST
    local ns veth
    ns=$(net_ns "$1")
    veth=$(net_veth "$1")
    ip netns add "$ns"
    ip link add "$veth" type veth peer name eth0 netns "$ns"
    ip link set "$veth" master "$(net_bridge)" up
    ip -n "$ns" link set lo up
    ip -n "$ns" addr add "$(host_address "$1")/24" dev eth0
    ip -n "$ns" link set eth0 up
    ip -n "$ns" route add default via "$(net_address 0)"
}

# Whatever still lives in the lab's own network namespaces is the lab's, recorded or not (an `up` killed between a fork and its record).
net_processes_kill() {
    local ns pid
    for ns in $(net_ns_list); do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null || true
        done
    done
}

net_ns_list() {
    [[ -s $LAB/state/id ]] || return 0
    ip netns list | awk -v mine="qdl$(lab_id)-" 'index($1, mine) == 1 { print $1 }'
}

net_down() {
    local ns veth
    [[ -s $LAB/state/id ]] || return 0
    for veth in /sys/class/net/"$(net_bridge)"/brif/*; do
        [[ ! -e $veth ]] || ip link delete "$(basename "$veth")" || true
    done
    for ns in $(net_ns_list); do
        ip netns delete "$ns" || true
    done
    ip link delete "$(net_bridge)" 2>/dev/null || true
    net_rules -D
}
