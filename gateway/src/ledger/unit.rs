//! The life of a unit: what each arrival does to it. Pure; the state keeps it, the writer tells the time.
//!
//! ```text
//!            reward                exposure            window and allowance pass
//!   nothing ───────▶ Waiting ───────────────▶ Open ─────────────────────────────▶ Counted
//!      │               │ a day passes          ▲
//!      │               ▼                       │
//!      │            nothing                    │
//!      └────────────── exposure ───────────────┘
//! ```

use std::sync::Arc;

use api::wire::event::Outcome;
use serde::{Deserialize, Serialize};

use super::Millis;

/// How long a reward waits for its exposure, however long the window is: a day covers a phone that was offline over
/// night, and bounds what is kept about people whose exposure never comes.
pub const WAITING_LIMIT: Millis = 24 * 60 * 60 * 1000;

/// How many rewards of one unit wait for its exposure. People act once or twice; more is a loop in somebody's code.
pub const WAITING_REWARDS: usize = 16;

/// How many ids an open unit remembers. Beyond it a repeated reward is told `accepted`; a binary unit that has this
/// many rewards is long decided, so no sum changes.
pub const REMEMBERED_IDS: usize = 64;

/// How long after its window an exposure still waits for rewards that happened within it: a tenth of the window, at
/// most one minute.
///
/// Without it, what people do in the last moments would be lost on its way. A minute covers a sender's retries and a
/// restart of the ledger; the share of the window keeps short windows, as in a demo, from waiting mostly for nothing.
pub fn allowance(window: Millis) -> Millis {
    (window / 10).min(60_000)
}

/// The first moment at which something that happened at `at` can no longer be counted.
pub fn closes(at: Millis, window: Millis) -> Millis {
    at.saturating_add(window).saturating_add(allowance(window))
}

/// What the first exposure fixes: the cell and the variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arm {
    /// The round.
    pub round: u32,
    /// The segment.
    pub segment: String,
    /// The variant.
    pub variant: String,
}

/// An exposure, as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// When it happened.
    pub at: Millis,
    /// The metric's window as it stands now.
    pub window: Millis,
    /// What was shown.
    pub arm: Arc<Arm>,
}

/// A reward, as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reward {
    /// The sender's id for it, hashed.
    pub id: u64,
    /// When it happened.
    pub at: Millis,
    /// The metric's window as it stands now.
    pub window: Millis,
}

/// What is known about a unit, but for those of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Rewards came before their exposure.
    Waiting(Vec<Waiting>),
    /// It was exposed, and its window runs.
    Open(Open),
    /// It is in the sums.
    Counted,
}

/// A reward that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    id: u64,
    at: Millis,
    until: Millis,
}

/// A unit whose window runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What was shown.
    pub arm: Arc<Arm>,
    /// When it was shown.
    pub at: Millis,
    /// The window, as it stood when the exposure arrived.
    pub window: Millis,
    /// Whether a reward counted.
    pub rewarded: bool,
    /// Ids of its rewards, hashed.
    pub ids: Vec<u64>,
}

/// What a sender is told about one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub outcome: Outcome,
    /// What to change, where the outcome alone does not say.
    pub message: Option<&'static str>,
}

impl Receipt {
    /// The outcome, which says enough.
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, message: None }
    }

    /// The outcome, and what to change.
    pub const fn because(outcome: Outcome, message: &'static str) -> Self {
        Self { outcome, message: Some(message) }
    }
}

const ACCEPTED: Receipt = Receipt::of(Outcome::Accepted);
const DUPLICATE: Receipt = Receipt::of(Outcome::Duplicate);
const TOO_LATE: Receipt = Receipt::because(
    Outcome::Late,
    "its window had closed: send events as they happen, with the time in `at`",
);
const TOO_EARLY: Receipt =
    Receipt::because(Outcome::Invalid, "it happened before the exposure, so the copy did not cause it");
const TOO_MANY: Receipt =
    Receipt::because(Outcome::Invalid, "too many rewards wait for this subject's exposure: send that first");

