//! A format as its file writes it, and its way to a [`Format`].

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Data, Delivery, Duplicates, FormatError, Requirement, Series, Slot};
use crate::{Counting, Editorial, Grammar, MediaSlot, Payload, Source, Space, Timing};

/// The most slots that a series may have: more are a typing error.
const MAX_SERIES: usize = 20;
/// The most slots that an object may hold.
const MAX_SLOTS: usize = 32;
/// The highest limit of a slot, in any unit: an object holds no longer text.
const MAX_LIMIT: usize = 4096;
/// The most lines, or rows of a box.
const MAX_LINES: usize = 200;
/// The widest box, and the largest letters, in pixels.
const MAX_PIXELS: usize = 20_000;
/// The longest script, in seconds, and the most that may be said in one.
const MAX_SECONDS: usize = 3600;
/// The largest message of a push service, in bytes.
const MAX_PAYLOAD: usize = 64 * 1024;
/// The longest summary or purpose, in bytes: models are told them.
const MAX_SENTENCE: usize = 400;
/// The longest name that a placement may give.
const MAX_NAME: usize = 40;
/// The longest name of a slot that an object may hold.
const MAX_SLOT_NAME: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    name: String,
    version: u32,
    summary: String,
    counting: Counting,
    deliveries: Vec<Delivery>,
    #[serde(default)]
    editorial: Vec<Editorial>,
    payload: Option<Payload>,
    timing: Option<Timing>,
    source: String,
    checked: String,
    slots: Vec<FileSlot>,
    #[serde(default)]
    media: Vec<FileMedia>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMedia {
    name: String,
    purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FileSlot {
    name: String,
    purpose: String,
    /// Either this or `repeat`.
    required: Option<Requirement>,
    repeat: Option<Repeat>,
    hard_limit: usize,
    soft_limit: Option<usize>,
    maximum_lines: usize,
    #[serde(default)]
    editorial: Vec<Editorial>,
    /// A regular expression for the whole text; either this or `grammar`, or neither.
    pattern: Option<String>,
    /// Rules in Lark for the whole text.
    grammar: Option<String>,
    space: Option<Space>,
    /// The name of a slot; of a series for the slot of the same number.
    needs: Option<String>,
    /// The name of a slot, or of a series for all of its slots.
    differs_from: Option<String>,
}

/// How often a part comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    least: usize,
    most: usize,
    #[serde(default)]
    duplicates: Duplicates,
    /// Where a channel wants one of the texts short, the first is it.
    #[serde(default)]
    first: Limits,
}

/// Limits that stand in place of the slot's own.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Limits {
    hard_limit: Option<usize>,
    soft_limit: Option<usize>,
}

impl File {
    /// Checks what the types do not, and writes every series out.
    pub(super) fn into_data(self, file: &str) -> Result<Data, FormatError> {
        self.validate()?;
        let slots = self.slots.iter().map(|slot| self.expand(slot)).collect::<Result<Vec<_>, _>>()?.concat();
        self.validate_slots(&slots)?;
        let Self {
            name,
            version,
            summary,
            counting,
            deliveries,
            editorial: _,
            payload,
            timing,
            source,
            checked,
            slots: _,
            media,
        } = self;
        let media =
            media.into_iter().map(|FileMedia { name, purpose }| MediaSlot { name, purpose }).collect();
        let file = file.to_owned();
        Ok(Data {
            file,
            name,
            version,
            summary,
            deliveries,
            source,
            checked,
            counting,
            payload,
            timing,
            slots,
            media,
        })
    }

