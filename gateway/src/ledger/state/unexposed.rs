//! People for whom copy was chosen, and who have not seen any so far.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::Millis;
use crate::ledger::unit::SEEN_WITHIN;

const MINUTE: Millis = 60_000;

/// Their number, by when copy was chosen, as long as that matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unexposed {
    /// Those who had their time.
    settled: u64,
    /// Those whose time may run, by minute.
    fresh: BTreeMap<Millis, u64>,
}

impl Unexposed {
    /// Copy was chosen `now`.
    pub(super) fn add(&mut self, now: Millis) {
        *self.fresh.entry(minute(now)).or_default() += 1;
        self.settle(now);
    }

    /// One of them, for whom it was chosen `at`, sees copy after all.
    pub(super) fn remove(&mut self, at: Millis) {
        match self.fresh.get_mut(&minute(at)) {
            Some(number) if *number > 1 => *number -= 1,
            Some(_) => drop(self.fresh.remove(&minute(at))),
            // Where only a part of the log is read, there may be none.
            None => self.settled = self.settled.saturating_sub(1),
        }
    }

    /// How many had their time, at that moment.
    pub(super) fn settled_at(&self, now: Millis) -> u64 {
        self.settled + self.fresh.range(..=last_settled(now)).map(|(_, number)| number).sum::<u64>()
    }

    /// Memory is for an hour at most.
    fn settle(&mut self, now: Millis) {
        while let Some(minute) = self.fresh.first_entry().filter(|minute| *minute.key() <= last_settled(now))
        {
            self.settled += minute.remove();
        }
    }
}

fn minute(at: Millis) -> Millis {
    at.div_euclid(MINUTE)
}

/// The last minute of which everybody had their time.
fn last_settled(now: Millis) -> Millis {
    minute(now.saturating_sub(SEEN_WITHIN)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_seen_copy_is_told_after_an_hour_and_who_sees_it_then_is_taken_back() {
        let mut people = Unexposed::default();
        let late = SEEN_WITHIN + MINUTE;
        [0, MINUTE - 1, MINUTE].into_iter().for_each(|at| people.add(at));
        let told = |people: &Unexposed| [late - 1, late, late + MINUTE].map(|now| people.settled_at(now));
        assert_eq!(told(&people), [0, 2, 3]);
        people.remove(5);
        assert_eq!(told(&people), [0, 1, 2]);
        people.add(late + MINUTE);
        assert_eq!((people.settled, people.fresh.len()), (2, 1));
        people.remove(MINUTE);
        people.remove(late + MINUTE);
        assert_eq!((people.settled, people.fresh.len()), (1, 0));
    }

    #[test]
    fn memory_has_a_bound() {
        let mut people = Unexposed::default();
        (0..1_000).for_each(|minute| people.add(minute * MINUTE));
        assert!(people.fresh.len() <= 62, "{people:?}");
        assert_eq!(people.settled_at(Millis::MAX), 1_000);
    }
}
