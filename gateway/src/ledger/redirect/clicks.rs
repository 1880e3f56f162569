//! Clicks on their way to the ledger: as few as there are people, and never in the way of events.
//!
//! Anyone may follow a link as often as they like, so nobody is turned away, and what is bounded is what a click costs. One
//! that is on record is not recorded again, and few are under way at once. One that finds no room, or waits too long, is
//! lost: nobody was told that it is on record, and the person goes on.

use std::sync::Mutex;
use std::time::Duration;

use api::wire::event::Outcome;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::ledger::known::Known;
use crate::ledger::unit::Receipt;
use crate::ledger::writer::LedgerError;

/// How many clicks are under way to the ledger at most: a hundredth of its queue, so that events find room. At the ten
/// milliseconds of a slow disk that is twenty thousand a second.
const AT_ONCE: usize = 200;

/// How long a person waits for the record at most. A disk takes milliseconds; a stream without a leader takes seconds, and
/// has the click all the same once it took it.
const WAITS: Duration = Duration::from_millis(500);

/// Takes clicks in.
#[derive(Debug)]
pub(in crate::ledger) struct Clicks {
    room: Semaphore,
    known: Mutex<Known>,
    counted: Family<Labels, Counter>,
}

/// What became of a link that somebody followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Followed {
    /// Its click is on record.
    Recorded,
    /// Its click was on record before.
    Repeated,
    /// Its click may be on no record, for want of room, time or disk.
    Lost,
    /// Nothing of it counts: it was a program's, or somebody's who is not to be counted.
    Uncounted,
    /// It leads nowhere.
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Followed,
}

impl Clicks {
    pub(in crate::ledger) fn new(registry: &mut Registry) -> Self {
        let counted = Family::<Labels, Counter>::default();
        let help = "Links that were followed, by what became of their click";
        registry.register("broadside_links_followed", help, counted.clone());
        Self { room: Semaphore::new(AT_ONCE), known: Mutex::default(), counted }
    }

    /// Has the click of a link recorded, unless it is known to be, and says what became of it. `record` is begun only where
    /// there is room for it.
    pub(super) async fn take(
        &self,
        token: &str,
        record: impl Future<Output = Result<Receipt, LedgerError>>,
    ) -> Followed {
        if self.known().holds(token) {
            return Followed::Repeated;
        }
        let Ok(_room) = self.room.try_acquire() else { return Followed::Lost };
        let Ok(Ok(receipt)) = tokio::time::timeout(WAITS, record).await else { return Followed::Lost };
        let followed = match receipt.outcome {
            Outcome::Accepted => Followed::Recorded,
            Outcome::Duplicate => Followed::Repeated,
            Outcome::Late | Outcome::Unknown | Outcome::Invalid => return Followed::Uncounted,
        };
        self.known().add(token);
        followed
    }

    /// Counts what became of a link.
    pub(super) fn count(&self, followed: Followed) {
        self.counted.get_or_create(&Labels { outcome: followed }).inc();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics with it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::{join_all, pending, ready};

    fn clicks() -> Clicks {
        Clicks::new(&mut Registry::default())
    }

    fn told(outcome: Outcome) -> Result<Receipt, LedgerError> {
        Ok(Receipt::of(outcome))
    }

    #[tokio::test]
    async fn what_is_on_record_is_not_recorded_again_and_all_else_is_tried_again() {
        let clicks = clicks();
        let take = |answer| clicks.take("a", ready(answer));
        for error in [LedgerError::Busy, LedgerError::Full, LedgerError::Unreachable, LedgerError::Stopping] {
            assert_eq!(take(Err(error)).await, Followed::Lost);
        }
        assert_eq!(take(told(Outcome::Invalid)).await, Followed::Uncounted);
        assert_eq!(take(told(Outcome::Accepted)).await, Followed::Recorded);
        let never = async { panic!("it is known") };
        assert_eq!(clicks.take("a", never).await, Followed::Repeated);
        assert_eq!(clicks.take("b", ready(told(Outcome::Duplicate))).await, Followed::Repeated);
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_waits_no_longer_than_half_a_second_and_few_wait_at_once() {
        let clicks = clicks();
        let begin = tokio::time::Instant::now();
        let links: Vec<String> = (0..AT_ONCE + 1).map(|link| link.to_string()).collect();
        let followed = join_all(links.iter().map(|link| clicks.take(link, pending()))).await;
        assert!(followed.iter().all(|followed| *followed == Followed::Lost));
        assert_eq!(begin.elapsed(), WAITS);
        let waiting = join_all(links.iter().take(AT_ONCE).map(|link| clicks.take(link, pending())));
        let one_more = async { clicks.take("one more", ready(told(Outcome::Accepted))).await };
        assert_eq!(futures::join!(waiting, one_more).1, Followed::Lost);
        assert_eq!(clicks.take("later", ready(told(Outcome::Accepted))).await, Followed::Recorded);
    }
}
