//! The ledger against a plain reference, over random events that are repeated, reordered, delayed and interrupted.
//!
//! The reference keeps a log of what was accepted and derives everything from it anew; the ledger keeps states. They
//! share no code but the check of an event's shape.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::MetricKind;
use api::wire::event::{Event, EventKind, Outcome};
use api::wire::token::{Claims, Keys};
use api::wire::totals::{CellTotals, CovariateTotals, GuardrailTotals, LateTotals};
use gateway::ledger::check::{Arrival, Erasure, check, click};
use gateway::ledger::store::{Bounds, FileLengths, Group, Store};
use gateway::ledger::unit::{
    CORRECTED_WITHIN, PAST_IDS, Receipt, SEEN_WITHIN, WAITING_LIMIT, WAITING_REWARDS, allowance,
};
use gateway::ledger::{Millis, millis};
use gateway::size::Size;
use gateway::tables::{Index, Snapshot};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::samples::{SAMPLE, START, Sample, keys};
use crate::signed::claims;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// What the metric counts: each reward for one, or for as many cents as it says.
#[derive(Clone, Copy, Debug)]
struct Metric {
    window: Millis,
    kind: MetricKind,
    cap_cents: Option<i64>,
}

impl Metric {
    fn cap(&self) -> i64 {
        match self.kind {
            MetricKind::Binary => 100,
            MetricKind::Value => self.cap_cents.unwrap_or(100_000_000_000),
        }
    }
}

/// What a world counts.
#[derive(Clone, Copy, Debug)]
struct Counts {
    metric: Metric,
    /// What is watched for harm, uncapped.
    guardrail: Option<Metric>,
}

const SEEDS: std::ops::RangeInclusive<i64> = 1..=2;

/// What the sender knows about an event.
#[derive(Clone, Debug)]
struct Sent {
    seed: i64,
    subject: u32,
    arm: (u32, &'static str),
    decided_at: Millis,
    at: Millis,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Exposure {
        covariate: Option<i32>,
    },
    Reward {
        id: u32,
        cents: i64,
    },
    /// One of the guardrail.
    Harm {
        id: u32,
        cents: i64,
    },
    Decision,
    Click,
}

impl Sent {
    fn cell(&self) -> (i64, u32, String) {
        let (round, variant) = self.arm;
        (self.seed, round, variant.to_owned())
    }

    fn reward(&self) -> Option<(u32, i64)> {
        match self.what {
            What::Reward { id, cents } | What::Harm { id, cents } => Some((id, cents)),
            What::Exposure { .. } | What::Decision | What::Click => None,
        }
    }
}

/// What was accepted about one unit, and what came late, both in order of arrival.
#[derive(Default)]
struct Log {
    accepted: Vec<(Sent, Millis)>,
    late: Vec<Sent>,
    /// The first decision that was told before an exposure, and when.
    decision: Option<(Sent, Millis)>,
    /// The first click.
    click: Option<Sent>,
}

/// By seed, round and variant; and how many exposures are open, by seed.
type Sums = (BTreeMap<(i64, u32, String), Cell>, BTreeMap<i64, u64>);

/// n, Σy, Σy², with y in cents.
type Moments = (i64, i128, i128);

/// The sums of one cell and variant, in whole cents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    counted: Moments,
    /// n, Σx, Σx².
    covariate: Moments,
    products: i128,
    late: Moments,
    /// Where decisions were told: those who were exposed, and those who were not.
    decisions: u64,
    clicks: u64,
}

struct Reference {
    metric: Metric,
    units: BTreeMap<(i64, u32), Log>,
    /// Where those who were erased are still counted.
    erased: BTreeMap<(i64, u32, String), Cell>,
    /// The seeds of which decisions were told.
    decided: BTreeSet<i64>,
    /// Those of people who were erased before they saw copy.
    erased_decisions: Vec<(Sent, Millis)>,
    /// One of its own, which is told of the exposures that count here, and of its rewards.
    guardrail: Option<Box<Self>>,
}

impl Reference {
    fn new(metric: Metric, guardrail: Option<Metric>) -> Self {
        Self {
            metric,
            units: BTreeMap::new(),
            erased: BTreeMap::new(),
            decided: BTreeSet::new(),
            erased_decisions: Vec::new(),
            guardrail: guardrail.map(|metric| Box::new(Self::new(metric, None))),
        }
    }

