//! The drafts of one placement that hold, and which of them are taken.
//!
//! More drafts are asked for than variants, and of those that hold the best are taken one by one, each as unlike those
//! before it as it can be. A run that goes on after a restart takes what the first would have taken: the drafts that hold
//! are the same, and so is what was taken before.

use std::collections::BTreeSet;

use api::wire::report::PlacementReport;
use api::{AdVariantSpec, Provenance};
use rules::MeaningThreshold;

use crate::campaign::{Assignment, Campaign};
use crate::choose::Choice;
use crate::draft::Draft;
use crate::gist::Gist;
use crate::prompt::Prompt;
use crate::score::{Score, next};

/// Drafts that are written for two variants. Of three, the worst and those that repeat the others can be left; more
/// would cost more tokens than they improve copy (1.5 to 2 is customary).
const DRAFTS_FOR_TWO: u32 = 3;

/// A draft that holds.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) index: u32,
    pub(crate) attempt: u32,
    pub(crate) draft: Draft,
    pub(crate) score: Score,
    pub(crate) gist: Gist,
}

/// A placement while it is written for.
pub(crate) struct Pool<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) report: PlacementReport,
    choice: Choice<'a>,
    same_meaning: MeaningThreshold,
    /// What the next one should be unlike: people's copy, and variants that were taken.
    taken: Vec<Gist>,
    /// At which attempt each variant was written that exists.
    existing: Vec<u32>,
    candidates: Vec<Candidate>,
    /// Drafts that are still to be written.
    missing: Vec<u32>,
}

impl<'a> Pool<'a> {
    /// Begins with the gists of people's copy and of the variants that exist.
    pub(crate) fn new(
        campaign: &'a Campaign,
        assignment: &'a Assignment,
        existing: &[AdVariantSpec],
        known: Vec<Gist>,
    ) -> Self {
        let Assignment { placement, format, variants, people: _ } = assignment;
        let Campaign { brand, brief, same_meaning, .. } = campaign;
        let ours = existing.iter().filter(|it| it.placement == *placement);
        let written: Vec<&Provenance> = ours.filter_map(|it| it.provenance.as_ref()).collect();
        let indices: BTreeSet<u32> = written.iter().map(|provenance| provenance.index).collect();
        let drafts = (variants * DRAFTS_FOR_TWO).div_ceil(2);
        let count = u32::try_from(indices.len()).unwrap_or(u32::MAX).min(*variants);
        Self {
            assignment,
            report: PlacementReport {
                name: placement.clone(),
                asked: *variants,
                existing: count,
                ..PlacementReport::default()
            },
            choice: Choice::new(format, brand, brief, *same_meaning, known.clone()),
            same_meaning: *same_meaning,
            taken: known,
            existing: written.iter().map(|provenance| provenance.attempt).collect(),
            candidates: Vec::new(),
            missing: (0..drafts).filter(|index| !indices.contains(index)).collect(),
        }
    }

    /// The drafts to be written next; none where no variant is wanted any more.
    pub(crate) fn missing(&self) -> &[u32] {
        if self.report.missing() == 0 { &[] } else { &self.missing }
    }

    /// The highest cosine of a gist with those of people's copy and of what was kept; nothing without an embedder.
    pub(crate) fn nearest(&self, gist: &Gist) -> Option<f64> {
        let kept = self.candidates.iter().map(|it| &it.gist);
        self.taken.iter().chain(kept).filter_map(|it| it.cosine(gist)).max_by(f64::total_cmp)
    }

    /// Keeps a draft that holds, and counts one that does not.
    ///
    /// # Errors
    /// With the names of what is broken.
    pub(crate) fn judge(
        &mut self,
        (index, attempt): (u32, u32),
        (draft, gist): (Draft, Gist),
        prompt: &Prompt,
    ) -> Result<(), BTreeSet<&'static str>> {
        self.report.written += 1;
        let soft = self.choice.judge(&draft, &gist).inspect_err(|broken| {
            for rule in broken {
                *self.report.rejected.entry((*rule).to_owned()).or_default() += 1;
            }
        })?;
        let score = Score::of(&draft, prompt, &soft);
        self.missing.retain(|it| *it != index);
        self.candidates.push(Candidate { index, attempt, draft, score, gist });
        Ok(())
    }

    /// Whether no more are there or can be taken by now than are asked for.
    pub(crate) fn is_within_asked(&self) -> bool {
        let taken = self.report.existing + self.report.delivered;
        taken as usize + self.candidates.len() <= self.report.asked as usize
    }

    /// Whether what was written up to an attempt is enough to take from. Variants that a later attempt of an earlier run
    /// gave do not count: that run had not had them either.
    pub(crate) fn is_ready(&self, attempt: u32) -> bool {
        let there = self.existing.iter().filter(|it| **it <= attempt).count() + self.candidates.len();
        there >= self.report.asked as usize
    }

    /// Takes the next one, while a variant is wanted and there is one.
    pub(crate) fn take(&mut self) -> Option<Candidate> {
        if self.report.missing() == 0 {
            return None;
        }
        let likeness = |it: &Candidate| {
            let likenesses = self.taken.iter().map(|other| it.gist.likeness(other, self.same_meaning));
            likenesses.fold(0.0, f64::max)
        };
        let place = next(&self.candidates, |it| it.score.total(), likeness)?;
        let candidate = self.candidates.remove(place);
        self.taken.push(candidate.gist.clone());
        self.report.delivered += 1;
        Some(candidate)
    }
}

