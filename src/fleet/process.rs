//! One node as a child process: started, killed without mercy, started again. It never outlives this process: it is started on a leash, a pipe that the system closes when this process
//! ends, however it does, and at whose end the child ends itself (`src/cli/leash.rs`). A signal at the parent's death would be another way, but that one comes when the
//! *thread* that started the child ends, and only Linux has it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};

use super::FleetError;
use super::settings::Settings;

/// The option of `serve` and `join` that puts a node on the leash.
const LEASH: &str = "--until-stdin-closes";
/// The one variable of ours that a child needs: a build with deliberate bugs does not start without (docs/mutants.md). The demo needs no other configuration, so a person's own
/// settings must not reach its nodes.
const PASSED_ON: &str = "ENGAGE_MUTANT";
/// So much of a log is shown when a node ended by itself.
const LOG_LINES: usize = 12;

/// A node's process, or the place of one.
pub(crate) struct Process {
    settings: Settings,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(settings: Settings) -> Process {
        Process { settings, child: Mutex::new(None) }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts it with a verb of this program: `serve`, or `join` and what that needs. One that runs is left alone.
    pub(crate) fn start(&self, verb: &[&str]) -> Result<(), FleetError> {
        let mut child = self.child();
        if child.as_mut().is_some_and(runs) {
            return Ok(());
        }
        let failed = |error| FleetError::Spawn { name: self.settings.name.clone(), error };
        *child = Some(self.spawn(verb).map_err(failed)?);
        Ok(())
    }

    fn spawn(&self, verb: &[&str]) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(self.settings.log())?;
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ENGAGE_") && name != PASSED_ON {
                command.env_remove(name);
            }
        }
        command.args(verb).arg("--config").arg(self.settings.file()).arg(LEASH);
        // A group of its own: a ctrl-c in the terminal is for the demo, which then ends its nodes itself.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// Ends it at once, as a crash does, and waits until it has ended: that is a moment.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // An error means that it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.child().as_mut().is_some_and(runs)
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child().as_mut().and_then(|child| runs(child).then(|| child.id()))
    }

    /// Why it ended, if it did so by itself.
    pub(crate) fn has_ended(&self) -> Option<FleetError> {
        let status = self.child().as_mut().and_then(ended)?;
        let log = std::fs::read_to_string(self.settings.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        Some(FleetError::NodeEnded { name: self.settings.name.clone(), how: status.to_string(), log })
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    // A status that can't be read is that of a process which can't be asked any more.
    child.try_wait().unwrap_or_default()
}

fn runs(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}
