//! The shares that should be in force, and the round that brings them.
//!
//! ```text
//!   the control alone   until the experiment begins, while it is suspended, once its offer is over
//!   the policy's        while it runs: each time that the round may close
//!   the verdict's       once one is stored, beside the control's share, which goes on measuring
//! ```
//!
//! Whatever of them is in force, an arm that may not be served any more is taken out at once.

use api::{TablePlacement, TableRound, VerdictReason, VerdictStatus};
use experiment::{Allocation, Cell, Control, PartsPerMillion};

use super::placement::{Known, Situation};
use super::variants::Held;
use super::{guardrails, is_suspended, rounds, withdrawn, words};

/// The shares that should be in force, and why.
pub(super) struct Wanted {
    /// None: what is in force stays.
    pub(super) allocation: Option<Allocation>,
    pub(super) why: String,
}

impl Wanted {
    fn the(allocation: Option<Allocation>, why: &str) -> Self {
        Self { allocation, why: why.to_owned() }
    }
}

impl Situation<'_> {
    /// The shares that should be in force, and why.
    pub(super) fn wanted(
        &self,
        row: &TablePlacement,
        known: Option<&Known<'_>>,
        verdict: Option<&VerdictStatus>,
    ) -> Wanted {
        let arms = row.variants.len();
        let stored = self.before.and_then(|before| before.verdict.as_ref());
        match (stored, verdict) {
            _ if arms == 1 => Wanted::the(None, &self.before_it_begins(verdict)),
            _ if self.campaign.schedule.is_offer_over(self.now) => {
                Wanted::the(Allocation::only(0, arms), "the control alone: the offer is over")
            }
            (Some(stored), _) => self.after(row, stored),
            (None, Some(_)) if withdrawn::is_served(row) => self.without_withdrawn(row, known),
            // A verdict acts only once it is stored.
            (None, Some(_)) => Wanted::the(None, "a verdict is reached"),
            (None, None) if is_suspended(self.campaign) => {
                Wanted::the(Allocation::only(0, arms), "the control alone: the campaign is suspended")
            }
            (None, None) if withdrawn::is_served(row) => self.without_withdrawn(row, known),
            (None, None) if withdrawn::is_all(row) => {
                Wanted::the(Allocation::only(0, arms), "the control alone: no variant may be served")
            }
            (None, None) => self.next_shares(row, known),
        }
    }

    /// Why there is nothing yet, or nothing any more, beside the control.
    fn before_it_begins(&self, verdict: Option<&VerdictStatus>) -> String {
        match self.arms.held {
            _ if verdict.is_some() => "the control alone".to_owned(),
            Some(Held::Review) => "the control alone, until variants are reviewed".to_owned(),
            Some(Held::Start(start)) => format!("the control alone, until {start}"),
            Some(Held::Writing) | None => "the control alone, until variants are written".to_owned(),
        }
    }

    /// What is not approved any more is taken out at once, and not when the round may close.
    fn without_withdrawn(&self, row: &TablePlacement, known: Option<&Known<'_>>) -> Wanted {
        let current = row.rounds.last();
        let gives = |arm| current.is_some_and(|round| round.gives(arm));
        let mut served = row.variants.iter().enumerate().filter(|(arm, _)| gives(*arm));
        let harms = served.any(|(_, it)| guardrails::standing(it, self.approvals).is_some());
        let why = if harms { "without what does harm" } else { "without what is not approved any more" };
        let shares = match known {
            // It would take a place that the table does not have.
            _ if self.is_full(row) => Allocation::only(0, row.variants.len()),
            Some(Known { cells, estimate, watched: _ }) => {
                Some(experiment::allocate(cells, &estimate.design, &self.placement.policy).allocation)
            }
            None => rounds::last_compared(row).map(|shares| withdrawn::without(&shares, row)),
        };
        Wanted::the(shares, why)
    }

    /// What is served after the end, as the verdict says, beside the control's share, which goes on measuring.
    fn after(&self, row: &TablePlacement, verdict: &VerdictStatus) -> Wanted {
        if is_suspended(self.campaign) {
            return Wanted::the(
                Allocation::only(0, row.variants.len()),
                "the control alone: the campaign is suspended",
            );
        }
        let ended_on = row.variants.iter().position(|variant| variant.name == verdict.served).unwrap_or(0);
        let arm = if row.variants[ended_on].withdrawn { 0 } else { ended_on };
        let why = match (verdict.reason, arm) {
            (_, 0) if ended_on > 0 => "the control alone: what the verdict names may not be served any more",
            (_, 0) => "the control alone",
            (VerdictReason::Winner, _) => "the winner, beside the control's share",
            (
                VerdictReason::Inconclusive
                | VerdictReason::ControlWins
                | VerdictReason::NoWorthwhileDifference,
                _,
            ) => "the leader, beside the control's share",
        };
        Wanted::the(self.beside_control(arm, row.variants.len()), why)
    }

    fn beside_control(&self, arm: usize, arms: usize) -> Option<Allocation> {
        let Control::Fixed(control) = self.placement.policy.control() else { return None };
        let rest = PartsPerMillion::new(PartsPerMillion::ONE.get() - control.get())?;
        let share = |index| match index {
            0 if arm == 0 => PartsPerMillion::ONE,
            0 => control,
            index if index == arm => rest,
            _ => PartsPerMillion::ZERO,
        };
        Allocation::try_from((0..arms).map(share).collect::<Vec<_>>()).ok()
    }

    /// The policy's shares, when the round may close.
    fn next_shares(&self, row: &TablePlacement, known: Option<&Known<'_>>) -> Wanted {
        let current = row.rounds.last().expect("a row has rounds");
        let Some(Known { cells, estimate, watched: _ }) = known else {
            return self.without_data(row, current);
        };
        let next = experiment::allocate(cells, &estimate.design, &self.placement.policy);
        if self.is_full(row) {
            let last = rounds::is_alone(current).then(|| rounds::last_compared(row)).flatten();
            // Others than the last would take a place that the table does not have: the control stays alone then.
            let last = last.filter(|shares| withdrawn::without(shares, row) == *shares);
            return Wanted::the(last, "the last shares: the table holds as many rounds as it can");
        }
        let is_due = rounds::is_alone(current) || rounds::has_newcomer(row);
        if is_due || self.may_close(current, words::samples(estimate)) {
            return Wanted::the(Some(next.allocation), next.reason.as_str());
        }
        let why = self.before.map_or(next.reason.as_str(), |before| before.round.shares.as_str());
        Wanted::the(None, why)
    }

    /// Without data the last shares stay, or come back where the control is alone; where there are none, the experiment
    /// begins all the same.
    fn without_data(&self, row: &TablePlacement, current: &TableRound) -> Wanted {
        let last = "the last shares: there are no numbers to go by";
        match (rounds::is_alone(current), rounds::last_compared(row)) {
            // What came since has to be served before there can be numbers of it.
            _ if rounds::has_newcomer(row) && !self.is_full(row) => {
                Wanted::the(self.exploring(row), experiment::Reason::Exploring.as_str())
            }
            (false, _) => Wanted::the(None, last),
            (true, Some(shares)) => Wanted::the(Some(withdrawn::without(&shares, row)), last),
            (true, None) => Wanted::the(self.exploring(row), experiment::Reason::Exploring.as_str()),
        }
    }

    /// The shares of an experiment of which nothing is known.
    fn exploring(&self, row: &TablePlacement) -> Option<Allocation> {
        let arms = row.variants.len();
        let nothing = Cell::new(Allocation::even(arms)?, vec![experiment::Totals::default(); arms]).ok()?;
        let design = self.placement.design(&row.variants);
        Some(experiment::allocate(&[nothing], &design, &self.placement.policy).allocation)
    }

    fn may_close(&self, round: &TableRound, matured: i64) -> bool {
        let lasted = self.now.duration_since(round.opened_at.0);
        lasted >= self.placement.round.minimum && matured >= self.grown(round)
    }

    /// Matured exposures from which a round may close: the opening's, grown, and at least one more.
    pub(super) fn grown(&self, round: &TableRound) -> i64 {
        let (opening, growth) =
            (i128::from(round.matured_exposures), i128::from(self.placement.round.growth));
        let grown = opening + (opening * growth + 999_999) / 1_000_000;
        i64::try_from(grown).unwrap_or(i64::MAX).max(round.matured_exposures + 1)
    }

    /// The row with a new round, where other shares are wanted than are in force.
    pub(super) fn open(
        &self,
        row: &TablePlacement,
        wanted: Option<Allocation>,
        matured: i64,
    ) -> Option<TablePlacement> {
        let current = row.rounds.last()?;
        let wanted = wanted?;
        if rounds::has_shares(current, row.variants.len(), &wanted) {
            return None;
        }
        let mut next = row.clone();
        // A round with one arm alone has nothing to compare: it may be forgotten.
        next.rounds.retain(|round| !rounds::is_alone(round));
        let resumes =
            next.rounds.last().is_some_and(|last| rounds::has_shares(last, row.variants.len(), &wanted));
        if self.is_full(row) && resumes {
            return Some(next);
        }
        // A round that nobody was served is no round yet: it keeps its number.
        let published = self.served.is_some_and(|served| served.seed == row.seed);
        let number = if published { current.number + 1 } else { current.number };
        next.rounds.push(self.round(number, matured.max(current.matured_exposures), &wanted));
        Some(next)
    }
}
