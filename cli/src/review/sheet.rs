//! A review round as a spreadsheet: out as CSV, and in again with decisions.
//!
//! Copy is untrusted where a spreadsheet opens it: cells that it would take for formulas are disarmed on the way out, by
//! [`rules::csv_cell`], and read back as they were.

use std::collections::BTreeSet;

use api::{AdVariant, Decision, VariantState};
use csv::StringRecord;
use kube::ResourceExt;

use crate::campaign::origin;

use super::word::{Word, WordError, speakable};

/// The columns beside the slots.
const CAMPAIGN: &str = "campaign";
const VARIANT: &str = "variant";
const STATE: &str = "state";
const DECISION: &str = "decision";
const REASON: &str = "reason";
const BEFORE: [&str; 5] = [CAMPAIGN, VARIANT, "placement", "origin", STATE];
const AFTER: [&str; 3] = ["claims", DECISION, REASON];

/// By which spreadsheets know UTF-8.
const MARK: &str = "\u{feff}";

/// What is wrong with a spreadsheet. Rows are counted as a spreadsheet shows them, the titles being row 1.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// It is no CSV.
    #[error("it can't be read as CSV: {0}; save it as CSV in UTF-8")]
    Csv(#[from] csv::Error),
    /// It is in another encoding.
    #[error("it is not in UTF-8: save it as CSV in UTF-8")]
    Encoding,
    /// Two columns have the same title.
    #[error("two columns are called {0}: give one of them another title")]
    Titles(String),
    /// The row is of another campaign.
    #[error(
        "row {row}: it is of a campaign with the UID {found}, and this one's is {expected}: begin with what `kubectl broadside review --output csv` writes now"
    )]
    Campaign {
        /// The row.
        row: usize,
        /// The UID in the row.
        found: String,
        /// The campaign's.
        expected: String,
    },
    /// Somebody rejected it since the file was written.
    #[error(
        "row {row}: {name} was rejected since the file was written ({reason}): leave it out, or approve it by name"
    )]
    RejectedSince {
        /// The row.
        row: usize,
        /// The variant.
        name: String,
        /// By whom, and why.
        reason: String,
    },
    /// A column is missing.
    #[error("there is no column {0}: begin with what `kubectl broadside review --output csv` writes")]
    Column(&'static str),
    /// A decision is none.
    #[error("row {row}: the decision {found:?} is none: write approve or reject, or leave it empty")]
    Decision {
        /// The row.
        row: usize,
        /// What stands there.
        found: String,
    },
    /// Nothing can be said of the variant.
    #[error("row {row}: {source}")]
    Variant {
        /// The row.
        row: usize,
        /// Why.
        source: WordError,
    },
    /// The text was changed.
    #[error(
        "row {row}: {slot} was changed in the file, and a word on other texts is none on these: put it back, and change the copy with `kubectl broadside edit`"
    )]
    Edited {
        /// The row.
        row: usize,
        /// The slot.
        slot: String,
    },
    /// A variant stands twice.
    #[error("row {row}: {name} stands twice with a decision: leave one of them empty")]
    Twice {
        /// The row.
        row: usize,
        /// The variant.
        name: String,
    },
    /// Nothing is decided.
    #[error("no row has a decision: write approve or reject into the column decision")]
    Empty,
}

/// All variants, each as a row: its texts by slot, and room for a decision and a reason.
pub fn write_sheet(variants: &[AdVariant]) -> String {
    let slots: BTreeSet<&str> =
        variants.iter().flat_map(|variant| variant.spec.slots.keys()).map(String::as_str).collect();
    let titles = BEFORE.into_iter().chain(slots.iter().copied()).chain(AFTER);
    let mut ordered: Vec<&AdVariant> = variants.iter().collect();
    ordered.sort_by_key(|variant| (variant.spec.placement.clone(), variant.spec.origin, variant.name_any()));
    let rows = ordered.iter().map(|variant| row(variant, &slots));
    let mut text = MARK.to_owned() + &line(titles.map(ToOwned::to_owned));
    rows.for_each(|row| text.push_str(&row));
    text
}

