//! The life of a unit: what each arrival does to it. Pure; the state keeps it, the writer tells the time.
//!
//! ```text
//!            reward                exposure            window and allowance pass          late reward
//!   nothing ───────▶ Waiting ───────────────▶ Open ─────────────────────────────▶ Counted ───────────▶ Corrected
//!      │               │ a day passes          ▲                                     ▲                    │
//!      │               ▼                       │                                     │  a week passes     │
//!      │            nothing                    │                                     └────────────────────┘
//!      └────────────── exposure ───────────────┘
//! ```

use std::borrow::Cow;
use std::sync::Arc;

use api::wire::event::Outcome;
use serde::{Deserialize, Serialize};

use super::Millis;
use super::amount::Amount;

/// How long a reward waits for its exposure, however long the window is: a day covers a phone that was offline over
/// night, and bounds what is kept about people whose exposure never comes.
pub const WAITING_LIMIT: Millis = 24 * 60 * 60 * 1000;

/// How many rewards of one unit wait for its exposure. People act once or twice; more is a loop in somebody's code.
pub const WAITING_REWARDS: usize = 16;

/// How many ids a unit remembers. Who has as many rewards and may still count for more is told to send sums.
pub const REMEMBERED_IDS: usize = 64;

/// How many of them are kept once it is counted: what is sent again so late repeats what was sent last.
pub const PAST_IDS: usize = 16;

/// How long after it was counted a unit's late rewards are counted apart: a week covers a phone on holiday, and a queue
/// that stood over the weekend.
pub const CORRECTED_WITHIN: Millis = 7 * 24 * 60 * 60 * 1000;

/// How long is waited for a person to see the copy that was chosen: most do within seconds. Whoever has not by then counts as
/// one who did not.
///
/// Without it those for whom copy was chosen just now would be told, and others at each look: the test of counts against
/// shares bounds false alarms however often one looks, and rests on counts that grow. They shrink by those who see copy later.
pub const SEEN_WITHIN: Millis = 60 * 60 * 1000;

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
    /// The most that it counts for.
    pub cap: Amount,
    /// What was known about the person before.
    pub covariate: Option<Amount>,
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
    /// What it is worth, 0 or more.
    pub value: Amount,
}

/// What is known about a unit, but for those of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Rewards came before their exposure.
    Waiting(Vec<Waiting>),
    /// It was exposed, and its window runs.
    Open(Open),
    /// It is in the sums.
    Counted(Past),
    /// It is in the sums, and rewards came late.
    Corrected(Corrected),
}

/// A reward that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    id: u64,
    at: Millis,
    until: Millis,
    value: Amount,
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
    /// The most that it counts for, as that stood.
    pub cap: Amount,
    /// What was known about the person before.
    pub covariate: Option<Amount>,
    /// The sum of its rewards, at most the cap.
    pub value: Amount,
    /// Ids of its rewards, hashed.
    pub ids: Vec<u64>,
}

/// What was chosen for a subject who had not seen copy by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The name of what was chosen, by hash.
    pub arm: u64,
    /// When the ledger was told.
    pub at: Millis,
}

/// What is kept of a unit that was counted, for rewards that come late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// When it was shown.
    pub at: Millis,
    /// The name of what was shown, by hash.
    pub arm: u64,
    /// What it counted for.
    pub value: Amount,
    /// How much more it could have counted for.
    pub room: Amount,
    /// Ids of its last rewards, hashed; none where there is no room.
    pub ids: Box<[u64]>,
}

/// A unit that was counted, whose rewards came late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// As it was counted.
    pub past: Past,
    /// What it would count for more: at most the room.
    pub more: Amount,
    ids: Vec<u64>,
    until: Millis,
}

/// What a sender is told about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub outcome: Outcome,
    /// What to change, where the outcome alone does not say.
    pub message: Option<Cow<'static, str>>,
}

impl Receipt {
    /// The outcome, which says enough.
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, message: None }
    }

    /// The outcome, and what to change.
    pub fn because(outcome: Outcome, message: impl Into<Cow<'static, str>>) -> Self {
        Self { outcome, message: Some(message.into()) }
    }

    const fn constant(outcome: Outcome, message: &'static str) -> Self {
        Self { outcome, message: Some(Cow::Borrowed(message)) }
    }

    /// Whether the event changed anything, so that it must be kept.
    pub(super) fn is_kept(&self) -> bool {
        *self == ACCEPTED || *self == COUNTED_APART
    }
}

