//! Where the other members are reached: told to the links, and kept in the data directory, since a node that starts must reach the others before it can read what the meta
//! group says of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::cluster::membership::Roster;
use crate::config::{Config, Storage};
use crate::ports::network::Network;
use crate::ports::peers::NodeId;

const FILE_NAME: &str = "members.json";
const VERSION: u32 = 1;

/// See the head of the file.
pub(super) struct LinkRoster {
    links: Arc<dyn Network>,
    /// None with `storage = "memory"`: there, every start is a new node.
    file: Option<PathBuf>,
    known: Mutex<BTreeMap<NodeId, String>>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    members: BTreeMap<NodeId, String>,
}

impl LinkRoster {
    /// Has the links reach those that the file names, if there is one. A file that can't be read is no loss: the others dial, or say who there is.
    pub(super) fn open(links: Arc<dyn Network>, data_dir: Option<PathBuf>) -> Arc<LinkRoster> {
        let file = data_dir.map(|folder| folder.join(FILE_NAME));
        let known = file.as_ref().map(read).unwrap_or_default();
        for (node, address) in &known {
            links.know(*node, address.clone());
        }
        Arc::new(LinkRoster { links, file, known: Mutex::new(known) })
    }

    /// Keeps what a join was told, before anything else of it is kept: a node that knows its id and nobody else would be alone for ever.
    pub(super) fn keep_for_later(config: &Config, members: &[(NodeId, String)]) {
        if config.node.storage == Storage::Disk {
            keep(&config.node.data_dir.join(FILE_NAME), members.iter().cloned().collect());
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, members: BTreeMap<NodeId, String>) {
        if let Some(file) = &self.file {
            keep(file, members);
        }
    }
}

impl Roster for LinkRoster {
    fn know(&self, node: NodeId, address: String) {
        self.links.know(node, address.clone());
        let mut known = self.known();
        if known.insert(node, address.clone()).as_ref() != Some(&address) {
            let members = known.clone();
            drop(known);
            self.keep(members);
        }
    }

    fn forget(&self, node: NodeId) {
        self.links.forget(node);
        let mut known = self.known();
        if known.remove(&node).is_some() {
            let members = known.clone();
            drop(known);
            self.keep(members);
        }
    }
}

fn keep(file: &Path, members: BTreeMap<NodeId, String>) {
    let text = serde_json::to_vec_pretty(&Kept { version: VERSION, members }).expect("members are plain data");
    if let Err(error) = write(file, &text) {
        error!(path = %file.display(), %error, "the members can't be kept; after a restart this node may not find them");
    }
}

fn read(file: &PathBuf) -> BTreeMap<NodeId, String> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            warn!(path = %file.display(), %error, "the members that were kept can't be read");
            return BTreeMap::new();
        }
    };
    match serde_json::from_slice::<Kept>(&text) {
        Ok(kept) if kept.version == VERSION => kept.members,
        Ok(kept) => {
            warn!(path = %file.display(), version = kept.version, "the members were kept by another version of engage, and are not used");
            BTreeMap::new()
        }
        Err(error) => {
            warn!(path = %file.display(), %error, "the members that were kept can't be read");
            BTreeMap::new()
        }
    }
}

/// Whole, or not at all.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let aside = file.with_extension("json.new");
    let mut out = fs::File::create(&aside)?;
    out.write_all(text)?;
    out.sync_all()?;
    fs::rename(&aside, file)
}
