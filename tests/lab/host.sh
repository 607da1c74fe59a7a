# shellcheck shell=bash
# One host: network, mount, UTS and process namespaces of its own, a containerd, a dockerd and an sshd in them.
# Its first process owns the rest: ending it ends the whole host at once, as a power cut would.

host_names() { local n; for n in $(seq -f '%02g' 1 "$1"); do printf 'app-%s\n' "$n"; done; }
host_list() { cat "$LAB/state/hosts" 2>/dev/null || true; }

registry_address() { printf '%s:5000' "$(net_address 0)"; }

registry_start() {
    cat >"$LAB/registry/config.yml" <<YAML
version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: $LAB/registry/data }, delete: { enabled: true } }
http: { addr: "$(registry_address)", secret: lab }
YAML
    proc_start registry docker-registry serve "$LAB/registry/config.yml"
    cp "$LAB/state/procs/registry" "$LEDGER/$(lab_id)/procs/"
    until_up 20 registry curl -fsS --max-time 2 --noproxy '*' "http://$(registry_address)/v2/"
}

# A second registry, on port 5001, for who is in its htpasswd file (`user:bcrypt`) only.
private_start() { # LINE
    mkdir -p "$LAB/registry/private"
    printf '%s\n' "$1" >"$LAB/registry/private.htpasswd"
    cat >"$LAB/registry/private.yml" <<YAML
version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: $LAB/registry/private }, delete: { enabled: true } }
auth: { htpasswd: { realm: lab, path: $LAB/registry/private.htpasswd } }
http: { addr: "$(net_address 0):5001", secret: lab }
YAML
    proc_start registry-private docker-registry serve "$LAB/registry/private.yml"
    cp "$LAB/state/procs/registry-private" "$LEDGER/$(lab_id)/procs/"
    until_up 20 registry-private tcp_open "$(net_address 0)" 5001
}

host_create() { # HOST
    local dir=$LAB/$1
    mkdir -p "$dir"/{docker,containerd,etc}
    printf '%s\n' "$1" >>"$LAB/state/hosts"
    net_attach "$1"
    host_key "$1" "$(host_address "$1")" 22 2222
    # The host's accounts are files of its own, laid over the machine's: ops may open the engine's socket, guest may not.
    { grep -vE '^(ops|guest):' /etc/passwd || true
      printf 'ops:x:1500:1500::/run/home/ops:/bin/sh\nguest:x:1501:1501::/run/home/guest:/bin/sh\n'; } >"$dir/etc/passwd"
    { grep -vE '^(ops|guest|docker):' /etc/group || true
      printf 'ops:x:1500:\nguest:x:1501:\ndocker:x:1499:ops\n'; } >"$dir/etc/group"
    { grep -vE '^(ops|guest):' /etc/shadow || true
      printf 'ops:*:19000:0:99999:7:::\nguest:*:19000:0:99999:7:::\n'; } >"$dir/etc/shadow"
    chmod 0640 "$dir/etc/shadow"
    printf '127.0.0.1 localhost\n%s %s\n' "$(host_address "$1")" "$1" >"$dir/etc/hosts"
    # Nobody answers there: names fail at once, and no query leaves the machine.
    printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$(net_address 0)" >"$dir/etc/resolv.conf"
    printf '%s\n' "$1" >"$dir/etc/hostname"
    cat >"$dir/containerd.toml" <<TOML
version = 2
root = "$dir/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
[grpc]
address = "/run/containerd/containerd.sock"
TOML
}

host_start() { # HOST
    host_init_start "$1"
    sshd_start "$1"
    if [[ $(host_kind "$1") == podman ]]; then
        podman_start "$1"
    else
        containerd_start "$1"
        engine_start "$1"
        [[ $1 != app-02 ]] || wrong_name_start
    fi
}

host_kind() { if [[ $1 == pod-* ]]; then echo podman; else echo docker; fi; }

host_exists() { [[ -n $1 && $(host_list) =~ (^|$'\n')"$1"($|$'\n') ]]; }

