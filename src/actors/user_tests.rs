//! What the devices of a user see of the ledger's answers, and what the ledger hears of the devices.

use super::*;
use crate::actors::fakes::{
    FakeLedger, ack, attach, confirm, connection, device, effect, engagement, offer, until, user, window, yes, yes_and,
};
use crate::actors::house::{FakeOutbox, House};
use crate::actors::limits::Limits;
use crate::actors::seat::Seat;
use crate::actors::session::Heard;
use crate::actors::session::pending::Question;
use crate::ledger::Applied;
use crate::ledger::command::{Attach, By, Key, Visibility};
use crate::ledger::effect::{Action, CloseReason, WithdrawReason};
use crate::ledger::engagement::{Payload, Scope, Targets};
use crate::ledger::reply::{AckReply, AttachReply, Reply, State};
use crate::ports::calls::CallError;
use crate::ports::{CarryOut as _, ProposeError};
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;

impl House {
    /// The commands so far, each as a word.
    fn told(&self) -> Vec<String> {
        self.ledger.commands().iter().map(word).collect()
    }

    /// All that was said to the user's actor has been taken.
    async fn is_taken(&self) {
        until("it is taken", || self.registry.nobody_waits_for(&user("u1"))).await;
    }
}

fn say(seat: &Arc<Seat>, heard: Vec<Heard>) {
    assert!(seat.say(heard).is_empty());
}

fn word(command: &Command) -> String {
    match command {
        Command::Attach { attach, .. } => format!("attach {}", attach.device),
        Command::Ack { ack, .. } => format!("ack {}", ack.id),
        Command::Dismiss { id, .. } => format!("dismiss {id}"),
        Command::Visible { visibility, .. } => format!("{visibility:?}"),
        Command::Detach { device, departure, .. } => format!("detach {device} {departure:?}"),
        Command::Notice { id, outcome, .. } => format!("notice {id} {outcome:?}"),
        other => format!("{other:?}"),
    }
}

fn said_ack(name: &str, reference: i64) -> Heard {
    Heard::Asked { question: Question::Ack(ack(name)), reference: Some(reference) }
}

#[actix_web::test]
async fn the_answer_comes_before_the_effects_and_all_of_it_in_one_frame() {
    let house = House::new(FakeLedger::new(|command| {
        let to = connection(1);
        let effects = match command {
            Command::Attach { .. } => {
                let withdraw =
                    Action::Withdraw { id: engagement("b"), window: window("w1"), reason: WithdrawReason::Moved, at: LedgerTime(1) };
                vec![effect(to, withdraw), effect(to, offer("a", Scope::User, 5)), effect(to, Action::CaughtUp)]
            }
            Command::Ack { .. } => vec![effect(to, offer("c", Scope::User, 5))],
            _ => Vec::new(),
        };
        Some(Ok(yes_and(command, effects)))
    }));
    let (outbox, seat) = house.connect(attach("phone", 1));
    say(&seat, vec![said_ack("a", 7)]);
    until("both are answered", || outbox.kinds().len() == 6).await;
    assert_eq!(outbox.kinds(), ["welcome", "withdraw", "offer", "caught_up", "confirm", "offer"]);
    assert_eq!(outbox.frame_count(), 2);
    let welcome = &outbox.messages()[0];
    assert_eq!((&welcome["user"], &welcome["connection"], &welcome["node"]), (&"u1".into(), &"1-1".into(), &"n1".into()));
    assert_eq!(outbox.messages()[4]["ref"], 7);
}

#[actix_web::test]
async fn what_a_client_says_before_its_welcome_comes_after_its_hello() {
    let house = House::new(FakeLedger::new(|_| None));
    let (outbox, seat) = house.connect(attach("phone", 1));
    say(&seat, vec![said_ack("a", 1), Heard::Visible(Visibility::Hidden)]);
    until("all is proposed", || house.ledger.held_count() == 3).await;
    assert_eq!(house.told(), ["attach phone", "ack a", "Hidden"]);
    assert!(outbox.kinds().is_empty());
    for _ in 0..3 {
        let next = house.ledger.commands()[3 - house.ledger.held_count()].clone();
        house.ledger.release(Ok(yes(&next)));
    }
    until("it is answered", || outbox.kinds() == ["welcome", "confirm"]).await;
}

