//! What is shown in the next round.

use crate::allocation::{Allocation, PartsPerMillion, apportion};
use crate::best::Best;
use crate::estimate::Estimate;
use crate::posterior::Posterior;
use crate::totals::Totals;

/// Thompson sampling with a fixed share of the control and a floor under every variant.
///
/// The control has exactly `control_share`, whatever is known: a starved control leaves nothing to compare with. Every
/// variant has `floor`, so that none is written off by an early accident, and what remains is divided by the chance
/// that the variant is the best of the variants (Thompson 1933, with probabilities instead of draws as in Scott 2010).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    floor: PartsPerMillion,
    control_share: PartsPerMillion,
    minimum_per_variant: u64,
}

/// Why shares can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
    #[error("{variants} variants with a floor of {floor} and a control share of {control_share} exceed 100%")]
    Floor {
        /// Arms other than the control.
        variants: usize,
        /// The share that each was to have at least.
        floor: PartsPerMillion,
        /// The share of the control.
        control_share: PartsPerMillion,
    },
}

impl Policy {
    /// The policy of an experiment of `arms` arms, the control included. Until each variant has `minimum_per_variant`
    /// exposures the variants share evenly.
    ///
    /// # Errors
    /// When the control has no share, or when `control_share` and the floors of all variants exceed 100 %.
    pub fn new(
        arms: usize,
        floor: PartsPerMillion,
        control_share: PartsPerMillion,
        minimum_per_variant: u64,
    ) -> Result<Self, PolicyError> {
        let policy = Self { floor, control_share, minimum_per_variant };
        let variants = arms.saturating_sub(1);
        if control_share == PartsPerMillion::ZERO {
            return Err(PolicyError::NoControl);
        }
        if control_share == PartsPerMillion::ONE && variants > 0 {
            return Err(PolicyError::NoVariants { variants });
        }
        if policy.floor_among(variants) != floor {
            return Err(PolicyError::Floor { variants, floor, control_share });
        }
        Ok(policy)
    }

    /// The share that every variant has at least.
    #[must_use]
    pub fn floor(&self) -> PartsPerMillion {
        self.floor
    }

    /// The share that the control has, exactly.
    #[must_use]
    pub fn control_share(&self) -> PartsPerMillion {
        self.control_share
    }

    /// How many exposures each variant gets before shares follow rewards.
    #[must_use]
    pub fn minimum_per_variant(&self) -> u64 {
        self.minimum_per_variant
    }

    /// The floor, lowered to what fits when an experiment has grown since the policy was checked.
    fn floor_among(&self, variants: usize) -> PartsPerMillion {
        let room = u64::from(PartsPerMillion::ONE.get() - self.control_share.get());
        let fits = room.checked_div(variants as u64).and_then(|fits| u32::try_from(fits).ok());
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
    /// Shares follow the chance of being the best.
    Thompson,
}

impl Reason {
    /// A fixed word, for labels and columns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exploring => "Exploring",
            Self::Thompson => "Thompson",
        }
    }
}

/// Divides the next round among the candidates of `estimate`.
///
/// The control has exactly its share, or everything when it is the only candidate; every other candidate has at least
/// the floor; the shares sum to exactly one million. Ten arms take a few microseconds (`benches/allocation.rs`).
#[must_use]
pub fn allocate(estimate: &Estimate, policy: &Policy) -> Allocated {
    let variants: Vec<usize> = (1..estimate.arms.len()).filter(|&arm| estimate.arms[arm].candidate).collect();
    let explored = |&arm: &usize| estimate.arms[arm].exposures >= policy.minimum_per_variant;
    let (weights, reason) = if variants.iter().all(explored) {
        (chances(estimate, &variants), Reason::Thompson)
    } else {
        (vec![1.0; variants.len()], Reason::Exploring)
    };
    Allocated { allocation: divide(estimate.arms.len(), &variants, &weights, policy), reason }
}

/// The chance of each of `variants` to be the best of them. The control is left out: its share is fixed, and beside a
/// control that is far ahead the chances of all variants would be lost in rounding.
fn chances(estimate: &Estimate, variants: &[usize]) -> Vec<f64> {
    let posterior = |&arm: &usize| {
        let (exposures, rewards) = (estimate.arms[arm].exposures, estimate.arms[arm].rewards);
        Posterior::new(&Totals { exposures, rewards, squared_rewards: rewards })
    };
    let posteriors: Vec<Posterior> = variants.iter().map(posterior).collect();
    if posteriors.is_empty() { Vec::new() } else { Best::of(&posteriors).p_best }
}

fn divide(arms: usize, variants: &[usize], weights: &[f64], policy: &Policy) -> Allocation {
    let mut shares = vec![PartsPerMillion::ZERO; arms];
    if variants.is_empty() {
        shares[0] = PartsPerMillion::ONE;
        return Allocation::from_exact(shares);
    }
    let floor = policy.floor_among(variants.len()).get();
    let floors: u32 = variants.iter().map(|_| floor).sum();
    let rest = PartsPerMillion::ONE.get() - policy.control_share.get() - floors;
    let rest = PartsPerMillion::new(rest).expect("less than one million");
    shares[0] = policy.control_share;
    for (&arm, share) in variants.iter().zip(apportion(rest, weights)) {
        shares[arm] = PartsPerMillion::new(floor + share.get()).expect("a part of one million");
    }
    Allocation::from_exact(shares)
}
