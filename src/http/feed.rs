//! The outcome feed, apart from HTTP: reads the logs of all shards on from a cursor and merges them by time. One user is on one shard, so the order per user is kept;
//! across shards it is as good as their leaders' clocks.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::ledger::ids::ShardId;
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ports::{Read, ReadError};
use crate::protocol::api::cursor::Cursor;
use crate::protocol::code::Code;

use super::problem::Problem;

/// Outcomes that are read from a shard at once.
const CHUNK: usize = 256;
/// How often a feed without a cursor starts anew when the oldest outcomes go while it reads.
const STARTS_MAX: u32 = 5;

/// Where one reader is.
pub struct Feed {
    read: Arc<dyn Read>,
    /// For each shard, the sequence number after which it is read on.
    positions: Vec<u64>,
    /// The shard of the outcome read last; the cursor bears its name.
    last: ShardId,
    /// Nothing was promised yet: it was opened without a cursor, and nothing was read. Then it may still move to what is the oldest now.
    is_fresh: bool,
}

/// A page can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// No leader or no majority: safe to try again.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Outcomes after the cursor are gone.
    #[error("outcomes after this cursor are no longer kept; hint: read on without `after`, from the oldest that are")]
    Expired,
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Problem {
        match error {
            FeedError::Read(error) => Problem::from(error),
            FeedError::Expired => Problem::new(Code::CursorExpired, error.to_string()),
        }
    }
}

/// What one shard has ready.
struct Lane {
    /// The sequence number of the last that was fetched.
    fetched: u64,
    waiting: VecDeque<(u64, Outcome)>,
    /// The shard had no more when it was asked last.
    is_drained: bool,
}

impl Feed {
    /// Opens the feed behind a cursor, or at the oldest outcomes kept.
    ///
    /// # Errors
    /// [`Code::BadRequest`], when it is no cursor; [`FeedError`] as a problem.
    pub async fn open(read: Arc<dyn Read>, after: Option<&str>) -> Result<Feed, Problem> {
        let Some(text) = after else { return Ok(Feed::oldest(read).await.map_err(FeedError::from)?) };
        let cursor =
            Cursor::parse(text, read.shard_count()).map_err(|error| Problem::new(Code::BadRequest, error.to_string()).field("after"))?;
        let shards = (0u16..).map(ShardId).zip(cursor.positions());
        try_join_all(shards.map(|(shard, position)| check_position(read.as_ref(), shard, *position))).await?;
        Ok(Feed { positions: cursor.positions().to_vec(), last: cursor.shard(), is_fresh: false, read })
    }

    async fn oldest(read: Arc<dyn Read>) -> Result<Feed, ReadError> {
        let positions = try_join_all((0..read.shard_count()).map(|shard| read.outcomes_before_oldest(ShardId(shard)))).await?;
        Ok(Feed { read, positions, last: ShardId(0), is_fresh: true })
    }

    /// Where to go on from.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.last, self.positions.clone())
    }

    /// The next outcomes, at most `limit`, each with the cursor behind it; none when there are none yet.
    ///
    /// # Errors
    /// [`FeedError`]; the feed stays where it was.
    pub async fn page(&mut self, limit: usize) -> Result<Vec<(Cursor, Outcome)>, FeedError> {
        for _ in 1..STARTS_MAX {
            match self.merge(limit).await {
                Err(FeedError::Expired) if self.is_fresh => *self = Feed::oldest(Arc::clone(&self.read)).await?,
                page => return page,
            }
        }
        self.merge(limit).await
    }

    async fn merge(&mut self, limit: usize) -> Result<Vec<(Cursor, Outcome)>, FeedError> {
        let chunk = limit.min(CHUNK);
        let read = Arc::clone(&self.read);
        let starts = (0u16..).map(ShardId).zip(self.positions.clone());
        let mut lanes = try_join_all(starts.map(|(shard, position)| Lane::open(read.as_ref(), shard, position, chunk))).await?;
        let mut positions = self.positions.clone();
        let mut page = Vec::new();
        while page.len() < limit {
            let ready = lanes.iter().enumerate().filter_map(|(index, lane)| lane.waiting.front().map(|(_, outcome)| (outcome.at, index)));
            let Some((_, index)) = ready.min() else { break };
            let shard = ShardId(u16::try_from(index).expect("shards are counted in 16 bits"));
            let (sequence, outcome) = lanes[index].waiting.pop_front().expect("the lane has one ready");
            positions[index] = sequence;
            page.push((Cursor::new(shard, positions.clone()), outcome));
            lanes[index].refill(read.as_ref(), shard, chunk).await?;
        }
        if let Some((cursor, _)) = page.last() {
            (self.last, self.positions, self.is_fresh) = (cursor.shard(), positions, false);
        }
        Ok(page)
    }
}

impl Lane {
    async fn open(read: &dyn Read, shard: ShardId, position: u64, chunk: usize) -> Result<Lane, FeedError> {
        let mut lane = Lane { fetched: position, waiting: VecDeque::new(), is_drained: false };
        lane.refill(read, shard, chunk).await?;
        Ok(lane)
    }

    /// Fetches more when nothing waits: the merge must see the next outcome of every shard that has one.
    async fn refill(&mut self, read: &dyn Read, shard: ShardId, chunk: usize) -> Result<(), FeedError> {
        if self.is_drained || !self.waiting.is_empty() {
            return Ok(());
        }
        let outcomes = read.outcomes(shard, self.fetched, chunk).await?.map_err(|CursorExpired { .. }| FeedError::Expired)?;
        self.is_drained = outcomes.len() < chunk;
        self.fetched = outcomes.last().map_or(self.fetched, |(sequence, _)| *sequence);
        self.waiting = outcomes.into();
        Ok(())
    }
}

/// A position must lie where the shard's log has been: the outcome at it is kept, or was the last one dropped. One beyond the end comes from a log that is gone (a node
/// that keeps its ledger in memory, restarted): reading on from it would leave out what came since.
async fn check_position(read: &dyn Read, shard: ShardId, position: u64) -> Result<(), FeedError> {
    let Some(before) = position.checked_sub(1) else { return Ok(()) };
    match read.outcomes(shard, before, 1).await? {
        Ok(outcomes) if outcomes.is_empty() => Err(FeedError::Expired),
        Ok(_) => Ok(()),
        Err(CursorExpired { oldest }) if oldest == position => Ok(()),
        Err(CursorExpired { .. }) => Err(FeedError::Expired),
    }
}
