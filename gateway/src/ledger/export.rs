//! What was shown and what came of it, from the log: for other tools, and for `broadside replay`.

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::check::{Arrival, Draw, Experiment, Exposure, Subject, What};
use super::log::{Entry, Log, LogError};
use super::state::{Key, State};
use super::store::LOG;
use super::unit::{Arm, Open};
use super::{Millis, unit};

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The lines can't be written.
    #[error("the lines can't be written")]
    Write(#[from] std::io::Error),
}

/// One exposure that was counted, as a line of JSON. [docs/gateway.md] describes the fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'e> {
    campaign: &'e str,
    placement: &'e str,
    seed: i64,
    segment: &'e str,
    round: u32,
    variant: &'e str,
    probability: f64,
    subject: String,
    decided_at: Timestamp,
    exposed_at: Timestamp,
    reward: f64,
}

/// Writes a line for each exposure that was counted and is still in the log of `folder`, in the order in which they were
/// counted; only those of `campaign` where one is given. How many lines. The ledger may run meanwhile.
///
/// A reader that wants no more lines is no error.
///
/// # Errors
/// When the log can't be read, or the lines can't be written.
pub fn export(folder: &Path, campaign: Option<&str>, to: impl Write) -> Result<u64, ExportError> {
    let mut export = Export::new(campaign, to);
    let read = Log::read(&folder.join(LOG), |entry| export.visit(entry));
    match read.and_then(|()| Ok(export.to.flush()?)) {
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(export.lines),
        Err(error) => Err(error),
        Ok(()) => Ok(export.lines),
    }
}

/// The log goes through a state of its own, which tells when an exposure counts and with which reward.
struct Export<'c, W: Write> {
    campaign: Option<&'c str>,
    to: std::io::BufWriter<W>,
    state: State,
    open: HashMap<Key, (Experiment, Subject, Exposure)>,
    now: Millis,
    lines: u64,
    told: Instant,
}

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

impl<'c, W: Write> Export<'c, W> {
    fn new(campaign: Option<&'c str>, to: W) -> Self {
        let (to, told) = (std::io::BufWriter::new(to), Instant::now());
        Self { campaign, to, state: State::default(), open: HashMap::new(), now: 0, lines: 0, told }
    }

    fn visit(&mut self, entry: Entry) -> Result<(), ExportError> {
        match entry {
            Entry::Clock(now) => self.advance(now),
            Entry::Arrival(arrival) => {
                self.receive(arrival);
                Ok(())
            }
            Entry::Source(_) => Ok(()),
        }
    }

    fn advance(&mut self, now: Millis) -> Result<(), ExportError> {
        self.now = now;
        if self.told.elapsed() > TOLD_EVERY {
            self.told = Instant::now();
            tracing::info!(lines = self.lines, at = %moment(now), "exporting");
        }
        for (key, open) in self.state.sweep(now).counted {
            if let Some((experiment, subject, exposure)) = self.open.remove(&key) {
                self.write(&experiment, subject, &exposure, &open)?;
            }
        }
        Ok(())
    }

    /// What the log holds was accepted; only whose exposure it no longer holds is unknown here.
    fn receive(&mut self, arrival: Arrival) {
        if self.campaign.is_some_and(|campaign| campaign != arrival.experiment.campaign) {
            return;
        }
        let Ok(_) = self.state.receive(&arrival, self.now, |_| Ok::<_, std::convert::Infallible>(false));
        let key = Key::of(&arrival);
        if let Arrival { experiment, subject, what: What::Exposure(exposure) } = arrival {
            self.open.insert(key, (experiment, subject, exposure));
        }
    }

    fn write(
        &mut self,
        Experiment { campaign, placement, seed }: &Experiment,
        subject: Subject,
        exposure: &Exposure,
        open: &Open,
    ) -> Result<(), ExportError> {
        let Exposure { at, window: _, decided_at, draw } = exposure;
        let Draw { arm: Arm { round, segment, variant }, probability } = draw;
        let line = Line {
            campaign,
            placement,
            seed: *seed,
            segment,
            round: *round,
            variant,
            probability: f64::from(*probability) / 1e6,
            subject: api::name::hex(&subject),
            decided_at: Timestamp::from_second(*decided_at).unwrap_or(Timestamp::MIN),
            exposed_at: moment(*at),
            reward: unit::value(open),
        };
        serde_json::to_writer(&mut self.to, &line).map_err(std::io::Error::from)?;
        self.to.write_all(b"\n")?;
        self.lines += 1;
        Ok(())
    }
}

fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MIN)
}
