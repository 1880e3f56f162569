//! One experiment, one step: its row of the table, its verdict, its figures.

use std::time::Duration;

use api::wire::totals::PlacementTotals;
use api::{
    AdVariant, CostStatus, OnUndecided, PlacementStatus, Provenance, RoundStatus, SegmentAllocation,
    TablePlacement, TableRound, TableVariant, VerdictStatus,
};
use experiment::{Allocation, Cell, Estimate, Remaining, Verdict};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::approval::Approvals;
use super::cells::TotalsError;
use super::edits::MOST_VARIANTS;
use super::guardrails::Watched;
use super::variants::{Arms, Held};
use super::{AT_LEAST_EVERY, Note, cells, cost, guardrails, is_suspended, rounds, withdrawn, words};
use crate::campaign::{Campaign, Copy, Mode, Placement};
use crate::error::chain;
use crate::objects::evidence::{self, Grounds};
use crate::sentence::Ended;

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
    /// What writing cost, where that is known.
    pub(super) writing: Option<cost::Writing<'a>>,
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
    /// The moment that it waits for, and for nothing else.
    pub(super) starts_at: Option<Timestamp>,
    /// A number that no table of the campaign has had yet, where tables were served that are not there any more.
    pub(super) above: Option<i64>,
}

/// The newest draw and round under which people were counted, and of which no table tells.
struct Unknown {
    seed: i64,
    round: u32,
}

/// Why a placement tests nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// There is no copy beside the control.
    Copy,
    /// All there is was rejected.
    Approval,
    /// All there is does harm.
    Safety,
    /// Somebody has to say something first.
    Review,
}

/// Decides what one experiment does next. Totals that contradict the table count as none: the last shares stay, and
/// what needs no numbers, such as `suspend`, goes on.
pub(super) fn step(situation: &Situation<'_>) -> Step {
    let mut row = situation.row();
    let (mut known, mut fault) = situation.look(&row);
    let harm = situation.take_down(&mut row, known.as_ref().filter(|_| fault.is_none()));
    if !harm.is_empty() {
        // What is out can't win.
        (known, fault) = situation.look(&row);
    }
    // Numbers that can't be trusted steer nothing and are not shown; an experiment of theirs ends by its time alone.
    let trusted = known.as_ref().filter(|_| fault.is_none());
    let (verdict, evidence) = situation.verdict(&row, known.as_ref());
    let wanted = situation.wanted(&row, trusted, verdict.as_ref());
    let matured = trusted.map_or(0, |known| words::samples(&known.estimate));
    let row = situation.open(&row, wanted.allocation, matured).unwrap_or(row);
    let status = situation.status(&row, trusted, verdict.clone(), &wanted.why);
    let mut notes = situation.notes(&row, &wanted.why, verdict.as_ref());
    notes.extend(harm);
    let again = situation.again(&row, verdict.as_ref());
    // What is wrong with a guardrail's sums keeps nothing else from going on.
    let unwatched = known.iter_mut().flat_map(|known| known.watched.extract_if(.., |it| it.is_err()));
    let fault = fault.or_else(|| unwatched.filter_map(Result::err).next());
    let inconsistent = fault.map(|fault| format!("{}: {}", situation.placement.name, chain(&fault)));
    let lacks = situation.lacks(&row, verdict.as_ref());
    let starts_at = match situation.arms.held {
        Some(Held::Start(start)) if row.variants.len() == 1 => Some(start),
        Some(Held::Start(_) | Held::Writing | Held::Review) | None => None,
    };
    // A campaign does not change its table each second, so that counting them has not come as far.
    let above = situation.unknown_rounds().map(|_| situation.now.as_second());
    Step { row, status, notes, again, inconsistent, lacks, evidence, starts_at, above }
}

/// What the numbers say.
pub(super) struct Known<'a> {
    pub(super) cells: Vec<Cell>,
    pub(super) estimate: Estimate,
    pub(super) watched: Vec<Result<Watched<'a>, TotalsError>>,
}

