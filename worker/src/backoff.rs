//! How long is waited before another try.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How long is waited before another try: twice as long each time, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// At most before the second try.
    pub first: Duration,
    /// At most before any try, unless the server asks for more.
    pub longest: Duration,
}

impl Backoff {
    /// How long to wait after `failed` tries. `dice` is a draw from `[0, 1)`.
    ///
    /// Exponential with full jitter (Brooker, "Exponential Backoff and Jitter", 2015): many who were refused at once do
    /// not come back at once. What the server asked for is waited out before that.
    #[must_use]
    pub fn wait(self, failed: u32, asked: Option<Duration>, dice: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        asked.unwrap_or_default().saturating_add(doubled.min(self.longest).mul_f64(dice))
    }
}

/// How long a server asks to be left alone; nothing where it does not say.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110 section 10.2.3). Nothing where it is neither.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
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
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) };
        for (failed, asked, dice, milliseconds) in [
            (1, None, 0.0, 0),
            (1, None, 0.5, 250),
            (2, None, 0.5, 500),
            (5, None, 0.5, 4_000),
            (8, None, 0.5, 15_000),
            (u32::MAX, None, 0.5, 15_000),
            (1, Some(20), 0.5, 20_250),
        ] {
            let wait = backoff.wait(failed, asked.map(Duration::from_secs), dice);
            assert_eq!(wait, Duration::from_millis(milliseconds), "{failed} {asked:?} {dice}");
        }
        assert_eq!(backoff.wait(1, Some(Duration::MAX), 0.5), Duration::MAX);
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
