//! What a session promises to its client, whatever happens to its owner.

use serde_json::Value;
use std::time::Duration;

use super::*;
use crate::actors::fakes::{ack, attach, confirm, engagement, offer, session as window_of, window};
use crate::actors::house::{ME, OTHER, admitted, owner};
use crate::actors::limits::Limits;
use crate::actors::says::Says;
use crate::clock;
use crate::ledger::effect::{Action, CloseReason, WithdrawReason};
use crate::ledger::engagement::Scope;
use crate::ledger::reply::{AckReply, State};
use crate::ledger::window::Window;
use crate::ports::session::{AttachRefused, Hold, Item};

const LEASE_MS: u64 = 10_000;

/// A session, a clock, and what the client has seen.
struct Scene {
    session: Session,
    started: Instant,
    now: Instant,
    limits: Limits,
    /// What the owner in sight was told last.
    to_owner: Option<(Owner, ToOwner)>,
    close_code: Option<u16>,
}

impl Scene {
    fn of(attach: Attach) -> Scene {
        let now = clock::monotonic();
        let session = Session::new(admitted(attach, Vec::new()), now);
        Scene { session, started: now, now, limits: Limits::default(), to_owner: None, close_code: None }
    }

    /// Of a hello that names these as open.
    fn new(open: &[&str]) -> Scene {
        Scene::of(Attach { open: open.iter().map(|name| key(name)).collect(), ..attach("phone", 1) })
    }

    /// One that this node, in term 1, has welcomed.
    fn welcomed(open: &[&str]) -> Scene {
        let mut scene = Scene::new(open);
        scene.tend(Some(owner(ME, 1)));
        assert_eq!(scene.take(vec![welcome(), Item::Do(Action::CaughtUp)]), ["welcome", "caught_up"]);
        scene
    }

    fn at(&mut self, ms: u64) {
        self.now = self.started + Duration::from_millis(ms);
    }

    /// What the client hears, when time passes with this owner in sight; without one, nothing is left of its lease.
    fn tend(&mut self, owner: Option<Owner>) -> Vec<String> {
        self.tend_with(owner, if owner.is_some() { LEASE_MS } else { 0 })
    }

    fn tend_with(&mut self, owner: Option<Owner>, lease_left_ms: u64) -> Vec<String> {
        let mut says = Says::default();
        let sight = Sight { owner, lease_left: Duration::from_millis(lease_left_ms), now: self.now, limits: &self.limits };
        self.to_owner = self.session.tend(&sight, &mut says);
        self.heard(says)
    }

    fn take(&mut self, items: Vec<Item>) -> Vec<String> {
        let mut says = Says::default();
        self.session.take(items, &Told { node: "n1", limits: &self.limits, now: self.now }, &mut says);
        self.heard(says)
    }

    fn heard(&mut self, says: Says) -> Vec<String> {
        let frames = says.batches.into_iter().map(|batch| serde_json::from_str::<Value>(&batch.into_list()).unwrap());
        let messages: Vec<Value> = frames.flat_map(|frame| frame.as_array().unwrap().clone()).collect();
        self.close_code = self.close_code.or(says.ending.map(|ending| ending.close));
        messages.iter().map(word).collect()
    }

    fn ack(&mut self, name: &str, reference: i64) -> Option<(Owner, ToOwner)> {
        self.say(Heard::Asked { question: Question::Ack(ack(name)), reference: Some(reference) })
    }

    fn say(&mut self, heard: Heard) -> Option<(Owner, ToOwner)> {
        let spoken = self.session.say(vec![heard], self.now, 3);
        assert!(spoken.refusals.is_empty());
        spoken.to_owner
    }

    /// The attach that an owner was asked for last.
    fn asked(&self) -> (Owner, Attach, Vec<u64>) {
        match &self.to_owner {
            Some((owner, ToOwner::Attach { attach, said, attempt, .. })) => {
                assert!(self.session.is_current(*attempt));
                (*owner, attach.clone(), said.iter().map(number).collect())
            }
            other => panic!("no attach, but {other:?}"),
        }
    }

    fn is_due_at(&self, ms: u64) -> bool {
        self.session.due(&self.limits) == Some(self.started + Duration::from_millis(ms))
    }
}

fn key(name: &str) -> Key {
    Key { id: engagement(name), window: window("w1") }
}

fn number(said: &Said) -> u64 {
    match said {
        Said::Ack { number, .. } | Said::Dismiss { number, .. } => *number,
        other => panic!("{other:?} has no number"),
    }
}

fn word(message: &Value) -> String {
    let field = |name: &str| message.get(name).map(|value| format!(" {}", value.to_string().trim_matches('"'))).unwrap_or_default();
    format!("{}{}{}{}{}", message["type"].as_str().unwrap(), field("id"), field("reason"), field("code"), field("ref"))
}

