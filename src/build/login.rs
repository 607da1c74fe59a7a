//! Who we are to a registry: what `docker login` left in the Docker CLI's `config.json`, credential helpers included.
//!
//! A helper is a program of the person's own; the server's name goes to its input, the secret comes out of its output, and nothing of it
//! stands on any command line. Nobody is asked anything: without a login we are nobody.

use std::{collections::HashMap, io, path::PathBuf, process::Stdio, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use thiserror::Error;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use super::git::absolute_path;
use crate::{
    engine::docker::{RegistryAuth, RegistryAuths},
    text::clean_line,
};

/// How long a helper may take: a person may have to unlock a key ring.
const HELPER: Duration = Duration::from_secs(60);
/// Docker Hub by the name under which the Docker CLI keeps its login.
const HUB: &str = "https://index.docker.io/v1/";

/// Why it is not known who we are.
#[derive(Debug, Error)]
pub enum LoginError {
    /// The file is not the Docker CLI's.
    #[error("{}: {reason}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong; never its content.
        reason: String,
    },
    /// A helper failed.
    #[error("registry {server}: the credential helper docker-credential-{helper} {reason}: run `docker login {server}` by hand to see why")]
    Helper {
        /// For which server.
        server: String,
        /// Which.
        helper: String,
        /// How.
        reason: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CliFile {
    auths: HashMap<String, CliAuth>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CliAuth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// The logins of one person.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// Where `config.json` is.
    dir: Option<PathBuf>,
}

impl Logins {
    /// Those of a directory: `$DOCKER_CONFIG`, else `~/.docker`; `None`: nobody's.
    pub fn of(dir: Option<PathBuf>) -> Self {
        Self { dir }
    }

    /// Who we are to the registry of an image.
    ///
    /// # Errors
    /// Every [`LoginError`].
    pub async fn find(&self, reference: &str) -> Result<RegistryAuth, LoginError> {
        let file = self.read()?;
        let server = server_of(reference);
        let helper = file.helpers.get(key(server)).or(file.store.as_ref()).filter(|helper| !helper.is_empty());
        if let Some(helper) = helper
            && let Some(auth) = ask(helper, key(server)).await?
        {
            return Ok(auth);
        }
        Ok(kept(&file, server).unwrap_or_else(|| RegistryAuth { server: key(server).to_owned(), ..RegistryAuth::default() }))
    }

    /// Who we are to the registries of several images.
    ///
    /// # Errors
    /// Every [`LoginError`].
    pub async fn find_all(&self, references: impl Iterator<Item = &str>) -> Result<RegistryAuths, LoginError> {
        let mut all = RegistryAuths::default();
        for reference in references {
            let server = key(server_of(reference));
            if !all.0.contains_key(server) {
                all.0.insert(server.to_owned(), self.find(reference).await?);
            }
        }
        Ok(all)
    }

    fn read(&self) -> Result<CliFile, LoginError> {
        let Some(file) = self.dir.as_ref().map(|dir| dir.join("config.json")) else { return Ok(CliFile::default()) };
        match std::fs::read(&file) {
            // serde's words would quote what stands there.
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let reason = format!("is not what the Docker CLI writes (line {})", error.line());
                LoginError::File { file, reason }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(CliFile::default()),
            Err(error) => Err(LoginError::File { file, reason: error.to_string() }),
        }
    }
}

/// The registry of an image's name: its first part, if that looks like a host.
pub fn server_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

/// How the Docker CLI names a server in its file.
fn key(server: &str) -> &str {
    match server {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB,
        other => other,
    }
}

/// The host of a name that may be a URL.
fn host(name: &str) -> &str {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    bare.split('/').next().unwrap_or(bare)
}

fn kept(file: &CliFile, server: &str) -> Option<RegistryAuth> {
    let name = key(server);
    let exact = file.auths.get(name);
    let found = exact.or_else(|| file.auths.iter().find(|(other, _)| host(other) == host(name)).map(|(_, auth)| auth))?;
    let mut auth = RegistryAuth {
        server: name.to_owned(),
        username: found.username.clone(),
        password: found.password.clone(),
        identity_token: found.identitytoken.clone(),
    };
    if let Some(text) = BASE64_STANDARD.decode(&found.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        && let Some((username, password)) = text.split_once(':')
    {
        auth.username = username.to_owned();
        auth.password = password.trim_end_matches('\0').to_owned();
    }
    Some(auth).filter(|auth| !auth.is_anonymous())
}

/// Asks a helper; `None`: it knows nobody (https://github.com/docker/docker-credential-helpers).
async fn ask(helper: &str, server: &str) -> Result<Option<RegistryAuth>, LoginError> {
    let failed = |reason: &str| LoginError::Helper { server: clean_line(server), helper: clean_line(helper), reason: clean_line(reason) };
    if !helper.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(failed("has a name that is no program's"));
    }
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").env("PATH", absolute_path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(&format!("cannot be run ({error})")))?;
    let stdin = child.stdin.take();
    let whole = async {
        if let Some(mut stdin) = stdin {
            // One that does not read says why with its exit code.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match timeout(HELPER, whole).await {
        Ok(output) => output.map_err(|error| failed(&error.to_string()))?,
        Err(_) => return Err(failed(&format!("did not answer within {} s", HELPER.as_secs()))),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        if said.contains("not found") {
            return Ok(None);
        }
        return Err(failed(&format!("failed ({})", output.status)));
    }
    let helped: Helped = serde_json::from_slice(&output.stdout).map_err(|_| failed("did not answer with a login"))?;
    let server = server.to_owned();
    Ok(Some(match helped.username.as_str() {
        "<token>" => RegistryAuth { server, identity_token: helped.secret, ..RegistryAuth::default() },
        _ => RegistryAuth { server, username: helped.username, password: helped.secret, identity_token: String::new() },
    })
    .filter(|auth| !auth.is_anonymous()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(json: &str) -> (tempfile::TempDir, Logins) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), json).unwrap();
        let logins = Logins::of(Some(dir.path().to_owned()));
        (dir, logins)
    }

    #[test]
    fn registries_of_names() {
        for (reference, server) in [
            ("busybox", "docker.io"),
            ("library/busybox:1", "docker.io"),
            ("localhost/x", "localhost"),
            ("r:5000/x", "r:5000"),
            ("registry.internal/a/b@sha256:1", "registry.internal"),
        ] {
            assert_eq!(server_of(reference), server);
        }
    }

    #[tokio::test]
    async fn logins_of_the_file() {
        let json = r#"{"auths":{
            "r:5000":{"auth":"dXNlcjpwYTpzcw=="},
            "https://https.example/v2/":{"username":"u","password":"p"},
            "https://index.docker.io/v1/":{"auth":"aHViOmh1YnB3","identitytoken":"tok"},
            "empty.example":{}},"HttpHeaders":{"x":"y"}}"#;
        let (_dir, logins) = logins(json);
        for (reference, username, password, token) in [
            ("r:5000/x", "user", "pa:ss", ""),
            ("https.example/x", "u", "p", ""),
            ("busybox", "hub", "hubpw", "tok"),
            ("empty.example/x", "", "", ""),
            ("unknown:5000/x", "", "", ""),
        ] {
            let auth = logins.find(reference).await.unwrap();
            assert_eq!(
                (auth.username.as_str(), auth.password.as_str(), auth.identity_token.as_str()),
                (username, password, token),
                "{reference}"
            );
        }
        let all = logins.find_all(["r:5000/x", "r:5000/y", "busybox"].into_iter()).await.unwrap();
        assert_eq!(all.0.keys().collect::<Vec<_>>(), ["https://index.docker.io/v1/", "r:5000"]);
        assert!(Logins::default().find("r:5000/x").await.unwrap().is_anonymous());
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_without_the_content() {
        let (_dir, broken) = logins("{\"auths\":{\"r\":{\"auth\": hunter2}}}");
        let error = broken.find("r:5000/x").await.unwrap_err().to_string();
        assert!(error.contains("config.json: is not what") && !error.contains("hunter2"), "{error}");
        for (helper, words) in [("../evil", "no program's"), ("no-such-helper-anywhere", "cannot be run")] {
            let (_dir, logins) = logins(&format!(r#"{{"credHelpers":{{"r:5000":"{helper}"}}}}"#));
            let error = logins.find("r:5000/x").await.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("docker login r:5000"), "{error}");
            assert!(logins.find("busybox").await.unwrap().is_anonymous(), "a helper is for its own server");
        }
    }
}
