//! The rows that are kept, all rounds together, and the mean rewards that are learned from them.

use super::log::{Block, Group, Log, Squares, Sums};
use super::overlap::LeftOut;

/// Sums by cell, arm and group.
pub(super) struct Pooled {
    pub(super) cells: Vec<Vec<Arm>>,
    /// Each arm over all cells, for cells that never showed it.
    arms: Vec<Arm>,
    /// All arms over all cells.
    pub(super) all: Arm,
    pub(super) squares: Squares,
}

/// Sums by group, and over all of them.
#[derive(Clone)]
pub(super) struct Arm {
    pub(super) groups: Vec<Sums>,
    pub(super) total: Sums,
}

impl Arm {
    fn new() -> Self {
        Self { groups: vec![Sums::default(); Group::COUNT], total: Sums::default() }
    }

    fn add(&mut self, block: &Block) {
        self.groups.iter_mut().zip(&block.groups).for_each(|(sums, more)| *sums = sums.plus(more));
        self.total = self.total.plus(&block.total());
    }

    /// The mean reward, if there is a row.
    fn mean(&self) -> Option<f64> {
        (self.total.rows > 0.0).then(|| self.total.rewards / self.total.rows)
    }

    /// The mean reward of all other groups, if they have a row.
    fn mean_without(&self, group: usize) -> Option<f64> {
        let rows = self.total.rows - self.groups[group].rows;
        (rows > 0.0).then(|| (self.total.rewards - self.groups[group].rewards) / rows)
    }
}

impl Pooled {
    pub(super) fn new(log: &Log, left_out: &[LeftOut]) -> Self {
        let mut pooled =
            Self { cells: Vec::new(), arms: Vec::new(), all: Arm::new(), squares: Squares::default() };
        let is_kept = |round: usize| left_out.iter().all(|left| left.round != round);
        for (&(_, cell), arms) in log.blocks.iter().filter(|((round, _), _)| is_kept(*round)) {
            for (arm, block) in arms.iter().enumerate().filter(|(_, block)| !block.groups.is_empty()) {
                pooled.add(cell, arm, block);
            }
        }
        pooled
    }

    fn add(&mut self, cell: usize, arm: usize, block: &Block) {
        grown(grown(&mut self.cells, cell, Vec::new), arm, Arm::new).add(block);
        grown(&mut self.arms, arm, Arm::new).add(block);
        self.all.add(block);
        self.squares.join(block.squares);
    }

    /// The mean reward of `arm` in `cell`; of a cell that never showed it, in all cells.
    pub(super) fn mean(&self, cell: usize, arm: usize) -> f64 {
        let means = [self.cells[cell][arm].mean(), self.arms[arm].mean(), self.all.mean()];
        means.into_iter().flatten().next().unwrap_or(0.0)
    }

    /// The same without the rows of `group`.
    pub(super) fn mean_without(&self, group: usize, cell: usize, arm: usize) -> f64 {
        let from = [&self.cells[cell][arm], &self.arms[arm], &self.all];
        from.into_iter().find_map(|arm| arm.mean_without(group)).unwrap_or(0.0)
    }

    /// Every arm of every cell, with the numbers of both.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, usize, &Arm)> {
        let arms = |(cell, arms): (usize, _)| {
            let arms: &Vec<Arm> = arms;
            arms.iter().enumerate().map(move |(arm, sums)| (cell, arm, sums))
        };
        self.cells.iter().enumerate().flat_map(arms)
    }
}

/// The entry at `index`, with as many more before it as there must be.
fn grown<T>(list: &mut Vec<T>, index: usize, new: fn() -> T) -> &mut T {
    if list.len() <= index {
        list.resize_with(index + 1, new);
    }
    &mut list[index]
}