fn welcome() -> Item {
    Item::Welcome { window: window_of(), at: LedgerTime(7), acks: Vec::new() }
}

fn offered(name: &str, offer_number: u32) -> Item {
    let mut action = offer(name, Scope::User, 5);
    if let Action::Offer(offer) = &mut action {
        offer.offer = offer_number;
    }
    Item::Do(action)
}

fn progress(name: &str, step: u32) -> Item {
    let Key { id, window } = key(name);
    Item::Do(Action::Progress { id, window, step, data: None })
}

fn withdraw(name: &str, reason: WithdrawReason) -> Item {
    let Key { id, window } = key(name);
    Item::Do(Action::Withdraw { id, window, reason, at: LedgerTime(9) })
}

fn confirmed(number: u64, name: &str, state: State) -> Item {
    Item::Answer { number, reply: AckReply::Confirm(confirm(&engagement(name), window("w1"), state)) }
}

fn again(attach: &Attach) -> (Vec<(String, u32)>, Option<String>, bool) {
    let Greeting::Again { window, steps, is_caught_up } = &attach.greeting else { panic!("it is a hello") };
    assert_eq!(steps.len(), attach.open.len());
    let held = attach.open.iter().map(|key| key.id.to_string()).zip(steps.iter().copied()).collect();
    (held, window.map(|window| window.to_string()), *is_caught_up)
}

#[test]
fn an_owner_that_changes_before_the_welcome_gets_the_same_hello() {
    let mut scene = Scene::of(Attach { acks: vec![ack("a")], open: vec![key("b")], ..attach("phone", 1) });
    scene.tend(Some(owner(ME, 1)));
    let (_, first, said) = scene.asked();
    assert_eq!((first.greeting.clone(), said.len()), (Greeting::Hello, 0));
    assert!(scene.ack("c", 1).is_some());
    assert!(scene.tend(Some(owner(OTHER, 2))).is_empty());
    let (asked, second, said) = scene.asked();
    assert_eq!((asked, &second, said), (owner(OTHER, 2), &first, vec![0]));
    assert_eq!(scene.take(vec![welcome()]), ["welcome"]);
}

#[test]
fn an_owner_that_changes_later_is_told_what_was_written_and_nothing_is_said_to_the_client() {
    let mut scene = Scene::welcomed(&["x"]);
    scene.take(vec![offered("a", 1), offered("b", 1), offered("c", 1), offered("d", 1), progress("a", 2)]);
    scene.take(vec![withdraw("c", WithdrawReason::Moved)]);
    scene.ack("b", 7);
    assert_eq!(scene.take(vec![confirmed(0, "b", State::InProgress)]), ["confirm b 7"]);
    scene.ack("d", 8);
    assert_eq!(scene.take(vec![confirmed(1, "d", State::Completed)]), ["confirm d 8"]);
    let next = Window { id: window("w2"), ..window_of() };
    scene.take(vec![Item::Do(Action::Window(next))]);
    scene.say(Heard::Visible(Visibility::Hidden));
    assert!(scene.tend(Some(owner(OTHER, 2))).is_empty());
    let (_, attach, _) = scene.asked();
    let held = [("x", 0), ("a", 2), ("b", 1)].map(|(name, step)| (name.to_owned(), step)).to_vec();
    assert_eq!(again(&attach), (held, Some("w2".to_owned()), true));
    assert_eq!(attach.visibility, Visibility::Hidden);
    assert!(scene.take(vec![Item::Resumed]).is_empty());
    assert!(scene.tend(Some(owner(OTHER, 2))).is_empty() && scene.to_owner.is_none());
}

#[test]
fn what_is_said_to_an_earlier_attempt_or_in_another_term_is_not_meant_for_it() {
    let mut scene = Scene::welcomed(&[]);
    let first = scene.session.attempt();
    assert!(scene.session.is_current(first) && scene.session.is_of_term(1) && !scene.session.is_of_term(2));
    scene.tend(Some(owner(OTHER, 2)));
    assert!(!scene.session.is_current(first));
    let second = scene.session.attempt();
    assert!(scene.session.is_current(second) && scene.session.is_of_term(2) && !scene.session.is_of_term(1));
    scene.session.drift(scene.now);
    assert!(!scene.session.is_current(second));
    assert!(scene.take(vec![offered("a", 1)]).is_empty());
}

#[test]
fn a_new_link_to_the_same_owner_is_another_owner() {
    let mut scene = Scene::welcomed(&[]);
    assert!(scene.tend(Some(owner(ME, 1))).is_empty() && scene.to_owner.is_none());
    scene.tend(Some(Owner { link: 1, ..owner(ME, 1) }));
    assert_eq!(scene.asked().0.link, 1);
}

