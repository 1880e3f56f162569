//! Parts of an OpenAPI document: parameters, bodies, answers, refusals.

use std::collections::BTreeMap;

use axum::response::IntoResponse;
use gateway::refusal::{Code, Refusal};
use serde_json::{Value, json};

pub(super) use Need::{Optional, Required};

/// What a request may carry beside its body, by its name.
#[derive(Clone, Copy)]
pub(super) enum Parameter {
    Path(&'static str),
    Query(&'static str),
    Header(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

impl Parameter {
    #[expect(clippy::needless_pass_by_value, reason = "a schema is written where it is used")]
    pub(super) fn of(self, description: &str, schema: Value, need: Need) -> Value {
        let (place, name) = match self {
            Self::Path(name) => ("path", name),
            Self::Query(name) => ("query", name),
            Self::Header(name) => ("header", name),
        };
        json!({
            "name": name,
            "in": place,
            "description": description,
            "required": need == Required,
            "schema": schema,
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a schema is written where it is used")]
pub(super) fn body(schema: Value, example: Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema, "example": example}}})
}

#[expect(clippy::needless_pass_by_value, reason = "a schema is written where it is used")]
pub(super) fn json_response(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

#[expect(clippy::needless_pass_by_value, reason = "a schema is written where it is used")]
pub(super) fn header(description: &str, schema: Value) -> Value {
    json!({"description": description, "required": true, "schema": schema})
}

/// Answers by status, with refusals by these codes, and with what the server answers on every path.
pub(super) fn responses(answers: Value, codes: &[Code]) -> Value {
    let mut all: BTreeMap<String, Value> = serde_json::from_value(answers).unwrap();
    all.extend(refusals(codes));
    all.insert("431".to_owned(), json!({"description": "The head is much larger than 64 KiB."}));
    json!(all)
}

/// Refusals by status, each as the gateway makes it.
fn refusals(codes: &[Code]) -> BTreeMap<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for &code in codes {
        by_status.entry(refusal(code).status().as_u16()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), refused(&codes))).collect()
}

fn refusal(code: Code) -> Refusal {
    Refusal { code, message: String::new() }
}

/// The answer for codes of one status.
fn refused(codes: &[Code]) -> Value {
    let refusal = refusal(codes[0]);
    let schema = json!({
        "type": "object",
        "properties": {
            "code": {"enum": codes, "description": "Why, for programs."},
            "message": {"type": "string", "description": "What is wrong and what to change, for people."},
        },
        "required": ["code", "message"],
    });
    let mut response = json_response(refusal.status().canonical_reason().unwrap(), schema);
    if let Some(headers) = headers(codes[0]) {
        response["headers"] = headers;
    }
    response
}

/// What a refusal tells in its head.
pub(super) fn headers(code: Code) -> Option<Value> {
    let response = refusal(code).into_response();
    let has = |name: &str| response.headers().contains_key(name);
    if has("retry-after") {
        let seconds = json!({"type": "integer"});
        return Some(json!({"Retry-After": header("In how many seconds to send it again.", seconds)}));
    }
    let scheme = || header("How to show a key.", json!({"const": "Bearer"}));
    has("www-authenticate").then(|| json!({"WWW-Authenticate": scheme()}))
}

/// Applications show keys where the gateway was given some.
pub(super) fn keyed(mut operation: Value) -> Value {
    operation["security"] = json!([{}, {"key": []}]);
    operation
}
