//! The committed definitions in `crds/`, and their copies in the charts, are those of this code, and keep the habits of
//! our API.
//!
//! After a change: `UPDATE=1 cargo test -p broadside-api --test definitions`, or `make generate`.

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-api --test definitions";

/// Larger definitions don't fit in the annotation of a client-side `kubectl apply`.
const LARGEST_DEFINITION_BYTES: usize = 200_000;

/// For `kubectl apply`, and for Helm, which reads nothing outside its chart.
const FOLDERS: [&str; 3] =
    ["../crds", "../charts/broadside/files/crds", "../charts/broadside-crds/files/crds"];

fn files(definition: &CustomResourceDefinition) -> [PathBuf; 3] {
    let name = format!("{}.yaml", definition.spec.names.plural);
    FOLDERS.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(&name))
}

#[test]
fn committed_definitions_are_current() {
    for definition in api::definitions() {
        let yaml = serde_saphyr::to_string(&definition).expect("definitions are plain data");
        let text = format!("# Generated from api/. Refresh with: {REFRESH}\n{yaml}");
        for file in files(&definition) {
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&file, &text).expect("the repository is writable");
            }
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                committed == text,
                "{} is not what the code says. Refresh with: {REFRESH}",
                file.display()
            );
        }
    }
}

/// The form of a table's file, for the gateway without Kubernetes.
#[test]
fn the_committed_schema_of_a_table_is_current() {
    let text = serde_json::to_string_pretty(&schema_of_a_table()).expect("a schema is plain data") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/table.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).expect("the repository is writable");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "{} is not what the code says. Refresh with: {REFRESH}", file.display());
}

/// What schemars says, with what kube leaves to the API server.
fn schema_of_a_table() -> Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<api::AdTable>().to_value();
    let text = |description: &str| serde_json::json!({"type": "string", "description": description});
    schema["properties"]["apiVersion"] = serde_json::json!({"const": "broadside.dev/v1alpha1"});
    schema["properties"]["kind"] = serde_json::json!({"const": "AdTable"});
    schema["properties"]["metadata"] = serde_json::json!({
        "type": "object",
        "properties": {
            "name": text("The campaign's UID, as in spec.campaign.uid."),
            "namespace": text("The campaign's namespace; without it, default."),
        },
        "required": ["name"],
    });
    schema["required"] = serde_json::json!(["apiVersion", "kind", "metadata", "spec"]);
    schema
}

#[test]
fn definitions_are_small() {
    for definition in api::definitions() {
        let bytes = serde_json::to_vec(&definition).expect("definitions are plain data").len();
        assert!(bytes < LARGEST_DEFINITION_BYTES, "{}: {bytes} bytes", definition.spec.names.kind);
    }
}

#[test]
fn specs_bound_what_they_hold_hold_no_floats_and_describe_every_field() {
    let mut faults = Vec::new();
    for definition in api::definitions() {
        let json = serde_json::to_value(&definition).expect("definitions are plain data");
        let schema = &json["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let kind = &definition.spec.names.kind;
        for part in ["spec", "status"] {
            walk(&schema["properties"][part], &format!("{kind}.{part}"), &mut faults);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_field_that_may_be_left_out_is_not_required() {
    let definitions = serde_json::to_value(api::definitions()).expect("definitions are plain data");
    let spec = |index: usize| {
        definitions[index]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
    };
    let placement = &spec(0)["properties"]["placements"]["items"];
    assert_eq!(placement["required"], serde_json::json!(["control", "delivery", "format", "metric", "name"]));
    assert_eq!(spec(3)["required"], serde_json::json!(["source"]));
}

/// Embedded types of Kubernetes, whose schemas are not ours to bound.
const FOREIGN: [&str; 3] = [".conditions", ".tolerations", ".resources."];

fn walk(schema: &Value, path: &str, faults: &mut Vec<String>) {
    if schema.is_null() || FOREIGN.iter().any(|foreign| path.contains(foreign)) {
        return;
    }
    let lacks = |key: &str| schema.get(key).is_none();
    let fault = match schema["type"].as_str() {
        Some("number") => Some("is a floating-point number"),
        Some("string") if lacks("maxLength") && lacks("enum") && lacks("format") => Some("has no maxLength"),
        Some("array") if lacks("maxItems") => Some("has no maxItems"),
        Some("object") if !lacks("additionalProperties") && lacks("maxProperties") => {
            Some("has no maxProperties")
        }
        _ => None,
    };
    faults.extend(fault.map(|fault| format!("{path} {fault}")));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property.get("description").is_none() {
            faults.push(format!("{path} has no description"));
        }
        walk(property, &path, faults);
    }
    walk(&schema["items"], &format!("{path}[]"), faults);
    walk(&schema["additionalProperties"], &format!("{path}{{}}"), faults);
}
