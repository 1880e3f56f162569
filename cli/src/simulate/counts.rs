//! What became of the people: counted as it happens, told at the end, failures too.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use api::wire::decide::{DecideReason, DecideResponse};
use api::wire::event::{EventKind, EventsRequest, EventsResponse, Outcome};

use super::world::World;
use crate::text::{left, right, thousands};

/// What can go wrong on the way, each a different thing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// The gateway did not answer.
    GatewayUnreachable,
    /// The gateway answered with an error.
    GatewayRefused,
    /// The gateway's answer is none that we know.
    GatewayUnreadable,
    /// The ledger did not answer; the events were sent again.
    LedgerUnreachable,
    /// The ledger was busy or refused the batch; the events were sent again.
    LedgerRefused,
    /// The ledger's answer is none that we know.
    LedgerUnreadable,
}

impl Trouble {
    fn words(self) -> &'static str {
        match self {
            Self::GatewayUnreachable => "the gateway did not answer",
            Self::GatewayRefused => "the gateway answered with an error",
            Self::GatewayUnreadable => "the gateway's answer can't be read",
            Self::LedgerUnreachable => "the ledger did not answer, tried again",
            Self::LedgerRefused => "the ledger was busy or refused, tried again",
            Self::LedgerUnreadable => "the ledger's answer can't be read, tried again",
        }
    }
}

/// Counts of one run.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    people: u64,
    waited: u64,
    assigned: u64,
    rewarded: u64,
    other_reasons: BTreeMap<String, u64>,
    variants: BTreeMap<String, Seen>,
    outcomes: BTreeMap<String, u64>,
    lost: u64,
    troubles: BTreeMap<Trouble, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    shown: u64,
    acted: u64,
}

impl Counts {
    fn with<T>(&self, change: impl FnOnce(&mut Sums) -> T) -> T {
        change(&mut self.0.lock().expect("nobody panics while counting"))
    }

    /// Somebody came.
    pub(super) fn came(&self) {
        self.with(|sums| sums.people += 1);
    }

    /// Somebody had to wait since all connections were busy: the rate that was asked for was not kept.
    pub(super) fn waited(&self) {
        self.with(|sums| sums.waited += 1);
    }

    /// The gateway answered.
    pub(super) fn answered(&self, answer: &DecideResponse) {
        self.with(|sums| match answer.reason {
            DecideReason::Assigned => sums.assigned += 1,
            other => *sums.other_reasons.entry(format!("{other:?}")).or_default() += 1,
        });
    }

    /// Somebody saw `variant`.
    pub(super) fn saw(&self, variant: &str, acts: bool) {
        self.with(|sums| {
            let seen = sums.variants.entry(variant.to_owned()).or_default();
            seen.shown += 1;
            seen.acted += u64::from(acts);
            sums.rewarded += u64::from(acts);
        });
    }

    /// The ledger answered to a batch.
    pub(super) fn acknowledged(&self, events: &EventsRequest, response: &EventsResponse) {
        self.with(|sums| {
            for (event, outcome) in events.events.iter().zip(&response.outcomes) {
                let kind = match event.kind {
                    EventKind::Decision => "decisions",
                    EventKind::Exposure { .. } => "exposures",
                    EventKind::Reward { .. } => "rewards",
                };
                *sums.outcomes.entry(format!("{kind} {}", words(outcome.outcome))).or_default() += 1;
            }
        });
    }

    /// A batch was given up.
    pub(super) fn lost(&self, events: usize) {
        self.with(|sums| sums.lost += events as u64);
    }

    /// Something went wrong.
    pub(super) fn trouble(&self, trouble: Trouble) {
        self.with(|sums| *sums.troubles.entry(trouble).or_default() += 1);
    }

    /// Decisions that count.
    pub(super) fn assigned(&self) -> u64 {
        self.with(|sums| sums.assigned)
    }

    /// How it goes, in a line.
    pub(super) fn line(&self, elapsed: Duration) -> String {
        self.with(|sums| {
            let troubles: u64 = sums.troubles.values().sum();
            let number = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
            format!(
                "{:>4} s  {} people, {} assigned, {} acted, {} errors",
                elapsed.as_secs(),
                number(sums.people),
                number(sums.assigned),
                number(sums.rewarded),
                number(troubles),
            )
        })
    }

    /// What became of the run, with the truth beside what was seen.
    pub(super) fn summary(&self, world: &World, elapsed: Duration) -> String {
        self.with(|sums| sums.summary(world, elapsed))
    }
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Duplicate => "sent before",
        Outcome::Late => "too late",
        Outcome::Unknown => "of no table",
        Outcome::Invalid => "invalid",
    }
}

impl Sums {
    fn summary(&self, world: &World, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let mut text = format!(
            "{} people in {:.0} s ({:.0} each second)\n",
            count(self.people),
            seconds,
            self.people as f64 / seconds
        );
        for (what, number) in self.lines() {
            text.push_str(&format!("  {} {what}\n", right(&count(number), 9)));
        }
        text.push('\n');
        text.push_str(&self.table(world));
        text
    }

    /// Everything that happened at least once.
    fn lines(&self) -> Vec<(String, u64)> {
        let mut lines = vec![("assigned".to_owned(), self.assigned)];
        lines.extend(
            self.other_reasons.iter().map(|(reason, number)| (format!("not assigned: {reason}"), *number)),
        );
        lines.extend(self.outcomes.clone());
        lines.push(("events given up: the ledger never took them".to_owned(), self.lost));
        lines.push(("had to wait: raise --connections or lower --people-per-second".to_owned(), self.waited));
        lines.extend(self.troubles.iter().map(|(trouble, number)| (trouble.words().to_owned(), *number)));
        lines.retain(|(what, number)| *number > 0 || what == "assigned");
        lines
    }

    fn table(&self, world: &World) -> String {
        let names = world.rates().map(|(name, _)| name.to_owned());
        let mut names: Vec<String> = names.chain(self.variants.keys().cloned()).collect();
        names.sort();
        names.dedup();
        let width = names.iter().map(String::len).max().unwrap_or(0).max(7);
        let mut text = format!("{}      SHOWN    ACTED    RATE   TRUTH\n", left("VARIANT", width));
        for name in names {
            text.push_str(&self.row(&name, width, world));
        }
        text
    }

    fn row(&self, name: &str, width: usize, world: &World) -> String {
        let Seen { shown, acted } = self.variants.get(name).copied().unwrap_or_default();
        let rate = if shown > 0 { percent(acted as f64 / shown as f64) } else { "–".to_owned() };
        let note = match (name == world.control(), world.best() == Some(name)) {
            (true, _) => "  control",
            (_, true) => "  best",
            _ => "",
        };
        format!(
            "{}  {}  {}  {}  {}{note}\n",
            left(name, width),
            right(&count(shown), 9),
            right(&count(acted), 7),
            right(&rate, 6),
            right(&percent(world.rate(name)), 6)
        )
    }
}

fn percent(rate: f64) -> String {
    format!("{:.2}%", rate * 100.0)
}

fn count(number: u64) -> String {
    thousands(i64::try_from(number).unwrap_or(i64::MAX))
}
