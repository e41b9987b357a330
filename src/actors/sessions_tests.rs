//! What connections notice of owners that change, and what owners hear of connections, here and over links.

use super::*;
use crate::actors::fakes::{FakeLedger, ack, attach, connection, device, effect, engagement, offer, until, user, window, yes, yes_and};
use crate::actors::house::{FakeOutbox, House, ME, OTHER, SHARD, owner};
use crate::actors::letter::Letter;
use crate::actors::limits::Limits;
use crate::actors::session::Heard;
use crate::actors::session::pending::Question;
use crate::ledger::Command;
use crate::ledger::command::{Attach, By, Greeting, Visibility};
use crate::ledger::effect::{Action, WithdrawReason};
use crate::ledger::engagement::{Payload, Scope, Targets};
use crate::ledger::ids::EdgeId;
use crate::ledger::time::LedgerTime;
use crate::ports::calls::CallError;
use crate::ports::peers::{NodeId, Serve as _};
use crate::ports::session::{Attempt, Item, Said};
use crate::ports::{CarryOut as _, ProposeError};
use std::time::Duration;

fn say_ack(seat: &Arc<Seat>, name: &str) {
    let heard = vec![Heard::Asked { question: Question::Ack(ack(name)), reference: Some(7) }];
    assert!(seat.say(heard).is_empty());
}

/// A ledger that offers `a` to whom says hello.
fn offering() -> Arc<FakeLedger> {
    FakeLedger::new(|command| match command {
        Command::Attach { attach, .. } if attach.greeting == Greeting::Hello => {
            Some(Ok(yes_and(command, vec![effect(attach.connection, offer("a", Scope::User, 5))])))
        }
        _ => Some(Ok(yes(command))),
    })
}

impl House {
    async fn welcomed(&self) -> (Arc<FakeOutbox>, Arc<Seat>) {
        let (outbox, seat) = self.connect(attach("phone", 1));
        until("it has its offer", || outbox.kinds() == ["welcome", "offer"]).await;
        (outbox, seat)
    }

    fn attaches(&self) -> Vec<Attach> {
        let of = |command: &Command| if let Command::Attach { attach, .. } = command { Some(attach.clone()) } else { None };
        self.ledger.commands().iter().filter_map(of).collect()
    }

    fn detaches(&self) -> Vec<(ConnectionId, Departure)> {
        let of = |command: &Command| match command {
            Command::Detach { connection, departure, .. } => Some((*connection, *departure)),
            _ => None,
        };
        self.ledger.commands().iter().filter_map(of).collect()
    }

    fn hear(&self, message: ToOwner) {
        self.service.told(OTHER, Letter::ToOwner(message).encode().into());
    }

    /// Takes what was told to connections of the other node.
    fn sent(&self) -> Vec<ToEdge> {
        let words = |(to, letter): (NodeId, Letter)| match letter {
            Letter::ToEdge(words) if to == OTHER => Some(words),
            _ => None,
        };
        self.peers.take().into_iter().filter_map(words).collect()
    }

    /// The next that is told to a connection of the other node.
    async fn next_sent(&self) -> ToEdge {
        let mut sent = Vec::new();
        until("something is sent", || {
            sent = self.sent();
            !sent.is_empty()
        })
        .await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }
}

/// A connection of a device on the other node.
fn far(number: u64) -> ConnectionId {
    ConnectionId { edge: EdgeId(9), number }
}

fn attempt(number: u32) -> Attempt {
    Attempt { connection: far(1), number }
}

fn far_hello(number: u32) -> ToOwner {
    let attach = Attach { connection: far(1), ..attach("laptop", 1) };
    ToOwner::Attach { user: user("u1"), attempt: attempt(number), attach, said: Vec::new() }
}

#[actix_web::test]
async fn a_connection_notices_nothing_of_a_reign_that_ends_and_begins_again() {
    let house = House::new(offering());
    let (outbox, seat) = house.welcomed().await;
    house.owners.set(None);
    house.registry.disowned(SHARD);
    say_ack(&seat, "a");
    house.registry.owned(SHARD, 2);
    house.owners.set(Some(owner(ME, 2)));
    until("its ack is answered", || outbox.kinds() == ["welcome", "offer", "confirm"]).await;
    until("it is attached again", || house.attaches().len() == 2).await;
    assert!(matches!(&house.attaches()[1].greeting, Greeting::Again { steps, .. } if steps.len() == 1));
    house.registry.carry_out(vec![effect(connection(1), Action::CaughtUp)]);
    until("it hears effects", || outbox.kinds().len() == 4).await;
    assert!(house.detaches().is_empty() && outbox.close_code().is_none());
}

