//! The HTTP edge for OpenFeature's SDKs. A flag is a placement, and its key `namespace.campaign.placement`: neither the
//! first nor the last of these has a dot, so a campaign's name may.

use std::hash::Hash;

use api::wire::decide::DecideReason;
use api::wire::ofrep::{EvaluationContext, EvaluationRequest, FlagErrorCode, FlagFailure, FlagReason};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::edge::{DecideState, Parts, consent, json, traffic};
use super::question::some;
use super::{Answer, Place, Question, QuestionError, Terms, decide_in};
use crate::auth::Caller;
use crate::refusal::{self, Code, Refusal};
use crate::table::{Placement, Table};
use crate::tables::Snapshot;

/// The most flags in one answer.
pub const FLAGS_LIMIT: usize = 1000;

/// How long an unchanged answer to all flags counts as unchanged. Its tokens grow old with it, and an exposure is taken for
/// a day.
const UNCHANGED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The value of a flag.
#[derive(Serialize)]
struct Evaluation<'t> {
    key: String,
    reason: FlagReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'t str>,
    /// Absent where the application's default is to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'t RawValue>,
    metadata: Metadata<'t>,
}

/// What goes along with a value. The protocol takes plain values alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'t> {
    decision: DecideReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// The variables as JSON in a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'t str>,
}

#[derive(Serialize)]
struct Evaluations<'t> {
    flags: Vec<Evaluation<'t>>,
}

/// The value of one flag.
pub(super) async fn evaluate(
    State(state): State<DecideState>,
    key: Result<Path<String>, PathRejection>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let parts = state.parts();
    let Ok(Path(key)) = parts.counted(key) else {
        return Failure::not_found("a key is UTF-8").response(None);
    };
    let evaluated = one(parts, &key, &caller, &headers, body.as_deref());
    evaluated.unwrap_or_else(|failure| failure.response(Some(key)))
}

/// The values of all flags.
pub(super) async fn evaluate_all(
    State(state): State<DecideState>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let evaluated = all(state.parts(), &caller, &headers, body.as_deref());
    evaluated.unwrap_or_else(|failure| failure.response(None))
}

fn one(
    parts: &Parts,
    key: &str,
    caller: &Caller,
    headers: &HeaderMap,
    body: Result<&[u8], &BytesRejection>,
) -> Result<Response, Failure> {
    let context = parts.counted(read(headers, body))?;
    let question = parts.counted(question(&context))?;
    let place = place(key).ok_or_else(|| Failure::not_found("a key is namespace.campaign.placement"));
    let place = parts.counted(place)?;
    parts.counted(caller.enter(place.namespace))?;
    let tables = parts.tables();
    let answer = parts.decide(&tables, place, &question);
    match answer.reason {
        DecideReason::UnknownCampaign => Err(Failure::not_found("no table of this campaign is known")),
        DecideReason::UnknownPlacement => Err(Failure::not_found("the campaign has no such placement")),
        _ => Ok(json(&Evaluation::new(key.to_owned(), answer))),
    }
}

fn all(
    parts: &Parts,
    caller: &Caller,
    headers: &HeaderMap,
    body: Result<&[u8], &BytesRejection>,
) -> Result<Response, Failure> {
    let context = parts.counted(read(headers, body))?;
    let question = parts.counted(question(&context))?;
    let (tables, keys, now) = (parts.tables(), parts.keyring.load(), parts.clock.now());
    let decide = |(key, table, placement)| {
        (Evaluation::new(key, decide_in(table, placement, &keys, &question, now)), table)
    };
    let namespace = context.namespace.as_deref().or(caller.namespace());
    parts.counted(namespace.map_or(Ok(()), |namespace| caller.enter(namespace)))?;
    let flags = flags(&tables, namespace)?;
    let decided: Vec<(Evaluation<'_>, &Table)> = flags.into_iter().map(decide).collect();
    let tag = tag(&decided, now);
    if is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let flags: Vec<Evaluation<'_>> = decided.into_iter().map(|(evaluation, _)| evaluation).collect();
    // They are not told: most are of placements that the page does not have, so that nobody could see them.
    flags.iter().for_each(|flag| parts.answered(flag.metadata.decision));
    Ok(([(header::ETAG, tag)], json(&Evaluations { flags })).into_response())
}

impl<'t> Evaluation<'t> {
    fn new(key: String, answer: Answer<'t>) -> Self {
        let Answer { reason, variant, slots, variables, token, probability, round, dry_run, expires_at } =
            answer;
        let variables = variables.map(RawValue::get);
        let metadata =
            Metadata { decision: reason, token, probability, round, dry_run, expires_at, variables };
        Self { key, reason: reason.into(), variant, value: slots, metadata }
    }
}

fn place(key: &str) -> Option<Place<'_>> {
    let (namespace, rest) = key.split_once('.')?;
    let (campaign, placement) = rest.rsplit_once('.')?;
    Some(Place { namespace, campaign, placement })
}

/// All flags, or those of a namespace, by their keys.
fn flags<'t>(
    tables: &'t Snapshot,
    namespace: Option<&str>,
) -> Result<Vec<(String, &'t Table, &'t Placement)>, Failure> {
    let tables = tables.served().filter(|table| namespace.is_none_or(|name| table.namespace == name));
    let of = |table: &'t Table| table.placements().iter().map(move |placement| (table, placement));
    let flags: Vec<(&Table, &Placement)> = tables.flat_map(of).take(FLAGS_LIMIT + 1).collect();
    if flags.len() > FLAGS_LIMIT {
        return Err(Failure::general(format!(
            "there are more than {FLAGS_LIMIT} flags: put the namespace into the context, or evaluate them one by one"
        )));
    }
    let keyed = |(table, placement): (&'t Table, &'t Placement)| {
        (format!("{}.{}.{}", table.namespace, table.campaign, placement.name), table, placement)
    };
    let mut flags: Vec<_> = flags.into_iter().map(keyed).collect();
    flags.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    Ok(flags)
}

