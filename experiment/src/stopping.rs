//! When an experiment may end by its numbers.

use std::f64::consts::PI;

/// When an experiment may end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    confidence: f64,
    maximum_loss: f64,
    generation: u32,
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
    /// Generations are counted from one.
    #[error("generation 0: generations are counted from 1")]
    Generation,
}

impl Stopping {
    /// `confidence` is one minus the accepted chance of ever naming a winner that is not better than the control, as
    /// 0.95; `maximum_loss` is how much of the winner's rate may be expected to be given away against the best arm, as
    /// 0.01; `generation` counts, from 1, how often the variants were replaced.
    ///
    /// # Errors
    /// When `confidence` is not in [0.5, 1), `maximum_loss` not in (0, 1], or `generation` is 0.
    pub fn new(confidence: f64, maximum_loss: f64, generation: u32) -> Result<Self, StoppingError> {
        if !(0.5..1.0).contains(&confidence) {
            return Err(StoppingError::Confidence(confidence));
        }
        if !(maximum_loss > 0.0 && maximum_loss <= 1.0) {
            return Err(StoppingError::MaximumLoss(maximum_loss));
        }
        if generation == 0 {
            return Err(StoppingError::Generation);
        }
        Ok(Self { confidence, maximum_loss, generation })
    }

    /// One minus the accepted chance of a false winner, over all generations and looks.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The accepted expected loss, as a fraction of the winner's rate.
    #[must_use]
    pub fn maximum_loss(&self) -> f64 {
        self.maximum_loss
    }

    /// Which generation of variants this is, from 1.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The level that this generation may spend: 6α/(π²g²) with α = 1 − confidence. All generations together spend α,
    /// since Σ 1/g² = π²/6, however many there will be.
    #[must_use]
    pub fn level(&self) -> f64 {
        let generation = f64::from(self.generation);
        6.0 * (1.0 - self.confidence) / (PI * PI * generation * generation)
    }
}
