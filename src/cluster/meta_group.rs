//! The meta state of this node, as the meta group's log makes it: commands go in as bytes, everybody here watches the state. And what this room needs of that group.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tracing::warn;

use super::format::{self, Unreadable};
use super::meta::State;
use super::meta_command::{Command, Refusal, Reply};
use crate::ports::ProposeError;
use crate::ports::peers::NodeId;

/// The meta state, replicated. Cheap to look at; every change is told to who watches.
#[derive(Debug)]
pub struct Meta {
    state: watch::Sender<Arc<State>>,
}

impl Default for Meta {
    fn default() -> Self {
        Meta { state: watch::Sender::new(Arc::default()) }
    }
}

impl Meta {
    /// The state now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// The state, from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    /// Applies a committed command, and answers with its reply.
    ///
    /// # Panics
    /// When a newer version wrote the command: going on without it would make this replica differ from the others.
    #[must_use]
    pub fn apply(&self, command: &[u8]) -> Bytes {
        let reply = match format::decode::<Command>(command) {
            Ok(command) => self.change(command),
            Err(error @ Unreadable::Version { .. }) => panic!("the meta group holds a command that this version can't read: {error}"),
            Err(Unreadable::Damaged) => {
                // It is the same bytes on every replica, so all of them refuse it.
                warn!("a command of the meta group is not understood");
                Reply::Refused(Refusal::NotUnderstood)
            }
        };
        format::encode(&reply)
    }

    /// The state as bytes.
    #[must_use]
    pub fn save(&self) -> Bytes {
        format::encode(self.state.borrow().as_ref())
    }

    /// Puts a saved state in the place of this one.
    ///
    /// # Errors
    /// [`Unreadable`]; then nothing has changed.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), Unreadable> {
        let state: State = format::decode(bytes)?;
        self.state.send_replace(Arc::new(state));
        Ok(())
    }

    fn change(&self, command: Command) -> Reply {
        let mut state = State::clone(&self.state.borrow());
        let reply = state.apply(command);
        self.state.send_if_modified(|current| {
            let is_other = **current != state;
            if is_other {
                *current = Arc::new(state);
            }
            is_other
        });
        reply
    }
}

/// The meta group, as this room needs it.
#[async_trait]
pub trait MetaLog: Send + Sync {
    /// The node that leads it, if known. This node only once it has applied an entry of its own term.
    fn leader(&self) -> Option<NodeId>;
    /// The term in which this node leads it, once it has applied an entry of that term.
    fn leading(&self) -> watch::Receiver<Option<u64>>;
    /// Has a command committed and applied, where this node leads.
    async fn propose(&self, command: Bytes) -> Result<Bytes, ProposeError>;
}

/// Has a command applied by the meta group that this node leads.
///
/// # Errors
/// [`ProposeError`].
pub(super) async fn propose(log: &dyn MetaLog, command: &Command) -> Result<Reply, ProposeError> {
    let reply = log.propose(format::encode(command)).await?;
    // It was applied by this very process.
    format::decode(&reply).map_err(|_| ProposeError::Unknown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::meta::Settings;
    use super::super::meta_command::Introduction;
    use super::*;
    use crate::ledger::ids::EdgeId;

    fn found() -> Command {
        let text = |text: &str| text.to_owned();
        let introduction = Introduction { uuid: text("u1"), name: text("n1"), http: text("h:1"), cluster: text("c:1"), run: EdgeId(1) };
        let settings = Settings { shards: 4, replication: 3, lease_ms: 10_000, ledger: BTreeMap::new() };
        Command::Found { node: NodeId(1), introduction, settings }
    }

    #[test]
    fn a_change_is_told_to_who_watches_and_what_changes_nothing_is_not() {
        let meta = Meta::default();
        let mut changes = meta.watch();
        assert_eq!(format::decode(&meta.apply(&format::encode(&found()))), Ok(Reply::Done));
        assert!(changes.has_changed().unwrap());
        assert_eq!(changes.borrow_and_update().last_node, 1);
        let _ = meta.apply(&format::encode(&found()));
        assert!(!changes.has_changed().unwrap());
    }

    #[test]
    fn a_saved_state_is_restored_and_damage_changes_nothing() {
        let (meta, other) = (Meta::default(), Meta::default());
        let _ = meta.apply(&format::encode(&found()));
        other.restore(&meta.save()).unwrap();
        assert_eq!(other.state(), meta.state());
        assert_eq!(other.restore(&[1, 2, 3]), Err(Unreadable::Damaged));
        assert_eq!(other.state(), meta.state());
    }

    #[test]
    fn a_damaged_command_is_refused_alike_everywhere() {
        let meta = Meta::default();
        assert_eq!(format::decode(&meta.apply(&[1, 250, 3])), Ok(Reply::Refused(Refusal::NotUnderstood)));
    }

    #[test]
    #[should_panic(expected = "can't read")]
    fn a_command_of_a_newer_version_ends_the_process() {
        let _ = Meta::default().apply(&[2]);
    }
}
