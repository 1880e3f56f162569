//! Whether an event may reach the ledger: pure, and done by as many requests at once as there are.

use std::hash::{Hash, Hasher};

use api::wire::event::{Event, EventKind, Outcome};
use api::wire::token::{Claims, Keys, SubjectHash, TokenError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use super::amount::Amount;
use super::unit::{Arm, Receipt, Reward};
use super::{Millis, millis};
use crate::auth::Caller;
use crate::table::{Metric, Placement, Worth};
use crate::tables::Snapshot;

/// The longest event id, in bytes: a UUID has 36, a trace with a span 49.
pub const ID_LIMIT: usize = 128;

/// The longest token, in bytes. Ours have about 400; the bound keeps us from hashing what can't be one.
pub const TOKEN_LIMIT: usize = 2048;

/// How far a sender's clock may be ahead of ours, or behind the decision's. Servers agree within milliseconds; a
/// device whose clock is off by more should leave `at` out.
pub const SKEW: SignedDuration = SignedDuration::from_secs(10);

/// How long after its decision an exposure counts. Copy that is kept longer was decided by weights of the past.
pub const EXPOSED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Where a unit lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Experiment {
    /// The campaign's UID.
    pub campaign: String,
    /// The placement.
    pub placement: String,
    /// The seed of its assignment.
    pub seed: i64,
    /// The metric, where it is one that is watched for harm: a subject has a unit for each, beside that of the placement's own.
    pub guardrail: Option<String>,
}

impl Experiment {
    /// Where the unit of that guardrail lives.
    pub(super) fn watched_by(&self, metric: &str) -> Self {
        Self { guardrail: Some(metric.to_owned()), ..self.clone() }
    }
}

/// Units are stored under names that come of this: of an experiment without a guardrail they are those that they always were.
impl Hash for Experiment {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self { campaign, placement, seed, guardrail } = self;
        (campaign, placement, seed).hash(hasher);
        if let Some(metric) = guardrail {
            metric.hash(hasher);
        }
    }
}

/// A subject's pseudonym, as bytes.
pub type Subject = [u8; 16];

/// An event that may be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where its unit lives.
    pub experiment: Experiment,
    /// Whose it is.
    pub subject: Subject,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The copy was chosen.
    Decision(Decision),
    /// The copy was shown.
    Exposure(Exposure),
    /// The person acted.
    Reward(Reward),
    /// A link of the copy was followed, by the person or by what scans links.
    Click(Click),
}

/// An exposure and the decision that it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// When it happened.
    pub at: Millis,
    /// The metric's window as it stands now.
    pub window: Millis,
    /// The most that it counts for.
    pub cap: Amount,
    /// What was known about the person before.
    pub covariate: Option<Amount>,
    /// When it was decided, in seconds since 1970.
    pub decided_at: i64,
    /// What was decided.
    pub draw: Draw,
    /// The metrics that are watched for harm, as they stand now: it counts for each of them too.
    pub guardrails: Vec<Guardrail>,
}

/// A metric that is watched for harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// Its name.
    pub metric: String,
    /// Its window.
    pub window: Millis,
    /// The most that an exposure counts for.
    pub cap: Amount,
}

impl From<&Metric> for Guardrail {
    fn from(Metric { name, worth, window }: &Metric) -> Self {
        Self { metric: name.clone(), window: *window, cap: worth.cap() }
    }
}

/// Copy that was chosen, and may not have been shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Millis,
    /// What was decided.
    pub draw: Draw,
}

/// A link that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// When.
    pub at: Millis,
    /// Of which copy.
    pub draw: Draw,
}

/// What was drawn, and how likely it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Draw {
    /// What was drawn.
    pub arm: Arm,
    /// With this probability, in parts per million.
    pub probability: u32,
}

/// What is known about a subject in a campaign is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The campaign's UID.
    pub campaign: String,
    /// Whose it is.
    pub subject: Subject,
}

