//! Drafts from an engine elsewhere that speaks the OpenAI-compatible chat API: vLLM, KServe, Ray Serve, llama.cpp's
//! server.
//!
//! ```text
//! tasks ─▶ messages, schema ─▶ POST /v1/chat/completions, so many at once ─▶ answer ─▶ draft
//!              ▲                  │ 429, 5xx, cut off: wait, again
//!              └── less asked ◀───┘ what the server does not offer
//! ```
//!
//! Every draft is one request: the prompts of two variants differ in what each is told, so `n` answers to one of them
//! would be n times the same variant. Engines batch requests by themselves and read a common beginning once.
//!
//! What comes back is never trusted: an answer that is no use becomes an empty draft, which the rules refuse and which
//! is written again like any other.

mod access;
mod answer;
mod client;
mod patience;
mod request;
mod schema;

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Drawing;
use api::model_secret::endpoint::{CA, KEY, URL};
use api::name::hex;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Notify};
use tracing::{debug, info};

pub use self::access::{Access, AccessError};
pub use self::patience::Patience;

use self::answer::Completion;
use self::client::{Client, Fault};
use self::request::{Form, Messages, Offer, Request, most_tokens};
use crate::author::{Author, AuthorError, Done};
use crate::draft::{Draft, Task};
use crate::message;
use crate::meter::{Meter, Room};

/// How drafts are asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: String,
    /// The most requests that are under way at once.
    pub concurrency: NonZeroUsize,
    /// Divides the logits; without it, what the endpoint holds right.
    pub temperature: Option<f64>,
    /// Share of probability that is kept; without it, what the endpoint holds right.
    pub top_p: Option<f64>,
    /// How long is waited for what.
    pub patience: Patience,
}

/// An engine elsewhere, as an author.
pub struct Endpoint {
    runtime: Runtime,
    client: Client,
    settings: Settings,
    digest: String,
    /// How many tokens may be written.
    pub meter: Arc<Meter>,
    /// Held by the draft that is next to find room.
    turn: Mutex<()>,
    /// Told whenever room was given back.
    settled: Notify,
    /// What the server was found to take; it is asked for less, never for more again.
    offer: Cell<Offer>,
    /// Whether it has ever answered as an endpoint does.
    is_known: Cell<bool>,
}

/// How often it is looked whether a Secret has another key.
const LOOK_AT_KEY: Duration = Duration::from_millis(200);

/// Why an endpoint wrote no more.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No thread for the connections.
    #[error("connections can't be prepared")]
    Runtime(#[source] std::io::Error),
    /// No client.
    #[error("no connection can be prepared: look at {CA}, where there is one")]
    Client(#[source] reqwest::Error),
    /// It was asked again and again.
    #[error(
        "the endpoint did not answer (tries: {tries}): see that it runs, or ask for less at once with --endpoint-concurrency"
    )]
    Unavailable {
        /// How often it was asked.
        tries: u32,
        /// What came of the last one.
        #[source]
        source: Passing,
    },
    /// It wants another key, or one at all.
    #[error("the endpoint refuses the key ({status}: {said}): correct {KEY}")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// What it said.
        said: String,
    },
    /// It wants another key, and the Secret has another one by now.
    #[error("the endpoint's key was changed while copy was written: the next pod has the new one")]
    NewKey,
    /// It serves other models.
    #[error("the endpoint has no model {model:?}: name one of {offered} in the AdModel")]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// What it says that it offers.
        offered: String,
    },
    /// It knows no such address.
    #[error("the endpoint has no {url} ({said}): correct {URL}, or the model's name")]
    NotFound {
        /// What was asked for.
        url: String,
        /// What it said.
        said: String,
    },
    /// It sends us elsewhere. Whoever follows hands brief and key to an address that nobody wrote down.
    #[error(
        "the endpoint sends us on to {to:?}, which is not followed: write the address that answers under {URL}"
    )]
    Redirected {
        /// Where to.
        to: String,
    },
    /// It finds fault with the request itself.
    #[error(
        "the endpoint refuses the request ({status}: {said}): offer a model that takes it, or shorten the brief"
    )]
    Refused {
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// What answers is no chat endpoint, and has never answered as one.
    #[error("what answers is no OpenAI-compatible endpoint ({what}): correct {URL}")]
    NotAnEndpoint {
        /// What is wrong with its answer.
        what: &'static str,
    },
}

