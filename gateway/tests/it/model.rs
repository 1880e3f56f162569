//! The ledger against a plain reference, over random events that are repeated, reordered, delayed and interrupted.
//!
//! The reference keeps a log of what was accepted and derives everything from it anew; the ledger keeps states. They
//! share no code but the check of an event's shape.

use std::collections::BTreeMap;
use std::time::Duration;

use api::wire::event::{Event, EventKind, Outcome};
use api::wire::token::Claims;
use gateway::ledger::check::{Arrival, check};
use gateway::ledger::store::{Bounds, FileLengths, Group, Store};
use gateway::ledger::unit::{WAITING_LIMIT, WAITING_REWARDS, allowance};
use gateway::ledger::{Millis, millis};
use gateway::tables::{Index, Snapshot};
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::samples::{SAMPLE, START, Sample, keys};
use crate::signed::claims;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// What the sender knows about an event.
#[derive(Clone, Debug)]
struct Sent {
    seed: i64,
    subject: u32,
    arm: (u32, &'static str),
    decided_at: Millis,
    at: Millis,
    /// The id of a reward; none for an exposure.
    reward: Option<u32>,
}

/// What was accepted about one unit, in order of arrival.
#[derive(Default)]
struct Log(Vec<(Sent, Millis)>);

/// n, Σy, Σy² by seed, round and variant; and how many exposures are open, by seed.
type Sums = (BTreeMap<(i64, u32, String), (u64, f64, f64)>, BTreeMap<i64, u64>);

struct Reference {
    window: Millis,
    units: BTreeMap<(i64, u32), Log>,
}

impl Reference {
    fn receive(&mut self, sent: &Sent, now: Millis) -> Outcome {
        let log = self.units.entry((sent.seed, sent.subject)).or_default();
        let outcome = match sent.reward {
            None => log.judge_exposure(sent, now, self.window),
            Some(_) => log.judge_reward(sent, now, self.window),
        };
        if outcome == Outcome::Accepted {
            log.0.push((sent.clone(), now));
        }
        outcome
    }

    fn sums(&self, now: Millis) -> Sums {
        let (mut cells, mut open) = (BTreeMap::new(), BTreeMap::new());
        for ((seed, _), log) in &self.units {
            let pending: &mut u64 = open.entry(*seed).or_default();
            let Some((exposure, _)) = log.exposure() else { continue };
            if now < closes(exposure.at, self.window) {
                *pending += 1;
                continue;
            }
            let (round, variant) = exposure.arm;
            let y = if log.is_rewarded(self.window) { 1.0 } else { 0.0 };
            let cell: &mut (u64, f64, f64) = cells.entry((*seed, round, variant.to_owned())).or_default();
            *cell = (cell.0 + 1, cell.1 + y, cell.2 + y * y);
        }
        (cells, open)
    }
}

impl Log {
    fn exposure(&self) -> Option<&(Sent, Millis)> {
        self.0.iter().find(|(sent, _)| sent.reward.is_none())
    }

    /// Accepted rewards that had not been given up when their exposure came, or at `now` while none has come.
    fn rewards(&self, now: Millis, window: Millis) -> impl Iterator<Item = &Sent> {
        let exposed = self.exposure().map(|(_, arrived)| *arrived);
        self.0.iter().filter_map(move |(sent, arrived)| {
            let until = closes(sent.at, window).min(arrived + WAITING_LIMIT);
            let kept = exposed.is_some_and(|exposed| *arrived >= exposed) || until > exposed.unwrap_or(now);
            (sent.reward.is_some() && kept).then_some(sent)
        })
    }

    fn is_rewarded(&self, window: Millis) -> bool {
        let (exposure, _) = self.exposure().expect("only the exposed are asked about");
        self.rewards(0, window).any(|reward| (exposure.at..=exposure.at + window).contains(&reward.at))
    }

    fn judge_exposure(&self, sent: &Sent, now: Millis, window: Millis) -> Outcome {
        // The check comes before the ledger and knows no units.
        if sent.at - sent.decided_at > DAY {
            return Outcome::Late;
        }
        match self.exposure() {
            Some(_) => Outcome::Duplicate,
            None if now >= closes(sent.at, window) => Outcome::Late,
            None => Outcome::Accepted,
        }
    }

    fn judge_reward(&self, sent: &Sent, now: Millis, window: Millis) -> Outcome {
        let is_known = self.rewards(now, window).any(|other| other.reward == sent.reward);
        match self.exposure() {
            Some((exposure, _)) if now >= closes(exposure.at, window) => Outcome::Late,
            _ if is_known => Outcome::Duplicate,
            Some((exposure, _)) if sent.at < exposure.at => Outcome::Invalid,
            Some((exposure, _)) if sent.at > exposure.at + window => Outcome::Late,
            None if now >= closes(sent.at, window) => Outcome::Late,
            None if self.rewards(now, window).count() >= WAITING_REWARDS => Outcome::Invalid,
            _ => Outcome::Accepted,
        }
    }
}

fn closes(at: Millis, window: Millis) -> Millis {
    at + window + allowance(window)
}

/// A random world: its events happen within a few windows, and arrive in any order up to a window and a half later.
struct Generator {
    random: Xoshiro256PlusPlus,
    window: Millis,
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
        let late =
            if self.random.random_bool(0.5) { 0 } else { self.random.random_range(0..self.window * 3 / 2) };
        let at = now - late;
        // Tokens tell whole seconds.
        let decided_at = (at - self.random.random_range(0..self.window)) / 1000 * 1000;
        // Newer subjects appear as time goes on, so that at each time some units open and some mature.
        let newest = u32::try_from((now - millis(START)) * 40 / self.window).unwrap() + 1;
        let subject = newest.saturating_sub(self.random.random_range(0..self.subjects));
        let variant = ["control", "warm"][self.random.random_range(0..2)];
        Sent {
            seed: self.random.random_range(1..=2),
            subject,
            arm: (self.random.random_range(1..=3), variant),
            decided_at,
            at,
            reward: self.random.random_bool(0.55).then(|| self.random.random_range(0..40)),
        }
    }
}

