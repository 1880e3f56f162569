//! A file → the evidence in it, and what stands beside it.

use std::collections::BTreeMap;

use api::{Evidence, Slots, VerdictStatus};
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
        Some("ConfigMap") => of_config(&value),
        _ => Err(RecordError::Other),
    }
}

fn of_config(config: &Value) -> Result<Vec<Result<Record, RecordError>>, RecordError> {
    let data = config["data"].as_object().ok_or(RecordError::Other)?;
    let data: BTreeMap<&str, &str> =
        data.iter().filter_map(|(key, text)| Some((key.as_str(), text.as_str()?))).collect();
    if let ([_], Some(text)) = (&data.keys().collect::<Vec<_>>()[..], data.get(SUFFIX)) {
        return Ok(vec![record(SUFFIX, text, None)]);
    }
    let placements = data.keys().filter_map(|key| key.strip_suffix(".json"));
    let placements = placements.filter(|name| !name.contains('.'));
    Ok(placements.map(|placement| of_placement(&data, placement)).collect())
}

fn of_placement(data: &BTreeMap<&str, &str>, placement: &str) -> Result<Record, RecordError> {
    let (of_winner, of_evidence) = (format!("{placement}.json"), format!("{placement}.{SUFFIX}"));
    let handed_on = data.get(of_winner.as_str()).copied().unwrap_or_default();
    let handed_on = parsed(&of_winner, handed_on)?;
    let text = data.get(of_evidence.as_str()).ok_or_else(|| RecordError::Missing(placement.to_owned()))?;
    record(&of_evidence, text, Some(handed_on))
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
