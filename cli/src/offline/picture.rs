//! Intervals as pictures: `   ├─────┼──●──────┤   `.

use api::figure::signed;

use crate::text::left;

/// An axis from minus to plus `reach`, with zero in the middle cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    reach: f64,
    /// Cells on each side of the middle one.
    side: usize,
}

/// A lift with limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) middle: f64,
    pub(super) high: f64,
}

impl Axis {
    /// An axis of at most `width` cells, on which `ranges` can be told apart: limits above +100 % may lie beyond it, as
    /// limits of few data do, estimates do not.
    pub(super) fn of(ranges: &[Range], width: usize) -> Self {
        let needed = |range: &Range| {
            // What is unknown needs no room.
            let size = |lift: f64| if lift.is_nan() { 0.0 } else { lift.abs() };
            size(range.low).min(1.0).max(size(range.high).min(1.0)).max(1.5 * size(range.middle).min(100.0))
        };
        let reach = ranges.iter().map(needed).fold(0.01, f64::max);
        Self { reach: rounded_up(reach), side: (width.max(3) - 1) / 2 }
    }

    /// The ends and the middle of the axis, over the cells that they mark.
    pub(super) fn scale(&self) -> String {
        let percent = |end: f64| format!("{:+.0}%", end * 100.0);
        let (low, high) = if self.reach < 0.1 {
            (signed(-self.reach), signed(self.reach))
        } else {
            (percent(-self.reach), percent(self.reach))
        };
        format!("{}0{}{high}", left(&low, self.side), " ".repeat(self.side.saturating_sub(high.len())))
    }

    /// The picture of `range`: limits with brackets, or arrows where they lie beyond the axis; zero; the estimate.
    pub(super) fn draw(&self, range: Range) -> String {
        let (low, high) = (self.cell(range.low), self.cell(range.high));
        let mut cells: Vec<char> =
            (0..=2 * self.side).map(|cell| if (low..=high).contains(&cell) { '─' } else { ' ' }).collect();
        cells[low] = if range.low < -self.reach { '◄' } else { '├' };
        cells[high] = if range.high > self.reach { '►' } else { '┤' };
        cells[self.side] = if (low..=high).contains(&self.side) { '┼' } else { '│' };
        cells[self.cell(range.middle)] = '●';
        cells.into_iter().collect()
    }

    fn cell(&self, lift: f64) -> usize {
        let side = self.side as f64;
        // Neither NaN nor an infinity: the cast saturates, and NaN becomes 0.
        (side + (lift / self.reach).clamp(-1.0, 1.0) * side).round() as usize
    }
}

/// The next of 1, 2, 3, 5, 7.5 times a power of ten.
fn rounded_up(reach: f64) -> f64 {
    let power = 10_f64.powi(reach.log10().floor() as i32);
    let steps = [1.0, 2.0, 3.0, 5.0, 7.5, 10.0];
    let step = steps.into_iter().find(|step| step * power >= reach * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: f64, middle: f64, high: f64) -> Range {
        Range { low, middle, high }
    }

    #[test]
    fn intervals_are_drawn_around_zero() {
        let axis = Axis::of(&[range(-0.1, 0.05, 0.2)], 21);
        assert_eq!(axis.scale(), "-20%      0      +20%");
        let check =
            |low, middle, high, expected: &str| assert_eq!(axis.draw(range(low, middle, high)), expected);
        check(-0.1, 0.05, 0.2, "     ├────┼──●──────┤");
        check(0.1, 0.15, 0.2, "          │    ├──●─┤");
        check(-0.2, -0.15, -0.1, "├──●─┤    │          ");
        check(-1.0, 0.0, f64::INFINITY, "◄─────────●─────────►");
        check(0.05, 0.05, 0.05, "          │  ●       ");
        check(f64::NAN, f64::NAN, f64::NAN, "●         │          ");
    }

    #[test]
    fn the_axis_reaches_as_far_as_it_must() {
        let check = |ranges: &[Range], expected: f64| {
            let found = Axis::of(ranges, 21).reach;
            assert!((found - expected).abs() < 1e-12, "{ranges:?}: {found}");
        };
        check(&[], 0.01);
        check(&[range(-1.0, 0.0, f64::INFINITY)], 1.0);
        check(&[range(-0.02, 0.01, 0.03), range(-0.06, 0.0, 0.04)], 0.075);
        check(&[range(0.7, 1.15, 1.88)], 2.0);
        check(&[range(f64::NAN, f64::NAN, f64::NAN)], 0.01);
    }
}
