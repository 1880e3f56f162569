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
    /// What the pass knew is of yesterday: somebody else, or an earlier pass, wrote meanwhile.
    #[error("the table has changed since it was read")]
    Outdated,
    /// The pass took too long.
    #[error("the pass took longer than {0} seconds")]
    TimedOut(u64),
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
            Self::Api { .. } | Self::Outdated | Self::TimedOut(_) => Reason::ApiError,
        }
    }

    /// What to do after this failure.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Invalid(_) => Retry::OnChange,
            Self::Api { .. } | Self::Outdated | Self::TimedOut(_) => Retry::BackOff,
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
