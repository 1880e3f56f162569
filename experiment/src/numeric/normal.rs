//! The standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use statrs::function::erf::erfc_inv;

/// Φ(z), the chance that a standard normal variable is at most `z`: half of erfc(−z/√2), DLMF 7.2.2.
///
/// The relative error is below 10⁻¹² down to 10⁻³⁰⁰, at z ≈ −37; so the chance of the upper tail is `cdf(-z)`, not
/// `1.0 - cdf(z)`. NaN for NaN.
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

/// The z with Φ(z) = `p`, the quantile of the standard normal distribution: −√2 times the inverse of erfc at 2p, DLMF
/// 7.17.
///
/// The relative error is below 10⁻¹² for p from 10⁻³⁰⁰. The quantile of a tiny upper tail q is `-quantile(q)`, because
/// 1 − q has lost its digits. −∞ for 0, ∞ for 1, NaN where p is not in [0, 1].
pub fn quantile(p: f64) -> f64 {
    if (0.0..=1.0).contains(&p) { -SQRT_2 * erfc_inv(2.0 * p) } else { f64::NAN }
}
