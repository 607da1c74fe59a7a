//! `exec`, `cp` and the console's shell in containers of real engines: by socket, by TLS and over ssh.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    lab::Lab,
    program::{Ended, Program},
    terminal::pty::Console,
};

/// The hosts, and with them the ways in: a socket, TLS, ssh.
const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// An image without a shell: one static program, under a name at which nobody looks for one.
const BARE: &str = "/busybox1";

struct Stage {
    lab: Lab,
    program: Program,
    config: String,
}

impl Stage {
    fn set(lab: Lab) -> Self {
        let program = Program::new();
        program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let tls = &lab.host("app-02")["tls"];
        let config = format!(
            "[hosts.app-01]\nurl = \"unix://{}\"\n[hosts.app-02]\nurl = {}\ntls = {{ ca = {}, cert = {}, key = {} }}\n[hosts.app-03]\nurl = \"ssh://app-03\"\n",
            lab.host("app-01")["unix"].as_str().unwrap(),
            tls["url"],
            tls["ca"],
            tls["cert"],
            tls["key"]
        );
        let config = program.file("config.toml", &config);
        let busybox = lab.docker("app-01", &["run", "--rm", "base:latest", "sh", "-c", "cat /bin/busybox | base64 -w0"]);
        program.file("busybox.b64", &busybox);
        let bare = Path::new(&config).with_file_name("bare");
        std::fs::create_dir(&bare).unwrap();
        let script = format!(
            "base64 -d {0}/busybox.b64 >{1}{BARE} && chmod 755 {1}{BARE} && tar -C {1} -cf {1}.tar .",
            bare.parent().unwrap().display(),
            bare.display()
        );
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        for host in HOSTS {
            lab.docker(host, &["run", "-d", "--name", &format!("visit-{host}"), "base:latest", "sleep", "100000"]);
            lab.docker(host, &["import", &format!("{}.tar", bare.display()), "bare:latest"]);
            lab.docker(host, &["run", "-d", "--name", &format!("bare-{host}"), "bare:latest", BARE, "sleep", "100000"]);
        }
        Self { lab, program, config }
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.program.run(&[&["-c", &self.config], args].concat())
    }

    /// On a terminal of 100 × 30.
    fn console(&self, args: &[&str]) -> Console {
        let home = format!("HOME={}", Path::new(&self.config).parent().unwrap().display());
        let program = crate::built::program();
        let words = [
            "/usr/bin/env",
            "-i",
            &home,
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm-256color",
            "TZ=UTC",
            &program,
            "-c",
            &self.config,
        ];
        Console::start(&[&words, args].concat(), 100, 30, "xterm-256color")
    }
}

#[test]
fn commands_shells_and_files_over_every_way_in() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("exec", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let stage = Stage::set(lab);
    for host in HOSTS {
        pipes(&stage, host);
        terminal(&stage, host);
        shell_in_the_console(&stage, host);
        copies(&stage, host);
    }
    refusals(&stage);
    recorded(&stage);
}

