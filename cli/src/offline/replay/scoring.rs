//! Lines go in, an answer comes out.

use std::collections::BTreeMap;

use experiment::replay::{Group, LeftOut, Log, ReplayError, Row, RowError, replay};

use super::super::fault::{Fault, Problem, ReplayProblem};
use super::super::place::{Place, shortened};
use super::answer::ReplayAnswer;
use super::line::Line;
use super::names::Names;
use super::policy::Policy;
use super::words::Unit;

/// The segment or context of lines that name none.
pub(super) const ALL: &str = "all";

/// Which lines are meant, where a log holds more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Of this campaign's UID.
    pub campaign: Option<String>,
    /// Of this placement.
    pub placement: Option<String>,
}

/// A policy, and the sums of the lines so far.
#[derive(Clone, Debug)]
pub struct Scoring {
    policy: Policy,
    campaign: Which,
    placement: Which,
    log: Log,
    variants: Names,
    /// By segment and context.
    cells: BTreeMap<(String, String), usize>,
    /// The policy's chances by cell, where they do not stand in each line.
    chances: Vec<Vec<(usize, f64)>>,
    rounds: BTreeMap<u64, usize>,
    pub(super) facts: Facts,
}

/// What the answer says beside the estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Lines that were read, without those of other experiments.
    pub(super) lines: u64,
    /// Those of them that name no subject.
    pub(super) without_subject: u64,
    /// Rates as long as every reward is 0 or 1.
    pub(super) unit: Unit,
}

impl Scoring {
    /// Nothing but the policy.
    pub fn new(policy: Policy, only: Only) -> Self {
        Self {
            policy,
            campaign: Which::new("campaign", only.campaign),
            placement: Which::new("placement", only.placement),
            log: Log::default(),
            variants: Names::default(),
            cells: BTreeMap::new(),
            chances: Vec::new(),
            rounds: BTreeMap::new(),
            facts: Facts { lines: 0, without_subject: 0, unit: Unit::Rate },
        }
    }

    /// Reads a line; an empty one counts for nothing.
    ///
    /// # Errors
    /// When the line has another form, belongs to another experiment than those before, or the policy does not know what to
    /// show. After that the answer would be of a part of the log.
    pub fn read(&mut self, line: &[u8]) -> Result<(), Fault> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line = Line::parse(line)?;
        // Both are asked, so that each knows what there is.
        let is_campaign = self.campaign.is_meant(line.campaign.as_deref())?;
        let is_placement = self.placement.is_meant(line.placement.as_deref())?;
        if is_campaign && is_placement { self.add(&line) } else { Ok(()) }
    }

    fn add(&mut self, line: &Line) -> Result<(), Fault> {
        self.facts.lines += 1;
        self.facts.without_subject += u64::from(line.subject.is_none());
        if line.reward != 0.0 && line.reward != 1.0 {
            self.facts.unit = Unit::Amount;
        }
        let cell = self.cell(line)?;
        let arm = self.variants.number(&line.variant);
        let next = self.rounds.len();
        let round = *self.rounds.entry(line.round.unwrap_or(1)).or_insert(next);
        let group = match &line.subject {
            Some(subject) => Group::of(subject.as_bytes()),
            None => Group::of(&self.facts.lines.to_le_bytes()),
        };
        let own = self.evaluation(line)?;
        let policy = own.as_deref().unwrap_or_else(|| self.chances[cell].as_slice());
        let row = Row { round, cell, arm, probability: line.probability, reward: line.reward, group, policy };
        self.log.add(&row).map_err(|error| Fault::at(&field(error), ReplayProblem::from(error).into()))
    }

    /// The number of the line's cell. The policy's chances in a new one are looked up once.
    fn cell(&mut self, line: &Line) -> Result<usize, Fault> {
        let segment = line.segment.as_deref().unwrap_or(ALL);
        let context = line.context.as_ref().map_or(ALL, |label| &label.0);
        let key = (segment.to_owned(), context.to_owned());
        if let Some(&cell) = self.cells.get(&key) {
            return Ok(cell);
        }
        let shares = self.policy.of(line)?;
        let chances = shares.into_iter().flat_map(|shares| shares.chances());
        let chances = chances.filter(|(_, chance)| *chance > 0.0);
        self.chances.push(chances.map(|(name, chance)| (self.variants.number(name), chance)).collect());
        let cell = self.cells.len();
        self.cells.insert(key, cell);
        Ok(cell)
    }

    /// The policy's chances as the line has them, where they are to be taken from it.
    fn evaluation(&mut self, line: &Line) -> Result<Option<Vec<(usize, f64)>>, Fault> {
        if self.policy != Policy::OfEachLine {
            return Ok(None);
        }
        let at = |problem: ReplayProblem| Fault::at(&Place::default().field("evaluation"), problem.into());
        let chances = line.evaluation.as_ref().ok_or_else(|| at(ReplayProblem::NoEvaluation))?;
        let chances = chances.iter().filter(|(_, chance)| **chance != 0.0);
        Ok(Some(chances.map(|(variant, chance)| (self.variants.number(variant), *chance)).collect()))
    }

    /// What the lines so far say of the policy, with limits of `confidence`.
    ///
    /// # Errors
    /// When there is no line, or none that could say anything of the policy.
    pub fn answer(&self, confidence: f64) -> Result<ReplayAnswer, Fault> {
        if self.facts.lines == 0 {
            self.campaign.is_there()?;
            self.placement.is_there()?;
        }
        let found = replay(&self.log, confidence).map_err(|error| self.fault(error))?;
        Ok(ReplayAnswer::new(self, &found, confidence))
    }

    fn fault(&self, error: ReplayError) -> Fault {
        let problem = match error {
            ReplayError::Empty => ReplayProblem::Empty,
            ReplayError::Confidence(confidence) => {
                ReplayProblem::Confidence(format!("{}%", 100.0 * confidence))
            }
            ReplayError::NeverShown { arm } => {
                let variant = self.variants.name(arm).to_owned();
                ReplayProblem::NeverShown { variant, known: self.shown() }
            }
            ReplayError::NoOverlap { cell, arm } => {
                let variant = self.variants.name(arm).to_owned();
                ReplayProblem::NoOverlap { variant, place: self.place(cell) }
            }
        };
        whole(problem)
    }

    /// The variants that were shown, for people.
    fn shown(&self) -> String {
        let shown = self.log.shown();
        let names: Vec<&str> = shown.into_iter().map(|arm| self.variants.name(arm)).collect();
        super::names::listed(&names)
    }

    /// The cell for people.
    pub(super) fn place(&self, cell: usize) -> String {
        let found = self.cells.iter().find(|(_, number)| **number == cell);
        let (segment, context) = found.map_or((ALL, ALL), |((segment, context), _)| (&**segment, &**context));
        match (segment, context) {
            (ALL, ALL) => "the log".to_owned(),
            (segment, ALL) => format!("segment {}", shortened(segment)),
            (segment, context) => format!("segment {}, context {}", shortened(segment), shortened(context)),
        }
    }

    pub(super) fn variant(&self, left: &LeftOut) -> &str {
        self.variants.name(left.arm)
    }

    /// The number that people gave the round.
    pub(super) fn round(&self, left: &LeftOut) -> u64 {
        let found = self.rounds.iter().find(|(_, index)| **index == left.round);
        found.map_or(0, |(number, _)| *number)
    }
}

