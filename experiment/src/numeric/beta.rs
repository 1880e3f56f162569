//! The regularized incomplete beta function I_x(a, b), which is the distribution function of Beta(a, b), and its
//! inverse.
//!
//! The usual continued fraction (DLMF 8.17.22) takes thousands of steps near the mean of a large sample, and for a rare
//! event it subtracts nearly equal numbers in each of them. Two other ways cover everything, and in both hardly
//! anything cancels:
//!
//! - where a < 1 and x is small, a power series (DLMF 8.17.7);
//! - everywhere else an integral over the tail, relative to the integrand where the tail begins.
//!
//! The integrand there is written as its fall from the peak, exp(−a φ(u) − b φ(v)) with φ(u) = u − ln(1+u), as in
//! Didonato & Morris, "Algorithm 708" (ACM TOMS 18, 1992): both terms are positive, whatever a and b are.
//!
//! All is done in logarithms, for the one tail that comes out with all its digits; the other is the rest to 1.

use std::array;
use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::numeric::normal;

/// I_x(a, b): the chance that a variable from Beta(a, b) is at most `x`. DLMF 8.17.2.
///
/// For a and b from 10⁻³ to 10⁹ the relative error is below 10⁻¹² wherever the result is above 10⁻³⁰⁰. NaN where a or
/// b is not positive and finite or x is not in [0, 1].
///
/// ```
/// use experiment::numeric::beta::regularized_beta;
///
/// assert!((regularized_beta(2.0, 3.0, 0.25) - 67.0 / 256.0).abs() < 1e-15);
/// assert!(regularized_beta(2.0, 3.0, 1.25).is_nan());
/// ```
pub fn regularized_beta(a: f64, b: f64, x: f64) -> f64 {
    if valid(a, b, x) { Tail::of(a, b, Split::at(x)).lower() } else { f64::NAN }
}

/// 1 − I_x(a, b): the chance that a variable from Beta(a, b) is above `x`.
///
/// Guaranteed as [`regularized_beta`] is, also where that one is nearly 1. It equals I_{1−x}(b, a), but of a small `x`
/// the number 1 − x has lost digits that count.
///
/// ```
/// use experiment::numeric::beta::{regularized_beta, regularized_beta_complement};
///
/// assert_eq!(1.0 - regularized_beta(20.0, 1e6, 2e-4), 0.0);
/// assert!((regularized_beta_complement(20.0, 1e6, 2e-4) / 6.4576e-61 - 1.0).abs() < 1e-4);
/// ```
pub fn regularized_beta_complement(a: f64, b: f64, x: f64) -> f64 {
    if valid(a, b, x) { Tail::of(a, b, Split::at(x)).upper() } else { f64::NAN }
}

/// The x with I_x(a, b) = `p`: the quantile of Beta(a, b).
///
/// For a and b from 10⁻³ to 10⁹ the relative error is below 10⁻¹² wherever the result and `p` are above 10⁻³⁰⁰; a
/// result below every number is 0. NaN where a or b is not positive and finite or p is not in [0, 1].
///
/// ```
/// use experiment::numeric::beta::inverse_regularized_beta;
///
/// // The upper limit of Clopper & Pearson (1934) for a rate that was seen 3 times in 1000.
/// assert!((inverse_regularized_beta(4.0, 997.0, 0.975) - 0.008742).abs() < 1e-6);
/// ```
pub fn inverse_regularized_beta(a: f64, b: f64, p: f64) -> f64 {
    if !valid(a, b, p) {
        f64::NAN
    } else if p == 0.0 || p == 1.0 {
        p
    } else if p <= 0.5 {
        Split::with_odds(quantile_odds(a, b, p)).x
    } else {
        // 1 − p is exact here, and the smaller tail the one with all its digits.
        Split::with_odds(quantile_odds(b, a, 1.0 - p)).y
    }
}

fn valid(a: f64, b: f64, fraction: f64) -> bool {
    let shape = |s: f64| s > 0.0 && s.is_finite();
    shape(a) && shape(b) && (0.0..=1.0).contains(&fraction)
}

/// x and y = 1 − x. The smaller of the two is exact by definition; the other is rounded.
#[derive(Clone, Copy, Debug)]
struct Split {
    x: f64,
    y: f64,
}

impl Split {
    fn at(x: f64) -> Self {
        Self { x, y: 1.0 - x }
    }

    /// The x whose odds x / (1 − x) are given.
    fn with_odds(odds: f64) -> Self {
        Self { x: 1.0 / (1.0 + 1.0 / odds), y: 1.0 / (1.0 + odds) }
    }

    fn mirrored(self) -> Self {
        Self { x: self.y, y: self.x }
    }

