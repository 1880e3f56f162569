//! One file for each period.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::schedule::Schedule;
use super::{Draft, ExportError, Line, Moment, Output, Take, moment};
use crate::ledger::{Millis, millis};

/// From when on something was counted, and up to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: Millis,
    pub(super) to: Millis,
}

/// Names sort by time, and hold nothing that a file system or an object store would not have.
const WHEN: &str = "%Y%m%dT%H%M%SZ";
const BEGINS: &str = "exposures-";

impl Period {
    fn name(self, extension: &str) -> String {
        let [from, to] = [self.from, self.to].map(|at| moment(at).strftime(WHEN).to_string());
        format!("{BEGINS}{from}-{to}.{extension}")
    }

    /// Where the period of a file ends.
    fn end_of(name: &str) -> Option<Millis> {
        let (_, to) = name.strip_prefix(BEGINS)?.split_once('.')?.0.split_once('-')?;
        Some(millis(DateTime::strptime(WHEN, to).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many files.
    pub files: u64,
    /// How many lines are in them.
    pub lines: u64,
}

/// The files of the periods that ended by `until`.
pub(super) struct Periods<'s> {
    schedule: &'s Schedule,
    marker: Marker,
    /// Up to here all is exported.
    done: Millis,
    until: Millis,
    /// The moment of the log that lines belong to.
    reached: Moment,
    /// The last one before the period of the file.
    before: Millis,
    current: Option<(Period, PathBuf, Output)>,
    exported: Exported,
}

impl<'s> Periods<'s> {
    pub(super) fn new(schedule: &'s Schedule, marker: Marker, done: Millis, until: Millis) -> Self {
        let reached = Moment { at: Millis::MIN, whole_from: Millis::MIN };
        let exported = Exported::default();
        Self { schedule, marker, done, until, reached, before: Millis::MIN, current: None, exported }
    }

    /// Ends the last file, and says that all is exported up to the end of the last period, though nothing may have been
    /// counted in it.
    pub(super) fn finish(mut self) -> Result<Exported, ExportError> {
        self.end(Moment { at: self.until, ..self.reached })?;
        self.marker.write(self.until)?;
        Ok(self.exported)
    }

    fn begin(&self) -> Result<(Period, PathBuf, Output), ExportError> {
        let start = self.schedule.begin_of(self.reached.at);
        let period = Period { from: start.max(self.done), to: start + self.schedule.every() };
        let path = self.schedule.folder.join(period.name(self.schedule.format.extension()));
        let output = Output::create(&path, self.schedule.format);
        let output = output.map_err(|error| ExportError::from(error).at(&path))?;
        Ok((period, path, output))
    }

    /// Ends the file of a period that has passed at that moment.
    fn end(&mut self, reached: Moment) -> Result<(), ExportError> {
        let ended = self.current.take_if(|(period, ..)| reached.at >= period.to);
        let Some((period, path, output)) = ended else { return Ok(()) };
        output.finish().map_err(|error| ExportError::from(error).at(&path))?;
        self.exported.files += 1;
        self.done = period.to;
        self.marker.write(period.to)?;
        if self.before < reached.whole_from {
            let file = path.display();
            tracing::warn!(%file, "what was shown before the log begins may be missing: raise --keep-log");
        }
        Ok(())
    }
}

impl Take for Periods<'_> {
    fn reach(&mut self, reached: Moment) -> Result<(), ExportError> {
        self.end(reached)?;
        if self.current.is_none() {
            self.before = self.reached.at;
        }
        self.reached = reached;
        Ok(())
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), ExportError> {
        if !(self.done..self.until).contains(&self.reached.at) {
            return Ok(());
        }
        let current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let (_, path, output) = self.current.insert(current);
        output.sink.write(line).map_err(|error| ExportError::from(error).at(path))?;
        self.exported.lines += 1;
        Ok(())
    }
}

/// Up to when all is exported, on disk in the ledger's folder: files may be moved away once they are written.
pub(super) struct Marker(PathBuf);

impl Marker {
    pub(super) fn of(ledger: &Path) -> Self {
        Self(ledger.join("exported"))
    }

    /// The end of what is exported, by the marker or by a file that came after it was written.
    pub(super) fn read(&self, exports: &Path) -> Result<Millis, ExportError> {
        let marked = match std::fs::read_to_string(&self.0) {
            Ok(text) => text.trim().parse::<Timestamp>().map_err(|_| ExportError::Marker(self.0.clone()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Timestamp::MIN,
            Err(error) => return Err(ExportError::from(error).at(&self.0)),
        };
        let newest = newest(exports).map_err(|error| ExportError::from(error).at(exports))?;
        Ok(millis(marked).max(newest.unwrap_or(Millis::MIN)))
    }

    fn write(&self, until: Millis) -> Result<(), ExportError> {
        let written = || {
            let (draft, mut file) = Draft::create(&self.0)?;
            std::io::Write::write_all(&mut file, format!("{}\n", moment(until)).as_bytes())?;
            draft.publish()
        };
        written().map_err(|error| ExportError::from(error).at(&self.0))
    }
}

/// Where the newest file in a folder ends.
fn newest(exports: &Path) -> std::io::Result<Option<Millis>> {
    let mut newest = None;
    for entry in std::fs::read_dir(exports)? {
        let entry = entry?;
        let end = entry.file_name().to_str().and_then(Period::end_of);
        newest = newest.max(end.filter(|_| entry.path().is_file()));
    }
    Ok(newest)
}

/// Removes what runs that were killed left half written.
pub(super) fn clear(exports: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(exports)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let whole = name.and_then(|name| name.strip_prefix('.')?.strip_suffix(".part"));
        if whole.and_then(Period::end_of).is_some() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
