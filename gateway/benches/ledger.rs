//! What it costs to keep an event: events per second that are on disk when they are acknowledged, in batches of 100,
//! beside a bare loop that appends as many bytes to a file and calls `fdatasync` for each batch. All take turns on one
//! disk, so that its moods meet all of them.
//!
//! `cargo bench -p broadside-gateway --bench ledger -- [FOLDER]`: the folder is on the disk that is measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::wire::event::Outcome;
use api::wire::token::SubjectHash;
use gateway::clock::{Clock, SystemClock};
use gateway::key::Keyring;
use gateway::ledger::store::{Bounds, Store};
use gateway::ledger::{Ledger, LedgerState};
use gateway::tables::Keeper;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "shared/median.rs"]
mod median;
#[path = "shared/people.rs"]
mod people;
#[path = "../tests/it/samples.rs"]
mod samples;
#[path = "../tests/it/signed.rs"]
mod signed;

use median::median;
use people::{BATCH, People, SHORT, pseudonym};
use samples::keys;
use signed::claims;

/// As the gateway itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TURN: Duration = Duration::from_secs(2);
/// Turns of each. The first warms up and is not counted.
const TURNS: usize = 6;
/// Who sends at the same time, where several do.
const SENDERS: usize = 32;

#[tokio::main]
async fn main() {
    // `cargo bench` puts a flag of its own there.
    let disk = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = tempfile::tempdir_in(disk.unwrap_or_else(|| ".".to_owned())).expect("a folder");
    let people = People::new(&SystemClock);
    let served = Served::start(&folder.path().join("ledger")).await;
    let bytes = served.bytes_of_an_event(&people).await;
    let mut bare = Bare::open(folder.path(), bytes);
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..TURNS {
        rates[0].push(bare.turn());
        rates[1].push(served.recorded(1, &people).await);
        rates[2].push(served.recorded(SENDERS, &people).await);
        rates[3].push(served.posted(&people).await);
    }
    let [bare, one, many, posted] = rates.map(|rates| median(&rates[1..]));
    println!("batches of {BATCH}, {bytes} bytes for each event, median of {} turns of {TURN:?}", TURNS - 1);
    let line = |name: &str, rate: f64| println!("{name:<46} {rate:>9.0} events/s {:>6.2}", rate / bare);
    line("bare append and fdatasync for each batch", bare);
    line("the ledger, one sender after its answer", one);
    line(&format!("the ledger, {SENDERS} senders"), many);
    line(&format!("POST /v1/events, {SENDERS} connections, tokens checked"), posted);
    served.read_back(&folder.path().join("ledger"), &people).await;
}

/// A ledger, in this process and over loopback.
struct Served {
    ledger: Ledger,
    writer: tokio::task::JoinHandle<Result<(), gateway::ledger::store::StoreError>>,
    server: tokio::task::JoinHandle<()>,
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    registry: Registry,
}

