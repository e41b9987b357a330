//! The JS client among the other people of a load, judged by the same checker: a client library shows a thing twice as well as a server does. And a client whose outbox is lost with
//! its page, which the checker must find.

use std::time::Duration;

use engage::history;
use engage::history::Verdict;
use engage::history::record::{Entry, What};

use crate::blow::Blow;
use crate::load::guests::{DEVICES, Guests, Invitation, Planted};
use crate::load::{Load, Manners, Size};
use crate::said::{aloud, skipped};
use crate::scenario::{Needs, Stage};
use crate::storm::Storm;
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;

/// Most users have a device with the JS client, beside one that speaks the protocol by itself.
const CROWD: Size = Size { users: 16, devices_each: 1, publishers: 4, pause_ms: 60, manners: Manners::Lively };
const PEOPLE: usize = 12;

/// How much they must have seen, or nothing was shown.
const OFFERS_MIN: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_with_the_js_client_are_shown_nothing_twice_through_kills_and_pauses() {
    let name = "smoke-js";
    if let Err(why) = Guests::can_come() {
        return skipped(name, &why);
    }
    let menu = [Blow::Kill, Blow::Pause];
    let stage = Stage::build(Needs::of(&menu)).expect("it needs nothing");
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start(name, &cluster, CROWD).invite(Invitation { people: PEOPLE, planted: Planted::Nothing });
    load.in_full_swing().await;
    Storm::over(&mut cluster, &load, &stage).rage(&menu, Duration::from_secs(8)).await;
    let ended = load.end(&cluster).await;
    let verdict = ended.judge();
    let seen = Seen::of(&ended.entries);
    aloud(&format!("{name}: {seen:?}, {} violations", verdict.violations.len()));
    assert!(
        seen.hellos >= 2 * PEOPLE && seen.offers >= OFFERS_MIN && seen.confirms >= OFFERS_MIN && seen.acks_of_hellos > 0,
        "too little was seen: {seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_loses_its_outbox_is_found() {
    let name = "planted-js";
    if let Err(why) = Guests::can_come() {
        return skipped(name, &why);
    }
    let cluster = Cluster::start(Plan::of(1).in_memory()).await;
    let load = Load::start(name, &cluster, CROWD).invite(Invitation { people: PEOPLE, planted: Planted::Forgetful });
    load.in_full_swing().await;
    pass(Duration::from_secs(5)).await;
    let ended = load.end(&cluster).await;
    let verdict = history::judge(&ended.entries);
    assert!(blames_the_guests(&ended.entries, &verdict), "{:?}", Seen::of(&ended.entries));
}

/// Whether what was promised by their client, and nothing else, is found broken.
fn blames_the_guests(entries: &[Entry], verdict: &Verdict) -> bool {
    let sessions = sessions_of_guests(entries);
    for violation in &verdict.violations {
        assert!(violation.session.is_some_and(|session| sessions.contains(&session)), "{violation}");
    }
    verdict.violations.iter().any(|violation| violation.rule == "G9")
}

/// What the people with the JS client saw.
#[derive(Debug)]
struct Seen {
    hellos: usize,
    offers: usize,
    confirms: usize,
    acks_of_hellos: usize,
}

impl Seen {
    fn of(entries: &[Entry]) -> Seen {
        let sessions = sessions_of_guests(entries);
        let count = |is_it: fn(&What) -> Option<u64>| {
            entries.iter().filter_map(|entry| is_it(&entry.what)).filter(|session| sessions.contains(session)).count()
        };
        Seen {
            hellos: sessions.len(),
            offers: count(|what| if let What::Offer { session, .. } = what { Some(*session) } else { None }),
            confirms: count(|what| if let What::Confirm { session, .. } = what { Some(*session) } else { None }),
            acks_of_hellos: count(|what| if let What::Ack { session, reference: None, .. } = what { Some(*session) } else { None }),
        }
    }
}

fn sessions_of_guests(entries: &[Entry]) -> Vec<u64> {
    let session = |entry: &Entry| match &entry.what {
        What::Hello { session, device, .. } if device.starts_with(DEVICES) => Some(*session),
        _ => None,
    };
    entries.iter().filter_map(session).collect()
}
