//! The settled deliveries of one user: packed, in pieces of some dozens, so that a record takes about fifty bytes and putting one in or forgetting one touches one piece.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use super::command::Key;
use super::ids::{DeviceId, EngagementId, WindowId};
use super::names::Names;
use super::packed::{Packed, Slot, Slots};
use super::settled::Settled;
use super::time::{LedgerTime, Millis};

/// A piece with more is cut in two.
const PIECE_COUNT_MAX: u32 = 64;

/// The records of one user.
#[derive(Clone, Default)]
pub(super) struct Remembered {
    /// Invariant: none is empty; all records together are sorted by id, window, device, so that a key is found by bisection. How they are cut into pieces means nothing.
    pieces: Vec<Piece>,
    /// Invariant: names the devices of the records, and no others.
    names: Names,
}

/// Records that stand together.
#[derive(Clone)]
struct Piece {
    packed: Box<[u8]>,
    count: u32,
    /// Invariant: the earliest time at which one of them may be forgotten, under the carry in force.
    forget_due: LedgerTime,
}

impl Piece {
    fn of(packed: Box<[u8]>, carry: Millis) -> Piece {
        let mut piece = Piece { count: Slots(&packed).count() as u32, packed, forget_due: LedgerTime(0) };
        piece.reckon_due(carry);
        piece
    }

    fn slots(&self) -> Slots<'_> {
        Slots(&self.packed)
    }

    fn reckon_due(&mut self, carry: Millis) {
        let due = self.slots().map(|slot| slot.times().forget_at(carry)).min();
        self.forget_due = due.expect("invariant: a piece is not empty");
    }
}

impl Remembered {
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.count as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Settled> {
        self.slots().map(|slot| self.record(slot))
    }

    /// The records of one engagement id, in the order of their windows.
    pub fn of(&self, id: &EngagementId) -> impl Iterator<Item = Settled> {
        let id = id.as_bytes();
        // Those of an id may begin in the piece before the first one that begins with it.
        let later = self.pieces.partition_point(|piece| first_id(piece) < id);
        let slots = self.pieces[later.saturating_sub(1)..].iter().flat_map(Piece::slots);
        slots.skip_while(move |slot| slot.id_bytes() < id).take_while(move |slot| slot.id_bytes() == id).map(|slot| self.record(slot))
    }

    pub fn find(&self, key: &Key, device: &DeviceId) -> Option<Settled> {
        self.of(&key.id).find(|record| record.is_key(key, device))
    }

    pub fn insert(&mut self, record: &Settled, carry: Millis) {
        let order = (record.id.as_bytes(), record.window, record.device.as_ref());
        let after = self.pieces.partition_point(|piece| piece.slots().next().is_some_and(|slot| self.order(slot) <= order));
        let before_bytes: usize = match after.checked_sub(1) {
            Some(place) => self.pieces[place].slots().take_while(|slot| self.order(*slot) <= order).map(|slot| slot.as_bytes().len()).sum(),
            None => 0,
        };
        let packed = Packed::of(record, record.device.as_ref().map(|device| self.names.take(device)));
        let forget_at = record.times.forget_at(carry);
        if self.pieces.is_empty() {
            // Most users have one piece: no room is made for more ahead of time.
            self.pieces.reserve_exact(1);
            return self.pieces.push(Piece { packed: packed.as_bytes().into(), count: 1, forget_due: forget_at });
        }
        let place = after.saturating_sub(1);
        let piece = &mut self.pieces[place];
        let (before, behind) = piece.packed.split_at(before_bytes);
        piece.packed = [before, packed.as_bytes(), behind].concat().into();
        piece.count += 1;
        piece.forget_due = piece.forget_due.min(forget_at);
        if piece.count > PIECE_COUNT_MAX {
            self.cut(place, carry);
        }
    }

    /// When the next record may be forgotten.
    pub fn forget_due(&self) -> Option<LedgerTime> {
        self.pieces.iter().map(|piece| piece.forget_due).min()
    }

    /// Forgets what is due.
    pub fn forget(&mut self, at: LedgerTime, carry: Millis) {
        for place in 0..self.pieces.len() {
            if self.pieces[place].forget_due <= at {
                self.retain(place, carry, |slot| slot.times().forget_at(carry) > at);
            }
        }
        self.tidy(carry);
    }

    /// Another carry is in force, or none was known.
    pub fn reckon_due(&mut self, carry: Millis) {
        self.pieces.iter_mut().for_each(|piece| piece.reckon_due(carry));
    }

