//! What is wrong with a piece of copy, in words.

use std::fmt;

use crate::{Counting, Editorial, Template};

/// One thing that is wrong. Its text says where, what, how much, and ends with what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The slot, or nothing where the variant as a whole is meant.
    pub slot: Option<String>,
    /// What is broken, and by how much.
    pub rule: Rule,
    /// What follows from it.
    pub severity: Severity,
}

impl Violation {
    /// Whether copy with this violation must not be served.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        self.severity == Severity::Hard
    }
}

/// What follows from a violation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Never served.
    Hard,
    /// Served, and worth a look.
    Soft,
}

/// What a piece of copy can break.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// The format requires the slot, the copy lacks it.
    MissingSlot,
    /// The format has no such slot.
    UnknownSlot {
        /// The slots that it has, in reading order.
        known: Vec<String>,
    },
    /// The text is too large to be looked at; nothing else of the slot was checked.
    TooLarge {
        /// The most bytes of UTF-8.
        limit: usize,
        /// How many it has.
        found: usize,
    },
    /// Nothing but white space and invisible characters.
    EmptyText,
    /// Longer than the soft or the hard limit; of the two only the worse is reported.
    TooLong {
        /// The limit.
        limit: usize,
        /// How long the text is.
        found: usize,
        /// How both were counted.
        counting: Counting,
    },
    /// More lines than the slot may have.
    TooManyLines {
        /// The most lines.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A character that has no place in copy.
    Character {
        /// Its class; each is reported once.
        class: CharacterClass,
        /// The first one of that class.
        first: char,
        /// How many of that class there are.
        found: usize,
    },
    /// More code points on one visible character than any script or emoji needs: stacked marks that draw over their
    /// neighbors, or a message hidden in tags.
    OvergrownCharacter {
        /// The most code points in one grapheme cluster.
        limit: usize,
        /// The most that there are.
        found: usize,
    },
    /// A variable that the campaign does not declare.
    UndeclaredVariable {
        /// Its name; each is reported once.
        name: String,
        /// Those that are declared.
        declared: Vec<String>,
    },
    /// Text that a template language or a browser would act on.
    Template {
        /// Which; each is reported once.
        kind: Template,
        /// The beginning of the first one.
        excerpt: String,
    },
    /// Against one of the channel's rules of style.
    Editorial {
        /// Which; each is reported once.
        check: Editorial,
        /// The beginning of what it found.
        excerpt: String,
    },
    /// Not of the form to which the slot's text is held.
    Grammar {
        /// The field of the format that says the form: `pattern` or `grammar`.
        field: &'static str,
        /// The end of what may stand there; all of a text that lacks its end may.
        behind: String,
    },
    /// The text of another slot of the same series, where the channel refuses that.
    DuplicateAsset {
        /// The earlier slot.
        other: String,
    },
    /// The text of a slot from which this one should differ.
    RepeatsSlot {
        /// The other slot.
        other: String,
    },
    /// Filled, while the slot without which it is not shown is not.
    NeedsSlot {
        /// The other slot.
        other: String,
    },
    /// The message that the channel would get is larger than it takes.
    PayloadTooLarge {
        /// The most bytes.
        limit: usize,
        /// How many there are, the sender's reserve among them.
        found: usize,
    },
    /// More rows than the box of the slot has, with words set one after the other.
    TooManyRows {
        /// The rows of the box.
        limit: usize,
        /// The rows that the text needs.
        found: usize,
        /// How wide a row is, in pixels.
        width: usize,
    },
    /// A word that no row of the box holds.
    WordTooWide {
        /// The first such word, with variables by their names.
        word: String,
        /// How wide a row is, in pixels.
        limit: usize,
        /// How wide the word is, in pixels.
        found: usize,
    },
    /// The lines of a script take longer than the video may.
    TooLongToRead {
        /// The most seconds.
        limit: usize,
        /// The seconds that it takes to read all lines.
        found: usize,
    },
    /// No address of a picture or video with its digest.
    NotMedia,
    /// A word that the brand forbids.
    ForbiddenWord {
        /// The word as the brand wrote it.
        word: String,
    },
    /// A word that the brand requires, and that stands in no slot.
    RequiredWord {
        /// The word as the brand wrote it.
        word: String,
    },
}