impl Served {
    async fn start(folder: &Path) -> Self {
        let (clock, mut registry): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Registry::default());
        let store = Store::open(folder, Bounds::default()).expect("it opens");
        let (ledger, writer) = Ledger::start(store, Arc::clone(&clock), &mut registry);
        let (mut keeper, tables) = Keeper::new(&mut registry);
        keeper.offer(&SHORT.object()).expect("a table");
        keeper.publish();
        keeper.complete();
        let keyring = Keyring::new(keys());
        let state = LedgerState::new(ledger.clone(), tables, keyring, Arc::clone(&clock), &mut registry);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = gateway::serve::bind(any).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let routes = gateway::ledger::router(state);
        let server = tokio::spawn(gateway::serve::serve(listener, routes, futures::future::pending()));
        Self { ledger, writer, server, address, clock, registry }
    }

    /// Events per second of senders that each wait for their answer.
    async fn recorded(&self, senders: usize, people: &People) -> f64 {
        let begin = Instant::now();
        let send = async || {
            let mut sent = 0;
            while begin.elapsed() < TURN {
                let receipts = self
                    .ledger
                    .record(people.batch(&*self.clock), self.clock.now())
                    .await
                    .expect("it keeps up");
                assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Accepted));
                sent += receipts.len();
            }
            sent
        };
        let sent: usize = futures::future::join_all((0..senders).map(|_| send())).await.into_iter().sum();
        sent as f64 / begin.elapsed().as_secs_f64()
    }

    /// The same over HTTP, with requests that were made beforehand.
    async fn posted(&self, people: &People) -> f64 {
        let requests = |_| (0..100).map(|_| request(&*self.clock, people)).collect::<Vec<_>>();
        let requests: Vec<Vec<Vec<u8>>> = (0..SENDERS).map(requests).collect();
        let begin = Instant::now();
        let connections: Vec<_> = requests
            .into_iter()
            .map(|requests| tokio::spawn(post(self.address, requests, begin + TURN)))
            .collect();
        let mut events = 0;
        for connection in connections {
            events += connection.await.expect("a connection counts until the end");
        }
        events as f64 / begin.elapsed().as_secs_f64()
    }

    /// What the log takes for an event.
    async fn bytes_of_an_event(&self, people: &People) -> usize {
        let batches = 20;
        let before = self.written();
        for _ in 0..batches {
            self.ledger.record(people.batch(&*self.clock), self.clock.now()).await.expect("it keeps up");
        }
        usize::try_from((self.written() - before) / (batches * BATCH)).expect("some bytes")
    }

    /// As `/metrics` tells it.
    fn written(&self) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("broadside_ledger_log_bytes_total "));
        line.and_then(|bytes| bytes.parse().ok()).expect("it is there")
    }

    /// Ends the ledger and opens it again.
    async fn read_back(self, folder: &Path, people: &People) {
        let Self { ledger, writer, server, .. } = self;
        server.abort();
        drop(ledger);
        writer.await.expect("it ends").expect("the disk is well");
        let begin = Instant::now();
        let store = Store::open(folder, Bounds::default()).expect("it opens");
        let events = people.events();
        println!(
            "opening it again after {events} events takes {:.2} s; {} units are open",
            begin.elapsed().as_secs_f64(),
            store.units()
        );
    }
}

fn event(clock: &dyn Clock, subject: u64, kind: &str) -> String {
    let subject = SubjectHash(api::name::hex(&pseudonym(subject)));
    let claims = claims(clock.now().as_second(), subject);
    let metric = if kind == "reward" { r#","metric":"product-view""# } else { "" };
    format!(r#"{{"id":"{kind}","token":"{}","type":"{kind}"{metric}}}"#, keys().sign(&claims))
}

fn request(clock: &dyn Clock, people: &People) -> Vec<u8> {
    let events =
        people.next().flat_map(|subject| ["exposure", "reward"].map(|kind| event(clock, subject, kind)));
    let body = format!(r#"{{"events":[{}]}}"#, events.collect::<Vec<_>>().join(","));
    let head = "POST /v1/events HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Posts one request after another, until the end or the last of them; how many events were acknowledged.
async fn post(address: SocketAddr, requests: Vec<Vec<u8>>, end: Instant) -> u64 {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is open");
    let (mut events, mut answer) = (0, Vec::with_capacity(16 << 10));
    for request in requests {
        if Instant::now() >= end {
            break;
        }
        stream.write_all(&request).await.expect("the server reads");
        answer.clear();
        while !answer.ends_with(b"]}") {
            let read = stream.read_buf(&mut answer).await.expect("the server answers");
            assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(&answer));
        }
        let accepted = answer.windows(9).filter(|bytes| bytes == b"accepted\"").count() as u64;
        assert_eq!(accepted, BATCH, "{}", String::from_utf8_lossy(&answer));
        events += accepted;
    }
    events
}

/// The bound: nothing but the bytes. The file begins anew before it is large.
struct Bare {
    file: File,
    path: std::path::PathBuf,
    batch: Vec<u8>,
}

const LARGE: u64 = 1 << 30;

impl Bare {
    fn open(folder: &Path, bytes_of_an_event: usize) -> Self {
        let path = folder.join("bare");
        let file = File::create(&path).expect("it opens");
        Self { file, path, batch: vec![b'x'; bytes_of_an_event * BATCH as usize] }
    }

    fn turn(&mut self) -> f64 {
        if self.file.metadata().expect("a file").len() > LARGE {
            self.file = File::create(&self.path).expect("it begins anew");
        }
        let (begin, mut events) = (Instant::now(), 0);
        while begin.elapsed() < TURN {
            self.file.write_all(&self.batch).expect("it writes");
            self.file.sync_data().expect("it is on disk");
            events += BATCH;
        }
        events as f64 / begin.elapsed().as_secs_f64()
    }
}
