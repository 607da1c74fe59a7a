//! What leaves a console that may only look, while everything is pressed that can be pressed.

use std::{collections::BTreeMap, time::Duration};

use quarterdeck::action::{Action, Need};

use super::super::stage::{
    Length,
    deck::{self, Opening, lines},
    engine::ask,
    lab::Lab,
    pty::Console,
    recorder::{Asked, Recorder},
    report::Report,
};

const LIMIT: Duration = Duration::from_secs(10);
const KEYMAPS: [&str; 3] = ["default", "k9s", "vim"];

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    let recorder = Recorder::before(&lab.socket("app-01"), lab.home());
    let status = ask(recorder.path(), "POST", "/containers/nobody/start", "").0;
    // The answer may be here before the record of what was asked.
    let since = std::time::Instant::now();
    let mut seen = recorder.take();
    while seen.is_empty() && since.elapsed() < LIMIT {
        std::thread::yield_now();
        seen = recorder.take();
    }
    let control = seen.first().is_some_and(|asked| asked.method == "POST" && !reads_only(asked));
    report.holds("the recorder sees a write", status == 404 && control, format!("{} requests recorded", seen.len()));

    let opening = || Opening::on(lab).host("app-01", &recorder.url()).argument("--read-only");
    let mut asked = Vec::new();
    for keymap in KEYMAPS {
        let keys = keys_of(keymap);
        report.does(&format!("keymap {keymap}: {} keys in each of {} panels", keys.len(), length.pick(4, PANELS.len())));
        let mut deck = begin(&opening().variable("QUARTERDECK_KEYMAP", keymap));
        for panel in 0..length.pick(4, PANELS.len()) {
            for key in &keys {
                if deck.ended || deck.exit(Duration::ZERO).is_some() {
                    deck = begin(&opening().variable("QUARTERDECK_KEYMAP", keymap));
                }
                turn_to(&mut deck, panel);
                deck.send(key);
                deck.run(Duration::from_millis(length.pick(8, 30)));
            }
        }
        asked.extend(recorder.take());
    }
    let acts = Action::ALL.iter().filter(|action| action.row().need == Need::Act).count();
    report.does(&format!("the palette, in every panel: all {} actions of the catalogue ({acts} of them act)", Action::ALL.len()));
    let mut deck = begin(&opening());
    for panel in 0..length.pick(4, PANELS.len()) {
        for action in Action::ALL.iter().copied().filter(|action| !matches!(action, Action::AppQuit | Action::AppSuspend)) {
            turn_to(&mut deck, panel);
            deck.send(b":");
            deck.send(action.id().as_bytes());
            deck.send(b"\r");
            deck.run(Duration::from_millis(length.pick(8, 30)));
        }
        asked.extend(recorder.take());
    }
    for keymap in KEYMAPS {
        let menu = keys_in(keymap, Some("act-menu"));
        report.does(&format!("keymap {keymap}: the menu of acts, its {} keys, each answered with y, enter and a name", menu.len()));
        let mut deck = begin(&opening().variable("QUARTERDECK_KEYMAP", keymap));
        for panel in 0..length.pick(4, PANELS.len()) {
            for key in &menu {
                turn_to(&mut deck, panel);
                for keys in [&b"s"[..], key.as_slice(), b"y", b"\r", b"KILL", b"\r", b"y", b"\x1b", b"\x1b", b"\x1b"] {
                    deck.send(keys);
                    deck.run(Duration::from_millis(length.pick(4, 20)));
                }
            }
        }
        asked.extend(recorder.take());
    }
    let count = 2000;
    report.does(&format!("{count} keys and pieces of keys at random, seed 13"));
    mash(&mut deck, &opening(), count);
    deck.run(Duration::from_millis(500));
    asked.extend(recorder.take());
    let mut routes: BTreeMap<String, usize> = BTreeMap::new();
    for one in &asked {
        *routes.entry(format!("{} {}", one.method, shape(one.route()))).or_default() += 1;
    }
    for (route, count) in &routes {
        report.figure("asked", format!("{route} × {count}"));
    }
    let wrong: Vec<String> =
        asked.iter().filter(|asked| !reads_only(asked)).map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    report.holds(
        "not one request but reads",
        wrong.is_empty() && !asked.is_empty(),
        format!("{} of {} requests {}", wrong.len(), asked.len(), wrong.join(", ")),
    );
    administrator(report, lab);
}

