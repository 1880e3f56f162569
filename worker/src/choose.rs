//! Which of the copy that a model wrote is good enough to be a variant.

use std::collections::BTreeSet;

use rules::{BrandRules, Format, MeaningThreshold, Violation};

use crate::brief::Brief;
use crate::draft::Draft;
use crate::gist::{Gist, Repeat};
use crate::likeness::misspells;

/// What copy may not say because the brief does not: a figure of its own.
pub const INVENTED_FIGURE: &str = "InventedFigure";
/// Copy with something in it that is nearly the product's name.
pub const MISSPELLED_NAME: &str = "MisspelledName";
/// Copy that says what a person's copy or an earlier variant says, nearly by the letter.
pub const NEAR_DUPLICATE: &str = "NearDuplicate";
/// Copy that says it in other words, as an embedder has it.
pub const SAME_MEANING: &str = "SameMeaning";
/// Copy that the model did not end within the longest text that its slot may hold.
pub const UNFINISHED: &str = "Unfinished";

/// Judges the drafts of one placement against its rules and against what was chosen before.
#[derive(Debug)]
pub struct Choice<'a> {
    format: &'a Format,
    brand: &'a BrandRules,
    brief: &'a Brief,
    same_meaning: MeaningThreshold,
    chosen: Vec<Gist>,
}

impl<'a> Choice<'a> {
    /// Begins with what exists: people's copy and earlier variants.
    #[must_use]
    pub fn new(
        format: &'a Format,
        brand: &'a BrandRules,
        brief: &'a Brief,
        same_meaning: MeaningThreshold,
        existing: Vec<Gist>,
    ) -> Self {
        Self { format, brand, brief, same_meaning, chosen: existing }
    }