    /// What becomes of an event, for the guardrail too.
    fn receive_all(&mut self, sent: &Sent, now: Millis) -> Outcome {
        let guardrail = self.guardrail.as_mut();
        if let (What::Harm { .. }, Some(guardrail)) = (sent.what, guardrail) {
            return guardrail.receive(sent, now);
        }
        let outcome = self.receive(sent, now);
        let counts = outcome == Outcome::Accepted && matches!(sent.what, What::Exposure { .. });
        if let Some(guardrail) = self.guardrail.as_mut().filter(|_| counts) {
            guardrail.receive(sent, now);
        }
        outcome
    }

    fn receive(&mut self, sent: &Sent, now: Millis) -> Outcome {
        let log = self.units.entry((sent.seed, sent.subject)).or_default();
        let outcome = match sent.what {
            What::Exposure { .. } => log.judge_exposure(sent, now, self.metric),
            What::Reward { id, .. } | What::Harm { id, .. } => log.judge_reward(sent, id, now, self.metric),
            What::Decision => log.decide(sent, now),
            What::Click => log.click(sent),
        };
        if matches!((sent.what, outcome.told()), (What::Decision, Outcome::Accepted)) {
            self.decided.insert(sent.seed);
        }
        match outcome {
            Judged::Accepted => log.accepted.push((sent.clone(), now)),
            Judged::Apart => log.late.push(sent.clone()),
            Judged::Refused(_) => {}
        }
        outcome.told()
    }

    /// What was counted stays counted, and whatever comes of the subject then is a stranger's.
    fn erase(&mut self, subject: u32, now: Millis) {
        if let Some(guardrail) = &mut self.guardrail {
            guardrail.erase(subject, now);
        }
        for seed in SEEDS {
            if let Some(log) = self.units.remove(&(seed, subject)) {
                log.sum(seed, now, self.metric, &mut self.erased);
                self.erased_decisions.extend(log.unexposed().cloned());
            }
        }
    }

    fn all_sums(&self, now: Millis) -> [Sums; 2] {
        let guardrail = self.guardrail.as_ref();
        [self.sums(now), guardrail.map(|guardrail| guardrail.sums(now)).unwrap_or_default()]
    }

    fn sums(&self, now: Millis) -> Sums {
        let (mut cells, mut open) = (self.erased.clone(), BTreeMap::new());
        let unexposed = self.units.values().flat_map(Log::unexposed).chain(&self.erased_decisions);
        // By whole minutes, from the end of the one in which it was told.
        let settled = |told: Millis| (told / 60_000 + 1) * 60_000 + SEEN_WITHIN <= now;
        for (sent, told) in unexposed {
            let cell: &mut Cell = cells.entry(sent.cell()).or_default();
            cell.decisions += u64::from(settled(*told));
        }
        for ((seed, _), log) in &self.units {
            *open.entry(*seed).or_default() += u64::from(log.sum(*seed, now, self.metric, &mut cells));
        }
        open.retain(|_, pending| *pending > 0);
        // Also where all are erased who stand in them.
        for (seed, ..) in cells.keys() {
            open.entry(*seed).or_default();
        }
        for ((seed, ..), cell) in &mut cells {
            cell.decisions = if self.decided.contains(seed) { cell.decisions } else { 0 };
        }
        (cells, open)
    }
}

/// What becomes of an event.
#[derive(Clone, Copy)]
enum Judged {
    Accepted,
    Apart,
    Refused(Outcome),
}

impl Judged {
    fn told(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::Apart => Outcome::Late,
            Self::Refused(outcome) => outcome,
        }
    }
}

impl Log {
    fn exposure(&self) -> Option<&(Sent, Millis)> {
        self.accepted.iter().find(|(sent, _)| sent.reward().is_none())
    }

    /// The decision of somebody who has seen no copy.
    fn unexposed(&self) -> impl Iterator<Item = &(Sent, Millis)> {
        self.decision.iter().filter(|_| self.exposure().is_none())
    }

    /// Accepted rewards that had not been given up when their exposure came, or at `now` while none has come.
    fn rewards(&self, now: Millis, window: Millis) -> impl DoubleEndedIterator<Item = &Sent> {
        let exposed = self.exposure().map(|(_, arrived)| *arrived);
        self.accepted.iter().filter_map(move |(sent, arrived)| {
            let until = closes(sent.at, window).min(arrived + WAITING_LIMIT);
            let kept = exposed.is_some_and(|exposed| *arrived >= exposed) || until > exposed.unwrap_or(now);
            (sent.reward().is_some() && kept).then_some(sent)
        })
    }

