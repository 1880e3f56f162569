//! Shares in parts per million, and lists of them that sum to exactly one million.

use std::fmt;

/// A share in parts per million, at most one million.
///
/// Whole numbers, because an allocation is a record: it is stored, signed into tokens and compared, and its parts must
/// sum exactly. One part in a million is far below what any experiment can tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartsPerMillion(u32);

impl PartsPerMillion {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it: one million parts.
    pub const ONE: Self = Self(1_000_000);

    /// The share of `parts` in a million, or `None` above one million.
    #[must_use]
    pub const fn new(parts: u32) -> Option<Self> {
        if parts <= Self::ONE.0 { Some(Self(parts)) } else { None }
    }

    /// The number of parts, 0 to 1 000 000.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The share as a fraction, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::ONE.0)
    }
}

impl fmt::Display for PartsPerMillion {
    /// As a percentage that loses nothing: `12.5%`, `0.0001%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let digits = format!("{rest:04}");
        write!(f, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

/// The share of each arm, by index; not empty, and the shares sum to exactly one million.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Allocation(Vec<PartsPerMillion>);

/// Why a list of shares is no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// There is no arm to give anything to.
    #[error("an allocation needs at least one arm")]
    Empty,
    /// Something would be left over, or given twice.
    #[error("shares sum to {sum} parts per million, not to 1000000")]
    Sum {
        /// What the shares sum to.
        sum: u64,
    },
}

impl TryFrom<Vec<PartsPerMillion>> for Allocation {
    type Error = AllocationError;

    fn try_from(shares: Vec<PartsPerMillion>) -> Result<Self, Self::Error> {
        if shares.is_empty() {
            return Err(AllocationError::Empty);
        }
        let sum: u64 = shares.iter().map(|share| u64::from(share.0)).sum();
        if sum == u64::from(PartsPerMillion::ONE.0) {
            Ok(Self(shares))
        } else {
            Err(AllocationError::Sum { sum })
        }
    }
}

impl Allocation {
    /// The shares by arm.
    #[must_use]
    pub fn shares(&self) -> &[PartsPerMillion] {
        &self.0
    }

    /// The same share for each of `arms`, to one part in a million (the first arms get what division leaves over).
    /// `None` without arms.
    #[must_use]
    pub fn even(arms: usize) -> Option<Self> {
        (arms > 0).then(|| Self(apportion(PartsPerMillion::ONE, &vec![1.0; arms])))
    }

    /// Everything for `arm` out of `arms`. `None` when there is no such arm.
    #[must_use]
    pub fn only(arm: usize, arms: usize) -> Option<Self> {
        let share = |index| if index == arm { PartsPerMillion::ONE } else { PartsPerMillion::ZERO };
        (arm < arms).then(|| Self((0..arms).map(share).collect()))
    }

    /// These shares without those of some variants: what these had goes to the other variants, in proportion to what each
    /// has, or to the control where no other has anything.
    #[must_use]
    pub fn without(&self, is_out: impl Fn(usize) -> bool) -> Self {
        let weight = |(arm, share): (usize, &PartsPerMillion)| match arm {
            0 => 0.0,
            _ if is_out(arm) => 0.0,
            _ => f64::from(share.0),
        };
        let weights: Vec<f64> = self.0.iter().enumerate().map(weight).collect();
        let control = self.0[0];
        let nobody = Self::only(0, self.0.len()).expect("there is a control");
        if weights.iter().all(|&weight| weight == 0.0) {
            return nobody;
        }
        let mut shares = apportion(PartsPerMillion(PartsPerMillion::ONE.0 - control.0), &weights);
        shares[0] = control;
        Self::from_exact(shares)
    }

