//! People: each comes once, asks, sees, and acts or does not.

use std::sync::Arc;
use std::time::Duration;

use api::wire::decide::{Consent, DecideRequest, DecideResponse, Traffic};
use api::wire::event::{Event, EventKind};
use jiff::Timestamp;
use reqwest::Url;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::counts::{Counts, Trouble};
use super::world::{World, hesitation};

/// Within this part of its window a reward comes, so that none is late.
const PART_OF_WINDOW: f64 = 0.25;
/// And nobody thinks longer than this: a run must end.
const LONGEST_THOUGHT: Duration = Duration::from_secs(10);

/// The longest time between seeing and acting, for a window of that many seconds.
pub(super) fn longest_thought(window_seconds: u32) -> Duration {
    Duration::from_secs_f64(f64::from(window_seconds) * PART_OF_WINDOW).min(LONGEST_THOUGHT)
}

/// What all people of a run have in common.
pub(super) struct Person {
    pub(super) client: reqwest::Client,
    pub(super) decide: Url,
    pub(super) namespace: String,
    pub(super) campaign: String,
    pub(super) placement: String,
    pub(super) segment: Option<String>,
    pub(super) metric: String,
    pub(super) longest_thought: Duration,
    pub(super) run: String,
    pub(super) events: mpsc::Sender<Event>,
}

/// People who come, and those who have not left yet.
pub(super) struct Crowd {
    person: Arc<Person>,
    world: Arc<World>,
    pub(super) counts: Arc<Counts>,
    here: TaskTracker,
}

impl Crowd {
    pub(super) fn new(person: Person, world: Arc<World>, counts: Arc<Counts>) -> Self {
        Self { person: Arc::new(person), world, counts, here: TaskTracker::new() }
    }

    /// People come evenly, whether or not they are served in time, as real ones do; `at_once` of them can ask.
    pub(super) async fn arrive(&self, per_second: f64, at_once: usize, duration: Option<Duration>) {
        let began = Instant::now();
        let seats = Arc::new(Semaphore::new(at_once));
        for number in 0_u64.. {
            let after = Duration::from_secs_f64(number as f64 / per_second);
            if duration.is_some_and(|duration| after >= duration) {
                return;
            }
            tokio::time::sleep_until(began + after).await;
            if seats.available_permits() == 0 {
                self.counts.waited();
            }
            let seat = seats.clone().acquire_owned().await.expect("nobody closes the seats");
            let (person, world, counts) = (self.person.clone(), self.world.clone(), self.counts.clone());
            self.here.spawn(async move {
                let shown = person.ask(number, &counts).await;
                drop(seat);
                if let Some((variant, token)) = shown {
                    person.see(number, &variant, &token, &world, &counts).await;
                }
            });
        }
    }

    /// Waits until those who still think have acted.
    pub(super) async fn leave(self) {
        self.here.close();
        self.here.wait().await;
    }
}

impl Person {
    /// Asks which copy to show; the variant and its token, where the decision counts.
    async fn ask(&self, number: u64, counts: &Counts) -> Option<(String, String)> {
        counts.came();
        match self.decision(number).await {
            Ok(answer) => {
                counts.answered(&answer);
                answer.variant.zip(answer.token)
            }
            Err(trouble) => {
                counts.trouble(trouble);
                None
            }
        }
    }

    async fn decision(&self, number: u64) -> Result<DecideResponse, Trouble> {
        let request = DecideRequest {
            namespace: self.namespace.clone(),
            campaign: self.campaign.clone(),
            placement: Some(self.placement.clone()),
            placements: None,
            subject: Some(format!("{}-{number}", self.run)),
            segment: self.segment.clone(),
            eligible: None,
            consent: Consent::default(),
            traffic: Traffic::default(),
            user_agent: None,
            preview: None,
        };
        let answer = self.client.post(self.decide.clone()).json(&request).send().await;
        let answer = answer.map_err(|_| Trouble::GatewayUnreachable)?;
        if !answer.status().is_success() {
            return Err(Trouble::GatewayRefused);
        }
        answer.json().await.map_err(|_| Trouble::GatewayUnreadable)
    }

    /// Sees the copy, thinks, and acts or does not.
    async fn see(&self, number: u64, variant: &str, token: &str, world: &World, counts: &Counts) {
        self.send(format!("{}-{number}-e", self.run), token, EventKind::Exposure { covariate: None }).await;
        let acts = world.acts(number, variant);
        counts.saw(variant, acts);
        if acts {
            tokio::time::sleep(self.longest_thought.mul_f64(hesitation(&self.run, number))).await;
            let kind = EventKind::Reward { metric: self.metric.clone(), value: None };
            self.send(format!("{}-{number}-r", self.run), token, kind).await;
        }
    }

    async fn send(&self, id: String, token: &str, kind: EventKind) {
        let event = Event { id, token: token.to_owned(), at: Some(Timestamp::now()), kind };
        // The sender takes events until the crowd, which holds this end, is gone.
        self.events.send(event).await.expect("the sender outlives the crowd");
    }
}
