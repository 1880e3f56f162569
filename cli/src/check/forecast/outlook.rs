//! The figures of a forecast.

use std::num::NonZero;
use std::ops::Range;
use std::time::{Duration, Instant};

use experiment::forecast::{Course, End, Forecast, Harm, Seen, Watch, decided_after, part};

use crate::terminal::note;
use crate::text::thousands;

/// With how large a chance a lift has to be found to be called seen.
pub(super) const SEEN: f64 = 0.8;

/// Experiments of each lift that is told: shares are good to six or seven points then.
pub(super) const EXPERIMENTS: u64 = 200;

/// Two of three changes of copy move a mean by less than a tenth (`docs/statistics.md`); a test that sees no fifth will most
/// likely see nothing.
const BOLD: f64 = 0.2;

/// A campaign may run for a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// After so long a line tells how far it is, and again after as long.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// How a test will go.
#[derive(Debug)]
pub(super) struct Outlook {
    /// The smallest lift that is seen, if any is.
    pub(super) smallest: Option<f64>,
    /// What becomes of a few lifts, rising; the first is none at all.
    pub(super) cases: Vec<Case>,
    /// The lift that could be called worth having where none is, or a smaller one, and what becomes of equal variants then.
    pub(super) named: Option<Case>,
    /// What would help where it sees too little.
    pub(super) remedies: Vec<Remedy>,
}

/// What becomes of tests in which one variant is better by a lift.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) lift: f64,
    pub(super) ends: Vec<End>,
}

/// A change of the campaign, and the smallest lift that is seen then.
#[derive(Debug)]
pub(super) struct Remedy {
    pub(super) change: Change,
    pub(super) smallest: Option<f64>,
}

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// One variant in place of so many.
    Fewer { variants: usize },
    /// As long as this.
    Longer { longest: Duration },
}

impl Case {
    /// The part of the tests that name the better variant; of a lift of none, that name any.
    pub(super) fn winner(&self) -> f64 {
        if self.lift > 0.0 { part(&self.ends, End::is_found) } else { part(&self.ends, is_winner) }
    }

    /// After how long a part of the tests is decided.
    pub(super) fn after(&self, chance: f64) -> Option<Duration> {
        decided_after(&self.ends, chance)
    }
}

fn is_winner(end: &End) -> bool {
    matches!(end.verdict, experiment::Verdict::Winner { .. })
}

/// The lift that a test should see: the one that is worth having, where one was named.
pub(super) fn wanted(forecast: &Forecast) -> f64 {
    forecast.design().stopping().worthwhile_lift().unwrap_or(BOLD)
}

impl Outlook {
    /// By playing experiments.
    pub(super) fn of(forecast: &Forecast, stage: &mut Stage<'_>) -> Self {
        let seen = stage.smallest(forecast);
        let smallest = seen.as_ref().map(|seen| seen.lift);
        let others = others(forecast, smallest).into_iter();
        let mut cases: Vec<Case> = others.map(|lift| stage.case(forecast, lift)).collect();
        cases.extend(seen.map(|Seen { lift, ends }| Case { lift, ends }));
        cases.sort_by(|one, other| one.lift.total_cmp(&other.lift));
        let is_enough = smallest.is_some_and(|smallest| smallest <= wanted(forecast));
        let remedies = if is_enough { Vec::new() } else { remedies(forecast, stage) };
        Self { named: named(forecast, smallest, stage), smallest, cases, remedies }
    }
}

/// The lifts that are told beside the smallest that is seen: none at all, what is worth having, and twice the smallest.
fn others(forecast: &Forecast, smallest: Option<f64>) -> Vec<f64> {
    let worthwhile = forecast.design().stopping().worthwhile_lift();
    let seen = smallest.map_or(vec![wanted(forecast), 1.0], |smallest| vec![2.0 * smallest]);
    let mut lifts: Vec<f64> = [0.0].into_iter().chain(worthwhile).chain(seen).collect();
    let is_same = |one: f64, other: f64| (one - other).abs() < 1e-9;
    lifts.retain(|&lift| {
        lift <= forecast.largest_lift() && smallest.is_none_or(|smallest| !is_same(lift, smallest))
    });
    lifts.sort_by(f64::total_cmp);
    lifts.dedup_by(|one, other| is_same(*one, *other));
    lifts
}