fn event(sent: &Sent) -> Event {
    let Sent { seed, subject, arm: (round, variant), decided_at, at, reward } = sent.clone();
    let subject = keys().subject(SAMPLE.uid, &subject.to_string());
    let claims = Claims { seed, round, variant: variant.into(), ..claims(decided_at / 1000, subject) };
    let kind = match reward {
        None => EventKind::Exposure,
        Some(_) => EventKind::Reward { metric: "product-view".into() },
    };
    let id = reward.map_or_else(|| "exposure".to_owned(), |id| id.to_string());
    Event { id, token: keys().sign(&claims), at: Some(moment(at)), kind }
}

fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

/// What the ledger does with events that arrive together, as its writer does it.
fn record(store: &mut Store, tables: &Snapshot, events: &[Event], now: Millis) -> Vec<Outcome> {
    let checked: Vec<_> = events.iter().map(|event| check(event, &keys(), tables, moment(now))).collect();
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

fn sums(store: &mut Store, now: Millis) -> Sums {
    let placements = store.group(Group::room(&[]), |group| {
        group.sweep(now);
        Ok(group.totals(SAMPLE.uid))
    });
    let (mut cells, mut open) = (BTreeMap::new(), BTreeMap::new());
    for placement in placements.unwrap() {
        open.insert(placement.seed, placement.pending_exposures);
        for cell in placement.cells {
            let sums = (cell.exposures, cell.rewards, cell.squared_rewards);
            cells.insert((placement.seed, cell.round, cell.variant), sums);
        }
    }
    (cells, open)
}

fn tables(window: Millis) -> Snapshot {
    let mut index = Index::default();
    let window_seconds = u32::try_from(window / 1000).unwrap();
    index.offer(&Sample { window_seconds, ..SAMPLE }.object()).unwrap();
    index.snapshot()
}

/// So small that files end and checkpoints are made all the time.
pub(crate) const SMALL: Bounds = Bounds {
    files: FileLengths { shortest: 16 << 10, longest: 64 << 10 },
    checkpoint_every: 20 << 10,
    keep_log: Duration::ZERO,
};

/// Runs both over `batches` of up to 80 events, and returns how often each outcome came.
fn compare(seed: u64, window: Millis, batches: u32) -> BTreeMap<String, u32> {
    let (folder, tables) = (tempfile::tempdir().unwrap(), tables(window));
    let mut store = Store::open(folder.path(), SMALL).unwrap();
    let mut reference = Reference { window, units: BTreeMap::new() };
    let random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut generator = Generator { random, window, subjects: 100, sent: Vec::new() };
    let (mut now, mut seen) = (millis(START), BTreeMap::new());
    for batch in 0..batches {
        now += generator.random.random_range(0..window / 10);
        let sent: Vec<Sent> =
            (0..generator.random.random_range(1..=80)).map(|_| generator.event(now)).collect();
        let expected: Vec<Outcome> = sent.iter().map(|sent| reference.receive(sent, now)).collect();
        let events: Vec<Event> = sent.iter().map(event).collect();
        let found = record(&mut store, &tables, &events, now);
        assert_eq!(found, expected, "seed {seed}, batch {batch}: {sent:?}");
        expected.iter().for_each(|outcome| *seen.entry(format!("{outcome:?}")).or_default() += 1);
        if generator.random.random_bool(0.02) {
            drop(store);
            store = Store::open(folder.path(), SMALL).unwrap();
        }
        if batch % 5 == 0 {
            assert_eq!(sums(&mut store, now), reference.sums(now), "seed {seed}, batch {batch}");
        }
    }
    let end = now + 2 * window;
    assert_eq!(sums(&mut store, end), reference.sums(end));
    assert!(reference.sums(end).1.values().all(|open| *open == 0), "at the end everything is counted");
    seen
}

fn check_outcomes(seen: &BTreeMap<String, u32>) {
    let total: u32 = seen.values().sum();
    for outcome in ["Accepted", "Duplicate", "Late", "Invalid"] {
        let count = seen.get(outcome).copied().unwrap_or(0);
        assert!(
            count * 50 > total,
            "{outcome} came {count} times of {total}: the world shows too little of it"
        );
    }
}

#[test]
fn with_a_window_of_a_minute_the_ledger_is_its_reference() {
    let seen = compare(1, 60_000, 600);
    assert!(seen.values().sum::<u32>() > 20_000, "{seen:?}");
    check_outcomes(&seen);
}

#[test]
fn with_a_window_of_three_days_the_ledger_is_its_reference() {
    let seen = compare(2, 3 * DAY, 600);
    assert!(seen.values().sum::<u32>() > 20_000, "{seen:?}");
    check_outcomes(&seen);
}
