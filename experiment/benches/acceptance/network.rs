//! Row 17: what nobody randomized names no winner.

use experiment::{
    Allocation, Cell, DeliveredVerdict, Design, Metric, Remaining, Standing, Stopping, Totals,
    estimate_delivered, judge_delivered,
};
use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::coverage::naive;
use super::line::{Bound, Line, percent};
use super::settings::{scaled, worlds};

/// Twenty-eight days of two equal arms. A network that is fair shows both to the same people, whose mood changes by the
/// day and, for reasons of the network, for each arm apart; one that is not shows the second arm to those who click more.
pub(crate) fn audiences(scale: f64) -> Vec<Line> {
    let runs = scaled(2000, scale);
    let named = |advantage: f64| {
        worlds(runs, |seed| {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let days: Vec<Cell> = (0..28).map(|_| day(&mut random, advantage)).collect();
            let design = design();
            let delivered = estimate_delivered(&days, &design).expect("possible");
            let verdict = judge_delivered(&delivered, Remaining::Nothing);
            // Without a type for it, nothing can be a Winner; this is the most that is said.
            let as_delivered = matches!(verdict, DeliveredVerdict::WinnerAsDelivered { .. });
            (as_delivered, naive(&days, 1).low > 0.0)
        })
    };
    let line = |what: &str, outcomes: &[(bool, bool)], bound| {
        let (naive, _) = percent(&outcomes.iter().map(|one| one.1).collect::<Vec<bool>>());
        Line::share(what, &outcomes.iter().map(|one| one.0).collect::<Vec<bool>>(), bound).beside(naive)
    };
    vec![
        line("the same audience: called the winner as delivered", &named(0.0), Bound::AtMost(3.5)),
        line("a better audience: called so, and never the Winner", &named(0.3), Bound::AtLeast(0.0)),
    ]
}

fn design() -> Design {
    Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).expect("sensible"), vec![Standing::FIRST; 2])
        .expect("arms")
}

fn day(random: &mut Xoshiro256PlusPlus, advantage: f64) -> Cell {
    let mood = 1.0 + 0.3 * random.random::<f64>();
    let counted = |random: &mut Xoshiro256PlusPlus, factor: f64| {
        let exposures = 2_000 + random.random_range(0..1_000_u64);
        let rate = 0.02 * mood * factor * (0.8 + 0.4 * random.random::<f64>());
        let rewards = Binomial::new(exposures, rate).expect("a rate").sample(random);
        Totals::binary(exposures, rewards)
    };
    let totals = vec![counted(random, 1.0), counted(random, 1.0 + advantage)];
    Cell::new(Allocation::even(2).expect("two"), totals).expect("possible")
}
