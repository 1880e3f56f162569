//! A course through a world.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::crowd::{Crowd, Stage};
use super::draw;
use super::truth::{Truth, cap};
use super::world::World;
use crate::allocation::Allocation;
use crate::design::{Design, Standing};
use crate::policy::{Features, Policy, allocate, allocate_linear};
use crate::totals::{Cell, Totals, as_f64};

/// A course through a world.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    world: &'a World,
    design: &'a Design,
    policy: &'a Policy,
    features: Option<&'a Features>,
    random: Xoshiro256PlusPlus,
    crowd: Option<Crowd>,
    /// Rounds that have passed, and after the last one those in which only rewards come in.
    passed: usize,
    /// Oldest first; of each round as many as the world has parts.
    cells: Vec<Cell>,
    exposures: u64,
    lost: f64,
    lost_evenly: f64,
}

impl<'a> Course<'a> {
    /// The course of `seed`, before its first round. Each segment is divided by its own totals.
    #[must_use]
    pub fn new(world: &'a World, design: &'a Design, policy: &'a Policy, seed: u64) -> Self {
        Self {
            world,
            design,
            policy,
            features: None,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            crowd: Crowd::of(world, seed),
            passed: 0,
            cells: Vec::new(),
            exposures: 0,
            lost: 0.0,
            lost_evenly: 0.0,
        }
    }

    /// The same course, whose segments learn from each other by their features: one list for each segment of the world.
    #[must_use]
    pub fn with_features(self, features: &'a Features) -> Self {
        Self { features: Some(features), ..self }
    }

    /// What was shown so far, oldest first, with all rewards that it will have had.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells whose rewards are known by now: all that policy and verdict may look at.
    #[must_use]
    pub fn matured(&self) -> &[Cell] {
        let rounds = self.passed.saturating_sub(self.world.delay);
        &self.cells[..(rounds * self.world.parts()).min(self.cells.len())]
    }

    /// How many rounds have passed; more than the world has while the rewards of its last ones come in.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// What is asked by now: arms that are not served at present count as retired.
    #[must_use]
    pub fn design(&self) -> Design {
        self.design_in(self.passed.saturating_sub(1))
    }

    fn design_in(&self, round: usize) -> Design {
        let round = round.min(self.world.rounds.len().saturating_sub(1));
        let standing = |(arm, standing): (usize, &Standing)| Standing {
            retired: standing.retired || !self.world.is_served(arm, round),
            ..*standing
        };
        let arms = self.design.arms().iter().enumerate().map(standing).collect();
        Design::new(self.design.metric(), self.design.stopping(), arms).expect("the same arms")
    }

    /// Exposures so far.
    #[must_use]
    pub fn exposures(&self) -> u64 {
        self.exposures
    }

    /// The regret so far: expected rewards that the best arm of each round and segment would have brought beyond those
    /// of the arms served; where less is better, those that it would have spared.
    #[must_use]
    pub fn regret(&self) -> f64 {
        self.lost
    }

    /// The regret that an even split among the arms served would have had.
    #[must_use]
    pub fn even_regret(&self) -> f64 {
        self.lost_evenly
    }

    /// Plays the next round, and after the last one lets one more pass while rewards are awaited; false when there is
    /// neither.
    pub fn play(&mut self) -> bool {
        let rounds = self.world.rounds.len();
        if self.passed >= rounds + if rounds > 0 { self.world.delay } else { 0 } {
            return false;
        }
        if self.passed < rounds {
            self.serve(self.passed);
        }
        self.passed += 1;
        true
    }

    fn serve(&mut self, round: usize) {
        let design = self.design_in(round);
        let stages: Vec<Stage> = self
            .allocations(&design)
            .into_iter()
            .enumerate()
            .map(|(part, allocation)| Stage { allocation, truths: self.world.truths(part, round) })
            .collect();
        let totals = self.respond(round, &stages);
        for (part, (stage, totals)) in stages.into_iter().zip(totals).enumerate() {
            let truths = self.world.expected_truths(part, round);
            self.lose(&design, &truths, &totals);
            let cell = Cell::new(stage.allocation, totals).expect("counts follow from the allocation");
            self.cells.push(cell.in_segment(part));
        }
    }

    /// By part.
    fn allocations(&self, design: &Design) -> Vec<Allocation> {
        let cells = self.matured();
        if let Some(features) = self.features {
            let allocated = allocate_linear(cells, design, self.policy, features);
            return allocated.into_iter().map(|next| next.allocation).collect();
        }
        let of = |cells: &[Cell]| allocate(cells, design, self.policy).allocation;
        match self.world.parts() {
            1 => vec![of(cells)],
            parts => (0..parts).map(|part| of(&in_part(cells, part))).collect(),
        }
    }

    /// Totals by part and arm.
    fn respond(&mut self, round: usize, stages: &[Stage]) -> Vec<Vec<Totals>> {
        let cap = cap(self.design.metric().kind);
        if let Some(crowd) = &mut self.crowd {
            return crowd.visit(&mut self.random, round, stages, cap);
        }
        let random = &mut self.random;
        let exposures = draw::part(random, self.world.rounds[round], &self.world.shares());
        let of = |(stage, &exposures): (&Stage, &u64)| -> Vec<Totals> {
            let counts = draw::divide(random, exposures, &stage.allocation);
            let arms = stage.truths.iter().zip(counts);
            arms.map(|(truth, count)| draw::respond(random, truth, cap, count)).collect()
        };
        stages.iter().zip(&exposures).map(of).collect()
    }

    fn lose(&mut self, design: &Design, truths: &[Truth], totals: &[Totals]) {
        let metric = design.metric();
        let worths: Vec<f64> =
            truths.iter().map(|truth| metric.direction.sign() * truth.mean_of(metric.kind)).collect();
        let served: Vec<f64> = worths
            .iter()
            .enumerate()
            .filter(|(arm, _)| design.is_candidate(*arm))
            .map(|(_, worth)| *worth)
            .collect();
        let best = served.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exposures: u64 = totals.iter().map(|totals| totals.exposures).sum();
        let lost =
            totals.iter().zip(&worths).map(|(totals, worth)| as_f64(totals.exposures) * (best - worth));
        self.lost += lost.sum::<f64>();
        self.lost_evenly += as_f64(exposures) * (best - served.iter().sum::<f64>() / served.len() as f64);
        self.exposures += exposures;
    }
}

fn in_part(cells: &[Cell], part: usize) -> Vec<Cell> {
    cells.iter().filter(|cell| cell.segment() == part).cloned().collect()
}
