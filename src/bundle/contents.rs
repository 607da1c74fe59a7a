//! The files of a bundle as texts, without secrets. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Local, Utc};
use serde::Serialize;

use super::{Material, Redactor, Screen, gather::Subject};
use crate::{
    alerts::{AlertRow, Triage},
    cli::pages,
    fleet::{
        Fleet, LinkState, Matrix, Selector, Severity, mask,
        rows::{EventRow, HostRow, PsRow, VersionsRow},
    },
    text::{counted, width},
    ui::svg,
};

/// What is handed on.
#[derive(Debug)]
pub struct Contents {
    files: Vec<(String, String)>,
    missing: Vec<String>,
    made: DateTime<Utc>,
}

impl Contents {
    /// Writes everything down. Every text passes the redactor here, and nowhere else is one added.
    pub(super) fn of(
        material: Material,
        triage: &Triage,
        matrix: &Matrix,
        subjects: &[Subject],
        mut missing: Vec<String>,
        redactor: &Redactor,
    ) -> Self {
        let Material { fleet, filter, screen, now, .. } = &material;
        let all = Selector::default();
        let filter = filter.as_ref().unwrap_or(&all);
        for host in fleet.hosts().filter(|host| !host.link.is_live()) {
            let why = host.link.error().unwrap_or("it does not answer");
            missing.push(format!("how {} stands now: {} ({why}); what is said of it is the last known", host.spec.id, host.link));
        }
        let mut files: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, text: String| files.push((name.to_owned(), redactor.text(&text)));
        let alerts: Vec<AlertRow> = triage.alerts().iter().map(|alert| AlertRow::new(fleet, alert)).collect();
        put("triage.txt", triage_page(&alerts, fleet));
        put("versions.txt", pages::versions(fleet, filter, *now));
        put("hosts.txt", pages::hosts(fleet));
        let events: Vec<EventRow> = fleet
            .events()
            .iter()
            .filter(|event| filter.matches_event(event, fleet))
            .map(|event| {
                let row = EventRow::new(fleet, event);
                EventRow { action: mask::mask_text(&row.action).as_ref().into(), ..row }
            })
            .collect();
        put("events.txt", pages::events(&events, fleet));
        let mut containers = PsRow::all(fleet, filter, *now);
        for row in &mut containers {
            row.command = mask::mask_text(&row.command).as_ref().into();
        }
        let mut put_json = |name: &str, value: &dyn erased::Rows| match value.json() {
            // Masked already; a second look for names would see JSON's own punctuation as part of the values.
            Ok(text) => files.push((name.to_owned(), redactor.known(&text))),
            Err(why) => missing.push(format!("{name}: {why}")),
        };
        put_json("triage.json", &alerts);
        put_json("versions.json", &VersionsRow::all(fleet, filter, *now));
        put_json("hosts.json", &HostRow::all(fleet));
        put_json("events.json", &events);
        put_json("containers.json", &containers);
        let mut names = BTreeSet::new();
        for subject in subjects {
            let place = place(subject, &mut names);
            if let Some(document) = &subject.document {
                put_json(&format!("inspect/{place}.json"), document);
            }
        }
        let mut names = BTreeSet::new();
        for subject in subjects {
            let place = place(subject, &mut names);
            if let Some(log) = &subject.lines {
                files.push((format!("logs/{place}.log"), redactor.text(&log.text())));
            }
        }
        match screen {
            Screen::None => {}
            Screen::Private => missing.push("the screen: it showed secrets that a person had let show".to_owned()),
            Screen::Shown(buffer, options) => {
                let mut buffer = (**buffer).clone();
                redactor.screen(&mut buffer);
                files.push(("screen.txt".to_owned(), svg::plain(&buffer)));
                files.push(("screen.svg".to_owned(), svg::svg(&buffer, options)));
            }
        }
        let readme = readme(&material, triage, matrix, &files, &missing);
        files.insert(0, ("README.md".to_owned(), redactor.text(&readme)));
        Self { files, missing, made: material.now }
    }

    /// The files: place below the bundle's directory, and text.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// What could not be had, a sentence each.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// When it was asked for.
    pub fn made(&self) -> DateTime<Utc> {
        self.made
    }
}

/// Rows and documents as JSON texts.
mod erased {
    use super::{Serialize, pages};

    pub trait Rows {
        fn json(&self) -> Result<String, String>;
    }

    impl<T: Serialize> Rows for Vec<T> {
        fn json(&self) -> Result<String, String> {
            pages::array(self)
        }
    }

    impl Rows for serde_json::Value {
        fn json(&self) -> Result<String, String> {
            pages::document(self)
        }
    }
}

