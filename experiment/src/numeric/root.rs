//! Least squares for sums that lie many orders of magnitude apart.

use super::cholesky::dot;

/// The root R of a matrix I + Σ xx' = R'R, and d with R'd = Σ xy: what ridge regression knows after its observations.
///
/// The matrix itself is never formed. A billion exposures with features of a thousand make a part of 10¹⁵ in which the 1
/// of a prior is lost to rounding, and with it the only thing that keeps the matrix positive definite; of the root it is
/// one part in 3·10⁷, and no entry of the diagonal can fall below 1. Each observation is rotated into the root (Givens; Golub
/// & Van Loan 2013, section 6.5.3), which is backward stable.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// The rows of R, each from its diagonal on.
    rows: Vec<Vec<f64>>,
    /// d
    right: Vec<f64>,
}

impl Root {
    /// Before any observation.
    pub(crate) fn identity(size: usize) -> Self {
        let row = |from: usize| (from..size).map(|at| if at == from { 1.0 } else { 0.0 }).collect();
        Self { rows: (0..size).map(row).collect(), right: vec![0.0; size] }
    }

    /// Adds that x'θ was seen to be `y`, with a variance of 1.
    pub(crate) fn observe(&mut self, mut x: Vec<f64>, mut y: f64) {
        for (at, (row, right)) in self.rows.iter_mut().zip(&mut self.right).enumerate() {
            if x[at] == 0.0 {
                continue;
            }
            let length = row[0].hypot(x[at]);
            let (cosine, sine) = (row[0] / length, x[at] / length);
            let turn = |one: &mut f64, other: &mut f64| {
                (*one, *other) = (cosine * *one + sine * *other, cosine * *other - sine * *one);
            };
            row.iter_mut().zip(&mut x[at..]).for_each(|(one, other)| turn(one, other));
            turn(right, &mut y);
        }
    }

    /// θ with Rθ = d, the ridge estimate.
    pub(crate) fn solution(&self) -> Vec<f64> {
        let mut solution = vec![0.0; self.rows.len()];
        for (at, row) in self.rows.iter().enumerate().rev() {
            solution[at] = (self.right[at] - dot(&row[1..], &solution[at + 1..])) / row[0];
        }
        solution
    }

    /// x'(R'R)⁻¹x, as y'y with R'y = x.
    pub(crate) fn variance(&self, x: &[f64]) -> f64 {
        let mut rest = x.to_vec();
        for (at, row) in self.rows.iter().enumerate() {
            rest[at] /= row[0];
            let (known, later) = rest.split_at_mut(at + 1);
            later.iter_mut().zip(&row[1..]).for_each(|(rest, entry)| *rest -= known[at] * entry);
        }
        dot(&rest, &rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found} instead of {expected}");
    }

    /// n observations of y at x, at once.
    fn root(observed: &[(&[f64], f64, f64)]) -> Root {
        let mut root = Root::identity(observed[0].0.len());
        for (x, n, y) in observed {
            root.observe(x.iter().map(|x| n.sqrt() * x).collect(), n.sqrt() * y);
        }
        root
    }

    /// (1 + n(x₁² + x₂²)) and its like, solved by hand.
    #[test]
    fn the_root_knows_what_the_matrix_says() {
        // I + xx' + zz' with x = (1, 2), z = (3, −1) is (11, −1; −1, 6), and xy + zy = (3·1 + 5·3, 3·2 − 5) = (18, 1).
        let root = root(&[(&[1.0, 2.0], 1.0, 3.0), (&[3.0, -1.0], 1.0, 5.0)]);
        let solution = root.solution();
        near(solution[0], (6.0 * 18.0 + 1.0) / 65.0);
        near(solution[1], (18.0 + 11.0) / 65.0);
        // By Cramer's rule the inverse is (6, 1; 1, 11)/65.
        near(root.variance(&[1.0, 0.0]), 6.0 / 65.0);
        near(root.variance(&[1.0, 1.0]), 19.0 / 65.0);
    }

    #[test]
    fn numbers_at_the_limits_leave_the_prior_where_it_was() {
        // Of one direction much is known and of the other one nothing: x'(I + nxx')⁻¹x = x'x/(1 + n x'x).
        for (feature, n) in [(1000.0, 9e15), (-1000.0, 1e12), (1.0, 9e15), (1e-3, 1e9), (1e-150, 1e12)] {
            let x = vec![feature; 256];
            let root = root(&[(&x, n, 0.02), (&x, n, 0.04)]);
            let square = 256.0 * feature * feature;
            near(root.variance(&x), square / (1.0 + 2.0 * n * square));
            let seen = dot(&root.solution(), &x);
            near(seen, 0.03 * 2.0 * n * square / (1.0 + 2.0 * n * square));
            let mut across = vec![0.0; 256];
            (across[0], across[255]) = (1.0, -1.0);
            assert!((root.variance(&across) - 2.0).abs() < 0.01, "{}", root.variance(&across));
        }
    }
}
