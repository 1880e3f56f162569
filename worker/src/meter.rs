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
    pub fn reserve(&self, tokens: u64) -> bool {
        let reserved = self.reserved.load(Relaxed);
        let fits = self.most.is_none_or(|most| self.written() + reserved + tokens <= most);
        if fits {
            self.reserved.store(reserved + tokens, Relaxed);
        } else if reserved == 0 {
            self.used_up.store(true, Relaxed);
        }
        fits
    }

    /// Gives room back, of which so many tokens were taken.
    pub fn settle(&self, reserved: u64, written: u64) {
        self.reserved.fetch_sub(reserved, Relaxed);
        self.written.fetch_add(written, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_exceeded_and_what_is_given_back_may_be_taken_again() {
        let meter = Meter::new(Some(100));
        assert!(meter.reserve(60) && meter.reserve(40));
        assert!(!meter.reserve(1), "all of it is reserved");
        assert!(!meter.is_used_up(), "others write, and may take less");
        meter.settle(60, 10);
        assert!(meter.reserve(50));
        meter.settle(40, 40);
        meter.settle(50, 45);
        assert_eq!((meter.written(), meter.is_used_up()), (95, false));
        assert!(!meter.reserve(6));
        assert!(meter.is_used_up());
        assert_eq!(meter.written(), 95);
    }

    #[test]
    fn without_a_budget_there_is_always_room() {
        let meter = Meter::default();
        for _ in 0..3 {
            assert!(meter.reserve(1 << 40));
            meter.settle(1 << 40, 7);
        }
        assert_eq!((meter.written(), meter.is_used_up()), (21, false));
    }
}