    /// Adds what is counted at `now`; whether an exposure is open.
    fn sum(
        &self,
        seed: i64,
        now: Millis,
        metric: Metric,
        cells: &mut BTreeMap<(i64, u32, String), Cell>,
    ) -> bool {
        let mut cell = |(round, variant): (u32, &str), add: &dyn Fn(&mut Cell)| {
            add(cells.entry((seed, round, variant.to_owned())).or_default());
        };
        if let Some(click) = &self.click {
            cell(click.arm, &|cell| cell.clicks += 1);
        }
        match self.exposure() {
            Some((exposure, _)) if now < closes(exposure.at, metric.window) => true,
            Some((exposure, _)) => {
                cell(exposure.arm, &|cell| self.count(cell, exposure, metric));
                false
            }
            None => false,
        }
    }

    /// What the exposure counts for.
    fn value(&self, exposure: &Sent, metric: Metric) -> i64 {
        let within = exposure.at..=exposure.at + metric.window;
        let counts = self.rewards(0, metric.window).filter(|reward| within.contains(&reward.at));
        cents(counts).min(metric.cap())
    }

    fn count(&self, cell: &mut Cell, exposure: &Sent, metric: Metric) {
        let before = self.value(exposure, metric);
        let after = (before + cents(self.late.iter())).min(metric.cap());
        add(&mut cell.counted, before);
        cell.decisions += 1;
        if let What::Exposure { covariate: Some(x) } = exposure.what {
            add(&mut cell.covariate, x.into());
            cell.products += i128::from(x) * i128::from(before);
        }
        let (y, z) = (i128::from(before), i128::from(after));
        cell.late.0 += i64::from(after > before);
        cell.late.1 += z - y;
        cell.late.2 += z * z - y * y;
    }

    fn decide(&mut self, sent: &Sent, now: Millis) -> Judged {
        if sent.at - sent.decided_at > DAY {
            return Judged::Refused(Outcome::Late);
        }
        if self.decision.is_some() || self.exposure().is_some() {
            return Judged::Refused(Outcome::Duplicate);
        }
        self.decision = Some((sent.clone(), now));
        Judged::Refused(Outcome::Accepted)
    }

    fn click(&mut self, sent: &Sent) -> Judged {
        let is_known = self.click.is_some();
        self.click.get_or_insert_with(|| sent.clone());
        Judged::Refused(if is_known { Outcome::Duplicate } else { Outcome::Accepted })
    }

    fn judge_exposure(&self, sent: &Sent, now: Millis, metric: Metric) -> Judged {
        // The check comes before the ledger and knows no units.
        if sent.at - sent.decided_at > DAY {
            return Judged::Refused(Outcome::Late);
        }
        match self.exposure() {
            Some(_) => Judged::Refused(Outcome::Duplicate),
            None if now >= closes(sent.at, metric.window) => Judged::Refused(Outcome::Late),
            None => Judged::Accepted,
        }
    }

    fn judge_reward(&self, sent: &Sent, id: u32, now: Millis, metric: Metric) -> Judged {
        let window = metric.window;
        let is_known = || self.rewards(now, window).any(|other| is(other, id));
        match self.exposure() {
            Some((exposure, _)) if now >= closes(exposure.at, window) => {
                self.judge_late(sent, id, exposure, now, metric)
            }
            _ if is_known() => Judged::Refused(Outcome::Duplicate),
            Some((exposure, _)) if sent.at < exposure.at => Judged::Refused(Outcome::Invalid),
            Some((exposure, _)) if sent.at > exposure.at + window => Judged::Refused(Outcome::Late),
            None if now >= closes(sent.at, window) => Judged::Refused(Outcome::Late),
            None if self.rewards(now, window).count() >= WAITING_REWARDS => Judged::Refused(Outcome::Invalid),
            _ => Judged::Accepted,
        }
    }

    fn judge_late(&self, sent: &Sent, id: u32, exposure: &Sent, now: Millis, metric: Metric) -> Judged {
        let value = self.value(exposure, metric);
        let is_full = |value| value >= metric.cap();
        let mut last = self.rewards(0, metric.window).rev().take(PAST_IDS);
        let is_known = !is_full(value) && last.any(|other| is(other, id));
        let is_over = now >= closes(exposure.at, metric.window) + CORRECTED_WITHIN;
        if is_known || !is_over && self.late.iter().any(|other| is(other, id)) {
            return Judged::Refused(Outcome::Duplicate);
        }
        if sent.at < exposure.at {
            return Judged::Refused(Outcome::Invalid);
        }
        if sent.at > exposure.at + metric.window || is_over || is_full(value + cents(self.late.iter())) {
            return Judged::Refused(Outcome::Late);
        }
        Judged::Apart
    }
}

