//! A secret text, and the API keys: types that can be passed around, logged and shown without giving the secret away.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;

/// A text that no log, error or `Debug` shows. Only [`Secret::expose`] gives it out. Two are compared in a time that tells their lengths alone.
#[derive(Clone, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

const REDACTED: &str = "[redacted]";

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself: to check with, or to sign with; never to print.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// What a bearer of an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Publish and withdraw.
    Publish,
    /// Read deliveries, users and outcomes.
    Read,
    /// Everything.
    Admin,
}

impl Role {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Publish => "publish",
            Role::Read => "read",
            Role::Admin => "admin",
        }
    }
}

/// A key of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Who has it; stands in logs.
    pub name: String,
    pub key: Secret,
    pub role: Role,
}

/// Why a text is not `name:key:role`. Never holds the text: a secret may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("is not a list of name:key:role; hint: name:key:publish,name:key:read,name:key:admin")]
    Form,
    #[error("holds a role that does not exist; hint: it is one of publish, read, admin")]
    Role,
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    /// Reads `name:key:role`, as it stands in the environment. A key may hold colons; a name may not.
    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        let (name, rest) = text.split_once(':').ok_or(ApiKeyError::Form)?;
        let (key, role) = rest.rsplit_once(':').ok_or(ApiKeyError::Form)?;
        let role = match role {
            "publish" => Role::Publish,
            "read" => Role::Read,
            "admin" => Role::Admin,
            _ => return Err(ApiKeyError::Role),
        };
        Ok(ApiKey { name: name.to_owned(), key: Secret::new(key), role })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let key = ApiKey { name: "shop".to_owned(), key: Secret::new("planted-secret"), role: Role::Read };
        let shown = format!("{key:?} {}", serde_json::to_string(&key).unwrap());
        assert!(!shown.contains("planted"), "{shown}");
        assert_eq!(key.key.expose(), "planted-secret");
    }

    #[test]
    fn secrets_are_equal_when_all_of_them_is() {
        let secret = Secret::new("planted-secret");
        assert_eq!(secret, Secret::from("planted-secret"));
        for other in ["planted-secre", "planted-secret1", "Planted-secret", ""] {
            assert_ne!(secret, Secret::from(other), "{other}");
        }
    }

    #[test]
    fn an_api_key_in_the_environment_is_name_key_role() {
        let key: ApiKey = "shop:a:b:c:publish".parse().unwrap();
        assert_eq!((key.name.as_str(), key.key.expose(), key.role), ("shop", "a:b:c", Role::Publish));
        assert_eq!("shop:abc".parse::<ApiKey>(), Err(ApiKeyError::Form));
        assert_eq!("shop:abc:root".parse::<ApiKey>(), Err(ApiKeyError::Role));
    }
}
