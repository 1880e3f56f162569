//! Form → what can be played: a question without data, and a world that answers it.

use std::ops::Range;

use api::Percent;
use experiment::simulation::{Counted, People, Segment, Trend, Truth, World, Worth};
use experiment::{Features, Kind, Policy};

use super::super::document::{self, Document, Flags, SegmentFacts};
use super::super::fault::Fault;
use super::super::number::{Count, Fields, Named};
use super::super::parse;
use super::super::place::{Place, shortened};
use super::super::read::{self, Question, check_name, count, fraction};
use super::form;
use super::problem::WorldProblem;

/// As much as rounds² × segments × variants may be: every round looks at all before it, and some minutes are enough.
pub(super) const MOST_STEPS: u64 = 250_000_000;
/// As many exposures as may be drawn.
pub(super) const MOST_EXPOSURES: u64 = 1_000_000_000;
/// As many segments × variants as may be told apart.
pub(super) const MOST_PARTS: usize = 10_000;
/// As many rounds as may pass until rewards are known.
pub(super) const MOST_DELAY: u64 = 10_000;
/// As many trends as may be multiplied.
pub(super) const MOST_TRENDS: usize = 10;
/// As many visits as may be drawn, each by itself.
pub(super) const MOST_VISITS: u64 = 50_000_000;

/// A world that makes sense, and the experiment that is made in it.
#[derive(Clone, Debug)]
pub struct Played {
    /// Without data.
    pub(super) question: Question,
    pub(super) policy: Policy,
    pub(super) features: Option<Features>,
    pub(super) world: World,
    pub(super) seed: u64,
}

impl Played {
    /// The world that `bytes` describe; `docs/simulate.md` has the form.
    ///
    /// # Errors
    /// When the bytes are no such form, or contradict themselves.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        read(&parse::parse(bytes)?)
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The seed that draws all chance.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The control.
    #[must_use]
    pub fn control(&self) -> &str {
        &self.question.names[0]
    }

    /// The rate of `variant` in the first half of the rounds, of everybody or of one segment.
    ///
    /// # Errors
    /// When the world knows no such variant or segment.
    pub fn rate(&self, variant: &str, segment: Option<&str>) -> Result<f64, Fault> {
        let unknown = |place: &str, name: &str, known: &[String]| {
            let problem = WorldProblem::NotInWorld(known.join(", "));
            Fault::at(&Place::default().field(place).entry(name), problem.into())
        };
        let names = &self.question.names;
        let arm = names.iter().position(|name| name == variant);
        let arm = arm.ok_or_else(|| unknown("variants", variant, names))?;
        let of = |segment: usize| self.world.segments[segment].arms[arm].rate;
        match (&self.question.segments, segment) {
            (None, _) => Ok(self.world.arms[arm].rate),
            (Some(all), Some(segment)) => {
                let index = all.iter().position(|name| name == segment);
                index.map(of).ok_or_else(|| unknown("segments", segment, all))
            }
            (Some(_), None) => {
                let segments = self.world.segments.iter();
                Ok(segments.map(|segment| segment.share * segment.arms[arm].rate).sum())
            }
        }
    }
}

fn read(form: &form::World) -> Result<Played, Fault> {
    check_names(form)?;
    let question = read::read(document(form))?;
    let (policy, features) = question.policy()?;
    let world = Reader { form, question: &question }.world()?;
    let seed = count(&Place::default().field("seed"), &form.seed)?;
    Ok(Played { question, policy, features, world, seed })
}

/// What would else be said of rounds and allocations, which a world has not.
fn check_names(form: &form::World) -> Result<(), Fault> {
    let root = Place::default();
    let variants = form.variants.keys().map(|name| ("variants", name));
    for (field, name) in variants.chain(form.segments.keys().map(|name| ("segments", name))) {
        check_name(&root.field(field).entry(name), name)?;
    }
    if form.variants.len() < 2 {
        return Err(Fault::at(&root.field("variants"), WorldProblem::Alone.into()));
    }
    if !form.variants.contains_key(&form.control) {
        let known: Vec<String> = form.variants.keys().take(10).map(|name| shortened(name)).collect();
        let problem =
            WorldProblem::UnknownControl { control: shortened(&form.control), known: known.join(", ") };
        return Err(Fault::at(&root.field("control"), problem.into()));
    }
    let parts = form.segments.len().max(1).saturating_mul(form.variants.len());
    if parts > MOST_PARTS {
        return Err(Fault::at(&root.field("variants"), WorldProblem::TooManyParts.into()));
    }
    Ok(())
}

