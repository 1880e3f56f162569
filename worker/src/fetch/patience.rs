//! How often, and how long apart, something is tried again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

use super::FetchError;
use crate::backoff::Backoff;
use crate::random::Random;

/// How often, and how long apart, something is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in a row that bring nothing.
    pub tries: u32,
    /// Tries in all, those among them that brought something.
    pub tries_in_all: u32,
    /// Between two tries.
    pub backoff: Backoff,
}

impl Default for Patience {
    /// Two minutes at most for nothing: longer, and a pod that starts anew is the better try. A line that is cut a
    /// thousand times while one file comes is not worth a pod that waits: the next goes on from there.
    fn default() -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
        Self { tries: 8, tries_in_all: 1_000, backoff }
    }
}

/// A server that asks for a longer pause is not waited for: the Job has a pause of its own.
const LONGEST_ASKED: Duration = Duration::from_secs(120);

/// One try that failed.
pub(super) enum Trouble {
    /// Another would fail too.
    Final(FetchError),
    /// Another may go well.
    Again {
        /// What is said if it was the last.
        error: FetchError,
        /// The pause that the server asks for.
        after: Option<Duration>,
        /// Whether the try brought something, so that the next goes on from there.
        effect: Effect,
    },
}

/// What a failed try brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Nothing,
    /// Bytes that no try before it had brought.
    Progress,
}

impl Trouble {
    /// A failed try that brought nothing.
    pub(super) fn again(error: FetchError, after: Option<Duration>) -> Self {
        Self::Again { error, after, effect: Effect::Nothing }
    }

    /// The same of a try that brought something else.
    pub(super) fn with(self, effect: Effect) -> Self {
        match self {
            Self::Again { error, after, effect: _ } => Self::Again { error, after, effect },
            lasting => lasting,
        }
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl Patience {
    /// Tries until it goes well, must fail, has brought nothing too often, or has been tried too often.
    pub(super) async fn during<T>(
        self,
        mut attempt: impl AsyncFnMut() -> Result<T, Trouble>,
    ) -> Result<T, FetchError> {
        let mut random = Random::from_seed(seed());
        let (mut failed, mut tried) = (0, 0);
        loop {
            tried += 1;
            let (error, after) = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again { error, after, effect }) => {
                    failed = if effect == Effect::Progress { 1 } else { failed + 1 };
                    (error, after)
                }
            };
            let is_enough = failed >= self.tries || tried >= self.tries_in_all;
            if is_enough || after.is_some_and(|after| after > LONGEST_ASKED) {
                return Err(error);
            }
            let pause = self.backoff.wait(failed, after, random.unit());
            warn!(%error, pause_seconds = pause.as_secs_f64(), "trying again");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Another for each pod and moment.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 32 | u64::from(std::process::id())
}
