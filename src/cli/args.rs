//! What the command line takes: flags and verbs, with their help. It parses; the verbs' own files act.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::TimeSpec;
use crate::{
    act::{check_name, parse_signal},
    config::Flags,
    ledger::audit::Head,
    logs::Level,
};

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

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some hosts could not be reached, 4 locked, 5 refused"
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

/// A list of what the engines keep beside their containers, on all hosts.
#[derive(Clone, Debug, Args)]
pub struct Shelf {
    /// Which hosts, such as host:app-* env:production
    pub filter: Vec<String>,
    /// Take those of this name away that nothing uses, in place of listing; * and ? stand for any text, and it may be repeated
    #[arg(long, value_name = "NAME")]
    pub remove: Vec<String>,
    /// With --remove: do not ask
    #[arg(short, long, requires = "remove")]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
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
    /// Images on all hosts: sizes, and which containers use them
    #[command(
        after_help = "Examples:\n  quarterdeck images\n  quarterdeck images host:app-01 --format json\n  quarterdeck images host:app-* --remove 'shop/web:1.0.0-*'"
    )]
    Images(Shelf),
    /// Volumes on all hosts: sizes, and which containers mount them
    Volumes(Shelf),
    /// Networks on all hosts, and which containers are attached
    Networks(Shelf),
    /// Take away what nobody named and nothing uses: images, volumes, networks
    #[command(after_help = PRUNE)]
    Prune {
        /// Which hosts, such as host:app-* env:testing
        filter: Vec<String>,
        /// Show what would go, with its bytes, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask: stands for the answer, typed names too
        #[arg(short, long)]
        yes: bool,
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
    /// What is bad now, as a Nagios plugin tells it
    #[command(
        after_help = "Examples:\n  quarterdeck check\n  quarterdeck check env:production --format json\n\nExit codes: 0 nothing is wrong, 1 something wants attention, 2 something is bad now,\n3 nothing that is seen is bad, but some hosts are not seen"
    )]
    Check {
        /// Terms that must all hold, such as app:shop env:production
        filter: Vec<String>,
        /// Sample memory too, for containers near their limit: about 2 ms of the engine's CPU for each container
        #[arg(long)]
        usage: bool,
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
    /// Write all that a colleague needs to take over to one file, secrets masked
    #[command(
        after_help = "Examples:\n  quarterdeck bundle\n  quarterdeck bundle --out /tmp/night.tar.gz app:shop env:production\n\nIt holds versions, triage, hosts, events, and the last lines and documents of what is troubled;\nits README says what could not be had."
    )]
    Bundle {
        /// The file; without it, quarterdeck-handoff-DATE-TIME.tar.gz here
        #[arg(long, value_name = "FILE.tar.gz")]
        out: Option<PathBuf>,
        /// Terms that must all hold, such as app:shop env:production
        selector: Vec<String>,
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
    /// Run a command in a container; without one, a shell
    #[command(
        after_help = "Examples:\n  quarterdeck exec host:app-01 service:web\n  quarterdeck exec name:shop-db-1 -- psql -U postgres\n  quarterdeck exec name:shop-db-1 -- pg_dump shop > shop.sql\n  quarterdeck exec name:shop-db-1 -- psql shop < shop.sql\n\nThe command gets a terminal where standard input and output are terminals.\nExit codes: the command's own; 125 when it could not be run, 2 when not exactly one container\nmatches. The audit records it before and after."
    )]
    Exec {
        /// Terms that must match exactly one container
        #[arg(required = true)]
        selector: Vec<String>,
        /// No terminal for the command, even if there is one here
        #[arg(short = 'T', long)]
        no_tty: bool,
        /// Nothing for it to read, as in a loop that reads standard input itself
        #[arg(short = 'n', long)]
        no_stdin: bool,
        /// The command and its arguments
        #[arg(last = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Copy a file or a directory out of a container
    #[command(
        after_help = "Examples:\n  quarterdeck cp name:shop-web-1:/etc/nginx/nginx.conf .\n  quarterdeck cp host:app-01 service:web:/var/log ./logs\n  quarterdeck cp name:shop-web-1:/srv - | tar -t\n\nThe container need not run. Nothing is written outside DEST: links are copied as links and never\nfollowed, and what is no file, directory or link is left out and told. - is a tar stream on standard\noutput. The audit records it before and after."
    )]
    Cp {
        /// Terms that must match exactly one container, with the path behind the last one; then where to
        #[arg(required = true, num_args = 2.., value_names = ["SELECTOR:PATH", "DEST"])]
        paths: Vec<String>,
    },
    /// Build an app's images from a commit, test them and push them
    #[command(
        after_help = "Examples:\n  quarterdeck build shop\n  quarterdeck build shop --rev v1.0.1\n  quarterdeck build ./quarterdeck.toml --no-push\n\nThe commit is checked out beside the work tree and built on the engine of [build] host; commands of the\nrepository run in containers there, never here. Without --rev a work tree is built with its changes,\nand the version says so. What did not change since an earlier build is not built again.\nWhat steps print is shown with --logs, and the last of it when one fails."
    )]
    Build {
        /// An app of the configuration, or the path of a quarterdeck.toml
        #[arg(value_name = "APP|FILE")]
        app: String,
        /// This branch, tag or commit; without it, the newest
        #[arg(long, value_name = "REV")]
        rev: Option<String>,
        /// Build and test only
        #[arg(long)]
        no_push: bool,
        /// Show what steps and tests print, too
        #[arg(long)]
        logs: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Who did what to which container, and what came of it
    #[command(
        after_help = "Examples:\n  quarterdeck audit --since 1h\n  quarterdeck audit --verify\n  quarterdeck audit --verify --head 44:9f86d081884c7d65\n\n--verify reads every row and finds those that were changed, removed, moved or inserted, and rows\ncut off the end: what we start carries the audit's head of that moment as a label, and the hosts\nare asked for it. It cannot find what somebody who may write the file and the hosts did with care.\nAgainst that, note the head that it prints, elsewhere, and give it back with --head: it must still\nbe in the audit.\n\nT is 10m or 1h30m (so long ago), 14:02 (local) or 2026-11-21T14:02:00Z"
    )]
    Audit {
        /// Begin here
        #[arg(long, value_name = "T", conflicts_with = "verify")]
        since: Option<TimeSpec>,
        /// Check the chain of hashes; exit code 1 when it does not hold
        #[arg(long)]
        verify: bool,
        /// A head that was noted elsewhere; repeatable
        #[arg(long = "head", value_name = "N:HASH", requires = "verify")]
        heads: Vec<Head>,
        /// Do not ask the hosts for the heads that stand on what was started
        #[arg(long, requires = "verify")]
        no_hosts: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// What of an app can be deployed or brought back, and where it was good
    #[command(after_help = "Examples:\n  quarterdeck releases shop\n  quarterdeck releases shop --format json")]
    Releases {
        /// The app
        app: String,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Which release was put where, when, by whom, and what came of it
    #[command(
        after_help = "Examples:\n  quarterdeck deployments shop production\n  quarterdeck deployments --since 1d --by ana\n  quarterdeck deployments --at 2026-11-21T14:02:00Z\n\nT is 10m or 1h30m (so long ago), 14:02 (local) or 2026-11-21T14:02:00Z"
    )]
    Deployments {
        /// Only of this app
        app: Option<String>,
        /// Only in this environment
        #[arg(value_name = "ENV")]
        environment: Option<String>,
        /// Only those that this person asked for
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Only those asked for since then
        #[arg(long, value_name = "T")]
        since: Option<TimeSpec>,
        /// What ran where at this moment, in place of the list
        #[arg(long, value_name = "T", conflicts_with_all = ["since", "by"])]
        at: Option<TimeSpec>,
        /// At most so many, the newest
        #[arg(long, value_name = "N", default_value_t = 200)]
        limit: u32,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// One deployment
    Deployment {
        /// What to do with it.
        #[command(subcommand)]
        verb: DeploymentVerb,
    },
    /// Say yes to a deployment that waits for it
    #[command(after_help = ANSWERING)]
    Approve {
        /// The deployment's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Say no to a deployment that waits for a yes
    #[command(after_help = ANSWERING)]
    Reject {
        /// The deployment's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Let nothing more be deployed into an environment
    #[command(after_help = "Example:\n  quarterdeck freeze shop production --reason \"the fair, until Monday\"")]
    Freeze {
        /// The app
        #[arg(value_parser = app)]
        app: String,
        /// The environment
        #[arg(value_name = "ENV", value_parser = environment)]
        environment: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// End a freeze
    #[command(after_help = "Example:\n  quarterdeck thaw shop production --reason \"the fair is over\"")]
    Thaw {
        /// The app
        #[arg(value_parser = app)]
        app: String,
        /// The environment
        #[arg(value_name = "ENV", value_parser = environment)]
        environment: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Make the state directory, where ledger and audit are kept
    #[command(
        after_help = "Examples:\n  quarterdeck init\n  sudo quarterdeck init --state /var/lib/quarterdeck --shared deploy\n\nWithout --shared it is private: mode 0700. Shared, the members of the group use one ledger:\nmode 2770, files 0660. Everyone then names it: state = \"/var/lib/quarterdeck\"."
    )]
    Init {
        /// Share it with the members of this group
        #[arg(long, value_name = "GROUP")]
        shared: Option<String>,
    },
    /// Start containers
    #[command(after_help = ACTING)]
    Start {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
    },
    /// Stop containers: ask them to end, and end those that do not
    #[command(after_help = ACTING)]
    Stop {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// Seconds between the two; what the container was made with, or 10
        #[arg(short, long, value_name = "S")]
        time: Option<u32>,
    },
    /// Stop containers and start them again
    #[command(after_help = ACTING)]
    Restart {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// Seconds for the end; what the container was made with, or 10
        #[arg(short, long, value_name = "S")]
        time: Option<u32>,
    },
    /// Send containers a signal
    #[command(after_help = ACTING)]
    Kill {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// Which signal: a name or a number
        #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = signal)]
        signal: String,
    },
    /// Freeze containers
    #[command(after_help = ACTING)]
    Pause {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
    },
    /// Thaw frozen containers
    #[command(after_help = ACTING)]
    Unpause {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
    },
    /// Remove containers, with their logs and what they wrote into their own layer
    #[command(after_help = ACTING)]
    Rm {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// Those that run, too
        #[arg(short, long)]
        force: bool,
        /// With their anonymous volumes
        #[arg(long)]
        volumes: bool,
    },
    /// Give a container another name
    #[command(after_help = ACTING)]
    Rename {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// The new name
        #[arg(long, value_name = "NAME", value_parser = name)]
        to: String,
    },
    /// Which containers the load balancers send requests to
    Traffic {
        /// What to do with it.
        #[command(subcommand)]
        verb: TrafficVerb,
    },
    /// Send containers no new requests, and wait for those under way
    #[command(
        after_help = "Examples:\n  quarterdeck drain app-03\n  quarterdeck drain app:shop service:web host:app-02\n  quarterdeck drain app-03 --within 2m --yes\n\nA host's name alone drains every slot at its address, also while the host cannot be reached.\nWhat is left at the deadline is told; nothing is cut.\n\nExit codes: 0 drained, 1 not all, or requests are left, 2 usage, 3 some could not be reached, 5 refused"
    )]
    Drain {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
        /// How long to wait for requests under way
        #[arg(long, value_name = "TIME", default_value = "30s", value_parser = within)]
        within: std::time::Duration,
    },
    /// Send containers requests again, once they answer
    #[command(
        after_help = "Examples:\n  quarterdeck undrain app-03\n  quarterdeck undrain app:shop service:web --yes\n\nEach is checked by the balancer and by us before it gets the first request.\n\nExit codes: 0 done, 1 not all, 2 usage, 3 some could not be reached, 5 refused"
    )]
    Undrain {
        /// Which, and how.
        #[command(flatten)]
        acting: Acting,
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
    /// The templates of apps: their mistakes, and what they say
    App {
        /// What to do with one.
        #[command(subcommand)]
        verb: AppVerb,
    },
    /// What a deployment would change, lose and be able to take back; nothing is done
    #[command(after_help = "Example:\n  quarterdeck plan shop production --release 1.0.1-22-7e56158")]
    Plan(Deploying),
    /// Put a release into an environment: plan, confirmation, steps, proof; taken back when it fails
    #[command(
        after_help = DEPLOYING
    )]
    Deploy(Beginning),
    /// Back to a release that was good there, with its images and its configuration
    #[command(
        after_help = "Examples:\n  quarterdeck rollback shop production\n  quarterdeck rollback shop production --release 1.0.0-20-1a2b3c4+c1f09ab2"
    )]
    Rollback(Beginning),
    /// Put what is good in one environment into another, with the other's configuration
    #[command(
        after_help = "Example:\n  quarterdeck promote shop --from staging --to production\n\nThe same gates as of deploy: quarterdeck deploy --help tells of them."
    )]
    Promote(Promoting),
    /// The configuration of environments
    Config {
        /// What to do with it.
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Take away the lock of a run that nobody will carry on
    #[command(
        after_help = "Example:\n  quarterdeck unlock shop production --reason \"its jump host is gone\"\n\nA lock whose holder gave a sign of life in the last minute stays. What its run had begun stands as it was left:\nquarterdeck deployment resume ID or unwind ID settles that.\n\nExit codes: 0 gone, 2 usage, 3 some hosts could not be reached, 4 its holder is alive, 5 refused"
    )]
    Unlock {
        /// The app
        #[arg(value_parser = app)]
        app: String,
        /// The environment
        #[arg(value_name = "ENV", value_parser = environment)]
        environment: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Carries a deployment out; started by the other verbs
    #[command(hide = true)]
    Run {
        /// Which
        id: String,
    },
    /// From the newest commit through every environment with `auto`, up to the first gate that needs a person
    #[command(
        after_help = "Examples:\n  quarterdeck pipeline shop\n  quarterdeck pipeline shop --watch --every 1m --format json\n\nThe commit is built where it was not built yet; its build is deployed into each environment that has\n`auto = true`, in the order of `after`, once it is good in the one before. Before an environment that a\nperson decides about it waits: the deployment's id is printed, and the end is exit code 0.\nA release is tried once in an environment. With --watch it looks again and again, goes on after errors,\nand ends on SIGTERM; newly pushed outside images are deployed as well.\n\nExit codes: 0 through or at a gate, 1 failed, 4 a pipeline of the app is under way, 5 refused"
    )]
    Pipeline {
        /// An app of the configuration
        app: String,
        /// Go on looking for news
        #[arg(long)]
        watch: bool,
        /// Between two looks: 30s, 5m; without it as `poll` of the app says, or 30s
        #[arg(long, value_name = "T", requires = "watch", value_parser = between)]
        every: Option<std::time::Duration>,
        /// How to print: JSON is one object a line.
        #[command(flatten)]
        output: Output,
    },
    /// Take away images and kept containers of ours that no way back needs: by digest, nothing of others
    #[command(
        after_help = "Examples:\n  quarterdeck retention --dry-run\n  quarterdeck retention shop --yes\n\nWhat stays: what containers use, the last good releases of each environment (`keep` of the\nconfiguration, at least two), what waits to be deployed, the newest builds, versions that the app's\n`pinned` names, and everything of an app on a host where a deployment has its lock."
    )]
    Retention {
        /// Only this app
        #[arg(value_parser = app)]
        app: Option<String>,
        /// Show what would go, with its bytes, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// The records themselves
    Ledger {
        /// What to do with them.
        #[command(subcommand)]
        verb: LedgerVerb,
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

/// What goes where.
#[derive(Clone, Debug, Args)]
pub struct Deploying {
    /// An app of the configuration
    pub app: String,
    /// One of its environments
    #[arg(value_name = "ENV")]
    pub environment: String,
    /// A version, or a version with its configuration: 1.0.1-22-7e56158+c1f09ab2
    #[arg(long, visible_alias = "to", value_name = "R")]
    pub release: Option<String>,
    /// Only this service
    #[arg(long, value_name = "S")]
    pub service: Option<String>,
    /// Only this host; --host HOST says the same here
    #[arg(long, value_name = "HOST")]
    pub on: Option<String>,
    /// Go on without this host, which is owed it then; repeatable
    #[arg(long, value_name = "HOST")]
    pub without: Vec<String>,
    /// Only hosts on which the last deployment failed
    #[arg(long, conflicts_with = "only_owed")]
    pub only_failed: bool,
    /// Only hosts that a deployment went on without
    #[arg(long)]
    pub only_owed: bool,
    /// Pass over a freeze or a gate, and say why
    #[arg(long = "override", value_name = "REASON")]
    pub override_reason: Option<String>,
    /// Why, for the audit; a rollback through a freeze needs one
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Another way over the hosts than the policy's: rolling, recreate, blue-green, or { kind = "rolling", batch = 2 }
    #[arg(long, value_name = "S")]
    pub strategy: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// How long, and whether, somebody stays with what he begins.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Running {
    /// Return once it has begun, with its id
    #[arg(long)]
    pub detach: bool,
    /// Where somebody has the lock, wait for it: for ever, or as long as 30s, 10m or 1h
    #[arg(long, value_name = "T", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = patience)]
    pub wait: Option<Patience>,
}

/// How long somebody waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until it is free.
    Endless,
    /// At most so long.
    For(std::time::Duration),
}

/// A deployment that is to begin.
#[derive(Clone, Debug, Args)]
pub struct Beginning {
    /// What goes where.
    #[command(flatten)]
    pub what: Deploying,
    /// Who stays with it.
    #[command(flatten)]
    pub how: Running,
}

/// The part of a deployment that says neither what nor where to.
#[derive(Clone, Debug, Args)]
pub struct Scope {
    /// Only this service
    #[arg(long, value_name = "S")]
    pub service: Option<String>,
    /// Only this host; --host HOST says the same here
    #[arg(long, value_name = "HOST")]
    pub on: Option<String>,
    /// Go on without this host, which is owed it then; repeatable
    #[arg(long, value_name = "HOST")]
    pub without: Vec<String>,
    /// Pass over a freeze or a gate, and say why
    #[arg(long = "override", value_name = "REASON")]
    pub override_reason: Option<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Another way over the hosts than the policy's: rolling, recreate, blue-green, or { kind = "rolling", batch = 2 }
    #[arg(long, value_name = "S")]
    pub strategy: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

impl Scope {
    /// The same of this app in this environment.
    pub fn of(&self, app: &str, environment: &str) -> Deploying {
        Deploying {
            app: app.to_owned(),
            environment: environment.to_owned(),
            release: None,
            service: self.service.clone(),
            on: self.on.clone(),
            without: self.without.clone(),
            only_failed: false,
            only_owed: false,
            override_reason: self.override_reason.clone(),
            reason: self.reason.clone(),
            strategy: self.strategy.clone(),
            yes: self.yes,
            output: self.output,
        }
    }
}

/// From one environment into another.
#[derive(Clone, Debug, Args)]
pub struct Promoting {
    /// An app of the configuration
    pub app: String,
    /// Where it is good
    #[arg(long, value_name = "ENV")]
    pub from: String,
    /// Where it is to go
    #[arg(long, value_name = "ENV")]
    pub to: String,
    /// How much of it.
    #[command(flatten)]
    pub what: Scope,
    /// Who stays with it.
    #[command(flatten)]
    pub how: Running,
}

/// Today's configuration.
#[derive(Clone, Debug, Args)]
pub struct Applying {
    /// An app of the configuration
    pub app: String,
    /// One of its environments
    #[arg(value_name = "ENV")]
    pub environment: String,
    /// How much of it.
    #[command(flatten)]
    pub what: Scope,
    /// Who stays with it.
    #[command(flatten)]
    pub how: Running,
}

/// What to do with the configuration of an environment.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Give the version that runs there today's variables, secrets and settings: no build, no pull
    #[command(after_help = "Example:\n  quarterdeck config apply shop production")]
    Apply(Applying),
}

impl Verb {
    /// The host that a deployment is only for; `None` for every other verb.
    fn host(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Plan(asked) => Some(&mut asked.on),
            Self::Deploy(asked) | Self::Rollback(asked) => Some(&mut asked.what.on),
            Self::Promote(asked) => Some(&mut asked.what.on),
            Self::Config { verb: ConfigVerb::Apply(asked) } => Some(&mut asked.what.on),
            _ => None,
        }
    }
}