fn pipes(stage: &Stage, host: &str) {
    let name = format!("name:visit-{host}");
    let ended = stage.run(&["exec", "-n", &name, "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(7), "out\n", "err\n"), "{host}");
    let ended = stage.run(&["exec", &name, "--", "sh", "-c", "seq 1 300000; exit 0"]);
    assert_eq!((ended.code, ended.out.lines().count(), ended.out.lines().last()), (Some(0), 300_000, Some("300000")), "{host}");

    // More than any buffer on the way holds, in both directions at once.
    let mut command = stage.program.command(&["-c", &stage.config, "exec", &name, "--", "cat"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let sent: Vec<u8> = (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut input, bytes) = (child.stdin.take().unwrap(), sent.clone());
    let writer = thread::spawn(move || input.write_all(&bytes));
    let (mut back, mut said) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut back).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let written = writer.join().unwrap();
    assert!(back == sent && written.is_ok(), "{host}: {} of {} bytes came back; {written:?}; {said}", back.len(), sent.len());
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{host}");
}

fn terminal(stage: &Stage, host: &str) {
    let mut console = stage.console(&["exec", &format!("name:visit-{host}")]);
    console.expect("/ # ");
    assert!(!console.echoes(), "the far side echoes");
    console.send(b"while :; do stty size; sleep 0.1; done\r");
    console.expect("30 100");
    console.resize(120, 40);
    console.expect("40 120");
    // A shell that is between two commands may miss it, and go on.
    for _ in 0..10 {
        console.send(b"\x03");
        console.send(b"echo back-$((40+2))\r");
        if console.until(|screen| screen.contents().contains("back-42"), Instant::now(), Duration::from_secs(6)).is_some() {
            break;
        }
    }
    console.expect("back-42");
    console.send(b"seq 1 20000; echo all-$((20000+1))\r");
    console.expect("all-20001");
    // What a killed editor would leave behind.
    console.send(b"printf '\\033[?1049h\\033[?1000h\\033[?2004h\\033[?25l'; exit 3\r");
    assert_eq!(console.exit(PATIENCE), Some(3), "{host}: {}", console.text());
    assert_whole(&console);

    let mut console = stage.console(&["exec", &format!("name:visit-{host}")]);
    console.expect("/ # ");
    console.send(b"\x04");
    assert_eq!(console.exit(PATIENCE), Some(0), "{host}: {}", console.text());
    assert_whole(&console);
}

fn assert_whole(console: &Console) {
    let screen = console.emulator.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(), "{}", console.text());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    assert!(console.echoes(), "the terminal is still raw");
}

fn shell_in_the_console(stage: &Stage, host: &str) {
    let mut console = stage.console(&[]);
    console.expect("Versions");
    console.send(b"2");
    console.expect("visit-");
    console.send(format!("/name:visit-{host}\r").as_bytes());
    let row = |name: &str| {
        let name = name.to_owned();
        move |screen: &vt100::Screen| screen.contents().lines().any(|line| line.contains(&name) && line.contains(" running "))
    };
    // Its host may be the last to be live: the row, not only the filter.
    console.expect_that("its row", row(&format!("visit-{host}")));
    console.send(b"x");
    console.expect("/ # ");
    assert!(!console.emulator.screen().alternate_screen());
    console.send(b"stty size; echo in-$((1+1))\r");
    console.expect("30 100");
    console.expect("in-2");
    console.send(b"exit 4\r");
    console.expect("exit code 4");
    console.expect_that("the console is back", |screen| screen.alternate_screen() && screen.contents().contains("Containers"));

    console.send(format!("/\x15name:bare-{host}\r").as_bytes());
    console.expect_that("its row", row(&format!("bare-{host}")));
    console.send(b"x");
    console.expect("has no shell");
    console.send(format!("{BARE} sleep 0\r").as_bytes());
    console.expect("exit code 0");
    console.send(b"q");
    assert_eq!(console.exit(PATIENCE), Some(0), "{host}: {}", console.text());
    assert_whole(&console);
}

fn copies(stage: &Stage, host: &str) {
    let made = "mkdir -p /tmp/tree/deep && echo one >/tmp/tree/a && echo two >/tmp/tree/deep/b && ln -sf /etc/passwd /tmp/tree/link && mkfifo /tmp/tree/pipe";
    stage.lab.docker(host, &["exec", &format!("visit-{host}"), "sh", "-c", made]);
    let out = tempfile::tempdir().unwrap();
    let copy = |path: &str, dest: &str| stage.run(&["cp", &format!("name:visit-{host}:{path}"), dest]);
    let at = |name: &str| out.path().join(name);
    let ended = copy("/tmp/tree/a", at("mine").to_str().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(std::fs::read_to_string(at("mine")).unwrap(), "one\n");
    let ended = copy("/tmp/tree", out.path().to_str().unwrap());
    assert!(ended.code == Some(1) && ended.err.contains("not copied: tree/pipe: a named pipe"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(at("tree/deep/b")).unwrap(), "two\n");
    assert_eq!(std::fs::read_link(at("tree/link")).unwrap(), Path::new("/etc/passwd"));
    assert!(!at("tree/pipe").exists());
    let ended = copy("/tmp/no-such", out.path().to_str().unwrap());
    assert!(ended.code == Some(1) && ended.err.contains("no-such"), "{ended:?}");
    let ended = copy("/tmp/tree/a", "-");
    assert!(ended.code == Some(0) && ended.out.contains("one\n") && ended.out.len() >= 1024, "{}", ended.err);
}

fn refusals(stage: &Stage) {
    let ended = stage.run(&["--read-only", "exec", "name:visit-app-01", "--", "true"]);
    assert!(ended.code == Some(5) && ended.err.contains("exec is refused: read-only is set by --read-only"), "{ended:?}");
    let ended = stage.run(&["--read-only", "cp", "name:visit-app-01:/etc", "/tmp"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let ended = stage.run(&["exec", "name:visit-*", "--", "true"]);
    assert!(ended.code == Some(2) && ended.err.contains("matches 3 containers") && ended.err.contains("name:visit-app-02"), "{ended:?}");
    let ended = stage.run(&["exec", "name:bare-app-01"]);
    assert!(ended.code == Some(125) && ended.err.contains("has no shell: give a command"), "{ended:?}");
    stage.lab.docker("app-01", &["stop", "-t", "0", "bare-app-01"]);
    let ended = stage.run(&["exec", "name:bare-app-01", "--", BARE, "true"]);
    assert!(ended.code == Some(125) && ended.err.contains("not running"), "{ended:?}");

    // A link that is lost in the middle ends it, and the terminal is whole.
    let mut console = stage.console(&["exec", "name:visit-app-02"]);
    console.expect("/ # ");
    stage.lab.fault("kill9", "app-02");
    assert_eq!(console.exit(PATIENCE), Some(125), "{}", console.text());
    assert!(console.text().contains("app-02"), "which host, and why: {}", console.text());
    assert_whole(&console);
    stage.lab.fault("restart", "app-02");
}

fn recorded(stage: &Stage) {
    let rows = stage.run(&["audit", "--format", "json"]).rows();
    let is = |row: &serde_json::Value, action: &str, host: &str| row["action"] == action && row["host"] == host;
    for host in HOSTS {
        let of = |action: &str| rows.iter().filter(|row| is(row, action, host)).collect::<Vec<_>>();
        let first = of("container.exec")[0];
        assert_eq!((&first["outcome"], &first["detail"]), (&"done".into(), &"exit code 7".into()), "{first}");
        assert!(of("container.exec").iter().any(|row| row["detail"] == "exit code 4"), "{host}");
        assert_eq!(of("container.copy-out").len(), 4, "{host}");
    }
    assert!(rows.iter().any(|row| row["outcome"] == "unknown"), "the lost link: {rows:?}");
    assert!(rows.iter().all(|row| !row["outcome"].is_null()), "{rows:?}");
    let ended = stage.run(&["audit", "--verify"]);
    assert!(ended.code == Some(0) && ended.out.contains("the chain holds"), "{ended:?}");
}
