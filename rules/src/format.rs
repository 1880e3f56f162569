//! Formats: what a channel shows, as data. `docs/formats.md` explains the files.

mod catalog;
mod file;

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use thiserror::Error;

pub use self::catalog::{Formats, MAX_OWN_FORMATS};
use self::file::File;
use crate::{Counting, Editorial, Grammar, MediaSlot, Payload, Space, Timing};

/// The files of `rules/formats/`, in the order of their names. A test compares the list with the folder.
const FILES: [&str; 21] = [
    include_str!("../formats/banner-leaderboard.yaml"),
    include_str!("../formats/banner-medium-rectangle.yaml"),
    include_str!("../formats/banner-mobile.yaml"),
    include_str!("../formats/email.yaml"),
    include_str!("../formats/google-app.yaml"),
    include_str!("../formats/google-performance-max.yaml"),
    include_str!("../formats/google-responsive-display.yaml"),
    include_str!("../formats/google-responsive-search.yaml"),
    include_str!("../formats/landing-page-section.yaml"),
    include_str!("../formats/linked-in-single-image.yaml"),
    include_str!("../formats/meta-feed.yaml"),
    include_str!("../formats/meta-reels.yaml"),
    include_str!("../formats/meta-stories.yaml"),
    include_str!("../formats/microsoft-responsive-search.yaml"),
    include_str!("../formats/push-apns.yaml"),
    include_str!("../formats/push-fcm.yaml"),
    include_str!("../formats/service-macro.yaml"),
    include_str!("../formats/sms.yaml"),
    include_str!("../formats/video-script.yaml"),
    include_str!("../formats/web-banner.yaml"),
    include_str!("../formats/x-post.yaml"),
];

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let parse = |file| Format::parse(file).expect("every embedded format parses, which a test proves");
    FILES.into_iter().map(parse).collect()
});

/// The format of ours of that name, spelled exactly so. A brand may have more: [`Formats`].
#[must_use]
pub fn format(name: &str) -> Option<&'static Format> {
    formats().find(|format| format.name() == name)
}

/// All formats of ours, ordered by name.
pub fn formats() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter()
}

/// What one kind of spot holds: its slots with their limits, and who may choose what it shows.
///
/// Valid by construction: a name and slots as objects may hold them, at least one slot and one delivery, slot names
/// unique, no limit of zero, no soft limit above its hard one, no slot that refers to one that is not there, a source
/// and the date on which it was checked. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Format(Arc<Data>);

#[derive(Debug, Eq, PartialEq)]
struct Data {
    file: String,
    name: String,
    version: u32,
    summary: String,
    deliveries: Vec<Delivery>,
    source: String,
    checked: String,
    counting: Counting,
    payload: Option<Payload>,
    timing: Option<Timing>,
    slots: Vec<Slot>,
    media: Vec<MediaSlot>,
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
        Ok(Self(Arc::new(file.into_data(yaml)?)))
    }

    /// The file that it was read from, as it was written.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The name that a placement gives, such as `WebBanner`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Moves with every change of the file, from one.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// One sentence about what the format is for.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// How the limits of all slots count.
    #[must_use]
    pub fn counting(&self) -> Counting {
        self.0.counting
    }

    /// The limit over all slots together, where the channel has one.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        self.0.payload.as_ref()
    }

    /// How long lines stand, where the format is the script of a video.
    #[must_use]
    pub fn timing(&self) -> Option<&Timing> {
        self.0.timing.as_ref()
    }

    /// The slots in reading order; a part that comes several times is as many slots.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.0.slots
    }

    /// The slot of that name, spelled exactly so.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.0.slots.iter().find(|slot| slot.name == name)
    }

    /// The pictures and videos that people may give beside the texts.
    #[must_use]
    pub fn media(&self) -> &[MediaSlot] {
        &self.0.media
    }

    /// Whether a placement of this format may be delivered so.
    #[must_use]
    pub fn allows(&self, delivery: Delivery) -> bool {
        self.0.deliveries.contains(&delivery)
    }

    /// The deliveries that are allowed, as the file lists them.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        &self.0.deliveries
    }

    /// Who says so: the page or standard that sets the limits, or that they are a convention of ours.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The day on which the source was last read, as `YYYY-MM-DD`.
    #[must_use]
    pub fn checked(&self) -> &str {
        &self.0.checked
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
    /// The channel's rules of style that hold here, in the order of [`Editorial`], each once.
    pub editorial: Vec<Editorial>,
    /// The form to which the text is held as it is written, its variables by their names.
    pub grammar: Option<Grammar>,
    /// The room in pixels, where the text is set in a box.
    pub space: Option<Space>,
    /// The part that this slot is one of, where it comes several times: `headline` of `headline3`.
    pub series: Option<Series>,
    /// The slot without which this one is not shown.
    pub needs: Option<String>,
    /// The slots whose text this one should not say again.
    pub differs_from: Vec<String>,
}

/// A part that comes several times, such as three to fifteen headlines. Its slots are numbered from one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Series {
    /// The name without a number.
    pub name: String,
    /// How many of its slots are required: the first ones.
    pub least: usize,
    /// How many slots there are.
    pub most: usize,
    /// What the channel says to two slots of one text.
    pub duplicates: Duplicates,
}

/// What a channel says to the same text twice in a [`Series`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub enum Duplicates {
    /// It takes them.
    #[default]
    Allowed,
    /// It refuses the whole ad.
    Refused,
}

impl Slot {
    /// The length of `text` as the limits of this slot count it.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.counting.count(text)
    }

    /// How many Latin letters fill the slot: what a writer may plan with, whatever unit the limit has.
    #[must_use]
    pub fn letters(&self) -> usize {
        self.counting.letters(self.hard_limit)
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
    /// One of a brand's formats has the name of one of ours.
    #[error("format {0:?} is one of Broadside's own: give the brand's another name")]
    Taken(String),
    /// Two of a brand's formats have one name.
    #[error("format {0:?} is there twice: rename one, or remove it")]
    Twice(String),
    /// More formats than [`MAX_OWN_FORMATS`].
    #[error("there are {found} formats, at most {MAX_OWN_FORMATS} are allowed: remove {}", found - MAX_OWN_FORMATS)]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Of this shape, but a promise of [`Format`] is broken.
    #[error("format {format:?}: {what}")]
    Invalid {
        /// The name of the format.
        format: String,
        /// What is wrong and what to do.
        what: String,
    },
}
