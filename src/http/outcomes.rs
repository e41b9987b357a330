//! `GET /v1/outcomes`: the feed as NDJSON, a page at a time, with a long poll; or as server-sent events, for as long as the reader stays. A reader that is slow is held
//! back by its own socket: nothing is read ahead for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use std::fmt::Write;
use tokio::sync::watch;

use crate::clock;
use crate::ledger::outcome::Outcome;
use crate::protocol::api::cursor::Cursor;

use super::delivery_answers::OutcomeLine;
use super::feed::{Feed, FeedError};
use super::input::Query;
use super::limits::Place;
use super::openapi::schemas::OutcomeEvent;
use super::problem::Problem;
use super::state::Api;

/// Where to go on from, also when there was nothing.
const CURSOR_HEADER: &str = "Engage-Cursor";
const LIMIT: u64 = 1_000;
const LIMIT_MAX: u64 = 10_000;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A comment is sent when there was nothing for that long, so that a reader that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The pause before a live feed reads on: outcomes come in bursts, and each read asks every shard.
const GATHER: Duration = Duration::from_millis(20);
/// The pause after a read failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What became of deliveries.
///
/// Newline-delimited JSON, or server-sent events when `Accept` asks for `text/event-stream`: then the feed stays open, and `Last-Event-ID` is honoured. In order per user,
/// at least once; the part of a cursor before its dot serves to deduplicate. The header `Engage-Cursor` says where to go on from, also when there was nothing.
#[utoipa::path(
    get, path = "/v1/outcomes", tag = "outcomes", operation_id = "outcomes",
    params(
        ("after" = Option<String>, Query, description = "A cursor; from the oldest outcomes kept when left out.", pattern = "^[0-9]+-[0-9]+[.][A-Za-z0-9_-]+$"),
        ("limit" = Option<u64>, Query, description = "Most outcomes of the answer; 1000 when left out.", minimum = 1, maximum = 10000),
        ("wait" = Option<String>, Query, description = "How long to wait for an outcome when there is none, up to 60s.", example = "30s"),
        ("Last-Event-ID" = Option<String>, Header, description = "A cursor, for server-sent events; wins over `after`."),
    ),
    responses(
        (status = 200, description = "One outcome a line.", headers(("Engage-Cursor" = String, description = "Where to go on from.")),
            content((OutcomeLine = "application/x-ndjson"), (OutcomeEvent = "text/event-stream"))),
        (status = 410, description = "`cursor_expired`: outcomes after this cursor are no longer kept."),
    ),
)]
pub async fn outcomes(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let place = api.limits.feeds.enter()?;
    let query = Query::read(&request, &["after", "limit", "wait"])?;
    let limit = usize::try_from(query.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT)).expect("LIMIT_MAX fits");
    let wait = query.duration("wait", WAIT_MAX)?.unwrap_or_default();
    let wants_events = accepts_events(request.headers());
    let last_event = request.headers().get("Last-Event-ID").filter(|_| wants_events).and_then(|value| value.to_str().ok());
    // Subscribed before the first read, so that no outcome falls between the two.
    let news = News { outcomes: api.read.outcomes_changed(), open: api.feeds_open() };
    let feed = Feed::open(Arc::clone(&api.read), last_event.or(query.text("after"))).await?;
    if wants_events {
        Ok(events(Live { feed, news, limit, stage: Stage::Start, _place: place }))
    } else {
        lines(feed, news, limit, wait).await
    }
}

