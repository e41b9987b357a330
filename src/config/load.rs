//! Puts the sources together: finds keys that do not exist, says where a value came from, and turns what serde says about it into words for an operator.

use figment::error::Kind as ErrorKind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::Config;
use super::env;
use super::error::{ConfigError, Problem};
use super::keys::{Keys, SECRET_KEYS, variable_of};
use super::ranges::range_of;

/// Where each key that is set was set: a file's path, or a variable.
pub(super) type Origins = BTreeMap<String, String>;

/// Reads file and environment. The values have the right types, and are not checked otherwise.
pub(super) fn merge<N: AsRef<OsStr>, V: AsRef<OsStr>>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (N, V)>,
) -> Result<(Config, Origins), ConfigError> {
    let keys = Keys::all();
    let mut origins = Origins::new();
    let mut problems = Vec::new();
    let mut figment = Figment::new();
    if let Some(path) = file {
        let settings = read_file(path)?;
        judge_file(&settings, path, &keys, &mut origins, &mut problems);
        figment = figment.merge(Serialized::defaults(settings));
    }
    let environment = env::read(environment, &keys);
    problems.extend(environment.problems);
    origins.extend(environment.keys.into_iter().map(|key| (key.clone(), variable_of(&key))));
    figment = figment.merge(Serialized::defaults(environment.settings));
    if !problems.is_empty() {
        return Err(ConfigError::Invalid(problems));
    }
    match figment.extract() {
        Ok(config) => Ok((config, origins)),
        Err(first) => Err(ConfigError::Invalid(wrong_values(first, &figment, &origins))),
    }
}

/// What is wrong with the values. serde stops at the first that it can't take, so each key that is set is tried alone.
fn wrong_values(first: figment::Error, figment: &Figment, origins: &Origins) -> Vec<Problem> {
    let alone = |key: &String| {
        let value = figment.find_value(key).ok()?;
        Figment::from(Serialized::default(key, value)).extract::<Config>().err()
    };
    let all: Vec<Problem> = origins.keys().filter_map(alone).flatten().map(|error| explain(&error, figment, origins)).collect();
    if all.is_empty() { first.into_iter().map(|error| explain(&error, figment, origins)).collect() } else { all }
}

fn read_file(path: &Path) -> Result<Dict, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
    let data = Toml::string(&text)
        .data()
        .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.kind.to_string().trim().to_owned() })?;
    Ok(data.into_values().next().unwrap_or_default())
}

fn judge_file(settings: &Dict, path: &Path, keys: &Keys, origins: &mut Origins, problems: &mut Vec<Problem>) {
    let source = path.display().to_string();
    for (section, value) in settings {
        let Value::Dict(_, entries) = value else {
            let meant = keys.names().find(|key| key.ends_with(&format!(".{section}")));
            let hint = meant.map_or_else(String::new, |key| format!("; hint: did you mean {key}?"));
            problems.push(Problem::from(&source, section, format!("stands in no section{hint}")));
            continue;
        };
        if !keys.has_section(section) {
            let message = format!("is no section; hint: did you mean [{}]?", keys.nearest_section(section));
            problems.push(Problem::from(&source, &format!("[{section}]"), message));
            continue;
        }
        for key in entries.keys() {
            let dotted = format!("{section}.{key}");
            match keys.kind(section, key) {
                Some(_) => {
                    origins.insert(dotted, source.clone());
                }
                None => problems.push(Problem::from(&source, &dotted, format!("is no key; hint: did you mean {}?", keys.nearest(&dotted)))),
            }
        }
    }
}

fn explain(error: &figment::Error, figment: &Figment, origins: &Origins) -> Problem {
    let path = error.path.join(".");
    let key = error.path.iter().take(2).cloned().collect::<Vec<_>>().join(".");
    let is_secret = SECRET_KEYS.contains(&key.as_str());
    let value = figment.find_value(&path).ok().filter(|_| !is_secret).map(|value| shown(&value));
    let message = match &error.kind {
        ErrorKind::InvalidType(..) | ErrorKind::InvalidValue(..) | ErrorKind::InvalidLength(..) if is_secret => {
            "has the wrong type".to_owned()
        }
        ErrorKind::InvalidType(..) if key.ends_with(".listen") => {
            format!("= {} is not valid; hint: an IP address and a port, like \"127.0.0.1:7400\"", value.unwrap_or_default())
        }
        ErrorKind::InvalidType(_, expected) | ErrorKind::InvalidValue(_, expected) => {
            let allowed = range_of(&key).map_or_else(|| expected.clone(), |range| range.to_string());
            format!("= {} is out of range; hint: {allowed}", value.unwrap_or_default())
        }
        ErrorKind::UnknownVariant(_, allowed) if is_secret => format!("holds a value that is not one of {}", allowed.join(", ")),
        ErrorKind::UnknownVariant(variant, allowed) => format!("= {variant:?} is not one of {}", allowed.join(", ")),
        ErrorKind::UnknownField(field, allowed) => format!("has an unknown field {field}; hint: the fields are {}", allowed.join(", ")),
        ErrorKind::MissingField(field) => format!("lacks the field {field}"),
        _ if is_secret => "is not valid".to_owned(),
        other if key.ends_with(".listen") => {
            format!("= {} is not valid: {other}; hint: an IP address and a port, like 127.0.0.1:7400", value.unwrap_or_default())
        }
        other => format!("= {} {other}", value.unwrap_or_default()),
    };
    Problem { source: origins.get(&key).cloned(), key: if path.is_empty() { "configuration".to_owned() } else { path }, message }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Num(_, number) => number.to_actual().to_string().rsplit(' ').next().unwrap_or_default().trim_matches('`').to_owned(),
        other => other.to_actual().to_string(),
    }
}