    fn ln_x(self) -> f64 {
        if self.x <= self.y { self.x.ln() } else { (-self.y).ln_1p() }
    }

    /// a − (a+b)x = a y − b x. Near the mean it is the small rest of large products, and the whole result hangs on
    /// it: so their rounding errors are carried along.
    fn distance_below_mean(self, a: f64, b: f64) -> f64 {
        if self.x > self.y {
            return -self.mirrored().distance_below_mean(b, a);
        }
        let ((p, p_rest), (q, q_rest)) = (exact_product(a, self.x), exact_product(b, self.x));
        let (sum, sum_rest) = exact_sum(p, q);
        let (distance, rest) = exact_sum(a, -sum);
        distance + (rest - sum_rest - p_rest - q_rest)
    }
}

/// a·b and its rounding error.
fn exact_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// a + b and its rounding error: Knuth, "The Art of Computer Programming" 2, section 4.2.2, theorem B.
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// The logarithm of one of the two tails.
#[derive(Clone, Copy, Debug)]
enum Tail {
    Lower(f64),
    Upper(f64),
}

impl Tail {
    fn of(a: f64, b: f64, at: Split) -> Self {
        if at.x == 0.0 {
            Self::Lower(f64::NEG_INFINITY)
        } else if at.y == 0.0 {
            Self::Upper(f64::NEG_INFINITY)
        } else if has_series(a, b, at) {
            Self::Lower(log_series(a, b, at))
        } else if has_series(b, a, at.mirrored()) {
            Self::Upper(log_series(b, a, at.mirrored()))
        } else if at.distance_below_mean(a, b) >= 0.0 {
            Self::Lower(log_integral(a, b, at))
        } else {
            Self::Upper(log_integral(b, a, at.mirrored()))
        }
    }

    fn lower(self) -> f64 {
        match self {
            Self::Lower(log) => log.exp(),
            Self::Upper(log) => -log.exp_m1(),
        }
    }

    fn mirrored(self) -> Self {
        match self {
            Self::Lower(log) => Self::Upper(log),
            Self::Upper(log) => Self::Lower(log),
        }
    }

    fn upper(self) -> f64 {
        self.mirrored().lower()
    }

    fn ln_lower(self) -> f64 {
        match self {
            Self::Lower(log) => log,
            Self::Upper(_) => self.lower().ln(),
        }
    }
}

/// Whether the terms of the power series fall quickly and hardly cancel.
fn has_series(a: f64, b: f64, at: Split) -> bool {
    a < 1.0 && at.x <= 0.5 && (b - 1.0) * at.x <= 1.0
}

/// ln I_x(a, b) by DLMF 8.17.7: x^a/(a B(a, b)) (1 + a Σ (1−b)ₙ xⁿ/(n! (a+n))), where [`has_series`].
///
/// With a small `a` this logarithm is near 0 for every x, and an inverse divides its error by a: hence only terms that
/// are themselves of the order of a.
fn log_series(a: f64, b: f64, at: Split) -> f64 {
    let (mut power, mut sum) = (1.0, 0.0);
    // Terms fall at least as 2⁻ⁿ, so that sixty leave nothing.
    for n in (1..=60).map(f64::from) {
        power *= (n - b) / n * at.x;
        let term = power / (a + n);
        sum += term;
        if term.abs() <= f64::EPSILON * 0.1 {
            break;
        }
    }
    a * at.ln_x() + log_inverse_beta(a, b) + (a * sum).ln_1p()
}

/// ln I_x(a, b) for x up to the mean, by quadrature.
///
/// With xe⁻ᵗ for the point of integration, D = x^a y^b/B(a, b) and r = x/y,
///
/// ```text
/// I_x(a, b) = D/y ∫₀^∞ exp(−E(t)) dt,     E(t) = a t − (b−1) ln(1 + r(1−e⁻ᵗ))
/// ```
///
/// E rises from 0: straight in the far tail, as a parabola near the mean, and between the two elsewhere. Over w with
/// t = Tw² one Gauss-Legendre rule is enough for all of them, also where a b that is no integer makes a branch point
/// close to t = 0 on the left.
fn log_integral(a: f64, b: f64, at: Split) -> f64 {
    let fall = Fall::new(a, b, at);
    let end = fall.end();
    let integral: f64 = NODES.iter().map(|node| node.weight * (-fall.at(end * node.place)).exp()).sum();
    log_power(a, b, at) + (end * integral / at.y).ln()
}

/// How the integrand falls: E(t) of [`log_integral`].
#[derive(Clone, Copy, Debug)]
struct Fall {
    a: f64,
    /// b − 1.
    power: f64,
    odds: f64,
    /// E′(0) = a − (b−1) r.
    slope: f64,
}

