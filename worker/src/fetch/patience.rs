//! How often, and how long apart, something is tried again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

use super::FetchError;
use crate::random::Random;

/// How often, and how long apart, something is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in a row that bring nothing.
    pub tries: u32,
    /// The pause after the first.
    pub first: Duration,
    /// No pause is longer, unless the server asks for it.
    pub longest: Duration,
}

impl Default for Patience {
    /// About two minutes in all: longer, and a pod that starts anew is the better try.
    fn default() -> Self {
        Self { tries: 8, first: Duration::from_secs(1), longest: Duration::from_secs(30) }
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
    /// Bytes that need not come again. A file has only so many, so this ends.
    Progress,
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl Patience {
    /// Tries until it goes well, must fail, or has brought nothing too often.
    pub(super) async fn during<T>(
        self,
        mut attempt: impl AsyncFnMut() -> Result<T, Trouble>,
    ) -> Result<T, FetchError> {
        let mut random = Random::from_seed(seed());
        let mut failed = 0;
        loop {
            let (error, after) = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again { error, after, effect }) => {
                    failed = if effect == Effect::Progress { 1 } else { failed + 1 };
                    (error, after)
                }
            };
            if failed >= self.tries || after.is_some_and(|after| after > LONGEST_ASKED) {
                return Err(error);
            }
            let pause = self.pause(failed, after, random.unit());
            warn!(%error, pause_seconds = pause.as_secs_f64(), "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Twice as long each time; between half of that and all of it, so that pods that failed together do not come back
    /// together.
    fn pause(self, failed: u32, after: Option<Duration>, unit: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        let pause = doubled.min(self.longest).mul_f64(0.5 + unit / 2.0);
        pause.max(after.unwrap_or_default())
    }
}

/// Another for each pod and moment.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 32 | u64::from(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_scatter() {
        let seconds = |failed, after: Option<u64>, unit| {
            Patience::default().pause(failed, after.map(Duration::from_secs), unit).as_secs_f64()
        };
        for (failed, after, unit, expected) in [
            (1, None, 0.0, 0.5),
            (1, None, 1.0, 1.0),
            (3, None, 1.0, 4.0),
            (9, None, 1.0, 30.0),
            (u32::MAX, None, 0.5, 22.5),
            (1, Some(60), 0.0, 60.0),
            (9, Some(1), 1.0, 30.0),
        ] {
            assert_eq!(seconds(failed, after, unit), expected, "{failed} {after:?} {unit}");
        }
    }
}