impl Erasure {
    /// Of a pseudonym; none where it is none of ours.
    pub fn of(campaign: &str, subject: &SubjectHash) -> Option<Self> {
        Some(Self { campaign: campaign.to_owned(), subject: bytes(subject)? })
    }
}

/// Reads an event that arrives at `now`.
///
/// # Errors
/// The receipt of an event that can't be counted: malformed, forged, of the future, of a campaign, placement or metric
/// that no table knows, or an exposure of a decision that is too old.
pub fn check(event: &Event, keys: &Keys, tables: &Snapshot, now: Timestamp) -> Result<Arrival, Receipt> {
    if !(1..=ID_LIMIT).contains(&event.id.len()) {
        return Err(invalid("id: send 1 to 128 bytes"));
    }
    let (claims, subject) = claims(&event.token, keys)?;
    let at = event.at.unwrap_or(now);
    if at > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
        return Err(invalid("at: it lies in the future: send UTC, or leave it out"));
    }
    let placement = placement(&claims, tables)?;
    let what = what(event, &claims, at.min(now), placement)?;
    let guardrail = guardrail(&event.kind, placement);
    let Claims { campaign, placement, seed, .. } = claims;
    Ok(Arrival { experiment: Experiment { campaign, placement, seed, guardrail }, subject, what })
}

/// A link of the copy was followed at `now`, with a token of these verified claims; nothing where its subject is none of ours.
pub fn click(claims: Claims, now: Timestamp) -> Option<Arrival> {
    told(claims, |draw| What::Click(Click { at: millis(now), draw }))
}

/// What was decided `now`, with a token of these verified claims; nothing where its subject is none of ours.
pub fn decision(claims: Claims, now: Timestamp) -> Option<Arrival> {
    told(claims, |draw| What::Decision(Decision { at: millis(now), draw }))
}

fn told(claims: Claims, what: impl FnOnce(Draw) -> What) -> Option<Arrival> {
    let Claims { campaign, placement, seed, segment, round, variant, probability, decided_at: _, subject } =
        claims;
    let what = what(Draw { arm: Arm { round, segment, variant }, probability });
    let experiment = Experiment { campaign, placement, seed, guardrail: None };
    Some(Arrival { experiment, subject: bytes(&subject)?, what })
}

/// Lets through what is of a namespace that is open to the caller.
///
/// # Errors
/// The receipt of an event of another namespace. The rest of a batch is none the worse for it, and nothing of it is kept: with
/// the right key it can be sent again.
pub fn permit(arrival: Arrival, caller: &Caller, tables: &Snapshot) -> Result<Arrival, Receipt> {
    let table = tables.of(&arrival.experiment.campaign);
    if table.is_some_and(|table| caller.opens(&table.namespace)) {
        return Ok(arrival);
    }
    Err(invalid("token: the key opens another namespace than its campaign's: send it with a key of that one"))
}

fn claims(token: &str, keys: &Keys) -> Result<(Claims, Subject), Receipt> {
    if token.len() > TOKEN_LIMIT {
        return Err(invalid(MALFORMED));
    }
    let claims = keys.verify(token).map_err(|error| {
        invalid(match error {
            TokenError::Malformed => MALFORMED,
            TokenError::UnknownKey => "token: its key is not in use: ask for a new decision",
            TokenError::BadSignature => "token: its signature is wrong: send it as the decision gave it",
        })
    })?;
    let subject = bytes(&claims.subject).ok_or_else(|| invalid(MALFORMED))?;
    Ok((claims, subject))
}

const MALFORMED: &str = "token: it is malformed: send it as the decision gave it";

/// The placement that the event is about.
fn placement<'t>(claims: &Claims, tables: &'t Snapshot) -> Result<&'t Placement, Receipt> {
    let unknown = |message| Receipt::because(Outcome::Unknown, message);
    let table =
        tables.of(&claims.campaign).ok_or_else(|| unknown("its campaign is not known, or was deleted"))?;
    table.placement(&claims.placement).ok_or_else(|| unknown("its placement is not known, or was removed"))
}

