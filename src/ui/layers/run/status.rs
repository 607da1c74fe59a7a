//! What is said of a deployment beside its rows: its title, what clients got, why it stands where it stands, and what can be done about it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    action::{Action, Context},
    board::run::{Stand, Story},
    text::{age, clock, count},
    ui::{
        theme::{Role, Symbol},
        view::View,
    },
};

/// A line with its sign.
pub(super) struct Said {
    pub(super) sign: Option<Symbol>,
    pub(super) role: Role,
    pub(super) text: String,
}

impl Said {
    fn new(sign: Option<Symbol>, role: Role, text: impl Into<String>) -> Self {
        Self { sign, role, text: text.into() }
    }
}

/// `1:12`.
fn minutes(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// The moment that the whole layer shows: the run's own seconds, so that all that counts changes in one frame.
pub(super) fn moment(story: &Story, view: &View<'_>) -> DateTime<Utc> {
    let Some(began) = story.began.filter(|_| story.stand.is_moving()) else { return view.now };
    let spent = (view.now - began).max(TimeDelta::zero());
    let whole = TimeDelta::seconds(spent.num_seconds());
    view.ages.within(TimeDelta::seconds(1) - (spent - whole));
    began + whole
}

/// `Deployment 44 · shop 1.0.1-24 → production · ana · 0:23 of about 1:10`.
pub(super) fn title(story: &Story, now: DateTime<Utc>, view: &View<'_>) -> String {
    let dot = view.theme.symbol(Symbol::Dot);
    let arrow = if view.theme.is_ascii() { "->" } else { "→" };
    let about = story.about.and_then(|about| TimeDelta::from_std(about).ok()).map(|about| format!(" of about {}", minutes(about)));
    let took = story.began.zip(story.ended).map(|(began, ended)| format!(" in {}", minutes(ended - began))).unwrap_or_default();
    let state = match &story.stand {
        Stand::Running | Stand::TakingBack => {
            let spent = story.began.map(|began| minutes(now - began)).unwrap_or_default();
            let back = if story.stand == Stand::TakingBack { "going back " } else { "" };
            format!("{back}{spent}{}", about.filter(|_| back.is_empty()).unwrap_or_default())
        }
        Stand::Waiting { .. } | Stand::Ready => format!("asked {} ago", view.calm_age(story.asked)),
        stand @ (Stand::Good | Stand::Failed | Stand::Unwound) => format!("{}{took}", stand.word()),
        stand @ (Stand::Silent { .. } | Stand::Parked) => stand.word().to_owned(),
    };
    format!(
        " Deployment {} {dot} {} {} {arrow} {} {dot} {} {dot} {state} ",
        story.id.number, story.app, story.version, story.environment, story.by
    )
}

/// `0 of 5,102 failed · p99 44 ms (41 before)`.
pub(super) fn traffic(story: &Story, view: &View<'_>) -> Option<(String, bool)> {
    let traffic = story.traffic?;
    let mut text = format!("{} of {} failed", count(traffic.failed), count(traffic.requests));
    if let Some(p99) = traffic.p99 {
        text += &format!(" {} p99 {p99:.0} ms", view.theme.symbol(Symbol::Dot));
    }
    if let Some(before) = traffic.p99_before {
        text += &if traffic.p99.is_some() {
            format!(" ({before:.0} before)")
        } else {
            format!(" {} p99 {before:.0} ms before", view.theme.symbol(Symbol::Dot))
        };
    }
    Some((text, traffic.failed > 0))
}

/// What is to be known beside the rows, the most important first.
pub(super) fn lines(story: &Story, view: &View<'_>) -> Vec<Said> {
    let key = |action: Action| view.keymap.reverse(action, &Context::focus(Context::Global, Some(Context::Run))).unwrap_or("?").to_owned();
    let reason = || story.reason.clone().unwrap_or_default();
    let mut lines = Vec::new();
    match &story.stand {
        Stand::Waiting { given, needed } => {
            let who = if given.is_empty() { "nobody".to_owned() } else { given.join(", ") };
            lines.push(Said::new(Some(Symbol::Odd), Role::StateAttention, format!("{needed} must approve it; so far: {who}")));
        }
        Stand::Ready => {
            lines.push(Said::new(Some(Symbol::Odd), Role::StateAttention, "nobody has to say yes any more, and it was not begun"));
            lines.push(Said::new(
                None,
                Role::TextDim,
                format!("{} begins it; it begins by itself where its asker waits", key(Action::RunResume)),
            ));
        }
        Stand::Running if story.takes_locks => {
            lines.push(Said::new(Some(Symbol::Progress), Role::StateProgress, "taking the locks of its hosts"))
        }
        Stand::Running => {}
        Stand::TakingBack => lines.push(Said::new(Some(Symbol::Bad), Role::StateBad, format!("it is taken back: {}", reason()))),
        Stand::Silent { since, holder } => {
            let who = holder.as_ref().map(|holder| format!("; {holder} has its lock")).unwrap_or_default();
            let text = format!("its run gives no sign of life since {} ({}){who}", clock(*since), view.calm_age(*since));
            lines.push(Said::new(Some(Symbol::Bad), Role::StateBad, text));
            let text =
                format!("{} carries it on from where it stands, {} takes back what it did", key(Action::RunResume), key(Action::RunUnwind));
            lines.push(Said::new(None, Role::Text, text));
        }
        Stand::Parked => {
            lines.push(Said::new(Some(Symbol::Odd), Role::StateAttention, format!("it stands still: {}", reason())));
            let text = format!("{} carries it on, {} takes back what it did", key(Action::RunResume), key(Action::RunUnwind));
            lines.push(Said::new(None, Role::Text, text));
        }
        Stand::Good => {
            let why = story.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            lines.push(Said::new(Some(Symbol::Done), Role::StateDone, format!("good{why}")));
            if let Some(warm) = story.warm {
                let left = warm - view.now;
                view.ages.within(TimeDelta::seconds(60 - left.num_seconds().rem_euclid(60)));
                let text = match left > TimeDelta::zero() {
                    true => format!("the old ones stay warm for {}; {} puts them away now", age(left), key(Action::RunFinish)),
                    false => format!("the old ones are warm beyond their time; {} puts them away", key(Action::RunFinish)),
                };
                lines.push(Said::new(None, Role::Text, text));
            }
        }
        Stand::Failed => {
            lines.push(Said::new(Some(Symbol::Bad), Role::StateBad, format!("failed, and not all of it was taken back: {}", reason())))
        }
        Stand::Unwound => lines.push(Said::new(Some(Symbol::Bad), Role::StateBad, format!("all of it was taken back: {}", reason()))),
    }
    lines.extend(story.evidence.iter().map(|place| Said::new(None, Role::TextDim, format!("evidence: {place}"))));
    // Where a key says it already, the verb is not repeated.
    if !matches!(story.stand, Stand::Parked) {
        lines.extend(story.remedies.iter().map(|remedy| Said::new(None, Role::TextDim, remedy.clone())));
    }
    lines
}

/// What can be done here, most likely first.
pub(super) fn hints(story: Option<&Story>) -> Vec<(Action, &'static str)> {
    let mut hints = match story.map(|story| &story.stand) {
        Some(Stand::Running) => vec![(Action::LayerClose, "leave (it goes on)"), (Action::RunPark, "park"), (Action::RunUnwind, "unwind")],
        Some(Stand::TakingBack) => vec![(Action::LayerClose, "leave (it goes on)"), (Action::RunPark, "park")],
        Some(Stand::Silent { .. } | Stand::Parked) => {
            vec![(Action::RunResume, "resume"), (Action::RunUnwind, "unwind"), (Action::LayerClose, "leave")]
        }
        Some(Stand::Ready) => vec![(Action::RunResume, "begin"), (Action::DeliveryReject, "reject"), (Action::LayerClose, "leave")],
        Some(Stand::Waiting { .. }) => {
            vec![(Action::DeliveryApprove, "approve"), (Action::DeliveryReject, "reject"), (Action::LayerClose, "leave")]
        }
        Some(Stand::Good) => vec![(Action::RunFinish, "finish"), (Action::DeliveryRollBack, "roll back"), (Action::LayerClose, "leave")],
        Some(Stand::Failed) => vec![(Action::RunUnwind, "unwind"), (Action::LayerClose, "leave")],
        Some(Stand::Unwound) | None => vec![(Action::LayerClose, "leave")],
    };
    if story.is_some_and(|story| story.warm.is_none()) {
        hints.retain(|(action, _)| *action != Action::RunFinish);
    }
    if story.is_some_and(|story| !story.rows.is_empty()) {
        hints.extend([(Action::SelectionOpen, "steps"), (Action::RunLogs, "both logs")]);
    }
    hints
}