/// Why a character has no place in copy.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CharacterClass {
    /// Controls, tabs among them, and every line end but `\n`, which is no matter of characters but of lines.
    Control,
    /// Embeddings, overrides and isolates, which turn the order of the text that follows. The marks LRM, RLM and ALM
    /// are allowed.
    Direction,
    /// Private use: it looks like nothing outside one font.
    PrivateUse,
    /// The replacement character and noncharacters: what decoding leaves when it goes wrong.
    Broken,
}

impl Rule {
    /// A fixed word for labels and counts.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MissingSlot => "MissingSlot",
            Self::UnknownSlot { .. } => "UnknownSlot",
            Self::TooLarge { .. } => "TooLarge",
            Self::EmptyText => "EmptyText",
            Self::TooLong { .. } => "TooLong",
            Self::TooManyLines { .. } => "TooManyLines",
            Self::Character { .. } => "Character",
            Self::OvergrownCharacter { .. } => "OvergrownCharacter",
            Self::UndeclaredVariable { .. } => "UndeclaredVariable",
            Self::Template { .. } => "Template",
            Self::Editorial { check, .. } => check.name(),
            Self::Grammar { .. } => "Grammar",
            Self::DuplicateAsset { .. } => "DuplicateAsset",
            Self::RepeatsSlot { .. } => "RepeatsSlot",
            Self::NeedsSlot { .. } => "NeedsSlot",
            Self::PayloadTooLarge { .. } => "PayloadTooLarge",
            Self::TooManyRows { .. } => "TooManyRows",
            Self::WordTooWide { .. } => "WordTooWide",
            Self::TooLongToRead { .. } => "TooLongToRead",
            Self::NotMedia => "NotMedia",
            Self::ForbiddenWord { .. } => "ForbiddenWord",
            Self::RequiredWord { .. } => "RequiredWord",
        }
    }

    /// The limit that was broken, where the rule has one.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        match self {
            Self::TooLarge { limit, .. }
            | Self::TooLong { limit, .. }
            | Self::TooManyLines { limit, .. }
            | Self::PayloadTooLarge { limit, .. }
            | Self::TooManyRows { limit, .. }
            | Self::WordTooWide { limit, .. }
            | Self::TooLongToRead { limit, .. }
            | Self::OvergrownCharacter { limit, .. } => Some(*limit),
            _ => None,
        }
    }

    /// What was found in its place, where the rule counts.
    #[must_use]
    pub fn found(&self) -> Option<usize> {
        match self {
            Self::TooLarge { found, .. }
            | Self::TooLong { found, .. }
            | Self::TooManyLines { found, .. }
            | Self::PayloadTooLarge { found, .. }
            | Self::TooManyRows { found, .. }
            | Self::WordTooWide { found, .. }
            | Self::TooLongToRead { found, .. }
            | Self::Character { found, .. }
            | Self::OvergrownCharacter { found, .. } => Some(*found),
            _ => None,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.slot.as_deref().unwrap_or("the variant"))?;
        match (&self.rule, self.severity) {
            (Rule::TooLong { limit, found, counting }, Severity::Soft) => {
                let (unit, excess) = (counting.unit(), found.saturating_sub(*limit));
                let are = if *limit == 1 { "is" } else { "are" };
                let else_ = counting.consequence();
                write!(
                    f,
                    "has {found} {unit}, {limit} {are} recommended: shorten it by {excess}, or accept that {else_}"
                )
            }
            (Rule::TooLongToRead { limit, found }, Severity::Soft) => {
                write!(f, "takes {found} seconds to read, {limit} are recommended: shorten its lines")
            }
            (rule, _) => rule.fmt(f),
        }
    }
}

