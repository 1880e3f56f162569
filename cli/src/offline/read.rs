//! Document → question: the arms, what was settled beforehand, and the cells.

mod arms;
mod cells;
mod features;
mod guardrails;
mod part;
mod settings;
mod totals;

use experiment::{
    Allocation, Cell, Design, Estimate, Features, Guarded, Policy, Remaining, Safety, Standing, Verdict,
};
use operator::sentence::Ended;

use super::allocation::{self, AllocateAnswer};
use super::answer::EstimateAnswer;
use super::document::{self, Basis, Document, Flags, Kind, PolicyType, SegmentFacts};
use super::fault::{Fault, Problem};
use super::number::{Fields, Named};
use super::place::Place;
use super::{answer, delivered, parse};
use arms::Arms;
pub(super) use arms::check_name;
use cells::Cells;
pub(super) use cells::{comparable, is_alone};
pub(super) use guardrails::Watched;
pub(super) use settings::{count, fraction};

/// A document that makes sense: what an experiment is about, and what was counted.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) metric: Measured,
    pub(super) basis: Basis,
    /// By arm; the control first, then by name, whatever the order in the document.
    pub(super) names: Vec<String>,
    pub(super) rounds: usize,
    /// By index, where the document tells segments apart.
    pub(super) segments: Option<Vec<String>>,
    /// The cells in which something can be compared, oldest first; never empty.
    pub(super) cells: Vec<Cell>,
    /// The numbers of their rounds, if anything can be compared.
    pub(super) numbers: Vec<u64>,
    /// By segment, the shares of its last round.
    pub(super) in_force: Vec<Option<Allocation>>,
    /// Whether the last round goes on.
    pub(super) is_open: bool,
    pub(super) design: Design,
    /// The same, in which harm keeps nobody from winning.
    unguarded: Design,
    pub(super) guardrails: Vec<Watched>,
    pub(super) plan: Plan,
    /// Read once it is asked for: an estimate needs none, and the defaults do not fit every number of variants.
    policy: document::Policy,
    facts: Named<Fields<SegmentFacts>>,
    minimum_per_variant: u64,
}

/// How long it was meant to take, and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Exposures that it was planned for.
    pub(super) exposures: Option<u64>,
    /// How long it has run.
    pub(super) elapsed_days: Option<f64>,
    /// Why it is over, if it is.
    pub(super) over: Option<Ended>,
    /// Days of a network that came after its end, and so do not count.
    pub(super) days_after: usize,
}

impl Plan {
    pub(super) fn remaining(&self) -> Remaining {
        if self.over.is_some() { Remaining::Nothing } else { Remaining::Some }
    }
}

/// How people speak of the metric.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) window: Option<String>,
}

