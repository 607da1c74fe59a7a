//! Which app, service and environment a container belongs to, and which rule said so.
//!
//! Order (design: Identity): `quarterdeck.*` labels > `[[identity]]` rules > compose > swarm labels > the
//! container's name less a replica suffix. App, service and environment are looked up one by one: a label that names only the service
//! leaves the app to the next source. Pure.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::Arc,
};

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{
    container::ImageRef,
    host::HostSpec,
    ids::{AppName, EnvironmentId, ServiceKey, ServiceName},
    pattern::{Pattern, PatternError, build},
};

/// What names a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The app and service.
    pub service: ServiceKey,
    /// Where it runs; `None` is the column `–`.
    pub environment: Option<EnvironmentId>,
    /// Which rule named the service.
    pub origin: IdentityOrigin,
}

/// Which rule named a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityOrigin {
    /// `quarterdeck.*` labels.
    Label,
    /// The `[[identity]]` rule with this index in the configuration.
    Rule(usize),
    /// `com.docker.compose.*` labels.
    Compose,
    /// `com.docker.swarm.*` labels.
    Swarm,
    /// The container's own name.
    Name,
}

impl fmt::Display for IdentityOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label => f.write_str("quarterdeck label"),
            Self::Rule(index) => write!(f, "[[identity]] rule {}", index + 1),
            Self::Compose => f.write_str("compose label"),
            Self::Swarm => f.write_str("swarm label"),
            Self::Name => f.write_str("container name"),
        }
    }
}

/// An `[[identity]]` table as the configuration writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdentityRuleSpec {
    /// What a container must match, all of it.
    #[serde(rename = "match", default)]
    pub matching: IdentityMatch,
    /// The app of what matches; a name group `app` comes first.
    #[serde(default)]
    pub app: Option<String>,
    /// The service of what matches; a name group `service` comes first.
    #[serde(default)]
    pub service: Option<String>,
    /// The environment of what matches; a name group `environment` comes first.
    #[serde(default)]
    pub environment: Option<String>,
}

/// The `match` of an `[[identity]]` table. An empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdentityMatch {
    /// A regular expression on the container's name; its groups `app`, `service` and `environment` name what matches.
    #[serde(default)]
    pub name: Option<String>,
    /// A glob (or `/regular expression/`) on the image as written, `registry.internal/shop/*`.
    #[serde(default)]
    pub image: Option<String>,
    /// Label → glob on its value; every label must be there.
    #[serde(default)]
    pub label: BTreeMap<String, String>,
    /// A glob on the host's name.
    #[serde(default)]
    pub host: Option<String>,
}

/// A compiled `[[identity]]` rule.
#[derive(Clone, Debug)]
pub struct IdentityRule {
    name: Option<Regex>,
    image: Option<Pattern>,
    label: Vec<(String, Pattern)>,
    host: Option<Pattern>,
    app: Option<String>,
    service: Option<String>,
    environment: Option<String>,
}

impl IdentityRule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// When one of its patterns does not compile.
    pub fn new(spec: &IdentityRuleSpec) -> Result<Self, PatternError> {
        let pattern = |source: &Option<String>| source.as_deref().map(Pattern::parse).transpose();
        Ok(Self {
            name: spec.matching.name.as_deref().map(|source| build(source, source)).transpose()?,
            image: pattern(&spec.matching.image)?,
            label: spec.matching.label.iter().map(|(k, v)| Ok((k.clone(), Pattern::parse(v)?))).collect::<Result<_, PatternError>>()?,
            host: pattern(&spec.matching.host)?,
            app: spec.app.clone(),
            service: spec.service.clone(),
            environment: spec.environment.clone(),
        })
    }

    /// The names it gives, or `None` when it does not match.
    fn apply(&self, subject: &Subject<'_>) -> Option<Names> {
        let fits = self.host.as_ref().is_none_or(|p| p.matches(subject.host.id.as_str()))
            && self.image.as_ref().is_none_or(|p| p.matches(&subject.image.to_string()))
            && self.label.iter().all(|(label, p)| subject.label(label).is_some_and(|value| p.matches(value)));
        if !fits {
            return None;
        }
        let captures = match &self.name {
            Some(regex) => Some(regex.captures(subject.name)?),
            None => None,
        };
        let named = |group: &str, fixed: &Option<String>| {
            let captured = captures.as_ref().and_then(|c| c.name(group)).map(|m| m.as_str().to_owned());
            captured.filter(|text| !text.is_empty()).or_else(|| fixed.clone())
        };
        Some(Names {
            app: named("app", &self.app),
            service: named("service", &self.service),
            environment: named("environment", &self.environment),
        })
    }
}

