//! What the writing of a campaign takes while it goes on.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::report::Effort;

/// What a Job that has not ended took so far. Pods go, and with them what they say: budgets are held to what is remembered here.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spending {
    /// When the Job was last let run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Seconds for which it has run since then: whole minutes until it is suspended.
    #[serde(default)]
    pub seconds: i64,
    /// Seconds for which it had run before it was last let run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_seconds: i64,
    /// What pods took that are gone and have no place in `pods` any more, added for each index of the Job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub gone: Vec<Taken>,
    /// What each pod took, by its name, of one that runs up to the last whole minute of the Job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub pods: BTreeMap<String, Taken>,
}

/// What pods of one index took.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// The index in the Job, 0 where it has one pod alone.
    pub index: u32,
    /// Seconds for which they held what they asked for.
    pub held_seconds: i64,
    /// Tokens that they said at their end they had written, also where they were told to end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: i64,
    /// Milliseconds for which they said they had been writing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub milliseconds: i64,
}

impl Taken {
    /// What pods of an index took.
    #[must_use]
    pub fn new(index: u32, held_seconds: u64, effort: Effort) -> Self {
        let Effort { tokens, milliseconds } = effort;
        let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let (held_seconds, tokens, milliseconds) = (whole(held_seconds), whole(tokens), whole(milliseconds));
        Self { index, held_seconds, tokens, milliseconds }
    }

    /// Of each figure the larger one: what was known once stays known.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            index: self.index,
            held_seconds: self.held_seconds.max(other.held_seconds),
            tokens: self.tokens.max(other.tokens),
            milliseconds: self.milliseconds.max(other.milliseconds),
        }
    }

    /// What they said the writing took; nothing where none said it.
    #[must_use]
    pub fn effort(self) -> Option<Effort> {
        let whole = |number| u64::try_from(number).unwrap_or(0);
        let effort = Effort { tokens: whole(self.tokens), milliseconds: whole(self.milliseconds) };
        (effort != Effort::default()).then_some(effort)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The annotation of a worker's campaign that says how many tokens pods before it wrote: [`TokensTaken`] as JSON.
pub const TOKENS_TAKEN: &str = "broadside.dev/tokens-taken";

/// Tokens that ended pods wrote, by their index in the Job.
pub type TokensTaken = BTreeMap<u32, u64>;
