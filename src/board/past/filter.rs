//! Which of the past is listed: words as a person types them. Pure: the clock is an argument.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeZone};
use thiserror::Error;

use super::STATES;
use crate::{
    fleet::{AppName, EnvironmentId},
    ledger::{Deployment, DeploymentFilter},
    run::journal::State,
    text::{TimeSpec, TimeSpecError, Unclosed, clean_line, nearest, words},
};

/// The words before the colon.
const KEYS: [&str; 6] = ["app", "environment", "by", "since", "until", "outcome"];

/// Which deployments, releases and environments; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As typed, clean.
    text: String,
    app: Option<AppName>,
    environment: Option<EnvironmentId>,
    by: Option<String>,
    since: Option<TimeSpec>,
    until: Option<TimeSpec>,
    outcome: Option<State>,
}

/// What of a filter cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// A word without a colon.
    #[error("{0:?} stands alone: app:{0}, environment:{0} or by:{0}")]
    Bare(String),
    /// Something else before the colon.
    #[error("no filter by {word:?}{}: {}", nearest.map(|near| format!(", did you mean {near}")).unwrap_or_default(), KEYS.join(", "))]
    Unknown {
        /// As typed.
        word: String,
        /// The known word most like it.
        nearest: Option<&'static str>,
    },
    /// Nothing after the colon.
    #[error("{0}: what?")]
    Empty(&'static str),
    /// The same word again.
    #[error("{0}: stands here twice")]
    Twice(&'static str),
    /// No state of a deployment.
    #[error("no deployment ends {word:?}{}: {}", nearest.map(|near| format!(", did you mean {near}")).unwrap_or_default(), outcomes())]
    Outcome {
        /// As typed.
        word: String,
        /// The known word most like it.
        nearest: Option<&'static str>,
    },
    /// No moment.
    #[error(transparent)]
    Time(#[from] TimeSpecError),
    /// A quote that nothing closes.
    #[error(transparent)]
    Unclosed(#[from] Unclosed),
}

fn outcomes() -> String {
    STATES.map(State::word).join(", ")
}

impl Filter {
    /// Reads what was typed.
    ///
    /// # Errors
    /// The first word that means nothing, with the known one most like it.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self { text: clean_line(text).trim().to_owned(), ..Self::default() };
        let mut seen = BTreeSet::new();
        for term in words(&filter.text)? {
            let Some((name, value)) = term.split_once(':') else { return Err(FilterError::Bare(term)) };
            let key = match KEYS.into_iter().find(|key| *key == name || (*key == "environment" && name == "env")) {
                Some(key) => key,
                None => return Err(FilterError::Unknown { word: name.to_owned(), nearest: nearest(name, KEYS) }),
            };
            if value.is_empty() {
                return Err(FilterError::Empty(key));
            }
            if !seen.insert(key) {
                return Err(FilterError::Twice(key));
            }
            match key {
                "app" => filter.app = Some(AppName::new(value)),
                "environment" => filter.environment = Some(EnvironmentId::new(value)),
                "by" => filter.by = Some(value.to_owned()),
                "since" => filter.since = Some(value.parse()?),
                "until" => filter.until = Some(value.parse()?),
                _ => filter.outcome = Some(outcome(value)?),
            }
        }
        Ok(filter)
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it takes everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The app that it names.
    pub fn app(&self) -> Option<&AppName> {
        self.app.as_ref()
    }

    /// As the ledger is asked, at this moment.
    pub fn query<Z: TimeZone>(&self, now: &DateTime<Z>, limit: u32) -> DeploymentFilter {
        DeploymentFilter {
            app: self.app.clone(),
            environment: self.environment.clone(),
            by: self.by.clone(),
            state: self.outcome,
            since: self.since.map(|since| since.resolve(now)),
            until: self.until.map(|until| until.resolve(now)),
            limit,
        }
    }

    /// Whether it takes a release: its app, who made it and when, and where it was good.
    pub fn takes_release<Z: TimeZone>(&self, release: &super::ReleaseRow, now: &DateTime<Z>) -> bool {
        let was_good = |environment: &EnvironmentId| release.good.iter().any(|good| good.environment == *environment);
        self.app.as_ref().is_none_or(|app| *app == release.app)
            && self.by.as_ref().is_none_or(|by| *by == release.by)
            && self.environment.as_ref().is_none_or(was_good)
            && self.since.is_none_or(|since| release.created >= since.resolve(now))
            && self.until.is_none_or(|until| release.created < until.resolve(now))
            && self.outcome.is_none_or(|outcome| outcome == State::Good && !release.good.is_empty())
    }

    /// Whether it takes an environment of an app; times and outcomes say nothing of what ran at a moment.
    pub fn takes_place(&self, app: &AppName, environment: &EnvironmentId) -> bool {
        self.app.as_ref().is_none_or(|wanted| wanted == app) && self.environment.as_ref().is_none_or(|wanted| wanted == environment)
    }

    /// What the last word of a line could become: words before the colon, then what `known` deployments have there.
    pub fn completions(text: &str, known: &[Deployment]) -> Vec<String> {
        let term = text.rsplit(' ').next().unwrap_or_default();
        let (key, value) = match term.split_once(':') {
            None => return KEYS.iter().filter(|key| key.starts_with(term)).map(|key| format!("{key}:")).collect(),
            Some((key, value)) => (if key == "env" { "environment" } else { key }, value),
        };
        let values: BTreeSet<&str> = match key {
            "app" => known.iter().map(|one| one.app.as_str()).collect(),
            "environment" => known.iter().map(|one| one.environment.as_str()).collect(),
            "by" => known.iter().map(|one| one.by.as_str()).filter(|by| !by.contains(' ')).collect(),
            "outcome" => STATES.map(State::word).into_iter().collect(),
            _ => BTreeSet::new(),
        };
        values.into_iter().filter(|known| known.starts_with(value) && *known != value).map(|known| format!("{key}:{known}")).collect()
    }
}

fn outcome(value: &str) -> Result<State, FilterError> {
    let found = STATES.into_iter().find(|state| state.word() == value);
    found.ok_or_else(|| FilterError::Outcome { word: value.to_owned(), nearest: nearest(value, STATES.map(State::word)) })
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_every_kind() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T14:30:00Z").unwrap();
        let filter = Filter::parse(" app:shop env:production by:\"uid 1001\" since:2d until:2026-11-21T14:00:00Z outcome:failed ").unwrap();
        let query = filter.query(&now, 7);
        assert_eq!(query.app.as_ref().map(AppName::as_str), Some("shop"));
        assert_eq!(query.environment.as_ref().map(EnvironmentId::as_str), Some("production"));
        assert_eq!((query.by.as_deref(), query.state, query.limit), (Some("uid 1001"), Some(State::Failed), 7));
        assert_eq!(query.since, Some(now.to_utc() - TimeDelta::days(2)));
        assert_eq!(query.until, Some(now.to_utc() - TimeDelta::minutes(30)));
        assert_eq!(filter.text(), "app:shop env:production by:\"uid 1001\" since:2d until:2026-11-21T14:00:00Z outcome:failed");
        assert!(Filter::parse("  ").unwrap().is_empty());
    }

    #[test]
    fn every_mistake_names_what_helps() {
        for (text, error) in [
            ("shop", "\"shop\" stands alone: app:shop, environment:shop or by:shop"),
            ("enviroment:production", "no filter by \"enviroment\", did you mean environment: app, environment, by, since, until, outcome"),
            ("zzz:1", "no filter by \"zzz\": app, environment, by, since, until, outcome"),
            ("app:", "app: what?"),
            ("app:shop app:blog", "app: stands here twice"),
            ("env:a environment:b", "environment: stands here twice"),
            ("outcome:fialed", "no deployment ends \"fialed\", did you mean failed: waiting, running, parked, good, failed, unwound"),
            ("outcome:%", "no deployment ends \"%\": waiting, running, parked, good, failed, unwound"),
            ("by:\"ana", "the \" is not closed"),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err().to_string(), error, "{text}");
        }
        assert!(Filter::parse("since:soon").unwrap_err().to_string().starts_with("\"soon\" is no time: expected 10m"));
    }

    #[test]
    fn the_last_word_is_completed() {
        let known = super::super::fixture::deployments();
        for (text, expected) in [
            ("", &["app:", "environment:", "by:", "since:", "until:", "outcome:"][..]),
            ("app:shop e", &["environment:"]),
            ("app:", &["app:blog", "app:shop"]),
            ("env:p", &["environment:production"]),
            ("outcome:g", &["outcome:good"]),
            ("outcome:good", &[]),
            ("since:2", &[]),
        ] {
            assert_eq!(Filter::completions(text, &known), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}|((app|env|by|since|until|outcome):[a-z0-9\"]{0,6} ?){0,4}") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert_eq!(Filter::parse(filter.text()), Ok(filter.clone()));
                let _query = filter.query(&DateTime::<Utc>::UNIX_EPOCH, 1);
            }
            let _offered = Filter::completions(&text, &[]);
        }
    }
}
