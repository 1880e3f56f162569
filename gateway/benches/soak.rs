//! Half an hour at half of what it can do: visits to a gateway that decides and records, one process on loopback. Each
//! asks for copy, tells that it was seen, and every third that it was acted on. Memory, handles and totals are held to what
//! was sent.
//!
//! `make bench-soak`, or `cargo bench -p broadside-gateway --bench soak -- MINUTES`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::wire::decide::DecideResponse;
use api::wire::totals::TotalsResponse;
use tokio::net::TcpStream;

#[path = "shared/http.rs"]
mod http;
#[expect(dead_code, reason = "this benchmark signs nothing itself")]
#[path = "../tests/it/samples.rs"]
mod samples;

use http::{body, exchange};
use samples::{SAMPLE, Sample};

const CONNECTIONS: u64 = 32;
/// How long is looked for what it can do.
const CALIBRATED: Duration = Duration::from_secs(10);
/// What comes before is not compared: buffers and caches fill.
const WARM: Duration = Duration::from_secs(120);
/// In how many parts of the time memory and handles are compared: within each they rise and fall with checkpoints.
const PARTS: usize = 6;
/// How often memory and handles are looked at.
const LOOKED: Duration = Duration::from_secs(5);
/// Visits are counted a little after they came, so that all have matured soon after the end.
const SHORT: Sample<'_> = Sample { window_seconds: 5, ..SAMPLE };

#[tokio::main]
async fn main() {
    // `cargo bench` puts a flag of its own there.
    let minutes = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let minutes: f64 = minutes.map_or(30.0, |minutes| minutes.parse().expect("a number of minutes"));
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let gateway = Gateway::start(folder.path()).await;
    let sent = Arc::new(Mutex::new(Sent::default()));
    let most = gateway.visits(None, CALIBRATED, 0, &sent).await;
    println!(
        "at most {most:.0} visits/s: a decision and its events each; {:.0} for {minutes} minutes",
        most / 2.0
    );
    let during = Duration::from_secs_f64(minutes * 60.0);
    let (looks, rate) =
        tokio::join!(gateway.looks(during), gateway.visits(Some(most / 2.0), during, 1 << 40, &sent));
    println!("{rate:.0} visits/s came");
    let compared: Vec<&Look> = looks.iter().filter(|look| look.after >= WARM.min(during / 2)).collect();
    tell("megabytes", &compared, |look| look.kilobytes / 1024);
    tell("handles", &compared, |look| look.handles);
    let told = gateway.totals().await;
    let sent = std::mem::take(&mut *sent.lock().expect("nobody panics"));
    println!("totals {} what was sent: {told:?}", if told == sent { "equal" } else { "DIFFER FROM" });
    assert_eq!(told, sent);
}

/// In each part of the time the middle and the highest, and how the middle has changed.
fn tell(what: &str, looks: &[&Look], of: fn(&Look) -> u64) {
    let sorted = |part: &[&Look]| {
        let mut part: Vec<u64> = part.iter().map(|look| of(look)).collect();
        part.sort_unstable();
        (part[part.len() / 2], *part.last().expect("no part is empty"))
    };
    let parts = looks.chunks(looks.len().div_ceil(PARTS)).map(sorted);
    let (middle, highest): (Vec<u64>, Vec<u64>) = parts.unzip();
    let change = |figures: &[u64]| {
        let (first, last) = (figures[0] as f64, *figures.last().expect("some parts") as f64);
        format!("{figures:?}, {:+.1} %", 100.0 * (last / first - 1.0))
    };
    println!("{what:<9} in each part: median {}; highest {}", change(&middle), change(&highest));
}

/// Exposures and rewards by variant.
type Sent = BTreeMap<String, (u64, u64)>;

/// What the process has at a moment.
struct Look {
    after: Duration,
    kilobytes: u64,
    handles: u64,
}

