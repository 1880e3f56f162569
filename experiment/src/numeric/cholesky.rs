//! Linear equations of a few dozen unknowns, for a matrix that is symmetric and positive definite.

/// The lower triangle L with LL' = A.
#[derive(Clone, Debug)]
pub(crate) struct Factor(Vec<Vec<f64>>);

/// The least part of its entry on the diagonal that a pivot can be: what is left below that is rounding.
const LEAST: f64 = 1e-15;

impl Factor {
    /// Of A. A pivot that rounding makes nothing, or less, counts as a tiny one.
    pub(crate) fn of(matrix: &[Vec<f64>]) -> Self {
        let mut factor = vec![vec![0.0; matrix.len()]; matrix.len()];
        for row in 0..matrix.len() {
            for column in 0..=row {
                let rest = matrix[row][column] - dot(&factor[row][..column], &factor[column][..column]);
                let least = (LEAST * matrix[row][row]).max(f64::MIN_POSITIVE);
                factor[row][column] =
                    if row == column { rest.max(least).sqrt() } else { rest / factor[column][column] };
            }
        }
        Self(factor)
    }

    /// x with Ax = `right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        self.backward(&self.forward(right))
    }

    /// y with Ly = `right`.
    fn forward(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = vec![0.0; right.len()];
        for (row, factor) in self.0.iter().enumerate() {
            solution[row] = (right[row] - dot(&factor[..row], &solution[..row])) / factor[row];
        }
        solution
    }

    /// x with L'x = `right`.
    fn backward(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = vec![0.0; right.len()];
        for row in (0..right.len()).rev() {
            let later: f64 = (row + 1..right.len()).map(|other| self.0[other][row] * solution[other]).sum();
            solution[row] = (right[row] - later) / self.0[row][row];
        }
        solution
    }
}

/// The inner product of two lists of one length: eight sums side by side, so that none waits for another.
pub(crate) fn dot(one: &[f64], other: &[f64]) -> f64 {
    let ((blocks, rest), (other_blocks, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (x, y) in blocks.iter().zip(other_blocks) {
        sums = std::array::from_fn(|lane| sums[lane] + x[lane] * y[lane]);
    }
    let rest = rest.iter().zip(other_rest).map(|(x, y)| x * y);
    sums.into_iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_solves_what_it_was_made_of() {
        let matrix = [vec![4.0, 1.0, 0.5], vec![1.0, 3.0, -1.0], vec![0.5, -1.0, 2.0]];
        let solution = Factor::of(&matrix).solve(&[1.0, 2.0, 3.0]);
        for (row, expected) in matrix.iter().zip([1.0, 2.0, 3.0]) {
            assert!((dot(row, &solution) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_unit_changes_nothing() {
        // Of which the second equation is twice the first, but for rounding.
        for unit in [1e-60, 1.0, 1e21] {
            let matrix = [vec![unit, 2.0 * unit], vec![2.0 * unit, 4.0 * unit]];
            let solution = Factor::of(&matrix).solve(&[unit, 2.0 * unit]);
            assert!((solution[0] + 2.0 * solution[1] - 1.0).abs() < 1e-6, "{unit}: {solution:?}");
        }
    }
}