#[actix_web::test]
async fn acks_of_a_hello_are_answered_in_their_order_with_the_bad_ones_in_their_places() {
    let house = House::new(FakeLedger::agreeable());
    let hello = Attach { acks: vec![ack("a"), ack("c")], ..attach("phone", 1) };
    let bad = |name: &str| Refusal::new(Code::BadMessage, "no").with_key(name, "?");
    let (outbox, _) = house.connect_to(FakeOutbox::new(), hello, vec![(1, bad("b")), (3, bad("d"))]);
    until("it is welcomed", || !outbox.kinds().is_empty()).await;
    let acks = outbox.messages()[0]["acks"].clone();
    let ids: Vec<_> =
        acks.as_array().unwrap().iter().map(|answer| (answer["type"].as_str().unwrap(), answer["id"].as_str().unwrap())).collect();
    assert_eq!(ids, [("confirm", "a"), ("error", "b"), ("confirm", "c"), ("error", "d")]);
}

#[actix_web::test]
async fn only_so_much_is_in_flight_and_what_waits_is_bounded_too() {
    let house = House::with(FakeLedger::new(|_| None), Limits { user_in_flight_max: 2, user_queue_max: 3, ..Limits::default() });
    let (outbox, seat) = house.connect(attach("phone", 1));
    until("the hello is proposed", || house.ledger.held_count() == 1).await;
    // The second device shares the queue with the first: what the first has taken of it, the second can't have.
    let (laptop, laptop_seat) = house.connect(attach("laptop", 2));
    until("its hello is proposed", || house.ledger.held_count() == 2).await;
    let refused = seat.say((0..4).map(|at| said_ack("a", at)).collect());
    let refused: Vec<_> = refused.iter().map(|refusal| (refusal.code, refusal.reference)).collect();
    assert_eq!(refused, [(Code::RateLimited, Some(3))]);
    say(&laptop_seat, vec![said_ack("a", 7)]);
    until("what is too much is refused", || laptop.kinds() == ["error"]).await;
    let error = &laptop.messages()[0];
    assert_eq!((&error["code"], &error["ref"], &error["retry"]), (&"rate_limited".into(), &7.into(), &true.into()));
    until("two are in flight", || house.ledger.held_count() == 2).await;
    let hello = house.ledger.commands()[0].clone();
    house.ledger.release(Ok(yes(&hello)));
    until("the next one goes", || house.ledger.commands().len() == 3).await;
    assert_eq!(house.told(), ["attach phone", "attach laptop", "ack a"]);
    assert_eq!(outbox.kinds(), ["welcome"]);
}

#[actix_web::test]
async fn a_client_that_cannot_take_more_is_cut_and_the_ledger_told() {
    let house = House::new(FakeLedger::agreeable());
    let (outbox, seat) = house.connect_to(FakeOutbox::full_after(1), attach("phone", 1), Vec::new());
    say(&seat, vec![said_ack("a", 1)]);
    until("the ledger knows", || house.told().contains(&"detach phone Lost".to_owned())).await;
    assert_eq!(outbox.close_code(), Some(4440));
    // The connection's own end comes later, and changes nothing.
    house.sessions.close(&seat, Departure::Lost);
    say(&seat, vec![said_ack("b", 1)]);
    house.is_taken().await;
    assert_eq!(house.told().last().unwrap(), "detach phone Lost");
}

#[actix_web::test]
async fn a_shard_that_takes_nothing_for_too_long_is_told_to_the_clients_to_retry() {
    let ledger = FakeLedger::new(|command| match command {
        Command::Ack { .. } => Some(Err(ProposeError::Unavailable)),
        Command::Attach { attach, .. } if attach.device.as_str() == "laptop" => Some(Err(ProposeError::Unavailable)),
        _ => Some(Ok(yes(command))),
    });
    let house = House::with(ledger, Limits { request_timeout_ms: 100, ..Limits::default() });
    let (phone, seat) = house.connect(attach("phone", 1));
    say(&seat, vec![said_ack("a", 7)]);
    let (laptop, _) = house.connect(attach("laptop", 2));
    until("the laptop is refused", || laptop.close_code().is_some()).await;
    until("the phone is answered", || phone.kinds().len() == 2).await;
    let error = &phone.messages()[1];
    assert_eq!(
        (&error["code"], &error["retry"], &error["ref"], &error["id"]),
        (&"unavailable".into(), &true.into(), &7.into(), &"a".into())
    );
    assert_eq!((laptop.close_code(), laptop.last_word()["code"].as_str()), (Some(1011), Some("unavailable")));
    assert_eq!(phone.close_code(), None);
    let attaches = house.told().iter().filter(|word| *word == "attach laptop").count();
    assert!(attaches > 1, "it was tried {attaches} times");
    let call = house.registry.call(Command::Ack { user: user("u1"), by: By::posted(device("x")), ack: ack("a") }, Duration::from_secs(5));
    assert_eq!(call.await, Err(CallError::Unavailable));
}

