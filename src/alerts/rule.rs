//! The rules, worst first.

use serde::{Serialize, Serializer};

use crate::fleet::{LinkState, Severity, Trouble};

/// Declares the rules: variant, severity, key in JSON, word on screens, doc.
macro_rules! rules {
    ($($variant:ident $severity:ident $key:literal $word:literal $doc:literal;)+) => {
        /// What can be wrong, the worst first: the order of the triage list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $doc] $variant,)+
        }

        impl Rule {
            /// Every rule, worst first.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant,)+];

            /// Its word in JSON and performance data.
            pub const fn key(self) -> &'static str {
                match self { $(Rule::$variant => $key,)+ }
            }

            /// Its word on screens.
            pub const fn word(self) -> &'static str {
                match self { $(Rule::$variant => $word,)+ }
            }

            /// How loud it is.
            pub const fn severity(self) -> Severity {
                match self { $(Rule::$variant => Severity::$severity,)+ }
            }
        }
    };
}

rules! {
    HostLost     Bad       "host-lost"         "host lost"         "The link to a host is lost; it is tried again by itself.";
    HostRefused  Bad       "host-refused"      "host refuses us"   "A host does not let us in; a person must act.";
    CrashLooping Bad       "crash-looping"     "crash-looping"     "It starts and ends again and again.";
    OutOfMemory  Bad       "oom"               "out of memory"     "The kernel ended a process of it for lack of memory.";
    Unhealthy    Bad       "unhealthy"         "unhealthy"         "Its HEALTHCHECK fails.";
    Exited       Bad       "exited"            "exited"            "It ended by itself with an error and stays down.";
    NearMemory   Attention "near-memory-limit" "near its memory limit" "It uses almost all the memory it may.";
    Drift        Attention "drift"             "drift"             "A service that should be one thing is several.";
    HostStale    Attention "host-stale"        "host silent"       "A host does not answer at the moment.";
}

impl Rule {
    /// The rule that a container's own trouble falls under; none for what is no trouble, and for what is its host's.
    pub const fn of_trouble(trouble: Trouble) -> Option<Self> {
        match trouble {
            Trouble::CrashLooping => Some(Self::CrashLooping),
            Trouble::Oom => Some(Self::OutOfMemory),
            Trouble::Unhealthy => Some(Self::Unhealthy),
            Trouble::Exited => Some(Self::Exited),
            // A start under way is the normal course of a deployment.
            Trouble::None | Trouble::Starting | Trouble::Stale | Trouble::HostLost => None,
        }
    }

    /// The rule that a link's state falls under; a first attempt under way is no trouble yet.
    pub const fn of_link(link: &LinkState) -> Option<Self> {
        match link {
            LinkState::Connecting | LinkState::Live { .. } => None,
            LinkState::Stale { .. } => Some(Self::HostStale),
            LinkState::Retrying { .. } => Some(Self::HostLost),
            LinkState::Refused { .. } => Some(Self::HostRefused),
        }
    }

    /// Whether it is about a host.
    pub const fn is_of_host(self) -> bool {
        match self {
            Self::HostLost | Self::HostRefused | Self::HostStale => true,
            Self::CrashLooping | Self::OutOfMemory | Self::Unhealthy | Self::Exited | Self::NearMemory | Self::Drift => false,
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}
