//! What applications get from the gateway, beside the relay proxy of GO Feature Flag and a bare axum handler: each a
//! process of its own on loopback, in turns, with wrk and our own client on the same cores.
//!
//! `make bench-gateway`; RELAY_PROXY names the relay's program, without which its lines are left out.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "shared/http.rs"]
mod http;
#[path = "shared/median.rs"]
mod median;
#[expect(dead_code, reason = "this benchmark signs nothing itself")]
#[path = "../tests/it/samples.rs"]
mod samples;
#[path = "shared/tables.rs"]
mod tables;

use http::{body, exchange};
use median::median;

/// Turns of each server. The first of each warms up and is not counted.
const TURNS: usize = 5;
const TURN: &str = "4s";
/// Connections of wrk, and of our own client.
const CONNECTIONS: usize = 32;
/// How long latency is measured.
const WATCHED: Duration = Duration::from_secs(8);
/// Every decision is half a percent or more likely, so six shares are a split of six.
const SHARES: [u32; 6] = [166_670, 166_666, 166_666, 166_666, 166_666, 166_666];
const FLAG: &str = "shop.cart-and-hero.hero";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, bare, port, answer] = arguments.as_slice()
        && bare == "--bare"
    {
        return serve_bare(port.parse().expect("a port"), answer.clone().into_bytes()).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Server::ours(folder.path(), 1).await;
    let answer = String::from_utf8(ours.answer().await).expect("JSON");
    let mut servers = vec![ours, Server::bare(&answer).await];
    if let Some(relay) = std::env::var_os("RELAY_PROXY") {
        servers.push(Server::relay(Path::new(&relay), folder.path()).await);
    }
    let mut rates = vec![Vec::new(); servers.len()];
    for _ in 0..TURNS {
        for (server, rates) in servers.iter().zip(&mut rates) {
            rates.push(server.wrk(folder.path()));
        }
    }
    println!(
        "OFREP, one flag of a split of six; wrk with {CONNECTIONS} connections, median of {} turns of {TURN}",
        TURNS - 1
    );
    let rates: Vec<f64> = rates.iter().map(|rates| median(&rates[1..])).collect();
    let mut tails = Vec::new();
    for (server, rate) in servers.iter().zip(&rates) {
        let latencies = server.watched(rate / 2.0).await;
        tails.push(percentile(&latencies, 0.99));
        println!(
            "{:<34} {rate:>9.0} requests/s   at half of that: median {:>6.2} ms, p99 {:>6.2} ms",
            server.name,
            percentile(&latencies, 0.5),
            percentile(&latencies, 0.99)
        );
    }
    println!("ours to the bare handler           {:>9.2}", rates[0] / rates[1]);
    if let [ours, _, relay] = rates.as_slice() {
        println!(
            "ours to the relay                  {:>9.2}   p99 {:.2} of the relay's",
            ours / relay,
            tails[0] / tails[2]
        );
        alike(&servers, rates[2] / 2.0).await;
    }
    drop(servers);
    many(folder.path()).await;
}

/// What each makes of the same load, since who can do more is given more at half of what it can do.
async fn alike(servers: &[Server], rate: f64) {
    println!("{rate:.0} requests/s to each:");
    for server in servers {
        let latencies = server.watched(rate).await;
        let (middle, tail) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
        println!("{:<34} median {middle:>6.2} ms, p99 {tail:>6.2} ms", server.name);
    }
}

