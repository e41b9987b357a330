//! Breaks a promise in the history of a run that kept it, so that a test can see that the checker says no. Never done in a run that counts.

use std::fmt;

use engage::history::record::{Entry, What, is_settled};

/// What is put into the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Planted {
    /// A connection that said hello after a delivery was confirmed as settled is offered it again.
    OfferedAgain,
    /// What was published never became anything.
    Lost,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Planted::OfferedAgain => "offered-again",
            Planted::Lost => "lost",
        })
    }
}

/// Breaks the promise once, or says that the history has no place for it.
pub fn plant(planted: Planted, entries: &mut Vec<Entry>) {
    let has_place = match planted {
        Planted::OfferedAgain => offer_again(entries),
        Planted::Lost => lose(entries),
    };
    assert!(has_place, "the history has no place for {planted}");
}

/// Takes the first confirm that settled a key, and a hello of the same user after it.
fn offer_again(entries: &mut Vec<Entry>) -> bool {
    let settling = entries.iter().enumerate().find_map(|(index, entry)| match &entry.what {
        What::Confirm { key, state, .. } if is_settled(state) => Some((index, key.clone())),
        _ => None,
    });
    let Some((confirmed, key)) = settling else { return false };
    let welcome = entries.iter().enumerate().skip(confirmed).find_map(|(index, entry)| match &entry.what {
        What::Hello { session, user, .. } if *user == key.user => Some((index, *session)),
        _ => None,
    });
    let Some((hello, session)) = welcome else { return false };
    let is_welcome = |entry: &Entry| matches!(entry.what, What::Welcome { session: other, .. } if other == session);
    let Some(at) = entries[hello..].iter().position(is_welcome).map(|after| hello + after + 1) else { return false };
    let offered = entries.iter().find_map(|entry| match &entry.what {
        What::Offer { key: other, .. } if *other == key => Some(entry.what.clone()),
        _ => None,
    });
    let Some(What::Offer { step, at: stamped, data, payload, .. }) = offered else { return false };
    let what = What::Offer { session, key, offer: 99, step, at: stamped, data, payload };
    let t = entries[at - 1].t;
    entries.insert(at, Entry::at(t, what));
    true
}

/// Takes away all that was ever said of a key after it was published.
fn lose(entries: &mut Vec<Entry>) -> bool {
    let published = entries.iter().find_map(|entry| match &entry.what {
        What::Published { status: 201, key: Some(key), .. } => Some(key.clone()),
        _ => None,
    });
    let Some(key) = published else { return false };
    entries.retain(|entry| matches!(entry.what, What::Published { .. }) || entry.what.key() != Some(&key));
    true
}
