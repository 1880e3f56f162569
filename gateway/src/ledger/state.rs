//! What all events so far have come to: the units whose window runs, and the sums of those whose window has passed.
//!
//! Pure: the same entries in the same order give the same state, which is how a ledger is read back from its log. Who
//! was counted before is not held here but asked for, since it is many and seldom needed.

mod book;
mod key;
mod snapshot;
mod unexposed;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::wire::event::Outcome;
use api::wire::totals::PlacementTotals;
use foldhash::{HashMap, HashSet};

pub(super) use key::Key;
pub(super) use snapshot::{Layout, Snapshot, SnapshotError};

use super::Millis;
use super::amount::Amount;
use super::check::{Arrival, Click, Decision, Erasure, Experiment, Exposure, Subject, What};
use super::unit::{self, Arm, Decided, Open, Past, Receipt, Reward, Unit};
use book::Book;
use key::{Name, name};

/// For how many units rewards may come late in the week that they are looked for: some 75 MB. What comes late for others is
/// told `late` and not counted apart.
const CORRECTED_LIMIT: usize = 250_000;

/// The units whose window runs, and the sums.
#[derive(Debug, Default)]
pub(super) struct State {
    books: HashMap<Name, Book>,
    /// The books of each campaign.
    campaigns: BTreeMap<String, Vec<Name>>,
    units: HashMap<Key, Unit>,
    /// When units are due. What is no longer true stays until its moment comes. Most come at the end and all go at the
    /// beginning, where a tree is quick: in a heap of a million each that goes moves twenty others.
    due: BTreeSet<(Millis, Key)>,
    /// How many of them were counted, and are here for what came late.
    corrected: usize,
    /// Units share what they were shown.
    arms: HashSet<Arc<Arm>>,
    /// The last message of a stream that is in here; zero for none.
    source: u64,
    /// What was erased here, and may still stand in older files, in order.
    erasures: Vec<Erasure>,
    /// How many checkpoints must follow until none names those who left that list.
    residue: usize,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Units that were counted, as they were then.
    pub counted: Vec<(Key, Open)>,
    /// How many exposures that is: a guardrail's unit is one more of the same.
    pub exposures: usize,
    /// How many were forgotten, since their exposure never came.
    pub forgotten: usize,
}

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub receipt: Receipt,
    /// What is to stand in the log before it, since who reads that asks for nobody.
    pub before: Option<Before>,
}

/// What was known of a unit that is not here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It was counted so, and something comes late for it.
    Counted(Past),
    /// Copy was chosen for the subject, who sees copy now.
    Decided(Decided),
}

impl Received {
    fn of(receipt: Receipt) -> Self {
        Self { receipt, before: None }
    }
}

impl State {
    /// Counts the exposures whose window has passed at `now`, and forgets rewards that waited in vain.
    pub(super) fn sweep(&mut self, now: Millis) -> Swept {
        let mut swept = Swept::default();
        while let Some((moment, key)) = self.due.first().copied().filter(|(moment, _)| *moment <= now) {
            self.due.pop_first();
            self.end(key, moment, &mut swept);
        }
        swept
    }

    /// A unit was due at a moment, unless that is no longer true.
    fn end(&mut self, key: Key, moment: Millis, swept: &mut Swept) {
        let Entry::Occupied(unit) = self.units.entry(key) else { return };
        if unit.get().due() != Some(moment) {
            return;
        }
        match unit.remove() {
            Unit::Open(open) => {
                let book = self.books.get_mut(&key.experiment()).expect("an open unit has a book");
                book.count(&open);
                swept.exposures += usize::from(book.experiment().guardrail.is_none());
                swept.counted.push((key, open));
            }
            // What came late stands in the sums, and the unit among those that were counted.
            Unit::Corrected(_) => self.corrected -= 1,
            Unit::Waiting(_) | Unit::Counted(_) => swept.forgotten += 1,
        }
    }