/// What may go well another time.
#[derive(Debug, thiserror::Error)]
pub enum Passing {
    /// No answer, or half of one.
    #[error("the connection failed; where TLS is refused, {CA} must hold the endpoint's authority")]
    Connection(#[from] reqwest::Error),
    /// It is overloaded, or broken.
    #[error("it answered {status}: {said}")]
    Status {
        /// 408, 425, 429 or 5xx.
        status: u16,
        /// What it said.
        said: String,
    },
    /// An engine that has answered as one before does not now, as where a proxy before it shows a page of its own.
    #[error("{what}, unlike those before it: see what stands between the worker and the engine")]
    Odd {
        /// What is wrong with its answer.
        what: &'static str,
    },
}

impl Passing {
    /// Whether an engine may have written, though nothing of it arrived: one that never heard of the request, or turned it away
    /// for want of time, has not.
    fn may_have_written(&self) -> bool {
        match self {
            Self::Connection(error) => !error.is_connect(),
            Self::Status { status, .. } => *status >= 500 && *status != 503,
            Self::Odd { .. } => true,
        }
    }
}

impl EndpointError {
    /// Whether the same inputs would fail again.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Runtime(_) | Self::Unavailable { .. } | Self::NewKey)
    }
}

impl Endpoint {
    /// Prepares connections; nothing is sent yet.
    ///
    /// # Errors
    /// When this machine has no thread, or the authority in the Secret can't be trusted.
    pub fn new(access: Access, settings: Settings) -> Result<Self, EndpointError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(EndpointError::Runtime)?;
        let client = Client::new(access, &settings.patience).map_err(EndpointError::Client)?;
        let digest = format!("endpoint:{}", settings.model);
        let (offer, is_known) = (Cell::new(Offer::everything()), Cell::new(false));
        Ok(Self {
            runtime,
            client,
            settings,
            digest,
            meter: Arc::default(),
            turn: Mutex::new(()),
            settled: Notify::new(),
            offer,
            is_known,
        })
    }

    /// Room for so many tokens. It is waited for where others write, since most take less than they may; nothing once there is none.
    async fn room(&self, tokens: u64) -> Option<Room<'_>> {
        // In the order of drafts: behind one that finds no room none is judged.
        let _turn = self.turn.lock().await;
        loop {
            match self.meter.reserve(tokens) {
                None if !self.meter.is_used_up() => self.settled.notified().await,
                room => return room,
            }
        }
    }

    /// What an engine does not tell may have been as much as it was allowed, and a budget is to hold.
    fn settle(&self, room: Room<'_>, told: Option<u64>) {
        match told {
            Some(tokens) => room.settle(tokens),
            None => drop(room),
        }
        self.settled.notify_waiters();
    }

    /// Asks until there is an answer, no hope of one, or no room for the longest: then nothing is written.
    async fn draft(&self, mut task: Task<'_>) -> Result<Option<Draft>, EndpointError> {
        let user = message::user(&task);
        // Engines take 32 bits; half of them, since some take them as signed.
        let seed = task.random.below(1 << 31);
        let first = self.offer.get();
        let most = most_tokens(task.format, first) as u64;
        let Some(mut room) = self.room(most).await else { return Ok(None) };
        let (started, mut tries) = (Instant::now(), 0);
        loop {
            let offer = Offer { thinking: first.thinking, ..self.offer.get() };
            let messages = Messages::new(message::SYSTEM, &user);
            let request = Request::new(&self.settings, messages, task.format, seed, offer);
            tries += 1;
            match self.client.complete(&request).await.map_err(|fault| self.weighed(fault)) {
                Ok(completion) => {
                    self.settle(room, completion.tokens().map(u64::from));
                    return Ok(Some(self.read(completion, offer.form, &task, &user)));
                }
                Err(Fault::Refused { status, said }) => {
                    if let Err(error) = self.ask_less(offer, status, said) {
                        self.settle(room, Some(0));
                        return Err(error);
                    }
                }
                Err(Fault::Passing { source, retry_after }) => {
                    let dice = task.random.unit();
                    let wait = self.settings.patience.wait(tries, started.elapsed(), retry_after, dice);
                    let wait = wait.ok_or(tries);
                    let Some(another) = self.again(room, most, wait, source).await? else { return Ok(None) };
                    room = another;
                }
                Err(Fault::Odd { what }) => return Err(EndpointError::NotAnEndpoint { what }),
                Err(Fault::Lasting(error)) => {
                    self.settle(room, Some(0));
                    return Err(self.with_key(error).await);
                }
            }
        }
    }

    /// Waits, and gives the room for the next try; nothing where there is none any more. Where there is none to wait for, it says how
    /// often it was tried.
    async fn again<'m>(
        &'m self,
        room: Room<'m>,
        most: u64,
        wait: Result<Duration, u32>,
        source: Passing,
    ) -> Result<Option<Room<'m>>, EndpointError> {
        let is_lost = source.may_have_written();
        match wait {
            Err(tries) => {
                self.settle(room, (!is_lost).then_some(0));
                Err(EndpointError::Unavailable { tries, source })
            }
            Ok(wait) => {
                debug!(?wait, %source, "endpoint is asked again");
                let room = if is_lost { self.another(room, most).await } else { Some(room) };
                tokio::time::sleep(wait).await;
                Ok(room)
            }
        }
    }

    /// Room for another try, where what the last one had room for may be written.
    async fn another<'m>(&'m self, lost: Room<'m>, tokens: u64) -> Option<Room<'m>> {
        // Where there is room at once, before others: a draft that comes later would not be judged without this one.
        drop(lost);
        let room = self.meter.reserve(tokens);
        self.settled.notify_waiters();
        match room {
            Some(room) => Some(room),
            None => self.room(tokens).await,
        }
    }

    /// A key that is refused may have been changed, and then the next pod has another.
    async fn with_key(&self, error: EndpointError) -> EndpointError {
        match error {
            EndpointError::Unauthorized { .. } if self.is_another_key_there().await => EndpointError::NewKey,
            error => error,
        }
    }

    /// Whether the key that is refused was changed: whoever changes one may revoke the old one before the new one is mounted, so
    /// that is waited for where the old one was good.
    async fn is_another_key_there(&self) -> bool {
        let waits = if self.is_known.get() { self.settings.patience.key } else { Duration::ZERO };
        let until = Instant::now() + waits;
        while !self.client.key_has_changed() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK_AT_KEY).await;
        }
        true
    }

    /// An odd answer says that the address is wrong only as long as none was right.
    fn weighed(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Odd { what } if self.is_known.get() => {
                Fault::Passing { source: Passing::Odd { what }, retry_after: None }
            }
            fault => fault,
        }
    }

    fn read(&self, completion: Completion, form: Form, task: &Task<'_>, user: &str) -> Draft {
        self.is_known.set(true);
        let offer = self.offer.get();
        if completion.thought_too_long() && !offer.thinking {
            info!("the model thinks before it answers and is given room for it");
            self.offer.set(Offer { thinking: true, ..offer });
        }
        let mut draft = completion.into_draft(task.format, form);
        draft.trace.prompt_digest = prompt_digest(user);
        draft
    }

    /// Leaves out what the server does not offer, once for all requests; those that were under way with more come here
    /// too, and only have to go again.
    fn ask_less(&self, sent: Offer, status: u16, said: String) -> Result<(), EndpointError> {
        // Room to think is nothing that a server turns down.
        let sent = Offer { thinking: self.offer.get().thinking, ..sent };
        if self.offer.get() == sent {
            let less = sent.without(&said).ok_or(EndpointError::Refused { status, said })?;
            info!(form = less.form.name(), logprobs = less.logprobs, "the endpoint is asked for less");
            self.offer.set(less);
        }
        Ok(())
    }
}