impl Fall {
    /// The E from which on the integrand is taken for zero: e⁻³⁸ is a fifth of the last digit of 1.
    const NEGLIGIBLE: f64 = 38.0;

    fn new(a: f64, b: f64, at: Split) -> Self {
        let slope = (at.distance_below_mean(a, b) + at.x) / at.y;
        Self { a, power: b - 1.0, odds: at.x / at.y, slope }
    }

    /// E(t); for b ≥ 1 as E′(0) t + (b−1)(r φ(e⁻ᵗ−1) + φ(r(1−e⁻ᵗ))), a sum of positive terms.
    fn at(&self, t: f64) -> f64 {
        // 1−e⁻ᵗ.
        let way = -(-t).exp_m1();
        if self.power < 0.0 {
            return self.a * t - self.power * (self.odds * way).ln_1p();
        }
        // φ(e⁻ᵗ−1) = t − (1−e⁻ᵗ), directly where that keeps its digits.
        let bend = if t > 1.0 { t - way } else { excess(-way) };
        self.slope * t + self.power * (self.odds * bend + excess(self.odds * way))
    }

    /// E′(t).
    fn slope(&self, t: f64) -> f64 {
        self.a - self.power * self.odds * (-t).exp() / (1.0 - self.odds * (-t).exp_m1())
    }

    /// A T with E(T) ≥ 38, and not much more.
    ///
    /// For b ≥ 1, E is convex and E″ is largest at 0, so that the parabola through E(0), E′(0) and E″(0) gives a T that
    /// is too near, from which a step of Newton's method leads too far and the next one back. For b < 1, E(t) ≥ a t.
    fn end(&self) -> f64 {
        if self.power < 0.0 {
            return Self::NEGLIGIBLE / self.a;
        }
        let curvature = self.power * self.odds * (1.0 + self.odds);
        let root = (self.slope * self.slope + 2.0 * Self::NEGLIGIBLE * curvature).sqrt();
        let near = 2.0 * Self::NEGLIGIBLE / (self.slope + root);
        (0..2).fold(near, |end, _| end + (Self::NEGLIGIBLE - self.at(end)) / self.slope(end))
    }
}

/// A node of the quadrature over t/T from 0 to 1.
#[derive(Clone, Copy, Debug)]
struct Node {
    place: f64,
    weight: f64,
}

/// Forty nodes leave 4·10⁻¹⁸ in the worst case, a = 1 with a large b; thirty-two leave 2·10⁻¹⁴.
const NODE_COUNT: usize = 40;

static NODES: LazyLock<[Node; NODE_COUNT]> = LazyLock::new(|| array::from_fn(node));

/// The Gauss-Legendre rule (DLMF 3.5(v)) for w from 0 to 1, written for w².
fn node(index: usize) -> Node {
    let guess = (PI * (index as f64 + 0.75) / (NODE_COUNT as f64 + 0.5)).cos();
    // The guess has two digits or more, and each step doubles them.
    let zero = (0..6).fold(guess, |z, _| z - legendre(z).0 / legendre(z).1);
    let derivative = legendre(zero).1;
    let w = 0.5 * (1.0 + zero);
    Node { place: w * w, weight: 2.0 * w / ((1.0 - zero * zero) * derivative * derivative) }
}

/// The Legendre polynomial of degree [`NODE_COUNT`] and its derivative: DLMF 18.9.1, 18.9.17.
fn legendre(z: f64) -> (f64, f64) {
    let (value, before) = (1..NODE_COUNT as u32)
        .map(f64::from)
        .fold((z, 1.0), |(value, before), n| (((2.0 * n + 1.0) * z * value - n * before) / (n + 1.0), value));
    (value, NODE_COUNT as f64 * (before - z * value) / (1.0 - z * z))
}

/// ln(x^a y^b/B(a, b)).
fn log_power(a: f64, b: f64, at: Split) -> f64 {
    if a > b {
        return log_power(b, a, at.mirrored());
    }
    if a < FROM_STIRLING {
        return a.ln() + a * at.ln_x() + b * at.mirrored().ln_x() + log_inverse_beta(a, b);
    }
    // At the peak, x = a/(a+b), Stirling's formula leaves this; u and v are the relative distances from there.
    let peak = 0.5 * (a / (a + b) * b / (2.0 * PI)).ln() + stirling_remainder(a + b)
        - stirling_remainder(a)
        - stirling_remainder(b);
    let distance = at.distance_below_mean(a, b);
    let total = a + b;
    peak - a * relative_excess(-distance / a, at.x * total / a)
        - b * relative_excess(distance / b, at.y * total / b)
}

