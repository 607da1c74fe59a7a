//! No verb: the console.

use chrono::Utc;

use super::{
    args::Global,
    desk,
    exit::{Exit, Failure},
    fleet::Sources,
};
use crate::{
    ledger::audit::Who,
    runtime::{
        Kept, Settings, State,
        console::{Console, Opening},
        delivery_desk::DeliveryDesk,
        runner::Runner,
    },
    ui::{
        keymap,
        theme::{self, Capabilities},
    },
};

/// Opens the console and stays until it is left.
pub fn run(global: &Global) -> Result<Exit, Failure> {
    let sources = Sources::load(global)?;
    // First the links: they come up while themes and keys are read.
    let (engine, reports) = sources.start()?;
    let dir = |name: &str| sources.config_dir.as_ref().map(|dir| dir.join(name));
    let (theme_dir, keymap_dir) = (dir("themes"), dir("keymaps"));
    let can = Capabilities::detect(|name| std::env::var(name).ok());
    let (kept, kept_note) = Kept::load(&sources.config.state, &sources.config.theme);
    let (theme, theme_error) = theme::load(kept.theme(), theme_dir.as_deref(), can);
    let (keymap, keymap_error) = keymap::load(&sources.config.keymap, keymap_dir.as_deref());
    let wrong: Vec<String> = theme_error.iter().map(ToString::to_string).chain(keymap_error.iter().map(ToString::to_string)).collect();
    let wrong = (!wrong.is_empty()).then(|| format!("{} · the default is in use", wrong.join(" · ")));
    let notes: Vec<String> = wrong.into_iter().chain(kept_note).collect();
    let note = (!notes.is_empty()).then(|| notes.join(" · "));
    let ledger = sources.ledger()?;
    let themes = theme_dir.clone();
    let settings = Settings {
        theme,
        keymap,
        clock: sources.config.clock,
        mouse: sources.config.mouse,
        simulated: sources.sim.is_some(),
        load_theme: Box::new(move |name| match theme::load(name, themes.as_deref(), can) {
            (theme, None) => Ok(theme),
            (_, Some(error)) => Err(error.to_string()),
        }),
        kept,
    };
    let mouse = settings.mouse;
    let runner = Runner::new(sources.journal()?, Who::of_process().short().into());
    let state = State::new(sources.specs(), sources.rules, sources.rights, settings, Utc::now());
    let state_dir = sources.config.state.clone();
    let global = global.clone();
    let (records, simulated) = (ledger.clone(), sources.sim.is_some());
    let has_ledger = move || !simulated && records.is_there();
    let delivery = DeliveryDesk::new(Box::new(move || desk::start(&global)), Box::new(has_ledger));
    let sim = sources.sim;
    let code = Console::run(Opening { state, engine, reports, ledger, runner, delivery, mouse, note, theme_dir, state_dir })
        .map_err(Failure::failed)?;
    drop(sim);
    Ok(Exit(code))
}
