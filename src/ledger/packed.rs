//! A settled delivery in about fifty bytes, and back. Records stand one behind the other, each with its length before it. Pure bytes: which record goes where is `remembered`'s.

use super::engagement::Scope;
use super::ids::{EngagementId, WindowId};
use super::outcome::Reason;
use super::reply::State;
use super::settled::{Settled, Times};
use super::time::LedgerTime;

/// A device's place in the user's table of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(pub u32);

const STATES: [State; 5] = [State::Completed, State::Dismissed, State::Expired, State::Withdrawn, State::Dropped];
const REASONS: [Reason; 6] =
    [Reason::WindowClosed, Reason::Ttl, Reason::MaxOffers, Reason::BufferFull, Reason::Publisher, Reason::UserForgotten];
const WINDOW_BYTES: usize = 8;
const FINGERPRINT_BYTES: usize = 8;
// Two bytes of marks: state and the rest, and the reason.
const STATE_BITS: u8 = 0b0111;
const DEVICE: u8 = 1 << 3;
const MAY_BE_CARRIED: u8 = 1 << 4;

/// Most bytes of a record: one tells its length.
const RECORD_BYTES_MAX: usize = u8::MAX as usize;

/// A record, packed and as short as it is.
pub(super) struct Packed {
    bytes: [u8; RECORD_BYTES_MAX + 1],
    length: usize,
}

impl Packed {
    /// Packs a record whose device stands at `name` in the table.
    pub fn of(record: &Settled, name: Option<Name>) -> Packed {
        let mut packed = Packed { bytes: [0; RECORD_BYTES_MAX + 1], length: 1 };
        let id = record.id.as_bytes();
        packed.put(&[id.len() as u8]);
        packed.put(id);
        packed.put(&record.window.0.to_le_bytes());
        packed.put(&record.fingerprint.to_le_bytes());
        let state = STATES.iter().position(|state| *state == record.state).expect("invariant: a settled delivery has a settled state");
        let reason = record.reason.map_or(0, |reason| 1 + REASONS.iter().position(|known| *known == reason).expect("all are listed"));
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let device = flag(record.scope == Scope::Device, DEVICE);
        let carried = flag(record.times.may_be_carried, MAY_BE_CARRIED);
        packed.put(&[state as u8 | device | carried, reason as u8, record.step, record.steps]);
        let Times { settled_at, closes_at, .. } = record.times;
        packed.put_number(settled_at.0);
        packed.put_number(zigzag(closes_at.0.wrapping_sub(settled_at.0)));
        packed.put_number(record.sequence);
        packed.put_number(name.map_or(0, |name| u64::from(name.0) + 1));
        packed.bytes[0] = (packed.length - 1) as u8;
        packed
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Seven bits to a byte, lowest first.
    fn put_number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.put(&[rest as u8 | 0x80]);
            rest >>= 7;
        }
        self.put(&[rest as u8]);
    }
}

/// Small numbers for what is a little above or below 0.
fn zigzag(number: u64) -> u64 {
    (number << 1) ^ ((number as i64 >> 63) as u64)
}

fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// A packed record, where it stands.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a>(&'a [u8]);

/// The records of a piece of memory.
pub(super) struct Slots<'a>(pub &'a [u8]);

impl<'a> Iterator for Slots<'a> {
    type Item = Slot<'a>;

    fn next(&mut self) -> Option<Slot<'a>> {
        let length = 1 + usize::from(*self.0.first()?);
        let (slot, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(Slot(slot))
    }
}

