//! One link that stands: three tasks over one proven connection. The supervisor pings, watches for silence and tells of up and down; the reader hands on what arrives; the writer
//! sends what the lanes hold. Whichever ends first ends the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info};

use super::asks::{Ask, Asks};
use super::ending::Ending;
use super::frame::{Header, Kind, Rest, index_of};
use super::inbox::Inbox;
use super::lanes::{Lanes, Outgoing, Piece, WRITE_BYTES};
use super::meters::Meters;
use super::refusal::Refusal;
use super::serving::take;
use super::shared::Shared;
use super::socket::{Duplex, Reading, Writing};
use crate::clock;
use crate::ports::network::LinkUp;
use crate::ports::peers::{Lane, PeerError, Service};

/// One link.
pub struct Link {
    pub up: LinkUp,
    pub lanes: Lanes,
    pub asks: Arc<Asks>,
    pub meters: Meters,
    message_max_bytes: usize,
    /// When bytes arrived last, by [`clock::monotonic_ms`].
    heard_ms: AtomicU64,
    /// Pings bear the time since then.
    started: Instant,
    is_ended: AtomicBool,
    closing: watch::Sender<bool>,
    finished: watch::Sender<bool>,
}

impl Link {
    /// A link that is about to run.
    #[must_use]
    pub fn new(up: LinkUp, shared: &Shared) -> Arc<Link> {
        let tuning = &shared.config.tuning;
        Arc::new(Link {
            lanes: Lanes::new(tuning.lane_bounds()),
            asks: Asks::new(tuning.asks_max),
            meters: Meters::new(&up.name),
            up,
            message_max_bytes: tuning.frame_max_bytes,
            heard_ms: AtomicU64::new(clock::monotonic_ms()),
            started: clock::monotonic(),
            is_ended: AtomicBool::new(false),
            closing: watch::Sender::new(false),
            finished: watch::Sender::new(false),
        })
    }