/// Whether the reader would rather have events: it names them, and does not turn them down.
fn accepts_events(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_events = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"));
        is_events && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Tells when it is worth reading again.
struct News {
    outcomes: watch::Receiver<u64>,
    open: watch::Receiver<bool>,
}

/// Why a wait ended.
#[derive(PartialEq, Eq)]
enum Woken {
    /// There may be outcomes.
    News,
    /// Nothing came in that time.
    TimeUp,
    /// Feeds are to end: the node stops.
    Closing,
}

impl News {
    fn is_closing(&self) -> bool {
        !*self.open.borrow()
    }

    async fn wait(&mut self, longest: Duration) -> Woken {
        tokio::select! {
            biased;
            _ = self.open.wait_for(|open| !open) => Woken::Closing,
            changed = self.outcomes.changed() => if changed.is_ok() { Woken::News } else { Woken::Closing },
            () = tokio::time::sleep(longest) => Woken::TimeUp,
        }
    }
}

async fn lines(mut feed: Feed, mut news: News, limit: usize, wait: Duration) -> Result<HttpResponse, Problem> {
    let deadline = clock::monotonic() + wait;
    loop {
        news.outcomes.mark_unchanged();
        let page = feed.page(limit).await?;
        let left = deadline.saturating_duration_since(clock::monotonic());
        if page.is_empty() && !left.is_zero() && news.wait(left).await == Woken::News {
            continue;
        }
        let mut body = String::with_capacity(page.len() * 256);
        for (cursor, outcome) in &page {
            body.push_str(&json_line(cursor, outcome));
            body.push('\n');
        }
        let mut answer = HttpResponse::Ok();
        answer.content_type("application/x-ndjson").insert_header((CACHE_CONTROL, "no-store"));
        return Ok(answer.insert_header((CURSOR_HEADER, feed.cursor().to_string())).body(body));
    }
}

fn json_line(cursor: &Cursor, outcome: &Outcome) -> String {
    serde_json::to_string(&OutcomeLine::new(cursor.to_string(), outcome)).expect("a line is made of texts and numbers")
}

/// A feed of events, on its way.
struct Live {
    feed: Feed,
    news: News,
    limit: usize,
    stage: Stage,
    _place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    Start,
    /// There may be more to read at once.
    Behind,
    /// All there was has been read.
    CaughtUp,
    /// The last word was said.
    Ended,
}

fn events(live: Live) -> HttpResponse {
    let cursor = live.feed.cursor().to_string();
    let chunks = stream::unfold(live, |mut live| async move { live.next().await.map(|chunk| (Ok::<Bytes, Infallible>(chunk), live)) });
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/event-stream").insert_header((CACHE_CONTROL, "no-store")).insert_header(("X-Accel-Buffering", "no"));
    answer.insert_header((CURSOR_HEADER, cursor)).streaming(Box::pin(chunks))
}

impl Live {
    /// The next piece of the stream; none when it has ended.
    async fn next(&mut self) -> Option<Bytes> {
        if self.stage == Stage::Start {
            // A first word, so that the reader sees at once that it is connected.
            self.stage = Stage::Behind;
            return Some(Bytes::from_static(b"retry: 1000\n\n"));
        }
        while self.stage != Stage::Ended && !self.news.is_closing() {
            if self.stage == Stage::CaughtUp {
                match self.news.wait(KEEP_ALIVE).await {
                    Woken::News => tokio::time::sleep(GATHER).await,
                    Woken::TimeUp => return Some(Bytes::from_static(b":\n\n")),
                    Woken::Closing => return None,
                }
            }
            self.news.outcomes.mark_unchanged();
            match self.feed.page(self.limit).await {
                Ok(page) => {
                    self.stage = if page.len() < self.limit { Stage::CaughtUp } else { Stage::Behind };
                    if !page.is_empty() {
                        return Some(worded(&page));
                    }
                }
                Err(FeedError::Read(_)) => {
                    self.stage = Stage::Behind;
                    tokio::time::sleep(RETRY_PAUSE).await;
                    return Some(Bytes::from_static(b": the ledger can't be read now\n\n"));
                }
                Err(FeedError::Expired) => {
                    self.stage = Stage::Ended;
                    let problem = Problem::from(FeedError::Expired).text();
                    return Some(Bytes::from(format!("event: error\ndata: {problem}\n\n")));
                }
            }
        }
        None
    }
}

fn worded(page: &[(Cursor, Outcome)]) -> Bytes {
    let mut text = String::with_capacity(page.len() * 320);
    for (cursor, outcome) in page {
        write!(text, "id: {cursor}\ndata: {}\n\n", json_line(cursor, outcome)).expect("a string takes everything");
    }
    Bytes::from(text)
}
