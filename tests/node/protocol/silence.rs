//! Heartbeats, on a node whose heart beats every 400 ms.

use serde_json::json;
use std::time::Duration;

use engage::clock;

use crate::nodes::lively;
use crate::support::device::{Device, Event};
use crate::support::{fresh, wait};

#[tokio::test]
async fn the_welcome_says_how_often_the_server_pings() {
    let device = Device::connect_idle(lively(), &fresh("user"), "d1").await;
    assert_eq!(device.welcome["heartbeat_ms"], 400);
}

#[tokio::test]
async fn a_connection_that_answers_pings_stays_and_a_silent_one_is_closed() {
    let mut answering = Device::connect_idle(lively(), &fresh("user"), "d1").await;
    let mut silent = Device::connect_idle(lively(), &fresh("user"), "d1").await;
    let silence = Duration::from_millis(2_500);
    let heard = tokio::time::timeout(silence, answering.next_without_deadline()).await;
    assert!(heard.is_err(), "a device that answers pings hears nothing else: {heard:?}");
    answering.assert_silent().await;
    let start = clock::monotonic();
    let mut event = silent.next().await;
    while let Event::Message(_) = event {
        event = silent.next().await;
    }
    assert!(matches!(event, Event::Closed(_) | Event::Broken), "{event:?}");
    assert!(clock::monotonic() - start < Duration::from_secs(1), "it was closed while it was silent");
}

#[tokio::test]
async fn a_silent_device_is_gone_for_the_publisher_too() {
    let api = crate::support::api::Api::admin(lively());
    let user = fresh("user");
    let silent = Device::connect_idle(lively(), &user, "d1").await;
    wait::until("no notice is sent to a device that is gone", || async {
        let sent = api.publish(&user, &json!({"id": fresh("n"), "payload": 1, "mode": "fire_and_forget", "targets": "all"})).await.ok(202);
        (sent["devices"] == 0).then_some(())
    })
    .await;
    silent.vanish();
}
