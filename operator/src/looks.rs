//! The moments at which campaigns are looked at: each has its own.
//!
//! All campaigns change together when an operator starts, a ledger comes back or a definition is upgraded.
//! Were each looked at so long after its last look, a thousand would wait for one another twice a minute ever after.

use std::time::Duration;

use jiff::Timestamp;

/// How long until the next of a campaign's looks that come every `interval`; never longer than that.
///
/// Replicas and restarts agree: the moments are those of its UID and of the clock alone.
pub(crate) fn until_next(interval: Duration, uid: &str, now: Timestamp) -> Duration {
    let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let left = own(uid).wrapping_add(now).checked_rem(interval).map_or(0, |past| interval - past);
    Duration::from_millis(left)
}

/// A share of a whole, in 256ths, that is the campaign's own.
pub(crate) fn share(uid: &str) -> u8 {
    own(uid).to_be_bytes()[0]
}

/// A number of the campaign's own: FNV-1a, of which all bits differ where one letter does.
fn own(uid: &str) -> u64 {
    uid.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_A_MINUTE: Duration = Duration::from_secs(30);

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn uid(index: u32) -> String {
        format!("2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f{index:04x}")
    }

    #[test]
    fn a_look_comes_within_its_interval_and_then_each_interval() {
        let now = at("2026-03-01T12:00:00.25Z");
        for index in 0..100 {
            let wait = until_next(HALF_A_MINUTE, &uid(index), now);
            assert!(Duration::ZERO < wait && wait <= HALF_A_MINUTE, "{wait:?}");
            assert_eq!(until_next(HALF_A_MINUTE, &uid(index), now + wait), HALF_A_MINUTE);
            // A look that took a little while is followed by one at the same moment of the interval.
            let later = until_next(HALF_A_MINUTE, &uid(index), now + wait + Duration::from_millis(40));
            assert_eq!(later, HALF_A_MINUTE - Duration::from_millis(40));
        }
        assert_eq!(until_next(Duration::ZERO, &uid(1), now), Duration::ZERO, "at once is at once");
    }

    #[test]
    fn a_thousand_campaigns_are_looked_at_one_after_another() {
        let mut seconds = [0; 30];
        for index in 0..1000 {
            let wait = until_next(HALF_A_MINUTE, &uid(index), at("2026-03-01T12:00:00Z"));
            seconds[usize::try_from(wait.as_secs()).expect("few") % 30] += 1;
        }
        let most = seconds.into_iter().max().expect("seconds");
        assert!(most <= 60, "{most} of a thousand in one second, where 33 would be even: {seconds:?}");
    }
}