fn row(variant: &AdVariant, slots: &BTreeSet<&str>) -> String {
    let spec = &variant.spec;
    let state = variant.status.as_ref().and_then(|status| status.state);
    let claims = spec.appraisal.as_ref().map_or_else(String::new, |appraisal| appraisal.claims.join(", "));
    let before = [
        uid(variant).unwrap_or_default(),
        variant.name_any(),
        spec.placement.clone(),
        origin(spec.origin).to_owned(),
        state.map_or_else(String::new, |state| format!("{state:?}")),
    ];
    let texts = slots.iter().map(|slot| spec.slots.get(*slot).cloned().unwrap_or_default());
    line(before.into_iter().chain(texts).chain([claims, String::new(), String::new()]))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| rules::csv_cell(&cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// The words of a spreadsheet: one for each decision and reason.
///
/// Columns are found by their titles, so they may be moved, and others may be added. The separator may be a comma or a
/// semicolon, as spreadsheets of some countries write.
///
/// # Errors
/// At the first row that can't be carried out: then nothing of it is.
pub fn read_sheet<'a>(bytes: &[u8], variants: &'a [AdVariant]) -> Result<Vec<Word<'a>>, SheetError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SheetError::Encoding)?.trim_start_matches(MARK);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(text)).flexible(true).from_reader(text.as_bytes());
    let titles = reader.headers()?.clone();
    let mut seen = BTreeSet::new();
    if let Some(twice) = titles.iter().find(|title| !title.is_empty() && !seen.insert(title.trim())) {
        return Err(SheetError::Titles(twice.to_owned()));
    }
    let column = |name: &'static str| {
        titles.iter().position(|title| title.trim() == name).ok_or(SheetError::Column(name))
    };
    let (variant, decision) = (column(VARIANT)?, column(DECISION)?);
    let (reason, campaign, state) = (column(REASON).ok(), column(CAMPAIGN).ok(), column(STATE).ok());
    let cell = |record: &StringRecord, column: Option<usize>| {
        column
            .and_then(|column| record.get(column))
            .map(|cell| cell.trim().to_owned())
            .filter(|it| !it.is_empty())
    };
    let mut words: Vec<Word<'a>> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let row = index + 2;
        let record = record?;
        let Some(decision) = read_decision(record.get(decision).unwrap_or_default(), row)? else { continue };
        let name = record.get(variant).unwrap_or_default().trim();
        let refused = |source| SheetError::Variant { row, source };
        let known = variants.iter().find(|variant| variant.name_any() == name);
        let known = known.ok_or_else(|| refused(WordError::Unknown(name.to_owned())))?;
        let known = speakable(known).map_err(refused)?;
        unchanged(known, &titles, &record, row)?;
        of_campaign(known, cell(&record, campaign), row)?;
        not_rejected_since(known, decision, cell(&record, state).as_deref(), row)?;
        if words.iter().flat_map(|word| &word.variants).any(|said| said.name_any() == name) {
            return Err(SheetError::Twice { row, name: name.to_owned() });
        }
        let reason = cell(&record, reason);
        Word::new(decision, &[known], reason.as_deref()).map_err(refused)?;
        add(&mut words, decision, known, reason);
    }
    if words.is_empty() { Err(SheetError::Empty) } else { split(words) }
}

/// Each word in parts that a review can hold.
fn split(words: Vec<Word<'_>>) -> Result<Vec<Word<'_>>, SheetError> {
    let parts = words.into_iter().map(|Word { decision, variants, texts: _, reason }| {
        Word::new(decision, &variants, reason.as_deref())
    });
    let parts: Result<Vec<Vec<Word<'_>>>, WordError> = parts.collect();
    Ok(parts.map_err(|source| SheetError::Variant { row: 1, source })?.into_iter().flatten().collect())
}

fn uid(variant: &AdVariant) -> Option<String> {
    variant.owner_references().first().map(|owner| owner.uid.clone())
}

/// Whether the row is of this campaign, as far as it says.
fn of_campaign(variant: &AdVariant, found: Option<String>, row: usize) -> Result<(), SheetError> {
    match (found, uid(variant)) {
        (Some(found), Some(expected)) if found != expected => {
            Err(SheetError::Campaign { row, found, expected })
        }
        _ => Ok(()),
    }
}

/// An old file brings back nothing that was recalled meanwhile.
fn not_rejected_since(
    variant: &AdVariant,
    decision: Decision,
    written: Option<&str>,
    row: usize,
) -> Result<(), SheetError> {
    let status = variant.status.clone().unwrap_or_default();
    let rejected = format!("{:?}", VariantState::Rejected);
    let is_rejected = status.state == Some(VariantState::Rejected);
    match (decision, written) {
        (Decision::Approve, Some(written)) if is_rejected && written != rejected => {
            Err(SheetError::RejectedSince {
                row,
                name: variant.name_any(),
                reason: status.reason.unwrap_or_default(),
            })
        }
        _ => Ok(()),
    }
}

/// The one of the two that the titles have more of.
fn delimiter(text: &str) -> u8 {
    let titles = text.lines().next().unwrap_or_default();
    let count = |sign| titles.matches(sign).count();
    if count(';') > count(',') { b';' } else { b',' }
}

fn read_decision(cell: &str, row: usize) -> Result<Option<Decision>, SheetError> {
    match cell.trim().to_lowercase().as_str() {
        "" => Ok(None),
        "approve" | "approved" => Ok(Some(Decision::Approve)),
        "reject" | "rejected" => Ok(Some(Decision::Reject)),
        _ => Err(SheetError::Decision { row, found: cell.to_owned() }),
    }
}

/// Whether the row still has the texts of the variant: a reviewer may take the file for the place to mend a word.
fn unchanged(
    variant: &AdVariant,
    titles: &StringRecord,
    record: &StringRecord,
    row: usize,
) -> Result<(), SheetError> {
    let slots = variant.spec.slots.iter();
    let is_same = |slot: &str, text: &str| {
        let column = titles.iter().position(|title| title.trim() == slot);
        column.and_then(|column| record.get(column)).is_none_or(|cell| same(cell, text))
    };
    match slots.into_iter().find(|(slot, text)| !is_same(slot, text)) {
        Some((slot, _)) => Err(SheetError::Edited { row, slot: slot.clone() }),
        None => Ok(()),
    }
}

/// Spreadsheets write line ends in their own way, and the apostrophe before a formula is ours.
fn same(cell: &str, text: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(cell) == plain(text) || cell.strip_prefix('\'').is_some_and(|cell| plain(cell) == plain(text))
}

fn add<'a>(words: &mut Vec<Word<'a>>, decision: Decision, variant: &'a AdVariant, reason: Option<String>) {
    match words.iter_mut().find(|word| word.decision == decision && word.reason == reason) {
        Some(word) => word.variants.push(variant),
        None => words.push(Word { decision, variants: vec![variant], texts: None, reason }),
    }
}
