//! Whether anyone would continue us after a stop.
//!
//! The kernel ignores terminal stops for an orphaned process group (POSIX, "orphaned process group"), but a program
//! that stops itself is stopped all the same: started by `ssh -t host quarterdeck`, it would hang for ever.

use rustix::process::{Pid, getpgid, getpid, getppid, getsid};

/// How many ancestors in our own group are looked through (wrappers such as `sudo` or `env`).
const DEPTH: usize = 16;

/// True when no ancestor outside our process group, but inside our session, watches over us. Errors read as
/// "orphaned": not stopping is the harmless side.
pub(super) fn is_orphaned() -> bool {
    let (Ok(group), Ok(session)) = (getpgid(None), getsid(None)) else { return true };
    if session == getpid() {
        return true;
    }
    let mut parent = getppid();
    for _ in 0..DEPTH {
        let Some(pid) = parent else { return true };
        let (Ok(its_group), Ok(its_session)) = (getpgid(Some(pid)), getsid(Some(pid))) else { return true };
        if its_session != session {
            return true;
        }
        if its_group != group {
            return false;
        }
        parent = parent_of(pid);
    }
    true
}

/// The fourth field of `/proc/PID/stat`; the second, the name, is in parentheses and may hold anything.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}
