//! `DELETE /v1/subjects/ID`: what is known about a person goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The erasure is on disk, so no event from before counts any more; files that still hold something are written anew within
/// half an hour.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureResponse {
    /// In how many campaigns it was erased, whether or not anything was known there.
    pub campaigns: u64,
}
