//! `[services.*]`.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;

use super::{
    overrides, plain_name,
    values::{image, integer, names},
};
use crate::{
    delivery::{
        spec::{ImageSource, Restart, ServiceSpec},
        template::{STOP, render::put},
    },
    fleet::ServiceName,
    written::{Origin, Reader, Section},
};

pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section, built: &[String]) -> IndexMap<ServiceName, ServiceSpec> {
    let mut services = IndexMap::new();
    for (name, origin, section) in top.named(reader, "services") {
        plain_name(reader, "services", &name, &origin);
        services.insert(ServiceName::new(&name), service(reader, section, &origin, built));
    }
    services
}

fn service(reader: &mut Reader<'_>, mut section: Section, at: &Origin, built: &[String]) -> ServiceSpec {
    let source = image_of(reader, &mut section, at, built);
    let mut spec = bare(source.unwrap_or_else(|| ImageSource::Outside(Arc::from(""))));
    spec.needs = names(reader, &mut section, "needs").map_or_else(Vec::new, |said| said.value.iter().map(ServiceName::new).collect());
    spec.start = integer(reader, &mut section, "start", i64::from(i32::MIN), i64::from(i32::MAX)).map_or(0, |said| said.value);
    spec.traffic = overrides::traffic(reader, &mut section).flatten();
    put(&mut spec, &overrides::read(reader, &mut section));
    section.finish(reader);
    spec
}

/// A service of which nothing but the image was said.
pub(super) fn bare(image: ImageSource) -> ServiceSpec {
    ServiceSpec {
        image,
        command: None,
        ports: Vec::new(),
        vars: BTreeMap::new(),
        secrets: Vec::new(),
        volumes: Vec::new(),
        memory: None,
        cpus: None,
        restart: Restart::default(),
        needs: Vec::new(),
        start: 0,
        per_host: 1,
        health: None,
        stop: STOP,
        logs: None,
        traffic: None,
    }
}

/// What a service or a job runs; it has to say so.
pub(super) fn image_of(reader: &mut Reader<'_>, section: &mut Section, at: &Origin, built: &[String]) -> Option<ImageSource> {
    let name = section.full("image");
    if !section.has("image") {
        reader.fault(at, format!("{}: image is missing: one of [images], or \"name:tag\" of a registry", section.name));
        return None;
    }
    let said = section.text(reader, "image")?;
    image(reader, &name, &said, built)
}
