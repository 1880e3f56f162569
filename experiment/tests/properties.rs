//! What must hold for all totals: the answer depends neither on the order of variants nor on how cells were merged, and no
//! totals that are possible make anything panic.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Cell, Control, Design, Direction, Estimate, Guardrail, Kind, Metric, PartsPerMillion, Policy,
    Remaining, Rule, Standing, Stopping, Totals, Verdict, allocate, estimate, guard, judge, still_needed,
};
use proptest::prelude::*;

/// Parts of a million by weights, of which some are 0.
fn allocation(weights: &[u32]) -> Allocation {
    let total: u32 = weights.iter().sum();
    let mut parts: Vec<u32> = weights
        .iter()
        .map(|&weight| u32::try_from(u64::from(weight) * 1_000_000 / u64::from(total)).unwrap())
        .collect();
    parts[0] += 1_000_000 - parts.iter().sum::<u32>();
    Allocation::try_from(
        parts.into_iter().map(|parts| PartsPerMillion::new(parts).unwrap()).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// A few cells of `arms` arms, whose shares are one of three.
fn cells(arms: usize) -> impl Strategy<Value = Vec<Cell>> {
    let shares = prop::collection::vec(prop_oneof![1 => Just(0_u32), 4 => 1..100_u32], arms - 1);
    let rounds =
        prop::collection::vec((0..3_usize, prop::collection::vec((0..4_000_u64, 0.0..0.2_f64), arms)), 1..8);
    (prop::collection::vec(shares, 3), rounds).prop_map(move |(shares, rounds)| {
        let cell = |(which, counts): (usize, Vec<(u64, f64)>)| {
            let weights: Vec<u32> = std::iter::once(20).chain(shares[which].iter().copied()).collect();
            let allocation = allocation(&weights);
            let totals = counts.iter().zip(allocation.shares()).map(|(&(n, rate), share)| {
                let n = if share.get() == 0 { 0 } else { n };
                Totals::binary(n, (n as f64 * rate) as u64)
            });
            let totals = totals.collect();
            Cell::new(allocation, totals).unwrap()
        };
        rounds.into_iter().map(cell).collect()
    })
}

fn design(arms: usize, direction: Direction) -> Design {
    let stopping = Stopping::new(0.95, 0.01).and_then(|rule| rule.with_worthwhile_lift(0.1)).unwrap();
    Design::new(Metric { kind: Kind::Binary, direction }, stopping, vec![Standing::FIRST; arms]).unwrap()
}

/// The same cells with the arms in another order, the control staying first.
fn turned(cells: &[Cell]) -> Vec<Cell> {
    let turn = |cell: &Cell| {
        let mut shares = cell.allocation().shares().to_vec();
        let mut totals = cell.totals().to_vec();
        shares[1..].reverse();
        totals[1..].reverse();
        Cell::new(Allocation::try_from(shares).unwrap(), totals).unwrap()
    };
    cells.iter().map(turn).collect()
}

/// The same cells, those of equal shares as one.
fn merged(cells: &[Cell]) -> Vec<Cell> {
    let mut merged: Vec<Cell> = Vec::new();
    for cell in cells {
        match merged.iter_mut().find(|other| other.allocation() == cell.allocation()) {
            Some(other) => {
                let sums = other.totals().iter().zip(cell.totals()).map(|(&one, &two)| one + two).collect();
                *other = Cell::new(cell.allocation().clone(), sums).unwrap();
            }
            None => merged.push(cell.clone()),
        }
    }
    merged
}

/// What a verdict says, without figures.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Winner { .. } => "winner",
        Verdict::ControlWins => "control wins",
        Verdict::NoWorthwhileDifference { .. } => "nothing worthwhile",
        Verdict::Inconclusive { .. } => "inconclusive",
        Verdict::Unhealthy(_) => "unhealthy",
        Verdict::Collecting { .. } => "collecting",
    }
}

/// A figure that is shown, and the unit by which it is told whether two of them are the same.
#[derive(Clone, Copy, Debug)]
struct Figure {
    value: f64,
    unit: f64,
}

impl Figure {
    /// By quadrature, which promises 10⁻⁶: P(best) of one, the expected loss of a mean.
    fn integrated(value: f64, whole: f64) -> Self {
        Self { value, unit: 1e-6 * whole }
    }

    /// Sums and roots of equations, which lose the last few of sixteen digits: in thirty thousand cases never more than one
    /// in 10¹². A difference loses those of the `whole` that it is taken from; a p-value, whose logarithm reaches a thousand
    /// here, those of that, and all where it is too small for a double to have digits.
    fn solved(value: f64, whole: f64) -> Self {
        Self { value, unit: (1e-11 * whole.max(value.abs())).max(f64::MIN_POSITIVE) }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits()
            || (self.value - other.value).abs() <= self.unit.max(other.unit)
            || (self.value.is_nan() && other.value.is_nan())
    }
}

/// Every figure of an arm that is shown.
fn figures(estimate: &Estimate, arm: usize) -> Vec<Figure> {
    let known = &estimate.arms[arm];
    let mean = known.mean;
    let mut figures: Vec<Figure> =
        [mean.estimate, mean.low, mean.high].map(|value| Figure::solved(value, 0.0)).to_vec();
    figures.push(Figure::integrated(known.p_best, 1.0));
    figures.push(Figure::integrated(known.expected_loss, mean.high));
    let Some(against) = known.against_control else { return figures };
    let higher = mean.high.max(estimate.arms[0].mean.high);
    let differences = [against.difference.estimate, against.difference.low, against.difference.high];
    figures.extend(differences.map(|value| Figure::solved(value, higher)));
    // Lifts are ratios, minus one.
    let lifts = [against.lift.estimate, against.lift.low, against.lift.high];
    let anytime = [against.lift_anytime.low, against.lift_anytime.high, against.lift_shrunken];
    figures.extend(lifts.into_iter().chain(anytime).map(|value| Figure::solved(value, 1.0)));
    let logarithms = [against.log_e_value, against.log_e_not_worthwhile.unwrap()];
    figures.extend(logarithms.map(|value| Figure::solved(value, 1.0)));
    figures.extend([against.p_anytime, against.adjusted_p_value].map(|value| Figure::solved(value, 0.0)));
    figures
}

