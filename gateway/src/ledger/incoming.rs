//! The bodies in which events come: our own JSON, and CloudEvents 1.0 in each of the three ways that HTTP has for them.
//!
//! | `Content-Type` | Header | Body |
//! | --- | --- | --- |
//! | any other | – | [`EventsRequest`] |
//! | any other | `ce-specversion` | the data of one CloudEvent (binary mode) |
//! | `application/cloudevents+json` | – | one CloudEvent (structured mode) |
//! | `application/cloudevents-batch+json` | – | a list of them (batched mode) |
//!
//! Sources: <https://github.com/cloudevents/spec>, `cloudevents/bindings/http-protocol-binding.md`, section 3, and
//! `cloudevents/formats/json-format.md`, sections 3 and 4, both 1.0.2.

use std::hash::Hash;

use api::wire::event::{Event, EventKind, EventsRequest, Outcome};
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde::Deserialize;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::unit::Receipt;
use crate::refusal::{self, Refusal};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";

/// The types of CloudEvents that are ours.
const DECISION: &str = "dev.broadside.decision";
const EXPOSURE: &str = "dev.broadside.exposure";
const REWARD: &str = "dev.broadside.reward";

/// An event as it came, with the id by which its sender knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Its id.
    pub id: String,
    /// What it says, or why it says nothing.
    pub event: Result<Event, Receipt>,
}

/// Reads all events of a request.
///
/// # Errors
/// When the body is too large, or of none of the shapes; then the message names the field.
pub fn read(headers: &HeaderMap, body: Result<&[u8], &BytesRejection>) -> Result<Vec<Incoming>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        STRUCTURED => Ok(vec![refusal::parse::<CloudEvent>(body)?.incoming()?]),
        BATCHED => refusal::parse::<Vec<CloudEvent>>(body)?.into_iter().map(CloudEvent::incoming).collect(),
        _ if headers.contains_key("ce-specversion") => Ok(vec![binary(headers, body)?.incoming()?]),
        _ => {
            let EventsRequest { events } = refusal::parse(body)?;
            Ok(events.into_iter().map(|event| Incoming { id: event.id.clone(), event: Ok(event) }).collect())
        }
    }
}

/// A CloudEvent, as far as it concerns us. What else it carries is left alone.
#[derive(Debug, Deserialize)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: Option<Timestamp>,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    token: String,
    metric: Option<String>,
    value: Option<f64>,
    covariate: Option<f64>,
}

impl CloudEvent {
    /// Source and id together are what no other event has, section 3.1 of the specification; so both are the event's id.
    fn incoming(self) -> Result<Incoming, Refusal> {
        let Self { specversion, id, source, kind, time, data } = self;
        let Data { token, metric, value, covariate } = data;
        if specversion != "1.0" {
            return Err(Refusal::malformed("specversion: send CloudEvents of 1.0"));
        }
        if id.is_empty() || source.is_empty() {
            return Err(Refusal::malformed("id, source: neither may be empty"));
        }
        let event = |kind| Event { id: unique(&source, &id), token, at: time, kind };
        let event = match (kind.as_str(), metric) {
            (DECISION, _) => Ok(event(EventKind::Decision)),
            (EXPOSURE, _) => Ok(event(EventKind::Exposure { covariate })),
            (REWARD, Some(metric)) => Ok(event(EventKind::Reward { metric, value })),
            (REWARD, None) => Err(invalid("data.metric: it is missing: name a metric of the placement")),
            _ => Err(invalid(
                "type: send dev.broadside.exposure, dev.broadside.reward or dev.broadside.decision",
            )),
        };
        Ok(Incoming { id, event })
    }
}

fn unique(source: &str, id: &str) -> String {
    let mut hash = SipHasher24::new();
    (source, id).hash(&mut hash);
    format!("{:032x}", hash.finish128().as_u128())
}

fn invalid(message: &'static str) -> Receipt {
    Receipt::because(Outcome::Invalid, message)
}

fn binary(headers: &HeaderMap, body: Result<&[u8], &BytesRejection>) -> Result<CloudEvent, Refusal> {
    let attribute = |name: &str| {
        let value = headers.get(name)?;
        Some(percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned())
    };
    let required = |name: &str| {
        attribute(name).ok_or_else(|| Refusal::malformed(format!("{name}: the header is missing")))
    };
    let time = attribute("ce-time").map(|time| time.parse()).transpose();
    Ok(CloudEvent {
        specversion: required("ce-specversion")?,
        id: required("ce-id")?,
        source: required("ce-source")?,
        kind: required("ce-type")?,
        time: time.map_err(|_| Refusal::malformed("ce-time: send RFC 3339, or leave it out"))?,
        data: refusal::parse(body)?,
    })
}
