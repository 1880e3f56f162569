//! What copy must hold before anybody sees it: the limits of its format, the words of its brand, and no trace of a
//! template language. Also, whether two pieces of copy say the same thing twice, the times of a video's script, and how a
//! text with variables is handed to readers, pages, tables and mail senders.
//!
//! ```text
//!   formats/*.yaml ─────────▶ Format ─────┐
//!     limits, Counting, Editorial, Grammar, Payload, Space, Timing
//!   forbidden, required ────▶ BrandRules ─┼─ check ──▶ [Violation]   "headline has 75 characters ..: shorten it by 15"
//!     Variables, Exceptions               │   Brand: formats and words that a brand has of its own
//!   slot name ─▶ text ──────▶ AdCopy ─────┘
//!
//!   text with {variables} ──▶ fill ──▶ html, csv_cell     for one reader; or translate, for whoever fills it in
//!
//!   AdCopy ──▶ Fingerprint ── similarity ──▶ near-duplicate or not
//!   cosine of two embeddings ── MeaningThreshold ──▶ the same meaning or not
//!   AdCopy ──▶ cues ──▶ webvtt, shot_list    where the format is a script
//! ```
//!
//! The crate is pure: no clock, no I/O, no environment. Format files are embedded at build time. It refuses to know
//! where copy comes from, who approved it and who reads it; it says what is wrong with a text, and writes it for a target.
//!
//! All functions are total: any string gives an answer, none a panic, and the same input gives the same answer in the
//! same order on every machine. Work is bounded by [`MAX_TEXT_BYTES`] per slot.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! let banner = rules::format("WebBanner").expect("a format of ours");
//! let brand = rules::BrandRules::new(&["cheap".to_owned()], &[]).expect("one word breaks no bound");
//! let copy = BTreeMap::from([
//!     ("headline".to_owned(), "CHEAP running shoes".to_owned()),
//!     ("button".to_owned(), "Shop now".to_owned()),
//! ]);
//! let violations = rules::check(banner, &brand, &copy);
//! assert_eq!(violations.len(), 1);
//! assert_eq!(violations[0].to_string(), "headline contains the forbidden word \"cheap\": say it in other words");
//! ```

mod border;
mod brand;
mod brand_file;
mod check;
mod counting;
mod duplicate;
mod editorial;
mod exception;
mod format;
mod grammar;
mod meaning;
mod media;
mod normal;
mod payload;
mod script;
mod space;
mod template;
mod variable;
mod violation;
mod words;

use std::collections::BTreeMap;

pub use border::{BorderError, Language, Markup, csv_cell, fill, html, translate};
pub use brand::{BrandRules, BrandRulesError, MAX_WORD_LENGTH, MAX_WORDS, WordList};
pub use brand_file::{Brand, BrandError, BrandProblem, MAX_BRAND_FILE_BYTES};
pub use check::{MAX_CLUSTER, MAX_TEXT_BYTES, check, check_begun, check_slot};
pub use counting::Counting;
pub use duplicate::{Fingerprint, NEAR_DUPLICATE, is_near_duplicate};
pub use editorial::Editorial;
pub use exception::{Exception, ExceptionError, Exceptions, MAX_EXCEPTIONS};
pub use format::{
    Delivery, Duplicates, Format, FormatError, Formats, MAX_OWN_FORMATS, Requirement, Series, Slot, format,
    formats,
};
pub use grammar::{Beginning, Grammar, GrammarError, MAX_GRAMMAR_BYTES, Source};
pub use meaning::{MeaningError, MeaningThreshold};
pub use media::{Media, MediaSlot};
pub use normal::{fold, is_invisible, normalize};
pub use payload::Payload;
pub use script::{Cue, Timing, cues, shot_list, webvtt};
pub use space::{Font, Space};
pub use template::Template;
pub use variable::{MAX_VARIABLE_LENGTH, MAX_VARIABLES, Variable, VariableError, Variables};
pub use violation::{CharacterClass, Rule, Severity, Violation};

/// The version of these rules, for the provenance of a variant.
///
/// It moves whenever the same copy could be judged differently: a changed check, a changed format file, newer Unicode
/// tables. Two results of [`check`] under one version are comparable; a test pins the format files to it.
pub const VERSION: &str = "4";

/// One piece of copy: text by slot name, and the addresses of [media](Media) by theirs.
///
/// A slot that is left out is absent; there is no empty text.
pub type AdCopy = BTreeMap<String, String>;
