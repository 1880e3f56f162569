//! What a brief says, in the form in which a prompt says it, and which of it one variant is told.

use crate::prompt::{self, Prompt, Script};
use crate::random::Random;

/// The longest audience, offer or fact that a prompt carries, in characters. Longer ones do not fit into a headline or
/// a banner's body, so a model that is told them can only break them off.
const LONGEST_VALUE: usize = 80;
/// Facts that one variant is told. Two fill a banner; the others have their turn in other variants.
const FACTS_PER_VARIANT: usize = 2;

/// A brief whose values are clean: one line each, offers and facts as sentences without their full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// The language of the copy, as a primary tag such as `en`.
    pub language: String,
    /// The product's name.
    pub product: String,
    /// Whom the copy speaks to, unless that is too long to be said.
    pub audience: Option<String>,
    /// The offer, unless it is too long to be said.
    pub offer: Option<String>,
    /// The facts that are short enough to be said.
    pub facts: Vec<String>,
    /// How the brand sounds.
    pub tones: Vec<String>,
    /// What the reader should do.
    pub action: Option<String>,
    /// Words that every variant must hold and the product's name does not.
    pub words: Vec<String>,
}

impl Brief {
    /// Cleans a brief; `required` are the words that the brand demands.
    #[must_use]
    pub fn new(brief: &api::Brief, required: &[String]) -> Self {
        let product = prompt::value(&brief.product);
        let in_name = |word: &String| product.to_lowercase().contains(&word.to_lowercase());
        Self {
            language: prompt::primary(&brief.language),
            audience: brief.audience.as_deref().map(prompt::value).filter(|it| short(it)),
            offer: brief.offer.as_ref().map(|it| prompt::sentence(&it.text)).filter(|it| short(it)),
            facts: brief
                .facts
                .iter()
                .flatten()
                .map(|it| prompt::sentence(it))
                .filter(|it| short(it))
                .collect(),
            tones: brief.tone.iter().flatten().map(|it| prompt::value(it).to_lowercase()).collect(),
            action: brief.call_to_action.as_deref().map(prompt::sentence).filter(|it| short(it)),
            words: required.iter().filter(|word| !in_name(word)).map(|word| prompt::sentence(word)).collect(),
            product,
        }
    }

    /// What one variant is told: everything that fits, but one tone and two facts, so that variants differ in what
    /// they say and not only in how. Now and then audience or offer is left out, for the same reason.
    #[must_use]
    pub fn prompt(&self, format: &str, random: &mut Random) -> Prompt {
        let mut facts = self.facts.clone();
        random.shuffle(&mut facts);
        facts.truncate(FACTS_PER_VARIANT);
        let mut sometimes = |value: &Option<String>| value.clone().filter(|_| random.chance(0.8));
        let Script { gap, stop } = Script::of(&self.language);
        Prompt {
            format: format.to_owned(),
            language: self.language.clone(),
            product: self.product.clone(),
            audience: sometimes(&self.audience),
            offer: sometimes(&self.offer),
            facts,
            action: self.action.clone(),
            words: (!self.words.is_empty()).then(|| self.words.join(&format!("{stop}{gap}"))),
            tone: (!self.tones.is_empty()).then(|| random.pick(&self.tones).clone()),
        }
    }

    /// Whether every figure of a text stands in the brief. A wrong figure is a false claim, and a model that copies
    /// badly makes one before it makes anything else; so copy with a figure of its own is refused.
    #[must_use]
    pub fn knows_figures_of(&self, text: &str) -> bool {
        let said = self.figures();
        figures(text).all(|figure| said.contains(&figure))
    }

    /// Everything that the brief says, value by value.
    #[must_use]
    pub fn said(&self) -> Vec<&str> {
        let Self { language: _, product, audience, offer, facts, tones: _, action, words } = self;
        let values =
            std::iter::once(product).chain(audience).chain(offer).chain(facts).chain(action).chain(words);
        values.map(String::as_str).collect()
    }

    fn figures(&self) -> Vec<&str> {
        self.said().into_iter().flat_map(figures).collect()
    }
}

fn short(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= LONGEST_VALUE
}

/// The figures of a text: runs of digits, with the points and commas inside them (`1,200`, `9.90`).
pub(crate) fn figures(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|c: char| !c.is_numeric() && c != '.' && c != ',');
    runs.map(|run| run.trim_matches(['.', ','])).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief() -> Brief {
        Brief::new(
            &api::Brief {
                product: "Aero  Trail 3".into(),
                audience: Some("people who run on trails".into()),
                offer: Some(api::Offer { text: "free returns for 60 days.".into(), valid_until: None }),
                facts: Some(vec!["weighs 240 g".into(), "upper from recycled yarn".into(), "x".repeat(81)]),
                tone: Some(vec!["Warm".into(), "direct".into()]),
                call_to_action: Some("Shop now".into()),
                landing_page: None,
                language: "en".into(),
            },
            &["aero".into(), "terms apply".into()],
        )
    }

    #[test]
    fn a_brief_is_cleaned_and_what_is_too_long_to_be_said_is_left_out() {
        let brief = brief();
        assert_eq!(brief.product, "Aero Trail 3");
        assert_eq!(brief.offer.as_deref(), Some("Free returns for 60 days"));
        assert_eq!(brief.facts, ["Weighs 240 g", "Upper from recycled yarn"]);
        assert_eq!(brief.tones, ["warm", "direct"]);
        assert_eq!(brief.words, ["Terms apply"], "what the name holds need not be asked for");
    }

    #[test]
    fn variants_are_told_different_things_of_one_brief() {
        let brief = brief();
        let heads: std::collections::BTreeSet<String> =
            (0..20).map(|seed| brief.prompt("WebBanner", &mut Random::from_seed(seed)).head()).collect();
        assert!(heads.len() > 4, "{heads:?}");
        assert!(heads.iter().all(|head| head.contains("product: Aero Trail 3\n")));
    }

    #[test]
    fn a_figure_that_the_brief_does_not_hold_is_noticed() {
        let brief = brief();
        for good in ["Weighs 240 g.", "Aero Trail 3: 60 days", "No figure, no claim."] {
            assert!(brief.knows_figures_of(good), "{good}");
        }
        for bad in ["Weighs 24 g.", "6 days", "2400", "only $9.90"] {
            assert!(!brief.knows_figures_of(bad), "{bad}");
        }
    }
}
