//! How far the writing is, said in the log at each tenth.

use tracing::info;

use crate::meter::Meter;

/// A run while it writes.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    asked: u32,
    there: u32,
    meter: &'a Meter,
}

impl<'a> Progress<'a> {
    /// Begins with variants asked for over all placements, of an author with that meter.
    #[must_use]
    pub fn begin(asked: u32, meter: &'a Meter) -> Self {
        Self { asked, there: 0, meter }
    }

    /// Counts variants that an earlier run delivered.
    pub fn found(&mut self, existing: u32) {
        self.there += existing;
    }

    /// Counts a draft that can become one of the variants that are asked for, and says so where it is the first of
    /// another tenth.
    pub fn held(&mut self) {
        self.there += 1;
        if begins_tenth(self.there, self.asked) {
            let effort = self.meter.effort();
            let (tokens, tokens_per_second) = (effort.tokens, effort.tokens_per_second());
            info!(held = self.there, asked = self.asked, tokens, tokens_per_second, "writing");
        }
    }
}

/// Whether `there` is the first number of another tenth of `asked`.
fn begins_tenth(there: u32, asked: u32) -> bool {
    let tenth = |number: u32| (u64::from(number) * 10).checked_div(u64::from(asked));
    there > 0 && tenth(there) != tenth(there - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(asked: u32) -> Vec<u32> {
        (0..=asked).filter(|there| begins_tenth(*there, asked)).collect()
    }

    #[test]
    fn each_tenth_is_said_once_and_the_last_draft_always() {
        assert_eq!(said(20), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        assert_eq!(said(25), [3, 5, 8, 10, 13, 15, 18, 20, 23, 25]);
        assert_eq!((said(3), said(1), said(0)), (vec![1, 2, 3], vec![1], vec![]));
        assert_eq!((said(400).len(), said(10).len()), (10, 10));
    }

    #[test]
    fn refused_drafts_count_as_tokens_alone() {
        let meter = Meter::default();
        let mut progress = Progress::begin(4, &meter);
        progress.found(1);
        meter.reserve(30).expect("room").settle(30);
        meter.reserve(12).expect("room").settle(12);
        progress.held();
        assert_eq!((progress.there, meter.effort().tokens), (2, 42));
    }
}