/// The field that a row's error is about.
fn field(error: RowError) -> Place {
    match error {
        RowError::Probability(_) => Place::default().field("probability"),
        RowError::Reward(_) => Place::default().field("reward"),
        RowError::Policy(_) => Place::default().field("evaluation"),
        RowError::TooMany => Place::default(),
    }
}

fn whole(problem: ReplayProblem) -> Fault {
    Fault::at(&Place::default(), Problem::from(problem))
}

/// The one experiment of which lines are meant: what was asked for, else what the first line has.
#[derive(Clone, Debug)]
struct Which {
    field: &'static str,
    wanted: Option<String>,
    first: Option<String>,
    is_found: bool,
    others: Names,
}

impl Which {
    /// As many other names as are worth to be told.
    const MOST: usize = 12;

    fn new(field: &'static str, wanted: Option<String>) -> Self {
        Self { field, wanted, first: None, is_found: false, others: Names::default() }
    }

    /// Whether a line with `found` is meant.
    fn is_meant(&mut self, found: Option<&str>) -> Result<bool, Fault> {
        let found = found.unwrap_or_default();
        if let Some(wanted) = &self.wanted {
            let is_meant = wanted == found;
            self.is_found |= is_meant;
            if !is_meant && self.others.len() < Self::MOST {
                self.others.number(found);
            }
            return Ok(is_meant);
        }
        let first = self.first.get_or_insert_with(|| found.to_owned());
        if first == found {
            return Ok(true);
        }
        let problem =
            ReplayProblem::Second { what: self.field, found: shortened(found), first: shortened(first) };
        Err(Fault::at(&Place::default().field(self.field), problem.into()))
    }

    /// Fails where other names are there in place of the wanted one.
    fn is_there(&self) -> Result<(), Fault> {
        match &self.wanted {
            Some(wanted) if !self.is_found && self.others.len() > 0 => Err(whole(ReplayProblem::NotThere {
                what: self.field,
                wanted: shortened(wanted),
                known: self.others.listed(),
            })),
            _ => Ok(()),
        }
    }
}
