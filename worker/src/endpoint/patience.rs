//! How long is waited, and for what.

use std::time::Duration;

use crate::backoff::Backoff;

/// How long is waited, and for what. Every wait is bounded, so that a pod with a GPU beside it is not held for nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer. A busy engine queues a request for a while before it writes.
    pub answer: Duration,
    /// Between two tries of one draft.
    pub backoff: Backoff,
    /// For one draft, with all its tries.
    pub draft: Duration,
    /// Tries of one draft.
    pub tries: u32,
    /// For another key, where one that was good is refused.
    pub key: Duration,
}

impl Default for Patience {
    /// Long enough for an engine that restarts, short enough that a Job's own back-off takes over within minutes.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(300),
            backoff: Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) },
            draft: Duration::from_secs(600),
            tries: 10,
            // The kubelet looks at its Secrets once a minute, and asks for what it has not heard of for as long.
            key: Duration::from_secs(150),
        }
    }
}

impl Patience {
    /// How long to wait after `tries` tries within `elapsed`; nothing where it is time to give up. `dice` is a draw from
    /// `[0, 1)`.
    pub(super) fn wait(
        &self,
        tries: u32,
        elapsed: Duration,
        asked: Option<Duration>,
        dice: f64,
    ) -> Option<Duration> {
        let wait = self.backoff.wait(tries, asked, dice);
        (tries < self.tries && elapsed.saturating_add(wait) <= self.draft).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end_with_the_tries_and_with_the_time() {
        let patience = Patience { tries: 9, ..Patience::default() };
        let check = |tries, elapsed, asked: Option<u64>, dice, expected: Option<u64>| {
            let wait =
                patience.wait(tries, Duration::from_secs(elapsed), asked.map(Duration::from_secs), dice);
            assert_eq!(wait, expected.map(Duration::from_millis), "{tries} {elapsed} {asked:?} {dice}");
        };
        check(1, 0, None, 0.5, Some(250));
        check(8, 0, None, 0.5, Some(15_000));
        check(9, 0, None, 0.5, None);
        check(1, 0, Some(20), 0.5, Some(20_250));
        check(1, 590, Some(20), 0.5, None);
        check(1, 0, Some(u64::MAX), 0.5, None);
        check(1, 601, None, 0.0, None);
    }
}
