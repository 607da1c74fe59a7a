//! `inspect`: everything the engine says of one container; secrets masked.

use super::{
    args::{Format, Global, Output},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json, out,
};
use crate::fleet::{Container, ContainerKey, Fleet, Selector, mask::mask};

/// So many of several matches are named.
const NAMED: usize = 20;

/// Prints the one container that the selector selects.
pub fn run(global: &Global, terms: &[String], output: Output) -> Result<Exit, Failure> {
    let filter = selector(terms)?;
    let sources = Sources::load(global)?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let key = one(watch.fleet(), &filter, &terms.join(" "), &watch.shortfalls())?;
        let answer = watch.inspect(&key).await;
        let mut document = answer.map_err(|error| Failure::failed(format!("host {:?}: {error}", key.host.as_str())))?;
        mask(&mut document);
        out::print(&match output.format {
            Format::Json => json::line(&document)?,
            Format::Table => json::pretty(&document)?,
        })?;
        // It was found and told; hosts without an answer may hold another match, which would be no answer at all.
        Ok(watch.finish())
    })
}

/// The one match.
///
/// # Errors
/// The list of several; that there is none, and where it could not be looked for.
pub(super) fn one(fleet: &Fleet, filter: &Selector, text: &str, missing: &[String]) -> Result<ContainerKey, Failure> {
    let selected = |container: &&Container| fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host));
    let found: Vec<&Container> = fleet.containers().filter(selected).collect();
    match found.as_slice() {
        [container] => Ok(container.key.clone()),
        [] if missing.is_empty() => Err(Failure::usage(format!("{text:?} matches no container"))),
        [] => Err(Failure::incomplete(format!("{text:?} matches no container on the hosts that answer; {}", missing.join("; ")))),
        several => {
            let mut message = format!("{text:?} matches {} containers; add terms until one is left:", several.len());
            for container in several.iter().take(NAMED) {
                message.push_str(&format!("\n  host:{} name:{} id:{}", container.key.host, container.name, container.key.id.short()));
            }
            if several.len() > NAMED {
                message.push_str(&format!("\n  … and {} more", several.len() - NAMED));
            }
            Err(Failure::usage(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture;

    #[test]
    fn exactly_one_or_the_list() {
        let fleet = fixture::fleet();
        let find = |text: &str, missing: &[String]| one(&fleet, &Selector::parse(text).unwrap(), text, missing);
        assert_eq!(find("host:app-07 service:api", &[]).unwrap().host.as_str(), "app-07");
        assert_eq!(find("name:nobody", &[]), Err(Failure::usage("\"name:nobody\" matches no container")));
        let lost = "host \"app-05\": no route".to_owned();
        assert_eq!(
            find("name:nobody", &[lost]),
            Err(Failure::incomplete("\"name:nobody\" matches no container on the hosts that answer; host \"app-05\": no route"))
        );
        insta::assert_debug_snapshot!("inspect_several", find("service:api env:staging", &[]));
    }
}