#[cfg(test)]
mod tests {
    use rules::BrandRules;

    use super::*;
    use crate::brief::Brief;
    use crate::draft::Trace;
    use crate::embedding::Embed;
    use crate::gist::tests::Compass;

    fn campaign() -> Campaign {
        let assignment = Assignment {
            placement: "hero".into(),
            format: rules::format("WebBanner").expect("a format of ours").clone(),
            variants: 2,
            people: Vec::new(),
        };
        Campaign {
            name: "cart".into(),
            seed: 7,
            language: "en".into(),
            brief: Brief { product: "Velta".into(), ..Brief::default() },
            brand: BrandRules::new(&[], &[]).expect("no words break no bound"),
            rules_version: rules::VERSION.to_owned(),
            assignments: vec![assignment],
            tokens: None,
            taken: api::TokensTaken::new(),
            same_meaning: MeaningThreshold::default(),
            home: None,
        }
    }

    fn draft(headline: &str) -> Draft {
        let slots = [("headline".to_owned(), headline.to_owned()), ("button".to_owned(), "Go".to_owned())];
        Draft { slots: slots.into(), finished: true, trace: Trace::default() }
    }

    fn check(headlines: [&str; 3], embedder: Option<&dyn Embed>, taken: &[u32]) {
        let campaign = campaign();
        let format = &campaign.assignments[0].format;
        let mut pool = Pool::new(&campaign, &campaign.assignments[0], &[], Vec::new());
        assert_eq!(pool.missing(), [0, 1, 2], "three drafts for two variants");
        let prompt = Prompt { product: "Velta".into(), ..Prompt::default() };
        for (index, headline) in (0..).zip(headlines) {
            assert_eq!(pool.is_ready(0), index == 2, "two that hold are enough");
            let draft = draft(headline);
            let gist =
                Gist::of(std::iter::once(&draft.slots), format, embedder).expect("it is known").remove(0);
            pool.judge((index, 0), (draft, gist), &prompt).expect("it holds");
        }
        assert_eq!(std::iter::from_fn(|| pool.take()).map(|it| it.index).collect::<Vec<_>>(), taken);
        assert_eq!((pool.report.delivered, pool.missing().len()), (2, 0));
    }

    #[test]
    fn the_best_is_taken_first_and_then_what_is_unlike_it() {
        // All name the product, and two are nearly the same.
        check(
            ["Velta for your long runs", "Velta for your long trails", "Meet Velta on Sunday"],
            None,
            &[0, 2],
        );
        // The first leaves the product out: unlike the others, and worse.
        check(
            ["Run far at the weekend", "Velta for your long runs", "Velta for your long trails"],
            None,
            &[1, 2],
        );
    }

    #[test]
    fn the_nearest_of_what_was_kept_is_told() {
        let compass = Compass(&[("Meet Velta", [1.0, 0.0]), ("Run far", [0.6, 0.8]), ("Go", [0.0, 1.0])]);
        let campaign = campaign();
        let gist = |headline: &str| {
            let slots = draft(headline).slots;
            let format = &campaign.assignments[0].format;
            Gist::of(std::iter::once(&slots), format, Some(&compass)).expect("it is known").remove(0)
        };
        let mut pool = Pool::new(&campaign, &campaign.assignments[0], &[], vec![gist("Meet Velta")]);
        assert_eq!(pool.nearest(&gist("Go")), Some(0.0));
        pool.judge((0, 0), (draft("Run far"), gist("Run far")), &Prompt::default()).expect("it holds");
        assert!((pool.nearest(&gist("Go")).expect("a cosine") - 0.8).abs() < 1e-6);
    }

    #[test]
    fn with_an_embedder_what_says_something_else_is_taken_and_not_what_is_spelled_otherwise() {
        let compass = Compass(&[
            ("Velta for your long runs", [1.0, 0.0]),
            ("Velta for your long rests", [0.0, 1.0]),
            ("Meet Velta and go far", [0.9, 0.436]),
        ]);
        let headlines = [0, 1, 2].map(|index| compass.0[index].0);
        check(headlines, Some(&compass), &[0, 1]);
        check(headlines, None, &[0, 2]);
    }
}