/// What identity is told from.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The host it lives on.
    pub host: &'a HostSpec,
    /// The container's name.
    pub name: &'a str,
    /// Its image as named.
    pub image: &'a ImageRef,
    /// Its labels.
    pub labels: &'a BTreeMap<Arc<str>, Arc<str>>,
}

impl<'a> Subject<'a> {
    /// A label's value; an empty one counts as absent.
    fn label(&self, key: &str) -> Option<&'a str> {
        self.labels.get(key).map(|value| &**value).filter(|value| !value.is_empty())
    }
}

#[derive(Default)]
struct Names {
    app: Option<String>,
    service: Option<String>,
    environment: Option<String>,
}

/// Every source that says something about the container, strongest first.
fn sources(subject: &Subject<'_>, rules: &[IdentityRule], has_sibling: bool) -> Vec<(IdentityOrigin, Names)> {
    let owned = |key: &str| subject.label(key).map(str::to_owned);
    let mut found = vec![(
        IdentityOrigin::Label,
        Names { app: owned("quarterdeck.app"), service: owned("quarterdeck.service"), environment: owned("quarterdeck.environment") },
    )];
    if let Some((index, names)) = rules.iter().enumerate().find_map(|(index, rule)| Some((index, rule.apply(subject)?))) {
        found.push((IdentityOrigin::Rule(index), names));
    }
    found.push((
        IdentityOrigin::Compose,
        Names { app: owned("com.docker.compose.project"), service: owned("com.docker.compose.service"), environment: None },
    ));
    let stack = owned("com.docker.stack.namespace");
    let task_of = subject.label("com.docker.swarm.service.name").map(|full| {
        let own = stack.as_deref().and_then(|stack| full.strip_prefix(stack)).and_then(|rest| rest.strip_prefix('_'));
        own.filter(|own| !own.is_empty()).unwrap_or(full).to_owned()
    });
    found.push((IdentityOrigin::Swarm, Names { app: stack, service: task_of, environment: None }));
    let name = if has_sibling { stem(subject.name) } else { subject.name };
    found.push((IdentityOrigin::Name, Names { service: Some(name.to_owned()), ..Names::default() }));
    found
}

/// Names a container. `has_sibling` says whether another container of the same repository, named only by its name, has the same
/// [`stem`] anywhere in the fleet: then a replica suffix is not a part of the service's name.
pub fn identify(subject: &Subject<'_>, rules: &[IdentityRule], has_sibling: bool) -> Identity {
    let sources = sources(subject, rules, has_sibling);
    let service = sources.iter().find_map(|(origin, names)| Some((*origin, names.service.as_deref()?)));
    let (origin, service) = service.unwrap_or((IdentityOrigin::Name, subject.name));
    Identity {
        service: ServiceKey {
            app: sources.iter().find_map(|(_, names)| names.app.as_deref()).map(AppName::new),
            service: ServiceName::new(service),
        },
        environment: sources
            .iter()
            .find_map(|(_, names)| names.environment.as_deref().map(EnvironmentId::new))
            .or_else(|| subject.host.environment.clone()),
        origin,
    }
}

/// Which source gave app, service and environment, in words; one line each. For `doctor identity`.
pub fn explain(subject: &Subject<'_>, rules: &[IdentityRule], has_sibling: bool) -> String {
    let sources = sources(subject, rules, has_sibling);
    let mut out = String::new();
    let mut line = |what: &str, pick: &dyn Fn(&Names) -> Option<String>, otherwise: String| {
        let told = sources.iter().find_map(|(origin, names)| Some(format!("{} ({origin})", pick(names)?)));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{what:<12} {}", told.unwrap_or(otherwise));
    };
    line("app", &|names| names.app.clone(), "– (nothing names one)".to_owned());
    line("service", &|names| names.service.clone(), "–".to_owned());
    let of_host = subject.host.environment.as_ref();
    line(
        "environment",
        &|names| names.environment.clone(),
        of_host.map_or_else(|| "– (nothing names one)".to_owned(), |e| format!("{e} (host {})", subject.host.id)),
    );
    out
}

