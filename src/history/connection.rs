//! One connection, as its client saw it. Decides nothing.

use std::collections::{BTreeMap, HashMap};

use super::record::{Key, Leave, Session, Transport};

/// An ack or a dismiss that was sent on a connection, and the answer.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub t: u64,
    pub key: &'a Key,
    pub answered: Option<u64>,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection<'a> {
    pub session: Session,
    pub user: &'a str,
    pub device: &'a str,
    pub node: &'a str,
    /// When it said hello.
    pub hello: u64,
    /// The place of the hello.
    pub place: usize,
    /// Among the connections of its device.
    pub index: usize,
    pub open: &'a [Key],
    pub max_in_flight: usize,
    pub transport: Transport,
    pub welcome: Option<u64>,
    /// By the client.
    pub end: Option<(u64, Leave)>,
    /// By the other side, with the code of its Close frame.
    pub ended: Option<(u64, Option<u16>)>,
    /// When it first said that it is hidden.
    pub hidden: Option<u64>,
    /// By their references.
    pub asked: BTreeMap<i64, Asked<'a>>,
    /// Time, code, and whether to try again.
    pub errors: Vec<(u64, &'a str, bool)>,
    /// When it read it, and ledger time.
    pub withdraws: HashMap<&'a Key, Vec<(u64, u64)>>,
    /// When it sent a dismiss. One that does not settle puts it off, and frees it.
    pub dismisses: HashMap<&'a Key, Vec<u64>>,
    /// The places of all its entries, in their order.
    pub seen: Vec<usize>,
}

impl Connection<'_> {
    /// When it was over, if it was.
    #[must_use]
    pub fn over(&self) -> Option<u64> {
        let ends = [self.end.map(|(t, _)| t), self.ended.map(|(t, _)| t)];
        ends.into_iter().flatten().min()
    }

    /// Whether the answer to what bore this reference came by a post of its own.
    #[must_use]
    pub fn is_posted(&self, reference: Option<i64>) -> bool {
        self.transport == Transport::Stream && reference.is_some()
    }

    pub(super) fn answer(&mut self, reference: i64, t: u64) {
        if let Some(asked) = self.asked.get_mut(&reference) {
            asked.answered.get_or_insert(t);
        }
    }
}
