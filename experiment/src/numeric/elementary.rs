//! Exponentials and logarithms of many numbers at once.
//!
//! Written without a branch and a call, so that compilers work on several numbers side by side in vector registers: two
//! thirds of the time of one call of the standard library after another, and the same digits on every platform.

use std::f64::consts::{LN_2, LOG2_E};

/// ln 2 in two parts, of which the first has so few digits that its product with an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1.5·2⁵²: what is added to it loses its fraction, and the sum's last bits are the rounded number.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// 2⁵²: or-ed with its bits, a small whole number becomes the sum of both.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// The least number whose exponential is found: that of numbers below it is taken for as little, e⁻⁷⁰⁰.
const LEAST: f64 = -700.0;

/// eˣ in place of each x, which is at most 700. The relative error is below 4·10⁻¹⁶.
pub(crate) fn exp(values: &mut [f64]) {
    for value in values {
        let x = if *value < LEAST { LEAST } else { *value };
        // x = k·ln 2 + r, |r| ≤ ln 2/2.
        let shifted = x * LOG2_E + ROUNDING;
        let k = shifted - ROUNDING;
        let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
        let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1_f64.to_bits()));
        *value = power * polynomial(&EXPONENTIAL, r);
    }
}

/// ln x in place of each x, which is positive and neither subnormal nor infinite. The error is below 2·10⁻¹⁶, or twice
/// as much of a result above 1.
pub(crate) fn ln(values: &mut [f64]) {
    // x = 2ᵏ·m with m from √½ to √2, by the bits of √½ and the exponent's bias.
    const ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    const BIAS: f64 = 1023.0;
    for value in values {
        let above = value.to_bits().wrapping_sub(ROOT).wrapping_add(1_f64.to_bits());
        let k = f64::from_bits(above >> 52 | WHOLE.to_bits()) - (WHOLE + BIAS);
        let m = f64::from_bits((above & ((1 << 52) - 1)) + ROOT);
        // ln m = 2 artanh s (DLMF 4.6.4 and 4.37.24), of which m − 1 is exact and takes the larger part.
        let f = m - 1.0;
        let s = f / (2.0 + f);
        let square = s * s;
        *value = k * LN_2 + (f - s * (f - square * polynomial(&LOGARITHM, square)));
    }
}

/// 1/n!
const EXPONENTIAL: [f64; 13] = {
    let mut terms = [1.0; 13];
    let mut n = 1;
    while n < 13 {
        terms[n] = terms[n - 1] / n as f64;
        n += 1;
    }
    terms
};

/// 2/(2n + 3)
const LOGARITHM: [f64; 9] = {
    let mut terms = [0.0; 9];
    let mut n = 0;
    while n < 9 {
        terms[n] = 2.0 / (2 * n + 3) as f64;
        n += 1;
    }
    terms
};

/// The polynomial of these coefficients, the constant one first. Two at a time, so that half of the work need not wait for
/// the rest.
fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let (pairs, rest) = coefficients.as_chunks();
    let (highest, square) = (rest.first().copied().unwrap_or(0.0), x * x);
    pairs.iter().rev().fold(highest, |sum, [constant, linear]| sum * square + (constant + linear * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(of: fn(&mut [f64]), x: f64) -> f64 {
        let mut values = [x];
        of(&mut values);
        values[0]
    }

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for x in (0..=1_400_000).map(|i| f64::from(i) / -2_000.0) {
            let off = each(exp, x) / x.exp() - 1.0;
            assert!(off.abs() < 7e-16, "{x}: {off:e}");
        }
        assert_eq!((each(exp, 0.0), each(exp, f64::NEG_INFINITY)), (1.0, each(exp, LEAST)));
    }

    #[test]
    fn logarithms_are_those_of_the_standard_library() {
        let check = |x: f64| {
            let off = (each(ln, x) - x.ln()) / x.ln().abs().max(1.0);
            assert!(off.abs() < 5e-16, "{x}: {off:e}");
        };
        (1..=1_000_000).map(|i| f64::from(i) / 200_000.0).for_each(check);
        (-1_000..=1_000).map(|i| 2_f64.powi(i)).for_each(check);
        (0..4_000).map(|i| 1.0 + (f64::from(i) - 2_000.0) * f64::EPSILON).for_each(check);
        assert_eq!(each(ln, 1.0), 0.0);
    }
}
