//! The configuration: every key, its default, and where it may come from (CONTRACT §10). Defaults, then one TOML file, then the environment; the later wins.
//!
//! A [`Config`] that [`Config::load`] gave is checked: every value is in its range and they fit each other. Nothing here opens a socket or makes a secret;
//! [`secrets`] does the latter.

mod check;
mod env;
mod error;
mod keys;
mod load;
mod ranges;
mod secret;
mod sections;
pub mod secrets;
mod units;

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

pub use crate::telemetry::LogFormat;
pub use error::{ConfigError, Problem};
pub use ranges::PAYLOAD_MAX_BYTES;
pub use secret::{ApiKey, Role, Secret};
pub use sections::{Auth, Buffer, Cluster, Http, Limits, Log, Node, Storage, Window};
pub use units::{Size, Span, UnitError};

/// The environment variable that names the file, where no `--config` does.
pub const FILE_VARIABLE: &str = "ENGAGE_CONFIG";

/// All settings of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    pub http: Http,
    pub cluster: Cluster,
    pub auth: Auth,
    pub window: Window,
    pub buffer: Buffer,
    pub limits: Limits,
    pub log: Log,
}

impl Config {
    /// Reads the configuration and checks it. Without `file`, the one that `ENGAGE_CONFIG` names is read; without both, none.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file, key or variable, and what is allowed.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let named = std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty());
        let file = file.or(named.as_deref().map(Path::new));
        Config::load_from(file, std::env::vars_os())
    }

    /// As [`Config::load`], from a given environment.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load_from<N, V>(file: Option<&Path>, environment: impl IntoIterator<Item = (N, V)>) -> Result<Config, ConfigError>
    where
        N: AsRef<std::ffi::OsStr>,
        V: AsRef<std::ffi::OsStr>,
    {
        let (config, origins) = load::merge(file, environment)?;
        match config.check() {
            Ok(()) => Ok(config),
            Err(ConfigError::Invalid(problems)) => {
                Err(ConfigError::Invalid(problems.into_iter().map(|problem| problem.found_in(&origins)).collect()))
            }
            Err(other) => Err(other),
        }
    }

    /// Where publishers and clients reach a node whose HTTP port is this one, as `host:port`, as far as the configuration says. A node that listens on all its addresses
    /// has the host under which the other nodes reach it.
    #[must_use]
    pub fn http_address(&self, port: u16) -> String {
        let listen = self.http.listen;
        let advertised = self.cluster.advertise.as_ref().and_then(|advertise| advertise.rsplit_once(':'));
        match advertised {
            Some((host, _)) if listen.ip().is_unspecified() => format!("{host}:{port}"),
            _ => SocketAddr::new(listen.ip(), port).to_string(),
        }
    }

    /// Where the other nodes reach a node whose cluster port is this one, as `host:port`.
    #[must_use]
    pub fn cluster_address(&self, port: u16) -> String {
        let address = || SocketAddr::new(self.cluster.listen.ip(), port).to_string();
        self.cluster.advertise.clone().unwrap_or_else(address)
    }

    /// Checks every value and how they fit each other. What a loopback-only node makes for itself may be missing.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`], with everything that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check::check(self)
    }
}

#[cfg(test)]
mod tests;
