//! What can be wrong with a configuration. Messages name the key, where its value came from, and what is allowed; a secret's value is never in them.

use std::fmt;
use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration file {} can't be read: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("configuration file {} is not valid TOML: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `http.listen`; of an environment variable that names no key, the variable.
    pub key: String,
    /// Where the value came from: a file, a variable; none where it doesn't matter, or is a default.
    pub source: Option<String>,
    /// What is wrong, in words that follow the key.
    pub message: String,
}

impl Problem {
    /// A problem of a key, wherever its value came from.
    pub(super) fn of(key: &str, message: impl Into<String>) -> Problem {
        Problem { key: key.to_owned(), source: None, message: message.into() }
    }

    /// A problem of a key's value in a file or variable.
    pub(super) fn from(source: impl Into<String>, key: &str, message: impl Into<String>) -> Problem {
        Problem { key: key.to_owned(), source: Some(source.into()), message: message.into() }
    }

    /// The same, naming the place where the key was set.
    pub(super) fn found_in(mut self, origins: &super::load::Origins) -> Problem {
        let key = self.key.split('[').next().unwrap_or_default();
        self.source = self.source.or_else(|| origins.get(key).cloned());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{} ({source}) {}", self.key, self.message),
            None => write!(f, "{} {}", self.key, self.message),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        ConfigError::Invalid(vec![problem])
    }
}
