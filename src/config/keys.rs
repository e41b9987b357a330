//! Which keys there are, taken from the structs themselves, and which key was likely meant by one that does not exist.

use std::collections::BTreeMap;

use super::Config;

/// How a key's value is written in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// Comma-separated.
    List,
    /// `name:key:role`, comma-separated.
    ApiKeys,
}

/// All keys: section, key, kind.
pub(super) struct Keys(BTreeMap<String, BTreeMap<String, Kind>>);

/// Keys whose values are never shown.
pub(super) const SECRET_KEYS: [&str; 3] = ["auth.jwt_secret", "auth.api_keys", "cluster.secret"];

impl Keys {
    /// The keys of [`Config`]. A key that is unset by default is a text.
    pub(super) fn all() -> Keys {
        let defaults = serde_json::to_value(Config::default()).expect("a configuration is representable as JSON");
        let mut sections = BTreeMap::new();
        for (section, keys) in defaults.as_object().into_iter().flatten() {
            let kinds = keys.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), kind_of(section, key, value)));
            sections.insert(section.clone(), kinds.collect());
        }
        Keys(sections)
    }

    /// The kind of a key; none where there is no such key.
    pub(super) fn kind(&self, section: &str, key: &str) -> Option<Kind> {
        self.0.get(section)?.get(key).copied()
    }

    /// Whether there is such a section.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.0.contains_key(section)
    }

    /// Every key, as `section.key`.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section}.{key}")))
    }

    /// The key that `wrong` (`section.key`) was most likely meant to be: the right key in the wrong section is a likelier slip than any misspelling.
    pub(super) fn nearest(&self, wrong: &str) -> String {
        let (wrong_section, wrong_key) = wrong.split_once('.').unwrap_or(("", wrong));
        let keys = self.0.iter().flat_map(|(section, keys)| keys.keys().map(move |key| (section, key)));
        let nearest = keys.min_by_key(|(section, key)| (edits(wrong_key, key), edits(wrong_section, section)));
        nearest.map(|(section, key)| format!("{section}.{key}")).unwrap_or_default()
    }

    /// The section that `wrong` was most likely meant to be.
    pub(super) fn nearest_section(&self, wrong: &str) -> String {
        self.0.keys().min_by_key(|section| edits(wrong, section)).cloned().unwrap_or_default()
    }
}

/// The environment variable of `section.key`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{}{}", super::env::PREFIX, key.replacen('.', "__", 1).to_uppercase())
}

fn kind_of(section: &str, key: &str, default: &serde_json::Value) -> Kind {
    match default {
        _ if (section, key) == ("auth", "api_keys") => Kind::ApiKeys,
        serde_json::Value::Number(_) => Kind::Number,
        serde_json::Value::Array(_) => Kind::List,
        _ => Kind::Text,
    }
}

/// How many letters must be changed, put in or left out to make one text the other (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        let keys = Keys::all();
        assert_eq!(keys.nearest("http.lisen"), "http.listen");
        assert_eq!(keys.nearest("window.lenght"), "window.length");
        assert_eq!(keys.nearest("http.replication"), "cluster.replication");
        assert_eq!(keys.nearest_section("htp"), "http");
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn a_variable_is_named_after_its_key() {
        assert_eq!(variable_of("limits.messages_per_second"), "ENGAGE_LIMITS__MESSAGES_PER_SECOND");
    }
}
