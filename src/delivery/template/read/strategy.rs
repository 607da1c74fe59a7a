//! `strategy = { … }`.

use std::time::Duration;

use super::values::{decimal, duration, integer, items};
use crate::{
    delivery::{
        spec::{Batch, BlueGreenBy, CanaryStep, CanaryThen, Compare, OnFailure, Order, StrategyKind, StrategySpec},
        template::{BAKE, COMPARE, KEEP_WARM},
    },
    text::nearest,
    written::{Origin, Reader, Said, Section, Value, choice, one_of},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Recreate,
    Rolling,
    BlueGreen,
    Canary,
}

const KINDS: [(&str, Kind); 4] =
    [("recreate", Kind::Recreate), ("rolling", Kind::Rolling), ("blue-green", Kind::BlueGreen), ("canary", Kind::Canary)];

/// The keys that only one kind has.
const OWN: [(&str, Kind); 6] = [
    ("batch", Kind::Rolling),
    ("pause", Kind::Rolling),
    ("by", Kind::BlueGreen),
    ("steps", Kind::Canary),
    ("compare", Kind::Canary),
    ("then", Kind::Canary),
];

impl Kind {
    fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// What holds where nothing is said.
pub(super) fn usual() -> StrategySpec {
    StrategySpec {
        kind: StrategyKind::Rolling { batch: Batch::Count(1), pause: Duration::ZERO },
        order: None,
        bake: BAKE,
        max_failures: 0,
        keep_warm: KEEP_WARM,
        on_failure: OnFailure::default(),
    }
}

/// `"rolling"` or a table.
pub(in crate::delivery::template) fn read(reader: &mut Reader<'_>, section: &mut Section) -> StrategySpec {
    let Some(entry) = section.take("strategy") else { return usual() };
    let title = section.full("strategy");
    let at = entry.node.origin;
    let mut section = match entry.node.value {
        Value::Text(text) => {
            let said = Said { value: text, origin: at.clone() };
            let kind = choice(reader, &title, &said, &KINDS);
            let mut empty = Section::new(title, crate::written::Table::new());
            return StrategySpec { kind: kind_of(reader, &mut empty, kind.unwrap_or(Kind::Rolling), &at), ..usual() };
        }
        Value::Table(table) => Section::new(title.clone(), table),
        other => {
            reader.fault(&at, format!("{title}: expected {{ kind = \"rolling\" }}, found {}", other.kind()));
            return usual();
        }
    };
    let kind = kind(reader, &mut section, &at);
    let mut spec = usual();
    if let Some(kind) = kind {
        foreign(reader, &mut section, kind);
        spec.kind = kind_of(reader, &mut section, kind, &at);
    } else {
        // Which keys it may have cannot be told.
        for (key, _) in OWN {
            section.take(key);
        }
    }
    spec.order = order(reader, &mut section, kind);
    spec.bake = duration(reader, &mut section, "bake").map_or(spec.bake, |said| said.value);
    spec.keep_warm = duration(reader, &mut section, "keep-warm").map_or(spec.keep_warm, |said| said.value);
    spec.max_failures = section.number(reader, "max-failures", 0).map_or(0, |said| said.value);
    let scopes = [("deployment", OnFailure::Deployment), ("batch", OnFailure::Batch), ("host", OnFailure::Host), ("park", OnFailure::Park)];
    let on_failure = section.text(reader, "on-failure");
    spec.on_failure = on_failure.and_then(|said| choice(reader, &format!("{title}.on-failure"), &said, &scopes)).unwrap_or_default();
    section.finish(reader);
    spec
}

fn kind(reader: &mut Reader<'_>, section: &mut Section, at: &Origin) -> Option<Kind> {
    let title = section.full("kind");
    if !section.has("kind") {
        let words = KINDS.map(|(word, _)| word);
        reader.fault(at, format!("{}: kind is missing: {}", section.name, one_of(&words)));
    }
    let said = section.text(reader, "kind")?;
    choice(reader, &title, &said, &KINDS)
}

/// Takes out what belongs to another strategy, and says to which; a key that is none at all is told as unknown.
fn foreign(reader: &mut Reader<'_>, section: &mut Section, kind: Kind) {
    for (key, owner) in OWN.into_iter().filter(|(_, owner)| *owner != kind) {
        if let Some(entry) = section.rest().shift_remove(key) {
            let mine: Vec<&str> = OWN.iter().filter(|(_, owner)| *owner == kind).map(|(key, _)| *key).collect();
            let near = nearest(key, mine.iter().copied()).map_or(String::new(), |near| format!(": did you mean {near:?}?"));
            reader.fault(&entry.key, format!("{}: {key} belongs to {}, this is {}{near}", section.name, owner.word(), kind.word()));
        }
    }
}

fn kind_of(reader: &mut Reader<'_>, section: &mut Section, kind: Kind, at: &Origin) -> StrategyKind {
    let title = section.name.clone();
    match kind {
        Kind::Recreate => StrategyKind::Recreate,
        Kind::Rolling => StrategyKind::Rolling {
            batch: batch(reader, section).unwrap_or(Batch::Count(1)),
            pause: duration(reader, section, "pause").map_or(Duration::ZERO, |said| said.value),
        },
        Kind::BlueGreen => {
            let by = section.text(reader, "by").and_then(|said| {
                choice(reader, &format!("{title}.by"), &said, &[("colour", BlueGreenBy::Colour), ("host", BlueGreenBy::Host)])
            });
            StrategyKind::BlueGreen { by: by.unwrap_or_default() }
        }
        Kind::Canary => {
            let steps = steps(reader, section, at);
            let compare = compare(reader, section);
            let then = section.text(reader, "then").and_then(|said| {
                choice(reader, &format!("{title}.then"), &said, &[("auto", CanaryThen::Auto), ("approve", CanaryThen::Approve)])
            });
            StrategyKind::Canary { steps, compare, then: then.unwrap_or_default() }
        }
    }
}

/// What stands side by side cannot come one after the other, and the other way round.
fn order(reader: &mut Reader<'_>, section: &mut Section, kind: Option<Kind>) -> Option<Order> {
    let title = section.full("order");
    let said = section.text(reader, "order")?;
    let order = choice(reader, &title, &said, &[("start-first", Order::StartFirst), ("stop-first", Order::StopFirst)])?;
    let against = match (kind?, order) {
        (Kind::Recreate, Order::StartFirst) => Some("recreate stops the old ones first"),
        (Kind::BlueGreen, Order::StopFirst) => Some("blue-green has the new ones beside the old ones"),
        (Kind::Canary, Order::StopFirst) => Some("canary has the new ones beside the old ones"),
        (Kind::Recreate | Kind::Rolling, Order::StopFirst) | (Kind::Rolling | Kind::BlueGreen | Kind::Canary, Order::StartFirst) => None,
    };
    if let Some(why) = against {
        reader.fault(&said.origin, format!("{title}: {:?} cannot be: {why}", said.value));
    }
    Some(order)
}

fn batch(reader: &mut Reader<'_>, section: &mut Section) -> Option<Batch> {
    let entry = section.take("batch")?;
    let title = section.full("batch");
    let found = match &entry.node.value {
        Value::Integer(number) => u16::try_from(*number).ok().filter(|count| *count > 0).map(Batch::Count).ok_or(number.to_string()),
        Value::Text(text) => {
            let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<u8>().ok());
            percent.filter(|percent| (1..=100).contains(percent)).map(Batch::Percent).ok_or(format!("{text:?}"))
        }
        other => Err(other.kind().to_owned()),
    };
    match found {
        Ok(batch) => Some(batch),
        Err(found) => {
            reader.fault(&entry.node.origin, format!("{title}: {found}: expected a number of hosts from 1, or \"1%\" to \"100%\""));
            None
        }
    }
}