/// −ln(a B(a, b)), with an error that is small against a.
fn log_inverse_beta(a: f64, b: f64) -> f64 {
    log_gamma_growth(b, a) - log_gamma_growth(1.0, a)
}

/// ln Γ(z+a) − ln Γ(z), with an error that is small against a; for large a, whose own ln Γ is large, the digits are as
/// few as for ln Γ itself.
fn log_gamma_growth(z: f64, a: f64) -> f64 {
    // Γ(z+1) = z Γ(z) leads up to where Stirling's formula holds. The product of (z+a)/z is kept less one, because for
    // a small a all of it is there.
    let (mut z, mut product_less_one) = (z, 0.0);
    while z < FROM_STIRLING {
        product_less_one += (1.0 + product_less_one) * (a / z);
        z += 1.0;
    }
    let stirling = (z - 0.5) * (a / z).ln_1p() + a * ((z + a).ln() - 1.0) + stirling_remainder(z + a)
        - stirling_remainder(z);
    stirling - f64::ln_1p(product_less_one)
}

/// From here on the seven terms of [`stirling_remainder`] leave less than 3·10⁻¹⁷.
const FROM_STIRLING: f64 = 10.0;

/// ln Γ(z) − ((z−½) ln z − z + ½ ln 2π), for z ≥ 10: DLMF 5.11.1.
fn stirling_remainder(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    polynomial(&COEFFICIENTS, 1.0 / (z * z)) / z
}

/// [`excess`] of u, given 1 + u too: near −1, u alone has lost its digits.
fn relative_excess(u: f64, one_plus_u: f64) -> f64 {
    if u < -0.6 { u - one_plus_u.ln() } else { excess(u) }
}

/// φ(u) = u − ln(1+u), without cancellation near 0.
///
/// With z = u/(2+u), ln(1+u) is 2 artanh z and u − 2z is uz: DLMF 4.6.4, and RLOG1 of Didonato & Morris.
fn excess(u: f64) -> f64 {
    if !(-0.6..=1.5).contains(&u) {
        return u - u.ln_1p();
    }
    let z = u / (2.0 + u);
    let square = z * z;
    // Eight terms are enough for z² below 0.01, and all 22 up to 0.184, the most that can be here.
    let terms = if square < 0.01 { &ARTANH[..8] } else { &ARTANH[..] };
    z * (u - 2.0 * square * polynomial(terms, square))
}

/// 1/3, 1/5, 1/7, …
const ARTANH: [f64; 22] = {
    let mut coefficients = [0.0; 22];
    let mut k = 0;
    while k < 22 {
        coefficients[k] = 1.0 / (2 * k + 3) as f64;
        k += 1;
    }
    coefficients
};

/// Σ cₖ zᵏ.
fn polynomial(coefficients: &[f64], z: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * z + coefficient)
}

/// The odds x/(1−x) with I_x(a, b) = p, for 0 < p ≤ ½.
///
/// In log odds, ln I is concave and rises with slope x^a y^b/(B(a, b) I). So a step of Newton's method ends left of the
/// root, wherever it began, and all further ones rise towards it.
fn quantile_odds(a: f64, b: f64, p: f64) -> f64 {
    let target = p.ln();
    let mut odds = first_log_odds(a, b, p).exp();
    for _ in 0..MOST_STEPS {
        let at = Split::with_odds(odds);
        // The quantile is nearer to 0 or 1 than any number.
        if at.x == 0.0 || at.y == 0.0 {
            break;
        }
        let below = Tail::of(a, b, at).ln_lower();
        let missing = target - below;
        odds *= (missing * (below - log_power(a, b, at)).exp()).exp();
        // Each step squares what is missing: after this one it is nothing.
        if missing.abs() < 1e-8 {
            break;
        }
    }
    odds
}

/// Four or five steps are usual, and 27 were the most in 200 000 draws of a, b from 10⁻³ to 10⁹ (a = 0.0019,
/// b = 6·10⁸, p = 0.886); the bound only makes sure that there is an end.
const MOST_STEPS: usize = 100;

/// Where to look for the `p`-quantile first, in log odds.
///
/// The straight line to which ln I tends on the left lies above it everywhere, so that it reaches ln p left of the
/// root; for small a not far from it. For other a the log odds are about normal.
fn first_log_odds(a: f64, b: f64, p: f64) -> f64 {
    let straight = (p.ln() - log_inverse_beta(a, b)) / a;
    let normal = (a / b).ln() + normal::quantile(p) * (1.0 / a + 1.0 / b).sqrt();
    if a < 1.0 { straight } else { normal.max(straight) }
}
