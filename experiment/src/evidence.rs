//! The evidence about one arm, kept up to date cell by cell.
//!
//! [`crate::estimate()`] begins anew with all cells, which is right for whoever looks once in a while. Whoever looks after
//! every few exposures keeps this instead: what a cell adds is added, and what was known before is not read again.

use crate::anytime::curve::{Curve, Share};
use crate::anytime::{Pair, log_threshold, rates};
use crate::metric::Direction;
use crate::totals::Cell;

/// The e-process of one arm against the control, of a 0/1 metric: at every look the same as [`crate::estimate()`] says of
/// the same cells, for an arm that is tested alone.
///
/// ```
/// use experiment::{Allocation, Cell, Direction, EProcess, Stopping, Totals};
///
/// let mut process = EProcess::new(1, Direction::Maximize);
/// let level = Stopping::new(0.95, 0.01)?.level(1);
/// let even = Allocation::even(2).expect("two arms");
/// for (control, arm) in [(100, 130), (100, 140), (100, 135)] {
///     process.add(&Cell::new(even.clone(), vec![Totals::binary(5_000, control), Totals::binary(5_000, arm)])?);
/// }
/// assert!(process.is_better(level) && process.log_e_value() > 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EProcess {
    arm: usize,
    direction: Direction,
    curve: Curve,
    /// Of the log likelihood at equal rates.
    slope: f64,
}

impl EProcess {
    /// Of `arm` against arm 0, before the first cell.
    #[must_use]
    pub fn new(arm: usize, direction: Direction) -> Self {
        Self { arm, direction, curve: Curve::ZERO, slope: 0.0 }
    }

    /// Adds a cell. One in which the arm or the control had no share adds nothing.
    ///
    /// # Panics
    /// When the cell has no such arm.
    pub fn add(&mut self, cell: &Cell) {
        let Some(split) = Pair::new(cell, self.arm, self.direction).and_then(|pair| pair.split()) else {
            return;
        };
        self.curve.add(&Share::new(split.share), split.arm, split.both);
        self.slope += split.slope_at_one();
    }

    /// The natural logarithm of the e-value against equal rates; 0 before there are rewards.
    #[must_use]
    pub fn log_e_value(&self) -> f64 {
        rates::log_e_value(&self.curve)
    }

    /// Whether the arm is shown to be better than the control at `level`, one-sided and at every look, as
    /// [`crate::Stopping::level`] gives it. An arm of several needs Holm's procedure over all, as [`crate::estimate()`] has it.
    #[must_use]
    pub fn is_better(&self, level: f64) -> bool {
        self.slope > 0.0 && self.log_e_value() >= log_threshold(level, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Design, Metric, PartsPerMillion, Standing, Stopping, Totals, estimate};

    #[test]
    fn after_every_cell_it_is_what_an_estimate_says() {
        let share = |parts: u32| PartsPerMillion::new(parts).unwrap();
        let cell = |parts: u32, control: (u64, u64), arm: (u64, u64)| {
            let allocation = Allocation::try_from(vec![share(1_000_000 - parts), share(parts)]).unwrap();
            Cell::new(allocation, vec![Totals::binary(control.0, control.1), Totals::binary(arm.0, arm.1)])
                .unwrap()
        };
        let cells = [
            cell(500_000, (0, 0), (0, 0)),
            cell(500_000, (1_000, 20), (1_000, 31)),
            cell(0, (500, 90), (0, 0)),
            cell(800_000, (2_000, 50), (8_000, 260)),
            cell(990_000, (200, 4), (19_800, 640)),
            cell(300_000, (70_000, 1_400), (30_000, 950)),
        ];
        for direction in [Direction::Maximize, Direction::Minimize] {
            let metric = Metric { direction, ..Metric::CLICKS };
            let design =
                Design::new(metric, Stopping::new(0.95, 0.01).unwrap(), vec![Standing::FIRST; 2]).unwrap();
            let mut process = EProcess::new(1, direction);
            for (index, cell) in cells.iter().enumerate() {
                process.add(cell);
                let against = estimate(&cells[..=index], &design).unwrap().arms[1].against_control.unwrap();
                assert!((process.log_e_value() - against.log_e_value).abs() < 1e-12, "{index}");
                assert_eq!(process.is_better(against.level), against.better, "{index}");
            }
            assert_eq!(process.is_better(design.stopping().level(1)), direction == Direction::Maximize);
        }
    }
}
