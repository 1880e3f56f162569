//! Whom the operator asks for totals, a ledger whose certificate is of the authority that was named, and what it shows.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use operator::error::chain;
use operator::ledger::Ledger;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

/// Where the campaign's UID would be, this ledger tells what it was shown.
const TOTALS: &str = r#"{"campaign": "SHOWN", "asOf": "2026-12-01T00:00:00Z", "placements": []}"#;

/// A ledger with a certificate of its own, which is returned; it stands until the tests end.
fn serve() -> (reqwest::Url, String) {
    // Whoever installed one before was a test of ours.
    let _ = ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls = Arc::new(tls.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // Whoever does not trust us hangs up, which is what a test wants to see at the other end.
            let _ = answer(connection.unwrap(), Arc::clone(&tls));
        }
    });
    (url.parse().unwrap(), made.cert.pem())
}

fn answer(mut connection: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut tls, &mut connection);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
    let totals = TOTALS.replace("SHOWN", shown.unwrap_or("nothing"));
    let length = totals.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{totals}")?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// The campaign of the totals, or why there are none.
async fn ask(url: &reqwest::Url, ca: &Path) -> Result<String, String> {
    let ledger = Ledger::new(url.clone(), Some(ca.to_owned())).unwrap();
    ledger.totals("one").await.map(|totals| totals.campaign).map_err(|error| chain(&error))
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted_and_no_other_and_may_change() {
    let ((url, pem), (_, other)) = (serve(), serve());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, &other).unwrap();
    let ledger = Ledger::new(url.clone(), Some(ca.clone())).unwrap();
    let refused = chain(&ledger.totals("one").await.unwrap_err());
    assert!(refused.contains("did not answer") && refused.contains("certificate"), "{refused}");
    std::fs::write(&ca, other + &pem).unwrap();
    let shown = ledger.totals("one").await.unwrap().campaign;
    assert_eq!(shown, "nothing", "the same ledger, with another authority");
}

#[tokio::test]
async fn the_token_is_shown_as_the_file_has_it_now() {
    let (url, pem) = serve();
    let folder = tempfile::tempdir().unwrap();
    let (ca, token) = (folder.path().join("ca.crt"), folder.path().join("token"));
    std::fs::write(&ca, pem).unwrap();
    let ledger = Ledger::new(url, Some(ca)).unwrap().shown(Some(token.clone()));
    let missing = chain(&ledger.totals("one").await.unwrap_err());
    assert!(missing.contains("--ledger-token") && missing.contains("can't be read"), "{missing}");
    for written in ["first", "second\n"] {
        std::fs::write(&token, written).unwrap();
        assert_eq!(ledger.totals("one").await.unwrap().campaign, format!("Bearer {}", written.trim()));
    }
    std::fs::write(&token, "two\nlines").unwrap();
    let broken = chain(&ledger.totals("one").await.unwrap_err());
    assert!(broken.contains("--ledger-token") && !broken.contains("lines"), "{broken}");
}

#[tokio::test]
async fn a_file_that_is_no_authority_is_named_with_its_flag() {
    let (url, _) = serve();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    let missing = ask(&url, &ca).await.unwrap_err();
    assert!(missing.contains("--ledger-ca") && missing.contains("can't be read"), "{missing}");
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n").unwrap();
    let broken = ask(&url, &ca).await.unwrap_err();
    assert!(broken.contains("--ledger-ca") && broken.contains("holds no certificates"), "{broken}");
    std::fs::write(&ca, "").unwrap();
    let empty = ask(&url, &ca).await.unwrap_err();
    assert!(empty.contains("--ledger-ca") && empty.contains("holds no certificates"), "{empty}");
}
