//! What a case is answered with, in the words of the table: the text that a test gives here is the one that it asserts.

use serde_json::Value;

use crate::support::api::Answer;
use crate::support::device::{Device, Event};
use crate::support::runner::Ran;

/// One answer of the table: `403 forbidden` over HTTP, `4401 unauthorized` over a WebSocket, `error unknown_delivery` for one message, `exit 1` of a command,
/// `link wrong_secret` on the cluster port; or words.
pub struct Expected(&'static str);

/// What this case is answered with. The table's test reads the text out of the source.
pub fn answered(text: &'static str) -> Expected {
    Expected(text)
}

impl Expected {
    /// The number and the code.
    fn parts(&self) -> (u16, &'static str) {
        let (number, code) = self.0.split_once(' ').unwrap_or((self.0, ""));
        (number.parse().unwrap_or_else(|_| panic!("{:?} begins with no status", self.0)), code)
    }

    /// The word behind another one.
    fn word(&self, before: &str) -> &'static str {
        self.0.strip_prefix(before).unwrap_or_else(|| panic!("{:?} does not begin with {before:?}", self.0)).trim_start()
    }

    /// A problem document over HTTP.
    #[track_caller]
    pub fn over_http(&self, answer: &Answer) {
        let (status, code) = self.parts();
        answer.problem(status, code);
    }

    /// The status, where the server of HTTP answers by itself.
    #[track_caller]
    pub fn status(&self, status: u16) {
        assert_eq!(status, self.parts().0);
    }

    /// The upgrade is refused.
    #[track_caller]
    pub fn to_upgrade(&self, opened: Result<Device, u16>) {
        assert_eq!(opened.err(), Some(self.parts().0), "the status of the upgrade; none: it was accepted");
    }

    /// The next message is the error, and then the connection is closed with the code.
    pub async fn closes(&self, device: &mut Device) {
        let (close, code) = self.parts();
        device.expect_error(code).await;
        device.expect_closed(close).await;
    }

    /// The same, where other messages, or earlier errors, may come first.
    pub async fn closes_after_a_while(&self, device: &mut Device) {
        let (close, code) = self.parts();
        let mut last = Value::Null;
        loop {
            match device.next().await {
                Event::Message(message) => last = message,
                Event::Closed(closed) => {
                    assert_eq!((closed, &last["code"]), (close, &Value::from(code)), "{last}");
                    return;
                }
                Event::Broken => panic!("it broke without a Close frame, after {last}"),
            }
        }
    }

    /// One message is answered with the error; the connection stays.
    #[track_caller]
    pub fn to_message(&self, message: &Value) {
        assert_eq!(message["type"], "error", "{message}");
        assert_eq!(message["code"], self.word("error"), "{message}");
    }

    /// A command ends so, and says all of this.
    #[track_caller]
    pub fn by_command(&self, ran: &Ran, parts: &[&str]) {
        assert_eq!(ran.code.to_string(), self.word("exit"), "{}{}", ran.stdout, ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{part:?} is not in: {}", ran.stderr);
        }
    }

    /// What the table says, where nothing more can be read out of it.
    pub fn words(&self) -> &'static str {
        self.0
    }

    /// The reason for which the cluster port refuses.
    pub fn link(&self) -> &'static str {
        self.word("link")
    }
}
