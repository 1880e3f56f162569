//! People who come back.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::draw;
use super::truth::Truth;
use super::world::{Counted, People, World};
use crate::allocation::Allocation;
use crate::assignment::{AssignmentKey, assign};
use crate::numeric::normal;
use crate::totals::Totals;

/// The people of a world, and who of them was counted.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    people: People,
    all: Vec<Person>,
    seed: u64,
    /// By arm: assignment goes by names.
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Person {
    /// What the rates of the person's segment are multiplied by.
    keenness: f64,
    part: usize,
    was_counted: bool,
}

/// One part of a round, as its people meet it.
pub(super) struct Stage {
    pub(super) allocation: Allocation,
    pub(super) truths: Vec<Truth>,
}

impl Crowd {
    /// The people of `world`, if they come back.
    pub(super) fn of(world: &World, seed: u64) -> Option<Self> {
        let people = world.people?;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x0070_656f_706c_6500);
        let keenness = Gamma::new(0.5, 2.0).expect("a shape and a scale above 0");
        let shares = world.shares();
        let all = (0..people.number).map(|_| Person {
            keenness: keenness.sample(&mut random),
            part: part(random.random(), &shares),
            was_counted: false,
        });
        let arms = world.segments.first().map_or(&world.arms, |segment| &segment.arms).len();
        let names = (0..arms).map(|arm| arm.to_string()).collect();
        Some(Self { people, all: all.collect(), seed, names })
    }

    /// Who comes in `round`, what they are shown and what they do: totals by part and arm.
    pub(super) fn visit(
        &mut self,
        random: &mut Xoshiro256PlusPlus,
        round: usize,
        stages: &[Stage],
        cap: f64,
    ) -> Vec<Vec<Totals>> {
        let every = self.people.reseeded_every.unwrap_or(usize::MAX);
        if round.is_multiple_of(every) {
            self.all.iter_mut().for_each(|person| person.was_counted = false);
        }
        let key = AssignmentKey::new("simulation", &self.seed.to_string(), (round / every) as u64);
        let mut totals: Vec<Vec<Totals>> =
            stages.iter().map(|_| vec![Totals::default(); self.names.len()]).collect();
        for (number, person) in self.all.iter_mut().enumerate() {
            let comes = random.random::<f64>() < self.people.visits;
            let counts = !(person.was_counted && self.people.counted == Counted::OncePerSeed);
            if comes && counts {
                let stage = &stages[person.part];
                let shares =
                    self.names.iter().map(String::as_str).zip(stage.allocation.shares().iter().copied());
                let arm = assign(&key, &number.to_le_bytes(), shares).expect("shares sum to a million");
                let truth = stage.truths[arm];
                let acts = random.random::<f64>() < truth.rate * person.keenness;
                let earned = draw::earn(random, truth.worth, cap, 1, u64::from(acts));
                totals[person.part][arm] = totals[person.part][arm] + earned;
                person.was_counted = true;
            }
        }
        totals
    }
}

/// The mean of min(1, `rate`·K) over the keenness K of people, which is the square of a standard normal number: with
/// a = √(1/rate), rate·(P − 2a·φ(a)) + 1 − P, P being the chance of ±a.
pub(super) fn mean_rate(rate: f64) -> f64 {
    if rate <= 0.0 {
        return 0.0;
    }
    let bound = rate.recip().sqrt();
    let inside = 1.0 - 2.0 * normal::cdf(-bound);
    let density = (-0.5 * bound * bound).exp() / (2.0 * std::f64::consts::PI).sqrt();
    rate * (inside - 2.0 * bound * density) + 1.0 - inside
}

/// The part that a number from 0 to 1 falls into.
fn part(number: f64, shares: &[f64]) -> usize {
    let ends = shares.iter().scan(0.0, |end, share| {
        *end += share;
        Some(*end)
    });
    ends.take_while(|end| *end <= number).count().min(shares.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the mean over quantiles of |Z|.
    #[test]
    fn nobody_acts_more_than_always() {
        let steps = 200_000;
        for rate in [0.001, 0.05, 0.4, 0.8, 1.0] {
            let quantiles = (0..steps)
                .map(|step| normal::quantile(0.5 + (f64::from(step) + 0.5) * 0.5 / f64::from(steps)));
            let mean = quantiles.map(|z| (rate * z * z).min(1.0)).sum::<f64>() / f64::from(steps);
            assert!((mean_rate(rate) - mean).abs() < 1e-4 * rate, "{rate}: {} {mean}", mean_rate(rate));
        }
        assert_eq!(mean_rate(0.0), 0.0);
    }
}
