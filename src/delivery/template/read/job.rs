//! `[jobs.*]`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    overrides, plain_name,
    service::image_of,
    values::{command, duration, names, secrets, vars},
};
use crate::{
    delivery::{
        spec::{ImageSource, JobSpec, JobTime},
        template::JOB_TIMEOUT,
    },
    fleet::ServiceName,
    written::{Origin, Reader, Section, choice},
};

pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section, built: &[String]) -> IndexMap<Arc<str>, JobSpec> {
    let mut jobs = IndexMap::new();
    for (name, origin, section) in top.named(reader, "jobs") {
        plain_name(reader, "jobs", &name, &origin);
        jobs.insert(Arc::from(name), job(reader, section, &origin, built));
    }
    jobs
}

fn job(reader: &mut Reader<'_>, mut section: Section, at: &Origin, built: &[String]) -> JobSpec {
    let title = section.name.clone();
    let image = image_of(reader, &mut section, at, built);
    let when = section.text(reader, "when").and_then(|said| {
        let known = [("before", JobTime::Before), ("after", JobTime::After), ("failed", JobTime::Failed)];
        choice(reader, &format!("{title}.when"), &said, &known)
    });
    let timeout = duration(reader, &mut section, "timeout");
    if let Some(said) = timeout.as_ref().filter(|said| said.value.is_zero()) {
        reader.fault(&said.origin, format!("{title}.timeout: no time at all: above 0s"));
    }
    let job = JobSpec {
        image: image.unwrap_or_else(|| ImageSource::Outside(Arc::from(""))),
        command: command(reader, &mut section, "command").map(|said| said.value),
        vars: vars(reader, &mut section),
        secrets: secrets(reader, &mut section).unwrap_or_default(),
        needs: names(reader, &mut section, "needs").map_or_else(Vec::new, |said| said.value.iter().map(ServiceName::new).collect()),
        memory: overrides::memory(reader, &mut section),
        timeout: timeout.map_or(JOB_TIMEOUT, |said| said.value),
        when: when.unwrap_or_default(),
        one_way: section.flag(reader, "one-way").is_some_and(|said| said.value),
    };
    section.finish(reader);
    job
}
