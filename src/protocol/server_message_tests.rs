//! Each server message, letter for letter.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::ledger::ids::EdgeId;
use crate::ledger::time::Millis;
use crate::protocol::code::Code;

fn written(message: &ServerMessage<'_>) -> String {
    let mut text = String::new();
    message.write(&mut text);
    serde_json::from_str::<Value>(&text).expect("it is JSON");
    text
}

fn id(text: &str) -> EngagementId {
    EngagementId::parse(text).unwrap()
}

fn window_id() -> WindowId {
    "w1a".parse().unwrap()
}

fn confirm() -> Confirm {
    Confirm { id: id("nps"), window: window_id(), step: 2, steps: 5, state: State::InProgress, yours: true, at: LedgerTime(9) }
}

#[test]
fn an_offer_has_every_field_and_its_payload_unchanged() {
    let mut offer = Offer {
        id: id("nps"),
        window: window_id(),
        scope: Scope::User,
        offer: 1,
        step: 3,
        steps: 5,
        settle_on: SettleOn::Completed,
        data: None,
        payload: Payload(Bytes::from_static(b"{ \"b\": 1.0, \"a\":\t[1] }")),
        priority: -3,
        expires_in: Millis(70),
        at: LedgerTime(5),
    };
    let text = r#"{"type":"offer","id":"nps","window":"w1a","scope":"user","offer":1,"step":3,"steps":5,"settle_on":"completed","data":null,"payload":{ "b": 1.0, "a":	[1] },"priority":-3,"expires_in_ms":70,"at":5}"#;
    assert_eq!(written(&ServerMessage::Offer(&offer)), text);
    offer.data = Some(Payload(Bytes::from_static(br#"{"q1":9}"#)));
    assert!(written(&ServerMessage::Offer(&offer)).contains(r#""data":{"q1":9},"#));
}

#[test]
fn a_confirm_echoes_the_ref_if_there_was_one() {
    let confirm = confirm();
    let text = r#"{"type":"confirm","id":"nps","window":"w1a","step":2,"steps":5,"state":"in_progress","yours":true,"at":9,"ref":7}"#;
    assert_eq!(written(&ServerMessage::Confirm { confirm: &confirm, reference: Some(7) }), text);
    assert!(!written(&ServerMessage::Confirm { confirm: &confirm, reference: None }).contains("ref"));
}

#[test]
fn a_welcome_answers_the_acks_in_their_order() {
    let (user, device) = (UserId::parse("ü\"1").unwrap(), DeviceId::parse("d1").unwrap());
    let refused = Refusal::new(Code::UnknownDelivery, "x").with_key("b", "no");
    let acks = [(Answer::Confirm(confirm()), Some(41)), (Answer::Error(refused), None)];
    let welcome = Welcome {
        user: &user,
        device: &device,
        connection: ConnectionId { edge: EdgeId(255), number: 1 },
        node: "n1",
        window: Window { id: window_id(), opened_at: LedgerTime(1), closes_at: LedgerTime(2) },
        server_time: LedgerTime(1),
        heartbeat_ms: 25_000,
        max_in_flight: 16,
        acks: &acks,
    };
    let value: Value = serde_json::from_str(&written(&ServerMessage::Welcome(welcome))).unwrap();
    let expected = json!({"type":"welcome","user":"ü\"1","device":"d1","connection":"ff-1","node":"n1","window":{"id":"w1a","opened_at":1,"closes_at":2},"server_time":1,
        "heartbeat_ms":25000,"max_in_flight":16,"acks":[
            {"type":"confirm","id":"nps","window":"w1a","step":2,"steps":5,"state":"in_progress","yours":true,"at":9,"ref":41},
            {"type":"error","code":"unknown_delivery","message":"x","retry":false,"id":"b","window":"no"}]});
    assert_eq!(value, expected);
}

#[test]
fn the_other_messages_are_written_as_the_contract_shows_them() {
    let (tour, data) = (id("tour"), Payload(Bytes::from_static(b"{}")));
    let progress = ServerMessage::Progress { id: &tour, window: window_id(), step: 3, data: Some(&data) };
    assert_eq!(written(&progress), r#"{"type":"progress","id":"tour","window":"w1a","step":3,"data":{}}"#);
    let withdraw = ServerMessage::Withdraw { id: &tour, window: window_id(), reason: WithdrawReason::DoneElsewhere, at: LedgerTime(4) };
    assert_eq!(written(&withdraw), r#"{"type":"withdraw","id":"tour","window":"w1a","reason":"done_elsewhere","at":4}"#);
    let notice = ServerMessage::Notice { id: &tour, payload: &data, at: LedgerTime(4) };
    assert_eq!(written(&notice), r#"{"type":"notice","id":"tour","payload":{},"at":4}"#);
    let window = ServerMessage::Window(Window { id: window_id(), opened_at: LedgerTime(1), closes_at: LedgerTime(2) });
    assert_eq!(written(&window), r#"{"type":"window","window":{"id":"w1a","opened_at":1,"closes_at":2}}"#);
    let pong = ServerMessage::Pong { reference: Some(9), server_time: LedgerTime(3) };
    assert_eq!(written(&pong), r#"{"type":"pong","ref":9,"server_time":3}"#);
    let bye = ServerMessage::Bye(Bye { code: Code::Draining, reason: "going", after_ms: 800 });
    assert_eq!(written(&bye), r#"{"type":"bye","code":"draining","reason":"going","reconnect":true,"after_ms":800}"#);
    let refusal = Refusal::new(Code::Unavailable, "later").with_reference(Some(7)).with_key("nps", window_id());
    let error = r#"{"type":"error","code":"unavailable","message":"later","retry":true,"ref":7,"id":"nps","window":"w1a"}"#;
    assert_eq!(written(&ServerMessage::Error(&refusal)), error);
    assert_eq!(written(&ServerMessage::CaughtUp), r#"{"type":"caught_up"}"#);
}

#[test]
fn what_a_client_named_is_echoed_as_valid_json() {
    let refusal = Refusal::new(Code::BadMessage, "no").with_key("a\"\\\n\u{1}ä😀", "w");
    let value: Value = serde_json::from_str(&written(&ServerMessage::Error(&refusal))).unwrap();
    assert_eq!(value["id"], "a\"\\\n\u{1}ä😀");
}
