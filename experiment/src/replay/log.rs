//! Rows go in, sums by group are kept.

use std::collections::{BTreeMap, BTreeSet};

use siphasher::sip::SipHasher24;

/// The largest distance from 1 at which chances still count as summing to 1: decimals that a log writes are rounded.
pub(super) const SLACK: f64 = 1e-6;

/// As many rounds × cells × arms as a log may have; each takes 10 KiB.
const MOST_BLOCKS: usize = 20_000;

/// One of 256 groups of subjects: enough that the noise of a standard error, √(1/2·256), is 4 %, and so few that sums by
/// group fit into memory however long a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(u8);

impl Group {
    /// How many there are.
    pub const COUNT: usize = 256;

    /// The group of a subject, or of a row's number where each row is somebody else: a hash, so that no order of the log
    /// shows in the groups. The same on every platform.
    #[must_use]
    pub fn of(subject: &[u8]) -> Self {
        let [first, ..] = SipHasher24::new_with_keys(0, 0).hash(subject).to_le_bytes();
        Self(first)
    }

    /// The group of this number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number)
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

/// What the log's policy showed once, and what the other one might have shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// The round. Within a round, chances in a cell are the same.
    pub round: usize,
    /// The cell of the model of rewards, such as a segment.
    pub cell: usize,
    /// What was shown.
    pub arm: usize,
    /// The chance with which it was drawn, above 0.
    pub probability: f64,
    /// What it brought, 0 or more.
    pub reward: f64,
    /// The group of whom it was shown to.
    pub group: Group,
    /// Arms and their chances under the other policy, which sum to 1; each arm once, and what is left out has none.
    pub policy: &'a [(usize, f64)],
}

/// Why a row makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RowError {
    /// What has no chance can't have been drawn.
    #[error("probability {0} is not above 0 and at most 1")]
    Probability(f64),
    /// Rewards are 0 or more.
    #[error("reward {0} is not a number of 0 or more")]
    Reward(f64),
    /// Somebody would be shown nothing, or two things.
    #[error("the policy's chances sum to {0} and not to 1")]
    Policy(f64),
    /// More sums than memory should hold.
    #[error("there are more than {MOST_BLOCKS} rounds × cells × arms")]
    TooMany,
}

/// The sums of a log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// By round and cell, then by arm.
    pub(super) blocks: BTreeMap<(usize, usize), Vec<Block>>,
    used: usize,
}

/// The sums of one arm in one cell of one round.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// By group; empty before anything is added.
    pub(super) groups: Vec<Sums>,
    pub(super) chances: Chances,
    pub(super) squares: Squares,
}

/// Sums over the rows that an arm was shown in; but for `shares`, which is over all rows of the cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Σ 1
    pub(super) rows: f64,
    /// Σ y
    pub(super) rewards: f64,
    /// Σ w
    pub(super) weights: f64,
    /// Σ w y
    pub(super) weighed: f64,
    /// Σ π(arm)
    pub(super) shares: f64,
}

/// The chances with which an arm was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chances {
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

/// What tells on how few rows an estimate rests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Squares {
    /// Σ w²
    pub(super) weights: f64,
    /// Σ (w y)²
    pub(super) weighed: f64,
    /// max w
    pub(super) largest: f64,
}

impl Log {
    /// Adds a row.
    ///
    /// # Errors
    /// When the row makes no sense, or there are too many rounds, cells and arms; the log is then as before.
    pub fn add(&mut self, row: &Row) -> Result<(), RowError> {
        let weight = weight(row)?;
        let used = self.used + self.unused(row);
        if used > MOST_BLOCKS {
            return Err(RowError::TooMany);
        }
        self.used = used;
        let arms = self.blocks.entry((row.round, row.cell)).or_default();
        let group = row.group.index();
        for &(arm, share) in row.policy.iter().filter(|(_, share)| *share > 0.0) {
            block(arms, arm).groups[group].shares += share;
        }
        block(arms, row.arm).add(row, weight);
        Ok(())
    }

    /// The arms that any row has, in their order.
    #[must_use]
    pub fn shown(&self) -> Vec<usize> {
        let blocks = self.blocks.values().flat_map(|arms| arms.iter().enumerate());
        let shown = blocks.filter(|(_, block)| block.chances.highest > 0.0);
        shown.map(|(arm, _)| arm).collect::<BTreeSet<usize>>().into_iter().collect()
    }

