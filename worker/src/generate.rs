//! `worker generate`: writes the variants that a campaign asks for.
//!
//! ```text
//! assignment ─▶ for each variant that is missing:
//!                 prompt ─▶ draft ─▶ judged ─▶ delivered
//!                    ▲                 │ refused
//!                    └── next attempt ◀┘
//! ```
//!
//! Every attempt has a seed of its own, made from the campaign, its seed, placement, variant and attempt. So a variant
//! does not depend on how long another took, and a run that goes on after a restart writes what the first would have.

use api::name::hex;
use api::{AdVariantSpec, Origin, Provenance};
use rules::Slot;
use sha2::{Digest, Sha256};
use tracing::{debug, info};

use crate::campaign::{Assignment, Campaign};
use crate::choose::{Choice, Draft};
use crate::destination::{Destination, DestinationError};
use crate::folder::Sampling;
use crate::model::{Model, ModelError};
use crate::prompt::{self, Prompt};
use crate::random::Random;
use api::wire::report::{PlacementReport, Report};

/// What wrote a variant, for its provenance.
pub const ENGINE: &str = concat!("broadside-worker ", env!("CARGO_PKG_VERSION"));

/// How copy is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How often copy is written for one variant before it is given up.
    pub attempts: u32,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The model could not write.
    #[error("the model could not write")]
    Model(#[from] ModelError),
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
    model: &Model,
    campaign: &Campaign,
    settings: Settings,
    destination: &mut dyn Destination,
) -> Result<Report, GenerateError> {
    let existing = destination.existing(&campaign.name)?;
    let mut placements = Vec::new();
    for assignment in &campaign.assignments {
        let existing: Vec<&AdVariantSpec> =
            existing.iter().filter(|variant| variant.placement == assignment.placement).collect();
        let mut writer = Writer { model, campaign, assignment, settings };
        placements.push(writer.write_placement(&existing, destination)?);
    }
    Ok(Report::of_run(model.digest(), placements))
}

struct Writer<'a> {
    model: &'a Model,
    campaign: &'a Campaign,
    assignment: &'a Assignment,
    settings: Settings,
}