const ACCEPTED: Receipt = Receipt::of(Outcome::Accepted);
const DUPLICATE: Receipt = Receipt::of(Outcome::Duplicate);
pub(super) const TOO_LATE: Receipt = Receipt::constant(
    Outcome::Late,
    "its window had closed: send events as they happen, with the time in `at`",
);
const COUNTED_APART: Receipt = Receipt::constant(
    Outcome::Late,
    "its window had closed, so it is counted apart: send events as they happen, with the time in `at`",
);
const TOO_EARLY: Receipt =
    Receipt::constant(Outcome::Invalid, "it happened before the exposure, so the copy did not cause it");
const TOO_MANY_WAIT: Receipt =
    Receipt::constant(Outcome::Invalid, "too many rewards wait for this subject's exposure: send that first");
const TOO_MANY: Receipt = Receipt::constant(
    Outcome::Invalid,
    "this subject has 64 rewards: send one with their sum instead of many",
);

/// The unit after an exposure that arrives at `now`; unchanged unless the exposure is accepted.
pub fn expose(unit: Option<Unit>, exposure: Exposure, now: Millis) -> (Receipt, Option<Unit>) {
    match unit {
        Some(Unit::Open(_) | Unit::Counted(_) | Unit::Corrected(_)) => (DUPLICATE, unit),
        _ if now >= closes(exposure.at, exposure.window) => (TOO_LATE, unit),
        Some(Unit::Waiting(waiting)) => (ACCEPTED, Some(Unit::Open(Open::new(exposure, &waiting, now)))),
        None => (ACCEPTED, Some(Unit::Open(Open::new(exposure, &[], now)))),
    }
}

/// The unit after a reward that arrives at `now`; unchanged unless the reward is accepted, or counted apart.
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
        Some(Unit::Counted(past)) => {
            let (receipt, unit) = Corrected::new(past, reward.window).reward(reward, now);
            (receipt, Some(unit))
        }
        Some(Unit::Corrected(corrected)) => {
            let (receipt, unit) = corrected.reward(reward, now);
            (receipt, Some(unit))
        }
    }
}

impl Unit {
    /// When it is due: an open unit is counted then, a waiting or corrected one forgotten. `None` for one that is counted.
    pub fn due(&self) -> Option<Millis> {
        match self {
            Self::Waiting(waiting) => waiting.iter().map(|reward| reward.until).max(),
            Self::Open(open) => Some(closes(open.at, open.window)),
            Self::Corrected(corrected) => Some(corrected.until),
            Self::Counted(_) => None,
        }
    }

    /// What it would count for more than it does: what came late.
    pub(super) fn more(&self) -> Amount {
        if let Self::Corrected(corrected) = self { corrected.more } else { Amount::ZERO }
    }
}

impl Open {
    /// Rewards that came before the exposure count if they happened after it.
    fn new(exposure: Exposure, waiting: &[Waiting], now: Millis) -> Self {
        let Exposure { at, window, cap, covariate, arm } = exposure;
        let alive = || waiting.iter().filter(|reward| reward.until > now);
        let mut open = Self {
            arm,
            at,
            window,
            cap,
            covariate,
            value: Amount::ZERO,
            ids: alive().map(|reward| reward.id).collect(),
        };
        let counts = |reward: &&Waiting| (at..=at.saturating_add(window)).contains(&reward.at);
        alive().filter(counts).for_each(|reward| open.add(reward.value));
        open
    }

    /// What is kept of it once it is counted. The name of what was shown is the state's affair.
    pub(super) fn past(self, arm: u64) -> Past {
        let Self { arm: _, at, window: _, cap, covariate: _, value, mut ids } = self;
        let room = cap - value;
        let last = ids.split_off(ids.len().saturating_sub(PAST_IDS));
        let ids = if room == Amount::ZERO { Box::default() } else { last.into_boxed_slice() };
        Past { at, arm, value, room, ids }
    }

    fn add(&mut self, value: Amount) {
        self.value = (self.value + value).min(self.cap);
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
        // What can't count for more needs no id: whether it comes again does not matter.
        if self.ids.len() >= REMEMBERED_IDS && self.value < self.cap {
            return TOO_MANY;
        }
        self.add(reward.value);
        if self.ids.len() < REMEMBERED_IDS {
            self.ids.push(reward.id);
        }
        ACCEPTED
    }
}

