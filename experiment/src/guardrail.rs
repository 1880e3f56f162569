//! What must not get worse: a second metric that is watched for harm.

use crate::anytime::{AtLeast, Ratio, holm};
use crate::design::{Design, Standing};
use crate::estimate::{EstimateError, check, is_served};
use crate::metric::{Direction, Metric};
use crate::outlook::Outlook;
use crate::totals::Cell;

/// A limit on how much a metric may rise, such as bounces by half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guardrail {
    metric: Metric,
    maximum_increase: f64,
    alpha: f64,
}

/// Why a guardrail makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GuardrailError {
    /// What lies beyond can't be told apart.
    #[error("maximum increase {0} is not from 0.01 to 2")]
    MaximumIncrease(f64),
    /// As for a verdict.
    #[error("confidence {0} is not from 0.5 up to, but not including, 1")]
    Confidence(f64),
}

/// What is known of one arm's harm.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Guarded {
    /// The natural logarithm of the e-value against "within the limit".
    pub log_e_harm: f64,
    /// The natural logarithm of the e-value against "at the limit or beyond".
    pub log_e_safe: f64,
    /// What follows.
    pub safety: Safety,
}

/// What may be said of an arm's harm, at every look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// The metric rose by more than the limit: the arm should not be served.
    Harmful,
    /// It did not.
    Safe,
    /// Neither is shown.
    NotYetShownSafe {
        /// How many more exposures of all arms would show an arm without any harm to be safe, at the last shares; `None`
        /// where that can't be said.
        still_needed: Option<u64>,
    },
}

impl Guardrail {
    /// A metric of which more is worse may rise by `maximum_increase`, as 0.5 for half. Harm is wrongly shown for any arm,
    /// at any look, with a chance of at most 1 − `confidence`; safety as rarely for each.
    ///
    /// # Errors
    /// When `maximum_increase` is not in [0.01, 2] or `confidence` not in [0.5, 1).
    pub fn new(kind: crate::Kind, maximum_increase: f64, confidence: f64) -> Result<Self, GuardrailError> {
        if !(0.01..=2.0).contains(&maximum_increase) {
            return Err(GuardrailError::MaximumIncrease(maximum_increase));
        }
        if !(0.5..1.0).contains(&confidence) {
            return Err(GuardrailError::Confidence(confidence));
        }
        let metric = Metric { kind, direction: Direction::Minimize };
        Ok(Self { metric, maximum_increase, alpha: 1.0 - confidence })
    }

    /// By how much the metric may rise, as 0.5 for half.
    #[must_use]
    pub fn maximum_increase(&self) -> f64 {
        self.maximum_increase
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// What the evidence about an arm has to reach at least, ln E: among several it may be more.
    pub(crate) fn enough(&self) -> f64 {
        -self.alpha.ln()
    }

    /// "Within the limit": in the direction of improvement that is "at least minus the limit".
    pub(crate) fn within(&self) -> AtLeast {
        AtLeast::new(-self.log_limit(), self.log_limit())
    }

    fn log_limit(&self) -> f64 {
        self.maximum_increase.ln_1p()
    }
}

/// Watches each arm but the control; `cells` hold the guardrail's metric, `None` stands for the control and for arms that
/// were never served. Harm is tested over all arms of a generation that were ever served (Holm), so the chance of `confidence`
/// is one for each generation: those that join later must not change what was shown of others.
///
/// # Errors
/// As [`crate::estimate()`].
pub fn guard(
    cells: &[Cell],
    design: &Design,
    guardrail: &Guardrail,
) -> Result<Vec<Option<Guarded>>, EstimateError> {
    let design = Design::new(guardrail.metric, design.stopping(), design.arms().to_vec())
        .expect("a design's arms make one");
    check(cells, &design)?;
    let guarded = harms(cells, &design, guardrail).into_iter().enumerate().map(|(arm, harm)| {
        let watch = Watch { cells, design: &design, guardrail, arm };
        harm.map(|Harm { log_e_harm, is_harmful }| watch.guarded(log_e_harm, is_harmful))
    });
    Ok(guarded.collect())
}

/// What shows an arm's harm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Harm {
    log_e_harm: f64,
    pub(crate) is_harmful: bool,
}

/// The harm of each arm but the control that was ever served, among all of its generation.
pub(crate) fn harms(cells: &[Cell], design: &Design, guardrail: &Guardrail) -> Vec<Option<Harm>> {
    let arms = design.arms().len();
    let served: Vec<usize> = (1..arms).filter(|&arm| is_served(cells, arm)).collect();
    let within = guardrail.within();
    let mut known = vec![None; arms];
    for generation in design.generations() {
        let joined = |arm: &&usize| design.arms()[**arm].generation == generation;
        let served: Vec<usize> = served.iter().filter(joined).copied().collect();
        let harms = served.iter().map(|&arm| within.log_e_value(&Ratio::new(cells, arm, guardrail.metric)));
        let harms: Vec<f64> = harms.collect();
        let p_values: Vec<f64> = harms.iter().map(|log_e| (-log_e).exp().min(1.0)).collect();
        let steps = holm::steps(&p_values, guardrail.alpha);
        for ((&arm, log_e_harm), step) in served.iter().zip(harms).zip(steps) {
            known[arm] = Some(Harm { log_e_harm, is_harmful: step.adjusted <= guardrail.alpha });
        }
    }
    known
}

