//! What the worker says at its end, as the termination message of its container.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How a generation went. It stays far below the 4096 bytes that Kubernetes keeps of a termination message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationReport {
    /// Variants asked for, over all placements.
    pub asked: u32,
    /// Variants that exist now.
    pub delivered: u32,
    /// Copy that was thrown away, by the rule that it broke.
    pub rejected: BTreeMap<String, u32>,
}

impl fmt::Display for GenerationReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} delivered", self.delivered, self.asked)?;
        for (rule, count) in &self.rejected {
            write!(formatter, ", {count} rejected by {rule}")?;
        }
        Ok(())
    }
}
