//! What every answer must be, whatever was asked.

use api::wire::decide::{DecideAllResponse, DecideResponse};
use api::wire::event::EventsResponse;
use api::wire::totals::TotalsResponse;
use axum::http::response::Parts;
use axum::http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Says what is wrong with it.
pub(super) fn check(method: &Method, head: &Parts, body: &[u8]) -> Result<(), String> {
    let status = head.status;
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        return Err("a fault of ours".to_owned());
    }
    if method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        return if body.is_empty() { Ok(()) } else { Err("a body where none may be".to_owned()) };
    }
    match (status.is_success(), head.headers.get(header::CONTENT_TYPE).map(|it| it.as_bytes())) {
        (true, Some(b"application/json")) => answered(body),
        (true, Some(_)) => Ok(()),
        (false, Some(b"application/json")) => refused(body),
        _ => Err("an answer of no known type".to_owned()),
    }
}

fn answered(body: &[u8]) -> Result<(), String> {
    let is_known = is::<DecideResponse>(body)
        || is::<DecideAllResponse>(body)
        || is::<EventsResponse>(body)
        || is::<TotalsResponse>(body)
        || has(body, &["key", "metadata", "reason"])
        || has(body, &["flags"]);
    if is_known { Ok(()) } else { Err("an answer of no known shape".to_owned()) }
}

fn refused(body: &[u8]) -> Result<(), String> {
    let is_known = has(body, &["code", "message"]) || has(body, &["errorCode", "errorDetails"]);
    if is_known { Ok(()) } else { Err("a refusal of no known shape".to_owned()) }
}

fn is<T: DeserializeOwned>(body: &[u8]) -> bool {
    serde_json::from_slice::<T>(body).is_ok()
}

fn has(body: &[u8], fields: &[&str]) -> bool {
    let Ok(Value::Object(found)) = serde_json::from_slice(body) else { return false };
    fields.iter().all(|&field| found.contains_key(field))
}
