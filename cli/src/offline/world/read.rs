//! Form → what can be played: a question without data, and a world that answers it.

mod people;
mod trends;

use experiment::simulation::World;
use experiment::{Features, Policy};

use super::super::document::{self, Document, Flags, SegmentFacts};
use super::super::fault::{Fault, WorldProblem};
use super::super::limits::MOST_PARTS;
use super::super::number::Fields;
use super::super::parse;
use super::super::place::{Place, shortened};
use super::super::read::{self, Question, check_name, count};
use super::form;
use people::Reader;

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

    /// About how much there is to play: what is looked at in all rounds, and everybody who may be drawn one by one.
    #[must_use]
    pub fn steps(&self) -> u64 {
        let World { rounds, delay, people, .. } = &self.world;
        let played = rounds.len() as u64;
        let looked_at =
            played * (played + *delay as u64) * (self.world.parts() * self.question.names.len()) as u64;
        let visits = people.map_or(0, |people| people.number as u64 * played);
        looked_at + rounds.iter().sum::<u64>() + visits
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
