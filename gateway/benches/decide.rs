//! What a decision costs: requests per second of `POST /v1/decide` over loopback, beside a bare axum handler that
//! returns the same bytes. Both run in this process and take turns, so that a noisy machine disturbs both.
//!
//! `cargo bench -p broadside-gateway`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::post;
use gateway::clock::SystemClock;
use gateway::decide::DecideState;
use gateway::key::Keyring;
use gateway::tables::Keeper;
use prometheus_client::registry::Registry;
use tokio::net::TcpStream;

#[path = "shared/http.rs"]
mod http;
#[path = "shared/median.rs"]
mod median;
#[path = "../tests/it/samples.rs"]
mod samples;

use http::{body, exchange};
use median::median;
use samples::{SAMPLE, keys};

/// Connections that are kept open; each has one request under way.
const CONNECTIONS: usize = 32;
/// Turns of each server. The first of each warms up and is not counted.
const TURNS: usize = 7;
const TURN: Duration = Duration::from_secs(1);
/// Different subjects of one connection.
const SUBJECTS: usize = 256;

#[tokio::main]
async fn main() {
    let ours = serve(ours()).await;
    let answer = exchange(&mut TcpStream::connect(ours).await.expect("it listens"), &request("alice")).await;
    let bare = serve(bare(body(&answer).to_vec())).await;
    let (mut ours_rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare_rates.push(rate(bare).await);
        ours_rates.push(rate(ours).await);
    }
    let (ours, bare) = (median(&ours_rates[1..]), median(&bare_rates[1..]));
    println!(
        "connections {CONNECTIONS}, answer {} bytes, median of {} turns of {TURN:?}",
        answer.len(),
        TURNS - 1
    );
    println!("POST /v1/decide        {ours:>9.0} requests/s");
    println!("bare handler           {bare:>9.0} requests/s, the same bytes");
    println!("share of the bare one  {:>9.1} %", 100.0 * ours / bare);
}

/// The role `decide` as it runs, with one table.
fn ours() -> Router {
    let mut registry = Registry::default();
    let (mut keeper, tables) = Keeper::new(&mut registry);
    keeper.offer(&SAMPLE.object()).expect("a table");
    keeper.publish();
    let state =
        DecideState::new(tables, Keyring::new(keys()), Arc::new(SystemClock), None, None, &mut registry);
    gateway::decide::router(state).merge(gateway::serve::operations(registry, || true))
}

/// The least that axum can do: it leaves the request's body unread.
fn bare(body: Vec<u8>) -> Router {
    let answer = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], body.clone()));
    Router::new().route("/v1/decide", post(answer))
}

async fn serve(router: Router) -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = gateway::serve::bind(any).await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(gateway::serve::serve(listener, router, futures::future::pending()));
    address
}

/// Requests per second of one turn.
async fn rate(address: SocketAddr) -> f64 {
    let begin = Instant::now();
    let connections: Vec<_> =
        (0..CONNECTIONS).map(|id| tokio::spawn(ask(address, id, begin + TURN))).collect();
    let mut requests = 0;
    for connection in connections {
        requests += connection.await.expect("a connection counts until the end");
    }
    f64::from(requests) / begin.elapsed().as_secs_f64()
}

/// Asks until the end, one question after another; how many were answered.
async fn ask(address: SocketAddr, connection: usize, end: Instant) -> u32 {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is open");
    let questions: Vec<_> =
        (0..SUBJECTS).map(|subject| request(&format!("{connection}-{subject}"))).collect();
    let mut answered = 0;
    for question in questions.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        exchange(&mut stream, question).await;
        answered += 1;
    }
    answered
}

fn request(subject: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"namespace":"shop","campaign":"cart-and-hero","placement":"hero","subject":"{subject}"}}"#
    );
    let head = "POST /v1/decide HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
