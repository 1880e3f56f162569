//! A format as a JSON Schema, for engines that hold their answers to one.

use rules::{Counting, Format, Grammar, Requirement, Slot, Source};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The form to which an answer is held, as the API writes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseFormat<'a> {
    JsonSchema {
        json_schema: NamedSchema<'a>,
    },
    JsonObject {
        #[serde(skip_serializing_if = "Option::is_none")]
        schema: Option<Schema<'a>>,
    },
}

impl<'a> ResponseFormat<'a> {
    /// A schema, as OpenAI's API has it.
    pub(super) fn schema(format: &'a Format) -> Self {
        let json_schema = NamedSchema { name: format.name(), strict: true, schema: Schema::new(format) };
        Self::JsonSchema { json_schema }
    }

    /// A schema, as llama.cpp had it before.
    pub(super) fn object_of_schema(format: &'a Format) -> Self {
        Self::JsonObject { schema: Some(Schema::new(format)) }
    }

    /// Any object.
    pub(super) fn object() -> Self {
        Self::JsonObject { schema: None }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct NamedSchema<'a> {
    name: &'a str,
    strict: bool,
    schema: Schema<'a>,
}

/// The JSON Schema of a variant. Strict schemas demand every property, so an optional slot is one that may be null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema<'a> {
    r#type: &'static str,
    properties: Properties<'a>,
    required: Vec<&'a str>,
    additional_properties: bool,
}

impl<'a> Schema<'a> {
    fn new(format: &'a Format) -> Self {
        let slots = format.slots();
        Self {
            r#type: "object",
            properties: Properties(slots),
            required: slots.iter().map(|slot| slot.name.as_str()).collect(),
            additional_properties: false,
        }
    }
}

/// The slots in reading order, in which engines write them: a later one sees the earlier.
#[derive(Debug)]
struct Properties<'a>(&'a [Slot]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for slot in self.0 {
            map.serialize_entry(&slot.name, &property(slot))?;
        }
        map.end()
    }
}

fn property(slot: &Slot) -> Value {
    let kind = match slot.required {
        Requirement::Required => json!("string"),
        Requirement::Optional => json!(["string", "null"]),
    };
    let mut property = json!({"type": kind, "description": slot.purpose});
    if let Some(limit) = code_points(slot) {
        property["maxLength"] = limit.into();
    }
    if let Some(Source::Pattern(pattern)) = slot.grammar.as_ref().map(Grammar::source) {
        property["pattern"] = format!("^(?:{pattern})$").into();
    }
    property
}

/// The most code points of a slot, where its limit bounds them: a schema counts nothing else. A grapheme, a weighted
/// emoji or a segment may hold many.
pub(super) fn code_points(slot: &Slot) -> Option<usize> {
    match slot.counting {
        Counting::CodePoints | Counting::DoubleWidth | Counting::Utf16 => Some(slot.hard_limit),
        Counting::Graphemes | Counting::Weighted | Counting::SmsSegments => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stand_in_reading_order_and_limits_where_a_schema_can_count() {
        let format = rules::format("GoogleResponsiveSearch").expect("a format of ours");
        let text = serde_json::to_string(&Schema::new(format)).expect("JSON");
        let at = |name: &str| text.find(&format!("\"{name}\":{{")).expect(name);
        assert!(at("headline1") < at("headline15") && at("headline15") < at("description1"));
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema["properties"]["headline1"]["maxLength"], 30);
        assert_eq!(schema["properties"]["headline1"]["pattern"], Value::Null);
    }

    #[test]
    fn a_pattern_goes_along_for_the_whole_text() {
        let yaml = "{name: Tile, version: 1, summary: A tile., counting: Graphemes, deliveries: [Gateway], \
             source: Ours., checked: 2026-11-29, slots: [{name: price, purpose: It., required: true, hardLimit: 40, \
             maximumLines: 1, pattern: 'from \\d+ €|free'}]}";
        let format = Format::parse(yaml).expect("a good format");
        assert_eq!(property(&format.slots()[0])["pattern"], r"^(?:from \d+ €|free)$");
    }
}
