//! Room for the words that copy must hold.
//!
//! A model is told which words its copy has to hold, and may forget them. So one slot, the longest, keeps room for those
//! that no text holds yet; what the model did not say by its end is put behind it, as a sentence of its own.

use api::Slots;
use rules::{BrandRules, Slot};

use crate::draft::Task;
use crate::prompt::{self, Script};

/// Which slot keeps room, and for what.
#[derive(Clone, Debug)]
pub(super) struct Reserve<'t> {
    /// The slot's name; nothing where no word is demanded, or none has room.
    slot: Option<String>,
    brand: &'t BrandRules,
    /// The product's name. A demanded word that it holds is not put behind a text: whoever names the product says it.
    product: String,
    script: Script,
}

impl<'t> Reserve<'t> {
    pub(super) fn of(task: &Task<'t>) -> Self {
        let script = Script::of(&prompt::primary(task.language));
        let product = task.prompt.product.to_lowercase();
        let mut reserve = Self { slot: None, brand: task.brand, product, script };
        // A sentence behind a text of a fixed form would be none of it.
        let free = task.format.slots().iter().filter(|slot| slot.grammar.is_none());
        let largest = free.rev().max_by_key(|slot| slot.hard_limit);
        let all = reserve.sentences(reserve.demanded(std::iter::empty()), "");
        let fits = |slot: &&Slot| !all.is_empty() && slot.count(&all) <= slot.hard_limit;
        reserve.slot = largest.filter(fits).map(|slot| slot.name.clone());
        reserve
    }

    /// What is to stand behind `text` in a slot, where other slots hold `slots`: nothing, unless the slot keeps room.
    pub(super) fn tail(&self, slot: &Slot, slots: &Slots, text: &str) -> String {
        if self.slot.as_ref() != Some(&slot.name) {
            return String::new();
        }
        let texts = slots.values().map(String::as_str).chain(std::iter::once(text));
        self.sentences(self.demanded(texts), text)
    }

    fn demanded<'s>(&'s self, texts: impl Iterator<Item = &'s str>) -> Vec<&'s str> {
        let mut missing = self.brand.missing_from(texts);
        missing.retain(|word| !self.product.contains(&word.to_lowercase()));
        missing
    }

    fn sentences(&self, words: Vec<&str>, before: &str) -> String {
        let Script { gap, stop } = self.script;
        let open = before.trim_end().chars().last().is_some_and(char::is_alphanumeric);
        let first = if open && !words.is_empty() { stop } else { "" };
        let sentence = |word: &str| format!("{gap}{}{stop}", prompt::sentence(word));
        let sentences: String = words.into_iter().map(sentence).collect();
        format!("{first}{sentences}")
    }
}
