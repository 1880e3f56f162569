//! What is said of which variants, before it is written.

use api::{AdVariant, Decision, Origin, Slots, VariantState};
use kube::ResourceExt;

use crate::campaign::digits;

/// One decision on some variants.
#[derive(Debug)]
pub struct Word<'a> {
    /// What is said.
    pub decision: Decision,
    /// Of what.
    pub variants: Vec<&'a AdVariant>,
    /// The texts that are shown in their place, of an edit.
    pub texts: Option<Slots>,
    /// Why.
    pub reason: Option<String>,
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// No variant is called so.
    #[error("there is no variant {0}: `kubectl broadside review` lists them")]
    Unknown(String),
    /// Several are.
    #[error("{0} is the end of several names: write more of it")]
    Ambiguous(String),
    /// It is the control.
    #[error(
        "{0} is a control, which is always served: leave it out, or apply the campaign under a new name with another one"
    )]
    Control(String),
    /// The rules keep it from being served whatever people say.
    #[error("{0} breaks a rule and can't be served: `kubectl get adv -o wide` says which")]
    Refused(String),
    /// More may come than was read.
    #[error(
        "variants are still being written, and --all would approve what nobody has read: name those that you have read, or wait until the campaign is Reviewing"
    )]
    StillWriting,
    /// What was typed is no text for a slot.
    #[error("{0} is no text for a slot: write SLOT=TEXT, such as headline='Meet the Aero Trail 3'")]
    NoText(String),
    /// The variant has no such slot.
    #[error("{variant} has no {slot}: its slots are {known}")]
    UnknownSlot {
        /// The variant.
        variant: String,
        /// What was typed.
        slot: String,
        /// Those that it has.
        known: String,
    },
    /// All texts are as they were.
    #[error("{0} says that already: there is nothing to edit")]
    Unchanged(String),
    /// The API server takes no longer one.
    #[error("the reason has {0} characters: shorten it to {MOST_REASON}")]
    Reason(usize),
    /// There is nothing to say a word on.
    #[error("nothing waits for a word: name the variants, as `kubectl broadside review` lists them")]
    NothingWaits,
}

/// The longest reason, in characters, and the most variants that one review holds.
const MOST_REASON: usize = 500;
const MOST_VARIANTS: usize = 64;

impl<'a> Word<'a> {
    /// The word in parts that a review each can hold.
    ///
    /// # Errors
    /// When the reason is longer than a review takes.
    pub fn new(
        decision: Decision,
        variants: &[&'a AdVariant],
        reason: Option<&str>,
    ) -> Result<Vec<Self>, WordError> {
        let characters = reason.map_or(0, |reason| reason.chars().count());
        if characters > MOST_REASON {
            return Err(WordError::Reason(characters));
        }
        let parts = variants.chunks(MOST_VARIANTS);
        Ok(parts
            .map(|part| Self {
                decision,
                variants: part.to_vec(),
                texts: None,
                reason: reason.map(ToOwned::to_owned),
            })
            .collect())
    }

    /// An edit of a variant, whose slots get the texts that stand behind their names and a `=`.
    ///
    /// # Errors
    /// When one is no text, or for no slot of the variant, or all are as they were; and as [`Word::new`].
    pub fn edit(
        variant: &'a AdVariant,
        typed: &[String],
        reason: Option<&str>,
    ) -> Result<Vec<Self>, WordError> {
        let mut texts = variant.spec.slots.clone();
        for typed in typed {
            let (slot, text) = typed.split_once('=').ok_or_else(|| WordError::NoText(typed.clone()))?;
            let known = || texts.keys().cloned().collect::<Vec<_>>().join(", ");
            let unknown = || WordError::UnknownSlot {
                variant: variant.name_any(),
                slot: slot.to_owned(),
                known: known(),
            };
            let was = variant.spec.slots.get(slot).ok_or_else(unknown)?;
            if text.is_empty() {
                return Err(WordError::NoText(typed.clone()));
            }
            if was != text {
                texts.insert(slot.to_owned(), text.to_owned());
            }
        }
        if texts == variant.spec.slots {
            return Err(WordError::Unchanged(variant.name_any()));
        }
        let words = Self::new(Decision::Edit, &[variant], reason)?;
        Ok(words.into_iter().map(|word| Self { texts: Some(texts.clone()), ..word }).collect())
    }
}

/// How many digits at the end of a name are enough, where they are its alone.
const DIGITS: usize = 4;

/// The variants that are called `names`: each by its whole name, or by the digits at its end.
///
/// # Errors
/// Where a name is none, is that of several, or of one that a word changes nothing of.
pub fn find<'a>(variants: &'a [AdVariant], names: &[String]) -> Result<Vec<&'a AdVariant>, WordError> {
    let mut found: Vec<&AdVariant> = Vec::new();
    for name in names {
        let variant = one(variants, name)?;
        if !found.iter().any(|known| known.name_any() == variant.name_any()) {
            found.push(variant);
        }
    }
    Ok(found)
}

fn one<'a>(variants: &'a [AdVariant], asked: &str) -> Result<&'a AdVariant, WordError> {
    let whole = variants.iter().find(|variant| variant.name_any() == asked);
    let is_meant = |variant: &&AdVariant| asked.len() >= DIGITS && digits(variant).starts_with(asked);
    let mut ends = variants.iter().filter(is_meant);
    let variant = match (whole, ends.next(), ends.next()) {
        (Some(variant), ..) | (None, Some(variant), None) => variant,
        (None, Some(_), Some(_)) => return Err(WordError::Ambiguous(asked.to_owned())),
        (None, None, _) => return Err(WordError::Unknown(asked.to_owned())),
    };
    speakable(variant)
}

/// The variant, where a word on it changes something.
pub(super) fn speakable(variant: &AdVariant) -> Result<&AdVariant, WordError> {
    let state = variant.status.as_ref().and_then(|status| status.state);
    match (variant.spec.origin, state) {
        (Origin::Control, _) => Err(WordError::Control(variant.name_any())),
        (_, Some(VariantState::Refused)) => Err(WordError::Refused(variant.name_any())),
        _ => Ok(variant),
    }
}
