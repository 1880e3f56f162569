//! What was recorded lately, so that it is not recorded again in vain.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

/// How many things are known at least: twice as many take some two megabytes.
const KNOWN: usize = 65_536;

/// Things by 64 bits under a key of this process: the half that came last, and the half before. One in 10¹⁴ is taken for
/// another, and is then on no record.
#[derive(Debug, Default)]
pub(super) struct Known {
    key: RandomState,
    last: HashSet<u64>,
    before: HashSet<u64>,
}

impl Known {
    pub(super) fn holds(&self, thing: impl Hash) -> bool {
        let thing = self.key.hash_one(thing);
        self.last.contains(&thing) || self.before.contains(&thing)
    }

    pub(super) fn add(&mut self, thing: impl Hash) {
        let thing = self.key.hash_one(thing);
        if self.last.len() >= KNOWN {
            self.before = std::mem::take(&mut self.last);
        }
        self.last.insert(thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_known_and_memory_has_a_bound() {
        let mut known = Known::default();
        (0..5 * KNOWN).for_each(|thing| known.add(thing));
        assert!((4 * KNOWN..5 * KNOWN).all(|thing| known.holds(thing)));
        assert!(!known.holds(0_usize) && known.last.len() + known.before.len() <= 2 * KNOWN);
    }
}
