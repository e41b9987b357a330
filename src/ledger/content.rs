//! What the ledger keeps of an engagement: all of it, payload included, in one piece of memory that its deliveries share. An [`Engagement`] goes in, and can be had back.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

use super::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use super::ids::EngagementId;
use super::time::{LedgerTime, Millis};

// Where things are. Behind the head stand those of the numbers that it has, the id, and the payload.
const FINGERPRINT_BYTES: usize = 8;
const STEPS: usize = 8;
const PRIORITY: usize = 9;
const FLAGS: usize = 10;
const ID_LENGTH: usize = 11;
const HEAD_BYTES: usize = 12;
const NUMBER_BYTES: usize = 8;

// What the flags say.
const COMPLETED: u8 = 1;
const DEVICE: u8 = 1 << 1;
const ALL: u8 = 1 << 2;
/// The numbers, in the order in which they stand.
const WINDOW: u8 = 1 << 3;
const TTL: u8 = 1 << 4;
const NOT_BEFORE: u8 = 1 << 5;
const MAX_OFFERS: u8 = 1 << 6;
const SNOOZE: u8 = 1 << 7;
const NUMBERS: u8 = WINDOW | TTL | NOT_BEFORE | MAX_OFFERS | SNOOZE;

/// An engagement, packed. Invariant: laid out as [`Content::read`] checks it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content(Arc<[u8]>);

impl Content {
    /// Packs an engagement.
    pub fn of(engagement: &Engagement) -> Content {
        let (id, payload) = (engagement.id.as_str().as_bytes(), &engagement.payload.0);
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let numbers = [
            (WINDOW, engagement.window.map(|window| window.0)),
            (TTL, engagement.ttl.map(|ttl| ttl.0)),
            (NOT_BEFORE, engagement.not_before.map(|at| at.0)),
            (MAX_OFFERS, (engagement.max_offers > 0).then_some(u64::from(engagement.max_offers))),
            (SNOOZE, engagement.snooze.map(|snooze| snooze.0)),
        ];
        let flags = flag(engagement.settle_on == SettleOn::Completed, COMPLETED)
            | flag(engagement.scope == Scope::Device, DEVICE)
            | flag(engagement.targets == Targets::All, ALL)
            | numbers.iter().fold(0, |flags, (number, value)| flags | flag(value.is_some(), *number));
        let mut packed: Arc<[u8]> = std::iter::repeat_n(0, HEAD_BYTES + numbers_bytes(flags) + id.len() + payload.len()).collect();
        // In place: what is built elsewhere first is asked for and copied twice.
        let mut rest = Arc::get_mut(&mut packed).expect("nobody else has it yet");
        let mut put = |bytes: &[u8]| {
            let (place, behind) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            rest = behind;
        };
        put(&engagement.fingerprint.to_le_bytes());
        put(&[engagement.steps, engagement.priority.to_le_bytes()[0], flags, id.len() as u8]);
        numbers.iter().filter_map(|(_, value)| *value).for_each(|value| put(&value.to_le_bytes()));
        put(id);
        put(payload);
        Content(packed)
    }

    /// Takes what was packed before. `None`: it is not laid out so.
    fn read(packed: &[u8]) -> Option<Content> {
        let (head, rest) = packed.split_at_checked(HEAD_BYTES)?;
        let (_, rest) = rest.split_at_checked(numbers_bytes(head[FLAGS]))?;
        let (id, _) = rest.split_at_checked(usize::from(head[ID_LENGTH]))?;
        EngagementId::parse(std::str::from_utf8(id).ok()?).ok()?;
        Some(Content(Arc::from(packed)))
    }

    pub fn fingerprint(&self) -> u64 {
        u64::from_le_bytes(self.0[..FINGERPRINT_BYTES].try_into().expect("it has that many bytes"))
    }

    pub fn steps(&self) -> u8 {
        self.0[STEPS]
    }

    pub fn priority(&self) -> i8 {
        i8::from_le_bytes([self.0[PRIORITY]])
    }

    pub fn settle_on(&self) -> SettleOn {
        if self.has(COMPLETED) { SettleOn::Completed } else { SettleOn::Shown }
    }

    pub fn scope(&self) -> Scope {
        if self.has(DEVICE) { Scope::Device } else { Scope::User }
    }

    pub fn targets(&self) -> Targets {
        if self.has(ALL) { Targets::All } else { Targets::Active }
    }

    /// Whether it brings its own window.
    pub fn has_own_window(&self) -> bool {
        self.has(WINDOW)
    }

    pub fn not_before(&self) -> Option<LedgerTime> {
        self.number(NOT_BEFORE).map(LedgerTime)
    }

    pub fn max_offers(&self) -> u32 {
        self.number(MAX_OFFERS).map_or(0, |count| count as u32)
    }

    pub fn snooze(&self) -> Option<Millis> {
        self.number(SNOOZE).map(Millis)
    }

    pub fn id(&self) -> EngagementId {
        EngagementId::checked(std::str::from_utf8(self.id_bytes()).expect("invariant: an id is UTF-8"))
    }

    pub fn is_of(&self, id: &EngagementId) -> bool {
        self.id_bytes() == id.as_bytes()
    }

