//! Reading a user and the deliveries.

use actix_web::http::Method;
use bytes::Bytes;
use serde_json::json;

use super::fakes::{FakeNode, node};
use super::{admin, send};
use crate::ledger::engagement::{Payload, Scope, Targets};
use crate::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId};
use crate::ledger::outcome::Reason;
use crate::ledger::reply::State;
use crate::ledger::time::LedgerTime;
use crate::ledger::view::{DeliveryView, DeviceView, OpenView, UserView};
use crate::ledger::window::Window;

fn user() -> UserId {
    UserId::parse("u1").unwrap()
}

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

fn open_delivery(sequence: u64, id: &str) -> DeliveryView {
    DeliveryView {
        sequence,
        id: EngagementId::parse(id).unwrap(),
        window: "w1a".parse().unwrap(),
        device: None,
        scope: Scope::User,
        state: State::InProgress,
        reason: None,
        step: 1,
        steps: 3,
        open: Some(OpenView {
            targets: Targets::Active,
            priority: -5,
            data: Some(Payload(Bytes::from_static(br#"{"q1": 9}"#))),
            offers: 2,
            holders: vec![device("d1")],
            published_at: LedgerTime(10),
            expires_at: LedgerTime(90),
            waits_until: None,
        }),
        settled_at: None,
    }
}

fn hold(node: &FakeNode, deliveries: Vec<DeliveryView>) {
    node.read.change(|facts| {
        facts.deliveries.insert(user(), deliveries);
    });
}

#[actix_web::test]
async fn a_user_is_shown_with_shard_owner_window_devices_and_buffer() {
    let node = node();
    let connection = ConnectionId { edge: EdgeId(2), number: 1 };
    let window = Window { id: "w1a".parse().unwrap(), opened_at: LedgerTime(5), closes_at: LedgerTime(9) };
    let devices = vec![DeviceView { device: device("d1"), connection, visible: true, connected_at: LedgerTime(6), lease_until: None }];
    node.read.change(|facts| {
        facts.users.insert(user(), UserView { window: Some(window), devices, buffered_count: 3, buffered_bytes: 700 });
    });
    let answer = send(&node, admin(Method::GET, "/v1/users/u1")).await;
    let expected = json!({
        "user": "u1", "shard": 2, "owner": "n3", "window": {"id": "w1a", "opened_at": 5, "closes_at": 9},
        "devices": [{"device": "d1", "node": "n2", "visible": true, "connected_at": 6}], "buffered": {"deliveries": 3, "bytes": 700},
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    send(&node, admin(Method::GET, "/v1/users/u2")).await.problem(404, "not_found");
}

#[actix_web::test]
async fn deliveries_are_listed_in_pages() {
    let node = node();
    hold(&node, (1..=5).map(|sequence| open_delivery(sequence * 10, &format!("e{sequence}"))).collect());
    let mut after = String::new();
    let mut seen = Vec::new();
    loop {
        let page = send(&node, admin(Method::GET, &format!("/v1/users/u1/engagements?limit=2{after}"))).await.json();
        seen.extend(page["deliveries"].as_array().unwrap().iter().map(|delivery| delivery["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        after = format!("&after={cursor}");
    }
    assert_eq!(seen, ["e1", "e2", "e3", "e4", "e5"]);
    let exact = send(&node, admin(Method::GET, "/v1/users/u1/engagements?limit=5")).await.json();
    assert_eq!((exact["deliveries"].as_array().unwrap().len(), &exact["cursor"]), (5, &json!(null)), "the last page says so");
    let none = send(&node, admin(Method::GET, "/v1/users/nobody/engagements")).await;
    assert_eq!((none.status.as_u16(), none.json()), (200, json!({"deliveries": [], "cursor": null})));
}

#[actix_web::test]
async fn a_page_does_not_tear_the_devices_of_an_engagement_apart() {
    let node = node();
    let of =
        |sequence: u64, name: &str| DeliveryView { scope: Scope::Device, device: Some(device(name)), ..open_delivery(sequence, "nps") };
    hold(&node, vec![of(1, "d1"), of(1, "d2"), of(2, "d1")]);
    let first = send(&node, admin(Method::GET, "/v1/users/u1/engagements?limit=1")).await.json();
    assert_eq!((first["deliveries"].as_array().unwrap().len(), &first["cursor"]), (2, &json!("1")));
    let second = send(&node, admin(Method::GET, "/v1/users/u1/engagements?limit=1&after=1")).await.json();
    assert_eq!((second["deliveries"].as_array().unwrap().len(), &second["cursor"]), (1, &json!(null)));
}

#[actix_web::test]
async fn a_delivery_is_shown_as_far_as_it_is_known() {
    let node = node();
    let settled = DeliveryView {
        open: None,
        state: State::Expired,
        reason: Some(Reason::Ttl),
        settled_at: Some(LedgerTime(50)),
        ..open_delivery(2, "old")
    };
    hold(&node, vec![open_delivery(1, "nps"), settled]);
    let list = send(&node, admin(Method::GET, "/v1/users/u1/engagements")).await.json();
    let nps = json!({
        "id": "nps", "window": "w1a", "scope": "user", "targets": "active", "state": "in_progress", "step": 1, "steps": 3, "data": {"q1": 9}, "offers": 2,
        "holders": ["d1"], "priority": -5, "published_at": 10, "expires_at": 90,
    });
    let old = json!({"id": "old", "window": "w1a", "scope": "user", "state": "expired", "reason": "ttl", "step": 1, "steps": 3, "settled_at": 50});
    assert_eq!(list, json!({"deliveries": [nps, old], "cursor": null}));
}

#[actix_web::test]
async fn an_engagement_is_shown_with_its_timeline() {
    let node = node();
    hold(&node, vec![open_delivery(1, "nps")]);
    node.read.happened("u1", "nps", 11);
    node.read.happened("u1", "other", 12);
    let answer = send(&node, admin(Method::GET, "/v1/users/u1/engagements/nps")).await.json();
    assert_eq!(answer["timeline"], json!([{"at": 11, "outcome": "offered", "device": "d1", "step": 0, "reason": null}]));
    assert_eq!((&answer["state"], answer.get("deliveries")), (&json!("in_progress"), None));
    send(&node, admin(Method::GET, "/v1/users/u1/engagements/none")).await.problem(404, "not_found");
}

#[actix_web::test]
async fn an_engagement_for_each_device_is_shown_with_all_its_deliveries() {
    let node = node();
    let of = |name: &str| DeliveryView { scope: Scope::Device, device: Some(device(name)), ..open_delivery(1, "nps") };
    hold(&node, vec![of("d1"), of("d2")]);
    let answer = send(&node, admin(Method::GET, "/v1/users/u1/engagements/nps")).await.json();
    let devices: Vec<_> = answer["deliveries"].as_array().unwrap().iter().map(|delivery| delivery["device"].as_str().unwrap()).collect();
    assert_eq!(devices, ["d1", "d2"]);
    assert_eq!(answer["deliveries"][0].get("targets"), None, "targets mean nothing with scope device");
}

#[actix_web::test]
async fn what_can_not_be_read_now_is_answered_503() {
    let node = node();
    node.read.change(|facts| facts.is_down = true);
    for path in ["/v1/users/u1", "/v1/users/u1/engagements", "/v1/users/u1/engagements/nps", "/v1/outcomes"] {
        let answer = send(&node, admin(Method::GET, path)).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
}

#[actix_web::test]
async fn parameters_are_read_strictly() {
    let node = node();
    for (query, code, field) in [
        ("limit=0", "bad_request", "limit"),
        ("limit=1001", "bad_request", "limit"),
        ("limit=+5", "bad_request", "limit"),
        ("limit=many", "bad_request", "limit"),
        ("limit=1&limit=2", "bad_request", "limit"),
        ("after=w1", "bad_request", "after"),
        ("limits=1", "unknown_field", "limits"),
    ] {
        let answer = send(&node, admin(Method::GET, &format!("/v1/users/u1/engagements?{query}"))).await;
        assert_eq!(answer.problem(400, code)["field"], field, "{query}");
    }
}
