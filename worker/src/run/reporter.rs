//! The report of a run, which is given once: at its end, or when it is told to end before.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::wire::report::{Outcome, Report};
use tracing::error;

use crate::args::Command;
use crate::meter::Meter;

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

    /// Gives the report. One that is lost, or comes after that of the run's interruption, is a failure: nobody would hear of it.
    pub(super) fn give(&self, report: &Report) -> Outcome {
        let mut state = self.state();
        let is_heard = !matches!(*state, State::Given) && self.write(report).is_ok();
        *state = State::Given;
        if is_heard { report.outcome } else { Outcome::Failed }
    }

    /// Gives the report of a run that is told to end while it writes: what it took so far would be known to nobody. It says no more,
    /// since whoever told it knows why.
    pub fn give_interrupted(&self) {
        let mut state = self.state();
        if let State::Writing(meter) = &*state {
            let report = Report::of_interruption(meter.effort_at_most());
            // What is lost is in the log, and the process ends in any case.
            drop(self.write(&report));
            *state = State::Given;
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

#[cfg(test)]
mod tests {
    use api::wire::report::Effort;

    use super::*;

    /// A reporter at the start of a run, and where it reports.
    fn reporter() -> (tempfile::TempDir, Reporter) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Some(folder.path().join("report"));
        (folder, Reporter { path, state: Mutex::new(State::Preparing) })
    }

    fn given(folder: &tempfile::TempDir) -> Option<Report> {
        let text = fs::read_to_string(folder.path().join("report")).ok()?;
        Some(serde_json::from_str(&text).expect("a report"))
    }

    fn complete() -> Report {
        Report::of_run("ab", Effort::default(), Vec::new())
    }

    #[test]
    fn an_interruption_tells_what_was_taken_and_is_not_overwritten() {
        let (folder, reporter) = reporter();
        let meter = Arc::new(Meter::new(Some(100)));
        reporter.writes(Arc::clone(&meter));
        meter.reserve(30).expect("room").settle(30);
        let writes_on = meter.reserve(20);
        reporter.give_interrupted();
        drop(writes_on);
        assert_eq!(reporter.give(&complete()), Outcome::Failed, "its exit status says the same");
        let report = given(&folder).expect("it was told");
        assert_eq!((report.outcome, report.message), (Outcome::Failed, None));
        assert_eq!(report.effort.map(|effort| effort.tokens), Some(50));
    }

    #[test]
    fn an_interruption_says_nothing_of_what_has_not_begun_or_is_over() {
        let (folder, reporter) = reporter();
        reporter.give_interrupted();
        assert_eq!(given(&folder), None);
        reporter.writes(Arc::default());
        assert_eq!(reporter.give(&complete()), Outcome::Complete);
        reporter.give_interrupted();
        assert_eq!(given(&folder).map(|report| report.outcome), Some(Outcome::Complete));
    }
}