/// Changes when a value does, and once in an hour with the tokens.
fn tag(decided: &[(Evaluation<'_>, &Table)], now: Timestamp) -> String {
    let mut hash = SipHasher24::new();
    (now.as_second() / UNCHANGED_FOR.as_secs()).hash(&mut hash);
    for (Evaluation { key, variant, metadata, .. }, table) in decided {
        let Metadata { decision, probability, round, .. } = metadata;
        (key, &table.uid, table.number, variant, decision, probability, round).hash(&mut hash);
    }
    format!("\"{:032x}\"", hash.finish128().as_u128())
}

/// Whether the caller has what is tagged so. Source: RFC 9110, section 13.1.2, which compares tags weakly.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn read(headers: &HeaderMap, body: Result<&[u8], &BytesRejection>) -> Result<EvaluationContext, Failure> {
    if body.is_ok_and(<[u8]>::is_empty) {
        return Ok(EvaluationContext::default());
    }
    let request: EvaluationRequest = refusal::parse(body).map_err(|refusal| {
        let is_json = body.is_ok_and(|body| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok());
        let status = refusal.status();
        let code = match refusal.code {
            Code::TooLarge => FlagErrorCode::General,
            _ if is_json => FlagErrorCode::InvalidContext,
            _ => FlagErrorCode::ParseError,
        };
        Failure { status, code, details: refusal.message }
    })?;
    let said = request.context;
    let traffic = traffic(said.traffic, said.user_agent.as_deref(), headers);
    Ok(EvaluationContext { consent: consent(said.consent, headers), traffic, ..said })
}

fn question(context: &EvaluationContext) -> Result<Question<'_>, Failure> {
    let EvaluationContext {
        targeting_key,
        segment,
        eligible,
        consent,
        traffic,
        user_agent: _,
        preview,
        namespace: _,
    } = context;
    let Some(subject) = targeting_key.as_deref().filter(|key| !key.is_empty()) else {
        return Err(Failure::bad(
            FlagErrorCode::TargetingKeyMissing,
            "context.targetingKey: send the person or device for whom the flag is".to_owned(),
        ));
    };
    let terms = Terms { consent: *consent, traffic: *traffic, preview: some(preview.as_deref()) };
    let question = Question::new(subject, segment.as_deref(), eligible.as_deref(), terms);
    question.map_err(|error| {
        let field = match error {
            QuestionError::Subject => "targetingKey",
            QuestionError::Eligible => "eligible",
        };
        Failure::bad(FlagErrorCode::InvalidContext, format!("context.{field}: {error}"))
    })
}

/// Why there is no value.
struct Failure {
    status: StatusCode,
    code: FlagErrorCode,
    details: String,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status(), code: FlagErrorCode::General, details: refusal.message }
    }
}

impl Failure {
    fn bad(code: FlagErrorCode, details: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, details }
    }

    fn general(details: String) -> Self {
        Self::bad(FlagErrorCode::General, details)
    }

    fn not_found(details: &str) -> Self {
        let details = format!("{details}: show the application's own default");
        Self { status: StatusCode::NOT_FOUND, code: FlagErrorCode::FlagNotFound, details }
    }

    fn response(self, key: Option<String>) -> Response {
        let Self { status, code, details } = self;
        (status, Json(FlagFailure { key, error_code: code, error_details: details })).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, Sample};
    use crate::tables::Index;

    #[test]
    fn flags_are_in_order_and_have_a_bound() {
        let mut index = Index::default();
        let mut offer = |number: usize, namespace: &str| {
            let (uid, name) = (format!("uid-{number}"), format!("c{number:04}"));
            let mut object = Sample { uid: &uid, ..SAMPLE }.object();
            object.metadata.namespace = Some(namespace.to_owned());
            object.spec.campaign.name = name;
            index.offer(&object).unwrap();
        };
        (0..FLAGS_LIMIT).rev().for_each(|number| offer(number, "shop"));
        let keys = |tables: &Snapshot, namespace| {
            let flags = flags(tables, namespace).ok()?;
            Some(flags.into_iter().map(|(key, ..)| key).collect::<Vec<_>>())
        };
        offer(FLAGS_LIMIT, "other");
        let tables = index.snapshot();
        assert_eq!(keys(&tables, None), None, "one more than the bound");
        let shop = keys(&tables, Some("shop")).unwrap();
        assert_eq!((shop.len(), shop[0].as_str(), shop.is_sorted()), (FLAGS_LIMIT, "shop.c0000.hero", true));
        assert_eq!(keys(&tables, Some("other")).unwrap(), ["other.c1000.hero"]);
    }

    #[test]
    fn a_key_names_namespace_campaign_and_placement() {
        let check = |key, expected: Option<[&str; 3]>| {
            let found = place(key).map(|place| [place.namespace, place.campaign, place.placement]);
            assert_eq!(found, expected, "{key}");
        };
        check("shop.cart-and-hero.hero", Some(["shop", "cart-and-hero", "hero"]));
        check("shop.spring.sale.hero", Some(["shop", "spring.sale", "hero"]));
        check("shop.hero", None);
        check("hero", None);
    }

    #[test]
    fn a_tag_is_compared_with_each_of_a_list() {
        let check = |value: &'static str, expected| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            assert_eq!(is_known(&headers, "\"a1\""), expected, "{value}");
        };
        check("\"a1\"", true);
        check("\"b2\", W/\"a1\"", true);
        check("*", true);
        check("\"b2\"", false);
        check("a1", false);
    }
}