impl Cli {
    /// `deploy shop production --host app-02`: with these verbs a `--host` that is no URL names the one host that is meant. `given` is how many
    /// such flags stand on the command line.
    ///
    /// # Errors
    /// Two of them; one before the verb, which those behind it would replace unseen.
    pub fn settle_host(&mut self, given: usize) -> Result<(), String> {
        let Some(on) = self.verb.as_mut().and_then(Verb::host) else { return Ok(()) };
        let (urls, names): (Vec<_>, Vec<_>) = self.global.hosts.drain(..).partition(|text| text.contains("://"));
        let count = urls.len() + names.len();
        self.global.hosts = urls;
        match (&*names, &on) {
            ([], _) => Ok(()),
            (_, _) if given > count => Err("--host before the verb and behind it: put all of them behind it".to_owned()),
            ([name], None) => {
                *on = Some(name.clone());
                Ok(())
            }
            (_, Some(_)) => Err("--on and --host both name a host: say one".to_owned()),
            (_, None) => Err(format!("--host names one host to deploy to, not {}: leave others out with --without", names.join(" and "))),
        }
    }
}

/// What to do with a deployment.
#[derive(Clone, Debug, Subcommand)]
pub enum DeploymentVerb {
    /// Its plan, its answers, its journal
    #[command(after_help = "Examples:\n  quarterdeck deployment show 44-k3f9\n  quarterdeck deployment show 44 --format json")]
    Show {
        /// Its id, or its number where only one has it
        id: String,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Its journal line by line, until it has ended
    #[command(
        after_help = "Examples:\n  quarterdeck deployment follow 44-k3f9\n  quarterdeck deployment follow 44 --format json\n\nExit codes: those of the deployment; 130 when you leave it with Ctrl-C, which does nothing to it"
    )]
    Follow {
        /// Its id, or its number where only one has it
        id: String,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Tell its run to finish what is under way and to stand still
    Park {
        /// Its id, or its number where only one has it
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Carry it on from where it stopped; begin it, when it was approved and nobody waits for it
    #[command(after_help = STANDING)]
    Resume(Standing),
    /// Take back what it changed
    #[command(after_help = STANDING)]
    Unwind(Standing),
    /// Put away what is still kept warm
    #[command(after_help = STANDING)]
    Finish(Standing),
}

/// A deployment that stands still.
#[derive(Clone, Debug, Args)]
pub struct Standing {
    /// Its id: 44-k3f9
    pub id: String,
    /// Take it over although it gives signs of life
    #[arg(long)]
    pub alive: bool,
    /// Return once it has begun
    #[arg(long)]
    pub detach: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// What to do with the records.
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerVerb {
    /// Put releases and deployments back into the records from what the hosts tell, after a loss
    #[command(
        after_help = "Example:\n  quarterdeck ledger rebuild\n\nReleases come from the lock containers and labels on the hosts, and from the apps' templates; what runs\ncounts as good. What the records still have stays as it is."
    )]
    Rebuild {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

/// What to do with a template.
#[derive(Clone, Debug, Subcommand)]
pub enum AppVerb {
    /// All mistakes of a template, each with its place; then what is probably not meant
    #[command(
        after_help = "Examples:\n  quarterdeck app check\n  quarterdeck app check shop\n  quarterdeck app check src/shop/quarterdeck.toml --format json\n\nHosts, balancers, policies and the sources of secrets are looked up in the configuration.\nExit codes: 0 no mistakes, 2 mistakes"
    )]
    Check {
        /// An app of the configuration, a file or its directory; without it, ./quarterdeck.toml
        #[arg(value_name = "APP|FILE")]
        subject: Option<String>,
        /// As it is in this branch, tag or commit; without it, a file as it is, a repository's branch as it is now
        #[arg(long, value_name = "REV")]
        rev: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// What runs in each environment, each setting with the line that says it
    #[command(after_help = "Examples:\n  quarterdeck app show\n  quarterdeck app show shop production")]
    Show {
        /// An app of the configuration, a file or its directory; without it, ./quarterdeck.toml
        #[arg(value_name = "APP|FILE")]
        subject: Option<String>,
        /// Only this environment
        #[arg(value_name = "ENV")]
        environment: Option<String>,
        /// As it is in this branch, tag or commit; without it, a file as it is, a repository's branch as it is now
        #[arg(long, value_name = "REV")]
        rev: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Make a template from a Compose file, and say line by line what could not be carried over
    #[command(after_help = "Example:\n  quarterdeck app import compose.yaml > quarterdeck.toml")]
    Import {
        /// The Compose file
        #[arg(value_name = "COMPOSE.YAML")]
        file: PathBuf,
    },
}

/// What to do with the balancers.
#[derive(Clone, Debug, Subcommand)]
pub enum TrafficVerb {
    /// The slots of all balancers, and what differs from the fleet
    #[command(after_help = "Examples:\n  quarterdeck traffic show\n  quarterdeck traffic show edge --format json")]
    Show {
        /// Which balancers; without it, all
        lb: Vec<String>,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Bring the balancers to what the fleet says
    #[command(
        after_help = "Examples:\n  quarterdeck traffic sync\n  quarterdeck traffic sync edge --yes\n\nWhat runs and was made for a balancer gets requests, what does not run gets none. Where a\ndeployment is under way nothing is touched. The plan is shown first.\n\nExit codes: 0 nothing differs any more, 1 something does, 2 usage, 3 some could not be reached, 5 refused"
    )]
    Sync {
        /// Which balancers; without it, all
        lb: Vec<String>,
        /// Do not ask: stands for the answer, typed names too
        #[arg(short, long)]
        yes: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
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

/// Which containers an act is for, and how it is asked.
#[derive(Clone, Debug, Args)]
pub struct Acting {
    /// Terms that must all hold, such as app:shop service:web
    #[arg(required = true)]
    pub selector: Vec<String>,
    /// Do not ask: stands for the answer, typed names too
    #[arg(short, long)]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// What a prune is, here.
const PRUNE: &str = "Narrower than the engine's own prune, and exact: images without a name that no container was made from, volumes that\nnobody named and no container mounts, networks that no container is attached to. What goes is what was listed, one by one,\nnever by force; what came into use meanwhile stays.\n\nExamples:\n  quarterdeck prune --dry-run\n  quarterdeck prune host:test-01 --yes";

/// What the acts have in common.
const ACTING: &str = "The plan is shown first: what happens to whom, and how many healthy ones stay. It wants a yes; in production, and for\nwhat does not come back, a name. Without a terminal it wants --yes. Every target is sent its act once and never again;\nwhere the answer gets lost, the engine is asked what is.\n\nExit codes: 0 all as asked, 1 not all, 2 usage, 3 some hosts could not be reached, 5 refused";

/// What deployments have in common.
const DEPLOYING: &str = "Examples:\n  quarterdeck deploy shop testing --release 1.0.1-22-7e56158\n  quarterdeck deploy shop production --release 1.0.1-22-7e56158+c1f09ab2 --without app-02\n  quarterdeck deploy shop production --wait=10m --detach --yes\n\nA process of its own carries it out: a terminal that goes away does nothing to it. Ctrl-C asks what is to become\nof it; without a terminal it leaves it to itself and ends with 130.\n\nExit codes: 0 good, 1 failed, taken back or parked, 2 usage, 3 good but for hosts that are owed it, 4 locked by\nsomeone, 5 refused";

/// What is done to a deployment that stands still.
const STANDING: &str = "A run of another's, with records elsewhere, is read from the hosts when its id is not in yours. One that gave a sign\nof life in the last minute is not taken over, unless --alive says that you know better.\n\nExit codes: 0 good, 1 failed, taken back or parked, 2 usage, 3 hosts could not be reached, 4 it is alive, or another has\nthe lock, 5 refused";

/// What the two answers have in common.
const ANSWERING: &str = "Examples:\n  quarterdeck approve 44-k3f9 --reason \"seen in staging\"\n  quarterdeck reject 44-k3f9 --reason \"not on Friday\"\n\nBefore a deployment begins, the yes must come from somebody else than who asked for it.\n\nExit codes: 0 recorded, 1 failed, 2 no such deployment, 5 refused";

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why: it stands in the records".to_owned()),
        said => Ok(said.to_owned()),
    }
}

fn app(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("an app is lower-case letters, digits and -".to_owned()),
    }
}

fn environment(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an environment is lower-case letters and digits, no dash".to_owned()),
    }
}

