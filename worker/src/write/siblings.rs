//! What people's copy for the same placement says, so that a draft says something else.
//!
//! A token is penalized where people's copy for the same slot goes on with it: at the beginning of the text, or behind the
//! same token. What the brief says may be said again: product, offer and facts are the same in all good copy, and a
//! penalty on them would make a model misspell them.
//!
//! Drafts are no siblings of each other. A draft depends on nothing that its run wrote, so that it can be written again;
//! that drafts differ is up to their dice, and to the choice among them.

use std::ops::Range;

use rules::Slot;

use crate::draft::Task;
use crate::form::{Form, FormError};
use crate::prompt::Prompt;
use crate::tokens::Tokens;

/// People's copy as tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Siblings {
    /// By the place of the slot in its format: each token that is penalized, and the one behind which it is.
    slots: Vec<Vec<(Option<u32>, u32)>>,
}

impl Siblings {
    /// Reads people's copy as the model would have written it.
    pub(super) fn of(task: &Task<'_>, form: &Form, tokens: &Tokens) -> Result<Self, FormError> {
        let Task { prompt, format, siblings, .. } = task;
        let read = |text: &String| Ok(steps(&form.slot(text, &prompt.language, tokens)?, prompt, tokens));
        let of_slot = |slot: &Slot| {
            let texts = siblings.iter().filter_map(|slots| slots.get(&slot.name)).filter(|it| !it.is_empty());
            Ok(texts.map(read).collect::<Result<Vec<_>, FormError>>()?.concat())
        };
        Ok(Self { slots: format.slots().iter().map(of_slot).collect::<Result<_, FormError>>()? })
    }

    /// The tokens that are penalized in a slot behind what is written of it.
    pub(super) fn behind(&self, slot: usize, written: &[u32]) -> Vec<u32> {
        let last = written.last().copied();
        self.slots[slot].iter().filter(|(before, _)| *before == last).map(|(_, token)| *token).collect()
    }
}

/// Each token of a text with the one before it, but for those of what the brief says.
fn steps(text: &[u32], prompt: &Prompt, tokens: &Tokens) -> Vec<(Option<u32>, u32)> {
    let bytes: Vec<u8> = text.iter().flat_map(|token| tokens.bytes(*token)).copied().collect();
    let said = said(&bytes, prompt);
    let mut begin = 0;
    let ranges = text.iter().map(|token| {
        let range = begin..begin + tokens.bytes(*token).len();
        begin = range.end;
        range
    });
    let is_new = |range: &Range<usize>| !said.iter().any(|it| it.start < range.end && range.start < it.end);
    let before = std::iter::once(None).chain(text.iter().copied().map(Some));
    let steps = before.zip(text).zip(ranges).filter(|(_, range)| is_new(range));
    steps.map(|((before, token), _)| (before, *token)).collect()
}

/// Where a text says what its brief does, letter for letter.
fn said(text: &[u8], prompt: &Prompt) -> Vec<Range<usize>> {
    let Prompt { product, audience, offer, facts, action, words, format: _, language: _, tone: _ } = prompt;
    let optional = [audience, offer, action, words].into_iter().flatten();
    let values = std::iter::once(product).chain(optional).chain(facts).filter(|value| !value.is_empty());
    values
        .flat_map(|value| {
            let starts = text.windows(value.len()).enumerate().filter(|(_, it)| *it == value.as_bytes());
            starts.map(|(start, _)| start..start + value.len()).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use api::Slots;
    use rules::BrandRules;

    use super::*;
    use crate::random::Random;

    fn siblings(people: &[Slots], prompt: Prompt) -> (Siblings, Tokens) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/handbill");
        let tokens = Tokens::open(&folder.join("tokenizer.json")).expect("the shipped tokenizer");
        let form = Form::of(&folder, &engine::Conversation::default(), &tokens).expect("the plain one");
        let format = rules::format("WebBanner").expect("a format of ours");
        let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
        let random = Random::from_seed(0);
        let task = Task { prompt, format, brand: &brand, language: "en", siblings: people, random };
        (Siblings::of(&task, &form, &tokens).expect("it reads any text"), tokens)
    }

    fn headline(text: &str) -> Slots {
        Slots::from([("headline".to_owned(), text.to_owned())])
    }

    #[test]
    fn what_the_brief_says_may_be_said_again() {
        let check = |language: &str, product: &str, text: &str, expected: &str| {
            let prompt = Prompt { language: language.into(), product: product.into(), ..Prompt::default() };
            let offered = Prompt { offer: Some("Free returns".into()), ..prompt };
            let (siblings, tokens) = siblings(&[headline(text)], offered);
            let penalized = siblings.slots[0].iter().flat_map(|(_, token)| tokens.bytes(*token)).copied();
            assert_eq!(String::from_utf8(penalized.collect()).as_deref(), Ok(expected), "{text}");
            assert!(siblings.slots[1..].iter().all(Vec::is_empty), "{text}");
        };
        check("en", "Aero Trail 3", "Meet Aero Trail 3 on Sunday", " Meet on Sunday");
        check("en", "Aero Trail 3", "Aero Trail 3 Free returns", "");
        check("en", "Aero Trail 3", "Aero Trail 4", " Aero Trail 4");
        check("zh", "云翼跑鞋3", "认识云翼跑鞋3", "认识");
        check("en", "Aero Trail 3", "", "");
    }

    #[test]
    fn a_token_is_penalized_behind_the_same_token_and_at_the_same_beginning() {
        let people = [headline("Run far on trails"), headline("Run near")];
        let (siblings, tokens) = siblings(&people, Prompt { product: "Velta".into(), ..Prompt::default() });
        let first = |text: &str| tokens.encode(text).expect("text")[0];
        let check = |written: &str, expected: &[u32]| {
            let written = tokens.encode(written).expect("text");
            assert_eq!(siblings.behind(0, &written), expected, "behind {written:?}");
        };
        check("", &[first(" Run"), first(" Run")]);
        check(" on", &[first(" trails")]);
        check(" Velta", &[]);
    }

    #[test]
    fn without_people_there_is_nothing() {
        let (siblings, _) = siblings(&[], Prompt { product: "Velta".into(), ..Prompt::default() });
        assert!(siblings.slots.iter().all(Vec::is_empty));
    }
}