# Inside a host, as root: host_run HOST COMMAND…
host_run() {
    local init
    host_exists "$1" || die 2 "no host $1; there are $(host_list | tr '\n' ' ')"
    init=$(proc_pid "$1.init") || die 1 "host $1 is off"
    shift
    nsenter --target "$init" --mount --uts --net --pid -- "$@"
}

# A second TLS port on app-02 that shows a certificate of the right CA for another name.
wrong_name_start() {
    proc_start_in app-02 app-02.wrong-name openssl s_server -accept 2377 -www -quiet \
        -cert "$LAB/tls/wrong-name.pem" -key "$LAB/tls/wrong-name-key.pem"
}

host_init_start() { # HOST
    local parent
    rm -f "$LAB/$1/ready"
    proc_start "$1.unshare" nsenter --net="/run/netns/$(net_ns "$1")" \
        unshare --mount --uts --pid --fork --kill-child --mount-proc bash "$HERE/host-init.sh" "$LAB" "$1" \
        "$([[ $1 != new-* ]] || cat "$LAB/state/modern")"
    until_true 20 "the namespaces of $1" test -e "$LAB/$1/ready"
    parent=$(proc_pid "$1.unshare")
    proc_record "$1.init" "$(first_child "$parent")"
}

containerd_start() { # HOST
    proc_start_in "$1" "$1.containerd" containerd --config "$LAB/$1/containerd.toml" --log-level warn
}

engine_start() { # HOST
    local dir=$LAB/$1 args
    args=(--data-root "$dir/docker" --exec-root /run/docker --pidfile /run/docker.pid
        --containerd /run/containerd/containerd.sock
        -H unix:///run/docker.sock -H "unix://$dir/docker.sock"
        --insecure-registry "$(net_prefix).0/24" --cgroup-parent "/qdl$(lab_id)/$1"
        --exec-opt native.cgroupdriver=cgroupfs --shutdown-timeout 5 --log-level warn)
    case $1 in
        # Said in so many words, plain TCP costs no 15 s of warning.
        app-01) args+=(-H tcp://0.0.0.0:2375 --tls=false) ;;
        app-02) args+=(-H tcp://0.0.0.0:2376 --tlsverify --tlscacert "$LAB/tls/ca.pem"
            --tlscert "$LAB/tls/server.pem" --tlskey "$LAB/tls/server-key.pem") ;;
    esac
    # A killed dockerd leaves its pid file, and another process may have that pid by now.
    host_run "$1" rm -f /run/docker.pid
    proc_start_in "$1" "$1.dockerd" dockerd "${args[@]}"
    until_up 60 "$1.dockerd" engine_answers "$1"
}

# Podman answers on Docker's API without a daemon of its own; it is recorded under the engine's name all the same.
podman_start() { # HOST
    local dir=$LAB/$1
    cat >"$dir/registries.conf" <<TOML
[[registry]]
location = "$(registry_address)"
insecure = true
TOML
    proc_start_in "$1" "$1.dockerd" env CONTAINERS_REGISTRIES_CONF="$dir/registries.conf" \
        podman --root "$dir/storage" --runroot /run/containers --tmpdir /run/libpod --cgroup-manager cgroupfs --events-backend file \
        system service --time 0 "unix://$dir/docker.sock"
    until_up 60 "$1.dockerd" engine_answers "$1"
    host_run "$1" sh -c "chgrp docker $dir/docker.sock && chmod 0660 $dir/docker.sock && ln -sf $dir/docker.sock /run/docker.sock"
}

