//! `make layout`: what runs between the console's start and its idle screen, told by valgrind, as the linker script by which `build.rs`
//! lays it side by side.
//!
//! `layout PROGRAM MAP SCRIPT`; PROGRAM is a release build that kept its symbols, MAP what lld told of its sections. A pattern ends before
//! a name's hash, and a module stands for its functions where nearly all of it runs: so the script outlives changes of the code and of
//! the compiler. Only where a name without its hash stands for much that does not run (a sort of every type), the functions that do run
//! come first by their full names. What a script no longer matches lies where the linker puts it: that costs memory and nothing else.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../bench/lab.rs"]
mod lab;
#[path = "pty.rs"]
mod pty;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lab::Lab;
use pty::Console;

/// As many as the figures of the README are for.
const CONTAINERS: usize = 60;

/// Far more than a start takes under valgrind.
const LIMIT: Duration = Duration::from_secs(120);

/// What stands still long enough runs no more.
const IDLE: Duration = Duration::from_secs(20);

/// A longer name stands in the script with its beginning.
const LONG: usize = 140;

/// Bytes that may come along with a function without being run.
const SLACK: u64 = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [program, map, script] = words.as_slice() else { panic!("layout PROGRAM MAP SCRIPT") };
    let program = fs::canonicalize(program).expect("a program").to_str().expect("a plain path").to_owned();
    let ran = everything(&program);
    let (mut code, mut tables) = (Names::default(), BTreeSet::new());
    for (section, size) in sections(&fs::read_to_string(map).expect("the linker's map")) {
        let (head, name) = split(&section);
        let runs = ran.contains(name);
        if head.starts_with(".text.") {
            code.add(&pieces(head, name), &section, size, runs);
        } else if runs {
            tables.insert(short(pieces(head, name).concat()));
        }
    }
    let mut order = Order::default();
    code.order("", &mut order);
    let lines = |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
    let text = format!(
        "/* Written by `make layout`: what the console needs from its start to its idle screen. */\n\
         SECTIONS\n{{\n.text.console : {{\n*(\n{})\n*(\n{})\n}}\n}}\nINSERT BEFORE .text;\n\
         SECTIONS\n{{\n.rodata.console : {{\n*(\n.rodata.cst*\n{})\n}}\n}}\nINSERT AFTER .rodata;\n",
        lines(&order.first),
        lines(&order.then),
        lines(&Vec::from_iter(tables))
    );
    fs::write(script, text).expect("the script is written");
    println!("{} of {} bytes of code run; {} are laid in front, {} behind them", code.ran, code.all, order.sizes.0, order.sizes.1);
}

/// The functions of `program` that run over a simulated engine and, where the lab can run, over a real one, which answers in other forms;
/// with all colours, and where they are reduced to what the terminal has.
fn everything(program: &str) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut serve = Command::new(program);
    serve.args(["sim", "serve", "scale", "--hosts", "1", "--events-per-second", "0", "--containers", &CONTAINERS.to_string(), "--dir"]);
    let _fleet = Fleet(serve.arg(dir.path()).stdout(Stdio::null()).spawn().expect("the simulated host"));
    let simulated = socket(dir.path());
    let mut names = ran(program, &simulated, "COLORTERM=truecolor");
    names.extend(ran(program, &simulated, "COLORTERM="));
    if let Some(lab) = Lab::up(CONTAINERS) {
        names.extend(ran(program, &lab.socket, "COLORTERM=truecolor"));
    }
    names
}

/// The functions of `program` that run while a console over one engine starts, idles, and is left.
fn ran(program: &str, socket: &str, colours: &str) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let host = format!("app-01=unix://{socket}");
    let trace = path("trace");
    let out = format!("--callgrind-out-file={trace}");
    let valgrind = ["env", colours, "valgrind", "-q", "--tool=callgrind", "--demangle=no", "--compress-strings=no", &out];
    let own = [program, "-H", &host, "--state", &path("state")];
    let mut console = Console::start(&[&valgrind[..], &own[..]].concat(), 160, 50, "xterm-256color");
    let ready = format!("{CONTAINERS} containers");
    let shown = console.until(|screen| screen.contents().contains(&ready), console.started, LIMIT);
    assert!(shown.is_some(), "no containers on the screen:\n{}", console.text());
    console.run(IDLE);
    console.send(b"q");
    assert!(console.exit(LIMIT).is_some(), "the console does not end");
    let trace = fs::read_to_string(trace).expect("valgrind's trace");
    let mut ours = false;
    let mut names = BTreeSet::new();
    for line in trace.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            // What the last layout laid in front stands in a section of its own, of which valgrind does not know whose it is.
            ours = object == program || object == "???";
        } else if let Some(name) = line.strip_prefix("fn=").filter(|_| ours) {
            // A recursion has a name of its own: name'2.
            names.insert(name.split('\'').next().unwrap_or(name).to_owned());
        }
    }
    names
}