fn is(sent: &Sent, id: u32) -> bool {
    sent.reward().is_some_and(|(other, _)| other == id)
}

fn cents<'s>(rewards: impl Iterator<Item = &'s Sent>) -> i64 {
    rewards.filter_map(Sent::reward).map(|(_, cents)| cents).sum()
}

fn add(moments: &mut Moments, y: i64) {
    let y = i128::from(y);
    *moments = (moments.0 + 1, moments.1 + y, moments.2 + y * y);
}

fn closes(at: Millis, window: Millis) -> Millis {
    at + window + allowance(window)
}

/// A random world: its events happen within a few windows, and arrive in any order up to a window and a half later.
struct Generator {
    random: Xoshiro256PlusPlus,
    metric: Metric,
    guardrail: Option<Metric>,
    subjects: u32,
    sent: Vec<Sent>,
}

impl Generator {
    fn event(&mut self, now: Millis) -> Sent {
        if !self.sent.is_empty() && self.random.random_bool(0.2) {
            let again = self.random.random_range(0..self.sent.len());
            return self.sent[again].clone();
        }
        let sent = self.fresh(now);
        self.sent.push(sent.clone());
        sent
    }

    fn fresh(&mut self, now: Millis) -> Sent {
        // Half arrive at once, the others late, and the exposures of some after their rewards.
        let window = self.metric.window;
        let late = if self.random.random_bool(0.5) { 0 } else { self.random.random_range(0..window * 3 / 2) };
        let at = now - late;
        // Tokens tell whole seconds.
        let decided_at = (at - self.random.random_range(0..window)) / 1000 * 1000;
        let subject = self.subject(now);
        let variant = ["control", "warm"][self.random.random_range(0..2)];
        Sent {
            seed: self.random.random_range(SEEDS),
            subject,
            arm: (self.random.random_range(1..=3), variant),
            decided_at,
            at,
            what: self.what(),
        }
    }

    /// Newer subjects appear as time goes on, so that at each time some units open and some mature.
    fn subject(&mut self, now: Millis) -> u32 {
        let newest = u32::try_from((now - millis(START)) * 40 / self.metric.window).unwrap() + 1;
        newest.saturating_sub(self.random.random_range(0..self.subjects))
    }

    fn what(&mut self) -> What {
        if self.random.random_bool(0.05) {
            return What::Click;
        }
        if self.random.random_bool(0.2) {
            return What::Decision;
        }
        if self.random.random_bool(0.45) {
            let covariate = self.random.random_bool(0.7).then(|| self.random.random_range(-9..=9));
            return What::Exposure { covariate };
        }
        let id = self.random.random_range(0..40);
        match self.guardrail {
            Some(guardrail) if self.random.random_bool(0.5) => {
                What::Harm { id, cents: self.cents(guardrail) }
            }
            _ => What::Reward { id, cents: self.cents(self.metric) },
        }
    }

    fn cents(&mut self, metric: Metric) -> i64 {
        match metric.kind {
            MetricKind::Binary => 100,
            MetricKind::Value => self.random.random_range(0..=5_000),
        }
    }
}

/// Checked as it is when it arrives.
fn arrival(
    sent: &Sent,
    Counts { metric, guardrail }: Counts,
    keys: &Keys,
    tables: &Snapshot,
    now: Millis,
) -> Result<Arrival, Receipt> {
    let Sent { seed, subject, arm: (round, variant), decided_at, at, what } = sent.clone();
    let subject = keys.subject(SAMPLE.uid, &subject.to_string());
    let claims = Claims { seed, round, variant: variant.into(), ..claims(decided_at / 1000, subject) };
    let (id, kind) = match what {
        What::Click => return Ok(click(claims, moment(now)).unwrap()),
        What::Decision => ("decision".to_owned(), EventKind::Decision),
        What::Exposure { covariate } => {
            ("exposure".to_owned(), EventKind::Exposure { covariate: covariate.map(f64::from) })
        }
        What::Reward { id, cents } => (id.to_string(), reward("product-view", metric, cents)),
        What::Harm { id, cents } => (id.to_string(), reward("bounce", guardrail.unwrap(), cents)),
    };
    let event = Event { id, token: keys.sign(&claims), at: Some(moment(at)), kind };
    check(&event, keys, tables, moment(now))
}

