//! A file → the evidence in it, and what stands beside it.

use api::record::{COMPRESSED, StoredRecord};
use api::{Evidence, Slots, VerdictStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::Deserialize;
use serde_json::Value;

/// Evidence with what was handed on under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The evidence.
    pub evidence: Evidence,
    /// Its digest.
    pub digest: String,
    /// What was handed on, where the file is a winner's ConfigMap.
    pub handed_on: Option<HandedOn>,
}

/// What a pipeline reads of a placement.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedOn {
    /// The variant.
    pub variant: String,
    /// Its texts.
    pub slots: Slots,
    /// The verdict.
    pub verdict: VerdictStatus,
    /// Whether it is of a dry run, and so the control.
    #[serde(default)]
    pub dry_run: bool,
    /// The variant that the verdict names, where its approval was taken back.
    #[serde(default)]
    pub withdrawn: Option<String>,
    /// The variant that the verdict names, where what it promises is over.
    #[serde(default)]
    pub expired: Option<String>,
}

/// Why a file holds no evidence.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is neither YAML nor JSON.
    #[error("it is neither YAML nor JSON: {0}")]
    Form(String),
    /// It is something else.
    #[error(
        "it is neither a ConfigMap with evidence nor evidence itself: name what `kubectl get configmap adc-NAME-winner -o yaml` prints"
    )]
    Other,
    /// A key does not hold what its name says.
    #[error("{key} can't be read: {problem}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A placement has no evidence.
    #[error(
        "{0} has no evidence, since its record was deleted or none was kept: what was decided stands in the verdict, and has to be taken over by hand"
    )]
    Missing(String),
}

impl RecordError {
    /// Whether it is the fault of this placement's record.
    pub(super) fn is_of(&self, placement: &str) -> bool {
        match self {
            Self::Missing(name) => name == placement,
            Self::Key { key, .. } => key.split('.').next() == Some(placement),
            Self::Form(_) | Self::Other => false,
        }
    }
}

const SUFFIX: &str = "evidence.json";

/// The records of a winner's ConfigMap, of a ConfigMap of evidence, or of a file of evidence; in the order of placements, and
/// for each that has none why.
///
/// # Errors
/// When the file holds no evidence at all.
pub fn records(bytes: &[u8]) -> Result<Vec<Result<Record, RecordError>>, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|error| RecordError::Form(error.to_string()))?;
    let value: Value = serde_saphyr::from_str(text).map_err(|error| RecordError::Form(error.to_string()))?;
    match value["kind"].as_str() {
        Some("Evidence") => Ok(vec![record("the file", text, None)]),
        Some("ConfigMap") => of_config(&config(&value)),
        _ => Err(RecordError::Other),
    }
}

/// What else may be under its keys is no record.
fn config(value: &Value) -> ConfigMap {
    let texts = |field: &str| {
        let entries = value[field].as_object().into_iter().flatten();
        entries.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())))
    };
    ConfigMap {
        data: Some(texts("data").collect()),
        binary_data: Some(texts("binaryData").map(|(key, text)| (key, bytes(&text))).collect()),
        ..ConfigMap::default()
    }
}

/// What a base64 that may be broken into lines says; what is none is no compressed record either.
fn bytes(base64: &str) -> ByteString {
    let whole: String = base64.split_whitespace().collect();
    ByteString(STANDARD.decode(&whole).unwrap_or_else(|_| whole.into_bytes()))
}

/// The records of a winner's ConfigMap, of a ConfigMap of evidence, in the order of placements.
///
/// # Errors
/// When it holds no evidence at all.
pub(super) fn of_config(config: &ConfigMap) -> Result<Vec<Result<Record, RecordError>>, RecordError> {
    let keys: Vec<&str> = config.data.iter().flatten().map(|(key, _)| key.as_str()).collect();
    let placements = keys.iter().filter_map(|key| key.strip_suffix(".json"));
    let placements: Vec<&str> = placements.filter(|name| !name.contains('.')).collect();
    // The record of one verdict alone is not handed on yet; a placement may have its name all the same.
    if placements.is_empty() || keys == [SUFFIX] {
        let text = text_of(config, SUFFIX, None).ok_or(RecordError::Other)?;
        return Ok(vec![text.and_then(|text| record(SUFFIX, &text, None))]);
    }
    Ok(placements.iter().map(|placement| of_placement(config, placement)).collect())
}

fn of_placement(config: &ConfigMap, placement: &str) -> Result<Record, RecordError> {
    let (of_winner, of_evidence) = (format!("{placement}.json"), format!("{placement}.{SUFFIX}"));
    let handed_on = config.data.as_ref().and_then(|data| data.get(&of_winner));
    let handed_on: HandedOn = parsed(&of_winner, handed_on.map(String::as_str).unwrap_or_default())?;
    let text = text_of(config, &of_evidence, handed_on.verdict.evidence.as_deref());
    let text = text.ok_or_else(|| RecordError::Missing(placement.to_owned()))??;
    record(&of_evidence, &text, Some(handed_on))
}

/// What stands under a key, in the form that has the digest where one is known: somebody else may have written the other.
fn text_of(config: &ConfigMap, key: &str, digest: Option<&str>) -> Option<Result<String, RecordError>> {
    let found: Vec<StoredRecord> = StoredRecord::all(config, key).collect();
    let is_meant = |kept: &&StoredRecord| {
        kept.text().is_ok_and(|text| digest == Some(api::name::text_digest(&text).as_str()))
    };
    // Where none is known it is ours if it is compressed: we write no other beside that.
    let kept = found.iter().find(is_meant).or(found.last())?;
    Some(kept.text().map_err(|error| unreadable(key, kept, &error)))
}

fn unreadable(key: &str, kept: &StoredRecord, error: &api::record::RecordError) -> RecordError {
    let suffix = if matches!(kept, StoredRecord::Compressed(_)) { COMPRESSED } else { "" };
    let other = match key {
        SUFFIX => "adc-NAME-winner, once the campaign is decided,",
        _ => "adc-NAME-evidence-DIGITS, which begin those of the verdict's `evidence`,",
    };
    let problem = format!("{error}; the ConfigMap {other} has it too");
    RecordError::Key { key: format!("{key}{suffix}"), problem }
}

fn record(key: &str, text: &str, handed_on: Option<HandedOn>) -> Result<Record, RecordError> {
    let evidence: Evidence = parsed(key, text)?;
    // Of a file that passed through other hands, spaces and line ends may differ: the digest is of the form that we write.
    let digest = api::name::text_digest(&evidence.to_text());
    Ok(Record { evidence, digest, handed_on })
}

fn parsed<T: for<'de> Deserialize<'de>>(key: &str, text: &str) -> Result<T, RecordError> {
    let problem =
        |error: serde_json::Error| RecordError::Key { key: key.to_owned(), problem: error.to_string() };
    serde_json::from_str(text).map_err(problem)
}
