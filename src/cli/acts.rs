//! `start`, `stop`, `restart`, `kill`, `pause`, `unpause`, `rm`, `rename`: the plan is shown, answered, and carried out on all targets at
//! once, with a line for each.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::Arc,
};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::{Acting, Format, Global},
    exit::{Exit, Failure},
    fleet::Sources,
    gather::{Need, Watch, selector, wait},
    json,
    out::{self, complain},
};
use crate::{
    act::{Act, Asks, Class, Fate, Outcome, Plan, Policy, Run, Runs, Stage, Weight, plan},
    fleet::{ContainerKey, Selector},
    ledger::audit::Who,
    runtime::runner::{Runner, Turn},
    text::width,
};

/// Does `act` to what the selector selects.
pub fn run(global: &Global, act: Act, acting: &Acting) -> Result<Exit, Failure> {
    let filter = selector(&acting.selector)?;
    let sources = Sources::load(global)?;
    // Who may not act is told so before any host is asked.
    sources.may_act(act.word())?;
    wait(async {
        let mut watch = Watch::start(&sources)?;
        watch.settle(&Need::Rows).await;
        let targets = targets(&watch, &filter, &acting.selector.join(" "))?;
        let planned = |watch: &Watch| plan(act.clone(), &targets, watch.fleet(), &sources.rights, &Policy::default());
        enact(watch, &sources, planned, acting.yes, acting.output.format).await
    })
}

/// Shows the plan, has it answered, and carries it out if it still is the same then.
pub(super) async fn enact(
    mut watch: Watch,
    sources: &Sources,
    planned: impl Fn(&Watch) -> Plan,
    yes: bool,
    format: Format,
) -> Result<Exit, Failure> {
    let shown = planned(&watch);
    show(&text(&shown), format)?;
    if !yes && shown.asks != Asks::Nothing {
        answered(&shown.asks, shown.act.word(), &mut watch).await?;
    }
    let now = planned(&watch);
    if !now.does_as(&shown) {
        show(&text(&now), format)?;
        return Err(Failure::failed("it has changed meanwhile: nothing was done; ask again"));
    }
    let (rows, acted) = carried(now, sources, &mut watch, format).await?;
    if format == Format::Json {
        out::print(&json::array(&rows)?)?;
    }
    let reached = watch.finish();
    Ok(if acted == Exit::DONE { reached } else { acted })
}

/// Carries a plan out that was shown and answered; gives a row for each target, and the worst of what came of it.
pub(super) async fn carried(
    plan: Plan,
    sources: &Sources,
    watch: &mut Watch,
    format: Format,
) -> Result<(Vec<serde_json::Value>, Exit), Failure> {
    let run = carry_out(Arc::new(plan), sources, watch, format).await?;
    let rows = rows(&run).iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Failure::failed)?;
    Ok((rows, exit(&run, Exit::DONE)))
}

fn targets(watch: &Watch, filter: &Selector, text: &str) -> Result<Vec<ContainerKey>, Failure> {
    let fleet = watch.fleet();
    let found = fleet.containers().filter(|container| fleet.host(&container.key.host).is_some_and(|host| filter.matches(container, host)));
    let found: Vec<ContainerKey> = found.map(|container| container.key.clone()).collect();
    let missing = watch.shortfalls();
    match (found.is_empty(), missing.is_empty()) {
        (false, _) => Ok(found),
        (true, true) => Err(Failure::usage(format!("{text:?} matches no container"))),
        (true, false) => {
            Err(Failure::incomplete(format!("{text:?} matches no container on the hosts that answer; {}", missing.join("; "))))
        }
    }
}

/// The plan stands before the results; where those are JSON, it goes to who looks, and not into the document.
pub(super) fn show(text: &str, format: Format) -> Result<(), Failure> {
    match format {
        Format::Table => out::print(text),
        Format::Json => {
            // Without standard error nobody looks.
            let _ = io::stderr().write_all(text.as_bytes());
            Ok(())
        }
    }
}

/// The plan for people.
pub(super) fn text(plan: &Plan) -> String {
    let mut out = format!("{}\n", plan.title());
    for consequence in &plan.consequences {
        let sign = match consequence.weight {
            Weight::Bad => "●",
            Weight::Attention => "◆",
            Weight::Note => " ",
        };
        out.push_str(&format!("  {sign} {}\n", consequence.text));
    }
    let pad = Pad::of(plan);
    for step in &plan.steps {
        let fate = match &step.fate {
            Fate::Act => plan.act.to_string(),
            Fate::Already => "nothing: so already".to_owned(),
            Fate::Unreachable { why } => format!("not sent: {why}"),
            Fate::Impossible { why } => format!("not done: {why}"),
        };
        let head = pad.head(step.target.host.as_str(), &step.target.name);
        out.push_str(&format!("  {head}{} → {fate}\n", step.now));
        for note in &step.notes {
            out.push_str(&format!("  {}{note}\n", " ".repeat(width(&head))));
        }
    }
    out.push_str(&format!("  undo: {}\n", plan.undo));
    out
}

/// Waits for the right answer on the terminal; the links live on meanwhile.
pub(super) async fn answered(asks: &Asks, verb: &str, watch: &mut Watch) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("nothing was done: {verb} needs --yes where no terminal can be asked")));
    }
    let question = match asks {
        Asks::Nothing => return Ok(()),
        Asks::Yes => "go on? type yes: ".to_owned(),
        Asks::Word { word, because } => format!("{because}: type {word} to go on: "),
    };
    // Without standard error nobody sees the question; the answer then is none.
    let _ = io::stderr().write_all(question.as_bytes());
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    tokio::pin!(reading);
    let line = loop {
        tokio::select! {
            line = &mut reading => break line,
            change = watch.change() => if change.is_none() { break reading.await },
        }
    };
    let line = match line {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(Failure::failed(format!("nothing was done: {error}"))),
        Err(error) => return Err(Failure::failed(format!("nothing was done: {error}"))),
    };
    let right = match asks {
        Asks::Nothing => true,
        Asks::Yes => matches!(line.trim(), "y" | "yes"),
        Asks::Word { word, .. } => line.trim() == &**word,
    };
    if right { Ok(()) } else { Err(Failure::failed("nothing was done")) }
}

