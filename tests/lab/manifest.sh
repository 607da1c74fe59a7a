# shellcheck shell=bash
# lab.json: all that a test needs to find its way.

manifest_write() {
    local name
    {
        for name in $(host_list); do manifest_host "$name"; done
        [[ ! -e $LAB/state/sshds ]] || while read -r name host address; do manifest_sshd "$name" "$host" "$address"; done <"$LAB/state/sshds"
    } | jq -s --arg id "$(lab_id)" --arg bridge "$(net_bridge)" --arg subnet "$(net_prefix).0/24" --arg registry "$(registry_address)" \
        --arg docker "$(command -v docker)" --arg dir "$LAB" --arg registry_pid "$(proc_pid registry || true)" '{
            id: $id, dir: $dir, bridge: $bridge, subnet: $subnet, docker: $docker,
            registry: { address: $registry, pid: (if $registry_pid == "" then null else ($registry_pid | tonumber) end) },
            ssh: { key: "\($dir)/ssh/id_ed25519", stranger_key: "\($dir)/ssh/stranger", locked_key: "\($dir)/ssh/locked", passphrase: "lab",
                known_hosts: "\($dir)/ssh/known_hosts", config: "\($dir)/ssh/config" },
            hosts: map(select(.engine)), sshds: map(select(.engine | not)) }' >"$LAB/lab.json.tmp"
    mv "$LAB/lab.json.tmp" "$LAB/lab.json"
}

manifest_host() { # HOST
    jq -n --arg name "$1" --arg kind "$(host_kind "$1")" --arg dir "$LAB" --arg address "$(host_address "$1")" --arg netns "$(net_ns "$1")" \
        --arg init "$(proc_pid "$1.init" || true)" --arg dockerd "$(proc_pid "$1.dockerd" || true)" \
        --arg containerd "$(proc_pid "$1.containerd" || true)" --arg sshd "$(proc_pid "$1.sshd" || true)" '
        def pid: if . == "" then null else tonumber end;
        def tls($set): { url: "tcp://\($address):2376", ca: "\($dir)/tls/ca.pem", cert: "\($dir)/tls/\($set).pem", key: "\($dir)/tls/\($set)-key.pem" };
        def ssh($user; $port): { url: ("ssh://\($user)@\($address)" + (if $port == 22 then "" else ":\($port)" end)), user: $user, port: $port,
            key: "\($dir)/ssh/id_ed25519", known_hosts: "\($dir)/ssh/known_hosts" };
        { name: $name, engine: $kind, address: $address, netns: $netns,
          unix: "\($dir)/\($name)/docker.sock",
          tcp: (if $name == "app-01" then "tcp://\($address):2375" else null end),
          tls: (if $name == "app-02" then tls("client") else null end),
          tls_stranger: (if $name == "app-02" then tls("stranger-client") else null end),
          tls_wrong_name: (if $name == "app-02" then tls("client") + { url: "tcp://\($address):2377" } else null end),
          ssh: ssh("ops"; 22), ssh_noforward: ssh("ops"; 2222), ssh_forbidden: ssh("guest"; 22),
          pids: { init: ($init | pid), containerd: ($containerd | pid), dockerd: ($dockerd | pid), sshd: ($sshd | pid) } }
        | .url = (.tcp // .tls.url // .ssh.url)'
}

manifest_sshd() { # NAME HOST ADDRESS
    jq -n --arg name "$1" --arg host "$2" --arg address "$3" --arg pid "$(proc_pid "$1.sshd" || true)" \
        '{ name: $name, host: $host, address: $address, url: "ssh://ops@\($address)", pid: (if $pid == "" then null else ($pid | tonumber) end) }'
}