/// The guardrail that a reward is for, where it is not for the placement's own metric.
fn guardrail(kind: &EventKind, placement: &Placement) -> Option<String> {
    match kind {
        EventKind::Reward { metric, .. } => {
            Some(metric).filter(|name| **name != placement.metric.name).cloned()
        }
        EventKind::Decision | EventKind::Exposure { .. } => None,
    }
}

/// The metric of that name.
fn metric<'p>(name: &str, placement: &'p Placement) -> Result<&'p Metric, Receipt> {
    placement.metrics().find(|metric| metric.name == name).ok_or_else(|| {
        let names: Vec<&str> = placement.metrics().map(|metric| metric.name.as_str()).collect();
        let message = format!("metric: the placement has none of that name: send {}", names.join(" or "));
        Receipt::because(Outcome::Unknown, message)
    })
}

fn what(event: &Event, claims: &Claims, at: Timestamp, placement: &Placement) -> Result<What, Receipt> {
    match &event.kind {
        EventKind::Decision => {
            Ok(What::Decision(Decision { at: millis(at), draw: draw_in_force(claims, at)? }))
        }
        EventKind::Exposure { covariate } => {
            let covariate =
                covariate.map(|known| Amount::new(known).ok_or(invalid(COVARIATE))).transpose()?;
            Ok(What::Exposure(exposure(claims, at, covariate, placement)?))
        }
        EventKind::Reward { metric: name, value } => {
            let metric = metric(name, placement)?;
            let (id, at, window) = (hash(&event.id), millis(at), metric.window);
            Ok(What::Reward(Reward { id, at, window, value: worth(*value, metric.worth)? }))
        }
    }
}

const COVARIATE: &str = "covariate: send a number of at most 1000000000, of either sign, or leave it out";

/// What a reward is worth.
fn worth(value: Option<f64>, metric: Worth) -> Result<Amount, Receipt> {
    let sent = value.map(Amount::new);
    match (metric, sent) {
        (Worth::One, None | Some(Some(Amount::ONE))) => Ok(Amount::ONE),
        (Worth::One, Some(_)) => Err(invalid("value: the metric is Binary: leave it out")),
        (Worth::Any { .. }, None) => Err(invalid("value: the metric is of values: send what it was worth")),
        (Worth::Any { .. }, Some(Some(value))) if value >= Amount::ZERO => Ok(value),
        (Worth::Any { .. }, Some(_)) => Err(invalid("value: send a number of 0 to 1000000000")),
    }
}

fn exposure(
    claims: &Claims,
    at: Timestamp,
    covariate: Option<Amount>,
    Placement { metric, guardrails, .. }: &Placement,
) -> Result<Exposure, Receipt> {
    let draw = draw_in_force(claims, at)?;
    let (window, cap) = (metric.window, metric.worth.cap());
    let guardrails = guardrails.iter().map(Guardrail::from).collect();
    Ok(Exposure { at: millis(at), window, cap, covariate, decided_at: claims.decided_at, draw, guardrails })
}

/// What was drawn, where that is not too long ago.
fn draw_in_force(claims: &Claims, at: Timestamp) -> Result<Draw, Receipt> {
    let after_decision = at.duration_since(claims.decided_at());
    if after_decision < -SKEW {
        return Err(invalid("at: it lies before the decision: send UTC, or leave it out"));
    }
    if after_decision > EXPOSED_WITHIN {
        return Err(Receipt::because(Outcome::Late, "its decision is older than a day: decide anew"));
    }
    let arm = Arm { round: claims.round, segment: claims.segment.clone(), variant: claims.variant.clone() };
    Ok(Draw { arm, probability: claims.probability })
}

fn invalid(message: &'static str) -> Receipt {
    Receipt::because(Outcome::Invalid, message)
}

/// Ids are compared by 64 bits: among the at most 64 of a unit, two that differ meet once in 10¹⁶ units.
fn hash(id: &str) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

fn bytes(subject: &SubjectHash) -> Option<Subject> {
    let digits = subject.0.as_bytes();
    if digits.len() != 32 || !subject.0.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&subject.0, 16).ok().map(u128::to_be_bytes)
}
