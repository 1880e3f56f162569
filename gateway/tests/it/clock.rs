//! A clock that tests move.

use std::sync::Mutex;

use gateway::clock::Clock;
use jiff::Timestamp;

use crate::samples::START;

/// A clock that stands until it is moved.
pub(crate) struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(START))
    }

    pub(crate) fn advance(&self, milliseconds: i64) {
        let mut now = self.0.lock().expect("no test panics here");
        *now += jiff::SignedDuration::from_millis(milliseconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics here")
    }
}
