//! An event in a person's words, and how much it matters. Pure.

use crate::fleet::{EngineEvent, EventKind, Severity};

/// `died (1)`, `renamed web-1 → web-1-kept`, `volume created`; red is only for what is bad by itself.
pub fn words(event: &EngineEvent) -> (Severity, String) {
    match event.kind {
        EventKind::Container => of_container(event),
        EventKind::Link => of_link(event),
        EventKind::Image | EventKind::Network | EventKind::Volume | EventKind::Daemon | EventKind::Other => {
            (Severity::Quiet, format!("{} {}", event.kind.word(), past(event.verb())))
        }
    }
}

/// What makes two events of one object the same again: the action without its argument. A verdict of a HEALTHCHECK is its argument.
pub fn theme(event: &EngineEvent) -> &str {
    match event.verb() {
        "health_status" => &event.action,
        verb => verb,
    }
}

fn of_container(event: &EngineEvent) -> (Severity, String) {
    let argument = event.action.split_once(':').map(|(_, argument)| argument.trim()).unwrap_or_default();
    let (severity, text) = match (event.verb(), argument) {
        ("die", _) => match event.exit_code {
            Some(0) => (Severity::Quiet, "ended (0)".to_owned()),
            Some(code) => (Severity::Bad, format!("died ({code})")),
            None => (Severity::Bad, "died".to_owned()),
        },
        ("kill", _) => (
            Severity::Quiet,
            event.signal.as_deref().map_or_else(|| "killed".to_owned(), |signal| format!("killed by {}", signal_name(signal))),
        ),
        ("oom", _) => (Severity::Bad, "out of memory".to_owned()),
        ("health_status", "unhealthy") => (Severity::Bad, "unhealthy".to_owned()),
        ("health_status", verdict) => (Severity::Quiet, verdict.to_owned()),
        ("rename", _) => (
            Severity::Quiet,
            match &event.old_name {
                Some(old) => format!("renamed {old} → {}", event.name),
                None => "renamed".to_owned(),
            },
        ),
        ("exec_create" | "exec_start", command) => (Severity::Quiet, format!("exec {command}")),
        ("exec_die", _) => {
            (Severity::Quiet, event.exit_code.map_or_else(|| "exec ended".to_owned(), |code| format!("exec ended ({code})")))
        }
        (verb, _) => (Severity::Quiet, past(verb).to_owned()),
    };
    (severity, text)
}

fn of_link(event: &EngineEvent) -> (Severity, String) {
    let cause = event.action.split_once(':').map(|(_, cause)| cause.trim());
    let with = |said: &str| cause.map_or_else(|| said.to_owned(), |cause| format!("{said}: {cause}"));
    match event.verb() {
        "live" => (Severity::Quiet, "link is up".to_owned()),
        "stale" => (Severity::Attention, "link: no answer".to_owned()),
        "retrying" => (Severity::Bad, with("link lost")),
        "refused" => (Severity::Bad, with("link refused")),
        other => (Severity::Quiet, format!("link {other}")),
    }
}

/// The engine's imperative as what has happened; an unknown word stays as it is.
fn past(verb: &str) -> &str {
    match verb {
        "create" => "created",
        "start" => "started",
        "stop" => "stopped",
        "restart" => "restarted",
        "pause" => "paused",
        "unpause" => "unpaused",
        "destroy" | "remove" => "removed",
        "delete" => "deleted",
        "pull" => "pulled",
        "push" => "pushed",
        "tag" => "tagged",
        "untag" => "untagged",
        "load" => "loaded",
        "import" => "imported",
        "save" => "saved",
        "prune" => "pruned",
        "connect" => "connected",
        "disconnect" => "disconnected",
        "mount" => "mounted",
        "unmount" => "unmounted",
        "update" => "updated",
        "attach" => "attached",
        "detach" => "detached",
        "commit" => "committed",
        "copy" => "copied",
        "export" => "exported",
        "resize" => "resized",
        "reload" => "reloaded",
        other => other,
    }
}

/// Engines tell a signal as a number or a name.
fn signal_name(signal: &str) -> String {
    let name = match signal {
        "1" => "SIGHUP",
        "2" => "SIGINT",
        "3" => "SIGQUIT",
        "6" => "SIGABRT",
        "9" => "SIGKILL",
        "10" => "SIGUSR1",
        "12" => "SIGUSR2",
        "15" => "SIGTERM",
        "18" => "SIGCONT",
        "19" => "SIGSTOP",
        "28" => "SIGWINCH",
        number if number.bytes().all(|b| b.is_ascii_digit()) => return format!("signal {number}"),
        name => name,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::sample::event, *};

    #[test]
    fn every_event_in_words() {
        let cases = [
            (EventKind::Container, "start", Severity::Quiet, "started"),
            (EventKind::Container, "die", Severity::Bad, "died"),
            (EventKind::Container, "oom", Severity::Bad, "out of memory"),
            (EventKind::Container, "health_status: unhealthy", Severity::Bad, "unhealthy"),
            (EventKind::Container, "health_status: healthy", Severity::Quiet, "healthy"),
            (EventKind::Container, "exec_create: sh -c ls", Severity::Quiet, "exec sh -c ls"),
            (EventKind::Container, "destroy", Severity::Quiet, "removed"),
            (EventKind::Container, "something-new", Severity::Quiet, "something-new"),
            (EventKind::Image, "pull", Severity::Quiet, "image pulled"),
            (EventKind::Volume, "destroy", Severity::Quiet, "volume removed"),
            (EventKind::Network, "connect", Severity::Quiet, "network connected"),
            (EventKind::Link, "retrying: no route to host", Severity::Bad, "link lost: no route to host"),
            (EventKind::Link, "refused: host key", Severity::Bad, "link refused: host key"),
            (EventKind::Link, "stale", Severity::Attention, "link: no answer"),
            (EventKind::Link, "live", Severity::Quiet, "link is up"),
        ];
        for (kind, action, severity, text) in cases {
            let told = words(&event(0, "app-01", kind, action, "web-1"));
            assert_eq!(told, (severity, text.to_owned()), "{action}");
        }
    }

    #[test]
    fn codes_signals_and_names() {
        let mut event = event(0, "app-01", EventKind::Container, "die", "new");
        event.exit_code = Some(137);
        assert_eq!(words(&event), (Severity::Bad, "died (137)".to_owned()));
        event.exit_code = Some(0);
        assert_eq!(words(&event), (Severity::Quiet, "ended (0)".to_owned()));
        event.action = "kill".into();
        for (signal, text) in [("15", "killed by SIGTERM"), ("SIGKILL", "killed by SIGKILL"), ("42", "killed by signal 42")] {
            event.signal = Some(signal.into());
            assert_eq!(words(&event).1, text);
        }
        event.action = "rename".into();
        event.old_name = Some("old".into());
        assert_eq!(words(&event).1, "renamed old → new");
    }
}
