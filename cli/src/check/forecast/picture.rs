//! When tests end, as a picture on an axis of days: `   ├────●──────┤   `.

use std::time::Duration;

use crate::text::right;

/// Fewer cells tell nothing.
const LEAST_CELLS: usize = 16;
const MOST_CELLS: usize = 48;

/// An axis from the first exposure to when the time is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    longest: Duration,
    cells: usize,
}

/// When one in ten, half and nine in ten of the tests are decided, if they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) early: Option<Duration>,
    pub(super) middle: Option<Duration>,
    pub(super) late: Option<Duration>,
}

impl Axis {
    /// An axis of at most `width` cells; none where that is too narrow.
    pub(super) fn new(longest: Duration, width: usize) -> Option<Self> {
        (width >= LEAST_CELLS).then(|| Self { longest, cells: width.min(MOST_CELLS) })
    }

    /// Both ends, over the cells that they mark.
    pub(super) fn scale(&self, longest: &str) -> String {
        format!("0{}", right(longest, self.cells - 1))
    }

    /// The picture of `spread`: with an arrow where the time is up before.
    pub(super) fn draw(&self, spread: Spread) -> String {
        let last = self.cells - 1;
        let mut cells = vec![' '; self.cells];
        let early = spread.early.map_or(last, |early| self.cell(early));
        let late = spread.late.map_or(last, |late| self.cell(late));
        cells[early..=late].fill('─');
        cells[early] = '├';
        cells[late] = if spread.late.is_some() { '┤' } else { '►' };
        if let Some(middle) = spread.middle {
            cells[self.cell(middle)] = '●';
        }
        cells.into_iter().collect::<String>().trim_end().to_owned()
    }

    fn cell(&self, after: Duration) -> usize {
        let part = after.as_secs_f64() / self.longest.as_secs_f64();
        (part.min(1.0) * (self.cells - 1) as f64).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_drawn_on_days() {
        let day = Duration::from_secs(86_400);
        let axis = Axis::new(20 * day, 21).expect("wide enough");
        assert_eq!(axis.scale("20 d"), "0                20 d");
        let check = |[early, middle, late]: [Option<u32>; 3], expected: &str| {
            let [early, middle, late] = [early, middle, late].map(|after| after.map(|after| after * day));
            assert_eq!(axis.draw(Spread { early, middle, late }), expected);
        };
        check([Some(3), Some(8), Some(15)], "   ├────●──────┤");
        check([Some(3), Some(8), None], "   ├────●───────────►");
        check([Some(3), None, None], "   ├────────────────►");
        check([None, None, None], "                    ►");
        check([Some(0), Some(0), Some(0)], "●");
        check([Some(20), Some(20), Some(20)], "                    ●");
        assert!(Axis::new(day, 15).is_none());
        assert_eq!(Axis::new(day, 200).expect("wide enough").cells, MOST_CELLS);
    }
}