#[actix_web::test]
async fn after_a_result_that_is_not_known_all_devices_are_attached_anew_and_the_ack_is_answered() {
    let mut has_failed = false;
    let house = House::new(FakeLedger::new(move |command| match command {
        Command::Ack { .. } if !std::mem::replace(&mut has_failed, true) => Some(Err(ProposeError::Unknown)),
        _ => Some(Ok(yes(command))),
    }));
    let (phone, seat) = house.connect(attach("phone", 1));
    let (laptop, _) = house.connect(attach("laptop", 2));
    say(&seat, vec![said_ack("a", 7)]);
    until("all is done again", || house.told().len() == 6).await;
    until("it is answered", || phone.kinds() == ["welcome", "confirm"]).await;
    assert_eq!((phone.close_code(), laptop.close_code(), laptop.kinds()), (None, None, vec!["welcome".to_owned()]));
    // The ack goes before its connection.
    let told = house.told()[3..].to_vec();
    let (ack, phone) = (told.iter().position(|word| word == "ack a"), told.iter().position(|word| word == "attach phone"));
    assert!(ack.is_some() && ack < phone && told.contains(&"attach laptop".to_owned()), "{told:?}");
}

#[actix_web::test]
async fn the_ledger_is_told_of_an_end_until_it_has_heard() {
    let mut refusals = 0;
    let house = House::with(
        FakeLedger::new(move |command| match command {
            Command::Detach { .. } if refusals < 2 => {
                refusals += 1;
                Some(Err(ProposeError::Unavailable))
            }
            _ => Some(Ok(yes(command))),
        }),
        Limits { actor_idle_ms: 1, ..Limits::default() },
    );
    let (_, seat) = house.connect(attach("phone", 1));
    house.sessions.close(&seat, Departure::Closed);
    until("it has heard", || house.told().iter().filter(|word| *word == "detach phone Closed").count() == 3).await;
    until("the actor leaves", || house.registry.actor_count() == 0).await;
}

#[actix_web::test]
async fn the_ledger_hears_the_last_that_a_device_said_of_itself() {
    let house = House::new(FakeLedger::new(|command| match command {
        Command::Visible { .. } => None,
        _ => Some(Ok(yes(command))),
    }));
    let (_, seat) = house.connect(attach("phone", 1));
    let (hidden, visible) = (|| Heard::Visible(Visibility::Hidden), || Heard::Visible(Visibility::Visible));
    say(&seat, vec![hidden(), visible(), hidden(), visible()]);
    until("it is told", || house.ledger.held_count() == 1).await;
    house.ledger.release(Err(ProposeError::Unavailable));
    until("it is told again", || house.ledger.held_count() == 1).await;
    assert_eq!(house.told(), ["attach phone", "Hidden", "Visible"]);
    let again = house.ledger.commands()[2].clone();
    house.ledger.release(Ok(yes(&again)));
    house.is_taken().await;
    assert_eq!(house.told().len(), 3);
}

#[actix_web::test]
async fn a_connection_that_is_replaced_hears_bye_and_is_not_detached() {
    let house = House::new(FakeLedger::new(|command| match command {
        Command::Attach { attach, .. } if attach.connection == connection(2) => {
            Some(Ok(yes_and(command, vec![effect(connection(1), Action::Close(CloseReason::Replaced))])))
        }
        Command::Forget { .. } => Some(Ok(yes_and(command, vec![effect(connection(2), Action::Close(CloseReason::Forgotten))]))),
        _ => Some(Ok(yes(command))),
    }));
    let (first, seat) = house.connect(attach("phone", 1));
    let (second, _) = house.connect(attach("phone", 2));
    until("the first is ended", || first.close_code().is_some()).await;
    let bye = first.last_word();
    assert_eq!(
        (first.close_code(), &bye["type"], &bye["code"], &bye["reconnect"]),
        (Some(4409), &"bye".into(), &"replaced".into(), &false.into())
    );
    house.sessions.close(&seat, Departure::Closed);
    assert!(house.registry.call(Command::Forget { user: user("u1") }, Duration::from_secs(5)).await.is_ok());
    until("the second is ended", || second.close_code().is_some()).await;
    assert_eq!((second.close_code(), &second.last_word()["code"]), (Some(4403), &"forbidden".into()));
    assert!(!house.told().iter().any(|word| word.starts_with("detach")));
}

