//! Publishes of one thread that go together: what waits for a node goes in one request to it, as a publisher with much to say sends it. Knows no rounds.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use serde::Deserialize;
use tokio::sync::oneshot;

use super::publisher::Publisher;

/// Requests to one node that are under way at once. With two, a node has work while an answer travels.
const UNDER_WAY_MAX: usize = 2;

/// See the head of the file.
pub(super) struct Letterbox {
    publisher: Rc<Publisher>,
    places: Vec<Place>,
    /// The most that goes in one request.
    together_max: usize,
}

/// What waits for one node.
#[derive(Default)]
struct Place {
    waiting: RefCell<VecDeque<Letter>>,
    under_way: Cell<usize>,
}

struct Letter {
    /// An item of the request, as JSON.
    item: String,
    answer: oneshot::Sender<io::Result<Taken>>,
}

/// What a node said of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    No,
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<Outcome<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: &'a str,
}

impl Letterbox {
    pub(super) fn new(publisher: Rc<Publisher>, place_count: usize, together_max: usize) -> Letterbox {
        Letterbox { publisher, places: (0..place_count).map(|_| Place::default()).collect(), together_max }
    }

    /// Sends an item, with others. After an error it isn't known whether the node has taken it. What waits is bounded by who waits: each waits for its answer.
    pub(super) async fn post(self: &Rc<Self>, place: usize, item: String) -> io::Result<Taken> {
        let number = place % self.places.len();
        let place = &self.places[number];
        let (answer, answered) = oneshot::channel();
        place.waiting.borrow_mut().push_back(Letter { item, answer });
        if place.under_way.get() < UNDER_WAY_MAX {
            place.under_way.set(place.under_way.get() + 1);
            tokio::task::spawn_local(Rc::clone(self).empty(number));
        }
        answered.await.map_err(io::Error::other)?
    }

    /// Sends what waits for a node until nothing does.
    async fn empty(self: Rc<Self>, number: usize) {
        let place = &self.places[number];
        loop {
            // Whoever is about to say something says it first.
            tokio::task::yield_now().await;
            let letters: Vec<Letter> = {
                let mut waiting = place.waiting.borrow_mut();
                let count = waiting.len().min(self.together_max);
                waiting.drain(..count).collect()
            };
            if letters.is_empty() {
                break;
            }
            let items: Vec<&str> = letters.iter().map(|letter| letter.item.as_str()).collect();
            let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
            let answers = self.publisher.post(number, "/v1/engagements", &body).await.and_then(|answer| read(&answer.body, letters.len()));
            for (place, letter) in letters.into_iter().enumerate() {
                let answer = match &answers {
                    Ok(taken) => Ok(taken[place]),
                    Err(error) => Err(error.kind().into()),
                };
                // Nobody waits any more once the run is over.
                let _ = letter.answer.send(answer);
            }
        }
        place.under_way.set(place.under_way.get() - 1);
    }
}

/// What the node said of each item.
fn read(body: &[u8], count: usize) -> io::Result<Vec<Taken>> {
    let read: Results<'_> = serde_json::from_slice(body).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    if read.results.len() != count {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(read.results.iter().map(|one| if matches!(one.status, "queued" | "duplicate") { Taken::Yes } else { Taken::No }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_has_its_own_answer_and_none_may_be_missing() {
        let body = br#"{"results":[{"user":"u","id":"a","status":"queued"},{"user":"u","status":"error","code":"overloaded"},{"status":"duplicate"}]}"#;
        assert_eq!(read(body, 3).unwrap(), [Taken::Yes, Taken::No, Taken::Yes]);
        assert!(read(body, 2).is_err());
        assert!(read(b"busy", 1).is_err());
    }
}
