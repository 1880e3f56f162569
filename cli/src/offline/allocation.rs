//! The answer of `allocate`.

use std::collections::BTreeMap;

use experiment::{Allocated, Cell, Policy};
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
        /// Each segment's allocation, from its own totals.
        segments: BTreeMap<String, SegmentAllocation>,
    },
}

/// Shares, and what made them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SegmentAllocation {
    /// The share of each variant in parts per million, which sum to 1000000; retired variants have 0.
    pub allocation: BTreeMap<String, u32>,
    /// `Exploring` while some variant has too few exposures to move shares, else the policy's type.
    pub reason: String,
}

pub(super) fn answer(question: &Question, policy: &Policy) -> AllocateAnswer {
    let allocate = |cells: &[Cell]| named(question, &experiment::allocate(cells, &question.design, policy));
    match &question.segments {
        None => AllocateAnswer::One(allocate(&question.cells)),
        Some(names) => {
            let of =
                |(segment, name): (usize, &String)| (name.clone(), allocate(&question.in_segment(segment)));
            AllocateAnswer::Several { segments: names.iter().enumerate().map(of).collect() }
        }
    }
}

fn named(question: &Question, allocated: &Allocated) -> SegmentAllocation {
    let shares = allocated.allocation.shares().iter().map(|share| share.get());
    SegmentAllocation {
        allocation: question.names.iter().cloned().zip(shares).collect(),
        reason: allocated.reason.as_str().to_owned(),
    }
}
