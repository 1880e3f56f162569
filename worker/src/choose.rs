//! Which of the copy that a model wrote is good enough to be a variant.

use std::collections::BTreeSet;

use api::Slots;
use rules::{BrandRules, Fingerprint, Format, Violation};

use crate::author::Draft;
use crate::brief::Brief;
use crate::likeness::misspells;

/// What copy may not say because the brief does not: a figure of its own.
pub const INVENTED_FIGURE: &str = "InventedFigure";
/// Copy with something in it that is nearly the product's name.
pub const MISSPELLED_NAME: &str = "MisspelledName";
/// Copy that says what a person's copy or an earlier variant says.
pub const NEAR_DUPLICATE: &str = "NearDuplicate";
/// Copy that the model did not end within the longest text that its slot may hold.
pub const UNFINISHED: &str = "Unfinished";

/// Judges the drafts of one placement against its rules and against what was chosen before.
#[derive(Debug)]
pub struct Choice<'a> {
    format: &'a Format,
    brand: &'a BrandRules,
    brief: &'a Brief,
    chosen: Vec<Fingerprint>,
}

impl<'a> Choice<'a> {
    /// Begins with what exists: people's copy and earlier variants.
    #[must_use]
    pub fn new<'c>(
        format: &'a Format,
        brand: &'a BrandRules,
        brief: &'a Brief,
        existing: impl Iterator<Item = &'c Slots>,
    ) -> Self {
        Self { format, brand, brief, chosen: existing.map(Fingerprint::new).collect() }
    }

    /// Takes the draft and remembers it, with the soft rules that it breaks, or says everything hard that it breaks.
    ///
    /// # Errors
    /// With the names of what is broken, in alphabetical order, each once.
    pub fn judge(&mut self, draft: &Draft) -> Result<Vec<Violation>, BTreeSet<&'static str>> {
        let (hard, soft): (Vec<_>, Vec<_>) =
            rules::check(self.format, self.brand, &draft.slots).into_iter().partition(Violation::is_hard);
        let mut broken: BTreeSet<&'static str> = hard.iter().map(|violation| violation.rule.name()).collect();
        broken.extend(self.own_faults(draft));
        let fingerprint = Fingerprint::new(&draft.slots);
        if self.chosen.iter().any(|it| it.is_near_duplicate(&fingerprint)) {
            broken.insert(NEAR_DUPLICATE);
        }
        if !broken.is_empty() {
            return Err(broken);
        }
        self.chosen.push(fingerprint);
        Ok(soft)
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
    use crate::author::Trace;

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
        let control = draft("The shoe for every trail", true).slots;
        let format = rules::format("WebBanner").expect("a format of ours");
        let mut choice = Choice::new(format, &brand, &brief, std::iter::once(&control));
        let judged = choice.judge(&draft(headline, finished)).err().unwrap_or_default();
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
        let format = rules::format("WebBanner").expect("a format of ours");
        let mut choice = Choice::new(format, &brand, &brief, std::iter::empty());
        assert!(choice.judge(&draft("Aero to {address1}", true)).is_ok());
        assert!(choice.judge(&draft("Aero to {address1} in 2 days", true)).is_err());
    }

    #[test]
    fn what_was_chosen_is_not_chosen_again_and_what_was_refused_is_not_remembered() {
        let brand = BrandRules::new(&[], &[]).expect("no words");
        let brief = Brief { product: "Aero".into(), ..Brief::default() };
        let format = rules::format("WebBanner").expect("a format of ours");
        let mut choice = Choice::new(format, &brand, &brief, std::iter::empty());
        assert!(choice.judge(&draft("Meet Aero", false)).is_err());
        assert!(choice.judge(&draft("Meet Aero", true)).is_ok());
        assert!(choice.judge(&draft("Meet Aero", true)).is_err());
    }
}