    fn validate(&self) -> Result<(), FormatError> {
        self.require(!self.name.is_empty(), "has no name: give it one")?;
        self.require(
            is_word(&self.name, char::is_uppercase, MAX_NAME),
            "has a name that no placement can give: write a capital, then at most 39 letters and digits",
        )?;
        self.require(self.version > 0, "has version 0: count from 1")?;
        self.require(!self.summary.is_empty(), "has no summary: say in a sentence what it is for")?;
        self.require(!self.deliveries.is_empty(), "allows no delivery: name one")?;
        self.require(!self.source.is_empty(), "has no source: say who sets its limits")?;
        self.require(is_date(&self.checked), "checked is no date: write it as YYYY-MM-DD")?;
        self.require(!self.slots.is_empty(), "has no slots: name one")?;
        self.require(
            self.is_bounded(),
            "has a number that no channel has (limits to 4096, lines to 200, pixels to 20000, seconds to 3600, a payload \
             to 65536 bytes): lower it",
        )?;
        self.require(
            self.sentences().all(|text| text.len() <= MAX_SENTENCE && !text.contains(char::is_control)),
            "has a summary or purpose that is no sentence: write one line of at most 400 bytes",
        )?;
        self.require(
            self.payload.as_ref().is_none_or(Payload::has_room),
            "has a payload whose frame and reserve leave no room: raise hardLimit",
        )?;
        self.require(
            self.timing.as_ref().is_none_or(|timing| self.is_timed(timing)),
            "has a timing that is not 0 < soft <= hard, or whose series are none: correct it",
        )?;
        for slot in &self.slots {
            self.require(slot.is_complete(), "has a slot without name, purpose or line: complete it")?;
            self.require(
                slot.required.is_some() != slot.repeat.is_some(),
                "has a slot that says both or neither of required and repeat: say one",
            )?;
            self.require(
                slot.repeat.as_ref().is_none_or(Repeat::is_ordered),
                "has a series that is not least <= most <= 20, with two slots or more: correct it",
            )?;
        }
        Ok(())
    }

    fn validate_slots(&self, slots: &[Slot]) -> Result<(), FormatError> {
        self.require(
            slots.len() + self.media.len() <= MAX_SLOTS,
            "has more than 32 slots and media: leave some out",
        )?;
        let mut names = BTreeSet::new();
        for slot in slots {
            self.require(names.insert(slot.name.as_str()), "has two slots of one name: rename one")?;
            self.require(
                is_word(&slot.name, char::is_lowercase, MAX_SLOT_NAME),
                "has a slot name that is none: write a small letter, then at most 31 letters and digits",
            )?;
            self.require(is_ordered(slot), "has a slot whose limits are not 0 < soft <= hard: correct them")?;
        }
        for FileMedia { name, purpose } in &self.media {
            self.require(names.insert(name), "has media of the name of another part: rename one")?;
            self.require(
                is_word(name, char::is_lowercase, MAX_SLOT_NAME) && !purpose.is_empty(),
                "has media without a purpose, or whose name is none: complete it",
            )?;
        }
        let mut others = slots.iter().flat_map(|slot| slot.needs.iter().chain(&slot.differs_from));
        self.require(
            others.all(|name| names.contains(name.as_str())),
            "has a slot that needs or differs from one that is not there: correct its name",
        )
    }

    fn sentences(&self) -> impl Iterator<Item = &String> {
        let of_media = self.media.iter().map(|media| &media.purpose);
        std::iter::once(&self.summary).chain(self.slots.iter().map(|slot| &slot.purpose)).chain(of_media)
    }

    /// Whether arithmetic with its numbers stays far from any overflow.
    fn is_bounded(&self) -> bool {
        let payload = self.payload.as_ref().is_none_or(|it| it.hard_limit.max(it.reserve) <= MAX_PAYLOAD);
        let timing = self
            .timing
            .as_ref()
            .is_none_or(|it| it.hard_limit.max(it.soft_limit).max(it.units_per_second) <= MAX_SECONDS);
        payload && timing && self.slots.iter().all(FileSlot::is_bounded)
    }

    fn is_timed(&self, timing: &Timing) -> bool {
        let is_series = |name: &String| self.series(name).is_some();
        timing.is_ordered() && [&timing.lines, &timing.shots].into_iter().all(is_series)
    }

    fn require(&self, held: bool, what: &str) -> Result<(), FormatError> {
        held.then_some(()).ok_or_else(|| self.invalid(what.to_owned()))
    }

    fn invalid(&self, what: String) -> FormatError {
        FormatError::Invalid { format: self.name.clone(), what }
    }

    fn expand(&self, slot: &FileSlot) -> Result<Vec<Slot>, FormatError> {
        let plain = self.slot(slot)?;
        Ok(match &slot.repeat {
            None => vec![plain],
            Some(repeat) => {
                (1..=repeat.most).map(|number| self.numbered(slot, plain.clone(), repeat, number)).collect()
            }
        })
    }

