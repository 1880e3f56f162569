//! A role from its configuration to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use crate::args::{Config, Decisions, Recording, Role, Source};
use crate::auth::files::{ApiKeyFileError, ApiKeyFiles};
use crate::auth::{self, Access, Totals};
use crate::clock::{Clock, SystemClock};
use crate::decide::{self, DecideState, VisitorCookie};
use crate::key::{KeyFileError, KeyFiles, Keyring};
use crate::ledger::export::schedule;
use crate::ledger::store::{Bounds, Store, StoreError};
use crate::ledger::stream::part::{self, FolderError};
use crate::ledger::stream::{Connection, FollowError, Publisher, StreamError};
use crate::ledger::{self, Ledger, LedgerState, Sums};
use crate::serve::{self, Transport};
use crate::tables::{Keeper, Tables, cluster, folder};
use crate::tls::{CertificateFiles, TlsError};
use crate::told::{self, Tokens, Told};

/// Why a role ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There are no keys for applications.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyFileError),
    /// There is no certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no way to the API server.
    #[error(
        "the API server's address and account can't be found: run in a pod, set KUBECONFIG, or use --tables DIR \
         and no --totals-account"
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
    /// The ledger's folder is of another part.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The stream of events can't be used.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream of events can't be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
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
    let Config { role, listen, source, key_file, origins, visitors, api_keys, tls, stream, decisions } =
        config;
    let keyring = keys(&key_file)?;
    let mut registry = Registry::default();
    let transport = tls.map_or(Ok(Transport::Plain), |files| transport(files, &mut registry))?;
    let access = api_keys.map_or(Ok(Access::Open), access)?;
    let (keeper, tables) = Keeper::new(&mut registry);
    let follower = follow(source, keeper).await?;
    let (told, tokens) = match decisions {
        Decisions::Untold => (None, None),
        Decisions::Recorded => Some(told::queue(&mut registry)).unzip(),
    };
    let mut parts = Parts { tables, keyring, clock: Arc::new(SystemClock), registry };
    let connection = match stream {
        Some(place) => Some(Connection::open(place).await?),
        None => None,
    };
    let decides = match role {
        Role::Decide | Role::All(_) => parts.decides(visitors.clone(), told),
        Role::Ledger(_) => Router::new(),
    };
    let Records { router, ledger, tasks } = match (&role, connection) {
        (Role::Decide, None) => Records::none(),
        (Role::Decide, Some(connection)) => parts.publishes(&connection, tokens),
        (Role::Ledger(recording) | Role::All(recording), None) => parts.records(recording, tokens).await?,
        (Role::Ledger(recording) | Role::All(recording), Some(connection)) => {
            parts.follows(recording, connection, tokens).await?
        }
    };
    let totals = totals(&role).await?;
    let router = totals.guard(access.guard(decides.merge(router)));
    let router = match (&access, &totals) {
        // Nobody is turned away, so decisions need not go through a layer more.
        (Access::Open, Totals::Open) => router,
        _ => auth::counted(router, &mut parts.registry),
    };
    let router = router.merge(parts.operations(ledger));
    let router = origins.let_in(router, &access, visitors.as_ref());
    until_ended(listen, transport, router, follower, tasks).await
}

/// The part of a role that takes events.
struct Records {
    router: Router,
    ledger: Option<Ledger>,
    tasks: Tasks,
}

/// What runs for it. Each ends by itself for a fault alone.
#[derive(Default)]
struct Tasks {
    writer: Option<Writer>,
    stream: Option<JoinHandle<Result<(), FollowError>>>,
    exports: Option<JoinHandle<()>>,
    /// Records the decisions of this process, and ends with the router that makes them.
    telling: Option<JoinHandle<()>>,
}

impl Records {
    fn none() -> Self {
        Self { router: Router::new(), ledger: None, tasks: Tasks::default() }
    }
}

/// What every role is made of.
struct Parts {
    tables: Tables,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    registry: Registry,
}

impl Parts {
    fn decides(&mut self, visitors: Option<VisitorCookie>, told: Option<Told>) -> Router {
        let Self { tables, keyring, clock, registry } = self;
        let (tables, keyring, clock) = (tables.clone(), keyring.clone(), Arc::clone(clock));
        decide::router(DecideState::new(tables, keyring, clock, visitors, told, registry))
    }

