//! The gateway's HTTP surface as an OpenAPI document, put together of the wire types and of what the gateway refuses.

use api::wire::ofrep::FlagErrorCode::{
    FlagNotFound, General, InvalidContext, ParseError, TargetingKeyMissing,
};
use gateway::refusal::Code;
use serde_json::{Map, Value, json};

use super::parts::{Optional, Parameter, Required, body, header, json_response, keyed, responses};
use super::schemas::Schemas;

/// The document.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::new();
    let paths = json!({
        "/v1/decide": {"post": keyed(decide(&mut schemas)), "get": keyed(decide_by_address(&mut schemas))},
        "/ofrep/v1/evaluate/flags/{key}": {"post": keyed(evaluate(&mut schemas))},
        "/ofrep/v1/evaluate/flags": {"post": keyed(evaluate_all(&mut schemas))},
        "/v1/events": {"post": keyed(events(&mut schemas))},
        "/v1/r/{token}": {"get": redirect()},
        "/v1/subjects/{id}": {"delete": keyed(erase(&mut schemas))},
        "/v1/totals": {"get": totals(&mut schemas)},
        "/healthz": {"get": probe("health", "Whether the process runs", &[("200", "healthy")])},
        "/readyz": {"get": probe("readiness", READY, &[("200", "ready"), ("503", "not ready")])},
        "/metrics": {"get": metrics()},
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Broadside's gateway",
            "version": "v1",
            "description": "Which copy does this person see, and what did they do? docs/gateway.md tells more.",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "decide", "description": "The role `decide`: stateless, two or more."},
            {"name": "ledger", "description": "The role `ledger`: one, or one for each part, on a volume."},
            {"name": "operation", "description": "Both roles."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": KEY},
                "account": {"type": "http", "scheme": "bearer", "description": ACCOUNT},
            },
        },
    })
}

const KEY: &str = "The key of a namespace, where the gateway was given keys; else everyone is let in.";

const ACCOUNT: &str = "A token of the operator's ServiceAccount for the audience `broadside-ledger`, where the ledger \
    was told the account; else everyone is let in.";

/// How a question is refused.
const ASKED: [Code; 5] = [Code::Malformed, Code::Unauthorized, Code::Forbidden, Code::TooMany, Code::Slow];

const READY: &str = "Whether requests can be answered";

fn decide(schemas: &mut Schemas) -> Value {
    let mut answered =
        json_response("For each question an answer that a page can show.", schemas.decide_answer());
    answered["headers"] = json!({"Set-Cookie": new_visitor()});
    json!({
        "operationId": "decide",
        "tags": ["decide"],
        "summary": "Which copy does this person see?",
        "description": "A body of up to 16 KiB is read as JSON, whatever its `Content-Type`.",
        "parameters": [global_privacy_control()],
        "requestBody": body(schemas.decide_request(), crate::world::question("alice")),
        "responses": responses(json!({"200": answered}), &[&ASKED[..], &[Code::TooLarge]].concat()),
    })
}

fn decide_by_address(schemas: &mut Schemas) -> Value {
    let mut answered = json_response("An answer that a page can show.", schemas.decide_response());
    answered["headers"] = json!({
        "Cache-Control": header("How long a cache may keep it.", json!({"enum": ["public, max-age=60", "private, max-age=60", "no-store"]})),
        "Set-Cookie": new_visitor(),
        "Vary": header("The browser's wish for privacy changes the answer.", json!({"const": "sec-gpc"})),
    });
    json!({
        "operationId": "decideByAddress",
        "tags": ["decide"],
        "summary": "Which copy does this person see? A cache may keep the answer",
        "parameters": question(schemas),
        "responses": responses(json!({"200": answered}), &ASKED),
    })
}

/// Seldom there.
fn new_visitor() -> Value {
    let description = "By which a visitor whom nobody names is known again, where that is asked for.";
    let mut header = header(description, json!({"type": "string"}));
    header["required"] = json!(false);
    header
}

