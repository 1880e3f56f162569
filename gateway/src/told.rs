//! Decisions on their way from the half of a process that decides to the half that records: a bounded queue of tokens, which
//! nobody ever waits for.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

/// How many tokens wait at most: at some 400 bytes each four megabytes, and a tenth of a second of the most that a process
/// decides.
const QUEUE_LIMIT: usize = 10_000;

/// Where decisions are told. Clone it freely.
#[derive(Clone, Debug)]
pub struct Told {
    queue: mpsc::Sender<String>,
    lost: Counter,
}

/// What was told.
#[derive(Debug)]
pub struct Tokens {
    queue: mpsc::Receiver<String>,
    counted: Family<Labels, Counter>,
}

/// What became of a decision that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Recorded {
    /// It is on record.
    Recorded,
    /// The person's decision was on record before, or the person has seen the copy.
    Repeated,
    /// It may be on no record, for want of room, time or disk.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Recorded,
}

/// The two ends of a queue.
pub fn queue(registry: &mut Registry) -> (Told, Tokens) {
    let (sender, receiver) = mpsc::channel(QUEUE_LIMIT);
    let counted = Family::<Labels, Counter>::default();
    let help = "Decisions that were to be recorded, by what became of them";
    registry.register("broadside_decisions_told", help, counted.clone());
    let lost = counted.get_or_create_owned(&Labels { outcome: Recorded::Lost });
    (Told { queue: sender, lost }, Tokens { queue: receiver, counted })
}

impl Told {
    /// Tells a decision by its token. What finds no room is lost: whether it does depends on no variant.
    pub fn tell(&self, token: &str) {
        // The other end is there for as long as this one is.
        if self.queue.try_send(token.to_owned()).is_err() {
            self.lost.inc();
        }
    }
}

impl Tokens {
    /// Waits for some, and hands over so many at most; none once nobody can tell any more.
    pub async fn next(&mut self, most: usize) -> Vec<String> {
        let mut tokens = Vec::new();
        self.queue.recv_many(&mut tokens, most).await;
        tokens
    }

    /// Counts what became of some.
    pub fn count(&self, outcome: Recorded, number: usize) {
        self.counted.get_or_create(&Labels { outcome }).inc_by(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_queue_that_nobody_reads_and_what_it_has_no_room_for_is_counted() {
        let mut registry = Registry::default();
        let (told, mut tokens) = queue(&mut registry);
        (0..QUEUE_LIMIT + 3).for_each(|token| told.tell(&token.to_string()));
        assert_eq!(told.lost.get(), 3);
        drop(told);
        assert_eq!(
            (tokens.next(500).await.len(), tokens.next(usize::MAX).await.len()),
            (500, QUEUE_LIMIT - 500)
        );
        assert!(tokens.next(1).await.is_empty(), "nobody tells any more");
    }
}
