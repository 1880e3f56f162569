//! Schemas that derive can't write: bounded maps and lists of bounded strings.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Copy: at most 32 slots, each named like a label, each text at most 4096 characters.
///
/// The channel's own limits are far lower; these only bound the object. Performance Max has the most slots, twenty-six.
pub(crate) fn slots(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 32,
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

/// The definition with a status for objects that have none yet, where a status tells which generation it is about.
///
/// Helm and Flux wait by kstatus, which takes an object without a status for a finished one: what was just applied would be
/// ready before the operator has seen it.
pub(crate) fn unobserved(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    let fields = schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()?.properties.as_mut());
    for status in fields.filter_map(|fields| fields.get_mut("status")) {
        if status.properties.as_ref().is_some_and(|fields| fields.contains_key("observedGeneration")) {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
    definition
}

/// The definition without the formats of unsigned integers: API servers don't know them and warn at each install. What
/// they would have said, bounds say.
pub(crate) fn known_formats(definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut json = serde_json::to_value(definition).expect("definitions are plain data");
    forget_unsigned(&mut json);
    // Whether objects keep the order of the code is up to what else is built with this crate.
    json.sort_all_objects();
    serde_json::from_value(json).expect("what was a definition is one")
}

fn forget_unsigned(json: &mut Value) {
    match json {
        Value::Object(map) => {
            map.retain(|key, value| {
                key != "format" || !value.as_str().is_some_and(|format| format.starts_with("uint"))
            });
            map.values_mut().for_each(forget_unsigned);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_unsigned),
        _ => {}
    }
}
