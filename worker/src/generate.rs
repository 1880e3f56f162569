//! `worker generate`: writes the variants that a campaign asks for.
//!
//! ```text
//! assignments ─▶ for each draft that is missing: prompt ─▶ draft, all together
//!                    ▲                                       │ in the order of drafts
//!                    └──────── next attempt ◀── refused ◀── judged ─▶ pool ─▶ taken, best first ─▶ delivered
//! ```
//!
//! Every attempt has a seed of its own, made from the campaign, its seed, placement, draft and attempt. So a draft does
//! not depend on how long another took, and a run that goes on after a restart writes what the first would have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use api::wire::report::Report;
use api::{AdVariantSpec, Appraisal, Origin, Provenance};
use sha2::{Digest, Sha256};
use tracing::{debug, info};

use crate::author::{Author, AuthorError};
use crate::campaign::{Assignment, Campaign};
use crate::claims::claims;
use crate::destination::{Destination, DestinationError};
use crate::draft::{Draft, Task};
use crate::embedding::{Embed, EmbedderError};
use crate::gist::Gist;
use crate::pool::{Candidate, Pool};
use crate::progress::Progress;
use crate::prompt::Prompt;
use crate::random::Random;
use crate::score::Score;

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
    /// Nobody can tell what a draft means.
    #[error("the embedder could not go on")]
    Embedder(#[from] EmbedderError),
}

/// Writes what is missing, or as much of it as the author's meter has room for, delivers each variant as soon as it is taken,
/// and reports. With an embedder, drafts are held against each other and people's copy by what they mean too; what a draft
/// holds does not depend on it.
///
/// # Errors
/// When the model cannot write, the embedder can't go on or the destination does not take a variant. What was delivered
/// stays delivered, and the same call goes on from there.
pub fn generate(
    author: &dyn Author,
    embedder: Option<&dyn Embed>,
    campaign: &Campaign,
    attempts: u32,
    destination: &mut dyn Destination,
) -> Result<Report, GenerateError> {
    let existing = destination.existing(&campaign.name)?;
    let asked = campaign.assignments.iter().map(|it| it.variants).sum();
    let pools = campaign.assignments.iter().map(|it| pool(campaign, it, &existing, embedder));
    let pools = pools.collect::<Result<_, _>>()?;
    let meter = author.meter();
    let mut run = Run { author, embedder, campaign, pools, progress: Progress::begin(asked, meter) };
    run.pools.iter().for_each(|pool| run.progress.found(pool.report.existing));
    for attempt in (0..attempts).take_while(|_| !meter.is_used_up()) {
        run.write(attempt, destination).or_else(|error| run.save(error, destination))?;
    }
    for place in 0..run.pools.len() {
        run.deliver(place, destination)?;
        let Pool { report, assignment, .. } = &run.pools[place];
        if report.missing() > 0 {
            info!(
                placement = assignment.placement,
                missing = report.missing(),
                attempts,
                "variants given up"
            );
        }
    }
    let reports = run.pools.into_iter().map(|pool| pool.report).collect();
    let report = Report::of_run(author.model_digest(), meter.effort(), reports);
    Ok(match meter.most().filter(|_| meter.is_used_up()) {
        Some(most) => report.out_of_tokens(most),
        None => report,
    })
}

fn pool<'a>(
    campaign: &'a Campaign,
    assignment: &'a Assignment,
    existing: &[AdVariantSpec],
    embedder: Option<&dyn Embed>,
) -> Result<Pool<'a>, EmbedderError> {
    let ours = existing.iter().filter(|it| it.placement == assignment.placement).map(|it| &it.slots);
    let known = Gist::of(assignment.people.iter().chain(ours), &assignment.format, embedder)?;
    Ok(Pool::new(campaign, assignment, existing, known))
}

/// What one attempt at one draft is made from; nothing else bears on what is written.
#[must_use]
pub fn task<'a>(campaign: &'a Campaign, assignment: &'a Assignment, index: u32, attempt: u32) -> Task<'a> {
    let mut random = Random::from_seed(seed(campaign, assignment, index, attempt));
    let prompt = campaign.brief.prompt(assignment.format.name(), &mut random);
    let (brand, language) = (&campaign.brand, campaign.language.as_str());
    Task { prompt, format: &assignment.format, brand, language, siblings: &assignment.people, random }
}

