//! `broadside estimate`, `broadside allocate` and `broadside replay`: what they answer, what they refuse, and what no document can do to them.

mod command;
mod delivered;
mod faults;
mod goldens;
mod online;
mod optional;
mod page;
mod properties;
mod replay;
mod worlds;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cli::offline::{EstimateAnswer, Question};
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The example that `docs/offline.md` explains.
fn example() -> Value {
    let text = std::fs::read(repository().join("examples/estimate.json")).expect("readable");
    serde_json::from_slice(&text).expect("JSON")
}

fn question(document: &Value) -> Question {
    Question::parse(document.to_string().as_bytes()).expect("a question")
}

fn estimate(document: &Value) -> EstimateAnswer {
    question(document).estimate().expect("an estimate")
}

/// Fails unless the two are the same, but for the last digits of numbers: libraries of other platforms round otherwise.
fn assert_alike(found: &Value, expected: &Value, tolerance: f64, path: &str) {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let keys =
                |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(one), keys(other), "{path}");
            one.iter().for_each(|(key, value)| {
                assert_alike(value, &other[key], tolerance, &format!("{path}.{key}"));
            });
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{path}");
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                assert_alike(one, other, tolerance, &format!("{path}[{index}]"));
            }
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().expect("a double"), other.as_f64().expect("a double"));
            assert!((one - other).abs() <= tolerance * other.abs().max(1.0), "{path}: {one} {other}");
        }
        (one, other) => assert_eq!(one, other, "{path}"),
    }
}
