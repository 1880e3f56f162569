//! Limits of a sum of groups' errors.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::interval::Interval;

/// The size and the skewness of an error that is a sum over groups.
pub(super) struct Error {
    standard: f64,
    /// A third of the skewness of the sum.
    third: f64,
    groups: usize,
}

impl Error {
    /// Of the parts of all groups, of which so many have rows.
    pub(super) fn new(parts: &[f64], groups: usize) -> Self {
        let (squares, cubes) = parts
            .iter()
            .fold((0.0, 0.0), |(squares, cubes), part| (squares + part * part, cubes + part * part * part));
        let count = groups as f64;
        let third = if squares > 0.0 { cubes / (3.0 * squares * squares.sqrt()) } else { 0.0 };
        Self { standard: (squares * count / (count - 1.0)).sqrt(), third, groups }
    }

    /// The standard error; NaN of a single group.
    pub(super) fn standard(&self) -> f64 {
        if self.groups > 1 { self.standard } else { f64::NAN }
    }

    /// The limits around `estimate`; none where a single group has all rows.
    pub(super) fn interval(&self, estimate: f64, confidence: f64) -> Interval {
        let Some(deviations) = self.deviations(confidence) else {
            return Interval { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY };
        };
        let limit = |deviations: f64| estimate - self.standard * straightened(deviations, self.third);
        Interval { estimate, low: limit(deviations), high: limit(-deviations) }
    }

    fn deviations(&self, confidence: f64) -> Option<f64> {
        let freedom = self.groups.checked_sub(1).filter(|freedom| *freedom > 0)?;
        let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
        Some(student.inverse_cdf(0.5 + 0.5 * confidence))
    }
}

/// The t with g(t) = `z`, where g(t) = ((1 + at)³ − 1)/(3a) + a/2: (∛(1 + 3a(z − a/2)) − 1)/a.
fn straightened(z: f64, a: f64) -> f64 {
    let u = 3.0 * a * (z - 0.5 * a);
    match a.abs() {
        // The next term of the series is a², beyond a double's digits.
        tiny if tiny < 1e-9 => z - a * (0.5 + z * z),
        // Nothing cancels near 0.
        _ if u > -0.5 => (u.ln_1p() / 3.0).exp_m1() / a,
        _ => ((1.0 + u).cbrt() - 1.0) / a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transformation_is_undone() {
        for z in [-3.0, -1.96, -0.1, 0.0, 0.5, 1.96, 3.0] {
            for a in [-0.3, -0.1, -1e-4, -1e-8, 1e-10, 1e-7, 1e-3, 0.05, 0.2, 0.33] {
                let t = straightened(z, a);
                // The form of the paper, in which nothing is divided by a.
                let back = t + a * t * t + a * a * t * t * t / 3.0 + 0.5 * a;
                assert!((back - z).abs() < 1e-9, "{z} {a}: {t} {back}");
            }
        }
    }

    /// Ten events that are rare: the exact limits of Garwood are 4.80 and 18.39, and √10 each way 3.80 and 16.20.
    #[test]
    fn rare_events_have_limits_close_to_the_exact_ones() {
        let mut parts = vec![-10.0 / 100_000.0; 100_000];
        parts[..10].iter_mut().for_each(|part| *part += 1.0);
        let Interval { low, high, .. } = Error::new(&parts, 100_000).interval(10.0, 0.95);
        assert!((low - 4.8).abs() < 0.15 && (high - 18.39).abs() < 0.3, "{low} {high}");
    }

    #[test]
    fn one_group_has_no_limits() {
        let error = Error::new(&[0.0], 1);
        let Interval { low, high, .. } = error.interval(0.5, 0.95);
        assert!(error.standard().is_nan() && low == f64::NEG_INFINITY && high == f64::INFINITY);
    }
}