fn steps(reader: &mut Reader<'_>, section: &mut Section, at: &Origin) -> Vec<CanaryStep> {
    let title = section.full("steps");
    let example = "steps = [{ weight = 5, bake = \"2m\" }, { weight = 50, bake = \"5m\" }]";
    if !section.has("steps") {
        reader.fault(at, format!("{}: steps is missing: {example}", section.name));
    }
    let Some(listed) = items(reader, section, "steps", "tables") else { return Vec::new() };
    if listed.value.is_empty() {
        reader.fault(&listed.origin, format!("{title}: no step: {example}"));
    }
    let mut steps: Vec<CanaryStep> = Vec::with_capacity(listed.value.len());
    for item in listed.value {
        let at = item.origin.clone();
        let Some(mut section) = Section::of(reader, title.clone(), item) else { continue };
        if !section.has("weight") {
            reader.fault(&at, format!("{title}: weight is missing: {{ weight = 5, bake = \"2m\" }}"));
        }
        let weight = integer::<u8>(reader, &mut section, "weight", 1, 100);
        let bake = duration(reader, &mut section, "bake").map_or(BAKE, |said| said.value);
        section.finish(reader);
        let Some(weight) = weight else { continue };
        if let Some(last) = steps.last().filter(|last| last.weight >= weight.value) {
            reader.fault(
                &weight.origin,
                format!("{title}: weight {} after {}: each step takes more than the one before", weight.value, last.weight),
            );
        }
        steps.push(CanaryStep { weight: weight.value, bake });
    }
    steps
}

fn compare(reader: &mut Reader<'_>, section: &mut Section) -> Compare {
    let Some((mut section, _)) = section.section(reader, "compare") else { return COMPARE };
    let mut ratio = |key: &'static str, usual: f64| {
        let said = decimal(reader, &mut section, key)?;
        if said.value < 1.0 {
            let message = format!(
                "{}: {} asks the new ones to be better than the old ones: at least 1.0, {usual} is usual",
                section.full(key),
                said.value
            );
            reader.fault(&said.origin, message);
        }
        Some(said.value)
    };
    let errors = ratio("errors", COMPARE.errors).unwrap_or(COMPARE.errors);
    let latency = ratio("latency", COMPARE.latency).unwrap_or(COMPARE.latency);
    let min_requests = integer(reader, &mut section, "min-requests", 1, 1_000_000_000).map_or(COMPARE.min_requests, |said| said.value);
    section.finish(reader);
    Compare { errors, latency, min_requests }
}
