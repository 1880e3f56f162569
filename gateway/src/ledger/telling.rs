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
            let decisions = self.decisions(&waiting);
            tokens.count(Recorded::Lost, waiting.len() - decisions.len());
            let newcomers = newcomers(&decisions, &known);
            tokens.count(Recorded::Repeated, decisions.len() - newcomers.len());
            if !newcomers.is_empty() {
                self.record_decisions(newcomers, &mut known, &tokens).await;
            }
        }
    }

    /// What the tokens say. Whose key was taken away since says nothing any more.
    fn decisions(&self, tokens: &[String]) -> Vec<Arrival> {
        let (keys, now) = (self.keys(), self.now());
        tokens.iter().filter_map(|token| decision(keys.verify(token).ok()?, now)).collect()
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

/// The first decision of each who was not known.
fn newcomers(decisions: &[Arrival], known: &Known) -> Vec<Arrival> {
    let mut met = HashSet::new();
    let is_new = |arrival: &&Arrival| {
        let key = Key::of(arrival);
        !known.holds(key) && met.insert(key)
    };
    decisions.iter().filter(is_new).cloned().collect()
}
