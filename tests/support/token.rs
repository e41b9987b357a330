//! Tokens of clients, honest and forged. Made from their parts, so that a test can make any wrong one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engage::clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The secret that every node of the tests verifies with.
pub const SECRET: &str = "the-secret-of-the-tests-0123456789-abcdefghij";

/// Seconds since the epoch, `ahead` from now.
pub fn seconds_from_now(ahead: i64) -> i64 {
    i64::try_from(clock::wall_ms() / 1000).expect("seconds fit in an i64") + ahead
}

/// A good token for a user, for a day: also to a node whose clock is hours ahead.
pub fn token(user: &str) -> String {
    signed(&json!({"sub": user, "exp": seconds_from_now(86_400)}), Algorithm::HS256, SECRET)
}

/// A good token for a user on one device only.
pub fn device_token(user: &str, device: &str) -> String {
    signed(&json!({"sub": user, "device": device, "exp": seconds_from_now(3600)}), Algorithm::HS256, SECRET)
}

/// A good token that ends so many seconds from now; negative for one that has ended.
pub fn token_ending_in(user: &str, seconds: i64) -> String {
    signed(&json!({"sub": user, "exp": seconds_from_now(seconds)}), Algorithm::HS256, SECRET)
}

/// Any claims, signed with a secret by an HMAC algorithm.
pub fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("claims can be signed")
}

/// A token that says of itself that it needs no signature.
pub fn unsigned(user: &str) -> String {
    let claims = json!({"sub": user, "exp": seconds_from_now(3600)});
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims))
}

/// The good token's claims and signature under a header that names another algorithm.
pub fn relabelled(user: &str, algorithm: &str) -> String {
    let good = token(user);
    let (_, rest) = good.split_once('.').expect("a token has three parts");
    format!("{}.{rest}", part(&json!({"alg": algorithm, "typ": "JWT"})))
}

/// A good token of one user whose claims were swapped for another user's.
pub fn with_swapped_claims(user: &str, victim: &str) -> String {
    let good = token(user);
    let mut parts = good.split('.');
    let header = parts.next().expect("a header");
    let signature = parts.nth(1).expect("a signature");
    format!("{header}.{}.{signature}", part(&json!({"sub": victim, "exp": seconds_from_now(3600)})))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
