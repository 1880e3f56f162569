//! Whom a campaign leaves out: people of other campaigns, and those that are kept out of all.
//!
//! Both are told by a number between 0 and 1 000 000 that everybody has in each group, made from the group's name and the
//! keyed hash of the subject. So nothing is stored of anybody, and every gateway agrees.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Percent;

/// The name of a group of campaigns of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Group(
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))] pub String,
);

/// The part of a group's people that a campaign takes. No one takes part in two campaigns of a group.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exclusion {
    /// The group, whose campaigns share the people.
    pub group: Group,
    /// Where this campaign's part begins: beside the parts of the group's other campaigns, not on them.
    #[serde(default = "nothing")]
    pub from: Percent,
    /// How many of the people it takes. Everybody else sees the control and is not counted.
    pub share: Percent,
}

fn nothing() -> Percent {
    Percent("0%".to_owned())
}

/// People who are kept out of every campaign that names the group, to show later what all of them together were worth.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdout {
    /// The group: campaigns that name the same one keep out the same people.
    pub group: Group,
    /// How many of the people are kept out. They see the control and are not counted.
    pub share: Percent,
}

/// An exclusion as the gateway needs it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableExclusion {
    /// The group.
    pub group: Group,
    /// The first number of this campaign's people.
    #[schemars(range(max = 999_999))]
    pub from: u32,
    /// How many numbers it takes.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub share: u32,
}

/// A holdout as the gateway needs it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableHoldout {
    /// The group.
    pub group: Group,
    /// How many of its numbers are kept out, from zero.
    #[schemars(range(min = 1, max = 999_999))]
    pub share: u32,
}