#[actix_web::test]
async fn what_an_owner_says_after_its_lease_is_dropped_and_asked_for_again() {
    let house = House::new(offering());
    let (outbox, _) = house.welcomed().await;
    house.owners.valid_from(2);
    house.registry.carry_out(vec![effect(connection(1), offer("b", Scope::User, 5))]);
    until("it asks again", || house.attaches().len() > 1).await;
    assert_eq!(outbox.kinds(), ["welcome", "offer"]);
    house.owners.valid_from(1);
    until("it is attached", || {
        house.registry.carry_out(vec![effect(connection(1), Action::CaughtUp)]);
        outbox.kinds().len() > 2
    })
    .await;
    assert_eq!(outbox.kinds()[2], "caught_up");
}

#[actix_web::test]
async fn what_is_held_is_taken_back_when_the_lease_has_run_out() {
    let house = House::new(offering());
    let (outbox, _) = house.welcomed().await;
    house.owners.leave(Duration::from_millis(300));
    house.owners.set(None);
    house.sessions.tend_once().await;
    assert_eq!(outbox.kinds().len(), 2, "the lease is on");
    until("it is taken back", || outbox.kinds().len() == 3).await;
    let withdraw = &outbox.messages()[2];
    assert_eq!((&withdraw["type"], &withdraw["id"], &withdraw["reason"]), (&"withdraw".into(), &"a".into(), &"moved".into()));
    assert_eq!(outbox.close_code(), None);
}

#[actix_web::test]
async fn a_connection_goes_on_with_an_owner_on_another_node_and_comes_back() {
    let house = House::new(offering());
    let (outbox, seat) = house.welcomed().await;
    house.registry.disowned(SHARD);
    house.owners.set(Some(owner(OTHER, 2)));
    let mut letters = Vec::new();
    until("the other node is asked", || {
        letters = house.peers.take();
        !letters.is_empty()
    })
    .await;
    let [(OTHER, Letter::ToOwner(ToOwner::Attach { attempt, attach, .. }))] = &letters[..] else { panic!("{letters:?}") };
    assert!(matches!(attach.greeting, Greeting::Again { .. }) && attach.open.len() == 1);
    let tell = |number, term, item| {
        let words = ToEdge { attempt: Attempt { number, ..*attempt }, shard: SHARD, term, items: vec![item] };
        house.service.told(OTHER, Letter::ToEdge(words).encode().into());
    };
    tell(attempt.number, 2, Item::Resumed);
    tell(attempt.number - 1, 2, Item::Do(Action::CaughtUp));
    assert_eq!(outbox.kinds().len(), 2, "an earlier attempt means nothing");
    tell(attempt.number, 2, Item::Do(Action::CaughtUp));
    assert_eq!(outbox.kinds().len(), 3);
    say_ack(&seat, "a");
    assert!(matches!(&house.peers.take()[..], [(OTHER, Letter::ToOwner(ToOwner::Said { said, .. }))] if said.len() == 1));
    // What is said in another term makes it ask anew.
    tell(attempt.number, 3, Item::Do(Action::CaughtUp));
    until(
        "it is asked anew",
        || matches!(&house.peers.take()[..], [(OTHER, Letter::ToOwner(ToOwner::Attach { said, .. }))] if said.len() == 1),
    )
    .await;
    assert_eq!(outbox.kinds().len(), 3);
    house.registry.owned(SHARD, 4);
    house.owners.set(Some(owner(ME, 4)));
    until("its ack is answered here", || outbox.kinds().last().unwrap() == "confirm").await;
}

#[actix_web::test]
async fn an_owner_that_can_not_be_reached_is_asked_until_it_can() {
    let house = House::new(offering());
    let (_, seat) = house.welcomed().await;
    house.registry.disowned(SHARD);
    house.peers.go_down();
    house.owners.set(Some(owner(OTHER, 2)));
    house.sessions.tend_once().await;
    say_ack(&seat, "a");
    house.peers.come_up();
    until("it is asked", || matches!(&house.peers.take()[..], [(OTHER, Letter::ToOwner(ToOwner::Attach { said, .. }))] if said.len() == 1))
        .await;
}

#[actix_web::test]
async fn a_farewell_is_said_as_soon_as_it_can_be_or_not_at_all_to_another_owner() {
    let house = House::new(offering());
    let (_, seat) = house.welcomed().await;
    house.owners.set(None);
    house.sessions.close(&seat, Departure::Closed);
    house.sessions.tend_once().await;
    assert!(house.detaches().is_empty());
    house.owners.set(Some(owner(ME, 1)));
    until("it is said", || house.detaches() == [(connection(1), Departure::Closed)]).await;
    let (outbox, seat) = house.connect(attach("phone", 2));
    until("it is welcome", || !outbox.kinds().is_empty()).await;
    house.owners.set(None);
    house.sessions.close(&seat, Departure::Lost);
    house.owners.set(Some(owner(OTHER, 2)));
    house.sessions.tend_once().await;
    assert!(house.peers.take().is_empty() && house.detaches().len() == 1);
    assert_eq!(house.sessions.count(), 0);
}