impl Writer<'_> {
    fn write_placement(
        &mut self,
        existing: &[&AdVariantSpec],
        destination: &mut dyn Destination,
    ) -> Result<PlacementReport, GenerateError> {
        let Assignment { placement, format, variants, people } = self.assignment;
        let known = people.iter().chain(existing.iter().map(|variant| &variant.slots));
        let mut choice = Choice::new(format, &self.campaign.brand, &self.campaign.brief, known);
        let mut report =
            PlacementReport { name: placement.clone(), asked: *variants, ..PlacementReport::default() };
        for index in 0..*variants {
            if existing.iter().any(|variant| is_of_index(variant, index)) {
                report.existing += 1;
            } else if let Some(variant) = self.write_variant(index, &mut choice, &mut report, destination)? {
                destination.deliver(&variant)?;
                report.delivered += 1;
                info!(placement, index, attempt = attempt(&variant), "variant delivered");
            } else {
                info!(placement, index, attempts = self.settings.attempts, "variant given up");
            }
        }
        Ok(report)
    }

    /// Writes until a draft holds, or the attempts are used up.
    fn write_variant(
        &self,
        index: u32,
        choice: &mut Choice<'_>,
        report: &mut PlacementReport,
        destination: &mut dyn Destination,
    ) -> Result<Option<AdVariantSpec>, GenerateError> {
        for attempt in 0..self.settings.attempts {
            let mut random = Random::from_seed(self.seed(index, attempt));
            let prompt = self.campaign.brief.prompt(self.assignment.format.name(), &mut random);
            let draft = self.write_draft(&prompt, &mut random)?;
            report.written += 1;
            match choice.judge(&draft) {
                Ok(()) => return Ok(Some(self.variant(&prompt, draft, index, attempt))),
                Err(broken) => {
                    debug!(index, attempt, ?broken, "draft refused");
                    destination.refused(&draft);
                    broken
                        .into_iter()
                        .for_each(|rule| *report.rejected.entry(rule.to_owned()).or_default() += 1);
                }
            }
        }
        Ok(None)
    }

    /// One text for each slot, later slots knowing the earlier. A draft that runs out of the model's positions is
    /// unfinished and no error: seeds are fixed, so an error would end every run of the campaign, where the next attempt
    /// may hold.
    fn write_draft(&self, prompt: &Prompt, random: &mut Random) -> Result<Draft, ModelError> {
        let mut session = self.model.begin(&prompt.head())?;
        let mut draft = Draft { slots: api::Slots::new(), finished: true };
        for slot in self.assignment.format.slots() {
            let (cue, sampling) = (prompt::cue(&slot.name), self.settings.sampling);
            let line = session.write_line(&cue, longest(slot), sampling, random)?;
            draft.finished &= line.finished;
            if !line.text.is_empty() {
                draft.slots.insert(slot.name.clone(), line.text);
            }
        }
        Ok(draft)
    }

    fn variant(&self, prompt: &Prompt, draft: Draft, index: u32, attempt: u32) -> AdVariantSpec {
        let provenance = Provenance {
            model_digest: format!("sha256:{}", self.model.digest()),
            prompt_digest: format!("sha256:{}", hex(&Sha256::digest(prompt.head().as_bytes()))),
            rules_version: rules::VERSION.to_owned(),
            engine_version: ENGINE.to_owned(),
            seed: self.campaign.seed,
            index,
            attempt,
        };
        AdVariantSpec {
            campaign: self.campaign.name.clone(),
            placement: self.assignment.placement.clone(),
            origin: Origin::Generated,
            slots: draft.slots,
            provenance: Some(provenance),
        }
    }

    /// The seed of one attempt: the first eight bytes of SHA-256 over the names, each with its length before it, and
    /// the numbers.
    fn seed(&self, index: u32, attempt: u32) -> u64 {
        let mut hash = Sha256::new();
        for name in [&self.campaign.name, &self.assignment.placement] {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name.as_bytes());
        }
        hash.update(self.campaign.seed.to_be_bytes());
        hash.update(index.to_be_bytes());
        hash.update(attempt.to_be_bytes());
        let digest = hash.finalize();
        digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }
}

/// The most tokens of a slot. A token is a byte at least, and a character of English copy one byte, so a text that is
/// longer cannot hold; the double leaves room for names with accents.
fn longest(slot: &Slot) -> usize {
    2 * slot.hard_limit
}

fn is_of_index(variant: &AdVariantSpec, index: u32) -> bool {
    variant.provenance.as_ref().is_some_and(|provenance| provenance.index == index)
}

fn attempt(variant: &AdVariantSpec) -> Option<u32> {
    variant.provenance.as_ref().map(|provenance| provenance.attempt)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rules::BrandRules;

    use super::*;
    use crate::brief::Brief;
    use crate::choose::UNFINISHED;

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
            format: rules::format("WebBanner").expect("a format of ours"),
            variants: 1,
            people: Vec::new(),
        };
        Campaign {
            name: "cart".into(),
            seed: 7,
            language: "en".into(),
            brief: Brief { product: "Velta".into(), words: vec![words], ..Brief::default() },
            brand: BrandRules::new(&[], &[]).expect("no words break no bound"),
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
        let model = Model::open(&folder).expect("the shipped model is complete");
        // The longest head that fits leaves no room for three slots.
        let campaigns = (0..600).map(|count| campaign("x ".repeat(count)));
        let fitting = campaigns.take_while(|it| model.begin(&head(it)).is_ok());
        let campaign = fitting.last().expect("a short head fits");
        let settings = Settings { sampling: model.sampling(), attempts: 3 };
        let report = generate(&model, &campaign, settings, &mut Nowhere).expect("no error");
        let hero = &report.placements[0];
        assert_eq!((hero.delivered, hero.written, hero.rejected[UNFINISHED]), (0, 3, 3));
    }
}
