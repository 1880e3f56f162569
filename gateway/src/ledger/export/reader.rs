//! From the log to lines.

use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use jiff::Timestamp;

use super::{ExportError, Line, moment};
use crate::ledger::check::{Arrival, Draw, Experiment, Exposure, What};
use crate::ledger::log::{Entry, Log};
use crate::ledger::state::{Key, State};
use crate::ledger::store::LOG;
use crate::ledger::unit::{Arm, Open};
use crate::ledger::{Millis, unit};

/// What becomes of lines.
pub(super) trait Take {
    /// The lines that follow were counted then.
    fn reach(&mut self, reached: Moment) -> Result<(), ExportError>;

    fn take(&mut self, line: &Line<'_>) -> Result<(), ExportError>;
}

/// A moment of the log's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// It never goes back: while the ledger's clock does, it stands.
    pub(super) at: Millis,
    /// From this moment on, whatever is counted has its exposure in the log. Before, it may have been removed.
    pub(super) whole_from: Millis,
}

/// Hands over the exposures that were counted and are still in the log of `folder`, in the order in which they were counted;
/// only those of `campaign` where one is given.
///
/// # Errors
/// When the log can't be read, or when `to` errs.
pub(super) fn read(folder: &Path, campaign: Option<&str>, to: &mut impl Take) -> Result<(), ExportError> {
    let log = folder.join(LOG);
    let begins = if Log::goes_back_to_the_first(&log)? { Some(Millis::MIN) } else { None };
    let mut reader = Reader {
        campaign,
        to,
        state: State::default(),
        shown: HashMap::default(),
        names: Names::default(),
        now: 0,
        begins,
        longest: 0,
        latest: Millis::MIN,
    };
    Log::read(&log, |entry| reader.visit(entry))
}

/// The log goes through a state of its own, which tells when an exposure counts and with which reward.
struct Reader<'c, T> {
    campaign: Option<&'c str>,
    to: &'c mut T,
    state: State,
    shown: HashMap<Key, Shown>,
    names: Names,
    now: Millis,
    /// The first moment in the log.
    begins: Option<Millis>,
    /// The longest time from an exposure until it counts.
    longest: Millis,
    latest: Millis,
}

/// An exposure that is not counted yet: with its part of the state some 300 bytes.
struct Shown {
    experiment: Arc<Experiment>,
    draw: Arc<Draw>,
    subject: [u8; 16],
    at: Millis,
    decided_at: i64,
}

/// Exposures share what they have in common.
#[derive(Default)]
struct Names {
    experiments: HashSet<Arc<Experiment>>,
    draws: HashSet<Arc<Draw>>,
}

impl<T: Take> Reader<'_, T> {
    fn visit(&mut self, entry: Entry) -> Result<(), ExportError> {
        match entry {
            Entry::Clock(now) => self.advance(now),
            Entry::Arrival(arrival) => {
                self.receive(arrival);
                Ok(())
            }
            Entry::Reopened(experiment, subject, past) => {
                self.state.reopen(Key::new(&experiment, subject), past);
                Ok(())
            }
            Entry::Erased(erasure) => {
                self.state.erase(erasure);
                Ok(())
            }
            // Of decisions alone nothing is told.
            Entry::Decided(..) | Entry::Source(_) => Ok(()),
        }
    }

    fn advance(&mut self, now: Millis) -> Result<(), ExportError> {
        self.now = now;
        self.latest = self.latest.max(now);
        let whole_from = self.begins.get_or_insert(now).saturating_add(self.longest);
        self.to.reach(Moment { at: self.latest, whole_from })?;
        for (key, open) in self.state.sweep(now).counted {
            // Neither whose exposure is no longer in the log, nor a guardrail's unit: an exposure has one line, with its placement's
            // own metric.
            if let Some(shown) = self.shown.remove(&key) {
                self.to.take(&shown.line(&open))?;
            }
        }
        Ok(())
    }

    /// What the log holds was accepted; only whose exposure it no longer holds is unknown here.
    fn receive(&mut self, arrival: Arrival) {
        if self.campaign.is_some_and(|campaign| campaign != arrival.experiment.campaign) {
            return;
        }
        let Ok(_) = self.state.receive(&arrival, self.now, |_| Ok::<_, std::convert::Infallible>(None));
        let key = Key::of(&arrival);
        if let Arrival { experiment, subject, what: What::Exposure(exposure) } = arrival {
            let Exposure { at, window, cap: _, covariate: _, decided_at, draw, guardrails: _ } = exposure;
            self.longest = self.longest.max(unit::closes(0, window));
            let (experiment, draw) = self.names.shared(experiment, draw);
            self.shown.insert(key, Shown { experiment, draw, subject, at, decided_at });
        }
    }
}

impl Shown {
    fn line(&self, open: &Open) -> Line<'_> {
        let Self { experiment, draw, subject, at, decided_at } = self;
        let Experiment { campaign, placement, seed, guardrail: _ } = &**experiment;
        let Draw { arm: Arm { round, segment, variant }, probability } = &**draw;
        Line {
            campaign,
            placement,
            seed: *seed,
            segment,
            round: *round,
            variant,
            probability: f64::from(*probability) / 1e6,
            subject: api::name::hex(subject),
            decided_at: Timestamp::from_second(*decided_at).unwrap_or(Timestamp::MIN),
            exposed_at: moment(*at),
            reward: open.value.value(),
        }
    }
}

impl Names {
    fn shared(&mut self, experiment: Experiment, draw: Draw) -> (Arc<Experiment>, Arc<Draw>) {
        (shared(&mut self.experiments, experiment), shared(&mut self.draws, draw))
    }
}

fn shared<T: Eq + Hash>(known: &mut HashSet<Arc<T>>, new: T) -> Arc<T> {
    if let Some(known) = known.get(&new) {
        return Arc::clone(known);
    }
    let new = Arc::new(new);
    known.insert(Arc::clone(&new));
    new
}
