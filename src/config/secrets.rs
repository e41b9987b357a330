//! The secrets that a loopback-only node makes for itself at its first start and keeps in `<data_dir>/secrets.toml`, readable by its owner alone. Never
//! overwrites a file, and never uses one that others could have read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use serde::Deserialize;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::Config;
use super::secret::{ApiKey, Role, Secret};

/// The file's name in the data directory.
pub const FILE_NAME: &str = "secrets.toml";

/// What the file holds; the sections and keys are those of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Of the rest, so that a file with a flipped bit is not taken for one with other secrets. One that was made by hand needs none.
    #[serde(default)]
    check: Option<String>,
    pub auth: AuthSecrets,
    pub cluster: ClusterSecrets,
}

/// `[auth]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSecrets {
    pub jwt_secret: Secret,
    pub api_keys: Vec<ApiKey>,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSecrets {
    pub secret: Secret,
}

/// Where the secrets that a node runs with came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// All of them stand in the configuration.
    Configured,
    /// Some were read from this file, which an earlier start made.
    Kept(PathBuf),
    /// This start made the file: it is the first one here.
    Made(PathBuf),
}

/// Why the secrets can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("secrets file {} can't be {verb}: {error}; hint: node.data_dir names its folder, which must be this process's to read and write", path.display())]
    File { path: PathBuf, verb: &'static str, error: io::Error },
    #[error("secrets file {} can be read by others (mode {mode:o}); hint: chmod 600 {}, or remove it to get new ones", path.display(), path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("secrets file {} is not valid; hint: remove it to get new ones", path.display())]
    Content { path: PathBuf },
    #[error("there is no secrets file {}; hint: it lies in the data_dir of a node that made its own secrets", path.display())]
    Missing { path: PathBuf },
    #[error("the secrets in {} are others than {place}; hint: nodes of one cluster have the same: is this the right file, and the right data_dir?", from.display())]
    Differ { from: PathBuf, place: String },
}

/// Reads the secrets that a node made for itself; none where there is no file.
///
/// # Errors
/// [`SecretsError`], when the file is there and can't be used.
pub fn read(data_dir: &Path) -> Result<Option<Secrets>, SecretsError> {
    read_file(data_dir.join(FILE_NAME))
}

fn read_file(path: PathBuf) -> Result<Option<Secrets>, SecretsError> {
    let failed = |error| SecretsError::File { path: path.clone(), verb: "read", error };
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretsError::Mode { path, mode });
    }
    let text = io::read_to_string(&mut file).map_err(failed)?;
    parse(&text).map(Some).ok_or(SecretsError::Content { path })
}

/// Fills in the secrets that a configuration lacks: from the file, which is made where there is none. Touches no disk where the configuration has them all.
///
/// # Errors
/// [`SecretsError`].
pub fn fill(config: &mut Config) -> Result<Origin, SecretsError> {
    let is_complete = config.auth.has_token_key() && !config.auth.api_keys.is_empty() && config.cluster.secret.is_some();
    if is_complete {
        return Ok(Origin::Configured);
    }
    let path = config.node.data_dir.join(FILE_NAME);
    let (secrets, origin) = match read(&config.node.data_dir)? {
        Some(kept) => (kept, Origin::Kept(path)),
        None => make(&config.node.data_dir, path)?,
    };
    if !config.auth.has_token_key() {
        config.auth.jwt_secret = Some(secrets.auth.jwt_secret);
    }
    if config.auth.api_keys.is_empty() {
        config.auth.api_keys = secrets.auth.api_keys;
    }
    config.cluster.secret.get_or_insert(secrets.cluster.secret);
    Ok(origin)
}

