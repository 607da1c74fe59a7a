//! A template as it reads in each environment, and a change of it: into the registered file, or into a commit on a branch of its own.

mod branch;
mod file;
#[cfg(test)]
mod tests;

use std::{rc::Rc, sync::Arc};

use super::Desk;
use crate::{
    board::{
        News,
        edit::{self, About, Draft, Home, Order, Reading, Written},
    },
    cli::{
        app::{self, Found, show},
        build::{Fresh, Named},
        deed::Deed,
        deploy::preview,
        exit::Failure,
    },
    config::Source,
    delivery::template::Template,
    fleet::{AppName, EnvironmentId},
    ledger::audit::Who,
    text::{clean, clean_line},
};

/// Does what is asked.
pub(super) async fn obey(desk: Rc<Desk>, order: Order) {
    match order {
        Order::Read(about) => tell_reading(&desk, about).await,
        Order::Preview(draft) => {
            let plan = plan(&desk, &draft).await.map_err(words);
            desk.tell(News::Edit(edit::News::Previewed(draft, plan))).await;
        }
        Order::Write(draft) => {
            let written = write(&desk, &draft).await.map_err(words);
            desk.tell(News::Edit(edit::News::Written(Arc::clone(&draft), written))).await;
            tell_reading(&desk, About::App(draft.reading.app.clone())).await;
        }
    }
}

fn words(failure: Failure) -> String {
    let words = failure.words();
    words.lines().map(clean).collect::<Vec<_>>().join("\n")
}

async fn tell_reading(desk: &Desk, about: About) {
    let reading = read(desk, &about).await.map(Arc::new).map_err(words);
    desk.tell(News::Edit(edit::News::Read(about, reading))).await;
}

async fn read(desk: &Desk, about: &About) -> Result<Reading, Failure> {
    let (app, environment) = match about {
        About::App(app) => (app.clone(), None),
        About::Deployment(id) => {
            let found = desk.history.deployment(id).await?;
            (found.app, Some(found.environment))
        }
    };
    reading(&desk.sources.config, app, environment).await
}

/// The template as its source has it now; where that is not reached, as it was when it last was.
async fn reading(config: &crate::config::Config, app: AppName, environment: Option<EnvironmentId>) -> Result<Reading, Failure> {
    let (found, stale) = match app::registered_text(config, &app, Fresh::Now).await {
        Ok(found) => (found, None),
        Err(failure) => match app::registered_text(config, &app, Fresh::AsFetched).await {
            Ok(found) => (found, Some(clean_line(&failure.words()))),
            Err(_) => return Err(failure),
        },
    };
    let home = match config.delivery.apps.get(&app).and_then(|app| app.template.as_ref()) {
        Some(Source::Git { branch, .. }) => {
            Home::Git { source: Named::find(config, app.as_str())?.repository.source().await, branch: branch.clone() }
        }
        Some(Source::Path(_)) | None => Home::File(found.file.clone()),
    };
    let checked = found.checked();
    let Found { file, text, around } = found;
    let around = around.ok_or_else(|| Failure::usage("there is no configuration to judge the template by"))?;
    let Some(template) = checked.template else {
        let lines: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("the template has mistakes:\n{}", lines.join("\n"))));
    };
    let sheet = |environment: &EnvironmentId| show::View::of(&template, environment.clone(), Some(&around)).map(show::View::explained);
    let sheets = template.environments.keys().filter_map(sheet).collect();
    Ok(Reading { app, environment, file, home, text: text.into(), around, sheets, stale })
}

/// The changed template, which must be without a mistake: it was judged while it was typed, and is judged again.
fn changed(draft: &Draft) -> Result<Template, Failure> {
    let checked = Template::check(&draft.reading.file, &draft.text, Some(&draft.reading.around));
    checked.template.ok_or_else(|| {
        let lines: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
        Failure::usage(format!("the changed template has mistakes:\n{}", lines.join("\n")))
    })
}

async fn plan(desk: &Desk, draft: &Draft) -> Result<String, Failure> {
    let template = (changed(draft)?, &draft.reading.around);
    let plan = preview::of_configuration((&desk.sources, &desk.history), template, &draft.environment).await?;
    Ok(plan.to_string().lines().map(clean).collect::<Vec<_>>().join("\n"))
}

async fn write(desk: &Desk, draft: &Draft) -> Result<Written, Failure> {
    desk.sources.may_act("template.edit")?;
    changed(draft)?;
    let (ledger, who) = (desk.sources.ledger()?, Who::of_process());
    let Draft { reading, environment, service, .. } = draft;
    let reason = format!("variables of {service}: {}; in {}", draft.names(), reading.home);
    let deed = Deed { action: "app.edit-template", target: format!("{} in {environment}", reading.app), reason: &reason };
    deed.carry(&ledger, &who, put(&desk.sources.config, draft, &who)).await
}

/// Names only: what a variable is set to stands in the template, and nowhere else.
async fn put(config: &crate::config::Config, draft: &Draft, who: &Who) -> Result<Written, Failure> {
    match &draft.reading.home {
        Home::File(path) => file::put(path, &draft.reading.text, &draft.text).map(Written::File).map_err(Failure::refused),
        Home::Git { .. } => {
            let named = Named::find(config, draft.reading.app.as_str())?;
            let parent = named.newest(config).await?;
            let here = std::env::current_dir().map_err(|error| Failure::failed(format!("the current directory: {error}")))?;
            branch::propose(&named.repository, &parent, &named.path(), draft, who, &here).await
        }
    }
}