    /// Forgets, oldest first, records that block nothing, until no more than `count_max` are left or none can go.
    pub fn make_room(&mut self, count_max: usize, at: LedgerTime, carry: Millis) {
        let Some(too_many) = self.len().checked_sub(count_max).filter(|count| *count > 0) else { return };
        let mut free = Vec::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            let slots = piece.slots().enumerate().filter(|(_, slot)| !slot.times().is_blocking(at, carry));
            free.extend(slots.map(|(index, slot)| (slot.times().settled_at, slot.sequence(), place, index)));
        }
        free.sort_unstable();
        free.truncate(too_many);
        free.sort_unstable_by_key(|(_, _, place, index)| (*place, *index));
        for some in free.chunk_by(|one, other| one.2 == other.2) {
            let mut index = 0;
            self.retain(some[0].2, carry, |_| {
                let stays = some.iter().all(|(_, _, _, gone)| *gone != index);
                index += 1;
                stays
            });
        }
        self.tidy(carry);
    }

    /// Keeps those records of a piece; it may be empty afterwards.
    fn retain(&mut self, place: usize, carry: Millis, mut stays: impl FnMut(Slot<'_>) -> bool) {
        let packed = std::mem::take(&mut self.pieces[place].packed);
        let mut kept = Vec::with_capacity(packed.len());
        for slot in Slots(&packed) {
            if stays(slot) {
                kept.extend_from_slice(slot.as_bytes());
            } else if let Some(name) = slot.name() {
                self.names.release(name);
            }
        }
        self.pieces[place] = match kept.is_empty() {
            true => Piece { packed: Box::default(), count: 0, forget_due: LedgerTime(u64::MAX) },
            false => Piece::of(kept.into(), carry),
        };
    }

    /// Lets go of empty pieces, and makes one of neighbours that are small.
    fn tidy(&mut self, carry: Millis) {
        let before = self.pieces.len();
        self.pieces.retain(|piece| piece.count > 0);
        let mut place = 1;
        while place < self.pieces.len() {
            if self.pieces[place - 1].count + self.pieces[place].count > PIECE_COUNT_MAX / 2 {
                place += 1;
                continue;
            }
            let behind = self.pieces.remove(place);
            let joined = [&*self.pieces[place - 1].packed, &*behind.packed].concat();
            self.pieces[place - 1] = Piece::of(joined.into(), carry);
        }
        if self.pieces.len() < before {
            self.pieces.shrink_to_fit();
        }
    }

    /// Makes two pieces of one.
    fn cut(&mut self, place: usize, carry: Millis) {
        let piece = &self.pieces[place];
        let half = piece.slots().take(piece.count as usize / 2).map(|slot| slot.as_bytes().len()).sum();
        let (first, second) = piece.packed.split_at(half);
        let (first, second) = (Piece::of(first.into(), carry), Piece::of(second.into(), carry));
        self.pieces[place] = first;
        self.pieces.insert(place + 1, second);
    }

    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.pieces.iter().flat_map(Piece::slots)
    }

    fn order<'a>(&'a self, slot: Slot<'a>) -> (&'a [u8], WindowId, Option<&'a DeviceId>) {
        (slot.id_bytes(), slot.window(), slot.name().map(|name| self.names.get(name)))
    }

    fn record(&self, slot: Slot<'_>) -> Settled {
        Settled { device: slot.name().map(|name| self.names.get(name).clone()), ..slot.record() }
    }
}

fn first_id(piece: &Piece) -> &[u8] {
    piece.slots().next().map_or(&[], Slot::id_bytes)
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Remembered {
    fn eq(&self, other: &Remembered) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Remembered {}

impl Serialize for Remembered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut written = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|record| written.serialize_element(&record))?;
        written.end()
    }
}

impl<'de> Deserialize<'de> for Remembered {
    /// Without the carry, which the user does not know: [`Remembered::reckon_due`] is called next.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;

        impl<'de> Visitor<'de> for Records {
            type Value = Remembered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settled deliveries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut written: A) -> Result<Remembered, A::Error> {
                let mut records = Remembered::default();
                while let Some(record) = written.next_element::<Settled>()? {
                    if !record.state.is_settled() {
                        return Err(serde::de::Error::custom("a settled delivery is not settled"));
                    }
                    records.insert(&record, Millis(0));
                }
                Ok(records)
            }
        }

        deserializer.deserialize_seq(Records)
    }
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
