//! The answer of `allocate`.

use std::collections::BTreeMap;

use experiment::{Allocated, Allocation, Features, Policy, SampleRatio};
use schemars::JsonSchema;
use serde::Serialize;

use super::read::Question;

/// What the next round shows: one allocation, or one for each segment where the document tells segments apart.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum AllocateAnswer {
    /// Everybody is alike.
    One(SegmentAllocation),
    /// By the name of the segment.
    Several {
        /// Each segment's allocation.
        segments: BTreeMap<String, SegmentAllocation>,
    },
}

/// Shares, and what made them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SegmentAllocation {
    /// The share of each variant in parts per million, which sum to 1000000; retired variants have 0.
    pub allocation: BTreeMap<String, u32>,
    /// `Exploring` while some variant has too few exposures to move shares, else the policy's type. Where the last shares
    /// stay: `RoundOpen` while the last round goes on, `Unhealthy` where the counts do not fit the shares.
    pub reason: String,
}

pub(super) fn answer(question: &Question, policy: &Policy, features: Option<&Features>) -> AllocateAnswer {
    let allocated = allocated(question, policy, features);
    let kept = kept(question);
    let of = |segment: usize| match (kept, &question.in_force[segment]) {
        (Some(reason), Some(last)) if is_allowed(question, last) => named(question, last, reason),
        _ => named(question, &allocated[segment].allocation, allocated[segment].reason.as_str()),
    };
    match &question.segments {
        None => AllocateAnswer::One(of(0)),
        Some(names) => {
            let named = names.iter().enumerate().map(|(segment, name)| (name.clone(), of(segment)));
            AllocateAnswer::Several { segments: named.collect() }
        }
    }
}

/// What the policy says, by segment.
fn allocated(question: &Question, policy: &Policy, features: Option<&Features>) -> Vec<Allocated> {
    match (features, &question.segments) {
        (Some(features), _) => {
            experiment::allocate_linear(&question.cells, &question.design, policy, features)
        }
        (None, None) => vec![experiment::allocate(&question.cells, &question.design, policy)],
        (None, Some(names)) => {
            let of = |segment| experiment::allocate(&question.in_segment(segment), &question.design, policy);
            (0..names.len()).map(of).collect()
        }
    }
}

/// Why the last shares stay, if they do.
fn kept(question: &Question) -> Option<&'static str> {
    if question.is_open {
        return Some("RoundOpen");
    }
    (!SampleRatio::new(&question.cells).ok).then_some("Unhealthy")
}

/// Whether shares give nothing to a variant that is served no more.
fn is_allowed(question: &Question, shares: &Allocation) -> bool {
    let mut shares = shares.shares().iter().enumerate();
    shares.all(|(arm, share)| share.get() == 0 || question.design.is_candidate(arm))
}

fn named(question: &Question, allocation: &Allocation, reason: &str) -> SegmentAllocation {
    let shares = allocation.shares().iter().map(|share| share.get());
    SegmentAllocation {
        allocation: question.names.iter().cloned().zip(shares).collect(),
        reason: reason.to_owned(),
    }
}
