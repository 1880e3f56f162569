//! People who come back.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::draw;
use super::keenness;
use super::truth::Truth;
use super::world::{Counted, People, World};
use crate::allocation::Allocation;
use crate::assignment::{AssignmentKey, assign};
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
        let shares = world.shares();
        let all = (0..people.number).map(|_| Person {
            keenness: keenness::draw(&mut random),
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

/// The part that a number from 0 to 1 falls into.
fn part(number: f64, shares: &[f64]) -> usize {
    let ends = shares.iter().scan(0.0, |end, share| {
        *end += share;
        Some(*end)
    });
    ends.take_while(|end| *end <= number).count().min(shares.len() - 1)
}