impl Situation<'_> {
    /// The row of the experiment, with what people say now of its copy.
    fn row(&self) -> TablePlacement {
        let mut row = self.experiment();
        self.join(&mut row);
        withdrawn::mark(&mut row, self.approvals);
        let in_table = |copy: &&Copy| row.variants.iter().any(|variant| variant.name == copy.name);
        row.in_review =
            self.arms.in_review.iter().filter(|copy| !in_table(copy)).map(|it| self.variant(it)).collect();
        row
    }

    /// Edits join an experiment that goes on, as a generation of their own: what was seen of others is not theirs, and the
    /// chance of a false winner holds over all generations together.
    fn join(&self, row: &mut TablePlacement) {
        let generation = row.variants.iter().map(|variant| variant.generation).max().unwrap_or(1) + 1;
        let goes_on = row.variants.len() > 1 && self.before.is_none_or(|before| before.verdict.is_none());
        for (copy, of) in &self.arms.edits {
            let known = row.variants.iter().position(|variant| variant.name == copy.name);
            if let Some(known) = known {
                row.variants[known].edit_of = Some(of.clone());
            } else if goes_on && row.variants.len() < MOST_VARIANTS {
                let variant = self.variant(copy);
                row.variants.push(TableVariant { generation, edit_of: Some(of.clone()), ..variant });
            }
        }
    }

    /// The row as it is, the first one, or the one with which the experiment begins.
    ///
    /// It begins under a new seed: people who saw the control while variants were written are drawn anew and counted
    /// anew, so the experiment owes nothing to the time before. The same where somebody deleted the table, or put back an
    /// older one: its shares are lost, and what was counted under them says nothing any more.
    fn experiment(&self) -> TablePlacement {
        if let Some(Unknown { seed, round }) = self.unknown_rounds() {
            return self.first_row(seed + 1, round + 1);
        }
        match (self.served, self.before) {
            // What has ended never begins, though what it waited for be there now.
            (Some(row), Some(before)) if before.verdict.is_some() => row.clone(),
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

    /// The newest round that was counted, where what is served does not know it: the API server was put back to an older
    /// backup, and that round's number would be given to other shares.
    fn unknown_rounds(&self) -> Option<Unknown> {
        let Counted::Known(counted) = &self.totals else { return None };
        let last =
            |counted: &&&PlacementTotals| counted.cells.iter().map(|cell| cell.round).max().unwrap_or(0);
        let newest = counted.iter().max_by_key(|counted| (counted.seed, last(counted)))?;
        let (seed, round) = (newest.seed, last(&newest));
        let known = self.served.map(|row| (row.seed, row.rounds.last().map_or(0, |round| round.number)))?;
        let decided = self.before.is_some_and(|before| before.verdict.is_some());
        (!decided && (seed, round) > known).then_some(Unknown { seed, round: round.max(known.1) })
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
            && row.guardrails == self.table_guardrails()
            && row.format == format.name()
            && row.rules == self.campaign.table_rules(self.placement)
    }

    fn variant(&self, copy: &Copy) -> TableVariant {
        let stand_in = match self.campaign.mode {
            Mode::Live => None,
            Mode::DryRun => Some(&self.placement.control),
        };
        copy.table_variant(stand_in)
    }

    fn table_guardrails(&self) -> Vec<api::TableMetric> {
        self.placement.guardrails.iter().map(|guardrail| guardrail.metric.clone()).collect()
    }

    fn first_row(&self, seed: i64, number: u32) -> TablePlacement {
        let control = Allocation::only(0, self.arms.shown.len()).expect("the control is always there");
        TablePlacement {
            name: self.placement.name.clone(),
            format: self.placement.format.name().to_owned(),
            rules: self.campaign.table_rules(self.placement),
            seed,
            metric: self.placement.metric.clone(),
            guardrails: self.table_guardrails(),
            variants: self.arms.shown.iter().map(|copy| self.variant(copy)).collect(),
            in_review: Vec::new(),
            rounds: vec![self.round(number, 0, &control)],
        }
    }

    /// Whether the table takes no further round of this experiment.
    pub(super) fn is_full(&self, row: &TablePlacement) -> bool {
        rounds::is_full(row, self.campaign.placements.len())
    }

    pub(super) fn round(&self, number: u32, matured_exposures: i64, allocation: &Allocation) -> TableRound {
        let shares = allocation.shares().iter().map(|share| share.get()).collect();
        TableRound {
            number,
            opened_at: Time(self.now),
            matured_exposures,
            allocations: vec![SegmentAllocation { segments: self.campaign.segments.clone(), shares }],
        }
    }

    /// What the numbers say, and why they can't be trusted where they can't.
    fn look(&self, row: &TablePlacement) -> (Option<Known<'_>>, Option<TotalsError>) {
        match self.known(row) {
            Ok(known) => {
                let mismatch = known.as_ref().and_then(|known| TotalsError::mismatch(&known.estimate));
                (known, mismatch)
            }
            Err(fault) => (None, Some(fault)),
        }
    }

    /// Takes out what guardrails show to do harm, and tells of it.
    fn take_down(&self, row: &mut TablePlacement, known: Option<&Known<'_>>) -> Vec<Note> {
        let Some(known) = known else { return Vec::new() };
        let harm = guardrails::take_down(row, &known.watched, self.campaign.mode, self.now);
        withdrawn::mark(row, self.approvals);
        harm
    }

    /// None where there is nothing to estimate, or the ledger did not answer.
    fn known(&self, row: &TablePlacement) -> Result<Option<Known<'_>>, TotalsError> {
        match &self.totals {
            Counted::Known(counted) if row.variants.len() > 1 => {
                let cells = cells::cells(row, counted)?;
                let design = self.placement.design(&row.variants);
                let estimate = experiment::estimate(&cells, &design).map_err(TotalsError::Estimate)?;
                let (found, known) = (words::samples(&estimate), rounds::matured_at_opening(row));
                if found < known {
                    return Err(TotalsError::Lost { found, known });
                }
                let watched = guardrails::watch(self.placement, row, counted);
                Ok(Some(Known { cells, estimate, watched }))
            }
            _ => Ok(None),
        }
    }

    /// The verdict that stands, or the one that is reached now, with the record of it.
    fn verdict(
        &self,
        row: &TablePlacement,
        known: Option<&Known<'_>>,
    ) -> (Option<VerdictStatus>, Option<String>) {
        let stored = self.before.and_then(|before| before.verdict.clone());
        if stored.is_some() || is_suspended(self.campaign) {
            return (stored, None);
        }
        if rounds::begun(row).is_none() && self.is_over(row) {
            return (Some(words::nothing_tested(self.placement, self.now)), None);
        }
        let reached = known.and_then(|known| Some((self.reached(row, &known.estimate)?, known)));
        let Some((reached, known)) = reached else { return (None, None) };
        let reached = match self.campaign.mode {
            Mode::Live => reached,
            Mode::DryRun => words::rehearsed(self.placement, reached),
        };
        let record = self.evidence(row, known, &reached);
        let evidence = record.as_deref().map(api::name::text_digest);
        (Some(VerdictStatus { evidence, ..reached }), record)
    }

    /// What the verdict is reached on, to be kept beside it; where that is too large, without the guardrails.
    fn evidence(&self, row: &TablePlacement, known: &Known<'_>, verdict: &VerdictStatus) -> Option<String> {
        let Counted::Known(totals) = &self.totals else { return None };
        let counted = cells::counted(row, totals).ok()?;
        let elapsed = rounds::begun(row).map_or(SignedDuration::ZERO, |begun| self.now.duration_since(begun));
        let written =
            |variant: &TableVariant| (words::origin(self.placement, variant), self.provenance(&variant.name));
        let record = |guarded: &[_]| {
            let grounds = Grounds {
                campaign: self.campaign,
                placement: self.placement,
                row,
                counted: &counted,
                estimate: &known.estimate,
                guarded,
                elapsed,
                longest: self.longest(row),
                written: &written,
            };
            evidence::evidence(&grounds, verdict).to_text()
        };
        let watched = known.watched.iter().flatten();
        let guarded: Vec<_> = watched.filter_map(|watched| watched.counted(row, totals)).collect();
        let whole = Some(record(&guarded)).filter(|text| evidence::fits(text, evidence::MOST_BYTES_GUARDED));
        whole.or_else(|| Some(record(&[])).filter(|text| evidence::fits(text, api::record::MOST_BYTES_KEPT)))
    }

    fn provenance(&self, name: &str) -> Option<Provenance> {
        let variant = self.variants.iter().find(|variant| variant.name_any() == name)?;
        variant.spec.provenance.clone()
    }

    fn reached(&self, row: &TablePlacement, estimate: &Estimate) -> Option<VerdictStatus> {
        let ended = self.ended(row, words::samples(estimate));
        let remaining = if ended.is_some() { Remaining::Nothing } else { Remaining::Some };
        let said = words::Said { placement: self.placement, row, estimate, now: self.now };
        match experiment::judge(estimate, remaining) {
            Verdict::Winner { arm, evidence } => Some(said.winner(arm, &evidence)),
            Verdict::ControlWins => Some(said.control_wins()),
            Verdict::NoWorthwhileDifference { worthwhile_lift, .. } => {
                Some(said.nothing_worthwhile(worthwhile_lift))
            }
            Verdict::Inconclusive { leader, missing } => {
                let ended = ended.unwrap_or(Ended::Time);
                Some(said.inconclusive(ended, self.served_undecided(leader), leader, &missing))
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

    /// What ends the experiment, whatever the numbers say.
    fn ended(&self, row: &TablePlacement, matured: i64) -> Option<Ended> {
        let enough = self.placement.maximum_exposures.map(i64::from);
        let is_enough = enough.is_some_and(|enough| matured >= enough).then_some(Ended::Exposures);
        self.is_over(row).then_some(Ended::Time).or(is_enough)
    }

    fn is_over(&self, row: &TablePlacement) -> bool {
        let begun = rounds::begun(row);
        let over = |begun| self.now.duration_since(begun) >= self.longest(row);
        self.campaign.schedule.is_over(self.now) || begun.is_some_and(over)
    }

    /// How long the experiment may last, by its own bound and the campaign's days.
    fn longest(&self, row: &TablePlacement) -> SignedDuration {
        let maximum = self.placement.maximum_duration;
        rounds::begun(row).map_or(maximum, |begun| self.campaign.schedule.longest(begun, maximum))
    }

    fn status(
        &self,
        row: &TablePlacement,
        known: Option<&Known<'_>>,
        verdict: Option<VerdictStatus>,
        why: &str,
    ) -> PlacementStatus {
        let round = row.rounds.last().expect("a row has rounds");
        let figures = match (self.before, known) {
            (Some(before), None) => words::Figures::kept(before),
            (Some(before), Some(known)) if !self.is_due(before, &known.estimate, round, verdict.as_ref()) => {
                words::Figures::kept(before)
            }
            (_, known) => words::Figures {
                cost_per_extra_reward: known.and_then(|known| self.cost_per_extra_reward(row, known)),
                ..words::Figures::fresh(self.placement, row, known, self.now)
            },
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
            cost_per_extra_reward: figures.cost_per_extra_reward,
            figures_at: figures.at,
            variants: words::with_shares(&figures.variants, self.placement, row),
            verdict,
        }
    }

    /// Of a dry run nothing: whatever leads brought what the control brought.
    fn cost_per_extra_reward(&self, row: &TablePlacement, known: &Known<'_>) -> Option<CostStatus> {
        let writing = self.writing.filter(|_| self.campaign.mode == Mode::Live)?;
        cost::per_extra_reward(writing, self.placement, row, &known.estimate)
    }

    /// Figures move when a round opens, when a verdict is reached, or after a while when there are new ones.
    fn is_due(
        &self,
        before: &PlacementStatus,
        estimate: &Estimate,
        round: &TableRound,
        verdict: Option<&VerdictStatus>,
    ) -> bool {
        // Looks come at the same moments of each minute, now a little sooner and now a little later, and status holds whole seconds.
        let now = self.now.round(jiff::Unit::Second).unwrap_or(self.now);
        let age = before.figures_at.as_ref().map(|at| now.duration_since(at.0));
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
        if !waits || self.is_full(row) {
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
            () if matches!(self.arms.held, Some(Held::Start(_))) => None,
            () if !self.arms.in_review.is_empty() => Some(Lack::Review),
            () if row.variants.iter().any(|it| guardrails::standing(it, self.approvals).is_some()) => {
                Some(Lack::Safety)
            }
            () if self.arms.rejected > 0 => Some(Lack::Approval),
            () => Some(Lack::Copy),
        }
    }

    fn notes(&self, row: &TablePlacement, why: &str, verdict: Option<&VerdictStatus>) -> Vec<Note> {
        let round = row.rounds.last().expect("a row has rounds");
        let was = self.served.and_then(|row| row.rounds.last()).map(|round| round.number);
        let opened = (was != Some(round.number)).then(|| {
            let message = format!("{}: round {}, {why}", self.placement.name, round.number);
            Note::news("RoundOpened", message)
        });
        let stored = self.before.is_some_and(|before| before.verdict.is_some());
        let reached = verdict.filter(|_| !stored).map(|verdict| {
            let message = format!("{}: {}", self.placement.name, verdict.sentence);
            let reason = match self.campaign.mode {
                Mode::DryRun => "DryRun".to_owned(),
                Mode::Live => format!("{:?}", verdict.reason),
            };
            Note::news(&reason, message)
        });
        opened.into_iter().chain(reached).collect()
    }

    fn again(&self, row: &TablePlacement, verdict: Option<&VerdictStatus>) -> Duration {
        let stored = self.before.is_some_and(|before| before.verdict.is_some());
        match verdict {
            // What is served after the end may still turn out to do harm.
            Some(_) if stored && !self.placement.guardrails.is_empty() => self.look_interval(),
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