/// The unit after an exposure that arrives at `now`; unchanged unless the exposure is accepted.
pub fn expose(unit: Option<Unit>, exposure: Exposure, now: Millis) -> (Receipt, Option<Unit>) {
    match unit {
        Some(Unit::Open(_) | Unit::Counted) => (DUPLICATE, unit),
        _ if now >= closes(exposure.at, exposure.window) => (TOO_LATE, unit),
        Some(Unit::Waiting(waiting)) => (ACCEPTED, Some(Unit::Open(Open::new(exposure, &waiting, now)))),
        None => (ACCEPTED, Some(Unit::Open(Open::new(exposure, &[], now)))),
    }
}

/// The unit after a reward that arrives at `now`; unchanged unless the reward is accepted.
pub fn reward(unit: Option<Unit>, reward: Reward, now: Millis) -> (Receipt, Option<Unit>) {
    match unit {
        None => {
            let (receipt, waiting) = wait(Vec::new(), reward, now);
            (receipt, (!waiting.is_empty()).then_some(Unit::Waiting(waiting)))
        }
        Some(Unit::Waiting(waiting)) => {
            let (receipt, waiting) = wait(waiting, reward, now);
            (receipt, Some(Unit::Waiting(waiting)))
        }
        Some(Unit::Open(mut open)) => (open.reward(reward, now), Some(Unit::Open(open))),
        Some(Unit::Counted) => (TOO_LATE, unit),
    }
}

/// The reward of a unit that is counted: zero or one.
pub fn value(open: &Open) -> f64 {
    if open.rewarded { 1.0 } else { 0.0 }
}

impl Unit {
    /// When it is due: an open unit is counted then, a waiting one forgotten. `None` for one that is counted.
    pub fn due(&self) -> Option<Millis> {
        match self {
            Self::Waiting(waiting) => waiting.iter().map(|reward| reward.until).max(),
            Self::Open(open) => Some(closes(open.at, open.window)),
            Self::Counted => None,
        }
    }
}

impl Open {
    /// Rewards that came before the exposure count if they happened after it.
    fn new(exposure: Exposure, waiting: &[Waiting], now: Millis) -> Self {
        let Exposure { at, window, arm } = exposure;
        let alive = || waiting.iter().filter(|reward| reward.until > now);
        let rewarded = alive().any(|reward| (at..=at.saturating_add(window)).contains(&reward.at));
        Self { arm, at, window, rewarded, ids: alive().map(|reward| reward.id).collect() }
    }

    fn reward(&mut self, reward: Reward, now: Millis) -> Receipt {
        if self.ids.contains(&reward.id) {
            return DUPLICATE;
        }
        if reward.at < self.at {
            return TOO_EARLY;
        }
        if reward.at > self.at.saturating_add(self.window) || now >= closes(self.at, self.window) {
            return TOO_LATE;
        }
        self.rewarded = true;
        if self.ids.len() < REMEMBERED_IDS {
            self.ids.push(reward.id);
        }
        ACCEPTED
    }
}