    /// Whether it stands no more; it may not have told everybody yet.
    pub fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`PeerError::NotSent`].
    pub fn tell(&self, lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError> {
        self.send(lane, Outgoing { kind: Kind::Tell, service: service as u8, id: 0, body })
    }

    /// Sends a question.
    ///
    /// # Errors
    /// [`PeerError::NotSent`].
    pub fn ask(&self, lane: Lane, service: Service, body: Bytes) -> Result<Ask, PeerError> {
        let ask = self.asks.begin().ok_or(PeerError::NotSent)?;
        self.send(lane, Outgoing { kind: Kind::Ask, service: service as u8, id: ask.id, body })?;
        Ok(ask)
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`PeerError::NotSent`].
    pub fn send(&self, lane: Lane, message: Outgoing) -> Result<(), PeerError> {
        let len_bytes = message.body.len();
        if len_bytes > self.message_max_bytes {
            error!(node = %self.up.node, service = message.service, len_bytes, "a message is longer than a link takes");
            return Err(PeerError::NotSent);
        }
        self.lanes.push(lane, message).map_err(|_| {
            self.meters.not_sent[index_of(lane)].increment(1);
            PeerError::NotSent
        })
    }

    /// Says goodbye, sends what waits as far as there is time, and ends. Does not wait for it.
    pub fn close(&self, why: Option<Refusal>) {
        let goodbye = Header::bare(Kind::Goodbye, why.map_or(0, |why| why as u64));
        if why.is_some() {
            // The other side has to learn it even if there is no time for all that waits.
            self.lanes.push_control(goodbye);
        }
        self.lanes.close(goodbye);
        self.closing.send_replace(true);
    }

    /// Waits until it has ended, and everybody was told.
    pub async fn finished(&self) {
        until_true(self.finished.subscribe()).await;
    }

    /// Takes the time of a ping back.
    pub fn pong(&self, id: u64) {
        let took = self.age().saturating_sub(Duration::from_micros(id));
        self.meters.round_trip.record(took.as_secs_f64());
    }

    fn age(&self) -> Duration {
        clock::monotonic().saturating_duration_since(self.started)
    }

    /// Runs the link to its end.
    pub async fn run(self: Arc<Link>, shared: Arc<Shared>, stream: Box<dyn Duplex>) {
        info!(node = %self.up.node, name = %self.up.name, link = self.up.link, "link up");
        self.meters.came_up();
        shared.tell_up(&self.up);
        let (reading, writing) = stream.halves();
        let mut tasks = JoinSet::new();
        tasks.spawn(read(Arc::clone(&self), Arc::clone(&shared), reading));
        tasks.spawn(write(Arc::clone(&self), writing));
        let ending = tokio::select! {
            ended = tasks.join_next() => Ending::of(ended),
            () = self.beat(&shared) => Ending::Silent,
            () = until_true(self.closing.subscribe()) => {
                let flush = Duration::from_millis(shared.config.tuning.flush_ms);
                let _ = tokio::time::timeout(flush, tasks.join_next()).await;
                Ending::Wanted
            }
        };
        // From here on nothing is taken or handed on, and who waits for an answer learns that there is none.
        self.is_ended.store(true, Ordering::Release);
        self.lanes.clear();
        self.asks.end();
        tasks.shutdown().await;
        self.meters.went_down();
        ending.report(&self.up, &shared);
        shared.tell_down(&self);
        self.finished.send_replace(true);
    }

    /// Pings, and returns when nothing was heard for too long.
    async fn beat(&self, shared: &Shared) {
        let tuning = &shared.config.tuning;
        let mut last_beat_ms = clock::monotonic_ms();
        loop {
            let sent_at = u64::try_from(self.age().as_micros()).unwrap_or(u64::MAX);
            self.lanes.push_control(Header::bare(Kind::Ping, sent_at));
            self.meters.show_queues(self.lanes.queued_bytes());
            tokio::time::sleep(Duration::from_millis(tuning.ping_ms)).await;
            let now_ms = clock::monotonic_ms();
            // A process that was paused must not take its own sleep for the other's silence: what arrived meanwhile has not been read yet.
            let overslept = now_ms.saturating_sub(last_beat_ms) > tuning.ping_ms + tuning.silent_ms / 2;
            if overslept {
                self.heard_ms.fetch_max(now_ms, Ordering::Relaxed);
            }
            last_beat_ms = now_ms;
            if now_ms.saturating_sub(self.heard_ms.load(Ordering::Relaxed)) >= tuning.silent_ms {
                return;
            }
        }
    }
}

/// Its sender is a field of the link, and lives as long as whoever waits here.
async fn until_true(mut receiver: watch::Receiver<bool>) {
    let _ = receiver.wait_for(|is_so| *is_so).await;
}

async fn read(link: Arc<Link>, shared: Arc<Shared>, reading: Reading) -> Ending {
    let mut inbox = Inbox::new(reading, link.message_max_bytes);
    loop {
        match inbox.next(&link.heard_ms).await {
            Ok(message) => {
                if let Err(ending) = take(&link, &shared, message) {
                    return ending;
                }
            }
            Err(error) => return Ending::Broken(error),
        }
    }
}

async fn write(link: Arc<Link>, mut writing: Writing) -> Ending {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut bytes = Vec::with_capacity(WRITE_BYTES);
    while link.lanes.next_write(&mut pieces).await {
        for piece in pieces.drain(..) {
            piece.header.write(&piece.bytes, &mut bytes);
            count(&link, &piece);
        }
        if let Err(error) = send(&mut writing, &bytes).await {
            return Ending::Broken(error.into());
        }
        bytes.clear();
    }
    // The other side may have gone first.
    let _ = writing.shutdown().await;
    Ending::Wanted
}

async fn send(writing: &mut Writing, bytes: &[u8]) -> std::io::Result<()> {
    writing.write_all(bytes).await?;
    writing.flush().await
}

fn count(link: &Link, piece: &Piece) {
    let way = &link.meters.out[index_of(piece.header.lane)];
    way.bytes.increment(u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX));
    if piece.header.rest == Rest::None {
        way.messages.increment(1);
    }
}
