//! Whether anyone would continue us after a stop.
//!
//! The kernel ignores terminal stops for an orphaned process group (POSIX, "orphaned process group"), but a program
//! that stops itself is stopped all the same: started by `ssh -t host quarterdeck`, it would hang for ever.

use crate::runtime::session::Kin;

/// How many ancestors in our own group are looked through (wrappers such as `sudo` or `env`).
const DEPTH: usize = 16;

/// True when no ancestor outside our process group, but inside our session, watches over us. Errors read as
/// "orphaned": not stopping is the harmless side.
pub(super) fn is_orphaned() -> bool {
    Kin::own().is_none_or(|own| own.leads_its_session() || !is_watched(own))
}

fn is_watched(own: Kin) -> bool {
    let mut next = own.parent;
    for _ in 0..DEPTH {
        let Some(kin) = Kin::of(next) else { return false };
        if kin.session != own.session {
            return false;
        }
        if kin.group != own.group {
            return true;
        }
        next = kin.parent;
    }
    false
}