/// Lets a reward wait among others. Those whose time is up are as good as gone.
fn wait(mut waiting: Vec<Waiting>, reward: Reward, now: Millis) -> (Receipt, Vec<Waiting>) {
    let Reward { id, at, window } = reward;
    let until = closes(at, window).min(now.saturating_add(WAITING_LIMIT));
    if waiting.iter().any(|other| other.id == id && other.until > now) {
        return (DUPLICATE, waiting);
    }
    if now >= until {
        return (TOO_LATE, waiting);
    }
    if waiting.iter().filter(|other| other.until > now).count() >= WAITING_REWARDS {
        return (TOO_MANY, waiting);
    }
    waiting.retain(|other| other.until > now);
    waiting.push(Waiting { id, at, until });
    (ACCEPTED, waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Accepted, Duplicate, Invalid, Late};

    const WINDOW: Millis = 1000;

    /// An arrival: what, when it happened, when it arrived.
    enum Arrives {
        Exposed(Millis, Millis),
        Rewarded(u64, Millis, Millis),
    }
    use Arrives::{Exposed, Rewarded};

    fn check(sentence: &str, arrivals: &[Arrives], outcomes: &[Outcome], rewarded: Option<bool>) {
        let arm = || Arc::new(Arm { round: 1, segment: "all".into(), variant: "warm".into() });
        let (mut unit, mut found) = (None, Vec::new());
        for arrival in arrivals {
            let (receipt, next) = match *arrival {
                Exposed(at, now) => expose(unit, Exposure { at, window: WINDOW, arm: arm() }, now),
                Rewarded(id, at, now) => reward(unit, Reward { id, at, window: WINDOW }, now),
            };
            found.push(receipt.outcome);
            unit = next;
        }
        let state =
            unit.and_then(|unit| if let Unit::Open(open) = unit { Some(open.rewarded) } else { None });
        assert_eq!((found.as_slice(), state), (outcomes, rewarded), "{sentence}");
    }

    #[test]
    fn a_unit_counts_what_happened_within_its_window() {
        let end = WINDOW + allowance(WINDOW);
        check("an exposure opens", &[Exposed(0, 0)], &[Accepted], Some(false));
        check(
            "a second one is a duplicate",
            &[Exposed(0, 0), Exposed(9, 9)],
            &[Accepted, Duplicate],
            Some(false),
        );
        check("one that arrives too late is late", &[Exposed(0, end)], &[Late], None);
        check("one that arrives in time is not", &[Exposed(0, end - 1)], &[Accepted], Some(false));
        check("a reward counts", &[Exposed(0, 0), Rewarded(1, 5, 5)], &[Accepted, Accepted], Some(true));
        check("at once too", &[Exposed(5, 5), Rewarded(1, 5, 5)], &[Accepted, Accepted], Some(true));
        check(
            "at the end too",
            &[Exposed(0, 0), Rewarded(1, WINDOW, end - 1)],
            &[Accepted, Accepted],
            Some(true),
        );
        check("not after it", &[Exposed(0, 0), Rewarded(1, WINDOW + 1, 5)], &[Accepted, Late], Some(false));
        check("not before it", &[Exposed(5, 5), Rewarded(1, 4, 6)], &[Accepted, Invalid], Some(false));
        check(
            "nor when it arrives late",
            &[Exposed(0, 0), Rewarded(1, 5, end)],
            &[Accepted, Late],
            Some(false),
        );
        check(
            "an id counts once",
            &[Exposed(0, 0), Rewarded(1, 5, 5), Rewarded(1, 5, 9), Rewarded(2, 5, 9)],
            &[Accepted, Accepted, Duplicate, Accepted],
            Some(true),
        );
    }

    #[test]
    fn a_reward_waits_for_its_exposure() {
        let end = WINDOW + allowance(WINDOW);
        check("it counts then", &[Rewarded(1, 5, 5), Exposed(0, 9)], &[Accepted, Accepted], Some(true));
        check(
            "unless it was before",
            &[Rewarded(1, 5, 5), Exposed(6, 9)],
            &[Accepted, Accepted],
            Some(false),
        );
        check("or after", &[Rewarded(1, 1005, 1005), Exposed(0, 1010)], &[Accepted, Accepted], Some(false));
        check("it waits once", &[Rewarded(1, 5, 5), Rewarded(1, 5, 6)], &[Accepted, Duplicate], None);
        check(
            "even over the exposure",
            &[Rewarded(1, 5, 5), Exposed(0, 9), Rewarded(1, 5, 10)],
            &[Accepted, Accepted, Duplicate],
            Some(true),
        );
        check("a late one does not wait", &[Rewarded(1, 0, end)], &[Late], None);
        let many: Vec<_> = (0..=WAITING_REWARDS as u64).map(|id| Rewarded(id, 5, 5)).collect();
        let mut outcomes = vec![Accepted; WAITING_REWARDS];
        outcomes.push(Invalid);
        check("a crowd is turned away", &many, &outcomes, None);
    }

    #[test]
    fn a_reward_waits_a_day_at_most() {
        let window = 30 * WAITING_LIMIT;
        let (_, unit) = reward(None, Reward { id: 1, at: 0, window }, 7);
        assert_eq!(unit.and_then(|unit| unit.due()), Some(7 + WAITING_LIMIT));
        let (_, unit) = reward(None, Reward { id: 1, at: 0, window: 1000 }, 7);
        assert_eq!(unit.and_then(|unit| unit.due()), Some(1100));
    }

    #[test]
    fn the_allowance_is_a_tenth_up_to_a_minute() {
        assert_eq!([0, 1000, 600_000, 86_400_000].map(allowance), [0, 100, 60_000, 60_000]);
    }
}
