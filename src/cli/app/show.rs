//! What runs in each environment, each setting with where it was said. Values that look like secrets are masked.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{
    super::{
        args::{Format, Output},
        exit::{Exit, Failure},
        json, out,
    },
    Found,
};
use crate::{
    delivery::{
        Rendered,
        template::{Explained, Row, Surroundings, Template, explain},
    },
    fleet::{
        EnvironmentId,
        mask::{MASK, is_secret, mask_command, mask_text},
    },
    text::{clean_line, nearest},
};

/// The widest setting beside which the origins are lined up.
const LINED_UP: usize = 72;

pub(super) fn run(found: &Found, environment: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let checked = found.checked();
    let Some(template) = checked.template else {
        let lines: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("the template has mistakes:\n{}", lines.join("\n"))));
    };
    let environments = chosen(&template, environment)?;
    let views: Vec<View> = environments.into_iter().filter_map(|name| View::of(&template, name, found.around.as_ref())).collect();
    out::print(&match output.format {
        Format::Json => json::array(&views.iter().map(View::document).collect::<Vec<_>>())?,
        Format::Table => views.iter().map(View::sheet).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(Exit::DONE)
}

pub(super) fn chosen(template: &Template, name: Option<&str>) -> Result<Vec<EnvironmentId>, Failure> {
    let Some(name) = name else { return Ok(template.environments.keys().cloned().collect()) };
    if let Some((found, _)) = template.environments.get_key_value(name) {
        return Ok(vec![found.clone()]);
    }
    let known: Vec<&str> = template.environments.keys().map(EnvironmentId::as_str).collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("expected {}", known.join(", ")),
    };
    Err(Failure::usage(format!("{} has no environment {name:?}: {hint}", template.spec.app)))
}

/// One environment of a template whose secrets are masked, under the name of the configuration as it is.
pub(in crate::cli) struct View {
    masked: Template,
    explained: Explained,
}

impl View {
    pub(in crate::cli) fn of(template: &Template, environment: EnvironmentId, around: Option<&Surroundings>) -> Option<Self> {
        let config = template.environments.get(&environment)?.revision.hash();
        let masked = masked(template.clone());
        let explained = explain(&masked, &environment, around)?;
        Some(Self { masked, explained: Explained { config, ..explained } })
    }

    /// Setting by setting.
    pub(in crate::cli) fn explained(self) -> Explained {
        self.explained
    }

    /// TOML to read, each line with where it was said.
    pub(super) fn sheet(&self) -> String {
        let Explained { environment, config, sections } = &self.explained;
        let mut sheet = format!("# {} in {environment}, configuration {config}\n", self.masked.spec.app);
        for section in sections {
            sheet.push_str(&format!("[{}]\n", section.title));
            let longest = section.rows.iter().map(|row| row.key.chars().count()).max().unwrap_or(0);
            let lines = section.rows.iter().map(|row| (format!("{:longest$} = {}", row.key, row.value), row.source.to_string()));
            let lines: Vec<(String, String)> = lines.collect();
            let widths = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= LINED_UP);
            let width = widths.max().unwrap_or(0);
            for (line, source) in lines {
                sheet.push_str(&format!("{line:width$}  # {}\n", clean_line(&source)));
            }
        }
        sheet
    }

    /// The same for a program.
    pub(super) fn document(&self) -> serde_json::Value {
        let Explained { environment, config, sections } = &self.explained;
        let origins = sections.iter().flat_map(|section| {
            let origin = |row: &Row| (format!("{}.{}", section.title, row.key), row.source.to_string().into());
            section.rows.iter().map(origin).collect::<Vec<_>>()
        });
        let rendered = self.masked.render(environment).map(|rendered| Rendered { config: config.clone(), ..rendered });
        json!({
            "app": self.masked.spec.app,
            "environment": environment,
            "config": config,
            "rendered": rendered,
            "policy": self.masked.environments.get(environment).map(|found| &found.policy),
            "origins": origins.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// Without what looks like a secret and yet stands in the template.
fn masked(mut template: Template) -> Template {
    for service in template.spec.services.values_mut() {
        hide(&mut service.vars);
        service.command.iter_mut().for_each(hide_words);
    }
    for job in template.spec.jobs.values_mut() {
        hide(&mut job.vars);
        job.command.iter_mut().for_each(hide_words);
    }
    for environment in template.environments.values_mut() {
        hide(&mut environment.revision.vars);
        for patch in environment.revision.services.values_mut() {
            hide(&mut patch.vars);
            patch.command.iter_mut().for_each(hide_words);
        }
    }
    template
}

fn hide(vars: &mut BTreeMap<Arc<str>, Arc<str>>) {
    for (name, value) in vars {
        *value = if is_secret(name) { MASK.into() } else { mask_text(value).as_ref().into() };
    }
}

fn hide_words(words: &mut Vec<Arc<str>>) {
    let plain: Vec<String> = words.iter().map(ToString::to_string).collect();
    *words = mask_command(&plain).into_iter().map(Arc::from).collect();
}
