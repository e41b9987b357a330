//! Who a client is: its JWT, verified (CONTRACT §8). A key allows exactly one algorithm, chosen here and never by the token, so that no token can pick another or
//! none. Time comes in as an argument.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

use crate::ledger::ids::{DeviceId, UserId};

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub user: UserId,
    /// The only device that it is good for; none: any.
    pub device: Option<DeviceId>,
    /// Ms since the epoch, by the wall clock.
    pub expires_at_ms: u64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or its signature, algorithm or key is not ours.
    #[error("the token is not valid")]
    Invalid,
    /// It lacks `exp` or `sub`, or a claim is not what it should be.
    #[error("the token's claims are not valid; hint: it needs sub (a user) and exp")]
    Claims,
    /// `nbf` lies ahead.
    #[error("the token is not valid yet")]
    NotYet,
    /// `exp` has passed.
    #[error("the token has expired; hint: get a new one")]
    Expired,
}

/// Why key material is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too short to be a secret.
    #[error("the secret is too short; hint: it needs {SECRET_MIN_BYTES} bytes or more")]
    ShortSecret,
    /// A private key where a public one belongs.
    #[error("this is a private key; hint: give the node the public key only")]
    Private,
    /// Not a PEM public key for RS256, ES256 or EdDSA.
    #[error("this is no public key that can be used; hint: a PEM of RSA with 2048 bits or more, EC P-256, or Ed25519")]
    Unusable,
    /// Not a JWKS document, or no key in it can be used.
    #[error("the JWKS document has no key that can be used; hint: RSA with 2048 bits or more, EC P-256, or Ed25519, each with its own kid")]
    NoKey,
}

/// The shortest HS256 secret: the hash's own length.
pub const SECRET_MIN_BYTES: usize = 32;
/// Keys taken of a JWKS document.
const JWKS_KEYS_MAX: usize = 64;
const RSA_MIN_BYTES: usize = 256;
const ED25519_BYTES: usize = 32;
/// An uncompressed point of P-256.
const P256_POINT_BYTES: usize = 65;

/// Verifies tokens. Its `Debug` shows no key.
pub struct Verifier {
    keys: Keys,
}

enum Keys {
    One(Box<Key>),
    /// By `kid`.
    Many(HashMap<String, Key>),
}

struct Key {
    key: DecodingKey,
    validation: Validation,
}

impl Key {
    fn new(key: DecodingKey, algorithm: Algorithm) -> Key {
        let mut validation = Validation::new(algorithm);
        // The claims are judged below, by our own clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Key { key, validation }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = match &self.keys {
            Keys::One(_) => 1,
            Keys::Many(keys) => keys.len(),
        };
        write!(f, "Verifier(<{count} keys>)")
    }
}