#[test]
fn an_ack_that_is_not_answered_is_asked_of_the_next_owner_and_answered_once() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1)]);
    assert!(scene.ack("a", 7).is_some());
    scene.tend(None);
    // Said while nobody owns the user: it waits.
    assert!(scene.ack("b", 8).is_none());
    scene.tend(Some(owner(OTHER, 2)));
    assert_eq!(scene.asked().2, [0, 1]);
    assert_eq!(scene.take(vec![confirmed(0, "a", State::Completed), confirmed(1, "b", State::Shown)]), ["confirm a 7", "confirm b 8"]);
    assert!(scene.take(vec![confirmed(0, "a", State::Completed)]).is_empty());
    // The attach had named it before its ack was confirmed.
    let taken_back = scene.take(vec![Item::Resumed, withdraw("a", WithdrawReason::DoneElsewhere), Item::Do(Action::CaughtUp)]);
    assert_eq!(taken_back, ["caught_up"]);
    scene.tend(Some(owner(ME, 3)));
    assert_eq!((scene.asked().2, again(&scene.asked().1).0), (Vec::new(), Vec::new()));
}

#[test]
fn nothing_is_offered_twice_without_a_withdraw_between() {
    let mut scene = Scene::welcomed(&[]);
    assert_eq!(scene.take(vec![offered("a", 1), offered("a", 1)]), ["offer a"]);
    scene.tend(Some(owner(OTHER, 2)));
    assert!(scene.take(vec![Item::Resumed, offered("a", 1)]).is_empty());
    assert_eq!(scene.take(vec![withdraw("a", WithdrawReason::Moved), offered("a", 2)]), ["withdraw a moved", "offer a"]);
    // Put off by the client itself, it comes again with its next number.
    scene.say(Heard::Asked { question: Question::Dismiss(key("a")), reference: None });
    assert_eq!(scene.take(vec![confirmed(0, "a", State::Shown), offered("a", 3)]), ["confirm a", "offer a"]);
}

#[test]
fn what_a_device_acks_without_its_connection_is_not_reported_as_held() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1), offered("b", 1)]);
    let noted = |name: &str, step, hold| Item::Noted { key: key(name), step, hold };
    assert!(scene.take(vec![noted("a", 3, Hold::Over), noted("b", 2, Hold::Kept)]).is_empty());
    scene.tend(Some(owner(OTHER, 2)));
    assert_eq!(again(&scene.asked().1).0, [("b".to_owned(), 2)]);
}

#[test]
fn a_client_keeps_what_it_holds_while_the_lease_is_on_and_loses_it_after() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1), offered("b", 1)]);
    for ms in [200, 5_000, 9_900] {
        scene.at(ms);
        assert!(scene.tend_with(None, 9_800).is_empty(), "what was left of the lease at first counts, not what is said of it later");
        assert!(scene.is_due_at((ms + 200).min(10_000)), "it is looked at again in time");
    }
    scene.at(10_000);
    assert_eq!(scene.tend_with(None, 9_800), ["withdraw a moved", "withdraw b moved"]);
    scene.at(20_000);
    assert!(scene.tend(None).is_empty());
    scene.tend(Some(owner(OTHER, 2)));
    assert_eq!(again(&scene.asked().1).0, []);
    // What the ledger had it hold all the time, it has to show again.
    assert_eq!(scene.take(vec![Item::Resumed, offered("a", 1)]), ["offer a"]);
    assert_eq!(scene.close_code, None);
}

#[test]
fn an_owner_that_never_takes_the_connection_ends_its_hold_too() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1)]);
    scene.tend(Some(owner(OTHER, 2)));
    scene.at(LEASE_MS - 100);
    assert!(scene.tend(Some(owner(OTHER, 2))).is_empty());
    scene.at(LEASE_MS);
    assert_eq!(scene.tend(Some(owner(OTHER, 2))), ["withdraw a moved"]);
    // Nor does the lease of an owner that never took it help, when that one is gone too.
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1)]);
    scene.tend(Some(owner(OTHER, 2)));
    scene.at(LEASE_MS - 100);
    assert!(scene.tend_with(None, LEASE_MS).is_empty());
    scene.at(LEASE_MS);
    assert_eq!(scene.tend_with(None, LEASE_MS), ["withdraw a moved"]);
}