    /// Takes the draft, whose gist is given, and remembers it, with the soft rules that it breaks, or says everything hard
    /// that it breaks.
    ///
    /// # Errors
    /// With the names of what is broken, in alphabetical order, each once.
    pub fn judge(&mut self, draft: &Draft, gist: &Gist) -> Result<Vec<Violation>, BTreeSet<&'static str>> {
        let (hard, soft): (Vec<_>, Vec<_>) =
            rules::check(self.format, self.brand, &draft.slots).into_iter().partition(Violation::is_hard);
        let mut broken: BTreeSet<&'static str> = hard.iter().map(|violation| violation.rule.name()).collect();
        broken.extend(self.own_faults(draft));
        broken.extend(self.repeat(gist));
        if !broken.is_empty() {
            return Err(broken);
        }
        self.chosen.push(gist.clone());
        Ok(soft)
    }

    /// Of copy that repeats several, the nearer way counts.
    fn repeat(&self, gist: &Gist) -> Option<&'static str> {
        let repeats = self.chosen.iter().filter_map(|it| gist.repeats(it, self.same_meaning));
        repeats.min().map(|repeat| match repeat {
            Repeat::Letters => NEAR_DUPLICATE,
            Repeat::Meaning => SAME_MEANING,
        })
    }

    /// What is wrong although no rule of format or brand says so.
    fn own_faults(&self, draft: &Draft) -> impl Iterator<Item = &'static str> {
        // The name of a variable may hold a digit.
        let said = |text: &String| self.brand.variables().without(text).into_owned();
        let invented = draft.slots.values().any(|text| !self.brief.knows_figures_of(&said(text)));
        let misspelled = draft.slots.values().any(|text| misspells(text, &self.brief.product));
        let own = [(invented, INVENTED_FIGURE), (misspelled, MISSPELLED_NAME), (!draft.finished, UNFINISHED)];
        own.into_iter().filter(|(broken, _)| *broken).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use rules::{Variable, Variables};

    use super::*;
    use crate::draft::Trace;
    use crate::embedding::Embed;
    use crate::gist::tests::Compass;

    fn format() -> &'static Format {
        rules::format("WebBanner").expect("a format of ours")
    }

    fn gist(draft: &Draft, embedder: Option<&dyn Embed>) -> Gist {
        let gists = Gist::of(std::iter::once(&draft.slots), format(), embedder);
        gists.expect("it knows the copy").remove(0)
    }

    fn draft(headline: &str, finished: bool) -> Draft {
        let slots = [("headline", headline), ("button", "Shop now")];
        Draft {
            slots: slots.map(|(slot, text)| (slot.to_owned(), text.to_owned())).into(),
            finished,
            trace: Trace::default(),
        }
    }

    fn check(headline: &str, finished: bool, broken: &[&str]) {
        let brand = BrandRules::new(&["cheap".into()], &[]).expect("valid words");
        let brief = Brief { product: "Aero Trail 3".into(), ..Brief::default() };
        let control = gist(&draft("The shoe for every trail", true), None);
        let mut choice = Choice::new(format(), &brand, &brief, MeaningThreshold::default(), vec![control]);
        let draft = draft(headline, finished);
        let judged = choice.judge(&draft, &gist(&draft, None)).err().unwrap_or_default();
        assert_eq!(judged.into_iter().collect::<Vec<_>>(), broken, "{headline}");
    }

    #[test]
    fn every_fault_of_a_draft_is_named() {
        check("Meet Aero Trail 3", true, &[]);
        check("Meet Aero Trail 3", false, &[UNFINISHED]);
        check("Meet Aero Trail 4", true, &[INVENTED_FIGURE, MISSPELLED_NAME]);
        check("Meet Aero Trial 3", true, &[MISSPELLED_NAME]);
        check("The shoe for every trail!", true, &[NEAR_DUPLICATE]);
        check("Cheap for 9 dollars", true, &["ForbiddenWord", INVENTED_FIGURE]);
        check(&"long ".repeat(40), true, &["TooLong"]);
    }

    #[test]
    fn a_digit_in_a_variables_name_is_no_figure() {
        let variable = Variable::new("address1", 20, "home").expect("a good variable");
        let brand = BrandRules::new(&[], &[]).expect("no words");
        let brand = brand.with_variables(Variables::new(vec![variable]).expect("one"));
        let brief = Brief { product: "Aero".into(), ..Brief::default() };
        let mut choice = Choice::new(format(), &brand, &brief, MeaningThreshold::default(), Vec::new());
        let (whole, more) = (draft("Aero to {address1}", true), draft("Aero to {address1} in 2 days", true));
        assert!(choice.judge(&whole, &gist(&whole, None)).is_ok());
        assert!(
            choice.judge(&more, &gist(&more, None)).is_err_and(|broken| broken.contains(INVENTED_FIGURE))
        );
    }

    #[test]
    fn what_was_chosen_is_not_chosen_again_and_what_was_refused_is_not_remembered() {
        let brand = BrandRules::new(&[], &[]).expect("no words");
        let brief = Brief { product: "Aero".into(), ..Brief::default() };
        let mut choice = Choice::new(format(), &brand, &brief, MeaningThreshold::default(), Vec::new());
        let (cut, whole) = (draft("Meet Aero", false), draft("Meet Aero", true));
        let gist = gist(&whole, None);
        assert!(choice.judge(&cut, &gist).is_err());
        assert!(choice.judge(&whole, &gist).is_ok());
        assert!(choice.judge(&whole, &gist).is_err());
    }

    #[test]
    fn copy_of_one_meaning_is_refused_from_the_threshold_on() {
        // The second is 0.95 like the first, the third 0.6; the last differs by its letters in next to nothing.
        let compass = Compass(&[
            ("Light shoes", [1.0, 0.0]),
            ("They weigh little", [0.95, 0.312]),
            ("Back for a month", [0.6, 0.8]),
            ("Light, shoes", [1.0, 0.0]),
        ]);
        let brand = BrandRules::new(&[], &[]).expect("no words");
        let brief = Brief::default();
        let check = |threshold: f64, broken: [Option<&'static str>; 4]| {
            let threshold = MeaningThreshold::new(threshold).expect("a threshold");
            let mut choice = Choice::new(format(), &brand, &brief, threshold, Vec::new());
            for ((headline, _), broken) in compass.0.iter().zip(broken) {
                let draft = draft(headline, true);
                let judged = choice.judge(&draft, &gist(&draft, Some(&compass))).err().unwrap_or_default();
                assert_eq!(judged.into_iter().next(), broken, "{headline} at {threshold}");
            }
        };
        check(0.92, [None, Some(SAME_MEANING), None, Some(NEAR_DUPLICATE)]);
        check(0.96, [None, None, None, Some(NEAR_DUPLICATE)]);
        check(0.55, [None, Some(SAME_MEANING), Some(SAME_MEANING), Some(NEAR_DUPLICATE)]);
    }
}
