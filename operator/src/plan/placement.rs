//! One experiment, one step: its row of the table, its verdict, its figures.

use std::time::Duration;

use api::wire::totals::PlacementTotals;
use api::{
    AdVariant, OnUndecided, PlacementStatus, Provenance, RoundStatus, SegmentAllocation, TablePlacement,
    TableRound, VerdictReason, VerdictStatus,
};
use experiment::{Allocation, Cell, Control, Estimate, PartsPerMillion, Remaining, Verdict};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::approval::Approvals;
use super::cells::TotalsError;
use super::variants::Arms;
use super::{AT_LEAST_EVERY, Note, cells, is_suspended, rounds, variants, withdrawn, words};
use crate::campaign::{Campaign, Copy, Placement};
use crate::error::chain;
use crate::objects::evidence::{self, Grounds};

/// What a step depends on.
pub(super) struct Situation<'a> {
    pub(super) campaign: &'a Campaign,
    pub(super) placement: &'a Placement,
    /// What can be shown.
    pub(super) arms: Arms,
    /// The variants that exist.
    pub(super) variants: &'a [AdVariant],
    /// What people have said of it.
    pub(super) approvals: &'a Approvals<'a>,
    /// The row that is served.
    pub(super) served: Option<&'a TablePlacement>,
    pub(super) totals: Counted<'a>,
    /// What status said before.
    pub(super) before: Option<&'a PlacementStatus>,
    pub(super) figures_interval: Duration,
    pub(super) now: Timestamp,
}

/// What the ledger counted of a placement.
pub(super) enum Counted<'a> {
    NotKnown,
    Known(Vec<&'a PlacementTotals>),
}

/// What follows for one experiment.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) row: TablePlacement,
    pub(super) status: PlacementStatus,
    pub(super) notes: Vec<Note>,
    pub(super) again: Duration,
    /// How the ledger's totals contradict the table; then they are left alone.
    pub(super) inconsistent: Option<String>,
    /// What it needs so that something is tested.
    pub(super) lacks: Option<Lack>,
    /// The record of a verdict that was reached now.
    pub(super) evidence: Option<String>,
}

/// Why a placement tests nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// There is no copy beside the control.
    Copy,
    /// All there is was rejected.
    Approval,
    /// Somebody has to say something first.
    Review,
}

/// Decides what one experiment does next. Totals that contradict the table count as none: the last shares stay, and
/// what needs no numbers, such as `suspend`, goes on.
pub(super) fn step(situation: &Situation<'_>) -> Step {
    let row = situation.row();
    let (known, fault) = match situation.known(&row) {
        Ok(known) => (known, None),
        Err(fault) => (None, Some(fault)),
    };
    let fault = fault.or_else(|| known.as_ref()?.mismatch());
    // Numbers that can't be trusted steer nothing and are not shown; an experiment of theirs ends by its time alone.
    let trusted = known.as_ref().filter(|_| fault.is_none());
    let (verdict, evidence) = situation.verdict(&row, known.as_ref().map(|known| &known.estimate));
    let wanted = situation.wanted(&row, trusted, verdict.as_ref());
    let matured = trusted.map_or(0, |known| words::samples(&known.estimate));
    let row = situation.open(&row, wanted.allocation, matured).unwrap_or(row);
    let status = situation.status(&row, trusted, verdict.clone(), &wanted.why);
    let notes = situation.notes(&row, &wanted.why, verdict.as_ref());
    let again = situation.again(&row, verdict.as_ref());
    let inconsistent = fault.map(|fault| format!("{}: {}", situation.placement.name, chain(&fault)));
    let lacks = situation.lacks(&row, verdict.as_ref());
    Step { row, status, notes, again, inconsistent, lacks, evidence }
}

/// What the numbers say.
pub(super) struct Known {
    pub(super) cells: Vec<Cell>,
    pub(super) estimate: Estimate,
}

