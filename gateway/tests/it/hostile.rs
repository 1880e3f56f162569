//! Clients that would hold a server up: they cost a connection for a while, and nobody else anything.
//!
//! Time stands still in these tests, and goes on at once to the next moment for which something waits.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use gateway::serve::{self, CONNECTIONS_LIMIT, HEAD_WITHIN, REQUEST_WITHIN};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::samples::SAMPLE;
use crate::world::World;

/// Longer than anybody waits, and no time at all where it stands still.
const FOREVER: Duration = Duration::from_secs(3600);

async fn served() -> (SocketAddr, World) {
    let world = World::new(SAMPLE);
    let listener = serve::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = world.decide.clone();
    tokio::spawn(serve::serve(listener, router, futures::future::pending()));
    (address, world)
}

/// What comes back on a connection that sends this and no more, until its end.
async fn answered(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes while something is unread resets the connection: then there is no more to read either.
    let read = tokio::time::timeout(FOREVER, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays open");
    String::from_utf8(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_ends_its_connection() {
    let (address, _world) = served().await;
    for sent in ["", "POST /v1/decide HTTP/1.1\r\nhost: gate"] {
        let begin = Instant::now();
        let answer = answered(address, sent.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(begin.elapsed() >= HEAD_WITHIN && begin.elapsed() < 2 * HEAD_WITHIN, "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_answered() {
    let (address, _world) = served().await;
    let begin = Instant::now();
    let sent = "POST /v1/decide HTTP/1.1\r\nhost: gateway\r\ncontent-length: 99\r\n\r\n{";
    let answer = answered(address, sent.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"Slow\""), "{answer}");
    assert!(begin.elapsed() >= REQUEST_WITHIN, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_refused() {
    let (address, _world) = served().await;
    let sent = format!("GET /v1/decide HTTP/1.1\r\nhost: gateway\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(sent.as_bytes()).await;
    let mut answer = [0; 12];
    let read = stream.read(&mut answer).await.unwrap_or(0);
    assert!(read == 0 || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn others_are_served_while_many_hold_their_connections() {
    let (address, _world) = served().await;
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /v1/decide HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    assert!(held.len() < CONNECTIONS_LIMIT);
    let ask = "GET /v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice HTTP/1.1\r\n\
        host: gateway\r\nconnection: close\r\n\r\n";
    assert!(answered(address, ask.as_bytes()).await.contains("Assigned"));
}
