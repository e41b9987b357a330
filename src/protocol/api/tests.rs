//! What a publisher may send, and every bound of it.

use serde_json::{Value, json};

use super::fields::BodyError;
use super::many::{ITEMS_MAX, Item, Many};
use super::publish::Publish;
use crate::ledger::engagement::{Engagement, PAYLOAD_MAX_BYTES, Scope, SettleOn, Targets};
use crate::ledger::time::{LedgerTime, Millis};
use crate::protocol::code::Code;
use crate::protocol::duration::DAY;

fn read(body: &Value) -> Result<Publish, BodyError> {
    Publish::read(body.to_string().as_bytes())
}

/// A publish of `{"id", "payload"}` and these fields.
fn with(fields: &Value) -> Value {
    let mut body = json!({"id": "nps", "payload": {"text": "hi"}});
    let fields = fields.as_object().expect("fields are an object");
    body.as_object_mut().expect("it is an object").extend(fields.clone());
    body
}

fn standard(publish: Result<Publish, BodyError>) -> Engagement {
    match publish.expect("it is valid") {
        Publish::Standard(engagement) => (*engagement).clone(),
        Publish::FireAndForget(_) => panic!("it is standard"),
    }
}

fn accepted(fields: &Value) -> Engagement {
    standard(read(&with(fields)))
}

/// Checks that a body is refused with this code, and that the error names this field.
fn refused(body: &[u8], code: Code, field: Option<&str>) {
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    let error = Publish::read(body).expect_err(&shown);
    assert_eq!((error.code(), error.field()), (code, field), "{shown}: {error}");
    if let Some(field) = field {
        assert!(error.to_string().contains(field), "{error}");
    }
}

fn refused_field(name: &str, value: &Value) {
    refused(with(&json!({ name: value })).to_string().as_bytes(), Code::BadRequest, Some(name));
}

