//! What nodes say to each other of the ledger comes through the encoding of the links as it was.

use crate::person::*;
use bytes::Bytes;
use engage::ledger::command::{Ack, Attach, By, Departure, Greeting, Key, Visibility};
use engage::ledger::effect::{Action, CloseReason, Effect, WithdrawReason};
use engage::ledger::engagement::{Engagement, Payload, Scope};
use engage::ledger::ids::{DeviceId, EngagementId, ShardId, WindowId};
use engage::ledger::outcome::{CursorExpired, NoticeOutcome, Outcome, Reason, What};
use engage::ledger::reply::{AckReply, AttachReply, Bound, Confirm, Ended, PublishReply, State};
use engage::ledger::time::LedgerTime;
use engage::ledger::view::{Counts, DeliveryView, EngagementView, UserView};
use engage::ledger::window::Window;
use engage::ledger::{Applied, Command, Reply};
use engage::ports::session::{AttachRefused, Attempt, Item, Said, ToEdge, ToOwner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

fn travels<T: Serialize + DeserializeOwned + PartialEq + Debug>(thing: &T) {
    let bytes = postcard::to_allocvec(thing).unwrap();
    let (back, rest): (T, _) = postcard::take_from_bytes(&bytes).unwrap();
    assert_eq!((&back, rest.len()), (thing, 0));
    assert!(postcard::from_bytes::<T>(&bytes[..bytes.len() - 1]).is_err(), "{thing:?} ends with nothing");
}

fn id() -> EngagementId {
    EngagementId::parse("ä survey / 1").unwrap()
}

fn window() -> WindowId {
    "wzz1".parse().unwrap()
}

fn open_window() -> Window {
    Window { id: window(), opened_at: LedgerTime(1), closes_at: LedgerTime(u64::MAX) }
}

fn data() -> Option<Payload> {
    Some(Payload(Bytes::from_static(b"{\"q\":[1,null]}")))
}

fn ack_replies() -> Vec<AckReply> {
    let (id, window) = (id(), window());
    let confirm =
        Confirm { id: id.clone(), window, step: 2, steps: 5, state: State::InProgress, yours: true, at: LedgerTime(1_700_000_000_000) };
    let unknown = AckReply::Unknown { id: id.clone(), window };
    vec![AckReply::Confirm(confirm), unknown, AckReply::OutOfRange { id, window, steps: 100 }]
}

fn actions() -> Vec<Action> {
    // A real offer, with a payload and data.
    let mut person = Person::new();
    person.publish(tour("a", 3));
    let ack = person.ack_of("a", 1, Some("[1]"));
    person.ack_with("laptop", ack);
    let attach = Command::Attach { user: person.user.clone(), attach: person.hello("phone") };
    let offer = person.apply(attach).effects.remove(0).action;
    assert!(matches!(&offer, Action::Offer(offer) if offer.data.is_some()));
    let mut actions = vec![
        offer,
        Action::Progress { id: id(), window: window(), step: 3, data: data() },
        Action::Progress { id: id(), window: window(), step: 3, data: None },
        Action::Window(open_window()),
        Action::CaughtUp,
        Action::Close(CloseReason::Replaced),
        Action::Close(CloseReason::Forgotten),
    ];
    for reason in [WithdrawReason::Moved, WithdrawReason::DoneElsewhere, WithdrawReason::Withdrawn, WithdrawReason::Expired] {
        actions.push(Action::Withdraw { id: id(), window: window(), reason, at: LedgerTime(7) });
    }
    actions
}

#[test]
fn every_reply_and_effect_travels() {
    let (window, at, closes_at) = (window(), LedgerTime(5), LedgerTime(9));
    let mut replies = vec![
        Reply::Publish(PublishReply::Queued { window, state: State::Offered, closes_at }),
        Reply::Publish(PublishReply::Duplicate { window, state: State::Completed, step: 4, closes_at }),
        Reply::Publish(PublishReply::Different { window, state: State::Dropped }),
        Reply::Attach(AttachReply::Attached { window: open_window(), acks: ack_replies() }),
        Reply::Attach(AttachReply::TooManyDevices { acks: ack_replies() }),
        Reply::Attach(AttachReply::Full),
        Reply::Attach(AttachReply::Replaced),
        Reply::Withdraw(None),
        Reply::Withdraw(Some(Ended { state: State::Expired, reason: Some(Reason::MaxOffers), step: 1 })),
        Reply::Done,
    ];
    replies.extend(
        [Bound::BufferDeliveries, Bound::BufferBytes, Bound::Records, Bound::Ledger].map(|bound| Reply::Publish(PublishReply::Full(bound))),
    );
    replies.extend(ack_replies().into_iter().map(Reply::Ack));
    let person = Person::new();
    let connection = person.hello("phone").connection;
    let effects: Vec<Effect> = actions().into_iter().map(|action| Effect { user: person.user.clone(), connection, action }).collect();
    for reply in replies {
        travels(&Applied { at, reply, effects: effects.clone() });
    }
}

#[test]
fn everything_that_an_owner_says_to_an_edge_travels() {
    let mut items = vec![
        Item::Welcome { window: open_window(), at: LedgerTime(3), acks: ack_replies() },
        Item::Resumed,
        Item::NotNow,
        Item::NotTaken { number: u64::MAX },
        Item::Notice { id: id(), payload: data().unwrap(), at: LedgerTime(3) },
        Item::Renew { expires_at_ms: 4 },
    ];
    for why in [AttachRefused::TooManyDevices, AttachRefused::Full, AttachRefused::Replaced, AttachRefused::Overloaded] {
        items.push(Item::Refused { why, acks: ack_replies() });
    }
    items.extend(ack_replies().into_iter().map(|reply| Item::Answer { number: 3, reply }));
    items.extend(actions().into_iter().map(Item::Do));
    let attempt = Attempt { connection: Person::new().hello("phone").connection, number: 2 };
    for item in &items {
        travels(&ToEdge { attempt, shard: ShardId(3), term: 4, items: vec![item.clone()] });
    }
    travels(&ToEdge { attempt, shard: ShardId(3), term: 4, items });
}

#[test]
fn everything_that_an_edge_says_to_an_owner_travels() {
    let person = Person::new();
    let (user, device) = (person.user.clone(), DeviceId::parse("phone").unwrap());
    let key = Key { id: id(), window: window() };
    let ack = Ack { id: id(), window: window(), step: 2, data: data() };
    let said = vec![
        Said::Ack { ack: ack.clone(), number: 1 },
        Said::Dismiss { key: key.clone(), number: 2 },
        Said::Visible(Visibility::Hidden),
        Said::Seen(id()),
    ];
    let attempt = Attempt { connection: person.hello("phone").connection, number: 2 };
    for greeting in [Greeting::Hello, Greeting::Again { window: Some(window()), steps: vec![0, 100], is_caught_up: false }] {
        let attach = Attach { greeting, acks: vec![ack.clone()], open: vec![key.clone()], ..person.hello("phone") };
        travels(&ToOwner::Attach { user: user.clone(), attempt, attach, said: said.clone() });
    }
    travels(&ToOwner::Said { user: user.clone(), attempt, said: said.clone() });
    travels(&ToOwner::Gone { user: user.clone(), device: DeviceId::parse("phone").unwrap(), attempt, departure: Departure::Lost });
    travels(&ToOwner::Posted { user: user.clone(), device: device.clone(), said });
    travels(&ToOwner::Renew { user, device, expires_at_ms: 8 });
}

#[test]
fn every_call_travels() {
    let person = Person::new();
    let (user, device, connection) = (person.user.clone(), DeviceId::parse("phone").unwrap(), person.hello("phone").connection);
    let whole = Engagement {
        window: Some(ms(1)),
        ttl: Some(ms(2)),
        not_before: Some(LedgerTime(3)),
        snooze: Some(ms(4)),
        priority: -100,
        ..tour("a", 3)
    };
    travels(&Command::Publish { user: user.clone(), engagement: whole.into() });
    travels(&Command::Attach { user: user.clone(), attach: person.hello("phone") });
    let departure = Departure::Closed;
    travels(&Command::Detach { user: user.clone(), device: device.clone(), connection, departure });
    travels(&Command::Visible { user: user.clone(), device: device.clone(), connection, visibility: Visibility::Visible });
    travels(&Command::Ack {
        user: user.clone(),
        by: By::posted(device.clone()),
        ack: Ack { id: id(), window: window(), step: 0, data: None },
    });
    travels(&Command::Dismiss { user: user.clone(), by: By::posted(device.clone()), id: id(), window: window() });
    travels(&Command::Withdraw { user: user.clone(), id: id() });
    travels(&Command::Forget { user: user.clone() });
    travels(&Command::Notice { user, id: id(), device: Some(device), outcome: NoticeOutcome::Seen });
    travels(&Command::Advance);
    travels(&Command::RenewLeases);
    travels(&Command::Takeover { settings: person.ledger.settings().clone(), edges: vec![EDGE] });
}

#[test]
fn what_readers_are_answered_travels() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.publish(Engagement { scope: Scope::Device, ..engagement("b") });
    person.publish(Engagement { not_before: Some(LedgerTime(person.now + 5)), ..engagement("c") });
    let ack = person.ack_of("a", 1, Some("[1]"));
    person.ack_with("phone", ack);
    person.ack("phone", "b", 0);
    person.attach("laptop");
    person.lose("laptop");
    let user: UserView = person.ledger.user(&person.user).unwrap();
    assert!(user.devices.iter().any(|device| device.lease_until.is_some()));
    travels(&user);
    let deliveries: Vec<DeliveryView> = person.ledger.deliveries(&person.user, 0, 100);
    assert!(deliveries.iter().any(|view| view.settled_at.is_some()) && deliveries.iter().any(|view| view.open.is_some()));
    travels(&deliveries);
    let (parts, outcomes) = person.ledger.engagement_parts(&person.user, &engagement("a").id).unwrap();
    travels(&EngagementView::new(parts, &outcomes, &person.user, &engagement("a").id));
    let read: Vec<(u64, Outcome)> = person.ledger.outcomes().after(0, 100).unwrap();
    travels(&Ok::<_, CursorExpired>(read));
    travels(&Err::<Vec<(u64, Outcome)>, _>(CursorExpired { oldest: 7 }));
    let counts: Counts = person.ledger.counts();
    travels(&counts);
    for what in What::ALL {
        travels(&what);
    }
}