impl Past {
    /// Of a unit of which only that is known.
    pub(super) fn closed() -> Self {
        let (value, room) = (Amount::ZERO, Amount::ZERO);
        Self { at: 0, arm: 0, value, room, ids: Box::default() }
    }
}

impl Corrected {
    fn new(past: Past, window: Millis) -> Self {
        let until = closes(past.at, window).saturating_add(CORRECTED_WITHIN);
        Self { past, more: Amount::ZERO, ids: Vec::new(), until }
    }

    fn reward(mut self, reward: Reward, now: Millis) -> (Receipt, Unit) {
        let receipt = self.judge(&reward, now);
        if receipt == COUNTED_APART {
            self.more = (self.more + reward.value).min(self.past.room);
            self.ids.push(reward.id);
        }
        let unit = if self.ids.is_empty() { Unit::Counted(self.past) } else { Unit::Corrected(self) };
        (receipt, unit)
    }

    fn judge(&self, Reward { id, at, window, value: _ }: &Reward, now: Millis) -> Receipt {
        let Self { past, more, ids, until } = self;
        if past.ids.contains(id) || ids.contains(id) {
            return DUPLICATE;
        }
        if *at < past.at {
            return TOO_EARLY;
        }
        if *at > past.at.saturating_add(*window) || now >= *until || *more >= past.room {
            return TOO_LATE;
        }
        if ids.len() >= REMEMBERED_IDS { TOO_MANY } else { COUNTED_APART }
    }
}