fn reward(name: &str, metric: Metric, cents: i64) -> EventKind {
    let value = (metric.kind == MetricKind::Value).then_some(cents as f64 / 100.0);
    EventKind::Reward { metric: name.into(), value }
}

fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

/// What the ledger does with events that arrive together, as its writer does it.
fn record(store: &mut Store, checked: Vec<Result<Arrival, Receipt>>, now: Millis) -> Vec<Outcome> {
    let arrivals: Vec<Arrival> = checked.iter().flatten().cloned().collect();
    let recorded = store.group(Group::room(&arrivals), |group| {
        group.sweep(now);
        let mut receive = |checked| match checked {
            Ok(arrival) => group.receive(arrival, now),
            Err(receipt) => Ok(receipt),
        };
        checked.into_iter().map(|checked| Ok(receive(checked)?.outcome)).collect()
    });
    recorded.unwrap()
}

fn erase(store: &mut Store, keys: &Keys, subject: u32, now: Millis) {
    let subject = keys.subject(SAMPLE.uid, &subject.to_string());
    let erasure = Erasure::of(SAMPLE.uid, &subject).unwrap();
    let erased = store.group(Group::room_to_erase(std::slice::from_ref(&erasure)), |group| {
        group.sweep(now);
        group.erase(erasure, now);
        Ok(())
    });
    erased.unwrap();
}

/// The placement's, and its guardrail's.
fn sums(store: &mut Store, now: Millis) -> [Sums; 2] {
    let placements = store.group(Group::room(&[]), |group| {
        group.sweep(now);
        Ok(group.totals(SAMPLE.uid, now))
    });
    let [mut own, mut watched] = [Sums::default(), Sums::default()];
    for placement in placements.unwrap() {
        let seed = placement.seed;
        put(&mut own, seed, placement.pending_exposures, &placement.cells);
        for GuardrailTotals { metric, pending_exposures, cells } in placement.guardrails {
            assert_eq!(metric, "bounce");
            put(&mut watched, seed, pending_exposures, &cells);
        }
    }
    [own, watched]
}

/// Of a placement with nothing of its own there may be a guardrail's sums.
fn put((cells, open): &mut Sums, seed: i64, pending: u64, found: &[CellTotals]) {
    if pending > 0 || !found.is_empty() {
        open.insert(seed, pending);
    }
    for cell in found {
        cells.insert((seed, cell.round, cell.variant.clone()), in_cents(cell));
    }
}

fn in_cents(cell: &CellTotals) -> Cell {
    let CellTotals { decisions, exposures, rewards, squared_rewards, covariate, late, .. } = *cell;
    let LateTotals { exposures: late, rewards: more, squared_rewards: squared_more } = late;
    let nothing = CovariateTotals { exposures: 0, sum: 0.0, squares: 0.0, products: 0.0 };
    let CovariateTotals { exposures: told, sum, squares, products } = covariate.unwrap_or(nothing);
    let count = |exposures: u64| i64::try_from(exposures).unwrap();
    Cell {
        counted: (count(exposures), whole(rewards * 1e2), whole(squared_rewards * 1e4)),
        covariate: (count(told), whole(sum), whole(squares)),
        products: whole(products * 1e2),
        late: (count(late), whole(more * 1e2), whole(squared_more * 1e4)),
        decisions: decisions.unwrap_or(0),
        clicks: cell.unconfirmed_clicks,
    }
}

/// Sums of cents are whole but for how doubles are multiplied.
fn whole(number: f64) -> i128 {
    assert!((number - number.round()).abs() <= number.abs() * 1e-15 + 1e-9, "{number}");
    number.round() as i128
}

fn tables(Counts { metric, guardrail }: Counts) -> Snapshot {
    let mut index = Index::default();
    let seconds = |metric: Metric| u32::try_from(metric.window / 1000).unwrap();
    let (kind, cap_millionths) = (metric.kind, metric.cap_cents.map(|cents| cents * 10_000));
    let guardrails: Vec<_> =
        guardrail.map(|guardrail| ("bounce", guardrail.kind, seconds(guardrail))).into_iter().collect();
    let (window_seconds, guardrails) = (seconds(metric), guardrails.as_slice());
    index.offer(&Sample { window_seconds, kind, cap_millionths, guardrails, ..SAMPLE }.object()).unwrap();
    index.snapshot()
}

