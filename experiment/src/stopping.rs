//! When an experiment may end by its numbers, and how much chance of error it may spend.

use std::f64::consts::PI;

/// When an experiment may end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    confidence: f64,
    maximum_loss: f64,
    worthwhile_lift: Option<f64>,
}

/// Why a stopping rule makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum StoppingError {
    /// Below one half a coin would do; at one nothing is ever shown.
    #[error("confidence {0} is not from 0.5 up to, but not including, 1")]
    Confidence(f64),
    /// A loss of nothing is never reached, and of more than everything is none.
    #[error("maximum loss {0} is not above 0 and at most 1")]
    MaximumLoss(f64),
    /// No data can refute a lift of nothing, and what lies beyond the mixture can't be told apart.
    #[error("worthwhile lift {0} is not from 0.001 to 0.7")]
    WorthwhileLift(f64),
}

impl Stopping {
    /// `confidence` is one minus the accepted chance of ever naming a winner that is not better than the control, as
    /// 0.95; `maximum_loss` is how much of the winner's mean may be expected to be given away against the best arm, as
    /// 0.01.
    ///
    /// # Errors
    /// When `confidence` is not in [0.5, 1) or `maximum_loss` not in (0, 1].
    pub fn new(confidence: f64, maximum_loss: f64) -> Result<Self, StoppingError> {
        if !(0.5..1.0).contains(&confidence) {
            return Err(StoppingError::Confidence(confidence));
        }
        if !(maximum_loss > 0.0 && maximum_loss <= 1.0) {
            return Err(StoppingError::MaximumLoss(maximum_loss));
        }
        Ok(Self { confidence, maximum_loss, worthwhile_lift: None })
    }

    /// The same rule, which also ends when no variant improves on the control by `lift`, as 0.1 for 10 % more (or 10 %
    /// less, where less is better).
    ///
    /// # Errors
    /// When `lift` is not in [0.001, 0.7].
    pub fn with_worthwhile_lift(self, lift: f64) -> Result<Self, StoppingError> {
        if !(0.001..=0.7).contains(&lift) {
            return Err(StoppingError::WorthwhileLift(lift));
        }
        Ok(Self { worthwhile_lift: Some(lift), ..self })
    }

    /// One minus the accepted chance of a false winner, over all generations and looks.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The accepted expected loss, as a fraction of the winner's mean.
    #[must_use]
    pub fn maximum_loss(&self) -> f64 {
        self.maximum_loss
    }

    /// The lift below which a difference is not worth having, if one was named.
    #[must_use]
    pub fn worthwhile_lift(&self) -> Option<f64> {
        self.worthwhile_lift
    }

    /// α = 1 − confidence.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        1.0 - self.confidence
    }

    /// The chance of a false winner that the variants of a generation, counted from 1, may spend.
    ///
    /// The first spends α/(2 − α): what a two-sided e-value of 1/α costs when only winners above the control are named
    /// (`docs/design/verdicts.md`). What remains is spread over all later ones as 1/g², so that all together spend α
    /// however many there will be.
    #[must_use]
    pub fn level(&self, generation: u32) -> f64 {
        let alpha = self.alpha();
        let first = alpha / (2.0 - alpha);
        if generation <= 1 {
            return first;
        }
        let generation = f64::from(generation);
        (alpha - first) / ((PI * PI / 6.0 - 1.0) * generation * generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_without_sense_are_refused() {
        let check = |confidence, maximum_loss, expected| {
            assert_eq!(Stopping::new(confidence, maximum_loss).err(), expected);
        };
        check(0.95, 0.01, None);
        check(1.0, 0.01, Some(StoppingError::Confidence(1.0)));
        check(0.05, 0.01, Some(StoppingError::Confidence(0.05)));
        check(0.95, 0.0, Some(StoppingError::MaximumLoss(0.0)));
        check(0.95, 1.5, Some(StoppingError::MaximumLoss(1.5)));
        assert!(Stopping::new(f64::NAN, 0.01).is_err() && Stopping::new(0.95, f64::NAN).is_err());
        let rule = Stopping::new(0.95, 0.01).unwrap();
        for lift in [0.0, -0.1, 0.8, f64::NAN] {
            assert!(
                matches!(rule.with_worthwhile_lift(lift), Err(StoppingError::WorthwhileLift(_))),
                "{lift}"
            );
        }
        assert_eq!(rule.with_worthwhile_lift(0.1).unwrap().worthwhile_lift(), Some(0.1));
    }

    #[test]
    fn generations_spend_one_alpha_together() {
        let rule = Stopping::new(0.95, 0.01).unwrap();
        let spent: f64 = (1..=100_000).map(|generation| rule.level(generation)).sum();
        assert!((0.0499..0.05).contains(&spent), "{spent}");
        // Later generations may spend more than 6α/(π²g²), which is what the same sum gives without the first's saving.
        assert!((2..50).all(|g| rule.level(g) > 6.0 * 0.05 / (PI * PI * f64::from(g * g))));
    }
}