/// Lets a reward wait among others. Those whose time is up are as good as gone.
fn wait(mut waiting: Vec<Waiting>, reward: Reward, now: Millis) -> (Receipt, Vec<Waiting>) {
    let Reward { id, at, window, value } = reward;
    let until = closes(at, window).min(now.saturating_add(WAITING_LIMIT));
    if waiting.iter().any(|other| other.id == id && other.until > now) {
        return (DUPLICATE, waiting);
    }
    if now >= until {
        return (TOO_LATE, waiting);
    }
    if waiting.iter().filter(|other| other.until > now).count() >= WAITING_REWARDS {
        return (TOO_MANY_WAIT, waiting);
    }
    waiting.retain(|other| other.until > now);
    waiting.push(Waiting { id, at, until, value });
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

    fn shown(at: Millis, cap: Amount) -> Exposure {
        let arm = Arc::new(Arm { round: 1, segment: "all".into(), variant: "warm".into() });
        Exposure { at, window: WINDOW, cap, covariate: None, arm }
    }

    fn check(sentence: &str, arrivals: &[Arrives], outcomes: &[Outcome], rewarded: Option<bool>) {
        let (mut unit, mut found) = (None, Vec::new());
        for arrival in arrivals {
            let (receipt, next) = match *arrival {
                Exposed(at, now) => expose(unit, shown(at, Amount::ONE), now),
                Rewarded(id, at, now) => {
                    reward(unit, Reward { id, at, window: WINDOW, value: Amount::ONE }, now)
                }
            };
            found.push(receipt.outcome);
            unit = next;
        }
        let is_rewarded = |open: Open| open.value == Amount::ONE;
        let state =
            unit.and_then(|unit| if let Unit::Open(open) = unit { Some(is_rewarded(open)) } else { None });
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
        let waiting = |window| reward(None, Reward { id: 1, at: 0, window, value: Amount::ONE }, 7);
        let (_, unit) = waiting(window);
        assert_eq!(unit.and_then(|unit| unit.due()), Some(7 + WAITING_LIMIT));
        let (_, unit) = waiting(1000);
        assert_eq!(unit.and_then(|unit| unit.due()), Some(1100));
    }

    #[test]
    fn the_allowance_is_a_tenth_up_to_a_minute() {
        assert_eq!([0, 1000, 600_000, 86_400_000].map(allowance), [0, 100, 60_000, 60_000]);
    }

    fn amount(number: f64) -> Amount {
        Amount::new(number).unwrap()
    }

    fn worth(id: u64, at: Millis, value: f64) -> Reward {
        Reward { id, at, window: WINDOW, value: amount(value) }
    }

    /// What a unit counts for after rewards of these ids and values, which are accepted or not.
    fn check_value(cap: f64, rewards: &[(u64, f64, Outcome)], expected: f64) {
        let (_, mut unit) = expose(None, shown(0, amount(cap)), 0);
        for (id, value, outcome) in rewards {
            let (receipt, next) = reward(unit, worth(*id, 5, *value), 5);
            assert_eq!(receipt.outcome, *outcome, "{rewards:?}");
            unit = next;
        }
        let Some(Unit::Open(open)) = unit else { panic!("it is open") };
        assert_eq!(open.value, amount(expected), "{rewards:?}");
    }

    #[test]
    fn values_are_summed_and_then_capped() {
        check_value(100.0, &[], 0.0);
        check_value(100.0, &[(1, 59.9, Accepted), (2, 0.1, Accepted)], 60.0);
        check_value(100.0, &[(1, 59.9, Accepted), (1, 59.9, Duplicate)], 59.9);
        check_value(100.0, &[(1, 60.0, Accepted), (2, 60.0, Accepted)], 100.0);
        check_value(1e9, &[(1, 1e9, Accepted), (2, 1e9, Accepted)], 1e9);
        let mut many: Vec<_> = (0..REMEMBERED_IDS as u64).map(|id| (id, 1.0, Accepted)).collect();
        many.push((99, 1.0, Invalid));
        check_value(1000.0, &many, 64.0);
        many.pop();
        many.push((99, 1.0, Accepted));
        check_value(64.0, &many, 64.0);
    }

    /// What came late for a unit that was shown at 0, capped at 100, and has counted for 60 by the reward 1.
    fn check_late(rewards: &[(Reward, Millis, Receipt)], more: f64) {
        let (_, unit) = expose(None, shown(0, amount(100.0)), 0);
        let (_, unit) = reward(unit, worth(1, 5, 60.0), 5);
        let Some(Unit::Open(open)) = unit else { panic!("it is open") };
        let mut unit = Some(Unit::Counted(open.past(7)));
        for (late, now, expected) in rewards {
            let (receipt, next) = reward(unit, *late, *now);
            assert_eq!(receipt, *expected, "{late:?}");
            unit = next;
        }
        assert_eq!(unit.map(|unit| unit.more()), Some(amount(more)), "{rewards:?}");
    }

    #[test]
    fn what_comes_late_is_counted_apart_for_a_week() {
        let end = closes(0, WINDOW) + CORRECTED_WITHIN;
        check_late(&[], 0.0);
        check_late(&[(worth(2, WINDOW, 5.0), end - 1, COUNTED_APART)], 5.0);
        check_late(&[(worth(2, WINDOW, 5.0), end, TOO_LATE)], 0.0);
        check_late(&[(worth(2, WINDOW + 1, 5.0), 9999, TOO_LATE)], 0.0);
        check_late(&[(worth(2, -1, 5.0), 9999, TOO_EARLY)], 0.0);
        check_late(&[(worth(1, 5, 60.0), 9999, DUPLICATE)], 0.0);
        check_late(&[(worth(2, 9, 5.0), 9999, COUNTED_APART), (worth(2, 9, 5.0), 9999, DUPLICATE)], 5.0);
        let twice = [(worth(2, 9, 30.0), 9999, COUNTED_APART), (worth(3, 9, 30.0), 9999, COUNTED_APART)];
        check_late(&twice, 40.0);
        let [one, other] = twice;
        check_late(&[one, other, (worth(4, 9, 1.0), 9999, TOO_LATE)], 40.0);
    }

    #[test]
    fn a_binary_unit_that_has_its_reward_keeps_no_ids() {
        let (_, unit) = expose(None, shown(0, Amount::ONE), 0);
        let (_, unit) = reward(unit, worth(1, 5, 1.0), 5);
        let Some(Unit::Open(open)) = unit else { panic!("it is open") };
        let past = open.past(7);
        assert_eq!((past.room, past.ids.len()), (Amount::ZERO, 0));
        assert_eq!(reward(Some(Unit::Counted(past.clone())), worth(2, 5, 1.0), 9999).0, TOO_LATE);
        assert_eq!(expose(Some(Unit::Counted(past)), shown(0, Amount::ONE), 9999).0, DUPLICATE);
    }
}