/// A simulated host, ended with the value.
struct Fleet(Child);

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().unwrap();
        }
    }
}

fn socket(dir: &Path) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        if let Some(path) = entries.find(|path| path.extension().is_some_and(|ext| ext == "sock")) {
            return path.to_str().expect("a plain path").to_owned();
        }
        assert!(Instant::now() < deadline, "the simulated host does not listen");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The program's sections of code and constants and their sizes in bytes.
fn sections(map: &str) -> Vec<(String, u64)> {
    let section = |line: &str| {
        let mut fields = line.split_whitespace();
        let size = u64::from_str_radix(fields.nth(2)?, 16).ok()?;
        let (_, name) = fields.last()?.strip_suffix(')')?.rsplit_once(":(")?;
        (name.starts_with(".text.") || name.starts_with(".rodata.")).then(|| (name.to_owned(), size))
    };
    map.lines().filter_map(section).collect()
}

/// A section's kind and the function it belongs to; a table of constants may end in a number of its own.
fn split(section: &str) -> (&str, &str) {
    const HEADS: [&str; 5] = [".text.unlikely.", ".text.", ".rodata..Lswitch.table.", ".rodata.unlikely.", ".rodata."];
    let head = HEADS.iter().find(|head| section.starts_with(**head)).map_or(0, |head| head.len());
    let (head, name) = section.split_at(head);
    match name.rsplit_once('.') {
        Some((function, number)) if head.ends_with("table.") && number.bytes().all(|byte| byte.is_ascii_digit()) => (head, function),
        _ => (head, name),
    }
}

/// A section's name as the path it is, each piece as it is written; the last matches any hash.
fn pieces(head: &str, name: &str) -> Vec<String> {
    let Some(mut rest) = name.strip_prefix("_ZN") else { return vec![format!("{head}{}", stable(name))] };
    let mut pieces = vec![format!("{head}_ZN")];
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(length) = rest[..digits].parse::<usize>() else { break };
        let Some(piece) = rest.get(..digits + length) else { break };
        if length == 17 && piece[digits..].starts_with('h') {
            break;
        }
        pieces.push(piece.to_owned());
        rest = &rest[digits + length..];
    }
    pieces.push("17h*".to_owned());
    pieces
}

/// A name in the newer way of writing, without its crates' hashes and the number of a copy; any other name as it is.
fn stable(name: &str) -> String {
    if !name.starts_with("_R") {
        return name.to_owned();
    }
    let (name, copy) = name.split_once('.').map_or((name, ""), |(name, _)| (name, "*"));
    let mut parts = name.split("Cs");
    let first = parts.next().unwrap_or_default().to_owned();
    let whole = parts.fold(first, |text, part| text + "Cs*_" + part.split_once('_').map_or("", |(_, rest)| rest));
    whole + copy
}

fn short(mut pattern: String) -> String {
    if pattern.len() > LONG {
        pattern.truncate(LONG);
        pattern.push('*');
    }
    pattern
}

/// The script's patterns.
#[derive(Default)]
struct Order {
    /// Little of this does not run.
    first: Vec<String>,
    /// Much of this does not.
    then: Vec<String>,
    /// Bytes of both.
    sizes: (u64, u64),
}

/// Sections by their names' pieces.
#[derive(Default)]
struct Names {
    /// Bytes of functions that ran, and of all.
    ran: u64,
    all: u64,
    below: BTreeMap<String, Names>,
    /// What ran, in full.
    sections: Vec<String>,
}

impl Names {
    fn add(&mut self, path: &[String], section: &str, size: u64, ran: bool) {
        self.all += size;
        self.ran += if ran { size } else { 0 };
        match path {
            [first, rest @ ..] => self.below.entry(first.clone()).or_default().add(rest, section, size, ran),
            [] if ran => self.sections.push(section.to_owned()),
            [] => {}
        }
    }

    fn order(&self, prefix: &str, order: &mut Order) {
        if self.ran == 0 {
            return;
        }
        let is_module = prefix.rsplit_once("_ZN").is_some_and(|(_, path)| !path.is_empty());
        if self.below.is_empty() && self.all > self.ran + SLACK {
            order.first.extend(self.sections.iter().cloned());
            order.then.push(short(prefix.to_owned()));
            order.sizes.0 += self.ran;
            order.sizes.1 += self.all - self.ran;
        } else if self.below.is_empty() {
            order.first.push(short(prefix.to_owned()));
            order.sizes.0 += self.all;
        } else if is_module && self.ran * 5 >= self.all * 4 {
            order.first.push(short(format!("{prefix}*")));
            order.sizes.0 += self.all;
        } else {
            for (piece, names) in &self.below {
                names.order(&format!("{prefix}{piece}"), order);
            }
        }
    }
}
