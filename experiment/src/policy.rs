//! What is shown in the next round.

mod linear;

pub use linear::{Features, FeaturesError, allocate_linear};

use crate::allocation::{Allocation, PartsPerMillion, apportion};
use crate::belief::{Believed, Sample};
use crate::design::Design;
use crate::interval::Spread;
use crate::totals::{Cell, Totals, as_f64, sum};

/// How shares follow what is known, with a floor under every variant and, as a rule, a fixed share of the control.
///
/// A starved control leaves nothing to compare with, so its share is best fixed. Every variant has `floor`, so that none
/// is written off by an early accident, and what remains is divided by [`Rule`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    rule: Rule,
    floor: PartsPerMillion,
    control: Control,
    minimum_per_variant: u64,
    look_back: Option<f64>,
}

/// By what the traffic above the floors is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// By the chance of being the best (Thompson 1933, with probabilities instead of draws as in Scott 2010): loses the
    /// fewest rewards.
    Thompson,
    /// By the chance of being the best or, in the other half of the cases, the best of the others (Russo 2020, section 3.3, with
    /// β = ½): finds the best one soonest.
    TopTwo,
    /// Evenly.
    Even,
}

/// What the control gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Exactly this share, whatever is known.
    Fixed(PartsPerMillion),
    /// What a variant would get.
    Competes,
}

/// Why shares can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing could ever be compared with the control.
    #[error("the control needs a share above 0%: without it no variant can be shown to be better")]
    NoControl,
    /// Nothing would remain for variants.
    #[error("a control share of 100% leaves nothing for {variants} variants")]
    NoVariants {
        /// Arms other than the control.
        variants: usize,
    },
    /// More was promised than there is.
    #[error("{arms} arms with a floor of {floor} beside a fixed share of {fixed} exceed 100%")]
    Floor {
        /// Arms that have the floor.
        arms: usize,
        /// The share that each was to have at least.
        floor: PartsPerMillion,
        /// The share of the control, if it is fixed.
        fixed: PartsPerMillion,
    },
    /// Nothing can be looked back on.
    #[error("a look-back of {0} exposures is not above 0")]
    LookBack(f64),
}

impl Policy {
    /// The policy of an experiment of `arms` arms, the control included. Until each variant has `minimum_per_variant`
    /// exposures the variants share evenly.
    ///
    /// # Errors
    /// When the control has a fixed share of nothing or all, or when it and the floors exceed 100 %.
    pub fn new(
        rule: Rule,
        arms: usize,
        floor: PartsPerMillion,
        control: Control,
        minimum_per_variant: u64,
    ) -> Result<Self, PolicyError> {
        let policy = Self { rule, floor, control, minimum_per_variant, look_back: None };
        let variants = arms.saturating_sub(1);
        match control {
            Control::Fixed(PartsPerMillion::ZERO) => return Err(PolicyError::NoControl),
            Control::Fixed(PartsPerMillion::ONE) if variants > 0 => {
                return Err(PolicyError::NoVariants { variants });
            }
            Control::Fixed(_) | Control::Competes => {}
        }
        let arms = policy.divided(variants);
        if policy.floor_among(arms) != floor {
            return Err(PolicyError::Floor { arms, floor, fixed: policy.fixed_share() });
        }
        Ok(policy)
    }

    /// The same policy, for which an exposure counts half as much after `exposures` more of all arms: for worlds in which
    /// the best arm changes. It is the shares that forget, never a verdict.
    ///
    /// # Errors
    /// When `exposures` is not above 0.
    pub fn with_look_back(self, exposures: f64) -> Result<Self, PolicyError> {
        if !(exposures > 0.0 && exposures.is_finite()) {
            return Err(PolicyError::LookBack(exposures));
        }
        Ok(Self { look_back: Some(exposures), ..self })
    }

    /// By what the traffic above the floors is divided.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The share that every variant has at least.
    #[must_use]
    pub fn floor(&self) -> PartsPerMillion {
        self.floor
    }

