//! Tokens, good and forged. The keys below were made for these tests and guard nothing.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::*;

const NOW_MS: u64 = 1_000_000_000;
const NOW_S: u64 = NOW_MS / 1000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

const RSA_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCsafLYiCw8Updn\n\
8TYwaQkg1i7i8dZyWnY+AvZoSIoJd69hYdU+MRDnRtSI/XRSxQVS4VqAymo5laRe\n\
w95txEUWBYcGO94vo6wswqp0rUFCp9zd+IKuDt3bXq97o7gZ6lwnRSlSwA7SJ03m\n\
49BNaZAmJxK+s+JbbjVVEJOQnkVVTNDd9mHz5J8fYs2xTQ7zHYO7tSUvpxIaV4ya\n\
TBLgf+qDoL3qN+oILv5W6exDsavcHXacJJ4e/6OVijNfFbrxcYoPv4T6WTcN//lR\n\
YaimjXi9rlKtAncK0MSH+YXOxEne0pT0UKK1Gs6OmC+4nW7Dy+i/k5BnOuKqDgjk\n\
lod64qfFAgMBAAECggEAKkJ3zyIlcY2u5b/GT/xWy/EjoeWz8eiBZfa07d+l0ec/\n\
mgdwTKObKI0AaClzmxwGj4eD9uBmRAINPVsWCGKcqmalb146OgQMnhYC0MFspwld\n\
Bh007rPfJjdhnNUGuXdrqgZ2N/2yREl0+zxooKjYt7lJC2ws9csgEF8VRFO+28am\n\
rGdPc6glv29EH5QkooDwfvHEMVIonVZpS48x6HNfQCb2OLngW+udVKhiTVMJihlH\n\
nDjKQgN+xYy60+mEUzRbXast76rBz7mU/26REn+ddwMcK9qTuP+KZ2FFE5/eqhoN\n\
iJRhlLK/gJh8oYb1mJxiOEtFT3GoY26jnkG8caIVuwKBgQDb5PNayNlaRk/xFZB4\n\
IiXGPMHoWjqqsumGWHt9whzgKzZDOBMj1QKfrZ7+hmY4tQAanKEnWx9dUKHa+Cei\n\
QTuKrMTa6rdHrOUYdKTu6itgz3u5IUF6+dcailjken0pMOESY/fHAHK6u1iygsIg\n\
fBkdcytZ8MOpP9nGm1xrjA9RvwKBgQDIuTOKsdXh4SEl63znCBV0TN1exw8QOuTl\n\
AWoeH+eE+GbO0KUgoNWjUgkaQWOYnjBib7/rmcBPDLLbBn/Pcox6LcwowLHbMhnr\n\
KkbFBJ8ZlfqD88LXDVBGG8DMmWNvR6x+ZvoGJubhiALCLStxF8DF+xDo2Oxo7ckV\n\
XrZI+u/fewKBgG4W+wtJoSAEMcPGgxTSK81K393fRp3tguLi67izdVd56unOai63\n\
V1/wQbi2OvlLDSlFn50fjt1eIBqLwPQH6rJr+waLGoWE9xG+XFDM5jjKx+uQzcKu\n\
0NWVzBlfhcgYk6ZsbEGyZL4+S5LbyisPVlebMGoQEzVqJTK815F0hrrrAoGAX6l0\n\
WQt8RdTHuYzL0EfYAb+IWV1BXpjS8hmEe6r06jiAttxVdoFwkA/O6sZzMw9hO+jK\n\
bPyv3HzO2Pf1/eY38RrWjC2aFj+AfsV9SPR05vrFlBGesGNV+LPNZTVNYIGmQe/O\n\
BRSRQLdTqTth0tphM3n+ixqnQTLifN7QvWNq4vUCgYEAqb/PwTl5FJn64vJ92sG6\n\
CPQZ2sNuq0HOjpJmSmn1IcSUysmsD+FsYBLJ8NqM9gsJm4A3WCCzWaSiIT6oeBKh\n\
23CpCnDpABeKLBNEbqOdJzHC9ezVKM6+RMrHcTaMPQjoI7Nz146cHN0V4A1n53QB\n\
zJ6uc9+v/xLmwiBvfNd3qW4=\n\
-----END PRIVATE KEY-----";
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArGny2IgsPFKXZ/E2MGkJ\n\
INYu4vHWclp2PgL2aEiKCXevYWHVPjEQ50bUiP10UsUFUuFagMpqOZWkXsPebcRF\n\
FgWHBjveL6OsLMKqdK1BQqfc3fiCrg7d216ve6O4GepcJ0UpUsAO0idN5uPQTWmQ\n\
JicSvrPiW241VRCTkJ5FVUzQ3fZh8+SfH2LNsU0O8x2Du7UlL6cSGleMmkwS4H/q\n\
g6C96jfqCC7+VunsQ7Gr3B12nCSeHv+jlYozXxW68XGKD7+E+lk3Df/5UWGopo14\n\
va5SrQJ3CtDEh/mFzsRJ3tKU9FCitRrOjpgvuJ1uw8vov5OQZzriqg4I5JaHeuKn\n\
xQIDAQAB\n\
-----END PUBLIC KEY-----";
const EC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgU5mt1HZnoLuhECjb\n\
2qR4h6eWKBeRW/2WLl+ratweq6GhRANCAASf5+M7XxF3CbZG9XbDGC/C+FjpvKlF\n\
x+0hlIsttdTVZ7XJd1FjGwDz7fjF7y9frzHsoo7GgWH2D1Z4fEkz389B\n\
-----END PRIVATE KEY-----";
const EC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEn+fjO18Rdwm2RvV2wxgvwvhY6byp\n\
RcftIZSLLbXU1We1yXdRYxsA8+34xe8vX68x7KKOxoFh9g9WeHxJM9/PQQ==\n\
-----END PUBLIC KEY-----";
const ED_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIAzXLurLuwUUJqV7Hqh6PWGzW/MHLCj2F5KlL9YTx0oc\n\
-----END PRIVATE KEY-----";
const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEADndcqJZOKf1DXqFx8qGPkWxECsNIkyTR97vD94APwBI=\n\
-----END PUBLIC KEY-----";

