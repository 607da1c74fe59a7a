#!/usr/bin/env bash
# Checks the lab itself: up, seed, each way in, each fault, and that `down` leaves nothing. Ends 3 where no lab can run.
#   check.sh [DIR [UP-OPTIONS…]]
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=${1:-$(mktemp -d)/lab}
(($# == 0)) || shift
passed=0 failed=0

lab() { "$HERE/lab.sh" "$@" 2>>"$DIR.log"; }
at() { jq -er "$1" "$DIR/lab.json"; }

check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@" >>"$DIR.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$what"
    fi
}
not() { ! "$@"; }
within() { # SECONDS COMMAND…
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}
says() { # TEXT COMMAND…
    local out
    out=$("${@:2}" 2>&1) || true
    [[ $out == *"$1"* ]]
}

mkdir -p "$(dirname "$DIR")"
: >"$DIR.log"
code=0
"$HERE/lab.sh" up "$DIR" --hosts 3 --sshds 2 "$@" || code=$?
((code == 0)) || exit "$code"
trap '"$HERE/lab.sh" down "$DIR"' EXIT
id=$(at .id)
tcp=$(at .hosts[0].tcp) web=$(at .hosts[0].address) far=$(at .hosts[1].address)
tls=$(at .hosts[1].tls.url) wrong=$(at .hosts[1].tls_wrong_name.url) registry=$(at .registry.address)
certs=(--cacert "$DIR/tls/ca.pem" --cert "$DIR/tls/client.pem" --key "$DIR/tls/client-key.pem")
get() { curl -sS --noproxy '*' --max-time 3 "$@"; }
log_in() { timeout 20 ssh -F "$DIR/ssh/config" -o BatchMode=yes -o ConnectTimeout=3 "$@" </dev/null; }
forwarded() { # PORT
    local socket=$DIR.forward-$1 code=0
    rm -f "$socket"
    log_in -p "$1" -L "$socket:/run/docker.sock" app-03 sleep 3 &
    within 5 test -S "$socket"
    get --unix-socket "$socket" http://engine/_ping || code=$?
    wait $! || true
    rm -f "$socket"
    return "$code"
}
state() { lab docker "$DIR" "$1" ps -a --filter "name=^$2\$" --format '{{.Status}}'; }

check "a second up is refused" not lab up "$DIR"
check "unix socket" says OK get --unix-socket "$DIR/app-01/docker.sock" http://engine/_ping
check "tcp" says OK get "http://${tcp#tcp://}/_ping"
check "tls" says OK get "${certs[@]}" "https://${tls#tcp://}/_ping"
check "tls without a client certificate" not get --cacert "$DIR/tls/ca.pem" "https://${tls#tcp://}/_ping"
check "tls with a stranger's certificate" not get --cacert "$DIR/tls/ca.pem" --cert "$DIR/tls/stranger-client.pem" \
    --key "$DIR/tls/stranger-client-key.pem" "https://${tls#tcp://}/_ping"
check "tls with another's name" not get "${certs[@]}" "https://${wrong#tcp://}/"
check "ssh" says app-03 log_in app-03 hostname
check "ssh to the engine" log_in app-03 docker version
check "ssh by a bastion" says app-03 log_in app-03-via-app-01 hostname
check "an extra ssh server" says app-02 log_in edge-002 hostname
check "an account without the socket" says "ermission denied" log_in guest@app-03 docker ps
check "socket forwarding" forwarded 22
check "no socket forwarding on 2222" not forwarded 2222
check "a stranger's key" not log_in -o IdentityFile=none -i "$DIR/ssh/stranger" -F /dev/null -o UserKnownHostsFile="$DIR/ssh/known_hosts" \
    -o IdentitiesOnly=yes "ops@$web"

check "seed" lab seed "$DIR"
bits() { lab docker "$DIR" "$1" image inspect "$registry/shop/web:1.0.1-22-7e56158" --format '{{index .RepoDigests 0}}'; }
check "one tag, two digests" test "$(bits app-01)" != "$(bits app-02)"
check "a published port" says "shop/web 1.0.1-22-7e56158 first" get "http://$web:8081/version"
check "healthy" within 30 says healthy state app-02 shop-web-1
check "unhealthy" within 30 says unhealthy state app-02 sick
check "restart loop" within 30 says "(3)" state app-01 crasher
check "killed for memory" within 30 says "Exited (137)" state app-02 greedy
check "stats" says MiB lab docker "$DIR" app-01 stats --no-stream shop-api-1
check "fill" lab fill "$DIR" 3 app-03
check "filled" test "$(lab docker "$DIR" app-03 ps -q --filter label=lab.fill | wc -l)" = 3

check "kill9" lab fault "$DIR" kill9 app-02
check "an engine that is gone" not get --unix-socket "$DIR/app-02/docker.sock" http://engine/_ping
check "its containers run on" says "shop/web" get "http://$far:8081/version"
check "restart" lab fault "$DIR" restart app-02
check "the engine is back" says OK get --unix-socket "$DIR/app-02/docker.sock" http://engine/_ping
check "stop" lab fault "$DIR" stop app-01
check "a stopped engine is silent" not get "http://${tcp#tcp://}/_ping"
check "cont" lab fault "$DIR" cont app-01
check "it goes on" says OK get "http://${tcp#tcp://}/_ping"
check "link-down" lab fault "$DIR" link-down app-01
check "a pulled cable" not get "http://${tcp#tcp://}/_ping"
check "link-up" lab fault "$DIR" link-up app-01
check "the cable is back" within 10 says OK get "http://${tcp#tcp://}/_ping"
check "sshd-kill" lab fault "$DIR" sshd-kill app-03
check "no login" not log_in app-03 true
check "sshd-start" lab fault "$DIR" sshd-start app-03
check "a login again" log_in app-03 true
check "hostkey-change" lab fault "$DIR" hostkey-change app-03
check "a changed key" says "Host key verification failed" log_in app-03 true
check "off" lab fault "$DIR" off app-01
check "a dark host" not get "http://${tcp#tcp://}/_ping"
check "on" lab fault "$DIR" on app-01
check "what a power cut leaves" says "Exited (255)" state app-01 cache
check "its extra ssh server too" says app-01 log_in edge-001 hostname
check "registry-kill" lab fault "$DIR" registry-kill
check "no registry" not get "http://$registry/v2/"
check "registry-start" lab fault "$DIR" registry-start
check "a pull again" lab image "$DIR" pull app-03 shop/worker:2.3.0-7-9ab34cd
check "a paused container to end" lab docker "$DIR" app-03 pause legacy-web-v12

trap - EXIT
check "down" lab down "$DIR"
check "down twice" lab down "$DIR"
check "no directory left" not test -e "$DIR"
check "no namespace left" not says "qdl$id" ip netns list
check "no link left" not says "qdl$id" ip link show
check "no rule left" not says "qdl$id" iptables -S
check "no control group left" not says "qdl$id" ls /sys/fs/cgroup/ /sys/fs/cgroup/*/
check "no process left" not grep -lqs -e "$DIR/" /proc/[0-9]*/cmdline
printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0)) || { printf 'the words of all commands: %s\n' "$DIR.log"; exit 1; }
rm -f "$DIR.log"
