//! The shape of an object, as its custom resource definition says: every fault, where the API server's client stops at
//! a few and a deserializer at the first.
//!
//! The part of OpenAPI that our definitions use. Unlike the API server, which prunes unknown fields, and like
//! `kubectl apply` with strict validation, a field that the definition lacks is an error: it is a typing error.

use regex::Regex;
use serde_json::Value;

use super::Finding;

/// Every fault of `object`; the error is a kind or version that we do not have.
pub(super) fn check(object: &Value) -> Result<Vec<Finding>, Finding> {
    let schema = schema(object)?;
    let mut walk = Walk::default();
    for part in ["spec", "status"] {
        match object.get(part) {
            Some(value) => walk.value(&schema["properties"][part], value, part),
            None if part == "spec" => walk.fault(part, "is missing: add it"),
            None => {}
        }
    }
    walk.unknown_fields(&["apiVersion", "kind", "metadata", "spec", "status"], object, "");
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        walk.fault("metadata.name", "is missing: name the object");
    }
    Ok(walk.0)
}

fn schema(object: &Value) -> Result<Value, Finding> {
    let (version, kind) = (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str());
    let definitions = api::definitions();
    let kinds: Vec<&str> = definitions.iter().map(|definition| definition.spec.names.kind.as_str()).collect();
    let Some(index) = kinds.iter().position(|known| Some(*known) == kind) else {
        let (found, kinds) = (kind.unwrap_or("nothing"), kinds.join(", "));
        return Err(Finding::error("kind", format!("{found} is not known: use one of {kinds}")));
    };
    let spec = serde_json::to_value(&definitions[index].spec).expect("a definition is plain data");
    let served = spec["versions"].as_array().into_iter().flatten();
    let mut matching = served.filter(|served| {
        version == format!("{}/{}", api::GROUP, served["name"].as_str().unwrap_or_default())
    });
    match matching.next() {
        Some(served) => Ok(served["schema"]["openAPIV3Schema"].clone()),
        None => {
            Err(Finding::error("apiVersion", format!("{version} is not known: use {}/v1alpha1", api::GROUP)))
        }
    }
}

/// Walks value and schema side by side, and collects.
#[derive(Default)]
struct Walk(Vec<Finding>);

impl Walk {
    fn fault(&mut self, path: &str, problem: impl std::fmt::Display) {
        self.0.push(Finding::error(path, problem));
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        if value.is_null() {
            // Null means left out wherever that is allowed; where it is not, the parent says `is missing`.
            return;
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if !value.is_i64() && !value.is_string() {
                self.fault(path, "must be a number or a text");
            }
            return;
        }
        match (schema["type"].as_str(), value) {
            (Some("object"), Value::Object(_)) => self.object(schema, value, path),
            (Some("array"), Value::Array(items)) => self.array(schema, items, path),
            (Some("string"), Value::String(text)) => self.string(schema, text, path),
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {
                self.number(schema, value, path);
            }
            (Some("number"), Value::Number(_)) => self.number(schema, value, path),
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(wanted), found) => self.fault(path, wrong_type(wanted, found)),
        }
        self.one_of(schema, value, path);
    }

    fn object(&mut self, schema: &Value, value: &Value, path: &str) {
        let fields = value.as_object().expect("the caller matched an object");
        for name in texts(&schema["required"]) {
            if fields.get(name).is_none_or(Value::is_null) {
                self.fault(&join(path, name), "is missing: add it");
            }
        }
        self.bounds(schema, ("minProperties", "maxProperties"), fields.len() as u64, "entries", path);
        if let Some(properties) = schema["properties"].as_object() {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            self.unknown_fields(&known, value, path);
            for (name, schema) in properties {
                self.value(schema, &value[name], &join(path, name));
            }
        } else if schema["additionalProperties"].is_object() {
            for (name, value) in fields {
                self.value(&schema["additionalProperties"], value, &join(path, name));
            }
        }
    }

    fn unknown_fields(&mut self, known: &[&str], value: &Value, path: &str) {
        for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if !known.contains(&name.as_str()) {
                self.fault(&join(path, name), format!("is not known here: use one of {}", known.join(", ")));
            }
        }
    }

    fn array(&mut self, schema: &Value, items: &[Value], path: &str) {
        self.bounds(schema, ("minItems", "maxItems"), items.len() as u64, "entries", path);
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.value(&schema["items"], item, &path);
            if items[..index].iter().any(|earlier| is_same(schema, earlier, item)) {
                self.fault(&path, "stands in the list twice: rename or remove it");
            }
        }
    }

    fn string(&mut self, schema: &Value, text: &str, path: &str) {
        self.bounds(schema, ("minLength", "maxLength"), text.chars().count() as u64, "characters", path);
        let Some(pattern) = schema["pattern"].as_str() else { return };
        // The API server's engine is RE2, whose syntax this one shares; a test compiles every pattern of ours.
        if Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
            self.fault(path, format!("{text:?} is not as it must be: write it so that it matches {pattern}"));
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: &str) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            self.fault(path, format!("is {value}: use at least {least}"));
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
            self.fault(path, format!("is {value}: use at most {most}"));
        }
    }

    fn one_of(&mut self, schema: &Value, value: &Value, path: &str) {
        let Some(allowed) = schema["enum"].as_array() else { return };
        if !allowed.contains(value) {
            let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            self.fault(path, format!("is {value}: use one of {}", allowed.join(", ")));
        }
    }

    fn bounds(&mut self, schema: &Value, (least, most): (&str, &str), found: u64, unit: &str, path: &str) {
        if let Some(least) = schema[least].as_u64().filter(|least| found < *least) {
            self.fault(path, format!("has {found} {unit}: use at least {least}"));
        }
        if let Some(most) = schema[most].as_u64().filter(|most| found > *most) {
            self.fault(path, format!("has {found} {unit}: use at most {most}"));
        }
    }
}

/// Whether two items are the same entry of a list that is a set, or a map by its keys.
fn is_same(list: &Value, one: &Value, other: &Value) -> bool {
    match list["x-kubernetes-list-type"].as_str() {
        Some("set") => one == other,
        Some("map") => texts(&list["x-kubernetes-list-map-keys"]).all(|key| one[key] == other[key]),
        _ => false,
    }
}

fn wrong_type(wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Bool(_) => "true or false",
        _ => "a number",
    };
    match wanted {
        "string" => format!("is {found}, and must be a text: put it in quotes"),
        "integer" => format!("is {found}, and must be a whole number"),
        "array" => format!("is {found}, and must be a list: begin each entry with a hyphen"),
        "boolean" => format!("is {found}, and must be true or false"),
        other => format!("is {found}, and must be an {other}"),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_ours_compiles_here() {
        let mut patterns = Vec::new();
        for definition in api::definitions() {
            collect(&serde_json::to_value(definition).expect("plain data"), &mut patterns);
        }
        assert!(!patterns.is_empty());
        for pattern in patterns {
            assert!(Regex::new(&pattern).is_ok(), "{pattern}");
        }
    }

    fn collect(value: &Value, patterns: &mut Vec<String>) {
        if let Some(pattern) = value["pattern"].as_str() {
            patterns.push(pattern.to_owned());
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| collect(value, patterns)),
            Value::Array(items) => items.iter().for_each(|value| collect(value, patterns)),
            _ => {}
        }
    }
}
