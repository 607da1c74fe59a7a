# shellcheck shell=bash
# What goes wrong in a fleet, on demand. After each fault lab.json holds the processes as they are then.

fault() { # WHAT [HOST [WORDS]]
    local what=$1 host=${2:-}
    case $what in
        registry-kill) proc_kill registry KILL; proc_gone registry ;;
        registry-start) registry_start ;;
        sshd-kill | sshd-start | sshd-drop | hostkey-change)
            host_exists "$host" || edge_exists "$host" || die 2 "no host or SSH server $host"
            "fault_${what//-/_}" "$host" ;;
        kill9 | restart | stop | cont | link-down | link-up | netem | netem-clear | slow | off | on | disk-full | disk-free)
            host_exists "$host" || die 2 "no host $host; there are $(host_list | tr '\n' ' ')"
            "fault_${what//-/_}" "$host" "${3:-}" ;;
        *) usage >&2; die 2 "unknown fault $what" ;;
    esac
    manifest_write
}

fault_kill9() {
    proc_pid "$1.dockerd" >/dev/null || die 1 "the engine of $1 is not running"
    proc_kill "$1.dockerd" KILL
    engine_gone "$1"
}

# Ends the engine in good order if it runs, and starts it; so this also brings back one that kill9 ended.
fault_restart() {
    proc_kill "$1.dockerd" TERM
    until_true 30 "the orderly end of $1's engine" proc_ended "$1.dockerd"
    engine_gone "$1"
    if [[ $(host_kind "$1") == podman ]]; then podman_start "$1"; else engine_start "$1"; fi
}

# Its nsenter ends with it; and would still hold the name of the next one's record.
engine_gone() {
    proc_gone "$1.dockerd"
    proc_kill "$1.dockerd.enter" CONT
    proc_gone "$1.dockerd.enter"
}

fault_stop() { proc_kill "$1.dockerd" STOP; }
# nsenter stops together with its child, so both go on.
fault_cont() {
    proc_kill "$1.dockerd" CONT
    proc_kill "$1.dockerd.enter" CONT
}

# At the bridge's end, so that the host keeps its addresses and routes as behind a pulled cable.
fault_link_down() { ip link set "$(net_veth "$1")" down; }
fault_link_up() { ip link set "$(net_veth "$1")" up; }

# Delay needs the kernel's netem (exit 6 where it was left out); loss alone also goes by the packet filter, in both directions.
fault_netem() { # HOST WORDS
    local words
    [[ -n $2 ]] || die 2 "netem needs its words, such as 'delay 200ms loss 2%'"
    read -ra words <<<"$2"
    fault_netem_clear "$1"
    tc -n "$(net_ns "$1")" qdisc replace dev eth0 root netem "${words[@]}" 2>"$LAB/log/netem.err" && return
    if [[ ${words[0]} == loss && ${words[1]:-} =~ ^([0-9]{1,2})(\.[0-9]+)?%$ ]] && ((${#words[@]} == 2)); then
        fault_loss "$1" "$(awk -v p="${words[1]%\%}" 'BEGIN { print p / 100 }')"
        return
    fi
    die 6 "netem '$2' cannot be had here: $(tail -n 1 "$LAB/log/netem.err")"
}

# A thin line: what the host sends is held to a rate, such as 256kbit, and queues up.
fault_slow() { # HOST RATE
    [[ -n $2 ]] || die 2 "slow needs a rate, such as 256kbit"
    fault_netem_clear "$1"
    tc -n "$(net_ns "$1")" qdisc replace dev eth0 root tbf rate "$2" burst 4kb latency 800ms
}

fault_loss() { # HOST PROBABILITY
    local chain direction
    for chain in INPUT:-i OUTPUT:-o; do
        direction=${chain#*:}
        host_run "$1" iptables -w 10 -I "${chain%:*}" "$direction" eth0 -m statistic --mode random --probability "$2" \
            -m comment --comment lab-loss -j DROP
    done
}

fault_netem_clear() {
    local rule
    tc -n "$(net_ns "$1")" qdisc del dev eth0 root 2>/dev/null || true
    host_run "$1" iptables -S | sed -n '/lab-loss/s/^-A/-D/p' | while read -ra rule; do
        host_run "$1" iptables -w 10 "${rule[@]}" </dev/null
    done
}

# Not one byte is left where the engine keeps its own; for a host with a disk of its own (up --disk).
fault_disk_full() {
    [[ -s $LAB/state/disk-$1 ]] || die 2 "$1 has no disk of its own: up --disk $1=SIZE"
    host_run "$1" sh -c "for block in 1048576 4096; do dd if=/dev/zero bs=\$block >>'$LAB/$1/docker/lab-filler' 2>/dev/null || true; done"
}
fault_disk_free() { host_run "$1" rm -f "$LAB/$1/docker/lab-filler"; }

# A power cut: every process of the host ends at once, its disk stays.
fault_off() {
    local name
    proc_kill "$1.init" KILL
    cgroups_thaw "$1"
    for name in $(proc_names | grep -F "$1." || true) $(edges_of "$1"); do
        proc_gone "$name"
    done
}

fault_on() {
    local edge
    proc_ended "$1.init" || die 1 "host $1 is on"
    host_start "$1"
    for edge in $(edges_of "$1"); do edge_start "${edge%.sshd}"; done
}

edge_exists() { grep -q "^$1 " "$LAB/state/sshds" 2>/dev/null; }
edges_of() { awk -v host="$1" '$2 == host { print $1 ".sshd" }' "$LAB/state/sshds" 2>/dev/null || true; }

# The listener and everyone logged in.
fault_sshd_kill() {
    local server
    for server in "$1.sshd" "$1.sshd-noforward"; do
        sshd_sessions_kill "$server"
        proc_kill "$server" KILL
        proc_gone "$server"
        proc_gone "$server.enter"
    done
}

# Everyone logged in, while the listener takes new logins.
fault_sshd_drop() {
    sshd_sessions_kill "$1.sshd"
    sshd_sessions_kill "$1.sshd-noforward"
}

sshd_sessions_kill() {
    local listener session
    listener=$(proc_pid "$1") || return 0
    for session in $(cat "/proc/$listener/task/$listener/children" 2>/dev/null); do
        # The privileged parent and the child that holds the user's channels.
        # shellcheck disable=SC2046
        kill -KILL "$session" $(cat "/proc/$session/task/$session/children" 2>/dev/null) 2>/dev/null || true
    done
}

fault_sshd_start() {
    proc_ended "$1.sshd" || die 1 "the sshd of $1 runs"
    if edge_exists "$1"; then edge_start "$1"; else sshd_start "$1"; fi
}

# known_hosts keeps the old key: this is what a client must refuse.
fault_hostkey_change() {
    fault_sshd_kill "$1"
    rm -f "$LAB/ssh/host-$1" "$LAB/ssh/host-$1.pub"
    ssh-keygen -q -t ed25519 -N '' -C "$1-changed" -f "$LAB/ssh/host-$1"
    fault_sshd_start "$1"
}
