//! The decision: which variant does this subject see? A pure function of tables, keys, question and time.
//!
//! | Question | Answer | Reason |
//! | --- | --- | --- |
//! | no table of that campaign | nothing: the caller's default | `UnknownCampaign` |
//! | no such placement | nothing: the caller's default | `UnknownPlacement` |
//! | a reviewer wants to see a variant | that one or the control, no token | `Preview` |
//! | the subject [takes no part](apart) | the control, no token | `NoConsent`, `Staff`, `Test`, `Bot`, `Holdout`, `Excluded` |
//! | the campaign's segments lack this one | the control, no token | `UnknownSegment` |
//! | the caller can't show all that has a share | drawn among the rest, no token | `Subset` |
//! | else | a variant drawn by the round in force, with a token | `Assigned` |
//!
//! Only `Assigned` can count: without a token no event is possible, so the other answers can't reach the totals.
//! Whatever the reason, nothing is answered that the caller can't show.

mod apart;
mod crawlers;
mod edge;
mod http;
mod metrics;
mod ofrep;
mod question;
mod visitor;

use api::wire::decide::DecideReason;
use api::wire::token::{Claims, Keys, SubjectHash};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::table::{Arm, Placement, Table, Variant};
use crate::tables::Snapshot;

pub use edge::DecideState;
pub(crate) use edge::{consent, traffic};
pub use http::{BODY_LIMIT, router};
pub use ofrep::FLAGS_LIMIT;
pub use question::{ELIGIBLE_LIMIT, PLACEMENTS_LIMIT, Place, Question, QuestionError, Terms};
pub use visitor::{NoCookie, VisitorCookie};

/// The longest subject, in bytes: room for any identifier, none for a profile.
pub const SUBJECT_LIMIT: usize = 512;

/// How long an answer may be kept. A changed table reaches a page that keeps answers after this time at most.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(60);

/// An answer: [`api::wire::decide::DecideResponse`] with its texts borrowed from the table, already JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'t> {
    /// Why this answer was given.
    pub reason: DecideReason,
    /// The variant's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<&'t str>,
    /// The variant's texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<&'t RawValue>,
    /// The variables that the texts refer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<&'t RawValue>,
    /// What events must carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The probability of this draw, in parts per million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<u32>,
    /// The round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// Whether the texts are the control's, whatever was drawn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Until when the answer may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Decides. Equal tables, keys and question give the same variant on every replica, whenever it is asked.
pub fn decide<'t>(
    tables: &'t Snapshot,
    keys: &Keys,
    place: Place<'_>,
    question: &Question<'_>,
    now: Timestamp,
) -> Answer<'t> {
    let Some(table) = tables.named(place.namespace, place.campaign) else {
        return Answer::nothing(DecideReason::UnknownCampaign);
    };
    match table.placement(place.placement) {
        Some(placement) => decide_in(table, placement, keys, question, now),
        None => Answer::nothing(DecideReason::UnknownPlacement),
    }
}

/// Decides in a placement of `table`.
pub fn decide_in<'t>(
    table: &'t Table,
    placement: &'t Placement,
    keys: &Keys,
    question: &Question<'_>,
    now: Timestamp,
) -> Answer<'t> {
    Answer { dry_run: table.dry_run, ..answer(table, placement, keys, question, now) }
}

fn answer<'t>(
    table: &'t Table,
    placement: &'t Placement,
    keys: &Keys,
    question: &Question<'_>,
    now: Timestamp,
) -> Answer<'t> {
    let now = whole_seconds(now);
    if let Some(wanted) = question.terms.preview {
        return Answer::preview(wanted, placement, question, now);
    }
    if let Some(reason) = apart::reason(table, keys, question) {
        return Answer::control(reason, placement, question, now);
    }
    let Some((segment, arms)) = placement.cell(question.segment) else {
        return Answer::control(DecideReason::UnknownSegment, placement, question, now);
    };
    let subject = keys.subject(&table.uid, question.subject());
    let can_show = |arm: &Arm| question.can_show(&placement.variant(*arm).name);
    if arms.iter().all(can_show) {
        return match draw(placement, arms, &subject) {
            Some(arm) => Draw { table, placement, segment, arm, subject }.answer(keys, now),
            None => Answer::control(DecideReason::UnknownSegment, placement, question, now),
        };
    }
    let rest: Vec<Arm> = arms.iter().copied().filter(can_show).collect();
    match draw(placement, &rest, &subject) {
        Some(arm) => Answer::copy(DecideReason::Subset, placement.variant(arm), now),
        None => Answer::control(DecideReason::Subset, placement, question, now),
    }
}

