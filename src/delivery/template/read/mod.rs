//! From tables to a template: every key by its type, every mistake collected. Where one part is broken the rest is read all the same,
//! with something harmless in its place; a template with any mistake is never given away.

mod app;
mod environment;
mod image;
mod job;
mod overrides;
mod probe;
mod service;
pub(super) mod strategy;
pub(super) mod values;

use std::{path::PathBuf, sync::Arc};

use crate::{
    delivery::spec::Spec,
    written::{Origin, Reader, Section, Table, plain_ok},
};

use super::{Template, places::Places};

/// Reads every key of the file.
pub(super) fn template(reader: &mut Reader<'_>, file: Arc<PathBuf>, table: Table) -> Template {
    let places = Places::of(file.clone(), &table);
    let mut top = Section::new("", table);
    let app = app::read(reader, &mut top, &file);
    let images = image::read(reader, &mut top);
    let built: Vec<String> = images.keys().map(ToString::to_string).collect();
    let services = service::read(reader, &mut top, &built);
    let jobs = job::read(reader, &mut top, &built);
    let environments = environment::read(reader, &mut top, &services, &built);
    top.finish(reader);
    let spec = Spec { app: app.name, registry: app.registry, images, services, jobs };
    Template { spec, version: app.version, environments, places }
}

/// What becomes a part of names on hosts and in the registry.
fn plain_name(reader: &mut Reader<'_>, title: &str, name: &str, origin: &Origin) {
    if !plain_ok(name) {
        reader.fault(origin, format!("{title}: {name:?} is no name: at most 63 of a-z, 0-9 and -, beginning with a letter or digit"));
    }
}