/// The same cells with other numbers for segments, and those of one round the other way around.
fn renamed(cells: &[Cell], segments: usize) -> Vec<Cell> {
    let rename = |cell: &Cell| cell.clone().in_segment(segments - 1 - cell.segment());
    cells.chunks(segments).flat_map(|round| round.iter().rev().map(rename)).collect()
}

proptest! {
    #[test]
    fn the_order_of_variants_does_not_matter(cells in cells(4)) {
        let design = design(4, Direction::Maximize);
        let (one, other) = (estimate(&cells, &design).unwrap(), estimate(&turned(&cells), &design).unwrap());
        for arm in 0..4 {
            let mirrored = if arm == 0 { 0 } else { 4 - arm };
            let (found, expected) = (figures(&one, arm), figures(&other, mirrored));
            for (x, y) in found.iter().zip(&expected) {
                prop_assert!(x.is_like(y), "{x:?} {y:?} of {found:?} {expected:?}");
            }
        }
        prop_assert_eq!(word(&judge(&one, Remaining::Some)), word(&judge(&other, Remaining::Some)));
    }

    #[test]
    fn merging_cells_of_equal_shares_does_not_matter(cells in cells(4), less in any::<bool>()) {
        let direction = if less { Direction::Minimize } else { Direction::Maximize };
        let design = design(4, direction);
        let (one, other) = (estimate(&cells, &design).unwrap(), estimate(&merged(&cells), &design).unwrap());
        for arm in 0..4 {
            let (found, expected) = (figures(&one, arm), figures(&other, arm));
            for (x, y) in found.iter().zip(&expected) {
                prop_assert!(x.is_like(y), "{x:?} {y:?} of {found:?} {expected:?}");
            }
        }
        prop_assert_eq!(word(&judge(&one, Remaining::Some)), word(&judge(&other, Remaining::Some)));
    }

    #[test]
    fn names_and_order_of_segments_do_not_matter(cells in cells(3), rate in 0.0..0.1_f64) {
        let cells: Vec<Cell> = cells.into_iter().enumerate().map(|(at, cell)| cell.in_segment(at % 3)).collect();
        let other = renamed(&cells, 3);
        let design = design(3, Direction::Maximize);
        let needed = |cells: &[Cell]| still_needed(cells, &estimate(cells, &design).unwrap());
        prop_assert_eq!(needed(&cells), needed(&other));
        let guardrail = Guardrail::new(Kind::Binary, 0.1 + rate, 0.95).unwrap();
        let safety = |cells: &[Cell]| {
            let guarded = guard(cells, &design, &guardrail).unwrap();
            guarded.into_iter().map(|known| known.map(|known| known.safety)).collect::<Vec<_>>()
        };
        prop_assert_eq!(safety(&cells), safety(&other));
    }

    #[test]
    fn picture_and_verdict_agree_for_all_totals(cells in cells(3), less in any::<bool>()) {
        let direction = if less { Direction::Minimize } else { Direction::Maximize };
        for arm in &estimate(&cells, &design(3, direction)).unwrap().arms[1..] {
            let against = arm.against_control.unwrap();
            let limits = against.lift_anytime;
            let improved = if less { limits.high < 0.0 } else { limits.low > 0.0 };
            prop_assert_eq!(against.better, improved, "{:?}", against);
            prop_assert!((limits.low..=limits.high).contains(&against.lift_shrunken), "{:?}", against);
        }
    }

    #[test]
    fn nothing_possible_makes_anything_panic(
        sums in prop::collection::vec((0..=1_u64 << 53, 0.0..=1.0_f64, 1e-9..1e9_f64, 1.0..1e6_f64), 3),
        weights in prop::collection::vec(0..100_u32, 2),
        value in any::<bool>(),
        less in any::<bool>(),
    ) {
        let allocation = allocation(&[20, weights[0], weights[1]]);
        let totals = sums.iter().zip(allocation.shares()).map(|(&(n, rate, worth, spread), share)| {
            let exposures = if share.get() == 0 { 0 } else { n };
            if !value {
                return Totals::binary(exposures, (exposures as f64 * rate) as u64);
            }
            let rewarded = exposures as f64 * rate.powi(8);
            Totals { exposures, rewards: rewarded * worth, squared_rewards: rewarded * worth * worth * spread }
        });
        let cells = [Cell::new(allocation.clone(), totals.collect()).unwrap()];
        let kind = if value { Kind::Value { cap: None } } else { Kind::Binary };
        let direction = if less { Direction::Minimize } else { Direction::Maximize };
        let design = Design::new(Metric { kind, direction }, design(3, direction).stopping(), vec![Standing::FIRST; 3]).unwrap();
        let known = estimate(&cells, &design).unwrap();
        let _ = (judge(&known, Remaining::Some), still_needed(&cells, &known));
        let zero = PartsPerMillion::ZERO;
        for rule in [Rule::Thompson, Rule::TopTwo, Rule::Even] {
            let policy = Policy::new(rule, 3, zero, Control::Competes, 0).unwrap();
            let next = allocate(&cells, &design, &policy).allocation;
            prop_assert_eq!(next.shares().iter().map(|share| share.get()).sum::<u32>(), 1_000_000);
        }
    }
}