fn signal(text: &str) -> Result<String, String> {
    parse_signal(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

fn within(text: &str) -> Result<std::time::Duration, String> {
    let told = text.split_at_checked(text.len().saturating_sub(1)).and_then(|(digits, unit)| {
        let unit = ["s", "m", "h"].iter().position(|known| *known == unit)?;
        digits.parse::<u32>().ok().map(|count| std::time::Duration::from_secs(u64::from(count) * [1, 60, 3600][unit]))
    });
    told.ok_or_else(|| "a time such as 30s or 2m".to_owned())
}

/// Nothing is for ever.
fn patience(text: &str) -> Result<Patience, String> {
    match text {
        "" => Ok(Patience::Endless),
        told => within(told).map(Patience::For),
    }
}

fn between(text: &str) -> Result<std::time::Duration, String> {
    within(text).and_then(|time| if time.is_zero() { Err("a time such as 30s or 5m".to_owned()) } else { Ok(time) })
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
            "audit --since 10m --format json",
            "audit --verify --head 44:9f86d081",
            "releases shop --format json",
            "deployments",
            "deployments shop production --since 1d --by ana --limit 5",
            "deployments shop --at 14:02 --format json",
            "deployment show 44-k3f9 --format json",
            "deployment follow 44 --format json",
            "deployment park 44-k3f9 --reason lunch",
            "deployment resume 44-k3f9 --alive --detach -y",
            "deployment finish 44-k3f9 --yes",
            "deploy shop production --wait --detach --yes --format json",
            "deploy shop production --wait=10m --strategy recreate",
            "rollback shop production --to 1.0.0-20-1a2b3c4 --wait=1h",
            "promote shop --from testing --to production --yes",
            "config apply shop production --service web --detach",
            "unlock shop production --reason dead",
            "run 44-k3f9",
            "approve 44-k3f9 --reason seen",
            "reject 44-k3f9 --reason late",
            "freeze shop production --reason fair",
            "thaw shop production --reason over",
            "audit --since 10m --format json",
            "build shop --rev v1.0 --no-push --format json",
            "build ./quarterdeck.toml",
            "audit --verify --head 44:9f86d081",
            "init --shared deploy",
            "exec service:web host:app-01 -- sh -c true",
            "exec -T service:web",
            "cp host:app-01 service:web:/etc/hosts -",
            "start name:web",
            "stop service:web host:app-01 --time 3 --yes",
            "restart service:web -t 0 --format json",
            "kill name:web --signal hup",
            "pause name:web",
            "unpause name:web -y",
            "rm name:web --force --volumes",
            "rename name:web --to web-2",
            "traffic show edge --format json",
            "traffic sync --yes",
            "drain app-03 --within 2m",
            "undrain app:shop service:web -y",
            "check env:production --format json",
            "bundle --out /tmp/x.tar.gz app:shop",
            "stats",
            "stats app:shop --by service --once --format json",
            "top name:web",
            "doctor",
            "doctor identity",
            "app check",
            "app check shop --format json",
            "app check shop --rev v1.0",
            "app show shop production",
            "pipeline shop --watch --every 1m --format json",
            "retention --dry-run",
            "retention shop --yes --format json",
            "ledger rebuild --yes",
            "audit --verify --no-hosts",
            "app import compose.yaml",
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
    fn a_host_to_deploy_to_and_hosts_to_show_are_told_apart() {
        let settle = |line: &str| {
            let mut cli = parse(line).unwrap();
            let given = line.split_whitespace().filter(|word| word.starts_with("--host") || *word == "-H").count();
            cli.settle_host(given)?;
            let on = cli.verb.as_mut().and_then(Verb::host).and_then(|on| on.clone());
            Ok::<_, String>((on, cli.global.hosts))
        };
        let app_02 = Some("app-02".to_owned());
        assert_eq!(settle("deploy shop production --host app-02"), Ok((app_02.clone(), vec![])));
        assert_eq!(settle("plan shop production --on app-02"), Ok((app_02.clone(), vec![])));
        let url = vec!["a=ssh://a".to_owned()];
        assert_eq!(settle("rollback shop production --host a=ssh://a --host app-02"), Ok((app_02.clone(), url.clone())));
        assert_eq!(settle("-H a=ssh://a deploy shop production --on app-02"), Ok((app_02, url.clone())));
        assert_eq!(settle("config apply shop production -H a=ssh://a"), Ok((None, url)));
        assert_eq!(settle("ps -H app-02"), Ok((None, vec!["app-02".to_owned()])));
        assert!(settle("-H a=ssh://a deploy shop production --host app-02").unwrap_err().contains("behind it"));
        assert!(settle("promote shop --from a --to b --host x --host y").unwrap_err().contains("--without"));
        assert!(settle("deploy shop production --on x --host y").unwrap_err().contains("say one"));
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
            ("app", "check"),
            ("app import", "COMPOSE.YAML"),
            ("stats --by hosts", "host"),
            ("logs", "SELECTOR"),
            ("exec", "SELECTOR"),
            ("cp name:web:/etc/hosts", "SELECTOR:PATH"),
            ("audit --head 44:9f86d081", "--verify"),
            ("audit --verify --head 44", "NUMBER:HASH"),
            ("audit --verify --since 10m", "cannot be used with"),
            ("releases", "APP"),
            ("deployments --at 14:02 --since 1d", "cannot be used with"),
            ("deployment", "show"),
            ("approve 44-k3f9", "--reason"),
            ("unlock shop production", "--reason"),
            ("promote shop --from testing", "--to"),
            ("deploy shop production --wait=soon", "30s or 2m"),
            ("plan shop production --detach", "--detach"),
            ("config", "apply"),
            ("freeze shop --reason fair", "ENV"),
            ("freeze shop eu-west --reason fair", "no dash"),
            ("thaw Shop production --reason x", "lower-case"),
            ("exec", "SELECTOR"),
            ("build", "APP|FILE"),
            ("cp name:web:/etc/hosts", "SELECTOR:PATH"),
            ("audit --head 44:9f86d081", "--verify"),
            ("audit --verify --head 44", "NUMBER:HASH"),
            ("audit --verify --since 10m", "cannot be used with"),
            ("stop", "SELECTOR"),
            ("stop web --time -1", "'-1'"),
            ("kill web --signal LOUD", "is no signal"),
            ("rename web", "--to"),
            ("drain", "SELECTOR"),
            ("drain app-03 --within soon", "30s or 2m"),
            ("traffic", "sync"),
            ("rename web --to we/b", "no name for a container"),
            ("logs x --level loud", "trace, debug, info"),
            ("sim serve x", "--dir"),
            ("sim serve x --dir y --speed 0", "above 0"),
        ] {
            let (code, text) = parse(line).map_or_else(|error| (error.exit_code(), error.to_string()), |_| (0, String::new()));
            assert!(code == 2 && text.contains(hint), "{line}: {code} {text}");
        }
    }
}