    /// Events go to a ledger of this process.
    async fn records(&mut self, recording: &Recording, tokens: Option<Tokens>) -> Result<Records, RunError> {
        let store = opened(recording.clone()).await?;
        let Self { tables, keyring, clock, registry } = self;
        let (ledger, writer) = Ledger::start(store, Arc::clone(clock), registry);
        let exports = exports(recording, &ledger, clock, registry);
        let (tables, keyring, clock) = (tables.clone(), keyring.clone(), Arc::clone(clock));
        let state = LedgerState::new(ledger.clone(), tables, keyring, clock, registry);
        let tasks = Tasks { writer: Some(writer), stream: None, exports, telling: telling(&state, tokens) };
        Ok(Records { router: ledger::router(state), ledger: Some(ledger), tasks })
    }

    /// Events go to a stream.
    fn publishes(&mut self, connection: &Connection, tokens: Option<Tokens>) -> Records {
        let state = self.over_stream(connection, None);
        let tasks = Tasks { telling: telling(&state, tokens), ..Tasks::default() };
        Records { router: ledger::router(state), ledger: None, tasks }
    }

    /// Events go to a stream, and the ledger of this process follows it.
    async fn follows(
        &mut self,
        recording: &Recording,
        connection: Connection,
        tokens: Option<Tokens>,
    ) -> Result<Records, RunError> {
        let store = opened(recording.clone()).await?;
        let last = store.source();
        let clock = Arc::clone(&self.clock);
        let (ledger, writer) = Ledger::start_behind_stream(store, Arc::clone(&clock), &mut self.registry);
        let exports = exports(recording, &ledger, &clock, &mut self.registry);
        let sums = Sums { ledger: ledger.clone(), part: recording.part };
        let state = self.over_stream(&connection, Some(sums));
        let follow = ledger::stream::follow(connection, recording.part, ledger.clone(), last, clock);
        let stream = tokio::spawn(follow);
        let telling = telling(&state, tokens);
        let tasks = Tasks { writer: Some(writer), stream: Some(stream), exports, telling };
        Ok(Records { router: ledger::router(state), ledger: Some(ledger), tasks })
    }

    fn over_stream(&mut self, connection: &Connection, sums: Option<Sums>) -> LedgerState {
        let Self { tables, keyring, clock, registry } = self;
        let (tables, keyring, clock) = (tables.clone(), keyring.clone(), Arc::clone(clock));
        LedgerState::over_stream(Publisher::new(connection), sums, tables, keyring, clock, registry)
    }

    /// A ledger without tables would tell every event that it is unknown, and one that can't write takes none.
    fn operations(self, ledger: Option<Ledger>) -> Router {
        let Self { tables, keyring: _, clock: _, registry } = self;
        let writes = move || ledger.as_ref().is_none_or(Ledger::is_running);
        serve::operations(registry, move || tables.is_complete() && writes())
    }
}

async fn opened(recording: Recording) -> Result<Store, RunError> {
    let Recording { data, part, keep_log, kept_in, totals_account: _, export: _ } = recording;
    let bounds = Bounds { keep_log, kept_in, ..Bounds::default() };
    let open = move || {
        part::claim(&data, part)?;
        Ok(Store::open(&data, bounds)?)
    };
    tokio::task::spawn_blocking(open).await.map_err(|_| RunError::Task("the opening of the ledger"))?
}

/// What records the decisions of this process, where that is wanted.
fn telling(state: &LedgerState, tokens: Option<Tokens>) -> Option<JoinHandle<()>> {
    Some(tokio::spawn(state.clone().tell(tokens?)))
}

/// What exports by schedule, where that is wanted.
fn exports(
    recording: &Recording,
    ledger: &Ledger,
    clock: &Arc<dyn Clock>,
    registry: &mut Registry,
) -> Option<JoinHandle<()>> {
    let schedule = recording.export.clone()?;
    Some(schedule::start(schedule, recording.data.clone(), ledger.clone(), Arc::clone(clock), registry))
}

