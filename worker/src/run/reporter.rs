//! The report of a run, which is given once: at its end, or when it is told to end before.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::wire::report::{Outcome, Report};
use tracing::error;

use crate::args::Command;
use crate::meter::Meter;

/// Why there is not all of it, when a run is told to end.
const TOLD_TO_END: &str =
    "the worker was told to end while it wrote: what was delivered stays, and another goes on from there";

/// Gives the report of a run, if one is wanted.
#[derive(Debug)]
pub struct Reporter {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing is written yet.
    Preparing,
    /// Tokens are written, on that meter.
    Writing(Arc<Meter>),
    /// The report is given, and no other will be.
    Given,
}

impl Reporter {
    /// Of a command that takes a report, to where it wants it.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        let path = match command {
            Command::Generate(arguments) => arguments.report.clone(),
            Command::Fetch(arguments) => arguments.report.clone(),
            Command::Regenerate(_) | Command::Complete(_) | Command::Plan(_) | Command::Train(_) => None,
        };
        Self { path, state: Mutex::new(State::Preparing) }
    }

    /// From now on tokens are written, on that meter.
    pub(super) fn writes(&self, meter: Arc<Meter>) {
        *self.state() = State::Writing(meter);
    }

    /// Gives the report, unless one is given. One that is lost is a failure, since nobody would hear of it.
    pub(super) fn give(&self, report: &Report) -> Outcome {
        let mut state = self.state();
        let kept = match std::mem::replace(&mut *state, State::Given) {
            State::Given => Ok(()),
            State::Preparing | State::Writing(_) => self.write(report),
        };
        kept.map_or(Outcome::Failed, |()| report.outcome)
    }

    /// Gives the report of a run that is told to end while it writes: what it took so far would be known to nobody.
    pub fn give_interrupted(&self) {
        let mut state = self.state();
        if let State::Writing(meter) = std::mem::replace(&mut *state, State::Given) {
            let report = Report::of_failure(Outcome::Failed, None, TOLD_TO_END);
            // What is lost is in the log, and the process ends in any case.
            drop(self.write(&Report { effort: Some(meter.effort_at_most()), ..report }));
        }
    }

    fn write(&self, report: &Report) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        fs::write(path, report.to_json())
            .inspect_err(|error| error!(path = %path.display(), %error, "the report could not be written"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
