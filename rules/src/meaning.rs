//! Copy that says the same thing twice in other words.

use std::fmt;

use crate::NEAR_DUPLICATE;

/// The cosine of two embeddings from which their texts say the same.
///
/// Cosines of different models fill different ranges: those of sentence-transformers all of it, those of bge lie from 0.6
/// to 1 and those of e5 from 0.7 to 1, as their makers say. So the threshold belongs to the model, and is set with it.
///
/// ```
/// let threshold = rules::MeaningThreshold::default();
/// assert!(threshold.is_reached_by(0.95) && !threshold.is_reached_by(0.9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeaningThreshold(f64);

/// The number is no threshold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is no cosine from which texts say the same: write one from {LEAST} to {MOST}")]
pub struct MeaningError(f64);

/// Below it texts of one language are unlike in every model that we know, and all drafts would be refused.
const LEAST: f64 = 0.5;
/// Above it rounding tells texts apart that are the same.
const MOST: f64 = 0.999;

/// For models whose cosines fill the whole range. It is high on purpose: all copy of a campaign is about one product, so
/// even different statements are near each other. A paraphrase that is let through costs a share of traffic, and the
/// choice of drafts puts it last anyway; a good draft that is refused is lost.
const USUAL: f64 = 0.92;

impl MeaningThreshold {
    /// Takes a cosine.
    ///
    /// # Errors
    /// When it is below 0.5 or above 0.999.
    pub fn new(cosine: f64) -> Result<Self, MeaningError> {
        if (LEAST..=MOST).contains(&cosine) { Ok(Self(cosine)) } else { Err(MeaningError(cosine)) }
    }

    /// Whether two texts whose embeddings have this cosine say the same.
    #[must_use]
    pub fn is_reached_by(self, cosine: f64) -> bool {
        cosine >= self.0
    }

    /// How alike two texts are, from 0 to 1, on the scale of [`Fingerprint::similarity`](crate::Fingerprint::similarity):
    /// the threshold becomes [`NEAR_DUPLICATE`], equal directions become 1, and between and below it is a straight line.
    /// So whoever weighs likeness against something else need not know by which of the two it was measured, and the zero
    /// moves with the threshold: to 0.6 for one of 0.92, to 0.85 for one of 0.97.
    #[must_use]
    pub fn likeness(self, cosine: f64) -> f64 {
        let apart = (1.0 - cosine) / (1.0 - self.0);
        (1.0 - apart * (1.0 - NEAR_DUPLICATE)).clamp(0.0, 1.0)
    }
}

impl Default for MeaningThreshold {
    /// 0.92, as a model of sentence-transformers wants it.
    fn default() -> Self {
        Self(USUAL)
    }
}

impl fmt::Display for MeaningThreshold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_measured_from_the_threshold() {
        for (threshold, cosine, likeness) in [
            (0.92, 1.0, 1.0),
            (0.92, 0.92, NEAR_DUPLICATE),
            (0.92, 0.76, 0.4),
            (0.92, 0.6, 0.0),
            (0.92, -1.0, 0.0),
            (0.97, 0.97, NEAR_DUPLICATE),
            (0.97, 0.85, 0.0),
            // Rounding may bring the cosine of a text with itself above one.
            (0.97, 1.000_001, 1.0),
        ] {
            let found = MeaningThreshold::new(threshold).expect("a threshold").likeness(cosine);
            assert!((found - likeness).abs() < 1e-9, "{threshold} {cosine}: {found}");
        }
    }

    #[test]
    fn a_threshold_that_parts_nothing_is_refused() {
        for cosine in [-1.0, 0.0, 0.499, 0.999_1, 1.0, 92.0, f64::NAN] {
            let said = MeaningThreshold::new(cosine).expect_err("no threshold").to_string();
            assert!(said.contains("write one from 0.5 to 0.999"), "{said}");
        }
        assert!(MeaningThreshold::new(0.5).is_ok() && MeaningThreshold::new(0.999).is_ok());
    }
}