impl fmt::Display for Rule {
    /// A sentence without its subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingSlot => write!(f, "is missing: write it"),
            Self::UnknownSlot { known } => {
                write!(f, "is no slot of this format: remove it, or use one of {}", known.join(", "))
            }
            Self::TooLarge { limit, found } => {
                write!(f, "has {found} bytes, at most {limit} are read: shorten it")
            }
            Self::EmptyText => write!(f, "is empty: write it, or leave an optional slot out"),
            Self::TooLong { limit, found, counting } => {
                let (unit, excess) = (counting.unit(), found.saturating_sub(*limit));
                write!(f, "has {found} {unit}, at most {limit} are allowed: shorten it by {excess}")
            }
            Self::TooManyLines { limit: 1, found } => {
                write!(f, "has {found} lines, only one is allowed: join them, and end without a line break")
            }
            Self::TooManyLines { limit, found } => {
                write!(f, "has {found} lines, at most {limit} are allowed: join some")
            }
            Self::Character { class, first, found } => class.describe(f, *first, *found),
            Self::OvergrownCharacter { limit, found } => {
                write!(
                    f,
                    "has {found} code points on one character, at most {limit} are allowed: remove the stacked marks"
                )
            }
            Self::UndeclaredVariable { name, declared } if declared.is_empty() => {
                write!(
                    f,
                    "uses {{{name}}}, which is no declared variable: declare it, or write the words that the reader shall see"
                )
            }
            Self::UndeclaredVariable { name, declared } => {
                let declared = declared.join("}, {");
                write!(f, "uses {{{name}}}, which is no declared variable: declare it, or use {{{declared}}}")
            }
            Self::Template { kind, excerpt } => {
                write!(f, "contains {kind} at {excerpt:?}: {}", kind.remedy())
            }
            Self::Editorial { check, excerpt } => {
                write!(f, "{} at {excerpt:?}: {}", check.finding(), check.remedy())
            }
            Self::Grammar { field, behind } if behind.is_empty() => {
                write!(f, "does not begin as its {field} demands: write it as the format's file says")
            }
            Self::Grammar { field, behind } => {
                write!(
                    f,
                    "does not go on as its {field} demands behind {behind:?}: write it as the format's file says"
                )
            }
            Self::DuplicateAsset { other } => {
                write!(f, "says the same as {other}, which the channel refuses: say something else")
            }
            Self::RepeatsSlot { other } => {
                write!(f, "repeats {other}, beside which it is shown: say something else")
            }
            Self::NeedsSlot { other } => {
                write!(f, "is only shown with {other}, which is missing: write that, or leave this out")
            }
            Self::PayloadTooLarge { limit, found } => {
                let excess = found.saturating_sub(*limit);
                write!(
                    f,
                    "makes a message of {found} bytes, at most {limit} are allowed: shorten its texts by {excess} bytes"
                )
            }
            Self::TooManyRows { limit, found, width } => {
                write!(f, "fills {found} rows of {width} pixels, the box has {limit}: shorten it")
            }
            Self::WordTooWide { word, limit, found } if word.contains('{') => {
                write!(
                    f,
                    "has {word:?} of {found} pixels at its longest, a row has {limit}: lower its maximumLength, or leave it out"
                )
            }
            Self::WordTooWide { word, limit, found } => {
                write!(f, "has {word:?} of {found} pixels, a row has {limit}: use a shorter word")
            }
            Self::TooLongToRead { limit, found } => {
                let excess = found.saturating_sub(*limit);
                write!(
                    f,
                    "takes {found} seconds to read, at most {limit} are allowed: shorten its lines by {excess} seconds"
                )
            }
            Self::NotMedia => {
                write!(
                    f,
                    "is no address with a digest: write https://<address>@sha256:<64 small hexadecimal digits>"
                )
            }
            Self::ForbiddenWord { word } => {
                write!(f, "contains the forbidden word {word:?}: say it in other words")
            }
            Self::RequiredWord { word } => {
                write!(f, "lacks the required word {word:?}: say it in one of the slots")
            }
        }
    }
}

impl CharacterClass {
    fn describe(self, f: &mut fmt::Formatter<'_>, first: char, found: usize) -> fmt::Result {
        let (what, remedy) = match self {
            Self::Control => ("control characters", "remove them, and break lines with a line feed alone"),
            Self::Direction => ("characters that turn the direction of text", "remove them"),
            Self::PrivateUse => ("private-use characters", "use characters that every font has"),
            Self::Broken => ("characters that decoding left broken", "write them anew"),
        };
        write!(f, "contains {what} ({found}, first U+{:04X}): {remedy}", u32::from(first))
    }
}