/// The draw hashes the subject's pseudonym and not the subject, so that whoever holds a token can repeat it.
///
/// Of some of the arms it draws what it would have drawn of all, wherever that is among them.
fn draw(placement: &Placement, arms: &[Arm], subject: &SubjectHash) -> Option<Arm> {
    let named = arms.iter().map(|&arm| (placement.variant(arm).name.as_str(), arm.share));
    experiment::assign(&placement.key, subject.0.as_bytes(), named).map(|index| arms[index])
}

/// A draw, before it is an answer.
struct Draw<'t> {
    table: &'t Table,
    placement: &'t Placement,
    segment: &'t str,
    arm: Arm,
    subject: SubjectHash,
}

impl<'t> Draw<'t> {
    fn answer(self, keys: &Keys, now: Timestamp) -> Answer<'t> {
        let variant = self.placement.variant(self.arm);
        let (round, share) = (self.placement.round, self.arm.share.get());
        let token = keys.sign(&self.claims(variant, now));
        Answer {
            token: Some(token),
            probability: Some(share),
            round: Some(round),
            ..Answer::copy(DecideReason::Assigned, variant, now)
        }
    }

    fn claims(self, variant: &'t Variant, now: Timestamp) -> Claims<&'t str> {
        Claims {
            campaign: &self.table.uid,
            placement: &self.placement.name,
            seed: self.placement.seed,
            segment: self.segment,
            round: self.placement.round,
            variant: &variant.name,
            probability: self.arm.share.get(),
            decided_at: now.as_second(),
            subject: self.subject,
        }
    }
}

impl<'t> Answer<'t> {
    fn nothing(reason: DecideReason) -> Self {
        Self {
            reason,
            variant: None,
            slots: None,
            variables: None,
            token: None,
            probability: None,
            round: None,
            dry_run: false,
            expires_at: None,
        }
    }

    /// What a reviewer wants to see, which may be a variant without a share, or one that nobody approved yet.
    fn preview(wanted: &str, placement: &'t Placement, question: &Question<'_>, now: Timestamp) -> Self {
        match placement.previewed(wanted).filter(|variant| question.can_show(&variant.name)) {
            Some(variant) => Self::copy(DecideReason::Preview, variant, now),
            None => Self::control(DecideReason::Preview, placement, question, now),
        }
    }

    /// The control, where the caller can show it.
    fn control(
        reason: DecideReason,
        placement: &'t Placement,
        question: &Question<'_>,
        now: Timestamp,
    ) -> Self {
        let control = placement.control();
        if question.can_show(&control.name) {
            Self::copy(reason, control, now)
        } else {
            Self::nothing(reason)
        }
    }

    fn copy(reason: DecideReason, variant: &'t Variant, now: Timestamp) -> Self {
        Self {
            variant: Some(&variant.name),
            slots: Some(&variant.slots),
            variables: variant.variables.as_deref(),
            expires_at: now.checked_add(KEPT_FOR).ok(),
            ..Self::nothing(reason)
        }
    }
}

