//! Why there is no build. Each sentence names the image, what failed, and the remedy.

use thiserror::Error;

use super::{
    builds::RecordsError,
    context::ContextError,
    git::GitError,
    ignore::IgnoreError,
    login::{LoginError, server_of},
    version::VersionError,
};
use crate::engine::docker::{EngineError, StepFailure};

/// Why there is no build.
#[derive(Debug, Error)]
pub enum BuildFault {
    /// Somebody asked for the end.
    #[error("stopped: nothing more was built or pushed")]
    Stopped,
    /// Git could not.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The app's version could not be had.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A file that the template names is not in the commit.
    #[error("{file}: there is no such file in the commit: git add it and commit, or name another in the template")]
    NoFile {
        /// From the repository's root.
        file: String,
    },
    /// The template has no image to build.
    #[error("the template has no [images.*]: there is nothing to build")]
    NoImages,
    /// An image cannot be built as the template says.
    #[error("image {image}: {reason}")]
    Image {
        /// Which.
        image: String,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The ignore file is wrong.
    #[error("{file}: {source}")]
    Ignore {
        /// From the repository's root.
        file: String,
        /// Line and reason.
        source: IgnoreError,
    },
    /// The files could not be read.
    #[error("image {image}: the context: {source}")]
    Context {
        /// Which.
        image: String,
        /// Which file.
        source: ContextError,
    },
    /// Who we are to a registry is not known.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// An image of others cannot be had.
    #[error("image {image}: the image {base} cannot be had on {host}: {reason}{}", remedy(.base, .reason))]
    Base {
        /// Which.
        image: String,
        /// What it stands on.
        base: String,
        /// The engine.
        host: String,
        /// Its words.
        reason: String,
    },
    /// A step failed.
    #[error("image {image}: {stage}{}: {}", .failure.step.as_ref().map_or_else(String::new, |step| format!(": {step}")), .failure.reason)]
    Step {
        /// Which.
        image: String,
        /// What was being built: `the build` or `the stage test`.
        stage: String,
        /// Where and why, and what was printed last.
        failure: StepFailure,
    },
    /// A command in a container failed.
    #[error("image {image}: {what} ended with {code}: {command}")]
    Command {
        /// Which.
        image: String,
        /// `its test` or `prepare`.
        what: &'static str,
        /// The exit code.
        code: i64,
        /// The command, secrets masked.
        command: String,
        /// What it printed last.
        tail: Vec<String>,
    },
    /// A command in a container did not end.
    #[error("image {image}: {what} did not end within {minutes} minutes, and was ended: {command}")]
    Endless {
        /// Which.
        image: String,
        /// `its test` or `prepare`.
        what: &'static str,
        /// How long it was waited for.
        minutes: u64,
        /// The command, secrets masked.
        command: String,
    },
    /// The registry does not take it.
    #[error("image {reference} cannot be pushed from {host}: {reason}{}", remedy(.reference, .reason))]
    Push {
        /// What.
        reference: String,
        /// The engine.
        host: String,
        /// Its words.
        reason: String,
    },
    /// What was pushed and what came back are not the same.
    #[error("image {reference}: the push told the digest {told}, and the tag has {known}: somebody else pushed that tag; build again")]
    Digest {
        /// What.
        reference: String,
        /// By the push.
        told: String,
        /// By the registry, or the engine.
        known: String,
    },
    /// The engine failed.
    #[error("host {host:?}: {source}")]
    Engine {
        /// Which.
        host: String,
        /// Its words.
        source: EngineError,
    },
    /// A directory of ours could not be made or written.
    #[error("{what}: {source}")]
    Local {
        /// What was done.
        what: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The ledger could not be read or written.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl BuildFault {
    /// What the failing command printed last.
    pub fn tail(&self) -> Vec<String> {
        match self {
            Self::Step { failure, .. } => failure.tail.iter().map(ToString::to_string).collect(),
            Self::Command { tail, .. } => tail.clone(),
            _ => Vec::new(),
        }
    }
}

/// What mends the most frequent refusals of a registry.
fn remedy(reference: &str, reason: &str) -> String {
    let server = server_of(reference);
    let has = |text: &str| reason.contains(text);
    match () {
        () if has("no basic auth credentials") || has("authentication required") || has("unauthorized") || has("denied") => {
            format!(": log in as somebody who may: docker login {server}")
        }
        () if has("server gave HTTP response to HTTPS client") => {
            format!(": the registry speaks plain HTTP: add {server} to \"insecure-registries\" of that engine's daemon.json")
        }
        () if has("certificate") || has("x509") => {
            format!(": that engine does not trust its certificate: put the CA into /etc/docker/certs.d/{server}/ca.crt there")
        }
        () if has("no such host") || has("connection refused") || has("i/o timeout") || has("deadline") => {
            format!(": is {server} up, and reached from there?")
        }
        () if has("manifest unknown") || has("not found") => ": there is no such image in that registry".to_owned(),
        () => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_with_their_remedies() {
        let push = |reason: &str| {
            BuildFault::Push { reference: "r:5000/shop/web:1".into(), host: "test-01".into(), reason: reason.into() }.to_string()
        };
        assert_eq!(
            push("no basic auth credentials"),
            "image r:5000/shop/web:1 cannot be pushed from test-01: no basic auth credentials: log in as somebody who may: docker login r:5000"
        );
        assert!(push("dial tcp 10.0.0.1:5000: connect: connection refused").ends_with("is r:5000 up, and reached from there?"));
        assert!(push("x509: certificate signed by unknown authority").contains("/etc/docker/certs.d/r:5000/ca.crt"));
        assert!(push("something else").ends_with("something else"));
        let failure = StepFailure { step: Some("RUN make".into()), reason: "exit code: 2".into(), tail: vec!["no rule".into()] };
        let fault = BuildFault::Step { image: "web".into(), stage: "the stage test".into(), failure };
        assert_eq!(
            (fault.to_string().as_str(), fault.tail()),
            ("image web: the stage test: RUN make: exit code: 2", vec!["no rule".to_owned()])
        );
    }
}