/// A draft that is still to be written: the place of its placement, and its own number there.
#[derive(Clone, Copy, Debug)]
struct Missing {
    place: usize,
    index: u32,
}

struct Run<'a> {
    author: &'a dyn Author,
    embedder: Option<&'a dyn Embed>,
    campaign: &'a Campaign,
    pools: Vec<Pool<'a>>,
    progress: Progress<'a>,
}

impl<'a> Run<'a> {
    /// One attempt at every draft that is missing. Drafts are judged in their order, whichever is finished first, since
    /// what is kept before bears on what is a near-duplicate; and once all of a placement are, variants are taken.
    fn write(&mut self, attempt: u32, destination: &mut dyn Destination) -> Result<(), GenerateError> {
        let missing: Vec<Missing> = self.missing().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (author, campaign) = (self.author, self.campaign);
        let task = |it: &Missing| task(campaign, &campaign.assignments[it.place], it.index, attempt);
        let tasks: Vec<Task<'a>> = missing.iter().map(task).collect();
        let prompts: Vec<Prompt> = tasks.iter().map(|task| task.prompt.clone()).collect();
        let mut finished = BTreeMap::new();
        let mut next = 0;
        let mut result = Ok(());
        author.write(tasks, &mut |place, draft| {
            finished.insert(place, draft);
            while let Some(draft) = finished.remove(&next) {
                let Missing { place, index } = missing[next];
                result = self.judge(place, (index, attempt), draft, &prompts[next]);
                next += 1;
                let last = missing.get(next).is_none_or(|following| following.place != place);
                if result.is_ok() && last && self.pools[place].is_ready(attempt) {
                    result = self.deliver(place, destination);
                }
                if result.is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        result
    }

    /// Delivers what can't be written again and holds, before the run ends with an error: an engine elsewhere was paid for
    /// it. What our own engine wrote it writes again, and takes what it would have taken.
    fn save(&mut self, error: GenerateError, destination: &mut dyn Destination) -> Result<(), GenerateError> {
        if self.author.drawing().is_none() && matches!(error, GenerateError::Author(_)) {
            for place in 0..self.pools.len() {
                self.deliver(place, destination)?;
            }
        }
        Err(error)
    }

    fn missing(&self) -> impl Iterator<Item = Missing> {
        let of_pool = |(place, pool): (usize, &Pool<'a>)| {
            pool.missing().iter().map(|index| Missing { place, index: *index }).collect::<Vec<_>>()
        };
        self.pools.iter().enumerate().flat_map(of_pool)
    }

    fn judge(
        &mut self,
        place: usize,
        (index, attempt): (u32, u32),
        draft: Draft,
        prompt: &Prompt,
    ) -> Result<(), GenerateError> {
        let pool = &mut self.pools[place];
        let gists = Gist::of(std::iter::once(&draft.slots), &pool.assignment.format, self.embedder)?;
        let gist = gists.into_iter().next().expect("one for each piece of copy");
        if let Some(cosine) = pool.nearest(&gist) {
            debug!(index, attempt, cosine, "draft compared");
        }
        match pool.judge((index, attempt), (draft, gist), prompt) {
            Ok(()) if pool.is_within_asked() => self.progress.held(),
            Ok(()) => {}
            Err(broken) => debug!(index, attempt, ?broken, "draft refused"),
        }
        Ok(())
    }

    /// Delivers what a placement takes of its drafts.
    fn deliver(&mut self, place: usize, destination: &mut dyn Destination) -> Result<(), GenerateError> {
        while let Some(candidate) = self.pools[place].take() {
            let pool = &self.pools[place];
            destination.deliver(&self.variant(pool, &candidate))?;
            let Candidate { index, attempt, .. } = candidate;
            info!(placement = pool.assignment.placement, index, attempt, "variant delivered");
        }
        Ok(())
    }

    fn claims(&self, draft: &Draft) -> Vec<String> {
        let Campaign { brief, language, .. } = self.campaign;
        claims(draft.slots.values().map(String::as_str), brief, language)
    }

    fn variant(&self, pool: &Pool<'_>, candidate: &Candidate) -> AdVariantSpec {
        let Candidate { index, attempt, draft, score, gist: _ } = candidate;
        let (campaign, drawing) = (self.campaign, self.author.drawing());
        AdVariantSpec {
            campaign: campaign.name.clone(),
            placement: pool.assignment.placement.clone(),
            origin: Origin::Generated,
            slots: pool.assignment.beside_media(draft.slots.clone()),
            edit: None,
            provenance: Some(Provenance {
                model_digest: self.author.model_digest().to_owned(),
                adapter_digest: self.author.adapter_digest().map(str::to_owned),
                prompt_digest: format!("sha256:{}", draft.trace.prompt_digest),
                rules_version: campaign.rules_version.clone(),
                engine_version: ENGINE.to_owned(),
                seed: campaign.seed,
                index: *index,
                attempt: *attempt,
                quantization: self.author.quantization().map(str::to_owned),
                // An engine elsewhere hears of none.
                siblings: drawing.as_ref().map_or_else(Vec::new, |_| pool.assignment.siblings()),
                drawing,
            }),
            appraisal: Some(Appraisal {
                embedder: self.embedder.map(|it| it.digest().to_owned()),
                ..appraisal(score, self.claims(draft))
            }),
        }
    }
}

fn appraisal(score: &Score, claims: Vec<String>) -> Appraisal {
    let figure = |number: f64| format!("{number:.3}");
    let Score { fluency, freedom, cover, fit } = *score;
    Appraisal {
        score: figure(score.total()),
        fluency: fluency.map(figure),
        freedom: freedom.map(figure),
        cover: figure(cover),
        fit: figure(fit),
        claims,
        embedder: None,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use api::Drawing;
    use engine::cpu::Form;
    use rules::{BrandRules, MeaningThreshold};

    use super::*;
    use crate::author::Done;
    use crate::brief::Brief;
    use crate::choose::UNFINISHED;
    use crate::draft::Trace;
    use crate::meter::Meter;
    use crate::model::{Model, ModelError};
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
            tokens: None,
            taken: api::TokensTaken::new(),
            same_meaning: MeaningThreshold::default(),
            home: None,
        }
    }

    fn head(campaign: &Campaign) -> String {
        campaign.brief.prompt("WebBanner", &mut Random::from_seed(0)).head()
    }

    /// Writes one draft that holds, and can't go on.
    struct Cut(Option<Drawing>, Meter);

    impl Author for Cut {
        fn model_digest(&self) -> &str {
            "endpoint:any"
        }

        fn adapter_digest(&self) -> Option<&str> {
            None
        }

        fn quantization(&self) -> Option<&str> {
            None
        }

        fn drawing(&self) -> Option<Drawing> {
            self.0.clone()
        }

        fn meter(&self) -> &Meter {
            &self.1
        }

        fn prompt_digest(&self, _task: &Task<'_>) -> Result<String, AuthorError> {
            Ok(String::new())
        }

        fn write(&self, _tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError> {
            let slots = [("headline", "Meet Velta"), ("button", "Go")];
            let slots = slots.map(|(slot, text)| (slot.to_owned(), text.to_owned())).into();
            let _more = done(0, Draft { slots, finished: true, trace: Trace::default() });
            Err(ModelError::TooLong { found: 2, positions: 1 }.into())
        }
    }

    #[derive(Default)]
    struct Taken(u32);

    impl Destination for Taken {
        fn existing(&mut self, _campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
            Ok(Vec::new())
        }

        fn deliver(&mut self, _variant: &AdVariantSpec) -> Result<(), DestinationError> {
            self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn what_an_engine_elsewhere_wrote_before_it_failed_is_kept() {
        let check = |drawing: Option<Drawing>, kept: u32| {
            let mut taken = Taken::default();
            let campaign = campaign("Terms".into());
            generate(&Cut(drawing, Meter::default()), None, &campaign, 1, &mut taken)
                .expect_err("it can't go on");
            assert_eq!(taken.0, kept);
        };
        check(None, 1);
        // What can be written again is chosen from all, as if nothing had happened.
        check(Some(Drawing::default()), 0);
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
        let report = generate(&writer, None, &campaign, 3, &mut Nowhere).expect("no error");
        let hero = &report.placements[0];
        assert_eq!((hero.delivered, hero.written, hero.rejected[UNFINISHED]), (0, 6, 6));
    }
}
