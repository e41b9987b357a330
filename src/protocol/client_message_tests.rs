//! What the contract promises about client messages, good and bad.

use super::*;
use crate::ledger::ids::DeviceId;
use crate::protocol::frame;

fn one(text: &str) -> Result<ClientMessage, Refusal> {
    let mut messages = frame::parse(text).expect("it is JSON");
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

fn code(text: &str) -> Code {
    one(text).expect_err("it is refused").code
}

fn key(id: &str, window: &str) -> Key {
    Key { id: EngagementId::parse(id).unwrap(), window: window.parse().unwrap() }
}

#[test]
fn every_message_of_the_contract_is_read() {
    let ack = Ack {
        id: EngagementId::parse("nps").unwrap(),
        window: "w1a".parse().unwrap(),
        step: 2,
        data: Some(Payload(Bytes::from_static(br#"{"q1":9}"#))),
    };
    let text = r#"{"type":"ack","id":"nps","window":"w1a","step":2,"data":{"q1":9},"ref":7}"#;
    assert_eq!(one(text), Ok(ClientMessage::Ack { ack, reference: Some(7) }));
    let text = r#"{"type":"dismiss","id":"nps","window":"w1a","ref":8}"#;
    assert_eq!(one(text), Ok(ClientMessage::Dismiss { key: key("nps", "w1a"), reference: Some(8) }));
    assert_eq!(one(r#"{"type":"visible","visible":false}"#), Ok(ClientMessage::Visible(Visibility::Hidden)));
    assert_eq!(one(r#"{"type":"seen","id":"flash"}"#), Ok(ClientMessage::Seen(EngagementId::parse("flash").unwrap())));
    assert_eq!(one(r#"{"type":"token","token":"a.b.c"}"#), Ok(ClientMessage::Token(Token("a.b.c".into()))));
    assert_eq!(one(r#" {"type":"ping","ref":-9} "#), Ok(ClientMessage::Ping { reference: Some(-9) }));
}

#[test]
fn a_hello_has_defaults_and_bounds() {
    let Ok(ClientMessage::Hello(hello)) = one(r#"{"type":"hello","device":"d1","token":"t","client":5,"more":[]}"#) else {
        panic!("it is a hello")
    };
    assert_eq!(hello.device, DeviceId::parse("d1").unwrap());
    assert_eq!((hello.visibility, hello.max_in_flight), (Visibility::Visible, 16));
    assert!(hello.acks.is_empty() && hello.open.is_empty());
    for wrong in ["0", "257", "1.5", "-1", "\"1\"", "true", "1e2"] {
        assert_eq!(code(&format!(r#"{{"type":"hello","device":"d","max_in_flight":{wrong}}}"#)), Code::BadMessage, "{wrong}");
    }
    for wrong in [
        "\"device\":5",
        "\"device\":\"\"",
        "\"x\":1",
        "\"device\":\"d\",\"visible\":1",
        "\"device\":\"d\",\"acks\":{}",
        "\"device\":\"d\",\"open\":[1]",
    ] {
        assert_eq!(code(&format!(r#"{{"type":"hello",{wrong}}}"#)), Code::BadMessage, "{wrong}");
    }
    let many = vec!["{}"; 257].join(",");
    assert_eq!(code(&format!(r#"{{"type":"hello","device":"d","acks":[{many}]}}"#)), Code::BadMessage);
}

#[test]
fn a_bad_ack_in_a_hello_is_answered_in_its_place() {
    let text = r#"{"type":"hello","device":"d","acks":[{"id":"a","window":"w1","step":1},{"id":"b","window":"no","step":1},{"id":"","window":"w1","step":1},7],
        "open":[{"id":"tour","window":"w2"},{"id":"tour","window":"?"}]}"#;
    let Ok(ClientMessage::Hello(hello)) = one(text) else { panic!("it is a hello") };
    let codes: Vec<_> = hello.acks.iter().map(|ack| ack.ack.as_ref().err().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [None, Some(Code::UnknownDelivery), Some(Code::BadMessage), Some(Code::BadMessage)]);
    assert_eq!(hello.acks[1].ack.as_ref().unwrap_err().id.as_deref(), Some("b"));
    assert_eq!(hello.open, [key("tour", "w2")]);
}

#[test]
fn a_refusal_names_the_message_as_far_as_it_can_be_read() {
    let refusal = one(r#"{"type":"ack","id":"nps","window":"w1","step":"two","ref":7}"#).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.reference, refusal.id.as_deref(), refusal.window.as_deref()),
        (Code::BadMessage, Some(7), Some("nps"), Some("w1"))
    );
    let refusal = one(r#"{"type":"dance","ref":1,"id":5}"#).unwrap_err();
    assert_eq!((refusal.code, refusal.reference, refusal.id), (Code::BadMessage, Some(1), None));
}

#[test]
fn each_kind_of_bad_ack_has_its_code() {
    let ack = |rest: &str| format!(r#"{{"type":"ack",{rest}}}"#);
    assert_eq!(code(&ack(r#""id":"a","window":"w1""#)), Code::BadMessage);
    assert_eq!(code(&ack(r#""id":"a","step":1"#)), Code::BadMessage);
    assert_eq!(code(&ack(r#""id":"a","window":"W1","step":1"#)), Code::UnknownDelivery);
    assert_eq!(code(&ack(r#""id":"a","window":"w1","step":-1"#)), Code::StepOutOfRange);
    assert_eq!(code(&ack(r#""id":"a","window":"w1","step":4294967296"#)), Code::StepOutOfRange);
    assert_eq!(code(&ack(r#""id":"a","window":"w1","step":1.5"#)), Code::BadMessage);
    assert_eq!(code(&ack(&format!(r#""id":"{}","window":"w1","step":1"#, "x".repeat(129)))), Code::BadMessage);
    assert_eq!(code(&ack(r#""id":"a\u0000","window":"w1","step":1"#)), Code::BadMessage);
    assert_eq!(code(&ack(&format!(r#""id":"a","window":"w1","step":1,"data":"{}""#, "x".repeat(4095)))), Code::TooLarge);
    assert!(one(&ack(&format!(r#""id":"a","window":"w1","step":1,"data":"{}""#, "x".repeat(4094)))).is_ok());
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    assert_eq!(code(&ack(&format!(r#""id":"a","window":"w1","step":1,"data":{deep}"#))), Code::BadMessage);
    assert_eq!(code(&ack(r#""id":"a","id":"b","window":"w1","step":1"#)), Code::BadMessage);
}

#[test]
fn fields_that_a_type_does_not_have_are_ignored_whatever_they_hold() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(one(&format!(r#"{{"type":"ping","id":5,"acks":7,"x":{deep}}}"#)), Ok(ClientMessage::Ping { reference: None }));
}

#[test]
fn a_frame_that_is_no_json_is_refused_as_a_whole() {
    for text in [
        "",
        "{",
        "hello",
        r#"{"type":"ping"}{"type":"ping"}"#,
        r#"[{"type":"ping"},{]"#,
        r#"{"type":5,"x":}"#,
        "[1,2",
        r#"[{"type":"ping"}] 1"#,
    ] {
        assert_eq!(frame::parse(text).expect_err(text).code, Code::BadMessage, "{text}");
    }
    for text in ["1", "null", "\"x\"", "true", r#"[["ack"]]"#, "[null]"] {
        assert_eq!(code(text), Code::BadMessage, "{text}");
    }
}

#[test]
fn a_list_of_messages_keeps_its_order_and_has_a_bound() {
    let messages = frame::parse(r#"[{"type":"ping","ref":1},5,{"type":"ping","ref":2}]"#).unwrap();
    assert_eq!(messages[0], Ok(ClientMessage::Ping { reference: Some(1) }));
    assert!(messages[1].is_err());
    assert_eq!(messages[2], Ok(ClientMessage::Ping { reference: Some(2) }));
    assert_eq!(frame::parse("[]").unwrap(), []);
    let list = |count: usize| format!("[{}]", vec![r#"{"type":"ping"}"#; count].join(","));
    assert_eq!(frame::parse(&list(256)).unwrap().len(), 256);
    assert_eq!(frame::parse(&list(257)).unwrap_err().code, Code::TooLarge);
}

#[test]
fn no_token_shows_in_a_log() {
    let message = one(r#"{"type":"hello","device":"d1","token":"secret"}"#);
    assert!(!format!("{message:?}").contains("secret"));
}