#[actix_web::test]
async fn a_connection_of_another_node_is_served_like_one_of_this_node() {
    let house = House::new(offering());
    house.hear(far_hello(1));
    let welcome = house.next_sent().await;
    assert_eq!((welcome.attempt, welcome.shard, welcome.term), (attempt(1), SHARD, 1));
    assert!(matches!(&welcome.items[..], [Item::Welcome { .. }, Item::Do(Action::Offer(_))]));
    let said = vec![Said::Ack { ack: ack("a"), number: 5 }];
    house.hear(ToOwner::Said { user: user("u1"), attempt: attempt(1), said });
    assert!(matches!(&house.next_sent().await.items[..], [Item::Answer { number: 5, .. }]));
    let notice = house.registry.notice(&user("u1"), engagement("flash"), Payload("1".into()), Targets::All);
    assert_eq!(notice.await, Ok(1));
    assert!(matches!(&house.next_sent().await.items[..], [Item::Notice { .. }]));
    house.hear(ToOwner::Renew { user: user("u1"), device: device("laptop"), expires_at_ms: 9 });
    assert_eq!(house.next_sent().await.items, [Item::Renew { expires_at_ms: 9 }]);
    // What it acks elsewhere, its edge must know.
    let posted = Command::Ack { user: user("u1"), by: By::posted(device("laptop")), ack: ack("a") };
    assert!(house.registry.call(posted, Duration::from_secs(5)).await.is_ok());
    assert!(matches!(&house.next_sent().await.items[..], [Item::Noted { step: 1, .. }]));
    house.hear(ToOwner::Gone { user: user("u1"), device: device("laptop"), attempt: attempt(1), departure: Departure::Closed });
    until("the ledger knows", || house.detaches() == [(far(1), Departure::Closed)]).await;
}

#[actix_web::test]
async fn effects_before_the_answer_to_an_attach_are_left_to_the_ledger_to_tell_again() {
    let house = House::new(FakeLedger::new(|command| match command {
        Command::Attach { .. } => None,
        _ => Some(Ok(yes_and(command, vec![effect(far(1), Action::CaughtUp)]))),
    }));
    house.hear(far_hello(1));
    until("it is proposed", || house.ledger.held_count() == 1).await;
    house.registry.carry_out(vec![effect(far(1), Action::CaughtUp)]);
    house.hear(far_hello(2));
    until("it is proposed again", || house.ledger.held_count() == 2).await;
    for _ in 0..2 {
        let attach = house.ledger.commands()[0].clone();
        house.ledger.release(Ok(yes(&attach)));
    }
    // The first attempt is answered too; nobody waits for that.
    let welcome = house.next_sent().await;
    assert_eq!((welcome.attempt, welcome.items.len()), (attempt(2), 1));
    house.registry.carry_out(vec![effect(far(1), Action::CaughtUp)]);
    assert_eq!(house.next_sent().await.items, [Item::Do(Action::CaughtUp)]);
}

#[actix_web::test]
async fn acks_go_before_an_attach_that_is_done_again_and_after_a_first_one() {
    let house = House::new(FakeLedger::agreeable());
    let kinds = |house: &House| -> Vec<&str> {
        let kind = |command: &Command| if matches!(command, Command::Ack { .. }) { "ack" } else { "attach" };
        house.ledger.commands().iter().map(kind).collect()
    };
    let with_ack = |message: ToOwner, greeting: Greeting| match message {
        ToOwner::Attach { user, attempt, attach, .. } => {
            let said = vec![Said::Ack { ack: ack("a"), number: 0 }];
            ToOwner::Attach { user, attempt, attach: Attach { greeting, ..attach }, said }
        }
        other => other,
    };
    house.hear(with_ack(far_hello(1), Greeting::Hello));
    until("all is proposed", || kinds(&house) == ["attach", "ack"]).await;
    let again = Greeting::Again { window: None, steps: Vec::new(), is_caught_up: true };
    house.hear(with_ack(far_hello(2), again));
    until("all is proposed again", || kinds(&house) == ["attach", "ack", "ack", "attach"]).await;
    until("it is told", || house.sent().iter().any(|words| words.attempt.number == 2 && words.items == [Item::Resumed])).await;
}

#[actix_web::test]
async fn a_shard_that_is_not_owned_is_not_served() {
    let house = House::new(FakeLedger::agreeable());
    house.registry.disowned(SHARD);
    house.hear(far_hello(1));
    assert_eq!(house.next_sent().await.items, [Item::NotNow]);
    house.hear(ToOwner::Said { user: user("u1"), attempt: attempt(1), said: vec![Said::Visible(Visibility::Hidden)] });
    assert_eq!(house.next_sent().await.items, [Item::NotNow]);
    assert!(house.ledger.commands().is_empty() && house.registry.actor_count() == 0);
}

