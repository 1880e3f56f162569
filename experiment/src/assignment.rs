//! Which arm a subject gets: weighted rendezvous hashing.
//!
//! For each arm of share w > 0 a number u in (0, 1) is hashed from key, subject and the arm's name; the arm of the
//! smallest −ln(u)/w is chosen. These are exponential clocks of rates w, so an arm rings first with chance w, and
//! whether one of two arms rings before the other does not depend on any third (Thaler & Ravishankar 1998; Schindelhauer
//! & Schomaker 2005 for the weights).
//!
//! The format is fixed for good, as tokens and logs are checked against it:
//!
//! | Step | Definition |
//! | --- | --- |
//! | campaign key | SipHash-2-4-128, key 16 zero bytes, of: length of the campaign UID in bytes, the UID, length of the placement, the placement, the seed |
//! | subject key | SipHash-2-4-128, key = campaign key, of the subject's bytes |
//! | arm's hash h | SipHash-2-4 (64 bits), key = subject key, of the arm's name |
//! | u | (⌊h/2¹²⌋ + ½)/2⁵² |
//!
//! Lengths and seed are 64-bit little-endian, text is UTF-8, 128-bit hashes are 16 bytes with the first word first,
//! both little-endian. The logarithm is `libm::log`, which is the same code on every platform. `tests/assignment.rs`
//! holds vectors of an independent implementation.
//!
//! SipHash and not SHA-2: nobody gains by finding collisions of a key that the subject does not know, inputs are short,
//! and a decision hashes once per arm. It is a keyed function made for exactly that, with published test vectors.

use siphasher::sip::SipHasher24;
use siphasher::sip128::SipHasher24 as SipHasher24Wide;

use crate::allocation::PartsPerMillion;

/// What a draw depends on besides subject, arms and shares. A new seed deals all subjects anew; each placement draws
/// apart from the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AssignmentKey([u64; 2]);

impl AssignmentKey {
    /// The key of one placement of one campaign under one seed. The UID, not the name: a campaign that is made again
    /// under its name deals anew.
    #[must_use]
    pub fn new(campaign_uid: &str, placement: &str, seed: u64) -> Self {
        let mut input = Vec::with_capacity(24 + campaign_uid.len() + placement.len());
        for text in [campaign_uid, placement] {
            input.extend((text.len() as u64).to_le_bytes());
            input.extend(text.as_bytes());
        }
        input.extend(seed.to_le_bytes());
        Self(wide_hash([0; 2], &input))
    }
}

/// The index of the arm that `subject` gets, among `arms` of a name and a share; `None` when no arm has a share.
///
/// A pure function, the same on every platform. The order of arms does not matter, an arm of share 0 is never chosen,
/// and names must differ (of two equal names the larger share hides the other). Over subjects an arm's chance is its
/// share of the shares given.
///
/// When shares change, subjects move only towards arms that grew against their own. If one arm's share changes and the
/// others keep their proportions, exactly as many move as must. In general at most 2d/(1+d) of the subjects move where
/// d must; no rule that sees one allocation at a time does better for all changes (Moulton & Jiang 2018).
///
/// ```
/// use experiment::{AssignmentKey, PartsPerMillion, assign};
///
/// let key = AssignmentKey::new("0b0ba1c6-6f0b-4b8e-8a1c-1d2c5f6b7a89", "hero", 1);
/// let half = PartsPerMillion::new(500_000).expect("below a million");
/// let arms = [("control", half), ("variant-5f2c91", half)];
/// let first = assign(&key, b"subject", arms.into_iter());
/// assert!(first.is_some());
/// assert_eq!(first, assign(&key, b"subject", arms.into_iter()));
/// ```
pub fn assign<'a>(
    key: &AssignmentKey,
    subject: &[u8],
    arms: impl Iterator<Item = (&'a str, PartsPerMillion)>,
) -> Option<usize> {
    let [low, high] = wide_hash(key.0, subject);
    let hasher = SipHasher24::new_with_keys(low, high);
    let mut first: Option<(usize, Clock)> = None;
    // A clock of rate zero never rings.
    for (index, (name, share)) in arms.enumerate().filter(|(_, (_, share))| share.get() > 0) {
        let clock = Clock::new(hasher.hash(name.as_bytes()), share);
        if first.as_ref().is_none_or(|(_, earliest)| clock.is_before(earliest)) {
            first = Some((index, clock));
        }
    }
    first.map(|(index, _)| index)
}

