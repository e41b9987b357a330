//! Makes the tokens that devices connect with (HS256). What the server accepts is not decided here.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock;

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Claims {
    #[serde(rename = "sub")]
    pub(super) user: String,
    /// Binds the token to one device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    #[serde(rename = "iat")]
    issued_at_s: u64,
    #[serde(rename = "exp")]
    pub(super) expires_at_s: u64,
}

impl Claims {
    /// Claims that hold from now on for so long.
    pub(super) fn new(user: &str, device: Option<&str>, ttl_ms: u64) -> Claims {
        let now_ms = clock::wall_ms();
        let expires_at_s = now_ms.saturating_add(ttl_ms).div_ceil(1_000);
        Claims { user: user.to_owned(), device: device.map(str::to_owned), issued_at_s: now_ms / 1_000, expires_at_s }
    }

    /// The token.
    pub(super) fn sign(&self, secret: &str) -> anyhow::Result<String> {
        Ok(encode(&Header::new(Algorithm::HS256), self, &EncodingKey::from_secret(secret.as_bytes()))?)
    }
}
