//! Who we are to a registry, as the engine wants it told: JSON in base64, Go's URL encoding, in a header. It has no `Debug` that shows it.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, prelude::BASE64_URL_SAFE};

/// Who we are to one registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistryAuth {
    /// As the Docker CLI names the server.
    pub server: String,
    /// Empty: nobody.
    pub username: String,
    /// Their password.
    pub password: String,
    /// In place of both.
    pub identity_token: String,
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryAuth({} at {:?})", if self.is_anonymous() { "nobody" } else { "somebody" }, self.server)
    }
}

impl RegistryAuth {
    /// Whether it is nobody.
    pub fn is_anonymous(&self) -> bool {
        self.username.is_empty() && self.identity_token.is_empty()
    }

    fn json(&self) -> serde_json::Value {
        match self.is_anonymous() {
            true => serde_json::json!({}),
            false if !self.identity_token.is_empty() => {
                serde_json::json!({ "identitytoken": self.identity_token, "serveraddress": self.server })
            }
            false => serde_json::json!({ "username": self.username, "password": self.password, "serveraddress": self.server }),
        }
    }

    /// `X-Registry-Auth`; an engine that is pushed to wants one even of nobody.
    pub(super) fn header(&self) -> String {
        BASE64_URL_SAFE.encode(self.json().to_string())
    }
}

/// Who we are to each registry: for a build that takes images from several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryAuths(pub BTreeMap<String, RegistryAuth>);

impl RegistryAuths {
    /// `X-Registry-Config`.
    pub(super) fn header(&self) -> String {
        let known = self.0.iter().filter(|(_, auth)| !auth.is_anonymous());
        let all: serde_json::Map<String, serde_json::Value> = known.map(|(server, auth)| (server.clone(), auth.json())).collect();
        BASE64_URL_SAFE.encode(serde_json::Value::Object(all).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_into_headers_and_nowhere_else() {
        let auth =
            RegistryAuth { server: "r:5000".into(), username: "u".into(), password: "p\u{ff}~secret".into(), ..RegistryAuth::default() };
        assert_eq!(RegistryAuth::default().header(), "e30=");
        let decoded = BASE64_URL_SAFE.decode(auth.header()).unwrap();
        assert_eq!(
            String::from_utf8(decoded).unwrap(),
            "{\"password\":\"p\u{ff}~secret\",\"serveraddress\":\"r:5000\",\"username\":\"u\"}"
        );
        let token = RegistryAuth { identity_token: "t".into(), ..auth.clone() };
        assert_eq!(
            String::from_utf8(BASE64_URL_SAFE.decode(token.header()).unwrap()).unwrap(),
            r#"{"identitytoken":"t","serveraddress":"r:5000"}"#
        );
        let all = RegistryAuths(BTreeMap::from([("r:5000".to_owned(), auth.clone()), ("x".to_owned(), RegistryAuth::default())]));
        assert!(!format!("{auth:?} {all:?}").contains("secret"));
        assert!(!String::from_utf8(BASE64_URL_SAFE.decode(all.header()).unwrap()).unwrap().contains("\"x\""));
    }
}