/// The keys, which are read again for as long as the process runs.
fn keys(path: &Path) -> Result<Keyring, KeyFileError> {
    let files = KeyFiles::open(path)?;
    let keyring = Keyring::new(files.read()?);
    tokio::spawn(files.watch(keyring.clone()));
    Ok(keyring)
}

/// The keys of applications, which are read again for as long as the process runs.
fn access(files: ApiKeyFiles) -> Result<Access, ApiKeyFileError> {
    let keyring = files.open()?;
    tokio::spawn(files.watch(keyring.clone()));
    Ok(Access::Keyed(keyring))
}

/// Encrypted connections. Their certificate is read again for as long as the process runs.
fn transport(files: CertificateFiles, registry: &mut Registry) -> Result<Transport, TlsError> {
    let certificate = files.open()?;
    registry.register_collector(Box::new(certificate.clone()));
    tokio::spawn(files.watch(certificate.clone()));
    Ok(Transport::Tls(certificate))
}

type Writer = JoinHandle<Result<(), StoreError>>;

async fn follow(source: Source, keeper: Keeper) -> Result<JoinHandle<()>, RunError> {
    match source {
        Source::Folder(path) => Ok(tokio::spawn(folder::watch(path, keeper))),
        Source::Cluster(scope) => Ok(tokio::spawn(cluster::watch(client().await?, scope, keeper))),
    }
}

async fn client() -> Result<kube::Client, RunError> {
    kube::Client::try_default().await.map_err(|error| RunError::Cluster(Box::new(error)))
}

/// Who is told totals.
async fn totals(role: &Role) -> Result<Totals, RunError> {
    let account = match role {
        Role::Decide => None,
        Role::Ledger(recording) | Role::All(recording) => recording.totals_account.as_ref(),
    };
    match account {
        Some(account) => Ok(Totals::for_account(account.clone(), client().await?)),
        None => Ok(Totals::Open),
    }
}

async fn until_ended(
    address: SocketAddr,
    transport: Transport,
    router: Router,
    follower: JoinHandle<()>,
    tasks: Tasks,
) -> Result<(), RunError> {
    let Tasks { mut writer, mut stream, exports, telling } = tasks;
    let listener = serve::bind(address).await.map_err(|source| RunError::Listen { address, source })?;
    let ended = serve::terminated()?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    tokio::select! {
        () = serve::serve_over(transport, listener, router, ended) => {}
        _ = follower => return Err(RunError::Task("the reader of tables")),
        end = finished(writer.as_mut(), WRITER) => return end.and(Err(RunError::Task(WRITER))),
        end = finished(stream.as_mut(), STREAM) => return end.and(Err(RunError::Task(STREAM))),
    }
    // They hold the ledger, which would else go on for them.
    stream.inspect(JoinHandle::abort);
    exports.inspect(JoinHandle::abort);
    // Decisions that were told come before the end of the ledger, which they hold too.
    if let Some(telling) = telling {
        let _recorded_or_late = tokio::time::timeout(TELLING_GRACE, telling).await;
    }
    let Some(writer) = writer.as_mut() else { return Ok(()) };
    // With the router every handle of the ledger goes, so the writer writes what still waits and ends. A connection
    // that nobody reads may hold a handle for ever; what it sent was never acknowledged.
    tokio::time::timeout(WRITER_GRACE, finished(Some(writer), WRITER)).await.unwrap_or(Ok(()))
}

/// How long what was told may take to be recorded. With a stream that can't be reached it would take longer, in vain.
const TELLING_GRACE: Duration = Duration::from_secs(2);

const WRITER: &str = "the writer of the ledger";
const STREAM: &str = "the reader of the stream";

/// How long the writer may take for what waits: a full queue is a few seconds of a slow disk.
const WRITER_GRACE: Duration = Duration::from_secs(5);

/// Completes when the task ends; never where there is none.
async fn finished<E: Into<RunError>>(
    task: Option<&mut JoinHandle<Result<(), E>>>,
    name: &'static str,
) -> Result<(), RunError> {
    let Some(task) = task else { return std::future::pending().await };
    task.await.map_err(|_| RunError::Task(name))?.map_err(Into::into)
}