    /// How many blocks the row would be the first of.
    fn unused(&self, row: &Row) -> usize {
        let arms = self.blocks.get(&(row.round, row.cell)).map_or(&[][..], Vec::as_slice);
        let is_unused = |arm: &usize| arms.get(*arm).is_none_or(|block| block.groups.is_empty());
        let others = row.policy.iter().filter(|(arm, share)| *share > 0.0 && *arm != row.arm);
        others.map(|(arm, _)| *arm).chain([row.arm]).filter(is_unused).count()
    }
}

/// The weight of a row, if it makes sense.
fn weight(row: &Row) -> Result<f64, RowError> {
    if !(row.probability > 0.0 && row.probability <= 1.0) {
        return Err(RowError::Probability(row.probability));
    }
    if !(row.reward >= 0.0 && row.reward.is_finite()) {
        return Err(RowError::Reward(row.reward));
    }
    let sum: f64 = row.policy.iter().map(|(_, share)| share).sum();
    let is_share = |&(_, share): &(usize, f64)| (0.0..=1.0 + SLACK).contains(&share);
    if !(row.policy.iter().all(is_share) && (sum - 1.0).abs() <= SLACK) {
        return Err(RowError::Policy(sum));
    }
    let share = row.policy.iter().find(|(arm, _)| *arm == row.arm).map_or(0.0, |(_, share)| *share);
    Ok(share / row.probability)
}

/// The block of `arm`, made if it is not there.
fn block(arms: &mut Vec<Block>, arm: usize) -> &mut Block {
    if arms.len() <= arm {
        arms.resize_with(arm + 1, Block::default);
    }
    let block = &mut arms[arm];
    if block.groups.is_empty() {
        block.groups = vec![Sums::default(); Group::COUNT];
    }
    block
}

impl Block {
    fn add(&mut self, row: &Row, weight: f64) {
        let sums = &mut self.groups[row.group.index()];
        let weighed = weight * row.reward;
        sums.rows += 1.0;
        sums.rewards += row.reward;
        sums.weights += weight;
        sums.weighed += weighed;
        self.squares.join(Squares { weights: weight * weight, weighed: weighed * weighed, largest: weight });
        self.chances.lowest = self.chances.lowest.min(row.probability);
        self.chances.highest = self.chances.highest.max(row.probability);
    }

    /// Over all groups.
    pub(super) fn total(&self) -> Sums {
        self.groups.iter().fold(Sums::default(), |total, sums| total.plus(sums))
    }
}

impl Sums {
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            rewards: self.rewards + other.rewards,
            weights: self.weights + other.weights,
            weighed: self.weighed + other.weighed,
            shares: self.shares + other.shares,
        }
    }
}

impl Squares {
    pub(super) fn join(&mut self, other: Self) {
        self.weights += other.weights;
        self.weighed += other.weighed;
        self.largest = self.largest.max(other.largest);
    }
}

impl Default for Chances {
    fn default() -> Self {
        Self { lowest: f64::INFINITY, highest: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        round: 0,
        cell: 0,
        arm: 1,
        probability: 0.5,
        reward: 1.0,
        group: Group(7),
        policy: &[(1, 1.0)],
    };

    #[test]
    fn rows_that_make_no_sense_are_refused_and_change_nothing() {
        let check = |row: Row, expected| {
            let mut log = Log::default();
            assert_eq!(log.add(&row), Err(expected));
            assert!(log.blocks.is_empty());
        };
        for probability in [0.0, -0.1, 1.1, f64::INFINITY] {
            check(Row { probability, ..ROW }, RowError::Probability(probability));
        }
        for reward in [-1.0, f64::INFINITY] {
            check(Row { reward, ..ROW }, RowError::Reward(reward));
        }
        check(Row { policy: &[(0, 0.5), (1, 0.4)], ..ROW }, RowError::Policy(0.9));
        check(Row { policy: &[(0, 1.5), (1, -0.5)], ..ROW }, RowError::Policy(1.0));
        check(Row { policy: &[], ..ROW }, RowError::Policy(0.0));
    }

    #[test]
    fn memory_has_a_bound() {
        let mut log = Log { used: MOST_BLOCKS - 1, ..Log::default() };
        assert_eq!(log.add(&ROW), Ok(()));
        assert_eq!(log.add(&ROW), Ok(()));
        assert_eq!(log.add(&Row { round: 1, ..ROW }), Err(RowError::TooMany));
    }

    #[test]
    fn groups_are_about_equal_and_do_not_follow_the_order_of_rows() {
        let mut rows = [0_u32; Group::COUNT];
        (0..256_000_u64).for_each(|row| rows[Group::of(&row.to_le_bytes()).index()] += 1);
        assert!(rows.iter().all(|rows| (850..1150).contains(rows)), "{rows:?}");
    }
}
