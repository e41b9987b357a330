//! A ledger as bytes, in chunks, and back. The same ledger gives the same bytes; what can be derived is not in them.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::content::Lately;
use super::ids::{UserId, WindowId};
use super::ledger::{Ledger, Share};
use super::limits::Settings;
use super::outcome::{Outcome, OutcomeLog};
use super::store::Store;
use super::time::{LedgerTime, Millis};
use super::user::User;

/// The version of the format. A change of any type that a snapshot holds is a new one.
pub const SNAPSHOT_VERSION: u16 = 3;

/// About how large a chunk gets, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// What a snapshot is made from: shares all state with the ledger that it was taken of, and does not change.
#[derive(Clone, Debug)]
pub struct View {
    now: LedgerTime,
    settings: Settings,
    last_window: WindowId,
    users: Store,
    outcomes: OutcomeLog,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    version: u16,
    now: LedgerTime,
    settings: Settings,
    last_window: WindowId,
    user_count: u64,
    outcomes: super::outcome::Books,
}

impl View {
    pub(super) fn of(ledger: &Ledger) -> View {
        View {
            now: ledger.now,
            settings: ledger.settings.clone(),
            last_window: ledger.last_window,
            users: ledger.users.clone(),
            outcomes: ledger.outcomes.clone(),
        }
    }

    /// The snapshot, in chunks of bounded size (about 256 KiB, or one user). To be walked off the apply thread.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let head = Head {
            version: SNAPSHOT_VERSION,
            now: self.now,
            settings: self.settings.clone(),
            last_window: self.last_window,
            user_count: self.users.len() as u64,
            outcomes: self.outcomes.books(),
        };
        let head = std::iter::once(encode(&head));
        let users = Packed { items: self.users.iter(), next: None };
        let outcomes = Packed { items: self.outcomes.iter(), next: None };
        head.chain(users).chain(outcomes)
    }
}

/// Packs items one behind the other until a chunk is full.
struct Packed<I: Iterator> {
    items: I,
    /// An item that did not fit into the chunk before.
    next: Option<Vec<u8>>,
}

impl<I: Iterator> Iterator for Packed<I>
where
    I::Item: Serialize,
{
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = self.next.take().unwrap_or_default();
        for item in self.items.by_ref() {
            let bytes = encode(&item);
            if !chunk.is_empty() && chunk.len() + bytes.len() > CHUNK_BYTES {
                self.next = Some(bytes);
                break;
            }
            chunk.extend_from_slice(&bytes);
        }
        if chunk.is_empty() { None } else { Some(chunk) }
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("the ledger's own types encode")
}

/// Why a snapshot can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// It was written by another version of this program.
    Version { found: u16, known: u16 },
    /// It ends early, goes on too long, or does not decode.
    Damaged(&'static str),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Version { found, known } => {
                write!(f, "the snapshot has format {found}, this program reads {known}; hint: run the version that wrote it")
            }
            SnapshotError::Damaged(what) => write!(f, "the snapshot is damaged: {what}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// Puts a ledger together from chunks.
#[derive(Debug)]
pub struct Restore {
    ledger: Ledger,
    users_left: u64,
    outcomes_left: u64,
    has_head: bool,
    /// So that what was published to many is kept once again.
    lately: Lately,
}

/// Most engagements that are looked out for while a ledger is restored.
const LATELY_COUNT: usize = 4_096;

impl Default for Restore {
    fn default() -> Self {
        let lately = Lately::with_room(LATELY_COUNT);
        Restore { ledger: Ledger::default(), users_left: 0, outcomes_left: 0, has_head: false, lately }
    }
}

impl Restore {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`SnapshotError`], when it does not decode, or comes after the end.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), SnapshotError> {
        let mut rest = chunk;
        if !self.has_head {
            rest = self.take_head(rest)?;
        }
        while !rest.is_empty() {
            if self.users_left > 0 {
                let ((id, user), left): ((UserId, User), _) =
                    postcard::take_from_bytes(rest).map_err(|_| SnapshotError::Damaged("a user does not decode"))?;
                self.take_user(&id, user);
                rest = left;
            } else if self.outcomes_left > 0 {
                let (outcome, left): (Outcome, _) =
                    postcard::take_from_bytes(rest).map_err(|_| SnapshotError::Damaged("an outcome does not decode"))?;
                self.ledger.outcomes.restore(outcome);
                self.outcomes_left -= 1;
                rest = left;
            } else {
                return Err(SnapshotError::Damaged("there is more than it says"));
            }
        }
        Ok(())
    }

    fn take_head<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], SnapshotError> {
        let (version, _): (u16, _) = postcard::take_from_bytes(chunk).map_err(|_| SnapshotError::Damaged("it has no version"))?;
        if version != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version { found: version, known: SNAPSHOT_VERSION });
        }
        let (head, rest): (Head, _) = postcard::take_from_bytes(chunk).map_err(|_| SnapshotError::Damaged("its head does not decode"))?;
        self.ledger.now = head.now;
        self.ledger.settings = head.settings;
        self.ledger.last_window = head.last_window;
        self.users_left = head.user_count;
        self.outcomes_left = head.outcomes.kept;
        self.ledger.outcomes = OutcomeLog::with_books(&head.outcomes);
        self.has_head = true;
        Ok(rest)
    }

    fn take_user(&mut self, id: &UserId, mut user: User) {
        user.share_contents(&mut self.lately);
        user.settled.reckon_due(self.ledger.settings.window_carry);
        if mutant!(SnapshotForgetsCarried) {
            user.settled.reckon_due(Millis(0));
            user.settled.forget(self.ledger.now, Millis(0));
            user.settled.reckon_due(self.ledger.settings.window_carry);
        }
        let share = Share::of(&user);
        *self.ledger.users.get_or_insert(id) = user;
        self.ledger.keep_books(id, Share::default(), share);
        self.users_left -= 1;
    }

    /// The ledger.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], when chunks are missing.
    pub fn finish(self) -> Result<Ledger, SnapshotError> {
        if !self.has_head || self.users_left > 0 || self.outcomes_left > 0 {
            return Err(SnapshotError::Damaged("it ends early"));
        }
        Ok(self.ledger)
    }
}

impl User {
    /// Makes equal contents one.
    fn share_contents(&mut self, lately: &mut Lately) {
        let deliveries = self.replay.iter_mut().map(|delivery| &mut delivery.content);
        for content in deliveries.chain(self.spreads.iter_mut().map(|spread| &mut spread.content)) {
            *content = lately.share(content.clone());
        }
    }
}