    /// What becomes of an event that arrives at `now`. Sweep up to `now` before, so that nothing is open that should be
    /// counted. `counted` is asked about units that are not here.
    ///
    /// # Errors
    /// When `counted` does; then nothing has changed.
    pub(super) fn receive<E>(
        &mut self,
        arrival: &Arrival,
        now: Millis,
        counted: impl Fn(&Key) -> Result<Option<Past>, E>,
    ) -> Result<Received, E> {
        let Arrival { experiment, subject, what } = arrival;
        let is_counted = |key| counted(key).map(|past| past.is_some());
        match what {
            What::Decision(decision) => {
                let (own, unit) = (Key::of(arrival), Key::new(experiment, *subject));
                let is_known = self.is_exposed(&unit) || is_counted(&own)? || is_counted(&unit)?;
                Ok(Received::of(self.decide(is_known, experiment, decision, now)))
            }
            What::Exposure(exposure) => self.expose(experiment, *subject, exposure, now, counted),
            What::Reward(reward) => self.reward(experiment, *subject, reward, now, counted),
            What::Click(click) => {
                let is_known = is_counted(&Key::of(arrival))?;
                Ok(Received::of(self.click(is_known, experiment, click)))
            }
        }
    }

    fn expose<E>(
        &mut self,
        experiment: &Experiment,
        subject: Subject,
        exposure: &Exposure,
        now: Millis,
        counted: impl Fn(&Key) -> Result<Option<Past>, E>,
    ) -> Result<Received, E> {
        let key = Key::new(experiment, subject);
        let decided = match self.books.get(&key.experiment()) {
            Some(book) if book.is_decided() && !self.is_exposed(&key) => {
                counted(&Key::decisions(experiment, subject))?.map(|Past { arm, at, .. }| Decided { arm, at })
            }
            _ => None,
        };
        let unit = self.take(&key, &counted)?;
        let shown = self.shown(exposure, exposure.window, exposure.cap);
        let receipt = self.open(key, experiment, unit, shown, now);
        if !receipt.is_kept() {
            return Ok(Received::of(receipt));
        }
        for guardrail in &exposure.guardrails {
            let shown = self.shown(exposure, guardrail.window, guardrail.cap);
            self.watch(&experiment.watched_by(&guardrail.metric), subject, shown, now);
        }
        if let Some(decided) = decided {
            self.book(key.experiment(), experiment).expose(decided);
        }
        Ok(Received { receipt, before: decided.map(Before::Decided) })
    }

    /// Opens a unit, if it is not too late for that and was not done before.
    fn open(
        &mut self,
        key: Key,
        experiment: &Experiment,
        unit: Option<Unit>,
        shown: unit::Exposure,
        now: Millis,
    ) -> Receipt {
        let was_due = unit.as_ref().and_then(Unit::due);
        let (receipt, unit) = unit::expose(unit, shown, now);
        self.keep(key, unit, was_due);
        if receipt.is_kept() {
            self.book(key.experiment(), experiment).begin();
        }
        receipt
    }

    /// What counts for the placement counts for a guardrail too, unless its own window has closed by now. Nobody is asked for:
    /// a guardrail's unit is opened with the placement's and at no other time, so all of its people are the placement's, in the
    /// same cells, and whoever is new there is new here.
    fn watch(&mut self, guardrail: &Experiment, subject: Subject, shown: unit::Exposure, now: Millis) {
        let key = Key::new(guardrail, subject);
        let unit = self.units.remove(&key);
        self.open(key, guardrail, unit, shown, now);
    }

    /// An exposure as a metric of this window and cap counts it.
    fn shown(&mut self, exposure: &Exposure, window: Millis, cap: Amount) -> unit::Exposure {
        let Exposure { at, covariate, draw, .. } = exposure;
        unit::Exposure { at: *at, window, cap, covariate: *covariate, arm: self.arm(&draw.arm) }
    }

