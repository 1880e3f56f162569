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
pub struct AssignmentKey([u8; 16]);

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
        Self(wide_hash([0; 16], &input))
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
    let hasher = SipHasher24::new_with_key(&wide_hash(key.0, subject));
    let mut first: Option<(usize, f64)> = None;
    for (index, (name, share)) in arms.enumerate() {
        let rings = -libm::log(unit(hasher.hash(name.as_bytes()))) / f64::from(share.get());
        // Division by a share of zero is infinite, and infinity never rings before anything.
        if rings < first.map_or(f64::INFINITY, |(_, earliest)| earliest) {
            first = Some((index, rings));
        }
    }
    first.map(|(index, _)| index)
}

/// A number strictly between 0 and 1 from the upper 52 bits, exact in floating point: the half keeps it off both ends.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

fn wide_hash(key: [u8; 16], input: &[u8]) -> [u8; 16] {
    let (low, high) = SipHasher24Wide::new_with_key(&key).hash(input).as_u64();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&low.to_le_bytes());
    bytes[8..].copy_from_slice(&high.to_le_bytes());
    bytes
}
