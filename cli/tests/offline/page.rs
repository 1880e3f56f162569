//! `docs/schemas/` is what the types say, and `docs/offline.md` leaves no field out and shows what is true.
//!
//! After a change: `UPDATE=1 cargo test -p broadside --test offline`, or `make generate`.

use cli::offline::schemas;
use serde_json::Value;

use crate::{assert_alike, estimate, example, question, repository};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside --test offline";

#[test]
fn committed_schemas_are_current() {
    for (name, schema) in schemas() {
        let file = repository().join(format!("docs/schemas/{name}.json"));
        let mut json = schema.to_value();
        json.sort_all_objects();
        let text = format!("{json:#}\n");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &text).expect("docs/ is writable");
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == text, "{} is not what the code says. Refresh with: {REFRESH}", file.display());
    }
}

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/offline.md")).expect("readable")
}

#[test]
fn the_page_and_the_schemas_describe_every_field() {
    let simulate = std::fs::read_to_string(repository().join("docs/simulate.md")).expect("readable");
    let both = page() + &simulate;
    for (name, schema) in schemas() {
        let page = if name == "world" { &simulate } else { &both };
        let mut fields = Vec::new();
        collect(schema.as_value(), &mut fields);
        assert!(!fields.is_empty());
        for (field, schema) in fields {
            assert!(
                page.contains(&format!("`{field}`")),
                "neither docs/offline.md nor docs/simulate.md speaks of {field}"
            );
            // The tag of an enum describes itself.
            let is_described = schema["description"].is_string() || schema["const"].is_string();
            assert!(is_described, "{field} of {name} has no description");
        }
    }
}

fn collect<'a>(schema: &'a Value, fields: &mut Vec<(&'a str, &'a Value)>) {
    let properties = schema["properties"].as_object();
    // A variant of an enum is an object with one field, and is described as a whole.
    let is_variant = schema["description"].is_string() && properties.is_some_and(|fields| fields.len() == 1);
    let described = |own| if is_variant { schema } else { own };
    fields.extend(properties.into_iter().flatten().map(|(name, own)| (name.as_str(), described(own))));
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| collect(part, fields)),
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, fields)),
        _ => {}
    }
}

/// The first two blocks of JSON on the page are the example and a part of its answer.
#[test]
fn the_example_of_the_page_is_the_one_in_the_repository() {
    let page = page();
    let blocks: Vec<&str> =
        page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    let shown: Value = serde_json::from_str(blocks[0]).expect("the first block is JSON");
    assert_eq!(shown, example());
    let answer = serde_json::to_value(estimate(&shown)).expect("plain data");
    let part: Value = serde_json::from_str(blocks[1]).expect("the second block is JSON");
    for (field, expected) in part.as_object().expect("an object") {
        // What is shown is rounded to four digits.
        let found =
            if field == "variants" { &Value::from(vec![answer[field][1].clone()]) } else { &answer[field] };
        assert_alike(found, expected, 1e-4, field);
    }
    let shares: Value = serde_json::from_str(blocks[2]).expect("the third block is JSON");
    let allocated = serde_json::to_value(question(&shown).allocate().expect("an allocation"));
    assert_eq!(shares, allocated.expect("plain data"));
}
