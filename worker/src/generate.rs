//! `worker generate`: writes the variants that a campaign asks for.
//!
//! ```text
//! assignments ─▶ for each variant that is missing: prompt ─▶ draft, all together
//!                    ▲                                         │ in the order of variants
//!                    └──────── next attempt ◀── refused ◀── judged ─▶ delivered
//! ```
//!
//! Every attempt has a seed of its own, made from the campaign, its seed, placement, variant and attempt. So a variant
//! does not depend on how long another took, and a run that goes on after a restart writes what the first would have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use api::{AdVariantSpec, Origin, Provenance};
use sha2::{Digest, Sha256};
use tracing::{debug, info};

use crate::author::{Author, AuthorError, Draft, Task};
use crate::campaign::{Assignment, Campaign};
use crate::choose::Choice;
use crate::destination::{Destination, DestinationError};
use crate::progress::Progress;
use crate::random::Random;
use api::wire::report::{PlacementReport, Report};

/// What wrote a variant, for its provenance.
pub const ENGINE: &str = concat!("broadside-worker ", env!("CARGO_PKG_VERSION"));

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// No draft could be written.
    #[error(transparent)]
    Author(#[from] AuthorError),
    /// A variant was not taken.
    #[error("a variant was not taken")]
    Destination(#[from] DestinationError),
}

/// Writes what is missing, delivers each variant as soon as it is chosen, and reports.
///
/// # Errors
/// When the model cannot write or the destination does not take a variant. What was delivered stays delivered, and the
/// same call goes on from there.
pub fn generate(
    author: &dyn Author,
    campaign: &Campaign,
    attempts: u32,
    destination: &mut dyn Destination,
) -> Result<Report, GenerateError> {
    let existing = destination.existing(&campaign.name)?;
    let asked = campaign.assignments.iter().map(|it| it.variants).sum();
    let mut run = Run { author, campaign, places: Vec::new(), progress: Progress::begin(asked) };
    run.places = campaign.assignments.iter().map(|it| Place::new(campaign, it, &existing)).collect();
    let mut missing = run.missing(&existing);
    for attempt in 0..attempts {
        missing = run.write(&missing, attempt, destination)?;
        if missing.is_empty() {
            break;
        }
    }
    for Missing { place, index } in missing {
        let placement = &run.places[place].assignment.placement;
        info!(placement, index, attempts, "variant given up");
    }
    let effort = run.progress.effort();
    Ok(Report::of_run(
        author.model_digest(),
        effort,
        run.places.into_iter().map(|place| place.report).collect(),
    ))
}

/// A placement while it is written for.
struct Place<'a> {
    assignment: &'a Assignment,
    choice: Choice<'a>,
    report: PlacementReport,
}

impl<'a> Place<'a> {
    fn new(campaign: &'a Campaign, assignment: &'a Assignment, existing: &[AdVariantSpec]) -> Self {
        let Assignment { placement, format, variants, people } = assignment;
        let existing = existing.iter().filter(|variant| variant.placement == *placement);
        let known = people.iter().chain(existing.map(|variant| &variant.slots));
        let choice = Choice::new(format, &campaign.brand, &campaign.brief, known);
        let report =
            PlacementReport { name: placement.clone(), asked: *variants, ..PlacementReport::default() };
        Self { assignment, choice, report }
    }
}

/// A variant that is still to be written: the place of its placement, and its own number there.
#[derive(Clone, Copy, Debug)]
struct Missing {
    place: usize,
    index: u32,
}

struct Run<'a> {
    author: &'a dyn Author,
    campaign: &'a Campaign,
    places: Vec<Place<'a>>,
    progress: Progress,
}

