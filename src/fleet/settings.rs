//! How the nodes are configured: one file for each, so that `engage status --config <file>` and the like work on them too.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{FleetError, Plan};

/// One node's own settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) http_port: u16,
    pub(crate) cluster_port: u16,
    /// Where its data, its log and this file are.
    pub(crate) folder: PathBuf,
}

impl Settings {
    /// Where publishers reach it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.http_port)
    }

    /// Writes the file.
    pub(crate) fn write(&self, plan: &Plan) -> Result<(), FleetError> {
        fs::write(self.file(), self.text(plan)).map_err(|error| FleetError::File { path: self.file(), error })
    }

    fn text(&self, plan: &Plan) -> String {
        let Settings { name, http_port, cluster_port, .. } = self;
        // A text in quotes is the same in JSON and in TOML.
        let data_dir = json!(Path::new(&self.data_dir()).to_string_lossy());
        let origins = json!(plan.origins);
        let storage = if plan.is_durable { "disk" } else { "memory" };
        let (shards, lease_ms, more) = (plan.shards, plan.lease.as_millis(), &plan.more);
        let (workers, threads) = plan.threads.unwrap_or_default();
        format!(
            "# One of a few nodes on one machine, started for a while. It goes with the program that started it.\n\
             [node]\nname = \"{name}\"\ndata_dir = {data_dir}\nstorage = \"{storage}\"\n\n\
             [http]\nlisten = \"127.0.0.1:{http_port}\"\nallowed_origins = {origins}\nworkers = {workers}\n\n\
             [cluster]\nlisten = \"127.0.0.1:{cluster_port}\"\nshards = {shards}\nlease = \"{lease_ms}ms\"\nthreads = {threads}\n{more}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::time::Duration;

    #[test]
    fn a_node_can_be_started_with_what_is_written() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let odd = folder.path().join("a \"quoted\" folder\\");
        fs::create_dir(&odd).expect("it is made");
        let settings = Settings { name: "n2".to_owned(), http_port: 7482, cluster_port: 7485, folder: odd.clone() };
        let plan = Plan { origins: vec!["http://127.0.0.1:7480".to_owned()], lease: Duration::from_secs(4), ..Plan::default() };
        settings.write(&plan).expect("there is room");
        let nothing: [(&str, &str); 0] = [];
        let config = Config::load_from(Some(&settings.file()), nothing).expect("it is a configuration");
        assert_eq!(config.node.data_dir, odd.join("n2"));
        assert_eq!(config.http.allowed_origins, ["http://127.0.0.1:7480"]);
        assert_eq!(config.cluster.lease.ms(), 4_000);
        assert!(config.advice().is_empty(), "{:?}", config.advice());
    }
}