    fn reward<E>(
        &mut self,
        experiment: &Experiment,
        subject: Subject,
        reward: &Reward,
        now: Millis,
        counted: impl Fn(&Key) -> Result<Option<Past>, E>,
    ) -> Result<Received, E> {
        let key = Key::new(experiment, subject);
        let unit = self.take(&key, counted)?;
        let was_due = unit.as_ref().and_then(Unit::due);
        let past = if let Some(Unit::Counted(past)) = &unit { Some(past.clone()) } else { None };
        if past.is_some() && self.corrected >= CORRECTED_LIMIT {
            return Ok(Received::of(unit::TOO_LATE));
        }
        let late = unit.as_ref().map_or(Amount::ZERO, Unit::more);
        let (receipt, unit) = unit::reward(unit, *reward, now);
        match &unit {
            // Whoever looks for all units of a subject looks in all books.
            Some(Unit::Waiting(_)) => drop(self.book(key.experiment(), experiment)),
            Some(Unit::Corrected(corrected)) if receipt.is_kept() => {
                self.corrected += usize::from(past.is_some());
                self.book(key.experiment(), experiment).correct(corrected, late);
            }
            _ => {}
        }
        self.keep(key, unit, was_due);
        let before = past.filter(|_| receipt.is_kept()).map(Before::Counted);
        Ok(Received { receipt, before })
    }

    /// What is known of a unit.
    fn take<E>(
        &mut self,
        key: &Key,
        counted: impl Fn(&Key) -> Result<Option<Past>, E>,
    ) -> Result<Option<Unit>, E> {
        match self.units.remove(key) {
            None => Ok(counted(key)?.map(Unit::Counted)),
            unit => Ok(unit),
        }
    }

    /// Whether a unit that is here was exposed.
    fn is_exposed(&self, key: &Key) -> bool {
        matches!(self.units.get(key), Some(Unit::Open(_) | Unit::Corrected(_)))
    }

    /// Forgets what is known about a subject: its units, whose keys these are. What they were counted for stays in the sums,
    /// which tell of nobody.
    pub(super) fn erase(&mut self, erasure: Erasure) -> Vec<Key> {
        let Self { books, campaigns, units, corrected, erasures, .. } = self;
        let mut keys = Vec::new();
        for name in campaigns.get(&erasure.campaign).into_iter().flatten() {
            let book = books.get_mut(name).expect("its campaign names it");
            let unit = Key::new(book.experiment(), erasure.subject);
            match units.remove(&unit) {
                Some(Unit::Open(_)) => book.end(),
                Some(Unit::Corrected(_)) => *corrected -= 1,
                Some(Unit::Waiting(_) | Unit::Counted(_)) | None => {}
            }
            keys.push(unit);
            if book.experiment().guardrail.is_none() {
                let own = |of: fn(&Experiment, Subject) -> Key| of(book.experiment(), erasure.subject);
                keys.extend([own(Key::decisions), own(Key::clicks)]);
            }
        }
        erasures.push(erasure);
        keys
    }

    /// What was erased here, and may still stand in older files, in order.
    pub(super) fn erasures(&self) -> &[Erasure] {
        &self.erasures
    }

    /// How many checkpoints must follow until none names those who left that list.
    pub(super) fn residue(&self) -> usize {
        self.residue
    }

    /// The first of the list stand in no file any more but in checkpoints, after which so many must follow.
    pub(super) fn erased(&mut self, first: usize, residue: usize) {
        self.erasures.drain(..first);
        self.residue = residue;
    }

    /// The campaigns of which anything is known.
    pub(super) fn campaigns(&self) -> BTreeSet<String> {
        self.campaigns.keys().cloned().collect()
    }

    /// A decision is in the sums at once. The store remembers for whom it was.
    fn decide(
        &mut self,
        is_known: bool,
        experiment: &Experiment,
        decision: &Decision,
        now: Millis,
    ) -> Receipt {
        if !is_known {
            let arm = self.arm(&decision.draw.arm);
            self.book(name(experiment), experiment).decide(&arm, now);
        }
        Receipt::of(if is_known { Outcome::Duplicate } else { Outcome::Accepted })
    }