/// A container's name less its replica suffix, `[-_]` and one or two digits: `web-1` → `web`, `web_12` → `web`, `web-v2` stays.
pub fn stem(name: &str) -> &str {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    match name.len().checked_sub(digits + 1) {
        Some(cut) if (1..=2).contains(&digits) && cut > 0 && matches!(name.as_bytes()[cut], b'-' | b'_') => &name[..cut],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
        pairs.iter().map(|(k, v)| (Arc::from(*k), Arc::from(*v))).collect()
    }

    fn host(environment: Option<&str>) -> HostSpec {
        HostSpec {
            id: "eu-1".into(),
            url: "unix:///x".into(),
            environment: environment.map(EnvironmentId::new),
            tags: vec![],
            unprotected: false,
        }
    }

    fn rule(toml: &str) -> IdentityRule {
        IdentityRule::new(&toml::from_str(toml).unwrap()).unwrap()
    }

    #[test]
    fn stems() {
        let cases = [("web-1", "web"), ("web_12", "web"), ("web-123", "web-123"), ("web-v2", "web-v2"), ("-1", "-1"), ("7", "7"), ("", "")];
        for (name, expected) in cases {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn precedence() {
        let rules = [
            rule("app = \"never\"\nmatch = { host = \"us-*\" }"),
            rule("app = \"legacy\"\nenvironment = \"production\"\nmatch = { name = \"^(?<service>.+)-v[0-9]+$\", host = \"eu-*\" }"),
        ];
        let compose = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
        let swarm = [("com.docker.stack.namespace", "edge"), ("com.docker.swarm.service.name", "edge_proxy")];
        let own = [("quarterdeck.app", "a"), ("quarterdeck.service", "s"), ("quarterdeck.environment", "e")];
        let all: Vec<_> = own.iter().chain(&compose).chain(&swarm).copied().collect();
        let others: Vec<_> = compose.iter().chain(&swarm).copied().collect();
        // name, labels, whether it has a sibling; service, environment, origin.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool, &'a str, Option<&'a str>, IdentityOrigin);
        let cases: [Case<'_>; 8] = [
            ("x-v1", &all, false, "a/s", Some("e"), IdentityOrigin::Label),
            ("x-v1", &others, false, "legacy/x", Some("production"), IdentityOrigin::Rule(1)),
            ("x", &others, false, "shop/web", Some("testing"), IdentityOrigin::Compose),
            ("x", &swarm, false, "edge/proxy", Some("testing"), IdentityOrigin::Swarm),
            ("web-1", &[], true, "web", Some("testing"), IdentityOrigin::Name),
            ("web-1", &[], false, "web-1", Some("testing"), IdentityOrigin::Name),
            ("web-1", &[("quarterdeck.app", "")], false, "web-1", Some("testing"), IdentityOrigin::Name),
            ("web-1", &[("quarterdeck.service", "s"), compose[0]], false, "shop/s", Some("testing"), IdentityOrigin::Label),
        ];
        for (name, pairs, sibling, service, environment, origin) in cases {
            let host = host(Some("testing"));
            let image = ImageRef::parse("r/web:1");
            let subject = Subject { host: &host, name, image: &image, labels: &labels(pairs) };
            let identity = identify(&subject, &rules, sibling);
            assert_eq!(identity.service.to_string(), service, "{name} {pairs:?}");
            assert_eq!(identity.environment.as_ref().map(EnvironmentId::as_str), environment);
            assert_eq!(identity.origin, origin);
        }
    }

    #[test]
    fn rules_match_on_image_and_labels() {
        let by_image = rule("service = \"db\"\nmatch = { image = \"*/postgres:*\", label = { team = \"pay*\" } }");
        let host = host(None);
        let image = ImageRef::parse("registry:5000/x/postgres:15");
        for (pairs, service) in [(&[("team", "payments")][..], "db"), (&[("team", "ops")], "n"), (&[], "n")] {
            let subject = Subject { host: &host, name: "n", image: &image, labels: &labels(pairs) };
            let identity = identify(&subject, std::slice::from_ref(&by_image), false);
            assert_eq!(identity.service.service.as_str(), service);
            assert_eq!(identity.environment, None);
        }
    }

    #[test]
    fn unknown_keys_of_a_rule_are_refused() {
        assert!(toml::from_str::<IdentityRuleSpec>("match = { nme = \"x\" }").is_err());
        assert!(toml::from_str::<IdentityRuleSpec>("ap = \"x\"").is_err());
    }

    #[test]
    fn explanation_names_the_source_of_each() {
        let host = host(Some("production"));
        let image = ImageRef::parse("web");
        let labels = labels(&[("com.docker.compose.project", "shop")]);
        let text = explain(&Subject { host: &host, name: "web-1", image: &image, labels: &labels }, &[], true);
        assert_eq!(text, "app          shop (compose label)\nservice      web (container name)\nenvironment  production (host eu-1)\n");
    }
}