    /// What the control gets.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control
    }

    /// How many exposures each variant gets before shares follow rewards.
    #[must_use]
    pub fn minimum_per_variant(&self) -> u64 {
        self.minimum_per_variant
    }

    /// The control's share that is taken off before anything is divided.
    fn fixed_share(&self) -> PartsPerMillion {
        match self.control {
            Control::Fixed(share) => share,
            Control::Competes => PartsPerMillion::ZERO,
        }
    }

    /// How many arms divide what is not fixed.
    fn divided(&self, variants: usize) -> usize {
        match self.control {
            Control::Fixed(_) => variants,
            Control::Competes => variants + 1,
        }
    }

    /// The floor, lowered to what fits when an experiment has grown since the policy was checked.
    fn floor_among(&self, arms: usize) -> PartsPerMillion {
        let room = u64::from(PartsPerMillion::ONE.get() - self.fixed_share().get());
        let fits = room.checked_div(arms as u64).and_then(|fits| u32::try_from(fits).ok());
        fits.and_then(PartsPerMillion::new).map_or(self.floor, |fits| fits.min(self.floor))
    }
}

/// The shares of the next round, and the rule that made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// The share of every arm, by index. Arms that are no candidates have none.
    pub allocation: Allocation,
    /// The rule.
    pub reason: Reason,
}

/// Which rule made an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Some variant has fewer than the minimum of exposures: all variants have the same share.
    Exploring,
    /// Shares follow the policy's rule.
    Rule(Rule),
    /// Shares follow what is learned over segments.
    LinearThompson,
}

impl Reason {
    /// A fixed word, for labels and columns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exploring => "Exploring",
            Self::Rule(rule) => rule.as_str(),
            Self::LinearThompson => "LinearThompson",
        }
    }
}

impl Rule {
    /// A fixed word, the same as in a campaign's spec.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Thompson => "Thompson",
            Self::TopTwo => "TopTwo",
            Self::Even => "Even",
        }
    }
}

/// Divides the next round of one segment among the candidates of `design`, by the segment's `cells`, oldest first.
///
/// A fixed control has exactly its share, or everything when it is the only candidate; every other candidate has at least
/// the floor; the shares sum to exactly one million. Ten arms take some ten microseconds (`benches/allocation.rs`).
#[must_use]
pub fn allocate(cells: &[Cell], design: &Design, policy: &Policy) -> Allocated {
    let divided = divided(design, policy);
    let (weights, reason) = if is_explored(cells, &divided, policy) {
        (weights(cells, design, policy, &divided), Reason::Rule(policy.rule))
    } else {
        (vec![1.0; divided.len()], Reason::Exploring)
    };
    Allocated { allocation: divide(design.arms().len(), &divided, &weights, policy), reason }
}

/// The arms that share what is not fixed.
fn divided(design: &Design, policy: &Policy) -> Vec<usize> {
    let first = match policy.control {
        Control::Fixed(_) => 1,
        Control::Competes => 0,
    };
    (first..design.arms().len()).filter(|&arm| design.is_candidate(arm)).collect()
}

/// Whether each variant among `divided` has its minimum.
fn is_explored(cells: &[Cell], divided: &[usize], policy: &Policy) -> bool {
    divided.iter().all(|&arm| arm == 0 || sum(cells, arm).exposures >= policy.minimum_per_variant)
}

/// What the rule gives each of the `divided` arms. A fixed control is left out: beside a control that is far ahead the
/// chances of all variants would be lost in rounding.
fn weights(cells: &[Cell], design: &Design, policy: &Policy, divided: &[usize]) -> Vec<f64> {
    if divided.is_empty() || policy.rule == Rule::Even {
        return vec![1.0; divided.len()];
    }
    let totals: Vec<Totals> = divided.iter().map(|&arm| sum(cells, arm)).collect();
    let spread = Spread::new(design.metric().kind, &totals);
    let phi: Vec<f64> = (0..divided.len()).map(|index| spread.phi(index)).collect();
    let samples: Vec<Sample> = divided.iter().map(|&arm| sample(cells, arm, policy)).collect();
    let p_best = Believed::new(design.metric(), &samples, &phi).best.p_best;
    match policy.rule {
        Rule::TopTwo => top_two(&p_best),
        Rule::Thompson | Rule::Even => p_best,
    }
}