#[actix_web::test]
async fn a_shard_that_is_lost_leaves_no_connection_and_no_caller_waiting() {
    let ledger = FakeLedger::new(|command| match command {
        Command::Withdraw { .. } => None,
        _ => Some(Ok(yes(command))),
    });
    let house = House::with(ledger, Limits { user_in_flight_max: 1, ..Limits::default() });
    house.hear(far_hello(1));
    house.next_sent().await;
    let call = || house.registry.call(Command::Withdraw { user: user("u1"), id: engagement("a") }, Duration::from_secs(5));
    let (proposed, waiting) = (call(), call());
    until("one is in flight", || house.ledger.held_count() == 1).await;
    house.registry.disowned(SHARD);
    assert_eq!(waiting.await, Err(CallError::Unavailable));
    house.registry.owned(SHARD, 2);
    house.registry.carry_out(vec![effect(far(1), Action::CaughtUp)]);
    house.ledger.release(Err(ProposeError::Unknown));
    assert_eq!(proposed.await, Err(CallError::Unknown));
    // The connection is another reign's: it is neither told nor sent back.
    house.hear(far_hello(2));
    assert_eq!(house.next_sent().await.term, 2);
    assert!(house.detaches().is_empty());
}

#[actix_web::test]
async fn the_connections_of_a_node_whose_link_broke_are_lost_and_no_others() {
    let house = House::new(FakeLedger::agreeable());
    let (outbox, _) = house.connect(attach("phone", 1));
    house.hear(far_hello(1));
    until("both are welcome", || !outbox.kinds().is_empty() && !house.sent().is_empty()).await;
    house.registry.edge_lost(OTHER);
    until("the ledger knows", || house.detaches() == [(far(1), Departure::Lost)]).await;
    house.registry.carry_out(vec![effect(connection(1), Action::CaughtUp), effect(far(1), Action::CaughtUp)]);
    until("the other goes on", || outbox.kinds().len() == 2).await;
    assert!(house.sent().is_empty());
}

#[actix_web::test]
async fn an_edge_that_missed_something_is_told_to_ask_anew_when_it_can_be() {
    let house = House::new(FakeLedger::agreeable());
    house.hear(far_hello(1));
    house.next_sent().await;
    house.peers.go_down();
    house.registry.carry_out(vec![effect(far(1), Action::CaughtUp)]);
    until("the ledger knows", || house.detaches() == [(far(1), Departure::Lost)]).await;
    house.peers.come_up();
    let words = house.next_sent().await;
    assert_eq!((words.attempt, &words.items[..]), (attempt(1), &[Item::NotNow][..]));
}

#[actix_web::test]
async fn the_connections_of_an_actor_that_dies_are_attached_anew_and_live_on() {
    let house = House::new(offering());
    let dying = actix_rt::Arbiter::new();
    house.registry.place(dying.handle());
    let (outbox, seat) = house.welcomed().await;
    dying.stop();
    dying.join().unwrap();
    until("it is attached anew", || house.attaches().len() == 2).await;
    say_ack(&seat, "a");
    until("it is served", || outbox.kinds() == ["welcome", "offer", "confirm"]).await;
    assert_eq!(outbox.close_code(), None);
}

#[actix_web::test]
async fn a_big_step_goes_over_the_link_in_parts_and_in_order() {
    let house = House::new(FakeLedger::new(|command| match command {
        Command::Attach { .. } => {
            let mut effects: Vec<_> = (0..40).map(|at| effect(far(1), offer(&format!("a{at}"), Scope::User, 16_000))).collect();
            let reason = WithdrawReason::Moved;
            effects.push(effect(far(1), Action::Withdraw { id: engagement("z"), window: window("w1"), reason, at: LedgerTime(1) }));
            Some(Ok(yes_and(command, effects)))
        }
        _ => Some(Ok(yes(command))),
    }));
    house.hear(far_hello(1));
    let mut parts = Vec::new();
    until("all is sent", || {
        parts.extend(house.sent());
        parts.iter().map(|words| words.items.len()).sum::<usize>() == 42
    })
    .await;
    assert!((5..=8).contains(&parts.len()), "{}", parts.len());
    assert!(matches!(parts[0].items[0], Item::Welcome { .. }));
    assert!(matches!(parts.last().unwrap().items.last().unwrap(), Item::Do(Action::Withdraw { .. })));
    assert!(parts.iter().all(|words| Letter::ToEdge(words.clone()).encode().len() < 160_000));
}