#[test]
fn an_id_and_a_payload_are_enough_and_the_rest_has_the_defaults_of_the_contract() {
    let engagement = accepted(&json!({}));
    assert_eq!(engagement.id.as_str(), "nps");
    assert_eq!(&engagement.payload.0[..], br#"{"text":"hi"}"#);
    assert_eq!((engagement.steps, engagement.settle_on), (1, SettleOn::Shown));
    assert_eq!((engagement.scope, engagement.targets), (Scope::User, Targets::Active));
    assert_eq!((engagement.window, engagement.ttl, engagement.snooze, engagement.not_before), (None, None, None, None));
    assert_eq!((engagement.priority, engagement.max_offers), (0, 0));
}

#[test]
fn every_field_is_read() {
    let engagement = accepted(&json!({
        "steps": 5, "settle_on": "shown", "scope": "device", "targets": "all", "mode": "standard", "window": "2m", "ttl": "90s",
        "not_before": 1_700_000_000_000u64, "priority": -100, "max_offers": 3, "snooze": "4h",
    }));
    assert_eq!((engagement.steps, engagement.settle_on), (5, SettleOn::Shown));
    assert_eq!((engagement.scope, engagement.targets), (Scope::Device, Targets::All));
    assert_eq!((engagement.window, engagement.ttl), (Some(Millis(120_000)), Some(Millis(90_000))));
    assert_eq!((engagement.snooze, engagement.not_before), (Some(Millis(14_400_000)), Some(LedgerTime(1_700_000_000_000))));
    assert_eq!((engagement.priority, engagement.max_offers), (-100, 3));
}

#[test]
fn an_engagement_of_several_steps_settles_when_it_is_completed() {
    assert_eq!(accepted(&json!({"steps": 2})).settle_on, SettleOn::Completed);
    assert_eq!(accepted(&json!({"steps": 1, "settle_on": "completed"})).settle_on, SettleOn::Completed);
}

#[test]
fn bounds_are_taken_and_what_lies_beyond_them_is_refused() {
    let bounds = [
        ("steps", [json!(1), json!(100)], [json!(0), json!(101)]),
        ("priority", [json!(-100), json!(100)], [json!(-101), json!(101)]),
        ("max_offers", [json!(0), json!(4_294_967_295u64)], [json!(-1), json!(4_294_967_296u64)]),
        ("not_before", [json!(0), json!(253_402_300_799_999u64)], [json!(-1), json!(u64::MAX)]),
        ("window", [json!("1s"), json!("366d")], [json!("999ms"), json!("367d")]),
        ("ttl", [json!("1ms"), json!("366d")], [json!("0s"), json!("367d")]),
        ("snooze", [json!("1ms"), json!("366d")], [json!("0ms"), json!("8785h")]),
    ];
    for (name, within, beyond) in bounds {
        for value in within {
            accepted(&json!({ name: value }));
        }
        for value in beyond {
            refused_field(name, &value);
        }
    }
    assert_eq!(accepted(&json!({"window": "366d"})).window, Some(Millis(366 * DAY)));
}

#[test]
fn wrong_types_and_words_are_refused_by_the_name_of_their_field() {
    for name in ["steps", "priority", "max_offers", "not_before"] {
        for value in [json!("1"), json!(1.5), json!(1.0), json!(true), json!([1]), json!({}), json!(1e300)] {
            refused_field(name, &value);
        }
    }
    for name in ["window", "ttl", "snooze"] {
        for value in [json!("2"), json!(""), json!("1h30m"), json!("-1s"), json!(60), json!(["1s"])] {
            refused_field(name, &value);
        }
    }
    for name in ["settle_on", "scope", "targets", "mode"] {
        for value in [json!("Shown"), json!("users"), json!(""), json!(1), json!(false)] {
            refused_field(name, &value);
        }
    }
    let range = read(&with(&json!({"steps": 101}))).unwrap_err().to_string();
    assert!(range.contains("from 1 to 100"), "{range}");
}

#[test]
fn null_counts_as_left_out() {
    let nulls =
        json!({"steps": null, "settle_on": null, "window": null, "mode": null, "priority": null, "not_before": null, "scope": null});
    assert_eq!(accepted(&nulls), accepted(&json!({})));
    let notice = read(&with(&json!({"mode": "fire_and_forget", "ttl": null})));
    assert!(matches!(notice, Ok(Publish::FireAndForget(_))));
}

#[test]
fn an_id_must_be_there_and_be_one() {
    refused(br#"{"payload":1}"#, Code::BadRequest, Some("id"));
    refused(br#"{"id":null,"payload":1}"#, Code::BadRequest, Some("id"));
    for id in ["".to_owned(), "x".repeat(129), "a\u{0}b".to_owned(), "tab\t".to_owned(), "ä".repeat(65)] {
        refused(json!({"id": id, "payload": 1}).to_string().as_bytes(), Code::BadRequest, Some("id"));
    }
    refused(br#"{"id":7,"payload":1}"#, Code::BadRequest, Some("id"));
    refused(br#"{"id":"\ud800","payload":1}"#, Code::BadRequest, Some("id"));
    for id in ["x".repeat(128), "ä".repeat(64), "a/b c?d%2F".to_owned()] {
        assert_eq!(standard(read(&json!({"id": id, "payload": 1}))).id.as_str(), id);
    }
}

#[test]
fn a_payload_must_be_there_and_may_be_any_json() {
    refused(br#"{"id":"a"}"#, Code::BadRequest, Some("payload"));
    for payload in ["null", "false", "0", "\"\"", "[]", "{}", "[ 1 , {\"b\" : 2,\n\"a\":1} ]"] {
        let engagement = standard(Publish::read(format!("{{\"id\":\"a\",\"payload\":{payload}}}").as_bytes()));
        assert_eq!(&engagement.payload.0[..], payload.as_bytes(), "it is kept as it was sent");
    }
}

#[test]
fn a_payload_has_up_to_16_kib_of_text() {
    let body = |bytes: usize| format!("{{\"id\":\"a\",\"payload\":\"{}\"}}", "x".repeat(bytes - 2));
    assert_eq!(standard(Publish::read(body(PAYLOAD_MAX_BYTES).as_bytes())).payload.0.len(), 16 * 1024);
    refused(body(PAYLOAD_MAX_BYTES + 1).as_bytes(), Code::TooLarge, Some("payload"));
}

#[test]
fn a_payload_that_no_reader_could_take_is_refused() {
    for payload in [r#""\ud800""#, "1e999", r#"{"a":"\udc00x"}"#] {
        refused(format!("{{\"id\":\"a\",\"payload\":{payload}}}").as_bytes(), Code::BadRequest, Some("payload"));
    }
}

#[test]
fn json_that_is_too_deep_is_refused_wherever_it_stands_and_breaks_nothing() {
    for depth in [200, 8_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        refused(format!("{{\"id\":\"a\",\"payload\":{deep}}}").as_bytes(), Code::BadRequest, Some("payload"));
    }
    let endless = "[".repeat(2_000_000);
    for body in [
        endless.clone(),
        format!("{{\"id\":{endless}"),
        format!("{{\"payload\":{endless}"),
        format!("{{\"other\":{}", "{\"a\":".repeat(500_000)),
    ] {
        refused(body.as_bytes(), Code::BadRequest, None);
    }
    let closed = format!("{{\"id\":\"a\",\"steps\":{}{},\"payload\":1}}", "[".repeat(500_000), "]".repeat(500_000));
    refused(closed.as_bytes(), Code::BadRequest, Some("steps"));
}

#[test]
fn unknown_fields_are_refused_by_name() {
    refused(with(&json!({"stepz": 1})).to_string().as_bytes(), Code::UnknownField, Some("stepz"));
    refused(with(&json!({"user": "u1"})).to_string().as_bytes(), Code::UnknownField, Some("user"));
    refused(with(&json!({"": 1})).to_string().as_bytes(), Code::UnknownField, Some(""));
    let long = "x".repeat(1_000);
    let error = read(&with(&json!({ long: 1 }))).unwrap_err();
    assert!(error.field().is_some_and(|field| field.len() == 64), "what is repeated is bounded");
}

#[test]
fn a_field_that_stands_there_twice_is_refused() {
    refused(br#"{"id":"a","payload":1,"id":"a"}"#, Code::BadRequest, Some("id"));
    refused(br#"{"id":"a","payload":1,"payload":1}"#, Code::BadRequest, Some("payload"));
}

#[test]
fn what_is_no_json_object_is_refused() {
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\"x\"",
        b"{\"id\":\"a\",\"payload\":1",
        b"{\"id\":\"a\",\"payload\":1}}",
        b"{\"id\":\"a\",\"payload\":1} x",
        b"{\"id\":\"a\",\"payload\":}",
        b"{'id':'a'}",
        b"{\"id\":\"a\",\"payload\":\"\xff\"}",
        b"\xef\xbb\xbf{\"id\":\"a\",\"payload\":1}",
    ];
    for body in bodies {
        refused(body, Code::BadRequest, None);
    }
}

#[test]
fn fire_and_forget_takes_an_id_a_payload_and_targets_only() {
    let Ok(Publish::FireAndForget(notice)) = read(&with(&json!({"mode": "fire_and_forget", "targets": "all"}))) else {
        panic!("it is a notice")
    };
    assert_eq!((notice.id.as_str(), notice.targets), ("nps", Targets::All));
    assert_eq!(&notice.payload.0[..], br#"{"text":"hi"}"#);
    let others = json!({
        "steps": 1, "settle_on": "shown", "scope": "user", "window": "2m", "ttl": "1s", "not_before": 0, "priority": 0, "max_offers": 0, "snooze": "1h",
    });
    for (name, value) in others.as_object().unwrap() {
        refused(with(&json!({"mode": "fire_and_forget", name: value})).to_string().as_bytes(), Code::BadRequest, Some(name));
    }
}

#[test]
fn the_same_content_has_the_same_fingerprint_whatever_its_form() {
    let one = br#"{"id":"a","payload":{"x":1,"y":{"b":[1,2],"a":"\u00e4"}},"steps":1,"targets":"active"}"#;
    let other = "{ \"payload\" : {\"y\":{\"a\":\"ä\",\n\"b\":[1, 2]},\"x\":1}, \"settle_on\":\"shown\", \"id\":\"a\", \"priority\":0 }";
    assert_eq!(standard(Publish::read(one)).fingerprint, standard(Publish::read(other.as_bytes())).fingerprint);
}

/// The text `9012345678901234567890` and the nearest number's shortest text are one number; a reader that rounds otherwise takes them for two.
#[test]
fn a_number_has_the_same_fingerprint_in_every_spelling() {
    let spelled = |number: &str| standard(Publish::read(format!("{{\"id\":\"a\",\"payload\":[{number}]}}").as_bytes())).fingerprint;
    assert_eq!(spelled("9012345678901234567890"), spelled("9.012345678901235e21"));
    assert_eq!(spelled("0.1"), spelled("0.1000000000000000055"));
    assert_ne!(spelled("0.1"), spelled("0.10000000000000002"));
}

#[test]
fn other_content_has_another_fingerprint() {
    let variants = [
        json!({}),
        json!({"payload": {"text": "ho"}}),
        json!({"payload": {"text": "hi", "more": null}}),
        json!({"payload": [{"text": "hi"}]}),
        json!({"payload": [["a"], []]}),
        json!({"payload": [["a", []]]}),
        json!({"payload": "1"}),
        json!({"payload": 1}),
        json!({"payload": true}),
        json!({"payload": null}),
        json!({"steps": 2}),
        json!({"steps": 2, "settle_on": "shown"}),
        json!({"settle_on": "completed"}),
        json!({"scope": "device"}),
        json!({"targets": "all"}),
        json!({"window": "2m"}),
        json!({"ttl": "2m"}),
        json!({"snooze": "2m"}),
        json!({"not_before": 120_000}),
        json!({"priority": 1}),
        json!({"priority": -1}),
        json!({"max_offers": 1}),
    ];
    let mut fingerprints: Vec<u64> = variants.iter().map(|fields| accepted(fields).fingerprint).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), variants.len());
}

/// Fingerprints are kept in the ledger's log: a version that hashes otherwise would take a repeated publish for another one.
#[test]
fn a_fingerprint_is_the_same_in_every_version() {
    let engagement =
        accepted(&json!({"payload": {"b": [1, -2.5, "x", null, true, false], "a": {}}, "steps": 3, "window": "2m", "priority": -7}));
    assert_eq!(engagement.fingerprint, 744_798_038_897_784_242);
}

/// An item as `<user> <id>`, or the code and the field of its error.
type Read = Result<String, (Code, String)>;

fn many(body: &Value) -> Result<Vec<Read>, (Code, Option<String>)> {
    let text = body.to_string();
    let many = Many::read(text.as_bytes()).map_err(|error| (error.code(), error.field().map(str::to_owned)))?;
    Ok(many
        .items()
        .map(|item| match item.publish {
            Ok((user, publish)) => Ok(format!("{user} {}", publish.id())),
            Err(error) => Err((error.code(), error.field().unwrap_or_default().to_owned())),
        })
        .collect())
}

#[test]
fn one_engagement_goes_to_many_users_and_a_user_that_is_none_fails_alone() {
    let body = json!({"users": ["u1", "", 7, null, "ü/2"], "engagement": {"id": "a", "payload": 1}});
    let bad = |index: usize| Err((Code::BadRequest, format!("users[{index}]")));
    assert_eq!(many(&body).unwrap(), [Ok("u1 a".to_owned()), bad(1), bad(2), bad(3), Ok("ü/2 a".to_owned())]);
}

#[test]
fn each_item_is_read_alone_and_its_error_has_the_path_to_the_field() {
    let body = json!({"items": [
        {"user": "u1", "id": "a", "payload": 1},
        {"user": "u1", "id": "b", "payload": 1, "steps": 0},
        {"user": "u1", "id": "b", "payload": 1, "stepz": 1},
        {"id": "c", "payload": 1},
        {"user": "u2", "payload": 1},
        {"user": "u2", "id": "c", "payload": "x".repeat(PAYLOAD_MAX_BYTES)},
        7,
        {"user": "u3", "id": "d", "payload": 1, "mode": "fire_and_forget"},
    ]});
    let fails = |code: Code, field: &str| Err((code, field.to_owned()));
    let results = [
        Ok("u1 a".to_owned()),
        fails(Code::BadRequest, "items[1].steps"),
        fails(Code::UnknownField, "items[2].stepz"),
        fails(Code::BadRequest, "items[3].user"),
        fails(Code::BadRequest, "items[4].id"),
        fails(Code::TooLarge, "items[5].payload"),
        fails(Code::BadRequest, "items[6]"),
        Ok("u3 d".to_owned()),
    ];
    assert_eq!(many(&body).unwrap(), results);
}

#[test]
fn an_item_that_fails_still_says_whose_it_was_as_far_as_that_can_be_read() {
    let text = json!({"items": [{"user": "u1", "id": "b", "payload": 1, "steps": 0}, {"user": 1, "id": "b", "payload": 1}]}).to_string();
    let many = Many::read(text.as_bytes()).unwrap();
    let named: Vec<_> = many.items().map(|item| (item.user.map(|user| user.to_string()), item.id.map(|id| id.to_string()))).collect();
    assert_eq!(named, [(Some("u1".to_owned()), Some("b".to_owned())), (None, Some("b".to_owned()))]);
}

#[test]
fn a_body_for_many_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let engagement = json!({"id": "a", "payload": 1});
    let whole =
        |body: Value, code: Code, field: Option<&str>| assert_eq!(many(&body).unwrap_err(), (code, field.map(str::to_owned)), "{body}");
    whole(json!({}), Code::BadRequest, None);
    whole(json!([]), Code::BadRequest, None);
    whole(json!({"users": ["u1"]}), Code::BadRequest, Some("engagement"));
    whole(json!({"engagement": engagement}), Code::BadRequest, Some("users"));
    whole(json!({"users": ["u1"], "engagement": engagement, "items": []}), Code::BadRequest, Some("items"));
    whole(json!({"users": "u1", "engagement": engagement}), Code::BadRequest, Some("users"));
    whole(json!({"items": {}}), Code::BadRequest, Some("items"));
    whole(json!({"itemz": []}), Code::UnknownField, Some("itemz"));
    whole(json!({"users": ["u1"], "engagement": {"id": "a", "payload": 1, "user": "u1"}}), Code::UnknownField, Some("engagement.user"));
    whole(json!({"users": ["u1"], "engagement": {"id": "a", "payload": 1, "steps": 0}}), Code::BadRequest, Some("engagement.steps"));
    whole(json!({"users": ["u1"], "engagement": 7}), Code::BadRequest, Some("engagement"));
}

#[test]
fn ten_thousand_items_are_taken_and_one_more_is_refused() {
    let body = |count: usize| json!({"users": vec!["u"; count], "engagement": {"id": "a", "payload": 1}});
    assert_eq!(many(&body(ITEMS_MAX)).unwrap().len(), 10_000);
    assert_eq!(many(&body(ITEMS_MAX + 1)).unwrap_err(), (Code::TooLarge, Some("users".to_owned())));
    assert_eq!(many(&json!({"items": vec![1; ITEMS_MAX + 1]})).unwrap_err(), (Code::TooLarge, Some("items".to_owned())));
    assert_eq!(many(&json!({"items": []})).unwrap(), []);
}

#[test]
fn an_item_that_is_wrong_is_named_as_far_as_it_can_be_read() {
    let body = br#"{"items":[{"user":"u1","id":"nps","payload":1,"stepz":2},{"user":7,"id":"a","payload":1,"x":1}]}"#;
    let many = Many::read(body).unwrap();
    let items: Vec<_> = many.items().collect();
    let named = |item: &Item| (item.user.as_ref().map(ToString::to_string), item.id.as_ref().map(ToString::to_string));
    assert_eq!(named(&items[0]), (Some("u1".to_owned()), Some("nps".to_owned())));
    assert_eq!(named(&items[1]), (None, Some("a".to_owned())));
    assert!(items.iter().all(|item| item.publish.is_err()));
}
