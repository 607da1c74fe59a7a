//! One conversation with HAProxy: a connection, a line of commands, their answers, the end.
//!
//! A connection for each line has no state that could be lost, and costs a stream over a link that is there already. `prompt` mode is not
//! used: after `;` the prompt comes for each command, and whoever waits for one prompt reads the wrong answer from then on.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::{
    rights::Leaving,
    traffic::{Trouble, Way},
};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Ten thousand servers.
const LIMIT: u64 = 16 << 20;

/// Where the runtime API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Socket(String),
    Tcp(String, u16),
}

/// The way to HAProxy and its door.
pub(super) struct Talk {
    way: Way,
    door: Door,
}

impl Talk {
    pub(super) fn new(way: Way, door: Door) -> Self {
        Self { way, door }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Sends commands on one line and reads all that is answered. Each is asked of the rights by itself.
    pub(super) async fn ask(&self, commands: &[&str]) -> Result<String, Trouble> {
        for command in commands {
            self.way.may(Leaving::Balancer(command))?;
        }
        let line = format!("{}\n", commands.join(";"));
        let mut stream = match &self.door {
            Door::Socket(path) => self.way.socket(path).await?,
            Door::Tcp(host, port) => self.way.dial(host, *port).await?,
        };
        let asked = line.trim_end();
        let lost = |error: std::io::Error| Trouble::Away(format!("HAProxy did not answer {asked:?}: {error}"));
        let talk = async {
            stream.write_all(line.as_bytes()).await.map_err(lost)?;
            stream.flush().await.map_err(lost)?;
            let mut answer = Vec::new();
            stream.take(LIMIT + 1).read_to_end(&mut answer).await.map_err(lost)?;
            Ok::<_, Trouble>(answer)
        };
        let answer = match timeout(ANSWER, talk).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Trouble::Away(format!("HAProxy did not answer {asked:?} within {} s", ANSWER.as_secs()))),
        };
        match answer.len() as u64 {
            // Even a command without words answers with an end of line; this was the end of the process.
            0 => Err(Trouble::Away(format!("HAProxy closed the connection without an answer to {asked:?}"))),
            // Every answer ends with an end of line: this one was cut off.
            1..=LIMIT if !answer.ends_with(b"\n") => Err(Trouble::Away(format!("HAProxy broke off its answer to {asked:?}"))),
            1..=LIMIT => Ok(String::from_utf8_lossy(&answer).into_owned()),
            _ => Err(Trouble::Nonsense { asked: asked.to_owned(), why: format!("it is longer than {} MB", LIMIT >> 20) }),
        }
    }
}