    /// A click is in the sums at once. The store remembers whose it was.
    fn click(&mut self, is_known: bool, experiment: &Experiment, click: &Click) -> Receipt {
        if !is_known {
            let arm = self.arm(&click.draw.arm);
            self.book(name(experiment), experiment).click(&arm);
        }
        Receipt::of(if is_known { Outcome::Duplicate } else { Outcome::Accepted })
    }

    /// A unit that was counted is here again, since something comes late for it.
    pub(super) fn reopen(&mut self, key: Key, past: Past) {
        self.units.insert(key, Unit::Counted(past));
    }

    /// The next exposure is that of a subject for whom copy was chosen before.
    pub(super) fn expose_decided(&mut self, experiment: &Experiment, decided: Decided) {
        self.book(name(experiment), experiment).expose(decided);
    }

    /// The sums of a campaign at a moment, by placement, seed and cell, those of guardrails with their placement's.
    pub(super) fn totals(&self, campaign: &str, now: Millis) -> Vec<PlacementTotals> {
        let names = self.campaigns.get(campaign).into_iter().flatten();
        let mut books: Vec<&Book> =
            names.filter_map(|name| self.books.get(name)).filter(|book| !book.is_empty()).collect();
        // A placement comes before its guardrails.
        books.sort_unstable_by(|one, other| one.experiment().cmp(other.experiment()));
        let mut placements = Vec::new();
        for book in books {
            match &book.experiment().guardrail {
                None => placements.push(book.totals(now)),
                Some(metric) => {
                    let totals = book.guardrail_totals(metric, now);
                    of_placement(&mut placements, book.experiment()).guardrails.push(totals);
                }
            }
        }
        placements
    }

    /// All up to this message of a stream is in here from now on.
    pub(super) fn set_source(&mut self, sequence: u64) {
        self.source = sequence;
    }

    /// The last message of a stream that is in here; zero for none.
    pub(super) fn source(&self) -> u64 {
        self.source
    }

    /// How many units are kept.
    pub(super) fn units(&self) -> usize {
        self.units.len()
    }

    /// Keeps what becomes of a unit. Of those that were counted the store knows.
    fn keep(&mut self, key: Key, unit: Option<Unit>, was_due: Option<Millis>) {
        let Some(unit) = unit.filter(|unit| !matches!(unit, Unit::Counted(_))) else { return };
        if let Some(moment) = unit.due().filter(|moment| was_due != Some(*moment)) {
            self.due.insert((moment, key));
        }
        self.units.insert(key, unit);
    }

    /// The book of an experiment, by its name, which is taken from a key where there is one.
    fn book(&mut self, name: Name, experiment: &Experiment) -> &mut Book {
        if !self.books.contains_key(&name) {
            self.insert(Book::new(experiment.clone()));
        }
        self.books.get_mut(&name).expect("it is there now")
    }

    fn insert(&mut self, book: Book) {
        let Experiment { campaign, .. } = book.experiment();
        let name = name(book.experiment());
        self.campaigns.entry(campaign.clone()).or_default().push(name);
        self.books.insert(name, book);
    }

    fn arm(&mut self, arm: &Arm) -> Arc<Arm> {
        if let Some(known) = self.arms.get(arm) {
            return Arc::clone(known);
        }
        let new = Arc::new(arm.clone());
        self.arms.insert(Arc::clone(&new));
        new
    }

    /// Forgets what no unit and no sum refers to.
    fn forget_arms(&mut self) {
        self.arms.retain(|arm| Arc::strong_count(arm) > 1);
    }
}

