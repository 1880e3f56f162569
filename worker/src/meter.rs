//! How many tokens were written, and how many may be.
//!
//! Whoever writes asks for room before it writes, and says afterwards how much of it was taken. So a budget is never
//! exceeded, however many drafts are written at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counts tokens, up to a budget where there is one. Authors ask from one thread alone.
#[derive(Debug, Default)]
pub struct Meter {
    most: Option<u64>,
    written: AtomicU64,
    /// What those have room for who write at the moment.
    reserved: AtomicU64,
    used_up: AtomicBool,
}

impl Meter {
    /// Counts up to `most`, or without end.
    #[must_use]
    pub fn new(most: Option<u64>) -> Self {
        Self { most, ..Self::default() }
    }

    /// The budget, where there is one.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.most
    }

    /// Tokens that were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Whether somebody found no room though nobody else was writing: then nobody will.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.used_up.load(Relaxed)
    }

    /// Takes room for so many tokens, if there is as much.
    #[must_use]
    pub fn reserve(&self, tokens: u64) -> Option<Room<'_>> {
        let reserved = self.reserved.load(Relaxed);
        let fits = self.most.is_none_or(|most| self.written() + reserved + tokens <= most);
        if fits {
            self.reserved.store(reserved + tokens, Relaxed);
        } else if reserved == 0 {
            self.used_up.store(true, Relaxed);
        }
        fits.then(|| Room { meter: self, tokens })
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
        self.meter.reserved.fetch_sub(std::mem::take(&mut self.tokens), Relaxed);
        self.meter.written.fetch_add(written, Relaxed);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let untold = if self.meter.most.is_some() { self.tokens } else { 0 };
        self.give_back(untold);
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
        assert_eq!((meter.written(), meter.is_used_up()), (95, false));
        assert!(meter.reserve(6).is_none());
        assert!(meter.is_used_up());
        assert_eq!(meter.written(), 95);
    }

    #[test]
    fn who_goes_without_a_word_may_have_written_all() {
        for (meter, written) in [(Meter::new(Some(100)), 60), (Meter::default(), 0)] {
            drop(meter.reserve(60));
            assert_eq!((meter.written(), meter.reserve(40).is_some()), (written, true));
        }
    }

    #[test]
    fn without_a_budget_there_is_always_room() {
        let meter = Meter::default();
        for _ in 0..3 {
            meter.reserve(1 << 40).expect("room").settle(7);
        }
        assert_eq!((meter.written(), meter.is_used_up()), (21, false));
    }
}
