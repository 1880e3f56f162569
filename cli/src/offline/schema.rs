//! The JSON Schemas of the form and of the answers, from the types that read and write them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::document::Document;
use super::world::{self, SimulateAnswer};
use super::{AllocateAnswer, EstimateAnswer};

/// Every schema with the name of its file in `docs/schemas/`.
pub fn schemas() -> [(&'static str, Schema); 5] {
    [
        ("estimate-input", read::<Document>()),
        ("estimate-answer", written::<EstimateAnswer>()),
        ("allocate-answer", written::<AllocateAnswer>()),
        ("world", read::<world::Form>()),
        ("simulate-answer", written::<SimulateAnswer>()),
    ]
}

/// The schema of what we read.
fn read<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// The schema of what we write: fields that are always there are required.
fn written<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
