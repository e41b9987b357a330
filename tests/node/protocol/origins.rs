//! The upgrade: which pages may connect, and which subprotocol is spoken.

use crate::nodes::{common, strict};
use crate::support::device::{Device, SUBPROTOCOL};
use crate::support::fresh;
use crate::support::hello::Hello;

#[tokio::test]
async fn pages_of_the_listed_origins_may_connect_and_no_others() {
    let protocol = ("Sec-WebSocket-Protocol", SUBPROTOCOL);
    for origin in ["https://app.example", "https://shop.example:8443"] {
        let mut device = Device::open_with(strict(), &[protocol, ("Origin", origin)]).await.expect("a listed origin");
        device.send(Hello::new(&fresh("user"), "d1").message()).await;
        device.expect("welcome").await;
    }
    let others = [
        "https://evil.example",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "http://app.example",
        "https://app.example:444",
        "https://shop.example",
        "https://app.example/",
        "https://app.example@evil.example",
        "null",
    ];
    for origin in others {
        let refused = Device::open_with(strict(), &[protocol, ("Origin", origin)]).await;
        assert_eq!(refused.err(), Some(403), "{origin}");
    }
    Device::open_with(strict(), &[protocol]).await.expect("what is no page has no origin");
}

#[tokio::test]
async fn the_subprotocol_is_chosen_from_what_the_client_offers() {
    for offered in [SUBPROTOCOL, "other.v9, engage.v1.json", "engage.v1.json, other.v9"] {
        let mut device = Device::open_with(common(), &[("Sec-WebSocket-Protocol", offered)]).await.expect("the upgrade is accepted");
        assert_eq!(device.subprotocol, SUBPROTOCOL, "{offered}");
        device.send(Hello::new(&fresh("user"), "d1").message()).await;
        device.expect("welcome").await;
    }
}
