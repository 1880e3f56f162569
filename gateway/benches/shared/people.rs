//! People who come once: each is shown something and acts, and their events go in batches.

use std::sync::atomic::{AtomicU64, Ordering};

use gateway::clock::Clock;
use gateway::ledger::amount::Amount;
use gateway::ledger::check::{Arrival, What, check};
use gateway::ledger::millis;
use gateway::ledger::unit::Reward;
use gateway::tables::Index;

use crate::samples::{SAMPLE, Sample, keys};
use crate::signed::claims;

/// Events of a batch.
pub(crate) const BATCH: u64 = 100;

/// Exposures are counted within the run.
pub(crate) const SHORT: Sample<'_> = Sample { window_seconds: 5, ..SAMPLE };

/// Those who came, and what is known of each.
pub(crate) struct People {
    exposure: Arrival,
    came: AtomicU64,
}

impl People {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let mut index = Index::default();
        index.offer(&SHORT.object()).expect("a table");
        let claims = claims(clock.now().as_second(), keys().subject(SAMPLE.uid, "alice"));
        let event = format!(r#"{{"id":"1","token":"{}","type":"exposure"}}"#, keys().sign(&claims));
        let event = serde_json::from_str(&event).expect("an event");
        let exposure = check(&event, &keys(), &index.snapshot(), clock.now()).expect("it may be counted");
        Self { exposure, came: AtomicU64::new(0) }
    }

    /// How many events there were.
    pub(crate) fn events(&self) -> u64 {
        2 * self.came.load(Ordering::Relaxed)
    }

    /// The numbers of those who come next.
    pub(crate) fn next(&self) -> std::ops::Range<u64> {
        let first = self.came.fetch_add(BATCH / 2, Ordering::Relaxed);
        first..first + BATCH / 2
    }

    /// As many exposures as rewards of the same people, checked.
    pub(crate) fn batch(&self, clock: &dyn Clock) -> Vec<Arrival> {
        let at = millis(clock.now());
        let events = |number| {
            let mut exposure = Arrival { subject: pseudonym(number), ..self.exposure.clone() };
            let What::Exposure(shown) = &mut exposure.what else { unreachable!("it is one") };
            shown.at = at;
            let reward = What::Reward(Reward { id: number, at, window: shown.window, value: Amount::ONE });
            [exposure.clone(), Arrival { what: reward, ..exposure }]
        };
        self.next().flat_map(events).collect()
    }
}

/// Pseudonyms come in no order.
pub(crate) fn pseudonym(number: u64) -> [u8; 16] {
    let mixed = |number: u64| {
        let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 27)
    };
    ((u128::from(mixed(number)) << 64) | u128::from(mixed(!number))).to_be_bytes()
}