#[actix_web::test]
async fn one_device_too_many_is_told_so_and_its_acks_are_answered() {
    let house = House::new(FakeLedger::new(|command| {
        let Command::Attach { attach, .. } = command else { return Some(Ok(yes(command))) };
        let acks = attach.acks.iter().map(|ack| AckReply::Unknown { id: ack.id.clone(), window: ack.window }).collect();
        Some(Ok(Applied { reply: Reply::Attach(AttachReply::TooManyDevices { acks }), ..yes(command) }))
    }));
    let (outbox, _) = house.connect(Attach { acks: vec![ack("a")], ..attach("phone", 1) });
    until("it is ended", || outbox.close_code().is_some()).await;
    assert_eq!((outbox.close_code(), &outbox.last_word()["code"]), (Some(4429), &"too_many_connections".into()));
    assert_eq!(outbox.messages()[0]["code"], "unknown_delivery");
}

#[actix_web::test]
async fn a_notice_goes_to_the_device_in_use_and_is_seen_once() {
    let house = House::new(FakeLedger::agreeable());
    let send = |name: &str, targets| house.registry.notice(&user("u1"), engagement(name), Payload("{}".into()), targets);
    assert_eq!(send("x", Targets::All).await, Ok(0));
    let (phone, seat) = house.connect(attach("phone", 1));
    let (laptop, laptop_seat) = house.connect(attach("laptop", 2));
    until("both are welcome", || phone.kinds().len() + laptop.kinds().len() == 2).await;
    assert_eq!(send("flash", Targets::Active).await, Ok(1));
    assert_eq!(laptop.kinds(), ["welcome", "notice"]);
    say(&laptop_seat, vec![Heard::Visible(Visibility::Hidden)]);
    assert_eq!(send("flash", Targets::Active).await, Ok(1));
    assert_eq!(phone.kinds(), ["welcome", "notice"]);
    say(&seat, vec![Heard::Visible(Visibility::Hidden)]);
    // Nobody looks: the one that connected last gets it.
    assert_eq!(send("later", Targets::Active).await, Ok(1));
    assert_eq!(laptop.kinds().len(), 3);
    assert_eq!(send("all", Targets::All).await, Ok(2));
    let seen = || Heard::Seen(engagement("flash"));
    say(&seat, vec![seen(), seen(), Heard::Seen(engagement("never"))]);
    house.is_taken().await;
    let counted = |outcome: &str| house.told().iter().filter(|word| word.ends_with(outcome)).count();
    until("it is counted", || counted("Sent") == 5 && counted("flash Seen") == 1).await;
}

#[actix_web::test]
async fn an_offer_after_its_confirm_is_noticed() {
    let mut settled = Settled::default();
    settled.confirmed(&confirm(&engagement("a"), window("w1"), State::InProgress), &device("phone"));
    settled.confirmed(&confirm(&engagement("b"), window("w1"), State::Completed), &device("phone"));
    let forbids = |name: &str, scope, on: &str| match offer(name, scope, 1) {
        Action::Offer(offer) => settled.forbids(&offer, &device(on)),
        _ => unreachable!("it is an offer"),
    };
    assert!(!forbids("a", Scope::User, "phone"));
    assert!(forbids("b", Scope::User, "laptop"));
    assert!(forbids("b", Scope::Device, "phone"));
    assert!(!forbids("b", Scope::Device, "laptop"));
}

#[actix_web::test]
async fn effects_of_time_reach_the_devices_that_are_there() {
    let house = House::new(FakeLedger::agreeable());
    let expired = || Action::Withdraw { id: engagement("a"), window: window("w1"), reason: WithdrawReason::Expired, at: LedgerTime(1) };
    house.registry.carry_out(vec![effect(connection(1), expired())]);
    assert_eq!(house.registry.actor_count(), 0);
    let (outbox, seat) = house.connect(attach("phone", 1));
    until("it is welcome", || outbox.kinds().len() == 1).await;
    house.registry.carry_out(vec![
        effect(connection(1), expired()),
        effect(connection(9), expired()),
        effect(connection(1), Action::CaughtUp),
    ]);
    house.is_taken().await;
    assert_eq!(outbox.kinds(), ["welcome", "withdraw", "caught_up"]);
    assert_eq!(outbox.frame_count(), 2);
    let key = Key { id: engagement("a"), window: window("w1") };
    say(&seat, vec![Heard::Asked { question: Question::Dismiss(key), reference: None }]);
    until("it is answered", || outbox.kinds().last().unwrap() == "confirm").await;
}
