//! Tokens that are verified with a public key: the node never knows how to sign, and its public key is no secret to sign with.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::node::{Node, Settings};
use crate::support::token::{SECRET, relabelled, seconds_from_now, signed, unsigned};

/// A key pair of the tests alone.
const PRIVATE_KEY: &str = include_str!("../../support/keys/ed25519.pem");
const PUBLIC_KEY: &str = include_str!("../../support/keys/ed25519.pub.pem");
const PUBLIC_KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/keys/ed25519.pub.pem");

fn signed_with_the_private_key(claims: &Value) -> String {
    let key = EncodingKey::from_ed_pem(PRIVATE_KEY.as_bytes()).expect("a key");
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &key).expect("claims can be signed")
}

#[tokio::test]
async fn a_node_with_a_public_key_takes_what_its_private_key_signed_and_nothing_else() {
    let node = Node::start(Settings::new().without("auth.jwt_secret").with("auth.jwt_public_key_file", PUBLIC_KEY_FILE));
    let user = fresh("user");
    let claims = json!({"sub": user, "exp": seconds_from_now(3600)});
    let good = signed_with_the_private_key(&claims);
    let device = Hello::new(&user, "d1").with("token", json!(good)).connect(&node).await;
    assert_eq!(device.welcome["user"], user);
    let forged = [
        signed(&claims, Algorithm::HS256, PUBLIC_KEY),
        signed(&claims, Algorithm::HS256, PUBLIC_KEY.trim_end()),
        signed(&claims, Algorithm::HS256, SECRET),
        relabelled(&user, "EdDSA"),
        unsigned(&user),
        signed_with_the_private_key(&json!({"sub": user})),
    ];
    for token in forged {
        println!("token: {token}");
        let mut device = Device::open(&node).await;
        device.send(Hello::new(&user, "d2").with("token", json!(token)).message()).await;
        device.expect_error("unauthorized").await;
        device.expect_closed(4401).await;
    }
}
