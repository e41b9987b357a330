//! A node that is none: says what the protocol of links says, byte by byte, written from its description and not by the node's own code. It can say wrong things too.

use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use crate::raw::Raw;

const MAGIC: &[u8; 8] = b"engage\x00L";
const VERSION: u16 = 1;
const CHALLENGE_BYTES: usize = 48;
const VERDICT_HEAD_BYTES: usize = 4;
const PROOF_BYTES: usize = 32;

/// Services that a question can be for.
pub const RAFT: u8 = 1;
pub const META: u8 = 6;
pub const JOIN: u8 = 7;

/// What a peer wants.
#[derive(Clone, Copy, Serialize)]
pub enum Role {
    Member,
    Knock,
    Guest,
}

#[derive(Serialize)]
struct Identity<'a> {
    cluster_id: &'a str,
    node: u64,
    uuid: &'a str,
    run: u64,
    name: &'a str,
}

#[derive(Serialize)]
struct Hello<'a> {
    role: Role,
    to: u64,
    from: Identity<'a>,
    nonce: [u8; 32],
}

/// What a peer says of itself.
#[derive(Clone, Copy)]
pub struct Claims<'a> {
    pub role: Role,
    pub node: u64,
    pub cluster_id: &'a str,
}

impl Claims<'_> {
    /// One who wants to join.
    pub const GUEST: Claims<'static> = Claims { role: Role::Guest, node: 0, cluster_id: "" };

    /// The hello, as it goes over the wire.
    pub fn hello(&self) -> Vec<u8> {
        let from = Identity { cluster_id: self.cluster_id, node: self.node, uuid: "a-uuid", run: 7, name: "stranger" };
        let hello = Hello { role: self.role, to: u64::from(self.node != 0), from, nonce: rand::random() };
        let body = postcard::to_stdvec(&hello).expect("it can be written");
        let mut bytes = prefix(u16::try_from(body.len()).expect("it is short"));
        bytes.extend(body);
        bytes
    }
}

/// How a hello begins, with the length that it claims.
pub fn prefix(claimed_bytes: u16) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in [VERSION, VERSION, claimed_bytes, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes
}

/// What came back for a hello and a proof.
pub struct Verdict {
    /// 0: let in. Otherwise the number of the reason.
    pub reason: u8,
    /// What the dialer said, to be said again.
    pub said: Vec<u8>,
    pub wire: Raw,
}

/// Dials, says hello, and proves a secret. None: it is closed before a verdict.
pub async fn dial(address: &str, claims: &Claims<'_>, secret: &str) -> Option<Verdict> {
    let mut wire = Raw::to(address).await;
    let hello = claims.hello();
    wire.send(&hello).await;
    let challenge = wire.bytes(CHALLENGE_BYTES).await?;
    if challenge[10] != 0 {
        return Some(Verdict { reason: challenge[10], said: hello, wire });
    }
    let proof = prove(secret, &hello, &challenge);
    wire.send(&proof).await;
    let said = [hello, proof].concat();
    let head = wire.bytes(VERDICT_HEAD_BYTES).await?;
    wire.bytes(PROOF_BYTES + usize::from(u16::from_le_bytes([head[2], head[3]]))).await?;
    Some(Verdict { reason: head[0], said, wire })
}

fn prove(secret: &str, hello: &[u8], challenge: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    for part in [b"engage link 1, the dialer".as_slice(), hello, challenge] {
        mac.update(&u64::try_from(part.len()).expect("it fits").to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// A question's frame, which claims to be so long.
pub fn question(service: u8, body: &[u8], claimed_bytes: u32) -> Vec<u8> {
    const ASK: u8 = 2;
    const SESSION_LANE: u8 = 1;
    let mut head = claimed_bytes.to_le_bytes().to_vec();
    head.extend([ASK, SESSION_LANE, service, 0]);
    head.extend(1_u64.to_le_bytes());
    let eight = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let sum = xxhash_rust::xxh3::xxh3_64_with_seed(body, eight(0) ^ eight(8).rotate_left(32));
    [head, sum.to_le_bytes().to_vec(), body.to_vec()].concat()
}
