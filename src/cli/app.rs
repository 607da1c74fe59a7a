//! `app`: the templates of apps: their mistakes, what they say by environment, and one made from a Compose file.

pub(super) mod show;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    args::{AppVerb, Format, Global, Output},
    build::{Fresh, Named},
    exit::{Exit, Failure},
    gather::wait,
    json, out,
};
use crate::{
    config::{Config, Layers, Source},
    delivery::template::{self, Checked, FILE, Surroundings, Template},
    fleet::AppName,
    text::{clean, clean_line, counted, nearest},
    written::{Fault, Origin},
};

/// Does what is asked of a template.
pub fn run(global: &Global, verb: &AppVerb) -> Result<Exit, Failure> {
    match verb {
        AppVerb::Check { subject, rev, output } => check(global, subject.as_deref(), rev.as_deref(), *output),
        AppVerb::Show { subject, environment, rev, output } => {
            let found = wait(find(&configured(global)?, subject.as_deref(), rev.as_deref(), Fresh::LastKnown))?;
            show::run(&found, environment.as_deref(), *output)
        }
        AppVerb::Import { file } => import(file),
    }
}

/// A template that was found.
pub(super) struct Found {
    /// As mistakes name it.
    pub(super) file: PathBuf,
    pub(super) text: String,
    /// `None`: there is no configuration to judge it by.
    pub(super) around: Option<Surroundings>,
}

impl Found {
    pub(super) fn checked(&self) -> Checked {
        Template::check(&self.file, &self.text, self.around.as_ref())
    }
}

/// Where a template is.
enum Located {
    /// A file of this machine, as it is.
    File(PathBuf),
    /// In a commit.
    Commit(Named),
}

/// The template of an app of the configuration, of a file or directory, or of the directory we are in; with a revision, as it was then.
async fn find(config: &Config, subject: Option<&str>, rev: Option<&str>, fresh: Fresh) -> Result<Found, Failure> {
    let (located, app) = locate(config, subject)?;
    let located = match located {
        Located::File(file) if rev.is_some() => {
            let word = app.as_ref().map_or_else(|| named(&file), AppName::to_string);
            Located::Commit(Named::find(config, &word)?)
        }
        other => other,
    };
    let (file, text) = match located {
        Located::File(file) => {
            let text = read(&file)?;
            (file, text)
        }
        Located::Commit(named) => named.text(rev, config, fresh).await?,
    };
    let around = match app {
        Some(app) => Some(Surroundings::of_app(config, &app)),
        // Without a file of its own nobody said which hosts there are.
        None => (!config.files.is_empty()).then(|| Surroundings::from(config)),
    };
    Ok(Found { file, text, around })
}

/// A path that cannot be taken for an app's name.
fn named(file: &Path) -> String {
    if file.is_absolute() { file.display().to_string() } else { format!("./{}", file.display()) }
}

fn configured(global: &Global) -> Result<Config, Failure> {
    Layers::from_process(global.flags()).load().map_err(Failure::usage)
}

/// The template of an app of the configuration, without a mistake: that of a repository as its branch has it now.
///
/// # Errors
/// Every mistake of it.
pub(super) async fn registered(config: &Config, app: &str, fresh: Fresh) -> Result<(Template, Surroundings), Failure> {
    let found = find(config, Some(app), None, fresh).await?;
    let checked = found.checked();
    match (checked.template, found.around) {
        (Some(template), Some(around)) => Ok((template, around)),
        (Some(_), None) => Err(Failure::usage(format!("no configuration: [apps.{app}] and its hosts stand there"))),
        (None, _) => {
            let lines: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
            Err(Failure::usage(lines.join("\n")))
        }
    }
}

/// The text of a registered template, with whatever mistakes it has.
///
/// # Errors
/// An app that is not registered; a template that cannot be read.
pub(super) async fn registered_text(config: &Config, app: &AppName, fresh: Fresh) -> Result<Found, Failure> {
    if !config.delivery.apps.contains_key(app) {
        return Err(Failure::usage(format!(
            "{app} has no template that this console knows: name it in the configuration: [apps.{app}] with template = \"/path/{FILE}\", or {{ git = \"ssh://…\" }}"
        )));
    }
    find(config, Some(app.as_str()), None, fresh).await
}