/// Runs the plan to its end; an interrupt calls off what is not sent, a second one leaves.
async fn carry_out(plan: Arc<Plan>, sources: &Sources, watch: &mut Watch, format: Format) -> Result<Run, Failure> {
    let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let mut runner = Runner::new(sources.journal()?, Who::of_process().short().into());
    let pad = Pad::of(&plan);
    let id = runner.start(Arc::clone(&plan));
    let mut runs = Runs::default();
    runs.begin(Run::new(id, Arc::clone(&plan)));
    let mut called_off = false;
    while runner.is_busy() {
        tokio::select! {
            turn = runner.turn() => match turn {
                Turn::Send { host, request, command } => {
                    if !watch.command(&host, command) {
                        runner.undelivered(request);
                    }
                }
                Turn::Unrecorded(error) => complain(&error.to_string()),
                Turn::Progress(progress) => {
                    if format == Format::Table && let Some(step) = plan.steps.get(progress.step) {
                        let head = pad.head(step.target.host.as_str(), &step.target.name);
                        out::print(&told(&head, &progress.stage, &plan.act))?;
                    }
                    runs.apply(progress);
                }
            },
            word = watch.acted() => match word {
                Some((request, word)) => runner.take(request, word),
                None => break,
            },
            _ = interrupts.recv() => {
                if std::mem::replace(&mut called_off, true) {
                    return Err(Failure::failed("left while acts were under way: what was sent goes on unheard"));
                }
                complain("called off; what is sent cannot be recalled and is waited for; once more leaves");
                runner.cancel(id);
            }
        }
    }
    runs.get(id).cloned().ok_or_else(|| Failure::failed("the run was lost"))
}

/// A line when there is something to tell: the end, or that the end is not known yet.
fn told(head: &str, stage: &Stage, act: &Act) -> String {
    match stage {
        Stage::Waiting | Stage::Recording | Stage::Sent => String::new(),
        Stage::Unsure { why } => format!("{head}the answer got lost ({why}): asking the engine what is\n"),
        Stage::Over { result, unrecorded: None } => format!("{head}{}\n", result.sentence(act)),
        Stage::Over { result, unrecorded: Some(why) } => format!("{head}{} · not in the audit: {why}\n", result.sentence(act)),
    }
}

/// Bad outcomes weigh most, then what is forbidden, then what could not be reached.
fn exit(run: &Run, reached: Exit) -> Exit {
    let classes: Vec<Option<Class>> =
        (0..run.stages.len()).map(|step| run.outcome(step).map(|outcome| outcome.class(&run.plan.act))).collect();
    let any = |class: Class| classes.contains(&Some(class));
    match () {
        () if any(Class::Bad) || any(Class::CalledOff) || classes.contains(&None) => Exit::FAILED,
        () if any(Class::Forbidden) => Exit::REFUSED,
        () if any(Class::Unreached) => Exit::INCOMPLETE,
        () => reached,
    }
}

/// One target in JSON.
#[derive(Debug, Serialize)]
struct Row<'a> {
    host: &'a str,
    id: &'a str,
    name: &'a str,
    app: Option<&'a str>,
    service: Option<&'a str>,
    environment: Option<&'a str>,
    act: &'static str,
    argument: Option<String>,
    outcome: Option<&'static str>,
    /// Whether the engine was sent it.
    sent: bool,
    message: String,
    /// Why the outcome is not in the audit.
    unrecorded: Option<&'a str>,
}

fn rows(run: &Run) -> Vec<Row<'_>> {
    let act = &run.plan.act;
    let mut rows = Vec::with_capacity(run.stages.len());
    for (step, stage) in run.plan.steps.iter().zip(&run.stages) {
        let (outcome, unrecorded) = match stage {
            Stage::Over { result, unrecorded } => (Some(result), unrecorded.as_deref()),
            Stage::Waiting | Stage::Recording | Stage::Sent | Stage::Unsure { .. } => (None, None),
        };
        let service = step.service.as_ref();
        rows.push(Row {
            host: step.target.host.as_str(),
            id: &step.target.id,
            name: &step.target.name,
            app: service.and_then(|service| service.app.as_ref()).map(|app| app.as_str()),
            service: service.map(|service| service.service.as_str()),
            environment: step.environment.as_ref().map(|environment| environment.as_str()),
            act: act.word(),
            argument: act.argument(),
            outcome: outcome.map(Outcome::key),
            sent: outcome.is_some_and(Outcome::was_sent),
            message: outcome.map_or(String::new(), |outcome| outcome.sentence(act)),
            unrecorded,
        });
    }
    rows
}

/// Host and name in columns.
struct Pad {
    host: usize,
    name: usize,
}

impl Pad {
    fn of(plan: &Plan) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        Self {
            host: widest(&mut plan.steps.iter().map(|step| width(step.target.host.as_str()))),
            name: widest(&mut plan.steps.iter().map(|step| width(&step.target.name))),
        }
    }

    fn head(&self, host: &str, name: &str) -> String {
        let air = |cells: usize, text: &str| " ".repeat(cells.saturating_sub(width(text)) + 2);
        format!("{host}{}{name}{}", air(self.host, host), air(self.name, name))
    }
}

#[cfg(test)]
mod tests;
