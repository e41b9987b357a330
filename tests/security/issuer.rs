//! Issuers of tokens: key pairs made for the run, by which tokens are signed as an identity provider would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac as _};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use crate::support::token::seconds_from_now;

/// One key pair.
pub struct Issuer {
    pub algorithm: Algorithm,
    key: EncodingKey,
    public_bytes: Vec<u8>,
    /// What everybody may know.
    pub public_pem: String,
    pub private_pem: String,
}

impl Issuer {
    /// Draws a key pair for an algorithm with public keys.
    pub fn new(algorithm: Algorithm) -> Issuer {
        let pair = match algorithm {
            Algorithm::RS256 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            Algorithm::ES256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Algorithm::EdDSA => KeyPair::generate_for(&PKCS_ED25519),
            other => panic!("{other:?} has no public key here"),
        };
        let pair = pair.expect("a key pair");
        let (private_pem, public_pem) = (pair.serialize_pem(), pair.public_key_pem());
        let pem = private_pem.as_bytes();
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem),
            _ => EncodingKey::from_ed_pem(pem),
        };
        Issuer { algorithm, key: key.expect("a key that signs"), public_bytes: pair.public_key_raw().to_vec(), public_pem, private_pem }
    }

    /// Signs any claims; `kid` names the key in a set.
    pub fn sign(&self, claims: &Value, kid: Option<&str>) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).expect("claims can be signed")
    }

    /// A good token.
    pub fn token(&self, user: &str, kid: Option<&str>) -> String {
        self.sign(&claims(user), kid)
    }

    /// The public key, as a member of a set.
    pub fn jwk(&self, kid: &str) -> Value {
        if self.algorithm == Algorithm::EdDSA {
            return json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": BASE64.encode(&self.public_bytes)});
        }
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public key");
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).expect("it is JSON")
    }
}

/// Good claims for an hour.
pub fn claims(user: &str) -> Value {
    json!({"sub": user, "exp": seconds_from_now(3600)})
}

/// Claims under any header, signed with a secret by HS256, as a forger would who has read a public key.
pub fn forged(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let said = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(said.as_bytes());
    format!("{said}.{}", BASE64.encode(mac.finalize().into_bytes()))
}
