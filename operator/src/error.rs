//! Why a pass failed, by what its reader would do.

use crate::campaign::InvalidSpec;
use crate::ledger::LedgerError;

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec can't be carried out until a person changes it.
    #[error("{0}")]
    Invalid(InvalidSpec),
    /// The API server refused or did not answer; what failed is named.
    #[error("{step} failed")]
    Api {
        /// The step, such as `listing variants`.
        step: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// Sums and table contradict each other.
    #[error("the ledger's totals don't fit the table of placement {placement}")]
    Totals {
        /// The placement.
        placement: String,
        /// Why.
        #[source]
        source: TotalsError,
    },
    /// The pass took too long.
    #[error("the pass took longer than {0} seconds")]
    TimedOut(u64),
}

/// How sums and table contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum TotalsError {
    /// An allocation of the table is none.
    #[error("round {round} has no valid allocation")]
    Allocation {
        /// The round.
        round: u32,
        /// Why.
        #[source]
        source: experiment::AllocationError,
    },
    /// A cell's sums are impossible.
    #[error("round {round}, segment {segment}")]
    Cell {
        /// The round.
        round: u32,
        /// The segment.
        segment: String,
        /// Why.
        #[source]
        source: experiment::CellError,
    },
    /// The sums allow no estimate.
    #[error("no estimate is possible")]
    Estimate(#[source] experiment::EstimateError),
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing, until the object changes.
    OnChange,
    /// Try again, waiting longer each time.
    BackOff,
}

impl Error {
    /// A fixed word for events and metrics.
    pub fn reason(&self) -> api::condition::Reason {
        use api::condition::Reason;
        match self {
            Self::Invalid(_) => Reason::InvalidSpec,
            Self::Api { .. } | Self::TimedOut(_) => Reason::ApiError,
            Self::Totals { .. } => Reason::LedgerInconsistent,
        }
    }

    /// What to do after this failure.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) => Retry::OnChange,
            Self::Api { .. } | Self::Totals { .. } | Self::TimedOut(_) => Retry::BackOff,
        }
    }
}

/// Names the step in a failure of the API server.
pub(crate) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Error>;
}

impl<T> Step<T> for Result<T, kube::Error> {
    fn step(self, step: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Api { step, source: Box::new(source) })
    }
}

impl From<LedgerError> for String {
    fn from(error: LedgerError) -> Self {
        chain(&error)
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