/// An exponential clock. It rings at −ln(u)/w, which is found only where a rough idea of it does not decide.
struct Clock {
    /// u
    unit: f64,
    /// −log₂(u), or up to [`SLACK`] more.
    roughly: f64,
    /// w
    rate: f64,
}

/// The bits of a double, read as one number, are its log₂ with straight lines between the powers of two, which are too low
/// by at most 0.0861 (Mitchell 1962). What is more outweighs all rounding, here and in [`Clock::rings`].
const SLACK: f64 = 0.0862;

impl Clock {
    #[inline]
    fn new(hash: u64, share: PartsPerMillion) -> Self {
        let unit = unit(hash);
        // Signed, as processors turn those into doubles at once.
        let below_one = (1_f64.to_bits() - unit.to_bits()).cast_signed();
        let roughly = below_one as f64 / (1_u64 << 52) as f64;
        Self { unit, roughly, rate: f64::from(share.get()) }
    }

    /// Whether this clock rings before `other`, just as [`Clock::rings`] says.
    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        let (mine, others) = (self.roughly * other.rate, other.roughly * self.rate);
        if mine < others - SLACK * self.rate {
            true
        } else if others < mine - SLACK * other.rate {
            false
        } else {
            self.rings() < other.rings()
        }
    }

    #[cold]
    fn rings(&self) -> f64 {
        -libm::log(self.unit) / self.rate
    }
}

/// A number strictly between 0 and 1 from the upper 52 bits, exact in floating point: the half keeps it off both ends.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// Key and hash as their two words.
#[inline]
fn wide_hash([low, high]: [u64; 2], input: &[u8]) -> [u64; 2] {
    SipHasher24Wide::new_with_keys(low, high).hash(input).as_u64().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(hash: u64, parts: u32) -> Clock {
        Clock::new(hash, PartsPerMillion::new(parts).unwrap())
    }

    #[test]
    fn what_is_rough_is_never_wrong() {
        let step = u64::MAX / 1_000_003;
        let of = |bits: u32| [1_u64 << bits, (1_u64 << bits) - 1, step >> (63 - bits)];
        for hash in (0..=1_000_003).map(|i| i * step).chain((0..64).flat_map(of)).chain([0, u64::MAX]) {
            let Clock { unit, roughly, .. } = clock(hash, 1);
            let over = roughly + unit.log2();
            assert!((-1e-13..SLACK - 5e-5).contains(&over), "{hash:x}: {over}");
        }
    }

    #[test]
    fn the_order_of_clocks_is_that_of_their_exact_times() {
        let check = |one: &Clock, other: &Clock| {
            assert_eq!(one.is_before(other), one.rings() < other.rings(), "{} {}", one.unit, other.unit);
        };
        let shares = [1, 999, 200_000, 500_000, 1_000_000];
        let mut hash = 1_u64;
        for i in 0..200_000 {
            hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ i;
            let (share, other_share) = (shares[(hash % 5) as usize], shares[(hash / 5 % 5) as usize]);
            let one = clock(hash, share);
            check(&one, &clock(hash.rotate_left(32), other_share));
            // Neighbors and equals of the same rate, and a clock of another rate that rings at almost the same time.
            for near in [hash, hash ^ (1 << 12), hash ^ (1 << 13)] {
                check(&one, &clock(near, share));
            }
            let power = one.unit.powf(f64::from(other_share) / f64::from(share));
            check(&one, &clock((power * 2_f64.powi(64)) as u64, other_share));
        }
    }
}
