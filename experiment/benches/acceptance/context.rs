//! Row 10: segments with features.

use experiment::{
    Allocation, Cell, Control, Design, Features, Metric, Policy, Rule, Standing, Stopping, Totals, allocate,
    allocate_linear,
};
use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::line::{Bound, Line};
use super::settings::{percent, scaled, worlds};

const SEGMENTS: usize = 64;
const FEATURES: usize = 20;
const ARMS: usize = 10;
const ROUNDS: usize = 200;
const PER_ROUND: u64 = 1_000;

/// How a round is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Division {
    Even,
    Together,
    Apart,
    Linear,
}

/// The share of the gap between an even split and the best arm of each segment that is closed over 200 000 exposures.
pub(crate) fn gap(scale: f64) -> Vec<Line> {
    let runs = scaled(40, scale);
    let closed = |division: Division| {
        worlds(runs, |seed| {
            let world = World::new(seed);
            let (even, best) = (
                world.mean_of(|_, rates| rates.iter().sum::<f64>() / ARMS as f64),
                world.mean_of(|_, rates| rates.iter().copied().fold(0.0, f64::max)),
            );
            100.0 * (world.play(division, seed) - even) / (best - even)
        })
    };
    let line = |what: &str, division, bound| Line::mean(what, &closed(division), bound);
    let apart = line("Thompson apart in each segment", Division::Apart, Bound::AtLeast(0.0));
    let together = line("Thompson without segments", Division::Together, Bound::AtLeast(0.0));
    let linear =
        line("linear Thompson (naive: Thompson without segments)", Division::Linear, Bound::AtLeast(75.0))
            .beside(together.figure);
    vec![linear, apart, together, line("even split", Division::Even, Bound::Within(-1.0, 1.0))]
}

/// Interests of segments, and what each arm makes of them.
struct World {
    features: Vec<Vec<f64>>,
    /// By segment and arm.
    rates: Vec<Vec<f64>>,
}

impl World {
    /// An intercept and nineteen interests that three in ten segments have; each arm speaks to four of them, with weights
    /// of standard deviation ½ in the logit, around that of 2 %.
    fn new(seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
        let mut interest = || f64::from(u8::from(random.random::<f64>() < 0.3));
        let mut segment = || std::iter::once(1.0).chain((1..FEATURES).map(|_| interest())).collect();
        let features: Vec<Vec<f64>> = (0..SEGMENTS).map(|_| segment()).collect();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0xac71);
        let mut weight = || {
            let normal: f64 = StandardNormal.sample(&mut random);
            (random.random_range(1..FEATURES), 0.5 * normal)
        };
        let active: Vec<Vec<(usize, f64)>> = (0..ARMS).map(|_| (0..4).map(|_| weight()).collect()).collect();
        let rate = |x: &Vec<f64>, active: &Vec<(usize, f64)>| {
            let logit = (0.02_f64 / 0.98).ln()
                + active.iter().map(|&(feature, weight)| weight * x[feature]).sum::<f64>();
            1.0 / (1.0 + (-logit).exp())
        };
        let rates = features.iter().map(|x| active.iter().map(|active| rate(x, active)).collect()).collect();
        Self { features, rates }
    }

    fn mean_of(&self, of: impl Fn(usize, &[f64]) -> f64) -> f64 {
        self.rates.iter().enumerate().map(|(segment, rates)| of(segment, rates)).sum::<f64>()
            / SEGMENTS as f64
    }

    /// The mean rate over a course.
    fn play(&self, division: Division, seed: u64) -> f64 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let stopping = Stopping::new(0.95, 0.01).expect("sensible");
        let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; ARMS]).expect("arms");
        let policy =
            Policy::new(Rule::Thompson, ARMS, percent(0.0), Control::Competes, 0).expect("shares fit");
        let features = Features::new(self.features.clone()).expect("numbers");
        // One cell of each segment holds what was counted so far: shares are made from sums.
        let mut sums = vec![vec![Totals::default(); ARMS]; SEGMENTS];
        let (mut earned, mut shown) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let even = Allocation::even(ARMS).expect("arms");
            let cell = |segment: usize| {
                Cell::new(even.clone(), sums[segment].clone()).expect("possible").in_segment(segment)
            };
            let cells: Vec<Cell> = (0..SEGMENTS).map(cell).collect();
            let shares: Vec<Allocation> = match division {
                Division::Even => vec![even.clone(); SEGMENTS],
                Division::Together => vec![allocate(&cells, &design, &policy).allocation; SEGMENTS],
                Division::Apart => cells
                    .iter()
                    .map(|cell| allocate(std::slice::from_ref(cell), &design, &policy).allocation)
                    .collect(),
                Division::Linear => allocate_linear(&cells, &design, &policy, &features)
                    .into_iter()
                    .map(|next| next.allocation)
                    .collect(),
            };
            for segment in 0..SEGMENTS {
                let visitors =
                    PER_ROUND / SEGMENTS as u64 + u64::from((segment as u64) < PER_ROUND % SEGMENTS as u64);
                let (mut left, mut rest) = (visitors, 1_000_000_u32);
                for (arm, share) in shares[segment].shares().iter().enumerate() {
                    let chance = f64::from(share.get()) / f64::from(rest.max(1));
                    let count = Binomial::new(left, chance).expect("a chance").sample(&mut random);
                    let rate = self.rates[segment][arm];
                    let rewarded = Binomial::new(count, rate).expect("a rate").sample(&mut random);
                    sums[segment][arm] = sums[segment][arm] + Totals::binary(count, rewarded);
                    earned += count as f64 * rate;
                    shown += count as f64;
                    (left, rest) = (left - count, rest - share.get());
                }
            }
        }
        earned / shown
    }
}
