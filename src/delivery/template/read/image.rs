//! `[images.*]`: what is built, and how it is tested.

use std::sync::Arc;

use globset::Glob;
use indexmap::IndexMap;

use super::{
    plain_name,
    values::{args, command, inside, inside_ok, items},
};
use crate::{
    delivery::{
        spec::{ImageSpec, Prepare},
        template::notation::is_reference,
    },
    written::{Reader, Section, Value},
};

pub(super) fn read(reader: &mut Reader<'_>, top: &mut Section) -> IndexMap<Arc<str>, ImageSpec> {
    let mut images = IndexMap::new();
    for (name, origin, section) in top.named(reader, "images") {
        plain_name(reader, "images", &name, &origin);
        images.insert(Arc::from(name), image(reader, section));
    }
    images
}

fn image(reader: &mut Reader<'_>, mut section: Section) -> ImageSpec {
    let context = inside(reader, &mut section, "context").map_or_else(|| Arc::from("."), |said| Arc::from(said.value));
    let dockerfile = inside(reader, &mut section, "dockerfile").map(|said| Arc::from(said.value));
    let spec = ImageSpec {
        context,
        dockerfile,
        paths: paths(reader, &mut section),
        args: args(reader, &mut section),
        test_target: section.text(reader, "test-target").map(|said| Arc::from(said.value)),
        test: command(reader, &mut section, "test").map(|said| said.value),
        prepare: prepare(reader, &mut section),
    };
    section.finish(reader);
    spec
}

fn paths(reader: &mut Reader<'_>, section: &mut Section) -> Vec<Arc<str>> {
    let Some(listed) = items(reader, section, "paths", "globs") else { return Vec::new() };
    let name = section.full("paths");
    let mut paths = Vec::with_capacity(listed.value.len());
    for item in listed.value {
        let Value::Text(text) = item.value else {
            reader.fault(&item.origin, format!("{name}: expected a list of globs, found {} in it", item.value.kind()));
            continue;
        };
        match Glob::new(&text) {
            Err(error) => reader.fault(&item.origin, format!("{name}: {text:?} is no glob: {}", error.kind())),
            Ok(_) if text.trim().is_empty() => reader.fault(&item.origin, format!("{name}: a glob of the list is empty")),
            Ok(_) => {
                if inside_ok(reader, &name, &item.origin, &text) {
                    paths.push(Arc::from(text));
                }
            }
        }
    }
    paths
}

fn prepare(reader: &mut Reader<'_>, section: &mut Section) -> Option<Prepare> {
    let (mut section, at) = section.section(reader, "prepare")?;
    let title = section.name.clone();
    let before = reader.faults.len();
    let image = section.text(reader, "image");
    let run = command(reader, &mut section, "run");
    let out = inside(reader, &mut section, "out");
    section.finish(reader);
    if let Some(said) = image.as_ref().filter(|said| !is_reference(&said.value)) {
        reader.fault(&said.origin, format!("{title}.image: {:?} is no image's name", said.value));
    }
    if before == reader.faults.len() && (image.is_none() || run.is_none() || out.is_none()) {
        let example = "{ image = \"maven:3\", run = [\"mvn\", \"-q\", \"package\"], out = \"target\" }";
        reader.fault(&at, format!("{title}: image, run and out belong together: {example}"));
    }
    Some(Prepare { image: Arc::from(image?.value), run: run?.value, out: Arc::from(out?.value) })
}
