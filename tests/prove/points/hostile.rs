//! Every byte that the console writes while it shows what tries to break it.

use std::time::{Duration, Instant};

use super::super::stage::{
    Length,
    deck::{self, Opening},
    lab::Lab,
    pty::{Console, usage},
    report::Report,
    rogue::{self, Rogue},
    strict,
};

const LIMIT: Duration = Duration::from_secs(10);

pub fn run(report: &mut Report, lab: &Lab, length: Length) {
    let sound = strict::finds_what_it_should();
    report.holds(
        "the reader of the bytes finds what it should",
        sound.is_ok(),
        sound.err().unwrap_or_else(|| "16 kinds of bad bytes".to_owned()),
    );
    for (columns, rows) in [(200, 60), (80, 24)] {
        report.does(&format!("a walk through every panel over the simulated fleet \"hostile\", {columns}×{rows}"));
        let mut deck = Opening::on(lab).argument("--sim=hostile").size(columns, rows).open();
        walk(report, &mut deck, length, 4);
    }
    report.does("the same over the lab's container \"hostile\" on a real engine");
    let url = format!("unix://{}", lab.socket("app-01").display());
    let mut deck = Opening::on(lab).host("app-01", &url).open();
    walk(report, &mut deck, length, 1);
    rogues(report, lab, length);
    report.does("broken configurations, themes and keymaps: tests/bad, one by one, in the unit tests of config, ui::theme and ui::keymap");
}

fn walk(report: &mut Report, deck: &mut Console, length: Length, hosts: usize) {
    deck.record = Some(Vec::new());
    let all = format!("/{hosts} live");
    deck.expect_that("hosts", move |screen| deck::lines(screen)[0].contains(&all));
    let rest = Duration::from_millis(length.pick(25, 60));
    let mut press = |keys: &[u8], times: usize| {
        for _ in 0..times {
            deck.send(keys);
            deck.run(rest);
        }
    };
    let long = length.pick(4, 12);
    for panel in [b"1", b"2", b"3", b"4", b"8"] {
        press(panel, 1);
        for _ in 0..length.pick(4, 12) {
            press(b"j", 1);
            // Inspect, through the whole document, and back; then what else opens here.
            press(b"i", 1);
            press(b"\x1b[6~", length.pick(1, 3));
            press(b"\x1b", 1);
        }
        press(b"\r", 1);
        press(b"\x1b[6~", 2);
        press(b"\x1b", 2);
        press(b"yy", 1);
        press(b"yi", 1);
        press(b"yv", 1);
        press(b"g", 4);
        press(b"o", long);
        press(b"?", 1);
        press(b"\x1b", 1);
        press(b":", 1);
        press(b"e", 1);
        press(b"\x1b", 1);
    }
    // A filter that nothing but hostile text matches, and pasted control bytes.
    press(b"/", 1);
    press(b"\x1b[200~\x1b]0;owned\x07\xe2\x80\xae\x1b[201~", 1);
    press(b"\r", 1);
    press(b"\x1b", 2);
    press(b"\x0c", 1);
    press(b"q", 1);
    let code = deck.exit(LIMIT);
    report.holds("it leaves with 0", code == Some(0), format!("{code:?}"));
    let bytes = deck.record.take().unwrap_or_default();
    let found = strict::findings(&bytes);
    report.holds(
        "no byte but text and the console's own sequences",
        found.is_empty() && bytes.len() > 10_000,
        format!("{} findings in {} bytes {}", found.len(), bytes.len(), found.iter().take(5).cloned().collect::<Vec<_>>().join(" · ")),
    );
}

/// Servers that are no engines, beside one that is.
fn rogues(report: &mut Report, lab: &Lab, length: Length) {
    let servers: Vec<(&str, Rogue)> = rogue::ALL.iter().map(|(name, manner)| (*name, Rogue::listen(lab.home(), name, *manner))).collect();
    let mut opening = Opening::on(lab).host("good", &format!("unix://{}", lab.socket("app-03").display()));
    for (name, server) in &servers {
        opening = opening.host(name, &server.url());
    }
    report.does(&format!(
        "one good host and {} servers that answer {}",
        servers.len(),
        servers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    ));
    let mut deck = opening.open();
    deck.record = Some(Vec::new());
    let all = servers.len() + 1;
    let started = Instant::now();
    let good = deck.until(|screen| deck::lines(screen)[0].contains(&format!("1/{all} live")), started, LIMIT);
    report.holds("the good one is live", good.is_some(), good.map_or_else(|| deck.text(), |seconds| format!("{seconds:.1} s")));
    let before = usage(deck.pid()).1;
    let calm = {
        let mut alone = Opening::on(lab).host("good", &format!("unix://{}", lab.socket("app-03").display())).open();
        alone.expect_that("1 live host", |screen| deck::live(screen, 1, 1));
        deck::keep_pressing(&mut alone, Duration::from_secs(length.pick(1, 10)), |_| false)
    };
    let mut least = usize::MAX;
    let taken = deck::keep_pressing(&mut deck, Duration::from_secs(length.pick(6, 30)), |screen| {
        let line = &deck::lines(screen)[0];
        least = least.min(usize::from(line.contains("live") && !line.contains(&format!("0/{all} live"))));
        false
    });
    report.frames(&taken, &calm);
    report.holds("the good one stays live all the time", least == 1, "by the header of every screen");
    deck::go(&mut deck, "3", "Hosts");
    let mut unmarked = Vec::new();
    for (name, _) in &servers {
        let line = deck::lines(deck.emulator.screen()).into_iter().find(|line| deck::is_of(line, name)).unwrap_or_default();
        report.figure("shown", line.trim().chars().take(150).collect::<String>());
        if line.split_whitespace().any(|word| word == "live") {
            unmarked.push(*name);
        }
    }
    report.holds(
        "each of the others is marked",
        unmarked.is_empty(),
        if unmarked.is_empty() { "all".to_owned() } else { unmarked.join(", ") },
    );
    let after = usage(deck.pid()).1;
    report.holds("endless answers do not fill the memory", after < before + 64 * 1024, format!("{before} KiB, then {after} KiB"));
    deck.send(b"q");
    let code = deck.exit(LIMIT);
    report.holds("it leaves with 0", code == Some(0), format!("{code:?}"));
    let found = strict::findings(&deck.record.take().unwrap_or_default());
    report.holds(
        "their bytes do not reach the terminal",
        found.is_empty(),
        format!("{} findings {}", found.len(), found.first().cloned().unwrap_or_default()),
    );
}