fn user() -> UserId {
    UserId::parse("u1").unwrap()
}

fn good() -> Value {
    json!({"sub": "u1", "exp": NOW_S + 60})
}

fn signed(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, key).unwrap()
}

fn verify(claims: &Value) -> Result<Claims, TokenError> {
    Verifier::from_secret(SECRET).unwrap().verify(&signed(Algorithm::HS256, &EncodingKey::from_secret(SECRET), claims), NOW_MS)
}

fn by_hand(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

#[test]
fn a_minted_token_is_good_until_it_expires() {
    let verifier = Verifier::from_secret(SECRET).unwrap();
    let device = DeviceId::parse("d1").unwrap();
    let token = mint_hs256(SECRET, &user(), Some(&device), NOW_S + 1).unwrap();
    let claims = Claims { user: user(), device: Some(device), expires_at_ms: NOW_MS + 1000 };
    assert_eq!(verifier.verify(&token, NOW_MS), Ok(claims));
    assert!(verifier.verify(&token, NOW_MS + 999).is_ok());
    assert_eq!(verifier.verify(&token, NOW_MS + 1000), Err(TokenError::Expired));
}

#[test]
fn a_token_needs_a_user_and_an_expiry() {
    assert!(verify(&good()).is_ok());
    assert_eq!(verify(&json!({"sub": "u1"})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"exp": NOW_S + 60})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "", "exp": NOW_S + 60})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "a\nb", "exp": NOW_S + 60})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "u1", "exp": "never"})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "u1", "exp": -1})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "u1", "exp": NOW_S + 60, "device": ""})), Err(TokenError::Claims));
    assert_eq!(verify(&json!({"sub": "u1", "exp": 1e300})).unwrap().expires_at_ms, u64::MAX);
    assert_eq!(verify(&json!({"sub": "u1", "exp": NOW_S + 60, "nbf": NOW_S + 1})), Err(TokenError::NotYet));
    assert!(verify(&json!({"sub": "u1", "exp": NOW_S as f64 + 0.5, "nbf": NOW_S, "aud": "any"})).is_ok());
}

#[test]
fn a_forged_token_is_not_taken() {
    let verifier = Verifier::from_secret(SECRET).unwrap();
    let other = EncodingKey::from_secret(b"another secret of the same length");
    assert_eq!(verifier.verify(&signed(Algorithm::HS256, &other, &good()), NOW_MS), Err(TokenError::Invalid));
    let token = mint_hs256(SECRET, &user(), None, NOW_S + 60).unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let swapped = format!("{header}.{}.{signature}", BASE64.encode(json!({"sub": "u2", "exp": NOW_S + 60}).to_string()));
    assert_eq!(verifier.verify(&swapped, NOW_MS), Err(TokenError::Invalid));
    for text in ["", ".", "..", "a.b.c", "a.b.c.d", head, &format!("{head}."), &token[1..]] {
        assert_eq!(verifier.verify(text, NOW_MS), Err(TokenError::Invalid), "{text}");
    }
}

