# shellcheck shell=bash
# Records of what the lab started, so that `down` ends exactly that and nothing else.
# A process is its pid, its start time and the boot it belongs to: a recycled pid never matches.

say() { printf 'lab: %s\n' "$*" >&2; }
die() { local code=$1; shift; say "$*"; exit "$code"; }

# Waits for a condition, at most SECONDS: until_true SECONDS WHAT COMMAND…
until_true() {
    local limit=$1 what=$2 deadline
    shift 2
    deadline=$(($(date +%s%N) / 1000000 + limit * 1000))
    until "$@" >/dev/null 2>&1; do
        if (($(date +%s%N) / 1000000 > deadline)); then
            say "gave up after $limit s: $what"
            return 1
        fi
        sleep 0.05
    done
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# Field 22 of /proc/PID/stat; the command name in it may hold spaces and brackets.
start_time() {
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra fields <<<"${stat##*) }"
    printf '%s' "${fields[19]}"
}

proc_record() { # NAME PID
    local started
    started=$(start_time "$2") || return 1
    printf '%s %s %s\n' "$2" "$started" "$(boot_id)" >"$LAB/state/procs/$1.tmp"
    mv "$LAB/state/procs/$1.tmp" "$LAB/state/procs/$1"
}

# Prints the pid when that very process still runs (a zombie does not).
proc_pid() {
    local pid started boot stat
    [[ -r $LAB/state/procs/$1 ]] || return 1
    read -r pid started boot <"$LAB/state/procs/$1"
    [[ $boot == "$(boot_id)" && $(start_time "$pid") == "$started" ]] || return 1
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    [[ ${stat:0:1} != Z ]] || return 1
    printf '%s' "$pid"
}

proc_kill() { # NAME SIGNAL
    local pid
    pid=$(proc_pid "$1") || return 0
    kill -s "$2" "$pid" 2>/dev/null || true
}

proc_ended() { ! proc_pid "$1" >/dev/null; }

# Waits for a process's service, and not for one that has ended: until_up SECONDS NAME COMMAND…
until_up() {
    local limit=$1 name=$2
    shift 2
    until_true "$limit" "the service of $name" ended_or "$name" "$@" || return 1
    proc_ended "$name" || return 0
    say "$name ended at once: $(tail -q -n 1 "$LAB/log/$name.log" "$LAB/log/$name.enter.log" 2>/dev/null || true)"
    return 1
}
ended_or() { proc_ended "$1" || "${@:2}"; }

proc_gone() {
    until_true 20 "the end of process $1" proc_ended "$1"
    rm -f "$LAB/state/procs/$1"
}

# Starts a daemon of this machine and records it: proc_start NAME COMMAND…
# It gets a clean environment: a proxy or DOCKER_HOST of the caller must not leak into an engine.
proc_start() {
    local name=$1
    shift
    setsid env -i PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 \
        "$@" </dev/null >>"$LAB/log/$name.log" 2>&1 9>&- &
    proc_record "$name" $!
}

# Starts a daemon inside a host's namespaces. nsenter must fork to enter the process namespace, so two
# processes are recorded: the daemon under NAME, its waiting parent under NAME.enter.
proc_start_in() { # HOST NAME COMMAND…
    local host=$1 name=$2 init parent child
    shift 2
    init=$(proc_pid "$host.init")
    proc_start "$name.enter" nsenter --target "$init" --mount --uts --net --pid -- "$@"
    parent=$(proc_pid "$name.enter")
    until_true 5 "the start of $name" has_child "$parent"
    child=$(first_child "$parent")
    proc_record "$name" "$child"
}

first_child() {
    local children
    children=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || return 1
    children=${children%% *}
    [[ -n $children ]] && printf '%s' "$children"
}
has_child() { first_child "$1" >/dev/null; }

proc_names() { ls "$LAB/state/procs" 2>/dev/null || true; }

lab_is_alive() {
    local name
    for name in $(proc_names); do
        proc_pid "$name" >/dev/null && return 0
    done
    return 1
}

# One verb at a time per lab. Background jobs inherit the lock, so `down` after a killed `up` waits for the last of them.
state_lock() {
    exec 9>"$LAB/state/lock"
    flock -w 180 9 || die 1 "$LAB: another lab.sh has worked on it for three minutes"
}
state_lock_if_up() { [[ ! -d $LAB/state ]] || state_lock; }

# in_parallel FUNCTION "WORDS": one background job per word; fails when any of them does.
in_parallel() {
    local word job jobs=() failed=0
    for word in $2; do
        "$1" "$word" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || failed=$?
    done
    return "$failed"
}

lab_id() { cat "$LAB/state/id"; }

# A second, tiny record outside DIR, for the lab whose DIR was deleted under it.
readonly LEDGER=/run/quarterdeck-lab

ledger_add() {
    mkdir -p "$LEDGER/$(lab_id)/procs"
    cp "$LAB/state/id" "$LAB/state/prefix" "$LEDGER/$(lab_id)/"
    printf '%s\n' "$LAB" >"$LEDGER/$(lab_id)/dir"
}
ledger_remove() { [[ ! -s $LAB/state/id ]] || rm -rf "${LEDGER:?}/$(lab_id)"; }

# Ends labs whose DIR is gone or holds another lab by now. All but the registry is found by the lab's own network namespaces.
sweep() {
    local record dir
    for record in "$LEDGER"/*/; do
        [[ -s $record/dir ]] || continue
        dir=$(cat "$record/dir")
        [[ $(cat "$dir/state/id" 2>/dev/null) != "$(cat "$record/id")" ]] || continue
        say "ending lab $(cat "$record/id"), whose directory $dir is gone"
        LAB=$(mktemp -d)
        cp -r "$record" "$LAB/state"
        down
    done
}