/// The totals of a guardrail's placement, which come last. Where all was erased but what a guardrail had counted, the placement
/// has none of its own.
fn of_placement<'t>(
    placements: &'t mut Vec<PlacementTotals>,
    Experiment { campaign: _, placement, seed, guardrail: _ }: &Experiment,
) -> &'t mut PlacementTotals {
    let is_its = |last: &PlacementTotals| last.name == *placement && last.seed == *seed;
    if !placements.last().is_some_and(is_its) {
        placements.push(book::no_totals(placement.clone(), *seed));
    }
    placements.last_mut().expect("it is there now")
}

/// What is kept of a unit that was counted.
pub(super) fn past(open: Open) -> Past {
    let arm = name(&*open.arm);
    open.past(arm)
}

/// What is kept of an event that is counted as soon as it came, `now`, and under which name.
pub(super) fn kept(arrival: &Arrival, now: Millis) -> Option<(Key, Past)> {
    let past = match &arrival.what {
        What::Decision(Decision { draw, .. }) => Past { arm: name(&draw.arm), at: now, ..Past::closed() },
        What::Click(_) => Past::closed(),
        What::Exposure(_) | What::Reward(_) => return None,
    };
    Some((Key::of(arrival), past))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::check::{Draw, Guardrail};
    use super::*;
    use Outcome::{Accepted, Duplicate, Late};

    fn hero() -> Experiment {
        Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail: None }
    }

    /// One that was shown at 0 and counts for a second, and for guardrails of these names for as long as they say.
    fn shown(guardrails: &[(&str, Millis)]) -> Arrival {
        let cap = Amount::ONE;
        let guardrail =
            |(metric, window): &(&str, _)| Guardrail { metric: (*metric).into(), window: *window, cap };
        let arm = Arm { round: 1, segment: "all".into(), variant: "warm".into() };
        let exposure = Exposure {
            at: 0,
            window: 1_000,
            cap,
            covariate: Amount::new(2.0),
            decided_at: 0,
            draw: Draw { arm, probability: 500_000 },
            guardrails: guardrails.iter().map(guardrail).collect(),
        };
        Arrival { experiment: hero(), subject: [7; 16], what: What::Exposure(exposure) }
    }

    fn acted(metric: &str) -> Arrival {
        let reward = Reward { id: 1, at: 5, window: 1_000, value: Amount::ONE };
        Arrival { experiment: hero().watched_by(metric), subject: [7; 16], what: What::Reward(reward) }
    }

    fn receive(state: &mut State, arrival: &Arrival, now: Millis) -> Outcome {
        let Ok(received) = state.receive(arrival, now, |_| Ok::<_, Infallible>(None));
        received.receipt.outcome
    }

    /// Open and counted exposures, and rewards: of the placement, and of its guardrails by name.
    fn sums(state: &State, now: Millis) -> Vec<(String, u64, u64, f64)> {
        let cells = |name: &str, pending, cells: &[api::wire::totals::CellTotals]| {
            let exposures = cells.iter().map(|cell| cell.exposures).sum();
            (name.to_owned(), pending, exposures, cells.iter().map(|cell| cell.rewards).sum())
        };
        let of_one = |placement: &PlacementTotals| {
            let own = cells(&placement.name, placement.pending_exposures, &placement.cells);
            let watched = placement.guardrails.iter();
            let watched = watched.map(|it| cells(&it.metric, it.pending_exposures, &it.cells));
            std::iter::once(own).chain(watched).collect::<Vec<_>>()
        };
        state.totals("8c4e", now).iter().flat_map(of_one).collect()
    }

    fn sum(name: &str, pending: u64, exposures: u64, rewards: f64) -> (String, u64, u64, f64) {
        (name.to_owned(), pending, exposures, rewards)
    }

    #[test]
    fn an_exposure_counts_for_each_guardrail_when_the_guardrails_own_window_has_passed() {
        let mut state = State::default();
        assert_eq!(receive(&mut state, &acted("bounce"), 5), Accepted, "it waits");
        assert_eq!(receive(&mut state, &shown(&[("bounce", 100), ("spent", 10_000)]), 7), Accepted);
        assert_eq!(receive(&mut state, &acted("spent"), 8), Accepted);
        assert_eq!(
            sums(&state, 8),
            [sum("hero", 1, 0, 0.0), sum("bounce", 1, 0, 0.0), sum("spent", 1, 0, 0.0)]
        );
        assert_eq!(state.sweep(110).exposures, 0, "a guardrail's unit is no exposure more");
        assert_eq!(
            sums(&state, 110),
            [sum("hero", 1, 0, 0.0), sum("bounce", 0, 1, 1.0), sum("spent", 1, 0, 0.0)]
        );
        assert_eq!(state.sweep(1_100).exposures, 1);
        assert_eq!(state.sweep(11_000).exposures, 0);
        assert_eq!(
            sums(&state, 11_000),
            [sum("hero", 0, 1, 0.0), sum("bounce", 0, 1, 1.0), sum("spent", 0, 1, 1.0)]
        );
        let known = state.totals("8c4e", 11_000)[0].guardrails[1].cells[0].covariate.unwrap();
        assert_eq!(
            (known.sum, known.products),
            (2.0, 2.0),
            "what was known of her is the same, with other rewards"
        );
    }

    #[test]
    fn who_was_shown_before_a_guardrail_was_named_is_not_in_its_sums() {
        let mut state = State::default();
        assert_eq!(receive(&mut state, &shown(&[]), 0), Accepted);
        assert_eq!(receive(&mut state, &shown(&[("bounce", 1_000)]), 1), Duplicate);
        assert_eq!(receive(&mut state, &acted("bounce"), 6), Accepted, "it may wait for an exposure");
        assert_eq!(sums(&state, 6), [sum("hero", 1, 0, 0.0)]);
    }

    #[test]
    fn what_comes_too_late_for_one_of_both_is_not_counted_half() {
        let mut state = State::default();
        assert_eq!(receive(&mut state, &shown(&[("bounce", 100_000)]), 1_100), Late);
        assert_eq!(sums(&state, 1_100), [], "too late for the placement, so for all");
        assert_eq!(receive(&mut state, &shown(&[("bounce", 100)]), 110), Accepted);
        assert_eq!(sums(&state, 110), [sum("hero", 1, 0, 0.0)], "too late for the guardrail alone");
    }

    #[test]
    fn who_is_erased_is_erased_from_guardrails_too_and_what_these_had_counted_stays() {
        let mut state = State::default();
        receive(&mut state, &shown(&[("bounce", 100), ("spent", 10_000)]), 0);
        state.sweep(110);
        let keys = state.erase(Erasure { campaign: "8c4e".into(), subject: [7; 16] });
        for metric in ["bounce", "spent"] {
            assert!(keys.contains(&Key::new(&hero().watched_by(metric), [7; 16])), "{metric}");
        }
        assert_eq!(keys.len(), 5, "decisions and clicks are the placement's");
        assert_eq!(sums(&state, 110), [sum("hero", 0, 0, 0.0), sum("bounce", 0, 1, 0.0)]);
        assert_eq!(state.units(), 0);
    }

    #[test]
    fn a_state_reads_back_and_is_written_as_ever_where_it_has_no_guardrail() {
        for (guardrails, layout) in
            [(&[][..], Layout::Plain), (&[("bounce", 100), ("spent", 10_000)][..], Layout::WithGuardrails)]
        {
            let mut state = State::default();
            receive(&mut state, &shown(guardrails), 0);
            state.sweep(110);
            let written = state.snapshot();
            assert_eq!(written.layout, layout);
            let read = State::from_snapshot(layout, &written.body).unwrap();
            assert_eq!((sums(&read, 110), read.units()), (sums(&state, 110), state.units()));
            if layout == Layout::WithGuardrails {
                assert!(State::from_snapshot(Layout::Plain, &written.body).is_err());
            }
        }
    }
}