    fn numbered(&self, slot: &FileSlot, plain: Slot, repeat: &Repeat, number: usize) -> Slot {
        let Repeat { least, most, duplicates, ref first } = *repeat;
        let own = |limit: Option<usize>| limit.filter(|_| number == 1);
        Slot {
            name: format!("{}{number}", slot.name),
            required: Requirement::from(number <= least),
            hard_limit: own(first.hard_limit).unwrap_or(plain.hard_limit),
            soft_limit: own(first.soft_limit).or(plain.soft_limit),
            series: Some(Series { name: slot.name.clone(), least, most, duplicates }),
            needs: slot.needs.as_ref().map(|name| match self.series(name) {
                Some(_) => format!("{name}{number}"),
                None => name.clone(),
            }),
            ..plain
        }
    }

    fn slot(&self, slot: &FileSlot) -> Result<Slot, FormatError> {
        Ok(Slot {
            name: slot.name.clone(),
            purpose: slot.purpose.clone(),
            required: slot.required.unwrap_or(Requirement::Optional),
            hard_limit: slot.hard_limit,
            soft_limit: slot.soft_limit,
            maximum_lines: slot.maximum_lines,
            counting: self.counting,
            editorial: BTreeSet::from_iter(self.editorial.iter().chain(&slot.editorial).copied())
                .into_iter()
                .collect(),
            grammar: self.grammar(slot)?,
            space: slot.space,
            series: None,
            needs: slot.needs.clone(),
            differs_from: slot.differs_from.iter().flat_map(|name| self.names(name)).collect(),
        })
    }

    fn grammar(&self, slot: &FileSlot) -> Result<Option<Grammar>, FormatError> {
        let source = match (&slot.pattern, &slot.grammar) {
            (None, None) => return Ok(None),
            (Some(pattern), None) => Source::Pattern(pattern.clone()),
            (None, Some(grammar)) => Source::Lark(grammar.clone()),
            (Some(_), Some(_)) => {
                return Err(self.invalid(format!("slot {} has both pattern and grammar: say one", slot.name)));
            }
        };
        let field = source.field();
        let refused = |error| self.invalid(format!("{field} of slot {} {error}", slot.name));
        Grammar::new(source).map(Some).map_err(refused)
    }

    /// How often the part of that name comes, where it comes several times.
    fn series(&self, name: &str) -> Option<&Repeat> {
        self.slots.iter().find(|slot| slot.name == name)?.repeat.as_ref()
    }

    /// The slots that a name in the file stands for.
    fn names(&self, name: &str) -> Vec<String> {
        match self.series(name) {
            None => vec![name.to_owned()],
            Some(repeat) => (1..=repeat.most).map(|number| format!("{name}{number}")).collect(),
        }
    }
}

impl FileSlot {
    fn is_bounded(&self) -> bool {
        let of_first = self.repeat.as_ref().and_then(|repeat| repeat.first.hard_limit);
        let space =
            self.space.as_ref().is_none_or(|it| it.width.max(it.size) <= MAX_PIXELS && it.rows <= MAX_LINES);
        self.hard_limit.max(of_first.unwrap_or(0)) <= MAX_LIMIT && self.maximum_lines <= MAX_LINES && space
    }

    fn is_complete(&self) -> bool {
        let is_room = self.space.as_ref().is_none_or(Space::is_room);
        !self.name.is_empty() && !self.purpose.is_empty() && self.maximum_lines > 0 && is_room
    }
}

impl Repeat {
    fn is_ordered(&self) -> bool {
        self.least <= self.most && (2..=MAX_SERIES).contains(&self.most)
    }
}

/// Whether a name is of ASCII letters and digits, begins so, and is no longer.
fn is_word(name: &str, begins: fn(char) -> bool, longest: usize) -> bool {
    name.len() <= longest && name.starts_with(begins) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_ordered(slot: &Slot) -> bool {
    slot.hard_limit > 0 && slot.soft_limit.is_none_or(|soft| (1..=slot.hard_limit).contains(&soft))
}

/// Whether a text has the shape of an ISO 8601 date. The calendar is left to the author.
fn is_date(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| {
        if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}