impl Author for Endpoint {
    fn model_digest(&self) -> &str {
        &self.digest
    }

    /// The engine's name for the model stands for its adapter too.
    fn adapter_digest(&self) -> Option<&str> {
        None
    }

    /// An engine elsewhere keeps its weights as it likes.
    fn quantization(&self) -> Option<&str> {
        None
    }

    /// It may cut and penalize beside what it was asked for.
    fn drawing(&self) -> Option<Drawing> {
        None
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn prompt_digest(&self, task: &Task<'_>) -> Result<String, AuthorError> {
        Ok(prompt_digest(&message::user(task)))
    }

    fn write(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError> {
        let has_room = Cell::new(true);
        let has_room = &has_room;
        let drafts = tasks.into_iter().enumerate().map(|(place, task)| async move {
            // Drafts are judged in their order: behind one that was left out none could be.
            let draft = if has_room.get() { self.draft(task).await? } else { None };
            has_room.set(has_room.get() && draft.is_some());
            Ok::<_, EndpointError>(draft.map(|draft| (place, draft)))
        });
        let mut drafts = pin!(stream::iter(drafts).buffer_unordered(self.settings.concurrency.get()));
        // `done` is called between two turns of the runtime, not within one: a destination may have a runtime of its
        // own, and none starts within another. Meanwhile answers wait in the system's buffers.
        while let Some(written) = self.runtime.block_on(drafts.next()) {
            let Some((place, draft)) = written? else { continue };
            if done(place, draft).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// SHA-256 of system and user message, each with its length before it.
fn prompt_digest(user: &str) -> String {
    let mut hash = Sha256::new();
    for text in [message::SYSTEM, user] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(&hash.finalize())
}
