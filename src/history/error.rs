//! Why a file is no history. Each names the file, and the line where there is one.

use std::io;
use std::path::PathBuf;

/// What is wrong with a history's files.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("{path} can't be read: {error}", path = path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{path}:{line}: {reason}", path = path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("{path} was made with another {what} than {first}; hint: give the files of one run", path = path.display(), first = first.display())]
    OtherRun { path: PathBuf, first: PathBuf, what: &'static str },
    #[error("the files hold more than {max} entries; hint: judge a part of the run, or a shorter one")]
    TooLong { max: usize },
    #[error("these are more files than {max}; hint: give the files of one run")]
    TooMany { max: usize },
}