impl Known {
    /// Counts that can't have come from the shares.
    fn mismatch(&self) -> Option<TotalsError> {
        let ratio = self.estimate.sample_ratio;
        let log10_e_value = ratio.log_e_value / std::f64::consts::LN_10;
        (!ratio.ok).then_some(TotalsError::SampleRatio { counts: ratio.worst, log10_e_value })
    }
}

/// The shares that should be in force, and why.
struct Wanted {
    /// None: what is in force stays.
    allocation: Option<Allocation>,
    why: String,
}

impl Wanted {
    fn the(allocation: Option<Allocation>, why: &str) -> Self {
        Self { allocation, why: why.to_owned() }
    }
}

impl Situation<'_> {
    /// The row of the experiment, with what people say now of its copy.
    fn row(&self) -> TablePlacement {
        let mut row = self.experiment();
        withdrawn::mark(&mut row, self.approvals);
        let in_table = |copy: &&Copy| row.variants.iter().any(|variant| variant.name == copy.name);
        row.in_review =
            self.arms.in_review.iter().filter(|copy| !in_table(copy)).map(variants::table_variant).collect();
        row
    }

    /// The row as it is, the first one, or the one with which the experiment begins.
    ///
    /// It begins under a new seed: people who saw the control while variants were written are drawn anew and counted
    /// anew, so the experiment owes nothing to the time before. The same where somebody deleted the table: its shares
    /// are lost, and what was counted under them says nothing any more.
    fn experiment(&self) -> TablePlacement {
        match (self.served, self.before) {
            (None, None) => self.first_row(1, 1),
            (None, Some(before)) => {
                self.first_row(before.seed + 1, u32::try_from(before.round.number + 1).unwrap_or(u32::MAX))
            }
            (Some(row), _) if row.variants.len() == 1 && !self.is_shown(row) => {
                self.first_row(row.seed + 1, row.rounds.last().map_or(1, |round| round.number + 1))
            }
            (Some(row), _) => row.clone(),
        }
    }

    /// Whether a row with the control alone is what the spec asks for now.
    fn is_shown(&self, row: &TablePlacement) -> bool {
        let Placement { metric, format, .. } = self.placement;
        let names = |row: &TablePlacement| {
            row.variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>()
        };
        let arms: Vec<String> = self.arms.shown.iter().map(|arm| arm.name.clone()).collect();
        names(row) == arms
            && row.metric == *metric
            && row.format == format.name()
            && row.rules == self.campaign.table_rules(self.placement)
    }

    fn first_row(&self, seed: i64, number: u32) -> TablePlacement {
        let control = Allocation::only(0, self.arms.shown.len()).expect("the control is always there");
        TablePlacement {
            name: self.placement.name.clone(),
            format: self.placement.format.name().to_owned(),
            rules: self.campaign.table_rules(self.placement),
            seed,
            metric: self.placement.metric.clone(),
            variants: self.arms.shown.iter().map(variants::table_variant).collect(),
            in_review: Vec::new(),
            rounds: vec![self.round(number, 0, &control)],
        }
    }

    fn round(&self, number: u32, matured_exposures: i64, allocation: &Allocation) -> TableRound {
        let shares = allocation.shares().iter().map(|share| share.get()).collect();
        TableRound {
            number,
            opened_at: Time(self.now),
            matured_exposures,
            allocations: vec![SegmentAllocation { segments: self.campaign.segments.clone(), shares }],
        }
    }

    /// None where there is nothing to estimate, or the ledger did not answer.
    fn known(&self, row: &TablePlacement) -> Result<Option<Known>, TotalsError> {
        match &self.totals {
            Counted::Known(counted) if row.variants.len() > 1 => {
                let cells = cells::cells(row, counted)?;
                let design = self.placement.design(&row.variants);
                let estimate = experiment::estimate(&cells, &design).map_err(TotalsError::Estimate)?;
                let (found, known) = (words::samples(&estimate), rounds::matured_at_opening(row));
                if found < known {
                    return Err(TotalsError::Lost { found, known });
                }
                Ok(Some(Known { cells, estimate }))
            }
            _ => Ok(None),
        }
    }

    /// The verdict that stands, or the one that is reached now, with the record of it.
    fn verdict(
        &self,
        row: &TablePlacement,
        estimate: Option<&Estimate>,
    ) -> (Option<VerdictStatus>, Option<String>) {
        let stored = self.before.and_then(|before| before.verdict.clone());
        let reached = estimate.filter(|_| stored.is_none()).and_then(|estimate| self.reached(row, estimate));
        let Some(reached) = reached else { return (stored, None) };
        let record = self.evidence(row, &reached);
        let evidence = record.as_deref().map(api::name::text_digest);
        (Some(VerdictStatus { evidence, ..reached }), record)
    }

    /// What the verdict is reached on, to be kept beside it.
    fn evidence(&self, row: &TablePlacement, verdict: &VerdictStatus) -> Option<String> {
        let Counted::Known(totals) = &self.totals else { return None };
        let counted = cells::counted(row, totals).ok()?;
        let elapsed = rounds::begun(row).map_or(SignedDuration::ZERO, |begun| self.now.duration_since(begun));
        let written = |name: &str| (words::origin(self.placement, name), self.provenance(name));
        let grounds = Grounds {
            campaign: self.campaign,
            placement: self.placement,
            row,
            counted: &counted,
            elapsed,
            written: &written,
        };
        Some(evidence::evidence(&grounds, verdict).to_text())
            .filter(|text| text.len() <= evidence::MOST_BYTES)
    }

    fn provenance(&self, name: &str) -> Option<Provenance> {
        let variant = self.variants.iter().find(|variant| variant.name_any() == name)?;
        variant.spec.provenance.clone()
    }

    fn reached(&self, row: &TablePlacement, estimate: &Estimate) -> Option<VerdictStatus> {
        if is_suspended(self.campaign) {
            return None;
        }
        let remaining = if self.is_over(row) { Remaining::Nothing } else { Remaining::Some };
        let said = words::Said { placement: self.placement, row, estimate, now: self.now };
        match experiment::judge(estimate, remaining) {
            Verdict::Winner { arm, evidence } => Some(said.winner(arm, &evidence)),
            Verdict::ControlWins => Some(said.control_wins()),
            Verdict::NoWorthwhileDifference { worthwhile_lift, .. } => {
                Some(said.nothing_worthwhile(worthwhile_lift))
            }
            Verdict::Inconclusive { leader, missing } => {
                Some(said.inconclusive(self.served_undecided(leader), leader, &missing))
            }
            // Without data, or with data that can't be trusted, there is no end but the one of time.
            Verdict::Unhealthy(problem) if remaining == Remaining::Nothing => Some(said.unhealthy(problem)),
            Verdict::Unhealthy(_) | Verdict::Collecting { .. } => None,
        }
    }

    /// The arm that is served once time is up.
    fn served_undecided(&self, leader: usize) -> usize {
        match self.placement.on_undecided {
            OnUndecided::Control => 0,
            OnUndecided::Leader => leader,
        }
    }

    fn is_over(&self, row: &TablePlacement) -> bool {
        let begun = rounds::begun(row);
        begun.is_some_and(|begun| self.now.duration_since(begun) >= self.placement.maximum_duration)
    }

    fn wanted(&self, row: &TablePlacement, known: Option<&Known>, verdict: Option<&VerdictStatus>) -> Wanted {
        let arms = row.variants.len();
        let stored = self.before.and_then(|before| before.verdict.as_ref());
        match (stored, verdict) {
            _ if arms == 1 && !self.arms.in_review.is_empty() => {
                Wanted::the(None, "the control alone, until variants are reviewed")
            }
            _ if arms == 1 => Wanted::the(None, "the control alone, until variants are written"),
            (Some(stored), _) => self.after(row, stored),
            (None, Some(_)) if withdrawn::is_served(row) => self.without_withdrawn(row, known),
            // A verdict acts only once it is stored.
            (None, Some(_)) => Wanted::the(None, "a verdict is reached"),
            (None, None) if is_suspended(self.campaign) => {
                Wanted::the(Allocation::only(0, arms), "the control alone: the campaign is suspended")
            }
            (None, None) if withdrawn::is_served(row) => self.without_withdrawn(row, known),
            (None, None) if withdrawn::is_all(row) => {
                Wanted::the(Allocation::only(0, arms), "the control alone: no variant is approved")
            }
            (None, None) => self.next_shares(row, known),
        }
    }

    /// What is not approved any more is taken out at once, and not when the round may close.
    fn without_withdrawn(&self, row: &TablePlacement, known: Option<&Known>) -> Wanted {
        let why = "without what is not approved any more";
        let shares = match known {
            // It would take a place that the table does not have.
            _ if rounds::is_full(row) => Allocation::only(0, row.variants.len()),
            Some(Known { cells, estimate }) => {
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
            (_, 0) if ended_on > 0 => "the control alone: what the verdict names is not approved any more",
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
    fn next_shares(&self, row: &TablePlacement, known: Option<&Known>) -> Wanted {
        let current = row.rounds.last().expect("a row has rounds");
        let Some(Known { cells, estimate }) = known else {
            return self.without_data(row, current);
        };
        let next = experiment::allocate(cells, &estimate.design, &self.placement.policy);
        if rounds::is_full(row) {
            let last = rounds::is_alone(current).then(|| rounds::last_compared(row)).flatten();
            // Others than the last would take a place that the table does not have: the control stays alone then.
            let last = last.filter(|shares| withdrawn::without(shares, row) == *shares);
            return Wanted::the(last, "the last shares: the table holds as many rounds as it can");
        }
        if rounds::is_alone(current) || self.may_close(current, words::samples(estimate)) {
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
    fn grown(&self, round: &TableRound) -> i64 {
        let (opening, growth) =
            (i128::from(round.matured_exposures), i128::from(self.placement.round.growth));
        let grown = opening + (opening * growth + 999_999) / 1_000_000;
        i64::try_from(grown).unwrap_or(i64::MAX).max(round.matured_exposures + 1)
    }

    /// The row with a new round, where other shares are wanted than are in force.
    fn open(&self, row: &TablePlacement, wanted: Option<Allocation>, matured: i64) -> Option<TablePlacement> {
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
        if rounds::is_full(row) && resumes {
            return Some(next);
        }
        // A round that nobody was served is no round yet: it keeps its number.
        let published = self.served.is_some_and(|served| served.seed == row.seed);
        let number = if published { current.number + 1 } else { current.number };
        next.rounds.push(self.round(number, matured.max(current.matured_exposures), &wanted));
        Some(next)
    }

    fn status(
        &self,
        row: &TablePlacement,
        known: Option<&Known>,
        verdict: Option<VerdictStatus>,
        why: &str,
    ) -> PlacementStatus {
        let round = row.rounds.last().expect("a row has rounds");
        let figures = match (self.before, known) {
            (Some(before), None) => words::Figures::kept(before),
            (Some(before), Some(known)) if !self.is_due(before, &known.estimate, round, verdict.as_ref()) => {
                words::Figures::kept(before)
            }
            (_, known) => words::Figures::fresh(self.placement, row, known, self.now),
        };
        PlacementStatus {
            name: self.placement.name.clone(),
            seed: row.seed,
            control: row.variants[0].name.clone(),
            leader: figures.leader,
            round: RoundStatus {
                number: round.number.into(),
                opened_at: round.opened_at.clone(),
                shares: why.to_owned(),
                waits_for: self.waits_for(row, round, verdict.as_ref()),
            },
            samples: figures.samples,
            still_needed: figures.still_needed.filter(|_| verdict.is_none()),
            days_left: figures.days_left.filter(|_| verdict.is_none()),
            figures_at: figures.at,
            variants: words::with_shares(&figures.variants, self.placement, row),
            verdict,
        }
    }

    /// Figures move when a round opens, when a verdict is reached, or after a while when there are new ones.
    fn is_due(
        &self,
        before: &PlacementStatus,
        estimate: &Estimate,
        round: &TableRound,
        verdict: Option<&VerdictStatus>,
    ) -> bool {
        let age = before.figures_at.as_ref().map(|at| self.now.duration_since(at.0));
        let interval = SignedDuration::try_from(self.figures_interval).unwrap_or(SignedDuration::MAX);
        before.round.number != i64::from(round.number)
            || before.verdict.as_ref() != verdict
            || (before.samples != words::samples(estimate) && age.is_none_or(|age| age >= interval))
    }

    fn waits_for(
        &self,
        row: &TablePlacement,
        round: &TableRound,
        verdict: Option<&VerdictStatus>,
    ) -> Option<String> {
        let waits = verdict.is_none() && !is_suspended(self.campaign) && !withdrawn::is_all(row);
        if !waits || rounds::is_full(row) {
            return None;
        }
        let earliest = round.opened_at.0.checked_add(self.placement.round.minimum).ok()?;
        let earliest = earliest.round(jiff::Unit::Second).unwrap_or(earliest);
        Some(format!(
            "round {} opens after {earliest}, with {} matured exposures",
            round.number + 1,
            self.grown(round)
        ))
    }

    /// What it lacks, where nothing is tested beside the control and nothing was.
    fn lacks(&self, row: &TablePlacement, verdict: Option<&VerdictStatus>) -> Option<Lack> {
        match () {
            () if !withdrawn::is_all(row) || verdict.is_some() => None,
            () if !self.arms.in_review.is_empty() => Some(Lack::Review),
            () if self.arms.rejected > 0 => Some(Lack::Approval),
            () => Some(Lack::Copy),
        }
    }

    fn notes(&self, row: &TablePlacement, why: &str, verdict: Option<&VerdictStatus>) -> Vec<Note> {
        let round = row.rounds.last().expect("a row has rounds");
        let was = self.served.and_then(|row| row.rounds.last()).map(|round| round.number);
        let opened = (was != Some(round.number)).then(|| Note {
            reason: "RoundOpened",
            message: format!("{}: round {}, {why}", self.placement.name, round.number),
        });
        let stored = self.before.is_some_and(|before| before.verdict.is_some());
        let reached = verdict.filter(|_| !stored).map(|verdict| Note {
            reason: match verdict.reason {
                VerdictReason::Winner => "Winner",
                VerdictReason::ControlWins => "ControlWins",
                VerdictReason::NoWorthwhileDifference => "NoWorthwhileDifference",
                VerdictReason::Inconclusive => "Inconclusive",
            },
            message: format!("{}: {}", self.placement.name, verdict.sentence),
        });
        opened.into_iter().chain(reached).collect()
    }

    fn again(&self, row: &TablePlacement, verdict: Option<&VerdictStatus>) -> Duration {
        let stored = self.before.is_some_and(|before| before.verdict.is_some());
        match verdict {
            Some(_) if stored => AT_LEAST_EVERY,
            Some(_) => Duration::ZERO,
            None if row.variants.len() == 1 || is_suspended(self.campaign) => AT_LEAST_EVERY,
            None => self.look_interval(),
        }
    }

    /// Often enough that a round closes soon after it may; reading totals costs little.
    fn look_interval(&self) -> Duration {
        let minimum = Duration::try_from(self.placement.round.minimum).unwrap_or(AT_LEAST_EVERY);
        (minimum / 4).clamp(Duration::from_secs(1), Duration::from_secs(30))
    }
}
