//! Draws of counts and of what they are worth.

use rand::RngExt;
use rand_distr::{Binomial, Distribution, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::truth::{Truth, Worth};
use crate::allocation::{Allocation, PartsPerMillion};
use crate::totals::Totals;

/// How many of `exposures` fall on each arm.
pub(crate) fn divide(random: &mut Xoshiro256PlusPlus, exposures: u64, allocation: &Allocation) -> Vec<u64> {
    let (mut left, mut rest) = (exposures, PartsPerMillion::ONE.get());
    let mut counts = Vec::with_capacity(allocation.shares().len());
    for share in allocation.shares() {
        let chance = f64::from(share.get()) / f64::from(rest.max(1));
        let count = binomial(random, left, chance);
        counts.push(count);
        left -= count;
        rest -= share.get();
    }
    counts
}

/// How many of `exposures` are of each part, whose shares sum to 1. A single part takes no draw.
pub(super) fn part(random: &mut Xoshiro256PlusPlus, exposures: u64, shares: &[f64]) -> Vec<u64> {
    let (mut left, mut rest) = (exposures, 1.0);
    let mut counts = Vec::with_capacity(shares.len());
    for (index, &share) in shares.iter().enumerate() {
        let is_last = index + 1 == shares.len();
        let count = if is_last { left } else { binomial(random, left, (share / rest).clamp(0.0, 1.0)) };
        counts.push(count);
        left -= count;
        rest -= share;
    }
    counts
}

/// What `exposures` to an arm bring, of which none counts for more than `cap`.
pub(crate) fn respond(random: &mut Xoshiro256PlusPlus, truth: &Truth, cap: f64, exposures: u64) -> Totals {
    let rewarded = binomial(random, exposures, truth.rate);
    earn(random, truth.worth, cap, exposures, rewarded)
}

/// The totals of `exposures` of which so many were rewarded.
pub(super) fn earn(
    random: &mut Xoshiro256PlusPlus,
    worth: Worth,
    cap: f64,
    exposures: u64,
    rewarded: u64,
) -> Totals {
    match worth {
        Worth::One => Totals::binary(exposures, rewarded),
        Worth::LogNormal { location, spread } => {
            let worth = LogNormal::new(location, spread).expect("a spread of 0 or more");
            let (rewards, squared_rewards) = (0..rewarded).fold((0.0, 0.0), |(sum, squares), _| {
                let value = worth.sample(random).min(cap);
                (sum + value, squares + value * value)
            });
            Totals { exposures, rewards, squared_rewards }
        }
    }
}

fn binomial(random: &mut Xoshiro256PlusPlus, trials: u64, chance: f64) -> u64 {
    match trials {
        0 => 0,
        1 => u64::from(random.random::<f64>() < chance),
        _ => Binomial::new(trials, chance).expect("a chance from 0 to 1").sample(random),
    }
}
