//! What is put into an environment and under which names: releases, deployments' ids, the names and labels of everything we make.
//!
//! Names hold the whole deployment id, so that two state directories that count alike never meet on a host.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::spec::{ConfigHash, ImageSource, Revision, Spec};
use crate::fleet::{AppName, EnvironmentId, ServiceName};

/// The labels of what we make: design, Identity of what runs.
pub mod label {
    /// The product.
    pub const APP: &str = "quarterdeck.app";
    /// The part of it.
    pub const SERVICE: &str = "quarterdeck.service";
    /// Where.
    pub const ENVIRONMENT: &str = "quarterdeck.environment";
    /// The build's version.
    pub const VERSION: &str = "quarterdeck.version";
    /// The release as written.
    pub const RELEASE: &str = "quarterdeck.release";
    /// The deployment that made it.
    pub const DEPLOYMENT: &str = "quarterdeck.deployment";
    /// All digits of the configuration revision.
    pub const CONFIG: &str = "quarterdeck.config";
    /// Who asked for it.
    pub const BY: &str = "quarterdeck.by";
    /// When, RFC 3339.
    pub const AT: &str = "quarterdeck.at";
    /// The audit's head at that moment.
    pub const AUDIT: &str = "quarterdeck.audit";
    /// The release in full, [packed](super::super::packed).
    pub const BODY: &str = "quarterdeck.body";
    /// Which of the service's containers on its host, from 1.
    pub const N: &str = "quarterdeck.n";
    /// How many of the service the environment wants.
    pub const WANTED: &str = "quarterdeck.wanted";
    /// What it was made from, a digest for each aspect.
    pub const MADE: &str = "quarterdeck.made";
    /// The ports that it has on the host: `80/tcp=20001`.
    pub const PORTS: &str = "quarterdeck.ports";
    /// The group of a balancer that it was made for, and the port of its own: `edge/shop_web:80`.
    pub const TRAFFIC: &str = "quarterdeck.traffic";
    /// The volumes that it writes to, with commas.
    pub const VOLUMES: &str = "quarterdeck.volumes";
    /// Keyed hashes of the secrets that it was given: `DB_PASSWORD=4f1c22d0:…`, with commas. They tell a changed value from the same one to whoever
    /// has the key, and nothing to anybody else.
    pub const SEALED: &str = "quarterdeck.sealed";
    /// Its restart policy while it is in use.
    pub const RESTART: &str = "quarterdeck.restart";
    /// Its probe as JSON, for whoever brings it back.
    pub const HEALTH: &str = "quarterdeck.health";
    /// `job`, `lock` or `freeze` on what is no service's container.
    pub const KIND: &str = "quarterdeck.kind";
    /// On a lock: who holds it.
    pub const HOLDER: &str = "quarterdeck.holder";
    /// On a freeze: why.
    pub const REASON: &str = "quarterdeck.reason";
}

/// A spec with its images' digests and a configuration revision: what can be put into an environment and brought back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Release {
    /// The product.
    pub app: AppName,
    /// The build's: `1.0.1-22-7e56158`.
    pub version: Arc<str>,
    /// Image of the spec → `repository@sha256:…`. An outside image that was resolved stands here under its own reference.
    pub images: BTreeMap<Arc<str>, Arc<str>>,
    /// What the template said at the build's commit.
    pub spec: Spec,
    /// What the environment adds.
    pub revision: Revision,
    /// Names `revision`.
    pub config: ConfigHash,
}

/// A release lacks something that its spec names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("release {release} has no digest for image {image:?}: build it again, or name a release that was pushed in full")]
pub struct NoImage {
    /// Which release.
    pub release: ReleaseId,
    /// Which image.
    pub image: Arc<str>,
}

impl Release {
    /// Its written form.
    pub fn id(&self) -> ReleaseId {
        ReleaseId { version: Arc::clone(&self.version), config: ConfigHash::new(self.config.short()) }
    }

    /// The reference that a host pulls.
    ///
    /// # Errors
    /// A built image without a digest.
    pub fn image(&self, source: &ImageSource) -> Result<Arc<str>, NoImage> {
        match source {
            ImageSource::Built(name) => {
                self.images.get(name).cloned().ok_or_else(|| NoImage { release: self.id(), image: Arc::clone(name) })
            }
            ImageSource::Outside(reference) => Ok(self.images.get(reference).unwrap_or(reference).clone()),
        }
    }
}

/// `1.0.1-22-7e56158+c1f09ab2`: the version and the first eight digits of the configuration revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReleaseId {
    /// The build's.
    pub version: Arc<str>,
    /// Eight digits.
    pub config: ConfigHash,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.version, self.config.short())
    }
}

/// Text that is none of our written forms.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no {what}: for example {example}")]
pub struct FormError {
    text: String,
    what: &'static str,
    example: &'static str,
}

impl FromStr for ReleaseId {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let fault = || FormError { text: crate::text::clean_line(text), what: "release", example: "1.0.1-22-7e56158+c1f09ab2" };
        let (version, config) = text.rsplit_once('+').ok_or_else(fault)?;
        let digits = config.len() == 8 && config.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match digits && !version.is_empty() {
            true => Ok(Self { version: version.into(), config: ConfigHash::new(config) }),
            false => Err(fault()),
        }
    }
}

