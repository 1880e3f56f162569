//! P(best) and expected loss of independent beliefs, by quadrature.
//!
//! P(k best) = ∫ fₖ(x) Πⱼ≠ₖ Fⱼ(x) dx (Scott 2010) and E[best θ] = ∫ value(x) d(Πⱼ Fⱼ(x)), x to the right being better.
//!
//! The axis, log odds for rates, is cut from the right into panels that no posterior with mass there varies over too
//! quickly for a polynomial. Each panel has Gauss–Legendre nodes; the distribution functions come from integrating the
//! same polynomials, so nothing but one exponential per arm and node is evaluated. Left of the highest lower border
//! the product of the distribution functions is zero, and the walk ends there or where it is small enough.
//!
//! The error is below 10⁻⁶ for 2 to 100 arms, rates from 10⁻⁶ to 1 and up to 10⁹ exposures: absolute for P(best),
//! relative to E[best θ] for the loss. `tests/posterior.rs` holds both against an independent computation.

use std::sync::LazyLock;

use super::{Belief, Panel};

/// Nodes per panel: one exponential each, per arm. More nodes on wider panels cost as many exponentials and more sums.
pub(crate) const NODES: usize = 8;

/// How many widths of the narrowest posterior a panel spans. In the settings of `tests/posterior.rs` the worst error
/// is 8·10⁻⁹ at 0.75 and at 1.5, where [`NOTHING`] sets it, 2·10⁻⁸ at 2 and 3·10⁻⁶ at 3.
const PANEL: f64 = 1.5;

/// What is believed about which arm is the best one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    /// P(best) by arm; sums to 1.
    pub(crate) p_best: Vec<f64>,
    /// E[best θ], as the metric counts.
    pub(crate) expected_best: f64,
}

impl Best {
    /// For at least one belief.
    pub(crate) fn of<B: Belief>(beliefs: &[B]) -> Self {
        let mut walk = Walk::new(beliefs);
        while walk.right > walk.end && walk.product_below() > NOTHING {
            walk.panel();
        }
        let (total, best) = (walk.chances.iter().sum::<f64>(), walk.best);
        let mut p_best = vec![0.0; beliefs.len()];
        for (arm, chance) in walk.arms.iter().zip(walk.chances) {
            p_best[arm.index] = chance / total;
        }
        Self { p_best, expected_best: best / total }
    }
}

/// One belief on the axis.
struct Arm<'a, B> {
    index: usize,
    belief: &'a B,
    upper: f64,
    panel: f64,
}

/// The state of the walk from the highest upper border down to the highest lower border.
struct Walk<'a, B> {
    /// By falling upper border, so that the arms with mass at a place are always a prefix.
    arms: Vec<Arm<'a, B>>,
    right: f64,
    end: f64,
    /// Mass to the right of `right`, by arm.
    above: Vec<f64>,
    chances: Vec<f64>,
    best: f64,
    densities: Vec<[f64; NODES]>,
    below: Vec<[f64; NODES]>,
}

impl<'a, B: Belief> Walk<'a, B> {
    fn new(beliefs: &'a [B]) -> Self {
        // The largest of K draws varies over a scale that shrinks as 1/√(2 ln K).
        let shrink = 1.0 + 0.15 * (beliefs.len() as f64).ln();
        let arm = |(index, belief): (usize, &'a B)| Arm {
            index,
            belief,
            upper: belief.upper_border(),
            panel: PANEL * belief.width() / shrink,
        };
        let mut arms: Vec<Arm<'a, B>> = beliefs.iter().enumerate().map(arm).collect();
        arms.sort_by(|one, other| other.upper.total_cmp(&one.upper));
        Self {
            right: arms[0].upper,
            end: beliefs.iter().map(B::lower_border).fold(f64::NEG_INFINITY, f64::max),
            above: vec![0.0; arms.len()],
            chances: vec![0.0; arms.len()],
            best: 0.0,
            densities: vec![[0.0; NODES]; arms.len()],
            below: vec![[0.0; NODES]; arms.len()],
            arms,
        }
    }

    /// The chance that all arms lie left of `right`: all that is still to be found.
    fn product_below(&self) -> f64 {
        self.above.iter().map(|above| 1.0 - above).product()
    }

