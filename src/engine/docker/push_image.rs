//! What an engine knows of an image that it built, pushed or pulled.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Client, EngineError, RegistryAuth,
    client::{named, read_whole},
    decode::{nullable, parse},
    push::with_auth,
};
use crate::text::{clean, clean_line};

/// For what the engine knows itself.
const QUICK: Duration = Duration::from_secs(30);

/// What an engine says of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageReport {
    /// The engine's own name for it.
    pub id: String,
    /// `<repository>@<digest>`, of where it was pushed to or pulled from.
    pub repo_digests: Vec<String>,
    /// Bytes of all layers.
    pub size: u64,
    /// `linux/amd64`.
    pub platform: String,
}

/// One entry of an image's history, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// The instruction.
    pub made_by: Arc<str>,
    /// Bytes; 0 for what changes no file.
    pub size: u64,
}

impl Client {
    /// What the engine has under a name or id; `None`: nothing.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn image_report(&self, name: &str) -> Result<Option<ImageReport>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            id: String,
            #[serde(default, deserialize_with = "nullable")]
            repo_digests: Vec<String>,
            #[serde(default)]
            size: u64,
            #[serde(default)]
            os: String,
            #[serde(default)]
            architecture: String,
        }
        match self.get(&format!("/images/{name}/json"), QUICK).await {
            Ok(answer) => {
                let raw: Raw = parse(&answer, "GET /images/{name}/json")?;
                let repo_digests = raw.repo_digests.iter().map(|digest| clean(digest).into_owned()).collect();
                let platform = clean(&format!("{}/{}", raw.os, raw.architecture)).into_owned();
                Ok(Some(ImageReport { id: clean(&raw.id).into_owned(), repo_digests, size: raw.size, platform }))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an image is made of, newest first.
    ///
    /// # Errors
    /// Every [`EngineError`].
    pub async fn image_layers(&self, name: &str) -> Result<Vec<ImageLayer>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw {
            #[serde(default)]
            created_by: String,
            #[serde(default)]
            size: u64,
        }
        let answer = self.get(&format!("/images/{name}/history"), QUICK).await?;
        let raw: Vec<Raw> = parse(&answer, "GET /images/{name}/history")?;
        Ok(raw.iter().map(|entry| ImageLayer { made_by: clean_line(&entry.created_by).into(), size: entry.size }).collect())
    }

    /// Takes a name off an image; the image goes with its last name.
    ///
    /// # Errors
    /// Every [`EngineError`]; `Status` 409 while something needs it.
    pub async fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        let path = format!("/images/{name}?noprune=true");
        let what = named(&Method::DELETE, &path);
        let gone = async {
            read_whole(self.send(with_auth(Method::DELETE, &path, &RegistryAuth::default(), &what)?).await?, &what).await.map(|_| ())
        };
        match timeout(QUICK, gone).await {
            Ok(gone) => gone,
            Err(_) => Err(EngineError::Timeout { what: what.clone(), seconds: QUICK.as_secs() }),
        }
    }
}
