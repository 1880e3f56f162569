//! Which of several ledgers a campaign's events go to, and so which one has its totals.
//!
//! ```text
//!   campaign's UID ─hash─▶ partition, one of 64: a subject of the stream ─modulo─▶ part: one ledger of N
//! ```
//!
//! Gateways know nothing of parts: they deal events into partitions, and how many ledgers share these may change.

use std::fmt::{Display, Formatter};
use std::hash::Hasher;
use std::str::FromStr;

use siphasher::sip::SipHasher24;

/// Into how many partitions campaigns are dealt, and so how many ledgers can share a stream at most.
pub const PARTITIONS: u32 = 64;

/// The partition of a campaign, by its UID. Where a campaign is in one it stays: what a stream holds was dealt by this too.
///
/// It is SipHash-2-4 with a key of zeros over the UID's bytes and one byte 255 behind them, modulo 64.
///
/// ```
/// assert_eq!(api::wire::part::partition("2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11"), 5);
/// ```
pub fn partition(campaign: &str) -> u32 {
    let mut hasher = SipHasher24::new();
    hasher.write(campaign.as_bytes());
    hasher.write(&[u8::MAX]);
    let partition = hasher.finish() % u64::from(PARTITIONS);
    u32::try_from(partition).expect("it is below 64")
}

/// What one of several ledgers has: the partitions whose number, modulo how many ledgers there are, is its own. Written `0/2`
/// and `1/2` for two ledgers, `0/1` for one that has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    number: u32,
    of: u32,
}

/// Why a text is no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no part: write I/N for ledger I of N, from 0/N on, with N at most 64")]
pub struct PartError(String);

impl Part {
    /// All there is.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// The one of so many parts that has this campaign; all there is for none.
    pub fn with(campaign: &str, of: u32) -> Self {
        let of = of.max(1);
        Self { number: partition(campaign) % of, of }
    }

    /// The part of as many that has this campaign.
    #[must_use]
    pub fn sibling(self, campaign: &str) -> Self {
        Self::with(campaign, self.of)
    }

    /// Its place among all, from zero on.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Its partitions.
    pub fn partitions(self) -> impl Iterator<Item = u32> {
        (self.number..PARTITIONS).step_by(self.of as usize)
    }
}

impl Display for Part {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let wrong = || PartError(text.to_owned());
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| wrong()),
            false => Err(wrong()),
        };
        let (one, all) = text.split_once('/').ok_or_else(wrong)?;
        let part = Self { number: number(one)?, of: number(all)? };
        if part.number < part.of && part.of <= PARTITIONS { Ok(part) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_stays_in_its_partition() {
        // What streams hold was dealt so: another version that deals otherwise would look for campaigns elsewhere.
        for (campaign, expected) in [
            ("2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11", 5),
            ("8c4e0d4e-0b7a-4c86-9d2b-6a1f3f0f9b11", 29),
            ("00000000-0000-0000-0000-000000000000", 42),
            ("a", 5),
            ("", 50),
        ] {
            assert_eq!(partition(campaign), expected, "{campaign}");
        }
    }

    #[test]
    fn every_partition_is_of_one_part() {
        for of in 1..=PARTITIONS {
            let parts = (0..of).map(|number| Part { number, of });
            let mut all: Vec<u32> = parts.flat_map(Part::partitions).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..PARTITIONS), "of {of}");
        }
    }

    #[test]
    fn a_campaign_is_of_the_part_that_has_its_partition() {
        for campaign in ["2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11", "a", ""] {
            for of in 1..=PARTITIONS {
                let part = Part::with(campaign, of);
                assert!(part.partitions().any(|it| it == partition(campaign)), "{campaign} of {of}");
                assert_eq!(part.to_string().parse(), Ok(part));
            }
        }
        assert_eq!(Part::with("a", 0), Part::WHOLE);
    }

    #[test]
    fn a_part_is_read_as_it_is_written() {
        for text in ["0/1", "1/2", "63/64"] {
            assert_eq!(text.parse::<Part>().map(|part| part.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "1", "/", "1/", "/2", "2/2", "0/0", "0/65", "-1/2", "+1/2", "0/ 2", "0/2/4", "4294967296/2"]
        {
            assert_eq!(text.parse::<Part>(), Err(PartError(text.to_owned())));
        }
    }
}