impl Verifier {
    /// HS256 with a shared secret.
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`].
    pub fn from_secret(secret: &[u8]) -> Result<Verifier, KeyError> {
        if secret.len() < SECRET_MIN_BYTES {
            return Err(KeyError::ShortSecret);
        }
        Ok(Verifier { keys: Keys::One(Box::new(Key::new(DecodingKey::from_secret(secret), Algorithm::HS256))) })
    }

    /// RS256, ES256 or EdDSA, whichever the public key in this PEM text is for.
    ///
    /// # Errors
    /// [`KeyError::Private`], [`KeyError::Unusable`].
    pub fn from_public_pem(pem: &str) -> Result<Verifier, KeyError> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        let pem = pem.as_bytes();
        let long_enough = |key: &DecodingKey, least: usize| key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() >= least);
        let exactly = |key: &DecodingKey, bytes_count: usize| key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == bytes_count);
        let ec = DecodingKey::from_ec_pem(pem).ok().filter(|key| exactly(key, P256_POINT_BYTES)).map(|key| (key, Algorithm::ES256));
        let ed = || DecodingKey::from_ed_pem(pem).ok().filter(|key| exactly(key, ED25519_BYTES)).map(|key| (key, Algorithm::EdDSA));
        let rsa = || DecodingKey::from_rsa_pem(pem).ok().filter(|key| long_enough(key, RSA_MIN_BYTES)).map(|key| (key, Algorithm::RS256));
        let (key, algorithm) = ec.or_else(ed).or_else(rsa).ok_or(KeyError::Unusable)?;
        Ok(Verifier { keys: Keys::One(Box::new(Key::new(key, algorithm))) })
    }

    /// A JWKS document: each key that can be used, by its `kid`. Symmetric keys are left out: a set of public keys has none.
    ///
    /// # Errors
    /// [`KeyError::NoKey`].
    pub fn from_jwks(document: &str) -> Result<Verifier, KeyError> {
        let set: JwkSet = serde_json::from_str(document).map_err(|_| KeyError::NoKey)?;
        let keys: HashMap<String, Key> = set.keys.iter().take(JWKS_KEYS_MAX).filter_map(key_of_set).collect();
        if keys.is_empty() {
            return Err(KeyError::NoKey);
        }
        Ok(Verifier { keys: Keys::Many(keys) })
    }

    /// What the token says, if it is good at `now_wall_ms` (ms since the epoch, by the wall clock).
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str, now_wall_ms: u64) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        // What a token calls critical must be understood, and nothing of it is.
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let key = match &self.keys {
            Keys::One(key) => key,
            Keys::Many(keys) => header.kid.as_ref().and_then(|kid| keys.get(kid)).ok_or(TokenError::Invalid)?,
        };
        let decoded = jsonwebtoken::decode::<serde_json::Value>(token, &key.key, &key.validation).map_err(|_| TokenError::Invalid)?;
        let raw: RawClaims = serde_json::from_value(decoded.claims).map_err(|_| TokenError::Claims)?;
        let expires_at_ms = wall_ms(raw.exp)?;
        if expires_at_ms <= now_wall_ms {
            return Err(TokenError::Expired);
        }
        if raw.nbf.map(wall_ms).transpose()?.is_some_and(|not_before_ms| not_before_ms > now_wall_ms) {
            return Err(TokenError::NotYet);
        }
        let user = UserId::parse(&raw.sub).map_err(|_| TokenError::Claims)?;
        let device = raw.device.as_deref().map(DeviceId::parse).transpose().map_err(|_| TokenError::Claims)?;
        Ok(Claims { user, device, expires_at_ms })
    }
}

/// Signs an HS256 token that is good until `expires_at_s`, in seconds since the epoch: for the command line and the tests.
///
/// # Errors
/// [`KeyError::ShortSecret`].
pub fn mint_hs256(secret: &[u8], user: &UserId, device: Option<&DeviceId>, expires_at_s: u64) -> Result<String, KeyError> {
    if secret.len() < SECRET_MIN_BYTES {
        return Err(KeyError::ShortSecret);
    }
    let claims = MintedClaims { sub: user.as_str(), device: device.map(DeviceId::as_str), exp: expires_at_s };
    let key = EncodingKey::from_secret(secret);
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("plain claims can be signed with a secret"))
}

/// `exp` and `nbf` are seconds, which may have a fraction (RFC 7519).
#[derive(Deserialize)]
struct RawClaims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    device: Option<String>,
}

#[derive(Serialize)]
struct MintedClaims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    exp: u64,
}

fn wall_ms(seconds: f64) -> Result<u64, TokenError> {
    if !seconds.is_finite() || seconds < 0.0 {
        return Err(TokenError::Claims);
    }
    // A float to an integer saturates: what is too far ahead is the end of time.
    Ok((seconds * 1000.0) as u64)
}

fn key_of_set(jwk: &Jwk) -> Option<(String, Key)> {
    let kid = jwk.common.key_id.clone()?;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|algorithm| algorithm != named) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    // The crate takes key bytes of any length, and slices Ed25519 ones unchecked later.
    let is_usable = match key.kind() {
        jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } => n.len() >= RSA_MIN_BYTES,
        jsonwebtoken::DecodingKeyKind::SecretOrDer(bytes) if algorithm == Algorithm::EdDSA => bytes.len() == ED25519_BYTES,
        jsonwebtoken::DecodingKeyKind::SecretOrDer(bytes) => bytes.len() == P256_POINT_BYTES,
    };
    is_usable.then(|| (kid, Key::new(key, algorithm)))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
