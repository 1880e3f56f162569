//! Rounds → cells: shares and totals by arm, oldest round first.

use std::collections::{BTreeMap, BTreeSet};

use experiment::{Allocation, Cell, Kind, PartsPerMillion, Totals};

use super::super::document::{Basis, Document, Round};
use super::super::fault::{Fault, Problem};
use super::super::limits::{LARGEST_COUNT, MOST_CELLS, MOST_FIGURES, MOST_SEGMENTS};
use super::super::place::Place;
use super::Plan;
use super::arms::{Arms, check_name};
use super::guardrails::Watch;
use super::part::Part;
use super::settings::{Horizon, count};

/// What was counted, and where.
#[derive(Debug)]
pub(super) struct Cells {
    /// Those in which something can be compared, oldest first; never empty.
    pub(super) cells: Vec<Cell>,
    /// The numbers of their rounds, if anything can be compared.
    pub(super) numbers: Vec<u64>,
    pub(super) segments: Option<Vec<String>>,
    /// By segment, the shares of its last round.
    pub(super) in_force: Vec<Option<Allocation>>,
    /// The same of each guardrail's metric, where it was counted; never empty.
    pub(super) watched: Vec<Vec<Cell>>,
    /// How many rounds count.
    pub(super) rounds: usize,
    pub(super) plan: Plan,
}

impl Cells {
    pub(super) fn of(document: &Document, arms: &Arms, kind: Kind, watches: &[Watch]) -> Result<Self, Fault> {
        let place = Place::default().field("rounds");
        let rounds = in_order(document, &place)?;
        let segments = segments(document, &place)?;
        let parts = parts(document.basis, &rounds, &place)?;
        check_size(parts.len(), parts.len() * arms.names().len() * (1 + watches.len()), &place)?;
        let mut cells = Vec::with_capacity(parts.len());
        let mut watched = vec![Vec::new(); watches.len()];
        for part in &parts {
            let segment =
                part.segment.zip(segments.as_ref()).and_then(|(name, all)| all.binary_search(name).ok());
            let (cell, of_guardrails) = part.cells(arms, kind, watches)?;
            cells.push(cell.in_segment(segment.unwrap_or(0)));
            for (watched, cell) in watched.iter_mut().zip(of_guardrails) {
                watched.extend(cell);
            }
        }
        [&cells].into_iter().chain(&watched).try_for_each(|cells| check_sum(cells, &place))?;
        check_covariate(document.basis, &parts, &cells, arms)?;
        let numbered = parts.iter().zip(&cells).filter(|(_, cell)| !is_alone(cell));
        let numbers = numbered.map(|(part, _)| part.round).collect();
        let in_force = in_force(&cells, segments.as_ref().map_or(1, Vec::len));
        let arms = arms.names().len();
        let watched = watched.into_iter().map(|cells| comparable(cells, arms)).collect();
        let Counted { cells, rounds, plan } = counted(document, cells, arms)?;
        Ok(Self { cells, numbers, segments, in_force, watched, rounds, plan })
    }
}

/// What an estimate rests on.
struct Counted {
    cells: Vec<Cell>,
    rounds: usize,
    plan: Plan,
}

/// Of `cells`, all of them, those that count, by the basis.
fn counted(document: &Document, mut cells: Vec<Cell>, arms: usize) -> Result<Counted, Fault> {
    let horizon = Horizon::of(document)?;
    let rounds = document.rounds.len();
    Ok(match document.basis {
        Basis::Randomized => {
            let cells = comparable(cells, arms);
            Counted { plan: horizon.plan(&cells), cells, rounds }
        }
        Basis::AsDelivered => {
            let end = horizon.end(&cells, document.rounds.iter().any(|round| round.open));
            cells.truncate(end.map_or(rounds, |end| end.days));
            let days = cells.len();
            let plan = horizon.plan_of_days(rounds - days, end);
            Counted { cells: comparable(cells, arms), rounds: days, plan }
        }
        Basis::NotRandomized => {
            let cells = or_nothing(cells, arms);
            Counted { plan: horizon.plan(&cells), cells, rounds }
        }
    })
}

fn check_size(cells: usize, figures: usize, place: &Place) -> Result<(), Fault> {
    match (cells, figures) {
        (cells, _) if cells > MOST_CELLS => Err(Fault::at(place, Problem::TooManyCells)),
        (_, figures) if figures > MOST_FIGURES => Err(Fault::at(place, Problem::TooManyFigures)),
        _ => Ok(()),
    }
}

/// A round with its number and its index in the document.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    number: u64,
    index: usize,
    round: &'a Round,
}

/// The rounds by number.
fn in_order<'a>(document: &'a Document, place: &Place) -> Result<Vec<Numbered<'a>>, Fault> {
    let mut by_number = BTreeMap::new();
    for (index, round) in document.rounds.iter().enumerate() {
        let place = place.index(index).field("number");
        let number = count(&place, &round.number)?;
        if let Some(first) = by_number.insert(number, Numbered { number, index, round }) {
            let first = Place::default().field("rounds").index(first.index).to_string();
            return Err(Fault::at(&place, Problem::RoundTwice { number, first }));
        }
    }
    let rounds: Vec<Numbered<'_>> = by_number.into_values().collect();
    let before = rounds.split_last().map_or(&[][..], |(_, before)| before);
    match before.iter().find(|it| it.round.open) {
        Some(it) => Err(Fault::at(&place.index(it.index).field("open"), Problem::OpenBefore)),
        None => Ok(rounds),
    }
}

