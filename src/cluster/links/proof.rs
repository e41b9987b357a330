//! How two nodes prove to each other that they know the cluster's secret, without saying it: HMAC-SHA256 over all that both have said, with a nonce of each, and over who speaks.
//! A proof of one side is none for the other, and none in another conversation.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::config::LinkSecret;

pub const PROOF_BYTES: usize = 32;

/// A proof, as it stands on the wire.
pub type Proof = [u8; PROOF_BYTES];

/// Who proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Dialer,
    Acceptor,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Side::Dialer => b"engage link 1, the dialer",
            Side::Acceptor => b"engage link 1, the acceptor",
        }
    }
}

fn mac(secret: &LinkSecret, side: Side, said: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("invariant: HMAC takes a key of any length");
    for part in std::iter::once(side.label()).chain(said.iter().copied()) {
        // With its length, so that no two conversations read the same.
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(part);
    }
    mac
}

/// Proves, over all that was said so far.
#[must_use]
pub fn prove(secret: &LinkSecret, side: Side, said: &[&[u8]]) -> Proof {
    mac(secret, side, said).finalize().into_bytes().into()
}

/// Whether a proof holds. Takes the same time wherever it differs.
#[must_use]
pub fn holds(secret: &LinkSecret, side: Side, said: &[&[u8]], proof: &Proof) -> bool {
    mac(secret, side, said).verify_slice(proof).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_one_secret_one_side_and_one_conversation() {
        let secret = LinkSecret::new("s3cret");
        let said: [&[u8]; 2] = [b"hello", b"challenge"];
        let proof = prove(&secret, Side::Dialer, &said);
        assert!(holds(&secret, Side::Dialer, &said, &proof));
        assert!(!holds(&LinkSecret::new("other"), Side::Dialer, &said, &proof));
        assert!(!holds(&secret, Side::Acceptor, &said, &proof), "a proof sent back");
        assert!(!holds(&secret, Side::Dialer, &[b"hello", b"challenge2"], &proof));
        assert!(!holds(&secret, Side::Dialer, &[b"helloc", b"hallenge"], &proof), "the same bytes, cut elsewhere");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
