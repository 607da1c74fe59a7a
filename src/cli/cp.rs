//! `cp`: a file or a directory out of a container.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use super::{
    args::Global,
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, wait},
    inspect::one,
    out::{self, complain},
    unpack::{self, Unpacked},
};
use crate::{
    engine::exec::ArchiveBody,
    fleet::Selector,
    ledger::audit::{Intent, Outcome, Target, Who},
    runtime::terminal::guest::{Stream, say},
    text,
};

/// The act's name in the audit.
const ACTION: &str = "container.copy-out";

/// Copies, and tells how much.
pub fn run(global: &Global, paths: &[String]) -> Result<Exit, Failure> {
    let Some((dest, source)) = paths.split_last() else { return Err(Failure::usage("cp SELECTOR:PATH DEST")) };
    let (filter, text, path) = parse(&source.join(" "))?;
    let sources = Sources::load(global)?;
    sources.may_act("cp")?;
    let audit = sources.ledger()?.audit();
    if dest == "-" && io::stdout().is_terminal() {
        return Err(Failure::usage("a tar stream is nothing for a terminal: send it to a file or a pipe"));
    }
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let key = one(watch.fleet(), &filter, &text, &watch.shortfalls())?;
        let name = watch.fleet().container(&key).map_or_else(String::new, |container| container.name.to_string());
        let intent = Intent {
            who: Who::of_process(),
            action: ACTION.to_owned(),
            host: key.host.to_string(),
            target: Target { name: name.clone(), id: key.id.to_string() },
            argument: path.clone(),
            plan: format!("copy {path} out of {name} on {} to {dest}", key.host),
        };
        let not_recorded = |error| Failure::failed(format!("not done, because it could not be recorded: {error}"));
        let entry = audit.begin(intent).await.map_err(not_recorded)?;
        let copied = match watch.exec().archive(&key, &path).await {
            Ok((stat, body)) if dest == "-" => {
                let bytes = watch.beside(pour(body)).await;
                bytes.map(|bytes| (stat.name, Unpacked { bytes, ..Unpacked::default() }))
            }
            Ok((stat, body)) => watch.beside(unfold(body, dest, stat.is_dir())).await.map(|unpacked| (stat.name, unpacked)),
            Err(error) => Err(format!("host {:?}: {error}", key.host.as_str())),
        };
        let outcome = match &copied {
            Ok((_, unpacked)) => Outcome::done(summary(unpacked)),
            Err(error) => Outcome::failed(error),
        };
        audit.finish(entry, outcome).await.map_err(Failure::failed)?;
        let (_, unpacked) = copied.map_err(Failure::failed)?;
        for refused in &unpacked.refused {
            complain(&format!("not copied: {refused}"));
        }
        if dest != "-" {
            out::print(&format!("{} to {dest}\n", summary(&unpacked)))?;
        }
        Ok(if unpacked.refused.is_empty() { Exit::DONE } else { Exit::FAILED })
    })
}

fn summary(unpacked: &Unpacked) -> String {
    let bytes = text::bytes(unpacked.bytes);
    match unpacked.refused.len() {
        _ if unpacked.entries == 0 => bytes,
        0 => format!("{}, {bytes}", text::counted(unpacked.entries, "file")),
        left_out => format!("{}, {bytes}, {left_out} left out", text::counted(unpacked.entries, "file")),
    }
}

/// Where the selector ends and the path begins: at the last `:/` whose left side is a selector.
fn parse(source: &str) -> Result<(Selector, String, String), Failure> {
    let mut fault = format!("{source:?}: expected SELECTOR:PATH with a path from /, as in name:shop-web-1:/etc/hosts");
    for (at, _) in source.match_indices(":/").collect::<Vec<_>>().into_iter().rev() {
        let (selector, path) = (&source[..at], &source[at + 1..]);
        match Selector::parse(selector) {
            Ok(filter) if !selector.trim().is_empty() => return Ok((filter, selector.to_owned(), path.to_owned())),
            Ok(_) => {}
            Err(error) => fault = format!("{selector:?}: {error}"),
        }
    }
    Err(Failure::usage(fault))
}

/// The stream as it comes, to standard output.
async fn pour(mut body: ArchiveBody) -> Result<u64, String> {
    let mut bytes = 0;
    while let Some(piece) = body.next().await.map_err(|error| error.to_string())? {
        bytes += piece.len() as u64;
        say(Stream::Out, piece).await.map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(bytes)
}

/// The stream as files; they are written on a thread of their own.
async fn unfold(body: ArchiveBody, dest: &str, is_dir: bool) -> Result<Unpacked, String> {
    let dest = dest.to_owned();
    body.read_by(move |pieces| unpack::unpack(pieces, Path::new(&dest), is_dir)).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_path_begins() {
        for (source, expected) in [
            ("name:web:/etc/hosts", Some(("name:web", "/etc/hosts"))),
            ("host:app-01 service:web:/", Some(("host:app-01 service:web", "/"))),
            ("name:/web-[12]/:/etc/hosts", Some(("name:/web-[12]/", "/etc/hosts"))),
            ("web:/etc/hosts", Some(("web", "/etc/hosts"))),
            ("web:etc/hosts", None),
            (":/etc/hosts", None),
            ("web", None),
        ] {
            let found = parse(source).ok().map(|(_, selector, path)| (selector, path));
            assert_eq!(found.as_ref().map(|(selector, path)| (selector.as_str(), path.as_str())), expected, "{source}");
        }
    }
}
