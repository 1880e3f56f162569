//! Row 17: what nobody randomized names no winner.

use experiment::{
    Allocation, Cell, DeliveredVerdict, Design, Interval, Metric, Remaining, Standing, Stopping, Totals,
    estimate_delivered, judge_delivered,
};
use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::coverage::naive;
use super::line::{Bound, Line, percent};
use super::settings::{scaled, worlds};

/// What a network does with two arms.
struct Network {
    days: usize,
    /// How much more those click to whom the second arm is shown.
    advantage: f64,
    /// The second arm's share and the level of rates on a day, by the part of the days that has passed.
    course: fn(f64) -> (f64, f64),
}

impl Network {
    const STEADY: Self = Self { days: 28, advantage: 0.0, course: |_| (0.5, 1.0) };
    /// The network moves traffic to the second arm just when a sale begins.
    const SALE: Self =
        Self { course: |passed| if passed < 0.5 { (0.1, 1.0) } else { (0.9, 2.5) }, ..Self::STEADY };
    /// The second arm grows from next to nothing.
    const RAMP: Self = Self { course: |passed| (0.01 + 0.49 * passed, 1.0 + passed), ..Self::STEADY };
    /// A day that brings as much as ten others.
    const RUSH: Self =
        Self { course: |passed| (0.5, if passed == 0.5 { 10.0 } else { 1.0 }), ..Self::STEADY };
}

/// What was said of one world.
struct Said {
    winner: bool,
    covered: bool,
    naive: Interval,
}

/// Days of two equal arms. A network that is fair shows both to the same people, whose mood changes by the day and, for
/// reasons of the network, for each arm apart; one that is not shows the second arm to those who click more. Most move
/// traffic between the arms while rates change.
pub(crate) fn audiences(scale: f64) -> Vec<Line> {
    let runs = scaled(2000, scale);
    let better = Network { advantage: 0.3, ..Network::STEADY };
    let mut lines = vec![
        winners(
            "the same audience: called the winner as delivered",
            &played(runs, &Network::STEADY),
            Bound::AtMost(3.5),
        ),
        winners(
            "a better audience: called so, and never the Winner",
            &played(runs, &better),
            Bound::AtLeast(0.0),
        ),
    ];
    for (what, network) in [
        ("share 10 to 90 % with a sale, 28 days", Network::SALE),
        ("the same, 7 days", Network { days: 7, ..Network::SALE }),
        ("share evenly from 1 to 50 %, 28 days", Network::RAMP),
        ("one of 28 days with the rewards of ten", Network::RUSH),
    ] {
        let said = played(runs, &network);
        lines.push(winners(&format!("{what}: called the winner"), &said, Bound::AtMost(3.5)));
        let covered: Vec<bool> = said.iter().map(|said| said.covered).collect();
        let naive: Vec<bool> =
            said.iter().map(|said| said.naive.low <= 0.0 && said.naive.high >= 0.0).collect();
        let line = Line::share(format!("{what}: covered"), &covered, Bound::Within(93.5, 97.5));
        lines.push(line.beside(percent(&naive).0));
    }
    lines
}

fn winners(what: &str, said: &[Said], bound: Bound) -> Line {
    let winners: Vec<bool> = said.iter().map(|said| said.winner).collect();
    let naive: Vec<bool> = said.iter().map(|said| said.naive.low > 0.0).collect();
    Line::share(what, &winners, bound).beside(percent(&naive).0)
}

fn played(runs: u64, network: &Network) -> Vec<Said> {
    worlds(runs, |seed| {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let days: Vec<Cell> = (0..network.days).map(|day| network.day(&mut random, day)).collect();
        let delivered = estimate_delivered(&days, &design()).expect("possible");
        let verdict = judge_delivered(&delivered, Remaining::Nothing);
        let lift = delivered.arms[1].lift;
        Said {
            // Without a type for it, nothing can be a Winner; this is the most that is said.
            winner: matches!(verdict, DeliveredVerdict::WinnerAsDelivered { .. }),
            covered: lift.is_none_or(|lift| lift.low <= 0.0 && lift.high >= 0.0),
            naive: naive(&days, 1),
        }
    })
}

fn design() -> Design {
    Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).expect("sensible"), vec![Standing::FIRST; 2])
        .expect("arms")
}

impl Network {
    fn day(&self, random: &mut Xoshiro256PlusPlus, day: usize) -> Cell {
        let (share, level) = (self.course)(day as f64 / self.days as f64);
        let mood = level * (1.0 + 0.3 * random.random::<f64>());
        let counted = |random: &mut Xoshiro256PlusPlus, share: f64, factor: f64| {
            let all = 4_000 + random.random_range(0..2_000_u64);
            let exposures = (share * all as f64).round() as u64;
            let rate = 0.02 * mood * factor * (0.8 + 0.4 * random.random::<f64>());
            let rewards = Binomial::new(exposures, rate).expect("a rate").sample(random);
            Totals::binary(exposures, rewards)
        };
        let totals = vec![counted(random, 1.0 - share, 1.0), counted(random, share, 1.0 + self.advantage)];
        // The days are what counts, whatever the shares; these are the nearest ones.
        Cell::new(Allocation::even(2).expect("two"), totals).expect("possible")
    }
}