#[test]
fn an_ack_that_nobody_answers_is_given_up_in_time_and_answered_once() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1)]);
    scene.at(1_000);
    scene.ack("a", 7);
    assert!(scene.is_due_at(6_000));
    scene.at(5_999);
    assert!(scene.tend(Some(owner(ME, 1))).is_empty());
    scene.at(6_000);
    assert_eq!(scene.tend(Some(owner(ME, 1))), ["error a unavailable 7"]);
    assert!(scene.take(vec![confirmed(0, "a", State::Completed)]).is_empty());
    // What it brought is known all the same.
    scene.tend(Some(owner(OTHER, 2)));
    assert_eq!(again(&scene.asked().1).0, []);
}

#[test]
fn a_hello_that_nobody_answers_ends_in_time() {
    let mut scene = Scene::new(&["a"]);
    scene.tend(None);
    scene.at(3_000);
    scene.tend(Some(owner(ME, 1)));
    assert!(scene.is_due_at(5_000));
    scene.at(5_000);
    assert!(scene.tend(Some(owner(ME, 1))).is_empty());
    assert_eq!(scene.close_code, Some(1011));
    let (asked, gone) = scene.session.close(Departure::Lost).expect("the owner may have it");
    assert!(asked == owner(ME, 1) && matches!(gone, ToOwner::Gone { departure: Departure::Lost, .. }));
    assert!(scene.session.close(Departure::Lost).is_none());
    assert_eq!(scene.session.due(&scene.limits), None);
}

#[test]
fn too_many_acks_at_a_time_are_refused_by_name() {
    let mut scene = Scene::welcomed(&[]);
    let acks = (0..5).map(|at| Heard::Asked { question: Question::Ack(ack("a")), reference: Some(at) });
    let spoken = scene.session.say(acks.collect(), scene.now, 3);
    let refused: Vec<_> = spoken.refusals.iter().map(|refusal| (refusal.code, refusal.reference, refusal.id.as_deref())).collect();
    assert_eq!(refused, [(Code::RateLimited, Some(3), Some("a")), (Code::RateLimited, Some(4), Some("a"))]);
    assert_eq!(scene.take(vec![Item::NotTaken { number: 1 }]), ["error a rate_limited 1"]);
    scene.tend(Some(owner(OTHER, 2)));
    assert_eq!(scene.asked().2, [0, 2]);
}

#[test]
fn an_owner_that_can_not_now_is_asked_again_ever_more_seldom() {
    let mut scene = Scene::welcomed(&[]);
    scene.tend(Some(owner(OTHER, 2)));
    let mut waits = Vec::new();
    for _ in 0..10 {
        scene.take(vec![Item::NotNow]);
        let due = scene.session.due(&scene.limits).expect("it is asked again");
        waits.push(due.saturating_duration_since(scene.now).as_millis());
        scene.tend(Some(owner(OTHER, 2)));
        assert!(scene.to_owner.is_none(), "not at once");
        scene.now = due;
        scene.tend(Some(owner(OTHER, 2)));
        scene.asked();
    }
    assert!((10..=20).contains(&waits[0]) && waits.iter().all(|wait| *wait <= 1_000) && waits[9] >= 500, "{waits:?}");
    // Another owner is asked at once.
    scene.take(vec![Item::NotNow]);
    scene.tend(Some(owner(ME, 3)));
    assert_eq!(scene.asked().0, owner(ME, 3));
}

#[test]
fn an_attach_without_an_answer_is_asked_for_again() {
    let mut scene = Scene::welcomed(&[]);
    scene.tend(Some(owner(OTHER, 2)));
    scene.at(5_000);
    scene.tend(Some(owner(OTHER, 2)));
    assert!(scene.session.is_adrift());
    scene.at(5_020);
    scene.tend(Some(owner(OTHER, 2)));
    scene.asked();
}

#[test]
fn a_connection_whose_place_was_taken_is_ended_with_the_reason() {
    for last in [Item::Refused { why: AttachRefused::Replaced, acks: Vec::new() }, Item::Do(Action::Close(CloseReason::Replaced))] {
        let mut scene = Scene::welcomed(&[]);
        scene.tend(Some(owner(OTHER, 2)));
        assert!(scene.take(vec![last, offered("a", 1)]).is_empty());
        assert_eq!(scene.close_code, Some(4409));
        assert!(scene.session.close(Departure::Closed).is_none(), "the owner knows");
        assert!(scene.ack("a", 1).is_none());
    }
}

#[test]
fn a_withdraw_of_the_edge_tells_about_the_time_of_the_ledger() {
    let mut scene = Scene::welcomed(&[]);
    scene.take(vec![offered("a", 1)]);
    scene.at(10_000);
    assert_eq!(scene.session.ledger_time(scene.now), LedgerTime(10_007));
}

#[test]
fn an_idle_session_takes_little_memory() {
    let bytes = std::mem::size_of::<Session>();
    assert!(bytes <= 512, "{bytes} bytes");
}
