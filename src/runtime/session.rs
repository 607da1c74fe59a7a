//! Which session, group and parent a process has, as the kernel's table tells it.
//!
//! Read, not asked for by system call: for a process whose session was begun outside its own PID namespace (`nsenter`, some runners
//! of jobs) `getsid(2)` and `getpgid(2)` answer 0, which is no process's number, and no typed wrapper can hold it.

use std::fs;

/// A process's place among the others. A number is 0 where what it names is outside this PID namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// Its own number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
}

impl Kin {
    /// This process; `None` where there is no `/proc`.
    pub fn own() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Another one; `None` when it is gone, or not ours to see.
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it leads its session: nobody outside can have begun that.
    pub fn leads_its_session(self) -> bool {
        self.session == self.pid
    }

    /// One line of `/proc/PID/stat` (proc_pid_stat(5)). The second field, the name, is in parentheses and may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (head, tail) = stat.rsplit_once(')')?;
        let pid = head.split_once(' ')?.0.parse().ok()?;
        let mut numbers = tail.split_whitespace().skip(1).map_while(|field| field.parse().ok());
        Some(Self { pid, parent: numbers.next()?, group: numbers.next()?, session: numbers.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_whatever_the_name_is() {
        let kin = Kin { pid: 17, parent: 3, group: 16, session: 0 };
        assert_eq!(Kin::parse("17 (a) S 9) R 3 16 0 34816 17 4194304"), Some(kin));
        assert_eq!(Kin::parse("17 (sh) R 3 16"), None);
        assert_eq!(Kin::parse(""), None);
    }

    #[test]
    fn the_own_line_and_the_system_calls_agree() {
        let own = Kin::own().expect("a /proc");
        assert_eq!(own.pid, std::process::id());
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert_eq!(Kin::of(own.pid), Some(own));
    }
}
