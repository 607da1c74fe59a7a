//! Keys of a Compose service that have no counterpart, and what to do instead.

/// What to say of a key; `None`: nothing is lost with it.
pub(super) fn remedy(key: &str) -> Option<&'static str> {
    Some(match key {
        "expose" | "attach" | "annotations" => return None,
        key if key.starts_with("x-") => return None,
        "container_name" | "hostname" | "domainname" => "names are made: <app>-<environment>-<service>-<n>-<deployment>",
        "entrypoint" => "the image's own stays: put it into the Dockerfile, or its program into command",
        "env_file" => "files are not read at run time: say them under vars, what is secret under secrets",
        "networks" | "network_mode" | "links" | "external_links" | "mac_address" => {
            "an app has one network in each environment, on which its services find each other by name"
        }
        "labels" | "label_file" => "containers get the labels of the deployment; which balancer they have is said by traffic",
        "extends" => "what it extends is not read: import that file too, and put the two together",
        "profiles" => "it runs in every environment: leave it out of the template if it should not",
        "configs" => "put them into the image, or mount a directory of the hosts",
        "develop" | "pull_policy" | "platform" | "tty" | "stdin_open" | "credential_spec" | "provider" | "use_api_socket" => {
            "a matter of a developer's machine"
        }
        "extra_hosts" | "dns" | "dns_opt" | "dns_search" => "names are the hosts' matter",
        "privileged"
        | "cap_add"
        | "cap_drop"
        | "devices"
        | "device_cgroup_rules"
        | "security_opt"
        | "userns_mode"
        | "pid"
        | "ipc"
        | "uts"
        | "cgroup"
        | "cgroup_parent"
        | "runtime"
        | "isolation"
        | "gpus" => "containers run with the engine's usual rights",
        "user" | "working_dir" | "group_add" | "stop_signal" | "init" | "volumes_from" => "put it into the image",
        "tmpfs" | "shm_size" | "read_only" | "ulimits" | "sysctls" | "oom_kill_disable" | "oom_score_adj" | "memswap_limit"
        | "mem_swappiness" | "mem_reservation" | "pids_limit" | "blkio_config" | "cpu_shares" | "cpu_quota" | "cpu_period" | "cpuset"
        | "cpu_count" | "cpu_percent" | "cpu_rt_period" | "cpu_rt_runtime" | "storage_opt" => "containers have the limits memory and cpus",
        "post_start" | "pre_stop" => "there are jobs, before and after a deployment",
        "models" => "an address under vars stands for it",
        _ => "no key of Compose that is known here",
    })
}