/// What it would bring to call the smallest lift that is seen worth having.
fn named(forecast: &Forecast, smallest: Option<f64>, stage: &mut Stage<'_>) -> Option<Case> {
    let worthwhile = forecast.design().stopping().worthwhile_lift();
    let lift = smallest.filter(|smallest| worthwhile.is_none_or(|named| named < *smallest))?;
    let naming = forecast.with_worthwhile_lift(lift).ok()?;
    Some(Case { lift, ..stage.case(&naming, 0.0) })
}

fn remedies(forecast: &Forecast, stage: &mut Stage<'_>) -> Vec<Remedy> {
    let variants = forecast.design().arms().len() - 1;
    let longest = LONGEST.min(2 * forecast.prospect().longest);
    let fewer = (variants > 1).then(|| (Change::Fewer { variants }, Ok(forecast.with_variants(1))));
    let longer = (longest > forecast.prospect().longest)
        .then(|| (Change::Longer { longest }, forecast.lasting(longest)));
    let changed = fewer.into_iter().chain(longer);
    changed
        .filter_map(|(change, changed)| {
            let seen = stage.smallest(&changed.ok()?);
            Some(Remedy { change, smallest: seen.map(|seen| seen.lift) })
        })
        .collect()
}

/// Where experiments are played: on all cores, and telling how far they are when it takes long.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    placement: &'a str,
    played: u64,
    told: Instant,
    /// What experiments serve in which nothing differs, once a guardrail asks.
    courses: Vec<Course>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(placement: &'a str) -> Self {
        Self { placement, played: 0, told: Instant::now(), courses: Vec::new() }
    }

    fn smallest(&mut self, forecast: &Forecast) -> Option<Seen> {
        forecast.smallest_lift(SEEN, EXPERIMENTS, |lift, seeds| self.play(forecast, lift, seeds))
    }

    fn case(&mut self, forecast: &Forecast, lift: f64) -> Case {
        Case { lift, ends: self.play(forecast, lift, 1..1 + EXPERIMENTS) }
    }

    /// The smallest harm that a guardrail shows, of experiments in which nothing else differs.
    pub(super) fn smallest_harm(&mut self, forecast: &Forecast, watch: &Watch) -> Option<Harm> {
        if self.courses.is_empty() {
            self.courses = in_parallel(1..1 + EXPERIMENTS, |seed| forecast.course(seed));
        }
        let course = |seed: u64| &self.courses[seed as usize - 1];
        watch.smallest_harm(SEEN, EXPERIMENTS, |increase, seeds| {
            in_parallel(seeds, |seed| forecast.harm_after(course(seed), watch, increase, seed))
        })
    }

    fn play(&mut self, forecast: &Forecast, lift: f64, seeds: Range<u64>) -> Vec<End> {
        self.played += seeds.end - seeds.start;
        let ends = in_parallel(seeds, |seed| forecast.play(lift, seed));
        if self.told.elapsed() >= TELL_EVERY {
            let played = i64::try_from(self.played).unwrap_or(i64::MAX);
            note(&format!("{}: {} experiments were played so far", self.placement, thousands(played)));
            self.told = Instant::now();
        }
        ends
    }
}

/// The same in the same order, however many cores there are.
fn in_parallel<T: Send>(seeds: Range<u64>, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let size = (seeds.end - seeds.start).div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let parts = seeds.clone().step_by(size as usize).map(|first| {
            let (play, last) = (&play, (first + size).min(seeds.end));
            scope.spawn(move || (first..last).map(play).collect::<Vec<T>>())
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().expect("no experiment panics")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_cores_there_are_nothing_is_lost() {
        assert_eq!(in_parallel(1..48, |seed| seed), (1..48).collect::<Vec<u64>>());
        assert_eq!(in_parallel(5..6, |seed| seed), [5]);
    }
}