/// A container's place among files: no name of a stranger's leads out of the directory, and no two are one.
fn place(subject: &Subject, taken: &mut BTreeSet<String>) -> String {
    let (host, name) = subject.name.split_once('/').unwrap_or((subject.key.host.as_str(), &subject.name));
    let place = format!("{}/{}", harmless(host), harmless(name));
    if taken.insert(place.clone()) {
        return place;
    }
    let place = format!("{place}-{}", harmless(subject.key.id.short()));
    taken.insert(place.clone());
    place
}

fn harmless(name: &str) -> String {
    let kept: String =
        name.chars().take(80).map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect();
    match kept.trim_start_matches('.') {
        "" => "_".to_owned(),
        name => name.to_owned(),
    }
}

fn triage_page(alerts: &[AlertRow], fleet: &Fleet) -> String {
    if alerts.is_empty() {
        return format!("nothing is wrong · {} live\n", counted(fleet.hosts().filter(|host| host.link.is_live()).count(), "host"));
    }
    let mut page = String::new();
    for alert in alerts {
        let since = alert.since.map_or_else(|| "before anybody looked".to_owned(), |since| since.to_rfc3339());
        let stale = if alert.stale { " (last known)" } else { "" };
        page.push_str(&format!("{:<9} {}{stale}\n          since {since}\n", alert.severity, alert.sentence));
        for container in &alert.containers {
            page.push_str(&format!("          {container}\n"));
        }
    }
    page
}

fn readme(material: &Material, triage: &Triage, matrix: &Matrix, files: &[(String, String)], missing: &[String]) -> String {
    let Material { fleet, filter, now, simulated, .. } = material;
    let mut page = String::from("# A hand-off by quarterdeck\n\n");
    let mut say = |text: &str| {
        page.push_str(text);
        page.push('\n');
    };
    let local = now.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z");
    say(&format!("Made {} ({local}) by quarterdeck {}.", now.to_rfc3339(), env!("CARGO_PKG_VERSION")));
    if *simulated {
        say("The fleet is simulated.");
    }
    say(&match filter {
        Some(filter) => format!("Of what matches `{filter}`."),
        None => "Of the whole fleet.".to_owned(),
    });
    let live = fleet.hosts().filter(|host| host.link.is_live()).count();
    let (containers, running) = fleet.counts();
    say(&format!(
        "{live} of {} live; {}, {running} running; {}; {} bad now, {} to look at.",
        counted(fleet.hosts().len(), "host"),
        counted(containers, "container"),
        counted(matrix.rows().len(), "service"),
        triage.count(Severity::Bad),
        triage.count(Severity::Attention),
    ));
    say("\n## What is wrong\n");
    for alert in triage.alerts() {
        say(&format!("- {}", alert.sentence));
    }
    if triage.alerts().is_empty() {
        say("Nothing.");
    }
    say("\n## What is here\n");
    let known = |name: &str| match name {
        "triage.txt" | "triage.json" => "what is bad now, worst first, since when",
        "versions.txt" | "versions.json" => "which version of which service runs where, and what disagrees",
        "hosts.txt" | "hosts.json" => "the hosts and how the links to them stood",
        "events.txt" | "events.json" => "what the engines reported, times in UTC",
        "containers.json" => "every container",
        "screen.txt" | "screen.svg" => "the screen at that moment",
        name if name.starts_with("logs/") => "last lines: time, output, text",
        _ => "all that the engine says of it, masked",
    };
    let widest = files.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, _) in files {
        say(&format!("    {name:<widest$}  {}", known(name)));
    }
    say("\n## The links\n");
    for host in fleet.hosts() {
        let since = match &host.link {
            LinkState::Connecting => String::new(),
            LinkState::Live { since }
            | LinkState::Stale { since }
            | LinkState::Retrying { since, .. }
            | LinkState::Refused { since, .. } => format!(" since {}", since.to_rfc3339()),
        };
        let error = host.link.error().map_or(String::new(), |error| format!(": {error}"));
        let engine = host.engine.as_ref().map_or(String::new(), |engine| format!(" · {} · API {}", engine.engine, engine.api));
        say(&format!("- {}: {}{since}{error}{engine}", host.spec.id, host.link));
    }
    say("\n## What could not be had\n");
    for line in missing {
        say(&format!("- {line}"));
    }
    if missing.is_empty() {
        say("Nothing is missing.");
    }
    say("\n## Secrets\n");
    say("Values of variables are masked in every document, and so is what stands behind names that look secret (password, token, key, …) \
         in labels, commands and lines. The values of variables and labels of the containers above whose names look secret, and long values \
         that look drawn by lot, are masked wherever they occur. What cannot be known: a secret shorter than four characters, one that \
         another container holds, or one that a program made up and printed without a name. Read before you hand it on.");
    page
}
