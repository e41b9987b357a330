//! Judges a history by G5: a second device is offered what a first one holds only after the first was sent a `withdraw` for it, or closed its connection, or
//! its lease has run out. Ledger time orders what two clients saw: the wall clock that it is stamped from is theirs too.

use std::collections::{BTreeMap, HashMap};

use super::crowd::is_shared;
use super::history::{Entry, Key, Leave, Session};

/// By how much a wall clock that is read in ms may seem to lag.
const ROUNDING_MS: u64 = 2;

/// So long before a line went dead, a withdraw may have been under way on it that nobody saw.
const UNDER_WAY_MS: u64 = 500;

/// An offer of a delivery that one device at a time may hold.
#[derive(Clone, Debug)]
struct Offer {
    session: Session,
    at: u64,
}

/// What happened to the holders.
#[derive(Default)]
struct Facts {
    devices: HashMap<Session, (String, String)>,
    /// When each device said hello, by the wall clock, and in which session.
    hellos: BTreeMap<(String, String), Vec<(Session, u64)>>,
    /// When a session first said that it is hidden.
    hides: HashMap<Session, u64>,
    ends: HashMap<Session, (Leave, u64)>,
    withdraws: HashMap<(Session, Key), Vec<u64>>,
    kills: Vec<u64>,
    stops: Vec<u64>,
    offers: BTreeMap<Key, Vec<Offer>>,
}

/// All offers that broke G5, and how many times a delivery moved from one device to another at all.
pub fn violations(entries: &[Entry], lease_ms: u64) -> (Vec<String>, usize) {
    let facts = Facts::of(entries);
    let (mut found, mut moves) = (Vec::new(), 0);
    for (key, offers) in &facts.offers {
        for pair in offers.windows(2) {
            let (old, new) = (&pair[0], &pair[1]);
            if facts.devices[&old.session] == facts.devices[&new.session] {
                continue;
            }
            moves += 1;
            // Within one ms nobody can tell which of two offers was the first.
            let other_way_round = old.at == new.at && facts.was_free(key, new, old, lease_ms);
            if !facts.was_free(key, old, new, lease_ms) && !other_way_round {
                let is_about = |entry: &&Entry| entry.key() == Some(key) || entry.session() == Some(old.session);
                let about: Vec<&Entry> = entries.iter().filter(is_about).collect();
                found.push(format!("G5: {key:?} was offered to {new:?} while {old:?} held it; of both clients saw {about:#?}"));
            }
        }
    }
    (found, moves)
}

impl Facts {
    fn of(entries: &[Entry]) -> Facts {
        let mut facts = Facts::default();
        for entry in entries {
            match entry {
                Entry::Hello { session, user, device, wall } => {
                    let device = (user.clone(), device.clone());
                    facts.hellos.entry(device.clone()).or_default().push((*session, *wall));
                    facts.devices.insert(*session, device);
                }
                Entry::End { session, leave, wall } => {
                    facts.ends.insert(*session, (*leave, *wall));
                }
                Entry::Withdraw { session, key, at } => facts.withdraws.entry((*session, key.clone())).or_default().push(*at),
                Entry::Offer { session, key, at, .. } if !is_shared(&key.id) => {
                    facts.offers.entry(key.clone()).or_default().push(Offer { session: *session, at: *at });
                }
                Entry::Hide { session, wall } => {
                    facts.hides.entry(*session).or_insert(*wall);
                }
                Entry::Kill { wall } => facts.kills.push(*wall),
                Entry::Stop { wall } => facts.stops.push(*wall),
                _ => {}
            }
        }
        facts.offers.values_mut().for_each(|offers| offers.sort_by_key(|offer| offer.at));
        facts
    }