/// What was seen of an arm, older cells counting for less where the policy looks back.
fn sample(cells: &[Cell], arm: usize, policy: &Policy) -> Sample {
    let mut later = 0.0;
    let mut sample = Sample::default();
    for cell in cells.iter().rev() {
        let weight = policy.look_back.map_or(1.0, |half| (-later / half).exp2());
        let totals = cell.totals()[arm];
        sample.exposures += weight * as_f64(totals.exposures);
        sample.rewards += weight * totals.rewards;
        later += as_f64(cell.totals().iter().map(|totals| totals.exposures).sum());
    }
    sample
}

/// The chance to be drawn by top-two Thompson sampling, in closed form: drawing again until another arm comes first, as
/// the algorithm is written, takes for ever once one arm is certain.
fn top_two(p_best: &[f64]) -> Vec<f64> {
    // What quadrature leaves as zero is nearly so; of arms that are all nearly so, each is as good a second one.
    let chances: Vec<f64> = p_best.iter().map(|chance| chance + 1e-9).collect();
    let others = |arm: usize| chances.iter().enumerate().filter(move |&(other, _)| other != arm);
    let rest = |arm: usize| others(arm).map(|(_, chance)| chance).sum::<f64>();
    let second = |arm: usize| others(arm).map(|(other, chance)| chance / rest(other)).sum::<f64>();
    let weight = |(arm, chance): (usize, &f64)| {
        if chances.len() == 1 { *chance } else { 0.5 * chance + 0.5 * chance * second(arm) }
    };
    chances.iter().enumerate().map(weight).collect()
}

fn divide(arms: usize, divided: &[usize], weights: &[f64], policy: &Policy) -> Allocation {
    let mut shares = vec![PartsPerMillion::ZERO; arms];
    if divided.is_empty() {
        shares[0] = PartsPerMillion::ONE;
        return Allocation::from_exact(shares);
    }
    let floor = policy.floor_among(divided.len()).get();
    let floors: u32 = divided.iter().map(|_| floor).sum();
    let rest = PartsPerMillion::ONE.get() - policy.fixed_share().get() - floors;
    let rest = PartsPerMillion::new(rest).expect("less than one million");
    shares[0] = policy.fixed_share();
    for (&arm, share) in divided.iter().zip(apportion(rest, &or_even(weights))) {
        shares[arm] = PartsPerMillion::new(floor + share.get()).expect("a part of one million");
    }
    Allocation::from_exact(shares)
}

/// `weights`, or even ones where they can't be divided by: of numbers at the edge of what doubles hold a chance may come
/// out as none, and something has to be shown all the same.
fn or_even(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let usable = total > 0.0 && total.is_finite() && weights.iter().all(|weight| *weight >= 0.0);
    if usable { weights.to_vec() } else { vec![1.0; weights.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_no_numbers_share_evenly() {
        for weights in [[f64::NAN, 1.0], [0.0, 0.0], [f64::INFINITY, 1.0], [-1.0, 2.0]] {
            assert_eq!(or_even(&weights), [1.0, 1.0], "{weights:?}");
        }
        assert_eq!(or_even(&[0.0, 0.3]), [0.0, 0.3]);
    }

    /// Against drawing pairs: with p = (.6, .3, .1) and β = ½.
    #[test]
    fn top_two_is_what_drawing_twice_gives() {
        let found = top_two(&[0.6, 0.3, 0.1]);
        let expected = [
            0.5 * 0.6 + 0.5 * 0.6 * (0.3 / 0.7 + 0.1 / 0.9),
            0.5 * 0.3 + 0.5 * 0.3 * (0.6 / 0.4 + 0.1 / 0.9),
            0.5 * 0.1 + 0.5 * 0.1 * (0.6 / 0.4 + 0.3 / 0.7),
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-7);
    }

    #[test]
    fn with_one_certain_arm_the_others_share_the_other_half() {
        let found = top_two(&[1.0, 0.0, 0.0]);
        assert!((found[0] - 0.5).abs() < 1e-6 && (found[1] - 0.25).abs() < 1e-6, "{found:?}");
        assert_eq!(top_two(&[1.0]).len(), 1);
    }
}
