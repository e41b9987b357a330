//! Tokens of clients, where the node verifies with public keys: a PEM file for each algorithm, and a set of keys.

use std::sync::OnceLock;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::answer::{Expected, answered};
use crate::issuer::{Issuer, claims, forged};
use crate::nodes::settings;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::node::Node;
use crate::support::token::{SECRET, seconds_from_now, signed, unsigned};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// A node that verifies with what stands in a file.
struct Verifying {
    node: Node,
    _home: tempfile::TempDir,
}

fn verifying(key: &str, content: &str) -> Verifying {
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().join("keys");
    std::fs::write(&path, content).expect("a file can be written");
    let settings = settings().without("auth.jwt_secret").with(key, path.to_str().expect("a path of UTF-8"));
    Verifying { node: Node::start(settings), _home: home }
}

/// The issuers of the set, by their kid, and the node that has it.
struct Set {
    issuers: Vec<(String, Issuer)>,
    verifying: Verifying,
}

fn set() -> &'static Set {
    static SET: OnceLock<Set> = OnceLock::new();
    SET.get_or_init(|| {
        let issuers: Vec<(String, Issuer)> =
            ALGORITHMS.iter().map(|algorithm| (format!("{algorithm:?}"), Issuer::new(*algorithm))).collect();
        let mut keys: Vec<Value> = issuers.iter().map(|(kid, issuer)| issuer.jwk(kid)).collect();
        // A set of public keys has no business with a shared secret: it must not count.
        keys.push(json!({"kty": "oct", "kid": "symmetric", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}));
        let verifying = verifying("auth.jwks_file", &json!({"keys": keys}).to_string());
        Set { issuers, verifying }
    })
}

async fn is_taken(node: &Node, user: &str, token: &str) {
    let device = Hello::new(user, &fresh("device")).with("token", json!(token)).connect(node).await;
    assert_eq!(device.welcome["user"], user);
}

async fn refused(expected: &Expected, node: &Node, tokens: &[String]) {
    for token in tokens {
        println!("token: {token}");
        let mut device = Device::open(node).await;
        device.send(Hello::new("u", "d1").with("token", json!(token)).message()).await;
        expected.closes(&mut device).await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    let expected = answered("4401 unauthorized");
    for algorithm in ALGORITHMS {
        let issuer = Issuer::new(algorithm);
        let Verifying { node, _home } = verifying("auth.jwt_public_key_file", &issuer.public_pem);
        is_taken(&node, "u", &issuer.token("u", None)).await;
        let pem = &issuer.public_pem;
        let der = jsonwebtoken_der(pem);
        let secrets = [pem.as_bytes(), pem.trim_end().as_bytes(), der.as_slice(), b""];
        let headers = [json!({"alg": "HS256", "typ": "JWT"}), json!({"alg": format!("{algorithm:?}"), "typ": "JWT"})];
        let mut tokens: Vec<String> =
            headers.iter().flat_map(|header| secrets.iter().map(|secret| forged(header, &claims("u"), secret))).collect();
        tokens.extend([unsigned("u"), signed(&claims("u"), Algorithm::HS256, SECRET)]);
        tokens.push(Issuer::new(algorithm).token("u", None));
        tokens.push(issuer.sign(&json!({"sub": "u"}), None));
        refused(&expected, &node, &tokens).await;
        let expired = issuer.sign(&json!({"sub": "u", "exp": seconds_from_now(-1)}), None);
        refused(&answered("4401 token_expired"), &node, &[expired]).await;
    }
}

/// The bytes between a PEM's lines.
fn jsonwebtoken_der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(text).expect("PEM holds base64")
}

#[tokio::test]
async fn a_token_that_names_no_key_of_the_set_is_refused() {
    let expected = answered("4401 unauthorized");
    let Set { issuers, verifying } = set();
    for (kid, issuer) in issuers {
        is_taken(&verifying.node, "u", &issuer.token("u", Some(kid))).await;
        let others = [None, Some("unknown"), Some(""), Some("../../etc/passwd")];
        let tokens = others.map(|kid| issuer.token("u", kid));
        refused(&expected, &verifying.node, &tokens).await;
    }
}

#[tokio::test]
async fn a_key_of_the_set_verifies_no_token_of_another_key_or_algorithm() {
    let expected = answered("4401 unauthorized");
    let Set { issuers, verifying } = set();
    let mut tokens = Vec::new();
    for (kid, _) in issuers {
        tokens.extend(issuers.iter().filter(|(other, _)| other != kid).map(|(_, issuer)| issuer.token("u", Some(kid))));
        let stranger = Issuer::new(Algorithm::EdDSA);
        tokens.push(stranger.token("u", Some(kid)));
        let (_, own) = issuers.iter().find(|(other, _)| other == kid).expect("its own");
        tokens.push(forged(&json!({"alg": "HS256", "kid": kid}), &claims("u"), own.public_pem.as_bytes()));
        tokens.push(forged(&json!({"alg": "none", "kid": kid}), &claims("u"), b""));
    }
    // The key that a forger brings along is nobody's.
    let stranger = Issuer::new(Algorithm::EdDSA);
    tokens.push(stranger.token("u", Some("symmetric")));
    let symmetric = json!({"alg": "HS256", "kid": "symmetric"});
    tokens.push(forged(&symmetric, &claims("u"), b"secret-secret-secret-secret-secret"));
    refused(&expected, &verifying.node, &tokens).await;
}
