//! The HTTP edge of the decision: our own API. [`super::ofrep`] is OpenFeature's.

use api::wire::decide::{Consent, DecideReason, DecideRequest, Traffic};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};

use super::edge::{DecideState, GLOBAL_PRIVACY_CONTROL, consent, json, traffic};
use super::question::{Placements, some};
use super::visitor::Visitor;
use super::{Answer, KEPT_FOR, Place, Question, Terms, ofrep};
use crate::auth::Caller;
use crate::refusal::{self, Refusal};

/// The largest request, in bytes: a question is a few names.
pub const BODY_LIMIT: usize = 16 * 1024;

/// The API of the role `decide`.
pub fn router(state: DecideState) -> Router {
    Router::new()
        .route("/v1/decide", post(answer).get(answer_query))
        .route("/ofrep/v1/evaluate/flags", post(ofrep::evaluate_all))
        .route("/ofrep/v1/evaluate/flags/{key}", post(ofrep::evaluate))
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(state)
}

/// The answers for several placements.
#[derive(Serialize)]
struct Answers<'t> {
    decisions: Vec<Placed<'t>>,
}

#[derive(Serialize)]
struct Placed<'t> {
    placement: &'t str,
    #[serde(flatten)]
    answer: Answer<'t>,
}

async fn answer(
    State(state): State<DecideState>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let parts = state.parts();
    let mut request: DecideRequest = parts.counted(refusal::parse(body.as_deref()))?;
    request.consent = consent(request.consent, &headers);
    request.traffic = traffic(request.traffic, request.user_agent.as_deref(), &headers);
    parts.counted(caller.enter(&request.namespace))?;
    let preview = some(request.preview.as_deref());
    let terms = Terms { consent: request.consent, traffic: request.traffic, preview };
    let visitor = parts.name(&mut request.subject, terms, &headers);
    let question = parts.counted(Question::try_from(&request))?;
    let tables = parts.tables();
    let answer = |placement| {
        let place = Place { namespace: &request.namespace, campaign: &request.campaign, placement };
        parts.decide(&tables, place, &question)
    };
    let response = match parts.counted(Placements::try_from(&request))? {
        Placements::One(placement) => json(&answer(placement)),
        Placements::Several(placements) => {
            let named = placements.iter().map(String::as_str);
            let decisions = named.map(|placement| Placed { placement, answer: answer(placement) }).collect();
            json(&Answers { decisions })
        }
    };
    Ok(given(&visitor, response))
}

/// The answer, with what the browser is to keep or to forget.
fn given(visitor: &Visitor, mut response: Response) -> Response {
    if let Some(cookie) = visitor.cookie() {
        response.headers_mut().insert(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// A question as the query of an address, whose answer a cache may keep.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DecideQuery {
    namespace: String,
    campaign: String,
    placement: String,
    subject: Option<String>,
    segment: Option<String>,
    /// With commas between them.
    eligible: Option<String>,
    #[serde(default = "allowed")]
    measurement: bool,
    #[serde(default)]
    traffic: Traffic,
    user_agent: Option<String>,
    preview: Option<String>,
}

fn allowed() -> bool {
    Consent::default().measurement
}

async fn answer_query(
    State(state): State<DecideState>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<DecideQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let parts = state.parts();
    let Query(mut query) = parts.counted(query.map_err(|rejection| {
        Refusal::malformed(format!("{}: send the query as docs/gateway.md shows", rejection.body_text()))
    }))?;
    parts.counted(caller.enter(&query.namespace))?;
    let terms = Terms {
        consent: consent(Consent { measurement: query.measurement }, &headers),
        traffic: traffic(query.traffic, query.user_agent.as_deref(), &headers),
        preview: some(query.preview.as_deref()),
    };
    let visitor = parts.name(&mut query.subject, terms, &headers);
    let DecideQuery {
        namespace,
        campaign,
        placement,
        subject,
        segment,
        eligible,
        measurement: _,
        traffic: _,
        user_agent: _,
        preview: _,
    } = &query;
    let eligible: Option<Vec<String>> =
        eligible.as_ref().map(|names| names.split(',').map(str::to_owned).collect());
    let subject = subject.as_deref().unwrap_or_default();
    let question = Question::new(subject, segment.as_deref(), eligible.as_deref(), terms);
    let question = parts.counted(question.map_err(Refusal::from))?;
    let tables = parts.tables();
    let answer = parts.decide(&tables, Place { namespace, campaign, placement }, &question);
    // A cache on the way may keep copy for as long as its caller. What we don't know we may know in a moment, and what a
    // crawler is shown must not reach the person whose address it follows.
    let kept = match answer.variant {
        Some(_) if answer.reason != DecideReason::Bot && visitor.cookie().is_none() => {
            format!("{}, max-age={}", kept_by(&caller, &visitor), KEPT_FOR.as_secs())
        }
        _ => "no-store".to_owned(),
    };
    let headers = [(header::CACHE_CONTROL, kept.as_str()), (header::VARY, GLOBAL_PRIVACY_CONTROL)];
    Ok(given(&visitor, (headers, json(&answer)).into_response()))
}

/// A cache that many share would hand on to anyone what was answered to a key, or to a cookie.
fn kept_by(caller: &Caller, visitor: &Visitor) -> &'static str {
    match (caller, visitor) {
        (Caller::Anyone, Visitor::Told) => "public",
        (Caller::Anyone | Caller::Of(_), _) => "private",
    }
}
