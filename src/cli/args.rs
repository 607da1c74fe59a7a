//! What the command line takes: flags and verbs, with their help. It parses; the verbs' own files act.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::TimeSpec;
use crate::{config::Flags, logs::Level};

/// One console over every Docker host: which version of which service runs where, live.
///
/// Without a verb the console opens.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "quarterdeck",
    version,
    max_term_width = 100,
    after_help = "Examples:
  quarterdeck                                   the console over the configured hosts
  quarterdeck --read-only -H ssh://ops@app-03   look at one host, change nothing
  quarterdeck --sim                             try it without any host
  quarterdeck ps env:production state:exited    what stopped in production
  quarterdeck versions app:shop --format json   which version runs where, for a script

A filter is a list of terms that must all hold:
  host:app-01 app:shop service:web env:staging,production !env:testing version:1.0*
  state:running health:unhealthy label:k=v name:/re/ and bare words, which match any column

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some hosts could not be reached"
)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// `None`: the console.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Flags that stand before or after any verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Read this configuration in place of your own; the machine's is read as well
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show this host in place of the configured ones; repeatable
    #[arg(short = 'H', long = "host", global = true, value_name = "[NAME=]URL")]
    pub hosts: Vec<String>,
    /// Change nothing, whatever is pressed
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Talk to simulated hosts: a built-in scenario or a file
    #[arg(long, global = true, value_name = "SCENARIO", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sim: Option<String>,
    /// Keep records here instead of $XDG_STATE_HOME/quarterdeck
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Write a log to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Log more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// The part that is a layer of the configuration.
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), hosts: self.hosts.clone(), read_only: self.read_only, state: self.state.clone() }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// The hosts, how their links stand and what their engines are
    Hosts(Output),
    /// Containers on all hosts
    #[command(
        after_help = "Examples:\n  quarterdeck ps\n  quarterdeck ps host:app-* health:unhealthy\n  quarterdeck ps service:web --format json"
    )]
    Ps {
        /// Terms that must all hold, such as app:shop env:production
        filter: Vec<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Which version of which service runs where
    #[command(after_help = "Examples:\n  quarterdeck versions\n  quarterdeck versions app:shop --by host")]
    Versions {
        /// Terms that must all hold, such as app:shop env:production
        filter: Vec<String>,
        /// What the columns are
        #[arg(long, value_enum, default_value_t = Columns::Environment)]
        by: Columns,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// What happened on the hosts: starts, deaths, health
    #[command(
        after_help = "Examples:\n  quarterdeck events --since 10m\n  quarterdeck events -f service:web\n\nT is 10m or 1h30m (so long ago), 14:02 (local) or 2026-11-21T14:02:00Z"
    )]
    Events {
        /// Go on as events happen
        #[arg(short, long)]
        follow: bool,
        /// Begin here; without it and without -f, an hour ago
        #[arg(long, value_name = "T")]
        since: Option<TimeSpec>,
        /// End here
        #[arg(long, value_name = "T")]
        until: Option<TimeSpec>,
        /// Terms that must all hold, such as host:app-01 service:web
        filter: Vec<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Lines of any number of containers in one order, or a search through them
    #[command(
        after_help = "Examples:\n  quarterdeck logs -f app:shop env:production\n  quarterdeck logs service:web --since 1h --grep 'order 81[0-9]+'\n  quarterdeck logs host:app-* --level error --since 10m --format json\n\nA search ends with the list of what could not be searched, and then with exit code 3.\nWith -f, what takes the place of a container is followed too; what happens to containers\nstands between the lines (in JSON as lines of the stream \"marker\").\nT is 10m or 1h30m (so long ago), 14:02 (local) or 2026-11-21T14:02:00Z"
    )]
    Logs {
        /// Terms that must all hold, such as app:shop service:web
        #[arg(required = true)]
        selector: Vec<String>,
        /// Go on as lines come
        #[arg(short, long)]
        follow: bool,
        /// Begin here
        #[arg(long, value_name = "T")]
        since: Option<TimeSpec>,
        /// End here
        #[arg(long, value_name = "T")]
        until: Option<TimeSpec>,
        /// The newest N lines of each container; with -f and no --since, 100
        #[arg(long, value_name = "N")]
        tail: Option<u64>,
        /// Only lines that match this regular expression; repeatable, all must
        #[arg(long, value_name = "RE")]
        grep: Vec<String>,
        /// No lines that match this regular expression; repeatable
        #[arg(long, value_name = "RE")]
        exclude: Vec<String>,
        /// Only lines at least so severe: trace, debug, info, warn, error, fatal; a line that does not say counts as info
        #[arg(long, value_name = "L", value_parser = level)]
        level: Option<Level>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// What containers, services, apps, environments or hosts use now
    #[command(
        after_help = "Examples:\n  quarterdeck stats app:shop env:production --once\n  quarterdeck stats --by service\n  quarterdeck stats --by host --once --format json\n\nRates (net, io) are bytes a second. Memory is what docker stats counts: without unused page cache.\nA sum holds what runs; its limits are there when each part has one. In JSON, cpu is in cores.\nHow often is measured is a matter of what it costs the engines: at most 2 % of one core each."
    )]
    Stats {
        /// Terms that must all hold, such as app:shop service:web; without them, everything
        selector: Vec<String>,
        /// What the rows are
        #[arg(long, value_enum, default_value_t = StatsBy::Container)]
        by: StatsBy,
        /// Measure once and end
        #[arg(long)]
        once: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// The processes of containers
    #[command(after_help = "Examples:\n  quarterdeck top name:shop-web-1\n  quarterdeck top service:worker env:production")]
    Top {
        /// Terms that must all hold, such as app:shop service:web
        #[arg(required = true)]
        selector: Vec<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Everything the engine says of one container, secrets masked
    #[command(after_help = "Examples:\n  quarterdeck inspect name:shop-web-1\n  quarterdeck inspect host:app-01 service:web")]
    Inspect {
        /// Terms that must match exactly one container
        #[arg(required = true)]
        selector: Vec<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Find out why a host cannot be reached, or which rule named what
    #[command(after_help = "Examples:\n  quarterdeck doctor\n  quarterdeck doctor app-03\n  quarterdeck doctor identity")]
    Doctor {
        /// A host's name, or `identity`; without it, every host
        subject: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// The themes, and where each comes from
    Themes(Output),
    /// The keys of the loaded keymap
    Keys(Output),
    /// Simulated hosts
    Sim {
        /// What to do with them.
        #[command(subcommand)]
        verb: SimVerb,
    },
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  quarterdeck completions bash > ~/.local/share/bash-completion/completions/quarterdeck")]
    Completions {
        /// Your shell
        shell: Shell,
    },
    /// Print the manual page, for man -l
    Man,
}

/// What to do with simulated hosts.
#[derive(Clone, Debug, Subcommand)]
pub enum SimVerb {
    /// Serve each host's Docker API on a socket of its own until interrupted
    #[command(after_help = "Example:\n  quarterdeck sim serve calm --dir /tmp/sim &\n  docker -H unix:///tmp/sim/app-01.sock ps")]
    Serve {
        /// A built-in scenario or a file
        scenario: String,
        /// Where the sockets are made
        #[arg(long)]
        dir: PathBuf,
        /// How many times faster than the clock
        #[arg(long, default_value_t = 1.0, value_parser = speed)]
        speed: f64,
        /// This many hosts, whatever the scenario says
        #[arg(id = "sim_hosts", long = "hosts", value_name = "N")]
        hosts: Option<u32>,
        /// This many containers on each host, whatever the scenario says
        #[arg(long, value_name = "N")]
        containers: Option<u32>,
        /// This many events a second over all hosts, whatever the scenario says
        #[arg(long, value_name = "N")]
        events_per_second: Option<u32>,
    },
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| format!("one of {}", Level::ALL.map(Level::word).join(", ")))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 && speed <= 10_000.0 => Ok(speed),
        _ => Err("a number above 0, at most 10000".to_owned()),
    }
}

/// How a verb prints.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// A table for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The shape of a verb's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One array; with `--follow` one object a line.
    Json,
}

