//! How many tokens were written, and how many may be.
//!
//! Whoever writes asks for room before it writes, and says afterwards how much of it was taken. So a budget is never
//! exceeded, however many drafts are written at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use api::wire::report::Effort;

/// Counts tokens, up to a budget where there is one, and the time since it began.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    most: Option<u64>,
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    written: u64,
    /// What those have room for who write at the moment.
    reserved: u64,
    used_up: bool,
}

impl Default for Meter {
    /// Counts without end.
    fn default() -> Self {
        Self::new(None)
    }
}

impl Meter {
    /// Begins now, and counts up to `most`, or without end.
    #[must_use]
    pub fn new(most: Option<u64>) -> Self {
        Self { began: Instant::now(), most, counts: Mutex::default() }
    }

    /// The budget, where there is one.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.most
    }

    /// What those took who have said it.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort_of(self.counts().written)
    }

    /// What was taken where nobody will say any more how much of its room it took: where there is a budget, all of it.
    #[must_use]
    pub fn effort_at_most(&self) -> Effort {
        let Counts { written, reserved, used_up: _ } = *self.counts();
        self.effort_of(written + self.untold(reserved))
    }

    fn effort_of(&self, tokens: u64) -> Effort {
        let milliseconds = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Effort { tokens, milliseconds }
    }

    /// Whether somebody found no room though nobody else was writing: then nobody will.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.counts().used_up
    }

    /// Takes room for so many tokens, if there is as much.
    #[must_use]
    pub fn reserve(&self, tokens: u64) -> Option<Room<'_>> {
        let mut counts = self.counts();
        let fits = self.most.is_none_or(|most| counts.written + counts.reserved + tokens <= most);
        if fits {
            counts.reserved += tokens;
        } else if counts.reserved == 0 {
            counts.used_up = true;
        }
        fits.then(|| Room { meter: self, tokens })
    }

    /// Whoever says nothing may have written all that it had room for, and a budget is to hold.
    fn untold(&self, reserved: u64) -> u64 {
        if self.most.is_some() { reserved } else { 0 }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Whoever panicked left whole numbers.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for tokens that somebody is writing. Whoever lets go of it without a word may have written all that it has room for, so
/// where there is a budget it counts as taken.
#[derive(Debug)]
#[must_use]
pub struct Room<'m> {
    meter: &'m Meter,
    tokens: u64,
}

impl Room<'_> {
    /// Gives the room back, of which so many tokens were taken.
    pub fn settle(mut self, written: u64) {
        self.give_back(written);
    }

    fn give_back(&mut self, written: u64) {
        let mut counts = self.meter.counts();
        counts.reserved -= std::mem::take(&mut self.tokens);
        counts.written += written;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.give_back(self.meter.untold(self.tokens));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_exceeded_and_what_is_given_back_may_be_taken_again() {
        let meter = Meter::new(Some(100));
        let (large, small) = (meter.reserve(60).expect("room"), meter.reserve(40).expect("room"));
        assert!(meter.reserve(1).is_none(), "all of it is reserved");
        assert!(!meter.is_used_up(), "others write, and may take less");
        large.settle(10);
        let more = meter.reserve(50).expect("room");
        small.settle(40);
        more.settle(45);
        assert_eq!((meter.effort().tokens, meter.is_used_up()), (95, false));
        assert!(meter.reserve(6).is_none());
        assert!(meter.is_used_up());
        assert_eq!(meter.effort().tokens, 95);
    }

    #[test]
    fn who_goes_without_a_word_may_have_written_all() {
        for (meter, written) in [(Meter::new(Some(100)), 60), (Meter::default(), 0)] {
            let room = meter.reserve(60);
            let asked_before = meter.effort_at_most().tokens;
            drop(room);
            assert_eq!(asked_before, written);
            assert_eq!((meter.effort().tokens, meter.reserve(40).is_some()), (written, true));
        }
    }

    #[test]
    fn without_a_budget_there_is_always_room() {
        let meter = Meter::default();
        for _ in 0..3 {
            meter.reserve(1 << 40).expect("room").settle(7);
        }
        assert_eq!((meter.effort().tokens, meter.is_used_up()), (21, false));
    }
}