/// So small that files end and checkpoints are made all the time.
pub(crate) const SMALL: Bounds = Bounds {
    files: FileLengths { shortest: 16 << 10, longest: 64 << 10 },
    checkpoint_every: 20 << 10,
    counted_in_memory: 50,
    forget_every: Duration::ZERO,
    keep_log: Duration::ZERO,
    kept_in: Size::ALL,
};

/// Runs both over `batches` of up to 80 events, and returns how often each outcome came.
fn compare(seed: u64, counts: Counts, batches: u32) -> BTreeMap<String, u32> {
    let Counts { metric, guardrail } = counts;
    let (keys, tables, window) = (keys(), tables(counts), metric.window);
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), SMALL).unwrap();
    let mut reference = Reference::new(metric, guardrail);
    let random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut generator = Generator { random, metric, guardrail, subjects: 100, sent: Vec::new() };
    let (mut now, mut seen) = (millis(START), BTreeMap::new());
    for batch in 0..batches {
        now += generator.random.random_range(0..window / 10);
        let sent: Vec<Sent> =
            (0..generator.random.random_range(1..=80)).map(|_| generator.event(now)).collect();
        let expected: Vec<Outcome> = sent.iter().map(|sent| reference.receive_all(sent, now)).collect();
        let checked = sent.iter().map(|sent| arrival(sent, counts, &keys, &tables, now)).collect();
        let found = record(&mut store, checked, now);
        assert_eq!(found, expected, "seed {seed}, batch {batch}: {sent:?}");
        expected.iter().for_each(|outcome| *seen.entry(format!("{outcome:?}")).or_default() += 1);
        if generator.random.random_bool(0.05) {
            let subject = generator.subject(now);
            reference.erase(subject, now);
            erase(&mut store, &keys, subject, now);
        }
        if generator.random.random_bool(0.02) {
            drop(store);
            store = Store::open(folder.path(), SMALL).unwrap();
        }
        if batch % 40 == 0 {
            assert_eq!(sums(&mut store, now), reference.all_sums(now), "seed {seed}, batch {batch}");
        }
    }
    let end = now + 2 * window.max(guardrail.map_or(0, |guardrail| guardrail.window));
    let counted = reference.all_sums(end);
    assert_eq!(sums(&mut store, end), counted);
    let mut open = counted.iter().flat_map(|(_, open)| open.values());
    assert!(open.all(|open| *open == 0), "at the end everything is counted");
    assert_eq!(counted[1].0.is_empty(), guardrail.is_none(), "else nothing is shown of it");
    seen
}

fn check_metric(seed: u64, metric: Metric, batches: u32) {
    check_world(seed, Counts { metric, guardrail: None }, batches);
}

/// Compares over so many batches, and looks whether enough came of each outcome.
fn check_world(seed: u64, counts: Counts, batches: u32) {
    let seen = compare(seed, counts, batches);
    let total: u32 = seen.values().sum();
    assert!(total > batches * 40, "{seen:?}");
    for outcome in ["Accepted", "Duplicate", "Late", "Invalid"] {
        let count = seen.get(outcome).copied().unwrap_or(0);
        assert!(
            count * 50 > total,
            "{outcome} came {count} times of {total}: the world shows too little of it"
        );
    }
}

/// So many that the four worlds have a million events between them.
const BATCHES: u32 = 6_200;

const MINUTE: Metric = Metric { window: 60_000, kind: MetricKind::Binary, cap_cents: None };

#[test]
fn with_a_window_of_a_minute_the_ledger_is_its_reference() {
    check_metric(1, MINUTE, BATCHES);
}

#[test]
fn with_a_window_of_three_days_the_ledger_is_its_reference() {
    check_metric(2, Metric { window: 3 * DAY, ..MINUTE }, BATCHES);
}

#[test]
fn with_values_the_ledger_is_its_reference() {
    check_metric(3, Metric { kind: MetricKind::Value, ..MINUTE }, BATCHES);
}

#[test]
fn with_values_that_are_capped_the_ledger_is_its_reference() {
    check_metric(4, Metric { window: 3 * DAY, kind: MetricKind::Value, cap_cents: Some(7_050) }, BATCHES);
}

#[test]
fn with_a_guardrail_the_ledger_is_its_reference_whichever_window_is_longer() {
    let values = Metric { kind: MetricKind::Value, ..MINUTE };
    for (seed, guardrail) in
        [(5, Metric { window: 20_000, ..MINUTE }), (6, Metric { window: 200_000, ..values })]
    {
        check_world(seed, Counts { metric: MINUTE, guardrail: Some(guardrail) }, BATCHES / 2);
    }
}
