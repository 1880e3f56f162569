//! Formats: what a channel shows, as data. `docs/formats.md` explains the files.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

use crate::Counting;

/// The files of `rules/formats/`, in the order of their names. A test compares the list with the folder.
const FILES: [&str; 2] = [include_str!("../formats/email.yaml"), include_str!("../formats/web-banner.yaml")];

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let parse = |file| Format::parse(file).expect("every embedded format parses, which a test proves");
    FILES.into_iter().map(parse).collect()
});

/// The format of that name, spelled exactly so.
#[must_use]
pub fn format(name: &str) -> Option<&'static Format> {
    formats().find(|format| format.name() == name)
}

/// All formats, ordered by name.
pub fn formats() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter()
}

/// What one kind of spot holds: its slots with their limits, and who may choose what it shows.
///
/// Valid by construction: at least one slot and one delivery, slot names unique, no limit of zero, no soft limit above
/// its hard one, a source and the date on which it was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Format {
    name: String,
    version: u32,
    summary: String,
    deliveries: Vec<Delivery>,
    source: String,
    checked: String,
    slots: Vec<Slot>,
}

impl Format {
    /// Reads a format file.
    ///
    /// # Errors
    ///
    /// When the text is not YAML of that shape, has a field that the shape lacks, or breaks a promise of [`Format`].
    pub fn parse(yaml: &str) -> Result<Self, FormatError> {
        let file: File =
            serde_saphyr::from_str(yaml).map_err(|error| FormatError::Unreadable(Box::new(error)))?;
        file.validate()?;
        Ok(file.into_format())
    }

    /// The name that a placement gives, such as `WebBanner`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves with every change of the file, from one.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// One sentence about what the format is for.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The slots in reading order.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slot of that name, spelled exactly so.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// Whether a placement of this format may be delivered so.
    #[must_use]
    pub fn allows(&self, delivery: Delivery) -> bool {
        self.deliveries.contains(&delivery)
    }

    /// The deliveries that are allowed, as the file lists them.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// Who says so: the page or standard that sets the limits, or that they are a convention of ours.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The day on which the source was last read, as `YYYY-MM-DD`.
    #[must_use]
    pub fn checked(&self) -> &str {
        &self.checked
    }
}

/// A part of a variant, and what its text may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Slot {
    /// The name under which copy fills it.
    pub name: String,
    /// What it is for, as told to people and to a model.
    pub purpose: String,
    /// Whether copy may leave it out.
    pub required: Requirement,
    /// Above this, in units of `counting`, nothing is served.
    pub hard_limit: usize,
    /// Above this, in units of `counting`, the text may be cut or wrap; never more than `hard_limit`.
    pub soft_limit: Option<usize>,
    /// The most lines, separated by `\n`; at least one.
    pub maximum_lines: usize,
    /// How the limits count; the same for all slots of a format.
    pub counting: Counting,
}

impl Slot {
    /// The length of `text` as the limits of this slot count it.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.counting.count(text)
    }
}

/// Whether copy must fill a slot.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(from = "bool")]
pub enum Requirement {
    /// Copy without it is refused.
    Required,
    /// It may be left out, but not left empty.
    Optional,
}

impl From<bool> for Requirement {
    fn from(required: bool) -> Self {
        if required { Self::Required } else { Self::Optional }
    }
}

/// Who chooses what a person is shown, and when.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Delivery {
    /// We choose at each request: page, app, send-time call.
    Gateway,
    /// We choose for a list of subjects at once: mail, push, messages.
    Batch,
    /// An ad network chooses: copy goes out, results come back.
    Platform,
}

/// Why a format file cannot be used.
#[derive(Debug, Error)]
pub enum FormatError {
    /// Not YAML, or not of this shape.
    #[error("the format file is not of the shape that docs/formats.md describes: correct it")]
    Unreadable(#[source] Box<serde_saphyr::Error>),
    /// Of this shape, but a promise of [`Format`] is broken.
    #[error("format {format:?}: {what}")]
    Invalid {
        /// The name of the format.
        format: String,
        /// What is wrong and what to do.
        what: String,
    },
}

/// A format as its file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: u32,
    summary: String,
    counting: Counting,
    deliveries: Vec<Delivery>,
    source: String,
    checked: String,
    slots: Vec<FileSlot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FileSlot {
    name: String,
    purpose: String,
    required: Requirement,
    hard_limit: usize,
    soft_limit: Option<usize>,
    maximum_lines: usize,
}

impl File {
    fn validate(&self) -> Result<(), FormatError> {
        let mut names = BTreeSet::new();
        self.require(!self.name.is_empty(), "has no name: give it one")?;
        self.require(self.version > 0, "has version 0: count from 1")?;
        self.require(!self.summary.is_empty(), "has no summary: say in a sentence what it is for")?;
        self.require(!self.deliveries.is_empty(), "allows no delivery: name one")?;
        self.require(!self.source.is_empty(), "has no source: say who sets its limits")?;
        self.require(is_date(&self.checked), "checked is no date: write it as YYYY-MM-DD")?;
        self.require(!self.slots.is_empty(), "has no slots: name one")?;
        for slot in &self.slots {
            self.require(names.insert(&slot.name), "has two slots of one name: rename one")?;
            self.require(slot.is_complete(), "has a slot without name, purpose or line: complete it")?;
            self.require(
                slot.is_ordered(),
                "has a slot whose limits are not 0 < soft <= hard: correct them",
            )?;
        }
        Ok(())
    }

    fn require(&self, held: bool, what: &str) -> Result<(), FormatError> {
        let invalid = || FormatError::Invalid { format: self.name.clone(), what: what.to_owned() };
        held.then_some(()).ok_or_else(invalid)
    }

    fn into_format(self) -> Format {
        let Self { name, version, summary, counting, deliveries, source, checked, slots } = self;
        let slots = slots.into_iter().map(|slot| slot.into_slot(counting)).collect();
        Format { name, version, summary, deliveries, source, checked, slots }
    }
}

impl FileSlot {
    fn is_complete(&self) -> bool {
        !self.name.is_empty() && !self.purpose.is_empty() && self.maximum_lines > 0
    }

    fn is_ordered(&self) -> bool {
        self.hard_limit > 0 && self.soft_limit.is_none_or(|soft| (1..=self.hard_limit).contains(&soft))
    }

    fn into_slot(self, counting: Counting) -> Slot {
        let Self { name, purpose, required, hard_limit, soft_limit, maximum_lines } = self;
        Slot { name, purpose, required, hard_limit, soft_limit, maximum_lines, counting }
    }
}

/// Whether a text has the shape of an ISO 8601 date. The calendar is left to the author.
fn is_date(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| {
        if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}
