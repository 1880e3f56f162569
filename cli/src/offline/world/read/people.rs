//! Who comes, when, and how they respond.

use std::ops::Range;

use api::Percent;
use experiment::Kind;
use experiment::simulation::{Counted, People, Segment, Truth, World, Worth};

use super::super::super::fault::{Fault, WorldProblem};
use super::super::super::limits::{MOST_DELAY, MOST_EXPOSURES, MOST_STEPS, MOST_VISITS};
use super::super::super::number::{Count, Sum};
use super::super::super::place::Place;
use super::super::super::read::{Question, count, fraction};
use super::super::form;
use super::trends;

/// A form beside its question, which knows arms and segments by index.
pub(super) struct Reader<'a> {
    pub(super) form: &'a form::World,
    pub(super) question: &'a Question,
}

impl Reader<'_> {
    pub(super) fn world(&self) -> Result<World, Fault> {
        let root = Place::default();
        let form = self.form;
        let rounds = self.rounds()?;
        let arms = self.by_arm(|name, truth, place| self.truth(name, truth, None, &place))?;
        let served = self.by_arm(|name, truth, place| self.served(name, truth, rounds.len(), &place))?;
        let world = World {
            segments: self.segments()?,
            arms,
            trends: trends::trends(&form.trends)?,
            served,
            delay: self.delay()?,
            people: self.people(rounds.len() as u64)?,
            rounds,
        };
        // Each of the factors was bounded before, so that their product is a number.
        let played = world.rounds.len() as u64 * (world.rounds.len() + world.delay) as u64;
        if played * (world.parts() * world.arms.len()) as u64 > MOST_STEPS {
            return Err(Fault::at(&root.field("rounds"), WorldProblem::TooLong.into()));
        }
        Ok(world)
    }

    fn delay(&self) -> Result<usize, Fault> {
        let place = Place::default().field("delay");
        match count(&place, &self.form.delay)? {
            delay if delay <= MOST_DELAY => Ok(delay as usize),
            _ => Err(Fault::at(&place, WorldProblem::Delay.into())),
        }
    }

    fn by_arm<T>(&self, of: impl Fn(&str, &form::Truth, Place) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let place = Place::default().field("variants");
        let names = self.question.names.iter();
        names.map(|name| of(name, &self.form.variants[name], place.entry(name))).collect()
    }

    fn truth(
        &self,
        name: &str,
        truth: &form::Truth,
        group: Option<(&form::Group, &Place)>,
        place: &Place,
    ) -> Result<Truth, Fault> {
        let own =
            group.and_then(|(group, place)| Some((group.rates.get(name)?, place.field("rates").entry(name))));
        let (rate, later_rate) = match &own {
            Some((own, place)) => {
                let rate = chance(place, own)?;
                (rate, rate)
            }
            None => {
                let rate = chance(&place.field("rate"), &truth.rate)?;
                let later = truth.later_rate.as_ref();
                let later = later.map(|later| chance(&place.field("laterRate"), later)).transpose()?;
                (rate, later.unwrap_or(rate))
            }
        };
        Ok(Truth { rate, later_rate, worth: self.worth(truth, &place.field("worth"))? })
    }

    fn worth(&self, truth: &form::Truth, place: &Place) -> Result<Worth, Fault> {
        match (self.question.design.metric().kind, &truth.worth) {
            (Kind::Binary, None) => Ok(Worth::One),
            (Kind::Binary, Some(_)) => Err(Fault::at(place, WorldProblem::WorthOfBinary.into())),
            (Kind::Value { .. }, None) => Err(Fault::at(place, WorldProblem::WorthMissing.into())),
            (Kind::Value { .. }, Some(worth)) => {
                let of = |field: &str, sum: &Sum| {
                    sum.get().map_err(|problem| Fault::at(&place.field(field), problem))
                };
                let mean = of("mean", &worth.mean)?;
                let deviation = worth.deviation.as_ref().map_or(Ok(0.0), |sum| of("deviation", sum))?;
                if mean <= 0.0 {
                    return Err(Fault::at(&place.field("mean"), WorldProblem::Mean.into()));
                }
                Ok(Worth::log_normal(mean, deviation))
            }
        }
    }

    /// The rounds in which a variant is served, counted from 0.
    fn served(
        &self,
        name: &str,
        truth: &form::Truth,
        rounds: usize,
        place: &Place,
    ) -> Result<Range<usize>, Fault> {
        let last = rounds as u64;
        let (from_place, until_place) = (place.field("fromRound"), place.field("untilRound"));
        let from = within(1, last, &from_place, count(&from_place, &truth.from_round)?)?;
        let until = truth.until_round.as_ref().map(|until| count(&until_place, until)).transpose()?;
        let until = within(from, last, &until_place, until.unwrap_or(last))?;
        let is_control = name == self.form.control;
        let comes_or_goes = [(from > 1, from_place), (until < last, until_place)];
        match comes_or_goes.into_iter().find(|(is_so, _)| is_control && *is_so) {
            Some((_, place)) => Err(Fault::at(&place, WorldProblem::ControlStays.into())),
            None => Ok(from as usize - 1..until as usize),
        }
    }

    fn segments(&self) -> Result<Vec<Segment>, Fault> {
        let place = Place::default().field("segments");
        let mut segments = Vec::new();
        let mut sum = 0;
        for name in self.question.segments.iter().flatten() {
            let (group, place) = (&self.form.segments[name], place.entry(name));
            if let Some(unknown) = group.rates.keys().find(|name| !self.form.variants.contains_key(*name)) {
                let place = place.field("rates").entry(unknown);
                return Err(Fault::at(&place, WorldProblem::UnknownVariant.into()));
            }
            let share = chance(&place.field("share"), &group.share)?;
            sum += (share * 1e6).round() as u32;
            let arms = self.by_arm(|name, truth, of_variant| {
                self.truth(name, truth, Some((group, &place)), &of_variant)
            })?;
            segments.push(Segment { share, arms });
        }
        if !segments.is_empty() && sum != 1_000_000 {
            let sum = Percent::from_parts_per_million(sum).0;
            return Err(Fault::at(&place, WorldProblem::Shares(sum).into()));
        }
        Ok(segments)
    }

    /// Exposures of each round.
    fn rounds(&self) -> Result<Vec<u64>, Fault> {
        let place = Place::default().field("rounds");
        let form::Rounds { number, exposures, growth } = &*self.form.rounds;
        let number = at_least(1, &place.field("number"), number)?;
        let first = at_least(1, &place.field("exposures"), exposures)?;
        let growth = 1.0 + fraction(&place.field("growth"), growth)?;
        if number.saturating_mul(number) > MOST_STEPS {
            return Err(Fault::at(&place, WorldProblem::TooLong.into()));
        }
        // Casts of floats saturate.
        let size = |round: u64| (first as f64 * growth.powf(round as f64)).round() as u64;
        let rounds: Vec<u64> = (0..number).map(size).collect();
        match rounds.iter().fold(0, |sum: u64, size| sum.saturating_add(*size)) {
            0..=MOST_EXPOSURES => Ok(rounds),
            _ => Err(Fault::at(&place, WorldProblem::TooManyExposures.into())),
        }
    }

    fn people(&self, rounds: u64) -> Result<Option<People>, Fault> {
        let Some(people) = &self.form.people else { return Ok(None) };
        let place = Place::default().field("people");
        let form::People { number, visits, counted, reseeded_every } = &**people;
        let number = at_least(1, &place.field("number"), number)?;
        if number.saturating_mul(rounds) > MOST_VISITS {
            return Err(Fault::at(&place, WorldProblem::TooManyVisits.into()));
        }
        let every = reseeded_every.as_ref().map(|every| at_least(1, &place.field("reseededEvery"), every));
        Ok(Some(People {
            number: number as usize,
            visits: chance(&place.field("visits"), visits)?,
            counted: match counted {
                form::Counted::OncePerSeed => Counted::OncePerSeed,
                form::Counted::EveryRound => Counted::EveryRound,
            },
            reseeded_every: every.transpose()?.map(|every| every as usize),
        }))
    }
}

/// A fraction that is at most 1.
fn chance(place: &Place, percent: &Percent) -> Result<f64, Fault> {
    match fraction(place, percent)? {
        chance if chance <= 1.0 => Ok(chance),
        _ => Err(Fault::at(place, WorldProblem::Rate(percent.0.clone()).into())),
    }
}

fn at_least(least: u64, place: &Place, number: &Count) -> Result<u64, Fault> {
    match count(place, number)? {
        found if found >= least => Ok(found),
        _ => Err(Fault::at(place, WorldProblem::Zero.into())),
    }
}

fn within(first: u64, last: u64, place: &Place, found: u64) -> Result<u64, Fault> {
    if (first..=last).contains(&found) {
        Ok(found)
    } else {
        Err(Fault::at(place, WorldProblem::Round { found, first, last }.into()))
    }
}