/// The columns of the version matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Columns {
    /// testing, staging, production, …
    Environment,
    /// One a host.
    Host,
}

/// What the rows of `stats` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatsBy {
    /// One a container.
    Container,
    /// One a service.
    Service,
    /// One an app.
    App,
    /// One an environment.
    Environment,
    /// One a host: the sum of its containers.
    Host,
}

/// Shells that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Elvish.
    Elvish,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Z shell.
    Zsh,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("quarterdeck").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_reads_well() {
        let mut command = Cli::command().term_width(100);
        insta::assert_snapshot!("help", command.render_long_help().to_string());
    }

    #[test]
    fn verbs_and_flags() {
        for line in [
            "",
            "--sim",
            "--sim=calm ps",
            "-H a=ssh://a -H unix:///b --read-only",
            "hosts --format json",
            "ps app:shop !env:testing -v",
            "versions --by host",
            "events -f --since 10m --until 14:02 service:web",
            "logs -f service:web --tail 5 --grep a --grep b --exclude c --level WARN",
            "inspect name:web",
            "stats",
            "stats app:shop --by service --once --format json",
            "top name:web",
            "doctor",
            "doctor identity",
            "themes",
            "keys",
            "sim serve calm --dir /tmp/x --speed 60 --hosts 3",
            "completions zsh",
            "man",
            "ps --read-only -c /x",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err().map(|e| e.to_string()));
        }
        let bare = parse("--sim ps").map(|cli| (cli.global.sim, cli.verb.is_some()));
        assert!(matches!(bare, Ok((Some(name), true)) if name.is_empty()), "--sim takes its value only after =");
    }

    #[test]
    fn mistakes_end_with_2_and_a_suggestion() {
        for (line, hint) in [
            ("--read-onyl", "--read-only"),
            ("version", "versions"),
            ("events --since yesterday", "is no time"),
            ("versions --by hosts", "host"),
            ("inspect", "SELECTOR"),
            ("top", "SELECTOR"),
            ("stats --by hosts", "host"),
            ("logs", "SELECTOR"),
            ("logs x --level loud", "trace, debug, info"),
            ("sim serve x", "--dir"),
            ("sim serve x --dir y --speed 0", "above 0"),
        ] {
            let (code, text) = parse(line).map_or_else(|error| (error.exit_code(), error.to_string()), |_| (0, String::new()));
            assert!(code == 2 && text.contains(hint), "{line}: {code} {text}");
        }
    }
}
