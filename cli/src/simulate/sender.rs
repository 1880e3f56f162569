//! Events on their way to the ledger: in batches, again and again until they are acknowledged.

use std::sync::Arc;
use std::time::Duration;

use api::wire::event::{Event, EventsRequest, EventsResponse};
use reqwest::Url;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::counts::{Counts, Trouble};

/// Events in one request: half of what the ledger takes, and well below its size limit.
const BATCH: usize = 500;
/// How long events gather before they are sent: a batch costs the ledger one write to disk, however large it is.
const GATHER: Duration = Duration::from_millis(50);
/// Requests under way at once.
const AT_ONCE: usize = 4;
/// How often a batch is sent before it is given up; with the pauses below, about half a minute.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Events that wait for a batch; beyond it people wait, so memory stays bounded.
const WAITING: usize = 10_000;

/// Sends events in the background.
pub(super) struct Sender {
    inbox: mpsc::Sender<Event>,
    task: JoinHandle<()>,
}

impl Sender {
    pub(super) fn start(client: reqwest::Client, events: Url, counts: Arc<Counts>) -> Self {
        let (inbox, waiting) = mpsc::channel(WAITING);
        let post = Post { client, events, counts };
        Self { inbox, task: tokio::spawn(post.all(waiting)) }
    }

    /// Where events go.
    pub(super) fn inbox(&self) -> mpsc::Sender<Event> {
        self.inbox.clone()
    }

    /// Waits until all events were acknowledged or given up; every other inbox must be gone.
    pub(super) async fn finish(self) {
        drop(self.inbox);
        self.task.await.expect("the sender does not panic");
    }
}

#[derive(Clone)]
struct Post {
    client: reqwest::Client,
    events: Url,
    counts: Arc<Counts>,
}

impl Post {
    async fn all(self, mut waiting: mpsc::Receiver<Event>) {
        let (under_way, lines) = (TaskTracker::new(), Arc::new(Semaphore::new(AT_ONCE)));
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            let line = lines.clone().acquire_owned().await.expect("nobody closes the lines");
            let (post, events) = (self.clone(), EventsRequest { events: std::mem::take(&mut batch) });
            under_way.spawn(async move {
                post.until_acknowledged(events).await;
                drop(line);
            });
            tokio::time::sleep(GATHER).await;
        }
        under_way.close();
        under_way.wait().await;
    }

    /// The same events under the same ids: what arrived before counts once.
    async fn until_acknowledged(&self, events: EventsRequest) {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            match self.once(&events).await {
                Ok(response) => return self.counts.acknowledged(&events, &response),
                Err(trouble) => self.counts.trouble(trouble),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.counts.lost(events.events.len());
    }

    async fn once(&self, events: &EventsRequest) -> Result<EventsResponse, Trouble> {
        let answer = self.client.post(self.events.clone()).json(events).send().await;
        let answer = answer.map_err(|_| Trouble::LedgerUnreachable)?;
        if !answer.status().is_success() {
            return Err(Trouble::LedgerRefused);
        }
        answer.json().await.map_err(|_| Trouble::LedgerUnreadable)
    }
}