impl<'a> Slot<'a> {
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    pub fn id_bytes(self) -> &'a [u8] {
        &self.0[2..self.id_end()]
    }

    pub fn window(self) -> WindowId {
        WindowId(self.fixed(self.id_end()))
    }

    pub fn times(self) -> Times {
        self.tail().0
    }

    pub fn sequence(self) -> u64 {
        self.tail().1
    }

    pub fn name(self) -> Option<Name> {
        self.tail().2
    }

    /// All but the device, which the table knows.
    pub fn record(self) -> Settled {
        let id = EngagementId::checked(std::str::from_utf8(self.id_bytes()).expect("invariant: an id is UTF-8"));
        let (marks, (times, sequence, _)) = (self.marks(), self.tail());
        Settled {
            id,
            window: self.window(),
            device: None,
            sequence,
            fingerprint: self.fixed(self.id_end() + WINDOW_BYTES),
            times,
            scope: if marks[0] & DEVICE != 0 { Scope::Device } else { Scope::User },
            state: STATES[usize::from(marks[0] & STATE_BITS)],
            reason: usize::from(marks[1]).checked_sub(1).map(|place| REASONS[place]),
            step: marks[2],
            steps: marks[3],
        }
    }

    fn id_end(self) -> usize {
        2 + usize::from(self.0[1])
    }

    fn fixed(self, start: usize) -> u64 {
        u64::from_le_bytes(self.0[start..start + WINDOW_BYTES].try_into().expect("it has that many bytes"))
    }

    fn marks_start(self) -> usize {
        self.id_end() + WINDOW_BYTES + FINGERPRINT_BYTES
    }

    fn marks(self) -> &'a [u8] {
        &self.0[self.marks_start()..]
    }

    fn tail(self) -> (Times, u64, Option<Name>) {
        let mut rest = &self.marks()[4..];
        let settled_at = number(&mut rest);
        let closes_at = settled_at.wrapping_add(unzigzag(number(&mut rest)));
        let (sequence, name) = (number(&mut rest), number(&mut rest));
        let may_be_carried = self.marks()[0] & MAY_BE_CARRIED != 0;
        let times = Times { settled_at: LedgerTime(settled_at), closes_at: LedgerTime(closes_at), may_be_carried };
        (times, sequence, name.checked_sub(1).map(|place| Name(place as u32)))
    }
}

fn number(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some((first, others)) = rest.split_first() {
        *rest = others;
        number |= u64::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_packed_whatever_its_numbers() {
        let times = [0, 1, 1_790_000_000_000, u64::MAX];
        for (place, state) in STATES.into_iter().enumerate() {
            for settled_at in times {
                for closes_at in times {
                    let record = Settled {
                        id: EngagementId::parse(&"x".repeat(1 + 31 * place)).expect("a valid id"),
                        window: WindowId(settled_at),
                        device: None,
                        sequence: closes_at,
                        fingerprint: u64::MAX - settled_at,
                        times: Times {
                            settled_at: LedgerTime(settled_at),
                            closes_at: LedgerTime(closes_at),
                            may_be_carried: place % 2 == 0,
                        },
                        scope: if place % 2 == 0 { Scope::User } else { Scope::Device },
                        state,
                        reason: REASONS.get(place).copied().filter(|_| place > 0),
                        step: 100,
                        steps: place as u8,
                    };
                    let name = (place > 0).then_some(Name(place as u32 * 1_000));
                    let packed = Packed::of(&record, name);
                    let twice = [packed.as_bytes(), packed.as_bytes()].concat();
                    assert_eq!(Slots(&twice).count(), 2);
                    let slot = Slots(&twice).nth(1).expect("there are two");
                    assert_eq!((slot.record(), slot.name()), (record, name));
                }
            }
        }
    }

    #[test]
    fn a_usual_record_takes_about_fifty_bytes() {
        let record = Settled {
            id: EngagementId::parse("survey-000000001").expect("a valid id"),
            window: WindowId(1_790_000_000_000 * 1_024),
            device: None,
            sequence: 20,
            fingerprint: u64::MAX,
            times: Times { settled_at: LedgerTime(1_790_000_000_000), closes_at: LedgerTime(1_790_080_000_000), may_be_carried: true },
            scope: Scope::User,
            state: State::Completed,
            reason: None,
            step: 0,
            steps: 1,
        };
        assert_eq!(Packed::of(&record, Some(Name(0))).as_bytes().len(), 50);
    }
}