fn locate(config: &Config, subject: Option<&str>) -> Result<(Located, Option<AppName>), Failure> {
    let Some(subject) = subject else { return Ok((Located::File(PathBuf::from(FILE)), None)) };
    if let Some((name, app)) = config.delivery.apps.get_key_value(subject) {
        let located = match &app.template {
            Some(Source::Path(path)) if path.is_dir() => Located::File(path.join(FILE)),
            Some(Source::Path(path)) => Located::File(path.clone()),
            Some(Source::Git { .. }) => Located::Commit(Named::find(config, subject)?),
            None => {
                let remedy = format!("template = {{ git = \"ssh://…\" }}, or \"/path/{FILE}\"");
                return Err(Failure::usage(format!("[apps.{name}] has no template in the configuration: {remedy}")));
            }
        };
        return Ok((located, Some(name.clone())));
    }
    let path = Path::new(subject);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok((Located::File(path.join(FILE)), None)),
        Ok(_) => Ok((Located::File(path.to_owned()), None)),
        // What reads as a file is one: reading it says why it cannot be.
        Err(_) if subject.contains(['/', '.']) => Ok((Located::File(path.to_owned()), None)),
        Err(_) => {
            let known: Vec<&str> = config.delivery.apps.keys().map(AppName::as_str).collect();
            let hint = match (nearest(subject, known.iter().copied()), known.is_empty()) {
                (Some(near), _) => format!("did you mean {near:?}?"),
                (None, false) => format!("expected {}, or a file", known.join(", ")),
                (None, true) => "the configuration has no [apps.*]".to_owned(),
            };
            Err(Failure::usage(format!("{subject:?} is no app and no file: {hint}")))
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let name = clean_line(&file.display().to_string());
    let bytes = fs::read(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if file == Path::new(FILE) => Failure::usage(format!(
            "there is no {FILE} here: name an app or a file, or make one: quarterdeck app import compose.yaml > {FILE}"
        )),
        io::ErrorKind::NotFound => Failure::usage(format!("{name}: there is no such file")),
        _ => Failure::usage(format!("{name}: cannot read it: {error}")),
    })?;
    String::from_utf8(bytes)
        .map_err(|error| Failure::usage(format!("{name}: is not UTF-8 text (byte {})", error.utf8_error().valid_up_to())))
}

fn check(global: &Global, subject: Option<&str>, rev: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let found = wait(find(&configured(global)?, subject, rev, Fresh::Now))?;
    let checked = found.checked();
    out::print(&match output.format {
        Format::Json => json::line(&Report::of(&found.file, &checked))?,
        Format::Table => page(&found.file, &checked),
    })?;
    if found.around.is_none() {
        out::complain("no configuration: hosts, balancers, policies and the sources of secrets were not looked up");
    }
    Ok(if checked.template.is_some() { Exit::DONE } else { Exit::USAGE })
}

/// All mistakes, then all warnings, then how many.
fn page(file: &Path, checked: &Checked) -> String {
    let mut page = String::new();
    for fault in &checked.faults {
        page.push_str(&format!("{fault}\n"));
    }
    for warning in &checked.warnings {
        page.push_str(&format!("{}: warning: {}\n", clean_line(&warning.origin.to_string()), warning.message));
    }
    let mistakes = match checked.faults.len() {
        0 => "no mistakes".to_owned(),
        count => counted(count, "mistake"),
    };
    let warnings = match checked.warnings.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "warning")),
    };
    page.push_str(&format!("{}: {mistakes}{warnings}\n", clean(&file.display().to_string())));
    page
}

#[derive(Serialize)]
struct Report {
    file: String,
    mistakes: Vec<Place>,
    warnings: Vec<Place>,
}

/// A mistake as a program reads it.
#[derive(Serialize)]
struct Place {
    /// `None`: it is about the file as a whole.
    line: Option<usize>,
    column: Option<usize>,
    message: String,
}

impl Report {
    fn of(file: &Path, checked: &Checked) -> Self {
        let places = |faults: &[Fault]| faults.iter().map(Place::of).collect();
        Self { file: file.display().to_string(), mistakes: places(&checked.faults), warnings: places(&checked.warnings) }
    }
}

impl Place {
    fn of(fault: &Fault) -> Self {
        let (line, column) = match fault.origin {
            Origin::File { line, column, .. } => (Some(line), Some(column)),
            Origin::Default
            | Origin::Whole(_)
            | Origin::Variable(_)
            | Origin::Flag(_)
            | Origin::Context { .. }
            | Origin::LocalSocket { .. } => (None, None),
        };
        Self { line, column, message: fault.message.clone() }
    }
}

fn import(file: &Path) -> Result<Exit, Failure> {
    let text = read(file)?;
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = whole.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let imported = template::import(file, &text, &folder.unwrap_or_default()).map_err(Failure::usage)?;
    out::print(&imported.template)?;
    for loss in &imported.losses {
        out::complain(&format!("{}: {}", clean_line(&loss.origin.short()), loss.message));
    }
    if !imported.losses.is_empty() {
        out::complain(&format!("{} to look at; then: quarterdeck app check", counted(imported.losses.len(), "thing")));
    }
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests;
