//! The checks in their order, the check a failure belongs to, and what a person can do about it. Pure.

use serde::Serialize;

use crate::{
    config::{DEFAULT_SOCKET, Endpoint},
    fleet::LinkCause,
};

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Who named the host, and whether that can be used.
    Configuration,
    /// Its name has an address.
    Name,
    /// Something accepts connections there.
    Tcp,
    /// TLS: the engine's certificate, its name and dates, and ours.
    Tls,
    /// An SSH server answers.
    Ssh,
    /// Its host key is the known one.
    HostKey,
    /// It lets us in.
    Login,
    /// It forwards to Unix sockets.
    Forwarding,
    /// The engine's socket is there and ours to use.
    Socket,
    /// A Docker engine answers.
    Engine,
    /// Both sides speak one version of the API.
    Api,
    /// Its clock agrees with ours.
    Clock,
    /// How it stores images.
    Store,
    /// What we may do.
    Rights,
}

/// How far an attempt came when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// While the link was made.
    Connect,
    /// While a stream over it was opened.
    Open,
    /// The first question to the engine.
    Ask,
}

impl Check {
    /// Its word in tables; the JSON has the same.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::HostKey => "host-key",
            Self::Login => "login",
            Self::Forwarding => "forwarding",
            Self::Socket => "socket",
            Self::Engine => "engine",
            Self::Api => "api",
            Self::Clock => "clock",
            Self::Store => "store",
            Self::Rights => "rights",
        }
    }

    /// The checks that lead to an engine, in order, [`Check::Engine`] last.
    pub fn way_to(endpoint: &Endpoint) -> &'static [Self] {
        match endpoint {
            Endpoint::Unix { .. } => &[Self::Configuration, Self::Socket, Self::Engine],
            Endpoint::Tcp { .. } => &[Self::Configuration, Self::Name, Self::Tcp, Self::Engine],
            Endpoint::Tls { .. } => &[Self::Configuration, Self::Name, Self::Tcp, Self::Tls, Self::Engine],
            Endpoint::Ssh { .. } => {
                &[Self::Configuration, Self::Tcp, Self::Ssh, Self::HostKey, Self::Login, Self::Forwarding, Self::Socket, Self::Engine]
            }
        }
    }

    /// The check that a failure belongs to: all before it in [`Check::way_to`] held.
    pub fn blamed(endpoint: &Endpoint, stage: Stage, cause: LinkCause) -> Self {
        use LinkCause as Cause;
        match (endpoint, cause) {
            (_, Cause::Configuration) => Self::Configuration,
            (Endpoint::Unix { .. }, Cause::Unreachable | Cause::Permission | Cause::NoEngine) if stage != Stage::Ask => Self::Socket,
            (Endpoint::Unix { .. }, _) => Self::Engine,
            (Endpoint::Tcp { .. } | Endpoint::Tls { .. }, Cause::Unreachable | Cause::NoEngine) if stage != Stage::Ask => Self::Tcp,
            (Endpoint::Tls { .. }, Cause::Tls) => Self::Tls,
            (Endpoint::Tls { .. }, Cause::NoAnswer | Cause::Closed) if stage != Stage::Ask => Self::Tls,
            (Endpoint::Tcp { .. } | Endpoint::Tls { .. }, _) => Self::Engine,
            (Endpoint::Ssh { .. }, Cause::Unreachable) => Self::Tcp,
            (Endpoint::Ssh { .. }, Cause::HostKey) => Self::HostKey,
            (Endpoint::Ssh { .. }, Cause::Authentication) => Self::Login,
            (Endpoint::Ssh { .. }, Cause::Forwarding) => Self::Forwarding,
            (Endpoint::Ssh { .. }, Cause::Permission | Cause::NoEngine) if stage != Stage::Ask => Self::Socket,
            (Endpoint::Ssh { .. }, _) => match stage {
                Stage::Connect => Self::Ssh,
                Stage::Open => Self::Forwarding,
                Stage::Ask => Self::Engine,
            },
        }
    }
}

