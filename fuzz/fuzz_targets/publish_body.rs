//! What publishers send: the body of a publish to one and to many. Whatever comes, it is read or refused, never a panic; what is read lies within the bounds of the
//! contract and means the same when it is written in another form.
#![no_main]

use engage_fuzz::ledger::engagement::{Engagement, PAYLOAD_MAX_BYTES};
use engage_fuzz::protocol::api::fields::BodyError;
use engage_fuzz::protocol::api::many::{ITEMS_MAX, Many};
use engage_fuzz::protocol::api::publish::{PRIORITY, Publish, STEPS, WAIT, WINDOW};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    match Publish::read(data) {
        Ok(publish) => {
            check(&publish);
            check_other_form(data, &publish);
        }
        Err(error) => check_error(&error),
    }
    match Many::read(data) {
        Ok(many) => {
            let items = many.items();
            assert!(items.len() <= ITEMS_MAX);
            for item in items {
                match item.publish {
                    Ok((user, publish)) => {
                        assert_eq!((item.user, item.id.as_ref()), (Some(user), Some(publish.id())));
                        check(&publish);
                    }
                    Err(error) => check_error(&error),
                }
            }
        }
        Err(error) => check_error(&error),
    }
});

fn check(publish: &Publish) {
    let payload = match publish {
        Publish::Standard(engagement) => {
            check_bounds(engagement);
            &engagement.payload
        }
        Publish::FireAndForget(notice) => &notice.payload,
    };
    assert!(payload.0.len() <= PAYLOAD_MAX_BYTES);
    serde_json::from_slice::<Value>(&payload.0).expect("a payload is JSON");
}

fn check_bounds(engagement: &Engagement) {
    assert!(STEPS.contains(&i64::from(engagement.steps)));
    assert!(PRIORITY.contains(&i64::from(engagement.priority)));
    assert!(engagement.window.is_none_or(|span| WINDOW.contains(&span)));
    assert!(engagement.ttl.is_none_or(|span| WAIT.contains(&span)));
    assert!(engagement.snooze.is_none_or(|span| WAIT.contains(&span)));
}

/// The same body with its keys in order and no white space is the same publish, but for the text of the payload.
fn check_other_form(data: &[u8], publish: &Publish) {
    let value: Value = serde_json::from_slice(data).expect("a body that was read is JSON");
    let other = Publish::read(value.to_string().as_bytes());
    match (publish, other) {
        (Publish::Standard(one), Ok(Publish::Standard(other))) => assert_eq!(one.fingerprint, other.fingerprint),
        (Publish::FireAndForget(one), Ok(Publish::FireAndForget(other))) => assert_eq!((&one.id, one.targets), (&other.id, other.targets)),
        // Another spelling may pass the bound of the payload's text (`\u0001` for a byte, `1.0e0` for `1e0`).
        (_, Err(BodyError::TooLarge { .. })) => {}
        (one, other) => panic!("{one:?} became {other:?}"),
    }
}

fn check_error(error: &BodyError) {
    let meaning = error.code().meaning();
    assert!(meaning.status == 400 || meaning.status == 413);
    assert!(!error.to_string().is_empty());
}
