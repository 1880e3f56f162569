//! How long is waited, and for what.

use std::time::{Duration, SystemTime};

/// How long is waited, and for what. Every wait is bounded, so that a pod with a GPU beside it is not held for nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer. A busy engine queues a request for a while before it writes.
    pub answer: Duration,
    /// At most before the second try; twice as long before the third, and so on.
    pub first: Duration,
    /// At most before any try, unless the server asks for more.
    pub longest: Duration,
    /// For one draft, with all its tries.
    pub draft: Duration,
    /// Tries of one draft.
    pub tries: u32,
}

impl Default for Patience {
    /// Long enough for an engine that restarts, short enough that a Job's own back-off takes over within minutes.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(300),
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            draft: Duration::from_secs(600),
            tries: 10,
        }
    }
}

impl Patience {
    /// How long to wait after `tries` tries within `elapsed`; nothing where it is time to give up. `dice` is a draw from
    /// `[0, 1)`.
    ///
    /// Exponential with full jitter (Brooker, "Exponential Backoff and Jitter", 2015): many who were refused at once do
    /// not come back at once. What the server asked for is waited out before that.
    pub(super) fn wait(
        &self,
        tries: u32,
        elapsed: Duration,
        asked: Option<Duration>,
        dice: f64,
    ) -> Option<Duration> {
        let doublings = tries.saturating_sub(1).min(16);
        let ceiling = self.first.saturating_mul(1 << doublings).min(self.longest);
        let wait = asked.unwrap_or_default().saturating_add(ceiling.mul_f64(dice));
        (tries < self.tries && elapsed.saturating_add(wait) <= self.draft).then_some(wait)
    }
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110 section 10.2.3). Nothing where it is neither.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let seconds = value.trim().parse().ok().map(Duration::from_secs);
    seconds.or_else(|| {
        let date = httpdate::parse_http_date(value.trim()).ok()?;
        // A date that has passed asks for nothing.
        Some(date.duration_since(now).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let patience = Patience { tries: 9, ..Patience::default() };
        let check = |tries, elapsed, asked: Option<u64>, dice, expected: Option<u64>| {
            let wait =
                patience.wait(tries, Duration::from_secs(elapsed), asked.map(Duration::from_secs), dice);
            assert_eq!(wait, expected.map(Duration::from_millis), "{tries} {elapsed} {asked:?} {dice}");
        };
        check(1, 0, None, 0.0, Some(0));
        check(1, 0, None, 0.5, Some(250));
        check(2, 0, None, 0.5, Some(500));
        check(5, 0, None, 0.5, Some(4_000));
        check(8, 0, None, 0.5, Some(15_000));
        check(9, 0, None, 0.5, None);
        check(1, 0, Some(20), 0.5, Some(20_250));
        check(1, 590, Some(20), 0.5, None);
        check(1, 0, Some(u64::MAX), 0.5, None);
        check(1, 601, None, 0.0, None);
    }

    #[test]
    fn a_server_may_ask_for_seconds_or_for_a_date() {
        // 6 November 1994, 08:49:37, the date of RFC 9110's own examples, and half a minute before it.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
