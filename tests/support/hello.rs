//! A hello, put together field by field.

use serde_json::{Value, json};

use super::device::{Device, SUBPROTOCOL};
use super::node::{Address, Node};
use super::token;

/// What a device says first.
#[derive(Clone)]
pub struct Hello(Value);

impl Hello {
    /// A visible device of a user, with a good token.
    pub fn new(user: &str, device: &str) -> Hello {
        Hello(json!({"type": "hello", "token": token::token(user), "device": device}))
    }

    /// Nobody looks at it.
    pub fn hidden(self) -> Hello {
        self.with("visible", json!(false))
    }

    /// Most unsettled offers at once.
    pub fn max_in_flight(self, count: u32) -> Hello {
        self.with("max_in_flight", json!(count))
    }

    /// Acks without a confirm, to be taken before anything is offered.
    pub fn acks(self, acks: &[Value]) -> Hello {
        self.with("acks", json!(acks))
    }

    /// What stands on its screen: the keys of these offers.
    pub fn open(self, offers: &[&Value]) -> Hello {
        let keys: Vec<Value> = offers.iter().map(|offer| json!({"id": offer["id"], "window": offer["window"]})).collect();
        self.with("open", json!(keys))
    }

    /// Any field.
    pub fn with(mut self, field: &str, value: Value) -> Hello {
        self.0[field] = value;
        self
    }

    /// The message.
    pub fn message(&self) -> &Value {
        &self.0
    }

    /// Says it on a new connection, and takes the welcome.
    pub async fn connect(&self, node: &Node) -> Device {
        self.say_to(&node.address_of()).await
    }

    /// The same, by address.
    pub async fn say_to(&self, address: &Address) -> Device {
        let opened = Device::try_open(address, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).await;
        let mut device = opened.expect("the upgrade is accepted");
        device.send(&self.0).await;
        device.welcome = device.expect("welcome").await;
        device
    }
}
