//! What is true.

use std::ops::Range;

use super::keenness;
use super::trend::Trend;
use super::truth::Truth;
use crate::metric::Kind;
use crate::totals::as_f64;

/// What is true. Lists that are empty stand for what most worlds have: [`World::steady`] fills in the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// By arm; arm 0 is the control.
    pub arms: Vec<Truth>,
    /// What moves all arms alike, one multiplied by the other; empty where nothing does.
    pub trends: Vec<Trend>,
    /// Exposures of each round, all arms together. Where people come back, their visits make the exposures, and only the
    /// number of rounds counts.
    pub rounds: Vec<u64>,
    /// Groups of people who respond each in their way; empty where all are alike, else `arms` is not asked.
    pub segments: Vec<Segment>,
    /// In which rounds, counted from 0, an arm is served, by arm; empty where all always are.
    pub served: Vec<Range<usize>>,
    /// How many rounds pass until the rewards of a round are known.
    pub delay: usize,
    /// People who come back; `None` where everybody comes once.
    pub people: Option<People>,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its part of all exposures; those of all segments sum to 1.
    pub share: f64,
    /// How its people respond, by arm.
    pub arms: Vec<Truth>,
}

/// People who come back. Each has a rate of their own: those of their segment times a factor that is drawn once from a
/// gamma distribution of shape ½ and mean 1, so that few are keen and most are not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct People {
    /// How many there are.
    pub number: usize,
    /// The chance that one comes in a round.
    pub visits: f64,
    /// How those are counted who came before.
    pub counted: Counted,
    /// After how many rounds a new seed deals all people anew; `None` where one seed serves for good.
    pub reseeded_every: Option<usize>,
}

/// How a person is counted who comes again under the same seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// Once: an exposure whose arm was drawn by the shares of its round. This is what Broadside does.
    #[default]
    OncePerSeed,
    /// In every round again. The arm is known before, so the shares are not its chance, and nothing that is estimated
    /// holds.
    EveryRound,
}

impl World {
    /// A steady world of rewards of 1, with `rounds` rounds of `exposures`.
    #[must_use]
    pub fn steady(rates: &[f64], rounds: usize, exposures: u64) -> Self {
        let arms = rates.iter().map(|&rate| Truth::rate(rate)).collect();
        Self { arms, rounds: vec![exposures; rounds], ..Self::default() }
    }

    /// The best mean among the arms, where more is better, in the first half.
    #[must_use]
    pub fn best_mean(&self) -> f64 {
        self.arms.iter().map(Truth::mean).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The mean rewards that an exposure to `arm`, and one to the control, have over those of the first so many `rounds` in
    /// which the arm is served, and all segments; `None` where there are none.
    ///
    /// Both are of the same rounds: rates move, and of rounds in which an arm was not there nothing can be said of it.
    ///
    /// ```
    /// use experiment::Kind;
    /// use experiment::simulation::World;
    ///
    /// let world = World { served: vec![0..4, 2..4], ..World::steady(&[0.02, 0.03], 4, 1000) };
    /// assert_eq!(world.means(1, 4, Kind::Binary), Some([0.03, 0.02]));
    /// assert_eq!(world.means(1, 2, Kind::Binary), None);
    /// ```
    #[must_use]
    pub fn means(&self, arm: usize, rounds: usize, kind: Kind) -> Option<[f64; 2]> {
        let (mut sums, mut weights) = ([0.0; 2], 0.0);
        let served = (0..rounds.min(self.rounds.len())).filter(|&round| self.is_served(arm, round));
        for (round, part) in served.flat_map(|round| (0..self.parts()).map(move |part| (round, part))) {
            let weight = self.share(part) * self.expected(round);
            let truths = self.expected_truths(part, round);
            for (sum, arm) in sums.iter_mut().zip([arm, 0]) {
                *sum += weight * truths[arm].mean_of(kind);
            }
            weights += weight;
        }
        (weights > 0.0).then(|| sums.map(|sum| sum / weights))
    }

    /// How many exposures a round has, at least in proportion to the others: of people who are counted once, those who did
    /// not come since they were dealt.
    fn expected(&self, round: usize) -> f64 {
        let Some(people) = self.people else { return as_f64(self.rounds[round]) };
        let since = people.reseeded_every.map_or(round, |every| round % every);
        match people.counted {
            Counted::OncePerSeed => (1.0 - people.visits).powf(since as f64),
            Counted::EveryRound => 1.0,
        }
    }

    /// How people respond in a round, by arm, all of them together: where each has a rate of their own, none acts more than
    /// always.
    pub(super) fn expected_truths(&self, part: usize, round: usize) -> Vec<Truth> {
        let mut truths = self.truths(part, round);
        if self.people.is_some() {
            truths.iter_mut().for_each(|truth| truth.rate = keenness::mean_rate(truth.rate));
        }
        truths
    }

    /// How many groups are told apart; at least 1.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.segments.len().max(1)
    }

    fn share(&self, part: usize) -> f64 {
        self.segments.get(part).map_or(1.0, |segment| segment.share)
    }

    /// The parts of all exposures.
    pub(super) fn shares(&self) -> Vec<f64> {
        (0..self.parts()).map(|part| self.share(part)).collect()
    }

    /// How people respond in a round, by arm.
    pub(super) fn truths(&self, part: usize, round: usize) -> Vec<Truth> {
        let arms = self.segments.get(part).map_or(&self.arms, |segment| &segment.arms);
        let rounds = self.rounds.len();
        let factor: f64 = self.trends.iter().map(|trend| trend.factor(round, rounds)).product();
        let of = |truth: &Truth| {
            let rate = if 2 * round >= rounds { truth.later_rate } else { truth.rate };
            let rate = (rate * factor).clamp(0.0, 1.0);
            Truth { rate, later_rate: rate, ..*truth }
        };
        arms.iter().map(of).collect()
    }

    /// Whether `arm` is served in `round`, counted from 0.
    #[must_use]
    pub fn is_served(&self, arm: usize, round: usize) -> bool {
        self.served.get(arm).is_none_or(|rounds| rounds.contains(&round))
    }
}