    /// Whether the old holder had given it up when the new one was offered it.
    fn was_free(&self, key: &Key, old: &Offer, new: &Offer, lease_ms: u64) -> bool {
        let before_new = |wall: u64| wall <= new.at + ROUNDING_MS;
        let since_old = |wall: u64| wall + ROUNDING_MS >= old.at;
        let withdrawn =
            self.withdraws.get(&(old.session, key.clone())).is_some_and(|all| all.iter().any(|at| old.at <= *at && *at <= new.at));
        let lease_over = |lost: u64| lost + lease_ms <= new.at + ROUNDING_MS;
        let ended = self.ends.get(&old.session).is_some_and(|(leave, wall)| match leave {
            Leave::Closed => before_new(*wall),
            Leave::Lost => lease_over(*wall),
        });
        let stopped = self.stops.iter().any(|wall| since_old(*wall) && before_new(*wall));
        let killed = self.kills.iter().any(|wall| since_old(*wall) && lease_over(*wall));
        // A device that connects again without the key in `open` no longer shows it. Its sessions are numbered in their order.
        let hellos = &self.hellos[&self.devices[&old.session]];
        let connected_again = hellos.iter().any(|(session, wall)| *session > old.session && before_new(*wall));
        // Who was hidden had to give it up: the withdraw went to a line that was dead already.
        let hidden_and_dead = self.ends.get(&old.session).is_some_and(|(leave, wall)| {
            *leave == Leave::Lost && before_new(*wall) && self.hides.get(&old.session).is_some_and(|hidden| hidden <= wall)
        });
        let went_dead_after = |wall: u64| (new.at..=new.at + UNDER_WAY_MS).contains(&wall);
        let lost_after = self.ends.get(&old.session).is_some_and(|(leave, wall)| *leave == Leave::Lost && went_dead_after(*wall));
        let unseen = lost_after || self.kills.iter().any(|wall| went_dead_after(*wall));
        withdrawn || ended || stopped || killed || connected_again || hidden_and_dead || unseen
    }
}

/// Two devices, of which the first was offered a delivery at 100 and the second at 200; and what happened in between.
fn moved_after(between: Vec<Entry>) -> Vec<String> {
    let key = Key { user: "u".to_owned(), id: "e0".to_owned(), window: "w".to_owned() };
    let hello = |session, device: &str| Entry::Hello { session, user: "u".to_owned(), device: device.to_owned(), wall: 50 };
    let offer = |session, at| Entry::Offer { session, key: key.clone(), step: 1, at, payload: serde_json::Value::Null };
    let mut entries = vec![hello(1, "phone"), hello(2, "laptop"), offer(1, 100)];
    entries.extend(between);
    entries.push(offer(2, 200));
    let (found, moves) = violations(&entries, 80);
    assert_eq!(moves, 1);
    found
}

#[test]
fn the_judge_of_holders_tells_a_move_from_a_second_holder() {
    let key = Key { user: "u".to_owned(), id: "e0".to_owned(), window: "w".to_owned() };
    let withdraw = |at| Entry::Withdraw { session: 1, key: key.clone(), at };
    let end = |leave, wall| Entry::End { session: 1, leave, wall };
    let again = Entry::Hello { session: 3, user: "u".to_owned(), device: "phone".to_owned(), wall: 150 };
    let free = [
        vec![withdraw(200)],
        vec![end(Leave::Closed, 150)],
        vec![end(Leave::Lost, 120)],
        vec![end(Leave::Lost, 210)],
        vec![Entry::Kill { wall: 110 }],
        vec![again],
        vec![Entry::Hide { session: 1, wall: 140 }, end(Leave::Lost, 150)],
    ];
    for between in free {
        assert_eq!(moved_after(between.clone()), Vec::<String>::new(), "{between:?}");
    }
    let hidden_later = vec![end(Leave::Lost, 150), Entry::Hide { session: 1, wall: 160 }];
    let held = [
        hidden_later,
        vec![Entry::Hide { session: 1, wall: 140 }],
        vec![],
        vec![withdraw(201)],
        vec![end(Leave::Closed, 250)],
        vec![end(Leave::Lost, 150)],
        vec![Entry::Kill { wall: 150 }],
    ];
    for between in held {
        assert_eq!(moved_after(between.clone()).len(), 1, "{between:?}");
    }
}