/// What a person can do about a failure.
pub fn remedy(endpoint: &Endpoint, check: Check, cause: LinkCause) -> String {
    let machine = endpoint.machine().unwrap_or("this machine");
    match check {
        Check::Configuration => "mend the place named above; the README describes each key".to_owned(),
        Check::Name => format!("see what \"getent hosts {machine}\" says; mend the URL, /etc/hosts or the resolver"),
        Check::Tcp => match cause {
            LinkCause::NoEngine => {
                format!("start dockerd with -H tcp:// on {machine} (or mend the port), or reach it by ssh://, which opens no port")
            }
            LinkCause::Unreachable
            | LinkCause::NoAnswer
            | LinkCause::Closed
            | LinkCause::Permission
            | LinkCause::HostKey
            | LinkCause::Authentication
            | LinkCause::Tls
            | LinkCause::Forwarding
            | LinkCause::Protocol
            | LinkCause::Configuration => {
                format!("check that {machine} is up and that route and firewall let this port through")
            }
        },
        Check::Tls => "compare ca, cert, key and the name in the URL with \"openssl x509 -noout -text -in FILE\": one authority must have \
                       signed both sides, and the certificate must carry the name"
            .to_owned(),
        Check::Ssh => {
            format!("see what \"ssh -v {machine}\" says; sshd may be overloaded (MaxStartups) or something else listens on this port")
        }
        Check::HostKey => format!(
            "ask who keeps {machine} for its fingerprint; if it is right, \"ssh-keygen -R {machine}\" drops a changed key and \
             \"ssh {machine}\" learns the new one"
        ),
        Check::Login => format!(
            "see what \"ssh -v {machine}\" offers: load the key (ssh-add), name it in ~/.ssh/config, and check that the account exists there; \
             for certificates, hardware keys and ProxyCommand set ssh = \"openssh\""
        ),
        Check::Forwarding => format!(
            "on {machine}, sshd_config must allow Unix sockets: AllowStreamLocalForwarding yes (and no DisableForwarding), then reload sshd"
        ),
        Check::Socket => match (endpoint, cause) {
            (Endpoint::Ssh { .. }, LinkCause::Permission) => {
                format!("on {machine}: sudo usermod -aG docker USER, with the account that logs in; it holds from the next login")
            }
            (_, LinkCause::Permission) => "sudo usermod -aG docker \"$USER\" and log in again, or open the socket to your group".to_owned(),
            (Endpoint::Ssh { socket, .. }, _) => {
                let socket = socket.as_deref().unwrap_or(DEFAULT_SOCKET);
                format!("on {machine}: is the engine running (systemctl status docker), and is its socket {socket}?")
            }
            (Endpoint::Unix { .. } | Endpoint::Tcp { .. } | Endpoint::Tls { .. }, _) => {
                "is the engine running (systemctl status docker), and is this its socket? Another one goes into the host's url".to_owned()
            }
        },
        Check::Engine => match cause {
            LinkCause::Tls => {
                "ca is the authority that signed the engine's certificate; cert and key are ours, signed by the same".to_owned()
            }
            LinkCause::NoAnswer => format!("the engine on {machine} hangs: see journalctl -u docker there"),
            LinkCause::Permission => {
                "something between us and the engine refuses the request: an authorization plugin or a proxy".to_owned()
            }
            LinkCause::Protocol | LinkCause::NoEngine => "what answers there is no Docker engine: check the port or the socket".to_owned(),
            LinkCause::Closed => format!(
                "the engine on {machine} is stopping (journalctl -u docker there), or what answers is no Docker engine: check the port"
            ),
            LinkCause::Unreachable | LinkCause::HostKey | LinkCause::Authentication | LinkCause::Forwarding | LinkCause::Configuration => {
                format!("see journalctl -u docker on {machine}")
            }
        },
        Check::Api => "upgrade the engine".to_owned(),
        Check::Clock => format!("set the clock of {machine} (chrony, systemd-timesyncd): ages and --since go by it"),
        Check::Store => String::new(),
        Check::Rights => "the engine refuses to list containers: an authorization plugin or a proxy decides this".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SshEngine, TlsFiles};

    fn endpoints() -> [Endpoint; 4] {
        let host = "app-01".to_owned();
        [
            Endpoint::Unix { path: "/run/docker.sock".into() },
            Endpoint::Tcp { host: host.clone(), port: 2375 },
            Endpoint::Tls { host: host.clone(), port: 2376, files: TlsFiles::default() },
            Endpoint::Ssh { user: None, host, port: None, socket: None, engine: SshEngine::Ssh2 },
        ]
    }

    const CAUSES: [LinkCause; 11] = [
        LinkCause::Unreachable,
        LinkCause::NoAnswer,
        LinkCause::Closed,
        LinkCause::Permission,
        LinkCause::HostKey,
        LinkCause::Authentication,
        LinkCause::Tls,
        LinkCause::Forwarding,
        LinkCause::NoEngine,
        LinkCause::Protocol,
        LinkCause::Configuration,
    ];

    #[test]
    fn every_failure_has_its_place_on_the_way_and_a_remedy() {
        for endpoint in endpoints() {
            for stage in [Stage::Connect, Stage::Open, Stage::Ask] {
                for cause in CAUSES {
                    let check = Check::blamed(&endpoint, stage, cause);
                    assert!(Check::way_to(&endpoint).contains(&check), "{endpoint} {stage:?} {cause:?}: {check:?}");
                    assert!(!remedy(&endpoint, check, cause).is_empty(), "{endpoint} {check:?} {cause:?}");
                }
            }
        }
    }

    #[test]
    fn the_common_failures() {
        let [unix, tcp, tls, ssh] = endpoints();
        for (endpoint, stage, cause, check, hint) in [
            (&unix, Stage::Open, LinkCause::Permission, Check::Socket, "usermod -aG docker"),
            (&unix, Stage::Open, LinkCause::NoEngine, Check::Socket, "systemctl status docker"),
            (&tcp, Stage::Open, LinkCause::NoEngine, Check::Tcp, "ssh://"),
            (&tcp, Stage::Ask, LinkCause::Tls, Check::Engine, "signed the engine's certificate"),
            (&tls, Stage::Open, LinkCause::Tls, Check::Tls, "openssl x509"),
            (&tls, Stage::Ask, LinkCause::Tls, Check::Tls, "openssl x509"),
            (&ssh, Stage::Connect, LinkCause::HostKey, Check::HostKey, "ssh-keygen -R app-01"),
            (&ssh, Stage::Connect, LinkCause::Authentication, Check::Login, "ssh-add"),
            (&ssh, Stage::Open, LinkCause::Forwarding, Check::Forwarding, "AllowStreamLocalForwarding"),
            (&ssh, Stage::Open, LinkCause::Permission, Check::Socket, "on app-01: sudo usermod"),
            (&ssh, Stage::Open, LinkCause::NoEngine, Check::Socket, "/var/run/docker.sock"),
        ] {
            assert_eq!(Check::blamed(endpoint, stage, cause), check, "{endpoint} {cause:?}");
            let text = remedy(endpoint, check, cause);
            assert!(text.contains(hint), "{endpoint} {cause:?}: {text}");
        }
    }
}
