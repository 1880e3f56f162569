//! How good a draft is that holds: four parts, each from 0 to 1, and their weighted mean.
//!
//! A score orders drafts of one placement before anybody has seen them. What copy is worth is for the experiment to say.

use rules::Violation;

use crate::draft::Draft;
use crate::prompt::Prompt;

/// What the parts weigh. What a brief wants said weighs most, since a marketer sees at once where it is missing; how
/// surely a model writes weighs no more than how well the copy fits, since the surest copy is the plainest.
const WEIGHTS: [f64; 4] = [0.25, 0.15, 0.4, 0.2];

/// The parts of a score, each from 0 to 1, the better the higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The geometric mean of the tokens' probabilities as the model has them; nothing where the author does not tell.
    pub fluency: Option<f64>,
    /// One minus the mean share that was refused before a token was drawn: copy that the rules did not have to force.
    /// Nothing where the author does not tell.
    pub freedom: Option<f64>,
    /// The share of what the model was told (product, offer, facts, call to action) of which the copy says most words.
    pub cover: f64,
    /// One minus the share of slots that go beyond a recommended limit or against a soft rule.
    pub fit: f64,
}

impl Score {
    /// Scores a draft that was written from `prompt` and broke the soft rules `soft`.
    #[must_use]
    pub fn of(draft: &Draft, prompt: &Prompt, soft: &[Violation]) -> Self {
        let slots: std::collections::BTreeSet<_> = soft.iter().map(|it| &it.slot).collect();
        Self {
            fluency: draft.trace.log_probability.filter(|it| it.is_finite() && *it <= 0.0).map(f64::exp),
            freedom: draft.trace.refused.map(|refused| 1.0 - refused.clamp(0.0, 1.0)),
            cover: cover(draft, prompt),
            fit: 1.0 - (slots.len() as f64 / draft.slots.len().max(1) as f64).min(1.0),
        }
    }

    /// The weighted mean of the parts that are known.
    #[must_use]
    pub fn total(&self) -> f64 {
        let Self { fluency, freedom, cover, fit } = *self;
        let parts = [fluency, freedom, Some(cover), Some(fit)];
        let known = || parts.iter().zip(WEIGHTS).filter_map(|(part, weight)| Some(((*part)?, weight)));
        known().map(|(part, weight)| part * weight).sum::<f64>()
            / known().map(|(_, weight)| weight).sum::<f64>()
    }
}

fn cover(draft: &Draft, prompt: &Prompt) -> f64 {
    let text = draft.slots.values().map(String::as_str).collect::<Vec<_>>().join("\n").to_lowercase();
    let Prompt { format: _, language: _, tone: _, product, audience: _, offer, facts, action, words: _ } =
        prompt;
    let told: Vec<&String> = std::iter::once(product).chain(offer).chain(facts).chain(action).collect();
    let said = told.iter().filter(|value| says(&text, value)).count();
    said as f64 / told.len() as f64
}

/// Whether a text holds more than half of a value's words; of a value without spaces, the whole.
fn says(text: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    let words: Vec<&str> = value.split_whitespace().collect();
    let found = words.iter().filter(|word| text.contains(**word)).count();
    2 * found > words.len()
}

/// Which of `candidates` to take next: the one with the best balance of its score and of how little it is like what was
/// taken before (maximal marginal relevance, Carbonell and Goldstein 1998, section 2, with λ = 0.6). `score` and
/// `likeness` are from 0 to 1; of equals the first is taken.
#[must_use]
pub fn next<T>(candidates: &[T], score: impl Fn(&T) -> f64, likeness: impl Fn(&T) -> f64) -> Option<usize> {
    const SCORE: f64 = 0.6;
    let worth = |it: &T| SCORE * score(it) - (1.0 - SCORE) * likeness(it);
    let worths = candidates.iter().map(worth).enumerate();
    worths
        .fold(None, |best: Option<(usize, f64)>, (index, worth)| match best {
            Some((_, highest)) if highest >= worth => best,
            _ => Some((index, worth)),
        })
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Trace;

    fn draft(headline: &str, log_probability: Option<f64>) -> Draft {
        let slots = [("headline".to_owned(), headline.to_owned())].into();
        Draft {
            slots,
            finished: true,
            trace: Trace { log_probability, refused: Some(0.25), ..Trace::default() },
        }
    }

    fn prompt() -> Prompt {
        Prompt {
            product: "Aero Trail 3".into(),
            offer: Some("Free returns for 60 days".into()),
            facts: vec!["Weighs 240 g".into()],
            action: Some("Shop now".into()),
            ..Prompt::default()
        }
    }

    #[test]
    fn each_part_is_what_it_says() {
        let score = Score::of(&draft("Aero Trail 3 weighs 240 g", Some(-0.5)), &prompt(), &[]);
        assert_eq!(
            score,
            Score { fluency: Some((-0.5f64).exp()), freedom: Some(0.75), cover: 0.5, fit: 1.0 }
        );
        let parts = 0.25 * (-0.5f64).exp() + 0.15 * 0.75 + 0.4 * 0.5 + 0.2;
        assert!((score.total() - parts).abs() < 1e-12);
        let unknown = Score { fluency: None, freedom: None, cover: 0.5, fit: 1.0 };
        assert!((unknown.total() - (0.4 * 0.5 + 0.2) / 0.6).abs() < 1e-12);
    }

    #[test]
    fn a_fluency_that_is_no_probability_is_none() {
        for (log_probability, fluency) in
            [(20.0, None), (f64::NAN, None), (f64::NEG_INFINITY, None), (0.0, Some(1.0))]
        {
            let score = Score::of(&draft("Run", Some(log_probability)), &prompt(), &[]);
            assert_eq!(score.fluency, fluency, "{log_probability}");
        }
    }

    #[test]
    fn soft_faults_count_once_for_a_slot() {
        let format = rules::format("WebBanner").expect("a format of ours");
        let brand = rules::BrandRules::new(&[], &[]).expect("no words");
        let long = draft("A headline of more than forty characters wraps", None);
        let soft =
            rules::check_slot(format.slot("headline").expect("a slot"), &brand, &long.slots["headline"]);
        assert!(!soft.is_empty() && soft.iter().all(|it| !it.is_hard()), "{soft:?}");
        assert_eq!(Score::of(&long, &prompt(), &soft).fit, 0.0);
    }

    #[test]
    fn of_two_good_drafts_the_one_that_says_something_new_is_taken() {
        // A score and a likeness to what was taken.
        let check =
            |candidates: &[(f64, f64)], taken| assert_eq!(next(candidates, |it| it.0, |it| it.1), taken);
        check(&[(0.9, 0.8), (0.8, 0.1)], Some(1));
        check(&[(0.9, 0.2), (0.2, 0.0)], Some(0));
        check(&[(0.5, 0.5), (0.5, 0.5)], Some(0));
        check(&[], None);
    }
}
