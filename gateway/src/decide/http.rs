//! The HTTP edge of the decision.

use std::sync::Arc;

use api::wire::decide::DecideRequest;
use api::wire::token::Key;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use prometheus_client::registry::Registry;

use super::metrics::DecideMetrics;
use super::{SUBJECT_LIMIT, decide};
use crate::clock::Clock;
use crate::refusal::{self, Refusal};
use crate::tables::Tables;

/// The largest request, in bytes: a question is a few names.
pub const BODY_LIMIT: usize = 16 * 1024;

/// The header by which a browser says that its person does not want to be measured.
/// Source: <https://w3c.github.io/gpc/>, section 3.1: the value is `1` or the header is absent.
const GLOBAL_PRIVACY_CONTROL: &str = "sec-gpc";

/// What a decision needs.
#[derive(Clone)]
pub struct DecideState(Arc<Parts>);

struct Parts {
    tables: Tables,
    key: Key,
    clock: Arc<dyn Clock>,
    metrics: DecideMetrics,
}

impl DecideState {
    /// Decisions from these tables, signed with this key.
    pub fn new(tables: Tables, key: Key, clock: Arc<dyn Clock>, registry: &mut Registry) -> Self {
        Self(Arc::new(Parts { tables, key, clock, metrics: DecideMetrics::new(registry) }))
    }
}

/// The API of the role `decide`.
pub fn router(state: DecideState) -> Router {
    Router::new().route("/v1/decide", post(answer)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(state)
}

async fn answer(
    State(DecideState(parts)): State<DecideState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let question = read(&headers, body.as_deref());
    let question = question.inspect_err(|_| {
        parts.metrics.malformed.inc();
    })?;
    let tables = parts.tables.load();
    let answer = decide(&tables, &parts.key, &question, parts.clock.now());
    parts.metrics.answered(answer.reason);
    let json = serde_json::to_vec(&answer).expect("an answer is strings, integers and JSON");
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

fn read(headers: &HeaderMap, body: Result<&[u8], &BytesRejection>) -> Result<DecideRequest, Refusal> {
    let mut request: DecideRequest = refusal::parse(body)?;
    if !(1..=SUBJECT_LIMIT).contains(&request.subject.len()) {
        return Err(Refusal::malformed(format!("subject: send 1 to {SUBJECT_LIMIT} bytes")));
    }
    if headers.get(GLOBAL_PRIVACY_CONTROL).is_some_and(|value| value == "1") {
        request.consent.measurement = false;
    }
    Ok(request)
}
