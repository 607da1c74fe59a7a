//! How a service is known to serve, and the last word on a deployment.

use std::{sync::Arc, time::Duration};

use regex::Regex;

use super::values::{command, duration, image, integer, port};
use crate::{
    delivery::{
        spec::{Health, Probe, Verify},
        template::{HEALTH_INTERVAL, HEALTH_RISE, HEALTH_TIMEOUT, VERIFY_TIMEOUT},
    },
    fleet::ServiceName,
    written::{Reader, Said, Section, Value},
};

/// Asking more often than this measures nothing and only costs.
const OFTENEST: Duration = Duration::from_millis(50);

pub(super) fn health(reader: &mut Reader<'_>, section: &mut Section) -> Option<Health> {
    let (mut section, at) = section.section(reader, "health")?;
    let title = section.name.clone();
    let kinds: Vec<&str> = ["http", "tcp", "command", "log"].into_iter().filter(|key| section.has(key)).collect();
    match kinds[..] {
        [_] => {}
        [] => reader.fault(&at, format!("{title}: what is asked is missing: one of http, tcp, command or log")),
        _ => reader.fault(&at, format!("{title}: {} at once: one of them", kinds.join(" and "))),
    }
    if section.has("port") && !kinds.iter().any(|kind| ["http", "tcp"].contains(kind)) && !kinds.is_empty() {
        reader.fault(&at, format!("{title}.port: only http and tcp ask a port"));
    }
    let ask_port = port(reader, &mut section, "port").map(|said| said.value);
    let http = path(reader, &mut section, "http").map(|path| Probe::Http { path, port: ask_port });
    let tcp = tcp(reader, &mut section, ask_port);
    let run = command(reader, &mut section, "command").map(|said| Probe::Command(said.value));
    let log = log(reader, &mut section);
    let interval = duration(reader, &mut section, "interval");
    if let Some(said) = interval.as_ref().filter(|said| said.value < OFTENEST) {
        reader.fault(&said.origin, format!("{title}.interval: at least 50ms"));
    }
    let interval = interval.map_or(HEALTH_INTERVAL, |said| said.value);
    let rise = integer(reader, &mut section, "rise", 1, 1000).map_or(HEALTH_RISE, |said| said.value);
    let timeout = duration(reader, &mut section, "timeout");
    let needed = interval.saturating_mul(u32::from(rise).saturating_sub(1));
    if let Some(said) = timeout.as_ref().filter(|said| said.value.is_zero() || said.value < needed) {
        reader.fault(&said.origin, format!("{title}.timeout: too short for rise = {rise} answers, one each interval"));
    }
    section.finish(reader);
    let timeout = timeout.map_or(HEALTH_TIMEOUT, |said| said.value);
    let probe = http.or(tcp).or(run).or(log)?;
    Some(Health { probe, interval, rise, timeout })
}

/// A page of a server.
fn path(reader: &mut Reader<'_>, section: &mut Section, key: &'static str) -> Option<Arc<str>> {
    let said = section.text(reader, key)?;
    if !said.value.starts_with('/') || said.value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        reader.fault(&said.origin, format!("{}: {:?} is no path: it begins with / and holds no blank", section.full(key), said.value));
        return None;
    }
    Some(Arc::from(said.value))
}

/// `tcp = 5432`, or `tcp = true` for the first port.
fn tcp(reader: &mut Reader<'_>, section: &mut Section, ask_port: Option<u16>) -> Option<Probe> {
    let entry = section.take("tcp")?;
    let title = section.full("tcp");
    match entry.node.value {
        Value::Flag(true) => return Some(Probe::Tcp { port: ask_port }),
        Value::Integer(number) if ask_port.is_none() => match u16::try_from(number) {
            Ok(port) if port > 0 => return Some(Probe::Tcp { port: Some(port) }),
            Ok(_) | Err(_) => reader.fault(&entry.node.origin, format!("{title}: {number} is no port: 1 to 65535")),
        },
        Value::Integer(_) => reader.fault(&entry.node.origin, format!("{title}: the port is named twice")),
        other => reader.fault(&entry.node.origin, format!("{title}: expected a port or true, found {}", other.kind())),
    }
    None
}

fn log(reader: &mut Reader<'_>, section: &mut Section) -> Option<Probe> {
    let said = section.text(reader, "log")?;
    match Regex::new(&said.value) {
        Ok(_) => Some(Probe::Log(Arc::from(said.value))),
        Err(_) => {
            reader.fault(&said.origin, format!("{}: {:?} is no regular expression", section.full("log"), said.value));
            None
        }
    }
}

pub(super) fn verify(reader: &mut Reader<'_>, section: &mut Section, built: &[String]) -> Option<(Verify, Option<Said<String>>)> {
    let (mut section, at) = section.section(reader, "verify")?;
    let title = section.name.clone();
    let by_page = section.has("http") || section.has("service") || section.has("contains");
    let by_command = section.has("command") || section.has("image");
    let timeout = duration(reader, &mut section, "timeout").map_or(VERIFY_TIMEOUT, |said| said.value);
    let found = match (by_page, by_command) {
        (true, false) => {
            for key in ["service", "http"].into_iter().filter(|key| !section.has(key)) {
                reader.fault(&at, format!("{title}: {key} is missing: {{ service = \"web\", http = \"/\", contains = \"hello\" }}"));
            }
            let service = section.text(reader, "service");
            let path = path(reader, &mut section, "http");
            let contains = section.text(reader, "contains").map(|said| Arc::from(said.value));
            match (service, path) {
                (Some(said), Some(path)) => {
                    Some((Verify::Http { service: ServiceName::new(&said.value), path, contains, timeout }, Some(said)))
                }
                _ => None,
            }
        }
        (false, true) => {
            if !section.has("command") {
                reader.fault(&at, format!("{title}: command is missing"));
            }
            let run = command(reader, &mut section, "command");
            let source = section.text(reader, "image").and_then(|said| image(reader, &format!("{title}.image"), &said, built));
            run.map(|run| (Verify::Command { command: run.value, image: source, timeout }, None))
        }
        (true, true) | (false, false) => {
            for key in ["service", "http", "contains", "command", "image"] {
                section.take(key);
            }
            let message = format!("{title}: expected either {{ service = \"web\", http = \"/\" }} or {{ command = [\"…\"] }}");
            reader.fault(&at, message);
            None
        }
    };
    section.finish(reader);
    found
}
