//! What every answer must be, whatever was asked.

use api::wire::decide::{DecideAllResponse, DecideResponse};
use api::wire::event::EventsResponse;
use api::wire::totals::TotalsResponse;
use axum::http::response::Parts;
use axum::http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::samples::LANDING_PAGE;

/// Says what is wrong with it.
pub(super) fn check(method: &Method, head: &Parts, body: &[u8]) -> Result<(), String> {
    let status = head.status;
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        return Err("a fault of ours".to_owned());
    }
    if method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        return if body.is_empty() { Ok(()) } else { Err("a body where none may be".to_owned()) };
    }
    if status == StatusCode::FOUND {
        return led(head, body);
    }
    match (status.is_success(), head.headers.get(header::CONTENT_TYPE).map(|it| it.as_bytes())) {
        (true, Some(b"application/json")) => answered(body),
        (true, Some(_)) => Ok(()),
        (false, Some(b"application/json")) => refused(body),
        (false, Some(b"text/plain; charset=utf-8")) if status == StatusCode::NOT_FOUND => Ok(()),
        _ => Err("an answer of no known type".to_owned()),
    }
}

/// Links lead to the landing page, whoever asks for what.
fn led(head: &Parts, body: &[u8]) -> Result<(), String> {
    let (page, fragment) = LANDING_PAGE.split_once('#').unwrap_or((LANDING_PAGE, ""));
    let location = head.headers.get(header::LOCATION).and_then(|it| it.to_str().ok());
    let is_there = location.is_some_and(|it| it.starts_with(page) && it.ends_with(fragment));
    if is_there && body.is_empty() { Ok(()) } else { Err("a link that leads elsewhere".to_owned()) }
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
