//! A client that does not read is cut when its queue passes its bound; nothing is lost by it, and nobody else notices.

use serde_json::json;
use tokio::net::TcpSocket;

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::{Device, Event, SUBPROTOCOL};
use crate::support::fresh;
use crate::support::hello::Hello;

/// At most so many rounds of notices until the queue must have passed any sensible bound: 60 MB.
const ROUNDS: usize = 80;

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_the_others_go_on() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let important = api.queue(&user, &json!({"id": "important", "payload": 1, "targets": "all", "settle_on": "completed"})).await;
    let mut fast = Device::connect(common(), &user, "fast").await;
    let offer = fast.expect("offer").await;
    fast.expect("caught_up").await;

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
    let mut slow = Device::open_on(socket, common(), &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).await.expect("the upgrade is accepted");
    slow.send(Hello::new(&user, "slow").message()).await;
    slow.expect("welcome").await;

    let body = json!({
        "users": vec![user.clone(); 50],
        "engagement": {"id": "noise", "payload": "x".repeat(15_000), "mode": "fire_and_forget", "targets": "all"}
    });
    let mut cut = false;
    for _ in 0..ROUNDS {
        api.post("/v1/engagements", &body).await.ok(200);
        for _ in 0..50 {
            fast.expect("notice").await;
        }
        let shown = api.get(&format!("/v1/users/{user}")).await.ok(200);
        let connected = shown["devices"].as_array().expect("devices").iter().any(|device| device["device"] == "slow");
        let sent = api.publish(&user, &json!({"id": "count", "payload": 1, "mode": "fire_and_forget", "targets": "all"})).await.ok(202);
        fast.expect("notice").await;
        if !connected || sent["devices"] == 1 {
            cut = true;
            break;
        }
    }
    assert!(cut, "the slow client was never cut");
    loop {
        match slow.next().await {
            Event::Message(_) => {}
            Event::Closed(code) => {
                assert_eq!(code, 4440);
                break;
            }
            Event::Broken => break,
        }
    }
    fast.assert_silent().await;
    let mut again = Hello::new(&user, "slow").connect(common()).await;
    let offered = again.expect("offer").await;
    assert_eq!((&offered["id"], &offered["window"]), (&json!("important"), &important["window"]), "nothing is lost by it");
    again.expect("caught_up").await;
    assert_eq!(fast.ack(&offer, 1).await["state"], "completed");
}