impl Question {
    /// The question that a document asks; `docs/offline.md` describes its form.
    ///
    /// # Errors
    /// When the bytes are no such document, or contradict themselves.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        read(parse::parse(bytes)?)
    }

    /// What is known about the variants, over all segments and in each.
    ///
    /// # Errors
    /// Never for a question that could be read, as far as is known; a fault then, and no panic, if it should.
    pub fn estimate(&self) -> Result<EstimateAnswer, Fault> {
        match self.basis {
            Basis::Randomized => answer::answer(self),
            Basis::AsDelivered => delivered::answer(self),
            Basis::NotRandomized => Ok(delivered::numbers(self)),
        }
    }

    /// What is known of a randomized experiment, and what it allows one to say. Whom harm keeps from winning the document says by
    /// `retired`: people may have brought a variant back in spite of what guardrails show.
    ///
    /// # Errors
    /// When who was shown what was not drawn by known shares.
    pub fn judge(&self) -> Result<(Estimate, Verdict), Fault> {
        if self.basis != Basis::Randomized {
            return Err(Fault::at(&"basis", Problem::NotAllocated(self.basis.as_str())));
        }
        answer::judged(&Self { design: self.unguarded.clone(), guardrails: Vec::new(), ..self.clone() })
    }

    /// What is known of each variant's harm: the guardrail's metric, the variant, and the evidence.
    pub fn guarded(&self) -> impl Iterator<Item = (&str, &str, Guarded)> {
        self.guardrails.iter().flat_map(|watched| {
            let known = self.names.iter().zip(&watched.arms);
            known.filter_map(|(name, arm)| Some((watched.name.as_str(), name.as_str(), (*arm)?)))
        })
    }

    /// What an arm is called.
    pub fn name(&self, arm: usize) -> &str {
        &self.names[arm]
    }

    /// How many rounds the document has.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The shares of the next round, of each segment where there are several.
    ///
    /// # Errors
    /// When no shares can be kept as `policy` wants them, or shares are not ours to set.
    pub fn allocate(&self) -> Result<AllocateAnswer, Fault> {
        if self.basis != Basis::Randomized {
            return Err(Fault::at(&"basis", Problem::NotAllocated(self.basis.as_str())));
        }
        let (policy, features) = self.policy()?;
        Ok(allocation::answer(self, &policy, features.as_ref()))
    }

    /// How traffic is divided, and the features of segments where that asks for them.
    pub(super) fn policy(&self) -> Result<(Policy, Option<Features>), Fault> {
        let candidates = (0..self.names.len()).filter(|&arm| self.design.is_candidate(arm)).count();
        let policy = settings::policy(&self.policy, self.minimum_per_variant, candidates)?;
        let features = match self.policy.kind {
            PolicyType::LinearThompson => Some(features::features(self.segments.as_deref(), &self.facts)?),
            PolicyType::Thompson | PolicyType::TopTwo | PolicyType::Even => None,
        };
        Ok((policy, features))
    }

    /// Whether some guardrail shows that the arm harms.
    pub(super) fn is_harmful(&self, arm: usize) -> bool {
        let harmful = |known: Guarded| known.safety == Safety::Harmful;
        self.guardrails.iter().any(|watched| watched.arms[arm].is_some_and(harmful))
    }

    /// The cells of one segment; never empty.
    pub(super) fn in_segment(&self, segment: usize) -> Vec<Cell> {
        let cells: Vec<Cell> = self.cells.iter().filter(|cell| cell.segment() == segment).cloned().collect();
        cells::or_nothing(cells, self.names.len())
    }

    /// The numbers of their rounds.
    pub(super) fn numbers_in_segment(&self, segment: usize) -> Vec<u64> {
        let numbered = self.cells.iter().zip(&self.numbers);
        numbered.filter(|(cell, _)| cell.segment() == segment).map(|(_, number)| *number).collect()
    }
}

/// The question of a document.
pub(super) fn read(document: Document) -> Result<Question, Fault> {
    let root = Place::default();
    if document.rounds.is_empty() {
        return Err(Fault::at(&root.field("rounds"), Problem::NoRounds));
    }
    let metric = settings::metric(&document.metric)?;
    let arms = Arms::of(&document)?;
    let standings = standings(&document, &arms)?;
    let stopping = settings::stopping(&document)?;
    let design = Design::new(metric, stopping, standings)
        .map_err(|error| Fault::at(&root.field("variants"), Problem::Refused(error.to_string())))?;
    let watches = guardrails::watches(&document, stopping.confidence())?;
    let minimum_per_variant = count(&root.field("minimumPerVariant"), &document.minimum_per_variant)?;
    let Cells { cells, numbers, segments, in_force, watched, rounds, plan } =
        Cells::of(&document, &arms, metric.kind, &watches)?;
    let guardrails = guardrails::watched(watches, &watched, &design)?;
    let unguarded = design.clone();
    let design = guardrails.iter().fold(design, |design, watched| design.without_harmful(&watched.arms));
    let Fields(metric) = document.metric;
    Ok(Question {
        basis: document.basis,
        metric: Measured {
            name: metric.name,
            kind: metric.kind,
            window: metric.window.map(|window| window.0),
        },
        names: arms.into_names(),
        rounds,
        segments,
        cells,
        numbers,
        in_force,
        is_open: document.rounds.iter().any(|round| round.open),
        design,
        unguarded,
        guardrails,
        plan,
        policy: document.policy.0,
        facts: document.segments,
        minimum_per_variant,
    })
}

/// By arm; what the document does not speak of is of the first generation, and served.
fn standings(document: &Document, arms: &Arms) -> Result<Vec<Standing>, Fault> {
    let standing = |name: &String| match document.variants.get(name) {
        Some(flags) => {
            standing(flags, *name == document.control, &Place::default().field("variants").entry(name))
        }
        None => Ok(Standing::FIRST),
    };
    arms.names().iter().map(standing).collect()
}

fn standing(flags: &Flags, is_control: bool, place: &Place) -> Result<Standing, Fault> {
    if is_control && flags.retired {
        return Err(Fault::at(&place.field("retired"), Problem::RetiredControl));
    }
    let generation = flags.generation.get().ok().and_then(|generation| u32::try_from(generation).ok());
    match generation {
        Some(generation @ 1..) => Ok(Standing { generation, retired: flags.retired }),
        _ => Err(Fault::at(&place.field("generation"), Problem::Generation)),
    }
}