    /// The payload; shared, not copied.
    pub fn payload(&self) -> Payload {
        Payload(Bytes::from_owner(Arc::clone(&self.0)).slice(self.payload_start()..))
    }

    /// The bytes of id and payload.
    pub fn text_bytes(&self) -> usize {
        self.0.len() - self.id_start()
    }

    fn has(&self, flag: u8) -> bool {
        self.0[FLAGS] & flag != 0
    }

    fn number(&self, number: u8) -> Option<u64> {
        if !self.has(number) {
            return None;
        }
        // Those with lower flags stand before it.
        let start = HEAD_BYTES + numbers_bytes(self.0[FLAGS] & (number - 1));
        Some(u64::from_le_bytes(self.0[start..start + NUMBER_BYTES].try_into().expect("it has that many bytes")))
    }

    fn id_start(&self) -> usize {
        HEAD_BYTES + numbers_bytes(self.0[FLAGS])
    }

    fn payload_start(&self) -> usize {
        self.id_start() + usize::from(self.0[ID_LENGTH])
    }

    fn id_bytes(&self) -> &[u8] {
        &self.0[self.id_start()..self.payload_start()]
    }
}

fn numbers_bytes(flags: u8) -> usize {
    (flags & NUMBERS).count_ones() as usize * NUMBER_BYTES
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, {} bytes)", self.id(), self.0.len())
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = <&[u8]>::deserialize(deserializer)?;
        Content::read(packed).ok_or_else(|| serde::de::Error::custom("an engagement is not laid out as one"))
    }
}

/// Contents that came lately: what is published to many users is kept once. Derived; what it has forgotten is kept once more, and means the same.
#[derive(Clone, Debug)]
pub(super) struct Lately {
    slots: Vec<Option<Content>>,
}

impl Default for Lately {
    fn default() -> Self {
        Lately::with_room(64)
    }
}

impl Lately {
    /// For so many, and not two whose fingerprints leave the same rest.
    pub fn with_room(count: usize) -> Lately {
        Lately { slots: vec![None; count] }
    }

    /// This content, or one that is equal and was there before.
    pub fn share(&mut self, content: Content) -> Content {
        let place = (content.fingerprint() % self.slots.len() as u64) as usize;
        match &self.slots[place] {
            Some(earlier) if *earlier == content => earlier.clone(),
            _ => {
                self.slots[place] = Some(content.clone());
                content
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engagement(rest: u8) -> Engagement {
        let has = |number: u8| rest & number != 0;
        Engagement {
            id: EngagementId::parse("a survey with a name that is long enough to be shared").expect("a valid id"),
            payload: Payload(Bytes::from_static(b"{\"title\":\"?\"}")),
            fingerprint: 0x0102_0304_0506_0708,
            steps: 7,
            settle_on: if has(COMPLETED) { SettleOn::Completed } else { SettleOn::Shown },
            scope: if has(DEVICE) { Scope::Device } else { Scope::User },
            targets: if has(ALL) { Targets::All } else { Targets::Active },
            window: has(WINDOW).then_some(Millis(1)),
            ttl: has(TTL).then_some(Millis(2)),
            not_before: has(NOT_BEFORE).then_some(LedgerTime(3)),
            priority: -100,
            max_offers: if has(MAX_OFFERS) { 4 } else { 0 },
            snooze: has(SNOOZE).then_some(Millis(5)),
        }
    }

    #[test]
    fn all_of_an_engagement_can_be_had_back() {
        for flags in 0..=u8::MAX {
            let engagement = engagement(flags);
            let content = Content::of(&engagement);
            let Engagement {
                id,
                payload,
                fingerprint,
                steps,
                settle_on,
                scope,
                targets,
                window,
                not_before,
                priority,
                max_offers,
                snooze,
                ..
            } = engagement;
            assert!(content.is_of(&id));
            assert_eq!((content.id(), content.payload(), content.fingerprint()), (id, payload, fingerprint));
            assert_eq!((content.steps(), content.priority(), content.max_offers()), (steps, priority, max_offers));
            assert_eq!((content.settle_on(), content.scope(), content.targets()), (settle_on, scope, targets));
            assert_eq!((content.not_before(), content.snooze(), content.has_own_window()), (not_before, snooze, window.is_some()));
            assert_eq!(Content::read(&content.0), Some(content));
        }
    }

    #[test]
    fn what_is_cut_short_or_has_no_id_is_refused() {
        let content = Content::of(&engagement(WINDOW));
        for length in 0..content.payload_start() {
            assert_eq!(Content::read(&content.0[..length]), None);
        }
        assert!(Content::read(&content.0[..content.payload_start()]).is_some());
        let mut other = content.0.to_vec();
        other[content.id_start()] = 7;
        assert_eq!(Content::read(&other), None);
        other[ID_LENGTH] = 0;
        assert_eq!(Content::read(&other), None);
    }

    #[test]
    fn what_is_published_to_many_is_kept_once() {
        let mut lately = Lately::default();
        let first = lately.share(Content::of(&engagement(0)));
        assert!(Arc::ptr_eq(&first.0, &lately.share(Content::of(&engagement(0))).0));
        // The same fingerprint, and another content.
        assert!(!Arc::ptr_eq(&first.0, &lately.share(Content::of(&engagement(TTL))).0));
    }
}