engine() { # HOST CURL-ARGS… PATH
    local host=$1
    shift
    curl -sS --fail-with-body --noproxy '*' --max-time 60 --unix-socket "$LAB/$host/docker.sock" "${@:1:$#-1}" "http://engine${!#}"
}
engine_answers() { curl -fsS --max-time 5 --unix-socket "$LAB/$1/docker.sock" http://engine/_ping; }

# The host's sshd keeps every default that a test may trip over (MaxStartups, MaxSessions); port 2222 refuses socket forwarding.
sshd_start() { # HOST
    sshd_config "$1" "$(host_address "$1")" 22 >"$LAB/$1/sshd_config"
    sshd_config "$1" "$(host_address "$1")" 2222 >"$LAB/$1/sshd_config-noforward"
    printf 'AllowStreamLocalForwarding no\n' >>"$LAB/$1/sshd_config-noforward"
    proc_start_in "$1" "$1.sshd" /usr/sbin/sshd -D -e -f "$LAB/$1/sshd_config"
    proc_start_in "$1" "$1.sshd-noforward" /usr/sbin/sshd -D -e -f "$LAB/$1/sshd_config-noforward"
    until_up 10 "$1.sshd" tcp_open "$(host_address "$1")" 22
    until_up 10 "$1.sshd-noforward" tcp_open "$(host_address "$1")" 2222
}

tcp_open() { timeout 1 bash -c ": </dev/tcp/$1/$2"; }

sshd_config() { # NAME ADDRESS PORT
    cat <<CONF
ListenAddress $2:$3
HostKey $LAB/ssh/host-$1
AuthorizedKeysFile /run/lab/authorized_keys
StrictModes no
PidFile none
Subsystem sftp internal-sftp
CONF
}

# Extra SSH servers, each with its own address and key, in front of the app hosts' engines in turn.
sshds_start() { # COUNT
    local i hosts
    mapfile -t hosts < <(host_list | grep '^app-')
    : >"$LAB/state/sshds"
    for ((i = 1; i <= $1; i++)); do
        printf 'edge-%03d %s %s.%d\n' "$i" "${hosts[$(((i - 1) % ${#hosts[@]}))]}" "$(net_prefix)" $((100 + i))
    done >"$LAB/state/sshds"
    in_parallel edge_start "$(cut -d' ' -f1 "$LAB/state/sshds")"
}

edge_start() { # NAME
    local host address
    read -r _ host address < <(grep "^$1 " "$LAB/state/sshds")
    [[ -e $LAB/ssh/host-$1 ]] || host_key "$1" "$address" 22
    ip -n "$(net_ns "$host")" addr replace "$address/24" dev eth0
    sshd_config "$1" "$address" 22 >"$LAB/ssh/sshd_config-$1"
    proc_start_in "$host" "$1.sshd" /usr/sbin/sshd -D -e -f "$LAB/ssh/sshd_config-$1"
    until_up 30 "$1.sshd" tcp_open "$address" 22
}

# Under the first version of control groups a paused process does not even die of SIGKILL until it is thawed.
cgroups_thaw() { # [HOST]
    local state
    [[ -s $LAB/state/id ]] || return 0
    while read -r state; do
        echo THAWED >"$state" 2>/dev/null || true
    done < <(find "/sys/fs/cgroup/freezer/qdl$(lab_id)${1:+/$1}" -name freezer.state 2>/dev/null)
}

# A host that was cut leaves its empty control groups behind.
cgroups_remove() {
    local top
    [[ -s $LAB/state/id ]] || return 0
    for top in /sys/fs/cgroup/"qdl$(lab_id)" /sys/fs/cgroup/*/"qdl$(lab_id)"; do
        [[ -d $top ]] || continue
        until_true 15 "empty control groups in $top" cgroup_remove "$top"
    done
    podman_cgroups_remove
}

# Podman puts its containers below one common group of its own; only those of this lab are removed, by id.
podman_cgroups_remove() {
    local id group list
    for list in "$LAB"/pod-*/storage/overlay-containers/containers.json "$LAB"/pod-*/storage/vfs-containers/containers.json; do
        [[ -s $list ]] || continue
        for id in $(jq -r '.[].id' "$list"); do
            for group in /sys/fs/cgroup/libpod_parent/libpod-"$id"* /sys/fs/cgroup/*/libpod_parent/libpod-"$id"*; do
                [[ ! -d $group ]] || cgroup_remove "$group" || true
            done
        done
        rmdir /sys/fs/cgroup/libpod_parent /sys/fs/cgroup/*/libpod_parent 2>/dev/null || true
    done
}
cgroup_remove() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [[ ! -d $1 ]]; }