/// The list as this test understands it, written without a look at the product's own.
fn reads_only(asked: &Asked) -> bool {
    let read = asked.method == "GET" || asked.method == "HEAD";
    let takes_over =
        asked.header("upgrade").is_some() || asked.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade"));
    let empty = asked.header("content-length").is_none_or(|length| length == "0") && asked.header("transfer-encoding").is_none();
    let parts: Vec<&str> = asked.route().trim_start_matches('/').split('/').collect();
    let known = matches!(
        parts.as_slice(),
        ["_ping" | "version" | "info" | "events" | "volumes" | "networks"]
            | ["containers" | "images", "json"]
            | ["system", "df"]
            | ["containers", _, "json" | "logs" | "stats" | "top" | "changes"]
            | ["images", .., "json" | "history"]
    );
    read && known && empty && !takes_over
}

fn shape(route: &str) -> String {
    let parts = route.split('/').map(|part| if part.len() > 20 { "ID" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn begin(opening: &Opening<'_>) -> Console {
    let mut deck = opening.open();
    deck.expect_that("a live host", |screen| deck::live(screen, 1, 1));
    deck
}

/// Every panel; the first four are visited in short form too.
const PANELS: [&str; 10] = ["Versions", "Containers", "Hosts", "Events", "Logs", "Resources", "Triage", "Stock", "Delivery", "History"];

/// Out of every layer, then along the panels: the same keys in all keymaps do not exist, so tab after esc.
fn turn_to(deck: &mut Console, panel: usize) {
    let title = PANELS[panel];
    let wanted = |screen: &vt100::Screen| deck::in_front(screen, title);
    for _ in 0..2 * PANELS.len() {
        if wanted(deck.emulator.screen()) {
            return;
        }
        deck.send(b"\x1b");
        deck.run(Duration::from_millis(25));
        // The layer alone may have been in the way.
        if wanted(deck.emulator.screen()) {
            return;
        }
        deck.send(b"\t");
        deck.run(Duration::from_millis(10));
    }
}

/// The bytes of every key of a keymap file, its own and those it inherits, but for leaving and suspending.
fn keys_of(keymap: &str) -> Vec<Vec<u8>> {
    keys_in(keymap, None)
}

/// The same of one context only.
fn keys_in(keymap: &str, context: Option<&str>) -> Vec<Vec<u8>> {
    let path = format!("{}/keymaps/{keymap}.toml", env!("CARGO_MANIFEST_DIR"));
    let file: toml::Table = std::fs::read_to_string(path).expect("a keymap").parse().expect("a keymap");
    let mut keys: Vec<Vec<u8>> = match file.get("inherits").and_then(toml::Value::as_str) {
        Some(parent) => keys_in(parent, context),
        None => Vec::new(),
    };
    let wanted = file.iter().filter(|(name, _)| context.is_none_or(|context| context == name.as_str()));
    for (key, action) in wanted.filter_map(|(_, table)| table.as_table()).flatten() {
        if matches!(action.as_str(), Some("app.quit" | "app.suspend")) {
            continue;
        }
        let bytes: Vec<u8> = key.split(' ').flat_map(bytes_of).collect();
        if !keys.contains(&bytes) {
            keys.push(bytes);
        }
    }
    keys
}

fn bytes_of(key: &str) -> Vec<u8> {
    match key {
        "enter" => b"\r".to_vec(),
        "esc" => b"\x1b".to_vec(),
        "space" => b" ".to_vec(),
        "tab" => b"\t".to_vec(),
        "shift-tab" => b"\x1b[Z".to_vec(),
        "backspace" => b"\x7f".to_vec(),
        "delete" | "del" => b"\x1b[3~".to_vec(),
        "up" => b"\x1b[A".to_vec(),
        "down" => b"\x1b[B".to_vec(),
        "right" => b"\x1b[C".to_vec(),
        "left" => b"\x1b[D".to_vec(),
        "home" => b"\x1b[H".to_vec(),
        "end" => b"\x1b[F".to_vec(),
        "pgup" => b"\x1b[5~".to_vec(),
        "pgdn" => b"\x1b[6~".to_vec(),
        "f1" => b"\x1bOP".to_vec(),
        _ => match key.strip_prefix("ctrl-") {
            Some(letter) => vec![letter.as_bytes()[0] & 0x1f],
            None => key.strip_prefix("alt-").map_or_else(|| key.as_bytes().to_vec(), |letter| [b"\x1b", letter.as_bytes()].concat()),
        },
    }
}

fn mash(deck: &mut Console, opening: &Opening<'_>, count: usize) {
    // xorshift: the same keys in every run.
    let mut state = 13u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let special: [&[u8]; 12] =
        [b"\r", b"\x1b", b"\t", b"\x7f", b"\x1b[A", b"\x1b[B", b"\x1b[6~", b"\x1b[Z", b"\x1b[", b"\x1bO", b"\x1b[<0;9;9M", b"\x1b[3~"];
    for pressed in 0..count {
        if deck.ended || deck.exit(Duration::ZERO).is_some() {
            *deck = begin(opening);
        }
        match next(3) {
            0 => deck.send(special[next(special.len())]),
            1 => deck.send(&[b' ' + next(95) as u8]),
            // Ctrl-Z would stop the process: no shell is above it.
            _ => deck.send(&[Some(next(256) as u8).filter(|byte| *byte != 0x1a).unwrap_or(b'd')]),
        }
        if pressed % 16 == 0 {
            deck.run(Duration::from_millis(5));
        }
    }
}

/// `read-only = true` in the machine's file, against everything else. The file is laid over /etc for this process alone.
fn administrator(report: &mut Report, lab: &Lab) {
    report.does("read-only = true in /etc/quarterdeck/config.toml (in a mount namespace of its own); false in the user's file, the environment and --config");
    let etc = lab.home().join("etc");
    let own = lab.home().join("own.toml");
    let user = lab.home().join(".config/quarterdeck");
    std::fs::create_dir_all(&user).expect("a directory");
    std::fs::write(user.join("config.toml"), "read-only = false\n").expect("a file");
    std::fs::write(&own, "read-only = false\n").expect("a file");
    let script = format!(
        "set -e; mkdir -p {0}; cp -a /etc/. {0}/; mkdir -p {0}/quarterdeck; echo 'read-only = true' >{0}/quarterdeck/config.toml; mount --bind {0} /etc; exec \"$@\"",
        etc.display()
    );
    let recorder = Recorder::before(&lab.socket("app-01"), lab.home());
    for (what, arguments, variable) in [
        ("the user's file", vec![], None),
        ("--config", vec!["--config", own.to_str().expect("a plain path")], None),
        ("QUARTERDECK_READ_ONLY=false", vec![], Some("false")),
        ("all of them", vec!["--config", own.to_str().expect("a plain path")], Some("0")),
    ] {
        let mut opening = Opening::on(lab).under(&["unshare", "-m", "sh", "-c", &script, "sh"]).host("app-01", &recorder.url());
        for argument in arguments {
            opening = opening.argument(argument);
        }
        if let Some(value) = variable {
            opening = opening.variable("QUARTERDECK_READ_ONLY", value);
        }
        let mut deck = opening.open();
        let shown = deck.until(|screen| lines(screen)[0].contains("READ-ONLY"), deck.started, LIMIT);
        report.holds(
            &format!("not undone by {what}"),
            shown.is_some(),
            if shown.is_some() { "READ-ONLY in the header".to_owned() } else { deck.text() },
        );
        deck.send(b"q");
        deck.exit(LIMIT);
    }
    std::fs::remove_file(user.join("config.toml")).expect("our file");
    let mut deck = Opening::on(lab).host("app-01", &recorder.url()).open();
    deck.expect_that("a live host", |screen| deck::live(screen, 1, 1));
    let shown = lines(deck.emulator.screen())[0].contains("READ-ONLY");
    report.holds("without that file nothing says read-only", !shown, lines(deck.emulator.screen())[0].trim());
}