/// The totals that one would write down before anybody came.
fn document(form: &form::World) -> Document {
    let names = || form.variants.keys().cloned();
    let flags = |truth: &form::Truth| Flags { generation: truth.generation.clone(), retired: false };
    let facts = |group: &form::Group| SegmentFacts { features: group.features.clone() };
    let round = document::Round::empty(names(), form.segments.keys().cloned());
    Document {
        metric: form.metric.clone(),
        basis: document::Basis::Randomized,
        control: form.control.clone(),
        confidence: form.confidence.clone(),
        maximum_loss: form.maximum_loss.clone(),
        worthwhile_lift: form.worthwhile_lift.clone(),
        minimum_per_variant: document::minimum_per_variant(),
        elapsed: None,
        maximum_duration: None,
        planned_exposures: None,
        guardrails: Vec::new(),
        variants: form.variants.iter().map(|(name, truth)| (name.clone(), Fields(flags(truth)))).collect(),
        segments: form.segments.iter().map(|(name, group)| (name.clone(), Fields(facts(group)))).collect(),
        policy: form.policy.clone(),
        rounds: vec![Fields(round)],
    }
}

/// A form beside its question, which knows arms and segments by index.
struct Reader<'a> {
    form: &'a form::World,
    question: &'a Question,
}

impl Reader<'_> {
    fn world(&self) -> Result<World, Fault> {
        let root = Place::default();
        let form = self.form;
        let rounds = self.rounds()?;
        let arms = self.by_arm(|name, truth, place| self.truth(name, truth, None, &place))?;
        let served = self.by_arm(|name, truth, place| self.served(name, truth, rounds.len(), &place))?;
        let world = World {
            segments: self.segments()?,
            arms,
            trends: trends(&form.trends)?,
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
                let of = |field: &str, sum: &super::super::number::Sum| {
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

fn trends(trends: &[Fields<form::Trend>]) -> Result<Vec<Trend>, Fault> {
    let place = Place::default().field("trends");
    if trends.len() > MOST_TRENDS {
        return Err(Fault::at(&place, WorldProblem::TooManyTrends.into()));
    }
    trends.iter().enumerate().map(|(index, form)| trend(form, &place.index(index))).collect()
}

fn trend(form: &form::Trend, place: &Place) -> Result<Trend, Fault> {
    match (&form.linear, &form.wave, &form.sale) {
        (Some(linear), None, None) => {
            Ok(Trend::Linear(fraction(&place.field("linear").field("to"), &linear.to)?))
        }
        (None, Some(wave), None) => self::wave(wave, &place.field("wave")),
        (None, None, Some(sale)) => self::sale(sale, &place.field("sale")),
        _ => Err(Fault::at(place, WorldProblem::OneTrend.into())),
    }
}

fn wave(wave: &form::Wave, place: &Place) -> Result<Trend, Fault> {
    let amplitude = fraction(&place.field("amplitude"), &wave.amplitude)?;
    if amplitude > 1.0 {
        let problem = WorldProblem::Amplitude(wave.amplitude.0.clone());
        return Err(Fault::at(&place.field("amplitude"), problem.into()));
    }
    let rounds = count(&place.field("rounds"), &wave.rounds)?;
    if rounds < 2 {
        return Err(Fault::at(&place.field("rounds"), WorldProblem::Period.into()));
    }
    Ok(Trend::Wave { amplitude, period: rounds as f64 })
}

fn sale(sale: &form::Sale, place: &Place) -> Result<Trend, Fault> {
    let part = |field: &str, percent: &Percent, least: f64| {
        let place = place.field(field);
        match fraction(&place, percent)? {
            part if (least..=1.0).contains(&part) => Ok(part),
            _ => Err(Fault::at(&place, WorldProblem::Part(percent.0.clone()).into())),
        }
    };
    let from = part("from", &sale.from, 0.0)?;
    let until = sale.until.as_ref().map_or(Ok(1.0), |until| part("until", until, from))?;
    Ok(Trend::Sale { from, until, factor: fraction(&place.field("factor"), &sale.factor)? })
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

impl document::Round {
    /// The round before anybody came, in which all have about the same share.
    fn empty(names: impl Iterator<Item = String> + Clone, segments: impl Iterator<Item = String>) -> Self {
        let number = names.clone().count() as u32;
        let share = |index: u32| 1_000_000 / number + u32::from(index < 1_000_000 % number);
        let allocation: Named<Count> =
            (0..).zip(names).map(|(index, name)| (name, Count::new(share(index)))).collect();
        let segment = document::Segment { allocation: allocation.clone(), totals: Named::default() };
        let segments: Named<Fields<document::Segment>> =
            segments.map(|name| (name, Fields(segment.clone()))).collect();
        let of_all = segments.is_empty().then_some((allocation, Named::default()));
        let (allocation, totals) = of_all.unzip();
        Self {
            number: Count::new(1),
            open: false,
            allocation,
            totals,
            segments: (!segments.is_empty()).then_some(segments),
        }
    }
}
