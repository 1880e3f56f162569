//! The sums of one variant in one cell.

use experiment::{Covariate, Kind, Totals};

use super::super::document;
use super::super::fault::{Fault, Problem};
use super::super::number::{Fields, Sum};
use super::super::place::{Place, shortened};
use super::guardrails::Watch;
use super::settings::{count, optional_count};

/// What was counted of one variant.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) totals: Totals,
    pub(super) decisions: Option<u64>,
    pub(super) covariate: Option<Covariate>,
    /// By guardrail.
    pub(super) watched: Vec<Option<Totals>>,
}

impl Counted {
    /// Nothing, of so many guardrails.
    pub(super) fn nothing(guardrails: usize) -> Self {
        Self { watched: vec![None; guardrails], ..Self::default() }
    }

    /// Whether anything was counted.
    pub(super) fn is_any(&self) -> bool {
        let watched = self.watched.iter().flatten().map(|totals| totals.exposures);
        self.decisions.into_iter().chain(watched).chain([self.totals.exposures]).any(|count| count > 0)
    }
}

/// Sums of doubles may be off by a few units in the last place.
const SLACK: f64 = 1.0 + 1e-9;

/// The sums as numbers, if they can be those of a metric of `kind`, and of the guardrails.
pub(super) fn counted(
    totals: &document::Totals,
    kind: Kind,
    watches: &[Watch],
    place: &Place,
) -> Result<Counted, Fault> {
    let document::Totals { n, sum, sum_squares, decisions, covariate, guardrails } = totals;
    let exposures = count(&place.field("n"), n)?;
    let decisions = optional_count(&place.field("decisions"), decisions.as_ref())?;
    if let Some(decisions) = decisions.filter(|&decisions| decisions < exposures) {
        let problem = Problem::DecisionsBelowExposures { decisions, n: exposures };
        return Err(Fault::at(&place.field("decisions"), problem));
    }
    let totals = sums(exposures, sum, sum_squares.as_ref(), kind, place)?;
    let covariate = covariate.as_ref().map(|sums| self::covariate(sums, &totals, &place.field("covariate")));
    let place = place.field("guardrails");
    if let Some(name) = guardrails.keys().find(|name| watches.iter().all(|watch| watch.name != **name)) {
        let known: Vec<String> = watches.iter().map(|watch| shortened(&watch.name)).collect();
        return Err(Fault::at(&place.entry(name), unknown_guardrail(&known)));
    }
    let watched = watches.iter().map(|watch| {
        let watched = guardrails.get(&watch.name);
        watched.map(|watched| self::watched(watched, exposures, watch, &place.entry(&watch.name))).transpose()
    });
    Ok(Counted {
        totals,
        decisions,
        covariate: covariate.transpose()?,
        watched: watched.collect::<Result<_, _>>()?,
    })
}

fn unknown_guardrail(known: &[String]) -> Problem {
    let remedy = match known {
        [] => "name its metric in `guardrails`, or remove it".to_owned(),
        known => format!("use one of {}", known.join(", ")),
    };
    Problem::UnknownGuardrail { remedy }
}

fn watched(
    watched: &Fields<document::Watched>,
    exposures: u64,
    watch: &Watch,
    place: &Place,
) -> Result<Totals, Fault> {
    let document::Watched { n, sum, sum_squares } = &**watched;
    let own = optional_count(&place.field("n"), n.as_ref())?;
    sums(own.unwrap_or(exposures), sum, sum_squares.as_ref(), watch.kind, place)
}

fn covariate(covariate: &document::Covariate, totals: &Totals, place: &Place) -> Result<Covariate, Fault> {
    let document::Covariate { sum, sum_squares, sum_products } = covariate;
    let covariate = Covariate {
        sum: sum.get().map_err(|problem| Fault::at(&place.field("sum"), problem))?,
        squares: self::sum(&place.field("sumSquares"), sum_squares)?,
        products: sum_products.get().map_err(|problem| Fault::at(&place.field("sumProducts"), problem))?,
    };
    match covariate_fault(&covariate, totals) {
        Some((field, problem)) => Err(Fault::at(&place.field(field), problem)),
        None => Ok(covariate),
    }
}

fn covariate_fault(covariate: &Covariate, totals: &Totals) -> Option<(&'static str, Problem)> {
    let Covariate { sum, squares, products } = *covariate;
    if totals.exposures == 0 {
        let is_any = sum != 0.0 || squares > 0.0 || products != 0.0;
        return is_any.then_some(("sum", Problem::CovariateUnexposed));
    }
    let least = sum * sum / totals.exposures as f64;
    if least > squares * SLACK {
        return Some(("sumSquares", Problem::CovariateSquares { squares, least }));
    }
    let most = (squares * totals.squared_rewards).sqrt();
    (products.abs() > most * SLACK).then_some(("sumProducts", Problem::CovariateProducts { products, most }))
}

fn sums(
    exposures: u64,
    sum: &Sum,
    sum_squares: Option<&Sum>,
    kind: Kind,
    place: &Place,
) -> Result<Totals, Fault> {
    let rewards = self::sum(&place.field("sum"), sum)?;
    let of_squares = place.field("sumSquares");
    let squared_rewards = match (sum_squares, kind) {
        (Some(squares), _) => self::sum(&of_squares, squares)?,
        (None, Kind::Binary) => rewards,
        (None, Kind::Value { .. }) => return Err(Fault::at(&of_squares, Problem::Missing)),
    };
    let totals = Totals { exposures, rewards, squared_rewards };
    match fault(&totals, kind) {
        Some((field, problem)) => Err(Fault::at(&place.field(field), problem)),
        None => Ok(totals),
    }
}

fn sum(place: &Place, sum: &Sum) -> Result<f64, Fault> {
    sum.get().map_err(|problem| Fault::at(place, problem))
}

/// The field that contradicts another, if one does. `experiment` refuses the same sums; here they are told apart, with
/// their figures.
fn fault(totals: &Totals, kind: Kind) -> Option<(&'static str, Problem)> {
    let Totals { exposures: n, rewards: sum, squared_rewards: squares } = *totals;
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
