//! The HTTP edge of the ledger.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use api::wire::erasure::ErasureResponse;
use api::wire::event::{EventOutcome, EventsResponse, Outcome};
use api::wire::part::Part;
use api::wire::token::{Claims, Keys};
use api::wire::totals::TotalsResponse;
use arc_swap::Guard;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use serde::Deserialize;

use super::check::{Arrival, Erasure, check, click, permit};
use super::incoming::{self, Incoming};
use super::metrics::EventMetrics;
use super::recorder::Recorder;
use super::redirect::{self, Clicks};
use super::stream::Publisher;
use super::unit::Receipt;
use super::writer::{Ledger, LedgerError};
use crate::auth::Caller;
use crate::clock::Clock;
use crate::decide::SUBJECT_LIMIT;
use crate::key::Keyring;
use crate::refusal::{self, Code, Refusal};
use crate::tables::{Snapshot, Tables};

/// The largest request, in bytes: a thousand events of about 700 bytes fit.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The most events of one request.
pub const EVENTS_LIMIT: usize = 1000;

/// What the ledger's API needs.
#[derive(Clone)]
pub struct LedgerState(Arc<Parts>);

struct Parts {
    recorder: Recorder,
    sums: Option<Sums>,
    tables: Tables,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    metrics: EventMetrics,
    clicks: Clicks,
}

/// A ledger, and whose sums it has.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The ledger.
    pub ledger: Ledger,
    /// Its part.
    pub part: Part,
}

impl LedgerState {
    /// An API over this ledger. Tokens are checked with these keys, and windows come from these tables.
    pub fn new(
        ledger: Ledger,
        tables: Tables,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let (recorder, metrics) = (Recorder::Ledger(ledger.clone()), EventMetrics::new(registry));
        let (sums, clicks) = (Some(Sums { ledger, part: Part::WHOLE }), Clicks::new(registry));
        Self(Arc::new(Parts { recorder, sums, tables, keyring, clock, metrics, clicks }))
    }

    /// The same over a stream, with the sums of the ledger that follows it where that is in this process.
    pub fn over_stream(
        publisher: Publisher,
        sums: Option<Sums>,
        tables: Tables,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let recorder = Recorder::Stream(Box::new(publisher));
        let (metrics, clicks) = (EventMetrics::new(registry), Clicks::new(registry));
        Self(Arc::new(Parts { recorder, sums, tables, keyring, clock, metrics, clicks }))
    }

    pub(super) fn keys(&self) -> Guard<Arc<Keys>> {
        self.0.keyring.load()
    }

    pub(super) fn tables(&self) -> Guard<Arc<Snapshot>> {
        self.0.tables.load()
    }

    pub(super) fn clicks(&self) -> &Clicks {
        &self.0.clicks
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Records what happened now.
    pub(super) async fn record(&self, arrivals: Vec<Arrival>) -> Result<Vec<Receipt>, LedgerError> {
        self.0.recorder.record(arrivals, self.now()).await
    }

    /// Records that somebody followed the link of a decision.
    pub(super) async fn record_click(&self, claims: Claims) -> Result<Receipt, LedgerError> {
        // A subject that is none stands in no token that we sign.
        let Some(arrival) = click(claims, self.now()) else { return Ok(Receipt::of(Outcome::Invalid)) };
        let receipts = self.record(vec![arrival]).await?;
        Ok(receipts.into_iter().next().expect("there is a receipt for each"))
    }
}

/// The API of the role `ledger`, and that of events and links for others that record to a stream.
pub fn router(state: LedgerState) -> Router {
    let records = Router::new().route("/v1/events", post(events));
    let records = records.route("/v1/r/{token}", get(redirect::http::follow));
    let router = match state.0.sums {
        Some(_) => records.route("/v1/totals", get(totals)).route("/v1/subjects/{id}", delete(erase)),
        None => records,
    };
    let router = router.method_not_allowed_fallback(refusal::wrong_method);
    router.layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(state)
}

type Answered<T> = Result<(StatusCode, Json<T>), Refusal>;

async fn events(
    State(LedgerState(parts)): State<LedgerState>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered<EventsResponse> {
    let events = incoming::read(&headers, body.as_deref())?;
    if events.len() > EVENTS_LIMIT {
        let message =
            format!("events: there are {}: send at most {EVENTS_LIMIT} in one request", events.len());
        return Err(Refusal { code: Code::TooLarge, message });
    }
    let receipts = parts.record(&events, &caller).await.inspect_err(|_| parts.metrics.busy())?;
    let outcomes = events.into_iter().zip(receipts).map(outcome).collect::<Vec<_>>();
    outcomes.iter().for_each(|outcome| parts.metrics.outcome(outcome.outcome));
    Ok((StatusCode::ACCEPTED, Json(EventsResponse { outcomes })))
}

#[derive(Deserialize)]
struct TotalsQuery {
    campaign: String,
}

async fn totals(
    State(LedgerState(parts)): State<LedgerState>,
    query: Result<Query<TotalsQuery>, QueryRejection>,
) -> Answered<TotalsResponse> {
    let Query(TotalsQuery { campaign }) = query
        .map_err(|_| Refusal::malformed("campaign: ask for /v1/totals?campaign=<the campaign's UID>"))?;
    let Sums { ledger, part } = parts.sums.as_ref().ok_or(LedgerError::Starting)?;
    here(*part, &campaign)?;
    Ok((StatusCode::OK, Json(ledger.totals(campaign, parts.clock.now()).await?)))
}

/// Whoever is let in without a key may be anybody, and what is erased does not come back.
async fn erase(
    State(LedgerState(parts)): State<LedgerState>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
) -> Answered<ErasureResponse> {
    if caller == Caller::Anyone {
        let message = "only who has a key may erase: give applications keys with --api-keys".to_owned();
        return Err(Refusal { code: Code::Forbidden, message });
    }
    let Path(id) = id.map_err(|_| Refusal::malformed(SUBJECT))?;
    if !(1..=SUBJECT_LIMIT).contains(&id.len()) {
        return Err(Refusal::malformed(SUBJECT));
    }
    let campaigns = parts.erase(&caller, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(ErasureResponse { campaigns })))
}

const SUBJECT: &str = "subject: send 1 to 512 bytes behind /v1/subjects/, percent-encoded UTF-8";

/// Another ledger's campaign has no sums here, which would look like those of one that nobody was shown.
fn here(part: Part, campaign: &str) -> Result<(), Refusal> {
    let its = part.sibling(campaign);
    if its == part {
        return Ok(());
    }
    let message = format!("campaign: the ledger of part {its} has it, and this is that of {part}: ask there");
    Err(Refusal { code: Code::Misdirected, message })
}

impl Parts {
    /// Checks all events, records those that may count, and returns a receipt for each.
    async fn record(&self, events: &[Incoming], caller: &Caller) -> Result<Vec<Receipt>, LedgerError> {
        if !self.tables.is_complete() {
            return Err(LedgerError::Starting);
        }
        let now = self.clock.now();
        let mut checked = self.check(events, caller, now);
        let arrivals: Vec<Arrival> = checked.iter_mut().filter_map(Checked::take).collect();
        if arrivals.is_empty() {
            return Ok(checked.into_iter().filter_map(Checked::refused).collect());
        }
        let mut recorded = self.recorder.record(arrivals, now).await?.into_iter();
        Ok(checked.into_iter().filter_map(|checked| checked.refused().or_else(|| recorded.next())).collect())
    }