    /// Adds the panel that ends at `right`, and moves there.
    fn panel(&mut self) {
        let (active, left) = self.next_panel();
        let (center, half) = (0.5 * (self.right + left), 0.5 * (self.right - left));
        let rule = &*RULE;
        let steps = rule.nodes.map(|node| half * node);
        let panel = Panel { center, steps };
        let shared = B::share(&panel);
        let mut product = [1.0; NODES];
        for arm in 0..active {
            let density = self.arms[arm].belief.densities(&panel, &shared);
            let rest = rule.rest(&density);
            let below: [f64; NODES] =
                std::array::from_fn(|n| (1.0 - self.above[arm] - half * rest[n]).max(TINY));
            product = std::array::from_fn(|n| product[n] * below[n]);
            self.above[arm] += half * dot(&rule.weights, &density);
            (self.densities[arm], self.below[arm]) = (density, below);
        }
        let weights: [f64; NODES] = std::array::from_fn(|n| half * rule.weights[n] * product[n]);
        let values = steps.map(|step| self.arms[0].belief.value(center + step));
        for arm in 0..active {
            let first: [f64; NODES] = std::array::from_fn(|n| self.densities[arm][n] / self.below[arm][n]);
            self.chances[arm] += dot(&weights, &first);
            let weighted: [f64; NODES] = std::array::from_fn(|n| weights[n] * values[n]);
            self.best += dot(&weighted, &first);
        }
        self.right = left;
    }

    /// How many arms have mass in the next panel, and where it ends. An arm whose upper border lies inside either
    /// narrows the panel to its own scale or ends it at that border, whichever is wider.
    fn next_panel(&self) -> (usize, f64) {
        let mut left = self.end;
        let mut active = 0;
        for arm in &self.arms {
            if arm.upper <= left {
                break;
            }
            left = left.max(arm.upper.min(self.right - arm.panel));
            active += usize::from(arm.upper > left);
        }
        (active, left)
    }
}

/// The chance that is left unfound and shared out in proportion: a hundredth of the error that is promised.
const NOTHING: f64 = 1e-8;

/// Keeps a distribution function above zero, as it divides; far below anything that counts.
const TINY: f64 = 1e-30;

fn dot(one: &[f64; NODES], other: &[f64; NODES]) -> f64 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

/// Gauss–Legendre on [−1, 1].
struct Rule {
    nodes: [f64; NODES],
    weights: [f64; NODES],
    /// `rest[l][n]` is the part of the value at node l in the integral from node n to 1 of the polynomial through all.
    rest: [[f64; NODES]; NODES],
}

static RULE: LazyLock<Rule> = LazyLock::new(Rule::new);

impl Rule {
    fn new() -> Self {
        let nodes: [f64; NODES] = std::array::from_fn(legendre_root);
        let weights = nodes.map(|node| {
            let slope = legendre_slope(node);
            2.0 / ((1.0 - node * node) * slope * slope)
        });
        // ℓₗ(t) = wₗ Σₙ (n+½) Pₙ(tₗ) Pₙ(t), since the rule is exact for products of such polynomials, and
        // ∫ₓ¹ Pₙ = (Pₙ₋₁(x) − Pₙ₊₁(x))/(2n+1).
        let rest = std::array::from_fn(|l| {
            let at_node = legendre(nodes[l]);
            nodes.map(|from| {
                let at_from = legendre(from);
                let terms = (1..NODES).map(|n| 0.5 * at_node[n] * (at_from[n - 1] - at_from[n + 1]));
                weights[l] * (0.5 * (1.0 - from) + terms.sum::<f64>())
            })
        });
        Self { nodes, weights, rest }
    }

    /// The integrals from each node to 1 of the polynomial through `values`. Column by column, so that the sums of all
    /// nodes grow side by side in vector registers.
    fn rest(&self, values: &[f64; NODES]) -> [f64; NODES] {
        let mut integrals = [0.0; NODES];
        for (column, value) in self.rest.iter().zip(values) {
            for (integral, part) in integrals.iter_mut().zip(column) {
                *integral += part * value;
            }
        }
        integrals
    }
}

/// P₀(x) to P of order `NODES`, by Bonnet's recursion.
fn legendre(x: f64) -> [f64; NODES + 1] {
    let mut values = [1.0; NODES + 1];
    values[1] = x;
    for n in 1..NODES {
        let order = n as f64;
        values[n + 1] = ((2.0 * order + 1.0) * x * values[n] - order * values[n - 1]) / (order + 1.0);
    }
    values
}

fn legendre_slope(x: f64) -> f64 {
    let values = legendre(x);
    NODES as f64 * (x * values[NODES] - values[NODES - 1]) / (x * x - 1.0)
}