/// The gateway, in a process of its own.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    async fn start(folder: &Path) -> Self {
        let tables = folder.join("tables");
        std::fs::create_dir(&tables).expect("a folder");
        let table = serde_json::to_vec(&SHORT.object()).expect("plain data");
        std::fs::write(tables.join("table.json"), table).expect("it writes");
        std::fs::write(folder.join("key"), [7; 32]).expect("it writes");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["all", "--log", "error", "--listen", &free.to_string()]);
        command.arg("--tables").arg(tables).arg("--data").arg(folder.join("data"));
        command.arg("--key-file").arg(folder.join("key"));
        let child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let gateway = Self { child, address: free };
        while TcpStream::connect(free).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        gateway
    }

    /// Visits for that long, at that rate or one after another; how many there were in a second. What was acknowledged is
    /// added to `sent`.
    async fn visits(&self, rate: Option<f64>, during: Duration, first: u64, sent: &Arc<Mutex<Sent>>) -> f64 {
        let begin = Instant::now();
        let of_each = rate.map(|rate| rate / CONNECTIONS as f64);
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|id| {
                let visitor =
                    Visitor { address: self.address, first: first + (id << 32), sent: Arc::clone(sent) };
                tokio::spawn(visitor.come(of_each, begin, during))
            })
            .collect();
        let mut visits = 0;
        for connection in connections {
            visits += connection.await.expect("a connection goes on to the end");
        }
        visits as f64 / begin.elapsed().as_secs_f64()
    }

    async fn looks(&self, during: Duration) -> Vec<Look> {
        let (begin, mut looks) = (Instant::now(), Vec::new());
        while begin.elapsed() < during {
            tokio::time::sleep(LOOKED).await;
            let look = Look { after: begin.elapsed(), kilobytes: self.kilobytes(), handles: self.handles() };
            if look.after.as_secs() % 60 < LOOKED.as_secs() {
                let Look { after, kilobytes, handles } = &look;
                println!("{:>5} s {:>6} MB {handles:>4} handles", after.as_secs(), kilobytes / 1024);
            }
            looks.push(look);
        }
        looks
    }

    fn kilobytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn handles(&self) -> u64 {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count() as u64
    }

    /// The totals, once nothing is pending.
    async fn totals(&self) -> Sent {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let request = format!("GET /v1/totals?campaign={} HTTP/1.1\r\nhost: gateway\r\n\r\n", SAMPLE.uid);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            assert!(Instant::now() < deadline, "an exposure stays pending");
            tokio::time::sleep(Duration::from_millis(500)).await;
            let answer = exchange(&mut stream, request.as_bytes()).await;
            let totals: TotalsResponse = serde_json::from_slice(body(&answer)).expect("totals");
            let [placement] = totals.placements.as_slice() else { continue };
            if placement.pending_exposures == 0 {
                let cells = placement.cells.iter();
                return cells
                    .map(|cell| (cell.variant.clone(), (cell.exposures, cell.rewards as u64)))
                    .collect();
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everyone who comes over one connection.
struct Visitor {
    address: SocketAddr,
    first: u64,
    sent: Arc<Mutex<Sent>>,
}

impl Visitor {
    async fn come(self, rate: Option<f64>, begin: Instant, during: Duration) -> u64 {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is open");
        let mut visits = 0;
        while begin.elapsed() < during {
            if let Some(rate) = rate {
                let due = begin + Duration::from_secs_f64(visits as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
            }
            self.visit(&mut stream, self.first + visits).await;
            visits += 1;
        }
        visits
    }

    async fn visit(&self, stream: &mut TcpStream, number: u64) {
        let question = format!(
            r#"{{"namespace":"shop","campaign":"cart-and-hero","placement":"hero","subject":"person {number}"}}"#
        );
        let decision = exchange(stream, &post("/v1/decide", &question)).await;
        let decision: DecideResponse = serde_json::from_slice(body(&decision)).expect("an answer");
        let (variant, token) = decision.variant.zip(decision.token).expect("it may be counted");
        let acts = number.is_multiple_of(3);
        let exposure = format!(r#"{{"id":"e","token":"{token}","type":"exposure"}}"#);
        let reward = format!(r#",{{"id":"r","token":"{token}","type":"reward","metric":"product-view"}}"#);
        let events = format!(r#"{{"events":[{exposure}{}]}}"#, if acts { reward.as_str() } else { "" });
        let answer = exchange(stream, &post("/v1/events", &events)).await;
        let accepted = String::from_utf8_lossy(body(&answer)).matches("\"accepted\"").count();
        assert_eq!(accepted, 1 + usize::from(acts), "{}", String::from_utf8_lossy(&answer));
        let mut sent = self.sent.lock().expect("nobody panics");
        let (exposures, rewards) = sent.entry(variant).or_default();
        *exposures += 1;
        *rewards += u64::from(acts);
    }
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
