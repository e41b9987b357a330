//! Which node a client command speaks to, and with which key. What isn't given on the command line comes from the node's own configuration and the secrets
//! that it made, so that on the node's machine nothing needs to be given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;

use crate::client::Api;
use crate::config::secrets::{self, Secrets};
use crate::config::{ApiKey, Config, Role, Secret};

/// Where the node's settings are, for the commands that run on its machine.
#[derive(Debug, Default, Args)]
pub(super) struct Local {
    /// The node's configuration file [default: what `ENGAGE_CONFIG` names; without it, none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The node's data directory, where its secrets are [default: what the configuration says]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Local {
    /// The configuration that the node on this machine would have.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data_dir) = &self.data_dir {
            config.node.data_dir.clone_from(data_dir);
        }
        Ok(config)
    }

    /// The secret that tokens are signed with. `instead` is what the command can be given in its place, for the hint.
    pub(super) fn jwt_secret(&self, instead: &str) -> anyhow::Result<String> {
        let config = self.load()?;
        if let Some(secret) = &config.auth.jwt_secret {
            return Ok(secret.expose().to_owned());
        }
        if config.auth.has_token_key() {
            bail!("the node checks tokens by a public key; hint: make them where the private key is");
        }
        let secrets = made_by_node(&config)?;
        let secrets =
            secrets.ok_or_else(|| no_secrets(&config, "no secret to sign a token with: auth.jwt_secret is not configured", instead))?;
        Ok(secrets.auth.jwt_secret.expose().to_owned())
    }
}

/// Which node to call.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The node's address [default: http.listen of the configuration, which is http://127.0.0.1:7400 by default]
    #[arg(long)]
    url: Option<String>,
    /// An API key [default: one of the configuration, or the one that the node on this machine made]
    #[arg(long, env = "ENGAGE_API_KEY", hide_env_values = true)]
    key: Option<Secret>,
    #[command(flatten)]
    pub(super) local: Local,
}

/// What a command does with the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Publish,
    Admin,
}

impl Target {
    /// The node's address.
    pub(super) fn url(&self) -> anyhow::Result<String> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => Ok(url_of(&self.local.load()?)),
        }
    }

    /// Whether a node is named on the command line.
    pub(super) fn is_given(&self) -> bool {
        self.url.is_some()
    }

    /// The node's API, with a key that may do what is needed.
    pub(super) fn api(&self, need: Need) -> anyhow::Result<Api> {
        Ok(Api::new(&self.url()?, Some(&self.key(need)?))?)
    }

    /// A key that may do what is needed.
    pub(super) fn key(&self, need: Need) -> anyhow::Result<String> {
        // An empty variable is how a shell says that there is none.
        match self.key.as_ref().map(Secret::expose).filter(|key| !key.is_empty()) {
            Some(key) => Ok(key.to_owned()),
            None => self.local_key(need),
        }
    }

    fn local_key(&self, need: Need) -> anyhow::Result<String> {
        let config = self.local.load()?;
        if let Some(key) = fitting(&config.auth.api_keys, need) {
            return Ok(key);
        }
        if !config.auth.api_keys.is_empty() {
            bail!(
                "none of the configured keys may do this; hint: it takes the role admin{}; give such a key with --key or ENGAGE_API_KEY",
                if need == Need::Publish { " or publish" } else { "" }
            );
        }
        let secrets = made_by_node(&config)?;
        secrets
            .and_then(|secrets| fitting(&secrets.auth.api_keys, need))
            .ok_or_else(|| no_secrets(&config, "no API key: auth.api_keys is not configured", "give one with --key or ENGAGE_API_KEY"))
    }
}

/// The address under which the commands of this machine reach a node.
pub(super) fn url_of(config: &Config) -> String {
    let listen = config.http.listen;
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.http.tls_cert.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(host, listen.port()))
}

/// The key that may do no more than is needed, if there is one.
fn fitting(keys: &[ApiKey], need: Need) -> Option<String> {
    let of = |role| keys.iter().find(|key| key.role == role).map(|key| key.key.expose().to_owned());
    match need {
        Need::Publish => of(Role::Publish).or_else(|| of(Role::Admin)),
        Need::Admin => of(Role::Admin),
    }
}

fn made_by_node(config: &Config) -> anyhow::Result<Option<Secrets>> {
    Ok(secrets::read(&config.node.data_dir)?)
}

fn no_secrets(config: &Config, why: &str, instead: &str) -> anyhow::Error {
    let path = config.node.data_dir.join(secrets::FILE_NAME);
    anyhow!(
        "{why}, and there is no {}; hint: {instead}, or run this where the node was started, or say with --data-dir where its data is",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(role: Role) -> ApiKey {
        ApiKey { name: role.as_str().to_owned(), key: Secret::new(role.as_str()), role }
    }

    #[test]
    fn a_command_takes_the_key_with_the_least_rights_that_suffice() {
        let keys = [key(Role::Read), key(Role::Admin), key(Role::Publish)];
        assert_eq!(fitting(&keys, Need::Publish).as_deref(), Some("publish"));
        assert_eq!(fitting(&keys[..2], Need::Publish).as_deref(), Some("admin"));
        assert_eq!(fitting(&keys[..1], Need::Publish), None);
        assert_eq!(fitting(&keys[..1], Need::Admin), None);
    }

    #[test]
    fn a_node_that_listens_everywhere_is_reached_on_loopback() {
        let mut config = Config::default();
        assert_eq!(url_of(&config), "http://127.0.0.1:7400");
        config.http.listen = "0.0.0.0:7500".parse().expect("it is an address");
        assert_eq!(url_of(&config), "http://127.0.0.1:7500");
        config.http.listen = "[::]:7500".parse().expect("it is an address");
        assert_eq!(url_of(&config), "http://[::1]:7500");
    }
}