/// The nth root from the left: Newton's method from Tricomi's first approximation.
fn legendre_root(n: usize) -> f64 {
    let start = -(std::f64::consts::PI * (n as f64 + 0.75) / (NODES as f64 + 0.5)).cos();
    (0..8).fold(start, |x, _| x - legendre(x)[NODES] / legendre_slope(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Mean, Rate};
    use crate::metric::Direction;

    fn best(counts: &[(f64, f64)]) -> Best {
        let rate = |&(n, s): &(f64, f64)| Rate::new(n, s, Direction::Maximize);
        Best::of(&counts.iter().map(rate).collect::<Vec<_>>())
    }

    #[test]
    fn the_rule_integrates_polynomials_exactly() {
        for power in 0..i32::try_from(2 * NODES).unwrap() {
            let expected = if power % 2 == 0 { 2.0 / f64::from(power + 1) } else { 0.0 };
            let found = dot(&RULE.weights, &RULE.nodes.map(|node| node.powi(power)));
            assert!((found - expected).abs() < 1e-14, "x^{power}: {found}");
        }
        for power in 0..i32::try_from(NODES).unwrap() {
            for (n, from) in RULE.nodes.iter().enumerate() {
                let expected = (1.0 - from.powi(power + 1)) / f64::from(power + 1);
                let found = RULE.rest(&RULE.nodes.map(|node| node.powi(power)))[n];
                assert!((found - expected).abs() < 1e-13, "x^{power} from {from}: {found}");
            }
        }
    }

    /// Without a narrowest width the walk would take steps that a double loses, and never end.
    #[test]
    fn beliefs_that_are_points_have_an_answer() {
        for deviation in [0.0, 1e-300, 1e-20, 1e-18, 3e-18, 1e-17, 1e-16] {
            for (one, other) in [(0.02, 0.02), (0.02, 0.02 + 4e-18), (0.02, 0.03), (0.0, 0.0), (1e50, 1.1e50)]
            {
                let beliefs = [one, other, one].map(|mean| Mean::new(mean, deviation, Direction::Maximize));
                let p_best = Best::of(&beliefs).p_best;
                assert!(
                    (p_best.iter().sum::<f64>() - 1.0).abs() < 1e-9,
                    "{deviation} {one} {other}: {p_best:?}"
                );
                assert!(p_best[1] >= p_best[0] - 1e-9, "{deviation} {one} {other}: {p_best:?}");
            }
        }
    }

    #[test]
    fn one_arm_is_certainly_the_best() {
        let found = best(&[(100.0, 3.0)]);
        assert_eq!(found.p_best, [1.0]);
        assert!((found.expected_best - 4.0 / 102.0).abs() < 1e-9);
    }

    #[test]
    fn arms_without_data_share_evenly() {
        // The largest of K uniform draws has mean K/(K+1).
        for arms in [2, 3, 10, 100] {
            let found = best(&vec![(0.0, 0.0); arms]);
            assert!(found.p_best.iter().all(|p| (p - 1.0 / arms as f64).abs() < 1e-9), "{found:?}");
            assert!((found.expected_best - arms as f64 / (arms + 1) as f64).abs() < 1e-8, "{found:?}");
        }
    }

    #[test]
    fn two_means_are_compared_as_the_normal_distribution_says() {
        // P(X₁ > X₀) = Φ(1/√2) and E[max] = 1·Φ + φ(1/√2)·√2 for N(0, 1) and N(1, 1).
        let z = std::f64::consts::FRAC_1_SQRT_2;
        let chance = 0.5 * libm::erfc(-z * z);
        let maximum = chance + (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() / z;
        for direction in [Direction::Maximize, Direction::Minimize] {
            let of = |mean: f64| Mean::new(direction.sign() * mean, 1.0, direction);
            let found = Best::of(&[of(0.0), of(1.0)]);
            assert!((found.p_best[1] - chance).abs() < 1e-8, "{found:?}");
            assert!((found.expected_best - direction.sign() * maximum).abs() < 1e-8, "{found:?} {maximum}");
        }
    }

    #[test]
    fn less_is_better_is_the_mirror_image() {
        let of = |direction, misses: bool| {
            let rate = |&(n, s): &(f64, f64)| Rate::new(n, if misses { n - s } else { s }, direction);
            Best::of(&[(1000.0, 20.0), (500.0, 13.0), (70.0, 0.0)].iter().map(rate).collect::<Vec<_>>())
        };
        let (more, less) = (of(Direction::Maximize, false), of(Direction::Minimize, true));
        assert_eq!(more.p_best, less.p_best);
        assert!((more.expected_best + less.expected_best - 1.0).abs() < 1e-9);
    }
}
