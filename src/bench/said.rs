//! What a node said, as far as a bench looks: read in place, without a copy.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message of CONTRACT §8.
#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) id: Option<Cow<'a, str>>,
    /// The id of a window in quotes, or a window, as the welcome has it.
    #[serde(borrow, default)]
    window: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) retry: bool,
    /// The answers to the acks of a hello.
    #[serde(borrow, default)]
    acks: Vec<Said<'a>>,
}

impl Said<'_> {
    /// The id of the window that an offer or a confirm is of.
    pub(super) fn window(&self) -> &str {
        let quoted = self.window.map_or("", RawValue::get);
        quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default()
    }
}

/// Hands over each message of a frame, and those in a welcome. What can't be read is handed over as nothing, and must be counted.
pub(super) fn each<'a>(text: &'a str, mut take: impl FnMut(Option<Said<'a>>)) {
    if text.starts_with('[') {
        match serde_json::from_str::<Vec<Said<'_>>>(text) {
            Ok(many) => many.into_iter().for_each(|one| open(one, &mut take)),
            Err(_) => take(None),
        }
    } else {
        match serde_json::from_str(text) {
            Ok(one) => open(one, &mut take),
            Err(_) => take(None),
        }
    }
}

fn open<'a>(mut said: Said<'a>, take: &mut impl FnMut(Option<Said<'a>>)) {
    let acks = std::mem::take(&mut said.acks);
    take(Some(said));
    acks.into_iter().for_each(|one| take(Some(one)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_and_many_are_read_and_what_is_none_is_told() {
        let kinds = |text: &str| {
            let mut kinds = Vec::new();
            each(text, |said| kinds.push(said.map(|said| format!("{} {}", said.kind, said.window()))));
            kinds
        };
        assert_eq!(kinds(r#"{"type":"offer","id":"a","window":"w1","payload":{"type":"x"}}"#), [Some("offer w1".to_owned())]);
        let welcome =
            r#"[{"type":"welcome","window":{"id":"w1"},"acks":[{"type":"confirm","id":"a","window":"w1"}]},{"type":"caught_up"}]"#;
        assert_eq!(kinds(welcome), ["welcome ", "confirm w1", "caught_up "].map(|kind| Some(kind.to_owned())));
        assert_eq!(kinds("{"), [None]);
    }
}
