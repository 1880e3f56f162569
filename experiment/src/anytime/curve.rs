//! A log likelihood of one log ratio, kept as its values at a few points.
//!
//! What one cell adds, S·x − T·ln(1 + π(eˣ − 1)), is analytic in x up to ±iπ from the real axis. On |x| ≤ ln 4 the
//! polynomial through n Chebyshev points misses it by about 4.7⁻ⁿ (Trefethen 2013, Approximation Theory and
//! Approximation Practice, Theorem 8.2), which at n = 24 is the rounding of doubles. So a cell costs 24 logarithms, a
//! mixture over hundreds of points costs none, and curves of cells add up.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::numeric::elementary;

/// Chebyshev points.
const NODES: usize = 24;

/// The largest log ratio that a curve knows: e raised to it is 4.
pub(super) const WIDEST: f64 = 1.386_294_361_119_890_6;

/// A function on ±[`WIDEST`], 0 at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Curve([f64; NODES]);

impl Curve {
    /// The function that is zero.
    pub(crate) const ZERO: Self = Self([0.0; NODES]);

    /// Adds s·x − t·ln(1 + share·(eˣ − 1)).
    pub(crate) fn add(&mut self, share: &Share, s: f64, t: f64) {
        for ((value, point), logarithm) in self.0.iter_mut().zip(&BASIS.points).zip(&share.0) {
            *value += s * point - t * logarithm;
        }
    }

    /// The same function as a series.
    pub(super) fn series(&self) -> Series {
        let part = |row: &[f64; NODES]| row.iter().zip(&self.0).map(|(part, value)| part * value).sum();
        Series(std::array::from_fn(|order| part(&BASIS.coefficients[order])))
    }

    /// The values at the places of `table`.
    pub(super) fn values(&self, table: &Table) -> Vec<f64> {
        let mut values = Vec::with_capacity(table.blocks.len() * BLOCK);
        for block in &table.blocks {
            let mut sums = [0.0; BLOCK];
            for (parts, node) in block.iter().zip(&self.0) {
                for (sum, part) in sums.iter_mut().zip(parts) {
                    *sum += part * node;
                }
            }
            values.extend(sums);
        }
        values.truncate(table.places);
        values
    }
}

/// ln(1 + share·(eˣ − 1)) at the points: all that costs in what a cell adds, whichever of its counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share([f64; NODES]);

impl Share {
    /// For a share above 0 and below 1.
    pub(crate) fn new(share: f64) -> Self {
        // The error that counts is absolute, so the logarithm of one plus little would only be slower.
        let mut logarithms = BASIS.excesses.map(|excess| 1.0 + share * excess);
        elementary::ln(&mut logarithms);
        Self(logarithms)
    }
}

/// A curve as coefficients of Chebyshev polynomials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series([f64; NODES]);

impl Series {
    /// The value and the slope at a place within ±[`WIDEST`].
    pub(super) fn at(&self, place: f64) -> (f64, f64) {
        let t = place / WIDEST;
        let (mut value, mut slope) = (self.0[0], 0.0);
        let (mut before, mut now) = ((1.0, 0.0), (t, 1.0));
        for coefficient in &self.0[1..] {
            value += coefficient * now.0;
            slope += coefficient * now.1;
            // Tₙ₊₁ = 2tTₙ − Tₙ₋₁, and its derivative.
            let next = (2.0 * t * now.0 - before.0, 2.0 * (now.0 + t * now.1) - before.1);
            (before, now) = (now, next);
        }
        (value, slope / WIDEST)
    }
}

/// How many places a curve is evaluated at together: their sums grow side by side in vector registers.
const BLOCK: usize = 16;

/// How much each node's value counts at each of many places, block by block and then node by node.
#[derive(Clone, Debug)]
pub(super) struct Table {
    blocks: Vec<[[f64; BLOCK]; NODES]>,
    places: usize,
}

impl Table {
    /// For places within ±[`WIDEST`].
    pub(super) fn new(places: &[f64]) -> Self {
        let block = |places: &[f64]| {
            let rows: Vec<[f64; NODES]> = places.iter().map(|&place| BASIS.parts(place)).collect();
            std::array::from_fn(|node| {
                std::array::from_fn(|place| rows.get(place).map_or(0.0, |row| row[node]))
            })
        };
        Self { blocks: places.chunks(BLOCK).map(block).collect(), places: places.len() }
    }
}

struct Basis {
    points: [f64; NODES],
    /// eˣ − 1 at each point.
    excesses: [f64; NODES],
    weights: [f64; NODES],
    /// How much each node's value counts in each coefficient.
    coefficients: [[f64; NODES]; NODES],
}

static BASIS: LazyLock<Basis> = LazyLock::new(|| {
    let angle = |node: usize| (2 * node + 1) as f64 * PI / (2 * NODES) as f64;
    let points: [f64; NODES] = std::array::from_fn(|node| WIDEST * angle(node).cos());
    let sign = |node: usize| if node.is_multiple_of(2) { 1.0 } else { -1.0 };
    Basis {
        points,
        excesses: points.map(f64::exp_m1),
        weights: std::array::from_fn(|node| sign(node) * angle(node).sin()),
        coefficients: std::array::from_fn(|order| {
            let scale = if order == 0 { 1.0 } else { 2.0 } / NODES as f64;
            std::array::from_fn(|node| scale * (order as f64 * angle(node)).cos())
        }),
    }
});

impl Basis {
    /// The Lagrange polynomials at `place`, by the second barycentric formula (Berrut & Trefethen 2004, eq. 4.2).
    fn parts(&self, place: f64) -> [f64; NODES] {
        if let Some(exact) = self.points.iter().position(|&point| point.to_bits() == place.to_bits()) {
            return std::array::from_fn(|node| if node == exact { 1.0 } else { 0.0 });
        }
        let terms: [f64; NODES] =
            std::array::from_fn(|node| self.weights[node] / (place - self.points[node]));
        let scale = terms.iter().sum::<f64>().recip();
        terms.map(|term| term * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_as_exact_as_doubles_allow() {
        let places: Vec<f64> = (-100..=100).map(|i| WIDEST * f64::from(i) / 100.0).collect();
        let table = Table::new(&places);
        for share in [1e-6, 0.01, 0.3, 0.5, 0.8, 0.99, 1.0 - 1e-6] {
            let (s, t) = (700.0, 1000.0);
            let mut curve = Curve::ZERO;
            curve.add(&Share::new(share), s, t);
            for (place, found) in places.iter().zip(curve.values(&table)) {
                let expected = s * place - t * (share * place.exp_m1()).ln_1p();
                assert!((found - expected).abs() < 1e-14 * t * 4.0, "{share} {place}: {found} {expected}");
                let (value, slope) = curve.series().at(*place);
                let ratio = place.exp();
                let expected_slope = s - t * share * ratio / (share * ratio + 1.0 - share);
                assert!((value - expected).abs() < 1e-14 * t * 4.0, "{share} {place}: {value} {expected}");
                assert!(
                    (slope - expected_slope).abs() < 1e-11 * t,
                    "{share} {place}: {slope} {expected_slope}"
                );
            }
        }
    }
}
