//! What both edges of the decision share: tables, keys, clock and counters, and how an answer is sent.

use std::sync::Arc;

use api::wire::decide::{Consent, DecideReason, Traffic};
use arc_swap::Guard;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::metrics::DecideMetrics;
use super::question::some;
use super::visitor::{Visitor, VisitorCookie};
use super::{Answer, Place, Question, Terms, crawlers, decide};
use crate::clock::Clock;
use crate::key::Keyring;
use crate::tables::{Snapshot, Tables};
use crate::told::Told;

/// The header by which a browser says that its person does not want to be measured.
/// Source: <https://w3c.github.io/gpc/>, section 3.1: the value is `1` or the header is absent.
pub(super) const GLOBAL_PRIVACY_CONTROL: &str = "sec-gpc";

/// What a decision needs.
#[derive(Clone)]
pub struct DecideState(Arc<Parts>);

pub(super) struct Parts {
    tables: Tables,
    pub(super) keyring: Keyring,
    pub(super) clock: Arc<dyn Clock>,
    metrics: DecideMetrics,
    visitors: Option<VisitorCookie>,
    told: Option<Told>,
}

impl DecideState {
    /// Decisions from these tables, signed with these keys. Visitors who are told by nobody are named by a cookie, where
    /// there is one, and decisions that count are told, where that is wanted.
    pub fn new(
        tables: Tables,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        visitors: Option<VisitorCookie>,
        told: Option<Told>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = DecideMetrics::new(registry);
        Self(Arc::new(Parts { tables, keyring, clock, metrics, visitors, told }))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    pub(super) fn tables(&self) -> Guard<Arc<Snapshot>> {
        self.tables.load()
    }

    /// Decides, counts it, and tells it where it can count.
    pub(super) fn decide<'t>(
        &self,
        tables: &'t Snapshot,
        place: Place<'_>,
        question: &Question<'_>,
    ) -> Answer<'t> {
        let answer = decide(tables, &self.keyring.load(), place, question, self.clock.now());
        self.answered(answer.reason);
        if let (Some(told), Some(token)) = (&self.told, &answer.token) {
            told.tell(token);
        }
        answer
    }

    /// Puts in the subject where the caller names none, and pages are to be known again.
    pub(super) fn name(
        &self,
        subject: &mut Option<String>,
        terms: Terms<'_>,
        headers: &HeaderMap,
    ) -> Visitor {
        let visitor =
            self.visitors.as_ref().map_or(Visitor::Told, |cookie| cookie.name(subject, terms, headers));
        self.metrics.came(&visitor);
        visitor
    }

    pub(super) fn answered(&self, reason: DecideReason) {
        self.metrics.answered(reason);
    }

    /// Counts what is no question.
    pub(super) fn counted<T, E>(&self, question: Result<T, E>) -> Result<T, E> {
        question.inspect_err(|_| {
            self.metrics.malformed.inc();
        })
    }
}

/// What the person allows, by request and browser together.
pub(crate) fn consent(said: Consent, headers: &HeaderMap) -> Consent {
    let private = headers.get(GLOBAL_PRIVACY_CONTROL).is_some_and(|value| value == "1");
    Consent { measurement: said.measurement && !private }
}

/// Who comes: as the caller says, or else as the user agent does that it hands on, or else as its own does.
pub(crate) fn traffic(said: Traffic, handed_on: Option<&str>, headers: &HeaderMap) -> Traffic {
    let own = || headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    match said {
        Traffic::Visitor
            if some(handed_on).map(str::as_bytes).or_else(own).is_some_and(crawlers::is_crawler) =>
        {
            Traffic::Bot
        }
        said => said,
    }
}

/// Room for an answer of one decision, so that it need not grow while it is written.
const ONE_ANSWER: usize = 1024;

pub(super) fn json(answer: &impl Serialize) -> Response {
    let mut json = Vec::with_capacity(ONE_ANSWER);
    serde_json::to_writer(&mut json, answer).expect("an answer is strings, integers and JSON");
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
