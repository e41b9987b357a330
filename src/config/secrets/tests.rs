//! Tests of the secrets file: made once, kept, copied from another node, and never one that others could have read.

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

#[test]
fn nodes_on_one_machine_agree_after_one_copied_what_the_other_made() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (config_in(&dir.path().join("n1")), config_in(&dir.path().join("n2")));
    fill(&mut first).unwrap();
    let theirs = first.node.data_dir.join(FILE_NAME);
    let ours = second.node.data_dir.join(FILE_NAME);
    assert_eq!(adopt(&second, &theirs).unwrap(), Origin::Made(ours.clone()));
    assert_eq!(adopt(&second, &theirs).unwrap(), Origin::Kept(ours.clone()), "again changes nothing");
    assert_eq!(fs::metadata(&ours).unwrap().permissions().mode() & 0o777, 0o600);
    fill(&mut second).unwrap();
    assert_eq!((first.auth, first.cluster.secret), (second.auth, second.cluster.secret));
}

#[test]
fn other_secrets_are_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (config_in(&dir.path().join("n1")), config_in(&dir.path().join("n2")));
    fill(&mut first).unwrap();
    let theirs = first.node.data_dir.join(FILE_NAME);
    let mut configured = second.clone();
    configured.cluster.secret = Some(random());
    let error = adopt(&configured, &theirs).unwrap_err().to_string();
    assert!(error.contains("cluster.secret of the configuration"), "{error}");
    fill(&mut second).unwrap();
    let before = read(&second.node.data_dir).unwrap();
    let unfilled = config_in(&dir.path().join("n2"));
    let error = adopt(&unfilled, &theirs).unwrap_err().to_string();
    assert!(error.contains("n2") && error.contains("hint"), "{error}");
    assert_eq!(read(&second.node.data_dir).unwrap(), before);
    let error = adopt(&unfilled, &dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("there is no secrets file"), "{error}");
}

#[test]
fn several_keys_are_read_back() {
    let mut secrets = draw();
    secrets.auth.api_keys.push(ApiKey { name: "shop".to_owned(), key: random(), role: Role::Publish });
    assert_eq!(parse(&text_of(&secrets)), Some(secrets));
}