/// A question as a query.
fn question(schemas: &mut Schemas) -> Value {
    let text = || json!({"type": "string"});
    let mut eligible = Parameter::Query("eligible").of(
        "The variants that the caller can show, with commas between them.",
        schemas.names(),
        Optional,
    );
    eligible["explode"] = json!(false);
    json!([
        Parameter::Query("namespace").of("The campaign's namespace.", text(), Required),
        Parameter::Query("campaign").of("The campaign's name.", text(), Required),
        Parameter::Query("placement").of("The placement.", text(), Required),
        Parameter::Query("subject").of(
            "The person or device, in 512 bytes at most. Left out where the gateway names visitors by a cookie.",
            schemas.subject(),
            Optional
        ),
        Parameter::Query("segment").of("The segment, where the campaign names some.", text(), Optional),
        eligible,
        Parameter::Query("measurement").of(
            "Whether the person allows measuring.",
            json!({"type": "boolean", "default": true}),
            Optional
        ),
        Parameter::Query("traffic").of("Who comes.", schemas.traffic(), Optional),
        Parameter::Query("userAgent").of(
            "The user agent of the person's browser, where a server asks.",
            text(),
            Optional
        ),
        Parameter::Query("preview").of("The variant that a reviewer wants to see.", text(), Optional),
        global_privacy_control(),
    ])
}

fn evaluate(schemas: &mut Schemas) -> Value {
    let key = Parameter::Path("key").of(
        "The flag: `namespace.campaign.placement`.",
        json!({"type": "string", "minLength": 1}),
        Required,
    );
    let answers = json!({
        "200": json_response("The flag's value.", schemas.evaluation()),
        "400": schemas.failure(&[ParseError, TargetingKeyMissing, InvalidContext]),
        "401": schemas.failure_for(Code::Unauthorized),
        "403": schemas.failure_for(Code::Forbidden),
        "404": schemas.failure(&[FlagNotFound]),
        "413": schemas.failure(&[General]),
        "429": schemas.failure_for(Code::TooMany),
    });
    json!({
        "operationId": "evaluate",
        "tags": ["decide"],
        "summary": "The value of one flag, for OpenFeature",
        "parameters": [key, global_privacy_control()],
        "requestBody": body(schemas.evaluation_request(), json!({"context": {"targetingKey": "alice"}})),
        "responses": responses(answers, &[Code::Slow]),
    })
}

fn evaluate_all(schemas: &mut Schemas) -> Value {
    let tag = json!({"ETag": header("Changes when a value does, and once an hour.", schemas.tag())});
    let mut answered = json_response("The values of all flags, by their keys.", schemas.evaluations());
    answered["headers"] = tag.clone();
    let answers = json!({
        "200": answered,
        "304": {"description": "The caller has it.", "headers": tag},
        "400": schemas.failure(&[ParseError, TargetingKeyMissing, InvalidContext, General]),
        "401": schemas.failure_for(Code::Unauthorized),
        "403": schemas.failure_for(Code::Forbidden),
        "413": schemas.failure(&[General]),
        "429": schemas.failure_for(Code::TooMany),
    });
    let known =
        Parameter::Header("If-None-Match").of("What the caller has.", json!({"type": "string"}), Optional);
    json!({
        "operationId": "evaluateAll",
        "tags": ["decide"],
        "summary": "The values of all flags, for OpenFeature",
        "parameters": [known, global_privacy_control()],
        "requestBody": body(schemas.evaluation_request(), json!({"context": {"targetingKey": "alice"}})),
        "responses": responses(answers, &[Code::Slow]),
    })
}

fn events(schemas: &mut Schemas) -> Value {
    let answered = json_response(
        "All that was accepted is on disk; one outcome for each event, in their order.",
        schemas.events_response(),
    );
    let codes = [
        Code::Malformed,
        Code::Unauthorized,
        Code::TooMany,
        Code::Slow,
        Code::TooLarge,
        Code::Busy,
        Code::Unavailable,
        Code::Full,
    ];
    json!({
        "operationId": "record",
        "tags": ["ledger"],
        "summary": "What was shown, and what did people do?",
        "description": "Up to 1000 events and 1 MiB in one request, as our JSON or as CloudEvents in each of their \
            modes: with the header `ce-specversion` and no content type of CloudEvents, the body is the data of one. \
            An event that can't be counted has its own outcome, and keeps no other from being counted.",
        "parameters": binary_mode(schemas),
        "requestBody": {"required": true, "content": {
            "application/json": {"schema": {"anyOf": [schemas.events_request(), schemas.cloud_event_data()]}},
            "application/cloudevents+json": {"schema": schemas.cloud_event()},
            "application/cloudevents-batch+json": {"schema": schemas.cloud_events()},
        }},
        "responses": responses(json!({"202": answered}), &codes),
    })
}

