//! The sums of one variant in one cell.

use experiment::{Kind, Totals};

use super::super::document;
use super::super::fault::{Fault, Problem};
use super::super::number::Sum;
use super::super::place::Place;
use super::settings::count;

/// What was counted of one variant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) totals: Totals,
    pub(super) decisions: Option<u64>,
}

impl Counted {
    /// Whether anything was counted.
    pub(super) fn is_any(&self) -> bool {
        self.totals.exposures > 0 || self.decisions.is_some_and(|decisions| decisions > 0)
    }
}

/// Sums of doubles may be off by a few units in the last place.
const SLACK: f64 = 1.0 + 1e-9;

/// The sums as numbers, if they can be those of a metric of `kind`.
pub(super) fn counted(totals: &document::Totals, kind: Kind, place: &Place) -> Result<Counted, Fault> {
    let exposures = count(&place.field("n"), &totals.n)?;
    let rewards = sum(&place.field("sum"), &totals.sum)?;
    let squared_rewards = sum(&place.field("sumSquares"), &totals.sum_squares)?;
    let decisions = match &totals.decisions {
        Some(decisions) => Some(count(&place.field("decisions"), decisions)?),
        None => None,
    };
    let counted = Counted { totals: Totals { exposures, rewards, squared_rewards }, decisions };
    match fault(&counted, kind) {
        Some((field, problem)) => Err(Fault::at(&place.field(field), problem)),
        None => Ok(counted),
    }
}

fn sum(place: &Place, sum: &Sum) -> Result<f64, Fault> {
    sum.get().map_err(|problem| Fault::at(place, problem))
}

/// The field that contradicts another, if one does. `experiment` refuses the same sums; here they are told apart, with
/// their figures.
fn fault(counted: &Counted, kind: Kind) -> Option<(&'static str, Problem)> {
    let Totals { exposures: n, rewards: sum, squared_rewards: squares } = counted.totals;
    if let Some(decisions) = counted.decisions.filter(|&decisions| decisions < n) {
        return Some(("decisions", Problem::DecisionsBelowExposures { decisions, n }));
    }
    if n == 0 {
        return (sum + squares > 0.0).then_some(("n", Problem::Unexposed));
    }
    match kind {
        Kind::Binary => binary(n, sum, squares),
        Kind::Value { cap } => value(n, sum, squares, cap),
    }
}

fn binary(n: u64, sum: f64, squares: f64) -> Option<(&'static str, Problem)> {
    let faults = [
        (sum.fract() != 0.0, "sum", Problem::NotWhole(sum.to_string())),
        (sum > n as f64, "sum", Problem::AboveExposures { sum, n }),
        (sum.to_bits() != squares.to_bits(), "sumSquares", Problem::SquaresDiffer { squares, sum }),
    ];
    faults.into_iter().find_map(|(is_so, field, problem)| is_so.then_some((field, problem)))
}

fn value(n: u64, sum: f64, squares: f64, cap: Option<f64>) -> Option<(&'static str, Problem)> {
    let (least, most) = (sum * sum / n as f64, sum * sum);
    if least > squares * SLACK {
        return Some(("sumSquares", Problem::SquaresTooSmall { squares, least }));
    }
    if squares > most * SLACK {
        return Some(("sumSquares", Problem::SquaresTooLarge { squares, most }));
    }
    let most = cap? * sum;
    (squares > most * SLACK).then_some(("sumSquares", Problem::AboveCap { squares, most }))
}
