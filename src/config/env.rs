//! The environment as a source of settings: `ENGAGE_<SECTION>__<KEY>`. A variable of ours that names no key is an error, as a misspelt key in the file is.

use figment::value::{Dict, Value};
use std::ffi::OsStr;

use super::error::Problem;
use super::keys::{Keys, Kind, SECRET_KEYS};
use super::secret::ApiKey;

/// All our variables begin so.
pub(super) const PREFIX: &str = "ENGAGE_";

/// What the environment says.
#[derive(Default)]
pub(super) struct Environment {
    /// Section, key, value.
    pub(super) settings: Dict,
    /// The keys that are set.
    pub(super) keys: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Reads our variables out of an environment.
pub(super) fn read<N: AsRef<OsStr>, V: AsRef<OsStr>>(environment: impl IntoIterator<Item = (N, V)>, keys: &Keys) -> Environment {
    let mut read = Environment::default();
    for (name, value) in environment {
        let Some(name) = name.as_ref().to_str() else { continue };
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        match take(name, rest, value.as_ref(), keys) {
            Ok(Some((section, key, value))) => {
                read.keys.push(format!("{section}.{key}"));
                insert(&mut read.settings, section, key, value);
            }
            Ok(None) => {}
            Err(problem) => read.problems.push(problem),
        }
    }
    // The order of an environment is nobody's; that of the answer should stay the same.
    read.problems.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
    read
}

type Setting = (String, String, Value);

fn take(name: &str, rest: &str, value: &OsStr, keys: &Keys) -> Result<Option<Setting>, Problem> {
    let Some((section, key)) = rest.split_once("__") else { return single_underscore(name, rest, keys).map(|()| None) };
    let (section, key) = (section.to_lowercase(), key.to_lowercase());
    let dotted = format!("{section}.{key}");
    let is_exact = super::keys::variable_of(&dotted) == name;
    let Some(kind) = keys.kind(&section, &key).filter(|_| is_exact) else {
        let meant = super::keys::variable_of(&keys.nearest(&dotted));
        return Err(Problem::of(name, format!("(environment) names no key; hint: did you mean {meant}?")));
    };
    let value = value.to_str().ok_or_else(|| Problem::from(name, &dotted, "is not valid UTF-8"))?;
    let value = parse(value, kind).map_err(|message| {
        let shown = if SECRET_KEYS.contains(&dotted.as_str()) || value.is_empty() { String::new() } else { format!("= {value:?} ") };
        Problem::from(name, &dotted, format!("{shown}{message}"))
    })?;
    Ok(Some((section, key, value)))
}

/// `ENGAGE_HTTP_LISTEN` is a slip for `ENGAGE_HTTP__LISTEN`, and must not be passed over. Other variables with one underscore are not ours to judge: the client
/// commands have some, and Kubernetes makes `ENGAGE_SERVICE_HOST` and the like for a service of that name.
fn single_underscore(name: &str, rest: &str, keys: &Keys) -> Result<(), Problem> {
    let lower = rest.to_lowercase();
    let meant = keys.names().find(|key| key.replacen('.', "_", 1) == lower);
    match meant {
        Some(key) => {
            let meant = super::keys::variable_of(&key);
            Err(Problem::of(name, format!("(environment) names no key; hint: two underscores follow the section: {meant}")))
        }
        None => Ok(()),
    }
}

fn parse(text: &str, kind: Kind) -> Result<Value, String> {
    let list = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
    match kind {
        Kind::List => Ok(Value::from(list().map(Value::from).collect::<Vec<_>>())),
        Kind::ApiKeys => list()
            .map(|item| item.parse().map(api_key))
            .collect::<Result<Vec<Value>, _>>()
            .map(Value::from)
            .map_err(|error| error.to_string()),
        _ if text.is_empty() => Err("is empty; hint: unset the variable to get the default".to_owned()),
        Kind::Text => Ok(Value::from(text)),
        Kind::Number => text.parse::<u64>().map(Value::from).map_err(|_| "is not a whole number".to_owned()),
    }
}

fn api_key(key: ApiKey) -> Value {
    let fields = [("name", key.name.as_str()), ("key", key.key.expose()), ("role", key.role.as_str())];
    Value::from(fields.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Dict>())
}

fn insert(settings: &mut Dict, section: String, key: String, value: Value) {
    let entry = settings.entry(section).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, keys) = entry {
        keys.insert(key, value);
    }
}