    /// Has a subject forgotten in the campaigns of the caller's namespace, and in those that have no table any more. In how
    /// many.
    async fn erase(&self, caller: &Caller, subject: &str) -> Result<u64, LedgerError> {
        if !self.tables.is_complete() {
            return Err(LedgerError::Starting);
        }
        let Some(Sums { ledger, part: _ }) = &self.sums else { return Err(LedgerError::Starting) };
        let known = ledger.campaigns().await?;
        let erasures = self.erasures(known, caller, subject);
        let campaigns = erasures.len() as u64;
        self.recorder.erase(erasures, self.clock.now()).await?;
        Ok(campaigns)
    }

    fn erasures(&self, mut known: BTreeSet<String>, caller: &Caller, subject: &str) -> Vec<Erasure> {
        let (tables, keys) = (self.tables.load(), self.keyring.load());
        known.extend(tables.served().map(|table| table.uid.clone()));
        known.retain(|campaign| match tables.of(campaign) {
            Some(table) => caller.opens(&table.namespace),
            None => !tables.is_refused(campaign),
        });
        let erasure = |campaign: &String| Erasure::of(campaign, &keys.subject(campaign, subject));
        known.iter().filter_map(erasure).collect()
    }

    fn check(&self, events: &[Incoming], caller: &Caller, now: Timestamp) -> Vec<Checked> {
        let tables = self.tables.load();
        let keys = self.keyring.load();
        let check = |incoming: &Incoming| match &incoming.event {
            Ok(event) => {
                check(event, &keys, &tables, now).and_then(|arrival| permit(arrival, caller, &tables))
            }
            Err(receipt) => Err(receipt.clone()),
        };
        events.iter().map(|incoming| check(incoming).into()).collect()
    }
}

/// An event after its check.
enum Checked {
    /// It goes to the ledger, once.
    Arrival(Option<Arrival>),
    Refused(Receipt),
}

impl From<Result<Arrival, Receipt>> for Checked {
    fn from(checked: Result<Arrival, Receipt>) -> Self {
        match checked {
            Ok(arrival) => Self::Arrival(Some(arrival)),
            Err(receipt) => Self::Refused(receipt),
        }
    }
}

impl Checked {
    fn take(&mut self) -> Option<Arrival> {
        if let Self::Arrival(arrival) = self { arrival.take() } else { None }
    }

    fn refused(self) -> Option<Receipt> {
        if let Self::Refused(receipt) = self { Some(receipt) } else { None }
    }
}

fn outcome((incoming, receipt): (Incoming, Receipt)) -> EventOutcome {
    let Receipt { outcome, message } = receipt;
    EventOutcome { id: incoming.id, outcome, message: message.map(Cow::into_owned) }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        let code = match error {
            LedgerError::Busy => Code::Busy,
            LedgerError::Starting | LedgerError::Stopping | LedgerError::Unreachable => Code::Unavailable,
            LedgerError::Full => Code::Full,
        };
        Self { code, message: error.to_string() }
    }
}