/// `44-k3f9`: a number that people say, and four characters that keep two state directories apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentId {
    /// Counted by one state directory.
    pub number: u64,
    /// Four of [`DeploymentId::ALPHABET`].
    mark: Arc<str>,
}

impl DeploymentId {
    /// Crockford's base 32: nothing in it reads like something else.
    pub const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

    /// A number with a mark drawn from `random`, of which 20 bits are used.
    pub fn new(number: u64, random: u32) -> Self {
        let letters = Self::ALPHABET.as_bytes();
        let mark: String = (0..4).map(|at| char::from(letters[(random >> (5 * at)) as usize % 32])).collect();
        Self { number, mark: mark.into() }
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.mark)
    }
}

impl FromStr for DeploymentId {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        let fault = || FormError { text: crate::text::clean_line(text), what: "deployment", example: "44-k3f9" };
        let (number, mark) = text.split_once('-').ok_or_else(fault)?;
        let good = mark.len() == 4 && mark.chars().all(|c| Self::ALPHABET.contains(c)) && number.bytes().all(|b| b.is_ascii_digit());
        match number.parse() {
            Ok(number) if good => Ok(Self { number, mark: mark.into() }),
            Ok(_) | Err(_) => Err(fault()),
        }
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
as_text!(ReleaseId);
as_text!(DeploymentId);

/// What a kept container's name ends with.
pub const KEPT: &str = "-kept";

/// The names of everything we make for one app in one environment.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The product.
    pub app: &'a AppName,
    /// Where; without a dash, so that names cannot be read in two ways.
    pub environment: &'a EnvironmentId,
}

impl Names<'_> {
    /// One of a service's containers.
    pub fn container(&self, service: &ServiceName, n: u16, deployment: &DeploymentId) -> Arc<str> {
        format!("{}-{}-{service}-{n}-{deployment}", self.app, self.environment).into()
    }

    /// The container of a job.
    pub fn job(&self, job: &str, deployment: &DeploymentId) -> Arc<str> {
        format!("{}-{}-{job}-job-{deployment}", self.app, self.environment).into()
    }

    /// The network on each host.
    pub fn network(&self) -> Arc<str> {
        format!("{}-{}", self.app, self.environment).into()
    }

    /// One of our volumes.
    pub fn volume(&self, name: &str) -> Arc<str> {
        format!("{}-{}-{name}", self.app, self.environment).into()
    }

    /// The lock on each host.
    pub fn lock(&self) -> Arc<str> {
        format!("quarterdeck-lock-{}-{}", self.app, self.environment).into()
    }

    /// The freeze on each host.
    pub fn freeze(&self) -> Arc<str> {
        format!("quarterdeck-freeze-{}-{}", self.app, self.environment).into()
    }
}

/// A container's name while it is kept.
pub fn kept_name(name: &str) -> Arc<str> {
    format!("{}{KEPT}", used_name(name)).into()
}

/// A container's name while it is in use.
pub fn used_name(name: &str) -> &str {
    name.strip_suffix(KEPT).unwrap_or(name)
}

/// The variable by which a service is reached by those that need it: `QD_USER_API_ADDR`.
pub fn address_variable(service: &ServiceName) -> Arc<str> {
    format!("QD_{}_ADDR", service.as_str().to_ascii_uppercase().replace('-', "_")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_forms_read_back() {
        for text in ["1.0.1-22-7e56158+c1f09ab2", "1.0.1-22-7e56158-dirty.0a1b2c3d+00000000", "2024.1+beta-1-abcdef0+c1f09ab2"] {
            assert_eq!(text.parse::<ReleaseId>().unwrap().to_string(), text);
        }
        for text in ["44-k3f9", "1-0000"] {
            assert_eq!(text.parse::<DeploymentId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused_with_an_example() {
        for text in ["", "1.0.1", "1.0.1+c1f09ab", "1.0.1+C1F09AB2", "+c1f09ab2"] {
            assert!(text.parse::<ReleaseId>().unwrap_err().to_string().contains("1.0.1-22-7e56158+c1f09ab2"), "{text}");
        }
        for text in ["", "44", "44-k3f", "44-k3f9a", "-1-k3f9", "+44-k3f9", "44-k3fi", "44-K3F9", "99999999999999999999-k3f9"] {
            assert!(text.parse::<DeploymentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_hold_the_whole_deployment() {
        let (app, environment) = (AppName::new("shop"), EnvironmentId::new("production"));
        let names = Names { app: &app, environment: &environment };
        let deployment = DeploymentId::new(44, 0x0001_2345);
        let web = names.container(&ServiceName::new("web"), 2, &deployment);
        assert_eq!(&*web, format!("shop-production-web-2-{deployment}"));
        assert_eq!(&*kept_name(&web), format!("{web}-kept"));
        assert_eq!(&*kept_name(&kept_name(&web)), format!("{web}-kept"));
        assert_eq!(used_name(&kept_name(&web)), &*web);
        assert_eq!(&*names.volume("data"), "shop-production-data");
        assert_eq!(&*names.lock(), "quarterdeck-lock-shop-production");
        assert_eq!(&*address_variable(&ServiceName::new("user-api")), "QD_USER_API_ADDR");
    }

    proptest::proptest! {
        #[test]
        fn any_deployment_reads_back(number: u64, random: u32) {
            let id = DeploymentId::new(number, random);
            proptest::prop_assert_eq!(id.to_string().parse::<DeploymentId>().unwrap(), id);
        }
    }
}