/// A thousand campaigns of four placements of ten variants, and one table that is replaced each second.
async fn many(folder: &Path) {
    let folder = folder.join("many");
    std::fs::create_dir(&folder).expect("a folder");
    let server = Server::ours(&folder, 1000).await;
    let resident = server.resident_megabytes();
    let rate = 2000.0;
    let still = server.watched(rate).await;
    let tables = folder.join("tables");
    let swapping = tokio::task::spawn_blocking(move || {
        for number in 2..2 + WATCHED.as_secs() {
            let number = i64::try_from(number).expect("a few");
            write_table(&tables, 0, number, 4, &tables::TEN);
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let swapped = server.watched(rate).await;
    swapping.await.expect("it ends");
    println!("1000 campaigns x 4 placements x 10 variants: {resident} MB resident");
    for (when, latencies) in [("at rest", still), ("with a table replaced each second", swapped)] {
        println!(
            "{rate:.0} requests/s {when:<34} p99 {:>6.2} ms, p99.9 {:>6.2} ms, longest {:>6.2} ms",
            percentile(&latencies, 0.99),
            percentile(&latencies, 0.999),
            percentile(&latencies, 1.0)
        );
    }
}

/// A server in a process of its own.
struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Server {
    async fn ours(folder: &Path, campaigns: usize) -> Self {
        let tables = folder.join("tables");
        std::fs::create_dir_all(&tables).expect("a folder");
        for campaign in 0..campaigns {
            match campaigns {
                1 => write_table(&tables, campaign, 1, 1, &SHARES),
                _ => write_table(&tables, campaign, 1, 4, &tables::TEN),
            }
        }
        std::fs::write(folder.join("key"), [7; 32]).expect("it writes");
        let address = free();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["decide", "--log", "error", "--listen", &address.to_string()]);
        command.arg("--tables").arg(tables).arg("--key-file").arg(folder.join("key"));
        Self::start("Broadside's gateway", command, address, "/readyz").await
    }

    async fn bare(answer: &str) -> Self {
        let address = free();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--bare", &address.port().to_string(), answer]);
        Self::start("bare axum, the same answer", command, address, "/readyz").await
    }

    async fn relay(program: &Path, folder: &Path) -> Self {
        let shares: Vec<String> = (0..6)
            .map(|it| format!("        v{it}: {}", 16.6 + 0.4 * f64::from(u8::from(it == 0))))
            .collect();
        let texts = |it: usize| format!("    v{it}: {{headline: \"Run further: v{it}\", button: Shop now}}");
        let variations: Vec<String> = (0..6).map(texts).collect();
        let flags = format!(
            "{FLAG}:\n  variations:\n{}\n  defaultRule:\n    percentage:\n{}\n",
            variations.join("\n"),
            shares.join("\n")
        );
        let (file, config, address) = (folder.join("flags.yaml"), folder.join("relay.yaml"), free());
        std::fs::write(&file, flags).expect("it writes");
        let text = format!(
            "server:\n  mode: http\n  host: 127.0.0.1\n  port: {}\nlogLevel: error\nretrievers:\n  - kind: file\n    path: {}\n",
            address.port(),
            file.display()
        );
        std::fs::write(&config, text).expect("it writes");
        let mut command = Command::new(program);
        command.arg(format!("--config={}", config.display()));
        Self::start("GO Feature Flag's relay proxy", command, address, "/health").await
    }

    async fn start(name: &'static str, mut command: Command, address: SocketAddr, ready: &str) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let server = Self { name, child, address };
        let request = format!("GET {ready} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        for _ in 0..600 {
            if let Ok(mut stream) = TcpStream::connect(address).await {
                let mut answer = Vec::new();
                let asked = stream.write_all(request.as_bytes()).await.is_ok();
                if asked
                    && stream.read_to_end(&mut answer).await.is_ok()
                    && answer.starts_with(b"HTTP/1.1 200")
                {
                    return server;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} is not ready after a minute");
    }

    /// The body that it answers to a question.
    async fn answer(&self) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        body(&exchange(&mut stream, &question(0)).await).to_vec()
    }

    /// Requests per second of one turn.
    fn wrk(&self, folder: &Path) -> f64 {
        let script = folder.join("ask.lua");
        std::fs::write(&script, ASK).expect("it writes");
        let mut command = Command::new("wrk");
        command.args([
            "--threads=2",
            &format!("--connections={CONNECTIONS}"),
            &format!("--duration={TURN}"),
            "--script",
        ]);
        command.arg(script).arg(format!("http://{}/ofrep/v1/evaluate/flags/{FLAG}", self.address));
        let output = command.output().expect("wrk is installed: apt-get install wrk");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !said.contains("Non-2xx"), "{}: {said}", self.name);
        let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("{said}"))
    }

    /// Milliseconds from when each request was due to its answer, at that many requests a second: who waits for a slow
    /// answer would else not ask in the meantime, and see no other that is slow.
    async fn watched(&self, rate: f64) -> Vec<f64> {
        let begin = Instant::now() + Duration::from_millis(100);
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|id| tokio::spawn(watch(self.address, id, begin, rate / CONNECTIONS as f64)))
            .collect();
        let mut latencies = Vec::new();
        for connection in connections {
            latencies.extend(connection.await.expect("a connection measures to the end"));
        }
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    fn resident_megabytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ASK: &str = r#"
local n = 0
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
function request()
  n = n + 1
  return wrk.format(nil, nil, nil, '{"context":{"targetingKey":"subject-' .. n .. '"}}')
end
"#;

fn question(subject: usize) -> Vec<u8> {
    let body = format!(r#"{{"context":{{"targetingKey":"subject-{subject}"}}}}"#);
    let head = format!(
        "POST /ofrep/v1/evaluate/flags/{FLAG} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
    );
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn watch(address: SocketAddr, id: usize, begin: Instant, rate: f64) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is open");
    let requests = (WATCHED.as_secs_f64() * rate) as usize;
    let mut latencies = Vec::with_capacity(requests);
    for number in 0..requests {
        let due = begin + Duration::from_secs_f64((number as f64 + id as f64 / CONNECTIONS as f64) / rate);
        // A timer wakes up to a millisecond late, which is no fault of the server's; an answer that came late is.
        let asked = match due.checked_duration_since(Instant::now()) {
            Some(_) => {
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            }
            None => due,
        };
        exchange(&mut stream, &question(id * 1_000_000 + number)).await;
        latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    latencies
}

async fn serve_bare(port: u16, answer: Vec<u8>) {
    let same = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], answer.clone()));
    let ready = axum::routing::get(|| std::future::ready("ready"));
    let router = Router::new().route("/readyz", ready).route("/ofrep/v1/evaluate/flags/{key}", post(same));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = gateway::serve::bind(address).await.expect("the port is free");
    gateway::serve::serve(listener, router, futures::future::pending()).await;
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// Writes the table of a campaign beside and renames it, so that nobody reads half of it.
fn write_table(folder: &Path, campaign: usize, number: i64, placements: usize, shares: &[u32]) {
    let table = tables::table(campaign, number, placements, shares);
    let (path, beside): (PathBuf, PathBuf) =
        (folder.join(format!("{campaign}.json")), folder.join(format!(".{campaign}")));
    std::fs::write(&beside, serde_json::to_vec(&table).expect("plain data")).expect("it writes");
    std::fs::rename(beside, path).expect("it is there");
}

/// Of sorted figures.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
