//! A replicated log in place of our own: a stream of [NATS JetStream](https://docs.nats.io/nats-concepts/jetstream).
//!
//! ```text
//!   event ─check─▶ gateway ──┐                                  ┌──▶ ledger: state, log, checkpoints
//!   event ─check─▶ gateway ──┼──▶ stream, on one or more nodes ──┤
//!   event ─check─▶ gateway ──┘         │                        └──▶ made anew, from the first message
//!                                      └─▶ 202 once the stream has it
//! ```
//!
//! Any number of gateways publish; a ledger follows. Its log tells up to which message it is, so it needs no
//! acknowledgement from the stream, counts each message once over every crash, and may be deleted and made anew. Messages
//! are groups of events in the form of the log's [entries](super::log).
//!
//! **Time** is the stream's: an event arrives when the stream takes it. While nothing comes, the stream is asked whether
//! there is more; only then the ledger's time goes on, up to shortly before the question. So windows close after what
//! belongs in them has come, however far the ledger is behind, and a ledger that is made anew has the same sums.
//!
//! **Parts.** Campaigns are dealt into [partitions](api::wire::part), a subject of the stream each. Several ledgers follow
//! one stream, each the subjects of its [part] and all as they would follow alone: none knows of the others.

mod follow;
mod kept;
pub mod part;
mod publish;

use std::path::PathBuf;
use std::time::Duration;

use api::wire::part::Part;
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};

pub use follow::{FollowError, follow};
pub use publish::Publisher;

/// How often a stream is looked for that can't be reached or made.
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// How long the stream may take to answer: longer than it takes its servers to choose another leader, and shorter than
/// senders wait.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);

/// Where the stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The servers, as URLs with commas between them.
    pub servers: String,
    /// The file that names this client, if the servers ask who it is.
    pub credentials: Option<PathBuf>,
    /// The stream's name, which its subjects begin with.
    pub stream: String,
    /// On how many servers it is kept, where it is made by us.
    pub replicas: usize,
}

/// Why the stream can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The credentials can't be read.
    #[error("--nats-credentials: {} can't be read: mount the file that `nsc generate creds` writes", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address is none.
    #[error("--nats: no connection can be made: write nats://HOST:4222, or tls://HOST:4222")]
    Connect(#[source] async_nats::ConnectError),
}

/// The stream, whether it can be reached now or later.
#[derive(Clone, Debug)]
pub struct Connection {
    client: Client,
    place: Place,
}

impl Connection {
    /// Begins to connect, and goes on for as long as the process runs: whoever waits for the stream must not wait here.
    ///
    /// # Errors
    /// When address or credentials can't be used.
    pub async fn open(place: Place) -> Result<Self, StreamError> {
        let mut options = ConnectOptions::new().name("broadside").retry_on_initial_connect();
        if let Some(path) = place.credentials.clone() {
            let read = std::fs::read_to_string(&path).and_then(|text| options.credentials(&text));
            options = read.map_err(|source| StreamError::Credentials { path, source })?;
        }
        let servers: Vec<&str> = place.servers.split(',').map(str::trim).collect();
        let client = options.connect(servers).await.map_err(StreamError::Connect)?;
        Ok(Self { client, place })
    }

    /// The subject of a partition's events.
    fn subject(&self, partition: u32) -> String {
        format!("{}.events.{partition}", self.place.stream)
    }

    /// The subjects of a part; none for all there is, whatever it is named.
    fn subjects(&self, part: Part) -> Vec<String> {
        match part {
            Part::WHOLE => Vec::new(),
            _ => part.partitions().map(|partition| self.subject(partition)).collect(),
        }
    }

    fn jetstream(&self) -> jetstream::Context {
        let mut context = jetstream::new(self.client.clone());
        context.set_timeout(ANSWERED_WITHIN);
        context
    }

    /// The stream; one that is not there is made, and one that is there is left as it is.
    async fn stream(&self) -> stream::Stream {
        let Place { stream: name, replicas, servers: _, credentials: _ } = &self.place;
        let config = stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.events.>")],
            storage: stream::StorageType::File,
            num_replicas: *replicas,
            ..stream::Config::default()
        };
        let mut told = false;
        loop {
            match self.jetstream().get_or_create_stream(config.clone()).await {
                Ok(stream) => return stream,
                Err(error) if !told => {
                    tracing::warn!(%error, name, "the stream is neither there nor can it be made yet");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(TRIED_EVERY).await;
        }
    }
}
