//! Decisions of this process, recorded without anybody's waiting: once for each person, placement and seed.

use std::collections::HashSet;

use api::wire::event::Outcome;

use super::LedgerState;
use super::check::{Arrival, decision};
use super::known::Known;
use super::state::Key;
use crate::told::{Recorded, Tokens};

/// How many are recorded at once.
const AT_ONCE: usize = 500;

impl LedgerState {
    /// Records decisions with these tokens, until none can come any more.
    pub async fn tell(self, mut tokens: Tokens) {
        let mut known = Known::default();
        loop {
            let waiting = tokens.next(AT_ONCE).await;
            if waiting.is_empty() {
                return;
            }
            let arrivals = self.newcomers(&waiting, &known);
            tokens.count(Recorded::Repeated, waiting.len() - arrivals.len());
            if !arrivals.is_empty() {
                self.record_decisions(arrivals, &mut known, &tokens).await;
            }
        }
    }

    /// The decisions of those who were not known.
    fn newcomers(&self, waiting: &[String], known: &Known) -> Vec<Arrival> {
        let (keys, now, mut met) = (self.keys(), self.now(), HashSet::new());
        let decided = waiting.iter().filter_map(|token| decision(keys.verify(token).ok()?, now));
        decided
            .filter(|arrival| {
                let key = Key::of(arrival);
                !known.holds(key) && met.insert(key)
            })
            .collect()
    }

    async fn record_decisions(&self, arrivals: Vec<Arrival>, known: &mut Known, tokens: &Tokens) {
        let keys: Vec<Key> = arrivals.iter().map(Key::of).collect();
        let Ok(receipts) = self.record(arrivals).await else {
            return tokens.count(Recorded::Lost, keys.len());
        };
        let recorded = receipts.iter().filter(|receipt| receipt.outcome == Outcome::Accepted).count();
        tokens.count(Recorded::Recorded, recorded);
        tokens.count(Recorded::Repeated, receipts.len() - recorded);
        for key in keys {
            known.add(key);
        }
    }
}
