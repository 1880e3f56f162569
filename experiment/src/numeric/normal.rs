//! The standard normal distribution.

use std::f64::consts::FRAC_1_SQRT_2;

use statrs::function::erf::erfc_inv;

/// Φ(z), the chance that a standard normal variable is at most `z`: DLMF 7.2.2 and 7.17.
///
/// The relative error is below 10⁻¹² down to the smallest normal number, at z ≈ −37.5; so the chance of the upper tail
/// is `cdf(-z)`, not `1.0 - cdf(z)`.
///
/// ```
/// use experiment::numeric::normal;
///
/// assert!((normal::cdf(1.959963984540054) - 0.975).abs() < 1e-15);
/// assert_eq!(1.0 - normal::cdf(10.0), 0.0);
/// assert!((normal::cdf(-10.0) / 7.619853024160527e-24 - 1.0).abs() < 1e-12);
/// ```
pub fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Φ⁻¹(p), the quantile of the standard normal distribution; −∞ for 0, ∞ for 1, NaN outside [0, 1].
///
/// The relative error is below 10⁻¹² for every p ≥ 10⁻³⁰⁰. Large quantiles are best asked for by symmetry, as
/// `-quantile(q)` with q = 1 − p, because p itself has no digits left near 1.
pub fn quantile(p: f64) -> f64 {
    if (0.0..=1.0).contains(&p) { -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p) } else { f64::NAN }
}
