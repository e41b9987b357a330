//! How far something is: a bar on a terminal, a line for each change elsewhere. Goes to stderr, as all that is no data.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// What is shown while something goes on.
pub(super) struct Shown {
    bar: ProgressBar,
    /// Where there is no terminal: the line before, which is not said twice.
    said: String,
}

impl Shown {
    /// Shows nothing yet. Works without colour.
    pub(super) fn new() -> Shown {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Shown { bar, said: String::new() }
    }

    /// Something goes on whose end isn't known.
    pub(super) fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        if self.bar.is_hidden() && self.said != line {
            output::note(format_args!("{line}"));
        }
        self.bar.set_message(line.clone());
        self.bar.tick();
        self.said = line;
    }

    /// So many of all are done; `what` is what is counted.
    pub(super) fn count(&mut self, done: u64, all: u64, what: &str) {
        if self.bar.is_hidden() {
            return self.say(format!("{done} of {all} {what}"));
        }
        if self.bar.length() != Some(all)
            && let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}")
        {
            self.bar.set_length(all);
            self.bar.set_style(style.progress_chars("##-"));
        }
        self.bar.set_message(what.to_owned());
        self.bar.set_position(done);
    }

    /// Takes the bar away; what is now true is said by whoever showed it.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end();
    }
}
