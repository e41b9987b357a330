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

use super::Config;
use super::secret::{ApiKey, Role, Secret};

/// The file's name in the data directory.
pub const FILE_NAME: &str = "secrets.toml";

/// What the file holds; the sections and keys are those of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
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
}

/// Reads the secrets that a node made for itself; none where there is no file.
///
/// # Errors
/// [`SecretsError`], when the file is there and can't be used.
pub fn read(data_dir: &Path) -> Result<Option<Secrets>, SecretsError> {
    let path = data_dir.join(FILE_NAME);
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

fn make(data_dir: &Path, path: PathBuf) -> Result<(Secrets, Origin), SecretsError> {
    let failed = |error| SecretsError::File { path: path.clone(), verb: "written", error };
    let secrets = draw();
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
    Secrets { auth: AuthSecrets { jwt_secret: random(), api_keys: vec![admin] }, cluster: ClusterSecrets { secret: random() } }
}

/// 32 random bytes as text that needs no quoting anywhere.
fn random() -> Secret {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

fn text_of(secrets: &Secrets) -> String {
    let mut text = format!(
        "# Made by this node at its first start, for use on this machine. Whoever has it can publish, read everything, and be any user.\n\
         [auth]\njwt_secret = \"{}\"\n",
        secrets.auth.jwt_secret.expose()
    );
    for key in &secrets.auth.api_keys {
        text += &format!("api_keys = [{{ name = \"{}\", key = \"{}\", role = \"{}\" }}]\n", key.name, key.key.expose(), key.role.as_str());
    }
    text + &format!("\n[cluster]\nsecret = \"{}\"\n", secrets.cluster.secret.expose())
}

fn parse(text: &str) -> Option<Secrets> {
    use figment::providers::{Format as _, Toml};
    figment::Figment::from(Toml::string(text)).extract().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_in(dir: &Path) -> Config {
        let mut config = Config::default();
        config.node.data_dir = dir.join("data");
        config
    }

    #[test]
    fn the_first_start_makes_secrets_and_the_next_one_keeps_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = config_in(dir.path());
        let path = first.node.data_dir.join(FILE_NAME);
        assert_eq!(fill(&mut first).unwrap(), Origin::Made(path.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        first.check().unwrap();

        let mut second = config_in(dir.path());
        assert_eq!(fill(&mut second).unwrap(), Origin::Kept(path.clone()));
        assert_eq!(first, second);
        assert_eq!(read(&second.node.data_dir).unwrap().unwrap().auth.api_keys, second.auth.api_keys);
        let left: Vec<_> = fs::read_dir(&second.node.data_dir).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn secrets_differ_from_node_to_node() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut one, mut other) = (config_in(one.path()), config_in(other.path()));
        fill(&mut one).unwrap();
        fill(&mut other).unwrap();
        assert_ne!(one.auth.jwt_secret, other.auth.jwt_secret);
        assert_ne!(one.auth.api_keys, other.auth.api_keys);
        assert_ne!(one.cluster.secret, other.cluster.secret);
    }

    #[test]
    fn what_is_configured_wins_over_the_file_and_only_what_is_missing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config_in(dir.path());
        let jwt_secret = Secret::new("a configured token key of 34 bytes");
        config.auth.jwt_secret = Some(jwt_secret.clone());
        assert!(matches!(fill(&mut config).unwrap(), Origin::Made(_)));
        assert_eq!(config.auth.jwt_secret, Some(jwt_secret));
        assert_eq!(config.auth.api_keys.len(), 1);
    }

    #[test]
    fn a_node_with_all_its_secrets_writes_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config_in(dir.path());
        config.auth.jwt_secret = Some(random());
        config.auth.api_keys = draw().auth.api_keys;
        config.cluster.secret = Some(random());
        assert_eq!(fill(&mut config).unwrap(), Origin::Configured);
        assert!(!config.node.data_dir.exists());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config_in(dir.path());
        fill(&mut config).unwrap();
        let path = config.node.data_dir.join(FILE_NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&config.node.data_dir).unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_broken_file_is_refused_without_showing_what_stands_in_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), "[auth]\njwt_secret = \"planted").unwrap();
        fs::set_permissions(dir.path().join(FILE_NAME), fs::Permissions::from_mode(0o600)).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("is not valid") && !error.contains("planted"), "{error}");
        assert_eq!(read(&dir.path().join("nowhere")).unwrap(), None);
    }
}