/// Tokens tell whole seconds, and so do we.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::samples::{SAMPLE, START, Sample, keys, variant};
    use crate::tables::Index;
    use DecideReason::{
        Assigned, Bot, NoConsent, Preview, Staff, Subset, Test, UnknownCampaign, UnknownPlacement,
        UnknownSegment,
    };
    use api::TableVariant;
    use api::wire::decide::{Consent, DecideRequest, DecideResponse, Traffic};

    type Allocations<'s> = &'s [(&'s [&'s str], &'s [u32])];

    const TWO_SEGMENTS: Allocations<'_> =
        &[(&["new"], &[0, 1_000_000]), (&["returning", "lapsed"], &[1_000_000])];

    fn snapshot(allocations: Allocations<'_>) -> Snapshot {
        let mut index = Index::default();
        let mut object = Sample { allocations, ..SAMPLE }.object();
        let placement = &mut object.spec.placements[0];
        placement.in_review.push(variant("new"));
        placement.variants.push(TableVariant { withdrawn: true, ..variant("withdrawn") });
        index.offer(&object).expect("the sample is right");
        index.snapshot()
    }

    fn request() -> DecideRequest {
        DecideRequest {
            namespace: "shop".into(),
            campaign: "cart-and-hero".into(),
            placement: Some("hero".into()),
            placements: None,
            subject: Some("alice".into()),
            segment: None,
            eligible: None,
            consent: Consent::default(),
            traffic: Traffic::default(),
            user_agent: None,
            preview: None,
        }
    }

    fn answer<'t>(tables: &'t Snapshot, request: &DecideRequest, now: Timestamp) -> Answer<'t> {
        let place = Place {
            namespace: &request.namespace,
            campaign: &request.campaign,
            placement: request.placement.as_deref().unwrap(),
        };
        decide(tables, &keys(), place, &Question::try_from(request).unwrap(), now)
    }

    /// The answer as a caller reads it.
    fn ask(tables: &Snapshot, request: &DecideRequest) -> DecideResponse {
        let json = serde_json::to_string(&answer(tables, request, START)).unwrap();
        let read: DecideResponse = serde_json::from_str(&json).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            json,
            "an answer has the documented fields, in their order"
        );
        read
    }

    #[test]
    fn each_question_has_its_answer() {
        let check = |allocations, change: &dyn Fn(&mut DecideRequest), reason, variant: Option<&str>| {
            let mut request = request();
            change(&mut request);
            let answer = ask(&snapshot(allocations), &request);
            assert_eq!((answer.reason, answer.variant.as_deref()), (reason, variant), "{request:?}");
            let assigned = reason == Assigned;
            assert_eq!(
                (answer.token.is_some(), answer.probability.is_some()),
                (assigned, assigned),
                "{request:?}"
            );
            let headline = answer.slots.map(|slots| slots["headline"].clone());
            assert_eq!(headline, variant.map(|name| format!("Run further: {name}")));
        };
        let segment = |name: &str| {
            let name = name.to_owned();
            move |request: &mut DecideRequest| request.segment = Some(name.clone())
        };
        let all: Allocations<'_> = &[(&["all"], &[0, 1_000_000])];
        let refuse = |request: &mut DecideRequest| request.consent.measurement = false;
        check(all, &|_| {}, Assigned, Some("warm"));
        check(all, &segment("new"), Assigned, Some("warm"));
        check(all, &|request| request.campaign = "other".into(), UnknownCampaign, None);
        check(all, &|request| request.namespace = "other".into(), UnknownCampaign, None);
        check(all, &|request| request.placement = Some("other".into()), UnknownPlacement, None);
        check(all, &refuse, NoConsent, Some("control"));
        let comes = |traffic| move |request: &mut DecideRequest| request.traffic = traffic;
        check(all, &comes(Traffic::Staff), Staff, Some("control"));
        check(all, &comes(Traffic::Test), Test, Some("control"));
        check(all, &comes(Traffic::Bot), Bot, Some("control"));
        let wants = |name: &'static str| {
            move |request: &mut DecideRequest| {
                request.preview = Some(name.to_owned());
                request.consent.measurement = false;
            }
        };
        check(all, &wants("warm"), Preview, Some("warm"));
        check(all, &wants("retired"), Preview, Some("retired"));
        check(all, &wants("other"), Preview, Some("control"));
        check(all, &wants("new"), Preview, Some("new"));
        check(all, &wants("withdrawn"), Preview, Some("control"));
        check(TWO_SEGMENTS, &wants("warm"), Preview, Some("warm"));
        check(TWO_SEGMENTS, &segment("new"), Assigned, Some("warm"));
        check(TWO_SEGMENTS, &segment("lapsed"), Assigned, Some("control"));
        check(TWO_SEGMENTS, &segment("other"), UnknownSegment, Some("control"));
        check(TWO_SEGMENTS, &segment("all"), UnknownSegment, Some("control"));
        check(TWO_SEGMENTS, &|_| {}, UnknownSegment, Some("control"));
        check(TWO_SEGMENTS, &refuse, NoConsent, Some("control"));
    }

    #[test]
    fn a_dry_run_draws_and_counts_as_ever_and_shows_everybody_the_control() {
        let all: Allocations<'_> = &[(&["all"], &[300_000, 500_000, 200_000])];
        let (live, object) = (snapshot(all), Sample { allocations: all, dry_run: true, ..SAMPLE }.object());
        let mut index = Index::default();
        index.offer(&object).expect("the sample is right");
        let dry = index.snapshot();
        let control = &object.spec.placements[0].variants[0].slots;
        let mut drawn = BTreeSet::new();
        for person in 0..100 {
            let request = DecideRequest { subject: Some(format!("person-{person}")), ..request() };
            let (live, dry) = (ask(&live, &request), ask(&dry, &request));
            assert_eq!(dry.slots.as_ref(), Some(control), "{request:?}");
            let token = keys().verify(dry.token.as_ref().expect("it counts")).expect("it is ours");
            assert_eq!(Some(&token.variant), dry.variant.as_ref());
            let as_ever = DecideResponse { dry_run: true, slots: dry.slots.clone(), ..live };
            assert_eq!(dry, as_ever, "variant, token, probability and round");
            drawn.extend(dry.variant);
        }
        assert_eq!(drawn.len(), 3, "{drawn:?}");
        let shown = |change: &dyn Fn(&mut DecideRequest)| {
            let mut request = request();
            change(&mut request);
            let answer = ask(&dry, &request);
            assert!(answer.dry_run && answer.slots.as_ref() == Some(control), "{answer:?}");
            answer.reason
        };
        assert_eq!(shown(&|it| it.preview = Some("warm".to_owned())), Preview);
        assert_eq!(shown(&|it| it.eligible = Some(vec!["warm".to_owned()])), Subset);
        assert_eq!(shown(&|it| it.consent.measurement = false), NoConsent);
        assert!(!ask(&live, &request()).dry_run);
    }

    #[test]
    fn nothing_is_answered_that_the_caller_cannot_show_and_only_a_draw_among_all_counts() {
        let check = |shares: &[u32], names: &[&str], reason, variant: Option<&str>| {
            let tables = snapshot(&[(&["all"], shares)]);
            let eligible = Some(names.iter().map(|&name| name.to_owned()).collect());
            let answer = ask(&tables, &DecideRequest { eligible, ..request() });
            assert_eq!(
                (answer.reason, answer.variant.as_deref()),
                (reason, variant),
                "{names:?} of {shares:?}"
            );
            assert_eq!(answer.token.is_some(), reason == Assigned);
        };
        check(&[0, 1_000_000], &["control", "warm"], Assigned, Some("warm"));
        check(&[0, 1_000_000], &["warm"], Assigned, Some("warm"));
        check(&[0, 1_000_000], &["control", "other"], Subset, Some("control"));
        check(&[0, 1_000_000], &["retired"], Subset, None);
        check(&[500_000, 500_000], &["warm"], Subset, Some("warm"));
        check(&[500_000, 0, 500_000], &["warm", "retired"], Subset, Some("retired"));
        let refused = DecideRequest {
            eligible: Some(vec!["warm".into()]),
            consent: Consent { measurement: false },
            ..request()
        };
        let answer = ask(&snapshot(SAMPLE.allocations), &refused);
        assert_eq!((answer.reason, answer.variant), (NoConsent, None));
        let wanted = DecideRequest { preview: Some("retired".into()), ..refused };
        let answer = ask(&snapshot(SAMPLE.allocations), &wanted);
        assert_eq!((answer.reason, answer.variant), (Preview, None));
    }

    #[test]
    fn a_person_whose_variant_can_be_shown_keeps_it() {
        let tables = snapshot(&[(&["all"], &[300_000, 300_000, 400_000])]);
        let mut kept = 0;
        for number in 0..500 {
            let all = DecideRequest { subject: Some(format!("subject {number}")), ..request() };
            let some = DecideRequest { eligible: Some(vec!["control".into(), "warm".into()]), ..all.clone() };
            let (one, other) = (ask(&tables, &all), ask(&tables, &some));
            if one.variant.as_deref() != Some("retired") {
                assert_eq!(one.variant, other.variant);
                kept += 1;
            }
        }
        assert!((200..400).contains(&kept), "{kept}");
    }

    #[test]
    fn a_token_reproduces_its_decision() {
        let shares = [300_000, 600_000, 100_000];
        let tables = snapshot(&[(&["all"], &shares)]);
        let answer = ask(&tables, &request());
        let claims = keys().verify(&answer.token.unwrap()).unwrap();
        let draw_key = experiment::AssignmentKey::new(&claims.campaign, &claims.placement, 1);
        let arms = ["control", "warm", "retired"].into_iter().zip(shares);
        let arms = arms.map(|(name, share)| (name, experiment::PartsPerMillion::new(share).unwrap()));
        let drawn = experiment::assign(&draw_key, claims.subject.0.as_bytes(), arms).unwrap();
        assert_eq!(claims.variant, ["control", "warm", "retired"][drawn]);
        assert_eq!((claims.probability, answer.probability), (shares[drawn], Some(shares[drawn])));
        assert_eq!((claims.round, claims.seed, claims.segment.as_str()), (1, 1, "all"));
        assert_eq!(claims.decided_at(), START);
        assert_eq!(answer.expires_at, Some(START + KEPT_FOR));
        assert_eq!(claims.subject, keys().subject(SAMPLE.uid, "alice"));
    }

    #[test]
    fn replicas_agree_and_shares_are_met_and_nothing_is_served_without_a_share() {
        let (one, other) = (snapshot(SAMPLE.allocations), snapshot(SAMPLE.allocations));
        let mut counts = std::collections::BTreeMap::new();
        for number in 0..4000 {
            let request = DecideRequest { subject: Some(format!("subject {number}")), ..request() };
            let (first, later) = (ask(&one, &request), answer(&other, &request, START + KEPT_FOR));
            assert_eq!(first.variant.as_deref(), later.variant);
            *counts.entry(first.variant.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.keys().collect::<Vec<_>>(), ["control", "warm"], "`retired` has no share");
        // Five standard deviations of a fair coin are 158.
        assert!((1842..=2158).contains(&counts["control"]), "{counts:?}");
    }
}