    /// For shares that sum to one million by how they were made.
    pub(crate) fn from_exact(shares: Vec<PartsPerMillion>) -> Self {
        Self::try_from(shares).expect("the shares were apportioned from exactly one million")
    }
}

/// Divides `whole` in proportion to `weights`, exactly, by largest remainders (Hamilton's method); of equal remainders
/// the lower index wins. Each share is within one part of its ideal.
///
/// Weights are finite, not negative, and not all zero.
pub(crate) fn apportion(whole: PartsPerMillion, weights: &[f64]) -> Vec<PartsPerMillion> {
    let total: f64 = weights.iter().sum();
    let ideal: Vec<f64> = weights.iter().map(|weight| f64::from(whole.0) * (weight / total)).collect();
    let mut shares: Vec<u32> = ideal.iter().map(|&parts| parts as u32).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).filter(|&arm| weights[arm] > 0.0).collect();
    by_remainder
        .sort_by(|&one, &other| ideal[other].fract().total_cmp(&ideal[one].fract()).then(one.cmp(&other)));
    let given: u32 = shares.iter().sum();
    // Rounding of the ideal parts can leave at most a part per arm, so once around the arms is enough.
    for &arm in by_remainder.iter().cycle().take(whole.0.saturating_sub(given) as usize) {
        shares[arm] += 1;
    }
    shares.into_iter().map(PartsPerMillion).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(shares: &[PartsPerMillion]) -> Vec<u32> {
        shares.iter().map(|share| share.get()).collect()
    }

    #[test]
    fn shares_go_by_largest_remainder_then_by_index() {
        let check = |whole: u32, weights: &[f64], expected: &[u32]| {
            let shares = apportion(PartsPerMillion(whole), weights);
            assert_eq!(parts(&shares), expected, "{whole} by {weights:?}");
        };
        check(1_000_000, &[1.0, 1.0, 1.0], &[333_334, 333_333, 333_333]);
        check(10, &[0.0, 1.0, 2.0], &[0, 3, 7]);
        check(10, &[1.0, 1.0, 1.0, 1.0], &[3, 3, 2, 2]);
        check(5, &[0.5, 0.3, 0.2], &[3, 1, 1]);
        check(0, &[1.0, 2.0], &[0, 0]);
        check(1, &[1e-300, 1.0], &[0, 1]);
    }

    #[test]
    fn an_allocation_sums_to_one_million_or_is_none() {
        let list = |parts: &[u32]| {
            Allocation::try_from(parts.iter().map(|&p| PartsPerMillion(p)).collect::<Vec<_>>())
        };
        assert!(list(&[400_000, 600_000]).is_ok());
        assert_eq!(list(&[]), Err(AllocationError::Empty));
        assert_eq!(list(&[400_000, 600_001]), Err(AllocationError::Sum { sum: 1_000_001 }));
        assert_eq!(list(&[1_000_000; 5000]), Err(AllocationError::Sum { sum: 5_000_000_000 }));
        assert_eq!(Allocation::even(0), None);
        assert_eq!(Allocation::only(2, 2), None);
        assert_eq!(parts(Allocation::only(1, 3).unwrap().shares()), [0, 1_000_000, 0]);
    }

    #[test]
    fn what_is_taken_out_leaves_its_share_to_the_other_variants() {
        let check = |before: &[u32], out: &[usize], expected: &[u32]| {
            let before = before.iter().map(|&share| PartsPerMillion(share)).collect::<Vec<_>>();
            let found = Allocation::try_from(before).unwrap().without(|arm| out.contains(&arm));
            assert_eq!(parts(found.shares()), expected, "without {out:?}");
        };
        check(&[200_000, 500_000, 300_000], &[], &[200_000, 500_000, 300_000]);
        check(&[200_000, 500_000, 300_000], &[1], &[200_000, 0, 800_000]);
        check(&[200_000, 400_000, 300_000, 100_000], &[1], &[200_000, 0, 600_000, 200_000]);
        check(&[200_000, 500_000, 300_000], &[1, 2], &[1_000_000, 0, 0]);
        check(&[200_000, 800_000, 0], &[1], &[1_000_000, 0, 0]);
        check(&[200_000, 800_000, 0], &[0, 2], &[200_000, 800_000, 0]);
    }

    #[test]
    fn a_share_prints_as_an_exact_percentage() {
        let check = |parts, text: &str| assert_eq!(PartsPerMillion(parts).to_string(), text);
        check(0, "0%");
        check(1, "0.0001%");
        check(125_000, "12.5%");
        check(200_000, "20%");
        check(1_000_000, "100%");
    }
}
