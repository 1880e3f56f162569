//! Experiments in worlds whose truth is known.
//!
//! A world is played round by round: the policy divides the next round, people are drawn, and what they do is counted.
//! All chance comes from a seed, so a course can be seen again.

use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::allocation::{Allocation, PartsPerMillion};
use crate::design::Design;
use crate::policy::{Policy, allocate};
use crate::totals::{Cell, Totals, as_f64};

/// What is true.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// By arm; arm 0 is the control.
    pub arms: Vec<Truth>,
    /// What moves all arms alike.
    pub trend: Trend,
    /// Exposures of each round, all arms together.
    pub rounds: Vec<u64>,
}

/// How people respond to one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// The chance that an exposure is rewarded, at the trend's 1.
    pub rate: f64,
    /// That chance in the second half of the rounds.
    pub later_rate: f64,
    /// What a rewarded exposure is worth.
    pub worth: Worth,
}

/// What a rewarded exposure is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Worth {
    /// 1.
    One,
    /// Drawn from a log-normal distribution.
    LogNormal {
        /// The mean of the logarithm.
        location: f64,
        /// The standard deviation of the logarithm.
        spread: f64,
    },
}

/// What the rates of all arms are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trend {
    /// Nothing changes.
    Steady,
    /// From 1 in the first round, evenly, to this in the last.
    Linear(f64),
    /// A wave around 1.
    Wave {
        /// How far from 1 it goes.
        amplitude: f64,
        /// Rounds from crest to crest.
        period: f64,
    },
    /// 1 until a part of the rounds has passed, then `factor`.
    Sale {
        /// The part, 0 to 1.
        from: f64,
        /// What rates are multiplied by from there on.
        factor: f64,
    },
}

impl Truth {
    /// A constant rate of rewards of 1.
    #[must_use]
    pub const fn rate(rate: f64) -> Self {
        Self { rate, later_rate: rate, worth: Worth::One }
    }

    /// The mean reward of an exposure, at the trend's 1 and in the first half.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self.worth {
            Worth::One => self.rate,
            Worth::LogNormal { location, spread } => self.rate * (location + 0.5 * spread * spread).exp(),
        }
    }
}

impl Trend {
    fn factor(self, round: usize, rounds: usize) -> f64 {
        let part = |of: usize| round as f64 / of.max(1) as f64;
        match self {
            Self::Steady => 1.0,
            Self::Linear(last) => 1.0 + (last - 1.0) * part(rounds - 1),
            Self::Wave { amplitude, period } => {
                1.0 + amplitude * (2.0 * std::f64::consts::PI * round as f64 / period).sin()
            }
            Self::Sale { from, factor } => {
                if part(rounds) < from {
                    1.0
                } else {
                    factor
                }
            }
        }
    }
}

impl World {
    /// A steady world of rewards of 1, with `rounds` rounds of `exposures`.
    #[must_use]
    pub fn steady(rates: &[f64], rounds: usize, exposures: u64) -> Self {
        let arms = rates.iter().map(|&rate| Truth::rate(rate)).collect();
        Self { arms, trend: Trend::Steady, rounds: vec![exposures; rounds] }
    }

    /// The best mean among the arms, where more is better, in the first half.
    #[must_use]
    pub fn best_mean(&self) -> f64 {
        self.arms.iter().map(Truth::mean).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// A course through a world.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    world: &'a World,
    design: &'a Design,
    policy: &'a Policy,
    random: Xoshiro256PlusPlus,
    cells: Vec<Cell>,
    lost: f64,
}

impl<'a> Course<'a> {
    /// The course of `seed`, before its first round.
    #[must_use]
    pub fn new(world: &'a World, design: &'a Design, policy: &'a Policy, seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { world, design, policy, random, cells: Vec::new(), lost: 0.0 }
    }

    /// What was counted so far, oldest first.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Exposures so far.
    #[must_use]
    pub fn exposures(&self) -> u64 {
        self.world.rounds[..self.cells.len()].iter().sum()
    }

    /// The regret so far: expected rewards that the best arm would have brought beyond those of the arms served.
    #[must_use]
    pub fn regret(&self) -> f64 {
        self.lost
    }

    /// Plays the next round; false when there is none.
    pub fn play(&mut self) -> bool {
        let round = self.cells.len();
        let Some(&exposures) = self.world.rounds.get(round) else { return false };
        let allocation = allocate(&self.cells, self.design, self.policy).allocation;
        let counts = self.draw(exposures, &allocation);
        let factor = self.world.trend.factor(round, self.world.rounds.len());
        let is_late = 2 * round >= self.world.rounds.len();
        let means = self.world.arms.iter().map(|truth| Truth { rate: truth.at(is_late), ..*truth }.mean());
        let means: Vec<f64> = means.collect();
        let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lost = counts.iter().zip(&means).map(|(&count, mean)| as_f64(count) * (best - mean));
        self.lost += factor * lost.sum::<f64>();
        let totals = counts.iter().enumerate().map(|(arm, &count)| {
            let truth = self.world.arms[arm];
            respond(&mut self.random, &truth, (truth.at(is_late) * factor).min(1.0), count)
        });
        let cell = Cell::new(allocation, totals.collect()).expect("counts follow from the allocation");
        self.cells.push(cell);
        true
    }

    /// How many of `exposures` fall on each arm.
    fn draw(&mut self, exposures: u64, allocation: &Allocation) -> Vec<u64> {
        let (mut left, mut rest) = (exposures, PartsPerMillion::ONE.get());
        let mut counts = Vec::with_capacity(allocation.shares().len());
        for share in allocation.shares() {
            let chance = f64::from(share.get()) / f64::from(rest.max(1));
            let count = binomial(&mut self.random, left, chance);
            counts.push(count);
            left -= count;
            rest -= share.get();
        }
        counts
    }
}

impl Truth {
    fn at(&self, is_late: bool) -> f64 {
        if is_late { self.later_rate } else { self.rate }
    }
}

fn respond(random: &mut Xoshiro256PlusPlus, truth: &Truth, rate: f64, exposures: u64) -> Totals {
    let rewarded = binomial(random, exposures, rate);
    match truth.worth {
        Worth::One => Totals::binary(exposures, rewarded),
        Worth::LogNormal { location, spread } => {
            let worth = LogNormal::new(location, spread).expect("a spread of 0 or more");
            let (rewards, squared_rewards) = (0..rewarded).fold((0.0, 0.0), |(sum, squares), _| {
                let value = worth.sample(random);
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
