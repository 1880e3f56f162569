//! Decisions for the sample, as if the gateway had made them. Tests and benchmarks share them.

use api::wire::token::{Claims, SubjectHash};

use crate::samples::SAMPLE;

/// What a token says of a subject who was shown `warm` in the only placement.
pub(crate) fn claims(decided_at: i64, subject: SubjectHash) -> Claims {
    Claims {
        campaign: SAMPLE.uid.into(),
        placement: "hero".into(),
        seed: 1,
        segment: "all".into(),
        round: 1,
        variant: "warm".into(),
        probability: 500_000,
        decided_at,
        subject,
    }
}
