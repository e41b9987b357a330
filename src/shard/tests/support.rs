//! What the tests of the shards share: starting them, asking them, waiting for something with a deadline.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::ledger::command::{Attach, Greeting, Visibility};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use crate::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, ShardId, UserId};
use crate::ledger::limits::Settings;
use crate::ledger::outcome::Outcome;
use crate::ledger::time::Millis;
use crate::ledger::view::DeliveryView;
use crate::ledger::{Applied, Command};
use crate::ports::{CarryOut, Propose, ProposeError, Read};
use crate::shard::{Home, Seams, ShardError, Shards, ShardsConfig};

/// No wait in a test is longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Keeps the effects that nobody asked for.
#[derive(Default)]
pub struct Kept(pub Mutex<Vec<Effect>>);

impl CarryOut for Kept {
    fn carry_out(&self, effects: Vec<Effect>) {
        self.0.lock().unwrap().extend(effects);
    }
    fn owned(&self, _shard: ShardId, _term: u64) {}
    fn disowned(&self, _shard: ShardId) {}
}

/// Two shards with numbers that fit a test.
pub fn config(data_dir: Option<&Path>) -> ShardsConfig {
    let mut config = ShardsConfig::new(data_dir.map(Path::to_owned), "n1", Settings::default());
    config.shard_count = 2;
    config.tuning.keeper_interval_ms = 20;
    config
}

/// Starts a node that is a cluster of one.
pub async fn start(config: ShardsConfig) -> Result<Arc<Shards>, ShardError> {
    start_with(config, Arc::new(Kept::default())).await
}

/// The same, with something that carries effects out.
pub async fn start_with(config: ShardsConfig, effects: Arc<dyn CarryOut>) -> Result<Arc<Shards>, ShardError> {
    let home = Home::open(config.data_dir.as_deref())?;
    home.found(config.shard_count)?;
    let shards = Shards::start(config, home, Seams::alone(effects), Handle::current()).await?;
    match shards.wait_until_led(DEADLINE).await {
        Ok(()) => Ok(shards),
        Err(error) => {
            shards.stop().await;
            Err(error)
        }
    }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn engagement(id: &str) -> Engagement {
    Engagement {
        id: EngagementId::parse(id).unwrap(),
        payload: Payload(Bytes::from_static(b"{\"marker\":\"a payload to be found\"}")),
        fingerprint: 1,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    }
}

pub fn publish(name: &str, id: &str) -> Command {
    Command::Publish { user: user(name), engagement: Arc::new(engagement(id)) }
}

pub fn publish_for(name: &str, id: &str, ttl: Millis) -> Command {
    Command::Publish { user: user(name), engagement: Arc::new(Engagement { ttl: Some(ttl), ..engagement(id) }) }
}

pub fn attach(name: &str, edge: EdgeId) -> Command {
    let attach = Attach {
        device: DeviceId::parse("d1").unwrap(),
        connection: ConnectionId { edge, number: 1 },
        visibility: Visibility::Visible,
        max_in_flight: 16,
        acks: Vec::new(),
        open: Vec::new(),
        greeting: Greeting::Hello,
    };
    Command::Attach { user: user(name), attach }
}

/// Proposes a command and waits for what came of it.
pub async fn propose(shards: &Shards, command: Command) -> Result<Applied, ProposeError> {
    let (sender, receiver) = oneshot::channel();
    shards.propose(
        command,
        Box::new(move |result| {
            sender.send(result).ok();
        }),
    );
    tokio::time::timeout(DEADLINE, receiver).await.expect("the result is late").expect("there is a result")
}

/// Waits until `is_so`.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// All that can be read of these users and of all shards, but what changes with every start.
pub async fn all_of(shards: &Shards, users: &[String]) -> (Vec<Vec<DeliveryView>>, Vec<Vec<(u64, Outcome)>>) {
    let mut deliveries = Vec::new();
    for name in users {
        deliveries.push(shards.deliveries(&user(name), 0, 10_000).await.unwrap());
    }
    let mut outcomes = Vec::new();
    for status in shards.status() {
        outcomes.push(shards.outcomes(status.shard, 0, 1_000_000).await.unwrap().unwrap());
    }
    (deliveries, outcomes)
}

/// Flips a bit of a file.
pub fn flip(path: &Path, position: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[position] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// The newest journal of the log's database.
pub fn journal(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "jnl")).max().unwrap()
}