#[test]
fn a_token_cannot_choose_its_algorithm() {
    let secret = Verifier::from_secret(SECRET).unwrap();
    for algorithm in ["none", "None", "NONE", "HS257"] {
        assert_eq!(secret.verify(&by_hand(&json!({"alg": algorithm, "typ": "JWT"}), &good(), ""), NOW_MS), Err(TokenError::Invalid));
    }
    let key = EncodingKey::from_secret(SECRET);
    assert_eq!(secret.verify(&signed(Algorithm::HS512, &key, &good()), NOW_MS), Err(TokenError::Invalid));
    // The classic: the public key, which everybody has, as an HMAC secret.
    for public in [RSA_PUBLIC, EC_PUBLIC, ED_PUBLIC] {
        let confused = signed(Algorithm::HS256, &EncodingKey::from_secret(public.as_bytes()), &good());
        assert_eq!(Verifier::from_public_pem(public).unwrap().verify(&confused, NOW_MS), Err(TokenError::Invalid));
    }
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    assert_eq!(
        Verifier::from_public_pem(RSA_PUBLIC).unwrap().verify(&signed(Algorithm::PS256, &rsa, &good()), NOW_MS),
        Err(TokenError::Invalid)
    );
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["exp".into()]);
    assert_eq!(secret.verify(&jsonwebtoken::encode(&header, &good(), &key).unwrap(), NOW_MS), Err(TokenError::Invalid));
}

#[test]
fn public_keys_verify_what_their_private_keys_signed() {
    let pairs = [
        (Algorithm::RS256, EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap(), RSA_PUBLIC),
        (Algorithm::ES256, EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap(), EC_PUBLIC),
        (Algorithm::EdDSA, EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap(), ED_PUBLIC),
    ];
    for (at, (algorithm, private, public)) in pairs.iter().enumerate() {
        let verifier = Verifier::from_public_pem(public).unwrap();
        assert_eq!(verifier.verify(&signed(*algorithm, private, &good()), NOW_MS).unwrap().user, user());
        let (algorithm, other, _) = &pairs[(at + 1) % pairs.len()];
        assert_eq!(verifier.verify(&signed(*algorithm, other, &good()), NOW_MS), Err(TokenError::Invalid));
    }
}

#[test]
fn a_key_set_goes_by_kid() {
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    let ec = EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap();
    let ed = EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes()).unwrap();
    let jwk = |key: &EncodingKey, algorithm, kid: &str| {
        let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
        jwk.common.key_id = Some(kid.into());
        serde_json::to_value(jwk).unwrap()
    };
    let symmetric = json!({"kty": "oct", "kid": "s", "k": BASE64.encode(SECRET)});
    let short = json!({"kty": "OKP", "crv": "Ed25519", "kid": "short", "x": "AAAA"});
    let set = json!({"keys": [jwk(&rsa, Algorithm::RS256, "r"), jwk(&ec, Algorithm::ES256, "e"), jwk(&ed, Algorithm::EdDSA, "d"), symmetric, short]});
    let verifier = Verifier::from_jwks(&set.to_string()).unwrap();
    let token = |algorithm, key: &EncodingKey, kid: Option<&str>| {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, &good(), key).unwrap()
    };
    assert!(verifier.verify(&token(Algorithm::RS256, &rsa, Some("r")), NOW_MS).is_ok());
    assert!(verifier.verify(&token(Algorithm::ES256, &ec, Some("e")), NOW_MS).is_ok());
    assert!(verifier.verify(&token(Algorithm::EdDSA, &ed, Some("d")), NOW_MS).is_ok());
    let secret = EncodingKey::from_secret(SECRET);
    let refused = [
        token(Algorithm::RS256, &rsa, None),
        token(Algorithm::RS256, &rsa, Some("e")),
        token(Algorithm::RS256, &rsa, Some("x")),
        token(Algorithm::HS256, &secret, Some("s")),
        token(Algorithm::EdDSA, &ed, Some("short")),
    ];
    for token in refused {
        assert_eq!(verifier.verify(&token, NOW_MS), Err(TokenError::Invalid));
    }
    for document in ["", "{}", r#"{"keys":[]}"#, &json!({"keys": [symmetric, short]}).to_string()] {
        assert_eq!(Verifier::from_jwks(document).err(), Some(KeyError::NoKey), "{document}");
    }
}

#[test]
fn key_material_that_cannot_be_right_is_refused() {
    assert_eq!(Verifier::from_secret(b"short").err(), Some(KeyError::ShortSecret));
    for private in [RSA_PRIVATE, EC_PRIVATE, ED_PRIVATE] {
        assert_eq!(Verifier::from_public_pem(private).err(), Some(KeyError::Private));
    }
    assert_eq!(Verifier::from_public_pem("nothing").err(), Some(KeyError::Unusable));
    assert_eq!(format!("{:?}", Verifier::from_secret(SECRET).unwrap()), "Verifier(<1 keys>)");
}
