//! Makes the tokens that devices connect with (HS256). What the server accepts is not decided here.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who it is.
    #[serde(rename = "sub")]
    pub user: String,
    /// Binds the token to one device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(rename = "iat")]
    issued_at_s: u64,
    /// Until when it holds, in seconds since the epoch.
    #[serde(rename = "exp")]
    pub expires_at_s: u64,
}

impl Claims {
    /// Claims that hold from `now_ms` (since the epoch) on for so long.
    #[must_use]
    pub fn new(user: &str, device: Option<&str>, now_ms: u64, ttl_ms: u64) -> Claims {
        let expires_at_s = now_ms.saturating_add(ttl_ms).div_ceil(1_000);
        Claims { user: user.to_owned(), device: device.map(str::to_owned), issued_at_s: now_ms / 1_000, expires_at_s }
    }

    /// The token.
    ///
    /// # Errors
    /// What the library says; with claims of texts and numbers it doesn't fail.
    pub fn sign(&self, secret: &str) -> Result<String, jsonwebtoken::errors::Error> {
        encode(&Header::new(Algorithm::HS256), self, &EncodingKey::from_secret(secret.as_bytes()))
    }
}
