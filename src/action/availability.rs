//! Whether an action can run here and now, and if not, the reason that a greyed entry shows.

use std::fmt;

use super::{
    catalogue::{Action, Need, Row},
    context::{Context, Selected},
};

/// Whether an action can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It can.
    Allowed,
    /// It cannot, because of this.
    Denied(Denial),
}

impl Availability {
    /// The reason, when denied.
    pub const fn denial(self) -> Option<Denial> {
        match self {
            Self::Allowed => None,
            Self::Denied(denial) => Some(denial),
        }
    }
}

/// Why an action cannot run; shown beside the greyed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The console only looks.
    ReadOnly,
    /// It belongs to a panel that is not in front.
    OtherPanel(Context),
    /// The cursor is not on what it needs.
    Selection {
        /// What it could be about.
        needs: &'static [Selected],
        /// What the cursor is on.
        has: Selected,
    },
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("this console is read-only"),
            Self::OtherPanel(panel) => write!(f, "only in {panel}"),
            Self::Selection { needs, has } => {
                f.write_str("needs ")?;
                let named: Vec<&str> = needs.iter().filter(|kind| **kind != Selected::Entry).map(|kind| kind.word()).collect();
                match named.as_slice() {
                    [] => f.write_str("an entry")?,
                    [only] => f.write_str(only)?,
                    [first @ .., last] => write!(f, "{} or {last}", first.join(", "))?,
                }
                match has {
                    Selected::Nothing => f.write_str("; nothing is selected"),
                    other => write!(f, ", not {}", other.word()),
                }
            }
        }
    }
}

/// Whether `action` can run in the panel in front, with the console's rights and the cursor on `selected`.
///
/// `read_only` is the console's right to view and nothing else. The rights are checked again where bytes leave; this
/// only keeps the screen honest.
pub fn availability(action: Action, read_only: bool, panel: Context, selected: Selected) -> Availability {
    judge(action.row(), read_only, panel, selected)
}

fn judge(row: &Row, read_only: bool, panel: Context, selected: Selected) -> Availability {
    let denial = if read_only && row.need == Need::Act {
        Denial::ReadOnly
    } else if row.context != Context::Global && row.context != panel {
        Denial::OtherPanel(row.context)
    } else if !row.on.is_empty() && !row.on.contains(&selected) {
        Denial::Selection { needs: row.on, has: selected }
    } else {
        return Availability::Allowed;
    };
    Availability::Denied(denial)
}

#[cfg(test)]
mod tests {
    use super::{super::catalogue::Confirm, *};

    fn reason(action: Action, panel: Context, selected: Selected) -> Option<String> {
        availability(action, false, panel, selected).denial().map(|denial| denial.to_string())
    }

    #[test]
    fn looking_is_allowed_where_it_means_something() {
        use Context::{Containers, Hosts, Versions};
        assert_eq!(reason(Action::AppQuit, Hosts, Selected::Nothing), None);
        assert_eq!(reason(Action::ContainersSort, Containers, Selected::Nothing), None);
        assert_eq!(reason(Action::ContainersSort, Hosts, Selected::Host).as_deref(), Some("only in containers"));
        assert_eq!(reason(Action::SelectionCopyId, Containers, Selected::Container), None);
        assert_eq!(
            reason(Action::SelectionCopyId, Containers, Selected::Nothing).as_deref(),
            Some("needs a container or an event; nothing is selected")
        );
        assert_eq!(reason(Action::LinkRetry, Versions, Selected::Service).as_deref(), Some("needs a container or a host, not a service"));
    }

    #[test]
    fn an_act_is_denied_to_who_may_only_look() {
        let stop = Row {
            action: Action::AppQuit,
            id: "containers.stop",
            context: Context::Global,
            confirm: Confirm::Ask,
            need: Need::Act,
            repeatable: false,
            on: &[Selected::Container],
            doc: "Stop it.",
        };
        assert_eq!(judge(&stop, false, Context::Versions, Selected::Container), Availability::Allowed);
        let denied = judge(&stop, true, Context::Versions, Selected::Container);
        assert_eq!(denied, Availability::Denied(Denial::ReadOnly));
        assert_eq!(Denial::ReadOnly.to_string(), "this console is read-only");
    }
}
