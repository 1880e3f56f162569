//! Schemas that derive can't write: bounded maps and lists of bounded strings.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Copy: at most 16 slots, each named like a label, each text at most 4096 characters.
///
/// The channel's own limits are far lower; these only bound the object.
pub(crate) fn slots(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 4096 },
        "x-kubernetes-validations": [{
            "rule": "self.all(slot, slot.matches('^[a-z][a-zA-Z0-9]{0,31}$'))",
            "message": "a slot's name is a word such as headline or body: a small letter, then at most 31 letters or digits"
        }]
    })
}

/// A list of at most eight pieces of copy.
pub(crate) fn challengers(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 8, "items": slots(generator) })
}

/// A map of short strings, such as a node selector.
pub(crate) fn short_strings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 253 }
    })
}
