//! Events through a stream of NATS JetStream: how many a second are in it when they are acknowledged, beside the nats CLI's
//! own benchmark with as large messages on a stream of the same settings; and how quickly a ledger that begins with an
//! empty folder has caught up.
//!
//! `make bench-stream`: NATS_SERVER and NATS_CLI name the programs.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::wire::part::Part;
use gateway::clock::{Clock, SystemClock};
use gateway::ledger::Ledger;
use gateway::ledger::store::{Bounds, Store};
use gateway::ledger::stream::{Connection, Place, Publisher, follow};
use prometheus_client::registry::Registry;

#[path = "shared/median.rs"]
mod median;
#[path = "shared/people.rs"]
mod people;
#[path = "../tests/it/samples.rs"]
mod samples;
#[path = "../tests/it/signed.rs"]
mod signed;

use median::median;
use people::{BATCH, People};
use samples::SAMPLE;

const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 4;
const SENDERS: usize = 64;

#[tokio::main]
async fn main() {
    let disk = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = tempfile::tempdir_in(disk.unwrap_or_else(|| ".".to_owned())).expect("a folder");
    let server = Nats::start(folder.path());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let connection = Connection::open(server.place("broadside")).await.expect("it is there");
    let publisher = Publisher::new(&connection);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let people = People::new(&*clock);
    published(&publisher, &*clock, &people).await;
    let bytes = server.bytes_of_a_message().await;
    let (mut ours, mut large, mut small) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        large.push(server.bench(bytes));
        small.push(server.bench(bytes / BATCH as usize));
        ours.push(published(&publisher, &*clock, &people).await);
    }
    let (ours, large, small) = (median(&ours[1..]), median(&large[1..]) * BATCH as f64, median(&small[1..]));
    println!("batches of {BATCH}, messages of {bytes} bytes, median of {} turns, one server", TURNS - 1);
    let line =
        |name: String, rate: f64| println!("{name:<58} {rate:>9.0} events/s, ours {:>6.2}", ours / rate);
    line(format!("our publisher, {SENDERS} senders that wait for each answer"), ours);
    line(format!("nats bench, {SENDERS} clients, messages as large as a batch"), large);
    line(format!("nats bench, {SENDERS} clients, messages as large as an event"), small);
    catch_up(&server, folder.path(), clock).await;
}

/// Fills another stream and follows it from its beginning.
async fn catch_up(server: &Nats, folder: &Path, clock: Arc<dyn Clock>) {
    let connection = Connection::open(server.place("caught")).await.expect("it is there");
    let publisher = Publisher::new(&connection);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let people = People::new(&*clock);
    published(&publisher, &*clock, &people).await;
    let events = people.events();
    let store = Store::open(&folder.join("ledger"), Bounds::default()).expect("it opens");
    let (ledger, _writer) = Ledger::start_behind_stream(store, Arc::clone(&clock), &mut Registry::default());
    let begin = Instant::now();
    let following = tokio::spawn(follow(connection, Part::WHOLE, ledger.clone(), 0, Arc::clone(&clock)));
    while begin.elapsed() < PATIENCE && 2 * seen(&ledger, &*clock).await < events {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (seen, seconds) = (2 * seen(&ledger, &*clock).await, begin.elapsed().as_secs_f64());
    println!(
        "a ledger with an empty folder read {seen} of {events} events, {:.0} events/s",
        seen as f64 / seconds
    );
    following.abort();
}

/// How long a ledger may take to catch up.
const PATIENCE: Duration = Duration::from_secs(40);

/// Exposures that are in the ledger.
async fn seen(ledger: &Ledger, clock: &dyn Clock) -> u64 {
    let Ok(totals) = ledger.totals(SAMPLE.uid.to_owned(), clock.now()).await else { return 0 };
    let cells = totals.placements.iter().flat_map(|it| &it.cells).map(|cell| cell.exposures);
    cells.sum::<u64>() + totals.placements.iter().map(|it| it.pending_exposures).sum::<u64>()
}

/// Events per second of senders that each wait for their answer.
async fn published(publisher: &Publisher, clock: &dyn Clock, people: &People) -> f64 {
    let begin = Instant::now();
    let send = async || {
        let mut sent = 0;
        while begin.elapsed() < TURN {
            let batch = people.batch(clock);
            sent += publisher.record(batch, clock.now()).await.expect("the stream takes it").len();
        }
        sent
    };
    let sent: usize = futures::future::join_all((0..SENDERS).map(|_| send())).await.into_iter().sum();
    sent as f64 / begin.elapsed().as_secs_f64()
}

/// A server of our own.
struct Nats {
    child: Child,
    url: String,
}

impl Nats {
    fn start(folder: &Path) -> Self {
        let program = std::env::var("NATS_SERVER").expect("NATS_SERVER names the program nats-server");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut command = Command::new(program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.join("nats"));
        let child = command.stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_secs(1));
        Self { child, url: format!("nats://127.0.0.1:{port}") }
    }

    fn place(&self, stream: &str) -> Place {
        Place { servers: self.url.clone(), credentials: None, stream: stream.to_owned(), replicas: 1 }
    }

    /// What one of our messages takes, its subject and the store's own included.
    async fn bytes_of_a_message(&self) -> usize {
        let client = async_nats::connect(&self.url).await.expect("it is there");
        let stream = async_nats::jetstream::new(client).get_stream("broadside").await.expect("it was made");
        let state = &stream.cached_info().state;
        usize::try_from(state.bytes / state.messages).expect("some kilobytes")
    }

    /// Messages per second of the nats CLI.
    fn bench(&self, bytes: usize) -> f64 {
        let program = std::env::var("NATS_CLI").expect("NATS_CLI names the program nats");
        let mut command = Command::new(program);
        command.args(["--server", &self.url, "bench", "js", "pub", "async", "bench", "--create", "--purge"]);
        command.args(["--storage", "file", "--size", &bytes.to_string(), "--msgs", "20000"]);
        command.args(["--clients", &SENDERS.to_string(), "--no-progress", "--stream", "benchstream"]);
        let output = command.output().expect("it runs");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let rate = said.lines().rev().find_map(|line| {
            let (before, _) = line.split_once(" msgs/sec")?;
            before.rsplit([' ', ':']).next()?.replace(',', "").parse().ok()
        });
        rate.unwrap_or_else(|| panic!("{said}"))
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