fn erase(schemas: &mut Schemas) -> Value {
    let id = Parameter::Path("id").of(
        "The person or device, as decisions name it, in 512 bytes at most.",
        json!({"type": "string", "minLength": 1}),
        Required,
    );
    let answered = json_response("The erasure is on disk.", schemas.erasure_response());
    let codes = [
        Code::Malformed,
        Code::Unauthorized,
        Code::Forbidden,
        Code::TooMany,
        Code::Slow,
        Code::Busy,
        Code::Unavailable,
        Code::Full,
    ];
    json!({
        "operationId": "erase",
        "tags": ["ledger"],
        "summary": "What is known about a person goes",
        "description": "In the campaigns of the key's namespace, and in those that were deleted. Without keys nobody may.",
        "parameters": [id],
        "responses": responses(json!({"202": answered}), &codes),
    })
}

/// The attributes of a CloudEvent in binary mode, all of them or none.
fn binary_mode(schemas: &Schemas) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    let of = |name, what: &str, schema| {
        Parameter::Header(name).of(&format!("{what} In CloudEvents' binary mode alone."), schema, Optional)
    };
    json!([
        of("ce-specversion", "The version of CloudEvents.", json!({"const": "1.0"})),
        of("ce-id", "The event's id.", text()),
        of("ce-source", "Who gave the id.", text()),
        of("ce-type", "What happened.", schemas.cloud_event_type()),
        of("ce-time", "When it happened.", json!({"type": "string", "format": "date-time"})),
    ])
}

fn redirect() -> Value {
    let token = Parameter::Path("token").of(
        "The token of a decision, of 2048 bytes at most.",
        json!({"type": "string", "minLength": 1}),
        Required,
    );
    let purpose = Parameter::Header("Sec-Purpose").of(
        "`prefetch` where nobody has followed the link yet.",
        json!({"type": "string"}),
        Optional,
    );
    let kept = || header("It is one person's, and for now.", json!({"const": "no-store"}));
    let led = json!({
        "description": "The landing page of the token's campaign.",
        "headers": {
            "Location": header("Its address, with the token as the parameter `broadside`.", json!({"type": "string"})),
            "Cache-Control": kept(),
            "Referrer-Policy": header("The page is not told where the link stood.", json!({"const": "no-referrer"})),
        },
    });
    let dead = json!({
        "description": "The token is none of ours, or its campaign has no table or no landing page.",
        "headers": {"Cache-Control": kept()},
        "content": {"text/plain": {"schema": {"type": "string", "description": "A sentence for people."}}},
    });
    json!({
        "operationId": "follow",
        "tags": ["ledger"],
        "summary": "Leads to the landing page, for links in mail and the like",
        "description": "Needs no key: the token is its own proof. Nothing else of the request bears on where it leads.",
        "parameters": [token, purpose, global_privacy_control()],
        "responses": responses(json!({"302": led, "404": dead}), &[Code::Slow]),
    })
}

fn totals(schemas: &mut Schemas) -> Value {
    let campaign =
        Parameter::Query("campaign").of("The campaign's UID.", json!({"type": "string"}), Required);
    let answered = json_response("The sums, exact for the moment `asOf`.", schemas.totals_response());
    let codes = [
        Code::Malformed,
        Code::Unauthorized,
        Code::Forbidden,
        Code::Misdirected,
        Code::Slow,
        Code::Unavailable,
    ];
    json!({
        "operationId": "totals",
        "tags": ["ledger"],
        "summary": "The sums over matured exposures",
        "parameters": [campaign],
        "security": [{}, {"account": []}],
        "responses": responses(json!({"200": answered}), &codes),
    })
}

fn probe(id: &str, summary: &str, answers: &[(&str, &str)]) -> Value {
    let answer = |(status, word): &(&str, &str)| {
        let content = json!({"text/plain": {"schema": {"const": word}}});
        ((*status).to_owned(), json!({"description": word, "content": content}))
    };
    let answers: Map<String, Value> = answers.iter().map(answer).collect();
    json!({
        "operationId": id,
        "tags": ["operation"],
        "summary": summary,
        "responses": responses(Value::Object(answers), &[Code::Slow]),
    })
}

fn metrics() -> Value {
    let content = json!({"application/openmetrics-text": {"schema": {"type": "string"}}});
    let answered = json!({"description": "The metrics.", "content": content});
    json!({
        "operationId": "metrics",
        "tags": ["operation"],
        "summary": "What is counted, in the OpenMetrics text format",
        "responses": responses(json!({"200": answered}), &[Code::Slow]),
    })
}

fn global_privacy_control() -> Value {
    let what = "1 where the browser's person does not want to be measured.";
    Parameter::Header("Sec-GPC").of(what, json!({"type": "string"}), Optional)
}