/// Copies the secrets that another node on this machine made, so that the two agree. Done again, it changes nothing.
///
/// # Errors
/// [`SecretsError`]; [`SecretsError::Differ`], when this node has others, in its file or its configuration.
pub fn adopt(config: &Config, from: &Path) -> Result<Origin, SecretsError> {
    let theirs = read_file(from.to_owned())?.ok_or_else(|| SecretsError::Missing { path: from.to_owned() })?;
    let differ = |place: String| SecretsError::Differ { from: from.to_owned(), place };
    let Config { auth, cluster, .. } = config;
    if cluster.secret.as_ref().is_some_and(|ours| *ours != theirs.cluster.secret) {
        return Err(differ("cluster.secret of the configuration".to_owned()));
    }
    if auth.jwt_secret.as_ref().is_some_and(|ours| *ours != theirs.auth.jwt_secret) {
        return Err(differ("auth.jwt_secret of the configuration".to_owned()));
    }
    let path = config.node.data_dir.join(FILE_NAME);
    let (kept, origin) = match read(&config.node.data_dir)? {
        Some(kept) => (kept, Origin::Kept(path.clone())),
        None => write(&config.node.data_dir, path.clone(), theirs.clone())?,
    };
    if kept == theirs { Ok(origin) } else { Err(differ(path.display().to_string())) }
}

fn make(data_dir: &Path, path: PathBuf) -> Result<(Secrets, Origin), SecretsError> {
    write(data_dir, path, draw())
}

/// Writes the file, unless somebody else was faster: then theirs holds.
fn write(data_dir: &Path, path: PathBuf, secrets: Secrets) -> Result<(Secrets, Origin), SecretsError> {
    let failed = |error| SecretsError::File { path: path.clone(), verb: "written", error };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    // Whoever sees the file sees all of it, and a second start at the same moment can't replace what the first already uses: write aside, then link.
    let aside = data_dir.join(format!(".{FILE_NAME}.{}", std::process::id()));
    let written = write_new(&aside, &text_of(&secrets)).and_then(|()| fs::hard_link(&aside, &path));
    let _ = fs::remove_file(&aside);
    match written {
        Ok(()) => {
            fs::File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
            Ok((secrets, Origin::Made(path)))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read(data_dir)? {
            Some(kept) => Ok((kept, Origin::Kept(path))),
            None => Err(failed(error)),
        },
        Err(error) => Err(failed(error)),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn draw() -> Secrets {
    let admin = ApiKey { name: "local".to_owned(), key: random(), role: Role::Admin };
    Secrets { check: None, auth: AuthSecrets { jwt_secret: random(), api_keys: vec![admin] }, cluster: ClusterSecrets { secret: random() } }
}

/// 32 random bytes as text that needs no quoting anywhere.
fn random() -> Secret {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

fn text_of(secrets: &Secrets) -> String {
    let mut text = format!(
        "# Made by a node at its first start, for use on this machine. Whoever has it can publish, read everything, be any user, and be a node of the cluster.\n\
         check = \"{}\"\n\n\
         [auth]\njwt_secret = \"{}\"\n",
        check_of(secrets),
        secrets.auth.jwt_secret.expose()
    );
    let key = |key: &ApiKey| format!("{{ name = \"{}\", key = \"{}\", role = \"{}\" }}", key.name, key.key.expose(), key.role.as_str());
    let keys: Vec<String> = secrets.auth.api_keys.iter().map(key).collect();
    text += &format!("api_keys = [{}]\n", keys.join(", "));
    text + &format!("\n[cluster]\nsecret = \"{}\"\n", secrets.cluster.secret.expose())
}

fn check_of(secrets: &Secrets) -> String {
    let key = |key: &ApiKey| format!("{}\n{}\n{}\n", key.name, key.key.expose(), key.role.as_str());
    let keys: String = secrets.auth.api_keys.iter().map(key).collect();
    let all = format!("{}\n{keys}{}", secrets.auth.jwt_secret.expose(), secrets.cluster.secret.expose());
    format!("{:016x}", xxh3_64(all.as_bytes()))
}

fn parse(text: &str) -> Option<Secrets> {
    use figment::providers::{Format as _, Toml};
    let mut secrets: Secrets = figment::Figment::from(Toml::string(text)).extract().ok()?;
    let is_whole = secrets.check.take().is_none_or(|check| check == check_of(&secrets));
    is_whole.then_some(secrets)
}

#[cfg(test)]
mod tests;
