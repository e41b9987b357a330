//! Writes one JSON object of a server message, field after field. What goes in is ours or was checked where it entered; nothing can fail.

use std::fmt::Write as _;

use crate::ledger::engagement::Payload;
use crate::ledger::ids::{EngagementId, WindowId};
use crate::ledger::window::Window;

/// An object under way.
pub(super) struct Object<'a> {
    out: &'a mut String,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut String, kind: &'static str) -> Object<'a> {
        out.push_str("{\"type\":\"");
        out.push_str(kind);
        out.push('"');
        Object { out }
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }

    fn name(&mut self, name: &'static str) {
        self.out.push_str(",\"");
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    /// A number, or true or false.
    pub(super) fn number(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.name(name);
        // A String takes everything.
        let _ = write!(self.out, "{value}");
    }

    /// A text of ours, in which nothing has to be escaped.
    pub(super) fn word(&mut self, name: &'static str, word: &'static str) {
        self.display(name, word);
    }

    /// As above, for what only `Display` gives.
    pub(super) fn display(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.name(name);
        let _ = write!(self.out, "\"{value}\"");
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        escape(self.out, text);
    }

    pub(super) fn json(&mut self, name: &'static str, json: Option<&Payload>) {
        self.name(name);
        // The bytes came out of JSON text, where they were checked.
        self.out.push_str(json.and_then(|json| std::str::from_utf8(&json.0).ok()).unwrap_or("null"));
    }

    pub(super) fn list<T>(&mut self, name: &'static str, items: &[T], write: impl Fn(&T, &mut String)) {
        self.name(name);
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write(item, self.out);
        }
        self.out.push(']');
    }

    pub(super) fn key(&mut self, id: &EngagementId, window: WindowId) {
        self.text("id", id.as_str());
        self.display("window", window);
    }

    pub(super) fn reference(&mut self, reference: Option<i64>) {
        if let Some(reference) = reference {
            self.number("ref", reference);
        }
    }

    pub(super) fn window(&mut self, name: &'static str, window: &Window) {
        self.name(name);
        let Window { id, opened_at, closes_at } = window;
        let _ = write!(self.out, "{{\"id\":\"{id}\",\"opened_at\":{},\"closes_at\":{}}}", opened_at.0, closes_at.0);
    }
}

/// Writes a text as a JSON string.
fn escape(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        out.push_str(&rest[..at]);
        let special = rest.as_bytes()[at];
        let _ = match special {
            b'"' | b'\\' => write!(out, "\\{}", char::from(special)),
            _ => write!(out, "\\u{special:04x}"),
        };
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
