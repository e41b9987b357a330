//! How a demo's nodes are configured: one file for each, so that `engage status --config <file>` and the like work on them too.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::DemoError;

/// Short, so that one sees a device lose what it holds; longer than two elections take.
pub(super) const LEASE_MS: u64 = 4_000;
/// Two for each node to lead.
const SHARDS: u16 = 6;

/// One node's own settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) http_port: u16,
    pub(super) cluster_port: u16,
    /// Where its data, its log and this file are.
    pub(super) folder: PathBuf,
}

impl Settings {
    /// Where publishers reach it.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Writes the file. `origins` are those of the page.
    pub(super) fn write(&self, origins: &[String]) -> Result<(), DemoError> {
        fs::write(self.file(), self.text(origins)).map_err(|error| DemoError::File { path: self.file(), error })
    }

    fn text(&self, origins: &[String]) -> String {
        let Settings { name, http_port, cluster_port, .. } = self;
        // A text in quotes is the same in JSON and in TOML.
        let data_dir = json!(Path::new(&self.data_dir()).to_string_lossy());
        let origins = json!(origins);
        format!(
            "# A node of a demo. It goes with the demo.\n\
             [node]\nname = \"{name}\"\ndata_dir = {data_dir}\nstorage = \"disk\"\n\n\
             [http]\nlisten = \"127.0.0.1:{http_port}\"\nallowed_origins = {origins}\nworkers = 1\n\n\
             [cluster]\nlisten = \"127.0.0.1:{cluster_port}\"\nshards = {SHARDS}\nlease = \"{LEASE_MS}ms\"\nthreads = 2\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_node_can_be_started_with_what_is_written() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let odd = folder.path().join("a \"quoted\" folder\\");
        fs::create_dir(&odd).expect("it is made");
        let settings = Settings { name: "n2".to_owned(), http_port: 7482, cluster_port: 7485, folder: odd.clone() };
        settings.write(&["http://127.0.0.1:7480".to_owned()]).expect("there is room");
        let nothing: [(&str, &str); 0] = [];
        let config = Config::load_from(Some(&settings.file()), nothing).expect("it is a configuration");
        assert_eq!(config.node.data_dir, odd.join("n2"));
        assert_eq!(config.http.allowed_origins, ["http://127.0.0.1:7480"]);
        assert_eq!(config.cluster.lease.ms(), LEASE_MS);
        assert!(config.advice().is_empty(), "{:?}", config.advice());
    }
}