impl Design {
    /// The same design, in which the arms that are shown to harm are served no more. They stay in every estimate, as all
    /// that was looked at does.
    ///
    /// Evidence may fade with later totals; whoever acts on it retires the arm for good, as a person has to bring it back.
    #[must_use]
    pub fn without_harmful(&self, guarded: &[Option<Guarded>]) -> Self {
        let is_harmful = |arm: usize| {
            guarded.get(arm).copied().flatten().is_some_and(|known| known.safety == Safety::Harmful)
        };
        let arms = self.arms().iter().enumerate();
        let arms = arms
            .map(|(arm, &standing)| Standing { retired: standing.retired || is_harmful(arm), ..standing });
        Self::new(self.metric(), self.stopping(), arms.collect()).expect("a design's arms make one")
    }
}

/// One arm under a guardrail.
struct Watch<'a> {
    cells: &'a [Cell],
    design: &'a Design,
    guardrail: &'a Guardrail,
    arm: usize,
}

impl Watch<'_> {
    fn guarded(&self, log_e_harm: f64, is_harmful: bool) -> Guarded {
        let metric = self.guardrail.metric;
        // Turned around, so that more is up, "at the limit or beyond" is a claim of at least the limit.
        let rising = Metric { direction: Direction::Maximize, ..metric };
        let beyond = AtLeast::new(self.guardrail.log_limit(), self.guardrail.log_limit());
        let log_e_safe = beyond.log_e_value(&Ratio::new(self.cells, self.arm, rising));
        let enough = self.guardrail.enough();
        let safety = if is_harmful {
            Safety::Harmful
        } else if log_e_safe >= enough {
            Safety::Safe
        } else {
            let design = Design::new(rising, self.design.stopping(), self.design.arms().to_vec())
                .expect("a design's arms make one");
            let outlook = Outlook { cells: self.cells, design: &design, arm: self.arm, lift: 0.0 };
            let still_needed = outlook.needed(|ratio| beyond.log_e_value(ratio) >= enough);
            Safety::NotYetShownSafe { still_needed }
        };
        Guarded { log_e_harm, log_e_safe, safety }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Kind, Stopping, Totals};

    fn guarded(counts: &[(u64, u64)]) -> Vec<Option<Guarded>> {
        let totals = counts.iter().map(|&(n, s)| Totals::binary(n, s)).collect();
        let cell = Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap();
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; counts.len()]).unwrap();
        guard(&[cell], &design, &Guardrail::new(Kind::Binary, 0.5, 0.95).unwrap()).unwrap()
    }

    #[test]
    fn harm_drops_an_arm_and_thin_data_are_not_safety() {
        let found = guarded(&[(10_000, 200), (10_000, 600), (10_000, 205), (10_000, 260)]);
        let safety = |arm: usize| found[arm].unwrap().safety;
        assert!(found[0].is_none());
        assert_eq!((safety(1), safety(2)), (Safety::Harmful, Safety::Safe));
        assert!(matches!(safety(3), Safety::NotYetShownSafe { .. }), "{:?}", found[3]);
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; 4]).unwrap();
        let kept: Vec<bool> = (0..4).map(|arm| design.without_harmful(&found).is_candidate(arm)).collect();
        assert_eq!(kept, [true, false, true, true]);
        let thin = guarded(&[(1_000, 1), (1_000, 2)])[1].unwrap().safety;
        let Safety::NotYetShownSafe { still_needed: Some(more) } = thin else { panic!("{thin:?}") };
        // +50 % on a rate of one in a thousand takes hundreds of thousands of exposures to exclude.
        assert!((50_000..500_000).contains(&more), "{more}");
    }

    #[test]
    fn who_joins_later_changes_nothing_of_what_was_shown() {
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let rule = Guardrail::new(Kind::Binary, 0.5, 0.95).unwrap();
        let harmful = |counts: &[(u64, u64)], generations: &[u32]| {
            let totals = counts.iter().map(|&(n, s)| Totals::binary(n, s)).collect();
            let cell = Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap();
            let standing = |&generation: &u32| Standing { generation, retired: false };
            let arms = generations.iter().map(standing).collect();
            let design = Design::new(Metric::CLICKS, stopping, arms).unwrap();
            guard(&[cell], &design, &rule).unwrap()[1].unwrap().safety == Safety::Harmful
        };
        // Enough alone, and too little among three that start together.
        let (control, shown, other) = ((4_000, 200), (4_000, 386), (4_000, 200));
        assert!(harmful(&[control, shown], &[1, 1]));
        assert!(!harmful(&[control, shown, other, other], &[1, 1, 1, 1]));
        assert!(harmful(&[control, shown, other, other], &[1, 1, 2, 3]));
    }

    #[test]
    fn limits_without_sense_are_refused() {
        assert!(Guardrail::new(Kind::Binary, 0.0, 0.95).is_err());
        assert!(Guardrail::new(Kind::Binary, 3.0, 0.95).is_err());
        assert!(Guardrail::new(Kind::Binary, 0.5, 1.0).is_err());
    }
}