/// The names of all segments, in order; `None` where rounds have none.
fn segments(document: &Document, place: &Place) -> Result<Option<Vec<String>>, Fault> {
    let mut names = BTreeSet::new();
    for (index, round) in document.rounds.iter().enumerate() {
        let place = place.index(index);
        if round.segments.is_some() != document.rounds[0].segments.is_some() {
            return Err(Fault::at(&place, Problem::MixedForms));
        }
        for name in round.segments.iter().flat_map(|segments| segments.keys()) {
            check_name(&place.field("segments").entry(name), name)?;
            names.insert(name.clone());
        }
    }
    let known = Place::default().field("segments");
    if document.rounds[0].segments.is_none() && !document.segments.is_empty() {
        return Err(Fault::at(&known, Problem::SegmentsUnused));
    }
    for name in document.segments.keys() {
        check_name(&known.entry(name), name)?;
        names.insert(name.clone());
    }
    if names.len() > MOST_SEGMENTS {
        return Err(Fault::at(place, Problem::TooManySegments));
    }
    Ok(document.rounds[0].segments.is_some().then(|| names.into_iter().collect()))
}

/// Every round as one part, or one for each of its segments.
fn parts<'a>(basis: Basis, rounds: &[Numbered<'a>], place: &Place) -> Result<Vec<Part<'a>>, Fault> {
    let mut parts = Vec::with_capacity(rounds.len());
    for &Numbered { number, index, round } in rounds {
        let place = place.index(index);
        match (&round.allocation, &round.totals, &round.segments) {
            (Some(allocation), Some(totals), None) => {
                parts.push(Part {
                    place,
                    round: number,
                    segment: None,
                    allocation: Some(allocation),
                    totals,
                });
            }
            (None, Some(totals), None) if basis == Basis::NotRandomized => {
                parts.push(Part { place, round: number, segment: None, allocation: None, totals });
            }
            (None, None, Some(_)) if basis != Basis::Randomized => {
                return Err(Fault::at(&place.field("segments"), Problem::SegmentsNotRandomized));
            }
            (None, None, Some(segments)) if segments.is_empty() => {
                return Err(Fault::at(&place.field("segments"), Problem::NoSegments));
            }
            (None, None, Some(segments)) => parts.extend(segments.iter().map(|(name, segment)| Part {
                place: place.field("segments").entry(name),
                round: number,
                segment: Some(name),
                allocation: Some(&segment.allocation),
                totals: &segment.totals,
            })),
            (_, _, Some(_)) => return Err(Fault::at(&place, Problem::BothForms)),
            (None, _, None) => return Err(Fault::at(&place.field("allocation"), Problem::Missing)),
            (Some(_), None, None) => return Err(Fault::at(&place.field("totals"), Problem::Missing)),
        }
    }
    Ok(parts)
}

/// Counts are summed over cells, so their sum must be exact as well.
fn check_sum(cells: &[Cell], place: &Place) -> Result<(), Fault> {
    let of_cell = |cell: &Cell| {
        let exposures: u64 = cell.totals().iter().map(|totals: &Totals| totals.exposures).sum();
        let decisions: u64 = cell.decisions().iter().copied().flatten().sum();
        exposures.max(decisions)
    };
    // At most 1000 variants of 2^53 in a cell: no sum above overflows, and this one saturates.
    let sum = cells.iter().map(of_cell).fold(0, u64::saturating_add);
    if sum > LARGEST_COUNT { Err(Fault::at(place, Problem::TooMany)) } else { Ok(()) }
}

/// A covariate of some rounds alone would be left out without a word; where nobody was exposed there is none to have.
fn check_covariate(basis: Basis, parts: &[Part], cells: &[Cell], arms: &Arms) -> Result<(), Fault> {
    let is_used = basis == Basis::Randomized && cells.iter().any(Cell::has_covariate);
    let mut rounds = parts.iter().zip(cells).filter(|(_, cell)| is_used && !is_alone(cell));
    rounds.find_map(|(part, cell)| part.lacks_covariate(arms, cell)).map_or(Ok(()), Err)
}

/// By segment, the shares of its last cell.
fn in_force(cells: &[Cell], segments: usize) -> Vec<Option<Allocation>> {
    let mut in_force = vec![None; segments];
    for cell in cells {
        in_force[cell.segment()] = Some(cell.allocation().clone());
    }
    in_force
}

/// Cells in which one variant was served alone say nothing about another, and would only let a change over time pass for
/// a difference between variants. The operator leaves them out too.
pub(in crate::offline) fn comparable(cells: Vec<Cell>, arms: usize) -> Vec<Cell> {
    or_nothing(cells.into_iter().filter(|cell| !is_alone(cell)).collect(), arms)
}

/// Whether one variant was all that was served.
pub(in crate::offline) fn is_alone(cell: &Cell) -> bool {
    cell.allocation().shares().contains(&PartsPerMillion::ONE)
}

/// `cells`, or one in which nothing was counted: an experiment without data has an estimate too.
pub(super) fn or_nothing(mut cells: Vec<Cell>, arms: usize) -> Vec<Cell> {
    if cells.is_empty() {
        let even = Allocation::even(arms).expect("there is a control");
        let nothing = Cell::new(even, vec![Totals::default(); arms]);
        cells.push(nothing.expect("zeros contradict no share"));
    }
    cells
}