impl<'a> Run<'a> {
    /// What nobody wrote yet; what exists is counted.
    fn missing(&mut self, existing: &[AdVariantSpec]) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (place, Place { assignment, report, .. }) in self.places.iter_mut().enumerate() {
            let of_placement = || existing.iter().filter(|it| it.placement == assignment.placement);
            let (there, absent): (Vec<u32>, Vec<u32>) = (0..assignment.variants)
                .partition(|index| of_placement().any(|variant| is_of_index(variant, *index)));
            report.existing = u32::try_from(there.len()).expect("as many as were asked for at most");
            self.progress.found(report.existing);
            missing.extend(absent.into_iter().map(|index| Missing { place, index }));
        }
        missing
    }

    /// One attempt at everything that is missing; returns what was refused. Drafts are judged in the order of `missing`,
    /// whichever is finished first, since what is chosen before bears on what is a near-duplicate.
    fn write(
        &mut self,
        missing: &[Missing],
        attempt: u32,
        destination: &mut dyn Destination,
    ) -> Result<Vec<Missing>, GenerateError> {
        let (author, tasks) = (self.author, missing.iter().map(|it| self.task(*it, attempt)).collect());
        let mut refused = Vec::new();
        let mut finished = BTreeMap::new();
        let mut next = 0;
        let mut result = Ok(());
        author.write(tasks, &mut |place, draft| {
            finished.insert(place, draft);
            while let Some(draft) = finished.remove(&next) {
                match self.judge(missing[next], draft, attempt, destination) {
                    Ok(true) => {}
                    Ok(false) => refused.push(missing[next]),
                    Err(error) => {
                        result = Err(error);
                        return ControlFlow::Break(());
                    }
                }
                next += 1;
            }
            ControlFlow::Continue(())
        })?;
        result.map(|()| refused)
    }

    fn task(&self, missing: Missing, attempt: u32) -> Task<'a> {
        let (campaign, assignment) = (self.campaign, self.places[missing.place].assignment);
        let mut random = Random::from_seed(seed(campaign, assignment, missing.index, attempt));
        let prompt = campaign.brief.prompt(assignment.format.name(), &mut random);
        let (brand, language) = (&campaign.brand, campaign.language.as_str());
        Task { prompt, format: &assignment.format, brand, language, random }
    }

    /// Delivers a draft that holds, and counts one that does not.
    fn judge(
        &mut self,
        missing: Missing,
        draft: Draft,
        attempt: u32,
        destination: &mut dyn Destination,
    ) -> Result<bool, GenerateError> {
        let Missing { place, index } = missing;
        let Place { assignment, choice, report } = &mut self.places[place];
        report.written += 1;
        self.progress.wrote(draft.trace.tokens);
        if let Err(broken) = choice.judge(&draft) {
            debug!(index, attempt, ?broken, "draft refused");
            destination.refused(&draft);
            broken.into_iter().for_each(|rule| *report.rejected.entry(rule.to_owned()).or_default() += 1);
            return Ok(false);
        }
        report.delivered += 1;
        let provenance = Provenance {
            model_digest: self.author.model_digest().to_owned(),
            prompt_digest: format!("sha256:{}", draft.trace.prompt_digest),
            rules_version: self.campaign.rules_version.clone(),
            engine_version: ENGINE.to_owned(),
            seed: self.campaign.seed,
            index,
            attempt,
        };
        destination.deliver(&AdVariantSpec {
            campaign: self.campaign.name.clone(),
            placement: assignment.placement.clone(),
            origin: Origin::Generated,
            slots: assignment.beside_media(draft.slots),
            provenance: Some(provenance),
        })?;
        info!(placement = assignment.placement, index, attempt, "variant delivered");
        self.progress.delivered();
        Ok(true)
    }
}

/// The seed of one attempt: the first eight bytes of SHA-256 over the names, each with its length before it, and
/// the numbers.
fn seed(campaign: &Campaign, assignment: &Assignment, index: u32, attempt: u32) -> u64 {
    let mut hash = Sha256::new();
    for name in [&campaign.name, &assignment.placement] {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
    hash.update(campaign.seed.to_be_bytes());
    hash.update(index.to_be_bytes());
    hash.update(attempt.to_be_bytes());
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

fn is_of_index(variant: &AdVariantSpec, index: u32) -> bool {
    variant.provenance.as_ref().is_some_and(|provenance| provenance.index == index)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine::cpu::Form;
    use rules::BrandRules;

    use super::*;
    use crate::brief::Brief;
    use crate::choose::UNFINISHED;
    use crate::model::Model;
    use crate::write::Writer;

    /// Takes nothing, since nothing is written that holds.
    struct Nowhere;

    impl Destination for Nowhere {
        fn existing(&mut self, _campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
            Ok(Vec::new())
        }

        fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
            panic!("{variant:?} is unfinished")
        }
    }

    /// A campaign whose every prompt has the same head.
    fn campaign(words: String) -> Campaign {
        let assignment = Assignment {
            placement: "hero".into(),
            format: rules::format("WebBanner").expect("a format of ours").clone(),
            variants: 1,
            people: Vec::new(),
        };
        Campaign {
            name: "cart".into(),
            seed: 7,
            language: "en".into(),
            brief: Brief { product: "Velta".into(), words: vec![words], ..Brief::default() },
            brand: BrandRules::new(&[], &[]).expect("no words break no bound"),
            rules_version: rules::VERSION.to_owned(),
            assignments: vec![assignment],
            home: None,
        }
    }

    fn head(campaign: &Campaign) -> String {
        campaign.brief.prompt("WebBanner", &mut Random::from_seed(0)).head()
    }

    #[test]
    fn a_draft_that_runs_out_of_room_is_unfinished_and_the_next_attempt_is_made() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
        let model = Model::open(&folder, Form::AsStored).expect("the shipped model is complete");
        // The longest head that fits leaves no room for three slots.
        let campaigns = (0..600).map(|count| campaign("x ".repeat(count)));
        let prompt =
            |campaign: &Campaign| model.tokens().encode(&(head(campaign) + "headline:")).expect("encoded");
        let fitting = campaigns.take_while(|it| prompt(it).len() < model.decoder().shape().positions);
        let campaign = fitting.last().expect("a short head fits");
        let writer = Writer::new(&model, 8).expect("it has a form");
        let report = generate(&writer, &campaign, 3, &mut Nowhere).expect("no error");
        let hero = &report.placements[0];
        assert_eq!((hero.delivered, hero.written, hero.rejected[UNFINISHED]), (0, 3, 3));
    }
}
