//! What can be wrong with a log, or with a policy that is scored on it.

use experiment::replay::RowError;

/// What can be wrong with a log or a policy. Each problem ends with a remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayProblem {
    /// Nothing to read.
    #[error("there is no line: write one object for each decision, as docs/replay.md shows")]
    Empty,
    /// Nothing of what was asked for.
    #[error("no line has the {what} {wanted:?}: use one of {known}")]
    NotThere {
        /// `placement` or `campaign`.
        what: &'static str,
        /// The one that was asked for.
        wanted: String,
        /// Those that there are.
        known: String,
    },
    /// Two experiments in one log.
    #[error(
        "is {found:?}, and was {first:?} before: they are experiments of their own; add --{what} {first}"
    )]
    Second {
        /// `placement` or `campaign`.
        what: &'static str,
        /// What this line has.
        found: String,
        /// What the first line had.
        first: String,
    },
    /// What has no chance is never drawn.
    #[error("is {0}: write the chance with which the variant was drawn, above 0 and at most 1")]
    Probability(f64),
    /// Less than nothing.
    #[error("is {0}: write what the decision brought, 0 or more")]
    Reward(f64),
    /// Somebody would be shown nothing, or two variants.
    #[error("has chances that sum to {0}; they must lie from 0 to 1 and sum to 1: mend them")]
    Evaluation(f64),
    /// The policy's own chances are missing.
    #[error("is missing: --evaluation scores the chances that stand in each line; add them")]
    NoEvaluation,
    /// More than memory holds.
    #[error("makes more than 20000 rounds × segments × contexts × variants: replay fewer rounds at a time")]
    TooMany,

    /// Neither YAML nor JSON.
    #[error("this is no YAML: {0}; mend it there")]
    NotYaml(String),
    /// No policy at all.
    #[error("is empty: write the share of each variant for each segment, as docs/replay.md shows")]
    NoPolicy,
    /// A text without an equals sign.
    #[error("{0:?} is no share: write it like control=20%,warm=80%")]
    NotAShare(String),
    /// The same variant again.
    #[error("{0:?} stands there twice: remove one")]
    Twice(String),
    /// Something that is no percentage.
    #[error("is {0}, and must be a share such as 20%")]
    NotAPercentage(String),
    /// Something that has no shares.
    #[error("is {0}, and must be shares such as {{control: 20%, warm: 80%}}")]
    NotShares(String),
    /// Somebody would be shown nothing, or two variants.
    #[error("sums to {0}, and must sum to 100%: mend the shares")]
    Shares(String),
    /// A segment or a context that the policy does not speak of.
    #[error("{found:?} is not in the policy, which knows {known}: add it there")]
    NotInPolicy {
        /// What the line has.
        found: String,
        /// What the policy has.
        known: String,
    },
    /// Nobody was ever shown it.
    #[error("no line has the variant {variant:?}, so nothing is known of it: use one of {known}")]
    NeverShown {
        /// The variant.
        variant: String,
        /// Those that there are.
        known: String,
    },
    /// It had no chance where the policy would show it.
    #[error(
        "{variant:?} never had a chance in {place} in a round in which all that the policy shows had one, so what it brings there can't be told: give it no share there"
    )]
    NoOverlap {
        /// The variant.
        variant: String,
        /// `segment new`.
        place: String,
    },
    /// No confidence.
    #[error("{0} can't be promised: write at least 50% and less than 100%")]
    Confidence(String),
}

impl From<RowError> for ReplayProblem {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Probability(probability) => Self::Probability(probability),
            RowError::Reward(reward) => Self::Reward(reward),
            RowError::Policy(sum) => Self::Evaluation(sum),
            RowError::TooMany => Self::TooMany,
        }
    }
}
