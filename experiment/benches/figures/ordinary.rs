//! What is usually done, from sums over everything: the z test, and the normal interval of the log ratio (Katz et al.
//! 1978).
//!
//! Of the ordinary intervals of a lift that one is the kindest: in the same worlds it covers more often than the ordinary
//! interval of the difference, which `make bench-experiment` compares with.

use experiment::Cell;

const Z95: f64 = 1.959_963_984_540_054;

/// The ordinary 95 % interval of a lift; without rewards it has no limits.
#[derive(Clone, Copy)]
pub(crate) struct Ordinary {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ordinary {
    pub(crate) fn new(cells: &[Cell], arm: usize) -> Self {
        let ((mean, variance), (control, control_variance)) = (log_mean(cells, arm), log_mean(cells, 0));
        let half = Z95 * (variance + control_variance).sqrt();
        if !half.is_finite() {
            return Self { low: -1.0, high: f64::INFINITY };
        }
        Self { low: (mean - control - half).exp_m1(), high: (mean - control + half).exp_m1() }
    }

    pub(crate) fn covers(&self, lift: f64) -> bool {
        (self.low..=self.high).contains(&lift)
    }
}

/// Whether the z test with a pooled variance calls two rates different at 5 %.
pub(crate) fn z_test_rejects(cells: &[Cell], arm: usize) -> bool {
    let ((n, y, _), (control_n, control_y, _)) = (sums(cells, arm), sums(cells, 0));
    let pooled = (y + control_y) / (n + control_n);
    let variance = pooled * (1.0 - pooled) * (n.recip() + control_n.recip());
    (y / n - control_y / control_n).abs() > Z95 * variance.sqrt()
}

/// The logarithm of an arm's mean, and its variance.
fn log_mean(cells: &[Cell], arm: usize) -> (f64, f64) {
    let (n, y, yy) = sums(cells, arm);
    let mean = y / n;
    (mean.ln(), (yy / n - mean * mean) / (n * mean * mean))
}

/// Exposures, rewards, and squared rewards.
fn sums(cells: &[Cell], arm: usize) -> (f64, f64, f64) {
    cells.iter().map(|cell| cell.totals()[arm]).fold((0.0, 0.0, 0.0), |(n, y, yy), totals| {
        (n + totals.exposures as f64, y + totals.rewards, yy + totals.squared_rewards)
    })
}
