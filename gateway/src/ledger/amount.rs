//! Numbers that people send: what a reward is worth, and what was known about a person before.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A number in whole millionths, at most a thousand million of either sign. Sums of such are exact in whatever order they
/// are made, so a ledger that is made anew has the same to the last digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Amount(i64);

/// How many millionths are one.
const MILLION: i64 = 1_000_000;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// What a reward of a binary metric is worth, and the most that its unit counts for.
    pub const ONE: Self = Self(MILLION);

    /// The most that there is: a thousand million.
    pub const LARGEST: Self = Self(1_000_000_000 * MILLION);

    /// The nearest amount; none of what is no number, or too large.
    pub fn new(number: f64) -> Option<Self> {
        let millionths = (number * MILLION as f64).round();
        let largest = Self::LARGEST.0 as f64;
        // A double holds every whole number up to 9·10¹⁵ exactly, and 10¹⁵ is the largest here.
        (-largest..=largest).contains(&millionths).then_some(Self(millionths as i64))
    }

    /// As a number.
    pub fn value(self) -> f64 {
        decimal(self.0.into(), MILLION.into())
    }

    /// So many millionths; none of too many.
    pub fn from_millionths(millionths: i64) -> Option<Self> {
        (-Self::LARGEST.0..=Self::LARGEST.0).contains(&millionths).then_some(Self(millionths))
    }
}

impl Add for Amount {
    type Output = Self;

    /// The sum, or the most that there is.
    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).clamp(-Self::LARGEST.0, Self::LARGEST.0))
    }
}

impl Sub for Amount {
    type Output = Self;

    /// The difference, or the least that there is.
    fn sub(self, other: Self) -> Self {
        Self((self.0 - other.0).clamp(-Self::LARGEST.0, Self::LARGEST.0))
    }
}

/// A sum of amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum(i128);

/// A sum of products of two amounts: as many as there may be exposures, it does not overflow before they are 10⁸ of the
/// largest, and then it stays where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Products(i128);

impl Sum {
    pub(super) fn add(&mut self, amount: Amount) {
        self.0 = self.0.saturating_add(i128::from(amount.0));
    }

    pub(super) fn value(self) -> f64 {
        decimal(self.0, i128::from(MILLION))
    }
}

impl Products {
    pub(super) fn add(&mut self, one: Amount, other: Amount) {
        self.0 = self.0.saturating_add(i128::from(one.0) * i128::from(other.0));
    }

    pub(super) fn subtract(&mut self, one: Amount, other: Amount) {
        self.0 = self.0.saturating_sub(i128::from(one.0) * i128::from(other.0));
    }

    pub(super) fn value(self) -> f64 {
        decimal(self.0, i128::from(MILLION) * i128::from(MILLION))
    }
}

/// The quotient as the nearest double or the one beside it; whole numbers below 2⁵³ exactly.
fn decimal(parts: i128, of_one: i128) -> f64 {
    (parts / of_one) as f64 + (parts % of_one) as f64 / of_one as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_the_nearest_millionth_or_none() {
        let millionths = |number| Amount::new(number).map(|amount| amount.0);
        for (number, expected) in [
            (0.0, Some(0)),
            (-0.0, Some(0)),
            (1.0, Some(1_000_000)),
            (59.9, Some(59_900_000)),
            (-2.5, Some(-2_500_000)),
            (0.000_000_4, Some(0)),
            (1e9, Some(1_000_000_000_000_000)),
            (1e9 + 1.0, None),
            (f64::INFINITY, None),
            (f64::NAN, None),
        ] {
            assert_eq!(millionths(number), expected, "{number}");
        }
        assert_eq!(Amount::from_millionths(i64::MIN), None);
        assert_eq!(Amount::LARGEST + Amount::ONE, Amount::LARGEST);
    }

    #[test]
    fn sums_do_not_depend_on_their_order_and_whole_numbers_are_exact() {
        let numbers = [0.1, 1e9, 0.2, -1e9, 0.3, 1e-6];
        let sum = |numbers: &mut dyn Iterator<Item = f64>| {
            let (mut sum, mut squares) = (Sum::default(), Products::default());
            for amount in numbers.map(|number| Amount::new(number).unwrap()) {
                sum.add(amount);
                squares.add(amount, amount);
            }
            (sum, squares)
        };
        let forward = sum(&mut numbers.into_iter());
        assert_eq!(forward, sum(&mut numbers.into_iter().rev()));
        assert_eq!(forward.0.value(), 0.600_001);
        let mut ones = Sum(i128::from(MILLION) * ((1 << 53) - 2));
        ones.add(Amount::ONE);
        assert_eq!(ones.value(), ((1_u64 << 53) - 1) as f64);
        assert_eq!(Products(i128::MAX).value(), i128::MAX as f64 / 1e12);
        let mut full = Products(i128::MAX);
        full.add(Amount::LARGEST, Amount::LARGEST);
        assert_eq!(full, Products(i128::MAX));
    }
}
