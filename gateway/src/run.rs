//! A role from its configuration to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use crate::args::{Config, Recording, Role, Source};
use crate::clock::{Clock, SystemClock};
use crate::decide::{self, DecideState};
use crate::key::{KeyFileError, KeyFiles, Keyring};
use crate::ledger::store::{Bounds, Store, StoreError};
use crate::ledger::{self, Ledger, LedgerState};
use crate::serve;
use crate::tables::{Keeper, Tables, cluster, folder};

/// Why a role ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is no way to the API server.
    #[error(
        "the API server's address and account can't be found: run in a pod, set KUBECONFIG, or use --tables DIR"
    )]
    Cluster(#[source] Box<kube::Error>),
    /// The address can't be used.
    #[error("{address} can't be listened on: choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The ledger's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task of ours ended.
    #[error("{0} ended: this is a fault of ours")]
    Task(&'static str),
    /// The network or the signals failed.
    #[error("the network or the signals of this machine failed")]
    System(#[from] std::io::Error),
}

/// Runs a role until SIGTERM or SIGINT.
///
/// # Errors
/// When it can't start, or can't go on: then the process should end and start anew.
pub async fn run(config: Config) -> Result<(), RunError> {
    tracing::info!(?config, "starting");
    let Config { role, listen, source, key_file, origins } = config;
    let keyring = keys(&key_file)?;
    let mut registry = Registry::default();
    let (keeper, tables) = Keeper::new(&mut registry);
    let follower = follow(source, keeper).await?;
    let mut parts = Parts { tables, keyring, clock: Arc::new(SystemClock), registry };
    let decides = match role {
        Role::Decide | Role::All(_) => parts.decides(),
        Role::Ledger(_) => Router::new(),
    };
    let (router, ledger, writer) = match &role {
        Role::Decide => (decides, None, None),
        Role::Ledger(recording) | Role::All(recording) => {
            let (records, ledger, writer) = parts.records(recording).await?;
            (decides.merge(records), Some(ledger), Some(writer))
        }
    };
    let router = origins.let_in(router).merge(parts.operations(ledger));
    until_ended(listen, router, follower, writer).await
}

/// What every role is made of.
struct Parts {
    tables: Tables,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    registry: Registry,
}

impl Parts {
    fn decides(&mut self) -> Router {
        let Self { tables, keyring, clock, registry } = self;
        decide::router(DecideState::new(tables.clone(), keyring.clone(), Arc::clone(clock), registry))
    }

    async fn records(&mut self, recording: &Recording) -> Result<(Router, Ledger, Writer), RunError> {
        let Self { tables, keyring, clock, registry } = self;
        let Recording { data, keep_log } = recording.clone();
        let bounds = Bounds { keep_log, ..Bounds::default() };
        let opened = tokio::task::spawn_blocking(move || Store::open(&data, bounds)).await;
        let store = opened.map_err(|_| RunError::Task("the opening of the ledger"))??;
        let (ledger, writer) = Ledger::start(store, Arc::clone(clock), registry);
        let (tables, keyring, clock) = (tables.clone(), keyring.clone(), Arc::clone(clock));
        let state = LedgerState::new(ledger.clone(), tables, keyring, clock, registry);
        Ok((ledger::router(state), ledger, writer))
    }

    /// A ledger without tables would tell every event that it is unknown, and one that can't write takes none.
    fn operations(self, ledger: Option<Ledger>) -> Router {
        let Self { tables, keyring: _, clock: _, registry } = self;
        let writes = move || ledger.as_ref().is_none_or(Ledger::is_running);
        serve::operations(registry, move || tables.is_complete() && writes())
    }
}

/// The keys, which are read again for as long as the process runs.
fn keys(path: &Path) -> Result<Keyring, KeyFileError> {
    let files = KeyFiles::open(path)?;
    let keyring = Keyring::new(files.read()?);
    tokio::spawn(files.watch(keyring.clone()));
    Ok(keyring)
}

type Writer = JoinHandle<Result<(), StoreError>>;

async fn follow(source: Source, keeper: Keeper) -> Result<JoinHandle<()>, RunError> {
    match source {
        Source::Folder(path) => Ok(tokio::spawn(folder::watch(path, keeper))),
        Source::Cluster(scope) => {
            let client =
                kube::Client::try_default().await.map_err(|error| RunError::Cluster(Box::new(error)))?;
            Ok(tokio::spawn(cluster::watch(client, scope, keeper)))
        }
    }
}

async fn until_ended(
    address: SocketAddr,
    router: Router,
    follower: JoinHandle<()>,
    mut writer: Option<Writer>,
) -> Result<(), RunError> {
    let listener = serve::bind(address).await.map_err(|source| RunError::Listen { address, source })?;
    let ended = serve::terminated()?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    tokio::select! {
        () = serve::serve(listener, router, ended) => {}
        _ = follower => return Err(RunError::Task("the reader of tables")),
        end = finished(writer.as_mut()) => return end.and(Err(RunError::Task("the writer of the ledger"))),
    }
    let Some(writer) = writer.as_mut() else { return Ok(()) };
    // With the router every handle of the ledger goes, so the writer writes what still waits and ends. A connection
    // that nobody reads may hold a handle for ever; what it sent was never acknowledged.
    tokio::time::timeout(WRITER_GRACE, finished(Some(writer))).await.unwrap_or(Ok(()))
}

/// How long the writer may take for what waits: a full queue is a few seconds of a slow disk.
const WRITER_GRACE: Duration = Duration::from_secs(5);

/// Completes when the writer ends; never where there is none.
async fn finished(writer: Option<&mut Writer>) -> Result<(), RunError> {
    let Some(writer) = writer else { return std::future::pending().await };
    Ok(writer.await.map_err(|_| RunError::Task("the writer of the ledger"))??)
}
