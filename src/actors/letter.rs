//! What edges and owners say to each other, as bytes on a link: a version, then the words. Knows nothing of links.

use serde::{Deserialize, Serialize};

use crate::ports::session::{ToEdge, ToOwner};

/// The first byte of every letter. A node that reads another one than its own refuses the letter.
const VERSION: u8 = 1;

/// One message between an edge and an owner.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Letter {
    ToOwner(ToOwner),
    ToEdge(ToEdge),
}

/// Why bytes are no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLetter {
    #[error("a session message of version {0} can't be read; hint: bring all nodes to one release")]
    Version(u8),
    #[error("a session message is damaged")]
    Damaged,
}

impl Letter {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("invariant: words have a form in bytes")
    }

    /// Reads what [`Letter::encode`] wrote.
    ///
    /// # Errors
    /// [`NoLetter`].
    pub fn decode(bytes: &[u8]) -> Result<Letter, NoLetter> {
        match bytes.split_first() {
            Some((&VERSION, words)) => postcard::from_bytes(words).map_err(|_| NoLetter::Damaged),
            Some((&other, _)) => Err(NoLetter::Version(other)),
            None => Err(NoLetter::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::fakes::{ack, attach, connection, offer, session, user};
    use crate::ledger::engagement::{Payload, Scope};
    use crate::ledger::ids::ShardId;
    use crate::ledger::time::LedgerTime;
    use crate::ports::session::{Attempt, Item, Said};

    #[test]
    fn a_letter_is_read_as_it_was_written_and_nothing_else_is() {
        let attempt = Attempt { connection: connection(1), number: 2 };
        let mut with_data = ack("a");
        with_data.data = Some(Payload("{\"a\":1}".into()));
        let to_owner =
            ToOwner::Attach { user: user("u1"), attempt, attach: attach("d", 1), said: vec![Said::Ack { ack: with_data, number: 7 }] };
        let items = vec![
            Item::Welcome { window: session(), at: LedgerTime(9), acks: Vec::new() },
            Item::Do(offer("a", Scope::User, 2_000)),
            Item::NotNow,
        ];
        let to_edge = ToEdge { attempt, shard: ShardId(3), term: 4, items };
        for letter in [Letter::ToOwner(to_owner), Letter::ToEdge(to_edge)] {
            let bytes = letter.encode();
            assert_eq!(Letter::decode(&bytes).unwrap(), letter);
            for cut in 0..bytes.len() {
                assert!(Letter::decode(&bytes[..cut]).is_err());
            }
            assert_eq!(Letter::decode(&[&[9], &bytes[1..]].concat()), Err(NoLetter::Version(9)));
        }
    }
}
